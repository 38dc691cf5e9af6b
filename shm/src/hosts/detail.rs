//! What is kept of a local host besides its slot, as its writer sees it. Written under the version of
//! the host's slot.
//!
//! The lists of applications, peers and ports are *space-saving* (Metwally, Agrawal, El Abbadi 2005):
//! a newcomer takes the place of the smallest and inherits its size as a possible error, so whoever
//! has more than a sixteenth of all bytes is in the list.

use super::latency::{LATENCY_WORDS, count_latency};
use super::{Share, add, get, put};
use crate::sync::AtomicU64;
use crate::words::words;

/// Words of a detail: no power of two, so that those of all hosts do not fall into the same cache sets.
pub const DETAIL_WORDS: usize = 560;
/// Bytes of a detail.
pub const DETAIL_BYTES: usize = DETAIL_WORDS * 8;

/// Entries of each list.
pub const TOPS: usize = 16;
/// Names of servers that are kept.
pub const NAMES: usize = 14;

pub(super) const OWNER: usize = 0;
pub(super) const MAC: usize = 1;
pub(super) const SYN: usize = 2;
pub(super) const SYN_OPTIONS: usize = 3;
pub(super) const TCP_FLOWS: usize = 4;
pub(super) const TCP_FAILED: usize = 6;
pub(super) const RESETS: usize = 8;
pub(super) const SEGMENTS: usize = 10;
pub(super) const TEXTS: usize = 16;
const TEXT_WORDS: usize = 9;
const TEXT_BYTES: usize = 64;
/// Answers as client and as server, and the delay of the way to the host.
pub(super) const LATENCY: usize = 336;
pub(super) const DELAY: usize = LATENCY + 2 * LATENCY_WORDS;
pub(super) const NAME_KEYS: usize = DELAY + LATENCY_WORDS;
pub(super) const NAME_VALUES: usize = NAME_KEYS + NAMES;
pub(super) const NAME_WORDS: usize = 7;
const NAME_BYTES: usize = (NAME_WORDS - 1) * 8;

/// A text that a host says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Text {
    /// Its name, by DHCP.
    DhcpName = 0,
    /// The class of its DHCP client.
    DhcpClass = 1,
    /// The options that its DHCP client asks for, a byte each.
    DhcpOptions = 2,
    /// Its name, by NetBIOS.
    NetBios = 3,
    /// Its name, by mDNS or LLMNR.
    Mdns = 4,
}

impl Text {
    /// Every text.
    pub const ALL: [Self; 5] =
        [Self::DhcpName, Self::DhcpClass, Self::DhcpOptions, Self::NetBios, Self::Mdns];

    pub(super) const fn place(self) -> usize {
        TEXTS + self as usize * TEXT_WORDS
    }
}

/// What happened to TCP segments, as flows' health has it: sent again, lost before the observer, out of
/// order, and sent with a zero window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Segments(pub [u32; Segments::KINDS]);

impl Segments {
    /// How many kinds there are.
    pub const KINDS: usize = 4;
    /// Their names, in this order.
    pub const NAMES: [&str; Self::KINDS] =
        ["retransmissions", "lost", "out_of_order", "zero_windows"];

    /// Whether nothing happened.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// A list of a detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Top {
    /// Applications; the key is the application plus one.
    Apps = 64,
    /// Peers; the key is a hash of the address.
    Peers = 144,
    /// Ports; see [`super::PortOf`] for the key.
    Ports = 256,
}

/// Words of an entry: sent, received, possible error, flows.
pub(super) const ENTRY: usize = 4;
/// Where the peers' addresses begin.
pub(super) const PEER_ADDRESSES: usize = 224;

/// A detail; see the module.
#[derive(Debug, Clone, Copy)]
pub struct Detail<'a>(pub(super) &'a [AtomicU64; DETAIL_WORDS]);

impl Detail<'_> {
    /// Empties it for the host of this generation.
    pub fn open(self, generation: u32) {
        (1..DETAIL_WORDS).for_each(|word| put(self.0, word, 0));
        put(self.0, OWNER, generation.into());
    }

    /// The hardware address; 0 while there is none.
    pub fn mac(self) -> u64 {
        get(self.0, MAC)
    }

    /// Sets the hardware address: its six bytes as the low end of a number, the first one highest.
    pub fn set_mac(self, mac: u64) {
        put(self.0, MAC, mac);
    }

    /// Whether a SYN of the host was seen.
    #[inline(always)]
    pub fn has_syn(self) -> bool {
        get(self.0, SYN) != 0
    }

    /// Keeps what its SYN looked like; see [`super::os`].
    pub fn set_syn(self, head: u64, options: u64) {
        put(self.0, SYN, head);
        put(self.0, SYN_OPTIONS, options);
    }

    /// A TCP flow ended; resets of the host and of its peer.
    pub fn tcp_ends(self, is_server: bool, failed: bool, resets: [bool; 2]) {
        let side = usize::from(is_server);
        add(self.0, TCP_FLOWS + side, 1);
        add(self.0, TCP_FAILED + side, failed.into());
        add(self.0, RESETS, resets[0].into());
        add(self.0, RESETS + 1, resets[1].into());
    }

    /// Keeps a text, cut to 64 bytes.
    pub fn set_text(self, text: Text, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(TEXT_BYTES)];
        let place = text.place();
        put(self.0, place, bytes.len() as u64);
        for (at, word) in (place + 1..).zip(words(bytes)) {
            put(self.0, at, word);
        }
    }

    /// Counts how long answers took, as client or as server.
    #[inline(always)]
    pub fn answers(self, is_server: bool, ns: u64, times: u32) {
        count_latency(self.0, LATENCY + LATENCY_WORDS * usize::from(is_server), ns, times);
    }

    /// Counts how long the way to the host and back took.
    #[inline(always)]
    pub fn delay(self, ns: u64) {
        count_latency(self.0, DELAY, ns, 1);
    }

    /// Adds what happened to segments that the host sent, and to those that it received.
    pub fn segments(self, sent: Segments, received: Segments) {
        for (at, (sent, received)) in (SEGMENTS..).zip(sent.0.into_iter().zip(received.0)) {
            let word = get(self.0, at);
            let more = |half: u64, more: u32| (half + u64::from(more)).min(u64::from(u32::MAX));
            let (low, high) = (more(word & 0xffff_ffff, sent), more(word >> 32, received));
            put(self.0, at, high << 32 | low);
        }
    }

    /// The words that hold the keys of a list, for whoever asks for their cache lines.
    #[inline(always)]
    pub fn keys(&self, list: Top) -> &[AtomicU64] {
        &self.0[list as usize..][..TOPS]
    }

    /// Adds to the entry of `key` (not 0) in a list. Its place, and whether it is new there.
    #[inline]
    pub fn add(self, list: Top, key: u64, share: &Share, flows: u64) -> (usize, bool) {
        let keys = list as usize;
        let found = (0..TOPS).find(|at| get(self.0, keys + at) == key);
        let (at, is_new) = match found {
            Some(at) => (at, false),
            None => (self.make_room(keys, key), true),
        };
        let entry = keys + TOPS + at * ENTRY;
        add(self.0, entry, share.bytes[0]);
        add(self.0, entry + 1, share.bytes[1]);
        add(self.0, entry + 3, flows);
        (at, is_new)
    }

    /// Takes back what was added under a key that turned out to be another, as far as it is there. Where
    /// nothing is left the entry is free.
    pub fn take_back(self, list: Top, key: u64, share: &Share, flows: u64) {
        let keys = list as usize;
        let Some(at) = (0..TOPS).find(|at| get(self.0, keys + at) == key) else { return };
        let entry = keys + TOPS + at * ENTRY;
        for (word, less) in [(0, share.bytes[0]), (1, share.bytes[1]), (3, flows)] {
            let value = get(self.0, entry + word);
            put(self.0, entry + word, value.saturating_sub(less));
        }
        if (0..ENTRY).all(|word| get(self.0, entry + word) == 0) {
            put(self.0, keys + at, 0);
        }
    }

    /// Writes down the address of a peer that is new in the list.
    pub fn set_peer(self, at: usize, address: [u64; 2]) {
        put(self.0, PEER_ADDRESSES + at * 2, address[0]);
        put(self.0, PEER_ADDRESSES + at * 2 + 1, address[1]);
    }

    /// A free place for `key`, or that of the smallest.
    fn make_room(self, keys: usize, key: u64) -> usize {
        let size = |at: &usize| {
            let entry = keys + TOPS + at * ENTRY;
            let used = u64::from(get(self.0, keys + at) != 0);
            used + (0..3).fold(0, |all: u64, word| all.saturating_add(get(self.0, entry + word)))
        };
        let at = (0..TOPS).min_by_key(size).unwrap_or(0);
        let entry = keys + TOPS + at * ENTRY;
        let error = if get(self.0, keys + at) == 0 { 0 } else { size(&at) - 1 };
        put(self.0, keys + at, key);
        for (word, value) in [(0, 0), (1, 0), (2, error), (3, 0)] {
            put(self.0, entry + word, value);
        }
        at
    }

    /// The host asked for a server of this name. `hash` (not 0) is the name's; of long names the end
    /// is kept.
    pub fn asked_for(self, hash: u64, name: &[u8]) {
        if let Some(at) = (0..NAMES).find(|at| get(self.0, NAME_KEYS + at) == hash) {
            add(self.0, NAME_VALUES + at * NAME_WORDS, 1);
            return;
        }
        let count = |at: &usize| get(self.0, NAME_VALUES + at * NAME_WORDS) & 0xffff_ffff;
        let at = (0..NAMES).min_by_key(count).unwrap_or(0);
        let place = NAME_VALUES + at * NAME_WORDS;
        let name = &name[name.len().saturating_sub(NAME_BYTES)..];
        let inherited = count(&at) + 1;
        put(self.0, NAME_KEYS + at, hash);
        put(self.0, place, inherited & 0xffff_ffff | (name.len() as u64) << 32);
        for (at, word) in (place + 1..).zip(words(name)) {
            put(self.0, at, word);
        }
    }
}

const _: () = assert!(Top::Apps as usize + TOPS + TOPS * ENTRY == Top::Peers as usize);
const _: () = assert!(Top::Peers as usize + TOPS + TOPS * ENTRY == PEER_ADDRESSES);
const _: () = assert!(PEER_ADDRESSES + TOPS * 2 == Top::Ports as usize);
const _: () = assert!(Top::Ports as usize + TOPS + TOPS * ENTRY == LATENCY);
const _: () = assert!(NAME_VALUES + NAMES * NAME_WORDS <= DETAIL_WORDS);
const _: () = assert!(SEGMENTS + Segments::KINDS <= TEXTS);
const _: () = assert!(TEXTS + Text::ALL.len() * TEXT_WORDS <= Top::Apps as usize);

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn words() -> Box<[AtomicU64; DETAIL_WORDS]> {
        Box::new(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    fn sent(bytes: u64) -> Share {
        Share { bytes: [bytes, 0], packets: [1, 0] }
    }

    #[test]
    fn whoever_has_more_than_a_sixteenth_is_in_the_list() {
        let words = words();
        let detail = Detail(&words);
        let mut truth = HashMap::new();
        for round in 0..2_000_u64 {
            let key = if round.is_multiple_of(5) { 7 } else { 1000 + round % 97 };
            *truth.entry(key).or_insert(0) += 10;
            detail.add(Top::Apps, key, &sent(10), 0);
        }
        let keys = Top::Apps as usize;
        let at = (0..TOPS).find(|at| get(detail.0, keys + at) == 7).expect("the heavy one");
        let entry = keys + TOPS + at * ENTRY;
        let (least, error) = (get(detail.0, entry), get(detail.0, entry + 2));
        assert!(least <= truth[&7] && truth[&7] <= least + error);
    }

    #[test]
    fn what_is_taken_back_as_a_whole_leaves_no_entry() {
        let words = words();
        let detail = Detail(&words);
        let keys = Top::Ports as usize;
        detail.add(Top::Ports, 7, &sent(10), 1);
        detail.add(Top::Ports, 8, &sent(10), 1);
        detail.take_back(Top::Ports, 7, &sent(4), 0);
        assert_eq!(get(detail.0, keys), 7);
        detail.take_back(Top::Ports, 7, &sent(6), 1);
        assert_eq!((get(detail.0, keys), get(detail.0, keys + 1)), (0, 8));
        assert_eq!(detail.add(Top::Ports, 9, &sent(1), 1), (0, true));
    }

    #[test]
    fn a_name_asked_for_again_is_counted() {
        let words = words();
        let detail = Detail(&words);
        detail.asked_for(5, b"www.example.org");
        detail.asked_for(5, b"www.example.org");
        assert_eq!(get(detail.0, NAME_VALUES), 2 | 15 << 32);
        detail.asked_for(6, &[b'x'; 100]);
        assert_eq!(get(detail.0, NAME_VALUES + NAME_WORDS) >> 32, 48);
    }
}
