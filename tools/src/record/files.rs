//! Packets become files: when one ends and the next begins, which interfaces it tells of, its index.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::flows::FlowState;
use super::retain;
use super::sink::{BLOCK_BYTES, Sink};
use crate::files::Packet;
use crate::files::alert::{self, Named};
use crate::files::encode::{self, Format, Framed, Said};
use crate::files::note::Identity;
use crate::files::wire;
use crate::index::format::{Builder, Row};
use crate::pcapng::{Interface, Statistics};

/// Between two tries to begin a file after one failed.
const AGAIN_NS: u64 = 1_000_000_000;
/// Alerts of which one file tells when it begins, and that wait to be told of, at most.
const ALERTS: usize = 1 << 12;

/// Bytes of a packet with its frame, less than a block: what is told of an interface fits after it.
const MOST_BYTES: usize = BLOCK_BYTES - 4096;

/// What files are to be like.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) folder: PathBuf,
    pub(super) prefix: String,
    pub(super) format: Format,
    /// What names end with: the writer, the format, how it is compressed.
    pub(super) ending: String,
    pub(super) file_bytes: u64,
    pub(super) file_ns: Option<u64>,
    pub(super) file_packets: Option<u64>,
    pub(super) index: bool,
    /// Bytes of memory that an index in the making may take.
    pub(super) index_bytes: usize,
    /// A file in the making is looked after this often; none: what comes can wait for the disk.
    pub(super) tick_ns: Option<u64>,
    /// A file in the making reaches the disk this often.
    pub(super) sync_ns: Option<u64>,
    /// What is said of the interface.
    pub(super) name: String,
    pub(super) description: String,
    pub(super) filter: String,
    pub(super) snap_bytes: u32,
}

/// What became of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Written,
    /// The disk takes less than what comes.
    DiskSlow,
    /// The file could not be written on, for want of room or another reason.
    DiskFull,
    DiskError,
    /// A file of this format has one link type only, and it is another.
    LinkType,
    /// Longer than any file takes.
    TooLong,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Files {
    shape: Shape,
    pub(super) sink: Sink,
    framed: Framed,
    builder: Builder,
    /// (number within the source, link type), in the file's order.
    interfaces: Vec<(u32, u32)>,
    /// Of the next file, of whichever writer.
    number: Arc<AtomicU64>,
    is_open: bool,
    /// Grows with every file; 0: none yet.
    serial: u32,
    begun_ns: u64,
    ticked_ns: u64,
    synced_ns: u64,
    failed_ns: Option<u64>,
    /// Dropped here since the last packet that was written.
    lost: u64,
    lost_in_file: u64,
    /// Alerts of which the file is to tell yet, and those that are active, of which every file tells.
    alerts: BTreeMap<u64, Named>,
    active: BTreeMap<u64, Named>,
    /// The next ones of the former, as bytes.
    alert_bytes: Vec<u8>,
    first_packet_ns: u64,
    last_packet_ns: u64,
}

impl Files {
    /// Files by this shape, with numbers of `number`, which other writers may share.
    pub(super) fn new(shape: Shape, sink: Sink, number: Arc<AtomicU64>) -> Files {
        let builder = Builder::new(unit(shape.format));
        Files {
            shape,
            sink,
            framed: Framed::default(),
            builder,
            interfaces: Vec::new(),
            number,
            is_open: false,
            serial: 0,
            begun_ns: 0,
            ticked_ns: 0,
            synced_ns: 0,
            failed_ns: None,
            lost: 0,
            lost_in_file: 0,
            alerts: BTreeMap::new(),
            active: BTreeMap::new(),
            alert_bytes: Vec::new(),
            first_packet_ns: 0,
            last_packet_ns: 0,
        }
    }

    /// Packets were lost before they came here.
    pub(super) const fn missed(&mut self, packets: u64) {
        self.lost += packets;
    }

    /// An alert began, goes on or ended: the file tells of it. Beyond a number, of no more.
    pub(super) fn alert(&mut self, alert: &Named) {
        if alert.end_ns != 0 {
            self.active.remove(&alert.id);
        } else if self.active.len() < ALERTS {
            self.active.insert(alert.id, *alert);
        }
        if self.alerts.len() < ALERTS || self.alerts.contains_key(&alert.id) {
            self.alerts.insert(alert.id, *alert);
        }
    }

    /// Has a file ready for a packet; `now_ns` is a clock that never goes back. Else what becomes of
    /// the packet.
    pub(super) fn prepare(&mut self, packet: &Packet<'_>, now_ns: u64) -> Result<(), Outcome> {
        if let Some(down) = self.look(now_ns) {
            self.lost += 1;
            return Err(down);
        }
        if self.is_open && self.is_full(packet, now_ns) {
            self.close();
        }
        if !self.is_open {
            if !self.sink.has_room(4096) {
                self.lost += 1;
                return Err(Outcome::DiskSlow);
            }
            self.open(packet, now_ns);
        }
        Ok(())
    }

    /// Writes a packet with a comment, after [`Files::prepare`].
    pub(super) fn write(
        &mut self,
        packet: &Packet<'_>,
        comment: &str,
        mut flow: Option<&mut FlowState>,
    ) -> Outcome {
        let outcome = self.try_write(packet, comment, flow.as_deref_mut());
        let is_written = outcome == Outcome::Written;
        self.lost += u64::from(!is_written);
        if let (Some(flow), true) = (flow, is_written)
            && self.identity(flow).is_some()
        {
            (flow.told_serial, flow.told_app) = (self.serial, flow.apps());
        }
        outcome
    }

    /// Who a flow is, where its next packet is to tell: the first one in a file, and the first one
    /// after its application became known.
    fn identity<'a>(&self, flow: &'a FlowState) -> Option<&'a Identity> {
        let is_told = (flow.told_serial, flow.told_app) == (self.serial, flow.apps());
        flow.identity.as_ref().filter(|_| !is_told)
    }

    fn try_write(
        &mut self,
        packet: &Packet<'_>,
        comment: &str,
        flow: Option<&mut FlowState>,
    ) -> Outcome {
        let Some(interface) = self.interface(packet) else {
            return if self.shape.format == Format::Pcap {
                Outcome::LinkType
            } else {
                Outcome::DiskSlow
            };
        };
        let told = self.next_alerts();
        let identity = flow.as_deref().and_then(|flow| self.identity(flow));
        let (lost, alerts) = (self.lost, self.alert_bytes.as_slice());
        let said = Said { interface, lost, comment, alerts, identity };
        self.framed.frame(self.shape.format, packet, &said);
        let parts = [self.framed.head(), packet.bytes, self.framed.tail()];
        let bytes = parts.iter().map(|part| part.len()).sum();
        let room = bytes + self.sink.filler_bytes();
        if room >= MOST_BYTES {
            return Outcome::TooLong;
        }
        if !self.sink.has_room(room) {
            return Outcome::DiskSlow;
        }
        self.sink.section(bytes);
        let offset = self.sink.end();
        self.sink.put_all(parts, bytes);
        self.sink.whole(true);
        self.lost_in_file += std::mem::take(&mut self.lost);
        self.last_packet_ns = packet.time_ns;
        if self.shape.index {
            let row = match flow {
                Some(flow) => Some(self.row(flow)),
                None => wire::ends(packet).map(|ends| self.builder.row_of_no_flow(ends)),
            };
            self.builder.packet(offset, packet.time_ns, packet.wire_bytes, row);
        }
        self.told(told);
        Outcome::Written
    }

    /// Puts the next alerts of which the file is to tell into `alert_bytes`; how many.
    fn next_alerts(&mut self) -> usize {
        self.alert_bytes.clear();
        let next = self.alerts.values().take(alert::MOST);
        next.for_each(|alert| alert.write(&mut self.alert_bytes));
        self.alerts.len().min(alert::MOST)
    }

    /// The file tells of the first of the alerts.
    fn told(&mut self, alerts: usize) {
        let told = std::iter::from_fn(|| self.alerts.pop_first()).take(alerts);
        told.for_each(|(_, alert)| self.builder.alert(alert));
    }

    /// The flow's row in the index of the file.
    fn row(&mut self, flow: &mut FlowState) -> u32 {
        if flow.row_serial != self.serial {
            let (key, community) = flow.identity.unwrap_or_default();
            flow.row = self.builder.row(Row::new(&flow.as_note(), key, community));
            flow.row_serial = self.serial;
            flow.row_app = flow.apps();
        } else if flow.row_app != flow.apps() {
            self.builder.learn(flow.row, &flow.as_note());
            flow.row_app = flow.apps();
        }
        flow.row
    }

    /// Reads what the next packet of a flow changes in the index, so that it is at hand then.
    #[inline]
    pub(super) fn touch(&self, flow: &FlowState) {
        if flow.row_serial == self.serial {
            self.builder.touch(flow.row);
        }
    }

    /// Looks after the file when nothing comes, too. What a packet would meet, if not a file.
    pub(super) fn look(&mut self, now_ns: u64) -> Option<Outcome> {
        if self.is_open && self.sink.has_failed() {
            self.close();
            self.failed_ns = Some(now_ns);
        }
        if let Some(failed_ns) = self.failed_ns {
            if now_ns.saturating_sub(failed_ns) < AGAIN_NS {
                let full = self.sink.told().full.load(Ordering::Relaxed);
                return Some(if full { Outcome::DiskFull } else { Outcome::DiskError });
            }
            self.failed_ns = None;
        }
        let is_due = |since: u64, every: u64| now_ns.saturating_sub(since) >= every;
        if self.is_open && self.shape.tick_ns.is_some_and(|every| is_due(self.ticked_ns, every)) {
            self.ticked_ns = now_ns;
            let sync = self.shape.sync_ns.is_some_and(|every| is_due(self.synced_ns, every));
            if sync {
                self.synced_ns = now_ns;
            }
            if self.sink.has_room(self.sink.filler_bytes()) {
                // What is compressed is on its way to the disk by whole sections only.
                self.sink.section(usize::MAX);
            }
            self.sink.tick(sync);
            if self.shape.file_ns.is_some_and(|most| is_due(self.begun_ns, most)) {
                self.close();
            }
        }
        None
    }

    fn is_full(&self, packet: &Packet<'_>, now_ns: u64) -> bool {
        let Shape { file_bytes, file_ns, file_packets, index_bytes, .. } = self.shape;
        let bytes = u64::try_from(packet.bytes.len()).unwrap_or(0) + 64;
        self.sink.packets() > 0
            && (self.sink.file_bytes() + bytes > file_bytes
                || file_packets.is_some_and(|most| self.sink.packets() >= most)
                || file_ns.is_some_and(|most| now_ns.saturating_sub(self.begun_ns) >= most)
                || self.builder.memory() > index_bytes)
    }

    fn open(&mut self, packet: &Packet<'_>, now_ns: u64) {
        let Shape { folder, prefix, format, ending, .. } = &self.shape;
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        self.sink.open(folder.join(retain::name(prefix, number, packet.time_ns, ending)));
        self.serial = self.serial.wrapping_add(1).max(1);
        self.is_open = true;
        self.begun_ns = now_ns;
        (self.ticked_ns, self.synced_ns) = (now_ns, now_ns);
        self.interfaces.clear();
        self.builder = Builder::new(unit(*format));
        self.first_packet_ns = packet.time_ns;
        self.lost_in_file = 0;
        for (id, alert) in &self.active {
            self.alerts.entry(*id).or_insert(*alert);
        }
        if *format == Format::Pcapng {
            self.builder.layout(0);
        } else {
            self.interfaces.push((0, packet.link_type));
        }
        self.sink.put(&encode::begin(*format, packet.link_type));
        self.sink.whole(false);
    }

    /// The number in the file of a packet's interface; none if it cannot have one.
    fn interface(&mut self, packet: &Packet<'_>) -> Option<u32> {
        if self.shape.format == Format::Pcap {
            return self
                .interfaces
                .first()
                .filter(|(_, link)| *link == packet.link_type)
                .map(|_| 0);
        }
        let wanted = (packet.interface, packet.link_type);
        let number = |at: usize| u32::try_from(at).ok();
        if let Some(known) = self.interfaces.iter().position(|known| *known == wanted) {
            return number(known);
        }
        let name = match packet.interface {
            0 => self.shape.name.clone(),
            other => format!("{}#{other}", self.shape.name),
        };
        let block = encode::interface(&Interface {
            name: &name,
            description: &self.shape.description,
            filter: &self.shape.filter,
            link_type: packet.link_type,
            snap_bytes: self.shape.snap_bytes,
        });
        if !self.sink.has_room(block.len()) {
            return None;
        }
        self.builder.layout(self.sink.end());
        self.sink.put(&block);
        self.sink.whole(false);
        self.interfaces.push(wanted);
        number(self.interfaces.len() - 1)
    }

    /// Ends the present file, if there is one.
    pub(super) fn close(&mut self) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        if self.shape.format == Format::Pcapng && self.sink.packets() > 0 {
            let counts = Statistics {
                start_ns: self.first_packet_ns,
                end_ns: self.last_packet_ns,
                received: self.sink.packets() + self.lost_in_file,
                dropped: self.lost_in_file,
                accepted: self.sink.packets(),
                delivered: self.sink.packets(),
            };
            self.next_alerts();
            let block = encode::statistics(0, &counts, &self.alert_bytes);
            if self.sink.has_room(block.len()) {
                self.sink.put(&block);
                self.sink.whole(false);
            }
        }
        // What does not fit there, the index knows.
        self.told(usize::MAX);
        let builder = std::mem::replace(&mut self.builder, Builder::new(1));
        self.sink.close(self.shape.index.then(|| Box::new(builder)));
    }
}

/// Packets of a file begin at multiples of this.
const fn unit(format: Format) -> u64 {
    match format {
        Format::Pcapng => 4,
        Format::Pcap => 1,
    }
}
