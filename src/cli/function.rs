//! The KRM function: it reads a `ResourceList` and writes a `ResourceList` (KRM Functions Specification v1).
//!
//! The output is always a complete list. If something is wrong, the list has the items of the input unchanged. The errors are
//! written twice: as `results`, which kpt shows, and to standard error, which is all that kustomize shows.

use serde_json::Value;

use crate::cli::environment::Environment;
use crate::cli::outcome::Outcome;
use crate::cli::{function_config, input, seed};
use crate::diagnostic::{Diagnostic, has_errors, shorten};
use crate::read::node::{Entry, Node, NodeValue};
use crate::read::object;
use crate::read::{self, Document};
use crate::render::merge::{self, Merged};
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
    // Some tools pass an empty object if there is no configuration.
    let config = config.filter(|config| !config.entries().is_empty()).map(item);
    let items: Vec<Document> = items.into_iter().map(item).collect();

    let Merged { items, diagnostics } = transform(&items, config.as_ref(), environment);
    let diagnostics = shorten(diagnostics);
    // If the list was already processed by pgrender, it has some of these results.
    for result in diagnostics.iter().map(resource_list::result) {
        if !results.contains(&result) {
            results.push(result);
        }
    }
    let stdout = resource_list::to_string(&texts, &items, &results);
    Outcome { stdout: stdout.into(), ..Outcome::new(String::new(), for_people(diagnostics)) }
}

/// Returns the output for an input that is not a list. Callers do not use its items, because the exit code says that the run
/// failed.
pub(super) fn unreadable(errors: Vec<Diagnostic>) -> Outcome {
    let errors = shorten(errors);
    let results: Vec<Value> = errors.iter().map(resource_list::result).collect();
    let stdout = resource_list::to_string(&Texts::default(), &[], &results);
    Outcome { stdout: stdout.into(), ..Outcome::failed(errors) }
}

/// Renders the resources among `items` and the function's configuration, and merges their objects into the items. If something
/// is wrong, the items stay unchanged. The exception is a seed, which is never written in a form that could be applied.
pub(super) fn transform<'a>(
    items: &'a [Document],
    config: Option<&'a Document>,
    environment: &Environment,
) -> Merged<'a> {
    let merged = try_transform(items, config, environment)
        .unwrap_or_else(|diagnostics| Merged { items: Vec::new(), diagnostics });
    if has_errors(&merged.diagnostics) {
        return Merged { items: items.iter().map(merge::as_it_came).collect(), ..merged };
    }
    merged
}

fn try_transform<'a>(
    items: &'a [Document],
    config: Option<&'a Document>,
    environment: &Environment,
) -> Result<Merged<'a>, Vec<Diagnostic>> {
    let settings = config.map(|config| function_config::settings(&config.node)).transpose()?;
    let settings = settings.unwrap_or_default();
    let mut options = settings.general.options(environment).map_err(|error| vec![error])?;
    let documents: Vec<&Document> = items.iter().chain(config).collect();
    // kpt sets the file of every item, and kustomize sets none.
    options.through_kustomize = documents.iter().all(|document| object::path(&document.node).is_none());
    let found = seed::find(&settings.seed, environment, &documents);
    let seed = found.as_ref().map(|found| &found.seed).map_err(Vec::as_slice);
    let mut rendered = render(documents.iter().copied(), &options, seed);
    rendered.diagnostics.extend(seed::nearly::check(&documents));
    rendered.diagnostics.extend(found.into_iter().flat_map(|found| found.warnings));
    if has_errors(&rendered.diagnostics) {
        return Err(rendered.diagnostics);
    }
    let nothing = rendered.resources.is_empty();
    let mut merged = merge::merge(items, rendered.resources);
    merged.diagnostics.splice(0..0, rendered.diagnostics);
    if nothing {
        let message = format!("no {} in the input, so nothing is rendered", render::kinds());
        merged.diagnostics.push(Diagnostic::warning(message));
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
