# SPDX-License-Identifier: GPL-2.0-only
"""Make a day, and have it judged."""
import ast
import os
import subprocess


class Result:
    """One judge over one day: the figures of each account, and the attempts of each class of replies."""

    NAMES = ("n", "first", "attempts", "bad", "lost", "before", "bad_before", "delivered")

    def __init__(self, kinds, text):
        self.classes = {}
        self.rows = [dict(kind=kind, label=label, **dict.fromkeys(self.NAMES, 0)) for kind, label in kinds]
        for line in text.splitlines():
            words = line.split("\t")
            if words[0] == "account":
                self.rows[int(words[1])].update(zip(self.NAMES, map(int, words[2:])))
            elif words[0] == "class":
                self.classes[words[1]] = int(words[2])

    def of(self, label=None, kind=None):
        return [r for r in self.rows if label in (None, r["label"]) and kind in (None, r["kind"])]


def make(world, directory, keep, seed, day, mta, greylisting):
    """(folder, kinds, attempts): made, or found where days are kept."""
    folder = os.path.join(directory, f"{day}-{mta}-{greylisting}-{seed}")
    note = os.path.join(folder, "made")
    if not (keep and os.path.exists(note)):
        os.makedirs(folder, exist_ok=True)
        made = world.make(folder, seed, day, mta, greylisting)
        with open(note, "w", encoding="utf-8") as f:
            f.write(repr(made))
    with open(note, encoding="utf-8") as f:
        return (folder, *ast.literal_eval(f.read()))


def judge(binary, folder, kinds, how, options=""):
    name, own = how
    run = subprocess.run([binary, folder, name, own + options], check=True, text=True, stdout=subprocess.PIPE)
    return Result(kinds, run.stdout)
