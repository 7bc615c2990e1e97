//! The commands.

use crate::cli::arguments::{Command, RenderArguments};
use crate::cli::environment::Environment;
use crate::cli::outcome::{Outcome, Stdout};
use crate::cli::planning::{self, Input};
use crate::cli::progress::Progress;
use crate::cli::{adopt, check, completions, diff, man, output_directory, schema, seed};
use crate::diagnostic::has_errors;
use crate::read::Document;
use crate::render::Plan;

/// Runs a command.
pub(super) fn run(command: &Command, environment: &Environment) -> Outcome {
    match command {
        Command::Render(arguments) => run_render(arguments, environment),
        Command::Check(arguments) => check::run(arguments, environment),
        Command::Adopt(arguments) => adopt::run(arguments, environment),
        Command::Diff(arguments) => diff::run(arguments, environment),
        Command::Seed => match seed::generate() {
            Ok(text) => Outcome::new(format!("{}\n", text.as_str()), Vec::new()),
            Err(error) => Outcome::failed(vec![error]),
        },
        Command::Schema { of } => Outcome::new(format!("{:#}\n", schema::json(*of)), Vec::new()),
        Command::Completions { shell } => completions::run(*shell),
        Command::Man { name } => man::run(name.as_deref()),
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
    let progress = Progress::start(&arguments.input.inputs, "reading");
    let (documents, existing) = match arguments.input.read(|_, _| {}) {
        Ok(read) => read,
        Err(errors) => return Outcome::failed(errors),
    };
    progress.now("rendering");
    let inputs: Vec<&Document> = documents.iter().collect();
    let found = seed::find(&arguments.seed, environment, &inputs);
    let seed = found.as_ref().map(|found| &found.seed).map_err(Vec::as_slice);
    let input = Input { documents: &inputs, existing: &existing };
    let Plan { resources, mut diagnostics } = planning::plan(input, &options, seed);
    drop(progress);
    diagnostics.extend(found.into_iter().flat_map(|found| found.warnings));
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
