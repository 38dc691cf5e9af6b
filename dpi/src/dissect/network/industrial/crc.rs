//! The checksums by which the field's link layers can be told from noise. Bit by bit: frames are
//! short, and a table would cost more cache than it saves.

/// CRC-16 of DNP3 (IEEE 1815 section 9.2): reflected polynomial 0xa6bc, complemented.
pub(super) fn dnp3(bytes: &[u8]) -> u16 {
    !reflected(bytes, 0, 0xa6bc)
}

/// CRC-16 of HDLC (ISO/IEC 13239): reflected polynomial 0x8408, all ones before and after.
pub(super) fn hdlc(bytes: &[u8]) -> u16 {
    !reflected(bytes, 0xffff, 0x8408)
}

/// CRC-CCITT as IEEE C37.118.2 annex B has it: polynomial 0x1021 from all ones.
pub(super) fn ccitt(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
        })
    })
}

fn reflected(bytes: &[u8], start: u16, polynomial: u16) -> u16 {
    bytes.iter().fold(start, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
            if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ polynomial }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The catalogue's check values: each checksum of the nine digits.
    #[test]
    fn check_values() {
        assert_eq!(dnp3(b"123456789"), 0xea82);
        assert_eq!(hdlc(b"123456789"), 0x906e);
        assert_eq!(ccitt(b"123456789"), 0x29b1);
    }
}
