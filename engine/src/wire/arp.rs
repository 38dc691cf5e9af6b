//! ARP for IPv4 over Ethernet (RFC 826).

/// What an ARP frame says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arp {
    /// A request (1), a reply (2), or what else there is.
    pub operation: u8,
    /// Who sends it.
    pub mac: [u8; 6],
    /// The address that the sender says it has.
    pub address: [u8; 4],
    /// The address that it is about; none where the frame was cut before it.
    pub target: Option<[u8; 4]>,
}

impl Arp {
    /// Reads a frame from its Ethernet header on, behind up to two VLAN tags.
    pub fn parse(frame: &[u8]) -> Option<Arp> {
        const TAGS: [[u8; 2]; 2] = [[0x81, 0x00], [0x88, 0xa8]];
        let mut at = 12;
        while TAGS.iter().any(|tag| frame.get(at..at + 2) == Some(tag)) && at < 20 {
            at += 4;
        }
        let message = frame.get(at..)?.strip_prefix(&[0x08, 0x06, 0, 1, 8, 0, 6, 4, 0])?;
        let (&operation, rest) = message.split_first()?;
        let (&mac, rest) = rest.split_first_chunk()?;
        let (&address, rest) = rest.split_first_chunk()?;
        let target = rest.get(6..).and_then(|rest| rest.first_chunk()).copied();
        Some(Arp { operation, mac, address, target })
    }

    /// The sender's address in mapped form.
    pub const fn mapped(&self) -> [u8; 16] {
        mapped(self.address)
    }
}

/// An IPv4 address in the form that IPv6 has for it (RFC 4291, section 2.5.5.2).
pub const fn mapped([a, b, c, d]: [u8; 4]) -> [u8; 16] {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_who_has_an_address() {
        let mut frame = vec![0xff; 6];
        frame.extend([2, 0, 0, 0, 0, 7, 0x81, 0x00, 0, 5, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2]);
        frame.extend([2, 0, 0, 0, 0, 7, 10, 0, 0, 9, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
        let arp = Arp::parse(&frame).unwrap();
        assert_eq!((arp.mac, arp.address), ([2, 0, 0, 0, 0, 7], [10, 0, 0, 9]));
        assert_eq!((arp.operation, arp.target), (2, Some([10, 0, 0, 1])));
        for length in 0..frame.len() - 10 {
            assert_eq!(Arp::parse(&frame[..length]), None, "{length}");
        }
        for length in frame.len() - 10..frame.len() {
            let cut = Arp { target: None, ..arp };
            assert_eq!(Arp::parse(&frame[..length]), Some(cut), "{length}");
        }
    }
}
