//! Checks `config.environmentVariables`. The API server refuses a pod with a variable that is not right, and Postgres does not start
//! (Kubernetes' `ValidateEnv`).

use std::collections::BTreeSet;

use super::exporters::is_secret;
use crate::diagnostic::FieldPath;
use crate::kubernetes::{EnvVar, EnvVarSource};
use crate::postgres_cluster::resolve::context::Context;

/// The variables that the container's script needs or sets.
const RESERVED: [&str; 2] = ["PATH", "PGPASSFILE"];

/// The fields of a pod that a variable can have, without labels and annotations (Kubernetes, "Downward API").
const POD_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

pub(super) fn check(variables: &[EnvVar], path: &FieldPath, context: &mut Context) {
    let mut names = BTreeSet::new();
    for (index, variable) in variables.iter().enumerate() {
        let path = path.index(index);
        let name = variable.name.as_str();
        let is_valid = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(letter));
        if !is_valid {
            context.error(path.key("name"), "is not the name of a variable: write letters, digits and `_`");
        } else if RESERVED.contains(&name) {
            let message = format!("`{name}` is a variable of the container's script: choose another name");
            context.error(path.key("name"), message);
        } else if !names.insert(name) {
            context.error(path.key("name"), format!("two variables have the name `{name}`: remove one of them"));
        }
        let has_value = variable.value.as_ref().is_some_and(|value| !value.is_empty());
        if has_value && variable.value_from.is_some() {
            context.error(path.key("valueFrom"), "the variable also has a `value`: write only one of them");
        } else if has_value && is_secret(name) {
            let message = "is written into the pods: put it into a Secret, and name that in `valueFrom.secretKeyRef`";
            context.warning(path.key("value"), message);
        }
        if let Some(source) = &variable.value_from {
            check_source(source, &path.key("valueFrom"), context);
        }
    }
}

fn check_source(source: &EnvVarSource, path: &FieldPath, context: &mut Context) {
    let secret = source.secret_key_ref.as_ref().map(|source| ("secretKeyRef", &source.name, &source.key));
    let config_map = source.config_map_key_ref.as_ref().map(|source| ("configMapKeyRef", &source.name, &source.key));
    let others = [source.field_ref.is_some(), source.resource_field_ref.is_some(), source.file_key_ref.is_some()];
    let count = usize::from(secret.is_some())
        + usize::from(config_map.is_some())
        + others.into_iter().filter(|is_there| *is_there).count();
    if count != 1 {
        let message =
            "a variable has one source: write `secretKeyRef`, `configMapKeyRef`, `fieldRef` or `resourceFieldRef`";
        context.error(path.clone(), message);
    }
    if source.file_key_ref.is_some() {
        let message = "the collector's container has no volume for it: write the variable into a Secret";
        context.error(path.key("fileKeyRef"), message);
    }
    for (field, name, key) in secret.into_iter().chain(config_map) {
        if name.is_empty() || key.is_empty() {
            context.error(path.key(field), "needs the `name` of an object and the `key` of a value in it");
        }
    }
    if let Some(field) = &source.field_ref {
        let known = &field.field_path;
        let is_subscript = ["metadata.labels['", "metadata.annotations['"].iter().any(|start| known.starts_with(start));
        let is_known = POD_FIELDS.contains(&known.as_str()) || (is_subscript && known.ends_with("']"));
        if !is_known {
            let message = "is not a field that a variable can have, such as `spec.nodeName`";
            context.error(path.key("fieldRef").key("fieldPath"), message);
        }
    }
}
