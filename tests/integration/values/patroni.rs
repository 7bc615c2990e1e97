//! Writes `postgresql.conf`, `pg_hba.conf` and `pg_ident.conf` with Patroni's own `ConfigWriter`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::common::tools::{program, success};

const SCRIPT: &str = include_str!("config_writer.py");

/// Patroni's `ConfigWriter`, in Patroni's Python interpreter.
pub(crate) struct ConfigWriter {
    python: PathBuf,
}

impl ConfigWriter {
    /// `None` if Patroni is not installed.
    pub(crate) fn new() -> Option<Self> {
        let patroni = program("patroni")?;
        let text = fs::read_to_string(patroni).unwrap();
        let python = text.lines().next().unwrap().trim_start_matches("#!").trim();
        Some(Self { python: PathBuf::from(python) })
    }

    /// Runs a Python program that can import Patroni, and returns its output.
    pub(crate) fn run(&self, script: &str) -> String {
        success(Command::new(&self.python).arg("-c").arg(script))
    }

    /// Writes each parameter to a separate file in `directory`, in this order of names.
    pub(crate) fn write(&self, directory: &Path, parameters: &[(String, String)]) {
        fs::create_dir(directory).unwrap();
        let input = directory.with_extension("json");
        fs::write(&input, json!(parameters).to_string()).unwrap();
        success(Command::new(&self.python).arg("-c").arg(SCRIPT).arg(&input).arg(directory));
    }
}
