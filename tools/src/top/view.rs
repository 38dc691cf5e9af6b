//! The frame around the pages: title, tabs, status line.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::keys::{Page, Screen};
use super::model::Model;
use super::{detail, pages, theme};
use crate::stats::books::sum;
use crate::terminal::clean;
use crate::units::Quantity;

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
    match screen.page {
        Page::Overview => pages::overview(frame, body, model, screen),
        Page::Applications => pages::applications(frame, body, model, screen),
        Page::Flows => pages::flows(frame, body, model, screen),
        Page::Hosts => pages::hosts(frame, body, model, screen),
        Page::Drops => pages::drops(frame, body, model, screen),
    }
    frame.render_widget(Paragraph::new(foot_line(model, screen)), foot);
    if screen.details {
        detail::flow(frame, body, model, screen);
    }
    if screen.help {
        detail::help(frame, body);
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
    for (number, page) in (1..).zip(Page::ALL) {
        let text = format!(" {number} {} ", page.name());
        let style = if page == screen.page { theme::title().reversed() } else { Style::new() };
        spans.push(Span::styled(text, style));
    }
    if screen.paused {
        spans.push(Span::styled(" PAUSED ", Style::new().black().bg(theme::WARN)));
    }
    if screen.filter.is_some() {
        let text = format!("  filter: {}", clean(&screen.filter_text));
        spans.push(Span::styled(text, Style::new().fg(theme::WARN)));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

fn foot_line(model: &Model, screen: &Screen) -> Line<'static> {
    if let Some(prompt) = &screen.prompt {
        let mut spans = vec![
            Span::styled(" filter: ", theme::title()),
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
    let mut spans = vec![" ".into()];
    if let Some(books) = &model.books {
        let style = if books.balanced { theme::GOOD } else { theme::BAD };
        let word = if books.balanced { "BALANCED" } else { "NOT BALANCED" };
        spans.push(Span::styled(word, Style::new().fg(style).bold()));
        let lost = sum(&books.total.lost);
        let dropped = sum(&books.total.dropped);
        let style = if lost > 0 { Style::new().fg(theme::WARN) } else { Style::new() };
        spans.push(Span::styled(format!(" lost {}", Quantity::Count.short(lost)), style));
        spans.push(format!(" dropped {} ", Quantity::Count.short(dropped)).into());
    }
    for (key, what) in [
        ("q", "quit"),
        ("tab", "page"),
        ("/", "filter"),
        ("s", "sort"),
        ("p", "pause"),
        ("h", "help"),
    ] {
        spans.push(Span::styled(format!(" {key}"), theme::title()));
        spans.push(Span::styled(format!(" {what}"), theme::dim()));
    }
    Line::from(spans)
}
