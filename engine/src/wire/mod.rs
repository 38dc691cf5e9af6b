//! Parsers: pure, slice in, header and rest out, or a one-byte reason.

/// How a frame's bytes begin.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[repr(u8)]
pub enum LinkType {
    /// Ethernet II or IEEE 802.3.
    #[default]
    Ethernet = 1,
}
