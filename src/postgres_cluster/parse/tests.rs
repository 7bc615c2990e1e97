use super::*;
use crate::parse::schema;
use crate::read;

fn verdict(text: &str, settings: Settings) -> (Option<Value>, Vec<String>) {
    let documents = read::documents("c.yaml", text).unwrap();
    let (object, diagnostics) = validate(&documents[0], settings);
    (object, diagnostics.iter().map(ToString::to_string).collect())
}

fn cluster(rest: &str) -> String {
    format!(
        "apiVersion: postgres-operator.crunchydata.com/v1
kind: PostgresCluster
metadata: {{name: hippo}}
spec:
  postgresVersion: 17
  instances:
  - dataVolumeClaimSpec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
{rest}"
    )
}

#[test]
fn of_many_findings_the_first_are_kept_and_the_rest_is_counted() {
    let items = "1, ".repeat(19_000);
    let text = format!(
        "{{apiVersion: {}, kind: PostgresCluster, metadata: {{name: hippo}}, spec: {{postgresVersion: 17, \
         instances: [{{containers: [{{name: a, env: [{items}]}}]}}]}}}}",
        DEFINITION.api_versions[0]
    );
    let documents = crate::read::documents("", &text).unwrap();
    let (_, found) = validate(&documents[0], Settings::default());
    assert!(found.len() < 1000, "{}", found.len());
    let told = crate::diagnostic::shorten(found);
    let last = told.last().unwrap().to_string();
    // Each item of `env` has a wrong type, all but one repeat the name of another, and the claim of the instance is missing.
    assert!(last.contains("… and 37900 more errors"), "{last}");
}

#[test]
fn all_lists_together_have_a_limit() {
    let items = "{}, ".repeat(15_000);
    let text = format!(
        "{{apiVersion: {}, kind: PostgresCluster, metadata: {{name: hippo}}, spec: {{postgresVersion: 17, \
         config: {{files: [{items}]}}, imagePullSecrets: [{items}]}}}}",
        DEFINITION.api_versions[0],
    );
    let documents = crate::read::documents("", &text).unwrap();
    let (_, found) = validate(&documents[0], Settings::default());
    let told: Vec<_> = found.iter().filter(|one| one.message.contains("more than 20000 items")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn defaults_are_filled_in_and_nulls_and_status_dropped() {
    let (object, messages) = verdict(&cluster("  proxy: null\n  port: null\nstatus: {x: y}\n"), Settings::default());
    assert!(messages.is_empty(), "{messages:?}");
    let expected = serde_json::json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1",
        "kind": "PostgresCluster",
        "metadata": {"name": "hippo"},
        "spec": {
            "postgresVersion": 17,
            "instances": [{
                "dataVolumeClaimSpec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
                "name": "",
                "replicas": 1,
            }],
            "port": 5432,
        },
    });
    assert_eq!(object, Some(expected));
}

#[test]
fn all_errors_come_at_once_in_the_order_of_the_text() {
    let text =
        cluster("    replica: 2\n  port: two\n  users: [{name: y}, {name: A_b, password: {type: ascii}}]\nspecs: {}\n");
    let (object, messages) = verdict(&text, Settings::default());
    assert_eq!(object, None);
    assert_eq!(
        messages,
        [
            "c.yaml:8:5: error: spec.instances[0].replica: unknown field, did you mean `replicas`?",
            "c.yaml:9:3: error: spec.port: expected an integer, found the string `two`",
            "c.yaml:10:12: error: spec.users[0].name: expected a string, found the boolean `y`: write it in quotes, `\"y\"`",
            "c.yaml:10:23: error: spec.users[1].name: `A_b` is not a valid name: write lower-case letters, digits and `-`, and begin and end with a letter or digit",
            "c.yaml:10:45: error: spec.users[1].password.type: `ascii` is not one of `ASCII`, `AlphaNumeric`",
            "c.yaml:11:1: error: specs: unknown field, did you mean `spec`?",
        ]
    );
}

#[test]
fn a_missing_field_is_located_at_its_parent() {
    let (_, messages) = verdict(&cluster("  userInterface:\n    pgAdmin: {}\n"), Settings::default());
    assert_eq!(
        messages,
        ["c.yaml:9:5: error: spec.userInterface.pgAdmin.dataVolumeClaimSpec: required field is missing"]
    );
}

#[test]
fn the_version_decides_which_rules_there_are() {
    let text = cluster("  config: {parameters: {log_directory: /tmp}}\n");
    assert_eq!(verdict(&text, Settings::default()).1.len(), 1);
    let older = text.replace("com/v1\n", "com/v1beta1\n");
    assert_eq!(verdict(&older, Settings::default()).1.len(), 0);
}

#[test]
fn another_version_is_told_which_there_are() {
    let text = cluster("  port: two\n").replace("com/v1\n", "com/v1alpha1\n");
    let (object, messages) = verdict(&text, Settings::default());
    assert_eq!(object, None);
    assert_eq!(
        messages,
        ["c.yaml:1:1: error: apiVersion: expected an API version of PostgresCluster, found the string \
          `postgres-operator.crunchydata.com/v1alpha1`: write `postgres-operator.crunchydata.com/v1` or `postgres-operator.crunchydata.com/v1beta1`"]
    );
}

#[test]
fn a_quoted_word_of_yaml_1_1_is_a_boolean_only_where_kustomize_quoted_it() {
    let text = cluster("  shutdown: \"off\"\n");
    let (object, messages) = verdict(&text, Settings::default());
    assert_eq!(object, None);
    assert_eq!(
        messages,
        ["c.yaml:8:3: error: spec.shutdown: expected `true` or `false`, found the string `off`: \
          write `false` without quotes"]
    );

    let (object, messages) = verdict(&text, Settings { through_kustomize: true });
    assert_eq!(object.unwrap()["spec"]["shutdown"], false);
    assert_eq!(messages, ["c.yaml:8:3: warning: spec.shutdown: the string `off` is read as `false`: write `false`"]);

    let (object, _) = verdict(&cluster("  shutdown: \"maybe\"\n"), Settings { through_kustomize: true });
    assert_eq!(object, None);
}

#[test]
fn what_may_be_secret_is_not_repeated() {
    let text = cluster(
        "  backups: {pgbackrest: {global: {repo1-cipher-pass: 4711}, repos: [{name: repo1}]}}
  authentication: {rules: [{connection: host, method: ldap, options: {ldapbindpasswd: 47.11}}]}
  users: [{name: a, options: \"PASSWORD '4711';\"}]
",
    );
    let (_, messages) = verdict(&text, Settings::default());
    assert_eq!(messages.len(), 3, "{messages:?}");
    for message in messages {
        assert!(!message.contains("4711") && !message.contains("47.11"), "{message}");
    }
}

#[test]
fn a_timestamp_is_a_time() {
    let text = cluster("").replace("{name: hippo}", "{name: hippo, deletionTimestamp: yesterday}");
    let (_, messages) = verdict(&text, Settings::default());
    assert_eq!(
        messages,
        [
            "c.yaml:3:25: error: metadata.deletionTimestamp: `yesterday` is not a valid time: write it as in `2026-01-31T12:00:00Z`"
        ]
    );
}

#[test]
fn something_else_than_a_mapping_is_refused() {
    let (object, messages) = verdict("[1]", Settings::default());
    assert_eq!(object, None);
    assert_eq!(messages, ["c.yaml:1:1: error: expected a PostgresCluster, found a list"]);
}

#[test]
fn every_default_is_of_the_type_it_stands_for() {
    for node in schema::all() {
        let Some(default) = &node.default else { continue };
        let right = match node.kind {
            schema::Type::Boolean => default.is_boolean(),
            schema::Type::Integer => default.is_i64(),
            schema::Type::String => default.is_string(),
            _ => false,
        };
        assert!(right, "{node:?}");
    }
}
