//! What the subcommands that read packets have in common: which packets, from which engine, until
//! when.
//!
//! Capture filters are compiled by tcpdump, which asks libpcap: the language is the one that people
//! know, and nothing of it is linked here.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use weir_shm::Attached;
use weir_shm::bpf::Program;
use weir_shm::packets::{PacketOptions, PacketReader};

use crate::exit::{Code, failure};
use crate::live::{self, EngineArgs};
use crate::names;
use crate::netlink;

/// How long a reader waits before it looks for a signal.
pub(crate) const LOOK: Duration = Duration::from_millis(100);

/// Which packets to read.
#[derive(Args, Clone, Debug)]
pub(crate) struct PacketArgs {
    #[command(flatten)]
    pub(crate) engine: EngineArgs,

    /// Only packets that this capture filter accepts; the language of tcpdump, which has to be
    /// installed: it compiles the filter.
    #[arg(long, short = 'f', value_name = "BPF")]
    pub(crate) filter: Option<String>,

    /// Only packets of flows of these applications or protocols, as known at each packet: names as
    /// `weir flows` shows them, separated by commas.
    #[arg(long = "app", value_name = "NAME", value_delimiter = ',')]
    pub(crate) apps: Vec<String>,

    /// Only packets of this flow, by its number (`weir flows --columns flow_id`).
    #[arg(long, value_name = "ID")]
    pub(crate) flow: Option<u64>,

    /// Share the stream with the other members of this group: each flow goes to one of them.
    #[arg(long, short = 'g', value_name = "NAME")]
    pub(crate) group: Option<String>,

    /// Have the engine hold frames for this reader, as far as it can, rather than copy them.
    #[arg(long)]
    pub(crate) lease: bool,
}

impl PacketArgs {
    /// Opens the reader; `program` is what `weir readers` calls it.
    ///
    /// # Errors
    /// No such engine, application or group, or a filter that is not understood.
    pub(crate) fn open(&self, program: &str) -> anyhow::Result<PacketReader> {
        let apps = self.apps.iter().filter(|name| !name.trim().is_empty());
        let apps: Vec<u16> =
            apps.map(|name| app_id(name, &self.engine)).collect::<anyhow::Result<_>>()?;
        let options = PacketOptions {
            program: program.to_owned(),
            lease: self.lease,
            group: self.group.clone().filter(|name| !name.is_empty()),
            share: None,
        };
        let mut reader = self.engine.open(|name| PacketReader::open(name, &options))?;
        let filter = self.filter.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let program =
            filter.map(|text| compile(text, or_ethernet(reader.link_type()))).transpose()?;
        names::learn(reader.attached().app_names());
        reader.set_filter(program);
        reader.set_apps(&apps);
        reader.set_flow(self.flow);
        Ok(reader)
    }
}

/// The application of a name; of a dotted one, as `TLS.YouTube`, the finer.
pub(crate) fn app_id(name: &str, engine: &EngineArgs) -> anyhow::Result<u16> {
    let finest = name.trim().rsplit('.').next().unwrap_or(name);
    let find = || names::app_by_name(name.trim()).or_else(|| names::app_by_name(finest));
    // One that rules declare is the engine's to know.
    let found = find().or_else(|| engine.attach().ok().and_then(|_| find()));
    found.ok_or_else(|| {
        let advice = "names are as `weir flows` shows them, like TLS or YouTube";
        failure(Code::Usage, format!("there is no application {name:?}; {advice}"))
    })
}

/// A capture filter for frames of this link type, as capture files number it.
///
/// # Errors
/// tcpdump is not there, or what it says of the filter.
pub(crate) fn compile(filter: &str, link_type: u32) -> anyhow::Result<Program> {
    let link = link_name(link_type)
        .with_context(|| format!("no capture filters for frames of link type {link_type}"))?;
    let mut tcpdump = Command::new("tcpdump");
    tcpdump.args(["-y", link, "-ddd", "--", filter]).env("LC_ALL", "C");
    let output = tcpdump.output().context(
        "a capture filter is compiled by tcpdump, which cannot be run here; install tcpdump, or \
         choose packets by --app or --flow",
    )?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().find_map(|line| line.strip_prefix("tcpdump: ")).unwrap_or(&said);
        return Err(failure(Code::Usage, format!("capture filter {filter:?}: {}", said.trim())));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Program::parse_decimal(&text).with_context(|| format!("capture filter {filter:?}"))
}

/// Link types by their number in capture files, as libpcap names them.
const LINKS: &[(u32, &str, &str)] = &[
    (0, "NULL", "BSD loopback"),
    (1, "EN10MB", "Ethernet"),
    (9, "PPP", "PPP"),
    (50, "PPP_SERIAL", "PPP over serial"),
    (51, "PPP_ETHER", "PPP over Ethernet"),
    (101, "RAW", "Raw IP"),
    (104, "C_HDLC", "Cisco HDLC"),
    (105, "IEEE802_11", "802.11"),
    (108, "LOOP", "OpenBSD loopback"),
    (113, "LINUX_SLL", "Linux cooked v1"),
    (127, "IEEE802_11_RADIO", "802.11 plus radiotap header"),
    (192, "PPI", "Per-Packet Information"),
    (204, "PPP_WITH_DIRECTION", "PPP with direction"),
    (219, "MPLS", "MPLS"),
    (276, "LINUX_SLL2", "Linux cooked v2"),
];

fn link(link_type: u32) -> Option<&'static (u32, &'static str, &'static str)> {
    LINKS.iter().find(|(number, ..)| *number == link_type)
}

/// What libpcap calls a link type.
pub(crate) fn link_name(link_type: u32) -> Option<&'static str> {
    link(link_type).map(|(_, name, _)| *name)
}

/// What people call it.
pub(crate) fn link_title(link_type: u32) -> Option<&'static str> {
    link(link_type).map(|(.., title)| *title)
}

/// The link type of a source; Ethernet where the engine does not know.
pub(crate) const fn or_ethernet(link_type: u32) -> u32 {
    if link_type == u32::MAX { ETHERNET } else { link_type }
}

/// `LINKTYPE_ETHERNET`.
pub(crate) const ETHERNET: u32 = 1;

/// The link type of a packet, by the number in its descriptor (`docs/SHM_FORMAT.md`); `source` is
/// that of the engine, for a packet of which it was not read.
pub(crate) fn link_type(descriptor: u8, source: u32) -> u32 {
    const NUMBERS: [u32; 15] = [1, 101, 0, 108, 113, 276, 9, 204, 50, 104, 192, 105, 127, 219, 51];
    let at = usize::from(descriptor).checked_sub(1);
    at.and_then(|at| NUMBERS.get(at)).copied().unwrap_or(source)
}

/// A flag that is set once somebody asks this process to end.
pub(crate) fn stop_on_signals() -> anyhow::Result<Stop> {
    let stop = Stop(Arc::new(AtomicBool::new(false)));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let flag = Arc::clone(&stop.0);
        signal_hook::flag::register(signal, flag).context("cannot catch signals")?;
    }
    Ok(stop)
}

/// Whether to end.
#[derive(Clone, Debug)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Whether a signal came.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The sources of an engine, for people.
pub(crate) fn sources(engine: &Attached) -> String {
    let sources = engine.info().sources.iter().map(|source| live::short_source(source));
    sources.collect::<Vec<_>>().join(" ")
}

/// Refuses to send an engine's packets where it takes them from: they would go round for ever.
///
/// # Errors
/// `interface` is a source of the engine, or the other end of its cable.
pub(crate) fn refuse_circle(engine: &Attached, interface: &str) -> anyhow::Result<()> {
    let other_end = netlink::index_of(interface).and_then(netlink::other_end).ok().flatten();
    for source in &engine.info().sources {
        let Some((kind @ ("xdp" | "packet"), names)) = source.split_once(':') else { continue };
        for name in names.split([',', '@']).map(str::trim) {
            if name == interface {
                bail!("the engine takes its packets from {kind}:{name}: they would go round");
            }
            if other_end.is_some() && other_end == netlink::index_of(name).ok() {
                bail!("{interface} is the other end of {name}, where the engine takes its packets");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applications_by_their_names() {
        let engine = EngineArgs { name: Some("./none.sock".to_owned()) };
        let app_id = |name| app_id(name, &engine);
        assert_eq!(app_id("tls").unwrap(), weir_dpi::AppId::TLS.0);
        assert_eq!(app_id("TLS.YouTube").unwrap(), app_id("YouTube").unwrap());
        assert!(app_id("Sausage").unwrap_err().to_string().contains("Sausage"));
    }

    #[test]
    fn links_have_the_numbers_of_capture_files() {
        assert_eq!((link_type(0, 113), link_type(1, 113), link_type(2, 1)), (113, 1, 101));
        assert_eq!((link_type(15, 1), link_type(16, 1)), (51, 1));
        for number in 1..=15 {
            assert!(link_name(link_type(number, 1)).is_some(), "{number}");
        }
        assert_eq!(link_title(1), Some("Ethernet"));
    }
}
