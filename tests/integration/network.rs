//! Tests what pods can do to each other: which ports they reach through Services (by the names of container ports) and through
//! NetworkPolicies (by labels), and what instances can change. The test applies the rules of Kubernetes to the objects. Whether
//! kube-proxy and the API server do the same is tested in `labels.py` and `endpoints.py` of `tests/e2e/scenarios`.

use std::collections::{BTreeMap, BTreeSet};

use pgrender::options::Options;
use serde_json::Value;

use crate::common::fixtures::fixtures;
use crate::common::rendering::{SEED, objects, objects_from, options};

const PREFIX: &str = "postgres-operator.crunchydata.com/";
const PGBACKREST: i64 = 8432;

/// Returns the fixture that has every kind of pod, as the cluster `name` of a namespace.
fn cluster(name: &str, namespace: &str) -> String {
    let (_, text) = fixtures().into_iter().find(|(fixture, _)| fixture == "network-policies").unwrap();
    let named = text.replace("name: hippo\n", &format!("name: {name}\n"));
    let placed = named.replace("namespace: postgres-operator\n", &format!("namespace: {namespace}\n"));
    // Two clusters must not archive into one bucket.
    let placed = placed.replace("bucket: my-bucket", &format!("bucket: {namespace}-{name}"));
    assert!(placed.contains(&format!("name: {name}\n  namespace: {namespace}\n")));
    placed
}

fn rendered(texts: &[String]) -> Vec<Value> {
    let options = Options { network_policies: true, ..options() };
    objects_from(&texts.join("\n---\n"), SEED, &options).unwrap()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn of_kind<'a>(objects: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| object["kind"] == kind)
}

/// A pod of each kind.
#[derive(Clone, Debug)]
struct Pod {
    namespace: String,
    cluster: String,
    component: &'static str,
    labels: Value,
    spec: Value,
}

fn pods(objects: &[Value]) -> Vec<Pod> {
    let template = |object: &Value| match object["kind"].as_str().unwrap() {
        "StatefulSet" | "Deployment" => Some(object["spec"]["template"].clone()),
        "CronJob" => Some(object["spec"]["jobTemplate"]["spec"]["template"].clone()),
        _ => None,
    };
    let component = |labels: &Value| {
        let has = |key: &str| labels.get(format!("{PREFIX}{key}")).is_some();
        match () {
            () if has("instance-set") => "instance",
            () if has("pgbackrest-dedicated") => "repo host",
            () if has("pgbackrest-cronjob") => "backup",
            () if labels.get("pgrender.dev/restore-drill").is_some() => "restore drill",
            () => "pgbouncer",
        }
    };
    let pod = |object: &Value| {
        let template = template(object)?;
        let labels = template["metadata"]["labels"].clone();
        Some(Pod {
            namespace: object["metadata"]["namespace"].as_str().unwrap().to_owned(),
            cluster: labels[format!("{PREFIX}cluster")].as_str().unwrap().to_owned(),
            component: component(&labels),
            labels,
            spec: template["spec"].clone(),
        })
    };
    objects.iter().filter_map(pod).collect()
}

/// A pod of an application in a namespace.
fn application(namespace: &str) -> Pod {
    Pod {
        namespace: namespace.to_owned(),
        cluster: "none".to_owned(),
        component: "application",
        labels: serde_json::json!({"app": "shop"}),
        spec: Value::Null,
    }
}

fn has_labels(wanted: &Value, labels: &Value) -> bool {
    wanted.as_object().unwrap().iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// Whether a label selector selects a pod. pgrender writes selectors without expressions.
fn selects(selector: &Value, pod: &Pod) -> bool {
    assert_eq!(selector.as_object().unwrap().keys().collect::<Vec<_>>(), ["matchLabels"]);
    has_labels(&selector["matchLabels"], &pod.labels)
}

fn container_ports(pod: &Pod) -> impl Iterator<Item = &Value> {
    items(&pod.spec["containers"]).iter().flat_map(|container| items(&container["ports"]))
}

#[test]
fn a_service_leads_to_a_port_that_no_other_pod_has() {
    let others = [("alpha", "a"), ("beta", "a"), ("alpha", "b"), ("alpha-a", "a")];
    let mut texts: Vec<String> = others.map(|(name, namespace)| cluster(name, namespace)).to_vec();
    texts.extend(fixtures().into_iter().filter(|(name, _)| name == "two-instance-sets").map(|(_, text)| text));
    let objects = rendered(&texts);
    let pods = pods(&objects);
    let mut names = BTreeMap::new();
    for service in of_kind(&objects, "Service").filter(|service| !service["spec"]["selector"].is_null()) {
        let namespace = service["metadata"]["namespace"].as_str().unwrap();
        let selector = &service["spec"]["selector"];
        let role = &selector[format!("{PREFIX}role")];
        for port in items(&service["spec"]["ports"]) {
            let name = port["targetPort"].as_str().unwrap();
            assert!(is_port_name(name), "{name}");
            let has = |pod: &&Pod| container_ports(pod).any(|port| port["name"] == name);
            let servers: BTreeSet<_> =
                pods.iter().filter(has).map(|pod| (&pod.namespace, &pod.cluster, pod.component)).collect();
            let cluster = selector[format!("{PREFIX}cluster")].as_str().unwrap().to_owned();
            let component = if role == "replica" { "instance" } else { "pgbouncer" };
            assert_eq!(servers, BTreeSet::from([(&namespace.to_owned(), &cluster, component)]), "{name}");
            assert_eq!(names.insert(name.to_owned(), servers.len()), None, "{name} is led to twice");
        }
    }
    assert_eq!(names.len(), 9, "{names:?}");
}

#[test]
fn an_instance_may_change_only_what_is_of_its_cluster() {
    let objects = rendered(&["alpha", "beta", "alpha-a"].map(|name| cluster(name, "a")));
    let mut owners = BTreeMap::new();
    for role in of_kind(&objects, "Role") {
        let owner = &role["metadata"]["name"];
        for rule in items(&role["rules"]) {
            let changes = items(&rule["verbs"]).iter().any(|verb| verb != "list" && verb != "watch");
            let names = items(&rule["resourceNames"]);
            assert!(!changes || !names.is_empty(), "{rule}");
            for name in names {
                let resource = format!("{} {name}", rule["resources"]);
                assert_eq!(owners.entry(resource).or_insert(owner), &owner, "{name}");
            }
        }
    }
    assert!(owners.len() >= 3 * 10, "{owners:?}");
}

/// Whether a name is a valid port name (RFC 6335, section 5.1), in lower case.
fn is_port_name(name: &str) -> bool {
    name.len() <= 15
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && name.bytes().any(|byte| byte.is_ascii_lowercase())
        && !name.contains("--")
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Returns every port on which a process in the pod listens, with its protocol: the ports that containers declare, and those of
/// Patroni and pgBackRest, which no container declares.
fn listening(pod: &Pod) -> BTreeSet<(i64, String)> {
    let declared = container_ports(pod)
        .map(|port| (port["containerPort"].as_i64().unwrap(), port["protocol"].as_str().unwrap_or("TCP").to_owned()));
    let containers = items(&pod.spec["containers"]).iter();
    let undeclared = containers.flat_map(|container| {
        let server = (container["command"] == serde_json::json!(["pgbackrest", "server"])).then_some(PGBACKREST);
        [container["readinessProbe"]["httpGet"]["port"].as_i64(), server]
    });
    declared.chain(undeclared.flatten().map(|port| (port, "TCP".to_owned()))).collect()
}

/// Returns the rules of the policies for `pod` that include a port.
fn rules<'a>(objects: &'a [Value], pod: &Pod, port: &(i64, String)) -> Vec<&'a Value> {
    let policies = of_kind(objects, "NetworkPolicy").filter(|policy| {
        policy["metadata"]["namespace"] == *pod.namespace && selects(&policy["spec"]["podSelector"], pod)
    });
    let rules = policies.flat_map(|policy| items(&policy["spec"]["ingress"]));
    let about =
        |rule: &&Value| items(&rule["ports"]).iter().any(|one| one["port"] == port.0 && one["protocol"] == *port.1);
    rules.filter(about).collect()
}

/// Whether a rule allows a pod. Peers are pods of the same namespace.
fn lets_in(rule: &Value, to: &Pod, from: &Pod) -> bool {
    let peer = |peer: &Value| {
        assert_eq!(peer.as_object().unwrap().keys().collect::<Vec<_>>(), ["podSelector"]);
        from.namespace == to.namespace && selects(&peer["podSelector"], from)
    };
    rule["from"].is_null() || items(&rule["from"]).iter().any(peer)
}

#[test]
fn every_port_is_open_to_those_who_need_it() {
    let objects = rendered(&[cluster("alpha", "a"), cluster("beta", "a"), cluster("alpha", "b")]);
    let servers = pods(&objects);
    let clients: Vec<Pod> = servers.iter().cloned().chain(["a", "b"].map(application)).collect();
    let mut pairs = 0;
    for to in &servers {
        for port in listening(to) {
            let rules = rules(&objects, to, &port);
            assert_eq!(rules.len(), 1, "rules for {port:?} of {} {}", to.cluster, to.component);
            for from in &clients {
                let same = from.cluster == to.cluster && from.namespace == to.namespace;
                let needed = match (to.component, port.0) {
                    ("instance", PGBACKREST) => same && ["repo host", "backup"].contains(&from.component),
                    ("instance", 8009) => same && from.component == "instance",
                    ("repo host", PGBACKREST) => same && ["instance", "restore drill"].contains(&from.component),
                    ("instance", 5433 | 9187 | 5060) | ("pgbouncer", 6432 | 9127) => true,
                    other => panic!("what is {other:?}?"),
                };
                assert_eq!(lets_in(rules[0], to, from), needed, "{from:?} to {port:?} of {to:?}");
                pairs += 1;
            }
        }
        // Every pod has a policy, so all other ports are closed. Most policies are for ingress only, so most pods can connect to
        // anything.
        assert!(rules(&objects, to, &(22, "TCP".to_owned())).is_empty());
    }
    let policies = |pod: &Pod| {
        let all = of_kind(&objects, "NetworkPolicy").filter(|policy| policy["metadata"]["namespace"] == *pod.namespace);
        let policies: Vec<_> = all.filter(|policy| selects(&policy["spec"]["podSelector"], pod)).collect();
        let both = serde_json::json!(["Ingress", "Egress"]);
        let types = if pod.component == "restore drill" { both } else { serde_json::json!(["Ingress"]) };
        assert!(policies.iter().all(|policy| policy["spec"]["policyTypes"] == types), "{pod:?}");
        policies.iter().map(|policy| policy["metadata"]["labels"]["pgrender.dev/cluster"].clone()).collect::<Vec<_>>()
    };
    for pod in &servers {
        assert_eq!(policies(pod), [Value::from(pod.cluster.clone())], "{pod:?}");
    }
    assert_eq!(policies(&application("a")), [Value::Null; 0]);
    assert!(pairs > 100, "{pairs}");
}

#[test]
fn a_restore_drill_reaches_only_its_repo_host_and_dns() {
    let objects = rendered(&[cluster("alpha", "a"), cluster("beta", "a"), cluster("alpha", "b")]);
    let pods = pods(&objects);
    let drills: Vec<_> = pods.iter().filter(|pod| pod.component == "restore drill").collect();
    assert_eq!(drills.len(), 3);
    for drill in drills {
        let policy = of_kind(&objects, "NetworkPolicy").find(|policy| {
            policy["metadata"]["namespace"] == *drill.namespace && selects(&policy["spec"]["podSelector"], drill)
        });
        let (to_servers, to_all): (Vec<&Value>, Vec<&Value>) =
            items(&policy.unwrap()["spec"]["egress"]).iter().partition(|rule| rule.get("to").is_some());
        let ports = |rules: &[&Value]| -> BTreeSet<i64> {
            rules.iter().flat_map(|rule| items(&rule["ports"])).map(|port| port["port"].as_i64().unwrap()).collect()
        };
        assert_eq!(ports(&to_all), BTreeSet::from([53, 5353]));
        assert_eq!(ports(&to_servers), BTreeSet::from([PGBACKREST]));
        let reached = pods.iter().filter(|pod| {
            let peers = to_servers.iter().flat_map(|rule| items(&rule["to"]));
            pod.namespace == drill.namespace && peers.into_iter().any(|peer| selects(&peer["podSelector"], pod))
        });
        let reached: Vec<_> = reached.map(|pod| (pod.cluster.as_str(), pod.component)).collect();
        assert_eq!(reached, [(drill.cluster.as_str(), "repo host")]);
    }
}

#[test]
fn policies_are_rendered_on_request_only() {
    for (name, text) in fixtures() {
        let without = objects(&text).unwrap();
        assert_eq!(of_kind(&without, "NetworkPolicy").count(), 0, "{name}");
        let with = rendered(&[text]);
        let others: Vec<_> = with.iter().filter(|object| object["kind"] != "NetworkPolicy").collect();
        assert_eq!(others, without.iter().collect::<Vec<_>>(), "{name}");
        let pods = pods(&with);
        assert!(of_kind(&with, "NetworkPolicy").count() > 0);
        for policy in of_kind(&with, "NetworkPolicy") {
            let selected = pods.iter().filter(|pod| selects(&policy["spec"]["podSelector"], pod)).count();
            assert!(selected > 0, "{name}: {} selects no pod", policy["metadata"]["name"]);
        }
    }
}
