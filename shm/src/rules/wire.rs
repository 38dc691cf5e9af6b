//! What is said about rules over the socket.

/// Bytes of what a program says.
pub(crate) const MESSAGE_BYTES: usize = 16;
const HEAD_BYTES: usize = 32;
/// Bytes of an answer's text at most.
const TEXT_BYTES_MAX: usize = 48 << 10;
pub(crate) const ANSWER_BYTES_MAX: usize = HEAD_BYTES + TEXT_BYTES_MAX;
const MAGIC: [u8; 8] = *b"WEIRRULE";

/// What a program says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Message {
    /// These rules, in the descriptor that comes along, are to be in force.
    Load = 1,
    /// None are.
    Unload = 2,
    /// Has it been done? The engine looks, and answers once it has.
    Look = 3,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u32)]
pub enum RulesStatus {
    /// The rules are in force in every shard.
    #[default]
    InForce = 0,
    /// There are errors, which the text tells; the rules before stay in force.
    Wrong = 1,
    /// Others are being loaded right now.
    Busy = 2,
}

/// An engine's answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RulesAnswer {
    /// What came of it.
    pub status: RulesStatus,
    /// Rules in force.
    pub rules: u32,
    /// Applications that they declare.
    pub apps: u32,
    /// Lists.
    pub lists: u32,
    /// Warnings, which the text tells as far as there is room.
    pub warnings: u32,
    /// From the request to its end, milliseconds.
    pub took_ms: u32,
    /// A line for each error or warning.
    pub text: String,
}

pub(crate) fn encode_message(message: Message) -> [u8; MESSAGE_BYTES] {
    let mut bytes = [0; MESSAGE_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&(message as u32).to_le_bytes());
    bytes
}

pub(crate) fn decode_message(bytes: &[u8]) -> Option<Message> {
    if bytes.len() != MESSAGE_BYTES || !bytes.starts_with(&MAGIC) {
        return None;
    }
    match word(bytes, 8)? {
        1 => Some(Message::Load),
        2 => Some(Message::Unload),
        3 => Some(Message::Look),
        _ => None,
    }
}

pub(crate) fn encode_answer(answer: &RulesAnswer) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    let RulesAnswer { status, rules, apps, lists, warnings, took_ms, text } = answer;
    for number in [*status as u32, *rules, *apps, *lists, *warnings, *took_ms] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    bytes.extend_from_slice(&text.as_bytes()[..end]);
    bytes
}

pub(crate) fn decode_answer(bytes: &[u8]) -> Option<RulesAnswer> {
    if !bytes.starts_with(&MAGIC) {
        return None;
    }
    Some(RulesAnswer {
        status: match word(bytes, 8)? {
            0 => RulesStatus::InForce,
            1 => RulesStatus::Wrong,
            2 => RulesStatus::Busy,
            _ => return None,
        },
        rules: word(bytes, 12)?,
        apps: word(bytes, 16)?,
        lists: word(bytes, 20)?,
        warnings: word(bytes, 24)?,
        took_ms: word(bytes, 28)?,
        text: String::from_utf8_lossy(bytes.get(HEAD_BYTES..)?).into_owned(),
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = (decode_message(&bytes), decode_answer(&bytes));
            let named = [&MAGIC[..], &bytes].concat();
            let _ = (decode_message(&named), decode_answer(&named));
        }
    }

    #[test]
    fn messages_survive_the_way() {
        for message in [Message::Load, Message::Unload, Message::Look] {
            assert_eq!(decode_message(&encode_message(message)), Some(message));
        }
        let answer = RulesAnswer {
            status: RulesStatus::Wrong,
            rules: 1,
            apps: 2,
            lists: 3,
            warnings: 4,
            took_ms: 5,
            text: "a.rules:1: ä\n".into(),
        };
        assert_eq!(decode_answer(&encode_answer(&answer)), Some(answer.clone()));
        let long = RulesAnswer { text: "ä".repeat(TEXT_BYTES_MAX), ..answer };
        let bytes = encode_answer(&long);
        assert!(bytes.len() <= ANSWER_BYTES_MAX && decode_answer(&bytes).is_some());
    }
}
