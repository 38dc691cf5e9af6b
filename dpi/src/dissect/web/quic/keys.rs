//! The keys of Initial packets (RFC 9001 sections 5.2 to 5.4) and opening such a packet.
//!
//! HMAC (RFC 2104) and HKDF (RFC 5869) over SHA-256 are written for messages of one block, which
//! is all that is needed here. The payload is AES-128-GCM (RFC 5116): only its key stream is
//! used. The tag is not checked, which would cost more than everything else together: a packet
//! opened with a wrong key fails the reserved bits and the frames, whose rules leave less than one
//! chance in 2^30.

use super::version::{CLIENT_IN, Version};
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128Enc, Block};
use sha2::block_api::compress256;

/// Bytes of payload opened at most; what follows in larger datagrams is not read.
pub(super) const OPEN_BYTES: usize = 1536;
/// Blocks of key stream made at once; the cipher's hardware form keeps eight in flight.
const BLOCKS: usize = 8;

/// The client's Initial keys.
pub(super) struct ClientKeys {
    packet: Aes128Enc,
    header: Aes128Enc,
    iv: [u8; 12],
}

/// A packet opened: its frames, as far as they fit.
pub(super) struct Opened {
    bytes: [u8; OPEN_BYTES],
    used: usize,
    /// The packet was longer than what was opened.
    pub(super) cut: bool,
    /// Where the handshake's first bytes are and how many, once the frames were walked.
    pub(super) first: Option<(usize, usize)>,
}

impl Opened {
    #[cfg(test)]
    pub(super) fn of(frames: &[u8]) -> Opened {
        let mut opened =
            Opened { bytes: [0; OPEN_BYTES], used: frames.len(), cut: false, first: None };
        opened.bytes[..frames.len()].copy_from_slice(frames);
        opened
    }

    pub(super) fn frames(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }
}

impl ClientKeys {
    /// The keys that follow from the destination connection id of the client's first packet.
    pub(super) fn derive(version: &Version, id: &[u8]) -> Option<ClientKeys> {
        let initial = Hmac::new(version.salt).sign(id)?;
        let client = Hmac::new(&initial).sign(CLIENT_IN)?;
        let client = Hmac::new(&client);
        let key = client.sign(version.labels.key)?;
        let iv = client.sign(version.labels.iv)?;
        let header = client.sign(version.labels.header)?;
        Some(ClientKeys {
            packet: Aes128Enc::new(key.first_chunk::<16>()?.into()),
            header: Aes128Enc::new(header.first_chunk::<16>()?.into()),
            iv: *iv.first_chunk()?,
        })
    }

    /// Opens a packet: `first` is its first byte, `sealed` everything from the packet number on.
    /// `None` if the reserved bits say that the keys are not these.
    pub(super) fn open(&self, first: u8, sealed: &[u8]) -> Option<Opened> {
        let sample = sealed.get(4..20)?.first_chunk::<16>()?;
        let mut mask = (*sample).into();
        self.header.encrypt_block(&mut mask);
        let [mask_first, mask_number @ ..] = <[u8; 16]>::from(mask);
        let first = first ^ (mask_first & 0x0f);
        if first & 0x0c != 0 {
            return None;
        }
        let number_bytes = usize::from(first & 3) + 1;
        let mut number = 0_u32;
        for (byte, mask) in sealed.iter().zip(mask_number).take(number_bytes) {
            number = number << 8 | u32::from(byte ^ mask);
        }
        // The tag's 16 bytes are at the end.
        let end = sealed.len().checked_sub(16)?;
        let body = sealed.get(number_bytes..end)?;
        Some(self.decrypt(number, body))
    }

    /// Seals a packet whose header ends with a packet number of four bytes: what [`Self::open`]
    /// undoes, with a tag of zeros.
    #[cfg(test)]
    pub(super) fn seal(&self, header: &[u8], number: u32, frames: &[u8]) -> Vec<u8> {
        let body = self.decrypt(number, frames);
        let mut packet = header.to_vec();
        packet.extend(body.frames());
        packet.extend([0; 16]);
        let number_at = header.len() - 4;
        let mut mask = (*packet[header.len()..].first_chunk::<16>().unwrap()).into();
        self.header.encrypt_block(&mut mask);
        packet[0] ^= mask[0] & 0x0f;
        for (byte, mask) in packet[number_at..header.len()].iter_mut().zip(&mask[1..]) {
            *byte ^= mask;
        }
        packet
    }

    fn decrypt(&self, number: u32, body: &[u8]) -> Opened {
        let mut counter = [0_u8; 16];
        let mut nonce = self.iv;
        for (byte, number) in nonce.iter_mut().skip(8).zip(number.to_be_bytes()) {
            *byte ^= number;
        }
        for (to, from) in counter.iter_mut().zip(nonce) {
            *to = from;
        }
        let used = body.len().min(OPEN_BYTES);
        let mut opened =
            Opened { bytes: [0; OPEN_BYTES], used, cut: body.len() > used, first: None };
        // Block 1 belongs to the tag.
        let mut block = 2_u32;
        let pieces = opened.bytes.chunks_mut(16 * BLOCKS).zip(body.chunks(16 * BLOCKS));
        for (to, from) in pieces {
            let mut stream: [Block; BLOCKS] = [counter.into(); BLOCKS];
            for stream_block in &mut stream {
                for (byte, value) in stream_block.iter_mut().skip(12).zip(block.to_be_bytes()) {
                    *byte = value;
                }
                block += 1;
            }
            self.packet.encrypt_blocks(&mut stream);
            xor(to, from, &stream);
        }
        opened
    }
}

/// Writes `from`, exclusive-or the key stream, to `to`; whole blocks as one number each.
fn xor(to: &mut [u8], from: &[u8], stream: &[Block; BLOCKS]) {
    let (to_blocks, to_rest) = to.as_chunks_mut::<16>();
    let (from_blocks, from_rest) = from.as_chunks::<16>();
    for ((to, from), key) in to_blocks.iter_mut().zip(from_blocks).zip(stream) {
        let key = u128::from_ne_bytes((*key).into());
        *to = (u128::from_ne_bytes(*from) ^ key).to_ne_bytes();
    }
    // The last piece: the buffer is longer than what was sent.
    let key = stream.get(from_blocks.len()).into_iter().flatten();
    let rest = to_blocks.get_mut(from_blocks.len()).map_or(to_rest, |block| &mut block[..]);
    for ((to, from), key) in rest.iter_mut().zip(from_rest).zip(key) {
        *to = from ^ key;
    }
}

/// HMAC-SHA-256 with the key already taken in.
struct Hmac {
    inner: [u32; 8],
    outer: [u32; 8],
}

/// SHA-256's starting value (FIPS 180-4 section 5.3.3).
const START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

impl Hmac {
    /// Keys are 20 or 32 bytes here; a longer one than a block would be cut.
    fn new(key: &[u8]) -> Hmac {
        let mut block = [0x36_u8; 64];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        let mut inner = START;
        compress256(&mut inner, &[block]);
        for byte in &mut block {
            *byte ^= 0x36 ^ 0x5c;
        }
        let mut outer = START;
        compress256(&mut outer, &[block]);
        Hmac { inner, outer }
    }

    /// Signs a message of at most 55 bytes; `None` if it is longer.
    fn sign(&self, message: &[u8]) -> Option<[u8; 32]> {
        let inner = finish(self.inner, message)?;
        finish(self.outer, &inner)
    }
}

/// Hashes one last block behind the key's block.
fn finish(mut state: [u32; 8], message: &[u8]) -> Option<[u8; 32]> {
    let mut block = [0_u8; 64];
    let (body, length) = block.split_last_chunk_mut::<8>()?;
    let (to, padding) = body.split_at_mut_checked(message.len())?;
    to.copy_from_slice(message);
    *padding.first_mut()? = 0x80;
    *length = ((64 + message.len() as u64) * 8).to_be_bytes();
    compress256(&mut state, &[block]);
    let mut hash = [0; 32];
    for (to, word) in hash.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::super::version;
    use super::*;

    /// RFC 9001 appendix A.1.
    #[test]
    fn the_keys_of_the_rfc_example() {
        let version = version::find(1).unwrap();
        let id = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];
        let initial = Hmac::new(version.salt).sign(&id).unwrap();
        assert_eq!(initial[..4], [0x7d, 0xb5, 0xdf, 0x06]);
        let client = Hmac::new(&initial).sign(CLIENT_IN).unwrap();
        assert_eq!(client[..4], [0xc0, 0x0c, 0xf1, 0x51]);
        let keys = ClientKeys::derive(&version, &id).unwrap();
        assert_eq!(
            keys.iv,
            [0xfa, 0x04, 0x4b, 0x2f, 0x42, 0xa3, 0xfd, 0x3b, 0x46, 0xfb, 0x25, 0x5c]
        );
    }

    /// RFC 9369 appendix A.1.
    #[test]
    fn the_keys_of_version_two() {
        let version = version::find(0x6b33_43cf).unwrap();
        let id = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];
        let keys = ClientKeys::derive(&version, &id).unwrap();
        assert_eq!(
            keys.iv,
            [0x91, 0xf7, 0x3e, 0x23, 0x51, 0xd8, 0xfa, 0x91, 0x66, 0x0e, 0x90, 0x9f]
        );
    }

    /// RFC 4231 test case 2.
    #[test]
    fn hmac_signs_as_the_rfc_says() {
        let signed = Hmac::new(b"Jefe").sign(b"what do ya want for nothing?").unwrap();
        assert_eq!(signed[..8], [0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e]);
        assert!(Hmac::new(b"Jefe").sign(&[0; 56]).is_none());
        assert!(Hmac::new(b"Jefe").sign(&[0; 55]).is_some());
    }
}
