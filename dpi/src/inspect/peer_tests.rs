//! What flows say of others, through the whole inspector with all dissectors.

use super::tests::{CLIENT, SERVER, limits, tcp, udp};
use super::*;
use crate::view::Direction::{ToClient, ToServer};

/// With the dissectors as listed: what flows say of others, each time through the whole of it.
struct Shard(Inspector);

impl Shard {
    fn new() -> Shard {
        Shard(Inspector::new(&limits()))
    }

    /// One packet of a flow of its own, and what the flow is named by it, or at its end.
    fn flow(&mut self, segment: &Segment<'_>) -> Verdict {
        let mut slot = Slot::NONE;
        self.packet(&mut slot, segment);
        let verdict = self.0.end(&mut slot, segment.protocol, segment.client, segment.server);
        self.0.release(&mut slot);
        verdict
    }

    fn packet(&mut self, slot: &mut Slot, segment: &Segment<'_>) {
        self.0.inspect(slot, segment);
    }
}

fn by_peer(app: AppId) -> Verdict {
    Verdict { confidence: Confidence::PeerKnowledge, ..Verdict::protocol(app, Confidence::Content) }
}

#[test]
fn encrypted_flows_to_peers_that_a_tracker_named_are_known() {
    let mut shard = Shard::new();
    let tracker = Endpoint { port: 6969, ..SERVER };
    let peer = Endpoint { address: mapped([198, 51, 100, 7]), port: 6881 };
    let noise = Segment { server: peer, ..tcp(1, ToServer, b"\xee\x1f\x90\x03") };
    assert_eq!(shard.flow(&noise).confidence, Confidence::PortGuess);
    let mut slot = Slot::NONE;
    let mut says = |direction, payload: &[u8]| {
        let segment = Segment { direction, server: tracker, ..udp(payload) };
        shard.packet(&mut slot, &segment);
    };
    says(ToServer, b"\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0abcd");
    says(ToClient, b"\0\0\0\0abcdconnects");
    says(ToServer, b"connects\0\0\0\x01abce");
    let peers = b"\0\0\0\x01abce\0\0\x07\x08\0\0\0\0\0\0\0\x01\xc6\x33\x64\x07\x1a\xe1";
    says(ToClient, peers);
    shard.0.release(&mut slot);
    assert_eq!(shard.flow(&noise), by_peer(AppId::BITTORRENT));
    // Whoever spoke to the tracker listens at the port it came from.
    let back = Segment { server: CLIENT, client: peer, ..udp(b"\xee\x1f\x90\x03") };
    assert_eq!(shard.flow(&back), by_peer(AppId::BITTORRENT));
    // What the content says goes before what is known of the peer.
    let ssh = Segment { server: peer, ..tcp(1, ToServer, b"SSH-2.0-OpenSSH_9.6\r\n") };
    assert_eq!(shard.flow(&ssh).app, AppId::SSH);
}

#[test]
fn media_of_a_session_is_known_at_its_first_packet() {
    let mut shard = Shard::new();
    let mut slot = Slot::NONE;
    let rtsp = Endpoint { port: 554, ..SERVER };
    let setup = b"SETUP rtsp://192.0.2.2/a RTSP/1.0\r\nCSeq: 3\r\n\
        Transport: RTP/AVP;unicast;client_port=4588-4589\r\n\r\n";
    shard.packet(&mut slot, &Segment { server: rtsp, ..tcp(1, ToServer, setup) });
    shard.0.release(&mut slot);
    let media = |port| Segment {
        client: Endpoint { port: 6256, ..SERVER },
        server: Endpoint { port, ..CLIENT },
        ..udp(b"\x24\0\x01")
    };
    assert_eq!(shard.flow(&media(4588)), by_peer(AppId::RTP));
    assert_eq!(shard.flow(&media(4589)), by_peer(AppId::RTCP));
    assert_eq!(shard.flow(&media(4590)), Verdict::UNKNOWN);
}

#[test]
fn a_transfer_is_known_by_the_port_that_asked_for_it() {
    let mut shard = Shard::new();
    let tftp = Endpoint { port: 69, ..SERVER };
    let request = Segment { server: tftp, ..udp(b"\0\x01boot.bin\0octet\0") };
    assert_eq!(shard.flow(&request).app, AppId::TFTP);
    let block = Segment {
        client: Endpoint { port: 3445, ..SERVER },
        server: CLIENT,
        ..udp(b"\0\x03\0\x02short")
    };
    assert_eq!(shard.flow(&block), by_peer(AppId::TFTP));
}

#[test]
fn an_address_where_nothing_else_is_names_the_flow() {
    let mut shard = Shard::new();
    let at = |address: [u8; 4], port| Endpoint { address: mapped(address), port };
    let noise = |address| Segment { server: at(address, 443), ..tcp(1, ToServer, b"\xee\x1f\x90") };
    let telegram = shard.flow(&noise([149, 154, 167, 91]));
    assert_eq!(
        (telegram.to_string(), telegram.confidence),
        ("Telegram".into(), Confidence::PeerKnowledge)
    );
    // A network that many rent room in tells nothing.
    assert_eq!(shard.flow(&noise([104, 16, 0, 1])).confidence, Confidence::PortGuess);
    let mut web = |host: &str| {
        let request = format!("GET /a HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let server = at([45, 57, 0, 1], 80);
        shard.flow(&Segment { server, ..tcp(1, ToServer, request.as_bytes()) }).to_string()
    };
    assert_eq!(web("45.57.0.1"), "HTTP.Netflix");
    assert_eq!(web("www.example.com"), "HTTP", "the host name tells more than the address");
    assert_eq!(web("www.wikipedia.org"), "HTTP.Wikipedia");
}

#[test]
fn a_request_without_a_host_name_is_told_by_its_path_and_program() {
    let mut shard = Shard::new();
    let mut web = |request: &str| {
        let server = Endpoint { port: 80, ..SERVER };
        shard.flow(&Segment { server, ..tcp(1, ToServer, request.as_bytes()) })
    };
    let gnutella = web("GET /uri-res/N2R?urn:sha1:ABC HTTP/1.1\r\nHost: 192.0.2.2:4000\r\n\r\n");
    assert_eq!(gnutella.to_string(), "HTTP.Gnutella");
    assert_eq!(gnutella.confidence, Confidence::Content);
    let program = "User-Agent: Microsoft-Delivery-Optimization/10.0\r\n";
    let update = web(&format!("GET /a HTTP/1.1\r\n{program}Host: 192.0.2.2\r\n\r\n"));
    assert_eq!(update.to_string(), "HTTP.WindowsUpdate");
}

fn mapped([a, b, c, d]: [u8; 4]) -> [u8; 16] {
    std::net::Ipv4Addr::new(a, b, c, d).to_ipv6_mapped().octets()
}
