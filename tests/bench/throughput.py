#!/usr/bin/python3
"""Deliveries a second: emit8, with real events and the delivery log, against a static body from wrk, to the same nginx.

Rounds alternate, so that noise of the machine hits all alike; medians and their ratio are printed, as a table and as JSON, and what the log
costs a delivery in CPU time (the least of all rounds, with the log and without). Nothing is gated here. Needs nginx; wrk is left out where it is not installed. Sends to loopback only, a fixed count, and stops what it started.
"""

import json
import os
import pathlib
import re
import resource
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


def cpu_of_children():
    use = resource.getrusage(resource.RUSAGE_CHILDREN)
    return use.ru_utime, use.ru_stime


def emit8(scratch, port, spent, *options):
    log = scratch / "bench.db"
    for path in scratch.glob("bench.db*"):
        path.unlink()
    secret = scratch / "secret"
    secret.write_text("bench-secret-0123456789abcdef\n")
    before = cpu_of_children()
    began = time.monotonic()
    done = subprocess.run(
        [EMIT8, "send", "*", "-n", str(COUNT), "-c", str(CONNECTIONS), "--to", f"http://127.0.0.1:{port}/", "--secret-file",
         str(secret), "--log", str(log), "--format", "json", "-q", *options],
        capture_output=True, timeout=300, check=False)
    took = time.monotonic() - began
    spent.append([(after - was) / COUNT * 1e6 for was, after in zip(before, cpu_of_children())])
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["totals"]["delivered"] == COUNT
    return COUNT / took


def log_cost(on, off):
    """Microseconds a delivery. What disturbs a round only adds to it, so the least is the truest."""
    least = {name: [min(spent[i] for spent in rounds) for i in (0, 1)] for name, rounds in (("on", on), ("off", off))}
    user, system = (least["on"][i] - least["off"][i] for i in (0, 1))
    return {"user_us": user, "system_us": system, "ratio": sum(least["on"]) / sum(least["off"])}


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
            on, off = [], []
            senders = {"emit8, log on": lambda: emit8(scratch, port, on, "--workers", "1"),
                       "emit8, log off": lambda: emit8(scratch, port, off, "--workers", "1", "--no-log")}
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
    cost = log_cost(on, off)
    print(f"the log, for each delivery: {cost['user_us']:.2f} us user, {cost['system_us']:.2f} us system; with it {cost['ratio']:.2f} x"
          " the CPU time", file=sys.stderr)
    print(json.dumps({"log_cost": cost, "rounds": ROUNDS, "connections": CONNECTIONS, "requests_per_s": figures, "median": medians}))


if __name__ == "__main__":
    main()
