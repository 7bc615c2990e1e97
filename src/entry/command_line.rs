//! The commands `render`, `seed` and `schema`.

use super::arguments::{Command, RenderArguments};
use super::environment::Environment;
use super::outcome::Outcome;
use super::{input, output_directory, seed};
use crate::existing;
use crate::render::{self, render};
use crate::report::{Diagnostic, has_errors};
use crate::spec;
use crate::write::resource_list;

/// Runs a command.
pub(super) fn run(command: &Command, environment: &Environment) -> Outcome {
    match command {
        Command::Render(arguments) => run_render(arguments, environment),
        Command::Seed => match seed::generate() {
            Ok(text) => Outcome::new(format!("{}\n", text.as_str()), &[]),
            Err(error) => Outcome::failed(&[error]),
        },
        Command::Schema => Outcome::new(format!("{:#}\n", spec::json_schema()), &[]),
    }
}

fn run_render(arguments: &RenderArguments, environment: &Environment) -> Outcome {
    let settings = match arguments.settings() {
        Ok(settings) => settings,
        Err(error) => return Outcome::misused(&error),
    };
    let options = match settings.options(environment) {
        Ok(options) => options,
        Err(error) => return Outcome::failed(&[error]),
    };
    let (mut documents, existing) = match (input::documents(&arguments.inputs), arguments.existing()) {
        (Ok(documents), Ok(existing)) => (documents, existing),
        (documents, existing) => {
            let errors = [documents.err(), existing.err()].into_iter().flatten();
            return Outcome::failed(&errors.flatten().collect::<Vec<_>>());
        }
    };
    let found = seed::find(&settings, environment, &documents);
    let seed = found.as_ref().map(|found| &found.seed).map_err(Vec::as_slice);
    documents.extend(existing.into_iter().filter(existing::is_source));
    let mut rendered = render(&documents, &options, seed);
    rendered.diagnostics.extend(found.into_iter().flat_map(|found| found.warnings));
    if rendered.clusters.is_empty() && !has_errors(&rendered.diagnostics) {
        // Applied with pruning, an empty output would delete every database.
        let message = format!("no {} in the input: give a file or directory that has one", render::KIND);
        rendered.diagnostics.push(Diagnostic::error(message));
    }
    if has_errors(&rendered.diagnostics) {
        return Outcome::failed(&rendered.diagnostics);
    }
    let Some(directory) = &arguments.output_dir else {
        let objects = rendered.clusters.into_iter().flat_map(|cluster| cluster.objects);
        return Outcome::new(resource_list::stream(objects), &rendered.diagnostics);
    };
    match output_directory::write(directory, &rendered.clusters) {
        Ok(()) => Outcome::new(String::new(), &rendered.diagnostics),
        Err(error) => Outcome::failed(&[error]),
    }
}
