//! The parts of a pod that all workloads have in common.

use super::metadata::selector_labels;
use super::volumes::temporary;
use crate::kubernetes::{
    Capabilities, Container, EnvVar, ImageVolumeSource, LabelSelector, LabelSelectorRequirement,
    PersistentVolumeClaimVolumeSource, PodSecurityContext, PodSpec, ResourceRequirements, SeccompProfile,
    SecurityContext, TopologySpreadConstraint, Volume, VolumeMount,
};
use crate::naming::Labels;
use crate::postgres_cluster::cluster::{Cluster, Scheduling};
use crate::postgres_cluster::scripts;
use crate::postgres_cluster::spec::AdditionalVolume;

/// The `fsGroup` for the Postgres and pgBackRest images: the group `postgres` of their operating system (PGO's
/// `internal/postgres/reconcile.go`).
pub(crate) const POSTGRES_GROUP: i64 = 26;
/// The `fsGroup` for the pgBouncer image, as in PGO.
pub(crate) const PGBOUNCER_GROUP: i64 = 2;

/// How long a pod may take to stop, in seconds.
pub(crate) const TERMINATION_GRACE_PERIOD_SECONDS: i64 = 60;

/// A container of pgrender. It meets the Pod Security Standard *restricted* and has a read-only root file system.
pub(crate) fn container(cluster: &Cluster, name: &str, image: &str) -> Container {
    Container {
        name: name.to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: Some(image_pull_policy(cluster, image)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), ..Capabilities::default() }),
            privileged: Some(false),
            read_only_root_filesystem: Some(true),
            run_as_non_root: Some(true),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), ..SeccompProfile::default() }),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

/// `spec.imagePullPolicy`, or the default of the API server, which depends on the tag (Kubernetes' `SetDefaults_Container`).
fn image_pull_policy(cluster: &Cluster, image: &str) -> String {
    if let Some(policy) = &cluster.image_pull_policy {
        return policy.clone();
    }
    let last = image.rsplit('/').next().unwrap_or_default();
    let floating = !image.contains('@') && last.split_once(':').is_none_or(|(_, tag)| tag == "latest");
    if floating { "Always" } else { "IfNotPresent" }.to_owned()
}

/// A command as a list of strings.
pub(crate) fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// `command`, preceded by a shell that creates the log directory `directory`, if there is one. The command runs even if the
/// directory cannot be created, because a process without a log is better than no process.
pub(crate) fn with_log_directory(directory: Option<&str>, command: Vec<String>) -> Vec<String> {
    let Some(directory) = directory else { return command };
    let directory = scripts::literal(directory);
    let shell = ["sh", "-c", "--", r#"mkdir -p "$1"; shift; exec "$@""#, "--", &directory];
    shell.map(str::to_owned).into_iter().chain(command).collect()
}

/// An environment variable with a fixed value.
pub(crate) fn variable(name: &str, value: impl Into<String>) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value.into()), ..EnvVar::default() }
}

/// A mount for reading and writing.
pub(crate) fn mount(volume: &str, path: &str) -> VolumeMount {
    VolumeMount { name: volume.to_owned(), mount_path: path.to_owned(), ..VolumeMount::default() }
}

/// A read-only mount.
pub(crate) fn mount_read_only(volume: &str, path: &str) -> VolumeMount {
    VolumeMount { read_only: Some(true), ..mount(volume, path) }
}

/// A pod without containers and volumes. It has no token and no service links. Its containers share one process namespace, so
/// that a sidecar can send signals to the main process.
pub(crate) fn pod_spec(cluster: &Cluster, group: i64, scheduling: &Scheduling) -> PodSpec {
    let secrets = &cluster.image_pull_secrets;
    PodSpec {
        affinity: scheduling.affinity.clone(),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        image_pull_secrets: (!secrets.is_empty()).then(|| secrets.clone()),
        priority_class_name: scheduling.priority_class_name.clone(),
        restart_policy: Some("Always".to_owned()),
        security_context: Some(PodSecurityContext {
            // OpenShift chooses the group itself, and refuses other values (Red Hat, "Managing security context constraints").
            fs_group: (!cluster.openshift).then_some(group),
            fs_group_change_policy: Some("OnRootMismatch".to_owned()),
            supplemental_groups: (!cluster.supplemental_groups.is_empty()).then(|| cluster.supplemental_groups.clone()),
            ..PodSecurityContext::default()
        }),
        share_process_namespace: Some(true),
        termination_grace_period_seconds: Some(TERMINATION_GRACE_PERIOD_SECONDS),
        tolerations: (!scheduling.tolerations.is_empty()).then(|| scheduling.tolerations.clone()),
        ..PodSpec::default()
    }
}

/// The user's topology spread constraints, followed by PGO's two defaults for the pods that `spread` selects: one over nodes,
/// one over zones (PGO's `internal/controller/postgrescluster/topology.go`).
pub(crate) fn topology_spread(
    cluster: &Cluster,
    scheduling: &Scheduling,
    spread: &LabelSelector,
) -> Option<Vec<TopologySpreadConstraint>> {
    let mut constraints = scheduling.topology_spread_constraints.clone();
    if cluster.default_pod_scheduling {
        let keys = ["kubernetes.io/hostname", "topology.kubernetes.io/zone"];
        constraints.extend(keys.map(|key| TopologySpreadConstraint {
            label_selector: Some(spread.clone()),
            max_skew: 1,
            topology_key: key.to_owned(),
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            ..TopologySpreadConstraint::default()
        }));
    }
    (!constraints.is_empty()).then_some(constraints)
}

/// Selects the pods that store data: instances and the repo host.
pub(crate) fn data_pods(cluster: &Cluster) -> LabelSelector {
    LabelSelector {
        match_expressions: Some(vec![LabelSelectorRequirement {
            key: crate::naming::label::DATA.to_owned(),
            operator: "In".to_owned(),
            values: Some(vec!["postgres".to_owned(), "pgbackrest".to_owned()]),
        }]),
        match_labels: Some(selector_labels(cluster, Labels::new())),
    }
}

/// The variables that make nss_wrapper replace the passwd and group files.
const NSS_WRAPPER: [(&str, &str); 3] = [
    ("LD_PRELOAD", "/usr/lib64/libnss_wrapper.so"),
    ("NSS_WRAPPER_PASSWD", "/tmp/nss_wrapper/postgres/passwd"),
    ("NSS_WRAPPER_GROUP", "/tmp/nss_wrapper/postgres/group"),
];

/// The variables with which a process has the user name `postgres` for any UID. Peer authentication and `initdb` need it.
pub(crate) fn nss_wrapper_env() -> Vec<EnvVar> {
    NSS_WRAPPER.iter().map(|(name, value)| variable(name, *value)).collect()
}

/// The init container that writes the passwd and group files of nss_wrapper.
pub(crate) fn nss_wrapper_init(cluster: &Cluster, image: &str, resources: Option<&ResourceRequirements>) -> Container {
    Container {
        command: Some(scripts::nss_wrapper()),
        resources: resources.cloned(),
        ..container(cluster, "nss-wrapper-init", image)
    }
}

/// Adds a small `/tmp` to every container, because the root file system is read-only.
pub(crate) fn add_tmp(pod: &mut PodSpec) {
    pod.volumes.get_or_insert_default().push(temporary("tmp", "16Mi"));
    for container in all_containers(pod) {
        container.volume_mounts.get_or_insert_default().push(mount("tmp", "/tmp"));
    }
}

/// Mounts the user's additional volumes at `/volumes/<name>`: in all containers, or in those that the field `containers` of the
/// volume names. An empty list mounts the volume in no container, as in PGO.
pub(crate) fn add_additional_volumes(pod: &mut PodSpec, additional: &[AdditionalVolume]) {
    for volume in additional {
        let name = format!("volumes-{}", volume.name);
        // An image volume is always read-only.
        let read_only = (volume.image.is_some() || volume.read_only == Some(true)).then_some(true);
        for container in all_containers(pod) {
            if volume.containers.as_ref().is_none_or(|names| names.contains(&container.name)) {
                let mount = mount(&name, &format!("/volumes/{}", volume.name));
                container.volume_mounts.get_or_insert_default().push(VolumeMount { read_only, ..mount });
            }
        }
        let claim =
            volume.claim_name.clone().map(|claim_name| PersistentVolumeClaimVolumeSource { claim_name, read_only });
        pod.volumes.get_or_insert_default().push(Volume {
            name,
            image: volume.image.as_ref().map(|image| ImageVolumeSource {
                pull_policy: image.pull_policy.clone(),
                reference: Some(image.reference.clone()),
            }),
            persistent_volume_claim: claim,
            ..Volume::default()
        });
    }
}

fn all_containers(pod: &mut PodSpec) -> impl Iterator<Item = &mut Container> {
    pod.init_containers.iter_mut().flatten().chain(&mut pod.containers)
}
