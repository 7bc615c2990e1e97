//! Finds the user's files of queries that are in the input, as the kubelet puts them into the exporter's container.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::model::Exporter;
use crate::diagnostic::{FieldPath, Position, ResourceRef};
use crate::kubernetes::KeyToPath;
use crate::kubernetes::projected::{self, ProjectedSource};
use crate::options::Options;
use crate::read::node::{Entry, Node};
use crate::read::{Document, object};

/// The ConfigMaps and Secrets of the input, by kind and name, then by namespace.
pub(crate) struct Sources<'a>(BTreeMap<(String, String), BTreeMap<String, &'a Document>>);

impl<'a> Sources<'a> {
    /// Finds them in `documents`. If one has no namespace, the namespace comes from `options`, as for a cluster.
    pub(crate) fn of(documents: &[&'a Document], options: &Options) -> Self {
        let mut sources = BTreeMap::<_, BTreeMap<_, _>>::new();
        for document in documents {
            let reference = object::reference_in(&document.node, options.namespace.as_deref());
            if reference.api_version == "v1" && ["ConfigMap", "Secret"].contains(&reference.kind.as_str()) {
                let place = (reference.kind, reference.name);
                sources.entry(place).or_default().insert(reference.namespace, *document);
            }
        }
        Self(sources)
    }

    /// Returns the object that a pod in `namespace` mounts. An object without a namespace can be applied to each.
    pub(crate) fn get(&self, kind: &str, name: &str, namespace: &str) -> Option<&'a Document> {
        let found = self.0.get(&(kind.to_owned(), name.to_owned()))?;
        found.get(namespace).or_else(|| found.get("")).copied()
    }

    /// Whether that object is in the input, but does not have the key.
    pub(crate) fn lacks(&self, kind: &str, name: &str, namespace: &str, key: &str) -> bool {
        self.get(kind, name, namespace).is_some_and(|document| !values(document, kind == "Secret").contains_key(key))
    }
}

/// A file in the directory of queries.
pub(super) struct MountedFile<'a> {
    /// Its path in that directory.
    pub(super) path: String,
    /// The key that it comes from.
    pub(super) key: &'a str,
    /// The position of the value of that key.
    pub(super) position: Position,
    /// The ConfigMap or Secret.
    pub(super) document: &'a Document,
    value: &'a str,
    encoding: Encoding,
    pub(super) is_secret: bool,
}

#[derive(Clone, Copy)]
enum Encoding {
    Plain,
    Base64,
}

impl<'a> MountedFile<'a> {
    /// The length of the value in the input, in bytes.
    pub(super) fn size(&self) -> usize {
        self.value.len()
    }

    /// The text of the file. `None` if it is not base64 of a text, which is not a fault of the queries.
    pub(super) fn text(&self) -> Option<Cow<'a, str>> {
        match self.encoding {
            Encoding::Plain => Some(Cow::Borrowed(self.value)),
            Encoding::Base64 => {
                let compact: String = self.value.split_whitespace().collect();
                Some(Cow::Owned(String::from_utf8(STANDARD.decode(compact).ok()?).ok()?))
            }
        }
    }

    /// The object that the file comes from.
    pub(super) fn source(&self) -> ResourceRef {
        object::reference(&self.document.node)
    }

    /// Whether both are the same key of the same object.
    fn is(&self, other: &Self) -> bool {
        std::ptr::eq(self.document, other.document) && self.key == other.key
    }
}

/// What the sources of a cluster bring.
#[derive(Default)]
pub(super) struct Mounted<'a> {
    /// The files, by path.
    pub(super) files: BTreeMap<String, MountedFile<'a>>,
    /// Files that replace others, because they have the same path.
    pub(super) replacing: Vec<MountedFile<'a>>,
    /// The items whose key does not exist: the field of the key in the exporter's `configuration`, the key, and the object.
    pub(super) absent: Vec<(FieldPath, String, ResourceRef)>,
}

/// Finds the files of a cluster in `namespace`.
pub(super) fn mounted<'a>(exporter: &Exporter, namespace: &str, sources: &Sources<'a>) -> Mounted<'a> {
    let mut mounted = Mounted::default();
    for (index, projection) in exporter.configuration.iter().flatten().enumerate() {
        for ProjectedSource { kind, field, name, items } in projected::sources(projection) {
            if let Some(document) = sources.get(kind, name, namespace) {
                let path = FieldPath::default().index(index).key(field).key("items");
                mounted.add(document, kind == "Secret", items, &path);
            }
        }
    }
    mounted
}

impl<'a> Mounted<'a> {
    /// Adds the files of one object: those of `items`, whose field is `path`, or all.
    fn add(&mut self, document: &'a Document, is_secret: bool, items: &[KeyToPath], path: &FieldPath) {
        let values = values(document, is_secret);
        if items.is_empty() {
            for (key, (value, encoding)) in values {
                self.insert(document, is_secret, key, key.to_owned(), value, encoding);
            }
            return;
        }
        for (index, item) in items.iter().enumerate() {
            let Some((key, (value, encoding))) = values.get_key_value(item.key.as_str()) else {
                let source = object::reference(&document.node);
                self.absent.push((path.index(index).key("key"), item.key.clone(), source));
                continue;
            };
            self.insert(document, is_secret, key, item.path.clone(), value, *encoding);
        }
    }

    fn insert(
        &mut self,
        document: &'a Document,
        is_secret: bool,
        key: &'a str,
        path: String,
        node: &'a Node,
        encoding: Encoding,
    ) {
        let Some(value) = node.as_str() else { return };
        let position = node.position;
        let file = MountedFile { path: path.clone(), key, position, document, value, encoding, is_secret };
        match self.files.get(&path) {
            Some(other) if other.is(&file) => {}
            Some(_) => self.replacing.push(file),
            None => {
                self.files.insert(path, file);
            }
        }
    }
}

/// Returns the value of each key. `stringData` of a Secret replaces its `data` (Kubernetes API reference, "Secret").
fn values(document: &Document, is_secret: bool) -> BTreeMap<&str, (&Node, Encoding)> {
    let fields = if is_secret {
        [("data", Encoding::Base64), ("stringData", Encoding::Plain)]
    } else {
        [("binaryData", Encoding::Base64), ("data", Encoding::Plain)]
    };
    let mut values = BTreeMap::new();
    for (field, encoding) in fields {
        for Entry { key, value, .. } in document.node.get(field).map(Node::entries).unwrap_or_default() {
            values.insert(key.as_str(), (value, encoding));
        }
    }
    values
}
