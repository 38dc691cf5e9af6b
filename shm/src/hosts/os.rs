//! Which system sent a SYN, by what it looks like: initial TTL, window, and the order of options.
//!
//! The facts are those that passive fingerprinting has published for two decades (p0f's format:
//! `ttl:mss:window,scale:options`): the order of options is that of the stack, and stacks rarely
//! change it. A guess says no more than a family.

/// What a SYN looked like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Syn {
    /// Time to live as it came; less than it was sent with by the hops between.
    pub ttl: u8,
    /// Window scale; 255 where there was none.
    pub scale: u8,
    /// Maximum segment size; 0 where there was none.
    pub mss: u16,
    /// Window.
    pub window: u16,
    /// Kinds of options in their order, four bits each, first one lowest; 15: another kind. Padding
    /// after the end of options is left out.
    pub options: u64,
}

/// Set where a SYN was seen: a word of zeros means none.
const SEEN: u64 = 1 << 63;

impl Syn {
    /// As two words of a detail.
    pub fn words(self) -> [u64; 2] {
        let head = u64::from(self.ttl)
            | u64::from(self.scale) << 8
            | u64::from(self.mss) << 16
            | u64::from(self.window) << 32;
        [head | SEEN, self.options]
    }

    /// From two words of a detail.
    pub(super) fn of(head: u64, options: u64) -> Option<Self> {
        let [ttl, scale, m0, m1, w0, w1, ..] = head.to_le_bytes();
        let (mss, window) = (u16::from_le_bytes([m0, m1]), u16::from_le_bytes([w0, w1]));
        (head & SEEN != 0).then_some(Self { ttl, scale, mss, window, options })
    }

    /// From a SYN's fields and the bytes of its options.
    pub fn parse(ttl: u8, window: u16, bytes: &[u8]) -> Self {
        let mut syn = Self { ttl, scale: 255, mss: 0, window, options: 0 };
        let (mut rest, mut shift) = (bytes, 0);
        while let Some((&kind, tail)) = rest.split_first() {
            let length = match (kind, tail.first()) {
                (END | NOP, _) => 1,
                (_, Some(&length)) if length >= 2 => usize::from(length),
                _ => break,
            };
            match (kind, rest.get(2..length)) {
                (MSS, Some(&[a, b])) => syn.mss = u16::from_be_bytes([a, b]),
                (SCALE, Some(&[scale])) => syn.scale = scale,
                _ => {}
            }
            if shift < u64::BITS {
                syn.options |= u64::from(kind.min(15)) << shift;
                shift += 4;
            }
            // The end is written as a 14, so that it is not nothing.
            if kind == END {
                syn.options |= LAST << (shift - 4);
                break;
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        syn
    }

    /// The time to live that it was sent with: the next of those that systems use.
    pub fn initial_ttl(&self) -> u8 {
        match self.ttl {
            0..=32 => 32,
            33..=64 => 64,
            65..=128 => 128,
            _ => 255,
        }
    }

    /// The options in p0f's words.
    pub fn layout(&self) -> String {
        let kinds = (0..16).map(|at| self.options >> (at * 4) & 15).take_while(|kind| *kind != 0);
        let words = kinds.map(|kind| match kind {
            1 => "nop",
            2 => "mss",
            3 => "ws",
            4 => "sok",
            5 => "sack",
            8 => "ts",
            LAST => "eol",
            _ => "?",
        });
        words.collect::<Vec<_>>().join(",")
    }

    /// The family of systems that sends such SYNs.
    pub fn guess(&self) -> Option<&'static str> {
        let fits = |row: &&Row| {
            row.ttl == self.initial_ttl()
                && row.options == self.options
                && (row.window == 0 || row.window == self.window)
                && (row.scale == ANY || row.scale == self.scale)
        };
        TABLE.iter().find(fits).map(|row| row.name)
    }
}

const END: u8 = 0;
const NOP: u8 = 1;
const MSS: u8 = 2;
const SCALE: u8 = 3;
const LAST: u64 = 14;
const ANY: u8 = 254;

struct Row {
    ttl: u8,
    options: u64,
    window: u16,
    scale: u8,
    name: &'static str,
}

const fn row(ttl: u8, kinds: &[u8], window: u16, scale: u8, name: &'static str) -> Row {
    let (mut options, mut at) = (0, 0);
    while at < kinds.len() {
        options |= (kinds[at] as u64) << (at * 4);
        at += 1;
    }
    Row { ttl, options, window, scale, name }
}

/// First fit counts. Kinds: 1 nop, 2 mss, 3 window scale, 4 SACK permitted, 8 timestamps, 14 end.
const TABLE: &[Row] = &[
    row(64, &[2, 4, 8, 1, 3], 0, ANY, "Linux"),
    row(64, &[2, 1, 1, 4, 1, 3], 0, ANY, "Linux"),
    row(64, &[2, 1, 3, 1, 1, 8, 4, 14], 65535, 6, "macOS or iOS"),
    row(64, &[2, 1, 3, 1, 1, 8, 4, 14], 65535, ANY, "macOS or iOS"),
    row(64, &[2, 1, 3, 1, 1, 8, 4, 14], 0, ANY, "Apple"),
    row(64, &[2, 1, 3, 4, 8], 65535, ANY, "FreeBSD"),
    row(64, &[2, 1, 3, 4, 8], 0, ANY, "FreeBSD"),
    row(64, &[2, 1, 1, 4, 1, 3, 1, 1, 8], 16384, ANY, "OpenBSD"),
    row(64, &[2, 1, 3, 4, 1, 1], 0, ANY, "NetBSD"),
    row(128, &[2, 1, 3, 1, 1, 4], 0, 8, "Windows"),
    row(128, &[2, 1, 3, 1, 1, 4], 8192, 2, "Windows 7"),
    row(128, &[2, 1, 3, 1, 1, 4], 0, ANY, "Windows"),
    row(128, &[2, 1, 1, 4], 0, 255, "Windows XP"),
    row(128, &[2, 1, 3, 1, 1, 8, 1, 1, 4], 0, ANY, "Windows XP"),
    row(128, &[2, 1, 3, 4, 8], 0, ANY, "Windows"),
    row(64, &[1, 3, 1, 1, 8, 1, 1, 4, 2], 0, ANY, "Solaris"),
    row(255, &[2], 0, ANY, "embedded (lwIP)"),
    row(64, &[2], 0, ANY, "embedded"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syn_tells_its_family() {
        let linux = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
        let windows = [2, 4, 5, 180, 1, 3, 3, 8, 1, 1, 4, 2];
        let apple = [2, 4, 5, 180, 1, 3, 3, 6, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 4, 2, 0, 0];
        let syn = Syn::parse(57, 64240, &linux);
        assert_eq!((syn.guess(), syn.mss, syn.scale), (Some("Linux"), 1460, 7));
        assert_eq!(syn.layout(), "mss,sok,ts,nop,ws");
        assert_eq!(Syn::parse(116, 64240, &windows).guess(), Some("Windows"));
        assert_eq!(Syn::parse(64, 65535, &apple).guess(), Some("macOS or iOS"));
        assert_eq!(Syn::parse(64, 1000, &[3, 3, 1]).guess(), None);
        let [head, options] = syn.words();
        assert_eq!(Syn::of(head, options), Some(syn));
        assert_eq!(Syn::of(0, 0), None);
    }

    #[test]
    fn options_that_lie_about_their_length_end_the_list() {
        for bytes in [&[2][..], &[2, 0], &[2, 1], &[8, 200, 1, 1], &[1; 40], &[255; 40]] {
            Syn::parse(64, 1, bytes);
        }
    }
}
