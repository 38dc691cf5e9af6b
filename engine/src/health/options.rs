//! Options of a TCP header (RFC 9293, section 3.2; RFC 7323; RFC 2018).

use super::sequence::{SACK, SCALE, TIMESTAMPS};

/// What a SYN offers.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Offer {
    /// Maximum segment size; 0: none.
    pub(super) mss: u16,
    /// Shift of windows and the bits of [`super::sequence`].
    pub(super) bits: u8,
}

/// The options of `head`, a TCP header with its options, as kind and content. Ends at whatever is
/// not well formed.
fn options(head: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = head.get(20..).unwrap_or(&[]);
    std::iter::from_fn(move || {
        loop {
            let (&kind, after) = rest.split_first()?;
            match kind {
                0 => return None,
                1 => rest = after,
                _ => {
                    let length = usize::from(*after.first()?).checked_sub(2)?;
                    let content = after.get(1..)?;
                    let value = content.get(..length)?;
                    rest = content.get(length..)?;
                    return Some((kind, value));
                }
            }
        }
    })
}

/// What a SYN offers.
pub(super) fn offer(head: &[u8]) -> Offer {
    let mut offer = Offer::default();
    for (kind, value) in options(head) {
        match (kind, value) {
            (2, [high, low]) => offer.mss = u16::from_be_bytes([*high, *low]),
            // RFC 7323, section 2.3: more than 14 counts as 14.
            (3, [shift]) => offer.bits |= SCALE | (*shift).min(14),
            (4, []) => offer.bits |= SACK,
            (8, [_, _, _, _, _, _, _, _]) => offer.bits |= TIMESTAMPS,
            _ => {}
        }
    }
    offer
}

/// A segment's timestamp and the one that it echoes.
#[inline]
pub(super) fn timestamps(head: &[u8]) -> Option<(u32, u32)> {
    // How nearly all stacks lay it out (RFC 7323, appendix A): two fillers, then the timestamps.
    const USUAL: [u8; 4] = [1, 1, 8, 10];
    let ten = head.get(20..32)?;
    let stamps = if ten.first_chunk() == Some(&USUAL) {
        ten.get(4..12)?
    } else {
        options(head).find(|(kind, value)| *kind == 8 && value.len() == 8)?.1
    };
    let (value, echo) = stamps.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*value), u32::from_be_bytes(*echo.first_chunk()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(options: &[u8]) -> Vec<u8> {
        [&[0; 20], options].concat()
    }

    #[test]
    fn a_syn_says_what_it_takes() {
        let linux = head(&[2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7]);
        let wanted = Offer { mss: 1460, bits: SCALE | 7 | SACK | TIMESTAMPS };
        assert_eq!(offer(&linux), wanted);
        assert_eq!(timestamps(&linux), Some((9, 0)));
        assert_eq!(offer(&head(&[3, 3, 200])).bits, SCALE | 0x0e);
        assert_eq!(offer(&head(&[])), Offer::default());
    }

    #[test]
    fn timestamps_are_found_in_any_layout() {
        let usual = head(&[1, 1, 8, 10, 0, 0, 1, 0, 0, 0, 2, 0]);
        assert_eq!(timestamps(&usual), Some((256, 512)));
        let other = head(&[5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 8, 10, 0, 0, 0, 3, 0, 0, 0, 4, 0]);
        assert_eq!(timestamps(&other), Some((3, 4)));
    }

    #[test]
    fn what_is_not_well_formed_ends_the_options() {
        for wrong in [&[2][..], &[2, 0], &[2, 1, 9], &[8, 10, 1, 2], &[3, 255, 0], &[0, 3, 3, 7]] {
            assert_eq!(offer(&head(wrong)), Offer::default(), "{wrong:?}");
            assert_eq!(timestamps(&head(wrong)), None);
        }
        assert_eq!(offer(&[0; 7]), Offer::default());
    }
}
