use std::{collections::BTreeMap, fs, path::Path};

use super::*;
use crate::parse::{self, Settings, schema};
use crate::postgres_cluster::{KIND, parse::DEFINITION};
use crate::read;

#[test]
fn every_rule_of_the_schema_has_a_function_and_no_function_is_unused() {
    let mut wanted: Vec<&str> =
        schema::all().iter().flat_map(|node| &node.rules).map(|rule| rule.rule.as_str()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut present: Vec<&str> = all().map(|rule| rule.text).collect();
    present.sort_unstable();
    assert_eq!(wanted, present);
}

/// `tests/integration/validation.rs` compares the corpus with a real server, so the result of each case is that of CEL.
#[test]
fn the_corpus_has_a_case_for_every_rule_both_ways() {
    let mut kept: BTreeMap<&str, [usize; 2]> = all().map(|rule| (rule.text, [0, 0])).collect();
    for verdict in ["accepted", "refused"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/verdicts").join(verdict);
        for entry in fs::read_dir(directory).unwrap() {
            #[expect(clippy::disallowed_methods, reason = "a test reads its fixtures")]
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            let Ok(documents) = read::documents("", &text) else { continue };
            let (object, findings) = parse::check(&DEFINITION, &documents[0].node, Settings::default());
            if findings.blocked {
                continue;
            }
            let version = object["apiVersion"].as_str().and_then(|version| version.rsplit('/').next()).unwrap();
            let schema = Schema::of(KIND, version).unwrap();
            visit(&object["spec"], schema, &FieldPath::default(), &mut |rule, holds, _| {
                kept.get_mut(rule.text).unwrap()[usize::from(holds)] += 1;
            });
        }
    }
    // In v1 the field must not exist, so no value satisfies this rule.
    let never_kept = "type(self) == null_type";
    let missing: Vec<_> =
        kept.iter().filter(|(text, [broken, kept])| *broken == 0 || (*kept == 0 && **text != never_kept)).collect();
    assert!(missing.is_empty(), "[broken, kept]: {missing:#?}");
}

#[test]
fn messages_are_written_as_all_messages_are() {
    for rule in all() {
        assert!(!rule.message.ends_with('.'), "{}", rule.message);
        assert!(!rule.message.contains("  "), "{}", rule.message);
    }
}

#[test]
fn a_rule_that_speaks_of_a_field_points_at_it() {
    let spec = serde_json::json!({
        "postgresVersion": 17,
        "instances": [{"dataVolumeClaimSpec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
        }}],
        "backups": {"pgbackrest": {
            "repos": [{"name": "repo1"}],
            "global": {"log-path": "/a"},
            "log": {"path": "/a"},
            "jobs": {"log": {"path": "/volumes/a"}},
            "repoHost": {"log": {"path": "/volumes/a"}},
        }},
        "config": {"parameters": {"log_directory": "/pgwal/logs/postgres", "ssl_groups": "a", "wal_level": "minimal"}},
        "proxy": {"pgBouncer": {"config": {"global": {"logfile": "/a"}}}},
    });
    let mut findings = parse::Findings::default();
    check(&spec, Schema::of(KIND, "v1").unwrap(), &FieldPath::of("spec"), &mut findings);
    let mut paths: Vec<String> = findings.collected.finish().0.iter().map(|finding| finding.path.to_string()).collect();
    paths.sort();
    let expected = [
        "spec.backups.pgbackrest.global.log-path",
        "spec.backups.pgbackrest.jobs.log.path",
        "spec.backups.pgbackrest.log.path",
        "spec.backups.pgbackrest.repoHost.log.path",
        "spec.config.parameters.log_directory",
        "spec.config.parameters.ssl_groups",
        "spec.config.parameters.wal_level",
        "spec.proxy.pgBouncer.config.global.logfile",
        "spec.proxy.pgBouncer.config.global.logfile",
    ];
    assert_eq!(paths, expected);
}
