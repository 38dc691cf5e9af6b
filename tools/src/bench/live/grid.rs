//! What is measured: the cells of the grid.

use std::fmt;

use serde::{Deserialize, Serialize};
use weir_engine::shard::Depth;

use crate::units::{self, Quantity};

/// How much is done with a frame.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub(super) enum Work {
    /// Received and given back at once: the ceiling that the others are held against.
    RxDrop,
    /// Headers.
    Parse,
    /// The flow table too.
    Flow,
    /// Applications too.
    Dpi,
    /// The same with two packet readers.
    Readers,
}

impl Work {
    /// All but the ceiling, which is always measured.
    pub(super) const ALL: [Work; 4] = [Work::Parse, Work::Flow, Work::Dpi, Work::Readers];

    /// Its name on the command line and in results.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Work::RxDrop => "rxdrop",
            Work::Parse => "parse",
            Work::Flow => "flow",
            Work::Dpi => "dpi",
            Work::Readers => "readers",
        }
    }

    /// How deep the engine looks; none: there is no engine.
    pub(super) const fn depth(self) -> Option<Depth> {
        match self {
            Work::RxDrop => None,
            Work::Parse => Some(Depth::Parse),
            Work::Flow => Some(Depth::Flow),
            Work::Dpi | Work::Readers => Some(Depth::Inspect),
        }
    }

    /// Packet readers all the time.
    pub(super) const fn readers(self) -> usize {
        if matches!(self, Work::Readers) { 2 } else { 0 }
    }
}

/// Bytes of a frame with its check sequence, as the sender takes them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(super) enum Size {
    /// All the same.
    Bytes(u32),
    /// 28 of 64, 16 of 570, 4 of 1518.
    Imix,
}

impl Size {
    /// On average.
    pub(super) fn mean_bytes(self) -> f64 {
        match self {
            Size::Bytes(bytes) => bytes.into(),
            Size::Imix => f64::from(28 * 64 + 16 * 570 + 4 * 1518) / 48.0,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Size::Bytes(bytes) => write!(f, "{bytes}"),
            Size::Imix => f.write_str("imix"),
        }
    }
}

impl From<Size> for String {
    fn from(size: Size) -> String {
        size.to_string()
    }
}

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Size, String> {
        size(&text)
    }
}

/// `64` to `1518`, or `imix`.
pub(super) fn size(text: &str) -> Result<Size, String> {
    if text.eq_ignore_ascii_case("imix") {
        return Ok(Size::Imix);
    }
    let bytes = text.parse().ok().filter(|bytes| (64..=1518).contains(bytes));
    bytes.map(Size::Bytes).ok_or_else(|| "write 64 to 1518, or imix".to_owned())
}

/// A number such as `100K`.
pub(super) fn count(text: &str) -> Result<u32, String> {
    let number = units::parse(text, Quantity::Count).and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| format!("write it as {}", Quantity::Count.examples()))
}

/// One measurement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Cell {
    /// Bytes of a frame.
    pub(super) size: Size,
    /// Flows at the same time.
    pub(super) flows: u32,
    /// New flows a second.
    pub(super) new_flows: u32,
    /// What is done with a frame.
    pub(super) work: Work,
    /// Threads that do it.
    pub(super) shards: u16,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cell { size, flows, new_flows, work, shards } = self;
        write!(
            f,
            "{size} bytes, {} flows, {} new a second, {}, {shards} shard(s)",
            Quantity::Count.short((*flows).into()),
            Quantity::Count.short((*new_flows).into()),
            work.name()
        )
    }
}

/// The parts of the grid that are asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Grid {
    pub(super) sizes: Vec<Size>,
    pub(super) flows: Vec<u32>,
    pub(super) new_flows: Vec<u32>,
    pub(super) works: Vec<Work>,
    pub(super) shards: Vec<u16>,
}

impl Grid {
    /// What ends within some minutes.
    pub(super) fn small() -> Grid {
        Grid {
            sizes: vec![Size::Bytes(64)],
            flows: vec![100_000],
            new_flows: vec![0],
            works: Work::ALL.to_vec(),
            shards: vec![1],
        }
    }

    /// Everything.
    pub(super) fn full() -> Grid {
        let sizes = [64, 128, 256, 512, 1024, 1280, 1518].map(Size::Bytes);
        Grid {
            sizes: sizes.into_iter().chain([Size::Imix]).collect(),
            flows: vec![1_000, 100_000, 1_000_000, 10_000_000],
            new_flows: vec![0, 100_000, 1_000_000],
            works: Work::ALL.to_vec(),
            shards: vec![1, 2],
        }
    }

    /// Its cells; of those that share everything but the work, the ceiling comes first.
    pub(super) fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for shards in &self.shards {
            for size in &self.sizes {
                for flows in &self.flows {
                    for new_flows in &self.new_flows {
                        let works = [Work::RxDrop].iter().chain(&self.works);
                        cells.extend(works.map(|work| Cell {
                            size: *size,
                            flows: *flows,
                            new_flows: *new_flows,
                            work: *work,
                            shards: *shards,
                        }));
                    }
                }
            }
        }
        cells.dedup();
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_there_once_with_its_ceiling_before() {
        let cells = Grid::full().cells();
        assert_eq!(cells.len(), 8 * 4 * 3 * 5 * 2);
        assert_eq!(cells[0].work, Work::RxDrop);
        for five in cells.chunks(5) {
            assert!(five.iter().all(|cell| Cell { work: Work::RxDrop, ..*cell } == five[0]));
        }
        let text = serde_json::to_string(&cells[7]).unwrap();
        assert_eq!(serde_json::from_str::<Cell>(&text).unwrap(), cells[7], "{text}");
        assert!(size("63").is_err() && size("IMIX") == Ok(Size::Imix));
    }
}
