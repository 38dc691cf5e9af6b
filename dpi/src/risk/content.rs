//! What a body is by its first bytes, held against what it is declared as.

use super::{Risk, Risks};
use memchr::memchr;

/// What a body's first bytes say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Machine code, or what a machine runs as it is: Windows, Linux, macOS, Android, Java.
    Program,
    /// `#!/`.
    Script,
    /// Android's package, or another archive.
    Archive,
}

fn kind(head: &[u8]) -> Option<Kind> {
    Some(match head {
        [b'M', b'Z', rest @ ..] if is_executable_header(rest) => Kind::Program,
        // ELF; Mach-O of one architecture, in both byte orders, and of several (a small number of
        // them); a Java class (version 45 and above); DEX; WebAssembly; a shortcut of Windows with
        // the number of its class.
        [0x7f, b'E', b'L', b'F', 1 | 2, 1 | 2, ..]
        | [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..]
        | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..]
        | [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 1..=18, ..]
        | [0xca, 0xfe, 0xba, 0xbe, _, _, 0, 45..=80, ..]
        | [b'd', b'e', b'x', b'\n', b'0', b'3', b'5'..=b'9', 0, ..]
        | [0, b'a', b's', b'm', 1, 0, 0, 0, ..]
        | [0x4c, 0, 0, 0, 0x01, 0x14, 0x02, 0, 0, 0, 0, 0, 0xc0, ..] => Kind::Program,
        [b'#', b'!', rest @ ..] if rest.trim_ascii_start().starts_with(b"/") => Kind::Script,
        [b'P', b'K', 3, 4, ..] => Kind::Archive,
        _ => return None,
    })
}

/// The header of DOS: after the mark, more than letters; and if it is all there, a place of the
/// next header that is near.
fn is_executable_header(rest: &[u8]) -> bool {
    let head = rest.get(..8).unwrap_or(rest);
    let text = head.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    let next = rest.get(58..62).and_then(<[u8]>::first_chunk).map(|it| u32::from_le_bytes(*it));
    head.len() >= 2 && !text && next.is_none_or(|at| (16..0x1000).contains(&at) || at == 0)
}

/// Whether more bytes could still make a program or a script of `head`.
pub fn may_grow(head: &[u8]) -> bool {
    const MARKS: [&[u8]; 13] = [
        b"MZ\x90\0\x03\0",
        b"\x7fELF\x02\x01",
        b"\xfe\xed\xfa\xcf",
        b"\xcf\xfa\xed\xfe",
        b"\xce\xfa\xed\xfe",
        b"\xfe\xed\xfa\xce",
        b"\xca\xfe\xba\xbe\0\0\0\x02",
        b"dex\n035\0",
        b"\0asm\x01\0\0\0",
        b"\x4c\0\0\0\x01\x14\x02\0\0\0\0\0\xc0",
        b"#! /",
        b"#!/",
        b"PK\x03\x04",
    ];
    head.len() < 13 && MARKS.iter().any(|mark| mark.starts_with(head))
}

/// A declared type without its parameters.
fn without_parameters(content_type: &[u8]) -> &[u8] {
    let end = memchr(b';', content_type).unwrap_or(content_type.len());
    content_type.get(..end).unwrap_or_default().trim_ascii()
}

/// Whether a declared type is one of `words`; one with a slash at its end is a beginning.
fn is_among(declared: &[u8], words: &[&[u8]]) -> bool {
    words.iter().any(|word| {
        // The length excludes most.
        let fits = declared.len() == word.len()
            || (declared.len() > word.len() && word.last().is_some_and(|last| *last == b'/'));
        fits && declared.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
    })
}

const PROGRAM_TYPES: &[&[u8]] = &[
    b"application/x-msdownload",
    b"application/x-msdos-program",
    b"application/x-dosexec",
    b"application/vnd.microsoft.portable-executable",
    b"application/x-executable",
    b"application/x-elf",
    b"application/x-sharedlib",
    b"application/x-mach-binary",
    b"application/vnd.android.package-archive",
    b"application/java-archive",
    b"application/java-vm",
    b"application/x-java-applet",
    b"application/x-msi",
    b"application/x-ms-installer",
    b"application/x-apple-diskimage",
    b"application/x-debian-package",
    b"application/vnd.debian.binary-package",
    b"application/x-rpm",
    b"application/x-redhat-package-manager",
    b"application/exe",
    b"application/x-exe",
    b"application/x-winexe",
    b"application/x-ms-dos-executable",
    b"application/x-ms-shortcut",
];
const SCRIPT_TYPES: &[&[u8]] = &[
    b"application/x-sh",
    b"application/x-shellscript",
    b"text/x-sh",
    b"text/x-shellscript",
    b"application/x-powershell",
    b"text/x-powershell",
    b"application/x-bat",
    b"application/bat",
    b"text/vbscript",
    b"application/x-vbs",
    b"application/hta",
    b"application/x-csh",
];
/// Types that no program has.
const HARMLESS_TYPES: &[&[u8]] = &[
    b"text/",
    b"image/",
    b"audio/",
    b"video/",
    b"font/",
    b"application/json",
    b"application/javascript",
    b"application/x-javascript",
    b"application/xml",
    b"application/pdf",
    b"application/xhtml+xml",
    b"application/font-woff",
];
/// Types that say nothing.
const SILENT_TYPES: &[&[u8]] = &[
    b"",
    b"application/octet-stream",
    b"binary/octet-stream",
    b"application/binary",
    b"application/x-download",
    b"application/download",
    b"application/force-download",
    b"application/zip",
    b"application/x-binary",
    b"text/plain",
    b"unknown/unknown",
];
const PROGRAM_ENDINGS: &[&[u8]] = &[
    b"exe", b"dll", b"msi", b"scr", b"apk", b"dex", b"jar", b"dmg", b"pkg", b"deb", b"rpm", b"elf",
    b"cpl", b"ocx", b"sys", b"msix", b"appx", b"lnk", b"pif", b"cab", b"so", b"ipa", b"xpi",
    b"arm", b"arm5", b"arm6", b"arm7", b"mips", b"mpsl", b"sh4", b"x86", b"x86_64", b"m68k",
    b"ppc", b"spc",
];
const SCRIPT_ENDINGS: &[&[u8]] =
    &[b"sh", b"ps1", b"psm1", b"bat", b"cmd", b"vbs", b"vbe", b"hta", b"wsf", b"jse", b"bash"];

/// What an answer's body shows: its first bytes, its declared type, and the name under which it
/// was asked for or comes (the path, or the file name of its disposition).
pub fn judge_content(head: &[u8], content_type: &[u8], encoded: bool, name: &[u8]) -> Risks {
    let found = if encoded { None } else { kind(head) };
    let ending = ending(name);
    let ends = |endings: &[&[u8]]| endings.iter().any(|it| ending.eq_ignore_ascii_case(it));
    let declared = without_parameters(content_type);
    let silent = is_among(declared, SILENT_TYPES) || content_type.is_empty();
    let harmless = is_among(declared, HARMLESS_TYPES);
    let program = found == Some(Kind::Program)
        || (!harmless && is_among(declared, PROGRAM_TYPES))
        || (silent && ends(PROGRAM_ENDINGS))
        || (found == Some(Kind::Archive) && ends(&[b"apk", b"jar", b"xpi", b"ipa"]));
    let script = found == Some(Kind::Script)
        || is_among(declared, SCRIPT_TYPES)
        || (silent && ends(SCRIPT_ENDINGS));
    let misleading = found == Some(Kind::Program) && harmless;
    let text = !encoded && is_among(declared, TEXT_TYPES) && is_binary(head);
    Risks::when(Risk::BinaryTransfer, program)
        .or(Risks::when(Risk::ScriptTransfer, script && !program))
        .or(Risks::when(Risk::MisleadingContentType, misleading))
        .or(Risks::when(Risk::HttpSuspiciousContent, text && !misleading))
}

const TEXT_TYPES: &[&[u8]] = &[
    b"text/",
    b"application/json",
    b"application/javascript",
    b"application/x-javascript",
    b"application/xml",
];

/// Whether so many control bytes are among the first ones that it is no text in any encoding.
fn is_binary(head: &[u8]) -> bool {
    // UTF-16 says so first; gzip is an encoding that servers forget to declare.
    if head.len() < 16 || matches!(head, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0x1f, 0x8b, ..]) {
        return false;
    }
    let control = |byte: &u8| (*byte < 0x20 && !matches!(byte, 9..=13 | 0x1b)) || *byte == 0x7f;
    let zeros = super::decode::count(head, 0);
    // UTF-16 without its mark has a zero in every pair.
    let wide = zeros * 5 >= head.len() * 2 && zeros * 5 <= head.len() * 3;
    !wide && head.iter().filter(|byte| control(byte)).count() * 8 >= head.len()
}

/// What is behind the last dot of the last part of a path or file name.
fn ending(name: &[u8]) -> &[u8] {
    let end = name.iter().position(|byte| matches!(byte, b'?' | b'#' | b';')).unwrap_or(name.len());
    let path = name.get(..end).unwrap_or_default();
    let part = path.rsplit(|byte| matches!(byte, b'/' | b'\\')).next().unwrap_or_default();
    let part = part.strip_suffix(b"\"").unwrap_or(part);
    match part.iter().rposition(|byte| *byte == b'.') {
        Some(dot) => part.get(dot + 1..).unwrap_or_default(),
        None => b"",
    }
}

/// The file name in a `Content-Disposition` (RFC 6266 section 4).
pub fn file_name(disposition: &[u8]) -> &[u8] {
    let lower = super::decode::Decoded::lower(disposition);
    let at = super::decode::find(lower.as_bytes(), b"filename=");
    let value = at.and_then(|at| disposition.get(at + 9..)).unwrap_or_default();
    value.strip_prefix(b"\"").unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PE: &[u8] = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0";

    fn judged(head: &[u8], content_type: &[u8], name: &[u8]) -> Vec<&'static str> {
        judge_content(head, content_type, false, name).iter().map(|about| about.name).collect()
    }

    #[test]
    fn programs_by_their_first_bytes() {
        for head in [
            PE,
            b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0",
            b"\xcf\xfa\xed\xfe\x07\0\0\x01",
            b"\xca\xfe\xba\xbe\0\0\0\x02",
            b"\xca\xfe\xba\xbe\0\0\0\x34",
            b"dex\n035\0",
        ] {
            assert_eq!(judged(head, b"application/x-thing", b"/a"), ["binary_transfer"]);
            assert_eq!(
                judged(head, b"image/png", b"/a"),
                ["binary_transfer", "misleading_content_type"]
            );
            for cut in (0..head.len()).map(|length| &head[..length]) {
                assert!(kind(cut).is_some() || may_grow(cut), "{}", cut.escape_ascii());
            }
        }
        assert_eq!(judged(b"PK\x03\x04\x14\0", b"application/zip", b"/a.apk"), ["binary_transfer"]);
    }

    #[test]
    fn programs_by_type_and_ending() {
        assert_eq!(judged(b"", b"application/x-msdownload", b"/a"), ["binary_transfer"]);
        assert_eq!(
            judged(b"", b"application/octet-stream", b"/x/setup.EXE?id=1"),
            ["binary_transfer"]
        );
        assert_eq!(
            judged(b"", b"", file_name(b"attachment; filename=\"a.msi\"")),
            ["binary_transfer"]
        );
    }

    #[test]
    fn scripts() {
        assert_eq!(judged(b"#!/bin/sh\nwget", b"text/plain", b"/a"), ["script_transfer"]);
        assert_eq!(judged(b"", b"application/octet-stream", b"/a.ps1"), ["script_transfer"]);
        assert_eq!(judged(b"", b"application/x-sh", b"/a"), ["script_transfer"]);
    }

    #[test]
    fn what_is_ordinary() {
        for (head, content_type, name) in [
            (&b"<!doctype html><html>"[..], &b"text/html"[..], &b"/download/setup.exe"[..]),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"image/png", b"/a.png"),
            (b"MZ is how this text begins, and it goes on", b"text/plain", b"/a.txt"),
            (b"PK\x03\x04\x14\0\x06\0", b"application/zip", b"/a.zip"),
            (b"#!comment", b"text/plain", b"/a"),
            (b"# a title\n", b"text/plain", b"/readme"),
            (b"\xef\xbb\xbf{\"a\": \"\xc3\xa4\"}       ", b"application/json", b"/a"),
            (b"\xff\xfeh\0e\0l\0l\0o\0 \0w\0o\0r\0l\0d\0", b"text/plain", b"/a"),
            (b"h\0e\0l\0l\0o\0 \0w\0o\0r\0l\0d\0", b"text/plain", b"/a"),
            (
                b"\x82\xa0\x82\xa2\x82\xa4\x82\xa6\x82\xa8\x82\xa0\x82\xa2\x82\xa4",
                b"text/html",
                b"/sjis",
            ),
            (b"", b"text/html", b"/www.example.com"),
            (b"", b"application/octet-stream", b"/chunk.bin"),
        ] {
            assert_eq!(judged(head, content_type, name), [""; 0], "{}", head.escape_ascii());
        }
        assert!(!may_grow(b"<") && !may_grow(b"MZ is") && may_grow(b""));
    }

    #[test]
    fn text_that_is_none() {
        let noise = b"\x01\x02\x00\x07\x9a\x00\x13\x88\x00\x00\x05\x01abcdefgh";
        assert_eq!(judged(noise, b"text/html", b"/a"), ["http_suspicious_content"]);
        assert!(judge_content(noise, b"text/html", true, b"/a").is_empty(), "encoded");
    }
}
