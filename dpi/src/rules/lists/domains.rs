//! A list of host names, each for itself and all below it.
//!
//! The names stay in the text that was given; the index holds where each begins. A name that is
//! found is compared with the text byte for byte, so there are no false hits.

use std::fmt;

use super::super::index::{Index, NameHash};
use super::super::names::{labels, last_of_suffixes};
use super::{Left, Text, lines};

/// Bytes of a host name at most.
const NAME_BYTES: usize = 253;

/// See the module. Lines are recognised one by one:
///
/// - a name: `bad.example`, `*.bad.example` or `.example` (the only way to name a single label),
///   perhaps with a number behind it;
/// - of a hosts file: an address and names;
/// - of `AdBlock`: `||bad.example^`, perhaps with `$important`, `$all` or `$document`.
pub struct DomainList {
    text: Text,
    index: Index,
    names: u32,
    doubled: u32,
    /// Labels of the shortest and the longest name.
    depths: (usize, usize),
    left: Left,
}

impl fmt::Debug for DomainList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DomainList")
            .field("names", &self.names)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl DomainList {
    /// Reads a list; what is beyond its first 4 GiB counts as one line that could not be read.
    pub fn new(text: Text) -> DomainList {
        let bytes = (*text).as_ref();
        let mut left = Left::default();
        let all = bytes;
        let bytes = bytes.get(..u32::MAX as usize).unwrap_or(bytes);
        let mut starts = Vec::new();
        let mut depths = (usize::MAX, 0);
        for (number, line) in lines(bytes) {
            let known = names(line, |name| {
                let depth = labels(name);
                depths = (depths.0.min(depth), depths.1.max(depth));
                starts.push(place_in(bytes, name));
            });
            if !known {
                left.add(number);
            }
        }
        if bytes.len() < all.len() {
            left.add(u32::MAX);
        }
        let (index, doubled) = Index::new(
            &starts.iter().copied(),
            |start| NameHash::of(name_at(bytes, start)),
            |one, other| name_at(bytes, one).eq_ignore_ascii_case(name_at(bytes, other)),
        );
        left.lost = index.lost();
        let names = u32::try_from(starts.len()).unwrap_or(u32::MAX) - doubled - left.lost;
        DomainList { text, index, names, doubled, depths, left }
    }

    /// The name on the list that is `host` or above it, the longest one. Case is of no meaning; a
    /// trailing dot must be gone.
    pub fn find(&self, host: &[u8]) -> Option<&[u8]> {
        let text = (*self.text).as_ref();
        let start = last_of_suffixes(host, self.depths.0..=self.depths.1, |hash, suffix| {
            self.index.find(hash, |start| is_at(text, start, suffix))
        });
        start.map(|start| name_at(text, start))
    }

    /// Names on the list.
    pub fn len(&self) -> u32 {
        self.names
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names == 0
    }

    /// Names that came more than once.
    pub fn doubled(&self) -> u32 {
        self.doubled
    }

    /// What was left out.
    pub fn left(&self) -> Left {
        self.left
    }

    /// Bytes of the index and of the text.
    pub fn bytes(&self) -> usize {
        self.index.heap_bytes() + (*self.text).as_ref().len()
    }
}

/// Calls `found` for each name of a line; false if the line is of no known kind.
fn names<'a>(line: &'a [u8], mut found: impl FnMut(&'a [u8])) -> bool {
    if let Some(rest) = line.strip_prefix(b"||") {
        let Some(at) = rest.iter().position(|byte| *byte == b'^') else { return false };
        let (name, options) = rest.split_at(at);
        let whole = matches!(options, b"^" | b"^$important" | b"^$all" | b"^$document");
        return whole && take(name, &mut found);
    }
    // A line about a list, such as [Adblock Plus 2.0].
    if line.starts_with(b"[") && line.ends_with(b"]") {
        return true;
    }
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let Some(first) = words.next() else { return true };
    if is_address(first) {
        let mut any = false;
        for name in words {
            any = true;
            // A hosts file also names the machine itself.
            let own = !name.contains(&b'.') || is_address(name) || name == b"localhost.localdomain";
            if !own && !take(name, &mut found) {
                return false;
            }
        }
        return any;
    }
    let number = words.next();
    let plain = number.is_none_or(|word| word.iter().all(u8::is_ascii_digit));
    plain && words.next().is_none() && take(first, &mut found)
}

/// Calls `found` with the name that is written as this word; false if it is none.
fn take<'a>(written: &'a [u8], found: &mut impl FnMut(&'a [u8])) -> bool {
    let above = written.strip_prefix(b"*.").or_else(|| written.strip_prefix(b"."));
    let name = above.unwrap_or(written);
    let name = name.strip_suffix(b".").unwrap_or(name);
    let last = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let fits = name.len() <= NAME_BYTES
        && name.iter().all(|byte| is_of_name(*byte))
        && name.split(|byte| *byte == b'.').all(|label| (1..=63).contains(&label.len()))
        && (above.is_some() || last.len() < name.len())
        && !last.iter().all(u8::is_ascii_digit);
    if fits {
        found(name);
    }
    fits
}

fn is_address(word: &[u8]) -> bool {
    let may_be = word.iter().all(|byte| byte.is_ascii_hexdigit() || b".:".contains(byte));
    may_be && std::str::from_utf8(word).is_ok_and(|word| word.parse::<std::net::IpAddr>().is_ok())
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

/// Where `name`, which is a part of `text`, begins in it.
fn place_in(text: &[u8], name: &[u8]) -> u32 {
    let place = name.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// The name that begins here.
fn name_at(text: &[u8], start: u32) -> &[u8] {
    let rest = text.get(start as usize..).unwrap_or_default();
    let rest = rest.get(..=NAME_BYTES).unwrap_or(rest);
    let end = rest.iter().position(|byte| !is_of_name(*byte)).unwrap_or(rest.len());
    let name = rest.get(..end).unwrap_or_default();
    name.strip_suffix(b".").unwrap_or(name)
}

fn is_at(text: &[u8], start: u32, name: &[u8]) -> bool {
    let there = text.get(start as usize..).and_then(|rest| rest.get(..name.len()));
    // The first comparison settles nearly every case; the second that the name ends there.
    there.is_some_and(|there| there.eq_ignore_ascii_case(name))
        && name_at(text, start).len() == name.len()
}
