//! Says in words what changes in the template of pods.

use std::collections::BTreeMap;

use super::cause::Cause;
use super::fields::Difference;
use super::path::{Path, Step};
use super::shown;

/// One line for each change. Containers with the same change are in one line, because most changes are of several.
pub(super) fn details(causes: &[Cause]) -> Vec<String> {
    let mut containers: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
    let mut others = Vec::new();
    for Difference { path, old, new } in causes.iter().filter_map(|cause| cause.difference.as_ref()) {
        let values = shown::change(path, old.as_ref(), new.as_ref());
        // Below `spec.template` or, for containers, below `spec.template.spec`.
        match path.word(3) {
            Some("containers" | "initContainers") => {
                let Some(name) = path.word(4) else {
                    others.push("order of containers".to_owned());
                    continue;
                };
                let field = Path(path.0.iter().skip(5).cloned().collect()).to_string();
                if field.is_empty() {
                    let is_new = if old.is_none() { "new" } else { "removed" };
                    let image = old.as_ref().or(new.as_ref()).and_then(|container| container.get("image")?.as_str());
                    let image =
                        image.map_or_else(String::new, |image| format!(", with the image {}", shown::code(image)));
                    others.push(format!("container {}: {is_new}{image}", shown::code(name)));
                } else {
                    containers.entry((field, values)).or_default().push(name);
                }
            }
            Some("volumes") => {
                let change = match (old, new) {
                    (None, _) if path.0.len() == 5 => ": new",
                    (_, None) if path.0.len() == 5 => ": removed",
                    _ => "",
                };
                others.push(format!("volume {}{change}", shown::code(path.word(4).unwrap_or_default())));
            }
            _ => {
                let is_spec = path.0.get(2) == Some(&Step::Key("spec".to_owned()));
                let field = Path(path.0.iter().skip(if is_spec { 3 } else { 2 }).cloned().collect());
                others.push(with(shown::code(&field.to_string()), &values));
            }
        }
    }
    let containers = containers.into_iter().map(|((field, values), names)| {
        let names: Vec<String> = names.iter().map(|name| shown::code(name)).collect();
        with(format!("{} of {}", shown::code(&field), names.join(", ")), &values)
    });
    containers.chain(others).collect()
}

fn with(what: String, values: &str) -> String {
    if values.is_empty() { what } else { format!("{what}: {values}") }
}
