//! `README.md`: the steps with their commands, and how to undo each.

use std::fmt::Write;

use super::{Adoption, File, Instance, Move, Origin, manifests};
use crate::naming::PREFIX;

/// The text for a cluster that PGO runs.
const STEPS: &str = include_str!("steps.txt");
/// The text for `spec.dataSource.volumes`.
const STEPS_DATA_SOURCE: &str = include_str!("steps-data-source.txt");

/// How step 3 is undone if there are replicas.
const UNDO_THREE: &str = include_str!("undo-three.txt");

/// Prints the objects without all their fields, as YAML.
const GO_TEMPLATE: &str = "{{range .items}}---{{\"\\n\"}}{apiVersion: {{.apiVersion}}, kind: {{.kind}}, metadata: {namespace: \
                           {{.metadata.namespace}}, name: {{.metadata.name}}}}{{\"\\n\"}}{{end}}";

/// Returns the file.
pub(super) fn readme(adoption: &Adoption) -> File {
    let template = match adoption.origin {
        Origin::Pgo => STEPS,
        Origin::DataSource => STEPS_DATA_SOURCE,
    };
    let mut text = template.to_owned();
    for (name, value) in values(adoption) {
        text = text.replace(&format!("{{{{{name}}}}}"), &value);
    }
    File { name: "README.md".to_owned(), text }
}

/// What the text contains in the place of each name.
fn values(adoption: &Adoption) -> Vec<(&'static str, String)> {
    let cluster = &adoption.cluster;
    let kubectl = format!("kubectl --namespace={}", cluster.namespace);
    let leader = &adoption.leader;
    let replicas = &adoption.replicas;
    let names = |moves: &[&Move], name: fn(&Move) -> String| {
        moves.iter().map(|there| name(there)).collect::<Vec<_>>().join(" ")
    };
    let (first, all) = (renamed(adoption.first()), renamed(adoption.moves()));
    let new = |there: &Move| there.new_name().to_owned();
    let scale = |there: &Instance| format!("{kubectl} scale statefulset {} --replicas=0", there.before);
    let mut stop: Vec<String> = replicas.iter().map(scale).collect();
    stop.extend(
        replicas.iter().map(|there| format!("{kubectl} wait --for=delete pod/{}-0 --timeout=10m", there.before)),
    );
    let none =
        |lines: Vec<String>| if lines.is_empty() { "# There are no replicas.".to_owned() } else { lines.join("\n") };
    let sync = manifests::is_synchronous(adoption);
    let repositories = adoption.repositories.iter().any(|there| there.new.is_some());
    vec![
        ("namespace", cluster.namespace.clone()),
        ("cluster", cluster.name.clone()),
        ("version", cluster.postgres_version.to_string()),
        ("label", PREFIX.to_owned()),
        ("table", table(adoption)),
        ("leader", leader.before.to_owned()),
        ("new-leader", leader.after.clone()),
        ("cluster-file", cluster_file(adoption)),
        ("stop-replicas", none(stop)),
        ("undo-three", undo_three(adoption, &kubectl)),
        ("hand-back", hand_back(adoption, &kubectl)),
        ("stop-new-replicas", none(stop_new_replicas(adoption, &kubectl))),
        ("and-repositories", if repositories { " and of repositories" } else { "" }.to_owned()),
        ("old-claims-of-the-leader", names(&first, |there| there.old.name.to_owned())),
        ("old-claims", names(&all, |there| there.old.name.to_owned())),
        ("new-claims", names(&all, new)),
        ("new-claims-and-volumes", names(&all, |there| format!("{}={}", there.new_name(), there.old.volume))),
        ("leader-claims", names(&first, new)),
        ("leader-volumes", names(&first, |there| there.old.volume.to_owned())),
        ("sync", if sync { ", and that its leader is the former one" } else { "" }.to_owned()),
        ("undo-sync", undo_sync(adoption, &kubectl)),
        ("start-new-replicas", none(start_new_replicas(adoption, &kubectl))),
        ("leftovers", leftovers(adoption)),
        // Last, because it contains braces.
        ("go-template", GO_TEMPLATE.to_owned()),
    ]
}

/// The moves to a claim of another name.
fn renamed<'m, 'a: 'm>(moves: impl Iterator<Item = &'m Move<'a>>) -> Vec<&'m Move<'a>> {
    moves.filter(|there| there.new.is_some()).collect()
}

/// The rows of the table of volumes.
fn table(adoption: &Adoption) -> String {
    let mut rows = String::new();
    for there in adoption.moves() {
        let (old, new) = (there.old.name, there.new_name());
        let new = if old == new { "the same".to_owned() } else { format!("`{new}`") };
        let _ = writeln!(rows, "| `{}` | {} | `{old}` | {new} |", there.old.volume, there.old.request());
    }
    rows.trim_end().to_owned()
}

/// The claims that nobody uses afterwards, as the continuation of a list.
fn leftovers(adoption: &Adoption) -> String {
    let mut list = String::new();
    for name in &adoption.leftovers {
        let _ = write!(list, ", the claim `{name}`");
    }
    list
}

fn cluster_file(adoption: &Adoption) -> String {
    if adoption.removed.is_empty() {
        return "Nothing of your spec is changed in it.".to_owned();
    }
    format!(
        "It does not have {}: do not add them again, also if you keep the PostgresCluster elsewhere.",
        adoption.removed.join(", ")
    )
}

/// How to start the cluster of PGO again. Replicas must not start before the leader, because one of them could lead with less data,
/// and PGO starts all instances together.
fn undo_three(adoption: &Adoption, kubectl: &str) -> String {
    let undo = "Undo: start PGO (the undo of step 2). It creates what was deleted and starts all instances.";
    if adoption.replicas.is_empty() {
        return undo.to_owned();
    }
    UNDO_THREE
        .replace("{undo}", undo)
        .replace("{kubectl}", kubectl)
        .replace("{cluster}", &adoption.cluster.name)
        .replace("{leader}", adoption.leader.before)
}

/// What to do first if another instance leads when the start is undone: only the volume of the former leader is started first.
fn hand_back(adoption: &Adoption, kubectl: &str) -> String {
    if adoption.replicas.is_empty() {
        return String::new();
    }
    let leader = &adoption.leader.after;
    format!(
        " If another instance than `{leader}` leads, hand over to it before:\n`{kubectl} exec {leader} --container=database -- \
         patronictl switchover --force --candidate={leader}`."
    )
}

/// Stops the replicas before the leader, so that no other instance leads last.
fn stop_new_replicas(adoption: &Adoption, kubectl: &str) -> Vec<String> {
    if adoption.replicas.is_empty() {
        return Vec::new();
    }
    let cluster = &adoption.cluster;
    let sets = cluster.instance_sets.iter().map(|set| {
        let leads = adoption.leader.after == cluster.instance(set, 0);
        format!("{kubectl} scale statefulset {} --replicas={}", cluster.instance_set(set), u8::from(leads))
    });
    let gone =
        adoption.replicas.iter().map(|there| format!("{kubectl} wait --for=delete pod/{} --timeout=10m", there.after));
    sets.chain(gone).collect()
}

fn undo_sync(adoption: &Adoption, kubectl: &str) -> String {
    if !manifests::is_synchronous(adoption) {
        return String::new();
    }
    format!(
        "\n{kubectl} annotate endpoints {}-sync --overwrite leader={}-0 sync_standby=",
        adoption.cluster.scope(),
        adoption.leader.before
    )
}

fn start_new_replicas(adoption: &Adoption, kubectl: &str) -> Vec<String> {
    if adoption.replicas.is_empty() {
        return Vec::new();
    }
    let apply = "kubectl apply --server-side --force-conflicts --field-manager=pgrender-adopt \
                 --filename=7-volumes-of-the-replicas.yaml";
    let cluster = &adoption.cluster;
    let sets = cluster.instance_sets.iter().map(|set| cluster.instance_set(set));
    let status = sets.map(|set| format!("{kubectl} rollout status statefulset {set} --timeout=30m"));
    std::iter::once(apply.to_owned()).chain(status).collect()
}
