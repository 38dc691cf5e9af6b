//! The pages that are one table: applications, hosts, alerts; and what opens above a page.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use weir_shm::alerts::Severity;

use super::keys::{Opened, Screen};
use super::lists::{AppLine, HostLine};
use super::model::Model;
use super::pages::{bar, note, panel, share};
use super::sheet::Sheet;
use super::theme;
use crate::alerts::show;
use crate::table::{self, Column};
use crate::terminal::clean;
use crate::units::Quantity;

/// Cells of the bar beside an application.
const BAR: usize = 10;

/// Every application.
pub(super) fn applications(frame: &mut Frame<'_>, area: Rect, model: &Model, screen: &Screen) {
    let title = format!("Applications ({}) by {}", model.apps.len(), screen.app_sort.name());
    let columns = columns(&[
        ("application", false, 8, 0),
        ("for", false, 6, 9),
        ("share", false, 0, 8),
        ("bytes", true, 0, 0),
        ("rate", true, 0, 1),
        ("flows", true, 0, 3),
        ("live", true, 0, 6),
        ("hosts", true, 0, 5),
        ("half", true, 0, 2),
        ("95 %", true, 0, 7),
    ]);
    let greatest = model.apps.iter().map(|app| app.bytes).max().unwrap_or(0);
    let row = |app: &AppLine| {
        let count = |number| Quantity::Count.short(number);
        let time = |ns: Option<u64>| ns.map_or_else(String::new, |ns| Quantity::Time.short(ns));
        let percent = share(app.bytes, model.host_bytes);
        vec![
            app.name.clone(),
            app.category.to_owned(),
            format!("{percent:>3}% {:<BAR$}", bar(app.bytes, greatest, BAR)),
            Quantity::Bytes.short(app.bytes),
            Quantity::Rate.short(app.rate_bps),
            count(app.flows),
            count(app.live),
            count(app.hosts),
            time(app.latency_ns[0]),
            time(app.latency_ns[1]),
        ]
    };
    let rows = model.apps.iter().map(|app| (row(app), Style::new()));
    let list = List { title, columns, selected: screen.selected, empty: without_rows(model) };
    list.draw(frame, area, rows);
}

/// Every host.
pub(super) fn hosts(frame: &mut Frame<'_>, area: Rect, model: &Model, screen: &Screen) {
    let (shown, all) = (model.hosts.len(), model.host_count);
    let of = if shown < all { format!("first {shown} of {all}") } else { all.to_string() };
    let title = format!("Hosts ({of}) by {}", screen.host_sort.name());
    let columns = columns(&[
        ("host", false, 12, 0),
        ("address", false, 15, 6),
        ("kind", false, 0, 7),
        ("out", true, 0, 2),
        ("in", true, 0, 1),
        ("bytes", true, 0, 0),
        ("flows", true, 0, 4),
        ("application", false, 6, 5),
        ("system", false, 6, 9),
        ("maker", false, 6, 8),
        ("alerts", true, 0, 3),
    ]);
    let row = |host: &HostLine| {
        let alerts = if host.alerts == 0 { String::new() } else { host.alerts.to_string() };
        vec![
            host.label(),
            host.address.to_string(),
            host.kind.name().to_owned(),
            Quantity::Rate.short(host.rates_bps[0]),
            Quantity::Rate.short(host.rates_bps[1]),
            Quantity::Bytes.short(host.all_bytes()),
            Quantity::Count.short(host.flows),
            host.app.clone(),
            host.os.to_owned(),
            host.vendor.clone(),
            alerts,
        ]
    };
    let style =
        |host: &HostLine| if host.alerts > 0 { Style::new().fg(theme::WARN) } else { Style::new() };
    let rows = model.hosts.iter().map(|host| (row(host), style(host)));
    let list = List { title, columns, selected: screen.selected, empty: without_rows(model) };
    list.draw(frame, area, rows);
}

/// What stands where a list of hosts or applications is empty.
fn without_rows(model: &Model) -> &'static str {
    if model.keeps_hosts {
        "None was seen, or none has what is to be found."
    } else {
        super::NO_HOSTS
    }
}

/// Active and recent alerts.
pub(super) fn alerts(frame: &mut Frame<'_>, area: Rect, model: &Model, screen: &Screen) {
    let (all, active) = (model.alerts.len(), model.active.0);
    let title = format!("Alerts ({all}, {active} active) by {}", screen.alert_sort.name());
    let rows = model.alerts.iter().map(|alert| {
        let style = if alert.end_ns == 0 { severity(alert.severity) } else { theme::dim() };
        (show::row(alert, model.now_ns), style)
    });
    let empty = "No alerts, or none has what is to be found (docs/ALERTS.md has the rules).";
    let columns = show::columns();
    List { title, columns, selected: screen.selected, empty }.draw(frame, area, rows);
}

/// The colour of a severity.
pub(super) fn severity(severity: Severity) -> Style {
    match severity {
        Severity::Low => Style::new(),
        Severity::Medium => Style::new().fg(theme::WARN),
        Severity::High | Severity::Severe => Style::new().fg(theme::BAD),
    }
}

/// Title, whether numbers are in it, how narrow it may become, and how early it is left out.
fn columns(all: &[(&str, bool, usize, u8)]) -> Vec<Column> {
    let column = |(title, right, at_least, dispensable): &(&str, bool, usize, u8)| Column {
        at_least: *at_least,
        dispensable: *dispensable,
        ..Column::new(*title, *right)
    };
    all.iter().map(column).collect()
}

/// A table of which a line is selected.
struct List {
    title: String,
    columns: Vec<Column>,
    selected: usize,
    /// What stands there if there is no row.
    empty: &'static str,
}

impl List {
    fn draw(
        self,
        frame: &mut Frame<'_>,
        area: Rect,
        rows: impl ExactSizeIterator<Item = (Vec<String>, Style)>,
    ) {
        let block = panel(&self.title);
        let inside = block.inner(area);
        if rows.len() == 0 {
            frame.render_widget(note(self.empty).block(block), area);
            return;
        }
        // A list that became shorter has its last line selected.
        let selected = self.selected.min(rows.len() - 1);
        let visible = usize::from(inside.height.saturating_sub(1));
        let skip = (selected + 1).saturating_sub(visible.max(1));
        let (cells, styles): (Vec<_>, Vec<_>) = rows.skip(skip).take(visible).unzip();
        let text = table::render(&self.columns, &cells, Some(inside.width.into()), true);
        let mut lines: Vec<Line<'_>> =
            text.lines().map(|line| Line::raw(line.to_owned())).collect();
        if let Some(header) = lines.first_mut() {
            *header = std::mem::take(header).style(theme::dim());
        }
        for ((at, line), style) in lines.iter_mut().skip(1).enumerate().zip(styles) {
            let style = if at + skip == selected { theme::selected() } else { style };
            *line = std::mem::take(line).style(style);
        }
        frame.render_widget(Paragraph::new(lines).block(block), area);
    }
}

/// A flow, a host or an alert, with the ways to what belongs to it below.
pub(super) fn sheet(frame: &mut Frame<'_>, area: Rect, sheet: &Sheet, opened: &Opened) {
    let ways = u16::try_from(sheet.links.len()).unwrap_or(u16::MAX).min(area.height / 3);
    let ways_height = if ways == 0 { 0 } else { ways + 2 };
    let [above, below] =
        Layout::vertical([Constraint::Min(0), Constraint::Length(ways_height)]).areas(area);
    let block = panel(&clean(&sheet.title));
    let inside = block.inner(above);
    let lines = sheet.wrapped(inside.width.into());
    let visible = usize::from(inside.height);
    let most = lines.len().saturating_sub(visible);
    let skip = opened.scroll.min(most);
    let more = lines.len().saturating_sub(skip + visible);
    let block = if more == 0 {
        block
    } else {
        let text = format!(" {more} more lines: page down ");
        block.title_bottom(Line::styled(text, theme::dim()).right_aligned())
    };
    let shown = lines.iter().skip(skip).take(visible).map(|line| Line::raw(clean(line)));
    let text: Vec<Line<'_>> = shown.collect();
    frame.render_widget(Paragraph::new(text).block(block), above);
    if ways == 0 {
        return;
    }
    let selected = opened.selected.min(sheet.links.len().saturating_sub(1));
    let block = panel("Go to");
    let visible = usize::from(block.inner(below).height);
    let skip = (selected + 1).saturating_sub(visible.max(1));
    let ways = sheet.links.iter().enumerate().skip(skip).take(visible).map(|(at, link)| {
        let line = Line::raw(clean(&link.text));
        if at == selected { line.style(theme::selected()) } else { line }
    });
    let text: Vec<Line<'_>> = ways.collect();
    frame.render_widget(Paragraph::new(text).block(block), below);
}
