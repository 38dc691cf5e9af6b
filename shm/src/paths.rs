//! Where engines put their sockets, and where readers look for them.

use crate::error::Error;
use rustix::process::geteuid;
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The socket of an engine of this name started by this user: in `/run/weir` for root, else in
/// `$XDG_RUNTIME_DIR/weir`, else in a directory of the user's own under the temporary directory.
pub fn default_path(name: &str) -> PathBuf {
    let directory = if geteuid().is_root() { PathBuf::from(SYSTEM) } else { user_directory() };
    directory.join(format!("{name}.sock"))
}

/// An engine that answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunningEngine {
    /// Its name.
    pub name: String,
    /// Its socket.
    pub path: PathBuf,
}

/// The engines that run on this machine and that this user can see, by name.
pub fn list_names() -> Vec<RunningEngine> {
    let mut engines: Vec<RunningEngine> = directories()
        .iter()
        .filter_map(|directory| fs::read_dir(directory).ok())
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?.strip_suffix(".sock")?.to_owned();
            Some(RunningEngine { name, path })
        })
        .filter(|engine| answers(&engine.path))
        .collect();
    engines.sort();
    engines.dedup();
    engines
}

/// The sockets to try for what a user typed: a path if it has a slash, else a name.
pub(crate) fn candidates(name_or_path: &str) -> Result<Vec<PathBuf>, Error> {
    if name_or_path.contains('/') {
        return Ok(vec![PathBuf::from(name_or_path)]);
    }
    check_name(name_or_path)?;
    Ok(directories().iter().map(|dir| dir.join(format!("{name_or_path}.sock"))).collect())
}

/// Accepts what can be a file name everywhere and is no path.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let usable = (1..=64).contains(&name.len()) && name.chars().all(fine) && !name.starts_with('.');
    if usable { Ok(()) } else { Err(Error::Name(name.to_owned())) }
}

const SYSTEM: &str = "/run/weir";

fn directories() -> Vec<PathBuf> {
    let mut all = vec![PathBuf::from(SYSTEM)];
    if !all.contains(&user_directory()) {
        all.push(user_directory());
    }
    all
}

fn user_directory() -> PathBuf {
    match env::var_os("XDG_RUNTIME_DIR") {
        Some(runtime) if Path::new(&runtime).is_absolute() => PathBuf::from(runtime).join("weir"),
        _ => env::temp_dir().join(format!("weir-{}", geteuid().as_raw())),
    }
}

fn answers(path: &Path) -> bool {
    crate::protocol::connect(path).is_ok()
}
