//! Sums by application and by host.

use std::collections::HashMap;

use crate::flow::{AddressText, Flow};
use crate::names;

/// Names kept apart at most; what comes later counts as *others*.
const NAMES: usize = 1 << 16;

/// What belongs to one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) name: String,
    /// What it is for (applications), or the application (hosts).
    pub(super) note: String,
    /// Live flows.
    pub(super) flows: u64,
    pub(super) bytes: u64,
    pub(super) rate_bps: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    flows: u64,
    bytes: u64,
    moved: u64,
    master: u16,
    app: u16,
}

impl Part {
    fn add(&mut self, flow: &Flow<'_>, moved: u64) {
        self.flows += 1;
        self.bytes = self.bytes.saturating_add(flow.bytes_total());
        self.moved = self.moved.saturating_add(moved);
        (self.master, self.app) = (flow.master, flow.app);
    }
}

/// Order of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum ListSort {
    #[default]
    Bytes,
    Rate,
    Flows,
    Name,
}

impl ListSort {
    pub(super) fn next(self) -> ListSort {
        match self {
            ListSort::Bytes => ListSort::Rate,
            ListSort::Rate => ListSort::Flows,
            ListSort::Flows => ListSort::Name,
            ListSort::Name => ListSort::Bytes,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            ListSort::Bytes => "bytes",
            ListSort::Rate => "rate",
            ListSort::Flows => "flows",
            ListSort::Name => "name",
        }
    }

    /// Puts a list in order; equal ones by name, so that lines do not dance.
    pub(super) fn apply(self, list: &mut [Sum]) {
        list.sort_by(|a, b| {
            let order = match self {
                ListSort::Bytes => b.bytes.cmp(&a.bytes),
                ListSort::Rate => b.rate_bps.cmp(&a.rate_bps),
                ListSort::Flows => b.flows.cmp(&a.flows),
                ListSort::Name => a.name.cmp(&b.name),
            };
            order.then_with(|| b.bytes.cmp(&a.bytes)).then_with(|| a.name.cmp(&b.name))
        });
    }
}

/// Sums of one look.
#[derive(Debug, Default)]
pub(super) struct Sums {
    apps: HashMap<(u16, u16), Part>,
    servers: HashMap<Box<[u8]>, Part>,
    clients: HashMap<([u8; 16], bool), Part>,
    others: [Part; 2],
}

impl Sums {
    /// Adds a live flow that moved so many bytes since the last look.
    pub(super) fn live(&mut self, flow: &Flow<'_>, moved: u64) {
        self.apps.entry((flow.master, flow.app)).or_default().add(flow, moved);
        let address;
        let server = match flow.host() {
            Some(host) if !host.is_empty() => host,
            _ => {
                address = AddressText::new(flow.server.address, flow.ipv6);
                address.as_str().as_bytes()
            }
        };
        let full = self.servers.len() >= NAMES;
        match self.servers.get_mut(server) {
            Some(part) => part.add(flow, moved),
            None if full => self.others[0].add(flow, moved),
            None => self.servers.entry(server.into()).or_default().add(flow, moved),
        }
        let client = (flow.client.address, flow.ipv6);
        if self.clients.len() >= NAMES && !self.clients.contains_key(&client) {
            self.others[1].add(flow, moved);
        } else {
            self.clients.entry(client).or_default().add(flow, moved);
        }
    }

    /// Adds a flow that ended: its bytes, by application.
    pub(super) fn ended(&mut self, app: (u16, u16), bytes: u64, moved: u64) {
        let part = self.apps.entry(app).or_default();
        (part.master, part.app) = app;
        part.bytes = part.bytes.saturating_add(bytes);
        part.moved = part.moved.saturating_add(moved);
    }

    /// The lists of applications, servers and clients; `seconds` passed since the last look.
    pub(super) fn lists(self, seconds: f64) -> [Vec<Sum>; 3] {
        let sum = |name: String, note: String, part: &Part| Sum {
            name,
            note,
            flows: part.flows,
            bytes: part.bytes,
            rate_bps: per_second(part.moved.saturating_mul(8), seconds),
        };
        let app = |part: &Part| names::dotted(part.master, part.app).into_owned();
        let category = |part: &Part| names::category(part.master, part.app).to_owned();
        let apps = self.apps.values().map(|part| sum(app(part), category(part), part)).collect();
        let server = |name: &[u8], part: &Part| {
            sum(String::from_utf8_lossy(name).into_owned(), app(part), part)
        };
        let client = |((address, ipv6), part): (&([u8; 16], bool), &Part)| {
            let address = AddressText::new(*address, *ipv6);
            sum(address.as_str().to_owned(), String::new(), part)
        };
        let mut servers: Vec<Sum> =
            self.servers.iter().map(|(name, part)| server(name, part)).collect();
        let mut clients: Vec<Sum> = self.clients.iter().map(client).collect();
        for (list, part) in [&mut servers, &mut clients].into_iter().zip(&self.others) {
            if part.flows > 0 {
                list.push(sum("(others)".to_owned(), String::new(), part));
            }
        }
        [apps, servers, clients]
    }
}

/// `amount` in `seconds` as a rate; 0 where no time passed.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate for people; the cast saturates"
)]
pub(super) fn per_second(amount: u64, seconds: f64) -> u64 {
    if seconds > 0.0 { (amount as f64 / seconds) as u64 } else { 0 }
}
