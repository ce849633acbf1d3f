#!/usr/bin/python3
"""Requests a second to the same nginx: emit8, each request another event, rendered and signed, against load generators that send one
body again and again, and against wrk with a script that signs a body of its own each time.

nginx has one core, the sender the other (all of its threads: emit8's log writer too). Its first read holds the whole request of
each sender: with the usual 1 KB it would read those of emit8 (1.2 KB) twice and be the limit itself, while those of wrk (0.7 KB)
fit. COUNT is large enough that all send for some seconds: those that send by time do, and connections are made and caches warmed
once. Rounds alternate, so that noise of the machine hits all alike; medians and ratios are printed, as a table and as JSON, with how
busy nginx was: near 100 % it is what limits the sender, and no other could be much faster. Told is also what the log costs a delivery
in CPU time (the least of all rounds, with the log and without). On one busy core emit8 makes most rows of its log after the last
answer: how long that takes is told, and the rate that remains when it is counted as if it were sending. Nothing is gated. Tools that are not installed are left out, and named. Sends to loopback only, bounded in count and
time, and stops what it started. ROUNDS and COUNT may be set.
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
COUNT = int(os.environ.get("COUNT", "300000"))
CONNECTIONS = 64
SECONDS = 3  # for those that send by time
BODY = 600
PLAIN, TLS, HTTP2 = "HTTP/1.1", "HTTP/1.1 over TLS", "HTTP/2 over TLS"

NGINX = """
worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u;
  scgi_temp_path {dir}/s; client_header_buffer_size 2k; keepalive_requests 100000000; http2_max_requests 100000000; http2_max_concurrent_streams 128;
  ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem; ssl_session_cache shared:s:1m;
  server {{ listen 127.0.0.1:{plain} backlog=1024; location / {{ return 200 'ok'; }} }}
  server {{ listen 127.0.0.1:{tls} ssl backlog=1024; location / {{ return 200 'ok'; }} }}
  server {{ listen 127.0.0.1:{http2} ssl http2 backlog=1024; location / {{ return 200 'ok'; }} }}
}}
"""

STATIC_LUA = f"""
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = string.rep("x", {BODY})
"""

# As a person would write it who has to sign with wrk: LuaJIT calls OpenSSL.
SIGNING_LUA = f"""
local ffi = require("ffi")
ffi.cdef[[
const void *EVP_sha256(void);
unsigned char *HMAC(const void *md, const void *key, int key_size, const unsigned char *data, size_t n, unsigned char *out, unsigned *size);
]]
local crypto = ffi.load("libcrypto.so.3")
local key, digest, size = "bench-secret-0123456789abcdef", ffi.new("unsigned char[64]"), ffi.new("unsigned[1]")
local hex, format, count = {{}}, string.format, 0
for i = 0, 255 do hex[i] = format("%02x", i) end
local rest = string.rep("x", {BODY} - 40)
local parts = {{}}
function request()
  count = count + 1
  local body = format('{{"id":"evt_%012d","data":"%s"}}', count, rest)
  crypto.HMAC(crypto.EVP_sha256(), key, #key, body, #body, digest, size)
  for i = 0, 31 do parts[i + 1] = hex[digest[i]] end
  wrk.headers["X-8bit-Signature-256"] = "sha256=" .. table.concat(parts)
  return wrk.format("POST", nil, nil, body)
end
"""


def free_ports(count):
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def wait_for(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    sys.exit("nginx did not start")


def on_core(core, command):
    """Where there is one core alone, all share it."""
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cores[core % len(cores)]), *map(str, command)]


def output(command, **options):
    done = subprocess.run(on_core(0, command), capture_output=True, timeout=300, check=False, **options)
    if done.returncode != 0:
        sys.exit(f"{command[0]}: {done.stderr.decode()[-2000:]}")
    return done.stdout.decode()


def cpu_of(pid):
    """Seconds, of the process and its children."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = [pathlib.Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in [pid, *children]]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def cpu_of_children():
    use = resource.getrusage(resource.RUSAGE_CHILDREN)
    return use.ru_utime, use.ru_stime


def log_cost(on, off):
    """Microseconds a delivery. What disturbs a round only adds to it, so the least is the truest."""
    with_log, without = ([min(spent[i] for spent in rounds) / COUNT * 1e6 for i in (0, 1)] for rounds in (on, off))
    user, system = (a - b for a, b in zip(with_log, without))
    return {"user_us": user, "system_us": system, "ratio": sum(with_log) / sum(without)}


class Bench:
    def __init__(self, scratch):
        self.scratch = scratch
        self.ports = dict(zip((PLAIN, TLS, HTTP2), free_ports(3)))
        self.secret = self.file("secret", "bench-secret-0123456789abcdef\n")
        self.body = self.file("body", "x" * BODY)
        self.static = self.file("static.lua", STATIC_LUA)
        self.signing = self.file("signing.lua", SIGNING_LUA)
        self.whole = []  # seconds that each run of emit8 with its log took over HTTP/1.1, start and end of the program included

    def file(self, name, text):
        path = self.scratch / name
        path.write_text(text)
        return path

    def url(self, way):
        scheme = "http" if way == PLAIN else "https"
        return f"{scheme}://127.0.0.1:{self.ports[way]}/"

    def start(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.scratch / "key.pem", "-out",
             self.scratch / "cert.pem", "-days", "2", "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1"],
            check=True, capture_output=True)
        config = self.file("nginx.conf", NGINX.format(dir=self.scratch, plain=self.ports[PLAIN], tls=self.ports[TLS],
                                                      http2=self.ports[HTTP2]))
        nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
        server = subprocess.Popen(on_core(1, [nginx, "-c", config, "-p", self.scratch]), stderr=subprocess.DEVNULL)
        wait_for(self.ports[HTTP2])
        return server

    # Each returns requests a second, by the sender's own count.

    def emit8(self, way, *options):
        for path in self.scratch.glob("bench.db*"):
            path.unlink()
        began = time.monotonic()
        out = json.loads(output(
            [EMIT8, "send", "*", "-n", COUNT, "-c", CONNECTIONS, "--to", self.url(way), "--secret-file", self.secret, "--cacert",
             self.scratch / "cert.pem", "--workers", 1, "--log", self.scratch / "bench.db", "--format", "json", "-q", *options]))
        assert out["totals"]["delivered"] == COUNT, out["totals"]
        if way == PLAIN and not options:
            self.whole.append((time.monotonic() - began, out["run"]["elapsed_s"]))
        return COUNT / out["run"]["elapsed_s"]

    def wrk(self, way, script):
        text = output(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}", "-s", script, self.url(way)])
        assert "Non-2xx" not in text, text
        return float(re.search(r"Requests/sec:\s*([\d.]+)", text)[1])

    def hey(self, way):
        text = output(["hey", "-n", COUNT, "-c", CONNECTIONS, "-m", "POST", "-D", self.body, "-cpus", 1, self.url(way)])
        return float(re.search(r"Requests/sec:\s*([\d.]+)", text)[1])

    def ab(self, way):
        text = output(["ab", "-q", "-k", "-n", COUNT, "-c", CONNECTIONS, "-T", "application/json", "-p", self.body, self.url(way)])
        return float(re.search(r"Requests per second:\s*([\d.]+)", text)[1])

    def h2load(self, way, *options):
        text = output(["h2load", "-n", COUNT, "-t", 1, "-d", self.body, *options, self.url(way)])
        return float(re.search(r"([\d.]+) req/s", text)[1])

    def autocannon(self, way, program):
        text = output(["node", program, "-j", "-d", SECONDS, "-c", CONNECTIONS, "-m", "POST", "-i", self.body, self.url(way)])
        return json.loads(text)["requests"]["average"]


def autocannon_program():
    """Installed beside the build, where npm can be reached."""
    place = pathlib.Path("build/bench").resolve()
    program = place / "node_modules/autocannon/autocannon.js"
    if not program.exists() and shutil.which("npm") and shutil.which("node"):
        place.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", place, "autocannon@8"],
                           capture_output=True, timeout=120, check=False)
        except subprocess.TimeoutExpired:
            pass
    return program if program.exists() else None


def senders(bench):
    cannon = autocannon_program()
    streams = ["-c", 4, "-m", CONNECTIONS // 4]
    table = [
        (PLAIN, "emit8, log on", None, lambda w: bench.emit8(w)),
        (PLAIN, "emit8, log off", None, lambda w: bench.emit8(w, "--no-log")),
        (PLAIN, "emit8, libcurl's HTTP/1.1, log off", None, lambda w: bench.emit8(w, "--no-log", "--http", "1.1")),
        (PLAIN, "wrk, one static body", "wrk", lambda w: bench.wrk(w, bench.static)),
        (PLAIN, "wrk, signing each body", "wrk", lambda w: bench.wrk(w, bench.signing)),
        (PLAIN, "h2load --h1", "h2load", lambda w: bench.h2load(w, "--h1", "-c", CONNECTIONS)),
        (PLAIN, "ab", "ab", bench.ab),
        (PLAIN, "hey", "hey", bench.hey),
        (PLAIN, "autocannon", "node" if cannon else "autocannon", lambda w: bench.autocannon(w, cannon)),
        (TLS, "emit8, log on", None, lambda w: bench.emit8(w)),
        (TLS, "emit8, log off", None, lambda w: bench.emit8(w, "--no-log")),
        (TLS, "wrk, one static body", "wrk", lambda w: bench.wrk(w, bench.static)),
        (HTTP2, "emit8, log on", None, lambda w: bench.emit8(w, "--http", "2")),
        (HTTP2, "h2load, 4 connections", "h2load", lambda w: bench.h2load(w, *streams)),
    ]
    for way, name, tool, _ in table:
        if tool and not shutil.which(tool):
            print(f"{way}: {name}: left out, {tool} is not installed", file=sys.stderr)
    return [row for row in table if not row[2] or shutil.which(row[2])]


def main():
    if not shutil.which("nginx", path="/usr/sbin:/usr/bin"):
        sys.exit("needs nginx")
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(pathlib.Path(name))
        rows = senders(bench)
        figures = {(way, sender): [] for way, sender, _, _ in rows}
        spent, busy = ({key: [] for key in figures} for _ in range(2))
        server = bench.start()
        try:
            for _ in range(ROUNDS):
                for way, sender, tool, run in rows:
                    before, busy_before = cpu_of_children(), cpu_of(server.pid)
                    figures[way, sender].append(rate := run(way))
                    took = SECONDS if tool in ("wrk", "node") else COUNT / rate
                    busy[way, sender].append((cpu_of(server.pid) - busy_before) / took)
                    spent[way, sender].append([after - was for was, after in zip(before, cpu_of_children())])
        finally:
            server.terminate()
            server.wait(timeout=20)
    medians, busy = ({key: statistics.median(values) for key, values in of.items()} for of in (figures, busy))
    print(f"{'':20} {'':36} {'requests/s':>12} {'nginx busy':>12}   emit8 with its log is")
    for (way, sender), rate in medians.items():
        print(f"{way:20} {sender:36} {rate:12,.0f} {busy[way, sender]:12.0%}   {medians[way, 'emit8, log on'] / rate:5.2f} x")
    cost = log_cost(spent[PLAIN, "emit8, log on"], spent[PLAIN, "emit8, log off"])
    print(f"the log, for each delivery over {PLAIN}: {cost['user_us']:.2f} us user, {cost['system_us']:.2f} us system; with it"
          f" {cost['ratio']:.2f} x the CPU time")
    whole, sending = (statistics.median(run[i] for run in bench.whole) for i in (0, 1))
    print(f"of emit8 with its log, {whole - sending:.2f} s of {whole:.2f} s are before the first request and after the last answer (start, rows of"
          f" the log, report); all of it counted, {COUNT / whole:,.0f} requests/s")
    print(json.dumps({"log_cost": cost, "whole_run": {"seconds": whole, "of_which_sending": sending}, "rounds": ROUNDS, "count": COUNT, "connections": CONNECTIONS, "body_bytes": BODY, "requests_per_s": [
        {"way": way, "sender": sender, "median": medians[way, sender], "receiver_busy": busy[way, sender], "rounds": rates}
        for (way, sender), rates in figures.items()]}))


if __name__ == "__main__":
    main()
