#!/usr/bin/python3
"""All C files are laid out as .clang-format says; ./dev format does it."""
import os
import re
import subprocess

import _lint

FINDING = re.compile(r"^(.*?:\d+):\d+: error: ", re.MULTILINE)


def check(root):
    clang_format = _lint.tool("clang-format", "14.")
    paths = _lint.files(root, ["src", "tests"], (".c", ".h"))
    if not paths:
        return []
    done = subprocess.run([clang_format, "--dry-run", "-Werror", "--style=file", *paths], cwd=root, capture_output=True, text=True,
                          timeout=100, check=False)
    places = dict.fromkeys(FINDING.findall(done.stderr))
    found = [f"{place}: not as .clang-format says; ./dev format" for place in places]
    return found or ([done.stderr] if done.returncode else [])


def tree(text):
    with open(os.path.join(_lint.SOURCE, ".clang-format"), encoding="utf-8") as file:
        return {"src/doc/a.c": text, ".clang-format": file.read()}


CASES = [
    ("as it should be", tree("int f(int a)\n{\n    return a;\n}\n"), None),
    ("brace", tree("int f(int a) {\n    return a;\n}\n"), "src/doc/a.c:1: not as"),
    ("indent", tree("int f(int a)\n{\n  return a;\n}\n"), "src/doc/a.c:2: not as"),
]

if __name__ == "__main__":
    _lint.main(check, CASES)
