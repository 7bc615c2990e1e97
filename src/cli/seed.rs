//! Finds the seed.
//!
//! The settings take precedence: `--seed-file` or `--random`, or `seedFile` or `random` in a function's configuration.
//! Otherwise, the seed is in one of `PGRENDER_SEED_FILE`, `PGRENDER_SEED` and an annotated Secret of the input. Two of these at
//! once are an error, because the wrong one would change every password.

pub(super) mod nearly;
mod permissions;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use crate::cli::environment::{self, Environment};
use crate::cli::settings::SeedSettings;
use crate::diagnostic::Diagnostic;
use crate::identity::{Seed, SeedError};
use crate::naming::annotation;
use crate::postgres_cluster::secrets::existing::Secret;
use crate::read::Document;
use crate::read::object;
use crate::render::merge;

/// The longest seed that is read, in bytes, so that a device file does not fill the memory.
const MAX: usize = 64 * 1024;
/// The key of the Secret's entry with the seed.
const KEY: &str = "seed";

/// A seed, and the warnings about its source.
pub(super) struct Found {
    /// The seed.
    pub(super) seed: Seed,
    /// Warnings, for example that others can read the file.
    pub(super) warnings: Vec<Diagnostic>,
}

/// Finds the seed, or returns errors that say why there is none. If no source is given, the message has three lines.
pub(super) fn find(
    settings: &SeedSettings,
    environment: &Environment,
    documents: &[&Document],
) -> Result<Found, Vec<Diagnostic>> {
    find_if_given(settings, environment, documents)?.ok_or_else(absent)
}

/// Finds the seed; `None` if no source is given.
pub(super) fn find_if_given(
    settings: &SeedSettings,
    environment: &Environment,
    documents: &[&Document],
) -> Result<Option<Found>, Vec<Diagnostic>> {
    let mut warnings = Vec::new();
    let Some(source) = Source::choose(settings, environment, documents)? else { return Ok(None) };
    match source.seed(&mut warnings) {
        Ok(seed) => Ok(Some(Found { seed, warnings })),
        Err(error) => {
            warnings.push(error);
            Err(warnings)
        }
    }
}

/// Returns a seed for one run.
pub(super) fn random() -> Result<Seed, Diagnostic> {
    Source::Random.seed(&mut Vec::new())
}

/// Returns what stands for the seed if none is given. Everybody knows it, so nothing that is derived from it may be written.
pub(super) fn placeholder() -> Result<Seed, SeedError> {
    Seed::new(b"vQ3x9Lr0ZfTt6Wm2HcYbKd8NsJ1gEoPaU5iR7uXw4B0=")
}

/// A seed for a check.
pub(super) struct ForCheck {
    /// The seed of the input, or a placeholder.
    pub(super) seed: Seed,
    /// Whether it is a placeholder.
    pub(super) is_placeholder: bool,
    /// What is wrong with the seed of the input.
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Returns a seed for a caller that writes nothing that is derived from it. Seeds from elsewhere than the input do not matter, so
/// that the result of a check depends only on the input.
pub(super) fn for_check(documents: &[&Document]) -> Result<ForCheck, SeedError> {
    match find(&SeedSettings::default(), &Environment::default(), documents) {
        Ok(Found { seed, warnings }) => Ok(ForCheck { seed, is_placeholder: false, diagnostics: warnings }),
        Err(errors) => {
            let is_given = documents.iter().any(|document| merge::is_seed(document));
            let diagnostics = if is_given { errors } else { Vec::new() };
            Ok(ForCheck { seed: placeholder()?, is_placeholder: true, diagnostics })
        }
    }
}

/// Returns the text of a new seed.
pub(super) fn generate() -> Result<Zeroizing<String>, Diagnostic> {
    environment::random().map(|bytes| Seed::generate(&bytes))
}

/// A source of the seed.
enum Source<'a> {
    File(&'a Path),
    Variable(&'a [u8]),
    Secret(&'a Document),
    Random,
}

/// Writes the name of the source for messages.
impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the seed file `{}`", path.display()),
            Self::Variable(_) => f.write_str("`PGRENDER_SEED`"),
            Self::Secret(document) => write!(f, "`{}` in `{}`", object::reference(&document.node), document.file),
            Self::Random => f.write_str("a random seed"),
        }
    }
}

impl<'a> Source<'a> {
    fn choose(
        settings: &'a SeedSettings,
        environment: &'a Environment,
        documents: &[&'a Document],
    ) -> Result<Option<Self>, Vec<Diagnostic>> {
        let file = settings.seed_file.iter().map(|path| Self::File(path));
        let explicit = one_of(file.chain(settings.random.then_some(Self::Random)))?;
        let file = environment.seed_file.iter().map(|path| Self::File(path));
        let variable = environment.seed.iter().map(|text| Self::Variable(text));
        let secrets = documents.iter().copied().filter(|document| merge::is_seed(document)).map(Self::Secret);
        match explicit {
            Some(source) => Ok(Some(source)),
            None => one_of(file.chain(variable).chain(secrets)),
        }
    }

    fn seed(&self, warnings: &mut Vec<Diagnostic>) -> Result<Seed, Diagnostic> {
        match self {
            Self::File(path) => self.accept(&read(path, warnings)?),
            Self::Variable(text) => self.accept(text),
            Self::Secret(document) => from_secret(document),
            Self::Random => self.accept(generate()?.as_bytes()),
        }
    }

    fn accept(&self, content: &[u8]) -> Result<Seed, Diagnostic> {
        Seed::new(content).map_err(|error| Diagnostic::error(format!("{self}: {error}")))
    }
}

/// Returns the source that is given, or `None`. Several sources are an error.
fn one_of<'a>(sources: impl Iterator<Item = Source<'a>>) -> Result<Option<Source<'a>>, Vec<Diagnostic>> {
    let mut sources: Vec<Source> = sources.collect();
    if sources.len() > 1 {
        let names: Vec<String> = sources.iter().map(ToString::to_string).collect();
        let message = format!("more than one seed is given: keep only one of {}", names.join(", "));
        return Err(vec![Diagnostic::error(message)]);
    }
    Ok(sources.pop())
}

fn absent() -> Vec<Diagnostic> {
    vec![
        Diagnostic::error(
            "no seed is given: pgrender derives passwords, keys and certificates from a seed, so that they stay the \
             same in each run",
        ),
        Diagnostic::info(format!(
            "create a seed with `(umask 077; pgrender seed > seed)`, keep it safe, and give it with `--seed-file`, \
             `PGRENDER_SEED_FILE`, `PGRENDER_SEED` or a Secret in the input with key `{KEY}` and annotation `{}: \
             \"true\"`",
            annotation::SEED
        )),
        Diagnostic::info(
            "for a temporary database, use `--random`, or `random: true` in the configuration of the function",
        ),
    ]
}

/// Reads a seed file, and adds a warning if users other than its owner can read it.
fn read(path: &Path, warnings: &mut Vec<Diagnostic>) -> Result<Zeroizing<Vec<u8>>, Diagnostic> {
    let shown = path.display();
    // The buffer has its final size from the beginning. If it grew, it would leave copies of the seed in memory that are not
    // wiped.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX + 1));
    let mut read = || {
        let file = File::open(path)?;
        warnings.extend(permissions::warning(path, &file.metadata()?));
        file.take(bytes.capacity() as u64).read_to_end(&mut bytes)
    };
    read().map_err(|error| Diagnostic::error(format!("cannot read the seed file `{shown}`: {error}")))?;
    if bytes.len() > MAX {
        let message = format!("the seed file `{shown}` is longer than {MAX} bytes: create a seed with `pgrender seed`");
        return Err(Diagnostic::error(message));
    }
    Ok(bytes)
}

fn from_secret(document: &Document) -> Result<Seed, Diagnostic> {
    let secret = Secret::new(document, object::reference(&document.node))?;
    let missing = || secret.error(KEY, "is missing: write the seed there in base64, or without base64 in `stringData`");
    let content = secret.bytes(KEY)?.ok_or_else(missing)?;
    Seed::new(&content).map_err(|error| secret.error(KEY, &format!("is not accepted: {error}")))
}
