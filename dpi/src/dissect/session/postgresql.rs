//! PostgreSQL: start-up, its requests for encryption, and the server's first messages (frontend
//! and backend protocol 3.0, PostgreSQL documentation chapter "Message Formats").

use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::risk::Risk;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

const VERSION_3: u32 = 0x0003_0000;
const VERSION_3_2: u32 = 0x0003_0002;
const CANCEL: u32 = 80_877_102;
const TLS: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

/// The server refuses longer start-up packets.
const STARTUP_LIMIT: u32 = 10_000;
/// Parameters and messages read at most.
const STEPS: usize = 16;

pub(super) const DISSECTOR: Dissector = Dissector {
    app: AppId::POSTGRESQL,
    over: &[Transport::Tcp],
    ports: &[5432, 6432],
    ports_only: false,
    first: First::OneOf(b"\0RSN"),
    run,
};

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    match view.data {
        [0, ..] => startup(Reader::new(view.data), notes),
        // One letter answers a request for encryption; on its own it proves nothing.
        [b'S'] => Outcome::NeedMore,
        [b'N' | b'S', rest @ ..] if rest.first() != Some(&0) => messages(Reader::new(rest), notes),
        _ => messages(Reader::new(view.data), notes),
    }
}

fn startup(mut reader: Reader<'_>, notes: &mut Notes<'_>) -> Outcome {
    let Some(length) = reader.u32() else { return Outcome::NeedMore };
    if !(8..=STARTUP_LIMIT).contains(&length) {
        return Outcome::NotMine;
    }
    let Some(code) = reader.u32() else { return Outcome::NeedMore };
    match (code, length) {
        (TLS | GSS, 8) if reader.left() == 0 => Outcome::found_more(AppId::POSTGRESQL),
        // The server said no, and the client goes on in the clear.
        (TLS | GSS, 8) if reader.rest().first() == Some(&0) => match startup(reader, notes) {
            Outcome::Found { .. } => Outcome::found_more(AppId::POSTGRESQL),
            _ => Outcome::found(AppId::POSTGRESQL),
        },
        (TLS | GSS, 8) | (CANCEL, 16) => Outcome::found(AppId::POSTGRESQL),
        (VERSION_3 | VERSION_3_2, 9..) => {
            let whole = usize::try_from(length - 8).unwrap_or(usize::MAX);
            parameters(Reader::new(reader.take_up_to(whole)), notes)
        }
        _ => Outcome::NotMine,
    }
}

/// Names and values, each ended by a zero, the list ended by another.
fn parameters(mut reader: Reader<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut named = false;
    for _ in 0..STEPS {
        let Some(name) = terminated(&mut reader) else { break };
        if name.is_empty() {
            break;
        }
        let attr = match name {
            b"user" => Some(&attr::POSTGRESQL_USER),
            b"database" => Some(&attr::POSTGRESQL_DATABASE),
            b"application_name" => Some(&attr::POSTGRESQL_APPLICATION),
            _ if name.iter().all(u8::is_ascii_graphic) => None,
            _ => return Outcome::NotMine,
        };
        let Some(value) = terminated(&mut reader) else { break };
        named |= name == b"user";
        if let Some(attr) = attr {
            notes.meta.put(attr, value);
        }
    }
    if named { Outcome::found_more(AppId::POSTGRESQL) } else { Outcome::NeedMore }
}

/// `R` (authentication), `S` (parameter), `K`, `Z`, `N`: a letter and a length. The first must
/// be an authentication request, whose codes are few.
fn messages(mut reader: Reader<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut proven = false;
    for _ in 0..STEPS {
        let (Some(kind), Some(length)) = (reader.u8(), reader.u32()) else { break };
        if !(4..=STARTUP_LIMIT).contains(&length) || (!proven && kind != b'R') {
            return if proven { Outcome::found(AppId::POSTGRESQL) } else { Outcome::NotMine };
        }
        let whole = usize::try_from(length - 4).unwrap_or(usize::MAX);
        let Some(mut body) = reader.sub(whole) else { break };
        match kind {
            b'R' => match body.u32() {
                Some(code @ ..=13) => {
                    proven = true;
                    // The password is to be sent as it is.
                    if code == 3 {
                        notes.meta.set_risk(Risk::ClearTextCredentials);
                    }
                }
                _ if proven => {}
                _ => return Outcome::NotMine,
            },
            // Class 28: invalid authorization.
            b'E' if body
                .rest()
                .windows(6)
                .take(256)
                .any(|part| part == b"\0C28P0" || part == b"\0C2800") =>
            {
                notes.meta.set_risk(Risk::LoginRefused);
                return Outcome::found(AppId::POSTGRESQL);
            }
            b'S' => {
                if terminated(&mut body) == Some(b"server_version") {
                    let version = terminated(&mut body).unwrap_or_default();
                    notes.meta.put(&attr::POSTGRESQL_VERSION, version);
                    return Outcome::found(AppId::POSTGRESQL);
                }
            }
            b'K' | b'N' => {}
            _ if proven => return Outcome::found(AppId::POSTGRESQL),
            _ => return Outcome::NotMine,
        }
    }
    if proven { Outcome::found_more(AppId::POSTGRESQL) } else { Outcome::NeedMore }
}

fn terminated<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let end = reader.rest().iter().take(256).position(|byte| *byte == 0)?;
    let text = reader.take(end)?;
    reader.skip(1)?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{Flow, check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};

    const STARTUP: &[u8] = b"\0\0\0\x26\0\x03\0\0user\0oryx\0database\0mailstore\0\0";
    const TLS_REQUEST: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f";

    #[test]
    fn start_up_names_user_and_database() {
        let (outcome, meta) = run(&DISSECTOR, ToServer, Transport::Tcp, STARTUP, (5000, 5432));
        assert_eq!(outcome, Outcome::found_more(AppId::POSTGRESQL));
        assert_eq!(meta.get(&attr::POSTGRESQL_USER), Some(&b"oryx"[..]));
        assert_eq!(meta.get(&attr::POSTGRESQL_DATABASE), Some(&b"mailstore"[..]));
        check_prefixes(&DISSECTOR, ToServer, Transport::Tcp, STARTUP, (5000, 5432));
        check_prefixes(&DISSECTOR, ToServer, Transport::Tcp, TLS_REQUEST, (5000, 5432));
    }

    #[test]
    fn a_refused_request_for_tls_goes_on() {
        let mut flow = Flow::new(Transport::Tcp, (5000, 5432));
        flow.ask(&DISSECTOR, ToServer, TLS_REQUEST);
        let both = [TLS_REQUEST, STARTUP].concat();
        flow.ask(&DISSECTOR, ToServer, &both);
        assert_eq!(flow.meta.get(&attr::POSTGRESQL_USER), Some(&b"oryx"[..]));
    }

    #[test]
    fn the_server_tells_its_version() {
        let answer = b"R\0\0\0\x08\0\0\0\0S\0\0\0\x18server_version\x0015.4\0Z\0\0\0\x05I";
        let mut flow = Flow::new(Transport::Tcp, (5000, 5432));
        let outcome = flow.ask(&DISSECTOR, ToClient, answer);
        assert_eq!(outcome, Outcome::found(AppId::POSTGRESQL));
        assert_eq!(flow.meta.get(&attr::POSTGRESQL_VERSION), Some(&b"15.4"[..]));
    }

    #[test]
    fn near_misses() {
        for near in [
            &b"\0\0\0\x26\0\x04\0\0user\0oryx\0\0"[..],
            b"\0\0\0\x10\0\x03\0\0x\x01\0y\0\0",
            b"R\0\0\0\x08\0\0\0\x63",
            b"NOTICE AUTH :*** Looking up\r\n",
            b"SSH-2.0-x\r\n",
        ] {
            check_never(&DISSECTOR, ToServer, Transport::Tcp, near, (5000, 5432));
        }
    }
}
