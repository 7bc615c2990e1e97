//! Who else can read the seed file.

use std::fs::Metadata;
use std::path::Path;

use crate::report::Diagnostic;

/// Warns of a file that others than its owner may touch. Not of a device or a pipe, which holds nothing for them.
#[cfg(unix)]
pub(super) fn warning(path: &Path, metadata: &Metadata) -> Option<Diagnostic> {
    use std::os::unix::fs::PermissionsExt;

    let mode = metadata.permissions().mode() & 0o777;
    // Within a pod, the group is that of the pod: a volume of Kubernetes gives it every file (`fsGroup`).
    let mounted = is_mounted_by_kubernetes(path);
    let (others, remedy) =
        if mounted { (0o007, "set `defaultMode: 0440` on its volume".to_owned()) } else { (0o077, chmod(path)) };
    (metadata.is_file() && mode & others != 0).then(|| {
        let shown = path.display();
        Diagnostic::warning(format!(
            "the seed file `{shown}` has mode {mode:04o}, so others than its owner can get at all that is derived from it; \
             {remedy}"
        ))
    })
}

/// Files have no such bits elsewhere.
#[cfg(not(unix))]
pub(super) fn warning(_: &Path, _: &Metadata) -> Option<Diagnostic> {
    None
}

#[cfg(unix)]
fn chmod(path: &Path) -> String {
    format!("`chmod 600 {}`", path.display())
}

/// Whether a path leads through `..data`: the kubelet's link to the directory of the files of today (its `AtomicWriter`).
#[cfg(unix)]
fn is_mounted_by_kubernetes(path: &Path) -> bool {
    let target = path.read_link().unwrap_or_else(|_| path.to_owned());
    target.components().any(|component| component.as_os_str() == "..data")
}
