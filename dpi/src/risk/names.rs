//! What a host name shows by itself: whether it is one, and whether people made it.
//!
//! The whole is one walk over the labels. A name is judged by its registered label (`example` in
//! `www.example.co.uk`) where it is about who made it: what stands before belongs to the owner,
//! and content delivery networks fill it with numbers of their own.

use super::bigrams::{COSTS, SYMBOLS};
use super::decode::count;
use super::punycode::{self, Script};
use super::{Risk, Risks};
use crate::app::AppId;
use crate::host::{self, Kinds};

/// The longest name on the wire in dotted form (RFC 1035 section 2.3.4).
const NAME_BYTES: usize = 254;
/// RFC 1035 section 2.3.4.
const LABEL_BYTES: usize = 63;
/// Names of sites stay below; so do nearly all those of content delivery networks.
const LONG_NAME_BYTES: usize = 120;
/// A label of this length is data, unless words make it up.
const LONG_LABEL_BYTES: usize = 50;
/// Below, a label is too short to tell a generated one from an abbreviation.
const GENERATED_BYTES: usize = 9;
/// What a pair of characters costs on average in a generated label, in sixteenths of a bit: words
/// and names need 65, random letters 101, random letters and digits 112 (`dpi/bigrams.py`).
const GENERATED_COST: usize = 90;
/// Below this length, the mean of so few pairs has to be clearer.
const SHORT_BYTES: usize = 12;
const SHORT_COST: usize = 94;
/// So many changes between letters and digits in one label are nobody's idea.
const ALTERNATIONS: usize = 6;

/// Domains that were given away for nothing, or next to it, and lead the counts of phishing and
/// malware that Interisle ("Phishing Landscape", 2021 to 2024) and Spamhaus ("The world's most
/// abused TLDs") publish.
const RISKY: [u64; 12] = packed_all([
    b"tk", b"ml", b"ga", b"cf", b"gq", b"cfd", b"cyou", b"sbs", b"icu", b"bond", b"rest", b"quest",
]);

/// Second labels below a country under which names are registered.
const SECOND: [u64; 14] = packed_all([
    b"co", b"com", b"org", b"net", b"ac", b"gov", b"edu", b"ne", b"or", b"go", b"gob", b"gouv",
    b"mil", b"nom",
]);

/// What a host name shows that a flow of `protocol` asks for.
///
/// Names of the local network (multicast DNS, NetBIOS, DHCP …) are whatever their owners call
/// them, blanks and all: those are judged for control characters alone.
pub fn judge_host_of(protocol: AppId, name: &[u8]) -> Risks {
    judge_of(protocol, name, judge_host(name))
}

/// The same for a name of which it is known what it shows by itself ([`judge_host`]).
pub(crate) fn judge_of(protocol: AppId, name: &[u8], by_itself: Risks) -> Risks {
    match protocol {
        AppId::MDNS
        | AppId::LLMNR
        | AppId::NETBIOS
        | AppId::SMB
        | AppId::DHCP
        | AppId::DHCPV6
        | AppId::WSD
        | AppId::SSDP
        | AppId::SMTP => {
            let foreign = |byte: u8| byte.is_ascii_control() || byte == 0xff;
            let foreign = name.iter().filter(|byte| foreign(**byte)).count();
            Risks::when(Risk::InvalidCharacters, foreign > 0)
        }
        AppId::DNS | AppId::DNSCRYPT => by_itself.or(data_in(name)),
        _ => by_itself,
    }
}

/// What a host name shows: an address, letters beyond ASCII, mixed alphabets, characters that no
/// host name has, a length that carries data, a label that a program made, a risky domain.
///
/// A port behind the name, brackets around an address and a final dot are of no meaning.
pub fn judge_host(name: &[u8]) -> Risks {
    judge_known(name, Kinds::of(name))
}

/// The same where the kinds of its bytes are known.
pub(crate) fn judge_known(mut name: &[u8], mut kinds: Kinds) -> Risks {
    if let Some(cut) = name.get(..NAME_BYTES).filter(|cut| cut.len() < name.len()) {
        name = cut;
        kinds = Kinds::of(name);
    }
    if kinds.is_number() || kinds.has_colon() {
        if is_address(name) {
            return Risks::of(Risk::HttpNumericHost);
        }
        name = without_port(name);
        kinds = Kinds::of(name);
    }
    let name = name.strip_suffix(b".").unwrap_or(name);
    if name.is_empty() {
        return Risks::NONE;
    }
    let labels = Labels::of(name);
    let wrong = kinds.has_foreign() || labels.shortest == 0 || labels.longest > LABEL_BYTES;
    let mut risks = Risks::when(Risk::InvalidCharacters, wrong)
        .or(Risks::when(Risk::DnsLongName, name.len() > LONG_NAME_BYTES));
    if kinds.has_hyphen() || labels.longest >= LONG_LABEL_BYTES {
        for (_, label) in host::labels(name) {
            risks = risks.or(judge_label(label, labels.top));
        }
    }
    if name.len() > labels.top.len() {
        risks = risks.or(Risks::when(Risk::RiskyDomain, is_among(&RISKY, labels.top)));
        let generated = is_generated(labels.registered) && !is_reverse(name);
        risks = risks.or(Risks::when(Risk::DnsGenerated, generated));
    }
    risks
}

/// What a name's labels are like.
struct Labels<'n> {
    /// The last one.
    top: &'n [u8],
    /// The one that somebody registered: the second from the right, or the third below those
    /// labels under which a country gives names.
    registered: &'n [u8],
    /// Bytes of the shortest one, and of the longest.
    shortest: usize,
    longest: usize,
}

impl<'n> Labels<'n> {
    fn of(name: &'n [u8]) -> Labels<'n> {
        let mut all = host::labels(name).map(|(_, label)| label);
        let top = all.next().unwrap_or_default();
        let mut labels = Labels { top, registered: top, shortest: top.len(), longest: top.len() };
        for (at, label) in all.enumerate() {
            let is_third = || at == 1 && top.len() == 2 && is_among(&SECOND, labels.registered);
            if at == 0 || is_third() {
                labels.registered = label;
            }
            labels.shortest = labels.shortest.min(label.len());
            labels.longest = labels.longest.max(label.len());
        }
        labels
    }
}

/// What a label shows that is long, or encoded.
fn judge_label(label: &[u8], top: &[u8]) -> Risks {
    let mut risks = Risks::NONE;
    let encoded = label.get(..4).is_some_and(|head| head.eq_ignore_ascii_case(b"xn--"));
    if encoded {
        risks.set(Risk::Punycode);
        match punycode::scripts(label.get(4..).unwrap_or_default()) {
            Some(scripts) => {
                let latin_top = top.iter().all(u8::is_ascii_alphabetic);
                let alike = looks_alike(scripts, latin_top);
                risks = risks.or(Risks::when(Risk::LookAlikeName, alike));
            }
            None => risks.set(Risk::InvalidCharacters),
        }
    } else if label.len() >= LONG_LABEL_BYTES && !is_wordy(label) {
        risks.set(Risk::DnsLongName);
    }
    risks
}

/// Letters of two alphabets that share shapes, in one label (UTS 39 section 5.1, "single script"),
/// or letters of one that all look Latin, below a domain that is Latin.
fn looks_alike(scripts: punycode::Scripts, latin_top: bool) -> bool {
    let others = [Script::Cyrillic, Script::Greek, Script::Armenian, Script::Cherokee];
    let kinds = others.iter().filter(|script| scripts.has(**script)).count();
    let mixed = kinds > 1 || (kinds == 1 && scripts.has(Script::Latin));
    mixed || scripts.has(Script::Invisible) || (latin_top && scripts.only_doubles())
}

/// Whether a name to be asked of DNS holds data: more than 52 bytes before the registered label
/// that are no words (RFC 4648: 32 bytes of data in base 32).
pub(crate) fn data_in(name: &[u8]) -> Risks {
    const DATA_BYTES: usize = 52;
    if name.len() < DATA_BYTES {
        return Risks::NONE;
    }
    let own = Labels::of(name).registered;
    if name.len() - own.len() < DATA_BYTES || is_reverse(name) {
        return Risks::NONE;
    }
    let longest =
        name.split(|byte| *byte == b'.').max_by_key(|label| label.len()).unwrap_or_default();
    let data = longest.len() >= 24 && longest != own && !is_wordy(longest);
    Risks::when(Risk::DnsSuspicious, data)
}

/// Names below which addresses are looked up (RFC 1035 section 3.5, RFC 3596 section 2.5).
fn is_reverse(name: &[u8]) -> bool {
    let end = name.get(name.len().saturating_sub(5)..).unwrap_or_default();
    end.eq_ignore_ascii_case(b".arpa")
}

/// Whether `name` is an IPv4 or IPv6 address, perhaps in brackets, perhaps with a port.
pub fn is_address(name: &[u8]) -> bool {
    let v4 = without_port(name);
    if !v4.is_empty() && v4.len() <= 15 && v4.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.'))
    {
        let text = std::str::from_utf8(v4).unwrap_or_default();
        return text.parse::<std::net::Ipv4Addr>().is_ok();
    }
    let end = name.iter().position(|byte| *byte == b']');
    let inner = match (name.strip_prefix(b"["), end) {
        (Some(_), Some(end)) => name.get(1..end).unwrap_or_default(),
        _ => name,
    };
    inner.contains(&b':')
        && inner.len() <= 45
        && std::str::from_utf8(inner).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
}

fn without_port(name: &[u8]) -> &[u8] {
    let Some(colon) = name.iter().rposition(|byte| *byte == b':') else { return name };
    let port = name.get(colon + 1..).unwrap_or_default();
    let is_port = port.len() <= 5 && port.iter().all(u8::is_ascii_digit);
    if is_port { name.get(..colon).unwrap_or(name) } else { name }
}

/// Whether one of these is `label`, whatever its case.
fn is_among(packed_labels: &[u64], label: &[u8]) -> bool {
    // All are compared at once.
    label.len() <= PACKED_BYTES && {
        let label = packed(label);
        packed_labels.iter().filter(|other| **other == label).count() > 0
    }
}

/// Bytes of a label that has a place in a number.
const PACKED_BYTES: usize = 5;

#[expect(clippy::indexing_slicing, reason = "at compile time; an error would not build")]
const fn packed_all<const N: usize>(labels: [&[u8]; N]) -> [u64; N] {
    let mut all = [0; N];
    let mut at = 0;
    while at < N {
        all[at] = packed(labels[at]);
        at += 1;
    }
    all
}

/// A label's letters in one number, whatever their case. Other bytes may be mistaken for each other,
/// but not for a letter.
const fn packed(mut label: &[u8]) -> u64 {
    let mut number = 0;
    while let [first, rest @ ..] = label {
        number = number << 8 | (*first | 0x20) as u64;
        label = rest;
    }
    number
}

/// Whether a program made `label`: its pairs of characters are not those of words and names, or
/// letters and digits take turns.
pub(crate) fn is_generated(label: &[u8]) -> bool {
    if label.len() < GENERATED_BYTES || label.len() > LABEL_BYTES || label.starts_with(b"xn--") {
        return false;
    }
    let limit = if label.len() < SHORT_BYTES { SHORT_COST } else { GENERATED_COST };
    Cost::of(label).is_above(limit)
        || (label.len() >= SHORT_BYTES && alternations(label) >= ALTERNATIONS)
}

/// Whether words make up `label`: pairs of characters as in names, or several hyphens.
fn is_wordy(label: &[u8]) -> bool {
    let hyphens = count(label, b'-');
    let digits = label.iter().filter(|byte| byte.is_ascii_digit()).count();
    // Words behind hyphens are no data, even where they are short and rare.
    let short_parts = hyphens * 12 >= label.len();
    (Cost::of(label).is_below(GENERATED_COST) && digits * 5 < label.len()) || short_parts
}

/// What pairs of neighbouring characters cost, in sixteenths of a bit.
struct Cost {
    sum: usize,
    pairs: usize,
}

impl Cost {
    fn of(label: &[u8]) -> Cost {
        const DOT: usize = SYMBOLS - 1;
        let label = label.get(..LABEL_BYTES).unwrap_or(label);
        let (mut sum, mut before) = (0, DOT);
        for byte in label {
            let symbol = SYMBOL.get(usize::from(*byte)).copied().map_or(0, usize::from);
            sum += cost(before, symbol);
            before = symbol;
        }
        Cost { sum: sum + cost(before, DOT), pairs: label.len() + 1 }
    }

    /// Whether the mean, without its fraction, is above `limit`.
    fn is_above(&self, limit: usize) -> bool {
        self.sum >= (limit + 1) * self.pairs
    }

    fn is_below(&self, limit: usize) -> bool {
        self.sum < limit * self.pairs
    }
}

fn cost(first: usize, second: usize) -> usize {
    PAIRS.get((first << 5 | second) & (PAIRS.len() - 1)).copied().map_or(0, usize::from)
}

/// [`COSTS`] with rows of a power of two, so that a place needs no check.
#[expect(clippy::indexing_slicing, reason = "at compile time; an error would not build")]
static PAIRS: [u8; 32 * 32] = {
    let mut pairs = [0; 32 * 32];
    let mut at = 0;
    while at < SYMBOLS * SYMBOLS {
        let (first, second) = (at / SYMBOLS, at % SYMBOLS);
        pairs[first << 5 | second] = COSTS[first][second];
        at += 1;
    }
    pairs
};

/// Each byte's place in the table of costs.
#[expect(clippy::indexing_slicing, reason = "at compile time; an error would not build")]
static SYMBOL: [u8; 256] = {
    let mut symbols = [0; 256];
    let mut byte = 0_u8;
    loop {
        symbols[byte as usize] = match byte.to_ascii_lowercase() {
            letter @ b'a'..=b'z' => letter - b'a',
            b'0'..=b'9' => 26,
            _ => 27,
        };
        if byte == u8::MAX {
            break symbols;
        }
        byte += 1;
    }
};

/// Changes from letter to digit and back.
fn alternations(label: &[u8]) -> usize {
    let pairs = label.iter().zip(label.get(1..).unwrap_or_default());
    pairs.filter(|(a, b)| a.is_ascii_digit() != b.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &[u8]) -> Vec<&'static str> {
        judge_host(name).iter().map(|about| about.name).collect()
    }

    /// The hosts in the table of services.
    fn known_names() -> impl Iterator<Item = &'static str> {
        crate::services::hosts().filter(|name| name.contains('.') && !name.contains('*'))
    }

    #[test]
    fn names_of_services_are_not_generated() {
        let names: Vec<&str> = known_names().collect();
        assert!(names.len() > 1500, "{}", names.len());
        let wrong: Vec<_> = names
            .iter()
            .filter(|name| {
                !judge_host(name.as_bytes()).and(Risks(!(1 << Risk::Punycode as u8))).is_empty()
            })
            .collect();
        assert!(wrong.len() <= names.len() / 500, "{wrong:?}");
    }

    #[test]
    fn names_of_networks_show_nothing() {
        for name in [
            &b"www.example.com"[..],
            b"r3---sn-4g5edned.googlevideo.com",
            b"scontent-frt3-1.xx.fbcdn.net",
            b"d3q4k2j5v7x9z1.cloudfront.net",
            b"ec2-192-0-2-1.eu-west-1.compute.amazonaws.com:8443",
            b"e1234.dscb.akamaiedge.net.",
            b"1.2.0.192.in-addr.arpa",
            b"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
            b"_sip._tcp.example.org",
            b"a.b.co.uk",
            b"360buyimg.com",
            b"worldofwarcraft.com",
            b"crwdcntrl.net",
            b"localhost",
            b"these-are-words-that-somebody-put-together-for-a-long-name.example",
            b"",
        ] {
            assert_eq!(shown(name), [""; 0], "{}", name.escape_ascii());
        }
    }

    #[test]
    fn generated_names() {
        for name in [
            &b"gfu7hbxpfp.com"[..],
            b"www.q4cyamnc6mtokjurvdclt.com",
            b"kwrtgvbnxzqpl.net",
            b"xjqzvkwpfh.org",
            b"a1b2c3d4e5f6g7.info",
            b"www.qxzvjkwrtp.co.uk",
        ] {
            assert_eq!(shown(name), ["dns_generated_name"], "{}", name.escape_ascii());
        }
        let mut found = 0;
        let mut state = 7_u64;
        for _ in 0..1000 {
            let label: Vec<u8> = (0..16)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    b'a' + u8::try_from((state >> 33) % 26).unwrap()
                })
                .collect();
            found += usize::from(is_generated(&label));
        }
        assert!(found > 850, "{found} of 1000 random labels");
    }

    #[test]
    fn addresses() {
        for name in [
            &b"192.0.2.1"[..],
            b"192.0.2.1:8080",
            b"2001:db8::1",
            b"[2001:db8::1]:443",
            b"[2001:db8::1]",
        ] {
            assert_eq!(shown(name), ["numeric_host"], "{}", name.escape_ascii());
        }
        for name in [&b"1.2.3.4.example.org"[..], b"1234.example.org", b"1.2.3"] {
            assert!(!judge_host(name).has(Risk::HttpNumericHost), "{}", name.escape_ascii());
        }
    }

    #[test]
    fn long_names_and_data() {
        let label = b"nbswy3dpeb3w64tmmqqho2dfebrxk43umvzseyzanbswy3dpeb3w64tmmq";
        let name = [&label[..], b".t.example.org"].concat();
        assert_eq!(shown(&name), ["dns_long_name"]);
        let risks = judge_host_of(AppId::DNS, &name);
        assert!(risks.has(Risk::DnsSuspicious) && risks.has(Risk::DnsLongName));
        let long = [&b"abcdefgh."[..]; 15].concat();
        assert_eq!(shown(&[&long[..], b"example.org"].concat()), ["dns_long_name"]);
        assert!(
            data_in(b"www.a-long-name-made-of-words.eu-central-1.elb.amazonaws.com").is_empty()
        );
    }

    #[test]
    fn alphabets() {
        assert_eq!(shown(b"xn--bcher-kva.example"), ["punycode"]);
        // Wholly Cyrillic, with letters of its own.
        assert_eq!(
            shown(b"xn--80ak6aa92e.com"),
            ["punycode", "look_alike_name"],
            "apple in Cyrillic"
        );
        assert_eq!(shown(b"xn--e1afmkfd.xn--p1ai"), ["punycode"]);
        // "pаypal" with a Cyrillic a.
        assert_eq!(shown(b"www.xn--pypal-4ve.com"), ["punycode", "look_alike_name"]);
        assert_eq!(shown(b"xn--99999999.example"), ["punycode", "invalid_characters"]);
    }

    #[test]
    fn characters() {
        for name in [&b"a b.example"[..], b"a\xffb.example", b"%s", b"a..example", b"<x>.example"] {
            assert_eq!(shown(name), ["invalid_characters"], "{}", name.escape_ascii());
        }
        assert!(
            judge_host_of(AppId::MDNS, "Küche des Hauses._airplay._tcp.local".as_bytes())
                .is_empty()
        );
        assert!(judge_host_of(AppId::LLMNR, b"\x01\x02").has(Risk::InvalidCharacters));
    }

    #[test]
    fn domains() {
        assert_eq!(shown(b"free-login.tk"), ["risky_domain"]);
        assert_eq!(shown(b"tk"), [""; 0]);
        assert_eq!(shown(b"www.tk.example"), [""; 0]);
    }

    proptest::proptest! {
        #[test]
        fn any_name_is_survived(name in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = judge_host(&name);
            let _ = judge_host_of(AppId::DNS, &name);
        }
    }
}
