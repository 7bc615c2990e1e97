//! Random changes of a text and of a tree.

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use serde_json::{Map, Value, json};

/// Texts that are inserted into a text.
const TEXTS: [&str; 24] = [
    "\0", "\n", "\r", "\t", "\u{feff}", "\u{2028}", "é", "😀", "---\n", "...\n", "? ", "- ", ": ", "#", "&a ", "*a",
    "<<: ", "!!str ", "|\n", ">-\n", "\"", "'", "{", "[",
];

/// Texts that replace a value.
const WORDS: [&str; 26] = [
    "",
    " ",
    "-",
    "0",
    "null",
    "true",
    "yes",
    "~",
    "../x",
    "/",
    "a b",
    "a\nb",
    "a\r\nb",
    "a\0b",
    "\u{2028}",
    "é",
    "😀",
    "${VAR}",
    "$(X)",
    "'",
    "\"",
    "repo1",
    "repo9",
    "host all all all trust",
    "1Gi",
    "* * * * *",
];

/// Changes trees at random.
pub(super) struct Mutator {
    /// Trees whose parts are inserted into other trees.
    pool: Vec<Value>,
}

/// A step of a path into a tree.
#[derive(Clone)]
enum Step {
    Key(String),
    Index(usize),
}

impl Mutator {
    pub(super) fn new(pool: Vec<Value>) -> Self {
        Self { pool }
    }

    /// Returns the text with characters changed, removed, repeated or inserted. The text stays UTF-8, because other bytes are
    /// refused immediately.
    pub(super) fn bytes(text: &str, random: &mut SmallRng) -> String {
        let mut text: Vec<char> = text.chars().collect();
        for _ in 0..random.random_range(1..6) {
            if text.is_empty() {
                break;
            }
            let at = random.random_range(0..text.len());
            let end = (at + random.random_range(1..40)).min(text.len());
            match random.random_range(0..5) {
                0 => text[at] = char::from(random.random_range(0x09..0x7f_u8)),
                1 => _ = text.drain(at..end),
                2 => {
                    let part = text[at..end].to_vec();
                    let to = random.random_range(0..=text.len());
                    text.splice(to..to, part.repeat(random.random_range(1..3)));
                }
                3 => _ = text.splice(at..at, TEXTS.choose(random).unwrap().chars()),
                _ => {
                    let other = random.random_range(0..text.len());
                    text.swap(at, other);
                }
            }
        }
        text.into_iter().collect()
    }

    /// Changes one node of a tree.
    pub(super) fn tree(&self, tree: &mut Value, random: &mut SmallRng) {
        let mut paths = Vec::new();
        walk(tree, &mut Vec::new(), &mut paths);
        let Some(path) = paths.choose(random) else { return };
        match random.random_range(0..8) {
            0 => remove(tree, path),
            1 => rename(tree, path, random),
            2 => repeat(tree, path, random),
            3 => {
                let other = paths.choose(random).and_then(|path| at(tree, path)).cloned();
                put(tree, path, other);
            }
            4 | 5 => {
                let other = self.pool.choose(random).map(|other| {
                    let mut paths = Vec::new();
                    walk(other, &mut Vec::new(), &mut paths);
                    paths.choose(random).and_then(|path| at_ref(other, path)).unwrap_or(other).clone()
                });
                put(tree, path, other);
            }
            _ => put(tree, path, Some(nasty(random))),
        }
    }
}

/// Returns a value that is likely to be invalid.
fn nasty(random: &mut SmallRng) -> Value {
    match random.random_range(0..14) {
        0 => Value::Null,
        1 => json!([]),
        2 => json!({}),
        3 => json!(random.random::<bool>()),
        4 => {
            json!(*[0, -1, 1, 255, 256, 65535, 65536, i64::from(i32::MAX), i64::MAX, i64::MIN].choose(random).unwrap())
        }
        5 => json!(1.5),
        6 => json!("x".repeat(*[63, 64, 253, 254, 1000, 70_000].choose(random).unwrap())),
        7 => (0..random.random_range(1..70)).fold(json!("deep"), |value, _| json!([value])),
        8 => Value::Object(
            (0..random.random_range(1..300)).map(|number| (format!("k{number}"), json!("v"))).collect::<Map<_, _>>(),
        ),
        9 => json!(random.next_u64()),
        _ => json!(WORDS.choose(random).unwrap()),
    }
}

fn walk(value: &Value, path: &mut Vec<Step>, paths: &mut Vec<Vec<Step>>) {
    let mut below = |step: Step, value: &Value| {
        path.push(step);
        paths.push(path.clone());
        walk(value, path, paths);
        path.pop();
    };
    match value {
        Value::Object(entries) => entries.iter().for_each(|(key, value)| below(Step::Key(key.clone()), value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, value)| below(Step::Index(index), value)),
        _ => {}
    }
}

fn at_ref<'a>(tree: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(tree, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    })
}

fn at<'a>(tree: &'a mut Value, path: &[Step]) -> Option<&'a mut Value> {
    path.iter().try_fold(tree, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    })
}

fn put(tree: &mut Value, path: &[Step], value: Option<Value>) {
    if let (Some(place), Some(value)) = (at(tree, path), value) {
        *place = value;
    }
}

fn remove(tree: &mut Value, path: &[Step]) {
    let Some((last, parents)) = path.split_last() else { return };
    match (at(tree, parents), last) {
        (Some(Value::Object(entries)), Step::Key(key)) => _ = entries.shift_remove(key),
        (Some(Value::Array(items)), Step::Index(index)) => _ = items.remove(*index),
        _ => {}
    }
}

/// Renames a key.
fn rename(tree: &mut Value, path: &[Step], random: &mut SmallRng) {
    let Some((Step::Key(key), parents)) = path.split_last() else { return };
    let Some(Value::Object(entries)) = at(tree, parents) else { return };
    let Some(value) = entries.shift_remove(key) else { return };
    let other = match random.random_range(0..3) {
        0 => format!("{key}s"),
        1 => key.to_uppercase(),
        _ => (*WORDS.choose(random).unwrap()).to_owned(),
    };
    entries.insert(other, value);
}

/// Repeats an item of a list, or a text.
fn repeat(tree: &mut Value, path: &[Step], random: &mut SmallRng) {
    let times = *[2, 3, 20, 300].choose(random).unwrap();
    let Some((last, parents)) = path.split_last() else { return };
    match (at(tree, parents), last) {
        (Some(Value::Array(items)), Step::Index(index)) => {
            let item = items[*index].clone();
            items.extend(std::iter::repeat_n(item, times));
        }
        (Some(Value::Object(entries)), Step::Key(key)) => {
            if let Some(Value::String(text)) = entries.get_mut(key) {
                *text = text.repeat(times);
            }
        }
        _ => {}
    }
}
