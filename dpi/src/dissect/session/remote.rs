//! Remote screens and repositories: VNC (RFC 6143), X11 (X Window System protocol, "Connection
//! setup"), rsync's daemon, Git's daemon (`gitprotocol-pack`).

use super::text::{self, Match};
use crate::app::AppId;
use crate::attr;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const VNC: Dissector = Dissector {
    app: AppId::VNC,
    over: &[Transport::Tcp],
    ports: &[5900, 5901, 5902],
    ports_only: false,
    first: First::OneOf(b"R"),
    run: vnc,
};

pub(super) const X11: Dissector = Dissector {
    app: AppId::X11,
    over: &[Transport::Tcp],
    ports: &[6000, 6001, 6010],
    ports_only: false,
    first: First::OneOf(b"lB"),
    run: x11,
};

pub(super) const RSYNC: Dissector = Dissector {
    app: AppId::RSYNC,
    over: &[Transport::Tcp],
    ports: &[873],
    ports_only: false,
    first: First::OneOf(b"@"),
    run: rsync,
};

pub(super) const GIT: Dissector = Dissector {
    app: AppId::GIT,
    over: &[Transport::Tcp],
    ports: &[9418],
    ports_only: false,
    first: First::OneOf(b"0"),
    run: git,
};

/// `RFB 003.008` and a line feed (RFC 6143 section 7.1.1).
fn vnc(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    match text::prefix(view.data, b"RFB 00") {
        Match::Yes(_) => {}
        Match::Partly => return Outcome::NeedMore,
        Match::No => return Outcome::NotMine,
    }
    let Some(version) = view.data.get(4..12) else { return Outcome::NeedMore };
    match version {
        [b'0', b'0', b'0'..=b'9', b'.', rest @ .., b'\n']
            if rest.iter().all(u8::is_ascii_digit) =>
        {
            notes.meta.put(&attr::VNC_VERSION, version.trim_ascii_end());
            Outcome::found(AppId::VNC)
        }
        _ => Outcome::NotMine,
    }
}

/// Byte order, a pad, version 11.0, the lengths of the authorisation's name and data.
fn x11(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    let little: &[u8] = b"l\0\x0b\0\0\0";
    let big: &[u8] = b"B\0\0\x0b\0\0";
    match (text::prefix(view.data, little), text::prefix(view.data, big)) {
        (Match::Yes(_), _) | (_, Match::Yes(_)) => Outcome::found(AppId::X11),
        (Match::Partly, _) | (_, Match::Partly) => Outcome::NeedMore,
        _ => Outcome::NotMine,
    }
}

/// `@RSYNCD: 31.0`.
fn rsync(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let rest = match text::prefix(view.data, b"@RSYNCD: ") {
        Match::Yes(rest) => rest,
        Match::Partly => return Outcome::NeedMore,
        Match::No => return Outcome::NotMine,
    };
    let Some((version, _)) = text::line(rest) else { return text::open_line(rest) };
    if !version.first().is_some_and(u8::is_ascii_digit) {
        return Outcome::NotMine;
    }
    notes.meta.put(&attr::RSYNC_VERSION, text::word(version).0);
    Outcome::found(AppId::RSYNC)
}

/// A packet line: four digits of length, `git-upload-pack /path`, a zero, `host=…`.
fn git(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let Some((length, rest)) = view.data.split_at_checked(4) else { return Outcome::NeedMore };
    if !length.iter().all(u8::is_ascii_hexdigit) {
        return Outcome::NotMine;
    }
    let services = [&b"git-upload-pack "[..], b"git-receive-pack ", b"git-upload-archive "];
    match text::any_keyword(rest, &services) {
        Match::Yes(_) => {}
        Match::Partly => return Outcome::NeedMore,
        Match::No => return Outcome::NotMine,
    }
    let mut fields = rest.splitn(3, |byte| *byte == 0);
    let request = fields.next().unwrap_or_default();
    let host = fields.next();
    if host.is_none() && !view.last && rest.len() < text::LINE_BYTES {
        return Outcome::NeedMore;
    }
    notes.meta.put(&attr::GIT_REPOSITORY, text::word(request).1.trim_ascii_end());
    if let Some(host) = host.and_then(|field| field.strip_prefix(b"host=")) {
        notes.meta.put(&attr::HOST_NAME, host);
    }
    Outcome::found(AppId::GIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};

    const TCP: Transport = Transport::Tcp;

    #[test]
    fn screens() {
        check_prefixes(&VNC, ToClient, TCP, b"RFB 003.008\n", (1, 5900));
        check_never(&VNC, ToClient, TCP, b"RFB 00x.008\n", (1, 5900));
        check_prefixes(&X11, ToServer, TCP, b"l\0\x0b\0\0\0\0\0", (1, 6000));
        check_prefixes(&X11, ToServer, TCP, b"B\0\0\x0b\0\0\0\0", (1, 6000));
        check_never(&X11, ToServer, TCP, b"l\0\x0c\0\0\0", (1, 6000));
    }

    #[test]
    fn repositories() {
        let git = b"0039git-upload-pack /tools.git\0host=git.example.org\0";
        let (_, meta) = run(&GIT, ToServer, TCP, git, (1, 9418));
        assert_eq!(meta.get(&attr::GIT_REPOSITORY), Some(&b"/tools.git"[..]));
        assert_eq!(meta.get(&attr::HOST_NAME), Some(&b"git.example.org"[..]));
        check_prefixes(&GIT, ToServer, TCP, git, (1, 9418));
        check_prefixes(&RSYNC, ToClient, TCP, b"@RSYNCD: 31.0\n", (1, 873));
        check_never(&RSYNC, ToClient, TCP, b"@RSYNCD: x\n", (1, 873));
        check_never(&GIT, ToServer, TCP, b"0039get-upload-pack /x\0", (1, 9418));
    }
}
