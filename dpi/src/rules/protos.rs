//! The format of nDPI's `protos.txt`: `element,element,…@name`, a line each. What Weir has no use
//! for is left out with a reason.

use super::apps::APP_BYTES;
use super::condition::{Condition, End, Prefix};
use super::grammar::Declared;
use super::grammar::conditions::{host_pattern, number, read_ja4};
use super::text::{Wrong, shown};
use crate::view::Transport;

/// What a line says: a rule for each element that could be read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) app: Result<Declared, Wrong>,
    pub(super) rules: Vec<Vec<Condition>>,
    pub(super) left_out: Vec<Wrong>,
}

/// Reads a line; nothing of one that is empty or a comment.
pub(super) fn read(line: &str) -> Option<Read> {
    let line = line.trim_end();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let Some((elements, name)) = line.rsplit_once('@') else {
        return Some(Read { app: Err(no_rule(line)), rules: Vec::new(), left_out: Vec::new() });
    };
    let column = column_at(line, elements.len() + 1);
    let mut left_out = Vec::new();
    let name = match name.split_once('=') {
        Some((name, id)) => {
            let wrong = format!("the number {} is of no use here", shown(id.as_bytes()));
            left_out.push(Wrong::new(column, wrong, "the name alone"));
            name
        }
        None => name,
    };
    let mut rules = Vec::new();
    let mut at = 0;
    for element in split(elements) {
        let column = column_at(line, at);
        at += element.len() + 1;
        match conditions(element.trim()) {
            Ok(conditions) => rules.push(conditions),
            Err((wrong, expected)) => {
                let wrong = format!("{} is left out: {wrong}", shown(element.trim().as_bytes()));
                left_out.push(Wrong::new(column, wrong, expected));
            }
        }
    }
    Some(Read { app: app(name.trim(), column), rules, left_out })
}

/// A line without name.
fn no_rule(line: &str) -> Wrong {
    let known = [
        ("ip_risk_mask:", "masks of risks are not supported"),
        ("ipv6_risk_mask:", "masks of risks are not supported"),
        ("host_risk_mask:", "masks of risks are not supported"),
        ("trusted_issuer_dn:", "trusted issuers are not supported"),
        ("%", "lines that begin with % are not supported"),
    ];
    let why = known.iter().find(|(start, _)| line.starts_with(start)).map(|(_, why)| *why);
    let why = why.unwrap_or("there is no @ and no name");
    Wrong::new(1, format!("the line is left out: {why}"), "element,element,...@name")
}

fn app(name: &str, column: u32) -> Result<Declared, Wrong> {
    let fits = |letter: char| letter.is_ascii_graphic() && !"\".@/&^:;'".contains(letter);
    let name: String = name.chars().map(|letter| if fits(letter) { letter } else { '_' }).collect();
    if name.is_empty() || name.len() > APP_BYTES || name.eq_ignore_ascii_case("unknown") {
        let wrong = format!("{} is no name of an application", shown(name.as_bytes()));
        return Err(Wrong::new(
            column,
            wrong,
            format!("1 to {APP_BYTES} letters, digits or signs"),
        ));
    }
    Ok(Declared { column, name, category: None, breed: None })
}

/// The column of the byte at `at`.
fn column_at(line: &str, at: usize) -> u32 {
    let before = line.get(..at).unwrap_or(line);
    u32::try_from(before.chars().count() + 1).unwrap_or(u32::MAX)
}

/// Split at commas that are not between quotation marks.
fn split(elements: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    elements.split(move |letter| {
        quoted ^= letter == '"';
        letter == ',' && !quoted
    })
}

/// What is wrong, and what is expected.
type Why = (&'static str, &'static str);

fn conditions(element: &str) -> Result<Vec<Condition>, Why> {
    let Some((kind, value)) = element.split_once(':') else {
        return Err(("it has no kind", "tcp:, udp:, ip:, ipv6:, host: or ja4:"));
    };
    let unquoted = value.strip_prefix('"').unwrap_or(value);
    let unquoted = unquoted.strip_suffix('"').unwrap_or(unquoted);
    match kind {
        "tcp" => ports(value, Some(Transport::Tcp), End::Server).map(|port| vec![port]),
        "udp" => ports(value, Some(Transport::Udp), End::Server).map(|port| vec![port]),
        "ip" | "ipv6" => addresses(value),
        "host" => {
            // A dot in front says what is so anyway: a name stands for all below it too.
            let name = unquoted.strip_prefix('.').unwrap_or(unquoted);
            let pattern = host_pattern(name.as_bytes())?;
            Ok(vec![Condition::Host { pattern, sni: false }])
        }
        "ja4" => {
            let ja4 = read_ja4(unquoted.as_bytes()).ok_or(("it is no JA4", "36 characters"))?;
            Ok(vec![Condition::Ja4(ja4)])
        }
        "nbpf" => Err(("nBPF filters are not supported", "a rule of Weir's own with and")),
        _ => Err(("its kind is unknown", "tcp:, udp:, ip:, ipv6:, host: or ja4:")),
    }
}

fn ports(text: &str, over: Option<Transport>, end: End) -> Result<Condition, Why> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (number(first.trim()), number(last.trim())) {
        (Some(first), Some(last)) if first <= last => {
            Ok(Condition::Port { over, end, first, last })
        }
        _ => Err(("it is no port", "0 to 65535, or a range such as 5061-5062")),
    }
}

/// `192.0.2.1`, `192.0.2.0/24`, `[2001:db8::1]`, `[2001:db8::]/32`, each perhaps with `:port`.
fn addresses(text: &str) -> Result<Vec<Condition>, Why> {
    let no_address = ("it is no address", "192.0.2.0/24:443 or [2001:db8::]/32:443");
    let (address, rest) = match text.strip_prefix('[') {
        Some(text) => text.split_once(']').ok_or(no_address)?,
        None => text.split_at(text.find(['/', ':']).unwrap_or(text.len())),
    };
    let (length, port) = rest.split_once(':').map_or((rest, None), |(l, p)| (l, Some(p)));
    if address.parse::<std::net::IpAddr>().is_err() {
        let is_name = address.bytes().any(|byte| byte.is_ascii_alphabetic())
            && host_pattern(address.as_bytes()).is_ok();
        let asked = ("a name would have to be asked for", "an address, or host: with the name");
        return Err(if is_name { asked } else { no_address });
    }
    let (prefix, _) = Prefix::read(&format!("{address}{length}")).map_err(|_| no_address)?;
    let mut conditions = vec![Condition::Prefix { end: End::Either, prefix }];
    if let Some(port) = port {
        conditions.push(ports(port, None, End::Either)?);
    }
    Ok(conditions)
}
