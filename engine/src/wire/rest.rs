//! What is left of a frame while its layers come off.

/// The bytes that no layer has taken yet, and where in the frame they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest<'a> {
    /// Captured bytes.
    pub(super) bytes: &'a [u8],
    /// Offset of the first of them in the frame.
    pub(super) at: usize,
    /// Bytes that the wire had after them and the capture has not.
    pub(super) cut: usize,
    /// Bytes that come in other pieces of the same datagram, at most.
    pub(super) elsewhere: usize,
}

impl<'a> Rest<'a> {
    /// Takes a header of a fixed length: the one check after which its fields cannot fail.
    #[inline]
    pub(super) fn take<const N: usize>(self) -> Option<(&'a [u8; N], Rest<'a>)> {
        let (head, bytes) = self.bytes.split_first_chunk::<N>()?;
        Some((head, Rest { bytes, at: self.at + N, ..self }))
    }

    /// Looks at a header without taking it.
    #[inline]
    pub(super) fn peek<const N: usize>(self) -> Option<&'a [u8; N]> {
        self.bytes.first_chunk::<N>()
    }

    /// Leaves out `count` bytes.
    #[inline]
    pub(super) fn skip(self, count: usize) -> Option<Rest<'a>> {
        Some(Rest { bytes: self.bytes.get(count..)?, at: self.at + count, ..self })
    }

    /// Ends the rest after `count` bytes of the wire; none where the wire had fewer.
    #[inline]
    pub(super) fn limit(self, count: usize) -> Option<Rest<'a>> {
        if let Some(bytes) = self.bytes.get(..count) {
            return Some(Rest { bytes, at: self.at, cut: 0, elsewhere: 0 });
        }
        let cut = count - self.bytes.len();
        let there = cut <= self.cut.saturating_add(self.elsewhere);
        there.then_some(Rest { cut, elsewhere: 0, ..self })
    }

    /// Bytes that the frame had on the wire.
    #[inline]
    pub(super) const fn wire_bytes(self) -> usize {
        self.bytes.len().saturating_add(self.cut)
    }
}

/// Reads a 16-bit number in network order.
#[inline(always)]
pub(super) const fn be16(a: u8, b: u8) -> u16 {
    u16::from_be_bytes([a, b])
}
