//! Resolves `spec.proxy.pgBouncer`.

use super::model::PgBouncer;
use super::{setting, setting_name, setting_value, together};
use crate::diagnostic::FieldPath;
use crate::diagnostic::words;
use crate::kubernetes::VolumeProjection;
use crate::kubernetes::projected::sources;
use crate::naming::{CONTAINER_COLLECTOR, CONTAINER_PGBOUNCER, CONTAINER_PGBOUNCER_CONFIG};
use crate::postgres_cluster::cluster::{Metadata, Scheduling};
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::resolve::{containers, files, metadata, services};
use crate::postgres_cluster::spec::{PgBouncerConfigSpec, PostgresClusterSpec};

/// Resolves pgBouncer; `None` if the spec does not have it.
pub(crate) fn resolve(spec: &PostgresClusterSpec, metadata: &Metadata, context: &mut Context) -> Option<PgBouncer> {
    let collector = spec.instrumentation.as_ref().map(|_| CONTAINER_COLLECTOR);
    let of_postgres = tls_of_postgres(spec);
    let spec = &spec.proxy.as_ref()?.pg_bouncer;
    let path = FieldPath::of("spec.proxy.pgBouncer");
    let own = metadata::resolve(spec.metadata.as_ref(), &path.key("metadata"), context);
    let ours: Vec<_> = [CONTAINER_PGBOUNCER, CONTAINER_PGBOUNCER_CONFIG].into_iter().chain(collector).collect();
    let sidecars = containers::sidecars(&spec.containers, &ours, &path.key("containers"), context);
    let mut names = ours.clone();
    names.extend(spec.containers.iter().map(|container| container.name.as_str()));
    let volumes = spec.volumes.as_ref().map(|volumes| &volumes.additional);
    let config = spec.config.clone().unwrap_or_default();
    let port = context.port(spec.port, "spec.proxy.pgBouncer.port");
    let chosen_ca = spec.custom_tls_secret.is_some() || context.options.certificate_source.has_issuer();
    let surroundings = together::Surroundings { chosen_ca, of_postgres };
    check(&config, port, &surroundings, &path.key("config"), context);
    for (index, _) in config.files.iter().enumerate().filter(|(_, source)| names_main_file(source)) {
        let message = "settings in the section `[pgbouncer]` of `pgbouncer.ini` have no effect, as in PGO, because pgBouncer \
                       resets them where the rendered section begins: write them in `spec.proxy.pgBouncer.config.global`";
        context.warning(path.key("config").key("files").index(index), message);
    }
    let config_resources =
        spec.sidecars.as_ref().and_then(|sidecars| sidecars.pgbouncer_config.as_ref()?.resources.as_ref());
    let config_resources_path = path.key("sidecars").key("pgbouncerConfig").key("resources");
    let replicas = u16::try_from(spec.replicas).unwrap_or_else(|_| {
        context.error(path.key("replicas"), format!("{} replicas are too many: write at most 65535", spec.replicas));
        0
    });
    Some(PgBouncer {
        image: context.image(spec.image.as_deref(), "RELATED_IMAGE_PGBOUNCER", "spec.proxy.pgBouncer.image"),
        metadata: metadata.merged(Some(&own)),
        replicas,
        port,
        service: services::resolve(spec.service.as_ref(), &path.key("service"), context),
        global: config.global,
        databases: config.databases,
        users: config.users,
        files: files::checked(config.files, &path.key("config").key("files"), &[], context),
        resources: containers::resources(spec.resources.as_ref(), &path.key("resources"), context),
        config_resources: containers::resources(config_resources, &config_resources_path, context),
        additional_volumes: containers::additional_volumes(
            volumes,
            &names,
            &path.key("volumes").key("additional"),
            context,
        ),
        containers: sidecars,
        scheduling: Scheduling {
            affinity: spec.affinity.clone(),
            tolerations: spec.tolerations.clone(),
            topology_spread_constraints: spec.topology_spread_constraints.clone(),
            priority_class_name: spec.priority_class_name.clone(),
        },
        min_available: containers::min_available(
            spec.min_available.as_ref(),
            replicas,
            &path.key("minAvailable"),
            context,
        ),
        custom_tls_secret: spec.custom_tls_secret.clone(),
    })
}

/// Whether the `items` of the user's source contain the path `pgbouncer.ini`.
pub(crate) fn names_main_file(source: &VolumeProjection) -> bool {
    sources(source).flat_map(|source| source.items).any(|item| item.path == "pgbouncer.ini")
}

/// Returns the versions of TLS that Postgres accepts: 1.2 and higher, unless its parameters say otherwise.
fn tls_of_postgres(spec: &PostgresClusterSpec) -> setting_value::Versions {
    let dynamic = spec.patroni.as_ref().map(|patroni| &patroni.dynamic_configuration);
    let parameter = |name: &str| dynamic?.get("postgresql")?.get("parameters")?.get(name)?.as_str();
    let version = |name: &str| match parameter(name)?.to_ascii_lowercase().as_str() {
        "tlsv1" => Some(0),
        "tlsv1.1" => Some(1),
        "tlsv1.2" => Some(2),
        "tlsv1.3" => Some(3),
        _ => None,
    };
    let least = version("ssl_min_protocol_version").unwrap_or(2);
    let most = version("ssl_max_protocol_version").unwrap_or(3);
    (least..=most).collect()
}

/// Checks the settings that become `pgbouncer.ini`.
fn check(
    config: &PgBouncerConfigSpec,
    port: u16,
    surroundings: &together::Surroundings,
    path: &FieldPath,
    context: &mut Context,
) {
    let errors = together::errors(&config.global, surroundings);
    let warnings = together::warnings(&config.global, surroundings);
    let about = |found: &[(&str, &'static str)], name: &str| {
        found.iter().find(|(setting, _)| *setting == name).map(|(_, why)| *why)
    };
    let mut unknown = 0;
    for (name, value) in &config.global {
        let path = path.key("global").key(name);
        if !context.check(&path, setting::check_name(name).and_then(|()| setting::check_value(value))) {
            continue;
        }
        let refusal = setting::refusal(name, value, port).or_else(|| setting_value::fault(name, value));
        if let Some(why) = refusal.or_else(|| about(&errors, name).map(str::to_owned)) {
            context.error(path, why);
        } else if !setting_name::is_known(name) {
            unknown += 1;
            unknown_setting(name, unknown <= words::SUGGESTIONS, path, context);
        } else if let Some(what) = about(&warnings, name) {
            context.warning(path, what);
        } else if name == "client_tls_ca_file" && together::verifies_clients(&config.global) {
            // The setting names the CA that signs for clients. No other field of the spec does that, so it is not a weakness.
        } else if let Some(what) = setting::weakness(name, value) {
            context.warning(path, what);
        }
    }
    for (name, value) in &config.databases {
        let verdict = setting::check_database(name).and_then(|()| setting::check_pairs(value, &setting::OF_DATABASES));
        context.check(&path.key("databases").key(name), verdict);
    }
    for (name, value) in &config.users {
        let verdict = setting::check_user(name).and_then(|()| setting::check_pairs(value, &setting::OF_USERS));
        context.check(&path.key("users").key(name), verdict);
    }
}

/// Reports a setting that no known version of pgBouncer has; a later version may have it. `search` says whether to search for a
/// similar name.
fn unknown_setting(name: &str, search: bool, path: FieldPath, context: &mut Context) {
    for (section, settings) in [("databases", &setting::OF_DATABASES[..]), ("users", &setting::OF_USERS[..])] {
        if settings.contains(&name) {
            let message = format!(
                "pgBouncer does not have this setting here, and does not start with it: write it in a value of \
                 `config.{section}`, as in `{name}=…`"
            );
            return context.error(path, message);
        }
    }
    let meant = if search { words::nearest(name, setting_name::names()) } else { None };
    if let Some(meant) = meant {
        let message =
            format!("pgBouncer does not have this setting, and does not start with it: did you mean `{meant}`?");
        return context.error(path, message);
    }
    let message = "pgBouncer 1.25 and earlier do not have this setting, and do not start with it: remove it, unless \
                   your version of pgBouncer is newer";
    context.warning(path, message);
}
