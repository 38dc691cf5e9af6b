//! The server's own certificate, the first of the chain it sends in the clear up to TLS 1.2 (RFC
//! 5246 section 7.4.2): what is noted of it, what is odd about it, and which service it names.

use super::certificate::{Certificate, Name};
use super::hello::Carrier;
use super::risks;
use crate::app::{self, AppId, Category};
use crate::attr::{self, Attr};
use crate::digests::Prints;
use crate::meta::Meta;
use crate::services;
use crate::view::{Notes, View};

/// Alternative names kept, and their bytes in all.
const NAMES_KEPT: usize = 8;
const NAME_BYTES: usize = 200;
/// How long an address is taken to be the service's that a certificate named, in seconds.
const LEARNED_S: u32 = 3600;

/// The attributes of one carrier.
struct Names {
    sni: &'static Attr,
    subject: &'static Attr,
    issuer: &'static Attr,
    not_before: &'static Attr,
    not_after: &'static Attr,
    sha256: &'static Attr,
    sha1: &'static Attr,
    san: &'static Attr,
}

const TLS: Names = Names {
    sni: &attr::TLS_SNI,
    subject: &attr::TLS_SUBJECT,
    issuer: &attr::TLS_ISSUER,
    not_before: &attr::TLS_NOT_BEFORE,
    not_after: &attr::TLS_NOT_AFTER,
    sha256: &attr::TLS_CERT_SHA256,
    sha1: &attr::TLS_CERT_SHA1,
    san: &attr::TLS_SAN,
};
const DTLS: Names = Names {
    sni: &attr::DTLS_SNI,
    subject: &attr::DTLS_SUBJECT,
    issuer: &attr::DTLS_ISSUER,
    not_before: &attr::DTLS_NOT_BEFORE,
    not_after: &attr::DTLS_NOT_AFTER,
    sha256: &attr::DTLS_CERT_SHA256,
    sha1: &attr::DTLS_CERT_SHA1,
    san: &attr::DTLS_SAN,
};

/// Notes a certificate of which `der` is at hand, and `prints` where that was all of it.
pub(super) fn note(
    view: &View<'_>,
    notes: &mut Notes<'_>,
    carrier: Carrier,
    der: &[u8],
    prints: Option<Prints>,
) {
    let Some(certificate) = Certificate::parse(der) else { return };
    let names = if carrier == Carrier::Dtls { &DTLS } else { &TLS };
    let meta = &mut *notes.meta;
    note_name(meta, names.subject, certificate.subject);
    note_name(meta, names.issuer, certificate.issuer);
    meta.put_number(names.not_before, certificate.not_before_s);
    meta.put_number(names.not_after, certificate.not_after_s);
    if let Some(Prints { sha256, sha1 }) = prints {
        meta.put(names.sha256, &sha256);
        meta.put(names.sha1, &sha1);
    }
    let mut room = NAME_BYTES;
    for name in certificate.host_names().take(NAMES_KEPT) {
        let Some(left) = room.checked_sub(name.len()) else { break };
        room = left;
        meta.put(names.san, name);
    }
    let covered = meta.get(names.sni).map(|host| certificate.covers(host));
    // Peers of a call sign for themselves, and say so beforehand (RFC 8827 section 6.5).
    if carrier == Carrier::Tls || !certificate.is_self_signed() {
        risks::certificate(meta, &certificate, view.now_ns / 1_000_000_000);
        if covered == Some(Some(false)) {
            meta.set_risk(crate::risk::Risk::TlsMismatch);
        }
    }
    let by_name = match covered {
        Some(Some(true)) => meta.get(names.sni).and_then(services::by_host_name),
        _ => None,
    };
    let owners @ [common_name, _] = certificate.subject.owner();
    let by_certificate = service(&certificate, common_name);
    // A program that is everywhere, or a company: the flow's service, not the address'.
    let by_owner = || owners.into_iter().flatten().find_map(services::by_certificate_name);
    notes.scratch.hello.service = by_certificate.or_else(by_owner).unwrap_or_default();
    // Behind a proxy it is not the certificate of the address that is spoken to.
    let is_proxy = |layer: &AppId| matches!(*layer, AppId::HTTP_CONNECT | AppId::SOCKS);
    let direct = !notes.meta.layers().layers().iter().any(is_proxy);
    let own = |app: &AppId| has_own_addresses(*app) && direct;
    if let Some(app) = by_name.or(by_certificate).filter(own) {
        // Whoever sent it is the server, also where it passes for the client.
        let sender = if view.from_client() { view.client } else { view.server };
        notes.knowledge.learn_host(sender.address, app, LEARNED_S);
    }
}

fn note_name(meta: &mut Meta, attr: &Attr, name: Name<'_>) {
    let mut text = [0; 160];
    meta.put(attr, name.write(&mut text));
}

/// The service that a certificate is for: that of its common name, or the only one among its
/// other names. Of a certificate that many share nothing follows.
fn service(certificate: &Certificate<'_>, common: Option<&[u8]>) -> Option<AppId> {
    let plain = |name: &[u8]| services::by_host_name(name.strip_prefix(b"*.").unwrap_or(name));
    if let Some(app) = common.and_then(plain) {
        return Some(app);
    }
    let mut found = None;
    for name in certificate.host_names() {
        let app = plain(name)?;
        if found.is_some_and(|found| found != app) {
            return None;
        }
        found = Some(app);
    }
    found
}

/// Whether the addresses of a service are its own: those of a hoster serve many.
fn has_own_addresses(app: AppId) -> bool {
    app::describe(app).category != Category::Cloud && app != AppId::CLOUDFLARE
}
