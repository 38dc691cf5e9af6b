//! A packet reader that speaks the socket's protocol by hand, as a hostile one would.
//!
//! It writes to its page through `/proc/self/mem`, so that what it does needs no `unsafe`.

use std::fs::File;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::{SealFlags, fcntl_get_seals};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, sockopt,
};
use weir_engine::sys::clock;
use weir_shm::FORMAT_VERSION;

/// What a hello asks for: the segments, packets, asking without reading.
pub const SEGMENTS: u32 = 1;
/// See [`SEGMENTS`].
pub const PACKETS: u32 = 2;
/// See [`SEGMENTS`].
pub const CONTROL: u32 = 3;
/// The ask that says that the page is mapped.
pub const READY: u32 = 4;
/// The kind of a packet memory and of a page.
pub const FRAMES: u32 = 3;
/// See [`FRAMES`].
pub const PAGE: u32 = 4;

/// A descriptor that the engine gave.
#[derive(Debug)]
pub struct Given {
    /// Kind of the segment.
    pub kind: u32,
    /// Its size.
    pub bytes: u64,
    /// The descriptor.
    pub fd: OwnedFd,
}

/// A connection and what came over it.
#[derive(Debug)]
pub struct Raw {
    socket: OwnedFd,
    /// How the engine answered: 0 is accepted.
    pub status: u32,
    /// Segments, packet memory, page.
    pub given: Vec<Given>,
    page: Option<(MmapRaw, File)>,
}

/// A hello for packets, with any bytes for names.
pub fn hello(request: u32, lease: bool, group: &[u8]) -> Vec<u8> {
    let mut hello = b"WEIRHELO".to_vec();
    for word in [FORMAT_VERSION, request, 0, 0, u32::from(lease), 0] {
        hello.extend_from_slice(&word.to_le_bytes());
    }
    hello.extend_from_slice(&[b'v'; 8]);
    hello.resize(64, 0);
    hello.extend_from_slice(group);
    hello.resize(96, 0);
    hello
}

/// Something said of a flow.
pub fn ask(what: u32, shard: u32, flow_id: u64, slot: u32) -> Vec<u8> {
    let mut ask = b"WEIRFLOW".to_vec();
    ask.extend_from_slice(&what.to_le_bytes());
    ask.extend_from_slice(&shard.to_le_bytes());
    ask.extend_from_slice(&flow_id.to_le_bytes());
    ask.extend_from_slice(&slot.to_le_bytes());
    ask.resize(64, 0);
    ask
}

impl Raw {
    /// Connects and says nothing.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn connect(path: &Path) -> anyhow::Result<Raw> {
        let flags = SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        let patience = Some(Duration::from_secs(5));
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, patience)?;
        rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
        Ok(Raw { socket, status: u32::MAX, given: Vec::new(), page: None })
    }

    /// Asks for packets and takes the answer. Maps the page, and says nothing of that yet.
    ///
    /// # Errors
    /// The engine closed the connection or did not answer.
    pub fn attach(path: &Path, lease: bool, group: &[u8]) -> anyhow::Result<Raw> {
        let mut raw = Raw::connect(path)?;
        raw.send(&hello(PACKETS, lease, group))?;
        raw.take_answer()?;
        Ok(raw)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The engine closed the connection, or its queue is full.
    pub fn send(&self, message: &[u8]) -> rustix::io::Result<usize> {
        rustix::net::send(&self.socket, message, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
    }

    /// Takes the whole answer.
    ///
    /// # Errors
    /// The engine closed the connection or did not answer.
    pub fn take_answer(&mut self) -> anyhow::Result<()> {
        loop {
            let (answer, descriptors) = self.receive()?;
            let word = |at: usize| {
                let bytes = answer.get(at..at + 4).and_then(|bytes| bytes.first_chunk());
                bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
            };
            self.status = word(12);
            for (index, fd) in descriptors.into_iter().enumerate() {
                let at = 32 + 16 * index;
                let bytes = u64::from(word(at + 12)) << 32 | u64::from(word(at + 8));
                self.given.push(Given { kind: word(at), bytes, fd });
            }
            if self.given.len() >= word(16) as usize {
                break;
            }
        }
        if let Some(page) = self.given.iter().find(|given| given.kind == PAGE) {
            let map = MmapOptions::new().len(usize::try_from(page.bytes)?).map_raw(&page.fd)?;
            let memory = File::options().read(true).write(true).open("/proc/self/mem")?;
            self.page = Some((map, memory));
        }
        Ok(())
    }

    /// Says that the page is mapped, and waits until the engine has taken note of it.
    ///
    /// # Errors
    /// The engine closed the connection, or does not answer.
    pub fn ready(&self) -> anyhow::Result<()> {
        self.send(&ask(READY, 0, 0, 0))?;
        let page = self.page().context("a page")?;
        for _ in 0..5000 {
            if fcntl_get_seals(page)?.contains(SealFlags::FUTURE_WRITE) {
                return Ok(());
            }
            clock::rest(Duration::from_millis(1));
        }
        bail!("the engine does not take the reader in")
    }

    /// The descriptor of the page.
    pub fn page(&self) -> Option<BorrowedFd<'_>> {
        self.given.iter().find(|given| given.kind == PAGE).map(|given| given.fd.as_fd())
    }

    /// Stores a word into the page.
    ///
    /// # Errors
    /// There is no page, or no such word.
    pub fn store(&self, word: usize, value: u64) -> anyhow::Result<()> {
        let (map, memory) = self.page.as_ref().context("a page")?;
        ensure!(word * 8 < map.len(), "a word of the page");
        let address = map.as_mut_ptr().addr() + word * 8;
        memory.write_all_at(&value.to_le_bytes(), address as u64)?;
        Ok(())
    }

    /// Words of the page.
    pub fn words(&self) -> usize {
        self.page.as_ref().map_or(0, |(map, _)| map.len() / 8)
    }

    fn receive(&self) -> anyhow::Result<(Vec<u8>, Vec<OwnedFd>)> {
        let mut bytes = vec![0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = rustix::net::recvmsg(&self.socket, &mut parts, &mut control, flags)?.bytes;
        ensure!(received != 0, "the engine closed the connection");
        let descriptors = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        let descriptors = descriptors.flatten().collect();
        bytes.truncate(received);
        Ok((bytes, descriptors))
    }
}
