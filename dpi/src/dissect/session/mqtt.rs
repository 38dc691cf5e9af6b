//! MQTT: the CONNECT packet of versions 3.1, 3.1.1 and 5 (OASIS MQTT 5.0 section 3.1; the name
//! `MQIsdp` is version 3.1's). The password is never read.

use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::risk::Risk;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

const CONNECT: u8 = 0x10;
/// The largest remaining length (section 1.5.5).
const MESSAGE_BYTES: u32 = 268_435_455;
/// Connect flags: a will follows, a user name follows; the lowest bit is reserved.
const WILL: u8 = 0x04;
const USER: u8 = 0x80;
const PASSWORD: u8 = 0x40;
/// The answer to a CONNECT (section 3.2).
const CONNACK: u8 = 0x20;

pub(super) const DISSECTOR: Dissector = Dissector {
    app: AppId::MQTT,
    over: &[Transport::Tcp],
    ports: &[1883],
    ports_only: false,
    first: First::OneOf(&[CONNECT]),
    run,
};

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    if let [CONNACK, _, _, code, ..] = *view.data
        && notes.meta.get(&attr::MQTT_VERSION).is_some()
    {
        // Bad user name or password, not authorised; version 5 has numbers of its own.
        if matches!(code, 4 | 5 | 0x86 | 0x87) {
            notes.meta.set_risk(Risk::LoginRefused);
        }
        return Outcome::found(AppId::MQTT);
    }
    let mut reader = Reader::new(view.data);
    match connect(&mut reader, notes) {
        Some(outcome) => outcome,
        None if view.last => Outcome::GiveUp,
        None => Outcome::NeedMore,
    }
}

/// Nothing where the bytes end too early.
fn connect(reader: &mut Reader<'_>, notes: &mut Notes<'_>) -> Option<Outcome> {
    reader.skip(1)?;
    if !(12..=MESSAGE_BYTES).contains(&variable(reader)?) {
        return Some(Outcome::NotMine);
    }
    let name_bytes = reader.u16()?;
    let name: &[u8] = match name_bytes {
        4 => b"MQTT",
        6 => b"MQIsdp",
        _ => return Some(Outcome::NotMine),
    };
    let got = reader.take_up_to(name.len());
    if !name.starts_with(got) {
        return Some(Outcome::NotMine);
    }
    let version = reader.u8()?;
    // Bridges set the highest bit.
    let level = version & 0x7f;
    if !matches!((name_bytes, level), (4, 4 | 5) | (6, 3)) {
        return Some(Outcome::NotMine);
    }
    let flags = reader.u8()?;
    if flags & 1 != 0 {
        return Some(Outcome::NotMine);
    }
    // From here on it is certain; a cut only costs the names.
    let _keep_alive = reader.u16()?;
    let password = flags & PASSWORD != 0;
    if password {
        notes.meta.set_risk(Risk::ClearTextCredentials);
        // MQTT 3.1.1, [MQTT-3.1.2-22].
        if flags & USER == 0 && level < 5 {
            notes.meta.set_risk(Risk::Malformed);
        }
    }
    notes.meta.put_number(&attr::MQTT_VERSION, u64::from(level));
    if level == 5 {
        properties(reader)?;
    }
    let client = field(reader)?;
    notes.meta.put(&attr::MQTT_CLIENT_ID, client);
    if flags & WILL != 0 {
        if level == 5 {
            properties(reader)?;
        }
        field(reader)?;
        field(reader)?;
    }
    if flags & USER != 0 {
        notes.meta.put(&attr::MQTT_USER, field(reader)?);
    }
    Some(Outcome::Found { app: AppId::MQTT, more: password })
}

fn properties(reader: &mut Reader<'_>) -> Option<()> {
    let bytes = variable(reader)?;
    reader.skip(usize::try_from(bytes).ok()?)
}

fn field<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let bytes = reader.u16()?;
    reader.take(usize::from(bytes))
}

/// A variable byte integer (section 1.5.5): at most four bytes; [`u32::MAX`] where it is longer.
fn variable(reader: &mut Reader<'_>) -> Option<u32> {
    let mut value = 0;
    for shift in [0, 7, 14, 21] {
        let byte = reader.u8()?;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    Some(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{check_never, check_prefixes, run};
    use crate::view::Direction::ToServer;

    const V31: &[u8] = b"\x10\x19\0\x06MQIsdp\x03\x82\0\x14\0\x03abc\0\x06somone";
    const V5: &[u8] = b"\x10\x15\0\x04MQTT\x05\x02\0\x3c\x05\x11\0\0\0\x0a\0\x03dev";

    #[test]
    fn client_and_user() {
        let (outcome, meta) = run(&DISSECTOR, ToServer, Transport::Tcp, V31, (5000, 1883));
        assert_eq!(outcome, Outcome::found(AppId::MQTT));
        assert_eq!(meta.get(&attr::MQTT_CLIENT_ID), Some(&b"abc"[..]));
        assert_eq!(meta.get(&attr::MQTT_USER), Some(&b"somone"[..]));
        let (_, meta) = run(&DISSECTOR, ToServer, Transport::Tcp, V5, (5000, 1883));
        assert_eq!(meta.get(&attr::MQTT_CLIENT_ID), Some(&b"dev"[..]));
        check_prefixes(&DISSECTOR, ToServer, Transport::Tcp, V31, (5000, 1883));
        check_prefixes(&DISSECTOR, ToServer, Transport::Tcp, V5, (5000, 1883));
    }

    #[test]
    fn near_misses() {
        for (index, value) in [(4, b'X'), (8, 9), (9, 3), (1, 0)] {
            let mut near = V5.to_vec();
            near[index] = value;
            check_never(&DISSECTOR, ToServer, Transport::Tcp, &near, (5000, 1883));
        }
        let endless = [0x10, 0xff, 0xff, 0xff, 0xff, 0xff];
        check_never(&DISSECTOR, ToServer, Transport::Tcp, &endless, (5000, 1883));
    }
}
