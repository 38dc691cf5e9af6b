//! Why a flow has its name: which packet, which rule, which bytes.

use crate::app::{self, AppId};
use crate::view::Direction;

/// Bytes of evidence that are kept.
pub const EVIDENCE_BYTES: usize = 12;

/// What the name rests on. The discriminants are part of the shared-memory format.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[repr(u8)]
pub enum Rule {
    /// Nothing: there is no name.
    #[default]
    None = 0,
    /// The IP protocol number.
    IpProtocol = 1,
    /// A well-known port; the number is the port.
    Port = 2,
    /// A DNS answer or another flow told what is at the server's address.
    Peer = 3,
    /// A control flow announced this one.
    Announced = 4,
    /// The server's address is in a block that its owner published.
    Address = 5,
    /// A dissector; the number is the protocol that it is named after.
    Content = 6,
    /// A dissector, and the host name that it found.
    HostName = 7,
    /// A dissector, and a name in the certificate that it found.
    Certificate = 8,
    /// A rule of the user's; the number is the rule's.
    Custom = 9,
    /// What is carried decides together with the port, which is registered for it.
    ContentAndPort = 10,
}

impl Rule {
    /// The rule with this discriminant, if there is one.
    pub const fn from_u8(value: u8) -> Option<Rule> {
        Some(match value {
            0 => Rule::None,
            1 => Rule::IpProtocol,
            2 => Rule::Port,
            3 => Rule::Peer,
            4 => Rule::Announced,
            5 => Rule::Address,
            6 => Rule::Content,
            7 => Rule::HostName,
            8 => Rule::Certificate,
            9 => Rule::Custom,
            10 => Rule::ContentAndPort,
            _ => return None,
        })
    }
}

/// See the module.
///
/// In metadata: rule, packet, direction, length of the evidence (a byte each), number, offset (two
/// bytes each, little endian), evidence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Why {
    /// What the name rests on.
    pub rule: Rule,
    /// Which of the flow's inspected packets told, from 1 on; 0: none did.
    pub packet: u8,
    /// Who sent it.
    pub direction: Direction,
    /// The rule's number: a protocol, a port, a rule of the user's.
    pub number: u16,
    /// Where the evidence stands in the datagram, or in the stream's beginning.
    pub offset: u16,
    evidence: [u8; EVIDENCE_BYTES],
    used: u8,
}

impl Default for Why {
    fn default() -> Why {
        Why {
            rule: Rule::None,
            packet: 0,
            direction: Direction::ToServer,
            number: 0,
            offset: 0,
            evidence: [0; EVIDENCE_BYTES],
            used: 0,
        }
    }
}

impl Why {
    /// A reason without a packet.
    pub fn of(rule: Rule, number: u16) -> Why {
        Why { rule, number, ..Why::default() }
    }

    /// The bytes that told.
    pub fn evidence(&self) -> &[u8] {
        self.evidence.get(..usize::from(self.used)).unwrap_or_default()
    }

    /// Keeps the beginning of `bytes` as the evidence.
    pub fn set_evidence(&mut self, bytes: &[u8]) {
        let count = bytes.len().min(EVIDENCE_BYTES);
        if let (Some(room), Some(bytes)) = (self.evidence.get_mut(..count), bytes.get(..count)) {
            room.copy_from_slice(bytes);
        }
        self.used = u8::try_from(count).unwrap_or(0);
    }

    /// The form in metadata.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let [[n0, n1], [o0, o1]] = [self.number, self.offset].map(u16::to_le_bytes);
        let Why { rule, packet, direction, used, .. } = *self;
        out.extend_from_slice(&[rule as u8, packet, direction as u8, used, n0, n1, o0, o1]);
        out.extend_from_slice(self.evidence());
    }

    /// Reads the form in metadata.
    pub fn decode(bytes: &[u8]) -> Option<Why> {
        let (head, evidence) = bytes.split_first_chunk::<8>()?;
        let [rule, packet, direction, used, n0, n1, o0, o1] = *head;
        let mut why = Why {
            rule: Rule::from_u8(rule)?,
            packet,
            direction: if direction == 0 { Direction::ToServer } else { Direction::ToClient },
            number: u16::from_le_bytes([n0, n1]),
            offset: u16::from_le_bytes([o0, o1]),
            ..Why::default()
        };
        why.set_evidence(evidence.get(..usize::from(used))?);
        Some(why)
    }
}

impl std::fmt::Display for Why {
    /// `packet 1 from the client: TLS by its content, bytes 0..12 16 03 01 …; then the host name`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.packet > 0 {
            let who = match self.direction {
                Direction::ToServer => "client",
                Direction::ToClient => "server",
            };
            write!(f, "packet {} from the {who}: ", self.packet)?;
        }
        let named = app::describe(AppId(self.number)).name;
        match self.rule {
            Rule::None => f.write_str("nothing told"),
            Rule::IpProtocol => f.write_str("the IP protocol number"),
            Rule::Port => write!(f, "port {} alone", self.number),
            Rule::Peer => f.write_str("what a DNS answer said of the server's address"),
            Rule::Announced => f.write_str("another flow announced it"),
            Rule::Address => f.write_str("the server's address is in a published block"),
            Rule::Custom => write!(f, "rule {}", self.number),
            Rule::Content => write!(f, "{named} by its content"),
            Rule::ContentAndPort => write!(f, "{named} by its content, the rest by its port"),
            Rule::HostName => write!(f, "{named} by its content, the rest by the host name"),
            Rule::Certificate => write!(f, "{named} by its content, the rest by the certificate"),
        }?;
        if self.evidence().is_empty() {
            return Ok(());
        }
        let end = usize::from(self.offset) + self.evidence().len();
        write!(f, ", bytes {}..{end}", self.offset)?;
        self.evidence().iter().try_for_each(|byte| write!(f, " {byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            rule in 0_u8..=10, packet: u8, to_client: bool, number: u16, offset: u16,
            bytes in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let direction = if to_client { Direction::ToClient } else { Direction::ToServer };
            let rule = Rule::from_u8(rule).unwrap();
            let mut why = Why { packet, direction, offset, ..Why::of(rule, number) };
            why.set_evidence(&bytes);
            let mut out = Vec::new();
            why.encode(&mut out);
            prop_assert_eq!(Why::decode(&out), Some(why));
        }

        #[test]
        fn any_bytes_are_safe(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(why) = Why::decode(&bytes) {
                let _ = why.to_string();
            }
        }
    }

    #[test]
    fn a_reason_reads_as_a_sentence() {
        let mut why = Why { packet: 2, ..Why::of(Rule::HostName, AppId::TLS.0) };
        why.set_evidence(b"\x16\x03\x01");
        assert_eq!(
            why.to_string(),
            "packet 2 from the client: TLS by its content, the rest by the host name, \
             bytes 0..3 16 03 01"
        );
        assert_eq!(Why::of(Rule::Port, 443).to_string(), "port 443 alone");
    }
}
