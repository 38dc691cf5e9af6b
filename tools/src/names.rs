//! Numbers of the shared-memory format as words.

use std::borrow::Cow;

use weir_dpi::Confidence;
use weir_dpi::app::{self, AppId};

/// The name of an IP protocol, or its number.
pub(crate) fn l4(protocol: u8) -> Cow<'static, str> {
    let name = match protocol {
        1 => "ICMP",
        2 => "IGMP",
        4 => "IPIP",
        6 => "TCP",
        17 => "UDP",
        33 => "DCCP",
        41 => "IPV6",
        46 => "RSVP",
        47 => "GRE",
        50 => "ESP",
        51 => "AH",
        58 => "ICMPV6",
        89 => "OSPF",
        103 => "PIM",
        112 => "VRRP",
        113 => "PGM",
        132 => "SCTP",
        136 => "UDPLITE",
        number => return Cow::Owned(number.to_string()),
    };
    Cow::Borrowed(name)
}

/// The kinds of tunnel by their number in shared memory, from 1.
const TUNNELS: &[&str] =
    &["gre", "4in4", "4in6", "6in4", "6in6", "vxlan", "geneve", "gtp-u", "l2tp", "tzsp", "capwap"];

/// The name of the tunnel a flow came in; nothing where there was none.
pub(crate) fn tunnel(kind: u8) -> Option<Cow<'static, str>> {
    let index = usize::from(kind).checked_sub(1)?;
    let name = TUNNELS.get(index).copied().map(Cow::Borrowed);
    Some(name.unwrap_or_else(|| Cow::Owned(kind.to_string())))
}

/// Why an application is believed, weakest first: the index is the number in shared memory.
pub(crate) const CONFIDENCES: &[&str] = &[
    Confidence::Unknown.name(),
    Confidence::PortGuess.name(),
    Confidence::Behaviour.name(),
    Confidence::PeerKnowledge.name(),
    Confidence::HostName.name(),
    Confidence::Certificate.name(),
    Confidence::Content.name(),
];

/// The name of a confidence.
pub(crate) fn confidence(value: u8) -> &'static str {
    Confidence::from_u8(value).unwrap_or_default().name()
}

/// `TLS.YouTube` where the two differ, one name where they do not.
pub(crate) fn dotted(master: u16, app: u16) -> Cow<'static, str> {
    let master_name = app::describe(AppId(master)).name;
    let name = app::describe(AppId(app)).name;
    if app == 0 || master == app {
        Cow::Borrowed(master_name)
    } else if master == 0 {
        Cow::Borrowed(name)
    } else {
        Cow::Owned([master_name, ".", name].concat())
    }
}

/// What the flow is for.
pub(crate) fn category(master: u16, app: u16) -> &'static str {
    app::category(AppId(master), AppId(app)).name()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_where_master_and_app_agree_two_where_they_differ() {
        let tls = AppId::TLS.0;
        assert_eq!(dotted(0, 0), "Unknown");
        assert_eq!(dotted(tls, tls), "TLS");
        assert_eq!(dotted(tls, 0), "TLS");
        assert_eq!(dotted(0, tls), "TLS");
        assert_eq!(dotted(tls, AppId::HTTP.0), "TLS.HTTP");
    }

    /// The tools that read do not call the engine; that the two agree is checked here.
    #[test]
    fn tunnels_and_confidences_are_the_engines() {
        for kind in weir_engine::wire::Tunnel::ALL {
            assert_eq!(tunnel(kind as u8).unwrap_or_default(), kind.name());
        }
        for (number, name) in (0..).zip(CONFIDENCES) {
            assert_eq!(confidence(number), *name);
        }
        assert_eq!(Confidence::from_u8(u8::try_from(CONFIDENCES.len()).unwrap()), None);
    }

    #[test]
    fn unknown_numbers_are_shown_as_numbers() {
        assert_eq!(l4(6), "TCP");
        assert_eq!(l4(253), "253");
        assert_eq!(tunnel(0), None);
        assert_eq!(tunnel(100).as_deref(), Some("100"));
    }
}
