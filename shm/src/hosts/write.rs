//! The sections of hosts, as their shard writes them.

use super::{
    DETAIL_BYTES, DETAIL_WORDS, Detail, HOST_BYTES, HOST_WORDS, HostSlot, INTERFACE_BYTES,
    INTERFACE_WORDS, InterfaceRow, NameSource, TOTAL_BYTES, TOTAL_WORDS, Total, begin, commit, get,
    put,
};
use crate::{
    layout::{Made, Plan, SectionKind},
    segment::WriteWords,
    sync::AtomicU64,
    words::words,
};

/// Words of a learned name.
pub const NAME_WORDS: usize = 16;
/// Bytes of a learned name.
pub const NAME_BYTES: usize = NAME_WORDS * 8;

pub(super) const NAME_ADDRESS: usize = 1;
pub(super) const NAME_SEEN_NS: usize = 3;
pub(super) const NAME_HEAD: usize = 4;
pub(super) const NAME_TEXT: usize = 5;
const TEXT_BYTES: usize = (NAME_WORDS - NAME_TEXT) * 8;

/// How much of hosts a shard has room for. All 0: none are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HostsSpec {
    /// Hosts.
    pub hosts: u32,
    /// Local hosts with a detail.
    pub details: u32,
    /// Learned names.
    pub names: u32,
    /// Totals.
    pub totals: u32,
    /// Interfaces.
    pub interfaces: u32,
}

impl HostsSpec {
    /// Nothing.
    pub const NONE: Self = Self { hosts: 0, details: 0, names: 0, totals: 0, interfaces: 0 };

    pub(crate) fn plan(&self, plan: &mut Plan) {
        let of = |count: u32| count as usize;
        plan.section(SectionKind::Hosts, HOST_BYTES, of(self.hosts));
        plan.section(SectionKind::HostDetails, DETAIL_BYTES, of(self.details));
        plan.section(SectionKind::HostNames, NAME_BYTES, of(self.names));
        plan.section(SectionKind::Totals, TOTAL_BYTES, of(self.totals));
        plan.section(SectionKind::Interfaces, INTERFACE_BYTES, of(self.interfaces));
    }
}

/// The sections of one shard.
#[derive(Debug)]
pub struct HostsWriter {
    slots: WriteWords,
    details: WriteWords,
    names: WriteWords,
    totals: WriteWords,
    interfaces: WriteWords,
}

impl HostsWriter {
    pub(crate) fn new(made: &Made) -> Self {
        Self {
            slots: made.words(SectionKind::Hosts),
            details: made.words(SectionKind::HostDetails),
            names: made.words(SectionKind::HostNames),
            totals: made.words(SectionKind::Totals),
            interfaces: made.words(SectionKind::Interfaces),
        }
    }

    /// Writes to every page.
    pub(crate) fn touch(&self) {
        let all = [&self.slots, &self.details, &self.names, &self.totals, &self.interfaces];
        for words in all {
            words.touch();
        }
    }

    /// What there is room for.
    #[expect(clippy::cast_possible_truncation, reason = "made from a HostsSpec")]
    pub fn room(&self) -> HostsSpec {
        HostsSpec {
            hosts: (self.slots.len() / HOST_WORDS) as u32,
            details: (self.details.len() / DETAIL_WORDS) as u32,
            names: (self.names.len() / NAME_WORDS) as u32,
            totals: (self.totals.len() / TOTAL_WORDS) as u32,
            interfaces: (self.interfaces.len() / INTERFACE_WORDS) as u32,
        }
    }

    /// A host's slot.
    #[inline(always)]
    pub fn slot(&self, index: u32) -> HostSlot<'_> {
        HostSlot(&self.slots.as_chunks().0[index as usize])
    }

    /// A detail.
    #[inline(always)]
    pub fn detail(&self, index: u32) -> Detail<'_> {
        Detail(&self.details.as_chunks().0[index as usize])
    }

    /// A total.
    #[inline(always)]
    pub fn total(&self, index: usize) -> Total<'_> {
        Total(&self.totals.as_chunks().0[index])
    }

    /// A learned name.
    #[inline]
    pub fn name(&self, index: usize) -> NameSlot<'_> {
        NameSlot(&self.names.as_chunks().0[index])
    }

    /// An interface.
    #[inline]
    pub fn interface(&self, index: usize) -> InterfaceRow<'_> {
        InterfaceRow(&self.interfaces.as_chunks().0[index])
    }

    /// The words of a slot, for whoever asks for its cache lines.
    #[inline(always)]
    pub fn slot_words(&self, index: u32) -> &[AtomicU64; HOST_WORDS] {
        &self.slots.as_chunks().0[index as usize]
    }
}

/// The name of an address.
#[derive(Debug, Clone, Copy)]
pub struct NameSlot<'a>(&'a [AtomicU64; NAME_WORDS]);

impl NameSlot<'_> {
    /// The address and when its name was last seen; none where there is nothing.
    pub fn about(self) -> Option<([u64; 2], u64)> {
        let seen_ns = get(self.0, NAME_SEEN_NS);
        let address = [get(self.0, NAME_ADDRESS), get(self.0, NAME_ADDRESS + 1)];
        (seen_ns != 0).then_some((address, seen_ns))
    }

    /// Where the name is from.
    pub fn source(self) -> NameSource {
        let [_, source, ..] = get(self.0, NAME_HEAD).to_le_bytes();
        NameSource::from_raw(source).unwrap_or_default()
    }

    /// Writes a name down; of a long one the end.
    pub fn set(self, address: [u64; 2], source: NameSource, name: &[u8], seen_ns: u64) {
        let name = &name[name.len().saturating_sub(TEXT_BYTES)..];
        begin(&self.0[0]);
        put(self.0, NAME_ADDRESS, address[0]);
        put(self.0, NAME_ADDRESS + 1, address[1]);
        put(self.0, NAME_SEEN_NS, seen_ns.max(1));
        put(self.0, NAME_HEAD, name.len() as u64 | u64::from(source as u8) << 8);
        for (at, word) in (NAME_TEXT..).zip(words(name)) {
            put(self.0, at, word);
        }
        commit(&self.0[0]);
    }
}
