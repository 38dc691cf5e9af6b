//! The crate `flowscope` over a capture that is already in memory: flows alone, then flows and its
//! parsers of HTTP, TLS, DNS, ICMP and QUIC. One JSON line each.
//!
//! usage: weir-perf-flowscope CAPTURE LOOPS
//!
//! As Weir does, it counts frames of different VLANs as different flows and looks into tunnels; no
//! flow ends by time; it makes no event a packet, as nobody would read it. A parser is asked for
//! the flows on its protocol's ports: that is how the crate is used.

use std::error::Error;
use std::hint::black_box;
use std::path::Path;

use flowscope::dns::DnsUdpParser;
use flowscope::driver::Driver;
use flowscope::extract::{AutoDetectEncap, FiveTuple, Tagged};
use flowscope::http::HttpParser;
use flowscope::icmp::IcmpParser;
use flowscope::pcap::PcapFlowSource;
use flowscope::quic::QuicUdpParser;
use flowscope::tls::TlsParser;
use flowscope::{EventMask, FlowTracker, FlowTrackerConfig, PacketView, Timestamp};
use rustix::time::{ClockId, clock_gettime};

/// Flows at the same time at most: Weir's default.
const FLOWS: usize = 1_000_000;

/// What one loop took and came to.
struct Took {
    wall_ns: i64,
    cpu_ns: i64,
    flows: u64,
    messages: usize,
}

/// The frames of a capture, back to back.
struct Frames {
    bytes: Vec<u8>,
    /// Where each ends, and its time.
    ends: Vec<(usize, Timestamp)>,
}

impl Frames {
    fn load(path: &Path) -> Result<Frames, Box<dyn Error>> {
        let mut frames = Frames { bytes: Vec::new(), ends: Vec::new() };
        for view in PcapFlowSource::open(path)?.views() {
            let view = view?;
            frames.bytes.extend_from_slice(&view.frame);
            frames.ends.push((frames.bytes.len(), view.timestamp));
        }
        Ok(frames)
    }

    fn iter(&self) -> impl Iterator<Item = PacketView<'_>> {
        let mut from = 0;
        self.ends.iter().map(move |&(end, time)| {
            let frame = &self.bytes[from..end];
            from = end;
            PacketView::new(frame, time)
        })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: weir-perf-flowscope CAPTURE LOOPS")?;
    let loops: usize = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let frames = Frames::load(path.as_ref())?;
    report("flows", &frames, loops, flows);
    report("flows and parsers", &frames, loops, parsers);
    Ok(())
}

fn report(depth: &str, frames: &Frames, loops: usize, play: fn(&Frames) -> Took) {
    let mut all: Vec<Took> = (0..loops.max(1)).map(|_| play(frames)).collect();
    all.sort_by_key(|took| took.wall_ns);
    let took = &all[all.len() / 2];
    println!(
        "{{\"depth\": \"{depth}\", \"frames\": {}, \"flows\": {}, \"messages\": {}, \
         \"wall_ns\": {}, \"cpu_ns\": {}}}",
        frames.ends.len(),
        took.flows,
        took.messages,
        took.wall_ns,
        took.cpu_ns
    );
}

fn config() -> FlowTrackerConfig {
    let mut config = FlowTrackerConfig::default().with_event_filter(EventMask::PACKET);
    config.max_flows = FLOWS;
    config.initial_capacity = FLOWS;
    config
}

fn flows(frames: &Frames) -> Took {
    let by_vlan = Tagged::new(AutoDetectEncap::new(FiveTuple::bidirectional()), vlan);
    let mut tracker: FlowTracker<_> = FlowTracker::with_config(by_vlan, config());
    let clock = Clock::start();
    for view in frames.iter() {
        black_box(tracker.track(view));
    }
    clock.stop(tracker.stats().flows_created, 0)
}

fn parsers(frames: &Frames) -> Took {
    let by_vlan = Tagged::new(AutoDetectEncap::new(FiveTuple::bidirectional()), vlan);
    let mut builder = Driver::builder(by_vlan);
    builder.config(config());
    let mut http = builder.session_on_ports(HttpParser::default(), [80, 8080]);
    let mut tls = builder.session_on_ports(TlsParser::default(), [443, 8443]);
    let mut dns = builder.datagram_on_ports(DnsUdpParser::default(), [53]);
    let mut quic = builder.datagram_on_ports(QuicUdpParser::default(), [443]);
    let mut icmp = builder.datagram_broadcast(IcmpParser::new());
    let mut driver = builder.build();
    let mut events = Vec::new();
    let mut messages = 0;
    let clock = Clock::start();
    for view in frames.iter() {
        events.clear();
        driver.track_into(view, &mut events);
        black_box(&events);
        messages += http.pending() + tls.pending() + dns.pending();
        messages += quic.pending() + icmp.pending();
        http.clear();
        tls.clear();
        dns.clear();
        quic.clear();
        icmp.clear();
    }
    clock.stop(driver.tracker().stats().flows_created, messages)
}

/// The 802.1Q tag's identifier, 0 where there is none.
fn vlan(view: PacketView<'_>) -> u16 {
    match view.frame {
        [_, _, _, _, _, _, _, _, _, _, _, _, 0x81, 0x00, high, low, ..] => {
            u16::from_be_bytes([*high, *low]) & 0xfff
        }
        _ => 0,
    }
}

struct Clock {
    wall_ns: i64,
    cpu_ns: i64,
}

impl Clock {
    fn start() -> Clock {
        Clock { wall_ns: now(ClockId::Monotonic), cpu_ns: now(ClockId::ThreadCPUTime) }
    }

    fn stop(&self, flows: u64, messages: usize) -> Took {
        let (wall_ns, cpu_ns) = (now(ClockId::Monotonic), now(ClockId::ThreadCPUTime));
        Took { wall_ns: wall_ns - self.wall_ns, cpu_ns: cpu_ns - self.cpu_ns, flows, messages }
    }
}

fn now(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
