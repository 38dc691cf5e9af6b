//! One interface: what was seen, and what follows from it.

use std::io;

use weir_engine::sys::ethtool::{Channels, Ethtool, Feature, Rings, Rss};

use super::host::Host;
use super::report::Finding;
use super::{Try, irq, probe};
use crate::netlink::{self, Features};
use crate::routes;

/// What was seen. Nothing in it decides anything.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) name: String,
    pub(super) up: bool,
    pub(super) speed_mbit: Option<u64>,
    pub(super) mtu: u64,
    pub(super) driver: Option<String>,
    /// Whether it is hardware, or stands for some.
    pub(super) device: bool,
    pub(super) node: Option<u32>,
    pub(super) channels: Option<Channels>,
    pub(super) rings: Option<Rings>,
    pub(super) rss: Option<Rss>,
    pub(super) offloads: Vec<Feature>,
    pub(super) xdp: Option<Features>,
    pub(super) program: Option<u32>,
    pub(super) default_route: bool,
    pub(super) missed: u64,
}

impl Seen {
    /// Looks at `interface`; nothing if there is none.
    pub(super) fn look(host: &Host, interface: &str) -> Option<Seen> {
        // A name with a slash would be another file.
        if interface.contains('/') || matches!(interface, "" | "." | "..") {
            return None;
        }
        let at = |file: &str| format!("/sys/class/net/{interface}/{file}");
        let number = |file: &str| host.number(&at(file));
        let index = u32::try_from(number("ifindex")?).ok()?;
        let ethtool = Ethtool::open(interface).ok();
        let ask = ethtool.as_ref();
        let said: Option<String> = ask.and_then(|e| e.driver().ok()).filter(|d| !d.is_empty());
        Some(Seen {
            name: interface.to_owned(),
            up: host.read(&at("operstate")).is_some_and(|state| state == "up")
                || number("carrier") == Some(1),
            speed_mbit: number("speed"),
            mtu: number("mtu").unwrap_or(0),
            driver: said.or_else(|| host.link(&at("device/driver"))),
            device: host.has(&at("device")),
            // A virtio device's is its parent's.
            node: number("device/numa_node")
                .or_else(|| number("device/../numa_node"))
                .and_then(|node| node.try_into().ok()),
            channels: ask.and_then(|e| e.channels().ok()),
            rings: ask.and_then(|e| e.rings().ok()),
            rss: ask.and_then(|e| e.rss().ok()).filter(|rss| !rss.table.is_empty()),
            offloads: ask.and_then(|e: &Ethtool| quiet(e.features())).unwrap_or_default(),
            xdp: netlink::features(index).ok(),
            program: netlink::attached(index).ok().flatten(),
            default_route: default_route(host, interface),
            missed: ["rx_missed_errors", "rx_fifo_errors", "rx_over_errors"]
                .iter()
                .filter_map(|file| number(&format!("statistics/{file}")))
                .fold(0, u64::saturating_add),
        })
    }

    /// Receive queues in use.
    pub(super) fn queues(&self) -> u32 {
        self.channels.map_or(1, |channels| channels.rx.max(1))
    }

    fn on(&self, offload: &str) -> bool {
        self.offloads.iter().any(|feature| feature.name == offload && feature.active)
    }
}

fn quiet<T>(result: io::Result<T>) -> Option<T> {
    result.ok()
}

/// Whether the default route of IPv4 or IPv6 leaves through `interface`.
fn default_route(host: &Host, interface: &str) -> bool {
    let v4 = host.read("/proc/net/route").unwrap_or_default();
    let v6 = host.read("/proc/net/ipv6_route").unwrap_or_default();
    routes::default_leaves_by(interface, &v4, &v6)
}

/// Everything about one interface. `probe` allows a socket to be bound.
pub(super) fn findings(host: &Host, seen: &Seen, probe: Try) -> Vec<Finding> {
    let mut all = vec![link(seen), driver(seen)];
    all.extend(program(seen));
    all.extend(mode(seen, probe));
    all.push(queues(seen));
    all.push(symmetry(seen));
    all.push(split(seen));
    all.extend(irq::finding(host, &seen.name, seen.node));
    all.extend(offloads(seen));
    all.push(mtu(seen));
    all.extend(ring(seen));
    all.extend(missed(seen));
    all.extend(route(seen));
    all
}

fn link(seen: &Seen) -> Finding {
    let speed = match seen.speed_mbit {
        Some(speed @ 1..1_000) => format!(", {speed} Mbit/s"),
        Some(speed @ 1_000..10_000_000) => format!(", {} Gbit/s", speed / 1_000),
        _ => String::new(),
    };
    let node = seen.node.map(|node| format!(", NUMA node {node}")).unwrap_or_default();
    if seen.up {
        return Finding::ok("link", format!("up{speed}{node}"));
    }
    Finding::warn("link", format!("down{node}"), format!("ip link set {} up", seen.name))
}

fn driver(seen: &Seen) -> Finding {
    const SUBJECT: &str = "driver";
    let name = seen.driver.as_deref().unwrap_or("unknown");
    match seen.xdp {
        Some(features) if features.native() => {
            let zero_copy = if features.zero_copy() { "zero-copy" } else { "no zero-copy" };
            let jumbo = if features.multi_buffer() { ", jumbo frames" } else { "" };
            Finding::ok(SUBJECT, format!("{name}: native XDP, {zero_copy}{jumbo}"))
        }
        Some(_) => Finding::warn(
            SUBJECT,
            format!("{name}: no native XDP; the kernel's generic one works, slower"),
            "packet:IF is about as fast here and leaves the packets to the host",
        ),
        None => Finding::unseen(
            SUBJECT,
            format!("{name}: the kernel does not say what it can do with XDP"),
            "Linux 6.3 or newer says it; the trial below shows it, too",
        ),
    }
}

/// The mode that AF_XDP gets, by trial.
fn mode(seen: &Seen, probe: Try) -> Option<Finding> {
    let zero_copy = seen.xdp.is_none_or(Features::zero_copy);
    match probe {
        Try::Never => None,
        Try::Auto if zero_copy && seen.default_route => Some(Finding::unseen(
            "AF_XDP mode",
            "not tried: the trial restarts a queue, and the default route uses this interface",
            format!("weir doctor {} --probe always", seen.name),
        )),
        Try::Auto | Try::Always => Some(probe::finding(&seen.name, zero_copy)),
    }
}

fn program(seen: &Seen) -> Option<Finding> {
    let id = seen.program?;
    Some(Finding::warn(
        "XDP program",
        format!("program {id} is attached already"),
        format!(
            "if it is not a running weir (weir stats), xdp:{0} will be refused; \
             see bpftool prog show id {id}, or use packet:{0}",
            seen.name
        ),
    ))
}

fn queues(seen: &Seen) -> Finding {
    match seen.channels {
        Some(Channels { rx_max, rx }) if rx < rx_max => Finding::info(
            "queues",
            format!("{rx} of at most {rx_max} (ethtool -L {} combined N)", seen.name),
        ),
        Some(Channels { rx, .. }) => Finding::info("queues", rx.to_string()),
        None => Finding::info("queues", "1"),
    }
}

fn symmetry(seen: &Seen) -> Finding {
    const SUBJECT: &str = "receive hash";
    if seen.queues() == 1 {
        return Finding::ok(SUBJECT, "one queue: nothing to spread");
    }
    match &seen.rss {
        None => Finding::warn(
            SUBJECT,
            "the driver does not say how it spreads flows over queues",
            "use --split xdp: both directions of a flow come to one shard whatever the NIC does",
        ),
        Some(rss) if rss.symmetric() => {
            let how = if rss.symmetric_xor { "symmetric-xor" } else { "a repeating key" };
            Finding::ok(SUBJECT, format!("symmetric ({how})"))
        }
        Some(_) => Finding::info(
            SUBJECT,
            "not symmetric: the two directions of a flow may come to different queues; \
             --split nic sets it for the run where the driver allows, --split xdp needs nothing",
        ),
    }
}

/// What `--split auto` comes to, and why.
fn split(seen: &Seen) -> Finding {
    let queues = seen.queues();
    let text = match (&seen.rss, queues) {
        (_, 1) => "xdp: one queue, whose packets the XDP program spreads over the shards".into(),
        (None, _) => "xdp: the NIC's hash cannot be set".into(),
        (Some(_), _) => {
            format!("nic for up to {queues} shards if the driver takes a symmetric hash, else xdp")
        }
    };
    Finding::info("--split auto", text)
}

fn offloads(seen: &Seen) -> Vec<Finding> {
    let name = &seen.name;
    let mut all = Vec::new();
    if seen.on("rx-lro") {
        all.push(Finding::warn(
            "LRO",
            "on: the NIC merges packets, and many drivers refuse XDP with it",
            format!("ethtool -K {name} lro off"),
        ));
    }
    if seen.on("rx-gro-hw") {
        all.push(Finding::warn(
            "hardware GRO",
            "on: the NIC merges packets before anybody sees them",
            format!("ethtool -K {name} rx-gro-hw off"),
        ));
    }
    if seen.on("rx-gro") {
        all.push(Finding::info(
            "GRO",
            format!(
                "on: packet:{name} counts merged packets (ethtool -K {name} gro off); \
                 xdp:{name} sees them before"
            ),
        ));
    }
    if seen.on("rx-vlan-hw-parse") && seen.device {
        all.push(Finding::warn(
            "VLAN tags",
            "taken off by the NIC: XDP sees them only if the driver gives hints",
            format!("ethtool -K {name} rxvlan off; packet:{name} is not concerned"),
        ));
    }
    if seen.driver.as_deref() == Some("veth") {
        all.push(Finding::info(
            "other end",
            "a veth hands over what its peer sends, unsegmented and without checksums: \
             ethtool -K PEER tso off gso off tx off txvlan off",
        ));
    }
    if all.is_empty() && !seen.offloads.is_empty() {
        all.push(Finding::ok("offloads", "none that merges packets"));
    }
    all
}

fn mtu(seen: &Seen) -> Finding {
    /// A page less what the kernel keeps of it, for drivers without jumbo frames.
    const ONE_BUFFER: u64 = 3_498;
    /// What a chunk of 2048 bytes holds, less Ethernet and two VLAN tags.
    const ONE_CHUNK: u64 = 2_048 - 256 - 22;
    let text = format!("MTU {}", seen.mtu);
    let jumbo = seen.xdp.is_some_and(Features::multi_buffer);
    if seen.mtu > ONE_BUFFER && !jumbo && seen.name != "lo" {
        let advice = format!("ip link set {} mtu {ONE_BUFFER} at most, or packet:IF", seen.name);
        return Finding::warn("frames", format!("{text}: too long for XDP here"), advice);
    }
    if seen.mtu > ONE_CHUNK && seen.name != "lo" {
        return Finding::info("frames", format!("{text}: a frame may take several buffers"));
    }
    Finding::ok("frames", text)
}

fn ring(seen: &Seen) -> Option<Finding> {
    let Rings { rx_max, rx } = seen.rings?;
    if rx_max == 0 {
        return None;
    }
    if rx >= rx_max || rx >= 2_048 {
        return Some(Finding::ok("receive rings", format!("{rx} descriptors")));
    }
    let most = rx_max.min(4_096);
    Some(Finding::warn(
        "receive rings",
        format!("{rx} of {rx_max} descriptors"),
        format!("ethtool -G {} rx {most}: longer bursts survive", seen.name),
    ))
}

fn missed(seen: &Seen) -> Option<Finding> {
    (seen.missed > 0).then(|| {
        Finding::info(
            "lost so far",
            format!("{} packets found no descriptor since the link came up", seen.missed),
        )
    })
}

fn route(seen: &Seen) -> Option<Finding> {
    seen.default_route.then(|| {
        Finding::warn(
            "default route",
            "leaves through this interface",
            format!(
                "xdp:{0} takes every packet from the host and cuts it off; \
                 packet:{0} looks on without taking",
                seen.name
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::*;

    fn nic() -> Seen {
        let offload = |name: &str| Feature { name: name.into(), active: true, fixed: false };
        Seen {
            name: "eth0".into(),
            up: true,
            mtu: 1_500,
            driver: Some("ice".into()),
            device: true,
            channels: Some(Channels { rx_max: 8, rx: 4 }),
            rings: Some(Rings { rx_max: 4_096, rx: 512 }),
            rss: Some(Rss { table: vec![0, 1], key: vec![1, 2, 3, 4], ..Rss::default() }),
            offloads: vec![offload("rx-lro"), offload("rx-vlan-hw-parse")],
            xdp: Some(Features(0x7f)),
            default_route: true,
            ..Seen::default()
        }
    }

    fn level(all: &[Finding], subject: &str) -> Option<Level> {
        all.iter().find(|finding| finding.subject == subject).map(|finding| finding.level)
    }

    #[test]
    fn a_nic_out_of_the_box() {
        let root = tempfile::tempdir().unwrap();
        let host = Host::at(root.path());
        let all = findings(&host, &nic(), Try::Auto);
        for (subject, wanted) in [
            ("link", Level::Ok),
            ("driver", Level::Ok),
            ("receive hash", Level::Info),
            ("LRO", Level::Warn),
            ("VLAN tags", Level::Warn),
            ("receive rings", Level::Warn),
            ("frames", Level::Ok),
            ("default route", Level::Warn),
            ("AF_XDP mode", Level::Unseen),
        ] {
            assert_eq!(level(&all, subject), Some(wanted), "{subject}");
        }
        let advised =
            all.iter().filter(|f| matches!(f.level, Level::Warn | Level::Fail | Level::Unseen));
        assert!(advised.clone().count() > 0);
        assert!(advised.clone().all(|f| f.advice.is_some()), "every problem has its advice");
    }

    #[test]
    fn a_tuned_nic_has_nothing_to_improve() {
        let mut seen = nic();
        seen.offloads.clear();
        seen.rings = Some(Rings { rx_max: 4_096, rx: 4_096 });
        seen.rss = Some(Rss { table: vec![0], symmetric_xor: true, ..Rss::default() });
        seen.default_route = false;
        let root = tempfile::tempdir().unwrap();
        let all = findings(&Host::at(root.path()), &seen, Try::Never);
        assert!(all.iter().all(|f| matches!(f.level, Level::Ok | Level::Info)), "{all:?}");
    }

    #[test]
    fn the_default_route_is_found_in_both_families() {
        let root = tempfile::tempdir().unwrap();
        let net = root.path().join("proc/net");
        std::fs::create_dir_all(&net).unwrap();
        let zeros = "0".repeat(32);
        let v4 = "Iface\tDestination\tGateway\neth0\t00000000\t0102A8C0\neth1\t0002A8C0\t0\n";
        let v6 = format!("{zeros} 00 {zeros} 00 fe80 00000400 1 0 3 eth2\n");
        std::fs::write(net.join("route"), v4).unwrap();
        std::fs::write(net.join("ipv6_route"), v6).unwrap();
        let host = Host::at(root.path());
        assert!(default_route(&host, "eth0") && default_route(&host, "eth2"));
        assert!(!default_route(&host, "eth1"));
    }

    #[test]
    fn names_that_are_paths_are_no_interfaces() {
        assert!(Seen::look(&Host::this(), "../../etc").is_none());
        assert!(Seen::look(&Host::this(), "no-such-if").is_none());
        assert!(Seen::look(&Host::this(), "lo").is_some_and(|seen| seen.queues() == 1));
    }
}
