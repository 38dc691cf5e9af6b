//! Micro-benchmarks. [`cases`] is what is measured: by the clock (`benches/pipeline.rs`, which
//! informs) and in instructions (`bin/icount.rs`, which decides).

pub mod baseline;
pub mod cases;
pub mod chase;
pub mod flows;
pub mod hand_over;
pub mod machine;
pub mod table;
