//! IEEE 802.11 data frames, with or without a radiotap header.

use super::reason::Reason;
use super::rest::Rest;
use super::walk::{Layer, Next};

/// Radiotap: version, padding, and its length, little-endian (<https://www.radiotap.org>).
pub(super) fn radiotap(rest: Rest<'_>) -> Result<Next<'_>, Reason> {
    let [_, _, low, high] = *rest.peek::<4>().ok_or(Reason::LinkTruncated)?;
    let length = usize::from(u16::from_le_bytes([low, high]));
    if length < 8 {
        return Err(Reason::LinkTruncated);
    }
    Ok(Next::Layer(Layer::Ieee80211, rest.skip(length).ok_or(Reason::LinkTruncated)?))
}

/// IEEE 802.11, section 9.3.2.
pub(super) fn ieee80211(rest: Rest<'_>) -> Result<Next<'_>, Reason> {
    let [control, flags] = *rest.peek::<2>().ok_or(Reason::LinkTruncated)?;
    data(control, flags, rest)
}

/// The same with the two bytes of its frame control in the other order.
pub(super) fn ieee80211_swapped(rest: Rest<'_>) -> Result<Next<'_>, Reason> {
    let [flags, control] = *rest.peek::<2>().ok_or(Reason::LinkTruncated)?;
    data(control, flags, rest)
}

/// The header's length depends on its flags.
fn data(control: u8, flags: u8, rest: Rest<'_>) -> Result<Next<'_>, Reason> {
    // Version 0, type 2 (data), and not one of the subtypes without data.
    if control & 0x0f != 0x08 || control & 0x40 != 0 {
        return Err(Reason::WifiNotData);
    }
    if flags & 0x40 != 0 {
        return Err(Reason::WifiProtected);
    }
    let mut length = 24;
    if flags & 0x03 == 0x03 {
        length += 6; // a fourth address
    }
    if control & 0x80 != 0 {
        let [low, _] = *rest.skip(length).and_then(Rest::peek::<2>).ok_or(Reason::LinkTruncated)?;
        // Several units in one frame: which flow would it be?
        if low & 0x80 != 0 {
            return Err(Reason::WifiNotData);
        }
        length += 2;
        if flags & 0x80 != 0 {
            length += 4; // high-throughput control
        }
    }
    Ok(Next::Layer(Layer::Llc, rest.skip(length).ok_or(Reason::LinkTruncated)?))
}
