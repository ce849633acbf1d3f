"""What the integration tests share: the binary, a sink, receivers that capture, peers that misbehave.

Every server listens on a port the system chose, every wait has a limit, nothing sleeps to synchronise.
"""

import contextlib
import ctypes
import fcntl
import hashlib
import hmac
import http.server
import json
import os
import pty
import re
import socket
import sqlite3
import struct
import subprocess
import termios
import threading
import time

EMIT8 = os.environ.get("EMIT8", os.path.join(os.path.dirname(__file__), "../../build/release/emit8"))
SOURCE = os.environ.get("EMIT8_SOURCE", os.path.abspath(os.path.join(os.path.dirname(__file__), "../..")))
SECRET = "test-secret-0123456789abcdef"
CLOCK = "2026-03-01T12:00:00Z"


def environment(**extra):
    """A clean environment: no proxies, no EMIT8_*, no locale surprises."""
    keep = ("PATH", "HOME", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LD_LIBRARY_PATH")
    env = {k: v for k, v in os.environ.items() if k in keep}
    env.update(extra)
    return env


# In a page with charts: the lines of which nothing is seen when all of their chart lie on each other.
HIDDEN = """Object.values(Chart.instances).filter(chart => chart.config.type === "line").flatMap(chart => {
  const sets = chart.data.datasets, {x, y} = chart.scales, middle = y.getValueForPixel((y.top + y.bottom) / 2);
  for (const set of sets) {
    const data = set.data.some(each => each?.x !== undefined) ? [{x: x.min, y: middle}, {x: x.max, y: middle}] : set.data.map(() => middle);
    Object.assign(set, {data, borderWidth: 4, pointRadius: 0});
  }
  chart.update("none");
  const at = value => Math.round(value * chart.currentDevicePixelRatio), pixels = [];
  const row = chart.ctx.getImageData(at(x.left), at(chart.scales.y.getPixelForValue(middle)), at(x.width), 1).data;
  for (let i = 0; i < row.length; i += 4) pixels.push(row.slice(i, i + 3));
  const seen = hex => pixels.some(pixel => [1, 3, 5].every((from, i) => Math.abs(pixel[i] - parseInt(hex.slice(from, from + 2), 16)) < 6));
  return sets.filter((set, i) => chart.isDatasetVisible(i) && !seen(set.borderColor)).map(set => set.label);
})"""

LIMITED = re.compile("emit8 itself was the limit|the rate was not kept")


def emit8(*args, stdin=b"", timeout=60, env=None, judged=False, **kwargs):
    """Runs emit8 to its end; stdout and stderr as text. That a machine under test, with sanitizers, was too busy to measure on is no
    failure, unless that is what is `judged`."""
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
    if done.returncode == 4 and not judged and args[0] in ("run", "send", "load", "replay") and LIMITED.search(done.out + done.err):
        done.returncode = 0
    return done


def start(*args, env=None, within=(), **kwargs):
    """emit8 in the background, stdout and stderr as pipes; the caller ends it. `within`: a command that becomes it in the end."""
    return subprocess.Popen(
        [*within, EMIT8, *map(str, args)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(**(env or {})),
        **kwargs,
    )


def mounted(script):
    """A command that becomes the one behind it, in a user and mount namespace where `script` has mounted something; None where that is
    not allowed here."""
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", f'set -e; {script}; exec "$@"', "sh"]
    try:
        done = subprocess.run([*command, "true"], capture_output=True, timeout=30)
    except FileNotFoundError:
        return None
    return command if done.returncode == 0 else None


def until(condition, timeout=30):
    """Polls what nobody announces; returns the condition's value once it is true."""
    end = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.005)
    return value


def secret_file(tmp_path, secret=SECRET):
    path = tmp_path / "secret.txt"
    path.write_text(secret + "\n")
    return path


def signature(body, secret=SECRET):
    """What the platform's own scheme puts into X-8bit-Signature-256."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def assert_signed(request, secret=SECRET):
    assert hmac.compare_digest(request["headers"]["x-8bit-signature-256"], signature(request["body"], secret))


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
        process.url = re.search(r"http://[^\s,;\"]+", first)[0]
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
        self.lock = threading.Condition()
        self.answer = answer or (lambda request: 200)
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.shutdown()
        self.server_close()

    def wait(self, count, timeout=30):
        """Until so many requests have come."""
        with self.lock:
            assert self.lock.wait_for(lambda: len(self.requests) >= count, timeout), len(self.requests)

    def take(self):
        """All requests so far; the next ones begin a new list."""
        with self.lock:
            taken, self.requests = self.requests, []
            return taken


class _Recorder:
    """A reader that keeps what was read."""

    def __init__(self, file):
        self.file = file
        self.kept = []

    def readline(self, *args):
        self.kept.append(self.file.readline(*args))
        return self.kept[-1]

    def read(self, *args):
        self.kept.append(self.file.read(*args))
        return self.kept[-1]

    def take(self):
        kept, self.kept = b"".join(self.kept), []
        return kept

    def __getattr__(self, name):
        return getattr(self.file, name)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.rfile = _Recorder(self.rfile)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = {
            "method": self.command,
            "path": self.path,
            "headers": {k.lower(): v for k, v in self.headers.items()},
            "body": body,
            "raw": self.rfile.take(),  # head and body as they came
            "at": time.time(),
            "connection": self.client_address,
        }
        with self.server.lock:
            request["index"] = len(self.server.requests)
            self.server.requests.append(request)
            self.server.lock.notify_all()
        answer = self.server.answer(request)
        status, headers, *content = answer if isinstance(answer, tuple) else (answer, {})
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(sum(map(len, content))))
        self.end_headers()
        for part in content:
            self.wfile.write(part)

    do_DELETE = do_POST

    def log_message(self, *args):
        pass


class RawPeer:
    """A scripted peer: `script(connection, n)` gets each accepted socket in turn, n = 0, 1, …"""

    def __init__(self, script, listener=None):
        self.socket = listener or socket.create_server(("127.0.0.1", 0), backlog=256)
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


# What the tests of bad input, stopping, outcomes and security share.


def is_sanitized():
    """Is the binary a sanitizers' build? It is slower, and reserves address space."""
    with open(EMIT8, "rb") as file:
        return b"__asan_init" in file.read()


def offline():
    """For preexec_fn: where the system allows it, the process has no network at all, not even loopback."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_user, new_network = 0x10000000, 0x40000000
    if libc.unshare(new_network) != 0:
        libc.unshare(new_user | new_network)


def planted(text, mark="¶"):
    """The text without its marks, and (line, column) of each: where a fault has been planted."""
    places, line, column, out = [], 1, 1, []
    for c in text:
        if c == mark:
            places.append((line, column))
            continue
        out.append(c)
        line, column = (line + 1, 1) if c == "\n" else (line, column + 1)
    return "".join(out), places


def tree(path):
    """Every file below a directory with its bytes: to see that nothing was made or changed."""
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def ndjson(text):
    return [json.loads(line) for line in text.splitlines()]


def reset(connection):
    """Closes with an RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def answer(connection, status=200, headers=(), body=b""):
    lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}", *headers]
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def serve_forever(connection, each=answer):
    """Answers every request on a connection; returns at its end how many there were."""
    n = 0
    while True:
        try:
            read_request(connection)
        except (EOFError, OSError):
            return n
        n += 1
        each(connection)


def certificates(directory):
    """A certificate authority and what it signed, made by openssl: paths of PEM files by name."""

    def openssl(*args):
        done = subprocess.run(["openssl", *map(str, args)], cwd=directory, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()

    def leaf(name, san, *options):
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key")
        openssl("req", "-new", *key, "-subj", f"/CN={name}", "-out", f"{name}.csr")
        (directory / f"{name}.ext").write_text(f"subjectAltName={san}\nbasicConstraints=CA:FALSE\n")
        days = options or ("-days", "2")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-extfile", f"{name}.ext", "-out", f"{name}.pem", *days)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key",
            "-subj", "/CN=test authority", "-days", "2", "-out", "ca.pem")
    leaf("server", "DNS:localhost,DNS:hooks.test,IP:127.0.0.1")
    leaf("other", "DNS:other.test")
    leaf("client", "DNS:client.test")
    leaf("expired", "DNS:localhost,IP:127.0.0.1", "-days", "-1")
    return {p.name: p for p in directory.glob("*.*")}



def until(what, timeout=30, every=0.005):
    """Waits until `what()` is true; what it is then."""
    end = time.monotonic() + timeout
    while not (value := what()):
        assert time.monotonic() < end, "nothing happened in time"
        threading.Event().wait(every)
    return value


def count(log, table="attempt", where="1"):
    """Rows of a log that may not exist yet, or be locked for a moment."""
    try:
        return rows(log, f"SELECT count(*) FROM {table} WHERE {where}")[0][0]
    except sqlite3.OperationalError:
        return 0


class Terminal:
    """A pseudo-terminal with a process on it that has it as its controlling terminal; keeps all that is written."""

    def __init__(self, *args, columns=80, lines=24, env=None):
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.columns = columns
        self.before = termios.tcgetattr(self.slave)
        self.written = bytearray()
        self.process = subprocess.Popen(
            [EMIT8, *map(str, args)],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env=environment(TERM="xterm-256color", **(env or {})),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            try:
                self.written += os.read(self.master, 65536)
            except OSError:
                return

    def type(self, keys):
        os.write(self.master, keys)

    def wait(self, timeout=30):
        """The exit code, when all has been read."""
        code = self.process.wait(timeout)
        self.after = termios.tcgetattr(self.slave)
        os.write(self.slave, b"\0END\0")
        until(lambda: b"\0END\0" in self.written)
        return code

    @property
    def text(self):
        return bytes(self.written).replace(b"\0END\0", b"").decode()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.slave)
        os.close(self.master)
