//! Protocol recognition and metadata.
//!
//! Pure: no `unsafe`, no input or output, no allocation per packet, no indexing. Every flow has
//! small fixed state, every dissector answers one of four outcomes ([`Outcome`]), and every length
//! read from the wire opens a sub-reader ([`reader::Reader`]).

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod app;
pub mod attr;
pub mod crypto_pool;
pub mod inspect;
pub mod knowledge;
pub mod meta;
pub mod reader;
pub mod risk;
pub mod rules;
pub mod scratch;
pub mod services;
pub mod stack;
pub mod view;
pub mod why;

#[doc(hidden)]
pub mod fuzzing;

mod digests;
mod dissect;
mod field;
mod host;
mod judged;
mod kept;
mod seek;

pub use app::{App, AppId, Category};
pub use inspect::{
    Confidence, Counters, Inspector, Limits, Segment, Slot, Step, TcpSegment, Verdict,
};
pub use risk::{Risk, Risks, Severity};
pub use stack::Stack;
pub use view::{Direction, Dissector, Endpoint, First, Notes, Outcome, Transport, View};
pub use why::Why;
