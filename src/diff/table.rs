//! The table of effects: what a change of a field of an object does in a running cluster. `diff`, its page and the tests use it.

#[allow(clippy::enum_glob_use, reason = "the names of effects read better alone, and are unique")]
use super::effect::EffectKind::{self, *};
use super::fields::Difference;
use super::judge::{self, Surroundings};
use super::role::Role;

/// How the effect of a difference is found.
#[derive(Clone, Copy)]
pub enum Verdict {
    /// It is always the same.
    Always(EffectKind),
    /// It depends on the name of the field or on its values.
    Depends(fn(&Difference, Surroundings) -> EffectKind, &'static [EffectKind]),
}

impl Verdict {
    /// Finds the effect of `difference`.
    pub fn of(self, difference: &Difference, surroundings: Surroundings) -> EffectKind {
        match self {
            Self::Always(kind) => kind,
            Self::Depends(judge, _) => judge(difference, surroundings),
        }
    }

    /// The effects that are possible.
    pub fn possible(self) -> Vec<EffectKind> {
        match self {
            Self::Always(kind) => vec![kind],
            Self::Depends(_, kinds) => kinds.to_vec(),
        }
    }
}

/// A row of the table.
pub struct Rule {
    /// The objects.
    pub role: Role,
    /// The fields, as [`super::path::Path::matches`] reads them.
    pub field: &'static str,
    /// The effect.
    pub verdict: Verdict,
}

macro_rules! rules {
    (@verdict $kind:ident) => { Verdict::Always($kind) };
    (@verdict $judge:ident [$($kind:ident),+]) => { Verdict::Depends(judge::$judge, &[$($kind),+]) };
    ($($role:ident { $($field:literal => $verdict:ident $([$($kind:ident),+])?;)+ })+) => {
        &[$($(Rule {
            role: Role::$role,
            field: $field,
            verdict: rules!(@verdict $verdict $([$($kind),+])?),
        },)+)+]
    };
}

/// The rows. The first row that matches a field counts. The last row of each role matches every field.
pub const RULES: &[Rule] = rules! {
    InstanceSet {
        "spec template **" => InstancesReplaced;
        "spec replicas" => replicas [InstancesAdded, InstancesRemoved, Shutdown, Startup];
        "spec selector **" => Refused;
        "spec serviceName" => Refused;
        "spec podManagementPolicy" => Refused;
        "spec volumeClaimTemplates **" => Refused;
        "spec persistentVolumeClaimRetentionPolicy **" => claims_policy [VolumeDeleted, ObjectChanges];
        "**" => ObjectChanges;
    }
    RepoHost {
        "spec template **" => RepoHostReplaced;
        "spec replicas" => replicas [InstancesAdded, InstancesRemoved, Shutdown, Startup];
        "spec selector **" => Refused;
        "spec serviceName" => Refused;
        "spec podManagementPolicy" => Refused;
        "spec volumeClaimTemplates **" => Refused;
        "**" => ObjectChanges;
    }
    PgBouncer {
        "spec template **" => PgbouncerReplaced;
        "spec replicas" => pgbouncer_replicas [PgbouncerAdded, PgbouncerRemoved];
        "spec selector **" => Refused;
        "**" => ObjectChanges;
    }
    CronJob {
        "spec schedule" => ScheduleChanges;
        "spec timeZone" => ScheduleChanges;
        "spec suspend" => SchedulesPause;
        "spec **" => JobChanges;
        "**" => ObjectChanges;
    }
    ClusterConfig {
        "data patroni.yaml bootstrap dcs **" => Derived;
        "data patroni.yaml bootstrap **" => OnlyAtCreation;
        "data patroni.yaml **" => PatroniReloads;
        "**" => ObjectChanges;
    }
    InstanceConfig {
        "data patroni.yaml bootstrap **" => OnlyAtCreation;
        "data patroni.yaml **" => PatroniReloads;
        "data **" => MonitoringRestarts;
        "**" => ObjectChanges;
    }
    Caretaker {
        "data caretaker.json postgresVersion" => MajorVersion;
        "data caretaker.json paused" => Pause;
        "data caretaker.json databases **" => SqlRuns;
        "data caretaker.json databaseInitSQL" => SqlRuns;
        "data caretaker.json extensions **" => SqlRuns;
        "data caretaker.json schemaPerUser" => SqlRuns;
        "data caretaker.json dynamicConfiguration postgresql parameters *" => parameter [PostgresReloads, PostgresRestarts, PostgresMayRestart, ArchivingStops, Derived];
        "data caretaker.json dynamicConfiguration postgresql pg_hba **" => LoginsChange;
        "data caretaker.json dynamicConfiguration postgresql pg_ident **" => PostgresReloads;
        "data caretaker.json dynamicConfiguration standby_cluster **" => standby [StandbyBegins, StandbyEnds, StandbyFollows];
        "data caretaker.json dynamicConfiguration slots **" => slots [SlotsCreated, SlotsDropped];
        "data caretaker.json dynamicConfiguration **" => PatroniReloads;
        "data caretaker.json manualBackup **" => backup_now [BackupNow, Derived];
        "data caretaker.json switchover **" => switchover [Switchover, Derived];
        "data caretaker.json restoreInPlace **" => restore_in_place [RestoreInPlace, Derived];
        "data caretaker.json restore **" => OnlyAtCreation;
        "data caretaker.json discardTimeline" => TimelineDiscarded;
        "data caretaker.json laterFiles **" => CaretakerChanges;
        "data caretaker.json **" => Derived;
        "data **" => CaretakerChanges;
        "**" => ObjectChanges;
    }
    PgBackRestConfig {
        "data config-hash" => Derived;
        "data manual-backup" => backup_now [BackupNow, Derived];
        "data collector* **" => MonitoringRestarts;
        "data * db *" => Derived;
        "data pgbackrest.conf *" => whole_repository [BackupSettings, RepositoryRemoved];
        "data pgbackrest.conf * *" => repository [BackupSettings, RepositoryMoves, RepositoryRemoved, EncryptionChanges, RetentionShrinks];
        "data * global repo*" => Derived;
        "data * global *" => pgbackrest [BackupSettings, RetentionShrinks];
        "data **" => BackupSettings;
        "**" => ObjectChanges;
    }
    PgBouncerConfig {
        "data pgbouncer-empty" => Derived;
        "data collector* **" => MonitoringRestarts;
        "data pgbouncer.ini pgbouncer *" => pgbouncer [PgbouncerReloads, PgbouncerWaits];
        "data **" => PgbouncerReloads;
        "**" => ObjectChanges;
    }
    RestoreDrill {
        "data **" => JobChanges;
        "**" => ObjectChanges;
    }
    ExporterConfig {
        "data **" => MonitoringRestarts;
        "**" => ObjectChanges;
    }
    Dashboard {
        "**" => MonitoringChanges;
    }
    Fingerprints {
        "**" => Derived;
    }
    Roles {
        "data roles.json users" => Derived;
        "data roles.json users *" => user [SqlRuns, UserAbandoned];
        "data roles.json users * options" => user_options [SqlRuns, LoginsChange];
        "data roles.json users * verifier" => Derived;
        "data roles.json users **" => SqlRuns;
        "data roles.json **" => Derived;
        "**" => ObjectChanges;
    }
    User {
        "data password" => PasswordChanges;
        "data verifier" => Derived;
        "data *uri" => Derived;
        "metadata annotations pgrender.dev/generation*" => Derived;
        "data **" => connection [ConnectionMoves, ConnectionLost, ConnectionChanges];
        "type" => Refused;
        "**" => ObjectChanges;
    }
    ServerCertificate {
        "type" => Refused;
        "data ca.crt" => TrustChanges;
        "data **" => CertificateChanges;
        "metadata annotations pgrender.dev/generation*" => Derived;
        "**" => ObjectChanges;
    }
    Credentials {
        "type" => Refused;
        "metadata annotations pgrender.dev/generation*" => Derived;
        "data pgbouncer-frontend.ca-roots" => TrustChanges;
        "data password" => OwnPasswordChanges;
        "data pgbouncer-password" => OwnPasswordChanges;
        "data *verifier" => Derived;
        "data pgbouncer-users.txt" => Derived;
        "data authentication.yaml" => Derived;
        "data pg_hba.yaml **" => LoginsChange;
        "data **" => CertificateChanges;
        "**" => ObjectChanges;
    }
    Claim {
        "spec resources requests storage" => storage [VolumeGrows, Refused];
        "spec resources **" => ObjectChanges;
        "spec volumeAttributesClassName" => ObjectChanges;
        "spec **" => Refused;
        "**" => ObjectChanges;
    }
    ClientService {
        "spec clusterIP" => Refused;
        "spec ports * port" => connection [ConnectionMoves, ConnectionLost, ConnectionChanges];
        "spec ports * nodePort" => connection [ConnectionMoves, ConnectionLost, ConnectionChanges];
        "spec ports *" => connection [ConnectionMoves, ConnectionLost, ConnectionChanges];
        "spec type" => service_type [ConnectionChanges, ConnectionLost];
        "spec selector **" => ConnectionMoves;
        "spec externalName" => ConnectionMoves;
        "spec ipFamilies **" => ip_families [ConnectionChanges, Refused];
        "spec **" => ConnectionChanges;
        "**" => ObjectChanges;
    }
    OwnService {
        "spec clusterIP" => Refused;
        "spec selector **" => ConnectionMoves;
        "**" => ObjectChanges;
    }
    Rights {
        "roleRef **" => Refused;
        "rules * resourceNames" => Derived;
        "rules **" => RightsChange;
        "subjects **" => RightsChange;
        "**" => ObjectChanges;
    }
    NetworkPolicy {
        "spec **" => NetworkPolicyChanges;
        "**" => ObjectChanges;
    }
    DisruptionBudget {
        "spec **" => DisruptionChanges;
        "**" => ObjectChanges;
    }
    CertManager {
        "spec **" => CertificateChanges;
        "**" => ObjectChanges;
    }
    Prometheus {
        "**" => MonitoringChanges;
    }
    Other {
        "**" => ObjectChanges;
    }
};

/// The row for a field of an object.
pub fn rule(role: Role, difference: &Difference) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.role == role && difference.path.matches(rule.field))
}

/// What it does that an object is new.
pub fn created(role: Role) -> EffectKind {
    match role {
        Role::InstanceSet => InstancesAdded,
        Role::RepoHost => BackupSettings,
        Role::PgBouncer => PgbouncerAdded,
        Role::CronJob => ScheduleChanges,
        Role::User | Role::ClientService => ConnectionChanges,
        Role::Claim => VolumeCreated,
        Role::Rights => RightsChange,
        Role::NetworkPolicy => NetworkPolicyChanges,
        Role::DisruptionBudget => DisruptionChanges,
        Role::CertManager => CertificateChanges,
        Role::ServerCertificate => TrustChanges,
        Role::Prometheus | Role::Dashboard | Role::ExporterConfig => MonitoringChanges,
        Role::OwnService | Role::Other => ObjectChanges,
        // What mounts them changes too.
        Role::ClusterConfig
        | Role::InstanceConfig
        | Role::Caretaker
        | Role::PgBackRestConfig
        | Role::PgBouncerConfig
        | Role::RestoreDrill
        | Role::Fingerprints
        | Role::Credentials
        | Role::Roles => Derived,
    }
}

/// What it does that an object is gone. Only programs that prune delete it.
pub fn removed(role: Role, is_kept: bool) -> EffectKind {
    match role {
        Role::InstanceSet => InstancesRemoved,
        Role::RepoHost | Role::PgBackRestConfig => RepositoryRemoved,
        Role::PgBouncer => PgbouncerRemoved,
        Role::CronJob => ScheduleRemoved,
        Role::User | Role::ClientService => ConnectionLost,
        Role::Claim if is_kept => VolumeAbandoned,
        Role::Claim => VolumeDeleted,
        other => created(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_a_row_for_every_field() {
        for role in Role::ALL {
            let last = RULES.iter().rev().find(|rule| rule.role == *role).map(|rule| rule.field);
            assert_eq!(last, Some("**"), "{role:?}");
        }
    }

    #[test]
    fn every_effect_is_reached() {
        let mut reached: Vec<_> = RULES.iter().flat_map(|rule| rule.verdict.possible()).collect();
        reached.extend(Role::ALL.iter().flat_map(|role| [created(*role), removed(*role, true), removed(*role, false)]));
        // `cluster.rs` finds these.
        reached.extend([ClusterCreated, ClusterRemoved, DataLeft, LeaderMoves, Unavailable]);
        let missing: Vec<_> = EffectKind::ALL.iter().filter(|kind| !reached.contains(kind)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
