//! The metadata of one flow: attributes in a bounded buffer, in the form in which they go to
//! shared memory: `[id u16 LE][length u16 LE][bytes]`, repeated.

use crate::app::AppId;
use crate::attr::{Attr, HOST_NAME};
use crate::host::Kinds;
use crate::risk::{Risk, Risks};
use crate::stack::Stack;
use crate::why::Why;

/// Bytes of metadata a flow may hold.
pub const META_BYTES: usize = 768;
/// Bytes of one attribute; longer values are cut.
pub const VALUE_BYTES: usize = 255;

/// What was found in one flow so far.
#[derive(Clone)]
pub struct Meta {
    bytes: [u8; META_BYTES],
    used: u16,
    /// Attributes that did not fit.
    lost: u16,
    risks: Risks,
    layers: Stack,
    /// Why the flow has its name.
    pub(crate) why: Why,
    /// Which attributes may be there, a bit for some of them: one that is not needs no search. After
    /// [`Meta::rewind`] there may be bits too many.
    present: u64,
}

/// A point to come back to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    used: u16,
    lost: u16,
    risks: Risks,
    layers: Stack,
}

impl Default for Meta {
    fn default() -> Meta {
        Meta {
            bytes: [0; META_BYTES],
            used: 0,
            lost: 0,
            risks: Risks::NONE,
            layers: Stack::EMPTY,
            why: Why::default(),
            present: 0,
        }
    }
}

impl std::fmt::Debug for Meta {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(decode(self.as_bytes())).finish()
    }
}

impl Meta {
    /// Records `value` (cut to [`VALUE_BYTES`]). Of an attribute that occurs once the first value
    /// wins; an empty value, or one that does not fit, is left out.
    pub fn put(&mut self, attr: &Attr, value: &[u8]) {
        let value = value.get(..VALUE_BYTES).unwrap_or(value);
        if value.is_empty() || (!attr.many && self.get(attr).is_some()) {
            return;
        }
        let start = usize::from(self.used);
        let end = start + 4 + value.len();
        let Some(room) = self.bytes.get_mut(start..end) else {
            self.lost = self.lost.saturating_add(1);
            return;
        };
        self.present |= bit_of(attr.id);
        let (head, body) = room.split_at_mut(4);
        let (id, length) = head.split_at_mut(2);
        id.copy_from_slice(&attr.id.to_le_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "cut to VALUE_BYTES above")]
        length.copy_from_slice(&(value.len() as u16).to_le_bytes());
        body.copy_from_slice(value);
        #[expect(clippy::cast_possible_truncation, reason = "end is within META_BYTES")]
        {
            self.used = end as u16;
        }
    }

    /// Records a number.
    pub fn put_number(&mut self, attr: &Attr, value: u64) {
        self.put(attr, &value.to_le_bytes());
    }

    /// Records a number in place of what was there.
    pub fn set_number(&mut self, attr: &Attr, value: u64) {
        let known = self.present & bit_of(attr.id) != 0;
        let at = known.then(|| position(self.as_bytes(), attr.id)).flatten();
        match at.and_then(|at| self.bytes.get_mut(at + 4..)?.first_chunk_mut::<8>()) {
            Some(place) => *place = value.to_le_bytes(),
            None => self.put_number(attr, value),
        }
    }

    /// Notes a risk of the flow. Like an attribute it counts only if the dissector finds the flow.
    pub fn set_risk(&mut self, risk: Risk) {
        self.risks.set(risk);
    }

    /// Notes several risks at once.
    pub fn set_risks(&mut self, risks: Risks) {
        self.risks = self.risks.or(risks);
    }

    /// The risks noted so far.
    pub fn risks(&self) -> Risks {
        self.risks
    }

    /// Notes a protocol that the flow carries, on top of those noted before.
    pub fn add_layer(&mut self, app: AppId) {
        self.layers.push(app);
    }

    /// The protocols noted so far, outermost first.
    pub fn layers(&self) -> &Stack {
        &self.layers
    }

    /// Holds what `other` holds.
    pub(crate) fn copy_from(&mut self, other: &Meta) {
        let Meta { bytes: _, used, lost, risks, layers, why, present } = *other;
        (self.used, self.lost, self.risks) = (used, lost, risks);
        (self.layers, self.why, self.present) = (layers, why, present);
        if let Some(room) = self.bytes.get_mut(..usize::from(used)) {
            room.copy_from_slice(other.as_bytes());
        }
    }

    /// The first value of `attr`.
    pub fn get(&self, attr: &Attr) -> Option<&[u8]> {
        if self.present & bit_of(attr.id) == 0 {
            return None;
        }
        decode(self.as_bytes()).find(|(id, _)| *id == attr.id).map(|(_, value)| value)
    }

    /// The encoded form.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.used)).unwrap_or_default()
    }

    /// Attributes that did not fit.
    pub fn lost(&self) -> u16 {
        self.lost
    }

    /// A mark to come back to with [`Meta::rewind`].
    pub fn mark(&self) -> Mark {
        Mark { used: self.used, lost: self.lost, risks: self.risks, layers: self.layers }
    }

    /// Forgets what was put since `mark`.
    pub fn rewind(&mut self, mark: Mark) {
        self.used = self.used.min(mark.used);
        self.lost = self.lost.min(mark.lost);
        self.risks = mark.risks;
        self.layers = mark.layers;
    }

    /// Brings the host name into the form by which services are told apart: lower case, without
    /// port and trailing dot. Doing it again changes nothing. Tells whether there is one.
    pub fn tidy_host_name(&mut self) -> bool {
        self.tidy().is_some()
    }

    /// The same; tells what kinds of bytes the host name has then, if there is one.
    pub(crate) fn tidy(&mut self) -> Option<Kinds> {
        if self.present & bit_of(HOST_NAME.id) == 0 {
            return None;
        }
        let used = usize::from(self.used);
        let at = position(self.as_bytes(), HOST_NAME.id)?;
        let (_, tail) = self.bytes.get_mut(at..used)?.split_at_mut_checked(2)?;
        let (length, value) = tail.split_first_chunk_mut::<2>()?;
        let before = usize::from(u16::from_le_bytes(*length));
        let value = value.get_mut(..before).unwrap_or_default();
        let mut kinds = Kinds::of(value);
        if kinds.has_capital() {
            value.make_ascii_lowercase();
        }
        let kept = tidy_length(value, kinds);
        if kinds.has_colon() || kinds.has_capital() {
            kinds = Kinds::of(value.get(..kept).unwrap_or_default());
        }
        if kept < before {
            #[expect(clippy::cast_possible_truncation, reason = "shorter than before")]
            {
                *length = (kept as u16).to_le_bytes();
                self.used -= (before - kept) as u16;
            }
            self.bytes.copy_within(at + 4 + before..used, at + 4 + kept);
        }
        Some(kinds)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.used = 0;
        self.lost = 0;
        self.risks = Risks::NONE;
        self.layers = Stack::EMPTY;
        self.why = Why::default();
        self.present = 0;
    }
}

/// The bit of an attribute among those that may be there.
fn bit_of(id: u16) -> u64 {
    1 << (id.wrapping_mul(0x9E37) >> 10)
}

/// Walks an encoded form: id and value of each attribute. Stops at the first that does not fit,
/// so torn or foreign bytes are safe to pass.
pub fn decode(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (id, tail) = rest.split_first_chunk::<2>()?;
        let (length, tail) = tail.split_first_chunk::<2>()?;
        let (value, tail) = tail.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        rest = tail;
        Some((u16::from_le_bytes(*id), value))
    })
}

/// Where the attribute `id` begins in an encoded form.
fn position(bytes: &[u8], id: u16) -> Option<usize> {
    let mut at = 0;
    for (found, value) in decode(bytes) {
        if found == id {
            return Some(at);
        }
        at += 4 + value.len();
    }
    None
}

/// How much of a host name is left without its port and trailing dot.
fn tidy_length(name: &[u8], kinds: Kinds) -> usize {
    let mut kept = name;
    let is_colon = |&byte: &u8| byte == b':';
    if name.first() == Some(&b'[') {
        // An IPv6 address in brackets, as in a URL: the port follows the bracket.
        if let Some(bracket) = name.iter().rposition(|&byte| byte == b']') {
            kept = name.get(..=bracket).unwrap_or(name);
        }
    } else if kinds.has_colon()
        && let Some(colon) = name.iter().position(is_colon)
        // More than one colon is a bare IPv6 address.
        && name.iter().rposition(is_colon) == Some(colon)
    {
        kept = name.get(..colon).unwrap_or(name);
    }
    while let [rest @ .., b'.'] = kept {
        kept = rest;
    }
    kept.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attr::{DNS_ANSWER, HTTP_STATUS, TLS_SNI};

    #[test]
    fn a_host_name_is_brought_into_one_form_where_it_stands() {
        for (given, tidy) in [
            ("WWW.Example.COM.", "www.example.com"),
            ("a.example:8080", "a.example"),
            ("a.example.:80", "a.example"),
            ("[2001:DB8::1]:443", "[2001:db8::1]"),
            ("2001:db8::1", "2001:db8::1"),
            ("...", ""),
            ("plain", "plain"),
            ("[", "["),
        ] {
            let mut meta = Meta::default();
            meta.put(&TLS_SNI, b"KEPT");
            meta.put(&HOST_NAME, given.as_bytes());
            meta.put_number(&HTTP_STATUS, 200);
            for _ in 0..2 {
                meta.tidy_host_name();
                assert_eq!(meta.get(&HOST_NAME), Some(tidy.as_bytes()), "{given}");
                assert_eq!(meta.get(&TLS_SNI), Some(&b"KEPT"[..]));
                assert_eq!(meta.get(&HTTP_STATUS), Some(&200u64.to_le_bytes()[..]));
                assert_eq!(decode(meta.as_bytes()).count(), 3);
            }
        }
    }

    #[test]
    fn the_first_value_wins_and_lists_keep_all() {
        let mut meta = Meta::default();
        meta.put(&TLS_SNI, b"a.example");
        meta.put(&TLS_SNI, b"b.example");
        meta.put(&DNS_ANSWER, &[1; 16]);
        meta.put(&DNS_ANSWER, &[2; 16]);
        meta.put_number(&HTTP_STATUS, 100);
        meta.set_number(&HTTP_STATUS, 200);
        assert_eq!(meta.get(&HTTP_STATUS), Some(&200u64.to_le_bytes()[..]));
        assert_eq!(meta.get(&TLS_SNI), Some(&b"a.example"[..]));
        assert_eq!(decode(meta.as_bytes()).count(), 4);
    }

    #[test]
    fn a_full_buffer_counts_what_it_lost() {
        let mut meta = Meta::default();
        for _ in 0..8 {
            meta.put(&DNS_ANSWER, &[7; 255]);
        }
        assert!(meta.lost() > 0);
        assert!(meta.as_bytes().len() <= META_BYTES);
    }
}
