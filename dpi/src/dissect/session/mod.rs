//! Family `session`: remote access, mail, files, databases, messaging, voice, peer to peer and
//! the applications that speak protocols of their own.

mod bittorrent;
mod broker;
mod chat;
mod coins;
mod database;
mod ftp;
mod game_marks;
mod games;
mod iot;
#[cfg(test)]
mod logins;
mod mailbox;
mod memcached;
mod mqtt;
mod mysql;
mod own_port;
mod p2p;
mod postgresql;
mod redis;
mod remote;
mod rtp;
mod signature;
mod sip;
mod smtp;
mod ssh;
mod ssh_keys;
mod streaming;
mod stun;
mod telephony;
mod telnet;
pub(super) mod text;
mod tunnel;
mod voice_apps;
mod vpn;

use crate::view::Dissector;

/// The family's dissectors.
pub(crate) const DISSECTORS: &[Dissector] = &[
    ssh::DISSECTOR,
    ftp::DISSECTOR,
    smtp::DISSECTOR,
    mailbox::IMAP,
    mailbox::POP3,
    telnet::DISSECTOR,
    mysql::DISSECTOR,
    postgresql::DISSECTOR,
    redis::DISSECTOR,
    memcached::TCP,
    memcached::UDP,
    mqtt::DISSECTOR,
    sip::DISSECTOR,
    rtp::DISSECTOR,
    stun::DISSECTOR,
    bittorrent::TCP,
    bittorrent::UDP,
    p2p::GNUTELLA,
    p2p::GNUTELLA_UDP,
    p2p::EDONKEY,
    p2p::KADEMLIA,
    p2p::SOULSEEK,
    coins::BITCOIN,
    coins::RLPX,
    coins::DISCOVERY,
    coins::STRATUM,
    broker::KAFKA,
    broker::AMQP,
    broker::NATS,
    broker::STOMP,
    database::MONGODB,
    database::CASSANDRA,
    database::TDS,
    database::ORACLE,
    database::DRDA,
    chat::IRC,
    chat::XMPP,
    chat::NNTP,
    remote::VNC,
    remote::X11,
    remote::RSYNC,
    remote::GIT,
    streaming::RTSP,
    streaming::RTMP,
    telephony::MGCP,
    telephony::H323,
    tunnel::PPTP,
    tunnel::L2TP,
    tunnel::Z3950,
    signature::TCP,
    signature::UDP,
    own_port::TCP,
    own_port::UDP,
    game_marks::TCP,
    game_marks::UDP,
    games::QUERY,
    games::MARKED,
    games::MINECRAFT,
    iot::HOME,
    iot::HOME_STREAM,
    iot::UDP,
    iot::TCP,
    voice_apps::TELEGRAM,
    voice_apps::THREEMA,
    voice_apps::IMO,
    vpn::WARP,
    vpn::N2N,
];
