//! Reads what is to be explained: a path, and before it perhaps the kind and its version, in any of the forms that `kubectl
//! explain` accepts.

use crate::diagnostic::Diagnostic;
use crate::diagnostic::words;
use crate::explain::path;
use crate::naming::{PREFIX, annotation};
use crate::postgres_cluster::parse::DEFINITION;

/// A request for one field.
#[derive(Clone)]
pub(super) struct Request {
    /// `v1` or `v1beta1`.
    pub(super) version: &'static str,
    /// The path as the user wrote it.
    pub(super) text: String,
    /// The keys of the field, without indexes.
    pub(super) keys: Vec<String>,
}

/// The words that name the kind, in lower case.
const KINDS: [&str; 2] = ["postgresclusters", "postgrescluster"];

impl Request {
    /// Reads a path. `version` is what the caller has chosen otherwise.
    pub(super) fn of(text: &str, version: Option<&str>) -> Result<Self, Diagnostic> {
        let chosen = version.map(known_version).transpose()?;
        let (rest, named) = if is_annotation(text) { (text, None) } else { without_kind(text.trim()) };
        let version = match (chosen, named) {
            (Some(chosen), Some(named)) if chosen != named => {
                let message =
                    format!("the path names version `{named}`, but `{chosen}` is asked for: write one of them");
                return Err(Diagnostic::error(message));
            }
            (chosen, named) => chosen.or(named).unwrap_or("v1"),
        };
        if is_annotation(rest) {
            let keys = ["metadata", "annotations", rest].map(str::to_owned).into();
            return Ok(Self { version, text: text.to_owned(), keys });
        }
        let keys = path::keys(rest).map_err(|advice| {
            Diagnostic::error(format!("{} is not a path of a field: {advice}", words::quote(text)))
        })?;
        Ok(Self { version, text: text.to_owned(), keys: with_whole_key(keys) })
    }
}

/// Whether the text is only the key of an annotation.
fn is_annotation(text: &str) -> bool {
    text.starts_with(annotation::OWN)
        || text.strip_prefix(PREFIX).is_some_and(|name| !name.starts_with("v1") && !name.is_empty())
}

/// A key of `metadata.annotations` or `metadata.labels` may have dots, and nothing is below it.
fn with_whole_key(keys: Vec<String>) -> Vec<String> {
    match keys.as_slice() {
        [metadata, map, rest @ ..]
            if metadata == "metadata" && ["annotations", "labels"].contains(&map.as_str()) && rest.len() > 1 =>
        {
            vec![metadata.clone(), map.clone(), rest.join(".")]
        }
        _ => keys,
    }
}

/// The versions without their group.
fn versions() -> impl Iterator<Item = &'static str> {
    DEFINITION.api_versions.iter().filter_map(|version| Some(version.rsplit_once('/')?.1))
}

fn known_version(text: &str) -> Result<&'static str, Diagnostic> {
    let short = text.strip_prefix(PREFIX).unwrap_or(text);
    versions().find(|version| *version == short).ok_or_else(|| {
        let known = words::list(versions());
        Diagnostic::error(format!("{} is not a version of the API: write one of {known}", words::quote(text)))
    })
}

/// Removes the words for the kind, the group and the version from the beginning of a path, in any order. Also returns the
/// version.
fn without_kind(text: &str) -> (&str, Option<&'static str>) {
    let (mut rest, mut version) = (text, None);
    loop {
        let after = |word: &str| {
            let beginning = rest.get(..word.len()).filter(|beginning| beginning.eq_ignore_ascii_case(word))?;
            let after = &rest[beginning.len()..];
            if after.is_empty() { Some(after) } else { after.strip_prefix(['.', '/', ' ']) }
        };
        let found = versions().find_map(|version| Some((after(version)?, Some(version))));
        let found =
            found.or_else(|| KINDS.iter().chain([&DEFINITION.group]).find_map(|word| Some((after(word)?, None))));
        let Some((next, named)) = found else { return (rest, version) };
        version = version.or(named);
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, version: Option<&str>) -> (&'static str, String) {
        let request = Request::of(text, version).unwrap();
        (request.version, request.keys.join(" "))
    }

    #[test]
    fn the_kind_and_its_version_are_read_in_every_form() {
        for text in [
            "spec.instances.name",
            ".spec.instances[0].name",
            "postgrescluster.spec.instances[].name",
            "PostgresCluster.spec.instances.name",
            "postgresclusters.spec.instances.name",
            "v1.spec.instances.name",
            "postgres-operator.crunchydata.com/v1.spec.instances.name",
            "postgres-operator.crunchydata.com/v1/PostgresCluster.spec.instances.name",
            "postgresclusters.v1.postgres-operator.crunchydata.com.spec.instances.name",
        ] {
            assert_eq!(read(text, None), ("v1", "spec instances name".to_owned()), "{text}");
        }
        assert_eq!(read("v1beta1.spec", None), ("v1beta1", "spec".to_owned()));
        assert_eq!(read("PostgresCluster", Some("v1beta1")), ("v1beta1", String::new()));
        assert_eq!(read("", Some("postgres-operator.crunchydata.com/v1beta1")), ("v1beta1", String::new()));
    }

    #[test]
    fn the_key_of_an_annotation_is_enough() {
        for text in [
            "pgrender.dev/restore-drill",
            "metadata.annotations.pgrender.dev/restore-drill",
            "metadata.annotations[\"pgrender.dev/restore-drill\"]",
        ] {
            assert_eq!(read(text, None).1, "metadata annotations pgrender.dev/restore-drill", "{text}");
        }
        let key = "postgres-operator.crunchydata.com/trigger-switchover";
        assert_eq!(read(key, None).1, format!("metadata annotations {key}"));
    }

    #[test]
    fn versions_that_do_not_exist_or_contradict_are_refused() {
        for (text, version, expected) in [
            ("spec", Some("v2"), "is not a version of the API: write one of `v1`, `v1beta1`"),
            ("v1.spec", Some("v1beta1"), "the path names version `v1`"),
            ("spec[", None, "is not a path of a field: write `]`"),
        ] {
            let error = Request::of(text, version).err().unwrap().message;
            assert!(error.contains(expected), "{error}");
        }
    }
}
