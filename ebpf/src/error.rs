//! What can go wrong while loading and attaching.

use std::io;

use crate::program::Attachment;

/// Why the program could not be loaded or attached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The settings contradict each other; nothing was tried.
    #[error("{0}")]
    Settings(&'static str),
    /// The kernel did not take the program.
    #[error("loading the XDP program: {source}{}{}", why_not_loaded(source), said(source, log))]
    Load {
        /// The operating system's answer.
        source: io::Error,
        /// The end of what libbpf had to say.
        log: String,
    },
    /// The interface did not take the program.
    #[error(
        "attaching the XDP program to {interface} ({}): {source}{}",
        attachment.name(),
        why_not_attached(source)
    )]
    Attach {
        /// The interface.
        interface: String,
        /// How it was to be attached.
        attachment: Attachment,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The kernel did not run the program on live frames.
    #[error("making live frames: {source}{}", why_not_live(source))]
    Live {
        /// The operating system's answer.
        source: io::Error,
    },
    /// A map did not take or give an entry.
    #[error("{what}: {source}")]
    Map {
        /// What was tried.
        what: &'static str,
        /// The operating system's answer.
        source: io::Error,
    },
}

/// Where the kernel describes its own types.
const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

fn why_not_loaded(source: &io::Error) -> &'static str {
    match number(source) {
        libc::EPERM | libc::EACCES => {
            "; run as root or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"
        }
        _ if !std::path::Path::new(KERNEL_BTF).exists() => {
            "; the kernel does not describe its types: it needs CONFIG_DEBUG_INFO_BTF"
        }
        libc::EINVAL | libc::ENOTSUP => "; Linux 6.6 or later is needed",
        libc::ENOMEM => "; memory is short",
        _ => "",
    }
}

fn why_not_attached(source: &io::Error) -> &'static str {
    match number(source) {
        libc::EPERM | libc::EACCES => "; run as root or with CAP_NET_ADMIN and CAP_BPF",
        libc::EBUSY | libc::EEXIST => {
            "; another XDP program is there: `ip link show` tells its id, `ip link set dev IF xdp off` \
             removes one that no running program holds"
        }
        libc::ENODEV => "; there is no such interface in this network namespace",
        libc::EOPNOTSUPP => "; the driver has no native XDP: allow the generic kind",
        libc::EINVAL | libc::ERANGE => "; the MTU may be too large for XDP on this driver",
        _ => "",
    }
}

fn why_not_live(source: &io::Error) -> &'static str {
    match number(source) {
        libc::EPERM | libc::EACCES => {
            "; run as root or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"
        }
        libc::EINVAL | libc::ENOTSUP => {
            "; Linux 5.18 or later is needed for this: choose another engine"
        }
        libc::ENOMEM => "; memory is short",
        _ => "",
    }
}

/// The error's number. libbpf's errors come with their kind alone.
fn number(source: &io::Error) -> i32 {
    source.raw_os_error().unwrap_or(match source.kind() {
        io::ErrorKind::PermissionDenied => libc::EPERM,
        io::ErrorKind::InvalidInput => libc::EINVAL,
        io::ErrorKind::OutOfMemory => libc::ENOMEM,
        _ => 0,
    })
}

/// libbpf's words, which of a missing privilege say nothing of use.
fn said(source: &io::Error, log: &str) -> String {
    if log.is_empty() || number(source) == libc::EPERM {
        String::new()
    } else {
        format!("\nlibbpf said: {log}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where_what_and_how_to_mend_it() {
        let text = Error::Attach {
            interface: "eth7".to_owned(),
            attachment: Attachment::Native,
            source: io::Error::from_raw_os_error(libc::EBUSY),
        }
        .to_string();
        for part in ["eth7", "native", "xdp off"] {
            assert!(text.contains(part), "{part:?} is missing in {text:?}");
        }
        for source in [
            io::Error::from_raw_os_error(libc::EPERM),
            io::Error::from(io::ErrorKind::PermissionDenied),
        ] {
            let text = Error::Load { source, log: "x".to_owned() }.to_string();
            assert!(text.contains("CAP_BPF") && !text.contains("libbpf said"), "{text}");
        }
        let source = io::Error::from_raw_os_error(libc::EINVAL);
        let text = Error::Load { source, log: "x".to_owned() }.to_string();
        assert!(text.contains("Linux 6.6") && text.contains("libbpf said: x"), "{text}");
    }
}
