//! Checks `spec.patroni.dynamicConfiguration`: the part that Patroni writes into files of Postgres. The schema does not
//! describe it.

use serde_json::{Map, Value};

use super::setting;
use crate::diagnostic::FieldPath;
use crate::diagnostic::line;
use crate::diagnostic::words;
use crate::postgres_cluster::postgres::configuration::check_ident_text;
use crate::postgres_cluster::postgres::parameter;
use crate::postgres_cluster::postgres::resolve::hba_text;
use crate::postgres_cluster::replication::host;
use crate::postgres_cluster::resolve::context::Context;

/// Checks the whole dynamic configuration.
pub(crate) fn check(configuration: &Map<String, Value>, version: u16, context: &mut Context) {
    let path = FieldPath::of("spec.patroni.dynamicConfiguration");
    let postgresql = configuration.get("postgresql");
    for (name, value) in configuration {
        if name != "postgresql" || !value.is_object() {
            check_tree(value, &path.key(name), context);
        }
        context.check(&path.key(name), line::check_name(name));
    }
    if let Some(source) = configuration.get("standby_cluster") {
        standby_source(source, &path.key("standby_cluster"), context);
    }
    let path = path.key("postgresql");
    for (name, value) in postgresql.and_then(Value::as_object).into_iter().flatten() {
        let path = path.key(name);
        match name.as_str() {
            "parameters"
            | "parameters_primary"
            | "parameters_replica"
            | "parameters_standby_leader"
            | "recovery_conf" => parameters(value, &path, context),
            "pg_hba" => lines(value, &path, context, |line, path, context| hba_text(line, path, version, context)),
            "pg_ident" => lines(value, &path, context, |line, path, context| {
                context.check(path, check_ident_text(line, version));
            }),
            _ => {
                context.check(&path, line::check_name(name));
                check_tree(value, &path, context);
            }
        }
    }
    // `replication/resolve.rs` refuses `ident_file`. Patroni does not allow either of them in `recovery_conf`.
    let parameters = postgresql.and_then(|postgresql| postgresql.get("parameters")).and_then(Value::as_object);
    for name in parameters.into_iter().flat_map(Map::keys).filter(|name| name.eq_ignore_ascii_case("hba_file")) {
        let message = "replaces every rule that pgrender writes, also the rules of the cluster's own roles: the file \
                       must contain them";
        context.warning(path.key("parameters").key(name), message);
    }
}

/// Checks what Patroni puts into a connection string. It does not escape tabs there.
fn standby_source(source: &Value, path: &FieldPath, context: &mut Context) {
    match &source["host"] {
        Value::Null => {}
        Value::String(hosts) => drop(context.check(&path.key("host"), host::check(hosts))),
        _ => context.error(path.key("host"), "must be the name or the address of a host"),
    }
    let is_port = match &source["port"] {
        Value::Null => true,
        Value::Number(port) => port.as_u64().is_some_and(|port| (1..=65535).contains(&port)),
        Value::String(ports) => ports.split(',').all(|port| port.parse::<u16>().is_ok_and(|port| port > 0)),
        _ => false,
    };
    let count = |value: &Value| value.as_str().map_or(1, |values| values.split(',').count());
    if !is_port {
        context.error(path.key("port"), "is not a valid port: write a number from 1 to 65535");
    } else if ![1, count(&source["host"])].contains(&count(&source["port"])) {
        context.error(path.key("port"), "must be one port, or one for each host: correct their number");
    }
}

/// Checks names and values of parameters that Patroni writes into `postgresql.conf`.
fn parameters(parameters: &Value, path: &FieldPath, context: &mut Context) {
    let parameters = match parameters {
        Value::Null => return,
        Value::Object(parameters) => parameters,
        _ => return context.error(path.clone(), "must be a mapping of names to values"),
    };
    for (name, value) in parameters {
        let path = path.key(name);
        if !context.check(&path, parameter::check_name(name)) {
            continue;
        }
        match value {
            Value::String(text) => drop(context.check(&path, parameter::check_value(name, text))),
            Value::Array(_) | Value::Object(_) => context.error(path.clone(), no_value(name, value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// The message if the value of a parameter is a list or a mapping.
fn no_value(name: &str, value: &Value) -> String {
    match (setting::home(name), value) {
        _ if name == "parameters" => {
            "`parameters` is inside `parameters`: write its content one level higher".to_owned()
        }
        (Some(""), _) => "is a setting of Patroni: write it at the top level of `dynamicConfiguration`".to_owned(),
        (Some("postgresql"), _) => {
            format!("is not a parameter of Postgres: write `postgresql.{name}`, next to `parameters`")
        }
        (None, Value::Object(entries)) => match entries.keys().next() {
            Some(key) => {
                format!(
                    "a parameter cannot be a mapping: write the full name of each parameter, as in `{}`",
                    quoted(name, key)
                )
            }
            None => "a parameter has one value: remove it".to_owned(),
        },
        (Some(_), Value::Array(items)) if !name.contains("conninfo") && items.iter().all(Value::is_string) => {
            let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            format!("a parameter has one value: write {}", words::quote(&format!("\"{}\"", items.join(","))))
        }
        _ => "a parameter has one value: write a string, a number or a boolean".to_owned(),
    }
}

/// Returns the quoted name of a parameter of an extension, shortened if it is long.
fn quoted(extension: &str, key: &str) -> String {
    words::quote(&format!("{extension}.{key}")).trim_matches('`').to_owned()
}

/// Checks a list of lines. Patroni writes each item as one line and ignores items that are not strings.
fn lines(lines: &Value, path: &FieldPath, context: &mut Context, check: impl Fn(&str, &FieldPath, &mut Context)) {
    match lines {
        Value::Null => {}
        Value::Array(lines) => {
            for (index, line) in lines.iter().enumerate() {
                match line {
                    Value::String(line) => check(line, &path.index(index), context),
                    _ => context.error(path.index(index), "must be a string of one line"),
                }
            }
        }
        _ => context.error(path.clone(), "must be a list of lines"),
    }
}

/// Checks every key and every text in settings that Patroni uses itself or makes part of something else.
fn check_tree(value: &Value, path: &FieldPath, context: &mut Context) {
    match value {
        Value::String(text) => drop(context.check(path, line::check(text))),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check_tree(item, &path.index(index), context);
            }
        }
        Value::Object(entries) => {
            for (name, value) in entries {
                context.check(&path.key(name), line::check_name(name));
                check_tree(value, &path.key(name), context);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
