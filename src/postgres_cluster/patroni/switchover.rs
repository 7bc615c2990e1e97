//! Resolves `spec.patroni.switchover`, and checks that the target is an instance of the cluster.

use std::collections::BTreeMap;

use crate::diagnostic::FieldPath;
use crate::diagnostic::words;
use crate::naming::annotation;
use crate::postgres_cluster::cluster::{Cluster, Switchover};
use crate::postgres_cluster::resolve::context::Context;
use crate::postgres_cluster::spec::{PatroniSpec, PostgresClusterSpec, SwitchoverType};

/// Returns the request of a switchover, if there is one.
pub(crate) fn resolve(
    patroni: &PatroniSpec,
    annotations: &BTreeMap<String, String>,
    context: &mut Context,
) -> Option<Switchover> {
    let switchover = patroni.switchover.as_ref().filter(|switchover| switchover.enabled)?;
    if switchover.type_ == SwitchoverType::Failover && switchover.target_instance.is_none() {
        let path = FieldPath::of("spec.patroni.switchover.targetInstance");
        context.error(
            path,
            "required field is missing: write the name of the instance that becomes the leader after \
                             the failover",
        );
    }
    Some(Switchover {
        trigger: annotations.get(annotation::TRIGGER_SWITCHOVER)?.clone(),
        target: switchover.target_instance.clone(),
        kind: switchover.type_,
    })
}

/// Reports a target that is not an instance of the cluster, such as one of PGO's instances, whose names end in four random
/// letters. Patroni would refuse the switchover, and the leader would not change.
pub(crate) fn check(spec: &PostgresClusterSpec, cluster: &Cluster, context: &mut Context) {
    let switchover = spec.patroni.as_ref().and_then(|patroni| patroni.switchover.as_ref());
    let Some(target) = switchover.filter(|switchover| switchover.enabled).and_then(|s| s.target_instance.as_deref())
    else {
        return;
    };
    let sets = cluster.instance_sets.iter().filter(|set| set.replicas > 0);
    let is_one = |ordinal: &str| ordinal.parse().ok().map(|number: u16| (number, number.to_string() == ordinal));
    let is_there = sets.clone().any(|set| {
        let ordinal = target.strip_prefix(&cluster.instance_set(set)).and_then(|rest| rest.strip_prefix('-'));
        ordinal.and_then(is_one).is_some_and(|(ordinal, is_plain)| is_plain && ordinal < set.replicas)
    });
    let names = sets.map(|set| match set.replicas {
        1 => format!("`{}`", cluster.instance(set, 0)),
        replicas => format!("`{}` to `{}`", cluster.instance(set, 0), cluster.instance(set, replicas - 1)),
    });
    let names: Vec<String> = names.collect();
    if !is_there && !names.is_empty() {
        let message = format!(
            "there is no instance {}, so no switchover happens: the instances are {}",
            words::quote(target),
            names.join(", ")
        );
        context.warning(FieldPath::of("spec.patroni.switchover.targetInstance"), message);
    }
}
