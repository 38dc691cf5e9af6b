//! Several files at once: those of one recorder that has a writer a shard come as one, in the order of
//! their packets' times; all others one after the other.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use super::find::{Found, PLACES, Progress, Query, Search};
use crate::files::Packet;
use crate::files::layout::Layout;
use crate::record::retain;

/// Takes what was found; false ends the search.
pub(super) trait Take {
    /// A packet, and how its file is laid out.
    ///
    /// # Errors
    /// It cannot be passed on.
    fn take(&mut self, packet: &Packet<'_>, layout: &Layout) -> anyhow::Result<bool>;
    /// Told now and then.
    ///
    /// # Errors
    /// As [`Take::take`].
    fn progress(&mut self, progress: &Progress) -> anyhow::Result<bool>;
}

/// Packets between two looks at who asks, where all are found.
const LOOK: u64 = 1024;

/// Files that come one after the other.
#[derive(Debug)]
struct Stream {
    files: VecDeque<PathBuf>,
    search: Option<Search>,
    /// The time of the packet that is at hand.
    time_ns: Option<u64>,
}

/// Goes through the files. What was looked at.
///
/// # Errors
/// A file cannot be read, or `to` takes no more.
pub(super) fn search(
    files: Vec<PathBuf>,
    query: &mut Query,
    to: &mut impl Take,
) -> anyhow::Result<Progress> {
    let mut progress = Progress::default();
    let mut streams = streams(files);
    query.places = PLACES / streams.len().max(1);
    for packets in 1_u64.. {
        for stream in &mut streams {
            while stream.time_ns.is_none() && !stream.is_over() {
                if !stream.advance(query, &mut progress)? && !to.progress(&progress)? {
                    return Ok(progress);
                }
            }
        }
        let ready = streams.iter_mut().filter(|stream| stream.time_ns.is_some());
        let Some(oldest) = ready.min_by_key(|stream| stream.time_ns) else { return Ok(progress) };
        oldest.time_ns = None;
        let Some(search) = &oldest.search else { continue };
        let (packet, layout) = search.current()?;
        if !to.take(&packet, layout)? || (packets % LOOK == 0 && !to.progress(&progress)?) {
            break;
        }
    }
    Ok(progress)
}

/// Those whose files are to be merged, each with its files.
fn streams(files: Vec<PathBuf>) -> Vec<Stream> {
    let mut streams: Vec<(Option<PathBuf>, Stream)> = Vec::new();
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let parent = path.parent().unwrap_or(Path::new(""));
        let writer = retain::writer(&name).map(|(prefix, shard)| parent.join(prefix).join(shard));
        if let Some((_, stream)) = streams.iter_mut().find(|(known, _)| *known == writer) {
            stream.files.push_back(path);
        } else {
            let files = VecDeque::from([path]);
            streams.push((writer, Stream { files, search: None, time_ns: None }));
        }
    }
    streams.into_iter().map(|(_, stream)| stream).collect()
}

impl Stream {
    fn is_over(&self) -> bool {
        self.search.is_none() && self.files.is_empty()
    }

    /// Looks for the next packet for a while; whether it is found.
    fn advance(&mut self, query: &mut Query, progress: &mut Progress) -> anyhow::Result<bool> {
        let search = match &mut self.search {
            Some(search) => search,
            None => match self.files.pop_front() {
                Some(path) => self.search.insert(Search::new(&path, query, progress)?),
                None => return Ok(false),
            },
        };
        match search.advance(query, progress)? {
            Found::Packet => self.time_ns = Some(search.current()?.0.time_ns),
            Found::Pause => {}
            Found::End => self.search = None,
        }
        Ok(self.time_ns.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_several_writers_are_merged_and_no_others() {
        let names = [
            "a-00000000-20231114T221320Z-s0.pcapng",
            "a-00000001-20231114T221320Z-s1.pcapng.zst",
            "a-00000002-20231114T221325Z-s0.pcapng",
            "a-00000003-20231114T221325Z.pcapng",
            "b-s7.pcap",
            "c-d-00000000-20231114T221320Z-s0.pcap.lz4",
        ];
        let streams = streams(names.iter().map(PathBuf::from).collect());
        let files: Vec<usize> = streams.iter().map(|stream| stream.files.len()).collect();
        assert_eq!(files, [2, 1, 2, 1]);
    }
}
