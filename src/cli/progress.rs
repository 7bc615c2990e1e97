//! What the program is doing, for people who wait: a line on standard error that is rewritten, and erased at the end. It appears
//! only after a second, and only on a terminal, so it is never in captured output.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long nothing is shown.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the line is rewritten.
const TICK: Duration = Duration::from_millis(250);

/// Erases a line, for terminals that know the sequences of ECMA-48, which is all of them.
const ERASE: &str = "\r\x1b[K";

/// The line. It is erased when this is dropped.
pub(super) struct Progress(Option<Running>);

struct Running {
    doing: Arc<Mutex<&'static str>>,
    /// Ends the thread when it is dropped.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts to wait. `inputs` are the files of the command line. If a person types the input, there is no line, because it would
    /// be written over theirs.
    pub(super) fn start(inputs: &[PathBuf], doing: &'static str) -> Self {
        let reads_stdin = inputs.is_empty() || inputs.iter().any(|input| input == Path::new("-"));
        if !io::stderr().is_terminal() || (reads_stdin && io::stdin().is_terminal()) {
            return Self(None);
        }
        let doing = Arc::new(Mutex::new(doing));
        let (end, ended) = mpsc::channel();
        let of_thread = Arc::clone(&doing);
        let thread = thread::spawn(move || {
            let started = Instant::now();
            let mut wait = PATIENCE;
            while ended.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                let doing = *of_thread.lock().unwrap_or_else(PoisonError::into_inner);
                say(&format!("{ERASE}pgrender: {doing} ({} s)", started.elapsed().as_secs()));
                wait = TICK;
            }
            if wait == TICK {
                say(ERASE);
            }
        });
        Self(Some(Running { doing, end: Some(end), thread: Some(thread) }))
    }

    /// Changes what the line says.
    pub(super) fn now(&self, doing: &'static str) {
        if let Self(Some(running)) = self {
            *running.doing.lock().unwrap_or_else(PoisonError::into_inner) = doing;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A line that stays is no reason to fail.
            let _ = thread.join();
        }
    }
}

fn say(text: &str) {
    let mut stderr = io::stderr().lock();
    // If standard error fails, there is nobody to tell.
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
