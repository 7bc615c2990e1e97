//! Chooses the PostgresCluster, and makes it one that pgrender renders: without what only PGO fills in or has done already.

use super::Request;
use crate::diagnostic::{Diagnostic, FieldPath, ResourceRef, words};
use crate::naming::annotation;
use crate::options::Options;
use crate::postgres_cluster::KIND;
use crate::postgres_cluster::parse::DEFINITION;
use crate::read::Document;
use crate::read::node::{Node, NodeValue};
use crate::read::object;

/// The PostgresCluster of the input.
pub(super) struct Chosen<'a> {
    pub(super) document: &'a Document,
    /// Its reference, with its namespace.
    pub(super) reference: ResourceRef,
}

/// The command that prints everything that is needed.
pub(super) const EXPORT: &str = "`kubectl get postgrescluster,pvc,pv,secret,endpoints,pods -o yaml`";

/// Annotations that request something of PGO, and that it has done already. pgrender would do it again: a restore in place would
/// replace the data.
const REQUESTS: [&str; 3] =
    [annotation::PGBACKREST_RESTORE, annotation::PGBACKREST_BACKUP, annotation::TRIGGER_SWITCHOVER];

/// The annotation in which `kubectl apply` stores what it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Returns the cluster that the user chose, or the only one.
pub(super) fn cluster<'a>(
    documents: &'a [Document],
    request: &Request,
    options: &Options,
) -> Result<Chosen<'a>, Diagnostic> {
    let mut found: Vec<Chosen> = Vec::new();
    for document in documents {
        let mut reference = object::reference(&document.node);
        if reference.kind != KIND || !DEFINITION.has_version(&reference.api_version) {
            continue;
        }
        if reference.namespace.is_empty() {
            reference.namespace = options.namespace.clone().unwrap_or_default();
        }
        let same = found.iter().find(|other| {
            (&other.reference.namespace, &other.reference.name) == (&reference.namespace, &reference.name)
        });
        match same {
            Some(first) if first.document.node.to_json() != document.node.to_json() => {
                return Err(object::twice(&reference, first.document, document));
            }
            Some(_) => {}
            None => found.push(Chosen { document, reference }),
        }
    }
    let names = || {
        let names = found.iter().map(|chosen| words::quote(&name(&chosen.reference)));
        names.collect::<Vec<_>>().join(", ")
    };
    match &request.cluster {
        None if found.is_empty() => {
            Err(Diagnostic::error(format!("no {KIND} in the input: give the file that {EXPORT} printed")))
        }
        None if found.len() > 1 => {
            let message = format!("the input has several clusters, {}: choose one with `--cluster`", names());
            Err(Diagnostic::error(message))
        }
        None => Ok(found.remove(0)),
        Some(wanted) => {
            let is_wanted = |chosen: &Chosen| *wanted == chosen.reference.name || *wanted == name(&chosen.reference);
            let count = found.iter().filter(|chosen| is_wanted(chosen)).count();
            if count != 1 {
                let problem = if count == 0 { "is not in the input" } else { "is in several namespaces" };
                let there = if found.is_empty() { "no cluster".to_owned() } else { names() };
                let message = format!("the cluster {} {problem}, which has {there}", words::quote(wanted));
                return Err(Diagnostic::error(message));
            }
            let position = found.iter().position(is_wanted).unwrap_or_default();
            Ok(found.remove(position))
        }
    }
}

fn name(reference: &ResourceRef) -> String {
    format!("{}/{}", reference.namespace, reference.name)
}

/// Returns the errors about a cluster that cannot be adopted in its present state.
pub(super) fn unsuitable(document: &Document) -> Vec<Diagnostic> {
    let node = &document.node;
    let mut errors = Vec::new();
    let mut refuse = |path: &str, message: String| {
        errors.push(document.locate(Diagnostic::error(message).at(FieldPath::of(path)).of(object::reference(node))));
    };
    let field = |path: &[&str]| path.iter().try_fold(node, |node, key| node.get(key));
    if field(&["metadata", "deletionTimestamp"]).is_some() {
        let message = "the cluster is being deleted, and its claims with it: keep the volumes (`kubectl patch pv NAME --patch \
                       '{\"spec\":{\"persistentVolumeReclaimPolicy\":\"Retain\"}}'`), and create a new cluster from them with \
                       `spec.dataSource.volumes`";
        refuse("metadata.deletionTimestamp", message.to_owned());
    }
    let standby = field(&["spec", "standby", "enabled"]).is_some_and(is_true);
    let passed_on = field(&["spec", "patroni", "dynamicConfiguration", "standby_cluster"]);
    if standby {
        refuse("spec.standby.enabled", STANDBY.to_owned());
    } else if passed_on.is_some_and(|section| section.value != NodeValue::Null) {
        refuse("spec.patroni.dynamicConfiguration.standby_cluster", STANDBY.to_owned());
    }
    let version = |path: &[&str]| field(path).map(|version| version.to_json().to_string());
    if let (Some(spec), Some(status)) = (version(&["spec", "postgresVersion"]), version(&["status", "postgresVersion"]))
        && spec != status
        && status != "0"
    {
        let message = format!(
            "the spec asks for Postgres {spec}, but the data is of Postgres {status}: finish the upgrade with PGO, and export again"
        );
        refuse("spec.postgresVersion", message);
    }
    errors
}

const STANDBY: &str = "a standby cluster cannot be adopted, because its leader is not the source of its data: promote it before, or \
                       create a new standby cluster with pgrender and delete this one";

pub(super) fn is_true(node: &Node) -> bool {
    matches!(node.value, NodeValue::Bool { value: true, .. })
}

/// Returns the PostgresCluster to render. The positions of its fields stay those of the input.
pub(super) fn cleaned(chosen: &Chosen) -> Node {
    let mut node = chosen.document.node.clone();
    keep(&mut node, &[], |key| key != "status");
    keep(&mut node, &["metadata"], |key| ["name", "namespace", "labels", "annotations"].contains(&key));
    keep(&mut node, &["metadata", "annotations"], |key| key != LAST_APPLIED && !REQUESTS.contains(&key));
    // The data exists, so a data source would never be used again.
    keep(&mut node, &["spec"], |key| !["dataSource", "paused", "shutdown"].contains(&key));
    keep(&mut node, &["spec", "backups", "pgbackrest"], |key| key != "restore");
    node
}

/// Removes keys from the mapping at `path`, and the mapping itself if it is empty then.
fn keep(node: &mut Node, path: &[&str], wanted: impl Fn(&str) -> bool) {
    let NodeValue::Mapping(entries) = &mut node.value else { return };
    let Some((first, rest)) = path.split_first() else {
        entries.retain(|entry| wanted(&entry.key));
        return;
    };
    let Some(position) = entries.iter().position(|entry| entry.key == *first) else { return };
    let Some(entry) = entries.get_mut(position) else { return };
    keep(&mut entry.value, rest, wanted);
    if entry.value.value == NodeValue::Mapping(Vec::new()) {
        entries.remove(position);
    }
}

/// Whether cleaning removes something that the user must know about: the fields and annotations, in the order of the input.
pub(super) fn removed(document: &Document) -> Vec<String> {
    let node = &document.node;
    let annotations = node.get("metadata").and_then(|metadata| metadata.get("annotations"));
    let annotations = REQUESTS.iter().filter(|key| annotations.is_some_and(|all| all.get(key).is_some()));
    let spec = node.get("spec");
    let fields = ["dataSource", "paused", "shutdown"];
    let fields = fields.iter().filter(|key| spec.is_some_and(|spec| spec.get(key).is_some()));
    let restore = spec.and_then(|spec| spec.get("backups")?.get("pgbackrest")?.get("restore"));
    let mut removed: Vec<String> = annotations.map(|key| format!("the annotation `{key}`")).collect();
    removed.extend(fields.map(|key| format!("`spec.{key}`")));
    removed.extend(restore.map(|_| "`spec.backups.pgbackrest.restore`".to_owned()));
    removed
}
