//! The options of `pgbackrest restore` that a user may give.
//!
//! PGO joins the options with spaces and has a shell evaluate them (`internal/controller/postgrescluster/pgbackrest.go`). So one
//! item can have several options, and values with spaces are in quotes. Here no shell evaluates them: they are split into words
//! as a shell does, and then checked.

use crate::diagnostic::line;
use crate::diagnostic::words;

/// Options that pgrender sets (PGO refuses the first five), and those that a cluster cannot work with.
const OURS: [&str; 12] = [
    "stanza",
    "repo",
    "pg1-path",
    "target-action",
    "link-map",
    "archive-mode",
    "config",
    "config-include-path",
    "config-path",
    "lock-path",
    "recovery-option",
    "spool-path",
];

/// The options of the command `restore` that remain (pgbackrest.org/command.html, "Restore Command").
const KNOWN: [&str; 24] = [
    "archive-timeout",
    "buffer-size",
    "compress-level-network",
    "db-exclude",
    "db-include",
    "db-timeout",
    "delta",
    "force",
    "io-timeout",
    "job-retry",
    "job-retry-interval",
    "link-all",
    "log-level-console",
    "log-level-file",
    "log-level-stderr",
    "process-max",
    "protocol-timeout",
    "sck-keep-alive",
    "set",
    "target",
    "target-exclusive",
    "target-timeline",
    "tcp-keep-alive-idle",
    "type",
];

/// Options that are switches. They have no value, or `y` or `n`, and a form with `no-`.
const SWITCHES: [&str; 5] = ["delta", "force", "link-all", "sck-keep-alive", "target-exclusive"];

/// The types of recovery after which a cluster is a primary.
const TYPES: [&str; 6] = ["default", "immediate", "lsn", "name", "time", "xid"];

/// Splits `options` into words like `--type=time`, and checks them.
///
/// # Errors
/// The position of the item, and what is wrong with it. The last item is named for an error about all of them.
pub fn checked(options: &[String]) -> Result<Vec<String>, (usize, String)> {
    let (mut words, mut positions) = (Vec::new(), Vec::new());
    for (position, item) in options.iter().enumerate() {
        split(item, &mut words).map_err(|why| (position, why))?;
        positions.resize(words.len(), position);
    }
    for (word, position) in words.iter().zip(positions) {
        check(word).map_err(|why| (position, why))?;
    }
    together(&words).map_err(|why| (options.len().saturating_sub(1), why))?;
    Ok(words)
}

/// Adds the words of one item. A value that is a word of its own is joined to its option.
fn split(item: &str, words: &mut Vec<String>) -> Result<(), String> {
    line::check(item)?;
    if item.contains(['$', '`']) {
        return Err(format!("no shell evaluates {}: write the value itself", words::quote(item)));
    }
    let found = shlex::split(item).ok_or_else(|| format!("{} has a quote that does not end", words::quote(item)))?;
    for word in found {
        if word.starts_with("--") {
            words.push(word);
            continue;
        }
        match words.last_mut().filter(|last| !last.contains('=') && !SWITCHES.contains(&name(last))) {
            Some(last) => *last = format!("{last}={word}"),
            None => return Err(format!("{} is not an option: write one like `--type=time`", words::quote(&word))),
        }
    }
    Ok(())
}

/// The name of an option, without dashes, `no-` and the value.
fn name(word: &str) -> &str {
    let name = word.trim_start_matches("--");
    let name = name.split_once('=').map_or(name, |(name, _)| name);
    name.strip_prefix("no-").filter(|name| SWITCHES.contains(name)).unwrap_or(name)
}

fn value<'a>(words: &'a [String], wanted: &str) -> Option<&'a str> {
    let word = words.iter().rev().find(|word| name(word) == wanted)?;
    word.split_once('=').map(|(_, value)| value)
}

fn check(word: &str) -> Result<(), String> {
    let name = name(word);
    if OURS.contains(&name) || is_of_another_host(name) {
        return Err(format!("`--{name}` is set by pgrender: remove it"));
    }
    if !KNOWN.contains(&name) {
        let meant = words::nearest(name, KNOWN).map(|meant| format!("did you mean `--{meant}`?"));
        let meant = meant.unwrap_or_else(|| "remove it".to_owned());
        return Err(format!(
            "`pgbackrest restore` does not have the option {}: {meant}",
            words::quote(&format!("--{name}"))
        ));
    }
    let is_switch = SWITCHES.contains(&name);
    if !is_switch && !word.contains('=') {
        return Err(format!("`--{name}` needs a value: write `--{name}=…`"));
    }
    if let (true, Some((_, value))) = (is_switch, word.split_once('='))
        && !["y", "n"].contains(&value)
    {
        return Err(format!("`--{name}` is a switch: write it without a value"));
    }
    Ok(())
}

/// Whether an option says where Postgres or a repository is.
fn is_of_another_host(name: &str) -> bool {
    ["pg", "repo"]
        .into_iter()
        .filter_map(|prefix| name.strip_prefix(prefix))
        .any(|rest| rest.starts_with(|first: char| first.is_ascii_digit()) || rest.starts_with("-host"))
}

fn together(words: &[String]) -> Result<(), String> {
    let kind = value(words, "type").unwrap_or("default");
    if !TYPES.contains(&kind) {
        return Err(format!(
            "`--type={kind}` does not give a cluster that can be written to: write one of {}",
            words::list(TYPES)
        ));
    }
    let needs_target = ["lsn", "name", "time", "xid"].contains(&kind);
    match value(words, "target") {
        None if needs_target => Err(format!("`--type={kind}` needs a target: add `--target=…`")),
        Some(_) if !needs_target => {
            Err("`--target` has no effect without a type: add `--type=time`, `lsn`, `name` or `xid`".to_owned())
        }
        _ => Ok(()),
    }
}

/// Whether recovery stops before the end of the archive, so that Postgres must be told to promote.
pub fn stops_early(options: &[String]) -> bool {
    value(options, "type").is_some_and(|kind| kind != "default")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(options: &[&str]) -> Result<Vec<String>, (usize, String)> {
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
    }

    #[test]
    fn what_pgo_refuses_and_what_no_cluster_can_start_with_is_refused() {
        for (option, position) in [
            (&["--repo=1"][..], 0),
            (&["--delta", "--stanza=db"], 1),
            (&["--pg1-path=/x"], 0),
            (&["--pg1-host=x"], 0),
            (&["--repo1-s3-key=hush"], 0),
            (&["--target-action=pause"], 0),
            (&["--link-map=pg_wal=/x"], 0),
            (&["--config=/x"], 0),
            (&["--archive-mode=off"], 0),
            (&["--recovery-option=restore_command=x"], 0),
            (&["--type=standby"], 0),
            (&["--type=none"], 0),
            (&["--type=time"], 0),
            (&["--target=x"], 0),
            (&["--targt=x"], 0),
            (&["type=time"], 0),
            (&["--delta", "rm -rf /"], 1),
            (&["--set=$(id)"], 0),
            (&["--set=`id`"], 0),
            (&["--set='x"], 0),
            (&["--set"], 0),
            (&["--delta=maybe"], 0),
            (&["--set=a\n--repo=2"], 0),
        ] {
            let error = words(option).unwrap_err();
            assert!(error.0 == position && !error.1.contains("hush"), "{option:?}: {error:?}");
        }
    }
}
