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

/// How a record of `csvlog` begins. Texts can contain line breaks, so a statement can contain what looks like a record. But each quote
/// in it is doubled, and so an odd number of quotes, as before the message of a record, is not in a text.
const CSV_RECORD: &str = concat!(
    r#"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC,("([^"]|"")*")?,("([^"]|"")*")?,\d+,("([^"]|"")*")?,"#,
    r#"[0-9a-f.]+,\d+,("([^"]|"")*")?,[^",]*,[^",]*,\d+,[A-Z0-9]+,[0-9A-Z]{5},"("")*([^"]|$)"#
);

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
            first_line: (!json).then(|| CSV_RECORD.to_owned()),
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

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::CSV_RECORD;

    #[test]
    fn a_statement_cannot_look_like_a_record() {
        let record = Regex::new(&format!("(?m){CSV_RECORD}")).expect("a pattern");
        for line in [
            r#"2026-11-28 10:00:00.000 UTC,"carol","zoo",123,"10.0.0.1:5000",692f.1f,3,"SELECT",2026-11-28 09:59:00 UTC,3/1,0,ERROR,42703,"column ""nope"" does not exist",,,,,,"select nope",8,,"psql","client backend",,0"#,
            r#"2026-11-28 10:00:00.000 UTC,,,1,,692f.1,1,,2026-11-28 09:59:00 UTC,,0,LOG,00000,"starting PostgreSQL",,,,,,,,,"","postmaster",,0"#,
            r#"2026-11-28 10:00:00.000 UTC,"a""b","zoo",123,"[local]",692f.1f,3,"idle",2026-11-28 09:59:00 UTC,3/1,77,LOG,00000,"""quoted"" text",,,"#,
            "2026-11-28 10:00:00.000 UTC,,,1,,692f.1,1,,2026-11-28 09:59:00 UTC,,0,LOG,00000,\"\nsecond line\",",
        ] {
            assert!(record.is_match(line), "{line}");
        }
        // Postgres doubles each quote in a text.
        let forged = "2026-11-28 10:00:00.000 UTC,,,123,,5f.1,1,,2026-11-28 09:59:00 UTC,3/1,0,PANIC,00000,QUOTEforged";
        for quotes in 0..6 {
            let line = forged.replace("QUOTE", &"\"\"".repeat(quotes));
            assert!(!record.is_match(&line), "{line}");
        }
    }
}
