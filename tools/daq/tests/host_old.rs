//! The module under a libdaq of 2021: another layout of the statistics and a shorter header.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(dead_code, reason = "this host does less")]

mod host;

use daq_weir::abi::{result, status, verdict};
use host::engine::{Engine, frame};
use host::{Config, Module};

/// libdaq 3.0.5.
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "the module looks for this name")]
extern "C" fn daq_version_number() -> u32 {
    0x0300_0500
}

#[used]
static KEPT: extern "C" fn() -> u32 = daq_version_number;

#[test]
fn an_old_libdaq_gets_its_own_layouts() {
    let module = Module::find();
    // Another version of libdaq's functions, or another size, is refused.
    let known = host::base_api();
    for (api_version, api_size) in [(0x0003_0001, 104), (0x0003_0002, 112), (0, 0)] {
        let other = daq_weir::abi::BaseApi { api_version, api_size, ..known };
        assert_eq!(module.load_with(&raw const other), result::ERROR);
        assert!(module.instantiate(Config::of(&Engine::start(1))).is_err());
    }
    module.load();
    let engine = Engine::start(1);
    let daq = module.instantiate(Config::of(&engine)).unwrap();
    assert_eq!(daq.start(), result::SUCCESS, "{}", daq.error());
    engine.push(0..5, 5);
    let (packets, came) = daq.receive(64);
    assert_eq!((packets.len(), came), (5, status::WOULD_BLOCK));
    for (number, packet) in (0..).zip(&packets) {
        assert_eq!(packet.message().header_bytes, 48);
        assert_eq!(packet.data(), frame(number, number + 1));
    }
    for (packet, verdict) in
        packets[..4].iter().zip([verdict::PASS, verdict::BLOCK, verdict::IGNORE, verdict::IGNORE])
    {
        assert_eq!(daq.finalize(*packet, verdict), result::SUCCESS);
    }
    // No word for what is outstanding, and nothing beyond the eleventh is touched.
    let words = daq.stats();
    assert_eq!(words[..11], [5, 0, 5, 0, 0, 1, 1, 0, 0, 0, 2]);
    assert_eq!(words[11..], [u64::MAX; 3]);
    daq.pass(&packets[4..]);
    assert_eq!(daq.stop(), result::SUCCESS);
    drop(daq);
    assert_eq!(module.unload(), result::SUCCESS);
    assert!(module.instantiate(Config::of(&engine)).is_err(), "not without loading it again");
    module.load();
    assert!(module.instantiate(Config::of(&engine)).is_ok());
    assert_eq!(module.unload(), result::SUCCESS);
}
