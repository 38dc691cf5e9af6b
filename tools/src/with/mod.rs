//! `weir with`: an unmodified program that reads an engine through libpcap.
//!
//! The program is started with Weir's libpcap loaded before its own. A program that the kernel
//! gives privileges as it starts ignores such a library, so that is found out and said beforehand;
//! and so is what `tshark` and its like start themselves.

mod program;

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};
use clap::Args;

use crate::exit::{Code, failure};
use program::{Privilege, Program};

/// Start a program that reads packets through libpcap; to it the engine NAME is the interface
/// `weir:NAME`.
///
/// `weir with -- tcpdump -i weir:edge`. Of an interface `weir:NAME/GROUP` each open is one member
/// of a group, and `weir:NAME/2of4` is the second of four shares. Frames are read in place; with
/// `WEIR_MODE=window` in the environment they are copied first, and the engine holds nothing for
/// the program.
#[derive(Args, Debug)]
pub(crate) struct WithArgs {
    /// Weir's libpcap; by default looked for beside this binary and where libraries are installed.
    #[arg(long, value_name = "PATH")]
    library: Option<PathBuf>,

    /// The program and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    #[arg(value_name = "PROGRAM")]
    command: Vec<OsString>,
}

/// Becomes the program.
pub(crate) fn run(args: &WithArgs) -> anyhow::Result<ExitCode> {
    let [name, arguments @ ..] = args.command.as_slice() else {
        return Err(failure(Code::Usage, "name a program to start"));
    };
    let library = library(args.library.as_deref())?;
    let program = Program::find(name)?;
    check(&program, &[&program])?;
    if let Some(helper) = program.helper() {
        check(&helper, &[&program, &helper]).with_context(|| {
            format!("{} captures through {}", program.name(), helper.path.display())
        })?;
    }
    let mut command = Command::new(&program.path);
    // Some programs look at how they were called.
    command.arg0(name).args(arguments).env(PRELOAD, preload(&library));
    let error = command.exec();
    Err(error).with_context(|| format!("cannot start {}", program.path.display()))
}

const PRELOAD: &str = "LD_PRELOAD";

/// What the loader is told: our library first, then what was to be loaded anyway.
fn preload(library: &Path) -> OsString {
    let mut all = library.as_os_str().to_owned();
    if let Some(others) = std::env::var_os(PRELOAD).filter(|others| !others.is_empty()) {
        all.push(":");
        all.push(others);
    }
    all
}

/// Refuses a program that would start without our library. `files` are those that copies would be
/// needed of.
fn check(program: &Program, files: &[&Program]) -> anyhow::Result<()> {
    let path = program.path.display();
    if !program.is_dynamic()? {
        bail!(
            "{path} is no dynamically linked program: it has libpcap inside or none at all, and \
             nothing can be loaded before it. Give it an interface to read instead: \
             `weir feed --name NAME --to IF`"
        );
    }
    let Some(privilege) = program.privilege()? else { return Ok(()) };
    let why = match privilege {
        Privilege::SetId => "runs as another user or group (setuid or setgid)",
        Privilege::Capabilities => "has file capabilities (setcap)",
    };
    let files: Vec<_> = files.iter().map(|file| file.path.display().to_string()).collect();
    let (files, are) = (files.join(" "), if files.len() == 1 { "a copy" } else { "copies" });
    bail!(
        "{path} {why}, so the loader ignores LD_PRELOAD and the program would not know \
         `weir:NAME`. Reading an engine needs no privilege: start {are}, without any \
         (`cp {files} FOLDER`), or run this as root; or give the program an interface to read: \
         `weir feed --name NAME --to IF`"
    )
}

/// Names of the library: as installed, and as built.
const NAMES: [&str; 2] = ["libpcap-weir.so", "libpcap_weir.so"];
const INSTALLED: [&str; 6] = [
    "/usr/local/lib/weir",
    "/usr/local/lib",
    "/usr/lib/weir",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
];

/// The library to load, by its whole path.
fn library(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    let found = match given {
        Some(path) => path.is_file().then(|| path.to_owned()),
        None => places().into_iter().find(|path| path.is_file()),
    };
    let Some(path) = found else {
        let looked_at = match given {
            Some(path) => path.display().to_string(),
            None => "the folder of this binary, ../lib/weir, ../lib and the usual ones".to_owned(),
        };
        bail!("{} is not there (looked at {looked_at}); name it with --library", NAMES[0]);
    };
    let path = path.canonicalize().with_context(|| format!("cannot use {}", path.display()))?;
    rustix::fs::access(&path, rustix::fs::Access::READ_OK)
        .with_context(|| format!("cannot read {}", path.display()))?;
    // The loader takes a list, and both of these for the end of a name.
    if path.to_string_lossy().contains([' ', ':']) {
        bail!("{}: the loader takes no path with a blank or a colon", path.display());
    }
    Ok(path)
}

fn places() -> Vec<PathBuf> {
    let here = std::env::current_exe().ok();
    let here = here.as_deref().and_then(Path::parent);
    let beside = here.into_iter().flat_map(|here| {
        [here.to_owned(), here.join("../lib/weir"), here.join("../lib"), here.join("deps")]
    });
    let folders = beside.chain(INSTALLED.map(PathBuf::from));
    folders.flat_map(|folder| NAMES.map(|name| folder.join(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_looked_for_beside_the_binary_first() {
        let places = places();
        let here = std::env::current_exe().unwrap();
        assert_eq!(places[0], here.parent().unwrap().join("libpcap-weir.so"));
        assert!(places.contains(&PathBuf::from("/usr/local/lib/weir/libpcap-weir.so")));
        let missing = library(Some(Path::new("/nowhere/lib.so"))).unwrap_err().to_string();
        assert!(missing.contains("/nowhere/lib.so") && missing.contains("--library"), "{missing}");
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("a b.so");
        std::fs::write(&odd, "").unwrap();
        assert!(library(Some(&odd)).unwrap_err().to_string().contains("blank"));
    }
}
