//! The writers: they turn objects into YAML text and choose the name of each file.

pub mod layout;
pub mod resource_list;
pub mod verbatim;
pub mod yaml;
