//! The effects that a change can have in a running cluster.

use schemars::JsonSchema;
use serde::Serialize;

/// How serious a change is for those who use the cluster. The order is that of seriousness.
#[derive(Clone, Copy, Debug, Default, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consequence {
    /// Nothing changes in the cluster.
    #[default]
    Nothing,
    /// Something changes, and nobody is interrupted.
    Change,
    /// Something restarts, or clients are interrupted.
    Restart,
    /// The API server refuses the change.
    Refused,
    /// Something is lost: data, backups, or what clients need to connect.
    Loss,
}

macro_rules! effects {
    ($($(#[doc = $doc:literal])+ $name:ident: $consequence:ident,)*) => {
        /// What a change does in a running cluster.
        #[derive(Clone, Copy, Debug, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum EffectKind {
            $($(#[doc = $doc])+ $name,)*
        }

        impl EffectKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// How serious it is.
            pub fn consequence(self) -> Consequence {
                match self { $(Self::$name => Consequence::$consequence,)* }
            }

            /// What it means, in one sentence.
            pub fn description(self) -> String {
                let text = match self { $(Self::$name => [$($doc),+].concat(),)* };
                text.trim().to_owned()
            }
        }
    };
}

effects! {
    /// A cluster is created.
    ClusterCreated: Change,
    /// A cluster leaves the manifests. Once its objects are deleted, its pods, Services and Secrets are gone; volumes stay.
    ClusterRemoved: Loss,
    /// The pods of an instance set are replaced, one after another, from the highest ordinal to the lowest.
    InstancesReplaced: Restart,
    /// The leader hands over to another instance before its pod is replaced.
    LeaderMoves: Restart,
    /// Postgres is not available while its only instance is replaced.
    Unavailable: Restart,
    /// Postgres restarts in each instance, one after another, in its pod.
    PostgresRestarts: Restart,
    /// Postgres restarts if an extension reads its parameter only at the start.
    PostgresMayRestart: Restart,
    /// Postgres reloads its configuration. Nothing restarts.
    PostgresReloads: Change,
    /// Patroni uses other settings. Nothing restarts.
    PatroniReloads: Change,
    /// A part of the configuration is used only when a cluster is created. Nothing happens.
    OnlyAtCreation: Nothing,
    /// Postgres of another major version is started, which cannot read the data.
    MajorVersion: Loss,
    /// Instances are added, each with a copy of the data.
    InstancesAdded: Change,
    /// Instances are removed, those with the highest ordinals. Their volumes stay.
    InstancesRemoved: Restart,
    /// All pods are removed. Volumes stay.
    Shutdown: Restart,
    /// A cluster that was shut down starts again.
    Startup: Change,
    /// The caretaker stops or starts to change Postgres.
    Pause: Change,
    /// The cluster begins to follow another one. Applications cannot write any more.
    StandbyBegins: Loss,
    /// The cluster is promoted, and no longer follows another one.
    StandbyEnds: Change,
    /// The cluster follows another source.
    StandbyFollows: Change,
    /// The write-ahead log is no longer archived. No point in time after that can be restored.
    ArchivingStops: Loss,
    /// None of the instances with the present data remains.
    DataLeft: Loss,
    /// Rules of `pg_hba.conf` or options of users change: some logins may be refused from now on.
    LoginsChange: Restart,
    /// Replication slots are created.
    SlotsCreated: Change,
    /// Replication slots are dropped, with the position of those who read from them.
    SlotsDropped: Loss,
    /// The leader hands over because a switchover is requested, and its Postgres restarts as a replica.
    Switchover: Restart,
    /// A backup is taken now.
    BackupNow: Change,
    /// The cluster is restored in place. Its present data is set aside.
    RestoreInPlace: Loss,
    /// Roles, databases, grants, extensions or initial SQL are applied in Postgres. Nothing restarts.
    SqlRuns: Change,
    /// A former primary discards transactions that its source lacks.
    TimelineDiscarded: Loss,
    /// Users are no longer managed. Their roles, tables and passwords stay in Postgres.
    UserAbandoned: Change,
    /// Passwords of users change. Whoever uses the old one cannot log in any more.
    PasswordChanges: Restart,
    /// Passwords change that only the cluster itself uses.
    OwnPasswordChanges: Change,
    /// There is something new to connect with: a Secret, a Service, another kind of address.
    ConnectionChanges: Change,
    /// What applications connect to moves: a host, a port, a database. They must read it again.
    ConnectionMoves: Restart,
    /// What applications need to connect is gone.
    ConnectionLost: Loss,
    /// Certificates are replaced. They are reloaded, and nothing restarts.
    CertificateChanges: Change,
    /// The trusted CAs change. Clients that verify certificates need the new file.
    TrustChanges: Restart,
    /// Volumes are created.
    VolumeCreated: Change,
    /// Volumes grow. The storage class must allow that.
    VolumeGrows: Change,
    /// Volumes leave the manifests. Argo CD, Flux and kpt keep them, with their data.
    VolumeAbandoned: Change,
    /// Volumes leave the manifests, and the tools that prune delete them, with their data.
    VolumeDeleted: Loss,
    /// The repo host is replaced. Backups and archiving continue when it is back.
    RepoHostReplaced: Restart,
    /// pgBackRest uses other settings from its next run on. Nothing restarts.
    BackupSettings: Change,
    /// Backups go to another place. Those in the earlier place are no longer found.
    RepositoryMoves: Loss,
    /// Backups are encrypted in another way. Earlier ones cannot be read, and archiving fails until the repository is empty.
    EncryptionChanges: Loss,
    /// Backups in a repository are no longer taken or found.
    RepositoryRemoved: Loss,
    /// Backups or parts of the archive that were kept expire, or may expire.
    RetentionShrinks: Loss,
    /// Backups or drills run at other times.
    ScheduleChanges: Change,
    /// Scheduled backups or drills are suspended, or no longer suspended.
    SchedulesPause: Change,
    /// The next scheduled backups or drills run with other settings.
    JobChanges: Change,
    /// Backups or drills do not run any more.
    ScheduleRemoved: Loss,
    /// The pods of pgBouncer are replaced, one after another. Their connections end.
    PgbouncerReplaced: Restart,
    /// Pods of pgBouncer are added.
    PgbouncerAdded: Change,
    /// Pods of pgBouncer are removed. Their connections end.
    PgbouncerRemoved: Restart,
    /// pgBouncer reloads its configuration. Nothing restarts.
    PgbouncerReloads: Change,
    /// pgBouncer reads these settings only when it starts, so they have no effect until its pods are replaced.
    PgbouncerWaits: Change,
    /// The exporter or the collector starts again in its container. Postgres does not.
    MonitoringRestarts: Change,
    /// What Prometheus or Grafana reads changes.
    MonitoringChanges: Change,
    /// The programs of the caretaker change. It starts again in its container, and Postgres does not.
    CaretakerChanges: Change,
    /// The rights of a ServiceAccount change.
    RightsChange: Change,
    /// Which connections are allowed changes.
    NetworkPolicyChanges: Change,
    /// How many pods a node drain may remove at once changes.
    DisruptionChanges: Change,
    /// The API server refuses the change, because the field cannot be changed.
    Refused: Refused,
    /// Labels, annotations or other settings of an object change. Nothing restarts.
    ObjectChanges: Change,
    /// The field repeats what another field says, and has no effect of its own.
    Derived: Nothing,
}
