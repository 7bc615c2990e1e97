//! Reads the claims of a cluster, and the volumes that they are bound to.

use super::choose::{Chosen, EXPORT, is_true};
use crate::diagnostic::{Diagnostic, FieldPath, ResourceRef, words};
use crate::naming::label;
use crate::parse::metadata::is_label;
use crate::postgres_cluster::KIND;
use crate::read::Document;
use crate::read::node::Node;
use crate::read::object;

/// A claim of the input, with the volume that it is bound to.
#[derive(Clone, Copy)]
pub(super) struct Claim<'a> {
    pub(super) document: &'a Document,
    pub(super) name: &'a str,
    pub(super) uid: &'a str,
    pub(super) volume: &'a str,
    pub(super) reclaim_policy: &'a str,
}

impl<'a> Claim<'a> {
    /// A text of its spec.
    pub(super) fn spec(&self, key: &str) -> Option<&'a str> {
        self.document.node.get("spec")?.get(key)?.as_str()
    }

    /// How much storage it requests, as it is written.
    pub(super) fn request(&self) -> String {
        let requests = || self.document.node.get("spec")?.get("resources")?.get("requests")?.get("storage");
        requests().map(written).unwrap_or_default()
    }

    pub(super) fn access_modes(&self) -> Vec<&'a str> {
        let modes = self.document.node.get("spec").and_then(|spec| spec.get("accessModes"));
        modes.map(Node::items).unwrap_or_default().iter().filter_map(Node::as_str).collect()
    }
}

/// A text, or a number as it is written.
fn written(node: &Node) -> String {
    node.as_str().map_or_else(|| node.to_json().to_string(), str::to_owned)
}

/// The claims of the input for one cluster.
pub(super) struct Claims<'a> {
    /// The claims that PGO created for the cluster.
    pub(super) of_cluster: Vec<&'a Document>,
    /// Whether there are claims of the cluster that pgrender rendered.
    pub(super) has_ours: bool,
    namespace: String,
    documents: &'a [Document],
}

/// Finds the claims of `chosen`.
pub(super) fn claims<'a>(documents: &'a [Document], chosen: &Chosen, diagnostics: &mut Vec<Diagnostic>) -> Claims<'a> {
    let ResourceRef { namespace, name, .. } = &chosen.reference;
    let mut claims = Claims { of_cluster: Vec::new(), has_ours: false, namespace: namespace.clone(), documents };
    for document in documents {
        let node = &document.node;
        if !claims.is_claim(node) || object::label(node, label::CLUSTER) != Some(name) {
            continue;
        }
        // The claim of a repository has the same name in both. If it was adopted before, and that was undone, then PGO owns it,
        // and it still has the label.
        if object::label(node, label::RENDERED).is_some() && !is_owned(node) {
            claims.has_ours = true;
            continue;
        }
        let twin = claims.of_cluster.iter().find(|other| object::reference(&other.node) == object::reference(node));
        match twin {
            Some(twin) if twin.node.to_json() != node.to_json() => {
                diagnostics.push(object::twice(&object::reference(node), twin, document));
            }
            Some(_) => {}
            None => claims.of_cluster.push(document),
        }
    }
    claims.of_cluster.sort_by_key(|document| object::reference(&document.node).name);
    claims
}

/// Whether a PostgresCluster owns an object.
fn is_owned(node: &Node) -> bool {
    let owners = node.get("metadata").and_then(|metadata| metadata.get("ownerReferences"));
    let mut kinds = owners.map(Node::items).unwrap_or_default().iter().filter_map(|owner| owner.get("kind")?.as_str());
    kinds.any(|kind| kind == KIND)
}

impl<'a> Claims<'a> {
    fn is_claim(&self, node: &Node) -> bool {
        let reference = object::reference(node);
        reference.kind == "PersistentVolumeClaim"
            && reference.api_version == "v1"
            && reference.namespace == self.namespace
    }

    /// The claim with this name, whatever its labels.
    pub(super) fn named(&self, name: &str) -> Option<&'a Document> {
        let is_it = |node: &Node| self.is_claim(node) && object::reference(node).name == name;
        self.documents.iter().find(|document| is_it(&document.node))
    }

    /// Checks that a claim is bound to a volume that can be kept, and that both agree.
    pub(super) fn bound(&self, document: &'a Document, diagnostics: &mut Vec<Diagnostic>) -> Option<Claim<'a>> {
        let at = |document: &Document, path: &str, message: String| {
            let error = Diagnostic::error(message).at(FieldPath::of(path)).of(object::reference(&document.node));
            document.locate(error)
        };
        let mut errors = Vec::new();
        let node = &document.node;
        let reference = object::reference(node);
        let name = text(node, &["metadata", "name"]);
        let uid = text(node, &["metadata", "uid"]);
        if !text(node, &["metadata", "deletionTimestamp"]).is_empty() {
            let message =
                "the claim is being deleted, and it cannot be kept: restore the cluster from a backup instead";
            errors.push(at(document, "metadata.deletionTimestamp", message.to_owned()));
        }
        match text(node, &["status", "phase"]) {
            "Bound" => {}
            "" => errors.push(at(document, "status", format!("the claim has no status: give what {EXPORT} printed"))),
            "Lost" if self.has_ours => {
                let message = "its volume was given to another claim, so the steps for this cluster have begun already: \
                               continue or undo them as the files say that were written before";
                errors.push(at(document, "status.phase", message.to_owned()));
            }
            phase => {
                let phase = words::quote(phase);
                let message =
                    format!("the claim is {phase}, so it has no volume: wait until it is `Bound`, and export again");
                errors.push(at(document, "status.phase", message));
            }
        }
        if uid.is_empty() {
            let message =
                format!("without the `uid` of the claim, the steps could not be undone: give what {EXPORT} printed");
            errors.push(at(document, "metadata", message));
        }
        if text(node, &["spec", "volumeMode"]) == "Block" {
            let message =
                "the volume is a block device, on which Postgres cannot store files: restore from a backup instead";
            errors.push(at(document, "spec.volumeMode", message.to_owned()));
        }
        let volume = text(node, &["spec", "volumeName"]);
        let found = self.documents.iter().find(|document| {
            let reference = object::reference(&document.node);
            reference.kind == "PersistentVolume" && reference.name == volume
        });
        let claim = |policy| Claim { document, name, uid, volume, reclaim_policy: policy };
        let policy = match found {
            None if volume.is_empty() => {
                if errors.is_empty() {
                    errors.push(at(document, "spec", "the claim names no volume: export again".to_owned()));
                }
                ""
            }
            None => {
                let message = format!(
                    "PersistentVolume {} is not in the input: give what {EXPORT} printed. Reading `pv` needs a role for the \
                     whole Kubernetes cluster",
                    words::quote(volume)
                );
                errors.push(at(document, "spec.volumeName", message));
                ""
            }
            Some(volume) => {
                errors
                    .extend(unsuitable(volume, &reference, uid).into_iter().map(|(path, text)| at(volume, path, text)));
                text(&volume.node, &["spec", "persistentVolumeReclaimPolicy"])
            }
        };
        for (name, path) in [(name, "metadata.name"), (volume, "spec.volumeName")] {
            if !name.is_empty() && !name.split('.').all(is_label) {
                let message = format!("{} is not a valid name of an object", words::quote(name));
                errors.push(at(document, path, message));
            }
        }
        let is_good = errors.is_empty();
        diagnostics.extend(errors);
        is_good.then(|| claim(policy))
    }
}

/// The message about a volume that cannot be written to.
const READ_ONLY: &str = "the volume is read-only, so Postgres could not start: copy the data to a volume that can be written to, \
                         and export again";

/// Returns what is wrong with a volume: the field, and the message.
fn unsuitable(volume: &Document, claim: &ResourceRef, uid: &str) -> Vec<(&'static str, String)> {
    let node = &volume.node;
    let mut errors = Vec::new();
    if !text(node, &["metadata", "deletionTimestamp"]).is_empty() {
        let message =
            "the volume is being deleted, and `Retain` cannot prevent that any more: restore from a backup instead";
        errors.push(("metadata.deletionTimestamp", message.to_owned()));
    }
    let bound = ["namespace", "name", "uid"].map(|key| text(node, &["spec", "claimRef", key]));
    if bound != [claim.namespace.as_str(), &claim.name, uid] {
        let message = format!(
            "the volume is not bound to `{}/{}`, which names it: export both at the same time",
            claim.namespace, claim.name
        );
        errors.push(("spec.claimRef", message));
    }
    match text(node, &["status", "phase"]) {
        "Bound" => {}
        phase => {
            let message = format!("the volume is {}, not `Bound`: wait, and export again", words::quote(phase));
            errors.push(("status.phase", message));
        }
    }
    let field = |path: &[&str]| path.iter().try_fold(node, |node, key| node.get(key));
    let modes = field(&["spec", "accessModes"]).map(Node::items).unwrap_or_default();
    if !modes.is_empty() && modes.iter().all(|mode| mode.as_str() == Some("ReadOnlyMany")) {
        errors.push(("spec.accessModes", READ_ONLY.to_owned()));
    }
    let options = field(&["spec", "mountOptions"]).map(Node::items).unwrap_or_default();
    if options.iter().filter_map(Node::as_str).any(|options| options.split(',').any(|option| option == "ro")) {
        errors.push(("spec.mountOptions", READ_ONLY.to_owned()));
    }
    let sources = field(&["spec"]).into_iter().flat_map(Node::entries);
    for source in sources.filter(|source| source.value.get("readOnly").is_some_and(is_true)) {
        errors.push(("spec", format!("`{}.readOnly` is `true`: {READ_ONLY}", source.key)));
    }
    if text(node, &["spec", "persistentVolumeReclaimPolicy"]).is_empty() {
        let message = format!(
            "the volume has no reclaim policy, so it is not known how to undo `Retain`: give what {EXPORT} printed"
        );
        errors.push(("spec", message));
    }
    errors
}

/// The text at a path of keys; empty if there is none.
fn text<'a>(node: &'a Node, path: &[&str]) -> &'a str {
    path.iter().try_fold(node, |node, key| node.get(key)).and_then(Node::as_str).unwrap_or_default()
}
