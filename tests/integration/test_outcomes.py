"""Outcomes, told by the binary about scripted peers: what the log says, what is tried again, and that
one recorded attempt is one request on the wire. Certificates are made by openssl when the tests run; nginx is Debian's."""

import collections
import concurrent.futures
import contextlib
import json
import os
import re
import select
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

import pytest

import kit

SLOW = 4 if kit.is_sanitized() else 1
DEADLINE = "400ms" if SLOW == 1 else "1500ms"
REUSED, CAPPED, TRAILING, RECONNECTED, IDLE_BYTES = 1, 2, 4, 8, 16
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


# --- one row of the table, on a fresh connection ---------------------------------------------------------------------


def says(*parts, then="close"):
    """A script: reads the request, sends bytes, and then closes, resets, or waits for the next request."""

    def script(connection, n):
        while True:
            kit.read_request(connection)
            for part in parts:
                connection.sendall(part)
            if then == "reset":
                kit.reset(connection)
            if then != "wait":
                return

    return script


def status(code, *headers):
    lines = [f"HTTP/1.1 {code} Status", "Content-Length: 0", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def drip(connection, n):
    """A byte of the body every 50 ms: the deadline is for the whole, not from byte to byte."""
    kit.read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    stop = threading.Event()
    while not stop.wait(0.05):
        connection.sendall(b"x")


def big(n):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % n + b"x" * n


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
# name: (script, outcome, status, words of the error, retried)
ROWS = {
    "200": (says(OK, then="wait"), "delivered", 200, "", False),
    "201": (says(status(201), then="wait"), "delivered", 201, "", False),
    "204": (says(b"HTTP/1.1 204 No Content\r\n\r\n", then="wait"), "delivered", 204, "", False),
    "299": (says(status(299), then="wait"), "delivered", 299, "", False),
    "200 chunked": (says(CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", then="wait"), "delivered", 200, "", False),
    "200 to the end": (says(HEAD + b"\r\nhello"), "delivered", 200, "", False),
    "200 of HTTP/1.0": (says(b"HTTP/1.0 200 OK\r\n\r\nhello"), "delivered", 200, "", False),
    "200 after 100": (says(b"HTTP/1.1 100 Continue\r\n\r\n" + OK, then="wait"), "delivered", 200, "", False),
    "200 after sixteen 103": (says(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 16 + OK, then="wait"), "delivered", 200, "", False),
    "200 in single bytes": (says(*(OK[i:i + 1] for i in range(len(OK))), then="wait"), "delivered", 200, "", False),
    "200 over the cap": (says(big(3 << 20), then="wait"), "delivered", 200, "", False),
    "200 without an end": (says(HEAD + b"\r\n", *[b"x" * 65536] * 64), "delivered", 200, "", False),
    "500 over the cap": (says(big(3 << 20).replace(b"200 OK", b"500 No")), "http_5xx", 500, "500", True),
    "closed": (says(), "no_response", None, "", True),
    "reset": (says(then="reset"), "reset", None, "reset", True),
    "closed in the head": (says(b"HTTP/1.1 200 OK\r\nContent-"), "truncated", 200, "", True),
    "closed in the body": (says(HEAD + b"Content-Length: 10\r\n\r\nhello"), "truncated", 200, "", True),
    "closed in a chunk": (says(CHUNKED + b"a\r\nhello"), "truncated", 200, "", True),
    "closed before the last chunk": (says(CHUNKED + b"5\r\nhello\r\n"), "truncated", 200, "", True),
    "reset in the body": (says(HEAD + b"Content-Length: 10\r\n\r\nhello", then="reset"), "reset_in_body", 200, "reset", True),
    "silent": (says(then="wait"), "timeout_first_byte", None, "", True),
    "slow head": (says(b"HTTP/1.1 20", then="wait"), "timeout_body", None, "", True),
    "slow head after its status": (says(HEAD + b"Content-", then="wait"), "timeout_body", 200, "", True),
    "slow body": (says(HEAD + b"Content-Length: 10\r\n\r\nhello", then="wait"), "timeout_body", 200, "", True),
    "dripping body": (drip, "timeout_body", 200, "", True),
    "not HTTP": (says(b"SSH-2.0-OpenSSH_9.2\r\n"), "not_http", None, "", True),
    "not HTTP, binary": (says(b"\x15\x03\x03\x00\x02\x02\x28"), "not_http", None, "", True),
    "status 99": (says(b"HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n"), "bad_status", None, "", True),
    "status 600": (says(status(600)), "bad_status", 600, "", True),
    "status 999": (says(status(999)), "bad_status", 999, "", True),
    "status of two digits": (says(b"HTTP/1.1 20 OK\r\n\r\n"), "bad_status", None, "", True),
    "status of four digits": (says(b"HTTP/1.1 2000 OK\r\n\r\n"), "bad_status", None, "", True),
    "status of letters": (says(b"HTTP/1.1 abc OK\r\n\r\n"), "bad_status", None, "", True),
    "version 9.9": (says(b"HTTP/9.9 200 OK\r\n\r\n"), "bad_status", None, "", True),
    "bad chunk": (says(CHUNKED + b"zz\r\nhello\r\n"), "bad_framing", 200, "", True),
    "huge chunk": (says(CHUNKED + b"fffffffffffffffff\r\nhello\r\n"), "bad_framing", 200, "", True),
    "two lengths": (says(HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"), "bad_framing", 200, "", True),
    "negative length": (says(HEAD + b"Content-Length: -5\r\n\r\nhello"), "bad_framing", 200, "", True),
    "overlong length": (says(HEAD + b"Content-Length: 99999999999999999999\r\n\r\nhello"), "bad_framing", 200, "", True),
    "length of letters": (says(HEAD + b"Content-Length: many\r\n\r\nhello"), "bad_framing", 200, "", True),
    "header line of 200 KB": (says(HEAD + b"X: " + b"x" * 200_000 + b"\r\n\r\n"), "bad_header", 200, "", True),
    "headers of 400 KB": (says(HEAD + b"".join(b"X-%d: %s\r\n" % (i, b"x" * 1000) for i in range(400)) + b"\r\n"), "bad_header", 200, "", True),
    "NUL in a header": (says(HEAD + b"X: a\0b\r\nContent-Length: 0\r\n\r\n"), "bad_header", 200, "", True),
    "seventeen 100": (says(b"HTTP/1.1 100 Continue\r\n\r\n" * 17 + OK), "too_many_interim", None, "", True),
    "endless 102": (says(*[b"HTTP/1.1 102 Processing\r\n\r\n"] * 2000), "too_many_interim", None, "", True),
    "101": (says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", then="wait"), "unexpected_101", 101, "", True),
    **{str(s): (says(status(s, "Location: LOCATION"), then="wait"), "redirect", s, "LOCATION", True)
       for s in (300, 301, 302, 303, 307, 308)},
    "304": (says(b"HTTP/1.1 304 Not Modified\r\n\r\n", then="wait"), "redirect", 304, "", True),
    **{str(s): (says(status(s), then="wait"), "http_4xx", s, str(s), True) for s in (400, 401, 404, 413, 499)},
    "410": (says(status(410), then="wait"), "gone", 410, "410", False),
    "429": (says(status(429, "Retry-After: 0"), then="wait"), "throttled", 429, "429", True),
    **{str(s): (says(status(s), then="wait"), "http_5xx", s, str(s), True) for s in (500, 502, 503, 599)},
    "503 with Retry-After": (says(status(503, "Retry-After: 0"), then="wait"), "http_5xx", 503, "503", True),
}


def send(log, url, *args, secret=True, **kwargs):
    env = {"EMIT8_SECRET": kit.SECRET} if secret else {}
    deadline = () if "--timeout" in args else ("--timeout", DEADLINE)
    return kit.emit8("send", "message.received", "--to", url, "--log", log, *deadline, *args, env=env, **kwargs)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What emit8 does about each row, all at the same time: without retries, and with one that comes at once."""
    path = tmp_path_factory.mktemp("rows")
    elsewhere = kit.Capture()

    def one(row, retries):
        log = path / f"{abs(hash(row))}-{retries}.db"
        script = ROWS[row][0]
        requests = []

        def counting(connection, n):
            requests.append(n)
            if ROWS[row][3] == "LOCATION":
                says(status(int(row), f"Location: {elsewhere.url}/elsewhere?token=hushhush"), then="wait")(connection, n)
            script(connection, n)

        with kit.RawPeer(counting) as peer:
            (path / f"{log.stem}.yaml").write_text(f"""
endpoints: {{a: {{url: {peer.url}, timeout: {DEADLINE}, retry: {{attempts: {retries + 1}, base: 1ms, jitter: none}}}}}}
flows: {{f: [{{emit: message.received}}]}}
""")
            if retries:
                done = kit.emit8("run", path / f"{log.stem}.yaml", "--log", log)
            else:
                done = send(log, peer.url, "--retries", "0")
            done.accepted = peer.accepted
        done.attempts = kit.attempts(log) if done.returncode in (0, 1, 4) else []
        done.flags = [f for (f,) in kit.rows(log, "SELECT flags FROM attempt ORDER BY id")]
        done.elsewhere = elsewhere
        return done

    with concurrent.futures.ThreadPoolExecutor(6) as pool, elsewhere:
        futures = {(row, retries): pool.submit(one, row, retries) for row in ROWS for retries in (0, 1)}
        yield {key: future.result() for key, future in futures.items()}


def exit_code(outcome, code, run):
    """A run whose answers are all 401, 403, 404 or 405 tested nothing and is invalid; a single event has failed."""
    return 0 if outcome == "delivered" else 4 if run and code in (401, 403, 404, 405) else 1


@pytest.mark.parametrize("row", ROWS)
def test_row(told, row):
    _, outcome, code, words, _ = ROWS[row]
    done = told[row, 0]
    assert done.returncode == exit_code(outcome, code, run=False), done.out + done.err
    (attempt,) = done.attempts
    assert (attempt["outcome"], attempt["status"]) == (outcome, code), attempt
    assert done.accepted == 1
    assert (attempt["attempt"], attempt["trigger"], attempt["reused"]) == (1, "event", False)
    if outcome == "delivered":
        assert not attempt["error"]
    else:
        words = f"{done.elsewhere.url}/elsewhere" if words == "LOCATION" else words
        assert attempt["error"] and words in attempt["error"], attempt["error"]
        assert "hushhush" not in attempt["error"]
    assert outcome in done.out
    assert bool(done.flags[0] & CAPPED) == ("over the cap" in row or row == "200 without an end")
    assert done.elsewhere.requests == [], "a redirect was followed"


@pytest.mark.parametrize("row", ROWS)
def test_row_again(told, row):
    """With one retry: two attempts where the table says so, else one."""
    _, outcome, code, _, retried = ROWS[row]
    done = told[row, 1]
    assert done.returncode == exit_code(outcome, code, run=True), done.out + done.err
    expected = [(1, "event", outcome, code)] + [(2, "retry", outcome, code)] * retried
    assert [(a["attempt"], a["trigger"], a["outcome"], a["status"]) for a in done.attempts] == expected
    assert len({a["delivery_id"] for a in done.attempts}) == 1


# --- rows that are no peer's -----------------------------------------------------------------------------------------


def the_attempt(log):
    (attempt,) = kit.attempts(log)
    return attempt


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_connect_refused(tmp_path):
    done = send(tmp_path / "log.db", f"http://127.0.0.1:{closed_port()}/", "--retries", "0")
    assert done.returncode == 1
    attempt = the_attempt(tmp_path / "log.db")
    assert (attempt["outcome"], attempt["status"], attempt["bytes_sent"]) == ("connect_refused", None, 0)


def test_connect_failed(tmp_path):
    """A unix socket that is not there."""
    done = send(tmp_path / "log.db", "http://localhost/", "--retries", "0", "--unix-socket", "/nonexistent/socket")
    assert done.returncode == 1
    assert the_attempt(tmp_path / "log.db")["outcome"] == "connect_failed"
    assert the_attempt(tmp_path / "log.db")["error"] == "the unix socket: No such file or directory"


@contextlib.contextmanager
def full_backlog():
    """A listener that accepts nothing, and whose queue is full: a black hole on loopback."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_connect_timeout(tmp_path):
    with full_backlog() as url:
        done = send(tmp_path / "log.db", url, "--retries", "0")
        assert done.returncode == 1
        attempt = the_attempt(tmp_path / "log.db")
        assert (attempt["outcome"], attempt["status"]) == ("connect_timeout", None)


def test_connect_timeout_of_its_own(tmp_path):
    """--connect-timeout ends it long before the deadline does."""
    with full_backlog() as url:
        done = send(tmp_path / "log.db", url, "--retries", "0", "--timeout", "30s", "--connect-timeout", "300ms")
        assert done.returncode == 1
        attempt = the_attempt(tmp_path / "log.db")
        assert attempt["outcome"] == "connect_timeout" and 250 < attempt["response_time_ms"] < 5000


def test_dns_failed(tmp_path):
    """Without a network, so that no question leaves the machine."""
    done = send(tmp_path / "log.db", "http://no-such-host.invalid/", "--retries", "0", "--timeout", "20s",
                "--allow-target", "no-such-host.invalid", preexec_fn=kit.offline)
    assert done.returncode == 1, done.err
    attempt = the_attempt(tmp_path / "log.db")
    assert attempt["outcome"] == "dns_failed" and "no-such-host.invalid" in attempt["error"]


def test_ports_exhausted(tmp_path):
    """In a network of its own that has four ports: ours, and never the receiver's fault."""
    script = f"""
import ctypes, fcntl, json, socket, struct, sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
import kit
with socket.socket() as s:  # lo up
    fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", 0x49))
open("/proc/sys/net/ipv4/ip_local_port_range", "w").write("40000 40003")
server = socket.socket(); server.bind(("127.0.0.1", 9000)); server.listen(64)
done = kit.emit8("send", "message.sent", "--to", "http://127.0.0.1:9000/", "-n", "12", "--rate", "600/s", "--timeout", "4s",
                 "--retries", "0", "--workers", "1", "--log", sys.argv[1], "--format", "json")
print(json.dumps([done.returncode, done.out, done.err]))
"""
    command = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("no network namespace may be made here")
    done = subprocess.run([*command, sys.executable, "-c", script, str(tmp_path / "log.db")], capture_output=True, timeout=50)
    assert done.returncode == 0, done.stderr.decode()
    code, out, err = json.loads(done.stdout)
    assert code == 4, err
    outcomes = {o: n for o, n in json.loads(out)["outcomes"].items() if n}
    assert "gen_port" in outcomes and set(outcomes) <= {"gen_port", "timeout_first_byte", "aborted"}
    assert json.loads(out)["verdict"] == "invalid"


# --- 410 and several deliveries --------------------------------------------------------------------------------------


def test_gone_disables_the_endpoint(tmp_path):
    with kit.Capture(lambda request: 410 if request["index"] == 2 else 200) as server:
        done = send(tmp_path / "log.db", server.url, "-n", "50", "--workers", "1", "--retries", "3")
        assert done.returncode == 1
        assert len(server.requests) == 3
    assert [a["outcome"] for a in kit.attempts(tmp_path / "log.db")] == ["delivered", "delivered", "gone"]
    assert kit.report(tmp_path / "log.db")["run"]["elapsed_s"] < 2 * SLOW  # what nobody takes costs no time


def test_gone_is_said_in_the_report(tmp_path):
    with kit.Capture(lambda request: 410 if request["index"] == 2 else 200) as server:
        send(tmp_path / "log.db", server.url, "-n", "50", "--workers", "1", "--retries", "3")
    (warning,) = (w for w in kit.report(tmp_path / "log.db")["warnings"] if "disabled" in w)
    assert warning.startswith("endpoint ") and "answered 410" in warning
    assert "disabled" in kit.emit8("report", tmp_path / "log.db").out


def test_gone_disables_that_endpoint_alone(tmp_path):
    with kit.Capture(lambda request: 410) as gone, kit.Capture() as other:
        (tmp_path / "s.yaml").write_text(f"""
endpoints: {{gone: {{url: {gone.url}}}, other: {{url: {other.url}}}}}
flows: {{f: [{{emit: message.sent}}]}}
run: [{{flow: f, arrivals: {{times: 20, concurrency: 1}}}}]
""")
        kit.emit8("run", tmp_path / "s.yaml", "--workers", "1", "--log", tmp_path / "log.db")
        assert (len(gone.requests), len(other.requests)) == (1, 20)


# --- reused connections ----------------------------------------------------------------------------------------------


class Wire(kit.RawPeer):
    """Counts the requests that come, by delivery and attempt."""

    def __init__(self, script):
        self.requests = collections.Counter()
        self.order = []
        self.lock = threading.Lock()
        super().__init__(script)

    def read(self, connection):
        head, _ = kit.read_request(connection)
        names = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        key = (names[b"x-8bit-delivery"].decode(), int(names[b"x-8bit-attempt"]))
        with self.lock:
            self.requests[key] += 1
            self.order.append(key)
        return key


def check_wire(wire, log):
    """Every request that came is one attempt in the log, and the other way round."""
    attempts = kit.attempts(log)
    logged = collections.Counter((a["delivery_id"], a["attempt"]) for a in attempts)
    with contextlib.suppress(AssertionError):  # the last one may not have been read yet
        kit.until(lambda: logged == wire.requests, 5)
    assert max(wire.requests.values()) == 1, "the same attempt came twice: a hidden re-send"
    assert logged == wire.requests
    return attempts


@pytest.mark.parametrize("end", ["reset", "close"])
def test_stale_connection(tmp_path, end):
    """The second request on a connection is not answered: sent again at once, as an attempt of its own number."""

    def script(connection, n):
        wire.read(connection)
        connection.sendall(OK)
        wire.read(connection)
        if end == "reset":
            kit.reset(connection)

    with Wire(script) as wire:
        done = send(tmp_path / "log.db", wire.url, "-n", "2", "--workers", "1", "--retries", "0")
        assert done.returncode == 0, done.out
        first, stale, again = check_wire(wire, tmp_path / "log.db")
    assert (first["outcome"], first["reused"]) == ("delivered", False)
    assert (stale["outcome"], stale["attempt"], stale["trigger"], stale["reused"]) == ("stale_connection", 1, "event", True)
    assert (again["outcome"], again["attempt"], again["trigger"], again["reused"]) == ("delivered", 2, "stale", False)
    assert again["delivery_id"] == stale["delivery_id"]


@pytest.mark.parametrize("http", ["auto", "1.1"])
@pytest.mark.parametrize("end, outcome", [("reset", "reset"), ("close", "no_response")])
def test_a_receiver_that_dies_at_work_is_not_stale(tmp_path, end, outcome, http):
    """It had the second request for a while when the connection broke: that is its failure, and no resend hides it."""

    def script(connection, n):
        wire.read(connection)
        connection.sendall(OK)
        wire.read(connection)
        threading.Event().wait(0.4)
        if end == "reset":
            kit.reset(connection)

    with Wire(script) as wire:
        done = send(tmp_path / "log.db", wire.url, "-n", "2", "--workers", "1", "--retries", "0", "--http", http, "--timeout", "5s")
        assert done.returncode == 1, done.out
        first, broken = check_wire(wire, tmp_path / "log.db")
    assert (first["outcome"], first["reused"]) == ("delivered", False)
    assert (broken["outcome"], broken["attempt"], broken["trigger"], broken["reused"]) == (outcome, 1, "event", True)


@pytest.mark.parametrize("workers, concurrency", [(1, 1), (2, 8)])
def test_thousand_resets_without_a_hidden_resend(tmp_path, workers, concurrency):
    resets = []

    def script(connection, n):
        wire.read(connection)
        connection.sendall(OK)
        wire.read(connection)
        resets.append(n)
        kit.reset(connection)

    with Wire(script) as wire:
        done = send(tmp_path / "log.db", wire.url, "-n", str(1000 + concurrency), "-c", str(concurrency), "--workers", str(workers),
                    "--timeout", "20s", "--retries", "0", timeout=90)
        assert done.returncode == 0, done.out
        attempts = check_wire(wire, tmp_path / "log.db")
    stale = [a for a in attempts if a["outcome"] == "stale_connection"]
    assert len(stale) == len(resets) and len(resets) >= 1000 - concurrency
    assert sum(a["outcome"] == "delivered" for a in attempts) == 1000 + concurrency


def test_idle_connections_that_were_closed(tmp_path):
    """Closed before the next request: found before anything is sent, and no attempt is lost on it."""
    def script(connection, n):
        wire.read(connection)
        connection.sendall(OK)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    with Wire(script) as wire:
        done = send(tmp_path / "log.db", wire.url, "-n", "40", "--rate", "100/s", "--workers", "1", "--timeout", "20s", "--retries", "0")
        assert done.returncode == 0, done.out
        attempts = check_wire(wire, tmp_path / "log.db")
    outcomes = collections.Counter(a["outcome"] for a in attempts)
    assert outcomes["delivered"] == 40 and set(outcomes) <= {"delivered", "stale_connection"}


EXTRAS = {
    "a 500": b"HTTP/1.1 500 Not yours\r\nContent-Length: 0\r\n\r\n",
    "a 200": b"HTTP/1.1 200 Not yours\r\nContent-Length: 0\r\n\r\n",
    "half a 200": b"HTTP/1.1 200 ",
    "rubbish": b"\0\1\2\3",
    "line break": b"\r\n",
}


@pytest.mark.parametrize("moment", ["with the answer", "after the answer"])
@pytest.mark.parametrize("extra", EXTRAS)
def test_stale_answer_is_never_the_next_one(tmp_path, extra, moment):
    """Each delivery is answered with a status of its own; the log must tell that one for each. A request that was on its way
    already when the extra bytes came cannot be helped; such ones are few, where a client that does not look has nothing else."""
    given, crossed = {}, set()

    def script(connection, n):
        extras = 0
        while True:
            key = wire.read(connection)
            with wire.lock:
                given[key] = 201 + len(given) % 90
                if extras:
                    crossed.add(key)
            extras += 1
            answer = status(given[key])
            if moment == "with the answer":
                connection.sendall(answer + EXTRAS[extra])
            else:
                connection.sendall(answer)
                if select.select([connection], [], [], 0)[0]:  # what came now would be the next one's answer
                    extras -= 1
                else:
                    connection.sendall(EXTRAS[extra])

    with Wire(script) as wire:
        done = send(tmp_path / "log.db", wire.url, "-n", "60", "--rate", "200/s", "--workers", "1", "--timeout", "20s", "--retries", "0")
        attempts = check_wire(wire, tmp_path / "log.db")
        assert done.returncode in (0, 1), done.err
    assert len(crossed) <= (0 if moment == "with the answer" else 6)
    for attempt in attempts:
        if (attempt["delivery_id"], attempt["attempt"]) in crossed:
            continue
        if attempt["outcome"] == "delivered":
            assert attempt["status"] == given[attempt["delivery_id"], attempt["attempt"]], attempt
        else:
            assert attempt["outcome"] in ("desync", "stale_connection"), attempt
    assert sum(a["outcome"] == "delivered" for a in attempts) >= 60 - len(crossed)
    flags = [f for (f,) in kit.rows(tmp_path / "log.db", "SELECT flags FROM attempt")]
    assert any(f & (TRAILING | IDLE_BYTES | RECONNECTED) for f in flags)


def test_capped_and_trailing_connections_are_not_reused(tmp_path):
    def script(connection, n):
        while True:
            wire.read(connection)
            connection.sendall(big(2 << 20))

    with Wire(script) as wire:
        assert send(tmp_path / "log.db", wire.url, "-n", "4", "--workers", "1", "--timeout", "20s").returncode == 0
        attempts = check_wire(wire, tmp_path / "log.db")
        assert wire.accepted == 4
    assert not any(a["reused"] for a in attempts)
    assert all(a["bytes_received"] < 2 << 20 for a in attempts)


def test_keep_alive(tmp_path):
    with kit.RawPeer(lambda connection, n: kit.serve_forever(connection)) as peer:
        assert send(tmp_path / "log.db", peer.url, "-n", "200", "-c", "4", "--workers", "1").returncode == 0
        assert peer.accepted <= 4
    assert sum(a["reused"] for a in kit.attempts(tmp_path / "log.db")) >= 196


# --- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return kit.certificates(tmp_path_factory.mktemp("tls"))


class Tls(Wire):
    """HTTPS by Python's ssl."""

    def __init__(self, certificates, name="server", client_ca=None, version=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificates[f"{name}.pem"], certificates[f"{name}.key"])
        if client_ca:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(certificates[client_ca])
        if version:
            self.context.maximum_version = version
        self.peers = []
        super().__init__(self.serve)
        self.port = int(self.url.rsplit(":", 1)[1])
        self.url = f"https://localhost:{self.port}/"

    def serve(self, connection, n):
        try:
            with self.context.wrap_socket(connection, server_side=True) as secure:
                self.peers.append(secure.getpeercert())
                while True:
                    self.read(secure)
                    secure.sendall(OK)
        except ssl.SSLError:
            pass


TLS = {
    "trusted": ("server", ["--cacert", "ca.pem"], "delivered", "", False),
    "untrusted": ("server", [], "tls_untrusted", "", False),
    "untrusted by another authority": ("server", ["--cacert", "client.pem"], "tls_untrusted", "", False),
    "expired": ("expired", ["--cacert", "ca.pem"], "tls_expired", "expired", False),
    "wrong name": ("other", ["--cacert", "ca.pem"], "tls_name", "", False),
    "-k untrusted": ("server", ["-k"], "delivered", "", False),
    "-k expired": ("expired", ["-k"], "delivered", "", False),
    "-k wrong name": ("other", ["-k"], "delivered", "", False),
}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("row", TLS)
def test_certificate(tmp_path, certificates, row, version):
    name, args, outcome, words, retried = TLS[row]
    args = [str(certificates.get(a, a)) for a in args]
    with Tls(certificates, name, version=version) as server:
        done = send(tmp_path / "log.db", server.url, *args, "--retries", "1", "--timeout", "20s", "--format", "json")
        assert done.returncode == (0 if outcome == "delivered" else 1), done.out + done.err
        attempts = kit.attempts(tmp_path / "log.db")
        assert [a["outcome"] for a in attempts] == [outcome] * (2 if retried else 1)
        assert words in (attempts[0]["error"] or "")
        if outcome != "delivered":
            assert not server.requests and attempts[0]["error"]
    report = kit.report(tmp_path / "log.db")
    assert report["run"]["insecure"] is row.startswith("-k")
    text = kit.emit8("report", tmp_path / "log.db").out
    assert ("certificate" in text and "not verified" in text) == row.startswith("-k"), text


def test_tls_handshake_failed(tmp_path):
    """A peer that speaks plain HTTP on that port; and one that closes at once."""
    for script in (lambda c, n: (c.recv(100), c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")), lambda c, n: c.recv(100)):
        with kit.RawPeer(script) as peer:
            log = tmp_path / f"{id(script)}.db"
            done = send(log, peer.url.replace("http", "https"), "--retries", "1", "--timeout", "20s")
            assert done.returncode == 1
            assert [a["outcome"] for a in kit.attempts(log)] == ["tls_handshake"] * 2


def test_tls_stalled(tmp_path):
    with kit.RawPeer(lambda c, n: [None for _ in iter(lambda: c.recv(4096), b"")]) as peer:
        done = send(tmp_path / "log.db", peer.url.replace("http", "https"), "--retries", "1")
        assert done.returncode == 1
        assert [a["outcome"] for a in kit.attempts(tmp_path / "log.db")] == ["tls_timeout"] * 2


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_client_certificate(tmp_path, certificates, version):
    c = {name: str(path) for name, path in certificates.items()}
    mine = ("--cert", c["client.pem"], "--key", c["client.key"])
    with Tls(certificates, client_ca="ca.pem", version=version) as server:
        done = send(tmp_path / "with.db", server.url, "--cacert", c["ca.pem"], *mine, "--timeout", "20s")
        assert done.returncode == 0, done.out + done.err
        assert (("commonName", "client"),) in server.peers[0]["subject"]
        done = send(tmp_path / "without.db", server.url, "--cacert", c["ca.pem"], "--retries", "0", "--timeout", "20s")
        assert done.returncode == 1
        attempt = the_attempt(tmp_path / "without.db")
        assert sum(server.requests.values()) == 1
        assert attempt["outcome"] == "tls_handshake"


def test_tls_keep_alive(tmp_path, certificates):
    """One handshake for many deliveries, and each attempt is one request."""
    with Tls(certificates) as server:
        done = send(tmp_path / "log.db", server.url, "--cacert", certificates["ca.pem"], "-n", "100", "--workers", "1", "--timeout", "20s")
        assert done.returncode == 0
        check_wire(server, tmp_path / "log.db")
        assert server.accepted <= 3


# --- ways to the target ----------------------------------------------------------------------------------------------


def port_of(url):
    return url.rsplit(":", 1)[1].strip("/")


def test_resolve(tmp_path):
    with kit.Capture() as server:
        port = port_of(server.url)
        done = send(tmp_path / "log.db", f"http://hooks.test:{port}/x", "--resolve", f"hooks.test:{port}:127.0.0.1")
        assert done.returncode == 0, done.err
        assert server.requests[0]["headers"]["host"] == f"hooks.test:{port}"


def test_connect_to(tmp_path):
    with kit.Capture() as server:
        done = send(tmp_path / "log.db", "http://hooks.test/x?y", "--connect-to", f"hooks.test:80:127.0.0.1:{port_of(server.url)}")
        assert done.returncode == 0, done.err
        assert (server.requests[0]["headers"]["host"], server.requests[0]["path"]) == ("hooks.test", "/x?y")


def test_connect_to_with_tls(tmp_path, certificates):
    """The certificate is held against the URL's name, not against where it leads."""
    with Tls(certificates) as server:
        for name, code in (("hooks.test", 0), ("elsewhere.test", 1)):
            done = send(tmp_path / f"{name}.db", f"https://{name}/", "--connect-to", f"{name}:443:127.0.0.1:{server.port}",
                        "--cacert", certificates["ca.pem"], "--retries", "0", "--timeout", "20s")
            assert done.returncode == code, done.out + done.err
        assert the_attempt(tmp_path / "elsewhere.test.db")["outcome"] == "tls_name"


class UnixCapture(kit.RawPeer):
    """A peer on a unix socket."""

    def __init__(self, path):
        self.heads = []
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(16)
        super().__init__(self.serve, listener)

    def serve(self, connection, n):
        while True:
            self.heads.append(kit.read_request(connection)[0])
            connection.sendall(OK)


def test_unix_socket(tmp_path):
    with tempfile.TemporaryDirectory() as short, UnixCapture(f"{short}/s") as peer:
        done = send(tmp_path / "log.db", "http://hooks.test/x", "--unix-socket", f"{short}/s", "-n", "20", "--workers", "1")
        assert done.returncode == 0, done.out + done.err
        assert len(peer.heads) == 20 and peer.accepted <= 2
        assert b"POST /x HTTP/1.1\r\nHost: hooks.test\r\n" in peer.heads[0] + b"\r\n"


class Proxy(kit.RawPeer):
    """Answers plain requests itself; opens tunnels to one port of this machine, whatever is asked for."""

    def __init__(self, port=None):
        self.heads = []
        self.port = port
        super().__init__(self.serve)

    def serve(self, connection, n):
        head, _ = kit.read_request(connection)
        self.heads.append(head)
        if not head.startswith(b"CONNECT "):
            connection.sendall(OK)
            return
        with socket.create_connection(("127.0.0.1", self.port)) as target:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=self.copy, args=(target, connection), daemon=True)
            back.start()
            self.copy(connection, target)
            back.join(10)

    @staticmethod
    def copy(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


def test_proxy(tmp_path):
    """The request goes to the proxy in absolute form; the target is named, not connected to."""
    with Proxy() as proxy:
        done = send(tmp_path / "log.db", "http://localhost:1/hook", "-x", proxy.url, "--retries", "0")
        assert done.returncode == 0, done.out + done.err
        assert proxy.heads[0].startswith(b"POST http://localhost:1/hook HTTP/1.1\r\n")


def test_proxy_with_tls(tmp_path, certificates):
    with Tls(certificates) as server, Proxy(server.port) as proxy:
        done = send(tmp_path / "log.db", server.url, "-x", proxy.url, "--cacert", certificates["ca.pem"], "--timeout", "20s", "--retries", "0")
        assert done.returncode == 0, done.out + done.err
        assert proxy.heads[0].startswith(b"CONNECT localhost:%d HTTP/1.1\r\n" % server.port)
        assert b"x-8bit" not in proxy.heads[0].lower()  # what is for the receiver stays out of the proxy's sight
        check_wire(server, tmp_path / "log.db")


def test_proxy_that_refuses(tmp_path, certificates):
    with kit.RawPeer(says(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")) as proxy:
        done = send(tmp_path / "log.db", "https://localhost:1/", "-x", proxy.url, "--retries", "0")
        assert done.returncode == 1
        assert the_attempt(tmp_path / "log.db")["outcome"] in ("connect_failed", "http_4xx")


# --- nginx -----------------------------------------------------------------------------------------------------------

CONFIGURATION = """
daemon off; master_process off; pid {dir}/pid; error_log {dir}/error.log; {user}
events {{ worker_connections 512; }}
http {{
  log_format one '$server_protocol $connection $status $http_x_8bit_delivery $http_x_8bit_attempt';
  access_log {dir}/access.log one;
  client_body_temp_path {dir}/1; proxy_temp_path {dir}/2; fastcgi_temp_path {dir}/3; uwsgi_temp_path {dir}/4; scgi_temp_path {dir}/5;
  server {{
    listen 127.0.0.1:{tls} ssl http2;
    listen 127.0.0.1:{plain};
    listen unix:{dir}/socket;
    ssl_certificate {server_pem}; ssl_certificate_key {server_key};
    location / {{ return 200 "thank you\\n"; }}
    location /few {{ keepalive_requests 7; return 200 "thank you\\n"; }}
    location /busy {{ return 503; }}
  }}
}}
"""


class Nginx:
    def __init__(self, certificates):
        self.dir = tempfile.mkdtemp()
        self.certificates = certificates
        for _ in range(5):
            self.tls, self.plain = closed_port(), closed_port()
            if self.start():
                return
        raise AssertionError(open(f"{self.dir}/error.log").read())

    def start(self):
        """False when another has taken a port in the meantime."""
        with open(f"{self.dir}/conf", "w") as file:
            file.write(CONFIGURATION.format(
                dir=self.dir, tls=self.tls, plain=self.plain, user="user root;" if os.geteuid() == 0 else "",
                server_pem=self.certificates["server.pem"], server_key=self.certificates["server.key"]))
        command = [shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"), "-p", self.dir, "-c", f"{self.dir}/conf"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def up():
            if self.process.poll() is not None:
                return "ended"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.plain)):
                return "up"
            return None

        return kit.until(up) == "up"

    def lines(self, number):
        """The access log, when it has so many lines."""
        path = f"{self.dir}/access.log"

        def read():
            lines = [line.split() for line in open(path)]
            return lines if len(lines) >= number else None

        lines = kit.until(read)
        open(path, "w").close()
        return lines

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)
        shutil.rmtree(self.dir)


@pytest.fixture(scope="module")
def nginx(certificates):
    if not shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"):
        pytest.skip("nginx is not installed")
    server = Nginx(certificates)
    yield server
    server.stop()


def check_nginx(nginx, log, protocol, number):
    lines = nginx.lines(number)
    assert {line[0] for line in lines} == {protocol}
    attempts = kit.attempts(log)
    assert collections.Counter((a["delivery_id"], str(a["attempt"])) for a in attempts) == \
        collections.Counter((line[3], line[4]) for line in lines)
    return lines, attempts


@pytest.mark.parametrize("workers", [1, 2])
def test_http2(tmp_path, nginx, certificates, workers):
    done = send(tmp_path / "log.db", f"https://localhost:{nginx.tls}/", "--http", "2", "--cacert", certificates["ca.pem"],
                "-n", "300", "-c", "20", "--workers", str(workers), "--timeout", "20s", "--retries", "0")
    assert done.returncode == 0, done.out + done.err
    lines, attempts = check_nginx(nginx, tmp_path / "log.db", "HTTP/2.0", 300)
    assert {a["outcome"] for a in attempts} == {"delivered"}
    connections = len({line[1] for line in lines})
    assert connections <= 2 * workers, "one connection carries many requests"
    assert "300 streams of HTTP/2" in done.out
    http2 = json.loads(kit.emit8("report", "--format", "json", tmp_path / "log.db").out)["http2"]
    assert http2 == {"streams": 300, "declined": 0, "goaways": 0, "refused_streams": 0,
                     "streams_per_connection": round(300 / connections, 2)}


def test_http2_declined(tmp_path, certificates):
    """The receiver agrees on HTTP/1.1: it is told."""
    with Tls(certificates) as server:
        done = send(tmp_path / "log.db", server.url, "--http", "2", "--cacert", certificates["ca.pem"], "--timeout", "20s", "--retries", "0")
    assert done.returncode == 0, done.out + done.err
    told = kit.emit8("report", tmp_path / "log.db").out
    assert "HTTP/2 was asked for, but 1 of 1 answers came over HTTP/1" in " ".join(told.split()), told
    assert json.loads(kit.emit8("report", "--format", "json", tmp_path / "log.db").out)["http2"]["declined"] == 1


def test_http2_goaway(tmp_path, nginx, certificates):
    """The server closes each connection after seven requests: all is delivered, and nothing twice."""
    done = send(tmp_path / "log.db", f"https://localhost:{nginx.tls}/few", "--http", "2", "--cacert", certificates["ca.pem"],
                "-n", "200", "-c", "10", "--workers", "1", "--timeout", "20s", "--retries", "4")
    assert done.returncode == 0, done.out + done.err
    lines, attempts = check_nginx(nginx, tmp_path / "log.db", "HTTP/2.0", 200)
    assert sum(a["outcome"] == "delivered" for a in attempts) == 200


def test_http2_status(tmp_path, nginx, certificates):
    done = send(tmp_path / "log.db", f"https://localhost:{nginx.tls}/busy", "--http", "2", "--cacert", certificates["ca.pem"],
                "--timeout", "20s", "--retries", "0")
    assert done.returncode == 1
    check_nginx(nginx, tmp_path / "log.db", "HTTP/2.0", 1)
    attempt = the_attempt(tmp_path / "log.db")
    assert (attempt["outcome"], attempt["status"]) == ("http_5xx", 503)


@pytest.mark.parametrize("way", ["plain", "few", "tls", "socket"])
def test_http11_through_nginx(tmp_path, nginx, certificates, way):
    url, args = {
        "plain": (f"http://127.0.0.1:{nginx.plain}/", ()),
        "few": (f"http://127.0.0.1:{nginx.plain}/few", ()),
        "tls": (f"https://localhost:{nginx.tls}/", ("--cacert", certificates["ca.pem"])),
        "socket": ("http://localhost/", ("--unix-socket", f"{nginx.dir}/socket")),
    }[way]
    done = send(tmp_path / "log.db", url, *args, "-n", "300", "-c", "4", "--workers", "1", "--timeout", "20s", "--retries", "0")
    assert done.returncode == 0, done.out + done.err
    lines, attempts = check_nginx(nginx, tmp_path / "log.db", "HTTP/1.1", 300)
    assert {a["outcome"] for a in attempts} == {"delivered"}
    connections = len({line[1] for line in lines})
    assert connections <= 8 if way != "few" else connections >= 300 / 7
    assert sum(a["reused"] for a in attempts) == 300 - connections


def test_http2_without_tls_is_not_spoken_by_nginx(tmp_path, nginx):
    """--http 2 to a port that knows HTTP/1.1 alone: an outcome, not a crash and not a delivery."""
    done = send(tmp_path / "log.db", f"http://127.0.0.1:{nginx.plain}/", "--http", "2", "--retries", "0", "--timeout", "20s")
    attempts = kit.attempts(tmp_path / "log.db")
    assert done.returncode == (0 if attempts[-1]["outcome"] == "delivered" else 1)
    assert attempts[-1]["outcome"] in ("delivered", "not_http", "truncated", "no_response", "http_4xx"), attempts
    assert re.search(r"libcurl|curl", kit.emit8("report", tmp_path / "log.db").out)
