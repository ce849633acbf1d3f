"""emit8 serve is killed at random moments, under load and with a receiver that fails: what it had accepted is delivered, at least once.

E8_TEST_LONG=1 (`./dev soak`) kills it a hundred times."""

import collections
import http.client
import json
import os
import random
import re
import sqlite3
import threading
import time

import kit

LONG = bool(os.environ.get("E8_TEST_LONG"))
KILLS = 100 if LONG else 12
RETRY = {"attempts": 50, "base": "20ms", "factor": 2, "cap": "200ms", "jitter": "full"}


class Serve:
    """A run of `emit8 serve` on a port of its own."""

    def __init__(self, state):
        self.process = kit.start("serve", "--no-auth", "--state", state, "--listen", "127.0.0.1:0")
        line = ""
        while not (found := re.search(r"http://(127\.0\.0\.1:\d+)", line)):
            line = self.process.stderr.readline().decode()
            assert line, "emit8 serve has ended"
        self.address = found[1]
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=30)

    def stop(self):
        self.process.terminate()
        assert self.process.wait(timeout=30) == 128 + 15


def call(connection, method, path, body=None):
    text = None if body is None else json.dumps(body)
    connection.request(method, path, text, {"Content-Type": "application/json"} if text else {})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())["data"]


def connect(serve):
    return http.client.HTTPConnection(serve.address, timeout=30)


class Receiver:
    """Answers 503 to about a third; remembers what it acknowledged."""

    def __init__(self):
        self.random = random.Random(5)
        self.acknowledged = collections.Counter()
        self.first = collections.Counter()

    def __call__(self, request):
        if self.random.random() < 0.3:
            return 503
        delivery = request["headers"]["x-8bit-delivery"]
        self.acknowledged[delivery] += 1
        if request["headers"]["x-8bit-attempt"] == "1":
            self.first[delivery] += 1
        return 200


def post_events(serve, accepted, stop):
    """Until the server is gone; what was answered 202 is a promise."""
    connection = connect(serve)
    try:
        while not stop.is_set():
            status, data = call(connection, "POST", "/v1/events", {"type": "message.received"})
            assert status == 202
            accepted.extend(row["delivery_id"] for row in data["deliveries"])
    except (OSError, http.client.HTTPException):
        pass


def load(serve, seconds, accepted):
    stop = threading.Event()
    threads = [threading.Thread(target=post_events, args=(serve, accepted, stop)) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    return stop, threads


def test_killed_at_random_moments(tmp_path):
    chance = random.Random(11)
    accepted = []
    receiver = Receiver()
    state = tmp_path / "state"
    with kit.Capture(receiver) as capture:
        serve = Serve(state)
        for name in "ab":
            status, _ = call(connect(serve), "POST", "/v1/webhooks", {"url": f"{capture.url}/{name}", "events": ["*"], "retry": RETRY})
            assert status == 201
        for _ in range(KILLS):
            stop, threads = load(serve, chance.uniform(0.02, 0.4), accepted)
            serve.kill()
            stop.set()
            for thread in threads:
                thread.join(30)
            serve = Serve(state)
        assert len(accepted) > KILLS
        kit.until(lambda: all(receiver.acknowledged[delivery] for delivery in accepted), 120)
        kit.until(lambda: not call(connect(serve), "GET", "/v1/deliveries?state=pending&limit=1")[1], 120)
        serve.stop()
    assert max(receiver.first.values()) == 1
    with sqlite3.connect(state / "platform.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    print(f"{KILLS} kills: {len(accepted)} deliveries accepted, {len(receiver.acknowledged)} acknowledged, "
          f"{sum(n - 1 for n in receiver.acknowledged.values())} of them again")


RUN = """scenario: killed
flows:
  one:
    steps: [{emit: message.received}, {emit: message.sent}]
run: [{flow: one, arrivals: {rate: 100/s, for: 1h}}]
"""
SLOW = {"attempts": 5, "base": "1h", "factor": 1, "cap": "1h", "jitter": "none"}


def test_killed_during_a_run(tmp_path):
    """What a kill leaves of a run is closed at the next start, with the reason, and is not sent again by itself."""
    state = tmp_path / "state"
    sent = collections.Counter()
    lock = threading.Lock()

    def answer(request):
        with lock:
            sent[request["headers"]["x-8bit-delivery"]] += 1
        return 503 if request["headers"]["x-8bit-event"] == "message.sent" else 200

    with kit.Capture(answer) as capture:
        serve = Serve(state)
        status, _ = call(connect(serve), "POST", "/v1/webhooks", {"url": capture.url, "events": ["*"], "retry": SLOW})
        assert status == 201
        for _ in range(3):
            _, run = call(connect(serve), "POST", "/v1/runs", {"text": RUN})

            def all_rows(query=""):
                connection, rows, cursor = connect(serve), [], ""
                while cursor is not None:
                    connection.request("GET", f"/v1/deliveries?run={run['id']}&limit=200{query}{cursor}")
                    answer = json.loads(connection.getresponse().read())
                    rows += answer["data"]
                    cursor = answer["page"]["next"] and f"&cursor={answer['page']['next']}"
                return rows

            def logged(query):
                return len(all_rows(query))

            kit.until(lambda: logged("") > 50 and logged("&status=2xx") and logged("&status=5xx"))
            serve.kill()
            serve = Serve(state)
            rows = call(connect(serve), "GET", f"/v1/deliveries?run={run['id']}&limit=200")[1]
            assert {row["state"] for row in rows} == {"delivered", "cancelled"}
            assert not call(connect(serve), "GET", "/v1/deliveries?state=pending")[1]
            errors = {row["error"] for row in rows if row["state"] == "cancelled"}
            assert errors == {"interrupted: emit8 serve ended while the run was under way"}
            _, told = call(connect(serve), "GET", f"/v1/runs/{run['id']}")
            unknown = told["unknown_deliveries"]
            assert told["state"] == "interrupted" and unknown == logged("&state=cancelled") > 0
            assert told["note"].startswith("emit8 serve ended while the run was under way; of ") and f" {unknown} deliver" in told["note"]
            # its figures are the log's, whatever was told of it before
            assert told["delivered"] == logged("&state=delivered") and told["failed"] == 0
            assert told["attempts"] == sum(row["attempts"] for row in all_rows())
            assert told["planned"] == run["planned"] and run["started_at"] == told["started_at"] <= told["ended_at"]
            assert told["delivered"] + told["failed"] <= told["attempts"]
            assert call(connect(serve), "GET", "/v1/runs")[1][0] == told
        # an event of its own goes out: whatever else was due would have gone before
        _, event = call(connect(serve), "POST", "/v1/events", {"type": "message.received"})
        (own,) = event["deliveries"]
        kit.until(lambda: sent[own["delivery_id"]])
        assert max(sent.values()) == 1, "nothing was sent twice"
        cancelled = next(row for row in rows if row["state"] == "cancelled" and row["attempts"])
        status, _ = call(connect(serve), "POST", f"/v1/deliveries/{cancelled['id']}/resend", {})
        assert status == 202
        kit.until(lambda: sent[cancelled["id"]] == 2)
        serve.stop()
    with sqlite3.connect(state / "platform.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT count(*) FROM run WHERE ended = 0").fetchone() == (0,)
        wrong = """SELECT count(*) FROM kind k WHERE deliveries <> (SELECT count(*) FROM delivery d WHERE d.kind = k.n)"""
        assert db.execute(wrong).fetchone() == (0,)
        logged = db.execute("SELECT count(*) FROM attempt").fetchone()[0]
        assert 0 < logged <= sum(sent.values())
