//! Each pane as it is drawn, and what keys do there.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::keys::{Opened, Page, Screen, Wish};
use super::model::Model;
use super::model::tests::sample;
use super::sheet::{Link, Sheet, Target};
use super::view;

fn picture(model: &Model, screen: &mut Screen, (columns, lines): (u16, u16)) -> String {
    screen.columns = columns;
    let mut terminal = Terminal::new(TestBackend::new(columns, lines)).unwrap();
    terminal.draw(|frame| view::draw(frame, model, screen)).unwrap();
    let cells = terminal.backend().buffer().content().chunks(usize::from(columns));
    let lines: Vec<String> =
        cells.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect()).collect();
    lines.join("\n")
}

/// Presses a key; what it asks for.
fn press(screen: &mut Screen, model: &Model, code: KeyCode) -> Wish {
    screen.key(KeyEvent::new(code, KeyModifiers::NONE), model)
}

fn type_in(screen: &mut Screen, model: &Model, text: &str) {
    for letter in text.chars() {
        press(screen, model, KeyCode::Char(letter));
    }
}

/// One in which nothing was seen.
fn empty() -> Model {
    let mut model = sample();
    model.apps.clear();
    model.hosts.clear();
    model.alerts.clear();
    model.flows.clear();
    model
}

fn all_of(picture: &str, wanted: &[&str]) {
    for text in wanted {
        assert!(picture.contains(text), "no `{text}`:\n{picture}");
    }
}

#[test]
fn hosts_show_who_they_are_and_what_they_move() {
    let (model, mut screen) = (sample(), Screen::new(4, None));
    let shown = picture(&model, &mut screen, (130, 12));
    all_of(&shown, &["Hosts (2) by bytes", "printer", "10.0.0.5", "local", "system", "Linux"]);
    all_of(&shown, &["1.5 Mbit/s", "250 Kbit/s", "4.0 MB", "12", "TLS", "Cisco", "1 alert, high"]);
    // One without a name goes by its address, once as name and once as address.
    assert_eq!(shown.matches("10.0.0.9").count(), 2, "{shown}");
    assert_eq!(press(&mut screen, &model, KeyCode::Char('s')), Wish::Arrange);
    all_of(&picture(&model, &mut screen, (130, 12)), &["Hosts (2) by rate"]);
    press(&mut screen, &model, KeyCode::Down);
    assert_eq!(press(&mut screen, &model, KeyCode::Enter), Wish::Arrange);
    assert_eq!(screen.target(), Some(&Target::Host([10, 0, 0, 9].into())));
}

#[test]
fn applications_show_latencies_and_lead_to_their_flows() {
    let (model, mut screen) = (sample(), Screen::new(2, None));
    let shown = picture(&model, &mut screen, (110, 12));
    all_of(&shown, &["Applications (2) by bytes", "75% ██████████", "3.0 MB", "2.0 Mbit/s"]);
    all_of(&shown, &["4 ms", "90 ms", "enter flows"]);
    press(&mut screen, &model, KeyCode::End);
    assert_eq!(press(&mut screen, &model, KeyCode::Enter), Wish::Look);
    assert_eq!((screen.page, screen.filter_text.as_str()), (Page::Flows, "app == \"DNS\""));
    assert!(screen.filter.is_some());
    all_of(&picture(&model, &mut screen, (110, 12)), &["filter: app == \"DNS\"", "Flows ("]);
    assert_eq!(press(&mut screen, &model, KeyCode::Esc), Wish::Look);
    assert!(screen.filter.is_none() && screen.narrowing().is_none());
}

#[test]
fn alerts_show_severity_age_and_state() {
    let (model, mut screen) = (sample(), Screen::new(6, None));
    let shown = picture(&model, &mut screen, (120, 12));
    all_of(&shown, &["Alerts (2, 1 active) by severity", "high", "port_scan", "10.0.0.5"]);
    all_of(&shown, &["active", "ended", "1m05s", "1m00s", "120", "130"]);
    press(&mut screen, &model, KeyCode::Enter);
    assert_eq!(screen.target(), Some(&Target::Alert(0xabc, 5_000_000_000)));
}

#[test]
fn a_flow_of_the_list_opens() {
    let (model, mut screen) = (sample(), Screen::new(3, None));
    all_of(&picture(&model, &mut screen, (80, 24)), &["10.0.0.2:40000", "10.0.0.1:443", "31.5 KB"]);
    assert_eq!(press(&mut screen, &model, KeyCode::Enter), Wish::Arrange);
    assert_eq!(screen.target(), Some(&Target::Flow(99)));
}

fn opened() -> (Model, Screen) {
    let link = |text: &str, target| Link { text: text.to_owned(), target };
    let host = Target::Host([10, 0, 0, 5].into());
    let sheet = Sheet {
        title: "Alert abc".to_owned(),
        lines: (0..40)
            .map(|line| format!("line {line} of a text that may have to be broken"))
            .collect(),
        links: vec![
            link("host 10.0.0.5", host),
            link("its flows", Target::Flows("ip == 10.0.0.5".to_owned())),
            link("flow 77", Target::Flow(77)),
        ],
    };
    let mut screen = Screen::new(6, None);
    screen.open.push(Opened { target: Target::Alert(1, 2), scroll: 0, selected: 0 });
    let mut model = sample();
    model.sheet = sheet;
    (model, screen)
}

#[test]
fn what_is_open_scrolls_leads_on_and_closes() {
    let (model, mut screen) = opened();
    let shown = picture(&model, &mut screen, (80, 24));
    all_of(
        &shown,
        &["Alert abc", "line 0 of", "more lines: page down", "Go to", "flow 77", "esc back"],
    );
    press(&mut screen, &model, KeyCode::PageDown);
    let shown = picture(&model, &mut screen, (80, 24));
    assert!(!shown.contains("line 9 of") && shown.contains("line 10 of"), "{shown}");
    for _ in 0..50 {
        press(&mut screen, &model, KeyCode::PageDown);
    }
    all_of(&picture(&model, &mut screen, (80, 24)), &["line 39 of"]);
    for _ in 0..5 {
        press(&mut screen, &model, KeyCode::Down);
    }
    assert_eq!(press(&mut screen, &model, KeyCode::Enter), Wish::Arrange);
    assert_eq!(screen.target(), Some(&Target::Flow(77)));
    press(&mut screen, &model, KeyCode::Esc);
    assert_eq!(screen.target(), Some(&Target::Alert(1, 2)), "back where it came from");
    press(&mut screen, &model, KeyCode::Up);
    press(&mut screen, &model, KeyCode::Enter);
    assert_eq!((screen.page, screen.open.len()), (Page::Flows, 0));
    assert_eq!(screen.filter_text, "ip == 10.0.0.5");
}

#[test]
fn a_part_is_found_on_pages_without_flows() {
    let (model, mut screen) = (sample(), Screen::new(4, None));
    type_in(&mut screen, &model, "/Print");
    all_of(&picture(&model, &mut screen, (80, 24)), &["find: Print"]);
    assert_eq!(press(&mut screen, &model, KeyCode::Enter), Wish::Arrange);
    assert_eq!((screen.part(Page::Hosts), screen.part(Page::Alerts)), ("print", ""));
    assert!(screen.filter.is_none());
    assert_eq!(screen.narrowing().as_deref(), Some("find: print"));
    assert_eq!(press(&mut screen, &model, KeyCode::Esc), Wish::Arrange);
    assert_eq!(screen.narrowing(), None);
}

#[test]
fn the_help_opens_over_everything() {
    let (model, mut screen) = opened();
    press(&mut screen, &model, KeyCode::Char('?'));
    all_of(&picture(&model, &mut screen, (100, 30)), &["Help (esc closes", "~name", "esc closes"]);
    press(&mut screen, &model, KeyCode::PageDown);
    let shown = picture(&model, &mut screen, (80, 16));
    assert!(shown.contains("whole language") && !shown.contains("quit"), "{shown}");
    press(&mut screen, &model, KeyCode::Esc);
    assert!(screen.help.is_none() && !screen.open.is_empty());
}

#[test]
fn an_engine_without_hosts_says_so() {
    let mut without = empty();
    without.keeps_hosts = false;
    for page in [1, 2, 4] {
        let shown = picture(&without, &mut Screen::new(page, None), (160, 30));
        all_of(&shown, &["This engine keeps no hosts", "hosts.enabled"]);
    }
}

#[test]
fn no_size_breaks_a_picture_and_no_key_a_page() {
    let sizes = [(1, 1), (3, 2), (10, 3), (20, 5), (40, 10), (80, 24), (250, 70)];
    for page in 1..=6 {
        for size in sizes {
            for model in [sample(), empty()] {
                let mut screen = Screen::new(page, None);
                screen.selected = 1000;
                picture(&model, &mut screen, size);
                press(&mut screen, &model, KeyCode::Char('?'));
                picture(&model, &mut screen, size);
            }
            let (model, mut screen) = opened();
            picture(&model, &mut screen, size);
        }
    }
    let codes = [
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::Tab,
        KeyCode::BackTab,
        KeyCode::Backspace,
        KeyCode::Delete,
        KeyCode::F(5),
        KeyCode::Char('/'),
        KeyCode::Char('s'),
        KeyCode::Char('p'),
        KeyCode::Char('6'),
        KeyCode::Char('?'),
        KeyCode::Char('\u{7f}'),
    ];
    // Every pair of keys, on every page.
    for page in 1..=6 {
        for first in codes {
            for second in codes {
                let (model, mut screen) = (sample(), Screen::new(page, None));
                press(&mut screen, &model, first);
                press(&mut screen, &model, second);
                picture(&model, &mut screen, (40, 10));
            }
        }
    }
}

#[test]
fn a_narrow_screen_shows_the_page_and_the_keys() {
    let (model, mut screen) = (sample(), Screen::new(4, None));
    let shown = picture(&model, &mut screen, (40, 10));
    all_of(&shown, &[" 1 2 3 4 Hosts  5 6", "printer", "4.0 MB", "q quit"]);
}
