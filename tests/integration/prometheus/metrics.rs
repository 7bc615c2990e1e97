//! Tests that alerts and dashboard use only metrics and labels that exist.

use std::collections::{BTreeMap, BTreeSet};

use pgrender::postgres_cluster::exporter::objects::{PGBOUNCER_QUERIES, QUERIES};
use pgrender::read;
use regex::Regex;

use super::{dashboard, fixture, of_kind, rules, variants};

/// Metrics of `postgres_exporter` itself and of Prometheus, with their labels.
const BUILT_IN: [(&str, &[&str]); 5] = [
    ("up", &[]),
    ("pg_up", &[]),
    ("pg_exporter_last_scrape_error", &[]),
    ("pg_exporter_user_queries_load_error", &["filename", "hashsum"]),
    ("ALERTS", &["alertname", "alertstate", "severity"]),
];

/// Labels that Prometheus Operator adds to every series.
const OF_OPERATOR: [&str; 4] = ["namespace", "job", "container", "endpoint"];

/// The metrics of the default queries, each with its labels.
fn of_queries() -> BTreeMap<String, BTreeSet<String>> {
    let documents = read::documents("queries.yaml", &format!("{QUERIES}\n{PGBOUNCER_QUERIES}")).unwrap();
    let mut metrics = BTreeMap::new();
    for query in documents[0].node.entries() {
        let columns = || query.value.get("metrics").unwrap().items().iter().flat_map(read::node::Node::entries);
        let usage = |column: &read::node::Entry| column.value.get("usage").unwrap().as_str().unwrap().to_owned();
        let labels: BTreeSet<String> =
            columns().filter(|column| usage(column) == "LABEL").map(|column| column.key.clone()).collect();
        for column in columns().filter(|column| usage(column) != "LABEL") {
            metrics.insert(format!("{}_{}", query.key, column.key), labels.clone());
        }
    }
    metrics
}

/// The labels that the PodMonitor adds.
fn of_pod_monitor() -> BTreeSet<String> {
    let monitor = of_kind(&fixture(), "PodMonitor").unwrap();
    let relabelings = monitor["spec"]["podMetricsEndpoints"][0]["relabelings"].as_array().unwrap().clone();
    relabelings.iter().map(|relabeling| relabeling["targetLabel"].as_str().unwrap().to_owned()).collect()
}

/// The metrics in an expression, each with the labels of its selector. A selector of several metrics gives all of them.
fn used(expression: &str, known: &[String]) -> Vec<(String, BTreeSet<String>)> {
    let selector = Regex::new(r"([A-Za-z_:][A-Za-z0-9_:]*)?\{([^}]*)\}").unwrap();
    let matcher = Regex::new(r#"([A-Za-z_]+)(?:=~|!~|!=|=)"([^"]*)""#).unwrap();
    let mut found = Vec::new();
    for selected in selector.captures_iter(expression) {
        let matchers: Vec<(String, String)> =
            matcher.captures_iter(&selected[2]).map(|matched| (matched[1].to_owned(), matched[2].to_owned())).collect();
        let labels: BTreeSet<String> =
            matchers.iter().map(|(label, _)| label.clone()).filter(|label| label != "__name__").collect();
        match matchers.iter().find(|(label, _)| label == "__name__") {
            Some((_, pattern)) => {
                let pattern = Regex::new(&format!("^(?:{pattern})$")).unwrap();
                let names: Vec<&String> = known.iter().filter(|name| pattern.is_match(name)).collect();
                assert!(names.len() > 1, "{expression}");
                found.extend(names.into_iter().map(|name| (name.clone(), labels.clone())));
            }
            None => found.push((selected[1].to_owned(), labels)),
        }
    }
    assert!(!found.is_empty() || !expression.contains('('), "{expression}");
    found
}

/// Every expression of all alerts and of the dashboard.
fn expressions() -> BTreeSet<String> {
    let mut all: BTreeSet<String> = dashboard::expressions().into_iter().collect();
    for (_, text) in variants() {
        let rules = rules(&text);
        let groups = rules["groups"].as_array().unwrap().iter();
        let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
        all.extend(rules.map(|rule| rule["expr"].as_str().unwrap().to_owned()));
    }
    all
}

#[test]
fn every_metric_and_label_exists() {
    let mut metrics = of_queries();
    if metrics.is_empty() {
        println!("skipped: there are no default queries yet");
        return;
    }
    for (name, labels) in BUILT_IN {
        metrics.insert(name.to_owned(), labels.iter().map(|label| (*label).to_owned()).collect());
    }
    let everywhere: BTreeSet<String> = of_pod_monitor().into_iter().chain(OF_OPERATOR.map(str::to_owned)).collect();
    let known: Vec<String> = metrics.keys().cloned().collect();
    let mut wrong = Vec::new();
    let grouping = Regex::new(r"\b(?:by|on) \(([^)]*)\)").unwrap();
    for expression in expressions() {
        // `pg_up` of a variable has no selector.
        let used =
            if expression == "pg_up" { vec![("pg_up".to_owned(), BTreeSet::new())] } else { used(&expression, &known) };
        let mut there = everywhere.clone();
        for (metric, labels) in used {
            match metrics.get(&metric) {
                None => wrong.push(format!("no metric `{metric}`: {expression}")),
                Some(of_metric) => {
                    let missing =
                        labels.iter().filter(|label| !everywhere.contains(*label) && !of_metric.contains(*label));
                    wrong.extend(missing.map(|label| format!("`{metric}` has no label `{label}`: {expression}")));
                    there.extend(of_metric.iter().cloned());
                }
            }
        }
        for group in grouping.captures_iter(&expression) {
            let labels = group[1].split(',').map(str::trim).filter(|label| !label.is_empty());
            let missing = labels.filter(|label| !there.contains(*label));
            wrong.extend(missing.map(|label| format!("no label `{label}`: {expression}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Prometheus renames a label of a metric that the scrape adds too, to `exported_…`. pgMonitor's dashboards expect this for the
/// roles of pg_stat_statements only.
#[test]
fn no_metric_has_a_label_that_the_pod_monitor_adds() {
    let added: BTreeSet<String> =
        of_pod_monitor().into_iter().chain(OF_OPERATOR.map(str::to_owned)).chain(["instance".to_owned()]).collect();
    for (metric, labels) in of_queries() {
        let clash: Vec<&String> = labels.intersection(&added).collect();
        assert!(clash.is_empty() || metric.starts_with("ccp_pg_stat_statements_"), "{metric}: {clash:?}");
    }
}
