//! The services that a request tells by its path, its parameters or its program, where the host name
//! tells none: servers that are asked by their address, and caches in somebody else's name.

use crate::app::AppId;
use crate::services;

/// Paths of Gnutella: files by their digest (RFC 2169, with the digests of its hash/URN extension),
/// and what its programs ask each other for.
const GNUTELLA: [&[u8]; 3] = [b"/uri-res/N2R?urn:sha1:", b"/uri-res/N2X?urn:sha1:", b"/gnutella/"];

/// How a name's address is asked for over HTTP, at a server without a name: the paths of Alibaba's
/// and Tencent's services for programs, behind an account's number or not.
const NAME_IS_ASKED: [&[u8]; 5] =
    [b"/d?host=", b"/d?dn=", b"/sign_d?host=", b"/resolve?host=", b"/resolve?name="];

/// The longest account number before such a path.
const ACCOUNT_MOST: usize = 12;

/// What the target tells.
pub(super) fn by_target(target: &[u8]) -> Option<AppId> {
    if GNUTELLA.iter().any(|path| target.starts_with(path)) {
        return Some(AppId::GNUTELLA);
    }
    let digits = target.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
    let behind =
        if (1..=ACCOUNT_MOST).contains(&digits) { target.get(1 + digits..)? } else { target };
    let name = NAME_IS_ASKED.iter().find_map(|path| behind.strip_prefix(*path))?;
    let end = name.iter().position(|byte| *byte == b'&').unwrap_or(name.len());
    services::by_host_name(name.get(..end)?)
}

/// What the program tells, which fetches for one service alone.
pub(super) fn by_program(user_agent: &[u8]) -> Option<AppId> {
    const PROGRAMS: [(&[u8], AppId); 2] = [
        (b"Microsoft-Delivery-Optimization/", AppId::WINDOWS_UPDATE),
        (b"Windows-Update-Agent/", AppId::WINDOWS_UPDATE),
    ];
    PROGRAMS.iter().find(|(name, _)| user_agent.starts_with(name)).map(|(_, app)| *app)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_programs() {
        for (target, app) in [
            (&b"/uri-res/N2R?urn:sha1:ABC"[..], Some(AppId::GNUTELLA)),
            (b"/gnutella/thex/v1?urn:tree:tiger/:ABC", Some(AppId::GNUTELLA)),
            (b"/123456/sign_d?host=www.netflix.com&t=1", Some(AppId::NETFLIX)),
            (b"/d?dn=www.netflix.com", Some(AppId::NETFLIX)),
            (b"/d?dn=www.example.com", None),
            (b"/a/d?dn=www.netflix.com", None),
            (b"/1234567890123/d?dn=www.netflix.com", None),
            (b"/uri-res/N2R?urn:isbn:1", None),
            (b"/", None),
            (b"", None),
        ] {
            assert_eq!(by_target(target), app, "{}", String::from_utf8_lossy(target));
        }
        assert_eq!(
            by_program(b"Microsoft-Delivery-Optimization/10.0"),
            Some(AppId::WINDOWS_UPDATE)
        );
        assert_eq!(by_program(b"Mozilla/5.0"), None);
    }
}
