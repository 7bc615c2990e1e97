//! Holds generated configuration and scripts against what PGO wrote for the same specs, and against the programs that
//! read them.

mod clusters;
mod golden;
mod programs;
mod scripts;
mod tools;
