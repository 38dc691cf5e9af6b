//! AF_XDP sockets over memory that the caller owns.
//!
//! What a packet program needs from AF_XDP and nothing else: the packet memory (UMEM) in a sealed
//! memfd that other processes may map read-only, the four rings as four types, sockets that share
//! one UMEM over several queues or even on one queue, the mode obtained read back, statistics,
//! wake-ups and busy polling. No threads, no runtime, no allocation after set-up.
//!
//! # How it fits together
//!
//! ```text
//! Area    memory in a memfd, then sealed: nobody else can ever map it writable
//!  └ Umem    the area cut into chunks; hands out every Chunk once, as a token
//!     └ Umem::bind ──► Bound { socket, rx, tx, rings: (FillRing, CompletionRing) }
//!
//! FillRing ◄─ Chunk ── Custody::release     RxRing ── Packet { chunk, … } ──► Custody::hold
//! ```
//!
//! A [`Chunk`] is a token that cannot be copied. Whoever has it has the memory: it is put into
//! the fill ring to lend the memory to the kernel, and comes back out of the receive ring. While
//! it is out, it lies in a [`Custody`], and only bytes in custody can be read. This is what makes
//! reading safe: a frame that went back to the kernel can no longer be named.
//!
//! ```no_run
//! use af_xdp::{Area, AreaConfig, BindConfig, Custody, QueueId, Umem, UmemConfig};
//!
//! let area = Area::create(&AreaConfig { bytes: 4096 * 2048, ..AreaConfig::default() })?;
//! let mut umem = Umem::new(area, &UmemConfig::default())?;
//! let mut spare = umem.take_chunks(0..4096);
//! let mut bound = umem.bind(&QueueId::of("eth0", 0)?, &BindConfig::default())?;
//! let (mut fill, _completion) = bound.rings.take().expect("the first socket of its queue");
//! let mut custody = Custody::new(&umem);
//! fill.fill(&mut spare);
//! // An XDP program must redirect to `bound.socket` through an XSKMAP; then:
//! let mut addresses = Vec::with_capacity(64);
//! let mut rx = bound.rx.take().expect("the default configuration receives");
//! rx.receive(64, |packet| addresses.push((packet.addr, custody.hold(packet))));
//! for (addr, bytes) in addresses {
//!     println!("{:02x?}", custody.bytes(addr, bytes));
//!     spare.extend(custody.release(addr));
//! }
//! fill.fill(&mut spare);
//! # Ok::<(), af_xdp::Error>(())
//! ```
//!
//! # Which kernels
//!
//! 5.11 for busy polling by preference, 6.6 for packets over several descriptors
//! ([`BindConfig::multi_buffer`]); Linux only. See the kernel's `Documentation/networking/af_xdp.rst`.
//!
//! # `unsafe`
//!
//! The maps of the rings and of the UMEM, and the system calls. Every other part is safe code over
//! the tokens described above; `docs/SAFETY.md` lists the arguments.
#![cfg(target_os = "linux")]

mod area;
mod bind;
mod custody;
mod error;
pub mod netdev;
mod ring;
mod rings;
mod socket;
pub mod spsc;
mod sync;
mod sys;
mod umem;

pub use area::{Area, AreaConfig, HugePages, Pages};
pub use bind::{BindConfig, Bound, BusyPoll, Mode, ModeWish, QueueId};
pub use custody::{Custody, Held};
pub use error::{Error, Place, Step};
pub use rings::{CompletionRing, FillRing, Packet, RxRing, TxRing};
pub use socket::{Socket, Statistics};
pub use umem::{Chunk, Umem, UmemConfig, XDP_HEADROOM_BYTES};
