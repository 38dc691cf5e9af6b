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
