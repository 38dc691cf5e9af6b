//! The command line of `weir record`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use weir_shm::alerts::Severity;

use super::choice::{CutOff, Network};
use super::trigger::TriggerArgs;
use crate::alerts::severity;
use crate::exit::{Code, failure};
use crate::files::encode::Format;
use crate::files::packed::Method;
use crate::index;
use crate::live::EngineArgs;
use crate::units::{self, Quantity};

/// Record packets to files, with an index that finds any flow of them at once.
///
/// Reads the packets of a running engine, or of capture files (`pcap:FILE`, or a directory of them).
/// Files appear whole, one after the other, each with its index beside it; `weir extract` takes flows
/// out of them. What the disk does not take is dropped, counted and named; the engine never waits. Ends
/// with the engine, or by a signal. SIGUSR1 and `weir record trigger` have `--pretrigger` written.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct RecordArgs {
    #[command(subcommand)]
    pub(super) sub: Option<Sub>,

    /// `pcap:FILE`, or `pcap:DIR`: record what is in capture files instead, without an engine.
    #[arg(value_name = "SOURCE", conflicts_with_all = ["name", "group", "flow", "window"])]
    pub(super) sources: Vec<String>,

    #[command(flatten)]
    pub(super) engine: EngineArgs,

    /// The directory of the files; made where it is not there.
    #[arg(long, short = 'd', value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,

    /// Send the packets to this interface, too, or instead: a TAP, which is made, or one end of a veth
    /// pair.
    #[arg(long, value_name = "IF")]
    pub(super) tap: Option<String>,

    /// With --tap, begin once a program listens on the interface, as `tcpdump -i IF` does.
    #[arg(long, requires = "tap")]
    pub(super) wait_for_reader: bool,

    /// What files are named after.
    #[arg(long, value_name = "TEXT", default_value = "weir", value_parser = prefix)]
    pub(super) prefix: String,

    /// The format of files.
    #[arg(long, short = 'F', value_enum, default_value_t)]
    pub(super) format: Format,

    /// Compress files: `zstd`, `zstd:LEVEL` (1 to 19; 1 by default) or `lz4`. Any place of them is still
    /// found at once. Plain pcap is compressed by lz4 alone.
    #[arg(long, value_name = "HOW", value_parser = Method::parse)]
    pub(super) compress: Option<Method>,

    /// Threads that compress.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u64).range(1..=64))]
    pub(super) compress_threads: u64,

    /// Files of all shards together, in the order of time, or of each shard by itself, written by a
    /// thread of its own; `weir extract` merges those.
    #[arg(long, value_enum, default_value_t, conflicts_with_all = ["sources", "pretrigger", "tap"])]
    pub(super) writers: Writers,

    /// Only packets that this capture filter accepts; the language of tcpdump, which compiles it.
    #[arg(long, short = 'f', value_name = "BPF")]
    pub(super) filter: Option<String>,

    /// Only packets of flows of these applications or protocols, as known at each packet.
    #[arg(long = "app", value_name = "NAME", value_delimiter = ',')]
    pub(super) apps: Vec<String>,

    /// Only packets of this flow, by its number.
    #[arg(long, value_name = "ID")]
    pub(super) flow: Option<u64>,

    /// Only packets of flows of these hosts or networks, within tunnels where there are any, and ARP
    /// about them.
    #[arg(long = "host", visible_alias = "net", value_name = "ADDRESS[/BITS]", value_delimiter = ',', value_parser = Network::parse)]
    pub(super) hosts: Vec<Network>,

    /// Only packets of these VLANs.
    #[arg(long = "vlan", value_name = "ID", value_delimiter = ',')]
    pub(super) vlans: Vec<u16>,

    /// Only packets of flows whose application is not known.
    #[arg(long)]
    pub(super) unknown: bool,

    /// Only packets of flows of which a risk is known.
    #[arg(long)]
    pub(super) risk: bool,

    /// Only packets of hosts and flows that an alert names, of this severity at least (low, medium,
    /// high, severe), while it is active and --after it; with --pretrigger those before it, too.
    #[arg(long, value_name = "SEVERITY", num_args = 0..=1, require_equals = true, default_missing_value = "low", value_parser = severity)]
    pub(super) alert: Option<Severity>,

    /// Only one of N flows, the same ones in every run; and packets of no flow.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) sample: Option<u64>,

    /// Only the first K packets of each flow, or its first bytes: 20, 64KB.
    #[arg(long, value_name = "K", value_parser = CutOff::parse)]
    pub(super) cutoff: Option<CutOff>,

    /// Bytes of each packet at most.
    #[arg(long, short = 's', value_name = "BYTES", value_parser = size)]
    pub(super) snap: Option<u64>,

    /// Bytes of each packet of flows of an application at most.
    #[arg(long = "snap-app", value_name = "NAME=BYTES", value_delimiter = ',', value_parser = snap)]
    pub(super) snap_apps: Vec<(String, u64)>,

    /// Keep the last SECONDS in memory and write them, and what comes then, only when triggered; with
    /// --alert also what an alert names, once it does.
    #[arg(long, value_name = "SECONDS", value_parser = time)]
    pub(super) pretrigger: Option<u64>,

    /// Memory for that at most.
    #[arg(long, value_name = "BYTES", default_value = "256MiB", value_parser = size)]
    pub(super) pretrigger_memory: u64,

    /// How long is written after a trigger, and after the end of an alert.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = time)]
    pub(super) after: u64,

    /// Begin another file at this size, on the disk.
    #[arg(long, value_name = "BYTES", default_value = "1GB", value_parser = size)]
    pub(super) file_size: u64,

    /// Begin another file after this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) file_time: Option<u64>,

    /// Begin another file after so many packets.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) file_packets: Option<u64>,

    /// Keep this much, with indexes and the file being written: the oldest files are removed.
    #[arg(long, value_name = "BYTES", value_parser = size)]
    pub(super) total_size: Option<u64>,

    /// Remove files that are older.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) max_age: Option<u64>,

    /// When files reach the disk for sure: `never` (when the kernel wants to), `file` (each before it
    /// gets its name), or a time (that, and as often the one being written).
    #[arg(long, value_name = "WHEN", default_value = "file", value_parser = Sync::parse)]
    pub(super) sync: Sync,

    /// Memory between the rings and the disk.
    #[arg(long, value_name = "BYTES", default_value = "64MiB", value_parser = size)]
    pub(super) buffers: u64,

    /// Memory that the index of a file may take; another file begins where it is used up.
    #[arg(long, value_name = "BYTES", default_value = "256MiB", value_parser = size)]
    pub(super) index_memory: u64,

    /// Flows of which it is remembered how much was kept.
    #[arg(long, value_name = "N", default_value = "500k", value_parser = count)]
    pub(super) flows: u64,

    /// Write no index.
    #[arg(long)]
    pub(super) no_index: bool,

    /// Say of each packet what is known of its flow, as a comment that people can read.
    #[arg(long)]
    pub(super) comments: bool,

    /// Share the stream with the other members of this group: each flow goes to one of them.
    #[arg(long, short = 'g', value_name = "NAME")]
    pub(super) group: Option<String>,

    /// Copy packets rather than have the engine hold them for this reader.
    #[arg(long)]
    pub(super) window: bool,

    /// Write through the page cache.
    #[arg(long)]
    pub(super) no_direct: bool,

    /// Write by `pwrite` instead of `io_uring`.
    #[arg(long)]
    pub(super) no_uring: bool,

    /// Print the summary as one JSON object.
    #[arg(long)]
    pub(super) json: bool,
}

/// Whose packets are in a file.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, ValueEnum)]
pub(super) enum Writers {
    /// All shards', in the order of time.
    #[default]
    Merged,
    /// One shard's.
    Shard,
}

/// What else there is.
#[derive(Subcommand, Debug)]
pub(super) enum Sub {
    Trigger(TriggerArgs),
}

impl RecordArgs {
    /// Whether writes are to go around the page cache.
    pub(super) const fn direct(&self) -> bool {
        !self.no_direct
    }

    /// The capture files that are to be read.
    ///
    /// # Errors
    /// A source is no file's, or its file is not there.
    pub(super) fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let path = |source: &String| {
            let path = source.strip_prefix("pcap:").map(PathBuf::from);
            path.ok_or_else(|| {
                let advice = "record pcap:FILE, or an engine by --name";
                failure(Code::Usage, format!("{source:?} is no source: {advice}"))
            })
        };
        let paths = self.sources.iter().map(path).collect::<anyhow::Result<Vec<_>>>()?;
        index::files(&paths)
    }
}

/// When files reach the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sync {
    Never,
    File,
    Every(u64),
}

impl Sync {
    fn parse(text: &str) -> Result<Sync, String> {
        match text {
            "never" => Ok(Sync::Never),
            "file" => Ok(Sync::File),
            _ => time(text).map(Sync::Every).map_err(|error| format!("never, file, or {error}")),
        }
    }

    pub(super) const fn every_ns(self) -> Option<u64> {
        if let Sync::Every(ns) = self { Some(ns) } else { None }
    }

    pub(super) const fn files(self) -> bool {
        !matches!(self, Sync::Never)
    }
}

fn prefix(text: &str) -> Result<String, String> {
    let fits = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if fits && !text.starts_with('.') {
        Ok(text.to_owned())
    } else {
        Err("letters, digits, - and _".to_owned())
    }
}

fn number(text: &str, quantity: Quantity) -> Result<u64, String> {
    let number = units::parse(text.trim(), quantity).filter(|number| *number > 0);
    number.ok_or_else(|| format!("such as {}", quantity.examples()))
}

fn size(text: &str) -> Result<u64, String> {
    number(text, Quantity::Bytes)
}

fn time(text: &str) -> Result<u64, String> {
    number(text, Quantity::Time)
}

fn count(text: &str) -> Result<u64, String> {
    number(text, Quantity::Count)
}

fn snap(text: &str) -> Result<(String, u64), String> {
    let (name, bytes) = text.split_once('=').ok_or("NAME=BYTES, as TLS=128")?;
    Ok((name.to_owned(), size(bytes)?))
}
