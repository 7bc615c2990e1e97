//! The commands.

use crate::cli::arguments::{Command, RenderArguments, invalid};
use crate::cli::environment::Environment;
use crate::cli::outcome::{Outcome, Stdout};
use crate::cli::planning::{self, Input};
use crate::cli::progress::Progress;
use crate::cli::settings::Contradiction;
use crate::cli::{adopt, check, completions, describe, diff, explain, man, output_directory, schema, seed};
use crate::diagnostic::has_errors;
use crate::read::Document;
use crate::render::Plan;

/// Runs a command.
pub(super) fn run(command: &Command, environment: &Environment) -> Outcome {
    match command {
        Command::Render(arguments) => {
            let consistent = arguments.seed.check().and_then(|()| arguments.settings.check());
            checked("render", consistent, || run_render(arguments, environment))
        }
        Command::Check(arguments) => {
            checked("check", arguments.settings.check(), || check::run(arguments, environment))
        }
        Command::Adopt(arguments) => adopt::run(arguments, environment),
        Command::Describe(arguments) => {
            checked("describe", arguments.check(), || describe::run(arguments, environment))
        }
        Command::Diff(arguments) => checked("diff", arguments.check(), || diff::run(arguments, environment)),
        Command::Explain(arguments) => explain::run(arguments, environment),
        Command::Seed => match seed::generate() {
            Ok(text) => Outcome::new(format!("{}\n", text.as_str()), Vec::new()),
            Err(error) => Outcome::failed(vec![error]),
        },
        Command::Schema { of } => Outcome::new(format!("{:#}\n", schema::json(*of)), Vec::new()),
        Command::Completions { shell } => completions::run(*shell),
        Command::Man { name } => man::run(name.as_deref()),
    }
}

/// Runs a command, unless two of its options contradict each other.
fn checked(command: &str, consistent: Result<(), Contradiction>, run: impl FnOnce() -> Outcome) -> Outcome {
    match consistent {
        Ok(()) => run(),
        Err((setting, message)) => Outcome::misused(invalid(command, setting, &message)),
    }
}

fn run_render(arguments: &RenderArguments, environment: &Environment) -> Outcome {
    let options = match arguments.settings.options(environment) {
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
    let input = Input { documents: &inputs, names: &arguments.input.inputs, existing: &existing };
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
