//! Secrets: credentials, certificates, and the roles that the caretaker creates. The keys are those of PGO (for example
//! `internal/controller/postgrescluster/postgres.go` for the Secret of a user).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::certificates::PlannedCertificate;
use super::credentials::{CredentialHolder, PlannedCredential, ServiceRole};
use super::identity::{Credential, Identity, Trust};
use super::plan::PlannedSecret;
use crate::identity::uri;
use crate::kubernetes::object::Objects;
use crate::kubernetes::{ByteString, Secret};
use crate::naming::{Labels, PATRONI_USER, annotation, labels};
use crate::postgres_cluster::cluster::{Cluster, Metadata, User};
use crate::postgres_cluster::objects::metadata::{object_meta, with_generations};
use crate::postgres_cluster::patroni;
use crate::postgres_cluster::pgbouncer::configuration;

/// The content of a Secret: values by key.
type Data = BTreeMap<String, ByteString>;

/// Adds all Secrets of the cluster.
pub(crate) fn add(objects: &mut Objects, cluster: &Cluster, identity: &Identity) {
    objects.add(caretaker(cluster, identity));
    objects.add_all(patroni_rules(cluster));
    objects.add_all(planned(cluster, identity));
}

fn bytes(text: &str) -> ByteString {
    ByteString(text.as_bytes().to_vec())
}

fn secret(cluster: &Cluster, name: String, metadata: &Metadata, labels: Labels, data: Data) -> Secret {
    Secret {
        metadata: object_meta(cluster, name, metadata, labels),
        data: Some(data),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

/// The Secrets of the plan, with the values from `identity`.
fn planned(cluster: &Cluster, identity: &Identity) -> Vec<Secret> {
    cluster.secrets().iter().map(|planned| build(cluster, planned, identity)).collect()
}

/// One Secret of the plan. Annotations say which generations it contains, so that a later run knows whether the values may be
/// reused.
fn build(cluster: &Cluster, planned: &PlannedSecret, identity: &Identity) -> Secret {
    let mut content = Content(Data::new());
    let mut generations = Vec::new();
    let mut meta = None;
    for certificate in &planned.certificates {
        let made = identity.certificate(certificate.role, &certificate.instance_set);
        if let (Some(made), Some(trust)) = (made, &identity.trust) {
            content.add_certificate(certificate, made, trust);
            generations.push((annotation::GENERATION_CERTIFICATES, made.generation));
            generations.push((annotation::GENERATION_CA, trust.generation));
        }
        meta.get_or_insert_with(|| cluster.metadata_of_certificate(certificate));
    }
    if let Some(credential) = &planned.credential {
        if let Some(made) = identity.credentials.get(credential.role) {
            content.add_credential(cluster, credential, made);
            generations.push((annotation::GENERATION_PASSWORD, made.generation.own));
            generations.push((annotation::GENERATION_PASSWORDS, made.generation.all));
        }
        meta.get_or_insert_with(|| cluster.metadata_of_credential(credential));
    }
    let (metadata, labels) = meta.unwrap_or_else(|| (&cluster.metadata, labels([])));
    let secret = secret(cluster, planned.name.clone(), metadata, labels, content.0);
    Secret { metadata: with_generations(secret.metadata, generations), ..secret }
}

/// The content of a Secret, while it is built.
struct Content(Data);

impl Content {
    fn add(&mut self, key: &str, value: &str) {
        self.0.insert(key.to_owned(), bytes(value));
    }

    fn add_certificate(
        &mut self,
        planned: &PlannedCertificate,
        made: &crate::identity::certificate::Certificate,
        trust: &Trust,
    ) {
        let keys = planned.keys;
        if keys.is_combined() {
            let both = Zeroizing::new(format!("{}{}", made.key.as_str(), made.certificate));
            self.add(keys.certificate, &both);
        } else {
            self.add(keys.certificate, &made.certificate);
            self.add(keys.private_key, &made.key);
        }
        if let Some(key) = keys.authority {
            self.add(key, trust.bundle(planned.authority));
        }
    }

    fn add_credential(&mut self, cluster: &Cluster, planned: &PlannedCredential, made: &Credential) {
        self.add(planned.keys.password, &made.password);
        if let (Some(key), Some(verifier)) = (planned.keys.verifier, &made.verifier) {
            self.add(key, verifier);
        }
        match planned.holder {
            CredentialHolder::User(user) => self.add_connections(cluster, user, &made.password),
            CredentialHolder::Service(ServiceRole::PgBouncer) => {
                self.add(configuration::USERS_KEY, &configuration::users(&made.password));
            }
            CredentialHolder::Service(_) => {}
            // Patroni's REST API requires this password from every client that makes changes: Patroni itself, its other
            // clients, and people. The Secret also contains the rules of `pg_hba.conf`, because they may contain a password.
            CredentialHolder::Patroni => {
                self.add(
                    patroni::configuration::AUTHENTICATION_KEY,
                    &patroni::configuration::authentication_yaml(&made.password),
                );
                self.add(patroni::configuration::RULES_KEY, &patroni::configuration::rules_yaml(cluster));
                self.add("username", PATRONI_USER);
            }
        }
    }

    /// Adds everything that an application needs to connect, with the keys of PGO's `<cluster>-pguser-<user>`.
    fn add_connections(&mut self, cluster: &Cluster, user: &User, password: &str) {
        let name = user.name.as_str();
        let host = cluster.service_host(&cluster.primary_service());
        self.add("host", &host);
        self.add("port", &cluster.port.to_string());
        self.add("user", name);
        let database = user.databases.first();
        if let Some(database) = database {
            self.add("dbname", database);
            self.add("uri", &uri::postgresql_uri(name, password, &host, cluster.port, database));
            let parameters = [("password", password), ("user", name)];
            self.add("jdbc-uri", &uri::jdbc_uri(&host, cluster.port, database, &parameters));
        }
        let Some(pgbouncer) = &cluster.pgbouncer else { return };
        let host = cluster.service_host(&cluster.pgbouncer_name());
        self.add("pgbouncer-host", &host);
        self.add("pgbouncer-port", &pgbouncer.port.to_string());
        if let Some(database) = database {
            self.add("pgbouncer-uri", &uri::postgresql_uri(name, password, &host, pgbouncer.port, database));
            // Server-side prepared statements of pgJDBC do not work with transaction pooling.
            let parameters = [("password", password), ("prepareThreshold", "0"), ("user", name)];
            self.add("pgbouncer-jdbc-uri", &uri::jdbc_uri(&host, pgbouncer.port, database, &parameters));
        }
    }
}

/// `<cluster>-patroni-rules`: the Secret with the rules of `pg_hba.conf`, which may contain a password. It is rendered only if
/// the user provides the Secret of Patroni, which otherwise contains these rules.
fn patroni_rules(cluster: &Cluster) -> Option<Secret> {
    cluster.brings_credential(PATRONI_USER).then(|| {
        let data = Data::from([(
            patroni::configuration::RULES_KEY.to_owned(),
            bytes(&patroni::configuration::rules_yaml(cluster)),
        )]);
        secret(cluster, cluster.patroni_rules_secret(), &cluster.metadata, labels([]), data)
    })
}

/// `<cluster>-caretaker`: the roles that the caretaker creates and alters. It contains their verifiers, but no password. There
/// is one Secret for all users, so that a new user does not change the pod template. If the user provides the Secret of a role,
/// it contains the name of that Secret instead of the verifier.
fn caretaker(cluster: &Cluster, identity: &Identity) -> Secret {
    let mut roles = json!({"users": []});
    for service in ServiceRole::ALL {
        roles[service.key()] = Value::Null;
    }
    let mut users = Vec::new();
    for planned in cluster.credentials() {
        let mut role = json!({"name": planned.role});
        if let CredentialHolder::User(user) = planned.holder {
            role["databases"] = json!(user.granted_databases());
            role["options"] = json!(user.role_options());
        }
        match identity.credentials.get(planned.role).and_then(|made| made.verifier.as_ref()) {
            Some(verifier) => role["verifier"] = json!(verifier.as_str()),
            None => role["secret"] = json!(planned.secret),
        }
        match planned.holder {
            CredentialHolder::User(_) => users.push(role),
            CredentialHolder::Service(service) => roles[service.key()] = role,
            CredentialHolder::Patroni => {}
        }
    }
    roles["users"] = users.into();
    let data = Data::from([("roles.json".to_owned(), bytes(&format!("{roles:#}\n")))]);
    secret(cluster, cluster.caretaker_name(), &cluster.metadata, labels([]), data)
}
