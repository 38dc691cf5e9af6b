//! Parsers: pure, slice in, header and rest out, or a one-byte reason.
//!
//! [`parse`] takes a frame as captured and answers which flow it belongs to and where its payload
//! is. Layers come off one by one until the innermost IP header with its ports is reached; a
//! tunnel that does not hold what it promises leaves the frame with the flow around it.
//!
//! Always: no input panics, reads out of bounds, or takes more than [`MAX_LAYERS`] steps.
//! Deliberately absent: checksums (the NIC saw to them, and captures of the sender's side have
//! none yet), reassembly (fragments only follow their datagram's flow), and Teredo, which is left
//! to recognition as a protocol of its own.

#![deny(clippy::indexing_slicing)]

mod arp;
mod fragments;
mod internet;
mod key;
mod link;
mod link_type;
mod neighbour;
mod parsed;
mod plain;
mod reason;
mod rest;
mod transport;
mod tunnel;
mod walk;
mod wifi;

#[cfg(test)]
mod tests;

pub use arp::{Arp, mapped};
pub use fragments::{FragmentCounters, Fragments};
pub use key::{FlowKey, Tunnel};
pub use link_type::LinkType;
pub use neighbour::Neighbour;
pub use parsed::{Fragment, Parsed, TcpHead};
pub use reason::Reason;
pub use walk::{MAX_LAYERS, MAX_TUNNELS};

/// Finds a frame's flow and its parts.
///
/// `stripped_vlan` is the tag (TCI) that the NIC took off the frame, 0 for none; `wire_bytes` is
/// what the frame had on the wire, which may be more than `bytes` holds. `out` is written only as
/// far as the frame was understood: after an error its content is of no meaning.
///
/// # Errors
/// The reason why the frame belongs to no flow.
#[inline]
pub fn parse(
    link: LinkType,
    stripped_vlan: u16,
    bytes: &[u8],
    wire_bytes: u32,
    out: &mut Parsed,
) -> Result<(), Reason> {
    if link == LinkType::Ethernet && plain::parse(stripped_vlan, bytes, out) {
        return Ok(());
    }
    walk::walk(link, stripped_vlan, bytes, wire_bytes, out)
}
