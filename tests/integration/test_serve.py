"""emit8 serve: every route of its API with good and bad input, what becomes of deliveries, and what must not be told."""

import base64
import collections
import datetime
import hashlib
import hmac
import json
import os
import pathlib
import re
import resource
import signal
import sqlite3
import stat
import tempfile
import threading
import time

import kit
import pytest
from platform_api import Listener, Serve

SEVENTEENTH = os.path.join(kit.SOURCE, "tests", "fixtures", "seventeenth")
FAST = {"attempts": 3, "base": "10ms", "factor": 1, "cap": "20ms", "jitter": "none"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with Serve(tmp_path_factory.mktemp("shared") / "state") as server:
        yield server


@pytest.fixture
def receiver():
    with kit.Capture() as capture:
        yield capture


def standard_signature(request, secret):
    """One signature of Standard Webhooks, worked out here."""
    headers = request["headers"]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request["body"]
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


# --- start and end --------------------------------------------------------------------------------------------------


def payload(server, name, environment):
    return server.post(f"/v1/events/{name}/preview", {"environment": environment}).data["payload"]


def test_state_directory_and_key(tmp_path):
    state = tmp_path / "a" / "state"
    with Serve(state) as server:
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
        assert stat.S_IMODE((state / "api-key").stat().st_mode) == 0o600
        assert stat.S_IMODE((state / "platform.db").stat().st_mode) == 0o600
        assert re.fullmatch(r"e8k_[0-9a-f]{40}", server.key)
        second = kit.emit8("serve", "--state", state, "--listen", "127.0.0.1:0")
        assert second.returncode == 3 and "another emit8 serve uses the state directory" in second.err
        webhook = server.webhook("http://127.0.0.1:9/")
        events = [payload(server, "message.sent", "production"), payload(server, "agent.error", "staging"), payload(server, "message.sent", "production")]
        assert server.stop() == 143
    assert any(f"#key={server.key}" in line for line in server.err)
    assert any(str(state / "api-key") in line for line in server.err)
    with Serve(state) as again:
        assert again.key == server.key
        assert [row["id"] for row in again.get("/v1/webhooks").data] == [webhook["id"]]
        events.append(payload(again, "session.ended", "production"))
    assert len({event["organization_id"] for event in events}) == 1  # one account
    assert len({event["id"] for event in events}) == 4 and events[0]["data"] != events[2]["data"]
    with Serve(tmp_path / "other") as other:
        assert payload(other, "message.sent", "production")["organization_id"] != events[0]["organization_id"]
    (state / "account").write_text("not hex\n")
    broken = kit.emit8("serve", "--state", state, "--listen", "127.0.0.1:0")
    assert broken.returncode == 2 and "/account holds no account; delete it to get another" in broken.err


def test_places_that_are_none_for_the_state(tmp_path):
    """A path that is wrong is bad input; what the system refuses is not."""
    file = tmp_path / "file"
    file.write_text("kept")
    for state in (file, file / "below"):
        done = kit.emit8("serve", "--state", state, "--listen", "127.0.0.1:0")
        assert done.returncode == 2 and not done.out
        assert done.err == f"emit8: no place for the state: {file}: is not a directory; name a directory that is yours: --state DIR\n"
    assert file.read_text() == "kept"
    nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    with tempfile.TemporaryDirectory() as closed:  # not below tmp_path, which is this user's alone
        os.chmod(closed, 0o555)
        for state in (closed, closed + "/below"):
            done = kit.emit8("serve", "--state", state, "--listen", "127.0.0.1:0", **nobody)
            assert done.returncode == 3 and f"{closed}" in done.err, done.err
            assert "Permission denied" in done.err and "--state DIR" in done.err
        assert not os.listdir(closed)
        os.chmod(closed, 0o755)


def test_default_state_directory(tmp_path):
    process = kit.start("serve", "--listen", "127.0.0.1:0", env={"XDG_STATE_HOME": str(tmp_path)})
    assert b"listening on" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    process.stdout.close()
    process.stderr.close()
    assert (tmp_path / "emit8/serve/api-key").exists()


def test_a_second_signal_ends_it_at_once(tmp_path):
    def hang(connection, n):
        kit.read_request(connection)
        connection.recv(1)

    with kit.RawPeer(hang) as peer:
        server = Serve(tmp_path / "state")
        made = server.webhook(peer.url, timeout="60s")
        delivery = server.post(f"/v1/webhooks/{made['id']}/test", {"event": "agent.error"}).data["delivery_id"]
        kit.until(lambda: peer.accepted)
        server.process.send_signal(signal.SIGINT)
        kit.until(lambda: any("ending" in line for line in server.err))
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(5) == -signal.SIGINT
    with kit.Capture() as capture, Serve(tmp_path / "state") as again:
        again.call("PATCH", f"/v1/webhooks/{made['id']}", {"url": capture.url})
        assert again.ended(delivery)["state"] == "delivered"


def test_a_full_disk(tmp_path):
    """What cannot be kept is not accepted; what was accepted is delivered."""
    size = 2 << 20

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    large = {"type": "agent.error", "payload": "x" * 100000}
    accepted = []
    with kit.Capture() as capture:
        server = Serve(tmp_path / "state", preexec_fn=limit)
        server.webhook(capture.url)
        try:
            while (answer := server.post("/v1/events", large)).status == 202:
                accepted.append(answer.data["deliveries"][0]["delivery_id"])
            message, _ = answer.error(503, "UNAVAILABLE")
            assert "cannot be written" in message
            server.call("GET", "/healthz", key=None).error(503, "UNAVAILABLE")
        except OSError:  # what became of an attempt did not fit either
            assert server.process.wait(30) == 3
        assert accepted
        server.process.kill()
        server.process.wait(30)
        with Serve(tmp_path / "state") as again:
            assert {again.ended(delivery)["state"] for delivery in accepted} == {"delivered"}
            assert len(again.get("/v1/deliveries", limit=200).data) >= len(accepted)


def test_a_full_disk_that_gets_room_again(tmp_path):
    """No space is left on a file system of two megabytes, and then there is some: nothing that was accepted is lost, by the same process."""
    place = tmp_path / "place"
    place.mkdir()
    within = kit.mounted(f"mount -t tmpfs -o size=2m none '{place}'")
    if not within:
        pytest.skip("no user and mount namespaces here")
    go = threading.Event()
    large = {"type": "agent.error", "payload": "x" * 100000}  # which no endpoint takes
    small = {"type": "message.sent"}
    with kit.Capture(lambda request: go.wait(60) and 200) as capture, Serve(place / "state", "--no-auth", within=within) as server:
        server.webhook(capture.url, ["message.sent"], timeout="60s")
        accepted = [server.post("/v1/events", small).data["deliveries"][0]["delivery_id"] for _ in range(3)]
        capture.wait(3)
        filler = pathlib.Path(f"/proc/{server.process.pid}/root{place}/filler")
        with open(filler, "wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(b"x" * 4096)
        while (answer := server.post("/v1/events", large)).status == 202:  # into what the write-ahead file has already
            pass
        message, _ = answer.error(503, "UNAVAILABLE")
        assert "cannot be written" in message
        assert server.call("GET", "/healthz").status == 503
        assert len(server.get("/v1/deliveries").data) == 3
        filler.unlink()
        accepted.append(server.post("/v1/events", small).data["deliveries"][0]["delivery_id"])
        assert server.call("GET", "/healthz").status == 200
        go.set()
        assert {server.ended(delivery)["state"] for delivery in accepted} == {"delivered"}


def test_a_resolver_that_hangs_stops_nobody(tmp_path):
    """/etc/hosts is a pipe that nobody writes to: who looks a name up waits for ever."""
    hosts = tmp_path / "hosts"
    os.mkfifo(hosts)
    within = kit.mounted(f"mount --bind '{hosts}' /etc/hosts")
    if not within:
        pytest.skip("no user and mount namespaces here")
    with Serve(tmp_path / "state", "--allow-target", "10.0.0.0/8", "--allow-target", "named.example.com", within=within) as server:
        for url in ("https://slow.example.com/", "https://named.example.com/", "http://localhost:9/", "https://10.1.2.3/"):
            made = server.webhook(url, notify_url="https://other.example.com/")
            assert server.call("PATCH", f"/v1/webhooks/{made['id']}", {"url": "https://third.example.com/"}).status == 200
        _, fields = server.post("/v1/webhooks", {"url": "http://slow.example.com/", "events": ["*"]}).error(400, "INVALID_REQUEST")
        assert fields == ["url"]
    with Serve(tmp_path / "state", within=within) as server:
        message, _ = server.post("/v1/webhooks", {"url": "https://slow.example.com/", "events": ["*"]}).error(400, "INVALID_REQUEST")
        assert "--allow-target slow.example.com" in message


def test_quiet(tmp_path):
    with Serve(tmp_path / "state", "--quiet") as server:
        server.stop()
        assert server.err == [f"emit8: listening on {server.url}\n"]


def test_what_is_old_goes(tmp_path):
    with kit.Capture() as capture, Serve(tmp_path / "state", "--keep", "100ms") as server:
        server.webhook(capture.url)
        delivery = server.post("/v1/events", {"type": "agent.error"}).data["deliveries"][0]["delivery_id"]
        capture.wait(1)
        kit.until(lambda: server.get(f"/v1/deliveries/{delivery}").status == 404)
        assert server.get("/v1/deliveries").data == []
        assert server.get("/v1/overview").data["totals"]["attempts"] == 1


@pytest.mark.parametrize("args, said", [
    (("--no-auth", "--listen", "0.0.0.0:0"), "open to everybody"),
    (("--plan", "startr"), 'did you mean "starter"?'),
    (("--grace", "5"), "no duration"),
    (("--grace", "-1s"), "no duration"),
    (("--keep", "0"), "--keep 0"),
    (("--keep-bytes", "12"), "--keep-bytes"),
    (("--in-flight", "0"), "out of range"),
    (("--format", "csv"), "text or ndjson"),
    (("--notify", "ftp://x"), "http"),
    (("--notify", "http://192.0.2.1/"), "--allow-target"),
    (("--listen", "nowhere"), ""),
    (("--cacert", "/nonexistent"), "/nonexistent"),
    (("extra",), "one word too many"),
])
def test_bad_options(tmp_path, args, said):
    done = kit.emit8("serve", "--state", tmp_path / "state", *args, timeout=20)
    assert done.returncode == 2, done.err
    assert said in done.err and not done.out


@pytest.mark.parametrize("content, mode, said", [("nonsense", 0o600, "holds no key"), ("e8k_" + "0" * 40, 0o644, "chmod 600")])
def test_a_key_that_is_none(tmp_path, content, mode, said):
    state = tmp_path / "state"
    state.mkdir()
    (state / "api-key").write_text(content + "\n")
    (state / "api-key").chmod(mode)
    done = kit.emit8("serve", "--state", state, "--listen", "127.0.0.1:0", timeout=20)
    assert done.returncode == 2 and said in done.err


# --- who may ask ----------------------------------------------------------------------------------------------------


def test_key(shared):
    for key, header in (
        (None, {}),
        ("e8k_" + "0" * 40, {}),
        (shared.key[:-1], {}),
        (shared.key + "0", {}),
        (None, {"Authorization": f"Basic {shared.key}"}),
        (None, {"Authorization": shared.key}),
    ):
        answer = shared.call("GET", "/v1/webhooks", key=key, headers=header)
        answer.error(401, "UNAUTHORIZED")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert shared.key.encode() not in answer.body
    assert shared.call("GET", "/healthz", key=None).json == {"status": "ok"}
    assert shared.call("GET", "/openapi.json", key=None).status == 200
    shared.call("GET", "/metrics", key=None).error(401, "UNAUTHORIZED")
    assert shared.get("/v1/info").data["auth"] is True


def test_no_auth(tmp_path):
    with Serve(tmp_path / "state", "--no-auth") as server:
        assert server.get("/v1/info").data["auth"] is False
        assert not (tmp_path / "state" / "api-key").exists()


@pytest.mark.parametrize("plan, limit, burst", [("starter", 60, 100), ("pro", 600, 1000)])
def test_rate_limit(tmp_path, plan, limit, burst):
    with Serve(tmp_path / "state", "--plan", plan) as server:
        first = server.get("/v1/info")
        assert first.headers["x-ratelimit-limit"] == str(limit)
        assert first.headers["x-ratelimit-remaining"] == str(limit)  # never more, though the burst has more
        assert abs(int(first.headers["x-ratelimit-reset"]) - time.time()) < 5
        if plan == "pro":
            return
        answers = []  # a second gives one request back
        while not answers or answers[-1].status != 429:
            answers.append(server.get("/v1/info"))
        assert len(answers) >= burst - 1
        left = [int(answer.headers["x-ratelimit-remaining"]) for answer in answers]
        assert max(left) == limit and all(a - b in (0, 1) for a, b in zip(left, left[1:]))
        answers[-1].error(429, "RATE_LIMITED")
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 2
        assert answers[-1].headers["x-ratelimit-remaining"] == "0"
        assert server.call("GET", "/healthz", key=None).status == 200


def test_the_plan_is_for_clients(tmp_path):
    """What the dashboard asks, its files and the metrics leave the plan's requests alone; the dashboard has a limit as well."""
    dashboard = {"X-Emit8-Client": "dashboard"}
    with Serve(tmp_path / "state", "--plan", "starter") as server:
        for path in ("/metrics", "/openapi.json", "/", "/assets/app.js", "/healthz"):
            for _ in range(10):
                answer = server.call("GET", path)
                assert answer.status == 200 and "x-ratelimit-limit" not in answer.headers, path
        for _ in range(60):
            told = server.call("GET", "/v1/info", headers=dashboard)
            assert told.status == 200 and told.headers["x-ratelimit-limit"] == "1200"
        answers = [server.get("/v1/info").status for _ in range(100)]
        assert answers == [200] * 100
        while server.get("/v1/info").status != 429:
            pass
        assert server.call("GET", "/v1/info", headers=dashboard).status == server.call("GET", "/metrics").status == 200
        assert server.call("GET", "/v1/info", headers={"X-Emit8-Client": "another"}).status == 429
    with Serve(tmp_path / "state") as server:
        assert "x-ratelimit-limit" not in server.call("GET", "/v1/info", headers=dashboard).headers


def test_what_every_answer_bears(shared):
    for answer in (shared.get("/v1/info"), shared.get("/v1/nothing"), shared.call("GET", "/", key=None)):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in answer.headers
    assert shared.get("/v1/info").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method, path, allow", [
    ("PUT", "/v1/webhooks", "GET, HEAD, POST"),
    ("POST", "/v1/info", "GET, HEAD"),
    ("GET", "/v1/deliveries/resend/resend", "POST"),
    ("DELETE", "/healthz", "GET, HEAD"),
    ("PUT", "/", "GET, HEAD"),
    ("DELETE", "/", "GET, HEAD"),
    ("OPTIONS", "/", "GET, HEAD"),
    ("PUT", "/assets/app.js", "GET, HEAD"),
])
def test_methods(shared, method, path, allow):
    if method == "PUT":  # whatever it brings along
        assert shared.call(method, path, raw=b"x", headers={"Content-Type": "text/plain"}).headers["allow"] == allow
    answer = shared.call(method, path, {} if method in ("PUT", "POST") else None)
    message, _ = answer.error(405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == allow and message == f"{method} is not for this path; here are {allow}"


def test_head_is_get_without_a_body(shared):
    answer = shared.call("HEAD", "/v1/info")
    assert answer.status == 200 and answer.body == b"" and int(answer.headers["content-length"]) > 100


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/webhooks/", "/v1/webhooks//test", "/v2/webhooks", "/v1/webhooks/a/b",
                                  "/assets/", "/assets/../api.c", "/assets/openapi.json", "/assets/none.js"])
def test_paths_that_are_not_there(shared, path):
    shared.get(path).error(404, "NOT_FOUND")


def test_bodies_that_are_none(shared):
    for raw, said in ((b"", "no body"), (b"{", "line 1, column 2"), (b"[]", "send a JSON object"), (b'{"a":1,"a":2}', "a"),
                      (b'"x"', "send a JSON object"), (b"\xff{}", "JSON"), (b'{"url":"\xff"}', "line 1, column 9: byte 0xFF is not valid UTF-8; send the body as UTF-8"), (b'{"url":NaN}', "JSON"), (b"{} {}", "JSON")):
        message, _ = shared.call("POST", "/v1/webhooks", raw=raw).error(400, "INVALID_REQUEST")
        assert said in message, message
    shared.call("POST", "/v1/webhooks", raw=b"{}", headers={"Content-Type": "text/plain"}).error(415, "UNSUPPORTED_MEDIA_TYPE")
    large = json.dumps({"url": "x" * (2 << 20)})
    message, _ = shared.call("POST", "/v1/webhooks", raw=large).error(413, "PAYLOAD_TOO_LARGE")
    assert "2097152 bytes" in message
    assert shared.get("/v1/info").data["limits"]["body_bytes"] == 2 << 20


# --- webhooks -------------------------------------------------------------------------------------------------------


def test_webhook_with_defaults(shared):
    answer = shared.post("/v1/webhooks", {"url": "http://127.0.0.1:9/x", "events": ["conversation.*"]})
    made = answer.data
    assert answer.status == 201 and answer.headers["location"] == f"/v1/webhooks/{made['id']}"
    secret = made.pop("secret")
    assert re.fullmatch(r"whk_[0-9a-z]{26}", made["id"]) and re.fullmatch(r"[0-9a-f]{64}", secret)
    assert made["secret_end"] == "…" + secret[-4:]
    assert (made["scheme"], made["timeout_ms"], made["enabled"], made["description"]) == ("8bit", 5000, True, "")
    assert made["environments"] == ["production", "staging", "development"]
    assert made["retry"] == {"attempts": 5, "base_ms": 1000, "factor": 2, "cap_ms": 60000, "jitter": "full"}
    assert shared.get(answer.headers["location"]).data == made
    assert made in shared.get("/v1/webhooks").data


def test_webhook_with_everything(shared):
    given = {
        "url": "https://localhost:9/hooks?a=1", "events": ["message.received", "agent.*"], "environments": ["staging"],
        "description": "CRM", "secret": "a secret of my own, 31 characters", "scheme": "stripe", "timeout": "2s",
        "retry": {"attempts": 7, "base": "100ms", "factor": 1.5, "cap": "5s", "jitter": "equal"}, "headers": {"X-Team": "crm"},
        "notify_url": "http://localhost:9/alerts", "enabled": False,
    }
    made = shared.post("/v1/webhooks", given).data
    assert made["secret"] == given["secret"] and made["secret_end"] == "…ters"
    assert (made["timeout_ms"], made["retry"]) == (2000, {"attempts": 7, "base_ms": 100, "factor": 1.5, "cap_ms": 5000, "jitter": "equal"})
    for name in ("url", "events", "environments", "description", "scheme", "headers", "notify_url", "enabled"):
        assert made[name] == given[name], name
    assert made["id"] in {row["id"] for row in shared.get("/v1/webhooks", enabled="false").data}
    assert made["id"] not in {row["id"] for row in shared.get("/v1/webhooks", enabled="true").data}
    shared.get("/v1/webhooks", enabled="yes").error(400, "INVALID_REQUEST")


GOOD = {"url": "http://127.0.0.1:9/", "events": ["*"]}
BAD = [
    ({"url": None}, "url", "url: this is null, and it is needed; give it a value"),
    ({"url": 5}, "url", "put it in quotes"),
    ({"events": ["a" * 700]}, "events.0", 'matches "' + "a" * 100 + '"; GET /v1/events'),
    ({"url": "127.0.0.1:9"}, "url", "http"),
    ({"url": "ftp://127.0.0.1/"}, "url", "http"),
    ({"url": "http://192.0.2.7/"}, "url", "--allow-target"),
    ({"url": "https://192.0.2.7/"}, "url", "--allow-target"),
    ({"url": "http://169.254.169.254/"}, "url", "--allow-target"),
    ({"url": "http://127.0.0.1/a b"}, "url", "%20"),
    ({"url": "http://127.0.0.1/" + "x" * 2100}, "url", "2048"),
    ({"events": []}, "events", "list of 1 to 100"),
    ({"events": "*"}, "events", "list of 1 to 100"),
    ({"events": ["message.received", "message.recieved"]}, "events.1", 'did you mean "message.received"?'),
    ({"events": ["conv*"]}, "events.0", "pattern"),
    ({"events": [1]}, "events.0", "pattern"),
    ({"environments": ["prod"]}, "environments.0", 'did you mean "production"?'),
    ({"environments": []}, "environments", "list of 1 to 100"),
    ({"description": 5}, "description", "in quotes"),
    ({"description": "x" * 1001}, "description", "1000"),
    ({"secret": "fifteen chars.."}, "secret", "16 characters"),
    ({"secret": 1234567890123456}, "secret", "in quotes"),
    ({"scheme": "8bits"}, "scheme", 'did you mean "8bit"?'),
    ({"scheme": "standard-webhooks", "secret": "whsec_!!!not base64!!!"}, "secret", ""),
    ({"timeout": 5}, "timeout", "unit"),
    ({"timeout": "0s"}, "timeout", "out of range"),
    ({"timeout": "1h"}, "timeout", "out of range"),
    ({"retry": 3}, "retry", "map"),
    ({"retry": {"attempts": 0}}, "retry.attempts", "out of range"),
    ({"retry": {"base": "1"}}, "retry.base", "no duration"),
    ({"retry": {"jitter": "some"}}, "retry.jitter", "full, equal or none"),
    ({"retry": {"retries": 1}}, "retry.retries", "unknown"),
    ({"headers": ["a"]}, "headers", "map"),
    ({"headers": {"a b": "x"}}, "headers.a b", "no header's name"),
    ({"headers": {"Host": "x"}}, "headers.Host", "belongs to HTTP"),
    ({"headers": {"content-length": "0"}}, "headers.content-length", "belongs to HTTP"),
    ({"headers": {"X-A": "a\r\nX-B: b"}}, "headers.X-A", "control characters"),
    ({"headers": {"X-A": "a", "x-a": "b"}}, "headers.x-a", "twice"),
    ({"headers": {"X-A": "x" * 5000}}, "headers", "4 KiB"),
    ({"notify_url": "http://192.0.2.7/"}, "notify_url", "--allow-target"),
    ({"enabled": "yes"}, "enabled", "true or false"),
    ({"evnts": ["*"]}, "evnts", 'did you mean "events"?'),
    ({"id": "whk_1"}, "id", "cannot be chosen"),
    ({"description": None}, "description", "leave it out"),
    ({"events": None}, "events", "give it a value"),
    ({"environments": None}, "environments", "leave it out"),
    ({"headers": {"X-A": None}}, "headers.X-A", "leave it out"),
    ({"timeout": None}, "timeout", "leave it out"),
    ({"enabled": None}, "enabled", "leave it out"),
    ({"retry": None}, "retry", "leave it out"),
    ({"retry": {"base": None}}, "retry.base", "leave it out"),
    ({"retry": {"attempts": "a"}}, "retry.attempts", "no whole number"),
    ({"retry": {"factor": "a"}}, "retry.factor", "no number"),
    ({"retry": {"factor": 101}}, "retry.factor", "out of range"),
    ({"timeout_ms": 0}, "timeout_ms", "out of range"),
    ({"timeout_ms": 600001}, "timeout_ms", "out of range"),
    ({"timeout_ms": "5s"}, "timeout_ms", "without _ms"),
    ({"timeout_ms": 5000, "timeout": "6s"}, "timeout_ms", "contradict each other; leave one"),
    ({"retry": {"base_ms": -1}}, "retry.base_ms", "out of range"),
    ({"retry": {"base_ms": 1000, "base": "1001ms"}}, "retry.base_ms", "contradict"),
    ({"retry": {"cap_ms": 1, "cap": "2ms"}}, "retry.cap_ms", "contradict"),
    ({"headers": {"Authorization": "***"}}, "headers.Authorization", "give the value itself"),
]


@pytest.mark.parametrize("change, field, said", BAD, ids=[f"{field}-{n}" for n, (_, field, _) in enumerate(BAD)])
def test_bad_webhooks(shared, change, field, said):
    before = shared.get("/v1/webhooks").body
    message, fields = shared.post("/v1/webhooks", GOOD | change).error(400, "INVALID_REQUEST")
    assert fields == [field] and said in message, message
    assert "a secret" not in message or "fifteen" not in message
    assert shared.get("/v1/webhooks").body == before


def test_all_faults_at_once(shared):
    _, fields = shared.post("/v1/webhooks", {"url": "x", "timeout": 1, "nothing": 1}).error(400, "INVALID_REQUEST")
    assert set(fields) == {"url", "events", "timeout", "nothing"}


def test_https_beyond_this_machine(tmp_path):
    far = "http://hooks.example.com:1/"
    with Serve(tmp_path / "a", "--allow-target", "hooks.example.com") as server:
        message, fields = server.post("/v1/webhooks", GOOD | {"url": far}).error(400, "INVALID_REQUEST")
        assert fields == ["url"] and "--allow-http" in message
        server.webhook(far.replace("http:", "https:"))
    with Serve(tmp_path / "b", "--allow-target", "hooks.example.com", "--allow-http") as server:
        server.webhook(far)


def test_passwords_in_urls_are_not_told(shared, receiver):
    url = receiver.url.replace("http://", "http://user:pass-word@") + "/x?token=abc"
    made = shared.webhook(url, headers={"X-Api-Key": "key-value", "X-Team": "crm"})
    assert made["headers"] == {"X-Api-Key": "***", "X-Team": "crm"}
    path = f"/v1/webhooks/{made['id']}"
    told = shared.call("PATCH", path, {"url": made["url"], "headers": made["headers"] | {"X-Team": "ops"}}).data
    test = shared.post(path + "/test", {"event": "message.received"}).data
    request = (receiver.wait(1), receiver.take()[0])[1]
    assert request["headers"]["x-api-key"] == "key-value" and request["headers"]["x-team"] == "ops"
    assert request["path"] == "/x?token=abc"
    assert request["headers"]["authorization"] == "Basic " + base64.b64encode(b"user:pass-word").decode()
    details = shared.ended(test["delivery_id"])
    for text in (json.dumps(made), json.dumps(told), json.dumps(details), shared.get("/v1/deliveries").body.decode()):
        assert "pass-word" not in text and "key-value" not in text and "token=abc" not in text.split('"attempts_log"')[0]
        assert base64.b64encode(b"user:pass-word").decode() not in text
    shared.call("DELETE", path)


def test_patch(shared):
    made = shared.webhook("http://127.0.0.1:9/")
    path = f"/v1/webhooks/{made['id']}"
    made.pop("secret")
    patched = shared.call("PATCH", path, {"description": "new", "retry": {"attempts": 2}, "enabled": False}).data
    assert (patched["description"], patched["enabled"]) == ("new", False) and patched["disabled_at"]
    assert patched["retry"] == made["retry"] | {"attempts": 2}
    for name in ("url", "events", "environments", "scheme", "timeout_ms", "headers", "secret_end", "created_at"):
        assert patched[name] == made[name], name
    assert patched["updated_at"] >= made["updated_at"]
    assert shared.call("PATCH", path, {"notify_url": "http://localhost:9/"}).data["notify_url"] == "http://localhost:9/"
    assert shared.call("PATCH", path, {"notify_url": None, "enabled": True}).data["notify_url"] is None
    for body, field in (({"secret": "x" * 20}, "secret"), ({"url": "x"}, "url"), ({"events": []}, "events"), ({}, "")):
        _, fields = shared.call("PATCH", path, body).error(400, "INVALID_REQUEST")
        assert fields == [field]
    message, _ = shared.call("PATCH", path, {"secret": "x" * 20}).error(400, "INVALID_REQUEST")
    assert "/rotate" in message and "secret_end" not in message
    message, _ = shared.call("PATCH", "/v1/webhooks/whk_none", {"description": ""}).error(404, "NOT_FOUND")
    assert message == 'there is no webhook "whk_none"; GET /v1/webhooks lists them'


def test_what_emit8_sets_itself_is_not_overridden(shared):
    """A delivery whose signature, event or type of content is another than emit8 says would be a lie."""
    made = shared.webhook("http://127.0.0.1:9/", headers={"Webhook-Id": "mine"})
    path = f"/v1/webhooks/{made['id']}"
    ours = ("X-8bit-Signature-256", "x-8bit-event", "X-8bit-Delivery", "X-8bit-Attempt", "X-8bit-Timestamp", "content-type", "User-Agent")
    for name in ours:
        message, fields = shared.call("PATCH", path, {"headers": {"X-Team": "crm", name: "text/plain"}}).error(400, "INVALID_REQUEST")
        assert fields == ["headers." + name] and f"{name} is set by emit8 itself" in message
        shared.post("/v1/webhooks", GOOD | {"headers": {name: "x"}}).error(400, "INVALID_REQUEST")
    message, fields = shared.call("PATCH", path, {"scheme": "standard-webhooks"}).error(400, "INVALID_REQUEST")
    assert set(fields) == {"scheme"} and "Webhook-Id is set by emit8 itself" in message
    assert shared.get(path).data["headers"] == {"Webhook-Id": "mine"}
    shared.call("DELETE", path)


def test_what_was_read_can_be_written_back(shared):
    """A client reads, changes one member, and writes all of it."""
    made = shared.webhook("http://u:p@127.0.0.1:9/", ["message.*"], timeout="1500us", headers={"X-Api-Key": "k"},
                          retry={"base": "1500ns", "cap": "1h", "attempts": 3, "jitter": "none"})
    path = f"/v1/webhooks/{made['id']}"
    for _ in range(2):
        read = shared.get(path).data
        assert (read["timeout_ms"], read["retry"]["base_ms"], read["retry"]["cap_ms"]) == (1.5, 0.002, 3600000)
        written = shared.call("PATCH", path, read | {"description": "new"}).data
        assert written == read | {"description": "new", "updated_at": written["updated_at"]}
    written = shared.call("PATCH", path, read | {"timeout_ms": 7000, "retry": read["retry"] | {"base_ms": 2.5}}).data
    assert (written["timeout_ms"], written["retry"]) == (7000, read["retry"] | {"base_ms": 2.5})
    both = shared.call("PATCH", path, {"timeout": "8s", "timeout_ms": 8000, "retry": {"cap": "9s", "cap_ms": 9000}}).data
    assert (both["timeout_ms"], both["retry"]["cap_ms"]) == (8000, 9000)
    copied = shared.post("/v1/webhooks", both | {"headers": {}}).data
    assert copied["id"] != both["id"] and copied["retry"] == both["retry"] and copied["timeout_ms"] == 8000
    _, fields = shared.call("PATCH", path, {"id": copied["id"]}).error(400, "INVALID_REQUEST")
    assert fields == ["id"]
    shared.call("DELETE", path)
    shared.call("DELETE", f"/v1/webhooks/{copied['id']}")


def test_a_secret_that_is_made_has_the_form_of_its_scheme(shared):
    made = shared.webhook("http://127.0.0.1:9/", scheme="standard-webhooks")
    again = shared.post(f"/v1/webhooks/{made['id']}/rotate").data
    for secret in (made["secret"], again["secret"]):
        assert secret.startswith("whsec_") and len(base64.b64decode(secret[6:], validate=True)) == 32
    assert made["secret"] != again["secret"]


def test_patch_to_a_scheme_that_the_secret_does_not_fit(shared):
    made = shared.webhook("http://127.0.0.1:9/", secret="no base64: it has blanks")
    message, fields = shared.call("PATCH", f"/v1/webhooks/{made['id']}", {"scheme": "standard-webhooks"}).error(400, "INVALID_REQUEST")
    assert fields == ["scheme"] and "rotate" in message


def test_enable_and_disable(shared):
    path = f"/v1/webhooks/{shared.webhook('http://127.0.0.1:9/', events=['agent.error'])['id']}"
    off = shared.post(path + "/disable", {"reason": "maintenance"}).data
    assert (off["enabled"], off["disabled_reason"]) == (False, "maintenance") and off["disabled_at"]
    assert shared.post("/v1/events", {"type": "agent.error", "environment": "staging"}).status == 202
    assert shared.get(path + "/deliveries").data == []
    assert shared.post(path + "/disable", {"reason": "again"}).data == off
    on = shared.post(path + "/enable").data
    assert (on["enabled"], on["disabled_reason"], on["disabled_at"]) == (True, None, None)
    shared.post(path + "/disable", {"reason": 5}).error(400, "INVALID_REQUEST")
    shared.post(path + "/disable", {"why": "x"}).error(400, "INVALID_REQUEST")
    shared.post("/v1/webhooks/whk_none/enable").error(404, "NOT_FOUND")
    shared.call("DELETE", path)


def test_delete(shared, receiver):
    made = shared.webhook(receiver.url, events=["agent.updated"])
    path = f"/v1/webhooks/{made['id']}"
    fired = shared.post("/v1/events", {"type": "agent.updated"}).data
    delivery = next(row["delivery_id"] for row in fired["deliveries"] if row["webhook_id"] == made["id"])
    assert shared.ended(delivery)["webhook_deleted"] is False
    assert shared.call("DELETE", path).data == {"id": made["id"], "deleted": True}
    for method, suffix in (("GET", ""), ("DELETE", ""), ("GET", "/deliveries"), ("POST", "/test"), ("POST", "/rotate"), ("POST", "/revoke")):
        shared.call(method, path + suffix, {"event": "agent.updated"} if suffix == "/test" else None).error(404, "NOT_FOUND")
    row = shared.get(f"/v1/deliveries/{delivery}").data
    assert (row["webhook_id"], row["url"], row["webhook_deleted"], row["state"]) == (made["id"], made["url"], True, "delivered")
    assert made["url"] in row["curl"] and row["signature"] is None
    listed = next(each for each in shared.get("/v1/deliveries", webhook=made["id"]).data if each["id"] == delivery)
    assert (listed["url"], listed["webhook_deleted"]) == (made["url"], True)
    shared.post(f"/v1/deliveries/{delivery}/resend").error(409, "CONFLICT")


# --- secrets --------------------------------------------------------------------------------------------------------


def test_rotation_by_the_platforms_scheme(shared, receiver):
    made = shared.webhook(receiver.url, events=["agent.deployed"])
    path = f"/v1/webhooks/{made['id']}"

    def delivered():
        shared.ended(shared.post(path + "/test", {"event": "agent.deployed"}).data["delivery_id"])
        return receiver.take()[0]

    kit.assert_signed(delivered(), made["secret"])
    rotated = shared.post(path + "/rotate").data
    assert rotated["secret"] != made["secret"] and rotated["rotated_at"]
    assert 86000 < kit_time(rotated["grace_until"]) - time.time() <= 86400
    kit.assert_signed(delivered(), rotated["secret"])  # what is new
    own = shared.post(path + "/rotate", {"secret": "another secret of mine", "grace": "0s"}).data
    assert own["secret"] == "another secret of mine" and own["grace_until"] is None
    assert own["secret_end"] is None  # four of 22 characters would be too many
    with sqlite3.connect(shared.state / "platform.db") as store:
        assert store.execute("SELECT secret_before FROM webhook WHERE id = ?", [made["id"]]).fetchall() == [(None,)]
    kit.assert_signed(delivered(), "another secret of mine")
    for body, field in (({"secret": "short"}, "secret"), ({"grace": 5}, "grace"), ({"gracee": "1h"}, "gracee")):
        _, fields = shared.post(path + "/rotate", body).error(400, "INVALID_REQUEST")
        assert fields == [field]
    kit.assert_signed(delivered(), "another secret of mine")
    shared.call("DELETE", path)


def kit_time(text):
    """Unix seconds of an RFC 3339 text."""
    return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone


def test_what_is_older_than_a_rotation_is_signed_with_the_secret_before(tmp_path):
    """Under a scheme with one signature: its retries, over a kill, until the grace is over or the secret is revoked. What is asked for
    after the rotation is new."""
    retry = {"attempts": 1000, "base": "100ms", "factor": 1, "cap": "100ms", "jitter": "none"}
    answers = {"status": 503}
    with kit.Capture(lambda request: answers["status"]) as capture:

        def accept():
            return server.post("/v1/events", {"type": "agent.error"}).data["deliveries"][0]["delivery_id"]

        def sign(secrets):
            capture.take()
            for _ in range(2):  # what was under way at the change is passed over
                capture.wait(6)
                requests = capture.take()
            for request in requests:
                kit.assert_signed(request, secrets[request["headers"]["x-8bit-delivery"]])
            return {request["headers"]["x-8bit-delivery"] for request in requests} == set(secrets)

        with Serve(tmp_path / "state") as server:
            made = server.webhook(capture.url, retry=retry)
            path = f"/v1/webhooks/{made['id']}"
            old = accept()
            rotated = server.post(path + "/rotate", {"grace": "1h"}).data
            new = accept()
            kit.until(lambda: sign({old: made["secret"], new: rotated["secret"]}))
            for each, secret in ((old, "previous"), (new, "current")):
                kit.until(lambda: server.get(f"/v1/deliveries/{each}").data["attempts_log"][-1]["signed_with"] == secret)
            server.process.kill()
            server.process.wait(30)
        with Serve(tmp_path / "state") as server:
            kit.until(lambda: sign({old: made["secret"], new: rotated["secret"]}))
            assert server.post(path + "/revoke").data["grace_until"] is None
            kit.until(lambda: sign({old: rotated["secret"], new: rotated["secret"]}))
            server.post(path + "/rotate", {"secret": "another secret of mine", "grace": "1h"})
            kit.until(lambda: sign({old: rotated["secret"], new: rotated["secret"]}))
            server.post(path + "/rotate", {"secret": "the last secret of mine", "grace": "0s"})
            kit.until(lambda: sign({old: "the last secret of mine", new: "the last secret of mine"}))
            answers["status"] = 200
            kit.until(lambda: all(server.get(f"/v1/deliveries/{each}").data["state"] == "delivered" for each in (old, new)))
            capture.take()
            asked = server.post(path + "/rotate", {"grace": "1h"}).data["secret"]
            answers["status"] = 503
            server.post(f"/v1/deliveries/{old}/resend")
            capture.wait(4)
            for request in capture.take():  # its retries, too
                kit.assert_signed(request, asked)


def test_a_grace_of_none(tmp_path, receiver):
    """As of the request, so of the server: the old secret is erased at once."""
    with Serve(tmp_path / "state", "--grace", "0s") as server:
        assert server.get("/v1/info").data["defaults"]["grace_ms"] == 0
        hook = server.webhook(receiver.url)["id"]
        assert server.post(f"/v1/webhooks/{hook}/rotate").data["grace_until"] is None
        assert server.post(f"/v1/webhooks/{hook}/rotate", {"grace": "1h"}).data["grace_until"]


def test_rotation_where_two_secrets_sign(shared, receiver):
    made = shared.webhook(receiver.url, events=["agent.deployed"], scheme="standard-webhooks")
    path = f"/v1/webhooks/{made['id']}"

    def signatures():
        delivery = shared.ended(shared.post(path + "/test", {"event": "agent.deployed"}).data["delivery_id"])
        request = receiver.take()[0]
        found = request["headers"]["webhook-signature"].split(" ")
        assert delivery["attempts_log"][0]["signed_with"] == ("both" if len(found) == 2 else "current")
        return request, found

    request, found = signatures()
    assert found == [standard_signature(request, made["secret"])]
    rotated = shared.post(path + "/rotate", {"grace": "1h"}).data
    assert 3500 < kit_time(rotated["grace_until"]) - time.time() < 3660
    request, found = signatures()
    assert set(found) == {standard_signature(request, made["secret"]), standard_signature(request, rotated["secret"])}
    info = shared.get("/v1/info").data
    assert info["overlapping_schemes"] == ["standard-webhooks", "stripe"] and set(info["overlapping_schemes"]) < set(info["schemes"])
    assert shared.post(path + "/revoke").data["grace_until"] is None
    request, found = signatures()
    assert found == [standard_signature(request, rotated["secret"])]
    for scheme in ("stripe", "github"):
        other = shared.webhook(receiver.url, events=["agent.deployed"], scheme=scheme)
        assert shared.post(f"/v1/webhooks/{other['id']}/rotate").data["grace_until"]
        assert shared.call("PATCH", f"/v1/webhooks/{other['id']}", {"scheme": "8bit"}).data["grace_until"]
        shared.call("DELETE", f"/v1/webhooks/{other['id']}")
    last = shared.post(path + "/rotate", {"grace": "1ms"}).data
    kit.until(lambda: time.time() > kit_time(last["rotated_at"]) + 1.1)
    request, found = signatures()
    assert found == [standard_signature(request, last["secret"])]
    shared.call("DELETE", path)


def test_secrets_are_told_once(tmp_path, receiver):
    state = tmp_path / "state"
    with Serve(state) as server:
        made = server.webhook(receiver.url)
        path = f"/v1/webhooks/{made['id']}"
        rotated = server.post(path + "/rotate").data
        delivery = server.post(path + "/test", {"event": "message.received"}).data["delivery_id"]
        server.ended(delivery)
        secrets = (made["secret"], rotated["secret"])
        told = [server.get(p).body for p in ("/v1/webhooks", path, path + "/deliveries", f"/v1/deliveries/{delivery}", "/v1/info",
                                             "/v1/events", "/v1/scenarios", "/openapi.json", "/metrics", "/v1/runs")]
        told.append(server.call("PATCH", path, {"description": "x"}).body)
        told.append(server.post(path + "/rotate", {"secret": secrets[0], "grac": "1h"}).body)
        told.append(server.post("/v1/webhooks", GOOD | {"secret": secrets[0], "scheme": "nothing"}).body)
        server.stop()
    for secret in (*secrets, server.key):
        assert not [text for text in told if secret.encode() in text]
        assert not [line for line in server.out if secret in line]
    for secret in secrets:
        assert not [line for line in server.err if secret in line]


# --- events ---------------------------------------------------------------------------------------------------------


def test_catalogue(shared):
    types = shared.get("/v1/events").data
    assert len(types) == 16 and {"type", "category", "description", "weight", "schema", "sample"} == set(types[0])
    one = shared.get("/v1/events/message.received").data
    assert one in types and one["sample"]["type"] == "message.received"
    message, _ = shared.get("/v1/events/message.recieved").error(404, "NOT_FOUND")
    assert 'did you mean "message.received"?' in message


def test_match(shared):
    def match(*patterns):
        return shared.call("GET", "/v1/match?" + "&".join(f"pattern={p}" for p in patterns))

    assert match("agent.*").data["types"] == ["agent.deployed", "agent.updated", "agent.undeployed", "agent.error"]
    assert match("session.started", "message.sent").data["types"] == ["message.sent", "session.started"]
    assert len(match("*").data["types"]) == 16 and match("nothing.*").data["types"] == []
    for bad in (("conv*",), ("agent.*", "A"), ("",), ()):
        _, fields = match(*bad).error(400, "INVALID_REQUEST")
        assert fields == ["pattern"]


def test_preview(shared):
    path = "/v1/events/message.received/preview"
    plain = shared.post(path).data
    assert json.loads(plain["body"]) == plain["payload"] and plain["payload"]["type"] == "message.received"
    edited = shared.post(path, {"environment": "staging", "data": {"content": {"text": "hello"}, "a.b": [1, None]},
                                "set": {"data.channel": "web", "data.user.name": "{{$randomFullName}}"}}).data["payload"]
    data = edited["data"]
    assert (edited["environment"], data["content"]["text"], data["a.b"], data["channel"]) == ("staging", "hello", [1, None], "web")
    assert data["content"]["type"] == "text" and data["user"]["name"] and "{{" not in data["user"]["name"]
    for body, field in (({"environment": "prod"}, "environment"), ({"data": []}, "data"), ({"set": {"data..x": 1}}, "set.data..x"),
                        ({"data": {"x": "{{nothing.at.all}}"}}, "data.x"), ({"payload": {}}, "payload"), ({"type": "x"}, "type")):
        message, fields = shared.post(path, body).error(400, "INVALID_REQUEST")
        assert fields == [field], message
    shared.post("/v1/events/nothing/preview").error(404, "NOT_FOUND")


@pytest.mark.parametrize("route", ["/v1/events", "test"])
@pytest.mark.parametrize("change, field, said", [
    ({}, None, "is missing"),
    ({"type": "message.recieved"}, "type", 'did you mean "message.received"?'),
    ({"type": "message.*"}, "type", "no event type"),
    ({"type": 5}, "type", "in quotes"),
    ({"type": "agent.error", "environment": "prod"}, "environment", 'did you mean "production"?'),
    ({"type": "agent.error", "payload": 5}, "payload", "an object, or a text"),
    ({"type": "agent.error", "payload": {}, "data": {}}, "payload", "leave data and set out"),
    ({"type": "agent.error", "sett": {}}, "sett", 'did you mean "set"?'),
])
def test_bad_events(shared, route, change, field, said):
    key = "type" if route == "/v1/events" else "event"
    path = route
    if route == "test":
        path = f"/v1/webhooks/{shared.webhook('http://127.0.0.1:9/', events=['agent.undeployed'])['id']}/test"
    body = {key if name == "type" else name: value for name, value in change.items()}
    message, fields = shared.post(path, body).error(400, "INVALID_REQUEST")
    assert fields == [key if field in ("type", None) else field] and said in message, message


def test_an_event_goes_to_all_that_take_it(tmp_path):
    with Serve(tmp_path / "state") as server, kit.Capture() as capture:
        takes = [server.webhook(f"{capture.url}/{n}", events=events, environments=environments)["id"] for n, (events, environments) in enumerate([
            (["*"], ["production", "staging"]), (["message.*"], ["production"]), (["message.received"], ["staging"]),
            (["agent.*"], ["production"]), (["message.received", "message.*"], ["production", "development"])])]
        off = server.webhook(capture.url + "/off", enabled=False)["id"]
        fired = server.post("/v1/events", {"type": "message.received", "data": {"text": "hi"}})
        assert fired.status == 202
        ids = {row["webhook_id"]: row["delivery_id"] for row in fired.data["deliveries"]}
        assert set(ids) == {takes[0], takes[1], takes[4]} and off not in ids
        for delivery in ids.values():
            assert server.ended(delivery)["state"] == "delivered"
        requests = capture.take()
        assert sorted(r["path"] for r in requests) == ["/0", "/1", "/4"]
        assert len({r["body"] for r in requests}) == 1
        assert {r["headers"]["x-8bit-delivery"] for r in requests} == set(ids.values())
        body = json.loads(requests[0]["body"])
        assert body["id"] == fired.data["event_id"] and body["data"]["text"] == "hi"
        assert server.post("/v1/events", {"type": "session.ended", "environment": "development"}).data["deliveries"] == []


def test_test_event_is_as_real(tmp_path):
    """To an endpoint that subscribes to something else, and is disabled."""
    with Serve(tmp_path / "state") as server, kit.Capture() as capture:
        made = server.webhook(capture.url + "/hooks", events=["agent.error"], environments=["production"], enabled=False, headers={"X-Team": "crm"})
        answer = server.post(f"/v1/webhooks/{made['id']}/test", {"event": "message.received", "environment": "staging"})
        assert answer.status == 202
        details = server.ended(answer.data["delivery_id"])
        (request,) = capture.take()
        kit.assert_signed(request, made["secret"])
        headers = request["headers"]
        assert headers["x-8bit-event"] == "message.received" and headers["x-8bit-attempt"] == "1"
        assert headers["x-8bit-delivery"] == answer.data["delivery_id"] and headers["x-team"] == "crm"
        assert headers["user-agent"].startswith("8bit-ai-webhooks/1.0 (emit8/")
        assert details["test"] is True and details["payload"].encode() == request["body"]
        assert (details["state"], details["status"], details["attempts"]) == ("delivered", 200, 1)
        (attempt,) = details["attempts_log"]
        assert attempt["trigger"] == "test" and attempt["request"]["head"].startswith("POST /hooks HTTP/1.1\n")
        assert attempt["response"]["head"].startswith("HTTP/1.1 200")
        assert abs(attempt["response_time_ms"] - attempt["service_time_ms"] - attempt["send_lag_ms"]) < 0.01
        assert details["signature"] == {"scheme": "8bit", "header": "X-8bit-Signature-256", "signed": "the exact bytes of the body",
                                        "algorithm": "HMAC-SHA-256, lower-case hex"}
        assert headers["x-8bit-signature-256"] in details["curl"] and made["secret"] not in details["curl"]
        assert server.get(f"/v1/webhooks/{made['id']}").data["enabled"] is False


@pytest.mark.parametrize("browser", [False, True])
def test_a_test_event_is_retried_as_the_endpoint_says(tmp_path, browser):
    with Serve(tmp_path / "state") as server, kit.Capture(lambda request: 503) as capture:
        headers = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"} if browser else {}
        made = server.webhook(capture.url, retry={"attempts": 3, "base": "300ms", "jitter": "none"})
        fired = server.call("POST", f"/v1/webhooks/{made['id']}/test", {"event": "message.received"}, headers=headers)
        fresh = server.get(f"/v1/deliveries/{fired.data['delivery_id']}").data
        assert fresh["state"] in ("pending", "retrying")
        details = server.ended(fired.data["delivery_id"])
        assert (details["state"], details["attempts"]) == ("failed", 3)
        dues = [datetime.datetime.fromisoformat(a["due_at"].replace("Z", "+00:00")) for a in details["attempts_log"]]
        assert [(b - a).total_seconds() >= 0.3 for a, b in zip(dues, dues[1:])] == [True, True]
        assert len(capture.take()) == 3


def test_curl_sends_the_same_again(tmp_path):
    with Serve(tmp_path / "state") as server, kit.Capture() as capture:
        made = server.webhook(capture.url + "/hooks?x=1")
        delivery = server.post(f"/v1/webhooks/{made['id']}/test", {"event": "message.sent", "data": {"note": "it's \"this\" \u00e9 \n"}}).data["delivery_id"]
        command = server.ended(delivery)["curl"]
        (first,) = capture.take()
        assert os.system(f"({command}) >/dev/null 2>&1") == 0
        (second,) = capture.take()
        assert second["body"] == first["body"] and second["path"] == first["path"]
        kit.assert_signed(second, made["secret"])


@pytest.mark.parametrize("payload, sent", [
    ({"b": 1.50, "a": [True, None, "é"]}, '{"b":1.5,"a":[true,null,"\\u00e9"]}'),
    ("not JSON \u00e9\n", "not JSON \u00e9\n"),
    ("", ""),
])
def test_payload_as_it_is(shared, receiver, payload, sent):
    made = shared.webhook(receiver.url, events=["agent.undeployed"])
    delivery = shared.post(f"/v1/webhooks/{made['id']}/test", {"event": "agent.error", "payload": payload}).data["delivery_id"]
    assert shared.ended(delivery)["state"] == "delivered"
    (request,) = receiver.take()
    kit.assert_signed(request, made["secret"])
    if isinstance(payload, dict):
        assert json.loads(request["body"]) == payload
    else:
        assert request["body"] == sent.encode()
    shared.call("DELETE", f"/v1/webhooks/{made['id']}")


# --- deliveries -----------------------------------------------------------------------------------------------------


def test_retries_failure_and_notices(tmp_path):
    with kit.Capture() as alerts, kit.Capture() as own, kit.Capture(lambda request: 503) as capture:
        with Serve(tmp_path / "state", "--notify", alerts.url, "--format", "ndjson") as server:
            made = server.webhook(capture.url, retry=FAST, notify_url=own.url + "/own")
            fired = server.post("/v1/events", {"type": "message.received"}).data
            delivery = fired["deliveries"][0]["delivery_id"]
            details = server.ended(delivery)
            assert (details["state"], details["attempts"], details["status"], details["outcome"]) == ("failed", 3, 503, "http_5xx")
            assert [a["number"] for a in details["attempts_log"]] == [1, 2, 3]
            assert [a["trigger"] for a in details["attempts_log"]] == ["event", "retry", "retry"]
            assert details["next_attempt_at"] is None
            requests = capture.take()
            assert [r["headers"]["x-8bit-attempt"] for r in requests] == ["1", "2", "3"]
            assert len({r["body"] for r in requests}) == len({r["headers"]["x-8bit-delivery"] for r in requests}) == 1
            alerts.wait(1)
            own.wait(1)
            kit.until(lambda: server.out)
            assert server.get(f"/v1/webhooks/{made['id']}").data["failing_since"]
        notice = json.loads(alerts.take()[0]["body"])
        assert notice == json.loads(own.take()[0]["body"]) == json.loads(server.out[0]) and len(server.out) == 1
        assert notice["type"] == "webhook.delivery_failed"
        assert notice["data"]["delivery_id"] == delivery and notice["data"]["webhook_id"] == made["id"]
        assert (notice["data"]["attempts"], notice["data"]["status"], notice["data"]["event_type"]) == (3, 503, "message.received")
        assert (notice["data"]["event_id"], notice["data"]["run_id"], notice["data"]["test"]) == (fired["event_id"], None, False)
        assert notice["created_at"] == details["attempts_log"][-1]["done_at"]


def test_failures_as_text(tmp_path):
    with Serve(tmp_path / "state") as server:
        made = server.webhook("http://127.0.0.1:1/", retry={"attempts": 1})
        delivery = server.post("/v1/events", {"type": "message.received"}).data["deliveries"][0]["delivery_id"]
        details = server.ended(delivery)
        assert details["status"] is None and details["attempts_log"][0]["response"] is None
        kit.until(lambda: server.out)
        facts = f"webhook.delivery_failed  {delivery}  {made['id']}  {details['event_id']}  message.received  real  #1  "
        assert server.out[0].startswith(f"{details['attempts_log'][0]['done_at']}  {facts}")
        test = server.post(f"/v1/webhooks/{made['id']}/test", {"event": "agent.error"}).data
        kit.until(lambda: len(server.out) == 2)
        assert f"  {test['event_id']}  agent.error  test  #1  " in server.out[1]


def test_a_disabled_endpoint_as_text(tmp_path):
    with kit.Capture(lambda request: 410) as capture, Serve(tmp_path / "state") as server:
        made = server.webhook(capture.url)
        server.post("/v1/events", {"type": "message.received"})
        kit.until(lambda: len(server.out) == 2)
        at = server.get(f"/v1/webhooks/{made['id']}").data["disabled_at"]
        assert server.out[1] == f"{at}  webhook.disabled  {made['id']}  the receiver answered 410 Gone\n"


def signed_by_the_platform(request, secret):
    digest = hmac.new(secret.encode(), request["body"], hashlib.sha256).hexdigest()
    return request["headers"].get("x-8bit-signature-256") == f"sha256={digest}"


@pytest.mark.parametrize("by", ["file", "environment", None])
def test_notices_are_signed(tmp_path, by):
    """Those to --notify with its secret, those to an endpoint's own address as its deliveries are; both say of what they are."""
    secret = "the secret of the notices"
    path = tmp_path / "secret"
    path.write_text(secret + "\n")
    path.chmod(0o600)
    more = ["--notify-secret-file", path] if by == "file" else []
    env = {"EMIT8_NOTIFY_SECRET": secret} if by == "environment" else {}
    once = {**FAST, "attempts": 1}
    with kit.Capture(lambda request: 200 if request["path"].startswith("/alert") else 500) as capture:
        with Serve(tmp_path / "state", "--notify", capture.url + "/alert", "--format", "ndjson", *more, env=env) as server:
            first = server.webhook(capture.url, ["message.received"], retry=once, notify_url=capture.url + "/alert-8bit")
            second = server.webhook(capture.url, ["message.received"], retry=once, notify_url=capture.url + "/alert-standard", scheme="standard-webhooks")
            events = []
            for made in (first, second):
                events.append(server.post(f"/v1/webhooks/{made['id']}/test", {"event": "agent.error"}).data["event_id"])
                kit.until(lambda: len(server.out) == len(events))
            text = LOGGED.replace("/s, for: 150ms", "/s, for: 50ms")
            run = server.post("/v1/runs", {"text": text}).data["id"]
            kit.until(lambda: server.get(f"/v1/runs/{run}").data["state"] != "running")
            row = server.get("/v1/deliveries", run=run, type="message.received", webhook=first["id"]).data[0]
            server.post(f"/v1/deliveries/{row['id']}/resend")
            kit.until(lambda: sum(request["path"] != "/" for request in capture.requests) == 6)
            kit.until(lambda: len(server.out) == 3)
        notices = collections.defaultdict(list)
        for request in capture.take():
            if request["path"] != "/":
                notices[request["path"]].append(request)
        assert {path: len(found) for path, found in notices.items()} == {"/alert": 3, "/alert-8bit": 2, "/alert-standard": 1}
        for request in notices["/alert"]:
            assert signed_by_the_platform(request, secret) == (by is not None)
            assert ("x-8bit-signature-256" in request["headers"]) == (by is not None)
        assert all(signed_by_the_platform(request, first["secret"]) for request in notices["/alert-8bit"])
        (standard,) = notices["/alert-standard"]
        assert standard["headers"]["webhook-signature"] == standard_signature(standard, second["secret"])
        told = [json.loads(line) for line in server.out]
        assert [json.loads(request["body"]) for request in notices["/alert"]] == told and len({notice["id"] for notice in told}) == 3
        assert standard["headers"]["webhook-id"] == json.loads(standard["body"])["id"]
        assert abs(int(standard["headers"]["webhook-timestamp"]) - time.time()) < 300
        facts = [(first["id"], events[0], None, True), (second["id"], events[1], None, True), (first["id"], row["event_id"], run, False)]
        assert [tuple(notice["data"][name] for name in ("webhook_id", "event_id", "run_id", "test")) for notice in told] == facts
        for notice in told:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", notice["created_at"])
        assert secret not in "".join(server.err + server.out)


def test_bad_secrets_of_notices(tmp_path):
    path = tmp_path / "secret"
    path.write_text("fifteen chars..")
    path.chmod(0o600)
    for args, env, said in (
        (("--notify", "http://127.0.0.1:9/", "--notify-secret-file", path), {}, "16 characters"),
        (("--notify", "http://127.0.0.1:9/"), {"EMIT8_NOTIFY_SECRET": "fifteen chars.."}, "16 characters"),
        (("--notify", "http://127.0.0.1:9/", "--notify-secret-file", tmp_path / "none"), {}, "--notify-secret-file"),
        (("--notify-secret-file", path), {}, "signs nothing; --notify URL"),
    ):
        done = kit.emit8("serve", "--state", tmp_path / "state", "--listen", "127.0.0.1:0", *args, env=env, timeout=20)
        assert done.returncode == 2 and said in done.err and not done.out, done.err
        assert "fifteen" not in done.err


def test_disabled_by_410(tmp_path):
    with kit.Capture(lambda request: 410) as capture, Serve(tmp_path / "state", "--format", "ndjson") as server:
        made = server.webhook(capture.url)
        delivery = server.post("/v1/events", {"type": "message.received"}).data["deliveries"][0]["delivery_id"]
        assert server.ended(delivery)["outcome"] == "gone"
        kit.until(lambda: len(server.out) == 2)
        assert [json.loads(line)["type"] for line in server.out] == ["webhook.delivery_failed", "webhook.disabled"]
        now = server.get(f"/v1/webhooks/{made['id']}").data
        assert now["enabled"] is False and "410" in now["disabled_reason"] and now["disabled_at"]
        assert server.post("/v1/events", {"type": "message.received"}).data["deliveries"] == []


@pytest.mark.parametrize("by", ["hand", "410"])
def test_what_is_disabled_is_not_disabled_again(tmp_path, by):
    """By a test that is answered 410, nor by hand: reason and time stay, and nothing more is told."""
    with kit.Capture(lambda request: 410) as capture, Serve(tmp_path / "state", "--format", "ndjson") as server:
        made = server.webhook(capture.url, enabled=by != "hand")
        path = f"/v1/webhooks/{made['id']}"
        test = {"event": "session.ended"}
        if by == "410":
            server.ended(server.post(path + "/test", test).data["delivery_id"])
            kit.until(lambda: len(server.out) == 2)
        before = kit.until(lambda: not (now := server.get(path).data)["enabled"] and now)
        assert (before["disabled_reason"] is None) == (by == "hand")
        for _ in range(2):
            server.ended(server.post(path + "/test", test).data["delivery_id"])
        assert server.post(path + "/disable", {"reason": "mine"}).data | {"failing_since": before["failing_since"]} == before
    told = [json.loads(line)["type"] for line in server.out]
    assert told.count("webhook.delivery_failed") == (2 if by == "hand" else 3)
    assert told.count("webhook.disabled") == (0 if by == "hand" else 1)


def test_disabled_after_failures(tmp_path):
    """Told as a 410 is: a line, a notice, and on the stream, with the reason."""
    with kit.Capture(lambda request: 200 if request["path"] == "/notify" else 500) as capture:
        with Serve(tmp_path / "state", "--format", "ndjson", "--disable-after", "1s", "--notify", capture.url + "/notify") as server:
            retry = {**FAST, "attempts": 1}
            made = server.webhook(capture.url, retry=retry)
            fine = server.webhook(capture.url + "/notify", retry=retry)
            listener = Listener(server, "?webhook=" + made["id"])
            deliveries = server.post("/v1/events", {"type": "message.received"}).data["deliveries"]
            delivery = next(row["delivery_id"] for row in deliveries if row["webhook_id"] == made["id"])
            name, told = listener.event()
            while name != "webhook":
                name, told = listener.event()
            listener.close()
            now = server.get(f"/v1/webhooks/{made['id']}").data
            reason = "no delivery has succeeded for 1 s"
            assert told == {"id": made["id"], "disabled_reason": reason}
            assert now["enabled"] is False and now["disabled_reason"] == reason and now["disabled_at"]
            assert server.get(f"/v1/webhooks/{fine['id']}").data["enabled"] is True
            kit.until(lambda: len(server.out) == 2)
            lines = [json.loads(line) for line in server.out]
            assert [line["type"] for line in lines] == ["webhook.delivery_failed", "webhook.disabled"]
            facts = {"delivery_id": delivery, "webhook_id": made["id"], "event_type": "message.received", "attempts": 1, "status": 500}
            assert facts.items() <= lines[1]["data"].items() and lines[1]["data"]["reason"] == reason
            kit.until(lambda: sum("disabled" in request["headers"]["x-8bit-event"] for request in capture.requests) == 1)
            (notice,) = (request for request in capture.take() if "disabled" in request["headers"]["x-8bit-event"])
            assert json.loads(notice["body"]) == lines[1]


def test_resend(tmp_path):
    answers = [503]
    with kit.Capture(lambda request: answers[0]) as capture, Serve(tmp_path / "state") as server:
        made = server.webhook(capture.url, retry={"attempts": 1})
        deliveries = [server.post("/v1/events", {"type": "message.received"}).data["deliveries"][0]["delivery_id"] for _ in range(3)]
        assert {server.ended(delivery)["state"] for delivery in deliveries} == {"failed"}
        capture.take()
        answers[0] = 200
        row = server.post(f"/v1/deliveries/{deliveries[0]}/resend", {})
        assert row.status == 202 and row.data["id"] == deliveries[0] and row.data["state"] in ("pending", "delivered")
        done = server.ended(deliveries[0])
        assert (done["state"], done["attempts"]) == ("delivered", 2)
        assert [a["trigger"] for a in done["attempts_log"]] == ["event", "resend"]
        (request,) = capture.take()
        assert request["headers"]["x-8bit-attempt"] == "2" and request["headers"]["x-8bit-delivery"] == deliveries[0]
        for body, field in (({"webhook": "whk_none"}, "webhook"), ({"since": "yesterday"}, "since"), ({"until": 5}, "until"), ({"x": 1}, "x")):
            _, fields = server.post("/v1/deliveries/resend", body).error(400, "INVALID_REQUEST")
            assert fields == [field]
        assert server.post("/v1/deliveries/resend", {"until": "2020-01-01"}).data == {"count": 0}
        again = server.post("/v1/deliveries/resend", {"webhook": made["id"], "since": "10m"})
        assert again.status == 202 and again.data == {"count": 2}
        assert {server.ended(delivery)["state"] for delivery in deliveries} == {"delivered"}
        assert server.post("/v1/deliveries/resend").data == {"count": 0}
        server.post("/v1/deliveries/dlv_none/resend").error(404, "NOT_FOUND")
        server.get("/v1/deliveries/dlv_none").error(404, "NOT_FOUND")


def test_what_emit8_waited_is_told_apart(tmp_path):
    """One at a time: the others wait in emit8, and not for the receiver."""

    def slowly(_):
        time.sleep(0.2)
        return 200

    with kit.Capture(slowly) as capture, Serve(tmp_path / "state", "--in-flight", "1") as server:
        for events in ("message.sent", "message.*", "*"):
            server.webhook(capture.url, [events])
        ids = [made["delivery_id"] for made in server.post("/v1/events", {"type": "message.sent"}).data["deliveries"]]
        rows = sorted((server.ended(each) for each in ids), key=lambda row: row["waited_ms"])
        for n, row in enumerate(rows):
            (attempt,) = row["attempts_log"]
            assert row["waited_ms"] == pytest.approx(attempt["response_time_ms"] - attempt["phases"]["total_ms"], abs=0.01)
            assert row["waited_ms"] >= 190 * n
            assert row == {**row, **next(each for each in server.get("/v1/deliveries").data if each["id"] == row["id"])}
        late = sum(row["waited_ms"] >= 100 and 2 * row["waited_ms"] >= row["response_time_ms"] for row in rows)
        overview = server.get("/v1/overview").data
        assert late and overview["totals"]["late"] == late == sum(each["late"] for each in overview["slices"])


def test_what_waits_for_a_disabled_endpoint(tmp_path):
    """It says so, in the list and alone, and when it is asked for; it goes out when the endpoint is enabled."""
    answers = [503]
    later = {"attempts": 2, "base": "1h", "cap": "1h", "jitter": "none"}
    with kit.Capture(lambda request: answers[0]) as capture, Serve(tmp_path / "state") as server:
        path = f"/v1/webhooks/{server.webhook(capture.url, retry=later)['id']}"
        retried = server.post("/v1/events", {"type": "message.received"}).data["deliveries"][0]["delivery_id"]
        test = server.post(path + "/test", {"event": "message.received"}).data["delivery_id"]
        kit.until(lambda: all(server.get(f"/v1/deliveries/{delivery}").data["updated_at"] for delivery in (retried, test)))

        def told(delivery):
            (listed,) = (row for row in server.get("/v1/deliveries").data if row["id"] == delivery)
            alone = server.get(f"/v1/deliveries/{delivery}").data
            assert {name: alone[name] for name in listed} == listed
            return listed["state"], listed["next_attempt_at"] is not None, listed["waiting_for"]

        assert told(retried) == told(test) == ("pending", True, None)
        server.post(path + "/disable")
        assert told(retried) == ("pending", False, "endpoint_enabled")
        assert told(test) == ("pending", True, None)  # it is sent anyway
        again = server.post(f"/v1/deliveries/{retried}/resend").data
        assert (again["state"], again["next_attempt_at"], again["waiting_for"]) == ("pending", None, "endpoint_enabled")
        assert len(capture.take()) == 2
        answers[0] = 200
        server.post(path + "/enable")
        assert server.ended(retried)["state"] == "delivered" and told(retried) == ("delivered", False, None)


def test_resend_of_what_filters_take(tmp_path):
    """All that failed, by the filters that the list has, and nothing else goes out again."""
    codes = iter([500, 503, 500, 429, 500, 200])
    with kit.Capture(lambda request: next(codes, 200)) as capture, Serve(tmp_path / "state") as server:
        hook = server.webhook(capture.url, retry={"attempts": 1})["id"]
        other = server.webhook("http://127.0.0.1:1/", ["session.ended"], retry={"attempts": 1})["id"]
        ids = []
        for type_, environment in (("message.sent", "production"), ("message.sent", "staging"), ("message.received", "production"),
                                   ("agent.error", "production"), ("agent.error", None), ("agent.error", "production")):
            if environment:
                made = server.post("/v1/events", {"type": type_, "environment": environment}).data["deliveries"][0]
            else:
                made = server.post(f"/v1/webhooks/{hook}/test", {"event": type_}).data
            ids.append(made["delivery_id"])
            server.ended(ids[-1])
        gone = [row["delivery_id"] for row in server.post("/v1/events", {"type": "session.ended"}).data["deliveries"]]
        for delivery in gone:
            server.ended(delivery)
        assert [row["status"] for row in reversed(server.get("/v1/deliveries", webhook=hook).data)] == [500, 503, 500, 429, 500, 200, 200]
        capture.take()

        def again(*expected, **filters):
            counted = server.post("/v1/deliveries/resend", {**filters, "dry_run": True})
            assert counted.status == 200 and counted.data == {"count": len(expected), "more": False}
            assert server.post("/v1/deliveries/resend", filters).data["count"] == len(expected)
            for n in expected:
                assert server.ended(ids[n])["state"] == "delivered"
            assert sorted(request["headers"]["x-8bit-delivery"] for request in capture.take()) == sorted(ids[n] for n in expected), filters

        again(type="account.*")
        again(status="404")
        again(webhook=other, status=500)
        again(status=200)  # of what failed alone
        again(1, environment="staging", type="message.*")
        again(3, status=429)
        again(4, test=True, webhook=hook)
        again(0, event=server.get(f"/v1/deliveries/{ids[0]}").data["event_id"])
        again(2, status="5xx", since="1h")
        (left,) = server.get("/v1/deliveries", state="failed").data
        assert left["webhook_id"] == other and left["id"] in gone
        for body, field, said in (
            ({"status": "x"}, "status", "no status"), ({"type": "mesage.*"}, "type", "no event type"), ({"run": "run_none"}, "run", "no run"),
            ({"environment": None}, "environment", "leave it out"), ({"type": ["message.*"]}, "type", "a list"), ({"test": "perhaps"}, "test", "one of false, true"),
            ({"state": "failed"}, "state", "unknown"), ({"webhook": "whk_none"}, "webhook", "whk_none"), ({"cursor": "r1"}, "cursor", "unknown"),
        ):
            message, fields = server.post("/v1/deliveries/resend", body).error(400, "INVALID_REQUEST")
            assert fields == [field] and said in message, message


def test_list_and_filters(tmp_path):
    def status(request):
        return {"/a": 200, "/b": 404}[request["path"]]

    with kit.Capture(status) as capture, Serve(tmp_path / "state") as server:
        a = server.webhook(capture.url + "/a", events=["message.*"])["id"]
        b = server.webhook(capture.url + "/b", events=["agent.*"], retry={"attempts": 1})["id"]
        c = server.webhook("http://127.0.0.1:1/", events=["session.started"], retry={"attempts": 1})["id"]
        fired = [server.post("/v1/events", {"type": t, "environment": e}).data for t, e in (
            ("message.sent", "production"), ("message.received", "staging"), ("agent.error", "production"), ("session.started", "development"))]
        test = server.post(f"/v1/webhooks/{a}/test", {"event": "agent.error"}).data
        ids = [row["deliveries"][0]["delivery_id"] for row in fired] + [test["delivery_id"]]
        for delivery in ids:
            server.ended(delivery)

        def found(**query):
            return [ids.index(row["id"]) for row in server.get("/v1/deliveries", **query).data]

        assert found() == [4, 3, 2, 1, 0]
        assert found(webhook=a) == [4, 1, 0] == [ids.index(r["id"]) for r in server.get(f"/v1/webhooks/{a}/deliveries").data]
        assert found(webhook=b) == found(status="4xx") == [2] and found(webhook=c) == found(status="none") == [3]
        assert found(type="agent.error") == [4, 2] and found(environment="staging") == [1]
        assert found(event=fired[0]["event_id"]) == [0] and found(status="2xx") == [4, 1, 0] and found(status="5xx") == []
        assert found(state="failed") == [3, 2] and found(state="pending") == [] and found(test="true") == [4] and found(test="false") == [3, 2, 1, 0]
        assert found(status="200") == [4, 1, 0] and found(status="404") == [2] and found(status="429") == found(status="400") == []
        assert found(type="message.*") == [1, 0] and found(type="*") == [4, 3, 2, 1, 0] and found(type="account.*") == []
        assert found(type="agent.*", status="404", webhook=b) == [2] and found(type="agent.*", status="2xx") == [4]
        assert found(since="1h") == [4, 3, 2, 1, 0] and found(until="2020-01-01") == []
        pages, cursor = [], {}
        while True:
            answer = server.get("/v1/deliveries", limit=2, **cursor)
            pages.append([ids.index(row["id"]) for row in answer.data])
            assert answer.json["page"]["limit"] == 2
            if not answer.json["page"]["next"]:
                break
            cursor = {"cursor": answer.json["page"]["next"]}
        for other in ({"status": "4xx"}, {"webhook": a}, {"since": "1h"}, {"state": "failed"}, {"type": "*"}, {"test": "false"}, {"environment": "staging"}):
            message, fields = server.get("/v1/deliveries", **cursor, **other).error(400, "INVALID_REQUEST")
            assert fields == ["cursor"] and "goes with other filters; keep the filters of the page before" in message
            bound = server.get("/v1/deliveries", limit=1, **other).json["page"]["next"]
            if bound:
                assert server.get("/v1/deliveries", cursor=bound, **other, limit=200).status == 200
                server.get("/v1/deliveries", cursor=bound).error(400, "INVALID_REQUEST")
        bound = server.get("/v1/deliveries", webhook=a, limit=1).json["page"]["next"]
        assert [ids.index(r["id"]) for r in server.get(f"/v1/webhooks/{a}/deliveries", cursor=bound).data] == [1, 0]
        server.get(f"/v1/webhooks/{b}/deliveries", cursor=bound).error(400, "INVALID_REQUEST")
        assert [n for page in pages for n in page] == [4, 3, 2, 1, 0] and len(pages) <= 4
        message, _ = server.get("/v1/deliveries", webhok=a).error(400, "INVALID_REQUEST")
        assert 'did you mean "webhook"?' in message
        for query in ({"limit": 0}, {"limit": 201}, {"limit": "x"}, {"cursor": "x"}, {"cursor": "r0"}, {"cursor": "r5"}, {"cursor": "r0-00000000"},
                      {"status": "6xx"}, {"status": "99"}, {"status": "1000"}, {"status": "4x"}, {"state": "x"}, {"test": "1"},
                      {"since": "x"}, {"until": "-1s"}):
            _, fields = server.get("/v1/deliveries", **query).error(400, "INVALID_REQUEST")
            assert fields == list(query)


@pytest.mark.parametrize("query, field, said", [
    ({"type": "mesage.sent"}, "type", 'unknown event type "mesage.sent"; did you mean "message.sent"?'),
    ({"type": "mesage.*"}, "type", 'no event type matches "mesage.*"; GET /v1/events'),
    ({"type": "message*"}, "type", '"message*" is no pattern of event types; "message.received", "conversation.*" or "*"'),
    ({"type": "*.sent"}, "type", "no pattern"),
    ({"status": "4"}, "status", '"4" is no status; a status like 429, or one of none, 2xx'),
    ({"type": "production"}, "type", "unknown event type"),  # the store knows the word, and not as a type
    ({"environment": "prod"}, "environment", 'did you mean "production"?'),
    ({"environment": "message.sent"}, "environment", "production, staging or development"),
    ({"webhook": "whk_none"}, "webhook", 'there is no webhook "whk_none"'),
    ({"run": "run_none"}, "run", 'there is no run "run_none" in the log'),
    ({"webhook": "message.sent"}, "webhook", "GET /v1/webhooks"),
    ({"event": "message.sent"}, "event", "evt_…"),
    ({"since": "2026-03-02T00:00:00Z", "until": "2026-03-01T00:00:00Z"}, "since", "since: this must be before until"),
    ({"since": "1m", "until": "1h"}, "since", "since: this must be before until"),
    ({"since": "2026-03-02T00:00:00Z", "until": "2026-03-02T00:00:00Z"}, "since", "since: this must be before until"),
])  # fmt: skip
def test_filters_that_can_match_nothing_are_refused(shared, query, field, said):
    hook = shared.webhook("http://127.0.0.1:9/", ["message.sent"])["id"]
    shared.post(f"/v1/webhooks/{hook}/test", {"event": "message.sent"})
    paths = ["/v1/deliveries"] + ([] if field == "webhook" else [f"/v1/webhooks/{hook}/deliveries"])
    paths += {"webhook": ["/v1/overview", "/v1/stream"], "since": ["/v1/overview"]}.get(field, [])
    for path in paths:
        message, fields = shared.get(path, **query).error(400, "INVALID_REQUEST")
        assert fields == [field] and message.startswith(f"{field}: ") and said in message, (path, message)
    if field == "since":
        _, fields = shared.post("/v1/deliveries/resend", query).error(400, "INVALID_REQUEST")
        assert fields == ["since"]
    shared.call("DELETE", f"/v1/webhooks/{hook}")


def test_a_parameter_that_is_there_twice_is_refused(shared):
    message, fields = shared.call("GET", "/v1/deliveries?state=failed&limit=5&state=pending").error(400, "INVALID_REQUEST")
    assert fields == ["state"] and message == "state: this is there twice; give it once"


def test_filters_by_what_was_there_once(tmp_path):
    """An endpoint that is deleted, a type that the catalogue has no more: what the log has is found, and old addresses are no error."""
    state = tmp_path / "state"
    with kit.Capture() as capture:
        with Serve(state, "--fixtures", SEVENTEENTH) as server:
            hook = server.webhook(capture.url)["id"]
            sent = server.post(f"/v1/webhooks/{hook}/test", {"event": "invoice.paid"}).data["delivery_id"]
            server.ended(sent)
            server.call("DELETE", f"/v1/webhooks/{hook}")
        with Serve(state) as server:
            assert [row["id"] for row in server.get("/v1/deliveries", type="invoice.paid").data] == [sent]
            assert [row["id"] for row in server.get("/v1/deliveries", webhook=hook).data] == [sent]
            assert [row["id"] for row in server.get("/v1/deliveries", type="invoice.*").data] == [sent]
            assert server.get("/v1/overview", webhook=hook).data["totals"]["attempts"] == 1
            assert server.get("/v1/deliveries", event="evt_00000000000000000000000000").data == []
            for event in ("evt_zz", "evt_0000000000000000000000000u", "evt_000000000000000000000000000", "dlv_00000000000000000000000000"):
                _, fields = server.get("/v1/deliveries", event=event).error(400, "INVALID_REQUEST")
                assert fields == ["event"]
            server.get("/v1/deliveries", type="invoice.unpaid").error(400, "INVALID_REQUEST")


def test_pending_is_one_thing(tmp_path):
    """What the list has with state=pending is what the overview and the metrics count; some of them are being retried."""
    go = threading.Event()

    def answer(request):
        return 500 if request["path"] == "/failing" else go.wait(30) and 200

    retry = {"attempts": 5, "base": "1h", "cap": "1h", "jitter": "none"}
    with kit.Capture(answer) as capture, Serve(tmp_path / "state") as server:
        failing = server.webhook(capture.url + "/failing", ["message.sent"], retry=retry)["id"]
        slow = server.webhook(capture.url + "/slow", ["message.received"], timeout="40s")["id"]
        for _ in range(3):
            server.post("/v1/events", {"type": "message.sent"})
        server.post("/v1/events", {"type": "message.received"})
        kit.until(lambda: len([row for row in server.get("/v1/deliveries", state="pending").data if row["outcome"]]) == 3)
        capture.wait(4)
        for query, pending, retrying in (({}, 4, 3), ({"webhook": failing}, 3, 3), ({"webhook": slow}, 1, 0)):
            told = server.get("/v1/overview", **query).data
            assert (told["pending"], told["retrying"]) == (pending, retrying)
            assert len(server.get("/v1/deliveries", state="pending", **query).data) == pending
        metrics = server.call("GET", "/metrics").body.decode()
        assert 'emit8_deliveries_pending{state="unsent"} 1' in metrics and 'emit8_deliveries_pending{state="retrying"} 3' in metrics
        go.set()
        kit.until(lambda: server.get("/v1/overview").data["pending"] == 3)


def test_answers_of_receivers_are_shown_safely(tmp_path):
    hostile = b"\x1b[31m<script>alert(1)</script>\xe2\x80\xae\x00"
    bodies = {"/text": b"plain \xc3\xa9", "/hostile": hostile, "/binary": b"\xff\xfe\x00", "/large": b"x" * 100000}

    def script(connection, n):
        kit.serve_forever(connection, lambda c: None)

    def one(connection, n):
        head, _ = kit.read_request(connection)
        path = head.split(b" ")[1].decode()
        kit.answer(connection, 200, ["X-Odd: \x1b[0m", "Set-Cookie: session=abcdef"], bodies[path])

    with kit.RawPeer(one) as peer, Serve(tmp_path / "state") as server:
        told = {}
        for path in bodies:
            made = server.webhook(peer.url + path, events=["agent.error"])
            told[path] = server.ended(server.post(f"/v1/webhooks/{made['id']}/test", {"event": "agent.error"}).data["delivery_id"])["attempts_log"][0]["response"]
        assert told["/text"]["body"] == "plain é" and not told["/text"]["truncated"]
        assert told["/hostile"]["body"].encode() == hostile
        assert told["/binary"]["body"] is None and base64.b64decode(told["/binary"]["body_base64"]) == b"\xff\xfe\x00"
        assert told["/large"]["truncated"] is True and told["/large"]["length"] == 100000 and set(told["/large"]["body"]) == {"x"}
        assert "abcdef" not in json.dumps(told)


def test_overview(tmp_path):
    with kit.Capture(lambda request: 500 if request["path"] == "/b" else 200) as capture, Serve(tmp_path / "state") as server:
        a = server.webhook(capture.url + "/a", events=["message.*"])["id"]
        b = server.webhook(capture.url + "/b", events=["agent.*"], retry=FAST)["id"]
        for name in ("message.sent", "message.received", "agent.error"):
            server.ended(server.post("/v1/events", {"type": name}).data["deliveries"][0]["delivery_id"])
        found = server.get("/v1/overview").data
        totals = found["totals"]
        assert (totals["attempts"], totals["delivered"], totals["failed"]) == (5, 2, 3) and totals["p50_ms"] > 0
        assert (found["pending"], found["retrying"], found["step_ms"]) == (0, 0, 60000)
        assert sum(row["attempts"] for row in found["slices"]) == sum(row["attempts"] for row in found["latency"]) == 5
        assert {row["name"]: row["attempts"] for row in found["webhooks"]} == {a: 2, b: 3}
        assert {row["name"]: row["attempts"] for row in found["types"]} == {"message.sent": 1, "message.received": 1, "agent.error": 3}
        assert {row["name"]: row["attempts"] for row in found["statuses"]} == {"200": 2, "500": 3}
        assert {row["name"]: row["attempts"] for row in found["outcomes"]} == {"delivered": 2, "http_5xx": 3}
        assert server.get("/v1/overview", webhook=b).data["totals"]["attempts"] == 3
        for query in ({"step": "1s"}, {"step": "x"}, {"since": "x"}, {"since": "1h", "until": "2h"}, {"since": "300d", "step": "1m"}, {"step": "0s"}):
            server.get("/v1/overview", **query).error(400, "INVALID_REQUEST")
        for since, step in (("6h", 1), ("361m", 5), ("24h", 5), ("7d", 30), ("30d", 120), ("300d", 1440), ("9000d", 26 * 1440)):
            found = server.get("/v1/overview", since=since).data
            assert found["step_ms"] == step * 60000 and sum(row["attempts"] for row in found["slices"]) == 5, since


# --- runs -----------------------------------------------------------------------------------------------------------

ENDLESS = """scenario: endless
flows:
  one:
    steps: [{emit: message.received}]
run: [{flow: one, arrivals: {rate: 20/s, for: 1h}}]
"""


def test_scenarios(shared):
    scenarios = shared.get("/v1/scenarios").data
    names = [row["name"] for row in scenarios]
    assert "support-day" in names and "quick" in names and all(row["text"] and row["summary"] for row in scenarios)
    refused = {row["name"]: row["refused"] for row in scenarios if row["refused"] is not None}
    assert list(refused) == ["secret-rotation"] and shared.get("/v1/scenarios").data == scenarios
    message, _ = shared.post("/v1/runs", {"scenario": "secret-rotation"}).error(400, "INVALID_REQUEST")
    assert refused["secret-rotation"].split("; ")[0] in message


def test_runs(tmp_path):
    with kit.Capture() as capture, Serve(tmp_path / "state") as server:
        message, _ = server.post("/v1/runs", {"scenario": "quick"}).error(409, "CONFLICT")
        assert "endpoint" in message
        made = server.webhook(capture.url, events=["message.*"])
        server.webhook(capture.url + "/off", enabled=False)
        answer = server.post("/v1/runs", {"scenario": "quick", "speed": 100, "seed": 7})
        run = answer.data
        assert answer.status == 201 and answer.headers["location"] == f"/v1/runs/{run['id']}"
        assert (run["name"], run["state"], run["ended_at"]) == ("quick", "running", None)
        assert (run["seed"], run["speed"]) == (7, 100)
        kit.until(lambda: server.get(f"/v1/runs/{run['id']}").data["state"] != "running")
        done = server.get(f"/v1/runs/{run['id']}").data
        assert done["state"] == "ended" and done["ended_at"] and done["progress"] == 1 and (done["in_flight"], done["waiting"]) == (0, 0)
        assert done["attempts"] == done["delivered"] == done["planned"] > 0 and done["failed"] == 0 and done["p99_ms"] >= done["p50_ms"] > 0
        requests = capture.take()
        assert len(requests) == done["delivered"] and {r["path"] for r in requests} == {"/"}
        assert all(r["headers"]["x-8bit-event"].startswith("message.") for r in requests)
        for request in requests:
            kit.assert_signed(request, made["secret"])
        assert [row["id"] for row in server.get("/v1/runs").data] == [run["id"]]


def test_a_run_is_made_again_by_its_seed(tmp_path):
    """Also where it had none, and after a restart."""
    text = "scenario: again\nflows: {f: [{repeat: 5, steps: [{emit: message.received}]}]}\nrun: [{flow: f}]\n"

    def texts():
        return sorted(json.loads(request["body"])["data"]["id"] for request in capture.take())  # they overtake each other

    def ran(more):
        run = server.post("/v1/runs", {"text": text, **more}).data
        kit.until(lambda: server.get(f"/v1/runs/{run['id']}").data["state"] != "running")
        return run

    with kit.Capture() as capture:
        with Serve(tmp_path / "state") as server:
            server.webhook(capture.url)
            first = ran({})
            sent = texts()
            assert len(sent) == 5 and first["seed"] < 2**53 and first["speed"] == 1
        with Serve(tmp_path / "state") as server:
            told = server.get(f"/v1/runs/{first['id']}").data
            assert (told["seed"], told["speed"]) == (first["seed"], 1)
            ran({"seed": told["seed"]})
            assert texts() == sent
            ran({"seed": told["seed"] + 1})
            assert texts() != sent


def test_a_run_tells_what_a_410_withheld(tmp_path):
    """All of its plan is in the log; what was not sent, with its reason."""
    with kit.Capture(lambda request: 410) as capture, Serve(tmp_path / "state") as server:
        server.webhook(capture.url)
        run = server.post("/v1/runs", {"scenario": "quick", "seed": 7}).data["id"]
        kit.until(lambda: server.get(f"/v1/runs/{run}").data["state"] != "running")
        done = server.get(f"/v1/runs/{run}").data
        rows = server.get("/v1/deliveries", run=run, limit=200).data
    unsent = [row["error"] for row in rows if row["state"] == "cancelled"]
    assert done["state"] == "ended" and done["planned"] == len(rows) and done["failed"] + done["not_sent"] == len(rows)
    assert len(unsent) == done["not_sent"] > 0 and set(unsent) == {"the receiver answered 410 to this run, which sends nothing more there"}


def test_runs_are_stopped(tmp_path):
    with kit.Capture() as capture, Serve(tmp_path / "state") as server:
        server.webhook(capture.url)
        runs = [server.post("/v1/runs", {"text": ENDLESS}).data["id"] for _ in range(4)]
        message, _ = server.post("/v1/runs", {"text": ENDLESS}).error(409, "CONFLICT")
        assert "4 scenarios run" in message
        capture.wait(4)
        for run in runs[:2]:
            assert server.post(f"/v1/runs/{run}/stop").status == 200
            kit.until(lambda: server.get(f"/v1/runs/{run}").data["state"] == "stopped")
        assert server.post(f"/v1/runs/{runs[0]}/stop").data["state"] == "stopped"
        assert server.post("/v1/runs", {"text": ENDLESS}).status == 201
        assert len(server.get("/v1/runs").data) == 5
        server.get("/v1/runs/run_none").error(404, "NOT_FOUND")
        server.post("/v1/runs/run_none/stop").error(404, "NOT_FOUND")
        assert server.stop() == 143  # with three of them under way


def test_runs_survive_a_restart(tmp_path):
    """As they ended, with their figures; one that was under way when the server was ended says so."""
    state = tmp_path / "state"

    def over(server, run):
        kit.until(lambda: server.get(f"/v1/runs/{run}").data["state"] != "running")
        return run

    with kit.Capture(lambda request: 503 if request["headers"]["x-8bit-event"] == "message.sent" else 200) as capture:
        with Serve(state) as server:
            server.webhook(capture.url, retry={"attempts": 1})
            ended = over(server, server.post("/v1/runs", {"text": LOGGED}).data["id"])
            stopped = server.post("/v1/runs", {"text": ENDLESS}).data["id"]
            kit.until(lambda: server.get(f"/v1/runs/{stopped}").data["delivered"])
            server.post(f"/v1/runs/{stopped}/stop")
            over(server, stopped)
            cut = server.post("/v1/runs", {"text": ENDLESS}).data["id"]
            kit.until(lambda: server.get(f"/v1/runs/{cut}").data["delivered"])
            before = server.get("/v1/runs").data
            assert [(run["id"], run["state"]) for run in before] == [(cut, "running"), (stopped, "stopped"), (ended, "ended")]
            assert before[2]["failed"] and before[2]["delivered"] and before[2]["planned"] and before[2]["p99_ms"]
        with Serve(state) as server:
            after = server.get("/v1/runs").data
            assert after[1:] == before[1:] and [server.get(f"/v1/runs/{run['id']}").data for run in after] == after
            assert (after[0]["id"], after[0]["state"], after[0]["in_flight"]) == (cut, "interrupted", 0)
            assert after[0]["note"] == "emit8 serve ended while the run was under way"
            assert after[0]["ended_at"] > after[0]["started_at"]
            sent = server.get("/v1/deliveries", run=cut, state="delivered", limit=200).data
            assert after[0]["delivered"] == len(sent) >= before[0]["delivered"] and after[0]["p50_ms"]
            assert server.post(f"/v1/runs/{cut}/stop").data == after[0], "it has ended"
            pages, cursor = [], {}
            for _ in range(3):
                answer = server.get("/v1/runs", limit=1, **cursor)
                pages += answer.data
                cursor = {"cursor": answer.json["page"]["next"]}
            assert pages == after and cursor == {"cursor": None}
            for query in ({"limit": 0}, {"limit": 201}, {"cursor": "x"}):
                _, fields = server.get("/v1/runs", **query).error(400, "INVALID_REQUEST")
                assert fields == list(query)
            more = over(server, server.post("/v1/runs", {"text": LOGGED}).data["id"])
            assert [run["id"] for run in server.get("/v1/runs").data] == [more, cut, stopped, ended]
        with Serve(state, "--keep", "1ms") as server:
            kit.until(lambda: server.get("/v1/runs").data == [])
            server.get(f"/v1/runs/{ended}").error(404, "NOT_FOUND")


LOGGED = """scenario: logged
flows:
  one:
    steps:
      - emit: message.received
      - {emit: order.created, body: '{"order": 7}'}
      - {emit: message.sent, id: the-id-of-a-step, deliver: {duplicate: 2}}
      - {emit: message.sent, deliver: {drop: true}}
run: [{flow: one, arrivals: {rate: 20/s, for: 150ms}}]
"""


TAMPERED = """scenario: tampered
flows:
  one:
    await: {ack: continue}
    steps:
      - {emit: message.sent, name: right}
      - {emit: message.sent, tamper: {body: {flip: 0}}}
      - {emit: message.sent, tamper: {body: {replace: {base64: /wD+}, signed: false}}}
      - {emit: message.sent, tamper: {body: {size: 100KB}}}
      - {emit: message.sent, tamper: {signature: other_secret}}
      - {emit: message.sent, tamper: {body: {form: pretty}}}
      - {emit: message.sent, tamper: {method: DELETE}}
run: [{flow: one, arrivals: {times: 1, concurrency: 1}}]
"""


def test_what_a_run_changed_on_purpose_is_told(tmp_path):
    """What was sent is what the log says was sent, and whether its signature fits is what the receiver finds."""
    with kit.Capture(lambda _: 200) as capture, Serve(tmp_path / "state") as server:
        hook = server.webhook(capture.url, retry={**FAST, "attempts": 1})
        run = server.post("/v1/runs", {"text": TAMPERED}).data["id"]
        kit.until(lambda: server.get(f"/v1/runs/{run}").data["state"] != "running")
        sent = {request["headers"]["x-8bit-delivery"]: request for request in capture.take()}
        told = []
        for row in server.get("/v1/deliveries", run=run, limit=200).data[::-1]:
            details = server.get(f"/v1/deliveries/{row['id']}").data
            (attempt,) = details["attempts_log"]
            request, tampered = sent[row["id"]], attempt["tampered"]
            body = details["payload"].encode()
            if tampered and (other := tampered["sent"]):
                body = base64.b64decode(other["body_base64"]) if other["body_base64"] else other["body"].encode()
                assert other["length"] == len(request["body"]) and other["truncated"] == (len(body) < len(request["body"]))
            assert body == request["body"][: len(body)] and (tampered and tampered["sent"] or len(body) == len(request["body"]))
            right = "sha256=" + hmac.new(hook["secret"].encode(), request["body"], hashlib.sha256).hexdigest()
            assert (tampered["forged"] if tampered else False) == (request["headers"]["x-8bit-signature-256"] != right)
            assert attempt["request"]["head"].split(" ")[0] == request["method"] and f"-X {request['method']} " in details["curl"]
            told.append(tampered and (tampered["how"], tampered["forged"]))
        assert told == [None, ("one bit flipped in byte 0 of the body", True), ("body replaced by 3 bytes, after signing", True), ("body padded to 100000 bytes", False),
                        ("signed with another secret", True), ("body pretty-printed", False), ("method DELETE, without a body", False)]


def attempts_by(requests):
    """Attempts by endpoint and event."""
    return collections.Counter((r["path"], r["headers"]["x-8bit-event"], json.loads(r["body"]).get("id", "")) for r in requests)


def test_runs_are_in_the_log(tmp_path):
    """As the receiver counted: it refuses each delivery to one endpoint once, and all to another."""
    seen = collections.Counter()

    def answer(request):
        key = request["headers"]["x-8bit-delivery"], request["body"]
        seen[key] += request["path"] == "/once"
        return 500 if request["path"] == "/never" or seen[key] == 1 else 200

    with kit.Capture(answer) as capture, Serve(tmp_path / "state") as server:
        hooks = {server.webhook(capture.url + path, retry={**FAST, "base": "50ms", "cap": "50ms"})["id"]: path for path in ("/once", "/never")}
        before = server.post("/v1/events", {"type": "message.received"}).data["deliveries"]
        for row in before:
            server.ended(row["delivery_id"])
        capture.take()
        listener = Listener(server)
        run = server.post("/v1/runs", {"text": LOGGED}).data["id"]
        kit.until(lambda: server.get(f"/v1/runs/{run}").data["state"] != "running")
        done = server.get(f"/v1/runs/{run}").data
        requests = capture.take()
        rows = server.get("/v1/deliveries", run=run, limit=200).data
        assert done["state"] == "ended" and done["stalls"] == 0 and len(rows) == 3 * 4 * 2
        assert {(row["run_id"], row["test"], row["next_attempt_at"]) for row in rows} == {(run, False, None)}
        assert len({row["id"] for row in rows}) == len(rows) and sum(row["id"] == "the-id-of-a-step" for row in rows) == 1
        assert sum(row["attempts"] for row in rows) == done["attempts"] == len(requests) == 3 * (2 + 2 + 4 + 3 + 3 + 5)
        with sqlite3.connect(tmp_path / "state" / "platform.db") as db:  # what an interrupted run would have, copies included
            found = db.execute("SELECT logged, logged_delivered, logged_failed, unknown FROM run").fetchone()
            assert found == (done["attempts"], done["delivered"], done["failed"], done["unknown_deliveries"]) and found[3] == 0
        logged = collections.Counter()
        for row in rows:
            details = server.get(f"/v1/deliveries/{row['id']}").data
            assert details["run_id"] == run and len(details["attempts_log"]) == row["attempts"]
            assert [a["number"] for a in details["attempts_log"]] == list(range(1, row["attempts"] + 1))
            assert all("X-8bit-Signature-256" in a["request"]["head"] and a["response"]["head"] for a in details["attempts_log"])
            if row["attempts"]:
                logged[hooks[row["webhook_id"]], row["type"], json.loads(details["payload"]).get("id", "")] += row["attempts"]
        assert logged == attempts_by(requests)
        states = collections.Counter((hooks[row["webhook_id"]], row["type"], row["state"], row["attempts"]) for row in rows)
        assert states == {("/once", "message.received", "delivered", 2): 3, ("/never", "message.received", "failed", 3): 3,
                          ("/once", "order.created", "delivered", 2): 3, ("/never", "order.created", "failed", 3): 3,
                          ("/once", "message.sent", "delivered", 4): 3, ("/never", "message.sent", "failed", 5): 3,
                          ("/once", "message.sent", "cancelled", 0): 3, ("/never", "message.sent", "cancelled", 0): 3}
        withheld = [row for row in rows if row["state"] == "cancelled"]
        assert {row["error"] for row in withheld} == {"the scenario withholds it"} and all(row["updated_at"] for row in withheld)
        # filters, alone and together; a page at a time; what was not of it; what nobody has
        assert len(server.get("/v1/deliveries", run=run, state="failed", type="order.created").data) == 3
        assert len(server.get("/v1/deliveries", limit=200).data) == len(rows) + 2
        page = server.get("/v1/deliveries", run=run, limit=20)
        rest = server.get("/v1/deliveries", run=run, limit=20, cursor=page.json["page"]["next"])
        assert [row["id"] for row in page.data + rest.data] == [row["id"] for row in rows] and rest.json["page"]["next"] is None
        event = server.get("/v1/deliveries", event=rows[0]["event_id"]).data
        assert len(event) == 2 and {row["event_id"] for row in event} == {rows[0]["event_id"]}
        # sums, metrics, and the stream
        assert server.get("/v1/overview").data["totals"]["attempts"] == len(requests) + 5
        counted = re.findall(r"^emit8_attempts_total\{.*\} (\d+)$", server.get("/metrics").body.decode(), re.M)
        assert sum(map(int, counted)) == len(requests) + 5
        name, told = listener.event()
        while name != "delivery" or not told["run_id"]:
            name, told = listener.event()
        assert told["run_id"] == run
        listener.close()
        # once more: what had failed, what was withheld, and the type that only the scenario has
        kit.until(lambda: server.out)
        assert len(server.out) == 1, "of the event before: runs tell no notices"
        again = [next(row for row in rows if (row["state"], row["type"], hooks[row["webhook_id"]]) == wanted)
                 for wanted in (("delivered", "order.created", "/once"), ("cancelled", "message.sent", "/once"))]
        for row in again:
            assert server.post(f"/v1/deliveries/{row['id']}/resend").status == 202
            more = server.ended(row["id"])
            assert more["state"] == "delivered" and more["attempts_log"][-1]["trigger"] in ("resend", "retry")
        assert {r["headers"]["x-8bit-delivery"] for r in capture.take()} == {row["id"] for row in again}


def test_a_stopped_run_is_closed(tmp_path):
    """What waits for its retry when the run is stopped is cancelled, and stays so."""
    with kit.Capture(lambda request: 503) as capture, Serve(tmp_path / "state") as server:
        server.webhook(capture.url, retry={"attempts": 5, "base": "1h", "factor": 1, "cap": "1h", "jitter": "none"})
        run = server.post("/v1/runs", {"text": ENDLESS}).data["id"]
        kit.until(lambda: server.get("/v1/deliveries", run=run, status="5xx", state="pending").data)
        server.post(f"/v1/runs/{run}/stop")
        kit.until(lambda: server.get(f"/v1/runs/{run}").data["state"] == "stopped")
        rows = server.get("/v1/deliveries", run=run, limit=200).data
        cancelled = [row for row in rows if row["state"] == "cancelled"]
        assert cancelled == rows  # what was on the wire had retries left
        assert {row["error"] for row in cancelled} == {"the run was stopped before it was delivered"}
        assert sum(row["attempts"] for row in rows) == len(capture.take())
        assert server.get("/v1/overview").data["pending"] == 0


def test_what_a_run_leaves_when_the_server_ends(tmp_path):
    """Run and deliveries tell the same reason."""
    state = tmp_path / "state"
    with kit.Capture(lambda request: 503) as capture:
        with Serve(state) as server:
            server.webhook(capture.url, retry={"attempts": 5, "base": "1h", "factor": 1, "cap": "1h", "jitter": "none"})
            run = server.post("/v1/runs", {"text": ENDLESS}).data["id"]
            kit.until(lambda: server.get("/v1/deliveries", run=run, status="5xx", state="pending").data)
        with Serve(state) as server:
            told = server.get(f"/v1/runs/{run}").data
            rows = server.get("/v1/deliveries", run=run, limit=200).data
            why = "emit8 serve ended while the run was under way"
            assert (told["state"], told["note"]) == ("interrupted", why)
            assert {(row["state"], row["error"]) for row in rows} == {("cancelled", f"interrupted: {why}")}


def test_an_attempt_that_fails_after_the_stop(tmp_path):
    """It was not the last: its delivery is cancelled, not failed for good; what is asked for again has no reason any more."""
    text = "scenario: one\nflows: {f: [{emit: message.received}]}\nrun: [{flow: f}]\nthresholds: ['failed == 0']\n"
    asked, answer, status = threading.Event(), threading.Event(), [503]

    def reply(request):
        asked.set()
        answer.wait(10)
        return status[0]

    with kit.Capture(reply) as capture, Serve(tmp_path / "state") as server:
        server.webhook(capture.url, retry={"attempts": 5, "base": "1h", "factor": 1, "cap": "1h", "jitter": "none"})
        run = server.post("/v1/runs", {"text": text}).data["id"]
        assert asked.wait(10)
        server.post(f"/v1/runs/{run}/stop")
        answer.set()
        kit.until(lambda: server.get(f"/v1/runs/{run}").data["state"] == "stopped")
        (row,) = server.get("/v1/deliveries", run=run).data
        told = server.get(f"/v1/runs/{run}").data
        assert (row["state"], row["attempts"], row["error"]) == ("cancelled", 1, "the run was stopped before it was delivered")
        assert (told["attempts"], told["failed"], told["not_sent"], told["note"]) == (1, 0, 1, None)
        assert server.post(f"/v1/deliveries/{row['id']}/resend").data["error"] is None
        status[0] = 200
        run = server.post("/v1/runs", {"text": text}).data["id"]
        kit.until(lambda: server.get(f"/v1/runs/{run}").data["state"] != "running")
        assert server.get(f"/v1/runs/{run}").data["note"] == "its thresholds are judged by emit8 run, not here"


def test_secrets_of_urls_are_not_told(tmp_path):
    """The request goes out with them; what is told of it has none."""
    with kit.Capture() as capture, Serve(tmp_path / "state") as server:
        place = capture.url.removeprefix("http://")
        server.webhook(f"http://someone:hidden-word@{place}/?token=hidden-token&page=3")
        made = server.post("/v1/events", {"type": "message.received"}).data["deliveries"][0]["delivery_id"]
        told = server.ended(made)
        (request,) = capture.take()
        assert request["path"].endswith("?token=hidden-token&page=3")
        assert base64.b64decode(request["headers"]["authorization"].split()[1]) == b"someone:hidden-word"
        head = told["attempts_log"][0]["request"]["head"]
        assert "?token=***&page=3 HTTP/1.1" in head and "\nAuthorization: ***" in head
        assert "hidden" not in json.dumps(told)


def test_a_run_waits_for_the_log(tmp_path):
    """While somebody else has the store's file, rows wait; then what is due does; and all of them are written."""
    text = ENDLESS.replace("rate: 20/s, for: 1h", "rate: 1000/s, for: 1200ms")
    with kit.Capture(lambda request: (200, {}, b"x" * 20000)) as capture, Serve(tmp_path / "state") as server:
        server.webhook(capture.url)
        run = server.post("/v1/runs", {"text": text}).data["id"]
        seen, over = [0], time.monotonic() + 1.5  # all are due by then

        def stands():
            threading.Event().wait(0.25)
            seen.append(len(capture.requests))
            return time.monotonic() > over and 0 < seen[-1] == seen[-2]

        with sqlite3.connect(tmp_path / "state" / "platform.db", isolation_level=None) as db:
            db.execute("BEGIN IMMEDIATE")
            kit.until(stands)
            db.execute("ROLLBACK")
        kit.until(lambda: server.get(f"/v1/runs/{run}").data["state"] != "running")
        done = server.get(f"/v1/runs/{run}").data
        assert done["state"] == "ended" and done["stalls"] > 0 and seen[-1] < 1200
        assert done["note"].startswith("attempts waited for the delivery log (stalls)") or "; attempts waited for" in done["note"]
        assert done["attempts"] == len(capture.take()) == 1200
        with sqlite3.connect(tmp_path / "state" / "platform.db") as db:
            assert db.execute("SELECT count(*), sum(number), count(due) FROM delivery WHERE run = 1").fetchone() == (1200, 1200, 0)
            assert db.execute("SELECT count(*), max(length(body)), max(body_length) FROM attempt").fetchone() == (1200, 16384, 20000)
            late = "SELECT max(d.created - a.due - a.sent), max(d.created - a.due), max(a.sent) FROM attempt a JOIN delivery d ON d.row = a.n >> 20"
            found = db.execute(late).fetchone()
            assert found[0] < 50e6 and found[1] > 0.2e9 and found[2] > 0.2e9, found  # accepted late, and then sent; by two clocks
            wrong = "SELECT count(*) FROM delivery d JOIN delivery before ON before.row = d.row - 1 WHERE d.created < before.created"
            assert db.execute(wrong).fetchone() == (0,)


def test_a_dead_endpoint_takes_no_other_s_place(tmp_path):
    """What waits for its retry is not in flight: the other endpoint gets all of it, when it is due."""
    text = ENDLESS.replace("for: 1h", "for: 1s")
    with kit.Capture(lambda request: 503 if request["path"] == "/dead" else 200) as capture, Serve(tmp_path / "state", "--in-flight", "4") as server:
        server.webhook(capture.url + "/dead", retry={"attempts": 5, "base": "1h", "factor": 1, "cap": "1h", "jitter": "none"})
        well = server.webhook(capture.url + "/well")["id"]
        run = server.post("/v1/runs", {"text": text}).data["id"]
        kit.until(lambda: len(server.get("/v1/deliveries", run=run, webhook=well, state="delivered").data) == 20)
        kit.until(lambda: server.get(f"/v1/runs/{run}").data["waiting"] == 20)
        told = server.get(f"/v1/runs/{run}").data
        assert (told["state"], told["in_flight"], told["waiting"]) == ("running", 0, 20)
        server.post(f"/v1/runs/{run}/stop")


@pytest.mark.parametrize("body, field, said", [
    ({}, "scenario", "either"),
    ({"scenario": "quick", "text": ENDLESS}, "scenario", "either"),
    ({"scenario": "quik"}, "scenario", 'did you mean "quick"?'),
    ({"scenario": "../checks/sig"}, "scenario", "no built-in scenario"),
    ({"text": "scenario: x\nflows: 5\n"}, "text", "text: line 2, column 8: "),
    ({"text": "\ufefffoo: 1"}, "text", "text: line 1, column 1: begins with a byte order mark"),
    ({"text": ENDLESS + "include: [/etc/passwd]\n"}, "text", ""),
    ({"text": ENDLESS + "endpoints: {a: {url: 'http://127.0.0.1:9/', secret: {file: '-'}}}\n"}, "text", "secret in a file"),
    ({"text": ENDLESS.replace("[{emit: message.received}]", "[{emit: message.received}, {exec: [touch, /tmp/x]}]")}, "text", "commands"),
    ({"scenario": "secret-rotation"}, "scenario", "rotates secrets"),
    ({"scenario": "quick", "seed": -1}, "seed", "no seed"),
    ({"scenario": "quick", "speed": 0}, "speed", "no speed"),
    ({"scenario": "quick", "speed": "10y"}, "speed", '10 or "10x"'),
    ({"scenario": "quick", "speed": "1001x"}, "speed", "no speed"),
    ({"scenario": "quick", "speed": None}, "speed", "leave it out"),
    ({"scenario": "none of them"}, "scenario", "support-day, usage-billing"),
    ({"scenaro": "quick"}, "scenaro", 'did you mean "scenario"?'),
])
def test_bad_runs(shared, body, field, said):
    message, fields = shared.post("/v1/runs", body).error(400, "INVALID_REQUEST")
    assert field in fields and said in message, message


# --- files ----------------------------------------------------------------------------------------------------------


def test_chart_library(shared):
    answer = shared.call("GET", "/assets/chart.js", key=None)
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/javascript")
    assert b"Chart.js v3" in answer.body[:200] and answer.headers["etag"]
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    again = shared.call("GET", "/assets/chart.js", key=None, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status == 304 and again.body == b""


# --- after a kill ---------------------------------------------------------------------------------------------------


HOUR = 3600 * 10**9


def an_hour_passes(state):
    """All that is owed was due, and asked for, an hour earlier."""
    with sqlite3.connect(state / "platform.db", timeout=30) as db:
        assert db.execute("UPDATE delivery SET due = due - ?, asked = asked - ? WHERE due IS NOT NULL", (HOUR, HOUR)).rowcount
    db.close()


def assert_sent_promptly(delivery, request):
    """By its last attempt, and by what was signed."""
    last = delivery["attempts_log"][-1]
    assert delivery["state"] == "delivered" and 0 <= last["send_lag_ms"] <= last["response_time_ms"] < 600_000
    assert delivery["response_time_ms"] == last["response_time_ms"]
    assert abs(int(request["headers"]["x-8bit-timestamp"]) - time.time()) < 600


def test_time_while_it_was_down_is_nobodys_response_time(tmp_path):
    state = tmp_path / "state"
    answers = [503]
    later = {"attempts": 2, "base": "1h", "cap": "1h", "jitter": "none"}
    with kit.Capture(lambda request: answers[0]) as capture:
        with Serve(state) as server:
            server.webhook(capture.url, retry=later)
            event = server.post("/v1/events", {"type": "message.received"}).data["deliveries"][0]["delivery_id"]
            kit.until(lambda: server.get(f"/v1/deliveries/{event}").data["updated_at"])
        an_hour_passes(state)
        an_hour_passes(state)
        answers[0] = 200
        capture.take()
        with Serve(state) as server:
            assert_sent_promptly(server.ended(event), capture.take()[0])
            assert server.get("/v1/overview").data["totals"]["p99_ms"] < 600_000


@pytest.mark.parametrize("how", ["enable", "PATCH"])
def test_time_while_an_endpoint_was_disabled_is_nobodys_response_time(tmp_path, how):
    state = tmp_path / "state"
    with kit.Capture() as capture, Serve(state) as server:
        path = f"/v1/webhooks/{server.webhook(capture.url)['id']}"
        delivery = server.ended(server.post("/v1/events", {"type": "message.received"}).data["deliveries"][0]["delivery_id"])["id"]
        server.post(path + "/disable")
        assert server.post(f"/v1/deliveries/{delivery}/resend").status == 202
        an_hour_passes(state)
        capture.take()
        if how == "PATCH":
            server.call("PATCH", path, {"enabled": True})
        else:
            server.post(path + "/enable")
        done = server.ended(delivery)
        assert [a["trigger"] for a in done["attempts_log"]] == ["event", "resend"]
        assert_sent_promptly(done, capture.take()[0])


def test_what_was_accepted_survives_a_kill(tmp_path):
    state = tmp_path / "state"
    down = threading.Event()
    down.set()
    with kit.Capture(lambda request: 503 if down.is_set() else 200) as capture:
        server = Serve(state)
        made = server.webhook(capture.url, retry={"attempts": 100, "base": "50ms", "cap": "100ms", "jitter": "none"})
        accepted = [server.post("/v1/events", {"type": "message.received"}).data["deliveries"][0]["delivery_id"] for _ in range(20)]
        server.post(f"/v1/webhooks/{made['id']}/rotate")
        server.process.kill()
        server.process.wait(30)
        down.clear()
        with Serve(state) as again:
            for delivery in accepted:
                assert again.ended(delivery)["state"] == "delivered"
        delivered = [r for r in capture.take() if r["headers"]["x-8bit-delivery"] in accepted]
        kit.assert_signed(delivered[-1], made["secret"])  # older than the rotation


def test_an_attempt_that_a_kill_cut_off_is_told(tmp_path):
    """Its number is used up: it is neither an attempt that is not kept any more, nor none at all."""
    state, held = tmp_path / "state", threading.Event()
    with kit.Capture(lambda request: held.wait(30) and 503 if request["headers"]["x-8bit-attempt"] == "1" else 200) as capture:
        server = Serve(state)
        server.webhook(capture.url, retry={**FAST, "attempts": 3})
        delivery = server.post("/v1/events", {"type": "message.received"}).data["deliveries"][0]["delivery_id"]
        kit.until(lambda: capture.requests)
        under_way = server.get(f"/v1/deliveries/{delivery}").data
        assert (under_way["attempts"], under_way["attempts_log"], under_way["unknown_attempts"]) == (1, [], [1])
        server.process.kill()
        server.process.wait(30)
        held.set()
        with Serve(state) as again:
            found = again.ended(delivery)
            assert (found["state"], found["attempts"], found["unknown_attempts"]) == ("delivered", 2, [1])
            assert [each["number"] for each in found["attempts_log"]] == [2]
