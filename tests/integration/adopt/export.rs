//! What `kubectl get` prints for a cluster that PGO runs: two instance sets, a volume for the WAL, and a repository.

use serde_json::{Value, json};

const PREFIX: &str = "postgres-operator.crunchydata.com/";

/// The objects of an export.
pub(super) struct Export {
    items: Vec<Value>,
    /// Whether an error may have no position, because it is about the whole input or the command line.
    pub(super) is_vague: bool,
}

impl Export {
    /// A cluster `hippo` in the namespace `shop`, which `hippo-fast-sfvz` leads.
    pub(super) fn new() -> Self {
        let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
        let cluster = json!({
            "apiVersion": format!("{PREFIX}v1beta1"),
            "kind": "PostgresCluster",
            "metadata": {
                "annotations": {},
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "finalizers": [format!("{PREFIX}finalizer")],
                "generation": 1,
                "name": "hippo",
                "namespace": "shop",
                "uid": "0",
            },
            "spec": {
                "postgresVersion": 17,
                "instances": [
                    {"name": "fast", "replicas": 2, "dataVolumeClaimSpec": claim, "walVolumeClaimSpec": claim},
                    {"name": "00", "dataVolumeClaimSpec": claim},
                ],
                "backups": {"pgbackrest": {"repos": [{"name": "repo1", "volume": {"volumeClaimSpec": claim}}]}},
            },
            "status": {"patroni": {"systemIdentifier": "1"}, "observedGeneration": 1},
        });
        let mut export = Self { items: vec![cluster], is_vague: false };
        for (set, suffix, roles) in [
            ("fast", "b9tc", ["pgdata", "pgwal"].as_slice()),
            ("fast", "sfvz", &["pgdata", "pgwal"]),
            ("00", "x6wn", &["pgdata"]),
        ] {
            let instance = format!("hippo-{set}-{suffix}");
            for role in roles {
                let labels = [("instance-set", set), ("instance", &instance), ("role", role), ("data", "postgres")];
                export.add_claim(&format!("{instance}-{role}"), &format!("volume-{set}-{suffix}-{role}"), &labels);
            }
        }
        let labels =
            [("pgbackrest", ""), ("pgbackrest-repo", "repo1"), ("pgbackrest-volume", ""), ("data", "pgbackrest")];
        export.add_claim("hippo-repo1", "volume-repo1", &labels);
        export.items.push(json!({
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"name": "hippo-ha", "namespace": "shop", "annotations": {"leader": "hippo-fast-sfvz-0"}},
        }));
        export
    }

    /// Adds a claim and the volume that it is bound to.
    pub(super) fn add_claim(&mut self, name: &str, volume: &str, labels: &[(&str, &str)]) {
        let labels = labels.iter().chain(&[("cluster", "hippo")]);
        let labels: serde_json::Map<String, Value> =
            labels.map(|(key, value)| (format!("{PREFIX}{key}"), Value::from(*value))).collect();
        let uid = format!("uid-of-{name}");
        self.items.push(json!({
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": "shop", "labels": labels, "uid": uid},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
                "storageClassName": "standard",
                "volumeMode": "Filesystem",
                "volumeName": volume,
            },
            "status": {"phase": "Bound"},
        }));
        self.items.push(json!({
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": volume},
            "spec": {
                "capacity": {"storage": "1Gi"},
                "claimRef": {"kind": "PersistentVolumeClaim", "name": name, "namespace": "shop", "uid": uid},
                "persistentVolumeReclaimPolicy": "Delete",
            },
            "status": {"phase": "Bound"},
        }));
    }

    pub(super) fn add_pod(&mut self, instance: &str, role: &str) {
        let labels = json!({
            (format!("{PREFIX}cluster")): "hippo",
            (format!("{PREFIX}instance")): instance,
            (format!("{PREFIX}patroni")): "hippo-ha",
            (format!("{PREFIX}role")): role,
        });
        let metadata = json!({"name": format!("{instance}-0"), "namespace": "shop", "labels": labels});
        self.items.push(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata}));
    }

    pub(super) fn add_secret(&mut self, name: &str, password: &str) {
        let metadata = json!({"name": name, "namespace": "shop"});
        self.items
            .push(json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"password": password}}));
    }

    /// Adds an object.
    pub(super) fn add(&mut self, item: Value) {
        self.items.push(item);
    }

    /// The object of this kind and name.
    pub(super) fn find(&mut self, kind: &str, name: &str) -> &mut Value {
        let is_it = |item: &&mut Value| item["kind"] == kind && item["metadata"]["name"] == name;
        self.items.iter_mut().find(is_it).unwrap_or_else(|| panic!("no {kind} {name}"))
    }

    pub(super) fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.items.iter().filter(|item| item["kind"] == kind).collect()
    }

    pub(super) fn remove(&mut self, kind: &str, name: &str) {
        let before = self.items.len();
        self.items.retain(|item| item["kind"] != kind || item["metadata"]["name"] != name);
        assert!(self.items.len() < before, "no {kind} {name}");
    }

    /// Gives a claim another name, also in its volume.
    pub(super) fn rename_claim(&mut self, old: &str, new: &str) {
        self.find("PersistentVolumeClaim", old)["metadata"]["name"] = new.into();
        let volumes = self.items.iter_mut().filter(|item| item["spec"]["claimRef"]["name"] == old);
        volumes.for_each(|volume| volume["spec"]["claimRef"]["name"] = new.into());
    }

    /// The export as text.
    pub(super) fn text(&self) -> String {
        self.items.iter().map(|item| format!("{item:#}\n")).collect::<Vec<_>>().join("---\n")
    }

    /// The export as `kubectl get -o json` prints it.
    pub(super) fn list(&self) -> String {
        json!({"apiVersion": "v1", "kind": "List", "items": self.items}).to_string()
    }
}
