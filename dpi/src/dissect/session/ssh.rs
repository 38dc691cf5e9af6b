//! SSH: the identification string that both sides send first (RFC 4253 section 4.2), and the lists
//! of algorithms behind it (section 7.1): what both agree on, and the HASSH fingerprints of client
//! and server, as Salesforce published them (MD5 over the lists of one direction).

use super::text::{self, Match};
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};
use md5::{Digest, Md5};

/// RFC 4253 section 4.2: the string is at most 255 bytes with its line end.
const BANNER_BYTES: usize = 255;
const KEX_INIT: u8 = 20;
/// A packet of lists that is longer is not believed (section 6.1).
const PACKET_MOST: u32 = 35_000;

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
    let rest = match text::any_keyword(view.data, &[b"SSH-2.0-", b"SSH-1."]) {
        // Known already, and this is what comes behind the string.
        Match::No if notes.meta.get(own).is_some() => return over(view, notes),
        Match::No if notes.meta.get(other).is_some() => return Outcome::found(AppId::SSH),
        Match::No => return Outcome::NotMine,
        Match::Partly => return Outcome::NeedMore,
        Match::Yes(_) => text::line(view.data),
    };
    let (banner, rest) = match rest {
        Some((line, rest)) => (line, Some(rest)),
        // Certain from its beginning: the rest only adds the version.
        None if view.last || view.data.len() >= BANNER_BYTES => (view.data, None),
        None => return Outcome::NeedMore,
    };
    notes.meta.put(own, banner.get(..BANNER_BYTES).unwrap_or(banner));
    match rest.and_then(Lists::read) {
        Some(Read::Whole(lists)) => {
            note(view, notes, &lists);
            over(view, notes)
        }
        Some(Read::Short) if !view.last => Outcome::found_more(AppId::SSH),
        _ => over(view, notes),
    }
}

/// This direction is read; with the other one, all is.
fn over(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    notes.scratch.set_read(view.direction);
    let [to_server, to_client] = notes.scratch.read;
    if to_server && to_client {
        notes.crypto.close(&mut notes.scratch.hello.stream);
        Outcome::found(AppId::SSH)
    } else {
        Outcome::found_more(AppId::SSH)
    }
}

enum Read<'a> {
    Whole(Lists<'a>),
    /// More has to come.
    Short,
}

/// The lists of algorithms, each separated by commas, in the order of preference.
#[derive(Clone, Copy)]
struct Lists<'a> {
    key_exchange: &'a [u8],
    host_key: &'a [u8],
    /// Ciphers, codes and compressions, each of both directions.
    others: [&'a [u8]; 6],
}

impl<'a> Lists<'a> {
    /// Reads the packet behind the string. `None` if it is not the one with the lists.
    fn read(bytes: &'a [u8]) -> Option<Read<'a>> {
        let mut reader = Reader::new(bytes);
        let (Some(length), Some(_padding), Some(kind)) = (reader.u32(), reader.u8(), reader.u8())
        else {
            return Some(Read::Short);
        };
        if kind != KEX_INIT || !(64..PACKET_MOST).contains(&length) {
            return None;
        }
        if reader.left() + 2 < length as usize {
            return Some(Read::Short);
        }
        // The cookie.
        reader.skip(16)?;
        let mut list = || {
            let length = reader.u32()?;
            reader.take(usize::try_from(length).ok()?)
        };
        let (key_exchange, host_key) = (list()?, list()?);
        let others = [list()?, list()?, list()?, list()?, list()?, list()?];
        Some(Read::Whole(Lists { key_exchange, host_key, others }))
    }

    /// The fingerprint of who sent it.
    fn hassh(&self, from_client: bool) -> [u8; 16] {
        let [to_server, to_client] = [[0, 2, 4], [1, 3, 5]];
        let mut hash = Md5::new();
        hash.update(self.key_exchange);
        for at in if from_client { to_server } else { to_client } {
            hash.update(b";");
            hash.update(self.others.get(at).copied().unwrap_or_default());
        }
        hash.finalize().into()
    }
}

fn note(view: &View<'_>, notes: &mut Notes<'_>, lists: &Lists<'_>) {
    let attr = if view.from_client() { &attr::SSH_HASSH } else { &attr::SSH_HASSH_SERVER };
    if notes.meta.get(attr).is_some() {
        return;
    }
    notes.meta.put(attr, &lists.hassh(view.from_client()));
    let Notes { meta, scratch, crypto, .. } = notes;
    let stream = &mut scratch.hello.stream;
    let Some(kept) = crypto.get(*stream) else {
        // The first side's lists wait for the other's.
        *stream = crypto.open();
        if let Some(kept) = crypto.get(*stream) {
            let end = lists.key_exchange.len() as u64;
            kept.insert(0, lists.key_exchange);
            kept.insert(end, b";");
            kept.insert(end + 1, lists.host_key);
        }
        return;
    };
    let mut kept = kept.contiguous().splitn(2, |byte| *byte == b';');
    for (attr, now) in
        [(&attr::SSH_KEY_EXCHANGE, lists.key_exchange), (&attr::SSH_HOST_KEY, lists.host_key)]
    {
        let before = kept.next().unwrap_or_default();
        let (client, server) = if view.from_client() { (now, before) } else { (before, now) };
        meta.put(attr, agreed(client, server).unwrap_or_default());
    }
}

/// The first of the client's that the server has too (section 7.1).
fn agreed<'a>(client: &'a [u8], server: &[u8]) -> Option<&'a [u8]> {
    let names = |list: &'a [u8]| list.split(|byte| *byte == b',').take(64);
    names(client)
        .find(|name| server.split(|byte| *byte == b',').take(64).any(|other| other == *name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{Flow, check_never, check_prefixes};
    use crate::view::Direction::{ToClient, ToServer};

    const CLIENT: &[u8] = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n";
    const SERVER: &[u8] = b"SSH-2.0-dropbear_2022.83\r\n";

    /// A packet of lists, all but the first two the same in both directions.
    fn lists(names: [&str; 5]) -> Vec<u8> {
        let [key_exchange, host_key, cipher, code, compression] = names;
        let mut payload = vec![KEX_INIT];
        payload.extend([7; 16]);
        for name in
            [key_exchange, host_key, cipher, cipher, code, code, compression, compression, "", ""]
        {
            payload.extend((u32::try_from(name.len()).unwrap()).to_be_bytes());
            payload.extend(name.as_bytes());
        }
        payload.extend([0; 5 + 4]);
        let mut packet = u32::try_from(payload.len() + 1).unwrap().to_be_bytes().to_vec();
        packet.push(4);
        packet.extend(payload);
        packet
    }

    #[test]
    fn both_strings_and_lists_are_read_and_the_second_ends_it() {
        let client =
            lists(["curve25519-sha256,kex2", "ssh-ed25519,ssh-rsa", "aes128-ctr", "hmac", "none"]);
        let server = lists(["kex2,kex3", "ssh-rsa,ssh-ed25519", "aes128-ctr", "hmac", "none"]);
        let (client, server) = ([CLIENT, &client].concat(), [SERVER, &server].concat());
        let mut flow = Flow::new(Transport::Tcp, (40000, 22));
        for cut in [CLIENT.len(), CLIENT.len() + 3, CLIENT.len() + 90, client.len()] {
            assert_eq!(
                flow.ask(&DISSECTOR, ToServer, &client[..cut]),
                Outcome::found_more(AppId::SSH)
            );
        }
        assert_eq!(flow.ask(&DISSECTOR, ToClient, SERVER), Outcome::found_more(AppId::SSH));
        assert_eq!(flow.ask(&DISSECTOR, ToClient, &server), Outcome::found(AppId::SSH));
        let hassh: [u8; 16] = Md5::digest(b"curve25519-sha256,kex2;aes128-ctr;hmac;none").into();
        let hassh_server: [u8; 16] = Md5::digest(b"kex2,kex3;aes128-ctr;hmac;none").into();
        for (attr, value) in [
            (&attr::SSH_CLIENT, &b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3"[..]),
            (&attr::SSH_SERVER, b"SSH-2.0-dropbear_2022.83"),
            (&attr::SSH_HASSH, &hassh),
            (&attr::SSH_HASSH_SERVER, &hassh_server),
            (&attr::SSH_KEY_EXCHANGE, b"kex2"),
            (&attr::SSH_HOST_KEY, b"ssh-ed25519"),
        ] {
            assert_eq!(flow.meta.get(attr), Some(value));
        }
        check_prefixes(&DISSECTOR, ToServer, Transport::Tcp, &client, (40000, 22));
    }

    #[test]
    fn what_is_no_list_ends_a_direction() {
        let mut flow = Flow::new(Transport::Tcp, (40000, 2200));
        flow.ask(&DISSECTOR, ToClient, SERVER);
        let kex = b"\x00\x00\x02\x1c\x0a\x15";
        let outcome = flow.ask_past_filter(&DISSECTOR, ToClient, &[SERVER, kex].concat());
        assert_eq!(outcome, Outcome::found_more(AppId::SSH));
        let client = [CLIENT, kex].concat();
        assert_eq!(flow.ask(&DISSECTOR, ToServer, &client), Outcome::found(AppId::SSH));
        assert_eq!(flow.meta.get(&attr::SSH_HASSH), None);
    }

    #[test]
    fn any_cut_waits_and_neighbours_are_left_alone() {
        check_prefixes(&DISSECTOR, ToServer, Transport::Tcp, CLIENT, (40000, 22));
        check_never(&DISSECTOR, ToServer, Transport::Tcp, b"SSH-3.0-x\r\n", (1, 22));
        check_never(&DISSECTOR, ToServer, Transport::Tcp, b"SIP/2.0 200 OK\r\n", (1, 22));
    }
}
