//! The command line.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, ColorChoice, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::cli::describe::DescribeArguments;
use crate::cli::diff::DiffArguments;
use crate::cli::explain::ExplainArguments;
use crate::cli::input_arguments::InputArguments;
use crate::cli::settings::{self, SeedSettings, Settings};
use crate::cli::values;
use crate::diagnostic::line::shown;

/// Renders a PostgresCluster into every manifest that a highly available Postgres needs, with no operator.
///
/// Without a command it is a KRM function: a ResourceList on standard input, a ResourceList on standard output, as
/// kustomize and kpt call it.
#[derive(Debug, Parser)]
#[command(name = "pgrender", version, after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  (umask 077; pgrender seed > seed)
  pgrender check clusters/
  pgrender render --seed-file seed cluster.yaml | kubectl apply --server-side -f -
  kustomize build --enable-alpha-plugins --enable-exec .
  kpt fn render --allow-exec

Exit codes: 0 rendered or valid, 1 something is wrong with the input, 2 something is wrong with the command line.";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the manifests of every PostgresCluster in the given files.
    Render(Box<RenderArguments>),
    /// Report what is wrong with every PostgresCluster in the given files, without a seed and without writing anything.
    ///
    /// It reports every error and every warning of `pgrender render` with the same input and the same options, on standard
    /// output. It also reports what is wrong with a seed that is in the input.
    Check(Box<CheckArguments>),
    /// Write the steps that give the volumes of PGO's cluster to the rendered one, without a copy of the data.
    ///
    /// Each step is a file to apply. README.md in the same directory has the commands in their order, and says how to undo
    /// each. Nothing is changed in Kubernetes, and no file contains a value of a Secret.
    Adopt(Box<AdoptArguments>),
    /// Say what a change does in the running clusters, before it is applied.
    ///
    /// No cluster is needed. OLD and NEW are clusters, which are rendered, or manifests that were rendered. Values of Secrets are
    /// compared and never printed.
    Diff(Box<DiffArguments>),
    /// Describe what exists after the manifests are applied: Services, users, instances, backups, certificates, totals.
    Describe(Box<DescribeArguments>),
    /// Explain a field of a PostgresCluster: what it is for, what is valid, and what pgrender makes of it.
    Explain(ExplainArguments),
    /// Print a new seed. Keep it: pgrender derives all passwords and keys of your databases from it.
    ///
    /// It is 32 random bytes in base64. Nobody can create the same seed again, so keep it where you keep the keys of your
    /// backups.
    #[command(after_help = SEED_EXAMPLES)]
    Seed,
    /// Print a JSON schema: of a PostgresCluster, for editors and for `openapi:` in a kustomization, or of an output.
    ///
    /// With `openapi:`, kustomize does not use its built-in schema. A strategic merge patch of a Deployment or of another
    /// built-in resource in the same kustomization then replaces lists instead of merging them.
    #[command(after_help = SCHEMA_EXAMPLES)]
    Schema {
        /// What the schema describes
        #[arg(long, value_name = "NAME", value_enum, default_value_t)]
        of: Schema,
    },
    /// Print the script with which a shell completes commands and options.
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page of pgrender, or of one of its commands.
    #[command(after_help = MAN_EXAMPLES)]
    Man {
        /// The command, for example `render`
        #[arg(value_name = "COMMAND", value_parser = command)]
        name: Option<String>,
    },
}

/// What a schema describes.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum Schema {
    /// A PostgresCluster.
    #[default]
    Postgrescluster,
    /// The output of `pgrender check --format json`.
    Check,
    /// The output of `pgrender describe --format json`.
    Describe,
    /// The output of `pgrender diff --format json`.
    Diff,
    /// The output of `pgrender explain --format json`.
    Explain,
}

const COMPLETIONS_EXAMPLES: &str = "\
bash, fish and zsh look for the script in their own directories:

Examples:
  source <(pgrender completions bash)
  pgrender completions bash > ~/.local/share/bash-completion/completions/pgrender
  pgrender completions fish > ~/.config/fish/completions/pgrender.fish
  pgrender completions zsh > ~/.zfunc/_pgrender";

const MAN_EXAMPLES: &str = "\
Examples:
  pgrender man render | man -l -
  pgrender man > pgrender.1
  pgrender man check > pgrender-check.1";

const SEED_EXAMPLES: &str = "\
Examples:
  (umask 077; pgrender seed > seed)";

const SCHEMA_EXAMPLES: &str = "\
Examples:
  pgrender schema > postgrescluster.schema.json
  pgrender schema --of check";

const RENDER_EXAMPLES: &str = "\
The seed is taken from `--seed-file`, else from one of PGRENDER_SEED_FILE,
PGRENDER_SEED and a Secret in the input with key `seed` and annotation
`pgrender.dev/seed: \"true\"`.

Examples:
  pgrender render --seed-file seed cluster.yaml
  pgrender render --seed-file seed --output-dir manifests clusters/
  pgrender render --random --namespace test - < cluster.yaml
  kubectl get secret -o yaml | pgrender render --existing - cluster.yaml
  pgrender render --random --image RELATED_IMAGE_PGBACKREST=pgbackrest:1 a.yaml";

#[derive(Args, Debug)]
#[command(after_help = RENDER_EXAMPLES)]
pub(super) struct RenderArguments {
    #[command(flatten)]
    pub(super) input: InputArguments,

    /// Write one file per object to DIR/<cluster>/ instead, and remove files of an earlier run that are no longer needed
    #[arg(short, long, value_name = "DIR")]
    pub(super) output_dir: Option<PathBuf>,

    #[command(flatten)]
    pub(super) settings: Settings,

    #[command(flatten)]
    pub(super) seed: SeedSettings,
}

/// How findings are written.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum Format {
    /// For people: each finding with its line of the file.
    #[default]
    Text,
    /// One JSON document; `pgrender schema --of check` describes it.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Workflow commands of GitHub Actions, which become annotations.
    Github,
}

const CHECK_EXAMPLES: &str = "\
A source line that may contain a secret is never shown.

Examples:
  pgrender check cluster.yaml
  pgrender check --deny-warnings clusters/
  kustomize build . | pgrender check --namespace test
  pgrender check --format json clusters/ > findings.json
  pgrender check --format sarif clusters/ > pgrender.sarif

Exit codes: 0 valid, 1 something is wrong with the input, 2 something is wrong
with the command line.";

#[derive(Args, Debug)]
#[command(after_help = CHECK_EXAMPLES)]
pub(super) struct CheckArguments {
    #[command(flatten)]
    pub(super) input: InputArguments,

    /// Format of the findings
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(super) format: Format,

    /// Exit with 1 also if there are only warnings
    #[arg(long)]
    pub(super) deny_warnings: bool,

    /// Whether the text has colours. `auto`: if standard output is a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub(super) color: ColorChoice,

    #[command(flatten)]
    pub(super) settings: Settings,
}

const ADOPT_EXAMPLES: &str = "\
Examples:
  kubectl get postgrescluster,pvc,pv,secret,endpoints,pods -o yaml > export.yaml
  pgrender adopt --output-dir adopt export.yaml";

#[derive(Args, Debug)]
#[command(after_help = ADOPT_EXAMPLES)]
pub(super) struct AdoptArguments {
    /// Files or directories with what `kubectl get postgrescluster,pvc,pv,secret,endpoints,pods -o yaml` printed, or `-` for
    /// standard input, which is the default
    #[arg(value_name = "FILE|DIR|-")]
    pub(super) inputs: Vec<PathBuf>,

    /// Directory to write to. It must be empty or not exist
    #[arg(short, long, value_name = "DIR")]
    pub(super) output_dir: PathBuf,

    /// The cluster, if there are several in the input
    #[arg(long, value_name = "[NAMESPACE/]NAME")]
    pub(super) cluster: Option<String>,

    /// PGO's instance that leads, if the input has no Endpoints and no pods
    #[arg(long, value_name = "INSTANCE")]
    pub(super) leader: Option<String>,

    /// Namespace of a cluster that does not set one
    #[arg(short, long, value_name = "NAMESPACE", value_parser = values::namespace)]
    pub(super) namespace: Option<String>,

    /// Image to use, by PGO's name for it, as for `render`; may be repeated
    #[arg(long = "image", value_name = "NAME=IMAGE", value_parser = values::image)]
    pub(super) images: Vec<(String, String)>,
}

/// Creates an error about the option of a setting, in the format of clap's own errors.
pub(super) fn invalid(subcommand: &str, setting: &str, message: &str) -> clap::Error {
    let mut command = Arguments::command();
    command.build();
    let option =
        settings::command().get_arguments().find(|argument| argument.get_id() == setting).map(ToString::to_string);
    let message = format!("invalid value for '{}': {message}", option.unwrap_or_default());
    match command.find_subcommand_mut(subcommand) {
        Some(subcommand) => subcommand.error(ErrorKind::ValueValidation, message),
        None => command.error(ErrorKind::ValueValidation, message),
    }
}

/// Parses the name of a command.
fn command(name: &str) -> Result<String, String> {
    let root = Arguments::command();
    let names: Vec<&str> = root.get_subcommands().map(clap::Command::get_name).collect();
    if names.contains(&name) {
        Ok(name.to_owned())
    } else if name == "help" {
        Err("`help` has no page: leave it out for the main page, which names all commands".to_owned())
    } else {
        Err(format!("`{}` is not a command: write one of {}", shown(name), names.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
