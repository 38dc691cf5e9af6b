//! What an SSH peer says of its age: the version in its identification string, and the algorithms
//! that it offers in its key exchange (RFC 4253 section 7.1).

use crate::risk::http::version;

/// Names read of one list.
const NAMES: usize = 64;

/// Programs, what stands before their version, and the first version that is not obsolete.
const PROGRAMS: &[(&[u8], [u32; 3])] = &[
    (b"OpenSSH_for_Windows_", [7, 0, 0]),
    (b"OpenSSH_", [7, 0, 0]),
    (b"OpenSSH-", [7, 0, 0]),
    (b"dropbear_", [2016, 0, 0]),
    (b"libssh_", [0, 8, 0]),
    (b"libssh-", [0, 8, 0]),
    (b"libssh2_", [1, 8, 0]),
    (b"PuTTY_Release_", [0, 70, 0]),
    (b"JSCH-", [0, 1, 55]),
    (b"paramiko_", [2, 0, 0]),
];

/// Whether an identification string (`SSH-2.0-OpenSSH_9.2p1 …`) is that of a program out of use.
/// `1.99` stands for version 2 with version 1 beside it (RFC 4253 section 5.1).
pub(super) fn is_obsolete(banner: &[u8]) -> bool {
    let Some(software) = banner.strip_prefix(b"SSH-2.0-") else { return true };
    let row = PROGRAMS.iter().find(|(name, _)| {
        software.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name))
    });
    let Some((name, first)) = row else { return false };
    let found = software.get(name.len()..).and_then(version);
    found.is_some_and(|found| found < *first)
}

/// Whether every offer of one kind is broken: key exchange, host keys, ciphers of either direction.
pub(super) fn are_broken(key_exchange: &[u8], host_keys: &[u8], ciphers: [&[u8]; 2]) -> bool {
    let [to_server, to_client] = ciphers;
    is_broken(key_exchange, KEX)
        || is_broken(host_keys, HOST_KEYS)
        || is_broken(to_server, CIPHERS)
        || is_broken(to_client, CIPHERS)
}

/// Broken by now, or soon (RFC 9142 section 3, RFC 8758, RFC 8732).
const KEX: &[&[u8]] = &[
    b"diffie-hellman-group1-sha1",
    b"diffie-hellman-group-exchange-sha1",
    b"rsa1024-sha1",
    b"gss-group1-sha1-toWM5Slw5Ew8Mqkay+al2g==",
    b"gss-gex-sha1-toWM5Slw5Ew8Mqkay+al2g==",
];
const HOST_KEYS: &[&[u8]] = &[b"ssh-dss", b"ssh-dss-cert-v00@openssh.com", b"null"];
const CIPHERS: &[&[u8]] = &[
    b"arcfour",
    b"arcfour128",
    b"arcfour256",
    b"3des-cbc",
    b"3des-ctr",
    b"des-cbc",
    b"blowfish-cbc",
    b"blowfish-ctr",
    b"cast128-cbc",
    b"idea-cbc",
    b"none",
    b"twofish-cbc",
];

/// Whether every name of a list is among `broken`; markers that are no algorithms aside.
fn is_broken(names: &[u8], broken: &[&[u8]]) -> bool {
    let mut any = false;
    for name in names.split(|byte| *byte == b',').take(NAMES) {
        if name.starts_with(b"ext-info-") || name.starts_with(b"kex-strict-") {
            continue;
        }
        if !broken.contains(&name) {
            return false;
        }
        any = true;
    }
    any
}
