//! Whose network an address is in, and in which country, by files in the `MaxMind` format (MMDB).
//! Works without any.

use std::net::IpAddr;
use std::path::Path;

use maxminddb::{PathElement, Reader};

use crate::exit::{Code, failure};

type Database = Reader<Vec<u8>>;

/// See the module.
#[derive(Default)]
pub(crate) struct Geo {
    asn: Option<Database>,
    country: Option<Database>,
}

impl Geo {
    /// Reads the files that are given.
    ///
    /// # Errors
    /// One of them cannot be read, or is no such file.
    pub(crate) fn load(asn: Option<&Path>, country: Option<&Path>) -> anyhow::Result<Geo> {
        let open = |path: Option<&Path>| match path {
            None => Ok(None),
            Some(path) => match Reader::open_readfile(path) {
                Ok(reader) => Ok(Some(reader)),
                Err(error) => Err(failure(Code::Failed, format!("{}: {error}", path.display()))),
            },
        };
        Ok(Geo { asn: open(asn)?, country: open(country)? })
    }

    /// Whether there is anything to look up.
    pub(crate) fn is_empty(&self) -> bool {
        self.asn.is_none() && self.country.is_none()
    }

    /// The autonomous system: number and name.
    pub(crate) fn asn(&self, address: IpAddr) -> Option<(u32, String)> {
        let found = self.asn.as_ref()?.lookup(address).ok()?;
        let key = |name| [PathElement::Key(name)];
        let number = found.decode_path::<u32>(&key("autonomous_system_number")).ok()??;
        let name = found.decode_path::<String>(&key("autonomous_system_organization"));
        Some((number, name.ok().flatten().unwrap_or_default()))
    }

    /// The country's two letters (ISO 3166).
    pub(crate) fn country(&self, address: IpAddr) -> Option<String> {
        let found = self.country.as_ref()?.lookup(address).ok()?;
        let path = [PathElement::Key("country"), PathElement::Key("iso_code")];
        found.decode_path::<String>(&path).ok()?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(out: &mut Vec<u8>, text: &str) {
        let length = u8::try_from(text.len()).unwrap();
        if length < 29 {
            out.push(0x40 | length);
        } else {
            // A string (2 in the upper three bits) whose length is in the next byte (29).
            out.extend([0x5d, length - 29]);
        }
        out.extend(text.as_bytes());
    }

    /// A database of one node: the lower half of IPv4 is of one system, the other is not known.
    fn database() -> Vec<u8> {
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

    #[test]
    fn systems_are_looked_up() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("asn.mmdb");
        std::fs::write(&file, database()).unwrap();
        let geo = Geo::load(Some(&file), None).unwrap();
        let asn = |text: &str| geo.asn(text.parse().unwrap());
        assert_eq!(asn("10.0.0.1"), Some((64_500, "Example".to_owned())));
        assert_eq!(asn("200.0.0.1"), None);
        assert_eq!(geo.country("10.0.0.1".parse().unwrap()), None);
        assert!(Geo::load(None, Some(&place.path().join("none"))).is_err());
        std::fs::write(&file, b"nonsense").unwrap();
        assert!(Geo::load(Some(&file), None).is_err());
    }
}
