//! Saying something about flows without reading packets: `weir shunt`.

use crate::error::Error;
use crate::protocol::{ASK_ALLOW, ASK_BLOCK, ASK_SHUNT, Ask, Request};
use crate::reader::Attached;

use super::Judgement;

/// A connection to an engine for those who may read its packets.
#[derive(Debug)]
pub struct Control {
    attached: Attached,
}

/// A flow, by where it is and who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowRef {
    /// Its shard.
    pub shard: u16,
    /// Its slot in the shard's flow table.
    pub slot: u32,
    /// Its identity; the engine does nothing if the slot holds another flow by now.
    pub id: u64,
}

impl Control {
    /// Attaches to the engine of this name, or at this socket path (anything with a slash).
    ///
    /// # Errors
    /// If there is no such engine, it refuses, or it speaks another format.
    pub fn open(name_or_path: &str) -> Result<Self, Error> {
        let (attached, _) = Attached::open_with(name_or_path, &Request::Control)?;
        Ok(Self { attached })
    }

    /// The engine: who it is, its flows and counters.
    pub fn attached(&self) -> &Attached {
        &self.attached
    }

    /// Says that a group wants no more of a flow.
    ///
    /// # Errors
    /// If the engine has no such group, or cannot be told.
    pub fn shunt(&self, group: &str, flow: FlowRef) -> Result<(), Error> {
        let known = self.attached.groups();
        if !known.iter().any(|row| row.name == group) {
            let names: Vec<String> = known.into_iter().map(|row| row.name).collect();
            let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(Error::Spec(format!("there is no group {group:?}; there are: {there}")));
        }
        self.ask(ASK_SHUNT, flow, group)
    }

    /// Says what is thought of a flow.
    ///
    /// # Errors
    /// If the engine cannot be told.
    pub fn judge(&self, flow: FlowRef, judgement: Judgement) -> Result<(), Error> {
        let what = match judgement {
            Judgement::Allow => ASK_ALLOW,
            Judgement::Block => ASK_BLOCK,
        };
        self.ask(what, flow, "")
    }

    fn ask(&self, what: u32, flow: FlowRef, group: &str) -> Result<(), Error> {
        self.attached.connection().ask(&Ask {
            what,
            shard: flow.shard.into(),
            flow_slot: flow.slot,
            flow_id: flow.id,
            group: group.to_owned(),
        })
    }
}
