//! Checks `spec.backups.pgbackrest.global`: options of pgBackRest in addition to those that pgrender writes.

use std::collections::BTreeMap;

use super::model::{Repository, Storage};
use super::{option, option_name, option_value};
use crate::diagnostic::FieldPath;
use crate::diagnostic::words;
use crate::postgres_cluster::resolve::context::Context;

/// Checks all options.
pub(crate) fn check(
    options: &BTreeMap<String, String>,
    repositories: &[Repository],
    path: &FieldPath,
    context: &mut Context,
) {
    let mut unknown = 0;
    for (name, value) in options {
        let path = path.key(name);
        let verdict = option::check_name(name).and_then(|()| option::check_value(value));
        if !context.check(&path, verdict)
            || one(name, value, options, repositories, &path, context)
            || option_name::is_known(name)
        {
            continue;
        }
        unknown += 1;
        let names = option_name::names().filter(|_| unknown <= words::SUGGESTIONS);
        let message = match words::nearest(&option_name::any_number(name), names) {
            Some(meant) => {
                let number = option::of_repository(name).map_or(1, |(number, _)| number);
                let meant = meant.replace("repoN", &format!("repo{number}"));
                // The suggested name must not be one that is refused in turn.
                match option::refusal(&meant, value) {
                    Some(why) => format!("pgBackRest does not have this option and ignores it; `{meant}` {why}"),
                    None => format!("pgBackRest does not have this option and ignores it: did you mean `{meant}`?"),
                }
            }
            None => {
                "pgBackRest does not have this option and ignores it: remove it, unless your version of pgBackRest is \
                 newer"
                    .to_owned()
            }
        };
        context.warning(path, message);
    }
}

/// Reports what is wrong with one of `options`, and returns whether there is something. pgBackRest can parse its name and
/// value.
fn one(
    name: &str,
    value: &str,
    options: &BTreeMap<String, String>,
    repositories: &[Repository],
    path: &FieldPath,
    context: &mut Context,
) -> bool {
    if let Some(why) = option::refusal(name, value) {
        context.error(path.clone(), why);
    } else if let Some(current) = option::current_name(name) {
        let message = format!(
            "is the old name of `{current}`, which is already set, and pgBackRest fails if both are set: remove it, \
             or write `{current}`"
        );
        context.error(path.clone(), message);
    } else if let Some(what) = option::without_effect(name) {
        context.warning(path.clone(), what);
    } else if let Some(why) = option_value::fault(name, value, options) {
        context.error(path.clone(), why);
    } else if option::of_repository(name)
        .is_some_and(|(number, rest)| is_told(number, rest, value, repositories, path, context))
    {
        // The problem was reported by the condition.
    } else if option::is_secret(name) {
        let message = "is a secret, but pgrender writes it to a ConfigMap: write it in a file such as `secret.conf` \
                       in a Secret, and add the Secret to `spec.backups.pgbackrest.configuration`";
        context.warning(path.clone(), message);
    } else if let Some(what) = option::weakness(name, value) {
        context.warning(path.clone(), what);
    } else {
        return false;
    }
    true
}

/// Reports what is wrong with an option `repoN-…`, and returns whether there is something.
fn is_told(
    number: u8,
    rest: &str,
    value: &str,
    repositories: &[Repository],
    path: &FieldPath,
    context: &mut Context,
) -> bool {
    let Some(repository) = repositories.iter().find(|repository| repository.index == number) else {
        // If there are no repositories, that is already reported as an error.
        if !repositories.is_empty() {
            let message = format!(
                "has no effect: there is no repository `repo{number}`; add it to `repos`, or correct the number"
            );
            context.warning(path.clone(), message);
        }
        return true;
    };
    if rest == "host" || rest.starts_with("host-") && rest != "host-port" {
        let message = "pgrender sets the host of each repository, and with this option the repo host would connect to \
                       another host for its own repository: remove it";
        context.error(path.clone(), message);
        return true;
    }
    let of_storage = rest.split_once('-').map_or("", |(storage, _)| storage);
    let kind_here = kind(&repository.storage);
    // A secret must be reported as a secret even if no program reads it.
    let of_another = ["azure", "gcs", "s3", "sftp"].contains(&of_storage) && of_storage != kind_here
        || of_storage == "storage" && repository.is_on_volume();
    if of_another && !option::is_secret(&format!("repo{number}-{rest}")) {
        let message = format!(
            "has no effect: `repo{number}` is {}; remove it, or correct the number",
            if repository.is_on_volume() { "on a volume".to_owned() } else { format!("in `{kind_here}`") }
        );
        context.warning(path.clone(), message);
        return true;
    }
    let name = repository.name();
    match (rest, &repository.storage) {
        ("type", storage) if value != kind(storage) && !(repository.is_on_volume() && value == "cifs") => {
            let message = format!(
                "`repos` sets the type `{}` for this repository: remove it, or write another storage in `repos`",
                kind(storage)
            );
            context.error(path.clone(), message);
        }
        ("path", Storage::Volume(_)) if !is_below(value, &format!("/pgbackrest/{name}")) => {
            let message = format!(
                "the volume of this repository is mounted at `/pgbackrest/{name}`, and other paths are read-only: \
                 remove it, or write a path below that"
            );
            context.error(path.clone(), message);
        }
        ("path", _) if value.split('/').any(|part| part == "." || part == "..") => {
            let message = "pgBackRest does not resolve `.` and `..` in the path of an object storage, so it is not clear which \
                           place this is: write the path without them";
            context.error(path.clone(), message);
        }
        (rest, storage) => {
            if let Some((field, counts)) = written(storage, rest).filter(|(_, written)| *written != value) {
                let message =
                    format!("replaces `{counts}`, the value of `{field}` of this repository: write it there instead");
                context.warning(path.clone(), message);
            } else {
                return false;
            }
        }
    }
    true
}

/// Returns the `type` of a storage in pgBackRest's configuration.
fn kind(storage: &Storage) -> &'static str {
    match storage {
        Storage::Volume(_) => "posix",
        Storage::S3 { .. } => "s3",
        Storage::Gcs { .. } => "gcs",
        Storage::Azure { .. } => "azure",
    }
}

/// Returns the value that `repos` has for an option of a repository, and the name of its field.
fn written<'a>(storage: &'a Storage, option: &str) -> Option<(&'static str, &'a str)> {
    match (storage, option) {
        (Storage::S3 { bucket, .. }, "s3-bucket") => Some(("s3.bucket", bucket)),
        (Storage::S3 { endpoint, .. }, "s3-endpoint") => Some(("s3.endpoint", endpoint)),
        (Storage::S3 { region, .. }, "s3-region") => Some(("s3.region", region)),
        (Storage::Gcs { bucket }, "gcs-bucket") => Some(("gcs.bucket", bucket)),
        (Storage::Azure { container }, "azure-container") => Some(("azure.container", container)),
        _ => None,
    }
}

fn is_below(path: &str, directory: &str) -> bool {
    let inside = path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    inside && path.split('/').all(|part| part != "..")
}
