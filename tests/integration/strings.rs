//! Tests every difficult string in every field that accepts one: it comes back unchanged through pgrender, kubectl, kustomize
//! and kpt, or it is refused with a clear error.

mod places;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pgrender::read;
use pgrender::write::{resource_list, yaml};
use serde_json::{Value, json};

use crate::common::rendering::{SEED, objects};
use crate::common::tools::program;
use places::{PLACES, Place};

/// The largest number of strings in one cluster that are used as parameters.
const CHUNK: usize = 50;

/// All strings, and those that no notation brings through kustomize.
struct Strings {
    all: Vec<String>,
    lost: Vec<String>,
}

fn strings() -> Strings {
    let lists: Value = serde_json::from_str(include_str!("../../fixtures/yaml/nasty-strings.json")).unwrap();
    let texts = |name: &str| -> Vec<String> { serde_json::from_value(lists[name].clone()).unwrap() };
    let lost = texts("kustomize_cannot_carry");
    Strings { all: [texts("plain"), texts("multiline"), lost.clone()].concat(), lost }
}

/// Returns clusters with these strings at a place, and the paths of their fields.
fn clusters(place: &Place, strings: &[&String]) -> Vec<(Value, Vec<String>)> {
    let chunks = strings.chunks(CHUNK).enumerate();
    let cluster = |(chunk, strings): (usize, &[&String])| {
        let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
        let mut spec = json!({"postgresVersion": 17, "instances": [{"dataVolumeClaimSpec": claim}]});
        let put = |(number, text): (usize, &&String)| (place.put)(&mut spec, number, text);
        let paths = strings.iter().enumerate().map(put).collect();
        if let Some(bucket) = spec.pointer_mut("/backups/pgbackrest/repos/0/gcs/bucket") {
            // Two clusters must not archive into one bucket.
            *bucket = json!(format!("bucket-{chunk}"));
        }
        let cluster = json!({
            "apiVersion": "postgres-operator.crunchydata.com/v1",
            "kind": "PostgresCluster",
            "metadata": {"name": format!("{}-{chunk}", place.name), "namespace": "zoo"},
            "spec": spec,
        });
        (cluster, paths)
    };
    chunks.map(cluster).collect()
}

/// Returns the strings that a place accepts.
fn accepted<'a>(place: &Place, strings: &'a [String]) -> Vec<&'a String> {
    strings.iter().filter(|text| !(place.refused)(text)).collect()
}

#[test]
fn a_string_is_refused_where_it_can_do_no_good() {
    let strings = strings();
    for place in PLACES {
        let mut left: Vec<&String> = strings.all.iter().collect();
        // Some rules run only if others hold. So the refused strings are removed, and the rest is checked again.
        loop {
            let refused: Vec<&String> = refused(&place, &left);
            for text in &refused {
                assert!((place.refused)(text), "{} {text:?}", place.name);
            }
            if refused.is_empty() {
                break;
            }
            left.retain(|text| !refused.contains(text));
        }
        assert_eq!(left, accepted(&place, &strings.all), "{}", place.name);
    }
}

/// Returns the strings whose field has an error.
fn refused<'a>(place: &Place, strings: &[&'a String]) -> Vec<&'a String> {
    let mut refused = Vec::new();
    for ((cluster, paths), texts) in clusters(place, strings).iter().zip(strings.chunks(CHUNK)) {
        for error in objects(&yaml::to_string(cluster)).err().unwrap_or_default() {
            let field = error.field.unwrap_or_else(|| panic!("{}", error.message)).to_string();
            let is_there =
                |path: &String| field.strip_prefix(path).is_some_and(|rest| !rest.starts_with(char::is_numeric));
            let position = paths.iter().position(is_there).unwrap_or_else(|| panic!("{field}"));
            refused.push(texts[position]);
        }
    }
    refused
}

#[test]
fn a_string_that_is_accepted_is_where_it_belongs() {
    let strings = strings();
    for place in PLACES {
        let accepted = accepted(&place, &strings.all);
        assert!(accepted.len() > 100);
        for ((cluster, _), texts) in clusters(&place, &accepted).iter().zip(accepted.chunks(CHUNK)) {
            let objects = objects(&yaml::to_string(cluster)).unwrap_or_else(|errors| panic!("{errors:#?}"));
            for (number, text) in texts.iter().enumerate() {
                assert_eq!((place.find)(&objects, number), Some(json!(text)), "{}", place.name);
            }
        }
    }
}

/// Returns a command that finds pgrender and uses the seed of the tests.
fn caller(program: &Path) -> Command {
    let ours = PathBuf::from(env!("CARGO_BIN_EXE_pgrender"));
    let directories = std::env::var_os("PATH").unwrap_or_default();
    let path =
        std::env::join_paths(ours.parent().map(Path::to_owned).into_iter().chain(std::env::split_paths(&directories)));
    let mut command = Command::new(program);
    command.env("PATH", path.unwrap()).env("PGRENDER_SEED", SEED).env("SOURCE_DATE_EPOCH", "1767225600");
    // All strings together need many clusters with many users.
    command.env("PGRENDER_MAX_CLUSTERS", "300");
    command
}

/// Returns what a program prints, or its error.
fn run(command: &mut Command, stdin: &str) -> Result<String, String> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let stdin = stdin.to_owned();
    // This needs its own thread, because the program may write before it has read everything.
    let writer = std::thread::spawn(move || input.write_all(stdin.as_bytes()));
    let output = child.wait_with_output().unwrap();
    drop(writer.join().unwrap());
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout).unwrap());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Returns the objects of a text as kubectl reads them, in the order of their names.
fn as_kubectl_reads(kubectl: &Path, text: &str) -> Vec<Value> {
    let arguments = ["annotate", "--local", "--filename", "-", "--output", "json", "read-by=kubectl"];
    let output = run(Command::new(kubectl).args(arguments), text).unwrap();
    let objects = serde_json::Deserializer::from_str(&output).into_iter::<Value>().map(Result::unwrap);
    sorted(objects.map(|mut object| {
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata["annotations"].as_object_mut().unwrap().remove("read-by");
        if metadata["annotations"] == json!({}) {
            metadata.remove("annotations");
        }
        object
    }))
}

fn sorted(objects: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let mut objects: Vec<Value> = objects.into_iter().collect();
    objects.sort_by_key(|object| format!("{} {}", object["kind"], object["metadata"]["name"]));
    objects
}

/// Returns all clusters, with the strings that their place accepts and for which `carried` is true.
fn all_clusters(carried: impl Fn(&Place, &str) -> bool) -> Vec<Value> {
    let strings = strings();
    let of_place = |place: &Place| {
        let mut texts = accepted(place, &strings.all);
        texts.retain(|text| carried(place, text));
        clusters(place, &texts)
    };
    PLACES.iter().flat_map(of_place).map(|(cluster, _)| cluster).collect()
}

fn expected(clusters: &[Value]) -> Vec<Value> {
    let text: Vec<String> = clusters.iter().map(yaml::to_string).collect();
    objects(&text.join("---\n")).unwrap()
}

#[test]
fn every_object_comes_back_from_kubectl() {
    let Some(kubectl) = program("kubectl") else { return };
    let objects = expected(&all_clusters(|_, _| true));
    assert!(objects.len() > 500, "{}", objects.len());
    let text = resource_list::stream(objects.clone());
    assert!(as_kubectl_reads(&kubectl, &text) == sorted(objects));
}

/// No notation brings these strings through kyaml, with which kustomize and kpt read and write.
fn is_lost(text: &str) -> bool {
    strings().lost.iter().any(|lost| text.contains(lost.as_str()))
}

/// kyaml writes the line breaks of YAML 1.1 unescaped, which pgrender's reader refuses.
fn is_old_line_break(text: &str) -> bool {
    text.contains(['\u{2028}', '\u{2029}', '\u{85}'])
}

const TRANSFORMER: &str = "\
apiVersion: pgrender.dev/v1alpha1
kind: PgRender
metadata:
  name: pgrender
  annotations:
    config.kubernetes.io/function: 'exec: {path: pgrender}'
";

fn build(kustomize: &Path, clusters: &[Value], transformer: &str) -> Result<String, String> {
    let directory = tempfile::tempdir().unwrap();
    let text: Vec<String> = clusters.iter().map(yaml::to_string).collect();
    fs::write(directory.path().join("clusters.yaml"), text.join("---\n")).unwrap();
    fs::write(directory.path().join("pgrender.yaml"), transformer).unwrap();
    let kustomization = "resources: [clusters.yaml]\ntransformers: [pgrender.yaml]\n";
    fs::write(directory.path().join("kustomization.yaml"), kustomization).unwrap();
    let arguments = ["build", "--enable-alpha-plugins", "--enable-exec"];
    run(caller(kustomize).args(arguments).arg(directory.path()), "")
}

#[test]
fn every_object_comes_back_from_kustomize() {
    let (Some(kustomize), Some(kubectl)) = (program("kustomize"), program("kubectl")) else { return };
    let clusters = all_clusters(|place, text| {
        let is_lost_annotation = place.name == "annotation" && is_lost_as_annotation(text);
        !is_old_line_break(text) && !is_lost(text) && !is_lost_annotation
    });
    let output = build(&kustomize, &clusters, TRANSFORMER).unwrap_or_else(|error| panic!("{error}"));
    let expected = sorted(expected(&clusters));
    assert!(as_kubectl_reads(&kubectl, &output) == expected);
}

/// kustomize writes such an annotation as a block that it cannot read again.
fn is_lost_as_annotation(text: &str) -> bool {
    text.starts_with('\t') && text.contains('\n')
}

#[test]
fn what_kustomize_loses_it_loses_without_us_too() {
    let Some(kustomize) = program("kustomize") else { return };
    let strings = strings();
    let lost: Vec<&String> = strings.all.iter().filter(|text| is_lost_as_annotation(text)).collect();
    assert_eq!(lost.len(), 2);
    for text in lost {
        let object =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "annotations": {"s": text}}});
        let error = build(&kustomize, &[object], &TRANSFORMER.replace("path: pgrender", "path: cat")).unwrap_err();
        assert!(error.contains("found a tab character where an indentation space is expected"), "{error}");
    }
}

#[test]
fn an_old_line_break_out_of_kustomize_is_refused() {
    let Some(kustomize) = program("kustomize") else { return };
    for text in ["a\u{2028}b", "a\u{2029}b"] {
        let (cluster, _) = clusters(&PLACES[0], &[&text.to_owned()]).remove(0);
        let error = build(&kustomize, &[cluster], TRANSFORMER).unwrap_err();
        assert!(error.contains("a line break to some YAML readers and text to others"), "{error}");
    }
}

#[test]
fn every_object_comes_back_from_kpt() {
    let (Some(kpt), Some(kubectl)) = (program("kpt"), program("kubectl")) else { return };
    let clusters = all_clusters(|_, text| !is_old_line_break(text) && !is_lost(text));
    let package = tempfile::tempdir().unwrap();
    let kptfile =
        "apiVersion: kpt.dev/v1\nkind: Kptfile\nmetadata: {name: zoo}\npipeline: {mutators: [{exec: pgrender}]}\n";
    fs::write(package.path().join("Kptfile"), kptfile).unwrap();
    let text: Vec<String> = clusters.iter().map(yaml::to_string).collect();
    fs::write(package.path().join("clusters.yaml"), text.join("---\n")).unwrap();
    let expected = sorted(expected(&clusters));
    // The second run reads what kpt wrote in the first one.
    for _ in 0..2 {
        run(caller(&kpt).args(["fn", "render", "--allow-exec"]).arg(package.path()), "").unwrap();
        let mut files = Vec::new();
        for directory in
            fs::read_dir(package.path()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
        {
            let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
            files.extend(paths.map(|path| fs::read_to_string(path).unwrap()));
        }
        let text = files.join("---\n");
        assert!(as_kubectl_reads(&kubectl, &text) == expected);
        let ours = read::documents("files", &text).unwrap();
        assert!(sorted(ours.iter().map(|document| document.node.to_json())) == expected);
    }
}
