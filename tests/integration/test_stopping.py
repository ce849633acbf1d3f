"""How a run ends before its end: by a signal, by kill -9, by a full disk, on a terminal. What was sent is in the log, the log is
sound, and nothing hangs."""

import json
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
import unicodedata

import pytest

import kit
import platform_api

SLOW = 4 if kit.is_sanitized() else 1
STOPPING = b"stopping; waiting for what is under way"


class Hanging(kit.Capture):
    """Answers nothing until it is told to."""

    def __init__(self):
        self.gate = threading.Event()
        super().__init__(self.hold)

    def hold(self, request):
        self.gate.wait(60)
        return 200

    def __exit__(self, *exc):
        self.gate.set()
        super().__exit__(*exc)


def read_until(stream, words, timeout=20):
    """Reads until the words have come; they must come in time."""
    found = []

    def read():
        text = b""
        while words not in text:
            chunk = os.read(stream.fileno(), 4096)
            if not chunk:
                return
            text += chunk
        found.append(text)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(timeout)
    assert found, f"no {words!r}"
    return found[0]


def check_log(log):
    assert kit.rows(log, "PRAGMA integrity_check") == [("ok",)]
    assert kit.rows(log, "PRAGMA foreign_key_check") == []


def run_row(log):
    (row,) = kit.rows(log, "SELECT ended IS NOT NULL, interrupted, planned, aborted FROM run ORDER BY id DESC LIMIT 1")
    return row


# --- signals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signum, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_first_signal_drains(tmp_path, signum, code):
    log = tmp_path / "log.db"
    with Hanging() as server:
        process = kit.start("send", "message.*", "--to", server.url, "-n", "1000", "-c", "8", "--timeout", "30s", "--log", log)
        server.wait(8)
        process.send_signal(signum)
        read_until(process.stderr, STOPPING)
        server.gate.set()
        out, _ = process.communicate(timeout=20)
        assert process.returncode == code
        assert len(server.requests) == 8  # nothing was dispatched after the signal
    assert b"Deliveries" in out and out.splitlines()[-1].startswith(b"PASS (interrupted)  ")
    check_log(log)
    assert run_row(log)[:2] == (1, 1)
    attempts = kit.attempts(log)
    assert [a["outcome"] for a in attempts] == ["delivered"] * 8
    assert {a["delivery_id"] for a in attempts} == {r["headers"]["x-8bit-delivery"] for r in server.requests}
    report = kit.report(log)
    assert report["run"]["interrupted"] is True
    assert report["totals"]["delivered"] == 8 and report["totals"]["attempts"] == 8
    assert report["reason"].startswith("interrupted; ")
    again = kit.emit8("report", log)
    assert again.returncode == 0 and again.out.splitlines()[-1].startswith("PASS (interrupted)  ")


def test_first_signal_waits_for_slow_answers_until_their_deadline(tmp_path):
    """Not for ever: the attempts' own deadlines end them, and no retry follows."""
    log = tmp_path / "log.db"
    with Hanging() as server:
        process = kit.start("send", "message.*", "--to", server.url, "-n", "1000", "-c", "5", "--timeout", "1s", "--retries", "3",
                            "--log", log)
        server.wait(5)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=6 * SLOW) == 130
        process.communicate()
        assert len(server.requests) == 5
    assert [(a["outcome"], a["attempt"]) for a in kit.attempts(log)] == [("timeout_first_byte", 1)] * 5
    assert run_row(log)[:2] == (1, 1)


def test_second_signal_aborts(tmp_path):
    latencies = []
    for round_ in range(3):
        log = tmp_path / f"log{round_}.db"
        with Hanging() as server:
            process = kit.start("send", "message.*", "--to", server.url, "-n", "1000", "-c", "20", "--timeout", "60s", "--log", log)
            server.wait(20)
            process.send_signal(signal.SIGINT)
            read_until(process.stderr, STOPPING)
            begin = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 130
            latencies.append(time.monotonic() - begin)
            out, _ = process.communicate()
        check_log(log)
        assert run_row(log)[:2] == (1, 1)
        attempts = kit.attempts(log)
        assert [a["outcome"] for a in attempts] == ["aborted"] * 20  # still committed
        assert {a["delivery_id"] for a in attempts} == {r["headers"]["x-8bit-delivery"] for r in server.requests}
        assert b"aborted" in out
        assert kit.report(log)["totals"]["aborted"] == 20
    print("\nabort: " + ", ".join(f"{t * 1e3:.0f} ms" for t in latencies) + "; limit 500 ms")
    assert min(latencies) < 0.5 and max(latencies) < 0.5 * SLOW + 0.5


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_sigterm_then(tmp_path, second):
    """The first signal gives the exit code, whatever comes second."""
    with Hanging() as server:
        process = kit.start("send", "message.*", "--to", server.url, "-n", "10", "-c", "2", "--timeout", "60s", "--no-log")
        server.wait(2)
        process.send_signal(signal.SIGTERM)
        read_until(process.stderr, STOPPING)
        process.send_signal(second)
        assert process.wait(timeout=20) == 143
        process.communicate()


def test_signal_while_retries_wait(tmp_path):
    """Attempts that are due in an hour are not waited for; their deliveries are aborted, not failed."""
    log = tmp_path / "log.db"
    with kit.Capture(lambda request: 500) as server:
        (tmp_path / "s.yaml").write_text(f"""
endpoints: {{a: {{url: {server.url}, retry: {{attempts: 5, base: 1h, cap: 1h, jitter: none}}}}}}
flows: {{f: [{{emit: message.sent}}]}}
run: [{{flow: f, arrivals: {{times: 6, concurrency: 6}}}}]
""")
        process = kit.start("run", tmp_path / "s.yaml", "--log", log)
        server.wait(6)
        kit.until(lambda: kit.count(log) == 6)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
        assert time.monotonic() - begin < 1 * SLOW
        process.communicate()
        assert len(server.requests) == 6
    assert [(a["outcome"], a["attempt"]) for a in kit.attempts(log)] == [("http_5xx", 1)] * 6
    totals = kit.report(log)["totals"]
    assert (totals["aborted"], totals["failed"], totals["attempts"]) == (6, 0, 6)


def test_signal_before_an_open_schedule_begins(tmp_path):
    with kit.Capture() as server:
        (tmp_path / "s.yaml").write_text(f"""
endpoints: {{a: {{url: {server.url}}}}}
flows: {{f: [{{emit: message.sent}}]}}
run: [{{flow: f, at: 1h, arrivals: {{rate: 1/s, for: 1m}}}}]
""")
        log = tmp_path / "log.db"
        process = kit.start("run", tmp_path / "s.yaml", "--log", log)
        kit.until(lambda: kit.count(log, "run"))
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10 * SLOW) == 130
        process.communicate()
        assert server.requests == []
    assert run_row(log)[:2] == (1, 1)


def test_signal_at_the_very_start():
    """Whenever it comes, the process ends."""
    with kit.Capture() as server:
        for _ in range(20):
            process = kit.start("send", "*", "--to", server.url, "-n", "1000000", "--rate", "100/s", "--no-log")
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) in (130, -signal.SIGINT)
            process.communicate()


def test_signals_to_the_sink():
    for signum, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        with kit.sink() as sink:
            assert kit.emit8("send", "message.sent", "--to", sink.url, "--no-log").returncode == 0
            sink.send_signal(signum)
            assert sink.wait(timeout=20) == code
        assert "sink: 1 received" in sink.final


def test_signal_to_follow(tmp_path):
    with kit.Capture() as server:
        kit.emit8("send", "message.sent", "--to", server.url, "--log", tmp_path / "log.db")
    process = kit.start("log", tmp_path / "log.db", "--follow", "--format", "ndjson")
    assert json.loads(process.stdout.readline())["outcome"] == "delivered"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) in (130, -signal.SIGINT)  # the latter while it still lists
    process.communicate()


# --- check, replay and all that may be under way ---------------------------------------------------------------------

SHARED = {"EMIT8_SECRET": kit.SECRET}


def started_check(tmp_path, server, *args):
    return kit.start("check", "--to", server.url, "--log", tmp_path / "log.db", "--format", "json", "--report-tap", tmp_path / "check.tap",
                     *args, env=SHARED)


@pytest.mark.parametrize("signum, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_to_a_check(tmp_path, signum, code):
    """What has run is reported; what has not is skipped and says so; no probe fails for our having stopped."""
    with Hanging() as server:
        server.answer = lambda request: 200 if request["index"] < 10 else server.hold(request)
        process = started_check(tmp_path, server)
        server.wait(11)
        process.send_signal(signum)
        read_until(process.stderr, b"stopping")
        server.gate.set()
        out, err = process.communicate(timeout=30)
        assert process.returncode == code, err
    report = json.loads(out)
    results = [t["result"] for t in report["results"]]
    assert results.count("pass") >= 5 and results.count("skip") > 20, results
    assert "interrupted" in out.decode() and "interrupted" in (tmp_path / "check.tap").read_text()
    check_log(tmp_path / "log.db")
    assert run_row(tmp_path / "log.db")[:2] == (1, 1)


def test_second_signal_to_a_check(tmp_path):
    with Hanging() as server:
        server.answer = lambda request: 200 if request["index"] < 10 else server.hold(request)
        process = started_check(tmp_path, server, "--timeout", "60s")
        server.wait(11)
        process.send_signal(signal.SIGINT)
        read_until(process.stderr, b"stopping")
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert time.monotonic() - begin < 1 * SLOW
        assert process.returncode == 130, err
    assert "pass" in [t["result"] for t in json.loads(out)["results"]]
    check_log(tmp_path / "log.db")


def test_signal_before_the_canary_was_answered(tmp_path):
    """Nothing can be said: neither a pass nor a failure of the receiver."""
    with Hanging() as server:
        process = started_check(tmp_path, server, "--timeout", "60s")
        server.wait(1)
        process.send_signal(signal.SIGINT)
        read_until(process.stderr, b"stopping")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    results = {t["result"] for t in json.loads(out)["results"]}
    assert "pass" not in results and "fail" not in results, results


def recording(path, steps):
    lines = [f"    - {{emit: message.sent, at: {at}ms, id: d{i}, verbatim: true, headers: {{X-A: b}}, body: '{i}'}}\n" for i, at in enumerate(steps)]
    path.write_text("scenario: r\nendpoints: {target: {url: 'http://127.0.0.1:1/'}}\nflows:\n  r:\n" + "".join(lines))
    return path


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("speed", ["1x", "max"])
def test_signal_to_a_replay(tmp_path, speed, twice):
    file = recording(tmp_path / "r.yaml", [0, 0, 3_600_000])
    with Hanging() as server:
        process = kit.start("replay", file, "--to", server.url, "--speed", speed, "--timeout", "60s", "--log", tmp_path / "log.db")
        server.wait(1)
        process.send_signal(signal.SIGINT)
        read_until(process.stderr, STOPPING)
        if twice:
            process.send_signal(signal.SIGINT)
        else:
            server.gate.set()
        out, err = process.communicate(timeout=20)
        assert process.returncode == 130, err
        assert len(server.requests) <= 2
    assert b"(interrupted)" in out
    check_log(tmp_path / "log.db")
    assert {a["outcome"] for a in kit.attempts(tmp_path / "log.db")} == {"aborted" if twice else "delivered"}


UNDER_WAY = {
    "await": "[{emit: message.sent, await: ack}, {emit: message.failed}]",
    "parallel": "[{parallel: [[{emit: message.sent}, {wait: 1h}], [{emit: message.sent, await: ack}, {emit: message.failed}]]}, {emit: message.failed}]",
    "copies": "[{emit: message.sent, deliver: {duplicate: 9, concurrent: true}}, {await: ack}, {emit: message.failed}]",
    "late": "[{emit: message.sent}, {emit: message.failed, deliver: {late: 1h}}]",
    "reorder": "[{emit: message.sent}, {emit: message.failed, deliver: {reorder: true}}, {wait: 1h}, {emit: message.failed}]",
    "exec": "[{emit: message.sent}, {exec: [sleep, '3600']}, {emit: message.failed}]",
    "effect": "[{emit: message.sent, expect: {effect: 1}}, {emit: message.failed}]",
    "effect command": "[{emit: message.sent}, {await: ack, on_failure: continue}, {emit: message.failed, expect: {effect: 1}}]",
}


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("kind", UNDER_WAY)
def test_signal_to_a_run_that_waits(tmp_path, kind, twice):
    """Whatever a flow waits for, the first signal ends it in order, the second at once; nothing more is dispatched, and no command
    outlives the run."""
    mark = f"36{os.getpid() % 1000:03d}{len(kind)}{int(twice)}"
    effect = {"effect": "effect: {get: '%s/count', pointer: ''}\n", "effect command": f"effect: {{command: [sleep, '{mark}']}}\n"}.get(kind, "")

    def children():
        return subprocess.run(["pgrep", "-f", f"^sleep {mark}$"], capture_output=True).stdout.split()

    with Hanging() as server:
        (tmp_path / "s.yaml").write_text(f"endpoints: {{a: {{url: {server.url}}}}}\nflows: {{f: {UNDER_WAY[kind].replace('3600', mark)}}}\n"
                                         + effect.replace("%s", server.url))
        if kind == "effect command":
            server.gate.set()
        process = kit.start("run", tmp_path / "s.yaml", "--allow-exec", "--timeout", "60s", "--log", tmp_path / "log.db")
        if kind in ("exec", "effect command"):
            kit.until(children)
        elif kind != "effect":  # whose GET is refused with 501 by this receiver, and is over at once
            server.wait({"copies": 10, "parallel": 2}.get(kind, 1))
        else:
            server.wait(1)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        read_until(process.stderr, STOPPING)
        if twice:
            process.send_signal(signal.SIGINT)
        server.gate.set()
        out, err = process.communicate(timeout=20)
        assert process.returncode == 130, err
        grace = 10 if kind in ("exec", "effect command") and not twice else 0  # for a command that does not end
        assert time.monotonic() - begin < grace + 4 * SLOW
        assert not [r for r in server.requests if r["headers"].get("x-8bit-event") == "message.failed"]
    assert children() == []
    check_log(tmp_path / "log.db")
    assert run_row(tmp_path / "log.db")[:2] == (1, 1)
    assert b"(interrupted)" in out


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_recording_of_a_sink_that_is_stopped(tmp_path, how):
    """The file parses, whenever the sink ends; in order, it holds all that was answered."""
    file = tmp_path / "r.yaml"
    with kit.sink("--record", file) as sink:
        assert kit.emit8("send", "message.*", "--to", sink.url, "-n", "40", "--no-log").returncode == 0
        if how == signal.SIGKILL:
            kit.until(lambda: file.read_text().count('{"emit": ') == 40)
        sink.send_signal(how)
        assert sink.wait(timeout=20) == {signal.SIGINT: 130, signal.SIGTERM: 143}.get(how, -9)
    assert file.read_text().count('{"emit": ') == 40
    done = kit.emit8("validate", file)
    assert done.returncode == 0 and "sends 40 events in 40 deliveries" in done.out, done.out + done.err
    with kit.Capture() as server:
        assert kit.emit8("replay", file, "--to", server.url, "--speed", "max", "--no-log").returncode == 0
        assert len(server.requests) == 40


# --- where what is printed goes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [
    ("run", "support-day", "--sink", "--dry-run", "--limit", "0"), ("run", "support-day", "--sink", "--plan", "json"),
    ("run", "support-day", "--sink", "--plan", "ndjson"), ("check", "--list"), ("check", "--list", "--format", "json"),
    ("validate", "SCENARIOS"), ("validate", "SCENARIOS", "--format", "json"), ("validate", "--schema"), ("init", "--list"),
])
def test_head_of_what_is_listed(args):
    """`| head -1`, and a reader that has gone before the first line: no message, no hang."""
    args = [os.path.join(kit.SOURCE, "scenarios") if a == "SCENARIOS" else a for a in args]
    for lines in (1, 0):
        process = subprocess.Popen([kit.EMIT8, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=kit.environment(**SHARED))
        if lines:
            assert process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read().decode()
        assert process.wait(timeout=30) in (0, -signal.SIGPIPE), err
        assert "emit8:" not in err and "Broken pipe" not in err, err


@pytest.mark.parametrize("args", [
    ("run", "support-day", "--sink", "--dry-run"), ("run", "support-day", "--sink", "--plan", "json"), ("check", "--list"),
    ("validate", "SCENARIOS"), ("validate", "--schema"), ("init", "--list"),
])
def test_full_disk_under_what_is_listed(args):
    args = [os.path.join(kit.SOURCE, "scenarios") if a == "SCENARIOS" else a for a in args]
    with open("/dev/full", "w") as full:
        done = subprocess.run([kit.EMIT8, *args], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE,
                              env=kit.environment(**SHARED), timeout=60)
    assert done.returncode == 3 and b"stdout is not whole: " in done.stderr, (done.returncode, done.stderr)


@pytest.mark.parametrize("format_", ["text", "tap", "junit", "json", "markdown"])
def test_full_disk_under_the_results_of_a_check(tmp_path, format_):
    """On stdout and in a file: exit code 3, and the words say which."""
    with kit.Capture() as server:
        args = ("check", "--to", server.url, "--only", "EVT-01", "--no-log")
        done = kit.emit8(*args, f"--report-{format_}", "/dev/full", env=SHARED)
        assert done.returncode == 3, (done.returncode, done.err)
        assert re.search("^emit8: /dev/full: .*could not be written whole", done.err, re.M), done.err
        assert "EVT-01" in done.out
        with open("/dev/full", "w") as full:
            done = subprocess.run([kit.EMIT8, *map(str, args), "--format", format_], stdin=subprocess.DEVNULL, stdout=full,
                                  stderr=subprocess.PIPE, env=kit.environment(**SHARED), timeout=60)
        assert done.returncode == 3 and b"stdout is not whole: " in done.stderr, (done.returncode, done.stderr)


# --- kill -9 ---------------------------------------------------------------------------------------------------------


class Ledger(kit.RawPeer):
    """Answers, then writes down what it has answered, and when."""

    def __init__(self):
        self.answered = []
        self.changed = threading.Condition()
        super().__init__(self.serve)

    def serve(self, connection, n):
        while True:
            head, _ = kit.read_request(connection)
            kit.answer(connection)
            names = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            with self.changed:
                self.answered.append((names[b"x-8bit-delivery"].decode(), int(names[b"x-8bit-attempt"]), time.monotonic()))
                self.changed.notify_all()

    def wait(self, number):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.answered) >= number, 30)


def test_kill_at_twenty_moments(tmp_path):
    """One log for all the runs, so that each opens what a killed one has left. Sanitized, eight moments must do."""
    seed = int(os.environ.get("SEED", "20261123"))
    print(f"\nseed {seed}")
    dice = random.Random(seed)
    log = tmp_path / "log.db"
    acknowledged = 0
    moments = 20 if SLOW == 1 else 8
    for number in range(1, moments + 1):
        with Ledger() as peer:
            process = kit.start("send", "*", "--to", peer.url, "-n", "1000000", "-c", "8", "--workers", "2", "--log", log)
            peer.wait(dice.randint(1, 3000))
            time.sleep(dice.uniform(0, 0.6))  # however quick the first thousands were, some answers are older than what may be lost
            killed = time.monotonic()
            process.kill()
            assert process.wait(timeout=20) == -signal.SIGKILL
            process.communicate()
            with peer.changed:
                sure = {(d, n) for d, n, at in peer.answered if at < killed - (0.2 if SLOW > 1 else 0.1)}
        # As it was left, in a copy: opening a log may mend it.
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for file in tmp_path.glob("log.db*"):
            shutil.copy(file, copy)
        check_log(copy / "log.db")
        logged = {(a["delivery_id"], a["attempt"]) for a in kit.attempts(log, "--run", number)}
        assert sure <= logged, (number, len(sure), len(sure - logged))
        acknowledged += len(sure)
        report = kit.emit8("report", log, "--run", number)
        assert report.returncode == 4, report.err
        assert report.out.split("\n\n")[-1].startswith("INVALID  the run has no end in the log: it was killed, or is still running")
        assert kit.report(log, "--run", number)["run"]["ended"] is None
        check_log(log)
    assert acknowledged > 500 // SLOW
    with kit.Capture() as server:
        assert kit.emit8("send", "message.sent", "--to", server.url, "--log", log).returncode == 0
    assert len(kit.attempts(log)) == 1
    assert kit.count(log, "run") == moments + 1


# --- the log cannot be written ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [200_000, 400_000, 1_000_000])
def test_disk_full(tmp_path, limit):
    """A limit of the files' size stands for the full disk: dispatch stops, what is in flight drains, exit 3."""
    log = tmp_path / "log.db"
    with kit.Capture() as server:
        done = kit.emit8("send", "*", "--to", server.url, "-n", "1000000", "-c", "8", "--log", log,
                         preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        assert done.returncode == 3, (done.returncode, done.err)
        assert re.search(rf"^emit8: {re.escape(str(log))}: cannot be written: .*(full|too large)", done.err, re.M | re.I), done.err
        assert 1 < len(server.requests) < 100_000
        # Never a silent gap: the report counts all that was sent, and does not call it a run.
        attempts = int(re.search(r"([\d,]+) attempts", done.out)[1].replace(",", ""))
        assert attempts == len(server.requests)
        check_log(log)
        logged = {a["delivery_id"] for a in kit.attempts(log)}
        sent = {r["headers"]["x-8bit-delivery"] for r in server.requests}
        assert logged <= sent and len(logged) > 0
        assert kit.emit8("send", "message.sent", "--to", server.url, "--log", log).returncode == 0


def test_disk_full_is_no_pass(tmp_path):
    with kit.Capture() as server:
        done = kit.emit8("send", "*", "--to", server.url, "-n", "1000000", "-c", "8", "--log", tmp_path / "log.db",
                         preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)))
    assert done.returncode == 3
    assert re.search(r"^INVALID \(interrupted\)  the run ended early, since its delivery log could not be\s+written$", done.out, re.M), done.out


@pytest.mark.parametrize("limit", [0, 4096, 20_000])
def test_disk_full_at_the_start(tmp_path, limit):
    with kit.Capture() as server:
        done = kit.emit8("send", "message.sent", "--to", server.url, "--log", tmp_path / "log.db",
                         preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        assert done.returncode == 3
        assert "log.db: cannot be " in done.err
        assert server.requests == []
        assert kit.emit8("send", "message.sent", "--to", server.url, "--log", tmp_path / "log.db").returncode == 0


def make_foreign(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE mine(x)")
        db.execute("INSERT INTO mine VALUES (1)")
    db.close()


def make_broken(path):
    with kit.Capture() as server:
        kit.emit8("send", "*", "--to", server.url, "-n", "50", "--log", path)
    whole = bytearray(path.read_bytes())
    whole[4096:12288] = b"\xa5" * 8192
    path.write_bytes(whole)


def make_served(path):
    with platform_api.Serve(path.parent / "state"):
        pass
    path.write_bytes((path.parent / "state" / "platform.db").read_bytes())


def make_received(path):
    with kit.sink("--receipts", path):
        pass


UNFIT = {
    "directory": (lambda path: path.mkdir(), "is a directory, not a delivery log"),
    "text": (lambda path: path.write_text("dear diary\n" * 100), "is not a delivery log"),
    "FIFO": (os.mkfifo, "is not a regular file"),
    "another program's": (make_foreign, "is an SQLite database of another program"),
    "emit8 serve's": (make_served, "is the memory of emit8 serve, not a delivery log; its API"),
    "emit8 sink's": (make_received, "holds the receipts of emit8 sink, which is not a delivery log; sqlite3 reads them"),
    "device": (lambda path: path.symlink_to("/dev/full"), "is not a regular file"),
    "newer": (None, "was written by a newer version of emit8"),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_unfit_log(tmp_path, kind):
    make, what = UNFIT[kind]
    log = tmp_path / "log.db"
    with kit.Capture() as server:
        if kind == "newer":
            kit.emit8("send", "message.sent", "--to", server.url, "--log", log)
            with sqlite3.connect(log) as db:
                db.execute("PRAGMA user_version = 99")
            db.close()
            server.take()
        else:
            make(log)
        before = log.read_bytes() if log.is_file() and kind != "device" else None
        for args in (("send", "message.sent", "--to", server.url, "--log", log), ("log", log), ("report", log)):
            done = kit.emit8(*args)
            assert done.returncode == 2, done.err
            assert re.search(rf"^emit8: {re.escape(str(log))}: {what}", done.err, re.M), done.err
            assert "; " in done.err.splitlines()[-1]
        assert server.requests == []
        if before is not None:
            assert log.read_bytes() == before


@pytest.mark.parametrize("text", [b"x", b"hello\n", b"SQLite format 3\0", b"\0" * 511, b"\n" * 512])
def test_short_text_is_no_log(tmp_path, text):
    (tmp_path / "notes").write_bytes(text)
    for args in (("send", "message.sent", "--to", "http://127.0.0.1:1/", "--log"), ("log",), ("report",)):
        done = kit.emit8(*args, tmp_path / "notes")
        assert done.returncode == 2, args
        assert "notes: is not a delivery log of emit8; " in done.err
        assert (tmp_path / "notes").read_bytes() == text
    assert os.listdir(tmp_path) == ["notes"]


def test_database_without_tables_is_no_log(tmp_path):
    with sqlite3.connect(tmp_path / "mine") as db:
        db.execute("CREATE TABLE t(x)")
        db.execute("DROP TABLE t")
    db.close()
    before = (tmp_path / "mine").read_bytes()
    done = kit.emit8("send", "message.sent", "--to", "http://127.0.0.1:1/", "--log", tmp_path / "mine")
    assert done.returncode == 2 and "another program" in done.err
    assert before and (tmp_path / "mine").read_bytes() == before


def test_broken_log(tmp_path):
    """Pages of rubbish in the middle: told, not believed, and no crash."""
    log = tmp_path / "log.db"
    make_broken(log)
    with kit.Capture() as server:
        for args in (("log", log), ("report", log), ("send", "message.sent", "--to", server.url, "--log", log)):
            done = kit.emit8(*args)
            assert done.returncode in (2, 3), (args, done.returncode, done.out)
            assert "malformed" in done.err or "damaged" in done.err or "corrupt" in done.err, done.err


@pytest.fixture
def nobody(monkeypatch):
    """A directory that everybody may enter, and a preexec_fn that makes the process nobody's, where we are root. The binary is used
    from a place that nobody can reach as well: the checkout may be root's alone."""
    path, place = tempfile.mkdtemp(), tempfile.mkdtemp()
    os.chmod(path, 0o755)
    os.chmod(place, 0o755)
    monkeypatch.setattr(kit, "EMIT8", shutil.copy(kit.EMIT8, place))

    def drop():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

    yield path, drop if os.geteuid() == 0 else None
    os.chmod(path, 0o755)
    shutil.rmtree(path)
    shutil.rmtree(place)


@pytest.mark.parametrize("kind", ["directory", "file"])
def test_read_only(nobody, kind):
    path, drop = nobody
    log = os.path.join(path, "log.db")
    env = {"HOME": path}
    with kit.Capture() as server:
        if kind == "file":
            assert kit.emit8("send", "message.sent", "--to", server.url, "--log", log).returncode == 0
            os.chmod(log, 0o444)
            for side in ("-wal", "-shm"):
                if os.path.exists(log + side):
                    os.remove(log + side)
        os.chmod(path, 0o555)
        server.take()
        done = kit.emit8("send", "message.sent", "--to", server.url, "--log", log, env=env, preexec_fn=drop)
        assert done.returncode in (2, 3)
        assert re.search(r"log\.db: cannot be (made|written|opened): ", done.err), done.err
        assert server.requests == []
        if kind == "file":  # it may still be read
            read = kit.emit8("log", log, "--format", "ndjson", env=env, preexec_fn=drop)
            assert read.returncode == 0 and json.loads(read.out)["outcome"] == "delivered", read.err


# --- the terminal ----------------------------------------------------------------------------------------------------

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]")


def width(text):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def check_terminal(terminal):
    text = terminal.text
    assert terminal.after == terminal.before, "the terminal's settings were changed"
    hidden = text.count("\x1b[?25l")
    assert hidden == text.count("\x1b[?25h") and text.rfind("\x1b[?25h") >= text.rfind("\x1b[?25l")
    assert text.count("\x1b[?1049h") == text.count("\x1b[?1049l")
    colours = re.findall(r"\x1b\[([0-9;]*)m", text)
    assert not colours or colours[-1] in ("", "0"), "a colour was left on"
    for line in ESCAPE.sub("", text).replace("\r", "").split("\n"):
        assert width(line) <= terminal.columns, (width(line), line)


@pytest.mark.parametrize("columns", [80, 100, 132])
def test_control_c_on_a_terminal(tmp_path, columns):
    with Hanging() as server:
        server.answer = lambda request: 200 if request["index"] < 200 else server.hold(request)
        args = ("send", "*", "--to", server.url, "-n", "100000", "-c", "8", "--timeout", "30s", "--log", tmp_path / "log.db")
        with kit.Terminal(*args, columns=columns, env={"EMIT8_SECRET": kit.SECRET}) as terminal:
            server.wait(208)
            kit.until(lambda: terminal.text.count("delivered") >= 3)
            terminal.type(b"\x03")
            kit.until(lambda: STOPPING.decode() in terminal.text)
            server.gate.set()
            assert terminal.wait() == 130
            check_terminal(terminal)
            assert "(interrupted)" in terminal.text.splitlines()[-1]
            # The live view is taken away before the report is printed.
            assert "\x1b[J" in terminal.text
            assert "in flight" not in terminal.text[terminal.text.rindex("\x1b[J"):]
    assert run_row(tmp_path / "log.db")[:2] == (1, 1)


@pytest.mark.parametrize("columns", [80, 100])
def test_whole_run_on_a_terminal(tmp_path, columns):
    with kit.Terminal("run", "support-day", "--sink", "--speed", "8x", "--log", tmp_path / "log.db", columns=columns) as terminal:
        code = terminal.wait(timeout=40)
        check_terminal(terminal)
        assert code in (0, 1), terminal.text[-2000:]
        assert "\x1b[" in terminal.text
        assert re.search(r"\x1b\[\d+m(PASS|FAIL)\x1b", terminal.text)


def test_killed_on_a_terminal(tmp_path):
    """Of kill -9 nobody can say anything: keys stay unseen, which shells mend, but nothing that is shown is hidden or coloured."""
    with Hanging() as server:
        with kit.Terminal("send", "*", "--to", server.url, "-n", "1000", "-c", "4", "--no-log") as terminal:
            server.wait(4)
            kit.until(lambda: "in flight" in terminal.text)
            terminal.process.kill()
            assert terminal.wait() == -signal.SIGKILL
            assert [a for i, a in enumerate(terminal.after) if i not in (3, 6)] == [b for i, b in enumerate(terminal.before) if i not in (3, 6)]
            assert "\x1b[?25l" not in terminal.text and "\x1b[?1049h" not in terminal.text
