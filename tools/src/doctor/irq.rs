//! Where an interface's interrupts go.

use std::collections::BTreeSet;

use super::host::{Host, cpu_list, cpu_text};
use super::report::Finding;

/// One interrupt of the interface.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Interrupt {
    number: u32,
    /// Where it may go; where it goes, once it has come.
    cpus: BTreeSet<u32>,
}

/// How interrupts lie: each on a CPU of its own, and on the NIC's node. `node` is the NIC's.
pub(super) fn finding(host: &Host, interface: &str, node: Option<u32>) -> Option<Finding> {
    const SUBJECT: &str = "interrupts";
    let interrupts = interrupts(host, interface);
    if interrupts.is_empty() {
        return None;
    }
    let text: Vec<String> = interrupts
        .iter()
        .take(16)
        .map(|one| format!("{}→CPU {}", one.number, cpu_text(&one.cpus)))
        .collect();
    let more = interrupts.len().saturating_sub(16);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let text = format!("{}{more}", text.join(", "));
    let nodes = host.nodes();
    let local = node.and_then(|node| nodes.iter().find(|(number, _)| *number == node));
    let strays = |one: &&Interrupt| local.is_some_and(|(_, cpus)| one.cpus.is_disjoint(cpus));
    if let Some(stray) = interrupts.iter().find(strays) {
        let cpus = local.map(|(_, cpus)| cpu_text(cpus)).unwrap_or_default();
        let advice = format!(
            "the NIC is on node {}: echo {cpus} > /proc/irq/{}/smp_affinity_list, and so on",
            node.unwrap_or(0),
            stray.number
        );
        return Some(Finding::warn(SUBJECT, format!("{text}: off the NIC's node"), advice));
    }
    let pinned: Vec<&BTreeSet<u32>> =
        interrupts.iter().map(|one| &one.cpus).filter(|cpus| cpus.len() == 1).collect();
    let distinct: BTreeSet<&BTreeSet<u32>> = pinned.iter().copied().collect();
    // The NIC's node has them all: its CPUs are as many as there can be.
    let everywhere = nodes.iter().map(|(_, cpus)| cpus.len()).sum();
    let processors = local.map_or(everywhere, |(_, cpus)| cpus.len()).max(1);
    if distinct.len() < pinned.len().min(processors) {
        let advice = "give each queue's interrupt a CPU of its own (smp_affinity_list), \
                      apart from the shards' CPUs unless they busy poll";
        return Some(Finding::warn(SUBJECT, format!("{text}: several on one CPU"), advice));
    }
    Some(Finding::ok(SUBJECT, text))
}

/// The interface's interrupts: those of its device, else those that carry its name.
fn interrupts(host: &Host, interface: &str) -> Vec<Interrupt> {
    let table = host.read("/proc/interrupts").unwrap_or_default();
    // A virtio device's are its parent's.
    let of_device: BTreeSet<u32> = ["device/msi_irqs", "device/../msi_irqs"]
        .iter()
        .flat_map(|path| host.list(&format!("/sys/class/net/{interface}/{path}")))
        .filter_map(|name| name.parse().ok())
        .collect();
    let rows = table.lines().filter_map(|line| {
        let (number, rest) = line.trim_start().split_once(':')?;
        let number: u32 = number.parse().ok()?;
        let action = rest.split_whitespace().last()?;
        let named = action.split(['-', '@', '.', ':']).any(|part| part == interface);
        (of_device.contains(&number) || named).then_some(number)
    });
    let placed = rows.filter_map(|number| {
        let file = |name: &str| {
            let text = host.read(&format!("/proc/irq/{number}/{name}"))?;
            Some(cpu_list(&text)).filter(|cpus| !cpus.is_empty())
        };
        let cpus = file("effective_affinity_list").or_else(|| file("smp_affinity_list"))?;
        Some(Interrupt { number, cpus })
    });
    placed.collect()
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::*;

    fn machine(first: &str, second: &str) -> (tempfile::TempDir, Host) {
        let root = tempfile::tempdir().unwrap();
        let interrupts = "           CPU0       CPU1\n \
                          30:        100          0  PCI-MSI  eth0-TxRx-0\n \
                          31:          0        100  PCI-MSI  eth0-TxRx-1\n \
                          32:          1          1  PCI-MSI  eth10\n \
                          NMI:         0          0   Non-maskable interrupts\n";
        for (path, text) in [
            ("proc/interrupts", interrupts),
            ("proc/irq/30/effective_affinity_list", first),
            ("proc/irq/31/effective_affinity_list", second),
            ("proc/irq/32/smp_affinity_list", "0-3"),
            ("sys/devices/system/node/node0/cpulist", "0-1"),
            ("sys/devices/system/node/node1/cpulist", "2-3"),
        ] {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let host = Host::at(root.path());
        (root, host)
    }

    #[test]
    fn placement() {
        let (_root, host) = machine("0", "1");
        let fine = finding(&host, "eth0", Some(0)).unwrap();
        assert_eq!((fine.level, fine.found.as_str()), (Level::Ok, "30→CPU 0, 31→CPU 1"));
        let far = finding(&host, "eth0", Some(1)).unwrap();
        assert_eq!(far.level, Level::Warn);
        assert!(far.advice.unwrap().contains("echo 2-3 > /proc/irq/30/smp_affinity_list"));
        let (_root, host) = machine("1", "1");
        assert!(finding(&host, "eth0", None).unwrap().found.ends_with("several on one CPU"));
        let (_root, host) = machine("1", "0-1");
        assert_eq!(finding(&host, "eth0", Some(0)).unwrap().level, Level::Ok, "CPU 1 is its own");
        let (_root, host) = machine("0", "1");
        assert!(finding(&host, "eth1", None).is_none());
        assert!(finding(&host, "eth", None).is_none(), "a part of a name is another name");
    }
}
