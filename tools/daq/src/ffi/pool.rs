//! The messages of an instance: what the application gets pointers to.

use std::cell::Cell;
use std::ffi::{c_uint, c_void};
use std::ptr;

use super::abi::{
    MESSAGE_PACKET, Message, Opaque, PacketHeader, Timeval, UNKNOWN_GROUP, UNKNOWN_INTERFACE,
};

/// A message with its header. The application has pointers to both while it has the message, so
/// what is written between is in cells, and a slot never moves.
#[derive(Debug)]
#[repr(C)]
struct Slot {
    message: Shown,
    header: Cell<PacketHeader>,
}

/// [`Message`], as the module writes it.
#[derive(Debug)]
#[repr(C)]
struct Shown {
    header: *const PacketHeader,
    data: Cell<*const u8>,
    meta: [*const c_void; 8],
    owner: Opaque,
    private: *const c_void,
    header_bytes: usize,
    kind: c_uint,
    data_bytes: Cell<u32>,
}

const _: () = {
    use std::mem::{align_of, offset_of, size_of};
    assert!(size_of::<Shown>() == size_of::<Message>());
    assert!(align_of::<Shown>() == align_of::<Message>());
    assert!(offset_of!(Slot, message) == 0);
    assert!(offset_of!(Shown, header) == offset_of!(Message, header));
    assert!(offset_of!(Shown, data) == offset_of!(Message, data));
    assert!(offset_of!(Shown, owner) == offset_of!(Message, owner));
    assert!(offset_of!(Shown, header_bytes) == offset_of!(Message, header_bytes));
    assert!(offset_of!(Shown, kind) == offset_of!(Message, kind));
    assert!(offset_of!(Shown, data_bytes) == offset_of!(Message, data_bytes));
};

/// A fixed number of messages.
#[derive(Debug)]
pub(crate) struct Pool {
    slots: Box<[Slot]>,
}

// SAFETY: the pointers in a slot are to its own header, which moves with the pool's memory, to a
// frame that the instance holds beside the pool, and to the application's instance, which is only
// handed back and never followed. Nothing in it belongs to a thread.
#[expect(unsafe_code, reason = "raw pointers are of no thread by themselves")]
unsafe impl Send for Pool {}

const NO_HEADER: PacketHeader = PacketHeader {
    time: Timeval { seconds: 0, microseconds: 0 },
    wire_bytes: 0,
    ingress: UNKNOWN_INTERFACE,
    egress: UNKNOWN_INTERFACE,
    ingress_group: UNKNOWN_GROUP,
    egress_group: UNKNOWN_GROUP,
    opaque: 0,
    flow_id: 0,
    flags: 0,
    address_space: 0,
    tenant: 0,
};

/// What is said of one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Said {
    pub(crate) time_ns: u64,
    pub(crate) wire_bytes: u32,
    pub(crate) ingress: i32,
    pub(crate) flow_id: u32,
    pub(crate) flags: u32,
}

impl Pool {
    /// So many messages of the instance that the application knows as `owner`.
    pub(crate) fn new(messages: u32, owner: Owner, header_bytes: usize) -> Self {
        let slot = |_| Slot {
            message: Shown {
                header: ptr::null(),
                data: Cell::new(ptr::null()),
                meta: [ptr::null(); 8],
                owner: owner.0,
                private: ptr::null(),
                header_bytes,
                kind: MESSAGE_PACKET,
                data_bytes: Cell::new(0),
            },
            header: Cell::new(NO_HEADER),
        };
        let mut slots: Box<[Slot]> = (0..messages).map(slot).collect();
        // From here on they stay where they are.
        for slot in &mut slots {
            slot.message.header = slot.header.as_ptr();
        }
        Self { slots }
    }

    /// Bytes that the messages take.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.slots)
    }

    /// Fills a message. Its data is at `bytes` until it is filled anew.
    #[inline]
    pub(crate) fn fill(&self, index: u32, said: &Said, bytes: &[u8]) {
        let Some(slot) = self.slots.get(index as usize) else { return };
        slot.header.set(PacketHeader {
            time: timeval(said.time_ns),
            wire_bytes: said.wire_bytes,
            ingress: said.ingress,
            flow_id: said.flow_id,
            flags: said.flags,
            ..NO_HEADER
        });
        slot.message.data.set(bytes.as_ptr());
        slot.message.data_bytes.set(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    }

    /// Where a message is, for the application.
    pub(super) fn message(&self, index: u32) -> *const Message {
        self.slots.get(index as usize).map_or(ptr::null(), |slot| (&raw const *slot).cast())
    }

    /// Which message is there. None if that is no place of one; nothing is read.
    #[inline]
    pub(super) fn index_of(&self, message: *const Message) -> Option<u32> {
        let offset = message.addr().checked_sub(self.slots.as_ptr().addr())?;
        let index = offset / size_of::<Slot>();
        let is_one = offset.is_multiple_of(size_of::<Slot>()) && index < self.slots.len();
        u32::try_from(index).ok().filter(|_| is_one)
    }
}

/// The application's name for an instance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner(pub(super) Opaque);

#[cfg(test)]
impl Owner {
    pub(crate) const NOBODY: Self = Self(ptr::null_mut());
}

fn timeval(time_ns: u64) -> Timeval {
    let part = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    Timeval {
        seconds: part(time_ns / 1_000_000_000),
        microseconds: part(time_ns % 1_000_000_000 / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Pool {
        /// The header of a message, as the application would see it.
        pub(crate) fn header(&self, index: u32) -> PacketHeader {
            self.slots[index as usize].header.get()
        }

        /// Where a message's data is, and how much.
        pub(crate) fn data(&self, index: u32) -> (*const u8, u32) {
            let message = &self.slots[index as usize].message;
            (message.data.get(), message.data_bytes.get())
        }
    }

    #[test]
    fn only_places_of_messages_are_messages() {
        let pool = Pool::new(3, Owner::NOBODY, 48);
        for index in 0..3 {
            assert_eq!(pool.index_of(pool.message(index)), Some(index));
        }
        assert!(pool.message(3).is_null());
        let first = pool.message(0).cast::<u8>();
        for offset in [1, 8, size_of::<Slot>() - 1, 3 * size_of::<Slot>()] {
            assert_eq!(pool.index_of(first.wrapping_add(offset).cast()), None, "{offset}");
        }
        assert_eq!(pool.index_of(first.wrapping_sub(1).cast()), None);
        assert_eq!(pool.index_of(ptr::null()), None);
    }

    #[test]
    fn a_message_says_what_it_was_filled_with() {
        let pool = Pool::new(2, Owner::NOBODY, 48);
        let bytes = [1_u8, 2, 3];
        let said = Said {
            time_ns: 1_700_000_000_123_456_789,
            wire_bytes: 1500,
            ingress: 1,
            flow_id: 7,
            flags: 0x10,
        };
        pool.fill(1, &said, &bytes);
        pool.fill(9, &said, &bytes);
        let header = pool.header(1);
        assert_eq!(header.time, Timeval { seconds: 1_700_000_000, microseconds: 123_456 });
        assert_eq!((header.wire_bytes, header.ingress, header.egress), (1500, 1, -1));
        assert_eq!((header.flow_id, header.flags, header.address_space), (7, 0x10, 0));
        assert_eq!((header.ingress_group, header.egress_group), (-1, -1));
        assert_eq!(pool.data(1), (bytes.as_ptr(), 3));
        assert_eq!(pool.slots[1].message.header, pool.slots[1].header.as_ptr().cast_const());
        assert_eq!(pool.slots[1].message.header_bytes, 48);
        assert!(pool.memory_bytes() >= 2 * (112 + 56));
    }
}
