//! The page about alerts, made from the tables.

use std::fmt::Write as _;

use weir_shm::alerts::{Adds, AlertKind, Figure};

use super::{PRESETS, Rule};

const HEAD: &str = "\
# Alerts

What is worth saying about a host, a service or a flow, found by the engine while packets pass, by the
packets' own time: a capture file gives the same alerts as the traffic did. This page is made from
`engine/src/alerts` and `shm/src/alerts`; a test holds them equal.

```
weir alerts                          # active ones, then those that ended
weir alerts --follow --json          # each start, update and end, one JSON object a line
weir alerts --follow --syslog 10.0.0.2:514
weir alerts --follow --webhook http://127.0.0.1:8080/alerts
weir run pcap:FILE --alerts alerts.json
weir check --host 10.0.0.5 --metric alerts --crit 0
```

## How an alert begins and ends

A detector counts in windows of a rule's length, which begin at multiples of it. An alert **starts**
when the count reaches the threshold, at that packet. It is **updated** whenever the count has doubled,
and at the end of each window, with the window's value. It **ends** when the value has been below
`end_percent` of the threshold for `end_windows` windows in a row (50 % and 2 by default), by the end of
the last of them; and at the end of the run. Alerts without a window end by what their rule says.

An alert has a stable identity, which is a hash of the rule and its subject; so the same trouble has the
same identity tomorrow. Its evidence are up to eight flows (`weir flows` and the flow records know
their numbers) and numbers with names.

Everything is bounded: `alerts.keys` hosts, services and pairs are counted by at a time, the one that is
unused for longest makes room (`alert_keys_evicted`), and `alerts.active` alerts may be active
(`alerts_full` counts those that could not begin). `weir stats` shows the counts.

**Several shards** each count their share. Where values add up, a shard begins its share at a quarter of
its part of the threshold, and readers show an alert when the shares of a window reach the threshold
together; then its start may be told up to the window's end later than by one shard. A rule that looks
at single flows is not concerned.

Rules are set in `weir.toml`: [CONFIG.md](CONFIG.md), `[alerts]` and `[[alerts.rule]]`. Exclusions have a
comment, so that whoever reads them knows why.

## Recipients

`weir alerts` hands alerts on from outside of the engine, and so can neither slow nor stop it.

- `--json`, `--csv`: lines, to wherever standard output goes.
- `--syslog [ADDR]`: RFC 5424 with structured data `weir@32473`, over UDP, TCP (`tcp:HOST:PORT`, with
  the length before each message), or to a socket (`/dev/log`). Facility 13; severity by the alert's: severe 2, high 3, medium 4, low 5,
  an end 6.
- `--webhook URL`: the JSON object by HTTP POST. `http://` only: TLS would be the largest dependency of the
  program by far, and a proxy on the same machine does it better.
- `weir check`: one figure as Nagios plugins give it.

Syslog and webhook each have a queue of 4096 alerts and try six times, with waits from half a second to
eight; what cannot be delivered is counted, told on standard error, and makes the exit code 1.

## What there is

";

const TAIL: &str = "
## Ways that got worse

`rtt_worse` and `loss_worse` need `health.enabled`, which measures the ways that they compare. A TCP flow
tells both when it ends, and every 15 s while it lasts: to the server's network (/24, /48) the server's
delay in the handshake, to the client's the client's delay, each on the way from here and back; and how
many packets had to be sent again. Those were lost between here and their receiver, so that they count
for the receiver's network, but where segments were missing here already: then for the sender's.
What was sent again although it had arrived counts for none.

The *baseline* of a network is the mean of its windows before, of the last 16 about. A window counts from 10
handshakes (round trips), or 10 reports and 200 packets (losses) on, and is judged when the next one
begins; there is a baseline after 5 windows. One handshake counts for 8 times the baseline at most, or
for 20 ms more, so that a single slow flow moves no mean. Windows of twice the baseline and more do not move
it, until there were 24 of them in a row: what lasts for two hours is usual. The alert ends as others do:
after two windows below 150 % (half of the threshold). The value is in percent of the baseline; the
evidence has both figures.

## What it does not see

- Half-open connections are told from complete ones by the client's ACK. Where only the server's side is
  captured there is no SYN, and no flood of them.
- A scan that sends data to every open port is not one by that port. One at fewer targets in a window than
  the threshold is none.
- DNS is read over UDP at port 53. Names within DNS over TLS, HTTPS and QUIC, and over TCP, are not seen.
- Services that encode data in names by design (some anti-virus programs, block-lists by DNS) look like a tunnel. Exclude
  them.
- ARP and IPv6 neighbour discovery (RFC 4861, solicitations and advertisements) are read from Ethernet,
  outside of tunnels. Router advertisements are not looked at.
- A forger of resets who is as far away as the host, or knows how far that is, is not told by its distance.
  A firewall or load balancer that resets idle connections in a server's name is: exclude the server.
- The identification of IP packets tells nothing. Where fragmentation is forbidden, as it is of nearly all TCP, it
  may be anything (RFC 6864, section 4.1), and systems send 0, random numbers or one counter for each peer,
  so that no rule about it is without false alarms.
- In captures of answers alone, an amplification is told by bytes; so is a resolver that asks that much.
";

/// `docs/ALERTS.md`.
pub fn manual() -> String {
    let mut text = String::from(HEAD);
    text.push_str("| rule | number | default | window | severity | ATT&CK | shards |\n");
    text.push_str("| --- | ---: | --- | --- | --- | --- | --- |\n");
    // Writing to a String cannot fail.
    for preset in PRESETS {
        let kind = preset.kind;
        let window =
            if preset.window_s == 0 { "–".into() } else { format!("{} s", preset.window_s) };
        let shards = match kind.adds() {
            Adds::Sum => "add up",
            Adds::Any => "any",
            Adds::All => "all agree",
        };
        _ = writeln!(
            text,
            "| [`{name}`](#{name}) | {} | {} {} | {window} | {} | {} | {shards} |",
            kind as u8,
            preset.threshold,
            preset.unit,
            preset.severity.name(),
            technique(kind),
            name = kind.name(),
        );
    }
    let own = AlertKind::HostThreshold;
    _ = writeln!(text, "| `{}` | {} | of one's own | | | – | add up |", own.name(), own as u8);
    for preset in PRESETS {
        let Rule { end_percent, end_windows, .. } = Rule::of(preset);
        _ = writeln!(text, "\n### {}\n\n{}\n", preset.kind.name(), preset.kind.meaning());
        _ = writeln!(text, "Value: {}", preset.formula);
        if preset.window_s != 0 {
            _ = writeln!(
                text,
                "\nStarts at {} {} in {} s; ends below {end_percent} % of that for {end_windows} windows.",
                preset.threshold, preset.unit, preset.window_s
            );
        }
    }
    text.push_str(
        "\n## Numbers of the evidence\n\n| number | name | what |\n| ---: | --- | --- |\n",
    );
    for figure in Figure::ALL {
        _ = writeln!(text, "| {} | `{}` | {} |", *figure as u16, figure.name(), figure.meaning());
    }
    text.push_str(TAIL);
    text
}

fn technique(kind: AlertKind) -> String {
    match kind.technique() {
        "" => "–".to_owned(),
        id => format!("[{id}](https://attack.mitre.org/techniques/{}/)", id.replace('.', "/")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_committed() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ALERTS.md");
        if std::env::var_os("WEIR_WRITE_DOCS").is_some() {
            std::fs::write(path, manual()).unwrap();
        }
        assert!(
            std::fs::read_to_string(path).unwrap_or_default() == manual(),
            "run WEIR_WRITE_DOCS=1 cargo test -p weir-engine the_page_is_committed"
        );
    }

    #[test]
    fn every_kind_has_a_rule() {
        let kinds: Vec<AlertKind> = PRESETS.iter().map(|preset| preset.kind).collect();
        let own = AlertKind::HostThreshold;
        let all: Vec<AlertKind> =
            AlertKind::ALL.iter().copied().filter(|kind| *kind != own).collect();
        assert_eq!(kinds, all);
    }
}
