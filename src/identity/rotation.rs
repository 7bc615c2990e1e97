//! Generations: how often the user has asked for a new CA or a new password, by annotations of the `PostgresCluster`.

use std::collections::BTreeMap;

use crate::cluster::Cluster;
use crate::naming::{MONITORING_USER, PGBOUNCER_USER, annotation};
use crate::report::{Diagnostic, FieldPath};

/// The generations of one cluster; 1 is the first.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Generations<'a> {
    /// Of the CA: `pgrender.dev/rotate-ca`.
    pub(super) authority: u32,
    passwords: BTreeMap<&'a str, u32>,
}

impl<'a> Generations<'a> {
    /// Reads the annotations of a cluster. An error for each that is not a positive number, and for each that names no user,
    /// because a misspelt one would rotate nothing without anybody noticing.
    pub(super) fn of(cluster: &'a Cluster) -> Result<Self, Vec<Diagnostic>> {
        let is_user = |name| {
            [PGBOUNCER_USER, MONITORING_USER].contains(&name) || cluster.users.iter().any(|user| user.name == name)
        };
        let mut generations = Self { authority: 1, passwords: BTreeMap::new() };
        let mut errors = Vec::new();
        for (key, value) in &cluster.annotations {
            let user = key.strip_prefix(annotation::ROTATE_PASSWORD);
            if user.is_none() && key != annotation::ROTATE_CA {
                continue;
            }
            let refused =
                |message| Diagnostic::error(message).at(FieldPath::of("metadata.annotations").key(key.as_str()));
            match (number(value), user) {
                (None, _) => errors.push(refused(format!(
                    "annotation `{key}` is `{value}`; write a whole number from \"1\", one more for each rotation"
                ))),
                (Some(_), Some(user)) if !is_user(user) => errors.push(refused(format!(
                    "annotation `{key}` names no user of the cluster; write a name of `spec.users`, or remove it"
                ))),
                (Some(generation), Some(user)) => {
                    generations.passwords.insert(user, generation);
                }
                (Some(generation), None) => generations.authority = generation,
            }
        }
        if errors.is_empty() { Ok(generations) } else { Err(errors) }
    }

    /// Of the password of a user: `pgrender.dev/rotate-password.<user>`.
    pub(super) fn password(&self, user: &str) -> u32 {
        self.passwords.get(user).copied().unwrap_or(1)
    }
}

/// A whole number from 1, written as everybody writes it: no sign, no leading zero, no space.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number: &u32| *number > 0 && number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_a_whole_number_from_one() {
        for (text, expected) in [("1", Some(1)), ("20", Some(20)), ("4294967295", Some(u32::MAX))] {
            assert_eq!(number(text), expected, "{text:?}");
        }
        for text in ["", "0", "-1", "+2", "02", " 2", "2\n", "1.0", "two", "4294967296", "٢"] {
            assert_eq!(number(text), None, "{text:?}");
        }
    }
}
