//! What a request or an answer of HTTP shows by itself: attacks in its values, its agent, its
//! header lines, the server's version.
//!
//! All of it looks at bytes as they were sent, a bounded number of them, and answers with risks.

use super::decode::{Decoded, has};
use super::seek::{Bytes, Words, any};
use super::{Risk, Risks, climb, command, exploit, script, sql};
use crate::risk::names;

/// Bytes of a target that are looked at.
const TARGET_BYTES: usize = 4096;
/// Parameters of a query or a form that are looked at.
const PARAMETERS: usize = 64;
/// Bytes of a form that are looked at.
pub(crate) const FORM_BYTES: usize = 2048;
/// The longest line of a header: browsers send cookies of up to 4096 bytes each.
const LINE_BYTES: usize = 6000;
/// An agent of fewer letters says nothing.
const AGENT_BYTES: usize = 4;
const AGENT_MOST: usize = 1024;

/// What the target of a request shows.
pub fn judge_target(target: &[u8]) -> Risks {
    let target = target.get(..TARGET_BYTES).unwrap_or(target);
    let mut risks = Risks::when(Risk::HttpSuspiciousUrl, any(target, is_foreign));
    let target = origin_form(target);
    let end = target.iter().position(|byte| *byte == b'?').unwrap_or(target.len());
    let (path, query) = target.split_at(end);
    risks = risks.or(judge_path(path)).or(judge_whole(target));
    risks.or(judge_form(query.get(1..).unwrap_or_default()))
}

/// The target without scheme and host, which requests to proxies have.
fn origin_form(target: &[u8]) -> &[u8] {
    let Some(rest) = target.strip_prefix(b"http://") else { return target };
    let path = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
    rest.get(path..).unwrap_or_default()
}

/// Bytes that a browser encodes (RFC 3986 section 2, WHATWG URL section 1.3).
fn is_foreign(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, 0x7f | b'<' | b'>' | b'"' | b'`' | b'\\')
}

/// Exploits and probes, for which path and query are looked at together.
fn judge_whole(target: &[u8]) -> Risks {
    let once = Decoded::once(target, false);
    let mut risks = judge_decoded_target(once.as_bytes());
    if once.changed && once.as_bytes().contains(&b'%') {
        risks = risks.or(judge_decoded_target(Decoded::once(once.as_bytes(), false).as_bytes()));
    }
    risks
}

fn judge_decoded_target(target: &[u8]) -> Risks {
    let exploit::Known { exploit, probe, runs } = exploit::known(target);
    let mut risks = Risks::when(Risk::KnownExploit, exploit);
    risks = risks.or(Risks::when(Risk::RemoteCodeExecution, runs));
    risks = risks.or(Risks::when(Risk::Probing, probe));
    risks.or(Risks::when(Risk::HttpSuspiciousUrl, exploit))
}

fn judge_path(path: &[u8]) -> Risks {
    if is_plain(path) {
        return Risks::NONE;
    }
    let once = Decoded::once(path, false);
    let mut risks = judge_decoded_path(once.as_bytes());
    if once.changed {
        let hidden = exploit::hides_dots(Decoded::lower(path).as_bytes());
        risks = risks.or(Risks::when(Risk::KnownExploit, hidden));
        let dots = climb::steps(once.as_bytes()) > climb::steps(path);
        risks = risks.or(Risks::when(Risk::HttpSuspiciousUrl, dots));
        if once.as_bytes().contains(&b'%') {
            risks = risks.or(judge_decoded_path(Decoded::once(once.as_bytes(), false).as_bytes()));
        }
    }
    risks
}

fn judge_decoded_path(path: &[u8]) -> Risks {
    judge_value(path, true).or(Risks::when(Risk::PathTraversal, climb::climbs_out(path)))
}

/// What a query or a form (`name=value&…`) shows.
pub fn judge_form(form: &[u8]) -> Risks {
    let mut risks = Risks::NONE;
    for parameter in form.split(|byte| *byte == b'&').take(PARAMETERS) {
        let equals = parameter.iter().position(|byte| *byte == b'=');
        let (name, value) = match equals {
            Some(at) => (parameter.get(..at), parameter.get(at + 1..)),
            None => (None, Some(parameter)),
        };
        let (name, value) = (name.unwrap_or_default(), value.unwrap_or_default());
        if is_plain(parameter) {
            let run = command::is_command_parameter(name, value);
            risks = risks.or(Risks::when(Risk::RemoteCodeExecution, run));
        } else {
            risks = risks.or(judge_parameter(name, value));
        }
    }
    risks
}

fn judge_parameter(name: &[u8], value: &[u8]) -> Risks {
    let name = Decoded::once(name, true);
    let once = Decoded::once(value, true);
    let mut risks = judge_decoded(name.as_bytes(), once.as_bytes());
    if once.changed && once.as_bytes().contains(&b'%') {
        let twice = Decoded::once(once.as_bytes(), true);
        risks = risks.or(judge_decoded(name.as_bytes(), twice.as_bytes()));
    }
    // Names are put into statements as well.
    if !is_plain(name.as_bytes()) {
        risks = risks.or(judge_value(name.as_bytes(), false));
    }
    risks
}

fn judge_decoded(name: &[u8], value: &[u8]) -> Risks {
    let mut risks = judge_value(value, false);
    let run = command::is_command_parameter(name, value);
    risks = risks.or(Risks::when(Risk::RemoteCodeExecution, run));
    // A line that ends with both ends with the second.
    let splits = value.contains(&b'\n')
        && [&b"set-cookie:"[..], b"location:", b"content-length:", b"content-type:", b"http/1."]
            .iter()
            .any(|header| has_joined(value, b"\n", header));
    let climbs = climb::climbs(value);
    risks = risks.or(Risks::when(Risk::PathTraversal, climbs));
    risks.or(Risks::when(Risk::HttpSuspiciousUrl, splits || value.contains(&0)))
}

fn has_joined(value: &[u8], first: &[u8], second: &[u8]) -> bool {
    super::decode::around(value, first).any(|(_, rest)| rest.starts_with(second))
}

/// One of these is in every attack by a value.
static MARKS: Bytes = Bytes::of(b"'\"();|&`$<>{}[*#:\n ");

/// SQL, script and commands in a decoded value.
fn judge_value(value: &[u8], is_path: bool) -> Risks {
    let zero = is_path && value.contains(&0);
    let mut risks = Risks::when(Risk::HttpSuspiciousUrl, zero);
    if !MARKS.any_of(value) {
        return risks;
    }
    if exploit::is_lookup(value) {
        risks.set(Risk::KnownExploit);
    }
    let spaced = Decoded::spaced(value);
    risks = risks.or(Risks::when(Risk::SqlInjection, sql::is_injection(spaced.as_bytes())));
    risks = risks.or(Risks::when(Risk::CrossSiteScripting, script::is_script(value, is_path)));
    risks.or(Risks::when(Risk::RemoteCodeExecution, command::is_command(value)))
}

/// Whether a value as sent cannot be an attack: letters, digits, and what joins them.
fn is_plain(value: &[u8]) -> bool {
    static JOINS: Bytes = Bytes::alphanumeric_and(b"-_.~=/,@!");
    // Short as values are, the marks are gathered byte by byte.
    let (mut joined, mut dots, mut slashes) = (true, 0_usize, 0_usize);
    for byte in value {
        joined &= JOINS.has(*byte);
        dots += usize::from(*byte == b'.');
        slashes += usize::from(*byte == b'/');
    }
    joined
        && (dots < 2 || !has(value, b".."))
        && (slashes < 2 || !(has(value, b"/etc/") || has(value, b"/proc/")))
}

/// What the user agent shows.
pub fn judge_agent(agent: &[u8]) -> Risks {
    const ODD: &[&[u8]] = &[b"${", b"<?", b"<script", b"%s", b"() {", b"%25", b"\\x"];
    let agent = agent.get(..AGENT_MOST + 1).unwrap_or(agent);
    let lower = Decoded::lower(agent);
    let lower = lower.as_bytes();
    let control = any(agent, |byte| byte < b'\t' || (byte > b'\t' && byte < b' ') || byte == 0x7f);
    let letters = agent.iter().map(|byte| usize::from(byte.is_ascii_alphabetic())).sum::<usize>();
    let marks = any(lower, |byte| matches!(byte, b'$' | b'<' | b'%' | b'{' | b'\\'));
    let mut odd = marks && ODD.iter().any(|word| has(lower, word));
    let (mut tool, mut crawler) = (false, false);
    AGENTS.any_where(lower, |start, index| {
        match index.checked_sub(TOOLS.len()) {
            // A tool's name begins a word.
            None => {
                let before = start.checked_sub(1).and_then(|at| lower.get(at));
                tool |= before.is_none_or(|byte| !byte.is_ascii_alphanumeric());
            }
            Some(index) if index < CRAWLERS.len() => crawler = true,
            Some(_) => odd = true,
        }
        false
    });
    let wrong = control || letters < AGENT_BYTES || agent.len() > AGENT_MOST || odd;
    let word = lower.iter().all(u8::is_ascii_alphanumeric) && names::is_generated(lower);
    // `+http` is one of the crawlers' words.
    Risks::when(Risk::HttpSuspiciousAgent, wrong || tool || word)
        .or(Risks::when(Risk::HttpCrawler, crawler))
}

/// What no agent is made of.
const STATEMENTS: &[&[u8]] = &[b"union select", b"jndi:"];

/// All words that are sought in an agent: tools, crawlers, statements.
const AGENT_WORDS: [&[u8]; TOOLS.len() + CRAWLERS.len() + STATEMENTS.len()] = agent_words();
static AGENTS: Words<{ AGENT_WORDS.len() }> = Words::new(&AGENT_WORDS, 4);

#[expect(clippy::indexing_slicing, reason = "evaluated at compile time; an error would not build")]
const fn agent_words() -> [&'static [u8]; TOOLS.len() + CRAWLERS.len() + STATEMENTS.len()] {
    let mut words: [&[u8]; TOOLS.len() + CRAWLERS.len() + STATEMENTS.len()] = [b""; _];
    let mut at = 0;
    while at < words.len() {
        words[at] = if at < TOOLS.len() {
            TOOLS[at]
        } else if at < TOOLS.len() + CRAWLERS.len() {
            CRAWLERS[at - TOOLS.len()]
        } else {
            STATEMENTS[at - TOOLS.len() - CRAWLERS.len()]
        };
        at += 1;
    }
    words
}

/// Tools that look for weak spots, guess passwords or carry out attacks, by the agents that they
/// send unless told otherwise.
const TOOLS: &[&[u8]] = &[
    b"sqlmap",
    b"nikto",
    b"nmap",
    b"masscan",
    b"zgrab",
    b"gobuster",
    b"dirbuster",
    b"dirb/",
    b"wpscan",
    b"hydra",
    b"nessus",
    b"openvas",
    b"acunetix",
    b"netsparker",
    b"w3af",
    b"arachni",
    b"havij",
    b"sqlninja",
    b"bsqlbf",
    b"pangolin",
    b"fimap",
    b"commix",
    b"jorgee",
    b"zmeu",
    b"morfeus",
    b"muieblackcat",
    b"feroxbuster",
    b"ffuf",
    b"fuzz faster",
    b"wfuzz",
    b"nuclei",
    b"whatweb",
    b"joomscan",
    b"skipfish",
    b"paros",
    b"vega/",
    b"metasploit",
    b"brutus",
    b"medusa",
    b"patator",
    b"xsser",
    b"dotdotpwn",
    b"httprint",
    b"webshag",
    b"grendel-scan",
    b"l9explore",
    b"l9tcpid",
    b"hello, world",
    b"hello world",
    b"gh0st",
    b"hakai",
    b"loligang",
    b"demon/",
    b"r00ts3c",
    b"kali ",
    b"interactsh",
    b"qualys",
    b"detectify",
    b"burpcollaborator",
    b"project discovery",
    b"libredtail",
    b"sysscan",
    b"jaeles",
    b"pyrdp",
    b"cobalt strike",
];

/// Programs that fetch pages for an index or a preview, and those that survey the network.
const CRAWLERS: &[&[u8]] = &[
    b"bot/",
    b"bot;",
    b"crawler",
    b"spider",
    b"+http",
    b"slurp",
    b"facebookexternalhit",
    b"censys",
    b"shodan",
    b"expanse",
    b"internetmeasurement",
    b"netcraft",
];

/// What the host header shows.
pub fn judge_host(host: &[u8]) -> Risks {
    names::judge_host(host)
}

/// The lines of one header, judged as they are read.
#[derive(Clone, Copy, Default, Debug)]
pub struct Lines {
    hosts: u8,
    lengths: u8,
    encodings: u8,
    agents: u8,
    wrong: bool,
    exploit: bool,
}

impl Lines {
    /// Reads one line, without its end.
    pub fn read(&mut self, line: &[u8]) {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            // The line before goes on (RFC 9112 section 5.2).
            return;
        }
        let colon = line.iter().take(256).position(|byte| *byte == b':');
        let Some((name, rest)) = colon.and_then(|at| line.split_at_checked(at)) else {
            self.wrong = true;
            return;
        };
        let value = rest.get(1..).unwrap_or_default();
        self.wrong |= name.is_empty() || !TOKEN.all_of(name) || line.len() > LINE_BYTES;
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        match name.len() {
            4 if is(b"host") => self.hosts = self.hosts.saturating_add(1),
            10 if is(b"user-agent") => self.agents = self.agents.saturating_add(1),
            12 if is(b"content-type") => self.exploit |= exploit::is_expression_type(value),
            14 if is(b"content-length") => {
                self.lengths = self.lengths.saturating_add(1);
                let number = value.trim_ascii();
                self.wrong |= number.is_empty() || !number.iter().all(u8::is_ascii_digit);
            }
            17 if is(b"transfer-encoding") => {
                self.encodings = self.encodings.saturating_add(1);
                self.wrong |= !value.split(|byte| *byte == b',').all(is_encoding);
            }
            _ => {}
        }
        if !any(value, |byte| matches!(byte, 0 | b'\r' | b'$' | b'(')) {
            return;
        }
        self.wrong |= any(value, |byte| matches!(byte, 0 | b'\r'));
        if exploit::is_shellshock(value) {
            self.exploit = true;
        } else if value.contains(&b'$') {
            self.exploit |= exploit::is_lookup(Decoded::once(value, false).as_bytes());
        }
    }

    /// Whether no line so far named a host.
    pub fn lacks_host(&self) -> bool {
        self.hosts == 0
    }

    /// What the lines of a request showed; `complete` once the empty line was there.
    pub fn of_request(&self, complete: bool) -> Risks {
        let smuggles = self.encodings > 0 && self.lengths > 0;
        let wrong = self.wrong || self.hosts > 1 || self.lengths > 1 || smuggles;
        Risks::when(Risk::HttpSuspiciousHeader, wrong)
            .or(Risks::when(Risk::KnownExploit, self.exploit))
            .or(Risks::when(Risk::HttpSuspiciousAgent, complete && self.agents == 0))
    }

    /// What the lines of an answer showed.
    pub fn of_response(&self) -> Risks {
        Risks::when(Risk::HttpSuspiciousHeader, self.wrong || self.lengths > 1)
    }
}

/// RFC 9110 section 5.6.2.
static TOKEN: Bytes = Bytes::alphanumeric_and(b"!#$%&'*+-.^_`|~");

/// The transfer codings registered with IANA, and the names that they had before.
fn is_encoding(word: &[u8]) -> bool {
    let known: [&[u8]; 8] = [
        b"chunked",
        b"gzip",
        b"deflate",
        b"compress",
        b"identity",
        b"trailers",
        b"x-gzip",
        b"x-compress",
    ];
    let word = word.split(|byte| *byte == b';').next().unwrap_or(word).trim_ascii();
    known.iter().any(|it| word.eq_ignore_ascii_case(it))
}

/// Programs and their first version that is still maintained.
const MAINTAINED: &[(&[u8], [u32; 3])] = &[
    (b"apache/", [2, 4, 0]),
    (b"nginx/", [1, 20, 0]),
    (b"microsoft-iis/", [10, 0, 0]),
    (b"php/", [8, 0, 0]),
    (b"openssl/", [1, 1, 1]),
    (b"lighttpd/", [1, 4, 0]),
    (b"jetty(", [9, 0, 0]),
    (b"jetty/", [9, 0, 0]),
    // Tomcat says so up to version 8.0.
    (b"apache-coyote/", [2, 0, 0]),
];

/// Whether a `Server` or `X-Powered-By` names a program of a version without maintenance.
pub fn judge_server(server: &[u8]) -> Risks {
    let lower = Decoded::lower(server);
    let obsolete = MAINTAINED.iter().any(|(name, first)| {
        super::decode::around(lower.as_bytes(), name)
            .filter(|(before, _)| {
                before
                    .last()
                    .is_none_or(|byte| !byte.is_ascii_alphanumeric() && !b"-_".contains(byte))
            })
            .any(|(_, rest)| version(rest).is_some_and(|version| version < *first))
    });
    Risks::when(Risk::HttpObsoleteServer, obsolete)
}

/// Up to three numbers with dots between them.
pub(crate) fn version(bytes: &[u8]) -> Option<[u32; 3]> {
    let mut version = [0; 3];
    let mut rest = bytes;
    for (at, part) in version.iter_mut().enumerate() {
        if at > 0 {
            let Some(behind) = rest.strip_prefix(b".") else { break };
            rest = behind;
        }
        let digits = rest.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            if at == 0 {
                return None;
            }
            break;
        }
        let (number, behind) = rest.split_at_checked(digits)?;
        *part = number.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
        rest = behind;
    }
    Some(version)
}

/// Whether the status is an error.
pub fn judge_status(status: u16) -> Risks {
    Risks::when(Risk::HttpErrorStatus, status >= 400)
}

/// Whether a form has a field for a password with something in it.
pub fn has_password(form: &[u8]) -> bool {
    const FIELDS: [&[u8]; 14] = [
        b"password",
        b"passwd",
        b"pass",
        b"pwd",
        b"userpassword",
        b"user_password",
        b"login_password",
        b"loginpassword",
        b"log_pwd",
        b"passw",
        b"psw",
        b"pw",
        b"j_password",
        b"userpass",
    ];
    let form = form.get(..FORM_BYTES).unwrap_or(form);
    form.split(|byte| *byte == b'&').take(PARAMETERS).any(|parameter| {
        let Some(at) = parameter.iter().position(|byte| *byte == b'=') else { return false };
        // All have this letter, which may be encoded.
        let possible = |byte: u8| matches!(byte, b'p' | b'P' | b'%');
        if !any(parameter.get(..at).unwrap_or_default(), possible) {
            return false;
        }
        let name = Decoded::once(parameter.get(..at).unwrap_or_default(), true);
        // `user[password]=…` of Rails and PHP.
        let name = name.as_bytes();
        let inner =
            name.strip_suffix(b"]").and_then(|name| name.rsplit(|byte| *byte == b'[').next());
        let name = inner.unwrap_or(name);
        parameter.len() > at + 1 && FIELDS.contains(&name)
    })
}

/// Whether an object of JSON has a member for a password with text in it.
pub fn has_password_member(object: &[u8]) -> bool {
    let lower = Decoded::lower(object);
    [&b"\"password\""[..], b"\"passwd\"", b"\"pass\"", b"\"pwd\""].into_iter().any(|name| {
        super::decode::around(lower.as_bytes(), name).any(|(_, rest)| {
            let value = rest.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start);
            matches!(value, Some([b'"', first, ..]) if *first != b'"')
        })
    })
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
