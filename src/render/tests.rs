//! Tests the seam: a second kind is rendered beside the first one, with nothing but an implementation of `Kind`.

use super::*;
use crate::kubernetes::{ConfigMap, ObjectMeta};
use crate::parse::Definition;
use crate::read;

/// A kind that becomes a ConfigMap of the same name.
struct Note;

static DEFINITION: Definition = Definition {
    kind: "Note",
    group: "example.com",
    api_versions: &["example.com/v2", "example.com/v1"],
    rules: |_, _, _, _| {},
    unknown_field: |key, _, _| key.to_owned(),
    unknown_at_the_top: |key, _| key.to_owned(),
};

impl Kind for Note {
    fn definition(&self) -> &'static Definition {
        &DEFINITION
    }

    fn plan(&self, resources: &[Resource], _: &Input, work: &mut Work) -> Vec<Planned> {
        let planned = |resource: &Resource| {
            work.add(1);
            let content = Box::new(resource.reference.clone()) as Box<dyn Content>;
            Planned { content: Some(content), renewal: None, diagnostics: Vec::new() }
        };
        resources.iter().map(planned).collect()
    }
}

impl Content for ResourceRef {
    fn objects(&self) -> Vec<Object> {
        let metadata = ObjectMeta {
            name: Some(self.name.clone()),
            namespace: Some(self.namespace.clone()),
            ..ObjectMeta::default()
        };
        vec![ConfigMap { metadata, ..ConfigMap::default() }.into()]
    }
}

const HIPPO: &str = include_str!("../../fixtures/hippo/cluster.yaml");

/// The names of the resources that are rendered, and the messages.
fn rendered(text: &str) -> (Vec<String>, Vec<String>) {
    let documents = read::documents("c.yaml", text).unwrap();
    let seed = Seed::new(b"oT4#rW9-kq2.Zx7!Lm5_vB8*Yc3+Hn6?").ok().unwrap();
    let options =
        Options { time: 1_767_225_600, namespace: Some("postgres-operator".to_owned()), ..Options::default() };
    let mut names = Vec::new();
    let plan = checked(&[&PostgresClusterKind, &Note], &documents, &options, Ok(&seed), |resource, objects| {
        assert!(!objects.is_empty());
        names.push(resource.reference.to_string());
    });
    let errors = plan.diagnostics.iter().filter(|diagnostic| diagnostic.severity != crate::diagnostic::Severity::Info);
    (names, errors.map(ToString::to_string).collect())
}

fn note(version: &str, name: &str) -> String {
    format!("{HIPPO}---\napiVersion: example.com/{version}\nkind: Note\nmetadata: {{name: {name}}}\n")
}

#[test]
fn a_second_kind_is_rendered_beside_the_first() {
    let (names, errors) = rendered(&note("v1", "one"));
    assert_eq!(names, ["PostgresCluster postgres-operator/hippo", "Note postgres-operator/one"]);
    assert_eq!(errors, Vec::<String>::new());
}

#[test]
fn every_check_that_is_general_holds_for_a_second_kind() {
    for (text, message) in [
        (note("v3", "one"), "`example.com/v3` is not a supported version of Note: write `example.com/v2` or"),
        (note("v2", "hippo-config"), "would both create `ConfigMap postgres-operator/hippo-config`"),
        (note("v2", "'{{ .name }}'"), "is a template"),
        (note("v2", "'${NAME}'"), "`${NAME}` looks like a variable"),
        (note("v2", "one") + "spec: {a: 1}\n---\n" + &note("v2", "one").replace(HIPPO, ""), "twice"),
        (note("v2", "one").replace("kind: Note", "kind: Notes"), "did you mean `Note`?"),
    ] {
        let (_, errors) = rendered(&text);
        assert!(errors.len() == 1 && errors[0].contains(message), "{message}: {errors:?}");
    }
}
