//! What a run gives back to its caller: written once, at the end, so that a failed run leaves nothing half done.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::report::{Diagnostic, Severity, has_errors};

/// The end of a run. It holds secrets, so it has no `Debug`.
#[derive(Default)]
pub(super) struct Outcome {
    /// Goes to standard output.
    pub(super) stdout: String,
    /// Goes to standard error.
    pub(super) stderr: String,
    /// 0 rendered, 1 something is wrong with the input, 2 something is wrong with the command line.
    pub(super) code: u8,
}

impl Outcome {
    /// A run that gives `stdout` and tells `diagnostics`; it has failed when one of them is an error. People are told
    /// informations only where they explain an error: a run that went well is silent, so that a scheduled one is noticed
    /// when it has something to say.
    pub(super) fn new(stdout: String, diagnostics: &[Diagnostic]) -> Self {
        let failed = has_errors(diagnostics);
        let told = diagnostics.iter().filter(|diagnostic| failed || diagnostic.severity != Severity::Info);
        let lines: Vec<String> = told.map(|diagnostic| format!("{diagnostic}\n")).collect();
        Self { stdout, stderr: lines.concat(), code: u8::from(failed) }
    }

    /// A run that gives nothing but `diagnostics`.
    pub(super) fn failed(diagnostics: &[Diagnostic]) -> Self {
        Self { code: 1, ..Self::new(String::new(), diagnostics) }
    }

    /// A run that a wrong command line has kept from happening.
    pub(super) fn misused(error: &clap::Error) -> Self {
        Self { stderr: error.render().to_string(), code: 2, ..Self::default() }
    }

    /// Writes both streams. A reader that went away has seen what it wanted.
    pub(super) fn finish(self) -> ExitCode {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(self.stdout.as_bytes()).and_then(|()| stdout.flush());
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
