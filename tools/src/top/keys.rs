//! The state of the screen, and what keys do to it.

use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::help;
use super::model::Model;
use super::sheet::Target;
use super::sort::{AlertSort, AppSort, FlowSort, HostSort};
use crate::field::Seen;
use crate::filter::Filter;

/// The pages, in the order of their keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Page {
    Overview,
    Applications,
    Flows,
    Hosts,
    Drops,
    Alerts,
}

impl Page {
    pub(super) const ALL: [Page; 6] =
        [Page::Overview, Page::Applications, Page::Flows, Page::Hosts, Page::Drops, Page::Alerts];

    pub(super) fn name(self) -> &'static str {
        match self {
            Page::Overview => "Overview",
            Page::Applications => "Applications",
            Page::Flows => "Flows",
            Page::Hosts => "Hosts",
            Page::Drops => "Drops",
            Page::Alerts => "Alerts",
        }
    }

    /// Whether the lines of the page are flows.
    const fn shows_flows(self) -> bool {
        matches!(self, Page::Overview | Page::Flows)
    }

    fn step(self, by: usize) -> Page {
        let at = Page::ALL.iter().position(|page| *page == self).unwrap_or(0);
        Page::ALL.get((at + by) % Page::ALL.len()).copied().unwrap_or(Page::Overview)
    }
}

/// The filter, or the part of a name, being typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Prompt {
    pub(super) text: String,
    /// It is a filter of flows.
    pub(super) is_filter: bool,
    /// What is wrong with it.
    pub(super) complaint: Option<String>,
}

/// What a key asks of the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wish {
    Nothing,
    /// Put what is known in order again, and open what is to be open.
    Arrange,
    /// Look at the engine again at once.
    Look,
    Quit,
}

/// Something that is open above the page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Opened {
    pub(super) target: Target,
    /// The first line shown.
    pub(super) scroll: usize,
    /// Index of the selected link.
    pub(super) selected: usize,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Screen {
    pub(super) page: Page,
    pub(super) paused: bool,
    /// The first line of the help, where it is open.
    pub(super) help: Option<usize>,
    /// What is open, the newest last.
    pub(super) open: Vec<Opened>,
    pub(super) prompt: Option<Prompt>,
    pub(super) filter: Option<Filter>,
    /// The filter as it was typed.
    pub(super) filter_text: String,
    /// What is to be found on pages that have no flows, in lower case.
    parts: BTreeMap<Page, String>,
    pub(super) flow_sort: FlowSort,
    pub(super) app_sort: AppSort,
    pub(super) host_sort: HostSort,
    pub(super) alert_sort: AlertSort,
    /// Index of the selected line.
    pub(super) selected: usize,
    /// Columns of the picture.
    pub(super) columns: u16,
}

/// Characters of a filter typed here at most.
const PROMPT_CHARACTERS: usize = 1000;
/// Things that are open at the same time at most; the oldest are forgotten.
const OPEN: usize = 32;
/// Lines of a leap.
const LEAP: usize = 10;

impl Screen {
    /// `page` counts from 1.
    pub(super) fn new(page: u8, filter: Option<Filter>) -> Screen {
        let page = Page::ALL.get(usize::from(page).saturating_sub(1));
        Screen {
            page: page.copied().unwrap_or(Page::Overview),
            paused: false,
            help: None,
            open: Vec::new(),
            prompt: None,
            filter_text: filter.as_ref().map(ToString::to_string).unwrap_or_default(),
            filter,
            parts: BTreeMap::new(),
            flow_sort: FlowSort::default(),
            app_sort: AppSort::default(),
            host_sort: HostSort::default(),
            alert_sort: AlertSort::default(),
            selected: 0,
            columns: 80,
        }
    }

    /// Whether the flow passes the filter.
    pub(super) fn accepts(&self, seen: &Seen<'_>) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.accepts(seen))
    }

    /// What is to be found on a page, in lower case; empty for everything.
    pub(super) fn part(&self, page: Page) -> &str {
        self.parts.get(&page).map_or("", String::as_str)
    }

    /// What narrows the page that is shown, for people.
    pub(super) fn narrowing(&self) -> Option<String> {
        if self.page.shows_flows() {
            return self.filter.as_ref().map(|_| format!("filter: {}", self.filter_text));
        }
        Some(self.part(self.page))
            .filter(|part| !part.is_empty())
            .map(|part| format!("find: {part}"))
    }

    /// What is open above the page, if the engine is to be asked about it.
    pub(super) fn target(&self) -> Option<&Target> {
        self.open.last().map(|opened| &opened.target)
    }

    /// Handles one key.
    pub(super) fn key(&mut self, key: KeyEvent, model: &Model) -> Wish {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Wish::Quit;
        }
        if let Some(prompt) = self.prompt.take() {
            return self.prompt_key(prompt, key.code);
        }
        if let Some(scroll) = self.help.take() {
            self.help = help_key(scroll, key.code);
            return Wish::Nothing;
        }
        match key.code {
            KeyCode::Char('h' | '?') => self.help = Some(0),
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Char(digit @ '1'..='6') => {
                let at = digit.to_digit(10).and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
                return self.turn_to(Page::ALL.get(at - 1).copied().unwrap_or(self.page));
            }
            code if self.open.is_empty() => return self.page_key(code, model),
            code => return self.sheet_key(code, model),
        }
        Wish::Nothing
    }

    fn page_key(&mut self, code: KeyCode, model: &Model) -> Wish {
        let last = model.lines(self.page).saturating_sub(1);
        match code {
            KeyCode::Char('q') => return Wish::Quit,
            KeyCode::Char('/') if self.page != Page::Drops => {
                let is_filter = self.page.shows_flows();
                let text = if is_filter { &self.filter_text } else { self.part(self.page) };
                self.prompt = Some(Prompt { text: text.to_owned(), is_filter, complaint: None });
            }
            KeyCode::Char('s') => return self.sort(),
            KeyCode::Tab | KeyCode::Right => return self.turn_to(self.page.step(1)),
            KeyCode::BackTab | KeyCode::Left => {
                return self.turn_to(self.page.step(Page::ALL.len() - 1));
            }
            KeyCode::Down | KeyCode::Char('j') => self.selected = (self.selected + 1).min(last),
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::PageDown => self.selected = (self.selected + LEAP).min(last),
            KeyCode::PageUp => self.selected = self.selected.saturating_sub(LEAP),
            KeyCode::Home => self.selected = 0,
            KeyCode::End => self.selected = last,
            KeyCode::Enter => {
                if let Some(target) = model.target(self.page, self.selected) {
                    return self.go(target);
                }
            }
            KeyCode::Esc => return self.widen(),
            _ => {}
        }
        Wish::Nothing
    }

    fn sort(&mut self) -> Wish {
        self.selected = 0;
        match self.page {
            Page::Overview | Page::Flows => {
                self.flow_sort = self.flow_sort.next();
                return Wish::Look;
            }
            Page::Applications => self.app_sort = self.app_sort.next(),
            Page::Hosts => self.host_sort = self.host_sort.next(),
            Page::Alerts => self.alert_sort = self.alert_sort.next(),
            Page::Drops => return Wish::Nothing,
        }
        Wish::Arrange
    }

    /// Drops what narrows the page.
    fn widen(&mut self) -> Wish {
        self.selected = 0;
        if self.page.shows_flows() {
            self.filter_text.clear();
            return if self.filter.take().is_some() { Wish::Look } else { Wish::Nothing };
        }
        if self.parts.remove(&self.page).is_some() { Wish::Arrange } else { Wish::Nothing }
    }

    fn sheet_key(&mut self, code: KeyCode, model: &Model) -> Wish {
        let sheet = &model.sheet;
        let (lines, last) = (sheet.lines.len(), sheet.links.len().saturating_sub(1));
        // Lines may be broken into several; more than all of their text there never is.
        let text: usize = sheet.lines.iter().map(String::len).sum();
        let most_scroll = lines + text / usize::from(self.columns.max(1));
        let Some(opened) = self.open.last_mut() else { return Wish::Nothing };
        let by = |at: usize, most: usize, step: isize| at.saturating_add_signed(step).min(most);
        match code {
            KeyCode::Esc | KeyCode::Backspace | KeyCode::Char('q') => {
                self.open.pop();
                return Wish::Arrange;
            }
            KeyCode::Enter => {
                let link = sheet.links.get(opened.selected.min(last));
                if let Some(target) = link.map(|link| link.target.clone()) {
                    return self.go(target);
                }
            }
            KeyCode::Down | KeyCode::Char('j') => opened.selected = by(opened.selected, last, 1),
            KeyCode::Up | KeyCode::Char('k') => opened.selected = by(opened.selected, last, -1),
            KeyCode::PageDown | KeyCode::Right => {
                opened.scroll = by(opened.scroll, most_scroll, LEAP.cast_signed());
            }
            KeyCode::PageUp | KeyCode::Left => {
                opened.scroll = by(opened.scroll, most_scroll, -LEAP.cast_signed());
            }
            KeyCode::Home => opened.scroll = 0,
            _ => {}
        }
        Wish::Nothing
    }

    /// Opens `target`, or turns to the flows that it stands for.
    fn go(&mut self, target: Target) -> Wish {
        if let Target::Flows(text) = target {
            // What the program writes itself can be read; if not, all flows are shown.
            self.filter = Filter::parse(&text).ok();
            self.filter_text = text;
            self.turn_to(Page::Flows);
            return Wish::Look;
        }
        if self.open.len() >= OPEN {
            self.open.remove(0);
        }
        self.open.push(Opened { target, scroll: 0, selected: 0 });
        Wish::Arrange
    }

    fn turn_to(&mut self, page: Page) -> Wish {
        self.page = page;
        self.selected = 0;
        self.open.clear();
        // A page that was not shown has not been read for a while.
        Wish::Look
    }

    /// A key while something is typed.
    fn prompt_key(&mut self, mut prompt: Prompt, code: KeyCode) -> Wish {
        match code {
            KeyCode::Esc => return Wish::Nothing,
            KeyCode::Enter if prompt.text.trim().is_empty() => return self.widen(),
            KeyCode::Enter if !prompt.is_filter => {
                self.selected = 0;
                self.parts.insert(self.page, prompt.text.trim().to_lowercase());
                return Wish::Arrange;
            }
            KeyCode::Enter => match Filter::parse(&prompt.text) {
                Ok(filter) => {
                    self.filter = Some(filter);
                    self.filter_text = prompt.text;
                    self.selected = 0;
                    return Wish::Look;
                }
                Err(error) => prompt.complaint = Some(error.short()),
            },
            KeyCode::Backspace => {
                prompt.text.pop();
                prompt.complaint = None;
            }
            KeyCode::Char(character) if prompt.text.chars().count() < PROMPT_CHARACTERS => {
                prompt.text.push(character);
                prompt.complaint = None;
            }
            _ => {}
        }
        self.prompt = Some(prompt);
        Wish::Nothing
    }
}

/// The help's first line after a key; nothing where it closes.
fn help_key(scroll: usize, code: KeyCode) -> Option<usize> {
    let by = |step: usize| (scroll + step).min(help::MOST_SCROLL);
    match code {
        KeyCode::Esc | KeyCode::Enter | KeyCode::Char('h' | '?' | 'q') => None,
        KeyCode::Down | KeyCode::Char('j') => Some(by(1)),
        KeyCode::PageDown => Some(by(LEAP)),
        KeyCode::Up | KeyCode::Char('k') => Some(scroll.saturating_sub(1)),
        KeyCode::PageUp => Some(scroll.saturating_sub(LEAP)),
        _ => Some(scroll),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(screen: &mut Screen, keys: &[KeyCode]) {
        for key in keys {
            if let Some(prompt) = screen.prompt.take() {
                screen.prompt_key(prompt, *key);
            }
        }
    }

    #[test]
    fn a_filter_is_taken_only_if_it_can_be_read() {
        let mut screen = Screen::new(3, None);
        assert_eq!(screen.page, Page::Flows);
        screen.prompt = Some(Prompt { is_filter: true, ..Prompt::default() });
        let typed: Vec<KeyCode> = "app = x".chars().map(KeyCode::Char).collect();
        press(&mut screen, &typed);
        press(&mut screen, &[KeyCode::Enter]);
        let complaint = screen.prompt.as_ref().and_then(|prompt| prompt.complaint.clone());
        assert!(complaint.unwrap().starts_with("column 5"));
        assert!(screen.filter.is_none());
        press(&mut screen, &[KeyCode::Backspace, KeyCode::Backspace, KeyCode::Backspace]);
        press(&mut screen, &[KeyCode::Enter]);
        assert!(screen.prompt.is_none());
        assert_eq!(screen.filter_text, "app ");
        assert!(screen.filter.is_some());
    }

    #[test]
    fn pages_go_round() {
        assert_eq!(Page::Alerts.step(1), Page::Overview);
        assert_eq!(Page::Overview.step(5), Page::Alerts);
    }

    #[test]
    fn the_help_moves_within_its_lines_and_closes() {
        assert_eq!(help_key(0, KeyCode::Up), Some(0));
        assert_eq!(help_key(0, KeyCode::PageDown), Some(LEAP));
        assert_eq!(help_key(help::MOST_SCROLL, KeyCode::PageDown), Some(help::MOST_SCROLL));
        assert_eq!(help_key(3, KeyCode::Esc), None);
    }
}
