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


# --- the larger commands ---------------------------------------------------------------------------------------------

NEXT = "tamper-proof-next-9f8e7d6c5b4a"
VALUE = "value-of-a-variable-4f5e6d7c"
RESULTS = ["--report-tap", "report.tap", "--report-junit", "report.xml", "--report-json", "report.json", "--report-markdown", "report.md",
           "--report-text", "report.txt"]


def test_secret_in_no_artefact_of_a_larger_run(tmp_path):
    """Rotation, tampering, expectations, variables of the environment and of --var; run, resumed, previewed, validated."""
    out = tmp_path / "out"
    out.mkdir()
    with kit.Capture(lambda request: (200, 401, 500)[request["index"] % 3]) as server:
        scenario = tmp_path / "s.yaml"
        scenario.write_text(f"""
scenario: hushed
vars: {{token: none, n: 2}}
endpoints:
  crm: {{url: '{server.url}/?key=${{KEY}}', secret: {{env: HUSHED}}, rotation: [{{env: HUSHED_NEXT}}, '{RAW}third'],
        headers: {{Authorization: 'Bearer ${{token}}'}}}}
flows:
  f:
    - {{emit: message.sent, headers: {{X-Api-Key: '${{token}}'}}, expect: {{status: 200, body: {{contains: never}}}}}}
    - {{again: retry, tamper: {{headers: {{set: {{X-Auth-Token: '${{token}}'}}}}}}, expect: {{status: 200}}}}
    - {{rotate: crm, grace: 1s}}
    - {{emit: message.sent, tamper: {{signature: previous_secret}}, expect: {{status: 401}}}}
    - {{emit: message.sent, tamper: {{signature: next_secret}}, expect: {{status: 401, header: {{X-A: any}}}}}}
    - {{revoke: crm}}
    - {{rotate: crm}}
    - {{emit: message.sent, deliver: {{duplicate: 2, concurrent: true}}}}
""")
        env = {"HUSHED": RAW + "env", "HUSHED_NEXT": NEXT, "KEY": TOKEN}
        var = ["--var", f"token={VALUE}"]
        args = ("run", scenario, *var, "--retries", "0", "--log", out / "log.db")
        bad = tmp_path / "bad.yaml"
        bad.write_text(scenario.read_text().replace("rotate: crm, grace: 1s", "rotate: cmr, grace: '${token}'").replace("X-A: any", "'${token}': any")
                       + "run: [{flow: '${token}', at: '${KEY}'}]\nthresholds: ['${token} < 5']\n")
        runs = [
            kit.emit8(*args, *REPORTS, *[a.replace("report.", "results.") for a in RESULTS if "json" not in a and "text" not in a and "txt" not in a], cwd=out, env=env),
            *[kit.emit8(*args, "--format", name, cwd=out, env=env) for name in ("text", "json", "tap", "junit", "markdown", "csv", "ndjson")],
            kit.emit8(*args, "--dry-run", cwd=out, env=env),
            kit.emit8(*args, "--plan", "json", cwd=out, env=env),
            kit.emit8(*args, "--plan", "ndjson", cwd=out, env=env),
            kit.emit8(*args, "--resume", cwd=out, env=env),
            kit.emit8("run", bad, *var, "--log", out / "log.db", cwd=out, env=env),
            kit.emit8("validate", scenario, bad, *var, cwd=out, env=env),
            kit.emit8("validate", bad, *var, "--format", "json", cwd=out, env=env),
            kit.emit8("validate", bad, "--var", f"tokn={VALUE}", cwd=out, env=env),
            kit.emit8("validate", bad, "--var", VALUE, cwd=out, env=env),
            kit.emit8("replay", out / "log.db", "--run", "1", "--to", f"{server.url}/?key={TOKEN}", "--fresh-time", "--log", out / "second.db", *REPORTS,
                      "-H", f"Authorization: {BEARER}", cwd=out, env={"EMIT8_SECRET": RAW}),
            kit.emit8("replay", out / "log.db", "--run", "1", "--to", server.url, "--verbatim", cwd=out, env={"EMIT8_SECRET": RAW}),
            *look_back(out / "log.db", out, env), *look_back(out / "second.db", out, env),
        ]
        assert [r.returncode for r in runs[8:11]] == [0, 0, 0], runs[8].err
        assert runs[12].returncode == 2 and runs[13].returncode == 2 and len(runs[12].err) > 200
        sent = server.take()
        assert any(VALUE in r["headers"].get("x-auth-token", "") for r in sent) and any(TOKEN in r["path"] for r in sent)
    check_artefacts(out, runs, [RAW, NEXT, TOKEN, VALUE, BEARER])


@pytest.mark.parametrize("way", ["secrets' files", "environment"])
def test_secret_in_no_artefact_of_a_check(tmp_path, way):
    """A receiver that accepts everything and says the signature back: failures show what was sent and what came."""
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "one").write_text(RAW + "\n")
    (tmp_path / "two").write_text(NEXT + "\n")
    args, env = (["--secret-file", tmp_path / "one"], {}) if way != "environment" else ([], {"EMIT8_SECRET": RAW})
    (tmp_path / "mine.yaml").write_text(f"""flows:
  MINE-01:
    check: {{title: mine}}
    steps: [{{emit: message.sent, headers: {{X-Api-Key: '{BEARER}'}}, expect: {{status: 418}}}}]
""")
    with kit.Capture(lambda request: (200, {"X-Echo": request["headers"].get("x-8bit-signature-256", "")})) as server:
        url = server.url.replace("http://", f"http://user:{PASSWORD}@") + f"/hook?token={TOKEN}"
        common = ["check", "--to", url, *args, "--next-secret-file", tmp_path / "two", "-H", f"Authorization: Bearer {BEARER}", "--checks",
                  tmp_path / "mine.yaml", "--on-rotate", "true", "--on-revoke", "true", "--timeout", "300ms"]
        only = ["--only", "SIG,ROT,MINE,RAW-01,EVT-01"]
        runs = [
            kit.emit8(*common, *only, *RESULTS, "--log", out / "log.db", cwd=out, env=env),
            *[kit.emit8(*common, *only, "--format", name, "--log", out / "log.db", cwd=out, env=env) for name in ("tap", "junit", "json", "markdown")],
            kit.emit8(*common, "--list", cwd=out, env=env),
            kit.emit8(*common, "--only", "NOPE", cwd=out, env=env),
            kit.emit8(*common, "--effect-get", f"ftp://u:{PASSWORD}@x/", "--effect-pointer", "/c", cwd=out, env=env),
            kit.emit8(*common, "--effect-get", f"http://u:{PASSWORD}@192.0.2.1/?k={TOKEN}", "--effect-pointer", "/c", cwd=out, env=env),
            *look_back(out / "log.db", out, env),
        ]
        assert [r.returncode for r in runs[:9]] == [1, 1, 1, 1, 1, 0, 2, 2, 2], [r.err for r in runs[:9]]
        assert server.requests[0]["headers"]["authorization"] in (f"Bearer {BEARER}",) and TOKEN in server.requests[0]["path"]
    assert "MINE-01" in runs[0].out and "FAIL" in runs[0].out
    check_artefacts(out, runs, [RAW, NEXT, PASSWORD, TOKEN, BEARER])


def test_secret_in_no_recording(tmp_path):
    """A recording, and what comes of playing it: neither the sink's secrets, nor values of headers that are secret."""
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "secret").write_text(RAW + "\n")
    with kit.sink("--secret-file", tmp_path / "secret", "--record", out / "report.yaml", "--receipts", out / "receipts.db") as sink:
        runs = [kit.emit8("send", "message.*", "--to", f"{sink.url}/?token={TOKEN}", "-n", "5", "--secret-file", tmp_path / "secret", "-H", f"Authorization: Bearer {BEARER}",
                          "-H", f"X-Api-Key: {BEARER}", "-H", f"Cookie: s={BEARER}", "-H", f"X-Copy: {RAW}", "--set", f"data.note=the secret is {RAW}", "--log", out / "log.db")]
    runs.append(kit.emit8("validate", out / "report.yaml"))
    with kit.Capture() as server:
        runs.append(kit.emit8("replay", out / "report.yaml", "--to", server.url, "--speed", "max", "--log", out / "log.db"))
    assert RAW not in sink.final and BEARER not in sink.final
    for name, data in kit.tree(out).items():
        for form in forms(RAW):
            assert form not in data or name.startswith("log.db"), name  # the body with the secret is the user's own, for the log's edits
        assert BEARER.encode() not in data and TOKEN.encode() not in data, name
    for run in runs:
        assert RAW.encode() not in run.stdout + run.stderr and BEARER.encode() not in run.stdout + run.stderr


# --- commands and other targets need leave ---------------------------------------------------------------------------

MAKES = "[sh, -c, 'echo x >> made']"
WITH_COMMANDS = {
    "exec": f"flows: {{f: [{{emit: message.sent}}, {{exec: {MAKES}}}]}}\n",
    "exec in a branch": f"flows: {{f: [{{parallel: [[{{emit: message.sent}}], [{{repeat: 1, steps: [{{exec: {MAKES}}}]}}]]}}]}}\n",
    "exec that is never chosen": f"flows: {{f: [{{emit: message.sent}}, {{choose: [{{weight: 1, steps: [{{wait: 0s}}]}}, {{weight: 0, steps: [{{exec: {MAKES}}}]}}]}}]}}\n",
    "exec of what is included": "include: [more.yaml]\nflows: {f: [{emit: message.sent}]}\n",
    "effect": f"flows: {{f: [{{emit: message.sent, expect: {{effect: 0..9}}}}]}}\neffect: {{command: {MAKES}}}\n",
}


@pytest.mark.parametrize("kind", WITH_COMMANDS)
def test_commands_need_leave(tmp_path, kind):
    (tmp_path / "more.yaml").write_text(f"flows: {{g: [{{emit: message.sent}}, {{exec: {MAKES}}}]}}\n")
    with kit.Capture() as server:
        (tmp_path / "s.yaml").write_text(f"endpoints: {{a: {{url: {server.url}}}}}\n" + WITH_COMMANDS[kind])
        for args in ((), ("--effect-command", "echo x >> made"), ("--resume",)):
            done = kit.emit8("run", "s.yaml", *args, "--no-log" if args != ("--resume",) else "--log=log.db", cwd=tmp_path)
            assert done.returncode == 2, done.out
            assert "--allow-exec" in done.err or args == ("--resume",), done.err
        for args in (("run", "s.yaml", "--dry-run"), ("run", "s.yaml", "--plan", "json"), ("validate", "s.yaml"),
                     ("run", "s.yaml", "--dry-run", "--allow-exec"), ("replay", "s.yaml", "--to", server.url)):
            kit.emit8(*args, cwd=tmp_path)
        assert server.requests == [] and not (tmp_path / "made").exists()


def test_commands_of_checks_need_leave(tmp_path):
    (tmp_path / "mine.yaml").write_text(f"flows: {{M-01: {{check: {{title: t}}, steps: [{{exec: {MAKES}}}, {{emit: message.sent}}]}}}}\n")
    with kit.Capture() as server:
        for args in ((), ("--only", "EVT-01"), ("--list",)):
            done = kit.emit8("check", "--to", server.url, "--checks", "mine.yaml", "--no-log", *args, cwd=tmp_path)
            assert done.returncode == 2 and "--allow-exec" in done.err, (args, done.err)
        assert server.requests == [] and not (tmp_path / "made").exists()
        kit.emit8("check", "--to", server.url, "--checks", "mine.yaml", "--no-log", "--only", "M-01", "--allow-exec", cwd=tmp_path)
        assert (tmp_path / "made").exists()


@pytest.mark.parametrize("probe", ["http://192.0.2.1/count", "http://169.254.169.254/latest/", "http://[::ffff:192.0.2.1]/", "http://hooks.invalid/count"])
def test_effect_is_read_from_permitted_targets_alone(tmp_path, probe):
    with kit.Capture() as server:
        (tmp_path / "s.yaml").write_text(f"endpoints: {{a: {{url: {server.url}}}}}\nflows: {{f: [{{emit: message.sent, expect: {{effect: 1}}}}]}}\neffect: {{get: '{probe}'}}\n")
        (tmp_path / "t.yaml").write_text((tmp_path / "s.yaml").read_text().split("effect: {get")[0])
        for args in (("run", "s.yaml"), ("run", "t.yaml", "--effect-get", probe, "--effect-pointer", "/count")):
            done = kit.emit8(*args, "--no-log", cwd=tmp_path)
            assert done.returncode == 2 and ("--allow-target" in done.err or "hooks.invalid" in done.err), (args, done.out, done.err)
        done = kit.emit8("check", "--to", server.url, "--effect-get", probe, "--effect-pointer", "/count", "--no-log")
        assert done.returncode == 2 and ("--allow-target" in done.err or "hooks.invalid" in done.err), (done.out, done.err)
        assert server.requests == []


def test_effect_follows_no_redirect_to_another_target(tmp_path):
    """The probe's answer may lead elsewhere: it is not followed."""
    with kit.Capture() as server, kit.Capture() as other:
        def script(connection, n):
            kit.read_request(connection)
            connection.sendall(f"HTTP/1.1 302 Found\r\nLocation: {other.url}/count\r\nContent-Length: 0\r\n\r\n".encode())

        with kit.RawPeer(script) as peer:
            (tmp_path / "s.yaml").write_text(f"endpoints: {{a: {{url: {server.url}}}}}\nflows: {{f: [{{emit: message.sent, expect: {{effect: 1}}}}]}}\n"
                                             f"effect: {{get: {peer.url}, settle: 1ms}}\n")
            done = kit.emit8("run", tmp_path / "s.yaml", "--no-log")
            assert peer.accepted > 0
        assert other.requests == []
        assert done.returncode == 1 and "did not answer with a 2xx" in done.out


# --- what is included ------------------------------------------------------------------------------------------------

FOREIGN_FILES = {
    "passwd": "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:d:/:/bin/sh\nsecond:line\n",
    "key": f"-----BEGIN PRIVATE KEY-----\n{RAW}\n{RAW}\n-----END PRIVATE KEY-----\n",
    "dotenv": f"API_SECRET={RAW}\nTOKEN={TOKEN}\n",
    "ini": f"[default]\naws_secret_access_key = {RAW}\n",
    "yaml": f"password: {RAW}\nsecret: {RAW}\n",
    "json": '{"secret": "%s",\n "password": "%s"}\n' % (RAW, RAW),
    "netrc": f"machine x login y password {RAW}\n",
    "csv": f"user,password\nann,{RAW},{RAW}\n",
    "shadow": f"root:$6${RAW}:19000:0:99999:7:::\n",
}


@pytest.mark.parametrize("kind", FOREIGN_FILES)
def test_errors_tell_little_of_other_files(tmp_path, kind):
    """At most one line of it is shown, and never one that looks like a secret."""
    (tmp_path / "other").write_text(FOREIGN_FILES[kind])
    frame = "endpoints: {a: {url: 'http://127.0.0.1:1/'}}\n"
    uses = {
        "include": "include: [other]\n" + frame + "flows: {f: [{emit: message.sent}]}\n",
        "rows": frame + "flows: {f: [{foreach: {row: {csv: other}}, steps: [{emit: '${row.x}'}]}]}\n",
        "values": frame + "flows: {f: [{foreach: {row: {csv: other}}, steps: [{wait: '${row.password}'}]}]}\n",
    }
    for use, text in uses.items():
        (tmp_path / "s.yaml").write_text(text)
        for args in (("run", "s.yaml", "--no-log"), ("validate", "s.yaml"), ("validate", "s.yaml", "--format", "json")):
            done = kit.emit8(*args, cwd=tmp_path)
            assert done.returncode == 2, (use, args, done.out)
            shown = done.out + done.err
            for secret in (RAW, TOKEN):
                assert secret not in shown, (kind, use, args, shown)
            lines = [line for line in FOREIGN_FILES[kind].splitlines() if line in shown]
            assert len(lines) <= 1, (kind, use, lines)


def test_include_reads_what_the_user_can_and_no_more(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (tmp_path / "other.yaml").write_text(f"vars: {{a: {RAW}}}\n")
    (tmp_path / "other.yaml").chmod(0)
    (tmp_path / "s.yaml").write_text("include: [other.yaml]\nendpoints: {a: {url: 'http://127.0.0.1:1/'}}\nflows: {f: [{emit: message.sent}]}\n")
    done = kit.emit8("validate", "s.yaml", cwd=tmp_path)
    assert done.returncode in (2, 3) and "Permission denied" in done.err


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
        assert "\x1b" not in run.err and "\\x1B[31m" in run.err


def test_json_of_the_log_is_json(tmp_path):
    """Every control character that a receiver sends is escaped or gone; the rows stay one line each."""
    with kit.RawPeer(lambda connection, n: (kit.read_request(connection), connection.sendall(ANSWERS["not HTTP"].encode("latin-1")))) as peer:
        kit.emit8("send", "message.sent", "--to", peer.url, "--retries", "2", "--timeout", "2s", "--log", tmp_path / "log.db")
    done = kit.emit8("log", tmp_path / "log.db", "--format", "ndjson")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert len(rows) == 3 and all(row["outcome"] == "not_http" for row in rows)


PROBES = ["--only", "EVT-01,SIG-01,SIG-02,RAW-01", "--timeout", "500ms", "--no-log"]


@pytest.mark.parametrize("part", ANSWERS)
def test_controls_of_a_receiver_reach_no_results(tmp_path, part):
    """Whatever comes back stands in the evidence of a failure: in every format, on a pipe, in a file and on a terminal."""
    body = (EVIL + "\u009b31m\u202e\u2066 ]]> <b>|`").encode()
    text = ANSWERS[part]
    answer = b"HTTP/1.1 500 No\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body) + body if text is None else text.encode("latin-1")
    seen = []

    def script(connection, n):
        """The canary is let through, so that the rest is judged."""
        head, _ = kit.read_request(connection)
        seen.append(head)
        kit.answer(connection) if n == 0 else connection.sendall(answer)

    env = {"EMIT8_SECRET": kit.SECRET}
    shown = {}
    for name in ("text", "tap", "junit", "json", "markdown"):
        with kit.RawPeer(script) as peer:
            done = kit.emit8("check", "--to", peer.url, *PROBES, "--format", name, "--color", "never", f"--report-{name}", tmp_path / name, env=env)
            assert done.returncode in (1, 4), done.err
        shown[name] = done.out + done.err
        shown["file of " + name] = (tmp_path / name).read_text()
    with kit.RawPeer(script) as peer, kit.Terminal("check", "--to", peer.url, *PROBES, "--color", "never", "--quiet", env=env) as terminal:
        terminal.wait()
    shown["terminal"] = terminal.text.replace("\r\n", "\n")
    for name, text in shown.items():
        assert not CONTROLS.search(text), (name, CONTROLS.search(text), text)
    assert "EVT-01" in shown["text"] and "FAIL" in shown["text"]


def test_controls_of_a_receiver_reach_no_report_of_a_run(tmp_path):
    """The same for the expectations of a run."""
    body = (EVIL + "\u009b31m\u202e").encode()

    def script(connection, n):
        kit.read_request(connection)
        connection.sendall(b"HTTP/1.1 500 No\r\nX-Evil: \x1b[31m\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with kit.RawPeer(script) as peer:
        (tmp_path / "s.yaml").write_text(f"endpoints: {{a: {{url: {peer.url}, retry: {{attempts: 1}}}}}}\n"
                                         "flows: {f: [{emit: message.sent, expect: {status: 500, body: {contains: nothing, /a: 1}, header: {X-Evil: b}}}]}\n")
        for name in ("text", "json", "ndjson", "csv", "tap", "junit", "markdown"):
            done = kit.emit8("run", tmp_path / "s.yaml", "--format", name, "--color", "never", "--log", tmp_path / "log.db")
            assert done.returncode in (1, 4), done.err
            assert not CONTROLS.search(done.out + done.err), (name, done.out)
