//! MySQL and `MariaDB`: the server's initial handshake and the client's answer (protocol version
//! 10 as published in the MySQL Internals and `MariaDB` Knowledge Base, "Connection phase").

use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::risk::Risk;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

/// A handshake is at least a version, an identifier, eight bytes of challenge and the flags.
const HANDSHAKE_BYTES: u32 = 20;
/// The longest handshake; real ones have about a hundred bytes.
const HANDSHAKE_LIMIT: u32 = 512;
/// Capability `CLIENT_CONNECT_WITH_DB`.
const WITH_DATABASE: u32 = 0x0008;
/// Capability `CLIENT_PROTOCOL_41`.
const PROTOCOL_41: u32 = 0x0200;
/// Capability `CLIENT_SSL`.
const WITH_TLS: u32 = 0x0800;
/// Capability `CLIENT_SECURE_CONNECTION`: the challenge's answer has a one-byte length.
const SECURE_CONNECTION: u32 = 0x8000;
/// A request for TLS is the fixed beginning of the client's answer alone.
const TLS_REQUEST_BYTES: u32 = 32;

pub(super) const DISSECTOR: Dissector = Dissector {
    app: AppId::MYSQL,
    over: &[Transport::Tcp],
    ports: &[3306],
    ports_only: false,
    // The low byte of the length: 20 bytes and more.
    first: First::Ranges(&[(20, 255)]),
    run,
};

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let Some([low, high, top, sequence]) = reader.array() else {
        let small = view.data.get(2).is_none_or(|byte| *byte == 0);
        return if small { Outcome::NeedMore } else { Outcome::NotMine };
    };
    let length = u32::from_le_bytes([low, high, top, 0]);
    if !(HANDSHAKE_BYTES..=HANDSHAKE_LIMIT).contains(&length) || sequence > 1 {
        return Outcome::NotMine;
    }
    if sequence == 0 { greeting(reader, length, notes) } else { login(reader, length, notes) }
}

fn greeting(mut reader: Reader<'_>, length: u32, notes: &mut Notes<'_>) -> Outcome {
    let whole = reader;
    match reader.u8() {
        None => return Outcome::NeedMore,
        Some(10) => {}
        Some(_) => return Outcome::NotMine,
    }
    let head = reader.rest().get(..64).unwrap_or(reader.rest());
    let version = head.iter().take_while(|byte| byte.is_ascii_graphic() || **byte == b' ').count();
    if !head.first().is_none_or(u8::is_ascii_digit) {
        return Outcome::NotMine;
    }
    let Some(version) = reader.take(version) else { return Outcome::NotMine };
    match reader.u8() {
        Some(0) if version.contains(&b'.') => {}
        Some(_) => return Outcome::NotMine,
        None => return Outcome::NeedMore,
    }
    // Identifier, challenge, then a byte that is always zero.
    match reader.skip(4 + 8).and_then(|()| reader.u8()) {
        None => return Outcome::NeedMore,
        Some(0) if version.len() + 15 <= usize::try_from(length).unwrap_or(usize::MAX) => {}
        Some(_) => return Outcome::NotMine,
    }
    // MariaDB puts a fixed prefix before its own version.
    note_refusal(whole, length, notes);
    let version = version.strip_prefix(b"5.5.5-").unwrap_or(version);
    notes.meta.put(&attr::MYSQL_VERSION, version);
    Outcome::found_more(AppId::MYSQL)
}

/// The packet behind the greeting: an error that says that access is denied (1045).
fn note_refusal(mut reader: Reader<'_>, length: u32, notes: &mut Notes<'_>) {
    let behind = usize::try_from(length).ok().and_then(|length| reader.skip(length));
    let head = behind.and_then(|()| reader.array::<7>());
    if let Some([_, _, 0, _, 0xff, 0x15, 0x04]) = head {
        notes.meta.set_risk(Risk::LoginRefused);
    }
}

/// Handshake response 41. What proves it are the 23 bytes of zero.
fn login(mut reader: Reader<'_>, length: u32, notes: &mut Notes<'_>) -> Outcome {
    let Some(capabilities) = reader.u32_le() else { return Outcome::NeedMore };
    if capabilities & PROTOCOL_41 == 0 {
        return Outcome::NotMine;
    }
    let Some(_packet_bytes_and_charset) = reader.array::<5>() else { return Outcome::NeedMore };
    // MariaDB puts its own capabilities in the last four.
    match reader.array::<23>() {
        None => return Outcome::NeedMore,
        Some([filler @ .., _, _, _, _]) if filler == [0; 19] => {}
        Some(_) => return Outcome::NotMine,
    }
    if length == TLS_REQUEST_BYTES {
        let wanted = capabilities & WITH_TLS != 0;
        return if wanted { Outcome::found(AppId::MYSQL) } else { Outcome::NotMine };
    }
    // The plugin by which a password is sent as it is.
    let plugin = b"mysql_clear_password\0";
    if reader.rest().windows(plugin.len()).take(1024).any(|part| part == plugin) {
        notes.meta.set_risk(Risk::ClearTextCredentials);
    }
    let Some(user) = terminated(&mut reader) else { return Outcome::NeedMore };
    notes.meta.put(&attr::MYSQL_USER, user);
    if capabilities & SECURE_CONNECTION != 0
        && capabilities & WITH_DATABASE != 0
        && let Some(answer_bytes) = reader.u8()
        && reader.skip(usize::from(answer_bytes)).is_some()
        && let Some(database) = terminated(&mut reader)
    {
        notes.meta.put(&attr::MYSQL_DATABASE, database);
    }
    Outcome::found_more(AppId::MYSQL)
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
    use crate::dissect::testing::{check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};

    const GREETING: &[u8] = b"\x4a\0\0\0\x0a8.0.36\0\x0c\0\0\x001tugx_#V\0\xff\xff\xff\x02\0\xff\
        \xdf\x15\0\0\0\0\0\0\0\0\0\0p\"=4m\x0f6|1&j|\0caching_sha2_password\0";
    const LOGIN: &[u8] = b"\x4c\0\0\x01\x8d\xa2\x0b\0\0\0\0\x01!\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
        \0\0\0\0\0\0joe\0\x14aaaaaaaaaaaaaaaaaaaashop\0native\0";

    #[test]
    fn the_greeting_gives_the_version() {
        let (outcome, meta) = run(&DISSECTOR, ToClient, Transport::Tcp, GREETING, (5000, 3306));
        assert_eq!(outcome, Outcome::found_more(AppId::MYSQL));
        assert_eq!(meta.get(&attr::MYSQL_VERSION), Some(&b"8.0.36"[..]));
        check_prefixes(&DISSECTOR, ToClient, Transport::Tcp, GREETING, (5000, 3306));
    }

    #[test]
    fn the_login_gives_user_and_database() {
        let (_, meta) = run(&DISSECTOR, ToServer, Transport::Tcp, LOGIN, (5000, 3306));
        assert_eq!(meta.get(&attr::MYSQL_USER), Some(&b"joe"[..]));
        assert_eq!(meta.get(&attr::MYSQL_DATABASE), Some(&b"shop"[..]));
        check_prefixes(&DISSECTOR, ToServer, Transport::Tcp, LOGIN, (5000, 3306));
    }

    #[test]
    fn near_misses() {
        let mut no_zero = GREETING.to_vec();
        no_zero[24] = 1;
        let mut filled = LOGIN.to_vec();
        filled[20] = 7;
        for near in [&no_zero[..], &filled, b"\x4a\0\0\0\x09x.y\0", b"GET / HTTP/1.1\r\n"] {
            check_never(&DISSECTOR, ToClient, Transport::Tcp, near, (5000, 3306));
        }
    }
}
