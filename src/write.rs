//! Objects to bytes.

pub mod layout;
pub mod resource_list;
pub mod verbatim;
pub mod yaml;
