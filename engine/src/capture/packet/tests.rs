//! What is checked before any socket is opened, and what a refusal says. The live tests are in
//! the `weir-tests` crate.

use super::*;

fn config() -> PacketConfig {
    PacketConfig {
        interface: "weir-no-such".to_owned(),
        shards: 1,
        block_bytes: 1 << 16,
        blocks: 4,
        promiscuous: false,
        ignore_outgoing: false,
        busy_poll: false,
        secret: 1,
    }
}

#[test]
fn a_shape_that_no_ring_has_is_refused_by_name() {
    for (config, part) in [
        (PacketConfig { shards: 0, ..config() }, "one shard"),
        (PacketConfig { block_bytes: 100_000, ..config() }, "power of two"),
        (PacketConfig { block_bytes: 1 << 12, ..config() }, "65536"),
        (PacketConfig { blocks: 1, ..config() }, "two blocks"),
    ] {
        let error = PacketPort::open(&config).unwrap_err().to_string();
        assert!(error.contains("packet:weir-no-such") && error.contains(part), "{error}");
    }
}

#[test]
fn an_interface_that_is_not_there_or_not_allowed_is_told_with_what_helps() {
    let error = PacketPort::open(&config()).unwrap_err().to_string();
    let known = error.contains("no such interface") || error.contains("CAP_NET_RAW");
    assert!(known, "{error}");
}
