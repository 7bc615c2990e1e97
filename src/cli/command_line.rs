//! The commands.

use crate::cli::arguments::{Command, RenderArguments, invalid};
use crate::cli::environment::Environment;
use crate::cli::outcome::{Outcome, Stdout};
use crate::cli::{adopt, describe, explain, input, output_directory, seed};
use crate::diagnostic::has_errors;
use crate::postgres_cluster::secrets::existing;
use crate::postgres_cluster::spec;
use crate::read::Document;
use crate::render::{self, Plan};

/// Runs a command.
pub(super) fn run(command: &Command, environment: &Environment) -> Outcome {
    match command {
        Command::Render(arguments) => run_render(arguments, environment),
        Command::Adopt(arguments) => adopt::run(arguments, environment),
        Command::Describe(arguments) => match arguments.check() {
            Ok(()) => describe::run(arguments, environment),
            Err((setting, message)) => Outcome::misused(invalid("describe", setting, &message)),
        },
        Command::Explain(arguments) => explain::run(arguments, environment),
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
    let (documents, existing) = match (input::documents(&arguments.inputs), arguments.existing()) {
        (Ok(documents), Ok(existing)) => (documents, existing),
        (documents, existing) => {
            let errors = [documents.err(), existing.err()].into_iter().flatten();
            return Outcome::failed(errors.flatten().collect());
        }
    };
    let inputs: Vec<&Document> = documents.iter().collect();
    let found = seed::find(settings, environment, &inputs);
    let seed = found.as_ref().map(|found| &found.seed).map_err(Vec::as_slice);
    let nearly = seed::nearly::check(&inputs);
    let existing: Vec<&Document> = existing.iter().filter(|document| existing::is_source(document)).collect();
    let Plan { resources, mut diagnostics } = render::plan(inputs.into_iter().chain(existing), &options, seed);
    diagnostics.extend(nearly);
    diagnostics.extend(found.into_iter().flat_map(|found| found.warnings));
    if resources.is_empty() && !has_errors(&diagnostics) {
        // With pruning, applying an empty output would delete every database.
        diagnostics.push(input::without_resource());
    }
    if has_errors(&diagnostics) {
        return Outcome::failed(diagnostics);
    }
    let Some(directory) = &arguments.output_dir else {
        return Outcome::new(Stdout::Objects(resources), diagnostics);
    };
    match output_directory::write(directory, &resources) {
        Ok(()) => Outcome::new(String::new(), diagnostics),
        Err(error) => {
            diagnostics.push(error);
            Outcome::failed(diagnostics)
        }
    }
}
