//! Loading, attaching and asking the XDP program.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use libbpf_rs::skel::{OpenSkel, SkelBuilder};
use libbpf_rs::{MapCore, MapFlags, MapHandle, OpenObject, PrintLevel};

use crate::error::Error;
use crate::hash::Key;
use crate::sys::{self, skeleton::WeirSkelBuilder};
use crate::table::Row;

/// How frames find their shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Split {
    /// The NIC chose by choosing the queue: one socket a queue, at index `queue`.
    Nic,
    /// The program chooses by hash: a socket a shard on every queue, at index
    /// `queue * shards + shard`.
    Xdp,
}

/// How the program hangs on the interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attachment {
    /// In the driver.
    Native,
    /// In the kernel's general receive path, after the driver: any interface, slower.
    Generic,
}

impl Attachment {
    /// The name that users see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Attachment::Native => "native",
            Attachment::Generic => "generic",
        }
    }

    /// `XDP_FLAGS_` of `linux/if_link.h`.
    const fn flags(self) -> u32 {
        match self {
            Attachment::Generic => 1 << 1,
            Attachment::Native => 1 << 2,
        }
    }
}

/// The attachment that is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum AttachmentWish {
    /// Native, or generic where the driver refuses.
    #[default]
    Best,
    /// Native; anything else is an error.
    Native,
    /// Generic.
    Generic,
}

/// What to load.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name, for messages.
    pub interface: String,
    /// Index of the interface in the calling thread's network namespace.
    pub interface_index: u32,
    /// Receive queues that have sockets: 0 to `queues - 1`.
    pub queues: u32,
    /// Shards.
    pub shards: u32,
    /// How frames find theirs.
    pub split: Split,
    /// The hash's secret.
    pub key: Key,
    /// Ask the driver for VLAN tags that the NIC took off, where it can tell.
    pub hints: bool,
}

/// The program in the kernel, not yet attached.
#[derive(Debug)]
pub struct Program {
    settings: Settings,
    plain: OwnedFd,
    /// The variant that asks the driver, if the driver can be asked.
    hints: Option<OwnedFd>,
    sockets: MapHandle,
    counters: MapHandle,
}

/// The program on its interface. It leaves when this is dropped, and when the process ends, however
/// it ends.
#[derive(Debug)]
pub struct Attached {
    _link: OwnedFd,
    attachment: Attachment,
    hints: bool,
    native_refused: Option<io::Error>,
}

impl Attached {
    /// How it hangs on the interface.
    #[must_use]
    pub fn attachment(&self) -> Attachment {
        self.attachment
    }

    /// Whether the driver is asked for VLAN tags.
    #[must_use]
    pub fn has_hints(&self) -> bool {
        self.hints
    }

    /// What stood against the native kind, where it was wanted and not obtained.
    #[must_use]
    pub fn native_refused(&self) -> Option<&io::Error> {
        self.native_refused.as_ref()
    }
}

impl Program {
    /// Loads the program and its maps.
    ///
    /// # Errors
    /// Without the privilege, and on kernels that lack what it needs; the error says which.
    pub fn load(settings: &Settings) -> Result<Program, Error> {
        if settings.queues == 0 || settings.shards == 0 {
            return Err(Error::Settings("at least one queue and one shard are needed"));
        }
        if settings.shards > u32::from(u16::MAX) {
            return Err(Error::Settings("at most 65535 shards are possible"));
        }
        if settings.queues.checked_mul(settings.shards).is_none() {
            return Err(Error::Settings("more sockets than 32 bits count"));
        }
        collect_what_libbpf_says();
        if settings.hints
            && let Ok(program) = load(settings, true)
        {
            return Ok(program);
        }
        load(settings, false)
    }

    /// Makes `socket` the one that frames of `queue` and `shard` go to. With [`Split::Nic`] the
    /// shard does not matter.
    ///
    /// # Errors
    /// When there is no such queue or shard, or the socket is not bound to that queue.
    pub fn set_socket(&self, queue: u32, shard: u32, socket: BorrowedFd<'_>) -> Result<(), Error> {
        if queue >= self.settings.queues || shard >= self.settings.shards {
            return Err(Error::Settings("a socket for a queue or shard that there is not"));
        }
        let index = match self.settings.split {
            Split::Nic => queue,
            Split::Xdp => queue * self.settings.shards + shard,
        };
        let (key, value) = (index.to_ne_bytes(), socket.as_raw_fd().to_ne_bytes());
        self.sockets.update(&key, &value, MapFlags::ANY).map_err(|error| {
            let what = "registering a socket with the XDP program (XSKMAP)";
            Error::Map { what, source: os(&error) }
        })
    }

    /// Attaches it.
    ///
    /// # Errors
    /// When the interface is gone, or has a program already, or takes none of the wanted kind.
    pub fn attach(&self, wish: AttachmentWish) -> Result<Attached, Error> {
        let mut native_refused = None;
        if wish != AttachmentWish::Generic {
            match self.attach_native() {
                Ok(attached) => return Ok(attached),
                Err(source) => {
                    let taken = matches!(source.raw_os_error(), Some(libc::EBUSY | libc::EEXIST));
                    if wish == AttachmentWish::Native || taken {
                        return Err(self.not_attached(Attachment::Native, source));
                    }
                    native_refused = Some(source);
                }
            }
        }
        let link = self
            .link(&self.plain, Attachment::Generic)
            .map_err(|source| self.not_attached(Attachment::Generic, source))?;
        let attachment = Attachment::Generic;
        Ok(Attached { _link: link, attachment, hints: false, native_refused })
    }

    /// The counters so far: a row for each queue, and a last one for queues that came later.
    ///
    /// # Errors
    /// Only if the kernel takes the map away, which it does not.
    pub fn counters(&self) -> Result<Vec<Row>, Error> {
        let failed = |source| Error::Map { what: "reading the XDP program's counters", source };
        let mut rows = Vec::new();
        for queue in 0..=self.settings.queues {
            let mut row = Row::default();
            let values = self
                .counters
                .lookup_percpu(&queue.to_ne_bytes(), MapFlags::ANY)
                .map_err(|error| failed(os(&error)))?;
            for bytes in values.unwrap_or_default() {
                row.add(&bytes);
            }
            rows.push(row);
        }
        Ok(rows)
    }

    /// Runs the program on a packet, `repeat` times, without an interface.
    ///
    /// # Errors
    /// When the kernel refuses: packets are at least as long as an Ethernet header.
    pub fn run(&self, packet: &[u8], repeat: u32) -> Result<Run, Error> {
        let repeat = i32::try_from(repeat).unwrap_or(i32::MAX);
        let what = "running the XDP program on a packet";
        let ran = sys::test_run(self.plain.as_fd(), packet, repeat)
            .map_err(|source| Error::Map { what, source })?;
        Ok(Run { verdict: ran.verdict, data: ran.data, mean: ran.mean })
    }

    /// Tries with hints first: drivers that tell may still refuse programs bound to them.
    fn attach_native(&self) -> io::Result<Attached> {
        let attachment = Attachment::Native;
        if let Some(hints) = &self.hints
            && let Ok(link) = self.link(hints, attachment)
        {
            return Ok(Attached { _link: link, attachment, hints: true, native_refused: None });
        }
        let link = self.link(&self.plain, attachment)?;
        Ok(Attached { _link: link, attachment, hints: false, native_refused: None })
    }

    fn link(&self, program: &OwnedFd, attachment: Attachment) -> io::Result<OwnedFd> {
        let index = i32::try_from(self.settings.interface_index)
            .map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?;
        sys::attach(program.as_fd(), index, attachment.flags())
    }

    fn not_attached(&self, attachment: Attachment, source: io::Error) -> Error {
        Error::Attach { interface: self.settings.interface.clone(), attachment, source }
    }
}

/// What [`Program::run`] gives.
#[derive(Debug)]
pub struct Run {
    /// The verdict, `XDP_PASS` (2) where there is no socket.
    pub verdict: u32,
    /// The metadata and the packet after it.
    pub data: Vec<u8>,
    /// Mean time of a run.
    pub mean: Duration,
}

/// `BPF_F_XDP_DEV_BOUND_ONLY` of `linux/bpf.h`.
const DEVICE_BOUND: u32 = 1 << 6;

fn load(settings: &Settings, hints: bool) -> Result<Program, Error> {
    take_what_libbpf_said();
    let failed =
        |error: libbpf_rs::Error| Error::Load { source: os(&error), log: take_what_libbpf_said() };
    let mut storage: MaybeUninit<OpenObject> = MaybeUninit::uninit();
    let mut open = WeirSkelBuilder::default().open(&mut storage).map_err(failed)?;
    if let Some(constants) = open.maps.rodata_data.as_mut() {
        constants.hash_key = settings.key;
        constants.queues = settings.queues;
        constants.shards = settings.shards;
        constants.split = match settings.split {
            Split::Nic => 0,
            Split::Xdp => 1,
        };
    }
    let sockets = match settings.split {
        Split::Nic => settings.queues,
        Split::Xdp => settings.queues * settings.shards,
    };
    open.maps.sockets.set_max_entries(sockets).map_err(failed)?;
    open.maps.counters.set_max_entries(settings.queues + 1).map_err(failed)?;
    if hints {
        open.progs.weir_xdp_hints.set_ifindex(settings.interface_index);
        open.progs.weir_xdp_hints.set_flags(DEVICE_BOUND);
    } else {
        open.progs.weir_xdp_hints.set_autoload(false);
    }
    let loaded = open.load().map_err(failed)?;
    // The object and its copies of the descriptors go at the end of this function; these stay.
    let keep = |fd: BorrowedFd<'_>| {
        fd.try_clone_to_owned().map_err(|source| Error::Load { source, log: String::new() })
    };
    Ok(Program {
        settings: settings.clone(),
        plain: keep(loaded.progs.weir_xdp.as_fd())?,
        hints: hints.then(|| keep(loaded.progs.weir_xdp_hints.as_fd())).transpose()?,
        sockets: MapHandle::try_from(&loaded.maps.sockets).map_err(failed)?,
        counters: MapHandle::try_from(&loaded.maps.counters).map_err(failed)?,
    })
}

pub(crate) fn os(error: &libbpf_rs::Error) -> io::Error {
    // libbpf's errors wrap the operating system's; its number is what advice goes by.
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = source {
        if let Some(number) = inner.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
            return io::Error::from_raw_os_error(number);
        }
        source = inner.source();
    }
    io::Error::other(error.to_string())
}

/// The end of what libbpf said, for the error that may follow.
static SAID: Mutex<String> = Mutex::new(String::new());

/// As much of it as is kept.
const SAID_BYTES: usize = 2000;

/// Keeps libbpf from writing to standard error.
pub(crate) fn collect_what_libbpf_says() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        libbpf_rs::set_print(Some((PrintLevel::Warn, |_, line| {
            let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
            said.push_str(&line);
            let beyond = said.len().saturating_sub(SAID_BYTES);
            let cut = (beyond..=said.len()).find(|at| said.is_char_boundary(*at)).unwrap_or(0);
            said.drain(..cut);
        })));
    });
}

pub(crate) fn take_what_libbpf_said() -> String {
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut *said).trim_end().to_owned()
}
