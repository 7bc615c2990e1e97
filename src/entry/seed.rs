//! Where the seed comes from.
//!
//! An explicit wish wins: `--seed-file` or `--random`, in a function's configuration `seedFile` or `random`. Otherwise
//! exactly one of `PGRENDER_SEED_FILE`, `PGRENDER_SEED` and an annotated Secret of the input may be there; two of them are
//! an error, because the wrong one would change every password.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::environment::{self, Environment};
use super::settings::Settings;
use crate::identity::Seed;
use crate::merge;
use crate::naming::annotation;
use crate::object;
use crate::read::Document;
use crate::report::{Diagnostic, FieldPath};

/// The longest seed that is read, so that a device file does not fill the memory.
const MAX: u64 = 64 * 1024;
/// The key of the Secret that holds the seed.
const KEY: &str = "seed";

/// Finds the seed, or says why there is none: in three lines where nobody has given one.
pub(super) fn find(
    settings: &Settings,
    environment: &Environment,
    documents: &[Document],
) -> Result<Seed, Vec<Diagnostic>> {
    match (&settings.seed_file, settings.random) {
        (Some(_), true) => {
            let message = "a seed file and a random seed are both asked for, leave out one of `seedFile` and `random`";
            return Err(vec![Diagnostic::error(message)]);
        }
        (Some(file), false) => return from_file(file).map_err(|error| vec![error]),
        (None, true) => return generate().and_then(|text| seed(text.as_bytes())).map_err(|error| vec![error]),
        (None, false) => {}
    }
    let secrets: Vec<&Document> = documents.iter().filter(|document| merge::is_seed(document)).collect();
    let mut given: Vec<String> = Vec::new();
    given.extend(environment.seed_file.as_ref().map(|_| "`PGRENDER_SEED_FILE`".to_owned()));
    given.extend(environment.seed.as_ref().map(|_| "`PGRENDER_SEED`".to_owned()));
    given.extend(secrets.iter().map(|secret| format!("`{}` in `{}`", object::reference(&secret.node), secret.file)));
    if given.len() > 1 {
        let message = format!("more than one seed is given, keep one of {}", given.join(", "));
        return Err(vec![Diagnostic::error(message)]);
    }
    let found = match (&environment.seed_file, &environment.seed, secrets.first()) {
        (Some(file), ..) => from_file(file),
        (_, Some(text), _) => seed(text),
        (.., Some(secret)) => from_secret(secret),
        (None, None, None) => return Err(absent()),
    };
    found.map_err(|error| vec![error])
}

/// A new seed, printable.
pub(super) fn generate() -> Result<Zeroizing<String>, Diagnostic> {
    environment::random().map(|bytes| Seed::generate(&bytes))
}

fn seed(content: &[u8]) -> Result<Seed, Diagnostic> {
    Seed::new(content).map_err(|error| Diagnostic::error(error.to_string()))
}

fn absent() -> Vec<Diagnostic> {
    vec![
        Diagnostic::error("no seed: passwords, keys and certificates are derived from one, so that they stay the same"),
        Diagnostic::info(format!(
            "make one with `pgrender seed > seed`, keep it safe, and give it with `--seed-file`, `PGRENDER_SEED_FILE`, \
             `PGRENDER_SEED` or a Secret in the input with key `{KEY}` and annotation `{}: \"true\"`",
            annotation::SEED
        )),
        Diagnostic::info(
            "for a database to throw away, give `--random`, or `random: true` in the function's configuration",
        ),
    ]
}

fn from_file(path: &Path) -> Result<Seed, Diagnostic> {
    let shown = path.display();
    let mut bytes = Zeroizing::new(Vec::new());
    let read = File::open(path).and_then(|file| file.take(MAX + 1).read_to_end(&mut bytes));
    match read {
        Err(error) => Err(Diagnostic::error(format!("cannot read the seed file `{shown}`: {error}"))),
        Ok(_) if bytes.len() as u64 > MAX => Err(Diagnostic::error(format!(
            "the seed file `{shown}` is longer than {MAX} bytes, make a seed with `pgrender seed`"
        ))),
        Ok(_) => seed(&bytes),
    }
}

/// `stringData` wins over `data`, as on the API server.
fn from_secret(document: &Document) -> Result<Seed, Diagnostic> {
    let node = &document.node;
    let field = |section: &str| node.get(section).and_then(|section| section.get(KEY)).and_then(|value| value.as_str());
    let path = FieldPath::of("data").key(KEY);
    let wrong = |message: &str, path: FieldPath| {
        let position = node.locate(&path);
        Diagnostic::error(message).at(path).of(object::reference(node)).located(&document.file, position)
    };
    if let Some(text) = field("stringData") {
        return Seed::new(text.as_bytes())
            .map_err(|error| wrong(&error.to_string(), FieldPath::of("stringData").key(KEY)));
    }
    let Some(text) = field("data") else {
        return Err(wrong(
            "the Secret of the seed has no such key: put the seed here in base64, or as it is into `stringData.seed`",
            path,
        ));
    };
    if text.starts_with("ENC[") {
        return Err(wrong("the seed is encrypted by SOPS, decrypt it before it comes here", path));
    }
    // Kubernetes ignores line breaks inside the base64 of a Secret (Go's `encoding/base64`).
    let text: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect());
    let Ok(bytes) = STANDARD.decode(text.as_bytes()) else {
        return Err(wrong("the seed is not base64, encode it or use `stringData`", path));
    };
    Seed::new(&Zeroizing::new(bytes)).map_err(|error| wrong(&error.to_string(), path))
}
