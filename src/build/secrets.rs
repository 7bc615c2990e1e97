//! Secrets (inventory 2): credentials, certificates, and what the caretaker applies.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::metadata::{Labels, labels, object_meta, pgbackrest_labels, pgbouncer_labels, with_generations};
use crate::cluster::{Backups, Cluster, InstanceSet, Metadata, PasswordGeneration, PgBouncer, User};
use crate::config::{patroni, pgbouncer as configuration};
use crate::identity::{Certificate, Credential, Identity, Password, uri};
use crate::kubernetes::{ByteString, Secret};
use crate::naming::{MONITORING_USER, PATRONI_USER, PGBOUNCER_USER, annotation, label};

/// The content of a Secret, by key.
type Data = BTreeMap<String, ByteString>;

fn data<const N: usize>(pairs: [(&str, &str); N]) -> Data {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), bytes(value))).collect()
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

/// `secret` with the generation of the password that it holds, by which a later run knows whether it is the one asked for.
fn of_password(secret: Secret, generation: PasswordGeneration) -> Secret {
    let generations =
        [(annotation::GENERATION_PASSWORD, generation.own), (annotation::GENERATION_PASSWORDS, generation.all)];
    Secret { metadata: with_generations(secret.metadata, generations), ..secret }
}

/// `secret` with the generations of its certificates and of the CA.
fn of_certificate(secret: Secret, identity: &Identity, certificate: Option<&Certificate>) -> Secret {
    let Some(certificate) = certificate else { return secret };
    let generations = [
        (annotation::GENERATION_CERTIFICATES, certificate.generation),
        (annotation::GENERATION_CA, identity.authority_generation),
    ];
    Secret { metadata: with_generations(secret.metadata, generations), ..secret }
}

/// `<cluster>-pguser-<user>`: all that an application needs to connect (inventory 2.6).
pub(super) fn user(cluster: &Cluster, user: &User, credential: &Credential) -> Secret {
    let (name, password) = (user.name.as_str(), credential.password.as_str());
    let host = cluster.service_host(&cluster.primary_service());
    let mut data = data([
        ("host", &host),
        ("port", &cluster.port.to_string()),
        ("user", name),
        ("password", password),
        ("verifier", &credential.verifier),
    ]);
    let database = user.databases.first();
    if let Some(database) = database {
        data.insert("dbname".to_owned(), bytes(database));
        data.insert("uri".to_owned(), bytes(&uri::postgresql_uri(name, password, &host, cluster.port, database)));
        let parameters = [("password", password), ("user", name)];
        data.insert("jdbc-uri".to_owned(), bytes(&uri::jdbc_uri(&host, cluster.port, database, &parameters)));
    }
    if let Some(pgbouncer) = &cluster.pgbouncer {
        let host = cluster.service_host(&cluster.pgbouncer_name());
        data.insert("pgbouncer-host".to_owned(), bytes(&host));
        data.insert("pgbouncer-port".to_owned(), bytes(&pgbouncer.port.to_string()));
        if let Some(database) = database {
            let uri = uri::postgresql_uri(name, password, &host, pgbouncer.port, database);
            data.insert("pgbouncer-uri".to_owned(), bytes(&uri));
            // pgJDBC's server-side prepared statements do not survive transaction pooling.
            let parameters = [("password", password), ("prepareThreshold", "0"), ("user", name)];
            let uri = uri::jdbc_uri(&host, pgbouncer.port, database, &parameters);
            data.insert("pgbouncer-jdbc-uri".to_owned(), bytes(&uri));
        }
    }
    let labels = labels([(label::ROLE, "pguser"), (label::POSTGRES_USER, name)]);
    of_password(secret(cluster, cluster.user_secret(name), &cluster.metadata, labels, data), credential.generation)
}

/// `<cluster>-cluster-cert`: Postgres' server certificate.
pub(super) fn cluster_certificate(cluster: &Cluster, identity: &Identity, certificate: &Certificate) -> Secret {
    let labels = labels([(label::CLUSTER_CERTIFICATE, "postgres-tls")]);
    let name = cluster.cluster_certificate_secret();
    let secret = secret(cluster, name, &cluster.metadata, labels, certificate_data(identity, certificate));
    of_certificate(secret, identity, Some(certificate))
}

/// `<cluster>-replication-cert`: the client certificate of replicas.
pub(super) fn replication_certificate(cluster: &Cluster, identity: &Identity, certificate: &Certificate) -> Secret {
    let labels = labels([(label::CLUSTER_CERTIFICATE, "replication-client-tls")]);
    let name = cluster.replication_certificate_secret();
    let secret = secret(cluster, name, &cluster.metadata, labels, certificate_data(identity, certificate));
    of_certificate(secret, identity, Some(certificate))
}

fn certificate_data(identity: &Identity, certificate: &Certificate) -> Data {
    data([("tls.crt", &certificate.certificate), ("tls.key", &certificate.key), ("ca.crt", &identity.trust_bundle)])
}

/// `<cluster>-<set>-certs`: of Patroni's API and pgBackRest's server in each pod of a set (inventory 2.5). One for all
/// ordinals, so that scaling changes no certificate; therefore without PGO's `dns.crt` and `dns.key`, the operator's own
/// copies.
///
/// Members are known by a CA that the cluster has for itself. Servers of Patroni trust that of the trust domain too: a member
/// that an earlier version made shows a certificate of that one, until its kubelet brings what stands here.
pub(super) fn instance_set_certificates(
    cluster: &Cluster,
    set: &InstanceSet,
    identity: &Identity,
    member: &Certificate,
) -> Secret {
    let combined = Zeroizing::new(format!("{}{}", member.key.as_str(), member.certificate));
    let mut data = data([
        ("patroni-members.ca-roots", identity.members_bundle.as_str()),
        ("patroni.ca-roots", &format!("{}{}", identity.trust_bundle, identity.members_bundle)),
        ("patroni.crt-combined", &combined),
    ]);
    if let Some(certificate) = identity.instance_sets.get(&set.name) {
        data.insert("pgbackrest-server.crt".to_owned(), bytes(&certificate.certificate));
        data.insert("pgbackrest-server.key".to_owned(), bytes(&certificate.key));
    }
    let labels = labels([(label::INSTANCE_SET, &set.name)]);
    let secret = secret(cluster, cluster.instance_set_certificate_secret(&set.name), &set.metadata, labels, data);
    of_certificate(secret, identity, Some(member))
}

/// `<cluster>-pgbackrest`: pgBackRest's client certificate, and the repo host's own (inventory 2.7).
pub(super) fn pgbackrest(cluster: &Cluster, backups: &Backups, identity: &Identity, client: &Certificate) -> Secret {
    let mut data = data([
        ("pgbackrest.ca-roots", &identity.trust_bundle),
        ("pgbackrest-client.crt", &client.certificate),
        ("pgbackrest-client.key", &client.key),
    ]);
    if let Some(repo_host) = &identity.pgbackrest_repo_host {
        data.insert("pgbackrest-repo-host.crt".to_owned(), bytes(&repo_host.certificate));
        data.insert("pgbackrest-repo-host.key".to_owned(), bytes(&repo_host.key));
    }
    let mut labels = pgbackrest_labels();
    labels.insert(label::PGBACKREST_CONFIG.to_owned(), String::new());
    let secret = secret(cluster, cluster.pgbackrest_name(), &backups.metadata, labels, data);
    of_certificate(secret, identity, Some(client))
}

/// `<cluster>-pgbouncer`: pgBouncer's own credential and certificate (inventory 2.8).
pub(super) fn pgbouncer(
    cluster: &Cluster,
    pgbouncer: &PgBouncer,
    identity: &Identity,
    credential: &Credential,
) -> Secret {
    let users = configuration::users(&credential.password);
    let mut data = data([
        ("pgbouncer-password", &credential.password),
        ("pgbouncer-verifier", &credential.verifier),
        ("pgbouncer-users.txt", &users),
    ]);
    let certificate = identity.pgbouncer_frontend.as_ref();
    data.extend(certificate.into_iter().flat_map(|certificate| frontend(identity, certificate)));
    let secret = secret(cluster, cluster.pgbouncer_name(), &pgbouncer.metadata, pgbouncer_labels(), data);
    of_certificate(of_password(secret, credential.generation), identity, certificate)
}

/// `<cluster>-pgbouncer-tls`: pgBouncer's certificate alone, where the user brings the Secret above.
pub(super) fn pgbouncer_certificate(
    cluster: &Cluster,
    pgbouncer: &PgBouncer,
    identity: &Identity,
    certificate: &Certificate,
) -> Secret {
    let name = cluster.pgbouncer_certificate_secret();
    let secret = secret(cluster, name, &pgbouncer.metadata, pgbouncer_labels(), frontend(identity, certificate));
    of_certificate(secret, identity, Some(certificate))
}

fn frontend(identity: &Identity, certificate: &Certificate) -> Data {
    data([
        ("pgbouncer-frontend.ca-roots", &identity.trust_bundle),
        ("pgbouncer-frontend.crt", &certificate.certificate),
        ("pgbouncer-frontend.key", &certificate.key),
    ])
}

/// `<cluster>-monitoring`: the exporter's credential (inventory 2.9).
pub(super) fn monitoring(cluster: &Cluster, credential: &Credential) -> Secret {
    let labels = labels([(label::ROLE, "monitoring")]);
    let data = data([("password", &credential.password), ("verifier", &credential.verifier)]);
    of_password(secret(cluster, cluster.monitoring_secret(), &cluster.metadata, labels, data), credential.generation)
}

/// `<cluster>-patroni`: what Patroni's REST API demands of who changes something, for Patroni and its clients and for people;
/// and the rules of `pg_hba.conf` where they hold a password.
pub(super) fn patroni(cluster: &Cluster, password: &Password) -> Secret {
    let data = data([
        (patroni::AUTHENTICATION_KEY, &patroni::authentication_yaml(&password.password)),
        (patroni::RULES_KEY, &patroni::rules_yaml(cluster)),
        ("password", &password.password),
        ("username", PATRONI_USER),
    ]);
    let secret = secret(cluster, cluster.patroni_secret(), &cluster.metadata, labels([]), data);
    of_password(secret, password.generation)
}

/// `<cluster>-patroni-rules`: those rules alone, where the user brings the Secret above.
pub(super) fn patroni_rules(cluster: &Cluster) -> Secret {
    let data = data([(patroni::RULES_KEY, &patroni::rules_yaml(cluster))]);
    secret(cluster, cluster.patroni_rules_secret(), &cluster.metadata, labels([]), data)
}

/// `<cluster>-caretaker`: the roles that the caretaker makes so, with their verifiers and never a password. One Secret for
/// all users, so that a new user changes no pod. Of a role whose Secret the user brings there is the name of that Secret.
pub(super) fn caretaker(cluster: &Cluster, identity: &Identity) -> Secret {
    let with_source = |mut role: Value, credential: Option<&Credential>, secret: String| {
        let (key, value) = match credential {
            Some(credential) => ("verifier", credential.verifier.as_str()),
            None => ("secret", secret.as_str()),
        };
        role[key] = json!(value);
        role
    };
    let user = |user: &User| {
        let databases = user.granted_databases();
        let role = json!({"name": user.name, "databases": databases, "options": user.role_options()});
        with_source(role, identity.users.get(&user.name), cluster.user_secret(&user.name))
    };
    let pgbouncer =
        || with_source(json!({"name": PGBOUNCER_USER}), identity.pgbouncer.as_ref(), cluster.pgbouncer_name());
    let monitoring =
        || with_source(json!({"name": MONITORING_USER}), identity.monitoring.as_ref(), cluster.monitoring_secret());
    let roles = json!({
        "users": cluster.users.iter().map(user).collect::<Vec<_>>(),
        "pgbouncer": cluster.pgbouncer.is_some().then(pgbouncer),
        "monitoring": cluster.exporter.then(monitoring),
    });
    let data = data([("roles.json", &format!("{roles:#}\n"))]);
    secret(cluster, cluster.caretaker_name(), &cluster.metadata, labels([]), data)
}
