//! Holds our risks against those of the labelled corpus' reference, where both mean the same.
//!
//! `risk_score [--only NAME] [--capture PART]`: `--only` lists every flow in which either side sets
//! our risk NAME, `--capture` takes captures whose file name contains PART.
#![expect(clippy::print_stdout, reason = "a report for people")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use weir_dpi::risk::{RISKS, flow as judge, names};
use weir_dpi::{Inspector, Limits, Risks, Transport, meta};
use weir_tests::corpus::{self, Flow, Row, Seen};

/// The reference's name and ours that mean the same, as far as two tools can.
const COMPARABLE: &[(&str, &[&str])] = &[
    ("SQL Injection", &["sql_injection"]),
    ("XSS Attack", &["cross_site_scripting"]),
    ("RCE Injection", &["remote_code_execution"]),
    ("Possible Exploit Attempt", &["known_exploit", "probing", "remote_code_execution"]),
    ("Binary App Transfer", &["binary_transfer", "script_transfer"]),
    ("Binary File/Data Transfer (Attempt)", &["binary_transfer", "script_transfer"]),
    ("HTTP Susp User-Agent", &["http_suspicious_agent"]),
    ("HTTP Susp Header", &["http_suspicious_header"]),
    ("HTTP Susp URL", &["http_suspicious_url"]),
    ("HTTP Susp Content", &["http_suspicious_content", "misleading_content_type"]),
    ("HTTP Obsolete Server", &["http_obsolete_server"]),
    ("HTTP/TLS/QUIC Numeric Hostname/SNI", &["numeric_host"]),
    ("Error Code", &["http_error_status", "dns_error_code", "login_refused"]),
    ("Clear-Text Credentials", &["clear_text_credentials"]),
    ("Unsafe Protocol", &["unsafe_protocol"]),
    ("Desktop/File Sharing", &["desktop_or_file_sharing"]),
    ("Susp DNS Traffic", &["dns_suspicious", "dns_long_name"]),
    ("Susp DGA Domain name", &["dns_generated_name", "dns_long_name"]),
    ("Risky Domain Name", &["risky_domain"]),
    ("Non-Printable/Invalid Chars Detected", &["invalid_characters"]),
    ("SSH Obsolete Cli Vers/Cipher", &["ssh_obsolete_client"]),
    ("SSH Obsolete Ser Vers/Cipher", &["ssh_obsolete_server"]),
    ("SMB Insecure Vers", &["smb_insecure_version"]),
    ("Known Proto on Non Std Port", &["non_standard_port", "foreign_protocol_on_port"]),
    ("Malformed Packet", &["malformed"]),
    ("Susp Entropy", &["suspicious_entropy", "fully_encrypted"]),
    ("Fully Encrypted Flow", &["fully_encrypted"]),
    ("Obfuscated Traffic", &["obfuscated"]),
    ("TCP Connection Issues", &["tcp_issues", "probing"]),
    ("Unidirectional Traffic", &["unidirectional"]),
    ("Anonymous Subscriber", &["anonymity"]),
    ("Crawler/Bot", &["http_crawler"]),
    ("Weak TLS Cipher", &["tls_weak_cipher"]),
    ("Obsolete TLS (v1.1 or older)", &["tls_obsolete_version"]),
    ("Missing SNI TLS Extn", &["tls_missing_sni"]),
    ("Self-signed Cert", &["tls_self_signed"]),
    ("TLS Cert Expired", &["tls_certificate_expired"]),
    ("TLS Cert About To Expire", &["tls_certificate_about_to_expire"]),
    ("TLS Cert Validity Too Long", &["tls_certificate_validity_too_long"]),
    ("TLS Cert Mismatch", &["tls_certificate_mismatch"]),
    ("TLS (probably) Not Carrying HTTPS", &["tls_not_carrying_https"]),
    ("Uncommon TLS ALPN", &["tls_uncommon_alpn"]),
    ("ALPN/SNI Mismatch", &["tls_alpn_sni_mismatch"]),
    ("TLS Fatal Alert", &["tls_fatal_alert"]),
    ("TLS Susp Extn", &["tls_suspicious_extension"]),
    ("TLS Susp ESNI Usage", &["tls_encrypted_hello"]),
];

fn main() -> anyhow::Result<()> {
    let Some(root) = corpus::root() else {
        println!("SKIPPED: no corpus; set WEIR_CORPUS");
        return Ok(());
    };
    let (mut only, mut part) = (None, String::new());
    let mut given = std::env::args().skip(1);
    while let Some(word) = given.next() {
        match (word.as_str(), given.next()) {
            ("--only", Some(name)) => only = Some(name),
            ("--capture", Some(name)) => part = name,
            _ => anyhow::bail!("--only NAME or --capture PART"),
        }
    }
    let mut by_capture: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in corpus::rows(&root)?.into_iter().filter(|row| row.capture.contains(&part)) {
        by_capture.entry(row.capture.clone()).or_default().push(row);
    }
    let mut score = Score::default();
    for (capture, rows) in by_capture {
        let path = root.join("pcap").join(&capture);
        let mut inspector = Inspector::new(&Limits { flows: 4096, ..Limits::default() });
        let flows = corpus::walk(&path, &mut inspector)?;
        let flows: HashMap<_, _> = flows.iter().map(|flow| (flow.ends, flow)).collect();
        let file = std::fs::read(&path)?;
        let courses = corpus::courses(&file)?;
        for row in rows {
            if let (Some(flow), Some(seen)) = (flows.get(&row.ends), courses.get(&row.ends)) {
                score.add(&row, risks(flow, seen), only.as_deref());
            }
        }
    }
    score.report();
    Ok(())
}

/// All that we say of a flow: what inspection noted, its names, its ends, and its course.
fn risks(flow: &Flow, seen: &Seen<'_>) -> Risks {
    let found = meta::decode(&flow.meta);
    let noted = found.filter(|(id, _)| *id == 3).filter_map(|(_, value)| value.try_into().ok());
    let noted = noted.map(|bytes| Risks(u64::from_le_bytes(bytes))).fold(Risks::NONE, Risks::or);
    let transport = if flow.ends.protocol == 6 { Transport::Tcp } else { Transport::Udp };
    let verdict = flow.verdict;
    let mut risks = noted.or(seen.flags);
    risks = risks.or(judge::judge_name(verdict, transport, seen.client, seen.server, &flow.meta));
    let mut course = seen.course;
    course.verdict = verdict;
    risks = risks.or(judge::judge_course(&course));
    if !verdict.is_known() {
        risks = risks.or(judge::judge_first_payload(seen.first, transport));
    } else if matches!(flow.ends.protocol, 1 | 58) {
        risks = risks.or(judge::judge_plain_data(seen.first));
    }
    let host = meta::decode(&flow.meta).find(|(id, _)| *id == weir_dpi::attr::HOST_NAME.id);
    host.map_or(risks, |(_, host)| risks.or(names::judge_host_of(verdict.master, host)))
}

#[derive(Default)]
struct Score {
    /// By the reference's name: rows with it, and those of them in which we agree.
    theirs: BTreeMap<&'static str, (u32, u32)>,
    /// By our name: rows with it, and those of them in which the reference agrees.
    ours: BTreeMap<&'static str, (u32, u32)>,
    rows: u32,
    agreeing: u32,
}

impl Score {
    fn add(&mut self, row: &Row, risks: Risks, only: Option<&str>) {
        let ours: BTreeSet<&str> = risks.iter().map(|about| about.name).collect();
        let mut comparable = false;
        let mut agrees = false;
        let mut meant: BTreeSet<&str> = BTreeSet::new();
        for (theirs, names) in COMPARABLE {
            if !row.risks.iter().any(|risk| risk == theirs) {
                continue;
            }
            let both = names.iter().any(|name| ours.contains(name));
            let counts = self.theirs.entry(theirs).or_default();
            counts.0 += 1;
            counts.1 += u32::from(both);
            comparable = true;
            agrees |= both;
            meant.extend(names.iter());
        }
        for name in &ours {
            let counts = self.ours.entry(name).or_default();
            counts.0 += 1;
            counts.1 += u32::from(meant.contains(name));
        }
        self.rows += u32::from(comparable);
        self.agreeing += u32::from(agrees);
        if only.is_some_and(|only| ours.contains(only) || meant.contains(only)) {
            let mark = only.map_or("", |only| match (ours.contains(only), meant.contains(only)) {
                (true, true) => "=",
                (true, false) => "+",
                _ => "-",
            });
            println!(
                "{mark} {} {} [{}] {} {:?}",
                row.capture, row.shown, row.name, row.host, row.risks
            );
        }
    }

    fn report(&self) {
        println!("{:<44} {:>6} {:>6}", "the reference's risk", "rows", "ours");
        for (name, (rows, both)) in &self.theirs {
            println!("{name:<44} {rows:>6} {both:>6}");
        }
        println!("\n{:<44} {:>6} {:>6}", "our risk", "rows", "theirs");
        for about in RISKS {
            if let Some((rows, both)) = self.ours.get(about.name) {
                println!("{:<44} {rows:>6} {both:>6}", about.name);
            }
        }
        println!(
            "\nrows with a comparable risk {}, of which we agree in one at least {}",
            self.rows, self.agreeing
        );
        let (all, both) = self.theirs.values().fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        println!("comparable risks {all}, of which we set {both}");
        println!("our risks that real traffic set: {}", self.ours.len());
    }
}
