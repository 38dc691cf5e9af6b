//! Several capture files, one after the other, as one source.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::{FileError, FileSource};
use super::{Batch, Frame, Received, Source};

/// See the module. Files are opened at the start, so that a wrong name is an error and no surprise.
#[derive(Debug)]
pub struct Files {
    /// The last is being read.
    left: Vec<FileSource>,
    newest_ns: u64,
    troubles: Vec<String>,
}

impl Files {
    /// Opens all of them.
    ///
    /// # Errors
    /// The first that cannot be opened.
    pub fn open(paths: &[PathBuf]) -> Result<Files, FileError> {
        let opened = paths.iter().rev().map(|path| FileSource::open(Path::new(path)));
        let left = opened.collect::<Result<_, _>>()?;
        Ok(Files { left, newest_ns: 0, troubles: Vec::new() })
    }

    /// How the frames begin, as the first file numbers it; all ones where it does not tell.
    pub fn link_type(&self) -> u32 {
        self.current().map_or(u32::MAX, FileSource::link_type)
    }

    #[inline]
    fn current(&self) -> Option<&FileSource> {
        self.left.last()
    }

    /// Goes on to the next file; false where there is none.
    fn next(&mut self) -> bool {
        if let Some(file) = self.left.last()
            && let Some(problem) = file.problem()
        {
            self.troubles.push(problem.to_string());
        }
        if self.left.len() > 1 {
            self.left.pop();
            return true;
        }
        false
    }
}

impl Source for Files {
    fn receive(&mut self, batch: &mut Batch) -> Received {
        loop {
            let Some(file) = self.left.last_mut() else { return Received::End };
            let received = file.receive(batch);
            if received != Received::End || !self.next() {
                return received;
            }
        }
    }

    #[inline]
    fn bytes(&self, frame: &Frame) -> &[u8] {
        self.current().map_or(&[], |file| file.bytes(frame))
    }

    fn release(&mut self, batch: &Batch) {
        if let Some(file) = self.left.last_mut() {
            file.release(batch);
        }
    }

    fn now_ns(&mut self) -> u64 {
        let now = self.left.last_mut().map_or(0, FileSource::now_ns);
        self.newest_ns = self.newest_ns.max(now);
        self.newest_ns
    }

    fn wait(&mut self, _timeout: Duration) {}

    /// Of the file being read: those before it are done, those after it wait.
    fn progress(&self) -> Option<(u64, u64)> {
        self.current().map(FileSource::progress)
    }

    fn trouble(&self) -> Option<String> {
        (!self.troubles.is_empty()).then(|| self.troubles.join("\n"))
    }
}
