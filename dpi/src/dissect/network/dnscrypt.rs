//! DNSCrypt version 2 (dnscrypt.info/protocol). Its certificates are fetched by ordinary DNS
//! questions, which `dns.rs` tells by their name; encrypted queries look like noise, and
//! encrypted responses begin with eight fixed bytes.

use super::manage::starts;
use super::{UDP, judged};
use crate::app::AppId;
use crate::view::{Dissector, First};

/// DNSCrypt, by its responses.
pub(super) const DNSCRYPT: Dissector = Dissector {
    app: AppId::DNSCRYPT,
    over: UDP,
    ports: &[443, 8443],
    ports_only: false,
    first: First::OneOf(b"r"),
    run: |view, _| judged(view, AppId::DNSCRYPT, is_response(view.data)),
};

/// The mark, then a nonce, a tag and a padded answer.
fn is_response(data: &[u8]) -> Option<bool> {
    Some(starts(data, b"r6fnvWj8")? && data.len() >= 8 + 24 + 16)
}
