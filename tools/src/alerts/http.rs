//! The least of HTTP that hands a message to a server: `POST`, one connection a message, no
//! redirects, no TLS.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long connecting, sending and waiting for the answer may take, each.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read at most.
const ANSWER: u64 = 1 << 16;

/// Where messages go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Target {
    /// Host and port, to connect to.
    address: String,
    /// As the `Host` field has it.
    host: String,
    path: String,
}

/// What came of a message.
#[derive(Debug)]
pub(super) enum Sent {
    /// The server took it.
    Taken,
    /// It will not take it another time either.
    Refused(u16),
    /// Another time it may.
    Later(String),
}

impl Target {
    /// Reads `http://HOST[:PORT][/PATH]`.
    ///
    /// # Errors
    /// Says what else to write.
    pub(super) fn parse(url: &str) -> Result<Target, String> {
        let Some(rest) = url.strip_prefix("http://") else {
            return Err(format!("`{url}`: give http://HOST[:PORT]/PATH (https is not supported)"));
        };
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(at);
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if host.is_empty() || host.contains('@') || !plain(host) || !plain(path) {
            return Err(format!("`{url}`: give http://HOST[:PORT]/PATH, without user and blanks"));
        }
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let path = path.split('#').next().unwrap_or_default();
        Ok(Target {
            address: if has_port { host.to_owned() } else { format!("{host}:80") },
            host: host.to_owned(),
            path: if path.starts_with('/') { path.to_owned() } else { format!("/{path}") },
        })
    }

    /// Sends `body`, a JSON object.
    pub(super) fn post(&self, body: &[u8]) -> Sent {
        match self.try_post(body) {
            Ok(200..=299) => Sent::Taken,
            // Too early, too many, or the server's own trouble.
            Ok(status @ (408 | 425 | 429 | 500..)) => Sent::Later(format!("status {status}")),
            Ok(status) => Sent::Refused(status),
            Err(error) => Sent::Later(error.to_string()),
        }
    }

    fn try_post(&self, body: &[u8]) -> io::Result<u16> {
        let mut stream = self.connect()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: weir/{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.path,
            self.host,
            env!("CARGO_PKG_VERSION"),
            body.len(),
        );
        stream.write_all(&[head.as_bytes(), body].concat())?;
        status(&mut BufReader::new(stream.take(ANSWER)))
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in self.address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// The status of an answer, that of informational ones left out.
fn status(answer: &mut impl BufRead) -> io::Result<u16> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP");
    let mut line = String::new();
    loop {
        line.clear();
        answer.read_line(&mut line)?;
        let rest = line.strip_prefix("HTTP/1.").ok_or_else(wrong)?;
        let status = rest.split(' ').nth(1).and_then(|text| text.trim().parse().ok());
        let status: u16 = status.ok_or_else(wrong)?;
        if status >= 200 {
            return Ok(status);
        }
        while line.trim_end() != "" {
            line.clear();
            answer.read_line(&mut line)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn addresses_are_read_or_refused_with_advice() {
        let target = Target::parse("http://example.org/hook?x=1").unwrap();
        assert_eq!((&*target.address, &*target.path), ("example.org:80", "/hook?x=1"));
        assert_eq!(Target::parse("http://[::1]:8080").unwrap().path, "/");
        for wrong in
            ["https://example.org/", "example.org", "http://", "http://a b/", "http://u@h/"]
        {
            assert!(Target::parse(wrong).unwrap_err().contains("give http://"), "{wrong}");
        }
    }

    /// A server that gives each of these answers to one request, and says what it was sent.
    fn server(answers: &'static [&'static str]) -> (Target, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/x", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let mut bodies = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut line, mut length) = (String::new(), 0);
                while {
                    line.clear();
                    reader.read_line(&mut line).unwrap()
                } > 2
                {
                    if let Some(text) = line.strip_prefix("Content-Length: ") {
                        length = text.trim().parse().unwrap();
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                bodies.push(String::from_utf8(body).unwrap());
                stream.write_all(answer.as_bytes()).unwrap();
            }
            bodies
        });
        (Target::parse(&url).unwrap(), thread)
    }

    #[test]
    fn what_the_server_says_decides() {
        let (target, thread) = server(&[
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 503 Busy\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            "nonsense\r\n",
        ]);
        assert!(matches!(target.post(b"{}"), Sent::Taken));
        assert!(matches!(target.post(b"{}"), Sent::Refused(404)));
        assert!(matches!(target.post(b"{}"), Sent::Later(_)));
        assert!(matches!(target.post(b"{}"), Sent::Taken));
        assert!(matches!(target.post(b"{\"a\":1}"), Sent::Later(_)));
        assert_eq!(thread.join().unwrap().last().unwrap(), "{\"a\":1}");
        assert!(matches!(target.post(b"{}"), Sent::Later(_)), "nobody listens any more");
    }
}
