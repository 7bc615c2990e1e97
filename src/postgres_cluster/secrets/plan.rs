//! The plan of the Secrets that pgrender renders. The derivation of values, the reuse of existing Secrets, and the builder of
//! Secrets all use this plan.

use super::certificates::PlannedCertificate;
use super::credentials::{CredentialHolder, PlannedCredential, ServiceRole};
use crate::naming::{Labels, instance_set_labels, label, labels, pgbackrest_labels, pgbouncer_labels};
use crate::postgres_cluster::cluster::{Cluster, Metadata};
use crate::postgres_cluster::secrets::certificates::CertificateRole;

/// One Secret, with the credential and the certificates in it. It contains at least one of them.
#[derive(Clone, Debug)]
pub struct PlannedSecret<'a> {
    /// The name of the Secret.
    pub name: String,
    /// The password in it.
    pub credential: Option<PlannedCredential<'a>>,
    /// The certificates in it.
    pub certificates: Vec<PlannedCertificate>,
}

/// What a Secret is for. The variants are in the order in which the Secrets are written. Parts of the same owner with the same
/// name are in one Secret. If Secrets of two owners have the same name, they collide, which is an error later.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Owner {
    Patroni,
    Postgres,
    Replication,
    User,
    Monitoring,
    InstanceSet,
    PgBackRest,
    PgBouncer,
}

/// A part of the content of a Secret.
enum Part<'a> {
    Credential(PlannedCredential<'a>),
    Certificate(PlannedCertificate),
}

impl Part<'_> {
    fn secret(&self) -> (Owner, &str) {
        match self {
            Self::Credential(credential) => {
                let owner = match credential.holder {
                    CredentialHolder::Patroni => Owner::Patroni,
                    CredentialHolder::User(_) => Owner::User,
                    CredentialHolder::Service(ServiceRole::Monitoring) => Owner::Monitoring,
                    CredentialHolder::Service(ServiceRole::PgBouncer) => Owner::PgBouncer,
                };
                (owner, &credential.secret)
            }
            Self::Certificate(certificate) => {
                let owner = match certificate.role {
                    CertificateRole::Postgres => Owner::Postgres,
                    CertificateRole::Replication | CertificateRole::Replica => Owner::Replication,
                    CertificateRole::InstanceSet | CertificateRole::Member => Owner::InstanceSet,
                    CertificateRole::PgBackRestClient | CertificateRole::PgBackRestRepoHost => Owner::PgBackRest,
                    CertificateRole::PgBouncer => Owner::PgBouncer,
                };
                (owner, &certificate.secret)
            }
        }
    }
}

impl Cluster {
    /// The Secrets of the cluster that pgrender makes, in the order in which they are written.
    pub fn secrets(&self) -> Vec<PlannedSecret<'_>> {
        let credentials = self.credentials().into_iter().filter(|credential| !credential.is_brought);
        let certificates = self.derived_certificates().map(Part::Certificate);
        let mut parts: Vec<Part> = credentials.map(Part::Credential).chain(certificates).collect();
        parts.sort_by_key(|part| part.secret().0);
        let mut secrets: Vec<PlannedSecret> = Vec::new();
        let mut last = None;
        for part in parts {
            let (owner, name) = part.secret();
            let this = Some((owner, name.to_owned()));
            if this != last {
                secrets.push(PlannedSecret { name: name.to_owned(), credential: None, certificates: Vec::new() });
            }
            last = this;
            let Some(secret) = secrets.last_mut() else { continue };
            match part {
                Part::Credential(credential) => secret.credential = Some(credential),
                Part::Certificate(certificate) => secret.certificates.push(certificate),
            }
        }
        secrets
    }

    /// The metadata and the labels of the Secret that contains a credential.
    pub fn metadata_of_credential(&self, planned: &PlannedCredential) -> (&Metadata, Labels) {
        match planned.holder {
            CredentialHolder::User(user) => {
                (&self.metadata, labels([(label::ROLE, "pguser"), (label::POSTGRES_USER, &user.name)]))
            }
            CredentialHolder::Service(ServiceRole::Monitoring) => {
                (&self.metadata, labels([(label::ROLE, "monitoring")]))
            }
            CredentialHolder::Patroni => (&self.metadata, labels([])),
            CredentialHolder::Service(ServiceRole::PgBouncer) => self.metadata_of_pgbouncer(),
        }
    }

    /// The metadata and the labels of the Secret that contains a certificate.
    pub fn metadata_of_certificate(&self, planned: &PlannedCertificate) -> (&Metadata, Labels) {
        let of_pgbackrest = self.backups.as_ref().map_or(&self.metadata, |backups| &backups.metadata);
        match planned.role {
            CertificateRole::Postgres => (&self.metadata, labels([(label::CLUSTER_CERTIFICATE, "postgres-tls")])),
            CertificateRole::Replication | CertificateRole::Replica => {
                (&self.metadata, labels([(label::CLUSTER_CERTIFICATE, "replication-client-tls")]))
            }
            CertificateRole::InstanceSet | CertificateRole::Member => {
                let set = self.instance_sets.iter().find(|set| set.name == planned.instance_set);
                let metadata = set.map_or(&self.metadata, |set| &set.metadata);
                (metadata, instance_set_labels(&planned.instance_set))
            }
            CertificateRole::PgBackRestClient => {
                (of_pgbackrest, labels([(label::PGBACKREST, ""), (label::PGBACKREST_CONFIG, "")]))
            }
            CertificateRole::PgBackRestRepoHost => (of_pgbackrest, pgbackrest_labels()),
            CertificateRole::PgBouncer => self.metadata_of_pgbouncer(),
        }
    }

    fn metadata_of_pgbouncer(&self) -> (&Metadata, Labels) {
        let metadata = self.pgbouncer.as_ref().map_or(&self.metadata, |pgbouncer| &pgbouncer.metadata);
        (metadata, pgbouncer_labels())
    }
}
