#!/usr/bin/env python3
"""Writes docs/PERFORMANCE.md and its plots from perf/results and the text in perf/performance.md.in.

usage: render.py            writes them
       render.py --check    says what is not as it would be written, and fails
       render.py --table RESULT.json    that result as Markdown

Of each kind (`KIND-DATE.json`), the newest counts. In the text, `{{table KIND}}`, `{{plot NAME}}`,
`{{source KIND}}`, `{{figure KIND COLUMN KEY=VALUE...}}` and `{{files KIND}}` (results that are text)
stand for what is measured; what no result has is said in its place, and how to measure it.
"""

import json
import re
import sys
from pathlib import Path

import plots

PERF = Path(__file__).resolve().parent
DOCS = PERF.parent / "docs"
RESULT = re.compile(r"(.+)-(\d{4}-\d\d-\d\d)\.json")
# Kinds whose script is not `perf/KIND.sh`.
SCRIPTS = {kind: f"scaling.sh {kind[8:]}" for kind in ("scaling-shards", "scaling-flows", "scaling-sizes", "scaling-rules")}


def newest():
    """Each kind's newest result. One that is no table of rows is shown by the Markdown beside it."""
    found = {}
    for path in sorted((PERF / "results").glob("*.json")):
        name = RESULT.fullmatch(path.name)
        if name:
            kind, day = name.groups()
            result = json.loads(path.read_text())
            if "rows" in result:
                found[kind] = normal({"kind": kind, "date": day} | result)
    return found


def normal(result):
    """A result in the form of summary.py's, whoever wrote it: columns, and the machine in a line."""
    if "columns" not in result:
        first = result["rows"][0]
        result["columns"] = [(f"{key}.median" if isinstance(item, dict) else key, key.replace("_", " ")) for key, item in first.items()]
    result.setdefault("command", f"perf/{SCRIPTS.get(result['kind'], result['kind'] + '.sh')}")
    machine = result["machine"]
    if isinstance(machine, dict):
        result["machine"] = "{date}: {processor}, {cores} cores, {numa_nodes} NUMA nodes, {cache} MiB of last-level cache, {memory} GiB, {kernel}, load {load}".format(
            cache=machine["cache_bytes"] >> 20, memory=machine["memory_bytes"] >> 30, **machine
        )
    elif result["date"] not in machine:
        result["machine"] = f"{result['date']}: {machine}"
    return result


def value(row, key):
    """The value of a column: `name`, or `name` by a factor (`pps/1e6`, `s*1e3`, `share%`)."""
    name, operator, factor = re.fullmatch(r"([\w.]+)(?:([*/%])([\d.e+]*))?", key).groups()
    raw = row
    for part in name.split("."):
        raw = raw.get(part) if isinstance(raw, dict) else None
    if raw is None or isinstance(raw, str) or not operator:
        return raw
    return {"*": lambda: raw * float(factor), "/": lambda: raw / float(factor), "%": lambda: f"{raw * 100:g} %"}[operator]()


def shown(item):
    if item is None:
        return "–"
    if isinstance(item, str):
        return item
    if isinstance(item, (list, tuple)):
        return ", ".join(map(shown, item))
    if isinstance(item, bool) or item == int(item):
        return f"{int(item):,}"
    return f"{item:,.{0 if abs(item) >= 100 else 1 if abs(item) >= 10 else 2}f}"


def table(result):
    columns = result["columns"]
    text = [False] * len(columns)
    lines = []
    for row in result["rows"]:
        cells = [value(row, key) for key, _ in columns]
        text = [was or isinstance(cell, str) for was, cell in zip(text, cells)]
        cells = [shown(cell) for cell in cells]
        if "problem" in row:
            cells[1] = f"**{row['problem']}**"
        lines.append("| " + " | ".join(cells) + " |")
    head = ["| " + " | ".join(title for _, title in columns) + " |"]
    head.append("| " + " | ".join("---" if is_text else "---:" for is_text in text) + " |")
    return "\n".join(head + lines)


def source(result):
    """How, where and when it was measured, in a line."""
    return f"`{result['command']}`; {result['machine']}"


def whole(result):
    """A result alone, as Markdown."""
    notes = "".join(f"\n- {note}" for note in result.get("notes", ()))
    return f"# {result['kind']}, {result['date']}\n\n{source(result)}\n\n{table(result)}\n" + (f"{notes}\n" if notes else "")


def figure(result, column, *wanted):
    conditions = [condition.split("=", 1) for condition in wanted]
    for row in result["rows"] + result.get("memory", []):
        found = value(row, column)
        if found is not None and all(str(row.get(key)) == expected for key, expected in conditions):
            return shown(found)
    sys.exit(f"render.py: no row in {result['kind']} where {' and '.join(wanted)}")


def page(results):
    """The page, and the plots that it shows, by name."""
    drawn = {}

    def stand_in(kind):
        script = SCRIPTS.get(kind, f"{kind}.sh")
        how = f": `perf/{script}`, with `--save` to keep it" if (PERF / script.split()[0]).exists() else ""
        return f"*Not measured yet{how}.*"

    def fill(found):
        what, kind, *more = found.group(1).split()
        if what == "files":
            texts = sorted((PERF / "results").glob(f"{kind}-*.md"), reverse=True)
            return "\n".join(f"- [{path.stem}](../perf/results/{path.name})" for path in texts) or stand_in(kind)
        if what == "plot":
            svg = plots.draw(kind, results)
            if svg is None:
                return ""
            drawn[f"{kind}.svg"] = svg
            return f"![{plots.TITLES[kind]}](performance/{kind}.svg)"
        result = results.get(kind)
        if result is None:
            return "–" if what == "figure" else "" if what == "source" else stand_in(kind)
        if what == "figure":
            return figure(result, *more)
        if what == "source":
            return f"*{source(result)}*"
        return table(result) + "".join(f"\n\n{note}" for note in result.get("notes", ()))

    text = (PERF / "performance.md.in").read_text()
    return re.sub(r"\{\{([^}]+)\}\}", fill, text), drawn


def main():
    if sys.argv[1:2] == ["--table"]:
        print(whole(json.loads(Path(sys.argv[2]).read_text())), end="")
        return
    text, drawn = page(newest())
    files = {DOCS / "PERFORMANCE.md": text} | {DOCS / "performance" / name: svg for name, svg in drawn.items()}
    if sys.argv[1:] == ["--check"]:
        wrong = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
        wrong += [path for path in (DOCS / "performance").glob("*.svg") if path not in files]
        if wrong:
            sys.exit("not as perf/render.py writes it: " + ", ".join(str(path.relative_to(PERF.parent)) for path in wrong))
        return
    if sys.argv[1:]:
        sys.exit(__doc__)
    (DOCS / "performance").mkdir(exist_ok=True)
    for path in (DOCS / "performance").glob("*.svg"):
        path.unlink()
    for path, text in files.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
