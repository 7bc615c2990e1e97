//! The commands `render`, `seed` and `schema`.

use super::arguments::{Command, RenderArguments};
use super::environment::Environment;
use super::outcome::{Outcome, Stdout};
use super::{input, output_directory, seed};
use crate::diagnostic::{Diagnostic, has_errors};
use crate::existing;
use crate::render::{self, Plan};
use crate::spec;

/// Runs a command.
pub(super) fn run(command: &Command, environment: &Environment) -> Outcome {
    match command {
        Command::Render(arguments) => run_render(arguments, environment),
        Command::Seed => match seed::generate() {
            Ok(text) => Outcome::new(format!("{}\n", text.as_str()), Vec::new()),
            Err(error) => Outcome::failed(vec![error]),
        },
        Command::Schema => Outcome::new(format!("{:#}\n", spec::json_schema()), Vec::new()),
    }
}

fn run_render(arguments: &RenderArguments, environment: &Environment) -> Outcome {
    let settings = match arguments.settings() {
        Ok(settings) => settings,
        Err(error) => return Outcome::misused(error),
    };
    let options = match settings.options(environment) {
        Ok(options) => options,
        Err(error) => return Outcome::failed(vec![error]),
    };
    let (mut documents, existing) = match (input::documents(&arguments.inputs), arguments.existing()) {
        (Ok(documents), Ok(existing)) => (documents, existing),
        (documents, existing) => {
            let errors = [documents.err(), existing.err()].into_iter().flatten();
            return Outcome::failed(errors.flatten().collect());
        }
    };
    let found = seed::find(&settings, environment, &documents);
    let seed = found.as_ref().map(|found| &found.seed).map_err(Vec::as_slice);
    let nearly = seed::nearly::check(&documents);
    documents.extend(existing.into_iter().filter(existing::is_source));
    let Plan { clusters, mut diagnostics, .. } = render::plan(&documents, &options, seed);
    diagnostics.extend(nearly);
    diagnostics.extend(found.into_iter().flat_map(|found| found.warnings));
    if clusters.is_empty() && !has_errors(&diagnostics) {
        // With pruning, applying an empty output would delete every database.
        let message = format!("no {} in the input: give a file or directory that contains one", render::KIND);
        diagnostics.push(Diagnostic::error(message));
    }
    if has_errors(&diagnostics) {
        return Outcome::failed(diagnostics);
    }
    let Some(directory) = &arguments.output_dir else {
        return Outcome::new(Stdout::Clusters(clusters), diagnostics);
    };
    match output_directory::write(directory, &clusters) {
        Ok(()) => Outcome::new(String::new(), diagnostics),
        Err(error) => {
            diagnostics.push(error);
            Outcome::failed(diagnostics)
        }
    }
}
