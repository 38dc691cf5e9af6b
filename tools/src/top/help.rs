//! The help, above everything else.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Stylize;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Paragraph};

use super::theme;

/// Keys and words, with what they do and mean.
const TEXT: &[(&str, &str)] = &[
    ("q", "quit"),
    ("1 … 6", "page; tab, ← and → turn pages"),
    ("↑ ↓", "select; page up, page down, home, end"),
    ("enter", "a flow's, host's or alert's page; an application's flows"),
    ("esc", "back; where nothing is open, drops the filter"),
    ("/", "filters flows; on other pages, finds a part of a name"),
    ("s", "next order"),
    ("p", "pause and go on"),
    ("?", "this help"),
    ("", ""),
    ("filter", "app == TLS and host ~ example and bytes > 1MB"),
    ("", "src in 10.0.0.0/8 or dport in {53, 8000..8100}"),
    ("", "weir flows --help has the whole language"),
    ("", ""),
    ("bytes", "applications and hosts: all since the engine began,"),
    ("", "flows that ended or were evicted included"),
    ("out, in", "what a host sends and receives now"),
    ("half", "half of the flows are answered within this time"),
    ("lost", "packets that never reached a shard (weir doctor helps)"),
    ("dropped", "packets that a shard took and could not use, by name"),
    ("~name", "a name that was looked up (--resolve)"),
];

/// The last line that the help may begin with.
pub(super) const MOST_SCROLL: usize = TEXT.len() - 1;

/// Draws it, from the line `scroll` on.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scroll: usize) {
    let line = |(key, text): &(&'static str, &'static str)| {
        Line::from(vec![Span::styled(format!("{key:>9}  "), theme::title()), Span::raw(*text)])
    };
    let lines: Vec<Line<'_>> = TEXT.iter().map(line).collect();
    let widest = lines.iter().map(Line::width).max().unwrap_or(0);
    let width = u16::try_from(widest + 4).unwrap_or(u16::MAX).min(area.width);
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let place = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .title(" Help (esc closes, ↑ ↓ move) ".bold());
    let visible = usize::from(block.inner(place).height);
    let skip = scroll.min(lines.len().saturating_sub(visible));
    let lines: Vec<Line<'_>> = lines.into_iter().skip(skip).collect();
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(block), place);
}
