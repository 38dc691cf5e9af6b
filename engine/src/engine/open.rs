//! Opening the sources of a run: one source a shard, one port for each thing they read from.

use std::os::fd::AsFd;
use std::path::PathBuf;

use af_xdp::HugePages;
use weir_ebpf::AttachmentWish;
use weir_shm::SegmentFd;

use super::EngineError;
use super::ledger::QueueCounts;
use crate::capture::files::Files;
use crate::capture::packet::{PacketConfig, PacketPort, PacketSource};
use crate::capture::xdp::{Idle, SplitWish, XdpConfig, XdpPort, XdpSource, ZeroCopy};
use crate::config::{Config, SourceSpec, SplitMode, Wish, XdpPath};
use crate::sys::place;
use crate::wire::LinkType;

/// The source of one shard.
#[derive(Debug)]
pub(super) enum AnySource {
    Files(Box<Files>),
    Xdp(Box<XdpSource>),
    Packet(Box<PacketSource>),
}

/// A shard's source and what to call it.
#[derive(Debug)]
pub(super) struct Labelled {
    pub(super) source: AnySource,
    pub(super) label: String,
    /// The number of the packet memory that its frames lie in, where readers can map that; its
    /// frames are copied for readers otherwise.
    pub(super) area: Option<u16>,
    /// How its frames begin, as capture files number it; all ones: not known.
    pub(super) link_type: u32,
    /// The NUMA node that its frames come in on.
    pub(super) node: Option<usize>,
}

/// What the control thread keeps of a source: its counts, and what must stay open.
#[derive(Debug)]
pub(super) enum Port {
    Files { label: String, counts: QueueCounts },
    Xdp { label: String, port: Box<XdpPort>, wish: AttachmentWish },
    Packet { label: String, port: PacketPort, config: PacketConfig },
}

/// Everything that the sources of a run came to.
#[derive(Debug, Default)]
pub(super) struct Opened {
    pub(super) sources: Vec<Labelled>,
    pub(super) ports: Vec<Port>,
    /// Packets come by the clock of this machine.
    pub(super) live: bool,
    /// Packet memories that readers can map, by number.
    pub(super) areas: Vec<SegmentFd>,
}

/// Opens the configuration's sources on a machine of `cores` cores.
pub(super) fn open(config: &Config, cores: usize, secret: [u64; 4]) -> Result<Opened, EngineError> {
    if config.sources.iter().all(SourceSpec::is_file) {
        return open_files(config);
    }
    // One core is for the rest of the system, where there is more than one.
    let free = u16::try_from(cores.saturating_sub(1) / config.sources.len()).unwrap_or(u16::MAX);
    let shards = if config.shards == 0 { free.clamp(1, 64) } else { config.shards };
    let mut opened = Opened { live: true, ..Opened::default() };
    for source in &config.sources {
        match source {
            SourceSpec::Xdp(interface) => {
                opened.add_xdp(&xdp_config(config, interface, shards, secret), source)?;
            }
            SourceSpec::Packet(interface) => {
                opened.add_packet(&packet_config(config, interface, shards, secret), source)?;
            }
            SourceSpec::File(_) => {}
        }
    }
    Ok(opened)
}

fn open_files(config: &Config) -> Result<Opened, EngineError> {
    let paths: Vec<PathBuf> = config.sources.iter().filter_map(file_of).collect();
    let label = match config.sources.as_slice() {
        [only] => only.to_string(),
        several => format!("{} files", several.len()),
    };
    let mut sources = Vec::new();
    for _ in 0..config.shards.max(1) {
        let files = Files::open(&paths)?;
        let link_type = files.link_type();
        let source = AnySource::Files(Box::new(files));
        sources.push(Labelled { source, label: label.clone(), area: None, link_type, node: None });
    }
    let ports = vec![Port::Files { label, counts: QueueCounts::default() }];
    Ok(Opened { sources, ports, ..Opened::default() })
}

fn file_of(source: &SourceSpec) -> Option<PathBuf> {
    match source {
        SourceSpec::File(path) => Some(path.clone()),
        SourceSpec::Xdp(_) | SourceSpec::Packet(_) => None,
    }
}

impl Opened {
    fn add_xdp(&mut self, config: &XdpConfig, source: &SourceSpec) -> Result<(), EngineError> {
        let node = place::node_of_interface(&config.interface);
        let (sources, port) = place::on_node(node, || XdpPort::prepare(config))?;
        let area = u16::try_from(self.areas.len()).unwrap_or(u16::MAX);
        let memory = port.umem().area();
        let fd = memory.as_fd().try_clone_to_owned().map_err(EngineError::Descriptor)?;
        self.areas.push(SegmentFd::frames(area, fd, memory.bytes()));
        self.sources.extend(sources.into_iter().map(|found| Labelled {
            label: format!("{source} shard {}", found.shard()),
            source: AnySource::Xdp(Box::new(found)),
            area: Some(area),
            link_type: LinkType::Ethernet.number(),
            node,
        }));
        let (label, port) = (source.to_string(), Box::new(port));
        self.ports.push(Port::Xdp { label, port, wish: config.native });
        Ok(())
    }

    fn add_packet(
        &mut self,
        config: &PacketConfig,
        source: &SourceSpec,
    ) -> Result<(), EngineError> {
        let node = place::node_of_interface(&config.interface);
        let (sources, port) = place::on_node(node, || PacketPort::prepare(config))?;
        self.sources.extend((0..).zip(sources).map(|(shard, found)| Labelled {
            label: format!("{source} shard {shard}"),
            link_type: found.link().number(),
            source: AnySource::Packet(Box::new(found)),
            area: None,
            node,
        }));
        let (label, config) = (source.to_string(), config.clone());
        self.ports.push(Port::Packet { label, port, config });
        Ok(())
    }
}

/// What an engine of this configuration captures from an interface with, for `shards` shards.
pub fn xdp_config(config: &Config, interface: &str, shards: u16, secret: [u64; 4]) -> XdpConfig {
    XdpConfig {
        interface: interface.into(),
        shards: shards.into(),
        split: match config.split {
            SplitMode::Auto => SplitWish::Auto,
            SplitMode::Nic => SplitWish::Nic,
            SplitMode::Xdp => SplitWish::Xdp,
        },
        queues: None,
        frame_bytes: config.frame_bytes,
        frames_per_shard: config.frames_per_shard,
        ring_entries: config.ring_descriptors,
        idle: if config.busy_poll { Idle::BusyPoll } else { Idle::Sleep },
        zero_copy: match config.zero_copy {
            Wish::Auto => ZeroCopy::Auto,
            Wish::Off => ZeroCopy::Off,
            Wish::Require => ZeroCopy::Require,
        },
        native: match config.xdp_mode {
            XdpPath::Auto => AttachmentWish::Best,
            XdpPath::Native => AttachmentWish::Native,
            XdpPath::Generic => AttachmentWish::Generic,
        },
        huge_pages: if config.huge_pages { HugePages::Try } else { HugePages::Off },
        promiscuous: config.promiscuous,
        hash_key: [secret[2], secret[3]],
        recover: config.recover,
    }
}

fn packet_config(config: &Config, interface: &str, shards: u16, secret: [u64; 4]) -> PacketConfig {
    PacketConfig {
        interface: interface.into(),
        shards,
        block_bytes: config.block_bytes,
        blocks: config.blocks,
        promiscuous: config.promiscuous,
        ignore_outgoing: config.ignore_outgoing,
        busy_poll: config.busy_poll,
        secret: secret[2],
    }
}

impl Port {
    /// One label for each of its queues.
    pub(super) fn labels(&mut self) -> Vec<String> {
        self.refreshed().into_iter().map(|(label, _)| label).collect()
    }

    /// The counts of each queue, asked from the kernel anew.
    pub(super) fn refreshed(&mut self) -> Vec<(String, QueueCounts)> {
        match self {
            Port::Files { label, counts } => vec![(label.clone(), *counts)],
            Port::Xdp { label, port, .. } => xdp_counts(label, port),
            Port::Packet { label, port, .. } => {
                let rows = port.statistics().iter();
                let counts = rows.map(|row| QueueCounts {
                    wire: row.packets,
                    kernel_dropped: row.dropped,
                    ..QueueCounts::default()
                });
                (0..).zip(counts).map(|(at, row)| (format!("{label} socket {at}"), row)).collect()
            }
        }
    }

    /// Lets frames in; says what to tell the user about how the source was opened.
    pub(super) fn start(&mut self) -> Result<Option<String>, EngineError> {
        match self {
            Port::Files { .. } => Ok(None),
            Port::Xdp { port, wish, .. } => {
                port.start(*wish)?;
                Ok(Some(port.report().to_string()))
            }
            Port::Packet { port, config, .. } => {
                port.start(config)?;
                Ok(None)
            }
        }
    }

    /// Looks after the interface; says what to tell the user.
    pub(super) fn tend(&mut self) -> Option<String> {
        match self {
            Port::Xdp { port, .. } => port.tend(),
            Port::Files { .. } | Port::Packet { .. } => None,
        }
    }

    /// Lets no more frames in: what the shards then drain is all there is.
    pub(super) fn close(&mut self) {
        match self {
            Port::Files { .. } => {}
            Port::Xdp { port, .. } => port.detach(),
            Port::Packet { port, .. } => port.close(),
        }
    }

    /// Takes note of how many frames were read from files.
    pub(super) fn note_read(&mut self, frames: u64) {
        if let Port::Files { counts, .. } = self {
            counts.wire = frames;
        }
    }
}

/// A row for each queue, and a last one for queues that came later.
fn xdp_counts(label: &str, port: &XdpPort) -> Vec<(String, QueueCounts)> {
    let rows = port.ledger().unwrap_or_default();
    let mut missed = port.nic_missed().unwrap_or(0);
    let counts = rows.iter().map(|row| {
        let nic_dropped = std::mem::take(&mut missed);
        let name = match row.queue {
            u32::MAX => format!("{label} later queues"),
            queue => format!("{label} queue {queue}"),
        };
        let counts = QueueCounts {
            wire: row.seen() + nic_dropped,
            nic_dropped,
            xdp_passed: row.passed_no_socket(),
            xdp_aborted: row.aborted(),
            ring_full: row.ring_full,
            no_buffer: row.dropped,
            kernel_dropped: 0,
        };
        (name, counts)
    });
    counts.collect()
}
