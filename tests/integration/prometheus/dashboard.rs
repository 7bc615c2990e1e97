//! Tests the dashboard for Grafana: it is JSON, its panels have places of their own, and Prometheus parses every expression.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Files, fixture, rendered};

/// The ConfigMap of the fixture's dashboard.
fn config_map(text: &str) -> Value {
    let is_it = |object: &Value| object["metadata"]["name"].as_str().unwrap().ends_with("-grafana-dashboard");
    rendered(text).into_iter().find(is_it).unwrap()
}

fn board(text: &str) -> Value {
    let map = config_map(text);
    let files = map["data"].as_object().unwrap();
    assert_eq!(files.len(), 1);
    serde_json::from_str(files.values().next().unwrap().as_str().unwrap()).unwrap()
}

/// The panels with data.
fn panels(board: &Value) -> Vec<&Value> {
    board["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row").collect()
}

/// The expressions of all panels and variables, with Grafana's variables replaced as Grafana does.
pub(super) fn expressions() -> Vec<String> {
    let board = board(&fixture());
    let targets = panels(&board).into_iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let expressions = targets.map(|target| target["expr"].as_str().unwrap());
    let variables = board["templating"]["list"].as_array().unwrap().iter().filter_map(|variable| {
        let query = variable["query"]["query"].as_str()?;
        Some(query.strip_prefix("label_values(").unwrap().rsplit_once(", ").unwrap().0)
    });
    expressions
        .chain(variables)
        .map(|expression| {
            let replaced = expression
                .replace("$__rate_interval", "2m")
                .replace("$namespace", "postgres-operator")
                .replace("$cluster", "hippo")
                .replace("$pod", ".*");
            assert!(!replaced.contains('$'), "{replaced}");
            replaced
        })
        .collect()
}

#[test]
fn prometheus_parses_every_expression() {
    let Some(files) = Files::new() else { return };
    let rules = |expressions: &[String]| -> Vec<Value> {
        let rule = |(number, expression): (usize, &String)| json!({"record": format!("r{number}"), "expr": expression});
        expressions.iter().enumerate().map(rule).collect()
    };
    let check = |expressions: &[String]| {
        files.write("rules.json", &json!({"groups": [{"name": "dashboard", "rules": rules(expressions)}]}));
        files.run(&["check", "rules", "--lint=none", "rules.json"])
    };
    let expressions = expressions();
    assert!(expressions.len() > 50, "{}", expressions.len());
    let (success, said) = check(&expressions);
    assert!(success, "{said}");
    assert!(!check(&["sum by (pod (up)".to_owned()]).0);
}

/// Each expression shows only the chosen cluster.
#[test]
fn every_expression_selects_the_cluster() {
    let board = board(&fixture());
    for panel in panels(&board) {
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            let selectors = expression.matches('{').count();
            let selected = expression.matches("{namespace=\"$namespace\",pg_cluster=\"$namespace:$cluster\"").count();
            assert!(selectors > 0 && selectors == selected, "{expression}");
        }
    }
}

#[test]
fn panels_have_places_and_identifiers_of_their_own() {
    let board = board(&fixture());
    let (mut places, mut identifiers) = (BTreeSet::new(), BTreeSet::new());
    for panel in board["panels"].as_array().unwrap() {
        assert!(identifiers.insert(panel["id"].as_u64().unwrap()));
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24);
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(places.insert((x, y)), "{}", panel["title"]);
            }
        }
    }
    let variables = board["templating"]["list"].as_array().unwrap();
    let names: Vec<&str> = variables.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["datasource", "namespace", "cluster", "pod"]);
}

/// Grafana's sidecar writes the files of all ConfigMaps into one directory, and Grafana refuses two dashboards of one identifier.
#[test]
fn dashboards_of_several_clusters_are_different_files() {
    let other = fixture().replace("namespace: postgres-operator", "namespace: other");
    let (ours, theirs) = (config_map(&fixture()), config_map(&other));
    assert_eq!(ours["metadata"]["labels"]["grafana_dashboard"], "1");
    let file = |map: &Value| map["data"].as_object().unwrap().keys().next().unwrap().clone();
    assert_ne!(file(&ours), file(&theirs));
    let (ours, theirs) = (board(&fixture()), board(&other));
    for key in ["uid", "title"] {
        assert_ne!(ours[key], theirs[key], "{key}");
    }
    assert!(ours["uid"].as_str().unwrap().len() <= 40);
    assert_eq!(theirs["templating"]["list"][1]["current"]["value"], "other");
}
