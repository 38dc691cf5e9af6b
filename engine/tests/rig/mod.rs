//! Two ends of a veth cable in a network namespace of their own, and a sender on one of them.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use af_xdp::{
    Area, AreaConfig, BindConfig, Chunk, CompletionRing, Custody, FillRing, HugePages, ModeWish,
    QueueId, Socket, TxRing, Umem, UmemConfig,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The end that frames are sent on.
pub(crate) const FAR: &str = "far";
/// The end that frames are captured on.
pub(crate) const NEAR: &str = "near";

/// A namespace with a cable in it; the calling thread is inside. Removed on drop.
pub(crate) struct Rig {
    name: String,
}

impl Rig {
    /// Makes it; none without root, which is shown.
    pub(crate) fn new(test: &str, queues: u32, mtu: u32) -> Option<Rig> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED {test}: network namespaces need root");
            return None;
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("weir-xdp-{}-{number}", std::process::id());
        run(&["ip", "netns", "add", &name]);
        let rig = Rig { name };
        rig.enter();
        // Nothing of the kernel's own on the cable.
        let inside = ["ip", "netns", "exec", &rig.name];
        let off = ["sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"];
        run(&[&inside[..], &off].concat());
        rig.plug(queues, mtu);
        Some(rig)
    }

    /// Makes the cable.
    pub(crate) fn plug(&self, queues: u32, mtu: u32) {
        self.enter();
        let count = queues.to_string();
        let ends = ["numtxqueues", &count, "numrxqueues", &count];
        let mtu = mtu.to_string();
        run(&[
            &["ip", "link", "add", FAR, "mtu", &mtu],
            &ends[..],
            &["type", "veth", "peer", "name", NEAR, "mtu", &mtu],
            &ends[..],
        ]
        .concat());
        for end in [FAR, NEAR] {
            run(&["ip", "link", "set", "dev", end, "up"]);
        }
    }

    /// Takes the cable away.
    pub(crate) fn unplug(&self) {
        self.enter();
        run(&["ip", "link", "delete", NEAR]);
    }

    /// The namespace's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Puts a bridge before the far end, with another cable to it; gives that cable's free end.
    /// What passes the bridge has its VLAN tag beside the frame and no longer in it.
    pub(crate) fn bridge(&self) -> &'static str {
        self.enter();
        run(&["ip", "link", "add", "bridge", "type", "bridge", "mcast_snooping", "0"]);
        run(&["ip", "link", "add", "start", "type", "veth", "peer", "name", "port"]);
        for port in ["port", FAR] {
            run(&["ip", "link", "set", "dev", port, "master", "bridge"]);
        }
        for link in ["bridge", "port", "start"] {
            run(&["ip", "link", "set", "dev", link, "up"]);
        }
        "start"
    }

    /// Moves the calling thread inside.
    pub(crate) fn enter(&self) {
        enter(&self.name);
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        run(&["ip", "netns", "delete", &self.name]);
    }
}

/// Moves the calling thread into the namespace of that name.
pub(crate) fn enter(name: &str) {
    let namespace = File::open(format!("/run/netns/{name}")).unwrap();
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
}

/// Runs a command in the calling thread's namespace; gives what it printed.
pub(crate) fn run(command: &[&str]) -> String {
    let output = Command::new(command[0]).args(&command[1..]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Sends frames through AF_XDP, on one queue of the far end.
pub(crate) struct Sender {
    socket: Socket,
    tx: TxRing,
    completion: CompletionRing,
    _fill: FillRing,
    custody: Custody,
    spare: Vec<Chunk>,
    ready: Vec<(Chunk, u32, u32)>,
    chunk_bytes: u32,
    _umem: Umem,
}

const CHUNKS: u32 = 1024;

impl Sender {
    pub(crate) fn new(queue: u32) -> Sender {
        Sender::on(FAR, queue)
    }

    /// A sender on another interface of the namespace.
    pub(crate) fn on(interface: &str, queue: u32) -> Sender {
        let chunk_bytes = 4096;
        let bytes = CHUNKS as usize * chunk_bytes as usize;
        let area = AreaConfig { bytes, huge_pages: HugePages::Off, ..AreaConfig::default() };
        let config = UmemConfig { chunk_bytes, headroom_bytes: 0 };
        let mut umem = Umem::new(Area::create(&area).unwrap(), &config).unwrap();
        let binding = BindConfig {
            rx_entries: 0,
            tx_entries: CHUNKS,
            completion_entries: CHUNKS,
            mode: ModeWish::Copy,
            ..BindConfig::default()
        };
        let mut bound = umem.bind(&QueueId::of(interface, queue).unwrap(), &binding).unwrap();
        let (fill, completion) = bound.rings.take().unwrap();
        Sender {
            socket: bound.socket,
            tx: bound.tx.unwrap(),
            completion,
            _fill: fill,
            custody: Custody::new(&umem),
            spare: umem.take_chunks(0..CHUNKS),
            ready: Vec::new(),
            chunk_bytes,
            _umem: umem,
        }
    }

    /// Sends each of the frames once, in order, waiting for room as it must.
    pub(crate) fn send<'a>(&mut self, frames: impl IntoIterator<Item = &'a [u8]>) {
        for frame in frames {
            let chunk = loop {
                if let Some(chunk) = self.spare.pop() {
                    break chunk;
                }
                self.flush();
            };
            let addr = u64::from(chunk.index()) * u64::from(self.chunk_bytes);
            let bytes = u32::try_from(frame.len()).unwrap();
            self.custody.hold_chunk(chunk);
            self.custody.bytes_mut(addr, bytes).copy_from_slice(frame);
            let chunk = self.custody.release(addr).unwrap();
            self.ready.push((chunk, 0, bytes));
            if self.ready.len() == 64 {
                self.flush();
            }
        }
        while !self.ready.is_empty() || self.spare.len() < CHUNKS as usize {
            self.flush();
        }
    }

    fn flush(&mut self) {
        // The ring takes from the end.
        self.ready.reverse();
        self.tx.send(&mut self.ready);
        self.ready.reverse();
        self.socket.wake_send();
        self.completion.drain(CHUNKS, &mut self.spare);
    }
}
