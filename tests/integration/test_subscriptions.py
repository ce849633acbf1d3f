"""Endpoints receive exactly what they subscribed to, no more and no less.

What is right is computed here, from what an endpoint without any filter received.
"""

import collections
import contextlib
import json

import kit
import pytest

FLOW = """
flows:
  mixed:
    steps:
      - emit: conversation.created
      - emit: message.received
      - choose:
          - weight: 1
            steps: [{emit: message.sent}, {emit: conversation.rating, environment: staging}]
          - weight: 1
            steps: [{emit: message.failed, environment: development}, {emit: agent.error}]
      - {emit: agent.deployed, environment: staging}
      - {emit: message.received, environment: staging}
      - {emit: session.started, environment: development}
      - repeat: 0..3
        steps: [{emit: account.usage_threshold}, {emit: conversation.updated}]
      - emit: conversation.ended
      - {emit: account.billing_updated, environment: production}
run:
  - {flow: mixed, arrivals: {times: 40, concurrency: 4}}
"""

# name: (events, environments); None: not given
ENDPOINTS = {
    "all": (None, None),
    "support": (["conversation.*", "message.received"], ["production"]),
    "engineering": (["agent.deployed", "message.*", "message.failed"], ["staging", "development"]),
    "billing": (["account.usage_threshold", "account.billing_updated"], None),
    "star": (["*"], ["development"]),
    "single": ("message.sent", "production"),
}


def takes(events, environments, event):
    """The rule once more: any pattern, and any environment; a list that is not given takes all."""
    events = [events] if isinstance(events, str) else events
    environments = [environments] if isinstance(environments, str) else environments

    def matches(pattern):
        category, _, rest = pattern.partition(".")
        return pattern == "*" or pattern == event["type"] or (rest == "*" and event["type"].startswith(category + "."))

    return (events is None or any(map(matches, events))) and (
        environments is None or event["environment"] in environments
    )


def write(tmp_path, endpoints, flow=FLOW, head=""):
    """A scenario whose endpoints are given as {name: (url, events, environments)}."""
    lines = [head, "endpoints:"]
    for name, (url, events, environments) in endpoints.items():
        lines += [f"  {name}:", f"    url: {url}", f"    secret: {kit.SECRET}-{name}"]
        lines += [f"    events: {json.dumps(events)}"] if events else []
        lines += [f"    environments: {json.dumps(environments)}"] if environments else []
    path = tmp_path / "scenario.yaml"
    path.write_text("\n".join(lines) + flow)
    return path


@pytest.fixture(name="captures")
def make_captures():
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(kit.Capture()) for name in ENDPOINTS}


def received(capture):
    return {json.loads(r["body"])["id"]: json.loads(r["body"]) for r in capture.requests}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("seed", [1, 2])
def test_each_endpoint_gets_what_it_should(captures, tmp_path, seed, workers):
    endpoints = {name: (captures[name].url + "/" + name, *ENDPOINTS[name]) for name in ENDPOINTS}
    log = tmp_path / "log.db"
    done = kit.emit8("run", write(tmp_path, endpoints), "--seed", seed, "--workers", workers, "--log", log)
    assert done.returncode == 0, done.err
    everything = received(captures["all"])
    assert {e["environment"] for e in everything.values()} == {"production", "staging", "development"}
    assert len({e["type"] for e in everything.values()}) == 12
    for name, (events, environments) in ENDPOINTS.items():
        expected = {id_: e for id_, e in everything.items() if takes(events, environments, e)}
        assert expected, f"{name} tests nothing"
        assert received(captures[name]) == expected, name
        assert len(captures[name].requests) == len(expected), f"{name} got an event twice"
        for request in captures[name].requests:
            assert request["path"] == "/" + name
            kit.assert_signed(request, f"{kit.SECRET}-{name}")
    logged = kit.attempts(log)
    by_endpoint = collections.Counter(row["endpoint"] for row in logged)
    assert by_endpoint == {name: len(captures[name].requests) for name in ENDPOINTS}
    ids = [r["headers"]["x-8bit-delivery"] for c in captures.values() for r in c.requests]
    assert len(set(ids)) == len(ids), "each endpoint has a delivery of its own"


def test_an_endpoints_bytes_do_not_depend_on_the_others(tmp_path):
    with kit.Capture() as capture:
        alone = {"one": (capture.url, ["message.*"], None)}
        beside = {"zero": (capture.url + "/zero", None, None), **alone}
        bodies = []
        for endpoints in alone, beside:
            done = kit.emit8(
                "run", write(tmp_path, endpoints), "--seed", 3, "--clock", kit.CLOCK, "--no-log"
            )
            assert done.returncode == 0, done.err
            bodies.append(sorted(r["raw"] for r in capture.take() if r["path"] == "/"))
        assert bodies[0] and bodies[0] == bodies[1]


@pytest.mark.parametrize("default", ["staging", "development"])
def test_the_scenarios_environment_is_the_default_of_its_steps(tmp_path, default):
    with kit.Capture() as capture:
        scenario = write(tmp_path, {"all": (capture.url, None, None)}, head=f"environment: {default}")
        assert kit.emit8("run", scenario, "--seed", 1, "--no-log").returncode == 0
        seen = {(e["type"], e["environment"]) for e in received(capture).values()}
    assert ("conversation.created", default) in seen
    assert ("account.billing_updated", "production") in seen, "the step's own wins"
    assert ("agent.deployed", "staging") in seen


def test_names_on_the_command_line_replace_urls(tmp_path):
    with kit.Capture() as one, kit.Capture() as two:
        scenario = write(
            tmp_path,
            {"a": ("http://127.0.0.1:1/", ["message.*"], None), "b": ("http://127.0.0.1:1/", ["agent.*"], None)},
        )
        args = ["--to", f"a={one.url}/x?y=z", "--to", f"b={two.url}", "--no-log", "--seed", 1]
        done = kit.emit8("run", scenario, *args)
        assert done.returncode == 0, done.err
        assert {e["type"].split(".")[0] for e in received(one).values()} == {"message"}
        assert {e["type"].split(".")[0] for e in received(two).values()} == {"agent"}
        assert {r["path"] for r in one.requests} == {"/x?y=z"}


def test_an_unknown_name_on_the_command_line_is_an_error(tmp_path):
    scenario = write(tmp_path, {"a": ("http://127.0.0.1:1/", None, None)})
    done = kit.emit8("run", scenario, "--to", "aa=http://127.0.0.1:1/", "--no-log")
    assert done.returncode == 2
    assert 'no endpoint is called "aa"' in done.err


def test_an_endpoint_that_takes_nothing_is_named(tmp_path):
    with kit.Capture() as capture:
        flow = "\nflows: {f: [{emit: message.sent}]}\nrun: [{flow: f}]\n"
        endpoints = {
            "busy": (capture.url, None, None),
            "idle": (capture.url + "/idle", ["agent.*"], None),
            "elsewhere": (capture.url + "/elsewhere", None, ["staging"]),
        }
        done = kit.emit8("run", write(tmp_path, endpoints, flow), "--no-log")
        assert done.returncode == 0, done.err
        warned = [line for line in done.err.splitlines() if "takes no event" in line]
        assert len(warned) == 2 and '"idle"' in warned[0] and '"elsewhere"' in warned[1]
        assert {r["path"] for r in capture.requests} == {"/"}


def test_a_plan_that_nobody_takes_runs_nothing(tmp_path):
    with kit.Capture() as capture:
        flow = "\nflows: {f: [{emit: message.sent}]}\nrun: [{flow: f}]\n"
        done = kit.emit8("run", write(tmp_path, {"a": (capture.url, ["agent.*"], None)}, flow), "--no-log")
        assert done.returncode == 2
        assert "no endpoint takes any event" in done.err
        assert not capture.requests


@pytest.mark.parametrize(
    "events, environments, hint",
    [
        (["mesage.received"], None, "message.received"),
        (["conversations.*"], None, "conversation"),
        (["message.*", "agent.exploded"], None, "agent."),
        (None, ["stagging"], "staging"),
    ],
)
def test_an_unknown_name_is_an_error_with_its_place(tmp_path, events, environments, hint):
    wrong = (environments or events)[-1]
    scenario = write(tmp_path, {"a": ("http://127.0.0.1:1/", events, environments)})
    line, text = next((n, t) for n, t in enumerate(scenario.read_text().splitlines(), 1) if wrong in t)
    column = text.index(f'"{wrong}"') + 1
    done = kit.emit8("run", scenario, "--no-log")
    assert done.returncode == 2
    first = done.err.splitlines()[0]
    assert f"{scenario}:{line}:{column}: " in first
    assert wrong in first and hint in first


def test_an_unknown_type_of_a_step_is_an_error_with_its_place(tmp_path):
    flow = "\nflows:\n  f:\n    - emit: message.sent\n    - emit: mesage.sent\nrun: [{flow: f}]\n"
    scenario = write(tmp_path, {"a": ("http://127.0.0.1:1/", None, None)}, flow)
    line = next(n for n, t in enumerate(scenario.read_text().splitlines(), 1) if "mesage" in t)
    done = kit.emit8("run", scenario, "--no-log")
    assert done.returncode == 2
    assert f'{scenario}:{line}:13: unknown event type "mesage.sent"; did you mean "message.sent"?' in done.err


def test_send_takes_a_pattern_and_an_environment(tmp_path):
    with kit.Capture() as capture:
        done = kit.emit8("send", "message.*", "agent.error", "-e", "staging", "--to", capture.url, "--no-log")
        assert done.returncode == 0, done.err
        events = received(capture).values()
        assert sorted(e["type"] for e in events) == ["agent.error", "message.failed", "message.received", "message.sent"]
        assert {e["environment"] for e in events} == {"staging"}
        assert kit.emit8("send", "mesage.*", "--to", capture.url, "--no-log").returncode == 2
        assert kit.emit8("send", "*", "-e", "live", "--to", capture.url, "--no-log").returncode == 2
        assert len(capture.requests) == 4


@pytest.mark.parametrize("way", ["option", "variable"])
def test_an_environment_of_the_command_line(tmp_path, way):
    """It stands for events that name none, and beats the scenario's own."""
    flow = "\nflows: {f: [{emit: message.sent}, {emit: agent.error, environment: production}]}\n"
    with kit.Capture() as capture:
        path = write(tmp_path, {"a": (capture.url, None, None)}, flow, "environment: staging")
        args = ("run", path, "--log", tmp_path / "log.db")
        given, env = (("-e", "development"), {}) if way == "option" else ((), {"EMIT8_ENVIRONMENT": "development"})
        assert kit.emit8(*args, *given, env=env).returncode == 0
        events = [json.loads(r["body"]) for r in capture.take()]
        assert {e["type"]: e["environment"] for e in events} == {"message.sent": "development", "agent.error": "production"}
        given, env = (("-e", "stagin"), {}) if way == "option" else ((), {"EMIT8_ENVIRONMENT": "stagin"})
        done = kit.emit8(*args, *given, env=env)
        assert done.returncode == 2 and 'unknown environment "stagin"' in done.err and "staging" in done.err
        assert capture.requests == []
