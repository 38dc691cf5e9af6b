//! What both formats have in common: records one after another.

use std::{fmt, io};

use super::{pcap, pcapng};
use crate::wire::LinkType;

/// The most bytes that a frame may have; more means a damaged file. It is the limit that the
/// programs that write such files have too.
pub(super) const MAX_FRAME_BYTES: u32 = 1 << 18;

/// The most bytes that a record that is read may have, its frame and all its options.
pub(super) const MAX_RECORD_BYTES: usize = 1 << 19;

/// What may be wrong with a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Broken {
    /// The file ends inside it.
    Truncated,
    /// Its frame would be larger than any frame is.
    FrameTooLarge,
    /// Its length cannot be right, or its two lengths differ.
    BadLength,
    /// It is of an interface that the file has not described.
    NoInterface,
    /// The file has more interfaces than the limit.
    TooManyInterfaces,
    /// A section does not tell its byte order.
    NoByteOrder,
    /// What gzip packed cannot be unpacked.
    Unpacking,
    /// The disk could not be read.
    Reading,
}

impl Broken {
    /// A stable name for machines.
    pub const fn name(self) -> &'static str {
        match self {
            Broken::Truncated => "truncated",
            Broken::FrameTooLarge => "frame_too_large",
            Broken::BadLength => "bad_length",
            Broken::NoInterface => "no_interface",
            Broken::TooManyInterfaces => "too_many_interfaces",
            Broken::NoByteOrder => "no_byte_order",
            Broken::Unpacking => "unpacking",
            Broken::Reading => "reading",
        }
    }

    pub(super) fn of_unpacking(error: &io::Error) -> Broken {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Broken::Truncated,
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => Broken::Unpacking,
            _ => Broken::Reading,
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Broken::Truncated => "the file ends inside this record",
            Broken::FrameTooLarge => "this record's frame would be larger than any frame is",
            Broken::BadLength => "this record's length cannot be right",
            Broken::NoInterface => "this record is of an interface that the file never described",
            Broken::TooManyInterfaces => "more than 256 interfaces",
            Broken::NoByteOrder => "this section does not tell its byte order",
            Broken::Unpacking => "the packed data is damaged",
            Broken::Reading => "the disk could not be read",
        })
    }
}

/// A record that holds a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Record {
    /// Bytes of the whole record.
    pub(super) bytes: usize,
    /// Where in the record its frame begins.
    pub(super) from: u64,
    pub(super) captured_bytes: u32,
    pub(super) wire_bytes: u32,
    pub(super) timestamp_ns: u64,
    pub(super) link: LinkType,
    pub(super) interface: u8,
}

/// What lies at the start of some bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// A frame.
    Frame(Record),
    /// A record of that many bytes, all of them here, that was read and holds no frame.
    Other(usize),
    /// A record of that many bytes, here or not, that is of no interest.
    Skip(u64),
    /// Not a whole record: that many bytes are needed to go on, more than there are.
    More(usize),
    /// Nothing that can be read.
    Broken(Broken),
}

/// A format with what its headers have told so far.
#[derive(Debug)]
pub(super) enum Format {
    Pcap(pcap::Pcap),
    Pcapng(Box<pcapng::Pcapng>),
}

impl Format {
    /// The format and the bytes of the file's header. The error is what is wrong with the header,
    /// or nothing where the file is of another kind.
    pub(super) fn detect(bytes: &[u8]) -> Result<(Format, usize), Option<Broken>> {
        let magic = bytes.first_chunk::<4>().ok_or(None)?;
        if *magic == pcapng::MAGIC {
            return Ok((Format::Pcapng(Box::default()), 0));
        }
        let pcap = pcap::Pcap::read(*magic, bytes)?;
        Ok((Format::Pcap(pcap), pcap::HEADER_BYTES))
    }

    /// The link type of the first interface, as files number it; all ones where it is not known.
    pub(super) const fn link_type(&self) -> u32 {
        match self {
            Format::Pcap(pcap) => pcap.link().number(),
            Format::Pcapng(pcapng) => pcapng.first_link().number(),
        }
    }

    #[inline]
    pub(super) fn step(&mut self, bytes: &[u8]) -> Step {
        match self {
            Format::Pcap(pcap) => pcap.step(bytes),
            Format::Pcapng(pcapng) => pcapng.step(bytes),
        }
    }
}

/// The order of the bytes in a file's numbers.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum Order {
    #[default]
    Little,
    Big,
}

impl Order {
    #[inline]
    pub(super) const fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Order::Little => u16::from_le_bytes(bytes),
            Order::Big => u16::from_be_bytes(bytes),
        }
    }

    #[inline]
    pub(super) const fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Order::Little => u32::from_le_bytes(bytes),
            Order::Big => u32::from_be_bytes(bytes),
        }
    }

    /// The 32-bit number with that index among `words`; 0 where there is none.
    #[inline]
    pub(super) fn word(self, words: &[u8], index: usize) -> u32 {
        words.as_chunks::<4>().0.get(index).map_or(0, |word| self.u32(*word))
    }
}

/// A length in a file as one in memory; what does not fit cannot be there.
#[inline]
pub(super) fn length(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
