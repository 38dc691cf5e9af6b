//! Tor inside TLS: the link handshake's hello (tor-spec, "Negotiating channels").
//!
//! Tor invents a host name for every connection: `www.`, 4 to 25 characters of base 32 drawn at
//! random, `.com` or `.net`. The hello of a Tor client offers no protocol names (ALPN). Both
//! together are asked for, and that the characters do look drawn: a word that a person registered
//! holds no digit between letters and few changes between rare letters.

use super::hello::ClientHello;

/// Whether the hello is that of a Tor client.
pub(super) fn is_tor(hello: &ClientHello<'_>) -> bool {
    hello.alpn.is_empty() && is_invented(hello.name)
}

fn is_invented(name: &[u8]) -> bool {
    let Some(label) = name.strip_prefix(b"www.") else { return false };
    let label = label.strip_suffix(b".com").or_else(|| label.strip_suffix(b".net"));
    let Some(label) = label.filter(|label| (8..=25).contains(&label.len())) else { return false };
    let base32 = label.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
    base32 && looks_drawn(label)
}

/// Of letters and digits drawn at random a fifth are digits and three quarters of the letters are
/// consonants; names that people choose alternate vowels and consonants and keep digits together.
fn looks_drawn(label: &[u8]) -> bool {
    let is_vowel = |byte: u8| matches!(byte, b'a' | b'e' | b'i' | b'o' | b'u' | b'y');
    let mut score = 0_u32;
    let mut run = 0_u32;
    for pair in label.windows(2) {
        let &[before, byte] = pair else { continue };
        // A digit inside, next to a letter.
        score += u32::from(before.is_ascii_digit() != byte.is_ascii_digit());
        // The third consonant in a row and each further one.
        let consonants = !is_vowel(before)
            && !is_vowel(byte)
            && before.is_ascii_alphabetic()
            && byte.is_ascii_alphabetic();
        run = if consonants { run + 1 } else { 0 };
        score += u32::from(run >= 2);
        // Pairs that no language at home in host names has.
        score += u32::from(matches!(before, b'q' | b'x' | b'j' | b'z' | b'v') && !is_vowel(byte));
    }
    usize::try_from(score).unwrap_or(usize::MAX) * 5 >= label.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_drawn_at_random_are_told_from_chosen_ones() {
        for name in [
            "www.q4cyamnc6mtokjurvdclt.com",
            "www.gfu7hbxpfp.com",
            "www.e6r5p57kbafwrxj3plz.com",
            "www.ct7ctrgb6cr7.com",
            "www.jmts2id.com",
        ] {
            let long = name.len() >= "www.12345678.com".len();
            assert_eq!(is_invented(name.as_bytes()), long, "{name}");
        }
        for name in [
            "www.wikipedia.com",
            "www.microsoft.com",
            "www.facebook.com",
            "www.stackoverflow.com",
            "www.blackbaud.net",
            "www.office365.com",
            "www.nationalgeographic.com",
            "www.cloudflare.net",
            "www.washingtonpost.com",
            "www.q4cyamnc6mtokjurvdclt.org",
            "q4cyamnc6mtokjurvdclt.com",
        ] {
            assert!(!is_invented(name.as_bytes()), "{name}");
        }
    }
}
