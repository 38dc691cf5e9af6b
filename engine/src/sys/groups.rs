//! Groups of the system's users: by name, and those of whoever is at the other end of a socket.

#![expect(unsafe_code, reason = "one socket option that no safe interface offers")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use thiserror::Error;

/// Groups of one user that are asked for; the kernel allows 65,536.
const GROUPS_MOST: usize = 65_536;

/// Why a group is not known.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each variant's message says what it is")]
pub enum GroupError {
    #[error("cannot read /etc/group to find the group `{name}` (export.socket_group): {source}")]
    Unreadable { name: String, source: io::Error },
    #[error("there is no group `{0}` (export.socket_group): `groupadd --system {0}` makes it")]
    Unknown(String),
}

/// The number of a group, given by name or as a number.
///
/// # Errors
/// There is no such group, or the list of groups cannot be read.
pub fn number_of(name: &str) -> Result<u32, GroupError> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let text = std::fs::read_to_string("/etc/group")
        .map_err(|source| GroupError::Unreadable { name: name.into(), source })?;
    find(&text, name).ok_or_else(|| GroupError::Unknown(name.into()))
}

/// The group's number in the text of `group(5)`.
fn find(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_it = fields.next() == Some(name);
        let number = fields.nth(1)?.parse().ok()?;
        is_it.then_some(number)
    })
}

/// All groups of the user at the other end of a Unix socket, as they were when it connected; none
/// where the kernel does not tell (before 4.13).
pub fn of_peer(socket: BorrowedFd<'_>) -> Vec<u32> {
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let room = groups.len() * size_of::<libc::gid_t>();
        let mut bytes = libc::socklen_t::try_from(room).unwrap_or(libc::socklen_t::MAX);
        let place = groups.as_mut_ptr().cast::<libc::c_void>();
        // SAFETY: the kernel writes at most `bytes` bytes to `place`, which is what the vector
        // holds; any bytes are numbers. The descriptor is borrowed, hence open.
        let result = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                place,
                &raw mut bytes,
            )
        };
        let count = bytes as usize / size_of::<libc::gid_t>();
        if result == 0 {
            groups.truncate(count);
            return groups;
        }
        let too_small = io::Error::last_os_error().raw_os_error() == Some(libc::ERANGE);
        if !too_small || count <= groups.len() || count > GROUPS_MOST {
            return Vec::new();
        }
        groups.resize(count, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn groups_are_found_by_name_and_number() {
        let text = "root:x:0:\n# no group\nweir:x:998:alice,bob\n";
        assert_eq!((find(text, "weir"), find(text, "wei")), (Some(998), None));
        assert_eq!(number_of("42").unwrap(), 42);
        assert_eq!(number_of("root").unwrap(), 0);
        let error = number_of("no such group").unwrap_err().to_string();
        assert!(error.contains("groupadd"), "{error}");
    }

    #[test]
    fn the_groups_of_a_peer_are_our_own_here() {
        let (near, _far) = UnixStream::pair().unwrap();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap();
        let mut own: Vec<u32> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
        let mut told = of_peer(near.as_fd());
        own.sort_unstable();
        told.sort_unstable();
        assert_eq!(told, own);
    }
}
