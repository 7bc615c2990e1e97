//! Existing values of a cluster: Secrets of the input that have PGO's names. An earlier run, PGO, or a person made them.
//!
//! ```text
//! documents ──Sources::of──▶ Sources ──existing──▶ Existing ──▶ identity::derive
//! ```
//!
//! This module decides nothing: it finds and decodes the values, and checks their format. [`super::derive`] decides which of
//! them are reused. Other fields of an object that `kubectl get -o yaml` printed are ignored, so that no `uid`, owner reference
//! or status gets into the output.

pub(crate) mod certificates;
pub(crate) mod credentials;
pub(crate) mod maker;
pub(crate) mod secret;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::certificates::CertificateAuthority;
use crate::diagnostic::{Diagnostic, ResourceRef};
use crate::naming::annotation;
use crate::options::Options;
use crate::postgres_cluster::cluster::Cluster;
use crate::read::Document;
use crate::read::node::Node;
use crate::read::object;

pub use self::certificates::{Certificates, Pair, Root};
pub(crate) use self::certificates::{in_pem, pair};
pub use self::credentials::Credential;
pub use self::secret::Secret;

/// PGO's Secret that contains the CA of a namespace, with the keys `root.crt` and `root.key`
/// (`internal/controller/postgrescluster/pki.go`).
pub(crate) const ROOT_SECRET: &str = "pgo-root-cacert";

/// Whether `document` is a Secret, or an object that makes a Secret.
pub fn is_source(document: &Document) -> bool {
    let reference = object::reference(&document.node);
    is_secret(&reference) || maker::is_maker(&reference)
}

fn is_secret(reference: &ResourceRef) -> bool {
    reference.api_version == "v1" && reference.kind == "Secret"
}

/// The Secrets of an input, and the objects that make Secrets, by namespace and name. Secrets of other clusters are never read.
#[derive(Default)]
pub struct Sources<'a> {
    secrets: BTreeMap<(String, String), Source<'a>>,
    makers: BTreeMap<(String, String), &'a Document>,
}

/// A Secret of the input, and the first other Secret of the same name with different contents. It does not implement `Debug`,
/// so that it cannot be printed.
struct Source<'a> {
    first: &'a Document,
    content: [Option<serde_json::Value>; 3],
    rival: Option<&'a Document>,
}

impl<'a> Sources<'a> {
    /// Finds the Secrets in `documents`. If a Secret has no namespace, the namespace comes from `options`, as for a cluster.
    pub fn of(documents: impl IntoIterator<Item = &'a Document>, options: &Options) -> Self {
        let mut sources = Self::default();
        for document in documents {
            let reference = object::reference_in(&document.node, options.namespace.as_deref());
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

    /// The Secret with this name. An error if it is in the input twice with different contents, if it is encrypted, or if
    /// another object of the input makes it.
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

    /// A Secret that the user provides under a name of their choice. pgrender only refers to it, so it may be made elsewhere,
    /// or be decrypted later. An error if it is in the input twice with different contents, or is not a valid Secret.
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

/// What is known about a Secret that the user provides. It does not implement `Debug`, so that it cannot be printed.
pub(crate) enum Brought<'a> {
    /// The Secret is in the input.
    Readable(Secret<'a>),
    /// The Secret is in the input, encrypted by SOPS.
    Encrypted,
    /// This object of the input makes the Secret.
    Made(ResourceRef),
    /// Neither the Secret nor an object that makes it is in the input.
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

/// The parts of a Secret that are compared and reused.
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
        "`{reference}` creates a Secret that pgrender also renders, and pgrender cannot read its values: remove it \
         from the input, or replace it with the Secret that it creates"
    );
    Diagnostic::error(message).of(reference).located(&maker.file, maker.node.position)
}

/// The content of the Secrets of one cluster. It does not implement `Debug`, so that it cannot be printed.
#[derive(Default)]
pub struct Existing<'a> {
    /// The CA that PGO made for the namespace.
    pub root: Option<Root<'a>>,
    /// Credentials, by role.
    pub credentials: BTreeMap<String, Credential<'a>>,
    /// Certificates, by the name of their Secret and the CA that signs them.
    pub certificates: BTreeMap<(String, CertificateAuthority), Certificates<'a>>,
    /// The total length of the Secrets with certificates, in bytes. A Secret that is read twice counts twice.
    pub size: usize,
}

/// Reads the existing Secrets of `cluster`. All errors are reported. If there is one, do not use the result.
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
            let held = reader.read(&planned.name, |secret| {
                existing.size += secret.size();
                certificates::read(secret, certificates)
            });
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
            // Two readers of the same Secret report the same errors.
            self.diagnostics
                .extend(errors.into_iter().filter(|error| !self.diagnostics.contains(error)).collect::<Vec<_>>());
            None
        })
    }

    /// The Secret with this name. An error if it belongs to another cluster that has a Secret of the same name.
    fn find(&self, name: &str) -> Result<Option<Secret<'a>>, Diagnostic> {
        let found = self.sources.find(&self.cluster.namespace, name)?;
        let error = found.as_ref().and_then(|secret| secret.of_another_cluster(&self.cluster.name));
        error.map_or(Ok(found), Err)
    }
}
