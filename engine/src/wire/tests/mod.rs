//! What holds for all parsers together.

mod build;
mod layers;
mod limits;
mod pieces;
mod properties;
mod tunnels;

use super::*;

/// Parses a whole frame, and holds the straight line against its plain twin.
fn parsed(link: LinkType, frame: &[u8]) -> Result<Parsed, Reason> {
    parsed_of(link, 0, frame, frame.len())
}

fn parsed_of(
    link: LinkType,
    stripped_vlan: u16,
    frame: &[u8],
    wire_bytes: usize,
) -> Result<Parsed, Reason> {
    let wire_bytes = u32::try_from(wire_bytes).unwrap();
    let (mut out, mut twin) = (Parsed::default(), Parsed::default());
    let outcome = parse(link, stripped_vlan, frame, wire_bytes, &mut out);
    let twins = walk::walk(link, stripped_vlan, frame, wire_bytes, &mut twin);
    assert_eq!(outcome, twins, "the straight line and the walk agree");
    if outcome.is_ok() {
        assert_eq!(out, twin, "the straight line and the walk agree");
        let end = usize::from(out.payload_at) + usize::try_from(out.payload_bytes).unwrap();
        assert!(end <= frame.len(), "the payload is within the frame");
        assert!(out.payload_bytes <= out.payload_wire_bytes);
        assert!(usize::from(out.ip_at) < frame.len() && out.ip_at <= out.l4_at);
        assert!(out.l4_at <= out.payload_at);
    }
    outcome.map(|()| out)
}
