//! Numbers of the shared-memory format as words.

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock};

use weir_dpi::app::{self, AppId, Category};
use weir_dpi::rules::FIRST_CUSTOM;
use weir_dpi::{Confidence, Stack};
use weir_shm::rules::{AppNames, AppRow};

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

/// Where the names of applications that rules declare are looked up: in the engine that is read.
static DECLARED: RwLock<Option<AppNames>> = RwLock::new(None);

/// Has names of applications that rules declare looked up here from now on.
pub(crate) fn learn(names: &AppNames) {
    *DECLARED.write().unwrap_or_else(PoisonError::into_inner) = Some(names.clone());
}

fn declared<T>(ask: impl FnOnce(&AppNames) -> Option<T>) -> Option<T> {
    ask(DECLARED.read().unwrap_or_else(PoisonError::into_inner).as_ref()?)
}

fn row(id: u16) -> Option<AppRow> {
    if id < FIRST_CUSTOM { None } else { declared(|names| names.get(id)) }
}

/// The name of an application.
pub(crate) fn app(id: u16) -> Cow<'static, str> {
    match row(id) {
        Some(row) => Cow::Owned(row.name),
        None => Cow::Borrowed(app::describe(AppId(id)).name),
    }
}

/// The application of a name, in any case.
pub(crate) fn app_by_name(name: &str) -> Option<u16> {
    let built_in = app::by_name(name).map(|id| id.0);
    built_in.or_else(|| declared(|names| names.find(name)).map(|row| row.id))
}

/// What rides on what, outermost first.
pub(crate) fn stack(bytes: &[u8]) -> String {
    let layers = Stack::decode(bytes);
    let names: Vec<_> = layers.layers().iter().map(|layer| app(layer.0)).collect();
    names.join(".")
}

/// `TLS.YouTube` where the two differ, one name where they do not.
pub(crate) fn dotted(master: u16, app: u16) -> Cow<'static, str> {
    let (master_name, name) = (self::app(master), self::app(app));
    if app == 0 || master == app {
        master_name
    } else if master == 0 {
        name
    } else {
        Cow::Owned([&*master_name, ".", &*name].concat())
    }
}

/// What the flow is for.
pub(crate) fn category(master: u16, app: u16) -> &'static str {
    let declared = row(app).and_then(|row| Category::from_u8(row.category));
    declared.unwrap_or_else(|| app::category(AppId(master), AppId(app))).name()
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
