//! The packet memory: one memfd, mapped writable once, then sealed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::error::{Error, Step};
use crate::sys::{self, Map};

const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Whether the memory should come in 2 MiB pages.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum HugePages {
    /// Where the system has enough of them; ordinary pages otherwise, and [`Area::pages`] says why.
    #[default]
    Try,
    /// Only ordinary pages.
    Off,
    /// Only huge pages; not having them is an error.
    Require,
}

/// The pages obtained.
#[derive(Debug)]
pub enum Pages {
    /// 2 MiB pages.
    Huge,
    /// Pages of the system's ordinary size, and what stood against huge ones if they were tried.
    Ordinary {
        /// The refusal; none where huge pages were not asked for.
        refused: Option<io::Error>,
    },
}

/// What memory to make.
#[derive(Clone, Debug)]
pub struct AreaConfig {
    /// How much; rounded up to whole pages of the kind obtained.
    pub bytes: usize,
    /// The kind of pages.
    pub huge_pages: HugePages,
    /// The memfd's name, as it appears in `/proc/PID/maps`.
    pub name: &'static str,
}

impl Default for AreaConfig {
    fn default() -> AreaConfig {
        AreaConfig { bytes: 32 << 20, huge_pages: HugePages::Try, name: "af_xdp-umem" }
    }
}

/// Memory in a memfd which this process alone can write.
///
/// Sealed against growing, shrinking and *future* writable maps and writes, so that the descriptor
/// can be given to anyone: what they can do is map it read-only.
#[derive(Debug)]
pub struct Area {
    map: Map,
    fd: OwnedFd,
    pages: Pages,
}

impl Area {
    /// Makes the memory, maps it, seals it.
    ///
    /// # Errors
    /// When memory or huge pages are short, or the kernel lacks sealing (before 5.1).
    pub fn create(config: &AreaConfig) -> Result<Area, Error> {
        if config.bytes == 0 {
            return Err(Error::Settings("packet memory of zero bytes was asked for"));
        }
        let (fd, map, pages) = match config.huge_pages {
            HugePages::Off => {
                let (fd, map) = make(config, false)?;
                (fd, map, Pages::Ordinary { refused: None })
            }
            HugePages::Require => {
                let (fd, map) = make(config, true)?;
                (fd, map, Pages::Huge)
            }
            HugePages::Try => match make(config, true) {
                Ok((fd, map)) => (fd, map, Pages::Huge),
                Err(Error::System { source, .. }) => {
                    let (fd, map) = make(config, false)?;
                    (fd, map, Pages::Ordinary { refused: Some(source) })
                }
                Err(other) => return Err(other),
            },
        };
        sys::seal(fd.as_fd()).map_err(|os| Error::system(Step::SealArea, os))?;
        Ok(Area { map, fd, pages })
    }

    /// Its size in bytes, a whole number of pages.
    pub fn bytes(&self) -> usize {
        self.map.len()
    }

    /// The pages obtained.
    pub fn pages(&self) -> &Pages {
        &self.pages
    }

    pub(crate) fn map(&self) -> &Map {
        &self.map
    }
}

impl AsFd for Area {
    /// The sealed memfd, to be handed to readers.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn make(config: &AreaConfig, huge: bool) -> Result<(OwnedFd, Map), Error> {
    let page_bytes = if huge { HUGE_PAGE_BYTES } else { sys::page_bytes() };
    let bytes = config
        .bytes
        .checked_next_multiple_of(page_bytes)
        .ok_or(Error::Settings("packet memory larger than the address space was asked for"))?;
    let fd = sys::memfd(config.name, huge).map_err(|os| Error::system(Step::CreateArea, os))?;
    sys::set_size(fd.as_fd(), bytes).map_err(|os| Error::system(Step::CreateArea, os))?;
    let map = Map::shared(fd.as_fd(), bytes, 0).map_err(|os| Error::system(Step::MapArea, os))?;
    Ok((fd, map))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(huge_pages: HugePages) -> AreaConfig {
        AreaConfig { bytes: 10_000, huge_pages, ..AreaConfig::default() }
    }

    #[test]
    fn whole_pages_and_no_writable_map_afterwards() {
        let area = Area::create(&small(HugePages::Off)).unwrap();
        assert_eq!(area.bytes() % sys::page_bytes(), 0);
        assert!(area.bytes() >= 10_000);
        let again = Map::shared(area.as_fd(), area.bytes(), 0);
        assert_eq!(again.unwrap_err().raw_os_error(), Some(libc::EPERM));
        let resized = sys::set_size(area.as_fd(), 1 << 20);
        assert_eq!(resized.unwrap_err().raw_os_error(), Some(libc::EPERM));
    }

    #[test]
    fn huge_pages_or_the_reason_why_not() {
        let area = Area::create(&small(HugePages::Try)).unwrap();
        match area.pages() {
            Pages::Huge => assert_eq!(area.bytes(), HUGE_PAGE_BYTES),
            Pages::Ordinary { refused } => assert!(refused.is_some()),
        }
    }

    #[test]
    fn nothing_is_refused() {
        assert!(Area::create(&AreaConfig { bytes: 0, ..AreaConfig::default() }).is_err());
    }
}
