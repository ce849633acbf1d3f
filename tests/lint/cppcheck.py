#!/usr/bin/python3
"""cppcheck on src, with the suppressions of cppcheck.txt."""
import os
import subprocess

import _lint

TEMPLATE = "{file}:{line}: {severity}: {message} [{id}]"


def check(root):
    cppcheck = _lint.tool("cppcheck", "2.10")
    command = [cppcheck, f"-j{len(os.sched_getaffinity(0))}", "--std=c11", "--enable=warning,performance,portability", "--quiet",
               "--library=posix", "--error-exitcode=1", "-Isrc", "-D_GNU_SOURCE", '-DE8_VERSION="0"', f"--template={TEMPLATE}",
               f"--suppressions-list={os.path.join(_lint.HERE, 'cppcheck.txt')}", "src"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=600, check=False)
    found = sorted(set(done.stderr.splitlines()))
    return found or ([f"cppcheck failed: {done.stdout}"] if done.returncode else [])


def tree(text):
    return {"src/doc/a.c": text}


CASES = [
    ("clean", tree("int f(int a)\n{\n    return a;\n}\n"), None),
    ("outside", tree("int f(void)\n{\n    int a[2] = {1, 2};\n    return a[2];\n}\n"), "src/doc/a.c:4: error:"),
    ("unset", tree("int f(void)\n{\n    int a;\n    return a;\n}\n"), "[uninitvar]"),
    ("leak", tree("#include <stdlib.h>\nint f(void)\n{\n    char *a = malloc(3);\n    return a ? 1 : 0;\n}\n"), "[memleak]"),
]

if __name__ == "__main__":
    _lint.main(check, CASES)
