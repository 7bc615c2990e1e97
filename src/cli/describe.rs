//! The command `describe`.

mod sections;
mod text;

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::environment::Environment;
use crate::cli::outcome::Outcome;
use crate::cli::settings::{Contradiction, Settings};
use crate::cli::{input, seed};
use crate::diagnostic::{Diagnostic, has_errors};
use crate::identity::Seed;
use crate::options::Options;
use crate::postgres_cluster::describe::model::ClusterDescription;
use crate::postgres_cluster::describe::report::Report;
use crate::postgres_cluster::describe::{describe, flowchart};
use crate::postgres_cluster::secrets::existing;
use crate::read::Document;
use crate::render::{self, Plan};

const EXAMPLES: &str = "\
No seed is needed. Only with the seed are existing Secrets considered, because
without it nobody knows which of their certificates stay.

Examples:
  pgrender describe cluster.yaml
  pgrender describe --format json clusters/
  pgrender describe --format mermaid cluster.yaml > cluster.mmd
  kubectl get postgrescluster -o yaml | pgrender describe";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct DescribeArguments {
    /// Files, directories (all `*.yaml`, `*.yml` and `*.json` files below them, except hidden ones), or `-` for standard input,
    /// which is the default
    #[arg(value_name = "FILE|DIR|-")]
    inputs: Vec<PathBuf>,

    /// Form of the output
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: Format,

    /// Files or directories with the Secrets that the clusters already have, or `-`; may be repeated. Together with the seed,
    /// the certificates that stay are described. Secrets among the other files have the same effect
    #[arg(long, value_name = "FILE|DIR|-")]
    existing: Vec<PathBuf>,

    #[command(flatten)]
    settings: Settings,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// A flowchart.
    Mermaid,
}

/// What stands for the seed if none is given. Nothing that is derived from it is shown.
const PLACEHOLDER: &[u8] = b"a description shows nothing that is derived from a seed, so this sentence takes its place";

impl DescribeArguments {
    /// Refuses settings that contradict each other.
    pub(super) fn check(&self) -> Result<(), Contradiction> {
        self.settings.check()
    }
}

/// Describes the clusters of the input.
pub(super) fn run(arguments: &DescribeArguments, environment: &Environment) -> Outcome {
    let (clusters, diagnostics) = match arguments.settings.options(environment) {
        Ok(options) => described(arguments, environment, &options),
        Err(error) => (Vec::new(), vec![error]),
    };
    let failed = has_errors(&diagnostics);
    let text = match arguments.format {
        Format::Json => Report::new(clusters, &diagnostics).to_json(),
        _ if failed => String::new(),
        Format::Mermaid => flowchart(&clusters),
        Format::Text => {
            let is_coloured = io::stdout().is_terminal() && !environment.no_color;
            clusters.iter().map(|cluster| text::write(cluster, is_coloured)).collect::<Vec<_>>().join("\n")
        }
    };
    Outcome::new(text, diagnostics)
}

/// The descriptions, or none if there is an error, and the messages of a rendering.
fn described(
    arguments: &DescribeArguments,
    environment: &Environment,
    options: &Options,
) -> (Vec<ClusterDescription>, Vec<Diagnostic>) {
    let existing = input::existing(&arguments.inputs, &arguments.existing);
    let (documents, existing) = match (input::documents(&arguments.inputs), existing) {
        (Ok(documents), Ok(existing)) => (documents, existing),
        (documents, existing) => {
            return (Vec::new(), [documents.err(), existing.err()].into_iter().flatten().flatten().collect());
        }
    };
    let inputs: Vec<&Document> = documents.iter().collect();
    let (seed, warnings) = match seed::find_if_given(&arguments.settings, environment, &inputs) {
        Ok(Some(found)) => (Some(found.seed), found.warnings),
        Ok(None) => (None, Vec::new()),
        Err(errors) => return (Vec::new(), errors),
    };
    let all: Vec<&Document> = if seed.is_some() {
        inputs.into_iter().chain(existing.iter().filter(|document| existing::is_source(document))).collect()
    } else {
        // Whether what is in an existing Secret stays depends on the seed.
        inputs.into_iter().filter(|document| !existing::is_source(document)).collect()
    };
    let seed = match seed.map_or_else(|| Seed::new(PLACEHOLDER), Ok) {
        Ok(seed) => seed,
        Err(error) => return (Vec::new(), vec![Diagnostic::error(error.to_string())]),
    };
    let Plan { resources, mut diagnostics } = render::plan(all, options, Ok(&seed));
    diagnostics.extend(warnings);
    if resources.is_empty() && !has_errors(&diagnostics) {
        diagnostics.push(input::without_resource());
    }
    if has_errors(&diagnostics) {
        return (Vec::new(), diagnostics);
    }
    let one = |resource: &render::PlannedResource| {
        describe(&resource.reference, resource.file(), &resource.objects(), options.time)
    };
    (resources.iter().map(one).collect(), diagnostics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_placeholder_is_accepted_as_a_seed() {
        assert!(Seed::new(PLACEHOLDER).is_ok());
    }
}
