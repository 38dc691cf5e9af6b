//! A bound socket: wake-ups, waiting, statistics.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use crate::bind::Mode;
use crate::error::{Error, Place, Step};
use crate::sys;
use crate::umem::Layout;

/// A socket bound to a queue. Clones name the same socket, so that a control thread can read the
/// statistics of one that another thread receives from.
#[derive(Clone, Debug)]
pub struct Socket {
    pub(crate) fd: Arc<OwnedFd>,
    pub(crate) mode: Mode,
    pub(crate) place: Place,
    /// What it is bound to: the kernel writes there while it is open (see `Umem::anew`).
    pub(crate) _layout: Arc<Layout>,
}

/// What the kernel counted on one socket (`XDP_STATISTICS`), in frames unless said otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Statistics {
    /// Frames for this socket that did not reach it for want of a chunk (copy mode) or because
    /// they were longer than a chunk and the socket takes no multi-buffer frames.
    pub dropped: u64,
    /// Frames for this socket that found its receive ring full.
    pub ring_full: u64,
    /// Descriptors in the fill ring that named no chunk. Not frames.
    pub invalid_fill: u64,
    /// Times that the kernel found the fill ring empty. Counted on the queue, not on the socket:
    /// sockets that share the queue show the same number. Not frames: in copy mode the frames are
    /// in `dropped`, in zero-copy mode the NIC counts them.
    pub fill_empty_queue: u64,
    /// Descriptors sent that were refused.
    pub invalid_send: u64,
}

impl Socket {
    /// The mode obtained, as the kernel told it.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Interface and queue.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Lets the kernel look at the fill ring and, with busy polling, receive: one system call.
    #[inline]
    pub fn wake_receive(&self) {
        sys::kick_receive(self.fd.as_raw_fd());
    }

    /// Lets the kernel send: one system call.
    #[inline]
    pub fn wake_send(&self) {
        sys::kick_send(self.fd.as_raw_fd());
    }

    /// What the kernel counted so far.
    ///
    /// # Errors
    /// Only if the kernel has no `XDP_STATISTICS`, which every kernel since 4.18 has.
    pub fn statistics(&self) -> Result<Statistics, Error> {
        let raw: libc::xdp_statistics =
            sys::get(self.fd.as_fd(), libc::SOL_XDP, libc::XDP_STATISTICS).map_err(|source| {
                Error::System { step: Step::ReadBack, place: Some(self.place.clone()), source }
            })?;
        Ok(Statistics {
            dropped: raw.rx_dropped,
            ring_full: raw.rx_ring_full,
            invalid_fill: raw.rx_invalid_descs,
            fill_empty_queue: raw.rx_fill_ring_empty_descs,
            invalid_send: raw.tx_invalid_descs,
        })
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
