#!/usr/bin/python3
"""Deliveries a second: emit8, with real events and the delivery log, against a static body from wrk, to the same nginx.

Rounds alternate, so that noise of the machine hits all alike; medians and their ratio are printed, as a table and as JSON. Nothing is
gated here. Needs nginx; wrk is left out where it is not installed. Sends to loopback only, a fixed count, and stops what it started.
"""

import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

EMIT8 = os.environ.get("EMIT8", "build/release/emit8")
ROUNDS = int(os.environ.get("ROUNDS", "5"))
COUNT = int(os.environ.get("COUNT", "100000"))
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


def emit8(scratch, port, *options):
    log = scratch / "bench.db"
    for path in scratch.glob("bench.db*"):
        path.unlink()
    secret = scratch / "secret"
    secret.write_text("bench-secret-0123456789abcdef\n")
    began = time.monotonic()
    done = subprocess.run(
        [EMIT8, "send", "*", "-n", str(COUNT), "-c", str(CONNECTIONS), "--to", f"http://127.0.0.1:{port}/", "--secret-file",
         str(secret), "--log", str(log), "--format", "json", "-q", *options],
        capture_output=True, timeout=300, check=False)
    took = time.monotonic() - began
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["totals"]["delivered"] == COUNT
    return COUNT / took


def wrk(scratch, port):
    script = scratch / "post.lua"
    script.write_text('wrk.method = "POST"\nwrk.body = string.rep("x", 600)\n')
    done = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", "-d3", "-s", str(script), f"http://127.0.0.1:{port}/"],
                          capture_output=True, timeout=60, check=True)
    return float(re.search(rb"Requests/sec:\s*([\d.]+)", done.stdout)[1])


def main():
    if not shutil.which("nginx", path="/usr/sbin:/usr/bin"):
        sys.exit("needs nginx")
    with tempfile.TemporaryDirectory() as name:
        scratch, port = pathlib.Path(name), free_port()
        (scratch / "nginx.conf").write_text(NGINX.format(dir=name, port=port))
        server = subprocess.Popen([shutil.which("nginx", path="/usr/sbin:/usr/bin"), "-c", str(scratch / "nginx.conf"), "-p", name],
                                  stderr=subprocess.DEVNULL)
        try:
            wait_for(port)
            senders = {"emit8, log on": lambda: emit8(scratch, port, "--workers", "1"),
                       "emit8, log off": lambda: emit8(scratch, port, "--workers", "1", "--no-log")}
            if shutil.which("wrk"):
                senders["wrk, one static body"] = lambda: wrk(scratch, port)
            figures = {sender: [] for sender in senders}
            for _ in range(ROUNDS):
                for sender, run in senders.items():
                    figures[sender].append(run())
        finally:
            server.terminate()
            server.wait(timeout=20)
    medians = {sender: statistics.median(rates) for sender, rates in figures.items()}
    base = medians["emit8, log on"]
    for sender, rate in medians.items():
        print(f"{sender:24} {rate:10,.0f}/s   {rate / base:5.2f} x", file=sys.stderr)
    print(json.dumps({"rounds": ROUNDS, "connections": CONNECTIONS, "requests_per_s": figures, "median": medians}))


if __name__ == "__main__":
    main()
