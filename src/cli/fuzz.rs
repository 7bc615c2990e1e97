//! Changes valid input at random and passes it to every way to call the program. The program must not crash, run long, fill the
//! memory, reveal a secret, or write an incomplete output.
//!
//! The changes are the same in every run. `PGRENDER_FUZZ_SECONDS` sets the duration; the default is 20 s. `make fuzz` runs the
//! release build for half an hour. A `PGRENDER_FUZZ_SEED` other than 1 generates other inputs.

#![expect(clippy::disallowed_methods, reason = "tests work with files and the environment")]

mod mutate;

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::cli::environment::Environment;
use crate::cli::outcome::Outcome;
use crate::cli::{function, legacy_plugin, run};
use crate::diagnostic::{Diagnostic, Severity, has_errors};
use crate::read::node::Node;
use crate::read::{self, Document};
use crate::write::yaml;
use mutate::Mutator;

/// A text that stands for every secret value. No fixture contains it.
const CANARY: &str = "cAnArY-0f61e5b2";
/// The largest time for one input, in the debug and in the release build. The inputs are small, so this finds algorithms that
/// are slow, not large inputs.
const MAX_SECONDS: f64 = if cfg!(debug_assertions) { 10.0 } else { 1.0 };
const MAX_MEBIBYTES: u64 = 256;
/// The longest input, in bytes. Changes repeat parts of a text, and the cost grows with the text.
const LONGEST_INPUT: usize = 1 << 20;
/// Directories with valid input.
const CORPUS: [&str; 3] = ["fixtures", "kustomize", "functions"];

#[test]
fn changed_input_neither_crashes_nor_hangs_nor_tells_a_secret() {
    let variable = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seconds = variable("PGRENDER_FUZZ_SECONDS");
    let mut fuzzer = Fuzzer::new(variable("PGRENDER_FUZZ_SEED").unwrap_or(1), seconds.is_some());
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(seconds.unwrap_or(20)) {
        fuzzer.once();
    }
    let Fuzzer { runs, rendered, worst, .. } = fuzzer;
    println!("{runs} inputs, {rendered} of them rendered; at most {:.3} s of CPU time and {} MiB", worst.0, worst.1);
    assert!(runs > 20 && rendered > 0, "{runs} inputs, {rendered} rendered");
}

/// A way to call the program.
#[derive(Clone, Copy, Debug)]
enum Way {
    CommandLine,
    Check,
    Function,
    Plugin,
}

struct Fuzzer {
    random: SmallRng,
    mutator: Mutator,
    /// Documents of valid input, by file.
    corpus: Vec<(PathBuf, Vec<Value>)>,
    directory: tempfile::TempDir,
    /// Whether memory is measured. This is possible only if no other test runs in this process.
    measured: bool,
    runs: usize,
    rendered: usize,
    worst: (f64, u64),
}

impl Fuzzer {
    fn new(seed: u64, measured: bool) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        for name in CORPUS {
            find(&root.join(name), &mut files);
        }
        files.sort();
        let corpus: Vec<(PathBuf, Vec<Value>)> = files
            .into_iter()
            .filter_map(|path| {
                let text = fs::read_to_string(&path).ok()?;
                let documents = read::documents("", &text).ok()?;
                let values: Vec<Value> = documents.iter().map(|document| document.node.to_json()).collect();
                (!values.is_empty() && text.len() < 100_000).then_some((path, values))
            })
            .collect();
        assert!(corpus.len() > 40, "{}", corpus.len());
        let pool = corpus.iter().flat_map(|(_, values)| values.clone()).collect();
        Self {
            random: SmallRng::seed_from_u64(seed),
            mutator: Mutator::new(pool),
            corpus,
            directory: tempfile::tempdir().unwrap(),
            measured,
            runs: 0,
            rendered: 0,
            worst: (0.0, 0),
        }
    }

    /// Generates one input, runs the program with it and checks the output.
    fn once(&mut self) {
        let documents = self.documents();
        let way = *[Way::CommandLine, Way::CommandLine, Way::Check, Way::Function, Way::Function, Way::Plugin]
            .choose(&mut self.random)
            .unwrap();
        let config = self.config();
        let mut text = match way {
            Way::Function => list(&documents, &config),
            _ => stream(&documents),
        };
        let bytes = self.random.random_ratio(1, 4);
        if bytes {
            text = Mutator::bytes(&text, &mut self.random);
        }
        if text.len() > LONGEST_INPUT {
            return;
        }
        let input = self.directory.path().join("input.yaml");
        fs::write(&input, &text).unwrap();
        let environment = Environment {
            seed: self.random.random_ratio(7, 8).then(|| format!("{CANARY} {CANARY} {CANARY}").into_bytes().into()),
            source_date_epoch: Some("1767225600".to_owned()),
            images: ["POSTGRES_17", "POSTGRES_16", "PGBACKREST", "PGBOUNCER"]
                .map(|name| (format!("RELATED_IMAGE_{name}"), "image:1".to_owned()))
                .into(),
            ..Environment::default()
        };
        let kept = self.directory.path().join("last.yaml");
        let (text, config) = (text, yaml::to_string(&config));
        let started = Usage::start(self.measured);
        let outcome = catch_unwind(AssertUnwindSafe(|| match way {
            Way::CommandLine => command_line(&input, &mut self.random, &environment),
            Way::Check => {
                let format = *["text", "json", "sarif", "github"].choose(&mut self.random).unwrap();
                let arguments = ["pgrender", "check", "--namespace=postgres-operator", "--format", format];
                run(&arguments.iter().map(Into::into).chain([input.clone().into()]).collect::<Vec<_>>(), &environment)
            }
            Way::Function => function::run(&text, &environment),
            Way::Plugin => plugin(&text, &config, &environment),
        }));
        let used = started.end();
        self.runs += 1;
        self.worst = (self.worst.0.max(used.0), self.worst.1.max(used.1));
        let context = || {
            fs::write(&kept, &text).unwrap();
            let place = std::env::temp_dir().join("pgrender-fuzz-finding.yaml");
            let _ = fs::copy(&kept, &place);
            format!("{way:?}, input {} of this run, kept in {}", self.runs, place.display())
        };
        let changed = Changed {
            bytes,
            public: bytes && (text.contains(CANARY) || hidden().any(|hidden| text.contains(&hidden))),
        };
        let Ok(outcome) = outcome else { panic!("it panics: {}", context()) };
        assert!(used.0 <= MAX_SECONDS && used.1 <= MAX_MEBIBYTES, "{} s, {} MiB: {}", used.0, used.1, context());
        let answer = outcome.stdout.text();
        if let Err(fault) = check(way, &documents, changed, outcome.code, &answer, &outcome.stderr) {
            panic!("{fault}: {}\n{}", context(), outcome.stderr);
        }
        self.rendered += usize::from(outcome.code == 0);
    }

    /// Returns the changed documents of one or two files, often with existing Secrets of their clusters.
    fn documents(&mut self) -> Vec<Value> {
        let mut documents = self.corpus.choose(&mut self.random).unwrap().1.clone();
        if self.random.random_ratio(1, 4) {
            documents.extend(self.corpus.choose(&mut self.random).unwrap().1.clone());
        }
        for _ in 0..self.random.random_range(0..4) {
            let document = self.random.random_range(0..documents.len());
            self.mutator.tree(&mut documents[document], &mut self.random);
        }
        if self.random.random_ratio(1, 3) {
            let clusters = documents.iter().filter_map(|document| document["metadata"]["name"].as_str());
            let clusters: Vec<String> = clusters.take(2).map(str::to_owned).collect();
            for cluster in clusters {
                let secrets = self.secrets(&cluster);
                documents.extend(secrets);
            }
        }
        documents
    }

    /// Returns Secrets with the names that a cluster's Secrets have, and the canary in every value.
    fn secrets(&mut self, cluster: &str) -> Vec<Value> {
        let names = [
            "pguser-hippo",
            "pgbouncer",
            "monitoring",
            "cluster-cert",
            "replication-cert",
            "pgbackrest",
            "instance1-certs",
        ];
        let keys = [
            "password",
            "verifier",
            "pgbouncer-password",
            "pgbouncer-verifier",
            "tls.crt",
            "tls.key",
            "ca.crt",
            "patroni.crt-combined",
            "pgbackrest-client.crt",
            "pgbackrest-client.key",
            "root.crt",
            "root.key",
            "seed",
        ];
        let shapes = [
            CANARY.to_owned(),
            format!("SCRAM-SHA-256$4096:c2FsdA==${CANARY}:{CANARY}"),
            format!("md5{CANARY}"),
            format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(CANARY)),
            format!("-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n"),
            format!("{CANARY}\n{CANARY}\0"),
            CANARY.repeat(4),
        ];
        let mut secrets = Vec::new();
        for _ in 0..self.random.random_range(1..4) {
            let mut name = format!("{cluster}-{}", names.choose(&mut self.random).unwrap());
            if self.random.random_ratio(1, 6) {
                "pgo-root-cacert".clone_into(&mut name);
            }
            let plain = self.random.random();
            let mut values = BTreeMap::new();
            for _ in 0..self.random.random_range(0..5) {
                let value = shapes.choose(&mut self.random).unwrap();
                let value = if plain { value.clone() } else { STANDARD.encode(value) };
                values.insert((*keys.choose(&mut self.random).unwrap()).to_owned(), json!(value));
            }
            let mut secret = json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": "postgres-operator"},
                (if plain { "stringData" } else { "data" }): values,
            });
            match self.random.random_range(0..12) {
                0 => secret["data"] = json!(CANARY),
                1 => secret["stringData"] = json!([CANARY]),
                2 => secret["stringData"] = json!({"password": {"a": CANARY}}),
                3 => secret["metadata"]["annotations"] = json!({"pgrender.dev/seed": "true"}),
                4 => secret["metadata"]["annotations"] = json!({"pgrender.dev/seed": true}),
                _ => {}
            }
            secrets.push(secret);
        }
        secrets
    }

    /// Returns the configuration of a function.
    fn config(&mut self) -> Value {
        let specs = [
            json!({}),
            json!({"namespace": "postgres-operator"}),
            json!({"namespace": "postgres-operator", "certificates": "cert-manager"}),
            json!({"namespace": "postgres-operator", "credentials": "reference"}),
            json!({"namespace": "postgres-operator", "trustDomain": "a", "trustAlso": ["b", "c"]}),
            json!({"random": true}),
        ];
        let spec = specs.choose(&mut self.random).unwrap();
        let mut config =
            json!({"apiVersion": "pgrender.dev/v1alpha1", "kind": "PgRender", "metadata": {"name": "a"}, "spec": spec});
        if self.random.random_ratio(1, 8) {
            self.mutator.tree(&mut config, &mut self.random);
            // The fuzzer must not read files of the machine.
            if let Some(spec) = config.get_mut("spec").and_then(Value::as_object_mut) {
                spec.shift_remove("seedFile");
            }
        }
        config
    }
}

fn find(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            find(&entry.unwrap().path(), files);
        }
    } else if path.extension().is_some_and(|extension| extension == "yaml") {
        files.push(path.to_owned());
    }
}

fn stream(documents: &[Value]) -> String {
    documents.iter().map(yaml::to_string).collect::<Vec<_>>().join("---\n")
}

fn list(documents: &[Value], config: &Value) -> String {
    yaml::to_string(&json!({
        "apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": documents, "functionConfig": config,
    }))
}

fn command_line(input: &Path, random: &mut SmallRng, environment: &Environment) -> Outcome {
    let mut arguments = vec!["pgrender".into(), "render".into(), input.into(), "--namespace=postgres-operator".into()];
    // These two options cannot be combined.
    let certificates =
        ["--certificates=cert-manager", "--trust-also=b"].choose(random).filter(|_| random.random_ratio(1, 3));
    let credentials = random.random_ratio(1, 5).then_some(&"--credentials=reference");
    arguments.extend(certificates.into_iter().chain(credentials).map(Into::into));
    if random.random_ratio(1, 5) {
        arguments.extend(["--existing".into(), input.into()]);
    }
    if random.random_ratio(1, 10) {
        arguments.extend(["--output-dir".into(), input.with_file_name("out").into()]);
    }
    run(&arguments, environment)
}

fn plugin(text: &str, config: &str, environment: &Environment) -> Outcome {
    let read =
        read::documents("<stdin>", text).and_then(|items| Ok((items, read::documents("<configuration>", config)?)));
    match read {
        Ok((items, config)) => legacy_plugin::answer(&items, &config, environment),
        Err(errors) => Outcome::failed(errors),
    }
}

/// How an input was changed.
#[derive(Clone, Copy)]
struct Changed {
    /// Whether its bytes were changed.
    bytes: bool,
    /// Whether the change could have moved the canary from a Secret to a place whose values may be shown.
    public: bool,
}

/// Returns the parts of [`CANARY`] that are visible in base64, for each possible offset among the encoded bytes.
fn hidden() -> impl Iterator<Item = String> {
    [0, 1, 2].into_iter().map(|before| {
        let bytes = [&[0; 2][..before], CANARY.as_bytes()].concat();
        // A character encodes six bits. A character that also encodes bits of a neighbour is left out.
        let (first, last) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        STANDARD.encode(&bytes)[first..last].to_owned()
    })
}

/// Returns what is wrong with the output.
fn check(way: Way, documents: &[Value], changed: Changed, code: u8, stdout: &str, stderr: &str) -> Result<(), String> {
    if code > 1 {
        return Err(format!("exit code {code}"));
    }
    if matches!(way, Way::Check) {
        return check_findings(changed, code, stdout, stderr);
    }
    if (code == 1) != stderr.lines().any(|line| line.contains("error: ")) {
        return Err(format!("exit code {code} does not fit what it says"));
    }
    let Changed { bytes, public } = changed;
    let told = stderr.lines().find(|line| line.contains(CANARY) || hidden().any(|hidden| line.contains(&hidden)));
    let told = told.filter(|_| !public);
    if let Some(line) = told {
        return Err(format!("it tells a secret: {line}"));
    }
    if !matches!(way, Way::Function) && code == 1 && !stdout.is_empty() {
        return Err("there is output beside errors".to_owned());
    }
    let read =
        read::documents("answer", stdout).map_err(|errors| format!("the answer cannot be read: {}", first(&errors)))?;
    let Way::Function = way else {
        let kinds = read.iter().all(|document| document.node.get("kind").is_some() || matches!(way, Way::Plugin));
        return if kinds { Ok(()) } else { Err("an object without a kind".to_owned()) };
    };
    let [Document { node, .. }] = read.as_slice() else { return Err("the answer is no list".to_owned()) };
    let items = node.get("items").ok_or("the answer has no items")?.items().len();
    let results: Vec<Value> =
        node.get("results").map(|results| results.items().iter().map(Node::to_json).collect()).unwrap_or_default();
    if !public && results.iter().any(|result| result.to_string().contains(CANARY)) {
        return Err("a result tells a secret".to_owned());
    }
    if code == 1 && !results.iter().any(|result| result["severity"] == Severity::Error.to_string()) {
        return Err("no result says what is wrong".to_owned());
    }
    // If the input cannot be read as a list, the output is an empty list.
    if code == 1 && !bytes && ![0, documents.len()].contains(&items) {
        return Err(format!("{items} of {} items came back", documents.len()));
    }
    Ok(())
}

/// Returns what is wrong with the findings of a check.
fn check_findings(changed: Changed, code: u8, stdout: &str, stderr: &str) -> Result<(), String> {
    if !stderr.is_empty() || (code == 1 && !stdout.contains("error")) {
        return Err(format!("exit code {code} does not fit what it says"));
    }
    let secret = stdout.lines().find(|line| line.contains(CANARY) || hidden().any(|hidden| line.contains(&hidden)));
    if let Some(line) = secret.filter(|_| !changed.public) {
        return Err(format!("it shows a secret: {line}"));
    }
    let is_json = stdout.starts_with('{');
    if is_json && serde_json::from_str::<Value>(stdout).is_err() { Err("no JSON".to_owned()) } else { Ok(()) }
}

fn first(diagnostics: &[Diagnostic]) -> String {
    debug_assert!(has_errors(diagnostics));
    diagnostics.first().map(ToString::to_string).unwrap_or_default()
}

/// Measures the cost of an input: CPU time and memory on Linux, else elapsed time.
struct Usage {
    start: Instant,
    cpu: Option<u64>,
    measured: bool,
}

impl Usage {
    fn start(measured: bool) -> Self {
        if measured {
            // Resets the peak memory usage to the current usage (proc_pid_clear_refs(5)).
            let _ = fs::write("/proc/self/clear_refs", "5");
        }
        Self { start: Instant::now(), cpu: cpu(), measured }
    }

    /// Returns seconds and MiB.
    fn end(&self) -> (f64, u64) {
        let seconds = match (self.cpu, cpu()) {
            (Some(before), Some(now)) => Duration::from_nanos(now.saturating_sub(before)).as_secs_f64(),
            _ => self.start.elapsed().as_secs_f64(),
        };
        let status =
            if self.measured { fs::read_to_string("/proc/self/status").unwrap_or_default() } else { String::new() };
        let most = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        (seconds, most.unwrap_or_default() / 1024)
    }
}

/// Returns the CPU time of this thread in nanoseconds (proc_pid_schedstat, Linux).
fn cpu() -> Option<u64> {
    fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}
