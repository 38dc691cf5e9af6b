//! Who made a network interface, by the first half of its hardware address.
//!
//! The registry has some fifty thousand rows and is not ours to carry: it is read from where the
//! system keeps it. Without it, a few makers that are seen everywhere are known.

use std::collections::HashMap;
use std::path::Path;

/// Where systems keep the registry: Debian's `ieee-data`, and `hwdata`.
const PLACES: &[&str] = &["/usr/share/ieee-data/oui.txt", "/usr/share/hwdata/oui.txt"];

/// Assignments of the public registry (IEEE MA-L) that are seen everywhere.
const KNOWN: &[([u8; 3], &str)] = &[
    ([0x00, 0x00, 0x0c], "Cisco"),
    ([0x00, 0x03, 0x93], "Apple"),
    ([0x00, 0x05, 0x69], "VMware"),
    ([0x00, 0x0c, 0x29], "VMware"),
    ([0x00, 0x0d, 0xb9], "PC Engines"),
    ([0x00, 0x11, 0x32], "Synology"),
    ([0x00, 0x14, 0x22], "Dell"),
    ([0x00, 0x15, 0x5d], "Microsoft Hyper-V"),
    ([0x00, 0x16, 0x3e], "Xen"),
    ([0x00, 0x17, 0x88], "Philips Hue"),
    ([0x00, 0x1b, 0x21], "Intel"),
    ([0x00, 0x1b, 0x63], "Apple"),
    ([0x00, 0x1c, 0x42], "Parallels"),
    ([0x00, 0x1c, 0xb3], "Apple"),
    ([0x00, 0x50, 0x56], "VMware"),
    ([0x08, 0x00, 0x20], "Oracle"),
    ([0x08, 0x00, 0x27], "VirtualBox"),
    ([0x18, 0xb4, 0x30], "Nest"),
    ([0x24, 0xa4, 0x3c], "Ubiquiti"),
    ([0x28, 0xcd, 0xc1], "Raspberry Pi"),
    ([0x3c, 0xd9, 0x2b], "HP"),
    ([0x44, 0xd9, 0xe7], "Ubiquiti"),
    ([0x4c, 0x5e, 0x0c], "MikroTik"),
    ([0x50, 0xc7, 0xbf], "TP-Link"),
    ([0x52, 0x54, 0x00], "QEMU or KVM"),
    ([0x54, 0x60, 0x09], "Google"),
    ([0x68, 0x05, 0xca], "Intel"),
    ([0x90, 0xe2, 0xba], "Intel"),
    ([0xa0, 0x36, 0x9f], "Intel"),
    ([0xb8, 0x27, 0xeb], "Raspberry Pi"),
    ([0xd8, 0x3a, 0xdd], "Raspberry Pi"),
    ([0xdc, 0xa6, 0x32], "Raspberry Pi"),
    ([0xe4, 0x5f, 0x01], "Raspberry Pi"),
    ([0xf0, 0x9f, 0xc2], "Ubiquiti"),
];

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Vendors {
    listed: HashMap<u32, String>,
}

impl Vendors {
    /// The registry at `path`, or where the system keeps it.
    ///
    /// # Errors
    /// `path` cannot be read.
    pub(crate) fn load(path: Option<&Path>) -> std::io::Result<Vendors> {
        let text = if let Some(path) = path {
            std::fs::read_to_string(path)?
        } else {
            let found = PLACES.iter().find_map(|place| std::fs::read_to_string(place).ok());
            found.unwrap_or_default()
        };
        Ok(Vendors { listed: parse(&text) })
    }

    /// The maker; none where it is not known.
    pub(crate) fn of(&self, mac: u64) -> Option<&str> {
        /// Set in addresses that no registry gave out.
        const LOCAL: u64 = 0x0200_0000_0000;
        let prefix = u32::try_from(mac >> 24).unwrap_or_default();
        let [_, bytes @ ..] = prefix.to_be_bytes();
        let listed = self.listed.get(&prefix).map(String::as_str);
        let known = || KNOWN.iter().find(|(known, _)| *known == bytes).map(|(_, name)| *name);
        listed.or_else(known).or((mac & LOCAL != 0).then_some("randomized or local"))
    }
}

/// Lines of `oui.txt` such as `00-00-0C   (hex)\t\tCisco Systems, Inc`.
fn parse(text: &str) -> HashMap<u32, String> {
    let row = |line: &str| {
        let (prefix, name) = line.split_once("(hex)")?;
        let prefix = u32::from_str_radix(&prefix.trim().replace('-', ""), 16).ok()?;
        Some((prefix, name.trim().to_owned()))
    };
    text.lines().filter_map(row).collect()
}

/// A hardware address as people write it.
pub(crate) fn mac_text(mac: u64) -> String {
    let [_, _, bytes @ ..] = mac.to_be_bytes();
    bytes.map(|byte| format!("{byte:02x}")).join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makers_are_found_by_prefix() {
        let vendors =
            Vendors { listed: parse("00-00-0C   (hex)\t\tCisco Systems, Inc\nnonsense\n") };
        assert_eq!(vendors.of(0x0000_0c12_3456), Some("Cisco Systems, Inc"));
        assert_eq!(vendors.of(0xb827_eb00_0001), Some("Raspberry Pi"));
        assert_eq!(vendors.of(0x0a00_0000_0001), Some("randomized or local"));
        assert_eq!(vendors.of(0x0412_3456_789a), None);
        assert_eq!(mac_text(0xb827_eb00_0001), "b8:27:eb:00:00:01");
    }
}
