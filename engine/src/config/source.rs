//! A source, as written on the command line.

use std::path::PathBuf;

use super::ConfigError;

/// Where packets come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SourceSpec {
    /// `xdp:IF`: an interface through AF_XDP.
    Xdp(String),
    /// `packet:IF`: an interface through AF_PACKET.
    Packet(String),
    /// `pcap:FILE`: a capture file.
    File(PathBuf),
}

impl SourceSpec {
    /// Reads `xdp:IF`, `packet:IF` or `pcap:FILE`.
    ///
    /// # Errors
    /// It is none of these.
    pub fn parse(text: &str) -> Result<SourceSpec, ConfigError> {
        let wrong = || ConfigError::NoSource(text.into());
        let (kind, rest) = text.split_once(':').ok_or_else(wrong)?;
        if rest.is_empty() {
            return Err(wrong());
        }
        match kind {
            "xdp" => Ok(SourceSpec::Xdp(rest.into())),
            "packet" => Ok(SourceSpec::Packet(rest.into())),
            "pcap" => Ok(SourceSpec::File(rest.into())),
            _ => Err(wrong()),
        }
    }

    /// The interface, if it is one.
    pub fn interface(&self) -> Option<&str> {
        match self {
            SourceSpec::Xdp(interface) | SourceSpec::Packet(interface) => Some(interface),
            SourceSpec::File(_) => None,
        }
    }

    /// Whether it is a file: it ends, and may be made to wait.
    pub const fn is_file(&self) -> bool {
        matches!(self, SourceSpec::File(_))
    }
}

impl std::fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SourceSpec::Xdp(interface) => write!(f, "xdp:{interface}"),
            SourceSpec::Packet(interface) => write!(f, "packet:{interface}"),
            SourceSpec::File(path) => write!(f, "pcap:{}", path.display()),
        }
    }
}
