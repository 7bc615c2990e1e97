//! The result of a run. It is written at the end, when nothing can fail any more, so that a failed run does not leave an
//! incomplete output.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::ColorChoice;
use clap::error::{ContextKind, ContextValue};

use crate::cli::environment::Environment;
use crate::diagnostic::line;
use crate::diagnostic::{Diagnostic, Severity, has_errors, shorten};
use crate::render::PlannedResource;
use crate::write::resource_list;

/// Whether standard output is a terminal.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether a text on standard output has colours.
pub(super) fn is_coloured(choice: ColorChoice, environment: &Environment) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => !environment.no_color && is_terminal(),
    }
}

/// What is written to standard output. It contains secrets, so it does not implement `Debug`.
pub(super) enum Stdout {
    /// A complete text.
    Text(String),
    /// The objects of these resources. Each object is created after the previous one is written, because the objects of many
    /// clusters would fill the memory.
    Objects(Vec<PlannedResource>),
}

impl Default for Stdout {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl From<String> for Stdout {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Stdout {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Text(text) => out.write_all(text.as_bytes())?,
            Self::Objects(resources) => {
                let objects = resources.iter().flat_map(PlannedResource::objects);
                resource_list::write_stream(out, objects.map(|object| object.to_value()))?;
            }
        }
        out.flush()
    }

    /// Returns the whole text.
    #[cfg(test)]
    pub(super) fn text(&self) -> String {
        let mut text = Vec::new();
        self.write(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }
}

/// The result of a run. It contains secrets, so it does not implement `Debug`.
#[derive(Default)]
pub(super) struct Outcome {
    /// What is written to standard output.
    pub(super) stdout: Stdout,
    /// What is written to standard error.
    pub(super) stderr: String,
    /// The exit code: 0 if it rendered, 1 if something is wrong with the input, 2 if something is wrong with the command line.
    pub(super) code: u8,
}

impl Outcome {
    /// Creates the result of a run with `stdout` and `diagnostics`. The run failed if one of them is an error. Informations are
    /// shown only together with an error: a successful run prints nothing to standard error, so that users notice the output of
    /// a scheduled run.
    pub(super) fn new(stdout: impl Into<Stdout>, diagnostics: Vec<Diagnostic>) -> Self {
        let failed = has_errors(&diagnostics);
        let told = diagnostics.into_iter().filter(|diagnostic| failed || diagnostic.severity != Severity::Info);
        let lines: Vec<String> = shorten(told.collect()).iter().map(|diagnostic| format!("{diagnostic}\n")).collect();
        Self { stdout: stdout.into(), stderr: lines.concat(), code: u8::from(failed) }
    }

    /// Creates the result of a failed run, with only `diagnostics`.
    pub(super) fn failed(diagnostics: Vec<Diagnostic>) -> Self {
        Self { code: 1, ..Self::new(String::new(), diagnostics) }
    }

    /// Creates the result for an invalid command line.
    pub(super) fn misused(mut error: clap::Error) -> Self {
        for kind in [ContextKind::InvalidArg, ContextKind::InvalidSubcommand, ContextKind::InvalidValue] {
            let shown = match error.get(kind) {
                Some(ContextValue::String(text)) if text.contains(line::is_control) => line::shown(text),
                _ => continue,
            };
            // Control characters of an argument are escaped, so that the argument cannot add lines to the message. A suggestion
            // would repeat the argument, so it is removed.
            error.insert(kind, ContextValue::String(shown));
            error.insert(ContextKind::Suggested, ContextValue::None);
        }
        Self { stderr: error.render().to_string(), code: 2, ..Self::default() }
    }

    /// Writes both streams. If the reader of standard output closed it, that is not an error.
    pub(super) fn finish(self) -> ExitCode {
        let mut stdout = io::stdout().lock();
        let written = self.stdout.write(&mut stdout);
        // If standard error fails, there is no way to report that.
        let mut stderr = io::stderr().lock();
        let _ = stderr.write_all(self.stderr.as_bytes());
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let _ = writeln!(stderr, "error: cannot write the output: {error}");
                ExitCode::from(1)
            }
            _ => ExitCode::from(self.code),
        }
    }
}
