//! Generations: how often the user has asked for a new CA, new certificates or new passwords, by annotations of the
//! `PostgresCluster`.

use std::collections::BTreeMap;

use crate::cluster::Cluster;
use crate::naming::{MONITORING_USER, PATRONI_USER, PGBOUNCER_USER, annotation};
use crate::report::{Diagnostic, FieldPath};

/// The generations of one cluster; 1 is the first.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Generations<'a> {
    /// Of the CA: `pgrender.dev/rotate-ca`.
    pub(super) authority: u32,
    /// Of all leaf certificates and their keys: `pgrender.dev/rotate-certificates`.
    pub(super) certificates: u32,
    all_passwords: u32,
    passwords: BTreeMap<&'a str, u32>,
}

/// How often a password was replaced, from 1: on its own and with all others. The two are kept apart, since a sum would give
/// an earlier password again when one of them is raised and the other taken away.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PasswordGeneration {
    /// `pgrender.dev/rotate-password.<user>`.
    pub own: u32,
    /// `pgrender.dev/rotate-passwords`.
    pub all: u32,
}

impl PasswordGeneration {
    /// The later of the two, in each of its numbers.
    pub(super) fn later(self, other: Self) -> Self {
        Self { own: self.own.max(other.own), all: self.all.max(other.all) }
    }
}

impl<'a> Generations<'a> {
    /// Reads the annotations of a cluster. An error for each that is not a positive number, and for each that names no user
    /// or nothing that rotates, because a misspelt one would rotate nothing without anybody noticing.
    pub(super) fn of(cluster: &'a Cluster) -> Result<Self, Vec<Diagnostic>> {
        let mut generations = Self { authority: 1, certificates: 1, all_passwords: 1, passwords: BTreeMap::new() };
        let mut errors = Vec::new();
        for (key, value) in cluster.annotations.iter().filter(|(key, _)| key.starts_with(annotation::ROTATE)) {
            if let Err(message) = generations.set(cluster, key, value) {
                errors.push(Diagnostic::error(message).at(FieldPath::of("metadata.annotations").key(key.as_str())));
            }
        }
        if errors.is_empty() { Ok(generations) } else { Err(errors) }
    }

    /// Takes one annotation over, or says what is wrong with it.
    fn set(&mut self, cluster: &Cluster, key: &'a str, value: &str) -> Result<(), String> {
        let generation = number(value).ok_or_else(|| {
            format!("annotation `{key}` is `{value}`; write a whole number from \"1\", one more for each rotation")
        });
        match (key, key.strip_prefix(annotation::ROTATE_PASSWORD)) {
            (annotation::ROTATE_CA, _) => self.authority = generation?,
            (annotation::ROTATE_CERTIFICATES, _) => self.certificates = generation?,
            (annotation::ROTATE_PASSWORDS, _) => self.all_passwords = generation?,
            (_, Some(user)) => {
                let generation = generation?;
                if !is_user(cluster, user) {
                    return Err(format!(
                        "annotation `{key}` names no user of the cluster; write a name of `spec.users`, or remove it"
                    ));
                }
                self.passwords.insert(user, generation);
            }
            _ => {
                return Err(format!(
                    "annotation `{key}` rotates nothing; write `{}`, `{}`, `{}` or `{}<user>`",
                    annotation::ROTATE_CA,
                    annotation::ROTATE_CERTIFICATES,
                    annotation::ROTATE_PASSWORDS,
                    annotation::ROTATE_PASSWORD
                ));
            }
        }
        Ok(())
    }

    /// Of the password of a user.
    pub(super) fn password(&self, user: &str) -> PasswordGeneration {
        PasswordGeneration { own: self.passwords.get(user).copied().unwrap_or(1), all: self.all_passwords }
    }
}

fn is_user(cluster: &Cluster, name: &str) -> bool {
    [PATRONI_USER, PGBOUNCER_USER, MONITORING_USER].contains(&name)
        || cluster.users.iter().any(|user| user.name == name)
}

/// A generation: a whole number from 1, written as everybody writes it, without sign, leading zero and space.
pub(crate) fn number(text: &str) -> Option<u32> {
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
