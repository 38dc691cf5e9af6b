//! What is judged of a flow once its inspection is over.

use super::{Confidence, Inspector, Slot, Verdict};
use crate::risk::{Risks, flow};
use crate::view::Endpoint;

impl Inspector {
    /// Notes risks of a flow; without a slot, nothing.
    pub fn note_risks(&mut self, slot: Slot, risks: Risks) {
        if risks.is_empty() {
            return;
        }
        if let Some(state) = self.states.get(slot) {
            self.metas.of(state.meta, slot).set_risks(risks);
        }
    }

    /// Notes what the flow's name shows, held against its ends and what was found in it.
    pub(super) fn judge(
        &mut self,
        slot: Slot,
        verdict: Verdict,
        client: Endpoint,
        server: Endpoint,
    ) {
        let Some(state) = self.states.get(slot) else { return };
        let meta = self.metas.of(state.meta, slot);
        let risks = flow::judge_name(verdict, state.transport, client, server, meta.as_bytes());
        meta.set_risks(risks);
    }

    /// Notes what the last payload shows of a flow that nothing in it named.
    pub(super) fn judge_payload(&mut self, slot: Slot, verdict: Verdict, payload: &[u8]) {
        if !matches!(verdict.confidence, Confidence::Unknown | Confidence::PortGuess) {
            return;
        }
        let Some(state) = self.states.get(slot) else { return };
        let risks = flow::judge_first_payload(payload, state.transport);
        self.metas.of(state.meta, slot).set_risks(risks);
    }
}
