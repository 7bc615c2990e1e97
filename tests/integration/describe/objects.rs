//! Compares descriptions with the rendered objects, of which this test computes names and totals itself.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{json, quickstart};
use crate::common::fixtures::fixtures;
use crate::common::rendering::{SEED, objects_from, options};
use crate::entry::HIPPO;

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The values of a field in all items of a list.
fn all<'a>(list: &'a Value, field: &str) -> BTreeSet<&'a str> {
    list.as_array().into_iter().flatten().map(|item| text(&item[field])).collect()
}

/// The names of the objects of a kind.
fn names<'a>(objects: &'a [Value], kind: &str) -> BTreeSet<&'a str> {
    objects.iter().filter(|object| object["kind"] == kind).map(|object| text(&object["metadata"]["name"])).collect()
}

/// The number that a quantity means, with the suffixes that the fixtures use.
fn number(quantity: &str) -> f64 {
    let end = quantity.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(quantity.len());
    let unit = match &quantity[end..] {
        "" => 1.0,
        "m" => 0.001,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        other => panic!("{other}"),
    };
    quantity[..end].parse::<f64>().unwrap() * unit
}

/// The pods that run all the time: how many of them, and their spec.
fn pods(objects: &[Value]) -> Vec<(f64, &Value)> {
    let running = objects.iter().filter(|object| ["StatefulSet", "Deployment"].contains(&text(&object["kind"])));
    running.map(|it| (it["spec"]["replicas"].as_f64().unwrap(), &it["spec"]["template"]["spec"])).collect()
}

/// What pods need of a resource: all containers together, or one init container, if that is more.
fn needed(objects: &[Value], section: &str, resource: &str) -> Option<f64> {
    let of = |container: &Value| {
        let resources = &container["resources"];
        let value = &resources[section][resource];
        let value = if value.is_null() { &resources["limits"][resource] } else { value };
        value.as_str().map(number)
    };
    let list =
        |pod: &Value, field: &str| -> Vec<f64> { pod[field].as_array().into_iter().flatten().filter_map(of).collect() };
    let mut sum = None;
    for (count, pod) in pods(objects).into_iter().filter(|(count, _)| *count > 0.0) {
        let (together, before) = (list(pod, "containers"), list(pod, "initContainers"));
        if !together.is_empty() || !before.is_empty() {
            let most = before.iter().fold(together.iter().sum::<f64>(), |most, value| most.max(*value));
            sum = Some(sum.unwrap_or_default() + count * most);
        }
    }
    sum
}

fn storage(objects: &[Value]) -> f64 {
    let claims = objects.iter().filter(|object| object["kind"] == "PersistentVolumeClaim");
    let claims: f64 = claims.map(|claim| number(text(&claim["spec"]["resources"]["requests"]["storage"]))).sum();
    let scratch = pods(objects).into_iter().flat_map(|(count, pod)| {
        let volumes = pod["volumes"].as_array().into_iter().flatten();
        volumes.filter_map(move |volume| {
            let size = &volume["ephemeral"]["volumeClaimTemplate"]["spec"]["resources"]["requests"]["storage"];
            size.as_str().map(|size| count * number(size))
        })
    });
    claims + scratch.sum::<f64>()
}

fn same(described: &Value, computed: Option<f64>, what: &str) {
    let described = described.as_str().map(number);
    let is_same = match (described, computed) {
        (Some(one), Some(other)) => (one - other).abs() < 0.000_1 * other.max(1.0),
        (one, other) => one.is_none() && other.is_none(),
    };
    assert!(is_same, "{what}: {described:?} {computed:?}");
}

#[test]
fn names_and_totals_are_those_of_the_objects() {
    let mut compared = 0;
    let examples = pgrender::postgres_cluster::explain::examples::CLUSTERS.iter().map(Value::to_string);
    let examples = examples.map(|text| ("an example".to_owned(), text));
    for (name, cluster) in fixtures().into_iter().chain(examples) {
        let mut options = options();
        options.namespace = Some("shop".to_owned());
        let Ok(objects) = objects_from(&cluster, SEED, &options) else { panic!("{name}") };
        let report = json(&["--namespace", "shop"], cluster);
        let clusters = report["clusters"].as_array().unwrap();
        let [cluster] = clusters.as_slice() else { continue };
        compared += 1;
        assert_eq!(all(&cluster["services"], "name"), names(&objects, "Service"), "{name}");
        assert_eq!(all(&cluster["access"], "serviceAccount"), names(&objects, "ServiceAccount"), "{name}");
        let workloads = cluster["workloads"].as_array().unwrap();
        let running = &names(&objects, "StatefulSet") | &names(&objects, "Deployment");
        assert_eq!(all(&cluster["workloads"], "name"), running, "{name}");
        let claims: BTreeSet<&str> =
            workloads.iter().flat_map(|it| all(&it["volumes"], "claim")).filter(|it| !it.is_empty()).collect();
        assert_eq!(claims, names(&objects, "PersistentVolumeClaim"), "{name}");
        let repositories = cluster["repositories"].as_array().unwrap().iter();
        let mut jobs: BTreeSet<&str> = repositories.flat_map(|it| all(&it["schedules"], "cronJob")).collect();
        jobs.extend(cluster["restoreDrill"]["cronJob"].as_str());
        assert_eq!(jobs, names(&objects, "CronJob"), "{name}");
        let secrets = names(&objects, "Secret");
        let users = cluster["users"].as_array().unwrap();
        assert!(
            users.iter().all(|user| secrets.contains(text(&user["secret"])) != (user["youProvide"] == true)),
            "{name}"
        );
        assert!(all(&cluster["certificates"], "secret").is_subset(&secrets), "{name}");
        let count = |kind: &str| objects.iter().filter(|object| object["kind"] == kind).count();
        for (kind, described) in cluster["objects"].as_object().unwrap() {
            assert_eq!(described.as_u64(), u64::try_from(count(kind)).ok(), "{name}: {kind}");
        }
        let containers = pods(&objects).into_iter().flat_map(|(_, pod)| pod["containers"].as_array().unwrap());
        let images: BTreeSet<&str> = containers.map(|container| text(&container["image"])).collect();
        assert!(images.is_subset(&all(&cluster["images"], "image")), "{name}: {images:?}");
        let totals = &cluster["totals"];
        assert_eq!(totals["pods"].as_f64(), Some(pods(&objects).iter().map(|(count, _)| count).sum()), "{name}");
        for section in ["requests", "limits"] {
            for resource in ["cpu", "memory"] {
                let what = format!("{name}: {section} {resource}");
                same(&totals[section][resource]["sum"], needed(&objects, section, resource), &what);
            }
        }
        same(&totals["storage"], Some(storage(&objects)), &format!("{name}: storage"));
    }
    assert!(compared > 10, "{compared}");
}

/// What is not rendered is named, and nothing else.
#[test]
fn what_you_provide_is_what_pods_refer_to_and_is_not_rendered() {
    let cluster = pgrender::postgres_cluster::explain::examples::CLUSTERS[1].to_string();
    let report = json(&[], cluster);
    let provided = &report["clusters"][0]["youProvide"];
    let names: BTreeSet<&str> = all(provided, "name");
    let expected = [
        "archive",
        "collector-certificates",
        "hippo-checks",
        "hippo-exporter-tls",
        "hippo-init",
        "hippo-logs",
        "hippo-metrics",
        "hippo-object-storage",
        "hippo-queries",
        "pgbackrest-logs",
        "pgbouncer-files",
        "postgres-files",
        "registry",
    ];
    assert_eq!(names, BTreeSet::from(expected));
    let optional = provided.as_array().unwrap().iter().filter(|it| it["optional"] == true);
    assert!(
        optional.map(|it| text(&it["name"])).eq([
            "hippo-checks",
            "hippo-init",
            "hippo-metrics",
            "hippo-queries",
            "collector-certificates",
            "hippo-exporter-tls"
        ]),
        "{provided}"
    );
}

#[test]
fn one_instance_has_no_replicas() {
    let page = |replicas: u16| quickstart().replace("replicas: 2", &format!("replicas: {replicas}"));
    for (replicas, words) in [(1, "no pod: there is only one instance"), (2, "all replicas that are ready")] {
        let described = json(&[], page(replicas));
        let services = described["clusters"][0]["services"].as_array().unwrap();
        let service = services.iter().find(|service| service["name"] == "hippo-replicas").unwrap();
        assert_eq!(service["leadsTo"].as_str(), Some(words));
        let chart = super::described(&["--format", "mermaid"], page(replicas)).ok();
        assert_eq!(chart.contains("c0replicas -->"), replicas == 2, "{chart}");
        assert_eq!(chart.contains("hippo-replicas:5432, no pod"), replicas == 1, "{chart}");
    }
}

#[test]
fn the_password_of_an_endpoint_is_left_out() {
    let repo = "{name: repo1, s3: {bucket: b, region: r, endpoint: 'https://user:hunt@er2@e.example.com:9000'}}";
    let text = format!("{HIPPO}  backups: {{pgbackrest: {{repos: [{repo}]}}}}\n");
    for format in ["text", "json", "mermaid"] {
        let printed = super::described(&["--namespace", "zoo", "--format", format], text.clone()).ok();
        assert!(!printed.contains("hunt") && !printed.contains("er2"), "{printed}");
        assert!(format == "mermaid" || printed.contains("https://e.example.com:9000"), "{printed}");
    }
}
