#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""scripts/style-check finds a breach of each house rule, and nothing where there is none."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "selftests" / "lib"))
import ktap  # noqa: E402

SPDX = "/* SPDX-License-Identifier: GPL-2.0-only */\n"


def report(files):
    """Exit status and lines of style-check on a tree with these files."""
    for tool in ("ctags", "clang-format"):
        if not shutil.which(tool):
            raise ktap.Skip(f"{tool} is not installed")
    with tempfile.TemporaryDirectory() as tree:
        subprocess.run(["git", "init", "-q", tree], check=True)
        for name, text in files.items():
            file = pathlib.Path(tree, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        shutil.copy(TOP / ".clang-format", tree)
        run = subprocess.run([TOP / "scripts" / "style-check", tree], text=True, check=False,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return run.returncode, run.stdout.splitlines()


def function(lines):
    return "int f(int x)\n{\n" + "\tx++;\n" * (lines - 4) + "\treturn x;\n}\n"


def test_what_keeps_the_rules_is_passed():
    text = SPDX + function(80)
    ktap.equal(report({"a.c": text + "int a;\n" * (500 - text.count("\n"))}), (0, []))
    ktap.equal(report({"a.h": SPDX + "/*" + "x" * 96 + "*/\n#define A \"http://b\" /* see //c */\n"}),
               (0, []))


def breach(name, text, line):
    ktap.equal(report({name: text}), (1, [line]))


def test_long_files_and_functions_are_found():
    breach("a.h", SPDX + "int a;\n" * 500, "a.h:501: more than 500 lines")
    breach("a.c", SPDX + function(81), "a.c:2: f has 81 lines, more than 80")
    breach("a.py", SPDX.replace("/*", "#") + "def f():\n" + "    pass\n" * 80,
           "a.py:2: f has 81 lines, more than 80")


def test_layout_is_checked():
    breach("a.c", SPDX + "int f(void)\n{\n        return 1;\n}\n",
           "a.c:3: not as clang-format writes it")
    breach("a.c", SPDX + "int a; // b\n", "a.c:2: // comment, not /* */")
    breach("a.py", SPDX.replace("/*", "#") + "a = 1 \n", "a.py:2: blanks at the end")
    breach("a.c", SPDX + "/*" + "x" * 97 + "*/\n", "a.c:2: 101 columns, more than 100")


ROOMS = "## Rooms\n| `low` | - | a |\n| `high` | low | b |\n"


def test_rooms_include_downward():
    low, high = "user/low/a.h", "user/high/b.c"
    rooms = {"user/README.md": ROOMS, low: SPDX, high: SPDX + '#include "low/a.h"\n',
             "user/main.c": SPDX + '#include "high/b.h"\n'}
    ktap.equal(report(rooms), (0, []))
    ktap.equal(report({**rooms, low: SPDX + '#include "high/b.h"\n'}),
               (1, ["user/low/a.h:2: `low` may not include `high`"]))
    ktap.equal(report({**rooms, "user/README.md": ROOMS.replace("-", "high")}),
               (1, ["user/README.md:2: `low` includes `high`, which is not above it"]))
    ktap.equal(report({**rooms, "user/c.c": SPDX}), (1, ["user/c.c:1: a file without a room"]))
    ktap.equal(report({**rooms, "user/new/c.c": SPDX}),
               (1, ["user/new/c.c:1: `new` is no room of user/README.md"]))
    ktap.equal(report({**rooms, high: SPDX + "#include <bpf/libbpf.h>\n"}),
               (1, ["user/high/b.c:2: libbpf is for `kernel` alone"]))


def test_words_are_checked():
    breach("a.c", "int a;\n", "a.c:1: no SPDX-License-Identifier: GPL-2.0-only")
    breach("a.c", SPDX + "int a = " + "atoi" + "(b);\n", "a.c:2:atoi: forbidden function")
    breach("a.c", SPDX + "/* FIX" + "ME: later */\n",
           "a.c:2:FIX" + "ME: unfinished work is an issue, not a comment")
    breach("util.c", SPDX, "util.c:1: a name that says nothing")


if __name__ == "__main__":
    ktap.main([test_what_keeps_the_rules_is_passed, test_long_files_and_functions_are_found,
               test_layout_is_checked, test_rooms_include_downward, test_words_are_checked])
