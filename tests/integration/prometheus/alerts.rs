//! Tests each alert with `promtool test rules`, which evaluates the rules over time series as Prometheus does.

use std::collections::{BTreeMap, BTreeSet};

use pgrender::read;
use regex::Regex;
use serde_json::{Value, json};

use super::{Files, fixture, rules, variants};

const TABLE: &str = include_str!("alerts.yaml");
/// The page with a row for each alert: its name, its severity, and when it fires.
const PAGE: &str = include_str!("../../../docs/prometheus.md");
const NAMESPACE: &str = "postgres-operator";
const CLUSTER: &str = "hippo";
/// All alerts that fire at one moment, with what Alertmanager needs to tell clusters apart.
const FIRING: &str = "group by (alertname, severity, namespace, pg_cluster) (ALERTS{alertstate=\"firing\"})";

/// Time series by their names, each with its values.
type Series = BTreeMap<String, String>;

/// The namespace and the name of a cluster.
type Name = (&'static str, &'static str);

const OURS: Name = (NAMESPACE, CLUSTER);
/// Clusters whose time series must not matter.
const OTHERS: [Name; 4] = [(NAMESPACE, "hippo2"), (NAMESPACE, "hippo-dr"), (NAMESPACE, "hip"), ("other", CLUSTER)];

fn table() -> Value {
    read::documents("alerts.yaml", TABLE).unwrap()[0].node.to_json()
}

/// The series of a section of the table.
fn series(section: &Value) -> Series {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    section.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// The rules of a cluster with three instances.
fn rules_of_three() -> Value {
    rules(&fixture().replace("replicas: 2", "replicas: 3"))
}

/// A series of the table as one of a cluster, with the labels that the PodMonitor adds.
fn named(series: &str, (namespace, cluster): Name) -> String {
    let (metric, labels) = series.split_once('{').unwrap();
    let pod = |number: &str| format!("pod=\"{cluster}-instance1-{number}\"");
    let labels = ["0", "1", "2"]
        .iter()
        .fold(labels.to_owned(), |labels, number| labels.replacen(&format!("pod=\"{number}\""), &pod(number), 1));
    let labels = labels.replace(&format!("\"{CLUSTER}-instance1-"), &format!("\"{cluster}-instance1-"));
    let role = if labels.contains("role=") || !labels.contains("instance1-0") { "replica" } else { "master" };
    let role = if labels.contains(",role=") { String::new() } else { format!("role=\"{role}\",") };
    format!("{metric}{{namespace=\"{namespace}\",pg_cluster=\"{namespace}:{cluster}\",{role}{labels}")
}

/// The series of a cluster as promtool reads them, for `steps` steps.
fn input(series: &Series, cluster: Name, steps: usize) -> Vec<Value> {
    let values =
        |value: &String| if value.parse::<f64>().is_ok() { format!("{value}+0x{steps}") } else { value.clone() };
    let there = series.iter().filter(|(_, value)| *value != "none");
    there.map(|(name, value)| json!({"series": named(name, cluster), "values": values(value)})).collect()
}

/// The series of a healthy cluster, with these changes.
fn changed(healthy: &Series, changes: &Series) -> Series {
    healthy.clone().into_iter().chain(changes.clone()).collect()
}

/// The expectation that these alerts fire at a time, and no others.
fn expect(minutes: u64, alerts: &[String]) -> Value {
    let samples: Vec<Value> = alerts
        .iter()
        .map(|alert| {
            let (name, severity) = alert.split_once(' ').unwrap();
            let labels = format!(
                "{{alertname=\"{name}\",severity=\"{severity}\",namespace=\"{NAMESPACE}\",pg_cluster=\"{NAMESPACE}:{CLUSTER}\"}}"
            );
            json!({"labels": labels, "value": 1})
        })
        .collect();
    json!({"expr": FIRING, "eval_time": format!("{minutes}m"), "exp_samples": samples})
}

/// Runs tests with rules that are evaluated at an interval, and returns what promtool reports.
fn run(files: &Files, rules: &Value, interval: &str, tests: &[Value]) -> (bool, String) {
    files.write("rules.json", rules);
    files.write("tests.json", &json!({"rule_files": ["rules.json"], "evaluation_interval": interval, "tests": tests}));
    files.run(&["test", "rules", "tests.json"])
}

/// The rules with their names, as in the table.
fn by_name(rules: &Value) -> BTreeMap<String, Value> {
    let rules = rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rules
        .map(|rule| (format!("{} {}", text(&rule["alert"]), text(&rule["labels"]["severity"])), rule.clone()))
        .collect()
}

fn minutes(duration: &str) -> u64 {
    let (number, unit) = duration.split_at(duration.len() - 1);
    number.parse::<u64>().unwrap() * if unit == "h" { 60 } else { 1 }
}

#[test]
fn promtool_accepts_the_rules_of_every_cluster() {
    let Some(files) = Files::new() else { return };
    for (name, text) in variants() {
        files.write("rules.json", &rules(&text));
        let (success, said) = files.run(&["check", "rules", "--lint=all", "--lint-fatal", "rules.json"]);
        assert!(success, "{name}: {said}");
    }
}

#[test]
fn every_alert_is_in_the_table_and_says_what_to_do() {
    let table = table();
    let tested: BTreeSet<&str> =
        table["alerts"].as_array().unwrap().iter().map(|case| case["alert"].as_str().unwrap()).collect();
    let rules = by_name(&rules_of_three());
    assert_eq!(tested, rules.keys().map(String::as_str).collect());
    let word = Regex::new("<[a-z]+>").unwrap();
    for (name, rule) in rules {
        assert!(["critical", "warning", "info"].contains(&name.split_once(' ').unwrap().1), "{name}");
        let text = |key: &str| rule["annotations"][key].as_str().unwrap().to_owned();
        assert!(text("summary").len() < 160 && !text("summary").ends_with('.'), "{name}");
        assert!(text("description").contains('`') && text("description").ends_with('.'), "{name}");
        assert!(!word.is_match(&rule.to_string()), "{name} contains a word of the template");
    }
}

#[test]
fn the_page_has_every_alert() {
    let rows: BTreeSet<String> = PAGE
        .lines()
        .filter_map(|line| {
            let (alert, rest) = line.strip_prefix("| `Postgres")?.split_once("` | ")?;
            let (severity, when) = rest.split_once(" | for ")?;
            Some(format!("Postgres{alert} {severity} {}", when.split_once(',')?.0))
        })
        .collect();
    let rules = variants().into_iter().flat_map(|(_, text)| by_name(&rules(&text)));
    let expected: BTreeSet<String> =
        rules.map(|(name, rule)| format!("{name} {}", rule["for"].as_str().unwrap())).collect();
    assert_eq!(rows, expected);
}

#[test]
fn alerts_fire_when_they_should_and_not_at_the_edge() {
    let Some(files) = Files::new() else { return };
    let (table, rules) = (table(), rules_of_three());
    let healthy = series(&table["healthy"]);
    let by_name = by_name(&rules);
    let mut tests = vec![
        json!({"name": "healthy", "interval": "1m", "input_series": input(&healthy, OURS, 800), "promql_expr_test":
        [expect(5, &[]), expect(70, &[]), expect(780, &[])]}),
    ];
    for case in table["alerts"].as_array().unwrap() {
        let alert = case["alert"].as_str().unwrap().to_owned();
        let patience = minutes(by_name[&alert]["for"].as_str().unwrap());
        let end = patience + case["begins"].as_u64().unwrap_or_default() + 1;
        let steps = usize::try_from(end).unwrap() + 5;
        let (broken, edge) = (changed(&healthy, &series(&case["fires"])), changed(&healthy, &series(&case["edge"])));
        let also = case["also"].as_array().into_iter().flatten().map(|alert| alert.as_str().unwrap().to_owned());
        let mut firing: Vec<String> = also.chain([alert.clone()]).collect();
        firing.sort();
        let test = |name: &str, series: Vec<Value>, expected: Vec<Value>| json!({"name": format!("{alert}: {name}"), "interval": "1m", "input_series": series, "promql_expr_test": expected});
        let among = |series: &Series, others: &Series| -> Vec<Value> {
            let others = OTHERS.iter().flat_map(|other| input(others, *other, steps));
            input(series, OURS, steps).into_iter().chain(others).collect()
        };
        let expected = vec![expect(patience - 1, &[]), expect(end, &firing)];
        tests.push(test("fires", among(&broken, &healthy), expected));
        // Other clusters do not make it fire either.
        tests.push(test("edge", among(&edge, &broken), vec![expect(end, &[])]));
    }
    let (success, said) = run(&files, &rules, "1m", &tests);
    assert!(success, "{said}");
}

/// The values of a series, one for each 15 seconds of half an hour.
fn values(value: impl Fn(u64) -> Option<u64>) -> String {
    let texts: Vec<String> =
        (0..120).map(|step| value(step * 15).map_or_else(|| "stale".to_owned(), |value| value.to_string())).collect();
    texts.join(" ")
}

/// The series of two instances and a leader that changes. For each second: whether an instance can be scraped, which one
/// accepts writes, and which one Patroni of each instance last called the leader.
fn sequence(healthy: &Series, there: impl Fn(u64, u64) -> bool, leader: impl Fn(u64) -> Option<u64>) -> Series {
    let mut all = Series::new();
    for (name, value) in healthy {
        let pod = u64::from(name.contains("pod=\"1\"")) + 2 * u64::from(name.contains("pod=\"2\""));
        let metric = name.split_once('{').unwrap().0;
        let of_leader = [
            "ccp_is_in_recovery_status",
            "ccp_patroni_leader",
            "ccp_replication_lag_size_bytes",
            "ccp_wal_receiver_streaming",
        ];
        if of_leader.contains(&metric) {
            continue;
        }
        let number: u64 = value.split('+').next().unwrap().parse().unwrap();
        let is_up = metric == "up";
        all.insert(name.clone(), values(|time| (is_up || there(pod, time)).then_some(number)));
        if is_up {
            all.insert(name.clone(), values(|time| Some(u64::from(there(pod, time)))));
        }
    }
    // The first attempts of the new leader to archive fail, until three minutes after it has taken over.
    let fails = |time: u64| Some(7 + (time.clamp(900, 1080) - 900) / 60);
    all.insert("ccp_archive_command_status_failed_count{pod=\"1\"}".to_owned(), values(fails));
    let works = |time: u64| Some(5 + time.saturating_sub(1080) / 60);
    all.insert("ccp_archive_command_status_archived_count{pod=\"1\"}".to_owned(), values(works));
    for pod in 0..3 {
        for role in ["master", "replica"] {
            let is = |time: u64| if leader(time) == Some(pod) { "master" } else { "replica" };
            let now = |time: u64| there(pod, time) && is(time) == role;
            let of = |metric: &str| format!("{metric}{{pod=\"{pod}\",role=\"{role}\"}}");
            let status = if role == "master" { 2 } else { 1 };
            all.insert(of("ccp_is_in_recovery_status"), values(|time| now(time).then_some(status)));
            all.insert(of("ccp_patroni_leader"), values(|time| now(time).then_some(status - 1)));
        }
        let receives = |time: u64, from: u64| leader(time) == Some(from) && from != pod && there(from, time);
        for from in 0..3 {
            let name = format!("ccp_wal_receiver_streaming{{pod=\"{pod}\",upstream=\"{CLUSTER}-instance1-{from}\"}}");
            all.insert(name, values(|time| (there(pod, time) && receives(time, from)).then_some(1)));
        }
        let alone = |time: u64| leader(time) != Some(pod) && (0..3).all(|from| !receives(time, from));
        let name = format!("ccp_wal_receiver_streaming{{pod=\"{pod}\",upstream=\"\"}}");
        all.insert(name, values(|time| (there(pod, time) && alone(time)).then_some(0)));
        for replica in (0..3).filter(|replica| *replica != pod) {
            let labels = format!("pod=\"{pod}\",application_name=\"{CLUSTER}-instance1-{replica}\"");
            let streams = |time: u64| leader(time) == Some(pod) && there(pod, time) && there(replica, time);
            all.insert(
                format!("ccp_replication_lag_size_bytes{{{labels}}}"),
                values(|time| streams(time).then_some(4096)),
            );
        }
    }
    all
}

/// Expects no alert at any minute of half an hour.
fn silence() -> Vec<Value> {
    (1..30).map(|minute| expect(minute, &[])).collect()
}

#[test]
fn nobody_is_woken_by_a_failover_or_a_rolling_update() {
    let Some(files) = Files::new() else { return };
    let healthy = series(&table()["healthy"]);
    // The leader is gone after 10 minutes, another one takes over within 30 seconds, and the first comes back after two minutes.
    let lost = |time: u64| (600..720).contains(&time);
    let failover = sequence(
        &healthy,
        |pod, time| !(pod == 0 && lost(time)),
        |time| match time {
            0..600 => Some(0),
            600..630 => None,
            _ => Some(1),
        },
    );
    // Each pod is away for four minutes, one after the other, and the leader hands over before.
    let away = |pod: u64, time: u64| (300 + (2 - pod) * 300..540 + (2 - pod) * 300).contains(&time);
    let update = sequence(
        &healthy,
        |pod, time| !away(pod, time),
        |time| match time {
            0..870 => Some(0),
            870..885 => None,
            _ => Some(1),
        },
    );
    // This is noticed by the same test, if it lasts.
    let gone = sequence(&healthy, |_, _| true, |time| (time < 600).then_some(0));
    let alert = "PostgresNoLeader critical".to_owned();
    let tests = [
        json!({"name": "failover", "interval": "15s", "input_series": input(&failover, OURS, 120), "promql_expr_test": silence()}),
        json!({"name": "update", "interval": "15s", "input_series": input(&update, OURS, 120), "promql_expr_test": silence()}),
        json!({"name": "gone", "interval": "15s", "input_series": input(&gone, OURS, 120), "promql_expr_test":
        [expect(11, &[]), expect(13, &[alert])]}),
    ];
    let (success, said) = run(&files, &rules_of_three(), "15s", &tests);
    assert!(success, "{said}");
}

/// The rules of a cluster in the section `situations` of the table, and its series.
fn situated(cluster: &str, healthy: &Series) -> (Value, Series) {
    let three = |variant: &str| {
        let (_, text) = variants().into_iter().find(|(name, _)| *name == variant).unwrap();
        rules(&text.replace("replicas: 2", "replicas: 3"))
    };
    let standby = |upstream: &str, streaming: &str| {
        let is_there =
            |name: &str| !name.starts_with("ccp_backrest") && !name.starts_with("ccp_wal_receiver_streaming{pod=\"0\"");
        let receiver = format!("ccp_wal_receiver_streaming{{pod=\"0\",upstream=\"{upstream}\"}}");
        let follows =
            [("ccp_is_in_recovery_status{pod=\"0\"}".to_owned(), "1".to_owned()), (receiver, streaming.to_owned())];
        healthy.clone().into_iter().filter(|(name, _)| is_there(name)).chain(follows).collect()
    };
    match cluster {
        "three" => (rules_of_three(), healthy.clone()),
        "one" => {
            let of_first = |name: &str| name.contains("pod=\"0\"") && !name.contains("application_name");
            (three("one instance"), healthy.clone().into_iter().filter(|(name, _)| of_first(name)).collect())
        }
        "streams" => (three("streams"), standby("rhino", "1")),
        "restores" => (three("restores"), standby("", "0")),
        other => panic!("no cluster {other}"),
    }
}

#[test]
fn what_is_missing_is_not_taken_for_what_is_wrong() {
    let Some(files) = Files::new() else { return };
    let table = table();
    let healthy = series(&table["healthy"]);
    let mut wrong = Vec::new();
    for situation in table["situations"].as_array().unwrap() {
        let name = situation["name"].as_str().unwrap();
        let (rules, before) = situated(situation["cluster"].as_str().unwrap_or("three"), &healthy);
        let without = situation["without"].as_str().map(|pattern| Regex::new(pattern).unwrap());
        let is_there = |series: &str| without.as_ref().is_none_or(|without| !without.is_match(series));
        let changes = situation.get("change").map(series).unwrap_or_default();
        let mut now = before.into_iter().filter(|(series, _)| is_there(series)).collect::<Series>();
        now.extend(changes);
        let minutes = situation["minutes"].as_u64().unwrap();
        let firing: Vec<String> = situation["alerts"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|alert| alert.as_str().unwrap().to_owned())
            .collect();
        let expected = if firing.is_empty() {
            let step = usize::try_from(minutes / 60).unwrap().max(1);
            (1..=minutes).step_by(step).map(|minute| expect(minute, &[])).collect()
        } else {
            vec![expect(minutes, &firing)]
        };
        let steps = usize::try_from(minutes).unwrap() + 5;
        let mut input = input(&now, OURS, steps);
        if situation["jobs"] == 2 {
            let of_job = |series: &Value, job: &str| {
                let name = series["series"].as_str().unwrap().replacen('{', &format!("{{job=\"{job}\","), 1);
                json!({"series": name, "values": series["values"]})
            };
            input = input.iter().flat_map(|series| ["one", "two"].map(|job| of_job(series, job))).collect();
        }
        let test = json!({"name": name, "interval": "1m", "input_series": input, "promql_expr_test": expected});
        let (success, said) = run(&files, &rules, "1m", &[test]);
        if !success {
            wrong.push(said);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
