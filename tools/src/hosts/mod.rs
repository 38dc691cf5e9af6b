//! `weir hosts`: who talks, out of shared memory alone.

mod geo;
mod lists;
mod page;
mod vendor;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use weir_shm::Attached;
use weir_shm::hosts::{Host, HostKind, Hosts};

use crate::exit::{Code, failure};
use crate::flows::seconds;
use crate::grid::GridArgs;
use crate::live::{self, EngineArgs};
use geo::Geo;
pub(crate) use lists::{total_row, total_titles};
use vendor::Vendors;

/// Show the hosts that a running engine sees: what they sent and received, what they are called,
/// what they speak. Reads shared memory only; needs no privilege.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weir hosts                           most bytes first
  weir hosts 10.0.0.7                  one host: applications, peers, ports, names, latencies
  weir hosts printer                   those with this in their name, address or vendor
  weir hosts --kind local --app DNS    local hosts that speak DNS
  weir hosts --show matrix             applications by host
  weir hosts --show networks           totals of networks and VLANs
  weir hosts --watch 1 --sort rate     who is busy now")]
pub(crate) struct HostsArgs {
    #[command(flatten)]
    engine: EngineArgs,

    /// An address, for that host's page; or a part of a name, an address, a hardware address or a
    /// vendor.
    who: Option<String>,

    /// Which list.
    #[arg(long, value_enum, default_value_t = Show::Hosts)]
    show: Show,

    /// Applications by host: the same as `--show matrix`.
    #[arg(long, conflicts_with = "show")]
    matrix: bool,

    /// Only these kinds.
    #[arg(long, value_enum, value_delimiter = ',')]
    kind: Vec<Kind>,

    /// Only hosts with this application among their greatest.
    #[arg(long, value_name = "APP")]
    app: Option<String>,

    /// Only hosts in this network, as in 10.0.0.0/8.
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    network: Option<(IpAddr, u8)>,

    #[command(flatten)]
    grid: GridArgs,

    /// Show again every SECS seconds until the engine ends.
    #[arg(long, short = 'w', value_name = "SECS", value_parser = seconds)]
    watch: Option<Duration>,

    /// A file of autonomous systems in the MMDB format, such as GeoLite2-ASN.mmdb.
    #[arg(long, value_name = "FILE", env = "WEIR_ASN_DB")]
    asn_db: Option<PathBuf>,

    /// A file of countries in the MMDB format, such as GeoLite2-Country.mmdb.
    #[arg(long, value_name = "FILE", env = "WEIR_COUNTRY_DB")]
    country_db: Option<PathBuf>,

    /// The registry of hardware addresses [default: oui.txt of ieee-data or hwdata].
    #[arg(long, value_name = "FILE", env = "WEIR_OUI")]
    oui: Option<PathBuf>,
}

/// A list.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
enum Show {
    /// Hosts.
    Hosts,
    /// Devices: hosts that share a hardware address.
    Devices,
    /// Applications by host.
    Matrix,
    /// Ports of local hosts, and what is spoken there.
    Services,
    /// Networks and VLANs.
    Networks,
    /// Autonomous systems of remote hosts.
    Asns,
    /// Countries of remote hosts.
    Countries,
    /// Interfaces, with their bursts.
    Interfaces,
}

/// A kind of host.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
enum Kind {
    Local,
    System,
    Remote,
    Group,
}

impl Kind {
    fn is(self, kind: HostKind) -> bool {
        let same = match self {
            Kind::Local => HostKind::Local,
            Kind::System => HostKind::System,
            Kind::Remote => HostKind::Remote,
            Kind::Group => HostKind::Group,
        };
        same == kind
    }
}

/// What is known besides what the engine says.
struct Books {
    geo: Geo,
    vendors: Vendors,
}

impl Books {
    fn vendor(&self, host: &Host) -> String {
        self.vendors.of(host.mac).filter(|_| host.mac != 0).unwrap_or_default().to_owned()
    }
}

fn network(text: &str) -> Result<(IpAddr, u8), String> {
    let wrong = || "give a network, as in 10.0.0.0/8".to_owned();
    let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let prefix = if prefix.is_empty() { most } else { prefix.parse().map_err(|_| wrong())? };
    if prefix <= most { Ok((address, prefix)) } else { Err(wrong()) }
}

fn lies_in(address: IpAddr, (network, prefix): (IpAddr, u8)) -> bool {
    let (a, b, width) = match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits()), u128::from(b.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
        _ => return false,
    };
    let shift = width - u32::from(prefix);
    a.checked_shr(shift).unwrap_or(0) == b.checked_shr(shift).unwrap_or(0)
}

/// Runs the command.
pub(crate) fn run(args: &HostsArgs) -> anyhow::Result<ExitCode> {
    let geo = Geo::load(args.asn_db.as_deref(), args.country_db.as_deref())?;
    let vendors = Vendors::load(args.oui.as_deref());
    let oui = args.oui.as_deref().unwrap_or_else(|| "oui.txt".as_ref()).display();
    let vendors = vendors.map_err(|error| failure(Code::Failed, format!("{oui}: {error}")))?;
    let books = Books { geo, vendors };
    let needs = match args.show {
        Show::Asns if args.asn_db.is_none() => Some("--asn-db"),
        Show::Countries if args.country_db.is_none() => Some("--country-db"),
        _ => None,
    };
    if let Some(option) = needs {
        return Err(failure(Code::Usage, format!("that list needs {option} FILE")));
    }
    let engine = args.engine.attach()?;
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let text = !args.grid.json && !args.grid.csv;
    let clear = args.watch.is_some() && text && io::stdout().is_terminal();
    loop {
        if clear {
            // Home, and clear what is below.
            write!(out, "\x1b[H\x1b[J")?;
        }
        show(&engine, args, &books, &mut out)?;
        out.flush()?;
        match args.watch {
            None => return Ok(ExitCode::SUCCESS),
            Some(time) if live::wait(&engine, time) => {}
            Some(_) => return live::ended(&engine),
        }
    }
}

fn show(
    engine: &Attached,
    args: &HostsArgs,
    books: &Books,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if engine.shards().iter().all(|shard| shard.hosts().room() == 0) {
        let message = "this engine keeps no hosts: hosts.enabled is off";
        return Err(failure(Code::Failed, message));
    }
    let all = engine.hosts();
    let now_ns = live::engine_now_ns(engine);
    if let Some(address) = args.who.as_deref().and_then(|who| who.parse::<IpAddr>().ok()) {
        let Some(host) = all.hosts.get(&address.to_canonical()) else {
            return Err(failure(Code::Failed, format!("no host {address} was seen")));
        };
        return page::write(host, &all, books, now_ns, args.grid.json, out);
    }
    let list = if args.matrix { Show::Matrix } else { args.show };
    let hosts = chosen(&all, args, books);
    let grid = match list {
        Show::Hosts => lists::hosts(&hosts, books, now_ns),
        Show::Devices => lists::devices(&all, &hosts, books),
        Show::Matrix => lists::matrix(&hosts),
        Show::Services => lists::services(&hosts),
        Show::Networks => lists::networks(&all, now_ns),
        Show::Asns => lists::asns(&hosts, books),
        Show::Countries => lists::countries(&hosts, books),
        Show::Interfaces => lists::interfaces(engine, &all, now_ns),
    };
    grid.write(&args.grid, out)
}

/// The hosts that were asked for, most bytes first.
fn chosen<'a>(all: &'a Hosts, args: &HostsArgs, books: &Books) -> Vec<&'a Host> {
    let part = args.who.as_deref().map(str::to_ascii_lowercase);
    let has_part = |host: &Host, part: &str| {
        let fits = |text: &str| text.to_ascii_lowercase().contains(part);
        fits(host.name())
            || fits(&host.address.to_string())
            || (host.mac != 0 && fits(&vendor::mac_text(host.mac)))
            || fits(&books.vendor(host))
            || host.names.iter().any(|name| fits(&name.name))
    };
    let app = args.app.as_deref().map(crate::names::app_by_name);
    let mut hosts: Vec<&Host> = all
        .hosts
        .values()
        .filter(|host| args.kind.is_empty() || args.kind.iter().any(|kind| kind.is(host.kind)))
        .filter(|host| part.as_deref().is_none_or(|part| has_part(host, part)))
        .filter(|host| app.is_none_or(|app| app.is_some_and(|app| host.apps.contains_key(&app))))
        .filter(|host| args.network.is_none_or(|network| lies_in(host.address, network)))
        .collect();
    hosts.sort_by_key(|host| (std::cmp::Reverse(host.share.all_bytes()), host.address));
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_asked() {
        let ten = network("10.0.0.0/8").unwrap();
        assert!(lies_in("10.9.9.9".parse().unwrap(), ten));
        assert!(!lies_in("11.0.0.1".parse().unwrap(), ten));
        assert!(!lies_in("fe80::1".parse().unwrap(), ten));
        assert!(lies_in("11.0.0.1".parse().unwrap(), network("0.0.0.0/0").unwrap()));
        assert!(lies_in("fe80::1".parse().unwrap(), network("fe80::/10").unwrap()));
        for wrong in ["10.0.0.0/33", "x", "10.0.0.0/x", "::/129"] {
            assert!(network(wrong).is_err(), "{wrong}");
        }
    }
}
