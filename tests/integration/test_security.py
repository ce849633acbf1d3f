"""Where emit8 may send to, and what must never come out of it: secrets, and a receiver's control characters on a terminal."""

import base64
import json
import os
import re
import socket
import sqlite3

import pytest

import kit

# --- targets ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def refused(tmp_path):
    """Runs without a network where the system allows that, so that not even a bug reaches another machine."""

    def run(*args, env=None):
        before = kit.tree(tmp_path)
        done = kit.emit8(*args, "--log", tmp_path / "log.db", env={"EMIT8_SECRET": kit.SECRET, **(env or {})}, preexec_fn=kit.offline)
        assert done.returncode == 2, (done.returncode, done.out, done.err)
        assert done.out == ""
        assert kit.tree(tmp_path) == before, "a log was made"
        return done.err

    return run


FOREIGN = {
    "TEST-NET": ("http://192.0.2.1/hook", [], "192.0.2.1"),
    "TEST-NET with TLS": ("https://192.0.2.1:8443/hook", [], "192.0.2.1"),
    "private": ("http://10.0.0.1/", [], "10.0.0.1"),
    "all interfaces": ("http://0.0.0.0:8080/", [], "0.0.0.0"),
    "IPv6": ("http://[2001:db8::1]/", [], "2001:db8::1"),
    "IPv6 of IPv4": ("http://[::ffff:192.0.2.1]/", [], "192.0.2.1"),
    "decimal": ("http://3221225985/", [], ""),
    "hexadecimal": ("http://0xc0000201/", [], ""),
    "short": ("http://192.1/", [], ""),
    "octal": ("http://0300.0.02.01/", [], ""),
    "resolved": ("http://hooks.test/", ["--resolve", "hooks.test:80:192.0.2.1"], "192.0.2.1"),
    "localhost resolved": ("http://localhost/", ["--resolve", "localhost:80:192.0.2.1"], "192.0.2.1"),
    "all resolved": ("http://hooks.test/", ["--resolve", "*:80:192.0.2.1"], "192.0.2.1"),
    "connected to": ("http://localhost/", ["--connect-to", "localhost:80:192.0.2.1:80"], "192.0.2.1"),
    "all connected to": ("http://127.0.0.1/", ["--connect-to", "::192.0.2.1:80"], "192.0.2.1"),
    "connected and resolved": ("http://localhost/", ["--connect-to", "localhost:80:hooks.test:80", "--resolve", "hooks.test:80:192.0.2.1"], "192.0.2.1"),
    "another is allowed": ("http://192.0.2.1/", ["--allow-target", "192.0.2.2"], "192.0.2.1"),
    "another block is allowed": ("http://192.0.2.1/", ["--allow-target", "192.0.3.0/24"], "192.0.2.1"),
    "another name is allowed": ("http://hooks.test/", ["--resolve", "hooks.test:80:192.0.2.1", "--allow-target", "other.test"], "192.0.2.1"),
    "link-local": ("http://169.254.1.1/", [], "169.254.1.1"),
    "link-local in an allowed block": ("http://169.254.1.1/", ["--allow-target", "169.254.0.0/16"], "169.254.1.1"),
    "metadata": ("http://169.254.169.254/latest/", [], "169.254.169.254"),
    "metadata in an allowed block": ("http://169.254.169.254/", ["--allow-target", "169.254.0.0/16", "--allow-target", "0.0.0.0/0"], "169.254.169.254"),
    "metadata behind an allowed name": ("http://hooks.test/", ["--resolve", "hooks.test:80:169.254.169.254", "--allow-target", "hooks.test"], "169.254.169.254"),
    "metadata as IPv6": ("http://[::ffff:169.254.169.254]/", ["--allow-target", "0.0.0.0/0", "--allow-target", "::/0"], "169.254.169.254"),
    "metadata of another cloud": ("http://[fd00:ec2::254]/", ["--allow-target", "::/0"], "fd00:ec2::254"),
    "IPv6 link-local": ("http://[fe80::1]/", ["--allow-target", "fe80::/10"], "fe80::1"),
    "proxy": ("http://localhost/", ["-x", "http://192.0.2.1:3128"], "192.0.2.1"),
    "behind a proxy": ("http://hooks.test/", ["-x", "http://127.0.0.1:1"], "hooks.test"),
    "address behind a proxy": ("http://192.0.2.1/", ["-x", "http://127.0.0.1:1"], "192.0.2.1"),
    "metadata behind a proxy": ("http://169.254.169.254/", ["-x", "http://127.0.0.1:1", "--allow-target", "169.254.0.0/16"], "169.254.169.254"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_target(tmp_path, refused, name):
    url, args, shown = FOREIGN[name]
    err = refused("send", "message.sent", "--to", url, *args)
    assert shown in err
    assert "--allow-target" in err.split("; ", 1)[1], err
    (tmp_path / "s.yaml").write_text(f"endpoints: {{a: {{url: 'http://127.0.0.1:1/'}}, b: {{url: '{url}'}}}}\nflows: {{f: [{{emit: message.sent}}]}}\n")
    assert shown in refused("run", tmp_path / "s.yaml", *args)


def test_unknown_name(refused):
    """A name that leads nowhere is no target. (Allowed, its attempts fail: see the outcome dns_failed.)"""
    assert "hooks.invalid" in refused("send", "message.sent", "--to", "http://hooks.invalid/")


def test_metadata_needs_its_own_name():
    """Allowed by its very address it would be sent to: so much, and no more, can be seen without sending."""
    done = kit.emit8("send", "message.sent", "--to", "http://169.254.169.254/", "--allow-target", "169.254.169.254", "--no-log",
                     "--retries", "0", "--timeout", "300ms", preexec_fn=kit.offline)
    if done.returncode == 2:
        pytest.fail(done.err)
    assert re.search(r"connect_(failed|timeout)", done.out), done.out


def test_mixed_addresses_send_to_the_permitted_alone(tmp_path):
    """One name, two addresses: the socket of the one that is not permitted is never opened."""
    with kit.Capture() as server:
        port = server.url.rsplit(":", 1)[1]
        done = kit.emit8("send", "message.sent", "--to", f"http://hooks.test:{port}/", "--resolve", f"hooks.test:{port}:127.0.0.1,192.0.2.1",
                         "--log", tmp_path / "log.db")
        assert done.returncode == 0, done.err
        assert len(server.requests) == 1


@pytest.mark.parametrize("args, url", [
    (["--connect-to", "hooks.test:80:127.0.0.1:PORT"], "http://hooks.test/"),
    (["--connect-to", "192.0.2.1:80:127.0.0.1:PORT"], "http://192.0.2.1/"),
    (["--connect-to", "::127.0.0.1:PORT"], "http://169.254.169.254/"),
    (["--connect-to", "::[::1]:PORT6"], "http://hooks.test/"),
    (["--resolve", "hooks.test:PORT:127.0.0.1"], "http://hooks.test:PORT/"),
    ([], "http://localhost:PORT/"),
    ([], "http://127.0.0.1:PORT/"),
    ([], "http://127.8.9.10:PORT/"),
    ([], "http://[::1]:PORT6/"),
])
def test_loopback_is_free(args, url):
    """What ends on loopback needs no permission, whatever it is called."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    everywhere = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    port = str(everywhere.getsockname()[1])
    with kit.RawPeer(lambda connection, n: kit.serve_forever(connection), everywhere) as peer:
        args = [a.replace("PORT6", port).replace("PORT", port) for a in args]
        url = url.replace("PORT6", port).replace("PORT", port)
        done = kit.emit8("send", "message.sent", "--to", url, *args, "--no-log", "--retries", "0")
        if done.returncode and "[" in url + "".join(args):
            pytest.skip("no IPv6 loopback here")
        assert done.returncode == 0, done.out + done.err
        assert peer.accepted == 1


def test_targets_of_the_scenario_allow(tmp_path, refused):
    """targets.allow permits as the option does, and metadata just as little."""
    text = "endpoints: {{a: {{url: 'http://{0}/'}}}}\nflows: {{f: [{{emit: message.sent}}]}}\ntargets: {{allow: [{1}]}}\n"
    (tmp_path / "s.yaml").write_text(text.format("192.0.2.1", "192.0.2.0/24"))
    done = kit.emit8("run", tmp_path / "s.yaml", "--no-log", "--retries", "0", "--timeout", "300ms", preexec_fn=kit.offline)
    assert done.returncode == 1 and re.search(r"connect_(failed|timeout)", done.out), done.out + done.err
    (tmp_path / "s.yaml").write_text(text.format("169.254.169.254", "169.254.0.0/16"))
    assert "169.254.169.254" in refused("run", tmp_path / "s.yaml")


def test_redirect_to_a_foreign_target_is_not_followed(tmp_path):
    with kit.Capture(lambda request: (307, {"Location": "http://192.0.2.1/"})) as server:
        done = kit.emit8("send", "message.sent", "--to", server.url, "--retries", "0", "--log", tmp_path / "log.db")
        assert done.returncode == 1 and len(server.requests) == 1
    assert [a["outcome"] for a in kit.attempts(tmp_path / "log.db")] == ["redirect"]


def test_resend_asks_again(tmp_path):
    """The target of a resend is checked like any other."""
    with kit.Capture() as server:
        kit.emit8("send", "message.sent", "--to", server.url, "--log", tmp_path / "log.db")
    delivery = kit.attempts(tmp_path / "log.db")[0]["delivery_id"]
    done = kit.emit8("log", tmp_path / "log.db", "--resend", delivery, "--to", "http://192.0.2.1/", preexec_fn=kit.offline)
    assert done.returncode == 2 and "--allow-target" in done.err
    assert len(kit.attempts(tmp_path / "log.db", "--run", "all")) == 1


# --- secrets ---------------------------------------------------------------------------------------------------------

RAW = "hushhush+raw/0123456789=abcdef"
WHSEC = "whsec_" + base64.b64encode(b"hushhush-standard-webhooks").decode()
TOKEN = "hushtoken0123456789"
PASSWORD = "hushpassword0123456789"
BEARER = "hushbearer0123456789"
PROXY = "hushproxy0123456789"


def forms(secret):
    """How a secret could stand in an artefact: as it is, without its prefix, decoded, in base64, in hex, percent-encoded."""
    bare = secret.removeprefix("whsec_")
    yield secret.encode()
    yield bare.encode()
    yield base64.b64encode(bare.encode()).rstrip(b"=")[:-1]
    yield bare.encode().hex().encode()
    yield bare.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D").encode()
    if secret.startswith("whsec_"):
        yield base64.b64decode(bare)


def check_artefacts(path, runs, secrets):
    """Nothing that was printed and no file that was made holds one of the secrets."""
    artefacts = {f"{i}: {name}": data for i, run in enumerate(runs) for name, data in (("stdout", run.stdout), ("stderr", run.stderr))}
    artefacts.update(kit.tree(path))
    assert any(name.endswith(".db") for name in artefacts) and any("report" in name for name in artefacts)
    for name, data in artefacts.items():
        for secret in secrets:
            for form in forms(secret):
                assert form not in data, (name, secret, form)


WAYS = {
    "file": (RAW, "8bit", lambda path: (["--secret-file", path / "in" / "secret"], {})),
    "environment": (RAW, "github", lambda path: ([], {"EMIT8_SECRET": RAW})),
    "file named by the environment": (RAW, "slack", lambda path: ([], {"EMIT8_SECRET_FILE": str(path / "in" / "secret")})),
    "whsec_": (WHSEC, "standard-webhooks", lambda path: ([], {"EMIT8_SECRET": WHSEC})),
    "whsec_ file": (WHSEC, "standard-webhooks", lambda path: (["--secret-file", path / "in" / "secret"], {})),
    "stripe": (RAW, "stripe", lambda path: ([], {"EMIT8_SECRET": RAW})),
}
REPORTS = ["--report-json", "report.json", "--report-ndjson", "report.ndjson", "--report-csv", "report.csv", "--report-text", "report.txt"]


def look_back(log, out, env):
    """All that shows what has been: every format of the log and of the report, and a delivery with its request."""
    delivery = kit.attempts(log, "--run", "all")[0]["delivery_id"]
    for args in (("log", log, "--run", "all"), ("log", log, "--format", "ndjson"), ("log", log, "--format", "csv"), ("report", log),
                 ("report", log, "--format", "json"), ("report", log, "--format", "csv"), ("log", log, "--show", delivery)):
        yield kit.emit8(*args, cwd=out, env=env)


@pytest.mark.parametrize("way", WAYS)
def test_secret_in_no_artefact_of_send(tmp_path, way):
    secret, scheme, give = WAYS[way]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "secret").write_text(secret + "\n")
    out = tmp_path / "out"
    out.mkdir()
    args, env = give(tmp_path)
    with kit.Capture(lambda request: (200, 500, 301, 404)[request["index"] % 4]) as server:
        url = server.url.replace("http://", f"http://user:{PASSWORD}@") + f"/hook?token={TOKEN}&api_key={TOKEN}"
        common = ["--to", url, "--scheme", scheme, *args, "-H", f"Authorization: Bearer {BEARER}", f"-HX-Key: {BEARER}", "--retries", "0",
                  "--log", out / "log.db"]
        runs = [
            kit.emit8("send", "message.*", *common, "-n", "12", "-v", *REPORTS, cwd=out, env=env),
            kit.emit8("send", "message.sent", *common, "--format", "json", "--seed", "x", cwd=out, env=env),
            kit.emit8("send", "message.sent", *common, "--timeout", "x", cwd=out, env=env),
            kit.emit8("send", "message.sent", *common, "--unix-socket", "/nonexistent/socket", cwd=out, env=env),
            kit.emit8("send", "message.sent", *common, "-x", f"http://u:{PROXY}@127.0.0.1:1/", cwd=out, env=env),
            kit.emit8("send", "message.sent", *common, "-x", f"gopher://u:{PROXY}@127.0.0.1:1/", cwd=out, env=env),
            kit.emit8("send", "message.sent", *common, "-H", f"Host: {BEARER}", cwd=out, env=env),
            kit.emit8("send", "message.sent", *common, "-H", f"X-Key: {BEARER}\n", cwd=out, env=env),
            kit.emit8("send", "message.sent", *common, "-H", f"X-Key {BEARER}", cwd=out, env=env),
            *look_back(out / "log.db", out, env),
        ]
        assert server.requests[0]["headers"]["authorization"] in (f"Bearer {BEARER}",)
        assert TOKEN in server.requests[0]["path"]
        assert runs[0].returncode == 1 and runs[1].returncode == 2
    check_artefacts(out, runs, [secret, PASSWORD, TOKEN, BEARER, PROXY])
    assert kit.count(out / "log.db", "run") >= 3


def test_secret_in_no_artefact_of_run(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "file").write_text(RAW + "file\n")
    with kit.Capture(lambda request: (200, 503)[request["index"] % 2]) as server:
        scenario = tmp_path / "s.yaml"
        scenario.write_text(f"""
scenario: hushed
endpoints:
  literal: {{url: '{server.url}/?key={TOKEN}', secret: '{RAW}', headers: {{Authorization: 'Bearer {BEARER}'}}}}
  list: {{url: {server.url}, scheme: stripe, secret: ['{RAW}one', '{RAW}two']}}
  file: {{url: {server.url}, secret: {{file: {tmp_path}/file}}}}
  env: {{url: '${{HOOK}}', secret: {{env: HUSHED}}}}
  whsec: {{url: {server.url}, scheme: standard-webhooks, secret: {WHSEC}}}
flows: {{f: [{{emit: message.sent}}, {{emit: agent.error, set: {{data.x: 1}}}}]}}
run: [{{flow: f, arrivals: {{times: 5, concurrency: 2}}}}]
""")
        env = {"HUSHED": RAW + "env", "HOOK": server.url.replace("//", f"//u:{PASSWORD}@")}
        args = ("run", scenario, "--retries", "0", "--log", out / "log.db")
        runs = [
            kit.emit8(*args, *REPORTS, cwd=out, env=env),
            kit.emit8(*args, "--to", f"literal={server.url}/?key={TOKEN}", cwd=out, env=env),
            kit.emit8(*args, "--to", f"nobody={server.url}/?key={TOKEN}", cwd=out, env=env),
            kit.emit8(*args, "--threshold", "x", cwd=out, env=env),
            kit.emit8("run", scenario, "--sink", "--retries", "0", "--log", out / "log.db", cwd=out, env=env),
            *look_back(out / "log.db", out, env),
        ]
        assert len(server.requests) >= 50
    check_artefacts(out, runs, [RAW, WHSEC, TOKEN, PASSWORD, BEARER])


def test_secret_in_no_artefact_of_the_sink(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "secret").write_text(RAW + "\n")
    (tmp_path / "other").write_text("another-" + RAW + "\n")
    with kit.sink("--secret-file", tmp_path / "secret", "--receipts", out / "receipts.db", "--format", "ndjson") as sink:
        runs = [kit.emit8("send", "message.*", "--to", sink.url, "-n", "3", "--secret-file", tmp_path / name, "--log", out / "log.db",
                          "--report-text", out / "report.txt") for name in ("secret", "other")]
    assert sink.final.startswith("sink: 6 received, 3 verified")
    assert RAW not in sink.final
    check_artefacts(out, runs, [RAW])


def test_secret_in_no_artefact_of_a_killed_run(tmp_path):
    """What lies in the write-ahead file when a run is killed is searched too."""
    out = tmp_path / "out"
    out.mkdir()
    with kit.Capture() as server:
        process = kit.start("send", "*", "--to", f"{server.url}/?token={TOKEN}", "-n", "1000000", "-H", f"Authorization: {BEARER}",
                            "--log", out / "report.db", env={"EMIT8_SECRET": RAW})
        server.wait(200)
        process.kill()
        process.stdout, process.stderr = [stream.read() for stream in (process.stdout, process.stderr)]
        process.wait()
    assert (out / "report.db-wal").stat().st_size > 0
    check_artefacts(out, [process], [RAW, TOKEN, BEARER])


def test_secret_in_no_artefact_of_sign_and_verify(tmp_path):
    (tmp_path / "body").write_text('{"a": 1}')
    for scheme, secret in (("8bit", RAW), ("standard-webhooks", WHSEC), ("stripe", RAW), ("slack", RAW)):
        env = {"EMIT8_SECRET": secret}
        signed = kit.emit8("sign", tmp_path / "body", "--scheme", scheme, "--explain", env=env)
        assert signed.returncode == 0
        headers = [a for line in signed.out.split("\n\n")[0].splitlines() for a in ("-H", line)]
        runs = [signed, kit.emit8("verify", tmp_path / "body", "--scheme", scheme, "--explain", *headers, env=env)]
        (tmp_path / "changed").write_text('{"a": 2}')
        runs.append(kit.emit8("verify", tmp_path / "changed", "--scheme", scheme, "--explain", *headers, env=env))
        assert [r.returncode for r in runs] == [0, 0, 1]
        for run in runs:
            for form in forms(secret):
                assert form not in run.stdout + run.stderr, (scheme, form)


def test_dry_run_shows_no_secret(tmp_path):
    """The dry run shows the request as it would go out, headers and all, but never the secret that signs it."""
    done = kit.emit8("send", "message.sent", "--to", "http://127.0.0.1:1/", "--dry-run", env={"EMIT8_SECRET": RAW})
    assert done.returncode == 0 and "X-8bit-Signature-256: sha256=" in done.out
    for form in forms(RAW):
        assert form not in done.stdout + done.stderr


def test_log_is_private(tmp_path):
    with kit.Capture() as server:
        old = os.umask(0)
        try:
            kit.emit8("send", "message.sent", "--to", server.url, "--log", tmp_path / "log.db", env={"HOME": str(tmp_path)})
            kit.emit8("send", "message.sent", "--to", server.url, env={"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")})
        finally:
            os.umask(old)
    assert (tmp_path / "log.db").stat().st_mode & 0o077 == 0
    assert (tmp_path / "state/emit8/deliveries.db").stat().st_mode & 0o077 == 0


# --- what a receiver sends back --------------------------------------------------------------------------------------

EVIL = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x9b31m\x08\x7f\r\x0e"
ANSWERS = {
    "status line": f"HTTP/1.1 500 {EVIL}\r\nContent-Length: 0\r\n\r\n",
    "header": f"HTTP/1.1 500 No\r\nX-Evil: {EVIL}\r\nContent-Length: 0\r\n\r\n",
    "header's name": "HTTP/1.1 500 No\r\nX-\x1b[31mEvil: x\r\nContent-Length: 0\r\n\r\n",
    "body": f"HTTP/1.1 500 No\r\nContent-Length: {len(EVIL.encode('latin-1'))}\r\n\r\n{EVIL}",
    "body of UTF-8": None,
    "location": f"HTTP/1.1 302 Found\r\nLocation: http://x/{EVIL}\r\nContent-Length: 0\r\n\r\n",
    "Retry-After": f"HTTP/1.1 503 No\r\nRetry-After: {EVIL}\r\nContent-Length: 0\r\n\r\n",
    "not HTTP": f"{EVIL}\r\n\r\n",
    "folded": "HTTP/1.1 500 No\r\nX-A: a\r\n \x1b[31mb\r\nContent-Length: 0\r\n\r\n",
    "chunk": f"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n3;{EVIL}\r\nabc\r\n0\r\nX: {EVIL}\r\n\r\n",
}
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]|\u202e|\u2066")


@pytest.mark.parametrize("part", ANSWERS)
def test_controls_of_a_receiver_reach_no_terminal(tmp_path, part):
    text = ANSWERS[part]
    if text is None:
        body = (EVIL + "\u009b31m").encode()
        answer = b"HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    else:
        answer = text.encode("latin-1")

    def script(connection, n):
        kit.read_request(connection)
        connection.sendall(answer)

    log = tmp_path / "log.db"
    with kit.RawPeer(script) as peer:
        done = kit.emit8("send", "message.sent", "--to", peer.url, "-v", "--retries", "0", "--timeout", "2s", "--color", "never", "--log", log)
        assert done.returncode in (1, 4), done.err
        runs = [done]
        delivery = kit.attempts(log)[0]["delivery_id"]
        for args in (("log", log), ("log", log, "--show", delivery), ("log", log, "--format", "csv"), ("log", log, "--format", "ndjson"),
                     ("report", log), ("report", log, "--format", "json"), ("report", log, "--format", "csv")):
            runs.append(kit.emit8(*args))
        runs.append(kit.emit8("send", "message.sent", "--to", peer.url, "-n", "2", "--retries", "0", "--timeout", "2s", "--no-log"))
        with kit.Terminal("send", "message.sent", "--to", peer.url, "-v", "--retries", "0", "--timeout", "2s", "--no-log", "--color", "never") as terminal:
            terminal.wait()
        runs.append(terminal)
    for run in runs:
        shown = run.text.replace("\r\n", "\n") if run is terminal else run.out + run.err
        if "--show" in getattr(run, "args", ()):
            shown = shown.replace("\r\n", "\n")  # of the request, as it goes over the wire
        assert not CONTROLS.search(shown), (getattr(run, "args", "terminal"), CONTROLS.search(shown), shown)
        assert "owned" not in shown or "\x1b" not in shown
    # The log itself, which others read too.
    with sqlite3.connect(log) as db:
        for (error,) in db.execute("SELECT text FROM error"):
            assert not CONTROLS.search(error)
    db.close()


def test_controls_in_names_that_are_shown(tmp_path):
    """The user's own words reach messages clean as well: a file's name, an option, a type."""
    done = [
        kit.emit8("run", "no\x1b[31mfile.yaml"),
        kit.emit8("send", "mess\x1b[31mage", "--to", "http://127.0.0.1:1/"),
        kit.emit8("--\x1b[31mx"),
        kit.emit8("send", "x", "--\x1b[31my"),
        kit.emit8("log", tmp_path / "a\x1b[31m.db"),
    ]
    for run in done:
        assert run.returncode == 2
        assert "\x1b" not in run.err and "?[31m" in run.err


def test_json_of_the_log_is_json(tmp_path):
    """Every control character that a receiver sends is escaped or gone; the rows stay one line each."""
    with kit.RawPeer(lambda connection, n: (kit.read_request(connection), connection.sendall(ANSWERS["not HTTP"].encode("latin-1")))) as peer:
        kit.emit8("send", "message.sent", "--to", peer.url, "--retries", "2", "--timeout", "2s", "--log", tmp_path / "log.db")
    done = kit.emit8("log", tmp_path / "log.db", "--format", "ndjson")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert len(rows) == 3 and all(row["outcome"] == "not_http" for row in rows)
