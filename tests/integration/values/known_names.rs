//! Compares the lists of settings of other programs with these programs themselves.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use pgrender::diff::parameters::{Reads, reads};
use pgrender::postgres_cluster::patroni::setting::{
    self, Kind, LOCAL, POSTGRESQL, POSTGRESQL_LOCAL, STANDBY_CLUSTER, TOP,
};
use pgrender::postgres_cluster::pgbackrest::{manual_options, option, option_name};
use pgrender::postgres_cluster::postgres::{parameter_name, parameter_value};
use serde_json::Value;

use crate::common::tools::{program, run, success};
use crate::values::patroni::ConfigWriter;

/// The names in Patroni's own validator and its default configuration.
#[test]
fn the_settings_are_those_of_patroni() {
    let Some(writer) = ConfigWriter::new() else { return };
    let known = writer.run(include_str!("patroni_settings.py"));
    let known: Value = serde_json::from_str(&known).unwrap();
    let theirs = |section: &str| {
        let names = known[section].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned());
        names.collect::<BTreeSet<String>>()
    };
    let ours = |settings: &[(&str, Kind)]| settings.iter().map(|(name, _)| (*name).to_owned()).collect::<BTreeSet<_>>();
    let missing =
        |theirs: &BTreeSet<String>, ours: &BTreeSet<String>| theirs.difference(ours).cloned().collect::<Vec<_>>();
    assert!(theirs("dynamic").len() > 15 && theirs("postgresql").len() > 5 && theirs("local").len() > 10, "{known}");
    assert_eq!(missing(&theirs("dynamic"), &ours(&TOP)), [] as [String; 0]);
    assert_eq!(missing(&theirs("postgresql"), &ours(&POSTGRESQL)), [] as [String; 0]);
    assert_eq!(theirs("standby_cluster"), ours(&STANDBY_CLUSTER));
    assert_eq!(missing(&theirs("local"), &LOCAL.map(str::to_owned).into()), [] as [String; 0]);
    assert_eq!(theirs("postgresql_local"), POSTGRESQL_LOCAL.map(str::to_owned).into());
    // No setting is listed that no part of Patroni mentions, except those of newer or older versions.
    let mentioned = theirs("mentioned");
    let other = ["primary_race_backoff"];
    let invented = ours(&TOP).union(&ours(&POSTGRESQL)).cloned().collect::<BTreeSet<_>>();
    let invented = missing(&invented, &mentioned).into_iter().filter(|name| {
        !other.contains(&name.as_str())
            && !["_primary", "_replica", "_standby_leader"].iter().any(|end| name.ends_with(end))
    });
    assert_eq!(invented.filter(|name| name != "pg_hosts").collect::<Vec<_>>(), [] as [String; 0]);
    // Patroni converts values as the lists say.
    for (function, kind) in
        [("parse_bool", Kind::Switch), ("int", Kind::Integer), ("parse_int", Kind::Number), ("seconds", Kind::Duration)]
    {
        for (value, reads) in known[function].as_object().unwrap() {
            let value: Value = serde_json::from_str(value).unwrap();
            assert_eq!(setting::fault(kind, &value).is_none(), *reads, "{function} {value}");
        }
    }
    // Patroni has the same parameters in the same versions.
    for (name, range) in known["parameters"].as_object().unwrap() {
        let versions = parameter_name::versions(name).unwrap_or_else(|| panic!("{name}"));
        for version in 10..=18 {
            let major = i64::from(version);
            let has = range[0].as_i64().unwrap() <= major && range[1].as_i64().is_none_or(|until| major < until);
            assert_eq!(versions.contain(version), has, "{name} {version}");
        }
    }
}

#[test]
fn a_value_that_patroni_leaves_out_is_told() {
    let Some(writer) = ConfigWriter::new() else { return };
    let known: Value = serde_json::from_str(&writer.run(include_str!("patroni_settings.py"))).unwrap();
    // Patroni writes the parameters for recovery itself, and one parameter accepts any text from 18 on.
    let kept = known["kept"].as_object().unwrap().iter();
    let kept = kept.filter(|(name, kept)| *name != "log_connections" && !kept.as_array().unwrap().is_empty());
    let mut left_out = 0;
    for (name, kept) in kept {
        for value in known["values"].as_array().unwrap() {
            let fault = parameter_value::fault(name, value.as_str().unwrap());
            assert_eq!(fault.is_none(), kept.as_array().unwrap().contains(value), "{name} {value}: {fault:?}");
            left_out += usize::from(fault.is_some());
        }
    }
    assert!(left_out > 5000, "{left_out}");
    for (name, value, instead) in [
        ("shared_buffers", "1G", "write `1GB`"),
        ("work_mem", "4mb", "write `4MB`"),
        ("shared_buffers", "25%", "one of the units"),
        ("statement_timeout", "30sec", "write `30s`"),
        ("random_page_cost", "1,1", "with `.`"),
        ("autovacuum", "enabled", "write `on` or `off`"),
        ("synchronous_commit", "remote", "`remote_write`"),
        ("max_connections", "abc", "write a whole number"),
    ] {
        let fault = parameter_value::fault(name, value).unwrap();
        assert!(fault.contains(instead), "{name}: {fault}");
    }
}

#[test]
fn the_parameters_are_those_of_postgres() {
    let mut looked_at = 0;
    let installed = (13..=18).map(|version| (version, format!("/usr/lib/postgresql/{version}/bin/postgres")));
    let cached = concat!(env!("CARGO_MANIFEST_DIR"), "/.cache/postgresql-17/bin/postgres");
    for (version, postgres) in
        installed.chain([(17, cached.to_owned())]).filter(|(_, program)| Path::new(program).is_file())
    {
        let described = success(Command::new(postgres).arg("--describe-config"));
        let names: Vec<&str> = described.lines().filter_map(|line| line.split('\t').next()).collect();
        assert!(names.len() > 250, "{version}: {}", names.len());
        // What `pgrender diff` says about a change of each parameter. `internal` ones cannot be set.
        for line in described.lines() {
            let (name, context) = line.split_once('\t').unwrap();
            let context = context.split('\t').next().unwrap();
            let expected = if context == "postmaster" { Reads::AtStart } else { Reads::AnyTime };
            assert!(context == "internal" || reads(name, version.into()) == expected, "{version}: {name} {context}");
        }
        for name in names {
            assert!(
                parameter_name::versions(name).is_some_and(|versions| versions.contain(version)),
                "{version}: {name}"
            );
        }
        looked_at += 1;
    }
    assert!(looked_at > 0 || std::env::var("CI").is_err(), "no Postgres was found");
}

#[test]
fn pgbackrest_does_not_read_what_is_said_to_do_nothing() {
    let Some(pgbackrest) = program("pgbackrest") else { return };
    let directory = tempfile::tempdir().unwrap();
    let conf = directory.path().join("pgbackrest.conf");
    let place = directory.path().display();
    for name in option::COMMAND_LINE.iter().copied().chain(["pg1-path", "pg1-host", "pg2-path", "pg1-port"]) {
        let text = format!("[global]\nrepo1-path={place}\nlock-path={place}\n{name}=x\n[db]\npg1-path={place}\n");
        fs::write(&conf, text).unwrap();
        let mut command = Command::new(&pgbackrest);
        command.arg("--config").arg(&conf).args(["--stanza=db", "--log-level-console=warn", "--log-level-file=off"]);
        let output = run(command.arg("check"));
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let reasons = [format!("command-line only option '{name}'"), format!("stanza-only option '{name}'")];
        assert!(reasons.iter().any(|reason| said.contains(reason)), "{name}: {said}");
    }
}

#[test]
fn the_options_are_those_of_pgbackrest() {
    let Some(pgbackrest) = program("pgbackrest") else { return };
    let directory = tempfile::tempdir().unwrap();
    let conf = directory.path().join("pgbackrest.conf");
    let place = directory.path().display();
    // Each option is tested alone, because old names and new names cannot be combined.
    let mut invented = Vec::new();
    for name in option_name::names().map(|name| name.replace("repoN", "repo1")) {
        fs::write(&conf, format!("[global]\n{name}=1\n[db]\npg1-path={place}\n")).unwrap();
        let mut command = Command::new(&pgbackrest);
        command.arg("--config").arg(&conf).args(["--stanza=db", "--log-level-console=warn", "--log-level-file=off"]);
        let output = run(command.arg("archive-get"));
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        if ["invalid option", "command-line only", "stanza-only"].iter().any(|fault| said.contains(fault)) {
            invented.push(name);
        }
    }
    // Options of versions later than 2.45.
    let later = [
        "page-header-check",
        "repo1-gcs-user-project",
        "repo1-s3-requester-pays",
        "repo1-s3-sse-customer-key",
        "repo1-storage-tag",
        "repo1-symlink",
    ];
    invented.retain(|name| !later.contains(&name.as_str()) && !name.starts_with("repo1-sftp-"));
    assert_eq!(invented, [] as [String; 0]);
    let commands = success(Command::new(&pgbackrest).arg("help"));
    let commands = commands
        .lines()
        .filter_map(|line| line.strip_prefix("    ")?.split(' ').next())
        .filter(|name| !name.is_empty());
    let mut seen = 0;
    for command in commands {
        let help = run(Command::new(&pgbackrest).args(["help", command]));
        let help = String::from_utf8(help.stdout).unwrap();
        for name in help.lines().filter_map(|line| line.strip_prefix("  --")?.split(' ').next()) {
            let numbered = name.strip_prefix("repo-").map_or_else(|| name.to_owned(), |rest| format!("repo1-{rest}"));
            let known =
                option_name::is_known(&numbered) || name.starts_with("pg-") || option::COMMAND_LINE.contains(&name);
            assert!(known, "{command} --{name}");
            seen += 1;
        }
    }
    assert!(seen > 300, "{seen}");
}

/// The options of a backup on demand are the options of the command `backup`, except for those that are refused.
#[test]
fn the_options_of_a_backup_are_those_of_pgbackrest() {
    let Some(pgbackrest) = program("pgbackrest") else { return };
    for name in manual_options::ALLOWED {
        let mut command = Command::new(&pgbackrest);
        let output = run(command.args(["--stanza=db", &format!("--{}=?", name.replace("repoN", "repo1")), "backup"]));
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let for_another = ["not valid for command", "cannot be used"].iter().any(|text| said.contains(text));
        assert!(!for_another, "{name}: {said}");
    }
    let help = success(Command::new(&pgbackrest).args(["help", "backup"]));
    let refused: Vec<&str> = help
        .lines()
        .filter_map(|line| line.strip_prefix("  --")?.split(' ').next())
        .filter(|name| !manual_options::ALLOWED.contains(&name.replacen("repo-", "repoN-", 1).as_str()))
        .filter(|name| !["repo-", "pg-", "config"].iter().any(|start| name.starts_with(start)))
        .collect();
    assert_eq!(refused, ["exclude", "force", "online", "cmd", "cmd-ssh", "lock-path", "stanza", "log-path", "repo"]);
}
