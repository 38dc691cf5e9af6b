//! Names: every application Weir can report, with its stable numeric id, category and breed.
//!
//! Ids are part of the shared-memory format: an id is never reused and never moves. Protocols
//! stand below [`FIRST_SERVICE`], services told apart by host name from there on
//! (`services` owns that range).

/// Stable numeric id of a protocol or service. `AppId(0)` is *unknown*.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
#[repr(transparent)]
pub struct AppId(pub u16);

/// The first id of a service (a name told apart by host name rather than by content).
pub const FIRST_SERVICE: u16 = 1000;

/// What an application is for. The discriminants are part of the shared-memory format.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
#[repr(u8)]
#[expect(missing_docs, reason = "the variants say what they are; prose would repeat them")]
pub enum Category {
    #[default]
    Unspecified = 0,
    Web = 1,
    Media = 2,
    Streaming = 3,
    Music = 4,
    Video = 5,
    SocialNetwork = 6,
    Chat = 7,
    VoiceVideoCall = 8,
    Collaborative = 9,
    Email = 10,
    FileTransfer = 11,
    FileSharing = 12,
    Cloud = 13,
    Database = 14,
    Messaging = 15,
    RemoteAccess = 16,
    Vpn = 17,
    Network = 18,
    System = 19,
    Rpc = 20,
    IotScada = 21,
    Game = 22,
    PeerToPeer = 23,
    SoftwareUpdate = 24,
    Advertisement = 25,
    Shopping = 26,
    Productivity = 27,
    Health = 28,
    ArtificialIntelligence = 29,
    Crypto = 30,
    Finance = 31,
    News = 32,
    Education = 33,
    Malware = 34,
    DevelopmentTools = 35,
    ConnectivityCheck = 36,
    Travel = 37,
    Adult = 38,
}

/// How the owner of a network may look at an application.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Breed {
    /// Encrypted, or of no harm by what it is for.
    Safe,
    /// Neither good nor bad in itself.
    Acceptable,
    /// For leisure.
    Fun,
    /// Weak by design: secrets in the clear, or broken encryption.
    Unsafe,
    /// Often a sign of malice, or a way around what a network allows.
    PotentiallyDangerous,
    /// Follows people, or measures them.
    Tracker,
    /// Nobody has judged.
    #[default]
    Unrated,
}

/// One row of the name table.
#[derive(Clone, Copy, Debug)]
pub struct App {
    /// Stable id.
    pub id: AppId,
    /// The name as shown (`TLS`, `YouTube`).
    pub name: &'static str,
    /// What it is for.
    pub category: Category,
    /// How a network's owner may look at it.
    pub breed: Breed,
}

/// The breed named, or else the category's usual one.
macro_rules! breed {
    ($category:ident) => {
        Category::$category.usual_breed()
    };
    ($category:ident $breed:ident) => {
        Breed::$breed
    };
}

macro_rules! protocols {
    ($list:ident: $($id:literal $constant:ident $name:literal $category:ident $($breed:ident)?;)*) => {
        impl AppId {
            $(#[doc = concat!("`", $name, "`")] pub const $constant: AppId = AppId($id);)*
        }
        pub(super) const $list: &[App] = &[$(App {
            id: AppId($id),
            name: $name,
            category: Category::$category,
            breed: breed!($category $($breed)?),
        },)*];
    };
}

/// Every protocol, ascending by id.
pub const PROTOCOLS: &[App] = &ALL_PROTOCOLS;

static ALL_PROTOCOLS: [App; COMMON.len() + infra::INFRA.len()] = {
    let mut all = [UNKNOWN_APP; COMMON.len() + infra::INFRA.len()];
    let (common, infra) = all.split_at_mut(COMMON.len());
    common.copy_from_slice(COMMON);
    infra.copy_from_slice(infra::INFRA);
    all
};

mod category;
mod infra;
mod place;

pub use category::category;

protocols! { COMMON:
    0 UNKNOWN "Unknown" Unspecified;
    // Carriers and IP protocols.
    1 ICMP "ICMP" Network;
    2 ICMPV6 "ICMPv6" Network;
    3 IGMP "IGMP" Network;
    4 GRE "GRE" Network;
    5 IPSEC_ESP "ESP" Vpn Safe;
    6 IPSEC_AH "AH" Vpn;
    7 SCTP "SCTP" Network;
    8 OSPF "OSPF" Network;
    9 EIGRP "EIGRP" Network;
    10 VRRP "VRRP" Network;
    11 PIM "PIM" Network;
    12 IP_IN_IP "IP-in-IP" Network;
    13 RSVP "RSVP" Network;
    14 UDP_LITE "UDP-Lite" Network;
    15 L2TPV3 "L2TPv3" Vpn;
    16 PGM "PGM" Network;
    17 TCP "TCP" Network;
    18 UDP "UDP" Network;
    // Web.
    20 HTTP "HTTP" Web;
    21 HTTP2 "HTTP2" Web;
    22 TLS "TLS" Web Safe;
    23 DTLS "DTLS" Web Safe;
    24 QUIC "QUIC" Web Safe;
    25 WEBSOCKET "WebSocket" Web;
    26 GRPC "gRPC" Rpc;
    27 HTTP_PROXY "HTTP_Proxy" Web;
    28 HTTP_CONNECT "HTTP_Connect" Web;
    29 DOH "DoH" Network Safe;
    30 DOT "DoT" Network Safe;
    31 DOQ "DoQ" Network Safe;
    32 WEBDAV "WebDAV" FileTransfer;
    33 OCSP "OCSP" Network Safe;
    // Naming, discovery, network control.
    40 DNS "DNS" Network;
    41 MDNS "mDNS" Network;
    42 LLMNR "LLMNR" Network;
    43 NETBIOS "NetBIOS" System;
    44 SSDP "SSDP" System;
    45 DHCP "DHCP" Network;
    46 DHCPV6 "DHCPv6" Network;
    47 NTP "NTP" System;
    48 SNMP "SNMP" Network;
    49 SYSLOG "Syslog" System;
    50 RADIUS "RADIUS" Network;
    51 TFTP "TFTP" FileTransfer;
    52 BGP "BGP" Network;
    53 WSD "WSD" Network;
    54 LDAP "LDAP" System;
    55 KERBEROS "Kerberos" Network;
    56 SMB "SMB" FileSharing;
    57 RPC "SunRPC" Rpc;
    58 NFS "NFS" FileSharing;
    59 DCERPC "DCE/RPC" Rpc;
    60 SLP "SLP" Network;
    61 NAT_PMP "NAT-PMP" Network;
    62 COAP "CoAP" IotScada;
    63 BFD "BFD" Network;
    64 HSRP "HSRP" Network;
    65 RIP "RIP" Network;
    66 NETFLOW "NetFlow" Network;
    67 SFLOW "sFlow" Network;
    68 DIAMETER "Diameter" Network;
    69 TACACS "TACACS+" Network;
    70 LISP "LISP" Network;
    71 RMCP "RMCP" System;
    72 DNSCRYPT "DNSCrypt" Network Safe;
    73 WHOIS "Whois" Network;
    74 LDP "LDP" Network;
    75 PTP "PTP" System;
    76 GTP_C "GTP-C" Network;
    77 PFCP "PFCP" Network;
    78 TEREDO "Teredo" Network;
    79 CAPWAP "CAPWAP" Network;
    80 AVAST_SECURE_DNS "AVASTSecureDNS" Network Safe;
    81 UBNTAC2 "UBNTAC2" Network;
    82 BJNP "BJNP" System;
    83 DLEP "DLEP" Network;
    84 RIPE_ATLAS "RipeAtlas" Network;
    85 MERAKI_CLOUD "MerakiCloud" Network;
    86 CPHA "CPHA" Network;
    87 GTP_PRIME "GTP-Prime" Network;
    88 OICQ "OICQ" Chat;
    89 HP_VIRTGRP "HP_VIRTGRP" Network;
    // Remote access and shells.
    90 SSH "SSH" RemoteAccess Safe;
    91 TELNET "Telnet" RemoteAccess Unsafe;
    92 RDP "RDP" RemoteAccess;
    93 VNC "VNC" RemoteAccess;
    94 RSH "RSH" RemoteAccess Unsafe;
    95 TEAMVIEWER "TeamViewer" RemoteAccess;
    96 ANYDESK "AnyDesk" RemoteAccess;
    97 CITRIX "Citrix" RemoteAccess;
    98 X11 "X11" RemoteAccess;
    // Mail and files.
    110 FTP_CONTROL "FTP_Control" FileTransfer Unsafe;
    111 FTP_DATA "FTP_Data" FileTransfer Unsafe;
    112 SMTP "SMTP" Email;
    113 IMAP "IMAP" Email Unsafe;
    114 POP3 "POP3" Email Unsafe;
    115 NNTP "NNTP" Email;
    116 RSYNC "rsync" FileTransfer;
    117 GIT "Git" DevelopmentTools Safe;
    118 IRC "IRC" Chat;
    119 XMPP "XMPP" Chat;
    // Over TLS: from the first byte on the port registered for that, or from when both agreed.
    120 IMAPS "IMAPS" Email Safe;
    121 POP3S "POP3S" Email Safe;
    122 SMTPS "SMTPS" Email Safe;
    123 FTPS "FTPS" FileTransfer Safe;
    124 NNTPS "NNTPS" Email Safe;
    125 LDAPS "LDAPS" System Safe;
    126 SIPS "SIPS" VoiceVideoCall Safe;
    127 MQTTS "MQTTS" Messaging Safe;
    // Databases and messaging.
    130 MYSQL "MySQL" Database;
    131 POSTGRESQL "PostgreSQL" Database;
    132 REDIS "Redis" Database;
    133 MEMCACHED "Memcached" Database;
    134 MONGODB "MongoDB" Database;
    135 CASSANDRA "Cassandra" Database;
    136 TDS "MS-SQL-TDS" Database;
    137 ORACLE "Oracle" Database;
    138 MQTT "MQTT" Messaging;
    139 KAFKA "Kafka" Messaging;
    140 AMQP "AMQP" Messaging;
    141 NATS "NATS" Messaging;
    142 STOMP "STOMP" Messaging;
    143 ELASTICSEARCH "Elasticsearch" Database;
    144 ZEROMQ "ZeroMQ" Messaging;
    // Voice and video.
    160 SIP "SIP" VoiceVideoCall;
    161 RTP "RTP" Media Acceptable;
    162 RTCP "RTCP" Media Acceptable;
    163 STUN "STUN" Network;
    164 RTSP "RTSP" Streaming;
    165 RTMP "RTMP" Streaming;
    166 H323 "H323" VoiceVideoCall;
    167 MGCP "MGCP" VoiceVideoCall;
    168 SKINNY "Skinny" VoiceVideoCall;
    169 IAX "IAX" VoiceVideoCall;
    // Tunnels and VPN.
    180 WIREGUARD "WireGuard" Vpn Safe;
    181 OPENVPN "OpenVPN" Vpn Safe;
    182 IKE "IKE" Vpn Safe;
    183 L2TP "L2TP" Vpn;
    184 PPTP "PPTP" Vpn Unsafe;
    185 TOR "Tor" Vpn PotentiallyDangerous;
    186 SOCKS "SOCKS" Web;
    187 VXLAN "VXLAN" Network;
    188 GENEVE "Geneve" Network;
    189 GTP_U "GTP-U" Network;
    190 SSTP "SSTP" Vpn;
    191 TAILSCALE "Tailscale" Vpn Safe;
    192 ZEROTIER "ZeroTier" Vpn;
    // Peer to peer.
    200 BITTORRENT "BitTorrent" FileSharing;
    201 EDONKEY "eDonkey" FileSharing Unsafe;
    202 GNUTELLA "Gnutella" FileSharing PotentiallyDangerous;
    203 BITCOIN "Bitcoin" Crypto;
    204 ETHEREUM "Ethereum" Crypto;
    205 STRATUM "Stratum" Crypto Unsafe;
    206 IPFS "IPFS" FileSharing;
    // Industrial.
    220 MODBUS "Modbus" IotScada;
    221 DNP3 "DNP3" IotScada;
    222 S7COMM "S7comm" IotScada;
    223 IEC60870 "IEC60870" IotScada;
    224 BACNET "BACnet" IotScada;
    225 OPC_UA "OPC-UA" IotScada;
    226 ETHERNET_IP "EtherNet/IP" IotScada;
    227 CIP "CIP" IotScada;
    228 S7COMM_PLUS "S7CommPlus" IotScada;
    229 UMAS "UMAS" IotScada;
    230 PROFINET_IO "PROFINET_IO" IotScada;
    231 HART_IP "HART-IP" IotScada;
    232 KNX "KNXnet_IP" IotScada;
    233 C37118 "IEEE-C37118" IotScada;
    234 DLMS "IEC62056" IotScada;
    235 SOMEIP "SOMEIP" IotScada;
    236 RTPS "RTPS" IotScada;
    237 EGD "EthernetGlobalData" IotScada;
    238 ETHER_S_BUS "Ether-S-Bus" IotScada;
    239 CNP_IP "CNP-IP" IotScada;
    240 C1222 "ANSI_C1222" IotScada;
    241 ATG "ATG" IotScada;
    242 FLUTE "FLUTE" Network;
    // Calls, told by what their STUN or media says (family `session`).
    300 WHATSAPP_CALL "WhatsAppCall" VoiceVideoCall;
    301 TELEGRAM_CALL "TelegramCall" VoiceVideoCall;
    302 SIGNAL_CALL "SignalCall" VoiceVideoCall;
    303 VIBER_CALL "ViberCall" VoiceVideoCall;
    304 TEAMS_CALL "TeamsCall" VoiceVideoCall;
    305 GOOGLE_CALL "GoogleCall" VoiceVideoCall;
    307 ZOOM_CALL "ZoomCall" VoiceVideoCall;
    // Applications with a protocol of their own. Those that are also told by host name have one
    // id, among the services.
    324 TEAMSPEAK "TeamSpeak" VoiceVideoCall;
    325 MUMBLE "Mumble" VoiceVideoCall;
    326 IMO_CHAT "IMO" VoiceVideoCall;
    330 SYNCTHING "Syncthing" FileSharing;
    331 NEST_LOG "NestLogSink" Cloud;
    333 ALICLOUD_MESSAGE "AliCloudMessage" Cloud;
    334 TINC "tinc" Vpn;
    335 RADMIN "Radmin" RemoteAccess;
    336 NOMACHINE "NoMachine" RemoteAccess;
    339 CLOUDFLARE_WARP "CloudflareWarp" Vpn;
    340 APPLE_PUSH "ApplePush" Cloud Safe;
    344 EAQ "EAQ" Network;
    // Games.
    361 SOURCE_ENGINE "SourceEngine" Game;
    362 RAKNET "RakNet" Game;
    363 MINECRAFT "Minecraft" Game;
    364 RIOT_GAMES "RiotGames" Game;
    365 PHOTON "Photon" Game;
    366 CRYENGINE "CryNetwork" Game;
    368 WORLD_OF_WARCRAFT "WorldOfWarcraft" Game;
    371 TENCENT_GAMES "TencentGames" Game;
    372 AMONG_US "AmongUs" Game;
    373 GAIJIN "Gaijin" Game;
    375 TES_ONLINE "TES_Online" Game;
    376 COD_MOBILE "CoD_Mobile" Game;
    377 QUAKE "Quake" Game;
    378 ENET "ENet" Game;
    // Middleware and infrastructure over streams.
    400 AJP "AJP" Web;
    401 FASTCGI "FastCGI" Web;
    402 HAPROXY "HAProxy" Web;
    404 CORBA "CORBA" Rpc;
    405 JRMI "JavaRMI" Rpc;
    406 OPENWIRE "OpenWire" Messaging;
    407 OPENFLOW "OpenFlow" Network;
    408 RAFT "Raft" Network;
    409 CEPH "Ceph" FileSharing;
    410 LUSTRE "Lustre" FileSharing;
    411 AFP "AFP" FileSharing;
    412 RX "RX" Rpc;
    413 CHECKMK "Checkmk" System;
    414 FIX "FIX" Finance;
    415 HL7 "HL7" Health;
    416 DRDA "DRDA" Database;
    417 Z3950 "Z3950" Network;
    418 BFCP "BFCP" VoiceVideoCall;
    419 MEGACO "Megaco" VoiceVideoCall;
    420 XDMCP "XDMCP" RemoteAccess Unsafe;
    421 UFTP "UFTP" FileTransfer;
    422 MONERO "Monero" Crypto Unsafe;
    425 HISLIP "HiSLIP" IotScada;
    426 ZUG "ZUG" Crypto Unsafe;
    // More games, file sharing, streaming, homes and tunnels with a protocol of their own.
    430 STARCRAFT "Starcraft" Game;
    431 HALF_LIFE "HalfLife2" Game;
    432 STEAM_RELAY "SteamDatagramRelay" Game;
    433 KCP "KCP" Network;
    434 WARCRAFT3 "Warcraft3" Game;
    435 GAMESPY "GameSpy" Game;
    436 SAMP "SA-MP" Game;
    437 BATTLEYE "BattlEye" Game;
    438 TERRARIA "Terraria" Game;
    439 FINAL_FANTASY_XIV "FinalFantasyXIV" Game;
    440 SOULSEEK "Soulseek" FileSharing;
    441 DIRECT_CONNECT "DirectConnect" FileSharing;
    442 RESILIO "ResilioSync" FileSharing;
    443 TOX "Tox" Chat;
    444 SRT "SRT" Streaming;
    445 MPEG_TS "MPEG_TS" Media;
    446 HLS "HLS" Streaming;
    447 MPEG_DASH "MpegDash" Streaming;
    448 ICECAST "IceCast" Music;
    449 AIRPLAY "AirPlay" Streaming;
    450 JELLYFIN "Jellyfin" Media;
    451 KODI "Kodi" Media;
    452 KASA "TPLINK_SHP" IotScada;
    453 TUYA_LAN "TUYA_LP" IotScada;
    454 MATTER "Matter" IotScada;
    455 HOMEKIT "HomeKit" IotScada;
    456 YEELIGHT "Yeelight" IotScada;
    457 LIFX "LIFX" IotScada;
    458 MIIO "miIO" IotScada;
    459 BROADLINK "Broadlink" IotScada;
    460 DAHUA "Dahua" IotScada;
    461 HIKVISION "Hikvision" IotScada;
    462 MIKROTIK "MikroTik" Network;
    463 ESPHOME "ESPHome" IotScada;
    464 WIZ "WiZ" IotScada;
    465 GOVEE "Govee" IotScada;
    466 ART_NET "Art-Net" IotScada;
    467 SACN "sACN" IotScada;
    468 OSC "OSC" Media;
    469 CRESTRON "Crestron" IotScada;
    470 LORAWAN "LoRaWAN" IotScada;
    471 NEBULA "Nebula" Vpn;
    472 N2N "n2n" Vpn;
    473 VTUN "VTun" Vpn;
    474 FRP "frp" RemoteAccess;
    475 GENSHIN_IMPACT "GenshinImpact" Game;
    476 FACEBOOK_CALL "FacebookVoip" VoiceVideoCall;
    477 YOJIMBO "Yojimbo" Game;
    478 SD_RTN "SD-RTN" VoiceVideoCall;
    480 HOTS "HOTS" Game;
    482 ULTRASURF "UltraSurf" Vpn;
    484 PALTALK "Paltalk" Chat;
    485 NANO "Nano" Crypto;
    486 TIVO "TiVoConnect" Media;
    487 PPSTREAM "PPStream" Video;
    488 WORLD_OF_KUNG_FU "WorldOfKungFu" Game;
    489 HAMACHI "Hamachi" Vpn;
    490 LAGOFAST "LagoFast" Vpn;
    491 MUDFISH "Mudfish" Vpn;
    492 ARMAGETRON "Armagetron" Game;
    493 CROSSFIRE "Crossfire" Game;
    494 CISCO_VPN "CiscoVPN" Vpn;
    495 FREE_FIRE "FreeFire" Game;
}

/// The row of `id`, or of *unknown* where no such id exists.
pub fn describe(id: AppId) -> &'static App {
    let rows = if id.0 < FIRST_SERVICE { PROTOCOLS } else { crate::services::APPS };
    rows.get(place::of(id)).filter(|row| row.id == id).unwrap_or(&UNKNOWN_APP)
}

/// The breed of `id`.
pub fn breed(id: AppId) -> Breed {
    describe(id).breed
}

/// The id whose name is `name`, compared without case.
pub fn by_name(name: &str) -> Option<AppId> {
    let mut rows = PROTOCOLS.iter().chain(crate::services::APPS);
    rows.find(|row| row.name.eq_ignore_ascii_case(name)).map(|row| row.id)
}

/// The protocol that `app` rides on, where that is part of what it is; else `app` itself.
pub const fn carrier(app: AppId) -> AppId {
    match app {
        AppId::WEBDAV
        | AppId::OCSP
        | AppId::WEBSOCKET
        | AppId::HLS
        | AppId::MPEG_DASH
        | AppId::ICECAST
        | AppId::HOMEKIT
        | AppId::IPP => AppId::HTTP,
        AppId::GRPC => AppId::HTTP2,
        AppId::ETCD | AppId::GNMI | AppId::OTLP => AppId::GRPC,
        AppId::DOH | AppId::DOT | AppId::TOR => AppId::TLS,
        AppId::UMAS => AppId::MODBUS,
        AppId::PROFINET_IO => AppId::DCERPC,
        AppId::DOQ => AppId::QUIC,
        AppId::WHATSAPP_CALL
        | AppId::TELEGRAM_CALL
        | AppId::SIGNAL_CALL
        | AppId::VIBER_CALL
        | AppId::TEAMS_CALL
        | AppId::GOOGLE_CALL
        | AppId::FACEBOOK_CALL
        | AppId::ZOOM_CALL => AppId::STUN,
        _ => app,
    }
}

/// Whether flows of `protocol` announce others as long as they last.
pub const fn announces_flows(protocol: AppId) -> bool {
    matches!(protocol, AppId::FTP_CONTROL | AppId::SIP | AppId::RTSP | AppId::H323 | AppId::IRC)
}

/// Whether who speaks `protocol` at an end will speak it there in other flows too, encrypted ones
/// among them: peers that listen at one port for all comers.
pub const fn tells_of_peers(protocol: AppId) -> bool {
    matches!(protocol, AppId::BITTORRENT | AppId::TINC)
}

/// What TLS carries on a port that is registered for that and for nothing else.
pub const fn over_tls(port: u16) -> Option<AppId> {
    Some(match port {
        465 => AppId::SMTPS,
        563 => AppId::NNTPS,
        636 => AppId::LDAPS,
        989 | 990 => AppId::FTPS,
        993 => AppId::IMAPS,
        995 => AppId::POP3S,
        5061 => AppId::SIPS,
        8883 => AppId::MQTTS,
        _ => return None,
    })
}

/// Whether the host name in a flow of `protocol` tells a service.
pub const fn carries_services(protocol: AppId) -> bool {
    matches!(
        protocol,
        AppId::HTTP
            | AppId::HTTP2
            | AppId::TLS
            | AppId::IMAPS
            | AppId::POP3S
            | AppId::SMTPS
            | AppId::MQTTS
            | AppId::FTPS
            | AppId::DTLS
            | AppId::QUIC
            | AppId::DNS
            | AppId::STUN
            | AppId::WEBSOCKET
            | AppId::HLS
            | AppId::MPEG_DASH
            | AppId::HTTP_PROXY
            | AppId::HTTP_CONNECT
            | AppId::GRPC
    )
}

const UNKNOWN_APP: App =
    App { id: AppId(0), name: "Unknown", category: Category::Unspecified, breed: Breed::Unrated };

impl Breed {
    /// All of them.
    pub const ALL: [Breed; 7] = [
        Breed::Unrated,
        Breed::Safe,
        Breed::Acceptable,
        Breed::Fun,
        Breed::Unsafe,
        Breed::PotentiallyDangerous,
        Breed::Tracker,
    ];

    /// The name as shown.
    pub const fn name(self) -> &'static str {
        match self {
            Breed::Safe => "safe",
            Breed::Acceptable => "acceptable",
            Breed::Fun => "fun",
            Breed::Unsafe => "unsafe",
            Breed::PotentiallyDangerous => "potentially_dangerous",
            Breed::Tracker => "tracker",
            Breed::Unrated => "unrated",
        }
    }
}

impl Category {
    /// The name as shown.
    #[expect(clippy::indexing_slicing, reason = "the list holds every variant in order; tested")]
    pub const fn name(self) -> &'static str {
        NAMES[self as usize]
    }

    /// The breed of what is of this category, where its row names no other.
    const fn usual_breed(self) -> Breed {
        match self {
            Category::Unspecified => Breed::Unrated,
            Category::Media
            | Category::Streaming
            | Category::Music
            | Category::Video
            | Category::SocialNetwork
            | Category::Game
            | Category::Adult => Breed::Fun,
            Category::Advertisement => Breed::Tracker,
            Category::Malware => Breed::PotentiallyDangerous,
            Category::SoftwareUpdate => Breed::Safe,
            _ => Breed::Acceptable,
        }
    }

    /// The category with this discriminant, if there is one.
    pub fn from_u8(value: u8) -> Option<Category> {
        ALL.iter().copied().find(|category| *category as u8 == value)
    }
}

macro_rules! category_names {
    ($($category:ident $name:literal)*) => {
        const ALL: &[Category] = &[$(Category::$category),*];
        const NAMES: &[&str] = &[$($name),*];
    };
}

category_names! {
    Unspecified "Unspecified" Web "Web" Media "Media" Streaming "Streaming" Music "Music"
    Video "Video" SocialNetwork "SocialNetwork" Chat "Chat" VoiceVideoCall "VoIP"
    Collaborative "Collaborative" Email "Email" FileTransfer "FileTransfer"
    FileSharing "FileSharing" Cloud "Cloud" Database "Database" Messaging "Messaging"
    RemoteAccess "RemoteAccess" Vpn "VPN" Network "Network" System "System" Rpc "RPC"
    IotScada "IoT-SCADA" Game "Game" PeerToPeer "P2P" SoftwareUpdate "SoftwareUpdate"
    Advertisement "Advertisement" Shopping "Shopping" Productivity "Productivity"
    Health "Health" ArtificialIntelligence "AI" Crypto "Crypto" Finance "Finance" News "News"
    Education "Education" Malware "Malware" DevelopmentTools "DevelopmentTools"
    ConnectivityCheck "ConnectivityCheck" Travel "Travel" Adult "Adult"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::APPS;

    #[test]
    fn ids_ascend_and_names_are_unique() {
        let rows: Vec<_> = PROTOCOLS.iter().chain(APPS).collect();
        for pair in rows.windows(2) {
            assert!(pair[0].id < pair[1].id, "{} before {}", pair[0].name, pair[1].name);
        }
        assert!(PROTOCOLS.iter().all(|row| row.id.0 < FIRST_SERVICE));
        assert!(APPS.iter().all(|row| row.id.0 >= FIRST_SERVICE));
        let mut names: Vec<_> = rows.iter().map(|row| row.name.to_ascii_lowercase()).collect();
        names.sort_unstable();
        for pair in names.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
        for row in rows {
            assert_eq!(describe(row.id).name, row.name);
            assert_eq!(by_name(row.name), Some(row.id));
            assert!(!row.name.contains('.'), "{}: the dot separates master and app", row.name);
        }
    }

    #[test]
    fn every_app_but_the_unknown_is_rated() {
        for row in PROTOCOLS.iter().chain(APPS) {
            assert_eq!(row.breed == Breed::Unrated, row.id == AppId::UNKNOWN, "{}", row.name);
        }
        for (id, name) in [
            (AppId::SSH, "safe"),
            (AppId::TLS, "safe"),
            (AppId::HTTP, "acceptable"),
            (AppId::DNS, "acceptable"),
            (AppId::TELNET, "unsafe"),
            (AppId::FTP_CONTROL, "unsafe"),
            (AppId::MINECRAFT, "fun"),
            (AppId::NETFLIX, "fun"),
            (AppId::ADVERTISING, "tracker"),
            (AppId::TOR, "potentially_dangerous"),
            (AppId(u16::MAX), "unrated"),
        ] {
            assert_eq!(breed(id).name(), name, "{}", describe(id).name);
        }
    }

    #[test]
    fn every_category_has_its_name_and_byte() {
        assert_eq!(ALL.len(), NAMES.len());
        for (byte, &category) in (0..=u8::MAX).zip(ALL) {
            assert_eq!(category as u8, byte);
            assert_eq!(Category::from_u8(byte), Some(category));
            assert_eq!(category.name(), NAMES[usize::from(byte)]);
        }
    }
}
