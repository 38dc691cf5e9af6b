//! TLS that begins within a stream, behind what another protocol said first: an agreement on it
//! (STARTTLS, RFC 2595, RFC 3207, RFC 4217; RDP), or a proxy's word that the way is open.

use super::tls::TLS;
use crate::app::AppId;
use crate::view::{Notes, Outcome, View};

/// Asks TLS about what stands from `at` on in this direction of a flow that is `app`, and stays so.
/// TLS is noted as a layer of the flow.
pub(crate) fn tls_inside(view: &View<'_>, notes: &mut Notes<'_>, at: usize, app: AppId) -> Outcome {
    let data = view.data.get(at..).unwrap_or_default();
    if data.is_empty() {
        return Outcome::found_more(app);
    }
    match (TLS.run)(&View { data, ..*view }, notes) {
        Outcome::Found { more, .. } => {
            notes.meta.add_layer(AppId::TLS);
            Outcome::Found { app, more }
        }
        Outcome::NeedMore => Outcome::found_more(app),
        Outcome::NotMine | Outcome::GiveUp => Outcome::found(app),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Issued, certificate, client_hello, records, server_name};
    use crate::stack::Stack;
    use crate::view::Direction::{self, ToClient, ToServer};
    use crate::view::Endpoint;
    use crate::{Inspector, Limits, Segment, Slot, Step, TcpSegment, Verdict, attr, meta};

    /// A dialogue of whole segments through the whole of inspection: what the flow is named at its
    /// end, and its metadata.
    struct Dialogue {
        inspector: Inspector,
        slot: Slot,
        port: u16,
        protocol: u8,
        sent: [u32; 2],
        verdict: Verdict,
    }

    impl Dialogue {
        fn new(port: u16, protocol: u8) -> Dialogue {
            let inspector = Inspector::new(&Limits { flows: 16, ..Limits::default() });
            let verdict = Verdict::UNKNOWN;
            Dialogue { inspector, slot: Slot::NONE, port, protocol, sent: [1; 2], verdict }
        }

        fn say(&mut self, direction: Direction, payload: &[u8]) -> &mut Dialogue {
            let [to_server, to_client] = &mut self.sent;
            let seq = if direction == ToServer { to_server } else { to_client };
            let tcp = TcpSegment { seq: *seq, syn_seen: true, fin: false, rst: false };
            *seq += u32::try_from(payload.len()).unwrap();
            let address = |last| std::net::Ipv4Addr::new(192, 0, 2, last).to_ipv6_mapped().octets();
            let segment = Segment {
                payload,
                direction,
                client: Endpoint { address: address(1), port: 50_000 },
                server: Endpoint { address: address(2), port: self.port },
                protocol: self.protocol,
                tcp: (self.protocol == 6).then_some(tcp),
                now_ns: 1_704_067_200_000_000_000,
                payload_missing: false,
            };
            if let Step::Refined(verdict) | Step::Ended(verdict) =
                self.inspector.inspect(&mut self.slot, &segment)
            {
                self.verdict = verdict;
            }
            self
        }

        /// Name, stack, fingerprint.
        fn end(&mut self) -> (String, String, bool) {
            let meta = self.inspector.meta(self.slot);
            let find = |id| meta::decode(meta).find(|(found, _)| *found == id).map(|(_, v)| v);
            let stack = Stack::decode(find(attr::STACK.id).unwrap_or_default()).to_string();
            (self.verdict.to_string(), stack, find(attr::TLS_JA4.id).is_some())
        }
    }

    fn hello(host: &str) -> Vec<u8> {
        records(&client_hello(&[0x1301, 0xc02f], &[server_name(host)]), 4096)
    }

    fn flight() -> Vec<u8> {
        let der = certificate(&Issued { common_name: "www.example.com", ..Issued::default() });
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_be_bytes()[1..].to_vec();
        let one = [length(&der), der].concat();
        let list = [length(&one), one].concat();
        let mut server_hello = vec![2, 0, 0, 38, 3, 3];
        server_hello.extend([7; 32]);
        server_hello.extend([0, 0xc0, 0x2f, 0]);
        let certificates = [&[11][..], &length(&list), &list].concat();
        [records(&server_hello, 4096), records(&certificates, 4096)].concat()
    }

    fn seen(name: &str, stack: &str) -> (String, String, bool) {
        (name.into(), stack.into(), true)
    }

    #[test]
    fn sessions_that_change_to_tls() {
        let mut pop = Dialogue::new(110, 6);
        pop.say(ToClient, b"+OK POP3 ready\r\n").say(ToServer, b"STLS\r\n");
        pop.say(ToClient, b"+OK go on\r\n").say(ToServer, &hello("pop.example.com"));
        pop.say(ToClient, &flight());
        assert_eq!(pop.end(), seen("POP3S", "TCP.POP3.TLS.POP3S"));
        let meta = pop.inspector.meta(pop.slot);
        assert!(meta::decode(meta).any(|(id, _)| id == attr::TLS_CERT_SHA256.id));
        let mut smtp = Dialogue::new(25, 6);
        smtp.say(ToClient, b"220 mx.example.com ESMTP\r\n").say(ToServer, b"EHLO a\r\n");
        smtp.say(ToClient, b"250 STARTTLS\r\n").say(ToServer, b"STARTTLS\r\n");
        smtp.say(ToClient, b"220 go on\r\n").say(ToServer, &hello("mx.example.com"));
        assert_eq!(smtp.end(), seen("SMTPS", "TCP.SMTP.TLS.SMTPS"));
        let mut imap = Dialogue::new(143, 6);
        imap.say(ToClient, b"* OK IMAP4rev1\r\n").say(ToServer, b"a STARTTLS\r\n");
        imap.say(ToClient, b"a OK\r\n").say(ToServer, &hello("imap.example.com"));
        assert_eq!(imap.end(), seen("IMAPS", "TCP.IMAP.TLS.IMAPS"));
        let mut ftp = Dialogue::new(21, 6);
        ftp.say(ToClient, b"220 FTP\r\n").say(ToServer, b"AUTH TLS\r\n");
        ftp.say(ToClient, b"234 go on\r\n").say(ToServer, &hello("ftp.example.com"));
        assert_eq!(ftp.end(), seen("FTPS", "TCP.FTP_Control.FTPS.TLS"));
    }

    #[test]
    fn proxies_that_open_a_way() {
        let mut http = Dialogue::new(8080, 6);
        http.say(ToServer, b"CONNECT www.netflix.com:443 HTTP/1.1\r\n\r\n");
        http.say(ToClient, b"HTTP/1.1 200 Connection established\r\n\r\n");
        http.say(ToServer, &hello("www.netflix.com")).say(ToClient, &flight());
        let stack = "TCP.HTTP_Connect.TLS.Netflix";
        assert_eq!(http.end(), seen("HTTP_Connect.Netflix", stack));
        let mut socks = Dialogue::new(1080, 6);
        socks.say(ToServer, &[5, 1, 0]).say(ToClient, &[5, 0]);
        socks.say(ToServer, b"\x05\x01\0\x03\x0fwww.example.org\x01\xbb");
        socks.say(ToClient, b"\x05\0\0\x01\0\0\0\0\0\0").say(ToServer, &hello("www.example.org"));
        assert_eq!(socks.end(), seen("SOCKS", "TCP.SOCKS.TLS"));
        // What is not TLS behind it ends the reading.
        let mut other = Dialogue::new(1080, 6);
        other.say(ToServer, &[5, 1, 0]).say(ToClient, &[5, 0]);
        other.say(ToServer, b"\x05\x01\0\x01\xc0\0\x02\x07\0\x16SSH-2.0-x\r\n");
        assert_eq!(other.end(), ("SOCKS".into(), String::new(), false));
    }

    #[test]
    fn a_desktop_that_agreed_on_tls() {
        let mut rdp = Dialogue::new(3389, 6);
        rdp.say(ToServer, b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0");
        rdp.say(ToClient, b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\0\x08\0\x01\0\0\0");
        rdp.say(ToServer, &hello("desk.example.com"));
        assert_eq!(rdp.end(), seen("RDP", "TCP.RDP.TLS"));
    }

    #[test]
    fn upgrades_and_what_carries_the_carrier() {
        let mut socket = Dialogue::new(80, 6);
        socket.say(ToServer, b"GET /a HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n\r\n");
        socket.say(ToClient, b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n");
        assert_eq!(socket.end().0, "HTTP.WebSocket");
        let mut stun = Dialogue::new(5000, 17);
        stun.say(ToServer, b"\0\x01\0\0\x21\x12\xa4\x42transaction!");
        stun.say(ToServer, b"\x80\x60\0\x01\0\0\0\0\x12\x34\x56\x78\x55");
        let (name, stack, _) = stun.end();
        assert_eq!((name.as_str(), stack.as_str()), ("STUN", "UDP.STUN.RTP"));
    }
}
