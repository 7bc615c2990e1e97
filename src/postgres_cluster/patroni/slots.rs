//! Checks `slots` and `ignore_slots` of Patroni's dynamic configuration: slots that Postgres cannot create, and entries that
//! Patroni would not match (Patroni, "Dynamic Configuration Settings"; its `Cluster._merge_permanent_slots`).

use serde_json::{Map, Value};

use super::setting::{self, Setting};
use crate::diagnostic::FieldPath;
use crate::diagnostic::words;
use crate::postgres_cluster::resolve::context::Context;

/// The longest name in Postgres, in bytes (`NAMEDATALEN`).
const LONGEST: usize = 63;

/// The name `slots` and its older names.
const SECTIONS: [&str; 3] = ["permanent_replication_slots", "permanent_slots", "slots"];

/// Reports what is wrong with each slot.
pub(crate) fn check(configuration: &Map<String, Value>, path: &FieldPath, context: &mut Context) {
    for section in SECTIONS {
        let slots = configuration.get(section).and_then(Value::as_object);
        for (name, slot) in slots.into_iter().flatten() {
            let path = path.key(section).key(name);
            if let Some(fault) = name_fault(name) {
                context.warning(path.clone(), fault);
            }
            permanent(slot, &path, context);
        }
    }
    let ignored = configuration.get("ignore_slots").and_then(Value::as_array);
    for (index, slot) in ignored.into_iter().flatten().enumerate() {
        let path = path.key("ignore_slots").index(index);
        let Some(slot) = members(slot, &setting::IGNORED_SLOT, &path, context) else { continue };
        if let Some(fault) = text(slot, "name").and_then(name_fault) {
            context.warning(path.key("name"), fault);
        }
        check_type(slot, &path, context);
    }
    let followed = configuration.get("standby_cluster").and_then(|source| source.get("primary_slot_name"));
    if let Some(fault) = followed.and_then(Value::as_str).and_then(name_fault) {
        context.warning(path.key("standby_cluster").key("primary_slot_name"), fault);
    }
}

/// Checks a slot that Patroni creates and keeps on all instances.
fn permanent(slot: &Value, path: &FieldPath, context: &mut Context) {
    let Some(slot) = members(slot, &setting::SLOT, path, context) else { return };
    if !check_type(slot, path, context) {
        return;
    }
    let given = |name: &str| text(slot, name).is_some_and(|text| !text.is_empty());
    let (database, plugin) = (given("database"), given("plugin"));
    match text(slot, "type") {
        Some("logical") if !(database && plugin) => {
            let missing = match (database, plugin) {
                (true, _) => "`plugin`",
                (_, true) => "`database`",
                _ => "`database` and `plugin`",
            };
            context.warning(
                path.clone(),
                format!("Patroni does not create a logical slot without {missing}: add what is missing"),
            );
        }
        Some("physical") if database || plugin => {
            let message =
                "is a physical slot, which has no `database` and no `plugin`: write `type: logical`, or remove them";
            context.warning(path.clone(), message);
        }
        None if database != plugin => {
            let missing = if database { "plugin" } else { "database" };
            let message = format!(
                "becomes a physical slot, because a logical slot also needs `{missing}`: add `{missing}`, or remove \
                 the other field"
            );
            context.warning(path.clone(), message);
        }
        _ => {}
    }
}

/// Whether the type of a slot is valid or absent.
fn check_type(slot: &Map<String, Value>, path: &FieldPath, context: &mut Context) -> bool {
    const TYPES: [&str; 2] = ["logical", "physical"];
    let unknown = text(slot, "type").filter(|kind| !TYPES.contains(kind));
    if let Some(kind) = unknown {
        let message = format!(
            "{} is not a valid type of a slot, and Patroni ignores it: write `logical` or `physical`",
            words::quote(kind)
        );
        context.warning(path.key("type"), message);
    }
    unknown.is_none()
}

/// Returns the properties of a slot if it has any. A slot without properties is a physical slot.
fn members<'a>(
    slot: &'a Value,
    settings: &[Setting],
    path: &FieldPath,
    context: &mut Context,
) -> Option<&'a Map<String, Value>> {
    let slot = match slot {
        Value::Null => return None,
        Value::Object(slot) => slot,
        _ => {
            context.warning(path.clone(), "must be a mapping such as `{type: physical}`");
            return None;
        }
    };
    for (name, value) in slot.iter().filter(|(_, value)| !value.is_null()) {
        let fault = match setting::kind(settings, name) {
            Some(kind) => setting::fault(kind, value).map(str::to_owned),
            None => Some(words::unknown_field(name, settings.iter().map(|(name, _)| *name))),
        };
        if let Some(fault) = fault {
            context.warning(path.key(name), fault);
        }
    }
    Some(slot)
}

fn text<'a>(slot: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    slot.get(name).and_then(Value::as_str)
}

/// Returns what is wrong with the name of a slot (PostgreSQL, "Replication Slots"; `ReplicationSlotValidateName`).
fn name_fault(name: &str) -> Option<String> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.is_empty() && name.len() <= LONGEST && name.chars().all(good) {
        return None;
    }
    let near: String = name.to_lowercase().chars().map(|c| if good(c) { c } else { '_' }).take(LONGEST).collect();
    let instead = if near.is_empty() { String::new() } else { format!(": write `{near}`") };
    Some(format!(
        "is not a valid name of a slot, which has only lower-case letters, digits and `_`, at most {LONGEST} \
         characters{instead}"
    ))
}
