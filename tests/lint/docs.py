#!/usr/bin/python3
"""What README.md and src/README.md tell must stand in the code, and the other way round.

docs.py ROOT: README.md names every command and every outcome; src/README.md has the modules of src/ with the levels of
modules.py. docs.py --self-test plants violations and must find them.
"""

import importlib.util
import pathlib
import re
import shutil
import sys
import tempfile


def levels_of(root):
    sys.path.insert(0, str(root / "tests/lint"))
    try:
        spec = importlib.util.spec_from_file_location("modules", root / "tests/lint/modules.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return {name: level for name, level in module.LEVEL.items() if (root / "src" / name).is_dir()}


def faults(root):
    readme = (root / "README.md").read_text()
    house = (root / "src/README.md").read_text()
    for name in re.findall(r'\[E8_\w+\] =\s*\{\s*"(\w+)"', (root / "src/delivery/delivery.c").read_text()):
        if f"| `{name}`" not in readme:
            yield f"README.md: outcome {name} is missing"
    table = (root / "src/cli/cli.c").read_text().split("e8_commands[] = {")[1].split("};")[0]
    for name in re.findall(r'^\s*\{\s*"([a-z]+)",', table, re.M):
        if f"emit8 {name}" not in readme:
            yield f"README.md: command {name} is missing"
    told, level = {}, None
    for first, name in re.findall(r"^\|\s*(\d*)\s*\|\s*`(\w+)`\s*\|", house, re.M):
        level = int(first) if first else level
        told[name] = level
    for name, at in levels_of(root).items():
        if told.get(name) != at:
            yield f"src/README.md: module {name} is of level {at}, the table says {told.get(name)}"
    for name in told.keys() - levels_of(root).keys():
        yield f"src/README.md: there is no module {name}"


def self_test(root):
    with tempfile.TemporaryDirectory() as scratch:
        copy = pathlib.Path(scratch)
        for path in ("README.md", "src/README.md", "src/delivery/delivery.c", "src/cli/cli.c", "tests/lint/modules.py",
                     "tests/lint/_lint.py", "src/pace/pace.h"):
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / path, copy / path)
        readme = copy / "README.md"
        readme.write_text(readme.read_text().replace("| `gone`", "| gone").replace("emit8 sink", "emit8 drain"))
        house = copy / "src/README.md"
        house.write_text(house.read_text().replace("| `pace` |", "| `place` |"))
        found = "\n".join(faults(copy))
        for planted in ("outcome gone", "command sink", "module pace", "no module place"):
            if planted not in found:
                return f"not found: {planted}"
    return None


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    if sys.argv[1:] == ["--self-test"]:
        missed = self_test(root)
        print(missed or "docs.py finds what it should")
        return 1 if missed else 0
    found = list(faults(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root))
    print("\n".join(found) or "README.md and src/README.md are true")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
