//! cert-manager's Issuers and Certificates (`cert-manager.io/v1`), where certificates do not come from the seed.
//!
//! cert-manager makes a Secret for each Certificate, with the keys `tls.crt`, `tls.key` and `ca.crt`, and for Patroni
//! `tls-combined.pem`, which is on by default since cert-manager 1.15. Pods mount them under PGO's paths.

use serde::Serialize;

use super::metadata::{Labels, labels, object_meta, pgbackrest_labels, pgbouncer_labels, pod_meta};
use crate::cluster::{Backups, CertManager, Cluster, Metadata};
use crate::identity::{Role, Subject, Usage, replication_role};
use crate::kubernetes::ObjectMeta;
use crate::naming::{common_name, label};
use crate::options::IssuerReference;

const API_VERSION: &str = "cert-manager.io/v1";

/// The life of a cluster's own CA: ten years, as PGO's. cert-manager does not issue leaves again because their CA has changed
/// (cert-manager#5851), so it must outlive many of them, and it keeps its key when it is renewed.
const AUTHORITY_HOURS: u32 = 10 * 365 * 24;

/// A resource of cert-manager.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resource<Spec> {
    api_version: &'static str,
    kind: &'static str,
    metadata: ObjectMeta,
    spec: Spec,
}

/// What signs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum IssuerSpec {
    /// Each certificate with its own key.
    SelfSigned {},
    /// With the key of a Secret.
    #[serde(rename_all = "camelCase")]
    Ca { secret_name: String },
}

/// A certificate to make and to renew.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CertificateSpec {
    secret_name: String,
    secret_template: SecretTemplate,
    common_name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dns_names: Vec<String>,
    #[serde(rename = "isCA", skip_serializing_if = "std::ops::Not::not")]
    is_ca: bool,
    usages: Vec<&'static str>,
    duration: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    renew_before: Option<String>,
    private_key: PrivateKey,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    additional_output_formats: Vec<OutputFormat>,
    issuer_ref: IssuerReference,
    revision_history_limit: u32,
}

/// The labels and annotations of the Secret.
#[derive(Serialize)]
struct SecretTemplate {
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<Labels>,
    labels: Option<Labels>,
}

/// P-256 in the form `EC PRIVATE KEY` (SEC 1), as PGO's: cert-manager calls that `PKCS1`, whatever the algorithm.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PrivateKey {
    algorithm: &'static str,
    size: u32,
    encoding: &'static str,
    /// Said always, because its default has changed (`Always` since 1.18).
    rotation_policy: &'static str,
}

#[derive(Serialize)]
struct OutputFormat {
    #[serde(rename = "type")]
    type_: &'static str,
}

/// The issuers of a cluster that names none: one that signs the cluster's CA with itself, and that CA.
pub(super) fn issuers(cluster: &Cluster, settings: &CertManager) -> Vec<Resource<IssuerSpec>> {
    let issuer = |name: String, spec: IssuerSpec| Resource {
        api_version: API_VERSION,
        kind: "Issuer",
        metadata: object_meta(cluster, name, &cluster.metadata, labels([])),
        spec,
    };
    match settings.issuer {
        Some(_) => Vec::new(),
        None => vec![
            issuer(cluster.self_signed_issuer(), IssuerSpec::SelfSigned {}),
            issuer(cluster.authority_name(), IssuerSpec::Ca { secret_name: cluster.authority_name() }),
        ],
    }
}

/// The certificates of a cluster, each under the name of its Secret. Those that the user brings are left out.
pub(super) fn certificates(cluster: &Cluster, settings: &CertManager) -> Vec<Resource<CertificateSpec>> {
    let leaf = |role, secret: String, metadata: &Metadata, labels| {
        certificate(cluster, metadata, labels, leaf(cluster, settings, role, secret))
    };
    let mut certificates = Vec::new();
    if settings.issuer.is_none() {
        certificates.push(certificate(cluster, &cluster.metadata, labels([]), authority(cluster)));
    }
    if cluster.custom_tls_secret.is_none() {
        let labels = labels([(label::CLUSTER_CERTIFICATE, "postgres-tls")]);
        certificates.push(leaf(Role::Postgres, cluster.cluster_certificate_secret(), &cluster.metadata, labels));
    }
    if cluster.custom_replication_tls_secret.is_none() {
        let labels = labels([(label::CLUSTER_CERTIFICATE, "replication-client-tls")]);
        let secret = cluster.replication_certificate_secret();
        certificates.push(leaf(replication_role(cluster), secret, &cluster.metadata, labels));
    }
    for set in &cluster.instance_sets {
        let labels = labels([(label::INSTANCE_SET, &set.name)]);
        certificates.push(leaf(
            Role::InstanceSet,
            cluster.instance_set_certificate_secret(&set.name),
            &set.metadata,
            labels,
        ));
    }
    if let Some(backups) = &cluster.backups {
        let mut labels = pgbackrest_labels();
        labels.insert(label::PGBACKREST_CONFIG.to_owned(), String::new());
        certificates.push(leaf(Role::PgBackRestClient, cluster.pgbackrest_name(), &backups.metadata, labels));
    }
    if let Some(backups) = cluster.backups.as_ref().filter(|backups| Backups::has_repo_host(backups)) {
        let secret = cluster.repo_host_certificate_secret();
        certificates.push(leaf(Role::PgBackRestRepoHost, secret, &backups.metadata, pgbackrest_labels()));
    }
    if let Some(pgbouncer) = cluster.pgbouncer.as_ref().filter(|pgbouncer| pgbouncer.custom_tls_secret.is_none()) {
        let secret = cluster.pgbouncer_certificate_secret();
        certificates.push(leaf(Role::PgBouncer, secret, &pgbouncer.metadata, pgbouncer_labels()));
    }
    certificates
}

fn certificate(
    cluster: &Cluster,
    metadata: &Metadata,
    labels: Labels,
    mut spec: CertificateSpec,
) -> Resource<CertificateSpec> {
    // Without the label of our children: the Secret is cert-manager's, and nobody shall prune it.
    let secret = pod_meta(cluster, metadata, labels.clone());
    spec.secret_template = SecretTemplate { annotations: secret.annotations, labels: secret.labels };
    let metadata = object_meta(cluster, spec.secret_name.clone(), metadata, labels);
    Resource { api_version: API_VERSION, kind: "Certificate", metadata, spec }
}

/// The CA of a cluster that names no issuer.
fn authority(cluster: &Cluster) -> CertificateSpec {
    CertificateSpec {
        common_name: common_name(format!("{} {} ca", cluster.namespace, cluster.name)),
        dns_names: Vec::new(),
        is_ca: true,
        usages: vec!["cert sign", "crl sign"],
        duration: format!("{AUTHORITY_HOURS}h0m0s"),
        renew_before: None,
        private_key: private_key("Never"),
        issuer_ref: IssuerReference::issuer(cluster.self_signed_issuer()),
        ..skeleton(cluster.authority_name())
    }
}

fn leaf(cluster: &Cluster, settings: &CertManager, role: Role, secret_name: String) -> CertificateSpec {
    let Subject { common_name, names, usage } = Subject::of(cluster, role);
    let mut usages = vec!["digital signature", "key encipherment"];
    usages.extend_from_slice(match usage {
        Usage::Server => &["server auth"],
        Usage::Client => &["client auth"],
        Usage::Both => &["server auth", "client auth"],
    });
    // What a client is called is no host, and Go's readers, cert-manager among them, may refuse it as one.
    let dns_names = if usage == Usage::Client { Vec::new() } else { names };
    // Patroni reads one file with both.
    let combined = matches!(role, Role::InstanceSet).then_some(OutputFormat { type_: "CombinedPEM" });
    let schedule = settings.schedule;
    let hours = |days: u16| format!("{}h0m0s", u32::from(days) * 24);
    CertificateSpec {
        common_name,
        dns_names,
        usages,
        duration: hours(schedule.lifetime_days()),
        renew_before: Some(hours(schedule.lifetime_days() - schedule.window_days())),
        additional_output_formats: combined.into_iter().collect(),
        issuer_ref: settings.issuer.clone().unwrap_or_else(|| IssuerReference::issuer(cluster.authority_name())),
        ..skeleton(secret_name)
    }
}

/// What all certificates have alike.
fn skeleton(secret_name: String) -> CertificateSpec {
    CertificateSpec {
        secret_name,
        secret_template: SecretTemplate { annotations: None, labels: None },
        common_name: String::new(),
        dns_names: Vec::new(),
        is_ca: false,
        usages: Vec::new(),
        duration: String::new(),
        renew_before: None,
        private_key: private_key("Always"),
        additional_output_formats: Vec::new(),
        issuer_ref: IssuerReference::issuer(String::new()),
        revision_history_limit: 1,
    }
}

fn private_key(rotation_policy: &'static str) -> PrivateKey {
    PrivateKey { algorithm: "ECDSA", size: 256, encoding: "PKCS1", rotation_policy }
}
