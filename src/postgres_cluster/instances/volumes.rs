//! The volumes of an instance pod (PGO's `internal/controller/postgrescluster/instance.go` and
//! `internal/postgres/reconcile.go`).

use crate::kubernetes::{
    DownwardAPIProjection, DownwardAPIVolumeFile, DownwardAPIVolumeSource, EmptyDirVolumeSource, ObjectFieldSelector,
    ObjectMeta, Quantity, ResourceFieldSelector, SecretProjection, ServiceAccountTokenProjection, Volume,
    VolumeProjection,
};
use crate::naming::CONTAINER_DATABASE;
use crate::postgres_cluster::caretaker::PROGRAM;
use crate::postgres_cluster::cluster::{Cluster, InstanceSet};
use crate::postgres_cluster::objects::volumes::{
    KEY_MODE, config_map, ephemeral, item, key_item, pgbackrest_config, pgbackrest_server, projected,
    projected_with_mode, secret, users_config_map,
};
use crate::postgres_cluster::patroni::configuration::{AUTHENTICATION_KEY, RULES_KEY};
use crate::postgres_cluster::pgbouncer::console;
use crate::postgres_cluster::restore;
use crate::postgres_cluster::secrets::certificates::CertificateRole;
use crate::postgres_cluster::secrets::certificates::PlannedCertificate;
use crate::postgres_cluster::secrets::credentials::PlannedCredential;

/// The volumes, in the order of PGO. The data and WAL volumes are not among them: they come from the claim templates of the
/// StatefulSet. `labelled` is the metadata of the pod.
pub(crate) fn volumes(cluster: &Cluster, set: &InstanceSet, labelled: &ObjectMeta) -> Vec<Volume> {
    let mut volumes = vec![certificates(cluster), container_info()];
    if !cluster.postgres.files.is_empty() {
        volumes.push(projected("postgres-config", cluster.postgres.files.clone()));
    }
    volumes.extend(set.temp_volume_claim_spec.as_ref().map(|spec| ephemeral("postgres-temp", spec, labelled)));
    if let Some(backups) = &cluster.backups {
        volumes.push(pgbackrest_server(cluster.certificate(CertificateRole::InstanceSet, &set.name)));
        let files = [
            ("pgbackrest_instance.conf", "pgbackrest_instance.conf"),
            ("config-hash", "config-hash"),
            ("pgbackrest-server.conf", "~postgres-operator_server.conf"),
        ];
        volumes.push(pgbackrest_config(cluster, backups, files.map(|(key, path)| item(key, path)).to_vec()));
    }
    volumes.extend(cluster.data_source.as_ref().map(|source| restore::objects::volume(cluster, source)));
    volumes.extend([patroni_config(cluster, set), caretaker(cluster), service_account_token(), shared_memory()]);
    volumes.extend(console::watched(cluster).map(|pgbouncer| console::volume(cluster, pgbouncer)));
    volumes
}

/// `cert-volume`: the server certificate of Postgres, and the client certificate of replicas in `replication/`.
fn certificates(cluster: &Cluster) -> Volume {
    // Items in `spec.customTLSSecret` must have the same three paths. Without items, the keys of the Secret must be these three
    // names.
    let files = |planned: PlannedCertificate, directory: &str| {
        let keys = planned.keys;
        let files =
            [("tls.crt", Some(keys.certificate)), ("tls.key", Some(keys.private_key)), ("ca.crt", keys.authority)];
        let items = files.into_iter().filter_map(|(file, key)| Some(item(key?, &format!("{directory}{file}"))));
        SecretProjection { name: planned.secret, items: Some(items.collect()), optional: None }
    };
    let ours = || files(cluster.certificate(CertificateRole::Postgres, ""), "");
    let server = VolumeProjection {
        secret: Some(cluster.custom_tls_secret.clone().unwrap_or_else(ours)),
        ..VolumeProjection::default()
    };
    let client = files(cluster.certificate(cluster.replication_role(), ""), "replication/");
    let client = VolumeProjection { secret: Some(client), ..VolumeProjection::default() };
    projected_with_mode("cert-volume", KEY_MODE, vec![server, client])
}

/// `database-containerinfo`: the files in which the extension pgnodemx reads the resources of the `database` container.
fn container_info() -> Volume {
    let resources = [
        ("cpu_limit", "limits.cpu"),
        ("cpu_request", "requests.cpu"),
        ("mem_limit", "limits.memory"),
        ("mem_request", "requests.memory"),
    ];
    let mut items: Vec<_> = resources
        .into_iter()
        .map(|(path, resource)| DownwardAPIVolumeFile {
            path: path.to_owned(),
            resource_field_ref: Some(ResourceFieldSelector {
                container_name: Some(CONTAINER_DATABASE.to_owned()),
                divisor: Some(Quantity("0".to_owned())),
                resource: resource.to_owned(),
            }),
            ..DownwardAPIVolumeFile::default()
        })
        .collect();
    items.extend([pod_field("labels", "metadata.labels"), pod_field("annotations", "metadata.annotations")]);
    Volume {
        name: "database-containerinfo".to_owned(),
        downward_api: Some(DownwardAPIVolumeSource { default_mode: Some(0o644), items: Some(items) }),
        ..Volume::default()
    }
}

fn pod_field(path: &str, field_path: &str) -> DownwardAPIVolumeFile {
    DownwardAPIVolumeFile {
        path: path.to_owned(),
        field_ref: Some(ObjectFieldSelector { api_version: Some("v1".to_owned()), field_path: field_path.to_owned() }),
        ..DownwardAPIVolumeFile::default()
    }
}

/// `patroni-config`: Patroni reads the YAML files in this directory in the order of their names, and later files override
/// earlier ones; `~` sorts last. `patronictl` reads the files in a subdirectory, without the settings that are for other
/// members (`patroni::configuration`). All files are always present, so that no pod restarts when a rule of `pg_hba.conf` gets a
/// password.
fn patroni_config(cluster: &Cluster, set: &InstanceSet) -> Volume {
    let member = cluster.certificate(CertificateRole::Member, &set.name);
    let authority = member.keys.authority.map(|key| item(key, "~postgres-operator/patroni.ca-roots"));
    let member_files =
        authority.into_iter().chain([key_item(member.keys.certificate, "~postgres-operator/patroni.crt+key")]);
    projected(
        "patroni-config",
        vec![
            config_map(
                cluster.config_map(),
                vec![
                    item("patroni.yaml", "~postgres-operator_cluster.yaml"),
                    item("patroni.yaml", "patronictl/cluster.yaml"),
                ],
            ),
            config_map(
                cluster.instance_set_config_map(set),
                vec![item("patroni.yaml", "~postgres-operator_instance.yaml")],
            ),
            secret(member.secret, member_files.collect()),
            secret(
                cluster.patroni_secret(),
                vec![
                    key_item(AUTHENTICATION_KEY, "~postgres-operator_restapi.yaml"),
                    key_item(AUTHENTICATION_KEY, "patronictl/restapi.yaml"),
                ],
            ),
            secret(cluster.patroni_rules_secret(), vec![key_item(RULES_KEY, "~postgres-operator_rules.yaml")]),
        ],
    )
}

/// `caretaker`: the caretaker's program, its settings, and the roles that it creates.
fn caretaker(cluster: &Cluster) -> Volume {
    let files = PROGRAM.iter().map(|(name, _)| *name).chain(["caretaker.json"]);
    let program = files.map(|key| item(key, key)).collect();
    let roles = vec![key_item("roles.json", "roles.json")];
    let name = cluster.caretaker_name();
    let mut sources = vec![config_map(name.clone(), program), secret(name, roles)];
    let mut brought = cluster.credentials();
    brought.retain(|credential| credential.is_brought);
    brought.sort_by_key(|credential| credential.role);
    sources.extend(brought.iter().filter_map(credential));
    // The ConfigMap is optional, because Postgres must be able to start before the ConfigMap exists.
    sources.extend(cluster.database_init_sql.as_ref().map(|sql| users_config_map(sql, "init.sql")));
    projected("caretaker", sources)
}

/// The password and the verifier of a role of Postgres whose Secret the user provides, in a directory with the name of the
/// role. The Secret is optional, because Postgres must be able to start even if the Secret does not exist yet or contains only
/// one of the two.
fn credential(planned: &PlannedCredential) -> Option<VolumeProjection> {
    let keys = [(planned.keys.password, "password"), (planned.keys.verifier?, "verifier")];
    let items = keys.map(|(key, file)| key_item(key, &format!("credentials/{}/{file}", planned.role)));
    let secret = SecretProjection { name: planned.secret.clone(), items: Some(items.to_vec()), optional: Some(true) };
    Some(VolumeProjection { secret: Some(secret), ..VolumeProjection::default() })
}

/// `service-account-token`: the files that Kubernetes would mount into every container of the pod. Only two containers need
/// them.
fn service_account_token() -> Volume {
    projected(
        "service-account-token",
        vec![
            VolumeProjection {
                service_account_token: Some(ServiceAccountTokenProjection {
                    expiration_seconds: Some(3607),
                    path: "token".to_owned(),
                    ..ServiceAccountTokenProjection::default()
                }),
                ..VolumeProjection::default()
            },
            config_map("kube-root-ca.crt".to_owned(), vec![item("ca.crt", "ca.crt")]),
            VolumeProjection {
                downward_api: Some(DownwardAPIProjection {
                    items: Some(vec![pod_field("namespace", "metadata.namespace")]),
                }),
                ..VolumeProjection::default()
            },
        ],
    )
}

/// `dshm`: a volume for `/dev/shm`. By default, container runtimes provide 64 MiB of shared memory, which is too little for
/// parallel queries.
fn shared_memory() -> Volume {
    Volume {
        name: "dshm".to_owned(),
        empty_dir: Some(EmptyDirVolumeSource { medium: Some("Memory".to_owned()), size_limit: None }),
        ..Volume::default()
    }
}
