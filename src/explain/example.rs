//! Cuts the example of one field out of a whole resource.

use serde_json::{Map, Value};

/// Which fields stay beside the one on the way to the example: those whose absence would make it invalid.
pub(crate) type Keep<'a> = &'a dyn Fn(&[String], &str) -> bool;

/// Returns the part of `resource` that has the field with these keys, or `None` if it has no such field. Lists keep only the
/// item that has the field.
pub(crate) fn cut(resource: &Value, keys: &[String], keep: Keep) -> Option<Value> {
    part(resource, keys, &mut Vec::new(), keep)
}

fn part(value: &Value, keys: &[String], above: &mut Vec<String>, keep: Keep) -> Option<Value> {
    let Some((key, below)) = keys.split_first() else { return Some(value.clone()) };
    match value {
        Value::Array(items) => {
            items.iter().find_map(|item| part(item, keys, above, keep)).map(|item| Value::Array(vec![item]))
        }
        Value::Object(fields) => {
            above.push(key.clone());
            let found = fields.get(key).and_then(|field| part(field, below, above, keep));
            let part = found.map(|found| {
                let kept = fields.iter().filter_map(|(name, field)| {
                    if name == key {
                        return Some((name.clone(), found.clone()));
                    }
                    keep(above, name).then(|| (name.clone(), field.clone()))
                });
                Value::Object(kept.collect::<Map<_, _>>())
            });
            above.pop();
            part
        }
        _ => None,
    }
}

/// Adds another part of the same resource. Items of lists are the same if they have the same name.
pub(crate) fn join(part: &mut Value, other: &Value) {
    match (part, other) {
        (Value::Object(fields), Value::Object(others)) => {
            for (name, other) in others {
                match fields.get_mut(name) {
                    Some(field) => join(field, other),
                    None => _ = fields.insert(name.clone(), other.clone()),
                }
            }
        }
        (Value::Array(items), Value::Array(others)) => {
            for other in others.iter().filter(|other| other.is_object()) {
                match items.iter_mut().find(|item| item["name"] == other["name"]) {
                    Some(item) => join(item, other),
                    None => items.push(other.clone()),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_way_to_the_field_is_left() {
        let resource = json!({"spec": {"a": [{"name": "x", "b": 1}, {"name": "y", "c": {"d": 2, "e": 3}}], "f": 4}});
        let keys = |path: &str| path.split('.').map(str::to_owned).collect::<Vec<_>>();
        let keep: Keep = &|_, name| name == "name";
        assert_eq!(
            cut(&resource, &keys("spec.a.c.d"), keep),
            Some(json!({"spec": {"a": [{"name": "y", "c": {"d": 2}}]}}))
        );
        assert_eq!(cut(&resource, &keys("spec.f"), keep), Some(json!({"spec": {"f": 4}})));
        assert_eq!(cut(&resource, &keys("spec.a.c.z"), keep), None);
    }
}
