//! Reads the tables of services (`table/*.txt`, whose form `docs/SERVICES.md` tells): for the build
//! script, which makes the indexes of them, and for the tests, which compare these with the text.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// One row of a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Row {
    /// File and line, as errors show them.
    pub place: String,
    pub constant: String,
    /// Absent where the row only adds to a protocol of `app.rs`.
    pub service: Option<Service>,
    pub hosts: Vec<Host>,
    pub certificates: Vec<String>,
    pub blocks: Vec<Block>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Service {
    pub id: u16,
    pub name: String,
    pub category: String,
    pub breed: String,
}

/// A domain with all below it, or only those of them that begin in a certain way.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Host {
    /// Longer ones first where a domain has several.
    pub beginning: String,
    pub domain: String,
}

/// Addresses that have their first `bits` bits in common with `first`; IPv4 is mapped into IPv6.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Block {
    pub first: u128,
    pub bits: u32,
    /// Whether nothing but the service is there, so that an address alone tells it.
    pub surely: bool,
}

impl Block {
    /// The last address.
    pub(super) fn last(self) -> u128 {
        self.first | u128::MAX.checked_shr(self.bits).unwrap_or(0)
    }
}

/// The rows of every `.txt` file in `folder`, services ascending by id, then protocols.
pub(super) fn read(folder: &Path) -> Result<Vec<Row>, String> {
    let unreadable = |error| format!("{}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|kind| kind == "txt") {
            files.push(path);
        }
    }
    files.sort();
    let mut rows = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).map_err(unreadable)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        parse(&name, &text, &mut rows)?;
    }
    rows.sort_by_key(|row| (row.service.as_ref().map_or(u16::MAX, |s| s.id), row.place.clone()));
    check(&rows)?;
    Ok(rows)
}

/// Adds the rows of one file.
pub(super) fn parse(file: &str, text: &str, rows: &mut Vec<Row>) -> Result<(), String> {
    let before = rows.len();
    for (line, number) in text.lines().zip(1..) {
        let place = format!("{file}:{number}");
        let at = |error: String| format!("{place}: {error}");
        let words = line.split('#').next().unwrap_or_default().trim_end();
        if words.is_empty() {
            continue;
        }
        if words.starts_with(' ') {
            let open = rows.get_mut(before..).and_then(<[Row]>::last_mut);
            let row = open.ok_or_else(|| at("stands under no row".to_owned()))?;
            property(words.trim_start(), row).map_err(at)?;
        } else {
            let row = head(words, &place).map_err(at)?;
            let last = rows.get(before..).and_then(<[Row]>::last).and_then(|r| r.service.as_ref());
            if let (Some(last), Some(service)) = (last, &row.service)
                && last.id >= service.id
            {
                return Err(at(format!("{} must come before {}", service.id, last.id)));
            }
            rows.push(row);
        }
    }
    Ok(())
}

fn head(line: &str, place: &str) -> Result<Row, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (constant, service) = match words.as_slice() {
        ["protocol", constant] => (*constant, None),
        [id, constant, name, category, breed] => {
            let id = id.parse().map_err(|_| format!("`{id}` is no id"))?;
            if !(1000..2000).contains(&id) {
                return Err(format!("ids of services are 1000 to 1999, not {id}"));
            }
            if name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_') {
                return Err(format!("`{name}` has more than letters, digits, `-` and `_`"));
            }
            let [name, category, breed] = [name, category, breed].map(|word| (*word).to_owned());
            (*constant, Some(Service { id, name, category, breed }))
        }
        _ => {
            let forms = "`ID CONSTANT Name Category Breed` or `protocol CONSTANT`";
            return Err(format!("a row begins with {forms}"));
        }
    };
    if constant.contains(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_') {
        return Err(format!("`{constant}` is no constant"));
    }
    Ok(Row {
        place: place.to_owned(),
        constant: constant.to_owned(),
        service,
        hosts: Vec::new(),
        certificates: Vec::new(),
        blocks: Vec::new(),
    })
}

fn property(line: &str, row: &mut Row) -> Result<(), String> {
    let (key, values) = line.split_once(' ').unwrap_or((line, ""));
    if values.trim().is_empty() {
        return Err(format!("`{key}` has no value"));
    }
    match key {
        "hosts" => {
            for word in values.split_whitespace() {
                row.hosts.push(host(word)?);
            }
        }
        "certificates" => row.certificates.extend(values.split(';').map(|v| v.trim().to_owned())),
        "addresses" | "surely" => {
            for word in values.split_whitespace() {
                row.blocks.push(Block { surely: key == "surely", ..block(word)? });
            }
        }
        _ => {
            return Err(format!(
                "`{key}` is none of `hosts`, `certificates`, `addresses`, `surely`"
            ));
        }
    }
    Ok(())
}

/// `example.com`, or `beginning*.example.com`.
fn host(word: &str) -> Result<Host, String> {
    let (beginning, domain) = word.split_once("*.").unwrap_or(("", word));
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.chars().all(letters);
    let whole = word.contains('*') != beginning.is_empty();
    if !whole
        || !domain.split('.').all(is_label)
        || !beginning.chars().all(|c| letters(c) || c == '.')
    {
        return Err(format!("`{word}` is no host name in lower case"));
    }
    Ok(Host { beginning: beginning.to_owned(), domain: domain.to_owned() })
}

/// `192.0.2.0/24`, `2001:db8::/32`, or one address.
fn block(word: &str) -> Result<Block, String> {
    let wrong = || format!("`{word}` is no block of addresses");
    let (address, bits) = match word.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u32>().map_err(|_| wrong())?)),
        None => (word, None),
    };
    let (first, of, before) = match address.parse::<Ipv4Addr>() {
        Ok(v4) => (v4.to_ipv6_mapped(), 32, 96),
        Err(_) => (address.parse::<Ipv6Addr>().map_err(|_| wrong())?, 128, 0),
    };
    let bits = bits.unwrap_or(of);
    if !(8..=of).contains(&bits) {
        return Err(wrong());
    }
    let block = Block { first: first.to_bits(), bits: before + bits, surely: false };
    if block.first & !u128::MAX.checked_shl(128 - block.bits).unwrap_or(0) != 0 {
        return Err(format!("`{word}` has bits set beyond its length"));
    }
    Ok(block)
}

/// What no two rows may share, and that beginnings belong to a domain of the table.
pub(super) fn check(rows: &[Row]) -> Result<(), String> {
    let mut seen = BTreeMap::new();
    let mut once = |kind: &str, what: String, row: &Row| match seen
        .insert(format!("{kind} {what}"), row.place.clone())
    {
        Some(other) => Err(format!("{}: the {kind} {what} stands at {other} too", row.place)),
        None => Ok(()),
    };
    for row in rows {
        once("constant", row.constant.clone(), row)?;
        if let Some(service) = &row.service {
            once("id", service.id.to_string(), row)?;
            once("name", service.name.to_ascii_lowercase(), row)?;
        }
        for host in &row.hosts {
            once("host", format!("{}*.{}", host.beginning, host.domain), row)?;
        }
        for name in &row.certificates {
            once("certificate", name.to_ascii_lowercase(), row)?;
        }
        for block in &row.blocks {
            once("block", format!("{}/{}", Ipv6Addr::from_bits(block.first), block.bits), row)?;
        }
    }
    for row in rows {
        for host in row.hosts.iter().filter(|host| !host.beginning.is_empty()) {
            if !seen.contains_key(&format!("host *.{}", host.domain)) {
                return Err(format!("{}: no row has the host {}", row.place, host.domain));
            }
        }
    }
    Ok(())
}
