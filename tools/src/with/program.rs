//! A program as the kernel and the loader see it: where it is, whether it is dynamically linked,
//! and whether it starts with more privilege than who starts it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::process::{getegid, geteuid, getuid};

/// A program that is there.
#[derive(Debug)]
pub(crate) struct Program {
    /// Where it is.
    pub(crate) path: PathBuf,
}

/// What makes the loader ignore `LD_PRELOAD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Privilege {
    /// It runs as its owner or group.
    SetId,
    /// It gets capabilities.
    Capabilities,
}

/// Programs that leave capturing to another one.
const HELPERS: &[(&str, &str)] = &[("tshark", "dumpcap"), ("wireshark", "dumpcap")];

/// Bytes at the front of a file that tell what it is; the headers of all usual programs fit.
const FRONT_BYTES: usize = 4096;
/// Interpreters of interpreters, as many as the kernel follows.
const SCRIPTS_MAX: usize = 4;

impl Program {
    /// Looks for it as a shell does.
    ///
    /// # Errors
    /// There is none of this name that may be run.
    pub(crate) fn find(name: &OsStr) -> anyhow::Result<Self> {
        let found = if name.as_bytes().contains(&b'/') {
            Some(PathBuf::from(name)).filter(|path| may_run(path))
        } else {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let places: Vec<PathBuf> =
                std::env::split_paths(&path).map(|folder| folder.join(name)).collect();
            places.into_iter().find(|path| may_run(path))
        };
        let name = name.to_string_lossy();
        let path = found.with_context(|| format!("{name}: there is no such program to start"))?;
        Ok(Self { path })
    }

    /// Its name without its folder.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The program that it captures through, where that is another one and there.
    pub(crate) fn helper(&self) -> Option<Self> {
        let name = self.name();
        let (_, helper) = HELPERS.iter().find(|(program, _)| *program == name)?;
        let beside = self.path.canonicalize().ok()?.with_file_name(helper);
        Self::find(beside.as_os_str()).or_else(|_| Self::find(OsStr::new(helper))).ok()
    }

    /// Whether the loader starts it, or its interpreter if it is a script.
    ///
    /// # Errors
    /// It cannot be read, or is no program.
    pub(crate) fn is_dynamic(&self) -> anyhow::Result<bool> {
        let mut path = self.path.clone();
        for _ in 0..SCRIPTS_MAX {
            let front = match front(&path) {
                // Whoever may start a program need not be allowed to read it.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(true),
                front => front.with_context(|| format!("cannot read {}", path.display()))?,
            };
            match interpreter(&front) {
                Some(next) => path = next,
                None => match has_loader(&front) {
                    Some(dynamic) => return Ok(dynamic),
                    None => bail!("{} is no program for this machine", path.display()),
                },
            }
        }
        bail!("{} has too many interpreters of interpreters", self.path.display())
    }

    /// What privilege the kernel gives it that who starts it has not.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub(crate) fn privilege(&self) -> anyhow::Result<Option<Privilege>> {
        const SETUID: u32 = 0o4000;
        const SETGID: u32 = 0o2000;
        let about = self.path.metadata();
        let about = about.with_context(|| format!("cannot look at {}", self.path.display()))?;
        let mode = about.permissions().mode();
        let other_user = mode & SETUID != 0 && about.uid() != geteuid().as_raw();
        let other_group = mode & SETGID != 0 && about.gid() != getegid().as_raw();
        if other_user || other_group {
            return Ok(Some(Privilege::SetId));
        }
        // To root the kernel gives nothing by them.
        let gains = !getuid().is_root() && has_capabilities(&self.path);
        Ok(gains.then_some(Privilege::Capabilities))
    }
}

fn may_run(path: &Path) -> bool {
    let executable = rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
    executable && path.is_file()
}

fn has_capabilities(path: &Path) -> bool {
    let mut value = [0_u8; 64];
    rustix::fs::getxattr(path, "security.capability", &mut value[..]).is_ok_and(|bytes| bytes > 0)
}

fn front(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FRONT_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The interpreter that a script names.
fn interpreter(front: &[u8]) -> Option<PathBuf> {
    let line = front.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    let first = OsStr::from_bytes(words.next()?);
    let is_env = Path::new(first).file_name() == Some(OsStr::new("env"));
    let named = words.next().filter(|_| is_env).map(|word| OsString::from(OsStr::from_bytes(word)));
    match named {
        Some(name) => Program::find(&name).ok().map(|program| program.path),
        None => Some(PathBuf::from(first)),
    }
}

/// Whether a program in ELF names a loader; none if it is none, or of another width or order.
fn has_loader(front: &[u8]) -> Option<bool> {
    const INTERPRETER: u32 = 3;
    // Magic, 64 bits, little endian.
    front.strip_prefix(b"\x7fELF\x02\x01")?;
    let word = |at: usize| Some(u16::from_le_bytes(*front.get(at..)?.first_chunk()?));
    let table = u64::from_le_bytes(*front.get(32..)?.first_chunk()?);
    let (row_bytes, rows) = (usize::from(word(54)?), usize::from(word(56)?));
    let table = usize::try_from(table).ok()?;
    let kinds = (0..rows).map_while(|row| {
        let at = table.checked_add(row * row_bytes)?;
        Some(u32::from_le_bytes(*front.get(at..)?.first_chunk()?))
    });
    Some(kinds.into_iter().any(|kind| kind == INTERPRETER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(name: &str) -> Program {
        Program::find(OsStr::new(name)).unwrap()
    }

    fn script(text: &str) -> tempfile::TempPath {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        std::fs::set_permissions(file.path(), PermissionsExt::from_mode(0o755)).unwrap();
        file.into_temp_path()
    }

    #[test]
    fn programs_are_found_as_a_shell_finds_them() {
        assert!(program("sh").path.is_absolute());
        assert_eq!(program("/bin/sh").path, Path::new("/bin/sh"));
        for missing in ["no-such-program", "/etc/passwd", "/nowhere/sh", "/"] {
            let complaint = Program::find(OsStr::new(missing)).unwrap_err().to_string();
            assert!(complaint.starts_with(missing), "{complaint}");
        }
    }

    #[test]
    fn what_the_loader_starts_is_told_from_what_it_does_not() {
        assert!(program("sh").is_dynamic().unwrap());
        for text in ["#!/bin/sh\n", "#! /bin/sh -e\nexit\n", "#!/usr/bin/env sh\n"] {
            let script = script(text);
            assert!(Program { path: script.to_path_buf() }.is_dynamic().unwrap(), "{text}");
        }
        let odd = script("hello");
        let complaint = Program { path: odd.to_path_buf() }.is_dynamic().unwrap_err();
        assert!(complaint.to_string().ends_with("is no program for this machine"));
        // A header of 64 bytes, one row behind it: to be loaded (1), or the loader's name (3).
        let mut elf = vec![0; 64 + 56];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        elf[32] = 64;
        elf[54] = 56;
        elf[56] = 1;
        elf[64] = 1;
        assert_eq!(has_loader(&elf), Some(false));
        elf[64] = 3;
        assert_eq!(has_loader(&elf), Some(true));
        elf[32..40].fill(255);
        assert_eq!(has_loader(&elf), Some(false), "a table that is nowhere");
        assert_eq!(has_loader(&elf[..40]), None);
    }

    #[test]
    fn privilege_is_what_one_has_not_oneself() {
        assert_eq!(program("sh").privilege().unwrap(), None);
        let own = script("#!/bin/sh\n");
        std::fs::set_permissions(&own, PermissionsExt::from_mode(0o6755)).unwrap();
        assert_eq!(Program { path: own.to_path_buf() }.privilege().unwrap(), None, "one's own");
        if getuid().is_root() {
            std::os::unix::fs::chown(&own, Some(1), None).unwrap();
            std::fs::set_permissions(&own, PermissionsExt::from_mode(0o4755)).unwrap();
            let found = Program { path: own.to_path_buf() }.privilege().unwrap();
            assert_eq!(found, Some(Privilege::SetId));
        }
    }
}
