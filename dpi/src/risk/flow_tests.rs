use super::*;
use crate::dissect::testing::{CLIENT, SERVER};

fn end(address: [u8; 16], port: u16) -> Endpoint {
    Endpoint { address, port }
}

/// A flow of `app`, recognised by its content.
fn content(app: AppId) -> Verdict {
    Verdict::protocol(app, Confidence::Content)
}

fn judged(verdict: Verdict, transport: Transport, port: u16) -> Risks {
    judge_name(verdict, transport, end(CLIENT, 50_000), end(SERVER, port), &[])
}

#[test]
fn protocols_away_from_their_ports() {
    for (app, port) in [
        (AppId::SSH, 2222),
        (AppId::HTTP, 4444),
        (AppId::TLS, 4444),
        (AppId::RDP, 3390),
        (AppId::MYSQL, 13306),
        (AppId::DNS, 5300),
    ] {
        assert!(judged(content(app), Transport::Tcp, port).has(Risk::NonStandardPort), "{app:?}");
    }
    for (app, port) in [
        (AppId::SSH, 22),
        (AppId::HTTP, 8080),
        (AppId::TLS, 993),
        (AppId::BITTORRENT, 4444),
        (AppId::RTP, 4444),
    ] {
        assert!(!judged(content(app), Transport::Tcp, port).has(Risk::NonStandardPort), "{app:?}");
    }
    // The client's port counts too: a capture may begin in the middle.
    let risks =
        judge_name(content(AppId::SSH), Transport::Tcp, end(CLIENT, 22), end(SERVER, 50_000), &[]);
    assert!(!risks.has(Risk::NonStandardPort));
    let guess = Verdict::protocol(AppId::SSH, Confidence::PortGuess);
    assert!(judged(guess, Transport::Tcp, 4444).is_empty());
}

#[test]
fn ports_of_others() {
    for (app, transport, port) in [
        (AppId::SSH, Transport::Tcp, 443),
        (AppId::TLS, Transport::Tcp, 53),
        (AppId::OPENVPN, Transport::Udp, 53),
        (AppId::OPENVPN, Transport::Udp, 443),
        (AppId::TLS, Transport::Tcp, 80),
        (AppId::HTTP, Transport::Tcp, 22),
    ] {
        assert!(judged(content(app), transport, port).has(Risk::ForeignProtocol), "{app:?} {port}");
    }
    for (app, transport, port) in [
        (AppId::TLS, Transport::Tcp, 443),
        (AppId::DOH, Transport::Tcp, 443),
        (AppId::QUIC, Transport::Udp, 443),
        (AppId::STUN, Transport::Udp, 443),
        (AppId::DNS, Transport::Udp, 53),
        (AppId::WEBSOCKET, Transport::Tcp, 80),
        (AppId::RTP, Transport::Udp, 22),
        (AppId::HTTP, Transport::Tcp, 8080),
    ] {
        assert!(
            !judged(content(app), transport, port).has(Risk::ForeignProtocol),
            "{app:?} {port}"
        );
    }
}

#[test]
fn protocols_that_should_go() {
    let tcp = Transport::Tcp;
    for app in
        [AppId::TELNET, AppId::RSH, AppId::FTP_CONTROL, AppId::POP3, AppId::IRC, AppId::EDONKEY]
    {
        assert!(judged(content(app), tcp, 1).has(Risk::UnsafeProtocol), "{app:?}");
    }
    for app in [AppId::SSH, AppId::TLS, AppId::IMAPS, AppId::SMTP, AppId::SMB, AppId::SNMP] {
        assert!(!judged(content(app), tcp, 1).has(Risk::UnsafeProtocol), "{app:?}");
    }
    let mut meta = meta::Meta::default();
    meta.put_number(&attr::POP3_STARTTLS, 1);
    meta.put(&attr::SNMP_VERSION, b"2c");
    meta.put(&attr::SMB_VERSION, b"1");
    let with =
        |app| judge_name(content(app), tcp, end(CLIENT, 5), end(SERVER, 110), meta.as_bytes());
    assert!(!with(AppId::POP3).has(Risk::UnsafeProtocol));
    assert!(with(AppId::SNMP).has(Risk::UnsafeProtocol));
    assert!(with(AppId::SMB).has(Risk::UnsafeProtocol));
}

#[test]
fn desktops_and_files() {
    let private = |last| {
        let mut address = CLIENT;
        address[12..].copy_from_slice(&[192, 168, 1, last]);
        end(address, 5)
    };
    let between = |app, client, server| {
        judge_name(content(app), Transport::Tcp, client, server, &[])
            .has(Risk::DesktopOrFileSharing)
    };
    assert!(between(AppId::RDP, private(1), private(2)));
    assert!(between(AppId::VNC, private(1), end(SERVER, 5900)));
    assert!(between(AppId::SMB, private(1), end(SERVER, 445)));
    assert!(!between(AppId::SMB, private(1), private(2)));
    assert!(!between(AppId::SSH, private(1), end(SERVER, 22)));
}

#[test]
fn what_applications_are() {
    let has = |app, risk| judged(content(app), Transport::Tcp, 443).has(risk);
    assert!(has(AppId::STRATUM, Risk::Mining) && !has(AppId::BITCOIN, Risk::Mining));
    assert!(has(AppId::TOR, Risk::Anonymity) && has(AppId::NORDVPN, Risk::Anonymity));
    assert!(!has(AppId::OPENVPN, Risk::Anonymity) && !has(AppId::TLS, Risk::Anonymity));
    assert!(has(AppId::PSIPHON, Risk::Obfuscated) && !has(AppId::SSH, Risk::Obfuscated));
}

/// Bytes of a generator, as random as ciphertext for these tests.
fn random(length: usize) -> Vec<u8> {
    let mut state = 0x1234_5678_9abc_def0_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24).to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn random_bytes() {
    let tcp = Transport::Tcp;
    assert!(judge_first_payload(&random(200), tcp).has(Risk::FullyEncrypted));
    assert!(judge_first_payload(&random(600), tcp).has(Risk::SuspiciousEntropy));
    assert!(!judge_first_payload(&random(600), Transport::Udp).has(Risk::FullyEncrypted));
    assert!(judge_first_payload(&random(20), tcp).is_empty(), "too few to tell");
    let text = b"GET / HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: test\r\n\r\n".repeat(10);
    assert!(judge_first_payload(&text, tcp).is_empty());
    let zeros = vec![0; 600];
    assert!(judge_first_payload(&zeros, tcp).is_empty());
    let counter: Vec<u8> = (0..150_u32).flat_map(u32::to_le_bytes).collect();
    assert!(judge_first_payload(&counter, tcp).is_empty());
    // As many bits set as unset, and no more than two different bytes.
    assert!(judge_first_payload(&[0x0f, 0xf0].repeat(100), tcp).is_empty());
    let mut printable = random(200);
    printable[..6].copy_from_slice(b"HELLO ");
    assert!(!is_fully_encrypted(&printable));
    let mut run = random(200);
    run[50..75].fill(b'a');
    assert!(!is_fully_encrypted(&run));
}

#[test]
fn flags_of_segments() {
    use flag::{ACK, FIN, PSH, RST, SYN, URG};
    for flags in [0, SYN | FIN, SYN | RST, FIN, FIN | PSH | URG, PSH, SYN | FIN | ACK] {
        assert!(judge_flags(flags).has(Risk::TcpIssues), "{flags:#x}");
    }
    for flags in [
        SYN,
        SYN | ACK,
        ACK,
        PSH | ACK,
        FIN | ACK,
        RST,
        RST | ACK,
        FIN | PSH | ACK,
        URG | ACK,
        SYN | 0xc0,
    ] {
        assert!(judge_flags(flags).is_empty(), "{flags:#x}");
    }
}

fn course() -> Course {
    Course {
        is_tcp: true,
        packets: [4, 3],
        payloads: [1, 1],
        flags: [0x1b, 0x1b],
        server: SERVER,
        verdict: Verdict::UNKNOWN,
    }
}

#[test]
fn courses_of_connections() {
    use flag::{ACK, FIN, RST, SYN};
    let names = |course: Course| -> Vec<_> {
        judge_course(&course).iter().map(|about| about.name).collect()
    };
    assert_eq!(names(course()), [""; 0]);
    let refused = Course { packets: [1, 1], payloads: [0, 0], flags: [SYN, RST | ACK], ..course() };
    assert_eq!(names(refused), ["tcp_issues"]);
    let scanned = Course { payloads: [0, 0], flags: [SYN | RST, SYN | ACK], ..course() };
    assert_eq!(names(scanned), ["probing"]);
    let silent = Course { payloads: [0, 0], flags: [SYN | ACK | FIN, SYN | ACK | FIN], ..course() };
    assert_eq!(names(silent), ["probing"]);
    let open = Course { payloads: [0, 0], flags: [SYN | ACK, SYN | ACK], ..course() };
    assert_eq!(names(open), [""; 0], "it may go on");
    let alone = Course { packets: [3, 0], payloads: [0, 0], flags: [SYN, 0], ..course() };
    assert_eq!(names(alone), ["unidirectional"]);
    let udp = Course { is_tcp: false, packets: [3, 0], flags: [0, 0], ..course() };
    assert_eq!(names(udp), ["unidirectional"]);
    let mut many = SERVER;
    many[12..].copy_from_slice(&[239, 255, 255, 250]);
    assert_eq!(names(Course { server: many, ..udp }), [""; 0]);
    assert_eq!(names(Course { verdict: content(AppId::SYSLOG), ..udp }), [""; 0]);
}

#[test]
fn fragments_and_addresses() {
    assert!(judge_fragment(AppId::DNS).has(Risk::DnsFragmented));
    assert!(judge_fragment(AppId::RTP).is_empty());
    let v6 = |first: &[u8]| {
        let mut address = [0; 16];
        address[..first.len()].copy_from_slice(first);
        address[15] = 1;
        address
    };
    assert!(is_public(v6(&[0x20, 1])) && !is_public(v6(&[0xfe, 0x80])) && !is_public(v6(&[0xfd])));
    assert!(!is_public(v6(&[])), "loopback");
}
