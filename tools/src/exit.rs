//! Exit codes and the one place where an error reaches the user.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// What the process ends with besides 0 (done) and 2 (wrong usage, as clap also answers).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Code {
    /// It was tried and did not work.
    Failed = 1,
    /// The command line asks for something that does not exist.
    Usage = 2,
    /// No engine to read from.
    NoEngine = 3,
    /// The engine died while it was being watched.
    EngineEnded = 4,
    /// The books of the engine do not balance.
    Unbalanced = 5,
}

/// The table of codes shown by `weir --help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done
  1  it was tried and failed (the message says what to do)
  2  wrong usage: unknown option, field, filter
  3  there is no engine to read from, or it speaks another format version
  4  the engine died while it was being watched (one that ends in order is a 0)
  5  weir stats --check: the books do not balance";

/// An error that knows its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    message: String,
}

/// An error with `code`, as `anyhow` carries it.
pub(crate) fn failure(code: Code, message: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Failure { code, message: message.into() })
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Shows what went wrong and picks the exit code. A reader that closed its end of the pipe early
/// (`weir flows | head`) is not an error.
pub(crate) fn report(result: anyhow::Result<ExitCode>) -> ExitCode {
    let error = match result {
        Ok(code) => return code,
        Err(error) => error,
    };
    let closed_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(closed_pipe) {
        return ExitCode::SUCCESS;
    }
    let code = error.downcast_ref::<Failure>().map_or(Code::Failed, |failure| failure.code);
    // Standard error may be closed too; there is nobody left to tell then.
    drop(writeln!(io::stderr(), "weir: {}", message(&error)));
    ExitCode::from(code as u8)
}

/// The error and its causes, each said once: many a message names its cause already.
fn message(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Prints `text` and a newline to standard output.
///
/// # Errors
/// Standard output is closed.
pub(crate) fn print(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}
