//! What the dissectors of this family note as risks.

use super::{dns, ldap, smb, snmp};
use crate::dissect::testing::Flow;
use crate::view::Direction::{ToClient, ToServer};
use crate::view::{Direction, Dissector, Transport};

fn risks(
    dissector: &Dissector,
    over: Transport,
    port: u16,
    turns: &[(Direction, &[u8])],
) -> Vec<&'static str> {
    let mut flow = Flow::new(over, (50_000, port));
    for (direction, data) in turns {
        flow.ask_past_filter(dissector, *direction, data);
    }
    flow.meta.risks().iter().map(|about| about.name).collect()
}

const NOTHING: &[&str] = &[];

/// A message of DNS: flags, one question, answers of a type with data.
fn message(flags: u16, name: &str, kind: u16, answers: &[(u16, &[u8])]) -> Vec<u8> {
    let mut message = vec![0x12, 0x34];
    message.extend(flags.to_be_bytes());
    let count = u16::try_from(answers.len()).unwrap();
    for count in [1, count, 0, 0] {
        message.extend(count.to_be_bytes());
    }
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).unwrap());
        message.extend(label.as_bytes());
    }
    message.push(0);
    message.extend(kind.to_be_bytes());
    message.extend([0, 1]);
    for (kind, data) in answers {
        message.extend([0xc0, 12]);
        message.extend(kind.to_be_bytes());
        message.extend([0, 1, 0, 0, 0, 60]);
        message.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        message.extend(*data);
    }
    message
}

const ASK: u16 = 0x0100;
const ANSWER: u16 = 0x8180;

fn asked(name: &str, kind: u16) -> Vec<&'static str> {
    risks(&dns::DNS, Transport::Udp, 53, &[(ToServer, &message(ASK, name, kind, &[]))])
}

#[test]
fn questions() {
    assert_eq!(asked("www.example.com", 1), NOTHING);
    assert_eq!(asked("example.com", 16), NOTHING);
    assert_eq!(asked("example.com", 255), ["dns_suspicious"]);
    assert_eq!(asked("example.com", 10), ["dns_suspicious"]);
    assert_eq!(asked("www.q4cyamnc6mtokjurvdclt.com", 1), ["dns_generated_name"]);
    let data = "nbswy3dpeb3w64tmmqqho2dfebrxk43umvzseyzanbswy3dpeb3w64tmmq.t.example.com";
    assert_eq!(asked(data, 1), ["dns_suspicious", "dns_long_name"]);
    assert_eq!(asked("a b.example.com", 1), ["invalid_characters"]);
    assert_eq!(asked("login.tk", 1), ["risky_domain"]);
    assert_eq!(asked("192.0.2.1", 1), ["numeric_host"]);
}

#[test]
fn answers() {
    let ask = message(ASK, "www.example.com", 1, &[]);
    let answered = |answer: &[u8]| {
        risks(&dns::DNS, Transport::Udp, 53, &[(ToServer, &ask), (ToClient, answer)])
    };
    assert_eq!(answered(&message(ANSWER, "www.example.com", 1, &[(1, &[192, 0, 2, 1])])), NOTHING);
    assert_eq!(answered(&message(ANSWER | 3, "www.example.com", 1, &[])), ["dns_error_code"]);
    let text = vec![b'x'; 400];
    let large = message(ANSWER, "www.example.com", 1, &[(16, &text), (16, &text)]);
    assert_eq!(answered(&large), ["dns_large_packet"]);
    let data = vec![b'x'; 1100];
    let data = message(ANSWER, "www.example.com", 1, &[(16, &data)]);
    assert_eq!(answered(&data), ["dns_suspicious", "dns_large_packet"]);
}

/// A message of LDAP: number 1 and an operation.
fn ldap_message(operation: &[u8]) -> Vec<u8> {
    let mut message = vec![0x30, u8::try_from(operation.len() + 3).unwrap(), 2, 1, 1];
    message.extend(operation);
    message
}

#[test]
fn ldap_binds() {
    let judged = |turns: &[(Direction, &[u8])]| risks(&ldap::LDAP, Transport::Tcp, 389, turns);
    let simple = ldap_message(b"\x60\x12\x02\x01\x03\x04\x05cn=me\x80\x06secret");
    let anonymous = ldap_message(b"\x60\x07\x02\x01\x03\x04\0\x80\0");
    let sasl = ldap_message(b"\x60\x0f\x02\x01\x03\x04\0\xa3\x08\x04\x06GSSAPI");
    assert_eq!(judged(&[(ToServer, &simple)]), ["clear_text_credentials"]);
    assert_eq!(judged(&[(ToServer, &anonymous)]), ["anonymous_login"]);
    assert_eq!(judged(&[(ToServer, &sasl)]), NOTHING);
    let refused = ldap_message(b"\x61\x07\x0a\x01\x31\x04\0\x04\0");
    let granted = ldap_message(b"\x61\x07\x0a\x01\0\x04\0\x04\0");
    assert_eq!(
        judged(&[(ToServer, &simple), (ToClient, &refused)]),
        ["clear_text_credentials", "login_refused"]
    );
    assert_eq!(judged(&[(ToServer, &simple), (ToClient, &granted)]), ["clear_text_credentials"]);
}

#[test]
fn communities() {
    let get = |community: &[u8]| {
        let pdu = b"\xa0\x0b\x02\x01\x01\x02\x01\0\x02\x01\0\x30\0";
        let mut message =
            vec![0x30, u8::try_from(5 + community.len() + pdu.len()).unwrap(), 2, 1, 1, 4];
        message.push(u8::try_from(community.len()).unwrap());
        message.extend(community);
        message.extend(pdu);
        risks(&snmp::SNMP, Transport::Udp, 161, &[(ToServer, &message)])
    };
    assert_eq!(get(b"s3cret"), ["clear_text_credentials"]);
    assert_eq!(get(b"public"), NOTHING);
}

#[test]
fn smb_versions() {
    let message = |command: u8, flags: u8| {
        let mut message = vec![0, 0, 0, 0x23, 0xff, b'S', b'M', b'B', command, 0, 0, 0, 0, flags];
        message.extend([0; 25]);
        message
    };
    let judged = |message: &[u8]| risks(&smb::SMB, Transport::Tcp, 445, &[(ToServer, message)]);
    assert_eq!(judged(&message(0x73, 0x18)), ["smb_insecure_version"]);
    assert_eq!(judged(&message(0x72, 0x98)), ["smb_insecure_version"], "agreed on");
    assert_eq!(judged(&message(0x72, 0x18)), NOTHING, "offered");
}
