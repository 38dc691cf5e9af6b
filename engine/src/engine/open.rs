//! Opening the sources of a run: one source a shard, one port for each thing they read from.

use std::path::PathBuf;

use super::ledger::QueueCounts;
use super::{EngineError, ShardReport};
use crate::capture::files::Files;
use crate::config::{Config, SourceSpec};

/// The source of one shard.
#[derive(Debug)]
pub(super) enum AnySource {
    Files(Box<Files>),
}

/// A shard's source and what to call it.
#[derive(Debug)]
pub(super) struct Labelled {
    pub(super) source: AnySource,
    pub(super) label: String,
}

/// What the control thread keeps of a source: its counts, and what must stay open.
#[derive(Debug)]
pub(super) enum Port {
    Files { label: String, counts: QueueCounts },
}

/// Everything that the sources of a run came to.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) sources: Vec<Labelled>,
    pub(super) ports: Vec<Port>,
    /// What to tell the user about how they were opened.
    pub(super) notes: Vec<String>,
    /// The NUMA node they are on.
    pub(super) node: Option<usize>,
    /// Packets come by the clock of this machine.
    pub(super) live: bool,
}

/// Opens the configuration's sources on a machine of `cores` cores.
pub(super) fn open(config: &Config, _cores: usize) -> Result<Opened, EngineError> {
    open_files(config)
}

fn open_files(config: &Config) -> Result<Opened, EngineError> {
    let paths: Vec<PathBuf> = config.sources.iter().filter_map(file_of).collect();
    let label = match config.sources.as_slice() {
        [only] => only.to_string(),
        several => format!("{} files", several.len()),
    };
    let mut sources = Vec::new();
    for _ in 0..config.shards.max(1) {
        let source = AnySource::Files(Box::new(Files::open(&paths)?));
        sources.push(Labelled { source, label: label.clone() });
    }
    let ports = vec![Port::Files { label, counts: QueueCounts::default() }];
    Ok(Opened { sources, ports, notes: Vec::new(), node: None, live: false })
}

fn file_of(source: &SourceSpec) -> Option<PathBuf> {
    match source {
        SourceSpec::File(path) => Some(path.clone()),
        SourceSpec::Xdp(_) | SourceSpec::Packet(_) => None,
    }
}

impl Port {
    /// One label for each of its queues.
    pub(super) fn labels(&self) -> Vec<String> {
        match self {
            Port::Files { label, .. } => vec![label.clone()],
        }
    }

    /// The counts of each queue, asked from the kernel anew.
    pub(super) fn refreshed(&mut self) -> Vec<(String, QueueCounts)> {
        match self {
            Port::Files { label, counts } => vec![(label.clone(), *counts)],
        }
    }

    /// The counts once the shards have ended.
    pub(super) fn settle(&mut self, reports: &[ShardReport]) {
        match self {
            // Every shard reads the whole file, so each has seen all its frames.
            Port::Files { counts, .. } => {
                counts.wire = reports.iter().map(|report| report.frames_read).max().unwrap_or(0);
            }
        }
    }
}
