//! Explains the configuration of the function, `PgRender`. Its fields are the settings, which are declared once.

use std::sync::LazyLock;

use clap::{Arg, ArgAction};
use serde_json::Value;

use crate::cli::function_config::{API_VERSION, KIND, field, is_boolean};
use crate::cli::settings;
use crate::diagnostic::{Diagnostic, words};
use crate::explain::{Explanation, FieldLine, example, path};
use crate::read;
use crate::write::yaml;

/// The configuration to copy, which has a value for every setting.
static EXAMPLE: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../../../functions/pgrender/pgrender.yaml");
    let documents = read::documents("pgrender.yaml", text).unwrap_or_default();
    documents.first().map(|document| document.node.to_json()).unwrap_or_default()
});

/// Returns the keys of the field if the path begins with the name of the kind, perhaps after its version.
pub(super) fn keys(text: &str) -> Option<Result<Vec<String>, Diagnostic>> {
    let text = text.trim();
    let text = text.strip_prefix(API_VERSION).map_or(text, |rest| rest.trim_start_matches(['.', '/', ' ']));
    let beginning = text.get(..KIND.len()).filter(|beginning| beginning.eq_ignore_ascii_case(KIND))?;
    let rest = &text[beginning.len()..];
    // The annotations of a PostgresCluster begin with `pgrender.dev/`.
    if !(rest.is_empty() || rest.starts_with(['.', '[']) && !rest.starts_with(".dev/")) {
        return None;
    }
    let unreadable = |advice| Diagnostic::error(format!("{} is not a path of a field: {advice}", words::quote(text)));
    Some(path::keys(rest).map_err(unreadable))
}

/// Explains the kind or one of its fields.
pub(super) fn explain(keys: Result<Vec<String>, Diagnostic>) -> Result<Explanation, Diagnostic> {
    let keys = keys?;
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    let explanation = match names.as_slice() {
        [] => whole("", "The configuration of pgrender as a KRM function. All settings are optional.", top()),
        ["spec"] => whole("spec", "The settings.", settings()),
        ["apiVersion" | "kind" | "metadata"] => {
            let line = top().into_iter().find(|line| line.name == names[0]).unwrap_or_default();
            Explanation {
                path: line.name,
                type_name: line.type_name,
                description: line.description,
                required: true,
                ..Explanation::default()
            }
        }
        ["spec", name] | ["spec", name @ "images", _] => setting(name).ok_or_else(|| unknown(&keys))?,
        _ => return Err(unknown(&keys)),
    };
    let example = if keys.is_empty() { Some(EXAMPLE.clone()) } else { example::cut(&EXAMPLE, &keys, &|_, _| false) };
    let example = example.map(|example| yaml::to_string(&example));
    Ok(Explanation { kind: KIND.to_owned(), api_version: API_VERSION.to_owned(), example, ..explanation })
}

fn whole(path: &str, description: &str, fields: Vec<FieldLine>) -> Explanation {
    Explanation {
        path: path.to_owned(),
        type_name: "Object".to_owned(),
        description: description.to_owned(),
        fields,
        ..Explanation::default()
    }
}

fn top() -> Vec<FieldLine> {
    let line = |name: &str, type_name: &str, description: &str| FieldLine {
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        required: name != "spec",
        description: description.to_owned(),
        fields: Vec::new(),
    };
    vec![
        line("apiVersion", "string", &format!("The version of the API: `{API_VERSION}`.")),
        line("kind", "string", &format!("The kind of the resource: `{KIND}`.")),
        line("metadata", "Object", "The name, and in its annotations how kustomize calls the function."),
        FieldLine { fields: Vec::new(), ..line("spec", "Object", "The settings.") },
    ]
}

fn settings() -> Vec<FieldLine> {
    let line = |argument: &Arg| FieldLine {
        name: field(argument.get_id().as_str()),
        type_name: type_name(argument).to_owned(),
        description: help(argument),
        ..FieldLine::default()
    };
    settings::command().get_arguments().map(line).collect()
}

fn setting(name: &str) -> Option<Explanation> {
    let command = settings::command();
    let argument = command.get_arguments().find(|argument| field(argument.get_id().as_str()) == name)?;
    let values: Vec<_> = argument.get_possible_values();
    let mut rules = Vec::new();
    if !values.is_empty() && !is_boolean(argument) {
        rules.push(format!("one of {}", words::list(values.iter().map(clap::builder::PossibleValue::get_name))));
    }
    rules.push(format!("the same as the option `{}`", argument.clone().short(None)));
    let default = argument.get_default_values().first().and_then(|value| value.to_str());
    let default = match argument.get_action() {
        ArgAction::SetTrue => Some(Value::Bool(false)),
        _ => default.map(|text| text.parse::<u16>().map_or_else(|_| Value::from(text), Value::from)),
    };
    Some(Explanation {
        path: path::join("spec", name),
        type_name: type_name(argument).to_owned(),
        default,
        description: help(argument),
        rules,
        ..Explanation::default()
    })
}

/// The help of an option is a sentence without its end.
fn help(argument: &Arg) -> String {
    argument.get_help().map(|help| format!("{help}.")).unwrap_or_default()
}

fn type_name(argument: &Arg) -> &'static str {
    match (argument.get_id().as_str(), argument.get_action()) {
        ("images", _) => "map[string]string",
        _ if is_boolean(argument) => "boolean",
        (_, ArgAction::Append) => "[]string",
        _ if argument.get_value_parser().type_id() == std::any::TypeId::of::<u16>() => "integer",
        _ => "string",
    }
}

fn unknown(keys: &[String]) -> Diagnostic {
    let asked = keys.iter().fold(String::new(), |path, key| path::join(&path, key));
    let lines = settings();
    let paths = lines.iter().map(|line| format!("spec.{}", line.name)).chain(top().into_iter().map(|line| line.name));
    let paths: Vec<String> = paths.collect();
    let last = keys.last().map(String::as_str).unwrap_or_default();
    let meant = words::nearest(&asked, paths.iter().map(String::as_str)).map(str::to_owned);
    let meant = meant.or_else(|| {
        words::nearest(last, lines.iter().map(|line| line.name.as_str())).map(|name| format!("spec.{name}"))
    });
    let advice = match meant {
        Some(meant) => format!("did you mean `{KIND}.{meant}`?"),
        None => format!("run `pgrender explain {KIND}.spec` to see all fields"),
    };
    Diagnostic::error(format!("unknown field {}: {advice}", words::quote(&format!("{KIND}.{asked}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(path: &str) -> Result<Explanation, String> {
        explain(keys(path).unwrap()).map_err(|error| error.message)
    }

    #[test]
    fn every_setting_is_explained() {
        for line in settings() {
            let explanation = explained(&format!("PgRender.spec.{}", line.name)).unwrap();
            assert!(explanation.description.len() > 10, "{explanation:?}");
            let has_example = explanation.example.is_some() || line.name == "certificateIssuer";
            assert!(has_example, "{explanation:?}");
        }
        for path in [
            "pgrender",
            "pgrender.dev/v1alpha1.PgRender",
            "PgRender.metadata",
            "pgrender.spec",
            "PgRender.spec.images.A",
        ] {
            assert!(!explained(path).unwrap().type_name.is_empty(), "{path}");
        }
    }

    #[test]
    fn other_paths_are_not_about_the_function() {
        for path in ["", "spec", "pgrender.dev/restore-drill", "pgrenders.spec"] {
            assert!(keys(path).is_none(), "{path}");
        }
    }

    #[test]
    fn an_unknown_setting_finds_the_one_that_was_meant() {
        for (path, meant) in [
            ("PgRender.namespace", "`PgRender.spec.namespace`"),
            ("PgRender.spec.trustdomain", "`PgRender.spec.trustDomain`"),
            ("PgRender.spek", "`PgRender.spec`"),
            ("PgRender.spec.zzz", "`pgrender explain PgRender.spec`"),
        ] {
            let error = explained(path).unwrap_err();
            assert!(error.contains(meant), "{error}");
        }
    }
}
