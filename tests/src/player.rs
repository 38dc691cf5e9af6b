//! Sends frames out of an interface at a steady rate.

use std::time::Duration;

use anyhow::Context;
use weir_engine::sys::clock;
use weir_engine::sys::packet_ring::{Instruction, PacketSocket};

/// Sends each frame once, `rate` a second, until `seconds` have passed; tells how many went out.
///
/// # Errors
/// No such interface, or no privilege. A frame that the interface refuses (too short, too long) is
/// left out.
pub fn play<'a>(
    frames: impl IntoIterator<Item = &'a [u8]>,
    interface: &str,
    rate: u64,
    seconds: u64,
) -> anyhow::Result<u64> {
    let index = std::fs::read_to_string(format!("/sys/class/net/{interface}/ifindex"))
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let index = match index {
        Some(index) => index,
        // /sys may show another network namespace than the thread's own.
        None => index_by_name(interface)?,
    };
    let socket = PacketSocket::open().context("cannot open a packet socket; it needs root")?;
    // It only sends: nothing is to come back into it.
    socket.attach_filter(&[Instruction { code: 6, ..Instruction::default() }])?;
    socket.bind(index)?;
    let started = clock::monotonic_ns();
    let end = started + seconds.saturating_mul(1_000_000_000);
    let mut sent = 0;
    for (number, frame) in (0_u64..).zip(frames) {
        let due = started + number * 1_000_000_000 / rate.max(1);
        let mut now = clock::monotonic_ns();
        while now < due {
            clock::rest(Duration::from_nanos((due - now).min(1_000_000)));
            now = clock::monotonic_ns();
        }
        if now >= end {
            break;
        }
        loop {
            match socket.send(frame) {
                Ok(()) => sent += 1,
                // The interface's queue is full: what is to be sent waits.
                Err(full) if full.raw_os_error() == Some(NO_BUFFERS) => {
                    clock::rest(Duration::from_micros(50));
                    continue;
                }
                Err(_) => {}
            }
            break;
        }
    }
    Ok(sent)
}

const NO_BUFFERS: i32 = rustix::io::Errno::NOBUFS.raw_os_error();

fn index_by_name(interface: &str) -> anyhow::Result<i32> {
    use rustix::net::{AddressFamily, SocketType, netdevice, socket};
    let any = socket(AddressFamily::UNIX, SocketType::DGRAM, None)?;
    let index = netdevice::name_to_index(&any, interface)
        .with_context(|| format!("there is no interface {interface} here"))?;
    Ok(i32::try_from(index)?)
}
