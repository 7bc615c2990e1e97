//! Tests inputs that are too large: they are refused early, and the number of messages is limited. `tools/limits.py` measures
//! time and memory.

use super::{SEED, TIME, cluster, documents, pgrender, run};

fn render(input: &str, most: &str) -> super::Output {
    let mut command = pgrender();
    command.args(["render", "--time", TIME]).env("PGRENDER_SEED", SEED).env("PGRENDER_MAX_CLUSTERS", most);
    run(&mut command, input)
}

/// Returns `count` clusters that copy everything except their name from the first.
fn merged(count: usize, spec: &str) -> String {
    let item = |number: usize| format!("- {{<<: *base, metadata: {{name: c{number}, namespace: shop}}}}\n");
    let base = cluster("shop", "base").replace("# The database of the shop.\n", "") + spec;
    let base: String = base.lines().map(|line| format!("  {line}\n")).collect();
    format!("kind: List\nitems:\n- &base\n{base}{}", (1..count).map(item).collect::<String>())
}

#[test]
fn clusters_are_counted_and_only_the_caller_can_allow_more() {
    let output = render(&merged(101, ""), "");
    assert_eq!((output.code, output.stdout.as_str()), (1, ""));
    assert!(output.stderr.contains("101 clusters in one input: one run renders at most 100"), "{}", output.stderr);
    assert!(output.stderr.contains("`PGRENDER_MAX_CLUSTERS` to 101"), "{}", output.stderr);
    assert_eq!(render(&merged(3, ""), "2").code, 1);
    let names = documents(&render(&merged(3, ""), "3").ok());
    assert!(names.len() > 50, "{}", names.len());
    for wrong in ["many", "-1", "1.5"] {
        assert!(render(&cluster("shop", "hippo"), wrong).stderr.contains("write a whole number like `300`"), "{wrong}");
    }
    // Neither an annotation nor a function's configuration can raise the limit.
    let list = "kind: ResourceList\nitems: []\nfunctionConfig:\n  apiVersion: pgrender.dev/v1alpha1\n  kind: PgRender\n  \
                spec: {maxClusters: 300}\n";
    assert!(run(&mut pgrender(), list).stderr.contains("unknown field"));
}

#[test]
fn what_clusters_have_counts_too() {
    let users: String = (0..64).map(|number| format!("  - name: u{number}\n")).collect();
    let output = render(&merged(4, &format!("  users:\n{users}")), "4");
    assert_eq!((output.code, output.stdout.as_str()), (1, ""));
    assert!(
        output.stderr.contains(
            "rendering these 4 clusters, with all users, instances and labels, is as much work as rendering "
        )
    );
    let labels: String = (0..9000).map(|number| format!("      l{number}: x\n")).collect();
    let one = cluster("shop", "hippo") + "  metadata:\n    labels:\n" + &labels;
    let output = render(&one.replace("- name: 'instance1'", "- name: 'instance1'\n    replicas: 256"), "");
    assert!(output.stderr.contains("this cluster, with all users"), "{}", output.stderr);
}

#[test]
fn a_hundred_errors_are_told_and_the_rest_is_counted() {
    let fields: String = (0..250).map(|number| format!("  u{number}: 1\n")).collect();
    let input = cluster("shop", "hippo") + &fields;
    let output = render(&input, "");
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert_eq!(lines.len(), 101);
    assert!(lines[0].contains("spec.u0: ") && lines[99].contains("spec.u99: "), "{}", output.stderr);
    assert_eq!(lines[100], "error: … and 150 more errors");

    let indented: String = input.lines().map(|line| format!("  {line}\n")).collect();
    let list = format!(
        "kind: ResourceList\nitems:\n- {}",
        indented.trim_start().replace("# The database of the shop.\n  ", "")
    );
    let output = run(pgrender().env("PGRENDER_SEED", SEED), list);
    assert_eq!(output.code, 1);
    let answer = documents(&output.stdout);
    assert_eq!(answer[0].node.get("results").unwrap().items().len(), 101);
    assert!(output.stderr.ends_with("error: … and 150 more errors\n"), "{}", output.stderr);
}
