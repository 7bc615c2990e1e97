//! The generations of the CA, the certificates and the passwords of a cluster: how often the user has rotated them. The first
//! generation is 1.

use std::collections::BTreeMap;

use crate::identity::context::PasswordGeneration;

/// The generations of one cluster. Each of them starts at 1.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Generations {
    /// The generation of the CA: `pgrender.dev/rotate-ca`.
    pub authority: u32,
    /// The generation of all leaf certificates and their keys: `pgrender.dev/rotate-certificates`.
    pub certificates: u32,
    /// The generation of all passwords together: `pgrender.dev/rotate-passwords`.
    pub all_passwords: u32,
    /// The generations of single passwords, by role: `pgrender.dev/rotate-password.<role>`.
    pub passwords: BTreeMap<String, u32>,
}

impl Default for Generations {
    fn default() -> Self {
        Self { authority: 1, certificates: 1, all_passwords: 1, passwords: BTreeMap::new() }
    }
}

impl Generations {
    /// The generation of the password of a role.
    pub fn password(&self, role: &str) -> PasswordGeneration {
        PasswordGeneration { own: self.passwords.get(role).copied().unwrap_or(1), all: self.all_passwords }
    }
}

/// Reads a generation: a whole number from 1, without a sign, a leading zero or a space. Gives `None` for any other text.
pub fn generation(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number: &u32| *number > 0 && number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_a_whole_number_from_one() {
        for (text, expected) in [("1", Some(1)), ("20", Some(20)), ("4294967295", Some(u32::MAX))] {
            assert_eq!(generation(text), expected, "{text:?}");
        }
        for text in ["", "0", "-1", "+2", "02", " 2", "2\n", "1.0", "two", "4294967296", "٢"] {
            assert_eq!(generation(text), None, "{text:?}");
        }
    }
}
