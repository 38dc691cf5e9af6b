//! The engine `packet`: an AF_PACKET socket and `sendmmsg`. Works on every interface.

use std::io::{self, IoSlice};
use std::time::Duration;

use anyhow::bail;
use rustix::io::Errno;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg};
use weir_engine::sys::clock;
use weir_engine::sys::packet_ring::PacketSocket;

use super::interface::Interface;
use super::pacer::{BATCH, Transmit, Unsent};
use super::traffic::on_wire;
use crate::exit::{Code, failure};

/// So long a full queue is waited for before a frame counts as not sent.
const PATIENCE_NS: u64 = 20_000_000;

/// A packet socket with a batch of frames.
#[derive(Debug)]
pub(crate) struct PacketOut {
    socket: PacketSocket,
    interface: String,
    frames: Vec<Vec<u8>>,
    /// Bytes of those committed.
    committed: Vec<usize>,
    unsent: Unsent,
}

impl PacketOut {
    /// Opens a socket on an interface, for frames of so many bytes at most.
    ///
    /// # Errors
    /// Without the privilege, or without such an interface.
    pub(crate) fn open(interface: &Interface, frame_bytes: u32) -> anyhow::Result<PacketOut> {
        let name = &interface.name;
        let socket = socket(interface.index).map_err(|error| {
            let advice = match error.kind() {
                io::ErrorKind::PermissionDenied => "; run as root or with CAP_NET_RAW",
                _ => "",
            };
            failure(Code::Failed, format!("cannot send out of {name}: {error}{advice}"))
        })?;
        let bytes = usize::try_from(frame_bytes).unwrap_or(0);
        Ok(PacketOut {
            socket,
            interface: name.clone(),
            frames: vec![vec![0; bytes]; BATCH],
            committed: Vec::with_capacity(BATCH),
            unsent: Unsent::default(),
        })
    }

    /// Frame number `place` of the batch is given up.
    fn give_up(&mut self, place: usize) {
        let bytes = self.committed.get(place).copied().unwrap_or(0);
        self.unsent.bytes += on_wire(u32::try_from(bytes).unwrap_or(0));
    }

    /// Sends the committed frames from number `from` on, as many as the kernel takes.
    fn send(&self, from: usize) -> Result<usize, Errno> {
        let frames = self.frames.iter().zip(&self.committed).skip(from);
        let slices: Vec<[IoSlice<'_>; 1]> = frames
            .map(|(frame, bytes)| [IoSlice::new(frame.get(..*bytes).unwrap_or(&[]))])
            .collect();
        let mut controls: Vec<_> = slices.iter().map(|_| SendAncillaryBuffer::default()).collect();
        let heads = slices.iter().zip(&mut controls);
        let mut heads: Vec<_> = heads.map(|(slice, none)| MMsgHdr::new(slice, none)).collect();
        sendmmsg(&self.socket, &mut heads, SendFlags::empty())
    }
}

impl Transmit for PacketOut {
    fn room(&mut self) -> Option<&mut [u8]> {
        self.frames.get_mut(self.committed.len()).map(Vec::as_mut_slice)
    }

    fn commit(&mut self, bytes: usize) {
        self.committed.push(bytes);
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        let mut sent = 0;
        let mut waiting_since = None;
        while sent < self.committed.len() {
            match self.send(sent) {
                Ok(more) => {
                    sent += more;
                    waiting_since = None;
                }
                Err(Errno::INTR) => {}
                Err(Errno::NOBUFS | Errno::AGAIN | Errno::NOMEM) => {
                    let now = clock::monotonic_ns();
                    if now - *waiting_since.get_or_insert(now) < PATIENCE_NS {
                        clock::rest(Duration::from_micros(1));
                    } else {
                        self.give_up(sent);
                        (sent, waiting_since) = (sent + 1, None);
                        self.unsent.queue_full += 1;
                    }
                }
                Err(Errno::NETDOWN | Errno::NXIO | Errno::NODEV) => bail!(failure(
                    Code::Failed,
                    format!(
                        "interface {0} is down or gone; bring it up: `ip link set dev {0} up`",
                        self.interface
                    )
                )),
                Err(_) => {
                    self.give_up(sent);
                    sent += 1;
                    self.unsent.refused += 1;
                }
            }
        }
        self.committed.clear();
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<Unsent> {
        Ok(self.unsent)
    }
}

fn socket(interface: u32) -> io::Result<PacketSocket> {
    let socket = PacketSocket::open()?;
    socket.bind_to_send(i32::try_from(interface).map_err(io::Error::other)?)?;
    socket.bypass_queue()?;
    Ok(socket)
}
