//! The files of a directory: their names, which of them are the recorder's, which have to go, and what a
//! crash left.
//!
//! A name is `PREFIX-NUMBER-TIME.ENDING`, or `PREFIX-NUMBER-TIME-sSHARD.ENDING` where each shard has a
//! writer. The number grows by one a file, of whichever writer, so that the order of names is that of
//! writing, whatever the clock did.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::SeekFrom;

use crate::files::encode::Format;
use crate::files::packed::Method;
use crate::files::reader::Ended;
use crate::index::build::{self, Scanned};
use crate::index::format::Builder;
use crate::index::lookup::path_of;

/// What may stay.
#[derive(Clone, Default, Debug)]
pub(super) struct Limits {
    pub(super) prefix: String,
    /// All files together, with what the one being written may come to.
    pub(super) total_bytes: Option<u64>,
    pub(super) age_ns: Option<u64>,
}

/// A file of the recorder.
#[derive(Debug)]
struct Ours {
    number: u64,
    path: PathBuf,
    bytes: u64,
    written: Option<SystemTime>,
}

/// The name of file `number`, whose first packet is of `time_ns`.
pub(super) fn name(prefix: &str, number: u64, time_ns: u64, ending: &str) -> String {
    let seconds = time_ns / 1_000_000_000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!(
        "{prefix}-{number:08}-{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z{ending}"
    )
}

/// Year, month and day, so many days after 1970 began (H. Hinnant, `chrono`-compatible low-level
/// date algorithms, `civil_from_days`).
const fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// What names end with.
pub(super) fn ending(format: Format, shard: Option<u16>, method: Option<Method>) -> String {
    let shard = shard.map_or(String::new(), |shard| format!("-s{shard}"));
    let method = method.map_or(String::new(), |method| format!(".{}", method.ending()));
    format!("{shard}.{}{method}", format.ending())
}

/// The recorder's number of a file; none if it is another's.
fn number(prefix: &str, name: &str) -> Option<u64> {
    let rest = name.strip_prefix(prefix)?.strip_prefix('-')?;
    let (number, _) = rest.split_once('-')?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())?
}

/// Prefix and writer of a file's name, if a writer is part of it.
pub(crate) fn writer(name: &str) -> Option<(&str, &str)> {
    let (stem, _) = name.rsplit_once(".pcap")?;
    let (rest, writer) = stem.rsplit_once("-s")?;
    let mut parts = rest.rsplitn(3, '-');
    let (time, number, prefix) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = time.ends_with('Z') && digits(number) && digits(writer);
    fits.then_some((prefix, writer))
}

/// Those whose names end so.
fn ours(folder: &Path, prefix: &str, endings: &[&str]) -> io::Result<Vec<Ours>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let fits = endings.iter().any(|ending| name.ends_with(ending));
        let Some(number) = number(prefix, &name).filter(|_| fits) else { continue };
        let Ok(known) = entry.metadata() else { continue };
        let bytes = known.len();
        found.push(Ours { number, path: entry.path(), bytes, written: known.modified().ok() });
    }
    found.sort_by_key(|file| file.number);
    Ok(found)
}

/// What names end with of files that are whole, and of those that are not yet.
const WHOLE: &[&str] = &[".pcapng", ".pcap", ".pcapng.zst", ".pcapng.lz4", ".pcap.lz4"];
const PARTS: &[&str] =
    &[".pcapng.part", ".pcap.part", ".pcapng.zst.part", ".pcapng.lz4.part", ".pcap.lz4.part"];

/// The number of the next file.
pub(super) fn next_number(folder: &Path, prefix: &str) -> u64 {
    let last = |endings| ours(folder, prefix, endings).ok()?.pop().map(|file| file.number);
    last(WHOLE).max(last(PARTS)).map_or(0, |last| last + 1)
}

/// Removes the oldest files until the limits hold. How many.
pub(super) fn remove_oldest(folder: &Path, limits: &Limits) -> u64 {
    if limits.total_bytes.is_none() && limits.age_ns.is_none() {
        return 0;
    }
    let Ok(files) = ours(folder, &limits.prefix, WHOLE) else { return 0 };
    let index_bytes = |path: &Path| fs::metadata(path_of(path)).map_or(0, |file| file.len());
    let sizes: Vec<u64> = files.iter().map(|file| file.bytes + index_bytes(&file.path)).collect();
    let mut total: u64 = sizes.iter().sum();
    let now = SystemTime::now();
    let mut removed = 0;
    for (file, bytes) in files.iter().zip(sizes) {
        let too_much = limits.total_bytes.is_some_and(|most| total > most);
        let too_old = limits.age_ns.is_some_and(|most| {
            let age = file.written.and_then(|written| now.duration_since(written).ok());
            age.is_some_and(|age| age > Duration::from_nanos(most))
        });
        if !too_much && !too_old {
            break;
        }
        fs::remove_file(path_of(&file.path)).ok();
        match fs::remove_file(&file.path) {
            Ok(()) => (removed, total) = (removed + 1, total - bytes),
            // Another writer's thread was there first.
            Err(error) if error.kind() == io::ErrorKind::NotFound => total -= bytes,
            Err(error) => super::say(&format!("cannot remove {}: {error}", file.path.display())),
        }
    }
    removed
}

/// What was found of an earlier run.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Repaired {
    pub(super) files: u64,
    pub(super) packets: u64,
    pub(super) cut_bytes: u64,
    /// Files without a packet, which are gone.
    pub(super) empty: u64,
}

/// Finishes the files that an earlier run left unfinished: they end after their last whole packet, and
/// get an index and their name.
///
/// # Errors
/// A file cannot be read, cut or renamed.
pub(super) fn repair(folder: &Path, prefix: &str) -> io::Result<Repaired> {
    let mut repaired = Repaired::default();
    let left = match ours(folder, prefix, &[".part"]) {
        Ok(left) => left,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(repaired),
        Err(error) => return Err(error),
    };
    let is_data = |file: &Ours| {
        let path = file.path.to_string_lossy();
        PARTS.iter().any(|ending| path.ends_with(ending))
    };
    let (left, indexes): (Vec<_>, Vec<_>) = left.into_iter().partition(is_data);
    // First, as a new one is made under the same name.
    for index in indexes {
        fs::remove_file(&index.path)?;
    }
    for file in left {
        let name = file.path.with_extension("");
        // What was asked for beforehand and never written is a hole, and packets behind one are not
        // to be trusted.
        let data = File::options().read(true).write(true).open(&file.path)?;
        let mut bytes = file.bytes;
        if let Ok(hole) = rustix::fs::seek(&data, SeekFrom::Hole(0)) {
            data.set_len(hole)?;
            bytes = hole;
        }
        let scanned = build::scan(&file.path)?;
        let whole = scanned.map(|(builder, scanned)| cut(&data, &name, builder, &scanned));
        let whole = whole.transpose()?.filter(|whole| whole.packets > 0);
        let Some(Whole { builder, packets, end }) = whole else {
            fs::remove_file(&file.path)?;
            repaired.empty += 1;
            continue;
        };
        build::write(&name, &builder.finish(end), true)?;
        data.sync_all()?;
        fs::rename(&file.path, &name)?;
        repaired.files += 1;
        repaired.packets += packets;
        repaired.cut_bytes += bytes.saturating_sub(end);
    }
    Ok(repaired)
}

/// A file that ends as it should.
#[derive(Debug)]
struct Whole {
    builder: Builder,
    packets: u64,
    end: u64,
}

/// Has a file end after its last whole packet, or after its last whole section.
fn cut(data: &File, name: &Path, mut builder: Builder, scanned: &Scanned) -> io::Result<Whole> {
    let Scanned { whole_bytes, packets, ended, packed } = *scanned;
    let Some(packed) = packed else {
        if ended == Ended::Torn {
            data.set_len(whole_bytes)?;
        }
        return Ok(Whole { builder, packets, end: whole_bytes });
    };
    if packed.closed {
        return Ok(Whole { builder, packets, end: data.metadata()?.len() });
    }
    data.set_len(packed.whole.file)?;
    let method = Method::of_name(&name.to_string_lossy());
    let tail = method.map_or(&[][..], Method::tail);
    data.write_all_at(tail, packed.whole.file)?;
    builder.cut(packed.whole.stream, packed.packets);
    let end = packed.whole.file + u64::try_from(tail.len()).unwrap_or(0);
    Ok(Whole { builder, packets: packed.packets, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A recorder that was killed while it wrote a file's index.
    #[test]
    fn an_index_that_was_being_written_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let ending = ending(Format::Pcap, None, None);
        let data = folder.path().join(name("weir", 3, 0, &ending));
        let mut file = crate::files::encode::begin(Format::Pcap, 1);
        file.extend([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 9, 9, 9]);
        let part = |path: &Path| PathBuf::from(format!("{}.part", path.display()));
        fs::write(part(&path_of(&data)), b"WEIR").unwrap();
        fs::write(part(&data), file).unwrap();
        let repaired = repair(folder.path(), "weir").unwrap();
        assert_eq!((repaired.files, repaired.packets, repaired.cut_bytes), (1, 1, 0));
        assert!(crate::index::lookup::Index::of(&data).is_some());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn names_are_in_the_order_of_writing() {
        let time_ns = 1_700_000_000_123_456_789;
        let sharded = ending(Format::Pcapng, Some(3), Some(Method::Lz4));
        let sharded = name("a-b", 7, time_ns, &sharded);
        assert_eq!(sharded, "a-b-00000007-20231114T221320Z-s3.pcapng.lz4");
        assert_eq!((number("a-b", &sharded), writer(&sharded)), (Some(7), Some(("a-b", "3"))));
        let name = name("weir", 7, time_ns, &ending(Format::Pcapng, None, None));
        assert_eq!(name, "weir-00000007-20231114T221320Z.pcapng");
        assert_eq!(writer(&name), None);
        assert_eq!(number("weir", &name), Some(7));
        assert_eq!(number("other", &name), None);
        assert_eq!(number("weir", "weir-x-y.pcap"), None);
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
    }

    #[test]
    fn the_oldest_go_first_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for number in [3, 1, 2] {
            fs::write(path(&name("a", number, 0, ".pcap")), [0; 100]).unwrap();
        }
        fs::write(path("mine.pcap"), [0; 1000]).unwrap();
        assert_eq!(next_number(folder.path(), "a"), 4);
        let limits = Limits { prefix: "a".to_owned(), total_bytes: Some(250), ..Limits::default() };
        assert_eq!(remove_oldest(folder.path(), &limits), 1);
        assert!(!path(&name("a", 1, 0, ".pcap")).exists());
        assert!(path(&name("a", 2, 0, ".pcap")).exists() && path("mine.pcap").exists());
    }
}
