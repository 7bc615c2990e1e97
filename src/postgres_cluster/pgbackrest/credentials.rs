//! Checks that pgBackRest gets credentials for a repository in object storage. They are in files of the user, or the pods have a
//! role in the cloud (pgbackrest.org/configuration.html, "S3 Repository Key Type", "GCS Repository Key Type", "Azure Repository Key
//! Type").

use std::collections::BTreeMap;

use super::model::{Repository, Storage};
use crate::diagnostic::FieldPath;
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::spec::PostgresClusterSpec;

/// The annotation of a ServiceAccount with which a webhook of EKS gives its pods a role ("IAM roles for service accounts").
const ROLE: &str = "eks.amazonaws.com/role-arn";

/// The options and files that come with a repository.
pub(crate) struct Given<'a> {
    /// `global`.
    pub(crate) global: &'a BTreeMap<String, String>,
    /// The path of `global`.
    pub(crate) global_path: FieldPath,
    /// Whether there are files of the user. What is in them is not known.
    pub(crate) files: bool,
}

/// Reports what is missing for the repository at `path`.
pub(crate) fn check(
    repository: &Repository,
    path: &FieldPath,
    given: &Given,
    spec: &PostgresClusterSpec,
    context: &mut Context,
) {
    let name = repository.name();
    let option = |rest: &str| given.global.get(&format!("{name}-{rest}")).map(String::as_str);
    let (kind, options, keyless): (_, &[&str], &[&str]) = match &repository.storage {
        Storage::Volume(_) => return,
        Storage::S3 { .. } => ("s3", &["s3-key", "s3-key-secret"], &["auto", "web-id", "pod-id"]),
        Storage::Gcs { .. } => ("gcs", &["gcs-key"], &["auto"]),
        Storage::Azure { .. } => ("azure", &["azure-account", "azure-key"], &["auto"]),
    };
    let key_type = option(&format!("{kind}-key-type")).unwrap_or_default();
    let is_needed = |rest: &&&str| !keyless.contains(&key_type) || **rest == "azure-account";
    let missing: Vec<_> = options.iter().filter(is_needed).filter(|rest| option(rest).is_none()).collect();
    if !given.files && !missing.is_empty() {
        let missing: Vec<_> = missing.iter().map(|rest| format!("`{name}-{rest}`")).collect();
        let role = if keyless.contains(&key_type) {
            String::new()
        } else {
            format!(
                "; or, if the pods have a role in the cloud, write `{name}-{kind}-key-type: {}` in `global`",
                keyless[0]
            )
        };
        let message = format!(
            "pgBackRest needs credentials for this repository: write {} in a file such as `{kind}.conf` in a Secret, and add \
             the Secret to `{}`{role}",
            missing.join(" and "),
            path_of_files(given),
        );
        context.warning(path.key(kind), message);
    }
    let metadata = spec.metadata.as_ref();
    if key_type == "web-id" && !metadata.is_some_and(|metadata| metadata.annotations.contains_key(ROLE)) {
        let message = format!(
            "needs a role for the pods of instances: write `{ROLE}` in `spec.metadata.annotations`, which are those of \
             their ServiceAccount"
        );
        context.warning(given.global_path.key(format!("{name}-{kind}-key-type")), message);
    }
}

/// `configuration`, beside `global`.
fn path_of_files(given: &Given) -> String {
    let global = given.global_path.to_string();
    format!("{}configuration", global.strip_suffix("global").unwrap_or_default())
}
