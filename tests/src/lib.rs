//! What the integration tests share.

pub mod allocations;
pub mod cable;
pub mod corpus;
pub mod drive;
pub mod faults;
pub mod mmdb;
pub mod oracle;
pub mod player;
pub mod programs;
pub mod raw;
pub mod readers;
pub mod seeds;
pub mod seen;
pub mod start;
pub mod traffic;

/// Shows that a test could not run here; `tests/run.sh` counts these lines.
#[expect(clippy::print_stderr, reason = "what a person who runs the tests must see")]
pub fn skipped(test: &str, reason: &str) {
    eprintln!("SKIPPED {test}: {reason}");
}
