//! The StatefulSet of an instance set (PGO's `internal/controller/postgrescluster/instance.go`).

use super::{containers, volumes};
use crate::kubernetes::{
    ObjectMeta, PodSpec, PodTemplateSpec, RollingUpdateStatefulSetStrategy, StatefulSet,
    StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec, StatefulSetUpdateStrategy,
};
use crate::naming::{CONTAINER_DATABASE, annotation, instance_set_labels, label, labels};
use crate::postgres_cluster::cluster::{Cluster, InstanceSet};
use crate::postgres_cluster::collector::container::Place;
use crate::postgres_cluster::instances::claims::{self, POSTGRES_DATA, POSTGRES_WAL};
use crate::postgres_cluster::objects::metadata::{annotated, object_meta, pod_meta, selector};
use crate::postgres_cluster::objects::pod::{
    POSTGRES_GROUP, add_additional_volumes, add_tmp, data_pods, pod_spec, topology_spread,
};
use crate::postgres_cluster::{collector, exporter, postgres};

/// One StatefulSet for all instances of a set. PGO has one StatefulSet for each instance, and deletes the pods in order itself.
/// Here Kubernetes does the rolling update: it begins with the highest ordinal, and waits until each pod is ready.
pub(crate) fn stateful_set(cluster: &Cluster, set: &InstanceSet) -> StatefulSet {
    let mut all = instance_set_labels(&set.name);
    all.insert(label::DATA.to_owned(), "postgres".to_owned());
    let mut templates = vec![claims::template(POSTGRES_DATA)];
    if set.wal_volume_claim_spec.is_some() {
        templates.push(claims::template(POSTGRES_WAL));
    }
    StatefulSet {
        metadata: object_meta(cluster, cluster.instance_set(set), &set.metadata, all),
        spec: Some(StatefulSetSpec {
            persistent_volume_claim_retention_policy: Some(StatefulSetPersistentVolumeClaimRetentionPolicy {
                when_deleted: Some("Retain".to_owned()),
                when_scaled: Some("Retain".to_owned()),
            }),
            // Replicas do not need to wait for each other. And with `OrderedReady`, a first pod that cannot start would block
            // the update that repairs it (kubernetes/kubernetes#67250).
            pod_management_policy: Some("Parallel".to_owned()),
            replicas: Some(if cluster.shutdown { 0 } else { set.replicas.into() }),
            revision_history_limit: Some(0),
            selector: selector(cluster, instance_set_labels(&set.name)),
            service_name: Some(cluster.pods_service()),
            template: PodTemplateSpec { metadata: Some(template_meta(cluster, set)), spec: Some(pod(cluster, set)) },
            update_strategy: Some(StatefulSetUpdateStrategy {
                rolling_update: Some(RollingUpdateStatefulSetStrategy { partition: Some(0), ..Default::default() }),
                type_: Some("RollingUpdate".to_owned()),
            }),
            volume_claim_templates: Some(templates),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

/// The metadata of the pods. In PGO they have the label `instance` too. A pod template has the same value for all ordinals, so
/// the caretaker adds that label.
fn labelled(cluster: &Cluster, set: &InstanceSet) -> ObjectMeta {
    let labels =
        labels([(label::INSTANCE_SET, &set.name), (label::DATA, "postgres"), (label::PATRONI, &cluster.scope())]);
    pod_meta(cluster, &set.metadata, labels)
}

fn template_meta(cluster: &Cluster, set: &InstanceSet) -> ObjectMeta {
    let mut meta = annotated(labelled(cluster, set), annotation::DEFAULT_CONTAINER, CONTAINER_DATABASE);
    if cluster.exporter.is_some() {
        meta.labels.get_or_insert_default().insert(label::EXPORTER.to_owned(), "true".to_owned());
    }
    collector::container::labelled(meta, cluster)
}

/// The collector reads the volumes that can have logs of Postgres, Patroni or pgBackRest.
fn collector_place<'a>(cluster: &Cluster, set: &InstanceSet) -> Place<'a> {
    let mut logs = vec![(POSTGRES_DATA, "/pgdata")];
    logs.extend(set.wal_volume_claim_spec.as_ref().map(|_| (POSTGRES_WAL, "/pgwal")));
    logs.extend(set.temp_volume_claim_spec.as_ref().map(|_| ("postgres-temp", "/pgtmp")));
    let log_directory = postgres::configuration::parameters(cluster).remove("log_directory").unwrap_or_default();
    logs.retain(|(volume, path)| *volume == POSTGRES_DATA || log_directory.starts_with(&format!("{path}/")));
    let queries = cluster.collector.iter().flat_map(|settings| collector::queries::files(cluster, settings)).collect();
    Place { config_map: cluster.instance_set_config_map(set), logs, state: POSTGRES_DATA, queries }
}

fn pod(cluster: &Cluster, set: &InstanceSet) -> PodSpec {
    let mut pod = PodSpec {
        containers: containers::containers(cluster, set),
        init_containers: Some(containers::init_containers(cluster, set)),
        service_account_name: Some(cluster.instance_service_account()),
        topology_spread_constraints: topology_spread(cluster, &set.scheduling, &data_pods(cluster)),
        volumes: Some(volumes::volumes(cluster, set, &labelled(cluster, set))),
        ..pod_spec(cluster, POSTGRES_GROUP, &set.scheduling)
    };
    add_tmp(&mut pod);
    if let Some(settings) = &cluster.exporter {
        exporter::container::add(&mut pod, cluster, settings);
    }
    if let Some(settings) = &cluster.collector {
        collector::container::add(&mut pod, cluster, settings, collector_place(cluster, set));
    }
    add_additional_volumes(&mut pod, &set.additional_volumes);
    pod
}
