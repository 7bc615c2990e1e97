//! Checks who else can read the seed file.

use std::fs::Metadata;
use std::path::Path;

use crate::diagnostic::Diagnostic;

/// Warns about a file that users other than its owner can read or write. A device or a pipe is not checked, because it does not
/// store the seed.
#[cfg(unix)]
pub(super) fn warning(path: &Path, metadata: &Metadata) -> Option<Diagnostic> {
    use std::os::unix::fs::PermissionsExt;

    let mode = metadata.permissions().mode() & 0o777;
    // In a pod, the group of the file is that of the pod: Kubernetes sets it on every file of a volume (`fsGroup`).
    let mounted = is_mounted_by_kubernetes(path);
    let (others, remedy) =
        if mounted { (0o007, "set `defaultMode: 0440` on its volume".to_owned()) } else { (0o077, chmod(path)) };
    (metadata.is_file() && mode & others != 0).then(|| {
        let shown = path.display();
        Diagnostic::warning(format!(
            "the seed file `{shown}` has mode {mode:04o}, so other users can read it and derive every password and \
             key: {remedy}"
        ))
    })
}

/// Other operating systems do not have these permission bits.
#[cfg(not(unix))]
pub(super) fn warning(_: &Path, _: &Metadata) -> Option<Diagnostic> {
    None
}

#[cfg(unix)]
fn chmod(path: &Path) -> String {
    format!("run `chmod 600 {}`", path.display())
}

/// Whether a path leads through `..data`, the kubelet's link to the directory with the current files (its `AtomicWriter`).
#[cfg(unix)]
fn is_mounted_by_kubernetes(path: &Path) -> bool {
    let target = path.read_link().unwrap_or_else(|_| path.to_owned());
    target.components().any(|component| component.as_os_str() == "..data")
}
