//! Limits how much is rendered in one run. The cost of a cluster does not depend on the length of its text: with a YAML merge
//! key, 40 bytes can define a cluster, and one number can request 256 instances. So the cost is added up before the work is
//! done, and too much is refused. Only the caller can raise the limit ([`Options::max_clusters`]), never the input.

use crate::cluster::{Cluster, Metadata};
use crate::diagnostic::Diagnostic;
use crate::existing::{Certificates, Existing};
use crate::identity::checked_rounds;
use crate::options::Options;
use crate::read::node::Node;

/// The maximum cost of an ordinary cluster: a few users, pgBouncer, backups and three instances. This cost and the following
/// ones are in microseconds, measured on one core of a machine from 2020.
const ORDINARY: usize = 6_000;
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
/// How many iterations of SCRAM one microsecond allows. They are needed to compare a verifier with its password.
const ROUNDS_IN_A_MICROSECOND: usize = 8;

/// The number of objects that have the labels and annotations of the whole cluster, without those of instances and users.
const COMMON_OBJECTS: usize = 40;
/// The number of objects of an instance set that have its labels and annotations, without the claims.
const SET_OBJECTS: usize = 6;

/// The cost of the work that is known so far.
pub(super) struct Work {
    clusters: usize,
    allowed: usize,
    /// In microseconds.
    done: usize,
}

/// The cost of a number of clusters, before anything else is known about them. An error if there are too many.
pub(super) fn of_clusters(clusters: usize, options: &Options) -> Result<Work, Diagnostic> {
    // Each other trust domain is trusted with three generations of its CA.
    let domains = options.trust_also.len().saturating_mul(3 * CERTIFICATE).saturating_mul(clusters);
    let work = Work { clusters, allowed: options.max_clusters, done: domains };
    if clusters > options.max_clusters {
        let message = format!("{clusters} clusters in one input: {}", work.advice(clusters));
        return Err(Diagnostic::error(message));
    }
    Ok(work)
}

impl Work {
    /// Adds the cost of `cluster`, which was read from `node`.
    pub(super) fn add(&mut self, cluster: &Cluster, node: &Node) {
        self.done = self.done.saturating_add(of_cluster(cluster, node));
    }

    /// Adds the cost of reading the existing Secrets of `cluster`, and of writing the CA certificates that they trust into each
    /// of its Secrets.
    pub(super) fn add_existing(&mut self, cluster: &Cluster, existing: &Existing) {
        self.add_read(existing.size, existing.certificates.values().map(Certificates::signatures).sum());
        let size: usize = existing.certificates.values().map(Certificates::size).sum();
        let copies = size.saturating_mul(cluster.derived_certificates().count());
        self.done = self.done.saturating_add(copies / 1024 * COPIED_KIBIBYTE);
        let held = existing.credentials.values();
        let rounds: usize = held.filter_map(|held| checked_rounds(held.verifier.as_ref()?)).sum();
        self.done = self.done.saturating_add(rounds / ROUNDS_IN_A_MICROSECOND);
    }

    /// Adds the cost of reading Secrets with certificates, whose total length is `size` bytes, and of verifying signatures.
    pub(super) fn add_read(&mut self, size: usize, signatures: usize) {
        let read = size.saturating_mul(READ_KIBIBYTE) / 1024;
        self.done = self.done.saturating_add(read).saturating_add(signatures.saturating_mul(SIGNATURE));
    }

    /// Gives an error if the cost is above the limit.
    pub(super) fn check(&self) -> Result<(), Diagnostic> {
        let ordinary = self.done.div_ceil(ORDINARY);
        if ordinary <= self.allowed {
            return Ok(());
        }
        let these =
            if self.clusters == 1 { "this cluster".to_owned() } else { format!("these {} clusters", self.clusters) };
        let message = format!(
            "rendering {these}, with all users, instances and labels, is as much work as rendering {ordinary} \
             ordinary clusters: {}",
            self.advice(ordinary)
        );
        Err(Diagnostic::error(message))
    }

    fn advice(&self, needed: usize) -> String {
        format!(
            "one run renders at most {}, so that no input can block a pipeline: render them in several runs, or, if \
             you trust the input, set the environment variable `PGRENDER_MAX_CLUSTERS` to {needed}",
            self.allowed
        )
    }
}

fn of_cluster(cluster: &Cluster, node: &Node) -> usize {
    let users = cluster.users.iter().filter(|user| !cluster.brings_credential(&user.name)).count();
    let passwords = users + usize::from(cluster.pgbouncer.is_some()) + usize::from(cluster.exporter);
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
        copied += (node.weight() + common) * (of_set + SET_OBJECTS);
    }
    let backups = cluster.backups.as_ref();
    let pods = 6
        + 2 * sets
        + backups.map_or(0, |backups| backups.repositories.iter().map(|repository| repository.schedules.len()).sum());
    copied += spec.map_or(0, Node::weight) * pods;
    let metadata = common
        + backups.map_or(0, |backups| weight(&backups.metadata))
        + cluster.pgbouncer.as_ref().map_or(0, |pgbouncer| weight(&pgbouncer.metadata));
    copied += metadata * (COMMON_OBJECTS + users);
    CLUSTER + PASSWORD * passwords + CERTIFICATE * certificates + CLAIM * claims + KIBIBYTE * (copied / 1024)
}

fn weight(metadata: &Metadata) -> usize {
    let entries = metadata.labels.iter().chain(&metadata.annotations);
    entries.map(|(key, value)| 2 * Node::OVERHEAD + key.len() + value.len()).sum()
}
