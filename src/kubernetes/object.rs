//! The objects of a cluster, typed. They become JSON when they are written.

use k8s_openapi::Metadata;
use serde_json::Value;

use crate::diagnostic::ResourceRef;
use crate::kubernetes::cert_manager::{CertificateSpec, IssuerSpec};
use crate::kubernetes::custom_resource::CustomResource;
use crate::kubernetes::prometheus_operator::{PodMonitorSpec, PrometheusRuleSpec};
use crate::kubernetes::substitution;
use crate::kubernetes::{
    ConfigMap, CronJob, Deployment, NetworkPolicy, ObjectMeta, PersistentVolumeClaim, PodDisruptionBudget, Resource,
    Role, RoleBinding, Secret, Service, ServiceAccount, StatefulSet,
};

/// Declares [`Object`]: its variants, and the conversion of each type into it.
macro_rules! objects {
    ($($kind:ident($type:ty),)*) => {
        /// One object of a cluster. It may hold a secret, so it has no `Debug`.
        ///
        /// The kinds are in the order in which objects are written: an object comes after those that it refers to.
        pub enum Object {
            $(
                #[doc = concat!("An object of the kind ", stringify!($kind), ".")]
                $kind(Box<$type>),
            )*
        }

        impl Object {
            /// The position of the object's kind in the order of the output.
            fn rank(&self) -> usize {
                enum Rank { $($kind,)* }
                match self { $(Self::$kind(_) => Rank::$kind as usize,)* }
            }

            /// The reference to the object.
            pub fn reference(&self) -> ResourceRef {
                match self { $(Self::$kind(object) => reference(object.as_ref()),)* }
            }

            /// Its metadata.
            pub fn metadata(&self) -> &ObjectMeta {
                match self { $(Self::$kind(object) => Typed::metadata(object.as_ref()),)* }
            }

            /// The object as JSON, with keys in the order of the Kubernetes API.
            pub fn to_value(&self) -> Value {
                let value = match self { $(Self::$kind(object) => serde_json::to_value(object),)* };
                let mut value = value.expect("a Kubernetes object has string keys and finite numbers");
                substitution::prevent(&mut value);
                value
            }
        }

        $(impl From<$type> for Object {
            fn from(object: $type) -> Self {
                Self::$kind(Box::new(object))
            }
        })*
    };
}

objects! {
    ServiceAccount(ServiceAccount),
    Role(Role),
    RoleBinding(RoleBinding),
    NetworkPolicy(NetworkPolicy),
    Service(Service),
    ConfigMap(ConfigMap),
    Secret(Secret),
    Issuer(CustomResource<IssuerSpec>),
    Certificate(CustomResource<CertificateSpec>),
    PersistentVolumeClaim(PersistentVolumeClaim),
    PodDisruptionBudget(PodDisruptionBudget),
    StatefulSet(StatefulSet),
    Deployment(Deployment),
    CronJob(CronJob),
    PodMonitor(CustomResource<PodMonitorSpec>),
    PrometheusRule(CustomResource<PrometheusRuleSpec>),
}

impl Object {
    /// The value of the label `key`.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.metadata().labels.as_ref()?.get(key).map(String::as_str)
    }
}

/// An object of any kind has a version, a kind and metadata.
trait Typed {
    fn api_version(&self) -> &'static str;
    fn kind(&self) -> &'static str;
    fn metadata(&self) -> &ObjectMeta;
}

impl<T: Resource + Metadata<Ty = ObjectMeta>> Typed for T {
    fn api_version(&self) -> &'static str {
        T::API_VERSION
    }

    fn kind(&self) -> &'static str {
        T::KIND
    }

    fn metadata(&self) -> &ObjectMeta {
        Metadata::metadata(self)
    }
}

impl<Spec> Typed for CustomResource<Spec> {
    fn api_version(&self) -> &'static str {
        self.api_version
    }

    fn kind(&self) -> &'static str {
        self.kind
    }

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }
}

fn reference(object: &impl Typed) -> ResourceRef {
    let metadata = object.metadata();
    ResourceRef {
        api_version: object.api_version().to_owned(),
        kind: object.kind().to_owned(),
        name: metadata.name.clone().unwrap_or_default(),
        namespace: metadata.namespace.clone().unwrap_or_default(),
    }
}

/// Objects that are being built.
#[derive(Default)]
pub(crate) struct Objects(Vec<Object>);

impl Objects {
    pub(crate) fn add(&mut self, object: impl Into<Object>) {
        self.0.push(object.into());
    }

    pub(crate) fn add_all(&mut self, objects: impl IntoIterator<Item = impl Into<Object>>) {
        self.0.extend(objects.into_iter().map(Into::into));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Object> {
        self.0.iter()
    }

    /// The objects by kind. Those of one kind stay in the order in which they were built.
    pub(crate) fn in_order(mut self) -> Vec<Object> {
        self.0.sort_by_key(Object::rank);
        self.0
    }
}
