//! Compressed capture files: read whoever wrote them, written so that any place is found again and
//! ordinary programs open them.
//!
//! A file that Weir writes is *one* frame of zstd (RFC 8878) or LZ4 (frame format 1.6), as `zstd -d`,
//! `lz4 -d`, Wireshark and tshark read them; Wireshark reads no more than the first of several. Within
//! the frame come *sections*: about [`SECTION_BYTES`] of whole blocks of the capture file, compressed
//! without a look at what came before, so that reading may begin at any of them. Which place of the
//! capture file is where, the index says.
//!
//! - LZ4 has that by itself: a section is an independent block, with its checksum.
//! - zstd remembers the last three distances of a frame. So each section ends with [`RESET`]: three
//!   blocks that set them to what they are when a frame begins. What they stand for is [`FILLER`], a
//!   block of pcapng that says nothing. Plain pcap has no such blocks, and is compressed by LZ4 alone.

mod head;
mod raw;
mod read;
mod write;

pub(crate) use read::{Point, Unpacker};
pub(crate) use write::{Packer, begin};

/// Bytes of a capture file in a section at most, but where one block alone is longer.
pub(crate) const SECTION_BYTES: u64 = 1 << 18;

/// A name resolution block of 36 bytes without a name: no program shows anything of it.
pub(crate) const FILLER: &[u8; 36] =
    b"\x04\0\0\0\x24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x24\0\0\0";

/// [`FILLER`], compressed: three blocks of a sequence each, whose distances are 8, 4 and 1.
pub(crate) const RESET: &[u8; 57] = b"\xdc\0\0\
    \xa0\x04\0\0\0\x24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x54\x12\x03\x00\x16\
    \x3c\0\0\x00\x01\x54\x00\x02\x00\x07\
    \x74\0\0\x38\0\0\0\x24\0\0\0\x01\x54\x00\x02\x00\x04";

/// How to compress.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Method {
    /// With this level.
    Zstd(i32),
    Lz4,
}

impl Method {
    /// Reads `zstd`, `zstd:LEVEL` or `lz4`.
    ///
    /// # Errors
    /// It is none of these, in words.
    pub(crate) fn parse(text: &str) -> Result<Method, String> {
        let (name, level) = text.split_once(':').map_or((text, None), |(a, b)| (a, Some(b)));
        match (name, level.map(str::parse)) {
            ("lz4", None) => Ok(Method::Lz4),
            ("zstd", None) => Ok(Method::Zstd(1)),
            ("zstd", Some(Ok(level @ 1..=19))) => Ok(Method::Zstd(level)),
            _ => Err("zstd, zstd:LEVEL with a level of 1 to 19, or lz4".to_owned()),
        }
    }

    /// The one whose files are named so; its level is of no meaning.
    pub(crate) fn of_name(name: &str) -> Option<Method> {
        [Method::Zstd(1), Method::Lz4].into_iter().find(|method| {
            name.rsplit_once('.').is_some_and(|(_, ending)| ending == method.ending())
        })
    }

    /// What is added to a file's name.
    pub(crate) const fn ending(self) -> &'static str {
        match self {
            Method::Zstd(_) => "zst",
            Method::Lz4 => "lz4",
        }
    }

    /// What the capture file has at the end of each section.
    pub(crate) const fn filler(self) -> &'static [u8] {
        match self {
            Method::Zstd(_) => FILLER,
            Method::Lz4 => &[],
        }
    }

    /// What the compressed file ends with.
    pub(crate) const fn tail(self) -> &'static [u8] {
        match self {
            // An empty block, the last.
            Method::Zstd(_) => &[1, 0, 0],
            Method::Lz4 => &[0; 4],
        }
    }
}

/// Whether what begins so is compressed, in a way that is read here.
pub(crate) fn is_packed(head: &[u8]) -> bool {
    head::magic(head).is_some()
}

#[cfg(test)]
mod tests;
