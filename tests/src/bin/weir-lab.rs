//! `weir-lab`: makes a capture of generated traffic, and plays captures into an interface.
#![expect(clippy::print_stdout, reason = "a command-line tool")]

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use weir_engine::measure;
use weir_engine::sys::clock;
use weir_engine::sys::packet_ring::{Instruction, PacketSocket};
use weir_tests::traffic;

const USAGE: &str = "\
usage: weir-lab capture OUT.pcap [--flows N] [--seed S]
       weir-lab play FILE INTERFACE [--pps N] [--seconds S] [--loops L]

capture writes generated traffic: the same seed gives the same frames.
play sends a capture's frames at a steady rate; it ends after S seconds (10 by default) or L loops
(1 by default), whichever comes first.";

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["capture", out, options @ ..] => {
            let [flows, seed] = numbers(options, [("--flows", 1000), ("--seed", 1)])?;
            let traffic = traffic::mixed(usize::try_from(flows)?, seed);
            traffic.write(Path::new(out)).with_context(|| format!("cannot write {out}"))?;
            println!("{out}: {} frames, {} flows", traffic.frames.len(), traffic.flows.len());
            Ok(())
        }
        ["play", file, interface, options @ ..] => {
            let defaults = [("--pps", 20_000), ("--seconds", 10), ("--loops", 1)];
            let [rate, seconds, loops] = numbers(options, defaults)?;
            play(Path::new(file), interface, rate, seconds, loops)
        }
        _ => bail!("{USAGE}"),
    }
}

/// The options' values, in the order of `known`.
fn numbers<const N: usize>(options: &[&str], known: [(&str, u64); N]) -> anyhow::Result<[u64; N]> {
    let mut values = known.map(|(_, default)| default);
    for pair in options.chunks(2) {
        let [name, value] = pair else { bail!("{} takes a number\n{USAGE}", pair[0]) };
        let Some(at) = known.iter().position(|(option, _)| option == name) else {
            bail!("there is no option {name}\n{USAGE}");
        };
        values[at] = value.parse().with_context(|| format!("{name} takes a number"))?;
    }
    Ok(values)
}

fn play(file: &Path, interface: &str, rate: u64, seconds: u64, loops: u64) -> anyhow::Result<()> {
    let frames = measure::preload(file)?;
    let index = std::fs::read_to_string(format!("/sys/class/net/{interface}/ifindex"))
        .with_context(|| format!("there is no interface {interface} here"))?;
    let socket = PacketSocket::open().context("cannot open a packet socket; it needs root")?;
    // It only sends: nothing is to come back into it.
    socket.attach_filter(&[Instruction { code: 6, ..Instruction::default() }])?;
    socket.bind(index.trim().parse()?)?;
    let started = clock::monotonic_ns();
    let end = started + seconds.saturating_mul(1_000_000_000);
    let (mut sent, mut refused) = (0_u64, 0_u64);
    'all: for _ in 0..loops {
        for frame in frames.iter() {
            let due = started + sent * 1_000_000_000 / rate.max(1);
            let mut now = clock::monotonic_ns();
            if now >= end {
                break 'all;
            }
            while now < due {
                clock::rest(Duration::from_nanos((due - now).min(1_000_000)));
                now = clock::monotonic_ns();
            }
            while let Err(error) = socket.send(frame) {
                // The interface's queue is full: what is to be sent waits.
                if error.raw_os_error() != Some(rustix::io::Errno::NOBUFS.raw_os_error()) {
                    refused += 1;
                    break;
                }
                clock::rest(Duration::from_micros(50));
            }
            sent += 1;
        }
    }
    println!("sent {} frames, {refused} refused", sent - refused);
    Ok(())
}
