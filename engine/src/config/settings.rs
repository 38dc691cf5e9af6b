//! Every setting, in one table: name, unit, default, range and prose. The keys of `weir.toml`,
//! `docs/CONFIG.md` and the checks come from here.

use std::fmt::Write as _;

/// What a setting may hold.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    /// A whole number in a unit, with its default, least and greatest value.
    Number {
        /// Unit, in words.
        unit: &'static str,
        /// Default.
        default: i64,
        /// Least.
        least: i64,
        /// Greatest.
        most: i64,
    },
    /// Yes or no, with its default.
    Flag(bool),
    /// One of these words; the first is the default.
    Choice(&'static [&'static str]),
    /// A text, with its default.
    Text {
        /// What it is.
        what: &'static str,
        /// Default.
        default: &'static str,
    },
    /// A list of texts.
    Texts {
        /// What they are.
        what: &'static str,
        /// Default.
        default: &'static [&'static str],
    },
}

/// One setting.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Setting {
    /// `section.key`, as in the file.
    pub key: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// What it does.
    pub help: &'static str,
}

macro_rules! settings {
    ($($name:ident $key:literal $kind:expr, $help:literal;)*) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "one name a row")]
        pub(super) enum Key { $($name),* }
        /// Every setting.
        pub const SETTINGS: &[Setting] = &[$(Setting { key: $key, kind: $kind, help: $help }),*];
    };
}

const fn number(unit: &'static str, default: i64, least: i64, most: i64) -> Kind {
    Kind::Number { unit, default, least, most }
}

settings! {
    SHARDS "engine.shards" number("shards", 0, 0, 254),
        "Threads that handle packets, each with flows of its own. 0: one for a file; for an \
         interface, one a core, less one for the rest of the system.";
    PIN "engine.pin" Kind::Flag(true),
        "Pin each shard to a core, the interface's NUMA node first.";
    SPLIT "capture.split" Kind::Choice(&["auto", "nic", "xdp"]),
        "Who gives flows to shards: the NIC's queues (symmetric RSS), or the XDP program within \
         a queue. auto: nic where the NIC has queues enough and a symmetric hash, else xdp.";
    ZERO_COPY "capture.zero_copy" Kind::Choice(&["auto", "off", "require"]),
        "AF_XDP zero copy: tried first, never, or an error where the driver has none.";
    XDP_MODE "capture.xdp_mode" Kind::Choice(&["auto", "native", "generic"]),
        "Where the XDP program runs: in the driver, with generic as the fall-back; in the driver \
         only; or in the kernel's generic path only.";
    WAIT "capture.wait" Kind::Choice(&["sleep", "busy_poll"]),
        "What an idle shard does: sleeps until frames come, or keeps asking the driver.";
    FRAME_BYTES "capture.frame_bytes" Kind::Choice(&["2048", "4096"]),
        "Bytes of a frame buffer. Longer packets take several. In zero-copy mode it is 4096 where the \
         NIC cannot put whole frames into 2048 (igb, igc and ixgbe with an MTU above 998).";
    FRAMES "capture.frames_per_shard" number("frames", 16384, 256, 1 << 22),
        "Frame buffers of each shard.";
    RING "capture.ring_descriptors" number("descriptors", 4096, 64, 1 << 16),
        "Entries of each AF_XDP ring; a power of two.";
    PROMISCUOUS "capture.promiscuous" Kind::Flag(true),
        "Also take frames that are not addressed to this machine.";
    RECOVER "capture.recover" Kind::Flag(true),
        "AF_XDP: when the interface goes and comes back, or its number of queues changes, take it \
         anew. The control thread keeps the privileges for that (CAP_NET_ADMIN, CAP_NET_RAW, \
         CAP_BPF, CAP_PERFMON, CAP_IPC_LOCK). Without, it says what happened and keeps CAP_NET_ADMIN alone.";
    IGNORE_OUTGOING "capture.ignore_outgoing" Kind::Flag(false),
        "AF_PACKET: leave out what this machine sends.";
    BLOCK_BYTES "capture.block_bytes" number("bytes", 1 << 20, 1 << 16, 1 << 26),
        "Bytes of a block of the AF_PACKET ring; a power of two.";
    BLOCKS "capture.blocks" number("blocks", 32, 4, 4096),
        "Blocks of each shard's AF_PACKET ring.";
    FLOWS "flow.capacity" number("flows", 1_000_000, 30, 1 << 30),
        "Flows each shard holds at the same time. A full table evicts flows of one packet first.";
    TIMEOUTS "flow.timeouts" Kind::Flag(true),
        "End flows by time. Without, a key is one flow until the run ends.";
    IDLE "flow.idle_s" number("seconds", 60, 1, 86_400),
        "Silence after which a flow ends.";
    LOCAL_IDLE "flow.local_idle_s" number("seconds", 300, 1, 86_400),
        "The same for flows between local hosts: both ends in a local network.";
    ACTIVE "flow.active_s" number("seconds", 120, 1, 86_400),
        "A flow that goes on is reported this often.";
    CLOSED "flow.closed_s" number("seconds", 10, 1, 3600),
        "Silence after which a TCP flow that was closed ends.";
    LOCAL "flow.local_networks" Kind::Texts {
            what: "networks, such as 10.0.0.0/8",
            default: &[
                "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8",
                "fc00::/7", "fe80::/10", "::1",
            ],
        },
        "The networks that count as local (RFC 1918, 3927, 4193 and 4291 by default).";
    FRAGMENTS "flow.fragments" number("datagrams", 4096, 16, 1 << 20),
        "Fragmented datagrams each shard follows at the same time.";
    HEALTH "health.enabled" Kind::Flag(false),
        "Keep each flow's health: retransmissions, losses, windows, round trips, answer times, rates \
         (docs/METRICS.md). 416 bytes a flow, and about 40 ns a packet.";
    HOSTS "hosts.enabled" Kind::Flag(true),
        "Keep what hosts, applications and networks came to.";
    HOSTS_CAPACITY "hosts.capacity" number("hosts", 131_072, 1024, 1 << 26),
        "Hosts each shard knows at the same time, 128 bytes each. Where there is no room, remote ones \
         that were silent longest leave.";
    HOSTS_LOCAL_CAPACITY "hosts.local_capacity" number("hosts", 2048, 0, 1 << 20),
        "Local hosts of which each shard keeps everything, 4.4 KiB each: applications, peers, ports, \
         names, hardware. Of others it keeps the totals.";
    HOSTS_NAMES "hosts.names" number("names", 16_384, 0, 1 << 24),
        "Names of addresses each shard remembers, 128 bytes each.";
    HOSTS_LOCAL "hosts.local" Kind::Texts {
            what: "networks, such as 10.0.0.0/8",
            default: &[
                "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8",
                "fc00::/7", "fe80::/10", "::1",
            ],
        },
        "The networks whose hosts are local. Those of the captured interfaces are as well.";
    HOSTS_ASN_DB "hosts.asn_db" Kind::Text { what: "a file", default: "" },
        "A file of autonomous systems in the MMDB format, such as GeoLite2-ASN.mmdb. For `weir hosts`, \
         `weir flows` and `weir top`; the engine itself does not read it.";
    HOSTS_COUNTRY_DB "hosts.country_db" Kind::Text { what: "a file", default: "" },
        "The same of countries, such as GeoLite2-Country.mmdb.";
    INSPECT "inspect.enabled" Kind::Flag(true),
        "Look for the application of each flow.";
    INSPECTIONS "inspect.flows" number("flows", 16384, 16, 1 << 22),
        "Flows each shard inspects at the same time. Beyond, a flow is named by its port alone.";
    STREAMS "inspect.stream_buffers" number("buffers", 2048, 16, 1 << 20),
        "Messages over several segments that each shard puts together at the same time.";
    EXPLAIN "inspect.explain" Kind::Flag(true),
        "Keep why each flow has its name: which packet, which rule, which bytes (up to 24 bytes of \
         metadata a flow).";
    RULES "inspect.rules" Kind::Texts { what: "files of rules", default: &[] },
        "Files of rules and lists (docs/RULES.md), read at the start. `weir rules load` puts others in \
         their place while the engine runs.";
    RISKS_OFF "inspect.risks_off" Kind::Texts { what: "names of risks", default: &[] },
        "Risks that are not to be reported.";
    ALERTS "alerts.enabled" Kind::Flag(true),
        "Look for what is worth an alert (docs/ALERTS.md). Needs `flow.timeouts` for alerts that wait for \
         a flow's end.";
    ALERT_LEARN "alerts.learn_s" number("seconds", 3600, 0, 2_592_000),
        "From the first packet on, so long are devices and DHCP servers learned rather than told.";
    ALERT_DHCP "alerts.dhcp_servers" Kind::Texts { what: "networks, such as 10.0.0.1", default: &[] },
        "DHCP servers that are known; all others are told. None: those of the learning time.";
    ALERT_DNS "alerts.dns_servers" Kind::Texts { what: "networks, such as 10.0.0.53", default: &[] },
        "DNS servers that are known; all others are told. None: any may be one.";
    ALERT_KEYS "alerts.keys" number("keys", 65_536, 1024, 1 << 24),
        "Hosts, services and pairs of them that each shard counts by at the same time.";
    ALERT_PLACES "alerts.active" number("alerts", 1024, 16, 65_536),
        "Alerts of each shard that may be active at the same time.";
    ALERT_RING "alerts.ring_bytes" number("bytes", 1 << 20, 1 << 14, 1 << 30),
        "Bytes of each shard's ring of alert records; a power of two.";
    RECORDS "export.record_ring_bytes" number("bytes", 1 << 24, 1 << 20, 1 << 32),
        "Bytes of each shard's ring of flow records; a power of two.";
    ARENA "export.arena_bytes" number("bytes", 1 << 26, 1 << 20, 1 << 32),
        "Bytes of each shard's arena of host names and other metadata.";
    PACKETS "export.packet_ring" number("descriptors", 8192, 1024, 1 << 22),
        "Descriptors of each shard's packet ring, and so the frames that are kept while somebody \
         reads packets; a power of two. Half of the frame buffers or less.";
    LEASES "export.packet_leases" number("descriptors", 4096, 0, 1 << 21),
        "How many of them are there only for readers with a lease that are behind; half at most.";
    PACKET_ACCESS "export.packet_access" Kind::Choice(&["owner", "group", "any"]),
        "Who may read packets: the engine's user and root; members of export.socket_group too; or \
         everybody. Flows and counters are for whoever may use the socket.";
    SOCKET_GROUP "export.socket_group" Kind::Text { what: "a group of the system", default: "" },
        "The group that the socket belongs to. None: the engine's own.";
    SOCKET_MODE "export.socket_mode" Kind::Text { what: "octal permissions", default: "0666" },
        "Permissions of the socket: who may use it at all.";
    HUGE "export.huge_pages" Kind::Flag(false),
        "Put shared memory on 2 MiB pages; falls back, and says so, where there are none.";
}

/// The documentation of every setting, as `docs/CONFIG.md` holds it.
pub fn manual() -> String {
    let mut text = String::from(
        "# Settings\n\nThe keys of `weir.toml` (`weir run --config weir.toml`). Options on the \
         command line win. This page is made from the table in `engine/src/config/settings.rs`; a \
         test holds them equal.\n",
    );
    let mut section = "";
    for setting in SETTINGS {
        let (of, key) = setting.key.split_once('.').unwrap_or(("", setting.key));
        if of != section {
            section = of;
            let head = "| key | default | range | meaning |\n| --- | --- | --- | --- |";
            // Writing to a String cannot fail.
            _ = writeln!(text, "\n## [{section}]\n\n{head}");
        }
        let (default, range) = match setting.kind {
            Kind::Number { unit, default, least, most } => {
                (default.to_string(), format!("{least}–{most} {unit}"))
            }
            Kind::Flag(default) => (default.to_string(), "true, false".into()),
            Kind::Choice(words) => {
                (words.first().copied().unwrap_or_default().into(), words.join(", "))
            }
            Kind::Text { what, default } => {
                (if default.is_empty() { "none" } else { default }.into(), what.into())
            }
            Kind::Texts { what, default } => (default.join(", "), what.into()),
        };
        _ = writeln!(text, "| `{key}` | {default} | {range} | {} |", setting.help);
    }
    text.push_str(super::alerts::MANUAL);
    text
}
