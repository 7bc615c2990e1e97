//! Checks the files that the user adds to volumes: where they come from, and their paths. The API server refuses a pod with other
//! ones, or the kubelet cannot create the volume, and Postgres does not start (Kubernetes' `validateProjectedVolumeSource`).

use serde_json::Value;

use super::context::Context;
use crate::diagnostic::FieldPath;
use crate::diagnostic::words::quote;
use crate::kubernetes::{SecretProjection, VolumeProjection};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::spec::PostgresClusterSpec;

/// The prefix of pgrender's own files, in every volume that the user may add files to.
const OURS: &str = "~postgres-operator";

/// The largest mode of a file, 0777.
const MODE_MAX: i64 = 0o777;

/// A path in a volume, and the field that it is in.
type File = (FieldPath, String);

/// Returns `projections`, which are in one volume, after checking them. A path must not begin with [`OURS`] and must not be one of
/// `reserved`, because these are files of pgrender in the same volume.
pub(crate) fn checked(
    projections: Vec<VolumeProjection>,
    path: &FieldPath,
    reserved: &[&str],
    context: &mut Context,
) -> Vec<VolumeProjection> {
    let mut files = Vec::new();
    for (index, projection) in projections.iter().enumerate() {
        let path = path.index(index);
        // Each kind of projection has paths in other fields, and Kubernetes adds new kinds, so this searches the JSON.
        let tree = serde_json::to_value(projection).unwrap_or_default();
        let sources: Vec<_> = tree.as_object().into_iter().flatten().collect();
        if sources.len() > 1 {
            context.error(path.clone(), "has several sources: write each one as an item of its own");
        }
        for (kind, source) in sources {
            files.extend(checked_source(kind, source, &path.key(kind), context));
        }
    }
    check_paths(files, reserved, context);
    projections
}

/// Checks a Secret in a volume of its own, as [`checked`] does.
pub(crate) fn check_secret(secret: &SecretProjection, path: &FieldPath, reserved: &[&str], context: &mut Context) {
    let source = serde_json::to_value(secret).unwrap_or_default();
    let files = checked_source("secret", &source, path, context);
    check_paths(files, reserved, context);
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
        if let Some(secret) = secret {
            check_secret(secret, &FieldPath::of(path), &["replication"], context);
        }
    }
}

/// Returns the files of one source after checking what it names.
fn checked_source(kind: &str, source: &Value, path: &FieldPath, context: &mut Context) -> Vec<File> {
    for (known, object) in [("secret", "Secret"), ("configMap", "ConfigMap")] {
        if kind == known && source["name"].as_str().is_none_or(str::is_empty) {
            context.error(path.clone(), format!("needs the name of a {object}: add `name`"));
        }
    }
    let mut files = Vec::new();
    for field in ["path", "certificateChainPath", "credentialBundlePath", "keyPath"] {
        files.extend(source[field].as_str().map(|file| (path.key(field), file.to_owned())));
    }
    for (index, item) in source["items"].as_array().into_iter().flatten().enumerate() {
        let at = path.key("items").index(index);
        if item["key"] == "" {
            context.error(at.key("key"), "is empty: write a key of the object");
        }
        if item["mode"].as_i64().is_some_and(|mode| !(0..=MODE_MAX).contains(&mode)) {
            context.error(at.key("mode"), "is not a mode of a file: write a number from 0 to 511, which is octal 0777");
        }
        files.extend(item["path"].as_str().map(|file| (at.key("path"), file.to_owned())));
    }
    files
}

/// Checks the paths of all files in one volume.
fn check_paths(mut files: Vec<File>, reserved: &[&str], context: &mut Context) {
    files.retain(|(field, file)| {
        let first = file.split('/').next().unwrap_or_default();
        let ours = file.starts_with(OURS) || reserved.contains(&first);
        context.check(field, check_path(file, ours))
    });
    // In this order, a file is followed by everything that would be below it.
    files.sort_by(|(_, one), (_, other)| one.split('/').cmp(other.split('/')));
    let mut files = files.iter();
    let Some((mut place, mut upper)) = files.next().cloned() else { return };
    for (field, file) in files {
        match file.strip_prefix(upper.as_str()) {
            Some("") => context.error(field.clone(), format!("is also the path of `{place}`: choose another path")),
            Some(rest) if rest.starts_with('/') => {
                let message =
                    format!("{} is a file (`{place}`), so no file can be below it: choose another path", quote(&upper));
                context.error(field.clone(), message);
            }
            _ => (place, upper) = (field.clone(), file.clone()),
        }
    }
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
