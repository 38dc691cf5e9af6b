//! The system calls that no crate wraps safely: the engine's room of `unsafe`.

pub mod clock;
pub mod ethtool;
pub mod groups;
pub mod map;
pub mod packet_ring;
pub mod place;
pub mod privilege;
pub(crate) mod table;
