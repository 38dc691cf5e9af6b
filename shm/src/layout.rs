//! How a segment is laid out: a header, a table of sections, and the sections, each on lines of its
//! own. The one place that knows where things are; `docs/SHM_FORMAT.md` says the same in tables.

use crate::{
    error::Error,
    segment::{ReadMap, ReadWords, WORD, WriteMap, WriteWords},
    sync::Ordering,
};
use std::{sync::Arc, time::SystemTime};

/// Version of the format. Any change that an older reader would misread makes it one higher.
pub const FORMAT_VERSION: u32 = 3;

/// `WEIRSHM` and a zero byte.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"WEIRSHM\0");

/// Header words.
const W_MAGIC: usize = 0;
const W_VERSION_KIND: usize = 1;
const W_BYTES: usize = 2;
const W_SECTIONS_SHARD: usize = 3;
const W_CREATED_NS: usize = 4;
const W_PID: usize = 5;
const W_LABEL: usize = 6;
const W_TABLE: usize = 16;
/// Words of a section's entry: kind and stride, offset, length, count.
const ENTRY_WORDS: usize = 4;
const SECTIONS_MAX: usize = 32;
/// Definitions, queues or sources in a segment, at most.
const OBJECTS_MAX: usize = 16384;
/// Bytes of a text, at most.
const TEXT_BYTES_MAX: usize = 4096;
const HEADER_BYTES: usize = (W_TABLE + SECTIONS_MAX * ENTRY_WORDS) * WORD;

/// What a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum SegmentKind {
    /// The engine as a whole and its queues.
    Control = 1,
    /// One shard.
    Shard = 2,
    /// Packet memory: frames and nothing else, without a header.
    Frames = 3,
    /// The page that a packet reader writes; without a header.
    Page = 4,
}

impl SegmentKind {
    pub(crate) fn from_raw(raw: u32) -> Option<Self> {
        match raw {
            1 => Some(Self::Control),
            2 => Some(Self::Shard),
            3 => Some(Self::Frames),
            4 => Some(Self::Page),
            _ => None,
        }
    }
}

/// What a section holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum SectionKind {
    Strings = 1,
    Flows = 2,
    RecordHead = 3,
    RecordRing = 4,
    Arena = 5,
    CounterDefs = 6,
    Counters = 7,
    HistogramDefs = 8,
    Histograms = 9,
    PacketHead = 10,
    PacketRing = 11,
    PacketReaders = 12,
    PacketGroups = 13,
    Health = 14,
    Engine = 16,
    Live = 17,
    Sources = 18,
    Queues = 19,
    Readers = 20,
    Groups = 21,
    Rules = 22,
    Apps = 23,
    Settings = 36,
    AlertHead = 27,
    AlertRing = 28,
    ActiveAlerts = 35,
    /// Slots of hosts.
    Hosts = 24,
    /// What is kept of local hosts besides.
    HostDetails = 25,
    /// Totals of applications, VLANs and networks.
    Totals = 26,
    /// Names of addresses.
    HostNames = 30,
    /// Interfaces.
    Interfaces = 31,
}

/// Words of a definition of a counter or a histogram: unit and role, name, help.
pub(crate) const DEF_WORDS: usize = 3;

/// Words of the `Engine` section, written once.
pub(crate) const ENGINE_NAME: usize = 0;
pub(crate) const ENGINE_VERSION: usize = 1;
pub(crate) const ENGINE_START_NS: usize = 2;
pub(crate) const ENGINE_SHARDS: usize = 3;
pub(crate) const ENGINE_PID: usize = 4;
pub(crate) const ENGINE_WORDS: usize = 8;

/// Words of an element of the `Settings` section: key, value.
pub(crate) const SETTING_WORDS: usize = 2;

/// Words of the `Live` section, written while the engine runs.
pub(crate) const LIVE_STATE: usize = 0;
pub(crate) const LIVE_HEARTBEAT_NS: usize = 1;
pub(crate) const LIVE_ASKS_DROPPED: usize = 2;
pub(crate) const LIVE_WORDS: usize = 16;

#[derive(Debug, Clone, Copy)]
struct Section {
    kind: u32,
    stride: usize,
    count: usize,
    offset: usize,
}

impl Section {
    /// How many elements the section may have.
    fn count_max(&self) -> usize {
        use SectionKind::{CounterDefs, HistogramDefs, Queues, Settings, Sources};
        let objects = [CounterDefs, HistogramDefs, Queues, Settings, Sources];
        let is_one = objects.iter().any(|&kind| kind as u32 == self.kind);
        if is_one { OBJECTS_MAX } else { usize::MAX }
    }
}

/// A segment before it is made: sections are added, then it is created in one go.
#[derive(Debug)]
pub(crate) struct Plan {
    kind: SegmentKind,
    shard: u16,
    label: u64,
    sections: Vec<Section>,
    strings: Vec<u8>,
}

impl Plan {
    pub(crate) fn new(kind: SegmentKind, shard: u16, label: &str) -> Self {
        let mut plan =
            Self { kind, shard, label: 0, sections: Vec::new(), strings: Vec::with_capacity(4096) };
        plan.label = plan.string(label);
        plan
    }

    /// Adds a section of `count` elements, `stride` bytes each.
    pub(crate) fn section(&mut self, kind: SectionKind, stride: usize, count: usize) {
        self.sections.push(Section { kind: kind as u32, stride, count, offset: 0 });
    }

    /// Keeps a text and gives the word that refers to it: offset in the strings, and length.
    pub(crate) fn string(&mut self, text: &str) -> u64 {
        let (offset, length) = (self.strings.len() as u64, text.len() as u64);
        self.strings.extend_from_slice(text.as_bytes());
        length << 32 | offset
    }

    /// Makes the segment: memory, header, table and strings.
    pub(crate) fn create(mut self, name: &str, huge: bool) -> Result<Made, Error> {
        self.section(SectionKind::Strings, 1, self.strings.len());
        assert!(self.sections.len() <= SECTIONS_MAX, "too many sections");
        if self.sections.iter().any(|section| section.count > section.count_max()) {
            let most = format!("{name}: more than {OBJECTS_MAX} counters, sources or queues");
            return Err(Error::Spec(most));
        }
        if u32::try_from(self.strings.len()).is_err() {
            return Err(Error::Spec(format!("{name}: the texts exceed 4 GiB")));
        }
        let mut end = HEADER_BYTES;
        for section in &mut self.sections {
            let bytes = section.stride.checked_mul(section.count);
            let after = bytes.and_then(|bytes| {
                // Large sections begin on a page, so that the pages are their writer's alone.
                section.offset = end.next_multiple_of(if bytes >= PAGE { PAGE } else { 128 });
                section.offset.checked_add(bytes)
            });
            end = match after {
                Some(after) if after < isize::MAX.unsigned_abs() / 2 => after,
                _ => return Err(Error::Spec(format!("{name}: the sizes exceed the memory"))),
            };
        }
        let map = WriteMap::create(name, end, huge)?;
        let made = Made { map, sections: self.sections };
        self.strings.resize(self.strings.len().next_multiple_of(WORD), 0);
        let strings = made.words(SectionKind::Strings);
        for (word, bytes) in strings.iter().zip(self.strings.chunks_exact(WORD)) {
            let mut eight = [0; WORD];
            eight.copy_from_slice(bytes);
            word.store(u64::from_le_bytes(eight), Ordering::Relaxed);
        }
        made.write_header(self.kind, self.shard, self.label);
        Ok(made)
    }
}

/// A segment as its maker sees it.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) map: Arc<WriteMap>,
    sections: Vec<Section>,
}

impl Made {
    /// A section's words.
    pub(crate) fn words(&self, kind: SectionKind) -> WriteWords {
        let section = self.find(kind);
        let words = (section.stride * section.count).div_ceil(WORD);
        self.map.section(section.offset, words)
    }

    /// Element `index` of a section, as words.
    pub(crate) fn element(&self, kind: SectionKind, index: usize) -> WriteWords {
        let section = self.find(kind);
        assert!(index < section.count, "no such element");
        self.map.section(section.offset + index * section.stride, section.stride / WORD)
    }

    /// The flow slots.
    pub(crate) fn flows(&self) -> crate::segment::FlowSlots {
        let section = self.find(SectionKind::Flows);
        self.map.section(section.offset, section.count)
    }

    /// Writes words at the start of a section.
    pub(crate) fn fill(&self, kind: SectionKind, values: impl IntoIterator<Item = u64>) {
        for (word, value) in self.words(kind).iter().zip(values) {
            word.store(value, Ordering::Relaxed);
        }
    }

    /// The flows' health; none of it where the segment has no such section.
    pub(crate) fn health(&self) -> crate::segment::HealthSlots {
        let section = self.find(SectionKind::Health);
        self.map.section(section.offset, section.count)
    }

    fn find(&self, kind: SectionKind) -> Section {
        let found = self.sections.iter().find(|section| section.kind == kind as u32);
        found.copied().unwrap_or(Section { kind: 0, stride: 0, count: 0, offset: 0 })
    }

    fn write_header(&self, kind: SegmentKind, shard: u16, label: u64) {
        let words: WriteWords = self.map.section(0, HEADER_BYTES / WORD);
        let set = |index: usize, value: u64| words[index].store(value, Ordering::Relaxed);
        set(W_MAGIC, MAGIC);
        set(W_VERSION_KIND, u64::from(kind as u32) << 32 | u64::from(FORMAT_VERSION));
        set(W_BYTES, self.map.bytes() as u64);
        set(W_SECTIONS_SHARD, u64::from(shard) << 32 | self.sections.len() as u64);
        set(W_CREATED_NS, unix_ns());
        set(W_PID, u64::from(std::process::id()));
        set(W_LABEL, label);
        for (index, section) in self.sections.iter().enumerate() {
            let entry = W_TABLE + index * ENTRY_WORDS;
            set(entry, (section.stride as u64) << 32 | u64::from(section.kind));
            set(entry + 1, section.offset as u64);
            set(entry + 2, (section.stride * section.count) as u64);
            set(entry + 3, section.count as u64);
        }
    }
}

/// A received segment whose header and section table have been checked.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    map: Arc<ReadMap>,
    name: String,
    strings: ReadWords,
    strings_bytes: usize,
    sections: Vec<Section>,
    pub(crate) kind: SegmentKind,
    pub(crate) shard: u16,
    label: u64,
}

impl Opened {
    /// Checks everything that later reads rely on.
    pub(crate) fn new(map: Arc<ReadMap>, name: &str) -> Result<Self, Error> {
        let bad = |reason| Error::segment(name, reason);
        let header = map
            .words(0, HEADER_BYTES / WORD)
            .ok_or_else(|| bad("shorter than a segment's header"))?;
        if header.load(W_MAGIC) != MAGIC {
            return Err(bad("it does not begin with Weir's magic"));
        }
        let (version, kind) = halves(header.load(W_VERSION_KIND));
        if version != FORMAT_VERSION {
            return Err(Error::Version { engine: version, reader: FORMAT_VERSION });
        }
        let kind = SegmentKind::from_raw(kind).ok_or_else(|| bad("unknown kind of segment"))?;
        if header.load(W_BYTES) != map.bytes() as u64 {
            return Err(bad("its header gives another size: truncated"));
        }
        let (count, shard) = halves(header.load(W_SECTIONS_SHARD));
        let shard = u16::try_from(shard).map_err(|_| bad("impossible shard number"))?;
        if count as usize > SECTIONS_MAX {
            return Err(bad("too many sections"));
        }
        let sections: Option<Vec<Section>> =
            (0..count as usize).map(|index| read_entry(&header, index, map.bytes())).collect();
        let sections = sections.ok_or_else(|| bad("a section lies outside of the segment"))?;
        let strings = sections.iter().find(|section| section.kind == SectionKind::Strings as u32);
        let strings = *strings.ok_or_else(|| bad("it has no strings"))?;
        let strings_bytes = strings.stride * strings.count;
        let words = map
            .words(strings.offset, strings_bytes.div_ceil(WORD))
            .ok_or_else(|| bad("its strings lie outside of the segment"))?;
        let label = header.load(W_LABEL);
        let name = name.to_owned();
        Ok(Self { map, name, strings: words, strings_bytes, sections, kind, shard, label })
    }

    /// Number of elements of a section whose elements become objects of the reader, which is why
    /// there is a limit to them; 0 if there is no such section.
    pub(crate) fn count(&self, kind: SectionKind) -> Result<usize, Error> {
        match self.find(kind) {
            None => Ok(0),
            Some(section) if section.count <= section.count_max() => Ok(section.count),
            Some(_) => Err(self.error("a section has an impossible number of elements")),
        }
    }

    /// All words of a section, if it is there with this stride (in bytes).
    pub(crate) fn words(&self, kind: SectionKind, stride: usize) -> Result<ReadWords, Error> {
        let section = self.find(kind).ok_or_else(|| self.error("a section is missing"))?;
        if section.stride != stride {
            return Err(self.error("a section has another stride"));
        }
        let words = section.stride * section.count / WORD;
        self.map.words(section.offset, words).ok_or_else(|| self.error("a section is misplaced"))
    }

    /// Element `index` of a section of at least `words` words each.
    pub(crate) fn element(
        &self,
        kind: SectionKind,
        index: usize,
        words: usize,
    ) -> Result<ReadWords, Error> {
        let section = self.find(kind).ok_or_else(|| self.error("a section is missing"))?;
        if index >= section.count || section.stride < words * WORD {
            return Err(self.error("a section is too short"));
        }
        let offset = section.offset + index * section.stride;
        self.map.words(offset, words).ok_or_else(|| self.error("a section is misplaced"))
    }

    /// The text that a word refers to, up to 4 KiB. A reference to outside of the strings gives
    /// what is inside.
    pub(crate) fn string(&self, reference: u64) -> String {
        let (offset, length) = halves(reference);
        let length = (length as usize).min(TEXT_BYTES_MAX);
        let end = (offset as usize).saturating_add(length).min(self.strings_bytes);
        let bytes: Vec<u8> = (offset as usize..end)
            .map(|at| self.strings.load(at / WORD).to_le_bytes()[at % WORD])
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The segment's own label.
    pub(crate) fn label(&self) -> String {
        self.string(self.label)
    }

    pub(crate) fn error(&self, reason: &'static str) -> Error {
        Error::segment(&self.name, reason)
    }

    fn find(&self, kind: SectionKind) -> Option<&Section> {
        self.sections.iter().find(|section| section.kind == kind as u32)
    }
}

fn read_entry(header: &ReadWords, index: usize, segment_bytes: usize) -> Option<Section> {
    let entry = W_TABLE + index * ENTRY_WORDS;
    let (kind, stride) = halves(header.load(entry));
    let offset = usize::try_from(header.load(entry + 1)).ok()?;
    let bytes = usize::try_from(header.load(entry + 2)).ok()?;
    let count = usize::try_from(header.load(entry + 3)).ok()?;
    let stride = stride as usize;
    let inside = offset.checked_add(bytes.checked_next_multiple_of(WORD)?)? <= segment_bytes;
    let consistent = stride.checked_mul(count) == Some(bytes) && stride > 0;
    let aligned = offset.is_multiple_of(128) && offset >= HEADER_BYTES;
    (inside && consistent && aligned).then_some(Section { kind, stride, count, offset })
}

const PAGE: usize = 4096;

/// The low and high half of a word.
pub(crate) fn halves(word: u64) -> (u32, u32) {
    ((word & 0xffff_ffff) as u32, (word >> 32) as u32)
}

/// Now, in nanoseconds since 1970.
pub(crate) fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{alerts, arena, flow, health, histogram, hosts, packets, records, rules};

    const PAGE_TEXT: &str = include_str!("../../docs/SHM_FORMAT.md");

    /// The table of sections in the documentation is the one of the code.
    #[test]
    fn the_documentation_names_every_section() {
        use SectionKind as K;
        let sections = [
            (K::Strings, 1),
            (K::Flows, flow::SLOT_BYTES),
            (K::RecordHead, records::HEAD_WORDS * WORD),
            (K::RecordRing, WORD),
            (K::Arena, arena::TOP_BYTES),
            (K::CounterDefs, DEF_WORDS * WORD),
            (K::Counters, 0),
            (K::HistogramDefs, DEF_WORDS * WORD),
            (K::Histograms, histogram::WORDS * WORD),
            (K::Engine, ENGINE_WORDS * WORD),
            (K::Live, LIVE_WORDS * WORD),
            (K::Sources, WORD),
            (K::Queues, WORD),
            (K::PacketHead, packets::HEAD_WORDS * WORD),
            (K::PacketRing, packets::SLOT_WORDS * WORD),
            (K::PacketReaders, packets::LINE_WORDS * WORD),
            (K::PacketGroups, packets::GROUP_WORDS * WORD),
            (K::Health, health::HEALTH_BYTES),
            (K::Readers, packets::READER_WORDS * WORD),
            (K::Groups, packets::GROUP_ROW_WORDS * WORD),
            (K::Rules, rules::RULES_WORDS * WORD),
            (K::Apps, rules::APP_WORDS * WORD),
            (K::Settings, SETTING_WORDS * WORD),
            (K::AlertHead, alerts::HEAD_WORDS * WORD),
            (K::AlertRing, WORD),
            (K::ActiveAlerts, alerts::WORDS * WORD),
            (K::Hosts, hosts::HOST_BYTES),
            (K::HostDetails, hosts::DETAIL_BYTES),
            (K::Totals, hosts::TOTAL_BYTES),
            (K::HostNames, hosts::NAME_BYTES),
            (K::Interfaces, hosts::INTERFACE_BYTES),
        ];
        for (kind, stride) in sections {
            let row = format!("| {} | {kind:?} | ", kind as u32);
            let line = PAGE_TEXT.lines().find(|line| line.starts_with(&row));
            let line = line.unwrap_or_else(|| panic!("no row {row}"));
            assert!(stride == 0 || line.contains(&format!(" | {stride} | ")), "{line}");
        }
        let rows = PAGE_TEXT.split("## Sections").nth(1).unwrap().split("###").next().unwrap();
        let rows = rows.lines().filter(|line| line.starts_with("| ")).count();
        assert_eq!(rows, sections.len() + 2, "a row for each, the heading and its rule");
    }

    #[test]
    fn the_documentation_has_the_numbers_of_the_code() {
        for said in [
            format!("format, version {FORMAT_VERSION}\n"),
            format!("The first {HEADER_BYTES} bytes"),
            format!("at most {SECTIONS_MAX};"),
            format!("at most {OBJECTS_MAX} "),
            format!("readers stop at {TEXT_BYTES_MAX}"),
            format!("bucket *b*, 0 to {}", histogram::BUCKETS - 1),
            format!("a power of two, from {}", records::RING_BYTES_MIN / WORD),
            format!("at most {}), then comes", arena::META_BYTES_MAX),
            format!("a power of two, from {}", alerts::RING_BYTES_MIN / WORD),
        ] {
            assert!(PAGE_TEXT.contains(&said), "{said}");
        }
    }
}
