//! The command `completions`.

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::cli::arguments::Arguments;
use crate::cli::outcome::Outcome;

/// Prints the script with which a shell completes the commands and options of the program.
pub(super) fn run(shell: Shell) -> Outcome {
    let mut script = Vec::new();
    generate(shell, &mut Arguments::command(), "pgrender", &mut script);
    Outcome::new(String::from_utf8_lossy(&script).into_owned(), Vec::new())
}
