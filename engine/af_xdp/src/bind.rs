//! Binding a UMEM to queues.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;

use crate::error::{Error, Place, Step};
use crate::netdev;
use crate::ring::{Consumer, Offsets, Producer};
use crate::rings::{CompletionRing, FillRing, RxRing, TxRing};
use crate::socket::Socket;
use crate::sys::{self, Map, Plain};
use crate::umem::{BoundQueue, Layout, Umem};

/// One receive queue of one interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueueId {
    /// Name, for messages.
    pub interface: String,
    /// Index, which is what counts.
    pub interface_index: u32,
    /// Queue, from 0.
    pub queue: u32,
}

impl QueueId {
    /// Queue `queue` of the interface named so in the calling thread's network namespace.
    ///
    /// # Errors
    /// When there is no such interface.
    pub fn of(interface: &str, queue: u32) -> Result<QueueId, Error> {
        let interface_index = netdev::index(interface)?;
        Ok(QueueId { interface: interface.to_owned(), interface_index, queue })
    }
}

/// How frames get from the driver into the chunks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// The NIC writes into them.
    ZeroCopy,
    /// The kernel copies once.
    Copy,
}

/// The mode that is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum ModeWish {
    /// Zero-copy, or copy where the driver refuses.
    #[default]
    Best,
    /// Zero-copy; anything else is an error.
    ZeroCopy,
    /// Copy.
    Copy,
}

/// Busy polling: the thread that reads drives the NIC, there are no interrupts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BusyPoll {
    /// `SO_BUSY_POLL`: how long a blocking call polls, µs.
    pub microseconds: u32,
    /// `SO_BUSY_POLL_BUDGET`: frames a poll takes at most.
    pub budget: u32,
}

/// How to bind.
#[derive(Clone, Copy, Debug)]
pub struct BindConfig {
    /// Slots of the receive ring; a power of two. 0: this socket does not receive.
    pub rx_entries: u32,
    /// Slots of the send ring; a power of two. 0: this socket does not send.
    pub tx_entries: u32,
    /// Slots of the fill ring, if the socket is its queue's first; a power of two.
    pub fill_entries: u32,
    /// Slots of the completion ring, if the socket is its queue's first; a power of two.
    pub completion_entries: u32,
    /// The mode. Counts for the UMEM's first socket; later ones follow it.
    pub mode: ModeWish,
    /// Have the kernel say when it needs waking, instead of guessing. As for `mode`.
    pub need_wakeup: bool,
    /// Accept frames over several descriptors (Linux 6.6). As for `mode`.
    pub multi_buffer: bool,
    /// Busy polling on this socket.
    pub busy_poll: Option<BusyPoll>,
}

impl Default for BindConfig {
    fn default() -> BindConfig {
        BindConfig {
            rx_entries: 2048,
            tx_entries: 0,
            fill_entries: 2048,
            completion_entries: 64,
            mode: ModeWish::Best,
            need_wakeup: true,
            multi_buffer: false,
            busy_poll: None,
        }
    }
}

/// What binding gives.
#[derive(Debug)]
pub struct Bound {
    /// The socket, for the XSKMAP, wake-ups and statistics.
    pub socket: Socket,
    /// The receive ring, if one was asked for.
    pub rx: Option<RxRing>,
    /// The send ring, if one was asked for.
    pub tx: Option<TxRing>,
    /// The queue's fill and completion ring, for the first socket on the queue; the others share
    /// them, and bring their chunks to whoever owns them.
    pub rings: Option<(FillRing, CompletionRing)>,
    /// Why zero-copy was not obtained, where it was tried.
    pub zero_copy_refused: Option<io::Error>,
}

impl Umem {
    /// Binds a new socket to `to`. The first socket on a queue gets the queue's fill and
    /// completion ring; later ones on the same queue share them.
    ///
    /// # Errors
    /// When the kernel or the driver refuses; the error says what and where.
    pub fn bind(&mut self, to: &QueueId, config: &BindConfig) -> Result<Bound, Error> {
        let attempt = Attempt { layout: &self.layout, to, config };
        let fd = sys::socket(libc::AF_XDP, libc::SOCK_RAW, 0)
            .map_err(|os| attempt.error(Step::CreateSocket, os))?;
        let same_queue = self
            .bound
            .iter()
            .find(|bound| bound.queue == to.queue && bound.interface_index == to.interface_index);
        let shared = same_queue.or(self.bound.first()).map(|bound| bound.fd.as_raw_fd());
        if shared.is_none() {
            attempt.register(fd.as_fd())?;
        }
        let first_on_queue = same_queue.is_none();
        attempt.create_rings(fd.as_fd(), first_on_queue)?;
        if let Some(busy_poll) = config.busy_poll {
            attempt.set_busy_poll(fd.as_fd(), busy_poll)?;
        }
        let (rx, tx, rings) = attempt.map_rings(fd.as_fd(), first_on_queue)?;
        let zero_copy_refused = attempt.bind(fd.as_fd(), shared)?;
        let mode = attempt.mode(fd.as_fd())?;
        let fd = Arc::new(fd);
        if first_on_queue {
            let (interface_index, queue) = (to.interface_index, to.queue);
            self.bound.push(BoundQueue { interface_index, queue, fd: Arc::clone(&fd) });
        }
        let place = Place { interface: to.interface.clone(), queue: Some(to.queue) };
        let socket = Socket { fd, mode, place, _layout: Arc::clone(&self.layout) };
        Ok(Bound { socket, rx, tx, rings, zero_copy_refused })
    }
}

struct Attempt<'a> {
    layout: &'a Arc<Layout>,
    to: &'a QueueId,
    config: &'a BindConfig,
}

impl Attempt<'_> {
    fn error(&self, step: Step, source: io::Error) -> Error {
        Error::at(step, &self.to.interface, Some(self.to.queue), source)
    }

    fn register(&self, fd: BorrowedFd<'_>) -> Result<(), Error> {
        let area = &self.layout.area;
        let start = area.map().place::<u8>(0, 0).map_or(0, |place| place.as_ptr().addr());
        let registration = libc::xdp_umem_reg {
            addr: start as u64,
            len: u64::from(self.layout.chunks) * u64::from(self.layout.chunk_bytes),
            chunk_size: self.layout.chunk_bytes,
            headroom: self.layout.headroom_bytes,
            flags: 0,
            tx_metadata_len: 0,
        };
        sys::set(fd, libc::SOL_XDP, libc::XDP_UMEM_REG, &registration)
            .map_err(|os| self.error(Step::RegisterUmem, os))
    }

    fn create_rings(&self, fd: BorrowedFd<'_>, first_on_queue: bool) -> Result<(), Error> {
        let BindConfig { rx_entries, tx_entries, fill_entries, completion_entries, .. } =
            *self.config;
        let own = |entries: u32| if first_on_queue { entries } else { 0 };
        for (option, entries) in [
            (libc::XDP_UMEM_FILL_RING, own(fill_entries)),
            (libc::XDP_UMEM_COMPLETION_RING, own(completion_entries)),
            (libc::XDP_RX_RING, rx_entries),
            (libc::XDP_TX_RING, tx_entries),
        ] {
            if entries != 0 {
                if !entries.is_power_of_two() {
                    return Err(Error::Settings("rings have a power of two of slots"));
                }
                sys::set(fd, libc::SOL_XDP, option, &entries)
                    .map_err(|os| self.error(Step::CreateRing, os))?;
            }
        }
        if rx_entries == 0 && tx_entries == 0 {
            return Err(Error::Settings("a socket must receive or send"));
        }
        if first_on_queue && (fill_entries == 0 || completion_entries == 0) {
            return Err(Error::Settings("a queue's first socket needs fill and completion ring"));
        }
        Ok(())
    }

    fn set_busy_poll(&self, fd: BorrowedFd<'_>, busy: BusyPoll) -> Result<(), Error> {
        for (option, value) in [
            (sys::SO_PREFER_BUSY_POLL, 1),
            (libc::SO_BUSY_POLL, busy.microseconds),
            (sys::SO_BUSY_POLL_BUDGET, busy.budget),
        ] {
            sys::set(fd, libc::SOL_SOCKET, option, &value)
                .map_err(|os| self.error(Step::SetBusyPoll, os))?;
        }
        Ok(())
    }

    #[expect(clippy::type_complexity, reason = "taken apart by the one caller")]
    fn map_rings(
        &self,
        fd: BorrowedFd<'_>,
        first_on_queue: bool,
    ) -> Result<(Option<RxRing>, Option<TxRing>, Option<(FillRing, CompletionRing)>), Error> {
        let at: libc::xdp_mmap_offsets = sys::get(fd, libc::SOL_XDP, libc::XDP_MMAP_OFFSETS)
            .map_err(|os| self.error(Step::MapRing, os))?;
        let layout = || Arc::clone(self.layout);
        let config = self.config;
        let rx_at = Offsets::from(&at.rx);
        let rx = self
            .map::<libc::xdp_desc>(fd, rx_at, config.rx_entries, PGOFF_RX)?
            .and_then(|map| Consumer::new(map, rx_at, config.rx_entries))
            .map(|ring| RxRing { ring, layout: layout(), invalid: 0 });
        let tx_at = Offsets::from(&at.tx);
        let tx = self
            .map::<libc::xdp_desc>(fd, tx_at, config.tx_entries, PGOFF_TX)?
            .and_then(|map| Producer::new(map, tx_at, config.tx_entries))
            .map(|ring| TxRing { ring, layout: layout() });
        if !first_on_queue {
            return Ok((rx, tx, None));
        }
        let fill_at = Offsets::from(&at.fr);
        let fill = self
            .map::<u64>(fd, fill_at, config.fill_entries, PGOFF_FILL)?
            .and_then(|map| Producer::new(map, fill_at, config.fill_entries))
            .map(|ring| FillRing { ring, layout: layout() });
        let completion_at = Offsets::from(&at.cr);
        let completion = self
            .map::<u64>(fd, completion_at, config.completion_entries, PGOFF_COMPLETION)?
            .and_then(|map| Consumer::new(map, completion_at, config.completion_entries))
            .map(|ring| CompletionRing { ring, layout: layout() });
        Ok((rx, tx, fill.zip(completion)))
    }

    /// The map of one ring; none if it has no slots.
    fn map<T: Plain>(
        &self,
        fd: BorrowedFd<'_>,
        at: Offsets,
        entries: u32,
        offset: i64,
    ) -> Result<Option<Map>, Error> {
        if entries == 0 {
            return Ok(None);
        }
        let bytes = at.entries.saturating_add(entries as usize * size_of::<T>());
        Map::shared(fd, bytes, offset).map(Some).map_err(|os| self.error(Step::MapRing, os))
    }

    /// Binds; gives what stood against zero-copy if it was tried and not obtained.
    fn bind(&self, fd: BorrowedFd<'_>, shared: Option<i32>) -> Result<Option<io::Error>, Error> {
        let Some(first) = shared else { return self.bind_first(fd) };
        // Mode, wake-up and multi-buffer are the first socket's: the kernel takes no flags here.
        let first = u32::try_from(first).unwrap_or(u32::MAX);
        self.bind_with(fd, libc::XDP_SHARED_UMEM, first)
            .map_err(|os| self.error(Step::Bind, os))?;
        Ok(None)
    }

    fn bind_first(&self, fd: BorrowedFd<'_>) -> Result<Option<io::Error>, Error> {
        let wakeup = if self.config.need_wakeup { libc::XDP_USE_NEED_WAKEUP } else { 0 };
        let several = if self.config.multi_buffer { libc::XDP_USE_SG } else { 0 };
        let flags = wakeup | several;
        let zero_copy = || self.bind_with(fd, flags | libc::XDP_ZEROCOPY, 0);
        let copy = || self.bind_with(fd, flags | libc::XDP_COPY, 0);
        let refused = match self.config.mode {
            ModeWish::ZeroCopy => zero_copy().map(|()| None),
            ModeWish::Copy => copy().map(|()| None),
            ModeWish::Best => match zero_copy() {
                Ok(()) => Ok(None),
                Err(refused) => copy().map(|()| Some(refused)),
            },
        };
        refused.map_err(|os| self.error(Step::Bind, os))
    }

    fn bind_with(&self, fd: BorrowedFd<'_>, flags: u16, shared_fd: u32) -> io::Result<()> {
        let address = libc::sockaddr_xdp {
            sxdp_family: FAMILY,
            sxdp_flags: flags,
            sxdp_ifindex: self.to.interface_index,
            sxdp_queue_id: self.to.queue,
            sxdp_shared_umem_fd: shared_fd,
        };
        // The kernel lets go of a closed socket's queue a moment after the close: whoever starts
        // anew at once must not find the queue taken.
        for _ in 0..BUSY_ATTEMPTS {
            match sys::bind_xdp(fd, &address) {
                Err(busy) if busy.raw_os_error() == Some(libc::EBUSY) => wait_a_moment(),
                done => return done,
            }
        }
        sys::bind_xdp(fd, &address)
    }

    fn mode(&self, fd: BorrowedFd<'_>) -> Result<Mode, Error> {
        let options: libc::xdp_options = sys::get(fd, libc::SOL_XDP, libc::XDP_OPTIONS)
            .map_err(|os| self.error(Step::ReadBack, os))?;
        let zero_copy = options.flags & libc::XDP_OPTIONS_ZEROCOPY != 0;
        Ok(if zero_copy { Mode::ZeroCopy } else { Mode::Copy })
    }
}

/// How often a queue that is taken is asked for again: a second in all.
const BUSY_ATTEMPTS: u32 = 50;

fn wait_a_moment() {
    #[expect(
        clippy::disallowed_methods,
        reason = "set-up; the kernel tells nobody when it is done"
    )]
    std::thread::sleep(std::time::Duration::from_millis(20));
}

/// `AF_XDP`, in the width that addresses have.
const FAMILY: u16 = 44;
const _: () = assert!(FAMILY as i32 == libc::AF_XDP);

/// Where in the socket's "file" each ring is mapped from (`linux/if_xdp.h`).
const PGOFF_RX: i64 = 0;
const PGOFF_TX: i64 = 0x8000_0000;
const PGOFF_FILL: i64 = 0x1_0000_0000;
const PGOFF_COMPLETION: i64 = 0x1_8000_0000;
