//! Renders through the library, for tests that look at objects and not at bytes.

use pgrender::diagnostic::{Diagnostic, Severity, has_errors};
use pgrender::identity::Seed;
use pgrender::options::Options;
use pgrender::read;
use pgrender::render::render;
use serde_json::Value;

/// A seed that is not secret.
pub(crate) const SEED: &str = "dGhpcyBzZWVkIGlzIGZvciB0aGUgdGVzdHMgYWxvbmUsIG5vdGhpbmcgaXMgZ3VhcmRlZCBieSBpdA==";

/// The options of a caller who sets only the time, 2026-01-01.
pub(crate) fn options() -> Options {
    Options { time: 1_767_225_600, ..Options::default() }
}

/// Returns the objects of every cluster in a text, in the order of the output, or the errors.
pub(crate) fn objects(text: &str) -> Result<Vec<Value>, Vec<Diagnostic>> {
    objects_with(text, SEED)
}

/// The same with another seed.
pub(crate) fn objects_with(text: &str, seed: &str) -> Result<Vec<Value>, Vec<Diagnostic>> {
    objects_from(text, seed, &options())
}

/// The same with another seed and other options.
pub(crate) fn objects_from(text: &str, seed: &str, options: &Options) -> Result<Vec<Value>, Vec<Diagnostic>> {
    let documents = read::documents("cluster.yaml", text)?;
    let seed = Seed::new(seed.as_bytes()).ok().unwrap();
    let rendered = render(&documents, options, Ok(&seed));
    if has_errors(&rendered.diagnostics) {
        let errors = rendered.diagnostics.into_iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
        return Err(errors.collect());
    }
    Ok(rendered.resources.into_iter().flat_map(|resource| resource.objects).map(|object| object.to_value()).collect())
}
