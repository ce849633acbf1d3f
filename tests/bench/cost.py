#!/usr/bin/python3
"""Instructions for each delivery, by part: rendering, signing, the request, sending, receiving, recording, the log.

Counted by callgrind, so that nothing else on the machine matters: two runs of real events against nginx, with the log on, one longer
than the other; what the longer one costs more, divided by how many deliveries it made more, is what one costs. Valgrind knows no SHA
instructions, so SHA-256 is counted as it runs without them, in a row of its own. Printed as a table and as JSON; nothing is gated.
Needs nginx and valgrind. Sends to loopback only, a fixed count, and stops what it started.
"""

import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from throughput import free_ports, wait_for

EMIT8 = os.environ.get("EMIT8", "build/release/emit8")
COUNTS = (1000, 4000)
CONNECTIONS = 16

NGINX = """
worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u;
  scgi_temp_path {dir}/s; keepalive_requests 100000000;
  server {{ listen 127.0.0.1:{port} backlog=1024; location / {{ return 200 'ok'; }} }}
}}
"""


class Calls:
    """What callgrind counted: `inside` by function (with all that it called), all of libcrypto, all threads but the main one."""

    def __init__(self, text):
        self.inside = collections.Counter()
        self.crypto = self.threads = 0
        function = called = binary = None
        is_call = False
        for line in text.splitlines():
            key, equals, value = line.partition("=")
            if equals and key in ("fn", "cfn"):
                name = value.partition("'")[0].partition(".")[0]  # 'N: the N-th level of a recursion; .part.N: what was not inlined
                function, called = (name, called) if key == "fn" else (function, name)
            elif equals and key == "ob":
                binary = value
            elif equals and key == "calls":
                is_call = True
            elif line[:1].isdigit() and function:
                cost = int(line.split()[-1])
                if is_call:
                    self.inside[called] += 0 if called == function else cost
                    self.threads += cost if function == "start_thread" else 0
                elif "libcrypto" in binary:
                    self.crypto += cost
                is_call = False


def measure(scratch, port, count):
    out, log = scratch / f"callgrind.{count}", scratch / f"{count}.db"
    secret = scratch / "secret"
    secret.write_text("bench-secret-0123456789abcdef\n")
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--compress-strings=no", "--compress-pos=no", f"--callgrind-out-file={out}", EMIT8, "send",
         "*", "-n", str(count), "-c", str(CONNECTIONS), "--to", f"http://127.0.0.1:{port}/", "--secret-file", str(secret), "--log",
         str(log), "--format", "json", "-q", "--workers", "1", "--seed", "7"],
        capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["totals"]["delivered"] == count
    return Calls(out.read_text())


def split(calls):
    """The parts as they are called from e8_worker_main on, and the log's thread."""
    inside = calls.inside
    parts = {
        "render": inside["e8_event_render"],
        "sign, SHA-256 and OpenSSL": calls.crypto,
        "sign, ours": inside["e8_signer_sign"] - calls.crypto,
        "request": inside["e8_request_build"] - inside["e8_signer_sign"],
        "send": inside["e8_transport_submit"],
        "receive": inside["e8_transport_wait"],
        "record": inside["e8_record_attempt"] + inside["e8_record_event"],
    }
    parts["engine"] = inside["e8_worker_main"] - sum(parts.values())
    parts["log's thread"] = calls.threads - inside["e8_worker_main"]
    return parts


def main():
    for tool in ("nginx", "valgrind"):
        if not shutil.which(tool, path="/usr/sbin:/usr/bin"):
            sys.exit(f"needs {tool}")
    with tempfile.TemporaryDirectory() as name:
        scratch, port = pathlib.Path(name), free_ports(1)[0]
        (scratch / "nginx.conf").write_text(NGINX.format(dir=name, port=port))
        server = subprocess.Popen([shutil.which("nginx", path="/usr/sbin:/usr/bin"), "-c", str(scratch / "nginx.conf"), "-p", name],
                                  stderr=subprocess.DEVNULL)
        try:
            wait_for(port)
            few, many = (split(measure(scratch, port, count)) for count in COUNTS)
        finally:
            server.terminate()
            server.wait(timeout=20)
    each = {part: round((many[part] - few[part]) / (COUNTS[1] - COUNTS[0])) for part in many}
    for part, cost in each.items():
        assert cost > 0, f"{part}: none counted; is the program stripped?"
        print(f"{part:26} {cost:8,}", file=sys.stderr)
    print(f"{'in all':26} {sum(each.values()):8,}", file=sys.stderr)
    print(json.dumps({"deliveries": COUNTS[1] - COUNTS[0], "connections": CONNECTIONS, "instructions_per_delivery": each}))


if __name__ == "__main__":
    main()
