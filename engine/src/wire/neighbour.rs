//! Neighbour discovery of IPv6 (RFC 4861): who says that an address is on which hardware.

/// What a solicitation or an advertisement of a neighbour says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Neighbour {
    /// It asks for `target`, or says where that is.
    pub is_question: bool,
    /// Who sends it; all zeros while it has no address yet.
    pub sender: [u8; 16],
    /// The address that it is about.
    pub target: [u8; 16],
    /// The hardware address in its option: the sender's in a question, the target's in an answer.
    pub mac: Option<[u8; 6]>,
    /// An answer to one who asked.
    pub is_answer: bool,
    /// It takes the place of what was known before. Proxies and anycast addresses leave that out.
    pub overrides: bool,
}

impl Neighbour {
    /// Reads a message of ICMP for IPv6 with its header, and who sends it to whom. None if it is
    /// another message, or came from beyond a router (section 7.1).
    pub fn parse(
        sender: [u8; 16],
        receiver: [u8; 16],
        hop_limit: u8,
        message: &[u8],
    ) -> Option<Neighbour> {
        const SOLICITATION: u8 = 135;
        const ADVERTISEMENT: u8 = 136;
        const SOLICITED: u8 = 0x40;
        const OVERRIDE: u8 = 0x20;
        let (head, rest) = message.split_first_chunk::<8>()?;
        let [kind @ (SOLICITATION | ADVERTISEMENT), 0, _, _, flags, ..] = *head else {
            return None;
        };
        let (target, options) = rest.split_first_chunk::<16>()?;
        if hop_limit != 255 || target[0] == 0xff {
            return None;
        }
        let is_question = kind == SOLICITATION;
        let to_one = receiver[0] != 0xff;
        Some(Neighbour {
            is_question,
            sender,
            target: *target,
            mac: link_address(options, if is_question { 1 } else { 2 }),
            is_answer: !is_question && (to_one || flags & SOLICITED != 0),
            overrides: flags & OVERRIDE != 0,
        })
    }

    /// The address that it says is on the hardware in its option, and that.
    pub fn claim(&self) -> Option<([u8; 16], [u8; 6])> {
        let mac = self.mac?;
        if self.is_question {
            (self.sender != [0; 16]).then_some((self.sender, mac))
        } else {
            self.overrides.then_some((self.target, mac))
        }
    }
}

/// The hardware address in the option of this type (section 4.6.1), of Ethernet.
fn link_address(mut options: &[u8], wanted: u8) -> Option<[u8; 6]> {
    /// Options of a message that are looked at.
    const OPTIONS: usize = 8;
    for _ in 0..OPTIONS {
        let [kind, eights, rest @ ..] = options else { return None };
        let bytes = usize::from(*eights) * 8;
        if *kind == wanted && *eights == 1 {
            return rest.first_chunk().copied();
        }
        // A length of 0 is none (section 4.6).
        options = options.get(bytes..).filter(|_| bytes != 0)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    const OTHER: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
    const ALL: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];

    fn message(kind: u8, flags: u8, options: &[u8]) -> Vec<u8> {
        let mut message = vec![kind, 0, 1, 2, flags, 0, 0, 0];
        message.extend(ONE);
        message.extend(options);
        message
    }

    #[test]
    fn it_says_who_has_an_address() {
        let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
        let mac = |kind| [&nonce[..], &[kind, 1], &MAC[..]].concat();
        let answer = message(136, 0x60, &mac(2));
        let said = Neighbour::parse(ONE, OTHER, 255, &answer).unwrap();
        assert_eq!((said.claim(), said.is_answer), (Some((ONE, MAC)), true));
        assert_eq!(Neighbour::parse(ONE, OTHER, 64, &answer), None, "from beyond a router");
        let announced = Neighbour::parse(ONE, ALL, 255, &message(136, 0x20, &mac(2))).unwrap();
        assert_eq!((announced.claim(), announced.is_answer), (Some((ONE, MAC)), false));
        let proxy = Neighbour::parse(ONE, OTHER, 255, &message(136, 0x40, &mac(2))).unwrap();
        assert_eq!(proxy.claim(), None);
        let asked = Neighbour::parse(OTHER, ALL, 255, &message(135, 0, &mac(1))).unwrap();
        assert_eq!((asked.claim(), asked.target), (Some((OTHER, MAC)), ONE));
        let probe = Neighbour::parse([0; 16], ALL, 255, &message(135, 0, &nonce)).unwrap();
        assert_eq!(probe.claim(), None);
        for length in 0..answer.len() {
            if let Some(cut) = Neighbour::parse(ONE, OTHER, 255, &answer[..length]) {
                assert_eq!(cut.claim(), None, "{length}");
            }
        }
        assert_eq!(
            Neighbour::parse(ONE, ALL, 255, &message(135, 0, &[1, 0, 9])).unwrap().mac,
            None
        );
    }
}
