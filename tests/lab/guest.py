#!/usr/bin/env python3
"""What runs inside the lab's guest: the engine on cards with true zero-copy, check by check.

    guest.py WEIR CAPTURE OUT

WEIR is the program, CAPTURE a classic pcap file of frames that fit the card, OUT a directory of the
host to leave logs in. Each check is one line on standard output: CHECK, its verdict, its name and
what was found, between tabs. The last line says how many there were, so that a guest that ends early
is told from one that is done.
"""

import functools
import glob
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time

import doorbell
from captures import jumbo_capture, packets_in

WEIR, CAPTURE, OUT = sys.argv[1:4]
KIND = os.environ["ZC_LAB_NIC"]
CARDS = os.environ["ZC_LAB_NICS"].split()
QUEUES = int(os.environ["ZC_LAB_QUEUES"])
FLOWS, FRAMES, RATE = 64, 20000, 20000
checks = 0


def tell(verdict, name, found):
    global checks
    checks += 1
    print("CHECK", verdict, f"{KIND}: {name}", str(found).replace("\n", " "), sep="\t", flush=True)


def check(name, good, found):
    tell("ok" if good else "FAILED", name, found)
    return good


def skip(name, why):
    tell("skipped", name, why)


def known(name, why):
    """A failure that is known, not Weir's, and shown so by a control: no pass."""
    tell("KNOWN", name, why)


def read(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def command(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).strip()


def until(what, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.1)
    return False


def cpus(text):
    all_ = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        all_.update(range(int(first), int(last or first) + 1))
    return all_


def cpus_of(node):
    return cpus(read(f"/sys/devices/system/node/node{node}/cpulist"))


def device(card):
    """The PCI device of a card; a virtio card's own device is below it."""
    path = os.path.realpath(f"/sys/class/net/{card}/device")
    return path if os.path.exists(path + "/numa_node") else os.path.dirname(path)


def node_of(card):
    return int(read(device(card) + "/numa_node"))


def interrupts(card):
    """The interrupts of the card's receive queues."""
    numbers = set(os.listdir(device(card) + "/msi_irqs"))
    found = []
    for line in read("/proc/interrupts").splitlines():
        number, _, rest = line.strip().partition(":")
        action = rest.split()[-1] if rest.split() else ""
        if number in numbers and re.search(r"-rx-\d+$|-TxRx-\d+$|-input\.\d+$", action):
            found.append(number)
    return found


def lab(*words):
    """Has the host send; gives how many frames it sent."""
    _, answer = command("lab", *words)
    sent = re.search(r"ok sent=(\d+)", answer)
    if not sent:
        print(f"lab {' '.join(words)}: {answer}", file=sys.stderr)
    return int(sent.group(1)) if sent else 0


def send(cards, count=FRAMES, rate=RATE, flows=FLOWS, size=128):
    sent = lab("send", "nic=" + ",".join(cards), f"count={count}", f"flows={flows}", f"rate={rate}",
               f"size={size}")
    time.sleep(1)
    return sent


class Engine:
    """One run of `weir run`. Ends it at the latest when it is left."""

    number = 0

    def __init__(self, *arguments, settings="", start=True):
        Engine.number += 1
        self.base = f"{OUT}/{KIND}-{Engine.number:02}"
        with open(self.base + ".toml", "w") as file:
            file.write(f"[flow]\ncapacity = 20000\n{settings}")
        self.name = f"lab{Engine.number}"
        words = [WEIR, "run", *arguments, "--name", self.name, "--config", self.base + ".toml"]
        words += ["--summary", "json", "--timeouts", "off", "--flows", self.base + ".flows"]
        self.out, self.err = open(self.base + ".out", "w"), open(self.base + ".err", "w")
        self.process = subprocess.Popen(words, stdout=self.out, stderr=self.err)
        if start:
            until(lambda: self.process.poll() is not None or "packet memory" in self.said(), 30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.out.close()
        self.err.close()

    def said(self):
        return read(self.base + ".err")

    def says(self, text, times=1, seconds=30):
        return until(lambda: self.said().count(text) >= times, seconds)

    def busy(self, seconds=2):
        """Processor time used in so many seconds, of one processor."""
        def used():
            words = read(f"/proc/{self.process.pid}/stat").rsplit(")", 1)[1].split()
            return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
        before = used()
        time.sleep(seconds)
        return (used() - before) / seconds

    def finish(self):
        """Ends the run; its report."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        try:
            report = json.loads(read(self.base + ".out"))
        except ValueError:
            report = {}
        return Report(self.process.returncode, report, self.said())


class Report:
    def __init__(self, code, report, said):
        self.code, self.said = code, said
        self.frames, self.flows = report.get("frames", -1), report.get("flows", -1)
        self.balanced = report.get("balanced", False)
        self.queues, self.shards = report.get("queues", []), report.get("shards", [])

    def sum(self, name):
        return sum(queue.get(name, 0) for queue in self.queues)

    def losses(self):
        names = ["nic_dropped", "xdp_passed", "xdp_aborted", "ring_full", "no_buffer"]
        return {name: self.sum(name) for name in names if self.sum(name)}

    def is_sound(self):
        return self.code == 0 and self.balanced

    def complete(self, sent):
        """Everything arrived and every book balances."""
        return self.is_sound() and sent > 0 and self.frames == self.sum("wire_frames") == sent

    def __str__(self):
        books = "balanced" if self.balanced else "NOT BALANCED"
        losses = f", lost by name {self.losses()}" if self.losses() else ""
        return f"{self.frames} processed, {self.flows} flows, {books}, exit {self.code}{losses}"


def zero_copy_lines(said):
    """What the engine says of each card: how XDP hangs on it, and the mode of its queues."""
    return re.findall(r"^(\w+) \(\w+\): XDP (.*)$", said, re.M)


def zero_copy_everywhere(said, cards, queues=QUEUES):
    lines = zero_copy_lines(said)
    good = f"native, zero-copy on all {queues} queues"
    return sorted(lines) == sorted((card, good) for card in cards), lines


# ---- 1, 2: modes and counts

def modes_and_counts():
    for split, shards in [("nic", 4), ("xdp", 3)]:
        with Engine("xdp:zc0", "--shards", str(shards), "--split", split) as engine:
            sent = send(["zc0"])
            report = engine.finish()
        good, lines = zero_copy_everywhere(report.said, ["zc0"])
        check(f"split = {split}: zero-copy on all {QUEUES} queues", good, lines)
        check(f"split = {split}: the engine says so", f"split {split}:" in report.said,
              re.findall(r"^split .*$", report.said, re.M))
        check(f"split = {split}: {sent} frames sent, all processed", report.complete(sent), report)
        check(f"split = {split}: {FLOWS} flows offered, as many found", report.flows == FLOWS, report.flows)
        hit = [queue["wire_frames"] for queue in report.queues[:QUEUES]]
        check(f"split = {split}: every queue had frames", len(hit) == QUEUES and all(hit), hit)
        worked = [shard["frames_processed"] for shard in report.shards]
        check(f"split = {split}: every shard had frames", len(worked) == shards and all(worked), worked)


def every_length():
    """Frames of all lengths come whole: a card may use less of a buffer than the engine gives."""
    lengths = [60, 1000, 1024, 1025, 1500, 1514]
    with Engine("xdp:zc0", "--shards", "2") as engine:
        sent = [send(["zc0"], 1000, size=size) for size in lengths]
        report = engine.finish()
    lines = [json.loads(line) for line in read(engine.base + ".flows").splitlines()]
    size = sum(line["bytes_c2s"] + line["bytes_s2c"] for line in lines)
    wanted = sum(map(lambda count, size: count * size, sent, lengths))
    good, modes = zero_copy_everywhere(report.said, ["zc0"])
    check(f"frames of {lengths} bytes come whole, in zero-copy mode",
          good and report.complete(sum(sent)) and report.flows == FLOWS and size == wanted,
          f"{report}, {size} of {wanted} bytes, {modes}")


# ---- 5: placement

def placement(engine, shards):
    """Threads, packet memory and interrupts of all cards."""
    pid = engine.process.pid
    threads = {}
    for task in glob.glob(f"/proc/{pid}/task/*"):
        found = re.match(r"weir shard (\d+)", read(task + "/comm"))
        if found:
            allowed = re.search(r"Cpus_allowed_list:\s*(\S+)", read(task + "/status")).group(1)
            threads[int(found.group(1))] = cpus(allowed)
    wanted = {number: cpus_of(node_of(CARDS[number // shards])) for number in range(shards * len(CARDS))}
    good = threads.keys() == wanted.keys() and all(threads[at] <= wanted[at] for at in wanted)
    check(f"{shards} shard(s) a card: each thread on its card's node", good, threads)
    alone = sorted(min(one) for one in threads.values()) == sorted({min(one) for one in threads.values()})
    check(f"{shards} shard(s) a card: each thread has a CPU to itself",
          alone and all(len(one) == 1 for one in threads.values()), threads)
    nodes = []
    for line in read(f"/proc/{pid}/numa_maps").splitlines():
        if "weir-frames" in line:
            nodes.append({int(node): int(pages) for node, pages in re.findall(r" N(\d+)=(\d+)", line)})
    where = sorted(next(iter(one)) if len(one) == 1 else -1 for one in nodes)
    check(f"{shards} shard(s) a card: all pages of a card's packet memory on its node",
          where == sorted(node_of(card) for card in CARDS), nodes)
    lines = {}
    for card in CARDS:
        for number in interrupts(card):
            lines[f"{card}/{number}"] = cpus(read(f"/proc/irq/{number}/effective_affinity_list"))
    local = all(lines[line] <= cpus_of(node_of(line.split("/")[0])) for line in lines)
    check(f"{shards} shard(s) a card: the receive queues' interrupts on the card's node",
          local and len(lines) >= len(CARDS) * QUEUES, lines)


def two_cards():
    for shards in [2, 1]:
        sources = [f"xdp:{card}" for card in CARDS]
        with Engine(*sources, "--shards", str(shards)) as engine:
            sent = send(CARDS, rate=RATE // 2)
            placement(engine, shards)
            report = engine.finish()
        good, lines = zero_copy_everywhere(report.said, CARDS)
        check(f"two cards, {shards} shard(s) each: zero-copy on all {QUEUES} queues of both", good, lines)
        check(f"two cards, {shards} shard(s) each: {sent} frames sent, all processed",
              report.complete(sent), report)
        check(f"two cards, {shards} shard(s) each: flows", report.flows == FLOWS * len(CARDS), report.flows)
        halves = [sum(shard["frames_processed"] for shard in report.shards[at:at + shards])
                  for at in range(0, len(report.shards), shards)]
        check(f"two cards, {shards} shard(s) each: each node's shards took their card's frames",
              halves == [sent // 2] * 2, halves)


def findings(card):
    _, text = command(WEIR, "doctor", card, "--json", "--probe", "always")
    try:
        sections = json.loads(text)["sections"]
    except (ValueError, KeyError):
        return {}
    return {one["subject"]: one for section in sections for one in section["findings"]}


def doctor():
    for card in CARDS:
        node, numbers = node_of(card), interrupts(card)
        for at, number in enumerate(numbers):
            cpu = sorted(cpus_of(node))[at % len(cpus_of(node))]
            with open(f"/proc/irq/{number}/smp_affinity_list", "w") as file:
                file.write(str(cpu))
        found = findings(card)
        text = {subject: f"{one['level']}: {one['found']}" for subject, one in found.items()}
        check(f"doctor {card}: the card's node", f"NUMA node {node}" in text.get("link", ""), text.get("link"))
        check(f"doctor {card}: zero-copy, by trial", "zero-copy (tried" in text.get("AF_XDP mode", ""),
              text.get("AF_XDP mode"))
        near = text.get("interrupts", "")
        check(f"doctor {card}: interrupts of this node are not called far",
              all(f"{number}→" in near for number in numbers) and "off the NIC's node" not in near, near)
        if card != CARDS[0]:
            continue
        other = min(cpus_of(1 - node))
        with open(f"/proc/irq/{numbers[0]}/smp_affinity_list", "w") as file:
            file.write(str(other))
        command("lab", "send", f"nic={card}", "count=2000")  # it moves when it next comes
        found = findings(card).get("interrupts", {})
        check(f"doctor {card}: an interrupt on the other node is found, with what to do",
              "off the NIC's node" in found.get("found", "") and "smp_affinity_list" in (found.get("advice") or ""),
              f"{found.get('found')} {found.get('advice')}")
        with open(f"/proc/irq/{numbers[0]}/smp_affinity_list", "w") as file:
            file.write(str(min(cpus_of(node))))


# ---- 2: overload, replay

def overload():
    with Engine("xdp:zc0", "--shards", "2") as engine:
        before = send(["zc0"], 4000)
        engine.process.send_signal(signal.SIGSTOP)
        stopped = send(["zc0"], 60000)
        engine.process.send_signal(signal.SIGCONT)
        time.sleep(1)
        after = send(["zc0"], 4000)
        report = engine.finish()
    sent = before + stopped + after
    silent = sent - report.sum("wire_frames")
    check("an engine that stands still: books balance", report.is_sound(), report)
    check("an engine that stands still: what it lost has a name", sum(report.losses().values()) > 0, report.losses())
    check("an engine that stands still: no frame twice, the rest dropped before the program in silence",
          0 <= silent <= stopped, f"{sent} sent, {silent} dropped by card or cable without a count")
    with Engine("xdp:zc0", "--shards", "2") as engine:
        sent = send(["zc0"], 200000, rate=0)
        report = engine.finish()
    silent = sent - report.sum("wire_frames")
    check("flat out: books balance", report.is_sound(), report)
    check("flat out: no frame twice, the rest dropped before the program in silence", 0 <= silent < sent,
          f"{sent} sent, {silent} dropped by card or cable without a count")
    check("flat out: flows", report.flows == FLOWS, report.flows)


def flows(path):
    keys = ["src_ip", "src_port", "dst_ip", "dst_port", "l4", "vlan", "tunnel", "app", "hostname",
            "packets_c2s", "bytes_c2s", "packets_s2c", "bytes_s2c"]
    lines = (json.loads(line) for line in read(path).splitlines())
    return sorted(json.dumps([flow[key] for key in keys]) for flow in lines)


def replay():
    command("ethtool", "-K", "zc0", "rxvlan", "off")
    with Engine("pcap:" + CAPTURE, start=False) as engine:
        engine.process.wait(60)
        wanted, file = engine.finish(), flows(engine.base + ".flows")
    with Engine("xdp:zc0", "--shards", "2", "--split", "nic") as engine:
        sent = lab("replay", "nic=zc0", "pcap=" + CAPTURE, "rate=4000")
        time.sleep(1)
        report, live = engine.finish(), flows(engine.base + ".flows")
    check("replay: every frame of the capture processed", report.complete(sent) and wanted.frames == sent, report)
    only_file, only_live = sorted(set(file) - set(live)), sorted(set(live) - set(file))
    check(f"replay: the {len(file)} flows of `weir run pcap:`", len(file) > 0 and file == live,
          f"{len(live)} flows; only in the file {len(only_file)} {only_file[:1]}, only live {len(only_live)} {only_live[:1]}")


# ---- 3: jumbo frames

def jumbo():
    command("ip", "link", "set", "zc0", "down")
    code, said = command("ip", "link", "set", "zc0", "mtu", "4000")
    command("ip", "link", "set", "zc0", "up")
    if code:
        skip("jumbo frames", f"the driver takes no MTU of 4000: {said}")
        return
    with Engine("xdp:zc0", "--shards", "1", settings='[capture]\nzero_copy = "require"\n') as engine:
        refused = until(lambda: engine.process.poll() is not None, 20)
        said = engine.said()
        if not refused:
            engine.finish()
    zero_copy = not refused
    if zero_copy:
        check("jumbo frames: zero-copy over several buffers", True, zero_copy_lines(said))
    else:
        check("jumbo frames, zero-copy required: refused, with what to do",
              engine.process.returncode != 0 and "allow copy mode" in said, said)
    with Engine("xdp:zc0", "--shards", "1") as engine:
        if KIND == "igb":
            path = f"{OUT}/jumbo.pcap"
            jumbo_capture(path, 500, 3000)
            sent = lab("replay", "nic=zc0", "pcap=" + path, "rate=2000")
            time.sleep(1)
            report = engine.finish()
            lines = read(engine.base + ".flows").splitlines()
            size = sum(json.loads(line)["bytes_c2s"] for line in lines)
            check("jumbo frames: every one processed, whole", report.complete(sent) and size == sent * 3000,
                  f"{report}, {size} bytes")
        else:
            skip("jumbo frames: every one processed, whole", "the lab's taps have an MTU of 1500")
            report = engine.finish()
    if not zero_copy:
        lines = zero_copy_lines(report.said)
        check("jumbo frames: the fall-back is named, with the reason",
              any("copy (no zero-copy:" in text for _, text in lines), lines)
    command("ip", "link", "set", "zc0", "down")
    command("ip", "link", "set", "zc0", "mtu", "1500")
    command("ip", "link", "set", "zc0", "up")


# ---- 4: what happens to cards

def survives(name, action):
    """Frames before and after are all there."""
    with Engine("xdp:zc0", "--shards", "2") as engine:
        sent = send(["zc0"], 5000)
        found = action(engine)
        sent += send(["zc0"], 5000)
        report = engine.finish()
    check(f"{name}: every frame before and after processed", report.complete(sent), f"{report} {found or ''}")
    return report


def down_and_up(_):
    for _ in range(2):
        command("ip", "link", "set", "zc0", "down")
        time.sleep(0.5)
        command("ip", "link", "set", "zc0", "up")


def renegotiate(_):
    code, said = command("ethtool", "-r", "zc0")
    return f"ethtool -r: {code} {said}"


def fewer_queues(_):
    code, said = command("ethtool", "-L", "zc0", "combined", str(QUEUES // 2))
    check("fewer queues while running: the kernel refuses, for sockets have them", code != 0, said)


def more_queues():
    command("ethtool", "-L", "zc0", "combined", str(QUEUES // 2))
    with Engine("xdp:zc0", "--shards", "2") as engine:
        sent = send(["zc0"], 5000)
        code, said = command("ethtool", "-L", "zc0", "combined", str(QUEUES))
        if code:
            sent += send(["zc0"], 5000)
            report = engine.finish()
            check("more queues while running: the driver refuses, and all goes on", report.complete(sent), f"{said}; {report}")
            command("ethtool", "-L", "zc0", "combined", str(QUEUES))
            return
        told = engine.says(f"has {QUEUES} receive queues, no longer {QUEUES // 2}")
        again = engine.says("packets are taken again")
        sent += send(["zc0"], 5000)
        report = engine.finish()
    check("more queues while running: the engine says so and takes them", told and again, report.said)
    check("more queues while running: every frame before and after processed", report.complete(sent), report)
    good, lines = zero_copy_everywhere(report.said.split("taken again")[-1], ["zc0"])
    check(f"more queues while running: zero-copy on all {QUEUES}", good, lines)
    command("ethtool", "-L", "zc0", "combined", str(QUEUES // 2))
    with Engine("xdp:zc0", "--shards", "2", settings="[capture]\nrecover = false\n") as engine:
        command("ethtool", "-L", "zc0", "combined", str(QUEUES))
        told = engine.says("start weir again")
        sent = send(["zc0"], 5000)
        report = engine.finish()
    check("more queues, recover = false: the engine says what to do", told, report.said)
    check("more queues, recover = false: frames of theirs are counted as left to the host",
          report.is_sound() and report.sum("wire_frames") == sent and report.losses().get("xdp_passed", 0) > 0, report)


def rebind(card, wait):
    """Takes the card's driver away and gives it back."""
    mac, path = read(f"/sys/class/net/{card}/address"), os.path.realpath(f"/sys/class/net/{card}/device")
    driver, name = os.path.realpath(path + "/driver"), os.path.basename(path)
    with open(driver + "/unbind", "w") as file:
        file.write(name)
    found = wait()
    with open(driver + "/bind", "w") as file:
        file.write(name)
    here = lambda: [at.split("/")[-2] for at in glob.glob("/sys/class/net/*/address") if read(at) == mac]
    until(lambda: here())
    command("ip", "link", "set", here()[0], "name", card)
    command("ethtool", "-L", card, "combined", str(QUEUES))
    command("ethtool", "-G", card, "rx", "1024")
    command("ethtool", "-N", card, "rx-flow-hash", "udp4", "sdfn")
    command("ip", "link", "set", card, "promisc", "on", "up")
    return found


def card_goes_and_comes():
    with Engine(*[f"xdp:{card}" for card in CARDS], "--shards", "2") as engine:
        reader = subprocess.Popen(
            [WEIR, "extcap", "--extcap-interface", engine.name, "--capture", "--fifo", f"{OUT}/{KIND}-reader.pcapng",
             "--mode", "lease"],
            stdout=subprocess.DEVNULL, stderr=open(f"{OUT}/{KIND}-reader.err", "w"))
        time.sleep(2)
        sent = send(CARDS, 5000)

        def gone():
            told = engine.says("is gone", times=times)
            busy = engine.busy()
            return told, busy, send(["zc1"], 5000)

        for times in [1, 2]:
            (told, busy, meanwhile), sent = rebind("zc0", gone), sent
            sent += meanwhile
            lines = [line for line in engine.said().splitlines() if "the interface" in line]
            check(f"a card goes, time {times}: the engine says so", told, lines)
            check(f"a card goes, time {times}: the engine waits without working", busy < 0.5, f"{busy:.2f} processors")
            back = engine.says("packets are taken again", times=times, seconds=60)
            check(f"a card comes back, time {times}: the engine takes it again", back, engine.said().splitlines()[-4:])
            sent += send(CARDS, 5000)
        alive = reader.poll() is None
        report = engine.finish()
        try:
            reader.wait(20)
        except subprocess.TimeoutExpired:
            reader.kill()
    check("a card goes and comes: every frame of both cards processed", report.complete(sent), report)
    lines = zero_copy_lines(report.said)
    good = f"native, zero-copy on all {QUEUES} queues"
    check("a card comes back: zero-copy on all queues each time", lines.count(("zc0", good)) == 3, lines)
    seen = packets_in(f"{OUT}/{KIND}-reader.pcapng")
    check("a card goes and comes: a packet reader stays and has every frame", alive and seen == sent,
          f"{seen} packets read, {sent} sent {read(f'{OUT}/{KIND}-reader.err')}")


def kernel_frames():
    """Frames that zc0's driver has received, whoever took them."""
    return int(read("/sys/class/net/zc0/statistics/rx_packets"))


def received_alone():
    """How many frames are sent with no engine there, and how many of them the kernel gets."""
    before = kernel_frames()
    sent = send(["zc0"], 5000, flows=200)
    return sent, kernel_frames() - before


def in_traffic(action, frames=60000):
    """Has the host send, and does this in the midst of it. How many frames the host sent."""
    sender = subprocess.Popen(["lab", "send", "nic=zc0", f"count={frames}", f"flows={FLOWS}", "rate=10000"],
                              stdout=subprocess.PIPE, text=True)
    time.sleep(2)
    action()
    return int((re.search(r"sent=(\d+)", sender.communicate()[0]) or [0, 0])[1])


def ring_until_quiet(card):
    """Rings until no frame comes that the host had kept back: each ring lets some through."""
    for _ in range(100):
        before = kernel_frames()
        doorbell.ring(card, QUEUES)
        time.sleep(0.3)
        if kernel_frames() == before:
            return


# What is known of a kind of card, where its control shows the same.
STALLED = {"virtio": "QEMU's RSS in software: a queue of the tap that had a frame for another queue's full ring is "
                     "read again only when the driver notifies the queue of its own number"}


@functools.cache
def cable_alone():
    """Link down and up in the midst of frames with no engine and no program: of how many frames sent after
    it the kernel has how many, and the same once the card's doorbells were rung. Leaves the cable whole."""
    in_traffic(lambda: down_and_up(None))
    found, rung = received_alone(), None
    if found[0] != found[1] and KIND in STALLED:
        ring_until_quiet("zc0")
        rung = received_alone()
    return found, rung


def link_without_engine():
    (sent, got), rung = cable_alone()
    title = "link down and up, under traffic, without engine and program: the kernel has the frames after it"
    if got == sent or rung is None or rung[0] != rung[1]:
        check(title, got == sent, f"{got} of {sent}, then {rung}")
        return
    known(title, f"{got} of {sent}; {rung[1]} of {rung[0]} once the doorbells were rung. {STALLED[KIND]}")


def under_traffic():
    """The same in the midst of frames: how many are lost is the card's matter, the books are not."""
    later, each = 200, 25
    actions = [("link down and up", "nic", lambda: down_and_up(None)),
               ("a card goes and comes", "xdp", lambda: rebind("zc0", lambda: time.sleep(1)))]
    rings = [False, True] if KIND in STALLED else [False]
    for (name, split, action), rung in itertools.product(actions, rings):
        name += ", under traffic" + (", then doorbells rung" if rung else "")
        with Engine("xdp:zc0", "--shards", "3", "--split", split) as engine:
            sent = in_traffic(action)
            back = "goes" not in name or engine.says("packets are taken again", seconds=60)
            if rung:
                ring_until_quiet("zc0")
            sent += send(["zc0"], later * each, flows=later)
            report = engine.finish()
        wire = report.sum("wire_frames")
        check(f"{name}: books balance", back and report.is_sound(), report)
        check(f"{name}: no frame twice", 0 < wire <= sent, f"{sent} sent, {wire} arrived")
        lines = [json.loads(line) for line in read(engine.base + ".flows").splitlines()]
        whole = sum(line["packets_c2s"] + line["packets_s2c"] == each for line in lines)
        title, found = f"{name}: the frames after it are all there", f"{whole} of {later - FLOWS} new flows whole"
        if whole < later - FLOWS and not rung and KIND in STALLED:
            ring_until_quiet("zc0")
            (offered, alone), mended = cable_alone()
            if alone < offered and mended and mended[0] == mended[1]:
                known(title, f"{found}; after link down and up without the engine the kernel has {alone} of "
                             f"{offered}, and all once doorbells were rung. {STALLED[KIND]}")
                continue
        check(title, whole >= later - FLOWS, found)


def killed():
    with Engine("xdp:zc0", "--shards", "2") as engine:
        send(["zc0"], 2000)
        engine.process.kill()
        engine.process.wait()
    with Engine("xdp:zc0", "--shards", "2") as engine:
        sent = send(["zc0"], 5000)
        report = engine.finish()
    good, lines = zero_copy_everywhere(report.said, ["zc0"])
    check("a killed engine: the next has zero-copy and every frame", good and report.complete(sent), f"{report} {lines}")


def link_down_and_up():
    survives("link down and up", down_and_up)


def link_renegotiated():
    code, said = command("ethtool", "-r", "zc0")
    if code:
        skip("link renegotiated", f"the driver cannot: {said}")
        return
    survives("link renegotiated", renegotiate)


def fewer():
    survives("fewer queues while running", fewer_queues)


STEPS = [doctor, modes_and_counts, every_length, two_cards, overload, replay, link_down_and_up, link_renegotiated,
         fewer, more_queues, jumbo, killed, card_goes_and_comes,
         link_without_engine, under_traffic]


def main():
    os.makedirs(OUT, exist_ok=True)
    wanted = os.environ.get("LAB_STEPS", "").split()
    for step in STEPS:
        if wanted and step.__name__ not in wanted:
            continue
        try:
            step()
        except Exception as error:  # the next step says its own
            check(f"{step.__name__} came to its end", False, repr(error))
    print("END", checks, sep="\t", flush=True)


main()
