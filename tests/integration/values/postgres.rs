//! Tests how Postgres itself reads `pg_hba.conf`, `pg_ident.conf` and `postgresql.conf`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pgrender::postgres_cluster::cluster::Cluster;
use pgrender::postgres_cluster::patroni::configuration::dynamic_configuration;
use pgrender::postgres_cluster::postgres::configuration::parameters as parameters_of;
use pgrender::postgres_cluster::postgres::hba::hba;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::common::processes::{Running, start, wait_for};
use crate::common::tools::{give_to_unprivileged, run, success, unprivileged};
use crate::values::patroni;
use crate::values::spec::{resolved, strings};

/// Returns every directory with Postgres' server programs on this machine, with its version: those of the system, and one that
/// `tools/install.sh` may have installed.
pub(crate) fn servers() -> Vec<(PathBuf, u16)> {
    let brought = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache");
    let places = (13..=18).flat_map(|version| {
        [
            PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")),
            PathBuf::from(format!("/usr/pgsql-{version}/bin")),
            brought.join(format!("postgresql-{version}/bin")),
        ]
        .map(|directory| (directory, version))
    });
    let found: Vec<_> = places.filter(|(directory, _)| directory.join("initdb").is_file()).collect();
    if found.is_empty() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "no server of Postgres is installed");
        println!("skipped: no server of Postgres is installed");
    }
    found
}

/// A server with a socket in its own directory.
pub(crate) struct Server {
    directory: tempfile::TempDir,
    programs: PathBuf,
    running: Option<Running>,
}

impl Server {
    /// Creates the data directory; [`Server::start`] starts the server.
    pub(crate) fn new(programs: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        give_to_unprivileged(directory.path());
        let mut initdb = unprivileged(programs.join("initdb"));
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--pgdata"]);
        success(initdb.arg(directory.path().join("data")));
        Self { directory, programs: programs.to_owned(), running: None }
    }

    /// A file of the data directory.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.directory.path().join("data").join(name)
    }

    /// The directory of its socket.
    pub(crate) fn socket(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn start(&mut self) {
        give_to_unprivileged(self.directory.path());
        let log = self.directory.path().join("log");
        let mut server = unprivileged(self.programs.join("postgres"));
        server.arg("-D").arg(self.data("")).arg("-k").arg(self.directory.path());
        server.args(["-c", "listen_addresses=", "-c", "fsync=off"]);
        self.running = Some(start(&mut server, &log).ended_with("QUIT"));
        wait_for(&log, "ready to accept connections");
    }

    pub(crate) fn psql(&self, user: &str, database: &str) -> Command {
        let mut psql = unprivileged(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--username", user]);
        // Not as an argument, which could be read as a connection string.
        psql.env("PGDATABASE", database).arg("--host").arg(self.directory.path());
        psql
    }

    /// Returns the result of a query that has one JSON value.
    pub(crate) fn json(&self, query: &str) -> Value {
        let mut psql = self.psql("postgres", "postgres");
        serde_json::from_str(&success(psql.arg("--command").arg(query))).unwrap()
    }
}

/// Returns the last line of `pg_hba.conf`, which is the user's.
fn last_rule(cluster: &Cluster) -> String {
    hba(cluster).pop().unwrap()
}

/// What a rule of `spec.authentication` is tested for.
struct Asked {
    field: &'static str,
    text: String,
    line: String,
}

/// Uses every string as a database, as a role and as the value of an option, without those that are refused.
fn rules(version: u16, strings: &[String]) -> Vec<Asked> {
    let mut asked = Vec::new();
    for field in ["databases", "users", "options"] {
        for text in strings {
            let rule = match field {
                "options" => {
                    json!({"connection": "host", "method": "ldap", "options": {"ldapprefix": text, "ldapserver": "s"}})
                }
                _ => json!({"connection": "host", "method": "reject", field: [text]}),
            };
            let Ok(cluster) = resolved(version, &json!({"authentication": {"rules": [rule]}})) else { continue };
            let line = last_rule(&cluster);
            asked.push(Asked { field, text: text.clone(), line });
        }
    }
    asked
}

#[test]
fn postgres_reads_every_rule_as_it_was_said() {
    for (programs, version) in servers() {
        let asked = rules(version, &strings(&["/secret", "@/etc/passwd", "+postgres", "/^a"], 420));
        for field in ["databases", "users", "options"] {
            assert!(asked.iter().filter(|asked| asked.field == field).count() > 100, "{field}");
        }
        let mut server = Server::new(&programs);
        let lines: Vec<&str> = asked.iter().map(|asked| asked.line.as_str()).collect();
        fs::write(server.data("pg_hba.conf"), format!("local all all trust\n{}\n", lines.join("\n"))).unwrap();
        server.start();
        let read = server.json("select json_agg(r order by line_number) from pg_hba_file_rules r");
        let read = &read.as_array().unwrap()[1..];
        assert_eq!(read.len(), asked.len());
        for (read, asked) in read.iter().zip(&asked) {
            assert_eq!(read["error"], Value::Null, "{}", asked.line);
            let text = json!([asked.text]);
            let all = json!(["all"]);
            let expression = version >= 16 && asked.text.starts_with('/');
            for column in ["databases", "users"] {
                let read = &read[if column == "databases" { "database" } else { "user_name" }];
                if asked.field != column {
                    assert_eq!(*read, all, "{}", asked.line);
                } else if !expression {
                    assert_eq!(*read, text, "{}", asked.line);
                }
            }
            assert_eq!(read["address"], "all");
            if asked.field == "options" {
                assert_eq!(read["auth_method"], "ldap");
                assert_eq!(read["options"][1], format!("ldapprefix={}", asked.text), "{}", asked.line);
            } else {
                assert_eq!(
                    (&read["auth_method"], &read["options"]),
                    (&json!("reject"), &Value::Null),
                    "{}",
                    asked.line
                );
            }
        }
    }
}

/// The view shows an expression and removes quotes. Only a login shows whether a rule matches its name and no similar name.
#[test]
fn a_rule_keeps_its_name_out_and_no_other() {
    let slashes =
        ["/secret", "/", "/€ x", "/文😀", "/a.b*c", "/^a\\b$", "/[a]", "/a,\"b\"", "/(?i)A|b", "/é", "//", "/a#+-_'~"];
    let words = ["all", "+postgres", "+group", "@file", "samerole", "a,b", "a b", "#a", "\"a\"", "a\\", "é"];
    let names: Vec<&str> = slashes.iter().chain(&words).copied().collect();
    for (programs, version) in servers() {
        let mut server = Server::new(&programs);
        let mut lines = Vec::new();
        for name in &names {
            let rule = json!({"connection": "local", "method": "reject", "users": [name]});
            lines.push(last_rule(&resolved(version, &json!({"authentication": {"rules": [rule]}})).unwrap()));
        }
        fs::write(server.data("pg_hba.conf"), format!("{}\nlocal all all trust\n", lines.join("\n"))).unwrap();
        server.start();
        let others = [
            "secret", "/secre", "/secrett", "x/secret", "/SECRET", "/axbbc", "/a", "/B", "/€x", "/b", "a", "member",
            "group",
        ];
        let roles =
            names.iter().chain(&others).map(|name| format!("create role \"{}\" login;", name.replace('"', "\"\"")));
        let sql = roles.collect::<String>() + "grant \"group\" to member; grant postgres to a;";
        success(server.psql("postgres", "postgres").arg("--command").arg(sql));
        for name in &names {
            let output = run(server.psql(name, "postgres").args(["--command", "select 1"]));
            assert!(!output.status.success(), "{name} came in on {version}");
            assert!(String::from_utf8_lossy(&output.stderr).contains("rejects connection"), "{name}: {output:?}");
        }
        for name in others {
            success(server.psql(name, "postgres").args(["--command", "select 1"]));
        }
    }
}

#[test]
fn postgres_reads_every_line_of_the_user_as_one_line() {
    for (programs, version) in servers() {
        let mut server = Server::new(&programs);
        let (mut hba_lines, mut ident_lines) = (Vec::new(), Vec::new());
        for text in strings(&[], 380) {
            let lines = [
                format!("host all {text} all reject"),
                format!("host {text} all ::1/128 md5"),
                format!("host all {text}\"/{text}\" all reject"),
                format!("host all all all ldap ldapprefix={text} ldapserver=s"),
                format!("host all all {text} reject"),
            ];
            for line in lines {
                let more = json!({"patroni": {"dynamicConfiguration": {"postgresql": {"pg_hba": [line]}}}});
                hba_lines.extend(resolved(version, &more).ok().map(|cluster| last_rule(&cluster)));
            }
            for line in [format!("map {text} role"), format!("map \"/{text}\" role"), format!("map system {text}")] {
                let more = json!({"patroni": {"dynamicConfiguration": {"postgresql": {"pg_ident": [line]}}}});
                let Ok(cluster) = resolved(version, &more) else { continue };
                let lines = dynamic_configuration(&cluster)["postgresql"]["pg_ident"].clone();
                // The first line is the map of replicas.
                let users = lines.as_array().unwrap().iter().skip(1);
                ident_lines.extend(users.map(|line| line.as_str().unwrap().to_owned()));
            }
        }
        assert!(hba_lines.len() > 200 && ident_lines.len() > 100, "{} {}", hba_lines.len(), ident_lines.len());
        fs::write(server.data("pg_hba.conf"), "local all all trust\n").unwrap();
        server.start();
        // The views read the current files.
        fs::write(server.data("pg_hba.conf"), hba_lines.join("\n") + "\n").unwrap();
        fs::write(server.data("pg_ident.conf"), ident_lines.join("\n") + "\n").unwrap();
        let read = server.json("select json_agg(r order by line_number) from pg_hba_file_rules r");
        let rules = read.as_array().unwrap();
        let of_line = |number: usize| rules.iter().filter(move |rule| rule["line_number"] == number);
        for (line, number) in hba_lines.iter().zip(1..) {
            let comment = line.trim_start_matches([' ', ',', '\t']).starts_with('#');
            assert_eq!(of_line(number).count(), usize::from(!comment), "{line}");
            for rule in of_line(number) {
                assert_eq!(rule["error"], Value::Null, "{line}");
                let method = rule["auth_method"].as_str().unwrap_or_default();
                assert!(["", "reject", "md5", "ldap"].contains(&method), "{line} {method}");
            }
        }
        assert_eq!(rules.len(), hba_lines.iter().zip(1..).map(|(_, number)| of_line(number).count()).sum::<usize>());
        if version >= 15 {
            let read = server.json("select json_agg(r order by line_number) from pg_ident_file_mappings r");
            for mapping in read.as_array().unwrap() {
                let line = &ident_lines[usize::try_from(mapping["line_number"].as_u64().unwrap()).unwrap() - 1];
                assert_eq!((&mapping["error"], &mapping["map_name"]), (&Value::Null, &json!("map")), "{line}");
            }
        }
    }
}

/// Valid and invalid expressions, the same in every run.
fn expressions(count: usize) -> Vec<String> {
    let pieces = r"a b Z 0 é - ^ $ . * + ? | ( ) (?: (?= (?! (?<! (? [ [^ ] [:alpha:] [. { } {2} {2,} {3,2} {0} , \ \d \w \y \m \1 \A \] \- a-z : =";
    let pieces: Vec<&str> = pieces.split(' ').collect();
    let mut runner = TestRunner::deterministic();
    let expression = vec(proptest::sample::select(pieces), 1..7).prop_map(|pieces| pieces.concat());
    (0..count).map(|_| expression.new_tree(&mut runner).unwrap().current()).collect()
}

#[test]
fn postgres_compiles_every_expression_that_is_accepted() {
    for (programs, version) in servers().into_iter().filter(|(_, version)| *version >= 15) {
        let lines: Vec<String> = expressions(2500)
            .into_iter()
            .map(|expression| format!("map \"/{expression}\" role"))
            .filter(|line| {
                let more = json!({"patroni": {"dynamicConfiguration": {"postgresql": {"pg_ident": [line]}}}});
                resolved(version, &more).is_ok()
            })
            .collect();
        assert!(lines.len() > 500, "{}", lines.len());
        let mut server = Server::new(&programs);
        fs::write(server.data("pg_hba.conf"), "local all all trust\n").unwrap();
        server.start();
        fs::write(server.data("pg_ident.conf"), lines.join("\n") + "\n").unwrap();
        let read = server.json("select json_agg(r order by line_number) from pg_ident_file_mappings r");
        for (mapping, line) in read.as_array().unwrap().iter().zip(&lines) {
            assert_eq!(mapping["error"], Value::Null, "{line}");
        }
        assert_eq!(read.as_array().unwrap().len(), lines.len());
    }
}

#[test]
fn postgres_reads_every_parameter_that_patroni_writes() {
    for (programs, version) in servers() {
        let Some(patroni) = patroni::ConfigWriter::new() else { return };
        let mut parameters = Vec::new();
        for (number, text) in strings(&["x\narchive_command", "'; --", "a' # b"], 420).into_iter().enumerate() {
            // As a value in both sections of the spec, and as part of a name.
            let (value, name) = (format!("x.v{number}"), format!("x.n{text}"));
            for more in [
                json!({"config": {"parameters": {(value.as_str()): text}}}),
                json!({"patroni": {"dynamicConfiguration": {"postgresql": {"parameters": {(value.as_str()): text}}}}}),
                json!({"config": {"parameters": {(name.as_str()): "n"}}}),
                json!({"patroni": {"dynamicConfiguration": {"postgresql": {"parameters": {(name.as_str()): "n"}}}}}),
            ] {
                let Ok(cluster) = resolved(version, &more) else { continue };
                parameters.extend(parameters_of(&cluster).into_iter().filter(|(name, _)| name.starts_with("x.")));
            }
        }
        assert!(parameters.len() > 500, "{}", parameters.len());
        let mut server = Server::new(&programs);
        // Each parameter has its own file, so that an error in one does not affect the others.
        let directory = server.data("values");
        patroni.write(&directory, &parameters);
        fs::write(server.data("values.conf"), "include_dir 'values'\n").unwrap();
        let conf = fs::read_to_string(server.data("postgresql.conf")).unwrap();
        fs::write(server.data("postgresql.conf"), conf + "include_if_exists 'read.conf'\n").unwrap();
        server.start();
        fs::rename(server.data("values.conf"), server.data("read.conf")).unwrap();
        let read = server.json(
            "select json_agg(json_build_array(name, setting, error) order by sourcefile collate \"C\", sourceline) \
             from pg_file_settings where sourcefile like '%/values/%'",
        );
        let expected: Vec<Value> = parameters.iter().map(|(name, value)| json!([name, value, null])).collect();
        for (read, expected) in read.as_array().unwrap().iter().zip(&expected) {
            assert_eq!(read, expected);
        }
        assert_eq!(read.as_array().unwrap().len(), expected.len());
    }
}
