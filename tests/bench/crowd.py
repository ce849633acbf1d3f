#!/usr/bin/python3
"""Many deliveries at a time: what 10,000 in flight take, how late their deadlines are, and what a delivery costs at 100, 1,000 and 10,000
connections.

The receiver has one core, emit8 the other. In flight: the test receiver answers after 5 s what comes in 2 s, so that all are on the wire together; memory is the most that was
resident. Deadlines: it answers after 8 s, and each attempt ends 3 s after it began; told is how much later. Cost: a closed loop
with nginx, the processor time of a longer run less that of a shorter, so that making the connections does not count; rounds alternate,
medians are told. Printed as a table and as JSON; nothing is gated. Needs nginx and as many file descriptors as connections. Sends to
loopback only, bounded in count and time, and stops what it started. ROUNDS may be set.
"""

import json
import math
import os
import pathlib
import re
import resource
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile

from throughput import free_ports, on_core, wait_for

EMIT8 = os.environ.get("EMIT8", "build/release/emit8")
ROUNDS = int(os.environ.get("ROUNDS", "5"))
CROWD, WITHIN = 10000, 2  # deliveries, seconds in which they are due
CONNECTIONS = (100, 1000, 10000)
QUANTILES = (0.5, 0.9, 0.99, 1)
SHORT, LONG = 50000, 250000  # deliveries of the two runs
SECRET = "bench-secret-0123456789abcdef"

NGINX = """
worker_processes 1; worker_rlimit_nofile 65536; daemon off; pid {dir}/nginx.pid; error_log stderr crit;
events {{ worker_connections 20000; }}
http {{
  access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u;
  scgi_temp_path {dir}/s; client_header_buffer_size 2k; keepalive_requests 100000000; keepalive_timeout 600s;
  server {{ listen 127.0.0.1:{port} backlog=16384; location / {{ return 200 'ok'; }} }}
}}
"""


def run(command, **options):
    """Its output, its processor time in seconds, and the most memory that it held, in MB."""
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env={**os.environ, "EMIT8_SECRET": SECRET}, **options)
    with process.stdout, process.stderr:
        out = process.stdout.read().decode()
        error = process.stderr.read().decode()
    _, status, use = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1, 4):
        sys.exit(f"{command[0]}: {error[-2000:]}")
    return out, use.ru_utime + use.ru_stime, use.ru_maxrss / 1000


def quantile(values, q):
    values = sorted(values)
    return values[max(0, math.ceil(q * len(values)) - 1)]


class Sink:
    def __init__(self, latency):
        self.process = subprocess.Popen(on_core(1, [EMIT8, "sink", "--latency", latency, "--for", "120s", "--quiet"]), stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env={**os.environ, "EMIT8_SECRET": SECRET})
        self.url = None

    def __enter__(self):
        while not self.url:
            line = self.process.stderr.readline()
            found = re.search(r"http://[\d.]+:\d+", line)
            if not line:
                sys.exit("the sink did not start")
            self.url = found and found[0] + "/"
        return self.url

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=60)


def crowd(scratch, name, latency, timeout):
    """The attempts of CROWD deliveries, as (sent, done, total), the memory that it took, and its report."""
    log = scratch / f"{name}.db"
    with Sink(latency) as url:
        out, _, memory = run(on_core(0, [EMIT8, "load", "--to", url, "--rate", f"{CROWD // WITHIN}/s", "-n", CROWD, "--in-flight", 2 * CROWD,
                                         "--timeout", timeout, "--seed", 3, "--log", log, "--format", "json", "--quiet"]))
    with sqlite3.connect(log) as db:
        rows = db.execute("SELECT sent, done, total FROM attempt").fetchall()
    return rows, memory, json.loads(out)


def deadlines(scratch):
    """How late they are, in ms, by quantiles: of each the median of all rounds, since a virtual machine may stand still in one."""
    rounds = {f"p{100 * q:g}": [] for q in QUANTILES}
    for i in range(ROUNDS):
        rows, _, report = crowd(scratch, f"deadlines{i}", "8s", "3s")
        assert report["totals"]["delivered"] == 0 and len(rows) == CROWD, report["totals"]
        late = [total / 1e6 - 3000 for _, _, total in rows]
        for q, values in zip(QUANTILES, rounds.values()):
            values.append(quantile(late, q))
    return {key: statistics.median(values) for key, values in rounds.items()}


def most_at_a_time(rows):
    steps = sorted([(sent, 1) for sent, _, _ in rows] + [(done, -1) for _, done, _ in rows])
    now = most = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


def cost(url, connections):
    """Microseconds of processor time a delivery."""
    spent = []
    for count in (SHORT, LONG):
        _, seconds, _ = run(on_core(0, [EMIT8, "load", "--to", url, "-c", connections, "-n", count, "--workers", 1, "--timeout", "60s", "--no-log",
                                        "--format", "json", "--quiet"]))
        spent.append(seconds)
    return (spent[1] - spent[0]) / (LONG - SHORT) * 1e6


def costs(scratch):
    (port,) = free_ports(1)
    config = scratch / "nginx.conf"
    config.write_text(NGINX.format(dir=scratch, port=port))
    server = subprocess.Popen(on_core(1, [shutil.which("nginx", path="/usr/sbin:/usr/bin"), "-c", config, "-p", scratch]),
                              stderr=subprocess.DEVNULL)
    rounds = {connections: [] for connections in CONNECTIONS}
    try:
        wait_for(port)
        for _ in range(ROUNDS):
            for connections, spent in rounds.items():
                spent.append(cost(f"http://127.0.0.1:{port}/", connections))
    finally:
        server.terminate()
        server.wait(timeout=20)
    return {connections: statistics.median(spent) for connections, spent in rounds.items()}


def main():
    if not shutil.which("nginx", path="/usr/sbin:/usr/bin"):
        sys.exit("needs nginx")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        rows, memory, report = crowd(scratch, "crowd", "5s", "30s")
        flight = most_at_a_time(rows)
        print(f"{flight:,} deliveries in flight at a time: {memory:.0f} MB; {report['totals']['delivered']:,} delivered")
        figures = deadlines(scratch)
        print(f"deadlines of {CROWD:,} attempts, ms after 3 s: " + ", ".join(f"{key} {value:.3f}" for key, value in figures.items()))
        spent = costs(scratch)
        for connections, each in spent.items():
            print(f"{connections:6,} connections: {each:6.2f} us a delivery, {each / spent[CONNECTIONS[0]]:.2f} x that at {CONNECTIONS[0]}")
    print(json.dumps({"in_flight": flight, "memory_mb": memory, "deadline_late_ms": figures, "rounds": ROUNDS,
                      "us_by_connections": {str(key): value for key, value in spent.items()}}))


if __name__ == "__main__":
    main()
