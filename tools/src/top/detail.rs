//! What opens above a page: the details of a flow, and the help.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Stylize;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Paragraph};
use serde_json::Value;

use super::keys::Screen;
use super::model::Model;
use super::theme;
use crate::flow_json::FlowJson;
use crate::terminal::clean;

/// All that is known of the selected flow.
pub(super) fn flow(frame: &mut Frame<'_>, area: Rect, model: &Model, screen: &Screen) {
    let Some(line) = model.flows.get(screen.selected) else { return };
    let flow = line.flow();
    let value = serde_json::to_value(FlowJson { flow: &flow, end_reason: None });
    let mut lines = Vec::new();
    if let Ok(Value::Object(members)) = value {
        for (key, value) in &members {
            describe(&mut lines, key, value);
        }
    }
    popup(frame, area, " Flow (esc closes) ", lines);
}

fn describe(lines: &mut Vec<Line<'static>>, key: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (inner, value) in members {
                describe(lines, &format!("{key}.{inner}"), value);
            }
        }
        _ => {
            let text = match value {
                Value::String(text) => clean(text),
                other => clean(&other.to_string()),
            };
            lines.push(Line::from(vec![
                Span::styled(format!("{:>16}  ", clean(key)), theme::title()),
                Span::raw(text),
            ]));
        }
    }
}

/// The keys.
pub(super) fn help(frame: &mut Frame<'_>, area: Rect) {
    const KEYS: &[(&str, &str)] = &[
        ("q", "quit"),
        ("1 … 5", "page; tab, ← and → turn pages"),
        ("↑ ↓", "select; page up, page down, home, end"),
        ("enter", "details of the selected flow"),
        ("/", "filter flows, applications and hosts; esc drops the filter"),
        ("s", "next order"),
        ("p", "pause and go on"),
        ("h", "this help"),
        ("", ""),
        ("filter", "app == TLS and host ~ example and bytes > 1MB"),
        ("", "src in 10.0.0.0/8 or dport in {53, 8000..8100}"),
        ("", "weir flows --help has the whole language"),
        ("", ""),
        ("bytes", "applications: live flows, and those that ended since"),
        ("", "weir top began; hosts: live flows"),
        ("lost", "packets that never reached a shard (weir doctor helps)"),
        ("dropped", "packets that a shard took and could not use, by name"),
    ];
    let line = |(key, text): &(&'static str, &'static str)| {
        Line::from(vec![Span::styled(format!("{key:>9}  "), theme::title()), Span::raw(*text)])
    };
    popup(frame, area, " Help (esc closes) ", KEYS.iter().map(line).collect());
}

fn popup(frame: &mut Frame<'_>, area: Rect, title: &'static str, lines: Vec<Line<'static>>) {
    let widest = lines.iter().map(Line::width).max().unwrap_or(0).max(title.len());
    let width = u16::try_from(widest + 4).unwrap_or(u16::MAX).min(area.width);
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let place = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    let block = Block::bordered().border_type(BorderType::Rounded).title(title.bold());
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(block), place);
}
