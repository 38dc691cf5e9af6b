//! SSH: the identification string that both sides send first (RFC 4253 section 4.2).

use super::text::{self, Match};
use crate::app::AppId;
use crate::attr;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

/// RFC 4253 section 4.2: the string is at most 255 bytes with its line end.
const BANNER_BYTES: usize = 255;

pub(super) const DISSECTOR: Dissector = Dissector {
    app: AppId::SSH,
    over: &[Transport::Tcp],
    ports: &[22, 2222],
    ports_only: false,
    first: First::OneOf(b"S"),
    run,
};

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let (own, other) = if view.from_client() {
        (&attr::SSH_CLIENT, &attr::SSH_SERVER)
    } else {
        (&attr::SSH_SERVER, &attr::SSH_CLIENT)
    };
    let found = if notes.meta.get(other).is_some() {
        Outcome::found(AppId::SSH)
    } else {
        Outcome::found_more(AppId::SSH)
    };
    match text::any_keyword(view.data, &[b"SSH-2.0-", b"SSH-1."]) {
        // Known already, and this is the key exchange behind the string.
        Match::No if notes.meta.get(own).is_some() => return found,
        Match::No => return Outcome::NotMine,
        Match::Partly => return Outcome::NeedMore,
        Match::Yes(_) => {}
    }
    let banner = match text::line(view.data) {
        Some((line, _)) => line,
        // Certain from its beginning: the rest only adds the version.
        None if view.last || view.data.len() >= BANNER_BYTES => view.data,
        None => return Outcome::NeedMore,
    };
    notes.meta.put(own, banner.get(..BANNER_BYTES).unwrap_or(banner));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{Flow, check_never, check_prefixes};
    use crate::view::Direction::{ToClient, ToServer};

    const CLIENT: &[u8] = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n";
    const SERVER: &[u8] = b"SSH-2.0-dropbear_2022.83\r\n";

    #[test]
    fn both_strings_are_kept_and_the_second_ends_it() {
        let mut flow = Flow::new(Transport::Tcp, (40000, 22));
        assert_eq!(flow.ask(&DISSECTOR, ToServer, CLIENT), Outcome::found_more(AppId::SSH));
        assert_eq!(flow.ask(&DISSECTOR, ToClient, SERVER), Outcome::found(AppId::SSH));
        let client = flow.meta.get(&attr::SSH_CLIENT);
        assert_eq!(client, Some(&b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3"[..]));
        assert_eq!(flow.meta.get(&attr::SSH_SERVER), Some(&b"SSH-2.0-dropbear_2022.83"[..]));
    }

    #[test]
    fn a_key_exchange_before_the_other_string_does_not_end_it() {
        let mut flow = Flow::new(Transport::Tcp, (40000, 2200));
        flow.ask(&DISSECTOR, ToClient, SERVER);
        let kex = b"\x00\x00\x02\x1c\x0a\x14";
        let outcome = flow.ask_past_filter(&DISSECTOR, ToClient, kex);
        assert_eq!(outcome, Outcome::found_more(AppId::SSH));
        assert_eq!(flow.ask(&DISSECTOR, ToServer, CLIENT), Outcome::found(AppId::SSH));
    }

    #[test]
    fn any_cut_waits_and_neighbours_are_left_alone() {
        check_prefixes(&DISSECTOR, ToServer, Transport::Tcp, CLIENT, (40000, 22));
        check_never(&DISSECTOR, ToServer, Transport::Tcp, b"SSH-3.0-x\r\n", (1, 22));
        check_never(&DISSECTOR, ToServer, Transport::Tcp, b"SIP/2.0 200 OK\r\n", (1, 22));
    }
}
