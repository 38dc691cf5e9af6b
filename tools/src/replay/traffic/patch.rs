//! Rewriting a frame so that it is of another flow: the client's address and port, and the TCP
//! sequence number, with checksums updated by what changed (RFC 1624) rather than summed anew.
//!
//! `ebpf/src/bpf/live.bpf.c` is the twin of [`Patch::apply`]; a test holds the two together.

/// Ports that clients have: from here on.
const FIRST_PORT: u32 = 1024;
/// How many those are.
const PORTS: u32 = 65_536 - FIRST_PORT;

/// Where the fields that change are: offsets into the frame, 0 for a field that is not there.
///
/// A frame of which nothing changes has none of them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Patch {
    /// The low four bytes of the client's address.
    pub(crate) address_at: u16,
    /// The client's port.
    pub(crate) port_at: u16,
    /// The IPv4 header's checksum.
    pub(crate) ip_sum_at: u16,
    /// The checksum over the pseudo-header: of TCP, of UDP where it has one, of `ICMPv6`.
    pub(crate) l4_sum_at: u16,
    /// The TCP sequence number.
    pub(crate) sequence_at: u16,
    /// How many low bits of the address may change; at most 24. What goes beyond changes the port.
    pub(crate) address_bits: u8,
    /// Whether a checksum of 0 means none, as in UDP.
    pub(crate) zero_is_none: bool,
}

/// What a frame is changed to.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Change {
    /// Number of the flow; 0 leaves it as it is.
    pub(crate) flow: u32,
    /// What is added to the sequence number.
    pub(crate) sequence: u32,
}

impl Patch {
    /// Changes `frame` to flow number `change.flow`: that times `stride` is added to the address,
    /// within its low bits, and what the number has beyond them to the port.
    ///
    /// Fields that lie beyond the frame stay as they are.
    #[inline]
    pub(crate) fn apply(&self, frame: &mut [u8], change: Change, stride: u32) {
        let (mut address_sum, mut other_sum) = (0, 0);
        if change.flow != 0 {
            let mask = (1_u32 << self.address_bits) - 1;
            address_sum = replace4(frame, self.address_at, |old| {
                (old & !mask) | (old.wrapping_add(change.flow.wrapping_mul(stride)) & mask)
            });
            let beyond = change.flow >> self.address_bits;
            if beyond != 0 {
                other_sum += replace2(frame, self.port_at, |old| next_port(old, beyond));
            }
        }
        if change.sequence != 0 {
            other_sum += replace4(frame, self.sequence_at, |old| old.wrapping_add(change.sequence));
        }
        fix(frame, self.ip_sum_at, address_sum, false);
        fix(frame, self.l4_sum_at, address_sum + other_sum, self.zero_is_none);
    }
}

/// The port `by` further, among those that clients have; ports of services stay.
fn next_port(old: u16, by: u32) -> u16 {
    let port = u32::from(old);
    if port < FIRST_PORT {
        return old;
    }
    let next = FIRST_PORT + (port - FIRST_PORT + by % PORTS) % PORTS;
    u16::try_from(next).unwrap_or(old)
}

/// Replaces four bytes; what that adds to a checksum's complement.
#[inline]
fn replace4(frame: &mut [u8], at: u16, with: impl FnOnce(u32) -> u32) -> u32 {
    let Some(place) = field::<4>(frame, at) else { return 0 };
    let old = u32::from_be_bytes(*place);
    let new = with(old);
    *place = new.to_be_bytes();
    difference(old >> 16, new >> 16) + difference(old & 0xffff, new & 0xffff)
}

/// Replaces two bytes; what that adds to a checksum's complement.
#[inline]
fn replace2(frame: &mut [u8], at: u16, with: impl FnOnce(u16) -> u16) -> u32 {
    let Some(place) = field::<2>(frame, at) else { return 0 };
    let old = u16::from_be_bytes(*place);
    let new = with(old);
    *place = new.to_be_bytes();
    difference(old.into(), new.into())
}

#[inline]
const fn difference(old: u32, new: u32) -> u32 {
    (!old & 0xffff) + new
}

/// Updates a checksum (RFC 1624, equation 3).
#[inline]
fn fix(frame: &mut [u8], at: u16, difference: u32, zero_is_none: bool) {
    if difference == 0 {
        return;
    }
    let Some(place) = field::<2>(frame, at) else { return };
    let old = u16::from_be_bytes(*place);
    if zero_is_none && old == 0 {
        return;
    }
    let mut sum = u32::from(!old) + difference;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    #[expect(clippy::cast_possible_truncation, reason = "folded into 16 bits above")]
    let new = !(sum as u16);
    *place = if zero_is_none && new == 0 { [0xff; 2] } else { new.to_be_bytes() };
}

#[inline]
fn field<const N: usize>(frame: &mut [u8], at: u16) -> Option<&mut [u8; N]> {
    if at == 0 {
        return None;
    }
    frame.get_mut(usize::from(at)..)?.first_chunk_mut()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ports_go_round_and_services_stay() {
        assert_eq!(next_port(443, 7), 443);
        assert_eq!(next_port(65_535, 1), 1024);
        assert_eq!(next_port(1024, PORTS), 1024);
        assert_eq!(next_port(40_000, 2), 40_002);
    }

    #[test]
    fn fields_beyond_the_frame_are_left() {
        let patch = Patch {
            address_at: 3,
            port_at: 60,
            ip_sum_at: 9,
            l4_sum_at: 9,
            address_bits: 8,
            ..Patch::default()
        };
        let mut frame = [7; 5];
        patch.apply(&mut frame, Change { flow: 999, sequence: 5 }, 1);
        assert_eq!(frame, [7; 5]);
    }

    proptest! {
        /// Numbers give addresses and ports that no two share, as far as the space goes.
        #[test]
        fn numbers_are_told_apart(a: u32, b: u32, bits in 8_u8..=24) {
            let patch =
                Patch { address_at: 2, port_at: 6, address_bits: bits, ..Patch::default() };
            let change = |flow| {
                let mut frame = [0, 0, 198, 18, 0, 1, 0x9c, 0x40];
                patch.apply(&mut frame, Change { flow, sequence: 0 }, 0x9e37_79b1);
                frame
            };
            let space = u64::from(PORTS) << bits;
            let same = u64::from(a) % space == u64::from(b) % space;
            prop_assert_eq!(change(a) == change(b), same);
        }
    }
}
