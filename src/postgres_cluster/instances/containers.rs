//! The containers of an instance pod: Patroni with Postgres, the user's own containers, pgBackRest's server, and the caretaker.

use crate::kubernetes::{
    Container, ContainerPort, EnvVar, EnvVarSource, ExecAction, HTTPGetAction, IntOrString, Lifecycle,
    LifecycleHandler, ObjectFieldSelector, Probe, VolumeMount,
};
use crate::naming::{CONTAINER_CARETAKER, CONTAINER_DATABASE, CONTAINER_PGBACKREST, PORT_POSTGRES};
use crate::postgres_cluster::cluster::{Cluster, InstanceSet};
use crate::postgres_cluster::directories::{data_directory, program_directories};
use crate::postgres_cluster::instances::claims::{POSTGRES_DATA, POSTGRES_WAL};
use crate::postgres_cluster::objects::pod::{
    container, mount, mount_read_only, nss_wrapper_env, nss_wrapper_init, variable, with_log_directory, words,
};
use crate::postgres_cluster::patroni;
use crate::postgres_cluster::pgbackrest;
use crate::postgres_cluster::pgbackrest::model::Backups;
use crate::postgres_cluster::pgbouncer::console;
use crate::postgres_cluster::postgres::configuration::SCRIPT_DIRECTORY;
use crate::postgres_cluster::restore;
use crate::postgres_cluster::scripts;

/// The directory in which clients look for the token of the pod's ServiceAccount (client-go's `rest.InClusterConfig`, Patroni,
/// and users of curl).
pub(crate) const SERVICE_ACCOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The period of the readiness probe. It is short, so that a rolling update does not wait longer than needed.
const READINESS_PERIOD_SECONDS: i32 = 2;

/// The containers, in the order of PGO. The first one is `database`, which is also the default container.
pub(crate) fn containers(cluster: &Cluster, set: &InstanceSet) -> Vec<Container> {
    let mut containers = vec![database(cluster, set)];
    containers.extend(set.containers.iter().cloned());
    containers.extend(cluster.backups.as_ref().map(|backups| pgbackrest_server(cluster, set, backups)));
    containers.push(caretaker(cluster, set));
    containers
}

/// The init containers, which run before Postgres starts. They prepare directories and permissions, and then the passwd file of
/// nss_wrapper.
pub(crate) fn init_containers(cluster: &Cluster, set: &InstanceSet) -> Vec<Container> {
    vec![startup(cluster, set), nss_wrapper_init(cluster, &cluster.image, set.resources.as_ref())]
}

fn startup(cluster: &Cluster, set: &InstanceSet) -> Container {
    let mut mounts = vec![mount_read_only("cert-volume", "/pgconf/tls")];
    mounts.extend(storage_mounts(set));
    Container {
        command: Some(scripts::postgres_startup(cluster, set)),
        env: Some(postgres_env(cluster)),
        resources: set.resources.clone(),
        volume_mounts: Some(mounts),
        ..container(cluster, "postgres-startup", &cluster.image)
    }
}

fn database(cluster: &Cluster, set: &InstanceSet) -> Container {
    let mut mounts = vec![mount_read_only("cert-volume", "/pgconf/tls"), mount(POSTGRES_DATA, "/pgdata")];
    mounts.push(mount_read_only("database-containerinfo", "/etc/database-containerinfo"));
    if !cluster.postgres.files.is_empty() {
        mounts.push(mount_read_only("postgres-config", "/etc/postgres"));
    }
    mounts.extend(storage_mounts(set).into_iter().skip(1));
    if set.temp_volume_claim_spec.is_some() {
        mounts.push(mount("postgres-temp", "/pgtmp"));
    }
    if cluster.backups.is_some() {
        mounts.push(mount_read_only("pgbackrest-config", "/etc/pgbackrest/conf.d"));
    }
    if cluster.data_source.is_some() {
        mounts.push(mount_read_only("pgbackrest-source", restore::configuration::DIRECTORY));
    }
    mounts.extend([
        mount_read_only("patroni-config", "/etc/patroni"),
        mount_read_only("caretaker", SCRIPT_DIRECTORY),
        mount_read_only("service-account-token", SERVICE_ACCOUNT_PATH),
        mount("dshm", "/dev/shm"),
    ]);
    // In most images, the programs of Postgres are not in `PATH`.
    let path = program_directories(cluster.postgres_version).join(":");
    // `pre-start` creates the Endpoints before Patroni looks for them, and a replica waits there for a leader
    // (`src/postgres_cluster/caretaker/pre_start.py`).
    let before = format!("python3 {SCRIPT_DIRECTORY}/caretaker.py pre-start");
    let script = format!("PATH=\"{path}${{PATH+:${{PATH}}}}\"; {before}; exec \"$@\"");
    let mut env = postgres_env(cluster);
    env.extend(patroni_env(cluster));
    env.extend(nss_wrapper_env());
    let sync_period = cluster.patroni.sync_period_seconds;
    let probe = |path: &str, period: i32| {
        Some(Probe {
            failure_threshold: Some((cluster.patroni.leader_lease_duration_seconds / period).max(1)),
            http_get: Some(HTTPGetAction {
                path: Some(path.to_owned()),
                port: IntOrString::Int(cluster.patroni.port.into()),
                scheme: Some("HTTPS".to_owned()),
                ..HTTPGetAction::default()
            }),
            initial_delay_seconds: Some(3),
            period_seconds: Some(period),
            success_threshold: Some(1),
            timeout_seconds: Some((sync_period / 2).max(1)),
            ..Probe::default()
        })
    };
    Container {
        command: Some(with_log_directory(
            cluster.patroni.log.as_ref().map(|_| patroni::configuration::LOG_DIRECTORY),
            words(["sh", "-c", "--", &script, "--", "patroni", "/etc/patroni"]),
        )),
        env: Some(env),
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler {
                exec: Some(ExecAction {
                    command: Some(words(["python3", &format!("{SCRIPT_DIRECTORY}/caretaker.py"), "pre-stop"])),
                }),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        liveness_probe: probe("/liveness", sync_period),
        // A rolling update waits until each pod is ready. With PGO's period, it would wait up to ten seconds longer for each
        // pod.
        readiness_probe: probe("/readiness", sync_period.min(READINESS_PERIOD_SECONDS)),
        ports: Some(vec![ContainerPort {
            container_port: cluster.port.into(),
            name: Some(cluster.postgres_container_port()),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        resources: set.resources.clone(),
        volume_mounts: Some(mounts),
        ..container(cluster, CONTAINER_DATABASE, &cluster.image)
    }
}

/// pgBackRest's TLS server, through which the repo host reads the data directory.
fn pgbackrest_server(cluster: &Cluster, set: &InstanceSet, backups: &Backups) -> Container {
    let mut mounts = vec![mount_read_only("pgbackrest-server", "/etc/pgbackrest/server")];
    mounts.extend(storage_mounts(set));
    mounts.push(mount_read_only("pgbackrest-config", "/etc/pgbackrest/conf.d"));
    Container {
        resources: backups.server_resources.clone(),
        volume_mounts: Some(mounts),
        ..pgbackrest_server_container(
            cluster,
            backups,
            Some(pgbackrest::configuration::instance_log_directory(cluster)),
        )
    }
}

/// The container of pgBackRest's server, as far as it is the same in instances and in the repo host. With the collector, it also
/// rotates the logs of pgBackRest in `log_directory`.
pub(crate) fn pgbackrest_server_container(
    cluster: &Cluster,
    backups: &Backups,
    log_directory: Option<String>,
) -> Container {
    let mut command = words(["pgbackrest", "server"]);
    if let (Some(collector), Some(directory)) = (&cluster.collector, log_directory) {
        command = scripts::with_rotation(collector, &directory, command);
    }
    Container {
        command: Some(command),
        env: Some(nss_wrapper_env()),
        liveness_probe: Some(Probe {
            exec: Some(ExecAction { command: Some(words(["pgbackrest", "server-ping"])) }),
            failure_threshold: Some(3),
            period_seconds: Some(10),
            success_threshold: Some(1),
            timeout_seconds: Some(1),
            ..Probe::default()
        }),
        ..container(cluster, CONTAINER_PGBACKREST, &backups.image)
    }
}

/// The sidecar that does what PGO's operator, `replication-cert-copy` and `pgbackrest-config` did at run time.
fn caretaker(cluster: &Cluster, set: &InstanceSet) -> Container {
    let mut mounts = vec![mount_read_only("cert-volume", "/pgconf/tls")];
    mounts.extend(storage_mounts(set));
    if cluster.backups.is_some() {
        mounts.push(mount_read_only("pgbackrest-server", "/etc/pgbackrest/server"));
        mounts.push(mount_read_only("pgbackrest-config", "/etc/pgbackrest/conf.d"));
    }
    mounts.extend([
        mount_read_only("patroni-config", "/etc/patroni"),
        mount_read_only("caretaker", SCRIPT_DIRECTORY),
        mount_read_only("service-account-token", SERVICE_ACCOUNT_PATH),
    ]);
    mounts.extend(console::watched(cluster).map(|_| console::mount()));
    let mut env = postgres_env(cluster);
    env.extend(patroni_env(cluster));
    env.extend(nss_wrapper_env());
    Container {
        command: Some(words(["python3", &format!("{SCRIPT_DIRECTORY}/caretaker.py")])),
        env: Some(env),
        resources: set.caretaker_resources.clone(),
        volume_mounts: Some(mounts),
        ..container(cluster, CONTAINER_CARETAKER, &cluster.image)
    }
}

/// The mount of the data volume and, if there is one, that of the WAL volume.
fn storage_mounts(set: &InstanceSet) -> Vec<VolumeMount> {
    let wal = set.wal_volume_claim_spec.as_ref().map(|_| mount(POSTGRES_WAL, "/pgwal"));
    [mount(POSTGRES_DATA, "/pgdata")].into_iter().chain(wal).collect()
}

/// The environment of every program of Postgres, as in PGO (`internal/postgres/config.go`).
fn postgres_env(cluster: &Cluster) -> Vec<EnvVar> {
    vec![
        variable("PGDATA", data_directory(cluster)),
        variable("PGHOST", "/tmp/postgres"),
        variable("PGPORT", cluster.port.to_string()),
        variable("KRB5_CONFIG", "/etc/postgres/krb5.conf"),
        variable("KRB5RCACHEDIR", "/tmp"),
        variable("LDAPTLS_CACERT", "/etc/postgres/ldap/ca.crt"),
    ]
}

/// The environment of Patroni that differs between pods. Patroni announces itself with the fully qualified name of the pod,
/// which the certificate of the instance set contains as a wildcard. PGO announces `<pod>.<cluster>-pods`. No wildcard can
/// match that name, because OpenSSL accepts a wildcard only in a name with at least two dots.
fn patroni_env(cluster: &Cluster) -> Vec<EnvVar> {
    let host = cluster.pod_host("$(PATRONI_NAME)");
    let (port, api_port) = (cluster.port, cluster.patroni.port);
    vec![
        field("PATRONI_NAME", "metadata.name"),
        field("PATRONI_KUBERNETES_POD_IP", "status.podIP"),
        variable("PATRONI_KUBERNETES_PORTS", format!("- name: {PORT_POSTGRES}\n  port: {port}\n  protocol: TCP\n")),
        variable("PATRONI_POSTGRESQL_CONNECT_ADDRESS", format!("{host}:{port}")),
        variable("PATRONI_POSTGRESQL_LISTEN", format!("*:{port}")),
        variable("PATRONI_POSTGRESQL_CONFIG_DIR", data_directory(cluster)),
        variable("PATRONI_POSTGRESQL_DATA_DIR", data_directory(cluster)),
        variable("PATRONI_RESTAPI_CONNECT_ADDRESS", format!("{host}:{api_port}")),
        variable("PATRONI_RESTAPI_LISTEN", format!("*:{api_port}")),
        variable("PATRONICTL_CONFIG_FILE", "/etc/patroni/patronictl"),
    ]
}

fn field(name: &str, path: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector { api_version: Some("v1".to_owned()), field_path: path.to_owned() }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    }
}
