//! The machine that something was measured on: said the same way wherever figures are.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// See the module. What cannot be read is empty or 0.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Machine {
    /// The day, as `2026-01-31`, UTC.
    pub date: String,
    /// The system and its release.
    pub kernel: String,
    /// The processor's name.
    pub processor: String,
    /// Cores that this process may run on.
    pub cores: usize,
    /// NUMA nodes that are online.
    pub numa_nodes: usize,
    /// The last-level cache as one core sees it, bytes.
    pub cache_bytes: u64,
    /// Memory, bytes.
    pub memory_bytes: u64,
    /// Of it, what programs could still get.
    pub available_bytes: u64,
    /// When private memory is put on huge pages (`always`, `madvise`, `never`).
    pub huge_pages: String,
    /// The same for shared memory.
    pub huge_pages_shared: String,
    /// Load of the last minute.
    pub load: String,
}

impl Machine {
    /// This machine, now.
    pub fn here() -> Machine {
        let system = rustix::system::uname();
        let part = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
        let date = Command::new("date").args(["-u", "+%F"]).output().ok();
        let date = date.and_then(|output| String::from_utf8(output.stdout).ok());
        Machine {
            date: date.unwrap_or_default().trim().to_owned(),
            kernel: format!("{} {}", part(system.sysname()), part(system.release())),
            processor: value("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            numa_nodes: nodes(Path::new("/sys/devices/system/node")),
            cache_bytes: cache_bytes(Path::new("/sys/devices/system/cpu/cpu0/cache")),
            memory_bytes: kibibytes("MemTotal"),
            available_bytes: kibibytes("MemAvailable"),
            huge_pages: chosen("/sys/kernel/mm/transparent_hugepage/enabled"),
            huge_pages_shared: chosen("/sys/kernel/mm/transparent_hugepage/shmem_enabled"),
            load: read(Path::new("/proc/loadavg")).split(' ').next().unwrap_or("").to_owned(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { date, kernel, processor, cores, numa_nodes, load, .. } = self;
        let (memory, cache) = (self.memory_bytes >> 30, self.cache_bytes >> 20);
        write!(
            f,
            "{date}: {processor}, {cores} cores, {numa_nodes} NUMA nodes, {cache} MiB of last-level \
             cache, {memory} GiB, {kernel}, load {load}"
        )
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// What stands behind `key` and a colon.
fn value(path: &str, key: &str) -> String {
    let text = read(Path::new(path));
    let line = text.lines().find(|line| line.starts_with(key));
    line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim()).to_owned()
}

fn kibibytes(key: &str) -> u64 {
    let value = value("/proc/meminfo", key);
    value.split(' ').next().and_then(|count| count.parse::<u64>().ok()).unwrap_or(0) << 10
}

/// The word in brackets.
fn chosen(path: &str) -> String {
    let text = read(Path::new(path));
    let rest = text.split_once('[').map_or("", |(_, rest)| rest);
    rest.split_once(']').map_or("", |(word, _)| word).to_owned()
}

fn names(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}

fn nodes(folder: &Path) -> usize {
    let number = |name: &str| name.strip_prefix("node").and_then(|node| node.parse::<u32>().ok());
    names(folder).filter(|name| number(name).is_some()).count()
}

fn cache_bytes(folder: &Path) -> u64 {
    let size = |name: String| {
        let text = read(&folder.join(name).join("size"));
        text.trim().strip_suffix('K').and_then(|count| count.parse::<u64>().ok())
    };
    names(folder).filter_map(size).max().unwrap_or(0) << 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_described() {
        let machine = Machine::here();
        assert!(machine.kernel.starts_with("Linux "));
        assert!(machine.cores > 0 && machine.memory_bytes >= machine.available_bytes);
        assert!(machine.available_bytes > 0 && machine.date.len() == "2026-01-31".len());
        assert!(!machine.to_string().contains('\n'));
    }
}
