//! What the integration tests share.

pub mod allocations;
pub mod corpus;
pub mod traffic;
