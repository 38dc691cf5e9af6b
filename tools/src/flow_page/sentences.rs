//! What a flow's figures mean, in plain sentences.

use weir_dpi::AppId;
use weir_shm::health::{ConnState, Ended, Events};

use super::facts::{Facts, TCP, UDP};
use super::time;
use crate::flow::{C2S, S2C};
use crate::units::Quantity;

/// Answers of DNS that take longer are felt: a page waits for several, one after the other.
const DNS_IS_SLOW_NS: u64 = 200_000_000;
/// Other answers that take longer than this, and mostly at the server, make it the slow part.
const ANSWER_IS_SLOW_NS: u64 = 200_000_000;
/// A part of the time that is so many times the other is the one to look at.
const OUTWEIGHS: u64 = 3;
/// Round trips that differ by more than this factor tell of a queue on the way.
const VARIES: u64 = 10;

/// Everything that is to be said.
pub(super) fn of(facts: &Facts) -> Vec<String> {
    let mut said = vec![course(facts)];
    said.extend(asked_again(facts));
    said.extend(delays(facts));
    said.extend(answers(facts));
    said.extend(round_trips(facts));
    for (events, packets, of, to) in [
        (&facts.events[C2S], facts.packets[C2S], "client", "server"),
        (&facts.events[S2C], facts.packets[S2C], "server", "client"),
    ] {
        said.extend(losses(events, packets, of));
        said.extend(windows(events, of, to));
        said.extend(marks(events, of));
    }
    if facts.ecn {
        said.push("Both sides use ECN: routers can mark packets instead of dropping them.".into());
    }
    said
}

/// How it began and ended.
fn course(facts: &Facts) -> String {
    match facts.l4 {
        TCP => connection(facts),
        UDP => datagrams(facts),
        _ => match facts.packets {
            [_, 0] if facts.to_group => "Sent to a group, which does not answer.".into(),
            [_, 0] => "Only the client sent; no answer was seen.".into(),
            [0, _] => "Only the server sent; the client's packets were not seen.".into(),
            _ => format!("Both sides sent, for {} so far.", time(facts.life_ns)),
        },
    }
}

fn connection(facts: &Facts) -> String {
    let life = time(facts.life_ns);
    let asked = times(facts.syns.max(1));
    match facts.state {
        ConnState::Rej => {
            // The way to the server and back is how long its answer took.
            let after =
                if facts.server_delay_ns == 0 { facts.life_ns } else { facts.server_delay_ns };
            let (after, port) = (time(after), facts.server_port);
            format!("Reset by the server after {after}: nothing listens there (TCP port {port}).")
        }
        ConnState::S0 if facts.syns <= 1 => {
            "The client asked once, and nobody answered: the server is down, or a filter drops \
             what is sent to it."
                .into()
        }
        ConnState::S0 => format!(
            "The client asked {asked} in {life}, and nobody answered: the server is down, or a \
             filter drops what is sent to it."
        ),
        ConnState::RstOS0 => format!(
            "The client asked and took it back with a reset after {life}; no answer was seen: a \
             scan, or answers go another way."
        ),
        ConnState::Sh => format!(
            "The client asked and closed after {life}; no answer was seen: a scan, or answers go \
             another way."
        ),
        ConnState::RstRH => format!(
            "The server answered and reset after {life}; the client's SYN was not seen: it goes \
             another way, or its address is forged."
        ),
        ConnState::ShR => format!(
            "The server answered and closed after {life}; what the client sent was not seen: it \
             goes another way."
        ),
        ConnState::RstR if !facts.has_answered() => format!(
            "Reset by the server after {life}, before it said anything: its program does not take \
             the connection, or a filter on the way ended it."
        ),
        ConnState::RstR => format!("Reset by the server after {life}."),
        ConnState::RstO if !facts.has_answered() => {
            format!("Reset by the client after {life}, before the server said anything.")
        }
        ConnState::RstO => format!("Reset by the client after {life}."),
        ConnState::SF | ConnState::S2 | ConnState::S3 => closed(facts, &life),
        ConnState::S1 => format!("Open for {life}."),
        ConnState::Oth | ConnState::None => from_middle(facts, &life),
    }
}

fn closed(facts: &Facts, life: &str) -> String {
    match (facts.state, facts.ended) {
        (ConnState::S2, _) => {
            format!("Half closed after {life}: the client has closed its side, the server not yet.")
        }
        (ConnState::S3, _) => {
            format!("Half closed after {life}: the server has closed its side, the client not yet.")
        }
        (_, Ended::ByClient) => format!("Closed after {life}, by the client first."),
        (_, Ended::ByServer) => format!("Closed after {life}, by the server first."),
        _ => format!("Closed by both sides after {life}."),
    }
}

fn from_middle(facts: &Facts, life: &str) -> String {
    let end = match facts.ended {
        Ended::ResetByServer | Ended::Refused => "reset by the server",
        Ended::ResetByClient => "reset by the client",
        Ended::ByClient => "closed, by the client first",
        Ended::ByServer => "closed, by the server first",
        Ended::Open => "open",
    };
    let way = match facts.packets {
        [_, 0] => "; only what the client sent passes here",
        [0, _] => "; only what the server sent passes here",
        _ => "",
    };
    format!("Seen from its middle on, for {life}: {end}{way}.")
}

fn datagrams(facts: &Facts) -> String {
    let life = time(facts.life_ns);
    let [there, back] = facts.packets;
    match (there, back) {
        (_, 0) if facts.to_group => {
            format!("Sent to a group, which does not answer: {}.", packets(there))
        }
        (_, 0) if facts.master == AppId::DNS.0 => {
            format!("The client asked {} in {life}, and nobody answered.", times(there))
        }
        (_, 0) if facts.quic || facts.master == AppId::QUIC.0 => format!(
            "The client asked {} in {life}, and nobody answered: QUIC is blocked on the way, or \
             the server does not speak it.",
            times(there)
        ),
        (_, 0) => format!(
            "Only the client sent, {} in {life}: nobody answered, or no answer is due.",
            packets(there)
        ),
        (0, _) => format!(
            "Only the server sent, {} in {life}: what the client sends goes another way, or came \
             before.",
            packets(back)
        ),
        _ => format!("Both sides sent, over {life}."),
    }
}

/// A handshake that took more than one try.
fn asked_again(facts: &Facts) -> Option<String> {
    let has_begun = facts.l4 == TCP && facts.established && !facts.from_middle;
    let again = facts.syns.saturating_sub(2);
    (has_begun && again > 0).then(|| {
        format!("The handshake had to be repeated: {again} more SYN than the two that it takes.")
    })
}

fn delays(facts: &Facts) -> Vec<String> {
    let mut said = Vec::new();
    match (facts.server_delay_ns, facts.client_delay_ns) {
        (0, 0) => {}
        (0, client) => {
            said.push(format!("From here to the client and back it is {}.", time(client)));
        }
        (server, 0) => {
            said.push(format!("From here to the server and back it is {}.", time(server)));
        }
        (server, client) => said.push(format!(
            "The network takes {} from end to end and back: {} between here and the server, {} \
             between here and the client.",
            time(server.saturating_add(client)),
            time(server),
            time(client)
        )),
    }
    if facts.secure_handshake_ns != 0 {
        let what = if facts.quic { "QUIC" } else { "TLS" };
        said.push(format!("The {what} handshake took {}.", time(facts.secure_handshake_ns)));
    }
    said
}

/// How long answers took, and whether the network or the server is to blame.
fn answers(facts: &Facts) -> Vec<String> {
    let all = &facts.answers;
    let mut said = Vec::new();
    match all.samples {
        0 => return said,
        1 => said.push(format!("The answer took {}.", time(all.first_ns))),
        many => said.push(format!(
            "{many} answers took {} on average, the first {}, the slowest {}.",
            time(all.mean_ns),
            time(all.first_ns),
            time(all.max_ns)
        )),
    }
    let typical_ns = if all.samples == 1 { all.first_ns } else { all.mean_ns };
    if facts.master == AppId::DNS.0 {
        if typical_ns >= DNS_IS_SLOW_NS {
            said.push(format!(
                "That is slow for DNS: whoever asked waits {} before it can connect.",
                time(typical_ns)
            ));
        }
        return said;
    }
    let network_ns = facts.server_delay_ns;
    if typical_ns < ANSWER_IS_SLOW_NS || network_ns == 0 {
        return said;
    }
    let server_ns = typical_ns.saturating_sub(network_ns);
    let split = format!(
        "{} of that are the server's, {} the way to it and back",
        time(server_ns),
        time(network_ns.min(typical_ns))
    );
    said.push(if server_ns >= network_ns.saturating_mul(OUTWEIGHS) {
        format!("{split}: the server is slow, not the network.")
    } else if network_ns >= server_ns.saturating_mul(OUTWEIGHS) {
        format!("{split}: the network is slow, not the server.")
    } else {
        format!("{split}.")
    });
    said
}

fn round_trips(facts: &Facts) -> Vec<String> {
    let mut said = Vec::new();
    for (trips, end) in [(&facts.trips[C2S], "server"), (&facts.trips[S2C], "client")] {
        if trips.samples == 0 {
            continue;
        }
        let way = if facts.spin {
            "From end to end".to_owned()
        } else {
            format!("From here to the {end}")
        };
        let mean = time(trips.mean_ns);
        said.push(if trips.samples == 1 {
            format!("{way} and back it took {mean}, measured once.")
        } else {
            format!(
                "{way} and back it takes {mean} on average ({} to {}, measured {}).",
                time(trips.min_ns),
                time(trips.max_ns),
                times(trips.samples.into())
            )
        });
        let is_slow = trips.max_ns >= 100_000_000;
        if is_slow && trips.min_ns > 0 && trips.max_ns / trips.min_ns >= VARIES {
            said.push(format!(
                "That varies much: a queue on the way to the {end} fills, or the {end} is slow to \
                 acknowledge."
            ));
        }
    }
    said
}

/// What one side sent and did not arrive, or not in its order.
fn losses(events: &Events, sent: u64, of: &str) -> Vec<String> {
    let mut said = Vec::new();
    let again = u64::from(events.retransmissions);
    if again != 0 {
        let fast = u64::from(events.fast_retransmissions);
        let spurious = u64::from(events.spurious_retransmissions);
        let late = again.saturating_sub(fast).saturating_sub(spurious);
        let kinds = [
            (fast, "as soon as the loss was told"),
            (late, "after a wait"),
            (spurious, "without need"),
        ];
        let kinds: Vec<String> = kinds
            .iter()
            .filter(|(count, _)| *count != 0)
            .map(|(count, how)| format!("{count} {how}"))
            .collect();
        let bytes = Quantity::Bytes.short(events.retransmitted_bytes.into());
        said.push(format!(
            "The {of} sent {again} of {} again ({:.1} %, {bytes}): {}.",
            packets(sent),
            percent(again, sent),
            kinds.join(", ")
        ));
    }
    if events.lost != 0 {
        let gaps = plural(events.lost.into(), "gap", "gaps");
        said.push(format!("{gaps} in what the {of} sent: lost before here, or not captured."));
    }
    if events.out_of_order != 0 {
        let segments = plural(events.out_of_order.into(), "segment", "segments");
        said.push(format!(
            "{segments} of the {of} came out of order: what it sends takes several ways."
        ));
    }
    said
}

/// Where one side had no room for more.
fn windows(events: &Events, of: &str, to: &str) -> Vec<String> {
    let mut said = Vec::new();
    if events.zero_windows != 0 {
        said.push(format!(
            "The {of} had no room for more {}, for {} in all: its program reads too slowly, and \
             the {to} has to wait.",
            times(events.zero_windows.into()),
            time(events.zero_window_ns)
        ));
    }
    if events.window_full != 0 {
        said.push(format!(
            "The {of} filled the {to}'s window {}: a larger window would let it send faster.",
            times(events.window_full.into())
        ));
    }
    if events.zero_window_probes != 0 {
        said.push(format!(
            "The {of} asked {} whether the {to} has room again.",
            times(events.zero_window_probes.into())
        ));
    }
    said
}

/// What else one side's packets show.
fn marks(events: &Events, of: &str) -> Vec<String> {
    let mut said = Vec::new();
    if events.keep_alives != 0 {
        said.push(format!(
            "The {of} asked {} whether the connection still lives (keep-alive).",
            times(events.keep_alives.into())
        ));
    }
    if events.resets > 1 {
        said.push(format!("The {of} sent {} resets.", events.resets));
    }
    if events.congestion_marks != 0 {
        let marked = packets(events.congestion_marks.into());
        said.push(format!("{marked} of the {of} met a queue that is filling, and came marked."));
    }
    said
}

fn times(count: u64) -> String {
    match count {
        1 => "once".into(),
        2 => "twice".into(),
        many => format!("{many} times"),
    }
}

fn packets(count: u64) -> String {
    plural(count, "packet", "packets")
}

fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / (whole.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use weir_shm::health::{Answers, RoundTrips};

    use super::super::facts::tests::tcp;
    use super::*;

    const MS: u64 = 1_000_000;

    fn ended(state: ConnState, ended: Ended) -> Facts {
        Facts { state, ended, life_ns: 3 * MS, ..tcp() }
    }

    #[test]
    fn a_connection_that_came_to_nothing_says_why() {
        let unanswered = |packets, state, ended_by| Facts {
            packets: [packets, 0],
            syns: packets,
            established: false,
            life_ns: packets * 2_000 * MS,
            ..ended(state, ended_by)
        };
        for (facts, wanted) in [
            (
                Facts { server_port: 81, ..ended(ConnState::Rej, Ended::Refused) },
                "Reset by the server after 3 ms: nothing listens there (TCP port 81).",
            ),
            (
                unanswered(3, ConnState::S0, Ended::Open),
                "The client asked 3 times in 6.0 s, and nobody answered: the server is down, or a \
                 filter drops what is sent to it.",
            ),
            (
                unanswered(1, ConnState::S0, Ended::Open),
                "The client asked once, and nobody answered: the server is down, or a filter drops \
                 what is sent to it.",
            ),
        ] {
            assert_eq!(of(&facts), [wanted]);
        }
        // The time of a refusal is that of the answer, whatever the client did before and after.
        let refused = Facts { server_delay_ns: 9 * MS, ..ended(ConnState::Rej, Ended::Refused) };
        assert!(of(&refused)[0].starts_with("Reset by the server after 9 ms: nothing listens"));
    }

    #[test]
    fn every_state_of_a_connection_has_its_sentence() {
        let silent = |state, ended_by| Facts { packets: [3, 1], ..ended(state, ended_by) };
        for (facts, wanted) in [
            (ended(ConnState::S1, Ended::Open), "Open for 3 ms."),
            (ended(ConnState::SF, Ended::ByClient), "Closed after 3 ms, by the client first."),
            (ended(ConnState::SF, Ended::ByServer), "Closed after 3 ms, by the server first."),
            (ended(ConnState::SF, Ended::Open), "Closed by both sides after 3 ms."),
            (
                ended(ConnState::S2, Ended::Open),
                "Half closed after 3 ms: the client has closed its side, the server not yet.",
            ),
            (
                ended(ConnState::S3, Ended::Open),
                "Half closed after 3 ms: the server has closed its side, the client not yet.",
            ),
            (ended(ConnState::RstO, Ended::ResetByClient), "Reset by the client after 3 ms."),
            (
                silent(ConnState::RstO, Ended::ResetByClient),
                "Reset by the client after 3 ms, before the server said anything.",
            ),
            (ended(ConnState::RstR, Ended::ResetByServer), "Reset by the server after 3 ms."),
            (
                silent(ConnState::RstR, Ended::ResetByServer),
                "Reset by the server after 3 ms, before it said anything: its program does not \
                 take the connection, or a filter on the way ended it.",
            ),
            (
                ended(ConnState::RstOS0, Ended::ResetByClient),
                "The client asked and took it back with a reset after 3 ms; no answer was seen: a \
                 scan, or answers go another way.",
            ),
            (
                ended(ConnState::Sh, Ended::Open),
                "The client asked and closed after 3 ms; no answer was seen: a scan, or answers go \
                 another way.",
            ),
            (
                ended(ConnState::RstRH, Ended::ResetByServer),
                "The server answered and reset after 3 ms; the client's SYN was not seen: it goes \
                 another way, or its address is forged.",
            ),
            (
                ended(ConnState::ShR, Ended::Open),
                "The server answered and closed after 3 ms; what the client sent was not seen: it \
                 goes another way.",
            ),
            (
                Facts { packets: [5, 0], ..ended(ConnState::Oth, Ended::Open) },
                "Seen from its middle on, for 3 ms: open; only what the client sent passes here.",
            ),
            (
                ended(ConnState::Oth, Ended::ResetByServer),
                "Seen from its middle on, for 3 ms: reset by the server.",
            ),
        ] {
            assert_eq!(of(&facts), [wanted]);
        }
    }

    #[test]
    fn datagrams_of_one_side_and_of_both() {
        let udp = |packets, master| Facts {
            l4: UDP,
            packets,
            master,
            established: false,
            life_ns: 2_000 * MS,
            ..tcp()
        };
        for (facts, wanted) in [
            (udp([3, 2], 0), "Both sides sent, over 2.0 s."),
            (
                udp([3, 0], 0),
                "Only the client sent, 3 packets in 2.0 s: nobody answered, or no answer is due.",
            ),
            (
                udp([0, 1], 0),
                "Only the server sent, 1 packet in 2.0 s: what the client sends goes another way, \
                 or came before.",
            ),
            (udp([2, 0], AppId::DNS.0), "The client asked twice in 2.0 s, and nobody answered."),
            (
                udp([4, 0], AppId::QUIC.0),
                "The client asked 4 times in 2.0 s, and nobody answered: QUIC is blocked on the \
                 way, or the server does not speak it.",
            ),
            (
                Facts { to_group: true, ..udp([4, 0], 0) },
                "Sent to a group, which does not answer: 4 packets.",
            ),
            (Facts { l4: 1, ..udp([4, 0], 0) }, "Only the client sent; no answer was seen."),
        ] {
            assert_eq!(of(&facts), [wanted]);
        }
    }

    fn answered(samples: u32, ms: u64) -> Answers {
        let mean_ns = ms * MS;
        Answers { samples, first_ns: mean_ns, mean_ns, max_ns: 2 * mean_ns }
    }

    #[test]
    fn the_network_and_the_server_are_told_apart() {
        let said = |facts: &Facts| of(facts).split_off(1);
        let far = Facts { server_delay_ns: 20 * MS, client_delay_ns: MS, ..tcp() };
        assert_eq!(
            said(&far),
            ["The network takes 21 ms from end to end and back: 20 ms between here and the \
              server, 1 ms between here and the client."]
        );
        let slow_server = Facts { answers: answered(1, 1_200), client_delay_ns: 0, ..far };
        assert_eq!(
            said(&slow_server),
            [
                "From here to the server and back it is 20 ms.",
                "The answer took 1.2 s.",
                "1.1 s of that are the server's, 20 ms the way to it and back: the server is \
                 slow, not the network.",
            ]
        );
        let slow_network =
            Facts { server_delay_ns: 900 * MS, answers: answered(3, 1_000), ..slow_server };
        assert_eq!(
            said(&slow_network)[1..],
            [
                "3 answers took 1.0 s on average, the first 1.0 s, the slowest 2.0 s.",
                "100 ms of that are the server's, 900 ms the way to it and back: the network is \
                 slow, not the server.",
            ]
        );
        let quick = Facts { answers: answered(1, 30), ..far };
        assert_eq!(said(&quick).last().unwrap(), "The answer took 30 ms.");
    }

    #[test]
    fn slow_dns_is_called_so() {
        let dns = |ms| Facts {
            l4: UDP,
            master: AppId::DNS.0,
            packets: [1, 1],
            answers: answered(1, ms),
            ..tcp()
        };
        assert_eq!(of(&dns(20)).last().unwrap(), "The answer took 20 ms.");
        assert_eq!(
            of(&dns(450)).last().unwrap(),
            "That is slow for DNS: whoever asked waits 450 ms before it can connect."
        );
    }

    #[test]
    fn losses_and_windows_have_numbers_with_units() {
        let events = Events {
            retransmissions: 7,
            fast_retransmissions: 4,
            spurious_retransmissions: 1,
            retransmitted_bytes: 9_800,
            lost: 1,
            out_of_order: 2,
            zero_windows: 3,
            zero_window_ns: 1_500 * MS,
            window_full: 1,
            zero_window_probes: 2,
            keep_alives: 5,
            resets: 2,
            congestion_marks: 1,
            ..Events::default()
        };
        let said = of(&Facts { events: [Events::default(), events], packets: [10, 140], ..tcp() });
        assert_eq!(
            said[1..],
            [
                "The server sent 7 of 140 packets again (5.0 %, 9.8 KB): 4 as soon as the loss \
                 was told, 2 after a wait, 1 without need.",
                "1 gap in what the server sent: lost before here, or not captured.",
                "2 segments of the server came out of order: what it sends takes several ways.",
                "The server had no room for more 3 times, for 1.5 s in all: its program reads too \
                 slowly, and the client has to wait.",
                "The server filled the client's window once: a larger window would let it send \
                 faster.",
                "The server asked twice whether the client has room again.",
                "The server asked 5 times whether the connection still lives (keep-alive).",
                "The server sent 2 resets.",
                "1 packet of the server met a queue that is filling, and came marked.",
            ]
        );
    }

    #[test]
    fn handshakes_round_trips_and_ecn() {
        let trips = |samples, min_ms, max_ms| RoundTrips {
            samples,
            last_ns: min_ms * MS,
            min_ns: min_ms * MS,
            max_ns: max_ms * MS,
            mean_ns: (min_ms + max_ms) * MS / 2,
        };
        let facts = Facts {
            syns: 4,
            secure_handshake_ns: 40 * MS,
            trips: [trips(9, 10, 250), trips(1, 2, 2)],
            ecn: true,
            ..tcp()
        };
        assert_eq!(
            of(&facts)[1..],
            [
                "The handshake had to be repeated: 2 more SYN than the two that it takes.",
                "The TLS handshake took 40 ms.",
                "From here to the server and back it takes 130 ms on average (10 ms to 250 ms, \
                 measured 9 times).",
                "That varies much: a queue on the way to the server fills, or the server is slow \
                 to acknowledge.",
                "From here to the client and back it took 2 ms, measured once.",
                "Both sides use ECN: routers can mark packets instead of dropping them.",
            ]
        );
        let quic = Facts {
            l4: UDP,
            quic: true,
            spin: true,
            secure_handshake_ns: 40 * MS,
            trips: [trips(3, 30, 40), RoundTrips::default()],
            ..tcp()
        };
        assert_eq!(
            of(&quic)[1..],
            [
                "The QUIC handshake took 40 ms.",
                "From end to end and back it takes 35 ms on average (30 ms to 40 ms, measured 3 \
                 times).",
            ]
        );
    }
}
