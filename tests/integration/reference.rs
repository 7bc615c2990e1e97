//! Tests that the reference of settings is that of the program: the table in `docs/reference.md`, the schema of the function's
//! configuration, and the configuration to copy. The program declares each setting once.
//!
//! `SNAPSHOTS=overwrite cargo test --test integration reference::` updates the files.

use std::any::TypeId;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use clap::builder::ValueParser;
use clap::{Arg, ArgAction};
use pgrender::cli::function_config::field;
use pgrender::cli::settings;

/// Where the documentation explains a setting.
const PAGES: [(&str, &str); 13] = [
    ("certificates", "certificates.md#cert-manager"),
    ("certificate_issuer", "certificates.md#cert-manager"),
    ("credentials", "credentials.md"),
    ("certificate_window_days", "certificates.md#windows"),
    ("certificate_lifetime_days", "certificates.md#windows"),
    ("trust_domain", "certificates.md#trust-domains"),
    ("trust_also", "certificates.md#trust-domains"),
    ("network_policies", "operations.md#networkpolicies"),
    ("prometheus_operator", "prometheus.md#found-by-prometheus"),
    ("grafana_dashboard", "prometheus.md#dashboard"),
    ("endpoint_slices", "operations.md#a-kubernetes-that-does-not-create-endpointslices-from-endpoints"),
    ("openshift", "openshift.md"),
    ("seed_file", "seed.md"),
];

/// The values in the configuration to copy, for settings without a default. A setting that excludes others is only a comment.
const EXAMPLES: [(&str, &str); 8] = [
    ("namespace", "postgres"),
    (
        "images",
        "\n    RELATED_IMAGE_POSTGRES_18: registry.example.com/crunchy-postgres:18\n    RELATED_IMAGE_PGBACKREST: \
         registry.example.com/crunchy-pgbackrest:2",
    ),
    ("time", "\"2026-01-01T00:00:00Z\""),
    ("trust_domain", "databases"),
    ("trust_also", "[databases-of-before]"),
    ("openshift", "false"),
    ("seed_file", "/run/secrets/pgrender/seed"),
    ("certificate_issuer", ""),
];

const BEGIN: &str = "<!-- begin: tests/integration/reference.rs writes this table -->\n";
const END: &str = "<!-- end -->\n";

/// All settings, in the order of the help.
fn arguments() -> Vec<Arg> {
    settings::command().get_arguments().cloned().collect()
}

fn help(argument: &Arg) -> String {
    argument.get_help().unwrap().to_string()
}

fn default(argument: &Arg) -> Option<String> {
    let values: Vec<_> = argument.get_default_values().iter().map(|value| value.to_str().unwrap().to_owned()).collect();
    match argument.get_action() {
        ArgAction::SetTrue => Some("false".to_owned()),
        _ => values.first().cloned(),
    }
}

fn looked_up<'a>(table: &[(&str, &'a str)], argument: &Arg) -> Option<&'a str> {
    table.iter().find(|(name, _)| argument.get_id() == name).map(|(_, value)| *value)
}

/// The names of the values that are possible, if they are few.
fn choices(argument: &Arg) -> Vec<String> {
    let is_boolean = matches!(argument.get_action(), ArgAction::SetTrue) || is_of::<bool>(argument);
    let values = argument.get_possible_values();
    if is_boolean { Vec::new() } else { values.iter().map(|value| value.get_name().to_owned()).collect() }
}

fn is_of<T: 'static>(argument: &Arg) -> bool {
    let parser: &ValueParser = argument.get_value_parser();
    parser.type_id() == TypeId::of::<T>()
}

/// Compares a file with what it should be, or writes it.
fn check(file: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if env::var_os("SNAPSHOTS").is_some_and(|value| value == "overwrite") {
        fs::write(&path, expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap();
    assert!(
        found == expected,
        "{file} is not up to date: run `SNAPSHOTS=overwrite cargo test --test integration reference::`"
    );
}

/// Replaces the part of a file between two lines.
fn replaced(file: &str, begin: &str, end: &str, part: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let (before, rest) = text.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    format!("{before}{begin}{part}{end}{after}")
}

#[test]
fn the_table_of_settings_is_that_of_the_program() {
    let mut table =
        "| option of `pgrender render` | in the function's configuration | meaning |\n| --- | --- | --- |\n".to_owned();
    for argument in arguments() {
        let short = argument.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
        let option = argument.clone().short(None).to_string();
        let name = field(argument.get_id().as_str());
        let values = choices(&argument).iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(" or ");
        let values = if values.is_empty() { values } else { format!(": {values}") };
        let default = default(&argument).filter(|value| value != "false");
        let default = default.map(|value| format!(" [default: {value}]")).unwrap_or_default();
        let page = looked_up(&PAGES, &argument).map(|page| format!(" ([more]({page}))")).unwrap_or_default();
        let help = help(&argument).replace('|', "\\|");
        writeln!(table, "| {short}`{option}` | `{name}` | {help}{values}{default}{page} |").unwrap();
    }
    check("docs/reference.md", &replaced("docs/reference.md", BEGIN, END, &table));
}

#[test]
fn the_schema_of_the_function_is_that_of_the_program() {
    let mut properties = String::new();
    for argument in arguments() {
        let name = field(argument.get_id().as_str());
        let mut add = |line: &str| writeln!(properties, "                {line}").unwrap();
        add(&format!("{name}:"));
        add("  description: >-");
        for line in textwrap::wrap(&help(&argument), 98) {
            add(&format!("    {line}"));
        }
        match argument.get_action() {
            ArgAction::SetTrue => add("  type: boolean"),
            _ if is_of::<bool>(&argument) => add("  type: boolean"),
            ArgAction::Append if is_of::<(String, String)>(&argument) => {
                add("  type: object\n                  additionalProperties:\n                    type: string");
            }
            ArgAction::Append => add("  type: array\n                  items:\n                    type: string"),
            _ if is_of::<u16>(&argument) => add("  type: integer"),
            _ if is_of::<i64>(&argument) => add("  type: string\n                  format: date-time"),
            _ => add("  type: string"),
        }
        if !choices(&argument).is_empty() {
            add(&format!("  enum: [{}]", choices(&argument).join(", ")));
        }
        if let Some(default) = default(&argument) {
            add(&format!("  default: {default}"));
        }
    }
    let file = "functions/pgrender/definition.yaml";
    let begin = "              additionalProperties: false\n              properties:\n";
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let (before, _) = text.split_once(begin).unwrap();
    check(file, &format!("{before}{begin}{properties}"));
}

#[test]
fn the_configuration_to_copy_has_every_setting() {
    let mut spec = String::new();
    for argument in arguments() {
        let name = field(argument.get_id().as_str());
        let value = default(&argument).or_else(|| looked_up(&EXAMPLES, &argument).map(str::to_owned)).unwrap();
        let about = match choices(&argument).join("` or `") {
            values if values.is_empty() => help(&argument),
            values => format!("{}: `{values}`", help(&argument)),
        };
        let about = if value.is_empty() { format!("`{name}`: {about}") } else { about };
        for line in textwrap::wrap(&about, 114) {
            writeln!(spec, "  # {line}").unwrap();
        }
        if !value.is_empty() {
            let space = if value.starts_with('\n') { "" } else { " " };
            writeln!(spec, "  {name}:{space}{value}").unwrap();
        }
    }
    let file = "functions/pgrender/pgrender.yaml";
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let (before, _) = text.split_once("\nspec:\n").unwrap();
    check(file, &format!("{before}\nspec:\n{spec}"));
}

#[test]
fn every_option_of_other_commands_is_in_the_reference() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md")).unwrap();
    for command in ["diff", "describe", "explain"] {
        let output =
            std::process::Command::new(env!("CARGO_BIN_EXE_pgrender")).args([command, "--help"]).output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        let options = help.lines().map(str::trim_start).filter(|line| line.starts_with('-') && !line.starts_with("- "));
        let options = options.filter_map(|line| line.split([' ', '=', '[', ',']).find(|word| word.starts_with("--")));
        let options: Vec<&str> = options.filter(|option| !["--help", "--version"].contains(option)).collect();
        assert!(options.len() > 3, "{help}");
        for option in options {
            assert!(page.contains(&format!("`{option}")), "{command} {option}");
        }
    }
}
