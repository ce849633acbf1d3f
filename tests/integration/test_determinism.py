"""The same seed and the same clock give the same bytes, whatever the concurrency and the number of threads."""

import collections
import json

import kit
import pytest

CONCURRENCY = [1, 2, 8]
WORKERS = [1, 2]


@pytest.fixture(scope="module")
def capture():
    """One receiver for all runs: its port stands in the Host header."""
    with kit.Capture() as server:
        yield server


@pytest.fixture
def secret(tmp_path):
    return kit.secret_file(tmp_path)


def bytes_of(requests):
    """The requests as a multiset of bytes, first the head, then the body."""
    return collections.Counter(request["raw"] for request in requests)


def send(capture, secret, *args, clock=kit.CLOCK):
    done = kit.emit8(
        "send", "*", "-n", 320, "--to", capture.url, "--clock", clock, "--secret-file", secret, "--no-log", *args
    )
    assert done.returncode == 0, done.err
    return capture.take()


def run(capture, secret, scenario, *args):
    done = kit.emit8(
        "run", scenario, "--to", capture.url, "--clock", kit.CLOCK, "--secret-file", secret, "--no-log", *args
    )
    assert done.returncode in (0, 1), done.err
    return capture.take()


def write(tmp_path, text):
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    return path


def assert_same(runs):
    """All have the same requests, none of them twice."""
    reference = bytes_of(runs[0])
    assert max(reference.values()) == 1
    for other in runs[1:]:
        assert bytes_of(other) == reference


def assert_other(a, b):
    """Not one id, body or signature in common."""
    for part in ("x-8bit-delivery", "x-8bit-signature-256"):
        assert not {r["headers"][part] for r in a} & {r["headers"][part] for r in b}
    assert not {r["body"] for r in a} & {r["body"] for r in b}


def test_send_is_the_same_at_any_concurrency(capture, secret):
    runs = [send(capture, secret, "--seed", 7, "-c", c, "--workers", w) for c in CONCURRENCY for w in WORKERS]
    assert all(len(requests) == 320 for requests in runs)
    for request in runs[0]:
        kit.assert_signed(request)
    assert_same(runs)


def test_send_at_a_rate_is_the_same_with_one_thread_and_two(capture, secret):
    runs = [send(capture, secret, "--seed", 7, "--rate", "1000/s", "--workers", w) for w in WORKERS]
    assert_same(runs)
    times = {json.loads(request["body"])["created_at"] for request in runs[0]}
    assert len(times) == 320, "at a rate the events' time goes on"


def test_another_seed_gives_other_bytes(capture, secret):
    assert_other(send(capture, secret, "--seed", 7), send(capture, secret, "--seed", 8))


def test_another_clock_gives_other_ids_and_the_same_entities(capture, secret):
    first = send(capture, secret, "--seed", 7)
    second = send(capture, secret, "--seed", 7, clock="2026-03-02T12:00:00Z")
    assert_other(first, second)
    organizations = {json.loads(request["body"])["organization_id"] for request in first + second}
    assert len(organizations) == 1, "of the run's seed alone"


def test_without_a_seed_each_run_is_another(capture, secret):
    assert_other(send(capture, secret), send(capture, secret))


STORY = """
    steps:
      - emit: session.started
      - wait: 1ms..5ms
      - emit: conversation.created
      - repeat: 1..3
        steps:
          - emit: message.received
          - wait: 1ms..3ms
          - choose:
              - {weight: 3, steps: [{emit: message.sent}]}
              - {weight: 1, steps: [{emit: message.failed, set: {data.channel: web}}]}
      - emit: conversation.updated
        environment: staging
      - emit: conversation.ended
      - emit: session.ended
"""

HEAD = """
scenario: determinism
endpoints:
  a: {url: http://127.0.0.1:1/}
  b: {url: http://127.0.0.1:1/, events: [message.*]}
flows:
  story:%s
  other:%s
run:
""" % (STORY, STORY)

CLOSED = HEAD + """
  - {flow: story, arrivals: {times: 25, concurrency: %d}}
  - {flow: other, arrivals: {times: 5, concurrency: 2}}
  - {flow: story, arrivals: {times: 7, concurrency: 3}}
"""

OPEN = {
    "constant": HEAD + "  - {flow: story, arrivals: {rate: 60/s, for: 500ms}}\n",
    "poisson": HEAD + "  - {flow: story, arrivals: {rate: 60/s, for: 500ms, process: poisson}}\n",
    "ramp": HEAD + "  - {flow: story, arrivals: {ramp: 20/s..100/s, for: 500ms}}\n",
    "one after another": HEAD
    + "  - {flow: story, arrivals: {rate: 50/s, for: 200ms}}\n"
    + "  - {flow: other, arrivals: {rate: 50/s, for: 200ms, process: poisson}}\n"
    + "  - {flow: story, at: 100ms, arrivals: {rate: 30/s, for: 200ms}}\n",
    "after a closed one": HEAD
    + "  - {flow: story, arrivals: {times: 5, concurrency: 2}}\n"
    + "  - {flow: other, arrivals: {rate: 100/s, for: 200ms}}\n"
    + "  - {flow: story, arrivals: {times: 4, concurrency: 1}}\n",
}


def test_closed_arrivals_are_the_same_at_any_concurrency(capture, secret, tmp_path):
    runs = [
        run(capture, secret, write(tmp_path, CLOSED % c), "--seed", 7, "--workers", w)
        for c in CONCURRENCY
        for w in WORKERS
    ]
    assert len(runs[0]) > 300
    assert_same(runs)


@pytest.mark.parametrize("kind", OPEN)
def test_open_arrivals_are_the_same_with_one_thread_and_two(capture, secret, tmp_path, kind):
    scenario = write(tmp_path, OPEN[kind])
    runs = [run(capture, secret, scenario, "--seed", 7, "--workers", w) for w in (1, 2, 1)]
    assert len(runs[0]) > 80
    assert_same(runs)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_threads_share_one_schedule_after_a_closed_entry(capture, secret, tmp_path, workers):
    """Whichever thread ends its part of the closed entry last: what follows has the distances of its rate."""
    log = tmp_path / "log.db"
    scenario = write(
        tmp_path,
        "endpoints: {a: {url: http://127.0.0.1:1/}}\n"
        "flows:\n  first: [{emit: message.sent}, {wait: 1ms..40ms}, {emit: message.sent}]\n"
        "  then: [{emit: agent.error}]\n"
        "run:\n  - {flow: first, arrivals: {times: 7, concurrency: 3}}\n"
        "  - {flow: then, arrivals: {rate: 100/s, for: 300ms}}\n",
    )
    done = kit.emit8("run", scenario, "--to", capture.url, "--seed", 7, "--workers", workers, "--log", log)
    assert done.returncode == 0, done.err
    capture.take()
    times = "SELECT {} FROM attempt a JOIN type t ON t.run = a.run AND t.number = a.type WHERE t.name = ?"
    dues = sorted(due for (due,) in kit.rows(log, times.format("a.due"), "agent.error"))
    assert len(dues) == 30
    assert {after - before for before, after in zip(dues, dues[1:])} == {10_000_000}
    assert dues[0] >= kit.rows(log, times.format("max(a.done)"), "message.sent")[0][0], "not before it has ended"


def test_an_open_scenario_differs_with_the_seed(capture, secret, tmp_path):
    scenario = write(tmp_path, OPEN["poisson"])
    assert_other(run(capture, secret, scenario, "--seed", 7), run(capture, secret, scenario, "--seed", 9))


def test_the_built_in_day_is_the_same_twice(capture, secret):
    runs = [run(capture, secret, "support-day", "--speed", "10x", "--workers", w) for w in WORKERS]
    assert_same(runs)
    types = {request["headers"]["x-8bit-event"] for request in runs[0]}
    assert len(types) == 16


def test_a_dry_run_prints_what_would_be_sent(capture, secret):
    args = ["send", "*", "--to", capture.url, "--clock", kit.CLOCK, "--seed", 7, "--secret-file", secret]
    done = kit.emit8(*args, "--no-log")
    assert done.returncode == 0
    sent = capture.take()
    dry = kit.emit8(*args, "--dry-run")
    assert dry.returncode == 0
    assert not capture.take(), "a dry run sends nothing"
    assert len(sent) == 16
    for request in sent:
        assert request["raw"] in dry.stdout


# One flow instance is one story.

PLACES = {
    "conversation": lambda data, category: [data.get("conversation_id"), data["id"] if category == "conversation" else None],
    "session": lambda data, category: [data.get("session_id"), data["id"] if category == "session" else None],
    "user": lambda data, category: [data.get("user_id"), (data.get("user") or {}).get("id")],
    "agent": lambda data, category: [
        data.get("agent_id"),
        (data.get("agent") or {}).get("id"),
        data["id"] if category == "agent" else None,
    ],
}


def entities(event):
    """The entities that an event names: {kind: {ids}}."""
    data, category = event["data"], event["type"].split(".")[0]
    return {kind: {id_ for id_ in find(data, category) if id_} for kind, find in PLACES.items()}


def instances_of(log, requests):
    """{(flow, instance): its events in order}, by the log's word about who belongs together."""
    events = {r["headers"]["x-8bit-delivery"]: json.loads(r["body"]) for r in requests}
    by_id = {event["id"]: event for event in events.values()}
    stories = collections.defaultdict(list)
    for event_id, flow, instance in kit.rows(
        log, "SELECT event_id, flow, instance FROM event ORDER BY flow, instance, sequence"
    ):
        stories[flow, instance].append(by_id[event_id])
    return stories


@pytest.mark.parametrize("arrivals", ["{times: 30, concurrency: 8}", "{rate: 100/s, for: 300ms}"])
def test_entities_are_one_story_within_an_instance(capture, secret, tmp_path, arrivals):
    log = tmp_path / "log.db"
    scenario = write(tmp_path, HEAD + "  - {flow: story, arrivals: %s}\n" % arrivals)
    done = kit.emit8(
        "run", scenario, "--to", capture.url, "--seed", 11, "--secret-file", secret, "--log", log, "--workers", 2
    )
    assert done.returncode == 0, done.err
    stories = instances_of(log, capture.take())
    assert len(stories) == 30
    firsts = collections.defaultdict(list)
    for events in stories.values():
        assert [e["type"] for e in events][:2] == ["session.started", "conversation.created"]
        assert [e["type"] for e in events][-2:] == ["conversation.ended", "session.ended"]
        for kind in PLACES:
            seen = [entities(event)[kind] for event in events]
            ids = set().union(*seen)
            assert len(ids) == 1, (kind, ids)
            assert sum(map(bool, seen)) >= 2, f"{kind} is named by one event alone"
            firsts[kind].append(ids.pop())
        names = {json.dumps(event["data"]["user"]["name"]) for event in events if "user" in event["data"]}
        assert len(names) == 1
        received = sum(event["type"] == "message.received" for event in events)
        ended = next(event for event in events if event["type"] == "conversation.ended")
        assert ended["data"]["message_counts"]["received"] == received
    assert len(set(firsts["conversation"])) == 30
    assert len(set(firsts["session"])) == 30
    assert len(set(firsts["user"])) > 25, "of a pool of some thousands"
    assert 1 < len(set(firsts["agent"])) <= 6, "of a pool of six"
