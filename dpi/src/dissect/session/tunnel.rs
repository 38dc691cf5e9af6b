//! Control connections of tunnels: PPTP (RFC 2637) and L2TP (RFC 2661); and Z39.50's
//! initialisation (ANSI/NISO Z39.50-2003), which is as small.

use crate::app::AppId;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const PPTP: Dissector = Dissector {
    app: AppId::PPTP,
    over: &[Transport::Tcp],
    ports: &[1723],
    ports_only: false,
    first: First::OneOf(&[0]),
    run: pptp,
};

pub(super) const L2TP: Dissector = Dissector {
    app: AppId::L2TP,
    over: &[Transport::Udp],
    ports: &[1701],
    ports_only: false,
    // Control, with length and sequence (section 3.1).
    first: First::OneOf(&[0xc8]),
    run: l2tp,
};

pub(super) const Z3950: Dissector = Dissector {
    app: AppId::Z3950,
    over: &[Transport::Tcp],
    ports: &[210],
    ports_only: false,
    first: First::OneOf(&[0xb4, 0xb5]),
    run: z3950,
};

/// Length, kind 1, the magic, a message of 1 to 15 (section 1.4).
fn pptp(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    const MAGIC: u32 = 0x1a2b_3c4d;
    let mut reader = Reader::new(view.data);
    let (Some(length), Some(kind)) = (reader.u16(), reader.u16()) else { return Outcome::NeedMore };
    if !(1..=2).contains(&kind) || !(12..=512).contains(&length) {
        return Outcome::NotMine;
    }
    match reader.u32() {
        None => return Outcome::NeedMore,
        Some(MAGIC) => {}
        Some(_) => return Outcome::NotMine,
    }
    match reader.u16() {
        None => Outcome::NeedMore,
        Some(1..=15) => Outcome::found(AppId::PPTP),
        Some(_) => Outcome::NotMine,
    }
}

/// Version 2, the length of the datagram, and a message type as first attribute (section 4.4.1).
fn l2tp(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let (Some([0xc8, 2]), Some(length)) = (reader.array(), reader.u16()) else {
        return Outcome::NotMine;
    };
    if usize::from(length) != view.data.len() || reader.skip(8).is_none() {
        return Outcome::NotMine;
    }
    // A message without attributes only acknowledges.
    let acknowledges = reader.left() == 0 && view.port_is(1701);
    let typed = matches!(reader.array(), Some([0x80, 8, 0, 0, 0, 0, 0, 1..=16]));
    if typed || acknowledges { Outcome::found(AppId::L2TP) } else { Outcome::NotMine }
}

/// The tag of an initialisation, its length to the end, a protocol version of bits.
fn z3950(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let (Some(_tag), Some(length)) = (reader.u8(), reader.u8()) else { return Outcome::NeedMore };
    let length = match length {
        0x10..=0x7f => usize::from(length),
        0x81 => match reader.u8() {
            Some(length) => usize::from(length),
            None => return Outcome::NeedMore,
        },
        _ => return Outcome::NotMine,
    };
    if reader.left() < length && !view.last {
        return Outcome::NeedMore;
    }
    // Perhaps a reference first; then version and options, both strings of bits.
    let Some([tag, bytes, unused]) = reader.array() else { return Outcome::NotMine };
    let version = match (tag, bytes) {
        (0x82, 1..=32) => {
            let rest = reader.skip(usize::from(bytes) - 1).and_then(|()| reader.array());
            matches!(rest, Some([0x83, 2, 0..=7]))
        }
        (0x83, 2) => unused <= 7,
        _ => false,
    };
    if version { Outcome::found(AppId::Z3950) } else { Outcome::NotMine }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{check_never, check_prefixes, run};
    use crate::view::Direction::ToServer;

    #[test]
    fn tunnels() {
        let start = b"\0\x9c\0\x01\x1a\x2b\x3c\x4d\0\x01\0\0\x01\0";
        check_prefixes(&PPTP, ToServer, Transport::Tcp, start, (1, 1723));
        check_never(
            &PPTP,
            ToServer,
            Transport::Tcp,
            b"\0\x9c\0\x01\x1a\x2b\x3c\x4e\0\x01",
            (1, 1723),
        );
        let mut request = b"\xc8\x02\0\x14\0\0\0\0\0\0\0\0\x80\x08\0\0\0\0\0\x01".to_vec();
        check_prefixes(&L2TP, ToServer, Transport::Udp, &request, (1, 2));
        request.push(0);
        assert_eq!(run(&L2TP, ToServer, Transport::Udp, &request, (1, 2)).0, Outcome::NotMine);
    }

    #[test]
    fn initialisation() {
        let mut init = vec![0xb4, 0x16, 0x83, 2, 0, 0xe0, 0x84, 3, 0, 0xe9, 0xa2];
        init.resize(24, 0x55);
        check_prefixes(&Z3950, ToServer, Transport::Tcp, &init, (1, 2));
        init[2] = 0x30;
        check_never(&Z3950, ToServer, Transport::Tcp, &init, (1, 2));
    }
}
