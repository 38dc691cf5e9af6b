//! The control thread's desk: packet readers come, go and ask; the shards are told, and what
//! readers say of themselves is put where people can see it.
//!
//! Each shard has a queue for that, with one writer and one reader. What does not fit waits here:
//! who comes and goes in order, before anything that was asked, so that no flood of asks keeps
//! anybody out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rtrb::{Producer, RingBuffer};
use weir_dpi::rules::RuleSet;
use weir_shm::packets::{GROUPS, GroupRow, Join, PageReader, ReaderRow, ReaderTable};
use weir_shm::{
    Asked, Event, Joined, RulesAsked, RulesClient, SegmentFd, Server, ShardReader, What,
};

use crate::shard::{Command, Inbox};
use crate::sys::clock;

/// Commands that a shard's queue holds.
const QUEUE: usize = 1024;
/// Asks among them at most, so that who comes or goes waits for few.
const ASKS: usize = 768;
/// Asks that wait for a shard at most; more are dropped, and counted.
const BACKLOG: usize = 65_536;

/// See the module.
#[derive(Debug)]
pub(crate) struct Desk {
    table: ReaderTable,
    shards: Vec<Line>,
    seats: Vec<Seat>,
    /// Those that went, with their groups, until every shard has let them go.
    gone: Vec<Gone>,
    left_unread: [u64; GROUPS],
    shunted: [u64; GROUPS],
    /// Packet readers that ever came.
    came: usize,
    /// Asks that found no room to wait in.
    asks_dropped: u64,
}

/// The way to a shard.
#[derive(Debug)]
struct Line {
    queue: Producer<Command>,
    /// Who comes and goes.
    backlog: VecDeque<Command>,
    asks: VecDeque<Command>,
    /// Commands about who comes and goes, and about rules: told, and obeyed by the shard.
    told: u64,
    obeyed: Arc<AtomicU64>,
    view: ShardReader,
}

/// A packet reader that went.
#[derive(Debug)]
struct Gone {
    seat: Seat,
    group: Option<u8>,
    /// What each shard will have been told when it has let the reader go.
    told: Vec<u64>,
}

/// A packet reader.
#[derive(Debug)]
struct Seat {
    row: ReaderRow,
    pages: Vec<PageReader>,
}

impl Desk {
    /// A desk for shards with these segments. Gives the shards' ends of the queues too.
    pub(crate) fn new(
        table: ReaderTable,
        segments: &[SegmentFd],
    ) -> Result<(Desk, Vec<Inbox>), weir_shm::Error> {
        let (mut shards, mut ends) = (Vec::new(), Vec::new());
        for segment in segments {
            let (queue, commands) = RingBuffer::new(QUEUE);
            let obeyed = Arc::new(AtomicU64::new(0));
            ends.push(Inbox { commands, obeyed: Arc::clone(&obeyed) });
            let view = ShardReader::of(segment)?;
            shards.push(Line {
                queue,
                backlog: VecDeque::new(),
                asks: VecDeque::new(),
                told: 0,
                obeyed,
                view,
            });
        }
        let desk = Desk {
            table,
            shards,
            seats: Vec::new(),
            gone: Vec::new(),
            left_unread: [0; GROUPS],
            shunted: [0; GROUPS],
            came: 0,
            asks_dropped: 0,
        };
        Ok((desk, ends))
    }

    /// Packet readers that ever came.
    pub(crate) fn came(&self) -> usize {
        self.came
    }

    /// Asks that were dropped because too many waited.
    pub(crate) fn asks_dropped(&self) -> u64 {
        self.asks_dropped
    }

    /// Whether every reader that is there has read everything that was written.
    pub(crate) fn all_is_read(&self) -> bool {
        let read = |seat: &Seat| {
            let pairs = seat.pages.iter().zip(&self.shards);
            pairs.fold(true, |all, (page, line)| all & (page.position() >= line.view.packet_tail()))
        };
        self.seats.iter().all(read)
    }

    /// Tells the shards what happened; gives what is asked about rules.
    pub(crate) fn handle(&mut self, events: Vec<Event>) -> Vec<(RulesClient, RulesAsked)> {
        let mut about_rules = Vec::new();
        for event in events {
            match event {
                Event::Joined(joined) => self.seat(&joined),
                Event::Left { place, group } => self.unseat(place, group),
                Event::Dealt { group, owners } => {
                    for line in &mut self.shards {
                        line.tell(Command::Deal(group, owners.clone()));
                    }
                }
                Event::Asked(asked) => self.ask(asked),
                Event::Rules(client, asked) => about_rules.push((client, asked)),
            }
        }
        self.pass_on();
        about_rules
    }

    /// Gives every shard these rules, or none. Gives what each will have been told with them.
    pub(crate) fn give_rules(&mut self, rules: Option<&Arc<RuleSet>>) -> Vec<u64> {
        let lines = self.shards.iter_mut();
        let told = lines.map(|line| {
            line.tell(Command::Rules(rules.cloned()));
            line.told
        });
        told.collect()
    }

    /// Whether each shard has obeyed so many commands.
    pub(crate) fn all_obeyed(&self, told: &[u64]) -> bool {
        self.shards.iter().zip(told).all(|(line, told)| line.has_obeyed() >= *told)
    }

    /// Gives the shards what waited for room.
    pub(crate) fn pass_on(&mut self) {
        for line in &mut self.shards {
            line.pass_on();
        }
    }

    fn seat(&mut self, joined: &Joined) {
        let &Joined { place, generation, ref admission, group, pid, uid, ref bell, .. } = joined;
        let mut pages = Vec::new();
        for (shard, line) in (0_u16..).zip(&mut self.shards) {
            let page = joined.page(shard);
            pages.push(page.clone());
            let (lease, bell) = (admission.lease, Arc::clone(bell));
            line.tell(Command::Join(Join { place, generation, page, lease }, bell));
        }
        let row = ReaderRow {
            place,
            pid,
            uid,
            program: admission.program.clone(),
            group,
            lease: admission.lease,
            since_ns: clock::unix_ns(),
            ..ReaderRow::default()
        };
        self.table.set_reader(&row);
        self.seats.push(Seat { row, pages });
        self.came += 1;
    }

    fn unseat(&mut self, place: u8, group: Option<u8>) {
        for line in &mut self.shards {
            line.tell(Command::Leave(place));
        }
        self.table.clear_reader(place);
        if let Some(at) = self.seats.iter().position(|seat| seat.row.place == place) {
            let seat = self.seats.swap_remove(at);
            // The group's flows are dealt out to others right after.
            let more = u64::from(group.is_some());
            let told = self.shards.iter().map(|line| line.told + more).collect();
            self.gone.push(Gone { seat, group, told });
        }
    }

    fn ask(&mut self, asked: Asked) {
        let Asked { shard, flow_slot: slot, flow_id, what } = asked;
        let Some(line) = self.shards.get_mut(usize::from(shard)) else { return };
        if line.asks.len() >= BACKLOG {
            self.asks_dropped += 1;
            return;
        }
        line.asks.push_back(match what {
            What::Shunt { group } => {
                if let Some(count) = self.shunted.get_mut(usize::from(group)) {
                    *count += 1;
                }
                Command::Shunt { group, slot, flow_id }
            }
            What::Allow => Command::Judge { block: false, slot, flow_id },
            What::Block => Command::Judge { block: true, slot, flow_id },
        });
    }

    /// Brings the table up to date: what readers say, what the shards did with them, and what
    /// members of groups left unread.
    pub(crate) fn refresh(&mut self, server: &mut Server) {
        for seat in &mut self.seats {
            let Seat { row, pages, .. } = seat;
            let mut sums = [0_u64; 5];
            (row.demotions, row.pinned, row.behind) = (0, 0, 0);
            for (page, line) in pages.iter().zip(&self.shards) {
                for (sum, word) in sums.iter_mut().zip(page.shown()) {
                    *sum = sum.wrapping_add(word);
                }
                let state = line.view.packet_reader(row.place);
                row.demotions += state.demotions;
                row.pinned += state.pinned;
                let behind = line.view.packet_tail().saturating_sub(page.position());
                row.behind = row.behind.max(behind);
            }
            [row.delivered, row.missed, row.filtered, row.others, row.shunted] = sums;
            self.table.set_reader(row);
        }
        self.look_at_the_gone(server);
        for (number, (name, members)) in (0_u8..).zip(server.groups().iter()) {
            let at = usize::from(number);
            self.table.set_group(&GroupRow {
                number,
                name: name.to_owned(),
                members,
                left_unread: self.left_unread.get(at).copied().unwrap_or(0),
                shunted_flows: self.shunted.get(at).copied().unwrap_or(0),
            });
        }
    }

    /// Counts what a member that went had not read, once its flows are others'.
    fn look_at_the_gone(&mut self, server: &mut Server) {
        let (shards, left_unread) = (&self.shards, &mut self.left_unread);
        self.gone.retain(|Gone { seat, group, told }| {
            let place = seat.row.place;
            if !shards.iter().zip(told).all(|(line, told)| line.has_obeyed() >= *told) {
                return true;
            }
            server.has_let_go(place);
            let Some(group) = *group else { return false };
            for (page, line) in seat.pages.iter().zip(shards) {
                if let Some(count) = left_unread.get_mut(usize::from(group)) {
                    *count += line.view.share_of(place, group, page.position());
                }
            }
            false
        });
    }
}

impl Line {
    fn tell(&mut self, command: Command) {
        self.told += 1;
        self.backlog.push_back(command);
        self.pass_on();
    }

    fn pass_on(&mut self) {
        while let Some(command) = self.backlog.pop_front() {
            if let Err(rtrb::PushError::Full(command)) = self.queue.push(command) {
                self.backlog.push_front(command);
                return;
            }
        }
        while QUEUE - self.queue.slots() < ASKS
            && let Some(command) = self.asks.pop_front()
        {
            if let Err(rtrb::PushError::Full(command)) = self.queue.push(command) {
                self.asks.push_front(command);
                return;
            }
        }
    }

    /// Commands about who comes and goes, and about rules, that the shard has obeyed, and what it wrote with them.
    fn has_obeyed(&self) -> u64 {
        // Pairs with the shard's release store after each.
        self.obeyed.load(Ordering::Acquire)
    }
}
