//! The secrets of a cluster: the plan of all credentials and certificates, their derivation from the seed or reuse from
//! existing Secrets, and the objects that contain them.

pub(crate) mod brought;
pub mod cert_manager;
pub mod certificates;
pub mod credential;
pub mod credentials;
pub mod custom_tls;
pub mod derive;
pub mod existing;
pub mod generations;
pub mod identity;
pub mod issuer;
pub mod objects;
pub mod plan;
pub mod references;
pub mod reuse;
pub mod rotation;
pub mod signer;
