//! The pipelines for logs: where each program writes them, and how a line becomes a record of OpenTelemetry.

use serde_json::json;

use super::model::Collector;
use super::parts::{OUTPUT, Parts, literal, resource_attributes};
use crate::naming::{CONTAINER_DATABASE, CONTAINER_PGBACKREST, CONTAINER_PGBOUNCER};
use crate::postgres_cluster::cluster::Cluster;
use crate::postgres_cluster::patroni;
use crate::postgres_cluster::postgres;

/// The columns of `csvlog` in Postgres 14, with the names that they have in `jsonlog` (PostgreSQL, "Error Reporting and Logging").
/// Earlier versions lack the last ones.
const CSV_COLUMNS: &str = "timestamp,user,dbname,pid,connection_from,session_id,line_num,ps,session_start,vxid,txid,\
                           error_severity,state_code,message,detail,hint,internal_query,internal_position,context,\
                           statement,cursor_position,location,application_name,backend_type,leader_pid,query_id";

/// The logs of one program.
pub(crate) struct Source {
    /// The name of the program.
    program: &'static str,
    /// The container that the program runs in.
    container: &'static str,
    /// The files.
    files: Vec<String>,
    /// How a record begins, if it can have several lines.
    first_line: Option<String>,
    /// The statements that make a record of a line, in OTTL. Lines with `#` are comments.
    statements: Vec<String>,
    /// More attributes of the resource.
    attributes: Vec<(&'static str, String)>,
}

impl Source {
    /// Postgres writes one file for each hour or day ([`postgres::logging`]).
    pub(crate) fn postgres(cluster: &Cluster) -> Self {
        let directory = postgres::configuration::parameters(cluster).remove("log_directory").unwrap_or_default();
        let version = cluster.postgres_version;
        let json = postgres::logging::is_json(version);
        let missing = if version >= 14 {
            0
        } else if version >= 13 {
            2
        } else {
            3
        };
        let columns: Vec<_> = CSV_COLUMNS.split(',').collect();
        let columns = columns[..columns.len() - missing].join(",");
        let parse = if json {
            r#"merge_maps(cache, ParseJSON(body), "upsert") where IsMatch(body, "^\\{")"#.to_owned()
        } else {
            format!(r#"merge_maps(cache, ParseCSV(body, "{columns}", mode="strict"), "upsert")"#)
        };
        let mut all = vec![parse];
        all.extend(statements(include_str!("statements/postgres.ottl")));
        Self {
            program: "postgres",
            container: CONTAINER_DATABASE,
            files: vec![format!("{directory}/*.{}", if json { "json" } else { "csv" })],
            // A text can contain line breaks. A record begins with its time, the user and the database.
            first_line: (!json).then(|| {
                r#"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC,("([^"]|"")*")?,("([^"]|"")*")?,\d+,"#.to_owned()
            }),
            statements: all,
            attributes: vec![("db.system", "postgresql".to_owned()), ("db.version", version.to_string())],
        }
    }

    /// Patroni renames its file when it is large, and writes a new one (`patroni.configuration`).
    pub(crate) fn patroni() -> Self {
        Self {
            program: "patroni",
            container: CONTAINER_DATABASE,
            files: with_older(format!("{}/*.log", patroni::configuration::LOG_DIRECTORY)),
            // Without its library for JSON, Patroni writes text.
            first_line: Some(r"^(\{|\d{4}-\d\d-\d\d )".to_owned()),
            statements: statements(include_str!("statements/patroni.ottl")),
            attributes: Vec::new(),
        }
    }

    /// The logs of pgBackRest in `directory`.
    pub(crate) fn pgbackrest(directory: &str) -> Self {
        Self {
            program: "pgbackrest",
            container: CONTAINER_PGBACKREST,
            files: with_older(format!("{directory}/*.log")),
            first_line: Some(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} P\d+ |-{19}PROCESS START)".to_owned()),
            statements: statements(include_str!("statements/pgbackrest.ottl")),
            attributes: Vec::new(),
        }
    }

    /// The log of pgBouncer.
    pub(crate) fn pgbouncer(file: &str) -> Self {
        Self {
            program: "pgbouncer",
            container: CONTAINER_PGBOUNCER,
            files: with_older(file.to_owned()),
            first_line: Some(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S+ \[".to_owned()),
            statements: statements(include_str!("statements/pgbouncer.ottl")),
            attributes: Vec::new(),
        }
    }
}

/// The file, and its name after rotation: the last lines that were written before may not be read yet.
fn with_older(file: String) -> Vec<String> {
    let older = format!("{file}.1");
    vec![file, older]
}

fn statements(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// Adds the pipeline `logs/<program>`.
pub(crate) fn add(parts: &mut Parts, source: &Source, collector: &Collector) {
    let program = source.program;
    let [receiver, resource, transform] =
        ["filelog", "resource", "transform"].map(|component| format!("{component}/{program}"));
    let files: Vec<_> = source.files.iter().map(|file| literal(file)).collect();
    let mut reader = json!({
        "include": files,
        // The default, 200 ms, costs twice as much when nothing happens: one percent of a core.
        "poll_interval": "1s",
        // The file that is set aside has the lines that come first.
        "start_at": "beginning",
        "storage": "file_storage",
    });
    if let Some(first_line) = &source.first_line {
        reader["multiline"] = json!({"line_start_pattern": literal(first_line)});
    }
    parts.receivers.insert(receiver.clone(), reader);
    let mut attributes = vec![
        ("k8s.container.name", source.container.to_owned()),
        ("k8s.namespace.name", "${env:K8S_POD_NAMESPACE}".to_owned()),
        ("k8s.pod.name", "${env:K8S_POD_NAME}".to_owned()),
        ("process.executable.name", program.to_owned()),
    ];
    attributes.extend(source.attributes.clone());
    parts.processors.insert(resource.clone(), resource_attributes(attributes));
    let statements: Vec<_> = source.statements.iter().map(|statement| literal(statement)).collect();
    parts.processors.insert(
        transform.clone(),
        // A line that cannot be parsed is sent as it is.
        json!({"error_mode": "ignore", "log_statements": [{"context": "log", "statements": statements}]}),
    );
    let mut processors = vec![resource, transform];
    processors.extend((!collector.detectors.is_empty()).then(|| "resourcedetection".to_owned()));
    processors.extend(["batch/logs", "groupbyattrs/compact"].map(str::to_owned));
    let output = || vec![OUTPUT.to_owned()];
    let exporters = if collector.log_exporters.is_empty() { output() } else { collector.log_exporters.clone() };
    parts.pipelines.insert(
        format!("logs/{program}"),
        json!({"exporters": exporters, "processors": processors, "receivers": [receiver]}),
    );
}
