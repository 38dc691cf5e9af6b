//! Captures from an interface for some seconds and prints the books: what a machine's driver gives,
//! and whether every frame is accounted for.
//!
//! `xdp_capture IF [SHARDS] [SECONDS] [nic|xdp|auto] [sleep|busy]`

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use weir_engine::capture::xdp::{Idle, SplitWish, XdpConfig, XdpPort, XdpSource};
use weir_engine::capture::{Batch, Received, Source};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let interface = arguments.next().ok_or("which interface?")?;
    let shards = arguments.next().map_or(Ok(2), |text| text.parse())?;
    let seconds = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let split = match arguments.next().as_deref() {
        Some("nic") => SplitWish::Nic,
        Some("xdp") => SplitWish::Xdp,
        _ => SplitWish::Auto,
    };
    let idle = match arguments.next().as_deref() {
        Some("busy") => Idle::BusyPoll,
        _ => Idle::Sleep,
    };
    let config =
        XdpConfig { interface, shards, split, idle, hash_key: [1, 2], ..XdpConfig::default() };
    let (sources, port) = XdpPort::open(&config)?;
    println!("{}", port.report());
    let ended = &AtomicBool::new(false);
    let sources: Vec<XdpSource> = thread::scope(|scope| {
        let threads: Vec<_> =
            sources.into_iter().map(|source| scope.spawn(move || run(source, ended))).collect();
        let until = rustix::event::Timespec { tv_sec: seconds, tv_nsec: 0 };
        rustix::event::poll(&mut [], Some(&until)).ok();
        ended.store(true, Ordering::Relaxed);
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    print_books(&port, &sources)?;
    Ok(())
}

fn run(mut source: XdpSource, ended: &AtomicBool) -> XdpSource {
    let mut batch = Batch::default();
    let mut last = false;
    loop {
        batch.clear();
        match source.receive(&mut batch) {
            Received::Frames => source.release(&batch),
            Received::Idle | Received::End if last => return source,
            Received::Idle | Received::End => {
                last = ended.load(Ordering::Relaxed);
                source.wait(Duration::from_millis(50));
            }
        }
    }
}

fn print_books(port: &XdpPort, sources: &[XdpSource]) -> Result<(), Box<dyn Error>> {
    for source in sources {
        for count in source.counts() {
            println!(
                "shard {} queue {}: {} frames, {} bytes, {} without metadata",
                source.shard(),
                count.queue,
                count.frames,
                count.bytes,
                count.without_metadata
            );
        }
    }
    let mut unaccounted = 0;
    for mut row in port.ledger()? {
        let counts = sources.iter().flat_map(XdpSource::counts);
        row.received =
            counts.filter(|count| count.queue == row.queue).map(|count| count.frames).sum();
        unaccounted += row.unaccounted();
        println!(
            "queue {}: seen {} = received {} + ring full {} + dropped {} + passed {} + aborted {}; \
             fill ring empty {} times; unaccounted {}",
            row.queue,
            row.seen(),
            row.received,
            row.ring_full,
            row.dropped,
            row.passed_no_socket(),
            row.aborted(),
            row.fill_empty,
            row.unaccounted()
        );
    }
    println!("missed by the NIC: {:?}; unaccounted {unaccounted}", port.nic_missed());
    if unaccounted == 0 { Ok(()) } else { Err("the books do not balance".into()) }
}
