//! Alerts: what the engine found worth saying about a host, a service or a flow.
//!
//! A shard writes each start, update and end of an alert to a ring, and keeps those that are active
//! in a table. With several shards each writes its share; [`Merged`] puts the shares together.

mod kind;
mod merge;
mod table;
mod words;

pub use kind::{Adds, AlertKind, Figure, Phase, Severity};
pub use merge::Merged;
pub use table::{AlertReader, AlertWriter};
pub(crate) use table::{AlertWords, HEAD_WORDS, RING_BYTES_MIN};
pub(crate) use words::WORDS;

/// Bits of the network that an alert about a way is about: [`AlertKind::RttWorse`],
/// [`AlertKind::LossWorse`]. The /24 of an IPv4 address (in mapped form), the /48 of an IPv6 address.
pub fn network_bits(address: &[u8; 16]) -> u8 {
    let is_v4 = std::net::Ipv6Addr::from(*address).to_ipv4_mapped().is_some();
    if is_v4 { 96 + 24 } else { 48 }
}

/// Flows that an alert names, at most.
pub const FLOWS: usize = 8;
/// Numbers that an alert's evidence has, at most.
pub const FIGURES: usize = 8;
/// Bytes of a rule's name.
pub const NAME_BYTES: usize = 32;
/// Bytes of the note.
pub const NOTE_BYTES: usize = 56;

/// A short text of a fixed place: UTF-8, zeros behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShortText<const N: usize>([u8; N]);

impl<const N: usize> Default for ShortText<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> ShortText<N> {
    /// The text of these bytes, cut where the place ends. Zeros end it.
    pub fn new(text: &[u8]) -> Self {
        let mut bytes = [0; N];
        for (to, from) in bytes.iter_mut().zip(text.iter().take_while(|byte| **byte != 0)) {
            *to = *from;
        }
        Self(bytes)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.first().is_none_or(|byte| *byte == 0)
    }

    /// The bytes, without the zeros.
    pub fn as_bytes(&self) -> &[u8] {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(N);
        self.0.get(..end).unwrap_or_default()
    }

    /// For people.
    pub fn to_text(&self) -> String {
        String::from_utf8_lossy(self.as_bytes()).into_owned()
    }
}

/// One end that an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Party {
    /// IPv6, or IPv4 in its mapped form; all zeros: none.
    pub address: [u8; 16],
    /// Port; 0: none.
    pub port: u16,
}

impl Party {
    /// Whether there is an address.
    pub fn is_there(&self) -> bool {
        self.address != [0; 16]
    }
}

/// An alert, as one record of it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alert {
    /// The same for the same rule and subject, in every run of the same rules.
    pub id: u64,
    /// What it is about.
    pub kind: AlertKind,
    /// How much it weighs.
    pub severity: Severity,
    /// What this record tells.
    pub phase: Phase,
    /// The rule: the kind's name, or that of a rule of one's own.
    pub rule: ShortText<NAME_BYTES>,
    /// When this was written, packet time in Unix nanoseconds.
    pub time_ns: u64,
    /// When it began.
    pub start_ns: u64,
    /// When it last held.
    pub update_ns: u64,
    /// When it ended; 0 while it is active.
    pub end_ns: u64,
    /// Number of the window that `value` is of: packet time divided by its length.
    pub window: u64,
    /// Length of a window, seconds; 0: the rule has none.
    pub window_s: u32,
    /// Windows, or looks, in which it held.
    pub times: u32,
    /// What was measured in the window.
    pub value: u64,
    /// The highest value so far.
    pub peak: u64,
    /// What `value` has to reach.
    pub threshold: u64,
    /// Whom it is about.
    pub subject: Party,
    /// The other side, where there is one.
    pub peer: Party,
    /// The subject's hardware address, where that is what it is about; zeros: none.
    pub mac: [u8; 6],
    /// Another one.
    pub peer_mac: [u8; 6],
    /// VLAN; 0: none.
    pub vlan: u16,
    /// IP protocol; 0: none.
    pub protocol: u8,
    /// Application; 0: none.
    pub app: u16,
    /// Flows that show it, by identity; 0: none.
    pub flows: [u64; FLOWS],
    /// Numbers that show it.
    pub figures: [Option<(Figure, u64)>; FIGURES],
    /// A name that goes with it: a domain, a risk.
    pub note: ShortText<NOTE_BYTES>,
}

impl Default for Alert {
    fn default() -> Self {
        Self {
            id: 0,
            kind: AlertKind::HostThreshold,
            severity: Severity::Low,
            phase: Phase::Started,
            rule: ShortText::default(),
            time_ns: 0,
            start_ns: 0,
            update_ns: 0,
            end_ns: 0,
            window: 0,
            window_s: 0,
            times: 0,
            value: 0,
            peak: 0,
            threshold: 0,
            subject: Party::default(),
            peer: Party::default(),
            mac: [0; 6],
            peer_mac: [0; 6],
            vlan: 0,
            protocol: 0,
            app: 0,
            flows: [0; FLOWS],
            figures: [None; FIGURES],
            note: ShortText::default(),
        }
    }
}

impl Alert {
    /// Names a flow as evidence, if there is a place.
    pub fn add_flow(&mut self, flow: u64) {
        if flow == 0 || self.flows.contains(&flow) {
            return;
        }
        if let Some(place) = self.flows.iter_mut().find(|known| **known == 0) {
            *place = flow;
        }
    }

    /// Sets a number of the evidence, if there is a place.
    pub fn set_figure(&mut self, figure: Figure, value: u64) {
        let known =
            self.figures.iter().position(|known| matches!(known, Some((f, _)) if *f == figure));
        let place = known.or_else(|| self.figures.iter().position(Option::is_none));
        if let Some(place) = place.and_then(|place| self.figures.get_mut(place)) {
            *place = Some((figure, value));
        }
    }

    /// A number of the evidence.
    pub fn figure(&self, figure: Figure) -> Option<u64> {
        let all = self.figures.iter().flatten();
        all.copied().find(|(known, _)| *known == figure).map(|(_, value)| value)
    }
}
