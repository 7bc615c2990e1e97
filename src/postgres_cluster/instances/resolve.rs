//! Resolves `spec.instances`.

use crate::diagnostic::FieldPath;
use crate::naming::{
    CONTAINER_CARETAKER, CONTAINER_COLLECTOR, CONTAINER_DATABASE, CONTAINER_EXPORTER, CONTAINER_PGBACKREST,
};
use crate::postgres_cluster::cluster::{InstanceSet, Metadata, Scheduling};
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::resolve::{claims, containers, metadata};
use crate::postgres_cluster::spec::{InstanceSetSpec, PostgresClusterSpec};

/// pgBackRest numbers the instances of a cluster from 1 to 256 (its option group `pg`).
const MAX_INSTANCES: i64 = 256;

/// Names of the init containers. A sidecar cannot have the same name.
const INIT_CONTAINERS: [&str; 2] = ["postgres-startup", "nss-wrapper-init"];

/// Resolves the instance sets and checks their names and numbers.
pub(crate) fn resolve(spec: &PostgresClusterSpec, metadata: &Metadata, context: &mut Context) -> Vec<InstanceSet> {
    let total: i64 = spec.instances.iter().map(|set| i64::from(set.replicas)).sum();
    if total > MAX_INSTANCES {
        let message = format!(
            "{total} instances are too many for pgBackRest: write at most {MAX_INSTANCES} in all instance sets together"
        );
        context.error(FieldPath::of("spec.instances"), message);
        return Vec::new();
    }
    let sets: Vec<_> = spec
        .instances
        .iter()
        .enumerate()
        .map(|(index, set)| instance_set(spec, set, index, metadata, context))
        .collect();
    for (index, set) in sets.iter().enumerate() {
        let path = FieldPath::of("spec.instances").index(index).key("name");
        if sets[..index].iter().any(|other| other.name == set.name) {
            let message = format!(
                "two instance sets have the name `{}`: rename one of them; the name of a set without a name is its \
                 number",
                set.name
            );
            context.error(path, message);
        } else if ["repo-host", "pgbackrest"].contains(&set.name.as_str()) {
            // The set's StatefulSet or ConfigMap would have the name of one of pgBackRest's.
            context.error(path, format!("`{}` is the name of objects of pgBackRest: choose another name", set.name));
        }
    }
    sets
}

fn instance_set(
    spec: &PostgresClusterSpec,
    set: &InstanceSetSpec,
    index: usize,
    metadata: &Metadata,
    context: &mut Context,
) -> InstanceSet {
    let path = FieldPath::of("spec.instances").index(index);
    let own = metadata::resolve(set.metadata.as_ref(), &path.key("metadata"), context);
    let replicas = u16::try_from(set.replicas).unwrap_or_default();
    let backups = spec.backups.as_ref().is_some_and(|backups| backups.pgbackrest.is_some());
    let mut ours = vec![CONTAINER_DATABASE, CONTAINER_CARETAKER];
    ours.extend(backups.then_some(CONTAINER_PGBACKREST));
    ours.extend(spec.exporter().map(|_| CONTAINER_EXPORTER));
    ours.extend(spec.instrumentation.as_ref().map(|_| CONTAINER_COLLECTOR));
    ours.extend(INIT_CONTAINERS);
    let sidecars = containers::sidecars(&set.containers, &ours, &path.key("containers"), context);
    let mut names = ours.clone();
    names.extend(set.containers.iter().map(|container| container.name.as_str()));
    let volumes = set.volumes.as_ref();
    let volumes_path = path.key("volumes");
    let temp = volumes.and_then(|volumes| volumes.temp.clone());
    if let Some(temp) = &temp {
        claims::check(temp, &volumes_path.key("temp"), context);
    }
    let caretaker = set.sidecars.as_ref().and_then(|sidecars| sidecars.replica_cert_copy.as_ref());
    let caretaker_path = path.key("sidecars").key("replicaCertCopy").key("resources");
    InstanceSet {
        name: if set.name.is_empty() { format!("{index:02}") } else { set.name.clone() },
        replicas,
        metadata: metadata.merged(Some(&own)),
        data_volume_claim_spec: claims::resolve(&set.data_volume_claim_spec, &path.key("dataVolumeClaimSpec"), context),
        wal_volume_claim_spec: set
            .wal_volume_claim_spec
            .as_ref()
            .map(|claim| claims::resolve(claim, &path.key("walVolumeClaimSpec"), context)),
        temp_volume_claim_spec: temp,
        additional_volumes: containers::additional_volumes(
            volumes.map(|volumes| &volumes.additional),
            &names,
            &volumes_path.key("additional"),
            context,
        ),
        resources: containers::resources(set.resources.as_ref(), &path.key("resources"), context),
        caretaker_resources: containers::resources(
            caretaker.and_then(|sidecar| sidecar.resources.as_ref()),
            &caretaker_path,
            context,
        ),
        containers: sidecars,
        scheduling: Scheduling {
            affinity: set.affinity.clone(),
            tolerations: set.tolerations.clone(),
            topology_spread_constraints: set.topology_spread_constraints.clone(),
            priority_class_name: set.priority_class_name.clone(),
        },
        min_available: containers::min_available(
            set.min_available.as_ref(),
            replicas,
            &path.key("minAvailable"),
            context,
        ),
    }
}
