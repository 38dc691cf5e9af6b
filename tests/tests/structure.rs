//! The shape of the workspace: arrows between crates, rooms of `unsafe`, sizes of files, counters
//! that something counts.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each crate and the siblings that it may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("engine", &["weir-af-xdp", "weir-ebpf", "weir-dpi", "weir-shm"]),
    ("engine/af_xdp", &[]),
    ("ebpf", &[]),
    ("dpi", &[]),
    ("shm", &[]),
    ("shm/capi", &["weir-dpi", "weir-shm"]),
    ("tools/daq", &["weir-shm"]),
    ("tools/pcap", &["weir-shm"]),
];

/// Where `unsafe` may be: files, or folders with all in them.
const ROOMS: &[&str] = &[
    "engine/af_xdp",
    "engine/src/sys",
    "engine/src/flow/group",
    "shm/src/segment.rs",
    "shm/capi/src/ffi.rs",
    "ebpf/src/sys.rs",
    "tools/src/sys",
    "tests/src/allocations.rs",
    "tools/daq/src/ffi",
    "tools/daq/tests/host",
    "tools/pcap/src/ffi",
];

/// Modules of `weir` that run or measure an engine, ask the machine what it gives one, or send the
/// traffic that one is tried with.
const KNOW_THE_ENGINE: &[&str] =
    &["tools/src/run/", "tools/src/bench", "tools/src/doctor/", "tools/src/replay/"];

/// The one module of `weir` beside them that knows the engine, and nothing of it but this: packets of
/// files are to be of the same flows as live.
const KNOWS_THE_PARSER: (&str, &str) = ("tools/src/files/wire.rs", "weir_engine::wire::");

/// Lines of a file at most.
const LINES: usize = 700;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every Rust file of the workspace, by its path from the root, with its text.
fn sources() -> Vec<(String, String)> {
    let root = root();
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let place = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                files.push((place, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(files.len() > 100, "the sources are there");
    files
}

/// The siblings that a manifest names under any table of dependencies, but those for tests alone.
fn siblings(manifest: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let mut counts = false;
    for line in manifest.lines() {
        if let Some(table) = line.strip_prefix('[') {
            counts = table.contains("dependencies") && !table.contains("dev-dependencies");
            continue;
        }
        let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
        if counts && (name == "weir" || name.starts_with("weir-")) {
            found.insert(name);
        }
    }
    found
}

/// The code of a line: without what follows `//`, and without what is quoted.
fn code(line: &str) -> String {
    line.split("//").next().unwrap_or_default().split('"').step_by(2).collect()
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
}

#[test]
fn arrows_between_crates() {
    for (krate, allowed) in ARROWS {
        let manifest = std::fs::read_to_string(root().join(krate).join("Cargo.toml")).unwrap();
        let found = siblings(&manifest);
        let beyond: Vec<_> = found.iter().filter(|name| !allowed.contains(name)).collect();
        assert!(beyond.is_empty(), "{krate} must not depend on {beyond:?}");
        assert_eq!(found.len(), allowed.len(), "{krate}: an arrow that is not used any more");
    }
    assert_eq!(
        siblings("[dependencies]\nweir-x.workspace = true\n[lints]\nweir-y = 1"),
        ["weir-x"].into()
    );
}

#[test]
fn reading_tools_do_not_know_the_engine() {
    let mut found = 0;
    for (place, text) in sources().iter().filter(|(place, _)| place.starts_with("tools/src/")) {
        // What only a test compares with is no arrow.
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        let (room, parser) = KNOWS_THE_PARSER;
        let is_parser = |line: &str| place == room && line.contains(parser);
        let uses = program
            .lines()
            .map(code)
            .any(|line| words(&line).any(|word| word == "weir_engine") && !is_parser(&line));
        found += usize::from(uses);
        let may = KNOW_THE_ENGINE.iter().any(|known| place.starts_with(known));
        assert!(!uses || may, "{place} must read shared memory only");
    }
    assert!(found > 0, "the search finds those that do use it");
}

#[test]
fn unsafe_stays_in_its_rooms() {
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for (place, text) in sources() {
        let mut lines = text.lines().map(code).enumerate();
        let Some((at, line)) = lines.find(|(_, line)| words(line).any(|word| word == "unsafe"))
        else {
            continue;
        };
        let room = ROOMS.iter().find(|room| place.starts_with(*room));
        assert!(room.is_some(), "{place}:{}: `unsafe` outside its rooms: {line}", at + 1);
        used.extend(room.copied());
    }
    assert_eq!(used.len(), ROOMS.len(), "a room that holds nothing any more: {used:?} are used");
    let safety = std::fs::read_to_string(root().join("docs/SAFETY.md")).unwrap();
    for (place, text) in sources() {
        if !text.lines().any(|line| words(&code(line)).any(|word| word == "unsafe")) {
            continue;
        }
        let listed = safety
            .lines()
            .filter_map(|line| line.strip_prefix("## "))
            .any(|room| place.starts_with(room.trim()));
        assert!(listed, "docs/SAFETY.md says nothing of {place}");
    }
}

#[test]
fn files_can_be_read_in_one_sitting() {
    for (place, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= LINES, "{place} has {lines} lines");
    }
}

/// A counter that nothing counts says zero for ever, and is believed.
#[test]
fn every_counter_is_counted() {
    let sources = sources();
    let text_of =
        |place: &str| &sources.iter().find(|(known, _)| known == place).unwrap_or(&sources[0]).1;
    let named = |text: &str, from: &str| -> Vec<String> {
        let rows =
            text.split_once(from).unwrap().1.lines().take_while(|line| !line.starts_with('}'));
        let row = |line: &str| {
            let (name, rest) = line.strip_prefix("    ")?.split_once(' ')?;
            let is_row =
                rest.starts_with('"') && name.chars().all(|c| c.is_alphanumeric() || c == '_');
            is_row.then(|| name.to_owned())
        };
        rows.filter_map(row).collect()
    };
    // Apart from where they are defined and summed up.
    let engine: Vec<_> = sources
        .iter()
        .filter(|(place, _)| place.starts_with("engine/src/"))
        .filter(|(place, _)| !place.contains("/tests") && place != "engine/src/books.rs")
        .flat_map(|(_, text)| text.split("#[cfg(test)]").next().unwrap_or_default().lines())
        .map(code)
        .collect();
    let mentioned = |path: &str| {
        engine.iter().any(|line| {
            line.match_indices(path).any(|(at, _)| {
                !line[at + path.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
            })
        })
    };
    let counts = named(text_of("engine/src/books.rs"), "counters! {\n");
    let reasons = named(text_of("engine/src/wire/reason.rs"), "reasons! {\n");
    let queue = named(text_of("engine/src/engine/ledger.rs"), "queue_counters! {\n");
    assert!(counts.len() > 15 && reasons.len() > 15 && queue.len() > 5, "the tables are read");
    let counts = counts.iter().map(|name| format!("Count::{name}"));
    let reasons = reasons.iter().map(|name| format!("Reason::{name}"));
    let missing: Vec<String> = counts.chain(reasons).filter(|path| !mentioned(path)).collect();
    assert!(missing.is_empty(), "nothing counts {missing:?}");
    let set = |name: &String| {
        engine.iter().any(|line| {
            line.contains(&format!("{name}:"))
                || line.contains(&format!(".{name} "))
                || line.contains(&format!("{name},"))
        })
    };
    let missing: Vec<&String> = queue.iter().filter(|name| !set(name)).collect();
    assert!(missing.is_empty(), "nothing sets {missing:?}");
}
