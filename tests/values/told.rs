//! What is rendered as it was said, and what its author is told of it.

use pgrender::options::Options;
use pgrender::resolve::resolve;
use pgrender::write::yaml;
use pgrender::{parse, read};
use serde_json::{Value, json};

use crate::spec::cluster;

/// The warnings of a cluster that has no errors.
fn warnings(more: &Value) -> Vec<String> {
    let documents = read::documents("cluster.yaml", &yaml::to_string(&cluster(17, more))).unwrap();
    let (resource, _) = parse::parse(&documents[0], parse::Settings::default());
    let (cluster, diagnostics) = resolve(&resource.unwrap(), &Options::default());
    assert!(cluster.is_some(), "{diagnostics:?}");
    diagnostics.iter().map(ToString::to_string).filter(|line| line.contains("warning: ")).collect()
}

fn rules(lines: &[&str]) -> Value {
    json!({"authentication": {"rules": lines.iter().map(|line| json!({"hba": line})).collect::<Vec<_>>()}})
}

#[test]
fn a_rule_that_matches_nobody_is_told() {
    let told = warnings(&rules(&["host all all ALL md5", "host all all \"all\" md5", "host All all all md5"]));
    assert_eq!(told.iter().filter(|line| line.contains("not the keyword")).count(), 3, "{told:?}");
    assert_eq!(
        warnings(&rules(&["hostssl all /^app all md5", "hostssl all \"ALL\" all reject"])),
        Vec::<String>::new()
    );
}

#[test]
fn a_secret_that_would_stand_in_a_config_map_is_told() {
    let databases = json!({"x": "host=a password=hush", "y": "host=a user=b"});
    let told = warnings(&json!({"proxy": {"pgBouncer": {"image": "i", "config": {"databases": databases}}}}));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("config.databases.x: ") && !told[0].contains("hush"), "{told:?}");

    let global =
        json!({"repo1-cipher-pass": "hush", "repo1-s3-key-secret": "hush", "repo1-gcs-key": "/x", "start-fast": "y"});
    let repositories = json!([{"name": "repo1", "gcs": {"bucket": "b"}}]);
    let pgbackrest = json!({"image": "i", "repos": repositories, "global": global});
    let told = warnings(&json!({"backups": {"pgbackrest": pgbackrest}}));
    assert_eq!(told.iter().filter(|line| line.contains("is a secret")).count(), 2, "{told:?}");
    assert!(!told.concat().contains("hush"), "{told:?}");
}

#[test]
fn only_a_parameter_takes_the_place_of_rules() {
    let told = |section: &str| {
        let postgresql = json!({section: {"hba_file": "/etc/postgres/hba"}});
        warnings(&json!({"patroni": {"dynamicConfiguration": {"postgresql": postgresql}}}))
    };
    assert!(told("parameters").concat().contains("takes the place"), "{:?}", told("parameters"));
    assert!(!told("recovery_conf").concat().contains("takes the place"), "{:?}", told("recovery_conf"));
}
