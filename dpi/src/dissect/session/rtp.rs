//! RTP and RTCP (RFC 3550), and SRTP, which looks the same from outside (RFC 3711).
//!
//! A header of twelve bytes with a two-bit version proves little, so RTP takes two packets of
//! one direction that agree: same source, same payload type, a sequence number that moves on.
//! RTCP is proven by its packet lengths.

use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::scratch::RtpTrack;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const DISSECTOR: Dissector = Dissector {
    app: AppId::RTP,
    over: &[Transport::Udp],
    ports: &[5004, 5005],
    ports_only: false,
    // Version 2 (section 5.1).
    first: First::Ranges(&[(0x80, 0xbf)]),
    run,
};

/// RTCP packet types: sender report to extended report (IANA), of which a compound packet begins
/// with a report (section 6.1), or with feedback where the size was reduced (RFC 5506).
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
/// How far a sequence number may jump from one captured packet to the next.
const SEQUENCE_STEP: u16 = 16;
/// Packets of one RTCP datagram looked at.
const COMPOUND: usize = 6;

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let known = notes.meta.get(&attr::RTP_PAYLOAD_TYPE).is_some();
    match view.data {
        // What shares the ports with a stream that is known (RFC 5761, RFC 5764).
        [first, ..] if known && !(0x80..=0xbf).contains(first) => Outcome::found_more(AppId::RTP),
        [_, 192..=223, ..] if known => Outcome::found_more(AppId::RTP),
        [_, 192..=223, ..] => rtcp(view.data, notes),
        [_, _, ..] => rtp(view, notes),
        _ => Outcome::NotMine,
    }
}

/// What is read of one RTP header.
struct Header {
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
}

fn header(data: &[u8]) -> Option<Header> {
    let mut reader = Reader::new(data);
    let [flags, second] = reader.array()?;
    let sequence = reader.u16()?;
    let timestamp = reader.u32()?;
    let ssrc = reader.u32()?;
    reader.skip(usize::from(flags & 0x0f) * 4)?;
    if flags & 0x10 != 0 {
        let _profile = reader.u16()?;
        let words = reader.u16()?;
        reader.skip(usize::from(words) * 4)?;
    }
    // The padding's own length is its last byte; under SRTP that byte is not readable.
    if reader.left() == 0 {
        return None;
    }
    Some(Header { payload_type: second & 0x7f, sequence, timestamp, ssrc })
}

/// Static types (RFC 3551) and the dynamic range; 72 to 76 would be RTCP.
fn is_payload_type(value: u8) -> bool {
    matches!(value, 0..=34 | 96..=127)
}

fn rtp(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let Some(now) = header(view.data) else { return Outcome::NotMine };
    // A source of almost only zeros is another protocol's small number.
    let random = now.ssrc > 0xffff && now.ssrc.count_ones() > 2 && now.ssrc.count_zeros() > 2;
    if !is_payload_type(now.payload_type) || !(random || now.timestamp > 0xffff) || now.ssrc == 0 {
        return Outcome::NotMine;
    }
    let [to_server, to_client] = &mut notes.scratch.rtp;
    let track = if view.from_client() { to_server } else { to_client };
    let step = now.sequence.wrapping_sub(track.sequence);
    let agrees = track.in_a_row > 0
        && track.ssrc == now.ssrc
        && (1..=SEQUENCE_STEP).contains(&step)
        && (track.payload_type == now.payload_type || random);
    *track = RtpTrack {
        ssrc: now.ssrc,
        sequence: now.sequence,
        in_a_row: if agrees { track.in_a_row.saturating_add(1) } else { 1 },
        payload_type: now.payload_type,
    };
    if !agrees {
        return Outcome::NeedMore;
    }
    notes.meta.put_number(&attr::RTP_PAYLOAD_TYPE, u64::from(now.payload_type));
    notes.meta.put_number(&attr::RTP_SSRC, u64::from(now.ssrc));
    measure(view, notes, &now, step);
    Outcome::found_more(AppId::RTP)
}

/// Adds a packet of a stream to what is known of its losses and its jitter (appendix A.8). The
/// jitter needs the clock that the payload's type stands for.
fn measure(view: &View<'_>, notes: &mut Notes<'_>, now: &Header, step: u16) {
    let timing = &mut notes.scratch.rtp_timing;
    let first = timing.direction.is_none();
    if *timing.direction.get_or_insert(view.direction) != view.direction {
        return;
    }
    let lost = notes.meta.get(&attr::RTP_LOST).and_then(|bytes| bytes.first_chunk::<8>());
    let lost = lost.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    notes.meta.set_number(&attr::RTP_LOST, lost + u64::from(step - 1));
    let Some(rate) = clock_rate(now.payload_type) else { return };
    let arrival = u128::from(view.now_ns) * u128::from(rate) / 1_000_000_000;
    let arrival = u32::try_from(arrival & u128::from(u32::MAX)).unwrap_or_default();
    let transit = arrival.wrapping_sub(now.timestamp);
    let moved = transit.wrapping_sub(timing.transit).cast_signed().unsigned_abs();
    timing.transit = transit;
    if first {
        return;
    }
    // A pause or a new clock is no jitter: a second is beyond any buffer.
    if moved < rate {
        timing.jitter = timing.jitter + moved - ((timing.jitter + 8) >> 4);
    }
    let jitter_us = u64::from(timing.jitter >> 4) * 1_000_000 / u64::from(rate);
    notes.meta.set_number(&attr::RTP_JITTER, jitter_us);
}

/// Ticks a second of the static payload types (RFC 3551 section 6). The others' are agreed on
/// elsewhere.
fn clock_rate(payload_type: u8) -> Option<u32> {
    Some(match payload_type {
        0 | 3..=5 | 7..=9 | 12 | 13 | 15 | 18 => 8000,
        6 => 16_000,
        10 | 11 => 44_100,
        14 | 25 | 26 | 28 | 31..=34 => 90_000,
        16 => 11_025,
        17 => 22_050,
        _ => return None,
    })
}

/// Walks a compound packet (section 6.1). SRTCP leaves only the first header readable and puts
/// at least four bytes behind (RFC 3711 section 3.4), so the first packet must fit on its own.
fn rtcp(data: &[u8], notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(data);
    let mut ssrc = 0;
    for index in 0..COMPOUND {
        if reader.left() == 0 {
            break;
        }
        let (Some([flags, kind]), Some(words)) = (reader.array(), reader.u16()) else {
            return if index > 0 { encrypted(notes, ssrc) } else { Outcome::NotMine };
        };
        let count = u16::from(flags & 0x1f);
        let readable = flags & 0xc0 == 0x80 && (192..=223).contains(&kind);
        let Some(mut body) = reader.sub(usize::from(words) * 4).filter(|_| readable) else {
            return if index > 0 { encrypted(notes, ssrc) } else { Outcome::NotMine };
        };
        if index == 0 {
            let fits = match kind {
                SENDER_REPORT => words >= 6 + 6 * count && count <= 8,
                RECEIVER_REPORT => words > 6 * count && count <= 8,
                // Feedback: sender and media source, then what the format says.
                205 | 206 => words >= 2 && (1..=31).contains(&count),
                _ => false,
            };
            ssrc = body.u32().unwrap_or(0);
            if !fits || ssrc == 0 {
                return Outcome::NotMine;
            }
        }
    }
    encrypted(notes, ssrc)
}

fn encrypted(notes: &mut Notes<'_>, ssrc: u32) -> Outcome {
    notes.meta.put_number(&attr::RTP_SSRC, u64::from(ssrc));
    Outcome::found(AppId::RTCP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{Flow, check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};

    fn packet(sequence: u16, ssrc: u32) -> Vec<u8> {
        let mut packet = vec![0x80, 8];
        packet.extend_from_slice(&sequence.to_be_bytes());
        packet.extend_from_slice(&(0x67cf_15a0 + u32::from(sequence) * 160).to_be_bytes());
        packet.extend_from_slice(&ssrc.to_be_bytes());
        packet.extend_from_slice(&[0xd5; 160]);
        packet
    }

    #[test]
    fn two_packets_that_agree() {
        let mut flow = Flow::new(Transport::Udp, (15580, 16756));
        let first = flow.ask(&DISSECTOR, ToServer, &packet(65535, 0x0eaf_0eaf));
        assert_eq!(first, Outcome::NeedMore);
        let second = flow.ask(&DISSECTOR, ToServer, &packet(0, 0x0eaf_0eaf));
        assert_eq!(second, Outcome::found_more(AppId::RTP));
    }

    #[test]
    fn two_packets_that_do_not() {
        for (sequence, ssrc) in
            [(7, 0x0eaf_0eaf), (6, 0x0eaf_0eaf), (8, 0x0eaf_0eae), (99, 0xeaf_0eaf)]
        {
            let mut flow = Flow::new(Transport::Udp, (15580, 16756));
            flow.ask(&DISSECTOR, ToServer, &packet(7, 0x0eaf_0eaf));
            let second = flow.ask(&DISSECTOR, ToServer, &packet(sequence, ssrc));
            assert_eq!(
                second == Outcome::found_more(AppId::RTP),
                (sequence, ssrc) == (8, 0x0eaf_0eaf)
            );
        }
        let mut flow = Flow::new(Transport::Udp, (15580, 16756));
        flow.ask(&DISSECTOR, ToServer, &packet(7, 0x0eaf_0eaf));
        let other_way = flow.ask(&DISSECTOR, ToClient, &packet(8, 0x0eaf_0eaf));
        assert_eq!(other_way, Outcome::NeedMore);
    }

    #[test]
    fn losses_and_jitter_of_one_direction() {
        let mut flow = Flow::new(Transport::Udp, (15580, 16756));
        let start = flow.now_ns;
        // Twenty milliseconds a packet; one is lost, one comes 16 ms late.
        for (sequence, late_ms) in [(1, 0), (2, 0), (4, 0), (5, 16), (6, 0)] {
            flow.now_ns = start + (u64::from(sequence) * 20 + late_ms) * 1_000_000;
            flow.ask(&DISSECTOR, ToServer, &packet(sequence, 0x0eaf_0eaf));
            flow.ask(&DISSECTOR, ToClient, &packet(sequence * 3, 0x0eaf_0eae));
        }
        let get =
            |attr| flow.meta.get(attr).map(|value| u64::from_le_bytes(value.try_into().unwrap()));
        assert_eq!(get(&attr::RTP_LOST), Some(1));
        // 16 ms twice, a sixteenth each: near 2 ms.
        assert!((1500..2200).contains(&get(&attr::RTP_JITTER).unwrap()));
    }

    /// An empty receiver report of `kakaotalk`'s kind, then encrypted bytes.
    const SECURE: &[u8] = &[
        0x80, 0xc9, 0, 1, 0x73, 0x4e, 0x7b, 0x28, 0x80, 0, 0, 5, 0x11, 0x50, 0xdd, 0xd7, 0xba,
        0xfe, 0xb9, 0xcb, 0xd7, 0xce,
    ];

    #[test]
    fn reports() {
        let mut sender = vec![0x81, 0xc8, 0, 12, 1, 2, 3, 4];
        sender.resize(52, 7);
        sender.extend_from_slice(&[0x81, 0xca, 0, 1, 1, 2, 3, 4]);
        let outcome =
            |bytes: &[u8]| run(&DISSECTOR, ToServer, Transport::Udp, bytes, (4000, 4001)).0;
        assert_eq!(outcome(&sender), Outcome::found(AppId::RTCP));
        assert_eq!(outcome(SECURE), Outcome::found(AppId::RTCP));
        check_prefixes(&DISSECTOR, ToServer, Transport::Udp, &sender, (4000, 4001));
        sender[3] = 3;
        check_never(&DISSECTOR, ToServer, Transport::Udp, &sender, (4000, 4001));
    }

    #[test]
    fn other_protocols_with_the_same_first_byte() {
        let dns = b"\x80\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\
            \x03www\x07example\x03com\0\0\x01\0\x01";
        let mut flow = Flow::new(Transport::Udp, (4000, 4001));
        for id in 0..6 {
            let mut query = dns.to_vec();
            query[1] = id;
            query[3] = id;
            let outcome = flow.ask(&DISSECTOR, ToServer, &query);
            assert_eq!(outcome, Outcome::NotMine);
        }
    }
}
