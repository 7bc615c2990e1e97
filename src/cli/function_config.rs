//! The configuration of a KRM function. It is one of:
//!
//! - a `PgRender` of `pgrender.dev/v1alpha1`, whose `spec` has the settings,
//! - a `ConfigMap`, whose `data` has them as strings (`kpt fn eval -- namespace=a`). There, each image is a separate key,
//!   with the name of PGO's variable (`RELATED_IMAGE_PGBACKREST`),
//! - a `PostgresCluster`, which is rendered with the defaults (a generator of kustomize),
//! - absent, which means the defaults.

use std::any::TypeId;
use std::error::Error;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command, FromArgMatches};

use crate::cli::environment::IMAGE_PREFIX;
use crate::cli::settings::{self, RenderSettings};
use crate::cli::values;
use crate::diagnostic::words;
use crate::diagnostic::{Diagnostic, FieldPath};
use crate::read::node::{Entry, Node, NodeValue};
use crate::read::object;
use crate::render;

pub(super) const API_VERSION: &str = "pgrender.dev/v1alpha1";
pub(super) const KIND: &str = "PgRender";

/// Reads the settings from a function's configuration. Errors name fields of the configuration, without a position.
pub(super) fn settings(config: &Node) -> Result<RenderSettings, Vec<Diagnostic>> {
    let resource = object::reference(config);
    let mut reader = Reader::new();
    match (resource.api_version.as_str(), resource.kind.as_str()) {
        (API_VERSION, KIND) => reader.pg_render(config),
        ("v1", "ConfigMap") => reader.config_map(config),
        (_, kind) if render::is_kind(kind) => {}
        (other, KIND) => {
            reader
                .error("apiVersion", format!("`{other}` is not a supported version of {KIND}: write `{API_VERSION}`"));
        }
        (_, other) => {
            let message = format!(
                "`{other}` cannot configure this function: use a `{KIND}` of `{API_VERSION}`, a `ConfigMap` or a \
                 `PostgresCluster`"
            );
            reader.error("kind", message);
        }
    }
    reader.settings().map_err(|errors| errors.into_iter().map(|error| error.of(resource.clone())).collect())
}

/// Reads fields as arguments of [`settings::command`], so that a value is valid in both or in none.
struct Reader {
    command: Command,
    /// The section that the settings are in.
    section: &'static str,
    arguments: Vec<String>,
    errors: Vec<Diagnostic>,
}

impl Reader {
    fn new() -> Self {
        Self { command: settings::command(), section: "spec", arguments: Vec::new(), errors: Vec::new() }
    }

    fn error(&mut self, field: &str, message: impl Into<String>) {
        self.errors.push(Diagnostic::error(message).at(FieldPath::of(field)));
    }

    /// The settings, if there is no error. Settings that contradict each other are reported together with the other errors.
    fn settings(mut self) -> Result<RenderSettings, Vec<Diagnostic>> {
        // The arguments are valid, because each of them was parsed before.
        let matches = self.command.try_get_matches_from_mut(&self.arguments);
        let settings = matches.and_then(|matches| RenderSettings::from_arg_matches(&matches));
        let settings = settings.map_err(|error| vec![Diagnostic::error(error.to_string())])?;
        if let Err((setting, message)) = settings.general.check() {
            let path = FieldPath::of(self.section).key(field(setting));
            self.errors.push(Diagnostic::error(message).at(path));
        }
        if self.errors.is_empty() { Ok(settings) } else { Err(self.errors) }
    }

    fn pg_render(&mut self, config: &Node) {
        let known = ["apiVersion", "kind", "metadata", "spec"];
        for entry in config.entries().iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let path = FieldPath::default().key(&entry.key);
            // The most likely mistake is that `spec` is missing.
            let hint = self.names().contains(&entry.key).then(|| format!(", did you mean `spec.{}`?", entry.key));
            let hint = hint.unwrap_or_else(|| did_you_mean(&entry.key, &known));
            self.errors.push(Diagnostic::error(format!("unknown field{hint}")).at(path));
        }
        self.section(config, "spec");
    }

    fn config_map(&mut self, config: &Node) {
        self.section(config, "data");
    }

    /// Reads the settings in the section `name` of the configuration.
    fn section(&mut self, config: &Node, name: &'static str) {
        self.section = name;
        let Some(section) = config.get(name) else { return };
        if !matches!(section.value, NodeValue::Null | NodeValue::Mapping(_)) {
            self.error(name, "expected a mapping");
        }
        for entry in section.entries() {
            let arguments = self.arguments(entry).and_then(|arguments| self.checked(arguments));
            match arguments {
                Ok(arguments) => self.arguments.extend(arguments),
                Err(message) => {
                    self.errors.push(Diagnostic::error(message).at(FieldPath::of(name).key(&entry.key)));
                }
            }
        }
    }

    /// The names of all fields.
    fn names(&self) -> Vec<String> {
        self.command.get_arguments().map(|argument| field(argument.get_id().as_str())).collect()
    }

    /// The arguments that have the same meaning as a field.
    fn arguments(&self, entry: &Entry) -> Result<Vec<String>, String> {
        let Entry { key, value, .. } = entry;
        let is_config_map = self.section == "data";
        if is_config_map && key.starts_with(IMAGE_PREFIX) {
            return image(entry).map(|image| image.into_iter().collect());
        }
        let argument = self.command.get_arguments().find(|argument| field(argument.get_id().as_str()) == *key);
        let Some(argument) = argument else {
            let names = self.names();
            return Err(format!(
                "unknown field{}",
                did_you_mean(key, &names.iter().map(String::as_str).collect::<Vec<_>>())
            ));
        };
        let flag = argument.get_long().unwrap_or_default();
        let of = |value: &str| format!("--{flag}={value}");
        match (argument.get_id().as_str(), argument.get_action()) {
            ("images", _) if is_config_map => {
                Err(format!("write each image under its own key, for example `{IMAGE_PREFIX}PGBACKREST`"))
            }
            _ if matches!(value.value, NodeValue::Null) => Ok(Vec::new()),
            ("images", _) => {
                let NodeValue::Mapping(entries) = &value.value else {
                    return Err(format!("expected a mapping like `{{{IMAGE_PREFIX}PGBACKREST: …}}`"));
                };
                few(entries.len())?;
                let images = entries.iter().map(|entry| image(entry).map_err(|why| format!("`{}`: {why}", entry.key)));
                images.filter_map(Result::transpose).collect()
            }
            (_, ArgAction::SetTrue) => Ok(boolean(value)?.then(|| format!("--{flag}")).into_iter().collect()),
            (_, ArgAction::Append) => Ok(strings(value)?.iter().map(|value| of(value)).collect()),
            ("openshift", _) => Ok(vec![of(&boolean(value)?.to_string())]),
            _ if is_number(argument) => Ok(vec![of(&scalar(value)?)]),
            _ => Ok(vec![of(&string(value)?)]),
        }
    }

    /// Returns the arguments if they are valid.
    fn checked(&self, arguments: Vec<String>) -> Result<Vec<String>, String> {
        match self.command.clone().try_get_matches_from(&arguments) {
            Ok(_) => Ok(arguments),
            Err(error) => Err(reason(&error)),
        }
    }
}

/// The argument for an image. An empty one means the default.
fn image(entry: &Entry) -> Result<Option<String>, String> {
    let (name, image) = (values::image_name(&entry.key)?, string(&entry.value)?);
    Ok((!image.is_empty()).then(|| format!("--image={name}={image}")))
}

/// Whether a setting is `true` or `false`.
pub(super) fn is_boolean(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::SetTrue) || argument.get_value_parser().type_id() == TypeId::of::<bool>()
}

/// Whether a setting may be a number in YAML: a time or days.
fn is_number(argument: &Arg) -> bool {
    let parser = argument.get_value_parser().type_id();
    parser == TypeId::of::<i64>() || parser == TypeId::of::<u16>()
}

/// Refuses a list that would take much memory. No real configuration has so many items.
fn few(items: usize) -> Result<(), String> {
    const MOST: usize = 1_000;
    if items > MOST { Err(format!("has {items} items: at most {MOST} are read")) } else { Ok(()) }
}

/// The name of the field for a setting, in the style of Kubernetes: `certificateWindowDays` for `certificate_window_days`.
pub fn field(setting: &str) -> String {
    let mut words = setting.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
}

/// Why an argument is invalid, without the name of its option.
fn reason(error: &clap::Error) -> String {
    let text = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(source), _) => source.to_string(),
        (None, Some(ContextValue::Strings(valid))) if valid.is_empty() => "must not be empty".to_owned(),
        (None, Some(ContextValue::Strings(valid))) => {
            format!(
                "invalid value {}: expected one of {}",
                words::quote(&text(ContextKind::InvalidValue)),
                words::list(valid.iter().map(String::as_str))
            )
        }
        _ => error.to_string(),
    }
}

/// Returns `, did you mean …?` with the most similar of `known`, or the list of them if none is similar.
fn did_you_mean(word: &str, known: &[&str]) -> String {
    match words::nearest(word, known.iter().copied()) {
        Some(name) => format!(", did you mean `{name}`?"),
        None => format!(", known are {}", words::list(known.iter().copied())),
    }
}

fn string(node: &Node) -> Result<String, String> {
    node.as_str().map(str::to_owned).ok_or_else(|| "expected a string".to_owned())
}

/// Returns a list of strings. One text with commas is also accepted, because a ConfigMap has no lists.
fn strings(node: &Node) -> Result<Vec<String>, String> {
    if let NodeValue::Sequence(items) = &node.value {
        few(items.len())?;
        return items.iter().map(string).collect();
    }
    let text = string(node)?;
    few(text.split(',').count())?;
    Ok(text.split(',').map(|name| name.trim().to_owned()).collect())
}

/// Returns a string, or a number as it was written.
fn scalar(node: &Node) -> Result<String, String> {
    match &node.value {
        NodeValue::Number { plain, .. } => Ok(plain.clone()),
        _ => string(node),
    }
}

/// Returns a boolean. A quoted one is also accepted, because a ConfigMap has only strings.
fn boolean(node: &Node) -> Result<bool, String> {
    let expected = || "expected `true` or `false`".to_owned();
    match &node.value {
        NodeValue::Bool { value, .. } => Ok(*value),
        _ => node.as_str().and_then(|text| text.parse().ok()).ok_or_else(expected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::settings::{Certificates, Credentials, SeedSettings, Settings};
    use crate::cli::values;
    use crate::read;

    fn read(text: &str) -> Result<RenderSettings, Vec<String>> {
        let lines = |errors: Vec<Diagnostic>| errors.iter().map(ToString::to_string).collect::<Vec<_>>();
        let documents = read::documents("<stdin>", text).map_err(lines)?;
        settings(&documents[0].node).map_err(lines)
    }

    #[test]
    fn a_pg_render_holds_every_setting() {
        let settings = read(
            "apiVersion: pgrender.dev/v1alpha1\nkind: PgRender\nspec:\n  namespace: a\n  clusterDomain: b.local.\n  \
             images: {RELATED_IMAGE_PGBACKREST: c}\n  time: 1767225600\n  certificates: seed\n  credentials: reference\n  certificateWindowDays: 30\n  \
             certificateLifetimeDays: 90\n  trustDomain: e\n  trustAlso: [f, g]\n  networkPolicies: true\n  prometheusOperator: true\n  grafanaDashboard: true\n  openshift: true\n  endpointSlices: true\n  seedFile: d\n  random: true\n",
        )
        .unwrap();
        assert_eq!(
            settings.general,
            Settings {
                namespace: Some("a".to_owned()),
                cluster_domain: "b.local".to_owned(),
                images: vec![("RELATED_IMAGE_PGBACKREST".to_owned(), "c".to_owned())],
                time: Some(1_767_225_600),
                certificates: Certificates::Seed,
                certificate_issuer: None,
                credentials: Credentials::Reference,
                certificate_window_days: 30,
                certificate_lifetime_days: 90,
                trust_domain: Some("e".to_owned()),
                trust_also: vec!["f".to_owned(), "g".to_owned()],
                network_policies: true,
                prometheus_operator: true,
                grafana_dashboard: true,
                endpoint_slices: true,
                openshift: Some(true),
            }
        );
        assert_eq!(settings.seed, SeedSettings { seed_file: Some("d".into()), random: true });
    }

    #[test]
    fn cert_manager_may_be_told_who_signs() {
        let settings = read(
            "apiVersion: v1\nkind: ConfigMap\ndata: {certificates: cert-manager, certificateIssuer: ClusterIssuer/a}\n",
        );
        let settings = settings.unwrap().general;
        assert_eq!(settings.certificates, Certificates::CertManager);
        assert_eq!(settings.certificate_issuer, values::issuer("ClusterIssuer/a").ok());
    }

    #[test]
    fn a_config_map_holds_strings() {
        let settings = read(
            "apiVersion: v1\nkind: ConfigMap\ndata: {random: 'true', networkPolicies: 'true', openshift: 'false', time: '1767225600', RELATED_IMAGE_PGBACKREST: c, \
                  certificateWindowDays: '30', trustAlso: 'f, g'}\n",
        )
        .unwrap();
        assert!(settings.seed.random);
        let settings = settings.general;
        assert_eq!((settings.certificate_window_days, settings.certificate_lifetime_days), (30, 397));
        assert_eq!(settings.trust_also, ["f", "g"]);
        assert!(settings.network_policies);
        assert_eq!((settings.time, settings.openshift), (Some(1_767_225_600), Some(false)));
        assert_eq!(settings.images, [("RELATED_IMAGE_PGBACKREST".to_owned(), "c".to_owned())]);
    }

    #[test]
    fn every_unknown_field_is_an_error_with_a_suggestion() {
        let errors = read(
            "apiVersion: pgrender.dev/v1alpha1\nkind: PgRender\nrandom: true\nspec:\n  namepsace: a\n  seedfile: b\n",
        )
        .unwrap_err();
        assert_eq!(
            errors,
            [
                "error: PgRender: random: unknown field, did you mean `spec.random`?",
                "error: PgRender: spec.namepsace: unknown field, did you mean `namespace`?",
                "error: PgRender: spec.seedfile: unknown field, did you mean `seedFile`?",
            ]
        );
    }

    #[test]
    fn wrong_values_are_errors() {
        for text in [
            "{apiVersion: pgrender.dev/v1alpha1, kind: PgRender, spec: {random: maybe}}",
            "{apiVersion: pgrender.dev/v1alpha1, kind: PgRender, spec: {networkPolicies: [instances]}}",
            "{apiVersion: pgrender.dev/v1alpha1, kind: PgRender, spec: {openshift: v4}}",
            "{apiVersion: pgrender.dev/v1alpha1, kind: PgRender, spec: {time: 12}}",
            "{apiVersion: pgrender.dev/v1alpha1, kind: PgRender, spec: {images: [a]}}",
            "{apiVersion: pgrender.dev/v1alpha1, kind: PgRender, spec: {images: {PGBACKREST: a}}}",
            "{apiVersion: pgrender.dev/v1alpha1, kind: PgRender, spec: [a]}",
            "{apiVersion: pgrender.dev/v1alpha1, kind: PgRender, spec: {certificateWindowDays: -1}}",
            "{apiVersion: pgrender.dev/v1alpha1, kind: PgRender, spec: {certificateLifetimeDays: a year}}",
            "{apiVersion: pgrender.dev/v1alpha1, kind: PgRender, spec: {trustDomain: ''}}",
            "{apiVersion: pgrender.dev/v1alpha1, kind: PgRender, spec: {trustAlso: [a b]}}",
            "{apiVersion: pgrender.dev/v1alpha1, kind: PgRender, spec: {certificates: vault}}",
            "{apiVersion: pgrender.dev/v1alpha1, kind: PgRender, spec: {certificateIssuer: Issuer/a}}",
            "{apiVersion: pgrender.dev/v1alpha1, kind: PgRender, spec: {certificates: cert-manager, trustDomain: a}}",
            "{apiVersion: pgrender.dev/v1, kind: PgRender}",
            "{apiVersion: v1, kind: ConfigMap, data: {images: a}}",
            "{apiVersion: v1, kind: Service}",
        ] {
            assert_eq!(read(text).unwrap_err().len(), 1, "{text}");
        }
    }

    #[test]
    fn an_image_is_the_whole_value_and_an_empty_one_is_the_default() {
        let settings =
            read("{apiVersion: v1, kind: ConfigMap, data: {RELATED_IMAGE_PGBACKREST: '', RELATED_IMAGE_A: 'b=c'}}");
        assert_eq!(settings.unwrap().general.images, [("RELATED_IMAGE_A".to_owned(), "b=c".to_owned())]);
        let many = "a,".repeat(2_000);
        for (fields, message) in [
            ("images: {'RELATED_IMAGE_A=x': b}", "is not a valid name of an image"),
            ("images: {'RELATED_IMAGE_A=': ''}", "is not a valid name of an image"),
            ("namespace: 010", "expected a string"),
            ("trustDomain: 1e3", "expected a string"),
            ("seedFile: 5", "expected a string"),
            ("seedFile: ''", "must not be empty"),
            (&format!("trustAlso: '{many}'"), "at most 1000 are read"),
        ] {
            let errors = read(&format!("{{apiVersion: {API_VERSION}, kind: {KIND}, spec: {{{fields}}}}}")).unwrap_err();
            assert!(errors.len() == 1 && errors[0].contains(message), "{message}: {errors:?}");
        }
    }

    #[test]
    fn all_errors_are_reported_together() {
        let fields = "namespace: A B, certificates: cert-manager, trustDomain: a";
        let errors = read(&format!("{{apiVersion: {API_VERSION}, kind: {KIND}, spec: {{{fields}}}}}")).unwrap_err();
        assert_eq!(errors.len(), 2, "{errors:?}");
    }

    #[test]
    fn days_that_do_not_go_together_are_an_error_of_their_field() {
        for (fields, path) in [
            ("certificateWindowDays: 200, certificateLifetimeDays: 210", "certificateWindowDays"),
            ("certificateWindowDays: 0", "certificateWindowDays"),
            ("certificateLifetimeDays: 90", "certificateLifetimeDays"),
            ("certificateLifetimeDays: 900", "certificateLifetimeDays"),
        ] {
            let errors = read(&format!("{{apiVersion: {API_VERSION}, kind: {KIND}, spec: {{{fields}}}}}")).unwrap_err();
            assert_eq!(errors.len(), 1);
            assert!(errors[0].starts_with(&format!("error: PgRender: spec.{path}: a certificate ")), "{errors:?}");
            let quoted = fields.replace(": ", ": '").replace(',', "',") + "'";
            let errors = read(&format!("{{apiVersion: v1, kind: ConfigMap, data: {{{quoted}}}}}")).unwrap_err();
            assert!(errors[0].starts_with(&format!("error: ConfigMap: data.{path}: a certificate ")), "{errors:?}");
        }
    }

    #[test]
    fn an_empty_configuration_means_the_defaults() {
        for text in [
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: function-input}, data: {}}",
            "{apiVersion: pgrender.dev/v1alpha1, kind: PgRender, spec: null}",
            "{apiVersion: postgres-operator.crunchydata.com/v1, kind: PostgresCluster}",
        ] {
            assert_eq!(read(text), Ok(RenderSettings::default()), "{text}");
        }
    }
}
