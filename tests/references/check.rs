//! Holds a rendering against itself: every name that one object uses of another must be there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The names that objects use and do not find, one line each.
pub fn dangling(objects: &[Value], external: &External) -> Vec<String> {
    let mut check = Check { objects, external, found: Vec::new() };
    for object in objects {
        check.object(object);
    }
    check.found
}

/// What the user brings: names of Secrets, ConfigMaps and claims that the spec refers to.
#[derive(Default)]
pub struct External {
    pub names: BTreeSet<String>,
}

struct Check<'a> {
    objects: &'a [Value],
    external: &'a External,
    found: Vec<String>,
}

impl<'a> Check<'a> {
    fn get(&self, kind: &str, name: &str) -> Option<&'a Value> {
        self.objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
    }

    fn report(&mut self, object: &Value, what: String) {
        self.found.push(format!("{} {}: {what}", text(&object["kind"]), text(&object["metadata"]["name"])));
    }

    fn object(&mut self, object: &Value) {
        match text(&object["kind"]) {
            "StatefulSet" => {
                let service = text(&object["spec"]["serviceName"]);
                if self.get("Service", service).is_none() {
                    self.report(object, format!("no Service {service}"));
                }
                self.selector(object, &object["spec"]["selector"]["matchLabels"], &object["spec"]["template"]);
                self.claim_templates(object);
                self.pod(object, &object["spec"]["template"]["spec"]);
            }
            "Deployment" => {
                self.selector(object, &object["spec"]["selector"]["matchLabels"], &object["spec"]["template"]);
                self.pod(object, &object["spec"]["template"]["spec"]);
            }
            "CronJob" => self.pod(object, &object["spec"]["jobTemplate"]["spec"]["template"]["spec"]),
            "Service" => self.service(object),
            "PodDisruptionBudget" => {
                if self.pods_of(&object["spec"]["selector"]["matchLabels"]).is_empty() {
                    self.report(object, "selects no pod".to_owned());
                }
            }
            "RoleBinding" => {
                let role = text(&object["roleRef"]["name"]);
                if self.get("Role", role).is_none() {
                    self.report(object, format!("no Role {role}"));
                }
                for subject in items(&object["subjects"]) {
                    let account = text(&subject["name"]);
                    if self.get("ServiceAccount", account).is_none() || subject["namespace"] != object["metadata"]["namespace"] {
                        self.report(object, format!("no ServiceAccount {account}"));
                    }
                }
            }
            "Role" => self.role(object),
            _ => {}
        }
    }

    fn selector(&mut self, object: &Value, selector: &Value, template: &Value) {
        if !selects(selector, &template["metadata"]["labels"]) {
            self.report(object, "its selector does not select its own pods".to_owned());
        }
    }

    /// Each claim that the StatefulSet would make must be there as an object.
    fn claim_templates(&mut self, object: &Value) {
        let name = text(&object["metadata"]["name"]);
        for template in items(&object["spec"]["volumeClaimTemplates"]) {
            for ordinal in 0..object["spec"]["replicas"].as_u64().unwrap_or(1) {
                let claim = format!("{}-{name}-{ordinal}", text(&template["metadata"]["name"]));
                if self.get("PersistentVolumeClaim", &claim).is_none() {
                    self.report(object, format!("no PersistentVolumeClaim {claim}"));
                }
            }
        }
    }

    fn pod(&mut self, object: &Value, pod: &Value) {
        if let Some(account) = pod["serviceAccountName"].as_str()
            && self.get("ServiceAccount", account).is_none()
        {
            self.report(object, format!("no ServiceAccount {account}"));
        }
        let mut volumes: BTreeSet<&str> =
            items(&object["spec"]["volumeClaimTemplates"]).iter().map(|claim| text(&claim["metadata"]["name"])).collect();
        for volume in items(&pod["volumes"]) {
            let name = text(&volume["name"]);
            if !volumes.insert(name) {
                self.report(object, format!("two volumes {name}"));
            }
            self.volume(object, volume);
        }
        let containers: Vec<&Value> =
            items(&pod["initContainers"]).iter().chain(items(&pod["containers"])).collect();
        let mut used = BTreeSet::new();
        let mut names = BTreeSet::new();
        for container in containers {
            let name = text(&container["name"]);
            if !names.insert(name) {
                self.report(object, format!("two containers {name}"));
            }
            let mut paths = BTreeSet::new();
            for mount in items(&container["volumeMounts"]) {
                let volume = text(&mount["name"]);
                used.insert(volume);
                if !volumes.contains(volume) {
                    self.report(object, format!("container {name} mounts no volume {volume}"));
                }
                if !paths.insert(text(&mount["mountPath"])) {
                    self.report(object, format!("container {name} mounts twice at {}", mount["mountPath"]));
                }
            }
            let mut variables = BTreeSet::new();
            for variable in items(&container["env"]) {
                if !variables.insert(text(&variable["name"])) {
                    self.report(object, format!("container {name} has two variables {}", variable["name"]));
                }
            }
        }
        for volume in volumes.difference(&used) {
            self.report(object, format!("volume {volume} is mounted nowhere"));
        }
        let default = object["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"].as_str();
        if default.is_some_and(|default| !names.contains(default)) {
            self.report(object, format!("no default container {default:?}"));
        }
        if let Some(labels) = pod["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
            .as_array()
            .and_then(|terms| terms.last())
            .map(|term| &term["labelSelector"]["matchLabels"])
            && self.pods_of(labels).is_empty()
        {
            self.report(object, "must be near a pod that is not there".to_owned());
        }
    }

    fn volume(&mut self, object: &Value, volume: &Value) {
        if let Some(claim) = volume["persistentVolumeClaim"]["claimName"].as_str()
            && self.get("PersistentVolumeClaim", claim).is_none()
            && !self.external.names.contains(claim)
        {
            self.report(object, format!("no PersistentVolumeClaim {claim}"));
        }
        let mut paths = BTreeSet::new();
        for source in items(&volume["projected"]["sources"]) {
            for (field, kind) in [("secret", "Secret"), ("configMap", "ConfigMap")] {
                self.projection(object, &source[field], kind);
                for item in items(&source[field]["items"]) {
                    // The user may replace the empty pgbouncer.ini: the later source wins.
                    if !paths.insert(text(&item["path"])) && item["path"] != "pgbouncer.ini" {
                        self.report(object, format!("two files at {}", item["path"]));
                    }
                }
            }
        }
    }

    fn projection(&mut self, object: &Value, projection: &Value, kind: &str) {
        let Some(name) = projection["name"].as_str() else { return };
        // Kubernetes puts `kube-root-ca.crt` into every namespace.
        if self.external.names.contains(name) || name == "kube-root-ca.crt" {
            return;
        }
        let Some(source) = self.get(kind, name) else {
            self.report(object, format!("no {kind} {name}"));
            return;
        };
        for item in items(&projection["items"]) {
            if source["data"].get(text(&item["key"])).is_none() {
                self.report(object, format!("no key {} in {kind} {name}", item["key"]));
            }
        }
    }

    fn service(&mut self, object: &Value) {
        let mut selector = object["spec"]["selector"].clone();
        if selector.is_null() {
            return;
        }
        // Patroni labels its pods with their role at run time.
        let role = "postgres-operator.crunchydata.com/role";
        if selector[role] == "replica" {
            selector.as_object_mut().expect("a selector is a mapping").remove(role);
        }
        let pods = self.pods_of(&selector);
        if pods.is_empty() {
            self.report(object, "selects no pod".to_owned());
        }
        for port in items(&object["spec"]["ports"]) {
            let named = pods.iter().flat_map(|pod| items(&pod["spec"]["containers"])).flat_map(|c| items(&c["ports"]));
            if !named.clone().any(|container_port| container_port["name"] == port["targetPort"]) {
                self.report(object, format!("no container port {}", port["targetPort"]));
            }
        }
    }

    fn role(&mut self, object: &Value) {
        let kinds: BTreeMap<&str, &str> = [("configmaps", "ConfigMap"), ("services", "Service")].into();
        for rule in items(&object["rules"]) {
            let Some(kind) = kinds.get(text(&rule["resources"][0])) else { continue };
            for name in items(&rule["resourceNames"]) {
                if self.get(kind, text(name)).is_none() {
                    self.report(object, format!("a right to {kind} {name}, which is not there"));
                }
            }
        }
    }

    /// The pod templates that a selector selects.
    fn pods_of(&self, selector: &Value) -> Vec<&'a Value> {
        let templates = self.objects.iter().filter_map(|object| match text(&object["kind"]) {
            "StatefulSet" | "Deployment" => Some(&object["spec"]["template"]),
            _ => None,
        });
        templates.filter(|template| selects(selector, &template["metadata"]["labels"])).collect()
    }
}

fn selects(selector: &Value, labels: &Value) -> bool {
    selector.as_object().is_some_and(|selector| selector.iter().all(|(key, value)| labels.get(key) == Some(value)))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
