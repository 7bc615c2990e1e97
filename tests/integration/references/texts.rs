//! Checks names inside texts, which no schema describes: files and hosts in configuration files, commands and URIs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regex::{Captures, Regex};
use serde_json::Value;

/// Matches paths in the directories of projected files. These directories contain nothing else.
static FILE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(/etc/(pgrender-collector|pgbackrest/(conf\.d|server)|patroni|pgbouncer|pgrender)|/pgconf/tls)/[~\w][-~\w./+]*\w";
    Regex::new(pattern).unwrap()
});

/// Matches `<pod>.<service>.<namespace>.svc`, with or without the pod, which may be a variable in parentheses.
static HOST: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:(\w[-\w]*)\)?\.)?(\w[-\w]*)\.(\w[-\w]*)\.svc\b").unwrap());

/// Matches the address of Postgres in pgBouncer's configuration.
static POOL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"= host=(\S+) port=").unwrap());

/// What a text speaks of.
#[derive(Default)]
struct Mentions {
    /// Paths that match [`FILE`].
    files: Vec<String>,
    /// Hosts that match [`HOST`]: all of it, the pod, the Service and the namespace.
    hosts: Vec<[String; 4]>,
    /// Services that match [`POOL`].
    pools: Vec<String>,
}

impl Mentions {
    /// Those of `text`. The caretaker's program is long and in every cluster, so what was found in it is kept.
    fn of(text: &str) -> Arc<Self> {
        static KNOWN: Mutex<BTreeMap<String, Arc<Mentions>>> = Mutex::new(BTreeMap::new());
        const LONG: usize = 2_000;
        if let Some(known) = KNOWN.lock().unwrap().get(text) {
            return Arc::clone(known);
        }
        let group = |found: &Captures, index| found.get(index).map_or("", |group| group.as_str()).to_owned();
        let mentions = Arc::new(Self {
            files: FILE.find_iter(text).map(|found| found.as_str().to_owned()).collect(),
            hosts: HOST.captures_iter(text).map(|found| [0, 1, 2, 3].map(|index| group(&found, index))).collect(),
            pools: POOL.captures_iter(text).map(|found| group(&found, 1)).collect(),
        });
        if text.len() > LONG {
            KNOWN.lock().unwrap().insert(text.to_owned(), Arc::clone(&mentions));
        }
        mentions
    }
}

/// Returns the files and hosts in texts that do not exist, one line each.
pub(crate) fn dangling(objects: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    let everywhere: Vec<File> = objects.iter().flat_map(files).collect();
    for object in objects {
        let name = format!("{} {}", object["kind"], object["metadata"]["name"]);
        let own = files(object);
        let (texts, files) = match object["kind"].as_str() {
            Some("ConfigMap") => (strings(&object["data"]), &everywhere),
            Some("Secret") => (secrets(&object["data"]), &everywhere),
            _ => (strings(&object["spec"]), &own),
        };
        for text in &texts {
            found.extend(missing_files(text, files).iter().map(|file| format!("{name}: no file {file}")));
            found.extend(missing_hosts(text, objects).into_iter().map(|host| format!("{name}: no host {host}")));
        }
        // The paths in a pod's own files must be in that pod if the pod has the directory: pgBackRest's server has a section in
        // files that other pods read too.
        for text in own.iter().filter_map(|file| content(file, objects)) {
            let mut missing = missing_files(text, &own);
            missing.retain(|path| own.iter().any(|file| path.starts_with(&file.directory)));
            found.extend(missing.iter().map(|file| format!("{name}: no file {file}, which another speaks of")));
        }
    }
    found
}

/// A projected file in a container.
struct File {
    directory: String,
    path: String,
    /// The ConfigMap and the key of the file.
    source: Option<(String, String)>,
}

/// Returns the text of a file from a rendered ConfigMap.
fn content<'a>(file: &File, objects: &'a [Value]) -> Option<&'a str> {
    let (name, key) = file.source.as_ref()?;
    let is_source = |object: &&Value| object["kind"] == "ConfigMap" && object["metadata"]["name"] == **name;
    objects.iter().find(is_source)?["data"][key].as_str()
}

fn missing_files(text: &str, files: &[File]) -> Vec<String> {
    let is_there =
        |path: &str| files.iter().any(|file| file.path == path || file.path.starts_with(&format!("{path}/")));
    Mentions::of(text).files.iter().filter(|path| !is_there(path)).cloned().collect()
}

/// Returns every projected file of every container of the pods of an object.
fn files(object: &Value) -> Vec<File> {
    let pod = match object["kind"].as_str() {
        Some("CronJob") => &object["spec"]["jobTemplate"]["spec"]["template"]["spec"],
        _ => &object["spec"]["template"]["spec"],
    };
    let mut files = Vec::new();
    for mount in items(&pod["containers"]).chain(items(&pod["initContainers"])).flat_map(|c| items(&c["volumeMounts"]))
    {
        let volume = items(&pod["volumes"]).find(|volume| volume["name"] == mount["name"]);
        let sources = volume.map(|volume| items(&volume["projected"]["sources"])).into_iter().flatten();
        for (kind, source) in sources.flat_map(|source| source.as_object().unwrap()) {
            let directory = format!("{}/", mount["mountPath"].as_str().unwrap());
            let mut add = |key: &str, path: &str| {
                let from = (source["name"].as_str().unwrap_or_default().to_owned(), key.to_owned());
                let path = format!("{directory}{path}");
                files.push(File { directory: directory.clone(), path, source: (kind == "configMap").then_some(from) });
            };
            for item in items(&source["items"]) {
                add(item["key"].as_str().unwrap_or_default(), item["path"].as_str().unwrap());
            }
            // Without items, each key is a file. Only Secrets of the user, such as certificates, are mounted this way.
            if source["items"].is_null() && kind == "secret" {
                for key in ["tls.crt", "tls.key", "ca.crt"] {
                    add(key, key);
                }
            }
        }
    }
    files
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn missing_hosts(text: &str, objects: &[Value]) -> Vec<String> {
    let namespace = objects[0]["metadata"]["namespace"].as_str().unwrap();
    let named = |kind: &str| -> BTreeSet<&str> {
        let objects = objects.iter().filter(|object| object["kind"] == kind);
        objects.map(|object| object["metadata"]["name"].as_str().unwrap()).collect()
    };
    let (services, claims, sets) = (named("Service"), named("PersistentVolumeClaim"), named("StatefulSet"));
    let is_pod = |name: &str| {
        let repo_host =
            name.strip_suffix("-repo-host-0").is_some_and(|cluster| sets.contains(&*format!("{cluster}-repo-host")));
        // Patroni's own name is known only in the pod.
        repo_host || name == "PATRONI_NAME" || claims.contains(&*format!("postgres-data-{name}"))
    };
    let mentions = Mentions::of(text);
    let is_missing = |[_, pod, service, of]: &&[String; 4]| {
        !(pod.is_empty() || is_pod(pod)) || !services.contains(&**service) || of != namespace
    };
    let hosts = mentions.hosts.iter().filter(is_missing).map(|found| found[0].clone());
    hosts.chain(mentions.pools.iter().filter(|name| !services.contains(&***name)).cloned()).collect()
}

/// Returns all strings below a value.
fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(entries) => entries.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

/// Returns the values of a Secret that are text.
fn secrets(data: &Value) -> Vec<String> {
    strings(data).iter().map(|text| String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()).collect()
}
