//! The ServiceAccount of instance pods, and the one Role with their rights.

use crate::kubernetes::{PolicyRule, Role, RoleBinding, RoleRef, ServiceAccount, Subject};
use crate::naming::labels;
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::objects::access;
use crate::postgres_cluster::objects::metadata::object_meta;

/// The ServiceAccount of instance pods. A projected volume mounts its token into the two containers that need it. The other
/// containers do not get it.
pub(crate) fn service_account(cluster: &Cluster) -> ServiceAccount {
    access::service_account(cluster, cluster.instance_service_account(), &cluster.metadata, labels([]))
}

/// The rights that Patroni and the caretaker need in the API. Patroni stores the leader lock and the configuration in
/// Endpoints, and the role in the labels of pods (Patroni's `kubernetes.rst`, "Patroni Kubernetes RBAC"). The caretaker watches
/// the fingerprints, and annotates the pods of instances and the repo host when something has changed. It cannot do this for
/// pods of pgBouncer, whose names are not known: the right to patch any pod would be the right to run any image. These pods get
/// changes from the kubelet.
///
/// The right to patch its own pod is also the right to give it the labels of any other pod in the namespace. No Service of
/// pgrender sends connections to such a pod (`Cluster::postgres_container_port`), but Patroni of another cluster regards a pod
/// with its labels as a member. So clusters that must not trust each other need different namespaces, or at least different
/// trust domains.
pub(crate) fn role(cluster: &Cluster) -> Role {
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
    // RBAC cannot limit `list` and `watch` to names. It can limit `create` to names only for server-side apply, which has the
    // name in the path of the request. So the caretaker creates the objects that Patroni then patches
    // (`src/postgres_cluster/caretaker/endpoints.py`). Patroni needs `deletecollection` only for `patronictl remove`.
    let mut rules = vec![
        rule("endpoints", &["list", "watch"], Vec::new()),
        rule("endpoints", &["create", "get", "patch"], endpoints.to_vec()),
        rule("pods", &["list", "watch"], Vec::new()),
        rule("pods", &["get", "patch"], pods),
        rule("services", &["get"], vec![cluster.scope()]),
        rule("configmaps", &["list", "watch"], vec![cluster.fingerprints_config_map()]),
        // To find out whether Kubernetes creates EndpointSlices from Endpoints (`src/postgres_cluster/caretaker/slices.py`).
        slices(rule("endpointslices", &["list"], Vec::new())),
    ];
    if cluster.endpoint_slices {
        // A label of an EndpointSlice names its Service, and RBAC cannot check labels. So this is the right to add a pod to any
        // Service of the namespace.
        let names = vec![cluster.scope(), cluster.primary_service()];
        rules.push(slices(rule("endpointslices", &["create", "delete", "patch"], names)));
    }
    if cluster.openshift {
        // Without this right, OpenShift refuses Endpoints with the addresses of pods and Services (PGO's
        // `internal/patroni/rbac.go`).
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

/// The same rule, for EndpointSlices in their API group.
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

/// Binds the Role to the ServiceAccount of instance pods.
pub(crate) fn role_binding(cluster: &Cluster) -> RoleBinding {
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
