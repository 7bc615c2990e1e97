//! The command `man`.

use clap::CommandFactory;
use clap::builder::Resettable;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::cli::arguments::Arguments;
use crate::cli::outcome::Outcome;
use crate::diagnostic::Diagnostic;

/// Prints the manual page of a command, or the main page.
pub(super) fn run(name: Option<&str>) -> Outcome {
    let mut root = Arguments::command().disable_help_subcommand(true);
    // Gives each command its whole name, `pgrender render`.
    root.build();
    let source = format!("{} {}", root.get_name(), root.get_version().unwrap_or_default());
    let command = name.and_then(|name| root.find_subcommand(name)).unwrap_or(&root).clone();
    let below = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let mut page = Vec::new();
    let written = Man::new(command.after_help(Resettable::Reset))
        .source(source)
        .manual("pgrender")
        .render(&mut page)
        .and_then(|()| sections(&below).to_writer(&mut page));
    match written {
        Ok(()) => Outcome::new(String::from_utf8_lossy(&page).into_owned(), Vec::new()),
        Err(error) => Outcome::failed(vec![Diagnostic::error(format!("cannot write the manual page: {error}"))]),
    }
}

/// Returns the paragraphs below the help as sections. The lines of examples stay as they are; `clap_mangen` would fill them.
fn sections(help: &str) -> Roff {
    let mut page = Roff::new();
    for paragraph in help.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        if let Some(examples) = paragraph.strip_prefix("Examples:\n") {
            page.control("SH", ["EXAMPLES"]).control("nf", []);
            page.text(examples.lines().map(|line| roman(format!("{}\n", line.trim_start()))).collect::<Vec<_>>());
            page.control("fi", []);
        } else if let Some(codes) = paragraph.strip_prefix("Exit codes: ") {
            page.control("SH", ["EXIT STATUS"]).text([roman(codes)]);
        } else {
            page.control("SH", ["NOTES"]).text([roman(paragraph)]);
        }
    }
    page
}
