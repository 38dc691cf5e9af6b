//! Syslog messages (RFC 5424): over UDP (RFC 5426), over TCP with their length before them
//! (RFC 6587, 3.4.1), or to a socket of this machine.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use weir_shm::alerts::{Alert, Phase, Severity};

use super::show;

/// Facility 13, log audit, where security messages of programs go.
const FACILITY: u8 = 13;
/// The enterprise number for documentation (RFC 5612): the names within are Weir's own.
const ELEMENT: &str = "weir@32473";
const PATIENCE: Duration = Duration::from_secs(5);

/// Where messages go.
#[derive(Debug)]
pub(super) struct Syslog {
    way: Way,
    host: String,
}

#[derive(Debug)]
enum Way {
    Udp(UdpSocket),
    Tcp { address: String, stream: Option<TcpStream> },
    Local { path: String, socket: UnixDatagram },
}

impl Syslog {
    /// Opens the way to `address`: HOST:PORT, `tcp:HOST:PORT`, or a path.
    ///
    /// # Errors
    /// The address cannot be read, or there is no socket to be had.
    pub(super) fn open(address: &str) -> io::Result<Syslog> {
        let way = if address.starts_with('/') {
            Way::Local { path: address.to_owned(), socket: UnixDatagram::unbound()? }
        } else if let Some(address) = address.strip_prefix("tcp:") {
            Way::Tcp { address: address.to_owned(), stream: None }
        } else {
            let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
            let mut found = None;
            for target in address.to_socket_addrs()? {
                let any = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                match UdpSocket::bind(any)
                    .and_then(|socket| socket.connect(target).map(|()| socket))
                {
                    Ok(socket) => found = Some(socket),
                    Err(error) => last = error,
                }
            }
            Way::Udp(found.ok_or(last)?)
        };
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Ok(Syslog { way, host: word(&host) })
    }

    /// Sends an alert.
    ///
    /// # Errors
    /// It could not be handed on.
    pub(super) fn send(&mut self, alert: &Alert) -> io::Result<()> {
        let text = message(alert, &self.host);
        match &mut self.way {
            Way::Udp(socket) => socket.send(text.as_bytes()).map(drop),
            Way::Local { path, socket } => socket.send_to(text.as_bytes(), &*path).map(drop),
            Way::Tcp { address, stream } => {
                let framed = format!("{} {text}", text.len());
                let open = match stream.take() {
                    Some(open) => open,
                    None => connect(address)?,
                };
                (&open).write_all(framed.as_bytes())?;
                *stream = Some(open);
                Ok(())
            }
        }
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_write_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The message of an alert.
fn message(alert: &Alert, host: &str) -> String {
    let severity = match (alert.phase, alert.severity) {
        // An end is for information.
        (Phase::Ended, _) => 6,
        (_, Severity::Severe) => 2,
        (_, Severity::High) => 3,
        (_, Severity::Medium) => 4,
        (_, Severity::Low) => 5,
    };
    let fields = [
        ("id", format!("{:016x}", alert.id)),
        ("phase", alert.phase.name().to_owned()),
        ("rule", alert.rule.to_text()),
        ("kind", alert.kind.name().to_owned()),
        ("severity", alert.severity.name().to_owned()),
        ("technique", alert.kind.technique().to_owned()),
        ("subject", show::subject_text(alert)),
        ("peer", show::party_text(&alert.peer)),
        ("value", alert.value.to_string()),
        ("threshold", alert.threshold.to_string()),
    ];
    let fields = fields.iter().filter(|(_, value)| !value.is_empty());
    let element = fields.fold(String::new(), |mut element, (name, value)| {
        // Writing to a String cannot fail.
        _ = write!(element, " {name}=\"{}\"", escaped(value));
        element
    });
    format!(
        "<{}>1 {} {host} weir {} {} [{ELEMENT}{element}] {}",
        FACILITY * 8 + severity,
        timestamp(alert.time_ns),
        std::process::id(),
        alert.kind.name(),
        crate::terminal::clean(&show::sentence(alert)),
    )
}

/// A value within quotes: quotes, backslashes and brackets stand behind a backslash.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '"' | '\\' | ']') {
            text.push('\\');
        }
        text.push(if c.is_control() { '?' } else { c });
    }
    text
}

/// A header field: printable ASCII, or a dash.
fn word(text: &str) -> String {
    let word: String = text.chars().filter(char::is_ascii_graphic).take(255).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

/// A time as RFC 3339 has it, in UTC, to the microsecond.
fn timestamp(unix_ns: u64) -> String {
    let (seconds, micros) = (unix_ns / 1_000_000_000, unix_ns % 1_000_000_000 / 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days of the civil calendar: years begin in March, so that leap days come last.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;
    use weir_shm::alerts::{AlertKind, ShortText};

    fn alert() -> Alert {
        Alert {
            id: 1,
            kind: AlertKind::PortScan,
            severity: Severity::High,
            rule: ShortText::new(b"port_scan"),
            time_ns: 1_700_000_000_123_456_789,
            note: ShortText::new(b"a \"quote\"]"),
            ..Alert::default()
        }
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(timestamp(951_782_399_000_001_000), "2000-02-28T23:59:59.000001Z");
        assert_eq!(timestamp(951_782_400_000_000_000), "2000-02-29T00:00:00.000000Z");
        assert_eq!(timestamp(1_700_000_000_123_456_789), "2023-11-14T22:13:20.123456Z");
        assert_eq!(timestamp(4_102_444_799_000_000_000), "2099-12-31T23:59:59.000000Z");
    }

    #[test]
    fn messages_have_the_form_of_the_standard() {
        let text = message(&alert(), "here");
        let head = "<107>1 2023-11-14T22:13:20.123456Z here weir ";
        assert!(text.starts_with(head), "{text}");
        assert!(text.contains(" port_scan [weir@32473 id=\"0000000000000001\" phase=\"started\""));
        assert_eq!(escaped("a\"b]c\\"), "a\\\"b\\]c\\\\");
    }

    #[test]
    fn they_arrive() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut syslog = Syslog::open(&receiver.local_addr().unwrap().to_string()).unwrap();
        syslog.send(&alert()).unwrap();
        let mut bytes = [0; 2048];
        let length = receiver.recv(&mut bytes).unwrap();
        assert!(bytes[..length].starts_with(b"<107>1 "));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("tcp:{}", listener.local_addr().unwrap());
        let mut syslog = Syslog::open(&address).unwrap();
        syslog.send(&alert()).unwrap();
        syslog.send(&alert()).unwrap();
        drop(syslog);
        let mut text = String::new();
        listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
        let (length, rest) = text.split_once(' ').unwrap();
        let length: usize = length.parse().unwrap();
        assert_eq!(rest.len(), 2 * length + format!("{length} ").len());
    }
}
