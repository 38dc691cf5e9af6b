//! Where a shard's packets meet its hosts.

use weir_dpi::Verdict;
use weir_shm::hosts::bucket_of;
use weir_shm::hosts::os::Syn;

use super::{Shard, Split, is_syn};
use crate::books::{Books, Count};
use crate::capture::{Frame, Source};
use crate::flow::record;
use crate::hosts::{Beginning, Hosts, mac_of};
use crate::wire::{LinkType, Parsed};

/// Packets between the one whose hosts' slots are asked for and the one that is looked up.
pub(super) const AHEAD: usize = 6;

impl<S: Source> Shard<S> {
    /// Asks for what [`Shard::begin_hosts`] reads of a flow that `packet` is likely to begin.
    #[inline]
    pub(super) fn fetch_hosts(&mut self, index: u32, at: usize) {
        if let Some(hosts) = &self.hosts {
            self.work.begins |= 1 << at;
            self.work.hosts[at] = hosts.fetch(index, &self.work.packet[at].key);
        }
    }

    /// Asks for the slots of those hosts, whose tags are here by now.
    #[inline(always)]
    pub(super) fn fetch_host_slots(&self, at: usize) {
        if at < self.work.packets
            && self.work.begins >> at & 1 == 1
            && let Some(hosts) = &self.hosts
        {
            hosts.fetch_slots(self.work.hosts[at]);
        }
    }

    /// A flow begins: finds its hosts, and learns of the sender what only this frame shows.
    #[inline]
    pub(super) fn begin_hosts(&mut self, index: u32, packet: &Parsed, frame: &Frame) {
        let Some(hosts) = &mut self.hosts else { return };
        let word = record::verdict_word(self.table.slot(index));
        hosts.begin(
            index,
            &Beginning {
                key: &packet.key,
                client_is_hi: word & record::CLIENT_IS_HI != 0,
                swapped: packet.swapped,
                now_ns: frame.timestamp_ns,
            },
        );
        let end = usize::from(packet.swapped);
        if !hosts.wants_to_know(index, end, is_syn(packet)) {
            return;
        }
        let bytes = self.source.bytes(frame);
        let is_link = frame.link == LinkType::Ethernet && !packet.key.is_tunnelled();
        let mac = is_link.then(|| bytes.get(6..12).and_then(mac_of)).flatten();
        let syn = || {
            let at = usize::from(packet.l4_at);
            let options = bytes.get(at + 20..at + usize::from(packet.tcp.header_bytes))?;
            is_syn(packet).then(|| Syn::parse(packet.ttl, packet.tcp.window, options))
        };
        hosts.learn_sender(index, end, mac, syn);
    }

    /// A flow reports before a packet that comes in another bucket of time than all before it.
    #[inline(never)]
    pub(super) fn report_bucket(&mut self, index: u32, now_ns: u64) {
        let last_ns = record::last_ns(self.table.slot(index));
        if last_ns != 0 && bucket_of(last_ns) != bucket_of(now_ns) {
            self.report_hosts(index);
        }
    }

    /// A flow reports what it came to, before a packet.
    #[inline]
    pub(super) fn report_hosts(&mut self, index: u32) {
        if let Some(hosts) = &mut self.hosts {
            hosts.report(index, self.table.slot(index), false, None);
        }
    }

    /// Every flow tells: there will be no packet for a while.
    pub(super) fn tell_all(&mut self) {
        if !self.is_told() {
            return;
        }
        for group in 0..self.table.groups() {
            for index in self.table.taken_in_group(group) {
                self.tell(index, false);
            }
        }
    }

    /// Inspection has come to its end.
    #[inline]
    pub(super) fn learn_hosts(&mut self, index: u32, found: Verdict) {
        let Some(hosts) = &mut self.hosts else { return };
        let slot = self.table.slot(index);
        let metadata = self.export.replaced();
        let client_is_hi = record::verdict_word(slot) & record::CLIENT_IS_HI != 0;
        let who = (found.master, client_is_hi);
        hosts.learn(index, &record::key(slot), who, metadata, record::last_ns(slot));
    }

    /// Adds the turn's frames to their interfaces.
    #[inline]
    pub(super) fn count_interfaces(&self) {
        // Every shard reads the whole of a file: one of them counts it.
        let counts = !matches!(self.plan.split, Split::ByHash { shard: 1.., .. });
        if let Some(hosts) = self.hosts.as_ref().filter(|_| counts) {
            hosts.count_frames(self.batch.as_slice());
        }
    }
}

/// Writes what is counted of hosts into the books.
pub(super) fn publish(hosts: Option<&Hosts>, books: &mut Books) {
    let Some(counts) = hosts.map(Hosts::counts) else { return };
    books.set(Count::HostsLive, counts.live);
    books.set(Count::HostsDetailed, counts.local);
    books.set(Count::HostsCreated, counts.created);
    books.set(Count::HostsEvictedRemote, counts.evicted_remote);
    books.set(Count::HostsEvictedLocal, counts.evicted_local);
    books.set(Count::HostsEvictedSent, counts.evicted_sent);
    books.set(Count::HostsEvictedReceived, counts.evicted_received);
    books.set(Count::HostDetailsTaken, counts.details_taken);
    books.set(Count::HostDetailsFull, counts.without_detail);
    books.set(Count::HostNamesReplaced, counts.names_replaced);
}
