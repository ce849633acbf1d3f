"""What the tests of bad input share: a trial that runs emit8 with it and looks at what it did beside its message, and the frame of a
scenario into which faults are planted. A mark (¶) in a text is where the fault is; the places that emit8 tells are held against the
marks."""

import os
import re
import resource
import statistics
import time

import pytest

import kit

SANITIZED = kit.is_sanitized()
LIMIT = 1.0 if SANITIZED else 0.1
SECRET = "hushhush-0123456789abcdef"
took = []


@pytest.fixture(scope="module")
def capture():
    """Stays empty through the whole module."""
    with kit.Capture() as server:
        yield server
        assert server.requests == []


@pytest.fixture(scope="module")
def old_log(tmp_path_factory):
    """A log that exists already, and must stay as it is."""
    log = tmp_path_factory.mktemp("old") / "old.db"
    with kit.Capture() as server:
        done = kit.emit8("send", "message.received", "--to", server.url, "--log", log)
    assert done.returncode == 0, done.err
    return log


@pytest.fixture(scope="module", autouse=True)
def figures():
    yield
    if took:
        median = statistics.median(seconds for seconds, _ in took)
        worst = ", ".join(f"{seconds * 1e3:.1f} ms ({args})" for seconds, args in sorted(took)[-3:])
        print(f"\n{len(took)} messages: median {median * 1e3:.1f} ms, worst {worst}; limit {LIMIT * 1e3:.0f} ms")


def cpu_time():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def logs_in(path):
    """The files of a directory but for what SQLite lays beside a log that is only read: an index, and a journal of nothing."""
    return {name: data for name, data in kit.tree(path).items() if not name.endswith("-shm") and not (name.endswith("-wal") and not data)}


class Trial:
    """Runs emit8 with bad input, and looks at what it did beside its message."""

    def __init__(self, tmp_path, capture, old_log):
        self.dir = tmp_path / "in"
        self.dir.mkdir()
        self.state = tmp_path / "state"
        self.state.mkdir()
        self.url = capture.url
        self.capture = capture
        self.old_log = old_log

    def write(self, name, text):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def once(self, args, log, env, kwargs, code=2):
        env = {"HOME": str(self.state), "XDG_STATE_HOME": str(self.state), **(env or {})}
        before = logs_in(self.old_log.parent), kit.tree(self.state)
        begin, used = time.monotonic(), cpu_time()
        done = kit.emit8(*args, *log, env=env, cwd=self.dir, timeout=20, **kwargs)
        done.took, done.used = time.monotonic() - begin, cpu_time() - used
        assert done.returncode == code, (done.returncode, done.out, done.err)
        assert done.out == ""
        assert (logs_in(self.old_log.parent), kit.tree(self.state)) == before, "a log was made or changed"
        assert self.capture.take() == []
        return done

    def refused(self, *args, env=None, logs=True, secrets=(), code=2, **kwargs):
        """That exit code and nothing else, in time; by turns with a log that exists and with the default one."""
        turn = len(took) % 2
        log = ("--log", self.old_log) if logs and turn else ()
        runs = [self.once(args, log, env, kwargs, code)]
        while min(r.took for r in runs) > LIMIT and len(runs) < 6:
            runs.append(self.once(args, log, env, kwargs, code))
        took.append((min(r.took for r in runs), os.environ.get("PYTEST_CURRENT_TEST", "").split("::")[-1]))
        busy = os.getloadavg()[0] > os.cpu_count()  # then others' work stands in between: ours alone is held against the limit
        assert min(r.used if busy else r.took for r in runs) <= LIMIT
        for run in runs:
            assert run.err == runs[0].err
            assert SECRET not in run.err and not any(s in run.err for s in secrets)
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", run.err), "control characters on a terminal"
        return runs[0].err


@pytest.fixture
def trial(tmp_path, capture, old_log):
    return Trial(tmp_path, capture, old_log)


def told(err, name):
    """(line, column, what, hint) of each fault of the file that was told."""
    pattern = re.compile(rf"^{re.escape(name)}:(\d+):(\d+): (.*?)(?:; (.*))?$", re.M)
    return [(int(line), int(column), what, hint or "") for line, column, what, hint in pattern.findall(err)]


def check_faults(err, name, places, faults):
    """All that was planted was told, at its place, with its words; and nothing else."""
    found = told(err, name)
    assert sorted(f[:2] for f in found) == sorted(places), err
    for place, (what, hint) in zip(places, faults):
        here = [f for f in found if f[:2] == place]
        assert any(what in f[2] and hint in f[3] for f in here), (place, what, hint, err)
    assert "Sanitizer" not in err


# --- the frame of a scenario -----------------------------------------------------------------------------------------

ENDPOINTS = "endpoints: {a: {url: URL, secret: {env: S}}}\n"
FLOWS = "flows: {f: [{emit: message.received}]}\n"
HEAD = ENDPOINTS + FLOWS


def arrivals(text):
    return HEAD + "run:\n  - flow: f\n    arrivals: " + text + "\n"


def endpoint(text):
    return FLOWS + "endpoints:\n  a:\n    url: URL\n    secret: {env: S}\n    " + text + "\n"


def step(text):
    return ENDPOINTS + "flows:\n  f:\n    - " + text + "\n"


def plant(text, url):
    """The text as it is written, with the places of its marks; URL stands for the receiver that counts."""
    if isinstance(text, bytes):
        at = text.index("¶".encode())
        start = text.rfind(b"\n", 0, at) + 1
        place = (text.count(b"\n", 0, at) + 1, len(text[start:at].decode()) + 1)
        return text.replace("¶".encode(), b"").replace(b"URL", url.encode()), [place]
    return kit.planted(text.replace("URL", url))
