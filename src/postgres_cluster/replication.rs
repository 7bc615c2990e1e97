//! Who may replicate a cluster, and which cluster a standby cluster follows.

pub(crate) mod host;
pub mod names;
pub mod resolve;
pub mod standby;
pub mod standby_spec;
