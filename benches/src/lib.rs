//! Micro-benchmarks: see `benches/`. They inform; instruction counts decide.

pub mod flows;
pub mod hand_over;
