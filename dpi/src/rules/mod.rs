//! Rules given at run time: what names a flow besides the tables that are built in, and lists of
//! what is dangerous.
//!
//! A [`Compiler`] reads the text of rule files (`docs/RULES.md` is their reference) and makes a
//! [`RuleSet`], which never changes and is shared by the shards. Asking it allocates nothing, takes
//! no lock, and costs no more than a bound that does not grow with the number of rules: hashes of
//! suffixes for host names, a probe for each length of prefix in use, a table of ports, and three
//! bytes at a time for what may stand anywhere.
//!
//! Rules are numbered by precedence: of two matches the one with the lower number is the better
//! one, also when they come from different questions ([`Match::better`]).
//!
//! Nothing here opens a file, and nothing here remembers a flow.

mod apps;
mod compiler;
mod condition;
mod ends;
mod grammar;
mod index;
mod lists;
mod load;
mod names;
mod needles;
mod protos;
mod text;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use apps::{CustomApp, FIRST_CUSTOM, MOST_CUSTOM};
pub use compiler::{Compiler, MOST_LISTS, MOST_RULES, Wanted};
pub use condition::Ends;
pub use grammar::ListKind;
pub use lists::{AddressList, DomainList, Fingerprint, FingerprintList, Left, ListHit, Text};
pub use load::{Loaded, load};
pub use text::Problem;

use crate::app::{self, AppId, Category};
use crate::view::View;
use condition::{Condition, Facts, JA4_BYTES, all_hold};
use ends::EndsTable;
use index::{Groups, NameHash};
use lists::{List, Listing};
use names::Hosts;
use needles::{Payloads, Urls};

/// A rule that fits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Match {
    /// What the flow is, by the rule.
    pub app: AppId,
    /// The rule's number, for [`RuleSet::describe`]; the lower, the better.
    pub rule: u32,
}

impl Match {
    /// Whether this match takes the place of an earlier one.
    pub fn better(self, earlier: Option<Match>) -> bool {
        earlier.is_none_or(|earlier| self.rule < earlier.rule)
    }
}

/// By what a rule is found; the first has precedence over those behind it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// By a path ([`RuleSet::by_url`]).
    Url,
    /// By a JA4 fingerprint ([`RuleSet::by_ja4`]).
    Ja4,
    /// By a host name ([`RuleSet::by_host`]).
    Host,
    /// By bytes of a payload ([`RuleSet::by_payload`]).
    Bytes,
    /// By addresses and ports alone ([`RuleSet::by_ends`]).
    Ends,
}

/// A rule, explained.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Description<'a> {
    /// The file, as it was named to the compiler.
    pub file: &'a str,
    /// The line in it, from 1.
    pub line: u32,
    /// The line's text, or its beginning.
    pub text: &'a str,
    /// By what it is found.
    pub kind: Kind,
    /// What it gives.
    pub app: AppId,
}

/// See the module. The default has no rules.
#[derive(Debug, Default)]
pub struct RuleSet {
    /// By precedence.
    rules: Box<[Rule]>,
    origins: Box<[Origin]>,
    apps: Box<[CustomApp]>,
    lists: Box<[Listing]>,
    ends: EndsTable,
    hosts: Hosts,
    urls: Urls,
    ja4s: Groups<[u8; JA4_BYTES], u32>,
    payloads: Payloads,
}

#[derive(Debug)]
struct Rule {
    app: AppId,
    origin: u32,
    kind: Kind,
    conditions: Box<[Condition]>,
}

/// Where a rule was written.
#[derive(Debug)]
struct Origin {
    file: Arc<str>,
    line: u32,
    text: Box<str>,
}

impl RuleSet {
    /// The best rule about addresses and ports alone. Worth asking at a flow's first packet.
    pub fn by_ends(&self, ends: &Ends) -> Option<Match> {
        self.matched(self.ends.first(&self.rules, &Facts::of(ends)))
    }

    /// The best rule about a host name that was seen in a flow of `protocol`. Case is of no meaning;
    /// port and trailing dot must be gone.
    pub fn by_host(&self, ends: &Ends, protocol: AppId, host: &[u8]) -> Option<Match> {
        let facts = Facts { protocol, host, ..Facts::of(ends) };
        self.matched(self.hosts.first(&self.rules, &facts))
    }

    /// The best rule about a path, which is what a request asks `host` for, with what follows a
    /// question mark. Of a longer path its first 1024 bytes count.
    pub fn by_url(&self, ends: &Ends, host: &[u8], path: &[u8]) -> Option<Match> {
        let facts = Facts { host, path, ..Facts::of(ends) };
        self.matched(self.urls.first(&self.rules, &facts))
    }

    /// The best rule about a JA4 fingerprint of the client, which asked for `host` (or for nothing).
    pub fn by_ja4(&self, ends: &Ends, ja4: &[u8], host: &[u8]) -> Option<Match> {
        let facts = Facts { protocol: AppId::TLS, ja4, host, ..Facts::of(ends) };
        let numbers = self.ja4s.get(NameHash::of(ja4), |key| key == ja4);
        self.matched(numbers.iter().copied().find(|number| {
            let rule = self.rules.get(*number as usize);
            rule.is_some_and(|rule| all_hold(&rule.conditions, &facts))
        }))
    }

    /// The best rule about the bytes in `view`: over TCP the stream's beginning, over UDP one
    /// datagram.
    pub fn by_payload(&self, view: &View<'_>) -> Option<Match> {
        let ends =
            Ends { transport: Some(view.transport), client: view.client, server: view.server };
        let packet = view.packets_before.saturating_add(1);
        let direction = view.direction;
        let facts = Facts { data: view.data, direction, packet, ..Facts::of(&ends) };
        self.matched(self.payloads.first(&self.rules, &facts))
    }

    /// What the lists say of a host name. Case is of no meaning; a trailing dot must be gone.
    pub fn listed_host(&self, host: &[u8]) -> Option<ListHit> {
        lists::hit(&self.lists, |list| matches!(list, List::Domains(l) if l.find(host).is_some()))
    }

    /// What the lists say of an address (IPv6, or IPv4 in its mapped form).
    pub fn listed_address(&self, address: [u8; 16]) -> Option<ListHit> {
        lists::hit(&self.lists, |list| matches!(list, List::Addresses(l) if l.covers(address)))
    }

    /// What the lists say of a fingerprint.
    pub fn listed_fingerprint(&self, fingerprint: Fingerprint<'_>) -> Option<ListHit> {
        lists::hit(&self.lists, |list| matches!(list, List::Fingerprints(l) if l.has(fingerprint)))
    }

    /// The name of a list, by the number in a [`ListHit`].
    pub fn list_name(&self, list: u16) -> Option<&str> {
        self.lists.get(usize::from(list)).map(|listing| &*listing.name)
    }

    /// What a rule says and where.
    pub fn describe(&self, rule: u32) -> Option<Description<'_>> {
        let rule = self.rules.get(rule as usize)?;
        let Origin { file, line, text } = self.origins.get(rule.origin as usize)?;
        Some(Description { file, line: *line, text, kind: rule.kind, app: rule.app })
    }

    /// What a rule gives and by what, and whether ports are all that it asks for.
    pub(crate) fn basis(&self, rule: u32) -> Option<(AppId, Kind, bool)> {
        let rule = self.rules.get(rule as usize)?;
        let is_port = |condition: &Condition| matches!(condition, Condition::Port { .. });
        Some((rule.app, rule.kind, rule.conditions.iter().all(is_port)))
    }

    /// How many lists there are.
    pub fn lists(&self) -> usize {
        self.lists.len()
    }

    /// The applications that the rules declare, ascending by id.
    pub fn apps(&self) -> &[CustomApp] {
        &self.apps
    }

    /// Name and category of an application, declared by the rules or built in.
    pub fn app(&self, id: AppId) -> (&str, Category) {
        let custom = self.apps.binary_search_by_key(&id, |app| app.id);
        match custom.ok().and_then(|place| self.apps.get(place)) {
            Some(app) => (&app.name, app.category),
            None => (app::describe(id).name, app::describe(id).category),
        }
    }

    /// Rules.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are neither rules nor lists.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.lists.is_empty()
    }

    fn matched(&self, number: Option<u32>) -> Option<Match> {
        let rule = number?;
        let app = self.rules.get(rule as usize)?.app;
        Some(Match { app, rule })
    }
}
