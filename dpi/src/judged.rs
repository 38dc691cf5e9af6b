//! What was said before of host names and user agents: the same few are in most flows.

use crate::app::AppId;
use crate::host::Kinds;
use crate::kept::Kept;
use crate::risk::{Risks, http, names};
use crate::services;

/// Host names that are remembered, and the bytes of one at most.
const HOSTS: usize = 1024;
const HOST_BYTES: usize = 64;
/// User agents that are remembered, and the bytes of one at most.
const AGENTS: usize = 256;
const AGENT_BYTES: usize = 192;

/// See the module.
#[derive(Debug)]
pub(crate) struct Judged {
    hosts: Kept<Host>,
    agents: Kept<Risks>,
}

/// What a host name shows, whatever flow it is in.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Host {
    /// As [`names::judge_host`] says.
    pub(crate) risks: Risks,
    /// As [`services::by_host_name`] says.
    pub(crate) service: Option<AppId>,
}

impl Judged {
    pub(crate) fn new() -> Judged {
        Judged { hosts: Kept::new(HOSTS, HOST_BYTES), agents: Kept::new(AGENTS, AGENT_BYTES) }
    }

    /// What `name` shows.
    pub(crate) fn host(&mut self, name: &[u8]) -> Host {
        let judge = || {
            let risks = names::judge_known(name, Kinds::of(name));
            Some(Host { risks, service: services::by_host_name(name) })
        };
        self.hosts.of([name], judge).unwrap_or_default()
    }

    /// What a user agent shows.
    pub(crate) fn agent(&mut self, agent: &[u8]) -> Risks {
        self.agents.of([agent], || Some(http::judge_agent(agent))).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_what_would_be_said() {
        let mut judged = Judged::new();
        let long = "a".repeat(HOST_BYTES + 1);
        let generated: Vec<String> =
            (0..3 * HOSTS).map(|at| format!("x{}q{at}zvk.example.tk", at % 7)).collect();
        let named = ["www.youtube.com", "WWW.YouTube.com", "", "192.0.2.1", "a..b", &long];
        for _ in 0..2 {
            for name in generated.iter().map(String::as_str).chain(named).map(str::as_bytes) {
                let said =
                    Host { risks: names::judge_host(name), service: services::by_host_name(name) };
                assert_eq!(judged.host(name), said, "{}", name.escape_ascii());
            }
            let long = "Mozilla/5.0 ".repeat(20);
            for agent in ["", "sqlmap/1.0", "Mozilla/5.0 (X11)", "Googlebot/2.1", &long] {
                let agent = agent.as_bytes();
                assert_eq!(judged.agent(agent), http::judge_agent(agent));
            }
        }
    }
}
