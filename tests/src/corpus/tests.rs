//! A corpus of a few flows, made here: what is said of it is known beforehand.

use super::*;
use crate::traffic::Traffic;
use crate::traffic::apps::client_hello;
use crate::traffic::packet::{self, Around, End};
use std::fmt::Write;
use std::net::Ipv4Addr;

const HEAD: &str = "pcap\tsrc_ip\tsrc_port\tdst_ip\tdst_port\tl4\tvlan\tndpi_protocol\tcategory\t\
                    hostname\tconfidence\tja4\tdpi_packets";

fn end(last: u8, port: u16) -> End {
    End { address: Ipv4Addr::new(192, 0, 2, last).into(), port }
}

/// One segment or datagram of client 192.0.2.1 to a server, as a frame.
fn frame(protocol: u8, client_port: u16, server: End, payload: &[u8]) -> Vec<u8> {
    let client = end(1, client_port);
    let segment = packet::Segment { sequence: 1, acknowledgement: 1, flags: 0x18 };
    packet::frame(
        Around::Nothing,
        &match protocol {
            6 => packet::tcp(client, server, segment, payload),
            _ => packet::udp(client, server, payload),
        },
    )
}

fn query(name: &[&str]) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name {
        message.push(label.len().to_le_bytes()[0]);
        message.extend(label.as_bytes());
    }
    message.extend([0, 0, 1, 0, 1]);
    message
}

/// Five flows that we name HTTP, TLS.YouTube, DNS, a guess, and nothing.
fn capture() -> Traffic {
    let get = b"GET / HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: a\r\n\r\n";
    let frames = [
        frame(6, 1001, end(2, 80), get),
        frame(6, 1002, end(3, 443), &client_hello("www.youtube.com")),
        frame(17, 1003, end(4, 53), &query(&["www", "example", "org"])),
        frame(6, 1004, end(5, 22), b"\x01\x02nothing known\xff"),
        frame(17, 1005, end(6, 1006), &[0xfe; 40]),
    ];
    Traffic { frames: frames.into_iter().map(|frame| (0, frame)).collect(), ..Traffic::default() }
}

/// Writes the corpus; each row is of flow `port - 1000`, without its capture and addresses.
fn write(rows: &[(u16, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("pcap")).unwrap();
    let place = |name: &str| folder.path().join("pcap").join(name);
    capture().write(&place("a.pcap")).unwrap();
    std::fs::write(place("broken.pcap"), b"no capture at all").unwrap();
    let mut text = format!("{HEAD}\n");
    for (port, row) in rows {
        let (last, server, l4) = match port {
            1001 => (2, 80, "TCP"),
            1002 => (3, 443, "TCP"),
            1003 => (4, 53, "UDP"),
            1004 => (5, 22, "TCP"),
            _ => (6, 1006, "UDP"),
        };
        let ends = format!("192.0.2.1\t{port}\t192.0.2.{last}\t{server}");
        writeln!(text, "a.pcap\t{ends}\t{l4}\t\t{row}").unwrap();
    }
    for missing in ["broken.pcap", "gone.pcap"] {
        let ends = "192.0.2.1\t1\t192.0.2.2\t2";
        writeln!(text, "{missing}\t{ends}\tUDP\t\tDNS\t\t\tDPI\t\t").unwrap();
    }
    std::fs::write(folder.path().join("expected.tsv"), text).unwrap();
    folder
}

fn report(rows: &[(u16, &str)]) -> Report {
    let folder = write(rows);
    check(folder.path()).unwrap();
    Report::new(&score(folder.path(), "").unwrap())
}

#[test]
fn a_perfect_corpus_has_full_marks() {
    let ja4 = {
        let folder = write(&[(1002, "TLS.YouTube\t\t\tDPI\t\t")]);
        score(folder.path(), "").unwrap().pairs[0].our_ja4().to_owned()
    };
    assert_eq!(ja4.len(), 36, "{ja4}");
    let tls = format!("TLS.YouTube\tMedia\twww.youtube.com\tDPI\t{ja4}\t1");
    let report = report(&[
        (1001, "HTTP\tWeb\tWWW.example.com:80\tDPI\t\t2"),
        (1002, &tls),
        (1003, "DNS\tNetwork\twww.example.org\tDPI\t\t3"),
        (1005, "Unknown\t\t\tUnknown\t\t"),
    ]);
    assert_eq!((report.captures, report.unread.len(), report.flows_without_row), (1, 2, 1));
    for level in report.content.levels {
        assert_eq!(
            (level.strict, level.mapped),
            (Share { of: 3, all: 3 }, Share { of: 3, all: 3 })
        );
        let means = [level.names_strict, level.names_mapped, level.captures_strict];
        assert!(means.iter().all(|mean| (mean - 1.0).abs() < 1e-9));
    }
    assert_eq!(report.all.levels[0].strict, Share { of: 4, all: 4 });
    assert_eq!(report.unknown, Share { of: 0, all: 1 });
    assert_eq!((report.hosts, report.hosts_beyond), (Share { of: 3, all: 3 }, 0));
    assert_eq!(report.ja4, Share { of: 1, all: 1 });
    assert_eq!(report.category_strict, Share { of: 3, all: 3 });
    assert!(report.differences.is_empty() && report.host_differences.is_empty());
    assert!((report.effort.reference - 2.0).abs() < 1e-9);
}

#[test]
fn what_differs_is_counted_where_it_differs() {
    let report = report(&[
        // The reference names a service, and another host.
        (1001, "HTTP.Google\tWeb\twww.google.com\tDPI\t\t"),
        // It has the protocol alone, in another category, and another fingerprint.
        (1002, "TLS\tWeb\t\tDPI\tt13d1516h2_8daaf6152771_b186095e22b6\t"),
        // It knows none.
        (1003, "Unknown\t\t\tUnknown\t\t"),
        // It has content where we guess.
        (1004, "SSH\tRemoteAccess\t\tDPI\t\t"),
        // It guesses, we know nothing.
        (1005, "Radius\t\t\tMatch by port\t\t"),
    ]);
    let [full, app, master] = report.content.levels.map(|level| level.mapped.of);
    assert_eq!((full, app, master), (0, 0, 2));
    assert_eq!((report.content.finer, report.content.guesses), (1, 1));
    assert_eq!(report.unknown, Share { of: 1, all: 1 });
    assert_eq!(report.false_names[0].theirs, "by content");
    assert_eq!(report.false_names[0].ours, "DNS");
    assert_eq!(report.hosts, Share { of: 0, all: 1 });
    assert_eq!(report.host_differences[0].ours, "another, HTTP");
    assert_eq!(report.hosts_beyond, 2);
    assert_eq!(report.ja4, Share { of: 0, all: 1 });
    let pairs: Vec<(&str, &str)> =
        report.differences.iter().map(|row| (&*row.theirs, &*row.ours)).collect();
    assert_eq!(pairs, [("HTTP.Google", "HTTP"), ("SSH", "SSH?"), ("TLS", "TLS.YouTube")]);
    assert_eq!(report.other_differences.len(), 1);
    assert_eq!(report.names["TLS"].levels.map(|share| share.of), [0, 0, 1]);
    let text = report.text(1);
    assert!(text.contains("3 pairs, 3 rows, the first 1"), "{text}");
    assert!(text.contains("gone.pcap: "), "{text}");
    let json = report.json();
    assert_eq!(json["rows_by_content"]["levels"][2]["mapped"]["of"], 2);
    assert_eq!(json["differences_by_content"].as_array().unwrap().len(), 3);
}

#[test]
fn names_of_one_thing_count_by_kind_and_captures_by_part() {
    let report =
        report(&[(1003, "DNS\t\t\tDPI\t\t"), (1001, "HTTP\t\t\tMatch by custom rule\t\t")]);
    assert_eq!(report.content.kinds, [1, 0, 0, 0, 0]);
    assert_eq!(report.all.kinds, [2, 0, 0, 0, 0], "custom rules are in all rows only");
    let folder = write(&[(1003, "DNS\t\t\tDPI\t\t")]);
    let scored = score(folder.path(), "broken").unwrap();
    assert_eq!((scored.captures, scored.unread.len(), scored.pairs.len()), (0, 1, 0));
}

#[test]
fn what_is_no_corpus_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &Path| format!("{:#}", check(path).unwrap_err());
    assert!(error(&folder.path().join("none")).contains("No such file"));
    assert!(error(folder.path()).contains("no pcap in it"));
    std::fs::create_dir(folder.path().join("pcap")).unwrap();
    assert!(error(folder.path()).contains("no expected.tsv in it"));
    std::fs::write(folder.path().join("expected.tsv"), "pcap\n").unwrap();
    let error = format!("{:#}", score(folder.path(), "").unwrap_err());
    assert!(error.ends_with("expected.tsv: line 1: no column src_ip"), "{error}");
}
