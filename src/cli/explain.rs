//! The command `explain`.

mod function;
mod text;

use clap::{Args, ColorChoice, ValueEnum};

use crate::cli::environment::Environment;
use crate::cli::outcome::{self, Outcome};
use crate::explain::failure;
use crate::postgres_cluster::explain;

const EXAMPLES: &str = "\
Examples:
  pgrender explain
  pgrender explain spec.instances.dataVolumeClaimSpec
  pgrender explain --recursive spec.backups
  pgrender explain pgrender.dev/restore-drill
  pgrender explain PgRender.spec.trustDomain";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct ExplainArguments {
    /// The field, for example `spec.instances.replicas`; the key of an annotation; or `PgRender` and a field of the function's
    /// configuration. Without it, the kind PostgresCluster
    #[arg(value_name = "PATH", default_value = "", hide_default_value = true)]
    path: String,

    /// Version of the API: `v1` or `v1beta1` [default: that of the path, else v1]
    #[arg(long, value_name = "VERSION")]
    api_version: Option<String>,

    /// Print the names and types of all fields below
    #[arg(short, long)]
    recursive: bool,

    /// Form of the output
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: Format,

    /// Whether the text has colours. `auto`: if standard output is a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    color: ColorChoice,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Explains a field.
pub(super) fn run(arguments: &ExplainArguments, environment: &Environment) -> Outcome {
    let ExplainArguments { path, api_version, recursive, format, color } = arguments;
    let explained = match function::keys(path) {
        Some(keys) => function::explain(keys),
        None => explain::explain(path, api_version.as_deref(), *recursive),
    };
    match (explained, format) {
        (Ok(explanation), Format::Json) => match serde_json::to_string_pretty(&explanation) {
            Ok(json) => Outcome::new(json + "\n", Vec::new()),
            Err(error) => Outcome::failed(vec![crate::diagnostic::Diagnostic::error(error.to_string())]),
        },
        (Ok(explanation), Format::Text) => {
            let style = text::Style::of(outcome::is_coloured(*color, environment));
            Outcome::new(text::write(&explanation, *recursive, style, outcome::is_terminal()), Vec::new())
        }
        (Err(error), Format::Json) => {
            Outcome { stdout: failure(&error.message).into(), ..Outcome::failed(vec![error]) }
        }
        (Err(error), Format::Text) => Outcome::failed(vec![error]),
    }
}
