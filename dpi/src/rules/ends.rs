//! Rules by the ends of a flow: prefixes by hash, a probe for each length in use; ports by table.

use super::Rule;
use super::condition::{Condition, End, Facts, Prefix, all_hold, masked};
use super::index::{Groups, MOST, TooMany, prefix_hash};
use crate::view::Transport;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct EndsTable {
    prefixes: Groups<(u128, u8), u32>,
    /// Lengths of prefixes in use, longest first.
    lengths: Box<[u8]>,
    tcp: Ports,
    udp: Ports,
}

impl EndsTable {
    /// Of `rules`, those with these numbers.
    pub(super) fn new(rules: &[Rule], of: &[u32]) -> Result<EndsTable, TooMany<u32>> {
        let (mut prefixes, mut tcp, mut udp) = (Vec::new(), Vec::new(), Vec::new());
        for &number in of {
            let Some(rule) = rules.get(number as usize) else { continue };
            if let Some(prefix) = longest(&rule.conditions) {
                prefixes.push(((prefix.address, prefix.bits), number));
            } else if let Some((over, first, last)) = narrowest(&rule.conditions) {
                if over != Some(Transport::Udp) {
                    tcp.push((first, last, number));
                }
                if over != Some(Transport::Tcp) {
                    udp.push((first, last, number));
                }
            }
        }
        let prefixes = Groups::new(prefixes)?;
        let mut lengths: Vec<u8> = prefixes.keys().map(|(_, bits)| *bits).collect();
        lengths.sort_unstable_by(|one, other| other.cmp(one));
        lengths.dedup();
        let (tcp, udp) = (Ports::new(&tcp)?, Ports::new(&udp)?);
        Ok(EndsTable { prefixes, lengths: lengths.into(), tcp, udp })
    }

    /// The best rule that fits.
    pub(super) fn first(&self, rules: &[Rule], facts: &Facts<'_>) -> Option<u32> {
        let (client, server) = (&facts.ends.client, &facts.ends.server);
        let by_server = self.by_prefix(rules, facts, server.address);
        let by_client = self.by_prefix(rules, facts, client.address);
        let by_prefix = by_server.into_iter().chain(by_client).min();
        by_prefix.or_else(|| {
            let ports = match facts.ends.transport? {
                Transport::Tcp => &self.tcp,
                Transport::Udp => &self.udp,
            };
            let both = [server.port, client.port].into_iter().flat_map(|port| ports.of(port));
            both.copied().filter(|number| holds(rules, *number, facts)).min()
        })
    }

    fn by_prefix(&self, rules: &[Rule], facts: &Facts<'_>, address: [u8; 16]) -> Option<u32> {
        let address = u128::from_be_bytes(address);
        self.lengths.iter().find_map(|&bits| {
            let address = masked(address, bits);
            let key = (address, bits);
            let numbers = self.prefixes.get(prefix_hash(address, bits), |other| *other == key);
            numbers.iter().copied().find(|number| holds(rules, *number, facts))
        })
    }
}

fn holds(rules: &[Rule], number: u32, facts: &Facts<'_>) -> bool {
    rules.get(number as usize).is_some_and(|rule| all_hold(&rule.conditions, facts))
}

/// The longest prefix among `conditions`.
pub(super) fn longest(conditions: &[Condition]) -> Option<Prefix> {
    let prefixes = conditions.iter().filter_map(|condition| match condition {
        Condition::Prefix { prefix, .. } => Some(*prefix),
        _ => None,
    });
    prefixes.max_by_key(|prefix| prefix.bits)
}

/// Transport, first and last of the narrowest range of ports among `conditions`.
pub(super) fn narrowest(conditions: &[Condition]) -> Option<(Option<Transport>, u16, u16)> {
    let ports = conditions.iter().filter_map(|condition| match condition {
        Condition::Port { over, first, last, .. } => Some((*over, *first, *last)),
        _ => None,
    });
    ports.min_by_key(|(_, first, last)| last.saturating_sub(*first))
}

/// Whether a condition says anything of the ends beyond what a rule of contents may add.
pub(super) fn is_of_ends(condition: &Condition) -> bool {
    matches!(condition, Condition::Prefix { .. } | Condition::Port { .. })
}

/// For each port its rules; empty if there is none at all.
#[derive(Debug, Default)]
struct Ports {
    /// Where the rules of each port end; they begin where those of the port before it end.
    ends: Box<[u32]>,
    numbers: Box<[u32]>,
}

impl Ports {
    fn new(ranges: &[(u16, u16, u32)]) -> Result<Ports, TooMany<u32>> {
        if ranges.is_empty() {
            return Ok(Ports::default());
        }
        let mut ends = vec![0u32; 1 << 16];
        for (first, last, number) in ranges {
            for count in
                ends.get_mut(usize::from(*first)..=usize::from(*last)).into_iter().flatten()
            {
                *count += 1;
                if *count as usize > MOST {
                    return Err(TooMany(*number));
                }
            }
        }
        // Counts become beginnings; putting the rules in moves each to its end.
        let mut total = 0;
        for count in &mut ends {
            (*count, total) = (total, total + *count);
        }
        let mut numbers = vec![0u32; total as usize];
        for (first, last, number) in ranges {
            for at in ends.get_mut(usize::from(*first)..=usize::from(*last)).into_iter().flatten() {
                if let Some(place) = numbers.get_mut(*at as usize) {
                    *place = *number;
                }
                *at += 1;
            }
        }
        Ok(Ports { ends: ends.into(), numbers: numbers.into() })
    }

    fn of(&self, port: u16) -> &[u32] {
        let Some(end) = self.ends.get(usize::from(port)) else { return &[] };
        let start = port.checked_sub(1).and_then(|before| self.ends.get(usize::from(before)));
        let range = *start.unwrap_or(&0) as usize..*end as usize;
        self.numbers.get(range).unwrap_or_default()
    }
}

/// The end that a word names.
pub(super) fn end_of(word: &[u8]) -> Option<End> {
    Some(match word {
        b"server" => End::Server,
        b"client" => End::Client,
        b"either" => End::Either,
        _ => return None,
    })
}
