//! What was recorded and what was not, by name.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use weir_shm::packets::PacketReader;

use super::disk::Told;
use super::recorder::{Counts, Recorder};
use crate::index::share;
use crate::units::Quantity;

/// See the module.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Summary {
    #[serde(flatten)]
    counts: Counts,
    /// Of those recorded: handed over, and in no file in the end.
    lost_disk_full: u64,
    lost_disk_error: u64,
    files: u64,
    file_bytes: u64,
    /// The same before they were compressed.
    uncompressed_bytes: u64,
    index_bytes: u64,
    files_removed: u64,
    flows_forgotten: u64,
    /// The filter of the packet reader left them out; not among those seen.
    filtered: u64,
    lease_lost: bool,
    way: String,
}

impl Summary {
    pub(super) fn new(recorder: &Recorder, reader: Option<&PacketReader>) -> Summary {
        let told = recorder.files.as_ref().map(|files| files.sink.told());
        let read = |count: fn(&Told) -> &AtomicU64| {
            told.map_or(0, |told| count(told).load(Ordering::Relaxed))
        };
        let (lost_disk_full, lost_disk_error) =
            (read(|told| &told.lost_full), read(|told| &told.lost_error));
        let mut counts = recorder.counts;
        counts.recorded -= (lost_disk_full + lost_disk_error).min(counts.recorded);
        Summary {
            counts,
            lost_disk_full,
            lost_disk_error,
            files: read(|told| &told.files),
            file_bytes: read(|told| &told.bytes),
            uncompressed_bytes: read(|told| &told.stream_bytes),
            index_bytes: read(|told| &told.index_bytes),
            files_removed: read(|told| &told.removed),
            flows_forgotten: recorder.flows.forgotten,
            filtered: reader.map_or(0, |reader| reader.counts().filtered),
            lease_lost: reader.is_some_and(|reader| !reader.is_leased()),
            way: told
                .map(|told| way(told, told.direct.load(Ordering::Relaxed)))
                .unwrap_or_default(),
        }
    }

    /// Of several recorders, together.
    pub(super) fn sum(summaries: Vec<Summary>) -> Option<Summary> {
        summaries.into_iter().reduce(|mut all, one| {
            all.counts.add(&one.counts);
            for (sum, more) in [
                (&mut all.lost_disk_full, one.lost_disk_full),
                (&mut all.lost_disk_error, one.lost_disk_error),
                (&mut all.files, one.files),
                (&mut all.file_bytes, one.file_bytes),
                (&mut all.uncompressed_bytes, one.uncompressed_bytes),
                (&mut all.index_bytes, one.index_bytes),
                (&mut all.files_removed, one.files_removed),
                (&mut all.flows_forgotten, one.flows_forgotten),
                (&mut all.filtered, one.filtered),
            ] {
                *sum += more;
            }
            all.lease_lost |= one.lease_lost;
            all
        })
    }

    /// Packets that were chosen and are nowhere.
    pub(super) const fn lost(&self) -> u64 {
        let Counts { dropped_disk_slow, dropped_disk_full, dropped_disk_error, .. } = self.counts;
        let Counts { dropped_link_type, dropped_too_long, dropped_interface, .. } = self.counts;
        dropped_disk_slow
            + dropped_disk_full
            + dropped_disk_error
            + dropped_link_type
            + dropped_too_long
            + dropped_interface
            + self.lost_disk_full
            + self.lost_disk_error
    }

    pub(super) fn text(&self) -> String {
        let Counts { seen, recorded, missed, .. } = self.counts;
        let mut text = format!("{recorded} of {seen} packets recorded");
        // Writing to a string does not fail.
        if self.files != 0 {
            let bytes = Quantity::Bytes.short(self.file_bytes);
            let index = share(self.index_bytes, self.file_bytes);
            write!(text, ", {} files, {bytes}", self.files).ok();
            if self.uncompressed_bytes != self.file_bytes {
                let whole = Quantity::Bytes.short(self.uncompressed_bytes);
                let part = share(self.file_bytes, self.uncompressed_bytes);
                write!(text, " of {whole} ({part})").ok();
            }
            write!(text, ", indexes {index}; {}", self.way).ok();
        }
        write!(text, "; {} lost here, {missed} missed", self.lost()).ok();
        let counts = &self.counts;
        for (why, packets) in [
            ("not chosen", counts.not_chosen),
            ("left out by the filter", self.filtered),
            ("of flows that are not sampled", counts.not_sampled),
            ("beyond the cut-off of their flow", counts.cut_off),
            ("waited in memory and were not asked for", counts.not_asked_for),
            ("dropped: the disk was slower", counts.dropped_disk_slow),
            ("dropped: the disk was full", counts.dropped_disk_full + self.lost_disk_full),
            ("dropped: the disk failed", counts.dropped_disk_error + self.lost_disk_error),
            (
                "dropped: a pcap file has one link type, and they are of another",
                counts.dropped_link_type,
            ),
            ("dropped: longer than a block", counts.dropped_too_long),
            ("dropped: the interface did not take them", counts.dropped_interface),
        ] {
            if packets != 0 {
                write!(text, "\n  {packets} {why}").ok();
            }
        }
        if self.files_removed != 0 {
            write!(text, "\n  {} older files removed", self.files_removed).ok();
        }
        text
    }
}

/// How files are written, for people.
pub(super) fn way(told: &Told, direct: bool) -> String {
    let how = if told.uring.load(Ordering::Relaxed) { "io_uring" } else { "pwrite" };
    let cache = if direct { "direct" } else { "through the page cache" };
    format!("{how}, {cache}")
}
