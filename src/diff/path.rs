//! Paths of fields in objects, and the patterns of the table of effects.

use std::fmt;

use crate::diagnostic::{is_plain, line};

/// One step of a [`Path`].
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Step {
    /// A key of a mapping.
    Key(String),
    /// An item of a list: by the field that identifies it, such as its name, else by its index.
    Item(String),
}

/// The path of a field, written as `spec.template.spec.containers[database].image`.
#[derive(Clone, Debug, Default, Eq, PartialEq, Ord, PartialOrd)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// Returns this path with one more key.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    /// Returns this path with one more item of a list.
    #[must_use]
    pub fn item(&self, item: &str) -> Self {
        self.with(Step::Item(item.to_owned()))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// The key or item at `index`.
    pub fn word(&self, index: usize) -> Option<&str> {
        self.0.get(index).map(|step| match step {
            Step::Key(word) | Step::Item(word) => word.as_str(),
        })
    }

    /// Whether this path matches `pattern`: words that are separated by spaces, of which `*` stands for any one word, and `**`
    /// at the end for any number of further words. Words have spaces between them because keys contain dots.
    pub fn matches(&self, pattern: &str) -> bool {
        let mut index = 0;
        for wanted in pattern.split(' ') {
            if wanted == "**" {
                return true;
            }
            let Some(word) = self.word(index) else { return false };
            let fits = match (wanted.strip_prefix('*'), wanted.strip_suffix('*')) {
                _ if wanted == "*" => true,
                (Some(end), _) => word.ends_with(end),
                (_, Some(start)) => word.starts_with(start),
                _ => word == wanted,
            };
            if !fits {
                return false;
            }
            index += 1;
        }
        index == self.0.len()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Item(item) => write!(f, "[{}]", line::shown(item))?,
                Step::Key(key) if !is_plain(key) => write!(f, "[{key:?}]")?,
                Step::Key(key) if index == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(words: &[&str]) -> Path {
        Path(words.iter().map(|word| Step::Key((*word).to_owned())).collect())
    }

    #[test]
    fn a_pattern_matches_words() {
        let image = path(&["spec", "containers"]).item("database").key("image");
        assert_eq!(image.to_string(), "spec.containers[database].image");
        for (pattern, matches) in [
            ("spec containers * image", true),
            ("spec containers database image", true),
            ("spec **", true),
            ("**", true),
            ("spec containers * image **", true),
            ("spec containers *", false),
            ("spec containers * image name", false),
            ("spec containers data* image", true),
            ("spec containers *base image", true),
            ("spec containers *bas image", false),
        ] {
            assert_eq!(image.matches(pattern), matches, "{pattern}");
        }
    }

    #[test]
    fn keys_that_are_not_plain_are_quoted() {
        assert_eq!(path(&["data", "patroni.yaml", "a b"]).to_string(), "data[\"patroni.yaml\"][\"a b\"]");
    }
}
