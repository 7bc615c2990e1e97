//! Checks a standby cluster against the cluster that it follows, if both are in the input.

use crate::diagnostic::{Diagnostic, FieldPath, ResourceRef};
use crate::naming::annotation;
use crate::postgres_cluster::cluster::Cluster;

/// What this check needs to know about one cluster.
pub struct Party {
    namespace: String,
    /// The DNS names of the Services that lead to its instances, each in four forms. The last form does not contain the
    /// namespace.
    services: Vec<[String; 4]>,
    /// The parent domains of the DNS names of its pods.
    pods: [String; 4],
    follows: Option<String>,
    /// Whether `follows` is from `spec.standby`, and not from Patroni's dynamic configuration.
    by_spec: bool,
    /// Whether the user provides the certificate that the cluster shows as a client.
    brings: bool,
    lets_in: bool,
}

impl Party {
    /// Takes these facts from a resolved cluster.
    pub fn of(cluster: &Cluster) -> Self {
        let services = [cluster.primary_service(), cluster.scope(), cluster.replicas_service()];
        Self {
            namespace: cluster.namespace.clone(),
            services: services.map(|service| cluster.service_names(&service)).to_vec(),
            pods: cluster.service_names(&cluster.pods_service()),
            follows: cluster.streams_from().map(str::to_owned),
            by_spec: cluster.standby.as_ref().is_some_and(|standby| standby.host.is_some()),
            brings: cluster.custom_replication_tls_secret.is_some(),
            lets_in: cluster.accepts_shared_replication_name(),
        }
    }

    /// Whether `host`, in a setting of a cluster in `namespace`, is a DNS name of this cluster.
    fn is_called(&self, host: &str, namespace: &str) -> bool {
        let host = host.trim().trim_end_matches('.').to_ascii_lowercase();
        let among = |names: &[String; 4], host: &str| {
            let [longer @ .., short] = names;
            longer.iter().any(|name| name == host) || (short == host && namespace == self.namespace)
        };
        let of_pod = host.split_once('.').is_some_and(|(_, rest)| among(&self.pods, rest));
        of_pod || self.services.iter().any(|names| among(names, &host))
    }

    /// An error if the cluster follows itself.
    pub fn follows_itself(&self) -> Option<(FieldPath, String)> {
        let host = self.hosts().into_iter().find(|host| self.is_called(host, &self.namespace))?;
        let message = format!(
            "`{host}` is this cluster itself: write the name of a Service of the cluster that it follows, for example \
             `<cluster>-primary.<namespace>.svc`"
        );
        Some((self.place(), message))
    }

    /// The hosts that the cluster streams from.
    fn hosts(&self) -> Vec<&str> {
        self.follows.as_deref().map(|hosts| hosts.split(',').collect()).unwrap_or_default()
    }

    /// The field with these hosts.
    fn place(&self) -> FieldPath {
        let place = if self.by_spec { "spec.standby" } else { "spec.patroni.dynamicConfiguration.standby_cluster" };
        FieldPath::of(place).key("host")
    }

    /// A warning if this cluster follows one of `others` that does not accept standby clusters. If none of `others` is its
    /// source, an information about what the source needs.
    fn note<'a>(&self, others: impl Iterator<Item = (&'a ResourceRef, &'a Self)>) -> Option<Diagnostic> {
        let hosts = self.hosts();
        if hosts.is_empty() {
            return None;
        }
        let mut sources = others.filter(|(_, other)| hosts.iter().any(|host| other.is_called(host, &self.namespace)));
        let annotation = annotation::ACCEPT_STANDBY;
        let note = match sources.next() {
            Some((_, first)) if first.lets_in => return None,
            Some((source, _)) => Diagnostic::warning(format!(
                "`{source}` does not accept standby clusters, so this cluster cannot replicate from it: annotate it \
                 with `{annotation}: \"true\"`"
            )),
            None if self.brings => return None,
            None => Diagnostic::info(format!(
                "the cluster at this host must accept this standby: if pgrender renders that cluster, annotate it \
                 with `{annotation}: \"true\"`"
            )),
        };
        Some(note.at(self.place()))
    }
}

/// The message about each of the clusters of an input, if there is one. A cluster that has an error has no party.
pub fn notes(parties: &[(&ResourceRef, Option<Party>)]) -> Vec<Option<Diagnostic>> {
    let known = || parties.iter().filter_map(|(resource, party)| Some((*resource, party.as_ref()?)));
    let note = |(resource, party): &(&ResourceRef, Option<Party>)| {
        party.as_ref()?.note(known().filter(|(other, _)| other != resource))
    };
    parties.iter().map(note).collect()
}
