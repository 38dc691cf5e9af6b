//! The module in a process whose libdaq cannot be asked for its version: taken for the newest.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(dead_code, reason = "this host does less")]

mod host;

use daq_weir::abi::{result, status};
use host::engine::Engine;
use host::{Config, Module};

#[test]
fn a_libdaq_without_a_version_is_the_newest() {
    let module = Module::find();
    module.load();
    let engine = Engine::start(1);
    let daq = module.instantiate(Config::of(&engine)).unwrap();
    assert_eq!(daq.start(), result::SUCCESS, "{}", daq.error());
    engine.push(0..3, 3);
    let (packets, came) = daq.receive(64);
    assert_eq!((packets.len(), came), (3, status::WOULD_BLOCK));
    assert!(packets.iter().all(|packet| packet.message().header_bytes == 56));
    daq.pass(&packets[1..]);
    let words = daq.stats();
    assert_eq!(words[..12], [3, 0, 3, 0, 0, 1, 2, 0, 0, 0, 0, 0]);
    assert_eq!(words[12..], [u64::MAX; 2]);
    daq.pass(&packets[..1]);
    drop(daq);
    assert_eq!(module.unload(), result::SUCCESS);
}
