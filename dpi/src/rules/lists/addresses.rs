//! A list of addresses and networks, kept as ranges that do not touch each other.

use super::super::condition::Prefix;
use super::{Left, lines};

/// See the module. A line holds an address or a network (IPv4, or IPv6, also in brackets); what
/// follows it after a space, a comma or a semicolon is of no meaning.
#[derive(Debug)]
pub struct AddressList {
    /// First and last address of each range, ascending.
    v4: Box<[(u32, u32)]>,
    v6: Box<[(u128, u128)]>,
    entries: u32,
    left: Left,
}

/// Bits of an IPv4 address in its mapped form, `::ffff:0:0`.
const MAPPED: u128 = 0xffff << 32;

impl AddressList {
    /// Reads a list.
    pub fn new(text: &[u8]) -> AddressList {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        let mut left = Left::default();
        for (number, line) in lines(text) {
            let end = line.iter().position(|byte| b" \t,;".contains(byte)).unwrap_or(line.len());
            match prefix(line.get(..end).unwrap_or_default()) {
                Some(prefix) => match (as_v4(prefix.address), as_v4(prefix.last())) {
                    (Some(first), Some(last)) if prefix.bits >= 96 => v4.push((first, last)),
                    _ => v6.push((prefix.address, prefix.last())),
                },
                None => left.add(number),
            }
        }
        let entries = u32::try_from(v4.len() + v6.len()).unwrap_or(u32::MAX);
        let v4 = joined(v4, |one| one.checked_add(1));
        let v6 = joined(v6, |one| one.checked_add(1));
        AddressList { v4, v6, entries, left }
    }

    /// Whether an address (IPv6, or IPv4 in its mapped form) is on the list.
    pub fn covers(&self, address: [u8; 16]) -> bool {
        let address = u128::from_be_bytes(address);
        as_v4(address).is_some_and(|address| within(&self.v4, address)) || within(&self.v6, address)
    }

    /// Addresses and networks that were read.
    pub fn len(&self) -> u32 {
        self.entries
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// What was left out.
    pub fn left(&self) -> Left {
        self.left
    }

    /// Bytes on the heap.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.v4) + size_of_val(&*self.v6)
    }
}

fn prefix(word: &[u8]) -> Option<Prefix> {
    let word = std::str::from_utf8(word).ok()?;
    let read = match word.strip_prefix('[').and_then(|word| word.split_once(']')) {
        Some((address, length)) => Prefix::read(&format!("{address}{length}")),
        None => Prefix::read(word),
    };
    read.ok().map(|(prefix, _)| prefix)
}

fn as_v4(address: u128) -> Option<u32> {
    (address >> 32 == MAPPED >> 32).then_some(())?;
    u32::try_from(address & 0xffff_ffff).ok()
}

/// Ranges put in order, those that touch made one.
fn joined<N: Ord + Copy>(mut ranges: Vec<(N, N)>, next: impl Fn(N) -> Option<N>) -> Box<[(N, N)]> {
    ranges.sort_unstable();
    let mut joined: Vec<(N, N)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match joined.last_mut() {
            Some(before) if next(before.1).is_none_or(|next| first <= next) => {
                before.1 = before.1.max(last);
            }
            _ => joined.push((first, last)),
        }
    }
    joined.into()
}

fn within<N: Ord + Copy>(ranges: &[(N, N)], address: N) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= address);
    let range = after.checked_sub(1).and_then(|at| ranges.get(at));
    range.is_some_and(|(_, last)| address <= *last)
}
