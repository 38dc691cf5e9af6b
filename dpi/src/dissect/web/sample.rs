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

/// An element of the distinguished encoding.
pub(super) fn element(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag, 0x82];
    bytes.extend((value.len() as u16).to_be_bytes());
    bytes.extend(value);
    bytes
}

/// What [`certificate`] makes a certificate of.
pub(super) struct Issued<'a> {
    pub(super) common_name: &'a str,
    pub(super) issuer: &'a str,
    pub(super) names: &'a [&'a str],
    /// In the form of `UTCTime`.
    pub(super) not_before: &'a str,
    pub(super) not_after: &'a str,
}

impl Default for Issued<'_> {
    fn default() -> Self {
        Issued {
            common_name: "www.example.com",
            issuer: "Test CA",
            names: &[],
            not_before: "230722042640Z",
            not_after: "240703094640Z",
        }
    }
}

fn name(common: &str, organization: Option<&str>) -> Vec<u8> {
    let part = |id: u8, value: &str| {
        let pair = [element(6, &[0x55, 4, id]), element(0x0c, value.as_bytes())].concat();
        element(0x31, &element(0x30, &pair))
    };
    let organization = organization.map_or(vec![], |value| part(10, value));
    element(0x30, &[part(3, common), organization].concat())
}

/// A certificate: well formed, with a key and a signature that mean nothing.
pub(super) fn certificate(issued: &Issued<'_>) -> Vec<u8> {
    let algorithm = element(0x30, &element(6, &[0x2a, 0x03]));
    let validity =
        [element(0x17, issued.not_before.as_bytes()), element(0x17, issued.not_after.as_bytes())];
    let names: Vec<u8> =
        issued.names.iter().flat_map(|name| element(0x82, name.as_bytes())).collect();
    let alternative = [element(6, &[0x55, 0x1d, 17]), element(4, &element(0x30, &names))].concat();
    let basic =
        [element(6, &[0x55, 0x1d, 19]), element(1, &[0xff]), element(4, &[0x30, 0])].concat();
    let extensions = [element(0x30, &basic), element(0x30, &alternative)].concat();
    let self_signed = issued.issuer == issued.common_name;
    let body = [
        element(0xa0, &element(2, &[2])),
        element(2, &[1, 2, 3]),
        algorithm.clone(),
        name(issued.issuer, self_signed.then_some("Example")),
        element(0x30, &validity.concat()),
        name(issued.common_name, Some("Example")),
        element(0x30, &[algorithm.clone(), element(3, &[0, 1, 2, 3])].concat()),
        element(0xa3, &element(0x30, &extensions)),
    ];
    let body = element(0x30, &body.concat());
    element(0x30, &[body, algorithm, element(3, &[0; 40])].concat())
}
