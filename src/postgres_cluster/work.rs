//! What the steps of one cluster cost, in microseconds, before they are done ([`crate::kind::Work`]). The costs were measured
//! on one core of a machine from 2020.

use crate::identity::checked_rounds;
use crate::options::Options;
use crate::postgres_cluster::cluster::{Cluster, Metadata};
use crate::postgres_cluster::restore::model::Source;
use crate::postgres_cluster::secrets::existing::{Certificates, Existing};
use crate::read::limits;
use crate::read::node::Node;

/// The cost of the two trust bundles of a cluster, and of the objects that each cluster has.
const CLUSTER: usize = 2_100;
/// The cost of a password: the iterations of SCRAM, and its Secret.
const PASSWORD: usize = 600;
/// The cost of a key and a signature.
const CERTIFICATE: usize = 250;
/// The cost of verifying a signature, for example that of a certificate that the user provides.
const SIGNATURE: usize = 250;
/// The cost of a claim of an instance, and of the texts that contain the instance's name.
const CLAIM: usize = 25;
/// The cost of copying one KiB from the spec into an object and writing it.
const KIBIBYTE: usize = 12;
/// The cost of copying one KiB of certificates from one Secret into another.
const COPIED_KIBIBYTE: usize = 20;
/// The maximum cost of reading one KiB of a Secret with certificates. Certificates with many names cost most.
const READ_KIBIBYTE: usize = 80;
/// The maximum cost of reading one KiB of a file of queries.
const QUERIES_KIBIBYTE: usize = 80;
/// How many iterations of SCRAM one microsecond allows. They are needed to compare a verifier with its password.
const ROUNDS_IN_A_MICROSECOND: usize = 8;

/// The bytes of a receiver of the collector, without the words of the spec.
const RECEIVER: usize = 512;

/// The number of objects that have the labels and annotations of the whole cluster, without those of instances and users.
const COMMON_OBJECTS: usize = 40;
/// The number of objects of an instance set that have its labels and annotations, without the claims.
const SET_OBJECTS: usize = 6;

/// The cost of trusting other trust domains, with three generations of the CA of each.
pub(crate) fn of_trust(options: &Options) -> usize {
    options.trust_also.len().saturating_mul(3 * CERTIFICATE)
}

/// The cost of reading the existing Secrets of `cluster`, and of writing the CA certificates that they trust into each of its
/// Secrets.
pub(crate) fn of_existing(cluster: &Cluster, existing: &Existing) -> usize {
    let read = of_reading(existing.size, existing.certificates.values().map(Certificates::signatures).sum());
    let size: usize = existing.certificates.values().map(Certificates::size).sum();
    let copies = size.saturating_mul(cluster.derived_certificates().count());
    let held = existing.credentials.values();
    let rounds: usize = held.filter_map(|held| checked_rounds(held.verifier.as_ref()?)).sum();
    [copies / 1024 * COPIED_KIBIBYTE, rounds / ROUNDS_IN_A_MICROSECOND].into_iter().fold(read, usize::saturating_add)
}

/// The cost of reading Secrets with certificates, whose total length is `size` bytes, and of verifying signatures.
pub(crate) fn of_reading(size: usize, signatures: usize) -> usize {
    (size.saturating_mul(READ_KIBIBYTE) / 1024).saturating_add(signatures.saturating_mul(SIGNATURE))
}

/// The cost of reading a file of queries, whose length is `size` bytes.
pub(crate) fn of_queries(size: usize) -> usize {
    size.div_ceil(1024).saturating_mul(QUERIES_KIBIBYTE)
}

/// The cost of `cluster`, which was read from `node`.
pub(crate) fn of_cluster(cluster: &Cluster, node: &Node) -> usize {
    let users = cluster.users.iter().filter(|user| !cluster.brings_credential(&user.name)).count();
    let passwords = users + usize::from(cluster.pgbouncer.is_some()) + usize::from(cluster.exporter.is_some());
    let sets = cluster.instance_sets.len();
    let certificates = cluster.derived_certificates().count();
    let spec = node.get("spec");
    let set_nodes = spec.and_then(|spec| spec.get("instances")).map(Node::items).unwrap_or_default();
    let common = weight(&cluster.metadata) + weight(&cluster.delivery);
    let mut claims = 0;
    let mut copied = 0;
    for (set, node) in cluster.instance_sets.iter().zip(set_nodes) {
        let of_set = usize::from(set.replicas) * (1 + usize::from(set.wal_volume_claim_spec.is_some()));
        claims += of_set;
        copied += (limits::weight(node) + common) * (of_set + SET_OBJECTS);
    }
    let backups = cluster.backups.as_ref();
    let pods = 6
        + usize::from(cluster.restore_drill.is_some())
        + 2 * sets
        + backups.map_or(0, |backups| backups.repositories.iter().map(|repository| repository.schedules.len()).sum());
    copied += spec.map_or(0, limits::weight) * pods;
    let receivers = cluster.collector.as_ref().map_or(0, |collector| collector.queries.databases().count());
    copied += receivers * sets * RECEIVER;
    let metadata = common
        + backups.map_or(0, |backups| weight(&backups.metadata))
        + cluster.pgbouncer.as_ref().map_or(0, |pgbouncer| weight(&pgbouncer.metadata));
    copied += metadata * (COMMON_OBJECTS + users);
    CLUSTER + PASSWORD * passwords + CERTIFICATE * certificates + CLAIM * claims + KIBIBYTE * (copied / 1024)
}

/// The cost of copying the files of another cluster's repository into each instance set of `cluster`.
pub(crate) fn of_data_source(cluster: &Cluster) -> usize {
    let Some(Source::Cluster { configuration, .. }) = cluster.data_source.as_ref().map(|source| &source.from) else {
        return 0;
    };
    let size = serde_json::to_string(configuration).map_or(0, |text| text.len());
    KIBIBYTE * (size * cluster.instance_sets.len() / 1024)
}

fn weight(metadata: &Metadata) -> usize {
    let entries = metadata.labels.iter().chain(&metadata.annotations);
    entries.map(|(key, value)| 2 * limits::OVERHEAD + key.len() + value.len()).sum()
}
