//! The kinds of alerts, with the numbers that are part of the format.

/// How the shares of an alert that several shards raise come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adds {
    /// Values of the same window add up; it is an alert once the sum reaches the threshold.
    Sum,
    /// Each shard's is one.
    Any,
    /// It is one while every shard says so; the least value counts.
    All,
}

macro_rules! kinds {
    ($($id:literal $kind:ident $name:literal $technique:literal $adds:ident $meaning:literal;)*) => {
        /// What an alert is about. The numbers are part of the format and never move.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum AlertKind {
            $(#[doc = $meaning] $kind = $id,)*
        }

        impl AlertKind {
            /// Every kind, ascending by number.
            pub const ALL: &[AlertKind] = &[$(AlertKind::$kind),*];

            /// The name in settings, records and filters.
            pub const fn name(self) -> &'static str {
                match self { $(AlertKind::$kind => $name,)* }
            }

            /// The technique of MITRE ATT&CK that fits; empty where none does.
            pub const fn technique(self) -> &'static str {
                match self { $(AlertKind::$kind => $technique,)* }
            }

            /// How shares of several shards come together.
            pub const fn adds(self) -> Adds {
                match self { $(AlertKind::$kind => Adds::$adds,)* }
            }

            /// What was seen, in one sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(AlertKind::$kind => $meaning,)* }
            }

            pub(crate) const fn from_raw(raw: u8) -> Option<AlertKind> {
                match raw { $($id => Some(AlertKind::$kind),)* _ => None }
            }
        }
    };
}

kinds! {
    1 SynFloodVictim "syn_flood_victim" "T1499.001" Sum
        "A service is sent many SYNs whose connections never come about.";
    2 SynFloodAttacker "syn_flood_attacker" "T1499.001" Sum
        "A host sends the same services SYN after SYN without ever connecting.";
    3 PortScan "port_scan" "T1046" Sum "A host tries many ports of another.";
    4 HostScan "host_scan" "T1018" Sum "A host tries the same port of many others.";
    5 IcmpFlood "icmp_flood" "T1498.001" Sum "A host is sent ICMP at a high rate.";
    6 UdpFlood "udp_flood" "T1498.001" Sum
        "A host is sent UDP at a high rate and does not answer.";
    7 Amplification "amplification" "T1498.002" Sum
        "A host is sent large answers of UDP services that it never asked.";
    8 DnsErrors "dns_errors" "T1568.002" Sum "A host asks for many names that do not resolve.";
    9 DnsTunnel "dns_tunnel" "T1071.004" Sum
        "A host asks for many long names below one domain: data may be hidden in them.";
    10 BruteForce "brute_force" "T1110" Sum "A host connects to a login service again and again.";
    11 ArpSpoof "arp_spoof" "T1557.002" Any
        "Answers of ARP or IPv6 neighbour discovery that nobody asked for give an address to another device.";
    12 DuplicateAddress "duplicate_address" "" Any "Two devices claim the same address in turn.";
    13 NewDevice "new_device" "T1200" Any "A device was seen for the first time.";
    14 BlacklistedPeer "blacklisted_peer" "" Any
        "A host talks to an address, a name or with a fingerprint that is on a block-list.";
    15 FlowRisk "flow_risk" "" Any "Inspection found a grave risk in flows of a host.";
    16 HostThreshold "host_threshold" "" Sum "A host passed a threshold that was set for it.";
    17 ElephantFlow "elephant_flow" "" Any "A flow moved a great many bytes.";
    18 LongFlow "long_flow" "" Any "A flow has lasted for very long.";
    19 SilentHost "silent_host" "" All "A host that is watched for has sent nothing for long.";
    20 UnexpectedServer "unexpected_server" "T1557.003" Any
        "A host gives answers of DHCP or DNS that is not known as a server.";
    21 TtlOddity "ttl_oddity" "" Sum
        "The distance of an address changes time and again, as with forged senders.";
    22 RttWorse "rtt_worse" "" Any "Round trips to a network take much longer than they use to.";
    23 LossWorse "loss_worse" "" Any "More packets of a network's flows are lost than usual.";
    24 ForgedReset "forged_reset" "" Sum
        "Connections of a host are reset in its name from another distance than it has.";
}

/// How much an alert weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum Severity {
    /// Worth knowing.
    #[default]
    Low = 0,
    /// Worth a look.
    Medium = 1,
    /// Worth a look today.
    High = 2,
    /// Most likely an attack.
    Severe = 3,
}

impl Severity {
    /// Every severity, ascending.
    pub const ALL: [Severity; 4] =
        [Severity::Low, Severity::Medium, Severity::High, Severity::Severe];

    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Severe => "severe",
        }
    }

    /// The severity of this name.
    pub fn by_name(name: &str) -> Option<Severity> {
        Severity::ALL.into_iter().find(|severity| severity.name() == name)
    }

    pub(crate) const fn from_raw(raw: u8) -> Option<Severity> {
        match raw {
            0 => Some(Severity::Low),
            1 => Some(Severity::Medium),
            2 => Some(Severity::High),
            3 => Some(Severity::Severe),
            _ => None,
        }
    }
}

/// What a record tells of its alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Phase {
    /// It begins.
    #[default]
    Started = 1,
    /// It goes on.
    Updated = 2,
    /// It is over.
    Ended = 3,
}

impl Phase {
    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Started => "started",
            Phase::Updated => "updated",
            Phase::Ended => "ended",
        }
    }

    pub(crate) const fn from_raw(raw: u8) -> Option<Phase> {
        match raw {
            1 => Some(Phase::Started),
            2 => Some(Phase::Updated),
            3 => Some(Phase::Ended),
            _ => None,
        }
    }
}

macro_rules! figures {
    ($($id:literal $figure:ident $name:literal $help:literal;)*) => {
        /// What a number of an alert's evidence counts. The numbers are part of the format.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Figure {
            $(#[doc = $help] $figure = $id,)*
        }

        impl Figure {
            /// Every figure, ascending by number.
            pub const ALL: &[Figure] = &[$(Figure::$figure),*];

            /// The name.
            pub const fn name(self) -> &'static str {
                match self { $(Figure::$figure => $name,)* }
            }

            /// What it counts.
            pub const fn meaning(self) -> &'static str {
                match self { $(Figure::$figure => $help,)* }
            }

            pub(crate) const fn from_raw(raw: u16) -> Option<Figure> {
                match raw { $($id => Some(Figure::$figure),)* _ => None }
            }
        }
    };
}

figures! {
    1 Packets "packets" "Packets.";
    2 Bytes "bytes" "Bytes on the wire.";
    3 Flows "flows" "Flows.";
    4 HalfOpen "half_open" "Connections asked for that did not come about.";
    5 Ports "ports" "Different ports.";
    6 Hosts "hosts" "Different hosts.";
    7 Connections "connections" "Connections.";
    8 Errors "errors" "Answers that are errors.";
    9 NameBytes "name_bytes" "Bytes of names, before the domain.";
    10 Claims "claims" "Claims of an address.";
    11 Seconds "seconds" "Seconds.";
    12 Changes "changes" "Changes.";
    13 RttUs "rtt_us" "Mean round-trip time, microseconds.";
    14 BaselineUs "baseline_us" "What it uses to be, microseconds.";
    15 LossPermille "loss_permille" "Lost packets of a thousand.";
    16 BaselinePermille "baseline_permille" "What it uses to be.";
    17 Percent "percent" "Of a hundred.";
    18 Devices "devices" "Devices.";
    19 Hops "hops" "Routers on the way, by the TTL.";
    20 UsualHops "usual_hops" "Routers on the way of the packets before.";
}
