#!/usr/bin/env python3
"""Makes src/risk/bigrams.rs: what each pair of neighbouring characters costs in a name, in
sixteenths of a bit.

Counted are the words of /usr/share/dict/american-english (Debian: wamerican), the joints between
two words, and the labels that are registered in the domains of src/services. A name is read with a
dot at either end; all digits are one character.

    python3 dpi/bigrams.py > dpi/src/risk/bigrams.rs
"""
import glob
import math
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
SYMBOLS = 29
DIGIT, HYPHEN, DOT = 26, 27, 28
# What a label of a service weighs beside a word, and a joint of two words beside a word's end.
LABEL_WEIGHT, JOINT_WEIGHT, SMOOTHING = 4, 0.5, 2
SECOND = {"co", "com", "org", "net", "ac", "gov", "edu", "ne", "or", "go", "gob", "gouv", "mil"}


def symbol(character):
    if character.isdigit():
        return DIGIT
    return {"-": HYPHEN, ".": DOT}.get(character, ord(character) - ord("a"))


def registered(domain):
    labels = domain.split(".")
    deep = len(labels) >= 3 and len(labels[-1]) == 2 and labels[-2] in SECOND
    return labels[-3] if deep else labels[-2]


def main():
    with open("/usr/share/dict/american-english", encoding="utf-8") as file:
        words = {word.strip().lower() for word in file}
    words = {word for word in words if re.fullmatch("[a-z]+", word)}
    labels = set()
    for path in sorted(glob.glob(HERE + "/src/services/*.rs")):
        if not path.endswith("mod.rs"):
            with open(path, encoding="utf-8") as file:
                names = re.findall(r'"([a-z0-9-]+(?:\.[a-z0-9-]+)+)"', file.read())
            labels |= {registered(name) for name in names}
    labels = {label for label in labels if not label.startswith("xn--")}
    counts = [[0.0] * SYMBOLS for _ in range(SYMBOLS)]

    def count(text, weight):
        for a, b in zip("." + text, text + "."):
            counts[symbol(a)][symbol(b)] += weight

    for word in sorted(words):
        count(word, 1)
    ends = [counts[a][DOT] for a in range(26)]
    starts = [counts[DOT][b] for b in range(26)]
    for a in range(26):
        for b in range(26):
            counts[a][b] += JOINT_WEIGHT * ends[a] * starts[b] / sum(ends)
    for label in sorted(labels):
        count(label, LABEL_WEIGHT)

    print("//! What each pair of neighbouring characters costs in a name. Made by `dpi/bigrams.py`;")
    print("//! not to be edited.")
    print()
    print("/// The letters, then any digit, the hyphen, and the dot that stands at both ends.")
    print(f"pub(super) const SYMBOLS: usize = {SYMBOLS};")
    print()
    print("/// Sixteenths of a bit, by the first character and then by the second.")
    print("#[rustfmt::skip]")
    print("pub(super) static COSTS: [[u8; SYMBOLS]; SYMBOLS] = [")
    for row in counts:
        total = sum(row) + SMOOTHING * SYMBOLS
        bits = [-math.log2((value + SMOOTHING) / total) for value in row]
        cells = [str(min(255, round(16 * value))) for value in bits]
        print("    [" + ", ".join(cells[:15]) + ",")
        print("     " + ", ".join(cells[15:]) + "],")
    print("];")


main()
