//! Tests what pgrender says about the settings of exporters, and about the variables and files in them.

use serde_json::{Value, json};

use super::{cluster, objects, told, told_about};

/// A cluster whose logs go to an exporter with these settings, beside this in `config`.
fn sending(settings: &Value, config: &Value) -> Value {
    let mut config = config.clone();
    config["exporters"] = json!({"otlphttp": settings});
    cluster(&json!({"config": config, "logs": {"exporters": ["otlphttp"]}}))
}

#[test]
fn a_variable_that_does_not_exist_is_told() {
    let config = json!({"environmentVariables": [{"name": "OTLP_TOKEN", "value": ""}]});
    for (text, meant) in [
        ("Bearer ${env:OTLP_TOKEN}", None),
        ("Bearer ${OTLP_TOKEN}", None),
        ("Bearer ${env:ABSENT:-none}", None),
        ("Bearer $${env:ABSENT}", None),
        ("Bearer ${file:/etc/otel-collector/token}", None),
        ("${env:K8S_POD_NAME}", None),
        ("Bearer ${env:OTLP_TOKN}", Some("did you mean `OTLP_TOKEN`?")),
        ("${OTLP_TOKEN}${env:ABSENT}", Some("there is no variable `ABSENT`")),
    ] {
        let told = told(&sending(&json!({"headers": {"Authorization": text}}), &config));
        let found: Vec<_> = told.iter().filter(|line| line.contains("there is no variable")).collect();
        assert_eq!(found.len(), usize::from(meant.is_some()), "{text}: {told:?}");
        assert!(meant.is_none_or(|meant| found[0].contains(meant)), "{text}: {told:?}");
        assert!(found.iter().all(|line| line.contains("config.exporters.otlphttp.headers.Authorization")), "{told:?}");
    }
}

#[test]
fn a_secret_where_everybody_can_read_it_is_told() {
    for settings in [
        json!({"headers": {"Authorization": "Bearer hush"}}),
        json!({"headers": {"x-honeycomb-team": "hush"}}),
        json!({"headers": {"signoz-ingestion-key": "hush"}}),
        json!({"endpoint": "https://user:hush@there"}),
    ] {
        let told = told(&sending(&settings, &json!({})));
        assert!(told.iter().any(|line| line.contains("is written into a ConfigMap")), "{settings}: {told:?}");
        assert!(told.iter().all(|line| !line.contains("hush")), "{told:?}");
    }
    for settings in [
        json!({"headers": {"x-scope-orgid": "zoo"}, "endpoint": "https://there:4318"}),
        json!({"endpoint": "https://user:${env:K8S_POD_NAME}@there"}),
    ] {
        assert_eq!(told(&sending(&settings, &json!({}))), Vec::<String>::new());
    }
    let config = json!({"environmentVariables": [{"name": "MY_TOKEN", "value": "hush"}]});
    let told = told(&sending(&json!({}), &config));
    assert!(told.len() == 1 && told[0].contains("environmentVariables[0].value: is written into the pods"), "{told:?}");
    assert!(!told[0].contains("hush"), "{told:?}");
}

#[test]
fn a_file_that_no_item_provides_is_told() {
    let settings = json!({"tls": {"ca_file": "/etc/otel-collector/cax.crt"}});
    let file = |item: Value| json!({"files": [{"configMap": {"name": "ca", "items": item}}]});
    let told_of = |config: &Value| told(&sending(&settings, config)).len();
    assert_eq!(told_of(&file(json!([{"key": "a", "path": "ca.crt"}]))), 1);
    assert_eq!(told_of(&json!({})), 1);
    assert_eq!(told_of(&file(json!([{"key": "a", "path": "cax.crt"}]))), 0);
    assert_eq!(told_of(&json!({"files": [{"configMap": {"name": "ca"}}]})), 0, "its keys are not known");
}

#[test]
fn a_key_that_an_object_of_the_input_lacks_is_an_error() {
    let variable = |source: Value| json!({"environmentVariables": [{"name": "A", "valueFrom": source}]});
    let item = json!([{"key": "a", "path": "b"}]);
    for (config, field) in [
        (
            variable(json!({"secretKeyRef": {"name": "mine", "key": "a"}})),
            "environmentVariables[0].valueFrom.secretKeyRef.key",
        ),
        (
            variable(json!({"configMapKeyRef": {"name": "mine", "key": "a"}})),
            "environmentVariables[0].valueFrom.configMapKeyRef.key",
        ),
        (json!({"files": [{"secret": {"name": "mine", "items": item}}]}), "files[0].secret.items[0].key"),
        (json!({"files": [{"configMap": {"name": "mine", "items": item}}]}), "files[0].configMap.items[0].key"),
    ] {
        let cluster = sending(&json!({}), &config);
        let with = |key: &str| {
            let object = |kind: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "mine", "namespace": "zoo"}, "data": {key: "aHVzaA=="}});
            told_about(&[cluster.clone(), object("Secret"), object("ConfigMap")])
        };
        assert_eq!(with("a"), Vec::<String>::new(), "{field}");
        let told = with("b");
        assert!(told.len() == 1 && told[0].contains(field) && told[0].contains("has no key `a`"), "{told:?}");
    }
}

#[test]
fn alerts_name_the_files_of_logs() {
    let options = pgrender::options::Options { prometheus_operator: true, ..super::options() };
    let description = |cluster: &Value| {
        let objects = crate::common::rendering::objects_from(&cluster.to_string(), super::SEED, &options).unwrap();
        let rule = objects.iter().find(|object| object["kind"] == "PrometheusRule").unwrap().to_string();
        assert!(rule.contains("logs POD`"));
        rule.contains("tail -n 50 /pgdata/logs/postgres/* /pgdata/patroni/log/*")
    };
    assert!(description(&cluster(&json!({}))));
    let mut without = cluster(&json!({}));
    without["spec"].as_object_mut().unwrap().remove("instrumentation");
    without["spec"]["monitoring"] = json!({"pgmonitor": {"exporter": {}}});
    assert!(!description(&without));
    assert!(objects(&without.to_string()).is_ok());
}

#[test]
fn a_variable_that_a_pod_cannot_have_is_an_error() {
    let secret = json!({"secretKeyRef": {"name": "a", "key": "b"}});
    for (variable, words) in [
        (json!({"name": "A B=", "value": "x"}), "is not the name of a variable"),
        (json!({"name": "PATH", "value": "/nowhere"}), "a variable of the container's script"),
        (json!({"name": "A", "value": "x", "valueFrom": secret}), "write only one of them"),
        (json!({"name": "A", "valueFrom": {}}), "a variable has one source"),
        (
            json!({"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}, "fieldRef": {"fieldPath": "spec.nodeName"}}}),
            "a variable has one source",
        ),
        (json!({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.nope"}}}), "is not a field"),
        (json!({"name": "A", "valueFrom": {"secretKeyRef": {"name": "", "key": "b"}}}), "needs the `name`"),
    ] {
        let told = told(&sending(&json!({}), &json!({"environmentVariables": [variable]})));
        assert!(told.iter().any(|line| line.contains("error: ") && line.contains(words)), "{variable}: {told:?}");
    }
    let twice = json!({"environmentVariables": [{"name": "A", "value": "x"}, {"name": "A", "value": "y"}]});
    assert!(told(&sending(&json!({}), &twice)).iter().any(|line| line.contains("two variables have the name `A`")));
    for source in [secret, json!({"fieldRef": {"fieldPath": "metadata.labels['app']"}})] {
        let config = json!({"environmentVariables": [{"name": "A", "valueFrom": source}]});
        assert_eq!(told(&sending(&json!({}), &config)), Vec::<String>::new());
    }
}

#[test]
fn an_unknown_type_of_exporter_is_told() {
    let told_of =
        |name: &str| told(&cluster(&json!({"config": {"exporters": {name: {}}}, "logs": {"exporters": [name]}})));
    for name in ["otlphtp", "kafkaa", "otlphtp/two"] {
        assert!(told_of(name).iter().any(|line| line.contains("error: ") && line.contains("did you mean")), "{name}");
    }
    let told = told_of("zookeeper_of_our_company");
    assert!(told.len() == 1 && told[0].contains("warning: "), "{told:?}");
    assert_eq!(told_of("otlphttp/two"), Vec::<String>::new());
}

#[test]
fn the_ports_of_the_collector_are_those_of_nobody_else() {
    for (endpoint, is_taken) in [(":5432", true), ("0.0.0.0:8008", true), (":9187", true), (":8889", false)] {
        let exporters = json!({"prometheus/own": {"endpoint": endpoint}});
        let told =
            told(&cluster(&json!({"config": {"exporters": exporters}, "metrics": {"exporters": ["prometheus/own"]}})));
        assert_eq!(told.iter().any(|line| line.contains("choose another port")), is_taken, "{endpoint}: {told:?}");
    }
}

#[test]
fn a_file_of_the_user_replaces_none_of_ours() {
    let cluster = sending(&json!({}), &json!({"files": [{"configMap": {"name": "mine"}}]}));
    for pod in super::pods(&objects(&cluster.to_string()).unwrap()) {
        let volumes = pod["spec"]["volumes"].as_array().unwrap();
        let volume = |name: &str| volumes.iter().find(|volume| volume["name"] == name).unwrap().to_string();
        assert!(!volume("collector-config").contains("mine") && volume("collector-files").contains("mine"));
    }
}
