//! How frames of zstd and LZ4 begin.

/// What a frame is, by its first four bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Magic {
    Zstd,
    Lz4,
    /// To be stepped over; both have them.
    Skippable,
}

/// What is there to know of a frame before its blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Head {
    Zstd {
        /// Four bytes of it come after the last block.
        checksum: bool,
    },
    Lz4(Lz4),
}

/// Of a frame of LZ4.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Lz4 {
    pub(super) independent: bool,
    pub(super) block_checksum: bool,
    pub(super) checksum: bool,
    /// Bytes of a block at most, as it is and compressed.
    pub(super) block_bytes: usize,
}

/// Bytes that tell how long a head is, at most.
pub(super) const PEEK_BYTES: usize = 6;

pub(super) fn magic(bytes: &[u8]) -> Option<Magic> {
    match bytes.get(..4)? {
        [0x28, 0xb5, 0x2f, 0xfd] => Some(Magic::Zstd),
        [0x04, 0x22, 0x4d, 0x18] => Some(Magic::Lz4),
        [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Some(Magic::Skippable),
        _ => None,
    }
}

/// What a frame that begins so is, and the bytes before its first block; none if that cannot be.
pub(super) fn read(bytes: &[u8]) -> Option<(Head, usize)> {
    let &[_, _, _, _, flags, limits, ..] = bytes else { return None };
    match magic(bytes)? {
        Magic::Zstd => {
            let single = flags >> 5 & 1 == 1;
            let dictionary = [0, 1, 2, 4][usize::from(flags & 3)];
            let size = [usize::from(single), 2, 4, 8][usize::from(flags >> 6)];
            let bytes = 5 + usize::from(!single) + dictionary + size;
            Some((Head::Zstd { checksum: flags >> 2 & 1 == 1 }, bytes))
        }
        Magic::Lz4 => {
            // Version 01, no dictionary; a block is of 64 KiB to 4 MiB.
            let class @ 4..=7 = limits >> 4 & 7 else { return None };
            if flags >> 6 != 1 || flags & 1 == 1 {
                return None;
            }
            let head = Lz4 {
                independent: flags >> 5 & 1 == 1,
                block_checksum: flags >> 4 & 1 == 1,
                checksum: flags >> 2 & 1 == 1,
                block_bytes: 1 << (8 + 2 * class),
            };
            Some((Head::Lz4(head), 7 + if flags >> 3 & 1 == 1 { 8 } else { 0 }))
        }
        Magic::Skippable => None,
    }
}

/// Of a block of zstd: the bytes that follow its three, and whether it is the last.
pub(super) fn zstd_block(bytes: [u8; 3]) -> (usize, bool) {
    let [low, middle, high] = bytes.map(usize::from);
    let word = low | middle << 8 | high << 16;
    // One that repeats a byte has that byte alone.
    let length = if word >> 1 & 3 == 1 { 1 } else { word >> 3 };
    (length, word & 1 == 1)
}
