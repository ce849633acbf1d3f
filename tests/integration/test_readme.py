"""What README.md tells of the delivery log is what the log has."""
import json
import pathlib
import re
import sqlite3

import pytest

from kit import SOURCE, emit8, secret_file, sink

README = (pathlib.Path(SOURCE) / "README.md").read_text()


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    path = tmp_path_factory.mktemp("readme")
    with sink("--secret-file", secret_file(path)) as receiver:
        done = emit8("send", "message.received", "--to", receiver.url, "--secret-file", secret_file(path), "--log", path / "log.db")
        assert done.returncode == 0, done.err
    return path / "log.db"


@pytest.mark.parametrize("view", ["deliveries", "attempts"])
def test_the_columns_of_the_views(view, log):
    told = re.search(rf"^\| `{view}` \(view\) \| [^`]*`([^`]*)` \|$", README, re.M)[1].split()
    with sqlite3.connect(log) as db:
        assert told == [row[1] for row in db.execute(f"PRAGMA table_info({view})")]


def test_the_keys_of_ndjson(log):
    told = re.search(r"`--format ndjson` prints one attempt a\s+line, with keys that stay: `([^`]*)`", README)[1].split()
    done = emit8("log", log, "--format", "ndjson")
    assert done.returncode == 0, done.err
    assert told == list(json.loads(done.out.splitlines()[0]))
