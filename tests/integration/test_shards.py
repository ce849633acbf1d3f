"""A plan divided into shards: together they are the single run; merged exactly, judged once; what does not fit together is refused."""

import collections
import datetime
import fcntl
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import struct
import subprocess
import termios

import pytest
import yaml

import kit
from kit import CLOCK, emit8, rows

SEED = 11
SHARDS = 4
CLUSTER = pathlib.Path(kit.SOURCE) / "scenarios/cluster"
SCENARIO = """
scenario: divided
endpoints:
  crm: {url: "http://127.0.0.1:9/crm", events: [conversation.*, message.received]}
  audit: {url: "http://127.0.0.1:9/audit", retry: {attempts: 1}}
flows:
  story:
    - emit: conversation.created
    - {repeat: 1..3, steps: [{emit: message.received}, {wait: 10ms..50ms}, {emit: message.sent}]}
    - {emit: conversation.ended, expect: {status: [200]}}
  single: [{emit: session.started}]
run:
  - {flow: story, arrivals: {rate: 60/s, for: 1s, process: poisson}}
  - {flow: single, arrivals: {times: 22, concurrency: 6}}
faults: {duplicate: 5%, drop: 2%}
thresholds: ["success >= 97%", "rate >= 1/s"]
"""
SMALL = """
scenario: small
endpoints: {hook: {url: "http://127.0.0.1:9/"}}
flows: {one: [{emit: message.received}]}
run: [{flow: one, arrivals: {times: 12, concurrency: 4}}]
"""
EVENTS = "SELECT event_id, type, sequence, flow, instance, step FROM event ORDER BY event_id"
DELIVERIES = """SELECT delivery_id, copy, p.name, a.type, a.number, o.name, status, last, verdict, "trigger" FROM attempt a
    JOIN outcome o ON o.code = a.outcome JOIN endpoint p ON p.run = a.run AND p.number = a.endpoint
    ORDER BY delivery_id, copy, a.number"""


def moment(seconds):
    """A start that far ahead, in whole seconds."""
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def scenario(path, text=SMALL):
    path = path / "scenario.yaml"
    path.write_text(text)
    return path


def start(path, *args, env=None):
    return kit.start("run", path, "--quiet", *args, env=env)


def ended(process, codes=(0,)):
    out, err = process.communicate(timeout=60)
    assert process.returncode in codes, (process.returncode, out.decode(), err.decode())
    return out.decode()


class Whole:
    """The same plan as one run and as four, all begun at one moment, each to a sink that keeps receipts."""

    def __init__(self, path):
        self.path = path
        secret = kit.secret_file(path)
        file = scenario(path, SCENARIO)
        with kit.sink("--receipts", path / "one-receipts.db", "--secret-file", secret) as one, \
                kit.sink("--receipts", path / "all-receipts.db", "--secret-file", secret) as all_:
            at = moment(5)
            self.start = int(datetime.datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp())
            common = ("--seed", SEED, "--secret-file", secret, "--start-at", at)
            runs = [start(file, "--to", one.url, "--log", path / "one.db", "--workers", 3, *common)]
            runs += [start(file, "--to", all_.url, "--shard", f"{i}/{SHARDS}", "--log", path / f"{i}.db", "--workers", 1 + i % 2,
                           "--format", "shard", *common) for i in range(1, SHARDS + 1)]
            self.lines = [ended(run) for run in runs][1:]
        self.logs = [path / f"{i}.db" for i in range(1, SHARDS + 1)]
        self.merged = emit8("merge", *self.logs, "-o", path / "all.db", "--format", "json")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return Whole(tmp_path_factory.mktemp("whole"))


def counts(report):
    """What a run is, without what was measured."""
    kept = {k: report[k] for k in ("verdict", "reason", "totals", "status", "outcomes")}
    kept["expectations"] = [{k: v for k, v in e.items() if k not in ("why", "delivery_id")} for e in report["expectations"]]
    kept["thresholds"] = [(t["rule"], t["pass"]) for t in report["thresholds"]]
    for part in ("endpoints", "types"):
        kept[part] = {p["name"]: (p["totals"], p["response_time_ms"]["count"]) for p in report[part]}
    for part in ("response_time_ms", "service_time_ms", "send_lag_ms"):
        kept[part] = report[part]["count"]
    return kept


def test_merged_shards_are_the_single_run(whole):
    assert whole.merged.returncode == 0, whole.merged.err
    one, all_ = whole.path / "one.db", whole.path / "all.db"
    assert rows(one, EVENTS) == rows(all_, EVENTS)
    assert rows(one, DELIVERIES) == rows(all_, DELIVERIES)
    report = json.loads(whole.merged.out)
    assert counts(kit.report(one)) == counts(report)
    assert report["rate_per_s"] > 0 and not any(" after shard " in w for w in report["warnings"])
    assert len(rows(all_, EVENTS)) > 200


def test_their_bodies_are_those_of_the_single_run(whole):
    """Of what an open loop sends, also the times in the body are the plan's."""
    query = "SELECT delivery_id, attempt, body_sha256, verdict FROM receipt WHERE type != 'session.started' ORDER BY 1, 2, 3"
    one, all_ = (rows(whole.path / f"{name}-receipts.db", query) for name in ("one", "all"))
    assert one == all_ and len(one) > 200


def test_the_shards_are_disjoint(whole):
    seen = collections.Counter(row for log in whole.logs for row in rows(log, EVENTS))
    assert set(seen.values()) == {1}
    assert all(rows(log, EVENTS) for log in whole.logs)
    flows = rows(whole.path / "all.db", "SELECT DISTINCT flow FROM event")
    assert len(flows) == 2
    for i, log in enumerate(whole.logs):
        assert {n % SHARDS for (n,) in rows(log, "SELECT instance FROM event")} == {i}


def test_the_merged_log_has_all_rows_and_adds_up(whole):
    report = json.loads(whole.merged.out)
    assert kit.report(whole.path / "all.db") == report
    parts = [row for log in whole.logs for row in rows(log, 'SELECT due, sent, done, bytes_sent, delivery_id, copy FROM attempt')]
    assert sorted(parts) == sorted(rows(whole.path / "all.db", "SELECT due, sent, done, bytes_sent, delivery_id, copy FROM attempt"))
    done = [d for (d,) in rows(whole.path / "all.db", "SELECT done FROM attempt ORDER BY id")]
    assert done == sorted(done)
    took = sorted(done - due for due, _, done, *_ in parts)
    times = report["response_time_ms"]
    assert (times["count"], times["min"], times["max"]) == (len(took), took[0] / 1e6, took[-1] / 1e6)
    assert times["mean"] == pytest.approx(sum(took) / len(took) / 1e6, abs=1e-6)
    run = rows(whole.path / "all.db", "SELECT shard, shards, workers, planned, ended > started, interrupted FROM run")
    planned = sum(rows(log, "SELECT planned FROM run")[0][0] for log in whole.logs)
    assert run == [(0, SHARDS, sum(1 + i % 2 for i in range(1, SHARDS + 1)), planned, 1, 0)]
    assert report["run"]["shard"] == {"number": None, "count": SHARDS}
    connections = [json.loads(rows(log, "SELECT notes FROM run")[0][0])["connections"] for log in whole.logs]
    assert json.loads(rows(whole.path / "all.db", "SELECT notes FROM run")[0][0])["connections"] == sum(connections)


def test_deliveries_of_the_merged_log_can_be_shown(whole):
    """Events are numbered anew: each attempt still finds its own."""
    log = whole.path / "all.db"
    assert rows(log, "SELECT count(*) FROM attempt a LEFT JOIN event e ON e.id = a.event WHERE e.id IS NULL")[0][0] == 0
    (delivery,) = rows(log, "SELECT delivery_id FROM attempt ORDER BY id DESC LIMIT 1")[0]
    done = emit8("log", log, "--show", delivery, "--secret-file", kit.secret_file(whole.path))
    assert done.returncode == 0 and delivery in done.out, done.err


def test_results_on_stdin_are_merged_as_exactly_as_logs(whole):
    """Two ways: from the rows, and from encoded histograms. Neither is right to within a bucket alone."""
    logs = json.loads(whole.merged.out)
    noise = "emit8: begins at …\n\n{\"emit8\": 1}\n"
    text = noise + "".join(f"[pod/emit8-{i}/emit8] 2026-03-01T12:00:00Z {line}" for i, line in enumerate(reversed(whole.lines)))
    done = emit8("merge", "-", "--format", "json", stdin=text.encode())
    assert done.returncode == 0, done.err
    assert "2 lines of stdin told no shard" in done.err
    lines = json.loads(done.out)
    # Over time, slices of a line begin where its own machine's clock had them: what they add up to is the same.
    totals = []
    for of in (logs, lines):
        of["run"].pop("id"), of["run"].pop("command"), of.pop("retry_feedback")
        series = of.pop("series")
        totals.append([sum(series[key]) for key in ("begun", "ended", "attempts", "failed")])
    assert lines == logs
    assert totals[0] == totals[1] and totals[0][0] == logs["totals"]["planned"] - logs["totals"]["withheld"]


def test_the_result_from_the_log_is_that_of_the_run(whole):
    for log, line in zip(whole.logs, whole.lines):
        assert emit8("report", log, "--format", "shard").out == line
    assert emit8("report", whole.path / "one.db", "--format", "shard").returncode == 2


def test_the_page_of_the_merged_run_is_that_of_its_log(whole, tmp_path):
    done = emit8("merge", *whole.logs, "-o", tmp_path / "all.db", "--report-html", tmp_path / "page.html")
    assert done.returncode == 0, done.err
    assert '"over":{"width_s":' in (tmp_path / "page.html").read_text()
    assert emit8("report", tmp_path / "all.db", "--format", "html").out == (tmp_path / "page.html").read_text()


def test_thresholds_are_judged_once(whole, tmp_path):
    text = "".join(whole.lines).encode()
    for rule, code in (("rate >= 100000/s", 1), ("success >= 50%", 0), ("p(50) < 1ns", 1)):
        done = emit8("merge", "-", "--threshold", rule, stdin=text)
        assert done.returncode == code and rule in done.out, done.out
        log = tmp_path / f"{code}-{len(rule)}.db"
        done = emit8("merge", *whole.logs, "-o", log, "--threshold", rule, "--report-junit", tmp_path / "junit.xml")
        assert done.returncode == code
        assert emit8("report", log).returncode == code, "the merged log has them"
        assert "testcase" in (tmp_path / "junit.xml").read_text()
    shard = kit.report(whole.logs[0])
    assert shard["thresholds"] == [] and any("left to emit8 merge" in w for w in shard["warnings"])
    assert shard["run"]["shard"] == {"number": 1, "count": SHARDS}


# ---- the plan ----


def plan(file, *args):
    done = emit8("run", file, "--seed", SEED, "--clock", CLOCK, "--plan", "ndjson", *args)
    assert done.returncode == 0, done.err
    return [line for line in done.out.splitlines() if '"kind":"plan"' not in line]


@pytest.mark.parametrize("count", [1, 3, 7])
def test_the_plans_of_the_shards_are_the_plan(tmp_path, count):
    file = scenario(tmp_path, SCENARIO)
    parts = [plan(file, "--shard", f"{i}/{count}", "--quiet") for i in range(1, count + 1)]
    assert sorted(sum(parts, [])) == sorted(plan(file))


def test_a_shard_without_a_part_passes(tmp_path):
    file = scenario(tmp_path, SMALL.replace("times: 12, concurrency: 4", "times: 2, concurrency: 2"))
    lines = ""
    for i in (1, 2, 3):
        done = emit8("run", file, "--sink", "--seed", 1, "--shard", f"{i}/3", "--clock", CLOCK, "--no-log", "--format", "shard")
        assert done.returncode == 0, done.err
        assert "2 at a time at most: 1 of 3 shards take no part in it" in done.err
        lines += done.out
    done = emit8("run", file, "--sink", "--seed", 1, "--shard", "3/3", "--clock", CLOCK, "--no-log", "--dry-run")
    assert "shard 3 of 3: 0 events in 0 deliveries" in done.out
    done = emit8("merge", "-", "--format", "json", stdin=lines.encode())
    assert done.returncode == 0, done.err
    assert json.loads(done.out)["totals"]["delivered"] == 2


# ---- which shard ----

SLURM = {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_STEP": "2", "SLURM_ARRAY_TASK_COUNT": "4"}
GIVEN = {
    "option": (("--shard", "2/4"), {}, "2 of 4"),
    "variable": ((), {"EMIT8_SHARD": "2/4"}, "2 of 4"),
    "option beats variables": (("--shard", "2/4"), {"EMIT8_SHARD": "1/3", "EMIT8_SHARDS": "9", "JOB_COMPLETION_INDEX": "0"}, "2 of 4"),
    "both agree": (("--shards", "4"), {"EMIT8_SHARD": "2/4"}, "2 of 4"),
    "Kubernetes": (("--shards", "4"), {"JOB_COMPLETION_INDEX": "3"}, "4 of 4"),
    "Kubernetes, by variable": ((), {"EMIT8_SHARDS": "4", "JOB_COMPLETION_INDEX": "0"}, "1 of 4"),
    "Kubernetes before Slurm": (("--shards", "4"), {"JOB_COMPLETION_INDEX": "0", **SLURM}, "1 of 4"),
    "Slurm": (("--shards", "4"), SLURM, "3 of 4"),
    "Slurm from 0": (("--shards", "2"), {"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_MIN": "0"}, "2 of 2"),
    "nobody by accident": ((), {"JOB_COMPLETION_INDEX": "1", **SLURM}, None),
}


@pytest.mark.parametrize("name", GIVEN)
def test_which_shard_it_is(tmp_path, name):
    args, env, expected = GIVEN[name]
    done = emit8("run", scenario(tmp_path), "--seed", 1, "--dry-run", "--limit", 1, *args, env=env)
    assert done.returncode == 0, done.err
    told = re.search(r"shard (\d+ of \d+):", done.out)
    assert (told and told[1]) == expected


SEEDED = ("--seed", "1", "--clock", CLOCK)
REFUSED = {
    "from 0": (("--shard", "0/4", *SEEDED), {}, "counted from 1"),
    "too high": (("--shard", "5/4", *SEEDED), {}, "there is no shard 5 of 4"),
    "no count": (("--shard", "1", *SEEDED), {}, "2/4"),
    "no number": (("--shard", "a/b", *SEEDED), {}, "is no shard"),
    "negative": (("--shard", "-1/4", *SEEDED), {}, "is no shard"),
    "too many": (("--shard", "1/10001", *SEEDED), {}, "from 1 to 10000"),
    "in the environment": (SEEDED, {"EMIT8_SHARD": "4/3"}, "there is no shard 4 of 3"),
    "contradiction": (("--shard", "1/4", "--shards", "3", *SEEDED), {}, "leave one of them out"),
    "nobody says which": (("--shards", "4", *SEEDED), {}, "neither JOB_COMPLETION_INDEX nor SLURM_ARRAY_TASK_ID is set"),
    "more jobs than shards": (("--shards", "4", *SEEDED), {"JOB_COMPLETION_INDEX": "4"}, "this is job 5, but there are 4 shards"),
    "no index": (("--shards", "4", *SEEDED), {"JOB_COMPLETION_INDEX": "x"}, 'JOB_COMPLETION_INDEX="x" is no number'),
    "more tasks than shards": (("--shards", "3", *SEEDED), SLURM, "SLURM_ARRAY_TASK_COUNT is 4"),
    "an array with gaps": (("--shards", "4", *SEEDED), {**SLURM, "SLURM_ARRAY_TASK_ID": "4"}, "does not tell which shard"),
    "a task without its first": (("--shards", "4", *SEEDED), {"SLURM_ARRAY_TASK_ID": "4"}, "does not tell which shard"),
    "no seed": (("--shard", "1/4", "--clock", CLOCK), {}, "--seed 42, the same for all"),
    "no start": (("--shard", "1/4", "--seed", "1"), {}, "--start-at TIME"),
    "a start of its own": (("--shard", "1/4", "--seed", "1", "--start-at", "+30s"), {}, "another moment for each shard"),
    "no time": (("--start-at", "soon"), {}, "+30s"),
    "no time ahead": (("--start-at", "30s"), {}, "+30s"),
    "too late": (("--start-at", "2026-01-01T00:00:00Z"), {}, "has passed"),
    "resumed": (("--shard", "1/4", "--resume", *SEEDED), {}, "--resume goes with neither"),
    "no shard's result": (("--format", "shard"), {}, "for a shard's result"),
    "no shard's file": (("--report-shard", "x.json"), {}, "for a shard's result"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_shard_or_no_start_is_refused(tmp_path, name):
    args, env, hint = REFUSED[name]
    file = scenario(tmp_path)
    done = emit8("run", file, "--sink", "--no-log", *args, env=env, cwd=tmp_path)
    assert done.returncode == 2 and hint in done.err, done.err
    assert os.listdir(tmp_path) == ["scenario.yaml"]


def test_a_rotation_cannot_be_divided():
    done = emit8("run", "secret-rotation", "--sink", "--no-log", "--shard", "1/2", *SEEDED)
    assert done.returncode == 2 and "rotates the secrets" in done.err


# ---- the start ----


def test_waiting_for_the_start_can_be_interrupted(tmp_path):
    with kit.Capture() as capture:
        run = kit.start("run", scenario(tmp_path), "--to", capture.url, "--start-at", "+1h", "--log", tmp_path / "log.db")
        said = run.stderr.readline().decode()
        assert re.search(r"begins at \d{4}-\S+Z, in 1h", said), said
        run.send_signal(signal.SIGTERM)
        out, err = run.communicate(timeout=30)
        assert run.returncode == 143 and out == b""
        assert b"nothing was sent" in err
        assert capture.requests == []
    assert rows(tmp_path / "log.db", "SELECT count(*) FROM run") == [(0,)]


def test_all_begin_at_the_moment(whole):
    for log in (whole.path / "one.db", *whole.logs, whole.path / "all.db"):
        (started, first) = rows(log, "SELECT started, (SELECT min(sent) FROM attempt) FROM run")[0]
        assert started == whole.start * 10**9
        assert started <= first < started + 5e9


def test_a_terminal_that_is_resized_does_not_end_the_waiting(tmp_path):
    terminal = kit.Terminal("run", scenario(tmp_path), "--sink", "--no-log", "--start-at", "+1h")
    kit.until(lambda: b"begins at" in terminal.written)
    shown = len(terminal.written)
    fcntl.ioctl(terminal.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 100, 0, 0))
    kit.until(lambda: len(terminal.written) > shown)  # it counts the seconds
    assert terminal.process.poll() is None
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.process.wait(timeout=30) == 130


def test_q_ends_the_waiting_and_other_keys_change_nothing(tmp_path):
    args = ("load", "--no-log", "-n", "20", "--rate", "20/s", "--start-at")
    with kit.Capture() as capture:
        terminal = kit.Terminal(*args, "+1h", "--to", capture.url)
        kit.until(lambda: b"(q stops)" in terminal.written)
        terminal.type(b"q")
        assert terminal.wait() == 130 and b"nothing was sent" in terminal.written
        assert terminal.after == terminal.before and capture.requests == []
        terminal = kit.Terminal(*args, "+3s", "--to", capture.url)
        kit.until(lambda: b"(q stops)" in terminal.written)
        terminal.type(b"+++- ")
        assert terminal.wait() == 0 and len(capture.requests) == 20
        assert b"by hand" not in terminal.written and terminal.after == terminal.before


# ---- merging what does not fit ----


class Parts:
    """Logs of three shards of a small plan, and some that are not of it."""

    def __init__(self, path):
        self.path = path
        self.file = scenario(path)
        other = path / "other.yaml"
        other.write_text(SMALL.replace("times: 12", "times: 13"))
        variable = path / "variable.yaml"
        variable.write_text(SMALL.replace("times: 12", 'times: "${TIMES:-12}"'))
        self.make("1", "1/3"), self.make("2", "2/3"), self.make("3", "3/3")
        self.make("seed", "3/3", seed=2)
        self.make("clock", "3/3", clock="2026-03-01T12:00:01Z")
        self.make("count", "3/4")
        self.make("speed", "3/3", "--speed", "2x")
        self.make("rules", "3/3", "--threshold", "failed == 0")
        self.make("policy", "3/3", "--timeout", "3s")
        self.make("scenario", "3/3", file=other)
        self.make("variable-1", "1/3", file=variable), self.make("variable-2", "2/3", file=variable)
        self.make("variable-3", "3/3", file=variable, env={"TIMES": "15"})
        self.make("whole", None)

    def make(self, name, shard, *args, seed=1, clock=CLOCK, file=None, env=None):
        part = ("--shard", shard) if shard else ()
        done = emit8("run", file or self.file, "--sink", "--seed", seed, "--clock", clock, "--log", self.path / f"{name}.db", "--quiet",
                     *part, *args, *(("--format", "shard") if shard else ()), env=env)
        assert done.returncode == 0, done.err
        (self.path / f"{name}.json").write_text(done.out)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    return Parts(tmp_path_factory.mktemp("parts"))


MISFITS = {
    "missing": (("1", "3"), "shard 2/3 is missing"),
    "two missing": (("2",), "shards 1/3, 3/3 are missing"),
    "doubled": (("1", "2", "3", "2"), "shard 2/3 comes twice: from {2} and from {2}"),
    "seed": (("1", "2", "seed"), "{seed}: shard 3/3 is not of the run of {1}: its seed is 2, not 1"),
    "clock": (("1", "2", "clock"), "{clock}: shard 3/3 is not of the run of {1}: it began at 2026-03-01T12:00:01"),
    "count": (("1", "2", "count"), "{count} is shard 3/4, but {1} is shard 1/3"),
    "speed": (("1", "2", "speed"), "{speed}: shard 3/3 is not of the run of {1}: it had another --speed"),
    "rules": (("1", "2", "rules"), "{rules}: shard 3/3 is not of the run of {1}: it had other thresholds"),
    "policy": (("1", "2", "policy"), "{policy}: shard 3/3 is not of the run of {1}: its --timeout of endpoint hook is 3 s, not 5 s"),
    "scenario": (("1", "2", "scenario"), "{scenario}: shard 3/3 is not of the run of {1}: it ran another scenario"),
    "variable": (("variable-1", "variable-2", "variable-3"),
                 "{variable-3}: shard 3/3 is not of the run of {variable-1}: other variables or options"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit_is_named(parts, tmp_path, name):
    words, message = MISFITS[name]
    before = kit.tree(parts.path)
    logs = {word: str(parts.path / f"{word}.db") for word in words}
    done = emit8("merge", *(logs[word] for word in words), "-o", tmp_path / "all.db")
    told = re.sub(r"\{([\w-]+)\}", lambda m: logs[m[1]], message)
    assert done.returncode == 2 and done.out == "", done.err
    assert told in done.err
    assert os.listdir(tmp_path) == []
    assert {k: v for k, v in kit.tree(parts.path).items() if k in before and k.endswith((".db", ".json"))} == \
        {k: v for k, v in before.items() if k.endswith((".db", ".json"))}
    lines = "".join((parts.path / f"{word}.json").read_text() for word in words)
    done = emit8("merge", "-", stdin=lines.encode())
    numbers = {word: f"line {i + 1} of stdin" for i, word in enumerate(words)}
    told = re.sub(r"\{([\w-]+)\}", lambda m: numbers[m[1]], message)
    if name == "doubled":
        told = "shard 2/3 comes twice: from line 2 of stdin and from line 4 of stdin"
    assert done.returncode == 2 and told in done.err, done.err


def test_given_thresholds_stand_for_those_that_differ(parts, tmp_path):
    logs = [parts.path / f"{name}.db" for name in ("1", "2", "rules")]
    done = emit8("merge", *logs, "-o", tmp_path / "all.db", "--threshold", "failed == 0")
    assert done.returncode == 0, done.err
    assert json.loads(rows(tmp_path / "all.db", "SELECT thresholds FROM run")[0][0]) == ["failed == 0"]


LOGS = ("1.db", "2.db", "3.db")
USAGE = {
    "nothing": ((), "no log is given"),
    "no output": (LOGS, "-o ALL.db"),
    "no run of a shard": (("1.db", "2.db", "whole.db", "-o", "all.db"), "whole.db: the log holds no run of a shard"),
    "a run that is none": (("1.db", "2.db", "whole.db", "--run", "whole.db=1", "-o", "all.db"), "run 1 is no shard"),
    "no such run": ((*LOGS, "--run", "2.db=7", "-o", "all.db"), "2.db: the log holds no run 7"),
    "a run of another": ((*LOGS, "--run", "x.db=1", "-o", "all.db"), '"x.db" is not merged'),
    "no number": ((*LOGS, "--run", "two", "-o", "all.db"), "--run 3 for all"),
    "no file": (("1.db", "2.db", "4.db", "-o", "all.db"), "4.db: there is no delivery log"),
    "no log": (("1.db", "2.db", "scenario.yaml", "-o", "all.db"), "is not a delivery log"),
    "a result for a log": (("1.db", "2.db", "3.json", "-o", "all.db"), "is not a delivery log"),
    "one of them": ((*LOGS, "-o", "2.db", "--force"), "--output 2.db would be written over 2.db, which is read"),
    "there already": ((*LOGS, "-o", "whole.db"), "add --force"),
    "a directory": ((*LOGS, "-o", "."), "not a regular file"),
    "stdin and a log": (("-", "1.db", "-o", "all.db"), "either logs or stdin"),
    "rows of stdin": (("-", "-o", "all.db"), "hold no rows"),
    "a threshold": ((*LOGS, "-o", "all.db", "--threshold", "p(101) < 1s"), "is no percentile"),
    "another's threshold": ((*LOGS, "-o", "all.db", "--threshold", "p(99){endpoint=x} < 1s"), 'no endpoint "x"'),
    "a format": ((*LOGS, "-o", "all.db", "--format", "shard"), "for a shard's result"),
    "a format that is none": ((*LOGS, "-o", "all.db", "--format", "xml"), "unknown format"),
    "a report over a shard": ((*LOGS, "-o", "all.db", "--report-json", "2.db"), "--report-json 2.db would be written over 2.db"),
    "a shard is missing": ((*LOGS[:-1], "-o", "all.db", "--report-json", "new.json"), "is missing"),
}


@pytest.mark.parametrize("name", USAGE)
def test_bad_usage_leaves_nothing_behind(parts, name):
    args, hint = USAGE[name]
    before = set(os.listdir(parts.path))
    whole = (parts.path / "whole.db").read_bytes()
    done = emit8("merge", *args, cwd=parts.path, stdin=b"")
    assert done.returncode == 2 and hint in done.err and done.out == "", done.err
    assert {n for n in os.listdir(parts.path) if not n.endswith(("-wal", "-shm"))} <= before
    assert (parts.path / "whole.db").read_bytes() == whole


def test_a_full_disk_leaves_nothing_behind(whole, tmp_path):
    def full():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100 << 10, 100 << 10))

    done = emit8("merge", *whole.logs, "-o", tmp_path / "all.db", preexec_fn=full)
    assert done.returncode == 3 and "cannot be written" in done.err, done.err
    assert os.listdir(tmp_path) == []


def test_a_log_is_replaced_with_force(parts, tmp_path):
    out = tmp_path / "all.db"
    logs = [parts.path / name for name in LOGS]
    assert emit8("merge", *logs, "-o", out).returncode == 0
    out.with_name("all.db-wal").write_bytes(b"of the log that was there")
    assert emit8("merge", *logs, "-o", out).returncode == 2
    assert emit8("merge", *logs, "-o", out, "--force").returncode == 0
    assert rows(out, "SELECT count(*) FROM run") == [(1,)]
    assert rows(out, "SELECT count(*) FROM event") == [(12,)]


def test_one_log_may_hold_other_runs_as_well(parts, tmp_path):
    """The newest shard is meant, or the run that is named."""
    log = tmp_path / "2.db"
    shutil.copy(parts.path / "2.db", log)
    assert emit8("run", parts.file, "--sink", "--log", log, "--quiet").returncode == 0
    others = (parts.path / "1.db", parts.path / "3.db")
    assert emit8("merge", *others, log, "-o", tmp_path / "a.db").returncode == 0
    assert emit8("run", parts.file, "--sink", "--log", log, "--quiet", "--shard", "2/3", "--seed", 5, "--clock", CLOCK).returncode == 0
    assert emit8("merge", *others, log, "-o", tmp_path / "b.db").returncode == 2
    assert emit8("merge", *others, log, "--run", f"{log}=1", "-o", tmp_path / "b.db").returncode == 0
    assert emit8("merge", *others, log, "--run", 1, "-o", tmp_path / "c.db").returncode == 0


def test_a_shard_without_an_end_is_refused(parts, tmp_path):
    with kit.Capture(lambda request: 200) as capture:
        file = tmp_path / "long.yaml"
        file.write_text(SMALL.replace("times: 12, concurrency: 4", "rate: 5/s, for: 1h"))
        log = tmp_path / "killed.db"
        run = start(file, "--to", capture.url, "--shard", "1/1", "--seed", 1, "--clock", CLOCK, "--log", log)
        capture.wait(1)
        kit.until(lambda: kit.count(log) > 0)
        run.kill()
        run.communicate(timeout=30)
    done = emit8("merge", log, "-o", tmp_path / "all.db")
    assert done.returncode == 2 and f"{log}: shard 1/1 has no end" in done.err
    done = emit8("run", file, "--to", capture.url, "--resume", "--log", log)
    assert done.returncode == 2 and "part of a divided run" in done.err
    assert not (tmp_path / "all.db").exists()


def changed(line, change):
    told = json.loads(line)
    change(told)
    return json.dumps(told, separators=(",", ":"))


DAMAGE = {
    "cut short": lambda line: line[: len(line) // 2],
    "another version": lambda line: line.replace('{"emit8_shard":1,', '{"emit8_shard":2,', 1),
    "no count": lambda line: changed(line, lambda told: told.pop("count")),
    "beyond the count": lambda line: changed(line, lambda told: told.update(number=4)),
    "no run": lambda line: changed(line, lambda told: told.pop("run")),
    "no seed": lambda line: changed(line, lambda told: told["run"].update(seed="x")),
    "no statistics": lambda line: changed(line, lambda told: told.pop("stats")),
    "another histogram": lambda line: changed(line, lambda told: told["stats"]["all"]["response"].update(exact="0 0 0 0 0")),
    "no histogram": lambda line: changed(line, lambda told: told["stats"]["all"]["response"].update(hdr="AAAA")),
    "negative counts": lambda line: changed(line, lambda told: told["stats"]["all"]["n"].__setitem__(0, -1)),
    "too few counts": lambda line: changed(line, lambda told: told["stats"]["all"]["n"].pop()),
    "too few endpoints": lambda line: changed(line, lambda told: told["endpoints"].pop()),
    "no text": lambda line: changed(line, lambda told: told["types"].__setitem__(0, 1)),
    "two of them": lambda line: line + line,
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_result_is_refused(parts, name):
    lines = [(parts.path / f"{i}.json").read_text().strip() for i in (1, 2, 3)]
    lines[1] = DAMAGE[name](lines[1])
    assert lines[1] != (parts.path / "2.json").read_text().strip()
    done = emit8("merge", "-", stdin="\n".join(["noise", *lines]).encode())
    assert done.returncode == 2 and "line 3 of stdin: the shard's result is damaged" in done.err, done.err


def test_noise_alone_is_refused():
    done = emit8("merge", "-", stdin=b"error: no resources found\nfoo\n")
    assert done.returncode == 2 and "stdin holds no shard's result (2 other lines)" in done.err


# ---- engines that run it ----


@pytest.fixture
def namespaces():
    """Network namespaces, each with nothing but a loopback of its own; None where the machine does not allow them."""
    ip, made = shutil.which("ip"), []
    try:
        for name in [f"e8-{os.getpid()}-{i}" for i in range(1, SHARDS + 1)] if ip and os.geteuid() == 0 else []:
            for command in (["netns", "add", name], ["-n", name, "link", "set", "lo", "up"]):
                if subprocess.run([ip, *command], capture_output=True, timeout=30).returncode:
                    break
                made.append(name)
        yield f"ip netns exec e8-{os.getpid()}-" if len(made) == 2 * SHARDS else None
    finally:
        for name in dict.fromkeys(made):
            subprocess.run([ip, "netns", "del", name], capture_output=True, timeout=30)


def test_parallel_runs_the_shards(tmp_path, namespaces):
    """As README.md of scenarios/cluster has it, but on this machine: each shard in a network of its own, where that is allowed."""
    if not shutil.which("parallel"):
        pytest.skip("GNU parallel is not installed")
    file = scenario(tmp_path, SCENARIO)
    for ahead in (4, 20):  # a busy machine takes its time to start them all; who is late says so, and sends nothing
        line = f"{namespaces + '{}' if namespaces else ''} {kit.EMIT8} run {file} --sink --seed {SEED} --shard {{}}/{SHARDS} " \
               f"--start-at {moment(ahead)} --log {tmp_path}/shard-{{}}.db --quiet"
        done = subprocess.run(
            ["parallel", "--will-cite", "--jobs", str(SHARDS), "--tag", line, ":::", *map(str, range(1, SHARDS + 1))],
            capture_output=True, timeout=120, env=kit.environment(HOME=str(tmp_path)), stdin=subprocess.DEVNULL)
        if b"has passed" not in done.stderr:
            break
        for log in tmp_path.glob("shard-*.db*"):
            log.unlink()
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    logs = [tmp_path / f"shard-{i}.db" for i in range(1, SHARDS + 1)]
    merged = emit8("merge", *logs, "-o", tmp_path / "all.db", "--format", "json")
    assert merged.returncode == 0, merged.err
    planned = [d for d in map(json.loads, plan(file)) if d["kind"] == "delivery"]
    sent = [d["deliver"] if "deliver" in d else {} for d in planned]
    wanted = sum(0 if d.get("drop") else 1 + d.get("duplicate", 0) for d in sent)
    assert json.loads(merged.out)["totals"]["attempts"] == wanted
    assert len(rows(tmp_path / "all.db", "SELECT DISTINCT event_id FROM event")) == len({d["event_id"] for d in planned})


def manifest():
    return {d["kind"]: d for d in yaml.safe_load_all((CLUSTER / "job.yaml").read_text())}


def test_the_manifest_is_an_indexed_job():
    docs = manifest()
    job = docs["Job"]["spec"]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    script = container["args"][0]
    env = {e["name"]: e["valueFrom"] for e in container["env"]}
    assert docs["Job"]["apiVersion"] == "batch/v1"
    assert (job["completionMode"], pod["restartPolicy"], job["backoffLimit"]) == ("Indexed", "Never", 0)
    assert job["completions"] == job["parallelism"] == int(re.search(r"--shards (\d+)", script)[1])
    assert re.search(r"--seed \d+", script) and "--format shard" in script
    start_at = env["EMIT8_START_AT"]["configMapKeyRef"]
    assert f"kubectl create configmap {start_at['name']} --from-literal={start_at['key']}=" in (CLUSTER / "README.md").read_text()
    secret = env["EMIT8_SECRET"]["secretKeyRef"]
    assert secret["name"] == docs["Secret"]["metadata"]["name"] and secret["key"] in docs["Secret"]["stringData"]
    (volume,), (mount,) = pod["volumes"], container["volumeMounts"]
    assert volume["name"] == mount["name"] and volume["configMap"]["name"] == docs["ConfigMap"]["metadata"]["name"]
    (file,) = docs["ConfigMap"]["data"]
    assert f"{mount['mountPath']}/{file}" in script
    labels = job["template"]["metadata"]["labels"]
    assert pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"].items() <= labels.items()
    assert f"job-name={docs['Job']['metadata']['name']}" in (CLUSTER / "README.md").read_text()


def test_the_pods_of_the_manifest_make_one_run(tmp_path):
    """What the Job's pods would do, as processes: the manifest's own command, scenario, secret and variables."""
    docs = manifest()
    (container,) = docs["Job"]["spec"]["template"]["spec"]["containers"]
    (file,) = docs["ConfigMap"]["data"]
    (tmp_path / file).write_text(docs["ConfigMap"]["data"][file])
    done = emit8("validate", tmp_path / file)
    assert done.returncode == 0, done.err
    script = container["args"][0].replace(container["volumeMounts"][0]["mountPath"] + "/", f"{tmp_path}/")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/emit8").symlink_to(kit.EMIT8)
    secret = docs["Secret"]["stringData"]["secret"]
    with kit.sink("--secret-file", kit.secret_file(tmp_path, secret)) as sink:
        pods, at = [], moment(4)
        for index in range(docs["Job"]["spec"]["completions"]):
            env = kit.environment(EMIT8_START_AT=at, EMIT8_SECRET=secret, JOB_COMPLETION_INDEX=str(index), HOOKS_URL=sink.url,
                                  RATE="100/s", LENGTH="1s", HOME="/nonexistent", PATH=f"{tmp_path}/bin:{os.environ['PATH']}")
            pods.append(subprocess.Popen([*container["command"], script], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         stderr=subprocess.STDOUT, cwd="/"))
        output = b"".join(pod.communicate(timeout=60)[0] for pod in pods)
    assert [pod.returncode for pod in pods] == [0] * len(pods), output
    done = emit8("merge", "-", "--format", "json", stdin=output)
    assert done.returncode in (0, 1), done.err  # p(99) is measured
    report = json.loads(done.out)
    assert report["totals"]["delivered"] == report["totals"]["planned"] > 300, report
    assert "told no shard" in done.err  # what the pods said on stderr


@pytest.mark.parametrize("how", [("--rate", "60/s", "-z", "1s", "--process", "poisson"), ("-c", "6", "-n", "40"),
                                 ("--rate", "60/s", "-z", "1s", "--warmup", "200ms")])
def test_a_load_is_divided_as_a_scenario_is(tmp_path, how):
    """One phase, of flags alone; a warm-up is divided as well, and counts nowhere."""
    with kit.Capture() as target:
        common = ("message.*", "conversation.*", "--to", target.url, "--seed", 4, "--clock", CLOCK, "--quiet", *how)
        one = emit8("load", *common, "--no-log", "--format", "json")
        logs = [tmp_path / f"{i}.db" for i in (1, 2, 3)]
        for i, log in enumerate(logs):
            done = emit8("load", *common, "--shard", f"{i + 1}/3", "--log", log)
            assert done.returncode in (0, 4), done.err  # alone it may be too short to be judged
        merged = emit8("merge", *logs, "-o", tmp_path / "all.db", "--format", "json")
        assert merged.returncode in (0, 4), merged.err
    one, merged = json.loads(one.out), json.loads(merged.out)
    if "--rate" in how:
        assert merged["generator"]["planned_per_s"] == pytest.approx(one["generator"]["planned_per_s"], rel=1e-4)
    assert one["totals"] == merged["totals"] and merged["totals"]["delivered"] >= 40
    ids = [i for log in logs for (i,) in rows(log, "SELECT event_id FROM event")]
    assert len(ids) == len(set(ids)) == rows(tmp_path / "all.db", "SELECT count(*) FROM event")[0][0]
    done = emit8("load", "--to", target.url, "--shard", "1/3", "--clock", CLOCK, *how)
    assert done.returncode == 2 and "--seed 42, the same for all" in done.err


# ---- shards that did not do their part as planned ----


def load_shard(path, target, number, *args, rate="100/s", length="2s"):
    return ("load", "message.*", "--to", target.url, "--rate", rate, "-z", length, "--seed", 4, "--clock", CLOCK, "--shard", f"{number}/2",
            "--log", path / f"{number}.db", *args)


def merged(path, lines, *args):
    """By logs and by lines: the same."""
    by_logs = emit8("merge", path / "1.db", path / "2.db", "-o", path / "all.db", "--format", "json", *args)
    by_lines = emit8("merge", "-", "--format", "json", *args, stdin=lines.encode())
    logs, told = json.loads(by_logs.out), json.loads(by_lines.out)
    assert by_logs.returncode == by_lines.returncode
    assert logs["totals"] == told["totals"] and logs["warnings"] == told["warnings"]
    assert kit.report(path / "all.db") == logs
    return by_logs.returncode, logs


@pytest.mark.parametrize("sig, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_shard_interrupts_the_whole(tmp_path, sig, code):
    with kit.Capture() as target:
        first = kit.start(*load_shard(tmp_path, target, 1, "-q", "--format", "shard"))
        target.wait(10)
        first.send_signal(sig)
        line, _ = first.communicate(timeout=30)
        assert first.returncode == code
        second = emit8(*load_shard(tmp_path, target, 2, "-q", "--format", "shard"))
        assert second.returncode == 0, second.err
    ended, report = merged(tmp_path, line.decode() + second.out, "--threshold", "success >= 99.9%")
    assert ended == code and report["verdict"] == "pass" and report["reason"].startswith("interrupted; ")
    totals = report["totals"]
    assert totals["planned"] == 200 and totals["not_begun"] > 0
    assert sum(totals[k] for k in ("delivered", "failed", "dropped", "aborted", "withheld", "not_begun")) == 200
    assert f"shard 1/2 was interrupted: {totals['not_begun']} of its 100 deliveries were not begun" in report["warnings"]
    one = kit.report(tmp_path / "1.db")["totals"]
    assert (one["planned"], one["not_begun"]) == (100, totals["not_begun"])
    assert rows(tmp_path / "all.db", "SELECT count(*) FROM deliveries WHERE outcome = 'delivered'") == [(totals["delivered"],)]
    text = emit8("report", tmp_path / "all.db").out
    assert re.search(r"Deliveries +200 planned", text) and re.search(rf"not begun +{totals['not_begun']} ", text)


def test_a_shard_that_was_changed_by_hand_is_named(tmp_path):
    with kit.Capture() as target:
        args = load_shard(tmp_path, target, 1, "--report-shard", tmp_path / "1.line")
        with kit.Terminal(*args, env={"LANG": "C.UTF-8"}) as terminal:
            target.wait(5)
            terminal.type(b"+++")
            kit.until(lambda: "×1.33" in terminal.text)
            terminal.type(b" ")
            kit.until(lambda: "paused" in terminal.text)
            terminal.type(b" ")
            assert terminal.wait() == 0
        second = emit8(*load_shard(tmp_path, target, 2, "-q", "--format", "shard"))
        assert second.returncode == 0, second.err
    ended, report = merged(tmp_path, (tmp_path / "1.line").read_text() + second.out)
    assert ended == 0 and report["totals"]["delivered"] == 200
    hand = report["generator"]["by_hand"]
    assert hand["factor_least"] == 1 and hand["factor_most"] == pytest.approx(1.331) and 0 < hand["first_s"] < 2 and hand["paused_s"] > 0
    assert not report["generator"]["rate_judged"] and report["generator"]["planned_per_s"] == pytest.approx(100, rel=0.02)
    (named,) = [w for w in report["warnings"] if w.startswith("the rate of shard 1/2 was changed by hand: ×1 to ×1.33, first at ")]
    assert "; paused for " in named
    assert any(w.startswith("the rate was changed by hand: ×1 to ×1.33, first at ") and "is not judged" in w for w in report["warnings"])
    assert kit.report(tmp_path / "1.db")["generator"]["planned_per_s"] == pytest.approx(50, rel=0.02)


def test_what_cannot_be_merged_is_told_in_the_words_of_a_load(tmp_path):
    with kit.Capture() as target:
        lines = ""
        for number, rate in ((1, "20/s"), (2, "30/s")):
            done = emit8(*load_shard(tmp_path, target, number, "-q", "--format", "shard", rate=rate, length="200ms"))
            assert done.returncode == 0, done.err
            lines += done.out
        report = emit8("report", tmp_path / "1.db", "--format", "ndjson").out
    done = emit8("merge", "-", stdin=lines.encode())
    assert done.returncode == 2 and "its --rate is 30/s, not 20/s; give every shard the same --rate" in done.err
    done = emit8("merge", "-", stdin=(report * 2).encode())
    assert done.returncode == 2 and "stdin holds reports" in done.err and "run or load with --shard … --format shard prints" in done.err
    done = emit8("merge", "-", stdin=b"a\nb\n")
    assert done.returncode == 2 and "stdin holds no shard's result (2 other lines)" in done.err


# ---- what they were run with ----


class Alike:
    """A load of two shards, in closed loops that take no time; the first one, and whatever is asked for as the second."""

    def __init__(self, path):
        self.path = path
        self.secret = kit.secret_file(path)
        self.other = path / "other.txt"
        self.other.write_text("nobody would guess this one")
        self.target = kit.Capture()
        self.usual = ("--secret-file", self.secret, "-H", "X-Team: first")
        self.first = self.run(1, *self.usual)

    def run(self, number, *args, to=None):
        done = emit8("load", "--to", to or self.target.url, "--seed", 4, "--clock", CLOCK, "--shard", f"{number}/2", "-c", 2, "-n", 4,
                     "--no-log", "-q", "--format", "shard", *args)
        assert done.returncode == 0, done.err
        return done.out


@pytest.fixture(scope="module")
def alike(tmp_path_factory):
    alike = Alike(tmp_path_factory.mktemp("alike"))
    with alike.target:
        yield alike


UNLIKE = {
    "secret": (("--secret-file", "OTHER", "-H", "X-Team: first"), "its secret of endpoint target is another"),
    "not signed": (("-H", "X-Team: first"), "its --scheme of endpoint target is none (not signed), not 8bit"),
    "scheme": (("--scheme", "github"), "its --scheme of endpoint target is github, not 8bit"),
    "header": (("-H", "X-More: 1"), "its -H of endpoint target is X-Team X-More, not X-Team"),
    "header's value": (("--secret-file", "SECRET", "-H", "X-Team: second"), "its value of -H X-Team of endpoint target is another"),
    "http": (("--http", "1.1"), "its --http is 1.1, not auto"),
    "in flight": (("--in-flight", "7"), "its --in-flight is 7, not 10000"),
    "connecting": (("--connect-timeout", "900ms"), "its --connect-timeout is 900 ms, not none"),
    "retries": (("--retries", "2"), "its --retries of endpoint target is 2, not 0"),
    "types": (("message.sent",), "its list of types is message.sent, not *"),
    "environment": (("-e", "staging"), "it has --environment staging, which that has not"),
}


@pytest.mark.parametrize("name", UNLIKE)
def test_shards_that_were_not_run_alike_are_refused(alike, name):
    args, message = UNLIKE[name]
    files = {"OTHER": alike.other, "SECRET": alike.secret}
    args = [files.get(arg, arg) for arg in args] if name in ("secret", "not signed", "header's value") else [*alike.usual, *args]
    second = alike.run(2, *args)
    done = emit8("merge", "-", stdin=(alike.first + second).encode())
    assert done.returncode == 2 and message in done.err and "; give every shard the same " in done.err, done.err
    for text in (done.err, second):
        assert "nobody would" not in text and kit.SECRET not in text and "second" not in text.split('"notes"')[-1].split('"stats"')[0]
    sealed = json.loads(second)["notes"]["settings"]["sealed"]
    assert sealed and all(re.fullmatch("[0-9a-f]{2}", value) for value in sealed.values())


def test_what_may_differ_between_machines(alike, tmp_path):
    with kit.Capture() as elsewhere:
        second = alike.run(2, *alike.usual, "--workers", 1, "-k", "--spin", "1us", "--report-json", tmp_path / "x.json", to=elsewhere.url)
    done = emit8("merge", "-", stdin=(alike.first + second).encode())
    assert done.returncode == 0, done.err


def test_a_variable_that_differs_is_named(tmp_path):
    file = scenario(tmp_path, SMALL.replace("scenario: small", "scenario: small\nvars: {times: 12, more: 1}")
                    .replace("arrivals: {times: 12", 'arrivals: {times: "${times}"'))
    lines = ""
    for number, times in ((1, 12), (2, 14)):
        done = emit8("run", file, "--sink", "--seed", 1, "--shard", f"{number}/2", "--clock", CLOCK, "--no-log", "-q", "--format", "shard",
                     "--var", f"times={times}", "--var", "more=5")
        assert done.returncode == 0, done.err
        lines += done.out
    done = emit8("merge", "-", stdin=lines.encode())
    assert done.returncode == 2 and "its value of --var times is another; give every shard the same" in done.err, done.err


def test_shards_that_did_not_run_at_one_time_have_no_rate(tmp_path):
    with kit.Capture() as target:
        lines = ""
        for number in (1, 2):
            done = emit8(*load_shard(tmp_path, target, number, "-q", "--format", "shard", length="200ms"))
            assert done.returncode == 0, done.err
            lines += done.out
    ended, report = merged(tmp_path, lines, "--threshold", "rate >= 1/s", "--threshold", "success == 100%")
    assert ended == 1 and report["reason"] == "rate >= 1/s: not measured"
    (warning,) = [w for w in report["warnings"] if " after shard " in w]
    assert re.fullmatch(r"shard 2/2 began \S+ \S+ after shard 1/2: they did not load the receiver together, and there is no rate of the whole",
                        warning)
    assert report["rate_per_s"] is None and report["generator"]["achieved_per_s"] is None
    assert report["generator"]["planned_per_s"] == pytest.approx(100, rel=1e-3) and not report["generator"]["rate_judged"]


def test_a_shard_that_delivered_nothing_was_sent(tmp_path):
    """No threshold was judged, so none can have allowed it."""
    with kit.Capture(lambda request: 500) as target:
        done = emit8(*load_shard(tmp_path, target, 1, "-q", "--threshold", "success >= 99%", length="200ms"))
    assert done.returncode == 0
    assert " ".join(done.out.split()).endswith("SENT 10 of 10 deliveries ended undelivered: every answer was 500;"
                                               " emit8 merge judges the thresholds")
    assert "PASS" not in done.out
    assert kit.report(tmp_path / "1.db")["verdict"] == "pass"
