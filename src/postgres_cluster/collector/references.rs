//! Checks the keys that the collector's variables and files refer to, in the ConfigMaps and Secrets that are in the input. They are
//! optional for the pods, so nothing else says that one is missing.

use crate::diagnostic::{Diagnostic, FieldPath, words};
use crate::kubernetes::projected::{ProjectedSource, sources};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::exporter::mounted::Sources;

/// Returns an error for each key that does not exist, with the field that names it.
pub(crate) fn check(cluster: &Cluster, input: &Sources) -> Vec<Diagnostic> {
    let Some(collector) = &cluster.collector else { return Vec::new() };
    let path = FieldPath::of("spec.instrumentation.config");
    let mut found = Vec::new();
    let mut expect = |kind: &str, name: &str, key: &str, field: FieldPath| {
        if input.lacks(kind, name, &cluster.namespace, key) {
            let message = format!(
                "the {kind} {} in the input has no key {}: correct one of them",
                words::quote(name),
                words::quote(key)
            );
            found.push(Diagnostic::error(message).at(field.key("key")));
        }
    };
    for (index, variable) in collector.environment.iter().enumerate() {
        let path = path.key("environmentVariables").index(index).key("valueFrom");
        let source = variable.value_from.as_ref();
        if let Some(secret) = source.and_then(|source| source.secret_key_ref.as_ref()) {
            expect("Secret", &secret.name, &secret.key, path.key("secretKeyRef"));
        }
        if let Some(config_map) = source.and_then(|source| source.config_map_key_ref.as_ref()) {
            expect("ConfigMap", &config_map.name, &config_map.key, path.key("configMapKeyRef"));
        }
    }
    for (index, source) in collector.files.iter().enumerate() {
        let path = path.key("files").index(index);
        for ProjectedSource { kind, field, name, items } in sources(source) {
            for (index, item) in items.iter().enumerate() {
                expect(kind, name, &item.key, path.key(field).key("items").index(index));
            }
        }
    }
    found
}
