//! ServiceAccounts, and the one Role: what instance pods may ask of the API server.

use super::metadata::{Labels, labels, object_meta, pgbackrest_labels};
use crate::cluster::{Backups, Cluster, Metadata};
use crate::kubernetes::{PolicyRule, Role, RoleBinding, RoleRef, ServiceAccount, Subject};

/// The account of instance pods. Its token is mounted by a projected volume into the two containers that need it, not
/// into all of them.
pub(super) fn instance_service_account(cluster: &Cluster) -> ServiceAccount {
    service_account(cluster, cluster.instance_service_account(), &cluster.metadata, labels([]))
}

/// The account of backup pods: without rights, because they run pgBackRest themselves (PGO's exec into the repo host).
pub(super) fn pgbackrest_service_account(cluster: &Cluster, backups: &Backups) -> ServiceAccount {
    service_account(cluster, cluster.pgbackrest_name(), &backups.metadata, pgbackrest_labels())
}

/// The account of the repo host: without rights.
pub(super) fn repo_host_service_account(cluster: &Cluster, backups: &Backups) -> ServiceAccount {
    service_account(cluster, cluster.repo_host_service_account(), &backups.metadata, pgbackrest_labels())
}

fn service_account(cluster: &Cluster, name: String, metadata: &Metadata, labels: Labels) -> ServiceAccount {
    ServiceAccount {
        automount_service_account_token: Some(false),
        metadata: object_meta(cluster, name, metadata, labels),
        ..ServiceAccount::default()
    }
}

/// What Patroni and the caretaker do through the API: the leader lock and the configuration in Endpoints, roles in pod
/// labels (Patroni's `kubernetes.rst`, "Patroni Kubernetes RBAC"), and hearing of changed fingerprints, which the caretaker
/// passes on to the pods whose names are known. Those of pgBouncer hear of changes from the kubelet: the right to patch any
/// pod would be the right to run any image.
///
/// Patching its own pods is also the right to label them as pods of anybody else in the namespace. No Service of ours leads to
/// them for that (`Cluster::postgres_container_port`), but Patroni of another cluster takes a pod with its labels for a member:
/// clusters that must not trust each other need namespaces, or at least trust domains, of their own.
pub(super) fn instance_role(cluster: &Cluster) -> Role {
    let endpoints = [
        cluster.scope(),
        cluster.dcs_service(),
        format!("{}-failover", cluster.scope()),
        format!("{}-sync", cluster.scope()),
        cluster.primary_service(),
    ];
    let instances = cluster.instance_sets.iter().flat_map(|set| (0..set.replicas).map(|n| cluster.instance(set, n)));
    let repo_host = cluster.backups.as_ref().filter(|backups| backups.has_repo_host());
    let pods = instances.chain(repo_host.map(|_| cluster.repo_host_pod())).collect();
    // RBAC cannot narrow list and watch to names, and create only for server-side apply, which bears the name in its path: the
    // caretaker creates what Patroni then patches (`src/caretaker/endpoints.py`). Patroni's `deletecollection` is for
    // `patronictl remove` only.
    let mut rules = vec![
        rule("endpoints", &["list", "watch"], Vec::new()),
        rule("endpoints", &["create", "get", "patch"], endpoints.to_vec()),
        rule("pods", &["list", "watch"], Vec::new()),
        rule("pods", &["get", "patch"], pods),
        rule("services", &["get"], vec![cluster.scope()]),
        rule("configmaps", &["list", "watch"], vec![cluster.fingerprints_config_map()]),
        // Whether Kubernetes makes them of Endpoints (`src/caretaker/slices.py`).
        slices(rule("endpointslices", &["list"], Vec::new())),
    ];
    if cluster.endpoint_slices {
        // A label says which Service a slice is for, and RBAC knows no labels: this is the right to lead any Service of the
        // namespace to a pod.
        let names = vec![cluster.scope(), cluster.primary_service()];
        rules.push(slices(rule("endpointslices", &["create", "delete", "patch"], names)));
    }
    if cluster.openshift {
        // OpenShift refuses Endpoints with addresses of pods and Services without it (inventory 1.4).
        rules.push(rule("endpoints/restricted", &["create"], Vec::new()));
        if cluster.endpoint_slices {
            rules.push(slices(rule("endpointslices/restricted", &["create"], Vec::new())));
        }
    }
    Role {
        metadata: object_meta(cluster, cluster.instance_service_account(), &cluster.metadata, labels([])),
        rules: Some(rules),
    }
}

/// The same rule for the API of EndpointSlices.
fn slices(rule: PolicyRule) -> PolicyRule {
    PolicyRule { api_groups: Some(vec!["discovery.k8s.io".to_owned()]), ..rule }
}

fn rule(resource: &str, verbs: &[&str], names: Vec<String>) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec![String::new()]),
        resource_names: (!names.is_empty()).then_some(names),
        resources: Some(vec![resource.to_owned()]),
        verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        ..PolicyRule::default()
    }
}

/// Binds the Role to the account of instance pods.
pub(super) fn instance_role_binding(cluster: &Cluster) -> RoleBinding {
    let name = cluster.instance_service_account();
    RoleBinding {
        metadata: object_meta(cluster, name.clone(), &cluster.metadata, labels([])),
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "Role".to_owned(),
            name: name.clone(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name,
            namespace: Some(cluster.namespace.clone()),
            ..Subject::default()
        }]),
    }
}
