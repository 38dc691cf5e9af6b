#!/usr/bin/env python3
"""The measurements of record.sh, which calls it.

usage: record.py WEIR DIR GIGABYTES SECONDS [PART...]
"""

import base64
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path

WEIR, DIR, GIGABYTES, SECONDS = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
PARTS = sys.argv[5:]
CORE = max(os.sched_getaffinity(0))
# Bytes that each way of writing is given, and how often it is tried.
WRITTEN = int(2e9)
ROUNDS = 3
# 256 MiB of frames, of which a quarter may wait for readers: a pause of the processors is not a loss.
SETTINGS = """
[capture]
frames_per_shard = 131072
ring_descriptors = 65536
[export]
packet_ring = 65536
packet_leases = 32768
"""
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def pinned():
    os.sched_setaffinity(0, {CORE})


def run(command, **how):
    """Runs a command; seconds, and those of its processors."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    subprocess.run(command, check=True, **({**QUIET, **how}))
    took = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def synthetic(name, size, frames, more=()):
    """A capture of so many frames."""
    path = DIR / f"{name}.pcap"
    shape = ["--size", size, "--flows", "20000", "--payloads", "0.2", "--pps", "1M", *more]
    run([WEIR, "replay", "--synth", *shape, "--frames", str(frames), "--write", path])
    return path


def again(path, wanted):
    """A capture again and again, until it is so large; its path, bytes and packets."""
    data = path.read_bytes()
    packets, at = 0, 24
    while at < len(data):
        at += 16 + struct.unpack_from("<I", data, at + 8)[0]
        packets += 1
    times = max(1, wanted // len(data))
    large = path.with_name("large-" + path.name)
    with open(large, "wb") as out:
        out.write(data[:24])
        for _ in range(times):
            out.write(data[24:])
    path.unlink()
    return large, large.stat().st_size, packets * times


def warm(path):
    """Has a file in the page cache, and nothing of it and others still to be written."""
    os.sync()
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 24):
            pass


def cold():
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        print("\n(The page cache could not be dropped: not root.)\n")


def fio():
    job = ["fio", "--name=write", f"--directory={DIR}", "--rw=write", "--bs=1M", "--direct=1", "--ioengine=io_uring", "--iodepth=8"]
    job += [f"--size={WRITTEN}", "--end_fsync=1", "--output-format=json"]
    found = json.loads(subprocess.run(job, check=True, capture_output=True, preexec_fn=pinned).stdout)["jobs"][0]["write"]
    for path in DIR.glob("write.*"):
        path.unlink()
    return found["bw_bytes"]


def fsynced(path):
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def turn(command, written=None):
    """One way of writing, on one core; what it wrote reaches the disk within the time."""
    began = time.monotonic()
    took, used = run(command, preexec_fn=pinned)
    if written:
        fsynced(written)
        took = time.monotonic() - began
    for path in [DIR / "out", written]:
        if path and path.is_dir():
            shutil.rmtree(path)
        elif path:
            path.unlink(missing_ok=True)
    return took, used


def turn_of_engine(capture):
    """The recorder has its core alone; an engine on another reads the file and waits for it."""
    name = f"record-{os.getpid()}"
    elsewhere = sorted(os.sched_getaffinity(0) - {CORE}) or [CORE]
    command = [WEIR, "run", f"pcap:{capture}", "--name", name, "--timeouts", "off", "--wait-for-readers"]
    engine = subprocess.Popen(command, preexec_fn=lambda: os.sched_setaffinity(0, elsewhere), **QUIET)
    time.sleep(1)
    try:
        # The engine's share is not the recorder's: that is of the child which has ended by then.
        return turn([WEIR, "record", "--name", name, "--dir", DIR / "out"])
    finally:
        engine.wait()


def writing(title, size, frames):
    capture, bytes_, packets = again(synthetic(title, size, frames), WRITTEN)
    record = [WEIR, "record", f"pcap:{capture}", "--dir", DIR / "out"]
    dump = DIR / "out.pcap"
    ways = {
        "weir record": lambda: turn(record),
        "weir record, without index": lambda: turn([*record, "--no-index"]),
        "weir record --format pcap": lambda: turn([*record, "--format", "pcap"]),
        "weir record --no-uring": lambda: turn([*record, "--no-uring"]),
        "weir record --no-direct": lambda: turn([*record, "--no-direct"]),
        "weir record, of an engine": lambda: turn_of_engine(capture),
        "tcpdump -r -w": lambda: turn(["tcpdump", "-Z", "root", "-r", capture, "-w", dump], dump),
        "dumpcap, of a pipe": lambda: turn(["sh", "-c", f"cat '{capture}' | dumpcap -q -i - -w '{dump}'"], dump),
    }
    rates, samples = [], {way: [] for way in ways}
    for _ in range(ROUNDS):
        rates.append(fio())
        for way, measure in ways.items():
            warm(capture)
            samples[way].append(measure())
    capture.unlink()
    best = max(rates)
    print(f"\n### {title}: {packets} packets, {bytes_ / packets - 16:.0f} bytes each\n")
    print("| | MB/s: median | best | of fio's best | Mpackets/s | processor s a Gbit |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    print(f"| fio: direct, io_uring, 1 MiB, 8 at a time | {statistics.median(rates) / 1e6:.0f} | {best / 1e6:.0f} | | | |")
    for way, taken in samples.items():
        median, least = (pick([took for took, _ in taken]) for pick in (statistics.median, min))
        cpu = statistics.median([used for _, used in taken])
        print(
            f"| {way} | {bytes_ / median / 1e6:.0f} | {bytes_ / least / 1e6:.0f} | {bytes_ / least / best:.0%} "
            f"| {packets / median / 1e6:.2f} | {cpu / (bytes_ * 8e-9):.3f} |"
        )


class Chain:
    """A sender, a cable, an engine and a recorder, in a namespace."""

    def __enter__(self):
        self.space = f"weir-record-{os.getpid()}"
        self.name = f"record-{os.getpid()}"
        self.inside = ["ip", "netns", "exec", self.space]
        run(["ip", "netns", "add", self.space])
        run([*self.inside, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"])
        run([*self.inside, "ip", "link", "add", "far", "type", "veth", "peer", "name", "near"])
        for end in ("far", "near"):
            run([*self.inside, "ethtool", "-K", end, "gro", "on"])
            run([*self.inside, "ip", "link", "set", "dev", end, "up"])
        return self

    def __exit__(self, *_):
        run(["ip", "netns", "del", self.space])

    def send(self, rate, seconds, size="1514"):
        """Sends at so many bits a second; what the sender says."""
        shape = ["--size", size, "--flows", "20000", "--bps", f"{int(rate)}", "--for", f"{seconds}s", "-i", "far", "--json"]
        command = [*self.inside, WEIR, "replay", "--synth", *shape]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def at(self, rate, seconds, size="1514", recorded=True, settings=SETTINGS):
        """Sends to an engine, and a recorder; what each says at its end, and processor seconds of the engine."""
        pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        config = DIR / "weir.toml"
        config.write_text(settings)
        run_ = [*self.inside, WEIR, "run", "xdp:near", "--config", config, "--name", self.name, "--summary", "json"]
        engine = subprocess.Popen(run_, **pipe)
        time.sleep(1.5)
        recorder = None
        if recorded:
            more = ["--total-size", "4GB", "--buffers", "256MiB"]
            record = [*self.inside, WEIR, "record", "--name", self.name, "--dir", DIR / "out", "--json", *more]
            recorder = subprocess.Popen(record, **pipe)
        time.sleep(1)
        sent = self.send(rate, seconds, size)
        time.sleep(1)
        engine.send_signal(signal.SIGTERM)
        ledger = json.loads(engine.stdout.read())
        _, engine.returncode, used = os.wait4(engine.pid, 0)
        said = json.loads(recorder.communicate()[0]) if recorder else None
        shutil.rmtree(DIR / "out", ignore_errors=True)
        return sent, ledger, said, used.ru_utime + used.ru_stime

    def weir_at(self, rate, seconds, size):
        sent, ledger, said, _ = self.at(rate, seconds, size)
        return sent, sum(losses(sent, ledger, said))

    def other_at(self, command, counts, rate, seconds, size):
        """Sends to a program that captures by itself; what is sent, and the frames that it did not write."""
        dump = DIR / "out.pcap"
        program = subprocess.Popen([*self.inside, *command, "-w", dump], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(1.5)
        sent = self.send(rate, seconds, size)
        time.sleep(1)
        program.send_signal(signal.SIGINT)
        said = program.communicate()[1]
        dump.unlink(missing_ok=True)
        return sent, sent["sent_frames"] - int(re.search(counts, said)[1])


def losses(sent, ledger, said):
    """Frames that the engine, the ring and the disk lost."""
    drops = sum(said[name] for name in ("dropped_disk_slow", "dropped_disk_full", "dropped_disk_error"))
    return sent["sent_frames"] - ledger["frames"], said["missed"], drops


def begins(title):
    """Begins a part that needs a namespace; whether there can be one."""
    print(f"\n## {title}\n")
    if os.geteuid() != 0:
        print("Not measured: a namespace needs root.")
    return os.geteuid() == 0


def before_loss():
    """How much each writes of live frames before it loses the first one."""
    if not begins("Live, before the first loss"):
        return
    print("A sender over a veth cable, and one of these on the same two processors, each with 256 MiB of memory for frames;")
    print("rates for 4 s each, up to the first at which a frame is missing. Weir is an engine with inspection and a recorder.\n")
    print("| frames | weir run + weir record | tcpdump -w | dumpcap -w | |")
    print("| --- | ---: | ---: | ---: | --- |")
    tcpdump = ["tcpdump", "-Z", "root", "-n", "-i", "near", "-B", "262144"]
    dumpcap = ["dumpcap", "-q", "-i", "near", "-B", "256"]
    with Chain() as rig:
        ways = [
            rig.weir_at,
            lambda *at: rig.other_at(tcpdump, r"(\d+) packets captured", *at),
            lambda *at: rig.other_at(dumpcap, r"on interface '\w+': (\d+)/", *at),
        ]
        for size, rates in (("1514", (0.5, 1, 1.5, 2, 2.5, 3, 4, 6, 8)), ("imix", (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.5, 2, 3))):
            found, why = [], []
            for measure in ways:
                best = 0
                for gigabits in rates:
                    sent, lost = measure(gigabits * 1e9, 4, size)
                    if lost > 0:
                        why.append(f"{lost} of {sent['sent_frames']} lost at {gigabits}")
                        break
                    if sent["not_sent_frames"] > sent["sent_frames"] / 1000:
                        why.append(f"the sender came to no more than {gigabits}")
                        break
                    best = gigabits
                found.append(f"{best} Gbit/s")
            print(f"| {size} | {' | '.join(found)} | {'; '.join(why)} |", flush=True)


def chain():
    if not begins("Sender, engine and recorder together"):
        return
    print("1514-byte frames over a veth cable, AF_XDP; all three share the processors. Each rate for 4 s, and then")
    print(f"90 % of the highest without loss for {SECONDS} s; if something is lost by then, less.\n")
    print("| Gbit/s asked for | sent | late | engine lost | missed in the ring | dropped by the disk | recorded |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    with Chain() as rig:
        best = 0
        for gigabits in (0.5, 1, 1.5, 2, 2.5, 3, 4, 6, 8):
            if not lost_nothing(rig, gigabits, 4):
                break
            best = gigabits
        for share in (0.9, 0.75, 0.6, 0.5) if best else ():
            if lost_nothing(rig, round(best * share, 2), SECONDS):
                break


def lost_nothing(rig, gigabits, seconds):
    sent, ledger, said, _ = rig.at(gigabits * 1e9, seconds)
    out, late = sent["sent_frames"], sent["not_sent_frames"]
    engine, missed, drops = losses(sent, ledger, said)
    print(f"| {gigabits} | {out} | {late} | {engine} | {missed} | {drops} | {said['recorded']} |", flush=True)
    return late < out / 1000 and (engine, missed, drops) == (0, 0, 0)


def engines(capture, recorded):
    """Processor seconds of an engine that reads a capture, with a recorder beside it or without."""
    name = f"record-{os.getpid()}"
    engine = subprocess.Popen([WEIR, "run", f"pcap:{capture}", "--name", name], preexec_fn=pinned, **QUIET)
    recorder = None
    if recorded:
        time.sleep(0.15)
        recorder = subprocess.Popen([WEIR, "record", "--name", name, "--dir", DIR / "out"], **QUIET)
    _, status, used = os.wait4(engine.pid, 0)
    engine.returncode = status
    if recorder:
        recorder.wait()
        shutil.rmtree(DIR / "out", ignore_errors=True)
    return used.ru_utime + used.ru_stime


def said_of_pairs(pairs, packets):
    alone, beside = (statistics.median([pair[at] for pair in pairs]) / packets * 1e9 for at in (0, 1))
    ratios = [with_ / without - 1 for without, with_ in pairs]
    return (
        f"{alone:.1f} ns of its processors a packet alone, {beside:.1f} ns while recorded; {statistics.median(ratios):+.1%} "
        f"in the median of pairs ({', '.join(f'{ratio:+.1%}' for ratio in ratios)})."
    )


def cost():
    print("\n## What recording costs the engine\n")
    if os.geteuid() == 0:
        pairs, rate = [], 1e9
        with Chain() as rig:
            for _ in range(2 * ROUNDS):
                runs = [rig.at(rate, 5, "imix", recorded, settings="") for recorded in (False, True)]
                pairs.append([used / ledger["frames"] for _, ledger, _, used in runs])
        print(f"AF_XDP over a veth cable, imix, {rate / 1e9:.0f} Gbit/s for 5 s, alone and with a recorder in turn, {len(pairs)} pairs:")
        print(said_of_pairs(pairs, 1))
        print()
    capture, _, packets = again(synthetic("cost", "imix", 1_000_000), WRITTEN)
    pairs = []
    for _ in range(2 * ROUNDS):
        warm(capture)
        pairs.append((engines(capture, False), engines(capture, True)))
    capture.unlink()
    print(f"An engine that reads {packets} packets of a file (imix), in the same way, {len(pairs)} pairs:")
    print(said_of_pairs(pairs, packets))
    print("Packets of a file are copied once for readers, which those of AF_XDP are not.")


def community(a, p, b, q):
    ends = sorted([(socket.inet_aton(a), p), (socket.inet_aton(b), q)])
    text = b"\0\0" + ends[0][0] + ends[1][0] + b"\6\0" + struct.pack(">HH", ends[0][1], ends[1][1])
    return "1:" + base64.b64encode(hashlib.sha1(text).digest()).decode()


def finding():
    print("\n## One flow out of all\n")
    total, kept, large = 0, DIR / "kept", DIR / "all"
    large.mkdir()
    part = 0
    while total < GIGABYTES * 1e9:
        path = synthetic(f"part{part:03}", "imix", 2_500_000, ["--seed", str(part + 1), "--new-flows-per-second", "20K"])
        run([WEIR, "record", f"pcap:{path}", "--dir", kept])
        path.rename(large / path.name)
        total += (large / path.name).stat().st_size
        part += 1
    capture = sorted(large.glob("*.pcap"))[part // 2]
    lines = subprocess.run(["tcpdump", "-n", "-c", "2000", "-r", capture, "ip and tcp"], capture_output=True, text=True).stdout
    line = lines.splitlines()[-1].split()
    (a, p), (b, q) = (end.rstrip(":").rsplit(".", 1) for end in (line[2], line[4]))
    ends = (a, int(p), b, int(q))
    filter_ = f"tcp and host {a} and host {b} and port {p} and port {q}"
    print(f"{total / 1e9:.1f} GB of packets in {part} files; one flow ({filter_}), cold:\n")
    found, seen = DIR / "found.pcap", DIR / "seen.pcap"
    taken = []
    for _ in range(3):
        cold()
        taken.append(run([WEIR, "extract", kept, "-c", community(*ends), "-F", "pcap", "-w", found]))
    took, used = sorted(taken)[1]
    cold()
    began = time.monotonic()
    theirs, bodies = 0.0, b""
    for path in sorted(large.glob("*.pcap")):
        cpu = run(["tcpdump", "-Z", "root", "--nano", "-r", path, "-w", seen, filter_])[1]
        theirs += cpu
        bodies += seen.read_bytes()[24:]
    whole = time.monotonic() - began
    same = found.read_bytes()[24:] == bodies
    print("| | s | processor s |")
    print("| --- | ---: | ---: |")
    print(f"| weir extract, median of 3 | {took:.3f} | {used:.3f} |")
    print(f"| tcpdump -r, all files | {whole:.1f} | {theirs:.1f} |")
    print(f"\n{whole / took:.0f} times as fast; {'the same' if same else 'NOT THE SAME'} {len(bodies)} bytes.")
    print(subprocess.run([WEIR, "index", kept], capture_output=True, text=True).stdout.strip() + ".")


def writings():
    print("\n## Writing\n")
    print(f"The same {WRITTEN / 1e9:.0f} GB of packets from the page cache to the disk, everything on one core, each way {ROUNDS} times in turn;")
    print("what is written has reached the disk. fio's best of as many turns in between is what the disk can do.")
    writing("large", "1514", 300_000)
    writing("mixed", "imix", 1_200_000)


ALL = {"writing": writings, "cost": cost, "live": before_loss, "chain": chain, "finding": finding}
for part in PARTS or ALL:
    ALL[part]()
