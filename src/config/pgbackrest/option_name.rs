//! The names of pgBackRest's options that a file may have in `[global]`, the old ones too (its `config.yaml`, and
//! pgbackrest.org/configuration.html). pgBackRest passes over any other, with a warning in its log.

use super::super::known_names::KnownNames;

/// With `repoN` for the repository of any number. The kinds are those that [`super::option_value`] reads.
const LIST: KnownNames = KnownNames(include_str!("options.txt"));

/// All names.
pub fn names() -> impl Iterator<Item = &'static str> {
    LIST.names()
}

/// What the value of an option is, where it has a kind.
pub(super) fn kind(name: &str) -> Option<&'static str> {
    LIST.kind(&any_number(name))
}

/// Whether some version has an option of this name. What is read on the command line, or in the section of the stanza, is not one.
pub fn is_known(name: &str) -> bool {
    LIST.contain(&any_number(name))
}

/// `name` with `repoN` in the place of a number from 1 to 256.
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
