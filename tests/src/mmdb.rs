//! A file in the `MaxMind` format (MMDB), for tests of what reads such files.

/// A file of one node: the lower half of IPv4 is of AS64500, "Example"; of the other nothing is known.
pub fn asns() -> Vec<u8> {
    let mut file = vec![0, 0, 17, 0, 0, 1];
    file.extend([0; 16]);
    file.push(0xe2);
    text(&mut file, "autonomous_system_number");
    file.extend([0xc2, 0xfb, 0xf4]);
    text(&mut file, "autonomous_system_organization");
    text(&mut file, "Example");
    file.extend(b"\xab\xcd\xefMaxMind.com\xe9");
    let values: [(&str, &[u8]); 9] = [
        ("binary_format_major_version", &[0xa1, 2]),
        ("binary_format_minor_version", &[0xa0]),
        ("build_epoch", &[0x01, 0x02, 1]),
        ("database_type", &[0x41, b'x']),
        ("description", &[0xe0]),
        ("ip_version", &[0xa1, 4]),
        ("languages", &[0x00, 0x04]),
        ("node_count", &[0xc1, 1]),
        ("record_size", &[0xa1, 24]),
    ];
    for (key, value) in values {
        text(&mut file, key);
        file.extend(value);
    }
    file
}

fn text(out: &mut Vec<u8>, text: &str) {
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    if length < 29 {
        out.push(0x40 | length);
    } else {
        // A string (2 in the upper three bits) whose length is in the next byte (29).
        out.extend([0x5d, length - 29]);
    }
    out.extend(text.as_bytes());
}
