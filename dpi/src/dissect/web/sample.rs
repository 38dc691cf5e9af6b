//! What the family's tests share: bytes from hexadecimal, and hellos to order.

/// The bytes of a hexadecimal text; blanks are passed over.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// An extension.
pub(super) fn extension(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = kind.to_be_bytes().to_vec();
    bytes.extend((value.len() as u16).to_be_bytes());
    bytes.extend(value);
    bytes
}

/// A server name extension.
pub(super) fn server_name(name: &str) -> Vec<u8> {
    let mut value = ((name.len() + 3) as u16).to_be_bytes().to_vec();
    value.push(0);
    value.extend((name.len() as u16).to_be_bytes());
    value.extend(name.as_bytes());
    extension(0, &value)
}

/// A protocol name extension.
pub(super) fn protocols(names: &[&str]) -> Vec<u8> {
    let mut list = Vec::new();
    for name in names {
        list.push(name.len() as u8);
        list.extend(name.as_bytes());
    }
    let mut value = (list.len() as u16).to_be_bytes().to_vec();
    value.extend(list);
    extension(16, &value)
}

/// A whole `ClientHello` message, handshake header included.
pub(super) fn client_hello(ciphers: &[u16], extensions: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([0x5a; 32]);
    body.push(0);
    body.extend(((ciphers.len() * 2) as u16).to_be_bytes());
    body.extend(ciphers.iter().flat_map(|cipher| cipher.to_be_bytes()));
    body.extend([1, 0]);
    let extensions = extensions.concat();
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let mut message = (body.len() as u32 | 0x0100_0000).to_be_bytes().to_vec();
    message.extend(body);
    message
}

/// Records of at most `most` bytes each that hold `message`.
pub(super) fn records(message: &[u8], most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in message.chunks(most) {
        bytes.extend([22, 3, 1]);
        bytes.extend((piece.len() as u16).to_be_bytes());
        bytes.extend(piece);
    }
    bytes
}
