//! Values to bytes.

pub mod yaml;
