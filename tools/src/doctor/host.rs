//! What `/proc` and `/sys` say. The root is a parameter, so that tests bring their own machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// A machine's files.
#[derive(Clone, Debug)]
pub(super) struct Host {
    root: PathBuf,
}

impl Host {
    /// This machine.
    pub(super) fn this() -> Host {
        Host { root: PathBuf::from("/") }
    }

    /// A machine whose `/proc` and `/sys` lie under `root`.
    #[cfg(test)]
    pub(super) fn at(root: impl Into<PathBuf>) -> Host {
        Host { root: root.into() }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A file's text without blanks around it.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path(path)).ok().map(|text| text.trim().to_owned())
    }

    /// A file's number.
    pub(super) fn number(&self, path: &str) -> Option<u64> {
        self.read(path)?.parse().ok()
    }

    /// Whether there is such a file.
    pub(super) fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The names in a directory, in order.
    pub(super) fn list(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(path)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_by_key(|name| (name.len(), name.clone()));
        names
    }

    /// The last part of what a link points at.
    pub(super) fn link(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.path(path)).ok()?;
        target.file_name()?.to_str().map(str::to_owned)
    }

    /// Processors of every NUMA node, by the node's number.
    pub(super) fn nodes(&self) -> Vec<(u32, BTreeSet<u32>)> {
        let names = self.list("/sys/devices/system/node");
        let numbers = names.iter().filter_map(|name| name.strip_prefix("node")?.parse().ok());
        let processors = |node: u32| {
            let list = self.read(&format!("/sys/devices/system/node/node{node}/cpulist"));
            list.map(|text| cpu_list(&text)).unwrap_or_default()
        };
        numbers.map(|node| (node, processors(node))).collect()
    }
}

/// Reads `0-3,8`. What makes no sense is left out.
pub(super) fn cpu_list(text: &str) -> BTreeSet<u32> {
    /// Processors of a machine at most; a list from a file may claim anything.
    const MOST: u32 = 1 << 16;
    let mut all = BTreeSet::new();
    for part in text.trim().split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(from), Ok(to)) = (from.parse::<u32>(), to.parse::<u32>()) {
            all.extend(from..=to.min(MOST));
        }
    }
    all
}

/// The reverse: `0-3,8`.
pub(super) fn cpu_text(all: &BTreeSet<u32>) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for cpu in all {
        match runs.last_mut() {
            Some((_, to)) if *to + 1 == *cpu => *to = *cpu,
            _ => runs.push((*cpu, *cpu)),
        }
    }
    let text = |(from, to): &(u32, u32)| {
        if from == to { from.to_string() } else { format!("{from}-{to}") }
    };
    runs.iter().map(text).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Lists of processors read back as they were written.
        #[test]
        fn lists_read_back(all in prop::collection::btree_set(0_u32..300, 0..40)) {
            prop_assert_eq!(cpu_list(&cpu_text(&all)), all);
        }

        /// Any text is survived.
        #[test]
        fn any_text_is_survived(text in "[0-9,-]{0,24}") {
            prop_assert!(cpu_list(&text).len() <= 1 + (1 << 16));
        }
    }
}
