"""`emit8 check` proven by receivers: one that is right, many that are wrong in one way, two that nobody here wrote.

The correct receiver passes every probe. Each defective one fails exactly the probes that its defect touches, and no others.
"""

import base64
import concurrent.futures
import hashlib
import hmac
import http.client
import json
import pathlib
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest

import kit

sys.path.insert(0, str(pathlib.Path(kit.SOURCE) / "tests" / "receivers"))
import start  # noqa: E402

SECRETS = {
    "8bit": ("test-secret-0123456789abcdef", "test-secret-the-second-0123"),
    "standard-webhooks": ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_dGVzdC1zZWNyZXQtdGhlLXNlY29uZC0wMQ=="),
    "github": ("test-secret-0123456789abcdef", "test-secret-the-second-0123"),
}


# The correct receiver without emit8: if it were wrong, and emit8 wrong in the same way, nothing below would tell.


class Sender:
    """Signs as the schemes' documents say, and posts."""

    def __init__(self, url, scheme):
        self.url, self.scheme = urlsplit(url), scheme

    def headers(self, body, secret, id_, timestamp):
        if self.scheme == "8bit":
            return {"X-8bit-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}
        key = base64.b64decode(secret.removeprefix("whsec_"))
        digest = hmac.new(key, f"{id_}.{timestamp}.".encode() + body, hashlib.sha256).digest()
        signature = "v1," + base64.b64encode(digest).decode()
        return {"webhook-id": id_, "webhook-timestamp": str(timestamp), "webhook-signature": signature}

    def post(self, body, secret=None, id_="evt_1", age=0, method="POST", path=None, **headers):
        """The status; a header that is None is left out."""
        secret = secret or SECRETS[self.scheme][0]
        signed = self.headers(body, secret, id_, int(time.time()) - age)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Content-Type": "application/json", **signed, **named}
        connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=20)
        try:
            path = path or self.url.path
            connection.request(method, path, body, {n: v for n, v in sent.items() if v is not None})
            answer = connection.getresponse()
            self.body = answer.read()
            return answer.status
        finally:
            connection.close()

    def count(self):
        assert self.post(b"", method="GET", path="/count") == 200
        return json.loads(self.body)["count"]


def event(id_, **more):
    return json.dumps({"id": id_, "type": "message.received", "data": {"text": "é"}, **more}, ensure_ascii=False).encode()


@pytest.fixture(params=["8bit", "standard-webhooks"])
def scheme(request):
    return request.param


@pytest.fixture
def sender(scheme, tmp_path):
    with receiver(start.reference, tmp_path, scheme, scheme) as started:
        sender = Sender(started.url, scheme)
        sender.rotate, sender.revoke = started.rotate, started.revoke
        yield sender


def need(kind):
    """Where what a receiver needs is missing, the test is skipped."""
    try:
        start.available(kind)
    except start.Missing as missing:
        pytest.skip(str(missing))


def receiver(kind, directory, scheme, *args):
    """A started receiver, as a context."""
    need(kind)
    return kind(directory, SECRETS[scheme], *args)


def test_reference_takes_each_delivery_once(sender):
    assert [sender.post(event(f"evt_{n}"), id_=f"evt_{n}") for n in range(3)] == [200] * 3
    assert sender.count() == 3
    assert sender.post(event("evt_1"), id_="evt_1") == 200
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        posts = [pool.submit(Sender(sender.url.geturl(), sender.scheme).post, event("evt_9"), id_="evt_9") for _ in range(16)]
        assert [post.result() for post in posts] == [200] * 16
    assert sender.count() == 4
    assert sender.post(event("evt_a", type="made.up"), id_="evt_a") == 200
    assert sender.count() == 4


def test_reference_verifies_the_raw_body(sender):
    signature = "webhook-signature" if sender.scheme == "standard-webhooks" else "X-8bit-Signature-256"
    right = sender.headers(event("evt_1"), SECRETS[sender.scheme][0], "evt_1", int(time.time()))[signature]
    for wrong in (None, "", right[:-4], right.upper(), right.split("=", 1)[1], "sha256=" + right, "v1," + right):
        assert sender.post(event("evt_1"), **{signature: wrong}) == 401, wrong
    assert sender.post(event("evt_1"), SECRETS[sender.scheme][1]) == 401
    assert sender.post(event("evt_2"), **{signature: right}) == 401
    assert sender.count() == 0
    for body in (b' {"id" : "evt_1",\n"type": "message.received", "a": 1e2, "b": "\\/\\u00e9\\u0000"}\n',
                 '{"id":"evt_1","type":"message.received","a":"\U0001f600"}'.encode()):
        assert sender.post(body) == 200
    assert sender.count() == 1


@pytest.mark.parametrize("scheme", ["standard-webhooks"])
def test_reference_checks_the_time(sender):
    assert [sender.post(event("evt_1"), age=age) for age in (295, -295)] == [200, 200]
    assert [sender.post(event("evt_2"), age=age) for age in (302, -303)] == [401, 401]
    assert sender.post(event("evt_2"), webhook_timestamp="soon") == 401
    assert sender.count() == 1


def test_reference_tells_what_is_wrong(sender):
    deep = event("evt_1", data=None).replace(b"null", b'{"a":' * 1000 + b"1" + b"}" * 1000)
    for body in (b"", b"{", b"[]", b"7", b"null", b"[" * 1000 + b"]" * 1000, deep, b"{}"):
        assert sender.post(body) == 400, body
    assert [sender.post(event("evt_1"), method=method) for method in ("GET", "PUT", "DELETE")] == [405] * 3
    assert sender.post(event("evt_1"), path="/") == 404
    assert [sender.post(event("evt_1"), Content_Type=type_) for type_ in ("text/plain", None)] == [415] * 2
    assert sender.post(event("evt_1"), Content_Type="Application/JSON; charset=utf-8") == 200
    assert [sender.post(event("evt_1", pad="x" * size)) for size in (64 << 10, 10 << 20)] == [200, 413]
    assert sender.post(event("evt_1"), X_Pad="x" * 8192) in (200, 431)
    assert sender.count() == 1


def test_reference_reads_a_body_as_it_comes(sender):
    body = event("evt_1")
    curl = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--data-binary", "@-", "-H", "Content-Type: application/json"]
    for more in (["-H", "Transfer-Encoding: chunked"], ["-H", "Expect: 100-continue"], ["--limit-rate", "100"]):
        signed = sender.headers(body, SECRETS[sender.scheme][0], "evt_1", int(time.time()))
        args = [*curl, *more, *(arg for name, value in signed.items() for arg in ("-H", f"{name}: {value}")), sender.url.geturl()]
        assert subprocess.run(args, input=body, capture_output=True, check=True).stdout == b"200", more


def test_reference_rotates_its_secrets(sender):
    old, new = SECRETS[sender.scheme]

    def answers():
        return [sender.post(event("evt_1"), secret) for secret in (old, new)]

    assert answers() == [200, 401]
    subprocess.run(sender.rotate, shell=True, check=True)
    assert answers() == [200, 200]
    subprocess.run(sender.revoke, shell=True, check=True)
    assert answers() == [401, 200]


# The check itself. Each takes some seconds, most of which it waits: several run side by side.

SIGNATURES = {f"SIG-0{n}" for n in range(1, 6)}
TIMES = {"TS-01", "TS-02", "TS-03", "IDEM-03"}  # IDEM-03: what was recorded is sent again when it is stale
AGAIN = {"IDEM-01", "IDEM-02", "IDEM-04"}
TOLD = {"SIG-06", "RAW-09", "ENV-01"}  # reported, whatever the answer is
TYPES = {f"EVT-{n:02}" for n in range(1, 17)}
JUDGED = (
    {"CANARY", "FWD-01", "FWD-02", "ORD-01", "ACK-01", "ACK-02", "RSP-01"} | TYPES | SIGNATURES | AGAIN | TIMES
    | {f"RAW-0{n}" for n in range(1, 9)} | {f"HTTP-0{n}" for n in range(1, 7)} | {f"ROT-0{n}" for n in range(1, 5)}
)
STANDARD, PLATFORM = "standard-webhooks", "8bit"
SIDE_BY_SIDE = 12
DEADLINE = "10s"  # twice the platform's: other tests run at the same time

# What a defective receiver must fail: all of it, and nothing else.
DEFECTS = {
    # Whoever verifies nothing sees neither a wrong secret, nor a revoked one, nor a wrong time.
    "no-verification": (STANDARD, SIGNATURES | TIMES | {"ROT-04"}),
    # It takes what was signed over the compact form, and refuses every other form: but keys in another order and characters beyond
    # ASCII (RAW-07, RAW-08) come out of JSON.stringify as they went into JSON.parse.
    "reserialised-body": (STANDARD, {"SIG-05", "RAW-01", "RAW-02", "RAW-03", "RAW-04", "RAW-05", "RAW-06"}),
    "missing-signature-accepted": (STANDARD, {"SIG-01"}),
    "prefix-compared": (PLATFORM, {"SIG-04"}),
    "prefix-optional": (PLATFORM, {"SIG-04"}),
    # What it refuses, it refuses with 500: the same probes as without verification.
    "bad-signature-500": (STANDARD, SIGNATURES | TIMES | {"ROT-04"}),
    "last-newline-dropped": (STANDARD, {"RAW-06"}),
    "no-timestamp-check": (STANDARD, TIMES),
    "future-accepted": (STANDARD, {"TS-03"}),
    # What it read at its start is what it knows: the new secret never comes, the old one never goes.
    "secrets-of-the-start": (STANDARD, {"ROT-03", "ROT-04"}),
    "newest-secret-only": (STANDARD, {"ROT-02"}),
    "old-secret-for-ever": (STANDARD, {"ROT-04"}),
    "no-idempotency": (STANDARD, AGAIN),
    "check-then-insert": (STANDARD, {"IDEM-04"}),
    # A retry, a repeated request and nineteen of twenty copies get 403.
    "retry-taken-for-replay": (STANDARD, AGAIN),
    # 409 is right for the same bytes, and wrong for a retry.
    "retry-is-conflict": (STANDARD, {"IDEM-01"}),
    "attempt-is-the-key": (STANDARD, {"IDEM-01"}),
    "bad-json-500": (STANDARD, {"HTTP-04"}),
    "no-object-500": (STANDARD, {"HTTP-04"}),
    "unknown-type-refused": (STANDARD, {"FWD-01"}),
    # 410 is no answer to any delivery that the endpoint should outlive.
    "unknown-type-gone": (STANDARD, {"FWD-01", "RSP-01"}),
    "extra-fields-refused": (STANDARD, {"FWD-02"}),
    "floats-refused": (STANDARD, {"RAW-05"}),
    "id-expected-first": (STANDARD, {"RAW-07"}),
    "nul-breaks-database": (STANDARD, {"RAW-08"}),
    "deep-json-500": (STANDARD, {"HTTP-04"}),
    "large-body-reset": (STANDARD, {"HTTP-03"}),
    # The update comes alone in EVT-02, and first in ORD-01.
    "update-needs-creation": (STANDARD, {"EVT-02", "ORD-01"}),
    "ended-is-closed": (STANDARD, {"ORD-01"}),
    "get-answered-200": (STANDARD, {"HTTP-01"}),
    # A redirect is wrong as an answer to GET, and as any answer.
    "get-redirected": (STANDARD, {"HTTP-01", "RSP-01"}),
    "content-type-ignored": (STANDARD, {"HTTP-02"}),
    "chunked-refused-501": (STANDARD, {"HTTP-05"}),
    "header-names-case-sensitive": (PLATFORM, {"HTTP-06"}),
    "large-header-500": (STANDARD, {"HTTP-06"}),
    # agent.deployed, updated, undeployed, error.
    "agents-redirected": (STANDARD, {"EVT-09", "EVT-10", "EVT-11", "EVT-12", "RSP-01"}),
    "stack-trace-in-answer": (STANDARD, {"RSP-01"}),
    # ACK-01 is the 99th percentile of all valid deliveries: of so few, the slowest.
    "escalation-acknowledged-late": (STANDARD, {"EVT-05", "ACK-01"}),
    "throttled-without-retry-after": (STANDARD, {"ACK-02", "RSP-01"}),
    "crowd-503": (STANDARD, {"ACK-02"}),
}


def run_check(started, directory, scheme, *args, secrets=None):
    """`emit8 check` with the secrets of a scheme; the report as JSON, and how emit8 ended."""
    known, secrets = secrets or SECRETS[scheme], []
    for name, secret in zip(("secret", "next-secret"), known):
        (directory / name).write_text(secret + "\n")
        secrets += [f"--{name}-file", directory / name]
    done = kit.emit8("check", "--to", started.url, "--scheme", scheme, *secrets, "--seed", 1, "--no-log", "--format", "json",
                     "--timeout", DEADLINE, *args, timeout=240)
    assert done.returncode in (0, 1, 4), done.err
    assert not any(secret in done.out + done.err for secret in known), "a secret was printed"
    return json.loads(done.out), done


def check(kind, directory, scheme, *args):
    """Starts a receiver and runs every probe on it."""
    with kind(directory, SECRETS[scheme], *args) as started:
        return run_check(started, directory, scheme, "--on-rotate", started.rotate, "--on-revoke", started.revoke, *started.effect)


def ids(report, *kinds):
    return {result["id"] for result in report["results"] if result["result"] in kinds}


def explained(report):
    """What failed and why, for pytest to show."""
    return {result["id"]: result["reason"] for result in report["results"] if result["result"] == "fail"}


# Receivers that nobody here wrote, and what they fail: defects of theirs, or of what one gets without writing code of one's own.
FOREIGN = {
    "octokit": ("github", start.octokit, {
        "IDEM-01": "deliveries are not remembered: each handler must do it",
        "IDEM-02": "likewise",
        "IDEM-04": "likewise",
        "HTTP-04": "any JSON is an event: a list reaches the handlers and is answered 200; on a string, rightly signed, the "
                   "middleware throws a TypeError that nobody catches, which by default ends the process",
    }),
    "debian-webhook": ("8bit", start.debian_webhook, {
        "SIG-04": "the digest is accepted without its prefix sha256=",
        "IDEM-01": "deliveries are not remembered: each command must do it",
        "IDEM-02": "likewise",
        "IDEM-04": "likewise",
        "HTTP-02": "any content type is accepted",
        "HTTP-04": "what is no JSON, or no object, is logged; the command runs all the same, and the answer is 200",
    }),
}

CHECKS = {
    **{f"reference-{scheme}": (scheme, start.reference, (scheme,)) for scheme in (PLATFORM, STANDARD)},
    **{defect: (scheme, start.defective, (defect, scheme)) for defect, (scheme, _) in DEFECTS.items()},
    **{name: (scheme, kind, ()) for name, (scheme, kind, _) in FOREIGN.items()},
}


@pytest.fixture(scope="module")
def checked(request, tmp_path_factory):
    """The report of a check by its name. All checks that the chosen tests ask for begin at once."""
    asked = [item.callspec.params["name"] for item in request.session.items
             if item.module is request.module and "checked" in item.fixturenames]
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        running = {}
        for name in dict.fromkeys(asked):
            scheme, kind, args = CHECKS[name]
            running[name] = pool.submit(check, kind, tmp_path_factory.mktemp(name), scheme, *args)
        yield lambda name: result(CHECKS[name][1], running[name])
        for future in running.values():
            future.cancel()


def result(kind, future):
    need(kind)
    return future.result(timeout=300)


@pytest.mark.parametrize("name", ["reference-8bit", "reference-standard-webhooks"])
def test_reference_passes_every_probe(name, checked):
    report, done = checked(name)
    skipped = TIMES if name == "reference-8bit" else set()
    assert explained(report) == {}
    assert ids(report, "skip") == skipped
    assert ids(report, "report") == TOLD
    assert ids(report, "pass") == JUDGED - skipped
    assert report["verdict"] == "pass" and done.returncode == 0


@pytest.mark.parametrize("name", DEFECTS)
def test_defect_fails_its_probes_and_no_others(name, checked):
    scheme, expected = DEFECTS[name]
    report, done = checked(name)
    assert set(explained(report)) == expected, explained(report)
    assert ids(report, "skip") == (TIMES if scheme == PLATFORM else set())  # a 410 does not end a check
    assert done.returncode == 1


def test_every_defect_is_in_the_table():
    need(start.defective)
    listed = subprocess.run(["node", start.HERE / "defective.mjs", "--defect", "list"], capture_output=True, text=True, check=True)
    assert set(listed.stdout.split()) == set(DEFECTS)


def test_every_probe_is_failed_by_some_defect():
    failed = set().union(*(expected for _, expected in DEFECTS.values()))
    like_the_canary = {"CANARY", "ROT-01"} | TYPES  # the types differ in nothing but their names
    assert failed | like_the_canary == JUDGED


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_receivers(name, checked):
    _, _, expected = FOREIGN[name]
    report, done = checked(name)
    assert set(explained(report)) == set(expected), explained(report)
    assert ids(report, "skip") == TIMES
    assert done.returncode == 1


# What is told of a failure, and what the options choose.


def statuses(result):
    """Of the answers in a result's exchanges."""
    return [exchange["answer"].split()[1] for exchange in result["exchanges"]]


@pytest.mark.parametrize("defect", [
    "no-verification", "last-newline-dropped", "extra-fields-refused", "no-object-500", "get-answered-200", "content-type-ignored",
    "header-names-case-sensitive",
])
def test_commands_of_a_failure_reproduce_it(defect, tmp_path):
    scheme, expected = DEFECTS[defect]
    only = ",".join(sorted(expected - {"ROT-04"}))
    with receiver(start.defective, tmp_path, scheme, defect, scheme) as started:
        report, _ = run_check(started, tmp_path, scheme, "--only", only)
        failures = [result for result in report["results"] if result["result"] == "fail"]
        assert {result["id"] for result in failures} == expected - {"ROT-04"}
        for result in failures:
            assert result["why"] and result["mend"] and result["reason"], result
            curls = [exchange["curl"] + " -s -o /dev/null -w '%{http_code}'" for exchange in result["exchanges"]]
            answers = [subprocess.run(curl, shell=True, capture_output=True, text=True, check=True).stdout for curl in curls]
            assert answers == statuses(result) != [], result["id"]
        again = failures[0]["reproduce"].replace("emit8", kit.EMIT8, 1) + " --no-log --format json"
        done = subprocess.run(again, shell=True, capture_output=True, env=kit.environment(), check=False)
        assert set(explained(json.loads(done.stdout))) == {failures[0]["id"]}


@pytest.fixture(scope="module")
def refuses(tmp_path_factory):
    """A receiver that refuses unknown types, and runs of the check on it."""
    directory = tmp_path_factory.mktemp("refuses")
    with receiver(start.defective, directory, "8bit", "unknown-type-refused", "8bit") as started:
        yield lambda *args, **secrets: run_check(started, directory, "8bit", *args, **secrets)


def test_canary_makes_a_check_invalid(refuses):
    report, done = refuses(secrets=["test-secret-of-somebody-else"])
    assert (report["verdict"], done.returncode) == ("invalid", 4)
    assert set(explained(report)) == {"CANARY"}
    assert ids(report, "skip") == (JUDGED | TOLD) - {"CANARY"}


def test_only_and_skip(refuses):
    report, done = refuses("--only", "sig,RAW-03", "--only", "FWD", "--skip", "SIG-04,FWD-01")
    assert ids(report, "pass", "report") == {"CANARY", "RAW-03", "FWD-02", "SIG-06"} | SIGNATURES - {"SIG-04"}
    assert ids(report, "skip") == {"SIG-04", "FWD-01"}
    assert done.returncode == 0
    report, done = refuses("--only", "FWD-01")
    assert set(explained(report)) == {"FWD-01"}
    assert done.returncode == 1


def test_unknown_probe_is_refused():
    done = kit.emit8("check", "--to", "http://127.0.0.1:9", "--only", "FWD-1")
    assert done.returncode == 2
    assert 'did you mean "FWD-01"' in done.err


def test_profile_overrides_with_a_reason(refuses, tmp_path):
    profile = tmp_path / "profile.yaml"
    overrides = ["FWD-01: {status: [400], reason: the gateway refuses them}", "HTTP-02: {skip: true, reason: a proxy sets it}"]
    profile.write_text("\n".join(overrides))
    report, done = refuses("--only", "FWD,HTTP-02", "--profile", profile)
    found = {result["id"]: (result["result"], result["override"]) for result in report["results"]}
    assert found == {"CANARY": ("pass", None), "FWD-01": ("pass", "the gateway refuses them"), "FWD-02": ("pass", None),
                     "HTTP-02": ("skip", "a proxy sets it")}
    assert done.returncode == 0
    profile.write_text("FWD-01: {status: [401], reason: not so}\n")
    report, done = refuses("--only", "FWD", "--profile", profile)
    assert set(explained(report)) == {"FWD-01"} and done.returncode == 1


def test_what_was_not_measured_is_never_passed(tmp_path):
    with receiver(start.defective, tmp_path, "8bit", "no-idempotency", "8bit") as started:
        report, done = run_check(started, tmp_path, "8bit", "--only", "IDEM,ROT-04")
        assert ids(report, "report") == AGAIN
        assert ids(report, "skip") == {"IDEM-03", "ROT-04"}
        assert done.returncode == 0
        report, _ = run_check(started, tmp_path, "8bit", "--only", "IDEM", *started.effect)
        assert set(explained(report)) == AGAIN
