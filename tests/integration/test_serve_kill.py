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
    connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"} if body else {})
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
