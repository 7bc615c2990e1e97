//! The names of pgBackRest's options that are allowed in `[global]`, including old names (its `config.yaml`, and
//! pgbackrest.org/configuration.html). pgBackRest ignores all others, with a warning in its log.

use crate::postgres_cluster::known_names::KnownNames;

/// `repoN` stands for a repository of any number. [`super::option_value`] reads the kinds.
const LIST: KnownNames = KnownNames(include_str!("options.txt"));

/// Returns all names.
pub fn names() -> impl Iterator<Item = &'static str> {
    LIST.names()
}

/// Returns the kind of the value of an option, or `None` if any text is valid.
pub(crate) fn kind(name: &str) -> Option<&'static str> {
    LIST.kind(&any_number(name))
}

/// Whether any version has an option of this name. Options for the command line, or for the section of the stanza, do not
/// count.
pub fn is_known(name: &str) -> bool {
    LIST.contain(&any_number(name))
}

/// Returns `name` with `repoN` instead of a number from 1 to 256.
pub fn any_number(name: &str) -> String {
    let numbered = name.strip_prefix("repo").and_then(|rest| rest.split_once('-'));
    match numbered.filter(|(number, _)| number.parse::<u16>().is_ok_and(|number| (1..=256).contains(&number))) {
        Some((_, rest)) => format!("repoN-{rest}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_of_a_repository_has_a_number() {
        for name in ["repo1-retention-full", "repo4-s3-key-type", "process-max", "repo-path", "repo2-s3-verify-tls"] {
            assert!(is_known(name), "{name}");
        }
        for name in ["repo-retention-full", "repo1-retention-ful", "repo1-process-max", "proces-max", "repo0-path"] {
            assert!(!is_known(name), "{name}");
        }
    }
}
