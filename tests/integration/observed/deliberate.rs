//! The intended differences from PGO: each with its reason, where the reason is documented, and all places where it appears.

use crate::observed::compare::Change::{Different, OnlyOurs, OnlyTheirs};
use crate::observed::place::Place;

/// One intended difference from PGO.
pub(crate) struct Deliberate {
    /// The reason, in one sentence.
    pub(crate) reason: &'static str,
    /// Where the decision is documented.
    pub(crate) source: &'static str,
    /// The places where it appears.
    pub(crate) places: &'static [Place],
}

/// All of them. The first one that matches explains a difference.
pub(crate) const DELIBERATE: &[Deliberate] = &[
    Deliberate {
        reason: "a later run knows the objects of an earlier one by a label, to replace and to prune them",
        source: "docs/differences-from-pgo.md, Form",
        places: &[Place("*", "*", "metadata.labels[pgrender.dev/cluster]", OnlyOurs, "*")],
    },
    Deliberate {
        reason: "one StatefulSet for a set, because Kubernetes then rolls its pods in order by itself, where PGO deletes them",
        source: "docs/differences-from-pgo.md, Instances; docs/pgo.md, Instances",
        places: &[
            Place("StatefulSet", "*", "spec.replicas", Different, "1 became 2"),
            Place("StatefulSet", "*", "spec.updateStrategy.type", Different, r#""OnDelete" became "RollingUpdate""#),
            Place("StatefulSet", "*", "spec.podManagementPolicy", Different, r#""OrderedReady" became "Parallel""#),
            Place("StatefulSet", "*", INSTANCE_LABEL, OnlyTheirs, "*"),
            Place("StatefulSet", "*", "spec.selector.matchLabels[*/instance]", OnlyTheirs, "*"),
            Place("ConfigMap", "*-config", INSTANCE_LABEL, OnlyTheirs, "*"),
            Place("Secret", "*-certs", INSTANCE_LABEL, OnlyTheirs, "*"),
        ],
    },
    Deliberate {
        reason: "a template has one value for all ordinals, so the caretaker labels each pod with its own name",
        source: "docs/differences-from-pgo.md, Instances",
        places: &[Place("StatefulSet", "*", "spec.template.metadata.labels[*/instance]", OnlyTheirs, "*")],
    },
    Deliberate {
        reason: "the claims of all ordinals are found by a constant template; resizing one is an edit of the claim",
        source: "docs/differences-from-pgo.md, Volumes",
        places: &[
            Place("StatefulSet", "*", "spec.volumeClaimTemplates", OnlyOurs, "*"),
            Place("StatefulSet", "*", "spec.template.spec.volumes[postgres-data]", OnlyTheirs, "*"),
            Place("StatefulSet", "*", "spec.template.spec.volumes[postgres-wal]", OnlyTheirs, "*"),
        ],
    },
    Deliberate {
        reason: "a claim that leaves the rendering, as on scaling down, must not take its data along",
        source: "docs/differences-from-pgo.md, Volumes; docs/pgo.md, How objects are applied",
        places: &[
            Place("PersistentVolumeClaim", "*", "metadata.annotations[argocd.argoproj.io/sync-options]", OnlyOurs, "*"),
            Place(
                "PersistentVolumeClaim",
                "*",
                "metadata.annotations[kustomize.toolkit.fluxcd.io/prune]",
                OnlyOurs,
                "*",
            ),
            Place("PersistentVolumeClaim", "*", "metadata.annotations[cli-utils.sigs.k8s.io/on-remove]", OnlyOurs, "*"),
        ],
    },
    Deliberate {
        reason: "people suspend backups before a restore, and the next apply must not resume them",
        source: "docs/differences-from-pgo.md, Backups; docs/restore.md, Before you start",
        places: &[Place("CronJob", "*", "spec.suspend", OnlyTheirs, "false")],
    },
    Deliberate {
        reason: "Flux must not replace variables in scripts",
        source: "src/kubernetes/substitution.rs",
        places: &[
            Place("StatefulSet", "*", SUBSTITUTE, OnlyOurs, r#""disabled""#),
            Place("Deployment", "*-pgbouncer", SUBSTITUTE, OnlyOurs, r#""disabled""#),
        ],
    },
    // This entry must come before that for the replicas' certificates, which changes the same list.
    Deliberate {
        reason: "pgBouncer asks for verifiers in the database `postgres`, and its role may log in there only: in any other, \
                 somebody else's function may wait for it",
        source: "src/postgres_cluster/pgbouncer/configuration.rs; PgBouncer, auth_dbname",
        places: &[
            Place("ConfigMap", "*-pgbouncer", "*.pgbouncer[auth_dbname]", OnlyOurs, r#""_crunchypgbouncer""#),
            Place(
                "ConfigMap",
                "*-pgbouncer",
                "*.databases[_crunchypgbouncer]",
                OnlyOurs,
                r#""host=* dbname=postgres""#,
            ),
            Place(
                "ConfigMap",
                "*-config",
                "data[patroni.yaml].bootstrap.dcs.postgresql[pg_hba]",
                Different,
                r#"*"hostssl all \"_crunchypgbouncer\" * became * map=_crunchyrepl",*"hostssl \"postgres\" \"_crunchypgbouncer\" *"#,
            ),
        ],
    },
    Deliberate {
        reason: "the certificate of replicas names its cluster, and a map lets in no other: PGO's name is the same in every cluster",
        source: "src/postgres_cluster/postgres/ident.rs",
        places: &[
            Place("Secret", "*-replication-cert", "data[tls.crt].certificates[0].subject", Different, REPLICA),
            Place(
                "Secret",
                "*-replication-cert",
                "data[tls.crt].certificates[0].extensions[Subject Alternative Name]",
                Different,
                REPLICA,
            ),
            Place(
                "ConfigMap",
                "*-config",
                "data[patroni.yaml].bootstrap.dcs.postgresql[pg_hba]",
                Different,
                r#"*"hostssl replication \"_crunchyrepl\" all \"cert\"",* became *"hostssl replication \"_crunchyrepl\" all \"cert\" map=_crunchyrepl",*"#,
            ),
            Place(
                "ConfigMap",
                "*-config",
                "data[patroni.yaml].bootstrap.dcs.postgresql[pg_ident]",
                OnlyOurs,
                r#"["_crunchyrepl \"_crunchyrepl@*\" \"_crunchyrepl\""]"#,
            ),
        ],
    },
    Deliberate {
        reason: "the caretaker does what PGO's operator and two of its sidecars did, and hears of changes by fingerprints",
        source: "docs/differences-from-pgo.md, Instances; docs/pgo.md, At run time",
        places: &[
            Place("ConfigMap", "*-caretaker", "", OnlyOurs, ""),
            Place("ConfigMap", "*-fingerprints", "", OnlyOurs, ""),
            Place("Secret", "*-caretaker", "", OnlyOurs, ""),
            Place("StatefulSet", "*", "spec.template.spec.containers[caretaker]", OnlyOurs, "*"),
            Place("StatefulSet", "*", "spec.template.spec.containers[replication-cert-copy]", OnlyTheirs, "*"),
            Place("StatefulSet", "*", "spec.template.spec.containers[pgbackrest-config]", OnlyTheirs, "*"),
            Place("StatefulSet", "*", "spec.template.spec.volumes[caretaker]", OnlyOurs, "*"),
            Place("StatefulSet", "*", "*.containers[database].volumeMounts[/etc/pgrender]", OnlyOurs, "*"),
            Place("Role", "*-instance", "rules[configmaps *]", OnlyOurs, r#"["*-fingerprints"]"#),
            Place("Role", "*-instance", "rules[services get]", OnlyOurs, r#"["*-ha"]"#),
            Place("Role", "*-instance", "rules[endpointslices list]", OnlyOurs, r#""any""#),
        ],
    },
    Deliberate {
        reason: "nobody waits for a backup repository that is out of reach, and no replica is made from another's backup",
        source: "src/postgres_cluster/scripts/archive-get.sh, src/postgres_cluster/scripts/archive-push.sh, src/postgres_cluster/caretaker/backups.py",
        places: &[
            Place("ConfigMap", "*-config", "*.parameters[archive_command]", Different, "* became *archive-push.sh*"),
            Place("ConfigMap", "*-config", "*.parameters[restore_command]", Different, "* became *archive-get.sh*"),
            Place(
                "ConfigMap",
                "*-config",
                "*.pgbackrest.command",
                Different,
                "* became *'create-replica' 'pgbackrest'*",
            ),
        ],
    },
    Deliberate {
        reason: "clients of pgBouncer do not wait for a leader that is there: its own times are 15 s",
        source: "pgbouncer.org/config.html; src/postgres_cluster/pgbouncer/configuration.rs",
        places: &[
            Place("ConfigMap", "*-pgbouncer", "*.pgbouncer[dns_*]", OnlyOurs, "*"),
            Place("ConfigMap", "*-pgbouncer", "*.pgbouncer[server_connect_timeout]", OnlyOurs, "*"),
            Place("ConfigMap", "*-pgbouncer", "*.pgbouncer[server_login_retry]", OnlyOurs, "*"),
            Place("ConfigMap", "*-pgbouncer", "*.pgbouncer[tcp_user_timeout]", OnlyOurs, "*"),
        ],
    },
    Deliberate {
        reason: "a Service leads to a container port of a name of its own, so that no other pod can be labelled into it",
        source: "src/naming.rs; Kubernetes, Service, Port definitions",
        places: &[
            Place("StatefulSet", "*", "spec.template.spec.containers[database].ports*", OnlyTheirs, r#"*"postgres"*"#),
            Place("StatefulSet", "*", "spec.template.spec.containers[database].ports*", OnlyOurs, r#"*"pg-*"#),
            Place("Deployment", "*-pgbouncer", "*.containers[pgbouncer].ports*", OnlyTheirs, r#"*"pgbouncer"*"#),
            Place("Deployment", "*-pgbouncer", "*.containers[pgbouncer].ports*", OnlyOurs, r#"*"pg-*"#),
            Place("Service", "*-replicas", "spec.ports*targetPort", Different, r#""postgres" became "pg-*""#),
            Place("Service", "*-pgbouncer", "spec.ports*targetPort", Different, r#""pgbouncer" became "pg-*""#),
        ],
    },
    Deliberate {
        reason: "only the pod's own user and group read keys and verifiers",
        source: "src/postgres_cluster/objects/volumes.rs",
        places: &[
            Place("StatefulSet", "*", "*.volumes[patroni-config].*[*crt+key].mode", OnlyOurs, "384"),
            Place("Deployment", "*-pgbouncer", "*.volumes[pgbouncer-config].*[*users.txt].mode", OnlyOurs, "384"),
            Place("Deployment", "*-pgbouncer", "*.volumes[pgbouncer-config].*[*-tls.key].mode", OnlyOurs, "384"),
        ],
    },
    Deliberate {
        reason: "the members of a cluster know each other by a CA that signs for nobody else",
        source: "docs/differences-from-pgo.md, Permissions",
        places: &[Place("Secret", "*-certs", "data[patroni.ca-roots].certificates[*]", OnlyOurs, "*")],
    },
    Deliberate {
        reason: "a leader goes on while the API server is away",
        source: "Patroni, DCS Failsafe Mode",
        places: &[Place("ConfigMap", "*-config", "data[patroni.yaml].bootstrap.dcs[failsafe_mode]", OnlyOurs, "true")],
    },
    Deliberate {
        reason: "any client of the namespace's CA could change the cluster through Patroni's API, so that wants a password as well",
        source: "docs/differences-from-pgo.md, Permissions",
        places: &[
            Place("Secret", "*-patroni", "", OnlyOurs, ""),
            Place("StatefulSet", "*", "*.volumes[patroni-config].projected.sources[*]", OnlyOurs, "*-patroni*"),
            // Patroni sends no password to a pod that claims to be a member; patronictl has its own files.
            Place("StatefulSet", "*", "*.env[PATRONICTL_CONFIG_FILE].value", Different, "*became*/patronictl*"),
            Place("StatefulSet", "*", "*.sources[*].configMap.items[patronictl/cluster.yaml]", OnlyOurs, "*"),
        ],
    },
    Deliberate {
        reason: "the leader hands its role over before its pod goes, and has a minute for it and for a checkpoint",
        source: "docs/differences-from-pgo.md, Instances",
        places: &[
            Place("StatefulSet", "*", "spec.template.spec.containers[database].lifecycle", OnlyOurs, "*pre-stop*"),
            Place("*", "*", "*spec.terminationGracePeriodSeconds", Different, "30 became 60"),
        ],
    },
    Deliberate {
        reason: "an instance is asked more often whether it is ready, and is unready after as long as before",
        source: "measured: a rolling update of three took 35 s, because each pod waited for its second probe",
        places: &[
            Place(
                "StatefulSet",
                "*",
                "spec.template.spec.containers[database].readinessProbe.periodSeconds",
                Different,
                "* became 2",
            ),
            Place(
                "StatefulSet",
                "*",
                "spec.template.spec.containers[database].readinessProbe.failureThreshold",
                Different,
                "*",
            ),
        ],
    },
    Deliberate {
        reason: "a replica waits for a leader, so that who lacks commits does not lead when all start at once",
        source: "Patroni's `maximum_lag_on_failover`; measured: after a shutdown a replica won the race",
        places: &[Place(
            "StatefulSet",
            "*",
            "spec.template.spec.containers[database].command",
            Different,
            "*&& exec* became *caretaker.py pre-start; exec*",
        )],
    },
    Deliberate {
        reason: "a repo host that stops with the whole cluster stays until the last WAL is archived",
        source: "measured: without it a shutdown takes a minute instead of seconds",
        places: &[Place(
            "StatefulSet",
            "*-repo-host",
            "spec.template.spec.containers[pgbackrest].lifecycle",
            OnlyOurs,
            "*repo-host-pre-stop*",
        )],
    },
    Deliberate {
        reason: "a token of the API is only where a process needs it: projected into two containers of an instance",
        source: "docs/differences-from-pgo.md, Permissions",
        places: &[
            Place("ServiceAccount", "*-instance", "automountServiceAccountToken", Different, "true became false"),
            Place("ServiceAccount", "*", "automountServiceAccountToken", OnlyOurs, "false"),
            Place("StatefulSet", "*-repo-host", "*.automountServiceAccountToken", Different, "true became false"),
            Place("StatefulSet", "*", "*.automountServiceAccountToken", OnlyOurs, "false"),
            Place("CronJob", "*", "*.automountServiceAccountToken", OnlyOurs, "false"),
            Place("StatefulSet", "*", "*.volumes[service-account-token]", OnlyOurs, "*"),
            Place("StatefulSet", "*", "*.containers[database].volumeMounts[/var/run/secrets/*]", OnlyOurs, "*"),
        ],
    },
    Deliberate {
        reason: "least privilege: rights are narrowed to names, and the Service that Patroni would make is rendered",
        source: "docs/differences-from-pgo.md, Permissions; Patroni, _create_config_service in dcs/kubernetes.py",
        places: &[
            // Only `patronictl remove` needs this permission (Patroni's `kubernetes.rst`).
            Place("Role", "*-instance", "rules[endpoints deletecollection]", OnlyTheirs, "*"),
            // Server-side apply has the name in its path, so the rule can name the object. A POST would need a rule for any
            // name.
            Place("Role", "*-instance", "rules[endpoints create]", Different, r#""any" became ["*"]"#),
            Place("Role", "*-instance", "rules[endpoints get]", Different, r#""any" became ["*"]"#),
            Place("Role", "*-instance", "rules[endpoints patch]", Different, r#""any" became ["*"]"#),
            Place("Role", "*-instance", "rules[pods get]", Different, r#""any" became ["*"]"#),
            Place("Role", "*-instance", "rules[pods patch]", Different, r#""any" became ["*"]"#),
            Place("Role", "*-instance", "rules[services create]", OnlyTheirs, r#""any""#),
        ],
    },
    Deliberate {
        reason: "backup pods run pgBackRest themselves, beside the repo host and with its volumes, so nothing may exec",
        source: "docs/differences-from-pgo.md, Backups; docs/pgo.md, Repo host and backup Jobs",
        places: &[
            Place("Role", "*-pgbackrest", "", OnlyTheirs, ""),
            Place("RoleBinding", "*-pgbackrest", "", OnlyTheirs, ""),
            Place(
                "CronJob",
                "*",
                "*.containers[pgbackrest].command",
                Different,
                r#"* became ["pgbackrest","backup",*]"#,
            ),
            Place("CronJob", "*", "*.containers[pgbackrest].env", OnlyTheirs, "*"),
            Place("CronJob", "*", "*.containers[pgbackrest].volumeMounts[/pgbackrest/repo*]", OnlyOurs, "*"),
            Place("CronJob", "*", "*.containers[pgbackrest].volumeMounts[/tmp]", OnlyOurs, "*"),
            Place("CronJob", "*", "*.spec.volumes[repo*]", OnlyOurs, "*"),
            Place("CronJob", "*", "*.spec.volumes[tmp]", OnlyOurs, "*"),
            Place("CronJob", "*", "*.spec.affinity", OnlyOurs, "*pgbackrest-dedicated*"),
            Place("CronJob", "*", "*.spec.securityContext.fsGroup", OnlyOurs, "26"),
        ],
    },
    Deliberate {
        reason: "the repo host has no token, because its volumes do not grow by an annotation of its pod",
        source: "docs/differences-from-pgo.md, Permissions",
        places: &[
            Place("Role", "*-repohost", "", OnlyTheirs, ""),
            Place("RoleBinding", "*-repohost", "", OnlyTheirs, ""),
        ],
    },
    Deliberate {
        reason: "the repo host's sidecar takes the first backup, as a process that must see itself as the user `postgres`",
        source: "docs/differences-from-pgo.md, Backups",
        places: &[Place("StatefulSet", "*-repo-host", "*.containers[pgbackrest-config].env", OnlyOurs, "*LD_PRELOAD*")],
    },
    Deliberate {
        reason: "scripts are constant, what differs between clusters are their arguments; no shell where it has nothing to do",
        source: "src/postgres_cluster/scripts",
        places: &[
            Place("StatefulSet", "*", "*.initContainers[*].command", Different, "*"),
            Place("StatefulSet", "*-repo-host", "*.containers[pgbackrest-config].command", Different, "*"),
            Place("Deployment", "*-pgbouncer", "*.containers[pgbouncer-config].command", Different, "*"),
            Place(
                "Deployment",
                "*-pgbouncer",
                "*.containers[pgbouncer].command",
                Different,
                r#"["sh",* became ["pgbouncer",*"#,
            ),
        ],
    },
    Deliberate {
        reason: "who wrote a file stands in its first line",
        source: "src/config",
        places: &[Place("ConfigMap", "*", "data[*][#]", Different, "*postgres-operator*pgrender*")],
    },
    Deliberate {
        reason: "without a status nobody knows whether a cluster was bootstrapped; Patroni ignores what is done already",
        source: "docs/differences-from-pgo.md, Form; docs/pgo.md, Patroni",
        places: &[Place("ConfigMap", "*-config", "data[patroni.yaml].bootstrap", OnlyOurs, r#"*"method":"initdb"*"#)],
    },
    Deliberate {
        reason: "without a status nobody knows whether there is a backup; Patroni goes on where making a replica from it fails",
        source: "docs/differences-from-pgo.md, Form; docs/pgo.md, Patroni",
        places: &[
            Place("ConfigMap", "*-config", "data[patroni.yaml].postgresql.pgbackrest", OnlyOurs, "*"),
            Place(
                "ConfigMap",
                "*-config",
                "data[patroni.yaml].postgresql[create_replica_methods]",
                Different,
                r#"["basebackup"] became ["pgbackrest","basebackup"]"#,
            ),
        ],
    },
    Deliberate {
        reason: "replicas and backups ask for a checkpoint at once: seconds, where PGO waits minutes for the next timed one",
        source: "docs/differences-from-pgo.md, Backups",
        places: &[
            Place("ConfigMap", "*-config", "data[patroni.yaml].postgresql.basebackup", Different, "*checkpoint*fast*"),
            Place("ConfigMap", "*-pgbackrest-config", "data[pgbackrest_*.conf].global.start-fast", OnlyOurs, r#""y""#),
        ],
    },
    Deliberate {
        reason: "one certificate for all instances of a set, so that scaling changes no Secret",
        source: "docs/differences-from-pgo.md, Certificates and passwords",
        places: &[
            Place(
                "Secret",
                "*-certs",
                "data[*].certificates[0].subject",
                Different,
                r#"* became "CN=*.*-pods.*.local""#,
            ),
            Place(
                "Secret",
                "*-certs",
                SUBJECT_NAMES,
                Different,
                r#"* became ["*.*-pods.*","*.*-pods.*.svc","*.*-pods.*"]"#,
            ),
        ],
    },
    Deliberate {
        reason: "whoever calls the Service of the leader by its own name can verify it too",
        source: "RFC 6125 6.4: a client accepts only a name that it called",
        places: &[Place(
            "Secret",
            "*-cluster-cert",
            SUBJECT_NAMES,
            Different,
            r#"[*"*-primary",*"*-replicas"] became [*"*-primary",*"*-replicas",*"*-ha"]"#,
        )],
    },
    Deliberate {
        reason: "no dot at the end of hosts, because no DNS name in a certificate has one",
        source: "docs/differences-from-pgo.md, Certificates and passwords; RFC 5280 4.2.1.6",
        places: &[
            Place(
                "ConfigMap",
                "*-pgbackrest-config",
                "data[pgbackrest_*.conf].*-host",
                Different,
                r#"*." became "*.local""#,
            ),
            Place("Secret", "*", "data[*].certificates[0].subject", Different, r#"*.local." became "CN=*.local""#),
            Place("Secret", "*", SUBJECT_NAMES, Different, r#"["*.local.",*] became ["*.local",*]"#),
        ],
    },
    Deliberate {
        reason: "a common name has at most 64 characters, so a longer host is left to the DNS names, which are what counts",
        source: "X.520 ub-common-name; RFC 6125 6.4.4",
        places: &[Place("Secret", "*", "data[*].certificates[0].subject", Different, r#"*.local." became "CN=*.svc""#)],
    },
    Deliberate {
        reason: "a null says what its absence says",
        source: "docs/differences-from-pgo.md, Form",
        places: &[Place("ConfigMap", "*-config", "data[patroni.yaml].*.keyfile", OnlyTheirs, "null")],
    },
    Deliberate {
        reason: "the repo host reads from a file which backup is requested on demand, where PGO creates a Job",
        source: "docs/differences-from-pgo.md, Backups",
        places: &[
            Place("ConfigMap", "*-pgbackrest-config", "data.manual-backup", OnlyOurs, r#""""#),
            Place(
                "StatefulSet",
                "*-repo-host",
                "*.volumes[pgbackrest-config].*.items[manual-backup]",
                OnlyOurs,
                r#"{"key":"manual-backup","path":"manual-backup"}"#,
            ),
        ],
    },
    Deliberate {
        reason: "the name of pgBackRest's clients cannot be the UID of a resource that no API server has",
        source: "docs/differences-from-pgo.md, Backups; docs/pgo.md, Certificates",
        places: &[
            Place(
                "ConfigMap",
                "*-pgbackrest-config",
                "data[pgbackrest-server.conf].global.tls-server-auth",
                Different,
                "*@*/*",
            ),
            Place("Secret", "*-pgbackrest", "data[pgbackrest-client.crt].*.subject", Different, "*@*/*"),
            Place(
                "Secret",
                "*-pgbackrest",
                "data[pgbackrest-client.crt].*[Subject Alternative Name]",
                Different,
                "*@*/*",
            ),
        ],
    },
    Deliberate {
        reason: "members reach each other under complete names, which a wildcard in a certificate can cover",
        source: "OpenSSL's X509_check_host wants two labels behind the star",
        places: &[Place(
            "StatefulSet",
            "*",
            "*.env[PATRONI_*_CONNECT_ADDRESS].value",
            Different,
            "*-pods:* became *.svc.*",
        )],
    },
    Deliberate {
        reason: "the Secret is rendered with the pod that mounts it, so a pod without it must wait",
        source: "docs/differences-from-pgo.md, Instances; docs/pgo.md, How objects are applied",
        places: &[Place("StatefulSet", "*", "*.volumes[pgbackrest-config].*.secret.optional", OnlyTheirs, "true")],
    },
    Deliberate {
        reason: "no CA key enters the cluster; all trust the CA of before, of now and of after, so that rotating it breaks nothing",
        source: "docs/differences-from-pgo.md, Certificates and passwords",
        places: &[
            Place("Secret", "pgo-root-cacert", "", OnlyTheirs, ""),
            Place("Secret", "*", "data[*ca*].certificates[1]", OnlyOurs, "*pgrender-ca*"),
            Place("Secret", "*", "data[*ca*].certificates[0].subject", Different, "*pgrender-ca*"),
            Place("Secret", "*", "data[*].certificates[0].issuer", Different, "*pgrender-ca*"),
        ],
    },
    Deliberate {
        reason: "nobody renews certificates at run time: a leaf outlasts two windows of 182 days, and the CA ends in 2049",
        source: "docs/differences-from-pgo.md, Certificates and passwords",
        places: &[
            Place("Secret", "*", "data[*ca*].certificates[0].days", Different, "3650 became 11322"),
            Place("Secret", "*", "data[*].certificates[0].days", Different, "365 became 397"),
        ],
    },
    Deliberate {
        reason: "signatures must be the same in every run, and the library for that (RFC 6979) signs P-256 with SHA-256",
        source: "docs/differences-from-pgo.md, Certificates and passwords; RFC 5480 4",
        places: &[Place("Secret", "*", "data[*].certificates[0].signature", Different, r#""sha384" became "sha256""#)],
    },
    Deliberate {
        reason: "a certificate says what it is for, so that a server's cannot log in anywhere",
        source: "src/identity/certificate.rs",
        places: &[
            Place(
                "Secret",
                "*",
                "data[*].certificates[0].extensions[Extended Key Usage]",
                OnlyOurs,
                "*Authentication*",
            ),
            Place("Secret", "*", "data[*].certificates[0].extensions[Subject Key Identifier]", OnlyOurs, "*"),
        ],
    },
    Deliberate {
        reason: "the files `dns.*` are the operator's own copy of the certificate that it compares with later",
        source: "docs/differences-from-pgo.md, Certificates and passwords; docs/pgo.md, Certificates",
        places: &[Place("Secret", "*-certs", "data[dns.*]", OnlyTheirs, "*")],
    },
    Deliberate {
        reason: "a node that is drained must not wait for a pod that is not ready and protects nothing",
        source: "kube-linter, pdb-unhealthy-pod-eviction-policy",
        places: &[Place("PodDisruptionBudget", "*", "spec.unhealthyPodEvictionPolicy", OnlyOurs, r#""AlwaysAllow""#)],
    },
    Deliberate {
        reason: "the account of a binding is named completely, as some validators want; it is the same one",
        source: "docs/differences-from-pgo.md, Form; docs/pgo.md, Permissions",
        places: &[Place("RoleBinding", "*-instance", "subjects[*].namespace", OnlyOurs, "*")],
    },
    Deliberate {
        reason: "a container that the user adds is passed on as written; the API server adds this",
        source: "docs/differences-from-pgo.md, Form; docs/pgo.md, What the API server adds",
        places: &[Place("StatefulSet", "*", "*.containers[extra].imagePullPolicy", OnlyTheirs, r#""IfNotPresent""#)],
    },
    Deliberate {
        reason: "no difference: these were left out when PGO's objects were noted",
        source: "docs/pgo.md, Services and Endpoints; Kubernetes, SetDefaults_StatefulSet",
        places: &[
            Place("Service", "*-pods", "spec.clusterIP", OnlyOurs, r#""None""#),
            Place("Service", "*-primary", "spec.clusterIP", OnlyOurs, r#""None""#),
            Place("Service", "*-ha-config", "spec.clusterIP", OnlyOurs, r#""None""#),
            Place("StatefulSet", "*", "spec.updateStrategy.rollingUpdate", OnlyOurs, r#"{"partition":0}"#),
        ],
    },
];

const INSTANCE_LABEL: &str = "metadata.labels[postgres-operator.crunchydata.com/instance]";

/// Prevents Flux from replacing variables.
const SUBSTITUTE: &str = "metadata.annotations[kustomize.toolkit.fluxcd.io/substitute]";
const SUBJECT_NAMES: &str = "data[*].certificates[0].extensions[Subject Alternative Name]";
const REPLICA: &str = r#"*_crunchyrepl"* became *_crunchyrepl@*"#;
