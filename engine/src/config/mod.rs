//! The configuration: raw values become types once, here, and nothing later checks again.

mod alerts;
mod settings;
mod source;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use toml::Value;
use weir_dpi::risk::{self, Risks};

pub use settings::{Kind, SETTINGS, Setting, manual};
pub use source::SourceSpec;

use crate::alerts::AlertRules;
use crate::flow::timeouts::{Network, Timeouts};
use crate::hosts::{HostsPlan, Places};
use settings::Key;

/// Why a configuration is no good, and what would be.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each variant's message says what it is")]
pub enum ConfigError {
    #[error("cannot read {path}: {error}")]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error("{path} is not TOML: {error}")]
    NotToml { path: PathBuf, error: Box<toml::de::Error> },
    #[error("there is no setting `{key}`{near}; docs/CONFIG.md lists them all")]
    UnknownKey { key: String, near: String },
    #[error("`{key}` is {found}, but takes {wanted}")]
    WrongValue { key: &'static str, found: String, wanted: String },
    #[error("source `{0}` is none of xdp:INTERFACE, packet:INTERFACE, pcap:FILE")]
    NoSource(String),
    #[error("no source given: name one of xdp:INTERFACE, packet:INTERFACE, pcap:FILE")]
    NoSources,
    #[error("engine name `{0}`: use 1 to 64 letters, digits, dots, dashes and underscores")]
    BadName(String),
    #[error(
        "export.packet_access is `group`, but export.socket_group names none: set it to the group \
         that may read packets"
    )]
    NoSocketGroup,
    #[error("[[alerts.rule]] {rule}: {wrong}")]
    Alert { rule: String, wrong: String },
    #[error("several sources: files and interfaces cannot be mixed in one run")]
    MixedSources,
}

/// Who gives flows to shards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "as in docs/CONFIG.md, capture.split")]
pub enum SplitMode {
    Auto,
    Nic,
    Xdp,
}

/// Whether something is tried, left out, or a must.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "as in docs/CONFIG.md, capture.zero_copy")]
pub enum Wish {
    Auto,
    Off,
    Require,
}

/// Where the XDP program runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "as in docs/CONFIG.md, capture.xdp_mode")]
pub enum XdpPath {
    Auto,
    Native,
    Generic,
}

/// Who may read packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "as in docs/CONFIG.md, export.packet_access")]
pub enum PacketAccess {
    Owner,
    Group,
    Any,
}

/// The checked configuration of a run. Field by field as in `docs/CONFIG.md`.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "docs/CONFIG.md, made from SETTINGS, says what each is")]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Config {
    pub name: String,
    pub sources: Vec<SourceSpec>,
    /// 0: chosen by source and machine.
    pub shards: u16,
    pub pin: bool,
    pub split: SplitMode,
    pub zero_copy: Wish,
    pub xdp_mode: XdpPath,
    pub busy_poll: bool,
    pub frame_bytes: u32,
    pub frames_per_shard: u32,
    pub ring_descriptors: u32,
    pub promiscuous: bool,
    pub recover: bool,
    pub ignore_outgoing: bool,
    pub block_bytes: u32,
    pub blocks: u32,
    pub flows_per_shard: u32,
    pub timeouts: Option<Timeouts>,
    pub fragments: u32,
    pub hosts: Option<HostsPlan>,
    pub health: bool,
    pub inspect: bool,
    pub inspection: weir_dpi::Limits,
    pub rules: Vec<String>,
    pub alerts: Option<Arc<AlertRules>>,
    pub alert_places: u32,
    pub alert_ring_bytes: usize,
    pub record_ring_bytes: usize,
    pub arena_bytes: usize,
    pub packet_ring: u32,
    pub packet_leases: u32,
    pub packet_access: PacketAccess,
    pub socket_group: String,
    pub socket_mode: Option<u32>,
    pub huge_pages: bool,
    /// Settings that mean nothing to the engine: it hands them to whoever reads.
    pub for_readers: Vec<(&'static str, String)>,
}

/// Raw settings, each checked for kind and range: from defaults, a file, and options.
#[derive(Clone, Debug)]
pub struct Settings {
    values: Vec<Value>,
    /// `[[alerts.rule]]`, checked.
    alert_rules: AlertRules,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            values: SETTINGS.iter().map(|setting| default_of(setting.kind)).collect(),
            alert_rules: AlertRules::default(),
        }
    }
}

impl Settings {
    /// The defaults, with the file's values over them.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, or has a key or value that does not exist.
    pub fn from_file(path: &Path) -> Result<Settings, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable { path: path.into(), error })?;
        let table: toml::Table = text
            .parse()
            .map_err(|error| ConfigError::NotToml { path: path.into(), error: Box::new(error) })?;
        let mut settings = Settings::default();
        for (section, values) in table {
            let Value::Table(values) = values else {
                return Err(unknown(&section));
            };
            for (key, value) in values {
                settings.set(&format!("{section}.{key}"), value)?;
            }
        }
        Ok(settings)
    }

    /// Sets one value.
    ///
    /// # Errors
    /// There is no such key, or the value is not one it takes.
    pub fn set(&mut self, key: &str, value: Value) -> Result<(), ConfigError> {
        if key == "alerts.rule" {
            return alerts::read(&value, &mut self.alert_rules);
        }
        let index = SETTINGS.iter().position(|setting| setting.key == key);
        let index = index.ok_or_else(|| unknown(key))?;
        let setting = &SETTINGS[index];
        check(setting, &value)?;
        self.values[index] = value;
        Ok(())
    }

    /// The checked configuration of a run from `sources`.
    ///
    /// # Errors
    /// A value is not one that the engine can work with.
    pub fn into_config(self, name: &str, sources: &[String]) -> Result<Config, ConfigError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if name.is_empty() || name.len() > 64 || !name.chars().all(fits) || name.starts_with('.') {
            return Err(ConfigError::BadName(name.into()));
        }
        let sources: Vec<SourceSpec> =
            sources.iter().map(|text| SourceSpec::parse(text)).collect::<Result<_, _>>()?;
        let files = sources.iter().filter(|source| source.is_file()).count();
        if sources.is_empty() {
            return Err(ConfigError::NoSources);
        }
        if files != 0 && files != sources.len() {
            return Err(ConfigError::MixedSources);
        }
        Ok(Config {
            name: name.into(),
            sources,
            shards: self.number(Key::SHARDS),
            pin: self.flag(Key::PIN),
            split: [SplitMode::Auto, SplitMode::Nic, SplitMode::Xdp][self.choice(Key::SPLIT)],
            zero_copy: [Wish::Auto, Wish::Off, Wish::Require][self.choice(Key::ZERO_COPY)],
            xdp_mode: [XdpPath::Auto, XdpPath::Native, XdpPath::Generic]
                [self.choice(Key::XDP_MODE)],
            busy_poll: self.choice(Key::WAIT) == 1,
            frame_bytes: [2048, 4096][self.choice(Key::FRAME_BYTES)],
            frames_per_shard: self.number(Key::FRAMES),
            ring_descriptors: self.power_of_two(Key::RING)?,
            promiscuous: self.flag(Key::PROMISCUOUS),
            recover: self.flag(Key::RECOVER),
            ignore_outgoing: self.flag(Key::IGNORE_OUTGOING),
            block_bytes: self.power_of_two(Key::BLOCK_BYTES)?,
            blocks: self.number(Key::BLOCKS),
            flows_per_shard: self.number(Key::FLOWS),
            timeouts: self.timeouts()?,
            fragments: self.number(Key::FRAGMENTS),
            hosts: self.hosts()?,
            health: self.flag(Key::HEALTH),
            inspect: self.flag(Key::INSPECT),
            inspection: weir_dpi::Limits {
                flows: self.number(Key::INSPECTIONS),
                stream_buffers: self.number(Key::STREAMS),
                explain: self.flag(Key::EXPLAIN),
                risks: self.risks()?,
                ..weir_dpi::Limits::default()
            },
            rules: self.texts(Key::RULES).map(str::to_owned).collect(),
            alerts: self.alerts()?,
            alert_places: self.number(Key::ALERT_PLACES),
            alert_ring_bytes: self.power_of_two(Key::ALERT_RING)?,
            record_ring_bytes: self.power_of_two(Key::RECORDS)?,
            arena_bytes: self.number(Key::ARENA),
            packet_ring: self.power_of_two(Key::PACKETS)?,
            packet_leases: self.leases()?,
            packet_access: [PacketAccess::Owner, PacketAccess::Group, PacketAccess::Any]
                [self.choice(Key::PACKET_ACCESS)],
            socket_group: self.text(Key::SOCKET_GROUP),
            socket_mode: Some(self.socket_mode()?),
            huge_pages: self.flag(Key::HUGE),
            for_readers: self.for_readers(),
        })
    }

    fn leases(&self) -> Result<u32, ConfigError> {
        let (leases, ring): (u32, u32) = (self.number(Key::LEASES), self.number(Key::PACKETS));
        if leases <= ring / 2 {
            return Ok(leases);
        }
        Err(ConfigError::WrongValue {
            key: SETTINGS[Key::LEASES as usize].key,
            found: leases.to_string(),
            wanted: format!("half of export.packet_ring at most, {}", ring / 2),
        })
    }

    fn socket_mode(&self) -> Result<u32, ConfigError> {
        let text = self.text(Key::SOCKET_MODE);
        let mode = u32::from_str_radix(&text, 8).ok().filter(|mode| *mode <= 0o777);
        mode.ok_or_else(|| wrong(Key::SOCKET_MODE, &text))
    }

    fn text(&self, key: Key) -> String {
        self.values[key as usize].as_str().unwrap_or_default().to_owned()
    }

    fn timeouts(&self) -> Result<Option<Timeouts>, ConfigError> {
        if !self.flag(Key::TIMEOUTS) {
            return Ok(None);
        }
        let seconds = |key| self.number::<u64>(key) * 1_000_000_000;
        Ok(Some(Timeouts {
            idle_ns: seconds(Key::IDLE),
            local_idle_ns: seconds(Key::LOCAL_IDLE),
            active_ns: seconds(Key::ACTIVE),
            closed_ns: seconds(Key::CLOSED),
            local: self.networks(Key::LOCAL)?,
        }))
    }

    fn alerts(&self) -> Result<Option<Arc<AlertRules>>, ConfigError> {
        if !self.flag(Key::ALERTS) {
            return Ok(None);
        }
        Ok(Some(Arc::new(AlertRules {
            learn_s: self.number(Key::ALERT_LEARN),
            dhcp_servers: self.networks(Key::ALERT_DHCP)?,
            dns_servers: self.networks(Key::ALERT_DNS)?,
            keys: self.number(Key::ALERT_KEYS),
            ..self.alert_rules.clone()
        })))
    }

    fn networks(&self, key: Key) -> Result<Vec<Network>, ConfigError> {
        let network = |text| Network::parse(text).ok_or_else(|| wrong(key, text));
        self.texts(key).map(network).collect()
    }

    fn hosts(&self) -> Result<Option<HostsPlan>, ConfigError> {
        if !self.flag(Key::HOSTS) {
            return Ok(None);
        }
        Ok(Some(HostsPlan {
            capacity: self.number(Key::HOSTS_CAPACITY),
            local_capacity: self.number(Key::HOSTS_LOCAL_CAPACITY),
            names: self.number(Key::HOSTS_NAMES),
            places: Places::new(self.networks(Key::HOSTS_LOCAL)?, Vec::new()),
        }))
    }

    /// Paths become absolute: readers run elsewhere.
    fn for_readers(&self) -> Vec<(&'static str, String)> {
        let file = |key: Key| {
            let text = self.text(key);
            let path = std::path::absolute(&text).ok()?;
            Some((SETTINGS[key as usize].key, path.to_str()?.to_owned()))
        };
        [Key::HOSTS_ASN_DB, Key::HOSTS_COUNTRY_DB].into_iter().filter_map(file).collect()
    }

    /// Every risk but those that are switched off.
    fn risks(&self) -> Result<Risks, ConfigError> {
        let mut risks = Risks::ALL;
        for name in self.texts(Key::RISKS_OFF) {
            risks.clear(risk::by_name(name).ok_or_else(|| wrong(Key::RISKS_OFF, name))?);
        }
        Ok(risks)
    }

    fn texts(&self, key: Key) -> impl Iterator<Item = &str> {
        let list = self.values[key as usize].as_array();
        list.into_iter().flatten().filter_map(Value::as_str)
    }

    /// A number. Its range in the table fits `T`, or this is a mistake of ours that tests find.
    fn number<T: TryFrom<i64> + Default>(&self, key: Key) -> T {
        let value = self.values[key as usize].as_integer().unwrap_or_default();
        T::try_from(value).unwrap_or_default()
    }

    fn power_of_two<T: TryFrom<i64> + Default>(&self, key: Key) -> Result<T, ConfigError> {
        let value: u64 = self.number(key);
        if !value.is_power_of_two() {
            return Err(wrong(key, &value.to_string()));
        }
        Ok(self.number(key))
    }

    fn flag(&self, key: Key) -> bool {
        self.values[key as usize].as_bool().unwrap_or_default()
    }

    /// The index of the chosen word.
    fn choice(&self, key: Key) -> usize {
        let Kind::Choice(words) = SETTINGS[key as usize].kind else { return 0 };
        let value = self.values[key as usize].as_str();
        words.iter().position(|word| Some(*word) == value).unwrap_or_default()
    }
}

fn default_of(kind: Kind) -> Value {
    match kind {
        Kind::Number { default, .. } => Value::Integer(default),
        Kind::Flag(default) => Value::Boolean(default),
        Kind::Choice(words) => Value::String(words.first().copied().unwrap_or_default().into()),
        Kind::Text { default, .. } => Value::String(default.into()),
        Kind::Texts { default, .. } => {
            Value::Array(default.iter().map(|text| Value::from(*text)).collect())
        }
    }
}

fn check(setting: &Setting, value: &Value) -> Result<(), ConfigError> {
    let (fits, wanted) = match (setting.kind, value) {
        (Kind::Number { unit, least, most, .. }, value) => (
            value.as_integer().is_some_and(|value| (least..=most).contains(&value)),
            format!("a whole number of {unit} from {least} to {most}"),
        ),
        (Kind::Flag(_), value) => (value.is_bool(), "true or false".into()),
        (Kind::Choice(words), value) => (
            value.as_str().is_some_and(|word| words.contains(&word)),
            format!("one of {}", words.join(", ")),
        ),
        (Kind::Text { what, .. }, value) => (value.is_str(), what.into()),
        (Kind::Texts { what, .. }, value) => (
            value.as_array().is_some_and(|list| list.iter().all(Value::is_str)),
            format!("a list of {what}"),
        ),
    };
    if fits {
        return Ok(());
    }
    Err(ConfigError::WrongValue { key: setting.key, found: value.to_string(), wanted })
}

fn wrong(key: Key, found: &str) -> ConfigError {
    let setting = &SETTINGS[key as usize];
    let wanted = match setting.kind {
        Kind::Number { .. } => "a power of two".into(),
        Kind::Text { what, .. } => format!("{what}, such as 0660"),
        Kind::Texts { what, .. } => format!("a list of {what}"),
        Kind::Flag(_) | Kind::Choice(_) => "another value".into(),
    };
    ConfigError::WrongValue { key: setting.key, found: found.into(), wanted }
}

/// Names the setting that shares most with what was written.
fn unknown(key: &str) -> ConfigError {
    let last = key.rsplit('.').next().unwrap_or(key);
    let shared = |of: &&Setting| {
        let name = of.key.rsplit('.').next().unwrap_or_default();
        name.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count()
    };
    let near = SETTINGS.iter().max_by_key(shared).filter(|best| shared(best) >= 3);
    let near = near.map_or_else(String::new, |best| format!(" (did you mean `{}`?)", best.key));
    ConfigError::UnknownKey { key: key.into(), near }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Vec<String> {
        vec!["pcap:a.pcap".into()]
    }

    #[test]
    fn defaults_make_a_configuration() {
        let config = Settings::default().into_config("weir", &sources()).unwrap();
        let timeouts = config.timeouts.unwrap();
        assert_eq!(timeouts.idle_ns, 60_000_000_000);
        assert_eq!(timeouts.local_idle_ns, 300_000_000_000);
        assert_eq!(timeouts.active_ns, 120_000_000_000);
        assert_eq!(config.frame_bytes, 2048);
    }

    #[test]
    fn every_default_is_in_its_own_range() {
        for setting in SETTINGS {
            check(setting, &default_of(setting.kind)).unwrap();
            assert!(setting.key.contains('.') && !setting.help.is_empty());
        }
    }

    #[test]
    fn wrong_settings_say_what_to_do() {
        let mut settings = Settings::default();
        let error = settings.set("flow.idle", Value::Integer(3)).unwrap_err().to_string();
        assert!(error.contains("did you mean `flow.idle_s`"), "{error}");
        let error = settings.set("flow.idle_s", Value::Integer(0)).unwrap_err().to_string();
        assert!(error.contains("from 1 to 86400"), "{error}");
        settings.set("capture.ring_descriptors", Value::Integer(100)).unwrap();
        let error = settings.into_config("weir", &sources()).unwrap_err().to_string();
        assert!(error.contains("a power of two"), "{error}");
    }

    #[test]
    fn names_and_sources_are_checked() {
        let config = |name: &str, sources: &[&str]| {
            let sources: Vec<_> = sources.iter().map(ToString::to_string).collect();
            Settings::default().into_config(name, &sources)
        };
        assert!(config("../x", &["pcap:a"]).is_err());
        assert!(config("x", &["pcap:a", "xdp:eth0"]).is_err());
        assert!(config("x", &["eth0"]).is_err());
        assert!(config("x", &[]).is_err());
    }

    #[test]
    fn the_manual_is_committed() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/CONFIG.md");
        if std::env::var_os("WEIR_WRITE_DOCS").is_some() {
            std::fs::write(path, manual()).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(path).unwrap_or_default(),
            manual(),
            "run WEIR_WRITE_DOCS=1 cargo test -p weir-engine the_manual_is_committed"
        );
    }
}
