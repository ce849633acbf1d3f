#!/usr/bin/python3
"""What the live view costs: deliveries a second of a closed loop to nginx with the view on a terminal, against --quiet.

Rounds alternate, so that noise of the machine hits both alike, and begin with the one and the other by turns. Printed are medians and
their ratio, of the rate and of the processor time per delivery; and, hardly touched by noise, what share of a core the main thread
takes, which does nothing else but watch the run and draw. Nothing is gated here. Needs nginx; sends to loopback only, a fixed count,
and stops what it started.
"""

import fcntl
import json
import os
import pathlib
import pty
import resource
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

EMIT8 = os.environ.get("EMIT8", "build/release/emit8")
ROUNDS = int(os.environ.get("ROUNDS", "9"))
COUNT = int(os.environ.get("COUNT", "200000"))
CONNECTIONS = 64

NGINX = """
worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u;
  scgi_temp_path {dir}/s; keepalive_requests 10000000;
  server {{ listen 127.0.0.1:{port} backlog=1024; location / {{ return 200 'ok'; }} }}
}}
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    sys.exit("nginx did not start")


def drain(master, size):
    while True:
        try:
            size[0] += len(os.read(master, 65536))
        except OSError:
            return


def watch(pid, share):
    """The share of a core that the main thread has taken since the first look."""
    first = None
    try:
        while True:
            used, now = int(open(f"/proc/{pid}/task/{pid}/schedstat").read().split()[0]) / 1e9, time.monotonic()
            first = first or (used, now)
            if now - first[1] > 0.5:
                share[0] = (used - first[0]) / (now - first[1])
            time.sleep(0.1)
    except (OSError, IndexError):
        return


def run(scratch, port, *options):
    """Deliveries a second, processor seconds per million of them, bytes that were drawn, the main thread's share of a core."""
    secret, log = scratch / "secret", scratch / "bench.db"
    secret.write_text("bench-secret-0123456789abcdef\n")
    for path in scratch.glob("bench.db*"):
        path.unlink()
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    size, share = [0], [0.0]
    threading.Thread(target=drain, args=(master, size), daemon=True).start()
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with subprocess.Popen(
        [EMIT8, "send", "*", "-n", str(COUNT), "-c", str(CONNECTIONS), "--to", f"http://127.0.0.1:{port}/", "--secret-file",
         str(secret), "--log", str(log), "--workers", "1", "--format", "json", *options],
        stdin=slave, stderr=slave, stdout=subprocess.PIPE, start_new_session=True, env={**os.environ, "TERM": "xterm-256color"},
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    ) as process:
        threading.Thread(target=watch, args=(process.pid, share), daemon=True).start()
        report = json.loads(process.stdout.read())
        assert process.wait(300) == 0
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert report["totals"]["delivered"] == COUNT
    os.close(slave)
    os.close(master)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return COUNT / took, cpu / COUNT * 1e6, size[0], share[0]


def measure(scratch, port):
    figures = {"view": [], "quiet": []}
    for i in range(ROUNDS):
        for name in ("view", "quiet") if i % 2 else ("quiet", "view"):
            figures[name].append(run(scratch, port, *(["--quiet"] if name == "quiet" else [])))
    assert min(f[2] for f in figures["view"]) > 1000, "nothing was drawn"
    return figures


def main():
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if not nginx:
        sys.exit("needs nginx")
    with tempfile.TemporaryDirectory() as name:
        scratch, port = pathlib.Path(name), free_port()
        (scratch / "nginx.conf").write_text(NGINX.format(dir=name, port=port))
        server = subprocess.Popen([nginx, "-c", str(scratch / "nginx.conf"), "-p", name], stderr=subprocess.DEVNULL)
        try:
            wait_for(port)
            figures = measure(scratch, port)
        finally:
            server.terminate()
            server.wait(timeout=20)
    rate = {name: statistics.median(f[0] for f in rounds) for name, rounds in figures.items()}
    cpu = {name: statistics.median(f[1] for f in rounds) for name, rounds in figures.items()}
    main_share = {name: statistics.median(f[3] for f in rounds) for name, rounds in figures.items()}
    pairs = [v[0] / q[0] for v, q in zip(figures["view"], figures["quiet"])]
    for name in figures:
        print(f"{name:6} {rate[name]:10,.0f}/s   {cpu[name]:6.2f} s of processor for a million   main thread {main_share[name]:.2%} of a core", file=sys.stderr)
    ratios = {"rate": rate["view"] / rate["quiet"], "rate_of_pairs": statistics.median(pairs), "processor": cpu["view"] / cpu["quiet"]}
    ratios["share_of_a_core"] = main_share["view"] - main_share["quiet"]
    print("view / quiet: " + ", ".join(f"{name} {ratio:.4f}" for name, ratio in ratios.items()), file=sys.stderr)
    print(json.dumps({"rounds": ROUNDS, "count": COUNT, "figures": figures, "ratios": ratios}))


if __name__ == "__main__":
    main()
