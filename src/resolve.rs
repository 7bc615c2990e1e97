//! Resolves the user's spec into a complete cluster: defaults, images and names. It also checks everything that the schema of a
//! `PostgresCluster` allows but no cluster could run with. The steps after this one cannot fail.

mod annotations;
mod backups;
mod certificates;
mod claims;
mod containers;
mod credentials;
mod delivery;
mod dynamic_configuration;
mod end_of_life;
mod exposed;
mod files;
mod global_options;
mod images;
mod instances;
mod labels;
mod manual_backup;
mod names;
mod parameters;
mod patroni_settings;
mod pgbouncer;
mod postgres;
mod quantity;
mod replication;
mod rotation;
mod rules;
mod schedule;
mod services;
mod slots;
mod switchover;
mod unrendered;
mod users;

use std::collections::BTreeSet;

use crate::cluster::{Cluster, ConfigMapKey, Generations, Metadata};
use crate::diagnostic::{Collector, Diagnostic, FieldPath, has_errors};
use crate::naming::annotation;
use crate::options::Options;
use crate::spec::{MetadataSpec, PostgresCluster};

/// Resolves one `PostgresCluster` that was validated against the schema.
///
/// Returns the cluster unless a diagnostic is an error. Diagnostics name fields of the `PostgresCluster`.
pub fn resolve(resource: &PostgresCluster, options: &Options) -> (Option<Cluster>, Vec<Diagnostic>) {
    let mut context = Context { options, diagnostics: Collector::default() };
    let cluster = cluster(resource, &mut context);
    let diagnostics = context.diagnostics.diagnostics();
    ((!has_errors(&diagnostics)).then_some(cluster), diagnostics)
}

/// What every part of the resolution needs: the options, and where diagnostics go.
struct Context<'a> {
    options: &'a Options,
    diagnostics: Collector<Diagnostic>,
}

impl Context<'_> {
    fn error(&mut self, path: FieldPath, message: impl Into<String>) {
        self.diagnostics.add(Diagnostic::error(message).at(path));
    }

    fn warning(&mut self, path: FieldPath, message: impl Into<String>) {
        self.diagnostics.add(Diagnostic::warning(message).at(path));
    }

    /// Reports the error of a check at `path`, and returns whether there was none. The check is a function of the module that
    /// writes the file.
    fn check(&mut self, path: &FieldPath, verdict: Result<(), String>) -> bool {
        let good = verdict.is_ok();
        if let Err(why) = verdict {
            self.error(path.clone(), why);
        }
        good
    }

    /// Returns the user's labels and annotations for a group of objects, after checking them.
    fn metadata(&mut self, spec: Option<&MetadataSpec>, path: &FieldPath) -> Metadata {
        let Some(spec) = spec else { return Metadata::default() };
        let mut metadata = Metadata { labels: spec.labels.clone(), annotations: spec.annotations.clone() };
        labels::check(&metadata, path, &mut self.diagnostics);
        annotations::misplaced(&metadata, path, self);
        delivery::without_danger(&mut metadata, path, self);
        metadata
    }

    /// Returns a port number. The schema has checked only the lower bound, so the upper bound is checked here.
    fn port(&mut self, number: i32, path: &str) -> u16 {
        u16::try_from(number).unwrap_or_else(|_| {
            self.error(FieldPath::of(path), format!("`{number}` is not a valid port: write at most 65535"));
            0
        })
    }

    /// Returns the image for `variable`, or reports an error that says where to set one.
    fn image(&mut self, named: Option<&str>, variable: &str, path: &str) -> String {
        images::image(named, variable, self.options).unwrap_or_else(|| {
            let message = format!(
                "no image is set: write one here, or set `{variable}` in the environment, with `--image`, or in \
                 `spec.images` of the function configuration"
            );
            self.error(FieldPath::of(path), message);
            String::new()
        })
    }
}

fn cluster(resource: &PostgresCluster, context: &mut Context) -> Cluster {
    let spec = &resource.spec;
    let name = resource.metadata.name.clone().unwrap_or_default();
    let annotations = resource.metadata.annotations.clone().unwrap_or_default();
    let delivery = delivery::resolve(resource, context);
    let metadata = context.metadata(spec.metadata.as_ref(), &FieldPath::of("spec.metadata"));
    let namespace = resource.metadata.namespace.clone().or_else(|| context.options.namespace.clone());
    if namespace.is_none() {
        let message = "a cluster needs a namespace, because its hosts, URIs and certificates contain it: write it \
                       here, or set it with `--namespace` or with `spec.namespace` of the function configuration";
        context.error(FieldPath::of("metadata.namespace"), message);
    }
    files::check_certificates(spec, context);
    if let Some(sql) = &spec.database_init_sql {
        names::check_init_sql(sql, context);
    }
    let postgres_version = u16::try_from(spec.postgres_version).unwrap_or_default();
    let variable = images::postgres_variable(postgres_version, spec.post_gis_version.as_deref());
    let image = context.image(spec.image.as_deref(), &variable, "spec.image");
    let port = context.port(spec.port, "spec.port");
    let backups = backups::resolve(spec, &annotations, &metadata, context);
    let instance_sets = instances::resolve(spec, &metadata, context);
    claims::check_volume_names(spec, context);
    let patroni = postgres::patroni(spec, postgres_version, &annotations, context);
    let mut cluster = Cluster {
        domain: context.options.cluster_domain.clone(),
        service: services::resolve(spec.service.as_ref(), &FieldPath::of("spec.service"), context),
        replica_service: services::resolve(
            spec.replica_service.as_ref(),
            &FieldPath::of("spec.replicaService"),
            context,
        ),
        users: users::resolve(spec, &name, context),
        database_init_sql: spec
            .database_init_sql
            .as_ref()
            .map(|sql| ConfigMapKey { name: sql.name.clone(), key: sql.key.clone() }),
        postgis: spec.post_gis_version.is_some(),
        schema_per_user: annotations
            .get(annotation::AUTO_CREATE_USER_SCHEMA)
            .is_some_and(|value| value.eq_ignore_ascii_case("true")),
        postgres: postgres::postgres(spec, postgres_version, context),
        standby: postgres::standby(spec, &name, context),
        pgbouncer: pgbouncer::resolve(spec, &metadata, context),
        exporter: spec.monitoring.as_ref().and_then(|m| m.pgmonitor.as_ref()).is_some_and(|m| m.exporter.is_some()),
        custom_tls_secret: spec.custom_tls_secret.clone(),
        custom_replication_tls_secret: spec.custom_replication_tls_secret.as_ref().map(|secret| secret.name.clone()),
        accepts_standby: replication::accepts_standby(resource, context),
        generations: Generations::default(),
        referenced_credentials: BTreeSet::new(),
        cert_manager: certificates::cert_manager(context.options),
        network_policies: context.options.network_policies,
        endpoint_slices: context.options.endpoint_slices,
        image_pull_policy: spec.image_pull_policy.clone(),
        image_pull_secrets: spec.image_pull_secrets.clone(),
        openshift: spec.openshift.unwrap_or(context.options.openshift),
        paused: spec.paused == Some(true),
        shutdown: spec.shutdown == Some(true),
        supplemental_groups: spec.supplemental_groups.iter().copied().filter(|group| *group > 0).collect(),
        default_pod_scheduling: spec.disable_default_pod_scheduling != Some(true),
        namespace: namespace.unwrap_or_default(),
        name,
        delivery,
        metadata,
        postgres_version,
        port,
        image,
        patroni,
        instance_sets,
        backups,
    };
    postgres::check_custom_certificates(spec, &cluster, context);
    replication::check(spec, &cluster, context);
    switchover::check(spec, &cluster, context);
    let roles = credentials::roles(&cluster);
    let referenced = credentials::referenced(&annotations, &roles, context);
    let generations = rotation::resolve(&annotations, &cluster, &roles, &referenced, context);
    cluster.referenced_credentials = referenced.into_iter().map(str::to_owned).collect();
    cluster.generations = generations;
    postgres::check_ports(&cluster, context);
    parameters::check(spec, &cluster, context);
    rules::check(spec, &cluster, context);
    names::check(&cluster, context);
    annotations::check(resource, context);
    end_of_life::warn(postgres_version, context);
    exposed::warn(spec, context);
    unrendered::check(resource, &cluster, context);
    cluster
}
