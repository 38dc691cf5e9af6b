//! Stage: packets for other processes.
//!
//! While nobody reads, this stage is a load and a branch. While somebody does, a descriptor of
//! every frame goes into the packet ring, and the frame stays where it is until that descriptor
//! leaves the ring; see `weir_shm::packets`. Frames of sources whose memory readers cannot map are
//! copied once, into the [`Arena`].
//!
//! What the control thread wants of a shard comes here too, over a queue of its own, between turns.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::net::{SendFlags, send};
use weir_dpi::Direction;
use weir_dpi::rules::RuleSet;
use weir_shm::packets::{Descriptor, FlowWords, Join, Owners, PacketWriter, READERS, flag};

use super::{Shard, Turn};
use crate::books::Count;
use crate::capture::arena::Arena;
use crate::capture::{BATCH, Frame, Source, Tag};
use crate::flow::record;
use crate::wire::{Fragment, Parsed};

/// Pieces of a frame that readers get; a longer one is cut, and says so.
const PIECES_MOST: u32 = 255;

/// Turns with frames between two looks at who sleeps, and at what is seldom. An idle turn looks
/// too, so this bounds what sleepers wait under load and what they can cost.
const TURNS_A_LOOK: u32 = 32;

/// Commands that a shard takes between two turns at most.
const COMMANDS_A_TURN: usize = 16;

/// Times that many commands, in a turn without frames.
const LISTENS_WHEN_IDLE: usize = 64;

/// What the control thread wants of a shard.
#[derive(Debug)]
pub enum Command {
    /// A reader comes, to be woken by this socket.
    Join(Join, Arc<OwnedFd>),
    /// The reader in this place went.
    Leave(u8),
    /// A group's flows go to others.
    Deal(u8, Box<Owners>),
    /// These rules are in force from now on, or none.
    Rules(Option<Arc<RuleSet>>),
    /// A group wants no more of a flow.
    Shunt {
        /// The group's number.
        group: u8,
        /// The flow's slot, if the reader is right.
        slot: u32,
        /// Its identity.
        flow_id: u64,
    },
    /// A reader thinks so of a flow.
    Judge {
        /// It should be blocked; else it is fine.
        block: bool,
        /// The flow's slot, if the reader is right.
        slot: u32,
        /// Its identity.
        flow_id: u64,
    },
}

/// Where the control thread's commands come from.
#[derive(Debug)]
pub struct Inbox {
    /// They, in order.
    pub commands: rtrb::Consumer<Command>,
    /// How many about who comes and goes, and about rules, were obeyed.
    pub obeyed: Arc<AtomicU64>,
}

/// How a shard's packets leave it.
#[derive(Debug)]
pub struct Outlet {
    /// What the control thread wants.
    pub inbox: Inbox,
    /// For sources whose frames have to be copied for readers.
    pub arena: Option<Arena>,
    /// Wait for readers rather than have them miss something: for files.
    pub lossless: bool,
    /// The run is over: nothing waits any more.
    pub stop: Arc<AtomicBool>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Fanout {
    writer: PacketWriter,
    outlet: Option<Outlet>,
    bells: Box<[Option<Arc<OwnedFd>>]>,
    /// Frames of the turn that readers were told of, or that are no concern of theirs.
    told: usize,
    turns: u32,
    watermark_ns: u64,
    cut: u64,
    without_place: u64,
}

/// What a frame of the turn came to that became no packet: a drop reason plus 1, or this: it is
/// another shard's.
pub(super) const OTHERS: u8 = u8::MAX;

/// Frames of a turn at most. A shard that waits for its readers between turns must not overrun them
/// within one, whatever the frames' size.
pub(super) fn frames_a_turn(writer: &PacketWriter, outlet: Option<&Outlet>) -> usize {
    if !outlet.is_some_and(|outlet| outlet.lossless) {
        return BATCH;
    }
    usize::try_from(writer.allowance() / u64::from(PIECES_MOST)).unwrap_or(BATCH)
}

impl Fanout {
    /// `lendable`: pieces of the source's own memory that readers may have, if they get those.
    pub(super) fn new(
        mut writer: PacketWriter,
        outlet: Option<Outlet>,
        lendable: Option<u64>,
    ) -> Fanout {
        if let Some(pieces) = lendable {
            writer.limit_leases(pieces);
        }
        let bells = (0..READERS).map(|_| None).collect();
        Fanout {
            writer,
            outlet,
            bells,
            told: 0,
            turns: 0,
            watermark_ns: 0,
            cut: 0,
            without_place: 0,
        }
    }

    /// Whether anybody reads packets.
    #[inline(always)]
    pub(super) fn is_read(&self) -> bool {
        self.writer.is_read()
    }

    /// Wakes whoever sleeps and has something to read.
    fn ring(&mut self) -> u64 {
        let mut sleepers = self.writer.sleepers();
        let mut rung = 0;
        while sleepers != 0 {
            let place = sleepers.trailing_zeros() as usize;
            sleepers &= sleepers - 1;
            if let Some(bell) = self.bells.get(place).and_then(Option::as_ref) {
                // Without waiting: a reader whose socket is full is awake, or does not want to be.
                let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                send(bell, &[1], flags).ok();
                rung += 1;
            }
        }
        rung
    }

    fn count(&self, books: &mut crate::books::Books) {
        let demoted = self.writer.demoted();
        books.set(Count::PacketsExported, self.writer.next_packet());
        books.set(Count::PacketsRetained, self.writer.retained());
        books.set(Count::LeasesLost, demoted.times);
        books.set(Count::FramesPinned, demoted.pinned);
        books.set(Count::ExportsCut, self.cut);
        books.set(Count::ExportsWithoutPlace, self.without_place);
    }

    /// Pieces that lie in memory for copies.
    fn copied(&self) -> Option<u64> {
        let arena = self.outlet.as_ref().and_then(|outlet| outlet.arena.as_ref());
        arena.map(Arena::stored)
    }
}

impl<S: Source> Shard<S> {
    /// Takes in what the control thread wants. Costs one load where that is nothing.
    #[inline]
    pub(super) fn listen(&mut self) {
        let Some(outlet) = &self.fanout.outlet else { return };
        if !outlet.inbox.commands.is_empty() {
            self.obey();
        }
    }

    #[cold]
    fn obey(&mut self) {
        for _ in 0..COMMANDS_A_TURN {
            let outlet = self.fanout.outlet.as_mut();
            let Some(command) = outlet.and_then(|outlet| outlet.inbox.commands.pop().ok()) else {
                break;
            };
            let is_ask = matches!(command, Command::Shunt { .. } | Command::Judge { .. });
            match command {
                Command::Join(join, bell) => {
                    if let Some(place) = self.fanout.bells.get_mut(usize::from(join.place)) {
                        *place = Some(bell);
                    }
                    self.fanout.writer.join(join);
                }
                Command::Leave(place) => {
                    if let Some(bell) = self.fanout.bells.get_mut(usize::from(place)) {
                        *bell = None;
                    }
                    self.with_memory(|writer, mut give_back| writer.leave(place, &mut give_back));
                }
                Command::Deal(group, owners) => self.fanout.writer.set_group(group, &owners),
                // The control thread holds those before: nothing is freed here.
                Command::Rules(rules) => drop(self.set_rules(rules)),
                Command::Shunt { group, slot, flow_id } => self.shunt(group, slot, flow_id),
                Command::Judge { block, slot, flow_id } => self.judge(block, slot, flow_id),
            }
            if let Some(outlet) = self.fanout.outlet.as_ref().filter(|_| !is_ask) {
                let obeyed = outlet.inbox.obeyed.load(Ordering::Relaxed) + 1;
                // Pairs with the acquire load of the control thread's desk.
                outlet.inbox.obeyed.store(obeyed, Ordering::Release);
            }
        }
        self.source.flush();
        self.count_exports();
    }

    /// Brings the counts of this stage up to date; between turns, when no batch is out.
    pub(super) fn count_exports(&mut self) {
        self.fanout.count(&mut self.books);
        let lent = self.fanout.copied().unwrap_or_else(|| self.source.lent());
        self.books.set(Count::FramesLent, lent);
    }

    fn shunt(&mut self, group: u8, slot: u32, flow_id: u64) {
        if let Some(side) = self.side_of(slot, flow_id) {
            side.shunted |= 1_u16.checked_shl(group.into()).unwrap_or(0);
            record::set_shunted(self.table.slot(slot));
            self.books.one(Count::FlowsShunted);
        }
    }

    fn judge(&mut self, block: bool, slot: u32, flow_id: u64) {
        if self.side_of(slot, flow_id).is_some() {
            record::set_judged(self.table.slot(slot), block);
            self.books.one(Count::FlowsJudged);
        }
    }

    /// What the engine alone keeps of a flow, if it is still there.
    fn side_of(&mut self, slot: u32, flow_id: u64) -> Option<&mut super::Side> {
        let side = self.sides.get_mut(slot as usize)?;
        (flow_id != 0 && record::flow_id(self.table.slot(slot)) == flow_id).then_some(side)
    }

    /// Runs `work` on the ring, with where given-up frames go.
    fn with_memory<T>(
        &mut self,
        work: impl FnOnce(&mut PacketWriter, &mut dyn FnMut(u64)) -> T,
    ) -> T {
        let source = &mut self.source;
        match self.fanout.outlet.as_mut().and_then(|outlet| outlet.arena.as_mut()) {
            Some(arena) => work(&mut self.fanout.writer, &mut |addr| arena.give_back(addr)),
            None => work(&mut self.fanout.writer, &mut |addr| source.give_back(addr)),
        }
    }

    /// Before the turn's frames are shown: there is room for them.
    #[inline]
    pub(super) fn begin_fan_out(&mut self) {
        if self.fanout.outlet.as_ref().is_some_and(|outlet| outlet.lossless) {
            self.wait_for_readers();
        }
        self.fanout.told = 0;
        let frames = self.batch.as_slice().len() as u64;
        if self.fanout.writer.room() < frames {
            // For some turns at once: readers look at the floor's line, which is taken from them.
            self.make_room(frames + self.fanout.writer.room_max() / 8);
        }
    }

    /// Keeps what readers are told of the flow of the packet in the frame at `place`: at the turn's
    /// end it may be known for something else, or be gone.
    #[inline(always)]
    pub(super) fn note_packet(
        &mut self,
        place: usize,
        frame: &Frame,
        seen: &Seen,
        packet: &Parsed,
    ) {
        let verdict = seen.verdict;
        let mut told = describe_flow(frame, seen, packet);
        if verdict & record::OF_READERS != 0 {
            told.shunted = self.sides[seen.slot as usize].shunted;
            told.flags |= record::judged(verdict);
        }
        self.work.told[place] = told.flow_words();
    }

    /// The same of all packets, where nobody looks flows up.
    pub(super) fn note_parsed(&mut self) {
        let work = &mut *self.work;
        for place in &work.frame[..work.packets] {
            work.fate[usize::from(*place)] = 0;
            work.told[usize::from(*place)] = FlowWords::default();
        }
    }

    /// Tells readers of the turn's frames.
    #[inline]
    fn show(&mut self) {
        let frames = self.batch.as_slice().len();
        while self.fanout.told < frames {
            self.show_run();
            if self.fanout.told < frames {
                self.show_odd();
            }
        }
    }

    /// Tells readers of frames that are packets of flows and lie in one piece, up to the first that
    /// is anything else.
    #[inline(always)]
    fn show_run(&mut self) {
        let Shard { source, batch, work, fanout, .. } = self;
        let frames = &batch.as_slice()[fanout.told..];
        let flows = &work.told[fanout.told..][..frames.len()];
        let plain = |(frame, flow): (&Frame, &FlowWords)| flow.has_flow() && source.is_whole(frame);
        let odd = frames.iter().zip(flows).position(|both| !plain(both)).unwrap_or(frames.len());
        let run = frames[..odd].iter().zip(&flows[..odd]);
        fanout.told += fanout.writer.push_frames(run.map(|(frame, flow)| (lies(frame), flow)));
    }

    /// Tells readers of a frame that may be anything.
    #[cold]
    fn show_odd(&mut self) {
        let place = self.fanout.told;
        self.fanout.told += 1;
        let (frame, flow) = (self.batch.as_slice()[place], self.work.told[place]);
        let descriptor = match self.work.fate[place] {
            _ if flow.has_flow() => describe(&frame, 0).with_flow(&flow),
            OTHERS => return,
            fate => describe(&frame, fate),
        };
        if self.source.is_whole(&frame) {
            let Descriptor { address, bytes, .. } = lies(&frame);
            self.push(Descriptor { address, bytes, pieces: 1, ..descriptor });
        } else if self.source.piece(&frame, None).is_some() {
            self.lend_pieces(&frame, descriptor);
        } else {
            self.copy_out(&frame, descriptor);
        }
    }

    /// Shows readers the turn's frames: those that are left, and all of them at once.
    #[inline(never)]
    pub(super) fn fan_out(&mut self, now_ns: u64) {
        self.show();
        let watermark_ns = self.watermark_ns(now_ns);
        self.fanout.writer.publish(watermark_ns);
        if self.fanout.outlet.as_ref().is_some_and(|outlet| outlet.arena.is_some()) {
            self.source.release(&self.batch);
        } else {
            while self.source.is_short() && self.shorten() {}
            self.source.flush();
        }
        self.fanout.turns += 1;
        if self.fanout.turns.is_multiple_of(TURNS_A_LOOK) {
            self.look_after_readers();
        }
    }

    /// What is due now and then while somebody reads, and in idle turns always: epochs that wait,
    /// readers that were demoted, sleepers.
    pub(super) fn look_after_readers(&mut self) {
        self.with_memory(|writer, mut give_back| writer.look_after(&mut give_back));
        let rung = self.fanout.ring();
        self.books.add(Count::ReadersRung, rung);
        self.count_exports();
    }

    /// An idle turn, or the end of the input.
    pub(super) fn fan_out_nothing(&mut self, now_ns: u64, turn: Turn) {
        // There is time for all that is in the queue, and the next look may be a nap away.
        for _ in 0..LISTENS_WHEN_IDLE {
            self.listen();
        }
        if turn == Turn::End {
            self.fanout.writer.end();
        } else if self.fanout.is_read() {
            let watermark_ns = self.watermark_ns(now_ns);
            self.fanout.writer.publish(watermark_ns);
        }
        if self.fanout.is_read() {
            self.look_after_readers();
            self.source.flush();
        }
    }

    /// No frame to come is older than this.
    fn watermark_ns(&mut self, now_ns: u64) -> u64 {
        let times = || self.batch.as_slice().iter().map(|frame| frame.timestamp_ns);
        // A full batch: there may be more of that age. Else everything that was there is here.
        let full = self.batch.is_full() && self.plan.live;
        let sure = if full { times().min().unwrap_or(now_ns) } else { now_ns };
        let fanout = &mut self.fanout;
        let watermark_ns = sure.saturating_sub(self.source.lateness_ns());
        fanout.watermark_ns = fanout.watermark_ns.max(watermark_ns);
        fanout.watermark_ns
    }

    /// Files can wait: no reader is to miss anything.
    fn wait_for_readers(&mut self) {
        while self.fanout.writer.behind() > self.fanout.writer.allowance() {
            let stopped = |outlet: &Outlet| outlet.stop.load(Ordering::Relaxed);
            if self.fanout.outlet.as_ref().is_none_or(stopped) {
                return;
            }
            self.listen();
            self.look_after_readers();
            std::thread::yield_now();
        }
    }

    /// Shows a frame of several pieces where it lies.
    #[cold]
    fn lend_pieces(&mut self, frame: &Frame, mut descriptor: Descriptor) {
        let mut pieces = 0;
        let mut piece = self.source.piece(frame, None);
        while let Some((addr, _)) = piece {
            pieces += 1;
            piece = self.source.piece(frame, Some(addr));
        }
        let shown = u8::try_from(pieces.min(PIECES_MOST)).unwrap_or(u8::MAX);
        if pieces > PIECES_MOST {
            descriptor.flags |= flag::TRUNCATED;
            self.fanout.cut += 1;
        }
        self.make_room_for(shown);
        let mut at = self.source.piece(frame, None);
        for number in 0..pieces {
            let Some((addr, bytes)) = at else { break };
            at = self.source.piece(frame, Some(addr));
            if number < PIECES_MOST {
                (descriptor.address, descriptor.bytes) = (addr, bytes);
                descriptor.piece = u8::try_from(number).unwrap_or(0);
                descriptor.pieces = shown;
                self.push(descriptor);
            } else {
                self.source.give_back(addr);
            }
        }
    }

    /// Copies a frame into the arena and shows it there.
    fn copy_out(&mut self, frame: &Frame, mut descriptor: Descriptor) {
        let wanted = Arena::pieces(frame.captured_bytes);
        let pieces = u8::try_from(wanted.min(PIECES_MOST)).unwrap_or(u8::MAX);
        if wanted > PIECES_MOST {
            descriptor.flags |= flag::TRUNCATED;
            self.fanout.cut += 1;
        }
        if pieces > 1 {
            self.make_room_for(pieces);
        }
        let free = |shard: &Self| {
            let arena = shard.fanout.outlet.as_ref().and_then(|outlet| outlet.arena.as_ref());
            arena.map_or(0, Arena::free)
        };
        while free(self) < usize::from(pieces) {
            if !self.shorten() {
                // Everything is pinned; sized so that it cannot be.
                self.fanout.without_place += 1;
                return;
            }
        }
        for number in 0..pieces {
            let arena = self.fanout.outlet.as_mut().and_then(|outlet| outlet.arena.as_mut());
            let bytes = self.source.bytes(frame);
            let stored = arena.and_then(|arena| arena.store(bytes, number.into()));
            let Some((addr, length)) = stored else { return };
            (descriptor.address, descriptor.bytes) = (addr, length);
            (descriptor.piece, descriptor.pieces) = (number, pieces);
            self.push(descriptor);
        }
    }

    #[inline(always)]
    fn push(&mut self, mut descriptor: Descriptor) {
        descriptor.packet = self.fanout.writer.next_packet();
        self.fanout.writer.push(&descriptor);
    }

    /// Makes room for a frame of several pieces, over and above the turn's other frames.
    fn make_room_for(&mut self, pieces: u8) {
        let others =
            self.batch.as_slice().len() - self.fanout.told.min(self.batch.as_slice().len());
        self.make_room(others as u64 + u64::from(pieces));
    }

    fn make_room(&mut self, pieces: u64) {
        let Shard { source, fanout, .. } = self;
        let arena = fanout.outlet.as_mut().and_then(|outlet| outlet.arena.as_mut());
        match arena {
            Some(arena) => fanout.writer.make_room(pieces, |addr| arena.give_back(addr)),
            None => fanout.writer.make_room(pieces, |addr| source.give_back(addr)),
        }
    }

    /// Lets the oldest frames of the ring go before their time. Whether there were any.
    #[cold]
    fn shorten(&mut self) -> bool {
        /// Descriptors that leave at a time.
        const STEP: u64 = 64;
        // What was pushed in this turn must be shown before it can leave.
        let watermark_ns = self.fanout.watermark_ns;
        self.fanout.writer.publish(watermark_ns);
        let before = self.fanout.writer.retained();
        self.with_memory(|writer, mut give_back| writer.shorten(STEP, &mut give_back));
        self.books.one(Count::WindowsShortened);
        self.fanout.writer.retained() < before
    }
}

#[inline(always)]
fn stripped(frame: &Frame) -> u8 {
    if frame.tag == Tag::None { 0 } else { flag::VLAN_STRIPPED }
}

/// What is known of any frame.
#[inline(always)]
fn describe(frame: &Frame, fate: u8) -> Descriptor {
    Descriptor {
        timestamp_ns: frame.timestamp_ns,
        wire_bytes: frame.wire_bytes,
        flow_slot: u32::MAX,
        vlan: frame.vlan,
        tag: frame.tag as u8,
        interface: frame.interface,
        link: frame.link as u8,
        flags: stripped(frame),
        reason: fate,
        ..Descriptor::default()
    }
}

/// What the look-up found out about a packet.
pub(super) struct Seen {
    pub(super) flow_id: u64,
    pub(super) slot: u32,
    pub(super) hash: u64,
    /// The flow's verdict word, as it is at this packet.
    pub(super) verdict: u64,
}

/// What is known of a frame that readers get where it is, and whole.
#[inline(always)]
fn lies(frame: &Frame) -> Descriptor {
    Descriptor { address: frame.addr, bytes: frame.captured_bytes, ..describe(frame, 0) }
}

/// What is known of a packet's flow, and no more.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the low half of the hash is meant")]
fn describe_flow(frame: &Frame, seen: &Seen, packet: &Parsed) -> Descriptor {
    let [m0, m1, a0, a1, _, _, confidence, _] = seen.verdict.to_le_bytes();
    let to_client = record::direction(seen.verdict, packet.swapped) == Direction::ToClient;
    let mut flags = flag::HAS_FLOW | if to_client { flag::TO_CLIENT } else { 0 };
    let (fragment, tunnelled) = (packet.fragment != Fragment::No, packet.key.is_tunnelled());
    // Few packets are any of these.
    if fragment || tunnelled || frame.tag != Tag::None {
        flags |= stripped(frame);
        flags |= if fragment { flag::FRAGMENT } else { 0 };
        flags |= if tunnelled { flag::TUNNELLED } else { 0 };
    }
    Descriptor {
        flags,
        flow_id: seen.flow_id,
        flow_slot: seen.slot,
        // 0 is for frames of no flow.
        hash: seen.hash as u32 + u32::from(seen.hash as u32 == 0),
        master: u16::from_le_bytes([m0, m1]),
        app: u16::from_le_bytes([a0, a1]),
        confidence,
        ..Descriptor::default()
    }
}
