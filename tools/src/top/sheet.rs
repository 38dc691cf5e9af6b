//! What opens above a page: a flow, a host or an alert, in words, with ways to what belongs to it.

use std::net::IpAddr;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};
use weir_shm::Attached;
use weir_shm::alerts::Alert;
use weir_shm::hosts::Hosts;

use crate::alerts::{page as alert_page, show};
use crate::flow::to_ip;
use crate::flow_page::{self, Found};
use crate::hosts::{Books, page as host_page};

/// Peers of a host that one can go to.
const PEERS: usize = 8;

/// Where a key leads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Target {
    /// The flow of this number.
    Flow(u64),
    Host(IpAddr),
    /// The alert of this identity that began then.
    Alert(u64, u64),
    /// The flows that pass this filter.
    Flows(String),
}

/// A way to something else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Link {
    pub(super) text: String,
    pub(super) target: Target,
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Sheet {
    pub(super) title: String,
    pub(super) lines: Vec<String>,
    pub(super) links: Vec<Link>,
}

/// What sheets are made of.
pub(super) struct Known<'a> {
    pub(super) engine: &'a Attached,
    pub(super) hosts: Option<&'a Hosts>,
    pub(super) alerts: &'a [Alert],
    pub(super) books: &'a Books,
    pub(super) now_ns: u64,
    pub(super) columns: u16,
}

impl Sheet {
    /// The sheet of `target`; `last` is the flow that was found at the look before.
    pub(super) fn of(target: &Target, known: &Known<'_>, last: &mut Option<(u64, Found)>) -> Sheet {
        match target {
            Target::Flow(id) => flow(*id, known, last),
            Target::Host(address) => host(*address, known),
            Target::Alert(id, start_ns) => alert((*id, *start_ns), known),
            Target::Flows(_) => Sheet::default(),
        }
    }

    /// The lines, broken where they do not fit into `width` cells.
    pub(super) fn wrapped(&self, width: usize) -> Vec<String> {
        self.lines.iter().flat_map(|line| wrap(line, width)).collect()
    }
}

fn flow(id: u64, known: &Known<'_>, last: &mut Option<(u64, Found)>) -> Sheet {
    let title = format!("Flow {id}");
    // What has ended does not change any more.
    let is_over = last.as_ref().is_some_and(|(of, found)| *of == id && found.ended.is_some());
    if !is_over && let Some(found) = flow_page::find(known.engine, id) {
        *last = Some((id, found));
    }
    let Some((_, found)) = last.as_ref().filter(|(of, _)| *of == id) else {
        let why = "It ended, and its record has been overwritten: raise export.record_ring_bytes \
                   to keep records for longer.";
        return Sheet { title, lines: vec![why.to_owned()], links: Vec::new() };
    };
    let flow = found.flow();
    let ends = [("client", flow.client), ("server", flow.server)];
    let links = ends.map(|(side, end)| {
        let address = to_ip(end.address, flow.ipv6).to_canonical();
        host_link(side, address)
    });
    Sheet { title, lines: found.lines(known.now_ns), links: links.into() }
}

fn host_link(what: &str, address: IpAddr) -> Link {
    Link { text: format!("{what} {address}"), target: Target::Host(address) }
}

fn flows_of(address: IpAddr) -> Link {
    Link { text: "its flows".to_owned(), target: Target::Flows(format!("ip == {address}")) }
}

fn host(address: IpAddr, known: &Known<'_>) -> Sheet {
    let title = format!("Host {address}");
    let mut links = vec![flows_of(address)];
    for alert in known.alerts {
        let is_it = |party| show::address(party) == Some(address);
        if alert.end_ns == 0 && (is_it(&alert.subject) || is_it(&alert.peer)) {
            let text = format!("alert {}", show::sentence(alert));
            links.push(Link { text, target: Target::Alert(alert.id, alert.start_ns) });
        }
    }
    let Some(all) = known.hosts else {
        return Sheet { title, lines: vec![super::NO_HOSTS.to_owned()], links };
    };
    let Some(host) = all.hosts.get(&address) else {
        let why = "Nothing is kept of it: it was never seen, or had to leave for others \
                   (hosts.capacity).";
        return Sheet { title, lines: vec![why.to_owned()], links };
    };
    let width = usize::from(known.columns.saturating_sub(2));
    let text = host_page::text(host, all, known.books, known.now_ns, Some(width));
    let mut peers: Vec<_> = host.peers.iter().collect();
    peers.sort_by_key(|(peer, counted)| (std::cmp::Reverse(counted.all()), **peer));
    links.extend(peers.iter().take(PEERS).map(|(peer, _)| host_link("peer", **peer)));
    Sheet { title, lines: text.lines().map(str::to_owned).collect(), links }
}

fn alert((id, start_ns): (u64, u64), known: &Known<'_>) -> Sheet {
    let title = format!("Alert {id:016x}");
    let same = |alert: &&Alert| alert.id == id && alert.start_ns == start_ns;
    // The same alert may have come again: then that is the one to show.
    let alert =
        known.alerts.iter().find(same).or_else(|| known.alerts.iter().find(|it| it.id == id));
    let Some(alert) = alert else {
        let why = "It is over, and its record has been overwritten (alerts.ring_bytes).";
        return Sheet { title, lines: vec![why.to_owned()], links: Vec::new() };
    };
    let mut links = Vec::new();
    for (what, party) in [("host", &alert.subject), ("peer", &alert.peer)] {
        if let Some(address) = show::address(party) {
            links.push(host_link(what, address));
        }
    }
    if let Some(address) = show::address(&alert.subject) {
        links.push(flows_of(address));
    }
    let flows = alert.flows.iter().filter(|flow| **flow != 0);
    links.extend(flows.map(|id| Link { text: format!("flow {id}"), target: Target::Flow(*id) }));
    Sheet { title, lines: alert_page::lines(alert, known.now_ns), links }
}

/// `line` in pieces of at most `width` cells, broken at blanks where there are any.
fn wrap(line: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    if line.width() <= width {
        return vec![line.to_owned()];
    }
    let mut pieces = Vec::new();
    let mut piece = String::new();
    for word in line.split(' ') {
        let gap = usize::from(!piece.is_empty());
        if piece.width() + gap + word.width() > width && !piece.trim().is_empty() {
            pieces.push(std::mem::take(&mut piece));
        } else if gap == 1 {
            piece.push(' ');
        }
        for letter in word.chars() {
            let cells = letter.width().unwrap_or(0);
            if piece.width() + cells > width {
                pieces.push(std::mem::take(&mut piece));
            }
            piece.push(letter);
        }
        // A blank that begins the line keeps its place.
        if word.is_empty() && piece.is_empty() {
            piece.push(' ');
        }
    }
    pieces.push(piece);
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_break_at_blanks_where_they_can() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("", 3), [""]);
        assert_eq!(wrap("x", 0), ["x"]);
    }

    proptest! {
        /// Nothing is lost but blanks, and no piece is too long.
        #[test]
        fn pieces_fit(line in "\\PC{0,80}", width in 2_usize..40) {
            let pieces = wrap(&line, width);
            prop_assert!(pieces.iter().all(|piece| piece.width() <= width), "{pieces:?}");
            let bare = |text: &str| text.replace(' ', "");
            prop_assert_eq!(bare(&pieces.concat()), bare(&line));
        }
    }
}
