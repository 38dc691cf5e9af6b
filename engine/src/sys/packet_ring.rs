//! The packet socket and its mapped ring of blocks (`packet(7)`, `TPACKET_V3`).
//!
//! A block belongs to the kernel or to us, as its status word says. [`PacketRing`] lends out the
//! bytes of blocks that are ours and of no other, and takes a block back only by `&mut self`, so
//! that no slice outlives the time in which the kernel leaves the block alone.

#![expect(
    unsafe_code,
    reason = "socket options of a packet socket, and memory that the kernel shares"
)]

use std::io;
use std::mem::{offset_of, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{c_int, c_void};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// One instruction of a classic BPF program: operation, jumps, operand.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Instruction {
    /// What to do.
    pub code: u16,
    /// Instructions to leave out where a comparison holds.
    pub if_true: u8,
    /// The same where it does not.
    pub if_false: u8,
    /// Its operand.
    pub operand: u32,
}

/// What the kernel counted since it was last asked.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Statistics {
    /// Packets that came to the socket, dropped ones included.
    pub packets: u32,
    /// Packets for which no block was free.
    pub dropped: u32,
}

/// A packet socket that is not yet bound.
#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
}

impl PacketSocket {
    /// Opens a socket that gets nothing before [`PacketSocket::bind`].
    ///
    /// # Errors
    /// What the kernel says; without `CAP_NET_RAW`, that it is not permitted.
    pub fn open() -> io::Result<PacketSocket> {
        let fd = socket_with(AddressFamily::PACKET, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        Ok(PacketSocket { fd })
    }

    /// Binds it to an interface; tells the interface's hardware type (`ARPHRD_`).
    ///
    /// # Errors
    /// What the kernel says.
    pub fn bind(&self, interface: i32) -> io::Result<u16> {
        let mut address = any_address();
        address.sll_protocol = u16::try_from(libc::ETH_P_ALL).unwrap_or(0).to_be();
        address.sll_ifindex = interface;
        let bytes = length_of::<libc::sockaddr_ll>();
        // SAFETY: the address is a whole `sockaddr_ll`, and its length is given.
        let result = unsafe { libc::bind(self.fd.as_raw_fd(), (&raw const address).cast(), bytes) };
        checked(result)?;
        Ok(self.name()?.sll_hatype)
    }

    /// Binds it to an interface for sending alone: it gets nothing.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn bind_to_send(&self, interface: i32) -> io::Result<()> {
        let mut address = any_address();
        address.sll_ifindex = interface;
        let bytes = length_of::<libc::sockaddr_ll>();
        // SAFETY: the address is a whole `sockaddr_ll`, and its length is given.
        let result = unsafe { libc::bind(self.fd.as_raw_fd(), (&raw const address).cast(), bytes) };
        checked(result)
    }

    /// Has what is sent go to the driver at once, past the interface's queueing discipline.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn bypass_queue(&self) -> io::Result<()> {
        self.set(libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, &1_i32)
    }

    /// Sends a frame out of the interface that it is bound to.
    ///
    /// # Errors
    /// What the kernel says; `ENOBUFS` where the interface's queue is full.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        rustix::net::send(&self.fd, frame, rustix::net::SendFlags::empty())?;
        Ok(())
    }

    /// Whether the interface that it was bound to still exists.
    pub fn has_interface(&self) -> bool {
        self.name().is_ok_and(|name| name.sll_ifindex > 0)
    }

    /// Lets only those packets in for which the program gives more than 0.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn attach_filter(&self, program: &[Instruction]) -> io::Result<()> {
        self.set_program(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, program)
    }

    /// Takes the filter off.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn detach_filter(&self) -> io::Result<()> {
        self.set(libc::SOL_SOCKET, libc::SO_DETACH_FILTER, &0_i32)
    }

    /// Sees all packets on the wire and not only those to this machine, while it is open.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_promiscuous(&self, interface: i32) -> io::Result<()> {
        let membership = libc::packet_mreq {
            mr_ifindex: interface,
            mr_type: u16::try_from(libc::PACKET_MR_PROMISC).unwrap_or(0),
            mr_alen: 0,
            mr_address: [0; 8],
        };
        self.set(libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &membership)
    }

    /// Leaves out what this machine sends.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn ignore_outgoing(&self) -> io::Result<()> {
        self.set(libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &1_i32)
    }

    /// Makes a new group of sockets that share the packets by a program ([`Self::set_share`]), with
    /// an id that is nobody else's, and tells the id.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn found_group(&self) -> io::Result<u16> {
        let kind = libc::PACKET_FANOUT_CBPF | libc::PACKET_FANOUT_FLAG_UNIQUEID;
        self.set(libc::SOL_PACKET, libc::PACKET_FANOUT, &(kind << 16))?;
        let told: u32 = self.get(libc::PACKET_FANOUT, 0)?;
        u16::try_from(told & 0xffff).map_err(io::Error::other)
    }

    /// Joins a group made by another socket. The order of joining is the order of shares.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn join_group(&self, id: u16) -> io::Result<()> {
        let group = libc::PACKET_FANOUT_CBPF << 16 | u32::from(id);
        self.set(libc::SOL_PACKET, libc::PACKET_FANOUT, &group)
    }

    /// Sets the group's program: a packet goes to the socket whose index is the program's result
    /// modulo the number of sockets.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_share(&self, program: &[Instruction]) -> io::Result<()> {
        self.set_program(libc::SOL_PACKET, libc::PACKET_FANOUT_DATA, program)
    }

    /// A second descriptor of the same socket, to ask for statistics by.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn try_clone(&self) -> io::Result<PacketSocket> {
        Ok(PacketSocket { fd: self.fd.try_clone()? })
    }

    /// What the kernel counted since the last call.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn take_statistics(&self) -> io::Result<Statistics> {
        let none = libc::tpacket_stats_v3 { tp_packets: 0, tp_drops: 0, tp_freeze_q_cnt: 0 };
        let counted = self.get(libc::PACKET_STATISTICS, none)?;
        Ok(Statistics { packets: counted.tp_packets, dropped: counted.tp_drops })
    }

    fn name(&self) -> io::Result<libc::sockaddr_ll> {
        let mut address = any_address();
        let mut bytes = length_of::<libc::sockaddr_ll>();
        // SAFETY: the kernel writes `bytes` bytes at most, which is what `address` has room for.
        let result = unsafe {
            libc::getsockname(self.fd.as_raw_fd(), (&raw mut address).cast(), &raw mut bytes)
        };
        checked(result)?;
        Ok(address)
    }

    fn set_program(&self, level: c_int, name: c_int, program: &[Instruction]) -> io::Result<()> {
        let mut code: Vec<libc::sock_filter> = program
            .iter()
            .map(|step| libc::sock_filter {
                code: step.code,
                jt: step.if_true,
                jf: step.if_false,
                k: step.operand,
            })
            .collect();
        let len = u16::try_from(code.len()).map_err(io::Error::other)?;
        // The kernel copies the program during the call, while `code` is alive.
        self.set(level, name, &libc::sock_fprog { len, filter: code.as_mut_ptr() })
    }

    /// Sets an option whose value is of a C type that the kernel expects under that name.
    fn set<T>(&self, level: c_int, name: c_int, value: &T) -> io::Result<()> {
        let value: *const T = value;
        let fd = self.fd.as_raw_fd();
        // SAFETY: the kernel reads `size_of::<T>()` bytes at `value`, which is a `T`. Where they
        // hold an address themselves, the caller keeps that alive over the call.
        let result =
            unsafe { libc::setsockopt(fd, level, name, value.cast::<c_void>(), length_of::<T>()) };
        checked(result)
    }

    /// Gets an option of plain numbers; `value` is what parts that the kernel leaves out stay at.
    fn get<T: Copy>(&self, name: c_int, mut value: T) -> io::Result<T> {
        let mut bytes = length_of::<T>();
        let fd = self.fd.as_raw_fd();
        let place = (&raw mut value).cast::<c_void>();
        // SAFETY: the kernel writes `bytes` bytes at most, which is what `value` has room for; its
        // callers ask for structs of integers, for which any bytes are values.
        let result = unsafe { libc::getsockopt(fd, libc::SOL_PACKET, name, place, &raw mut bytes) };
        checked(result)?;
        Ok(value)
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The shape of a ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RingShape {
    /// Bytes of a block: a power of two, and at least a page.
    pub block_bytes: u32,
    /// Blocks.
    pub blocks: u32,
    /// After how long the kernel gives up a block that is not full.
    pub retire_ms: u32,
}

/// A socket with its ring.
#[derive(Debug)]
pub struct PacketRing {
    socket: PacketSocket,
    memory: NonNull<u8>,
    block_bytes: usize,
    /// Whether a block is ours; one word a block.
    held: Box<[bool]>,
}

// SAFETY: the memory is a mapping of this ring alone, not bound to the thread that made it.
unsafe impl Send for PacketRing {}

impl PacketRing {
    /// Gives a socket a ring; do so before binding it.
    ///
    /// # Errors
    /// What the kernel says: that the shape is not one it takes, or that there is no memory.
    pub fn new(socket: PacketSocket, shape: RingShape) -> io::Result<PacketRing> {
        /// The kernel only checks that frames of this size fill the blocks; real ones vary.
        const FRAME_BYTES: u32 = 2048;
        let version = c_int::try_from(libc::tpacket_versions::TPACKET_V3 as u32).unwrap_or(2);
        socket.set(libc::SOL_PACKET, libc::PACKET_VERSION, &version)?;
        let request = libc::tpacket_req3 {
            tp_block_size: shape.block_bytes,
            tp_block_nr: shape.blocks,
            tp_frame_size: FRAME_BYTES,
            tp_frame_nr: (shape.block_bytes / FRAME_BYTES).saturating_mul(shape.blocks),
            tp_retire_blk_tov: shape.retire_ms,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        socket.set(libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        let block_bytes = usize::try_from(shape.block_bytes).map_err(io::Error::other)?;
        let blocks = usize::try_from(shape.blocks).map_err(io::Error::other)?;
        let memory = map(&socket, block_bytes.saturating_mul(blocks))?;
        let held = vec![false; blocks].into_boxed_slice();
        Ok(PacketRing { socket, memory, block_bytes, held })
    }

    /// Its socket.
    pub const fn socket(&self) -> &PacketSocket {
        &self.socket
    }

    /// Bytes of a block.
    #[inline]
    pub const fn block_bytes(&self) -> usize {
        self.block_bytes
    }

    /// Blocks.
    #[inline]
    pub const fn blocks(&self) -> usize {
        self.held.len()
    }

    /// Takes a block if the kernel has filled it. One that is ours already is not taken again.
    #[inline]
    pub fn take(&mut self, index: usize) -> bool {
        if self.held.get(index) != Some(&false) {
            return false;
        }
        // Pairs with the kernel's write barrier between a block's bytes and its status.
        let ours = self.status(index).load(Ordering::Acquire) & libc::TP_STATUS_USER != 0;
        if let Some(held) = self.held.get_mut(index) {
            *held = ours;
        }
        ours
    }

    /// The bytes of a block that is ours.
    #[inline]
    pub fn block(&self, index: usize) -> Option<&[u8]> {
        if self.held.get(index) != Some(&true) {
            return None;
        }
        let start = self.start(index);
        // SAFETY: `held` has `index`, so these bytes are within the mapping, which lives as long as
        // `self`. The kernel does not write a block that is ours, and giving it back needs
        // `&mut self`, which ends this borrow. Any bytes are values of `u8`.
        Some(unsafe { std::slice::from_raw_parts(start.as_ptr(), self.block_bytes) })
    }

    /// Gives a block back to the kernel; one that is not ours stays as it is.
    #[inline]
    pub fn give_back(&mut self, index: usize) {
        let Some(held) = self.held.get_mut(index).filter(|held| **held) else { return };
        *held = false;
        // Pairs with the kernel's read of the status before it fills the block anew.
        self.status(index).store(libc::TP_STATUS_KERNEL, Ordering::Release);
    }

    #[inline]
    fn start(&self, index: usize) -> NonNull<u8> {
        assert!(index < self.held.len(), "a block of this ring");
        // SAFETY: the index was checked, so the sum is within the mapping that `new` made.
        unsafe { self.memory.add(index * self.block_bytes) }
    }

    #[inline]
    #[expect(clippy::cast_ptr_alignment, reason = "blocks begin on pages, and AT is checked")]
    fn status(&self, index: usize) -> &AtomicU32 {
        const AT: usize = offset_of!(libc::tpacket_block_desc, hdr)
            + offset_of!(libc::tpacket_hdr_v1, block_status);
        const { assert!(AT.is_multiple_of(align_of::<AtomicU32>()), "blocks begin on pages") };
        // SAFETY: a block is at least a page, so the word is within it.
        let word = unsafe { self.start(index).add(AT) };
        let word = word.as_ptr().cast::<u32>();
        // SAFETY: the word is within the mapping, which lives as long as `self`, and aligned (the
        // assertion above). This process reaches it as an atomic, or as bytes while it is ours,
        // when nobody writes it.
        unsafe { AtomicU32::from_ptr(word) }
    }
}

impl Drop for PacketRing {
    fn drop(&mut self) {
        let bytes = self.block_bytes * self.held.len();
        // SAFETY: `new` made this mapping with this length, and no borrow of it is left.
        let result = unsafe { libc::munmap(self.memory.as_ptr().cast(), bytes) };
        debug_assert_eq!(result, 0, "the mapping is one that was made");
    }
}

fn map(socket: &PacketSocket, bytes: usize) -> io::Result<NonNull<u8>> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let fd = socket.fd.as_raw_fd();
    let kind = libc::MAP_SHARED | libc::MAP_POPULATE;
    // SAFETY: a new mapping at a place that the kernel chooses overlaps nothing.
    let place = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, kind, fd, 0) };
    if place == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(place.cast()).ok_or_else(|| io::Error::other("the kernel mapped the ring at 0"))
}

fn any_address() -> libc::sockaddr_ll {
    libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).unwrap_or(0),
        sll_protocol: 0,
        sll_ifindex: 0,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    }
}

fn length_of<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).unwrap_or(libc::socklen_t::MAX)
}

fn checked(result: c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
