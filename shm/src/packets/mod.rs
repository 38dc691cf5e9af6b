//! The packet ring: every reader sees the same frames in the same memory.
//!
//! A shard writes one *descriptor* of 64 bytes for each piece of a frame into a ring. The frame
//! itself stays where it was received; its place is reused only after the descriptor has left the
//! ring. So the ring is a *retention window* over the frames, and it costs nothing while nobody
//! reads: then no descriptor is written and a frame's place is free at once.
//!
//! Two words say what is there: `tail`, the end of what was written, and `floor`, before which
//! everything is gone. The writer moves the floor before it reuses anything and never waits.
//!
//! - A *window* reader copies what it wants and then looks at the floor: what lies before it is
//!   worthless, and the packets' numbers tell how many were missed.
//! - A *lease* reader has the floor kept behind it, as far as the ring allows, and uses frames in
//!   place. One that falls further behind is *demoted* to a window reader and told so; the frames
//!   that it has in its hands at that moment stay untouched until it lets go of them or goes.
//!
//! A reader writes only its own page (`page`). The writer takes each word there for hostile: a
//! cursor that goes back or runs ahead of the ring harms nobody but its owner.
//!
//! | part | what it is |
//! | --- | --- |
//! | `descriptor` | what the ring says of a frame |
//! | `ring` | the writing half: slots, window, who reads |
//! | `lease` | which frames are held for whom |
//! | `groups` | who of a group gets which flows, from which position on |
//! | `page` | the words that a reader writes |
//! | `cursor` | the reading half of one shard |
//! | `reader` | one reader of all shards, in time order |

#[cfg(all(loom, test))]
mod model;

mod cursor;
mod descriptor;
mod groups;
mod lease;
mod page;
mod ring;

#[cfg(not(loom))]
mod answer;
#[cfg(not(loom))]
mod control;
#[cfg(not(loom))]
mod members;
#[cfg(not(loom))]
mod reader;
#[cfg(not(loom))]
mod table;
#[cfg(not(loom))]
mod view;

pub use cursor::{Cursor, Staged, Wanted};
pub use descriptor::{Descriptor, FlowWords, flag};
pub use groups::{BUCKETS, Owners, bucket_of};
pub use lease::Demoted;
pub use page::{HOLD_MAX, PageReader};
pub use ring::{Join, PacketWriter};

#[cfg(not(loom))]
pub(crate) use groups::GROUP_WORDS;
#[cfg(not(loom))]
pub(crate) use page::page_bytes;
pub(crate) use ring::LINE_WORDS;
#[cfg(not(loom))]
pub(crate) use ring::{AREA, LINK, head_constants};
#[cfg(not(loom))]
pub(crate) use ring::{HEAD_WORDS, SLOT_WORDS};
#[cfg(not(loom))]
pub(crate) use table::{
    GROUP_ROW_WORDS, READER_WORDS, load_row, name_bytes, name_in, read_groups, read_readers,
    store_row,
};

#[cfg(not(loom))]
pub use self::{
    answer::{Judgement, Next, PacketOptions, ReaderCounts, Share, Woken},
    control::{Control, FlowRef},
    members::{Admission, Groups},
    reader::{Held, PacketReader, Waker},
    table::{GroupRow, ReaderRow, ReaderTable},
    view::ReaderState,
};

/// Packet readers of an engine at one time.
pub const READERS: usize = if cfg!(loom) { 2 } else { 64 };
/// Groups of an engine at one time: one bit each in a descriptor.
pub const GROUPS: usize = if cfg!(loom) { 1 } else { 16 };
