//! Weir's engine. The modules stand in the order in which a packet meets them.

pub mod capture;
pub mod wire;

pub mod sys;
