//! The KRM function: a `ResourceList` comes in, a `ResourceList` goes out (KRM Functions Specification v1).
//!
//! The answer is always a complete list. When something is wrong it holds the items as they came, and the errors are told
//! twice: as `results`, which kpt shows, and on standard error, which is all that kustomize shows.

use serde_json::Value;

use super::environment::Environment;
use super::outcome::Outcome;
use super::{function_config, input, seed};
use crate::merge::{self, Item, Merged};
use crate::object;
use crate::read::node::Node;
use crate::read::{self, Document};
use crate::render::{self, render};
use crate::report::{Diagnostic, has_errors};
use crate::write::resource_list;
use crate::write::verbatim::Texts;

/// Runs as a KRM function over `text`, which came on standard input.
pub(super) fn run(text: &str, environment: &Environment) -> Outcome {
    let list = match list(text) {
        Ok(list) => list,
        Err(errors) => return unreadable(&errors),
    };
    let items = list.node.get("items").map(Node::items).unwrap_or_default();
    let mut documents: Vec<Document> = items.iter().map(item).collect();
    // Some tools say "no configuration" with an empty one.
    documents.extend(list.node.get("functionConfig").filter(|config| !config.entries().is_empty()).map(item));

    let merged = transform(&documents, items.len(), environment);
    let earlier = list.node.get("results").map(Node::items).unwrap_or_default();
    let mut results: Vec<Value> = earlier.iter().map(Node::to_json).collect();
    // A list that has been here before holds some of ours already.
    for result in merged.diagnostics.iter().map(resource_list::result) {
        if !results.contains(&result) {
            results.push(result);
        }
    }
    let texts = Texts::find(text, &list.node);
    Outcome {
        stdout: resource_list::to_string(&texts, &documents, &merged.items, &results),
        ..Outcome::new(String::new(), &for_people(&merged.diagnostics))
    }
}

/// The answer to an input that is no list: nobody takes its items, for the exit code says that the run has failed.
pub(super) fn unreadable(errors: &[Diagnostic]) -> Outcome {
    let results: Vec<Value> = errors.iter().map(resource_list::result).collect();
    let stdout = resource_list::to_string(&Texts::default(), &[], &[], &results);
    Outcome { stdout, ..Outcome::failed(errors) }
}

/// Renders the clusters among `documents`, of which the first `items` are items and one more may be the function's
/// configuration, and merges their objects into the items. When something is wrong the items stay as they are.
pub(super) fn transform(documents: &[Document], items: usize, environment: &Environment) -> Merged {
    let merged = try_transform(documents, items, environment)
        .unwrap_or_else(|diagnostics| Merged { items: Vec::new(), diagnostics });
    if has_errors(&merged.diagnostics) {
        return Merged { items: (0..items).map(Item::Kept).collect(), ..merged };
    }
    merged
}

fn try_transform(documents: &[Document], items: usize, environment: &Environment) -> Result<Merged, Vec<Diagnostic>> {
    let (items, config) = documents.split_at(items);
    let settings = config.first().map(|config| function_config::settings(&config.node)).transpose()?;
    let settings = settings.unwrap_or_default();
    let mut options = settings.options(environment).map_err(|error| vec![error])?;
    // kpt says of every item which file it is from, kustomize of none.
    options.through_kustomize = documents.iter().all(|document| object::path(&document.node).is_none());
    let found = seed::find(&settings, environment, documents);
    let seed = found.as_ref().map(|found| &found.seed).map_err(Vec::as_slice);
    let mut rendered = render(documents, &options, seed);
    rendered.diagnostics.extend(found.into_iter().flat_map(|found| found.warnings));
    if has_errors(&rendered.diagnostics) {
        return Err(rendered.diagnostics);
    }
    let mut merged = merge::merge(items, &rendered.clusters);
    merged.diagnostics.splice(0..0, rendered.diagnostics);
    if rendered.clusters.is_empty() {
        merged.diagnostics.push(Diagnostic::warning(format!("no {} in the input, nothing is rendered", render::KIND)));
    }
    Ok(merged)
}

/// What goes to standard error: the object instead of a line of the list, which nobody sees.
pub(super) fn for_people(diagnostics: &[Diagnostic]) -> Vec<Diagnostic> {
    diagnostics.iter().map(|diagnostic| Diagnostic { location: None, ..diagnostic.clone() }).collect()
}

/// The one document of `text`, which must be a list.
fn list(text: &str) -> Result<Document, Vec<Diagnostic>> {
    let mut documents = read::documents(input::STDIN, text)?;
    let error = |message: &str| Err(vec![Diagnostic::error(message)]);
    let Some(list) = documents.pop() else {
        return error("nothing on standard input, expected a ResourceList; see `pgrender --help`");
    };
    let kind = object::reference(&list.node).kind;
    if !documents.is_empty() || !matches!(kind.as_str(), "ResourceList" | "List") {
        return error("expected one ResourceList on standard input; manifests are rendered by `pgrender render`");
    }
    Ok(list)
}

/// An item, under the name of the file that it is from.
fn item(node: &Node) -> Document {
    Document { file: object::path(node).unwrap_or(input::STDIN).to_owned(), node: node.clone() }
}
