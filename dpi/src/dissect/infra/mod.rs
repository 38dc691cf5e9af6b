//! Family `infra`: data stores, queues, remote calls, storage, clusters, monitoring, remote
//! desks, the control of networks, and plants. Most of these are told by a few bytes, so that they
//! are rows of tables, a theme a file.

mod cluster;
mod datastore;
mod desk;
mod field;
mod monitor;
mod netctl;
mod plant;
mod queue;
mod rpc;
mod storage;

use crate::app::AppId;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

/// The family's dissectors.
pub(crate) const DISSECTORS: &[Dissector] = &[
    datastore::STREAMS,
    datastore::PORTS,
    queue::STREAMS,
    queue::PORTS,
    rpc::STREAMS,
    rpc::DATAGRAMS,
    storage::STREAMS,
    storage::PORTS,
    storage::DATAGRAMS,
    cluster::STREAMS,
    cluster::DATAGRAMS,
    cluster::PORTS,
    monitor::STREAMS,
    monitor::DATAGRAMS,
    monitor::STREAM_PORTS,
    monitor::DATAGRAM_PORTS,
    desk::STREAMS,
    desk::STREAM_PORTS,
    desk::DATAGRAM_PORTS,
    netctl::STREAMS,
    netctl::DATAGRAMS,
    netctl::STREAM_PORTS,
    netctl::DATAGRAM_PORTS,
    plant::STREAMS,
    plant::DATAGRAMS,
    plant::STREAM_PORTS,
    plant::DATAGRAM_PORTS,
    field::STREAMS,
    field::DATAGRAMS,
    field::STREAM_PORTS,
    field::DATAGRAM_PORTS,
];

type Run = fn(&View<'_>, &mut Notes<'_>) -> Outcome;

/// A table of beginnings; `ports` are hints.
const fn table(
    over: &'static [Transport],
    first: &'static [u8],
    ports: &'static [u16],
    run: Run,
) -> Dissector {
    let first = First::OneOf(first);
    Dissector { app: AppId::UNKNOWN, over, ports, ports_only: false, first, run }
}

/// A table of shapes, each on its own ports only.
const fn bound(over: &'static [Transport], ports: &'static [u16], run: Run) -> Dissector {
    Dissector { app: AppId::UNKNOWN, over, ports, ports_only: true, first: First::Any, run }
}

const TCP: &[Transport] = &[Transport::Tcp];
const UDP: &[Transport] = &[Transport::Udp];
const BOTH: &[Transport] = &[Transport::Tcp, Transport::Udp];

#[cfg(test)]
mod testing {
    //! What the tables' tests share.

    use super::*;
    use crate::dissect::testing::{check_never, check_prefixes, run};
    use crate::view::Direction::{self, ToServer};

    /// Asserts that `bytes` are `app` on any port, whole and cut anywhere, and that they are not
    /// with the byte at `near` changed.
    pub(super) fn found(dissector: &Dissector, app: AppId, bytes: &[u8], near: usize) {
        let (over, ports) = (dissector.over[0], (40_000, 40_001));
        assert_eq!(run(dissector, ToServer, over, bytes, ports).0, Outcome::found(app), "{app:?}");
        check_prefixes(dissector, ToServer, over, bytes, ports);
        never(dissector, bytes, near, ports);
    }

    /// The same for a shape that is bound to `port`; elsewhere it is not even asked.
    pub(super) fn found_on(
        dissector: &Dissector,
        port: u16,
        app: AppId,
        bytes: &[u8],
        near: usize,
    ) {
        let (over, ports) = (dissector.over[0], (40_000, port));
        assert!(dissector.ports_only && dissector.ports.contains(&port));
        assert_eq!(run(dissector, ToServer, over, bytes, ports).0, Outcome::found(app), "{app:?}");
        check_prefixes(dissector, ToServer, over, bytes, ports);
        never(dissector, bytes, near, ports);
        check_never(dissector, Direction::ToClient, over, bytes, (40_000, 40_001));
    }

    fn never(dissector: &Dissector, bytes: &[u8], near: usize, ports: (u16, u16)) {
        let mut other = bytes.to_vec();
        other[near] ^= 0x91;
        let outcome = run(dissector, ToServer, dissector.over[0], &other, ports).0;
        assert!(!matches!(outcome, Outcome::Found { .. }), "byte {near} of {bytes:x?} is free");
    }
}
