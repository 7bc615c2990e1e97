//! The program `pgrender`; see [`pgrender::entry`].

use std::process::ExitCode;

fn main() -> ExitCode {
    pgrender::entry::main()
}
