//! Values that a cluster has already: Secrets of the input by PGO's names, made by an earlier run, by PGO, or by hand.
//!
//! ```text
//! documents ──Sources::of──▶ Sources ──existing──▶ Existing ──▶ identity::derive
//! ```
//!
//! Nothing is decided here: values are found, decoded and checked for being what their key says. Which of them are kept is
//! for [`crate::identity`] to say. Of an object that `kubectl get -o yaml` printed nothing else is looked at, so that no
//! `uid`, no owner and no status comes into the output.

mod certificates;
mod credentials;
mod maker;
mod secret;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::cluster::{CertificateAuthority, Cluster};
use crate::naming::annotation;
use crate::object;
use crate::options::Options;
use crate::read::Document;
use crate::read::node::Node;
use crate::report::{Diagnostic, ResourceRef};

pub use self::certificates::{Certificates, Pair, Root};
pub(crate) use self::certificates::{in_pem, pair};
pub use self::credentials::Credential;
pub use self::secret::Secret;

/// PGO's Secret with the CA of a namespace and its key (`pgo-inventory` 2.2).
pub(crate) const ROOT_SECRET: &str = "pgo-root-cacert";

/// Whether `document` is a Secret, or makes one.
pub fn is_source(document: &Document) -> bool {
    let reference = object::reference(&document.node);
    is_secret(&reference) || maker::is_maker(&reference)
}

fn is_secret(reference: &ResourceRef) -> bool {
    reference.api_version == "v1" && reference.kind == "Secret"
}

/// The Secrets of an input by namespace and name, and what makes Secrets. Those of other clusters are never looked at.
#[derive(Default)]
pub struct Sources<'a> {
    secrets: BTreeMap<(String, String), Source<'a>>,
    makers: BTreeMap<(String, String), &'a Document>,
}

/// A Secret of the input, with the first one of the same name and other contents. It has no `Debug`, so that it cannot be
/// printed.
struct Source<'a> {
    first: &'a Document,
    content: [Option<serde_json::Value>; 3],
    rival: Option<&'a Document>,
}

impl<'a> Sources<'a> {
    /// Finds the Secrets among `documents`. One that names no namespace is in that of `options`, as a cluster would be.
    pub fn of(documents: impl IntoIterator<Item = &'a Document>, options: &Options) -> Self {
        let mut sources = Self::default();
        for document in documents {
            let mut reference = object::reference(&document.node);
            if reference.namespace.is_empty() {
                reference.namespace = options.namespace.clone().unwrap_or_default();
            }
            let place = |name: &str| (reference.namespace.clone(), name.to_owned());
            if is_secret(&reference) {
                let content = content(document);
                match sources.secrets.entry(place(&reference.name)) {
                    Entry::Vacant(entry) => _ = entry.insert(Source { first: document, content, rival: None }),
                    Entry::Occupied(mut entry) if entry.get().content != content => {
                        entry.get_mut().rival.get_or_insert(document);
                    }
                    Entry::Occupied(_) => {}
                }
            } else {
                let made = maker::names(document, &reference);
                sources.makers.extend(made.iter().map(|name| (place(name), document)));
            }
        }
        sources
    }

    /// The Secret of this name. An error where it is there twice with different contents, where it is encrypted, and where
    /// something else of the input makes it.
    pub(crate) fn find(&self, namespace: &str, name: &str) -> Result<Option<Secret<'a>>, Diagnostic> {
        let place = (namespace.to_owned(), name.to_owned());
        let Some(source) = self.secrets.get(&place) else {
            return match self.makers.get(&place) {
                Some(maker) => Err(made_by(maker)),
                None => Ok(None),
            };
        };
        let reference = secret_reference(namespace, name);
        if let Some(rival) = source.rival {
            return Err(object::twice(&reference, source.first, rival));
        }
        Secret::new(source.first, reference).map(Some)
    }

    /// A Secret that the user brings under a name of their own. It is only referred to, so it may be made elsewhere or be
    /// decrypted later. An error where it is there twice with different contents, or is no Secret at all.
    pub(crate) fn brought(&self, namespace: &str, name: &str) -> Result<Brought<'a>, Diagnostic> {
        let place = (namespace.to_owned(), name.to_owned());
        if let (None, Some(maker)) = (self.secrets.get(&place), self.makers.get(&place)) {
            return Ok(Brought::Made(object::reference(&maker.node)));
        }
        match self.secrets.get(&place) {
            Some(source) if source.rival.is_none() && Secret::is_encrypted(source.first) => Ok(Brought::Encrypted),
            Some(_) => self.find(namespace, name).map(|secret| secret.map_or(Brought::Absent, Brought::Readable)),
            None => Ok(Brought::Absent),
        }
    }
}

/// What is known of a Secret that the user brings. It has no `Debug`, so that it cannot be printed.
pub(crate) enum Brought<'a> {
    /// It is in the input.
    Readable(Secret<'a>),
    /// It is in the input, encrypted by SOPS.
    Encrypted,
    /// This object of the input makes it.
    Made(ResourceRef),
    /// Nothing of it is in the input.
    Absent,
}

fn secret_reference(namespace: &str, name: &str) -> ResourceRef {
    ResourceRef {
        api_version: "v1".to_owned(),
        kind: "Secret".to_owned(),
        name: name.to_owned(),
        namespace: namespace.to_owned(),
    }
}

/// What of a Secret matters here.
fn content(document: &Document) -> [Option<serde_json::Value>; 3] {
    let node = &document.node;
    let annotations = node.get("metadata").and_then(|metadata| metadata.get("annotations"));
    let generations = annotations.map(|annotations| {
        let entries = annotations.entries().iter();
        entries
            .filter(|entry| entry.key.starts_with(annotation::GENERATION))
            .map(|entry| (entry.key.clone(), entry.value.to_json()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    });
    [node.get("data").map(Node::to_json), node.get("stringData").map(Node::to_json), generations]
}

fn made_by(maker: &Document) -> Diagnostic {
    let reference = object::reference(&maker.node);
    let message = format!(
        "`{reference}` makes a Secret that is rendered here too, and its values cannot be read: take it out of the input, or \
         replace it with the Secret that it makes"
    );
    Diagnostic::error(message).of(reference).located(&maker.file, maker.node.position)
}

/// What the Secrets of one cluster hold. It has no `Debug`, so that it cannot be printed.
#[derive(Default)]
pub struct Existing<'a> {
    /// The CA that PGO has made for the namespace.
    pub root: Option<Root<'a>>,
    /// Credentials by role.
    pub credentials: BTreeMap<String, Credential<'a>>,
    /// Certificates by the name of their Secret and the CA that signs them.
    pub certificates: BTreeMap<(String, CertificateAuthority), Certificates<'a>>,
}

/// Reads what is there for `cluster`. Everything that is wrong is told, and then the outcome is worthless.
pub fn existing<'a>(sources: &Sources<'a>, cluster: &Cluster) -> (Existing<'a>, Vec<Diagnostic>) {
    let mut reader = Reader { sources, cluster, diagnostics: Vec::new() };
    let mut existing = Existing::default();
    if cluster.cert_manager.is_none() {
        existing.root = reader.read(ROOT_SECRET, certificates::root);
    }
    for planned in cluster.secrets() {
        if let Some(credential) = &planned.credential {
            let held = reader.read(&planned.name, |secret| credentials::read(secret, credential));
            existing.credentials.extend(held.map(|held| (credential.role.to_owned(), held)));
        }
        for certificates in planned.certificates.chunk_by(|one, other| one.authority == other.authority) {
            let held = reader.read(&planned.name, |secret| certificates::read(secret, certificates));
            existing.certificates.extend(held.map(|held| ((planned.name.clone(), held.authority), held)));
        }
    }
    (existing, reader.diagnostics)
}

struct Reader<'s, 'a> {
    sources: &'s Sources<'a>,
    cluster: &'s Cluster,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Reader<'_, 'a> {
    fn read<T>(&mut self, name: &str, read: impl FnOnce(Secret<'a>) -> Result<T, Vec<Diagnostic>>) -> Option<T> {
        let found = self.find(name).map_err(|error| vec![error]).and_then(|secret| secret.map(read).transpose());
        found.unwrap_or_else(|errors| {
            // Two readers of one Secret find the same.
            self.diagnostics
                .extend(errors.into_iter().filter(|error| !self.diagnostics.contains(error)).collect::<Vec<_>>());
            None
        })
    }

    /// The Secret of this name. An error where another cluster calls one of its own so, too.
    fn find(&self, name: &str) -> Result<Option<Secret<'a>>, Diagnostic> {
        let found = self.sources.find(&self.cluster.namespace, name)?;
        let error = found.as_ref().and_then(|secret| secret.of_another_cluster(&self.cluster.name));
        error.map_or(Ok(found), Err)
    }
}
