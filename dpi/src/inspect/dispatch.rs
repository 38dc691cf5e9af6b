//! Which dissectors are asked about a payload: tables built once, looked up by transport, first
//! byte and port, so that the cost does not grow with the number of protocols.

use crate::view::{Dissector, First, Transport};

/// Number of a dissector in the dispatch.
pub(super) type Index = u16;

const WORDS: usize = 6;
/// Dissectors at most; one bit each in a [`Mask`].
pub(super) const MOST: usize = 64 * WORDS;

/// A set of dissectors, by index.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Mask([u64; WORDS]);

impl Mask {
    pub(super) const EMPTY: Mask = Mask([0; WORDS]);

    pub(super) fn insert(&mut self, index: Index) {
        if let Some(word) = self.0.get_mut(usize::from(index >> 6)) {
            *word |= 1 << (index & 63);
        }
    }

    pub(super) fn remove(&mut self, index: Index) {
        if let Some(word) = self.0.get_mut(usize::from(index >> 6)) {
            *word &= !(1 << (index & 63));
        }
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.iter().fold(0, |all, word| all | word) == 0
    }

    pub(super) fn and(self, other: Mask) -> Mask {
        self.zip(other, |a, b| a & b)
    }

    pub(super) fn or(self, other: Mask) -> Mask {
        self.zip(other, |a, b| a | b)
    }

    pub(super) fn and_not(self, other: Mask) -> Mask {
        self.zip(other, |a, b| a & !b)
    }

    /// The members, lowest first.
    pub(super) fn members(self) -> Members {
        let [first, rest @ ..] = self.0;
        Members { word: first, base: 0, rest }
    }

    fn zip(self, other: Mask, op: impl Fn(u64, u64) -> u64) -> Mask {
        let mut joined = self;
        for (word, with) in joined.0.iter_mut().zip(other.0) {
            *word = op(*word, with);
        }
        joined
    }
}

/// What is left of a [`Mask`] that is walked.
#[derive(Debug)]
pub(super) struct Members {
    word: u64,
    base: Index,
    /// The words from 64 on.
    rest: [u64; WORDS - 1],
}

impl Iterator for Members {
    type Item = Index;

    #[inline]
    fn next(&mut self) -> Option<Index> {
        while self.word == 0 {
            self.word = *self.rest.get(usize::from(self.base >> 6))?;
            self.base += 64;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a bit of 64 is below 64")]
        let bit = self.word.trailing_zeros() as Index;
        self.word &= self.word - 1;
        Some(self.base | bit)
    }
}

const PORT_BITS: u32 = 11;

/// One place of the port table: the port and the index of its set. Port 0 is an empty place, whose
/// set is the first, the empty one.
#[derive(Clone, Copy, Default, Debug)]
struct PortPlace {
    port: u16,
    set: u16,
}

/// The dissectors of one transport.
#[derive(Debug)]
struct Rows {
    first: Box<[Mask; 256]>,
    all: Mask,
}

impl Rows {
    fn empty() -> Rows {
        Rows { first: Box::new([Mask::EMPTY; 256]), all: Mask::EMPTY }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Dispatch {
    dissectors: Box<[Dissector]>,
    tcp: Rows,
    udp: Rows,
    ports_only: Mask,
    /// Open addressing: a lookup ends at an empty place.
    ports: Box<[PortPlace; 1 << PORT_BITS]>,
    sets: Vec<Mask>,
}

impl Dispatch {
    /// # Panics
    ///
    /// If there are more dissectors or ports than the tables are made for.
    pub(super) fn new(families: &[&[Dissector]]) -> Dispatch {
        let dissectors: Box<[Dissector]> = families.iter().copied().flatten().copied().collect();
        assert!(dissectors.len() <= MOST, "more dissectors than bits in a mask");
        let mut dispatch = Dispatch {
            dissectors: Box::default(),
            tcp: Rows::empty(),
            udp: Rows::empty(),
            ports_only: Mask::EMPTY,
            ports: Box::new([PortPlace::default(); 1 << PORT_BITS]),
            sets: vec![Mask::EMPTY],
        };
        for (index, dissector) in (0..).zip(dissectors.iter()) {
            dispatch.enter(index, dissector);
        }
        assert!(dispatch.sets.len() * 2 <= dispatch.ports.len(), "too many port hints");
        dispatch.dissectors = dissectors;
        dispatch
    }

    pub(super) fn dissector(&self, index: Index) -> Option<&Dissector> {
        self.dissectors.get(usize::from(index))
    }

    /// The dissectors that name one of these ports as usual.
    pub(super) fn hinted(&self, client: u16, server: u16) -> Mask {
        self.port(server).or(*self.port(client))
    }

    /// Every dissector that may be asked about a flow with this port hint.
    pub(super) fn possible(&self, transport: Transport, hinted: Mask) -> Mask {
        self.rows(transport).all.and_not(self.ports_only.and_not(hinted))
    }

    /// Those whose first message may begin with `byte`.
    #[inline]
    pub(super) fn beginning_with(&self, transport: Transport, byte: u8) -> &Mask {
        self.rows(transport).first.get(usize::from(byte)).unwrap_or(&Mask::EMPTY)
    }

    fn rows(&self, transport: Transport) -> &Rows {
        match transport {
            Transport::Tcp => &self.tcp,
            Transport::Udp => &self.udp,
        }
    }

    #[inline]
    fn port(&self, port: u16) -> &Mask {
        let mut at = place_of(port);
        // The table is at most half full (asserted in `new`), so there is an empty place.
        while let Some(place) = self.ports.get(at) {
            if place.port == port || place.port == 0 {
                return self.sets.get(usize::from(place.set)).unwrap_or(&Mask::EMPTY);
            }
            at = (at + 1) % self.ports.len();
        }
        &Mask::EMPTY
    }

    fn enter(&mut self, index: Index, dissector: &Dissector) {
        if dissector.ports_only {
            self.ports_only.insert(index);
        }
        for transport in dissector.over {
            let rows = match transport {
                Transport::Tcp => &mut self.tcp,
                Transport::Udp => &mut self.udp,
            };
            rows.all.insert(index);
            for (byte, row) in (0..=u8::MAX).zip(rows.first.iter_mut()) {
                if dissector.first.holds(byte) {
                    row.insert(index);
                }
            }
        }
        for &port in dissector.ports {
            assert!(port != 0, "port 0 is no hint");
            self.set_of(port).insert(index);
        }
    }

    /// The set of `port`, made if it is new.
    fn set_of(&mut self, port: u16) -> &mut Mask {
        let start = place_of(port);
        let room = self.ports.len();
        let at = (start..start + room)
            .map(|at| at % room)
            .find(|&at| self.ports.get(at).is_some_and(|p| p.port == 0 || p.port == port));
        let place = at.and_then(|at| self.ports.get_mut(at));
        #[expect(clippy::expect_used, reason = "at set-up; new() refuses a table over half full")]
        let place = place.expect("the port table has room");
        if place.port == 0 {
            let set = u16::try_from(self.sets.len()).unwrap_or(u16::MAX);
            *place = PortPlace { port, set };
            self.sets.push(Mask::EMPTY);
        }
        let set = usize::from(place.set);
        #[expect(clippy::expect_used, reason = "at set-up; the index was made with the set")]
        self.sets.get_mut(set).expect("a set for every place")
    }
}

impl First {
    /// Whether `byte` is in the set.
    pub fn holds(&self, byte: u8) -> bool {
        match self {
            First::Any => true,
            First::OneOf(bytes) => bytes.contains(&byte),
            First::Ranges(ranges) => ranges.iter().any(|&(low, high)| (low..=high).contains(&byte)),
        }
    }
}

fn place_of(port: u16) -> usize {
    usize::from(port.wrapping_mul(0x9E37) >> (16 - PORT_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::AppId;
    use crate::view::Outcome;

    fn members(mask: Mask) -> Vec<Index> {
        mask.members().collect()
    }

    #[test]
    fn a_mask_is_a_set_of_all_indices() {
        let mut mask = Mask::EMPTY;
        for index in [0, 1, 63, 64, 127, 128, 200, 255] {
            mask.insert(index);
        }
        mask.remove(64);
        assert_eq!(members(mask), [0, 1, 63, 127, 128, 200, 255]);
        assert!(mask.and_not(mask).is_empty() && !mask.is_empty());
    }

    #[test]
    fn ports_and_first_bytes_choose() {
        const fn make(ports: &'static [u16], ports_only: bool, first: First) -> Dissector {
            Dissector {
                app: AppId::HTTP,
                over: &[Transport::Tcp],
                ports,
                ports_only,
                first,
                run: |_, _| Outcome::NotMine,
            }
        }
        let rows = [
            make(&[80, 8080], false, First::OneOf(b"G")),
            make(&[80], true, First::Any),
            make(&[9], false, First::Ranges(&[(0, 9), (b'A', b'Z')])),
        ];
        let dispatch = Dispatch::new(&[&rows]);
        assert_eq!(members(dispatch.hinted(1, 80)), [0, 1]);
        assert_eq!(members(dispatch.hinted(8080, 9)), [0, 2]);
        assert!(dispatch.hinted(0, 0).is_empty(), "an empty place is not a port");
        assert_eq!(members(dispatch.possible(Transport::Tcp, Mask::EMPTY)), [0, 2]);
        let hinted = dispatch.hinted(80, 5);
        assert_eq!(members(dispatch.possible(Transport::Tcp, hinted)), [0, 1, 2]);
        assert!(dispatch.possible(Transport::Udp, hinted).is_empty());
        assert_eq!(members(*dispatch.beginning_with(Transport::Tcp, b'G')), [0, 1, 2]);
        assert_eq!(members(*dispatch.beginning_with(Transport::Tcp, 200)), [1]);
    }

    #[test]
    fn the_dissectors_as_listed_fit_the_tables() {
        let dispatch = Dispatch::new(crate::dissect::FAMILIES);
        for dissector in &dispatch.dissectors {
            assert!(!dissector.over.is_empty(), "{:?} is asked over nothing", dissector.app);
            assert!(
                !dissector.ports_only || !dissector.ports.is_empty(),
                "{:?} can never be asked",
                dissector.app
            );
        }
    }
}
