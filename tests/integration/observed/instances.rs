//! The only difference of names: PGO creates a StatefulSet with random letters for each instance. pgrender creates one for each
//! set, and Kubernetes numbers its pods.

use serde_json::Value;

/// Names of PGO and pgrender's names for the same things. Longer names come first.
pub(crate) struct Names(Vec<(String, String)>);

impl Names {
    /// Reads the names from PGO's objects: every StatefulSet with the label `instance` is an instance.
    pub(crate) fn of(objects: &[Value]) -> Self {
        let label = |object: &Value, key: &str| {
            let label = &object["metadata"]["labels"][format!("postgres-operator.crunchydata.com/{key}")];
            label.as_str().map(str::to_owned)
        };
        let mut instances: Vec<(String, String)> = objects
            .iter()
            .filter(|object| object["kind"] == "StatefulSet")
            .filter_map(|object| {
                let set = format!("{}-{}", label(object, "cluster")?, label(object, "instance-set")?);
                Some((set, label(object, "instance")?))
            })
            .collect();
        instances.sort();
        let mut names = Vec::new();
        for (index, (set, theirs)) in instances.iter().enumerate() {
            let ordinal = instances[..index].iter().filter(|(other, _)| other == set).count();
            let ours = format!("{set}-{ordinal}");
            names.extend([
                (format!("{theirs}-pgdata"), format!("postgres-data-{ours}")),
                (format!("{theirs}-pgwal"), format!("postgres-wal-{ours}")),
                (format!("{theirs}-config"), format!("{set}-config")),
                (format!("{theirs}-certs"), format!("{set}-certs")),
                // The pod.
                (format!("{theirs}-0"), ours.clone()),
                (theirs.clone(), ours),
            ]);
        }
        Self(names)
    }

    /// Returns pgrender's name of a StatefulSet, Secret, ConfigMap or claim.
    pub(crate) fn object(&self, kind: &str, name: &str) -> String {
        let ours = self.text(name);
        match ours.rsplit_once('-') {
            // An instance is a StatefulSet in PGO and a pod in pgrender.
            Some((set, _)) if kind == "StatefulSet" && ours != name => set.to_owned(),
            _ => ours,
        }
    }

    /// Returns `text` with pgrender's names.
    pub(crate) fn text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
    }

    /// Replaces PGO's names in every text of `value`.
    pub(crate) fn replace(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(list) => list.iter_mut().for_each(|value| self.replace(value)),
            Value::Object(map) => map.values_mut().for_each(|value| self.replace(value)),
            _ => {}
        }
    }
}
