//! Finds the instance of PGO that leads.

use super::choose::{Chosen, EXPORT};
use crate::diagnostic::{Diagnostic, FieldPath, words};
use crate::naming::label;
use crate::read::Document;
use crate::read::node::Node;
use crate::read::object;

/// The values of the label `role` that Patroni gives to the pod of the leader, in old and new versions.
const ROLES: [&str; 2] = ["master", "primary"];

/// What the input says about the leader: where, and the pod.
struct Statement<'a> {
    document: &'a Document,
    path: FieldPath,
    instance: &'a str,
}

/// Returns the instance that leads, one of `instances`. The user may choose it if the input does not name it or names two.
pub(super) fn find<'a>(
    documents: &'a [Document],
    chosen: &Chosen<'a>,
    wanted: Option<&str>,
    instances: &[&'a str],
) -> Result<&'a str, Diagnostic> {
    let known = || instances.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let chosen_by_user = wanted.map(|wanted| {
        let wanted = without_ordinal(wanted, instances);
        instances.iter().find(|name| **name == wanted).copied().ok_or_else(|| {
            let message =
                format!("`--leader` is {}, which is not an instance: write one of {}", words::quote(wanted), known());
            Diagnostic::error(message)
        })
    });
    let chosen_by_user: Option<&str> = chosen_by_user.transpose()?;
    let statements = statements(documents, chosen, instances);
    let Some(first) = statements.first() else {
        if let Some(wanted) = chosen_by_user {
            return Ok(wanted);
        }
        if let [only] = instances {
            return Ok(only);
        }
        let name = &chosen.reference.name;
        let message = format!(
            "the input does not say which instance leads ({}): give what {EXPORT} printed while the cluster ran, or write \
             `--leader` with what `kubectl get endpoints {name}-ha -o jsonpath='{{.metadata.annotations.leader}}'` prints",
            known()
        );
        return Err(chosen.document.locate(Diagnostic::error(message).of(chosen.reference.clone())));
    };
    let here = |statement: &Statement, message: String| {
        let error =
            Diagnostic::error(message).at(statement.path.clone()).of(object::reference(&statement.document.node));
        statement.document.locate(error)
    };
    // If the input names two, the user chooses one of them.
    if let Some(wanted) = chosen_by_user {
        if statements.iter().any(|statement| statement.instance == wanted) {
            return Ok(wanted);
        }
        let message = format!(
            "{} leads here, but `--leader` is {}, and a replica that starts first can have less data: remove the option, or switch \
             over, and export again",
            words::quote(first.instance),
            words::quote(wanted)
        );
        return Err(here(first, message));
    }
    if let Some(other) = statements.iter().find(|other| other.instance != first.instance) {
        let message = format!(
            "{} leads here, but {} leads in `{}`: the leader changed during the export, or there are two. Look at \
             `patronictl list`, and export again",
            words::quote(other.instance),
            words::quote(first.instance),
            object::reference(&first.document.node)
        );
        return Err(here(other, message));
    }
    instances.iter().find(|name| **name == first.instance).copied().ok_or_else(|| {
        let message =
            format!("{} leads, but it has no claim in the input, only {}", words::quote(first.instance), known());
        here(first, message)
    })
}

/// Everything that the input says about the leader.
fn statements<'a>(documents: &'a [Document], chosen: &Chosen<'a>, instances: &[&str]) -> Vec<Statement<'a>> {
    let reference = &chosen.reference;
    let mut statements = Vec::new();
    for document in documents {
        let node = &document.node;
        let there = object::reference(node);
        if there.namespace != reference.namespace || there.api_version != "v1" {
            continue;
        }
        // Patroni's lock, which is an annotation of these Endpoints (Patroni, "Kubernetes native configuration").
        if there.kind == "Endpoints" && there.name == format!("{}-ha", reference.name) {
            let leader = object::annotation(node, "leader").filter(|leader| !leader.is_empty());
            statements.extend(leader.map(|leader| Statement {
                document,
                path: FieldPath::of("metadata.annotations.leader"),
                instance: without_ordinal(leader, instances),
            }));
        }
        let is_ours = object::label(node, label::CLUSTER) == Some(&reference.name)
            && object::label(node, label::PATRONI).is_some();
        let leads = object::label(node, label::ROLE).is_some_and(|role| ROLES.contains(&role));
        if there.kind == "Pod" && is_ours && leads {
            let pod = node.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Node::as_str);
            let instance = object::label(node, label::INSTANCE).or(pod).unwrap_or_default();
            statements.push(Statement {
                document,
                path: FieldPath::of("metadata.labels").key(label::ROLE),
                instance: without_ordinal(instance, instances),
            });
        }
    }
    if statements.is_empty() {
        // PGO writes here which instance led before a shutdown.
        let status = chosen.document.node.get("status");
        let startup = status.and_then(|status| status.get("startupInstance")).and_then(Node::as_str);
        statements.extend(startup.filter(|startup| !startup.is_empty()).map(|startup| Statement {
            document: chosen.document,
            path: FieldPath::of("status.startupInstance"),
            instance: startup,
        }));
    }
    statements
}

/// The instance of a pod, which is the StatefulSet with this name, or the name itself if it is that of an instance.
fn without_ordinal<'a>(name: &'a str, instances: &[&str]) -> &'a str {
    if instances.contains(&name) { name } else { name.strip_suffix("-0").unwrap_or(name) }
}
