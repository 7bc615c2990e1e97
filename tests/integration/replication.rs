//! Tests who can replicate from a cluster, as its user wants it: the map of `pg_ident.conf`, the certificate, and the messages.
//! The tests in `pairs` use real servers.

use pgrender::identity::Seed;
use pgrender::identity::x509;
use pgrender::read;
use pgrender::render::{Rendered, render};
use serde_json::{Value, json};

use crate::common::rendering::{SEED, objects, options};

/// A small cluster in a namespace, with additional fields in its `spec`.
fn cluster(namespace: &str, name: &str, more: &Value) -> Value {
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let mut cluster = json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1",
        "kind": "PostgresCluster",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"postgresVersion": 17, "image": "postgres", "instances": [{"name": "one", "dataVolumeClaimSpec": claim}]},
    });
    cluster["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    cluster
}

fn annotated(mut cluster: Value, value: &str) -> Value {
    cluster["metadata"]["annotations"] = json!({"pgrender.dev/accept-standby": value});
    cluster
}

fn rendered(clusters: &[Value]) -> Rendered {
    let texts: Vec<String> = clusters.iter().map(Value::to_string).collect();
    let documents = read::documents("clusters.yaml", &texts.join("\n---\n")).unwrap();
    render(&documents, &options(), Ok(&Seed::new(SEED.as_bytes()).ok().unwrap()))
}

/// Returns what is reported about clusters, except when to render them again.
fn told(clusters: &[Value]) -> Vec<String> {
    let diagnostics = rendered(clusters).diagnostics;
    diagnostics.iter().map(ToString::to_string).filter(|line| !line.contains("render and apply again")).collect()
}

/// Returns the lines of `pg_ident.conf` of a cluster called `alpha`, and the common name of its client certificate, if it has
/// one.
fn map_and_name(cluster: &Value) -> (Vec<String>, Option<String>) {
    let objects = objects(&cluster.to_string()).unwrap();
    let find = |kind: &str, name: &str| {
        objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
    };
    let text = find("ConfigMap", "alpha-config").unwrap()["data"]["patroni.yaml"].as_str().unwrap();
    let configuration = read::documents("patroni.yaml", text).unwrap()[0].node.to_json();
    let lines = configuration["bootstrap"]["dcs"]["postgresql"]["pg_ident"].as_array().unwrap();
    let name = find("Secret", "alpha-replication-cert").map(|secret| {
        use base64::Engine;
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(secret["data"]["tls.crt"].as_str().unwrap()).unwrap();
        x509::certificates(&String::from_utf8(bytes).unwrap()).unwrap()[0].common_name.clone().unwrap()
    });
    (lines.iter().map(|line| line.as_str().unwrap().to_owned()).collect(), name)
}

const OWN: &str = r#"_crunchyrepl "_crunchyrepl@zoo/alpha" "_crunchyrepl""#;
const SHARED: &str = r#"_crunchyrepl "_crunchyrepl" "_crunchyrepl""#;

#[test]
fn only_a_cluster_that_has_to_accepts_the_name_that_all_share() {
    let alpha = |more: Value| cluster("zoo", "alpha", &more);
    let repository = json!({
        "standby": {"enabled": true, "repoName": "repo1"},
        "backups": {"pgbackrest": {"image": "pgbackrest", "repos": [{"name": "repo1", "s3": {"bucket": "b", "endpoint": "e", "region": "r"}}]}},
    });
    let mut both = repository.clone();
    both["standby"]["host"] = json!("far.example");
    let passed_on = json!({"patroni": {"dynamicConfiguration": {"standby_cluster": {"host": "far.example"}}}});
    let brought = json!({"customTLSSecret": {"name": "mine"}, "customReplicationTLSSecret": {"name": "mine-too"}});
    let (own, shared) = (Some("_crunchyrepl@zoo/alpha".to_owned()), Some("_crunchyrepl".to_owned()));
    for (cluster, lines, name) in [
        (alpha(json!({})), vec![OWN], &own),
        (annotated(alpha(json!({})), "false"), vec![OWN], &own),
        (annotated(alpha(json!({})), "true"), vec![OWN, SHARED], &own),
        (alpha(json!({"standby": {"enabled": false, "host": "far.example"}})), vec![OWN], &own),
        (alpha(repository), vec![OWN], &own),
        (alpha(both), vec![OWN, SHARED], &shared),
        (alpha(json!({"standby": {"enabled": true, "host": "far.example"}})), vec![OWN, SHARED], &shared),
        (alpha(passed_on), vec![OWN, SHARED], &shared),
        (alpha(brought), vec![SHARED], &None),
    ] {
        assert_eq!(map_and_name(&cluster), (lines.into_iter().map(str::to_owned).collect(), name.clone()), "{cluster}");
    }
}

#[test]
fn the_users_lines_come_after_ours() {
    let line = r#"mine "/^(.*)@company$" \1"#;
    let more = json!({"patroni": {"dynamicConfiguration": {"postgresql": {"pg_ident": [line, "# a comment"]}}}});
    assert_eq!(map_and_name(&cluster("zoo", "alpha", &more)).0, [OWN, line, "# a comment"]);
}

#[test]
fn nothing_adds_to_the_map_or_puts_it_aside() {
    let ident = |lines: Value| json!({"patroni": {"dynamicConfiguration": {"postgresql": {"pg_ident": lines}}}});
    let dynamic =
        |name: &str| json!({"patroni": {"dynamicConfiguration": {"postgresql": {"parameters": {name: "/tmp/file"}}}}});
    let reserved = "the map `_crunchyrepl` is reserved";
    for (more, field, message) in [
        (ident(json!(["mine a b", "_crunchyrepl /. _crunchyrepl"])), "postgresql.pg_ident[1]", reserved),
        (ident(json!([r#" ,"_crunchyrepl" x y"#])), "postgresql.pg_ident[0]", reserved),
        (ident(json!(["mine a b\n_crunchyrepl c _crunchyrepl"])), "postgresql.pg_ident[0]", reserved),
        (dynamic("ident_file"), "postgresql.parameters.ident_file", "in the file that Patroni writes"),
        (dynamic("Ident_File"), "postgresql.parameters.Ident_File", "in the file that Patroni writes"),
        (
            json!({"config": {"parameters": {"Ident_File": "/tmp/file"}}}),
            "spec.config.parameters.Ident_File",
            "that Patroni writes",
        ),
    ] {
        let told = told(&[cluster("zoo", "alpha", &more)]);
        let found = told
            .iter()
            .any(|line| line.contains("error: ") && line.contains(&format!("{field}: ")) && line.contains(message));
        assert!(found, "{more}: {told:?}");
    }
}

#[test]
fn the_annotation_has_two_values_and_says_when_it_does_nothing() {
    for value in ["True", "yes", "", "zoo/beta"] {
        let told = told(&[annotated(cluster("zoo", "alpha", &json!({})), value)]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("error: ") && told[0].contains("is not a boolean"), "{told:?}");
    }
    let brought = json!({"customTLSSecret": {"name": "mine"}, "customReplicationTLSSecret": {"name": "mine-too"}});
    let told = told(&[annotated(cluster("zoo", "alpha", &brought), "true")]);
    assert!(told.iter().any(|line| line.contains("warning: ") && line.contains("has no effect")), "{told:?}");
}

#[test]
fn a_standby_cluster_that_its_source_refuses_is_told_so() {
    let standby =
        |namespace: &str, host: &str| cluster(namespace, "delta", &json!({"standby": {"enabled": true, "host": host}}));
    let alpha = cluster("zoo", "alpha", &json!({}));
    let warns = |clusters: &[Value]| {
        let told = told(clusters);
        let lines: Vec<&String> =
            told.iter().filter(|line| line.contains("does not accept standby clusters")).collect();
        assert!(
            lines.iter().all(|line| line.contains("warning: spec.standby.host: `PostgresCluster zoo/alpha`")),
            "{lines:?}"
        );
        lines.len()
    };
    for (namespace, host) in [
        ("zoo", "alpha-primary"),
        ("zoo", "alpha-replicas.zoo"),
        ("far", "alpha-ha.zoo.svc"),
        ("far", "alpha-primary.zoo.svc.cluster.local."),
        ("far", "alpha-one-0.alpha-pods.zoo.svc"),
        ("zoo", "elsewhere.example,alpha-primary"),
    ] {
        assert_eq!(warns(&[alpha.clone(), standby(namespace, host)]), 1, "{host}");
        assert_eq!(warns(&[annotated(alpha.clone(), "true"), standby(namespace, host)]), 0, "{host}");
    }
    for (namespace, host) in [
        ("far", "alpha-primary"),
        ("zoo", "alpha-primary.far.svc"),
        ("zoo", "beta-primary"),
        ("zoo", "primary.example"),
    ] {
        assert_eq!(warns(&[alpha.clone(), standby(namespace, host)]), 0, "{host}");
        let told = told(&[alpha.clone(), standby(namespace, host)]);
        let note = "info: spec.standby.host: the cluster at this host must accept this standby";
        assert!(told.iter().any(|line| line.contains(note)), "{told:?}");
    }
    for host in ["delta-primary", "far.example,delta-one-0.delta-pods.zoo.svc."] {
        let told = told(&[standby("zoo", host)]);
        assert!(
            told.iter().any(|line| line.contains("error: spec.standby.host: ") && line.contains("itself")),
            "{told:?}"
        );
    }
    let passed_on = json!({"patroni": {"dynamicConfiguration": {"standby_cluster": {"host": "alpha-primary"}}}});
    let told = told(&[alpha, cluster("zoo", "delta", &passed_on)]);
    let field = "spec.patroni.dynamicConfiguration.standby_cluster.host: `PostgresCluster zoo/alpha` does not accept";
    assert!(told.iter().any(|line| line.contains(field)), "{told:?}");
}

/// pgBackRest's `tls-server-auth` would read a name with one of these characters as two names, or Postgres would end the word
/// there.
#[test]
fn no_name_says_two_things() {
    for name in ["a=b", "a,b", "a/b", "a b", "a\"b", "a#b", "a@b"] {
        assert!(told(&[cluster("zoo", name, &json!({}))]).iter().any(|line| line.contains("error: ")), "{name}");
        assert!(told(&[cluster(name, "alpha", &json!({}))]).iter().any(|line| line.contains("error: ")), "{name}");
    }
}
