//! Makes the rows and indexes of services out of the tables in `src/services/table`.

#[path = "src/services/hash.rs"]
mod hash;
#[path = "src/services/table.rs"]
mod table;

use std::path::Path;
use table::{Block, Row};

const TABLES: &str = "src/services/table";

fn main() {
    println!("cargo::rerun-if-changed={TABLES}");
    println!("cargo::rerun-if-changed=build.rs");
    for source in ["hash", "table"] {
        println!("cargo::rerun-if-changed=src/services/{source}.rs");
    }
    if let Err(error) = make() {
        println!("cargo::error={error}");
    }
}

fn make() -> Result<(), String> {
    let rows = table::read(Path::new(TABLES))?;
    let text = [apps(&rows), names(&rows), blocks(&rows)].concat();
    let folder = std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    std::fs::write(Path::new(&folder).join("services.rs"), text).map_err(|error| error.to_string())
}

/// Appends a line. What it is made of ends as a comment, so that the compiler's errors show it.
macro_rules! line {
    ($text:ident, $($format:tt)*) => {{
        $text.push_str(&format!($($format)*));
        $text.push('\n');
    }};
}

fn apps(rows: &[Row]) -> String {
    let mut text = String::new();
    let services = || rows.iter().filter_map(|row| Some((row, row.service.as_ref()?)));
    line!(text, "impl AppId {{");
    for (row, service) in services() {
        line!(text, "    /// `{}`", service.name);
        line!(
            text,
            "    pub const {}: AppId = AppId({}); // {}",
            row.constant,
            service.id,
            row.place
        );
    }
    line!(text, "}}\nstatic ALL_APPS: [App; {}] = [", services().count());
    for (row, service) in services() {
        let (name, category, breed) = (&service.name, &service.category, &service.breed);
        line!(
            text,
            "    App {{ id: AppId::{}, name: \"{name}\", category: Category::{category}, \
             breed: Breed::{breed} }}, // {}",
            row.constant,
            row.place
        );
    }
    line!(text, "];");
    text
}

fn names(rows: &[Row]) -> String {
    let mut refined = Vec::new();
    let mut hosts = Vec::new();
    for row in rows {
        for host in &row.hosts {
            let list = if host.beginning.is_empty() { &mut hosts } else { &mut refined };
            list.push((host, row));
        }
    }
    // The longest beginning that fits is to be found first.
    refined.sort_by_key(|(host, _)| std::cmp::Reverse(host.beginning.len()));
    let hosts = hosts.iter().map(|(host, row)| {
        let of_domain = refined.iter().filter(|(other, _)| other.domain == host.domain);
        let pair = |(host, row): &(&table::Host, &Row)| {
            format!("(\"{}\", AppId::{})", host.beginning, row.constant)
        };
        let refined: Vec<String> = of_domain.map(pair).collect();
        (host.domain.as_str(), *row, refined.join(", "))
    });
    let certificates = rows.iter().flat_map(|row| {
        row.certificates.iter().map(move |name| (name.as_str(), row, String::new()))
    });
    [
        index("HOSTS", &hosts.collect::<Vec<_>>()),
        index("CERTIFICATES", &certificates.collect::<Vec<_>>()),
    ]
    .concat()
}

/// An open-addressing table, at most half full.
fn index(name: &str, rows: &[(&str, &Row, String)]) -> String {
    let places = (rows.len() * 2).next_power_of_two();
    let (mut tags, mut numbers) = (vec![0_u8; places], vec![0_usize; places]);
    for (number, (key, ..)) in rows.iter().enumerate() {
        let labels = key.as_bytes().rsplit(|byte| *byte == b'.');
        let hash = labels.fold(hash::SEED, hash::step);
        let first = hash::place_of(hash, places);
        let place =
            (first..first + places).map(|at| at % places).find(|at| tags.get(*at) == Some(&0));
        let place = place.unwrap_or_default();
        if let (Some(tag), Some(at)) = (tags.get_mut(place), numbers.get_mut(place)) {
            (*tag, *at) = (hash::tag_of(hash), number);
        }
    }
    let mut text = String::new();
    line!(text, "static {name}: Index = Index {{");
    line!(text, "    tags: &{tags:?},\n    numbers: &{numbers:?},\n    rows: &[");
    for (key, row, refined) in rows {
        let (constant, place) = (&row.constant, &row.place);
        line!(
            text,
            "        Named {{ name: {key:?}, app: AppId::{constant}, refined: &[{refined}] }}, // {place}"
        );
    }
    line!(text, "    ],\n}};");
    text
}

/// Nested blocks laid flat: where the answer changes, ascending, and to what.
fn blocks(rows: &[Row]) -> String {
    let mut blocks: Vec<(Block, &Row)> =
        rows.iter().flat_map(|row| row.blocks.iter().map(move |block| (*block, row))).collect();
    blocks.sort_by_key(|(block, _)| *block);
    let mut starts: Vec<(u128, Option<(Block, &Row)>)> = vec![(0, None)];
    let mut within: Vec<(Block, &Row)> = Vec::new();
    let mut start = |first, row| {
        if starts.last().is_some_and(|(last, _)| *last == first) {
            starts.pop();
        }
        starts.push((first, row));
    };
    for next in blocks.into_iter().map(Some).chain([None]) {
        let first = next.map_or(u128::MAX, |(block, _)| block.first);
        while let Some((block, _)) = within.last().copied().filter(|(b, _)| b.last() < first) {
            within.pop();
            start(block.last() + 1, within.last().copied());
        }
        if let Some((block, row)) = next {
            start(first, Some((block, row)));
            within.push((block, row));
        }
    }
    starts.dedup_by_key(|(_, of)| of.map(|(block, row)| (block.surely, &row.constant)));
    let mut text = String::new();
    line!(text, "static BLOCKS: [(u128, AppId, bool); {}] = [", starts.len());
    for (first, of) in starts {
        let digits = format!("{first:032x}");
        let groups: Vec<&str> = (0..8).filter_map(|at| digits.get(at * 4..at * 4 + 4)).collect();
        let constant = of.map_or("UNKNOWN", |(_, row)| &row.constant);
        let surely = of.is_some_and(|(block, _)| block.surely);
        let place = of.map_or("nothing", |(_, row)| &row.place);
        line!(text, "    (0x{}, AppId::{constant}, {surely}), // {place}", groups.join("_"));
    }
    line!(text, "];");
    text
}
