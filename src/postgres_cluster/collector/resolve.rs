//! Resolves `spec.instrumentation`.

use serde_json::{Map, Value};

use super::model::{Batches, Collector};
use super::parts::OUTPUT;
use super::queries::{PROMETHEUS, QUERIES, RECEIVERS, TABLES};
use super::resolve_metrics;
use crate::diagnostic::FieldPath;
use crate::diagnostic::words;
use crate::kubernetes::EnvVar;
use crate::parse::duration::nanoseconds;
use crate::postgres_cluster::exporter::resolve::optional;
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::resolve::{containers, files};
use crate::postgres_cluster::spec::{DetectorSpec, InstrumentationSpec, LogBatchesSpec, PostgresClusterSpec};

const PATH: &str = "spec.instrumentation";

/// The files and directories that the user's files must not replace.
const OUR_FILES: [&str; 4] = ["config.yaml", QUERIES, RECEIVERS, TABLES];

const NANOSECONDS_IN_A_MILLISECOND: i64 = 1_000_000;
const NANOSECONDS_IN_AN_HOUR: i64 = 3_600_000_000_000;

/// The detectors of the collector (opentelemetry-collector-contrib, `resourcedetectionprocessor`, 0.158). It does not start with
/// another one.
const DETECTORS: [&str; 25] = [
    "akamai",
    "aks",
    "alibaba_ecs",
    "azure",
    "consul",
    "digitalocean",
    "docker",
    "dynatrace",
    "ec2",
    "ecs",
    "elastic_beanstalk",
    "env",
    "gcp",
    "heroku",
    "hetzner",
    "ibmcloud_classic",
    "ibmcloud_vpc",
    "lambda",
    "nova",
    "oraclecloud",
    "scaleway",
    "system",
    "tencent_cvm",
    "upcloud",
    "vultr",
];

/// The detectors that ask the API server of Kubernetes. The collector does not start with one of them if its pod has no token.
const DETECTORS_OF_KUBERNETES: [&str; 5] = ["eks", "k8s_api", "k8snode", "kubeadm", "openshift"];

/// Resolves the collector; `None` if there is none.
pub(crate) fn resolve(spec: &PostgresClusterSpec, context: &mut Context) -> Option<Collector> {
    let instrumentation = spec.instrumentation.as_ref()?;
    let path = FieldPath::of(PATH);
    let config = instrumentation.config.clone().unwrap_or_default();
    let logs = instrumentation.logs.clone().unwrap_or_default();
    let metrics = instrumentation.metrics.clone().unwrap_or_default();
    let at_config = path.key("config");
    check_exporters(&config.exporters, &at_config.key("exporters"), context);
    let at_logs = path.key("logs").key("exporters");
    let log_exporters = known(&logs.exporters, &config.exporters, &at_logs, context);
    let at_metrics = path.key("metrics").key("exporters");
    let metric_exporters = known(&metrics.exporters, &config.exporters, &at_metrics, context);
    for name in config.exporters.keys().filter(|name| !log_exporters.contains(name) && !metric_exporters.contains(name))
    {
        let message = format!(
            "has no effect: also write `{name}` in `{PATH}.logs.exporters` or in `{PATH}.metrics.exporters`, or both"
        );
        context.warning(at_config.key("exporters").key(name), message);
    }
    check_detectors(&config.detectors, &at_config.key("detectors"), context);
    let queries = resolve_metrics::queries(spec, &path.key("metrics"), context);
    let removed_metrics = resolve_metrics::removed(spec, &path.key("metrics"), context);
    if !removed_metrics.is_empty() && metric_exporters.is_empty() && queries.tables_of.is_empty() {
        let message = format!(
            "has no effect: the collector sends no metrics, because `{PATH}.metrics.exporters` names no exporter"
        );
        context.warning(path.key("metrics").key("customQueries").key("remove"), message);
    }
    let files = files::checked(config.files, &at_config.key("files"), &OUR_FILES, context);
    Some(Collector {
        image: image(instrumentation, context),
        resources: containers::resources(instrumentation.resources.as_ref(), &path.key("resources"), context),
        environment: config.environment_variables.into_iter().map(optional_variable).collect(),
        files: files.into_iter().map(optional).collect(),
        exporters: config.exporters,
        detectors: config.detectors.into_iter().map(|detector| (detector.name, detector.attributes)).collect(),
        log_exporters,
        batches: batches(&logs.batches.unwrap_or_default()),
        retention_hours: logs.retention_period.as_deref().and_then(hours).unwrap_or(24),
        metric_exporters,
        removed_metrics,
        queries,
    })
}

fn image(instrumentation: &InstrumentationSpec, context: &mut Context) -> String {
    context.image(instrumentation.image.as_deref(), "RELATED_IMAGE_COLLECTOR", &format!("{PATH}.image"))
}

/// The same variable, but a container starts without what it refers to: a pod must not be unready because of the collector.
fn optional_variable(mut variable: EnvVar) -> EnvVar {
    if let Some(source) = &mut variable.value_from {
        if let Some(secret) = &mut source.secret_key_ref {
            secret.optional = Some(true);
        }
        if let Some(config_map) = &mut source.config_map_key_ref {
            config_map.optional = Some(true);
        }
    }
    variable
}

/// The collector does not start with a wrong name or a text as settings, and then nothing is sent.
fn check_exporters(exporters: &Map<String, Value>, path: &FieldPath, context: &mut Context) {
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
            check_secrets(settings, &path, context);
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

/// Reports texts that may be secrets: everyone who can read the ConfigMap can read them.
fn check_secrets(settings: &Value, path: &FieldPath, context: &mut Context) {
    match settings {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = path.key(name);
                let is_text = value.as_str().is_some_and(|text| !text.is_empty() && !text.contains("${"));
                if is_text && is_secret(name) {
                    let message = "is written into a ConfigMap: put it into a Secret, name that in \
                                   `spec.instrumentation.config.environmentVariables`, and write `${env:NAME}` here";
                    context.warning(path, message);
                } else {
                    check_secrets(value, &path, context);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check_secrets(item, &path.index(index), context);
            }
        }
        _ => {}
    }
}

/// Whether a setting of an exporter with this name is a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['-', '_'], "");
    ["password", "token", "secret", "apikey", "authorization", "privatekey", "keypem"]
        .iter()
        .any(|word| name.ends_with(word))
}

/// Returns the names. Each must be one of `exporters`.
fn known(names: &[String], exporters: &Map<String, Value>, path: &FieldPath, context: &mut Context) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let path = path.index(index);
        if !exporters.contains_key(name) && name != OUTPUT {
            let known: Vec<_> = exporters.keys().map(String::as_str).chain([OUTPUT]).collect();
            let meant = words::nearest(name, known.iter().copied());
            let hint = meant.map_or_else(String::new, |meant| format!(", or did you mean `{meant}`?"));
            let message = format!("there is no exporter `{name}`: add it to `{PATH}.config.exporters`{hint}");
            context.error(path, message);
        } else {
            found.push(name.clone());
        }
    }
    found
}

fn check_detectors(detectors: &[DetectorSpec], path: &FieldPath, context: &mut Context) {
    for (index, detector) in detectors.iter().enumerate() {
        let path = path.index(index).key("name");
        let name = detector.name.as_str();
        if DETECTORS_OF_KUBERNETES.contains(&name) {
            let message = format!(
                "the collector would not start, and nothing would be sent: the detector `{name}` needs a token for the API \
                 server, which no pod gives to its collector; remove it"
            );
            context.error(path, message);
        } else if !DETECTORS.contains(&name) {
            let meant = words::nearest(name, DETECTORS);
            let hint = meant.map_or_else(String::new, |meant| format!("did you mean `{meant}`? "));
            let message = format!(
                "{hint}The collector 0.158 has no detector `{name}`, and does not start with it: remove it, unless your \
                 version is another one"
            );
            context.warning(path, message);
        }
    }
}

/// The schema has checked the texts, so they are durations.
fn batches(batches: &LogBatchesSpec) -> Batches {
    let delay = nanoseconds(&batches.max_delay).unwrap_or_default();
    Batches { delay: delay / NANOSECONDS_IN_A_MILLISECOND, least: batches.min_records, most: batches.max_records }
}

/// Returns the hours of a duration, rounded up.
fn hours(duration: &str) -> Option<u32> {
    let nanoseconds = nanoseconds(duration)?;
    u32::try_from((nanoseconds - 1).div_euclid(NANOSECONDS_IN_AN_HOUR) + 1).ok()
}
