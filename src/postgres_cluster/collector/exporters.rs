//! Checks `config.exporters` and the variables in it. pgrender does not know all settings of all exporters, but the collector does not
//! start if one of them is wrong, and then nothing is sent.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

use super::configuration::FILES_DIRECTORY;
use super::queries::PROMETHEUS;
use crate::diagnostic::{FieldPath, Segment, words};
use crate::kubernetes::projected::sources;
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::spec::InstrumentationConfigSpec;

/// A variable in a text, and whether it has a default: `${env:NAME:-default}`. `$$` stands for `$` (OpenTelemetry, "Configuration").
static VARIABLE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(:-|\})").expect("a constant pattern"));

/// The password in an address, as in `https://user:password@host`.
static PASSWORD_IN_URL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"://[^/@\s:]*:[^/@\s$]+@").expect("a constant pattern"));

/// The types of exporters (opentelemetry-collector and opentelemetry-collector-contrib, 0.158).
const KINDS: [&str; 54] = [
    "alertmanager",
    "alibabacloud_logservice",
    "awscloudwatchlogs",
    "awsemf",
    "awskinesis",
    "awss3",
    "awsxray",
    "azureblob",
    "azuredataexplorer",
    "azuremonitor",
    "bmchelix",
    "cassandra",
    "clickhouse",
    "coralogix",
    "datadog",
    "dataset",
    "debug",
    "doris",
    "elasticsearch",
    "faro",
    "file",
    "googlecloud",
    "googlecloudpubsub",
    "googlecloudstorage",
    "googlemanagedprometheus",
    "honeycombmarker",
    "influxdb",
    "kafka",
    "loadbalancing",
    "logicmonitor",
    "logzio",
    "mezmo",
    "nop",
    "opensearch",
    "otelarrow",
    "otlp",
    "otlp_grpc",
    "otlp_http",
    "otlphttp",
    "prometheus",
    "prometheusremotewrite",
    "pulsar",
    "rabbitmq",
    "sapm",
    "sematext",
    "sentry",
    "signalfx",
    "splunk_hec",
    "stef",
    "sumologic",
    "syslog",
    "tencentcloud_logservice",
    "tinybird",
    "zipkin",
];

/// What exporters may refer to.
pub(super) struct Surroundings {
    /// The names of the variables.
    variables: BTreeSet<String>,
    /// The paths of the user's files; `None` if a source has no `items`, and its files are not known.
    files: Option<BTreeSet<String>>,
}

impl Surroundings {
    pub(super) fn of(config: &InstrumentationConfigSpec) -> Self {
        let ours = ["K8S_POD_NAME", "K8S_POD_NAMESPACE", "PGPASSFILE", "PATH", "HOME", "HOSTNAME"];
        let theirs = config.environment_variables.iter().map(|variable| variable.name.as_str());
        let mut files = Some(BTreeSet::new());
        for projection in &config.files {
            let items: Vec<_> = sources(projection).flat_map(|source| source.items).collect();
            match &mut files {
                Some(files) if !items.is_empty() => files.extend(items.iter().map(|item| item.path.clone())),
                _ => files = None,
            }
        }
        Self { variables: ours.into_iter().chain(theirs).map(str::to_owned).collect(), files }
    }
}

/// The collector does not start with a wrong name or a text as settings, and then nothing is sent.
pub(super) fn check(
    exporters: &Map<String, Value>,
    surroundings: &Surroundings,
    path: &FieldPath,
    context: &mut Context,
) {
    for (name, settings) in exporters {
        let path = path.key(name);
        let kind = name.split_once('/').map_or(name.as_str(), |(kind, _)| kind);
        let is_kind = kind.starts_with(|first: char| first.is_ascii_alphabetic())
            && kind.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
        if !is_kind || name.ends_with('/') {
            let message = "is not the name of an exporter: write its type, such as `otlphttp`, or its type, `/` and a \
                           name";
            context.error(path, message);
        } else if name == PROMETHEUS {
            context.error(path, "is the name of an exporter of pgrender: choose another name after the `/`");
        } else if !settings.is_object() && !settings.is_null() {
            let message = "the settings of an exporter are a mapping, as in `endpoint: https://collector.example.com`";
            context.error(path, message);
        } else {
            check_kind(kind, &path, context);
            check_texts(settings, surroundings, &path, context);
            check_queue(&settings["sending_queue"], &path.key("sending_queue"), context);
        }
    }
}

/// Reports a queue that can fill the volume of Postgres, or one that belongs to pgBouncer, while the server does not answer. By
/// default, its size is a number of requests (OpenTelemetry, "Exporter Helper", `sizer`).
fn check_queue(queue: &Value, path: &FieldPath, context: &mut Context) {
    if queue["storage"].is_string() && (queue["sizer"] != "bytes" || queue["queue_size"].is_null()) {
        let message = "this queue can fill the volume of the data while the server does not answer, and Postgres then stops: \
                       also write `sizer: bytes` and `queue_size` with the most bytes, such as 67108864, beside it";
        context.warning(path.key("storage"), message);
    }
}

/// An image may have more types. But what looks like a typing error is one: the collector would not start.
fn check_kind(kind: &str, path: &FieldPath, context: &mut Context) {
    if KINDS.contains(&kind) {
        return;
    }
    if let Some(meant) = words::nearest(kind, KINDS) {
        let message = format!("there is no type `{kind}` of exporters, did you mean `{meant}`?");
        context.error(path.clone(), message);
    } else {
        let message = format!(
            "the collector 0.158 has no type `{kind}` of exporters, and sends nothing then: correct it, unless your image \
             has it"
        );
        context.warning(path.clone(), message);
    }
}

/// Checks all texts of an exporter.
fn check_texts(settings: &Value, surroundings: &Surroundings, path: &FieldPath, context: &mut Context) {
    match settings {
        Value::Object(fields) => {
            let in_headers = matches!(path.0.last(), Some(Segment::Key(key)) if key == "headers");
            for (name, value) in fields {
                let path = path.key(name);
                let is_text = value.as_str().is_some_and(|text| !text.is_empty() && !text.contains("${"));
                if is_text && (is_secret(name) || in_headers && is_secret_header(name)) {
                    let message = "is written into a ConfigMap: put it into a Secret, name that in \
                                   `spec.instrumentation.config.environmentVariables`, and write `${env:NAME}` here";
                    context.warning(path, message);
                } else {
                    check_texts(value, surroundings, &path, context);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check_texts(item, surroundings, &path.index(index), context);
            }
        }
        Value::String(text) => check_text(text, surroundings, path, context),
        _ => {}
    }
}

fn check_text(text: &str, surroundings: &Surroundings, path: &FieldPath, context: &mut Context) {
    if PASSWORD_IN_URL.is_match(text) {
        let message = "this address contains a password, which is written into a ConfigMap: put it into a Secret, name that in \
                       `spec.instrumentation.config.environmentVariables`, and write `${env:NAME}` here";
        context.warning(path.clone(), message);
    }
    for found in VARIABLE.captures_iter(&text.replace("$$", "")) {
        let name = &found[1];
        if surroundings.variables.contains(name) || &found[2] == ":-" {
            continue;
        }
        let meant = words::nearest(name, surroundings.variables.iter().map(String::as_str));
        let hint = meant.map_or_else(String::new, |meant| format!(", or did you mean `{meant}`?"));
        let message = format!(
            "there is no variable {}, so the collector uses an empty text: add it to \
             `spec.instrumentation.config.environmentVariables`{hint}",
            words::quote(name)
        );
        context.warning(path.clone(), message);
    }
    let below = text.strip_prefix(FILES_DIRECTORY).and_then(|rest| rest.strip_prefix('/'));
    if let (Some(file), Some(files)) = (below, &surroundings.files)
        && !files.contains(file)
        && !text.contains("${")
    {
        let message = format!(
            "no item of `spec.instrumentation.config.files` has the path {}, and the collector does not start without the \
             file: add it",
            words::quote(file)
        );
        context.warning(path.clone(), message);
    }
}

/// Whether a setting or variable with this name is a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['-', '_'], "");
    ["password", "token", "secret", "apikey", "authorization", "privatekey", "keypem"]
        .iter()
        .any(|word| name.ends_with(word))
}

/// Whether a header with this name is a secret, such as `x-honeycomb-team` and `signoz-ingestion-key`.
fn is_secret_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["key", "team", "auth", "cookie"].iter().any(|word| name.ends_with(word))
}
