//! A person at a terminal sees what the program is doing, and nobody else does.

use std::path::Path;
use std::process::Command;

use super::{GOOD, run};
use crate::common::tools;

/// Runs a command with standard error on a terminal, gives it its standard input after two seconds, and prints what it wrote to
/// both: standard output, an empty line, and what the terminal got.
const TERMINAL: &str = "\
import os, pty, subprocess, sys, time
terminal, slave = pty.openpty()
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=slave)
os.close(slave)
time.sleep(float(sys.argv[1]))
stdout, _ = child.communicate(sys.stdin.buffer.read())
said = b''
try:
    while part := os.read(terminal, 4096):
        said += part
except OSError:
    pass
sys.stdout.buffer.write(stdout + b'\\n\\n' + said)
";

#[test]
fn a_terminal_shows_what_takes_long_and_erases_it() {
    let Some(python) = tools::program("python3") else { return };
    let on_terminal = |seconds: &str, command: &str| {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("input");
        std::fs::write(&file, GOOD).unwrap();
        let mut running = Command::new(&python);
        running.args(["-c", TERMINAL, seconds, env!("CARGO_BIN_EXE_pgrender"), command, "-"]);
        running.env("SOURCE_DATE_EPOCH", "1767225600").env("PGRENDER_SEED", crate::common::rendering::SEED);
        let text = tools::success(running.stdin(std::fs::File::open(&file).unwrap()));
        let (stdout, said) = text.rsplit_once("\n\n").unwrap();
        (stdout.to_owned(), said.to_owned())
    };
    for command in ["check", "render"] {
        let (quiet, _) = on_terminal("0", command);
        let (stdout, said) = on_terminal("2", command);
        assert!(said.contains("pgrender: reading (1 s)") && said.ends_with("\r\u{1b}[K"), "{said:?}");
        // Also the same bytes on standard output.
        assert_eq!(quiet, stdout, "{command}");
    }
}

#[test]
fn captured_output_has_no_progress() {
    let directory = Path::new("/");
    for command in ["check", "render"] {
        let output = run(&[command, "-"], directory, &[("PGRENDER_SEED", crate::common::rendering::SEED)], GOOD);
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{command}");
    }
}
