//! What one shard knows across its flows, bounded: addresses learned from DNS answers, and data
//! flows announced by control flows.

/// See the module.
#[derive(Debug, Default)]
pub struct Knowledge {}

impl Knowledge {
    /// A DNS answer said that `address` belongs to `name` for `ttl_s` seconds.
    pub fn learn_name(&mut self, _address: [u8; 16], _name: &[u8], _ttl_s: u32) {}

    /// A control flow announced a data flow to `address`:`port` that carries `app`.
    pub fn expect_flow(&mut self, _address: [u8; 16], _port: u16, _app: crate::app::AppId) {}
}
