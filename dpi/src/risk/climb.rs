//! Paths that climb out of their folders, and files that only the system reads.

use super::decode::{around, count, has};
use crate::seek::{has_one_of, has_pair};

/// Files that a climb ends at.
const FILES: &[&[u8]] = &[
    b"etc/passwd",
    b"etc/shadow",
    b"etc/hosts",
    b"etc/group",
    b"proc/self/",
    b"proc/version",
    b"windows/win.ini",
    b"winnt/",
    b"boot.ini",
    b"windows/system32",
    b"win.ini",
    b"web-inf/",
    b"web.config",
    b".htpasswd",
    b".htaccess",
    b".ssh/",
    b"id_rsa",
    b"wp-config.php",
    b"autoexec.bat",
    b"/etc/",
    b"var/log/",
    b"usr/local/",
    b"bin/sh",
    b"localsettings.php",
    b"config.php",
    b".env",
    b"system.ini",
    b"php.ini",
    b"my.cnf",
];
/// Files that are named in full by nobody but an attacker.
const WHOLE: &[&[u8]] = &[
    b"/etc/passwd",
    b"/etc/shadow",
    b"/proc/self/environ",
    b"/proc/self/cmdline",
    b"c:/windows/win.ini",
    b"c:/boot.ini",
    b"c:/windows/system32/drivers/etc",
    b"file:///etc/",
    b"file:///c:/",
];
/// Steps up in a row that no link of a site has.
const STEPS: usize = 3;

/// Whether a decoded path climbs above its root. `..;` and backslashes count for what servers
/// take them for.
pub(super) fn climbs_out(path: &[u8]) -> bool {
    let mut depth = 0_i32;
    // 0xc0 0xaf is an overlong slash.
    for part in path.split(|byte| matches!(byte, b'/' | b'\\' | 0xc0)) {
        match part.strip_prefix(b"\xaf").unwrap_or(part) {
            b"" | b"." => {}
            part if is_up(part) => depth -= 1,
            _ => depth += 1,
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

/// `..`, perhaps with a parameter or a zero behind it.
fn is_up(part: &[u8]) -> bool {
    let part = part.split(|byte| matches!(byte, b';' | 0)).next().unwrap_or(part);
    part == b".."
}

/// Steps up.
pub(super) fn steps(value: &[u8]) -> usize {
    if !has_pair(value, b'.', b'.') {
        return 0;
    }
    value.windows(3).filter(|three| matches!(three, [b'.', b'.', b'/' | b'\\'])).count()
}

/// Whether a value climbs: three steps up, one step up and a file of the system, or such a file
/// by its full name.
pub(super) fn climbs(value: &[u8]) -> bool {
    // No file is named in full without a slash, and no step is made.
    if !has_one_of(value, b"/\\\xc0") {
        return false;
    }
    let slash = |byte: &u8| if *byte == b'\\' { b'/' } else { *byte };
    let steps = steps(value);
    if steps >= STEPS {
        return true;
    }
    // Compared as if every backslash were a slash.
    let names = |file: &[u8]| {
        value.windows(file.len()).any(|part| part.iter().map(slash).eq(file.iter().copied()))
    };
    let doubled = around(value, b"....//").next().is_some() || has(value, b"..\xc0\xaf");
    ((steps > 0 || doubled) && FILES.iter().any(|file| names(file)))
        || has_folder(value) && WHOLE.iter().any(|file| names(file) && is_start(value, file))
}

/// Whether there is a folder, or a drive, that all of [`WHOLE`] are in.
fn has_folder(value: &[u8]) -> bool {
    value.windows(4).any(|four| {
        let [b'/' | b'\\', name @ ..] = four else { return false };
        matches!(name, b"etc" | b"pro" | b"win" | b"boo" | [b'c', b':', _])
    })
}

/// Whether the file's name begins the value, or follows a scheme or a wrapper: an article about a
/// file has it in the middle of a sentence.
fn is_start(value: &[u8], file: &[u8]) -> bool {
    let blanks = count(value, b' ');
    blanks == 0
        || value.get(..file.len()).is_some_and(|head| {
            head.iter().zip(file).all(|(a, b)| a == b || (*a == b'\\' && *b == b'/'))
        })
}
