//! What is derived from a seed, without knowing what it is for: passwords, verifiers, keys and certificates.
//!
//! Each value depends only on the seed and on its own context (`context.rs` contains the table). So the order of derivation
//! does not matter, and adding or removing one value changes no other value.

pub mod authority;
pub mod certificate;
mod certificate_fields;
pub mod context;
pub mod key;
pub mod password;
pub mod scram;
pub mod seed;
pub mod uri;
#[cfg(test)]
mod vectors;
pub mod verifier;
pub mod window;
pub mod x509;

pub use self::seed::{Seed, SeedError};
pub(crate) use self::verifier::checked_rounds;
