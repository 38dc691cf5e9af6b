//! Those who read packets: who is let in, where they sit, what they say.

use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::RecvFlags;

use super::event::{Asked, Event, Joined, What};
use super::{EVENTS_MAX, Kind, Outcome, Reader, Server, Stage};
use crate::packets::{self, Admission, READERS};
use crate::protocol::{self, Ask, Request, Status};
use crate::segment::{make_page, seal_page};
use crate::writer::SegmentFd;

enum Heard {
    Asked(Asked),
    /// It has mapped its page.
    Ready,
    /// Of a group that is not there any more.
    Nothing,
    Nonsense,
}

/// Packet readers of one user at one time; root and the engine's own user are exempt.
const PLACES_OF_A_USER: usize = READERS / 2;

/// Readers that left and that some shard still knows, at most.
const LEAVING_MAX: usize = 4 * READERS;

impl Server {
    /// Lets a reader have what it asks for, if it may.
    pub(super) fn admit(&mut self, reader: &mut Reader, request: Request) -> Result<(), Status> {
        let more = match request {
            Request::Segments => return Ok(()),
            Request::Rules if super::exempt(reader.uid) => {
                reader.kind = Kind::Rules;
                return Ok(());
            }
            Request::Rules => return Err(Status::NotOwner),
            Request::Control => None,
            Request::Packets(admission) => Some(admission),
            Request::Unknown => return Err(Status::UnknownRequest),
        };
        if !self.allowed(&self.offer.packets, reader.uid, reader.gid, &reader.socket) {
            return Err(Status::NotAllowed);
        }
        let Some(admission) = more else {
            reader.kind = Kind::Control;
            return Ok(());
        };
        self.seat(reader, admission).ok_or(Status::Busy)
    }

    /// Gives a packet reader its place, page and group. It has joined once it has mapped the page.
    fn seat(&mut self, reader: &mut Reader, admission: Admission) -> Option<()> {
        let packets = |other: &&Reader| matches!(other.kind, Kind::Packets { .. });
        let of_user = self.readers.iter().flatten().filter(packets);
        let of_user = of_user.filter(|other| other.uid == reader.uid).count();
        if of_user >= PLACES_OF_A_USER && !super::exempt(reader.uid) {
            return None;
        }
        let free = self.free_place()?;
        let bell = Arc::new(reader.socket.try_clone().ok()?);
        let group = match admission.group.as_str() {
            "" => None,
            name => Some(self.groups.expect(name, free)?),
        };
        let generation = self.generation + 1;
        let bytes = packets::page_bytes(self.shards);
        let first = [generation, free.into(), group.map_or(0, |group| u64::from(group) + 1)];
        let made = make_page(bytes, &first).ok();
        let Some((fd, page)) = made else {
            group.map(|group| self.groups.leave(group, free));
            return None;
        };
        self.generation = generation;
        self.places |= 1 << free;
        reader.kind = Kind::Packets { place: free, group };
        reader.more.clone_from(&self.frames);
        let descriptor = SegmentFd::page(free, fd, bytes);
        reader.more.push(descriptor.clone());
        let (pid, uid) = (reader.pid, reader.uid);
        let joined = Joined { place: free, generation, admission, group, pid, uid, bell, page };
        reader.coming = Some(Box::new((joined, descriptor)));
        Some(())
    }

    /// Takes in a reader that has mapped its page.
    fn take_in(&mut self, reader: &mut Reader) -> Outcome {
        let is_its = |coming: &(Joined, SegmentFd)| {
            reader.stage == Stage::Attached && seal_page(coming.1.as_fd()).is_ok()
        };
        if !reader.coming.as_deref().is_some_and(is_its) {
            return Outcome::Close;
        }
        let Some(coming) = reader.coming.take() else { return Outcome::Close };
        let (joined, _) = *coming;
        let (place, group) = (joined.place, joined.group);
        self.events.push(Event::Joined(joined));
        if let Some(group) = group
            && let Some(owners) = self.groups.join(group, place)
        {
            self.events.push(Event::Dealt { group, owners: Box::new(owners) });
        }
        Outcome::Keep
    }

    /// Takes note that every shard has let go of a reader that left this place. Readers that come
    /// and go faster than the shards keep up with are refused: what is on its way to a shard is
    /// bounded.
    pub fn has_let_go(&mut self, place: u8) {
        if let Some(leaving) = self.leaving.get_mut(usize::from(place)) {
            *leaving = leaving.saturating_sub(1);
        }
    }

    /// A place for a reader, rather one that no shard knows as another's.
    fn free_place(&self) -> Option<u8> {
        let leaving = |place: &u8| self.leaving.get(usize::from(*place)).copied().unwrap_or(0);
        if self.leaving.iter().map(|count| usize::from(*count)).sum::<usize>() >= LEAVING_MAX {
            return None;
        }
        let is_free = |place: &u8| self.places >> place & 1 == 0;
        (0_u8..).take(READERS).filter(is_free).min_by_key(leaving)
    }

    /// A reader that went gives its place and its group's flows free.
    pub(super) fn forget(&mut self, reader: &Reader) {
        let Kind::Packets { place, group } = reader.kind else { return };
        self.places &= !(1 << place);
        if reader.coming.is_some() {
            // No shard knows of it.
            group.map(|group| self.groups.leave(group, place));
            return;
        }
        if let Some(leaving) = self.leaving.get_mut(usize::from(place)) {
            *leaving += 1;
        }
        self.events.push(Event::Left { place, group });
        if let Some(group) = group
            && let Some(owners) = self.groups.leave(group, place)
        {
            self.events.push(Event::Dealt { group, owners: Box::new(owners) });
        }
    }

    /// Hears what one that has its segments says.
    pub(super) fn hear(&mut self, reader: &mut Reader) -> Outcome {
        match reader.kind {
            Kind::Rules => self.listen_for_rules(reader),
            _ => self.listen(reader),
        }
    }

    /// Hears what a reader that has its segments says. Who leaves, or says what it should not, is
    /// to be closed.
    fn listen(&mut self, reader: &mut Reader) -> Outcome {
        for _ in 0..EVENTS_MAX {
            let mut bytes = [0; protocol::ASK_BYTES + 1];
            match rustix::net::recv(&reader.socket, &mut bytes, RecvFlags::DONTWAIT) {
                Err(Errno::AGAIN | Errno::INTR) => return Outcome::Keep,
                Err(_) | Ok((_, 0)) => return Outcome::Close,
                Ok((count, _)) => {
                    let ask = bytes.get(..count).and_then(protocol::decode_ask);
                    let outcome = match ask.map(|ask| self.asked(reader, &ask)) {
                        Some(Heard::Ready) => self.take_in(reader),
                        Some(Heard::Asked(asked)) => {
                            self.events.push(Event::Asked(asked));
                            Outcome::Keep
                        }
                        Some(Heard::Nothing) => Outcome::Keep,
                        Some(Heard::Nonsense) | None => Outcome::Close,
                    };
                    if matches!(outcome, Outcome::Close) {
                        return outcome;
                    }
                }
            }
        }
        Outcome::Keep
    }

    /// What was asked, if it can be.
    fn asked(&mut self, reader: &Reader, ask: &Ask) -> Heard {
        let own = match reader.kind {
            Kind::Look | Kind::Rules => return Heard::Nonsense,
            Kind::Control => None,
            Kind::Packets { group, .. } => group,
        };
        let what = match ask.what {
            protocol::ASK_SHUNT => {
                let named = self.groups.find(&ask.group);
                let group = if ask.group.is_empty() { own } else { named };
                let Some(group) = group else { return Heard::Nothing };
                self.groups.note_shunt(group);
                What::Shunt { group }
            }
            protocol::ASK_READY => return Heard::Ready,
            protocol::ASK_ALLOW => What::Allow,
            protocol::ASK_BLOCK => What::Block,
            _ => return Heard::Nonsense,
        };
        let Ok(shard) = u16::try_from(ask.shard) else { return Heard::Nonsense };
        let (flow_slot, flow_id) = (ask.flow_slot, ask.flow_id);
        Heard::Asked(Asked { shard, flow_slot, flow_id, what })
    }
}
