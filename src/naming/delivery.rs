//! Annotations of the tools that apply manifests.

/// A comma-separated list of options of Argo CD for one object.
pub const ARGO_CD_SYNC_OPTIONS: &str = "argocd.argoproj.io/sync-options";
/// Whether Flux deletes an object that is no longer rendered.
pub const FLUX_PRUNE: &str = "kustomize.toolkit.fluxcd.io/prune";
/// Whether Flux replaces variables in an object.
pub const FLUX_SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";
/// The value with which Flux turns off a feature for an object.
pub const DISABLED: &str = "disabled";
/// What `kpt live` does with an object that is no longer rendered.
pub const KPT_ON_REMOVE: &str = "cli-utils.sigs.k8s.io/on-remove";

/// The options in Argo CD's list, without surrounding spaces.
pub fn options(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|option| !option.is_empty())
}

/// The name of an option of Argo CD, for example `Prune` for `Prune=false`.
pub fn option_name(option: &str) -> &str {
    option.split_once('=').map_or(option, |(name, _)| name)
}
