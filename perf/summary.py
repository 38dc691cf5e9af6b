#!/usr/bin/env python3
"""Makes a result (JSON, for perf/results and render.py) of what timed.py wrote.

usage: summary.py KIND SAMPLES [--date D] [--machine M] [--command C] [--fact KEY=VALUE]...

A result is a table: `columns` (key, title) and `rows`, with notes, the machine, the day and the
command. Figures are medians over the turns, ratios the medians of each turn's ratio.
"""

import argparse
import json
import re
import statistics
import sys

# What is measured of each peer: its name, the Weir that does likewise, and what its figure holds.
PEERS = {
    "weir-memory/full": ("Weir, in memory", None, "parse, flow table, inspection; the file is in memory before the clock starts"),
    "weir-memory/without DPI": ("Weir, in memory, flows", None, "parse, flow table"),
    "weir-memory/parse only": ("Weir, in memory, parse", None, "parse to the innermost flow key"),
    "flowscope/flows": ("flowscope, flows", "weir-memory/without DPI", "the crate's FlowTracker, VLANs and tunnels included; in memory likewise"),
    "flowscope/flows and parsers": ("flowscope, flows and parsers", "weir-memory/full", "the same with its parsers of HTTP, TLS, DNS, ICMP, QUIC on their ports"),
    "weir-file": ("weir run", None, "the program: reads the file, inspects, shared memory for readers, summary"),
    "weir-file-flows": ("weir run, flows", None, "the same with inspection off"),
    "ndpiReader": ("ndpiReader", "weir-file", "the program: reads the file, flows, nDPI's inspection, summary; its own figure leaves start-up out"),
    "suricata": ("Suricata, no rules, no logs", "weir-file", "the program: reads the file, flows, streams put together, its application parsers"),
    "tshark": ("tshark, protocol hierarchy", "weir-file", "the program: reads the first {tshark_frames} frames, dissects each in full"),
    "nfpcapd": ("nfpcapd", "weir-file-flows", "the program: reads the file, flows, writes them as nfdump does; each direction is a flow"),
    "softflowd": ("softflowd", "weir-file-flows", "the program: reads the file, flows, statistics by protocol"),
}
UNITS = {"": 1, "K": 1e3, "M": 1e6}


def own_figure(who, said):
    """Packets a second as the program itself says, where it does."""
    if who.startswith("weir-file"):
        result = json.loads(said)
        return result["frames"] / max(shard["seconds"] for shard in result["shards"])
    if who == "ndpiReader":
        found = re.search(r"nDPI throughput:\s+([\d.]+) ?([KM]?) ?pps", said)
        return float(found.group(1)) * UNITS[found.group(2)] if found else None
    return None


def flows_said(who, said):
    patterns = {
        "ndpiReader": r"Unique flows:\s+(\d+)",
        "nfpcapd": r"Flows: (\d+)",
        "softflowd": r"Flows expired: (\d+)",
        "weir-file": r'"flows_created": (\d+)',
        "weir-file-flows": r'"flows_created": (\d+)',
    }
    pattern = patterns.get(who)
    found = re.search(pattern, said) if pattern else None
    return int(found.group(1)) if found else None


def in_memory(sample):
    """The depths that one run of a program over frames in memory measured: name to figures."""
    if sample["who"] == "weir-memory":
        result = json.loads(sample["said"])
        for run in result["runs"]:
            yield run["depth"], {
                "frames": result["frames"],
                "flows": None if run["depth"] == "parse only" else result["flows"],
                "cpu_s": run["cpu_ns_per_packet"] * result["frames"] / 1e9,
                "own": run["packets_per_second"],
            }
    else:
        for line in sample["said"].splitlines():
            result = json.loads(line)
            yield result["depth"], {
                "frames": result["frames"],
                "flows": result["flows"],
                "cpu_s": result["cpu_ns"] / 1e9,
                "own": result["frames"] / result["wall_ns"] * 1e9,
            }


def offline(samples, facts):
    """Each peer's turns, then its row."""
    starts = {}
    for sample in samples:
        if sample.get("stage") == "start" and sample["status"] == 0:
            starts.setdefault(sample["who"], []).append(sample["cpu_s"])
    start_of = {who: statistics.median(times) for who, times in starts.items()}
    turns, missing, failed, frames = {}, {}, {}, 0
    for sample in samples:
        who, turn = sample["who"], sample.get("turn")
        if "missing" in sample:
            missing[who] = sample["missing"]
        elif sample["stage"] == "run" and sample["status"] != 0:
            failed[who] = sample["status"]
        elif sample["stage"] == "run" and who in ("weir-memory", "flowscope"):
            for depth, figures in in_memory(sample):
                frames = figures["frames"]
                turns.setdefault(f"{who}/{depth}", {})[turn] = figures
        elif sample["stage"] == "run":
            turns.setdefault(who, {})[turn] = {
                "cpu_s": max(sample["cpu_s"] - start_of[who], 1e-6),
                "own": own_figure(who, sample["said"]),
                "flows": flows_said(who, sample["said"]),
                "resident_mb": sample["resident_mb"],
                "start_s": start_of[who],
            }
    rows = []
    for who, (name, like, what) in PEERS.items():
        row = {"key": who, "who": name, "what": what.format(**facts), "like": PEERS[like][0] if like else None}
        seen = turns.get(who)
        if seen is None:
            lacking = missing.get(who.split("/")[0])
            status = failed.get(who.split("/")[0])
            row["problem"] = f"not installed: apt-get install {lacking}" if lacking else f"failed: status {status}"
            rows.append(row)
            continue
        played = min(int(facts["tshark_frames"]), frames) if who == "tshark" else frames
        per_packet = {turn: figures["cpu_s"] * 1e9 / played for turn, figures in seen.items()}
        row |= middle(seen, "own", "flows", "resident_mb", "start_s")
        row["frames"] = played
        row["ns"] = statistics.median(per_packet.values())
        row["pps"] = 1e9 / row["ns"]
        if like and turns.get(like):
            likes = {turn: figures["cpu_s"] * 1e9 / frames for turn, figures in turns[like].items()}
            ratios = [ns / likes[turn] for turn, ns in per_packet.items() if turn in likes]
            row |= {"ratio": statistics.median(ratios), "ratio_least": min(ratios), "ratio_most": max(ratios)}
        if who == "ndpiReader" and turns.get("weir-memory/full"):
            ours = turns["weir-memory/full"]
            ratios = [ours[t]["own"] / f["own"] for t, f in seen.items() if f["own"] and t in ours]
            if ratios:
                row |= {"own_ratio": statistics.median(ratios), "own_ratio_least": min(ratios), "own_ratio_most": max(ratios)}
        rows.append(row)
    columns = [
        ("who", "program"), ("pps/1e6", "Mpackets/s of CPU time"), ("ns", "CPU ns/packet"), ("own/1e6", "its own figure, Mpackets/s"),
        ("flows", "flows"), ("ratio", "× the CPU time of"), ("like", "Weir that does likewise"), ("start_s*1e3", "start-up, ms"), ("what", "what it holds"),
    ]
    notes = [
        f"{frames} frames, {next((r['flows'] for r in rows if r.get('flows')), 0)} flows; medians of {len(turns.get('weir-memory/full', ()))} turns, one core.",
        "CPU time is the process's, user and kernel, less the median of the same command over one frame (start-up); of what is in memory, the thread's between the first packet and the last.",
        "Versions: " + ", ".join(facts.get("versions", "").split("\n")) + ".",
    ]
    return columns, rows, notes


def middle(turns, *keys):
    found = {key: [f[key] for f in turns.values() if f.get(key) is not None] for key in keys}
    return {key: statistics.median(values) for key, values in found.items() if values}


def benches(samples):
    """The samples of `weir bench`, by their labels but the turn; those that failed are problems."""
    groups, problems = {}, []
    for sample in samples:
        labels = {k: v for k, v in sample.items() if k not in ("said", "status", "wall_s", "cpu_s", "resident_mb")}
        turn = labels.pop("turn", "1")
        if sample["status"] != 0:
            problems.append(f"{labels}: status {sample['status']}: {sample['said'][-300:]}")
            continue
        groups.setdefault(tuple(sorted(labels.items())), {})[turn] = sample
    return groups, problems


def depth_of(sample, depth, key):
    for run in json.loads(sample["said"])["runs"]:
        if run["depth"] == depth:
            return run[key]
    return None


def shards(samples, _facts):
    groups, problems = benches(samples)
    by_how = {dict(labels)["how"]: turns for labels, turns in groups.items()}
    rows = []
    for depth, title in (("full", "with inspection"), ("without DPI", "flows"), ("parse only", "parse")):
        for how, title_how in (("one", "1 shard"), ("whole", "2 shards, one file parsed by both"), ("split", "2 shards, each given its own flows")):
            rates = {t: depth_of(s, depth, "packets_per_second") for t, s in by_how.get(how, {}).items()}
            ones = {t: depth_of(s, depth, "packets_per_second") for t, s in by_how["one"].items()}
            gains = [rates[t] / ones[t] for t in rates if t in ones]
            if gains:
                rows.append({
                    "key": f"{how}/{depth}", "depth": title, "how": title_how,
                    "pps": statistics.median(rates.values()),
                    "ns": statistics.median(depth_of(s, depth, "cpu_ns_per_packet") for s in by_how[how].values()),
                    "share": statistics.median(json.loads(s["said"])["busiest_share"] for s in by_how[how].values()),
                    "gain": statistics.median(gains), "gain_least": min(gains), "gain_most": max(gains),
                })
    columns = [
        ("depth", "pipeline"), ("how", "shards"), ("pps/1e6", "Mpackets/s"), ("ns", "CPU ns/packet"),
        ("gain", "× one shard"), ("gain_least", "least"), ("gain_most", "most"), ("share*100", "busier shard's frames, %"),
    ]
    notes = ["Wall time of the slower shard; both cores of the machine are in use, so what else it does counts."]
    return columns, rows, notes + problems


def flows(samples, _facts):
    groups, problems = benches(samples)
    rows = []
    for labels, turns in groups.items():
        labels = dict(labels)
        one = next(iter(turns.values()))
        result = json.loads(one["said"])
        row = {"flows": int(labels["flows"]), "new": float(labels["new"]), "frames": result["frames"]}
        for depth, key in (("full", "full"), ("without DPI", "flow"), ("parse only", "parse")):
            values = [depth_of(s, depth, "cpu_ns_per_packet") for s in turns.values()]
            row[f"{key}_ns"] = statistics.median(v for v in values) if None not in values else None
            row[f"{key}_pps"] = 1e9 / row[f"{key}_ns"] if row[f"{key}_ns"] else None
        row["inspected"] = (result.get("inspection") or {}).get("packets")
        rows.append(row)
    rows.sort(key=lambda row: (row["new"], row["flows"]))
    columns = [
        ("flows", "flows"), ("new%", "new flows, of packets"), ("flow_pps/1e6", "without DPI, Mpackets/s"), ("flow_ns", "ns/packet"),
        ("full_pps/1e6", "with DPI decided, Mpackets/s"), ("full_ns", "ns/packet"), ("parse_ns", "of which parse, ns"),
    ]
    notes = [
        "64-byte frames in memory, each of another flow, in an order that looks random; the clock starts when all flows are in the table and inspection has decided. CPU time of the shard.",
    ]
    return columns, rows, notes + problems


def by_label(label, title, keep=int):
    """A table of the full pipeline's cost by one label."""

    def table(samples, _facts):
        groups, problems = benches(samples)
        rows = []
        for labels, turns in groups.items():
            row = {label: keep(dict(labels)[label])}
            for depth, key in (("full", "full"), ("without DPI", "flow"), ("parse only", "parse")):
                values = [depth_of(s, depth, "cpu_ns_per_packet") for s in turns.values()]
                if None not in values:
                    row[f"{key}_ns"] = statistics.median(values)
                    row[f"{key}_least"] = min(values)
            row["pps"] = 1e9 / row["full_ns"]
            bits = [depth_of(s, "full", "bits_per_second") * depth_of(s, "full", "ns_per_packet") / 1e9 for s in turns.values()]
            row["bps"] = row["pps"] * statistics.median(bits)
            rows.append(row)
        rows.sort(key=lambda row: row[label])
        columns = [
            (label, title), ("pps/1e6", "Mpackets/s"), ("full_ns", "CPU ns/packet"), ("full_least", "least"), ("flow_ns", "without DPI"), ("flow_least", "least"),
            ("parse_ns", "parse"), ("parse_least", "least"), ("bps/1e9", "Gbit/s"),
        ]
        return columns, rows, [NOTES[label]] + problems

    return table


def stages(samples, _facts):
    """Instructions by callgrind and time by the clock, each depth less the one below."""
    counted, problems = {}, []
    for sample in samples:
        if sample["status"] != 0:
            problems.append(f"{sample['what']}: status {sample['status']}")
        elif sample["what"].startswith("callgrind"):
            counted[sample["what"]] = int(re.search(r"Collected : (\d+)", sample["said"]).group(1))
    timed = [json.loads(s["said"]) for s in samples if s["what"] == "time" and s["status"] == 0]
    frames = timed[0]["frames"]
    both, flow, shallow = (counted.get(f"callgrind {depth}", 0) for depth in ("full and flow", "flow", "flow and parse"))
    instructions = [(shallow - flow) / frames, (flow - (shallow - flow)) / frames, (both - 2 * flow) / frames]
    names = ("receive and parse", "flow table", "inspection")
    spent = [{stage["stage"]: stage["cpu_ns_per_packet"] for stage in run["stages"]} for run in timed]
    times = [statistics.median(run[name] for run in spent) for name in names]
    rows = [
        {"key": name.split()[-1], "stage": name, "instructions": count, "ns": ns, "rate": count / ns}
        for name, count, ns in zip(names, instructions, times)
    ]
    total, time = sum(instructions), sum(times)
    rows.append({"key": "all", "stage": "all", "instructions": total, "ns": time, "rate": total / time})
    columns = [("stage", "stage"), ("instructions", "instructions a packet"), ("ns", "CPU ns a packet"), ("rate", "instructions a nanosecond")]
    inspected = timed[0]["inspection"]["packets"]
    notes = [f"{frames} frames, of which {inspected} ({100 * inspected / frames:.0f} %) come to inspection. Instructions repeat exactly; callgrind's processor has no SHA instructions."]
    return columns, rows, notes + problems


NOTES = {
    "size": "100,000 flows, 1 % of packets begin a new one, bytes with the frame's check sequence; inspection has decided. CPU time of the shard.",
    "domains": "The mixed capture, with a list of so many domain names in force (`list … domains`). CPU time of the shard.",
}
KINDS = {
    "offline": offline,
    "stages": stages,
    "scaling-shards": shards,
    "scaling-flows": flows,
    "scaling-sizes": by_label("size", "frame, bytes"),
    "scaling-rules": by_label("domains", "domains in a list"),
}


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("samples")
    for name in ("date", "machine", "command"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--fact", action="append", default=[])
    wanted = parser.parse_args()
    with open(wanted.samples) as file:
        samples = [json.loads(line) for line in file]
    facts = dict(fact.split("=", 1) for fact in wanted.fact)
    columns, rows, notes = KINDS[wanted.kind](samples, facts)
    result = {
        "kind": wanted.kind, "date": wanted.date, "machine": wanted.machine, "command": wanted.command,
        "columns": columns, "notes": notes, "rows": rows,
    }
    json.dump(result, sys.stdout, indent=1, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main()
