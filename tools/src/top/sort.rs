//! The orders in which lists are shown. Equals stand by name, so that lines do not dance.

use std::cmp::{Ordering, Reverse};

use weir_shm::alerts::Alert;

use super::lists::{AppLine, HostLine};
use crate::flow::Flow;

macro_rules! orders {
    ($(#[$doc:meta])* $name:ident { $first:ident $first_text:literal $(, $other:ident $text:literal)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub(super) enum $name {
            #[default]
            $first,
            $($other),*
        }

        impl $name {
            const ALL: &[$name] = &[$name::$first $(, $name::$other)*];

            /// The one after it.
            pub(super) fn next(self) -> $name {
                let at = Self::ALL.iter().position(|order| *order == self).unwrap_or(0);
                Self::ALL.get(at + 1).copied().unwrap_or_default()
            }

            /// What it is called.
            pub(super) fn name(self) -> &'static str {
                match self {
                    $name::$first => $first_text,
                    $($name::$other => $text),*
                }
            }
        }
    };
}

orders! {
    /// Order of flows.
    FlowSort { Bytes "bytes", Rate "rate", Packets "packets", Newest "newest", Duration "duration" }
}

orders! {
    /// Order of applications.
    AppSort { Bytes "bytes", Rate "rate", Flows "flows", Hosts "hosts", Latency "latency", Name "name" }
}

orders! {
    /// Order of hosts.
    HostSort {
        Bytes "bytes", Rate "rate", Sent "rate out", Received "rate in", Flows "flows",
        Alerts "alerts", Newest "last seen", Name "name"
    }
}

orders! {
    /// Order of alerts; those that are active always come before those that ended.
    AlertSort { Severity "severity", Newest "newest", Rule "rule", Subject "subject" }
}

impl FlowSort {
    /// By what a flow is put in order, the greatest first.
    pub(super) fn key(self, flow: &Flow<'_>, rate_bps: u64) -> u64 {
        match self {
            FlowSort::Rate => rate_bps,
            FlowSort::Bytes => flow.bytes_total(),
            FlowSort::Packets => flow.packets_total(),
            FlowSort::Newest => flow.first_ns,
            FlowSort::Duration => flow.duration_ns(),
        }
    }
}

impl AppSort {
    pub(super) fn compare(self, a: &AppLine, b: &AppLine) -> Ordering {
        let order = match self {
            AppSort::Bytes => b.bytes.cmp(&a.bytes),
            AppSort::Rate => b.rate_bps.cmp(&a.rate_bps),
            AppSort::Flows => b.flows.cmp(&a.flows),
            AppSort::Hosts => b.hosts.cmp(&a.hosts),
            AppSort::Latency => b.latency_ns[0].cmp(&a.latency_ns[0]),
            AppSort::Name => Ordering::Equal,
        };
        let by_bytes = if self == AppSort::Name { Ordering::Equal } else { b.bytes.cmp(&a.bytes) };
        order.then(by_bytes).then_with(|| a.name.cmp(&b.name))
    }
}

impl HostSort {
    pub(super) fn compare(self, a: &HostLine, b: &HostLine) -> Ordering {
        let order = match self {
            HostSort::Bytes => Ordering::Equal,
            HostSort::Rate => b.rate_bps().cmp(&a.rate_bps()),
            HostSort::Sent => b.rates_bps[0].cmp(&a.rates_bps[0]),
            HostSort::Received => b.rates_bps[1].cmp(&a.rates_bps[1]),
            HostSort::Flows => b.flows.cmp(&a.flows),
            HostSort::Alerts => b.alerts.cmp(&a.alerts),
            HostSort::Newest => b.last_ns.cmp(&a.last_ns),
            HostSort::Name => {
                // Those without a name come after, by address.
                (a.name.is_empty(), &a.name).cmp(&(b.name.is_empty(), &b.name))
            }
        };
        let by_bytes = if self == HostSort::Name {
            Ordering::Equal
        } else {
            b.all_bytes().cmp(&a.all_bytes())
        };
        order.then(by_bytes).then_with(|| a.address.cmp(&b.address))
    }
}

impl AlertSort {
    pub(super) fn compare(self, a: &Alert, b: &Alert) -> Ordering {
        let over = (a.end_ns != 0).cmp(&(b.end_ns != 0));
        let key = |alert: &Alert| Reverse((alert.severity, alert.end_ns.max(alert.start_ns)));
        let newest = |alert: &Alert| Reverse(alert.end_ns.max(alert.start_ns));
        let order = match self {
            AlertSort::Severity => Ordering::Equal,
            AlertSort::Newest => newest(a).cmp(&newest(b)),
            AlertSort::Rule => a.rule.as_bytes().cmp(b.rule.as_bytes()),
            AlertSort::Subject => a.subject.address.cmp(&b.subject.address),
        };
        over.then(order).then_with(|| key(a).cmp(&key(b))).then_with(|| a.id.cmp(&b.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_shm::alerts::Severity;

    #[test]
    fn orders_go_round() {
        assert_eq!(FlowSort::Duration.next(), FlowSort::Bytes);
        assert_eq!(AppSort::Bytes.next(), AppSort::Rate);
        assert_eq!(AlertSort::Subject.next().name(), "severity");
        assert_eq!(HostSort::Name.next(), HostSort::default());
    }

    #[test]
    fn applications_stand_by_their_key_then_by_bytes_and_name() {
        let app = |name: &str, bytes, flows| AppLine {
            name: name.to_owned(),
            bytes,
            flows,
            ..AppLine::default()
        };
        let mut all = [app("b", 5, 1), app("a", 5, 1), app("c", 1, 9)];
        let order = |all: &[AppLine]| all.iter().map(|app| app.name.clone()).collect::<String>();
        all.sort_by(|a, b| AppSort::Bytes.compare(a, b));
        assert_eq!(order(&all), "abc");
        all.sort_by(|a, b| AppSort::Flows.compare(a, b));
        assert_eq!(order(&all), "cab");
    }

    #[test]
    fn active_alerts_come_before_graver_ones_that_ended() {
        let alert = |id, severity, end_ns| Alert { id, severity, end_ns, ..Alert::default() };
        let mut all = [
            alert(1, Severity::Severe, 9),
            alert(2, Severity::Low, 0),
            alert(3, Severity::High, 0),
        ];
        for sort in AlertSort::ALL {
            all.sort_by(|a, b| sort.compare(a, b));
            assert_eq!(all.last().map(|alert| alert.id), Some(1), "{}", sort.name());
        }
        all.sort_by(|a, b| AlertSort::Severity.compare(a, b));
        assert_eq!(all[0].id, 3);
    }
}
