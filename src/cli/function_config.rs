//! The configuration of a KRM function. It is one of:
//!
//! - a `PgRender` of `pgrender.dev/v1alpha1`, whose `spec` has the settings,
//! - a `ConfigMap`, whose `data` has them as strings (`kpt fn eval -- namespace=a`). There, each image is a separate key,
//!   with the name of PGO's variable (`RELATED_IMAGE_PGBACKREST`),
//! - a `PostgresCluster`, which is rendered with the defaults (a generator of kustomize),
//! - absent, which means the defaults.

use super::environment::IMAGE_PREFIX;
use super::settings::{self, Settings};
use crate::diagnostic::{Diagnostic, FieldPath};
use crate::object;
use crate::read::node::{Entry, Node, NodeValue};
use crate::render;

const API_VERSION: &str = "pgrender.dev/v1alpha1";
const KIND: &str = "PgRender";
const FIELDS: [&str; 16] = [
    "namespace",
    "clusterDomain",
    "images",
    "time",
    "certificates",
    "certificateIssuer",
    "credentials",
    "certificateWindowDays",
    "certificateLifetimeDays",
    "trustDomain",
    "trustAlso",
    "networkPolicies",
    "endpointSlices",
    "openshift",
    "seedFile",
    "random",
];

/// Reads the settings from a function's configuration. Errors name fields of the configuration, without a position.
pub(super) fn settings(config: &Node) -> Result<Settings, Vec<Diagnostic>> {
    let resource = object::reference(config);
    let mut reader = Reader::default();
    match (resource.api_version.as_str(), resource.kind.as_str()) {
        (API_VERSION, KIND) => reader.pg_render(config),
        ("v1", "ConfigMap") => reader.config_map(config),
        (_, render::KIND) => {}
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
    if reader.errors.is_empty() {
        return Ok(reader.settings);
    }
    Err(reader.errors.into_iter().map(|error| error.of(resource.clone())).collect())
}

#[derive(Default)]
struct Reader {
    settings: Settings,
    window_days: Option<u16>,
    lifetime_days: Option<u16>,
    errors: Vec<Diagnostic>,
}

impl Reader {
    fn error(&mut self, field: &str, message: impl Into<String>) {
        self.errors.push(Diagnostic::error(message).at(FieldPath::of(field)));
    }

    fn pg_render(&mut self, config: &Node) {
        let known = ["apiVersion", "kind", "metadata", "spec"];
        for entry in config.entries().iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let path = FieldPath::default().key(&entry.key);
            // The most likely mistake is that `spec` is missing.
            let hint = FIELDS.contains(&entry.key.as_str()).then(|| format!(", did you mean `spec.{}`?", entry.key));
            let hint = hint.unwrap_or_else(|| did_you_mean(&entry.key, &known));
            self.errors.push(Diagnostic::error(format!("unknown field{hint}")).at(path));
        }
        for entry in fields(config, "spec") {
            let path = FieldPath::of("spec").key(&entry.key);
            if let Err(message) = self.set(entry) {
                self.errors.push(Diagnostic::error(message).at(path));
            }
        }
        self.expect_mapping(config, "spec");
        self.join("spec");
    }

    fn config_map(&mut self, config: &Node) {
        for entry in fields(config, "data") {
            let path = FieldPath::of("data").key(&entry.key);
            let set = match entry.key.as_str() {
                "images" => Err(format!("write each image under its own key, for example `{IMAGE_PREFIX}PGBACKREST`")),
                key if key.starts_with(IMAGE_PREFIX) => self.image(entry),
                _ => self.set(entry),
            };
            if let Err(message) = set {
                self.errors.push(Diagnostic::error(message).at(path));
            }
        }
        self.expect_mapping(config, "data");
        self.join("data");
    }

    fn expect_mapping(&mut self, config: &Node, key: &str) {
        let value = config.get(key).map(|node| &node.value);
        if !matches!(value, None | Some(NodeValue::Null | NodeValue::Mapping(_))) {
            self.error(key, "expected a mapping");
        }
    }

    /// Checks settings of `section` that depend on each other.
    fn join(&mut self, section: &str) {
        let schedule = settings::schedule(self.window_days, self.lifetime_days);
        let joined = schedule.and_then(|schedule| {
            self.settings.schedule = schedule;
            self.settings.check()
        });
        if let Err((setting, message)) = joined {
            self.errors.push(Diagnostic::error(message).at(FieldPath::of(section).key(setting.field())));
        }
    }

    fn set(&mut self, entry: &Entry) -> Result<(), String> {
        let value = &entry.value;
        if matches!(value.value, NodeValue::Null) && FIELDS.contains(&entry.key.as_str()) {
            return Ok(());
        }
        match entry.key.as_str() {
            "namespace" => self.settings.namespace = Some(settings::namespace(&string(value)?)?),
            "clusterDomain" => self.settings.cluster_domain = Some(settings::cluster_domain(&string(value)?)?),
            "time" => self.settings.time = Some(settings::time(&scalar(value)?)?),
            "certificates" => self.settings.certificates = settings::certificates(&string(value)?)?,
            "certificateIssuer" => self.settings.issuer = Some(settings::issuer(&string(value)?)?),
            "credentials" => self.settings.credentials = settings::credentials(&string(value)?)?,
            "certificateWindowDays" => self.window_days = Some(settings::days(&scalar(value)?)?),
            "certificateLifetimeDays" => self.lifetime_days = Some(settings::days(&scalar(value)?)?),
            "trustDomain" => self.settings.trust_domain = Some(settings::trust_domain(&string(value)?)?),
            "trustAlso" => {
                for name in strings(value)? {
                    self.settings.trust_also.push(settings::trust_domain(&name)?);
                }
            }
            "networkPolicies" => self.settings.network_policies = boolean(value)?,
            "endpointSlices" => self.settings.endpoint_slices = boolean(value)?,
            "openshift" => self.settings.openshift = Some(boolean(value)?),
            "seedFile" => self.settings.seed_file = Some(string(value)?.into()),
            "random" => self.settings.random = boolean(value)?,
            "images" => {
                let NodeValue::Mapping(entries) = &value.value else {
                    return Err(format!("expected a mapping like `{{{IMAGE_PREFIX}PGBACKREST: …}}`"));
                };
                for entry in entries {
                    self.image(entry)?;
                }
            }
            key => return Err(format!("unknown field{}", did_you_mean(key, &FIELDS))),
        }
        Ok(())
    }

    fn image(&mut self, entry: &Entry) -> Result<(), String> {
        self.settings.images.insert(settings::image_name(&entry.key)?, string(&entry.value)?);
        Ok(())
    }
}

fn fields<'a>(config: &'a Node, key: &str) -> &'a [Entry] {
    config.get(key).map(Node::entries).unwrap_or_default()
}

/// Returns `, did you mean …?` with the most similar of `known`, or the list of them if none is similar.
fn did_you_mean(word: &str, known: &[&str]) -> String {
    // The time to compare two words is the product of their lengths, and no known name is that long.
    let near = known.iter().filter(|name| word.len().abs_diff(name.len()) <= 2);
    let near = near.map(|name| (strsim::damerau_levenshtein(&word.to_lowercase(), &name.to_lowercase()), name));
    match near.min() {
        Some((distance, name)) if distance <= 2 => format!(", did you mean `{name}`?"),
        _ => format!(", expected one of `{}`", known.join("`, `")),
    }
}

fn string(node: &Node) -> Result<String, String> {
    node.as_str().map(str::to_owned).ok_or_else(|| "expected a string".to_owned())
}

/// Returns a list of strings. One text with commas is also accepted, because a ConfigMap has no lists.
fn strings(node: &Node) -> Result<Vec<String>, String> {
    match &node.value {
        NodeValue::Sequence(items) => items.iter().map(string).collect(),
        _ => Ok(string(node)?.split(',').map(|name| name.trim().to_owned()).collect()),
    }
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
    use crate::cli::settings::Certificates;
    use crate::options::CredentialSource;
    use crate::read;
    use crate::window::Schedule;

    fn read(text: &str) -> Result<Settings, Vec<String>> {
        let lines = |errors: Vec<Diagnostic>| errors.iter().map(ToString::to_string).collect::<Vec<_>>();
        let documents = read::documents("<stdin>", text).map_err(lines)?;
        settings(&documents[0].node).map_err(lines)
    }

    #[test]
    fn a_pg_render_holds_every_setting() {
        let settings = read(
            "apiVersion: pgrender.dev/v1alpha1\nkind: PgRender\nspec:\n  namespace: a\n  clusterDomain: b.local.\n  \
             images: {RELATED_IMAGE_PGBACKREST: c}\n  time: 1767225600\n  certificates: seed\n  credentials: reference\n  certificateWindowDays: 30\n  \
             certificateLifetimeDays: 90\n  trustDomain: e\n  trustAlso: [f, g]\n  networkPolicies: true\n  openshift: true\n  endpointSlices: true\n  seedFile: d\n  random: true\n",
        )
        .unwrap();
        assert_eq!(
            settings,
            Settings {
                namespace: Some("a".to_owned()),
                cluster_domain: Some("b.local".to_owned()),
                images: [("RELATED_IMAGE_PGBACKREST".to_owned(), "c".to_owned())].into(),
                time: Some(1_767_225_600),
                certificates: Certificates::Seed,
                issuer: None,
                credentials: CredentialSource::Reference,
                schedule: Schedule::new(30, 90).unwrap(),
                trust_domain: Some("e".to_owned()),
                trust_also: vec!["f".to_owned(), "g".to_owned()],
                network_policies: true,
                endpoint_slices: true,
                openshift: Some(true),
                seed_file: Some("d".into()),
                random: true,
            }
        );
    }

    #[test]
    fn cert_manager_may_be_told_who_signs() {
        let settings = read(
            "apiVersion: v1\nkind: ConfigMap\ndata: {certificates: cert-manager, certificateIssuer: ClusterIssuer/a}\n",
        );
        let settings = settings.unwrap();
        assert_eq!(settings.certificates, Certificates::CertManager);
        assert_eq!(settings.issuer, settings::issuer("ClusterIssuer/a").ok());
    }

    #[test]
    fn a_config_map_holds_strings() {
        let settings = read(
            "apiVersion: v1\nkind: ConfigMap\ndata: {random: 'true', networkPolicies: 'true', openshift: 'false', time: '1767225600', RELATED_IMAGE_PGBACKREST: c, \
                  certificateWindowDays: '30', trustAlso: 'f, g'}\n",
        )
        .unwrap();
        assert_eq!(settings.schedule, Schedule::new(30, 397).unwrap());
        assert_eq!(settings.trust_also, ["f", "g"]);
        assert!(settings.random && settings.network_policies);
        assert_eq!((settings.time, settings.openshift), (Some(1_767_225_600), Some(false)));
        assert_eq!(settings.images["RELATED_IMAGE_PGBACKREST"], "c");
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
            assert_eq!(read(text), Ok(Settings::default()), "{text}");
        }
    }
}
