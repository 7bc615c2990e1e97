//! Resolves the user's spec into a complete cluster: defaults, images and names. It also checks everything that the schema of a
//! `PostgresCluster` allows but no cluster could run with. The steps after this one cannot fail.

pub(crate) mod annotations;
pub(crate) mod claims;
pub(crate) mod containers;
pub(crate) mod context;
pub(crate) mod delivery;
pub(crate) mod end_of_life;
pub(crate) mod exposed;
pub(crate) mod files;
pub(crate) mod image_name;
pub(crate) mod images;
pub(crate) mod labels;
pub(crate) mod metadata;
pub(crate) mod names;
pub(crate) mod quantity;
pub(crate) mod services;
pub(crate) mod trigger;
pub(crate) mod unrendered;

use std::collections::BTreeSet;

use self::context::Context;
use crate::diagnostic::{Collector, Diagnostic, FieldPath, has_errors};
use crate::naming::annotation;
use crate::options::Options;
use crate::postgres_cluster::cluster::{Cluster, ConfigMapKey};
use crate::postgres_cluster::secrets::generations::Generations;
use crate::postgres_cluster::secrets::{issuer, references, rotation};
use crate::postgres_cluster::spec::PostgresCluster;
use crate::postgres_cluster::{
    collector, exporter, instances, patroni, pgbackrest, pgbouncer, postgres, replication, restore, restore_drill,
};

/// Resolves one `PostgresCluster` that was validated against the schema.
///
/// Returns the cluster unless a diagnostic is an error. Diagnostics name fields of the `PostgresCluster`.
pub fn resolve(resource: &PostgresCluster, options: &Options) -> (Option<Cluster>, Vec<Diagnostic>) {
    let mut context = Context { options, diagnostics: Collector::default() };
    let cluster = cluster(resource, &mut context);
    let diagnostics = context.diagnostics.diagnostics();
    ((!has_errors(&diagnostics)).then_some(cluster), diagnostics)
}

fn cluster(resource: &PostgresCluster, context: &mut Context) -> Cluster {
    let spec = &resource.spec;
    let name = resource.metadata.name.clone().unwrap_or_default();
    let annotations = resource.metadata.annotations.clone().unwrap_or_default();
    let delivery = delivery::resolve(resource, context);
    let metadata = metadata::resolve(spec.metadata.as_ref(), &FieldPath::of("spec.metadata"), context);
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
    let backups = pgbackrest::resolve::resolve(spec, &annotations, &metadata, context);
    let instance_sets = instances::resolve::resolve(spec, &metadata, context);
    claims::check_volume_names(spec, context);
    let patroni = patroni::resolve::resolve(spec, postgres_version, &annotations, context);
    let standby = replication::standby_spec::resolve(spec, &name, context);
    let mut cluster = Cluster {
        domain: context.options.cluster_domain.clone(),
        service: services::resolve(spec.service.as_ref(), &FieldPath::of("spec.service"), context),
        replica_service: services::resolve(
            spec.replica_service.as_ref(),
            &FieldPath::of("spec.replicaService"),
            context,
        ),
        users: postgres::users::resolve(spec, &name, context),
        database_init_sql: spec
            .database_init_sql
            .as_ref()
            .map(|sql| ConfigMapKey { name: sql.name.clone(), key: sql.key.clone() }),
        postgis: spec.post_gis_version.is_some(),
        schema_per_user: annotations
            .get(annotation::AUTO_CREATE_USER_SCHEMA)
            .is_some_and(|value| value.eq_ignore_ascii_case("true")),
        postgres: postgres::resolve::postgres(spec, postgres_version, context),
        restore_drill: restore_drill::resolve::resolve(
            &annotations,
            backups.as_ref(),
            standby.as_ref(),
            instance_sets.first(),
            context,
        ),
        standby,
        data_source: restore::resolve::resolve(spec, &name, namespace.as_deref(), backups.as_ref(), context),
        restore_in_place: restore::in_place::resolve(spec, &name, namespace.as_deref(), &annotations, context),
        pgbouncer: pgbouncer::resolve::resolve(spec, &metadata, context),
        exporter: exporter::resolve::resolve(spec, &annotations, context),
        collector: collector::resolve::resolve(spec, context),
        custom_tls_secret: spec.custom_tls_secret.clone(),
        custom_replication_tls_secret: spec.custom_replication_tls_secret.as_ref().map(|secret| secret.name.clone()),
        accepts_standby: replication::resolve::accepts_standby(resource, context),
        discard_timeline: replication::resolve::discard_timeline(resource, context),
        generations: Generations::default(),
        referenced_credentials: BTreeSet::new(),
        cert_manager: issuer::cert_manager(context.options),
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
    files::check_custom_certificates(spec, &cluster, context);
    replication::resolve::check(spec, &cluster, context);
    patroni::switchover::check(spec, &cluster, context);
    let roles = references::roles(&cluster);
    let referenced = references::referenced(&annotations, &roles, context);
    let generations = rotation::resolve(&annotations, &cluster, &roles, &referenced, context);
    cluster.referenced_credentials = referenced.into_iter().map(str::to_owned).collect();
    cluster.generations = generations;
    check(resource, &cluster, context);
    cluster
}

/// Checks parts of the spec that depend on each other.
fn check(resource: &PostgresCluster, cluster: &Cluster, context: &mut Context) {
    let spec = &resource.spec;
    postgres::resolve::check_ports(spec, cluster, context);
    collector::places::check(cluster, context);
    postgres::parameters::check(spec, cluster, context);
    postgres::hba_unreached::check(spec, cluster, context);
    names::check(cluster, context);
    annotations::check(resource, context);
    end_of_life::warn(cluster.postgres_version, context);
    exposed::warn(spec, context);
    exporter::resolve::check_found(cluster, context);
    unrendered::check(resource, context);
}
