//! The rules for log directories: a log may only be written to a volume. Most of these rules exist only in v1.

use serde_json::Value;

use super::{Rule, has, items, text};

/// Whether `path` begins with the mount point of one of the additional volumes in the list at `pointer`. The CRD compares
/// prefixes of texts, not of paths: `/volumes/logs-2` matches the volume `logs`.
fn on_a_volume(value: &Value, pointer: &str, path: &str) -> bool {
    let names = items(value, pointer).iter().filter_map(|volume| text(volume, "/name"));
    names.into_iter().any(|name| path.strip_prefix("/volumes/").is_some_and(|rest| rest.starts_with(name)))
}

fn every_instance(spec: &Value, holds: impl Fn(&Value) -> bool) -> bool {
    items(spec, "/instances").iter().all(holds)
}

/// If the directory is not a string, the rule of the parameters refuses it.
fn log_directory(spec: &Value) -> Option<&str> {
    text(spec, "/config/parameters/log_directory")
}

fn temp_volume_for_logs(spec: &Value) -> bool {
    log_directory(spec).is_none_or(|directory| {
        !directory.starts_with("/pgtmp/logs/postgres")
            || every_instance(spec, |instance| instance.pointer("/volumes/temp").is_some())
    })
}

fn wal_volume_for_logs(spec: &Value) -> bool {
    log_directory(spec).is_none_or(|directory| {
        !directory.starts_with("/pgwal/logs/postgres")
            || every_instance(spec, |instance| has(instance, "walVolumeClaimSpec"))
    })
}

fn additional_volume_for(spec: &Value, path: Option<&str>) -> bool {
    path.is_none_or(|path| {
        !path.starts_with("/volumes")
            || every_instance(spec, |instance| on_a_volume(instance, "/volumes/additional", path))
    })
}

fn log_directory_is_a_place_for_logs(parameters: &Value) -> bool {
    let Some(directory) = parameters.get("log_directory") else { return true };
    let below = |directory: &str, volume: &str| {
        let rest = directory.strip_prefix(volume).and_then(|rest| rest.strip_prefix("/logs/postgres"));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    directory.as_str().is_some_and(|directory| {
        directory == "log"
            || directory.starts_with("/volumes")
            || ["/pgdata", "/pgtmp", "/pgwal"].into_iter().any(|volume| below(directory, volume))
    })
}

/// Without volumes, CEL fails with "no such key", so the rule is broken.
fn log_path_of(pgbackrest: &Value, part: &str) -> bool {
    let path = text(pgbackrest, &format!("/{part}/log/path"));
    path.is_none_or(|path| on_a_volume(pgbackrest, &format!("/{part}/volumes/additional"), path))
}

fn pgbouncer_log_file(pgbouncer: &Value) -> bool {
    text(pgbouncer, "/config/global/logfile").is_none_or(|file| {
        file.starts_with("/tmp/logs/pgbouncer/") || on_a_volume(pgbouncer, "/volumes/additional", file)
    })
}

pub(crate) const RULES: &[Rule] = &[
    Rule {
        text: r#"self.?config.parameters.log_directory.optMap(v, type(v) != string || !v.startsWith("/pgtmp/logs/postgres") || self.instances.all(i, i.?volumes.temp.hasValue())).orValue(true)"#,
        holds: temp_volume_for_logs,
        message: "to log in `/pgtmp`, give every instance `volumes.temp`",
    },
    Rule {
        text: r#"self.?config.parameters.log_directory.optMap(v, type(v) != string || !v.startsWith("/pgwal/logs/postgres") || self.instances.all(i, i.?walVolumeClaimSpec.hasValue())).orValue(true)"#,
        holds: wal_volume_for_logs,
        message: "to log in `/pgwal`, give every instance `walVolumeClaimSpec`",
    },
    Rule {
        text: r#"self.?config.parameters.log_directory.optMap(v, type(v) != string || !v.startsWith("/volumes") || self.instances.all(i, i.?volumes.additional.hasValue() && i.volumes.additional.exists(volume, v.startsWith("/volumes/" + volume.name)))).orValue(true)"#,
        holds: |spec| additional_volume_for(spec, log_directory(spec)),
        message: "to log in `/volumes`, give every instance an entry of `volumes.additional` with that name",
    },
    Rule {
        text: r#"self.?backups.pgbackrest.log.path.optMap(v, !v.startsWith("/volumes") || self.instances.all(i, i.?volumes.additional.hasValue() && i.volumes.additional.exists(volume, v.startsWith("/volumes/" + volume.name)))).orValue(true)"#,
        holds: |spec| additional_volume_for(spec, text(spec, "/backups/pgbackrest/log/path")),
        message: "to log in `/volumes`, give every instance an entry of `volumes.additional` with that name",
    },
    Rule {
        text: r#"!self.?log.path.hasValue() || self.log.path.startsWith("/volumes/")"#,
        holds: |pgbackrest| text(pgbackrest, "/log/path").is_none_or(|path| path.starts_with("/volumes/")),
        message: "`log.path` must be on an additional volume: write `/volumes/<name>/…`",
    },
    Rule {
        text: r#"!self.?repoHost.log.path.hasValue() || self.repoHost.volumes.additional.exists(x, self.repoHost.log.path.startsWith("/volumes/"+x.name))"#,
        holds: |pgbackrest| log_path_of(pgbackrest, "repoHost"),
        message: "`repoHost.log.path` must be on a volume of `repoHost.volumes.additional`: write `/volumes/<name>/…`",
    },
    Rule {
        text: r#"!self.?jobs.log.path.hasValue() || self.jobs.volumes.additional.exists(x, self.jobs.log.path.startsWith("/volumes/"+x.name))"#,
        holds: |pgbackrest| log_path_of(pgbackrest, "jobs"),
        message: "`jobs.log.path` must be on a volume of `jobs.volumes.additional`: write `/volumes/<name>/…`",
    },
    Rule {
        text: r#"!self.?global["log-path"].hasValue()"#,
        holds: |pgbackrest| pgbackrest.pointer("/global/log-path").is_none(),
        message: "remove `log-path` from `global`: write `log.path`, `repoHost.log.path` or `jobs.log.path`",
    },
    Rule {
        text: r#"self.?log_directory.optMap(v, type(v) == string && (v == "log" || v.startsWith("/volumes") || ["/pgdata","/pgtmp","/pgwal","/volumes"].exists(p, v == (p + "/logs/postgres") || v.startsWith(p + "/logs/postgres/")))).orValue(true)"#,
        holds: log_directory_is_a_place_for_logs,
        message: "write `log` to keep logs inside PGDATA, or a directory that begins with `/pgdata/logs/postgres`, \
                  `/pgtmp/logs/postgres`, `/pgwal/logs/postgres` or `/volumes`",
    },
    Rule {
        text: r#"self.?config.global.logfile.optMap(f, f.startsWith("/tmp/logs/pgbouncer/") || (self.?volumes.additional.hasValue() && self.volumes.additional.exists(v, f.startsWith("/volumes/" + v.name)))).orValue(true)"#,
        holds: pgbouncer_log_file,
        message: "`config.global.logfile` must be in `/tmp/logs/pgbouncer/` or on a volume of `volumes.additional`",
    },
    Rule {
        text: "!has(self.logfile) || self.logfile.endsWith('.log')",
        holds: |global| text(global, "/logfile").is_none_or(|file| file.strip_suffix(".log").is_some()),
        message: "the name of `logfile` must end with `.log`",
    },
];
