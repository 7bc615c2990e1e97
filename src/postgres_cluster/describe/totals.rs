//! What all pods that run all the time request together.

use std::collections::BTreeMap;

use super::model::{Amount, Resources, Totals, Workload};
use super::quantity::Sum;
use super::view::{Pods, View};
use crate::kubernetes::{Container, Quantity};

/// The sums of all pods and claims.
pub(super) fn of(view: &View, workloads: &[Workload]) -> Totals {
    let pods: Vec<Pods> = view.pods().collect();
    let count = |pods: &Pods| i64::from(pods.replicas);
    let resources = |of: Of| Resources {
        cpu: amount(&pods, "cpu", of, Sum::cores),
        memory: amount(&pods, "memory", of, Sum::bytes),
    };
    let containers = pods.iter().map(|pods| count(pods) * len(&pods.spec.containers)).sum();
    Totals {
        pods: pods.iter().map(count).sum(),
        containers,
        requests: resources(requests),
        limits: resources(limits),
        storage: storage(workloads).map(Sum::bytes),
    }
}

type Of = fn(&Container) -> Option<&BTreeMap<String, Quantity>>;

fn requests(container: &Container) -> Option<&BTreeMap<String, Quantity>> {
    container.resources.as_ref()?.requests.as_ref()
}

fn limits(container: &Container) -> Option<&BTreeMap<String, Quantity>> {
    container.resources.as_ref()?.limits.as_ref()
}

fn len(containers: &[Container]) -> i64 {
    i64::try_from(containers.len()).unwrap_or(i64::MAX)
}

/// The sum of a resource. For a pod, Kubernetes counts what its containers need together, or what one of the init containers
/// needs, if that is more (Kubernetes, "Init Containers", "Resource sharing within containers").
fn amount(pods: &[Pods], resource: &str, of: Of, text: fn(Sum) -> String) -> Amount {
    // A container with only a limit requests the limit.
    let value = |container: &Container| {
        let own = of(container).and_then(|quantities| quantities.get(resource));
        let own = own.or_else(|| limits(container).and_then(|quantities| quantities.get(resource)));
        own.and_then(|quantity| Sum::of(&quantity.0))
    };
    let (mut sum, mut without) = (None, 0);
    for pods in pods.iter().filter(|pods| pods.replicas > 0) {
        let replicas = i64::from(pods.replicas);
        let values: Vec<Option<Sum>> = pods.spec.containers.iter().map(value).collect();
        let together = values.iter().flatten().copied().reduce(Sum::plus);
        let before = pods.spec.init_containers.iter().flatten().filter_map(value).max();
        let pod = together.max(before).map(|pod| pod.times(replicas));
        sum = [sum, pod].into_iter().flatten().reduce(Sum::plus);
        without += replicas * i64::try_from(values.iter().filter(|value| value.is_none()).count()).unwrap_or_default();
    }
    Amount { sum: sum.map(text), containers_without: without }
}

/// The sum of all claims. A scratch volume exists once for each pod.
fn storage(workloads: &[Workload]) -> Option<Sum> {
    let sizes = workloads.iter().flat_map(|workload| {
        workload.volumes.iter().filter_map(|volume| {
            let size = Sum::of(volume.size.as_ref()?)?;
            let count = if volume.claim.is_some() { 1 } else { i64::from(workload.replicas) };
            Some(size.times(count))
        })
    });
    sizes.reduce(Sum::plus)
}
