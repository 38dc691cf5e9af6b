//! The text that `pcap_geterr` gives: at an address that never changes, whoever reads it when.

use std::ffi::c_char;
use std::sync::atomic::{AtomicU8, Ordering};

/// Bytes of libpcap's texts, with the zero at their end.
pub(crate) const TEXT_BYTES: usize = 256;

/// See the module. Between two writers, or a writer and C code that reads, texts may mix; there is
/// a zero at the end at all times.
#[derive(Debug)]
pub(crate) struct Text {
    bytes: [AtomicU8; TEXT_BYTES],
}

impl Text {
    /// No text.
    pub(crate) const fn new() -> Self {
        Self { bytes: [const { AtomicU8::new(0) }; TEXT_BYTES] }
    }

    /// Keeps `text`, cut to what fits.
    pub(crate) fn set(&self, text: &str) {
        let text = cut(text);
        for (place, byte) in self.bytes.iter().zip(text.bytes().chain([0])) {
            place.store(byte, Ordering::Relaxed);
        }
    }

    /// Forgets what it says.
    pub(crate) fn clear(&self) {
        self.set("");
    }

    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.first().is_none_or(|byte| byte.load(Ordering::Relaxed) == 0)
    }

    /// What it says.
    pub(crate) fn to_text(&self) -> String {
        let bytes = self.bytes.iter().map(|byte| byte.load(Ordering::Relaxed));
        let bytes: Vec<u8> = bytes.take_while(|byte| *byte != 0).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Its address, for C.
    pub(crate) fn as_ptr(&self) -> *mut c_char {
        self.bytes.as_ptr().cast_mut().cast()
    }
}

/// As much of `text` as libpcap's buffers take, up to a zero in it.
pub(crate) fn cut(text: &str) -> &str {
    let text = text.split('\0').next().unwrap_or_default();
    let mut end = text.len().min(TEXT_BYTES - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_letters() {
        let text = Text::new();
        assert!(text.is_empty());
        text.set("first");
        assert_eq!(text.to_text(), "first");
        text.set(&"ä".repeat(200));
        assert_eq!(text.to_text(), "ä".repeat(127));
        text.set("sh");
        assert_eq!(text.to_text(), "sh", "what was longer is gone");
        text.clear();
        assert!(text.is_empty());
        assert_eq!(cut("a\0b"), "a");
    }
}
