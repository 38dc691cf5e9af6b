//! What a message of DNS shows by its types, sizes and counts. Names are judged in
//! [`super::names`].

use super::{Risk, Risks};

/// RFC 1035 section 4.2.1: what fits into a datagram unless more was offered.
const PLAIN_BYTES: u64 = 512;
/// What resolvers offer at most where the question was not seen.
const OFFERED_BYTES: u64 = 4096;
/// Records of an answer; a name with more addresses does not fit into a datagram.
const ANSWERS: u16 = 50;
/// Bytes of one text record: keys and policies for mail stay below (RFC 6376 section 3.6.2.2).
const TEXT_BYTES: usize = 1024;

const TYPE_TXT: u16 = 16;
const TYPE_NULL: u16 = 10;

/// What a question shows.
pub fn judge_question(kind: u16, class: u16) -> Risks {
    Risks::when(
        Risk::DnsSuspicious,
        is_odd_type(kind) || !matches!(class & 0x7fff, 1 | 3 | 254 | 255),
    )
}

/// Types that stub resolvers do not ask for: NULL (tunnels), the mail types that RFC 1035 took
/// back, transfers of whole zones, ANY (RFC 8482), and those for private use.
fn is_odd_type(kind: u16) -> bool {
    matches!(kind, 0 | 3 | 4 | 7..=9 | TYPE_NULL | 251..=255 | 65280..)
}

/// What the sizes and counts of an answer show; `offered` is the size that the question offered
/// (RFC 6891), nothing where it was without an offer, and unknown where it was not seen.
pub fn judge_answer(
    response_code: u64,
    answers: u16,
    datagram: Option<usize>,
    offered: Offer,
) -> Risks {
    let limit = match offered {
        Offer::Size(size) => size.max(PLAIN_BYTES),
        Offer::Nothing => PLAIN_BYTES,
        Offer::Unknown => OFFERED_BYTES,
    };
    let bytes = datagram.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default();
    Risks::when(Risk::DnsErrors, response_code != 0)
        .or(Risks::when(Risk::DnsLargePacket, bytes > limit))
        .or(Risks::when(Risk::DnsSuspicious, answers > ANSWERS))
}

/// What a question offered to take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Offer {
    /// It was not seen.
    Unknown,
    /// It had no OPT record.
    Nothing,
    /// So many bytes.
    Size(u64),
}

/// What a record of an answer shows.
pub fn judge_record(kind: u16, data_bytes: usize) -> Risks {
    let odd = kind == TYPE_NULL || (kind == TYPE_TXT && data_bytes > TEXT_BYTES);
    Risks::when(Risk::DnsSuspicious, odd && data_bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_classes() {
        for (kind, class) in [(10, 1), (255, 1), (252, 1), (251, 1), (65399, 1), (1, 9), (3, 1)] {
            assert!(judge_question(kind, class).has(Risk::DnsSuspicious), "{kind} {class}");
        }
        for kind in [1, 2, 5, 6, 12, 15, 16, 28, 33, 35, 43, 48, 64, 65, 257] {
            assert!(judge_question(kind, 1).is_empty(), "{kind}");
        }
        // The top bit has a meaning of its own in multicast.
        assert!(judge_question(1, 0x8001).is_empty());
        assert!(judge_question(16, 3).is_empty(), "version.bind");
    }

    #[test]
    fn sizes_and_codes() {
        let judge =
            |bytes, offered| judge_answer(0, 1, Some(bytes), offered).has(Risk::DnsLargePacket);
        assert!(judge(513, Offer::Nothing) && !judge(512, Offer::Nothing));
        assert!(judge(1300, Offer::Size(1232)) && !judge(1200, Offer::Size(1232)));
        assert!(judge(5000, Offer::Unknown) && !judge(4000, Offer::Unknown));
        assert!(!judge_answer(0, 1, None, Offer::Nothing).has(Risk::DnsLargePacket), "a stream");
        assert!(judge_answer(3, 0, None, Offer::Nothing).has(Risk::DnsErrors));
        assert!(judge_answer(0, 0, None, Offer::Nothing).is_empty());
        assert!(judge_answer(0, 51, None, Offer::Nothing).has(Risk::DnsSuspicious));
    }

    #[test]
    fn records() {
        assert!(judge_record(16, 1100).has(Risk::DnsSuspicious));
        assert!(judge_record(10, 20).has(Risk::DnsSuspicious));
        assert!(judge_record(16, 400).is_empty() && judge_record(1, 4).is_empty());
    }
}
