//! Programs of others that the tests run Weir with: found or skipped, run for a bounded time, with
//! what they print kept up to a bound.
//!
//! Always holds: a program that a test started is gone when its [`Running`] is.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use weir_engine::sys::clock;

/// Bytes kept of each of a program's two outputs; what comes after is read and forgotten.
pub const OUTPUT_BYTES: usize = 4 << 20;

/// Where a program is; none where it is not installed, which is shown and counted.
pub fn find(test: &str, program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // An ordinary user's PATH lacks the folders where Debian has some of them.
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = folders.map(|folder| folder.join(program)).find(|place| place.is_file());
    if found.is_none() {
        crate::skipped(test, &format!("{program} is not installed (tools/programs.sh)"));
    }
    found
}

/// The `weir` binary, which cargo builds beside the tests when the workspace is tested; none where it
/// was not built, which is shown and counted.
pub fn weir(test: &str) -> Option<PathBuf> {
    let binary = std::env::current_exe().ok();
    let binary = binary.and_then(|test| Some(test.parent()?.parent()?.join("weir")));
    let binary = binary.filter(|binary| binary.exists());
    if binary.is_none() {
        crate::skipped(test, "the weir binary was not built; test the workspace");
    }
    binary
}

/// How a program ended and what it printed.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed, up to [`OUTPUT_BYTES`].
    pub output: String,
    /// What it said on standard error, up to [`OUTPUT_BYTES`].
    pub errors: String,
}

impl Finished {
    /// What it printed.
    ///
    /// # Errors
    /// It failed; what it said.
    pub fn success(self) -> anyhow::Result<String> {
        ensure!(self.status.success(), "{}: {}{}", self.status, self.errors, self.output);
        Ok(self.output)
    }
}

/// Runs a command to its end.
///
/// # Errors
/// It cannot be started, or has not ended `within` that time: then it is killed.
pub fn run(command: &mut Command, within: Duration) -> anyhow::Result<Finished> {
    Running::start(command)?.finish(within)
}

/// What one output gave so far.
type Text = Arc<Mutex<Vec<u8>>>;

/// A program that runs beside the test.
#[derive(Debug)]
pub struct Running {
    child: Child,
    shown: String,
    output: Text,
    errors: Text,
}

impl Running {
    /// Starts a command, without input.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(command: &mut Command) -> anyhow::Result<Running> {
        let shown = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot run {shown}"))?;
        let output = keep(child.stdout.take().context("a pipe")?);
        let errors = keep(child.stderr.take().context("a pipe")?);
        Ok(Running { child, shown, output, errors })
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far.
    pub fn output(&self) -> String {
        text(&self.output)
    }

    /// What it said on standard error so far.
    pub fn errors(&self) -> String {
        text(&self.errors)
    }

    /// Whether it still runs.
    pub fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until `done` of it, which is asked a hundred times a second.
    ///
    /// # Errors
    /// It ended before, or `within` has passed; what it said.
    pub fn until(
        &mut self,
        within: Duration,
        mut done: impl FnMut(&Running) -> bool,
    ) -> anyhow::Result<()> {
        let end = deadline(within);
        while !done(self) {
            let (late, ended) = (clock::monotonic_ns() > end, !self.alive());
            if (late || ended) && !done(self) {
                let why = if ended { "ended early" } else { "is late" };
                bail!("{} {why}: {}{}", self.shown, self.errors(), self.output());
            }
            clock::rest(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Sends it a signal; one that has ended gets none.
    pub fn signal(&mut self, signal: Signal) {
        if self.alive()
            && let Some(process) = Pid::from_raw(self.child.id().cast_signed())
        {
            kill_process(process, signal).ok();
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It has not ended `within` that time: then it is killed.
    pub fn finish(mut self, within: Duration) -> anyhow::Result<Finished> {
        let end = deadline(within);
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if clock::monotonic_ns() > end {
                bail!("{} does not end: {}{}", self.shown, self.errors(), self.output());
            }
            clock::rest(Duration::from_millis(5));
        };
        // A child of its own may still hold the pipes: it does not hold up the test.
        let end = deadline(Duration::from_secs(2));
        while Arc::strong_count(&self.output) + Arc::strong_count(&self.errors) > 2
            && clock::monotonic_ns() < end
        {
            clock::rest(Duration::from_millis(1));
        }
        Ok(Finished { status, output: self.output(), errors: self.errors() })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn deadline(within: Duration) -> u64 {
    let within = u64::try_from(within.as_nanos()).unwrap_or(u64::MAX);
    clock::monotonic_ns().saturating_add(within)
}

fn text(kept: &Text) -> String {
    String::from_utf8_lossy(&kept.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

/// Reads a pipe to its end on a thread, which holds the text as long as there may come more.
fn keep(mut pipe: impl Read + Send + 'static) -> Text {
    let kept = Text::default();
    let mine = Arc::clone(&kept);
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(bytes @ 1..) = pipe.read(&mut piece) {
            let mut kept = mine.lock().unwrap_or_else(PoisonError::into_inner);
            let room = OUTPUT_BYTES - kept.len();
            kept.extend(&piece[..bytes.min(room)]);
        }
    });
    kept
}

/// An alert as two runs over the same packets must agree on it: nothing of time or of numbers that
/// Suricata gave.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Alert {
    /// The rule.
    pub signature: u64,
    /// Sender of the packet, with its port.
    pub source: String,
    /// Receiver of the packet, with its port.
    pub target: String,
    /// Protocol in the IP header.
    pub protocol: String,
}

/// Alerts, and how often each was raised.
pub type Alerts = BTreeMap<Alert, usize>;

/// Suricata with the tests' own settings and rules, and a folder for what it finds.
#[derive(Debug)]
pub struct Suricata {
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Suricata {
    /// Finds it; none where it, or its seventh version, is not installed, which is shown.
    ///
    /// # Errors
    /// It cannot be run, or no folder can be made.
    pub fn find(test: &str) -> anyhow::Result<Option<Suricata>> {
        let Some(program) = find(test, "suricata") else { return Ok(None) };
        let version = run(Command::new(&program).arg("-V"), Duration::from_secs(20))?.output;
        let number = version.split("version ").nth(1).and_then(|rest| rest.split('.').next());
        if number.and_then(|number| number.parse::<u32>().ok()).is_none_or(|number| number < 7) {
            crate::skipped(test, &format!("Suricata 7 is needed; here is {}", version.trim()));
            return Ok(None);
        }
        Ok(Some(Suricata { program, folder: tempfile::tempdir()? }))
    }

    /// The command that reads `source`: `["-r", FILE]`, or `["--pcap=INTERFACE"]`, which runs until
    /// it gets a signal. One thread does all, packet by packet.
    pub fn command(&self, source: &[&str]) -> Command {
        let mut command = self.command_in("single");
        command.args(source);
        command
    }

    /// The command that reads `interface` with several threads, each opening it for itself.
    pub fn command_of_threads(&self, interface: &str, threads: u64) -> Command {
        let mut command = self.command_in("workers");
        command.args(["--set", &format!("pcap.0.interface={interface}")]);
        command.args(["--set", &format!("pcap.0.threads={threads}")]);
        command.arg("--pcap");
        command
    }

    fn command_in(&self, run_mode: &str) -> Command {
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(rules.join("suricata.yaml")).arg("-S").arg(rules.join("weir.rules"));
        command.arg("-l").arg(self.folder.path()).args(["-k", "none", "--runmode", run_mode]);
        command
    }

    /// Reads a capture file to its end.
    ///
    /// # Errors
    /// It failed, or took more than a minute.
    pub fn offline(&self, file: &Path) -> anyhow::Result<Alerts> {
        let file = file.to_str().context("a path in UTF-8")?;
        run(&mut self.command(&["-r", file]), Duration::from_mins(1))?.success()?;
        self.alerts()
    }

    /// Lets a live Suricata read `packets`, then ends it; the alerts.
    ///
    /// # Errors
    /// It has not read so many `within` that time, or ended otherwise.
    pub fn end_after(
        &self,
        mut running: Running,
        packets: u64,
        within: Duration,
    ) -> anyhow::Result<Alerts> {
        running
            .until(within, |_| self.packets() >= packets)
            .with_context(|| format!("{} of {packets} packets were read", self.packets()))?;
        running.signal(Signal::INT);
        running.finish(Duration::from_secs(30))?.success()?;
        self.alerts()
    }

    /// Whether its threads have started: it has opened what it reads.
    pub fn has_started(running: &Running) -> bool {
        running.errors().contains("Engine started") || running.output().contains("Engine started")
    }

    /// Packets that it says it has read so far; it says so once a second.
    pub fn packets(&self) -> u64 {
        let count = |event: &Value| event.pointer("/stats/decoder/pkts").and_then(Value::as_u64);
        self.events().iter().filter_map(count).max().unwrap_or(0)
    }

    /// The alerts raised.
    ///
    /// # Errors
    /// One is not as Suricata 7 writes it.
    pub fn alerts(&self) -> anyhow::Result<Alerts> {
        let mut alerts = Alerts::new();
        for event in self.events().iter().filter(|event| event["event_type"] == "alert") {
            let word = |key: &str| event[key].as_str().context("an address").map(str::to_owned);
            let end = |address: &str, port: &str| {
                let port = event[port].as_u64().map_or(String::new(), |port| format!(" {port}"));
                word(address).map(|address| address + &port)
            };
            let alert = Alert {
                signature: event["alert"]["signature_id"].as_u64().context("a signature")?,
                source: end("src_ip", "src_port")?,
                target: end("dest_ip", "dest_port")?,
                protocol: word("proto")?,
            };
            *alerts.entry(alert).or_default() += 1;
        }
        Ok(alerts)
    }

    /// What it wrote so far: whole lines of JSON.
    pub fn events(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("eve.json")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// How two runs differ: the first few alerts of each that the other lacks. Empty: they agree.
pub fn difference(one: &Alerts, other: &Alerts) -> Vec<String> {
    let lacks = |from: &Alerts, of: &Alerts, sign: char| -> Vec<String> {
        let more = from.iter().filter(|(alert, count)| of.get(alert).unwrap_or(&0) < *count);
        more.map(|(alert, count)| format!("{sign} {count} {alert:?}")).take(10).collect()
    };
    [lacks(one, other, '-'), lacks(other, one, '+')].concat()
}
