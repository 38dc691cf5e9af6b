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
