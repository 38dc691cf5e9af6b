//! The state of the screen, and what keys do to it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::lists::{ListSort, Sum};
use super::model::Model;
use crate::field::Seen;
use crate::filter::Filter;

/// The pages, in the order of their keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Page {
    Overview,
    Applications,
    Flows,
    Hosts,
    Drops,
}

impl Page {
    pub(super) const ALL: [Page; 5] =
        [Page::Overview, Page::Applications, Page::Flows, Page::Hosts, Page::Drops];

    pub(super) fn name(self) -> &'static str {
        match self {
            Page::Overview => "Overview",
            Page::Applications => "Applications",
            Page::Flows => "Flows",
            Page::Hosts => "Hosts",
            Page::Drops => "Drops",
        }
    }

    fn step(self, by: usize) -> Page {
        let at = Page::ALL.iter().position(|page| *page == self).unwrap_or(0);
        Page::ALL.get((at + by) % Page::ALL.len()).copied().unwrap_or(Page::Overview)
    }
}

/// Order of the flows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FlowSort {
    Rate,
    Bytes,
    Packets,
    Newest,
    Duration,
}

impl FlowSort {
    fn next(self) -> FlowSort {
        match self {
            FlowSort::Rate => FlowSort::Bytes,
            FlowSort::Bytes => FlowSort::Packets,
            FlowSort::Packets => FlowSort::Newest,
            FlowSort::Newest => FlowSort::Duration,
            FlowSort::Duration => FlowSort::Rate,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            FlowSort::Rate => "rate",
            FlowSort::Bytes => "bytes",
            FlowSort::Packets => "packets",
            FlowSort::Newest => "newest",
            FlowSort::Duration => "duration",
        }
    }
}

/// The filter being typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Prompt {
    pub(super) text: String,
    /// What is wrong with it.
    pub(super) complaint: Option<String>,
}

/// What a key asks of the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wish {
    Nothing,
    /// Look at the engine again at once.
    Look,
    /// The same, with another filter.
    LookAfresh,
    Quit,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Screen {
    pub(super) page: Page,
    pub(super) paused: bool,
    pub(super) help: bool,
    /// Details of the selected flow are open.
    pub(super) details: bool,
    pub(super) prompt: Option<Prompt>,
    pub(super) filter: Option<Filter>,
    /// The filter as it was typed.
    pub(super) filter_text: String,
    pub(super) flow_sort: FlowSort,
    pub(super) list_sort: ListSort,
    /// Index of the selected line.
    pub(super) selected: usize,
}

/// Characters of a filter typed here at most.
const PROMPT_CHARACTERS: usize = 1000;

impl Screen {
    /// `page` counts from 1.
    pub(super) fn new(page: u8, filter: Option<Filter>) -> Screen {
        let page = Page::ALL.get(usize::from(page).saturating_sub(1));
        Screen {
            page: page.copied().unwrap_or(Page::Overview),
            paused: false,
            help: false,
            details: false,
            prompt: None,
            filter_text: filter.as_ref().map(ToString::to_string).unwrap_or_default(),
            filter,
            flow_sort: FlowSort::Bytes,
            list_sort: ListSort::Bytes,
            selected: 0,
        }
    }

    /// Whether the flow passes the filter.
    pub(super) fn accepts(&self, seen: &Seen<'_>) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.accepts(seen))
    }

    pub(super) fn sort_lists(&self, apps: &mut [Sum], servers: &mut [Sum], clients: &mut [Sum]) {
        for list in [apps, servers, clients] {
            self.list_sort.apply(list);
        }
    }

    /// Handles one key.
    pub(super) fn key(&mut self, key: KeyEvent, model: &Model) -> Wish {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Wish::Quit;
        }
        if let Some(prompt) = self.prompt.take() {
            return self.prompt_key(prompt, key.code);
        }
        if self.help || self.details {
            let closes =
                matches!(key.code, KeyCode::Esc | KeyCode::Enter | KeyCode::Char('h' | '?' | 'q'));
            if closes {
                (self.help, self.details) = (false, false);
                return Wish::Nothing;
            }
        }
        self.page_key(key.code, model)
    }

    fn page_key(&mut self, code: KeyCode, model: &Model) -> Wish {
        let lines = match self.page {
            Page::Overview | Page::Flows => model.flows.len(),
            Page::Applications => model.apps.len(),
            Page::Hosts => model.servers.len().max(model.clients.len()),
            Page::Drops => model.drops.len(),
        };
        let last = lines.saturating_sub(1);
        let page_number = |digit: char| digit.to_digit(10).and_then(|n| usize::try_from(n).ok());
        match code {
            KeyCode::Char('q') => return Wish::Quit,
            KeyCode::Char('h' | '?') => self.help = true,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Char('/') => {
                let text = self.filter_text.clone();
                self.prompt = Some(Prompt { text, complaint: None });
            }
            KeyCode::Char('s') => {
                match self.page {
                    Page::Overview | Page::Flows => self.flow_sort = self.flow_sort.next(),
                    _ => self.list_sort = self.list_sort.next(),
                }
                return Wish::Look;
            }
            KeyCode::Char(digit @ '1'..='5') => {
                let page = page_number(digit).and_then(|n| Page::ALL.get(n - 1)).copied();
                self.turn_to(page.unwrap_or(self.page));
            }
            KeyCode::Tab | KeyCode::Right => self.turn_to(self.page.step(1)),
            KeyCode::BackTab | KeyCode::Left => self.turn_to(self.page.step(Page::ALL.len() - 1)),
            KeyCode::Down | KeyCode::Char('j') => self.selected = (self.selected + 1).min(last),
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::PageDown => self.selected = (self.selected + 10).min(last),
            KeyCode::PageUp => self.selected = self.selected.saturating_sub(10),
            KeyCode::Home => self.selected = 0,
            KeyCode::End => self.selected = last,
            KeyCode::Enter if matches!(self.page, Page::Overview | Page::Flows) => {
                self.details = !model.flows.is_empty();
            }
            KeyCode::Esc if self.filter.is_some() => {
                self.filter = None;
                self.filter_text.clear();
                return Wish::LookAfresh;
            }
            _ => {}
        }
        Wish::Nothing
    }

    fn turn_to(&mut self, page: Page) {
        self.page = page;
        self.selected = 0;
        self.details = false;
    }

    /// A key while the filter is typed.
    fn prompt_key(&mut self, mut prompt: Prompt, code: KeyCode) -> Wish {
        match code {
            KeyCode::Esc => return Wish::Nothing,
            KeyCode::Enter if prompt.text.trim().is_empty() => {
                self.filter = None;
                self.filter_text.clear();
                return Wish::LookAfresh;
            }
            KeyCode::Enter => match Filter::parse(&prompt.text) {
                Ok(filter) => {
                    self.filter = Some(filter);
                    self.filter_text = prompt.text;
                    self.selected = 0;
                    return Wish::LookAfresh;
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
        screen.prompt = Some(Prompt::default());
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
        assert_eq!(Page::Drops.step(1), Page::Overview);
        assert_eq!(Page::Overview.step(4), Page::Drops);
    }
}
