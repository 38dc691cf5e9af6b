//! Telnet: option negotiation (RFC 854, RFC 855). Text without negotiation is not recognised.

use super::text;
use crate::app::AppId;
use crate::reader::Reader;
use crate::risk::Risk;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

const SE: u8 = 240;
const NOP: u8 = 241;
const GA: u8 = 249;
const SB: u8 = 250;
const WILL: u8 = 251;
const DONT: u8 = 254;
const IAC: u8 = 255;

pub(super) const DISSECTOR: Dissector = Dissector {
    app: AppId::TELNET,
    over: &[Transport::Tcp],
    ports: &[23, 2323],
    ports_only: false,
    first: First::OneOf(&[IAC]),
    run,
};

/// Commands read at most.
const COMMANDS: usize = 8;

/// Two well-formed commands, or one on the usual port, make a session: one alone is three bytes,
/// which other protocols hit by chance.
fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let wanted = if view.port_is(23) { 1 } else { 2 };
    let mut reader = Reader::new(view.data);
    for read in 0..COMMANDS {
        match command(&mut reader) {
            Some(true) => {}
            _ if read >= wanted => break,
            Some(false) => return Outcome::NotMine,
            None => return Outcome::NeedMore,
        }
    }
    note_login(view, reader.rest(), notes)
}

/// A server that asks for a password, and what is typed then; the login goes on behind the
/// options in both directions.
fn note_login(view: &View<'_>, text: &[u8], notes: &mut Notes<'_>) -> Outcome {
    if !view.from_client() {
        notes.scratch.telnet_asked |= text::contains(text, b"assword:");
        if notes.meta.risks().has(Risk::ClearTextCredentials)
            && (text::contains(text, b"incorrect") || text::contains(text, b"failed"))
        {
            notes.meta.set_risk(Risk::LoginRefused);
            return Outcome::found(AppId::TELNET);
        }
    } else if notes.scratch.telnet_asked {
        notes.meta.set_risk(Risk::ClearTextCredentials);
    }
    Outcome::found_more(AppId::TELNET)
}

/// Reads one command: whether it is well-formed, or nothing where the bytes end before that is
/// known.
fn command(reader: &mut Reader<'_>) -> Option<bool> {
    if reader.u8()? != IAC {
        return Some(false);
    }
    match reader.u8()? {
        WILL..=DONT => Some(is_option(reader.u8()?)),
        NOP..=GA => Some(true),
        SB => {
            if !is_option(reader.u8()?) {
                return Some(false);
            }
            let end = reader.rest().windows(2).take(256).position(|pair| pair == [IAC, SE])?;
            reader.skip(end + 2)?;
            Some(true)
        }
        _ => Some(false),
    }
}

/// IANA telnet options: 0 to 49, 138 to 140, and the extended list.
fn is_option(option: u8) -> bool {
    matches!(option, 0..=49 | 138..=140 | 255)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};

    /// Terminal type, terminal speed, X display, new environment.
    const DO: &[u8] = &[255, 253, 24, 255, 253, 32, 255, 253, 35, 255, 253, 39];

    #[test]
    fn two_commands_prove_it_on_any_port() {
        check_prefixes(&DISSECTOR, ToClient, Transport::Tcp, DO, (5000, 4000));
        let window = [255, 250, 31, 0, 80, 0, 24, 255, 240, 255, 251, 1];
        check_prefixes(&DISSECTOR, ToServer, Transport::Tcp, &window, (5000, 4000));
    }

    #[test]
    fn one_command_needs_the_port() {
        let outcome = |port| run(&DISSECTOR, ToServer, Transport::Tcp, &DO[..3], (5000, port)).0;
        assert_eq!(outcome(23), Outcome::found_more(AppId::TELNET));
        assert_eq!(outcome(4000), Outcome::NeedMore);
    }

    #[test]
    fn other_bytes_after_the_escape_exclude_it() {
        for near in [&[255, 253, 77, 255, 253, 32][..], &[255, 255, 255, 255], &[255, 0, 1]] {
            check_never(&DISSECTOR, ToServer, Transport::Tcp, near, (5000, 4000));
        }
    }
}
