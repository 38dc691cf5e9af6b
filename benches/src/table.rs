//! Flow tables to be measured: ours, asked as a turn of the engine asks it, and others beside it.

use std::collections::HashMap;

use ahash::RandomState;
use weir_engine::flow::record;
use weir_engine::flow::table::{AHEAD, FlowTable, Place};
use weir_engine::wire::FlowKey;
use weir_shm::{PacketSpec, ShardSpec, ShardWriter};

/// Keys of a batch: a turn of the engine handles so many frames at most.
pub const BATCH: usize = weir_engine::capture::BATCH;

/// Fixed, so that the same flows meet in every run.
const SECRET: [u64; 4] = [1, 2, 3, 4];

/// A table of flows that takes batches of [`BATCH`] keys at most.
pub trait Table {
    /// A table for so many flows.
    fn new(flows: u32) -> Self;
    /// Bytes that a table for so many flows takes.
    fn bytes_for(flows: u32) -> u64;
    /// Looks keys up and reads a word of each flow found; how many were.
    fn find(&mut self, keys: &[FlowKey]) -> usize;
    /// Looks keys up that are not there and puts them in; how many found a place.
    fn insert(&mut self, keys: &[FlowKey]) -> usize;
    /// Takes keys out by looking them up; how many were there.
    fn remove(&mut self, keys: &[FlowKey]) -> usize;
}

/// The key of flow number `number`: UDP over IPv4, addresses that differ in every bit alike.
pub fn key(number: u32) -> FlowKey {
    let mixed = mixed(number);
    let (client, ports) = (u64::from(mixed), u64::from(40_000 + (mixed & 0xfff)) | 443 << 16);
    FlowKey { words: [0, client << 32 | 0xffff_0000, 0, 0x0101_12c6_ffff_0000, ports | 17 << 48] }
}

/// A number that looks random: the same every time, and another for every other number.
#[inline(always)]
pub const fn mixed(number: u32) -> u32 {
    let mixed = (number ^ (number >> 15)).wrapping_mul(0x2C1B_3C6D);
    let mixed = (mixed ^ (mixed >> 12)).wrapping_mul(0x297A_2D39);
    mixed ^ (mixed >> 15)
}

/// A shard's memory with a flow table of so many slots, and small rings.
///
/// # Panics
/// There is no memory.
#[expect(clippy::expect_used, reason = "a measurement without memory is none")]
pub fn segment(flow_slots: u32) -> ShardWriter {
    let spec = ShardSpec {
        shard: 0,
        label: "bench",
        flow_slots,
        health: true,
        record_bytes: 1 << 20,
        arena_bytes: 1 << 20,
        counters: &weir_engine::books::DEFINITIONS,
        histograms: &weir_engine::shard::HISTOGRAMS,
        packets: PacketSpec::default(),
        alerts: weir_shm::AlertSpec::default(),
        hosts: weir_shm::hosts::HostsSpec::NONE,
        huge_pages: false,
    };
    ShardWriter::create(&spec).expect("memory")
}

/// The engine's table.
#[derive(Debug)]
pub struct Weir {
    /// It.
    pub table: FlowTable,
    hashes: [u64; BATCH],
    begun: u64,
}

impl Weir {
    /// First stage of a turn: hashes all keys and asks for their tags.
    #[inline(always)]
    fn hash(&mut self, keys: &[FlowKey]) {
        for (key, hash) in keys.iter().zip(&mut self.hashes) {
            *hash = self.table.hash(key);
            self.table.prefetch_tags(*hash);
        }
    }

    /// Second stage: the keys with their hashes, while the slots of those to come are asked for.
    #[inline(always)]
    fn each(&mut self, keys: &[FlowKey], mut visit: impl FnMut(&mut Weir, &FlowKey, u64)) {
        let count = keys.len().min(BATCH);
        for hash in &self.hashes[..count.min(AHEAD)] {
            self.table.prefetch_slot(*hash);
        }
        for (at, key) in keys[..count].iter().enumerate() {
            if at + AHEAD < count {
                self.table.prefetch_slot(self.hashes[at + AHEAD]);
            }
            visit(self, key, self.hashes[at]);
        }
    }
}

impl Table for Weir {
    fn new(flows: u32) -> Weir {
        let mut shared = segment(FlowTable::slots_for(slots(flows)));
        shared.touch();
        let table = FlowTable::new(shared.flows, SECRET);
        Weir { table, hashes: [0; BATCH], begun: 0 }
    }

    fn bytes_for(flows: u32) -> u64 {
        u64::from(FlowTable::slots_for(slots(flows))) * 128 * 121 / 120
    }

    fn find(&mut self, keys: &[FlowKey]) -> usize {
        self.hash(keys);
        let mut found = 0;
        self.each(keys, |weir, key, hash| {
            let index = weir.table.find(key, hash);
            found += usize::from(index.is_some_and(|index| weir.table.slot(index).load(6) != 0));
        });
        found
    }

    fn insert(&mut self, keys: &[FlowKey]) -> usize {
        self.hash(keys);
        let before = self.table.live();
        self.each(keys, |weir, key, hash| {
            if weir.table.find(key, hash).is_none()
                && let Place::Free(index) = weir.table.place(hash)
            {
                weir.table.take(index, hash);
                weir.begun += 1;
                record::open(weir.table.slot(index), key, weir.begun, 0);
            }
        });
        (self.table.live() - before) as usize
    }

    fn remove(&mut self, keys: &[FlowKey]) -> usize {
        self.hash(keys);
        let before = self.table.live();
        self.each(keys, |weir, key, hash| {
            if let Some(index) = weir.table.find(key, hash) {
                record::close(weir.table.slot(index));
                weir.table.release(index);
            }
        });
        (before - self.table.live()) as usize
    }
}

/// Slots for `flows` flows: four of five are taken.
const fn slots(flows: u32) -> u32 {
    flows + flows / 4
}

/// What the twins keep of a flow: with its key, as many bytes as a slot of ours.
type Kept = [u64; 11];

fn kept(key: &FlowKey) -> Kept {
    let mut kept = [0; 11];
    kept[0] = key.words[4] | 1;
    kept
}

/// The standard library's map, which is `hashbrown`, with the hash that ours has too.
#[derive(Debug)]
pub struct Hashbrown {
    map: HashMap<FlowKey, Kept, RandomState>,
}

impl Table for Hashbrown {
    fn new(flows: u32) -> Hashbrown {
        let [a, b, c, d] = SECRET;
        let hash = RandomState::with_seeds(a, b, c, d);
        let mut map = HashMap::with_capacity_and_hasher(slots(flows) as usize, hash);
        // Touches its memory, as that of ours is.
        for key in (0..flows).map(key) {
            map.insert(key, [1; 11]);
        }
        map.clear();
        Hashbrown { map }
    }

    fn bytes_for(flows: u32) -> u64 {
        (u64::from(slots(flows)) * 8).div_ceil(7).next_power_of_two() * 129
    }

    fn find(&mut self, keys: &[FlowKey]) -> usize {
        keys.iter().filter(|key| self.map.get(key).is_some_and(|kept| kept[0] != 0)).count()
    }

    fn insert(&mut self, keys: &[FlowKey]) -> usize {
        keys.iter().filter(|key| self.map.insert(**key, kept(key)).is_none()).count()
    }

    fn remove(&mut self, keys: &[FlowKey]) -> usize {
        keys.iter().filter(|key| self.map.remove(key).is_some()).count()
    }
}

/// The plain twin: open addressing with linear probing and deletion by moving back. No tags, no
/// asking ahead. Half of its slots or more are free.
#[derive(Debug)]
pub struct Plain {
    slots: Box<[PlainSlot]>,
    secret: RandomState,
}

/// A flow, or a free slot where `kept[0]` is 0.
#[derive(Clone, Copy, Debug)]
#[repr(align(128))]
struct PlainSlot {
    key: FlowKey,
    kept: Kept,
}

impl Plain {
    fn home(&self, key: &FlowKey) -> usize {
        use std::hash::{BuildHasher, Hasher};
        let mut hasher = self.secret.build_hasher();
        for word in key.words {
            hasher.write_u64(word);
        }
        usize::try_from(hasher.finish()).unwrap_or_default() & (self.slots.len() - 1)
    }

    /// Where the key is, or the free slot where it would go.
    fn look(&self, key: &FlowKey) -> (usize, bool) {
        let mut at = self.home(key);
        loop {
            let slot = &self.slots[at];
            if slot.kept[0] == 0 {
                return (at, false);
            }
            if slot.key == *key {
                return (at, true);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    /// Frees a slot; flows behind it that may stand nearer to their home move there.
    fn free(&mut self, mut hole: usize) {
        let mask = self.slots.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let slot = self.slots[at];
            if slot.kept[0] == 0 {
                break;
            }
            let behind = |place: usize| at.wrapping_sub(place) & mask;
            if behind(self.home(&slot.key)) >= behind(hole) {
                self.slots[hole] = slot;
                hole = at;
            }
        }
        self.slots[hole].kept[0] = 0;
    }
}

impl Table for Plain {
    fn new(flows: u32) -> Plain {
        let [a, b, c, d] = SECRET;
        let count = (flows as usize * 2).next_power_of_two();
        // Not zeros: those the system would give page by page, while the clock runs.
        let mut slots = vec![PlainSlot { key: FlowKey { words: [1; 5] }, kept: [1; 11] }; count]
            .into_boxed_slice();
        slots.iter_mut().for_each(|slot| slot.kept[0] = 0);
        Plain { slots, secret: RandomState::with_seeds(a, b, c, d) }
    }

    fn bytes_for(flows: u32) -> u64 {
        (u64::from(flows) * 2).next_power_of_two() * 128
    }

    fn find(&mut self, keys: &[FlowKey]) -> usize {
        keys.iter().filter(|key| self.look(key).1).count()
    }

    fn insert(&mut self, keys: &[FlowKey]) -> usize {
        let mut new = 0;
        for key in keys {
            let (at, found) = self.look(key);
            if !found {
                self.slots[at] = PlainSlot { key: *key, kept: kept(key) };
                new += 1;
            }
        }
        new
    }

    fn remove(&mut self, keys: &[FlowKey]) -> usize {
        let mut gone = 0;
        for key in keys {
            let (at, found) = self.look(key);
            if found {
                self.free(at);
                gone += 1;
            }
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some flows come, some go, some are looked up: the twins agree with ours.
    fn check<T: Table>() {
        const FLOWS: u32 = 3000;
        let keys: Vec<FlowKey> = (0..FLOWS * 2).map(key).collect();
        let (there, absent) = keys.split_at(FLOWS as usize);
        let mut table = T::new(FLOWS * 2);
        let sum = |count: &mut dyn FnMut(&[FlowKey]) -> usize, keys: &[FlowKey]| {
            keys.chunks(BATCH).map(count).sum::<usize>()
        };
        assert_eq!(sum(&mut |keys| table.insert(keys), there), FLOWS as usize);
        assert_eq!(sum(&mut |keys| table.insert(keys), there), 0);
        assert_eq!(sum(&mut |keys| table.find(keys), &keys), FLOWS as usize);
        for (old, new) in there.chunks(BATCH).zip(absent.chunks(BATCH)).step_by(2) {
            assert_eq!(table.remove(old), old.len());
            assert_eq!(table.find(old), 0);
            assert_eq!(table.insert(new), new.len());
        }
        assert_eq!(sum(&mut |keys| table.find(keys), &keys), FLOWS as usize);
    }

    #[test]
    fn every_table_keeps_what_it_is_given() {
        check::<Weir>();
        check::<Hashbrown>();
        check::<Plain>();
    }

    #[test]
    fn keys_differ() {
        let mut keys: Vec<_> = (0..100_000).map(|number| key(number).words).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 100_000);
    }
}
