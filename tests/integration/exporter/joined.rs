//! Gives files of queries to pgrender and to real exporters on a real Postgres. What pgrender accepts, they serve; and they lose
//! metrics by each file that it refuses.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use pgrender::postgres_cluster::exporter::objects::QUERIES;
use serde_json::{Map, Value, json};

use super::{EXPORTERS, Exporter, cluster, told};
use crate::common::tools::success;
use crate::values::postgres::{Server, servers};

/// Two metrics that every version serves, if it reads all files: one of a file that is always there, and one of the default queries.
const OURS: &str = "a_first: {query: SELECT 1 AS total, metrics: [{total: {usage: GAUGE, description: d}}]}\n";
const SERVED: [&str; 2] = ["a_first_total{", "ccp_connection_stats_total{"];

/// Files beside [`OURS`] and the default queries, what pgrender says about them, and metrics that the exporters must serve.
type Case = (&'static [(&'static str, &'static str)], &'static str, &'static [&'static str]);

/// Files that are good, also after the changes of `exporter.sh`.
const GOOD: [Case; 14] = [
    (
        &[(
            "b.yml",
            "y: {query: SELECT 1 AS n, metrics: [{n: {usage: GAUGE}}]}\noff: {query: 'SELECT 1 AS n, 2 AS \"off\"', metrics: [{n: {usage: GAUGE}}, {off: {usage: GAUGE}}]}\n",
        )],
        "",
        &["y_n", "off_n", "off_off"],
    ),
    (&[("z.yml", "zoo: {query: SELECT 1 AS total, metrics: [{total: {usage: GAUGE}}]}")], "", &["zoo_total"]),
    (
        &[("b.yml", "---\nzoo:\n  query: SELECT 1 AS total\n  metrics:\n  - total: {usage: GAUGE}\n")],
        "",
        &["zoo_total"],
    ),
    (&[("b.yml", "zoo: {query: SELECT 1 AS total, metrics: [{total: {usage: COUNTER}}]}\n...\n")], "", &["zoo_total"]),
    (
        &[("b.yml", "\u{feff}zoo: {query: SELECT 1 AS total, metrics: [{total: {usage: COUNTER}}]}\n")],
        "",
        &["zoo_total"],
    ),
    (
        &[(
            "b.yml",
            "%YAML 1.1\n--- # of the zoo\nzoo: {query: SELECT 1 AS total, metrics: [{total: {usage: GAUGE}}]}\n",
        )],
        "",
        &["zoo_total"],
    ),
    (&[("b.yml", "# nothing yet\n"), ("c.yml", "")], "", &[]),
    (
        &[(
            "b.yml",
            "x: {query: SELECT 1 AS n, metrics: [{n: {usage: GAUGE}}]}\n---\ny: {query: SELECT 1 AS n, metrics: [{n: {usage: GAUGE}}]}\n",
        )],
        "",
        &["x_n", "y_n"],
    ),
    (
        &[("b.yml", "x: &x\n  query: SELECT 1 AS n\n  metrics: [{n: {usage: GAUGE}}]\ny:\n  <<: *x\n")],
        "",
        &["x_n", "y_n"],
    ),
    (
        &[(
            "b.yml",
            "x:\n  query: SELECT 1 AS n, 'a' AS name\n  master: yes\n  cache_seconds: 30\n  metrics:\n    - n: {usage: GAUGE, description: 5}\n      name: {usage: LABEL}\n",
        )],
        "",
        &["x_n{name=\"a\""],
    ),
    (
        &[("b.yml", "x: {query: SELECT 1 AS n, runonserver: 17, metrics: [{n: {usage: GAUGE, unit: s}}]}\n")],
        "`runonserver` has no effect",
        &["x_n"],
    ),
    (
        &[(
            "b.yml",
            "zoo-a: {query: \"SELECT 1 AS n, 'a' AS \\\"a-b\\\"\", metrics: [{n: {usage: DISCARD}}, {a-b: {usage: DISCARD}}]}\n",
        )],
        "",
        &[],
    ),
    (
        &[(
            "b.yml",
            "pg_stat_archiver: {query: SELECT 1 AS archived_count, metrics: [{archived_count: {usage: GAUGE}}]}\n",
        )],
        "",
        &["pg_stat_archiver_archived_count"],
    ),
    (
        &[("b.yml", "x: {query: SELECT 1 AS n, metrics: [{n: {usage: MAPPEDMETRIC, metric_mapping: {a: 1}}}]}\n")],
        "`metric_mapping` has no effect",
        &["x_n"],
    ),
];

/// Files by which the exporters lose metrics: their own or all.
const BAD: [Case; 27] = [
    (&[("b.yml", "zoo: [\n")], "line 1", &[]),
    (&[("b.yml", "zoo:\n\tquery: SELECT 1\n")], "line 2", &[]),
    (&[("b.yml", "- a\n")], "write a mapping", &[]),
    (&[("b.yml", "{zoo: {query: SELECT 1 AS n, metrics: [{n: {usage: GAUGE}}]}}\n")], "cannot be joined", &["zoo_n"]),
    (&[("b.yml", "  zoo: {query: SELECT 1 AS n, metrics: [{n: {usage: GAUGE}}]}\n")], "cannot be joined", &["zoo_n"]),
    (
        &[("b.yml", "--- {zoo: {query: SELECT 1 AS n, metrics: [{n: {usage: GAUGE}}]}}\n")],
        "cannot be joined",
        &["zoo_n"],
    ),
    (
        &[(
            "b.yml",
            "zoo: {query: SELECT 1 AS n, metrics: [{n: {usage: GAUGE}}]}\nzoo: {query: SELECT 1 AS m, metrics: [{m: {usage: GAUGE}}]}\n",
        )],
        "zoo",
        &["zoo_n"],
    ),
    (&[("b.yml", "zoo: {query: SELECT 1 AS n, metrics: [{n: GAUGE}]}\n")], "no `usage`", &["zoo_n"]),
    (&[("b.yml", "zoo: {query: SELECT 1 AS n, metrics: [n]}\n")], "is a mapping from one column", &["zoo_n"]),
    (
        &[("b.yml", "zoo: {query: SELECT 1 AS n, metrics: [{n: {usage: gauge}}]}\n")],
        "has the usage `gauge`",
        &["zoo_n"],
    ),
    (
        &[("b.yml", "zoo: {query: SELECT 1 AS n, cache_seconds: 30s, metrics: [{n: {usage: GAUGE}}]}\n")],
        "cache_seconds",
        &["zoo_n"],
    ),
    (
        &[("b.yml", "zoo: {query: SELECT 1 AS n, cache_seconds: -1, metrics: [{n: {usage: GAUGE}}]}\n")],
        "cache_seconds",
        &["zoo_n"],
    ),
    (
        &[("b.yml", "zoo: {query: SELECT 1 AS n, master: \"true\", metrics: [{n: {usage: GAUGE}}]}\n")],
        "`master` must be",
        &["zoo_n"],
    ),
    (
        &[("b.yml", "zoo: {query: SELECT 1 AS n, metrics: [{n: {usage: GAUGE, pg_version: 10}}]}\n")],
        "`pg_version`",
        &["zoo_n"],
    ),
    (
        &[("b.yml", "zoo: {query: SELECT 1 AS n, metrics: [{n: {usage: GAUGE, description: [a]}}]}\n")],
        "`description` must",
        &["zoo_n"],
    ),
    (
        &[("b.yml", "zoo: {query: SELECT 1 AS n, metrics: [{n: {usage: GAUGE, metric_mapping: {a: b}}}]}\n")],
        "metric_mapping",
        &["zoo_n"],
    ),
    (
        &[("b.yml", "zoo: {query: SELECT 1 AS n, runonserver: [17], metrics: [{n: {usage: GAUGE}}]}\n")],
        "`runonserver` must",
        &["zoo_n"],
    ),
    (
        &[("b.yml", "zoo-a: {query: SELECT 1 AS n, metrics: [{n: {usage: GAUGE}}]}\n")],
        "`zoo-a_n` is not a valid name",
        &[],
    ),
    (&[("b.yml", "1: {query: SELECT 1 AS n, metrics: [{n: {usage: GAUGE}}]}\n")], "`1_n` is not a valid name", &[]),
    (
        &[(
            "b.yml",
            "zoo: {query: \"SELECT 1 AS n, 2 AS \\\"a b\\\"\", metrics: [{n: {usage: GAUGE}}, {a b: {usage: LABEL}}]}\n",
        )],
        "name of a label",
        &["zoo_n"],
    ),
    (
        &[("b.yml", "zoo: {query: SELECT 1 AS n, metrics: [{n: {usage: GAUGE}}, {server: {usage: LABEL}}]}\n")],
        "adds the label `server`",
        &["zoo_n"],
    ),
    (
        &[("b.yml", "a_first: {query: SELECT 1 AS total, metrics: [{total: {usage: GAUGE, description: e}}]}\n")],
        "is also in `a.yml`",
        &["a_first_total{server=\"\"}"],
    ),
    (
        &[("b.yml", "a: {query: SELECT 1 AS first_total, metrics: [{first_total: {usage: GAUGE, description: e}}]}\n")],
        "is also in `a.yml`",
        &[],
    ),
    (
        &[("b.yml", "ccp: {query: SELECT 1 AS locks_count, metrics: [{locks_count: {usage: GAUGE}}]}\n")],
        "is also in `defaultQueries.yml`",
        &[],
    ),
    (
        &[("b.yml", "pg: {query: SELECT 1 AS up, metrics: [{up: {usage: GAUGE}}]}\n")],
        "has the metric `pg_up` itself",
        &[],
    ),
    (
        &[("b.yml", "process: {query: SELECT 1 AS open_fds, metrics: [{open_fds: {usage: GAUGE}}]}\n")],
        "begin with `process_`",
        &[],
    ),
    (&[("b.yml", "zoo:\n  metrics: [{n: {usage: GAUGE}}]\n")], "has no `query`", &["zoo_n"]),
];

/// The cluster with these files in a ConfigMap, and with the default queries.
fn input(files: &[(&str, &str)]) -> (Value, Value) {
    let configuration =
        json!([{"configMap": {"name": "files"}}, {"configMap": {"name": "alpha-exporter-queries-config"}}]);
    let data: Map<_, _> = files.iter().map(|(name, text)| ((*name).to_owned(), Value::from(*text))).collect();
    let files = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "files", "namespace": "zoo"}, "data": data});
    (cluster(&json!({"configuration": configuration})), files)
}

/// Starts Postgres for the exporter, and returns what follows `postgresql://…@` in the address.
fn server() -> Option<(Server, String)> {
    let (programs, _) = servers().pop()?;
    let mut server = Server::new(&programs);
    server.start();
    let role = "CREATE ROLE ccp_monitoring LOGIN IN ROLE pg_monitor";
    success(server.psql("postgres", "postgres").arg("--command").arg(role));
    let uri = format!("/postgres?host={}&sslmode=disable", server.socket().display());
    Some((server, uri))
}

/// Which of `wanted` a real exporter does not serve.
fn lost(server: &str, version: &str, files: &[(&str, &str)], wanted: &[&'static str]) -> Option<Vec<&'static str>> {
    let exporter = Exporter::start_on(server, files, &input(&[]).0, &["dash"], version)?;
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let log = fs::read_to_string(exporter.path("log")).unwrap_or_default();
        let answer = get(exporter.port).unwrap_or_default();
        let is_complete = answer.starts_with("HTTP/1.0 200") && answer.contains("pg_up 1");
        if is_complete || answer.starts_with("HTTP/1.0 500") || log.contains("ended with code 2") {
            let is_lost = |name: &&str| !is_complete || !answer.contains(*name);
            return Some(wanted.iter().copied().filter(is_lost).collect());
        }
        assert!(Instant::now() < deadline, "{files:?}: {version} serves nothing: {answer}\n{log}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn get(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

#[test]
fn pgrender_and_the_exporters_agree() {
    let Some((_server, uri)) = server() else { return };
    let mut wrong = Vec::new();
    for ((files, says, metrics), is_good) in
        GOOD.iter().map(|case| (case, true)).chain(BAD.iter().map(|case| (case, false)))
    {
        let ours = [&[("a.yml", OURS)], *files].concat();
        let (cluster, map) = input(&ours);
        let lines = told(&[cluster, map]);
        let as_expected = if says.is_empty() {
            lines.is_empty()
        } else {
            lines.iter().any(|line| line.contains(says) && line.contains("error: ") != is_good)
        };
        if !as_expected {
            wrong.push(format!("{files:?}: pgrender says {lines:?}"));
        }
        let mounted = [ours.as_slice(), &[("defaultQueries.yml", QUERIES)]].concat();
        let wanted = [SERVED.as_slice(), *metrics].concat();
        std::thread::scope(|scope| {
            let tries = EXPORTERS.map(|version| {
                let (uri, mounted, wanted) = (&uri, &mounted, &wanted);
                (version, scope.spawn(move || lost(uri, version, mounted, wanted)))
            });
            for (version, run) in tries {
                let Some(lost) = run.join().expect("a verdict") else { continue };
                if lost.is_empty() != is_good {
                    wrong.push(format!("{files:?}: {version} loses {lost:?}"));
                }
            }
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The namespaces that a query of the user replaces (`builtinMetricMaps`), and what the exporter always uses.
const NOT_OF_COLLECTORS: [&str; 9] = [
    "pg_exporter_",
    "pg_replication_slots_",
    "pg_scrape_collector_",
    "pg_settings_",
    "pg_stat_activity_",
    "pg_stat_archiver_",
    "pg_stat_database_conflicts_",
    "pg_stat_replication_",
    "pg_static",
];

#[test]
fn the_metrics_of_the_collectors_are_listed() {
    let Some((_server, uri)) = server() else { return };
    let Some(exporter) = Exporter::start_on(&uri, &[("a.yml", OURS)], &input(&[]).0, &["dash"], EXPORTERS[0]) else {
        return;
    };
    let metrics = exporter.metrics("pg_up 1");
    let listed = include_str!("../../../src/postgres_cluster/exporter/built_in_metrics.txt");
    let names = metrics.lines().filter(|line| line.starts_with("pg_")).filter_map(|line| line.split(['{', ' ']).next());
    let (known, unknown): (Vec<_>, Vec<_>) = names
        .filter(|name| *name != "pg_up" && !NOT_OF_COLLECTORS.iter().any(|prefix| name.starts_with(prefix)))
        .partition(|name| listed.lines().any(|line| line == *name));
    assert!(known.len() > 20, "{metrics}");
    assert_eq!(unknown, Vec::<&str>::new());
}
