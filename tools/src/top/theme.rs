//! Colours: few, and none that carries meaning alone.

use ratatui::style::{Color, Modifier, Style};

/// Titles and what is selected.
pub(super) const ACCENT: Color = Color::Cyan;
/// Bits.
pub(super) const BITS: Color = Color::Green;
/// Packets.
pub(super) const PACKETS: Color = Color::Blue;
/// What is well.
pub(super) const GOOD: Color = Color::Green;
/// What deserves a look.
pub(super) const WARN: Color = Color::Yellow;
/// What is wrong.
pub(super) const BAD: Color = Color::Red;

/// The colours of the bars, one application after the other.
pub(super) const BARS: [Color; 6] =
    [Color::Cyan, Color::Green, Color::Yellow, Color::Magenta, Color::Blue, Color::LightRed];

/// What stands back.
pub(super) fn dim() -> Style {
    Style::new().fg(Color::DarkGray)
}

/// Titles.
pub(super) fn title() -> Style {
    Style::new().fg(ACCENT).add_modifier(Modifier::BOLD)
}

/// The selected line.
pub(super) fn selected() -> Style {
    Style::new().add_modifier(Modifier::REVERSED)
}
