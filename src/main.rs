//! pgrender.
fn main() {}
