//! Compares the rendered objects with those that a running PGO created for the same specs, field by field. Both sides are first
//! converted to one form (`normal`) and then compared (`compare`). Every remaining difference must be in the list of intended
//! differences (`deliberate`), and each entry of this list must occur.
//!
//! PGO's objects are not part of this repository: the test looks for them in `$PGRENDER_SHARED` and in `../shared`, and prints
//! a message if they are in neither.

mod certificate;
mod compare;
mod deliberate;
mod instances;
mod normal;
mod ours;
mod place;
mod secret;
mod take_over;
mod texts;
mod theirs;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::observed::compare::{Difference, compare};
use crate::observed::deliberate::DELIBERATE;

/// The input of PGO, and the location of its objects.
struct Case {
    /// The file below `pgo/observed`.
    observed: &'static str,
    /// The file below `pgo` with the `PostgresCluster`.
    input: &'static str,
    /// The namespace in the test of PGO.
    namespace: &'static str,
    /// The version of Postgres that was used instead of the example's 18.
    postgres_version: Option<&'static str>,
}

const CASES: [Case; 5] = [
    Case { observed: "hippo.yaml", input: "observed/hippo.input.yaml", namespace: "pgo-hippo", postgres_version: None },
    Case { observed: "rich.yaml", input: "observed/rich.input.yaml", namespace: "pgo-rich", postgres_version: None },
    Case {
        observed: "high-availability.yaml",
        input: "examples/high-availability/ha-postgres.yaml",
        namespace: "pgo-obs",
        postgres_version: Some("17"),
    },
    Case {
        observed: "multi-backup-repo.yaml",
        input: "examples/multi-backup-repo/postgres.yaml",
        namespace: "pgo-obs",
        postgres_version: Some("17"),
    },
    Case {
        observed: "hippo-tutorial.yaml",
        input: "examples/postgres/postgres.yaml",
        namespace: "pgo-obs",
        postgres_version: None,
    },
];

#[test]
fn every_difference_from_pgo_is_meant_and_every_one_that_is_meant_is_there() {
    let Some(pgo) = pgo() else { return };
    if crate::common::tools::program("openssl").is_none() {
        return;
    }
    let places: Vec<_> = DELIBERATE
        .iter()
        .flat_map(|deliberate| deliberate.places.iter().map(move |place| (deliberate, place)))
        .collect();
    let mut met = BTreeSet::new();
    let mut unexplained = Vec::new();
    for case in &CASES {
        for difference in differences(&pgo, case) {
            match places.iter().position(|(_, place)| place.is_of(&difference)) {
                Some(place) => _ = met.insert(place),
                None => unexplained.push(format!("{}: {difference}", case.observed)),
            }
        }
    }
    assert!(unexplained.is_empty(), "differences that nobody meant:\n{}", unexplained.join("\n"));
    let unmet = places.iter().enumerate().filter(|(index, _)| !met.contains(index));
    let unmet: Vec<_> = unmet
        .map(|(_, (deliberate, place))| format!("{place}\n    {} ({})", deliberate.reason, deliberate.source))
        .collect();
    assert!(unmet.is_empty(), "meant, but not there any more:\n{}", unmet.join("\n"));
}

/// Returns all differences of one case.
fn differences(pgo: &Path, case: &Case) -> Vec<Difference> {
    let observed = theirs::read(&pgo.join("observed").join(case.observed));
    compare(&observed, &ours::render(case.input, &input(pgo, case), case.namespace))
}

/// Returns the cluster of a case, as PGO got it.
fn input(pgo: &Path, case: &Case) -> String {
    let mut input = fs::read_to_string(pgo.join(case.input)).unwrap();
    if let Some(version) = case.postgres_version {
        let changed = input.replace("postgresVersion: 18", &format!("postgresVersion: {version}"));
        assert_ne!(changed, input, "{}", case.input);
        input = changed;
    }
    input
}

/// Returns the directory with the reference material on PGO, if it exists.
fn pgo() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let pgo = std::env::var_os("PGRENDER_SHARED").map_or(beside, PathBuf::from).join("pgo");
    if !pgo.join("observed").is_dir() {
        println!("skipped: what PGO made is neither in $PGRENDER_SHARED nor in ../shared");
        return None;
    }
    Some(pgo)
}
