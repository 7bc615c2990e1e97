//! The command line.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::cli::describe::DescribeArguments;
use crate::cli::explain::ExplainArguments;
use crate::cli::input;
use crate::cli::settings::{self, Settings};
use crate::cli::values;
use crate::diagnostic::Diagnostic;
use crate::read::Document;

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
  pgrender render --seed-file seed cluster.yaml | kubectl apply --server-side -f -
  kustomize build --enable-alpha-plugins --enable-exec .
  kpt fn render --allow-exec

Exit codes: 0 rendered, 1 something is wrong with the input, 2 something is wrong with the command line.";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the manifests of every PostgresCluster in the given files.
    Render(Box<RenderArguments>),
    /// Write the steps that give the volumes of PGO's cluster to the rendered one, without a copy of the data.
    ///
    /// Each step is a file to apply. README.md in the same directory has the commands in their order, and says how to undo
    /// each. Nothing is changed in Kubernetes, and no file contains a value of a Secret.
    Adopt(Box<AdoptArguments>),
    /// Describe what exists after the manifests are applied: Services, users, instances, backups, certificates, totals.
    Describe(Box<DescribeArguments>),
    /// Explain a field of a PostgresCluster: what it is for, what is valid, and what pgrender makes of it.
    Explain(ExplainArguments),
    /// Print a new seed. Keep it: pgrender derives all passwords and keys of your databases from it.
    ///
    /// It is 32 random bytes in base64. Nobody can create the same seed again, so keep it where you keep the keys of your
    /// backups.
    Seed,
    /// Print the JSON schema of a PostgresCluster, for editors and for `openapi:` in a kustomization.
    ///
    /// With `openapi:`, kustomize does not use its built-in schema. A strategic merge patch of a Deployment or of another
    /// built-in resource in the same kustomization then replaces lists instead of merging them.
    Schema,
}

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
    /// Files, directories (all `*.yaml`, `*.yml` and `*.json` files below them, except hidden ones), or `-` for standard input,
    /// which is the default
    #[arg(value_name = "FILE|DIR|-")]
    pub(super) inputs: Vec<PathBuf>,

    /// Write one file per object to DIR/<cluster>/ instead, and remove files of an earlier run that are no longer needed
    #[arg(short, long, value_name = "DIR")]
    pub(super) output_dir: Option<PathBuf>,

    /// Files or directories with the Secrets that the clusters already have, or `-`; may be repeated. Their passwords and
    /// certificates are kept. Secrets among the other files have the same effect
    #[arg(long, value_name = "FILE|DIR|-")]
    existing: Vec<PathBuf>,

    #[command(flatten)]
    settings: Settings,
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

impl RenderArguments {
    /// Reads the files of `--existing`.
    pub(super) fn existing(&self) -> Result<Vec<Document>, Vec<Diagnostic>> {
        input::existing(&self.inputs, &self.existing)
    }

    /// Returns the settings. If two flags contradict each other, that is an error.
    pub(super) fn settings(&self) -> Result<&Settings, clap::Error> {
        let exclusive = self.settings.random && self.settings.seed_file.is_some();
        let seed_file = exclusive.then(|| Err(("seed_file", "cannot be used with `--random`".to_owned())));
        seed_file
            .unwrap_or_else(|| self.settings.check())
            .map_err(|(setting, message)| invalid("render", setting, &message))?;
        Ok(&self.settings)
    }
}

/// Creates an error about the option of a setting of a command, in the format of clap's own errors.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
