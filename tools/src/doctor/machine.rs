//! The machine: kernel, privileges, memory, processors.

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use rustix::process::{Resource, getrlimit};

use super::host::{Host, cpu_text};
use super::report::Finding;
use crate::units::Quantity;

/// Every finding about the machine.
pub(super) fn findings(host: &Host) -> Vec<Finding> {
    let xdp = socket_with(AddressFamily::XDP, SocketType::RAW, SocketFlags::CLOEXEC, None);
    let mut all = vec![
        kernel(host),
        af_xdp(xdp.map(drop)),
        btf(host),
        jit(host),
        capabilities(host),
        memlock(host, getrlimit(Resource::Memlock).current),
        huge_pages(host),
        nodes(host),
    ];
    all.extend(governor(host));
    all.extend(clock_source(host));
    all.extend(irqbalance(host));
    all
}

/// `6.18.3-foo` as (6, 18).
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn kernel(host: &Host) -> Finding {
    const SUBJECT: &str = "kernel";
    let Some(release) = host.read("/proc/sys/kernel/osrelease") else {
        return Finding::unseen(SUBJECT, "no /proc", "mount /proc");
    };
    match version(&release) {
        Some((major, minor)) if (major, minor) >= (6, 6) => Finding::ok(SUBJECT, release),
        Some((major, minor)) if (major, minor) >= (5, 11) => Finding::warn(
            SUBJECT,
            format!("{release}: no jumbo frames over several buffers"),
            "6.6 or newer has them; without jumbo frames nothing is missing",
        ),
        Some(_) => Finding::fail(
            SUBJECT,
            format!("{release} is too old for xdp:IF"),
            "use 5.11 or newer (6.6 for jumbo frames); packet:IF and pcap:FILE work here",
        ),
        None => Finding::info(SUBJECT, release),
    }
}

fn af_xdp(socket: Result<(), Errno>) -> Finding {
    const SUBJECT: &str = "AF_XDP";
    match socket {
        Ok(()) => Finding::ok(SUBJECT, "sockets can be made"),
        Err(Errno::PERM | Errno::ACCESS) => Finding::unseen(
            SUBJECT,
            "not allowed to make a socket",
            "run weir doctor as root or with CAP_NET_RAW",
        ),
        Err(error) => Finding::fail(
            SUBJECT,
            format!("no sockets: {error}"),
            "the kernel needs CONFIG_XDP_SOCKETS; packet:IF works without",
        ),
    }
}

fn btf(host: &Host) -> Finding {
    if host.has("/sys/kernel/btf/vmlinux") {
        return Finding::ok("BTF", "/sys/kernel/btf/vmlinux");
    }
    Finding::warn(
        "BTF",
        "the kernel has no type information",
        "needs CONFIG_DEBUG_INFO_BTF; without it the XDP program does without the NIC's hints",
    )
}

fn jit(host: &Host) -> Finding {
    match host.number("/proc/sys/net/core/bpf_jit_enable") {
        Some(0) => Finding::warn(
            "BPF compiler",
            "off: XDP programs are interpreted",
            "sysctl -w net.core.bpf_jit_enable=1",
        ),
        Some(_) => Finding::ok("BPF compiler", "on"),
        None => Finding::unseen(
            "BPF compiler",
            "not visible here",
            "look as root and outside of network namespaces",
        ),
    }
}

/// What capturing takes, with the bit of each capability.
const NEEDED: &[(&str, u32)] =
    &[("NET_ADMIN", 12), ("NET_RAW", 13), ("IPC_LOCK", 14), ("BPF", 39), ("PERFMON", 38)];

fn capabilities(host: &Host) -> Finding {
    const SUBJECT: &str = "capabilities";
    let status = host.read("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let Some(held) = line.and_then(|text| u64::from_str_radix(text.trim(), 16).ok()) else {
        return Finding::unseen(SUBJECT, "no /proc/self/status", "mount /proc");
    };
    let has = |bit: u32| held >> bit & 1 == 1;
    // CAP_SYS_ADMIN (21) includes CAP_BPF and CAP_PERFMON.
    let lacks = |(_, bit): &&(&str, u32)| !(has(*bit) || *bit >= 38 && has(21));
    let missing: Vec<&str> = NEEDED.iter().filter(lacks).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        let names: Vec<&str> = NEEDED.iter().map(|(name, _)| *name).collect();
        return Finding::ok(SUBJECT, names.join(", "));
    }
    Finding::warn(
        SUBJECT,
        format!("missing {}", missing.join(", ")),
        "enough for pcap:FILE and for every tool that reads; to capture, run as root or once:\n\
         setcap cap_net_admin,cap_net_raw,cap_ipc_lock,cap_bpf,cap_perfmon+ep $(command -v weir)",
    )
}

fn memlock(host: &Host, limit: Option<u64>) -> Finding {
    const SUBJECT: &str = "locked memory";
    let status = host.read("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let held = line.and_then(|text| u64::from_str_radix(text.trim(), 16).ok()).unwrap_or(0);
    match limit {
        _ if held >> 14 & 1 == 1 => Finding::ok(SUBJECT, "no limit (CAP_IPC_LOCK)"),
        None => Finding::ok(SUBJECT, "no limit"),
        Some(bytes) if bytes >= 1 << 30 => {
            Finding::ok(SUBJECT, format!("up to {}", Quantity::Bytes.short(bytes)))
        }
        Some(bytes) => Finding::warn(
            SUBJECT,
            format!("up to {}: too little for packet memory", Quantity::Bytes.short(bytes)),
            "ulimit -l unlimited, LimitMEMLOCK=infinity in the unit, or CAP_IPC_LOCK",
        ),
    }
}

fn huge_pages(host: &Host) -> Finding {
    const SUBJECT: &str = "huge pages";
    const DIRECTORY: &str = "/sys/kernel/mm/hugepages/hugepages-2048kB";
    let number = |name: &str| host.number(&format!("{DIRECTORY}/{name}"));
    match (number("nr_hugepages"), number("free_hugepages")) {
        (Some(0), _) => Finding::warn(
            SUBJECT,
            "none reserved: packet memory and flow tables lie on small pages",
            "sysctl -w vm.nr_hugepages=512 reserves 1 GiB; per NUMA node under \
             /sys/devices/system/node/node*/hugepages",
        ),
        (Some(all), Some(0)) => Finding::warn(
            SUBJECT,
            format!("{all} of 2 MiB, none free"),
            "raise vm.nr_hugepages, or end what holds them",
        ),
        (Some(all), free) => {
            Finding::ok(SUBJECT, format!("{all} of 2 MiB, {} free", free.unwrap_or(0)))
        }
        (None, _) => Finding::warn(SUBJECT, "the kernel has none", "needs CONFIG_HUGETLBFS"),
    }
}

fn nodes(host: &Host) -> Finding {
    let nodes = host.nodes();
    let text: Vec<String> =
        nodes.iter().map(|(node, cpus)| format!("node {node}: CPU {}", cpu_text(cpus))).collect();
    let isolated = host.read("/sys/devices/system/cpu/isolated").filter(|text| !text.is_empty());
    let isolated = isolated.map(|list| format!("; isolated: {list}")).unwrap_or_default();
    if nodes.is_empty() {
        let online = host.read("/sys/devices/system/cpu/online").unwrap_or_default();
        return Finding::info("processors", format!("CPU {online}{isolated}"));
    }
    Finding::info("processors", format!("{}{isolated}", text.join("; ")))
}

fn governor(host: &Host) -> Option<Finding> {
    const PATH: &str = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
    let governor = host.read(PATH)?;
    Some(match governor.as_str() {
        "performance" => Finding::ok("clock rate", governor),
        _ => Finding::warn(
            "clock rate",
            format!("governed by {governor}"),
            "cpupower frequency-set -g performance: bursts find the cores at full speed",
        ),
    })
}

fn clock_source(host: &Host) -> Option<Finding> {
    let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    let source = host.read(path)?;
    Some(match source.as_str() {
        "tsc" | "kvm-clock" | "hyperv_clocksource_tsc_page" | "arch_sys_counter" => {
            Finding::ok("clock", source)
        }
        _ => Finding::warn(
            "clock",
            format!("{source}: every look at it is a system call"),
            "see why the kernel distrusts the TSC: dmesg | grep -i tsc",
        ),
    })
}

fn irqbalance(host: &Host) -> Option<Finding> {
    let name = |pid: &String| {
        pid.bytes().all(|b| b.is_ascii_digit()).then(|| host.read(&format!("/proc/{pid}/comm")))?
    };
    let runs = host.list("/proc").iter().any(|pid| name(pid).as_deref() == Some("irqbalance"));
    runs.then(|| {
        Finding::warn(
            "irqbalance",
            "runs and moves interrupts about",
            "stop it, or ban the capture CPUs (IRQBALANCE_BANNED_CPULIST)",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::*;

    fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let host = Host::at(root.path());
        (root, host)
    }

    #[test]
    fn an_old_kernel_fails_and_a_new_one_does_not() {
        for (release, level) in [
            ("6.18.44-x", Level::Ok),
            ("6.6.0", Level::Ok),
            ("6.1.0-18-amd64", Level::Warn),
            ("4.19.0", Level::Fail),
        ] {
            let (_root, host) = machine(&[("proc/sys/kernel/osrelease", release)]);
            assert_eq!(kernel(&host).level, level, "{release}");
        }
    }

    #[test]
    fn capabilities_are_named_when_missing() {
        let (_root, host) =
            machine(&[("proc/self/status", "Name: x\nCapEff:\t0000000000003000\n")]);
        let finding = capabilities(&host);
        assert_eq!(
            (finding.level, finding.found.as_str()),
            (Level::Warn, "missing IPC_LOCK, BPF, PERFMON")
        );
        assert_eq!(memlock(&host, Some(1 << 16)).level, Level::Warn);
        let (_root, host) = machine(&[("proc/self/status", "CapEff:\t000001ffffffffff\n")]);
        assert_eq!(capabilities(&host).level, Level::Ok);
        assert_eq!(memlock(&host, Some(1 << 16)).level, Level::Ok);
    }

    #[test]
    fn huge_pages_irqbalance_and_governor() {
        let pages = "sys/kernel/mm/hugepages/hugepages-2048kB";
        let (all, free) = (format!("{pages}/nr_hugepages"), format!("{pages}/free_hugepages"));
        let (_root, host) = machine(&[(&all, "512\n"), (&free, "500\n")]);
        assert_eq!(huge_pages(&host).found, "512 of 2 MiB, 500 free");
        assert!(irqbalance(&host).is_none() && governor(&host).is_none());
        let governor_file = "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
        let (_root, host) =
            machine(&[(&all, "0"), ("proc/77/comm", "irqbalance\n"), (governor_file, "powersave")]);
        assert_eq!(huge_pages(&host).level, Level::Warn);
        assert_eq!(irqbalance(&host).unwrap().level, Level::Warn);
        assert_eq!(governor(&host).unwrap().level, Level::Warn);
    }

    #[test]
    fn an_empty_machine_is_survived() {
        let (_root, host) = machine(&[]);
        assert!(findings(&host).len() >= 8);
    }
}
