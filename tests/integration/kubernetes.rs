//! Sends the inputs of the goldens to a real API server: it accepts every object as it is written, and after applying, a second
//! apply changes nothing. Runs only if `PGRENDER_KUBECONFIG` names a cluster; its control plane is enough.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use crate::common::fixtures::fixtures;

struct Cluster {
    kubeconfig: String,
    namespace: String,
}

impl Cluster {
    /// Creates a namespace for one fixture, with warnings for pods that violate the Pod Security Standard *restricted*.
    fn namespace(fixture: &str) -> Option<Self> {
        let Ok(kubeconfig) = std::env::var("PGRENDER_KUBECONFIG") else {
            println!("skipped: PGRENDER_KUBECONFIG names no cluster");
            return None;
        };
        crate::common::tools::program("kubectl")?;
        let cluster = Self { kubeconfig, namespace: format!("golden-{fixture}") };
        let manifest = format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: {}, labels: {{pod-security.kubernetes.io/warn: restricted}}}}}}",
            cluster.namespace
        );
        assert_success(&cluster.kubectl(&["delete", "namespace", "--ignore-not-found", &cluster.namespace], ""));
        assert_success(&cluster.kubectl(&["create", "-f", "-"], &manifest));
        Some(cluster)
    }

    fn kubectl(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = Command::new("kubectl")
            .args(["--kubeconfig", &self.kubeconfig])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kubectl(&["delete", "namespace", "--wait=false", &self.namespace], "");
    }
}

fn assert_success(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

fn render(fixture: &str, namespace: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let input = fs::read_to_string(root.join(fixture).join("cluster.yaml")).unwrap();
    let arguments = fs::read_to_string(root.join(fixture).join("arguments.txt")).unwrap_or_default();
    let mut child = Command::new(env!("CARGO_BIN_EXE_pgrender"))
        .arg("render")
        .arg("--seed-file")
        .arg(root.join("seed"))
        .args(arguments.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = input.lines().map(|line| match line.split_once("namespace: ") {
        Some((before, _)) if before.trim().is_empty() => format!("{before}namespace: {namespace}\n"),
        _ => format!("{line}\n"),
    });
    let input: String = lines.collect();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a dry run, then applies, then checks that a second apply changes nothing.
fn accepts(fixture: &str) {
    let Some(cluster) = Cluster::namespace(fixture) else { return };
    let objects = render(fixture, &cluster.namespace);
    let apply = ["apply", "--server-side", "--validate=strict", "--filename", "-"];
    for dry_run in [&["--dry-run=server"] as &[&str], &[]] {
        let output = cluster.kubectl(&[&apply as &[&str], dry_run].concat(), &objects);
        assert_success(&output);
        // The user's own sidecars are rendered unchanged. All other containers meet the standard.
        let warnings = String::from_utf8(output.stderr).unwrap();
        let ours = warnings
            .lines()
            .filter(|line| !line.contains("container \"extra\"") && !line.contains("container \"exporter\""));
        assert_eq!(ours.collect::<Vec<_>>(), Vec::<&str>::new(), "{fixture}");
    }
    // A controller that writes a status between the two reads of `kubectl diff` is a difference too, but not in the next run.
    // What a second apply would change is a difference in every run.
    let diff = || cluster.kubectl(&["diff", "--server-side", "--filename", "-"], &objects);
    let mut output = diff();
    for _ in 0..5 {
        if output.status.success() {
            break;
        }
        thread::sleep(Duration::from_secs(1));
        output = diff();
    }
    assert_success(&output);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{fixture}: a second apply would change this");
}

/// The API server has no CRDs of cert-manager and of Prometheus Operator.
#[test]
fn a_server_accepts_every_fixture() {
    let names: Vec<String> = fixtures()
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name != "cert-manager" && name != "monitoring")
        .collect();
    thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| accepts(name));
        }
    });
}
