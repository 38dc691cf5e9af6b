//! Capture files as the recorder, the index and the extraction see them: pcapng and pcap of any byte
//! order and resolution are read, with the place of every packet; both are written with nanoseconds.
//! Compressed ones are read and written as well ([`packed`]).
//!
//! No running engine is asked for anything here; its parser is ([`wire`]). What is read may be damaged: a
//! length or a type that cannot be is an end, never a panic.

pub(crate) mod alert;
pub(crate) mod encode;
pub(crate) mod layout;
pub(crate) mod note;
pub(crate) mod packed;
pub(crate) mod reader;
pub(crate) mod source;
pub(crate) mod wire;

use note::Note;

/// A packet, read or to be written.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Packet<'a> {
    /// Unix nanoseconds.
    pub(crate) time_ns: u64,
    pub(crate) bytes: &'a [u8],
    pub(crate) wire_bytes: u32,
    /// `LINKTYPE_` number.
    pub(crate) link_type: u32,
    /// Number of its interface: within the engine's source, or within the file.
    pub(crate) interface: u32,
    /// What is known of its flow.
    pub(crate) note: Option<Note>,
    /// Packets lost before this one, since the one before.
    pub(crate) lost: u64,
    /// Empty: none.
    pub(crate) comment: &'a str,
    /// Alerts that began, went on or ended about then, as [`alert::all`] reads them.
    pub(crate) alerts: &'a [u8],
}

/// Bytes of a record at most; what claims to be longer is damage.
pub(crate) const RECORD_BYTES: usize = 1 << 25;

/// Seeds for a hash that outsiders cannot know.
pub(crate) fn seeds() -> [u64; 4] {
    use std::hash::BuildHasher;
    let random = std::hash::RandomState::new();
    [1, 2, 3, 4].map(|word: u64| random.hash_one(word))
}

/// Four bytes at `at`, or zero behind the end.
pub(crate) fn word(bytes: &[u8], at: usize, big: bool) -> u32 {
    let word = bytes.get(at..at + 4).and_then(|word| <[u8; 4]>::try_from(word).ok());
    let word = word.unwrap_or_default();
    if big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
}

/// Two bytes at `at`, or zero behind the end.
pub(crate) fn half(bytes: &[u8], at: usize, big: bool) -> u16 {
    let half = bytes.get(at..at + 2).and_then(|half| <[u8; 2]>::try_from(half).ok());
    let half = half.unwrap_or_default();
    if big { u16::from_be_bytes(half) } else { u16::from_le_bytes(half) }
}
