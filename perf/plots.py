"""The plots of docs/PERFORMANCE.md: plain SVG, readable on light and on dark."""

import math
from html import escape

WIDTH = 760
STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-size: 14px; font-weight: 600; }
.note { fill: #57606a; font-size: 11px; }
.line { stroke: #d0d7de; stroke-width: 1; }
.own { fill: #0969da; stroke: #0969da; }
.other { fill: #8c959f; stroke: #8c959f; }
.third { fill: #bf8700; stroke: #bf8700; }
.curve { fill: none; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.note { fill: #9198a1; }
.line { stroke: #3d444d; }
.own { fill: #4493f8; stroke: #4493f8; }
.other { fill: #7d8590; stroke: #7d8590; }
.third { fill: #d29922; stroke: #d29922; }
}
</style>"""
SERIES = ("own", "third", "other")

TITLES = {
    "offline": "Packets a second of one core's time, same capture (logarithmic)",
    "stages": "Where the nanoseconds of a packet go (mixed capture, one core)",
    "shards": "Two shards against one",
    "flows": "CPU time of a packet by flows in the table (64-byte frames)",
    "memory": "A line of memory at a place that looks random",
    "sizes": "CPU time of a packet by its size (least of the turns)",
    "rules": "CPU time of a packet by domains in force (least of the turns)",
}
KIND_OF = {
    "offline": "offline", "stages": "stages", "shards": "scaling-shards", "flows": "scaling-flows",
    "memory": "flowtable", "sizes": "scaling-sizes", "rules": "scaling-rules",
}


def draw(name, results):
    """The plot, or none where its result is not there."""
    result = results.get(KIND_OF[name])
    return DRAWN[name](result) if result else None


def short(number):
    """A place on an axis."""
    if number >= 10_000 and number % 1024 == 0:
        power = int(math.log2(number)) // 10
        return f"{number >> 10 * power} {('KiB', 'MiB', 'GiB')[power - 1]}"
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= max(factor, 2000):
            return f"{number / factor:.3g}{unit}"
    return f"{number:g}"


def figure(number):
    """A figure to three digits."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def document(height, title, parts):
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">\n'
        f"{STYLE}\n{text(12, 22, title, 'title')}\n{body}\n</svg>\n"
    )


def text(x, y, said, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(said)}</text>'


def bars(title, rows, logarithmic=False):
    """Bars of (name, value, label, class); a value that is none is said, not drawn."""
    left, right, step = 230, 130, 24
    most = max((value for _, value, _, _ in rows if value), default=1)
    least = min((value for _, value, _, _ in rows if value), default=1)
    floor = 10 ** math.floor(math.log10(least) - 0.3)

    def length(value):
        share = math.log(value / floor) / math.log(most / floor) if logarithmic else value / most
        return max(1.0, share * (WIDTH - left - right))

    parts = []
    for at, (name, value, label, kind) in enumerate(rows):
        y = 40 + at * step
        parts.append(text(left - 8, y + 14, name, anchor="end"))
        if value:
            parts.append(f'<rect x="{left}" y="{y}" width="{length(value):.1f}" height="{step - 6}" class="{kind}"/>')
            parts.append(text(left + length(value) + 6, y + 14, label))
        else:
            parts.append(text(left, y + 14, label, "note"))
    return document(48 + len(rows) * step, title, parts)


def curves(title, x_title, lines, y_title="ns", log_y=False):
    """Curves of (name, [(x, y)...]) over a logarithmic x."""
    left, top, height, right = 60, 44, 240, 175
    xs = sorted({x for _, points in lines for x, _ in points})
    ys = [y for _, points in lines for _, y in points]
    top_y = max(ys) * 1.1
    low_y = min(ys) * 0.7 if log_y else 0
    low, high = math.log(max(xs[0], 1e-9)), math.log(xs[-1])

    def place(x, y):
        across = (math.log(x) - low) / (high - low or 1)
        up = (math.log(y / low_y) / math.log(top_y / low_y)) if log_y else y / top_y
        return left + across * (WIDTH - left - right), top + height * (1 - up)

    parts = []
    ticks = [10**n for n in range(math.floor(math.log10(low_y)) + 1, math.floor(math.log10(top_y)) + 1)] if log_y else steps(top_y)
    for tick in ticks:
        _, y = place(xs[0], tick)
        parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{WIDTH - right}" y2="{y:.1f}" class="line"/>')
        parts.append(text(left - 8, y + 4, short(tick), "note", "end"))
    for x in xs:
        parts.append(text(place(x, top_y)[0], top + height + 18, short(x), "note", "middle"))
    parts.append(text(left, top + height + 36, x_title, "note"))
    parts.append(text(left - 8, top - 4, y_title, "note", "end"))
    ends = []
    for (name, points), kind in zip(lines, SERIES):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
        parts.append(f'<polyline points="{path}" class="{kind} curve" style="fill:none"/>')
        parts += [f'<circle cx="{place(*p)[0]:.1f}" cy="{place(*p)[1]:.1f}" r="3" class="{kind}"/>' for p in points]
        ends.append((place(*points[-1])[1], name, points[-1][1]))
    # Names beside the curves' ends, one below the other.
    before = -1e9
    for y, name, value in sorted(ends):
        before = max(y + 4, before + 15)
        parts.append(text(WIDTH - right + 8, before, f"{name} {figure(value)}"))
    return document(top + height + 48, title, parts)


def steps(most):
    unit = 10 ** math.floor(math.log10(most))
    unit = next(unit * share for share in (0.2, 0.25, 0.5, 1, 2) if most / (unit * share) <= 6)
    return [unit * n for n in range(int(most / unit) + 1)]


def offline(result):
    rows = []
    for row in result["rows"]:
        if row["key"] == "weir-memory/parse only":
            continue
        label = f"{figure(row['pps'] / 1e6)} M ({figure(row['ns'])} ns)" if "pps" in row else row["problem"]
        rows.append((row["who"], row.get("pps"), label, "own" if row["key"].startswith("weir") else "other"))
    return bars(TITLES["offline"], rows, logarithmic=True)


def stages(result):
    rows = [row for row in result["rows"] if row["key"] != "all"]
    return bars(TITLES["stages"], [
        (row["stage"], row["ns"], f"{row['ns']:.0f} ns, {row['instructions']:.0f} instr.", "own") for row in rows
    ])


def shards(result):
    rows = [
        (f"{row['how'].removeprefix('2 shards, ')}, {row['depth']}", row["gain"], f"{row['gain']:.2f} ×", "own" if row["key"].startswith("split") else "other")
        for row in result["rows"] if not row["key"].startswith("one/")
    ]
    rows = [(name.replace("one file parsed by both", "one file").replace("each given its own flows", "own flows"), *more) for name, *more in rows]
    return bars(TITLES["shards"], rows)


def flows(result):
    known = [row for row in result["rows"] if row["new"] == 0]
    new = [row for row in result["rows"] if row["new"] != 0]
    return curves(TITLES["flows"], "flows", [
        ("flows alone", [(row["flows"], row["flow_ns"]) for row in known]),
        ("inspection, 1 % new", [(row["flows"], row["full_ns"]) for row in new]),
        ("parse alone", [(row["flows"], row["parse_ns"]) for row in known]),
    ])


def memory(result):
    rows = result.get("memory")
    if not rows:
        return None
    return curves(TITLES["memory"], "bytes", [
        ("one after another", [(row["bytes"], row["chase_ns"]) for row in rows]),
        ("the same, huge pages", [(row["bytes"], row["huge_chase_ns"]) for row in rows]),
        ("many at once", [(row["bytes"], 1e3 / row["reads"]["median"]) for row in rows]),
    ], log_y=True)


def by(name, key, x_title):
    def drawn(result):
        rows = result["rows"]
        return curves(TITLES[name], x_title, [
            ("with inspection", [(max(row[key], 1), row["full_least"]) for row in rows]),
            ("flows alone", [(max(row[key], 1), row["flow_least"]) for row in rows]),
            ("parse alone", [(max(row[key], 1), row["parse_least"]) for row in rows]),
        ])

    return drawn


DRAWN = {
    "offline": offline, "stages": stages, "shards": shards, "flows": flows, "memory": memory,
    "sizes": by("sizes", "size", "bytes of a frame"), "rules": by("rules", "domains", "domains (1: none)"),
}
