//! The options of `pgbackrest restore` that a user may give.
//!
//! PGO joins the options with spaces and has a shell evaluate them (`internal/controller/postgrescluster/pgbackrest.go`). So one
//! item can have several options, and values with spaces are in quotes. Here no shell evaluates them: they are split into words
//! as a shell does, and then checked as pgBackRest checks them (`config/parse.c`).

use std::collections::{BTreeMap, BTreeSet};

use super::target;
use super::words::split;
use crate::diagnostic::words;
use crate::postgres_cluster::pgbackrest::option_value;

/// Options that pgrender sets (PGO refuses the first five), and those that a cluster cannot work with.
const OURS: [&str; 17] = [
    "stanza",
    "repo",
    "pg1-path",
    "target-action",
    "link-map",
    "archive-mode",
    "cmd",
    "cmd-ssh",
    "config",
    "config-include-path",
    "config-path",
    "exec-id",
    "lock-path",
    "log-level-file",
    "log-path",
    "recovery-option",
    "spool-path",
];

/// Options that need volumes for tablespaces.
const OF_TABLESPACES: [&str; 2] = ["tablespace-map", "tablespace-map-all"];

/// The options of the command `restore` that remain (pgbackrest.org/command.html, "Restore Command").
pub const KNOWN: [&str; 28] = [
    "beta",
    "buffer-size",
    "compress-level-network",
    "db-exclude",
    "db-include",
    "delta",
    "force",
    "io-timeout",
    "job-retry",
    "job-retry-interval",
    "link-all",
    "log-level-console",
    "log-level-stderr",
    "log-subprocess",
    "log-timestamp",
    "neutral-umask",
    "process-max",
    "protocol-timeout",
    "sck-block",
    "sck-keep-alive",
    "set",
    "target",
    "target-exclusive",
    "target-timeline",
    "tcp-keep-alive-count",
    "tcp-keep-alive-idle",
    "tcp-keep-alive-interval",
    "type",
];

/// Options that are switches. They have no value, or `y` or `n`.
const SWITCHES: [&str; 10] = [
    "beta",
    "delta",
    "force",
    "link-all",
    "log-subprocess",
    "log-timestamp",
    "neutral-umask",
    "sck-block",
    "sck-keep-alive",
    "target-exclusive",
];

/// The switches without a form that begins with `no-`, because they are only for the command line.
const NOT_NEGATED: [&str; 2] = ["force", "target-exclusive"];

/// The options that may be given several times.
const LISTS: [&str; 2] = ["db-exclude", "db-include"];

/// What is wrong with an option, and the position of its item.
pub type Fault = (usize, String);

/// One option.
pub(super) struct Given {
    position: usize,
    /// As the user wrote it, with its value: `--type=time`.
    word: String,
}

impl Given {
    /// The text after `--`, up to the value.
    fn written(&self) -> &str {
        let text = self.word.strip_prefix("--").unwrap_or(&self.word);
        text.split_once('=').map_or(text, |(name, _)| name)
    }

    /// The name, without `no-` before that of a switch.
    fn name(&self) -> &str {
        self.written().strip_prefix("no-").filter(|name| SWITCHES.contains(name)).unwrap_or_else(|| self.written())
    }

    fn is_negated(&self) -> bool {
        self.name() != self.written()
    }

    fn value(&self) -> Option<&str> {
        self.word.split_once('=').map(|(_, value)| value)
    }
}

/// Splits `options` into words like `--type=time`, and checks them. No message contains the value of an option that is not
/// allowed, because it could be a secret.
///
/// # Errors
/// The position of the item, and what is wrong with it.
pub fn checked(options: &[String]) -> Result<Vec<String>, Fault> {
    let given = all(options)?;
    let mut names = BTreeSet::new();
    for option in &given {
        let fault = |why| (option.position, why);
        check(option).map_err(fault)?;
        let name = option.name();
        if !names.insert(name) && !LISTS.contains(&name) {
            return Err(fault(format!(
                "`--{name}` is there twice, which pgBackRest does not accept: remove one of them"
            )));
        }
    }
    let find = |name: &str| given.iter().find(|option| option.name() == name);
    target::check(&|name| find(name).map(|option| option.value().unwrap_or_default())).map_err(|(name, why)| {
        let last = options.len().saturating_sub(1);
        (find(name).map_or(last, |option| option.position), why)
    })?;
    Ok(given.into_iter().map(|option| option.word).collect())
}

/// Splits all items. A value that is a word of its own is joined to its option.
fn all(options: &[String]) -> Result<Vec<Given>, Fault> {
    let mut given: Vec<Given> = Vec::new();
    for (position, item) in options.iter().enumerate() {
        for word in split(item).map_err(|why| (position, why))? {
            if word.starts_with("--") {
                given.push(Given { position, word });
                continue;
            }
            let last = given.last_mut().filter(|last| last.value().is_none() && !SWITCHES.contains(&last.name()));
            let Some(last) = last else {
                let message = "has a word that is not an option and not the value of one: write options as `--type=time`, and \
                               quote a value with spaces";
                return Err((position, message.to_owned()));
            };
            last.word = format!("{}={word}", last.word);
        }
    }
    Ok(given)
}

/// Checks one option.
fn check(option: &Given) -> Result<(), String> {
    let name = option.name();
    if OURS.contains(&name) || is_of_another_host(name) {
        return Err(format!("`--{name}` is set by pgrender: remove it"));
    }
    if OF_TABLESPACES.contains(&name) {
        return Err(format!(
            "`--{name}` is not possible, because pgrender creates no volumes for tablespaces: remove it. A backup with tablespaces \
             cannot be restored here"
        ));
    }
    if !KNOWN.contains(&name) {
        let meant = words::nearest(name, KNOWN).map(|meant| format!("did you mean `--{meant}`?"));
        let meant = meant.unwrap_or_else(|| "remove it".to_owned());
        return Err(format!(
            "`pgbackrest restore` does not have the option {}: {meant}",
            words::quote(&format!("--{name}"))
        ));
    }
    if option.is_negated() && (option.value().is_some() || NOT_NEGATED.contains(&name)) {
        return Err(if option.value().is_some() {
            format!("`--no-{name}` has no value: write it without one")
        } else {
            format!("pgBackRest does not accept `--no-{name}`: remove it, because it is the default")
        });
    }
    if SWITCHES.contains(&name) {
        return match option.value() {
            None | Some("y" | "n") => Ok(()),
            Some(_) => Err(format!("`--{name}` is a switch: write it without a value")),
        };
    }
    let value = option.value().unwrap_or_default();
    if value.trim().is_empty() {
        return Err(format!("`--{name}` needs a value: write `--{name}=…`"));
    }
    option_value::fault(name, value, &BTreeMap::new()).map_or(Ok(()), Err)
}

/// Whether an option says where Postgres or a repository is.
fn is_of_another_host(name: &str) -> bool {
    ["pg", "repo"]
        .into_iter()
        .filter_map(|prefix| name.strip_prefix(prefix))
        .any(|rest| rest.starts_with(|first: char| first.is_ascii_digit() || first == '-'))
}

/// Whether recovery stops before the end of the archive, so that Postgres must be told to promote.
pub fn stops_early(options: &[String]) -> bool {
    options.iter().filter_map(|option| option.strip_prefix("--type=")).any(|kind| kind != "default")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(options: &[&str]) -> Result<Vec<String>, Fault> {
        checked(&options.iter().map(|option| (*option).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_split_as_a_shell_does() {
        let expected = ["--type=time", "--target=2026-01-01 00:00:00+00", "--delta"].map(str::to_owned).to_vec();
        for options in [
            &["--type=time", "--target=\"2026-01-01 00:00:00+00\"", "--delta"][..],
            &["--type=time --target='2026-01-01 00:00:00+00' --delta"],
            &["--type", "time", "--target", "'2026-01-01 00:00:00+00'", "--delta"],
            &["--type time --target=2026-01-01\\ 00:00:00+00", "--delta"],
        ] {
            assert_eq!(words(options), Ok(expected.clone()), "{options:?}");
        }
        assert_eq!(words(&[]), Ok(Vec::new()));
        assert!(stops_early(&expected) && !stops_early(&["--type=default".to_owned()]));
        assert!(words(&["--log-level-console=detail --db-include=a --db-include=b"]).is_ok());
    }

    #[test]
    fn what_pgo_refuses_and_what_no_cluster_can_start_with_is_refused() {
        for (option, position) in [
            (&["--repo=1"][..], 0),
            (&["--delta", "--stanza=db"], 1),
            (&["--pg1-path=/x"], 0),
            (&["--pg1-host=x"], 0),
            (&["--repo1-s3-key=hush"], 0),
            (&["--repo-s3-key=hush"], 0),
            (&["--repo1-s3-key-secret=hush hush"], 0),
            (&["--repo1-cipher-pass='hush"], 0),
            (&["--repo1-cipher-pass=hush;hush"], 0),
            (&["--target-action=pause"], 0),
            (&["--link-map=pg_wal=/x"], 0),
            (&["--config=/x"], 0),
            (&["--archive-mode=off"], 0),
            (&["--recovery-option=restore_command=x"], 0),
            (&["--log-level-file=info"], 0),
            (&["--tablespace-map=a=/b"], 0),
            (&["--tablespace-map-all=/b"], 0),
            (&["--type=standby"], 0),
            (&["--type=none"], 0),
            (&["--delta", "--type=time", "--force"], 1),
            (&["--target=x", "--delta"], 0),
            (&["--targt=x"], 0),
            (&["--archive-timeout=60"], 0),
            (&["----delta"], 0),
            (&["type=time"], 0),
            (&["--delta", "rm -rf /"], 1),
            (&["--set=$(id)"], 0),
            (&["--set=`id`"], 0),
            (&["--set='x"], 0),
            (&["--set"], 0),
            (&["--set="], 0),
            (&["--set ''"], 0),
            (&["--db-include=' '"], 0),
            (&["--set=20260131-010000F # ,--type=time"], 0),
            (&["--delta=maybe"], 0),
            (&["--delta", "--no-delta"], 1),
            (&["--delta --delta"], 0),
            (&["--no-delta=y"], 0),
            (&["--no-force"], 0),
            (&["--process-max=abc"], 0),
            (&["--log-level-console=loud"], 0),
            (&["--set=a\n--repo=2"], 0),
        ] {
            let error = words(option).unwrap_err();
            assert!(error.0 == position && !error.1.contains("hush"), "{option:?}: {error:?}");
        }
    }
}
