//! The CA that signs now, with what there is to know of it.

use super::authority::{Authorities, Authority};
use super::reuse;
use crate::existing::Certificates;
use crate::x509::X509;

/// A CA that signs certificates of one cluster.
pub(super) struct Signer<'a> {
    authorities: &'a Authorities<'a>,
    /// Its generation that signs.
    pub(super) authority: Authority<'a>,
    /// What its certificate says.
    pub(super) facts: X509,
}

impl<'a> Signer<'a> {
    pub(super) fn new(authorities: &'a Authorities<'a>, generation: u32) -> Result<Self, rcgen::Error> {
        let authority = authorities.generation(generation)?;
        let facts = reuse::facts(&authority.certificate);
        Ok(Self { authorities, authority, facts })
    }

    /// Whether `authority` is called as this one, by any seed.
    pub(super) fn is_named(&self, authority: &X509) -> bool {
        self.authorities.has_named(authority, self.authority.generation)
    }

    /// What those trust who believe it, PEM, with what the Secrets `held` trust and may need for a while, where it `belongs` here.
    pub(super) fn trust_bundle<'h>(
        &self,
        held: impl Iterator<Item = &'h Certificates<'h>>,
        time: i64,
        belongs: impl Fn(&X509) -> bool,
    ) -> Result<String, rcgen::Error> {
        let mut bundle = self.authorities.trust_bundle(&self.authority)?;
        bundle.extend(reuse::still_trusted(held, &bundle, &self.facts, self.authority.generation, time, belongs));
        Ok(bundle.concat())
    }
}
