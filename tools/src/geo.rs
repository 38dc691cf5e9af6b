//! Whose network an address is in, and in which country, by files in the `MaxMind` format (MMDB).
//! Works without any.

use std::fmt;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use clap::Args;

use maxminddb::{PathElement, Reader};
use weir_shm::Attached;

use crate::exit::{Code, failure};

/// Which files. Without, those that the engine's settings name (`hosts.asn_db`, `hosts.country_db`).
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct GeoArgs {
    /// A file of autonomous systems in the MMDB format, such as GeoLite2-ASN.mmdb [default: the
    /// engine's `hosts.asn_db`].
    #[arg(long, value_name = "FILE", env = "WEIR_ASN_DB")]
    asn_db: Option<PathBuf>,

    /// A file of countries in the MMDB format, such as GeoLite2-Country.mmdb [default: the engine's
    /// `hosts.country_db`].
    #[arg(long, value_name = "FILE", env = "WEIR_COUNTRY_DB")]
    country_db: Option<PathBuf>,
}

impl GeoArgs {
    /// Reads the files; from then on [`known`] has them.
    ///
    /// # Errors
    /// A file that was asked for here cannot be read. One of the engine's that cannot is only told:
    /// it may be there for others.
    pub(crate) fn learn(&self, engine: &Attached) -> anyhow::Result<()> {
        let set = |key| engine.info().setting(key).map(PathBuf::from);
        let open = |asked: &Option<PathBuf>, set: Option<PathBuf>| match (asked, set) {
            (Some(path), _) => open(path).map(Some),
            (None, Some(path)) => Ok(match open(&path) {
                Ok(database) => Some(database),
                Err(error) => {
                    let what = "the engine's settings name a file that cannot be read";
                    writeln!(io::stderr(), "weir: {what}: {error:#}").ok();
                    None
                }
            }),
            (None, None) => Ok(None),
        };
        let asn = open(&self.asn_db, set("hosts.asn_db"))?;
        let country = open(&self.country_db, set("hosts.country_db"))?;
        // Once a program: what was learned first stays.
        GEO.set(Geo { asn, country }).ok();
        Ok(())
    }
}

static GEO: OnceLock<Geo> = OnceLock::new();

/// What was learned; empty before.
pub(crate) fn known() -> &'static Geo {
    static NOTHING: Geo = Geo { asn: None, country: None };
    GEO.get().unwrap_or(&NOTHING)
}

type Database = Reader<Vec<u8>>;

fn open(path: &Path) -> anyhow::Result<Database> {
    Reader::open_readfile(path)
        .map_err(|error| failure(Code::Failed, format!("{}: {error}", path.display())))
}

/// See the module.
pub(crate) struct Geo {
    asn: Option<Database>,
    country: Option<Database>,
}

impl fmt::Debug for Geo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of the files themselves nobody wants to see all.
        let (asns, countries) = (self.has_asns(), self.has_countries());
        f.debug_struct("Geo").field("asns", &asns).field("countries", &countries).finish()
    }
}

impl Geo {
    /// Whether there is a file of autonomous systems.
    pub(crate) fn has_asns(&self) -> bool {
        self.asn.is_some()
    }

    /// Whether there is a file of countries.
    pub(crate) fn has_countries(&self) -> bool {
        self.country.is_some()
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

/// An autonomous system for people: `AS64500 Example`.
pub(crate) fn asn_text(number: &str, name: &str) -> String {
    format!("{number} {name}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_are_looked_up() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("asn.mmdb");
        std::fs::write(&file, weir_tests::mmdb::asns()).unwrap();
        let geo = Geo { asn: Some(open(&file).unwrap()), country: None };
        let asn = |text: &str| geo.asn(text.parse().unwrap());
        assert_eq!(asn("10.0.0.1"), Some((64_500, "Example".to_owned())));
        assert_eq!(asn("200.0.0.1"), None);
        assert_eq!(geo.country("10.0.0.1".parse().unwrap()), None);
        assert!(open(&place.path().join("none")).is_err());
        std::fs::write(&file, b"nonsense").unwrap();
        assert!(open(&file).is_err());
    }
}
