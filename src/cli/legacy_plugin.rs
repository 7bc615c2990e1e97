//! The exec plugin of kustomize from before KRM functions. It is the only way to run in `kubectl kustomize` without containers.
//!
//! kustomize passes the configuration in a file, as the first argument. A generator gets nothing on standard input, and a
//! transformer gets a stream of documents; both write a stream of documents. The kind of the configuration does not matter: a
//! `PostgresCluster` is rendered, and a `PgRender` renders the clusters of the input.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::cli::environment::Environment;
use crate::cli::outcome::Outcome;
use crate::cli::{function, input};
use crate::diagnostic::{Diagnostic, has_errors};
use crate::read::{self, Document};
use crate::write::resource_list;

/// The name of the configuration in messages, because its file has a random name.
const CONFIG: &str = "<configuration>";

/// Returns the file of the configuration if kustomize runs the program as a legacy plugin.
pub(super) fn configuration(arguments: &[OsString], environment: &Environment) -> Option<PathBuf> {
    let file = Path::new(arguments.get(1)?);
    (environment.legacy_plugin && file.is_file()).then(|| file.to_owned())
}

/// Runs as a plugin with the configuration in `file`.
pub(super) fn run(file: &Path, environment: &Environment) -> Outcome {
    let read = || {
        let items = read::documents(input::STDIN, &input::stdin()?)?;
        Ok((items, read::documents(CONFIG, &input::text(file)?)?))
    };
    match read() {
        Ok((items, config)) => answer(&items, &config, environment),
        Err(Failure(errors)) => Outcome::failed(errors),
    }
}

/// Returns the output of the plugin for these items and this configuration.
pub(super) fn answer(items: &[Document], config: &[Document], environment: &Environment) -> Outcome {
    let [config] = config else {
        return Outcome::failed(vec![Diagnostic::error(
            "expected exactly one document in the configuration file of the \
                                                       plugin",
        )]);
    };
    let merged = function::transform(items, Some(config), environment);
    let diagnostics = function::for_people(merged.diagnostics);
    if has_errors(&diagnostics) {
        return Outcome::failed(diagnostics);
    }
    Outcome::new(resource_list::to_stream(&merged.items), diagnostics)
}

/// The errors of a run. It can be created from one error or from several.
struct Failure(Vec<Diagnostic>);

impl From<Diagnostic> for Failure {
    fn from(error: Diagnostic) -> Self {
        Self(vec![error])
    }
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(errors: Vec<Diagnostic>) -> Self {
        Self(errors)
    }
}
