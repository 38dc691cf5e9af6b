//! `--write`: the same frames at the same times as a capture file, pcap with nanoseconds.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::Context;

use super::meter::Meter;
use super::pacer::End;
use super::traffic::{MAX_FRAME_BYTES, Traffic};

/// Nanoseconds, little endian (draft-ietf-opsawg-pcap).
const MAGIC: u32 = 0xa1b2_3c4d;
const VERSION: u32 = 0x0004_0002;
const ETHERNET: u32 = 1;
/// When the first frame comes: a fixed moment, so that the same seed gives the same file.
const START_SECONDS: u64 = 1_700_000_000;

/// Writes all of `traffic` to a file.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write(path: &Path, traffic: &mut Traffic, end: End<'_>) -> anyhow::Result<Meter> {
    let cannot = || format!("cannot write {}", path.display());
    let file = File::create(path).with_context(cannot)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let meter = write_to(&mut out, traffic, end).with_context(cannot)?;
    out.flush().with_context(cannot)?;
    Ok(meter)
}

fn write_to(out: &mut impl Write, traffic: &mut Traffic, end: End<'_>) -> io::Result<Meter> {
    let longest = u32::try_from(MAX_FRAME_BYTES).unwrap_or(u32::MAX);
    words(out, &[MAGIC, VERSION, 0, 0, longest, ETHERNET])?;
    let mut meter = Meter::new(false);
    let mut room = vec![0; MAX_FRAME_BYTES];
    let after_ns = end.after_ns.unwrap_or(u64::MAX);
    while let Some(due_ns) = traffic.due_ns().filter(|due_ns| *due_ns < after_ns) {
        if end.stop.load(Ordering::Relaxed) {
            break;
        }
        let length = traffic.write(&mut room);
        let bytes = u32::try_from(length).unwrap_or(0);
        let seconds = START_SECONDS + due_ns / 1_000_000_000;
        let nanoseconds = due_ns % 1_000_000_000;
        let [seconds, nanoseconds] =
            [seconds, nanoseconds].map(|part| u32::try_from(part).unwrap_or(u32::MAX));
        words(out, &[seconds, nanoseconds, bytes, bytes])?;
        out.write_all(room.get(..length).unwrap_or(&[]))?;
        meter.record(due_ns, due_ns, bytes);
    }
    Ok(meter)
}

fn words<const N: usize>(out: &mut impl Write, words: &[u32; N]) -> io::Result<()> {
    words.iter().try_for_each(|word| out.write_all(&word.to_le_bytes()))
}
