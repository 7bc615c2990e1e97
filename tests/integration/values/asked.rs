//! Tests that the user gets a message if a spec requests something that no program does, or that costs data.

use serde_json::{Value, json};

use crate::values::patroni::ConfigWriter;
use crate::values::told::{dynamic, only, told};

/// Returns backups to one repository, whose credentials are in a Secret.
fn in_object_storage(repository: &Value, global: &Value) -> Value {
    let configuration = json!([{"secret": {"name": "credentials"}}]);
    let pgbackrest = json!({"image": "i", "repos": [repository], "global": global, "configuration": configuration});
    json!({"backups": {"pgbackrest": pgbackrest}})
}

#[test]
fn an_instance_that_is_not_there_cannot_lead() {
    let with = |target: &str, enabled: bool| {
        let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
        let set = |name: &str, replicas: u16| json!({"name": name, "replicas": replicas, "dataVolumeClaimSpec": claim});
        let switchover = json!({"enabled": enabled, "targetInstance": target});
        told(&json!({"instances": [set("a", 3), set("a-2", 1)], "patroni": {"switchover": switchover}}))
    };
    for target in ["hippo-a-0", "hippo-a-2", "hippo-a-2-0"] {
        assert_eq!(with(target, true), [] as [String; 0], "{target}");
    }
    for target in ["hippo-a-3", "hippo-a-abcd", "hippo-a", "a-0", "hippo-a-00", "hippo-b-0", "hippo-a-+1", ""] {
        let lines = with(target, true);
        assert!(only(&lines, "warning", "targetInstance: there is no instance"), "{target}: {lines:?}");
        assert!(lines[0].ends_with("the instances are `hippo-a-0` to `hippo-a-2`, `hippo-a-2-0`"), "{lines:?}");
        assert_eq!(with(target, false), [] as [String; 0], "{target}");
    }
}

#[test]
fn a_schedule_that_does_not_act_as_it_says_is_told() {
    for (schedule, severity, words) in [
        ("0 0 31 2 *", "warning", "full: never runs"),
        ("*/70 * * * *", "warning", "full: minute: `*/70` matches only 0"),
        ("0 1 * * 7", "error", "Sunday is `0`"),
        ("@every 1d", "error", "`1d` is not a valid duration: write a duration such as `6h`"),
    ] {
        let s3 = json!({"bucket": "b", "endpoint": "e", "region": "r"});
        let repository = json!({"name": "repo1", "s3": s3, "schedules": {"full": schedule}});
        let lines = told(&in_object_storage(&repository, &json!({})));
        assert!(only(&lines, severity, words), "{schedule}: {lines:?}");
    }
}

#[test]
fn what_is_at_stake_with_a_setting_is_told() {
    for (name, risky, safe, words) in [
        ("fsync", "off", "on", "can corrupt the whole database"),
        ("Full_Page_Writes", "no", "yes", "impossible to restore a backup"),
        ("data_sync_retry", "on", "off", "is lost silently"),
        ("zero_damaged_pages", "true", "false", "deletes all rows"),
        ("ignore_checksum_failure", "1", "0", "as if they were correct"),
        ("ignore_invalid_pages", "on", "off", "data is lost"),
        ("allow_system_table_mods", "on", "off", "Postgres does not prevent it"),
    ] {
        for place in [
            |parameters: Value| json!({"config": {"parameters": parameters}}),
            |parameters: Value| dynamic(&json!({"postgresql": {"parameters": parameters}})),
            |parameters: Value| dynamic(&json!({"postgresql": {"parameters_replica": parameters}})),
        ] {
            let lines = told(&place(json!({name: risky})));
            assert!(only(&lines, "warning", words), "{name}: {lines:?}");
            assert_eq!(told(&place(json!({name: safe}))), [] as [String; 0], "{name}");
        }
    }
    let s3 = json!({"name": "repo1", "s3": {"bucket": "b", "endpoint": "e", "region": "r"}});
    let global = json!({"archive-check": "n"});
    let lines = told(&in_object_storage(&s3, &global));
    assert!(only(&lines, "warning", "cannot be restored"), "{lines:?}");
}

#[test]
fn libraries_that_no_server_finds_are_refused() {
    for parameter in ["shared_preload_libraries", "session_preload_libraries", "Local_Preload_Libraries"] {
        for value in ["'pgaudit, pg_cron'", "\"pgaudit, pg_cron\"", "pgaudit pg_cron"] {
            for more in [
                json!({"config": {"parameters": {parameter: value}}}),
                dynamic(&json!({"postgresql": {"parameters": {parameter: value}}})),
            ] {
                let lines = told(&more);
                assert!(only(&lines, "error", "such as `pgaudit,pg_cron`"), "{more}: {lines:?}");
            }
        }
        let more = json!({"config": {"parameters": {parameter: "pgaudit, \"pg_cron\""}}});
        assert_eq!(told(&more), [] as [String; 0]);
    }
}

#[test]
fn a_slot_that_is_not_made_is_told() {
    let at = |section: &str, slots: Value| {
        let mut configuration = json!({"postgresql": {"use_slots": true}});
        configuration[section] = slots;
        told(&dynamic(&configuration))
    };
    for (name, slot, words) in [
        ("Debezium", json!({"type": "physical"}), "write `debezium`"),
        ("my-slot", json!(null), "write `my_slot`"),
        ("é", json!({}), "write `_`"),
        (&"a".repeat(64), json!({}), "at most 63 characters"),
        ("a", json!({"type": "Physical"}), "a.type: `Physical` is not a valid type of a slot"),
        ("a", json!({"type": "logical"}), "without `database` and `plugin`"),
        ("a", json!({"type": "logical", "database": "d"}), "without `plugin`"),
        ("a", json!({"type": "logical", "plugin": "p", "database": ""}), "without `database`"),
        ("a", json!({"type": "physical", "database": "d", "plugin": "p"}), "write `type: logical`"),
        ("a", json!({"database": "d"}), "also needs `plugin`"),
        ("a", json!({"plugin": "pgoutput"}), "also needs `database`"),
    ] {
        for section in ["slots", "permanent_slots"] {
            let lines = at(section, json!({name: slot}));
            assert!(only(&lines, "warning", words), "{name} {slot}: {lines:?}");
        }
    }
    for slot in [
        json!(null),
        json!({}),
        json!({"type": "physical", "cluster_type": "primary"}),
        json!({"type": "logical", "database": "d", "plugin": "pgoutput"}),
        json!({"database": "d", "plugin": "pgoutput"}),
    ] {
        assert_eq!(at("slots", json!({"a_1": slot})), [] as [String; 0]);
    }
    assert!(only(&at("ignore_slots", json!([{"name": "A"}])), "warning", "ignore_slots[0].name: "));
    assert!(only(&at("ignore_slots", json!([{"type": "both"}])), "warning", "ignore_slots[0].type: "));
    let followed = at("standby_cluster", json!({"host": "a", "primary_slot_name": "a-b"}));
    assert!(only(&followed, "warning", "primary_slot_name: is not a valid name of a slot"), "{followed:?}");
}

/// Patroni creates a slot as written exactly if there is no message about it.
#[test]
fn patroni_makes_the_slots_of_which_nothing_is_told() {
    let Some(writer) = ConfigWriter::new() else { return };
    let slots: Value = serde_json::from_str(&writer.run(include_str!("patroni_slots.py"))).unwrap();
    let (mut made, mut refused) = (0, 0);
    for case in slots.as_array().unwrap() {
        let (name, slot) = (case["name"].as_str().unwrap(), &case["slot"]);
        let lines = told(&dynamic(&json!({"postgresql": {"use_slots": true}, "slots": {name: slot}})));
        let given = |key: &str| slot[key].as_str().is_some_and(|text| !text.is_empty());
        match case["made"].as_str() {
            None => {
                assert!(!lines.is_empty(), "{case}");
                refused += 1;
            }
            Some("physical") => {
                assert_eq!(lines.is_empty(), !given("database") && !given("plugin"), "{case}: {lines:?}");
            }
            Some(_) => {
                assert!(lines.is_empty(), "{case}: {lines:?}");
                made += 1;
            }
        }
    }
    assert!(made > 3 && refused > 100, "{made} {refused}");
}

#[test]
fn a_standby_cannot_begin_with_an_empty_volume() {
    let with = |more: Value, kind: &str| {
        let mut claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
        claim.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let repository = match kind {
            "volume" => json!({"name": "repo1", "volume": {"volumeClaimSpec": claim}}),
            _ => json!({"name": "repo1", "s3": {"bucket": "b", "endpoint": "e", "region": "r"}}),
        };
        let mut spec = in_object_storage(&repository, &json!({}));
        spec["standby"] = json!({"repoName": "repo1"});
        told(&spec)
    };
    let lines = with(json!({}), "volume");
    assert!(only(&lines, "warning", "spec.standby.repoName: ") && lines[0].contains("`hippo-repo1`"), "{lines:?}");
    assert_eq!(with(json!({}), "s3"), [] as [String; 0]);
    for more in [
        json!({"volumeName": "pv-1"}),
        json!({"selector": {"matchLabels": {"a": "b"}}}),
        json!({"dataSource": {"kind": "PersistentVolumeClaim", "name": "other"}}),
        json!({"dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "other"}}),
    ] {
        assert_eq!(with(more, "volume"), [] as [String; 0]);
    }
}

#[test]
fn the_name_of_a_bucket_is_only_that() {
    for (storage, field, value, words) in [
        ("s3", "bucket", "s3://b/x", "write `b`, and `repoN-path: /x`"),
        ("s3", "bucket", "b/x/y", "write `b`, and `repoN-path: /x/y`"),
        ("s3", "bucket", "/b", "write `b`"),
        ("s3", "bucket", "b/", "write `b`"),
        ("s3", "bucket", "arn:aws:s3:::b", "write `b`"),
        ("gcs", "bucket", "gs://b", "write `b`"),
        ("gcs", "bucket", "b/x", "write `b`, and `repoN-path: /x`"),
        ("azure", "container", "https://account.blob.core.windows.net/c", "write only the name of the container"),
        ("azure", "container", "c/x", "write `c`, and `repoN-path: /x`"),
    ] {
        let mut repository = json!({"name": "repo1", storage: {field: value}});
        if storage == "s3" {
            repository["s3"]["endpoint"] = json!("e");
            repository["s3"]["region"] = json!("r");
        }
        let lines = told(&in_object_storage(&repository, &json!({})));
        assert!(only(&lines, "error", words), "{value}: {lines:?}");
    }
}
