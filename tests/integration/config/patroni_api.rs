//! Tests which requests Patroni's API accepts from whom, and what it shows: with a complete Patroni and its Postgres that use
//! rendered files (`patroni_api.py`). Also tests where the rendered objects have passwords.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pgrender::options::{CredentialSource, Options};
use serde_json::{Value, json};

use crate::common::rendering::{SEED, objects, objects_from, objects_with, options};
use crate::common::tools::{postgres_server, python, success};

const HUSH: &str = "hush-hush";

/// A cluster in the namespace `zoo` with one instance and with additional fields in its `spec`.
fn cluster(name: &str, version: u16, annotations: &Value, more: &Value) -> String {
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let mut cluster = json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1",
        "kind": "PostgresCluster",
        "metadata": {"name": name, "namespace": "zoo", "annotations": annotations},
        "spec": {
            "postgresVersion": version,
            "image": "postgres",
            "instances": [{"name": "one", "dataVolumeClaimSpec": claim}],
            "patroni": {"syncPeriodSeconds": 2},
        },
    });
    cluster["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    cluster.to_string()
}

/// Rules of which the first one uses LDAP with a password.
fn rules() -> Value {
    let options =
        json!({"ldapserver": "ldap.invalid", "ldapbasedn": "dc=x", "ldapbinddn": "cn=x", "ldapbindpasswd": HUSH});
    json!({"rules": [
        {"connection": "hostssl", "users": ["nobody"], "method": "ldap", "options": options},
        {"connection": "hostssl", "method": "scram-sha-256"},
    ]})
}

#[test]
fn whoever_changes_something_has_the_certificate_and_the_password_of_the_cluster() {
    let (Some((postgres, version)), Some(python)) = (postgres_server(), python("patroni, psycopg, pysyncobj")) else {
        return;
    };
    // Real programs check the validity of certificates, so they must be valid today.
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().try_into().unwrap();
    let today = |text: &str| objects_from(text, SEED, &Options { time, ..options() }).unwrap();
    let alpha = |annotations: &Value, more: &Value| today(&cluster("alpha", version, annotations, more));
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let repository = json!({"name": "repo1", "volume": {"volumeClaimSpec": claim}});
    let beta = json!({
        "backups": {"pgbackrest": {"image": "pgbackrest", "repos": [repository]}},
        "proxy": {"pgBouncer": {"image": "pgbouncer"}},
    });
    let input = json!({
        "plain": alpha(&json!({}), &json!({})),
        "alone": alpha(&json!({}), &json!({"patroni": {"dynamicConfiguration": {"failsafe_mode": false}}})),
        "secret": alpha(&json!({}), &json!({"authentication": rules()})),
        "rotated": alpha(&json!({"pgrender.dev/rotate-password._crunchypatroni": "2"}), &json!({})),
        "beta": today(&cluster("beta", version, &json!({}), &beta)),
    });
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("objects.json");
    fs::write(&file, input.to_string()).unwrap();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/config/patroni_api.py");
    success(std::process::Command::new(python).arg("-B").arg(program).arg(file).arg(postgres));
}

/// Returns the values of a Secret, decoded.
fn decoded(secret: &Value) -> String {
    let values = secret["data"].as_object().unwrap().values();
    values.map(|value| String::from_utf8(STANDARD.decode(value.as_str().unwrap()).unwrap()).unwrap()).collect()
}

/// Returns the objects that contain a text. Secrets are decoded first.
fn places(objects: &[Value], text: &str) -> Vec<String> {
    let has = |object: &&Value| {
        let is_secret = object["kind"] == "Secret";
        if is_secret { decoded(object).contains(text) } else { object.to_string().contains(text) }
    };
    let name = |object: &Value| format!("{} {}", object["kind"], object["metadata"]["name"]).replace('"', "");
    objects.iter().filter(has).map(name).collect()
}

#[test]
fn rules_with_a_password_are_in_a_secret_however_they_are_written() {
    let raw = |line: String| json!({"authentication": {"rules": [{"hba": line}]}});
    let dynamic = |lines: Value| json!({"patroni": {"dynamicConfiguration": {"postgresql": {"pg_hba": lines}}}});
    let radius = json!({"radiusservers": "10.0.0.1", "radiussecrets": HUSH});
    for more in [
        json!({"authentication": rules()}),
        json!({"authentication": {"rules": [{"connection": "hostssl", "method": "radius", "options": radius}]}}),
        raw(format!("host all all all ldap ldapserver=x ldapbasedn=x ldapbindpasswd={HUSH}")),
        raw(format!("host all all all ldap ldapserver=x ldapbasedn=x \"ldapbindpasswd={HUSH}\"")),
        raw(format!("host all all all ldap ldapserver=x ldapbasedn=x ldap\"bind\"passwd=\"{HUSH}\"")),
        raw(format!("# host all all all ldap ldapserver=x ldapbasedn=x ldapbindpasswd={HUSH}")),
        dynamic(json!([format!("host all all all radius radiusservers=x radiussecrets={HUSH}")])),
    ] {
        let objects = objects(&cluster("alpha", 17, &json!({}), &more)).unwrap();
        assert_eq!(places(&objects, HUSH), ["Secret alpha-patroni"], "{more}");
        // This includes the other rules, because Patroni takes the whole list from one file.
        assert_eq!(places(&objects, "pg_hba"), ["Secret alpha-patroni", "StatefulSet alpha-one"], "{more}");

        let reference = Options { credentials: CredentialSource::Reference, ..options() };
        let objects = objects_from(&cluster("alpha", 17, &json!({}), &more), SEED, &reference).unwrap();
        assert_eq!(places(&objects, HUSH), ["Secret alpha-patroni-rules"], "{more}");
    }
    let plain = objects(&cluster("alpha", 17, &json!({}), &json!({}))).unwrap();
    let expected = ["ConfigMap alpha-config", "ConfigMap alpha-caretaker", "StatefulSet alpha-one"];
    assert_eq!(places(&plain, "pg_hba"), expected);
}

#[test]
fn a_password_in_a_rule_changes_no_pod() {
    let pod = |more: &Value| {
        let objects = objects(&cluster("alpha", 17, &json!({}), more)).unwrap();
        objects.into_iter().find(|object| object["kind"] == "StatefulSet").unwrap()
    };
    assert_eq!(pod(&json!({})), pod(&json!({"authentication": rules()})));
}

/// The Secret with Patroni's password.
fn patroni(objects: &[Value]) -> Option<&Value> {
    objects.iter().find(|object| object["kind"] == "Secret" && object["metadata"]["name"] == "alpha-patroni")
}

fn value(secret: &Value, key: &str) -> String {
    String::from_utf8(STANDARD.decode(secret["data"][key].as_str().unwrap()).unwrap()).unwrap()
}

#[test]
fn each_cluster_has_a_password_of_its_own_which_rotates_or_is_kept() {
    let rendered = |annotations: &Value| objects(&cluster("alpha", 17, annotations, &json!({}))).unwrap();
    let first = rendered(&json!({}));
    let password = value(patroni(&first).unwrap(), "password");
    assert!(password.len() == 32 && password.chars().all(|character| character.is_ascii_alphanumeric()));
    let file: Value = serde_json::from_str(&value(patroni(&first).unwrap(), "authentication.yaml")).unwrap();
    let authentication = json!({"password": password, "username": "_crunchypatroni"});
    assert_eq!(file, json!({"restapi": {"authentication": authentication}}));
    assert_eq!(places(&first, &password), ["Secret alpha-patroni"]);

    for key in ["rotate-password._crunchypatroni", "rotate-passwords"] {
        let rotated = rendered(&json!({format!("pgrender.dev/{key}"): "2"}));
        let rotated = patroni(&rotated).unwrap();
        assert_ne!(value(rotated, "password"), password);
        let generation =
            format!("pgrender.dev/generation.{}", key.replace("rotate-", "").replace("._crunchypatroni", ""));
        assert_eq!(rotated["metadata"]["annotations"][generation], "2");
        // A Secret that already has a later generation is kept.
        let input = format!("{}\n---\n{rotated}", cluster("alpha", 17, &json!({}), &json!({})));
        let kept =
            objects_with(&input, "c29tZWJvZHkgZWxzZSdzIHNlZWQgZm9yIHRoZSB0ZXN0cyBhbG9uZSwgbm90IGZvciBndWFyZGluZw==")
                .unwrap();
        assert_eq!(patroni(&kept), Some(rotated));
    }
}

#[test]
fn a_password_that_somebody_chose_stays_and_reaches_patroni_whole() {
    let secret = |password: &str| {
        let metadata = json!({"name": "alpha-patroni", "namespace": "zoo"});
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"password": password}})
    };
    let with = |password: &str| {
        objects(&format!("{}\n---\n{}", cluster("alpha", 17, &json!({}), &json!({})), secret(password)))
    };
    for password in ["0", "true", r#"a"b\c: #{}'"#, " x "] {
        let objects = with(password).unwrap();
        let file: Value = serde_json::from_str(&value(patroni(&objects).unwrap(), "authentication.yaml")).unwrap();
        assert_eq!(file["restapi"]["authentication"]["password"], password);
    }
    for password in ["hüsh", "a\nb", "a\tb"] {
        let errors = with(password).unwrap_err();
        assert!(errors.len() == 1 && errors[0].message.contains("printable ASCII"), "{errors:?}");
        assert!(!errors[0].to_string().contains(password));
    }
}

#[test]
fn the_password_may_be_brought_and_no_user_has_its_name() {
    let only = cluster("alpha", 17, &json!({"pgrender.dev/credentials._crunchypatroni": "reference"}), &json!({}));
    let brought = objects(&only).unwrap();
    assert!(patroni(&brought).is_none());
    let all = objects(&cluster("alpha", 17, &json!({}), &json!({}))).unwrap();
    let password = value(patroni(&all).unwrap(), "password");
    assert_eq!(places(&brought, &password), [""; 0]);
    assert_eq!(
        places(&brought, "authentication.yaml"),
        ["StatefulSet alpha-one"],
        "the pod waits for the Secret that is brought"
    );
    let annotations = json!({
        "pgrender.dev/credentials._crunchypatroni": "reference", "pgrender.dev/rotate-password._crunchypatroni": "2",
    });
    let errors = objects(&cluster("alpha", 17, &annotations, &json!({}))).unwrap_err();
    assert!(errors[0].message.contains("you provide the Secret"), "{errors:?}");

    let users = json!({"users": [{"name": "_crunchypatroni"}]});
    assert!(objects(&cluster("alpha", 17, &json!({}), &users)).is_err());
}

#[test]
fn what_looks_like_a_secret_where_everybody_can_read_it_is_told() {
    let more = json!({
        "config": {"parameters": {"anon.salt_secret": HUSH, "credcheck.password_min_length": "8", "work_mem": "5MB"}},
        "patroni": {"dynamicConfiguration": {
            "postgresql": {
                "parameters": {"vault.token": HUSH, "ssl_passphrase_command": format!("echo {HUSH}")},
                "recovery_conf": {"primary_conninfo": format!("host=a password={HUSH}")},
                "callbacks": {"on_start": format!("curl https://a:{HUSH}@b")},
                "pg_hba": [format!("host all all all ldap ldapbindpasswd={HUSH}")],
                "authentication": {"superuser": {"password": HUSH}},
            },
            "slots": {"a": {"type": "physical"}},
        }},
    });
    let documents = pgrender::read::documents("cluster.yaml", &cluster("alpha", 17, &json!({}), &more)).unwrap();
    let seed = pgrender::identity::Seed::new(SEED.as_bytes()).ok().unwrap();
    let rendered = pgrender::render::render(&documents, &options(), Ok(&seed));
    let told = rendered.diagnostics.iter().filter(|diagnostic| diagnostic.message.contains("looks like a secret"));
    let told: Vec<String> = told
        .map(|diagnostic| {
            assert!(!diagnostic.to_string().contains(HUSH));
            diagnostic.field.as_ref().unwrap().to_string().replace("spec.patroni.dynamicConfiguration.postgresql.", "")
        })
        .collect();
    assert_eq!(
        told,
        [
            r#"parameters["vault.token"]"#,
            "parameters.ssl_passphrase_command",
            "recovery_conf.primary_conninfo",
            "callbacks.on_start",
            "authentication.superuser.password",
            r#"spec.config.parameters["anon.salt_secret"]"#,
        ]
    );
}
