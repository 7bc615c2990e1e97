//! Resolves `spec.instrumentation`.

use serde_json::{Map, Value};

use super::exporters::{self, Surroundings};
use super::model::{Batches, Collector};
use super::parts::OUTPUT;
use super::{resolve_metrics, variables};
use crate::diagnostic::FieldPath;
use crate::diagnostic::words;
use crate::kubernetes::EnvVar;
use crate::parse::duration::{milliseconds, nanoseconds};
use crate::postgres_cluster::exporter::resolve::optional;
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::resolve::{containers, files};
use crate::postgres_cluster::spec::{DetectorSpec, InstrumentationSpec, LogBatchesSpec, PostgresClusterSpec};

const PATH: &str = "spec.instrumentation";

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
    let surroundings = Surroundings::of(&config);
    exporters::check(&config.exporters, &surroundings, &at_config.key("exporters"), context);
    variables::check(&config.environment_variables, &at_config.key("environmentVariables"), context);
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
    let files = files::checked(config.files, &at_config.key("files"), &[], context);
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
    let delay = milliseconds(&batches.max_delay).unwrap_or_default();
    Batches { delay, least: batches.min_records, most: batches.max_records }
}

/// Returns the hours of a duration, rounded up.
fn hours(duration: &str) -> Option<u32> {
    let nanoseconds = nanoseconds(duration)?;
    u32::try_from((nanoseconds - 1).div_euclid(NANOSECONDS_IN_AN_HOUR) + 1).ok()
}
