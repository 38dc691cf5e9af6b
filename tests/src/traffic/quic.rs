//! QUIC Initial packets, sealed as RFC 9001 says: keys from the client's connection id (section
//! 5.2), AES-128-GCM over the frames (5.3), a mask over the header (5.4).

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128Enc, Block};
use sha2::{Digest, Sha256};

/// RFC 9001, section 5.2.
const SALT: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad,
    0xcc, 0xbb, 0x7f, 0x0a,
];
/// Bytes of packet number: the most, as the first bits of a header below say.
const NUMBER_BYTES: usize = 4;
const TAG_BYTES: usize = 16;
/// A client's datagram with an Initial is this large at least (RFC 9000, section 14.1).
const DATAGRAM: usize = 1200;

/// The keys of one side's Initial packets.
#[derive(Debug)]
pub struct Keys {
    payload: Aes128Enc,
    header: Aes128Enc,
    iv: [u8; 12],
}

impl Keys {
    /// From the connection id that the client chose for the server, and `client in` or `server in`.
    pub fn new(id: &[u8], label: &str) -> Keys {
        let secret = hmac(&hmac(&SALT, id), &info(label, 32));
        let part = |label: &str, bytes: u16| hmac(&secret, &info(label, bytes));
        let cipher = |key: [u8; 32]| Aes128Enc::new(&first::<16>(&key).into());
        Keys {
            payload: cipher(part("quic key", 16)),
            header: cipher(part("quic hp", 16)),
            iv: first(&part("quic iv", 12)),
        }
    }

    /// An Initial packet of version 1 from `source` to `target` (connection ids), padded so that it
    /// is `DATAGRAM` bytes.
    pub fn initial(&self, target: &[u8], source: &[u8], number: u32, frames: &[u8]) -> Vec<u8> {
        let mut header = vec![0xc3, 0, 0, 0, 1];
        for id in [target, source] {
            header.push(u8::try_from(id.len()).unwrap_or(0));
            header.extend(id);
        }
        // No token; the length in two bytes.
        header.push(0);
        let length = DATAGRAM - header.len() - 2;
        header.extend((u16::try_from(length).unwrap_or(0) | 0x4000).to_be_bytes());
        header.extend(number.to_be_bytes());
        let mut padded = frames.to_vec();
        padded.resize(length - NUMBER_BYTES - TAG_BYTES, 0);
        self.seal(&header, number, &padded)
    }

    /// The packet of a header that ends with its number, and of frames.
    fn seal(&self, header: &[u8], number: u32, frames: &[u8]) -> Vec<u8> {
        let mut nonce = self.iv;
        for (byte, of) in nonce.iter_mut().skip(8).zip(number.to_be_bytes()) {
            *byte ^= of;
        }
        let block = |counter: u32| {
            let mut block = [0; 16];
            block[..12].copy_from_slice(&nonce);
            block[12..].copy_from_slice(&counter.to_be_bytes());
            one(&self.payload, block)
        };
        let mut sealed = frames.to_vec();
        for (piece, counter) in sealed.chunks_mut(16).zip(2..) {
            for (byte, key) in piece.iter_mut().zip(block(counter)) {
                *byte ^= key;
            }
        }
        let sum = ghash(u128::from_be_bytes(one(&self.payload, [0; 16])), header, &sealed);
        sealed.extend((sum ^ u128::from_be_bytes(block(1))).to_be_bytes());
        let mut packet = [header, &sealed].concat();
        let number_at = header.len() - NUMBER_BYTES;
        let mask = one(&self.header, first(&packet[header.len()..]));
        packet[0] ^= mask[0] & 0x0f;
        for (byte, mask) in packet[number_at..header.len()].iter_mut().zip(&mask[1..]) {
            *byte ^= mask;
        }
        packet
    }
}

/// A CRYPTO frame (RFC 9000, section 19.6).
pub fn crypto(offset: usize, message: &[u8]) -> Vec<u8> {
    let two = |value: usize| (u16::try_from(value).unwrap_or(0) | 0x4000).to_be_bytes();
    [&[6], &two(offset)[..], &two(message.len()), message].concat()
}

fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[..N]);
    out
}

fn one(cipher: &Aes128Enc, block: [u8; 16]) -> [u8; 16] {
    let mut block: Block = block.into();
    cipher.encrypt_block(&mut block);
    block.into()
}

/// What a key is expanded with (RFC 8446, section 7.1), and the counter of the only round
/// (RFC 5869, section 2.3): no key is longer than a hash.
fn info(label: &str, bytes: u16) -> Vec<u8> {
    let label = format!("tls13 {label}");
    let mut info = bytes.to_be_bytes().to_vec();
    info.push(u8::try_from(label.len()).unwrap_or(0));
    info.extend(label.as_bytes());
    info.extend([0, 1]);
    info
}

/// RFC 2104, for keys no longer than a block.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let pad = |with: u8| {
        let mut block = [with; 64];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        block
    };
    let inner: [u8; 32] =
        Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize().into();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}

/// NIST SP 800-38D, section 6.4, over what is signed alone, what is sealed, and both lengths.
fn ghash(key: u128, signed: &[u8], sealed: &[u8]) -> u128 {
    let bits = |bytes: &[u8]| bytes.len() as u128 * 8;
    let blocks = signed.chunks(16).chain(sealed.chunks(16)).map(|piece| {
        let mut block = [0; 16];
        block[..piece.len()].copy_from_slice(piece);
        u128::from_be_bytes(block)
    });
    let lengths = bits(signed) << 64 | bits(sealed);
    blocks.chain([lengths]).fold(0, |sum, block| product(sum ^ block, key))
}

/// The product in the field of SP 800-38D, section 6.3, a bit at a time.
fn product(a: u128, b: u128) -> u128 {
    let (mut sum, mut shifted) = (0, b);
    for bit in (0..128).rev() {
        if a >> bit & 1 == 1 {
            sum ^= shifted;
        }
        shifted = shifted >> 1 ^ if shifted & 1 == 1 { 0xe1 << 120 } else { 0 };
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9001, appendix A.2: the client's Initial, of which the mask, the header and the tag
    /// depend on every step here.
    #[test]
    fn the_packet_of_the_rfc() {
        const HELLO: &str = "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe\
            3a47f06a2b69484c00000413011302010000c000000010000e00000b6578616d706c652e636f6dff0100\
            0100000a00080006001d0017001800100007000504616c706e0005000501000000000033002600240\
            01d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b00030203\
            04000d0010000e0403050306030203080408050806002d00020101001c00024001003900320408fffff\
            fffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e5157080604\
            8000ffff";
        let hex = |text: &str| -> Vec<u8> {
            let at = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
            (0..text.len()).step_by(2).map(at).collect()
        };
        let id = hex("8394c8f03e515708");
        let keys = Keys::new(&id, "client in");
        let packet = keys.initial(&id, &[], 2, &hex(HELLO));
        assert_eq!(packet.len(), 1200);
        assert_eq!(packet[..22], hex("c000000001088394c8f03e5157080000449e7b9aec34"));
        assert_eq!(packet[1184..], hex("e221af44860018ab0856972e194cd934"));
    }
}
