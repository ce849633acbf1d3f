"""emit8 load, and the arrivals of scenarios: how many are sent and when, what a warm-up leaves out, and what is refused."""

import collections
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

import kit
import pytest

WEIGHTS = {row["type"]: row["weight"]
           for row in json.loads((pathlib.Path(kit.SOURCE) / "fixtures" / "catalog.json").read_text())["types"]}


def load(log, url, *args, **more):
    """Runs it and returns what it did, with its report."""
    done = kit.emit8("load", "--to", url, "--log", log, "--seed", 7, "--format", "json", "-q", *args, **more)
    done.report = json.loads(done.out) if done.out else None
    return done


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log.db"


# --- how much --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("args, count", [
    (["--rate", "100/s", "-z", "400ms"], 40),
    (["--rate", "100/s", "-z", "400ms", "--workers", "3"], 40),
    (["--rate", "200/s", "-n", "33"], 33),
    (["--rate", "300/s", "-n", "41", "--process", "poisson", "--workers", "2"], 41),
    (["--rate", "100/s", "-z", "400ms", "-n", "12"], 12),
    (["--stages", "0..100/s:400ms,100/s:100ms,0:100ms,50..0/s:200ms", "--workers", "3"], 20 + 10 + 5),
    (["-n", "25"], 25),
    (["-n", "25", "-c", "4"], 25),
], ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_so_many_are_sent(log, args, count):
    with kit.Capture() as capture:
        done = load(log, capture.url, *args)
        assert done.returncode == 0, done.err
        assert len(capture.take()) == count
    assert done.report["totals"]["planned"] == done.report["totals"]["delivered"] == count


def test_a_closed_loop_ends_with_its_time(log):
    """At most so many at a time, and none that starts after the end."""
    busy, most, lock = 0, 0, threading.Lock()

    def answer(request):
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        time.sleep(0.02)  # the receiver's own time
        with lock:
            busy -= 1
        return 200

    with kit.Capture(answer) as capture:
        done = load(log, capture.url, "-c", 4, "-z", "500ms", "--workers", 2)
        assert done.returncode == 0, done.err
        count = len(capture.take())
    assert most <= 4 and count >= 4
    assert done.report["totals"]["delivered"] == count
    ((span,),) = kit.rows(log, "SELECT (max(due) - min(due)) / 1e9 FROM attempt")
    assert span <= 0.55


def test_types_come_as_the_catalogue_weighs_them(log):
    done = kit.emit8("load", "--to", "http://127.0.0.1:1", "-n", 4000, "--plan", "ndjson", "--seed", 11, "-q")
    types = collections.Counter(row["type"] for row in kit.ndjson(done.out) if "type" in row)
    assert sum(types.values()) == 4000 and set(types) <= set(WEIGHTS)
    for name, weight in WEIGHTS.items():
        share = weight / sum(WEIGHTS.values())
        assert abs(types[name] - 4000 * share) <= 6 * (4000 * share * (1 - share)) ** 0.5 + 1, name


def test_patterns_choose_types(log):
    with kit.Capture() as capture:
        assert load(log, capture.url, "message.*", "agent.error", "-n", 60, "-c", 4).returncode == 0
        types = {request["headers"]["x-8bit-event"] for request in capture.take()}
    assert types <= {"message.received", "message.sent", "message.failed", "agent.error"} and len(types) >= 2


def test_every_endpoint_gets_every_event(log):
    with kit.Capture() as one, kit.Capture() as other:
        done = load(log, one.url, "--to", f"second={other.url}", "-n", 20)
        ids = [{json.loads(request["body"])["id"] for request in capture.take()} for capture in (one, other)]
    assert done.returncode == 0 and len(ids[0]) == 20 and ids[0] == ids[1]
    assert [endpoint["name"] for endpoint in done.report["endpoints"]] == ["target", "second"]


def test_nothing_is_tried_again_unless_asked_for(log):
    with kit.Capture(lambda request: 503) as capture:
        done = load(log, capture.url, "-n", 8)
        assert done.returncode == 1 and len(capture.take()) == 8
        assert done.report["totals"]["retries"] == 0
        done = load(log, capture.url, "-n", 2, "--retries", 1, "--threshold", "failed <= 2")
        assert done.returncode == 0 and done.report["totals"]["retries"] == 2


def test_a_closed_loop_on_a_dead_receiver_fails(log):
    """As an open loop does: that it is refused as fast as it can ask is no fault of emit8's, and nobody shares the machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    done = load(log, url, "-c", 4, "-z", "1300ms", judged=True)
    failed = done.report["totals"]["failed"]
    assert done.returncode == 1 and done.report["verdict"] == "fail" and failed > 0
    assert done.report["reason"] == f"{failed:,} of {failed:,} deliveries ended undelivered: every attempt ended in connect_refused"
    assert not any("busy" in warning for warning in done.report["warnings"]) and kit.report(log) == done.report


def test_an_outage_of_a_closed_loop_is_told(log):
    """The two that are under way are all that there is to see of it."""
    hold = {}

    def answer(request):
        if request["index"] >= 20:
            until = hold.setdefault("until", time.monotonic() + 1.7)
            time.sleep(max(0, until - time.monotonic()))
        return 200

    with kit.Capture(answer) as capture:
        done = load(log, capture.url, "-c", 2, "-n", 80)
    feedback = done.report["retry_feedback"]
    (outage,) = feedback["outages"]
    assert done.returncode == 0 and feedback["recovered"] is True and outage["failed"] == 0
    assert 1 <= outage["to_s"] - outage["from_s"] and outage["under_load"]
    assert kit.report(log) == done.report
    assert re.search(r"nothing was answered; recovered (at once|in \d)", kit.emit8("report", log).out)


def test_the_same_seed_sends_the_same(log):
    bodies = []
    with kit.Capture() as capture:
        for workers in (1, 3):
            args = ["--rate", "200/s", "-z", "200ms", "--clock", kit.CLOCK, "--workers", workers]
            assert load(log, capture.url, *args).returncode == 0
            bodies.append(sorted(request["body"] for request in capture.take()))
    assert len(bodies[0]) == 40 and bodies[0] == bodies[1]


@pytest.mark.parametrize("args", [["--rate", "100/s", "-z", "300ms", "--warmup", "100ms"], ["-n", "30", "-c", "4"]],
                         ids=lambda args: " ".join(args))
def test_shards_are_parts_of_the_load(tmp_path, args):
    """Two of them send what one alone would, each a part; merged they have its counts."""
    def ids(capture):
        return sorted(json.loads(request["body"])["id"] for request in capture.take())

    sent, logs = [], []
    with kit.Capture() as capture:
        for part in ([], ["--shard", "1/2"], ["--shard", "2/2"]):
            logs.append(tmp_path / f"{len(logs)}.db")
            done = load(logs[-1], capture.url, *args, "--clock", kit.CLOCK, *part)
            assert done.returncode == 0, done.err + done.out
            sent.append(ids(capture))
    assert sent[1] and sent[2] and sent[0] == sorted(sent[1] + sent[2])
    merged = tmp_path / "merged.db"
    done = kit.emit8("merge", logs[1], logs[2], "-o", merged)
    assert done.returncode == 0, done.err
    assert kit.report(merged)["totals"]["delivered"] == 30
    assert kit.report(merged)["warmup_attempts"] == kit.report(logs[0])["warmup_attempts"]


def test_what_waits_at_the_bound_names_it(log):
    """However short the run; the same again from the log."""
    gate = threading.Event()
    with kit.Capture(lambda request: gate.wait(30) and 200) as capture:
        threading.Thread(target=lambda: capture.wait(2) or time.sleep(1) or gate.set(), daemon=True).start()
        done = load(log, capture.url, "--rate", "100/s", "-z", "300ms", "--in-flight", 2, "--workers", 1, "--timeout", "30s",
                    judged=True)
    assert done.returncode == 4 and done.report["totals"]["delivered"] == 30
    assert "the rate was not kept: " in done.report["reason"] and "--in-flight 2 was reached" in done.report["reason"]
    assert not any("emit8 was late" in w for w in done.report["warnings"])
    assert any(w.startswith("--in-flight 2 was reached") for w in done.report["warnings"])
    assert kit.report(log) == done.report
    text = kit.emit8("report", log).out
    assert re.search(r"rate [\d.]+/s of 100\.0/s", text) and "not signed: no secret" in text
    assert [e["signed"] for e in done.report["endpoints"]] == [False]


def test_what_has_no_room_is_dropped_and_counted(log):
    gate = threading.Event()
    with kit.Capture(lambda request: gate.wait(30) and 200) as capture:
        threading.Thread(target=lambda: capture.wait(2) or time.sleep(1) or gate.set(), daemon=True).start()
        done = load(log, capture.url, "--rate", "100/s", "-z", "500ms", "--in-flight", 2, "--workers", 1, "--drop",
                    "--timeout", "30s", "--threshold", "dropped == 0", "--threshold", "attempt_rate > 0.1/s")
    totals = done.report["totals"]
    assert [(t["rule"], t["pass"]) for t in done.report["thresholds"]] == [("dropped == 0", False), ("attempt_rate > 0.1/s", True)]
    assert done.report["thresholds"][0]["measured"] == totals["dropped"]
    assert kit.report(log)["thresholds"] == done.report["thresholds"]
    assert done.returncode == 4 and done.report["verdict"] == "invalid"
    assert totals["planned"] == 50 and totals["dropped"] > 0
    assert totals["delivered"] + totals["dropped"] == 50


# --- the warm-up -----------------------------------------------------------------------------------------------------


def test_a_warm_up_is_sent_and_not_counted(log):
    with kit.Capture() as capture:
        done = load(log, capture.url, "--rate", "50/s", "-z", "600ms", "--warmup", "200ms", "--workers", 2)
        assert done.returncode == 0, done.out
        assert len(capture.take()) == 40
    report = done.report
    assert report["totals"]["planned"] == report["totals"]["attempts"] == report["response_time_ms"]["count"] == 30
    assert report["status"] == {"200": 30} and report["warmup_attempts"] == 10
    assert sum(kind["totals"]["planned"] for kind in report["types"]) == 30
    assert kit.report(log) == report
    for view in ("attempts", "deliveries"):
        assert kit.rows(log, f"SELECT count(*), sum(warmup) FROM {view}") == [(40, 10)]
    assert sum(json.loads(line)["warmup"] for line in kit.emit8("log", "--log", log, "--format", "ndjson").stdout.splitlines()) == 10


def test_a_closed_loop_lasts_as_long_behind_a_warm_up(log):
    """The phase that counts begins when it should, not when it might be prepared."""
    with kit.Capture() as capture:
        assert load(log, capture.url, "-c", 2, "-z", "500ms", "--warmup", "200ms", "--workers", 1).returncode == 0
    assert kit.rows(log, "SELECT max(due) - min(due) <= 500000000, max(due) - min(due) > 450000000 FROM attempt WHERE NOT flags & 64") == [(1, 1)]


def test_a_warm_up_spoils_nothing(log):
    """The first request is slow and fails; longer than the warm-up, so it is all of it."""
    def answer(request):
        if request["index"] == 0:
            time.sleep(2)  # the receiver's own time
            return 500
        return 200

    with kit.Capture(answer) as capture:
        done = load(log, capture.url, "-c", 1, "-n", 15, "--warmup", "200ms", "--threshold", "max < 1900ms",
                    "--threshold", "success >= 100%")
        assert done.returncode == 0, done.out
        assert len(capture.take()) == 16
    assert done.report["status"] == {"200": 15} and done.report["warmup_attempts"] == 1
    assert kit.report(log) == done.report


def test_receipts_add_up_with_a_warm_up(tmp_path, log):
    path = tmp_path / "scenario.yaml"
    path.write_text("flows: {a: [{emit: message.sent}]}\nrun: [{flow: a, warmup: 100ms, arrivals: {rate: 100/s, for: 100ms}}]\n")
    done = kit.emit8("run", path, "--sink", "--log", log, "--format", "json")
    report = json.loads(done.out)
    assert "add up" not in report["reason"] and report["warmup_attempts"] == 10, report["reason"]
    assert "20 received, 20 verified" in done.err
    again = kit.report(log)
    assert again["reason"] == report["reason"]


def test_what_is_counted_is_the_same_without_the_warm_up(log):
    with kit.Capture() as capture:
        ids = []
        for more in ([], ["--warmup", "100ms"]):
            assert load(log, capture.url, "--rate", "100/s", "-z", "200ms", "--clock", kit.CLOCK, *more).returncode == 0
            capture.take()
            ids.append(kit.rows(log, "SELECT e.instance, e.type, e.step FROM event e JOIN attempt a ON a.event = e.id"
                                     " WHERE a.run = (SELECT max(id) FROM run) AND NOT a.flags & 64 ORDER BY 1"))
    assert len(ids[0]) == 20 and ids[0] == ids[1]


def test_a_killed_run_leaves_its_warm_up_out_too(log):
    with kit.Capture() as capture:
        process = kit.start("load", "--to", capture.url, "--rate", "100/s", "-z", "60s", "--warmup", "100ms", "--log", log, "-q")
        kit.until(lambda: log.exists() and kit.count(log) >= 20)
        process.kill()
        process.communicate()
    report = kit.report(log)
    assert report["warmup_attempts"] == 10
    assert report["totals"]["planned"] == report["totals"]["attempts"] == kit.count(log) - 10


# --- scenarios -------------------------------------------------------------------------------------------------------

SCENARIO = """\
flows: {a: [{emit: message.sent}], b: [{emit: message.received}]}
run:
  - {flow: a, arrivals: {steps: ['0..100/s:400ms', '0:100ms', '100/s:100ms']}}
  - {flow: b, arrivals: {sine: 20..180/s, period: 100ms, for: 300ms}}
  - {flow: a, arrivals: {burst: 7, every: 100ms, for: 250ms}, warmup: 100ms}
  - {flow: b, arrivals: {concurrency: 2, times: 5, for: 20s}}
"""


@pytest.mark.parametrize("speed", ["1x", "4x"])
def test_arrivals_of_scenarios(tmp_path, log, speed):
    path = tmp_path / "scenario.yaml"
    path.write_text(SCENARIO)
    with kit.Capture() as capture:
        done = kit.emit8("run", path, "--to", capture.url, "--log", log, "--workers", 3, "--speed", speed, "--format", "json")
        assert done.returncode == 0, done.err
        types = collections.Counter(request["headers"]["x-8bit-event"] for request in capture.take())
    # The warm-up has the mean rate of the bursts: 21 in 250 ms, so 9 in 100 ms (8.4 begin).
    assert types == {"message.sent": 20 + 10 + 21 + 9, "message.received": 30 + 5}
    report = json.loads(done.out)
    assert report["totals"]["delivered"] == 86 and report["warmup_attempts"] == 9
    bursts = kit.rows(log, "SELECT due, count(*) FROM attempt WHERE NOT flags & 64 GROUP BY due HAVING count(*) >= 7 ORDER BY 1")
    assert [count for _, count in bursts] == [7, 7, 7]
    factor = int(speed[0])
    assert [(due - bursts[0][0]) * factor for due, _ in bursts] == [0, 100_000_000, 200_000_000]


def test_a_plan_that_time_bounds_is_shown(tmp_path):
    path = tmp_path / "scenario.yaml"
    path.write_text("flows: {a: [{emit: message.sent}]}\nrun: [{flow: a, arrivals: {concurrency: 3, for: 1h}}, {flow: a}]\n")
    done = kit.emit8("run", path, "--to", "http://127.0.0.1:1", "--dry-run", "--limit", 0)
    assert done.returncode == 0 and "as many events as their time allows" in done.out
    assert done.out.count("message.sent") == 4 and "3600.000" in done.out and "bounded by time" in done.out
    assert "warms up" not in done.out
    done = kit.emit8("run", path, "--to", "http://127.0.0.1:1", "--plan", "json")
    plan = json.loads(done.out)["plan"]
    assert plan["events"] is None and plan["deliveries"] is None


# --- the end, and what is refused ------------------------------------------------------------------------------------


def test_a_signal_ends_it_with_its_report(log):
    with kit.Capture() as capture:
        process = kit.start("load", "--to", capture.url, "-c", 2, "-z", "60s", "--log", log, "--format", "json", "-q")
        capture.wait(5)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    report = json.loads(out)
    assert report["run"]["interrupted"] and report["totals"]["delivered"] >= 5


@pytest.mark.parametrize("args, what, hint", [
    ([], "nothing says how much to send", "--rate 500/s -z 1m"),
    (["--rate", "5/s"], "nothing says for how long", "-z 1m"),
    (["-c", "5"], "nothing says for how long", "-n 1000"),
    (["--rate", "0/s", "-z", "1s"], "--rate 0 sends nothing", "100/s"),
    (["--rate", "5/s", "-z", "0"], "a duration of 0", "30s"),
    (["--rate", "5/s", "--stages", "5/s:1s"], "exclude each other", "leave one"),
    (["--rate", "5/s", "-c", "5", "-z", "1s"], "exclude each other", "--in-flight"),
    (["--stages", "5/s:1s", "-z", "1s"], "exclude each other", "lengths"),
    (["--stages", "5/s"], '--stages, column 1: "5/s" is no stage', "500/s:5m"),
    (["--stages", "5/s:1s,,5/s:1s"], '--stages, column 8: "" is no stage', "500/s:5m"),
    (["--stages", "5/s:1s,"], '--stages, column 8: "" is no stage', "500/s:5m"),
    (["--stages", ""], "--stages", ""),
    (["--stages", "0:5s"], "--stages '0:5s' sends nothing", "0..500/s:1m"),
    (["-c", "50", "--in-flight", "5", "-n", "9"], "--in-flight is lower than --concurrency", "leave it out"),
    (["-c", "5", "--drop", "-n", "9"], "--drop is for a rate", "closed loop"),
    (["--rate", "5/s", "--rate", "6/s", "-n", "9"], "--rate is given twice", "leave one of them out"),
    (["-n", "5", "-n5"], "--number is given twice", "leave one of them out"),
    (["-n", "5", "--unix-socket", "u.sock", "-x", "http://127.0.0.1:1"], "--unix-socket and --proxy exclude each other", "leave one"),
    (["-n", "5", "--pin", "--workers", "256"], "--pin: 256 workers cannot have a core each", "leave --pin out"),
    (["-n", "5", "--secret-file", "nope"], "emit8: --secret-file nope: cannot be read: No such file", ""),
    (["-n", "5", "--start-at", "2026-01-01T00:00:00Z"], "--start-at: 2026-01-01T00:00:00Z has passed", "date -u"),
    (["-c", "5", "-z", "1s", "--process", "poisson"], "--process is for a rate", "--rate"),
    (["--rate", "5/s", "-z", "1s", "--process", "gauss"], 'unknown process "gauss"', "poisson"),
    (["--rate", "5/s", "-z", "1s", "--process", "sine"], '--process: unknown process "sine"', "sine and burst are arrivals of scenarios"),
    (["--rate", "1000000/s", "-z", "365d"], "overflows", "10^12"),
    (["-n", "5", "--warmup", "soon"], '"soon" is no duration', "5s"),
    (["-n", "5", "mesage.sent"], 'no event type matches "mesage.sent"', "message.sent"),
    (["-n", "5", "--to", "target=http://127.0.0.1:9"], 'two endpoints are named "target"', "NAME=URL"),
    (["-n", "5", "--to", "a b=http://127.0.0.1:9"], "is no name for an endpoint", "letters"),
    (["-n", "5", "--plan", "xml"], '"xml" is not known', "ndjson"),
    (["-n", "5", "--limit", "5"], "--limit is for", "--dry-run"),
    (["-n", "5", "--threshold", "p(99) under 5"], "p(99) under 5", ""),
    (["-n", "5", "--threshold", "p(99) < 250"], """--threshold 'p(99) < 250': "250" is no duration""", "250ms"),
    (["-n", "5", "--threshold", "success >= 200%"], """--threshold 'success >= 200%': "200%" is no share""", "0% to 100%"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_what_is_refused(log, args, what, hint):
    done = kit.emit8("load", "--to", "http://127.0.0.1:9", "--log", log, *args)
    assert done.returncode == 2 and done.out == ""
    assert what in done.err and hint in done.err, done.err
    assert not log.exists()


def test_a_target_is_needed():
    done = kit.emit8("load", "-n", 1)
    assert done.returncode == 2 and "--to is missing" in done.err


@pytest.mark.parametrize("command", ["load", "send", "find-max"])
def test_a_url_among_the_types_is_recognised(command):
    done = kit.emit8(command, "http://ann:hush@127.0.0.1:9/h")
    assert done.returncode == 2 and "--to is missing" in done.err and "hush" not in done.err
    assert "did you mean --to http://127.0.0.1:9/h?" in done.err


def on_one_core():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def test_pinned_workers_are_as_many_as_the_cores_that_may_be_used(log):
    """The default follows them; what does not fit is refused, by find-max as well."""
    with kit.Capture() as capture:
        common = [kit.EMIT8, "load", "--to", capture.url, "-n", "3", "--pin", "--log", log, "--format", "json"]
        done = subprocess.run(common, capture_output=True, text=True, env=kit.environment(), preexec_fn=on_one_core, timeout=60)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["run"]["workers"] == 1
        done = subprocess.run([*common, "--workers", "2"], capture_output=True, text=True, env=kit.environment(), preexec_fn=on_one_core, timeout=60)
        assert done.returncode == 2 and "this process may use 1; --workers 1 at most" in done.stderr
        assert len(capture.take()) == 3
        done = kit.emit8("find-max", "--to", capture.url, "--slo", "p(99) < 2s", "--no-log", "--pin", "--workers", 256)
        assert done.returncode == 2 and "256 workers" in done.err and capture.take() == []


def test_notes_stay_without_progress(log):
    """What is not signed, what takes no part, and what no machine can send is told with -q, too."""
    with kit.Capture() as capture:
        done = load(log, capture.url, "-n", 2, "--shard", "1/4", "--clock", "2026-03-01T12:00:00Z")
        assert done.err.count("emit8: not signed: no secret") == 1 and "take no part" in done.err
        done = load(log, capture.url, "--rate", "90000000000/s", "-n", 3)
        assert "90000000000 deliveries a second are far beyond" in done.err
        done = load(log, capture.url, "--rate", "1000/s", "-n", 3, env={"EMIT8_SECRET": kit.SECRET})
        assert done.err == ""


# --- a receiver that says 410 ----------------------------------------------------------------------------------------


def reports_of(log, run):
    return {form: kit.emit8("report", log, "--run", run, "--format", form).out for form in ("text", "json", "csv", "html")}


def test_what_a_410_withholds_is_of_the_plan(log):
    """The rest of the plan is counted, judged and told; so it is again from the log."""
    with kit.Capture(lambda request: 410 if request["index"] == 9 else 200) as capture:
        done = load(log, capture.url, "--rate", "300/s", "-z", "500ms", "--workers", "2", "--threshold", "success >= 50%")
    totals = done.report["totals"]
    assert totals["planned"] == 150 and totals["failed"] == 1 and totals["gone"] == totals["withheld"] > 100
    assert sum(totals[k] for k in ("delivered", "failed", "dropped", "aborted", "withheld", "not_begun")) == 150
    assert done.returncode == 1 and done.report["verdict"] == "fail"
    assert done.report["reason"].startswith("success >= 50%: measured ")
    assert f"{totals['withheld']} deliveries were withheld, since a 410 disabled endpoint target" in done.report["reason"]
    (rule,) = done.report["thresholds"]
    assert rule["measured"] == pytest.approx(totals["delivered"] / 150)
    assert done.report["generator"]["planned_per_s"] == pytest.approx(300)
    told = reports_of(log, 1)
    assert json.loads(told["json"]) == done.report
    assert re.search(rf"withheld +{totals['withheld']} ", told["text"])
    assert f"; {totals['withheld']} were withheld" in told["html"]
    head, overall, *_ = [line.split(",") for line in told["csv"].splitlines()]
    assert dict(zip(head, overall))["withheld"] == dict(zip(head, overall))["gone"] == str(totals["withheld"])


def test_a_410_in_the_warm_up_is_named(log):
    with kit.Capture(lambda request: 410) as capture:
        done = load(log, capture.url, "--rate", "50/s", "-z", "200ms", "--warmup", "300ms")
    assert done.returncode == 4
    assert done.report["reason"] == "nothing was tested: a 410 disabled endpoint target before anything was measured"
    totals = done.report["totals"]
    assert (totals["planned"], totals["withheld"], totals["attempts"]) == (10, 10, 0)


@pytest.mark.parametrize("bound, planned", [(["-n", "500"], 500), (["-z", "400ms"], None)])
def test_a_closed_loop_that_nobody_takes_from(log, bound, planned):
    """So many are withheld; where time alone bounds it, it does not go round and round."""
    with kit.Capture(lambda request: 410) as capture:
        done = load(log, capture.url, "-c", "2", *bound)
    totals = done.report["totals"]
    assert done.returncode == 1 and any("endpoint target answered 410, which disabled it" in w for w in done.report["warnings"])
    assert totals["planned"] == planned if planned else totals["planned"] < 20
    assert done.report["run"]["elapsed_s"] >= (0 if planned else 0.4)


def test_the_rate_that_was_planned_is_the_plans(log):
    """Whatever was dropped of it."""
    with kit.Capture(lambda request: time.sleep(0.05) or 200) as capture:
        done = load(log, capture.url, "--rate", "200/s", "-z", "1s", "--in-flight", "2", "--drop", "--workers", "1")
    assert done.report["totals"]["dropped"] > 50
    assert done.report["generator"]["planned_per_s"] == pytest.approx(200)
    assert done.report["generator"]["achieved_per_s"] < 150
    assert kit.report(log) == done.report
