//! What plants speak over ISO transport: TPKT (RFC 1006 section 6), COTP (RFC 905 section 13), and
//! in its data units the bytes by which Siemens's S7 (0x32) and its successor (0x72) begin, or a
//! session (ISO 8327-1 section 8.3) whose presentation is that of MMS (ISO 9506-2).

use super::super::{TCP, cut_short};
use crate::app::AppId;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, View};

/// S7 communication.
pub(in super::super) const S7COMM: Dissector = Dissector {
    app: AppId::S7COMM,
    over: TCP,
    ports: &[102],
    ports_only: true,
    first: First::OneOf(&[3]),
    run: s7comm,
};

/// Frames stepped over in search of the first that carries data.
const MAX_FRAMES: usize = 6;
const CONNECTION_REQUEST: u8 = 0xe0;
const CONNECTION_CONFIRM: u8 = 0xd0;
const DATA: u8 = 0xf0;
/// Session units.
const CONNECT: u8 = 0x0d;
const ACCEPT: u8 = 0x0e;
const GIVE_TOKENS: u8 = 0x01;

fn s7comm(view: &View<'_>, _: &mut Notes<'_>) -> Outcome {
    parse(view.data).unwrap_or_else(|| cut_short(view))
}

/// The abstract syntax of MMS, `1.0.9506.2.1`, or its application context, `.3`, in BER.
fn is_mms(session: &[u8]) -> bool {
    let head = session.get(..512).unwrap_or(session);
    head.windows(4).any(|window| window == [0x28, 0xca, 0x22, 0x02])
}

fn parse(data: &[u8]) -> Option<Outcome> {
    let mut reader = Reader::new(data);
    for _ in 0..MAX_FRAMES {
        let (version, reserved, length) = (reader.u8()?, reader.u8()?, reader.u16()?);
        let Some(length) = usize::from(length).checked_sub(4) else {
            return Some(Outcome::NotMine);
        };
        if version != 3 || reserved != 0 || length < 3 {
            return Some(Outcome::NotMine);
        }
        let whole = reader.left() >= length;
        let mut frame = Reader::new(reader.take_up_to(length));
        let (header, kind) = (frame.u8()?, frame.u8()?);
        match kind & 0xf0 {
            CONNECTION_REQUEST | CONNECTION_CONFIRM if whole => {}
            CONNECTION_REQUEST | CONNECTION_CONFIRM => return None,
            DATA if header == 2 => {
                frame.skip(1)?;
                match frame.u8() {
                    Some(0x32) => return Some(Outcome::found(AppId::S7COMM)),
                    Some(0x72) => return Some(Outcome::found(AppId::S7COMM_PLUS)),
                    // A fragment without content.
                    None if whole => {}
                    None => return None,
                    Some(CONNECT | ACCEPT) if is_mms(frame.rest()) => {
                        return Some(Outcome::found(AppId::MMS));
                    }
                    Some(CONNECT | ACCEPT) if !whole => return None,
                    // Tokens and data, of which presentation says that they are a user's.
                    Some(GIVE_TOKENS) => {
                        let rest: [u8; 4] = frame.array()?;
                        let data = rest == [0, 1, 0, 0x61];
                        return Some(if data {
                            Outcome::found(AppId::MMS)
                        } else {
                            Outcome::NotMine
                        });
                    }
                    Some(_) => return Some(Outcome::NotMine),
                }
            }
            _ => return Some(Outcome::NotMine),
        }
    }
    Some(Outcome::GiveUp)
}
