//! Lines as they come: from a file that grows and may be replaced, or from those who connect to a
//! socket made here. A line longer than [`LINE_BYTES`] is left out.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::live;

/// Longest line that is understood; Suricata's are far shorter unless they carry payload.
const LINE_BYTES: usize = 1 << 20;
/// Who may be connected at a time.
const CONNECTIONS: usize = 16;
/// Bytes taken from one source before the others have their turn.
const TURN_BYTES: usize = 1 << 20;

/// Where lines come from.
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    File { file: Option<(File, u64)>, lines: Lines, all: bool },
    Socket { listener: UnixListener, open: Vec<(UnixStream, Lines)> },
}

impl Source {
    /// Opens a file, which need not be there yet, or makes the socket of `unix:PATH`. A file is read
    /// from its end, or whole with `all`; one that comes later, always whole.
    pub(super) fn open(place: &str, all: bool) -> anyhow::Result<Source> {
        if let Some(path) = place.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            let listener = listen(&path)?;
            return Ok(Source { path, kind: Kind::Socket { listener, open: Vec::new() } });
        }
        let path = PathBuf::from(place);
        let mut kind = Kind::File { file: None, lines: Lines::default(), all };
        if let Kind::File { file, all, .. } = &mut kind {
            *file = open_file(&path)?;
            if let (Some((file, _)), false) = (file.as_mut(), *all) {
                file.seek(SeekFrom::End(0)).context("cannot go to the end")?;
            }
        }
        Ok(Source { path, kind })
    }

    /// For people.
    pub(super) fn title(&self) -> String {
        let kind = if matches!(self.kind, Kind::Socket { .. }) { "socket " } else { "" };
        format!("{kind}{}", self.path.display())
    }

    /// Waits until there may be lines, `time` at most.
    pub(super) fn wait(&mut self, time: Duration) -> anyhow::Result<()> {
        let Kind::Socket { listener, open } = &mut self.kind else {
            live::pause(time);
            return Ok(());
        };
        let timeout = Timespec::try_from(time).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 1 });
        let who = [listener.as_fd()].into_iter().chain(open.iter().map(|(who, _)| who.as_fd()));
        let mut fds: Vec<PollFd<'_>> =
            who.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        match poll(&mut fds, Some(&timeout)) {
            // A signal: the caller looks at its flag.
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot wait for events"),
        }
        while open.len() < CONNECTIONS {
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(true)?;
                    open.push((stream, Lines::default()));
                }
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Shows the whole lines that are there to `each`, until it has enough.
    pub(super) fn lines(&mut self, mut each: impl FnMut(&[u8]) -> bool) -> anyhow::Result<()> {
        match &mut self.kind {
            Kind::Socket { open, .. } => {
                open.retain_mut(|(stream, lines)| lines.take(stream, &mut each).unwrap_or(false));
            }
            Kind::File { file, lines, .. } => {
                if let Some((file, _)) = file {
                    lines.take(file, &mut each).context("cannot read events")?;
                }
                if has_changed(&self.path, file) {
                    *lines = Lines::default();
                    *file = open_file(&self.path)?;
                }
            }
        }
        Ok(())
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if matches!(self.kind, Kind::Socket { .. }) {
            fs::remove_file(&self.path).ok();
        }
    }
}

/// Only this user and root may write events: they decide what readers see.
fn listen(path: &Path) -> anyhow::Result<UnixListener> {
    if let Ok(there) = fs::symlink_metadata(path) {
        if !there.file_type().is_socket() {
            bail!("{} exists and is not a socket", path.display());
        }
        if UnixStream::connect(path).is_ok() {
            bail!("another program listens at {}", path.display());
        }
        fs::remove_file(path).with_context(|| format!("cannot replace {}", path.display()))?;
    }
    let made = UnixListener::bind(path);
    let listener = made.with_context(|| format!("cannot make the socket {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn open_file(path: &Path) -> anyhow::Result<Option<(File, u64)>> {
    match File::open(path) {
        Ok(file) => {
            let number = file.metadata()?.ino();
            Ok(Some((file, number)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Whether another file has this path now, or the file begins anew.
fn has_changed(path: &Path, file: &mut Option<(File, u64)>) -> bool {
    let Ok(now) = fs::metadata(path) else { return false };
    match file {
        None => true,
        Some((file, number)) => {
            *number != now.ino() || file.stream_position().is_ok_and(|at| at > now.len())
        }
    }
}

/// Lines being put together.
#[derive(Default, Debug)]
struct Lines {
    rest: Vec<u8>,
    /// The present line is too long: what comes of it is forgotten.
    skips: bool,
}

impl Lines {
    /// Reads what is there. Whether there may be more later.
    fn take(
        &mut self,
        from: &mut impl Read,
        each: &mut impl FnMut(&[u8]) -> bool,
    ) -> io::Result<bool> {
        let mut piece = [0; 8192];
        let mut bytes = 0;
        while bytes < TURN_BYTES {
            let more = match from.read(&mut piece) {
                Ok(0) => return Ok(false),
                Ok(more) => more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            };
            bytes += more;
            if !self.add(piece.get(..more).unwrap_or_default(), each) {
                break;
            }
        }
        Ok(true)
    }

    /// Whether `each` wants more; what was added is not lost if it does not.
    fn add(&mut self, piece: &[u8], each: &mut impl FnMut(&[u8]) -> bool) -> bool {
        let mut goes_on = true;
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let (part, ends) = match part.strip_suffix(b"\n") {
                Some(part) => (part, true),
                None => (part, false),
            };
            self.skips |= self.rest.len() + part.len() > LINE_BYTES;
            if self.skips {
                self.rest.clear();
            } else {
                self.rest.extend(part);
            }
            if ends {
                if !self.skips && !self.rest.is_empty() {
                    goes_on &= each(&self.rest);
                }
                self.rest.clear();
                self.skips = false;
            }
        }
        goes_on
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn all(source: &mut Source) -> Vec<String> {
        let mut found = Vec::new();
        source
            .lines(|line| {
                found.push(String::from_utf8_lossy(line).into_owned());
                true
            })
            .unwrap();
        found
    }

    #[test]
    fn a_file_that_grows_and_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eve.json");
        let place = path.to_str().unwrap();
        fs::write(&path, "old\n").unwrap();
        let mut source = Source::open(place, false).unwrap();
        assert_eq!(all(&mut source), [""; 0]);
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        assert_eq!(all(&mut source), ["one"]);
        file.write_all(b"o\n").unwrap();
        assert_eq!(all(&mut source), ["two"]);
        fs::rename(&path, folder.path().join("eve.json.1")).unwrap();
        fs::write(&path, "three\n").unwrap();
        assert_eq!(all(&mut source), [""; 0]);
        assert_eq!(all(&mut source), ["three"]);
        fs::write(&path, "4\n").unwrap();
        assert_eq!(all(&mut source), [""; 0]);
        assert_eq!(all(&mut source), ["4"]);
        assert_eq!(all(&mut Source::open(place, true).unwrap()), ["4"]);
    }

    #[test]
    fn a_socket_takes_several_writers_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eve.sock");
        let place = format!("unix:{}", path.display());
        let mut source = Source::open(&place, false).unwrap();
        assert!(Source::open(&place, false).is_err(), "somebody listens there");
        let mut writers =
            [UnixStream::connect(&path).unwrap(), UnixStream::connect(&path).unwrap()];
        writers[0].write_all(b"one\n").unwrap();
        writers[1].write_all(b"two\nha").unwrap();
        source.wait(Duration::from_secs(5)).unwrap();
        let mut found = all(&mut source);
        found.sort();
        assert_eq!(found, ["one", "two"]);
        writers[1].write_all(b"lf\n").unwrap();
        assert_eq!(all(&mut source), ["half"]);
        drop(source);
        assert!(!path.exists());
        fs::write(&path, "").unwrap();
        assert!(Source::open(&place, false).is_err(), "no socket");
    }

    #[test]
    fn a_line_too_long_is_left_out_alone() {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        let mut each = |line: &[u8]| {
            found.push(line.to_vec());
            true
        };
        let long = vec![b'x'; LINE_BYTES];
        lines.add(b"a", &mut each);
        lines.add(&long, &mut each);
        lines.add(b"\nb\n\nc", &mut each);
        assert!(lines.rest.len() < 2);
        lines.add(b"\n", &mut each);
        assert_eq!(found, [b"b", b"c"]);
    }
}
