//! Programs that run during a test.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running program, which is stopped at the end of the test.
pub(crate) struct Running {
    child: Child,
    signal: &'static str,
}

impl Running {
    /// The same program, stopped with another signal than TERM.
    pub(crate) fn ended_with(mut self, signal: &'static str) -> Self {
        self.signal = signal;
        self
    }

    /// Whether the program still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().expect("a state").is_none()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The program may have started others. All of them are in its process group.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-s", self.signal, "--", &group]).status();
        let _ = self.child.wait();
    }
}

/// Starts `command` in its own process group, with its output in `log`.
pub(crate) fn start(command: &mut Command, log: &Path) -> Running {
    let output = fs::File::create(log).expect("a file");
    let errors = output.try_clone().expect("a file");
    let command = command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
    Running { child: command.spawn().expect("started"), signal: "TERM" }
}

/// Waits until `file` contains `text`.
pub(crate) fn wait_for(file: &Path, text: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let content = fs::read_to_string(file).unwrap_or_default();
        if content.contains(text) {
            return;
        }
        assert!(Instant::now() < deadline, "{} never said {text:?}: {content}", file.display());
        std::thread::sleep(Duration::from_millis(200));
    }
}
