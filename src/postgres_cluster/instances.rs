//! The instances of a cluster: a StatefulSet for each instance set.

pub mod access;
pub mod claims;
pub mod containers;
pub mod network_policies;
pub mod objects;
pub mod resolve;
pub mod services;
pub mod stateful_set;
pub mod volumes;
