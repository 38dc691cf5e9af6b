//! Services told apart by host name: a suffix index over the domains in the tables below.
//!
//! A table's row holds id, name, category, and the domains by which the service is known. A domain
//! stands for itself and everything below it. Ids are stable and never reused. Domains are facts
//! that the services publish: their sites, and their documents on what a firewall must let through.
//!
//! A name is looked up label by label from its right end, each beginning of a label one probe in
//! a hash table made at compile time, so that the cost is that of reading the name and does not
//! grow with the table. The longest domain that fits wins.

mod also;
mod giants;
mod media;
mod other;

use crate::app::{App, AppId};

/// Every service, ascending by id.
pub const APPS: &[App] = &ALL_APPS;

/// The service that `name` belongs to. Case is of no meaning; a trailing dot must be gone.
pub fn by_host_name(name: &[u8]) -> Option<AppId> {
    let mut hash = SEED;
    let mut found = None;
    for (at, &byte) in name.iter().enumerate().rev() {
        if byte == b'.' {
            found = probe(hash, name.get(at + 1..).unwrap_or_default()).or(found);
        }
        hash = step(hash, byte);
    }
    let (domain, app) = probe(hash, name).or(found)?;
    Some(refined(name, domain, app))
}

/// A domain and what it stands for.
type Suffix = (&'static str, AppId);

static ALL_APPS: [App; giants::APPS.len() + media::APPS.len() + other::APPS.len()] =
    joined(&[giants::APPS, media::APPS, other::APPS]);

const DOMAINS: [&[Suffix]; 4] =
    [giants::SUFFIXES, media::SUFFIXES, other::SUFFIXES, also::SUFFIXES];

/// Every domain.
static SUFFIXES: [Suffix;
    DOMAINS[0].len() + DOMAINS[1].len() + DOMAINS[2].len() + DOMAINS[3].len()] = joined(&DOMAINS);

#[expect(clippy::indexing_slicing, reason = "at compile time, where out of bounds is an error")]
const fn joined<T: Copy, const N: usize>(parts: &[&[T]]) -> [T; N] {
    let mut all = [parts[0][0]; N];
    let (mut part, mut at, mut to) = (0, 0, 0);
    while part < parts.len() {
        while at < parts[part].len() {
            all[to] = parts[part][at];
            (at, to) = (at + 1, to + 1);
        }
        (part, at) = (part + 1, 0);
    }
    assert!(to == N, "the length is the sum of the parts'");
    all
}

/// Names whose first label tells more than their domain does: domain, beginning, service.
const FIRST_LABELS: &[(&str, &str, AppId)] = &[
    ("fbcdn.net", "instagram.", AppId::INSTAGRAM),
    ("fbcdn.net", "video.", AppId::FACEBOOK_VIDEO),
    ("fbcdn.net", "video-", AppId::FACEBOOK_VIDEO),
    ("akamaihd.net", "igcdn-", AppId::INSTAGRAM),
    ("akamaihd.net", "instagram", AppId::INSTAGRAM),
    ("akamaihd.net", "fbcdn-", AppId::FACEBOOK),
    ("akamaihd.net", "fbexternal-", AppId::FACEBOOK),
    ("akamaihd.net", "fbstatic-", AppId::FACEBOOK),
    ("akamaihd.net", "zattosecurehd", AppId::ZATTOO),
    ("akamaihd.net", "zattoo", AppId::ZATTOO),
    ("akamaihd.net", "steam", AppId::STEAM),
    ("akamaized.net", "steam", AppId::STEAM),
    ("akamaihd.net", "spotify", AppId::SPOTIFY),
    ("amazonaws.com", "fr-app-chat-global-xiaomi", AppId::XIAOMI),
    ("cloudapp.net", "skype", AppId::SKYPE),
];

fn refined(name: &[u8], domain: &str, app: AppId) -> AppId {
    let row = FIRST_LABELS.iter().find(|(of, beginning, _)| {
        domain.len() == of.len()
            && domain == *of
            && name
                .get(..beginning.len())
                .is_some_and(|b| b.eq_ignore_ascii_case(beginning.as_bytes()))
    });
    row.map_or(app, |(_, _, better)| *better)
}

const PLACES: usize = 8192;
const SEED: u32 = 0x811C_9DC5;

/// Open addressing: a tag of the hash per place; 0 is empty and ends a search. Apart from the
/// numbers and a byte each, since most labels belong to no service and are told by it alone.
static TAGS: [u8; PLACES] = INDEX.0;
/// The index into [`SUFFIXES`] of each place that is not empty.
static NUMBERS: [u16; PLACES] = INDEX.1;

const INDEX: ([u8; PLACES], [u16; PLACES]) = index();

const fn step(hash: u32, byte: u8) -> u32 {
    // FNV-1a, over the name from its end, with the bit set that tells letters' cases apart.
    (hash ^ (byte | 0x20) as u32).wrapping_mul(0x0100_0193)
}

/// FNV's low bits alone mix its last bytes poorly.
const fn place_of(hash: u32) -> usize {
    ((hash ^ (hash >> 15)).wrapping_mul(0x9E37_79B1) >> 19) as usize & (PLACES - 1)
}

const fn tag_of(hash: u32) -> u8 {
    (hash >> 24) as u8 | 1
}

fn probe(hash: u32, suffix: &[u8]) -> Option<Suffix> {
    let mut at = place_of(hash);
    loop {
        // The table is at most half full (asserted below), so there is an empty place.
        let tag = *TAGS.get(at)?;
        if tag == 0 {
            return None;
        }
        if tag == tag_of(hash) {
            let found = SUFFIXES.get(usize::from(*NUMBERS.get(at)?))?;
            if found.0.as_bytes().eq_ignore_ascii_case(suffix) {
                return Some(*found);
            }
        }
        at = (at + 1) & (PLACES - 1);
    }
}

const _: () = assert!(SUFFIXES.len() * 2 <= PLACES);

#[expect(clippy::indexing_slicing, reason = "at compile time, where out of bounds is an error")]
#[expect(clippy::cast_possible_truncation, reason = "rows are fewer than places")]
const fn index() -> ([u8; PLACES], [u16; PLACES]) {
    let (mut tags, mut numbers) = ([0; PLACES], [0; PLACES]);
    let mut row = 0;
    while row < SUFFIXES.len() {
        let bytes = SUFFIXES[row].0.as_bytes();
        let mut hash = SEED;
        let mut at = bytes.len();
        while at > 0 {
            at -= 1;
            hash = step(hash, bytes[at]);
        }
        let mut place = place_of(hash);
        while tags[place] != 0 {
            place = (place + 1) & (PLACES - 1);
        }
        tags[place] = tag_of(hash);
        numbers[place] = row as u16;
        row += 1;
    }
    (tags, numbers)
}

/// Makes the table of services: ids, rows, and suffixes in one flat list.
macro_rules! services {
    (
        $($id:literal $constant:ident $name:literal $category:ident
          [$($suffix:literal),* $(,)?];)*
    ) => {
        impl crate::app::AppId {
            $(#[doc = concat!("`", $name, "`")]
              pub const $constant: crate::app::AppId = crate::app::AppId($id);)*
        }
        /// The table's services, ascending by id.
        pub(super) const APPS: &[crate::app::App] = &[$(crate::app::App {
            id: crate::app::AppId($id),
            name: $name,
            category: crate::app::Category::$category,
        },)*];
        /// The table's domains, with their services.
        pub(super) const SUFFIXES: &[super::Suffix] =
            &[$($(($suffix, crate::app::AppId($id)),)*)*];
    };
}

/// Domains of what has its own id elsewhere.
macro_rules! known_by {
    ($($constant:ident [$($suffix:literal),* $(,)?];)*) => {
        /// The table's domains, with their protocols.
        pub(super) const SUFFIXES: &[super::Suffix] =
            &[$($(($suffix, crate::app::AppId::$constant),)*)*];
    };
}

use {known_by, services};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name_of(host: &str) -> Option<&'static str> {
        by_host_name(host.as_bytes()).map(|id| crate::app::describe(id).name)
    }

    /// The plain twin of the index: every domain compared.
    fn slowly(host: &str) -> Option<AppId> {
        let host = host.to_ascii_lowercase();
        let fits = |domain: &str| host == domain || host.ends_with(&format!(".{domain}"));
        let rows = SUFFIXES.iter().filter(|(domain, _)| fits(domain));
        let (domain, app) = rows.max_by_key(|(domain, _)| domain.len())?;
        Some(refined(host.as_bytes(), domain, *app))
    }

    #[test]
    fn the_longest_domain_wins_and_labels_are_whole() {
        assert_eq!(name_of("www.youtube.com"), Some("YouTube"));
        assert_eq!(name_of("r3---sn-4g5e.GoogleVideo.com"), Some("YouTube"));
        assert_eq!(name_of("mail.google.com"), Some("Gmail"));
        assert_eq!(name_of("accounts.google.com"), Some("Google"));
        assert_eq!(name_of("google.com"), Some("Google"));
        assert_eq!(name_of("notgoogle.com"), None);
        assert_eq!(name_of("google.com.evil.example"), None);
        assert_eq!(name_of("instagram.faae1-1.fna.fbcdn.net"), Some("Instagram"));
        assert_eq!(name_of("scontent.fna.fbcdn.net"), Some("Facebook"));
        for nothing in ["", ".", "com", "..", "a..b", "192.0.2.1"] {
            assert_eq!(name_of(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn the_table_is_sound() {
        let mut seen = std::collections::BTreeSet::new();
        for (domain, app) in &SUFFIXES {
            assert!(seen.insert(*domain), "{domain} stands twice");
            assert_eq!(*domain, domain.to_ascii_lowercase());
            assert!(!domain.starts_with('.') && !domain.ends_with('.') && !domain.contains(' '));
            assert_eq!(by_host_name(domain.as_bytes()), Some(*app), "{domain}");
        }
        for (domain, beginning, app) in FIRST_LABELS {
            let known = SUFFIXES.iter().any(|(suffix, _)| suffix == domain);
            assert!(known, "{domain} is not in the table");
            let host = format!("{beginning}x.{domain}");
            assert_eq!(by_host_name(host.as_bytes()), Some(*app), "{host}");
        }
        assert!(APPS.len() >= 300, "{} services", APPS.len());
    }

    #[test]
    fn probes_stay_short() {
        let mut worst = 0;
        let mut run = 0;
        for place in TAGS.iter().chain(TAGS.iter()) {
            run = if *place == 0 { 0 } else { run + 1 };
            worst = worst.max(run);
        }
        assert!(worst <= 16, "{worst} places in a row are full");
    }

    proptest! {
        #[test]
        fn the_index_equals_its_plain_twin(
            row in 0..SUFFIXES.len(),
            before in "([a-z0-9-]{0,8}\\.){0,3}",
            after in "(\\.[a-z]{0,3})?",
            glued in "[a-z]?",
        ) {
            let host = format!("{before}{glued}{}{after}", SUFFIXES[row].0);
            prop_assert_eq!(by_host_name(host.as_bytes()), slowly(&host));
        }

        #[test]
        fn any_bytes_are_safe(name in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = by_host_name(&name);
        }
    }
}
