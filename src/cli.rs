//! How the program is called, what it reads and what it writes.
//!
//! There are three ways to call it: with a command of the command line; without a command, as a KRM function; and with the file
//! of a legacy plugin of kustomize as the first argument. Only this module and its submodules access the environment, files,
//! the clock and the system's random numbers.

mod adopt;
mod arguments;
mod check;
mod command_line;
mod completions;
mod describe;
mod diff;
mod environment;
mod explain;
mod filled;
mod function;
pub mod function_config;
#[cfg(test)]
mod fuzz;
mod input;
mod input_arguments;
mod legacy_plugin;
mod man;
mod outcome;
mod output_directory;
mod planning;
mod progress;
mod revision;
mod schema;
mod seed;
pub mod settings;
mod values;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use arguments::Arguments;
use environment::Environment;
use outcome::Outcome;

/// Runs the program and returns its exit code: 0 if it did what was asked, 1 if something is wrong with the input, 2 if something is
/// wrong with the command line.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    run(&arguments, &Environment::read()).finish()
}

fn run(arguments: &[OsString], environment: &Environment) -> Outcome {
    if let Some(file) = legacy_plugin::configuration(arguments, environment) {
        return legacy_plugin::run(&file, environment);
    }
    match Arguments::try_parse_from(arguments) {
        Ok(Arguments { command: Some(command) }) => command_line::run(&command, environment),
        Ok(Arguments { command: None }) if io::stdin().is_terminal() => {
            Outcome { stderr: Arguments::command().render_help().to_string(), code: 2, ..Outcome::default() }
        }
        Ok(Arguments { command: None }) => match input::stdin() {
            Ok(text) => function::run(&text, environment),
            Err(error) => function::unreadable(vec![error]),
        },
        Err(error) if error.use_stderr() => Outcome::misused(error),
        Err(help) => Outcome::new(help.render().to_string(), Vec::new()),
    }
}
