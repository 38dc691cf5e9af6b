//! The `ClientHello` (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2; with a cookie in DTLS, RFC
//! 9147 section 5.3) as TLS, DTLS and QUIC carry it, and the `ServerHello`.
//!
//! Borrowed views: nothing is copied until it is put into the metadata. A hello that is cut off
//! is read as far as it goes; only a whole one has a fingerprint.

use super::offered::{ExtensionSet, Protocols};
use super::{ja4, risks};
use crate::app::AppId;
use crate::attr::{self, Attr};
use crate::digests::Digests;
use crate::host::Kinds;
use crate::meta::Meta;
use crate::reader::Reader;
use crate::view::View;

pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const SERVER_HELLO: u8 = 2;

const SERVER_NAME: u16 = 0;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;
const QUIC_PARAMETERS: u16 = 0x39;
const QUIC_PARAMETERS_DRAFT: u16 = 0xffa5;
const ENCRYPTED_HELLO: u16 = 0xfe0d;

/// Extensions looked at; no client sends half as many.
const EXTENSIONS_MOST: usize = 128;

/// What carries the hello.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Carrier {
    Tls,
    Dtls,
    Quic,
}

/// What a client offers.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientHello<'a> {
    pub(super) carrier: Carrier,
    /// The highest version offered, by the extension where there is one.
    pub(super) version: u16,
    /// Pairs of bytes.
    pub(super) ciphers: &'a [u8],
    /// The extension block without its length.
    pub(super) extensions: &'a [u8],
    /// The kinds of those extensions.
    pub(super) kinds: ExtensionSet,
    /// Whether there is a server name extension at all.
    pub(super) has_name: bool,
    pub(super) name: &'a [u8],
    /// What kinds of bytes the name is made of.
    pub(super) name_kinds: Kinds,
    /// Protocol names, each behind its length.
    pub(super) alpn: &'a [u8],
    /// Pairs of bytes.
    pub(super) signatures: &'a [u8],
    /// QUIC transport parameters.
    pub(super) parameters: &'a [u8],
    /// An encrypted hello is inside: the name is the outer one.
    pub(super) encrypted: bool,
    /// Read to its end.
    pub(super) whole: bool,
}

impl<'a> ClientHello<'a> {
    /// Reads the message body (behind the handshake header), of which `body` may be only the
    /// beginning. `None` if it cannot be a `ClientHello`.
    pub(super) fn parse(body: &'a [u8], carrier: Carrier) -> Option<ClientHello<'a>> {
        let mut hello = ClientHello {
            carrier,
            version: 0,
            ciphers: &[],
            extensions: &[],
            kinds: ExtensionSet::EMPTY,
            has_name: false,
            name: &[],
            name_kinds: Kinds::default(),
            alpn: &[],
            signatures: &[],
            parameters: &[],
            encrypted: false,
            whole: false,
        };
        let mut reader = Reader::new(body);
        hello.read_fixed(&mut reader)?;
        hello.whole = hello.read_rest(&mut reader).is_some();
        Some(hello)
    }

    /// The version, and the first length, which is what refuses a hello.
    fn read_fixed(&mut self, reader: &mut Reader<'a>) -> Option<()> {
        self.version = reader.u16()?;
        let fits = match self.carrier {
            Carrier::Tls | Carrier::Quic => matches!(self.version, 0x0300..=0x0304),
            Carrier::Dtls => is_dtls(self.version),
        };
        // Session ids have at most 32 bytes (RFC 5246 section 7.4.1.2).
        let session_bytes = reader.rest().get(32).copied().unwrap_or(0);
        (fits && session_bytes <= 32).then_some(())
    }

    fn read_rest(&mut self, reader: &mut Reader<'a>) -> Option<()> {
        reader.skip(32)?;
        let session_bytes = reader.u8()?;
        reader.skip(usize::from(session_bytes))?;
        if self.carrier == Carrier::Dtls {
            let cookie_bytes = reader.u8()?;
            reader.skip(usize::from(cookie_bytes))?;
        }
        let cipher_bytes = reader.u16()?;
        self.ciphers = reader.take(usize::from(cipher_bytes))?;
        let compression_bytes = reader.u8()?;
        reader.skip(usize::from(compression_bytes))?;
        if reader.left() == 0 {
            // No extensions: allowed before TLS 1.3.
            return Some(());
        }
        let extension_bytes = usize::from(reader.u16()?);
        let whole = reader.left() >= extension_bytes;
        self.extensions = reader.take_up_to(extension_bytes);
        let mut bytes = 0;
        for (kind, value) in extensions(self.extensions).take(EXTENSIONS_MOST) {
            bytes += 4 + value.len();
            self.kinds.insert(kind);
            self.note_extension(kind, value);
        }
        if bytes != self.extensions.len() {
            self.kinds.set_partial();
        }
        whole.then_some(())
    }

    fn note_extension(&mut self, kind: u16, value: &'a [u8]) {
        match kind {
            SERVER_NAME => {
                self.has_name = true;
                self.name = server_name(value).unwrap_or_default();
                self.name_kinds = Kinds::of(self.name);
            }
            SIGNATURE_ALGORITHMS => self.signatures = value.get(2..).unwrap_or_default(),
            ALPN => self.alpn = value.get(2..).unwrap_or_default(),
            SUPPORTED_VERSIONS => {
                let offered = value.get(1..).unwrap_or_default();
                self.version = highest(offered, self.carrier).unwrap_or(self.version);
            }
            QUIC_PARAMETERS | QUIC_PARAMETERS_DRAFT => self.parameters = value,
            ENCRYPTED_HELLO => self.encrypted = true,
            _ => {}
        }
    }

    /// Records what was found under the carrier's names.
    pub(super) fn note(&self, view: &View<'_>, meta: &mut Meta, digests: &mut Digests) {
        let protocols = Protocols::of(self.alpn);
        risks::client(self, &protocols, view, meta);
        let names = Names::of(self.carrier);
        if self.name_kinds.is_graphic() {
            meta.put(&attr::HOST_NAME, self.name);
            meta.put(names.sni, self.name);
        }
        meta.put(names.alpn, protocols.text());
        if self.whole
            && let Some(print) = ja4::client(self, digests)
        {
            meta.put(names.ja4, &print);
        }
        if let Some(offered) = names.offered {
            meta.put(offered, version_name(self.version).as_bytes());
        }
        if self.encrypted {
            meta.put_number(names.encrypted, 1);
        }
    }

    /// What the first protocol name offered says about the application inside.
    pub(super) fn application(&self) -> Option<AppId> {
        let first = protocol_names(self.alpn).next()?;
        Some(match first {
            b"dot" => AppId::DOT,
            _ if first.starts_with(b"doq") => AppId::DOQ,
            b"imap" => AppId::IMAP,
            b"pop3" => AppId::POP3,
            b"nntp" | b"nnsp" => AppId::NNTP,
            b"ftp" => AppId::FTP_CONTROL,
            b"xmpp-client" | b"xmpp-server" => AppId::XMPP,
            b"irc" => AppId::IRC,
            b"mqtt" => AppId::MQTT,
            b"coap" => AppId::COAP,
            b"smb" => AppId::SMB,
            b"sunrpc" => AppId::RPC,
            b"sip/2" => AppId::SIP,
            b"tds/8.0" => AppId::TDS,
            b"postgresql" => AppId::POSTGRESQL,
            b"stun.turn" | b"stun.nat-discovery" => AppId::STUN,
            _ => return None,
        })
    }
}

/// The attributes of one carrier.
struct Names {
    sni: &'static Attr,
    alpn: &'static Attr,
    ja4: &'static Attr,
    /// QUIC has one version of TLS only.
    offered: Option<&'static Attr>,
    encrypted: &'static Attr,
}

impl Names {
    fn of(carrier: Carrier) -> &'static Names {
        match carrier {
            Carrier::Tls => &Names {
                sni: &attr::TLS_SNI,
                alpn: &attr::TLS_ALPN,
                ja4: &attr::TLS_JA4,
                offered: Some(&attr::TLS_OFFERED),
                encrypted: &attr::TLS_ECH,
            },
            Carrier::Dtls => &Names {
                sni: &attr::DTLS_SNI,
                alpn: &attr::DTLS_ALPN,
                ja4: &attr::DTLS_JA4,
                offered: Some(&attr::DTLS_OFFERED),
                encrypted: &attr::DTLS_ECH,
            },
            Carrier::Quic => &Names {
                sni: &attr::QUIC_SNI,
                alpn: &attr::QUIC_ALPN,
                ja4: &attr::QUIC_JA4,
                offered: None,
                encrypted: &attr::QUIC_ECH,
            },
        }
    }
}

/// What a server chose.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerHello<'a> {
    pub(super) version: u16,
    pub(super) cipher: u16,
    /// The protocol chosen, where it is in the clear (before TLS 1.3).
    pub(super) alpn: &'a [u8],
}

impl<'a> ServerHello<'a> {
    /// Reads the message body. `None` if it is too short or not a `ServerHello`.
    pub(super) fn parse(body: &'a [u8]) -> Option<ServerHello<'a>> {
        let mut reader = Reader::new(body);
        let version = reader.u16()?;
        if !matches!(version, 0x0300..=0x0304) && !is_dtls(version) {
            return None;
        }
        reader.skip(32)?;
        let session_bytes = reader.u8().filter(|bytes| *bytes <= 32)?;
        reader.skip(usize::from(session_bytes))?;
        let cipher = reader.u16()?;
        let mut hello = ServerHello { version, cipher, alpn: &[] };
        let _compression = reader.u8()?;
        let extension_bytes = reader.u16().unwrap_or(0);
        let block = reader.take_up_to(usize::from(extension_bytes));
        for (kind, value) in extensions(block).take(EXTENSIONS_MOST) {
            match kind {
                SUPPORTED_VERSIONS => {
                    hello.version = Reader::new(value).u16().unwrap_or(version);
                }
                ALPN => hello.alpn = value.get(2..).unwrap_or_default(),
                _ => {}
            }
        }
        Some(hello)
    }
}

/// Kind and value of each extension that is there in full.
pub(super) fn extensions(block: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut reader = Reader::new(block);
    std::iter::from_fn(move || {
        let kind = reader.u16()?;
        let length = reader.u16()?;
        Some((kind, reader.take(usize::from(length))?))
    })
}

/// The names of a `ProtocolNameList` (RFC 7301 section 3.1).
pub(super) fn protocol_names(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut reader = Reader::new(list);
    std::iter::from_fn(move || {
        let length = reader.u8()?;
        reader.take(usize::from(length))
    })
}

/// Whether `value` is one of the reserved values of RFC 8701 that mean nothing.
pub(super) fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

/// Whether `version` is one that DTLS uses (1.0, 1.2, 1.3; `0x0100` is what `OpenSSL` 0.9.8 sent).
pub(super) fn is_dtls(version: u16) -> bool {
    matches!(version, 0xfefc..=0xfeff | 0x0100)
}

/// A version as shown.
pub(super) fn version_name(version: u16) -> &'static str {
    match version {
        0x0002 => "SSLv2",
        0x0300 => "SSLv3",
        0x0301 => "TLSv1.0",
        0x0302 => "TLSv1.1",
        0x0303 => "TLSv1.2",
        0x0304 => "TLSv1.3",
        0x0100 | 0xfeff => "DTLSv1.0",
        0xfefd => "DTLSv1.2",
        0xfefc => "DTLSv1.3",
        // Drafts of TLS 1.3 (RFC 8446 was 28 drafts in the making).
        0x7f00..=0x7fff => "TLSv1.3 (draft)",
        _ => "",
    }
}

/// The host name of a `ServerNameList` (RFC 6066 section 3).
fn server_name(value: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(value);
    let list_bytes = reader.u16()?;
    let mut list = reader.sub(usize::from(list_bytes))?;
    let kind = list.u8()?;
    let name_bytes = list.u16()?;
    list.take(usize::from(name_bytes)).filter(|_| kind == 0)
}

/// The highest of a list of versions, those that mean nothing left out. DTLS counts downwards.
fn highest(offered: &[u8], carrier: Carrier) -> Option<u16> {
    let versions = pairs(offered).filter(|version| !is_grease(*version));
    match carrier {
        Carrier::Dtls => versions.min(),
        Carrier::Tls | Carrier::Quic => versions.max(),
    }
}

/// The numbers of a list of two-byte values.
pub(super) fn pairs(list: &[u8]) -> impl Iterator<Item = u16> {
    list.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair))
}
