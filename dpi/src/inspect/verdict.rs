//! What inspection concludes about a flow.

use crate::app::{self, AppId};

/// On what a name rests, weakest first. The discriminants are part of the shared-memory format.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
#[repr(u8)]
pub enum Confidence {
    /// On nothing: the flow has no name.
    #[default]
    Unknown = 0,
    /// On a well-known port alone.
    PortGuess = 1,
    /// On how the flow behaves.
    Behaviour = 2,
    /// On what is known of the server: a DNS answer or another flow named it, a control flow
    /// announced this one, or its address is in a block where nothing but the service is.
    PeerKnowledge = 3,
    /// The protocol on its content, the application on the host name in it.
    HostName = 4,
    /// The protocol on its content, the application on the certificate.
    Certificate = 5,
    /// On the content.
    Content = 6,
}

impl Confidence {
    /// The name as shown.
    pub const fn name(self) -> &'static str {
        match self {
            Confidence::Unknown => "unknown",
            Confidence::PortGuess => "port",
            Confidence::Behaviour => "behaviour",
            Confidence::PeerKnowledge => "peer",
            Confidence::HostName => "hostname",
            Confidence::Certificate => "certificate",
            Confidence::Content => "content",
        }
    }

    /// The confidence with this discriminant, if there is one.
    pub const fn from_u8(value: u8) -> Option<Confidence> {
        Some(match value {
            0 => Confidence::Unknown,
            1 => Confidence::PortGuess,
            2 => Confidence::Behaviour,
            3 => Confidence::PeerKnowledge,
            4 => Confidence::HostName,
            5 => Confidence::Certificate,
            6 => Confidence::Content,
            _ => return None,
        })
    }
}

/// The name of a flow: the protocol that carries, what is carried, and how sure that is.
///
/// Where nothing is carried that has a name of its own, `master` and `app` are the same. Where
/// only the service is known (by its address), `master` is unknown.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Verdict {
    /// The protocol on the wire (`TLS`).
    pub master: AppId,
    /// What it is used for (`YouTube`).
    pub app: AppId,
    /// On what `app` rests.
    pub confidence: Confidence,
}

impl Verdict {
    /// No name.
    pub const UNKNOWN: Verdict =
        Verdict { master: AppId::UNKNOWN, app: AppId::UNKNOWN, confidence: Confidence::Unknown };

    /// A protocol that is its own application, or one that is known to ride on another.
    pub(crate) fn protocol(app: AppId, confidence: Confidence) -> Verdict {
        Verdict { master: app::carrier(app), app, confidence }
    }

    /// Whether there is a name.
    pub const fn is_known(&self) -> bool {
        self.app.0 != 0
    }
}

impl std::fmt::Display for Verdict {
    /// `TLS.YouTube`, or one name where both are the same or one is unknown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.master != self.app && self.master != AppId::UNKNOWN {
            f.write_str(app::describe(self.master).name)?;
            f.write_str(".")?;
        }
        f.write_str(app::describe(self.app).name)
    }
}

const _: () = assert!(size_of::<Verdict>() <= 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_shown_dotted_only_where_two_names_tell_more() {
        let both = Verdict { master: AppId::TLS, app: AppId::DOH, confidence: Confidence::Content };
        assert_eq!(both.to_string(), "TLS.DoH");
        assert_eq!(Verdict { app: AppId::TLS, ..both }.to_string(), "TLS");
        assert_eq!(Verdict { master: AppId::UNKNOWN, ..both }.to_string(), "DoH");
        assert_eq!(Verdict::UNKNOWN.to_string(), "Unknown");
    }

    #[test]
    fn every_confidence_survives_its_byte() {
        let known: Vec<_> = (0..=u8::MAX).filter_map(Confidence::from_u8).collect();
        assert_eq!(known.len(), 7);
        assert!(known.iter().all(|&one| Confidence::from_u8(one as u8) == Some(one)));
        assert!(known.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
