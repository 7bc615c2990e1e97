//! A flowchart of clusters in the language of Mermaid (<https://mermaid.js.org/syntax/flowchart.html>), which GitHub and many
//! other programs show.

use std::fmt::Write;

use super::model::{ClusterDescription, Role, ServiceDescription};
use crate::diagnostic::line::shown;

/// Returns the flowchart of all clusters: applications, Services, the pooler, instances, repositories.
pub fn flowchart(clusters: &[ClusterDescription]) -> String {
    let mut chart = "flowchart LR\n".to_owned();
    for (number, cluster) in clusters.iter().enumerate() {
        let _ = writeln!(chart, "  subgraph c{number}[{}]", label(&format!("{}/{}", cluster.namespace, cluster.name)));
        for line in lines(cluster, &format!("c{number}")) {
            let _ = writeln!(chart, "    {line}");
        }
        chart += "  end\n";
    }
    chart
}

fn lines(cluster: &ClusterDescription, id: &str) -> Vec<String> {
    let mut lines = vec![format!("{id}apps([{}])", label("applications"))];
    let sets = cluster.workloads.iter().filter(|workload| workload.role == Role::Instances);
    let instances: i32 = sets.map(|workload| workload.replicas).sum();
    let leads = |service: &ServiceDescription, ending: &str| service.name == format!("{}-{ending}", cluster.name);
    let mut entries = Vec::new();
    for (ending, key) in [("primary", "primary"), ("ha", "ha"), ("replicas", "replicas"), ("pgbouncer", "pooler")] {
        let Some(service) = cluster.services.iter().find(|service| leads(service, ending)) else { continue };
        let port = service.ports.first().map(|port| format!(":{}", port.port)).unwrap_or_default();
        let none = if key == "replicas" && instances == 1 { ", no pod" } else { "" };
        lines.push(format!("{id}{key}[{}]", label(&format!("{}{port}{none}", service.name))));
        entries.push(key);
    }
    let use_of = [("primary", "read and write"), ("replicas", "only read"), ("pooler", "pooled")];
    let used = use_of.into_iter().filter(|(key, _)| entries.contains(key));
    lines.extend(used.map(|(key, words)| format!("{id}apps -->|{}| {id}{key}", label(words))));
    if entries.contains(&"primary") {
        lines.push(format!("{id}primary --> {id}ha"));
    }
    let mut sets = Vec::new();
    for (number, workload) in cluster.workloads.iter().enumerate() {
        let several = if workload.replicas == 1 { "pod" } else { "pods" };
        let text = label(&format!("{} {}, {} {several}", workload.kind, workload.name, workload.replicas));
        match workload.role {
            Role::Instances => {
                lines.push(format!("{id}set{number}[({text})]"));
                sets.push(format!("{id}set{number}"));
            }
            Role::Pooler => lines.push(format!("{id}bouncer[{text}]")),
            Role::RepoHost => lines.push(format!("{id}repohost[{text}]")),
        }
    }
    for set in &sets {
        lines.push(format!("{id}ha -->|{}| {set}", label("leader")));
        if instances != 1 {
            lines.push(format!("{id}replicas -->|{}| {set}", label("replicas")));
        }
    }
    if cluster.workloads.iter().any(|workload| workload.role == Role::Pooler) {
        // pgBouncer connects to the leader by the name of the Service.
        lines.push(format!("{id}pooler --> {id}bouncer"));
        lines.push(format!("{id}bouncer --> {id}primary"));
    }
    for repository in &cluster.repositories {
        let key = format!("{id}{}", repository.name);
        let on_volume = repository.place.starts_with("a volume");
        let place = repository.place.split(',').next().unwrap_or_default();
        lines.push(format!("{key}[({})]", label(&format!("{}: {place}", repository.name))));
        for set in &sets {
            let through = if on_volume { format!("{id}repohost") } else { key.clone() };
            let line = format!("{set} -->|{}| {through}", label("backups and archive"));
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        if on_volume {
            lines.push(format!("{id}repohost --> {key}"));
        }
    }
    lines
}

/// A text in quotes. Mermaid writes special characters as entities.
fn label(text: &str) -> String {
    let escaped: String = shown(text)
        .chars()
        .map(|character| match character {
            '"' => "#quot;".to_owned(),
            '#' => "#35;".to_owned(),
            '<' => "#lt;".to_owned(),
            '>' => "#gt;".to_owned(),
            '`' => "'".to_owned(),
            other => other.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}
