//! The user's files of queries, as far as their ConfigMaps and Secrets are in the input.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::diagnostic::{Diagnostic, FieldPath, ResourceRef};
use crate::kind::Work;
use crate::options::Options;
use crate::postgres_cluster::work::of_queries;
use crate::read::node::{Entry, Node};
use crate::read::{self, Document, object};

/// The ConfigMaps and Secrets of the input, by kind, namespace and name.
pub(crate) struct Sources<'a>(BTreeMap<(String, String, String), Vec<&'a Document>>);

impl<'a> Sources<'a> {
    /// Finds them in `documents`. If one has no namespace, the namespace comes from `options`, as for a cluster.
    pub(crate) fn of(documents: &[&'a Document], options: &Options) -> Self {
        let mut sources = BTreeMap::<_, Vec<_>>::new();
        for document in documents {
            let reference = object::reference_in(&document.node, options.namespace.as_deref());
            if reference.api_version == "v1" && ["ConfigMap", "Secret"].contains(&reference.kind.as_str()) {
                let place = (reference.kind, reference.namespace, reference.name);
                sources.entry(place).or_default().push(*document);
            }
        }
        Self(sources)
    }

    /// Returns the documents with this object.
    pub(crate) fn get(&self, kind: &str, namespace: &str, name: &str) -> &[&'a Document] {
        let place = (kind.to_owned(), namespace.to_owned(), name.to_owned());
        self.0.get(&place).map(Vec::as_slice).unwrap_or_default()
    }
}

/// What is wrong with a file, and in which of its lines.
pub(crate) type Fault = (usize, String);

/// The program that reads the files.
pub(crate) type Program = &'static str;

/// A ConfigMap or Secret whose files are mounted.
pub(crate) struct Source<'a> {
    /// `ConfigMap` or `Secret`.
    pub(crate) kind: &'static str,
    /// Its name.
    pub(crate) name: &'a str,
    /// The keys that are mounted, and the fields that name them. `None` means all keys.
    pub(crate) keys: Option<Vec<(&'a str, FieldPath)>>,
}

/// Checks files of one cluster.
pub(crate) struct Check<'w> {
    /// The program that reads the files.
    pub(crate) program: Program,
    /// The cluster that mounts them.
    pub(crate) cluster: &'w ResourceRef,
    /// The cost of reading each file is added here before, because a short spec can name a long file many times.
    pub(crate) work: &'w mut Work,
    /// What was found.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Check<'_> {
    /// Reports each key that `source` names and the input does not have, and what `faults` finds in the text of a key with this
    /// name.
    pub(crate) fn files(
        &mut self,
        sources: &Sources,
        source: &Source,
        mut faults: impl FnMut(&str, &str) -> Vec<Fault>,
    ) {
        for document in sources.get(source.kind, &self.cluster.namespace, source.name) {
            for (key, field) in source.keys.iter().flatten() {
                if !has(document, key) {
                    let message = format!("the {} `{}` has no key `{key}`: correct one of them", source.kind, source.name);
                    self.diagnostics.push(Diagnostic::error(message).at(field.clone()).of(self.cluster.clone()));
                }
            }
            self.texts(document, source, &mut faults);
        }
    }

    fn texts(&mut self, document: &Document, source: &Source, faults: &mut impl FnMut(&str, &str) -> Vec<Fault>) {
        for field in ["data", "stringData"] {
            for Entry { key, value, .. } in document.node.get(field).map(Node::entries).unwrap_or_default() {
                if source.keys.as_ref().is_some_and(|keys| keys.iter().all(|(name, _)| name != key)) {
                    continue;
                }
                let encoded = source.kind == "Secret" && field == "data";
                let Some(text) = value.as_str() else { continue };
                self.work.add(of_queries(text.len()));
                if !self.work.is_allowed() {
                    return;
                }
                let text = if encoded { decoded(text) } else { Some(text.to_owned()) };
                for (line, fault) in text.map(|text| faults(key, &text)).unwrap_or_default() {
                    let program = self.program;
                    let message = format!("`{key}` is not a file of queries for {program}: line {line}: {fault}");
                    let reference = object::reference(&document.node);
                    let found = Diagnostic::error(message).of(reference).located(&document.file, value.position);
                    self.diagnostics.push(found);
                }
            }
        }
    }
}

fn has(document: &Document, key: &str) -> bool {
    ["data", "stringData", "binaryData"]
        .iter()
        .any(|field| document.node.get(field).is_some_and(|data| data.get(key).is_some()))
}

/// Reads the text of a file, which must be one document. The text of a Secret is not repeated.
pub(crate) fn parse(file: &str, text: &str, is_secret: bool) -> (Option<Node>, Vec<Fault>) {
    let documents = match read::documents(file, text) {
        Ok(documents) => documents,
        Err(errors) => {
            let fault = |error: Diagnostic| {
                let line = error.location.map_or(1, |location| location.position.line);
                (line, if is_secret { "is not valid YAML".to_owned() } else { error.message })
            };
            return (None, errors.into_iter().map(fault).collect());
        }
    };
    let more = |document: &Document| {
        (document.node.position.line, "begins a second document: write all queries in one".to_owned())
    };
    let faults = documents.iter().skip(1).map(more).collect();
    (documents.into_iter().next().map(|document| document.node), faults)
}

/// The text of a value in `data` of a Secret; `None` if it is not base64 of a text. That is not a fault of the queries.
fn decoded(text: &str) -> Option<String> {
    let compact: String = text.split_whitespace().collect();
    String::from_utf8(STANDARD.decode(compact).ok()?).ok()
}
