//! Simple service discovery (universal plug and play, device architecture 2.0, section 1):
//! HTTP-like messages in datagrams.

use super::UDP;
use crate::app::AppId;
use crate::attr;
use crate::view::{Dissector, First, Notes, Outcome, View};

/// SSDP.
pub(super) const SSDP: Dissector = Dissector {
    app: AppId::SSDP,
    over: UDP,
    ports: &[1900],
    ports_only: false,
    first: First::OneOf(b"MNH"),
    run: ssdp,
};

/// Header lines read of one message.
const MAX_LINES: usize = 24;
/// The beginnings of the three messages, and how they are called.
const STARTS: [(&[u8], &[u8]); 3] = [
    (b"M-SEARCH * HTTP/1.", b"M-SEARCH"),
    (b"NOTIFY * HTTP/1.", b"NOTIFY"),
    (b"HTTP/1.1 200 OK", b"response"),
];

fn ssdp(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let start = STARTS.iter().find(|(start, _)| view.data.starts_with(start));
    let Some((_, method)) = start else {
        return Outcome::NotMine;
    };
    notes.meta.put(&attr::SSDP_METHOD, method);
    for line in view.data.split(|byte| *byte == b'\n').skip(1).take(MAX_LINES) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let attr = match name.trim_ascii() {
            // To a group the search goes there and nowhere else; an answer has none.
            name if name.eq_ignore_ascii_case(b"host") => &attr::HOST_NAME,
            name if name.eq_ignore_ascii_case(b"st") => &attr::SSDP_TARGET,
            name if name.eq_ignore_ascii_case(b"nt") => &attr::SSDP_TARGET,
            name if name.eq_ignore_ascii_case(b"user-agent") => &attr::SSDP_AGENT,
            name if name.eq_ignore_ascii_case(b"server") => &attr::SSDP_AGENT,
            name if name.eq_ignore_ascii_case(b"location") => &attr::SSDP_LOCATION,
            _ => continue,
        };
        notes.meta.put(attr, value);
    }
    Outcome::found(AppId::SSDP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::run;
    use crate::view::Direction::{ToClient, ToServer};
    use crate::view::Transport::Udp;

    #[test]
    fn a_search_is_for_the_host_that_it_names() {
        let search = b"M-SEARCH * HTTP/1.1\r\nHost: 239.255.255.250:1900\r\nST: ssdp:all\r\n\r\n";
        let (outcome, meta) = run(&SSDP, ToServer, Udp, search, (5000, 1900));
        assert_eq!(outcome, Outcome::found(AppId::SSDP));
        assert_eq!(meta.get(&attr::HOST_NAME), Some(&b"239.255.255.250:1900"[..]));
        assert_eq!(meta.get(&attr::SSDP_TARGET), Some(&b"ssdp:all"[..]));
        let answer = b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\n\r\n";
        let (outcome, meta) = run(&SSDP, ToClient, Udp, answer, (5000, 1900));
        assert_eq!(outcome, Outcome::found(AppId::SSDP));
        assert!(meta.get(&attr::HOST_NAME).is_none());
    }
}
