#!/usr/bin/python3
"""clang-tidy on src with the checks of .clang-tidy. What was clean is remembered by its content and that of all headers, in
build/lint, so that a second run looks only at what has changed. Among other tests the analyzer follows no calls, which is five
times as fast; with E8_TIDY=deep (`./dev lint`) it does."""
import concurrent.futures
import hashlib
import os
import re
import subprocess

import _lint

FLAGS = ["-std=c17", "-D_GNU_SOURCE", '-DE8_VERSION="0"', "-Isrc", "-Wall", "-Wextra"]
DEEP = os.environ.get("E8_TIDY") == "deep"
SHALLOW = [f"--extra-arg={word}" for word in ("-Xclang", "-analyzer-config", "-Xclang", "mode=shallow")]
FINDING = re.compile(r"^(\S+?:\d+:\d+): (?:warning|error): (.*)$", re.MULTILINE)


def digest(root, paths):
    sums = hashlib.sha256()
    for path in paths:
        sums.update(path.encode() + b"\0" + _lint.read(root, path).encode() + b"\0")
    return sums.hexdigest()


def look_at(clang_tidy, root, path):
    done = subprocess.run([clang_tidy, "--quiet", *([] if DEEP else SHALLOW), path, "--", *FLAGS], cwd=root, capture_output=True, text=True, timeout=300,
                          check=False)
    found = [f"{os.path.relpath(os.path.join(root, place), root)}: {what}" for place, what in FINDING.findall(done.stdout)]
    return found or ([f"{path}: clang-tidy failed: {done.stderr.strip()}"] if done.returncode else [])


def check(root):
    clang_tidy = _lint.tool("clang-tidy", "14.")
    shared = digest(root, _lint.files(root, ["src"], (".h",)) + [".clang-tidy"])
    cache = os.path.join(root, "build", "lint")
    os.makedirs(cache, exist_ok=True)
    todo = {}
    for path in _lint.files(root, ["src"], (".c",)):
        mark = os.path.join(cache, hashlib.sha256((str(DEEP) + shared + digest(root, [path])).encode()).hexdigest())
        if not os.path.exists(mark):
            todo[path] = mark
    out = []
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for path, found in zip(todo, pool.map(lambda path: look_at(clang_tidy, root, path), todo)):
            out += found
            if not found:
                with open(todo[path], "w", encoding="utf-8"):
                    pass
    return sorted(set(out))


def tree(text):
    with open(os.path.join(_lint.SOURCE, ".clang-tidy"), encoding="utf-8") as file:
        return {"src/doc/a.c": text, ".clang-tidy": file.read()}


CASES = [
    ("clean", tree("int f(int a);\nint f(int a)\n{\n    return a;\n}\n"), None),
    ("null", tree("int f(int *a);\nint f(int *a)\n{\n    return a ? 0 : *a;\n}\n"), "NullDereference"),
    ("float in a loop", tree("int f(void);\nint f(void)\n{\n    int n = 0;\n    for (float x = 0; x < 1; x += 0.1f) {\n        n++;\n"
                             "    }\n    return n;\n}\n"), "cert-flp30-c"),
    ("does not compile", tree("int f(\n"), "src/doc/a.c:"),
]

if __name__ == "__main__":
    _lint.main(check, CASES)
