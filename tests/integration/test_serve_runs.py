"""Webhooks that change while a run of emit8 serve sends to them: it follows them."""

import base64
import collections
import hashlib
import hmac
import sqlite3
import threading

import kit
import pytest
from platform_api import Serve

RUN = """scenario: endless
flows:
  one:
    steps: [{emit: message.received}, {emit: message.sent}]
run: [{flow: one, arrivals: {rate: 50/s, for: 20m}}]
"""
PERSISTENT = {"attempts": 1000, "base": "50ms", "factor": 1, "cap": "50ms", "jitter": "none"}


def start(server, text=RUN):
    return server.post("/v1/runs", {"text": text}).data["id"]


def stop(server, run):
    server.post(f"/v1/runs/{run}/stop")
    kit.until(lambda: server.get(f"/v1/runs/{run}").data["state"] == "stopped")
    return server.get(f"/v1/runs/{run}").data


def all_of(server, run, **query):
    rows, cursor = [], {}
    while cursor is not None:
        answer = server.get("/v1/deliveries", run=run, limit=200, **query, **cursor)
        rows += answer.data
        cursor = answer.json["page"]["next"] and {"cursor": answer.json["page"]["next"]}
    return rows


def later(capture, count=10):
    """What comes by and by: what was on the wire before is passed over."""
    for _ in range(2):
        capture.take()
        capture.wait(count)
    return capture.take()


def signer(request, secrets):
    """Which of the secrets signed it."""
    (found,) = [i for i, secret in enumerate(secrets) if hmac.compare_digest(request["headers"]["x-8bit-signature-256"], kit.signature(request["body"], secret))]
    return found


def test_a_rotation_reaches_a_run(tmp_path):
    """One signature: what is made after it is signed with the new secret, what is older, retries included, with the old one until the grace
    is over or the secret is revoked."""
    down = threading.Event()
    down.set()
    with kit.Capture(lambda request: 503 if down.is_set() else 200) as capture, Serve(tmp_path / "state") as server:
        made = server.webhook(capture.url, retry=PERSISTENT)
        path = f"/v1/webhooks/{made['id']}"
        run = start(server)
        capture.wait(20)
        secrets = [made["secret"], server.post(path + "/rotate", {"grace": "1h"}).data["secret"]]
        kit.until(lambda: signer(capture.requests[-1], secrets) == 1)
        known = len(capture.requests)
        kit.until(lambda: any(signer(request, secrets) == 0 for request in capture.requests[known:]))  # a retry, long after
        by_delivery = collections.defaultdict(set)
        for request in capture.take():
            by_delivery[request["headers"]["x-8bit-delivery"]].add(signer(request, secrets))
        assert all(len(found) == 1 for found in by_delivery.values())
        old, new = (next(each for each in by_delivery if by_delivery[each] == {secret}) for secret in (0, 1))

        def told(delivery):
            return {attempt["signed_with"] for attempt in server.get(f"/v1/deliveries/{delivery}").data["attempts_log"]}

        kit.until(lambda: "previous" in told(old) <= {"current", "previous"} and told(new) == {"current"})
        order = [min(by_delivery[delivery]) for delivery in sorted(by_delivery)]  # ids begin with the time
        assert order == sorted(order) and set(order) == {0, 1}
        assert server.post(path + "/revoke").data["grace_until"] is None
        kit.until(lambda: {signer(request, secrets) for request in later(capture, 50)} == {1})
        secrets.append(server.post(path + "/rotate", {"grace": "1ms"}).data["secret"])
        kit.until(lambda: {signer(request, secrets) for request in later(capture, 50)} == {2})
        down.clear()
        kit.until(lambda: all_of(server, run, state="delivered"))
        stop(server, run)


def test_both_secrets_sign_what_a_run_sends_within_a_grace(tmp_path):
    def signatures(secret, request):
        signed = f"{request['headers']['webhook-id']}.{request['headers']['webhook-timestamp']}.".encode() + request["body"]
        key = base64.b64decode(secret.removeprefix("whsec_"))
        return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()

    def signed_with(*secrets):
        return all(set(request["headers"]["webhook-signature"].split(" ")) == {signatures(secret, request) for secret in secrets}
                   for request in later(capture))

    with kit.Capture() as capture, Serve(tmp_path / "state") as server:
        made = server.webhook(capture.url, scheme="standard-webhooks")
        path = f"/v1/webhooks/{made['id']}"
        run = start(server)
        assert signed_with(made["secret"])
        second = server.post(path + "/rotate", {"grace": "1h"}).data["secret"]
        kit.until(lambda: signed_with(made["secret"], second))
        server.post(path + "/revoke")
        kit.until(lambda: signed_with(second))
        third = server.post(path + "/rotate", {"grace": "300ms"}).data["secret"]
        kit.until(lambda: signed_with(third))
        stop(server, run)


def test_a_run_sends_nothing_more_to_what_is_disabled_or_deleted(tmp_path):
    """What is withheld is in the log, with the reason; an endpoint that is enabled again gets what comes."""
    with kit.Capture() as capture, Serve(tmp_path / "state") as server:
        one = server.webhook(capture.url + "/one")["id"]
        server.webhook(capture.url + "/other")
        run = start(server)

        def paths():
            return {request["path"] for request in later(capture, 20)}

        def errors(webhook):
            return collections.Counter(row["error"] for row in all_of(server, run, webhook=webhook, state="cancelled"))

        kit.until(lambda: paths() == {"/one", "/other"})
        server.post(f"/v1/webhooks/{one}/disable")
        kit.until(lambda: paths() == {"/other"})
        server.post(f"/v1/webhooks/{one}/enable")
        kit.until(lambda: paths() == {"/one", "/other"})
        server.call("PATCH", f"/v1/webhooks/{one}", {"enabled": False})
        kit.until(lambda: paths() == {"/other"})
        server.call("PATCH", f"/v1/webhooks/{one}", {"enabled": True})
        kit.until(lambda: paths() == {"/one", "/other"})
        told = "{} deliveries were withheld, since their endpoint was disabled, was deleted or had answered 410"
        kit.until(lambda: server.get(f"/v1/runs/{run}").data["note"].startswith(told.format(errors(one).total())))
        disabled = errors(one)
        assert set(disabled) == {"the endpoint was disabled while the run was under way"} and disabled.total() > 10
        server.call("DELETE", f"/v1/webhooks/{one}")
        kit.until(lambda: paths() == {"/other"})
        kit.until(lambda: set(errors(one)) == {*disabled, "the endpoint was deleted while the run was under way"})
        done = stop(server, run)
        rows = all_of(server, run)
        withheld = [row for row in rows if row["error"] and "while the run was under way" in row["error"]]
        assert done["note"].startswith(told.format(len(withheld)))
        assert done["not_sent"] >= len(withheld) and done["delivered"] == sum(row["state"] == "delivered" for row in rows)


def test_a_410_to_a_run_is_over_when_the_endpoint_is_enabled_again(tmp_path):
    """To the run alone: nobody else's deliveries are stopped by what a scenario sends."""
    gone = threading.Event()
    gone.set()
    with kit.Capture(lambda request: 410 if gone.is_set() else 200) as capture, Serve(tmp_path / "state") as server:
        path = f"/v1/webhooks/{server.webhook(capture.url)['id']}"
        run = start(server)
        kit.until(lambda: all_of(server, run, state="cancelled"))
        gone.clear()
        assert server.get(path).data["enabled"] and {row["error"] for row in all_of(server, run, state="cancelled")} == {
            "the receiver answered 410 to this run, which sends nothing more there"}
        server.call("PATCH", path, {"description": "still there"})
        server.post(path + "/disable")
        capture.take()
        server.post(path + "/enable")
        capture.wait(5)
        stop(server, run)


def test_a_410_to_an_event_stops_runs_as_well(tmp_path):
    answers = {"agent.deployed": 410}
    with kit.Capture(lambda request: answers.get(request["headers"]["x-8bit-event"], 200)) as capture, Serve(tmp_path / "state") as server:
        path = f"/v1/webhooks/{server.webhook(capture.url)['id']}"
        run = start(server)
        capture.wait(5)
        server.post("/v1/events", {"type": "agent.deployed"})
        kit.until(lambda: not server.get(path).data["enabled"])
        kit.until(lambda: "the endpoint was disabled while the run was under way" in {row["error"] for row in all_of(server, run, state="cancelled")})
        stop(server, run)


def test_a_run_follows_what_is_changed_about_an_endpoint(tmp_path):
    """URL, headers, retry policy, scheme, subscriptions."""
    answers = {}
    with kit.Capture(lambda request: answers.get(request["path"], 200)) as capture, Serve(tmp_path / "state") as server:
        made = server.webhook(capture.url + "/before", headers={"X-Team": "crm"}, retry=PERSISTENT)
        path = f"/v1/webhooks/{made['id']}"
        run = start(server)
        assert {(request["path"], request["headers"]["x-team"]) for request in later(capture)} == {("/before", "crm")}
        server.call("PATCH", path, {"url": capture.url + "/after", "headers": {"X-Team": "sales"}})
        kit.until(lambda: {(request["path"], request["headers"]["x-team"]) for request in later(capture)} == {("/after", "sales")})
        # what waits for its retry goes there, too
        answers["/after"] = 503
        kit.until(lambda: all_of(server, run, state="pending", status=503))
        waits = all_of(server, run, state="pending", status=503)[0]["id"]
        server.call("PATCH", path, {"url": capture.url + "/last"})
        kit.until(lambda: server.get(f"/v1/deliveries/{waits}").data["state"] == "delivered")
        # the policy
        answers["/last"] = 500
        server.call("PATCH", path, {"retry": {**PERSISTENT, "attempts": 1}})
        kit.until(lambda: {row["attempts"] for row in all_of(server, run, status=500, state="failed")} >= {1})
        answers.clear()
        # who signs by another scheme has its headers
        assert server.call("PATCH", path, {"scheme": "github"}).status == 200
        kit.until(lambda: all(request["headers"].get("x-hub-signature-256") == kit.signature(request["body"], made["secret"]) and
                              "x-8bit-signature-256" not in request["headers"] for request in later(capture)))
        # subscriptions: what was planned is not what is sent
        told = server.get(f"/v1/runs/{run}").data
        assert told["planned"] and told["progress"] is not None
        server.call("PATCH", path, {"events": ["message.sent"]})
        before = len(all_of(server, run, type="message.received"))
        assert len({request["body"] for request in later(capture)}) >= 10
        assert len(all_of(server, run, type="message.received")) - before <= 1  # told, not yet in the log
        kit.until(lambda: server.get(f"/v1/runs/{run}").data["planned"] is None)
        assert stop(server, run)["not_sent"] is None


@pytest.mark.parametrize("change", ["disable", "narrow"])
def test_a_closed_loop_to_nobody_waits(tmp_path, change):
    """It does not go round and round without taking time, and goes on when there is somebody."""
    text = RUN.replace("{rate: 50/s, for: 20m}", "{concurrency: 1, for: 1h}")
    with kit.Capture() as capture, Serve(tmp_path / "state") as server:
        path = f"/v1/webhooks/{server.webhook(capture.url)['id']}"
        run = start(server, text)
        capture.wait(5)
        server.call("PATCH", path, {"enabled": False} if change == "disable" else {"events": ["agent.error"]})
        made = []

        def stands():
            with sqlite3.connect(tmp_path / "state" / "platform.db", timeout=30) as db:
                made.append(db.execute("SELECT count(*) FROM event").fetchone()[0])
            return len(made) > 5 and made[-1] == made[-5]

        kit.until(stands)
        server.call("PATCH", path, {"enabled": True} if change == "disable" else {"events": ["*"]})
        capture.take()
        capture.wait(5)
        stop(server, run)
