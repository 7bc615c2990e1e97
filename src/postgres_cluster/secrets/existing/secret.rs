//! One Secret of the input: its decoded values, and what is wrong with them. No message contains a value.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::diagnostic::{Diagnostic, FieldPath, ResourceRef};
use crate::naming::label;
use crate::postgres_cluster::secrets::generations::generation;
use crate::read::Document;
use crate::read::node::{Node, NodeValue};
use crate::read::object;

/// A Secret whose values may be reused. It does not implement `Debug`, so that it cannot be printed.
#[derive(Clone)]
pub struct Secret<'a> {
    document: &'a Document,
    reference: ResourceRef,
}

impl<'a> Secret<'a> {
    /// The Secret in `document`, with the namespace of `reference`. An error if SOPS has encrypted it, because its values are
    /// then present but cannot be reused. Also an error if `data` or `stringData` is not a mapping: if it were regarded as
    /// empty, the passwords would change.
    pub(crate) fn new(document: &'a Document, reference: ResourceRef) -> Result<Self, Diagnostic> {
        let secret = Self { document, reference };
        for section in ["data", "stringData"] {
            let value = document.node.get(section).map(|section| &section.value);
            if !matches!(value, None | Some(NodeValue::Null | NodeValue::Mapping(_))) {
                let message =
                    format!("`{section}` of `{}` is not a mapping: write `key: value` below it", secret.reference);
                return Err(secret.locate(Diagnostic::error(message), FieldPath::of(section)));
            }
        }
        if Self::is_encrypted(document) {
            let message =
                format!("`{}` is encrypted by SOPS: decrypt it before you give it to pgrender", secret.reference);
            return Err(secret.locate(Diagnostic::error(message), FieldPath::default()));
        }
        Ok(secret)
    }

    /// Whether SOPS has encrypted the Secret in `document`.
    pub(crate) fn is_encrypted(document: &Document) -> bool {
        let sections = ["data", "stringData"].into_iter().filter_map(|section| document.node.get(section));
        let encrypted = |text: Option<&str>| text.is_some_and(|text| text.starts_with("ENC["));
        document.node.get("sops").is_some()
            || sections.flat_map(Node::entries).any(|entry| encrypted(entry.value.as_str()))
    }

    /// An error if a label says that the Secret belongs to a cluster other than `cluster`, or if such a label is not a string.
    pub(crate) fn of_another_cluster(&self, cluster: &str) -> Option<Diagnostic> {
        let labels = self.document.node.get("metadata")?.get("labels")?;
        let path = FieldPath::of("metadata.labels");
        if !matches!(labels.value, NodeValue::Mapping(_) | NodeValue::Null) {
            let message =
                format!("the labels of `{}` are not a mapping: write `key: value` below them", self.reference);
            return Some(self.locate(Diagnostic::error(message), path));
        }
        [label::CLUSTER, label::RENDERED].into_iter().find_map(|key| {
            let value = labels.get(key)?;
            let message = match value.as_str() {
                Some(other) if other == cluster => return None,
                Some(other) => format!(
                    "the label of `{}` says that it belongs to the cluster `{other}`, but `{cluster}` has a Secret \
                     with the same name: rename one of the two clusters or instance sets, or, if the Secret belongs \
                     to `{cluster}`, correct the label",
                    self.reference
                ),
                None => format!("the label `{key}` of `{}` is not a string: write it in quotes", self.reference),
            };
            Some(self.locate(Diagnostic::error(message), path.key(key)))
        })
    }

    /// The total length of its values in the input, in bytes.
    pub(crate) fn size(&self) -> usize {
        let sections = ["data", "stringData"].into_iter().filter_map(|section| self.document.node.get(section));
        let values = sections.flat_map(Node::entries).filter_map(|entry| entry.value.as_str());
        values.map(str::len).sum()
    }

    /// The value of `key`. `stringData` overrides `data`, as in the API server. An empty value counts as missing, as in PGO.
    pub(crate) fn bytes(&self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Diagnostic> {
        let field = |section: &str| self.document.node.get(section).and_then(|section| section.get(key));
        let bytes = if let Some(plain) = field("stringData") {
            let text = plain.as_str().ok_or_else(|| self.error(key, "is not a string: write it in quotes"))?;
            Zeroizing::new(text.as_bytes().to_vec())
        } else if let Some(encoded) = field("data").filter(|value| !value.to_json().is_null()) {
            let text = encoded.as_str().ok_or_else(|| self.error(key, "is not a string: write it in quotes"))?;
            // Kubernetes ignores line breaks in the base64 of a Secret (Go's `encoding/base64`).
            let text: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect());
            let bytes = STANDARD.decode(text.as_bytes());
            Zeroizing::new(bytes.map_err(|_| self.error(key, "is not valid base64: encode it, or use `stringData`"))?)
        } else {
            return Ok(None);
        };
        Ok(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }

    /// The value of `key` as text. An error if it is not UTF-8, or contains a NUL, which neither Postgres nor PEM allows.
    pub(crate) fn text(&self, key: &str) -> Result<Option<Zeroizing<String>>, Diagnostic> {
        let Some(bytes) = self.bytes(key)? else { return Ok(None) };
        let text =
            str::from_utf8(&bytes).map_err(|_| self.error(key, "is not valid UTF-8: write it as text in UTF-8"))?;
        if text.contains('\0') {
            return Err(self.error(key, "has a NUL character, which Postgres does not accept: remove it"));
        }
        Ok(Some(Zeroizing::new(text.to_owned())))
    }

    /// The generation in the annotation `key`, or 1 if the annotation is absent.
    pub(crate) fn generation(&self, key: &str) -> Result<u32, Diagnostic> {
        let Some(text) = object::annotation(&self.document.node, key) else { return Ok(1) };
        generation(text).ok_or_else(|| {
            let message = format!(
                "`{text}` is not a valid generation of `{}`: write a whole number, at least \"1\", or remove it",
                self.reference
            );
            self.locate(Diagnostic::error(message), FieldPath::of("metadata.annotations").key(key))
        })
    }

    /// An error about the value of `key`. `what` continues the sentence after its name.
    pub(crate) fn error(&self, key: &str, what: &str) -> Diagnostic {
        self.about(Diagnostic::error, key, what)
    }

    /// A warning about the value of `key`. `what` continues the sentence after its name.
    pub(crate) fn warning(&self, key: &str, what: &str) -> Diagnostic {
        self.about(Diagnostic::warning, key, what)
    }

    /// An information about the value of `key`. `what` continues the sentence after its name.
    pub(crate) fn info(&self, key: &str, what: &str) -> Diagnostic {
        self.about(Diagnostic::info, key, what)
    }

    fn about(&self, make: fn(String) -> Diagnostic, key: &str, what: &str) -> Diagnostic {
        let section = if self.document.node.get("stringData").is_some_and(|data| data.get(key).is_some()) {
            "stringData"
        } else {
            "data"
        };
        self.locate(make(format!("`{key}` of `{}` {what}", self.reference)), FieldPath::of(section).key(key))
    }

    fn locate(&self, diagnostic: Diagnostic, path: FieldPath) -> Diagnostic {
        let diagnostic = diagnostic.of(self.reference.clone());
        self.document.locate(if path.0.is_empty() { diagnostic } else { diagnostic.at(path) })
    }
}
