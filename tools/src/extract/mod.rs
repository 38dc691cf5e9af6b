//! `weir extract`: packets back out of what was recorded, by flow, host, application, time or filter.

mod alert;
mod blocks;
mod find;
mod merge;
mod out;
pub(crate) mod time;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::community;
use crate::exit::{Code, failure};
use crate::feed::target::Target;
use crate::files::encode::Format;
use crate::index;
use crate::live::EngineArgs;
use crate::packets;
use crate::record::choice::{Filter, Network};
use crate::units::Quantity;
use alert::Sought;
use find::{PLACES, Progress, Query};
use out::{Capture, Out, Pace, Way};

/// Take packets out of recorded files: of a flow, a host, an application, a time, or by a filter.
///
/// Reads files of `weir record` and any pcap or pcapng files, also compressed by zstd or lz4. What is
/// asked for by flow, host or application is found through the index of each file; a file without one is
/// read as a whole, twice (`weir index` makes it). Packets come in the order of the files' names, and
/// within a file in its own; files of several writers of one recorder (`--writers shard`) are merged by
/// time.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub(crate) struct ExtractArgs {
    /// Capture files, or directories of them.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// Not before this moment: 2026-11-28T17:47:41.5Z (UTC), seconds since 1970, or -10m (ago).
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    from: Option<u64>,

    /// Not after this moment.
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    to: Option<u64>,

    /// Only packets that this capture filter accepts; the language of tcpdump, which compiles it.
    #[arg(long, short = 'f', value_name = "BPF")]
    filter: Option<String>,

    /// Only packets of the flow of this number, as the engine gave it.
    #[arg(long, value_name = "ID")]
    flow: Option<u64>,

    /// Only packets of the flow of this community id.
    #[arg(long, short = 'c', value_name = "ID")]
    community_id: Option<String>,

    /// Only packets of flows of these hosts or networks, within tunnels where there are any, and ARP
    /// about them.
    #[arg(long = "host", visible_alias = "net", value_name = "ADDRESS[/BITS]", value_delimiter = ',', value_parser = Network::parse)]
    hosts: Vec<Network>,

    /// Only packets of flows of these applications, from the first packet of each.
    #[arg(long = "app", value_name = "NAME", value_delimiter = ',')]
    apps: Vec<String>,

    /// Only packets of this alert: of the host that it is about while it was active and the minute
    /// before, or its window, and of the flows that it names. By its id, as `weir alerts --json` shows it.
    #[arg(long, short = 'a', value_name = "ID", value_parser = alert::id)]
    alert: Option<u64>,

    /// The file to write; standard output by default, for `| tcpdump -r -`.
    #[arg(long, short = 'w', value_name = "FILE")]
    write: Option<PathBuf>,

    /// The format to write.
    #[arg(long, short = 'F', value_enum, default_value_t)]
    format: Format,

    /// Open the packets in Wireshark.
    #[arg(long, conflicts_with = "write")]
    wireshark: bool,

    /// Send the packets to this interface, as far apart as they came: a TAP, which is made, or one end
    /// of a veth pair.
    #[arg(long, value_name = "IF", conflicts_with_all = ["write", "wireshark"])]
    replay: Option<String>,

    /// With --replay, times as fast: 10, 0.5, or `max`.
    #[arg(long, value_name = "TIMES", default_value = "1", value_parser = speed)]
    speed: Speed,

    /// With --replay, begin once a program listens on the interface, as `tcpdump -i IF` does.
    #[arg(long, requires = "replay")]
    wait_for_reader: bool,

    /// Read whole files, though there may be indexes.
    #[arg(long)]
    no_index: bool,

    /// Say nothing on standard error.
    #[arg(long, short = 'q')]
    quiet: bool,
}

/// In thousandths; none: as fast as possible.
#[derive(Clone, Copy, Debug)]
struct Speed(Option<u64>);

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed(None));
    }
    let wrong = || "times as fast, as 10 or 0.5, or max".to_owned();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = format!("{fraction:0<3}");
    let thousandths = format!("{whole}{}", fraction.get(..3).unwrap_or("000"));
    let thousandths: u64 = thousandths.parse().map_err(|_| wrong())?;
    if thousandths == 0 { Err(wrong()) } else { Ok(Speed(Some(thousandths))) }
}

/// Runs the command.
pub(crate) fn run(args: &ExtractArgs) -> anyhow::Result<ExitCode> {
    let files = index::files(&args.paths)?;
    let mut query = query(args)?;
    find_alert(args, &files, &mut query)?;
    let stop = packets::stop_on_signals()?;
    let way = match &args.replay {
        Some(name) => {
            let target = Target::open(name)?;
            if args.wait_for_reader && !target.wait_for_reader(&stop)? {
                return Ok(ExitCode::from(Code::Failed as u8));
            }
            Way::Interface { target, pace: Pace::new(args.speed.0) }
        }
        None if args.wireshark => Way::Capture(Capture::wireshark(args.format)?),
        None => Way::Capture(Capture::to(args.write.as_deref(), args.format)?),
    };
    let mut out = Out::new(way, stop.clone(), args.quiet);
    let progress = merge::search(files, &mut query, &mut out)?;
    let [packets, bytes, dropped] = out.end()?;
    if !args.quiet {
        let Progress { read_bytes, files, skipped, without_index } = progress;
        let [bytes, read] = [bytes, read_bytes].map(|bytes| Quantity::Bytes.short(bytes));
        let mut text = format!(
            "{packets} packets ({bytes}) out of {files} files; {skipped} skipped, {read} read"
        );
        if without_index > 0 {
            write!(text, ", {without_index} without index")?;
        }
        if dropped > 0 {
            let why = "refused by the interface, or of another link type";
            write!(text, "; {dropped} not passed on: {why}")?;
        }
        writeln!(io::stderr(), "{text}")?;
    }
    Ok(if stop.is_set() { ExitCode::from(Code::Failed as u8) } else { ExitCode::SUCCESS })
}

fn find_alert(args: &ExtractArgs, files: &[PathBuf], query: &mut Query) -> anyhow::Result<()> {
    let Some(id) = args.alert else { return Ok(()) };
    let found = Sought::find(files, id, args.no_index)?;
    if found.is_of_devices() && query.has_rows() {
        let why =
            "is about a device, whose packets need be of no flow; choose among them by --filter";
        return Err(failure(Code::Usage, format!("alert {id:016x} {why}")));
    }
    query.alert = Some(found);
    Ok(())
}

fn query(args: &ExtractArgs) -> anyhow::Result<Query> {
    let community = args.community_id.as_deref().map(|text| {
        community::digest(text.as_bytes()).ok_or_else(|| {
            failure(Code::Usage, format!("{text:?} is no community id of version 1"))
        })
    });
    let engine = EngineArgs { name: None };
    let apps = args.apps.iter().map(|name| packets::app_id(name, &engine));
    let filter = args.filter.as_deref().map(str::trim).filter(|text| !text.is_empty());
    Ok(Query {
        from_ns: args.from.unwrap_or(0),
        to_ns: args.to.unwrap_or(u64::MAX),
        filter: filter.map(Filter::new).transpose()?,
        flow: args.flow,
        community: community.transpose()?,
        hosts: args.hosts.clone(),
        apps: apps.collect::<anyhow::Result<_>>()?,
        alert: None,
        no_index: args.no_index,
        places: PLACES,
    })
}
