"""What the linters share: how they are called, finding the sources, reading C, planting violations.

    NAME.py [SOURCE]     looks at a source tree: exit 0, 1 with findings, 77 where a tool is missing
    NAME.py --self-test  plants violations in a directory of its own and fails where one is not found
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.normpath(os.path.join(HERE, "..", ".."))
NOT_OURS = {"node_modules", "__pycache__", ".git"}


class Skip(Exception):
    """Why the linter cannot run here."""


def files(root, below, endings):
    """Paths relative to root, sorted, of files below these directories (or of these files) with one of the endings."""
    out = []
    for start in below:
        path = os.path.join(root, start)
        if os.path.isfile(path):
            out.append(start)
        for directory, inner, names in os.walk(path):
            inner[:] = sorted(set(inner) - NOT_OURS)
            out += [os.path.relpath(os.path.join(directory, n), root) for n in names if n.endswith(endings)]
    return sorted(out)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def code_of(text):
    """C with comments and the insides of strings blanked out; lines stay where they are."""
    def blank(match):
        token = match.group()
        kept = re.sub(r"[^\n]", " ", token)
        return token[0] + kept[1:-1] + token[-1] if token[0] in "\"'" else kept
    return _TOKEN.sub(blank, text)


def matches(pattern, text):
    """(line, match) for each match."""
    for match in pattern.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match


def tool(name, version, pattern=r"(\d+\.\d+)"):
    """The path of a tool, if it is there in the version that the tree was made for: others find other things."""
    path = shutil.which(name)
    if not path:
        raise Skip(f"{name} is not installed")
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
    found = re.search(pattern, said)
    if not found or not found.group(1).startswith(version):
        raise Skip(f"{name} is {found.group(1) if found else 'unknown'}; the tree is kept clean for {version}")
    return path


def plant(root, contents):
    """{path: text} as files below root."""
    for path, text in contents.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)


def self_test(check, cases):
    """cases: (name, {path: text}, what a finding must contain, or None where nothing may be found)."""
    failed = 0
    for name, contents, wanted in cases:
        with tempfile.TemporaryDirectory(prefix="e8-lint-") as root:
            plant(root, contents)
            findings = check(root)
        good = not findings if wanted is None else any(wanted in finding for finding in findings)
        if not good:
            failed += 1
            print(f"self-test {name}: wanted {wanted!r}, found {findings}")
    print(f"self-test: {len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


def main(check, cases):
    try:
        if sys.argv[1:] == ["--self-test"]:
            sys.exit(self_test(check, cases))
        findings = check(os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else SOURCE))
    except Skip as reason:
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    for finding in findings:
        print(finding)
    name = os.path.basename(sys.argv[0])
    print(f"{name}: {len(findings)} findings" if findings else f"{name}: clean")
    sys.exit(1 if findings else 0)
