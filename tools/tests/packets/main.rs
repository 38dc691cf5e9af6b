//! The subcommands that read packets, or say who should: against a real engine and the programs of
//! others that they are for.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bench_live;
mod engine;
mod extcap;
mod feed;
mod hosts;
mod record;
mod record_alert;
mod record_live;
mod record_options;
mod record_packed;
mod record_tap;
mod record_tunnels;
mod replay;
mod rules;
mod shunt;
mod terminal;
mod top;
