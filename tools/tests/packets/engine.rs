//! `weir run`, started as a user starts it, and the captures that it reads.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use weir_tests::programs::{self, Finished, Running};
use weir_tests::traffic::{self, Traffic};

/// No step of a test takes longer.
pub(crate) const WITHIN: Duration = Duration::from_secs(30);

/// A running engine.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) name: String,
    running: Running,
}

impl Engine {
    /// `weir run SOURCE --name …` with these arguments, once it can be attached to; flows do not time
    /// out unless these say so.
    pub(crate) fn start(source: &str, arguments: &[&str]) -> Engine {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test-{}-{number}", std::process::id());
        let mut command = weir(&["run", source, "--name", &name]);
        if !arguments.iter().any(|argument| argument.starts_with("--timeouts")) {
            command.arg("--timeouts=off");
        }
        let mut running = Running::start(command.args(arguments)).unwrap();
        let attach = || weir_shm::Attached::open(&name).is_ok();
        running.until(WITHIN, |_| attach()).unwrap();
        Engine { name, running }
    }

    /// `weir SUBCOMMAND --name` this engine.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = weir(arguments);
        command.args(["--name", &self.name]);
        command
    }

    /// Waits until so many packet readers are there.
    pub(crate) fn wait_for_readers(&mut self, readers: usize) {
        let attached = weir_shm::Attached::open(&self.name).unwrap();
        self.running.until(WITHIN, |_| attached.packet_readers().len() >= readers).unwrap();
    }

    /// Waits for its end, with a signal if it runs on by itself.
    pub(crate) fn end(mut self, by_signal: bool) -> Finished {
        if by_signal {
            self.running.signal(rustix::process::Signal::TERM);
        }
        self.running.finish(WITHIN).unwrap()
    }
}

/// The program under test.
pub(crate) fn weir(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(arguments).env_remove("COLUMNS").env("NO_COLOR", "1");
    command
}

/// Runs a command to its end, which is to be a good one; what it printed.
pub(crate) fn output(command: &mut Command) -> String {
    programs::run(command, WITHIN).unwrap().success().unwrap()
}

/// Generated traffic, and the capture file of it in `folder`.
pub(crate) fn capture(folder: &Path, flows: usize) -> (Traffic, PathBuf) {
    let traffic = traffic::mixed(flows, 1);
    let file = folder.join("mixed.pcap");
    traffic.write(&file).unwrap();
    (traffic, file)
}

/// The path as an engine's source.
pub(crate) fn source(file: &Path) -> String {
    format!("pcap:{}", file.display())
}
