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

use crate::view::Dissector;

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

#[cfg(test)]
mod testing {
    //! What the tables' tests share.

    use super::*;
    use crate::app::AppId;
    use crate::dissect::testing::{check_never, check_prefixes, run};
    use crate::view::Direction::{self, ToServer};
    use crate::view::Outcome;

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
