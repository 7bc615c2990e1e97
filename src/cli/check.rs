//! The command `check`: reports what is wrong with the input, and writes nothing.
//!
//! The findings are the output, so they go to standard output, as with other linters.

mod broken;
mod findings;
mod github;
mod json;
mod place;
mod sarif;
mod sources;
mod text;

use std::path::PathBuf;

use serde_json::Value;

use self::findings::Findings;
use self::sources::Sources;
use crate::cli::arguments::{CheckArguments, Format};
use crate::cli::environment::{self, Environment};
use crate::cli::outcome::{self, Outcome};
use crate::cli::planning::{self, Input};
use crate::cli::progress::Progress;
use crate::cli::seed;
use crate::diagnostic::{Diagnostic, Severity, has_errors};
use crate::options::Options;
use crate::read::Document;
use crate::render::Plan;

/// The JSON schema of the format `json`.
pub(super) fn json_schema() -> Value {
    json::schema()
}

/// Checks the input.
pub(super) fn run(arguments: &CheckArguments, environment: &Environment) -> Outcome {
    let mut sources = Sources::default();
    let (found, documents) = find(arguments, environment, &mut sources);
    let stdout = match arguments.format {
        Format::Text => {
            text::write(&found, &sources.with(&documents), outcome::is_coloured(arguments.color, environment))
        }
        Format::Json => json::write(&found),
        Format::Sarif => sarif::write(&found, &arguments.input.inputs, &environment::current_directory()),
        Format::Github => github::write(&found, &environment::current_directory()),
    };
    let failed = found.summary.errors > 0 || (arguments.deny_warnings && found.summary.warnings > 0);
    Outcome { stdout: stdout.into(), code: u8::from(failed), ..Outcome::default() }
}

/// Returns what is wrong, and the documents of the input, if they could be read.
fn find(arguments: &CheckArguments, environment: &Environment, sources: &mut Sources) -> (Findings, Vec<Document>) {
    let options = match arguments.settings.options(environment) {
        Ok(options) => options,
        Err(error) => return (Findings::new(vec![error], 0, 0), Vec::new()),
    };
    let progress = Progress::start(&arguments.input.inputs, "reading");
    let read = arguments.input.read(|name, text| sources.add(name, text));
    let files = sources.len();
    let (mut documents, existing) = match read {
        Ok(read) => read,
        Err(errors) => return (Findings::new(errors, 0, files), Vec::new()),
    };
    progress.now("checking");
    let (diagnostics, clusters) = check(&documents, &existing, &arguments.input.inputs, &options);
    documents.extend(existing);
    (Findings::new(diagnostics, clusters, files), documents)
}

/// Returns what is wrong with documents, and the number of clusters. The secrets are derived, because that is when some of the
/// errors are found. They are dropped here, together with the seed.
fn check(
    documents: &[Document],
    existing: &[Document],
    names: &[PathBuf],
    options: &Options,
) -> (Vec<Diagnostic>, usize) {
    let documents: Vec<&Document> = documents.iter().collect();
    let seed = match seed::for_check(&documents) {
        Ok(seed) => seed,
        Err(error) => return (vec![Diagnostic::error(error.to_string())], 0),
    };
    let Plan { resources, mut diagnostics } =
        planning::plan(Input { documents: &documents, names, existing }, options, Ok(&seed.seed));
    if seed.is_placeholder {
        diagnostics.retain(|diagnostic| !diagnostic.compares_seed);
    }
    if !has_errors(&diagnostics) {
        // Without errors, informations are only about what is rendered, such as until when certificates are valid.
        diagnostics.retain(|diagnostic| diagnostic.severity != Severity::Info);
    }
    if !resources.is_empty() {
        diagnostics.extend(seed.diagnostics);
    }
    (diagnostics, resources.len())
}
