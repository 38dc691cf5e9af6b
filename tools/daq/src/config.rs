//! What the application set up, checked once.

use std::ffi::CStr;
use std::time::Duration;

use crate::Failure;
use crate::abi::{mode, result};

/// A variable that the application may set.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) name: &'static CStr,
    pub(crate) help: &'static CStr,
    pub(crate) takes_value: bool,
}

/// All variables.
pub(crate) const VARIABLES: [Described; 4] = [
    Described {
        name: c"group",
        help: c"Share the engine's packets, flow by flow, with the other members of this group \
                (default: snort where there are several instances, else none)",
        takes_value: true,
    },
    Described {
        name: c"mode",
        help: c"lease: use frames in place, the engine holds them (default); window: copy them, \
                the engine never waits",
        takes_value: true,
    },
    Described {
        name: c"advise",
        help: c"Take blocking verdicts in inline mode: they are recorded with their flows, and \
                nothing is dropped",
        takes_value: false,
    },
    Described {
        name: c"debug",
        help: c"Say on standard error what is opened and what came of it",
        takes_value: false,
    },
];

/// Messages of an instance if the application does not say.
const MESSAGES: u32 = 256;
/// Messages of an instance at most, where frames are copied.
const MESSAGES_MAX: u32 = 16_384;
/// Bytes of a packet if the application does not say.
const SNAP_BYTES: u32 = 65_535;

/// A configuration as libdaq gives it.
#[derive(Debug, Default)]
pub(crate) struct Raw {
    pub(crate) input: Option<String>,
    pub(crate) snap_bytes: i32,
    pub(crate) timeout_ms: u32,
    pub(crate) messages: u32,
    pub(crate) instances: u32,
    pub(crate) instance: u32,
    pub(crate) mode: u32,
    pub(crate) variables: Vec<(String, Option<String>)>,
}

/// A configuration that can be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Name or socket of the engine.
    pub(crate) engine: String,
    /// Bytes of a packet that the application gets at most.
    pub(crate) snap_bytes: u32,
    /// How long a receive waits; `None`: for ever.
    pub(crate) timeout: Option<Duration>,
    /// Messages in the pool.
    pub(crate) messages: u32,
    /// Number of this instance, from 1, for people.
    pub(crate) instance: u32,
    /// The group to be a member of.
    pub(crate) group: Option<String>,
    /// Frames are used in place.
    pub(crate) lease: bool,
    /// Blocking verdicts are wanted.
    pub(crate) advise: bool,
    /// Say what happens.
    pub(crate) debug: bool,
}

impl Settings {
    /// # Errors
    /// If something is missing, unknown, or not to be had from an engine.
    pub(crate) fn new(raw: Raw, hold_max: u32) -> Result<Self, Failure> {
        let invalid = |text: String| Failure::new(result::INVALID, text);
        if raw.mode == mode::READ_FILE {
            let help = "this module reads running engines: start one on the file (`weir run \
                        pcap:FILE --name NAME --wait-for-readers`) and give `-i weir:NAME`";
            return Err(Failure::new(result::NOT_SUPPORTED, help));
        }
        let input = raw.input.unwrap_or_default();
        let engine = input.strip_prefix("weir:").unwrap_or(&input).to_owned();
        if engine.is_empty() {
            return Err(invalid("no engine was named: give `-i weir:NAME`".to_owned()));
        }
        let mut settings = Self {
            engine,
            snap_bytes: u32::try_from(raw.snap_bytes).ok().filter(|n| *n > 0).unwrap_or(SNAP_BYTES),
            timeout: (raw.timeout_ms != 0)
                .then(|| Duration::from_millis(u64::from(raw.timeout_ms))),
            messages: if raw.messages == 0 { MESSAGES } else { raw.messages },
            instance: raw.instance.max(1),
            group: (raw.instances > 1).then(|| "snort".to_owned()),
            lease: true,
            advise: false,
            debug: false,
        };
        for (name, value) in &raw.variables {
            settings.set(name, value.as_deref()).map_err(invalid)?;
        }
        let most = if settings.lease { hold_max } else { MESSAGES_MAX };
        settings.messages = settings.messages.clamp(1, most);
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), String> {
        let known = VARIABLES.iter().find(|known| known.name.to_bytes() == name.as_bytes());
        let Some(known) = known else {
            let names: Vec<_> =
                VARIABLES.iter().map(|known| known.name.to_string_lossy()).collect();
            return Err(format!("unknown variable {name}: there are {}", names.join(", ")));
        };
        let value = value.filter(|value| !value.is_empty());
        match (known.takes_value, value) {
            (true, None) => return Err(format!("the variable {name} needs a value")),
            (false, Some(_)) => return Err(format!("the variable {name} takes no value")),
            _ => {}
        }
        match (name, value.unwrap_or_default()) {
            ("group", group) => self.group = Some(group.to_owned()),
            ("mode", "lease") => self.lease = true,
            ("mode", "window") => self.lease = false,
            ("mode", other) => return Err(format!("mode={other}: take lease or window")),
            ("advise", _) => self.advise = true,
            _ => self.debug = true,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(input: &str, variables: &[(&str, Option<&str>)]) -> Raw {
        let owned = |(name, value): &(&str, Option<&str>)| {
            ((*name).to_owned(), value.map(ToOwned::to_owned))
        };
        let variables = variables.iter().map(owned).collect();
        Raw { input: Some(input.to_owned()), mode: mode::PASSIVE, variables, ..Raw::default() }
    }

    fn settings(input: &str, variables: &[(&str, Option<&str>)]) -> Result<Settings, Failure> {
        Settings::new(raw(input, variables), 256)
    }

    #[test]
    fn an_engine_is_named_with_and_without_a_prefix() {
        assert_eq!(settings("weir:edge", &[]).unwrap().engine, "edge");
        assert_eq!(settings("edge", &[]).unwrap().engine, "edge");
        assert_eq!(settings("/run/weir/edge.sock", &[]).unwrap().engine, "/run/weir/edge.sock");
        for missing in ["", "weir:"] {
            assert_eq!(settings(missing, &[]).unwrap_err().code, result::INVALID);
        }
        assert!(Settings::new(Raw::default(), 256).is_err());
    }

    #[test]
    fn several_instances_share_a_group() {
        assert_eq!(settings("weir:edge", &[]).unwrap().group, None);
        let several = Raw { instances: 4, instance: 2, ..raw("weir:edge", &[]) };
        let several = Settings::new(several, 256).unwrap();
        assert_eq!((several.group.as_deref(), several.instance), (Some("snort"), 2));
        let named = settings("weir:edge", &[("group", Some("ids"))]).unwrap();
        assert_eq!(named.group.as_deref(), Some("ids"));
    }

    #[test]
    fn the_pool_is_no_larger_than_what_may_be_held() {
        let with = |messages, mode: &str| {
            let raw = Raw { messages, ..raw("weir:edge", &[("mode", Some(mode))]) };
            Settings::new(raw, 256).unwrap().messages
        };
        assert_eq!(with(0, "lease"), 256);
        assert_eq!(with(64, "lease"), 64);
        assert_eq!(with(1024, "lease"), 256);
        assert_eq!(with(1024, "window"), 1024);
        assert_eq!(with(u32::MAX, "window"), MESSAGES_MAX);
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_words() {
        for (variables, word) in [
            (&[("groupe", Some("ids"))][..], "groupe"),
            (&[("group", None)], "needs a value"),
            (&[("group", Some(""))], "needs a value"),
            (&[("debug", Some("1"))], "takes no value"),
            (&[("mode", Some("fast"))], "lease or window"),
        ] {
            let failure = settings("weir:edge", variables).unwrap_err();
            assert!(failure.text.contains(word), "{variables:?}: {}", failure.text);
        }
        let file = Raw { mode: mode::READ_FILE, ..raw("trace.pcap", &[]) };
        let failure = Settings::new(file, 256).unwrap_err();
        assert_eq!(failure.code, result::NOT_SUPPORTED);
        assert!(failure.text.contains("weir run"));
    }

    #[test]
    fn limits_of_time_and_length() {
        let raw = Raw { timeout_ms: 1000, snap_bytes: 1518, ..raw("weir:edge", &[]) };
        let some = Settings::new(raw, 256).unwrap();
        assert_eq!((some.timeout, some.snap_bytes), (Some(Duration::from_secs(1)), 1518));
        let none = settings("weir:edge", &[("debug", None), ("advise", None)]).unwrap();
        assert_eq!((none.timeout, none.snap_bytes), (None, SNAP_BYTES));
        assert!(none.debug && none.advise && none.lease);
    }
}
