//! What the tests stand on: a capture whose packets follow from their numbers, an engine that reads
//! it, and a program in C that knows libpcap and nothing of Weir.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Shows that a test could not run here; `tests/run.sh` counts these lines.
#[expect(clippy::print_stderr, reason = "what a person who runs the tests must see")]
pub(crate) fn skipped(test: &str, reason: &str) {
    eprintln!("SKIPPED {test}: {reason}");
}

/// Where cargo puts what it builds for tests.
fn built() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_owned()
}

/// Weir's libpcap.
pub(crate) fn library() -> PathBuf {
    built().join("libpcap_weir.so")
}

/// The programs of a test; what it needs and is not there is said once.
pub(crate) struct Bench {
    weir: PathBuf,
    folder: tempfile::TempDir,
}

impl Bench {
    /// What a test needs, or the reason why there is none.
    pub(crate) fn new(test: &str) -> Option<Bench> {
        let weir = built().join("../weir");
        if !library().is_file() {
            skipped(test, "libpcap_weir.so is not built");
        } else if !weir.is_file() {
            skipped(test, "weir is not built: cargo build -p weir");
        } else if let Err(reason) = probe() {
            skipped(test, reason);
        } else {
            let bench = Bench { weir, folder: tempfile::tempdir().unwrap() };
            std::fs::write(bench.path("weir.toml"), SMALL).unwrap();
            return Some(bench);
        }
        None
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A capture file of `packets`.
    pub(crate) fn capture(&self, packets: u64) -> Capture {
        self.capture_of(1, packets)
    }

    /// The same of a link type: Ethernet (1) or raw IP (101).
    pub(crate) fn capture_of(&self, link_type: u32, packets: u64) -> Capture {
        let capture = Capture::new(link_type, packets);
        std::fs::write(self.path("in.pcap"), &capture.file).unwrap();
        capture
    }

    /// An engine that begins to read the capture when so many readers are there.
    pub(crate) fn engine(&self, readers: u32) -> Engine {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.engine_named(&format!("pcap-test-{}-{number}", std::process::id()), readers)
    }

    /// The same under a name.
    pub(crate) fn engine_named(&self, name: &str, readers: u32) -> Engine {
        let name = name.to_owned();
        let mut child = Command::new(&self.weir)
            .arg("run")
            .arg(format!("pcap:{}", self.path("in.pcap").display()))
            .args(["--name", &name, &format!("--wait-for-readers={readers}")])
            .args(["--shards", "2", "--config"])
            .arg(self.path("weir.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        for _ in 0..500 {
            if weir_shm::Attached::open(&name).is_ok() {
                return Engine { child, name };
            }
            if child.try_wait().unwrap().is_some() {
                let mut complaint = String::new();
                child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
                panic!("the engine ended at once: {complaint}");
            }
            rest(Duration::from_millis(20));
        }
        child.kill().unwrap();
        panic!("the engine {name} is not there after 10 s");
    }

    /// `weir with -- …`.
    pub(crate) fn with(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.weir);
        command.arg("with").arg("--library").arg(library()).arg("--").args(arguments);
        command
    }
}

/// An engine that starts at once, and whose ring goes round often.
const SMALL: &str = "\
flow.capacity = 1024
flow.fragments = 16
inspect.flows = 64
inspect.stream_buffers = 16
export.record_ring_bytes = 1048576
export.arena_bytes = 1048576
export.packet_ring = 1024
export.packet_leases = 512
";

/// Waits a while.
pub(crate) fn rest(time: Duration) {
    rustix::event::poll(&mut [], Some(&time.try_into().unwrap())).ok();
}

/// A program that runs, and ends with the test.
pub(crate) struct Engine {
    child: Child,
    pub(crate) name: String,
}

impl Engine {
    pub(crate) fn device(&self, part: &str) -> String {
        format!("weir:{}{part}", self.name)
    }

    /// As if it crashed.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        // What an engine that is killed leaves.
        let socket = weir_shm::default_path(&self.name);
        std::fs::remove_file(&socket).ok();
        std::fs::remove_file(socket.with_extension("sock.lock")).ok();
    }
}

/// The probe, running.
pub(crate) struct Probe {
    child: Child,
    out: BufReader<ChildStdout>,
    said: String,
}

impl Probe {
    /// Starts the probe with our library loaded first.
    pub(crate) fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Probe {
        let mut command = Command::new(probe().unwrap());
        command.env("LD_PRELOAD", library());
        Self::of(command, arguments, environment)
    }

    /// Starts a probe that is started so.
    pub(crate) fn of(
        mut command: Command,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Probe {
        let mut child = command
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Probe { child, out, said: String::new() }
    }

    /// Waits until it reads.
    pub(crate) fn ready(mut self) -> Probe {
        self.out.read_line(&mut self.said).unwrap();
        assert_eq!(self.said, "ready\n");
        self.said.clear();
        self
    }

    /// What it printed from then on, once it has ended.
    pub(crate) fn end(mut self) -> String {
        self.out.read_to_string(&mut self.said).unwrap();
        self.child.wait().unwrap();
        self.said.strip_prefix("ready\n").unwrap_or(&self.said).to_owned()
    }
}

/// Runs the probe to its end.
pub(crate) fn run(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    Probe::start(arguments, environment).end()
}

/// The probe's source.
pub(crate) fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/probe.c")
}

/// The probe, built against the real libpcap, or why it cannot be.
fn probe() -> Result<PathBuf, &'static str> {
    static BUILT: OnceLock<Result<PathBuf, &'static str>> = OnceLock::new();
    BUILT.get_or_init(build).clone()
}

fn build() -> Result<PathBuf, &'static str> {
    let (new, out) = (built().join("pcap-probe.new"), built().join("pcap-probe"));
    compile(&new, &[&real().ok_or("there is no libpcap")?])?;
    std::fs::rename(&new, &out).map_err(|_| "the probe cannot be put in its place")?;
    Ok(out)
}

/// Builds the probe with these libraries.
pub(crate) fn compile(out: &Path, libraries: &[&Path]) -> Result<(), &'static str> {
    let mut command = Command::new("cc");
    command.arg("-o").arg(out).arg(source()).args(libraries).arg("-lpthread");
    let status = command.status();
    if status.is_ok_and(|status| status.success()) { Ok(()) } else { Err("there is no C compiler") }
}

/// The real library, as the linker finds it.
fn real() -> Option<PathBuf> {
    ["libpcap.so.0.8", "libpcap.so.1", "libpcap.so"].iter().find_map(|name| {
        let found = Command::new("cc").arg(format!("-print-file-name={name}")).output().ok()?;
        let path = PathBuf::from(String::from_utf8(found.stdout).ok()?.trim());
        path.is_absolute().then_some(path)
    })
}

/// A capture file with nanoseconds, and what reading it comes to.
pub(crate) struct Capture {
    file: Vec<u8>,
    pub(crate) packets: u64,
    bytes: usize,
    wire: usize,
    sum: u64,
}

/// The first packet's time.
const FIRST: (u32, u32) = (1_700_000_000, 123_456_789);

impl Capture {
    fn new(link_type: u32, packets: u64) -> Capture {
        let mut capture = Capture { file: Vec::new(), packets, bytes: 0, wire: 0, sum: 0 };
        for word in [0xa1b2_3c4d, 4 << 16 | 2, 0, 0, 65_535, link_type] {
            capture.file.extend(word.to_le_bytes());
        }
        for number in 0..packets {
            let mut frame = frame(number);
            if link_type != 1 {
                frame.drain(..14);
            }
            // The last bytes of each were not captured.
            let wire = frame.len() + 3;
            let bytes = u32::try_from(frame.len()).unwrap();
            let fraction = FIRST.1 + u32::try_from(number).unwrap() * 100;
            for word in [FIRST.0, fraction, bytes, bytes + 3] {
                capture.file.extend(word.to_le_bytes());
            }
            capture.bytes += frame.len();
            capture.wire += wire;
            capture.sum += frame.iter().map(|byte| u64::from(*byte)).sum::<u64>();
            capture.file.extend(frame);
        }
        capture
    }

    /// What the probe says if it got everything, in microseconds or nanoseconds.
    pub(crate) fn all(&self, nanoseconds: bool, returned: i32) -> String {
        let fraction = if nanoseconds { FIRST.1 } else { FIRST.1 / 1000 };
        let mut said = format!("packets {} bytes {} wire {} ", self.packets, self.bytes, self.wire);
        write!(said, "sum {} first {}.{fraction:06}", self.sum, FIRST.0).unwrap();
        format!("{said} returned {returned}\n")
    }
}

/// A UDP datagram of one of 40 flows.
fn frame(number: u64) -> Vec<u8> {
    let port = 2_000 + u16::try_from(number % 40).unwrap();
    let payload: Vec<u8> = number.to_le_bytes().repeat(1 + usize::try_from(number % 9).unwrap());
    let udp_bytes = u16::try_from(8 + payload.len()).unwrap();
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    frame.extend([0x45, 0]);
    frame.extend((20 + udp_bytes).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend(port.to_be_bytes());
    frame.extend(9_999_u16.to_be_bytes());
    frame.extend(udp_bytes.to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(payload);
    frame
}

/// The number behind a word in what the probe said.
pub(crate) fn number(said: &str, word: &str) -> i64 {
    let mut words = said.split_whitespace();
    words.find(|found| *found == word);
    words.next().and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{word}: {said}"))
}
