//! The rendered objects of one cluster, by what they are.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diagnostic::ResourceRef;
use crate::kubernetes::cert_manager::CertificateSpec;
use crate::kubernetes::{ConfigMap, Container, CronJob, Object, PersistentVolumeClaim, PodSpec, Secret, Service};

/// The objects of a cluster.
pub(super) struct View<'a> {
    pub(super) cluster: &'a str,
    pub(super) namespace: &'a str,
    pub(super) objects: &'a [Object],
    /// What the caretaker reads.
    pub(super) settings: Value,
}

/// The pods of one object.
pub(super) struct Pods<'a> {
    pub(super) kind: &'static str,
    pub(super) name: &'a str,
    pub(super) replicas: i32,
    pub(super) labels: Option<&'a BTreeMap<String, String>>,
    pub(super) spec: &'a PodSpec,
}

impl<'a> View<'a> {
    pub(super) fn new(reference: &'a ResourceRef, objects: &'a [Object]) -> Self {
        let (cluster, namespace) = (reference.name.as_str(), reference.namespace.as_str());
        let mut view = Self { cluster, namespace, objects, settings: Value::Null };
        let file = view.file(&format!("{cluster}-caretaker"), "caretaker.json");
        view.settings = file.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        view
    }

    pub(super) fn services(&self) -> impl Iterator<Item = &'a Service> {
        self.objects.iter().filter_map(|object| match object {
            Object::Service(service) => Some(service.as_ref()),
            _ => None,
        })
    }

    pub(super) fn secrets(&self) -> impl Iterator<Item = &'a Secret> {
        self.objects.iter().filter_map(|object| match object {
            Object::Secret(secret) => Some(secret.as_ref()),
            _ => None,
        })
    }

    pub(super) fn claims(&self) -> impl Iterator<Item = &'a PersistentVolumeClaim> {
        self.objects.iter().filter_map(|object| match object {
            Object::PersistentVolumeClaim(claim) => Some(claim.as_ref()),
            _ => None,
        })
    }

    pub(super) fn cron_jobs(&self) -> impl Iterator<Item = &'a CronJob> {
        self.objects.iter().filter_map(|object| match object {
            Object::CronJob(job) => Some(job.as_ref()),
            _ => None,
        })
    }

    /// The Certificates of cert-manager, with their names.
    pub(super) fn cert_manager(&self) -> impl Iterator<Item = (&'a str, &'a CertificateSpec)> {
        self.objects.iter().filter_map(|object| match object {
            Object::Certificate(it) => Some((it.metadata.name.as_deref().unwrap_or_default(), &it.spec)),
            _ => None,
        })
    }

    /// Whether there is an object of a kind with a name.
    pub(super) fn has(&self, kind: &str, name: &str) -> bool {
        self.objects.iter().map(Object::reference).any(|it| it.kind == kind && it.name == name)
    }

    /// A file in a ConfigMap.
    pub(super) fn file(&self, name: &str, key: &str) -> Option<&'a str> {
        let is_it = |config: &&ConfigMap| config.metadata.name.as_deref() == Some(name);
        let mut all = self.objects.iter().filter_map(|object| match object {
            Object::ConfigMap(config) => Some(config.as_ref()),
            _ => None,
        });
        all.find(is_it)?.data.as_ref()?.get(key).map(String::as_str)
    }

    /// The pods that run all the time.
    pub(super) fn pods(&self) -> impl Iterator<Item = Pods<'a>> {
        self.objects.iter().filter_map(|object| match object {
            Object::StatefulSet(it) => {
                let spec = it.spec.as_ref()?;
                pods("StatefulSet", it.metadata.name.as_deref(), spec.replicas, spec.template.spec.as_ref(), object)
            }
            Object::Deployment(it) => {
                let spec = it.spec.as_ref()?;
                pods("Deployment", it.metadata.name.as_deref(), spec.replicas, spec.template.spec.as_ref(), object)
            }
            _ => None,
        })
    }

    /// The pods of Jobs.
    pub(super) fn job_pods(&self) -> impl Iterator<Item = Pods<'a>> {
        self.objects.iter().filter_map(|object| match object {
            Object::CronJob(it) => {
                let job = it.spec.as_ref()?.job_template.spec.as_ref()?;
                pods("CronJob", it.metadata.name.as_deref(), Some(0), job.template.spec.as_ref(), object)
            }
            _ => None,
        })
    }
}

fn pods<'a>(
    kind: &'static str,
    name: Option<&'a str>,
    replicas: Option<i32>,
    spec: Option<&'a PodSpec>,
    object: &'a Object,
) -> Option<Pods<'a>> {
    // The default of Kubernetes is 1.
    let replicas = replicas.unwrap_or(1);
    Some(Pods {
        kind,
        name: name.unwrap_or_default(),
        replicas,
        labels: object.metadata().labels.as_ref(),
        spec: spec?,
    })
}

impl Pods<'_> {
    /// The value of a label of the object.
    pub(super) fn label(&self, key: &str) -> Option<&str> {
        self.labels?.get(key).map(String::as_str)
    }
}

/// The containers of a pod, those that run before the others first.
pub(super) fn all_containers(pod: &PodSpec) -> impl Iterator<Item = &Container> {
    pod.init_containers.iter().flatten().chain(&pod.containers)
}

/// The Secrets, ConfigMaps and claims that a pod refers to: the kind, the name, and whether the pod starts without it.
pub(super) fn references(pod: &PodSpec) -> Vec<(&'static str, String, bool)> {
    let mut found = Vec::new();
    let mut add = |kind, name: Option<&String>, optional: Option<bool>| {
        found.extend(name.map(|name| (kind, name.clone(), optional == Some(true))));
    };
    for volume in pod.volumes.iter().flatten() {
        if let Some(claim) = &volume.persistent_volume_claim {
            add("PersistentVolumeClaim", Some(&claim.claim_name), None);
        }
        for source in volume.projected.iter().filter_map(|it| it.sources.as_ref()).flatten() {
            if let Some(secret) = &source.secret {
                add("Secret", Some(&secret.name), secret.optional);
            }
            if let Some(config) = &source.config_map {
                add("ConfigMap", Some(&config.name), config.optional);
            }
        }
        if let Some(secret) = &volume.secret {
            add("Secret", secret.secret_name.as_ref(), secret.optional);
        }
        if let Some(config) = &volume.config_map {
            add("ConfigMap", Some(&config.name), config.optional);
        }
    }
    for from in all_containers(pod).flat_map(|it| it.env.iter().flatten()).filter_map(|it| it.value_from.as_ref()) {
        if let Some(key) = &from.secret_key_ref {
            add("Secret", Some(&key.name), key.optional);
        }
        if let Some(key) = &from.config_map_key_ref {
            add("ConfigMap", Some(&key.name), key.optional);
        }
    }
    for secret in pod.image_pull_secrets.iter().flatten() {
        add("Secret", Some(&secret.name), None);
    }
    found
}
