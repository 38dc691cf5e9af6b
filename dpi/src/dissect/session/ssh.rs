//! SSH: the identification string that both sides send first (RFC 4253 section 4.2), and the key
//! exchange behind it (section 7.1) as far as it tells the peer's age.

use super::ssh_keys::{self, Keys};
use super::text::{self, Match};
use crate::app::AppId;
use crate::attr;
use crate::risk::Risk;
use crate::view::{Direction, Dissector, First, Notes, Outcome, Transport, View};

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
    match text::any_keyword(view.data, &[b"SSH-2.0-", b"SSH-1."]) {
        // Known already, and this is the key exchange behind the string.
        Match::No if notes.meta.get(own).is_some() => {
            judge_keys(view, view.data, notes);
            return found(notes, other.id);
        }
        Match::No => return Outcome::NotMine,
        Match::Partly => return Outcome::NeedMore,
        Match::Yes(_) => {}
    }
    let (banner, behind) = match text::line(view.data) {
        Some(parts) => parts,
        // Certain from its beginning: the rest only adds the version.
        None if view.last || view.data.len() >= BANNER_BYTES => (view.data, &[][..]),
        None => return Outcome::NeedMore,
    };
    if banner.len() > BANNER_BYTES {
        notes.meta.set_risk(Risk::Malformed);
    }
    notes.meta.put(own, banner.get(..BANNER_BYTES).unwrap_or(banner));
    if ssh_keys::is_obsolete(banner) {
        notes.meta.set_risk(obsolete(view.direction));
    }
    judge_keys(view, behind, notes);
    found(notes, other.id)
}

/// Reads the key exchange behind the string; once that is done, no more of this direction is
/// wanted.
fn judge_keys(view: &View<'_>, behind: &[u8], notes: &mut Notes<'_>) {
    match ssh_keys::keys(behind) {
        Keys::Short if !view.last => return,
        Keys::Offered { broken: true } => notes.meta.set_risk(obsolete(view.direction)),
        Keys::Short | Keys::None | Keys::Offered { .. } => {}
    }
    notes.scratch.set_read(view.direction);
}

/// Over once both sides were read.
fn found(notes: &Notes<'_>, other: u16) -> Outcome {
    let both =
        notes.scratch.is_read(Direction::ToServer) && notes.scratch.is_read(Direction::ToClient);
    let known = crate::meta::decode(notes.meta.as_bytes()).any(|(id, _)| id == other);
    Outcome::Found { app: AppId::SSH, more: !(both && known) }
}

fn obsolete(direction: Direction) -> Risk {
    match direction {
        Direction::ToServer => Risk::SshObsoleteClient,
        Direction::ToClient => Risk::SshObsoleteServer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{Flow, check_never, check_prefixes};
    use crate::view::Direction::{ToClient, ToServer};

    const CLIENT: &[u8] = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n";
    const SERVER: &[u8] = b"SSH-2.0-dropbear_2022.83\r\n";

    /// A key exchange that offers these.
    fn key_exchange(kex: &[u8], host_keys: &[u8], ciphers: &[u8]) -> Vec<u8> {
        let mut body = vec![20];
        body.extend([7; 16]);
        let macs = &b"hmac-sha2-256"[..];
        for list in [kex, host_keys, ciphers, ciphers, macs, macs, b"none", b"none", b"", b""] {
            body.extend(u32::try_from(list.len()).unwrap().to_be_bytes());
            body.extend(list);
        }
        body.extend([0; 9]);
        let mut packet = u32::try_from(body.len() + 1).unwrap().to_be_bytes().to_vec();
        packet.push(4);
        packet.extend(body);
        packet
    }

    fn modern() -> Vec<u8> {
        key_exchange(
            b"curve25519-sha256,diffie-hellman-group1-sha1,ext-info-c",
            b"ssh-ed25519,ssh-dss",
            b"aes128-ctr,3des-cbc",
        )
    }

    #[test]
    fn both_strings_are_kept_and_the_second_key_exchange_ends_it() {
        let mut flow = Flow::new(Transport::Tcp, (40000, 22));
        assert_eq!(flow.ask(&DISSECTOR, ToServer, CLIENT), Outcome::found_more(AppId::SSH));
        assert_eq!(flow.ask(&DISSECTOR, ToClient, SERVER), Outcome::found_more(AppId::SSH));
        let client = [CLIENT, &modern()].concat();
        assert_eq!(flow.ask(&DISSECTOR, ToServer, &client), Outcome::found_more(AppId::SSH));
        let server = [SERVER, &modern()].concat();
        assert_eq!(flow.ask(&DISSECTOR, ToClient, &server), Outcome::found(AppId::SSH));
        let client = flow.meta.get(&attr::SSH_CLIENT);
        assert_eq!(client, Some(&b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3"[..]));
        assert_eq!(flow.meta.get(&attr::SSH_SERVER), Some(&b"SSH-2.0-dropbear_2022.83"[..]));
        assert!(flow.meta.risks().is_empty());
    }

    #[test]
    fn a_key_exchange_before_the_other_string_does_not_end_it() {
        let mut flow = Flow::new(Transport::Tcp, (40000, 2200));
        flow.ask(&DISSECTOR, ToClient, SERVER);
        let outcome = flow.ask_past_filter(&DISSECTOR, ToClient, &modern());
        assert_eq!(outcome, Outcome::found_more(AppId::SSH));
        let client = [CLIENT, &modern()].concat();
        assert_eq!(flow.ask(&DISSECTOR, ToServer, &client), Outcome::found(AppId::SSH));
    }

    #[test]
    fn old_programs() {
        let judged = |direction, banner: &[u8]| {
            let mut flow = Flow::new(Transport::Tcp, (40000, 22));
            flow.ask(&DISSECTOR, direction, banner);
            flow.meta.risks().iter().map(|about| about.name).collect::<Vec<_>>()
        };
        for old in [
            &b"SSH-2.0-OpenSSH_5.3\r\n"[..],
            b"SSH-1.99-Cisco-1.25\r\n",
            b"SSH-1.5-OpenSSH_3.4\r\n",
            b"SSH-2.0-dropbear_0.52\r\n",
            b"SSH-2.0-libssh-0.6.3\r\n",
            b"SSH-2.0-PuTTY_Release_0.63\r\n",
        ] {
            assert_eq!(judged(ToServer, old), ["ssh_obsolete_client"], "{}", old.escape_ascii());
            assert_eq!(judged(ToClient, old), ["ssh_obsolete_server"], "{}", old.escape_ascii());
        }
        for new in [
            &b"SSH-2.0-OpenSSH_8.9p1 Ubuntu-3\r\n"[..],
            b"SSH-2.0-OpenSSH_10.0\r\n",
            b"SSH-2.0-Go\r\n",
            b"SSH-2.0-dropbear\r\n",
            b"SSH-2.0-libssh_0.9.6\r\n",
        ] {
            assert_eq!(judged(ToServer, new), [""; 0], "{}", new.escape_ascii());
        }
    }

    #[test]
    fn broken_algorithms() {
        let judged = |keys: &[u8]| {
            let mut flow = Flow::new(Transport::Tcp, (40000, 22));
            flow.ask(&DISSECTOR, ToClient, &[SERVER, keys].concat());
            flow.meta.risks().has(Risk::SshObsoleteServer)
        };
        assert!(judged(&key_exchange(
            b"diffie-hellman-group1-sha1",
            b"ssh-ed25519",
            b"aes128-ctr"
        )));
        assert!(judged(&key_exchange(b"curve25519-sha256", b"ssh-dss", b"aes128-ctr")));
        assert!(judged(&key_exchange(b"curve25519-sha256", b"ssh-rsa", b"arcfour,3des-cbc")));
        assert!(!judged(&modern()), "one of each is not broken");
        let cut = key_exchange(b"diffie-hellman-group1-sha1", b"ssh-ed25519", b"aes128-ctr");
        assert!(!judged(&cut[..20]));
    }

    #[test]
    fn any_cut_waits_and_neighbours_are_left_alone() {
        check_prefixes(&DISSECTOR, ToServer, Transport::Tcp, CLIENT, (40000, 22));
        let whole = [CLIENT, &modern()].concat();
        check_prefixes(&DISSECTOR, ToServer, Transport::Tcp, &whole, (40000, 22));
        check_never(&DISSECTOR, ToServer, Transport::Tcp, b"SSH-3.0-x\r\n", (1, 22));
        check_never(&DISSECTOR, ToServer, Transport::Tcp, b"SIP/2.0 200 OK\r\n", (1, 22));
    }
}
