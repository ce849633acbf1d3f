"""What the integration tests share: the binary, a sink, receivers that capture, peers that misbehave.

Every server listens on a port the system chose, every wait has a limit, nothing sleeps to synchronise.
"""

import contextlib
import http.server
import json
import os
import socket
import sqlite3
import subprocess
import threading

EMIT8 = os.environ.get("EMIT8", os.path.join(os.path.dirname(__file__), "../../build/release/emit8"))
SOURCE = os.environ.get("EMIT8_SOURCE", os.path.abspath(os.path.join(os.path.dirname(__file__), "../..")))
SECRET = "test-secret-0123456789abcdef"


def environment(**extra):
    """A clean environment: no proxies, no EMIT8_*, no locale surprises."""
    keep = ("PATH", "HOME", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LD_LIBRARY_PATH")
    env = {k: v for k, v in os.environ.items() if k in keep}
    env.update(extra)
    return env


def emit8(*args, stdin=b"", timeout=60, env=None, **kwargs):
    """Runs emit8 to its end; stdout and stderr as text."""
    done = subprocess.run(
        [EMIT8, *map(str, args)],
        input=stdin,
        capture_output=True,
        timeout=timeout,
        env=environment(**(env or {})),
        **kwargs,
    )
    done.out = done.stdout.decode("utf-8", "replace")
    done.err = done.stderr.decode("utf-8", "replace")
    return done


def secret_file(tmp_path, secret=SECRET):
    path = tmp_path / "secret.txt"
    path.write_text(secret + "\n")
    return path


@contextlib.contextmanager
def sink(*args, env=None):
    """emit8 sink on a port of its own; yields its URL and the process."""
    process = subprocess.Popen(
        [EMIT8, "sink", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(**(env or {})),
    )
    try:
        first = process.stdout.readline().decode()
        assert "http://" in first, first + process.stderr.read().decode()
        process.url = "http://" + first.split("http://")[1].split(",")[0].split()[0]
        drain = threading.Thread(target=process.stdout.read, daemon=True)
        drain.start()
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.final = process.stderr.read().decode()
        process.wait(timeout=30)


class Capture(http.server.ThreadingHTTPServer):
    """A receiver that nobody here wrote (http.server), keeping every request whole."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, answer=None):
        self.requests = []
        self.lock = threading.Lock()
        self.answer = answer or (lambda request: 200)
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.shutdown()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = {
            "path": self.path,
            "headers": {k.lower(): v for k, v in self.headers.items()},
            "body": body,
        }
        with self.server.lock:
            request["index"] = len(self.server.requests)
            self.server.requests.append(request)
        answer = self.server.answer(request)
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class RawPeer:
    """A scripted peer: `script(connection, n)` gets each accepted socket in turn, n = 0, 1, …"""

    def __init__(self, script):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.script = script
        self.accepted = 0
        self.errors = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            n = self.accepted
            self.accepted += 1
            threading.Thread(target=self._one, args=(connection, n), daemon=True).start()

    def _one(self, connection, n):
        connection.settimeout(30)
        with connection:
            try:
                self.script(connection, n)
            except (OSError, EOFError):
                pass
            except Exception as error:  # noqa: BLE001 - shown by the test
                self.errors.append(error)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()
        assert not self.errors, self.errors


def read_request(connection):
    """One HTTP/1.1 request with Content-Length from a raw socket; returns (head, body)."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            raise EOFError
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        chunk = connection.recv(65536)
        if not chunk:
            raise EOFError
        body += chunk
    return head, body


def rows(log, query, *params):
    with contextlib.closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True)) as db:
        return db.execute(query, params).fetchall()


def attempts(log, *args):
    """The attempts of a log as emit8 tells them."""
    done = emit8("log", log, "--format", "ndjson", *args)
    assert done.returncode == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def report(log, *args):
    done = emit8("report", log, "--format", "json", *args)
    assert done.returncode in (0, 1, 4), done.err
    return json.loads(done.out)
