//! TFTP: RFC 1350 section 5 (packets), RFC 2347 (options).
//!
//! The answer to a request comes from a port of its own choice (RFC 1350 section 4), so a request
//! announces a flow towards the port it came from.

use super::UDP;
use crate::app::AppId;
use crate::attr;
use crate::view::{Dissector, First, Notes, Outcome, View};

/// TFTP.
pub(super) const TFTP: Dissector = Dissector {
    app: AppId::TFTP,
    over: UDP,
    ports: &[69],
    ports_only: false,
    first: First::OneOf(&[0]),
    run: tftp,
};

/// Longest file name believed.
const MAX_NAME: usize = 255;
/// Block size without options.
const BLOCK_BYTES: usize = 512;

fn tftp(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let found = match view.data {
        [0, 1, rest @ ..] => request(b"read", rest, view, notes),
        [0, 2, rest @ ..] => request(b"write", rest, view, notes),
        // The first block in full, as only a transfer begins. Its likes are in many protocols,
        // so the ports have to be a transfer's own: unprivileged or 69, and not alike.
        [0, 3, 0, 1, block @ ..] => block.len() == BLOCK_BYTES && has_transfer_ports(view),
        [0, 4, 0, 0] => view.port_is(69) || has_transfer_ports(view),
        [0, 4, 0, 1] => view.port_is(69),
        [0, 5, 0, code @ 0..=8, message @ .., 0] => {
            let is_text = message.iter().all(|byte| matches!(byte, b' '..=b'~'));
            is_text && (view.port_is(69) || (*code > 0 && message.len() > 8))
        }
        [0, 6, options @ .., 0] => is_options(options),
        _ => false,
    };
    if found { Outcome::found(AppId::TFTP) } else { Outcome::NotMine }
}

fn has_transfer_ports(view: &View<'_>) -> bool {
    let (client, server) = (view.client.port, view.server.port);
    let is_fit = |port| port == 69 || port >= 1024;
    is_fit(client) && is_fit(server) && client != server
}

/// File name, mode, and options in pairs, all ended by zeros.
fn request(operation: &[u8], rest: &[u8], view: &View<'_>, notes: &mut Notes<'_>) -> bool {
    let mut strings = rest.split(|byte| *byte == 0);
    let (Some(file), Some(mode), Some(_)) = (strings.next(), strings.next(), strings.next()) else {
        return false;
    };
    let known = [&b"netascii"[..], b"octet", b"mail"];
    let is_mode = known.iter().any(|name| mode.eq_ignore_ascii_case(name));
    let is_name =
        (1..=MAX_NAME).contains(&file.len()) && file.iter().all(|byte| !byte.is_ascii_control());
    if !is_mode || !is_name {
        return false;
    }
    notes.meta.put(&attr::TFTP_OPERATION, operation);
    notes.meta.put(&attr::TFTP_FILE, file);
    notes.meta.put(&attr::TFTP_MODE, mode);
    let sender = if view.from_client() { view.client } else { view.server };
    notes.knowledge.expect_flow(sender.address, sender.port, AppId::TFTP);
    true
}

/// An acknowledgement of options (RFC 2347): a known one comes first.
fn is_options(options: &[u8]) -> bool {
    let known = [&b"blksize"[..], b"tsize", b"timeout", b"windowsize", b"multicast"];
    let first = options.split(|byte| *byte == 0).next().unwrap_or_default();
    known.iter().any(|name| first.eq_ignore_ascii_case(name))
}
