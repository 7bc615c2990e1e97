//! Where pods run, in words.

use super::schedule::list;
use crate::kubernetes::{LabelSelector, PodAffinityTerm, PodSpec};

/// One sentence for each rule.
pub(super) fn words(pod: &PodSpec) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(affinity) = &pod.affinity {
        if let Some(nodes) = &affinity.node_affinity {
            let required = nodes.required_during_scheduling_ignored_during_execution.as_ref();
            found.extend(
                required.map(|it| {
                    format!("only on nodes that match {} of its terms", one_of(it.node_selector_terms.len()))
                }),
            );
            let preferred = nodes.preferred_during_scheduling_ignored_during_execution.as_ref();
            found.extend(preferred.map(|it| format!("rather on nodes that match its {} preferences", it.len())));
        }
        if let Some(near) = &affinity.pod_affinity {
            let required = near.required_during_scheduling_ignored_during_execution.iter().flatten();
            found.extend(required.map(|term| format!("only in {}", beside(term))));
            let preferred = near.preferred_during_scheduling_ignored_during_execution.iter().flatten();
            found.extend(preferred.map(|term| format!("rather in {}", beside(&term.pod_affinity_term))));
        }
        if let Some(apart) = &affinity.pod_anti_affinity {
            let required = apart.required_during_scheduling_ignored_during_execution.iter().flatten();
            found.extend(required.map(|term| format!("never in {}", beside(term))));
            let preferred = apart.preferred_during_scheduling_ignored_during_execution.iter().flatten();
            found.extend(preferred.map(|term| format!("rather not in {}", beside(&term.pod_affinity_term))));
        }
    }
    for spread in pod.topology_spread_constraints.iter().flatten() {
        let must = if spread.when_unsatisfiable == "DoNotSchedule" { "spread" } else { "if possible, spread" };
        found.push(format!("{must} over `{}`, with a difference of at most {}", spread.topology_key, spread.max_skew));
    }
    for toleration in pod.tolerations.iter().flatten() {
        let key = toleration.key.as_deref().unwrap_or("any key");
        let value = toleration.value.as_ref().map(|value| format!("={value}")).unwrap_or_default();
        let effect = toleration.effect.as_ref().map(|effect| format!(":{effect}")).unwrap_or_default();
        found.push(format!("also on nodes with the taint `{key}{value}{effect}`"));
    }
    found.extend(
        pod.priority_class_name.as_ref().map(|class| format!("with the priority of the PriorityClass `{class}`")),
    );
    found
}

fn one_of(count: usize) -> String {
    if count == 1 { "all".to_owned() } else { format!("one of the {count} groups") }
}

fn beside(term: &PodAffinityTerm) -> String {
    let selected = term.label_selector.as_ref().map(selector).unwrap_or_default();
    format!("the same `{}` as pods with {selected}", term.topology_key)
}

fn selector(selector: &LabelSelector) -> String {
    let labels = selector.match_labels.iter().flatten().map(|(key, value)| match value.as_str() {
        "" => format!("`{key}`"),
        value => format!("`{key}={value}`"),
    });
    let others = selector.match_expressions.iter().flatten().map(|it| match &it.values {
        Some(values) => format!("`{} {} {}`", it.key, it.operator, values.join(",")),
        None => format!("`{} {}`", it.key, it.operator),
    });
    let all: Vec<String> = labels.chain(others).collect();
    if all.is_empty() { "any label".to_owned() } else { list(&all) }
}
