//! Where the seed comes from.
//!
//! An explicit wish wins: `--seed-file` or `--random`, in a function's configuration `seedFile` or `random`. Otherwise
//! it is one of `PGRENDER_SEED_FILE`, `PGRENDER_SEED` and an annotated Secret of the input. Two at once are an error,
//! because the wrong one would change every password.

pub(super) mod nearly;
mod permissions;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use super::environment::{self, Environment};
use super::settings::Settings;
use crate::existing::Secret;
use crate::identity::Seed;
use crate::merge;
use crate::naming::annotation;
use crate::object;
use crate::read::Document;
use crate::report::Diagnostic;

/// The longest seed that is read, so that a device file does not fill the memory.
const MAX: usize = 64 * 1024;
/// The key of the Secret that holds the seed.
const KEY: &str = "seed";

/// A seed, and what there is to say about where it was found.
pub(super) struct Found {
    /// The seed.
    pub(super) seed: Seed,
    /// That others can read the file.
    pub(super) warnings: Vec<Diagnostic>,
}

/// Finds the seed, or says why there is none: in three lines where nobody has given one.
pub(super) fn find(
    settings: &Settings,
    environment: &Environment,
    documents: &[Document],
) -> Result<Found, Vec<Diagnostic>> {
    let mut warnings = Vec::new();
    let source = Source::choose(settings, environment, documents)?;
    match source.seed(&mut warnings) {
        Ok(seed) => Ok(Found { seed, warnings }),
        Err(error) => {
            warnings.push(error);
            Err(warnings)
        }
    }
}

/// The text of a new seed.
pub(super) fn generate() -> Result<Zeroizing<String>, Diagnostic> {
    environment::random().map(|bytes| Seed::generate(&bytes))
}

/// One place that a seed can come from.
enum Source<'a> {
    File(&'a Path),
    Variable(&'a [u8]),
    Secret(&'a Document),
    Random,
}

/// The source as messages call it.
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
        settings: &'a Settings,
        environment: &'a Environment,
        documents: &'a [Document],
    ) -> Result<Self, Vec<Diagnostic>> {
        let file = settings.seed_file.iter().map(|path| Self::File(path));
        let explicit = one_of(file.chain(settings.random.then_some(Self::Random)))?;
        let file = environment.seed_file.iter().map(|path| Self::File(path));
        let variable = environment.seed.iter().map(|text| Self::Variable(text));
        let secrets = documents.iter().filter(|document| merge::is_seed(document)).map(Self::Secret);
        match explicit {
            Some(source) => Ok(source),
            None => one_of(file.chain(variable).chain(secrets))?.ok_or_else(absent),
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

/// The one source that is given, if any.
fn one_of<'a>(sources: impl Iterator<Item = Source<'a>>) -> Result<Option<Source<'a>>, Vec<Diagnostic>> {
    let mut sources: Vec<Source> = sources.collect();
    if sources.len() > 1 {
        let names: Vec<String> = sources.iter().map(ToString::to_string).collect();
        let message = format!("more than one seed is given, keep one of {}", names.join(", "));
        return Err(vec![Diagnostic::error(message)]);
    }
    Ok(sources.pop())
}

fn absent() -> Vec<Diagnostic> {
    vec![
        Diagnostic::error("no seed: passwords, keys and certificates are derived from one, so that they stay the same"),
        Diagnostic::info(format!(
            "make one with `(umask 077; pgrender seed > seed)`, keep it safe, and give it with `--seed-file`, `PGRENDER_SEED_FILE`, \
             `PGRENDER_SEED` or a Secret in the input with key `{KEY}` and annotation `{}: \"true\"`",
            annotation::SEED
        )),
        Diagnostic::info(
            "for a database to throw away, give `--random`, or `random: true` in the function's configuration",
        ),
    ]
}

/// The content of a seed file, and a warning where others than its owner may read it.
fn read(path: &Path, warnings: &mut Vec<Diagnostic>) -> Result<Zeroizing<Vec<u8>>, Diagnostic> {
    let shown = path.display();
    // Room for all of it: a buffer that grows leaves copies behind that nobody wipes.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX + 1));
    let mut read = || {
        let file = File::open(path)?;
        warnings.extend(permissions::warning(path, &file.metadata()?));
        file.take(bytes.capacity() as u64).read_to_end(&mut bytes)
    };
    read().map_err(|error| Diagnostic::error(format!("cannot read the seed file `{shown}`: {error}")))?;
    if bytes.len() > MAX {
        let message = format!("the seed file `{shown}` is longer than {MAX} bytes, make a seed with `pgrender seed`");
        return Err(Diagnostic::error(message));
    }
    Ok(bytes)
}

fn from_secret(document: &Document) -> Result<Seed, Diagnostic> {
    let secret = Secret::new(document, object::reference(&document.node))?;
    let missing = || secret.error(KEY, "is missing: put the seed there in base64, or as it is into `stringData`");
    let content = secret.bytes(KEY)?.ok_or_else(missing)?;
    Seed::new(&content).map_err(|error| secret.error(KEY, &format!("is refused: {error}")))
}
