//! Tests which files a new cluster gets for the repository that it starts from, and the messages about repositories in object
//! storage. The scenarios `clone`, `clone-encrypted` and `object-storage` restore from real repositories.

use pgrender::identity::Seed;
use pgrender::read;
use pgrender::render::{Rendered, render};
use serde_json::{Value, json};

use crate::common::rendering::{SEED, options};

/// A small cluster with backups, and with additional fields in its `spec`.
fn cluster(namespace: &str, name: &str, pgbackrest: &Value, more: &Value) -> Value {
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let mut cluster = json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1",
        "kind": "PostgresCluster",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"postgresVersion": 17, "image": "postgres", "instances": [{"dataVolumeClaimSpec": claim}]},
    });
    let repository = json!({"name": "repo1", "volume": {"volumeClaimSpec": claim}});
    let mut all = json!({"image": "pgbackrest", "repos": [repository]});
    all.as_object_mut().unwrap().extend(pgbackrest.as_object().unwrap().clone());
    cluster["spec"]["backups"] = json!({"pgbackrest": all});
    cluster["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    cluster
}

/// pgBackRest's settings with the file of a Secret.
fn with_secret(name: &str) -> Value {
    json!({"configuration": [{"secret": {"name": name}}]})
}

fn clone_of(name: &str, pgbackrest: &Value) -> Value {
    let source = json!({"postgresCluster": {"clusterName": name, "repoName": "repo1"}});
    cluster("zoo", "rhino", pgbackrest, &json!({"dataSource": source}))
}

fn rendered(clusters: &[&Value]) -> Rendered {
    let texts: Vec<String> = clusters.iter().map(ToString::to_string).collect();
    let documents = read::documents("clusters.yaml", &texts.join("\n---\n")).unwrap();
    render(&documents, &options(), Ok(&Seed::new(SEED.as_bytes()).ok().unwrap()))
}

/// Returns what is reported about clusters, except when to render them again.
fn told(clusters: &[&Value]) -> Vec<String> {
    let diagnostics = rendered(clusters).diagnostics;
    diagnostics.iter().map(ToString::to_string).filter(|line| !line.contains("render and apply again")).collect()
}

/// Returns the sources of the volume with the files for the data source, in the instances of `rhino`.
fn sources(clusters: &[&Value]) -> Vec<Value> {
    let objects = rendered(clusters).resources.into_iter().flat_map(|resource| resource.objects);
    let mut sets = objects.map(|object| object.to_value()).filter(|object| {
        object["kind"] == "StatefulSet" && object["metadata"]["name"].as_str().unwrap().starts_with("rhino-00")
    });
    let volumes = sets.next().unwrap()["spec"]["template"]["spec"]["volumes"].clone();
    let volume = volumes.as_array().unwrap().iter().find(|volume| volume["name"] == "pgbackrest-source").unwrap();
    volume["projected"]["sources"].as_array().unwrap().clone()
}

#[test]
fn the_files_of_the_other_cluster_are_used() {
    let hippo = cluster("zoo", "hippo", &with_secret("hippo-cipher"), &json!({}));
    let rhino = clone_of("hippo", &with_secret("rhino-cipher"));
    let file = |name: &str| json!({"secret": {"name": name, "optional": true}});

    let together = sources(&[&rhino, &hippo]);
    assert_eq!((together.len(), &together[0]), (3, &file("hippo-cipher")), "{together:?}");
    assert_eq!(sources(&[&hippo, &rhino]), together);
    assert_eq!(told(&[&hippo, &rhino]), Vec::<String>::new());

    let elsewhere = cluster("park", "hippo", &with_secret("hippo-cipher"), &json!({}));
    let misspelt = cluster("zoo", "hipo", &json!({}), &json!({}));
    for (alone, words) in [
        (&[&rhino][..], ["info: ", "render both clusters together"]),
        (&[&rhino, &elsewhere], ["warning: ", "a cluster of this name is in the namespace `park`"]),
        (&[&rhino, &misspelt], ["warning: ", "did you mean `hipo`?"]),
    ] {
        let own = sources(alone);
        assert_eq!((own.len(), &own[0]), (3, &file("rhino-cipher")), "{own:?}");
        let told = told(alone);
        assert!(
            told.len() == 1
                && told[0].contains("`hippo` is not in the input")
                && words.iter().all(|word| told[0].contains(word)),
            "{told:?}"
        );
    }
}

#[test]
fn the_other_cluster_must_have_the_repository() {
    let rhino = clone_of("hippo", &json!({}));
    let mut without_backups = cluster("zoo", "hippo", &json!({}), &json!({}));
    without_backups["spec"].as_object_mut().unwrap().remove("backups");
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let repositories = json!([{"name": "repo2", "volume": {"volumeClaimSpec": claim}}]);
    let of_another_number = cluster("zoo", "hippo", &json!({"repos": repositories}), &json!({}));
    for (hippo, field, message) in [
        (without_backups, "clusterName", "`hippo` has no backups"),
        (of_another_number, "repoName", "`hippo` has no repository `repo1`: write one of `repo2`"),
    ] {
        let told = told(&[&hippo, &rhino]);
        let about = format!("error: spec.dataSource.postgresCluster.{field}: ");
        assert!(told.iter().any(|line| line.contains(&about) && line.contains(message)), "{told:?}");
        assert!(rendered(&[&hippo, &rhino]).resources.is_empty());
    }
}

#[test]
fn a_pod_starts_when_a_secret_of_the_data_source_is_deleted() {
    let repository = json!({"name": "repo1", "gcs": {"bucket": "backups"}});
    let secret = |name: &str, optional: &Value| json!({"secret": {"name": name, "optional": optional}});
    let files = json!([secret("a", &Value::Null), secret("b", &json!(false)), {"configMap": {"name": "c"}}]);
    let source = json!({"pgbackrest": {"repo": repository, "configuration": files}});
    let rhino = cluster("zoo", "rhino", &json!({}), &json!({"dataSource": source}));
    let found = sources(&[&rhino]);
    assert_eq!(found[..2], [secret("a", &json!(true)), secret("b", &json!(false))]);
    assert_eq!(found[2], json!({"configMap": {"name": "c", "optional": true}}));
}

/// Returns the warnings about one repository, in object storage.
fn warnings(storage: &Value, global: &Value, files: &Value, more: &Value) -> Vec<String> {
    let mut repository = json!({"name": "repo2"});
    repository.as_object_mut().unwrap().extend(storage.as_object().unwrap().clone());
    let pgbackrest = json!({"repos": [repository], "global": global, "configuration": files});
    let all = told(&[&cluster("zoo", "rhino", &pgbackrest, more)]);
    all.into_iter().filter(|line| !line.contains("is a secret")).collect()
}

#[test]
fn a_repository_without_credentials_is_told() {
    let s3 = json!({"s3": {"bucket": "b", "endpoint": "e", "region": "r"}});
    let (gcs, azure) = (json!({"gcs": {"bucket": "b"}}), json!({"azure": {"container": "c"}}));
    let no_files = json!([]);
    for (storage, global, missing) in [
        (&s3, json!({}), "`repo2-s3-key` and `repo2-s3-key-secret`"),
        (&s3, json!({"repo2-s3-key": "k"}), "write `repo2-s3-key-secret` in"),
        (&gcs, json!({}), "`repo2-gcs-key`"),
        (&azure, json!({}), "`repo2-azure-account` and `repo2-azure-key`"),
        (&azure, json!({"repo2-azure-key-type": "auto"}), "write `repo2-azure-account` in"),
    ] {
        let found = warnings(storage, &global, &no_files, &json!({}));
        assert!(found.len() == 1 && found[0].contains(missing), "{storage} {global}: {found:?}");
        assert!(found[0].contains("add the Secret to `spec.backups.pgbackrest.configuration`"), "{found:?}");
        let files = json!([{"secret": {"name": "credentials"}}]);
        assert_eq!(warnings(storage, &global, &files, &json!({})), Vec::<String>::new());
    }
    for (storage, global) in [
        (&s3, json!({"repo2-s3-key": "k", "repo2-s3-key-secret": "s"})),
        (&s3, json!({"repo2-s3-key-type": "auto"})),
        (&gcs, json!({"repo2-gcs-key-type": "auto"})),
        (&gcs, json!({"repo2-gcs-key": "/volumes/key/key.json"})),
        (&azure, json!({"repo2-azure-key-type": "auto", "repo2-azure-account": "a"})),
    ] {
        assert_eq!(warnings(storage, &global, &no_files, &json!({})), Vec::<String>::new(), "{global}");
    }
    let source = json!({"pgbackrest": {"repo": {"name": "repo1", "gcs": {"bucket": "b"}}}});
    let found = told(&[&cluster("zoo", "rhino", &json!({}), &json!({"dataSource": source}))]);
    assert!(found.len() == 1 && found[0].contains("`spec.dataSource.pgbackrest.configuration`"), "{found:?}");
}

/// The annotation of EKS that gives the pods of a ServiceAccount a role.
const ROLE: &str = "eks.amazonaws.com/role-arn";

#[test]
fn a_role_is_on_every_service_account_whose_pods_use_object_storage() {
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let pgbackrest = json!({
        "global": {"repo2-s3-key-type": "web-id"},
        "repos": [
            {"name": "repo1", "volume": {"volumeClaimSpec": claim}},
            {"name": "repo2", "schedules": {"full": "0 1 * * 0"}, "s3": {"bucket": "b", "endpoint": "e", "region": "r"}},
        ],
    });
    let annotations = json!({"metadata": {"annotations": {ROLE: "arn"}}});
    let rhino = cluster("zoo", "rhino", &pgbackrest, &annotations);
    assert_eq!(told(&[&rhino]), Vec::<String>::new());
    let objects: Vec<_> = rendered(&[&rhino]).resources.into_iter().flat_map(|resource| resource.objects).collect();
    let objects: Vec<_> = objects.into_iter().map(|object| object.to_value()).collect();
    let with_role = |name: &Value| {
        objects.iter().any(|object| {
            object["kind"] == "ServiceAccount"
                && object["metadata"]["name"] == *name
                && object["metadata"]["annotations"][ROLE] == "arn"
        })
    };
    let mut pods = 0;
    for object in &objects {
        let template = match object["kind"].as_str().unwrap() {
            "StatefulSet" => &object["spec"]["template"],
            "CronJob" => &object["spec"]["jobTemplate"]["spec"]["template"],
            _ => continue,
        };
        pods += 1;
        assert!(with_role(&template["spec"]["serviceAccountName"]), "{object}");
        // The kubelet lets this group read the token of the webhook.
        assert_eq!(template["spec"]["securityContext"]["fsGroup"], 26, "{object}");
    }
    assert_eq!(pods, 3);

    // The annotations of pgBackRest's own objects are not those of instances.
    let mut of_pgbackrest = pgbackrest.clone();
    of_pgbackrest["metadata"] = annotations["metadata"].clone();
    for without in [pgbackrest, of_pgbackrest] {
        let told = told(&[&cluster("zoo", "rhino", &without, &json!({}))]);
        assert!(told.len() == 1 && told[0].contains("global.repo2-s3-key-type") && told[0].contains(ROLE), "{told:?}");
    }
}
