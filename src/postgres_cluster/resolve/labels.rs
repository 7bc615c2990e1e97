//! Checks the syntax of labels and annotations. The schema of a `PostgresCluster` does not check it, but the API server checks
//! it on every rendered object (Kubernetes' `ValidateLabels`, `ValidateAnnotations`).

use crate::diagnostic::{Collector, Diagnostic, FieldPath};
use crate::naming::PREFIX;
use crate::parse::metadata::{label_value, qualified_name};
use crate::postgres_cluster::cluster::Metadata;

/// Checks the user's labels and annotations for objects, at `path`.
pub(crate) fn check(metadata: &Metadata, path: &FieldPath, diagnostics: &mut Collector<Diagnostic>) {
    for (key, value) in &metadata.labels {
        let at = path.key("labels").key(key);
        if let Some(why) = qualified_name(key).or_else(|| label_value(value)) {
            diagnostics.add(Diagnostic::error(why).at(at));
        } else if key.starts_with(PREFIX) {
            diagnostics
                .add(Diagnostic::warning("pgrender sets the labels of PGO where they are needed: remove it").at(at));
        }
    }
    for key in metadata.annotations.keys() {
        // The API server lowers the key of an annotation before it checks it, but not that of a label (`ValidateAnnotations`).
        if let Some(why) = qualified_name(&key.to_lowercase()) {
            diagnostics.add(Diagnostic::error(why).at(path.key("annotations").key(key)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(labels: &[(&str, &str)]) -> usize {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let mut diagnostics = Collector::default();
        check(&Metadata { labels, ..Metadata::default() }, &FieldPath::of("spec.metadata"), &mut diagnostics);
        diagnostics.diagnostics().len()
    }

    #[test]
    fn good_labels_pass() {
        assert_eq!(verdicts(&[("team", "blue"), ("example.com/a.b_c", ""), ("A", "1.2-x")]), 0);
    }

    #[test]
    fn capitals_in_a_domain_are_for_annotations_only() {
        let both = [("Example.COM/A".to_owned(), "x".to_owned())];
        let check = |metadata: &Metadata| {
            let mut diagnostics = Collector::default();
            check(metadata, &FieldPath::of("spec.metadata"), &mut diagnostics);
            diagnostics.diagnostics().len()
        };
        assert_eq!(check(&Metadata { annotations: both.clone().into(), ..Metadata::default() }), 0);
        assert_eq!(check(&Metadata { labels: both.into(), ..Metadata::default() }), 1);
    }

    #[test]
    fn each_bad_label_is_named() {
        assert_eq!(verdicts(&[("-a", "x"), ("a/b/c", "x"), ("Ex.com/a", "x"), ("b", "not ok"), ("c", "-")]), 5);
        assert_eq!(verdicts(&[("long", &"x".repeat(64))]), 1);
    }
}
