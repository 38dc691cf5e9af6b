//! Services told apart by host name, by the names in certificates, and by address.
//!
//! The tables in `table/` are plain text (`docs/SERVICES.md`); the build script makes of them what
//! is asked here. Ids are stable and never reused. All in the tables are facts that the services
//! publish: their sites, and their documents on what a firewall must let through.
//!
//! A host name is looked up label by label from its right end, each beginning of a label one probe
//! in a hash table, so that the cost is that of reading the name and does not grow with the table.
//! The longest domain that fits wins. Addresses are looked up by bisection in the blocks laid flat,
//! where the longest block that fits has won already.

mod hash;
#[cfg(test)]
mod table;
/// The host names of all rows.
#[cfg(test)]
pub(crate) fn hosts() -> impl Iterator<Item = &'static str> {
    HOSTS.rows.iter().map(|row| row.name)
}

#[cfg(test)]
mod tests;

use crate::app::{App, AppId, Breed, Category};
use crate::host;
use hash::{SEED, place_of, step, tag_of};

include!(concat!(env!("OUT_DIR"), "/services.rs"));

/// Every service, ascending by id.
pub const APPS: &[App] = &ALL_APPS;

/// The service that `name` belongs to. Case is of no meaning; a trailing dot must be gone.
pub fn by_host_name(name: &[u8]) -> Option<AppId> {
    let (mut hash, mut found) = (SEED, None);
    for (start, label) in host::labels(name) {
        hash = step(hash, label);
        found = HOSTS.find(hash, name.get(start..).unwrap_or_default()).or(found);
    }
    Some(found?.refined(name))
}

/// The service that a name in a certificate tells: a host name, with or without `*.` before it, or
/// an organisation of subject or issuer that stands for one service. Case is of no meaning.
pub fn by_certificate_name(name: &[u8]) -> Option<AppId> {
    let host = name.strip_prefix(b"*.").unwrap_or(name);
    by_host_name(host).or_else(|| {
        let hash = host::labels(name).fold(SEED, |hash, (_, label)| step(hash, label));
        CERTIFICATES.find(hash, name).map(|row| row.app)
    })
}

/// The service that publishes a block with `address` in it, the narrowest one where several do.
/// IPv4 is mapped (`::ffff:192.0.2.1`).
pub fn by_address(address: [u8; 16]) -> Option<AppId> {
    block_of(address).map(|(app, _)| app)
}

/// The same where nothing but that service is in the block, so that a flow with it is the
/// service's, whatever it holds.
pub fn surely_at(address: [u8; 16]) -> Option<AppId> {
    block_of(address).filter(|(_, surely)| *surely).map(|(app, _)| app)
}

/// The service of the narrowest block, and whether it is there alone.
fn block_of(address: [u8; 16]) -> Option<(AppId, bool)> {
    let address = u128::from_be_bytes(address);
    let after = BLOCKS.partition_point(|(first, ..)| *first <= address);
    let (_, app, surely) = *BLOCKS.get(after.checked_sub(1)?)?;
    (app != AppId::UNKNOWN).then_some((app, surely))
}

/// A name and what it stands for.
#[derive(Debug)]
struct Named {
    name: &'static str,
    app: AppId,
    /// Names below this one whose beginning tells more, the longest first.
    refined: &'static [(&'static str, AppId)],
}

impl Named {
    fn refined(&self, name: &[u8]) -> AppId {
        let begins = |with: &str| {
            name.get(..with.len()).is_some_and(|b| b.eq_ignore_ascii_case(with.as_bytes()))
        };
        let row = self.refined.iter().find(|(beginning, _)| begins(beginning));
        row.map_or(self.app, |(_, better)| *better)
    }
}

/// Open addressing, at most half full.
#[derive(Debug)]
struct Index {
    /// A part of the hash a place; 0 is empty and ends a search. Apart from the numbers and a byte
    /// each, since most labels belong to no service and are told by it alone.
    tags: &'static [u8],
    /// The index into `rows` of each place that is not empty.
    numbers: &'static [u16],
    rows: &'static [Named],
}

impl Index {
    fn find(&self, hash: u64, name: &[u8]) -> Option<&'static Named> {
        let mut at = place_of(hash, self.tags.len());
        loop {
            let tag = *self.tags.get(at)?;
            if tag == 0 {
                return None;
            }
            if tag == tag_of(hash) {
                let row = self.rows.get(usize::from(*self.numbers.get(at)?))?;
                // Nearly all names are in lower case, as those of the rows.
                let own = row.name.as_bytes();
                if own == name || own.eq_ignore_ascii_case(name) {
                    return Some(row);
                }
            }
            at = (at + 1) & (self.tags.len() - 1);
        }
    }
}
