//! What is recorded is what came, and what is extracted is what tcpdump selects.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use weir_engine::sys::clock;
use weir_tests::faults::loops;
use weir_tests::programs::{self, Running};

use crate::engine::{Engine, WITHIN, capture, output, source, weir};

/// Times and frames of a little-endian pcap file.
pub(crate) fn packets(file: &Path) -> Vec<(u64, Vec<u8>)> {
    let bytes = std::fs::read(file).unwrap();
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let scale = if word(&bytes, 0) == 0xa1b2_3c4d { 1 } else { 1000 };
    let mut rest = &bytes[24..];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let time = u64::from(word(rest, 0)) * 1_000_000_000 + u64::from(word(rest, 4)) * scale;
        let (frame, more) = rest[16..].split_at(usize::try_from(word(rest, 8)).unwrap());
        found.push((time, frame.to_vec()));
        rest = more;
    }
    found
}

/// Capture files of a directory, in their order.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let is_capture = |path: &PathBuf| {
        let endings = ["pcapng", "pcap", "zst", "lz4"];
        path.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known))
    };
    let mut files: Vec<PathBuf> = entries.filter(is_capture).collect();
    files.sort();
    files
}

/// `weir record pcap:FILE` to a directory; what it says.
pub(crate) fn record(file: &Path, dir: &Path, arguments: &[&str]) -> String {
    let source = source(file);
    let mut command = weir(&["record", &source, "--dir", dir.to_str().unwrap()]);
    output(command.args(arguments))
}

/// What `weir extract` finds in a directory.
pub(crate) fn extract(dir: &Path, arguments: &[&str]) -> Vec<(u64, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.pcap");
    let mut command = weir(&["extract", dir.to_str().unwrap(), "-F", "pcap", "-w"]);
    output(command.arg(&out).args(arguments));
    packets(&out)
}

/// Whether these are packets of all those, in the same order: after a disk was full, what is smaller may
/// still fit.
pub(crate) fn is_part_of(some: &[(u64, Vec<u8>)], all: &[(u64, Vec<u8>)]) -> bool {
    let mut rest = all.iter();
    some.iter().all(|packet| rest.any(|other| other == packet))
}

/// What tcpdump finds in a file.
pub(crate) fn tcpdump(file: &Path, filter: &str) -> Vec<(u64, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.pcap");
    let mut command = Command::new("tcpdump");
    command.args(["-Z", "root", "--nano", "-r"]).arg(file).arg("-w").arg(&out).arg(filter);
    output(&mut command);
    packets(&out)
}

/// That others can open every file of a directory, and how many packets they see.
pub(crate) fn opened_by_others(dir: &Path) -> usize {
    let mut seen = 0;
    for file in files(dir) {
        output(Command::new("capinfos").arg(&file));
        let lines = output(
            Command::new("tshark")
                .args(["-n", "-T", "fields", "-e", "frame.number", "-r"])
                .arg(&file),
        );
        seen += lines.lines().count();
    }
    seen
}

pub(crate) const FILTERS: &[&str] = &[
    "",
    "tcp",
    "udp port 53",
    "ip6",
    "host 10.0.0.1 or net 192.0.2.0/24",
    "tcp[tcpflags] & tcp-syn != 0",
    "less 100",
    "port 443 and greater 500",
    "vlan",
];

#[test]
fn what_an_engine_had_is_recorded_and_extracted_as_tcpdump_does() {
    let test = "what_an_engine_had_is_recorded_and_extracted_as_tcpdump_does";
    if programs::find(test, "tcpdump").is_none() || programs::find(test, "tshark").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_, file) = capture(folder.path(), 300);
    let dir = folder.path().join("recorded");
    let engine = Engine::start(&source(&file), &["--wait-for-readers"]);
    let mut command = engine.command(&["record", "--file-size", "200KB", "--json"]);
    let said = output(command.arg("--dir").arg(&dir));
    assert!(engine.end(false).status.success());
    let all = tcpdump(&file, "");
    let summary: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(summary["recorded"], all.len(), "{said}");
    assert_eq!((&summary["missed"], &summary["seen"]), (&0.into(), &all.len().into()), "{said}");
    assert!(files(&dir).len() > 2, "{said}");
    assert_eq!(opened_by_others(&dir), all.len());
    for filter in FILTERS {
        assert!(extract(&dir, &["--filter", filter]) == tcpdump(&file, filter), "{filter}");
    }
    by_flow_and_host(&file, &dir);
    // The same from the files alone.
    let app = extract(&dir, &["--app", "DNS"]);
    assert!(!app.is_empty());
    for path in files(&dir) {
        std::fs::remove_file(format!("{}.widx", path.display())).unwrap();
    }
    assert!(extract(&dir, &["--app", "DNS"]) == app);
    output(&mut weir(&["index", dir.to_str().unwrap()]));
    assert!(extract(&dir, &["--app", "DNS"]) == app);
    by_flow_and_host(&file, &dir);
    by_time(&dir, &all);
}

/// Each of some flows, by its ends, is what tcpdump finds by them.
pub(crate) fn by_flow_and_host(file: &Path, dir: &Path) {
    let fields = ["-e", "ip.src", "-e", "ip.dst", "-e", "tcp.srcport", "-e", "tcp.dstport"];
    let mut tshark = Command::new("tshark");
    tshark.args(["-n", "-T", "fields", "-Y", "tcp && ip && !vlan && !icmp && !gre && !ipv6"]);
    let lines = output(tshark.args(fields).arg("-r").arg(file));
    let mut ends: Vec<Vec<&str>> = lines.lines().map(|line| line.split('\t').collect()).collect();
    ends.retain(|ends| ends.len() == 4 && !ends.iter().any(|end| end.contains(',')));
    ends.sort();
    ends.dedup();
    assert!(ends.len() > 20);
    for [a, b, p, q] in
        ends.iter().step_by(ends.len() / 10).map(|ends| [ends[0], ends[1], ends[2], ends[3]])
    {
        let address = |text: &str| text.parse::<std::net::Ipv4Addr>().unwrap().octets();
        let end = |text, port: &str| (address(text), port.parse().unwrap());
        let id = community_id(6, end(a, p), end(b, q));
        let filter = format!("tcp and host {a} and host {b} and port {p} and port {q}");
        let expected = tcpdump(file, &filter);
        assert!(!expected.is_empty());
        assert!(extract(dir, &["--community-id", &id]) == expected, "{filter} {id}");
        let filter = format!("tcp and host {a}");
        assert!(extract(dir, &["--host", a, "--filter", "tcp"]) == tcpdump(file, &filter), "{a}");
    }
}

/// The published definition, for protocols with ports, or with what stands for them, over IPv4.
pub(crate) fn community_id(protocol: u8, a: ([u8; 4], u16), b: ([u8; 4], u16)) -> String {
    let (a, b) = if a < b { (a, b) } else { (b, a) };
    let mut bytes = vec![0, 0];
    bytes.extend([a.0, b.0].concat());
    bytes.extend([protocol, 0]);
    bytes.extend([a.1.to_be_bytes(), b.1.to_be_bytes()].concat());
    let mut python = Command::new("python3");
    let code = "import base64,hashlib,json,sys\n\
                digest=hashlib.sha1(bytes(json.loads(sys.argv[1]))).digest()\n\
                print('1:'+base64.b64encode(digest).decode())";
    let list = format!("{bytes:?}");
    output(python.args(["-c", code, &list])).trim().to_owned()
}

pub(crate) fn by_time(dir: &Path, all: &[(u64, Vec<u8>)]) {
    let mut times: Vec<u64> = all.iter().map(|(time, _)| *time).collect();
    times.sort_unstable();
    let [from, to] = [times[times.len() / 3], times[times.len() / 2]];
    let moment = |time: u64| format!("{}.{:09}", time / 1_000_000_000, time % 1_000_000_000);
    let found = extract(dir, &["--from", &moment(from), "--to", &moment(to)]);
    let expected: Vec<_> =
        all.iter().filter(|(time, _)| (from..=to).contains(time)).cloned().collect();
    assert!(found == expected);
}

#[test]
fn heads_of_flows_samples_and_rotation_without_an_engine() {
    let test = "heads_of_flows_samples_and_rotation_without_an_engine";
    if programs::find(test, "tcpdump").is_none() || programs::find(test, "tshark").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_, file) = capture(folder.path(), 200);
    let all = tcpdump(&file, "");
    for (number, more) in
        [&[][..], &["--no-direct"], &["--no-uring"], &["-F", "pcap", "--sync", "never"]]
            .into_iter()
            .enumerate()
    {
        let dir = folder.path().join(format!("all{number}"));
        record(&file, &dir, &[&["--file-packets", "300"], more].concat());
        assert_eq!(files(&dir).len(), all.len().div_ceil(300));
        assert!(extract(&dir, &[]) == all, "{more:?}");
        assert_eq!(opened_by_others(&dir), all.len());
    }
    let dir = folder.path().join("filtered");
    record(&file, &dir, &["--filter", "udp port 53"]);
    assert!(extract(&dir, &[]) == tcpdump(&file, "udp port 53"));
    let dir = folder.path().join("heads");
    record(&file, &dir, &["--cutoff", "2"]);
    let heads = extract(&dir, &[]);
    assert!(!heads.is_empty() && heads.len() < all.len());
    let dir = folder.path().join("snapped");
    record(&file, &dir, &["--snap", "60"]);
    let snapped: Vec<_> =
        all.iter().map(|(time, frame)| (*time, frame[..frame.len().min(60)].to_vec())).collect();
    assert!(extract(&dir, &[]) == snapped);
    let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
    for dir in [&one, &two] {
        record(&file, dir, &["--sample", "4"]);
    }
    let sample = extract(&one, &[]);
    assert!(sample == extract(&two, &[]) && sample.len() < all.len() / 2 && !sample.is_empty());
    let dir = folder.path().join("bounded");
    let bytes = std::fs::metadata(&file).unwrap().len();
    let total = (bytes / 2).to_string();
    record(&file, &dir, &["--file-size", "20KB", "--total-size", &total, "-F", "pcap"]);
    let kept: u64 =
        std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
    assert!(kept <= bytes / 2, "{kept} of {bytes}");
    assert!(all.ends_with(&extract(&dir, &[])));
}

/// Others can open what is there at any moment, once the next start has repaired it, and it is the
/// beginning of what came.
#[test]
fn a_recorder_that_is_killed_loses_its_torn_end_at_most() {
    let test = "a_recorder_that_is_killed_loses_its_torn_end_at_most";
    if programs::find(test, "tcpdump").is_none() || programs::find(test, "tshark").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_, small) = capture(folder.path(), 300);
    let long = repeated(&small, 64_000_000);
    let format = |round| if round % 2 == 0 { "pcapng" } else { "pcap" };
    let arguments = |round| vec!["-F", format(round), "--file-size", "16MB"];
    kill((&small, &long), 6, 500_000_000, arguments, |_, _| {});
}

/// The same packets again and again.
pub(crate) fn repeated(file: &Path, bytes: usize) -> PathBuf {
    let whole = std::fs::read(file).unwrap();
    let long = file.with_extension("long.pcap");
    let copies = bytes.div_ceil(whole.len());
    std::fs::write(&long, [&whole[..24], &whole[24..].repeat(copies)].concat()).unwrap();
    long
}

/// A recorder of the second file is killed in each round, at another moment of the first `within_ns`;
/// the next start, which records nothing of the first file, repairs what is left: others open it, and it
/// is the beginning of what came. `look` has a look at it, too, and at how many packets it is.
pub(crate) fn kill(
    (small, long): (&Path, &Path),
    rounds: usize,
    within_ns: u64,
    arguments: impl Fn(usize) -> Vec<&'static str>,
    look: impl Fn(&Path, usize),
) {
    let all = packets(long);
    let (mut killed, mut kept) = (0, 0);
    for round in 0..loops(rounds) {
        let dir = long.with_file_name(format!("killed{round}"));
        let mut command = weir(&["record", &source(long), "--dir"]);
        let mut recorder = Running::start(command.arg(&dir).args(arguments(round))).unwrap();
        let nanoseconds = (u64::try_from(round).unwrap() * 83_919_777) % within_ns;
        clock::rest(Duration::from_nanos(nanoseconds));
        recorder.signal(rustix::process::Signal::KILL);
        killed += usize::from(!recorder.finish(WITHIN).unwrap().status.success());
        // The next start repairs; it records nothing here.
        record(small, &dir, &["--filter", "ether host 1:2:3:4:5:6"]);
        let there = extract(&dir, &[]);
        assert!(all.starts_with(&there), "round {round}: {} packets", there.len());
        assert_eq!(opened_by_others(&dir), there.len(), "round {round}");
        look(&dir, there.len());
        kept += there.len();
        let left = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(!left.into_iter().any(|name| name.to_string_lossy().ends_with(".part")));
        std::fs::remove_dir_all(&dir).unwrap();
    }
    assert!(killed > 0 && kept > 0, "{killed} were killed, {kept} packets kept");
}

#[test]
fn a_full_disk_and_a_clock_that_steps_back() {
    let test = "a_full_disk_and_a_clock_that_steps_back";
    if programs::find(test, "tcpdump").is_none() || programs::find(test, "tshark").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_, file) = capture(folder.path(), 300);
    let bytes = std::fs::read(&file).unwrap();
    // The second half is of an hour before.
    let mut stepped = [&bytes[..], &bytes[24..]].concat();
    let mut at = bytes.len();
    while at < stepped.len() {
        let word = |at: usize| u32::from_le_bytes(stepped[at..at + 4].try_into().unwrap());
        let (seconds, length) = (word(at) - 3600, word(at + 8));
        stepped[at..at + 4].copy_from_slice(&seconds.to_le_bytes());
        at += 16 + usize::try_from(length).unwrap();
    }
    let path = folder.path().join("stepped.pcap");
    std::fs::write(&path, &stepped).unwrap();
    let all = packets(&path);
    let dir = folder.path().join("stepped");
    record(&path, &dir, &["--file-size", "300KB"]);
    assert!(extract(&dir, &[]) == all);
    by_time(&dir, &all);
    if !rustix::process::geteuid().is_root() {
        return weir_tests::skipped(test, "a small file system needs root");
    }
    let small = folder.path().join("small");
    std::fs::create_dir(&small).unwrap();
    output(Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "weir"]).arg(&small));
    let mut command = weir(&["record", &source(&path), "--file-size", "100KB", "--dir"]);
    let full = programs::run(command.arg(&small), WITHIN);
    let seen = opened_by_others(&small);
    let there = extract(&small, &[]);
    output(Command::new("umount").arg(&small));
    let full = full.unwrap();
    assert!(!full.status.success() && full.errors.contains("No space left"), "{}", full.errors);
    assert!(is_part_of(&there, &all) && !there.is_empty() && seen == there.len(), "{seen}");
}
