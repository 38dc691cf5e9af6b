//! What the engine is given of a flow: the attributes, and what was concluded about it.

use super::Limits;
use super::state::FlowState;
use crate::app::AppId;
use crate::attr::{self, Attr};
use crate::meta::{META_BYTES, Meta};
use crate::stack::{DEPTH, Stack};
use crate::view::Transport;
use crate::why::{EVIDENCE_BYTES, Rule};

/// What [`Inspector::meta`](super::Inspector::meta) gives is never longer.
pub const BYTES: usize = META_BYTES + (4 + 2 * DEPTH) + (4 + 8) + (4 + 8 + EVIDENCE_BYTES);

/// Writes the report of a flow; `out` has room for [`BYTES`].
pub(super) fn write(out: &mut Vec<u8>, meta: &Meta, state: &FlowState, limits: &Limits) {
    out.extend_from_slice(meta.as_bytes());
    // Up to three layers are what the transport and the name say themselves.
    let named = [transport(state), state.verdict.master, state.verdict.app];
    if meta.layers().layers().iter().any(|layer| !named.contains(layer)) {
        append(out, &attr::STACK, |out| stack(meta, state).encode(out));
    }
    let risks = meta.risks().and(limits.risks);
    if !risks.is_empty() {
        append(out, &attr::RISKS, |out| out.extend_from_slice(&risks.0.to_le_bytes()));
    }
    if limits.explain && meta.why.rule != Rule::None {
        append(out, &attr::WHY, |out| meta.why.encode(out));
    }
}

/// What rides on what in the flow.
fn stack(meta: &Meta, state: &FlowState) -> Stack {
    let mut stack = Stack::EMPTY;
    stack.push(transport(state));
    let layers = meta.layers().layers().iter().copied();
    let named = [state.verdict.master, state.verdict.app];
    layers.chain(named).for_each(|layer| stack.push(layer));
    stack
}

fn transport(state: &FlowState) -> AppId {
    match state.transport {
        Transport::Tcp => AppId::TCP,
        Transport::Udp => AppId::UDP,
    }
}

/// Appends one attribute in the form of [`crate::meta`].
fn append(out: &mut Vec<u8>, attr: &Attr, value: impl FnOnce(&mut Vec<u8>)) {
    let [low, high] = attr.id.to_le_bytes();
    out.extend_from_slice(&[low, high, 0, 0]);
    let start = out.len();
    value(out);
    let length = u16::try_from(out.len() - start).unwrap_or(0);
    if let Some(place) = start.checked_sub(2).and_then(|at| out.get_mut(at..start)) {
        place.copy_from_slice(&length.to_le_bytes());
    }
}
