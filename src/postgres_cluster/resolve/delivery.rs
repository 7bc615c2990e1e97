//! Annotations and labels of the `PostgresCluster` itself that are meant for the tools that apply manifests. These tools never
//! read the `PostgresCluster`, because only the rendered objects are applied. So pgrender copies these annotations and labels
//! to every rendered object, but never to pods. The user gets a message about those that it does not copy.
//!
//! The meaning of each is in the documentation of the tool: Argo CD, "Annotations and Labels" and "Sync Options"; Flux, the
//! controls of a Kustomization ("Controlling the apply behavior of resources"); Helm, "Chart Hooks"; `kpt live`, cli-utils.

use super::context::Context;
use crate::diagnostic::FieldPath;
use crate::diagnostic::words;
use crate::naming::delivery;
use crate::postgres_cluster::cluster::Metadata;
use crate::postgres_cluster::spec::PostgresCluster;

/// The prefixes of all keys of these tools.
const DOMAINS: [&str; 5] = [
    "argocd.argoproj.io/",
    FLUX,
    "helm.toolkit.fluxcd.io/",
    "helm.sh/",
    // Helm uses it to find the release that an object belongs to.
    "meta.helm.sh/",
];

/// Flux reads its keys from labels too.
const FLUX: &str = "kustomize.toolkit.fluxcd.io/";

/// Keys that have the intended meaning on every single object.
const CARRIED: [&str; 13] = [
    "argocd.argoproj.io/compare-options",
    "argocd.argoproj.io/ignore-healthcheck",
    "argocd.argoproj.io/ignore-resource-updates",
    SYNC_WAVE,
    delivery::ARGO_CD_SYNC_OPTIONS,
    "kustomize.toolkit.fluxcd.io/reconcile",
    "kustomize.toolkit.fluxcd.io/ssa",
    delivery::FLUX_PRUNE,
    delivery::FLUX_SUBSTITUTE,
    // Argo CD reads it too.
    "helm.sh/resource-policy",
    "config.kubernetes.io/depends-on",
    "client.lifecycle.config.k8s.io/deletion",
    delivery::KPT_ON_REMOVE,
];

/// Keys that the tools wrote into an object that was read back from a cluster, or that a chart has to name itself.
const BOOKKEEPING: [&str; 11] = [
    "argocd.argoproj.io/installation-id",
    "argocd.argoproj.io/instance",
    "argocd.argoproj.io/tracking-id",
    "helm.sh/chart",
    "helm.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/namespace",
    "kustomize.toolkit.fluxcd.io/checksum",
    "kustomize.toolkit.fluxcd.io/name",
    "kustomize.toolkit.fluxcd.io/namespace",
    "meta.helm.sh/release-name",
    "meta.helm.sh/release-namespace",
];

/// Keys that would cause data loss if every object had them, and what to do instead.
const DANGEROUS: [(&str, &str); 7] = [
    ("argocd.argoproj.io/hook", HOOK),
    ("argocd.argoproj.io/hook-delete-policy", HOOK),
    ("helm.sh/hook", HOOK),
    ("helm.sh/hook-delete-policy", HOOK),
    ("helm.sh/hook-weight", HOOK),
    (
        "kapp.k14s.io/update-strategy",
        "is not copied to the rendered objects: kapp would delete and recreate objects that it cannot change, \
         including claims and their data; remove it",
    ),
    (
        "kustomize.toolkit.fluxcd.io/force",
        "is not copied to the rendered objects: Flux would delete and recreate objects that it cannot change, \
         including claims and their data; remove it",
    ),
];

const HOOK: &str = "is not copied to the rendered objects: a hook is deleted and recreated in each sync, together \
                    with its data; to order the objects, write `argocd.argoproj.io/sync-wave`";

/// Options with which Argo CD deletes an object and creates it again, or fails on every claim.
const DANGEROUS_OPTIONS: [&str; 2] = ["Force=true", "Replace=true"];

/// Keys that accept only certain values, in any case, and what to write. The first value is the default.
const VALUES: [(&str, &[&str], &str); 8] = [
    ("argocd.argoproj.io/ignore-healthcheck", &["false", "true"], "`\"true\"`"),
    ("kustomize.toolkit.fluxcd.io/reconcile", &["enabled", "disabled"], "`disabled`"),
    (
        "kustomize.toolkit.fluxcd.io/ssa",
        &["override", "merge", "ifnotpresent", "ignore"],
        "`Merge`, `IfNotPresent` or `Ignore`",
    ),
    (delivery::FLUX_PRUNE, &["enabled", "disabled"], "`disabled`"),
    (delivery::FLUX_SUBSTITUTE, &["enabled", "disabled"], "`disabled`"),
    ("helm.sh/resource-policy", &["", "keep"], "`keep`"),
    ("client.lifecycle.config.k8s.io/deletion", &["", "detach"], "`detach`"),
    (delivery::KPT_ON_REMOVE, &["delete", "keep"], "`keep`"),
];

/// The order in which Argo CD applies objects, an integer.
const SYNC_WAVE: &str = "argocd.argoproj.io/sync-wave";

/// Returns the annotations and labels that are copied from the metadata of `resource` to every object. Reports the others.
pub(crate) fn resolve(resource: &PostgresCluster, context: &mut Context) -> Metadata {
    let mut carried = Metadata::default();
    let path = FieldPath::of("metadata.annotations");
    for (key, value) in resource.metadata.annotations.iter().flatten() {
        let path = path.key(key);
        if key == delivery::ARGO_CD_SYNC_OPTIONS {
            carried.annotations.extend(sync_options(value, &path, context).map(|options| (key.clone(), options)));
        } else if CARRIED.contains(&key.as_str()) {
            tell_of_value(key, value, path, context);
            carried.annotations.insert(key.clone(), value.clone());
        } else {
            tell(key, path, context);
        }
    }
    let path = FieldPath::of("metadata.labels");
    for (key, value) in resource.metadata.labels.iter().flatten() {
        if key.starts_with(FLUX) && CARRIED.contains(&key.as_str()) {
            tell_of_value(key, value, path.key(key), context);
            carried.labels.insert(key.clone(), value.clone());
        } else {
            tell(key, path.key(key), context);
        }
    }
    carried
}

/// Removes keys that would cause data loss from the metadata that the spec has at `path`, and reports them. Also reports keys
/// that have no effect.
pub(crate) fn without_danger(metadata: &mut Metadata, path: &FieldPath, context: &mut Context) {
    for (field, entries) in [("annotations", &mut metadata.annotations), ("labels", &mut metadata.labels)] {
        let path = path.key(field);
        entries.retain(|key, value| {
            let what = dangerous(key);
            if let Some(what) = what {
                context.warning(path.key(key), what);
            } else if let Some(meant) = meant(key) {
                context
                    .warning(path.key(key), format!("unknown annotation, which no tool uses: did you mean `{meant}`?"));
            } else {
                tell_of_value(key, value, path.key(key), context);
            }
            what.is_none()
        });
    }
    let key = delivery::ARGO_CD_SYNC_OPTIONS;
    if let Some(value) = metadata.annotations.remove(key) {
        let options = sync_options(&value, &path.key("annotations").key(key), context);
        metadata.annotations.extend(options.map(|options| (key.to_owned(), options)));
    }
}

/// Returns the message for a key that would cause data loss.
fn dangerous(key: &str) -> Option<&'static str> {
    DANGEROUS.iter().find(|(dangerous, _)| *dangerous == key).map(|(_, what)| *what)
}

/// Returns the known key that is most similar to an unknown one. Only the part after the domain is compared.
fn meant(key: &str) -> Option<&'static str> {
    let domain = DOMAINS.iter().find(|domain| key.starts_with(**domain))?;
    let dangerous = DANGEROUS.iter().map(|(key, _)| key);
    let known = || CARRIED.iter().chain(&BOOKKEEPING).chain(dangerous.clone()).copied();
    if known().any(|known| known == key) {
        return None;
    }
    let name = words::nearest(&key[domain.len()..], CARRIED.iter().filter_map(|known| known.strip_prefix(domain)))?;
    CARRIED.iter().copied().find(|known| known.strip_prefix(domain) == Some(name))
}

/// Reports a warning for a value that the tool ignores.
fn tell_of_value(key: &str, value: &str, path: FieldPath, context: &mut Context) {
    if key == SYNC_WAVE {
        // Argo CD parses it with Go's `strconv.Atoi` and ignores an error.
        if value.parse::<i64>().is_err() {
            let message = format!(
                "{} is not a whole number, so Argo CD uses `0`: write a whole number in quotes, such as `\"-1\"`",
                words::quote(value)
            );
            context.warning(path, message);
        }
    } else if let Some((_, known, instead)) = VALUES.iter().find(|(with_values, ..)| *with_values == key)
        && !known.iter().any(|known| known.eq_ignore_ascii_case(value))
    {
        context.warning(path, format!("{} has no effect: write {instead}, or remove it", words::quote(value)));
    }
}

/// Returns the options that are safe on every object, or `None` if there are none.
fn sync_options(value: &str, path: &FieldPath, context: &mut Context) -> Option<String> {
    let (refused, good): (Vec<&str>, Vec<&str>) =
        delivery::options(value).partition(|option| DANGEROUS_OPTIONS.contains(option));
    if !refused.is_empty() {
        let message = format!(
            "`{}` is not copied to the rendered objects: Argo CD would delete and recreate objects that it cannot \
             change, including claims and their data; remove it",
            refused.join(",")
        );
        context.warning(path.clone(), message);
    }
    (!good.is_empty()).then(|| good.join(","))
}

/// Reports a key that a tool would have read on the `PostgresCluster`, but that is not copied.
fn tell(key: &str, path: FieldPath, context: &mut Context) {
    if let Some(what) = dangerous(key) {
        context.warning(path, what);
    } else if let Some(meant) = meant(key) {
        context.warning(path, format!("unknown annotation, which no tool uses: did you mean `{meant}`?"));
    } else if DOMAINS.iter().any(|domain| key.starts_with(domain)) && !BOOKKEEPING.contains(&key) {
        let message = "has no effect here, because the tool that applies the manifests does not see this object: \
                       remove it, or write it below `spec.metadata.annotations`, which pgrender copies to every \
                       object and pod";
        context.warning(path, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_that_is_known_has_one_fate() {
        let dangerous = DANGEROUS.map(|(key, _)| key);
        let mut all: Vec<&str> = CARRIED.iter().chain(&BOOKKEEPING).chain(&dangerous).copied().collect();
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
