//! The program `pgrender`; see [`pgrender::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    pgrender::cli::main()
}
