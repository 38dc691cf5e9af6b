//! Weir's engine. The modules stand in the order in which a packet meets them.

pub mod capture;
pub mod wire;

pub mod flow;
mod health;
pub mod hosts;

pub mod shard;

pub mod alerts;

pub mod books;
pub mod config;
pub mod engine;
pub mod measure;
pub mod sys;
