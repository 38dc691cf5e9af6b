//! What a file says of alerts: whom and which flows each names, and when it held.
//!
//! They are in a custom option like that of a flow ([`super::note`]), of kind 3: the enterprise number,
//! `WEIR`, the kind and three zeros, and then alerts of [`ALERT_BYTES`] each, the newest state of each
//! last. Packets have it that came when an alert began, went on or ended, and the statistics block at a
//! file's end, where no packet came any more.
//!
//! | bytes | content, little endian |
//! | --- | --- |
//! | 0 | identity |
//! | 8 | when it began, when it ended (Unix nanoseconds; 0: not yet) |
//! | 24 | eight flows by identity; 0: none |
//! | 88 | whom it is about: an address; so many of its bits count (0: the flows alone count) |
//! | 105 | severity |
//! | 106 | hardware address; zeros: none |
//! | 112 | length of a window in seconds (32 bits); 0: none |
//! | 116 | 0 |
//! | 120 | name of the rule, 32 bytes |

use weir_shm::alerts::{Alert, AlertKind, FLOWS, NAME_BYTES, Severity, ShortText, network_bits};

use super::note::{ENTERPRISE, MAGIC};
use crate::index::format::long;
use crate::record::choice::Network;

/// Bytes of an alert.
pub(crate) const ALERT_BYTES: usize = 152;
/// Alerts of one option at most.
pub(crate) const MOST: usize = 16;

const HEAD_BYTES: usize = 12;
const KIND: u8 = 3;

/// An alert, as far as it tells which packets belong to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Named {
    pub(crate) id: u64,
    pub(crate) start_ns: u64,
    /// 0: it is active.
    pub(crate) end_ns: u64,
    pub(crate) flows: [u64; FLOWS],
    pub(crate) subject: [u8; 16],
    /// Of the subject, as mapped to IPv6; 0: it does not count.
    pub(crate) bits: u8,
    pub(crate) severity: u8,
    pub(crate) mac: [u8; 6],
    pub(crate) window_s: u32,
    pub(crate) rule: ShortText<NAME_BYTES>,
}

impl From<&Alert> for Named {
    fn from(alert: &Alert) -> Named {
        let bits = match alert.kind {
            _ if !alert.subject.is_there() => 0,
            AlertKind::ElephantFlow | AlertKind::LongFlow => 0,
            AlertKind::RttWorse | AlertKind::LossWorse => network_bits(&alert.subject.address),
            _ => 128,
        };
        Named {
            id: alert.id,
            start_ns: alert.start_ns,
            end_ns: alert.end_ns,
            flows: alert.flows,
            subject: alert.subject.address,
            bits,
            severity: alert.severity as u8,
            mac: alert.mac,
            window_s: alert.window_s,
            rule: alert.rule,
        }
    }
}

impl Named {
    /// The host or network that it is about.
    pub(crate) fn network(&self) -> Option<Network> {
        (self.bits != 0).then(|| Network::new(self.subject, self.bits.into()))
    }

    /// The device that it is about.
    pub(crate) fn device(&self) -> Option<[u8; 6]> {
        Some(self.mac).filter(|mac| *mac != [0; 6])
    }

    /// The flows that it names.
    pub(crate) fn flows(&self) -> impl Iterator<Item = u64> {
        self.flows.into_iter().filter(|flow| *flow != 0)
    }

    /// For people: rule and severity.
    pub(crate) fn title(&self) -> String {
        let severity = Severity::ALL.get(usize::from(self.severity)).copied().unwrap_or_default();
        format!("{} ({})", self.rule.to_text(), severity.name())
    }

    /// Appends its bytes.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        for word in [self.id, self.start_ns, self.end_ns].iter().chain(&self.flows) {
            out.extend(word.to_le_bytes());
        }
        out.extend(self.subject);
        out.extend([self.bits, self.severity]);
        out.extend(self.mac);
        out.extend(self.window_s.to_le_bytes());
        out.extend([0; 4]);
        let rule = self.rule.as_bytes();
        out.extend(rule);
        out.resize(out.len() + NAME_BYTES - rule.len(), 0);
    }

    /// Reads one; none if the bytes are too few, or its network has more bits than there are.
    pub(crate) fn read(bytes: &[u8]) -> Option<Named> {
        let bytes: &[u8; ALERT_BYTES] = bytes.first_chunk()?;
        let word = |number: usize| long(bytes, 8 * number);
        let bits = bytes[104];
        Some(Named {
            id: word(0),
            start_ns: word(1),
            end_ns: word(2),
            flows: std::array::from_fn(|at| word(3 + at)),
            subject: bytes.get(88..104)?.try_into().ok()?,
            bits: (bits <= 128).then_some(bits)?,
            severity: bytes[105],
            mac: bytes.get(106..112)?.try_into().ok()?,
            window_s: super::word(bytes, 112, false),
            rule: ShortText::new(bytes.get(120..)?),
        })
    }
}

/// Appends an option's value of alerts, which lie one after the other in `alerts`.
pub(crate) fn write(alerts: &[u8], out: &mut Vec<u8>) {
    out.extend(ENTERPRISE.to_le_bytes());
    out.extend(MAGIC);
    out.extend([KIND, 0, 0, 0]);
    out.extend(alerts);
}

/// Bytes of an option's value of so many bytes of alerts.
pub(crate) const fn bytes(alerts: usize) -> usize {
    HEAD_BYTES + alerts
}

/// What lies in an option's value of alerts; none if it is another's.
pub(crate) fn read(value: &[u8]) -> Option<&[u8]> {
    let (head, alerts) = value.split_at_checked(HEAD_BYTES)?;
    let ours = super::word(head, 0, false) == ENTERPRISE && head.get(4..8)? == MAGIC;
    (ours && head.get(8) == Some(&KIND)).then_some(alerts)
}

/// The alerts that lie one after the other.
pub(crate) fn all(alerts: &[u8]) -> impl Iterator<Item = Named> {
    alerts.chunks_exact(ALERT_BYTES).filter_map(Named::read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_shm::alerts::Party;

    #[test]
    fn what_is_written_is_read() {
        let address = crate::flow::from_ip("10.0.0.7".parse().unwrap());
        let alert = Alert {
            id: 7,
            kind: AlertKind::PortScan,
            severity: Severity::High,
            start_ns: 5,
            end_ns: 9,
            flows: [1, 2, 0, 0, 0, 0, 0, 3],
            subject: Party { address, port: 80 },
            mac: [1, 2, 3, 4, 5, 6],
            window_s: 60,
            rule: ShortText::new(b"port_scan"),
            ..Alert::default()
        };
        let named = Named::from(&alert);
        let mut alerts = Vec::new();
        named.write(&mut alerts);
        assert_eq!(alerts.len(), ALERT_BYTES);
        named.write(&mut alerts);
        let mut option = Vec::new();
        write(&alerts, &mut option);
        assert_eq!(option.len(), bytes(alerts.len()));
        assert_eq!(all(read(&option).unwrap()).collect::<Vec<_>>(), [named, named]);
        assert_eq!(super::super::note::Note::read(&option), None);
        for cut in 0..option.len() {
            assert!(read(&option[..cut]).is_none_or(|alerts| all(alerts).count() < 2));
        }
        assert!(named.network().unwrap().holds(&address));
        assert_eq!(named.flows().collect::<Vec<_>>(), [1, 2, 3]);
        let network = Named::from(&Alert { kind: AlertKind::RttWorse, ..alert }).network().unwrap();
        assert!(network.holds(&crate::flow::from_ip("10.0.0.99".parse().unwrap())));
        assert_eq!(Named::from(&Alert { kind: AlertKind::LongFlow, ..alert }).network(), None);
    }
}
