//! What a request or an answer of HTTP shows by itself: attacks in its values, its agent, its
//! header lines, the server's version.
//!
//! All of it looks at bytes as they were sent, a bounded number of them, and answers with risks.

#![expect(clippy::needless_bitwise_bool, reason = "what `any` asks of a block, it asks at once")]

use super::decode::{Decoded, VALUE_BYTES, has};
use super::{Risk, Risks, climb, command, exploit, names, script, sql};
use crate::field::{self, Name};
use crate::seek::{Bytes, Words, any, any_word, has_one_of, has_pair_of};
use memchr::{memchr, memchr2_iter, memchr3};

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
    let (path, query) = target.split_at(memchr(b'?', target).unwrap_or(target.len()));
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
    (byte <= b' ')
        | (byte == 0x7f)
        | (byte == b'<')
        | (byte == b'>')
        | (byte == b'"')
        | (byte == b'`')
        | (byte == b'\\')
}

/// Exploits and probes, for which path and query are looked at together.
fn judge_whole(target: &[u8]) -> Risks {
    if memchr(b'%', target).is_none() && !exploit::may_be_known(target) {
        return Risks::NONE;
    }
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
    let all_plain = is_plain_between(form, b'&');
    let mut risks = Risks::NONE;
    for (name, value) in parameters(form) {
        if all_plain || (is_plain(name) && is_plain(value)) {
            let run = command::is_command_parameter(name, value);
            risks = risks.or(Risks::when(Risk::RemoteCodeExecution, run));
        } else {
            risks = risks.or(judge_parameter(name, value));
        }
    }
    risks
}

/// The parameters of a form, by name and value: one without a `=` is a value alone.
fn parameters(form: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = Some(form);
    let parameters = std::iter::from_fn(move || {
        let all = rest?;
        let (parameter, behind) = split_once(all, b'&').map_or((all, None), |(a, b)| (a, Some(b)));
        rest = behind;
        Some(split_once(parameter, b'=').unwrap_or((&[], parameter)))
    });
    parameters.take(PARAMETERS)
}

/// What is before and behind the first `byte`.
fn split_once(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let (before, rest) = bytes.split_at_checked(memchr(byte, bytes)?)?;
    Some((before, rest.get(1..)?))
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
    is_plain_between(value, b'=')
}

/// Whether values are all plain; `separator` is what is between them.
fn is_plain_between(values: &[u8], separator: u8) -> bool {
    let within = |byte: u8, first: u8, last: u8| byte.wrapping_sub(first) <= last - first;
    let joins = |byte: u8| {
        within(byte, b'-', b'9')
            | within(byte, b'@', b'Z')
            | within(byte, b'a', b'z')
            | (byte == b'_')
            | (byte == b'~')
            | (byte == b'=')
            | (byte == b',')
            | (byte == b'!')
            | (byte == separator)
    };
    let climbs = || [&b".."[..], b"/etc/", b"/proc/"].iter().any(|part| has(values, part));
    let marked = any(values, |byte| !joins(byte));
    !(marked || has_pair_of(values, &[*b"..", *b"c/"]) && climbs())
}

/// What the user agent shows.
pub fn judge_agent(agent: &[u8]) -> Risks {
    let long = agent.len() > AGENT_MOST;
    let agent = agent.get(..AGENT_MOST).unwrap_or(agent);
    let control = any(agent, |byte| ((byte < b' ') & (byte != b'\t')) | (byte == 0x7f));
    let letters = agent.iter().filter(|byte| byte.is_ascii_alphabetic()).take(AGENT_BYTES).count();
    let wrong = control || letters < AGENT_BYTES || long || is_odd(agent);
    // A tool's name begins a word.
    let tool =
        any_word(agent, |start| TOOLS.begins_with_one(agent.get(start..).unwrap_or_default()));
    let word = names::is_generated(agent) && agent.iter().all(u8::is_ascii_alphanumeric);
    let crawler = has_pair_of(agent, &CRAWLER_PAIRS) && CRAWLERS.any(agent);
    Risks::when(Risk::HttpSuspiciousAgent, wrong || tool || word)
        .or(Risks::when(Risk::HttpCrawler, crawler))
}

/// Whether an agent has in it what none is made of.
fn is_odd(agent: &[u8]) -> bool {
    const MARKED: &[&[u8]] = &[b"${", b"<?", b"<script", b"%s", b"() {", b"%25", b"\\x"];
    const PLAIN: &[&[u8]] = &[b"union select", b"jndi:"];
    let has_any = |words: &[&[u8]]| {
        let lower = Decoded::lower(agent);
        words.iter().any(|word| has(lower.as_bytes(), word))
    };
    (has_one_of(agent, b"$<%{\\") && has_any(MARKED))
        || (has_pair_of(agent, &[*b"un", *b"jn"]) && has_any(PLAIN))
}

/// A pair of each of the crawlers' names that is rare in those of others.
const CRAWLER_PAIRS: [[u8; 2]; 10] =
    [*b"bo", *b"wl", *b"sp", *b"lu", *b"sy", *b"od", *b"xp", *b"su", *b"tc", *b"+h"];

static TOOLS: Words<{ TOOL_NAMES.len() }, 4> = Words::new(TOOL_NAMES);
static CRAWLERS: Words<{ CRAWLER_NAMES.len() }, 4> = Words::new(CRAWLER_NAMES);

/// Tools that look for weak spots, guess passwords or carry out attacks, by the agents that they
/// send unless told otherwise.
const TOOL_NAMES: &[&[u8]] = &[
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
const CRAWLER_NAMES: &[&[u8]] = &[
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
    /// Reads one line, without its end; gives the field that it is, and its value.
    pub(crate) fn read<'a>(&mut self, line: &'a [u8]) -> (Name, &'a [u8]) {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            // The line before goes on (RFC 9112 section 5.2).
            return (Name::Other, b"");
        }
        let Some((name, sent)) = field::split(line) else {
            self.wrong = true;
            return (Name::Malformed, b"");
        };
        let value = sent.trim_ascii();
        self.wrong |= name == Name::Malformed || line.len() > LINE_BYTES;
        match name {
            Name::Host => self.hosts = self.hosts.saturating_add(1),
            Name::UserAgent => self.agents = self.agents.saturating_add(1),
            Name::ContentType => self.exploit |= exploit::is_expression_type(value),
            Name::ContentLength => {
                self.lengths = self.lengths.saturating_add(1);
                self.wrong |= value.is_empty() || !value.iter().all(u8::is_ascii_digit);
            }
            Name::TransferEncoding => {
                self.encodings = self.encodings.saturating_add(1);
                self.wrong |= !value.split(|byte| *byte == b',').all(is_encoding);
            }
            _ => {}
        }
        if memchr3(0, b'\r', b'$', sent).is_some() {
            self.wrong |= has_one_of(sent, b"\0\r");
            let once = sent.contains(&b'$').then(|| Decoded::once(sent, false));
            self.exploit |= once.is_some_and(|once| exploit::is_lookup(once.as_bytes()));
        }
        self.exploit |= exploit::is_shellshock(value);
        (name, value)
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
    let server = server.get(..VALUE_BYTES).unwrap_or(server);
    let obsolete = memchr2_iter(b'/', b'(', server).any(|at| {
        let Some((before, rest)) = server.split_at_checked(at + 1) else { return false };
        version(rest).is_some_and(|version| is_obsolete(before, version))
    });
    Risks::when(Risk::HttpObsoleteServer, obsolete)
}

/// Whether what ends with a program's name and a slash or bracket names one that is obsolete in
/// this version.
fn is_obsolete(named: &[u8], version: [u32; 3]) -> bool {
    MAINTAINED.iter().filter(|(_, first)| version < *first).any(|(name, _)| {
        let at = named.len().checked_sub(name.len());
        let parts = at.and_then(|at| named.split_at_checked(at));
        parts.is_some_and(|(before, end)| {
            let begins = |byte: &u8| !byte.is_ascii_alphanumeric() && !b"-_".contains(byte);
            end.eq_ignore_ascii_case(name) && before.last().is_none_or(begins)
        })
    })
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
    // All have one of these pairs, if its letters are not encoded.
    let possible =
        |bytes: &[u8]| has_one_of(bytes, b"%") || has_pair_of(bytes, &[*b"pa", *b"pw", *b"ps"]);
    possible(form)
        && parameters(form).any(|(name, value)| {
            if value.is_empty() || name.is_empty() || !possible(name) {
                return false;
            }
            let name = Decoded::once(name, true);
            // `user[password]=…` of Rails and PHP.
            let name = name.as_bytes();
            let inner =
                name.strip_suffix(b"]").and_then(|name| name.rsplit(|byte| *byte == b'[').next());
            FIELDS.contains(&inner.unwrap_or(name))
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
