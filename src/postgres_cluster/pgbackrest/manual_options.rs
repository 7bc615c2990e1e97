//! Checks `spec.backups.pgbackrest.manual.options`: options of `pgbackrest backup` (its `config.yaml`, and
//! pgbackrest.org/command.html). PGO passes them to a shell. pgrender splits them into words, which no shell reads.

use std::collections::{BTreeMap, BTreeSet};

use super::manual_words::{Given, is_switch, split};
use super::model::Repository;
use super::{option, option_name, option_value};
use crate::diagnostic::{FieldPath, words};
use crate::postgres_cluster::resolve::context::Context;

/// The annotation of a backup in pgBackRest that contains the value of the cluster's annotation.
pub const ANNOTATION: &str = "pgbackrest-backup";

/// The options that the user may choose for one backup. The others say where Postgres, the repositories and the configuration are.
/// pgBackRest also accepts the beginning of a name (`--stan` for `--stanza`), so nothing else is passed on.
pub const ALLOWED: [&str; 57] = [
    "annotation",
    "archive-check",
    "archive-copy",
    "archive-mode-check",
    "archive-timeout",
    "backup-standby",
    "beta",
    "buffer-size",
    "checksum-page",
    "compress",
    "compress-level",
    "compress-level-network",
    "compress-type",
    "db-timeout",
    "delta",
    "expire-auto",
    "io-timeout",
    "job-retry",
    "job-retry-interval",
    "log-level-console",
    "log-level-file",
    "log-level-stderr",
    "log-subprocess",
    "log-timestamp",
    "manifest-save-threshold",
    "neutral-umask",
    "page-header-check",
    "process-max",
    "protocol-timeout",
    "repoN-block",
    "repoN-block-age-map",
    "repoN-block-checksum-size-map",
    "repoN-block-size-map",
    "repoN-block-size-super",
    "repoN-block-size-super-full",
    "repoN-bundle",
    "repoN-bundle-limit",
    "repoN-bundle-size",
    "repoN-hardlink",
    "repoN-retention-archive",
    "repoN-retention-archive-type",
    "repoN-retention-diff",
    "repoN-retention-full",
    "repoN-retention-full-type",
    "repoN-retention-history",
    "repoN-storage-tag",
    "repoN-storage-upload-chunk-size",
    "repoN-symlink",
    "resume",
    "sck-block",
    "sck-keep-alive",
    "start-fast",
    "stop-auto",
    "tcp-keep-alive-count",
    "tcp-keep-alive-idle",
    "tcp-keep-alive-interval",
    "type",
];

/// The options that may be given several times.
const LISTS: [&str; 5] =
    ["annotation", "repoN-block-age-map", "repoN-block-checksum-size-map", "repoN-block-size-map", "repoN-storage-tag"];

/// The characters that have a meaning for a shell, which would not pass them on as they are.
const SHELL: &[char] = &['$', '`', '"', '\'', '\\', ';', '&', '|', '<', '>', '(', ')', '{', '}', '*', '?', '[', ']'];

/// Returns the options as words for pgBackRest, and reports those that are not allowed. No message contains the value of an
/// option that is not allowed, because it could be a secret.
pub(crate) fn check(
    texts: &[String],
    global: &BTreeMap<String, String>,
    repository: &Repository,
    path: &FieldPath,
    context: &mut Context,
) -> Vec<String> {
    let given = split(texts, path, context);
    let mut settings = global.clone();
    settings.extend(given.iter().map(|option| (option.name.to_owned(), option.setting().to_owned())));
    let mut names = BTreeSet::new();
    for option in &given {
        let path = path.index(option.index);
        let fault = fault(option, repository, &settings).or_else(|| {
            let is_list = LISTS.contains(&option_name::any_number(option.name).as_str());
            let message = "is there twice, with which pgBackRest does not run: write it once";
            (!is_list && !names.insert(option.name)).then(|| message.to_owned())
        });
        let name = words::quote(&format!("--{}", option.name));
        if let Some(why) = fault {
            context.error(path, format!("{name} {why}"));
        } else if let Some(what) =
            option::weakness(option.name, option.setting()).or_else(|| side_effect(option, global))
        {
            context.warning(path, format!("{name}: {what}"));
        }
    }
    given.iter().map(Given::word).collect()
}

/// Returns why an option cannot be passed on, and what to write instead.
fn fault(option: &Given, repository: &Repository, settings: &BTreeMap<String, String>) -> Option<String> {
    if let Some(why) = refusal(option.name, repository) {
        return Some(why);
    }
    if option.negated && (option.value.is_some() || !is_switch(option.name)) {
        return Some("cannot be written with `no-`: write the option with a value".to_owned());
    }
    let name = option.name;
    let value = if is_switch(name) { option.setting() } else { option.value.unwrap_or_default() };
    if value.is_empty() {
        return Some(format!("has no value: write `--{name}=…`"));
    }
    if value.contains(SHELL) {
        return Some(
            "has a character that a shell would interpret, but no shell reads it: write the plain value".to_owned(),
        );
    }
    if name == "annotation" && value.split('=').next() == Some(ANNOTATION) {
        return Some(format!("cannot have the key `{ANNOTATION}`, which pgrender uses: write another key"));
    }
    if name == "backup-standby" && value != "n" && !repository.is_on_volume() {
        return Some(
            "is not possible for a repository in object storage, which the leader writes: remove it".to_owned(),
        );
    }
    if name == "type" {
        let message = format!("cannot be {}: write `full`, `diff` or `incr`", words::quote(value));
        return (!["full", "diff", "incr"].contains(&value)).then_some(message);
    }
    option_value::fault(name, value, settings).or_else(|| needed(name, value, settings))
}

/// Returns what an option needs that `settings` do not have (`depend` in pgBackRest's `config.yaml`).
fn needed(name: &str, value: &str, settings: &BTreeMap<String, String>) -> Option<String> {
    let is = |name: &str, value: &str| settings.get(name).is_some_and(|written| written == value);
    let bundle = option::of_repository(name).filter(|(_, rest)| *rest == "block");
    let bundle = bundle.map(|(number, _)| format!("repo{number}-bundle"));
    match bundle {
        _ if value != "y" => None,
        Some(bundle) if !is(&bundle, "y") => Some(format!("needs `--{bundle}`: add it, or remove this one")),
        None if name == "archive-copy" && is("archive-check", "n") => {
            Some("copies the WAL for which `--no-archive-check` does not wait: remove one of them".to_owned())
        }
        _ => None,
    }
}

/// Returns what an option does to other backups than this one.
fn side_effect(option: &Given, global: &BTreeMap<String, String>) -> Option<&'static str> {
    let is_retention = option::of_repository(option.name).is_some_and(|(_, rest)| rest.starts_with("retention-"));
    (is_retention && global.get(option.name).map(String::as_str) != option.value).then_some(
        "the expiry after this backup uses this value too, so backups that `global` would keep can be deleted: write it in `global`",
    )
}

/// Returns why an option of this name is not allowed.
fn refusal(name: &str, repository: &Repository) -> Option<String> {
    let own = repository.name();
    let plain = option_name::any_number(name);
    if option::is_secret(name) {
        let message = "is a secret, but pgrender would write it to a ConfigMap: write it in a file such as \
                       `secret.conf` in a Secret, and add the Secret to `spec.backups.pgbackrest.configuration`";
        return Some(message.to_owned());
    }
    let because = match name {
        "repo" => format!("is already set, because `repoName` is `{own}`: remove it"),
        "stanza" => "is already set: remove it".to_owned(),
        "exclude" => {
            "makes a backup without these files, and replicas and restored clusters would be created without them: remove it"
                .to_owned()
        }
        "online" | "force" => {
            "is for a Postgres that does not run, and a backup of a running one could not be restored: remove it"
                .to_owned()
        }
        _ if ALLOWED.contains(&plain.as_str()) => {
            let (number, _) = option::of_repository(name)?;
            let message = format!("is for another repository than `{own}`, which `repoName` names: correct the number");
            return (number != repository.index).then_some(message);
        }
        _ if is_of_place(name) => {
            "is not allowed for one backup, because it is the same for all commands of pgBackRest: remove it".to_owned()
        }
        _ => match words::nearest(&plain, ALLOWED) {
            Some(meant) => {
                let meant = meant.replace("repoN", &own);
                format!("is not an option of `pgbackrest backup`: did you mean `--{meant}`?")
            }
            None => "is not an option of `pgbackrest backup`: remove it, or write its full name".to_owned(),
        },
    };
    Some(because)
}

/// Whether an option says where Postgres, the repositories or the configuration are, or how to run pgBackRest.
fn is_of_place(name: &str) -> bool {
    name.starts_with("pg") || option_name::is_known(name) || option::COMMAND_LINE.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::super::model::Storage;
    use super::*;
    use crate::diagnostic::{Collector, Diagnostic, Severity};
    use crate::options::Options;

    /// Checks options for `repo1` on a volume, or `repo2` in object storage.
    fn checked(index: u8, texts: &[&str]) -> (Vec<String>, Vec<Diagnostic>) {
        let storage = match index {
            1 => Storage::Volume(Box::default()),
            _ => Storage::Gcs { bucket: "b".to_owned() },
        };
        let repository = Repository { index, storage, schedules: Vec::new() };
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let options = Options::default();
        let mut context = Context { options: &options, diagnostics: Collector::default() };
        let path = FieldPath::of("options");
        let words = check(&texts, &BTreeMap::new(), &repository, &path, &mut context);
        (words, context.diagnostics.diagnostics())
    }

    #[test]
    fn options_become_words() {
        for (texts, words) in [
            (vec![], vec![]),
            (vec!["--type=full"], vec!["--type=full"]),
            (vec!["--type full --start-fast=y"], vec!["--type=full", "--start-fast=y"]),
            (vec!["--type", "diff", "  --delta "], vec!["--type=diff", "--delta"]),
            (vec!["--no-resume", "--process-max\t4"], vec!["--no-resume", "--process-max=4"]),
            (
                vec!["--annotation=why=upgrade", "--annotation who=me"],
                vec!["--annotation=why=upgrade", "--annotation=who=me"],
            ),
            (
                vec!["--archive-copy --repo1-bundle --repo1-block --sck-block"],
                vec!["--archive-copy", "--repo1-bundle", "--repo1-block", "--sck-block"],
            ),
            (vec!["--compress-type=zst --compress-level=-5"], vec!["--compress-type=zst", "--compress-level=-5"]),
            (vec!["--backup-standby --db-timeout=90"], vec!["--backup-standby", "--db-timeout=90"]),
        ] {
            let (found, said) = checked(1, &texts);
            assert_eq!(found, words);
            assert!(said.is_empty(), "{said:?}");
        }
    }

    #[test]
    fn what_is_not_for_one_backup_is_refused_at_its_place() {
        for (index, text, expected) in [
            (1, "--repo=2", "`--repo` is already set, because `repoName` is `repo1`"),
            (1, "--repo 2", "`--repo` is already set"),
            (1, "--no-repo", "`--repo` is already set"),
            (1, "--stanza=other", "`--stanza` is already set"),
            (1, "--stan=other", "`--stan` is not an option of `pgbackrest backup`"),
            (1, "--reset-repo", "`--reset-repo` is not an option of `pgbackrest backup`"),
            (1, "--pg1-path=/x", "`--pg1-path` is not allowed for one backup"),
            (1, "--pg=1", "`--pg` is not allowed for one backup"),
            (1, "--repo1-path=/x", "`--repo1-path` is not allowed for one backup"),
            (1, "--repo1-host /x", "`--repo1-host` is not allowed for one backup"),
            (1, "--config=/x", "`--config` is not allowed for one backup"),
            (1, "--lock-path=/x", "`--lock-path` is not allowed for one backup"),
            (1, "--cmd=/x", "`--cmd` is not allowed for one backup"),
            (1, "--repo2-retention-full=2", "is for another repository than `repo1`"),
            (1, "--repo1-retention-ful=2", "did you mean `--repo1-retention-full`?"),
            (1, "--typ=full", "did you mean `--type`?"),
            (1, "--type=complete", "cannot be `complete`: write `full`, `diff` or `incr`"),
            (1, "--type=", "`--type` has no value"),
            (1, "--type", "`--type` has no value"),
            (1, "--type --delta", "`--type` has no value"),
            (1, "--no-type", "cannot be written with `no-`"),
            (1, "--no-delta=y", "cannot be written with `no-`"),
            (1, "--type=full --type=diff", "`--type` is there twice"),
            (1, "--delta --no-delta", "`--delta` is there twice"),
            (1, "--no-online", "could not be restored"),
            (1, "--force", "could not be restored"),
            (1, "--process-max=many", "whole number from 1 to 999"),
            (1, "--start-fast=yes", "write `y` or `n`"),
            (1, "--annotation=pgbackrest-backup=x", "cannot have the key `pgbackrest-backup`"),
            (1, "--annotation=\"why=x\"", "a shell would interpret"),
            (1, "--type=$(id)", "a shell would interpret"),
            (1, "--annotation=a=b;c", "a shell would interpret"),
            (1, "--exclude=base/1", "makes a backup without these files"),
            (1, "--type=full # why", "has a word that is not an option"),
            (1, "--no-archive-check --archive-copy", "`--no-archive-check` does not wait"),
            (1, "--repo1-block", "needs `--repo1-bundle`"),
            (1, "--archive-timeout=0", "a number of seconds from 0.1 to 86400"),
            (1, "--db-timeout=60abc", "a number of seconds"),
            (1, "full", "has a word that is not an option"),
            (1, "--delta y", "has a word that is not an option"),
            (1, "-x", "has a word that is not an option"),
            (1, "--", "has a word that is not an option"),
            (1, "; id", "has a word that is not an option"),
            (1, "--type=full\n", "U+000A"),
            (1, "--annotation=\u{7}", "U+0007"),
            (2, "--backup-standby", "not possible for a repository in object storage"),
            (2, "--backup-standby=prefer", "not possible for a repository in object storage"),
        ] {
            let (_, said) = checked(index, &["--no-expire-auto", text]);
            let errors: Vec<_> = said.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).collect();
            assert!(!errors.is_empty() && errors[0].message.contains(expected), "{text:?}: {said:?}");
            let at: Vec<_> = errors.iter().filter_map(|error| error.field.as_ref()).map(ToString::to_string).collect();
            assert!(at.iter().all(|at| at == "options[1]"), "{text:?}: {at:?}");
        }
        assert!(checked(2, &["--no-backup-standby"]).1.is_empty());
    }

    #[test]
    fn no_message_contains_a_secret() {
        for text in [
            "--repo1-cipher-pass=hush",
            "--repo1-cipher-pass hush",
            "--repo1-cipher-pas hush",
            "--repo1-s3-key-secret=hush hush",
            "--repo2-azure-key \"hush\"",
            "--repo1-cipher-pass=$hush",
        ] {
            let (_, said) = checked(1, &[text]);
            assert!(said.iter().any(|diagnostic| diagnostic.severity == Severity::Error), "{text}");
            assert!(said.iter().all(|diagnostic| !diagnostic.message.contains("hush")), "{text}: {said:?}");
        }
    }

    #[test]
    fn an_option_that_weakens_the_backup_is_told() {
        for word in ["--no-archive-check", "--no-page-header-check", "--repo1-retention-full=1"] {
            let (words, said) = checked(1, &[word]);
            assert_eq!(words, [word]);
            assert!(said.len() == 1 && said[0].severity == Severity::Warning, "{said:?}");
        }
    }

    #[test]
    fn every_allowed_option_has_a_name_of_pgbackrest() {
        for name in ALLOWED {
            assert!(name == "type" || option_name::is_known(&name.replace("repoN", "repo1")), "{name}");
        }
    }
}
