//! `MongoDB`'s wire protocol, Cassandra's native protocol, MS-SQL's TDS (MS-TDS section 2.2.3),
//! Oracle's TNS and DB2's DRDA, as their published specifications have them.

use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

const fn over_tcp(
    app: AppId,
    ports: &'static [u16],
    first: First,
    run: fn(&View<'_>, &mut Notes<'_>) -> Outcome,
) -> Dissector {
    Dissector { app, over: &[Transport::Tcp], ports, ports_only: false, first, run }
}

// A length comes first, so any byte may.
pub(super) const MONGODB: Dissector =
    over_tcp(AppId::MONGODB, &[27017, 27018], First::Any, mongodb);
pub(super) const CASSANDRA: Dissector =
    over_tcp(AppId::CASSANDRA, &[9042], First::OneOf(&[3, 4, 5, 0x83, 0x84, 0x85]), cassandra);
pub(super) const TDS: Dissector =
    over_tcp(AppId::TDS, &[1433], First::OneOf(&[1, 3, 4, 14, 16, 18]), tds);
pub(super) const ORACLE: Dissector =
    over_tcp(AppId::ORACLE, &[1521], First::OneOf(&[0, 1]), oracle);
pub(super) const DRDA: Dissector =
    over_tcp(AppId::DRDA, &[50000], First::Ranges(&[(0, 0x7f)]), drda);

/// Length, number, number answered, operation, and what the operation begins with.
fn mongodb(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    // The operation's upper bytes are looked at first: they exclude nearly everything.
    match view.data.get(12..16) {
        None if view.data.get(3).is_none_or(|high| *high <= 2) => return Outcome::NeedMore,
        Some([_, 0 | 7, 0, 0]) => {}
        _ => return Outcome::NotMine,
    }
    let mut reader = Reader::new(view.data);
    let (Some(length), Some(_number), Some(answered), Some(operation)) =
        (reader.u32_le(), reader.u32_le(), reader.u32_le(), reader.u32_le())
    else {
        return Outcome::NeedMore;
    };
    if !(21..=48 << 20).contains(&length) {
        return Outcome::NotMine;
    }
    let fits = match operation {
        // Query, get more, insert, update, delete: flags or zero, then `database.collection`.
        2001 | 2002 | 2004..=2006 if matches!(answered, 0 | u32::MAX) => {
            let (Some(flags), Some(first)) = (reader.u32_le(), reader.rest().first()) else {
                return Outcome::NeedMore;
            };
            let name = reader.rest().split(|byte| *byte == 0).next().unwrap_or_default();
            if !first.is_ascii_alphanumeric()
                || flags > 0xff
                || !name.iter().all(u8::is_ascii_graphic)
            {
                return Outcome::NotMine;
            }
            if name.len() == reader.left() && !view.last {
                return if name.len() < 128 { Outcome::NeedMore } else { Outcome::NotMine };
            }
            notes.meta.put(&attr::MONGODB_COLLECTION, name);
            name.contains(&b'.')
        }
        // Message: flags, of which three are known, and a section of kind 0 or 1.
        2013 => {
            let (Some(flags), Some(kind)) = (reader.u32_le(), reader.u8()) else {
                return Outcome::NeedMore;
            };
            flags & !0x0001_0003 == 0 && kind <= 1
        }
        // Compressed: the operation inside is one of the others.
        2012 => {
            let Some(inside) = reader.u32_le() else { return Outcome::NeedMore };
            matches!(inside, 2001..=2013)
        }
        // Reply: flags, cursor, start, how many.
        1 => answered != 0 && reader.u32_le().is_some_and(|flags| flags <= 15),
        _ => false,
    };
    if fits { Outcome::found(AppId::MONGODB) } else { Outcome::NotMine }
}

/// Version, flags, stream, operation, length: a client asks for options or starts up first.
fn cassandra(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let (Some([version, flags]), Some(_stream), Some(operation), Some(length)) =
        (reader.array(), reader.u16(), reader.u8(), reader.u32())
    else {
        let fits = view.data.get(1).is_none_or(|flags| *flags <= 0x1f)
            && view.data.get(4).is_none_or(|operation| *operation <= 0x10);
        return if fits { Outcome::NeedMore } else { Outcome::NotMine };
    };
    if flags > 0x1f || length > 0x1000_0000 {
        return Outcome::NotMine;
    }
    let body = reader.rest();
    // An answer is told by the words it holds.
    let holds = |word: &[u8]| body.windows(word.len()).take(128).any(|window| window == word);
    let fits = match (version & 0x80 == 0, operation) {
        (true, 5) => length == 0 && body.is_empty(),
        (true, 1) | (false, 6) => {
            if !holds(b"CQL_VERSION") && !holds(b"COMPRESSION") && !holds(b"PROTOCOL_VERSIONS") {
                let whole = usize::try_from(length).is_ok_and(|length| body.len() >= length);
                return if whole || body.len() > 128 {
                    Outcome::NotMine
                } else {
                    Outcome::NeedMore
                };
            }
            true
        }
        _ => false,
    };
    if fits { Outcome::found(AppId::CASSANDRA) } else { Outcome::NotMine }
}

/// Kind, status, length, process, packet, window: the window is zero, the length exact or the
/// largest the packet may be.
fn tds(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let (Some([kind, status]), Some(length)) = (reader.array(), reader.u16()) else {
        return Outcome::NeedMore;
    };
    let (Some(_process), Some([_packet, window])) = (reader.u16(), reader.array()) else {
        return if status <= 0x1f { Outcome::NeedMore } else { Outcome::NotMine };
    };
    if !(9..=32_767).contains(&length) || status > 0x1f || window != 0 {
        return Outcome::NotMine;
    }
    let usual = view.port_is(1433);
    let fits = match kind {
        // Before login: options in a table, the version first, closed by 0xff.
        18 => {
            let Some([token, high, low, _, bytes]) = reader.array() else {
                return Outcome::NeedMore;
            };
            let at = u16::from_be_bytes([high, low]);
            token == 0 && at % 5 == 1 && at <= 64 && bytes == 6
        }
        // Login: the length again, and a version of TDS.
        16 => {
            let Some(again) = reader.u32_le() else { return Outcome::NeedMore };
            let Some(version) = reader.u32() else { return Outcome::NeedMore };
            if version >> 24 <= 4 && matches!(version & 0xff, 0x70..=0x74) {
                notes.meta.put(&attr::TDS_SERVER_VERSION, version_name(version));
            }
            again >= 36 && (u32::from(length) >= again || again <= 0x2_0000)
        }
        // A batch or a call begins with all headers, or is exactly as long as it says.
        1 | 3 | 14 => {
            let Some(headers) = reader.array::<4>() else { return Outcome::NeedMore };
            let all_headers = headers == [0x16, 0, 0, 0];
            all_headers || (usual && exact(view, length))
        }
        _ => usual && exact(view, length),
    };
    if fits { Outcome::found(AppId::TDS) } else { Outcome::NotMine }
}

fn exact(view: &View<'_>, length: u16) -> bool {
    view.data.len() == usize::from(length)
}

fn version_name(version: u32) -> &'static [u8] {
    match version & 0xff {
        0x70 => b"7.0",
        0x71 => b"7.1",
        0x72 => b"7.2",
        0x73 => b"7.3",
        _ => b"7.4",
    }
}

/// Connect: length, sums of zero, kind 1, then a version of 300 to 330, and the oldest that will
/// do.
fn oracle(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let (Some(length), Some(sum), Some([kind, _flags]), Some(header_sum)) =
        (reader.u16(), reader.u16(), reader.array(), reader.u16())
    else {
        let fits = view.data.get(4).is_none_or(|kind| *kind == 1);
        return if fits { Outcome::NeedMore } else { Outcome::NotMine };
    };
    if kind != 1 || sum != 0 || header_sum != 0 || length < 34 {
        return Outcome::NotMine;
    }
    let (Some(version), Some(oldest)) = (reader.u16(), reader.u16()) else {
        return Outcome::NeedMore;
    };
    let fits = (300..=330).contains(&version) && (200..=version).contains(&oldest);
    if fits { Outcome::found(AppId::ORACLE) } else { Outcome::NotMine }
}

/// A data stream structure (DRDA volume 3, "DSS"): length, 0xd0, format, number; the object
/// inside has its own length and code point.
fn drda(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let (Some(length), Some([mark, format])) = (reader.u16(), reader.array()) else {
        let fits = view.data.get(2).is_none_or(|mark| *mark == 0xd0);
        return if fits { Outcome::NeedMore } else { Outcome::NotMine };
    };
    if mark != 0xd0 || !matches!(format & 0x0f, 1..=3) || length < 10 {
        return Outcome::NotMine;
    }
    let (Some(_number), Some(inner), Some(code)) = (reader.u16(), reader.u16(), reader.u16())
    else {
        return Outcome::NeedMore;
    };
    // Exchange attributes, security, access, and their answers.
    let known =
        matches!(code, 0x1041 | 0x106d | 0x106e | 0x1443 | 0x14ac | 0x1219 | 0x2001 | 0x2201);
    if known && inner + 6 == length { Outcome::found(AppId::DRDA) } else { Outcome::NotMine }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};

    const TCP: Transport = Transport::Tcp;

    #[test]
    fn mongodb_names_the_collection() {
        let query =
            b"\x3a\0\0\0\x4c\x04\0\0\0\0\0\0\xd4\x07\0\0\0\0\0\0admin.$cmd\0\0\0\0\0\x01\0\0\0";
        let (_, meta) = run(&MONGODB, ToServer, TCP, query, (1, 2));
        assert_eq!(meta.get(&attr::MONGODB_COLLECTION), Some(&b"admin.$cmd"[..]));
        check_prefixes(&MONGODB, ToServer, TCP, query, (1, 2));
        let message = b"\x3a\0\0\0\x4c\x04\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0";
        check_prefixes(&MONGODB, ToServer, TCP, message, (1, 2));
        let mut near = query.to_vec();
        near[20] = 1;
        check_never(&MONGODB, ToServer, TCP, &near, (1, 2));
    }

    #[test]
    fn cassandra_either_way() {
        check_prefixes(&CASSANDRA, ToServer, TCP, b"\x04\0\0\0\x05\0\0\0\0", (1, 2));
        let supported = b"\x84\0\0\0\x06\0\0\0\x34\0\x02\0\x0bCOMPRESSION";
        check_prefixes(&CASSANDRA, ToClient, TCP, supported, (1, 2));
        check_never(&CASSANDRA, ToServer, TCP, b"\x04\0\0\0\x05\0\0\0\x01", (1, 2));
    }

    #[test]
    fn tds_before_login_and_batches() {
        let before = b"\x12\x01\0\x2f\0\0\x01\0\0\0\x1a\0\x06\x01\0\x20\0\x01";
        check_prefixes(&TDS, ToServer, TCP, before, (1, 2));
        let batch = b"\x01\x01\0\xbe\0\0\x01\0\x16\0\0\0\x12\0\0\0\x02\0";
        check_prefixes(&TDS, ToServer, TCP, batch, (1, 2));
        let mut near = batch.to_vec();
        near[7] = 1;
        check_never(&TDS, ToServer, TCP, &near, (1, 1433));
    }

    #[test]
    fn oracle_and_drda() {
        let connect = b"\0\xd4\0\0\x01\0\0\0\x01\x3b\x01\x2c\x0c\x41\x20\0";
        check_prefixes(&ORACLE, ToServer, TCP, connect, (1, 2));
        check_never(&ORACLE, ToServer, TCP, b"\0\xd4\0\0\x01\0\0\0\x03\x3b\x01\x2c", (1, 2));
        let exchange = b"\0\x89\xd0\x41\0\x01\0\x83\x10\x41\0\x39";
        check_prefixes(&DRDA, ToServer, TCP, exchange, (1, 2));
        check_never(&DRDA, ToServer, TCP, b"\0\x89\xd0\x41\0\x01\0\x82\x10\x41", (1, 2));
    }
}
