//! The command `adopt`.

use std::fs;
use std::path::Path;

use crate::cli::arguments::AdoptArguments;
use crate::cli::environment::Environment;
use crate::cli::outcome::Outcome;
use crate::cli::settings::Settings;
use crate::cli::{input, output_directory};
use crate::diagnostic::{Diagnostic, has_errors};
use crate::postgres_cluster::adopt::{Request, adopt};

/// Writes the steps.
pub(super) fn run(arguments: &AdoptArguments, environment: &Environment) -> Outcome {
    let settings = Settings {
        namespace: arguments.namespace.clone(),
        images: arguments.images.clone(),
        // The steps do not depend on the time.
        time: Some(0),
        ..Settings::default()
    };
    let options = match settings.options(environment) {
        Ok(options) => options,
        Err(error) => return Outcome::failed(vec![error]),
    };
    let documents = match input::documents(&arguments.inputs, |_, _| {}) {
        Ok(documents) => documents,
        Err(errors) => return Outcome::failed(errors),
    };
    let request = Request { cluster: arguments.cluster.clone(), leader: arguments.leader.clone() };
    let (files, mut diagnostics) = adopt(&documents, &request, &options);
    if has_errors(&diagnostics) {
        return Outcome::failed(diagnostics);
    }
    let directory = &arguments.output_dir;
    let written = is_empty(directory).and_then(|()| {
        output_directory::write_files(directory, files.iter().map(|file| (file.name.as_str(), file.text.as_str())))
    });
    match written {
        Ok(()) => Outcome::new(format!("Read {} first.\n", directory.join("README.md").display()), diagnostics),
        Err(error) => {
            diagnostics.push(error);
            Outcome::failed(diagnostics)
        }
    }
}

/// Refuses a directory with files: steps that have begun must be undone with the files that were written for them.
fn is_empty(directory: &Path) -> Result<(), Diagnostic> {
    match fs::read_dir(directory).map(|mut entries| entries.next().is_none()) {
        Ok(false) => {
            let message = format!(
                "`{}` is not empty, and the files in it may be needed to undo steps: write to another directory",
                directory.display()
            );
            Err(Diagnostic::error(message))
        }
        _ => Ok(()),
    }
}
