//! The conditions of rules, each with the plain test of whether it holds. Whatever index finds a
//! rule, these decide.

use std::net::IpAddr;

use crate::app::{self, AppId};
use crate::view::{Direction, Endpoint, Transport};

/// Bytes of a JA4 fingerprint.
pub(super) const JA4_BYTES: usize = 36;

/// The two ends of a flow, as rules see them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ends {
    /// TCP or UDP; none for every other protocol.
    pub transport: Option<Transport>,
    /// The flow's client.
    pub client: Endpoint,
    /// The flow's server.
    pub server: Endpoint,
}

/// What is known of a flow when rules are asked; what is not known is empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    pub(super) ends: Ends,
    pub(super) protocol: AppId,
    pub(super) host: &'a [u8],
    pub(super) path: &'a [u8],
    pub(super) ja4: &'a [u8],
    pub(super) data: &'a [u8],
    pub(super) direction: Direction,
    /// The number of the packet among those with payload, from 1.
    pub(super) packet: u8,
    /// The index has already found what the path or a `contains` asks for.
    pub(super) found: bool,
}

impl<'a> Facts<'a> {
    pub(super) fn of(ends: &Ends) -> Facts<'a> {
        Facts {
            ends: *ends,
            protocol: AppId::UNKNOWN,
            host: &[],
            path: &[],
            ja4: &[],
            data: &[],
            direction: Direction::ToServer,
            packet: 0,
            found: false,
        }
    }
}

/// Which end a condition is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    Server,
    Client,
    /// One of them: the same for all such conditions of a rule.
    Either,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Condition {
    /// Ports, first and last; without transport, of TCP and of UDP.
    Port {
        over: Option<Transport>,
        end: End,
        first: u16,
        last: u16,
    },
    Prefix {
        end: End,
        prefix: Prefix,
    },
    Host {
        pattern: HostPattern,
        sni: bool,
    },
    Url(UrlPattern),
    Ja4([u8; JA4_BYTES]),
    Bytes(Bytes),
}

/// Whether all of `conditions` hold.
pub(super) fn all_hold(conditions: &[Condition], facts: &Facts<'_>) -> bool {
    let fits = |either| conditions.iter().all(|condition| condition.holds(facts, either));
    let (client, server) = (&facts.ends.client, &facts.ends.server);
    fits(server) || (conditions.iter().any(Condition::is_either) && fits(client))
}

impl Condition {
    fn is_either(&self) -> bool {
        matches!(
            self,
            Condition::Port { end: End::Either, .. } | Condition::Prefix { end: End::Either, .. }
        )
    }

    fn holds(&self, facts: &Facts<'_>, either: &Endpoint) -> bool {
        let of = |end: End| match end {
            End::Server => &facts.ends.server,
            End::Client => &facts.ends.client,
            End::Either => either,
        };
        match self {
            Condition::Port { over, end, first, last } => {
                let transport = facts.ends.transport;
                transport.is_some()
                    && (over.is_none() || *over == transport)
                    && (*first..=*last).contains(&of(*end).port)
            }
            Condition::Prefix { end, prefix } => prefix.covers(of(*end).address),
            Condition::Host { pattern, sni } => {
                (!sni || says_server_name(facts.protocol)) && pattern.fits(facts.host)
            }
            Condition::Url(pattern) => facts.found || pattern.fits(facts.path),
            Condition::Ja4(fingerprint) => facts.ja4 == fingerprint,
            Condition::Bytes(bytes) => bytes.hold(facts),
        }
    }
}

/// Whether the host name in a flow of this protocol is what the client's hello of TLS asked for.
fn says_server_name(protocol: AppId) -> bool {
    matches!(
        app::carrier(protocol),
        AppId::TLS
            | AppId::DTLS
            | AppId::QUIC
            | AppId::IMAPS
            | AppId::POP3S
            | AppId::SMTPS
            | AppId::FTPS
            | AppId::NNTPS
            | AppId::LDAPS
            | AppId::SIPS
            | AppId::MQTTS
    )
}

/// A network: IPv6, or IPv4 in its mapped form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Prefix {
    /// Zero beyond the prefix.
    pub(super) address: u128,
    /// 0 to 128; those of IPv4 are 96 and up.
    pub(super) bits: u8,
}

/// What is wrong with a network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NotAPrefix {
    Address,
    Length,
}

impl Prefix {
    /// Reads `192.0.2.0/24`, `2001:db8::/32`, or an address alone; and whether the address had bits
    /// beyond the prefix (which are dropped).
    pub(super) fn read(text: &str) -> Result<(Prefix, bool), NotAPrefix> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotAPrefix::Address)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match length {
            None => most,
            Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().ok().filter(|bits| *bits <= most).ok_or(NotAPrefix::Length)?
            }
            Some(_) => return Err(NotAPrefix::Length),
        };
        let (address, bits) = match address {
            IpAddr::V4(address) => (address.to_ipv6_mapped(), bits + 96),
            IpAddr::V6(address) => (address, bits),
        };
        let address = u128::from(address);
        let prefix = Prefix { address: masked(address, bits), bits };
        Ok((prefix, prefix.address != address))
    }

    pub(super) fn covers(&self, address: [u8; 16]) -> bool {
        masked(u128::from_be_bytes(address), self.bits) == self.address
    }

    /// The last address in it.
    pub(super) fn last(&self) -> u128 {
        self.address | !masked(u128::MAX, self.bits)
    }
}

/// The first `bits` of an address.
pub(super) fn masked(address: u128, bits: u8) -> u128 {
    let beyond = 128 - u32::from(bits.min(128));
    address & u128::MAX.checked_shl(beyond).unwrap_or(0)
}

/// Lower case, without a trailing dot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum HostPattern {
    /// This name alone.
    Exact(Box<[u8]>),
    /// Names below this one, and perhaps itself.
    Under { suffix: Box<[u8]>, itself: bool },
    /// With stars; the labels from `suffix_at` on have none.
    Glob { pattern: Box<[u8]>, suffix_at: usize },
}

impl HostPattern {
    /// The labels by which it is looked up.
    pub(super) fn suffix(&self) -> &[u8] {
        match self {
            HostPattern::Exact(name) => name,
            HostPattern::Under { suffix, .. } => suffix,
            HostPattern::Glob { pattern, suffix_at } => {
                pattern.get(*suffix_at..).unwrap_or_default()
            }
        }
    }

    /// How much it says: more for a name alone than for any pattern.
    pub(super) fn weight(&self) -> u32 {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        match self {
            HostPattern::Exact(name) => 1000 + length(name),
            HostPattern::Under { suffix, itself } => length(suffix) + u32::from(!itself),
            HostPattern::Glob { pattern, .. } => literal_bytes(pattern),
        }
    }

    pub(super) fn fits(&self, host: &[u8]) -> bool {
        match self {
            HostPattern::Exact(name) => name.eq_ignore_ascii_case(host),
            HostPattern::Under { suffix, itself } => {
                let Some(rest) = host.len().checked_sub(suffix.len()) else { return false };
                let Some((before, end)) = host.split_at_checked(rest) else { return false };
                let whole = if before.is_empty() { *itself } else { before.ends_with(b".") };
                whole && end.eq_ignore_ascii_case(suffix)
            }
            HostPattern::Glob { pattern, .. } => {
                glob(pattern, host, |pattern, byte| pattern == byte.to_ascii_lowercase())
            }
        }
    }
}

/// A path with stars for any bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct UrlPattern(pub(super) Box<[u8]>);

impl UrlPattern {
    /// Bytes of a path that are looked at.
    pub(super) const REACH: usize = 1024;

    pub(super) fn weight(&self) -> u32 {
        let exact = !self.0.contains(&b'*');
        literal_bytes(&self.0) + if exact { 1000 } else { 0 }
    }

    pub(super) fn fits(&self, path: &[u8]) -> bool {
        glob(&self.0, path, |pattern, byte| pattern == byte)
    }
}

fn literal_bytes(pattern: &[u8]) -> u32 {
    let literal = pattern.iter().filter(|byte| **byte != b'*');
    u32::try_from(literal.count()).unwrap_or(u32::MAX)
}

/// Whether `text` fits `pattern`, in which a star stands for any bytes. A star that has been
/// passed is never gone back to beyond the next one, so that this is the product of both lengths at
/// most.
fn glob(pattern: &[u8], text: &[u8], same: impl Fn(u8, u8) -> bool) -> bool {
    let (mut at, mut to) = (0, 0);
    let mut again = None;
    while let Some(byte) = text.get(to) {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                again = Some((at, to));
            }
            Some(expected) if same(*expected, *byte) => (at, to) = (at + 1, to + 1),
            _ => {
                let Some((after_star, from)) = again else { return false };
                again = Some((after_star, from + 1));
                (at, to) = (after_star, from + 1);
            }
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|rest| *rest == b'*')
}

/// Bytes of a payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Bytes {
    pub(super) over: Option<Transport>,
    pub(super) from: Option<Direction>,
    /// The numbers of the first and the last packet in which they may be.
    pub(super) packets: (u8, u8),
    pub(super) place: Place,
    pub(super) value: Box<[u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Place {
    /// Here.
    Offset(u16),
    /// Anywhere in so many bytes.
    Within(u16),
}

impl Bytes {
    /// Bytes of a payload that rules may look at.
    pub(super) const REACH: u16 = 2048;

    /// Whether what has to hold besides the bytes themselves does.
    fn may_hold(&self, facts: &Facts<'_>) -> bool {
        (self.over.is_none() || self.over == facts.ends.transport)
            && self.from.is_none_or(|from| from == facts.direction)
            && (self.packets.0..=self.packets.1).contains(&facts.packet)
    }

    fn hold(&self, facts: &Facts<'_>) -> bool {
        if !self.may_hold(facts) {
            return false;
        }
        match self.place {
            Place::Offset(offset) => {
                let there = facts.data.get(usize::from(offset)..);
                there.is_some_and(|there| there.starts_with(&self.value))
            }
            Place::Within(_) if facts.found => true,
            Place::Within(within) => {
                let data = facts.data.get(..usize::from(within)).unwrap_or(facts.data);
                data.windows(self.value.len().max(1)).any(|window| *window == *self.value)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The plain twin: by recursion.
    fn slowly(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => {
                slowly(rest, text) || text.split_first().is_some_and(|(_, t)| slowly(pattern, t))
            }
            (Some((one, rest)), Some((other, text))) => one == other && slowly(rest, text),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn a_glob_equals_its_plain_twin(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(glob(pattern, text, |a, b| a == b), slowly(pattern, text));
        }
    }

    #[test]
    fn prefixes_are_read_and_cover() {
        let (prefix, cut) = Prefix::read("198.51.100.7/24").unwrap();
        assert!(cut && prefix.bits == 120);
        let mut address = [0; 16];
        address[10..12].fill(0xff);
        address[12..].copy_from_slice(&[198, 51, 100, 200]);
        assert!(prefix.covers(address));
        address[14] = 101;
        assert!(!prefix.covers(address));
        assert!(Prefix::read("::/0").unwrap().0.covers(address));
        assert!(Prefix::read("0.0.0.0/0").unwrap().0.covers(address));
        assert!(!Prefix::read("0.0.0.0/0").unwrap().0.covers([0; 16]));
        assert_eq!(Prefix::read("2001:db8::1").unwrap().0.bits, 128);
        for (text, wrong) in [
            ("", NotAPrefix::Address),
            ("1.2.3", NotAPrefix::Address),
            ("1.2.3.4/33", NotAPrefix::Length),
            ("1.2.3.4/", NotAPrefix::Length),
            ("1.2.3.4/+8", NotAPrefix::Length),
            ("::/129", NotAPrefix::Length),
        ] {
            assert_eq!(Prefix::read(text), Err(wrong), "{text}");
        }
    }
}
