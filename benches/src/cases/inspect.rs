//! Inspection by family: conversations from their first payload to their name, or to giving up.
//! An operation is a packet that was inspected; the end of its flow's inspection is in it.

use weir_dpi::Transport;

use super::Case;
use crate::flows::{self, Flow};

/// Times that a conversation is played.
const ROUNDS: usize = 16;

fn conversation(flow: Flow) -> Case {
    Case::new(format!("inspect/{}", flow.name), move || {
        let (flow, mut inspector) = (flow.clone(), Flow::inspector());
        move || (0..ROUNDS).map(|_| flow.play(&mut inspector)).sum()
    })
}

/// What a flow of no protocol costs, with the dissectors that there are and with many more.
fn unknown(over: Transport, name: &str, more: bool) -> Case {
    let more_name = if more { format!(", {} more dissectors", flows::MORE) } else { String::new() };
    Case::new(format!("inspect/unknown/{name}{more_name}"), move || {
        let flows = flows::unknown(over);
        let mut inspector = if more { Flow::inspector_with_more() } else { Flow::inspector() };
        move || flows.iter().map(|flow| flow.play(&mut inspector)).sum()
    })
}

pub(super) fn cases() -> Vec<Case> {
    let unknown = [false, true].into_iter().flat_map(|more| {
        [unknown(Transport::Tcp, "tcp", more), unknown(Transport::Udp, "udp", more)]
    });
    flows::all().into_iter().map(conversation).chain(unknown).collect()
}
