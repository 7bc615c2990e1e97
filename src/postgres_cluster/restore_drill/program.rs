//! The program of the restore drill and its settings.

use serde::Serialize;

use super::model::RestoreDrill;
use crate::kubernetes::ConfigMap;
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::directories::program_directories;
use crate::postgres_cluster::objects::metadata::{object_meta, restore_drill_labels};
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

/// `<cluster>-restore-drill`: the program and its settings.
pub(crate) fn config_map(cluster: &Cluster, backups: &Backups, drill: &RestoreDrill) -> ConfigMap {
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
