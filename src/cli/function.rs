//! The KRM function: it reads a `ResourceList` and writes a `ResourceList` (KRM Functions Specification v1).
//!
//! The output is always a complete list. If something is wrong, the list has the items of the input unchanged. The errors are
//! written twice: as `results`, which kpt shows, and to standard error, which is all that kustomize shows.

use serde_json::Value;

use super::environment::Environment;
use super::outcome::Outcome;
use super::{function_config, input, seed};
use crate::diagnostic::{Diagnostic, has_errors, shorten};
use crate::merge::{self, Merged};
use crate::object;
use crate::read::node::{Entry, Node, NodeValue};
use crate::read::{self, Document};
use crate::render::{self, render};
use crate::write::resource_list;
use crate::write::verbatim::Texts;

/// Runs as a KRM function with `text` from standard input.
pub(super) fn run(text: &str, environment: &Environment) -> Outcome {
    let list = match list(text) {
        Ok(list) => list,
        Err(errors) => return unreadable(errors),
    };
    let texts = Texts::find(text, &list.node);
    let earlier = list.node.get("results").map(Node::items).unwrap_or_default();
    let mut results: Vec<Value> = earlier.iter().map(Node::to_json).collect();
    let (items, config) = parts(list.node);
    let count = items.len();
    // Some tools pass an empty object if there is no configuration.
    let config = config.filter(|config| !config.entries().is_empty());
    let documents: Vec<Document> = items.into_iter().chain(config).map(item).collect();

    let Merged { items, diagnostics } = transform(&documents, count, environment);
    let diagnostics = shorten(diagnostics);
    // If the list was already processed by pgrender, it has some of these results.
    for result in diagnostics.iter().map(resource_list::result) {
        if !results.contains(&result) {
            results.push(result);
        }
    }
    let stdout = resource_list::to_string(&texts, &documents, &items, &results);
    Outcome { stdout: stdout.into(), ..Outcome::new(String::new(), for_people(diagnostics)) }
}

/// Returns the output for an input that is not a list. Callers do not use its items, because the exit code says that the run
/// failed.
pub(super) fn unreadable(errors: Vec<Diagnostic>) -> Outcome {
    let errors = shorten(errors);
    let results: Vec<Value> = errors.iter().map(resource_list::result).collect();
    let stdout = resource_list::to_string(&Texts::default(), &[], &[], &results);
    Outcome { stdout: stdout.into(), ..Outcome::failed(errors) }
}

/// Renders the clusters among `documents` and merges their objects into the items. The first `items` documents are items, and
/// one more may be the function's configuration. If something is wrong, the items stay unchanged. The exception is a seed,
/// which is never written in a form that could be applied.
pub(super) fn transform(documents: &[Document], items: usize, environment: &Environment) -> Merged {
    let merged = try_transform(documents, items, environment)
        .unwrap_or_else(|diagnostics| Merged { items: Vec::new(), diagnostics });
    if has_errors(&merged.diagnostics) {
        let items = documents.iter().take(items).enumerate();
        return Merged { items: items.map(|(position, item)| merge::as_it_came(position, item)).collect(), ..merged };
    }
    merged
}

fn try_transform(documents: &[Document], items: usize, environment: &Environment) -> Result<Merged, Vec<Diagnostic>> {
    let (items, config) = documents.split_at(items);
    let settings = config.first().map(|config| function_config::settings(&config.node)).transpose()?;
    let settings = settings.unwrap_or_default();
    let mut options = settings.options(environment).map_err(|error| vec![error])?;
    // kpt sets the file of every item, and kustomize sets none.
    options.through_kustomize = documents.iter().all(|document| object::path(&document.node).is_none());
    let found = seed::find(&settings, environment, documents);
    let seed = found.as_ref().map(|found| &found.seed).map_err(Vec::as_slice);
    let mut rendered = render(documents, &options, seed);
    rendered.diagnostics.extend(seed::nearly::check(documents));
    rendered.diagnostics.extend(found.into_iter().flat_map(|found| found.warnings));
    if has_errors(&rendered.diagnostics) {
        return Err(rendered.diagnostics);
    }
    let mut merged = merge::merge(items, &rendered.clusters);
    merged.diagnostics.splice(0..0, rendered.diagnostics);
    if rendered.clusters.is_empty() {
        merged
            .diagnostics
            .push(Diagnostic::warning(format!("no {} in the input, so nothing is rendered", render::KIND)));
    }
    Ok(merged)
}

/// Returns the diagnostics for standard error. They name the object instead of a line of the list, which the user never sees.
pub(super) fn for_people(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.into_iter().map(|diagnostic| Diagnostic { location: None, ..diagnostic }).collect()
}

/// Returns the only document of `text`, which must be a list.
fn list(text: &str) -> Result<Document, Vec<Diagnostic>> {
    let mut documents = read::documents(input::STDIN, text)?;
    let error = |message: &str| Err(vec![Diagnostic::error(message)]);
    let Some(list) = documents.pop() else {
        return error("standard input is empty, expected a ResourceList; see `pgrender --help`");
    };
    let kind = object::reference(&list.node).kind;
    if !documents.is_empty() || !matches!(kind.as_str(), "ResourceList" | "List") {
        return error("expected one ResourceList on standard input; to render manifests, use `pgrender render`");
    }
    Ok(list)
}

/// Returns an item, with the name of the file that it comes from.
fn item(node: Node) -> Document {
    Document { file: object::path(&node).unwrap_or(input::STDIN).to_owned(), node }
}

/// Returns the items of a list and its `functionConfig`. They are moved out, because a copy of a large list would double the
/// memory.
fn parts(list: Node) -> (Vec<Node>, Option<Node>) {
    let (mut items, mut config) = (Vec::new(), None);
    let NodeValue::Mapping(entries) = list.value else { return (items, config) };
    for Entry { key, value, .. } in entries {
        match (key.as_str(), value.value) {
            ("items", NodeValue::Sequence(nodes)) => items = nodes,
            ("functionConfig", content) => config = Some(Node { value: content, ..value }),
            _ => {}
        }
    }
    (items, config)
}
