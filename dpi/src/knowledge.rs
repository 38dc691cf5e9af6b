//! What one shard knows across its flows, bounded: addresses learned from DNS answers, data flows
//! announced by control flows, the sockets that take part in a call, and peers, which are ends at
//! which a protocol is spoken.
//!
//! An announced flow is taken for what was announced; what is known of a peer counts only where
//! the content tells nothing. All are tables of fixed size, in groups of four places: a key belongs
//! to one group, and when its group is full the entry that expires first makes room. A lookup reads
//! its group's tags, which are small enough to stay in the cache, and nothing else where none is
//! that of the key.

use crate::app::AppId;
use crate::judged::Judged;
use crate::view::Endpoint;

const GROUP: usize = 4;
/// Data flows that may be announced at a time.
const ANNOUNCED: u32 = 1024;
/// Peers that may be known at a time.
const PEERS: u32 = 4096;
/// How long a peer is remembered after it was last seen.
const PEER_S: u32 = 30 * 60;
/// How long an announced data flow is waited for.
const ANNOUNCED_S: u32 = 120;
/// Sockets in a call that are remembered.
const CALLERS: u32 = 1024;
/// A name is remembered at least this long: clients use an address well past its time to live.
const NAME_LEAST_S: u32 = 120;
/// And at most this long.
const NAME_MOST_S: u32 = 24 * 60 * 60;

/// See the module.
#[derive(Debug)]
pub struct Knowledge {
    now_s: u32,
    names: Table,
    flows: Table,
    callers: Table,
    peers: Table,
    learned: u64,
    announced: u64,
    judged: Judged,
}

impl Default for Knowledge {
    fn default() -> Knowledge {
        Knowledge::new(64)
    }
}

impl Knowledge {
    /// Room for `names` addresses at least; with 0, nothing is remembered of DNS answers.
    pub fn new(names: u32) -> Knowledge {
        let [names, flows, callers, peers] = [names, ANNOUNCED, CALLERS, PEERS].map(Table::new);
        let judged = Judged::new();
        Knowledge { now_s: 0, names, flows, callers, peers, learned: 0, announced: 0, judged }
    }

    /// A DNS answer said that `address` belongs to `name` for `ttl_s` seconds. Only names of a
    /// known service are remembered.
    pub fn learn_name(&mut self, address: [u8; 16], name: &[u8], ttl_s: u32) {
        if let Some(app) = self.judged.host(name).service {
            self.learn_service(address, app, ttl_s);
        }
    }

    /// A DNS answer said that `address` belongs to the service `app` for `ttl_s` seconds.
    pub(crate) fn learn_service(&mut self, address: [u8; 16], app: AppId, ttl_s: u32) {
        let ends_s = self.now_s.saturating_add(ttl_s.clamp(NAME_LEAST_S, NAME_MOST_S));
        self.names.put(Key { address, port: 0 }, app, ends_s, self.now_s);
        self.learned += 1;
    }

    /// A flow showed that `address` serves the service `app`, and that is likely to hold for
    /// `ttl_s` seconds. An address that serves several services tells none of them.
    pub(crate) fn learn_host(&mut self, address: [u8; 16], app: AppId, ttl_s: u32) {
        let known = self.names.get(Key { address, port: 0 }, self.now_s);
        let app = if known.is_none_or(|known| known == app) { app } else { AppId::UNKNOWN };
        self.learn_service(address, app, ttl_s);
    }

    /// A control flow announced a data flow to `address`:`port` that carries `app`.
    pub fn expect_flow(&mut self, address: [u8; 16], port: u16, app: AppId) {
        let ends_s = self.now_s.saturating_add(ANNOUNCED_S);
        self.flows.put(Key { address, port }, app, ends_s, self.now_s);
        self.announced += 1;
    }

    /// At `address`:`port` somebody speaks `app`, or soon will.
    pub fn learn_peer(&mut self, address: [u8; 16], port: u16, app: AppId) {
        if port != 0 {
            let ends_s = self.now_s.saturating_add(PEER_S);
            self.peers.put(Key { address, port }, app, ends_s, self.now_s);
        }
    }

    /// What one of these two ends was last known to speak.
    pub fn peer(&self, client: Endpoint, server: Endpoint) -> Option<AppId> {
        let find = |end: Endpoint| {
            self.peers.get(Key { address: end.address, port: end.port }, self.now_s)
        };
        find(server).or_else(|| find(client))
    }

    /// Sets the time from which expiry is counted.
    pub fn now(&mut self, now_ns: u64) {
        self.now_s = u32::try_from(now_ns / 1_000_000_000).unwrap_or(u32::MAX);
    }

    /// The service that `address` was last said to belong to.
    pub fn service_of(&self, address: [u8; 16]) -> Option<AppId> {
        self.names.get(Key { address, port: 0 }, self.now_s).filter(|app| *app != AppId::UNKNOWN)
    }

    /// What a flow between these two was announced to carry, or unknown.
    pub fn expected(&self, client: Endpoint, server: Endpoint) -> AppId {
        let find = |end: Endpoint| {
            self.flows.get(Key { address: end.address, port: end.port }, self.now_s)
        };
        find(server).or_else(|| find(client)).unwrap_or_default()
    }

    /// The datagram socket `end` takes part in a call of `app`: a client asks all candidates from
    /// one socket, and only some answers tell whose call it is.
    pub(crate) fn note_caller(&mut self, end: Endpoint, app: AppId) {
        let key = Key { address: end.address, port: end.port };
        self.callers.put(key, app, self.now_s.saturating_add(ANNOUNCED_S), self.now_s);
    }

    /// Whose call a flow of datagrams between these two belongs to.
    pub(crate) fn call_of(&self, client: Endpoint, server: Endpoint) -> Option<AppId> {
        let find = |end: Endpoint| {
            self.callers.get(Key { address: end.address, port: end.port }, self.now_s)
        };
        find(client).or_else(|| find(server))
    }

    /// What is known of host names and user agents by themselves.
    pub(crate) fn judged(&mut self) -> &mut Judged {
        &mut self.judged
    }

    /// Names learned so far.
    pub fn learned(&self) -> u64 {
        self.learned
    }

    /// Names replaced while they were still valid.
    pub fn replaced(&self) -> u64 {
        self.names.replaced
    }

    /// Flows announced so far.
    pub fn announced(&self) -> u64 {
        self.announced
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Key {
    address: [u8; 16],
    port: u16,
}

/// An entry; its place is empty once `ends_s` has passed.
#[derive(Clone, Copy, Default, Debug)]
struct Entry {
    key: Key,
    app: AppId,
    ends_s: u32,
}

/// A byte of the hash of each entry's key; 0 where nothing was put yet.
type Tags = [u8; GROUP];

/// Where a key belongs.
#[derive(Clone, Copy)]
struct Home {
    group: usize,
    /// Never 0.
    tag: u8,
}

#[derive(Debug, Default)]
struct Table {
    tags: Box<[Tags]>,
    groups: Box<[[Entry; GROUP]]>,
    /// Whether anything was ever put: a lookup in an empty table is free.
    used: bool,
    replaced: u64,
}

impl Table {
    fn new(entries: u32) -> Table {
        let groups = usize::try_from(entries).unwrap_or(usize::MAX).div_ceil(GROUP);
        let groups = if entries == 0 { 0 } else { groups.next_power_of_two() };
        Table {
            tags: vec![[0; GROUP]; groups].into(),
            groups: vec![[Entry::default(); GROUP]; groups].into(),
            used: false,
            replaced: 0,
        }
    }

    fn get(&self, key: Key, now_s: u32) -> Option<AppId> {
        if !self.used {
            return None;
        }
        let Home { group, tag } = self.home_of(key);
        if !self.tags.get(group)?.contains(&tag) {
            return None;
        }
        let group = self.groups.get(group)?;
        let entry = group.iter().find(|entry| entry.key == key && entry.ends_s > now_s)?;
        Some(entry.app)
    }

    fn put(&mut self, key: Key, app: AppId, ends_s: u32, now_s: u32) {
        let Home { group: at, tag } = self.home_of(key);
        let (Some(group), Some(tags)) = (self.groups.get_mut(at), self.tags.get_mut(at)) else {
            return;
        };
        let places = || group.iter().zip(0_usize..);
        let same = places().find(|(entry, _)| entry.key == key);
        let Some((_, place)) = same.or_else(|| places().min_by_key(|(entry, _)| entry.ends_s))
        else {
            return;
        };
        let (Some(entry), Some(own)) = (group.get_mut(place), tags.get_mut(place)) else {
            return;
        };
        if entry.key != key && entry.ends_s > now_s {
            self.replaced += 1;
        }
        *entry = Entry { key, app, ends_s };
        *own = tag;
        self.used = true;
    }

    #[inline]
    fn home_of(&self, key: Key) -> Home {
        let number = u128::from_le_bytes(key.address);
        #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
        let (low, high) = (number as u64, (number >> 64) as u64);
        let mixed = (low ^ high.rotate_left(29) ^ (u64::from(key.port) << 17))
            .wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let [.., tag] = mixed.to_le_bytes();
        let mask = self.groups.len().saturating_sub(1);
        Home { group: usize::try_from(mixed >> 32).unwrap_or_default() & mask, tag: tag | 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn address(number: u32) -> [u8; 16] {
        let mut address = [0; 16];
        address[10..12].fill(0xff);
        address[12..].copy_from_slice(&number.to_be_bytes());
        address
    }

    #[test]
    fn names_last_as_long_as_they_are_good_within_bounds() {
        let mut knowledge = Knowledge::new(64);
        knowledge.now(1000 * S);
        for (at, name, ttl_s) in [
            (1, &b"www.youtube.com"[..], 300),
            (2, b"www.netflix.com", 1),
            (3, b"WWW.GitHub.com", u32::MAX),
            (4, b"nothing.example", 300),
        ] {
            knowledge.learn_name(address(at), name, ttl_s);
        }
        let known =
            |knowledge: &Knowledge| [1, 2, 3, 4].map(|at| knowledge.service_of(address(at)));
        let (youtube, netflix, github) =
            (Some(AppId::YOUTUBE), Some(AppId::NETFLIX), Some(AppId::GITHUB));
        assert_eq!(known(&knowledge), [youtube, netflix, github, None]);
        knowledge.now((1000 + u64::from(NAME_LEAST_S)) * S);
        assert_eq!(known(&knowledge), [youtube, None, github, None]);
        knowledge.now(1300 * S);
        assert_eq!(known(&knowledge), [None, None, github, None]);
        knowledge.now((1000 + u64::from(NAME_MOST_S)) * S);
        assert_eq!(known(&knowledge), [None; 4]);
        assert_eq!((knowledge.learned(), knowledge.replaced()), (3, 0));
        // What is learned anew replaces what was known, and that is no loss.
        knowledge.learn_name(address(1), b"www.netflix.com", 300);
        knowledge.learn_name(address(1), b"www.youtube.com", 300);
        assert_eq!(knowledge.service_of(address(1)), youtube);
        assert_eq!(knowledge.replaced(), 0);
    }

    #[test]
    fn an_address_of_several_services_tells_none_until_it_is_asked_for() {
        let mut knowledge = Knowledge::new(64);
        knowledge.now(S);
        knowledge.learn_host(address(1), AppId::YOUTUBE, 300);
        knowledge.learn_host(address(1), AppId::YOUTUBE, 300);
        assert_eq!(knowledge.service_of(address(1)), Some(AppId::YOUTUBE));
        knowledge.learn_host(address(1), AppId::NETFLIX, 300);
        assert_eq!(knowledge.service_of(address(1)), None);
        knowledge.learn_host(address(1), AppId::NETFLIX, 300);
        assert_eq!(knowledge.service_of(address(1)), None);
        knowledge.learn_name(address(1), b"www.netflix.com", 300);
        assert_eq!(knowledge.service_of(address(1)), Some(AppId::NETFLIX));
    }

    #[test]
    fn a_full_table_forgets_what_ends_first_and_counts_it() {
        let mut knowledge = Knowledge::new(16);
        knowledge.now(S);
        for at in 0..200 {
            knowledge.learn_name(address(at), b"www.youtube.com", 200 + at);
        }
        let known: Vec<u32> =
            (0..200).filter(|&at| knowledge.service_of(address(at)).is_some()).collect();
        assert!((4..=16).contains(&known.len()), "{} known", known.len());
        let forgotten = 200 - u64::try_from(known.len()).unwrap();
        assert_eq!(knowledge.replaced(), forgotten);
        assert_eq!(known.last(), Some(&199), "the newest ends last");
        let mut nothing = Knowledge::new(0);
        nothing.learn_name(address(1), b"www.youtube.com", 300);
        assert_eq!(nothing.service_of(address(1)), None);
    }

    #[test]
    fn peers_are_known_by_either_end_for_a_while() {
        let mut knowledge = Knowledge::new(16);
        knowledge.now(S);
        let end = |at, port| Endpoint { address: address(at), port };
        knowledge.learn_peer(address(7), 6881, AppId::BITTORRENT);
        knowledge.learn_peer(address(7), 0, AppId::TINC);
        assert_eq!(knowledge.peer(end(1, 1), end(7, 6881)), Some(AppId::BITTORRENT));
        assert_eq!(knowledge.peer(end(7, 6881), end(1, 1)), Some(AppId::BITTORRENT));
        assert_eq!(knowledge.peer(end(7, 0), end(1, 6881)), None);
        for at in 0..3 * PEERS {
            knowledge.learn_peer(address(1000 + at), 1, AppId::BITTORRENT);
        }
        let all =
            (0..3 * PEERS).filter(|&at| knowledge.peer(end(1, 2), end(1000 + at, 1)).is_some());
        assert!(all.count() <= usize::try_from(PEERS).unwrap());
        knowledge.now(u64::from(PEER_S + 1) * S);
        assert_eq!(knowledge.peer(end(1, 1), end(7, 6881)), None);
    }

    #[test]
    fn announced_flows_are_known_by_either_end_for_a_while() {
        let mut knowledge = Knowledge::new(16);
        knowledge.now(S);
        let end = |at, port| Endpoint { address: address(at), port };
        knowledge.expect_flow(address(7), 5000, AppId::RTP);
        assert_eq!(knowledge.expected(end(1, 1), end(7, 5000)), AppId::RTP);
        assert_eq!(knowledge.expected(end(7, 5000), end(1, 1)), AppId::RTP);
        assert_eq!(knowledge.expected(end(7, 5001), end(1, 5000)), AppId::UNKNOWN);
        knowledge.now(u64::from(ANNOUNCED_S + 1) * S);
        assert_eq!(knowledge.expected(end(1, 1), end(7, 5000)), AppId::UNKNOWN);
    }

    #[test]
    fn a_socket_in_a_call_is_known_for_a_while_and_apart_from_announced_flows() {
        let mut knowledge = Knowledge::new(16);
        knowledge.now(S);
        let end = |at, port| Endpoint { address: address(at), port };
        knowledge.note_caller(end(7, 5000), AppId::SIGNAL_CALL);
        assert_eq!(knowledge.call_of(end(7, 5000), end(1, 443)), Some(AppId::SIGNAL_CALL));
        assert_eq!(knowledge.call_of(end(1, 443), end(7, 5000)), Some(AppId::SIGNAL_CALL));
        assert_eq!(knowledge.call_of(end(7, 5001), end(1, 443)), None);
        assert_eq!(knowledge.expected(end(7, 5000), end(1, 443)), AppId::UNKNOWN);
        knowledge.now(u64::from(ANNOUNCED_S + 1) * S);
        assert_eq!(knowledge.call_of(end(7, 5000), end(1, 443)), None);
    }
}
