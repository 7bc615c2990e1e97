//! The objects of a cluster, typed. They become JSON when they are written.

use serde_json::Value;

use crate::kubernetes::cert_manager::{CertificateSpec, IssuerSpec, Resource};
use crate::kubernetes::substitution;
use crate::kubernetes::{
    ConfigMap, CronJob, Deployment, NetworkPolicy, PersistentVolumeClaim, PodDisruptionBudget, Role, RoleBinding,
    Secret, Service, ServiceAccount, StatefulSet,
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

            /// The object as JSON, with keys in the order of the Kubernetes API.
            pub fn into_value(self) -> Value {
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
    Issuer(Resource<IssuerSpec>),
    Certificate(Resource<CertificateSpec>),
    PersistentVolumeClaim(PersistentVolumeClaim),
    PodDisruptionBudget(PodDisruptionBudget),
    StatefulSet(StatefulSet),
    Deployment(Deployment),
    CronJob(CronJob),
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
