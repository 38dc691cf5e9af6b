//! First messages of applications, small and whole: what inspection names a flow by.

/// A TLS 1.3 client hello (RFC 8446, section 4.1.2) for `www.example.org`, in its record.
pub(super) fn tls_client_hello() -> Vec<u8> {
    let extension = |kind: u16, body: &[u8]| [&kind.to_be_bytes()[..], &sized16(body)].concat();
    let name = sized16(&[&[0][..], &sized16(b"www.example.org")].concat());
    // X25519, with a share of 32 bytes.
    let share = [&[0, 29][..], &sized16(&[0x5a; 32])].concat();
    let extensions = [
        extension(0, &name),
        extension(10, &sized16(&[0, 29, 0, 23])),
        extension(13, &sized16(&[4, 3, 8, 4, 4, 1])),
        extension(16, &sized16(b"\x02h2\x08http/1.1")),
        extension(43, &[2, 3, 4]),
        extension(45, &[1, 1]),
        extension(51, &sized16(&share)),
    ]
    .concat();
    let mut hello = vec![3, 3];
    hello.extend([0x11; 32]);
    hello.push(32);
    hello.extend([0x22; 32]);
    hello.extend(sized16(&[0x13, 1, 0x13, 2, 0x13, 3, 0xc0, 0x2b, 0xc0, 0x2f]));
    hello.extend([1, 0]);
    hello.extend(sized16(&extensions));
    let handshake = [&[1, 0][..], &sized16(&hello)].concat();
    [&[0x16, 3, 1][..], &sized16(&handshake)].concat()
}

/// An HTTP request (RFC 9112).
pub(super) fn http_request() -> Vec<u8> {
    b"GET /index.html HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: weir-replay\r\n\
      Accept: */*\r\n\r\n"
        .to_vec()
}

/// A DNS question (RFC 1035) for the addresses of `www.example.org`.
pub(super) fn dns_question() -> Vec<u8> {
    [&[0x2b, 0x1d, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], b"\x03www\x07example\x03org\0", &[0, 1, 0, 1]]
        .concat()
}

/// Bytes that no application begins with, the same for the same seed.
pub(super) fn filler(bytes: usize, seed: u64) -> Vec<u8> {
    let words = (0..).map(|word: u64| super::mix(seed ^ word.wrapping_mul(0x9e37_79b9)));
    // The first bit set: no letter, no small number.
    words.flat_map(|word| (word | 0x80).to_le_bytes()).take(bytes).collect()
}

fn sized16(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], body].concat()
}
