//! What pgrender makes of each field. This is measured: `tests/integration/unrendered/effects.rs` sets each field in a cluster,
//! looks at what changes, and writes `effects.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::explain::{Effect, FieldEffect};

/// The effects by path.
pub static EFFECTS: LazyLock<BTreeMap<String, Effect>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("effects.json")).expect("the effects in the program should be readable")
});

/// More objects than this are not named: fields below say more.
const MOST_OBJECTS: usize = 30;

/// The effect of a field itself.
pub(super) fn of_exactly(path: &str) -> Option<FieldEffect> {
    EFFECTS.get(path).map(|effect| told(path, effect.clone()))
}

/// The effect of a field: its own, that of the field that contains it, or the objects of the fields that it contains.
pub(super) fn of(path: &str) -> Option<FieldEffect> {
    let mut above = Some(path);
    while let Some(field) = above {
        if let Some(effect) = EFFECTS.get(field) {
            return Some(told(field, effect.clone()));
        }
        above = field.rfind(['.', '[']).map(|end| &field[..end]);
    }
    let is_below = |other: &str| other.strip_prefix(path).is_some_and(|rest| rest.starts_with(['.', '[']));
    let below = EFFECTS.iter().filter(|(other, _)| is_below(other)).filter_map(|(_, effect)| match effect {
        Effect::Changes(changes) => Some(changes),
        _ => None,
    });
    let objects: BTreeSet<&String> = below.flatten().flat_map(|change| &change.objects).collect();
    let few = (1..=MOST_OBJECTS).contains(&objects.len());
    few.then(|| told(path, Effect::Objects(objects.into_iter().cloned().collect())))
}

/// An effect, and who acts on the field. What the caretaker does is in objects that only it reads.
fn told(field: &str, effect: Effect) -> FieldEffect {
    let of_caretaker = |object: &String| object.ends_with(" {cluster}-caretaker");
    let acts = match &effect {
        Effect::Changes(changes) => changes.iter().flat_map(|change| &change.objects).any(of_caretaker),
        // The fields below say it, each for itself.
        Effect::Objects(_) | Effect::Warning(_) | Effect::Error(_) => false,
    };
    let at_run_time =
        acts.then(|| "The caretaker, a container of each instance, acts on it in the running cluster.".to_owned());
    FieldEffect { field: field.to_owned(), at_run_time, effect }
}
