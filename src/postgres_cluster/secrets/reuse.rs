//! Decides which existing values are reused, and which CAs stay trusted.
//!
//! A generation never becomes smaller: if a Secret contains a later generation than the annotations request, its values stay.
//! So a password that was rotated does not come back when an annotation is lost.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::existing::Root;
use super::existing::{self, Certificates, Pair};
use super::identity::Credential;
use crate::diagnostic::Diagnostic;
use crate::identity::certificate::Certificate;
use crate::identity::certificate::CertificateUsage;
use crate::identity::context::PasswordGeneration;
use crate::identity::verifier::{Verdict, judge};
use crate::identity::window::{Renewal, Window, day};
use crate::identity::x509::{self, X509};
use crate::naming::annotation;

/// The password and the verifier of a Secret, if they are of the requested generation.
pub(crate) fn credential(
    held: &existing::Credential,
    generation: PasswordGeneration,
) -> Option<(Zeroizing<String>, Option<Zeroizing<String>>)> {
    let password = held.password.clone().filter(|_| held.generation == generation)?;
    Some((password, held.verifier.clone()))
}

/// A warning if the password is of a later generation than requested.
fn password_note(held: &existing::Credential, asked: PasswordGeneration) -> Option<Diagnostic> {
    if asked.later(held.generation) == asked {
        return None;
    }
    let annotation =
        if held.generation.own > asked.own { annotation::ROTATE_PASSWORD } else { annotation::ROTATE_PASSWORDS };
    Some(held.secret.warning(held.verifier_key, &not_back(annotation)))
}

/// A warning about an existing credential: its generation is later than requested, or its verifier does not belong to its
/// password.
pub(crate) fn credential_notes(
    held: &existing::Credential,
    user: &str,
    asked: PasswordGeneration,
    kept: &Credential,
) -> Option<Diagnostic> {
    if let Some(note) = password_note(held, asked) {
        return Some(note);
    }
    let key = held.verifier_key;
    let verifier = held.verifier.as_ref().filter(|verifier| Some(*verifier) == kept.verifier.as_ref())?;
    let what = match judge(verifier, user, &kept.password) {
        Verdict::Fits => return None,
        Verdict::Differs => {
            "does not match the password in the same Secret: it is kept, so logging in with that password fails; to \
             create a new one, make its value empty"
        }
        Verdict::Unchecked => "has too many iterations to compare it with the password in the same Secret: it is kept",
        Verdict::Unknown => {
            "is not in a format that Postgres stores, `SCRAM-SHA-256$…` or `md5…`: it is kept, and Postgres uses it \
             as a password; to create a new one, make its value empty"
        }
    };
    Some(held.secret.warning(key, what))
}

/// Warnings about certificates whose generation is later than requested.
pub(crate) fn certificate_notes(held: &Certificates, certificates: u32, authority: u32) -> Vec<Diagnostic> {
    [
        (held.generation > certificates, annotation::ROTATE_CERTIFICATES),
        (held.authority_generation > authority, annotation::ROTATE_CA),
    ]
    .into_iter()
    .filter(|(later, _)| *later)
    .map(|(_, annotation)| held.secret.warning(held.told_at, &not_back(annotation)))
    .collect()
}

fn not_back(annotation: &str) -> String {
    format!(
        "is of a later generation than `{annotation}` sets, so it is kept: to replace it, increase the value of the \
         annotation"
    )
}

/// The requirements that a certificate must meet to be reused.
pub(crate) struct Demand<'a> {
    pub(crate) names: &'a [String],
    pub(crate) usage: CertificateUsage,
    pub(crate) generation: u32,
    pub(crate) authority: &'a X509,
    pub(crate) time: i64,
    pub(crate) window: Window,
}

/// The certificate under `key` of a Secret, if it meets all requirements. Otherwise, a message that says why it does not, or
/// `None` if there is no certificate.
pub(crate) fn certificate(held: &Certificates, key: &str, demand: &Demand) -> Result<Certificate, Option<Diagnostic>> {
    let Pair { facts, certificate, key: private, .. } = held.pairs.get(key).ok_or(None)?;
    if let Some(reason) = unfit(held, facts, demand) {
        let info = held.secret.info(key, &format!("is replaced, because {reason}"));
        return Err(Some(info));
    }
    Ok(Certificate {
        certificate: certificate.clone(),
        key: private.clone(),
        generation: held.generation,
        // A certificate that is reused is checked again in the next window at the latest.
        renewal: demand.window.renewal().earlier(Renewal { due: facts.two_thirds(), last: facts.not_after }),
    })
}

fn unfit(held: &Certificates, facts: &X509, demand: &Demand) -> Option<String> {
    let Demand { names, usage, generation, authority, time, .. } = demand;
    let (server_auth, client_auth) = (facts.server_auth, facts.client_auth);
    let usable = match usage {
        CertificateUsage::Server => server_auth,
        CertificateUsage::Client => client_auth && facts.common_name.as_ref() == names.first(),
        CertificateUsage::Both => server_auth && client_auth,
    };
    if held.generation != *generation {
        Some("its generation is not the requested one".to_owned())
    } else if facts.is_signed_by(authority) != Some(true) {
        Some("another CA signed it".to_owned())
    } else if let Some(name) = names.iter().find(|name| !facts.has_name(name)) {
        Some(format!("it does not have the name `{name}`"))
    } else if !usable || facts.is_authority {
        Some("its usage is not the required one".to_owned())
    } else if *time < facts.not_before || *time >= facts.two_thirds() {
        Some("two thirds of its lifetime have passed".to_owned())
    } else {
        None
    }
}

/// The CA certificates that the Secrets `held` trust besides `bundle`, and that stay trusted besides `current`, in PEM.
/// `generation` is the generation of `current`. They belong to another seed or to another trust domain, or come from whoever
/// made the Secrets. `belongs` says whether a CA has the same purpose as this bundle.
///
/// As long as the CA does not change, all of them stay. When the CA changes by one generation, only the CA stays that has
/// signed the certificates which peers use until they read their files again. After the next change, or a change by more than
/// one generation, that CA is removed too.
pub(crate) fn still_trusted<'h>(
    held: impl Iterator<Item = &'h Certificates<'h>>,
    bundle: &[String],
    current: &X509,
    generation: u32,
    time: i64,
    belongs: impl Fn(&X509) -> bool,
) -> Vec<String> {
    let (mut trusted, mut seen) = (Vec::new(), BTreeSet::new());
    for held in held.filter(|held| !held.pairs.is_empty()) {
        let signs = |authority: &X509, pair: &Pair| pair.facts.is_signed_by(authority) == Some(true);
        let later = generation - held.authority_generation;
        let stays = held.pairs.values().all(|pair| signs(current, pair));
        let in_use =
            |authority: &&X509| stays || (later <= 1 && held.pairs.values().any(|pair| signs(authority, pair)));
        let valid = |authority: &&X509| authority.not_after >= time && belongs(authority);
        for authority in held.bundle.iter().filter(valid).filter(in_use) {
            let certificate = authority.pem();
            if !bundle.contains(&certificate) && seen.insert(&authority.der) {
                trusted.push(certificate);
            }
        }
    }
    trusted
}

/// A warning if the peers that use the bundles of the Secrets `held` do not trust the CA that signs new certificates. Only CAs
/// for which `belongs` is true count: a bundle without any of them has another purpose. `first` is advice to try first.
pub(crate) fn unannounced<'h>(
    mut held: impl Iterator<Item = &'h Certificates<'h>>,
    authority: &X509,
    belongs: impl Fn(&X509) -> bool,
    first: &str,
) -> Option<Diagnostic> {
    let held = held.find(|held| {
        let mut trusted = held.bundle.iter().filter(|trusted| belongs(trusted)).peekable();
        trusted.peek().is_some() && trusted.all(|trusted| trusted.der != authority.der)
    })?;
    let what = format!(
        "does not contain the CA that signs new certificates, so clients with this bundle reject them: \
         {first}increase `pgrender.dev/rotate-ca` by one only, and if another bundle has been applied since, read the \
         Secrets again"
    );
    Some(held.secret.warning(held.told_at, &what))
}

/// The warnings about CAs that the Secrets `held` of members trust although this seed does not give them. `bundle` contains
/// the CAs that it gives. If `belongs` is true for a CA, it has the name of the members' CA: it may be the CA of an earlier
/// seed, and is kept. Other CAs are removed, because the members' CA signs only for members. A bundle without any members' CA
/// comes from PGO or from an earlier version, and has another purpose.
pub(crate) fn strangers<'h>(
    held: impl Iterator<Item = &'h Certificates<'h>>,
    bundle: &[String],
    belongs: impl Fn(&X509) -> bool,
) -> Vec<Diagnostic> {
    let mut told = Vec::new();
    for held in held {
        let (named, others): (Vec<_>, Vec<_>) = held.bundle.iter().partition(|authority| belongs(authority));
        if !named.is_empty() && !others.is_empty() {
            let what = "contains a CA that is not the CA of this cluster's members. It is removed, because its certificates could \
                        change the cluster through Patroni; find out who added it";
            told.push(held.secret.warning(held.told_at, what));
        }
        if named.iter().any(|authority| !bundle.contains(&authority.pem())) {
            let what = "contains a CA of members that this seed does not give. It may be kept, in case it is the CA \
                        of an earlier seed; increase `pgrender.dev/rotate-ca` to remove it";
            told.push(held.secret.warning(held.told_at, what));
        }
    }
    told
}

/// A message about PGO's CA, if it signs and is not valid, or ends before the certificates that it signs.
pub(crate) fn root_notes(root: &Root, time: i64, window: Window) -> Option<Diagnostic> {
    let end = day(root.authority.certificate.not_after);
    if !root.authority.certificate.is_valid_at(time) {
        let what = format!(
            "is a CA that is not valid at this time (it is valid until {end}): increase `{}`",
            annotation::ROTATE_CA
        );
        return Some(root.secret.error(Root::CERTIFICATE, &what));
    }
    (root.authority.certificate.not_after < window.not_after()).then(|| {
        let what = format!(
            "is a CA that expires on {end}, before the certificates that it signs: increase `{}` before this \
                     date",
            annotation::ROTATE_CA
        );
        root.secret.warning(Root::CERTIFICATE, &what)
    })
}

/// The parsed form of a certificate that was just made.
pub(crate) fn facts(certificate: &str) -> X509 {
    x509::certificates(certificate).expect("rcgen writes certificates that can be read").swap_remove(0)
}
