//! Suggests where an unknown field belongs: at another path of the spec, or among the settings of the program that it
//! configures.

use std::iter;

use crate::diagnostic::words::{self, UNKNOWN};
use crate::diagnostic::{FieldPath, Segment};
use crate::parse::schema::Schema;
use crate::postgres_cluster::KIND;
use crate::postgres_cluster::patroni::setting;
use crate::postgres_cluster::pgbackrest::{option, option_name};
use crate::postgres_cluster::pgbouncer::{setting as pooler, setting_name};
use crate::postgres_cluster::postgres::parameter_name;

/// Fields whose contents are not searched, because Kubernetes defines them or because pgrender does not render them.
const CLOSED: [&str; 13] = [
    "additional",
    "affinity",
    "configuration",
    "containers",
    "dataSource",
    "files",
    "instrumentation",
    "restore",
    "sidecars",
    "tablespaceVolumes",
    "tolerations",
    "topologySpreadConstraints",
    "userInterface",
];

/// Names that are too common to suggest where they belong.
const GENERIC: [&str; 5] = ["enabled", "host", "key", "name", "type"];

/// How many paths are named if a field could belong to several.
const NAMED: usize = 3;

/// The message for a field of the object at `path` that is not in `schema`.
pub(crate) fn unknown_field(key: &str, schema: &'static Schema, path: &FieldPath) -> String {
    let known = || schema.fields().map(|(name, _)| name);
    let is_here = known().any(|name| is_called(name, key));
    let found = if is_here { None } else { other_word(key, schema, path).or_else(|| below(key, schema, path)) };
    let found = found.or_else(|| words::nearest(key, known()).map(|meant| format!("did you mean `{meant}`?")));
    match found.or_else(|| above(key, path)).or_else(|| of_a_program(key, path)) {
        Some(found) => format!("{UNKNOWN}, {found}"),
        None => words::fields_here(known()),
    }
}

/// The message for an unknown field beside `spec`. `known` are the fields that may be there.
pub(crate) fn unknown_at_the_top(key: &str, known: &[&str]) -> String {
    let known = || known.iter().copied();
    let metadata = Schema::metadata().field(key).map(|_| is_a_field_of(key, &["metadata".to_owned()]));
    let found = metadata.or_else(|| words::nearest(key, known()).map(|meant| format!("did you mean `{meant}`?")));
    match found.or_else(|| one_of(key, &first_below(key, spec(), "spec".to_owned()))) {
        Some(found) => format!("{UNKNOWN}, {found}"),
        None => words::fields_here(known()),
    }
}

/// Both versions of the API have the same fields.
fn spec() -> &'static Schema {
    Schema::of(KIND, "v1").expect("the schema should have v1")
}

/// Whether a field is called `key`, in any case, or is its plural.
fn is_called(name: &str, key: &str) -> bool {
    let plural = || name.strip_suffix('s').is_some_and(|one| one.eq_ignore_ascii_case(key));
    name.eq_ignore_ascii_case(key) || plural()
}

/// The message that `key` belongs below the object at `path`.
fn below(key: &str, schema: &'static Schema, path: &FieldPath) -> Option<String> {
    let says_nothing = path.0.len() == 1 && GENERIC.contains(&key);
    if says_nothing { None } else { one_of(key, &first_below(key, schema, any_item(path))) }
}

/// The message that `key` belongs to one of the ancestors of `path`, or anywhere else in the spec.
fn above(key: &str, path: &FieldPath) -> Option<String> {
    let mut schemas = vec![spec()];
    for segment in path.0.iter().skip(1) {
        let last = schemas.last()?;
        let next = match segment {
            Segment::Key(key) => last.field(key),
            Segment::Index(_) => last.item(),
        };
        schemas.push(next?);
    }
    schemas.pop();
    for (depth, schema) in schemas.into_iter().enumerate().rev() {
        let place = || any_item(&FieldPath(path.0[..=depth].to_vec()));
        if let Some((name, _)) = schema.fields().find(|(name, _)| is_called(name, key)) {
            return Some(is_a_field_of(name, &[place()]));
        }
    }
    if GENERIC.contains(&key) {
        return None;
    }
    let anywhere: Vec<Field> = levels(spec(), "spec".to_owned()).flatten().collect();
    one_of(key, &called(key, &anywhere))
}

/// Returns the fields called `key` that are the fewest steps below `schema`, each as the path of its object and its own name.
fn first_below(key: &str, schema: &'static Schema, path: String) -> Vec<(String, &'static str)> {
    levels(schema, path).map(|level| called(key, &level)).find(|places| !places.is_empty()).unwrap_or_default()
}

/// A field: the path of its object, its name, and its schema.
type Field = (String, &'static str, &'static Schema);

/// Returns the fields of the object at `path`, then all fields one step below it, and so on.
fn levels(schema: &'static Schema, path: String) -> impl Iterator<Item = Vec<Field>> {
    let first = fields(schema, path);
    iter::successors(Some(first), |level| {
        let open = level.iter().filter(|(_, name, _)| !CLOSED.contains(name));
        let next: Vec<Field> = open.flat_map(|(path, name, field)| fields(field, format!("{path}.{name}"))).collect();
        (!next.is_empty()).then_some(next)
    })
}

/// Returns the fields of an object, or of the items if this is a list of objects.
fn fields(schema: &'static Schema, path: String) -> Vec<Field> {
    match schema.item() {
        Some(item) => fields(item, path + "[]"),
        None => schema.fields().map(|(name, field)| (path.clone(), name, field)).collect(),
    }
}

/// Returns those of `fields` that are called `key`. Plurals are used only if no field has exactly this name.
fn called(key: &str, fields: &[Field]) -> Vec<(String, &'static str)> {
    let of = |is: &dyn Fn(&str) -> bool| -> Vec<_> {
        fields.iter().filter(|(_, name, _)| is(name)).map(|(path, name, _)| (path.clone(), *name)).collect()
    };
    let same = of(&|name| name.eq_ignore_ascii_case(key));
    if same.is_empty() { of(&|name| is_called(name, key)) } else { same }
}

fn one_of(key: &str, places: &[(String, &str)]) -> Option<String> {
    let (_, name) = places.first().filter(|_| places.len() <= NAMED)?;
    let is_one_name = places.iter().all(|(_, other)| other == name);
    let places: Vec<String> = places.iter().map(|(place, _)| place.clone()).collect();
    Some(is_a_field_of(if is_one_name { name } else { key }, &places))
}

fn is_a_field_of(name: &str, places: &[String]) -> String {
    let name = words::quote(name);
    match places {
        [one] => format!("{name} is a field of `{one}`: write it there"),
        several => format!("{name} is a field of `{}`: write it in one of them", several.join("` and of `")),
    }
}

/// Returns the path with `[]` instead of the index of each list.
fn any_item(path: &FieldPath) -> String {
    let mut text = String::new();
    for segment in &path.0 {
        match segment {
            Segment::Key(key) if text.is_empty() => text.clone_from(key),
            Segment::Key(key) => text.extend([".", key]),
            Segment::Index(_) => text += "[]",
        }
    }
    text
}

/// Suggests fields for names that other APIs use. This API has the field at another path, or does not have it.
fn other_word(key: &str, schema: &Schema, path: &FieldPath) -> Option<String> {
    let has = |name: &str| schema.field(name).is_some();
    let is_spec = path.0.len() == 1;
    let claim = if is_spec { "spec.instances[].dataVolumeClaimSpec" } else { "dataVolumeClaimSpec" };
    let place = match (parent(path), key) {
        ("pgbackrest" | "repos", "retention") => return of_repository("repos", "retention-full"),
        ("repos" | "s3" | "gcs" | "azure", _) => return of_repository(parent(path), key),
        (_, "nodeSelector" | "nodeName") => {
            let place = if has("affinity") { "" } else { "spec.instances[]." };
            format!("{place}affinity.nodeAffinity")
        }
        (_, "env" | "envFrom") if !has("environmentVariables") => {
            let message = "you cannot set environment variables of the cluster's containers: write parameters of \
                           Postgres in `spec.config.parameters`, and variables of your own containers in \
                           `containers[].env`";
            return Some(message.to_owned());
        }
        ("spec", "version" | "postgresqlVersion") if is_spec => "spec.postgresVersion".to_owned(),
        ("spec", "name" | "namespace") if is_spec => format!("metadata.{key}"),
        (_, "maxUnavailable" | "minReplicas") if has("minAvailable") => "minAvailable".to_owned(),
        (_, "storage" | "size") if is_spec || has("dataVolumeClaimSpec") => {
            format!("{claim}.resources.requests.storage")
        }
        (_, "storageClass" | "storageClassName") if is_spec || has("dataVolumeClaimSpec") => {
            format!("{claim}.storageClassName")
        }
        (_, "volumeClaimSpec" | "volumeClaimTemplate") if is_spec || has("dataVolumeClaimSpec") => claim.to_owned(),
        (_, "storage" | "size") if has("accessModes") => "resources.requests.storage".to_owned(),
        ("standby" | "manual" | "restore", "repo" | "repository") => "repoName".to_owned(),
        ("patroni", "ttl") => "spec.patroni.leaderLeaseDurationSeconds".to_owned(),
        ("patroni", "loop_wait") => "spec.patroni.syncPeriodSeconds".to_owned(),
        ("patroni", "bootstrap" | "dcs") => {
            return Some("write what is below `dcs` in `spec.patroni.dynamicConfiguration`".to_owned());
        }
        _ => return None,
    };
    Some(format!("did you mean `{place}`?"))
}

/// Returns the last key of a path.
fn parent(path: &FieldPath) -> &str {
    let keys = path.0.iter().rev().filter_map(|segment| match segment {
        Segment::Key(key) => Some(key.as_str()),
        Segment::Index(_) => None,
    });
    keys.into_iter().next().unwrap_or_default()
}

/// Suggests an option of pgBackRest, or the Secret, for a setting of a repository or of its storage `kind`.
fn of_repository(kind: &str, key: &str) -> Option<String> {
    let option = separated(key, '-');
    let of_storage = [format!("repoN-{kind}-{option}"), format!("repoN-storage-{option}")];
    let names = of_storage.into_iter().filter(|_| kind != "repos").chain([format!("repoN-{option}")]);
    // pgrender sets the location of a repository itself and refuses these options.
    let is_ours = |name: &str| name.starts_with("repoN-host") || name == "repoN-type";
    let known = names.into_iter().find(|name| option_name::is_known(name) && !is_ours(name));
    let example = known.as_ref().map(|name| name.replacen("repoN", "repo1", 1));
    let credentials = ["key", "secret", "token", "credential", "password"];
    let is_secret = match &example {
        // The option is the path of a file, and the file also comes from a Secret.
        Some(example) => option::is_secret(example) || example.ends_with("-gcs-key"),
        None => kind != "repos" && credentials.iter().any(|word| option.contains(word)),
    };
    if is_secret {
        let message = "credentials do not belong here: write them in a file such as `s3.conf` in a Secret, and add \
                       the Secret to `spec.backups.pgbackrest.configuration`";
        return Some(message.replace("s3", if kind == "repos" { "s3" } else { kind }));
    }
    known.map(|name| format!("write `{name}`, with the number of the repository, in `spec.backups.pgbackrest.global`"))
}

/// Says which program has a setting of this name, and where its settings are.
fn of_a_program(key: &str, path: &FieldPath) -> Option<String> {
    let is_in = |section: &str| path.0.iter().any(|segment| matches!(segment, Segment::Key(key) if key == section));
    let (words, option) = (separated(key, '_'), separated(key, '-'));
    let of_postgres = || {
        parameter_name::versions(&words)?;
        // A single word is rarely meant as a parameter of Postgres.
        if !words.contains('_') && !["config", "patroni", "spec"].contains(&parent(path)) {
            return None;
        }
        Some(match crate::postgres_cluster::rules::parameter_fault(&words, "") {
            Some(fault) => fault.to_owned(),
            None => is_written("a parameter of Postgres", &words, "spec.config.parameters"),
        })
    };
    let of_pgbouncer = || {
        let known = || is_written("a setting of pgBouncer", &words, "spec.proxy.pgBouncer.config.global");
        setting_name::is_known(&words).then(|| pooler::refusal(&words, "", 0).unwrap_or_else(known))
    };
    let of_pgbackrest = || {
        let good = option_name::is_known(&option) && option::refusal(&option, "").is_none();
        good.then(|| is_written("an option of pgBackRest", &option, "spec.backups.pgbackrest.global"))
    };
    let of_patroni = || {
        let place = match setting::home(&words)? {
            "" => "spec.patroni.dynamicConfiguration",
            "postgresql" => "spec.patroni.dynamicConfiguration.postgresql",
            _ => return None,
        };
        Some(is_written("a setting of Patroni", &words, place))
    };
    if is_in("proxy") {
        of_pgbouncer()
    } else if is_in("backups") {
        of_pgbackrest()
    } else {
        of_postgres().or_else(of_patroni).or_else(of_pgbackrest).or_else(of_pgbouncer)
    }
}

fn is_written(what: &str, name: &str, place: &str) -> String {
    format!("`{name}` is {what}: write it in `{place}`")
}

/// Converts `maxConnections` to `max_connections`. A text without capitals does not change.
fn separated(key: &str, separator: char) -> String {
    let mut before = None;
    key.chars()
        .flat_map(|c| {
            let begins = c.is_ascii_uppercase() && before.is_some_and(|before: char| before.is_ascii_lowercase());
            before = Some(c);
            let c = if ['-', '_'].contains(&c) { separator } else { c.to_ascii_lowercase() };
            begins.then_some(separator).into_iter().chain(iter::once(c))
        })
        .collect()
}
