use super::table::{Block, Host, Row, check, parse, read};
use super::*;
use crate::app::describe;
use proptest::prelude::*;
use std::path::Path;
use std::sync::LazyLock;

/// The tables as they stand.
static TABLE: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/services/table");
    read(&folder).unwrap()
});

fn app_of(row: &Row) -> AppId {
    let service = row.service.as_ref().map(|service| AppId(service.id));
    // The rows of protocols have no id in the text: one of their hosts tells it.
    service.unwrap_or_else(|| by_host_name(row.hosts[0].domain.as_bytes()).unwrap())
}

fn name_of(host: &str) -> Option<&'static str> {
    by_host_name(host.as_bytes()).map(|id| describe(id).name)
}

/// The plain twin of the host index: every domain compared, then every beginning of the best one.
fn slowly_by_host(host: &str) -> Option<AppId> {
    let host = host.to_ascii_lowercase();
    let fits = |of: &Host| host == of.domain || host.ends_with(&format!(".{}", of.domain));
    let rows = TABLE.iter().flat_map(|row| row.hosts.iter().map(move |host| (host, row)));
    let fitting: Vec<_> = rows.filter(|(of, _)| fits(of)).collect();
    let domains = fitting.iter().filter(|(of, _)| of.beginning.is_empty());
    let (best, _) = domains.max_by_key(|(of, _)| of.domain.len())?;
    let of_best = fitting.iter().filter(|(of, _)| of.domain == best.domain);
    let begun = of_best.filter(|(of, _)| host.starts_with(&of.beginning));
    begun.max_by_key(|(of, _)| of.beginning.len()).map(|(_, row)| app_of(row))
}

/// The plain twin of the blocks laid flat: every block compared.
fn slowly_by_address(address: u128) -> Option<(AppId, bool)> {
    let rows = TABLE.iter().flat_map(|row| row.blocks.iter().map(move |block| (block, row)));
    let fitting = rows.filter(|(block, _)| (block.first..=block.last()).contains(&address));
    fitting.max_by_key(|(block, _)| block.bits).map(|(block, row)| (app_of(row), block.surely))
}

/// What the index says, in the twin's form.
fn by_index(address: u128) -> Option<(AppId, bool)> {
    let address = address.to_be_bytes();
    let app = by_address(address)?;
    assert!(surely_at(address).is_none_or(|surely| surely == app));
    Some((app, surely_at(address).is_some()))
}

/// The plain twin of the certificate index.
fn slowly_by_certificate(name: &str) -> Option<AppId> {
    let names = |row: &Row| row.certificates.iter().any(|of| of.eq_ignore_ascii_case(name));
    let by_host = slowly_by_host(name.strip_prefix("*.").unwrap_or(name));
    by_host.or_else(|| TABLE.iter().find(|row| names(row)).map(app_of))
}

fn all<T>(of: impl Fn(&'static Row) -> &'static [T]) -> Vec<&'static T> {
    TABLE.iter().flat_map(of).collect()
}

fn mapped(a: u8, b: u8, c: u8, d: u8) -> [u8; 16] {
    std::net::Ipv4Addr::new(a, b, c, d).to_ipv6_mapped().octets()
}

#[test]
fn the_longest_domain_wins_and_labels_are_whole() {
    assert_eq!(name_of("www.youtube.com"), Some("YouTube"));
    assert_eq!(name_of("r3---sn-4g5e.GoogleVideo.com"), Some("YouTube"));
    assert_eq!(name_of("mail.google.com"), Some("Gmail"));
    assert_eq!(name_of("accounts.google.com"), Some("Google"));
    assert_eq!(name_of("google.com"), Some("Google"));
    assert_eq!(name_of("notgoogle.com"), None);
    assert_eq!(name_of("google.com.evil.example"), None);
    assert_eq!(name_of("instagram.faae1-1.fna.fbcdn.net"), Some("Instagram"));
    assert_eq!(name_of("scontent.fna.fbcdn.net"), Some("Facebook"));
    for nothing in ["", ".", "com", "..", "a..b", "192.0.2.1"] {
        assert_eq!(name_of(nothing), None, "{nothing:?}");
    }
}

#[test]
fn rows_are_those_of_the_text() {
    let services: Vec<_> = TABLE.iter().filter_map(|row| row.service.as_ref()).collect();
    assert_eq!(services.len(), APPS.len());
    assert!(APPS.len() >= 470, "{} services", APPS.len());
    for (service, app) in services.iter().zip(APPS) {
        assert_eq!((AppId(service.id), service.name.as_str()), (app.id, app.name));
        assert_eq!(service.category, format!("{:?}", app.category), "{}", app.name);
        assert_eq!(service.breed, format!("{:?}", app.breed), "{}", app.name);
    }
}

#[test]
fn every_name_and_block_of_a_row_tells_it() {
    for row in TABLE.iter() {
        let app = app_of(row);
        for host in &row.hosts {
            let name = match host.beginning.as_str() {
                "" => host.domain.clone(),
                beginning => format!("{beginning}x.{}", host.domain),
            };
            assert_eq!(by_host_name(name.as_bytes()), Some(app), "{name}");
            let name = format!("*.{name}").to_ascii_uppercase();
            assert_eq!(by_certificate_name(name.as_bytes()), Some(app), "{name}");
        }
        for name in &row.certificates {
            assert_eq!(by_certificate_name(name.as_bytes()), Some(app), "{name}");
            assert_eq!(by_host_name(name.as_bytes()), None, "{name} is told as a host already");
        }
        for block in &row.blocks {
            assert_eq!(by_index(block.first), slowly_by_address(block.first));
        }
    }
}

#[test]
fn reserved_addresses_are_of_no_service() {
    for address in [
        mapped(0, 0, 0, 0),
        mapped(10, 0, 0, 1),
        mapped(127, 0, 0, 1),
        mapped(172, 16, 0, 1),
        mapped(192, 0, 2, 1),
        mapped(192, 168, 1, 1),
        mapped(224, 0, 0, 251),
        mapped(255, 255, 255, 255),
        [0; 16],
        [0xFF; 16],
    ] {
        assert_eq!(by_address(address), None, "{address:?}");
    }
}

#[test]
fn an_address_tells_a_service_only_where_nothing_else_is() {
    assert_eq!(surely_at(mapped(149, 154, 167, 91)), Some(AppId::TELEGRAM));
    for (rented, owner) in [
        (mapped(104, 16, 0, 1), AppId::CLOUDFLARE),
        (mapped(157, 240, 0, 1), AppId::FACEBOOK),
        (mapped(142, 250, 0, 1), AppId::GOOGLE),
    ] {
        assert_eq!((by_address(rented), surely_at(rented)), (Some(owner), None));
    }
    // Of clouds, and of networks that deliver for many, nothing is sure.
    let surely = TABLE.iter().filter(|row| row.blocks.iter().any(|block| block.surely));
    for row in surely {
        assert!(!row.place.starts_with("clouds.txt"), "{}", row.place);
    }
}

#[test]
fn a_wrong_row_is_told_with_its_line() {
    let error = |text: &str| {
        let mut rows = Vec::new();
        parse("t.txt", text, &mut rows).and_then(|()| check(&rows)).unwrap_err()
    };
    for (text, told) in [
        ("1000 A A Web", "t.txt:1: a row begins with"),
        ("# x\n\n999 A A Web Safe", "t.txt:3: ids of services"),
        ("x A A Web Safe", "t.txt:1: `x` is no id"),
        ("1000 a A Web Safe", "t.txt:1: `a` is no constant"),
        ("1000 A A.B Web Safe", "t.txt:1: `A.B` has more than"),
        ("    hosts a.example", "t.txt:1: stands under no row"),
        ("1001 A A Web Safe\n1000 B B Web Safe", "t.txt:2: 1000 must come before 1001"),
        ("1000 A A Web Safe\n1001 B a Web Safe", "t.txt:2: the name a stands at t.txt:1 too"),
        ("1000 A A Web Safe\n1001 A B Web Safe", "t.txt:2: the constant A stands at t.txt:1 too"),
        ("protocol A\n    names x", "t.txt:2: `names` is none of"),
        ("protocol A\n    hosts", "t.txt:2: `hosts` has no value"),
        ("protocol A\n    hosts a.Example", "t.txt:2: `a.Example` is no host name"),
        ("protocol A\n    hosts .example", "t.txt:2: `.example` is no host name"),
        ("protocol A\n    hosts *.a.example", "t.txt:2: `*.a.example` is no host name"),
        ("protocol A\n    hosts b.example b.example", "t.txt:1: the host *.b.example stands at"),
        ("protocol A\n    hosts b*.c.example", "t.txt:1: no row has the host c.example"),
        ("protocol A\n    addresses 192.0.2.0/33", "t.txt:2: `192.0.2.0/33` is no block"),
        ("protocol A\n    addresses 192.0.2.1/24", "t.txt:2: `192.0.2.1/24` has bits set"),
        ("protocol A\n    addresses 192.0.2", "t.txt:2: `192.0.2` is no block"),
        ("protocol A\n    addresses 192.0.2.1 192.0.2.1/32", "t.txt:1: the block"),
        ("protocol A\n    certificates B; b", "t.txt:1: the certificate b stands at"),
    ] {
        let error = error(text);
        assert!(error.starts_with(told), "{text:?} gave {error:?}");
    }
}

#[test]
fn a_row_reads_as_it_is_written() {
    let text = "# Things.\n1000 A A-B Web Safe # why\n    hosts a.example x.*.a.example\n\
                \x20   certificates A, Inc.; B\n    addresses 192.0.2.0/24 2001:db8::/32\n\
                \x20   surely 192.0.2.1";
    let mut rows = Vec::new();
    parse("t.txt", text, &mut rows).unwrap();
    check(&rows).unwrap();
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((row.place.as_str(), row.constant.as_str()), ("t.txt:2", "A"));
    let host = |beginning: &str| Host { beginning: beginning.into(), domain: "a.example".into() };
    assert_eq!(row.hosts, [host(""), host("x.")]);
    assert_eq!(row.certificates, ["A, Inc.", "B"]);
    let v4 = 0xFFFF_C000_0200;
    let v6 = 0x2001_0db8 << 96;
    let blocks = [(v4, 120, false), (v6, 32, false), (v4 + 1, 128, true)];
    let blocks = blocks.map(|(first, bits, surely)| Block { first, bits, surely });
    assert_eq!(row.blocks, blocks);
}

#[test]
fn probes_stay_short() {
    for index in [&HOSTS, &CERTIFICATES] {
        assert!(index.rows.len() * 2 <= index.tags.len(), "at most half full");
        assert!(index.tags.len().is_power_of_two() && index.numbers.len() == index.tags.len());
        let mut worst = 0;
        let mut run = 0;
        for place in index.tags.iter().chain(index.tags.iter()) {
            run = if *place == 0 { 0 } else { run + 1 };
            worst = worst.max(run);
        }
        assert!(worst <= 24, "{worst} places in a row are full");
    }
    let refined = HOSTS.rows.iter().map(|row| row.refined.len()).max();
    assert!(refined <= Some(16), "beginnings are compared one by one");
    assert!(BLOCKS.len() < 4096, "twelve steps");
    assert!(BLOCKS.is_sorted_by(|a, b| a.0 < b.0));
}

proptest! {
    #[test]
    fn hosts_equal_their_plain_twin(
        row in any::<prop::sample::Index>(),
        before in "([a-z0-9-]{0,8}\\.){0,3}",
        after in "(\\.[a-z]{0,3})?",
        glued in "[a-z]?",
    ) {
        let hosts = all(|row| &row.hosts);
        let host = row.get(&hosts);
        let beginning = &host.beginning;
        let host = format!("{beginning}{before}{glued}{}{after}", host.domain);
        prop_assert_eq!(by_host_name(host.as_bytes()), slowly_by_host(&host));
    }

    #[test]
    fn certificates_equal_their_plain_twin(
        row in any::<prop::sample::Index>(),
        glued in "[a-z ]?",
        star in "(\\*\\.)?",
    ) {
        let hosts = all(|row| &row.hosts).into_iter().map(|host| &host.domain);
        let names: Vec<_> = all(|row| &row.certificates).into_iter().chain(hosts).collect();
        let name = format!("{star}{}{glued}", row.get(&names));
        prop_assert_eq!(by_certificate_name(name.as_bytes()), slowly_by_certificate(&name));
    }

    #[test]
    fn blocks_equal_their_plain_twin(
        row in any::<prop::sample::Index>(),
        offset in any::<u128>(),
        edge in -1_i128..=1,
        end in any::<bool>(),
    ) {
        let blocks = all(|row| &row.blocks);
        let block = **row.get(&blocks);
        let near = if end { block.last() } else { block.first };
        let within = block.first | (offset & (block.first ^ block.last()));
        for address in [near.wrapping_add_signed(edge), within, offset, 0xFFFF << 32 | offset >> 96] {
            prop_assert_eq!(by_index(address), slowly_by_address(address));
        }
    }

    #[test]
    fn any_bytes_are_safe(
        name in prop::collection::vec(any::<u8>(), 0..300),
        address in any::<[u8; 16]>(),
    ) {
        let _ = (by_host_name(&name), by_certificate_name(&name), by_address(address));
    }
}
