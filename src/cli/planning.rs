//! The steps that `render` and `check` have in common, so that both of them report the same errors and warnings.

use std::path::PathBuf;

use crate::cli::seed;
use crate::diagnostic::{Diagnostic, has_errors, words};
use crate::identity::Seed;
use crate::options::Options;
use crate::postgres_cluster::secrets::existing;
use crate::read::Document;
use crate::render::{self, Plan};

/// What was read.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    /// The documents of the input.
    pub(super) documents: &'a [&'a Document],
    /// The files and directories that they were read from. None means standard input.
    pub(super) names: &'a [PathBuf],
    /// The documents of `--existing`.
    pub(super) existing: &'a [Document],
}

/// Plans every resource of the input. An input without any is an error.
pub(super) fn plan(input: Input, options: &Options, seed: Result<&Seed, &[Diagnostic]>) -> Plan {
    let nearly = seed::nearly::check(input.documents);
    let existing = input.existing.iter().filter(|document| existing::is_source(document));
    let mut plan = render::plan(input.documents.iter().copied().chain(existing), options, seed);
    plan.diagnostics.extend(nearly);
    if plan.resources.is_empty() && !has_errors(&plan.diagnostics) {
        // With pruning, applying an empty output would delete every database.
        let names = input.names.iter().filter(|name| name.as_os_str() != "-");
        let names: Vec<String> = names.map(|name| name.display().to_string()).collect();
        let place =
            if names.is_empty() { "the input".to_owned() } else { words::list(names.iter().map(String::as_str)) };
        let message = format!("no {} in {place}: give a file or directory that contains one", render::kinds());
        plan.diagnostics.push(Diagnostic::error(message));
    }
    plan
}
