//! The XDP program and the engine's parser agree on which tuple of a frame is the innermost one:
//! over all labelled captures, as they are and with bytes changed at random, the program's hash is
//! the hash of the parser's flow key. If they did not, a flow could be seen by two shards.
//!
//! Needs root, and the captures at `../shared/corpus/ndpi` or where `WEIR_CORPUS` says.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};

use weir_ebpf::hash::{self, Tuple};
use weir_ebpf::metadata::{FLAG_FRAGMENT, FLAG_SHALLOW, METADATA_BYTES, Metadata};
use weir_ebpf::{Error, Program, Settings, Split};
use weir_engine::capture::file::FileSource;
use weir_engine::capture::{Batch, Frame, Received, Source};
use weir_engine::wire::{Fragment, LinkType, Parsed, Tunnel, parse};

const KEY: [u64; 2] = [0x0f1e_2d3c_4b5a_6978, 0x8796_a5b4_c3d2_e1f0];

/// Frames longer than this come to the program in several buffers; captures hold few of them.
const LONGEST: usize = 3000;

fn corpus() -> Option<PathBuf> {
    let root = std::env::var_os("WEIR_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/ndpi"),
        PathBuf::from,
    );
    root.join("pcap").is_dir().then_some(root)
}

fn program() -> Option<Program> {
    let settings = Settings {
        interface: "lo".to_owned(),
        interface_index: 1,
        queues: 1,
        shards: 4,
        split: Split::Xdp,
        key: KEY,
        hints: false,
    };
    match Program::load(&settings) {
        Ok(program) => Some(program),
        Err(Error::Load { source, .. }) if source.raw_os_error() == Some(1) => None,
        Err(other) => panic!("{other}"),
    }
}

/// What the program says and what the parser's answer makes of it.
#[derive(PartialEq, Eq, Debug)]
enum Answer {
    Agree(Tunnel),
    Differ(String),
    /// Not comparable: no flow, cut off, no Ethernet, or too long.
    Out,
    /// The parser goes on into tunnels that the program leaves whole, or further than its limit.
    Coarser,
}

fn compare(program: &Program, frame: &Frame, bytes: &[u8]) -> Answer {
    let mut parsed = Parsed::default();
    let whole = frame.captured_bytes == frame.wire_bytes && (14..=LONGEST).contains(&bytes.len());
    if frame.link != LinkType::Ethernet
        || !whole
        || parse(frame.link, 0, bytes, frame.wire_bytes, &mut parsed).is_err()
    {
        return Answer::Out;
    }
    let run = program.run(bytes, 1).unwrap();
    let metadata = Metadata::read(run.data.first_chunk::<METADATA_BYTES>().unwrap()).unwrap();
    let key = parsed.key;
    if matches!(key.tunnel(), Tunnel::Tzsp | Tunnel::Capwap) || metadata.flags & FLAG_SHALLOW != 0 {
        return Answer::Coarser;
    }
    let fragment = parsed.fragment != Fragment::No;
    if fragment != (metadata.flags & FLAG_FRAGMENT != 0) {
        return Answer::Differ(format!("fragment {fragment}, flags {:#x}", metadata.flags));
    }
    let tuple = if fragment {
        // The datagram's own addresses, which the key has unless the piece holds a tunnel.
        if key.tunnel() != Tunnel::None {
            return Answer::Coarser;
        }
        Tuple::fragment(key.address_lo(), key.address_hi())
    } else {
        let ports = (key.port_lo(), key.port_hi());
        Tuple::new(key.address_lo(), key.address_hi(), ports, key.protocol())
    };
    if metadata.hash == hash::symmetric(KEY, &tuple) {
        return Answer::Agree(key.tunnel());
    }
    Answer::Differ(format!("{tuple:x?}, tunnel {:?}, flags {:#x}", key.tunnel(), metadata.flags))
}

/// What was compared so far.
#[derive(Default)]
struct Tally {
    agree: u64,
    tunnels: u64,
    coarser: u64,
    out: u64,
    differ: u64,
}

impl Tally {
    fn add(&mut self, program: &Program, frame: &Frame, bytes: &[u8], name: &str) {
        match compare(program, frame, bytes) {
            Answer::Agree(Tunnel::None) => self.agree += 1,
            Answer::Agree(_) => self.tunnels += 1,
            Answer::Coarser => self.coarser += 1,
            Answer::Out => self.out += 1,
            Answer::Differ(why) => {
                self.differ += 1;
                if self.differ < 40 {
                    eprintln!("{name}: {why}\n    {bytes:02x?}");
                }
            }
        }
    }

    fn end(&self, test: &str) {
        let Tally { agree, tunnels, coarser, out, differ } = self;
        eprintln!(
            "{test}: {agree} frames agree and {tunnels} in tunnels, {coarser} are hashed coarser, \
             {out} are not comparable"
        );
        assert_eq!(*differ, 0, "see above");
        assert!(*agree > 10_000 && *tunnels > 100);
    }
}

/// Hands every frame of every capture to `each`, with the capture's name.
fn frames(corpus: &Path, mut each: impl FnMut(&Frame, &[u8], &str)) {
    let mut files: Vec<PathBuf> = std::fs::read_dir(corpus.join("pcap"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let Ok(mut source) = FileSource::open(&file) else { continue };
        let mut batch = Batch::default();
        while source.receive(&mut batch) == Received::Frames {
            for frame in batch.as_slice() {
                each(frame, source.bytes(frame), &name);
            }
            source.release(&batch);
            batch.clear();
        }
    }
}

/// Both things that a test needs, or none, which is shown.
fn needs(test: &str) -> Option<(PathBuf, Program)> {
    let Some(corpus) = corpus() else {
        eprintln!("SKIPPED {test}: no captures at ../shared/corpus/ndpi");
        return None;
    };
    let Some(program) = program() else {
        eprintln!("SKIPPED {test}: loading BPF programs needs root");
        return None;
    };
    Some((corpus, program))
}

#[test]
fn on_every_frame_of_the_captures() {
    let Some((corpus, program)) = needs("on_every_frame_of_the_captures") else { return };
    let mut tally = Tally::default();
    frames(&corpus, |frame, bytes, name| tally.add(&program, frame, bytes, name));
    tally.end("on_every_frame_of_the_captures");
}

/// Frames in tunnels are changed many times, others once; mostly in their headers.
#[test]
fn on_frames_with_bytes_changed() {
    let Some((corpus, program)) = needs("on_frames_with_bytes_changed") else { return };
    let mut tally = Tally::default();
    // Marsaglia's xorshift: the same changes each time.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 1).unwrap() % limit
    };
    frames(&corpus, |frame, bytes, name| {
        let mut parsed = Parsed::default();
        let understood = parse(frame.link, 0, bytes, frame.wire_bytes, &mut parsed).is_ok();
        let times = if understood && parsed.key.tunnel() != Tunnel::None { 100 } else { 1 };
        let headers = bytes.len().min(usize::from(parsed.payload_at) + 8);
        for _ in 0..times {
            let mut changed = bytes.to_vec();
            for _ in 0..=below(3) {
                if headers > 12 {
                    // Not the Ethernet addresses, which matter to nobody.
                    let at = 12 + below(headers - 12);
                    changed[at] ^= 1 << below(8);
                }
            }
            tally.add(&program, frame, &changed, name);
        }
    });
    tally.end("on_frames_with_bytes_changed");
}
