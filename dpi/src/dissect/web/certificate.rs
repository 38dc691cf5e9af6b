//! X.509 certificates (RFC 5280 section 4.1), as far as they tell who a server is: names, validity,
//! and whether the issuer is the subject. Nothing is verified.
//!
//! Borrowed views. A certificate that is cut off is read as far as it goes.

use crate::dissect::ber::{self, INTEGER, OBJECT_ID, OCTET_STRING, SEQUENCE};
use crate::reader::Reader;

const SET: u8 = 0x31;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const BOOLEAN: u8 = 0x01;
/// `[0]`, the version; `[3]`, the extensions.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// `dNSName` and `iPAddress` of a `GeneralName` (section 4.2.1.6).
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;
/// 2.5.4.3 and 2.5.4.10 (appendix A.1), 2.5.29.17.
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANIZATION: &[u8] = &[0x55, 4, 10];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];

/// Parts of a name that are looked at, and extensions.
const PARTS_MOST: usize = 24;
/// Alternative names that are looked at. Shared certificates have about a hundred.
const NAMES_MOST: usize = 256;

/// What a certificate says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Certificate<'a> {
    pub(super) issuer: Name<'a>,
    pub(super) subject: Name<'a>,
    /// Seconds since 1970; 0 for what was before.
    pub(super) not_before_s: u64,
    /// The same.
    pub(super) not_after_s: u64,
    /// The alternative names, one element each.
    alternatives: &'a [u8],
    /// The extensions were read to their end.
    whole: bool,
}

impl<'a> Certificate<'a> {
    /// Reads `der`, of which the end may be missing. `None` if it does not reach the subject, or
    /// is no certificate.
    pub(super) fn parse(der: &'a [u8]) -> Option<Certificate<'a>> {
        let mut reader = Reader::new(der);
        let mut outer = ber::opened(&mut reader, SEQUENCE)?;
        let mut body = ber::opened(&mut outer, SEQUENCE)?;
        ber::optional(&mut body, VERSION);
        ber::element(&mut body, INTEGER)?;
        ber::element(&mut body, SEQUENCE)?;
        let issuer = Name(ber::element(&mut body, SEQUENCE)?.rest());
        let mut validity = ber::element(&mut body, SEQUENCE)?;
        let (not_before_s, not_after_s) = (time(&mut validity)?, time(&mut validity)?);
        let subject = Name(ber::element(&mut body, SEQUENCE)?.rest());
        let mut certificate = Certificate {
            issuer,
            subject,
            not_before_s,
            not_after_s,
            alternatives: &[],
            whole: false,
        };
        certificate.whole = certificate.read_extensions(&mut body).is_some();
        Some(certificate)
    }

    /// Key, unique ids (long out of use), extensions.
    fn read_extensions(&mut self, body: &mut Reader<'a>) -> Option<()> {
        ber::element(body, SEQUENCE)?;
        while body.left() > 0 {
            let (tag, length) = ber::header(body)?;
            if tag != EXTENSIONS {
                body.skip(length)?;
                continue;
            }
            let mut list = Reader::new(body.take_up_to(length));
            let mut list = ber::opened(&mut list, SEQUENCE)?;
            for _ in 0..PARTS_MOST {
                if list.left() == 0 {
                    break;
                }
                let mut extension = ber::opened(&mut list, SEQUENCE)?;
                let id = ber::element(&mut extension, OBJECT_ID)?.rest();
                ber::optional(&mut extension, BOOLEAN);
                if id == SUBJECT_ALT_NAME {
                    let (_, length) = ber::header(&mut extension)?;
                    let mut value = Reader::new(extension.take_up_to(length));
                    let (_, length) = ber::header(&mut value)?;
                    self.alternatives = value.take_up_to(length);
                    if self.alternatives.len() < length {
                        return None;
                    }
                } else {
                    ber::element(&mut extension, OCTET_STRING)?;
                }
            }
        }
        Some(())
    }

    /// The host names, `*.` included.
    pub(super) fn host_names(&self) -> impl Iterator<Item = &'a [u8]> {
        self.named(DNS_NAME)
    }

    fn named(&self, kind: u8) -> impl Iterator<Item = &'a [u8]> {
        let mut reader = Reader::new(self.alternatives);
        std::iter::from_fn(move || {
            let (tag, length) = ber::header(&mut reader)?;
            Some((tag, reader.take(length)?))
        })
        .take(NAMES_MOST)
        .filter_map(move |(tag, value)| (tag == kind).then_some(value))
    }

    /// Whether the server signed for itself.
    pub(super) fn is_self_signed(&self) -> bool {
        !self.issuer.0.is_empty() && self.issuer.0 == self.subject.0
    }

    /// Whether it was issued for `host` (RFC 9525 section 6.3; the common name counts where there
    /// are no alternatives). `None` where that cannot be told, as names are missing.
    pub(super) fn covers(&self, host: &[u8]) -> Option<bool> {
        let [common, _] = self.subject.owner();
        let common = common.unwrap_or_default();
        let mut covered =
            matches(common, host) || self.host_names().any(|name| matches(name, host));
        if let Some(address) = std::str::from_utf8(host).ok().and_then(|host| host.parse().ok()) {
            let octets: [u8; 4] = std::net::Ipv4Addr::octets(&address);
            covered |= self.named(IP_ADDRESS).any(|name| name == octets);
        }
        (covered || self.whole).then_some(covered)
    }
}

/// A distinguished name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Name<'a>(&'a [u8]);

impl<'a> Name<'a> {
    /// Common name and organization, the first of each. Whatever strings they are, their bytes are
    /// taken.
    pub(super) fn owner(self) -> [Option<&'a [u8]>; 2] {
        let [mut common_name, mut organization] = [None; 2];
        let mut reader = Reader::new(self.0);
        for _ in 0..PARTS_MOST {
            let Some((kind, value)) = part(&mut reader) else { break };
            let place = match kind {
                COMMON_NAME => &mut common_name,
                ORGANIZATION => &mut organization,
                _ => continue,
            };
            // One that is cut off is none, and neither is one behind it.
            *place = place.or(Some(value));
            if common_name.is_some() && organization.is_some() {
                break;
            }
        }
        [common_name, organization].map(Option::flatten)
    }

    /// Common name and organization as text, `CN=a,O=b`, as much as fits.
    pub(super) fn write(self, buffer: &mut [u8; 160]) -> &[u8] {
        let mut used = 0;
        for (label, value) in ["CN=", "O="].into_iter().zip(self.owner()) {
            let Some(value) = value else { continue };
            let comma: &[u8] = if used > 0 { b"," } else { b"" };
            for part in [comma, label.as_bytes(), value] {
                let part = part.get(..buffer.len() - used).unwrap_or(part);
                if let Some(room) = buffer.get_mut(used..used + part.len()) {
                    room.copy_from_slice(part);
                    used += part.len();
                }
            }
        }
        buffer.get(..used).unwrap_or_default()
    }
}

/// The next attribute's type, and its value unless that is cut off.
fn part<'a>(reader: &mut Reader<'a>) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    let mut set = ber::element(reader, SET)?;
    let mut pair = ber::element(&mut set, SEQUENCE)?;
    let kind = ber::element(&mut pair, OBJECT_ID)?.rest();
    let value = ber::header(&mut pair).and_then(|(_, length)| pair.take(length));
    Some((kind, value))
}

/// Whether `pattern` stands for `host`: the same, or `*` for its first label.
fn matches(pattern: &[u8], host: &[u8]) -> bool {
    if pattern.eq_ignore_ascii_case(host) {
        return !host.is_empty();
    }
    let Some(domain) = pattern.strip_prefix(b"*") else { return false };
    let dot = host.iter().position(|byte| *byte == b'.').filter(|at| *at > 0);
    dot.and_then(|at| host.get(at..)).is_some_and(|rest| rest.eq_ignore_ascii_case(domain))
}

/// Seconds since 1970 of a `Time` (section 4.1.2.5).
fn time(reader: &mut Reader<'_>) -> Option<u64> {
    let (tag, length) = ber::header(reader)?;
    let mut text = reader.sub(length)?;
    let mut year = match tag {
        UTC_TIME => 0,
        GENERALIZED_TIME => two_digits(&mut text)? * 100,
        _ => return None,
    };
    year += two_digits(&mut text)?;
    if tag == UTC_TIME {
        year += if year < 50 { 2000 } else { 1900 };
    }
    let (month, day) = (two_digits(&mut text)?, two_digits(&mut text)?);
    let (hour, minute) = (two_digits(&mut text)?, two_digits(&mut text)?);
    // Certificates always have seconds; old ones may not.
    let second = two_digits(&mut text).unwrap_or(0);
    let fits = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60;
    if !fits {
        return None;
    }
    let days = days_since_1970(year, month, day);
    Some(days.map_or(0, |days| days * 86_400 + hour * 3600 + minute * 60 + second))
}

fn two_digits(text: &mut Reader<'_>) -> Option<u64> {
    let [tens, ones] = text.array()?;
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    Some(digit(tens)? * 10 + digit(ones)?)
}

/// Days in the Gregorian calendar, counted in years that begin with March so that the leap day
/// comes last.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let (year, month) =
        if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let leaps = year / 4 + year / 400 - year / 100;
    // Month lengths repeat every five months with 153 days.
    (year * 365 + leaps + (month * 153 + 2) / 5 + day - 1).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Issued, certificate, element};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_validity_and_issuer() {
        let der = certificate(&Issued {
            names: &["www.example.com", "*.example.org"],
            ..Issued::default()
        });
        let read = Certificate::parse(&der).unwrap();
        let mut buffer = [0; 160];
        assert_eq!(read.subject.write(&mut buffer), b"CN=www.example.com,O=Example");
        assert_eq!(read.issuer.write(&mut buffer), b"CN=Test CA");
        assert_eq!((read.not_before_s, read.not_after_s), (1_690_000_000, 1_720_000_000));
        let names: Vec<_> = read.host_names().collect();
        assert_eq!(names, [&b"www.example.com"[..], b"*.example.org"]);
        assert!(!read.is_self_signed() && read.whole);
        for (host, covered) in [
            ("www.example.com", true),
            ("WWW.Example.COM", true),
            ("a.example.org", true),
            ("a.b.example.org", false),
            ("example.org", false),
            (".example.org", false),
            ("192.0.2.1", false),
        ] {
            assert_eq!(read.covers(host.as_bytes()), Some(covered), "{host}");
        }
    }

    #[test]
    fn what_is_cut_off_is_read_as_far_as_it_goes() {
        let der = certificate(&Issued { names: &["a.example"], ..Issued::default() });
        let whole = Certificate::parse(&der).unwrap();
        let mut subjects = 0;
        for length in 0..der.len() {
            let Some(read) = Certificate::parse(&der[..length]) else { continue };
            assert_eq!(read.subject, whole.subject);
            assert!(read.covers(b"other.example").is_none() || read.whole);
            subjects += 1;
        }
        assert!(subjects > 20);
    }

    #[test]
    fn times_of_both_forms() {
        let read = |tag, text: &str| {
            let bytes = element(tag, text.as_bytes());
            time(&mut Reader::new(&bytes))
        };
        assert_eq!(read(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(read(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(read(UTC_TIME, "500101000000Z"), Some(0), "1950");
        assert_eq!(read(GENERALIZED_TIME, "20240229120000Z"), Some(1_709_208_000));
        assert_eq!(read(GENERALIZED_TIME, "20000301000000Z"), Some(951_868_800));
        assert_eq!(read(GENERALIZED_TIME, "20241301000000Z"), None);
        assert_eq!(read(UTC_TIME, "2401"), None);
    }

    proptest! {
        #[test]
        fn damage_is_survived(
            changes in prop::collection::vec((0_usize..400, any::<u8>()), 1..8),
        ) {
            let mut der = certificate(&Issued { names: &["a.example"], ..Issued::default() });
            for (at, value) in changes {
                let last = der.len() - 1;
                der[at.min(last)] = value;
            }
            if let Some(read) = Certificate::parse(&der) {
                let mut buffer = [0; 160];
                let _ = read.subject.write(&mut buffer);
                let _ = read.covers(b"a.example");
            }
        }
    }
}
