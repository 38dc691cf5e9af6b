//! Rules that an engine is given while it runs: how they come to it, and what it tells readers of
//! those in force. What a rule is, this crate does not know.

mod bundle;
mod control;
mod names;

pub use bundle::{Bundle, BundleBuilder, FileText};
pub use control::RulesControl;
pub use names::{AppNames, AppRow, RulesRow, RulesTable};

pub(crate) use names::{APP_WORDS, APPS, RULES_WORDS, Words};
pub(crate) use wire::{ANSWER_BYTES_MAX, MESSAGE_BYTES, Message, decode_answer, decode_message};
pub(crate) use wire::{encode_answer, encode_message};

mod wire;

pub use wire::{RulesAnswer, RulesStatus};
