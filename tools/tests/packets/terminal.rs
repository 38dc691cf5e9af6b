//! A terminal of the kernel's making, with a program in it, and what the program has drawn there.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use weir_engine::sys::clock;

use crate::engine::WITHIN;

/// See the module.
#[derive(Debug)]
pub(crate) struct Terminal {
    keyboard: File,
    child: Child,
    screen: Arc<Mutex<Screen>>,
}

impl Terminal {
    /// Starts `command` as the leader of a session of its own in a terminal of this size. `setsid`
    /// is the program of that name.
    pub(crate) fn start(setsid: &Path, command: &Command, size: (u16, u16)) -> Terminal {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        resize(&keyboard, size);
        let name = ptsname(&keyboard, Vec::new()).unwrap();
        let open = || {
            let mut options = File::options();
            Stdio::from(options.read(true).write(true).open(name.to_str().unwrap()).unwrap())
        };
        let mut leader = Command::new(setsid);
        leader.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
        leader.env("TERM", "xterm-256color").env_remove("COLUMNS").env_remove("LINES");
        let child = leader.stdin(open()).stdout(open()).stderr(open()).spawn().unwrap();
        let screen = Arc::new(Mutex::new(Screen::new(size)));
        let (mut output, drawn) = (File::from(keyboard.try_clone().unwrap()), Arc::clone(&screen));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // It fails once nobody has the terminal any more.
            while let Ok(length @ 1..) = output.read(&mut bytes) {
                drawn.lock().unwrap_or_else(PoisonError::into_inner).take(&bytes[..length]);
            }
        });
        Terminal { keyboard: File::from(keyboard), child, screen }
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Gives the terminal another size.
    pub(crate) fn resize(&self, size: (u16, u16)) {
        *self.screen.lock().unwrap_or_else(PoisonError::into_inner) = Screen::new(size);
        let keyboard: OwnedFd = self.keyboard.try_clone().unwrap().into();
        resize(&keyboard, size);
    }

    /// Waits until the screen shows `text`; gives the screen.
    pub(crate) fn until(&mut self, text: &str) -> String {
        let end = clock::monotonic_ns() + u64::try_from(WITHIN.as_nanos()).unwrap();
        loop {
            let shown = self.screen.lock().unwrap_or_else(PoisonError::into_inner).text();
            if shown.contains(text) {
                return shown;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended ({ended:?}) without `{text}`:\n{shown}");
            assert!(clock::monotonic_ns() < end, "no `{text}` within {WITHIN:?}:\n{shown}");
            clock::rest(Duration::from_millis(10));
        }
    }

    /// Waits for the program's end.
    pub(crate) fn end(mut self) -> ExitStatus {
        let end = clock::monotonic_ns() + u64::try_from(WITHIN.as_nanos()).unwrap();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(clock::monotonic_ns() < end, "it goes on");
            clock::rest(Duration::from_millis(10));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Where it has ended already there is nothing to kill; the closed terminal ends the rest.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn resize(terminal: &OwnedFd, (columns, lines): (u16, u16)) {
    let size = Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).unwrap();
}

/// What is drawn: as much of a terminal as programs need that place each piece of text themselves.
#[derive(Debug)]
struct Screen {
    columns: usize,
    cells: Vec<char>,
    /// Where the next character comes.
    at: usize,
    /// An escape sequence, or a character, that has not ended yet.
    open: Vec<u8>,
}

impl Screen {
    fn new((columns, lines): (u16, u16)) -> Screen {
        let (columns, lines) = (usize::from(columns), usize::from(lines));
        Screen { columns, cells: vec![' '; columns * lines], at: 0, open: Vec::new() }
    }

    fn text(&self) -> String {
        let line = |row: &[char]| row.iter().collect::<String>().trim_end().to_owned();
        self.cells.chunks(self.columns).map(line).collect::<Vec<_>>().join("\n")
    }

    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.open.push(*byte);
            let done = match self.open.as_slice() {
                [0x1b, b'[', parameters @ .., last] if (0x40..0x7f).contains(last) => {
                    let text = String::from_utf8_lossy(parameters).into_owned();
                    self.obey(*last, &text);
                    true
                }
                [0x1b] | [0x1b, b'[', ..] => false,
                [0x1b, ..] => true,
                open => match std::str::from_utf8(open) {
                    Ok(text) => {
                        let text = text.to_owned();
                        text.chars().for_each(|letter| self.put(letter));
                        true
                    }
                    Err(error) => error.error_len().is_some(),
                },
            };
            if done {
                self.open.clear();
            }
        }
    }

    fn obey(&mut self, order: u8, parameters: &str) {
        let mut numbers = parameters.split(';').map(|text| text.parse().unwrap_or(1_usize));
        match order {
            b'H' => {
                let (row, column) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(1));
                self.at = row.saturating_sub(1) * self.columns + column.saturating_sub(1);
            }
            b'J' => self.cells.fill(' '),
            _ => {}
        }
    }

    fn put(&mut self, letter: char) {
        if letter.is_control() {
            return;
        }
        if let Some(cell) = self.cells.get_mut(self.at) {
            *cell = letter;
        }
        self.at += 1;
    }
}
