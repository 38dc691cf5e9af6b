//! Where flows' packets are, as an index in the making keeps it: a packet changes one cache line of its
//! flow and, now and then, the end of what all flows have in common.

use super::format::{leb128, pull};

/// Bytes of a piece.
const PIECE: usize = 23;

/// What a packet changes of its flow.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Counts {
    pub(super) bytes: u64,
    pub(super) first_ns: u64,
    pub(super) last_ns: u64,
    pub(super) list: List,
}

const _: () = assert!(size_of::<Counts>() == 64, "one cache line");

impl Default for Counts {
    fn default() -> Counts {
        Counts { bytes: 0, first_ns: u64::MAX, last_ns: 0, list: List::default() }
    }
}

/// The places of a flow's packets, each as LEB128 of how far it is from the one before. The last bytes
/// are here, the others in pieces, of which each knows the one before.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct List {
    last: u64,
    pub(super) packets: u32,
    /// Full pieces: the number of the last one, and one; 0: none.
    full: u32,
    used: u8,
    tail: [u8; PIECE],
}

/// The pieces of all lists, as they became full.
#[derive(Clone, Default, Debug)]
pub(super) struct Pieces(Vec<Piece>);

#[derive(Clone, Copy, Debug)]
struct Piece {
    before: u32,
    bytes: [u8; PIECE],
}

impl Pieces {
    pub(super) const fn new() -> Pieces {
        Pieces(Vec::new())
    }

    /// Bytes that are in use.
    pub(super) const fn memory(&self) -> usize {
        self.0.len() * size_of::<Piece>()
    }

    /// Appends a place, which is none before the last one.
    #[inline]
    pub(super) fn push(&mut self, list: &mut List, place: u64) {
        let (bytes, count) = leb128(place - list.last);
        list.last = place;
        list.packets = list.packets.saturating_add(1);
        let used = usize::from(list.used);
        if let Some(free) = list.tail.get_mut(used..used + count) {
            free.copy_from_slice(bytes.get(..count).unwrap_or_default());
            list.used += u8::try_from(count).unwrap_or(0);
        } else {
            bytes.into_iter().take(count).for_each(|byte| self.byte(list, byte));
        }
    }

    #[cold]
    fn byte(&mut self, list: &mut List, byte: u8) {
        if usize::from(list.used) == PIECE {
            self.0.push(Piece { before: list.full, bytes: list.tail });
            list.full = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
            list.used = 0;
        }
        if let Some(free) = list.tail.get_mut(usize::from(list.used)) {
            *free = byte;
            list.used += 1;
        }
    }

    /// Appends a list's bytes; how many.
    pub(super) fn write(&self, list: &List, out: &mut Vec<u8>) -> usize {
        let before = out.len();
        let (mut pieces, mut at) = (Vec::new(), list.full);
        while let Some(piece) =
            at.checked_sub(1).and_then(|at| self.0.get(usize::try_from(at).ok()?))
        {
            pieces.push(&piece.bytes);
            at = piece.before;
        }
        pieces.into_iter().rev().for_each(|piece| out.extend(piece));
        out.extend(list.tail.get(..list.used.into()).unwrap_or_default());
        out.len() - before
    }

    /// Takes the places from this one on off a list.
    pub(super) fn cut(&mut self, list: &mut List, end: u64) {
        let mut bytes = Vec::new();
        self.write(list, &mut bytes);
        let (mut rest, mut place) = (bytes.as_slice(), 0);
        *list = List::default();
        while let Some(step) = pull(&mut rest) {
            place += step;
            if place >= end {
                return;
            }
            self.push(list, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &Pieces, list: &List) -> Vec<u64> {
        let mut bytes = Vec::new();
        assert_eq!(pieces.write(list, &mut bytes), bytes.len());
        let (mut rest, mut place) = (bytes.as_slice(), 0);
        std::iter::from_fn(|| pull(&mut rest).map(|step| (place += step, place).1)).collect()
    }

    proptest! {
        #[test]
        fn lists_side_by_side_keep_their_places(
            steps in proptest::collection::vec((0_usize..3, 0_u64..1 << 30), 0..300),
            end: u32,
        ) {
            let mut pieces = Pieces::new();
            let mut lists = [List::default(); 3];
            let mut expected = [const { Vec::new() }; 3];
            let mut place = 0;
            for (list, step) in steps {
                place += step;
                pieces.push(&mut lists[list], place);
                expected[list].push(place);
            }
            for (list, expected) in lists.iter_mut().zip(&mut expected) {
                prop_assert_eq!(&read(&pieces, list), &*expected);
                pieces.cut(list, end.into());
                expected.retain(|place| *place < u64::from(end));
                prop_assert_eq!(&read(&pieces, list), &*expected);
                prop_assert_eq!(list.packets as usize, expected.len());
            }
        }
    }
}
