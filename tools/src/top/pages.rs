//! The pages.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Cell, Paragraph, Row, Sparkline, Table, Wrap};

use super::keys::Screen;
use super::model::{Model, Tick};
use super::theme;
use crate::field::{Field, Kind, Seen, Style as Text};
use crate::stats::books::{Line as BookLine, Named, sum};
use crate::table::cut;
use crate::terminal::clean;
use crate::units::Quantity;

/// Throughput, applications, hosts and the greatest flows.
pub(super) fn overview(frame: &mut Frame<'_>, area: Rect, model: &Model, screen: &Screen) {
    let graphs = if area.height >= 24 { 7 } else { 5 };
    let lists = if area.height >= 30 { 12 } else { area.height.saturating_sub(graphs) / 2 };
    let [top, middle, bottom] = Layout::vertical([
        Constraint::Length(graphs),
        Constraint::Length(lists),
        Constraint::Min(3),
    ])
    .areas(area);
    let [left, right] = halves(top);
    let now = model.latest();
    let total = Quantity::Bytes.short(model.bytes);
    let title = format!("{} · {total}", Quantity::Rate.short(now.bits));
    graph(frame, left, &title, model, |tick| tick.bits, theme::BITS);
    let total = Quantity::Count.short(model.packets);
    let title = format!("{} packets/s · {total} packets", Quantity::Count.short(now.packets));
    graph(frame, right, &title, model, |tick| tick.packets, theme::PACKETS);
    let [left, right] = halves(middle);
    shares(frame, [left, right], model);
    flows(frame, bottom, model, screen);
}

/// The greatest applications and hosts, as bars.
fn shares(frame: &mut Frame<'_>, [left, right]: [Rect; 2], model: &Model) {
    if !model.keeps_hosts {
        for (area, title) in [(left, "Applications"), (right, "Hosts")] {
            frame.render_widget(note(super::NO_HOSTS).block(panel(title)), area);
        }
        return;
    }
    let apps = model.apps.iter().map(|app| (app.name.clone(), app.bytes)).collect();
    let title = format!("Applications ({})", model.apps.len());
    bars(frame, left, &title, apps, model.host_bytes);
    let hosts = model.hosts.iter().map(|host| (host.label(), host.all_bytes())).collect();
    let title = format!("Hosts ({})", model.host_count);
    bars(frame, right, &title, hosts, model.host_bytes);
}

/// A text in the place of lines.
pub(super) fn note(text: &str) -> Paragraph<'_> {
    Paragraph::new(text).wrap(Wrap { trim: true }).style(theme::dim())
}

fn halves(area: Rect) -> [Rect; 2] {
    Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(area)
}

pub(super) fn panel(title: &str) -> Block<'static> {
    Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(theme::dim())
        .title(Span::styled(format!(" {title} "), theme::title()))
}

/// The last looks as bars, the newest at the right edge.
fn graph(
    frame: &mut Frame<'_>,
    area: Rect,
    title: &str,
    model: &Model,
    value: impl Fn(&Tick) -> u64,
    colour: Color,
) {
    let block = panel(title);
    let inside = usize::from(block.inner(area).width);
    let skip = model.history.len().saturating_sub(inside);
    let mut bars = vec![0; inside.saturating_sub(model.history.len())];
    bars.extend(model.history.iter().skip(skip).map(value));
    let peak = bars.iter().copied().max().unwrap_or(0);
    let peak_text = format!(" peak {} ", Quantity::Count.short(peak));
    let block = block.title_bottom(Line::styled(peak_text, theme::dim()).right_aligned());
    let line = Sparkline::default().data(bars).style(Style::new().fg(colour)).block(block);
    frame.render_widget(line, area);
}

/// Names with their share of `total` bytes as a bar.
fn bars(frame: &mut Frame<'_>, area: Rect, title: &str, mut rows: Vec<(String, u64)>, total: u64) {
    let block = panel(title);
    let inside = block.inner(area);
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    // The longest bar is the greatest; the share is the number beside it.
    let greatest = rows.first().map_or(0, |row| row.1);
    let width = usize::from(inside.width);
    let name_width = (width / 2).clamp(6, 24);
    let rest = width.saturating_sub(name_width + 1 + 5 + 9);
    let lines =
        rows.iter().enumerate().take(usize::from(inside.height)).map(|(at, (name, bytes))| {
            let colour = theme::BARS[at % theme::BARS.len()];
            let percent = share(*bytes, total);
            Line::from(vec![
                Span::styled(pad(&cut(&clean(name), name_width), name_width), Style::new().bold()),
                Span::raw(format!("{percent:>4}%{:>9} ", Quantity::Bytes.short(*bytes))),
                Span::styled(bar(*bytes, greatest, rest), Style::new().fg(colour)),
            ])
        });
    let text: Vec<Line<'_>> = lines.collect();
    frame.render_widget(Paragraph::new(text).block(block), area);
}

/// `part` of `whole` in hundredths. What a host sends to itself is counted twice, and no more than
/// all.
pub(super) fn share(part: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(part) * 100 / u128::from(whole.max(1))).unwrap_or(100).min(100)
}

/// `text` filled up with blanks to `width` cells.
fn pad(text: &str, width: usize) -> String {
    use unicode_width::UnicodeWidthStr;
    format!("{text}{}", " ".repeat(width.saturating_sub(text.trim_end().width().max(text.width()))))
}

/// `part` of `whole` as a bar of at most `width` cells, to an eighth of a cell.
pub(super) fn bar(part: u64, whole: u64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = u128::from(part) * (width as u128) * 8 / u128::from(whole.max(1));
    let eighths = usize::try_from(eighths).unwrap_or(0).min(width * 8);
    let mut text = "█".repeat(eighths / 8);
    text.push_str(EIGHTHS[eighths % 8]);
    text
}

/// The flows, in the chosen order.
pub(super) fn flows(frame: &mut Frame<'_>, area: Rect, model: &Model, screen: &Screen) {
    let matching = if screen.filter.is_some() {
        format!("{} of {}", model.matching, model.live_flows)
    } else {
        model.live_flows.to_string()
    };
    let title = format!("Flows ({matching}) by {}", screen.flow_sort.name());
    let wide = area.width >= 110;
    let narrow = area.width < 84;
    let mut fields = vec!["client", "server", "app"];
    if !narrow {
        fields.push("host");
    }
    if wide {
        fields.extend(["packets", "idle"]);
    }
    let fields: Vec<Field> = fields.iter().filter_map(|name| Field::find(name)).collect();
    let visible = usize::from(area.height.saturating_sub(3));
    let skip = (screen.selected + 1).saturating_sub(visible.max(1));
    let rows = model.flows.iter().enumerate().skip(skip).take(visible).map(|(at, line)| {
        let flow = line.flow();
        let seen = Seen { flow: &flow, now_ns: model.now_ns };
        let mut cells: Vec<Cell<'_>> =
            fields.iter().map(|field| Cell::from(clean(&field.text(&seen, Text::Human)))).collect();
        cells.push(right(Quantity::Bytes.short(flow.bytes_total())));
        cells.push(right(Quantity::Rate.short(line.rate_bps)));
        let row = Row::new(cells);
        if at == screen.selected { row.style(theme::selected()) } else { row }
    });
    let mut titles: Vec<Cell<'_>> =
        fields.iter().map(|field| aligned(*field, field.name())).collect();
    titles.extend([right("bytes".to_owned()), right("rate".to_owned())]);
    let mut widths = vec![Constraint::Fill(4), Constraint::Fill(4), Constraint::Fill(3)];
    if !narrow {
        widths.push(Constraint::Fill(4));
    }
    if wide {
        widths.extend([Constraint::Length(8), Constraint::Length(8)]);
    }
    widths.extend([Constraint::Length(8), Constraint::Length(12)]);
    let table =
        Table::new(rows, widths).header(Row::new(titles).style(theme::dim())).block(panel(&title));
    frame.render_widget(table, area);
}

/// Numbers stand at the right edge.
fn aligned(field: Field, text: String) -> Cell<'static> {
    if matches!(field.kind(), Kind::Number(_)) { right(text) } else { Cell::from(text) }
}

fn right(text: String) -> Cell<'static> {
    Cell::from(Line::from(text).alignment(Alignment::Right))
}

/// The ledger, and every reason for which packets were lost or dropped.
pub(super) fn drops(frame: &mut Frame<'_>, area: Rect, model: &Model, screen: &Screen) {
    let Some(books) = &model.books else { return };
    let lines = books.queues.len() + books.shards.len() + 1;
    let height = u16::try_from(lines + 4).unwrap_or(u16::MAX).min(area.height / 2);
    let [top, middle, bottom] =
        Layout::vertical([Constraint::Length(5), Constraint::Length(height), Constraint::Min(3)])
            .areas(area);
    let rate = Quantity::Count.short(model.latest().drops);
    graph(frame, top, &format!("{rate} lost or dropped/s"), model, |tick| tick.drops, theme::BAD);
    ledger(frame, middle, model);
    let named: Vec<_> = model.drops.iter().filter(|line| line.total > 0).collect();
    let visible = usize::from(bottom.height.saturating_sub(3));
    let skip = (screen.selected + 1).saturating_sub(visible.max(1));
    let rows = named.iter().skip(skip).take(visible).map(|line| {
        let place = if line.before_shard { "before a shard" } else { "by a shard" };
        let style = if line.before_shard { Style::new().fg(theme::WARN) } else { Style::new() };
        let rate = format!("{}/s", Quantity::Count.short(line.rate));
        let cells = [
            Cell::from(clean(&line.name)),
            Cell::from(place),
            right(line.total.to_string()),
            right(rate),
        ];
        Row::new(cells).style(style)
    });
    let widths =
        [Constraint::Fill(3), Constraint::Length(15), Constraint::Fill(2), Constraint::Length(10)];
    let titles = [
        Cell::from("reason"),
        Cell::from("where"),
        right("packets".to_owned()),
        right("rate".to_owned()),
    ];
    let title = if named.is_empty() { "No packet was lost or dropped" } else { "By reason" };
    let table =
        Table::new(rows, widths).header(Row::new(titles).style(theme::dim())).block(panel(title));
    frame.render_widget(table, bottom);
}

fn ledger(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let Some(books) = &model.books else { return };
    let number = |value: Option<u64>| right(value.map_or_else(|| "-".into(), |v| v.to_string()));
    let named = |all: &[Named]| number((!all.is_empty()).then(|| sum(all)));
    let row = |line: &BookLine| {
        Row::new([
            Cell::from(clean(&line.label)),
            number(line.wire),
            named(&line.lost),
            number(line.processed),
            number(line.parsed),
            named(&line.dropped),
        ])
    };
    let parts = books.queues.iter().chain(&books.shards).map(row);
    let rows = parts.chain([row(&books.total).style(Style::new().bold())]);
    let titles = ["wire", "lost", "processed", "parsed", "dropped"].map(|t| right(t.to_owned()));
    let header = Row::new([Cell::from("")].into_iter().chain(titles)).style(theme::dim());
    let widths = [Constraint::Fill(3)].into_iter().chain([Constraint::Fill(2); 5]);
    let colour = if books.balanced { theme::GOOD } else { theme::BAD };
    let verdict = Line::styled(format!(" {} ", clean(&books.verdict())), Style::new().fg(colour));
    let block = panel("Ledger").title_bottom(verdict.right_aligned());
    frame.render_widget(Table::new(rows, widths).header(header).block(block), area);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_in_proportion_and_never_too_long() {
        assert_eq!(bar(1, 2, 4), "██");
        assert_eq!(bar(1, 16, 4), "▎");
        assert_eq!(bar(5, 2, 4), "████");
        assert_eq!(bar(u64::MAX, u64::MAX, 3), "███");
        assert_eq!(bar(0, 0, 3), "");
    }
}
