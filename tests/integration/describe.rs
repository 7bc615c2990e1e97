//! Tests of `pgrender describe`.

mod objects;
mod schedules;

use std::fs;

use pgrender::postgres_cluster::describe::report::json_schema;
use serde_json::Value;

use crate::common::fixtures::fixtures;
use crate::common::json_schema::assert_valid;
use crate::common::rendering::SEED;
use crate::entry::{HIPPO, Output, pgrender, run};

const TIME: &str = "2026-05-01T12:00:00Z";

/// Describes the clusters of a text.
fn described(arguments: &[&str], text: impl AsRef<[u8]>) -> Output {
    run(pgrender().args(["describe", "--time", TIME]).args(arguments), text)
}

fn json(arguments: &[&str], text: impl AsRef<[u8]>) -> Value {
    let output = described(&[&["--format", "json"], arguments].concat(), text);
    serde_json::from_str(&output.stdout).unwrap()
}

/// The cluster of the quickstart.
fn quickstart() -> String {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/quickstart.md")).unwrap();
    page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap().to_owned()
}

#[test]
fn the_pages_show_what_is_printed() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("cluster.yaml"), quickstart()).unwrap();
    let shown = |page: &str| {
        let text = fs::read_to_string(format!("{}/{page}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let blocks: Vec<String> =
            text.split("```text\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect();
        blocks.into_iter().find(|block| block.contains("PostgresCluster postgres/hippo, Postgres")).unwrap()
    };
    let mut command = pgrender();
    command.current_dir(directory.path()).args(["describe", "--time", TIME, "cluster.yaml"]);
    let printed = run(&mut command, "").ok();
    // An ellipsis stands for lines that the page leaves out.
    let page = "docs/describe.md";
    let mut rest = printed.as_str();
    for part in shown(page).split("…\n") {
        let position = rest.find(part).unwrap_or_else(|| panic!("{page}: {part:?} is not in {rest}"));
        rest = &rest[position + part.len()..];
    }
    let chart = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/describe.md")).unwrap();
    let chart = chart.split("```mermaid\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap().to_owned();
    assert_eq!(described(&["--format", "mermaid"], quickstart()).ok(), chart);
}

#[test]
fn no_seed_is_needed_and_one_that_is_given_changes_nothing() {
    let without_namespace = described(&[], HIPPO);
    assert!(without_namespace.code == 1 && without_namespace.stdout.is_empty());
    let plain = described(&["--namespace", "shop"], HIPPO).ok();
    assert!(plain.contains("PostgresCluster shop/hippo, Postgres 17"), "{plain}");
    assert_eq!(described(&["--namespace", "shop", "--random"], HIPPO).ok(), plain);
    let missing = described(&["--namespace", "shop", "--seed-file", "missing"], HIPPO);
    assert!(missing.code == 1 && missing.stderr.contains("cannot read the seed file `missing`"), "{}", missing.stderr);
}

#[test]
fn errors_are_those_of_a_rendering_and_json_is_always_valid() {
    for text in ["", "a: [", "kind: ConfigMap\n", &HIPPO.replace("postgresVersion", "postgresVersoin"), HIPPO] {
        let rendered = run(pgrender().args(["render", "--random", "--time", TIME]), text);
        let output = described(&["--format", "json"], text);
        assert_eq!((output.code, &output.stderr), (rendered.code, &rendered.stderr), "{text}");
        assert_eq!(output.code, 1, "{text}");
        let json: Value = serde_json::from_str(&output.stdout).unwrap();
        let errors = json["messages"].as_array().unwrap().iter().filter(|message| message["severity"] == "error");
        assert!(errors.count() > 0 && json["clusters"].as_array().unwrap().is_empty(), "{json}");
        for format in ["text", "mermaid"] {
            let output = described(&["--format", format], text);
            assert!(output.code == 1 && output.stdout.is_empty(), "{text}");
        }
    }
    let misused = run(pgrender().args(["describe", "--certificate-window", "0"]), "");
    assert!(misused.code == 2 && misused.stderr.contains("pgrender describe"), "{}", misused.stderr);
}

#[test]
fn a_description_has_no_value_of_a_secret() {
    const PASSWORD: &str = "cAnArY-0f61e5b2-cAnArY";
    let secret = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: hippo-pguser-hippo, namespace: shop}}\nstringData: {{password: \
         {PASSWORD}}}\n"
    );
    for (name, text) in fixtures().into_iter().map(|(name, text)| (name, text + &secret)) {
        for format in ["text", "json", "mermaid"] {
            let output = described(&["--namespace", "shop", "--format", format], &text);
            assert_eq!(output.code, 0, "{name}: {}", output.stderr);
            for forbidden in ["SCRAM-SHA-256$", "-----BEGIN", PASSWORD] {
                assert!(!output.stdout.contains(forbidden), "{name}: {forbidden}");
            }
        }
    }
}

#[test]
fn json_is_valid_for_its_schema() {
    let clusters = fixtures().into_iter().map(|(_, text)| json(&["--namespace", "shop"], text));
    let values: Vec<Value> = clusters.chain([json(&[], "a: [")]).collect();
    assert_valid(&json_schema(), &values);
    assert!(values.iter().any(|value| value["clusters"][0]["repositories"][0]["schedules"][0]["next"].is_string()));
}

#[test]
fn control_characters_are_never_printed() {
    let mut shown = 0;
    for line in [
        r#"  users: [{name: hippo, options: "CREATEDB \e[31m\nLOGIN"}]"#,
        r#"  image: "a\e[31m""#,
        r#"    priorityClassName: "a\e[31m""#,
        r#"    affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: "a\e[31m"}]}}"#,
    ] {
        for format in ["text", "json", "mermaid"] {
            let text = format!("{HIPPO}{line}\n");
            let printed = described(&["--namespace", "shop", "--format", format], &text);
            for output in [&printed.stdout, &printed.stderr] {
                assert!(!output.contains('\u{1b}'), "{line}: {output}");
            }
            shown += usize::from(printed.stdout.contains(r"a\u{1b}[31m"));
        }
    }
    assert!(shown > 0);
}

/// Without the seed, nobody knows whether a certificate stays.
#[test]
fn existing_secrets_are_considered_only_with_their_seed() {
    let render = ["render", "--namespace", "shop", "--time", "2026-04-01T00:00:00Z"];
    let existing = run(pgrender().args(render).env("PGRENDER_SEED", SEED), HIPPO).ok();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("existing.yaml");
    fs::write(&file, &existing).unwrap();
    let with = |seed: Option<&str>, arguments: &[&str]| {
        let mut command = pgrender();
        command.args(["describe", "--format", "json", "--time", TIME, "--namespace", "shop"]).args(arguments);
        let output = run(command.envs(seed.map(|seed| ("PGRENDER_SEED", seed))), HIPPO);
        assert_eq!((output.code, output.stderr.as_str()), (0, ""));
        serde_json::from_str::<Value>(&output.stdout).unwrap()["clusters"][0]["certificates"][0]["notBefore"].clone()
    };
    let arguments = ["--existing", file.to_str().unwrap()];
    let new = with(None, &[]);
    assert_eq!(with(None, &arguments), new);
    assert_eq!(with(Some(SEED), &[]), new);
    assert!(with(Some(SEED), &arguments) != new, "{new}");
}

#[test]
fn a_cluster_that_rests_or_follows_says_so() {
    let with = |line: &str| json(&["--namespace", "shop"], HIPPO.to_owned() + line)["clusters"][0].clone();
    let shut_down = with("  shutdown: true\n");
    assert!(shut_down["state"][0].as_str().unwrap().contains("shut down"), "{shut_down}");
    assert_eq!(shut_down["totals"]["pods"], 0);
    let paused = with("  paused: true\n");
    assert!(paused["state"][0].as_str().unwrap().contains("paused"), "{paused}");
    let standby = with("  standby: {enabled: true, host: other.shop.svc}\n");
    assert!(standby["state"][0].as_str().unwrap().contains("streams from `other.shop.svc`"), "{standby}");
}

#[test]
fn certificates_of_cert_manager_and_secrets_that_you_provide_are_described() {
    let arguments = ["--namespace", "shop", "--certificates", "cert-manager", "--credentials", "reference"];
    let cluster = &json(&arguments, HIPPO)["clusters"][0];
    let certificates = cluster["certificates"].as_array().unwrap();
    assert!(certificates.iter().all(|it| it["notAfter"].is_null() && it["duration"].is_string()), "{cluster}");
    assert!(certificates.len() > 2, "{cluster}");
    assert_eq!(cluster["users"][0]["youProvide"], true);
    assert!(!cluster.to_string().contains("kube-root-ca.crt"), "{cluster}");
}

/// The grammar of the lines that are written (<https://mermaid.js.org/syntax/flowchart.html>). Mermaid itself is too heavy for a
/// test: it needs a browser.
#[test]
fn flowcharts_have_the_structure_of_mermaid() {
    let label = r#""[^"\n<>`]+""#;
    let id = "c[0-9]+[a-z0-9]+";
    let node = regex::Regex::new(&format!(r"^    ({id})(?:\[{label}\]|\(\[{label}\]\)|\[\({label}\)\])$")).unwrap();
    let edge = regex::Regex::new(&format!(r"^    ({id}) -->(?:\|{label}\|)? ({id})$")).unwrap();
    let group = regex::Regex::new(&format!(r"^  subgraph c[0-9]+\[{label}\]$")).unwrap();
    for (name, text) in fixtures() {
        let chart = described(&["--namespace", "shop", "--format", "mermaid"], text).ok();
        let mut lines = chart.lines();
        assert_eq!(lines.next(), Some("flowchart LR"), "{name}");
        let (mut nodes, mut ends, mut groups) = (Vec::new(), Vec::new(), 0);
        for line in lines {
            if let Some(found) = node.captures(line) {
                nodes.push(found[1].to_owned());
            } else if let Some(found) = edge.captures(line) {
                ends.extend([found[1].to_owned(), found[2].to_owned()]);
            } else if group.is_match(line) {
                groups += 1;
            } else {
                assert_eq!(line, "  end", "{name}");
                groups -= 1;
            }
        }
        assert_eq!(groups, 0, "{name}");
        assert!(!ends.is_empty() && ends.iter().all(|end| nodes.contains(end)), "{name}: {chart}");
    }
}

#[test]
fn the_picture_in_the_readme_is_what_is_printed() {
    let cluster = concat!(env!("CARGO_MANIFEST_DIR"), "/kustomize/hippo/cluster.yaml");
    let output = described(&["--format", "mermaid", "--namespace", "postgres", cluster], "");
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let picture = format!("```mermaid\n{}```\n", output.stdout);
    assert!(readme.contains(&picture), "{picture}");
}
