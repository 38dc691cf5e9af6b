//! Sound messages of every protocol that the tests know, as inputs of [`drive`]: what the fuzzers
//! and the tests of robustness begin with.

use crate::drive::{self, FROM_SERVER};
use crate::traffic::apps::{Over, Side, talk};
use std::path::Path;

/// A conversation, or one message of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seed {
    /// What it is, for messages.
    pub name: String,
    /// Over UDP.
    pub udp: bool,
    /// The server's port.
    pub port: u16,
    /// Messages, and whether the server sends them.
    pub messages: Vec<(bool, Vec<u8>)>,
}

/// The generated conversations, the network family's samples, and what the unit tests of the
/// dissectors left in `WEIR_SEEDS`.
///
/// # Errors
///
/// If that folder is set and cannot be read, or a row in it is none.
pub fn all() -> anyhow::Result<Vec<Seed>> {
    let mut seeds = built_in()?;
    if let Some(folder) = std::env::var_os("WEIR_SEEDS") {
        seeds.extend(left_in(Path::new(&folder))?);
    }
    Ok(seeds)
}

fn built_in() -> anyhow::Result<Vec<Seed>> {
    let mut seeds: Vec<Seed> = (0..68).filter_map(conversation).collect();
    let samples = include_str!("../../dpi/src/dissect/network/samples.tsv");
    for line in samples.lines().filter(|line| !line.starts_with('#')) {
        let mut cells: Vec<&str> = line.split('\t').collect();
        anyhow::ensure!(cells.len() == 7, "a sample has seven cells");
        cells.remove(5);
        seeds.push(message(&cells)?);
    }
    Ok(seeds)
}

fn left_in(folder: &Path) -> anyhow::Result<Vec<Seed>> {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "tsv"));
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path)?;
        message(&text.trim_end().split('\t').collect::<Vec<_>>())
    };
    paths.iter().map(read).collect()
}

fn conversation(number: usize) -> Option<Seed> {
    let talk = talk(number);
    let udp = match talk.over {
        Over::Tcp => false,
        Over::Udp => true,
        Over::Ip(_) => return None,
    };
    let messages = talk.messages.into_iter().map(|(side, bytes)| (side == Side::Server, bytes));
    Some(Seed { name: talk.app.into(), udp, port: talk.port, messages: messages.collect() })
}

/// A row: name, transport, sender, the client's and the server's port, bytes.
fn message(cells: &[&str]) -> anyhow::Result<Seed> {
    let [name, transport, sender, client, server, hex] = cells else {
        anyhow::bail!("{} cells of a seed", cells.len());
    };
    let byte = |at: usize| -> anyhow::Result<u8> {
        let pair = hex.get(at..at + 2).ok_or_else(|| anyhow::anyhow!("half a byte"))?;
        Ok(u8::from_str_radix(pair, 16)?)
    };
    let bytes = (0..hex.len()).step_by(2).map(byte).collect::<anyhow::Result<_>>()?;
    // The drive has one port a flow: the one that is more likely to mean something.
    let (client, server): (u16, u16) = (client.parse()?, server.parse()?);
    let port = if server == 0 || (client != 0 && client < server) { client } else { server };
    Ok(Seed {
        name: (*name).into(),
        udp: *transport == "UDP",
        port,
        messages: vec![(*sender == "server", bytes)],
    })
}

impl Seed {
    /// The conversation in flow `flow % 3` of its transport, as an input of the drive.
    pub fn input(&self, flow: u8) -> Vec<u8> {
        let mut input = Vec::new();
        for (from_server, message) in &self.messages {
            self.packet(flow, *from_server, message, &mut input);
        }
        input
    }

    /// Appends one packet of the conversation.
    pub fn packet(&self, flow: u8, from_server: bool, payload: &[u8], input: &mut Vec<u8>) {
        let flow = flow % 3 + if self.udp { 3 } else { 0 };
        input.push(flow | if from_server { FROM_SERVER } else { 0 });
        input.extend(self.port.to_le_bytes());
        let payload = payload.get(..usize::from(u16::MAX)).unwrap_or(payload);
        input.extend(u16::try_from(payload.len()).unwrap_or(u16::MAX).to_le_bytes());
        input.extend(payload);
    }
}

/// Writes the seeds into a folder a fuzz target: `web`, `network`, `session`, `infra`, `inspector`,
/// `metadata` and `rules`.
///
/// # Errors
///
/// If a file cannot be written.
pub fn write(folder: &Path) -> anyhow::Result<usize> {
    let seeds = all()?;
    for target in ["web", "network", "session", "infra", "inspector", "metadata", "rules"] {
        std::fs::create_dir_all(folder.join(target))?;
    }
    for (number, seed) in seeds.iter().enumerate() {
        let name = |target: &str| folder.join(target).join(format!("seed-{number:05}"));
        std::fs::write(name("inspector"), seed.input(0))?;
        for (target, dissectors) in weir_dpi::fuzzing::FAMILIES {
            let mut rows = dissectors.iter().zip(0u8..=u8::MAX);
            let own = rows.find(|(row, _)| weir_dpi::app::describe(row.app).name == seed.name);
            if let Some((_, at)) = own {
                std::fs::write(name(target), [&[1, at], &*seed.input(0)].concat())?;
            }
            if own.is_some() || seed.messages.len() > 1 {
                let path = name(target).with_extension("flow");
                std::fs::write(path, [&[0, 0], &*seed.input(1)].concat())?;
            }
        }
    }
    // Metadata as the conversations leave it.
    let mut inspector = weir_dpi::Inspector::new(&drive::limits());
    for (number, seed) in seeds.iter().enumerate().take(300) {
        let found = metadata(&mut inspector, seed);
        if !found.is_empty() {
            std::fs::write(folder.join("metadata").join(format!("seed-{number:05}")), found)?;
        }
    }
    // The examples of the page about rules.
    let page = include_str!("../../docs/RULES.md");
    for (number, example) in page.split("```rules\n").skip(1).enumerate() {
        let text = example.split("```").next().unwrap_or_default();
        let place = folder.join("rules").join(format!("seed-{number:05}"));
        std::fs::write(place, [&[0], text.as_bytes()].concat())?;
    }
    Ok(seeds.len())
}

/// What an inspector puts down about a conversation.
fn metadata(inspector: &mut weir_dpi::Inspector, seed: &Seed) -> Vec<u8> {
    let mut found = Vec::new();
    drive::inspect_with(inspector, &drive::limits(), 0, &seed.input(0), |bytes| {
        if bytes.len() > found.len() {
            found = bytes.to_vec();
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_what_they_say() {
        let seeds = built_in().unwrap();
        assert!(seeds.len() > 150, "{}", seeds.len());
        let mut inspector = weir_dpi::Inspector::new(&drive::limits());
        let limits = drive::limits();
        let mut named = 0;
        for (at, seed) in (0u64..).zip(&seeds) {
            let hours = at * 25 * 3600 * 1_000_000_000;
            named += drive::inspect(&mut inspector, &limits, hours, &seed.input(0)).named;
        }
        assert!(named * 10 > 8 * u64::try_from(seeds.len()).unwrap(), "{named} of {}", seeds.len());
    }

    #[test]
    fn every_target_has_seeds() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write(folder.path()).unwrap() > 150);
        for target in ["web", "network", "session", "inspector", "metadata"] {
            let files = std::fs::read_dir(folder.path().join(target)).unwrap().count();
            assert!(files > 20, "{target}: {files}");
        }
    }
}
