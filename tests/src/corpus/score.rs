//! Recognition held against a labelled corpus: each row, and what became of its flow.

use super::mapping::{Kind, Levels, Mapping};
use super::{Ends, Flow, Row, rows, walk};
use anyhow::{Context, bail};
use std::collections::HashMap;
use std::path::Path;
use weir_dpi::attr::{self, Attr};
use weir_dpi::{Confidence, Inspector, Limits, app, meta};

/// A row and what became of it.
#[derive(Clone, Debug)]
pub struct Pair {
    /// What the reference says.
    pub row: Row,
    /// What we say; none where there is no such flow here.
    pub ours: Option<Ours>,
    /// How the names compare. A guess from the port equals nothing that the reference names by
    /// content.
    pub levels: Levels,
    /// The same if the guess counted.
    pub guessed: Levels,
    /// How the categories compare.
    pub category: Option<Kind>,
    /// Whether the host name is the reference's; `false` too where it has none.
    pub host_equal: bool,
}

/// What we say of a flow.
#[derive(Clone, Debug)]
pub struct Ours {
    /// Its name, dotted.
    pub name: String,
    /// On what the name rests.
    pub confidence: Confidence,
    /// The application's category.
    pub category: &'static str,
    /// The host name; empty for none.
    pub host: String,
    /// The TLS fingerprint; empty for none.
    pub ja4: String,
    /// Packets with payload that were inspected.
    pub inspected: u32,
}

/// A capture that could not be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unread {
    /// Its file name.
    pub capture: String,
    /// Why.
    pub reason: String,
    /// Rows that it has; they are not scored.
    pub rows: usize,
}

/// A corpus scored.
#[derive(Clone, Default, Debug)]
pub struct Scored {
    /// Every row of a capture that was read.
    pub pairs: Vec<Pair>,
    /// Captures that were not.
    pub unread: Vec<Unread>,
    /// Captures that were.
    pub captures: usize,
    /// Flows here that no row speaks of.
    pub flows_without_row: usize,
}

impl Pair {
    /// Our name as shown: with a question mark where it is a guess that does not count.
    pub fn our_name(&self) -> String {
        let Some(ours) = &self.ours else { return "(no flow)".into() };
        let mark = if self.is_discounted() { "?" } else { "" };
        format!("{}{mark}", ours.name)
    }

    /// Whether our name is a guess where the reference has content, or no name at all.
    pub fn is_discounted(&self) -> bool {
        let counts = self.row.by_content() || self.row.is_unknown();
        counts && self.confidence() == Confidence::PortGuess
    }

    /// On what our name rests.
    pub fn confidence(&self) -> Confidence {
        self.ours.as_ref().map(|ours| ours.confidence).unwrap_or_default()
    }

    /// The host name found here; empty for none.
    pub fn our_host(&self) -> &str {
        self.ours.as_ref().map(|ours| ours.host.as_str()).unwrap_or_default()
    }

    /// The TLS fingerprint found here; empty for none.
    pub fn our_ja4(&self) -> &str {
        self.ours.as_ref().map(|ours| ours.ja4.as_str()).unwrap_or_default()
    }

    /// The category of our name; empty for none.
    pub fn our_category(&self) -> &'static str {
        self.ours.as_ref().map(|ours| ours.category).unwrap_or_default()
    }
}

/// Scores the corpus in the folder `root`; of its captures only those whose file name contains
/// `part`.
///
/// # Errors
///
/// If there is no such corpus, or `expected.tsv` is malformed. A capture that cannot be read is
/// noted and left out.
pub fn score(root: &Path, part: &str) -> anyhow::Result<Scored> {
    let folder = root.join("pcap");
    if !folder.is_dir() {
        bail!("{}: no such folder", folder.display());
    }
    let (names, categories) = (Mapping::names(), Mapping::categories());
    let mut scored = Scored::default();
    for (capture, rows) in by_capture(rows(root)?) {
        if !capture.contains(part) {
            continue;
        }
        let mut inspector = Inspector::new(&limits());
        let flows = match walk(&folder.join(&capture), &mut inspector) {
            Ok(flows) => flows,
            Err(error) => {
                let reason = format!("{error:#}");
                scored.unread.push(Unread { capture, reason, rows: rows.len() });
                continue;
            }
        };
        scored.captures += 1;
        let mut flows: HashMap<Ends, &Flow> = flows.iter().map(|flow| (flow.ends, flow)).collect();
        for row in rows {
            let ours = flows.remove(&row.ends).map(ours);
            scored.pairs.push(pair(row, ours, &names, &categories));
        }
        scored.flows_without_row += flows.len();
    }
    Ok(scored)
}

/// The rows of each capture, in the order in which captures first occur.
fn by_capture(rows: Vec<Row>) -> Vec<(String, Vec<Row>)> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut captures: Vec<(String, Vec<Row>)> = Vec::new();
    for row in rows {
        let place = *places.entry(row.capture.clone()).or_insert_with(|| {
            captures.push((row.capture.clone(), Vec::new()));
            captures.len() - 1
        });
        captures[place].1.push(row);
    }
    captures
}

/// The limits of a capture's inspector: the default ones, with room for its flows only.
pub fn limits() -> Limits {
    Limits { flows: 4096, stream_buffers: 512, ..Limits::default() }
}

fn pair(row: Row, ours: Option<Ours>, names: &Mapping, categories: &Mapping) -> Pair {
    let name = ours.as_ref().map_or("", |ours| &ours.name);
    let category = ours.as_ref().map_or("", |ours| ours.category);
    let host = ours.as_ref().map_or("", |ours| &ours.host);
    let guessed = names.compare(&row.name, name);
    let mut pair = Pair {
        category: categories.one(&row.category, category),
        host_equal: !row.host.is_empty() && same_host(&row.host, host),
        row,
        ours,
        levels: guessed,
        guessed,
    };
    if pair.is_discounted() {
        pair.levels = Levels::default();
    }
    pair
}

/// What says whom a flow is with, best first: of these attributes the first that it has is its
/// host name.
const HOSTS: &[Attr] = &[
    attr::HOST_NAME,
    attr::HTTP_HOST,
    attr::TLS_SNI,
    attr::QUIC_SNI,
    attr::DTLS_SNI,
    attr::DNS_NAME,
    attr::DHCP_HOST_NAME,
    attr::DHCPV6_HOST_NAME,
    attr::NETBIOS_NAME,
    attr::COAP_HOST,
    attr::SYSLOG_HOST,
    attr::STUN_REALM,
    attr::SSH_CLIENT,
];

const FINGERPRINTS: &[Attr] = &[attr::TLS_JA4, attr::QUIC_JA4, attr::DTLS_JA4];

fn ours(flow: &Flow) -> Ours {
    let first = |attrs: &[Attr]| {
        let find = |attr: &Attr| meta::decode(&flow.meta).find(|(id, _)| *id == attr.id);
        let found = attrs.iter().find_map(find).map(|(_, value)| value);
        found.map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
    };
    Ours {
        name: flow.verdict.to_string(),
        confidence: flow.verdict.confidence,
        category: app::category(flow.verdict.master, flow.verdict.app).name(),
        host: first(HOSTS),
        ja4: first(FINGERPRINTS),
        inspected: flow.inspected,
    }
}

/// Bytes of a host name that the reference keeps; of a longer one it has a part.
const REFERENCE_HOST_BYTES: usize = 79;

/// Whether two host names are the same: but for case, a port, a trailing dot, what the reference
/// had no room for, and the `?` and `_` that it writes for each byte that no host name has.
pub fn same_host(theirs: &str, ours: &str) -> bool {
    let (theirs, ours) = (tidy(theirs), tidy(ours));
    let alike = |(their, our): (u8, u8)| {
        let foreign = !our.is_ascii_alphanumeric() && !matches!(our, b'.' | b'-');
        their == our || (matches!(their, b'?' | b'_') && foreign)
    };
    let (theirs, ours) = (theirs.as_bytes(), ours.as_bytes());
    let same = |part: &[u8]| theirs.iter().copied().zip(part.iter().copied()).all(alike);
    let parts =
        [ours.get(..theirs.len()), ours.len().checked_sub(theirs.len()).map(|at| &ours[at..])];
    let whole = theirs.len() == ours.len() || theirs.len() >= REFERENCE_HOST_BYTES;
    whole && parts.into_iter().flatten().any(same)
}

/// A host name in lower case, without port and trailing dot.
fn tidy(host: &str) -> String {
    let lower = host.to_lowercase();
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let name = match lower.rsplit_once(':') {
        // More than one colon, outside of brackets, is a bare IPv6 address.
        Some((name, port)) if is_port(port) && (!name.contains(':') || name.ends_with(']')) => name,
        _ => &lower,
    };
    name.trim_end_matches('.').to_owned()
}

/// Whether two JA4 are the same but for what the reference writes otherwise than JA4 is described:
/// its letter for the SNI is `d` where there is none and `i` where it is an address, its letters for
/// the ALPN are the first two instead of the first and the last, and its hash of an empty list is
/// not all zeros.
pub fn same_ja4_as_described(theirs: &str, ours: &str) -> bool {
    fn essence(ja4: &str) -> Option<(&str, &str, &str, &str)> {
        const OF_NOTHING: &str = "e3b0c44298fc";
        let (a, hashes) = ja4.split_once('_')?;
        let (ciphers, extensions) = hashes.split_once('_')?;
        let zeros = |hash| if hash == OF_NOTHING { "000000000000" } else { hash };
        Some((a.get(..3)?, a.get(4..8)?, zeros(ciphers), zeros(extensions)))
    }
    theirs == ours || essence(theirs).is_some_and(|theirs| essence(ours) == Some(theirs))
}

/// The reason why a folder is no corpus, if it is none.
///
/// # Errors
///
/// If there is no such folder, or it lacks one of its parts.
pub fn check(root: &Path) -> anyhow::Result<()> {
    let shown = root.display();
    std::fs::read_dir(root).with_context(|| format!("{shown}"))?;
    for part in ["pcap", "expected.tsv"] {
        if !root.join(part).exists() {
            bail!("{shown}: no {part} in it (see the corpus' README)");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_compared_but_for_how_they_are_written() {
        for (theirs, ours) in [
            ("www.example.com", "WWW.Example.com."),
            ("239.255.255.250:1900", "239.255.255.250"),
            ("[ff02::c]:1900", "[FF02::C]"),
            ("2001:db8::1", "2001:db8::1"),
            ("??????.local", "\u{5c0f}\u{4f5b}.local"),
            ("_.example.com", "*.example.com"),
        ] {
            assert!(same_host(theirs, ours), "{theirs} {ours}");
        }
        for (theirs, ours) in [
            ("www.example.com", "example.com"),
            ("example.com", ""),
            ("2001:db8::1", "2001:db8:"),
            ("a?c", "abc"),
            ("www.example", "www.example.com"),
        ] {
            assert!(!same_host(theirs, ours), "{theirs} {ours}");
        }
        let long = "a".repeat(60) + "." + &"b".repeat(60);
        assert!(same_host(&long[..79], &long) && same_host(&long[long.len() - 79..], &long));
        assert!(!same_host(&long[..78], &long), "the reference had room for that");
    }

    #[test]
    fn fingerprints_are_compared_but_for_three_letters_and_the_hash_of_nothing() {
        let same = same_ja4_as_described;
        assert!(same(
            "t12d1409ht_c866b44c5a26_b39be8c56a14",
            "t12i1409h1_c866b44c5a26_b39be8c56a14"
        ));
        assert!(same(
            "t10d150000_e2ff6cb279ee_e3b0c44298fc",
            "t10i150000_e2ff6cb279ee_000000000000"
        ));
        assert!(!same(
            "t12d1409ht_c866b44c5a26_b39be8c56a14",
            "t13d1409h1_c866b44c5a26_b39be8c56a14"
        ));
        assert!(!same(
            "t12d1409h1_c866b44c5a26_b39be8c56a14",
            "t12d1409h1_c866b44c5a26_b39be8c56a15"
        ));
        assert!(!same("t12d1409h1_c866b44c5a26_b39be8c56a14", "") && same("", ""));
    }
}
