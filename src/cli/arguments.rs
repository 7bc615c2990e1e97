//! The command line.

use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};

use super::input;
use super::settings::{self, Certificates, Setting, Settings};
use crate::diagnostic::Diagnostic;
use crate::options::{CredentialSource, IssuerReference};
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

    /// Namespace of clusters that do not set one
    #[arg(short, long, value_name = "NAMESPACE", value_parser = settings::namespace)]
    namespace: Option<String>,

    /// Domain of the Kubernetes cluster [default: cluster.local]
    #[arg(long, value_name = "DOMAIN", value_parser = settings::cluster_domain)]
    cluster_domain: Option<String>,

    /// Image to use, by PGO's name for it; may be repeated. RELATED_IMAGE_* in the environment have the same effect
    #[arg(long = "image", value_name = "NAME=IMAGE", value_parser = image)]
    images: Vec<(String, String)>,

    /// Time for which certificates are chosen, RFC 3339 or seconds since 1970 [default: SOURCE_DATE_EPOCH, else now]
    #[arg(long, value_name = "TIME", value_parser = settings::time)]
    time: Option<i64>,

    /// Source of certificates: `seed` or `cert-manager` [default: seed]
    #[arg(long, value_name = "SOURCE", value_parser = settings::certificates)]
    certificates: Option<Certificates>,

    /// Issuer for cert-manager, as `ClusterIssuer/company-ca` [default: one CA per cluster]
    #[arg(long, value_name = "KIND/NAME", value_parser = settings::issuer)]
    certificate_issuer: Option<IssuerReference>,

    /// Source of passwords: `seed`, or `reference` for Secrets that you provide [default: seed]
    #[arg(long, value_name = "SOURCE", value_parser = settings::credentials)]
    credentials: Option<CredentialSource>,

    /// Days after which certificates are replaced, 1 to 365 [default: 182]
    #[arg(long = "certificate-window", value_name = "DAYS", value_parser = settings::days)]
    certificate_window_days: Option<u16>,

    /// Days that certificates are valid, at least 30 more than the window and at most 825 [default: 397]
    #[arg(long = "certificate-lifetime", value_name = "DAYS", value_parser = settings::days)]
    certificate_lifetime_days: Option<u16>,

    /// Name of the group of clusters that share a CA, across namespaces [default: the namespace]
    #[arg(long, value_name = "NAME", value_parser = settings::trust_domain)]
    trust_domain: Option<String>,

    /// Another trust domain whose CA is also trusted, while clusters move between two trust domains; may be repeated
    #[arg(long = "trust-also", value_name = "NAME", value_parser = settings::trust_domain)]
    trust_also: Vec<String>,

    /// Also render NetworkPolicies, which say who can connect to which port. The network plugin must enforce them
    #[arg(long)]
    network_policies: bool,

    /// Let the caretaker write EndpointSlices, for a Kubernetes that does not create EndpointSlices from Endpoints. The
    /// caretaker can then direct any Service of the namespace to a pod
    #[arg(long)]
    endpoint_slices: bool,

    /// The Kubernetes cluster is OpenShift, for clusters that do not set `spec.openshift` [default: PGRENDER_OPENSHIFT]
    #[arg(long)]
    openshift: bool,

    /// File with the seed
    #[arg(long, value_name = "FILE", conflicts_with = "random")]
    seed_file: Option<PathBuf>,

    /// Generate a seed for this run only, for a temporary database: the next run creates other passwords
    #[arg(long)]
    random: bool,
}

impl RenderArguments {
    /// Reads the files of `--existing`. Standard input can be read only once, so `-` cannot be an input file too.
    pub(super) fn existing(&self) -> Result<Vec<Document>, Vec<Diagnostic>> {
        let stdin = Path::new("-");
        let taken = self.inputs.is_empty() || self.inputs.iter().any(|input| input == stdin);
        if taken && self.existing.iter().any(|input| input == stdin) {
            let message = "standard input is used both for the clusters and for `--existing`, but can be read only \
                           once: give a file for one of them";
            return Err(vec![Diagnostic::error(message)]);
        }
        if self.existing.is_empty() { Ok(Vec::new()) } else { input::documents(&self.existing) }
    }

    /// Converts the flags into settings. If two flags contradict each other, that is an error.
    pub(super) fn settings(&self) -> Result<Settings, clap::Error> {
        let refused = |(setting, message): (Setting, String)| invalid(setting, &message);
        let schedule = settings::schedule(self.certificate_window_days, self.certificate_lifetime_days);
        let settings = Settings {
            namespace: self.namespace.clone(),
            cluster_domain: self.cluster_domain.clone(),
            images: self.images.iter().cloned().collect(),
            time: self.time,
            certificates: self.certificates.unwrap_or_default(),
            issuer: self.certificate_issuer.clone(),
            credentials: self.credentials.unwrap_or_default(),
            schedule: schedule.map_err(refused)?,
            trust_domain: self.trust_domain.clone(),
            trust_also: self.trust_also.clone(),
            network_policies: self.network_policies,
            endpoint_slices: self.endpoint_slices,
            openshift: self.openshift.then_some(true),
            seed_file: self.seed_file.clone(),
            random: self.random,
        };
        settings.check().map_err(refused)?;
        Ok(settings)
    }
}

/// Creates an error in the format of clap's own errors.
fn invalid(setting: Setting, message: &str) -> clap::Error {
    let mut command = Arguments::command();
    command.build();
    let message = format!("invalid value for '{}': {message}", setting.flag());
    match command.find_subcommand_mut("render") {
        Some(render) => render.error(ErrorKind::ValueValidation, message),
        None => command.error(ErrorKind::ValueValidation, message),
    }
}

fn image(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, image)) if !image.is_empty() => Ok((settings::image_name(name)?, image.to_owned())),
        _ => Err("expected `NAME=IMAGE`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn an_image_has_a_known_kind_of_name() {
        assert!(image("RELATED_IMAGE_PGBACKREST=a/b:c@sha256:d").is_ok());
        for wrong in ["RELATED_IMAGE_PGBACKREST", "RELATED_IMAGE_PGBACKREST=", "pgbackrest=a", "RELATED_IMAGE_=a"] {
            assert!(image(wrong).is_err(), "{wrong}");
        }
    }
}
