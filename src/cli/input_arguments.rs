//! The arguments that say what is read. Several commands have them.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::input;
use crate::diagnostic::Diagnostic;
use crate::read::Document;

/// What is read.
#[derive(Args, Debug)]
pub(super) struct InputArguments {
    /// Files, directories (all `*.yaml`, `*.yml` and `*.json` files below them, except hidden ones), or `-` for standard input,
    /// which is the default
    #[arg(value_name = "FILE|DIR|-")]
    pub(super) inputs: Vec<PathBuf>,

    /// Files or directories with the Secrets that the clusters already have, or `-`; may be repeated. Their passwords and
    /// certificates are kept. Secrets among the other files have the same effect
    #[arg(long, value_name = "FILE|DIR|-")]
    existing: Vec<PathBuf>,
}

impl InputArguments {
    /// Reads the input, and the Secrets of `--existing`. Gives the name and the text of each file to `keep`. Standard input can be
    /// read only once, so `-` cannot be an input file too.
    pub(super) fn read(
        &self,
        mut keep: impl FnMut(String, String),
    ) -> Result<(Vec<Document>, Vec<Document>), Vec<Diagnostic>> {
        match (input::documents(&self.inputs, &mut keep), self.existing(&mut keep)) {
            (Ok(documents), Ok(existing)) => Ok((documents, existing)),
            (documents, existing) => Err([documents.err(), existing.err()].into_iter().flatten().flatten().collect()),
        }
    }

    fn existing(&self, keep: impl FnMut(String, String)) -> Result<Vec<Document>, Vec<Diagnostic>> {
        let stdin = Path::new("-");
        let taken = self.inputs.is_empty() || self.inputs.iter().any(|input| input == stdin);
        if taken && self.existing.iter().any(|input| input == stdin) {
            let message = "standard input is used both for the clusters and for `--existing`, but can be read only \
                           once: give a file for one of them";
            return Err(vec![Diagnostic::error(message)]);
        }
        if self.existing.is_empty() { Ok(Vec::new()) } else { input::documents(&self.existing, keep) }
    }
}
