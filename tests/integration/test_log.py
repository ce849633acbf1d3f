"""emit8 log: filters, formats, following, showing a delivery byte for byte, and sending one again."""

import contextlib
import csv
import datetime
import fnmatch
import io
import json
import re
import select
import shutil
import signal
import sqlite3

import kit
import pytest

KEYS = (
    "run event_id delivery_id type environment endpoint attempt trigger due sent done response_time_ms service_time_ms"
    " send_lag_ms status outcome error bytes_sent bytes_received scheme reused copy verdict step warmup"
).split()

SCENARIO = """
endpoints:
  crm: {{url: "{url}/crm", secret: {secret}, events: [conversation.*, message.*], retry: {retry}}}
  audit: {{url: "{url}/audit", secret: {secret}, retry: {retry}, headers: {{X-Archive: "yes"}}}}
flows:
  story:
    steps:
      - emit: conversation.created
        set: {{data.channel: web, data.subject: "Größe & \\"Maß\\" {{{{$pick companies}}}}"}}
      - repeat: 2
        steps:
          - emit: message.received
          - {{emit: message.sent, environment: staging, remove: [data.model]}}
      - emit: conversation.ended
      - {{emit: agent.error, environment: development}}
run: [{{flow: story, arrivals: {{times: 6, concurrency: 2}}}}]
"""


def answer(request):
    """Errors of some kinds; second attempts succeed, but for agents' errors at /audit."""
    event, first = request["headers"]["x-8bit-event"], request["headers"]["x-8bit-attempt"] == "1"
    if event == "agent.error":
        return 503
    if event == "conversation.ended" and first:
        return 429
    if event == "message.sent" and first and request["path"] == "/crm":
        return 404
    return 200


def run_story(tmp_path, capture, log, *args, code=1):
    path = tmp_path / "scenario.yaml"
    retry = "{attempts: 2, base: 5ms, factor: 1, cap: 10ms, jitter: none}"
    path.write_text(SCENARIO.format(url=capture.url, secret=kit.SECRET, retry=retry))
    done = kit.emit8("run", path, "--seed", 3, "--log", log, *args)
    assert done.returncode == code, done.err
    return done


@pytest.fixture(name="story", scope="module")
def make_story(tmp_path_factory):
    """A log of one small send (run 1) and of a scenario (run 2), with what came in."""
    path = tmp_path_factory.mktemp("story")
    log = path / "log.db"
    with kit.Capture(answer) as capture:
        done = kit.emit8("send", "session.*", "--to", capture.url, "--log", log)
        assert done.returncode == 0, done.err
        capture.take()
        run_story(path, capture, log)
        yield {"log": log, "requests": capture.requests, "url": capture.url, "path": path}


def log_rows(log, *args):
    return kit.attempts(log, *args)


def key(row):
    return row["run"], row["delivery_id"], row["attempt"]


# Formats


def test_ndjson_has_the_stable_keys_in_their_order(story):
    done = kit.emit8("log", story["log"], "--format", "ndjson")
    lines = done.out.splitlines()
    assert lines
    for line in lines:
        pairs = json.loads(line, object_pairs_hook=list)
        assert [name for name, _ in pairs] == KEYS
        row = dict(pairs)
        for name in "run", "attempt", "bytes_sent", "bytes_received":
            assert type(row[name]) is int, name
        for name in "response_time_ms", "service_time_ms", "send_lag_ms":
            assert type(row[name]) in (float, int) and row[name] >= 0
        assert type(row["reused"]) is bool
        assert row["status"] is None or type(row["status"]) is int
        assert (row["error"] is None) == (row["outcome"] == "delivered")
        assert row["due"] <= row["sent"] <= row["done"]
        assert abs(row["send_lag_ms"] + row["service_time_ms"] - row["response_time_ms"]) < 1e-5
        due, done_at = (datetime.datetime.fromisoformat(row[k].replace("Z", "+00:00")) for k in ("due", "done"))
        assert abs((done_at - due).total_seconds() * 1000 - row["response_time_ms"]) < 0.002


def test_ndjson_tells_what_came_in(story):
    rows = log_rows(story["log"])
    assert len(rows) == len(story["requests"])
    came = {(r["headers"]["x-8bit-delivery"], int(r["headers"]["x-8bit-attempt"])): r for r in story["requests"]}
    for row in rows:
        request = came[row["delivery_id"], row["attempt"]]
        event = json.loads(request["body"])
        assert (row["event_id"], row["type"], row["environment"]) == (event["id"], event["type"], event["environment"])
        assert "/" + row["endpoint"] == request["path"]
        assert row["bytes_sent"] == len(request["raw"])
        assert row["status"] == answer(request)
        assert row["trigger"] == ("event" if row["attempt"] == 1 else "retry")
        assert row["scheme"] == "8bit"


def test_csv_says_the_same_as_ndjson(story):
    done = kit.emit8("log", story["log"], "--format", "csv", "--run", "all")
    table = list(csv.reader(io.StringIO(done.out, newline="")))
    assert table[0] == KEYS
    rows = log_rows(story["log"], "--run", "all")
    assert len(table) == len(rows) + 1

    def text(value):
        return str({None: "", True: "true", False: "false"}[value] if value in (None, True, False) else value)

    for cells, row in zip(table[1:], rows):
        for name, cell in zip(KEYS, cells):
            if isinstance(row[name], float):
                assert float(cell) == row[name], name
            else:
                assert cell == (str(row[name]) if type(row[name]) is int else text(row[name])), name


def test_table_has_a_line_for_each_attempt(story):
    rows = log_rows(story["log"])
    lines = kit.emit8("log", story["log"]).out.splitlines()
    assert [word for word in lines[0].split() if "UTC" not in word][:5] == ["time", "status", "outcome", "type", "endpoint"]
    told = [line for line in lines[1:] if not line.strip().startswith("└")]
    assert len(told) == len(rows)
    for line, row in zip(told, rows):
        time, rest = line.split("  ", 1)
        assert time in row["due"].replace("T", " "), "whole, not cut"
        words = rest.split()
        assert words[0] == str(row["status"])
        for word, name in zip(words[1:], ("outcome", "type", "endpoint")):
            assert row[name].startswith(word.rstrip("…")), name


def test_json_is_refused_with_a_hint(story):
    done = kit.emit8("log", story["log"], "--format", "json")
    assert done.returncode == 2 and "ndjson" in done.err


# Filters: each against the same condition in Python over all rows.

FILTERS = {
    "status 503": (["--status", "503"], lambda r: r["status"] == 503),
    "status 5xx": (["--status", "5xx"], lambda r: r["status"] and 500 <= r["status"] <= 599),
    "status 4xx": (["--status", "4xx"], lambda r: r["status"] in (404, 429)),
    "type": (["--type", "message.sent"], lambda r: r["type"] == "message.sent"),
    "category": (["--type", "conversation.*"], lambda r: fnmatch.fnmatch(r["type"], "conversation.*")),
    "any type": (["--type", "*"], lambda r: True),
    "endpoint": (["--endpoint", "audit"], lambda r: r["endpoint"] == "audit"),
    "outcome": (["--outcome", "throttled"], lambda r: r["outcome"] == "throttled"),
    "failed": (["--failed"], lambda r: r["outcome"] != "delivered"),
    "failed of one endpoint": (
        ["--failed", "--endpoint", "crm", "--status", "4xx"],
        lambda r: r["outcome"] != "delivered" and r["endpoint"] == "crm" and 400 <= r["status"] < 500,
    ),
    "slower": (["--slower", "1500us"], lambda r: r["response_time_ms"] > 1.5),
}


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("run", ["newest", "all", "1"])
def test_a_filter_takes_what_it_says(story, name, run):
    options, condition = FILTERS[name]
    which = [] if run == "newest" else ["--run", run]
    everything = log_rows(story["log"], *which)
    expected = [key(row) for row in everything if condition(row)]
    if run != "1" and name != "slower":
        assert 0 < len(expected) and (name == "any type" or len(expected) < len(everything)), "tests nothing"
    assert [key(row) for row in log_rows(story["log"], *options, *which)] == expected


def test_runs(story):
    first, second, both = (log_rows(story["log"], "--run", run) for run in (1, 2, "all"))
    assert {row["type"] for row in first} == {"session.started", "session.ended"}
    assert {row["run"] for row in first} == {1} and {row["run"] for row in second} == {2}
    assert both == first + second
    assert log_rows(story["log"]) == second, "the newest"
    done = kit.emit8("log", story["log"], "--run", "3")
    assert done.returncode == 2 and "3" in done.err


@pytest.mark.parametrize("n", [1, 5, 1000])
def test_the_newest(story, n):
    assert log_rows(story["log"], "-n", n) == log_rows(story["log"])[-n:]
    failed = log_rows(story["log"], "--failed")
    assert log_rows(story["log"], "--failed", "-n", n) == failed[-n:]


def test_since_and_until_cut_at_the_due_time(story):
    rows = log_rows(story["log"], "--run", "all")
    dues = sorted(due for (due,) in kit.rows(story["log"], "SELECT DISTINCT due FROM attempt"))
    middle = dues[len(dues) // 2]  # in nanoseconds: just when something was due
    seconds, nanos = divmod(middle, 10**9)
    text = datetime.datetime.utcfromtimestamp(seconds).isoformat() + f".{nanos:09}Z"
    later = log_rows(story["log"], "--run", "all", "--since", text)
    earlier = log_rows(story["log"], "--run", "all", "--until", text)
    counts = [kit.rows(story["log"], f"SELECT count(*) FROM attempt WHERE due {op} ?", middle)[0][0] for op in ("<", ">=")]
    assert [len(earlier), len(later)] == counts and all(counts)
    assert sorted(map(key, earlier + later)) == sorted(map(key, rows)), "none is lost, none is in both"
    assert log_rows(story["log"], "--since", "10m") == log_rows(story["log"])
    assert log_rows(story["log"], "--until", "10m") == []
    first = dues[0] // 10**9
    assert log_rows(story["log"], "--run", "all", "--since", first) == rows
    assert log_rows(story["log"], "--run", "all", "--until", first) == []


def test_status_none_is_without_an_answer(tmp_path):
    def script(connection, n):
        kit.read_request(connection)

    log = tmp_path / "log.db"
    with kit.RawPeer(script) as peer:
        done = kit.emit8("send", "agent.*", "--to", peer.url, "--retries", 0, "--log", log)
        assert done.returncode == 1
    rows = log_rows(log, "--status", "none")
    assert len(rows) == 4 and all(row["status"] is None and row["error"] for row in rows)
    assert log_rows(log, "--status", "2xx") == []


@pytest.mark.parametrize(
    "options, said",
    [
        (["--status", "6x"], "5xx"),
        (["--status", "0xx"], "5xx"),
        (["--outcome", "deliverd"], 'did you mean "delivered"?'),
        (["--type", "message.**"], "message.*"),
        (["--since", "yesterday"], "10m"),
        (["--since", "2026-03-02", "--until", "2026-03-01"], "not after"),
        (["--slower", "5"], "500ms"),
        (["-n", "0"], "from 1"),
        (["--run", "last"], "--run"),
    ],
)
def test_a_wrong_filter_is_an_error(story, options, said):
    done = kit.emit8("log", story["log"], *options)
    assert done.returncode == 2, done.out
    assert said in done.err and not done.out


def test_a_file_that_is_no_log(tmp_path):
    missing = kit.emit8("log", tmp_path / "missing.db")
    assert missing.returncode == 2 and "missing.db" in missing.err
    (tmp_path / "text.db").write_text("not a database at all, but long enough to look like one " * 50)
    assert kit.emit8("log", tmp_path / "text.db").returncode == 2
    with contextlib.closing(sqlite3.connect(tmp_path / "other.db")) as db:
        db.execute("CREATE TABLE attempt(a)")
        db.commit()
    other = kit.emit8("log", tmp_path / "other.db")
    assert other.returncode == 2 and "other.db" in other.err


def test_the_log_is_found_by_the_environment(story, tmp_path):
    expected = kit.emit8("log", story["log"], "--format", "csv").out
    assert kit.emit8("log", "--format", "csv", env={"EMIT8_LOG": str(story["log"])}).out == expected
    state = tmp_path / "state"
    (state / "emit8").mkdir(parents=True)
    shutil.copy(story["log"], state / "emit8" / "deliveries.db")
    assert kit.emit8("log", "--format", "csv", env={"XDG_STATE_HOME": str(state)}).out == expected


# Following


class Lines:
    """The lines of a process, as they come."""

    def __init__(self, process):
        self.process, self.data, self.lines = process, b"", []

    def wait(self, count, timeout=20):
        while len(self.lines) < count:
            assert select.select([self.process.stdout], [], [], timeout)[0], self.lines
            chunk = self.process.stdout.read1(65536)
            assert chunk, self.process.stderr.read()
            *whole, self.data = (self.data + chunk).split(b"\n")
            self.lines += map(json.loads, whole)
        return self.lines


def test_follow_shows_another_run_while_it_goes_on(tmp_path):
    log = tmp_path / "log.db"
    with kit.Capture() as capture:
        args = ["--to", capture.url, "--log", log]
        assert kit.emit8("send", "message.*", *args).returncode == 0
        follower = kit.start("log", log, "--follow", "--format", "ndjson")
        lines = Lines(follower)
        assert [row["run"] for row in lines.wait(3)] == [1] * 3, "first what there is"
        assert kit.emit8("send", "session.*", *args).returncode == 0
        assert [row["type"] for row in lines.wait(5)[3:]] == ["session.started", "session.ended"]
        running = kit.start("send", "*", "-n", 1000, "--rate", "20/s", *args)
        capture.wait(8)
        assert lines.wait(8)[7]["run"] == 3
        assert running.poll() is None, "seen while the run goes on"
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=30)
        total = len(log_rows(log, "--run", "all"))
        assert len(lines.wait(total)) == total
        follower.send_signal(signal.SIGINT)
        rest, err = follower.communicate(timeout=10)
        assert follower.returncode == 130, err
        assert not rest
    assert lines.lines == log_rows(log, "--run", "all")


def test_follow_filters_and_begins_with_the_newest(tmp_path):
    log = tmp_path / "log.db"
    with kit.Capture(lambda r: 500 if r["headers"]["x-8bit-event"] == "agent.error" else 200) as capture:
        args = ["--to", capture.url, "--retries", 0, "--log", log]
        kit.emit8("send", "agent.*", "-n", 40, *args)
        follower = kit.start("log", log, "-f", "--failed", "-n", 3, "--format", "ndjson")
        lines = Lines(follower)
        lines.wait(3)
        kit.emit8("send", "*", *args)
        rows = lines.wait(4)
        follower.send_signal(signal.SIGTERM)
        rest, _ = follower.communicate(timeout=10)
        assert follower.returncode == 143 and not rest
    assert [row["run"] for row in rows] == [1, 1, 1, 2]
    assert {row["outcome"] for row in rows} == {"http_5xx"}
    assert rows[:3] == log_rows(log, "--run", 1, "--failed")[-3:]


def test_an_error_comes_without_a_tables_head(log):
    with kit.Capture() as capture:
        assert kit.emit8("send", "message.sent", "--to", capture.url, "--log", log).returncode == 0
    for format in "table", "csv":
        done = kit.emit8("log", log, "--run", 99, "--format", format)
        assert (done.returncode, done.out) == (2, "") and "there is run 1 alone" in done.err
        head = kit.emit8("log", log, "--failed", "--format", format)
        assert head.returncode == 0 and len(head.out.splitlines()) == 1, "no rows, but the head"


def test_an_environment_selects_no_rows(log):
    done = kit.emit8("log", log, "--environment", "staging")
    assert done.returncode == 2 and "unknown option --environment" in done.err


# Showing


def shown(log, delivery, *args):
    """The request as --show renders it, without the line's end that follows it."""
    done = kit.emit8("log", log, "--show", delivery, *args)
    assert done.returncode == 0, done.err
    begin = done.stdout.index(b"rendered again:\n\n") + len(b"rendered again:\n\n")
    assert done.stdout.endswith(b"\n")
    return done.stdout[begin:-1], done


def assert_shows(log, request, *args):
    request_bytes, done = shown(log, request["headers"]["x-8bit-delivery"], *args)
    assert request_bytes == request["raw"]
    return done


def sent(capture, log, tmp_path, *args):
    """One run of send with a secret; what came in."""
    secret = kit.secret_file(tmp_path)
    done = kit.emit8("send", *args, "--to", capture.url + "/hook?a=b", "--secret-file", secret, "--log", log)
    assert done.returncode == 0, done.err
    return capture.take(), ["--secret-file", secret]


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log.db"


def test_show_renders_the_bytes_of_every_type(tmp_path, log):
    with kit.Capture() as capture:
        requests, secret = sent(capture, log, tmp_path, "*", "-n", 48, "-c", 4)
        first_of_type = {r["headers"]["x-8bit-event"]: r for r in reversed(requests)}
        assert len(first_of_type) == 16
        for request in first_of_type.values():
            done = assert_shows(log, request, *secret)
            assert not done.err


@pytest.mark.parametrize("scheme", ["standard-webhooks", "stripe", "github", "slack"])
def test_show_signs_with_the_scheme_of_the_run(tmp_path, log, scheme):
    with kit.Capture() as capture:
        text = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" if scheme == "standard-webhooks" else kit.SECRET
        secret = ["--secret-file", kit.secret_file(tmp_path, text)]
        done = kit.emit8("send", "message.sent", "--to", capture.url, "--scheme", scheme, *secret, "--log", log)
        assert done.returncode == 0, done.err
        assert_shows(log, capture.requests[0], *secret)


def test_show_takes_the_secret_from_the_environment(tmp_path, log):
    with kit.Capture() as capture:
        requests, _ = sent(capture, log, tmp_path, "message.sent")
        done = kit.emit8(
            "log", log, "--show", requests[0]["headers"]["x-8bit-delivery"], env={"EMIT8_SECRET": kit.SECRET}
        )
        assert requests[0]["raw"] in done.stdout and not done.err


def test_show_renders_what_was_set_and_removed(tmp_path, log):
    edits = ["--set", 'data.subject="Zeile\\n2 é 漢"', "--set", "data.tags=[1, 2.50, null]"]
    edits += ["--set", "data.status={{$pick plans}}", "--set", 'data.new={"a": {"b": "{{event.id}}"}}', "--remove", "data.agent"]
    with kit.Capture() as capture:
        requests, secret = sent(capture, log, tmp_path, "conversation.created", "-n", 3, *edits)
        for request in requests:
            data = json.loads(request["body"])["data"]
            assert data["subject"] == "Zeile\n2 é 漢" and data["tags"] == [1, 2.5, None] and "agent" not in data
            assert data["new"] == {"a": {"b": json.loads(request["body"])["id"]}}
            assert_shows(log, request, *secret)


@pytest.mark.parametrize("body", [b"", b"not json \xff\x00\r\n", b'{"a": 1}\n', b"x" * 100_000])
def test_show_keeps_a_raw_body(tmp_path, log, body):
    raw = tmp_path / "raw"
    raw.write_bytes(body)
    with kit.Capture() as capture:
        requests, secret = sent(capture, log, tmp_path, "message.sent", "--raw", raw)
        assert [r["body"] for r in requests] == [body]
        raw.unlink()
        assert_shows(log, requests[0], *secret)


def test_show_renders_the_events_of_a_scenario(story, tmp_path):
    """Several events in an instance, their counts and edits; the first attempts, whatever came of them."""
    secret = ["--secret-file", kit.secret_file(tmp_path)]
    requests = [r for r in story["requests"] if r["headers"]["x-8bit-attempt"] == "1" and r["path"] == "/crm"]
    assert len(requests) == 36
    assert {json.loads(r["body"])["environment"] for r in requests} == {"production", "staging"}
    for request in requests[::3]:
        assert_shows(story["log"], request, *secret)


def test_show_takes_the_endpoints_own_headers_again(story, tmp_path):
    """The log does not keep header values, which may be secret; -H gives them."""
    secret = ["--secret-file", kit.secret_file(tmp_path)]
    requests = [r for r in story["requests"] if r["headers"]["x-8bit-attempt"] == "1" and r["path"] == "/audit"]
    assert all(r["headers"]["x-archive"] == "yes" for r in requests)
    for request in requests[:5]:
        assert not assert_shows(story["log"], request, *secret, "-H", "X-Archive: yes").err


def test_show_says_which_headers_are_left_out(story, tmp_path):
    secret = ["--secret-file", kit.secret_file(tmp_path)]
    by_path = {r["path"]: r for r in story["requests"] if r["headers"]["x-8bit-attempt"] == "1"}
    request, done = shown(story["log"], by_path["/audit"]["headers"]["x-8bit-delivery"], *secret)
    assert done.err == "emit8: headers are left out, whose values the log does not keep: X-Archive; give them with -H\n"
    assert request == by_path["/audit"]["raw"].replace(b"X-Archive: yes\r\n", b"") != by_path["/audit"]["raw"]
    assert not shown(story["log"], by_path["/crm"]["headers"]["x-8bit-delivery"], *secret)[1].err


def test_headers_of_the_command_line_are_left_out_too(log):
    with kit.Capture() as capture:
        headers = ["-H", "X-Token: hush-hush", "-H", "X-Team: support"]
        assert kit.emit8("send", "message.sent", "--to", capture.url, *headers, "--log", log).returncode == 0
        delivery = capture.take()[0]["headers"]["x-8bit-delivery"]
        assert "X-Token, X-Team; give them with -H" in shown(log, delivery)[1].err
        assert ": X-Token; give" in shown(log, delivery, "-H", "x-team: other")[1].err
        again = kit.emit8("log", log, "--resend", delivery)
        assert again.returncode == 0 and "X-Token, X-Team; give them with -H" in again.err
    assert all(b"hush-hush" not in file.read_bytes() for file in log.parent.glob("log.db*"))


def test_show_without_the_secret_leaves_out_the_signature(tmp_path, log):
    with kit.Capture() as capture:
        requests, _ = sent(capture, log, tmp_path, "message.sent")
        request, done = shown(log, requests[0]["headers"]["x-8bit-delivery"])
        assert "signature" in done.err and "--secret-file" in done.err
        unsigned = re.sub(rb"X-8bit-Signature-256: [^\r]*\r\n", b"", requests[0]["raw"])
        assert request == unsigned != requests[0]["raw"]


def test_show_of_what_was_not_signed(log):
    with kit.Capture() as capture:
        assert kit.emit8("send", "message.sent", "--to", capture.url, "--log", log).returncode == 0
        done = assert_shows(log, capture.requests[0])
        assert not done.err and b"Signature" not in capture.requests[0]["raw"]


def test_show_tells_all_attempts(story):
    retried = next(row for row in log_rows(story["log"]) if row["attempt"] == 2 and row["outcome"] == "delivered")
    out = kit.emit8("log", story["log"], "--show", retried["delivery_id"]).out
    assert "2 attempts" in out and "#1 event" in out and "#2 retry" in out and "waited" in out
    for phase in "connect", "first byte", "total":
        assert phase in out


def export(tmp_path):
    fixtures = tmp_path / "fixtures"
    assert kit.emit8("events", "export", fixtures).returncode == 0
    return fixtures


def test_show_with_the_runs_own_fixtures(tmp_path, log):
    fixtures = export(tmp_path)
    event = fixtures / "events" / "message.sent.json"
    event.write_text(event.read_text().replace('"role": "assistant"', '"role": "assistant", "mood": "{{$pick plans}}"'))
    assert "mood" in event.read_text()
    with kit.Capture() as capture:
        requests, secret = sent(capture, log, tmp_path, "message.sent", "--fixtures", fixtures)
        assert b'"mood"' in requests[0]["body"]
        done = assert_shows(log, requests[0], *secret, "--fixtures", fixtures)
        assert not done.err
        other, done = shown(log, requests[0]["headers"]["x-8bit-delivery"], *secret)
        assert "fixtures have changed" in done.err, "it says so"
        assert other != requests[0]["raw"]


def test_show_says_that_fixtures_were_edited_since(tmp_path, log):
    fixtures = export(tmp_path)
    with kit.Capture() as capture:
        requests, secret = sent(capture, log, tmp_path, "message.sent", "--fixtures", fixtures)
        done = assert_shows(log, requests[0], *secret, "--fixtures", fixtures)
        assert not done.err
        words = fixtures / "words" / "companies.json"
        words.write_text(words.read_text() + "\n")
        _, done = shown(log, requests[0]["headers"]["x-8bit-delivery"], *secret, "--fixtures", fixtures)
        assert "fixtures have changed" in done.err
        _, done = shown(log, requests[0]["headers"]["x-8bit-delivery"], *secret)
        assert not done.err, "the export was of the built-in ones"


def test_a_delivery_by_prefix(story):
    rows = log_rows(story["log"], "--run", "all")
    ids = sorted({row["delivery_id"] for row in rows})
    whole = ids[0]
    short = next(whole[:n] for n in range(1, len(whole)) if sum(i.startswith(whole[:n]) for i in ids) == 1)
    assert whole in kit.emit8("log", story["log"], "--show", short).out
    common = kit.emit8("log", story["log"], "--show", "dlv_")
    assert common.returncode == 2 and "several deliveries" in common.err and ids[0] in common.err
    for name in "dlv_nothing", "", "evt_", "%", whole + "x":
        unknown = kit.emit8("log", story["log"], "--show", name)
        assert unknown.returncode == 2 and "no delivery" in unknown.err, name
        assert not unknown.out


# Sending again


def test_resend_is_the_same_delivery_with_the_next_number(tmp_path, log):
    with kit.Capture(lambda r: 500 if r["headers"]["x-8bit-attempt"] < "3" else 200) as capture:
        secret = ["--secret-file", kit.secret_file(tmp_path)]
        args = ["--scheme", "stripe", *secret, "--log", log]
        scenario = tmp_path / "scenario.yaml"
        scenario.write_text(
            f"endpoints: {{hook: {{url: '{capture.url}/hook', scheme: stripe, secret: {kit.SECRET},"
            " retry: {attempts: 2, base: 1ms}}}\n"
            "flows: {f: [{emit: conversation.created}, {emit: message.received, environment: staging}]}\n"
            "run: [{flow: f}]\n"
        )
        assert kit.emit8("run", scenario, "--log", log, "--clock", kit.CLOCK).returncode == 1
        before = [r for r in capture.take() if r["headers"]["x-8bit-event"] == "message.received"]
        delivery = before[0]["headers"]["x-8bit-delivery"]
        first = log_rows(log)
        for number in (3, 4):
            done = kit.emit8("log", log, "--resend", delivery, *secret)
            assert done.returncode == 0, done.err
            assert f"#{number}" in done.out and "delivered" in done.out
        again = capture.take()
    assert [r["headers"]["x-8bit-attempt"] for r in before + again] == ["1", "2", "3", "4"]
    for request in again:
        assert request["body"] == before[0]["body"]
        assert request["path"] == "/hook"
        assert request["headers"]["x-8bit-delivery"] == delivery
        assert request["headers"]["x-8bit-event"] == "message.received"
        items = dict(item.split("=", 1) for item in request["headers"]["stripe-signature"].split(","))
        assert items["t"] == request["headers"]["x-8bit-timestamp"]
        assert abs(int(items["t"]) - request["at"]) < 1.5, "now, not the run's clock"
        assert "sha256=" + items["v1"] == kit.signature(items["t"].encode() + b"." + request["body"])
    rows = log_rows(log, "--run", "all")
    assert rows[: len(first)] == first, "the run's own rows stay"
    for row, number, run in zip(rows[len(first) :], (3, 4), (2, 3)):
        assert (row["run"], row["attempt"], row["trigger"], row["outcome"]) == (run, number, "resend", "delivered")
        assert (row["delivery_id"], row["event_id"]) == (delivery, json.loads(before[0]["body"])["id"])
        assert (row["type"], row["environment"], row["endpoint"]) == ("message.received", "staging", "hook")
        assert row["scheme"] == "stripe"
    assert len(rows) == len(first) + 2
    shown_bytes, done = shown(log, delivery, *secret)
    assert shown_bytes == before[0]["raw"], "of the first attempt"
    assert "4 attempts" in done.out and "#4 resend" in done.out
    assert kit.report(log, "--run", 1)["totals"]["attempts"] == len(first)


def test_resend_to_another_place(tmp_path, log):
    with kit.Capture() as capture, kit.Capture(lambda r: 418) as other:
        requests, secret = sent(capture, log, tmp_path, "message.sent")
        delivery = requests[0]["headers"]["x-8bit-delivery"]
        done = kit.emit8("log", log, "--resend", delivery, *secret, "--to", other.url + "/x")
        assert done.returncode == 1 and "418" in done.out and "http_4xx" in done.out
        assert not capture.requests
        (request,) = other.requests
        assert request["path"] == "/x" and request["body"] == requests[0]["body"]
        assert request["headers"]["x-8bit-attempt"] == "2"
        kit.assert_signed(request)
    row = log_rows(log)[-1]
    assert (row["status"], row["trigger"], row["attempt"]) == (418, "resend", 2)


def test_resend_needs_the_secret_of_a_signed_delivery(tmp_path, log):
    with kit.Capture() as capture:
        requests, _ = sent(capture, log, tmp_path, "message.sent")
        done = kit.emit8("log", log, "--resend", requests[0]["headers"]["x-8bit-delivery"])
        assert done.returncode == 2 and "--secret-file" in done.err
        assert not capture.requests
    assert len(log_rows(log, "--run", "all")) == 1


def test_resend_of_an_unknown_delivery(story):
    done = kit.emit8("log", story["log"], "--resend", "dlv_unknown")
    assert done.returncode == 2 and "no delivery" in done.err


def test_resend_keeps_a_raw_body(tmp_path, log):
    raw = tmp_path / "raw"
    raw.write_bytes(b"\x00\xff raw \r\n")
    with kit.Capture() as capture:
        requests, secret = sent(capture, log, tmp_path, "message.sent", "--raw", raw)
        done = kit.emit8("log", log, "--resend", requests[0]["headers"]["x-8bit-delivery"], *secret)
        assert done.returncode == 0, done.err
        assert capture.requests[0]["body"] == b"\x00\xff raw \r\n"
        kit.assert_signed(capture.requests[0])


# ---- requests that a step made unlike others ----

UNUSUAL = """
scenario: unusual
endpoints: {{target: {{url: "{url}/hooks", secret: test-secret-0123456789abcdef, retry: {{attempts: 1}}}}}}
flows:
  one:
    - emit: message.received
      {step}
"""

STEPS = {
    "flip": "tamper: {body: {flip: random}}",
    "truncate": "tamper: {body: {truncate: 20}}",
    "pretty": "tamper: {body: {form: pretty}}",
    "reordered": "tamper: {body: {form: reordered, signed: false}}",
    "replaced": 'tamper: {body: {replace: "{"}}',
    "size": "tamper: {body: {size: 20KB}}",
    "missing": "tamper: {signature: missing}",
    "other": "tamper: {signature: other_secret}",
    "twice": "tamper: {signature: twice_wrong_first}",
    "reserialised": "tamper: {signature: reserialised}",
    "shift": "tamper: {timestamp: {shift: -10m}}",
    "text": "tamper: {timestamp: {text: soon}}",
    "headers": 'tamper: {headers: {remove: [User-Agent], set: {X-Other: "1"}, add: {X-Other: "2"}}}',
    "type": "tamper: {content_type: text/plain}",
    "own": 'headers: {X-Mine: "yes", Content-Type: text/x-mine}',
    "named": "type: made.up",
    "edited": "set: {data.channel: sms}",
    "raw": 'body: "not json: \\xe9"',
    "base64": "body: {base64: /wAB}",
    "verbatim": 'verbatim: true\n      headers: {X-One: "1"}\n      body: "as it is"\n      id: dlv_of_mine',
}


def shown_request(text, mark="Request of attempt 1, rendered again:\n\n"):
    """The request that --show prints, as bytes."""
    return text.split(mark.encode())[1].split(b"\n\nRequest of")[0].removesuffix(b"\n")


@pytest.mark.parametrize("name", STEPS)
def test_show_of_an_unusual_step_is_what_was_sent(tmp_path, name):
    log, scenario, secret = tmp_path / "log.db", tmp_path / "s.yaml", kit.secret_file(tmp_path)
    with kit.Capture() as capture:
        scenario.write_text(UNUSUAL.format(url=capture.url, step=STEPS[name]))
        done = kit.emit8("run", scenario, "--log", log)
        assert done.returncode in (0, 1), done.err
        sent = capture.take()
        assert len(sent) == 1
        delivery = kit.attempts(log)[0]["delivery_id"]
        shown = kit.emit8("log", log, "--show", delivery, "--secret-file", secret)
        assert shown.returncode == 0, shown.err
        assert shown_request(shown.stdout) == sent[0]["raw"]
        if name == "named":
            assert b'"type":"made.up"' in sent[0]["body"]
        again = kit.emit8("log", log, "--resend", delivery, "--secret-file", secret)
        assert again.returncode in (0, 1), again.err
        resent = capture.take()
        assert [request["body"] for request in resent] == [sent[0]["body"]]
        lower = {"x-8bit-timestamp", "x-8bit-attempt", "x-8bit-signature-256"}
        keep = lambda request: {k: v for k, v in request["headers"].items() if k not in lower}
        assert keep(resent[0]) == keep(sent[0])


AGAIN = """
scenario: again
endpoints: {{target: {{url: "{url}/hooks", secret: test-secret-0123456789abcdef, retry: {{attempts: 1}}}}}}
flows:
  one:
    - {{emit: message.received, deliver: {{duplicate: 1}}}}
    - await: ack
    - {{again: replay, tamper: {{body: {{flip: 3}}}}}}
    - await: ack
    - {{again: retry}}
"""


def test_show_of_copies(tmp_path):
    log, scenario, secret = tmp_path / "log.db", tmp_path / "s.yaml", kit.secret_file(tmp_path)
    with kit.Capture() as capture:
        scenario.write_text(AGAIN.format(url=capture.url))
        done = kit.emit8("run", scenario, "--log", log)
        assert done.returncode == 0, done.err
        sent = [request["raw"] for request in capture.take()]
    rows = kit.attempts(log)
    assert [(row["copy"], row["trigger"]) for row in rows] == [
        (0, "event"), (1, "duplicate"), (2, "duplicate"), (3, "duplicate"),
    ]
    shown = kit.emit8("log", log, "--show", rows[0]["delivery_id"], "--secret-file", secret)
    assert shown.returncode == 0, shown.err
    requests = re.split(rb"\nRequest of attempt \d+(?:, copy \d+)?, rendered again:\n\n", shown.stdout)[1:]
    assert [request.removesuffix(b"\n") for request in requests] == [sent[0], sent[2], sent[3]]
    assert sent[0] == sent[1]
    deliveries = kit.rows(log, "SELECT copy, attempts, ended, outcome FROM deliveries ORDER BY copy")
    assert deliveries == [(copy, 1, 1, "delivered") for copy in range(4)]
