//! Resolves `spec.standby`.

use super::host;
use crate::diagnostic::FieldPath;
use crate::postgres_cluster::cluster::Standby;
use crate::postgres_cluster::patroni::setting::is_on;
use crate::postgres_cluster::pgbackrest::resolve::{repository_index, unknown_repository};
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::spec::{PostgresClusterSpec, RepositorySpec};

/// Resolves `spec.standby`; `None` if it is not enabled.
pub(crate) fn resolve(spec: &PostgresClusterSpec, cluster: &str, context: &mut Context) -> Option<Standby> {
    let standby = spec.standby.as_ref().filter(|standby| standby.enabled)?;
    let path = FieldPath::of("spec.standby");
    if standby.host.is_none() && standby.repo_name.is_none() {
        context.error(path.clone(), "a standby needs a source to replicate from: add `host`, `repoName` or both");
    }
    if let Some(host) = &standby.host {
        context.check(&path.key("host"), host::check(host));
    }
    if standby.port.is_some() && standby.host.is_none() {
        context.error(path.key("port"), "is the port of `host`, which is missing: add `host`, or remove it");
    }
    synchronous(spec, context);
    let pgbackrest = spec.backups.as_ref().and_then(|backups| backups.pgbackrest.as_ref());
    if let Some(name) = &standby.repo_name {
        match pgbackrest {
            None => context.error(path.key("repoName"), "there are no repositories: add `spec.backups.pgbackrest`"),
            Some(pgbackrest) if !pgbackrest.repos.iter().any(|repository| &repository.name == name) => {
                context.error(path.key("repoName"), unknown_repository(name, pgbackrest));
            }
            Some(pgbackrest) => {
                let repository = pgbackrest.repos.iter().find(|repository| &repository.name == name);
                if repository.is_some_and(is_on_new_volume) {
                    let message = format!(
                        "the volume of this repository is new and empty, unless the claim `{cluster}-{name}` already \
                         exists, so the standby has no backup to start from: write the name of the volume with the \
                         backups in `volumeName` of its claim, or use a repository in `s3`, `gcs` or `azure`"
                    );
                    context.warning(path.key("repoName"), message);
                }
            }
        }
    }
    Some(Standby {
        host: standby.host.clone(),
        port: standby.port.map(|port| context.port(port, "spec.standby.port")),
        repository: standby.repo_name.as_deref().and_then(repository_index),
    })
}

/// Says when settings for synchronous replication act: in a standby cluster, Patroni ignores them.
fn synchronous(spec: &PostgresClusterSpec, context: &mut Context) {
    let dynamic = spec.patroni.as_ref().map(|patroni| &patroni.dynamic_configuration);
    if dynamic.is_some_and(|settings| is_on(settings.get("synchronous_mode"))) {
        let path = FieldPath::of("spec.patroni.dynamicConfiguration").key("synchronous_mode");
        context.info(path, "has no effect until this standby cluster is promoted");
    }
}

/// Whether a repository is on a volume that is created for it.
fn is_on_new_volume(repository: &RepositorySpec) -> bool {
    repository.volume.as_ref().map(|volume| &volume.volume_claim_spec).is_some_and(|claim| {
        claim.volume_name.is_none()
            && claim.selector.is_none()
            && claim.data_source.is_none()
            && claim.data_source_ref.is_none()
    })
}
