//! The versions of QUIC that are recognised, and what differs between them: the salt of the
//! Initial keys, the labels of the key schedule, and the number of the Initial packet type.
//!
//! RFC 9001 section 5.2 (version 1), RFC 9369 section 3 (version 2), the drafts
//! draft-ietf-quic-tls-21 to -34, and the versions that Google and Facebook ran.

/// One version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version {
    /// As shown.
    pub(super) name: &'static str,
    pub(super) salt: &'static [u8; 20],
    pub(super) labels: &'static Labels,
    /// The packet type bits of an Initial packet.
    pub(super) initial: u8,
    pub(super) handshake: Handshake,
    /// The type of a CRYPTO frame.
    pub(super) crypto: u8,
}

/// What the CRYPTO frames hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Handshake {
    Tls,
    /// Google's own handshake, before QUIC used TLS.
    Google,
}

/// The `info` of each expansion (RFC 8446 section 7.1), with the block counter of RFC 5869 behind.
#[derive(Debug)]
pub(super) struct Labels {
    pub(super) key: &'static [u8],
    pub(super) iv: &'static [u8],
    pub(super) header: &'static [u8],
}

/// The label by which the client's secret is derived, in every version.
pub(super) const CLIENT_IN: &[u8] = b"\x00\x20\x0ftls13 client in\x00\x01";

static LABELS_1: Labels = Labels {
    key: b"\x00\x10\x0etls13 quic key\x00\x01",
    iv: b"\x00\x0c\x0dtls13 quic iv\x00\x01",
    header: b"\x00\x10\x0dtls13 quic hp\x00\x01",
};

static LABELS_2: Labels = Labels {
    key: b"\x00\x10\x10tls13 quicv2 key\x00\x01",
    iv: b"\x00\x0c\x0ftls13 quicv2 iv\x00\x01",
    header: b"\x00\x10\x0ftls13 quicv2 hp\x00\x01",
};

static SALT_1: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad,
    0xcc, 0xbb, 0x7f, 0x0a,
];
static SALT_2: [u8; 20] = [
    0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb,
    0xf9, 0xbd, 0x2e, 0xd9,
];
/// Version 2 while it was a draft.
static SALT_2_DRAFT: [u8; 20] = [
    0xa7, 0x07, 0xc2, 0x03, 0xa5, 0x9b, 0x47, 0x18, 0x4a, 0x1d, 0x62, 0xca, 0x57, 0x04, 0x06, 0xea,
    0x7a, 0xe3, 0xe5, 0xd3,
];
static SALT_DRAFT_21: [u8; 20] = [
    0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a, 0x96, 0xcd, 0x21, 0x51, 0x9e, 0xbd,
    0x7a, 0x02, 0x64, 0x4a,
];
static SALT_DRAFT_23: [u8; 20] = [
    0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65,
    0xbe, 0xf9, 0xf5, 0x02,
];
static SALT_DRAFT_29: [u8; 20] = [
    0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0,
    0x43, 0x90, 0xa8, 0x99,
];
static SALT_Q050: [u8; 20] = [
    0x50, 0x45, 0x74, 0xef, 0xd0, 0x66, 0xfe, 0x2f, 0x9d, 0x94, 0x5c, 0xfc, 0xdb, 0xd3, 0xa7, 0xf0,
    0xd3, 0xb5, 0x6b, 0x45,
];
static SALT_T050: [u8; 20] = [
    0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80, 0x30, 0x4c, 0x43, 0xa2, 0x36, 0x7c,
    0x60, 0x48, 0x83, 0x10,
];
static SALT_T051: [u8; 20] = [
    0x7a, 0x4e, 0xde, 0xf4, 0xe7, 0xcc, 0xee, 0x5f, 0xa4, 0x50, 0x6c, 0x19, 0x12, 0x4f, 0xc8, 0xcc,
    0xda, 0x6e, 0x03, 0x3d,
];

static DRAFTS: [&str; 14] = [
    "draft-21", "draft-22", "draft-23", "draft-24", "draft-25", "draft-26", "draft-27", "draft-28",
    "draft-29", "draft-30", "draft-31", "draft-32", "draft-33", "draft-34",
];

/// What is known of `number`; `None` if it is no version whose packets can be opened.
pub(super) fn find(number: u32) -> Option<Version> {
    let (name, salt) = match number {
        0x0000_0001 => ("1", &SALT_1),
        0x6b33_43cf => ("2", &SALT_2),
        0x709a_50c4 => ("2-draft", &SALT_2_DRAFT),
        0xff00_0015..=0xff00_0022 => {
            let index = usize::try_from(number - 0xff00_0015).ok()?;
            let salt = match number & 0xff {
                21..=22 => &SALT_DRAFT_21,
                23..=28 => &SALT_DRAFT_23,
                29..=32 => &SALT_DRAFT_29,
                _ => &SALT_1,
            };
            (*DRAFTS.get(index)?, salt)
        }
        // Facebook's mvfst numbered its own steps through the drafts.
        0xface_b001 => ("mvfst-22", &SALT_DRAFT_21),
        0xface_b002 => ("mvfst-27", &SALT_DRAFT_23),
        0xface_b00e => ("mvfst-experimental", &SALT_DRAFT_23),
        0x5130_3530 => ("Q050", &SALT_Q050),
        0x5430_3530 => ("T050", &SALT_T050),
        0x5430_3531 => ("T051", &SALT_T051),
        _ => return None,
    };
    let google = matches!(number, 0x5130_3530 | 0x5430_3530 | 0x5430_3531);
    let second = matches!(number, 0x6b33_43cf | 0x709a_50c4);
    Some(Version {
        name,
        salt,
        labels: if second { &LABELS_2 } else { &LABELS_1 },
        initial: u8::from(second),
        handshake: if number == 0x5130_3530 { Handshake::Google } else { Handshake::Tls },
        crypto: if google { 0x08 } else { 0x06 },
    })
}

/// Whether `number` is reserved to make servers negotiate (RFC 9000 section 15).
pub(super) fn is_reserved(number: u32) -> bool {
    number & 0x0f0f_0f0f == 0x0a0a_0a0a
}

/// Whether `number` is one of Google's versions in its own packet format: `Q` and three digits.
pub(super) fn is_google(number: [u8; 4]) -> bool {
    let [letter, hundreds, tens, ones] = number;
    letter == b'Q' && hundreds == b'0' && matches!(tens, b'0'..=b'5') && ones.is_ascii_digit()
}

/// Whether a server may list `number` in a Version Negotiation packet.
pub(super) fn may_be_offered(number: u32) -> bool {
    find(number).is_some()
        || is_reserved(number)
        || is_google(number.to_be_bytes())
        || number >> 8 == 0x00ff_0000
        || number >> 8 == 0x00fa_ceb0
}
