//! What a run gives back to its caller: written at the end, when nothing can go wrong any more, so that a failed run leaves
//! nothing half done.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};

use crate::line;
use crate::render::PlannedCluster;
use crate::report::{Diagnostic, Severity, has_errors, shorten};
use crate::write::resource_list;

/// What goes to standard output. It holds secrets, so it has no `Debug`.
pub(super) enum Stdout {
    /// This text.
    Text(String),
    /// The objects of these clusters. Each is made when the one before is written: those of many clusters would fill the
    /// memory.
    Clusters(Vec<PlannedCluster>),
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
            Self::Clusters(clusters) => {
                let objects = clusters.iter().flat_map(PlannedCluster::objects);
                resource_list::write_stream(out, objects)?;
            }
        }
        out.flush()
    }

    /// All of it.
    #[cfg(test)]
    pub(super) fn text(&self) -> String {
        let mut text = Vec::new();
        self.write(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }
}

/// The end of a run. It holds secrets, so it has no `Debug`.
#[derive(Default)]
pub(super) struct Outcome {
    /// Goes to standard output.
    pub(super) stdout: Stdout,
    /// Goes to standard error.
    pub(super) stderr: String,
    /// 0 rendered, 1 something is wrong with the input, 2 something is wrong with the command line.
    pub(super) code: u8,
}

impl Outcome {
    /// A run that gives `stdout` and tells `diagnostics`; it has failed when one of them is an error. People are told
    /// informations only where they explain an error: a run that went well is silent, so that a scheduled one is noticed
    /// when it has something to say.
    pub(super) fn new(stdout: impl Into<Stdout>, diagnostics: Vec<Diagnostic>) -> Self {
        let failed = has_errors(&diagnostics);
        let told = diagnostics.into_iter().filter(|diagnostic| failed || diagnostic.severity != Severity::Info);
        let lines: Vec<String> = shorten(told.collect()).iter().map(|diagnostic| format!("{diagnostic}\n")).collect();
        Self { stdout: stdout.into(), stderr: lines.concat(), code: u8::from(failed) }
    }

    /// A run that gives nothing but `diagnostics`.
    pub(super) fn failed(diagnostics: Vec<Diagnostic>) -> Self {
        Self { code: 1, ..Self::new(String::new(), diagnostics) }
    }

    /// A run that a wrong command line has kept from happening.
    pub(super) fn misused(mut error: clap::Error) -> Self {
        for kind in [ContextKind::InvalidArg, ContextKind::InvalidSubcommand, ContextKind::InvalidValue] {
            let shown = match error.get(kind) {
                Some(ContextValue::String(text)) if text.contains(line::is_control) => line::shown(text),
                _ => continue,
            };
            // No line of what is said comes from an argument; a tip would repeat it.
            error.insert(kind, ContextValue::String(shown));
            error.insert(ContextKind::Suggested, ContextValue::None);
        }
        Self { stderr: error.render().to_string(), code: 2, ..Self::default() }
    }

    /// Writes both streams. A reader that went away has seen what it wanted.
    pub(super) fn finish(self) -> ExitCode {
        let mut stdout = io::stdout().lock();
        let written = self.stdout.write(&mut stdout);
        // Nobody is left to tell when standard error fails.
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
