"""emit8 find-max, against receivers whose limit is known."""

import contextlib
import csv
import io
import json
import re
import resource
import signal
import subprocess
import sys
import termios
import time

import kit
import pytest

# One thread that serves one request after another, each in a fixed time: its capacity is 1 / that time.
SERVER = """
import contextlib, selectors, socket, sys, time
service = float(sys.argv[1])
listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
listener.setblocking(False)
print(listener.getsockname()[1], flush=True)
selector = selectors.DefaultSelector()
selector.register(listener, selectors.EVENT_READ)
read, free = {}, time.monotonic()

def serve(connection, free):
    data = read[connection]
    while (head := data.find(b"\\r\\n\\r\\n")) >= 0:
        length = int(data[:head].lower().split(b"content-length:")[1].split(b"\\r\\n")[0])
        if len(data) < head + 4 + length:
            break
        data = data[head + 4 + length:]
        free = max(free, time.monotonic()) + service
        time.sleep(max(0, free - time.monotonic()))  # its service time
        try:
            connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
        except OSError:
            pass
    read[connection] = data
    return free

while True:
    for key, _ in selector.select():
        if key.fileobj is listener:
            with contextlib.suppress(BlockingIOError):
                while True:
                    connection, _ = listener.accept()
                    connection.setblocking(False)
                    read[connection] = b""
                    selector.register(connection, selectors.EVENT_READ)
            continue
        try:
            data = key.fileobj.recv(65536)
        except OSError:
            data = b""
        if data:
            read[key.fileobj] += data
            free = serve(key.fileobj, free)
        else:
            selector.unregister(key.fileobj)
            key.fileobj.close()
            del read[key.fileobj]
"""


@contextlib.contextmanager
def receiver(service):
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(service)], stdout=subprocess.PIPE)
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
    finally:
        process.kill()
        process.communicate()


def find_max(url, *args, **more):
    done = kit.emit8("find-max", "--to", url, "--format", "json", "--seed", 5, *args, **more)
    done.found = json.loads(done.out) if done.out else None
    return done


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log.db"


def test_the_limit_of_a_receiver_is_found(log):
    """50/s is what it can do; what is 30 % more than that is late by more than 200 ms within a second."""
    with receiver(0.02) as url:
        done = find_max(url, "--slo", "p(95) < 200ms", "--slo", "success >= 99%", "--from", "10/s", "--max", "2000/s",
                        "--for", "1s", "--warmup", "200ms", "--precision", "30%", "--timeout", "2s", "--log", log)
    found = done.found
    assert done.returncode == 0, done.out + done.err
    assert found["verdict"] == "pass" and found["confirmed"] and found["limited_by"] == "receiver"
    assert 10 <= found["rate"] <= 80 and found["rate"] < found["above"] <= found["rate"] * 2
    steps = found["steps"]
    assert steps[-1]["samples"] == steps[-1]["planned"]
    few = steps[-1]["samples"] * 0.05 < 10
    assert bool(found["warning"]) == few and (not few or "p(95) < 200ms stands on fewer than 10 of" in found["warning"])
    assert [step["stage"] for step in steps] == sorted((step["stage"] for step in steps), key=["climb", "halve", "confirm"].index)
    assert steps[0]["rate"] == 10 and steps[0]["result"] == "holds" and steps[0]["planned"] == 10
    assert steps[-1]["result"] == "holds" and steps[-1]["rate"] == found["rate"]
    failed = [step for step in steps if step["result"] == "fails"]
    assert failed and all(step["why"] for step in failed)
    assert "holds p(95) < 200ms and success >= 99%; " in found["reason"]
    # Each step is a run of the log, and no two send the same events.
    assert [step["run"] for step in steps] == list(range(1, len(steps) + 1))
    assert kit.report(log, "--run", 1)["totals"]["planned"] == 10
    assert kit.rows(log, "SELECT count(*) - count(DISTINCT event_id) FROM event") == [(0,)]


def test_the_highest_that_may_be_tried(tmp_path):
    with kit.Capture() as capture:
        args = ["--slo", "p(50) < 2s", "--from", "20/s", "--max", "40/s", "--for", "200ms", "--warmup", "0", "--no-log"]
        done = find_max(capture.url, *args)
        assert done.returncode == 0, done.out
        assert done.found["rate"] == 40 and done.found["limited_by"] == "max"
        assert len(capture.take()) == 4 + 8 + 16  # the step that confirms is twice as long
        text = kit.emit8("find-max", "--to", capture.url, *args)
        assert text.returncode == 0 and "40.0/s" in text.out and "confirmed" in text.out
        assert "\nPASS  40.0/s, the highest that was to be tried, holds p(50) < 2s" in text.out
        assert "emit8: at most 13 steps of 200 ms, " in text.err and " in all\n" in text.err
        assert "20.0/s holds" in text.err and "40.0/s once more holds, confirmed: " in text.err
        assert "\x1b" not in text.err and all(len(line) <= 80 for line in text.err.splitlines())
        table = kit.emit8("find-max", "--to", capture.url, *args, "--format", "csv", "-q")
        rows = list(csv.DictReader(io.StringIO(table.out)))
        assert [(row["rate"], row["stage"], row["result"]) for row in rows] == [
            ("20.000", "climb", "holds"), ("40.000", "climb", "holds"), ("40.000", "confirm", "holds")]
        assert table.err == "emit8: not signed: no secret; give --secret-file or EMIT8_SECRET\n"  # a note stays, progress does not


def test_even_the_lowest_may_be_too_much():
    with receiver(0.1) as url:
        done = find_max(url, "--slo", "p(50) < 50ms", "--from", "40/s", "--for", "500ms", "--warmup", "0", "--timeout", "1s", "--no-log")
    assert done.returncode == 1 and done.found["verdict"] == "fail" and done.found["rate"] is None
    assert done.found["reason"].startswith("even 40.0/s does not hold: p(50) < 50ms")
    assert len(done.found["steps"]) == 1


def test_what_was_given_up_early_is_no_failure():
    """It answers all with 200: emit8 stops when it has seen enough, and what was under way then does not count as failed."""
    with receiver(0.02) as url:
        done = find_max(url, "--slo", "p(50) < 50ms", "--from", "300/s", "--for", "4s", "--warmup", "0", "--timeout", "5s", "--no-log")
    step = done.found["steps"][0]
    assert step["stopped_early"] and step["aborted"] > 0 and step["failed"] == 0 and step["success"] == 1


def test_what_refuses_everything_tells_nothing():
    with kit.Capture(lambda request: 401) as capture:
        done = find_max(capture.url, "--slo", "p(50) < 2s", "--from", "20/s", "--for", "200ms", "--no-log")
    assert done.returncode == 4 and done.found["verdict"] == "invalid"
    assert "nothing was tested" in done.found["reason"] and "401" in done.found["reason"]


@pytest.mark.parametrize("status, warmup", [(503, "0"), (301, "0"), (410, "0"), (410, "200ms")])
def test_what_delivers_nothing_holds_no_objective(status, warmup):
    """However fast it answers."""
    with kit.Capture(lambda request: status) as capture:
        done = find_max(capture.url, "--slo", "p(50) < 2s", "--from", "20/s", "--for", "200ms", "--warmup", warmup, "--no-log")
    (step,) = done.found["steps"]
    assert done.returncode == 1 and done.found["limited_by"] == "receiver" and step["delivered"] == 0 and step["success"] == 0
    assert step["planned"] == 4 == step["failed"] + step["aborted"] + step["withheld"]
    if status == 410:
        assert "answered 410, which disabled the endpoint: " in done.found["reason"] and step["withheld"] > 0
    else:
        assert f"even 20.0/s does not hold: 4 of 4 deliveries ended undelivered, every answer was {status}" in done.found["reason"]


def test_the_bound_in_flight_is_emit8s():
    """It answers each in 100 ms, however many there are; two at a time are 20/s."""
    with kit.Capture(lambda request: time.sleep(0.1) or 200) as capture:
        done = find_max(capture.url, "--slo", "p(50) < 500ms", "--from", "100/s", "--for", "300ms", "--warmup", "0",
                        "--in-flight", 2, "--workers", 1, "--no-log")
    assert done.returncode == 4 and done.found["limited_by"] == "invalid", done.out
    assert "emit8 was the limit, not the receiver: --in-flight 2 was reached, send lag p99 is " in done.found["reason"]
    assert "; raise it" in done.found["reason"]


def test_emit8_itself_was_the_limit():
    """Too few open files for what is asked of it."""
    def few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    with receiver(0.5) as url:
        done = find_max(url, "--slo", "p(50) < 5s", "--from", "200/s", "--for", "1s", "--warmup", "0", "--workers", 1,
                        "--in-flight", 500, "--timeout", "2s", "--no-log", preexec_fn=few_files)
    assert done.returncode == 4, done.out
    assert "emit8 was the limit, not the receiver" in done.found["reason"]
    assert "with at most\n       64 open files there is room for about 24:\n       raise ulimit -Hn, or lower --in-flight\n" in done.err
    # Left to itself it opens no more than it may, and the receiver is known to be the limit.
    with receiver(0.5) as url:
        done = find_max(url, "--slo", "p(50) < 200ms", "--from", "200/s", "--for", "1s", "--warmup", "0", "--workers", 1,
                        "--timeout", "1s", "--no-log", preexec_fn=few_files)
    assert done.returncode == 1 and done.found["limited_by"] == "receiver", done.out
    assert "room for about 24:\n       no more are sent at a time; raise ulimit -Hn\n" in done.err


def test_a_signal_tells_what_is_known():
    with kit.Capture() as capture:
        process = kit.start("find-max", "--to", capture.url, "--slo", "p(50) < 2s", "--from", "20/s", "--for", "500ms",
                            "--warmup", "0", "--no-log", "--format", "json")
        for line in process.stderr:
            if b"holds" in line:
                break
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    found = json.loads(out)
    assert found["interrupted"] and not found["confirmed"] and found["rate"] is None and found["holds"] >= 20
    assert found["reason"].startswith("interrupted: ") and "not confirmed" in found["reason"]


def on_terminal(url, *args, env=None, columns=80):
    secret = {"EMIT8_SECRET": kit.SECRET, "LANG": "C.UTF-8"}
    return kit.Terminal("find-max", "--to", url, "--slo", "p(50) < 2s", "--from", "20/s", "--no-log", *args,
                        columns=columns, env={**secret, **(env or {})})


def drawn(terminal):
    """The lines that were written, one after the other in one place or below each other; without escapes."""
    return [line.strip("\r") for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.text).split("\n")]


@pytest.mark.parametrize("columns", [40, 80])
def test_a_step_is_seen_under_way(columns):
    with kit.Capture() as capture, on_terminal(capture.url, "--max", "20/s", "--for", "1s", columns=columns) as terminal:
        kit.until(lambda: not termios.tcgetattr(terminal.slave)[3] & termios.ECHO)
        terminal.type(b"xyz")
        assert terminal.wait() == 0
        assert terminal.after == terminal.before and "xyz" not in terminal.text
        lines = drawn(terminal)
        progress = [line for line in lines if re.match(r" ?20\.0/s", line)]
        assert all(len(line) < columns for line in progress)
        assert any(re.search(r"20\.0/s  warming up  .* of 2 s", line) for line in progress)
        assert any(re.search(r"20\.0/s once more  .* of 3 s", line) for line in progress)
        if columns == 80:
            assert any(re.search(r"20\.0/s  1\.\d s of 2 s  now [1-9].*/s  p99 [1-9]", line) for line in progress)
        assert any(line.startswith("emit8: 20.0/s holds: p99 ") for line in lines)
        # What is told is left alone, and what was drawn is gone before the result.
        assert terminal.text.rindex("\x1b[J") < terminal.text.index("find-max")


@pytest.mark.parametrize("key", [b"q", b"\x03"])
def test_keys_end_it(key):
    with kit.Capture() as capture, on_terminal(capture.url, "--for", "20s") as terminal:
        capture.wait(3)
        terminal.type(key)
        assert terminal.wait() == 130
        assert terminal.after == terminal.before
        assert "interrupted: no rate is known to hold" in terminal.text


def test_a_terminal_that_cannot_be_drawn_on():
    with kit.Capture() as capture:
        real = kit.environment
        kit.environment = lambda **extra: real(**{**extra, "TERM": "dumb"})
        try:
            with on_terminal(capture.url, "--max", "20/s", "--for", "200ms", "--warmup", "0", "--color", "never") as terminal:
                assert terminal.wait() == 0
                assert terminal.after == terminal.before and "\x1b" not in terminal.text
                assert "emit8: 20.0/s holds: p99 " in terminal.text
        finally:
            kit.environment = real


@pytest.mark.parametrize("args, what, hint", [
    ([], "no objective is given", "--slo 'p(99) < 200ms'"),
    (["--slo", "p(99) under 5"], "p(99) under 5", ""),
    (["--slo", "success >= 99%", "--slo", "rate  >= 490/s"], '"rate >= 490/s": the rate is what find-max looks for', "--from and --max"),
    (["--slo", "p(99){endpoint=crm} < 5ms"], 'there is no endpoint "crm"', ""),
    (["--slo", "p(99) < 5ms", "--from", "0/s"], "--from is out of range", "/s"),
    (["--slo", "p(99) < 5ms", "--from", "5"], '--from "5" is no rate', "100/s"),
    (["--slo", "p(99) < 5ms", "--from", "100/s", "--max", "50/s"], "--from is higher than --max", "--max 5000/s"),
    (["--slo", "p(99) < 5ms", "--for", "1ms"], "too short or too long", "--for 10s"),
    (["--slo", "p(99) < 5ms", "--precision", "0.1%"], "--precision", "1% to 50%"),
    (["--slo", "p(99) < 5ms", "--precision", "some"], '"some" is no share', "1% to 50%"),
    (["--slo", "p(99) < 5ms", "--process", "gauss"], 'unknown process "gauss"', "poisson"),
    (["--slo", "p(99) < 5ms", "--format", "junit"], 'unknown format "junit"', "csv"),
    (["--slo", "p(99) < 5ms", "mesage.sent"], 'no event type matches "mesage.sent"', "message.sent"),
    (["--slo", "p(99) < 5ms", "--to", "http://192.0.2.1/"], "192.0.2.1", "--allow-target"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_what_is_refused(log, args, what, hint):
    done = kit.emit8("find-max", "--to", "http://127.0.0.1:9", "--log", log, *args)
    assert done.returncode == 2 and done.out == ""
    assert what in done.err and hint in done.err, done.err
    assert not log.exists()
