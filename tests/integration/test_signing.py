"""Signatures held against independent implementations: Python's hmac, written here from the schemes' own documents, and the
npm packages of the schemes' inventors. In both directions: emit8 signs and they verify; they sign and emit8 verifies."""

import base64
import fcntl
import hashlib
import hmac
import json
import os
import pathlib
import shutil
import subprocess
import time

import pytest

EMIT8 = os.environ["EMIT8"]
SOURCE = pathlib.Path(os.environ.get("EMIT8_SOURCE", pathlib.Path(__file__).parents[2]))
NPM = SOURCE / "tests" / "npm"

RAW = "it is a secret of the tests 0123456789"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRETS = {"8bit": RAW, "standard-webhooks": WHSEC, "stripe": RAW, "github": RAW, "slack": RAW}
TIMED = ["standard-webhooks", "stripe", "slack"]
ID = "evt_01HF0000000000000000000000"

TEXTS = {
    "compact": b'{"type":"message.received","data":{"text":"hi"}}',
    "spaced": b'{"type": "message.received", "data": {"text": "hi"}}',
    "pretty": b'{\n  "type": "message.received",\n  "data": {}\n}\n',
    "escapes": b'{"a": "\\/\\u00e9\\n", "b": 1.0, "c": 1e2}',
    "unicode": '{"a": "é 漢字 \U0001f600"}'.encode(),
    "large": b'{"a": "' + b"x" * 200_000 + b'"}',
    "no-object": b"[]",
}
BYTES = {"empty": b"", "nul": b'{"a":"\0"}', "not-utf8": b"\xff\xfe\x00\r\n", "crlf": b"{}\r\n"}


# The schemes as their documents have them.


def digest(key, content):
    return hmac.new(key, content, hashlib.sha256).digest()


def sign_body(header):
    def sign(secret, _id, _timestamp, body):
        return {header: "sha256=" + digest(secret.encode(), body).hex()}

    return sign


def sign_standard(secret, id_, timestamp, body):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{id_}.{timestamp}.".encode() + body
    signature = "v1," + base64.b64encode(digest(key, content)).decode()
    return {"webhook-id": id_, "webhook-timestamp": str(timestamp), "webhook-signature": signature}


def sign_stripe(secret, _id, timestamp, body):
    return {"Stripe-Signature": f"t={timestamp},v1=" + digest(secret.encode(), f"{timestamp}.".encode() + body).hex()}


def sign_slack(secret, _id, timestamp, body):
    signature = "v0=" + digest(secret.encode(), f"v0:{timestamp}:".encode() + body).hex()
    return {"X-Slack-Request-Timestamp": str(timestamp), "X-Slack-Signature": signature}


SIGN = {
    "8bit": sign_body("X-8bit-Signature-256"),
    "github": sign_body("X-Hub-Signature-256"),
    "standard-webhooks": sign_standard,
    "stripe": sign_stripe,
    "slack": sign_slack,
}


def run(*args, body=b""):
    done = subprocess.run([EMIT8, *args], input=body, capture_output=True, timeout=60, check=False)
    for secret in (RAW, WHSEC, WHSEC.removeprefix("whsec_")):
        assert secret.encode() not in done.stdout + done.stderr, "a secret was printed"
    return done


@pytest.fixture(name="secret_file")
def make_secret_file(tmp_path):
    def make(text, name="secret"):
        path = tmp_path / name
        path.write_text(text + "\n")
        return str(path)

    return make


@pytest.fixture(name="emit8_sign")
def make_emit8_sign(secret_file):
    def sign(scheme, body, *more, secret=None, timestamp=None):
        timestamp = [] if timestamp is None else ["--timestamp", str(timestamp)]
        file = secret_file(secret or SECRETS[scheme])
        done = run("sign", "--scheme", scheme, "--secret-file", file, "--id", ID, *timestamp, *more, "-", body=body)
        assert done.returncode == 0, done.stderr
        return dict(line.split(": ", 1) for line in done.stdout.decode().splitlines())

    return sign


@pytest.fixture(name="emit8_verify")
def make_emit8_verify(secret_file):
    def verify(scheme, headers, body, *more, secret=None):
        args = [arg for name, value in headers.items() for arg in ("-H", f"{name}: {value}")]
        file = secret_file(secret or SECRETS[scheme])
        return run("verify", "--scheme", scheme, "--secret-file", file, *args, *more, "-", body=body)

    return verify


def assert_verified(done):
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert done.stdout.decode().splitlines()[0].startswith("verified")


def assert_refused(done, *reasons):
    """The reason is on stdout: the verdict's name or its text."""
    text = done.stdout.decode()
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert text.strip() and not text.startswith("verified")
    assert not reasons or any(reason in text for reason in reasons), text


# emit8 and Python.


@pytest.mark.parametrize("body", [*TEXTS, *BYTES])
@pytest.mark.parametrize("scheme", SIGN)
def test_python_verifies_what_emit8_signs(scheme, body, emit8_sign):
    content = {**TEXTS, **BYTES}[body]
    headers = emit8_sign(scheme, content, timestamp=1_614_265_330)
    expected = SIGN[scheme](SECRETS[scheme], ID, 1_614_265_330, content)
    assert {name: headers[name] for name in expected} == expected


@pytest.mark.parametrize("body", [*TEXTS, *BYTES])
@pytest.mark.parametrize("scheme", SIGN)
def test_emit8_verifies_what_python_signs(scheme, body, emit8_verify):
    content = {**TEXTS, **BYTES}[body]
    headers = SIGN[scheme](SECRETS[scheme], ID, int(time.time()), content)
    assert_verified(emit8_verify(scheme, headers, content))


def test_the_vector_of_standard_webhooks(secret_file):
    done = run("sign", "--scheme", "standard-webhooks", "--secret-file", secret_file(WHSEC), "--id",
               "msg_p5jXN8AQM9LWM0D4loKWxJek", "--timestamp", "1614265330", "-", body=b'{"test": 2432232314}')
    assert done.returncode == 0
    assert b"webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\n" in done.stdout


@pytest.mark.parametrize("scheme", SIGN)
def test_without_a_timestamp_it_is_now(scheme, emit8_sign, emit8_verify):
    before = int(time.time())
    headers = emit8_sign(scheme, b"{}")
    after = int(time.time())
    assert_verified(emit8_verify(scheme, headers, b"{}"))
    expected = [SIGN[scheme](SECRETS[scheme], ID, now, b"{}") for now in range(before, after + 1)]
    assert any(each.items() <= headers.items() for each in expected)


def test_bodies_come_from_files_too(tmp_path, secret_file):
    body = tmp_path / "body.json"
    body.write_bytes(TEXTS["pretty"])
    done = run("sign", "--scheme", "8bit", "--secret-file", secret_file(RAW), str(body))
    expected = SIGN["8bit"](RAW, ID, 0, TEXTS["pretty"])["X-8bit-Signature-256"]
    assert f"X-8bit-Signature-256: {expected}\n" in done.stdout.decode()
    done = run("verify", "--scheme", "8bit", "--secret-file", secret_file(RAW), "-H",
               f"x-8bit-signature-256:{expected}", str(body))
    assert_verified(done)


@pytest.mark.parametrize("scheme", SIGN)
def test_what_is_not_signed_is_refused(scheme, emit8_verify):
    body, now = TEXTS["compact"], int(time.time())
    headers = SIGN[scheme](SECRETS[scheme], ID, now, body)
    name = next(name for name in headers if "signature" in name.lower())
    value = headers[name]
    assert_refused(emit8_verify(scheme, headers, body + b"\n"), "mismatch", "does not fit")
    assert_refused(emit8_verify(scheme, headers, body.replace(b"hi", b"ho")), "mismatch", "does not fit")
    other = SIGN[scheme](WHSEC[:-4] + "AAAA", ID, now, body)
    assert_refused(emit8_verify(scheme, other, body), "mismatch", "does not fit")
    rest = {key: text for key, text in headers.items() if key != name}
    assert_refused(emit8_verify(scheme, rest, body), "missing", "no signature")
    for bad in ("", value[:-1], value + "0", value.split("=")[-1], "sha256=" + value, "x" + value):
        assert_refused(emit8_verify(scheme, {**rest, name: bad}, body))


@pytest.mark.parametrize("scheme", ["8bit", "github", "stripe", "slack"])
def test_upper_case_hex_is_refused(scheme, emit8_verify):
    body = TEXTS["compact"]
    headers = SIGN[scheme](SECRETS[scheme], ID, int(time.time()), body)
    name = next(name for name in headers if "Signature" in name)
    start, hexdigits = headers[name][:-64], headers[name][-64:]
    assert hexdigits != hexdigits.upper()
    assert_verified(emit8_verify(scheme, headers, body))
    assert_refused(emit8_verify(scheme, {**headers, name: start + hexdigits.upper()}, body), "malformed", "form")


def test_two_signature_headers_are_refused(secret_file):
    value = SIGN["8bit"](RAW, ID, 0, b"{}")["X-8bit-Signature-256"]
    header = ("-H", f"X-8bit-Signature-256: {value}")
    done = run("verify", "--scheme", "8bit", "--secret-file", secret_file(RAW), *header, *header, "-", body=b"{}")
    assert_refused(done, "malformed", "form")


@pytest.mark.parametrize("scheme", TIMED)
def test_the_tolerance_holds_to_the_second(scheme, emit8_verify):
    signed_at = 1_700_000_000
    headers = SIGN[scheme](SECRETS[scheme], ID, signed_at, b"{}")
    for age, good in ((0, True), (300, True), (301, False), (-300, True), (-301, False)):
        done = emit8_verify(scheme, headers, b"{}", "--now", str(signed_at + age))
        if good:
            assert_verified(done)
        else:
            assert_refused(done, "old", "new", "future")
    assert_refused(emit8_verify(scheme, headers, b"{}"), "old")
    now = int(time.time())
    headers = SIGN[scheme](SECRETS[scheme], ID, now - 3600, b"{}")
    assert_verified(emit8_verify(scheme, headers, b"{}", "--tolerance", "2h"))
    assert_refused(emit8_verify(scheme, headers, b"{}", "--tolerance", "30m"), "old")


@pytest.mark.parametrize("scheme", TIMED)
@pytest.mark.parametrize("timestamp", ["soon", "", "-1", "1e9", "0x10", "+1700000000", "1700000000.0"])
def test_a_timestamp_that_is_no_number_is_refused(scheme, timestamp, emit8_verify):
    headers = SIGN[scheme](SECRETS[scheme], ID, timestamp, b"{}")
    assert_refused(emit8_verify(scheme, headers, b"{}", "--now", "1700000000"), "timestamp")


@pytest.mark.parametrize("secret", ["", "short", "whsec_", "whsec_not base64 at all!!", "whsec_MfKQ9r8GKYqr"])
def test_bad_secrets_are_bad_input(secret, secret_file):
    done = run("sign", "--scheme", "standard-webhooks", "--secret-file", secret_file(secret), "-", body=b"{}")
    assert done.returncode == 2
    assert done.stdout == b""
    assert len(secret) < 6 or secret.removeprefix("whsec_") == "" or secret.removeprefix("whsec_").encode() not in done.stderr


def test_an_unknown_scheme_gets_a_suggestion(secret_file):
    done = run("sign", "--scheme", "githb", "--secret-file", secret_file(RAW), "-", body=b"{}")
    assert done.returncode == 2
    assert b"github" in done.stderr


# --explain


@pytest.mark.parametrize("dump, cause", [
    (lambda value: json.dumps(value), "re-serialised"),
    (lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False), "re-serialised"),
    (lambda value: json.dumps(value, indent=2, ensure_ascii=False), "2 spaces"),
    (lambda value: json.dumps(value, indent=4), "4 spaces"),
    (lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True), "sorted keys"),
    (lambda value: '{"b":1, "a":"é"}\n', "newline"),
])
def test_explain_names_the_culprit(dump, cause, emit8_verify):
    body = '{"b":1, "a":"é"}'.encode()
    headers = SIGN["8bit"](RAW, ID, 0, dump(json.loads(body)).encode())
    done = emit8_verify("8bit", headers, body, "--explain")
    assert done.returncode == 1
    assert cause in done.stdout.decode()


def test_explain_shows_the_signed_content(secret_file):
    done = run("sign", "--scheme", "standard-webhooks", "--secret-file", secret_file(WHSEC), "--id", "msg_1", "--timestamp",
               "1614265330", "--explain", "-", body=b'{"a":\t1}\r\n')
    assert done.returncode == 0
    assert 'msg_1.1614265330.{"a":\\t1}\\r\\n' in (done.stdout + done.stderr).decode()


# emit8 and the packages of the inventors.


@pytest.fixture(scope="module", name="node")
def make_node():
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    with open(NPM / "package.json", encoding="utf8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other tests install here too
        if not (NPM / "node_modules" / ".package-lock.json").exists():
            done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=NPM,
                                  capture_output=True, text=True, timeout=300, check=False)
            if done.returncode != 0:
                pytest.skip("npm ci failed: " + done.stderr[-300:])

    def ask(**request):
        request["body_base64"] = base64.b64encode(request.pop("body")).decode()
        done = subprocess.run(["node", "verify.mjs"], cwd=NPM, input=json.dumps(request), capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return ask


@pytest.mark.parametrize("body", ["compact", "pretty", "escapes", "unicode", "large"])
@pytest.mark.parametrize("scheme", SIGN)
def test_the_packages_verify_what_emit8_signs(scheme, body, node, emit8_sign):
    headers = emit8_sign(scheme, TEXTS[body])
    secret = SECRETS[scheme]
    assert node(scheme=scheme, secret=secret, headers=headers, body=TEXTS[body]) == "ok"
    assert node(scheme=scheme, secret=secret, headers=headers, body=TEXTS[body] + b" ") == "fail"


@pytest.mark.parametrize("body", ["compact", "pretty", "escapes", "unicode", "large"])
@pytest.mark.parametrize("scheme", ["8bit", "github", "standard-webhooks", "stripe"])  # none signs as Slack does
def test_emit8_verifies_what_the_packages_sign(scheme, body, node, emit8_verify):
    content = TEXTS[body]
    answer = node(scheme=scheme, secret=SECRETS[scheme], sign=True, id=ID, timestamp=int(time.time()), body=content)
    headers = json.loads(answer)
    assert_verified(emit8_verify(scheme, headers, content))
    assert_refused(emit8_verify(scheme, headers, content + b" "), "mismatch", "does not fit")
