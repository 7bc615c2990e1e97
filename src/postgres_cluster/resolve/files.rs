//! Checks the paths of files that the user adds to volumes which also contain files of pgrender.

use super::context::Context;
use crate::diagnostic::FieldPath;
use crate::kubernetes::{SecretProjection, VolumeProjection};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::spec::PostgresClusterSpec;

/// The prefix of pgrender's own files, in every volume that the user may add files to.
const OURS: &str = "~postgres-operator";

/// Returns `projections` after checking the paths that they name. A path must not begin with [`OURS`] and must not be one of
/// `reserved`, because these are files of pgrender in the same volume.
pub(crate) fn checked(
    projections: Vec<VolumeProjection>,
    path: &FieldPath,
    reserved: &[&str],
    context: &mut Context,
) -> Vec<VolumeProjection> {
    for (index, projection) in projections.iter().enumerate() {
        for (field, file) in files(projection) {
            let first = file.split('/').next().unwrap_or_default();
            let ours = file.starts_with(OURS) || reserved.contains(&first);
            context.check(&path.index(index).join(&field), check_path(&file, ours));
        }
    }
    projections
}

/// Replicas trust the CA of the server's certificate, and the server trusts the CA of theirs. So the user provides both
/// certificates or none.
pub(crate) fn check_custom_certificates(spec: &PostgresClusterSpec, cluster: &Cluster, context: &mut Context) {
    if spec.custom_replication_tls_secret.as_ref().is_some_and(|secret| secret.items.is_some()) {
        let message = "has no effect, as in PGO: the Secret must have the keys `ca.crt`, `tls.crt` and `tls.key`";
        context.warning(FieldPath::of("spec.customReplicationTLSSecret.items"), message);
    }
    let message = |other: &str| format!("replicas and their leader must trust each other: also set `{other}`");
    match (&cluster.custom_tls_secret, &cluster.custom_replication_tls_secret) {
        (Some(_), None) => {
            context.error(FieldPath::of("spec.customTLSSecret"), message("spec.customReplicationTLSSecret"));
        }
        (None, Some(_)) => {
            context.error(FieldPath::of("spec.customReplicationTLSSecret"), message("spec.customTLSSecret"));
        }
        _ => {}
    }
}

/// Checks the files of the user's own certificates. The certificate of replicas is in the same volume as that of the server.
pub(crate) fn check_certificates(spec: &PostgresClusterSpec, context: &mut Context) {
    let pgbouncer = spec.proxy.as_ref().and_then(|proxy| proxy.pg_bouncer.custom_tls_secret.as_ref());
    for (path, secret) in
        [("spec.customTLSSecret", spec.custom_tls_secret.as_ref()), ("spec.proxy.pgBouncer.customTLSSecret", pgbouncer)]
    {
        for (index, item) in items(secret).enumerate() {
            let ours = item == "replication" || item.starts_with("replication/") || item.starts_with(OURS);
            context.check(&FieldPath::of(path).key("items").index(index).key("path"), check_path(item, ours));
        }
    }
}

fn items(secret: Option<&SecretProjection>) -> impl Iterator<Item = &str> {
    secret.and_then(|secret| secret.items.as_ref()).into_iter().flatten().map(|item| item.path.as_str())
}

/// Returns each path that a projection names, and the field that it is in.
fn files(projection: &VolumeProjection) -> Vec<(FieldPath, String)> {
    // Each kind of projection has paths in other fields, and Kubernetes adds new kinds, so this searches the JSON.
    let mut found = Vec::new();
    let Ok(tree) = serde_json::to_value(projection) else { return found };
    for (kind, source) in tree.as_object().into_iter().flatten() {
        let path = FieldPath::default().key(kind);
        for field in ["path", "certificateChainPath", "credentialBundlePath", "keyPath"] {
            found.extend(source[field].as_str().map(|file| (path.key(field), file.to_owned())));
        }
        for (index, item) in source["items"].as_array().into_iter().flatten().enumerate() {
            let field = path.key("items").index(index).key("path");
            found.extend(item["path"].as_str().map(|file| (field, file.to_owned())));
        }
    }
    found
}

/// Checks that Kubernetes allows the path in a projected volume (`validateLocalNonReservedPath`), and that it is not one of
/// `ours`, which it would replace. Parts such as `.` and empty parts are refused, so that a file has only one path.
fn check_path(file: &str, ours: bool) -> Result<(), String> {
    if file.starts_with("..") || file.split('/').any(|part| ["", ".", ".."].contains(&part)) {
        return Err(format!(
            "{file:?} is not a valid path inside the volume: write a path without `.`, `..` and `//`, and without `/` \
             at the beginning and end"
        ));
    }
    if ours {
        return Err(format!("pgrender already writes the file {file:?} for this cluster: choose another path"));
    }
    crate::diagnostic::line::check_name(file)
}

#[cfg(test)]
mod tests {
    use super::check_path;

    #[test]
    fn a_path_is_written_in_one_way() {
        for path in ["a", "a/b.conf", ".hidden/a", "a..b", "~a"] {
            assert_eq!(check_path(path, false), Ok(()), "{path}");
        }
        for path in
            ["", "/a", "a/", "./a", "a/.", "a/./b", "a//b", ".", "..", "..a", "a/../b", "./~postgres-operator/a"]
        {
            assert!(check_path(path, false).is_err(), "{path}");
        }
    }
}
