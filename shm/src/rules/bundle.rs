//! Files of rules, and the lists that they name, in one sealed memfd.
//!
//! Little endian: `WEIRFILE`, how many files (4 bytes), how many of them are files of rules (4),
//! which come first; for each file the length of its name (8) and of its text (8); then name and text
//! of each. The engine reads it rather than mapping it, so nobody can take the bytes away from
//! under it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, memfd_create};

use crate::error::Error;

const MAGIC: [u8; 8] = *b"WEIRFILE";
const HEAD_BYTES: usize = 16;
const ENTRY_BYTES: usize = 16;
/// Files at most: of rules and lists.
const FILES_MAX: usize = 1024;
/// Bytes of a name at most.
const NAME_BYTES_MAX: usize = 4096;
/// Bytes of all at most.
const BYTES_MAX: u64 = 1 << 30;
const SEALS: SealFlags = SealFlags::WRITE.union(SealFlags::GROW).union(SealFlags::SHRINK);

/// A file in a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileText {
    /// Its name, as its user gave it.
    pub name: String,
    /// Its bytes.
    pub text: Vec<u8>,
}

/// What a bundle holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bundle {
    /// The files of rules first, in order.
    pub files: Vec<FileText>,
    /// How many of them are files of rules.
    pub rules: usize,
}

/// A bundle that is being written.
#[derive(Debug, Clone, Default)]
pub struct BundleBuilder {
    rules: Vec<FileText>,
    lists: Vec<FileText>,
}

impl BundleBuilder {
    /// Adds a file of rules.
    pub fn rules(&mut self, name: &str, text: &[u8]) {
        self.rules.push(FileText { name: name.to_owned(), text: text.to_vec() });
    }

    /// Adds a list.
    pub fn list(&mut self, name: &str, text: &[u8]) {
        self.lists.push(FileText { name: name.to_owned(), text: text.to_vec() });
    }

    /// The memfd, sealed.
    ///
    /// # Errors
    /// There is too much of something, or the system has no memory for it.
    pub fn seal(&self) -> Result<OwnedFd, Error> {
        let files: Vec<&FileText> = self.rules.iter().chain(&self.lists).collect();
        let bytes: usize = files.iter().map(|file| file.name.len() + file.text.len()).sum();
        let names = files.iter().all(|file| file.name.len() <= NAME_BYTES_MAX);
        if files.len() > FILES_MAX || bytes as u64 > BYTES_MAX / 2 || !names {
            return Err(Error::Spec(
                "the files of rules and lists are too many or too long".into(),
            ));
        }
        let mut head = MAGIC.to_vec();
        for count in [files.len(), self.rules.len()] {
            head.extend_from_slice(&u32::try_from(count).unwrap_or(0).to_le_bytes());
        }
        for file in &files {
            for length in [file.name.len(), file.text.len()] {
                head.extend_from_slice(&(length as u64).to_le_bytes());
            }
        }
        let say = |what| move |error: io::Error| Error::os(what, error);
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = memfd_create("weir rules", flags)
            .map_err(|error| say("making memory for rules")(error.into()))?;
        let mut at = 0;
        let parts = files.iter().flat_map(|file| [file.name.as_bytes(), file.text.as_slice()]);
        for part in std::iter::once(head.as_slice()).chain(parts) {
            write_at(&fd, part, at).map_err(say("writing rules into memory"))?;
            at += part.len() as u64;
        }
        fcntl_add_seals(&fd, SEALS | SealFlags::SEAL)
            .map_err(|error| say("sealing rules")(error.into()))?;
        Ok(fd)
    }
}

impl Bundle {
    /// Reads what another process sealed.
    ///
    /// # Errors
    /// It is not sealed, too large, or no bundle.
    pub fn read(fd: &OwnedFd) -> Result<Bundle, Error> {
        let bad = |reason| Error::segment("the bundle of rules", reason);
        let seals = fcntl_get_seals(fd).map_err(|_| bad("not a memfd"))?;
        if !seals.contains(SEALS) {
            return Err(bad("not sealed"));
        }
        let stat = fstat(fd).map_err(|error| Error::os("asking a bundle's size", error))?;
        let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
        if size > BYTES_MAX {
            return Err(bad("too large"));
        }
        let mut reader = Reader { fd, at: 0, left: size };
        let head = reader.take(HEAD_BYTES as u64)?;
        let number = |at: usize| -> usize {
            let bytes = head.get(at..).and_then(<[u8]>::first_chunk);
            bytes.map_or(usize::MAX, |bytes| u32::from_le_bytes(*bytes) as usize)
        };
        let (count, rules) = (number(8), number(12));
        if !head.starts_with(&MAGIC) || count > FILES_MAX || rules > count {
            return Err(bad("not a bundle"));
        }
        let table = reader.take((count * ENTRY_BYTES) as u64)?;
        let mut files = Vec::with_capacity(count);
        for entry in table.chunks_exact(ENTRY_BYTES) {
            let (name, text) = entry.split_at(8);
            let length = |bytes: &[u8]| bytes.first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
            if length(name) > NAME_BYTES_MAX as u64 {
                return Err(bad("a name is too long"));
            }
            let name = String::from_utf8(reader.take(length(name))?);
            let name = name.map_err(|_| bad("a name is not UTF-8"))?;
            files.push(FileText { name, text: reader.take(length(text))? });
        }
        Ok(Bundle { files, rules })
    }

    /// Takes the text of a file out, if it is there.
    pub fn take(&mut self, name: &str) -> Option<Vec<u8>> {
        let file = self.files.iter_mut().find(|file| file.name == name)?;
        Some(std::mem::take(&mut file.text))
    }
}

struct Reader<'f> {
    fd: &'f OwnedFd,
    at: u64,
    left: u64,
}

impl Reader<'_> {
    /// The next bytes; never more than there are.
    fn take(&mut self, bytes: u64) -> Result<Vec<u8>, Error> {
        let short = || Error::segment("the bundle of rules", "shorter than it says");
        self.left = self.left.checked_sub(bytes).ok_or_else(short)?;
        let mut read = vec![0; usize::try_from(bytes).map_err(|_| short())?];
        let mut done = 0;
        while done < read.len() {
            let rest = &mut read[done..];
            match rustix::io::pread(self.fd.as_fd(), rest, self.at) {
                Ok(0) => return Err(short()),
                Ok(count) => {
                    done += count;
                    self.at += count as u64;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Error::os("reading a bundle of rules", error)),
            }
        }
        Ok(read)
    }
}

fn write_at(fd: &OwnedFd, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::pwrite(fd, bytes, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                bytes = bytes.get(count..).unwrap_or_default();
                at += count as u64;
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(bytes: &[u8], seals: SealFlags) -> OwnedFd {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = memfd_create("test", flags).unwrap();
        write_at(&fd, bytes, 0).unwrap();
        fcntl_add_seals(&fd, seals).unwrap();
        fd
    }

    #[test]
    fn what_is_written_is_read() {
        let mut builder = BundleBuilder::default();
        builder.list("lists/bad.txt", b"bad.example\n");
        builder.rules("a.rules", b"host a.example -> TLS\n");
        builder.rules("empty.rules", b"");
        let mut bundle = Bundle::read(&builder.seal().unwrap()).unwrap();
        let names: Vec<&str> = bundle.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!((names, bundle.rules), (vec!["a.rules", "empty.rules", "lists/bad.txt"], 2));
        assert_eq!(bundle.take("lists/bad.txt").unwrap(), b"bad.example\n");
        assert_eq!(bundle.take("none"), None);
    }

    #[test]
    fn what_is_no_bundle_is_refused() {
        let whole = {
            let mut builder = BundleBuilder::default();
            builder.rules("a.rules", b"host a.example -> TLS\n");
            let fd = builder.seal().unwrap();
            let size = usize::try_from(fstat(&fd).unwrap().st_size).unwrap();
            let mut bytes = vec![0; size];
            rustix::io::pread(&fd, bytes.as_mut_slice(), 0).unwrap();
            bytes
        };
        assert!(Bundle::read(&sealed(&whole, SEALS)).is_ok());
        for length in 0..whole.len() {
            assert!(Bundle::read(&sealed(&whole[..length], SEALS)).is_err(), "{length} bytes");
        }
        for place in 0..32 {
            let mut bytes = whole.clone();
            bytes[place] ^= 0xff;
            // Whatever comes of it is no more than there is.
            Bundle::read(&sealed(&bytes, SEALS)).ok();
        }
        let error = Bundle::read(&sealed(&whole, SealFlags::WRITE)).unwrap_err();
        assert!(error.to_string().contains("not sealed"), "{error}");
        let file: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
        assert!(Bundle::read(&file).is_err());
    }
}
