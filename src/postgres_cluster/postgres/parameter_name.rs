//! The names of Postgres' own parameters, and the versions that have them. If the server does not have a parameter without a
//! dot in its name, Patroni ignores it, with only a line in its log (Patroni's `transform_postgresql_parameter_value`).

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// One name per line. If not all versions from 10 on have the parameter, `from-until` follows: the first major version that has
/// it, and the first that no longer has it. Then follows the kind of its value, as [`super::parameter_value`] reads it; without
/// a kind, any text is valid.
const LIST: &str = include_str!("parameters.txt");

static KNOWN: LazyLock<BTreeMap<&str, (Versions, &str)>> = LazyLock::new(|| LIST.lines().map(entry).collect());

/// The major versions that have a parameter.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Versions {
    /// The first version that has it; `None` if all have it.
    pub from: Option<u16>,
    /// The first version that no longer has it.
    pub until: Option<u16>,
}

impl Versions {
    /// Whether `version` is one of them.
    pub fn contain(self, version: u16) -> bool {
        self.from.is_none_or(|from| from <= version) && self.until.is_none_or(|until| version < until)
    }
}

fn entry(line: &str) -> (&str, (Versions, &str)) {
    let (name, rest) = line.split_once(' ').unwrap_or((line, "-"));
    let (range, kind) = rest.split_once(' ').unwrap_or((rest, ""));
    let (from, until) = range.split_once('-').unwrap_or_default();
    (name, (Versions { from: from.parse().ok(), until: until.parse().ok() }, kind))
}

/// Returns the versions that have the parameter `name`, in any case; `None` if no version has it.
pub fn versions(name: &str) -> Option<Versions> {
    KNOWN.get(name.to_ascii_lowercase().as_str()).map(|(versions, _)| *versions)
}

/// Returns the kind of the value of a parameter; empty if any text is valid.
pub(crate) fn kind(name: &str) -> &'static str {
    KNOWN.get(name.to_ascii_lowercase().as_str()).map_or("", |(_, kind)| kind)
}

/// Returns the names of all parameters, in any version.
pub fn names() -> impl Iterator<Item = &'static str> {
    KNOWN.keys().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_known_from_one_version_to_another() {
        assert_eq!(versions("Work_Mem"), Some(Versions::default()));
        assert_eq!(versions("wal_keep_segments"), Some(Versions { from: None, until: Some(13) }));
        let io_method = versions("io_method").unwrap();
        assert!(!io_method.contain(17) && io_method.contain(18));
        assert!(versions("logical_replication_mode").unwrap().contain(16));
        assert!(!versions("logical_replication_mode").unwrap().contain(17));
        assert_eq!(versions("work_men"), None);
    }

    #[test]
    fn the_list_is_in_order_and_every_line_of_it_is_read() {
        assert!(LIST.lines().is_sorted() && LIST.lines().all(|line| !line.ends_with(' ')));
        assert_eq!(names().count(), LIST.lines().count());
    }
}
