//! Checks a rendering for consistency: every name that one object uses must exist in another.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::references::texts;

/// Returns the names that objects use but that do not exist, one line each. `brought` are the Secrets, ConfigMaps and claims
/// that the user provides.
pub(crate) fn dangling(objects: &[Value], brought: &BTreeSet<String>) -> Vec<String> {
    let mut check = Check { objects, brought, found: Vec::new() };
    let mut seen = BTreeSet::new();
    for object in objects {
        if !seen.insert((text(&object["kind"]), text(&object["metadata"]["name"]))) {
            check.report(object, "is there twice");
        }
        if object["metadata"]["namespace"] != objects[0]["metadata"]["namespace"] {
            check.report(object, "is in another namespace");
        }
        check.object(object);
    }
    check.found.extend(texts::dangling(objects));
    check.found
}

struct Check<'a> {
    objects: &'a [Value],
    brought: &'a BTreeSet<String>,
    found: Vec<String>,
}

impl<'a> Check<'a> {
    fn get(&self, kind: &str, name: &str) -> Option<&'a Value> {
        self.objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
    }

    fn report(&mut self, object: &Value, what: &str) {
        self.found.push(format!("{} {}: {what}", text(&object["kind"]), text(&object["metadata"]["name"])));
    }

    /// The Certificate from which cert-manager creates the Secret `name`.
    fn certificate(&self, name: &str) -> Option<&'a Value> {
        self.objects.iter().find(|object| object["kind"] == "Certificate" && object["spec"]["secretName"] == name)
    }

    /// Reports an object that is neither rendered nor provided by the user.
    fn expect(&mut self, user: &Value, kind: &str, name: &str) {
        let made = kind == "Secret" && self.certificate(name).is_some();
        if self.get(kind, name).is_none() && !made && !self.brought.contains(name) {
            self.report(user, &format!("no {kind} {name}"));
        }
    }

    fn object(&mut self, object: &Value) {
        match text(&object["kind"]) {
            "StatefulSet" => {
                self.expect(object, "Service", text(&object["spec"]["serviceName"]));
                self.claim_templates(object);
                self.workload(object);
            }
            "Deployment" => self.workload(object),
            "CronJob" => self.pod(object, &object["spec"]["jobTemplate"]["spec"]["template"]),
            "Service" => self.service(object),
            "PodDisruptionBudget" => self.disruption_budget(object),
            "Issuer" => self.issuer(object),
            "Certificate" => self.issued(object),
            "RoleBinding" => self.role_binding(object),
            "Role" => self.role(object),
            "ConfigMap" if text(&object["metadata"]["name"]).ends_with("-fingerprints") => self.fingerprints(object),
            _ => {}
        }
    }

    fn workload(&mut self, object: &Value) {
        let template = &object["spec"]["template"];
        if !selects(&object["spec"]["selector"], &template["metadata"]["labels"]) {
            self.report(object, "its selector does not select its own pods");
        }
        self.pod(object, template);
    }

    /// Each claim that the StatefulSet would create must exist as an object.
    fn claim_templates(&mut self, object: &Value) {
        let name = text(&object["metadata"]["name"]);
        for template in items(&object["spec"]["volumeClaimTemplates"]) {
            for ordinal in 0..object["spec"]["replicas"].as_u64().unwrap_or(1) {
                let claim = format!("{}-{name}-{ordinal}", text(&template["metadata"]["name"]));
                self.expect(object, "PersistentVolumeClaim", &claim);
            }
        }
    }

    fn pod(&mut self, object: &Value, template: &Value) {
        let pod = &template["spec"];
        if let Some(account) = pod["serviceAccountName"].as_str() {
            self.expect(object, "ServiceAccount", account);
        }
        for secret in items(&pod["imagePullSecrets"]) {
            self.expect(object, "Secret", text(&secret["name"]));
        }
        let names: BTreeSet<&str> = containers(pod).map(|container| text(&container["name"])).collect();
        if names.len() != containers(pod).count() {
            self.report(object, "two containers of one name");
        }
        self.volumes(object, pod, &names);
        for container in containers(pod) {
            self.environment(object, container);
        }
        let default = template["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"].as_str();
        if default.is_some_and(|default| !names.contains(default)) {
            self.report(object, &format!("no default container {default:?}"));
        }
        for constraint in items(&pod["topologySpreadConstraints"]) {
            let selector = &constraint["labelSelector"];
            if selector.is_object() && !selects(selector, &template["metadata"]["labels"]) {
                self.report(object, "spreads other pods than its own");
            }
        }
        let near = &pod["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
        for term in items(near) {
            if self.pods_of(&term["labelSelector"]).is_empty() {
                self.report(object, "must be near a pod that is not there");
            }
        }
    }

    /// Volumes have unique names, have a valid source, and are mounted; mounts have a volume.
    fn volumes(&mut self, object: &Value, pod: &Value, names: &BTreeSet<&str>) {
        let templates = items(&object["spec"]["volumeClaimTemplates"]);
        let mut volumes: BTreeSet<&str> = templates.iter().map(|claim| text(&claim["metadata"]["name"])).collect();
        for volume in items(&pod["volumes"]) {
            let name = text(&volume["name"]);
            if !volumes.insert(name) {
                self.report(object, &format!("two volumes {name}"));
            }
            self.volume(object, volume, names);
        }
        let mut used = BTreeSet::new();
        for container in containers(pod) {
            let mut paths = BTreeSet::new();
            for mount in items(&container["volumeMounts"]) {
                let volume = text(&mount["name"]);
                used.insert(volume);
                if !volumes.contains(volume) {
                    self.report(object, &format!("container {} mounts no volume {volume}", container["name"]));
                }
                if !paths.insert(text(&mount["mountPath"])) {
                    self.report(
                        object,
                        &format!("container {} mounts twice at {}", container["name"], mount["mountPath"]),
                    );
                }
            }
        }
        // The user may have a volume that no container mounts.
        for volume in volumes.difference(&used).filter(|volume| !volume.starts_with("volumes-")) {
            self.report(object, &format!("volume {volume} is mounted nowhere"));
        }
    }

    fn volume(&mut self, object: &Value, volume: &Value, containers: &BTreeSet<&str>) {
        if let Some(claim) = volume["persistentVolumeClaim"]["claimName"].as_str() {
            self.expect(object, "PersistentVolumeClaim", claim);
        }
        for item in items(&volume["downwardAPI"]["items"]) {
            let name = &item["resourceFieldRef"]["containerName"];
            if name.as_str().is_some_and(|name| !containers.contains(name)) {
                self.report(object, &format!("no container {name}"));
            }
        }
        let mut paths = BTreeSet::new();
        for source in items(&volume["projected"]["sources"]) {
            for (field, kind) in [("secret", "Secret"), ("configMap", "ConfigMap")] {
                self.projection(object, &source[field], kind);
                for item in items(&source[field]["items"]) {
                    // The user may replace the empty pgbouncer.ini: the later source takes precedence.
                    if !paths.insert(text(&item["path"])) && item["path"] != "pgbouncer.ini" {
                        self.report(object, &format!("two files at {}", item["path"]));
                    }
                }
            }
        }
    }

    fn projection(&mut self, object: &Value, projection: &Value, kind: &str) {
        let Some(name) = projection["name"].as_str() else { return };
        // Kubernetes creates `kube-root-ca.crt` in every namespace.
        if name == "kube-root-ca.crt" {
            if items(&projection["items"]).iter().any(|item| item["key"] != "ca.crt") {
                self.report(object, &format!("no such key in ConfigMap {name}"));
            }
            return;
        }
        if projection["optional"] == true && self.get(kind, name).is_none() {
            return;
        }
        self.expect(object, kind, name);
        for item in items(&projection["items"]) {
            self.key(object, kind, name, text(&item["key"]));
        }
    }

    /// Reports a key that a rendered object does not have.
    fn key(&mut self, user: &Value, kind: &str, name: &str, key: &str) {
        let missing = self.get(kind, name).is_some_and(|source| source["data"].get(key).is_none());
        // The keys that cert-manager writes (its `SecretsManager`).
        let unmade = kind == "Secret"
            && self.certificate(name).is_some_and(|certificate| match key {
                "tls.crt" | "tls.key" | "ca.crt" => false,
                "tls-combined.pem" => certificate["spec"]["additionalOutputFormats"][0]["type"] != "CombinedPEM",
                _ => true,
            });
        if missing || unmade {
            self.report(user, &format!("no key {key} in {kind} {name}"));
        }
    }

    fn environment(&mut self, object: &Value, container: &Value) {
        let mut variables = BTreeSet::new();
        for variable in items(&container["env"]) {
            if !variables.insert(text(&variable["name"])) {
                self.report(object, &format!("container {} has two variables {}", container["name"], variable["name"]));
            }
            for (field, kind) in [("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")] {
                let source = &variable["valueFrom"][field];
                if let Some(name) = source["name"].as_str() {
                    self.expect(object, kind, name);
                    self.key(object, kind, name, text(&source["key"]));
                }
            }
        }
    }

    /// A Service selects pods, or it intentionally selects none: then Endpoints are written, with the same ports. Its named
    /// ports are ports of those pods and of no other pod, so that a label alone does not make another pod a server of it.
    fn service(&mut self, object: &Value) {
        let mut selector = object["spec"]["selector"].clone();
        // Patroni adds the label of the role at run time.
        let role = "postgres-operator.crunchydata.com/role";
        if selector[role] == "replica" {
            selector.as_object_mut().unwrap().remove(role);
        }
        let pods = if selector.is_null() { self.pods() } else { self.selected(&selector) };
        if pods.is_empty() {
            self.report(object, "selects no pod");
        }
        for port in items(&object["spec"]["ports"]) {
            let leads = |pod: &&Value| {
                let mut ports = items(&pod["spec"]["containers"]).iter().flat_map(|one| items(&one["ports"]));
                ports.any(|there| {
                    let led_to = if selector.is_null() { &port["name"] } else { &there["name"] };
                    port["targetPort"] == *led_to && there["containerPort"] == port["port"]
                })
            };
            if !pods.iter().any(leads) {
                self.report(object, &format!("no container port {}", port["targetPort"]));
            }
            let all = self.pods();
            let mut others = all.iter().filter(|pod| !selector.is_null() && !pods.contains(pod));
            if others.any(leads) {
                self.report(object, &format!("container port {} is one of other pods too", port["targetPort"]));
            }
        }
    }

    fn disruption_budget(&mut self, object: &Value) {
        if self.pods_of(&object["spec"]["selector"]).is_empty() {
            self.report(object, "selects no pod");
        }
    }

    /// An issuer uses the key of a CA that cert-manager creates, or is self-signed.
    fn issuer(&mut self, object: &Value) {
        let authority = object["spec"]["ca"]["secretName"].as_str();
        let certificate = authority.and_then(|name| self.certificate(name));
        if authority.is_some() && !certificate.is_some_and(|certificate| certificate["spec"]["isCA"] == true) {
            self.report(object, &format!("no CA {authority:?}"));
        }
    }

    /// A certificate has an issuer, and a Secret that nothing else creates.
    fn issued(&mut self, object: &Value) {
        self.expect(object, "Issuer", text(&object["spec"]["issuerRef"]["name"]));
        if self.get("Secret", text(&object["spec"]["secretName"])).is_some() {
            self.report(object, "its Secret is there already");
        }
    }

    fn role_binding(&mut self, object: &Value) {
        self.expect(object, "Role", text(&object["roleRef"]["name"]));
        for subject in items(&object["subjects"]) {
            self.expect(object, "ServiceAccount", text(&subject["name"]));
            if subject["namespace"] != object["metadata"]["namespace"] {
                self.report(object, &format!("ServiceAccount {} is in another namespace", subject["name"]));
            }
        }
    }

    /// A permission for an object by name needs that object.
    fn role(&mut self, object: &Value) {
        for rule in items(&object["rules"]) {
            for name in items(&rule["resourceNames"]).iter().map(text) {
                match text(&rule["resources"][0]) {
                    "configmaps" => self.expect(object, "ConfigMap", name),
                    // Endpoints have the name of their Service. Patroni itself creates two more.
                    "endpoints" if name.ends_with("-failover") || name.ends_with("-sync") => {}
                    "endpoints" | "services" => self.expect(object, "Service", name),
                    "pods" => {
                        let stateful_set = name.rsplit_once('-').map_or("", |(stateful_set, _)| stateful_set);
                        self.expect(object, "StatefulSet", stateful_set);
                    }
                    other => self.report(object, &format!("a right to {other}")),
                }
            }
        }
    }

    /// There is one fingerprint for each Secret and each other ConfigMap, under `<kind>.<name>`.
    fn fingerprints(&mut self, object: &Value) {
        let mounted =
            self.objects.iter().filter(|other| ["Secret", "ConfigMap"].iter().any(|kind| other["kind"] == *kind));
        let expected: BTreeSet<String> = mounted
            .filter(|other| other["metadata"]["name"] != object["metadata"]["name"])
            .map(|other| format!("{}.{}", text(&other["kind"]).to_lowercase(), text(&other["metadata"]["name"])))
            .collect();
        // The entry for a shutdown is not about an object.
        let actual = object["data"].as_object().unwrap().keys().filter(|key| *key != "shutdown").cloned().collect();
        for name in expected.symmetric_difference(&actual) {
            self.report(object, &format!("{name} has no object or no fingerprint"));
        }
    }

    fn pods(&self) -> Vec<&'a Value> {
        let workloads =
            self.objects.iter().filter(|object| object["kind"] == "StatefulSet" || object["kind"] == "Deployment");
        workloads.map(|object| &object["spec"]["template"]).collect()
    }

    /// Returns the pod templates with these labels.
    fn selected(&self, labels: &Value) -> Vec<&'a Value> {
        self.pods().into_iter().filter(|pod| has_labels(labels, &pod["metadata"]["labels"])).collect()
    }

    /// Returns the pod templates that a selector selects.
    fn pods_of(&self, selector: &Value) -> Vec<&'a Value> {
        self.pods().into_iter().filter(|pod| selects(selector, &pod["metadata"]["labels"])).collect()
    }
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    items(&pod["initContainers"]).iter().chain(items(&pod["containers"]))
}

/// Whether a `LabelSelector` selects an object with these labels. Of its expressions, pgrender writes only `In`.
fn selects(selector: &Value, labels: &Value) -> bool {
    (selector["matchLabels"].is_null() || has_labels(&selector["matchLabels"], labels))
        && items(&selector["matchExpressions"]).iter().all(|expression| {
            assert_eq!(expression["operator"], "In");
            items(&expression["values"]).contains(&labels[text(&expression["key"])])
        })
}

fn has_labels(wanted: &Value, labels: &Value) -> bool {
    wanted.as_object().is_some_and(|wanted| wanted.iter().all(|(key, value)| labels.get(key) == Some(value)))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
