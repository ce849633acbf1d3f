"""Retries: what is sent again, when, how often, and what the log says about it."""

import collections
import datetime
import email.utils
import json
import socket
import time

import kit
import pytest

SLACK = 0.050  # of due times, in seconds


def write(tmp_path, url, retry, flow="[{emit: message.received}]", times=1, more="", timeout="2s"):
    path = tmp_path / "scenario.yaml"
    path.write_text(
        f"""
endpoints:
  hook: {{url: "{url}", secret: {kit.SECRET}, timeout: {timeout}, retry: {retry}}}
{more}
flows: {{f: {flow}}}
run: [{{flow: f, arrivals: {{times: {times}, concurrency: {times}}}}}]
"""
    )
    return path


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log.db"


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def waits(rows):
    """The times from the end of each attempt to when the next one is due."""
    return [seconds(after["due"]) - seconds(before["done"]) for before, after in zip(rows, rows[1:])]


def assert_times(measured, expected):
    assert len(measured) == len(expected), measured
    for m, e in zip(measured, expected):
        assert 0 <= m - e < SLACK, (measured, expected)


def assert_reconciles(rows, requests):
    """Each attempt of the log came in, and nothing else did."""
    logged = collections.Counter((row["delivery_id"], str(row["attempt"])) for row in rows)
    came = collections.Counter((r["headers"]["x-8bit-delivery"], r["headers"]["x-8bit-attempt"]) for r in requests)
    assert logged == came
    assert max(logged.values()) == 1


def test_a_retry_is_the_same_event_with_a_new_signature_in_time(tmp_path, log):
    """The 8bit scheme signs the body alone; Stripe's signs the time too, so a retry has another signature."""
    secret = kit.secret_file(tmp_path)
    with kit.Capture(lambda request: 500 if request["index"] < 2 else 200) as capture:
        scenario = tmp_path / "scenario.yaml"
        scenario.write_text(
            f"""
endpoints:
  hook:
    url: {capture.url}
    scheme: stripe
    secret: {{file: {secret}}}
    retry: {{attempts: 3, base: 1100ms, factor: 1, cap: 10s, jitter: none}}
flows: {{f: [{{emit: message.received}}]}}
run: [{{flow: f}}]
"""
        )
        done = kit.emit8("run", scenario, "--log", log)
        assert done.returncode == 0, done.err
        requests, rows = capture.requests, kit.attempts(log)
    assert [r["headers"]["x-8bit-attempt"] for r in requests] == ["1", "2", "3"]
    assert len({r["body"] for r in requests}) == 1
    assert len({r["headers"]["x-8bit-delivery"] for r in requests}) == 1
    assert {json.loads(r["body"])["id"] for r in requests} == {rows[0]["event_id"]}
    assert len({r["headers"]["stripe-signature"] for r in requests}) == 3
    for request, row in zip(requests, rows):
        items = dict(item.split("=", 1) for item in request["headers"]["stripe-signature"].split(","))
        assert items["t"] == request["headers"]["x-8bit-timestamp"]
        assert int(items["t"]) == int(seconds(row["due"]))
        assert -0.01 <= request["at"] - seconds(row["due"]) < SLACK + 0.05
        content = items["t"].encode() + b"." + request["body"]
        assert "sha256=" + items["v1"] == kit.signature(content)
    assert [row["attempt"] for row in rows] == [1, 2, 3]
    assert [row["trigger"] for row in rows] == ["event", "retry", "retry"]
    assert [row["status"] for row in rows] == [500, 500, 200]
    assert [row["outcome"] for row in rows] == ["http_5xx", "http_5xx", "delivered"]
    assert [row["scheme"] for row in rows] == ["stripe"] * 3
    assert_reconciles(rows, requests)


def test_due_times_follow_base_factor_and_cap(tmp_path, log):
    with kit.Capture(lambda request: 500) as capture:
        scenario = write(tmp_path, capture.url, "{attempts: 6, base: 100ms, factor: 2, cap: 500ms, jitter: none}")
        done = kit.emit8("run", scenario, "--log", log)
        rows = kit.attempts(log)
        assert done.returncode == 1, done.err
        assert_times(waits(rows), [0.1, 0.2, 0.4, 0.5, 0.5])
        arrivals = [r["at"] for r in capture.requests]
        for row, at in zip(rows, arrivals):
            assert -0.005 <= at - seconds(row["due"]) < SLACK + 0.05, "sent when it was due"
        assert_reconciles(rows, capture.requests)
        for request in capture.requests:
            kit.assert_signed(request)
    assert kit.report(log)["totals"] == {
        "planned": 1, "delivered": 0, "failed": 1, "dropped": 0, "aborted": 0, "withheld": 0, "gone": 0, "expected": 0,
        "unmet": 0, "attempts": 6, "retries": 5, "not_begun": 0,
    }  # fmt: skip


@pytest.mark.parametrize("jitter, low", [("full", 0.0), ("equal", 0.1)])
def test_jitter_stays_within_its_bounds_and_spreads(tmp_path, log, jitter, low):
    with kit.Capture(lambda request: 500) as capture:
        policy = f"{{attempts: 2, base: 200ms, factor: 2, cap: 1s, jitter: {jitter}}}"
        kit.emit8("run", write(tmp_path, capture.url, policy, times=60), "--log", log)
    by_delivery = collections.defaultdict(list)
    for row in kit.attempts(log):
        by_delivery[row["delivery_id"]].append(row)
    drawn = sorted(wait for rows in by_delivery.values() for wait in waits(sorted(rows, key=lambda r: r["attempt"])))
    assert len(drawn) == 60
    assert low <= drawn[0] and drawn[-1] < 0.2 + SLACK
    middle = (low + 0.2) / 2
    assert 15 <= sum(wait < middle + 0.005 for wait in drawn) <= 45, "half of them below the middle"


def test_speed_scales_the_waits(tmp_path, log):
    with kit.Capture(lambda request: 500) as capture:
        policy = "{attempts: 3, base: 1s, factor: 2, cap: 10s, jitter: none}"
        kit.emit8("run", write(tmp_path, capture.url, policy), "--log", log, "--speed", "10x")
        assert_times(waits(kit.attempts(log)), [0.1, 0.2])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 422, 425, 499, 500, 502, 504, 599])
def test_client_and_server_errors_are_retried(tmp_path, log, status):
    with kit.Capture(lambda request: status if request["index"] == 0 else 204) as capture:
        policy = "{attempts: 2, base: 10ms, factor: 1, cap: 1s, jitter: none}"
        done = kit.emit8("run", write(tmp_path, capture.url, policy), "--log", log)
        assert done.returncode == 0, done.out
        rows = kit.attempts(log)
        assert [row["status"] for row in rows] == [status, 204]
        assert rows[0]["outcome"] == ("http_4xx" if status < 500 else "http_5xx")
        assert_reconciles(rows, capture.requests)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(tmp_path, log, status):
    with kit.Capture() as elsewhere:
        answer = (status, {"Location": elsewhere.url + "/new"})
        with kit.Capture(lambda request: answer if request["index"] == 0 else 200) as capture:
            policy = "{attempts: 2, base: 10ms, factor: 1, cap: 1s, jitter: none}"
            done = kit.emit8("run", write(tmp_path, capture.url, policy), "--log", log)
            assert done.returncode == 0, done.out
            rows = kit.attempts(log)
            assert [(row["status"], row["outcome"]) for row in rows] == [(status, "redirect"), (200, "delivered")]
            assert_reconciles(rows, capture.requests)
        assert not elsewhere.requests


@pytest.mark.parametrize("status", [200, 201, 202, 204, 226, 299])
def test_every_2xx_is_a_delivery(tmp_path, log, status):
    with kit.Capture(lambda request: status) as capture:
        assert kit.emit8("run", write(tmp_path, capture.url, "{attempts: 3, base: 10ms}"), "--log", log).returncode == 0
        assert [row["outcome"] for row in kit.attempts(log)] == ["delivered"]


@pytest.mark.parametrize("workers", [1, 2])
def test_gone_disables_the_endpoint_for_the_run(tmp_path, log, workers):
    """The other endpoint gets everything; what is in flight at the moment of the 410 may still arrive."""
    with kit.Capture(lambda request: 410 if request["index"] == 2 else 200) as gone, kit.Capture() as other:
        scenario = write(
            tmp_path,
            gone.url,
            "{attempts: 5, base: 10ms}",
            flow="[{repeat: 20, steps: [{emit: message.sent}, {wait: 20ms}]}]",
            more=f"  other: {{url: {other.url}}}",
        )
        done = kit.emit8("run", scenario, "--log", log, "--workers", workers)
        assert done.returncode == 1, done.out
        rows = kit.attempts(log)
        assert len(other.requests) == 20
        assert len(gone.requests) == 3
        assert_reconciles([r for r in rows if r["endpoint"] == "hook"], gone.requests)
    report = kit.report(log)
    endpoints = {endpoint["name"]: endpoint["totals"] for endpoint in report["endpoints"]}
    assert (endpoints["hook"]["delivered"], endpoints["hook"]["failed"]) == (2, 1)
    assert endpoints["other"]["delivered"] == 20
    assert report["outcomes"] == {"delivered": 22, "gone": 1}
    assert endpoints["hook"]["planned"] == 20 and endpoints["hook"]["withheld"] == endpoints["hook"]["gone"] == 17
    totals = report["totals"]
    assert totals["planned"] == 40 == totals["delivered"] + totals["failed"] + totals["withheld"]
    assert any(w == "endpoint hook answered 410, which disabled it: 17 deliveries were withheld from it" for w in report["warnings"])
    (notes,) = kit.rows(log, "SELECT notes FROM run")[0]
    assert json.loads(notes)["endpoints_disabled"] == 1


def test_what_waits_for_a_retry_is_given_up_when_the_endpoint_is_gone(tmp_path, log):
    """One delivery waits for its second attempt while another one learns that the endpoint is gone."""

    def answer(request):
        return 410 if request["headers"]["x-8bit-event"] == "message.sent" else 500

    with kit.Capture(answer) as capture:
        scenario = write(
            tmp_path,
            capture.url,
            "{attempts: 5, base: 300ms, factor: 1, cap: 1s, jitter: none}",
            flow="[{emit: message.received}, {wait: 100ms}, {emit: message.sent}]",
        )
        done = kit.emit8("run", scenario, "--log", log)
        assert done.returncode == 1
        assert_reconciles(kit.attempts(log), capture.requests)
        assert len(capture.requests) <= 3, "a disabled endpoint gets nothing more but what was under way"
    totals = kit.report(log)["totals"]
    assert totals["planned"] == 2 == totals["failed"] + totals["aborted"]


def retry_after(tmp_path, log, status, value, policy):
    """The wait after an answer with this Retry-After; a function gets the moment of the answer."""

    def answer(request):
        given = value(time.time()) if callable(value) else value
        return (status, {"Retry-After": given}) if request["index"] == 0 else 200

    with kit.Capture(answer) as capture:
        done = kit.emit8("run", write(tmp_path, capture.url, policy), "--log", log)
        assert done.returncode == 0, done.out
        rows = kit.attempts(log)
        assert_reconciles(rows, capture.requests)
    return waits(rows)[0]


FAST = "{attempts: 2, base: 50ms, factor: 1, cap: 5s, jitter: none}"


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_in_seconds(tmp_path, log, status):
    assert_times([retry_after(tmp_path, log, status, "1", FAST)], [1.0])


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_as_a_date(tmp_path, log, status):
    """A date has whole seconds: two seconds from now are one to two."""
    wait = retry_after(tmp_path, log, status, lambda now: email.utils.formatdate(int(now) + 2, usegmt=True), FAST)
    assert 1.0 - SLACK <= wait <= 2.0 + SLACK


@pytest.mark.parametrize(
    "value",
    [
        "99999",
        "99999999999999999999999",
        "Tue, 31 Dec 2199 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ],
)
def test_retry_after_is_capped(tmp_path, log, value):
    policy = "{attempts: 2, base: 50ms, factor: 1, cap: 400ms, jitter: none}"
    assert_times([retry_after(tmp_path, log, 503, value, policy)], [0.4])


@pytest.mark.parametrize("value", ["0", "-5", "soon", "1.5", "Thu, 01 Jan 1970 00:00:00 GMT", ""])
def test_retry_after_that_says_nothing_leaves_the_policy(tmp_path, log, value):
    assert_times([retry_after(tmp_path, log, 503, value, FAST)], [0.05])


@pytest.mark.parametrize("status", [404, 302])
def test_retry_after_of_other_answers_is_not_honoured(tmp_path, log, status):
    assert_times([retry_after(tmp_path, log, status, "3", FAST)], [0.05])


def test_exhausted_retries_fail_the_run(tmp_path, log):
    with kit.Capture(lambda request: 503 if request["headers"]["x-8bit-event"] == "agent.error" else 200) as capture:
        done = kit.emit8("send", "agent.*", "--to", capture.url, "--retries", 0, "--log", log)
        assert done.returncode == 1
        assert len(capture.requests) == 4
        assert "FAIL" in done.out
    rows = {row["type"]: row for row in kit.attempts(log)}
    assert rows["agent.error"]["outcome"] == "http_5xx"


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_retries_on_the_command_line_replace_the_policys(tmp_path, log, retries):
    with kit.Capture(lambda request: 500) as capture:
        scenario = write(tmp_path, capture.url, "{attempts: 2, base: 10ms, factor: 1, cap: 1s, jitter: none}")
        done = kit.emit8("run", scenario, "--retries", retries, "--log", log)
        assert done.returncode == 1
        assert [r["headers"]["x-8bit-attempt"] for r in capture.requests] == [str(n + 1) for n in range(retries + 1)]
        assert_reconciles(kit.attempts(log), capture.requests)


def test_the_last_attempt_is_marked(tmp_path, log):
    with kit.Capture(lambda request: 500 if request["index"] % 3 else 200) as capture:
        scenario = write(tmp_path, capture.url, "{attempts: 4, base: 10ms, factor: 1, cap: 1s, jitter: none}", times=30)
        kit.emit8("run", scenario, "--log", log)
        rows = kit.attempts(log)
        assert_reconciles(rows, capture.requests)
    last = dict(kit.rows(log, "SELECT delivery_id, max(attempt) FROM attempts WHERE last GROUP BY delivery_id"))
    most = collections.Counter()
    for row in rows:
        most[row["delivery_id"]] = max(most[row["delivery_id"]], row["attempt"])
    assert last == dict(most) and len(last) == 30
    deliveries = kit.rows(log, "SELECT delivery_id, attempts, ended FROM deliveries")
    assert {d: n for d, n, _ in deliveries} == last and all(ended for _, _, ended in deliveries)


def test_a_refused_connection_is_retried(tmp_path, log):
    """Nothing listens: the port is bound, so that nobody else can take it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        scenario = write(tmp_path, url, "{attempts: 3, base: 20ms, factor: 2, cap: 1s, jitter: none}")
        done = kit.emit8("run", scenario, "--log", log)
    rows = kit.attempts(log)
    assert done.returncode == 1
    assert [row["outcome"] for row in rows] == ["connect_refused"] * 3
    assert [row["status"] for row in rows] == [None] * 3
    assert all(row["bytes_sent"] == 0 and row["error"] for row in rows)
    assert_times(waits(rows), [0.02, 0.04])


def test_a_timeout_is_retried(tmp_path, log):
    def script(connection, n):
        kit.read_request(connection)
        if n == 0:
            connection.recv(1)  # until emit8 gives up
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with kit.RawPeer(script) as peer:
        policy = "{attempts: 2, base: 10ms, factor: 1, cap: 1s, jitter: none}"
        done = kit.emit8("run", write(tmp_path, peer.url, policy, timeout="300ms"), "--log", log)
        assert done.returncode == 0, done.out
    rows = kit.attempts(log)
    assert [row["outcome"] for row in rows] == ["timeout_first_byte", "delivered"]
    assert 300 <= rows[0]["response_time_ms"] < 300 + 1000 * SLACK
