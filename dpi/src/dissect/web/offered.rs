//! What a `ClientHello` offers in lists, read once: the kinds of its extensions as a set, and the
//! names of its protocols as text.

use super::hello::{is_grease, protocol_names};
use super::risks;
use crate::host::Kinds;

/// Kinds from 64 on that a set holds. Browsers send three or four.
const HIGH_MOST: usize = 16;

/// Which kinds of extensions there are. Browsers shuffle theirs anew for every hello: a set is what
/// two hellos of one client have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExtensionSet {
    /// Those below 64, a bit each.
    low: u64,
    /// The others, most significant byte first and ascending.
    high: [[u8; 2]; HIGH_MOST],
    high_used: usize,
    /// Those that mean nothing (RFC 8701), a bit each.
    reserved: u16,
    /// Some kind came twice.
    repeated: bool,
    /// There are bytes that are no extension that was looked at.
    partial: bool,
    /// Some kind found no room.
    crowded: bool,
}

impl ExtensionSet {
    pub(super) const EMPTY: ExtensionSet = ExtensionSet {
        low: 0,
        high: [[0; 2]; HIGH_MOST],
        high_used: 0,
        reserved: 0,
        repeated: false,
        partial: false,
        crowded: false,
    };

    pub(super) fn insert(&mut self, kind: u16) {
        if kind < 64 {
            self.repeated |= self.low >> kind & 1 == 1;
            self.low |= 1 << kind;
        } else if is_grease(kind) {
            self.repeated |= self.reserved >> (kind >> 12) & 1 == 1;
            self.reserved |= 1 << (kind >> 12);
        } else {
            self.insert_high(kind.to_be_bytes());
        }
    }

    fn insert_high(&mut self, mut kind: [u8; 2]) {
        for place in self.high.iter_mut().take(self.high_used) {
            self.repeated |= *place == kind;
            if *place > kind {
                std::mem::swap(place, &mut kind);
            }
        }
        match self.high.get_mut(self.high_used) {
            Some(place) => {
                *place = kind;
                self.high_used += 1;
            }
            None => self.crowded = true,
        }
    }

    /// Notes that there are bytes that are no extension that was looked at.
    pub(super) fn set_partial(&mut self) {
        self.partial = true;
    }

    /// Whether these are no extensions as they should be.
    pub(super) fn is_odd(&self) -> bool {
        self.repeated || self.partial
    }

    pub(super) fn has(&self, kind: u16) -> bool {
        let high = self.high.get(..self.high_used).unwrap_or_default();
        if kind < 64 { self.low >> kind & 1 == 1 } else { high.contains(&kind.to_be_bytes()) }
    }

    /// The low ones as bits and the high ones as bytes, those that mean nothing left out; `None`
    /// where that is not all that there was.
    pub(super) fn parts(&self) -> Option<(u64, &[u8])> {
        let high = self.high.get(..self.high_used).unwrap_or_default();
        (!self.is_odd() && !self.crowded).then_some((self.low, high.as_flattened()))
    }
}

/// The protocol names of a hello.
pub(super) struct Protocols {
    text: [u8; 96],
    used: usize,
    /// One of the web's is among them.
    pub(super) web: bool,
    /// One is among them that is registered nowhere.
    pub(super) uncommon: bool,
}

impl Protocols {
    pub(super) fn of(list: &[u8]) -> Protocols {
        let mut protocols = Protocols { text: [b','; 96], used: 0, web: false, uncommon: false };
        let mut fits = true;
        for name in protocol_names(list) {
            protocols.web |= risks::is_web(name);
            protocols.uncommon |= !risks::is_registered(name);
            if fits && !name.is_empty() && Kinds::of(name).is_graphic() {
                fits = protocols.push(name).is_some();
            }
        }
        protocols
    }

    /// The names joined by commas, as many as fit; what cannot be shown (RFC 8701) left out.
    pub(super) fn text(&self) -> &[u8] {
        self.text.get(..self.used).unwrap_or_default()
    }

    fn push(&mut self, name: &[u8]) -> Option<()> {
        // The room is full of commas.
        let start = self.used + usize::from(self.used > 0);
        self.text.get_mut(start..start + name.len())?.copy_from_slice(name);
        self.used = start + name.len();
        Some(())
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "lengths in tests are small")]
mod tests {
    use super::*;

    fn set(kinds: &[u16]) -> ExtensionSet {
        let mut set = ExtensionSet::EMPTY;
        for kind in kinds {
            set.insert(*kind);
        }
        set
    }

    #[test]
    fn a_set_has_no_order_and_leaves_out_what_means_nothing() {
        let one = set(&[0x0a0a, 0, 0xff01, 16, 0x4469, 43, 0xfe0d, 0xfafa]);
        let other = set(&[0xfe0d, 43, 16, 0x1a1a, 0xff01, 0, 0x4469]);
        assert_eq!(one.parts(), other.parts());
        let (low, high) = one.parts().unwrap();
        assert_eq!(low, 1 | 1 << 16 | 1 << 43);
        assert_eq!(high, [0x44, 0x69, 0xfe, 0x0d, 0xff, 0x01]);
        assert!(one.has(0x4469) && one.has(43) && !one.has(0x4468) && !one.has(1));
    }

    #[test]
    fn what_comes_twice_or_finds_no_room_is_no_set() {
        for kinds in [&[5, 6, 5][..], &[0x4469, 0xff01, 0x4469], &[0x0a0a, 7, 0x0a0a]] {
            assert!(set(kinds).is_odd() && set(kinds).parts().is_none(), "{kinds:x?}");
        }
        let many: Vec<u16> = (1000..).take(HIGH_MOST).collect();
        assert!(set(&many).parts().is_some());
        let more = [&many[..], &[64]].concat();
        assert!(set(&more).parts().is_none() && !set(&more).is_odd());
    }

    #[test]
    fn names_are_joined_as_far_as_they_fit() {
        let list = |names: &[&[u8]]| -> Vec<u8> {
            names.iter().flat_map(|name| [&[name.len() as u8], *name].concat()).collect()
        };
        let long = [b'x'; 90];
        let read = Protocols::of(&list(&[b"\x0a\x0a", b"h2", b"", b"http/1.1"]));
        assert_eq!((read.text(), read.web), (&b"h2,http/1.1"[..], true));
        assert!(read.uncommon, "the empty one");
        let read = Protocols::of(&list(&[b"dot", &long, &long, b"h3"]));
        assert_eq!(read.text(), [&b"dot,"[..], &long].concat());
        assert!(read.web && read.uncommon);
        assert!(Protocols::of(&[]).text().is_empty());
    }
}
