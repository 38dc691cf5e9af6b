//! The frame around the pages: title, tabs, status line.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::keys::{Page, Screen};
use super::model::Model;
use super::{help, pages, tables, theme};
use crate::stats::books::{Books, sum};
use crate::terminal::clean;
use crate::units::Quantity;

/// Columns below which the keys come before the ledger.
const NARROW: u16 = 72;

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, screen: &Screen) {
    let [head, tabs, body, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(head_line(model)), head);
    draw_tabs(frame, tabs, screen);
    if let Some(opened) = screen.open.last() {
        tables::sheet(frame, body, &model.sheet, opened);
    } else {
        draw_page(frame, body, model, screen);
    }
    frame.render_widget(Paragraph::new(foot_line(model, screen)), foot);
    if let Some(scroll) = screen.help {
        help::draw(frame, body, scroll);
    }
}

fn draw_page(frame: &mut Frame<'_>, area: Rect, model: &Model, screen: &Screen) {
    match screen.page {
        Page::Overview => pages::overview(frame, area, model, screen),
        Page::Applications => tables::applications(frame, area, model, screen),
        Page::Flows => pages::flows(frame, area, model, screen),
        Page::Hosts => tables::hosts(frame, area, model, screen),
        Page::Drops => pages::drops(frame, area, model, screen),
        Page::Alerts => tables::alerts(frame, area, model, screen),
    }
}

fn head_line(model: &Model) -> Line<'static> {
    let state = match model.state {
        "running" => Span::styled(" RUNNING ", Style::new().black().bg(theme::GOOD)),
        "ended" => Span::styled(" ENDED ", Style::new().black().bg(theme::WARN)),
        "starting" => Span::styled(" STARTING ", Style::new().black().bg(theme::WARN)),
        _ => Span::styled(" DEAD ", Style::new().black().bg(theme::BAD)),
    };
    let mut spans = vec![
        Span::styled(format!(" {} ", clean(&model.title)), theme::title()),
        state,
        format!(" up {} ", Quantity::Time.short(model.up_ns)).into(),
    ];
    if let (count @ 1.., severity) = model.active {
        let alerts = if count == 1 { "alert" } else { "alerts" };
        let text = format!("{count} {alerts}, {} ", severity.name());
        spans.push(Span::styled(text, tables::severity(severity)));
    }
    // A live engine says so several times a second.
    if model.state == "running" && model.quiet_ns > 5_000_000_000 {
        let quiet = format!("silent for {} ", Quantity::Time.short(model.quiet_ns));
        spans.push(Span::styled(quiet, Style::new().fg(theme::WARN)));
    }
    spans.push(Span::styled(clean(&model.sources), theme::dim()));
    Line::from(spans)
}

fn draw_tabs(frame: &mut Frame<'_>, area: Rect, screen: &Screen) {
    let mut spans = Vec::new();
    let whole = |(number, page): (usize, Page)| format!(" {number} {} ", page.name());
    let all = || (1..).zip(Page::ALL);
    let width: usize = all().map(whole).map(|text| text.len()).sum();
    let fits = width <= usize::from(area.width);
    for (number, page) in all() {
        let is_shown = page == screen.page;
        let text = if fits || is_shown { whole((number, page)) } else { format!(" {number}") };
        let style = if is_shown { theme::title().reversed() } else { Style::new() };
        spans.push(Span::styled(text, style));
    }
    if screen.paused {
        spans.push(Span::styled(" PAUSED ", Style::new().black().bg(theme::WARN)));
    }
    if let Some(narrowing) = screen.narrowing() {
        let text = format!("  {}", clean(&narrowing));
        spans.push(Span::styled(text, Style::new().fg(theme::WARN)));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

fn foot_line(model: &Model, screen: &Screen) -> Line<'static> {
    if let Some(prompt) = &screen.prompt {
        let mut spans = vec![
            Span::styled(if prompt.is_filter { " filter: " } else { " find: " }, theme::title()),
            clean(&prompt.text).into(),
            Span::styled("█", theme::title()),
        ];
        match &prompt.complaint {
            Some(text) => {
                let text = format!("  {}", clean(text));
                spans.push(Span::styled(text, Style::new().fg(theme::BAD)));
            }
            None => spans.push(Span::styled("  enter takes it, esc drops it", theme::dim())),
        }
        return Line::from(spans);
    }
    let books = model.books.as_ref().map(books_spans).unwrap_or_default();
    let keys = keys(screen).iter().flat_map(|(key, what)| {
        let key = Span::styled(format!(" {key}"), theme::title());
        [key, Span::styled(format!(" {what}"), theme::dim())]
    });
    // Where there is no room for both, the keys are what is needed.
    if screen.columns < NARROW {
        return keys.chain(books).collect();
    }
    books.into_iter().chain(keys).collect()
}

/// The ledger in a few words.
fn books_spans(books: &Books) -> Vec<Span<'static>> {
    let style = if books.balanced { theme::GOOD } else { theme::BAD };
    let word = if books.balanced { " BALANCED" } else { " NOT BALANCED" };
    let lost = sum(&books.total.lost);
    let dropped = sum(&books.total.dropped);
    let warn = if lost > 0 { Style::new().fg(theme::WARN) } else { Style::new() };
    vec![
        Span::styled(word, Style::new().fg(style).bold()),
        Span::styled(format!(" lost {}", Quantity::Count.short(lost)), warn),
        format!(" dropped {} ", Quantity::Count.short(dropped)).into(),
    ]
}

/// The keys that are of use now.
fn keys(screen: &Screen) -> &'static [(&'static str, &'static str)] {
    if screen.help.is_some() {
        return &[("esc", "closes")];
    }
    if !screen.open.is_empty() {
        return &[
            ("esc", "back"),
            ("↑↓", "choose"),
            ("enter", "go"),
            ("pgdn", "more"),
            ("?", "help"),
        ];
    }
    match screen.page {
        Page::Overview | Page::Flows => &[
            ("q", "quit"),
            ("enter", "page"),
            ("/", "filter"),
            ("s", "sort"),
            ("p", "pause"),
            ("?", "help"),
        ],
        Page::Applications => &[
            ("q", "quit"),
            ("enter", "flows"),
            ("/", "find"),
            ("s", "sort"),
            ("p", "pause"),
            ("?", "help"),
        ],
        Page::Hosts | Page::Alerts => &[
            ("q", "quit"),
            ("enter", "page"),
            ("/", "find"),
            ("s", "sort"),
            ("p", "pause"),
            ("?", "help"),
        ],
        Page::Drops => &[("q", "quit"), ("tab", "page"), ("p", "pause"), ("?", "help")],
    }
}
