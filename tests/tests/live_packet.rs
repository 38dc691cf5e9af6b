//! Capture through packet sockets, on a veth pair between two network namespaces of the test's
//! own: every packet once, a flow's both directions and all its fragments at one shard, and the
//! kernel's counts equal to ours. Needs root; otherwise the tests say `SKIPPED`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::net::netdevice::name_to_index;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use weir_engine::capture::packet::{PacketConfig, PacketPort, PacketSource};
use weir_engine::capture::{Batch, Received, Source};
use weir_engine::sys::packet_ring::PacketSocket;
use weir_engine::wire::{FlowKey, Fragment, Fragments, Parsed, parse};

/// Two namespaces, joined by `inner` (in the first) and `outer` (in the second).
struct Pair {
    names: [String; 2],
}

fn ip(arguments: &str) -> bool {
    let done = Command::new("ip").args(arguments.split_whitespace()).output();
    done.is_ok_and(|output| output.status.success())
}

impl Pair {
    /// None where this may not be done here.
    fn new(test: &str) -> Option<Pair> {
        let id = std::process::id();
        let names = [format!("weir-wire-{test}-a-{id}"), format!("weir-wire-{test}-b-{id}")];
        let pair = Pair { names };
        let [a, b] = &pair.names;
        let made = rustix::process::geteuid().is_root()
            && ip(&format!("netns add {a}"))
            && ip(&format!("netns add {b}"))
            && ip(&format!("-n {a} link add inner type veth peer name outer netns {b}"));
        if !made {
            eprintln!("SKIPPED live_packet::{test}: network namespaces cannot be made here");
            return None;
        }
        for (name, end, last) in [(a, "inner", 1), (b, "outer", 2)] {
            // Nothing but what the test sends: no neighbour discovery of IPv6.
            ip(&format!("netns exec {name} sysctl -qw net.ipv6.conf.all.disable_ipv6=1"));
            ip(&format!("netns exec {name} sysctl -qw net.ipv6.conf.{end}.disable_ipv6=1"));
            for command in
                [format!("addr add 10.9.0.{last}/24 dev {end}"), format!("link set {end} up")]
            {
                assert!(ip(&format!("-n {name} {command}")), "{command}");
            }
            for host in 10..30 {
                ip(&format!("-n {name} addr add 10.9.0.{}/24 dev {end}", host * 2 + last));
            }
        }
        Some(pair)
    }

    /// Runs `work` on a thread inside one of the namespaces.
    fn inside<T: Send + 'static>(
        &self,
        index: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> thread::JoinHandle<T> {
        let path = format!("/run/netns/{}", self.names[index]);
        thread::spawn(move || {
            let space = std::fs::File::open(path).unwrap();
            move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            work()
        })
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for name in &self.names {
            ip(&format!("netns del {name}"));
        }
    }
}

fn config(shards: u16) -> PacketConfig {
    PacketConfig {
        interface: "outer".to_owned(),
        shards,
        block_bytes: 1 << 18,
        blocks: 16,
        promiscuous: true,
        ignore_outgoing: false,
        busy_poll: false,
        secret: 0x0123_4567_89ab_cdef,
    }
}

/// What one shard saw of one flow.
#[derive(Default, Debug)]
struct Seen {
    packets: [u64; 2],
    payload_bytes: [u64; 2],
    later_fragments: u64,
}

#[derive(Default)]
struct Shard {
    flows: HashMap<FlowKey, Seen>,
    frames: u64,
}

/// Reads until nothing came for a while after the talk was over.
fn drain(source: &mut PacketSource, over: &AtomicBool) -> Shard {
    let (mut shard, mut batch, mut parsed) =
        (Shard::default(), Batch::default(), Parsed::default());
    let mut fragments = Fragments::new(64, [5; 4]);
    let mut idle = 0;
    while idle < 6 {
        if source.receive(&mut batch) != Received::Frames {
            idle += u32::from(over.load(Ordering::Relaxed));
            source.wait(Duration::from_millis(50));
            continue;
        }
        idle = 0;
        let now_ns = source.now_ns();
        for frame in batch.as_slice() {
            shard.frames += 1;
            assert!(now_ns.abs_diff(frame.timestamp_ns) < 60_000_000_000, "a time of today");
            let bytes = source.bytes(frame);
            assert_eq!(bytes.len(), frame.captured_bytes as usize);
            assert_eq!(frame.captured_bytes, frame.wire_bytes, "nothing was cut");
            let outcome = parse(frame.link, frame.vlan, bytes, frame.wire_bytes, &mut parsed)
                .and_then(|()| fragments.follow(bytes, &mut parsed, now_ns));
            if outcome.is_err() {
                continue;
            }
            let seen = shard.flows.entry(parsed.key).or_default();
            seen.packets[usize::from(parsed.swapped)] += 1;
            seen.payload_bytes[usize::from(parsed.swapped)] += u64::from(parsed.payload_bytes);
            seen.later_fragments += u64::from(parsed.fragment == Fragment::Later);
        }
        source.release(&batch);
        batch.clear();
    }
    shard
}

const CONVERSATIONS: u16 = 40;
const ROUNDS: usize = 5;
/// More than two Ethernet frames hold.
const LARGE: usize = 4000;
const STREAM_BYTES: usize = 1 << 20;

fn host(number: u16, end: u16) -> Ipv4Addr {
    let last = 20 + (number % 20) * 2 + end;
    Ipv4Addr::new(10, 9, 0, u8::try_from(last).unwrap())
}

/// A UDP datagram between ports 6666 and 7777 in a frame with a tag of VLAN 7.
fn tagged(from: (u8, u16), to: (u8, u16)) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, to.0, 2, 0, 0, 0, 0, from.0, 0x81, 0, 0x20, 7, 0x08, 0];
    frame.extend([0x45, 0, 0, 46, 0, 1, 0, 0, 64, 17, 0, 0, 10, 9, 7, from.0, 10, 9, 7, to.0]);
    frame.extend([from.1.to_be_bytes(), to.1.to_be_bytes(), [0, 26], [0, 0]].concat());
    frame.resize(64, 9);
    frame
}

/// Sends a frame as it is.
fn send_frame(pair: &Pair, index: usize, interface: &'static str, frame: Vec<u8>) {
    let sending = pair.inside(index, move || {
        let socket = PacketSocket::open().unwrap();
        let number = name_to_index(&socket, interface).unwrap();
        socket.bind(i32::try_from(number).unwrap()).unwrap();
        assert_eq!(rustix::io::write(&socket, &frame).unwrap(), frame.len());
    });
    sending.join().unwrap();
}

/// UDP conversations of small and of fragmented datagrams, each answered; one over a VLAN; one
/// TCP stream.
fn talk(pair: &Pair) {
    let answering = pair.inside(1, || {
        let sockets: Vec<UdpSocket> = (0..CONVERSATIONS)
            .map(|number| UdpSocket::bind((host(number, 2), 7000 + number)).unwrap())
            .collect();
        let listener = TcpListener::bind("10.9.0.2:8000").unwrap();
        (sockets, listener)
    });
    let (sockets, listener) = answering.join().unwrap();
    let asking = pair.inside(0, || {
        let socket = |from: SocketAddr, to: SocketAddr| {
            let socket = UdpSocket::bind(from).unwrap();
            socket.connect(to).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            socket
        };
        (0..CONVERSATIONS)
            .map(|number| {
                let (from, to) = (host(number, 1), host(number, 2));
                socket((from, 6000 + number).into(), (to, 7000 + number).into())
            })
            .collect::<Vec<UdpSocket>>()
    });
    let askers = asking.join().unwrap();
    for round in 0..ROUNDS {
        for (asker, answerer) in askers.iter().zip(&sockets) {
            let bytes = if round == 0 { LARGE } else { 100 + round };
            asker.send(&vec![1; bytes]).unwrap();
            let mut buffer = [0; LARGE];
            let (count, from) = answerer.recv_from(&mut buffer).unwrap();
            answerer.send_to(&buffer[..count], from).unwrap();
            assert_eq!(asker.recv(&mut buffer).unwrap(), bytes);
        }
    }
    for _ in 0..7 {
        send_frame(pair, 0, "inner", tagged((1, 6666), (2, 7777)));
        send_frame(pair, 1, "outer", tagged((2, 7777), (1, 6666)));
    }
    let reading = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        bytes.len()
    });
    let writing = pair.inside(0, || {
        let mut stream = TcpStream::connect("10.9.0.2:8000").unwrap();
        stream.write_all(&vec![7; STREAM_BYTES]).unwrap();
    });
    writing.join().unwrap();
    assert_eq!(reading.join().unwrap(), STREAM_BYTES);
}

/// Of the shards, the only one that saw the flow.
fn only(shards: &[Shard], is: impl Fn(&FlowKey) -> bool) -> (&FlowKey, &Seen) {
    let mut found = shards.iter().flat_map(|shard| &shard.flows).filter(|(key, _)| is(key));
    let first = found.next().unwrap_or_else(|| panic!("the flow was seen"));
    assert!(found.next().is_none(), "the flow was seen by one shard alone, under one key");
    first
}

fn every_packet_once(shards: u16, test: &str) {
    let Some(pair) = Pair::new(test) else { return };
    let opened = pair.inside(1, move || PacketPort::open(&config(shards)).unwrap());
    let (mut sources, mut port) = opened.join().unwrap();
    let over = AtomicBool::new(false);
    let seen: Vec<Shard> = thread::scope(|scope| {
        let over = &over;
        let read = |source| scope.spawn(move || drain(source, over));
        let shards: Vec<_> = sources.iter_mut().map(read).collect();
        // Were the talk to fail, the readers must still come to an end.
        let talked = catch_unwind(AssertUnwindSafe(|| talk(&pair)));
        over.store(true, Ordering::Relaxed);
        talked.unwrap_or_else(|panic| resume_unwind(panic));
        shards.into_iter().map(|shard| shard.join().unwrap()).collect()
    });
    for number in 0..CONVERSATIONS {
        let (key, flow) = only(&seen, |key| {
            key.protocol() == 17 && key.port_lo() == 6000 + number && key.port_hi() == 7000 + number
        });
        // The first datagram was of three pieces each way.
        let packets = u64::try_from(ROUNDS).unwrap() + 2;
        assert_eq!(flow.packets, [packets; 2], "{key:?}");
        assert_eq!(flow.later_fragments, 4, "{key:?}");
    }
    let (key, flow) = only(&seen, |key| key.port_lo() == 6666);
    assert_eq!(key.vlan(), 7, "of received frames the kernel takes the tag off, of sent ones not");
    assert_eq!(flow.packets, [7; 2]);
    let (_, flow) = only(&seen, |key| key.protocol() == 6);
    let largest = *flow.payload_bytes.iter().max().unwrap();
    assert!(largest >= u64::try_from(STREAM_BYTES).unwrap(), "the whole stream: {largest}");
    if shards > 1 {
        assert!(seen.iter().all(|shard| shard.flows.len() > 5), "each shard has its part");
    }
    for ((shard, counted), source) in seen.iter().zip(port.statistics()).zip(&sources) {
        assert_eq!(counted.packets, shard.frames + counted.dropped, "the books balance");
        assert_eq!((counted.dropped, source.malformed_blocks()), (0, 0));
        assert_eq!(source.frames_given(), shard.frames);
    }
}

#[test]
fn one_shard_sees_every_packet_once() {
    every_packet_once(1, "one");
}

#[test]
fn three_shards_see_every_packet_once_and_flows_whole() {
    every_packet_once(3, "three");
}

#[test]
fn a_ring_that_nobody_reads_drops_and_says_how_many() {
    let Some(pair) = Pair::new("full") else { return };
    let small = PacketConfig { block_bytes: 1 << 16, blocks: 2, ..config(1) };
    let opened = pair.inside(1, move || PacketPort::open(&small).unwrap());
    let (mut sources, mut port) = opened.join().unwrap();
    let sending = pair.inside(0, || {
        let socket = UdpSocket::bind("10.9.0.1:6000").unwrap();
        for _ in 0..1000 {
            // Nobody listens there: refusals come back and are of no interest.
            drop(socket.send_to(&[3; 1000], "10.9.0.2:9"));
        }
    });
    sending.join().unwrap();
    let over = AtomicBool::new(true);
    let seen = drain(&mut sources[0], &over);
    let counted = port.statistics()[0];
    assert!(counted.dropped > 500, "the ring holds some 120 of these: {counted:?}");
    assert!(seen.frames > 50, "{} frames", seen.frames);
    assert_eq!(counted.packets, seen.frames + counted.dropped, "the books balance");
    // The blocks went back: there is room again.
    talk(&pair);
    assert!(drain(&mut sources[0], &over).frames > 20);
}

#[test]
fn blocks_stay_readable_until_their_last_frame_is_released() {
    let Some(pair) = Pair::new("held") else { return };
    let small = PacketConfig { block_bytes: 1 << 16, blocks: 2, ..config(1) };
    let opened = pair.inside(1, move || PacketPort::open(&small).unwrap());
    let (mut sources, _port) = opened.join().unwrap();
    let send = |mark: u8| {
        let sending = pair.inside(0, move || {
            let socket = UdpSocket::bind("10.9.0.1:6000").unwrap();
            for _ in 0..400 {
                drop(socket.send_to(&[mark; 1000], "10.9.0.2:9"));
            }
        });
        sending.join().unwrap();
    };
    send(1);
    let source = &mut sources[0];
    let mut held = Vec::new();
    loop {
        let mut batch = Batch::default();
        if source.receive(&mut batch) != Received::Frames {
            break;
        }
        held.push(batch);
    }
    // The ring is full of frames that are still held: these find no room and overwrite nothing.
    send(2);
    let frames = held.iter().flat_map(Batch::as_slice);
    let whole: Vec<_> =
        frames.map(|frame| source.bytes(frame)).filter(|bytes| bytes.len() > 1000).collect();
    assert!(whole.len() > 50, "{} frames are held", whole.len());
    assert!(whole.iter().all(|bytes| bytes.ends_with(&[1; 1000])), "and none was overwritten");
    let first = held[0].as_slice()[0];
    for batch in &held {
        source.release(batch);
    }
    assert!(source.bytes(&first).is_empty(), "a block that went back is not ours to read");
}

#[test]
fn an_interface_that_is_removed_ends_the_source_with_its_reason() {
    let Some(pair) = Pair::new("gone") else { return };
    let opened = pair.inside(1, || PacketPort::open(&config(1)).unwrap());
    let (mut sources, _port) = opened.join().unwrap();
    assert_eq!(sources[0].trouble(), None);
    assert!(ip(&format!("-n {} link del inner", pair.names[0])));
    let mut batch = Batch::default();
    let ended = (0..40).any(|_| {
        batch.clear();
        sources[0].wait(Duration::from_millis(50));
        sources[0].receive(&mut batch) == Received::End
    });
    assert!(ended, "the source ends");
    assert_eq!(sources[0].trouble().as_deref(), Some("the interface was removed"));
}
