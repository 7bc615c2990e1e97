//! The objects of the restore drill. The CronJob has a file of its own.

use serde::Serialize;

use super::cron_job;
use super::model::RestoreDrill;
use crate::kubernetes::object::Objects;
use crate::kubernetes::{ConfigMap, NetworkPolicy, ServiceAccount};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::directories::program_directories;
use crate::postgres_cluster::objects::access;
use crate::postgres_cluster::objects::metadata::{object_meta, restore_drill_labels};
use crate::postgres_cluster::objects::network_policies::{policy, to_repo_host};
use crate::postgres_cluster::pgbackrest::model::Backups;
use crate::postgres_cluster::postgres;

/// The files of the program. They are mounted beside those of the caretaker, whose functions they use.
pub(crate) const PROGRAM: [(&str, &str); 4] = [
    ("drill_checks.py", include_str!("drill_checks.py")),
    ("drill_restore.py", include_str!("drill_restore.py")),
    ("drill_server.py", include_str!("drill_server.py")),
    ("restore_drill.py", include_str!("restore_drill.py")),
];

/// The key and the file of the program's settings.
pub(crate) const SETTINGS: &str = "restore-drill.json";

/// Adds all of them.
pub(crate) fn add(objects: &mut Objects, cluster: &Cluster, backups: &Backups, drill: &RestoreDrill) {
    objects.add(service_account(cluster, backups));
    objects.add_all(cluster.network_policies.then(|| network_policy(cluster, backups, drill)));
    objects.add(config_map(cluster, backups, drill));
    objects.add(cron_job::cron_job(cluster, backups, drill));
}

/// The ServiceAccount of the drill's pods. It has no rights, and its token is not mounted.
fn service_account(cluster: &Cluster, backups: &Backups) -> ServiceAccount {
    access::service_account(cluster, cluster.restore_drill_name(), &backups.metadata, restore_drill_labels())
}

/// The settings of the program.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    postgres_version: u16,
    /// Where the programs of Postgres may be in the image.
    program_directories: [String; 3],
    repository: u8,
    shared_preload_libraries: String,
    /// The ConfigMap with the user's SQL and the key in it, for messages.
    sql: Option<String>,
}

/// The program and its settings.
fn config_map(cluster: &Cluster, backups: &Backups, drill: &RestoreDrill) -> ConfigMap {
    let libraries = postgres::configuration::parameters(cluster).remove("shared_preload_libraries");
    let settings = Settings {
        postgres_version: cluster.postgres_version,
        program_directories: program_directories(cluster.postgres_version),
        repository: drill.repository,
        shared_preload_libraries: libraries.unwrap_or_default(),
        sql: drill.sql.as_ref().map(|sql| format!("{}/{}", sql.name, sql.key)),
    };
    let settings = serde_json::to_string_pretty(&settings).expect("the settings have string keys and finite numbers");
    let mut files = PROGRAM.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec();
    files.push((SETTINGS.to_owned(), settings + "\n"));
    ConfigMap {
        metadata: object_meta(cluster, cluster.restore_drill_name(), &backups.metadata, restore_drill_labels()),
        data: Some(files.into_iter().collect()),
        ..ConfigMap::default()
    }
}

/// No pod may connect to a pod of the drill. If the repository is on a volume, such a pod may only connect to the repo host: SQL
/// runs in it as superuser, and reads what others have stored in the database.
fn network_policy(cluster: &Cluster, backups: &Backups, drill: &RestoreDrill) -> NetworkPolicy {
    let mut policy =
        policy(cluster, cluster.restore_drill_name(), &backups.metadata, restore_drill_labels(), Vec::new());
    if let (Some(spec), true) = (&mut policy.spec, is_on_volume(backups, drill)) {
        spec.egress = Some(to_repo_host(cluster));
        spec.policy_types.get_or_insert_default().push("Egress".to_owned());
    }
    policy
}

fn is_on_volume(backups: &Backups, drill: &RestoreDrill) -> bool {
    backups.volume_repositories().any(|repository| repository.index == drill.repository)
}
