//! `[[alerts.rule]]`: changes of built-in rules, and rules of one's own.

use std::net::IpAddr;

use toml::{Table, Value};
use weir_dpi::app::{self, AppId, Category};
use weir_shm::alerts::{AlertKind, Severity};

use super::ConfigError;
use crate::alerts::{AlertRules, Exclusion, Metric, OwnRule, Rule, Way, risk_severity};
use crate::flow::timeouts::Network;

/// Rules of one's own, at most.
const OWN: usize = 64;
/// Addresses that are watched, at most.
const WATCHED: usize = 64;
/// A window lasts a month at most.
const WINDOW_S: i64 = 2_592_000;

/// What `docs/CONFIG.md` says of them.
pub(super) const MANUAL: &str = "
### [[alerts.rule]]

One table a rule. With the name of a built-in rule ([ALERTS.md](ALERTS.md)) it changes that one; with
another name and `kind = \"host_threshold\"` it is a rule of one's own.

| key | default | range | meaning |
| --- | --- | --- | --- |
| `name` | must be there | 1–32 letters, digits, dashes, dots, underscores | The rule. |
| `enabled` | true | true, false | Whether it is in force. |
| `severity` | the rule's | low, medium, high, severe | How much its alerts weigh. |
| `threshold` | the rule's | 1–2^62 | What the value has to reach in a window. |
| `window_s` | the rule's | 1–2592000 seconds | Length of a window. Rules without windows have none to set. |
| `end_percent` | 50 | 1–100 | An alert ends when the value was below this part of the threshold… |
| `end_windows` | 2 | 1–1000 windows | … for so many windows in a row. |
| `exclude` | none | list of `{ host = \"10.0.0.0/8\", comment = \"why\" }` | No alerts about these addresses, as subject or as peer. The comment must be there. |
| `ports` | 21, 22, 23, 3389, 5900 | list of ports | brute_force: the login services. |
| `applications` | FTP_Control, SSH, Telnet, RDP, VNC | list of names | brute_force: those that count on other ports, too. |
| `risk_severity` | severe | low, medium, high, severe | flow_risk: which risks count. |
| `hosts` | none; all | list of addresses; of networks | silent_host: the addresses to watch, up to 64. A rule of one's own: whose traffic counts. |
| `kind` | none | host_threshold | A rule of one's own. |
| `metric` | bytes | bytes, packets, flows | What it counts. |
| `direction` | both | in, out, both | What the host gets, sends, or either. Of flows: those that it is asked for, that it begins. |
| `application` | any | a name | Only flows of this application. |
| `category` | any | a name | Only flows of this category. |

```toml
[[alerts.rule]]
name = \"port_scan\"
threshold = 200
exclude = [{ host = \"10.0.0.7\", comment = \"our own scanner\" }]

[[alerts.rule]]
name = \"p2p\"
kind = \"host_threshold\"
metric = \"bytes\"
category = \"P2P\"
threshold = 100_000_000
window_s = 300
```
";

/// Reads all rules into `rules`.
pub(super) fn read(value: &Value, rules: &mut AlertRules) -> Result<(), ConfigError> {
    let wrong = |wrong: &str| ConfigError::Alert { rule: String::new(), wrong: wrong.into() };
    let tables = value.as_array().ok_or_else(|| wrong("write it in double brackets"))?;
    for table in tables {
        let table = table.as_table().ok_or_else(|| wrong("write it in double brackets"))?;
        let name = table.get("name").and_then(Value::as_str).unwrap_or_default();
        if !is_name(name) {
            return Err(wrong(
                "a rule has no usable `name`: use 1 to 32 letters, digits, dashes, dots, underscores",
            ));
        }
        let one = One { name, table };
        let built_in = rules.built_in.iter().position(|rule| rule.name == name);
        if let Some(at) = built_in {
            one.change(at, rules)?;
            continue;
        }
        let own = one.own()?;
        if rules.own.iter().any(|known| known.rule.name == name) {
            return Err(one.wrong("there are two rules of this name"));
        }
        if rules.own.len() == OWN {
            return Err(one.wrong(&format!("more than {OWN} rules of one's own")));
        }
        rules.own.push(own);
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (1..=32).contains(&name.len()) && name.chars().all(fits)
}

/// One table.
struct One<'a> {
    name: &'a str,
    table: &'a Table,
}

impl One<'_> {
    fn wrong(&self, wrong: &str) -> ConfigError {
        ConfigError::Alert { rule: self.name.into(), wrong: wrong.into() }
    }

    /// Changes a built-in rule.
    fn change(&self, at: usize, rules: &mut AlertRules) -> Result<(), ConfigError> {
        let kind = rules.built_in[at].kind;
        let more: &[&str] = match kind {
            AlertKind::BruteForce => &["ports", "applications"],
            AlertKind::FlowRisk => &["risk_severity"],
            AlertKind::SilentHost => &["hosts"],
            _ => &[],
        };
        self.knows(more)?;
        if rules.built_in[at].window_s() == 0 && self.table.contains_key("window_s") {
            return Err(self.wrong("this rule has no windows; leave `window_s` out"));
        }
        self.common(&mut rules.built_in[at])?;
        if let Some(ports) = self.list("ports", "ports", Value::as_integer)? {
            let port = |port: i64| u16::try_from(port).ok().filter(|port| *port != 0);
            let ports: Option<Vec<u16>> = ports.into_iter().map(port).collect();
            rules.login_ports = ports.ok_or_else(|| self.wrong("`ports` takes 1 to 65535"))?;
        }
        if let Some(names) = self.texts("applications")? {
            let apps: Result<Vec<AppId>, _> = names.iter().map(|name| self.app(name)).collect();
            rules.login_apps = apps?;
        }
        if let Some(name) = self.text("risk_severity")? {
            rules.risk_severity = risk_severity(name)
                .ok_or_else(|| self.wrong("`risk_severity` takes low, medium, high or severe"))?;
        }
        if let Some(hosts) = self.texts("hosts")? {
            let hosts: Result<Vec<[u8; 16]>, _> =
                hosts.iter().map(|host| self.address(host)).collect();
            rules.watched = hosts?;
            if rules.watched.len() > WATCHED {
                return Err(self.wrong(&format!("`hosts` takes {WATCHED} addresses at most")));
            }
        }
        Ok(())
    }

    /// A rule of one's own.
    fn own(&self) -> Result<OwnRule, ConfigError> {
        if self.text("kind")? != Some("host_threshold") {
            return Err(self.wrong(
                "there is no built-in rule of this name (docs/ALERTS.md lists them); for one of your \
                 own, add kind = \"host_threshold\"",
            ));
        }
        self.knows(&["kind", "metric", "direction", "application", "category", "hosts"])?;
        let mut rule = Rule::own(self.name);
        if !self.table.contains_key("threshold") {
            return Err(self.wrong("`threshold` is missing"));
        }
        self.common(&mut rule)?;
        let metric = match self.text("metric")?.unwrap_or("bytes") {
            "bytes" => Metric::Bytes,
            "packets" => Metric::Packets,
            "flows" => Metric::Flows,
            _ => return Err(self.wrong("`metric` takes bytes, packets or flows")),
        };
        let way = match self.text("direction")?.unwrap_or("both") {
            "in" => Way::In,
            "out" => Way::Out,
            "both" => Way::Both,
            _ => return Err(self.wrong("`direction` takes in, out or both")),
        };
        let app = self.text("application")?.map(|name| self.app(name)).transpose()?;
        let category = self.text("category")?.map(|name| self.category(name)).transpose()?;
        let hosts = self.texts("hosts")?.unwrap_or_default();
        let hosts: Result<Vec<Network>, _> = hosts.iter().map(|host| self.network(host)).collect();
        Ok(OwnRule { rule, metric, way, app, category, hosts: hosts? })
    }

    /// What every rule has.
    fn common(&self, rule: &mut Rule) -> Result<(), ConfigError> {
        if let Some(enabled) = self.table.get("enabled") {
            let enabled = enabled.as_bool();
            rule.enabled = enabled.ok_or_else(|| self.wrong("`enabled` takes true or false"))?;
        }
        if let Some(name) = self.text("severity")? {
            rule.severity = Severity::by_name(name)
                .ok_or_else(|| self.wrong("`severity` takes low, medium, high or severe"))?;
        }
        if let Some(threshold) = self.number("threshold", 1 << 62)? {
            rule.threshold = threshold;
        }
        let small = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        if let Some(seconds) = self.number("window_s", WINDOW_S)? {
            rule.set_window(small(seconds));
        }
        if let Some(percent) = self.number("end_percent", 100)? {
            rule.end_percent = small(percent);
        }
        if let Some(windows) = self.number("end_windows", 1000)? {
            rule.end_windows = small(windows);
        }
        if let Some(exclude) = self.table.get("exclude") {
            let shape = "`exclude` takes a list of { host = \"10.0.0.0/8\", comment = \"why\" }";
            let list = exclude.as_array().ok_or_else(|| self.wrong(shape))?;
            let one = |value: &Value| {
                let table = value.as_table().filter(|table| table.len() == 2);
                let text = |key| table?.get(key)?.as_str();
                let (host, comment) =
                    text("host").zip(text("comment")).ok_or_else(|| self.wrong(shape))?;
                Ok(Exclusion { host: self.network(host)?, comment: comment.to_owned() })
            };
            rule.exclude = list.iter().map(one).collect::<Result<_, ConfigError>>()?;
        }
        Ok(())
    }

    /// Whether there are none but keys that the rule has.
    fn knows(&self, more: &[&str]) -> Result<(), ConfigError> {
        const ALL: [&str; 8] = [
            "name",
            "enabled",
            "severity",
            "threshold",
            "window_s",
            "end_percent",
            "end_windows",
            "exclude",
        ];
        let is_known = |key: &str| ALL.contains(&key) || more.contains(&key);
        match self.table.keys().find(|key| !is_known(key)) {
            None => Ok(()),
            Some(key) => {
                let keys: Vec<&str> = ALL.iter().chain(more).copied().collect();
                Err(self.wrong(&format!("it has no `{key}`; it takes {}", keys.join(", "))))
            }
        }
    }

    fn number(&self, key: &str, most: i64) -> Result<Option<u64>, ConfigError> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let number = value.as_integer().filter(|number| (1..=most).contains(number));
        let number = number.and_then(|number| u64::try_from(number).ok());
        let wrong = || self.wrong(&format!("`{key}` is {value}, but takes 1 to {most}"));
        Ok(Some(number.ok_or_else(wrong)?))
    }

    fn text(&self, key: &str) -> Result<Option<&str>, ConfigError> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let wrong = || self.wrong(&format!("`{key}` is {value}, but takes a text"));
        Ok(Some(value.as_str().ok_or_else(wrong)?))
    }

    fn texts(&self, key: &str) -> Result<Option<Vec<&str>>, ConfigError> {
        self.list(key, "texts", Value::as_str)
    }

    fn list<'t, T>(
        &'t self,
        key: &str,
        what: &str,
        read: impl Fn(&'t Value) -> Option<T>,
    ) -> Result<Option<Vec<T>>, ConfigError> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let list = value.as_array().and_then(|list| list.iter().map(read).collect());
        let wrong = || self.wrong(&format!("`{key}` is {value}, but takes a list of {what}"));
        Ok(Some(list.ok_or_else(wrong)?))
    }

    fn network(&self, text: &str) -> Result<Network, ConfigError> {
        let wrong = || self.wrong(&format!("`{text}` is no network, such as 10.0.0.0/8"));
        Network::parse(text).ok_or_else(wrong)
    }

    fn address(&self, text: &str) -> Result<[u8; 16], ConfigError> {
        match text.parse() {
            Ok(IpAddr::V4(v4)) => Ok(v4.to_ipv6_mapped().octets()),
            Ok(IpAddr::V6(v6)) => Ok(v6.octets()),
            Err(_) => Err(self.wrong(&format!("`{text}` is no address, such as 10.0.0.5"))),
        }
    }

    fn app(&self, name: &str) -> Result<AppId, ConfigError> {
        let wrong =
            || self.wrong(&format!("there is no application `{name}`; `weir apps` lists them"));
        app::by_name(name).ok_or_else(wrong)
    }

    fn category(&self, name: &str) -> Result<Category, ConfigError> {
        let mut all = (0..=u8::MAX).filter_map(Category::from_u8);
        let found = all.find(|category| category.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| {
            let all: Vec<&str> =
                (0..=u8::MAX).filter_map(Category::from_u8).map(Category::name).collect();
            self.wrong(&format!("there is no category `{name}`; it takes {}", all.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<AlertRules, String> {
        let table: Table = text.parse().unwrap();
        let mut rules = AlertRules::default();
        read(&table["rule"], &mut rules).map(|()| rules).map_err(|error| error.to_string())
    }

    #[test]
    fn rules_are_changed_and_made() {
        let rules = read_text(
            "[[rule]]\nname = \"port_scan\"\nthreshold = 7\nwindow_s = 30\nseverity = \"low\"\n\
             exclude = [{ host = \"10.0.0.0/8\", comment = \"scanner\" }]\n\
             [[rule]]\nname = \"brute_force\"\nports = [2222]\napplications = [\"ssh\"]\n\
             [[rule]]\nname = \"silent_host\"\nhosts = [\"10.0.0.1\", \"fe80::1\"]\n\
             [[rule]]\nname = \"p2p\"\nkind = \"host_threshold\"\nmetric = \"bytes\"\n\
             category = \"P2P\"\nthreshold = 1000\nwindow_s = 300\nenabled = false\n",
        )
        .unwrap();
        let scan = rules.built_in(AlertKind::PortScan).unwrap();
        assert_eq!((scan.threshold, scan.window_s(), scan.severity), (7, 30, Severity::Low));
        assert_eq!(scan.exclude[0].comment, "scanner");
        assert_eq!((rules.login_ports, rules.login_apps), (vec![2222], vec![AppId::SSH]));
        assert_eq!(rules.watched.len(), 2);
        let own = &rules.own[0];
        assert_eq!((own.category, own.rule.window_s()), (Some(Category::PeerToPeer), 300));
        assert!(!own.rule.enabled);
    }

    #[test]
    fn mistakes_say_what_to_do() {
        for (text, said) in [
            ("name = \"nope\"", "no built-in rule of this name"),
            ("name = \"a b\"", "letters, digits"),
            ("name = \"port_scan\"\nthreshold = 0", "`threshold` is 0, but takes 1 to"),
            ("name = \"port_scan\"\nfoo = 1", "it has no `foo`; it takes name"),
            ("name = \"port_scan\"\nexclude = [\"10.0.0.1\"]", "`exclude` takes a list of {"),
            ("name = \"port_scan\"\nexclude = [{ host = \"x\", comment = \"\" }]", "is no network"),
            ("name = \"port_scan\"\nseverity = \"mild\"", "low, medium, high or severe"),
            ("name = \"long_flow\"\nwindow_s = 5", "has no windows"),
            ("name = \"x\"\nkind = \"host_threshold\"", "`threshold` is missing"),
            (
                "name = \"x\"\nkind = \"host_threshold\"\nthreshold = 1\ncategory = \"y\"",
                "no category",
            ),
            ("name = \"brute_force\"\napplications = [\"y\"]", "no application `y`"),
            ("name = \"silent_host\"\nhosts = [\"10.0.0.0/8\"]", "is no address"),
        ] {
            let error = read_text(&format!("[[rule]]\n{text}\n")).unwrap_err();
            assert!(error.contains(said), "{error}");
            assert!(error.contains("[[alerts.rule]]"), "{error}");
        }
    }
}
