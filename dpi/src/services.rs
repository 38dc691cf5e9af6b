//! Services told apart by host name.

use crate::app::App;

/// Every service, ascending by id.
pub const APPS: &[App] = &[];
