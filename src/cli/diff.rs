//! `pgrender diff`: reads both inputs, compares them, and prints what the change does.

use std::path::{Path, PathBuf};

use clap::{Args, ColorChoice, ValueEnum};

use crate::cli::environment::Environment;
use crate::cli::outcome::{self, Outcome};
use crate::cli::settings::{Contradiction, SeedSettings, Settings};
use crate::cli::{input, revision, seed};
use crate::diagnostic::{Diagnostic, Severity, has_errors, shorten};
use crate::diff::effect::Consequence;
use crate::diff::report::{Change, Report, VERSION};
use crate::diff::side::Side;
use crate::diff::{self, markdown, text};
use crate::identity::Seed;
use crate::options::Options;
use crate::postgres_cluster::secrets::existing;
use crate::read::Document;
use crate::render::{self, Plan};

const EXAMPLES: &str = "\
OLD and NEW are each a file, a directory, `-` for standard input, or
REVISION:PATH in Git. A file with a colon in its name is `./a:b`. If there is
a PostgresCluster in it, it is rendered. Otherwise it has manifests that were
rendered: on disk, or as `kubectl get -o yaml` prints them. To compare with
manifests, give the seed.

Examples:
  pgrender diff HEAD:clusters clusters
  pgrender diff --fields old.yaml new.yaml
  pgrender diff --format markdown origin/main:clusters clusters > comment.md
  pgrender diff --seed-file seed manifests clusters
  pgrender diff --exit-code old.yaml new.yaml

Exit codes: 0 compared, 1 something is wrong with the input, 2 something is
wrong with the command line. With `--exit-code`: 0 nothing changes, 3 something
changes, 4 something restarts or is refused by Kubernetes, 5 something is lost.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct DiffArguments {
    /// What is there: a file, a directory, `-` or REVISION:PATH
    #[arg(value_name = "OLD")]
    old: String,

    /// What it becomes: a file, a directory, `-` or REVISION:PATH
    #[arg(value_name = "NEW")]
    new: String,

    /// Format of the output
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// Also print each field that changes. Values that may be secret are left out
    #[arg(long)]
    fields: bool,

    /// End with another exit code than 0 if something changes
    #[arg(long)]
    exit_code: bool,

    /// Whether the text has colours. `auto`: if standard output is a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    color: ColorChoice,

    /// Files or directories with the Secrets that the clusters already have, or `-`, as for `render`; may be repeated
    #[arg(long, value_name = "FILE|DIR|-")]
    existing: Vec<PathBuf>,

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
    /// For programs: `pgrender schema --of diff` describes it.
    Json,
    /// For a comment in a pull request.
    Markdown,
}

impl DiffArguments {
    /// Refuses settings that contradict each other.
    pub(super) fn check(&self) -> Result<(), Contradiction> {
        self.seed.check()?;
        self.settings.check()
    }
}

/// Runs the command.
pub(super) fn run(arguments: &DiffArguments, environment: &Environment) -> Outcome {
    match report(arguments, environment) {
        Ok((report, warnings)) => printed(arguments, &report, warnings, environment),
        Err(errors) if arguments.format == Format::Json => {
            let lines = shorten(errors.clone()).iter().map(ToString::to_string).collect();
            let report =
                Report { version: VERSION, consequence: None, clusters: Vec::new(), notes: Vec::new(), errors: lines };
            Outcome { stdout: json(&report).into(), ..Outcome::failed(errors) }
        }
        Err(errors) => Outcome::failed(errors),
    }
}

fn printed(
    arguments: &DiffArguments,
    report: &Report,
    warnings: Vec<Diagnostic>,
    environment: &Environment,
) -> Outcome {
    let is_coloured = outcome::is_coloured(arguments.color, environment);
    let stdout = match arguments.format {
        Format::Text => text::to_string(report, is_coloured),
        Format::Json => json(report),
        Format::Markdown => markdown::to_string(report),
    };
    let changes = report.clusters.iter().any(|cluster| cluster.change != Change::Same);
    let code = match report.consequence.unwrap_or_default() {
        _ if !arguments.exit_code || !changes => 0,
        Consequence::Nothing | Consequence::Change => 3,
        Consequence::Restart | Consequence::Refused => 4,
        Consequence::Loss => 5,
    };
    Outcome { code, ..Outcome::new(stdout, warnings) }
}

fn json(report: &Report) -> String {
    let value = serde_json::to_value(report).expect("a report has string keys");
    format!("{value:#}\n")
}

fn report(arguments: &DiffArguments, environment: &Environment) -> Result<(Report, Vec<Diagnostic>), Vec<Diagnostic>> {
    let options = arguments.settings.options(environment).map_err(|error| vec![error])?;
    let from_stdin = [&arguments.old, &arguments.new].into_iter().filter(|input| *input == "-").count()
        + arguments.existing.iter().filter(|input| input.as_os_str() == "-").count();
    if from_stdin > 1 {
        let message = "standard input can be read only once: write `-` once, and give a file for the other input";
        return Err(vec![Diagnostic::error(message)]);
    }
    let mut notes = Vec::new();
    let (old, new) = match (read(&arguments.old, &mut notes), read(&arguments.new, &mut notes)) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => return Err([old.err(), new.err()].into_iter().flatten().flatten().collect()),
    };
    let existing =
        if arguments.existing.is_empty() { Vec::new() } else { input::documents(&arguments.existing, |_, _| ())? };
    let existing: Vec<&Document> = existing.iter().filter(|document| existing::is_source(document)).collect();
    let is_input = |documents: &[Document]| documents.iter().any(|document| render::is_rendered(&document.node));
    let has_manifests = |documents: &[Document]| !documents.is_empty() && !is_input(documents);
    // Both inputs need the same seed, else all passwords would differ.
    let shared = seed::random().map_err(|error| vec![error])?;
    let needs_seed = has_manifests(&old) || has_manifests(&new);
    let context = Rendering { seed: &arguments.seed, environment, options: &options, existing, shared, needs_seed };
    let ((old, before), (new, mut warnings)) = match (context.side(&old), context.side(&new)) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => {
            let mut errors: Vec<_> = [old.err(), new.err()].into_iter().flatten().flatten().collect();
            // What is wrong on both sides in the same file is told once.
            errors.dedup();
            return Err(errors);
        }
    };
    if old.clusters.is_empty() && new.clusters.is_empty() {
        let message = format!("no {} in the inputs, and no manifests that were rendered from one", render::kinds());
        return Err(vec![Diagnostic::error(message)]);
    }
    let mut report = diff::compare(&old, &new, arguments.fields);
    report.notes.extend(notes);
    // A warning that was there before is not about the change.
    let is_same = |one: &Diagnostic, other: &Diagnostic| one.message == other.message && one.field == other.field;
    warnings.retain(|warning| !before.iter().any(|other| is_same(other, warning)));
    Ok((report, warnings))
}

/// Reads an input.
fn read(name: &str, notes: &mut Vec<String>) -> Result<Vec<Document>, Vec<Diagnostic>> {
    let Some(revision) = revision::parse(name).map_err(|error| vec![error])? else {
        return input::documents(&[PathBuf::from(name)], |_, _| ()).map_err(|errors| hinted(name, errors));
    };
    if let Some(found) = revision.documents()? {
        notes.extend(found.notes);
        return Ok(found.documents);
    }
    notes.push(revision.absent());
    Ok(Vec::new())
}

/// Says how to write a revision whose path was forgotten.
fn hinted(name: &str, mut errors: Vec<Diagnostic>) -> Vec<Diagnostic> {
    if name != "-" && !Path::new(name).exists() && revision::is_revision(name) {
        for error in &mut errors {
            error.message = format!("{}; write `{name}:PATH` for a Git revision", error.message);
        }
    }
    errors
}

/// What both inputs are rendered with. It contains a seed, so it does not implement `Debug`.
struct Rendering<'a> {
    seed: &'a SeedSettings,
    environment: &'a Environment,
    options: &'a Options,
    existing: Vec<&'a Document>,
    /// A seed for this run.
    shared: Seed,
    /// Whether one of the inputs has manifests, which were rendered with the real seed.
    needs_seed: bool,
}

impl Rendering<'_> {
    /// Returns the objects of an input, rendered if it has clusters, else as they are, and the warnings of the rendering.
    fn side(&self, documents: &[Document]) -> Result<(Side, Vec<Diagnostic>), Vec<Diagnostic>> {
        let mut side = Side::default();
        let inputs: Vec<&Document> = documents.iter().collect();
        if !documents.iter().any(|document| render::is_rendered(&document.node)) {
            for document in documents {
                side.add_manifest(document);
            }
            return Ok((side, Vec::new()));
        }
        let found = if self.needs_seed {
            Some(seed::find(self.seed, self.environment, &inputs).map_err(because_of_manifests)?)
        } else {
            seed::find_if_given(self.seed, self.environment, &inputs)?
        };
        let seed = found.as_ref().map_or(&self.shared, |found| &found.seed);
        let all = inputs.into_iter().chain(self.existing.iter().copied());
        let Plan { resources, diagnostics } = render::plan(all, self.options, Ok(seed));
        if has_errors(&diagnostics) {
            return Err(diagnostics.into_iter().filter(|found| found.severity == Severity::Error).collect());
        }
        for resource in &resources {
            for object in &resource.objects() {
                side.add_rendered(object);
            }
        }
        Ok((side, diagnostics.into_iter().filter(|found| found.severity == Severity::Warning).collect()))
    }
}

/// Says why a seed is needed.
fn because_of_manifests(mut errors: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let message = "the manifests were rendered with a seed, and comparing them with a cluster needs the same one";
    errors.insert(0, Diagnostic::error(message));
    errors
}
