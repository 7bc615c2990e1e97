//! The command `describe`.

mod sections;
mod text;

use clap::{Args, ColorChoice, ValueEnum};

use crate::cli::environment::Environment;
use crate::cli::input_arguments::InputArguments;
use crate::cli::outcome::{self, Outcome};
use crate::cli::planning::{self, Input};
use crate::cli::seed;
use crate::cli::settings::{Contradiction, SeedSettings, Settings};
use crate::diagnostic::{Diagnostic, has_errors};
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
    #[command(flatten)]
    input: InputArguments,

    /// Form of the output
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: Format,

    /// Whether the text has colours. `auto`: if standard output is a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    color: ColorChoice,

    #[command(flatten)]
    seed: SeedSettings,

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

impl DescribeArguments {
    /// Refuses settings that contradict each other.
    pub(super) fn check(&self) -> Result<(), Contradiction> {
        self.seed.check()?;
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
            let is_coloured = outcome::is_coloured(arguments.color, environment);
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
    let (documents, existing) = match arguments.input.read(|_, _| {}) {
        Ok(read) => read,
        Err(errors) => return (Vec::new(), errors),
    };
    let inputs: Vec<&Document> = documents.iter().collect();
    let (seed, warnings) = match seed::find_if_given(&arguments.seed, environment, &inputs) {
        Ok(Some(found)) => (Some(found.seed), found.warnings),
        Ok(None) => (None, Vec::new()),
        Err(errors) => return (Vec::new(), errors),
    };
    let (inputs, existing) = if seed.is_some() {
        (inputs, existing)
    } else {
        // Whether what is in an existing Secret stays depends on the seed.
        (inputs.into_iter().filter(|document| !existing::is_source(document)).collect(), Vec::new())
    };
    let seed = match seed.map_or_else(seed::placeholder, Ok) {
        Ok(seed) => seed,
        Err(error) => return (Vec::new(), vec![Diagnostic::error(error.to_string())]),
    };
    let input = Input { documents: &inputs, names: &arguments.input.inputs, existing: &existing };
    let Plan { resources, mut diagnostics } = planning::plan(input, options, Ok(&seed));
    diagnostics.extend(warnings);
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
        assert!(seed::placeholder().is_ok());
    }
}
