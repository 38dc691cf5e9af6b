//! Sections, compressed.

use std::io;

use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};
use twox_hash::XxHash32;
use zstd::bulk::Compressor;

use super::{Method, RESET, head};

/// A frame of zstd with a window of 2 MiB, without its length and checksum.
pub(super) const ZSTD_HEAD: [u8; 6] = [0x28, 0xb5, 0x2f, 0xfd, 0, (21 - 10) << 3];

/// Bytes of a section at most: what a block of LZ4 may have, by what [`begin`] says of it.
const MOST_BYTES: usize = 1 << 20;

/// What a compressed file begins with.
pub(crate) fn begin(method: Method) -> Vec<u8> {
    match method {
        Method::Zstd(_) => ZSTD_HEAD.to_vec(),
        Method::Lz4 => {
            // Version 1, blocks that are independent, have checksums, and 1 MiB at most.
            let flags = [0x70, 0x60];
            let [_, check, ..] = XxHash32::oneshot(0, &flags).to_le_bytes();
            [&[0x04, 0x22, 0x4d, 0x18], &flags[..], &[check]].concat()
        }
    }
}

/// Compresses sections; one a thread.
pub(crate) struct Packer {
    way: Way,
    scratch: Vec<u8>,
}

enum Way {
    Zstd(Compressor<'static>),
    Lz4(CompressTable),
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").field("scratch", &self.scratch.len()).finish_non_exhaustive()
    }
}

impl Packer {
    /// # Errors
    /// There is no memory.
    pub(crate) fn new(method: Method) -> io::Result<Packer> {
        let way = match method {
            Method::Zstd(level) => Way::Zstd(Compressor::new(level)?),
            Method::Lz4 => Way::Lz4(CompressTable::large()),
        };
        Ok(Packer { way, scratch: Vec::new() })
    }

    /// Appends a section, of which `bytes` are all but the filler.
    ///
    /// # Errors
    /// It is longer than a section may be, or there is no memory.
    pub(crate) fn section(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        if bytes.len() > MOST_BYTES {
            return Err(io::Error::other("a section is too long"));
        }
        match &mut self.way {
            Way::Zstd(compressor) => {
                self.scratch.clear();
                self.scratch.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
                compressor.compress_to_buffer(bytes, &mut self.scratch)?;
                blocks_of(&mut self.scratch, out)
                    .ok_or_else(|| io::Error::other("zstd made a frame that it should not"))?;
                out.extend(RESET);
            }
            Way::Lz4(table) => {
                self.scratch.resize(get_maximum_output_size(bytes.len()), 0);
                let made = compress_into_with_table(bytes, &mut self.scratch, table);
                let made = self.scratch.get(..made.map_err(io::Error::other)?).unwrap_or_default();
                let raw = made.len() >= bytes.len();
                let data = if raw { bytes } else { made };
                let length = u32::try_from(data.len()).map_err(io::Error::other)?;
                out.extend((length | u32::from(raw) << 31).to_le_bytes());
                out.extend(data);
                out.extend(XxHash32::oneshot(0, data).to_le_bytes());
            }
        }
        Ok(())
    }
}

/// Appends the blocks of a frame of zstd, of which none is the last any more.
fn blocks_of(frame: &mut [u8], out: &mut Vec<u8>) -> Option<()> {
    let (_, mut at) = head::read(frame)?;
    let from = at;
    loop {
        let block = frame.get_mut(at..)?;
        let (length, last) = head::zstd_block(*block.first_chunk()?);
        if last {
            *block.first_mut()? &= !1;
        }
        at += 3 + length;
        if last {
            out.extend(frame.get(from..at)?);
            return Some(());
        }
    }
}
