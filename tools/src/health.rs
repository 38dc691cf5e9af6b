//! A flow's health in the few figures that tables show.

use serde::Serialize;
use weir_shm::FlowView;
use weir_shm::flow::{Dir, FlowSnapshot};
use weir_shm::health::{ConnState, Ended, Health};

/// The main figures; zeros where nothing is known. Pairs are to the server first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) is_known: bool,
    pub(crate) state: ConnState,
    pub(crate) ended: Ended,
    pub(crate) server_delay_ns: u64,
    pub(crate) client_delay_ns: u64,
    /// The first answer of the application.
    pub(crate) answer_ns: u64,
    /// Mean round trip of what each direction sent.
    pub(crate) rtt_ns: [u64; 2],
    pub(crate) retransmissions: [u64; 2],
    pub(crate) out_of_order: [u64; 2],
    pub(crate) lost: [u64; 2],
    pub(crate) zero_windows: [u64; 2],
    pub(crate) peak_bps: [u64; 2],
}

impl Summary {
    /// The figures of a flow.
    pub(crate) fn of(health: &Health, flow: &FlowSnapshot) -> Summary {
        if !health.is_known() {
            return Summary::default();
        }
        let events = [Dir::ToServer, Dir::ToClient].map(|dir| health.events(flow, dir));
        let trips = [Dir::ToServer, Dir::ToClient].map(|dir| health.round_trips(flow, dir));
        let rates = [Dir::ToServer, Dir::ToClient].map(|dir| health.statistics(flow, dir));
        Summary {
            is_known: true,
            state: health.conn_state(),
            ended: health.ended(),
            server_delay_ns: health.server_delay_ns(),
            client_delay_ns: health.client_delay_ns(),
            answer_ns: health.answers().first_ns,
            rtt_ns: trips.map(|trips| trips.mean_ns),
            retransmissions: events.map(|events| events.retransmissions.into()),
            out_of_order: events.map(|events| events.out_of_order.into()),
            lost: events.map(|events| events.lost.into()),
            zero_windows: events.map(|events| events.zero_windows.into()),
            peak_bps: rates.map(|rates| rates.peak_bps),
        }
    }

    /// The figures of a flow that was read.
    pub(crate) fn of_view(view: &FlowView) -> Summary {
        Summary::of(&view.health, &view.snapshot)
    }

    /// The larger of the two directions' round trips: seen from the middle of the path, the one to
    /// the end that is further away.
    pub(crate) fn rtt_ns(&self) -> u64 {
        self.rtt_ns[0].max(self.rtt_ns[1])
    }

    /// As in JSON.
    pub(crate) fn json(&self) -> SummaryJson {
        SummaryJson {
            state: self.state.name(),
            ended: self.ended.name(),
            server_delay_ns: self.server_delay_ns,
            client_delay_ns: self.client_delay_ns,
            answer_ns: self.answer_ns,
            rtt_c2s_ns: self.rtt_ns[0],
            rtt_s2c_ns: self.rtt_ns[1],
            retransmissions_c2s: self.retransmissions[0],
            retransmissions_s2c: self.retransmissions[1],
            out_of_order_c2s: self.out_of_order[0],
            out_of_order_s2c: self.out_of_order[1],
            lost_c2s: self.lost[0],
            lost_s2c: self.lost[1],
            zero_windows_c2s: self.zero_windows[0],
            zero_windows_s2c: self.zero_windows[1],
        }
    }
}

/// The figures as in JSON.
#[derive(Serialize, Clone, Copy, Debug)]
pub(crate) struct SummaryJson {
    state: &'static str,
    ended: &'static str,
    server_delay_ns: u64,
    client_delay_ns: u64,
    answer_ns: u64,
    rtt_c2s_ns: u64,
    rtt_s2c_ns: u64,
    retransmissions_c2s: u64,
    retransmissions_s2c: u64,
    out_of_order_c2s: u64,
    out_of_order_s2c: u64,
    lost_c2s: u64,
    lost_s2c: u64,
    zero_windows_c2s: u64,
    zero_windows_s2c: u64,
}
