"""Recordings and their replay: the same deliveries, in the same order, at the same distances, byte for byte."""

import http.client
import json
import re
import signal
import statistics
import time
import urllib.parse

import pytest

import kit

STORY = """
scenario: story
seed: 3
endpoints: {target: {url: "${URL}", secret: test-secret-0123456789abcdef}}
flows:
  story:
    - emit: conversation.created
    - wait: 4ms..9ms
    - emit: message.received
    - wait: 5ms
    - emit: message.sent
run:
  - {flow: story, arrivals: {rate: 30/s, for: 2s}}
"""
DELIVERIES = 180


def steps(path):
    """The deliveries of a recording, each as it stands in the file."""
    return [json.loads(line.strip()[2:]) for line in path.read_text().splitlines() if line.lstrip().startswith("- {")]


def times(found):
    return [float(step["at"].removesuffix("s")) for step in found]


def same(a, b, *keys):
    return [[step.get(key) for key in keys] for step in a] == [[step.get(key) for key in keys] for step in b]


def post(url, body, headers=()):
    """One request, with the headers as they are given."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    connection.putrequest("POST", "/hooks", skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    status = connection.getresponse().status
    connection.close()
    return status


def stop(sink, number=signal.SIGTERM):
    sink.send_signal(number)
    sink.wait(30)


def replay(source, url, *args, env=None):
    log = () if "--log" in args else ("--no-log",)
    return kit.emit8("replay", source, "--to", url, *log, *args, env=env)


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """A run, the recording of what arrived, and the run's log."""
    place = tmp_path_factory.mktemp("day")
    scenario, recording, log = place / "story.yaml", place / "day.yaml", place / "log.db"
    scenario.write_text(STORY)
    with kit.sink("--record", recording) as sink:
        done = kit.emit8("run", scenario, "--log", log, env={"URL": sink.url + "/hooks"})
        assert done.returncode == 0, done.err
        stop(sink)
    assert len(steps(recording)) == DELIVERIES
    return recording, log


def received(tmp_path, name, source, *args, env=None, options=()):
    """What a second sink records of a replay."""
    path = tmp_path / name
    with kit.sink("--record", path, *options) as sink:
        done = replay(source, sink.url, *args, env=env)
        assert done.returncode == 0, done.err
        stop(sink)
        final = sink.stderr.read().decode()
    return steps(path), final


# ---- the recording ----


def test_recording_is_a_scenario(day, tmp_path):
    recording, _ = day
    lines = recording.read_text().splitlines()
    assert lines[0] == "# emit8 recording 1"
    assert any(line.strip().startswith("# from 20") for line in lines)
    found = steps(recording)
    assert found[0]["at"] == "0s"
    assert {step["emit"] for step in found} == {"conversation.created", "message.received", "message.sent"}
    assert all(step["verbatim"] and step["id"].startswith("dlv_") for step in found)
    assert times(found) == sorted(times(found))
    done = kit.emit8("validate", recording)
    assert done.returncode == 0, done.err
    second = tmp_path / "second.yaml"
    with kit.sink("--record", second) as sink:
        done = kit.emit8("run", recording, "--no-log", env={"TARGET_URL": sink.url})
        assert done.returncode == 0, done.err
        stop(sink)
    key = lambda step: (step["id"], step["body"], json.dumps(step["headers"]))
    assert sorted(map(key, steps(second))) == sorted(map(key, found))


FOREIGN = [
    b"",
    bytes(range(256)),
    b"\xff\xfe\x00 not text",
    b"\xed\xa0\x80 a surrogate",
    b"line\r\nline\rline\n\ttab",
    b"- *anchor\n? &x !!str\n: %YAML 1.1\n---\n'\"`@|>{}[]#,",
    b"${HOME} $${HOME} $$${x} {{conversation.id}}",
    b'{"type":"order.paid","n":1.0,"s":"\\u00e9\\/"}',
    "Ünïcödé \u2028\u2029\ufeff\x7f\x85 😀".encode(),
    b"x" * (1 << 20),
    bytes((i * 7919 >> 3) & 255 for i in range(1 << 20)),
    *(bytes([i]) for i in range(256)),
]


def test_foreign_bodies_stay_byte_for_byte(tmp_path):
    path = tmp_path / "foreign.yaml"
    with kit.sink("--record", path) as sink:
        for i, body in enumerate(FOREIGN):
            headers = [("X-Number", str(i)), ("x-odd-CASE", "a  b"), ("Content-Type", "text/plain; x=\"${y}\"")]
            assert post(sink.url, body, headers) == 200
        stop(sink)
    with kit.Capture() as capture:
        done = replay(path, capture.url, "--speed", "max")
        assert done.returncode == 0, done.err
        assert [request["body"] for request in capture.requests] == FOREIGN
        for i, request in enumerate(capture.requests):
            head = request["raw"].split(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
            own = [line for line in head if not re.match(r"(Host|Content-Length):", line)]
            assert own == [f"X-Number: {i}", "x-odd-CASE: a  b", 'Content-Type: text/plain; x="${y}"']
    with kit.Capture() as capture:
        done = kit.emit8("run", path, "--no-log", "--workers", 1, env={"TARGET_URL": capture.url})
        assert done.returncode == 0, done.err
        assert sorted(request["body"] for request in capture.requests) == sorted(FOREIGN)


def test_secrets_never_land_in_it(tmp_path):
    path, secret = tmp_path / "r.yaml", "test-secret-that-must-not-land"
    headers = [
        ("Authorization", "Bearer test-bearer-value"),
        ("Cookie", "session=test-cookie-value"),
        ("X-Api-Key", "test-key-value"),
        ("X-Gitlab-Token", "test-token-value"),
        ("X-Plain", f"a {secret} b"),
        ("X-Kept", "kept"),
    ]
    with kit.sink("--record", path, "--secret-file", kit.secret_file(tmp_path, secret)) as sink:
        post(sink.url, b'{"type":"a.b"}', headers)
        post(sink.url, b'{"leak":"' + secret.encode() + b'"}')
        stop(sink)
        final = sink.stderr.read().decode()
    text = path.read_text()
    for value in ("test-bearer", "test-cookie", "test-key", "test-token", secret):
        assert value not in text
    assert [list(step["headers"]) for step in steps(path)] == [["X-Kept"]]
    for name in ("Authorization", "Cookie", "X-Api-Key", "X-Gitlab-Token", "X-Plain", "a delivery"):
        assert f"# left out: {name}: " in text
        assert f"left out: {name}: " in final


@pytest.mark.parametrize("trial", range(4))
def test_a_killed_sink_leaves_what_still_parses(tmp_path, trial):
    path = tmp_path / "r.yaml"
    with kit.sink("--record", path) as sink:
        count = 0
        end = time.monotonic() + 0.1 + trial * 0.15
        while time.monotonic() < end:
            post(sink.url, b'{"type":"a.b","n":%d}' % count)
            count += 1
        stopped = time.monotonic()
        time.sleep(0.2)  # at least every 100 ms it is written out
        stop(sink, signal.SIGKILL)
        assert time.monotonic() - stopped < 5
    done = kit.emit8("validate", path)
    assert done.returncode == 0, done.err
    assert len(steps(path)) == count


def test_an_existing_file_is_kept(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("mine")
    done = kit.emit8("sink", "--record", path)
    assert done.returncode == 2
    assert "is there already" in done.err and "--force" in done.err
    assert path.read_text() == "mine"
    with kit.sink("--record", path, "--force") as sink:
        post(sink.url, b"{}")
        stop(sink)
    assert len(steps(path)) == 1


# ---- replay ----


@pytest.mark.parametrize("speed", ["1x", "10x", "max"])
def test_same_count_order_and_bodies(day, tmp_path, speed):
    recording, _ = day
    was, log = steps(recording), tmp_path / "replay.db"
    now, _ = received(tmp_path, "now.yaml", recording, "--speed", speed, "--log", log)
    assert len(now) == DELIVERIES
    # They leave in order; over several connections a receiver may see two that left at nearly the same moment the other way round.
    left = kit.rows(log, "SELECT e.sequence FROM attempt a JOIN event e ON e.id = a.event ORDER BY a.sent, a.id")
    assert [row[0] for row in left] == sorted(row[0] for row in left)
    if speed != "max":
        place = {step["body"]: i for i, step in enumerate(was)}
        now.sort(key=lambda step: place[step["body"]])
    assert same(was, now, "id", "body", "headers", "emit")
    if speed != "max":
        factor = float(speed[:-1])
        a, b = times(was), times(now)
        error = [abs((b[i + 1] - b[i]) - (a[i + 1] - a[i]) / factor) for i in range(len(a) - 1)]
        median = statistics.median(error) * 1000
        print(f"inter-arrival error at {speed}: median {median:.3f} ms, worst {max(error) * 1000:.3f} ms")
        assert median < 5


def test_it_can_be_run_in_the_usual_way(day, tmp_path):
    recording, _ = day
    log = tmp_path / "log.db"
    with kit.sink() as sink:
        done = kit.emit8(
            "replay", recording, "--to", sink.url, "--speed", "max", "--log", log, "--threshold", "success >= 100%",
            "--format", "json",
        )
        assert done.returncode == 0, done.err
        report = json.loads(done.out)
    assert report["totals"]["delivered"] == DELIVERIES
    assert {row["trigger"] for row in kit.attempts(log)} == {"replay"}
    done = kit.emit8("replay", recording, "--to", "http://hooks.example.com/", "--no-log")
    assert done.returncode == 2
    assert "--allow-target" in done.err


def test_choosing(day, tmp_path):
    recording, _ = day
    was = steps(recording)
    now, _ = received(tmp_path, "type.yaml", recording, "--type", "message.*", "--speed", "max")
    assert same([step for step in was if step["emit"].startswith("message.")], now, "id", "body")
    now, _ = received(tmp_path, "part.yaml", recording, "--from", "500ms", "--until", "1s", "--speed", "max")
    assert same([s for s, t in zip(was, times(was)) if 0.5 <= t < 1], now, "id", "body")
    began = re.search(r"# from (\S+)", recording.read_text())[1]
    second = f"{began[:17]}{int(began[17:19]):02}"  # its whole second: nothing came before
    now, _ = received(tmp_path, "wall.yaml", recording, "--from", second + "Z", "--speed", "max")
    assert len(now) == DELIVERIES
    for args, what in (
        (("--type", "agent.*"), "nothing of it is left"),
        (("--from", "1h"), "nothing of it is left"),
        (("--from", "2s", "--until", "1s"), "--until is not after --from"),
        (("--type", "Not a pattern"), "no pattern"),
        (("--speed", "fast"), "no factor"),
        (("--run", "1"), "--run is for delivery logs"),
        (("--endpoint", "x"), "--endpoint is for delivery logs"),
        (("--resign",), "needs a secret"),
        (("--fresh-ids",), "needs a secret"),
        (("--verbatim", "--fresh-time"), "exclude each other"),
    ):
        done = replay(recording, "http://127.0.0.1:9/", *args)
        assert done.returncode == 2, args
        assert what in done.err, (args, done.err)


def test_resigned(day, tmp_path):
    """With the same secret and the same times it is what it was; with another one it differs in the signature alone."""
    recording, _ = day
    was = steps(recording)
    secret = kit.secret_file(tmp_path)
    now, _ = received(tmp_path, "same.yaml", recording, "--secret-file", secret, "--speed", "max")
    assert same(was, now, "id", "body", "headers")
    other = tmp_path / "other.txt"
    other.write_text("test-other-secret-0123456789\n")
    now, final = received(
        tmp_path, "other.yaml", recording, "--secret-file", other, "--resign", "--speed", "max",
        options=("--secret-file", other),
    )
    assert f"{DELIVERIES} verified" in final
    assert same(was, now, "id", "body")
    for a, b in zip(was, now):
        assert list(a["headers"]) == list(b["headers"])
        assert {k for k in a["headers"] if a["headers"][k] != b["headers"][k]} == {"X-8bit-Signature-256"}


def test_resigned_for_another_scheme(day, tmp_path):
    recording, _ = day
    secret = kit.secret_file(tmp_path)
    now, final = received(
        tmp_path, "stripe.yaml", recording, "--secret-file", secret, "--scheme", "stripe", "--fresh-time", "--speed",
        "max", options=("--secret-file", secret, "--scheme", "stripe"),
    )
    assert f"{DELIVERIES} verified" in final
    assert same(steps(recording), now, "body")


def test_fresh_time_and_ids(day, tmp_path):
    recording, _ = day
    secret = kit.secret_file(tmp_path)
    was = steps(recording)
    began = int(time.time())
    now, final = received(
        tmp_path, "time.yaml", recording, "--secret-file", secret, "--fresh-time", "--speed", "max",
        options=("--secret-file", secret),
    )
    assert f"{DELIVERIES} verified" in final
    assert same(was, now, "id", "body")
    assert all(int(step["headers"]["X-8bit-Timestamp"]) >= began for step in now)
    # An id that came twice comes twice again.
    text = [line for line in recording.read_text().splitlines() if not line.startswith("#")]
    twice = tmp_path / "twice.yaml"
    twice.write_text("# emit8 recording 1\n" + "\n".join(text[:-1] + [text[-1], text[-1]]) + "\n")
    now, final = received(
        tmp_path, "ids.yaml", twice, "--secret-file", secret, "--fresh-ids", "--speed", "max",
        options=("--secret-file", secret),
    )
    assert f"{DELIVERIES + 1} verified" in final and "1 duplicates" in final
    ids = [step["id"] for step in now]
    assert len(set(ids)) == DELIVERIES and ids[-1] == ids[-2]
    assert not set(ids) & {step["id"] for step in was}
    for a, b in zip(was, now):
        old, new = json.loads(a["body"]), json.loads(b["body"])
        assert old["id"] != new["id"] and new["id"].startswith("evt_")
        assert a["body"].replace(old["id"], new["id"]) == b["body"]
        assert b["headers"]["X-8bit-Delivery"] == b["id"]


def test_of_a_log(day, tmp_path):
    """The log keeps no bodies: they are made again, and with the secret the whole request is what it was."""
    recording, log = day
    secret = kit.secret_file(tmp_path)
    was = steps(recording)
    now, _ = received(tmp_path, "log.yaml", log, "--secret-file", secret, "--speed", "max")
    by_id = lambda step: step["id"]
    assert same(sorted(was, key=by_id), sorted(now, key=by_id), "id", "body", "headers", "emit")
    now, _ = received(tmp_path, "verbatim.yaml", log, "--secret-file", secret, "--verbatim", "--type", "message.sent")
    assert {step["id"] for step in now} == {step["id"] for step in was if step["emit"] == "message.sent"}
    now, final = received(
        tmp_path, "fresh.yaml", log, "--secret-file", secret, "--fresh-time", "--fresh-ids", "--speed", "10x",
        options=("--secret-file", secret),
    )
    assert f"{DELIVERIES} verified" in final
    assert not {step["id"] for step in now} & {step["id"] for step in was}


def test_what_a_log_is_refused(day, tmp_path):
    _, log = day
    secret = ("--secret-file", kit.secret_file(tmp_path))
    for args, what in (
        ((), "their secret is needed"),
        (("--verbatim",), "the log keeps no signatures"),
        ((*secret, "--run", 7), "holds no run 7"),
        ((*secret, "--endpoint", "targt"), 'did you mean "target"?'),
    ):
        done = replay(log, "http://127.0.0.1:9/", *args)
        assert done.returncode == 2, args
        assert what in done.err, (args, done.err)


def test_of_a_log_with_other_fixtures(day, tmp_path):
    import os
    import shutil

    _, log = day
    fixtures = tmp_path / "fixtures"
    shutil.copytree(os.path.join(kit.SOURCE, "fixtures"), fixtures)
    words = next(fixtures.rglob("message.received.json"))
    words.write_text(words.read_text() + "\n")
    with kit.sink() as sink:
        done = replay(
            log, sink.url, "--secret-file", kit.secret_file(tmp_path), "--fixtures", fixtures, "--speed", "max"
        )
    assert "the fixtures have changed" in done.err


def test_a_replay_can_be_replayed_from_its_log(tmp_path):
    """Recorded headers and bytes stand in the log of the run that sent them."""
    path, log = tmp_path / "r.yaml", tmp_path / "log.db"
    with kit.sink("--record", path) as sink:
        for body in (b"\xff\x00", b'{"type":"a.b"}', b""):
            post(sink.url, body, [("X-One", "1"), ("X-Two", "2")])
        stop(sink)
    with kit.Capture() as capture:
        done = kit.emit8("replay", path, "--to", capture.url, "--speed", "max", "--log", log)
        assert done.returncode == 0, done.err
        first = capture.take()
        done = kit.emit8("replay", log, "--to", capture.url, "--speed", "max", "--no-log")
        assert done.returncode == 0, done.err
        second = capture.take()
    assert [request["raw"] for request in first] == [request["raw"] for request in second]
    delivery = kit.attempts(log)[1]["delivery_id"]
    shown = kit.emit8("log", log, "--show", delivery)
    assert "X-One: 1\nX-Two: 2" in shown.out.replace("\r", "")
    assert "User-Agent" not in shown.out


def test_what_is_no_recording(tmp_path):
    plain = tmp_path / "plain.yaml"
    plain.write_text("flows: {a: [{emit: message.received}]}\nendpoints: {x: {url: http://127.0.0.1:9/}}\n")
    done = replay(plain, "http://127.0.0.1:9/")
    assert done.returncode == 2
    assert "this is no recording" in done.err and "emit8 run plays it" in done.err
    for source in (tmp_path / "missing.yaml", tmp_path):
        assert replay(source, "http://127.0.0.1:9/").returncode == 2
    done = kit.emit8("replay", plain, "--no-log")
    assert done.returncode == 2
    assert "--to is missing" in done.err


def test_old_timestamps_are_told(day, tmp_path):
    recording, _ = day
    old = tmp_path / "old.yaml"
    old.write_text(re.sub(r'("X-8bit-Timestamp": ")\d+', r"\g<1>1700000000", recording.read_text()))
    secret = ("--secret-file", kit.secret_file(tmp_path), "--scheme", "stripe", "--speed", "max")
    with kit.sink(*secret[:4], "--tolerance", "off") as sink:
        done = replay(old, sink.url, *secret)
        assert done.returncode == 0, done.err
        assert "signed timestamps are up to" in done.err and "--fresh-time" in done.err
        done = replay(old, sink.url, *secret, "--fresh-time")
        assert "signed timestamps" not in done.err


def test_ten_thousand(tmp_path):
    """A large recording is read in no time."""
    path = tmp_path / "large.yaml"
    head = "# emit8 recording 1\nendpoints: {t: {url: http://127.0.0.1:9/}}\nflows:\n  recording:\n"
    headers = {"Content-Type": "application/json", "X-8bit-Event": "message.received", "X-8bit-Signature-256": "0" * 64}
    with path.open("w") as file:
        file.write(head)
        for i in range(10000):
            body = json.dumps({"id": f"evt_{i}", "type": "message.received", "text": "y" * 560})
            step = {"emit": "message.received", "at": f"{i / 1000}s", "headers": headers, "verbatim": True, "body": body}
            file.write("    - " + json.dumps(step) + "\n")
    assert path.stat().st_size > 8 << 20
    with kit.sink() as sink:
        began = time.monotonic()
        done = replay(path, sink.url, "--speed", "max", "--in-flight", 64, "--format", "json")
        print(f"10,000 deliveries of 600 bytes: read and replayed in {time.monotonic() - began:.2f} s")
    assert done.returncode == 0, done.err
    assert json.loads(done.out)["totals"]["delivered"] == 10000
