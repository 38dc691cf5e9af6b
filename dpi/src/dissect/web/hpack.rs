//! Header blocks of HTTP/2 (RFC 7541), as far as the first block of a connection needs: the
//! static table and literals, plain and Huffman-coded. The dynamic table is not kept; a field that
//! refers to it is passed over.

use crate::reader::Reader;

/// Fields read of a block.
const FIELDS_MOST: usize = 64;
/// Bytes of a decoded value; a longer one is cut.
pub(super) const VALUE_BYTES: usize = 255;

/// A field worth knowing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Name {
    Authority,
    Method,
    Path,
    Status,
    ContentType,
    Server,
    UserAgent,
}

/// Calls `each` for every field that is worth knowing. `None` if the block is malformed.
pub(super) fn each_field(block: &[u8], mut each: impl FnMut(Name, &[u8])) -> Option<()> {
    let mut reader = Reader::new(block);
    let mut buffer = [0; VALUE_BYTES];
    for _ in 0..FIELDS_MOST {
        let Some(&first) = reader.rest().first() else { return Some(()) };
        match first {
            // An indexed field (section 6.1).
            0x80.. => {
                let index = integer(&mut reader, 7)?;
                if let Some((name, value)) = static_field(index) {
                    each(name, value);
                }
            }
            // A change of the dynamic table's size (section 6.3).
            0x20..=0x3f => {
                integer(&mut reader, 5)?;
            }
            // A literal, indexed or not (section 6.2).
            _ => {
                let index = integer(&mut reader, if first & 0x40 != 0 { 6 } else { 4 })?;
                let name = if index == 0 {
                    by_literal(string(&mut reader, &mut buffer)?)
                } else {
                    static_name(index)
                };
                let value = string(&mut reader, &mut buffer)?;
                if let Some(name) = name {
                    each(name, value);
                }
            }
        }
    }
    Some(())
}

/// An integer with a prefix of so many bits (section 5.1).
fn integer(reader: &mut Reader<'_>, bits: u32) -> Option<u32> {
    let most = (1_u32 << bits) - 1;
    let mut value = u32::from(reader.u8()?) & most;
    if value < most {
        return Some(value);
    }
    for shift in [0, 7, 14] {
        let byte = u32::from(reader.u8()?);
        value += (byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    // Larger than any index or length in a block that is read.
    None
}

/// A string (section 5.2), decoded into `buffer` if need be.
fn string<'s, 'r: 's>(
    reader: &mut Reader<'r>,
    buffer: &'s mut [u8; VALUE_BYTES],
) -> Option<&'s [u8]> {
    let coded = reader.rest().first()? & 0x80 != 0;
    let length = usize::try_from(integer(reader, 7)?).ok()?;
    let bytes = reader.take(length)?;
    if coded { huffman(bytes, buffer) } else { Some(bytes) }
}

/// Number of codes of each length from 5 to 15 bits (appendix B). The code is canonical, so the
/// lengths and the order of the symbols give the codes. Longer codes are of control characters
/// and bytes above ASCII, which the fields read here do not hold.
const COUNTS: [u16; 11] = [10, 26, 32, 6, 0, 5, 3, 2, 6, 2, 3];
/// The symbols in the order of their codes.
const SYMBOLS: &[u8; 95] = b"012aceiost %-./3456789=A_bdfghlmnpru:BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz\
    &*,;XZ!\"()?'+|#>\x00$@[]~^}<`{";

fn huffman<'a>(bytes: &[u8], buffer: &'a mut [u8; VALUE_BYTES]) -> Option<&'a [u8]> {
    let mut used = 0;
    // The code read so far, its length, and the first code and symbol of that length.
    let (mut code, mut length, mut first, mut symbol) = (0_u16, 0_usize, 0_u16, 0_u16);
    for bit in (0..bytes.len() * 8).map(|at| {
        let byte = bytes.get(at / 8).copied().unwrap_or_default();
        u16::from(byte >> (7 - at % 8) & 1)
    }) {
        code = code << 1 | bit;
        first <<= 1;
        length += 1;
        let Some(index) = length.checked_sub(5) else { continue };
        let count = *COUNTS.get(index)?;
        if code < first + count {
            let index = usize::from(symbol + (code - first));
            let Some(slot) = buffer.get_mut(used) else { break };
            *slot = *SYMBOLS.get(index)?;
            used += 1;
            (code, length, first, symbol) = (0, 0, 0, 0);
        } else {
            first += count;
            symbol += count;
        }
    }
    buffer.get(..used)
}

/// The name of an entry of the static table (appendix A).
fn static_name(index: u32) -> Option<Name> {
    Some(match index {
        1 => Name::Authority,
        2 | 3 => Name::Method,
        4 | 5 => Name::Path,
        8..=14 => Name::Status,
        31 => Name::ContentType,
        54 => Name::Server,
        58 => Name::UserAgent,
        _ => return None,
    })
}

/// Name and value of an entry of the static table.
fn static_field(index: u32) -> Option<(Name, &'static [u8])> {
    let value: &[u8] = match index {
        2 => b"GET",
        3 => b"POST",
        4 => b"/",
        5 => b"/index.html",
        8 => b"200",
        9 => b"204",
        10 => b"206",
        11 => b"304",
        12 => b"400",
        13 => b"404",
        14 => b"500",
        _ => return None,
    };
    Some((static_name(index)?, value))
}

fn by_literal(name: &[u8]) -> Option<Name> {
    Some(match name {
        b":authority" => Name::Authority,
        b":method" => Name::Method,
        b":path" => Name::Path,
        b":status" => Name::Status,
        b"content-type" => Name::ContentType,
        b"server" => Name::Server,
        b"user-agent" => Name::UserAgent,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(block: &[u8]) -> Option<Vec<(Name, Vec<u8>)>> {
        let mut fields = Vec::new();
        each_field(block, |name, value| fields.push((name, value.to_vec())))?;
        Some(fields)
    }

    /// RFC 7541 appendix C.3.1 and C.4.1: the same request, plain and Huffman-coded.
    #[test]
    fn the_requests_of_the_rfc() {
        let plain = b"\x82\x86\x84\x41\x0fwww.example.com";
        let coded = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
        for block in [&plain[..], coded] {
            let expected = [
                (Name::Method, b"GET".to_vec()),
                (Name::Path, b"/".to_vec()),
                (Name::Authority, b"www.example.com".to_vec()),
            ];
            assert_eq!(fields(block).unwrap(), expected);
        }
    }

    /// RFC 7541 appendix C.6.1: a status of its own, Huffman-coded.
    #[test]
    fn the_response_of_the_rfc() {
        let block = b"\x48\x82\x64\x02\x58\x85\xae\xc3\x77\x1a\x4b";
        assert_eq!(fields(block).unwrap(), [(Name::Status, b"302".to_vec())]);
    }

    #[test]
    fn the_code_has_as_many_symbols_as_counted() {
        assert_eq!(COUNTS.iter().sum::<u16>(), 95);
        let mut sorted = *SYMBOLS;
        sorted.sort_unstable();
        assert!(sorted.windows(2).all(|pair| pair[0] < pair[1]));
    }

    proptest! {
        #[test]
        fn any_block_is_read_to_an_end(block in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = fields(&block);
        }
    }
}
