//! Services told apart by host name.

use crate::app::{App, AppId};

/// Every service, ascending by id.
pub const APPS: &[App] = &[];

/// The service that `name` (lower case or not, without a trailing dot) belongs to.
pub fn by_host_name(_name: &[u8]) -> Option<AppId> {
    None
}
