//! Issuers and Certificates of cert-manager (`cert-manager.io/v1`), if certificates are not derived from the seed.
//!
//! cert-manager makes a Secret for each Certificate, with the keys `tls.crt`, `tls.key` and `ca.crt`. For Patroni, it adds
//! `tls-combined.pem`; this feature is on by default since cert-manager 1.15. Pods mount the keys at PGO's paths.

use super::certificates::{CertificateMaker, CertificateSubject, PlannedCertificate};
use crate::identity::certificate::CertificateUsage;
use crate::kubernetes::cert_manager::{CertificateSpec, IssuerSpec, OutputFormat, PrivateKey, SecretTemplate};
use crate::kubernetes::custom_resource::CustomResource;
use crate::kubernetes::object::Objects;
use crate::naming::{Labels, common_name, labels};
use crate::options::IssuerReference;
use crate::postgres_cluster::cluster::{CertManager, Cluster, Metadata};
use crate::postgres_cluster::objects::metadata::{object_meta, pod_meta};

const API_VERSION: &str = "cert-manager.io/v1";

/// The lifetime of a cluster's own CA, in hours: ten years, as in PGO. cert-manager does not renew leaf certificates when their
/// CA changes (cert-manager#5851), so the CA must be valid for much longer than they are. It keeps its key when it is renewed.
const AUTHORITY_HOURS: u32 = 10 * 365 * 24;

/// Adds the issuers and the certificates.
pub(crate) fn add(objects: &mut Objects, cluster: &Cluster, settings: &CertManager) {
    objects.add_all(issuers(cluster, settings));
    objects.add_all(certificates(cluster, settings));
}

/// The Issuers of a cluster for which the user names no issuer: a self-signed one for the cluster's CA, and one that signs with
/// this CA.
fn issuers(cluster: &Cluster, settings: &CertManager) -> Vec<CustomResource<IssuerSpec>> {
    let issuer = |name: String, spec: IssuerSpec| CustomResource {
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

/// The Certificates of a cluster. The name of each is the name of its Secret. Certificates that the user provides are omitted.
fn certificates(cluster: &Cluster, settings: &CertManager) -> Vec<CustomResource<CertificateSpec>> {
    let mut certificates = Vec::new();
    if settings.issuer.is_none() {
        certificates.push(certificate(cluster, &cluster.metadata, labels([]), authority(cluster)));
    }
    let planned = cluster.certificates();
    let of_cert_manager: Vec<_> =
        planned.into_iter().filter(|planned| planned.maker == CertificateMaker::CertManager).collect();
    // Two planned certificates in the same Secret, those of Patroni and of pgBackRest in an instance set, have the same names
    // and usage. So they are one Certificate.
    for planned in of_cert_manager.chunk_by(|one, other| one.secret == other.secret) {
        let (metadata, labels) = cluster.metadata_of_certificate(&planned[0]);
        certificates.push(certificate(cluster, metadata, labels, leaf(cluster, settings, &planned[0])));
    }
    certificates
}

fn certificate(
    cluster: &Cluster,
    metadata: &Metadata,
    labels: Labels,
    mut spec: CertificateSpec,
) -> CustomResource<CertificateSpec> {
    // The Secret does not get the label of rendered objects: cert-manager makes it, so no tool must prune it.
    let secret = pod_meta(cluster, metadata, labels.clone());
    spec.secret_template = SecretTemplate { annotations: secret.annotations, labels: secret.labels };
    let metadata = object_meta(cluster, spec.secret_name.clone(), metadata, labels);
    CustomResource { api_version: API_VERSION, kind: "Certificate", metadata, spec }
}

/// The CA of a cluster for which the user names no issuer.
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

fn leaf(cluster: &Cluster, settings: &CertManager, planned: &PlannedCertificate) -> CertificateSpec {
    let CertificateSubject { common_name, names, usage } = CertificateSubject::of(cluster, planned.role);
    let mut usages = vec!["digital signature", "key encipherment"];
    usages.extend_from_slice(match usage {
        CertificateUsage::Server => &["server auth"],
        CertificateUsage::Client => &["client auth"],
        CertificateUsage::Both => &["server auth", "client auth"],
    });
    // The name of a client is not a host. Parsers in Go, including that of cert-manager, may refuse it as a DNS name.
    let dns_names = if usage == CertificateUsage::Client { Vec::new() } else { names };
    let combined = planned.keys.is_combined().then_some(OutputFormat { type_: "CombinedPEM" });
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
        ..skeleton(planned.secret.clone())
    }
}

/// The fields that all Certificates have in common.
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
