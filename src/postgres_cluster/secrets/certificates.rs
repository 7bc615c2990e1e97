//! The certificates of a cluster: their list, the CA that signs each of them, and the Secret and the keys that contain it.

use crate::identity::certificate::{CertificateUsage, common_name};
use crate::naming::{PGBOUNCER_USER, REPLICATION_USER};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::pgbackrest::model::Backups;

/// The purpose of a certificate.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum CertificateRole {
    /// The server certificate of Postgres.
    Postgres,
    /// The client certificate of the members of a standby cluster. They show it to the cluster that they follow, and to each
    /// other.
    Replication,
    /// The client certificate that replicas show to the leader of their own cluster.
    Replica,
    /// The certificate of pgBackRest's server in the pods of one instance set.
    InstanceSet,
    /// The certificate of Patroni in the pods of one instance set, as a server and as a client of other members.
    Member,
    /// The certificate of pgBackRest's clients.
    PgBackRestClient,
    /// The certificate of pgBackRest's server on the repo host.
    PgBackRestRepoHost,
    /// The server certificate of pgBouncer.
    PgBouncer,
}

impl CertificateRole {
    /// All roles.
    pub const ALL: [Self; 8] = [
        Self::Postgres,
        Self::Replication,
        Self::Replica,
        Self::InstanceSet,
        Self::Member,
        Self::PgBackRestClient,
        Self::PgBackRestRepoHost,
        Self::PgBouncer,
    ];

    /// The word that stands for the role in the contexts from which keys and serial numbers are derived. It must never change.
    pub fn word(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Replication => "replication",
            Self::Replica => "replica",
            Self::InstanceSet => "instance-set",
            Self::Member => "member",
            Self::PgBackRestClient => "pgbackrest-client",
            Self::PgBackRestRepoHost => "pgbackrest-repo-host",
            Self::PgBouncer => "pgbouncer",
        }
    }
}

/// The CA that signs a certificate, if pgrender makes the certificate.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum CertificateAuthority {
    /// The CA of the trust domain.
    TrustDomain,
    /// The CA with which members of the cluster verify each other.
    Members,
}

/// Who makes a certificate and the Secret that contains it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CertificateMaker {
    /// pgrender derives it from the seed.
    Seed,
    /// cert-manager makes it in the Kubernetes cluster.
    CertManager,
    /// The user provides it.
    User,
}

/// The keys of a Secret that contain a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CertificateKeys {
    /// The key of the CA certificates with which peers are verified, if the Secret contains them.
    pub authority: Option<&'static str>,
    /// The key of the certificate.
    pub certificate: &'static str,
    /// The key of the private key. It is the same as `certificate` if one value contains both; the private key is then first.
    pub private_key: &'static str,
}

impl CertificateKeys {
    /// The keys of a Secret of the type `kubernetes.io/tls`, and the key of the CA that cert-manager and PGO use.
    const TLS: Self = Self { authority: Some("ca.crt"), certificate: "tls.crt", private_key: "tls.key" };

    /// Whether one value contains both the private key and the certificate.
    pub fn is_combined(&self) -> bool {
        self.certificate == self.private_key
    }
}

/// One certificate of a cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlannedCertificate {
    /// The purpose of the certificate.
    pub role: CertificateRole,
    /// The instance set; empty for the roles that a cluster has once.
    pub instance_set: String,
    /// Who makes it.
    pub maker: CertificateMaker,
    /// The CA that signs it, if pgrender makes it.
    pub authority: CertificateAuthority,
    /// The name of its Secret.
    pub secret: String,
    /// The keys in the Secret. A Secret that the user provides may have other keys: its projection names them.
    pub keys: CertificateKeys,
}

impl Cluster {
    /// Every certificate of the cluster, in the order in which their Secrets are written.
    pub fn certificates(&self) -> Vec<PlannedCertificate> {
        let once = |role| self.certificate(role, "");
        let mut certificates = vec![once(CertificateRole::Postgres), once(self.replication_role())];
        for set in &self.instance_sets {
            certificates.push(self.certificate(CertificateRole::Member, &set.name));
            if self.backups.is_some() {
                certificates.push(self.certificate(CertificateRole::InstanceSet, &set.name));
            }
        }
        certificates.extend(self.backups.as_ref().map(|_| once(CertificateRole::PgBackRestClient)));
        let repo_host = self.backups.as_ref().filter(|backups| Backups::has_repo_host(backups));
        certificates.extend(repo_host.map(|_| once(CertificateRole::PgBackRestRepoHost)));
        certificates.extend(self.pgbouncer.as_ref().map(|_| once(CertificateRole::PgBouncer)));
        certificates
    }

    /// The certificates that pgrender makes.
    pub fn derived_certificates(&self) -> impl Iterator<Item = PlannedCertificate> {
        self.certificates().into_iter().filter(|certificate| certificate.maker == CertificateMaker::Seed)
    }

    /// The certificate of a role. `instance_set` is empty for the roles that a cluster has once.
    pub fn certificate(&self, role: CertificateRole, instance_set: &str) -> PlannedCertificate {
        let maker = if self.brings_certificate(role) {
            CertificateMaker::User
        } else if self.cert_manager.is_some() {
            CertificateMaker::CertManager
        } else {
            CertificateMaker::Seed
        };
        let authority = match role {
            CertificateRole::Member => CertificateAuthority::Members,
            _ => CertificateAuthority::TrustDomain,
        };
        let keys = match maker {
            CertificateMaker::Seed => keys_of_pgo(role),
            // Patroni reads one file with the private key and the certificate.
            CertificateMaker::CertManager if role == CertificateRole::Member => combined("ca.crt", "tls-combined.pem"),
            CertificateMaker::CertManager | CertificateMaker::User => CertificateKeys::TLS,
        };
        let secret = self.certificate_secret(role, instance_set);
        PlannedCertificate { role, instance_set: instance_set.to_owned(), maker, authority, secret, keys }
    }

    /// The role of the one client certificate that members show to Postgres: to the Postgres of their own cluster and, in a
    /// standby cluster that streams, to the cluster that they follow.
    pub fn replication_role(&self) -> CertificateRole {
        if self.streams_from().is_some() { CertificateRole::Replication } else { CertificateRole::Replica }
    }

    /// Whether the user provides the certificate of a role.
    fn brings_certificate(&self, role: CertificateRole) -> bool {
        match role {
            CertificateRole::Postgres => self.custom_tls_secret.is_some(),
            CertificateRole::Replication | CertificateRole::Replica => self.custom_replication_tls_secret.is_some(),
            CertificateRole::PgBouncer => {
                self.pgbouncer.as_ref().is_some_and(|pgbouncer| pgbouncer.custom_tls_secret.is_some())
            }
            _ => false,
        }
    }

    /// The name of the Secret that contains a certificate.
    fn certificate_secret(&self, role: CertificateRole, instance_set: &str) -> String {
        match role {
            CertificateRole::Postgres => {
                let custom = self.custom_tls_secret.as_ref().map(|secret| secret.name.clone());
                custom.unwrap_or_else(|| self.cluster_certificate_secret())
            }
            CertificateRole::Replication | CertificateRole::Replica => {
                let custom = self.custom_replication_tls_secret.clone();
                custom.unwrap_or_else(|| self.replication_certificate_secret())
            }
            CertificateRole::InstanceSet | CertificateRole::Member => {
                self.instance_set_certificate_secret(instance_set)
            }
            // cert-manager makes one Secret for each Certificate.
            CertificateRole::PgBackRestRepoHost if self.cert_manager.is_some() => self.repo_host_certificate_secret(),
            CertificateRole::PgBackRestClient | CertificateRole::PgBackRestRepoHost => self.pgbackrest_name(),
            CertificateRole::PgBouncer => {
                let custom = self.pgbouncer.as_ref().and_then(|pgbouncer| pgbouncer.custom_tls_secret.as_ref());
                match custom {
                    Some(secret) => secret.name.clone(),
                    None if self.cert_manager.is_some() || self.brings_credential(PGBOUNCER_USER) => {
                        self.pgbouncer_certificate_secret()
                    }
                    None => self.pgbouncer_name(),
                }
            }
        }
    }
}

/// The keys that PGO uses for a certificate.
fn keys_of_pgo(role: CertificateRole) -> CertificateKeys {
    match role {
        CertificateRole::Postgres | CertificateRole::Replication | CertificateRole::Replica => CertificateKeys::TLS,
        CertificateRole::Member => combined("patroni.ca-roots", "patroni.crt-combined"),
        CertificateRole::InstanceSet => CertificateKeys {
            // Clients read the CA certificates from another Secret.
            authority: None,
            certificate: "pgbackrest-server.crt",
            private_key: "pgbackrest-server.key",
        },
        CertificateRole::PgBackRestClient => CertificateKeys {
            authority: Some("pgbackrest.ca-roots"),
            certificate: "pgbackrest-client.crt",
            private_key: "pgbackrest-client.key",
        },
        CertificateRole::PgBackRestRepoHost => CertificateKeys {
            authority: Some("pgbackrest.ca-roots"),
            certificate: "pgbackrest-repo-host.crt",
            private_key: "pgbackrest-repo-host.key",
        },
        CertificateRole::PgBouncer => CertificateKeys {
            authority: Some("pgbouncer-frontend.ca-roots"),
            certificate: "pgbouncer-frontend.crt",
            private_key: "pgbouncer-frontend.key",
        },
    }
}

/// The keys of a certificate that is in one value with its private key.
fn combined(authority: &'static str, both: &'static str) -> CertificateKeys {
    CertificateKeys { authority: Some(authority), certificate: both, private_key: both }
}

/// The subject of a certificate.
pub struct CertificateSubject {
    /// The common name, at most 64 characters.
    pub common_name: String,
    /// The DNS names: the names of a server's host, or the one name of a client.
    pub names: Vec<String>,
    /// What the certificate may be used for.
    pub usage: CertificateUsage,
}

impl CertificateSubject {
    /// The subject of the certificate of `role` in `cluster`. The certificate of an instance set is valid for every pod of the
    /// cluster, so that no certificate changes when the cluster is scaled.
    pub fn of(cluster: &Cluster, role: CertificateRole) -> Self {
        let (names, usage) = match role {
            // The two Services of PGO's certificate, and the Service of the leader, which PGO's certificate does not contain.
            CertificateRole::Postgres => {
                let services = [cluster.primary_service(), cluster.replicas_service(), cluster.scope()];
                (services.iter().flat_map(|service| cluster.service_names(service)).collect(), CertificateUsage::Server)
            }
            CertificateRole::Replication => (vec![REPLICATION_USER.to_owned()], CertificateUsage::Client),
            CertificateRole::Replica => (vec![cluster.replica_name()], CertificateUsage::Client),
            CertificateRole::InstanceSet | CertificateRole::Member => (pod_names(cluster, "*"), CertificateUsage::Both),
            CertificateRole::PgBackRestClient => (vec![cluster.pgbackrest_client_name()], CertificateUsage::Client),
            CertificateRole::PgBackRestRepoHost => {
                (pod_names(cluster, &cluster.repo_host_pod()), CertificateUsage::Server)
            }
            CertificateRole::PgBouncer => {
                (cluster.service_names(&cluster.pgbouncer_name()).to_vec(), CertificateUsage::Server)
            }
        };
        Self { common_name: common_name(&names), names, usage }
    }
}

/// The names of a pod, the longest first. PGO has a fourth name, without the namespace. It is omitted here, because OpenSSL
/// does not accept a wildcard in a name with fewer than two dots, and nothing uses it.
fn pod_names(cluster: &Cluster, pod: &str) -> Vec<String> {
    let services = cluster.service_names(&cluster.pods_service());
    services.iter().take(3).map(|service| format!("{pod}.{service}")).collect()
}
