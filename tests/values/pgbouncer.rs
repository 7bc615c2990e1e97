//! pgBouncer.
