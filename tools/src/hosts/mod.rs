//! `weir hosts`: who talks, out of shared memory alone.

mod lists;
pub(crate) mod page;
mod vendor;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use weir_shm::Attached;
use weir_shm::hosts::{Host, HostKind, Hosts, PortOf};

use crate::exit::{Code, failure};
use crate::flows::seconds;
use crate::geo::{self, Geo, GeoArgs};
use crate::grid::GridArgs;
use crate::live::{self, EngineArgs};
use crate::resolve::{self, ResolveArgs};
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
  weir hosts --show services --port 22 who serves SSH, or something else, on its port
  weir hosts --show peers 10.0.0.7     whom it talks with
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

    /// Only hosts that serve or use this port among their greatest.
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// Only hosts in this network, as in 10.0.0.0/8.
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    network: Option<(IpAddr, u8)>,

    #[command(flatten)]
    grid: GridArgs,

    /// Show again every SECS seconds until the engine ends.
    #[arg(long, short = 'w', value_name = "SECS", value_parser = seconds)]
    watch: Option<Duration>,

    #[command(flatten)]
    books: BooksArgs,
}

/// What is known of hosts besides what the engine says, and from where.
#[derive(Args, Clone, Debug)]
pub(crate) struct BooksArgs {
    #[command(flatten)]
    geo: GeoArgs,

    /// The registry of hardware addresses [default: oui.txt of ieee-data or hwdata].
    #[arg(long, value_name = "FILE", env = "WEIR_OUI")]
    oui: Option<PathBuf>,

    #[command(flatten)]
    resolve: ResolveArgs,
}

impl BooksArgs {
    /// Reads the files, and begins to look up names where that is asked for.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn read(&self, engine: &Attached) -> anyhow::Result<Books> {
        let vendors = Vendors::load(self.oui.as_deref());
        let oui = self.oui.as_deref().unwrap_or_else(|| "oui.txt".as_ref()).display();
        let vendors = vendors.map_err(|error| failure(Code::Failed, format!("{oui}: {error}")))?;
        self.geo.learn(engine)?;
        self.resolve.begin()?;
        Ok(Books { geo: geo::known(), vendors })
    }
}

impl HostsArgs {
    /// Whether the port is asked for; all are where none is.
    fn wants(&self, port: PortOf) -> bool {
        self.port.is_none_or(|wanted| wanted == port.port)
    }
}

/// A list.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
enum Show {
    /// Hosts.
    Hosts,
    /// Who talks with whom: the greatest peers of local hosts.
    Peers,
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
#[derive(Debug)]
pub(crate) struct Books {
    geo: &'static Geo,
    vendors: Vendors,
}

#[cfg(test)]
impl Books {
    /// Nothing is known.
    pub(crate) fn empty() -> Books {
        Books { geo: geo::known(), vendors: Vendors::default() }
    }
}

impl Books {
    /// What the host is called: by what was seen, or as it was looked up. Empty: nothing is known.
    pub(crate) fn name(host: &Host) -> String {
        match host.name() {
            "" => resolve::name(host.address).unwrap_or_default(),
            name => name.to_owned(),
        }
    }

    /// The maker of the host's hardware; empty where it is not known.
    pub(crate) fn vendor(&self, host: &Host) -> String {
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
    let engine = args.engine.attach()?;
    let books = args.books.read(&engine)?;
    let missing = match args.show {
        Show::Asns if !books.geo.has_asns() => Some(("--asn-db", "hosts.asn_db")),
        Show::Countries if !books.geo.has_countries() => Some(("--country-db", "hosts.country_db")),
        _ => None,
    };
    if let Some((option, key)) = missing {
        let message = format!("that list needs {option} FILE, or {key} in the engine's settings");
        return Err(failure(Code::Usage, message));
    }
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let text = !args.grid.json && !args.grid.csv;
    if resolve::is_on() && args.watch.is_none() {
        // Asks for the names that the second look then shows.
        show(&engine, args, &books, &mut io::sink())?;
        resolve::settle(resolve::PATIENCE);
    }
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
    let list = if args.matrix { Show::Matrix } else { args.show };
    let address = args.who.as_deref().and_then(|who| who.parse::<IpAddr>().ok());
    if let (Some(address), Show::Hosts) = (address, list) {
        let Some(host) = all.hosts.get(&address.to_canonical()) else {
            return Err(failure(Code::Failed, format!("no host {address} was seen")));
        };
        return page::write(host, &all, books, now_ns, args.grid.json, out);
    }
    let part = args.who.as_deref().map(str::to_ascii_lowercase);
    let hosts = chosen(&all, args, part.as_deref(), books);
    let grid = match list {
        Show::Hosts => lists::hosts(&hosts, books, now_ns),
        Show::Devices => lists::devices(&all, &hosts, books),
        Show::Matrix => lists::matrix(&hosts),
        Show::Peers => lists::peers(&all, &hosts),
        Show::Services => lists::services(&hosts, |port| args.wants(port)),
        Show::Networks => lists::networks(&all, part.as_deref(), now_ns),
        Show::Asns => lists::asns(&hosts, books, now_ns),
        Show::Countries => lists::countries(&hosts, books, now_ns),
        Show::Interfaces => lists::interfaces(engine, &all, now_ns),
    };
    grid.write(&args.grid, out)
}

/// The hosts that were asked for, most bytes first.
fn chosen<'a>(
    all: &'a Hosts,
    args: &HostsArgs,
    part: Option<&str>,
    books: &Books,
) -> Vec<&'a Host> {
    let has_part = |host: &Host, part: &str| {
        if let Ok(address) = part.parse::<IpAddr>() {
            return host.address == address.to_canonical();
        }
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
        .filter(|host| part.is_none_or(|part| has_part(host, part)))
        .filter(|host| app.is_none_or(|app| app.is_some_and(|app| host.apps.contains_key(&app))))
        .filter(|host| args.port.is_none() || host.ports.keys().any(|port| args.wants(*port)))
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
