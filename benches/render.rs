//! How long each step takes, and all of them: for 1, 100 and 1,000 clusters of the tutorial's kind.

#![expect(clippy::unwrap_used, reason = "a benchmark fails as a test does")]

use divan::Bencher;
use pgrender::identity::Seed;
use pgrender::identity::window::Window;
use pgrender::options::Options;
use pgrender::parse::Settings;
use pgrender::postgres_cluster::cluster::Cluster;
use pgrender::postgres_cluster::objects;
use pgrender::postgres_cluster::parse;
use pgrender::postgres_cluster::resolve;
use pgrender::postgres_cluster::secrets::existing::Existing;
use pgrender::postgres_cluster::secrets::{derive, identity::Identity};
use pgrender::read::{self, Document};
use pgrender::render;
use pgrender::write::resource_list;
use serde_json::Value;

const HIPPO: &str = include_str!("../fixtures/hippo/cluster.yaml");
const CLUSTERS: [usize; 3] = [1, 100, 1000];
/// 2026-01-01 00:00:00 UTC.
const TIME: i64 = 1_767_225_600;

fn main() {
    divan::main();
}

/// A text of this many clusters.
fn text(count: usize) -> String {
    let cluster = |number| HIPPO.replace("name: hippo\n  namespace", &format!("name: hippo-{number}\n  namespace"));
    (0..count).map(cluster).collect::<Vec<_>>().join("---\n")
}

fn options() -> Options {
    Options { time: TIME, ..Options::default() }
}

fn seed() -> Seed {
    Seed::new(b"a seed for the benchmarks only, which is not a secret at all").ok().unwrap()
}

fn documents(text: &str) -> Vec<Document> {
    read::documents("cluster.yaml", text).unwrap()
}

fn clusters(documents: &[Document]) -> Vec<Cluster> {
    let cluster = |document| {
        let (resource, _) = parse::parse(document, Settings::default());
        resolve::resolve(&resource.unwrap(), &options()).0.unwrap()
    };
    documents.iter().map(cluster).collect()
}

fn identities(clusters: &[Cluster], seed: &Seed) -> Vec<Identity> {
    let options = options();
    let window = Window::containing(options.time, options.certificates).unwrap();
    let derive = |cluster| derive::derive(cluster, seed, window, &options, &Existing::default()).0.unwrap();
    clusters.iter().map(derive).collect()
}

fn objects(clusters: &[Cluster], identities: &[Identity]) -> Vec<Value> {
    clusters
        .iter()
        .zip(identities)
        .flat_map(|(cluster, identity)| objects::build(cluster, identity))
        .map(|object| object.to_value())
        .collect()
}

/// From text to resolved clusters.
#[divan::bench(args = CLUSTERS, sample_count = 10)]
fn parse(bencher: Bencher, count: usize) {
    let text = text(count);
    bencher.bench(|| clusters(&documents(&text)));
}

/// Passwords, verifiers, keys and certificates.
#[divan::bench(args = CLUSTERS, sample_count = 10)]
fn derive(bencher: Bencher, count: usize) {
    let (clusters, seed) = (clusters(&documents(&text(count))), seed());
    bencher.bench(|| identities(&clusters, &seed));
}

/// Objects.
#[divan::bench(args = CLUSTERS, sample_count = 10)]
fn build(bencher: Bencher, count: usize) {
    let clusters = clusters(&documents(&text(count)));
    let identities = identities(&clusters, &seed());
    bencher.bench(|| objects(&clusters, &identities));
}

/// From objects to text.
#[divan::bench(args = CLUSTERS, sample_count = 10)]
fn write(bencher: Bencher, count: usize) {
    let clusters = clusters(&documents(&text(count)));
    let objects = objects(&clusters, &identities(&clusters, &seed()));
    bencher.with_inputs(|| objects.clone()).bench_values(resource_list::stream);
}

/// From text to text.
#[divan::bench(args = CLUSTERS, sample_count = 10)]
fn whole(bencher: Bencher, count: usize) {
    let (text, seed) = (text(count), seed());
    bencher.bench(|| {
        let rendered = render::render(&documents(&text), &options(), Ok(&seed));
        resource_list::stream(
            rendered.resources.into_iter().flat_map(|resource| resource.objects).map(|object| object.to_value()),
        )
    });
}
