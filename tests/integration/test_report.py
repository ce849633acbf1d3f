"""Reports: the same from a run and from its log, valid under their schema, right against the rows of the log."""

import contextlib
import csv
import io
import json
import math
import pathlib
import re
import sqlite3

import jsonschema
import kit
import pytest

SCHEMA = json.loads((pathlib.Path(kit.SOURCE) / "src" / "report" / "report.schema.json").read_text())
QUANTILES = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99_9": 0.999}
KEYS = (
    "schema_version run verdict totals warmup_attempts rate_per_s response_time_ms service_time_ms send_lag_ms status outcomes endpoints types"
    " thresholds deadlines retry_feedback series generator expectations copies_spread_ms flows_stopped warnings"
).split()
TOTALS = "planned delivered failed dropped aborted withheld gone expected unmet attempts retries not_begun".split()
TIMES = "count min mean p50 p75 p90 p95 p99 p99_9 max ci99".split()


def valid(report):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    return report


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log.db"


def mixed(request):
    """503 for one first attempt in three, 404 always for one type, 200 else."""
    if request["headers"]["x-8bit-event"] == "agent.error":
        return 404
    return 503 if request["headers"]["x-8bit-attempt"] == "1" and request["index"] % 3 == 0 else 200


SCENARIO = """
scenario: two endpoints
endpoints:
  crm: {{url: "{url}/crm", events: [conversation.*, message.*], retry: {{attempts: 3, base: 1ms}}}}
  audit: {{url: "{url}/audit", retry: {{attempts: 2, base: 1ms}}}}
flows:
  story: [{{emit: conversation.created}}, {{emit: message.received}}, {{emit: agent.error}}, {{emit: message.sent}}]
run: [{{flow: story, arrivals: {{times: 25, concurrency: 3}}}}]
thresholds: {thresholds}
"""


def run_mixed(tmp_path, log, *args, thresholds="[]", answer=mixed):
    with kit.Capture(answer) as capture:
        path = tmp_path / "scenario.yaml"
        path.write_text(SCENARIO.format(url=capture.url, thresholds=thresholds))
        done = kit.emit8("run", path, "--seed", 1, "--log", log, *args)
        done.requests = capture.requests
    return done


# The same report, four ways and twice


def test_the_reports_of_the_run_and_of_the_log_are_the_same(tmp_path, log):
    files = {name: tmp_path / f"report.{name}" for name in ("json", "ndjson", "csv", "text")}
    options = [x for name, path in files.items() for x in (f"--report-{name}", path)]
    done = run_mixed(tmp_path, log, "--format", "json", *options)
    assert done.returncode == 1
    at_the_end = valid(json.loads(done.out))
    from_log = valid(kit.report(log))
    assert at_the_end == from_log
    assert json.loads(files["json"].read_text()) == from_log
    assert files["ndjson"].read_text().count("\n") == 1
    assert json.loads(files["ndjson"].read_text()) == from_log
    for name in "json", "ndjson", "csv":
        assert kit.emit8("report", log, "--format", name).out == files[name].read_text(), name
    assert files["text"].read_text().splitlines()[-1].startswith("FAIL  ")


def test_the_keys_are_the_stable_ones(tmp_path, log):
    run_mixed(tmp_path, log)
    report = kit.report(log)
    assert [key for key in report if key in KEYS] == KEYS
    assert list(report["totals"]) == TOTALS
    for name in "response_time_ms", "service_time_ms", "send_lag_ms":
        assert list(report[name]) == TIMES


def test_the_numbers_are_those_of_the_log(tmp_path, log):
    done = run_mixed(tmp_path, log)
    report, rows = valid(kit.report(log)), kit.attempts(log)
    assert len(done.requests) == len(rows) == report["totals"]["attempts"]
    assert report["totals"]["planned"] == 175
    last = {}
    for row in rows:
        if row["attempt"] >= last.get(row["delivery_id"], row)["attempt"]:
            last[row["delivery_id"]] = row

    def totals(condition):
        ends = [row for row in last.values() if condition(row)]
        delivered = sum(row["outcome"] == "delivered" for row in ends)
        return {
            "planned": len(ends),
            "delivered": delivered,
            "failed": len(ends) - delivered,
            "dropped": 0,
            "aborted": 0,
            "withheld": 0,
            "gone": 0,
            "expected": 0,
            "unmet": 0,
            "attempts": sum(map(condition, rows)),
            "retries": sum(condition(row) and row["trigger"] == "retry" for row in rows),
            "not_begun": 0,
        }

    def tally(name):
        values = [str(row[name]) for row in rows]
        return {value: values.count(value) for value in set(values)}

    assert report["totals"] == totals(lambda row: True)
    assert report["totals"]["failed"] == 25 and report["totals"]["retries"] > 40
    assert report["status"] == tally("status")
    assert report["outcomes"] == tally("outcome")
    assert [e["name"] for e in report["endpoints"]] == ["crm", "audit"]
    for endpoint in report["endpoints"]:
        assert endpoint["totals"] == totals(lambda row: row["endpoint"] == endpoint["name"])
        assert endpoint["response_time_ms"]["count"] == endpoint["totals"]["attempts"]
    assert {t["name"] for t in report["types"]} == {row["type"] for row in rows}
    for type_ in report["types"]:
        assert type_["totals"] == totals(lambda row: row["type"] == type_["name"])
    by_shell = kit.rows(
        log, "SELECT count(*), sum(outcome = 'delivered'), sum(attempts) FROM deliveries WHERE ended"
    )
    assert by_shell == [(175, report["totals"]["delivered"], len(rows))]


def exact(values, q):
    """The smallest value that at least a share q of all values do not exceed."""
    return sorted(values)[max(math.ceil(q * len(values)) - 1, 0)]


def assert_times(times, values):
    assert times["count"] == len(values)
    assert times["min"] == min(values) and times["max"] == max(values)
    assert times["mean"] == pytest.approx(sum(values) / len(values), abs=1e-6)
    for name, q in QUANTILES.items():
        truth = exact(values, q)
        assert abs(times[name] - truth) <= truth / 1000 + 1e-6, (name, times[name], truth)
        assert_range(times["ci99"][name], sorted(values), q)


def assert_range(found, values, q):
    """The values of two ranks around the percentile's own; without such a rank, 0 and nothing."""
    n = len(values)
    reach = 2.5758293 * math.sqrt(n * q * (1 - q))
    low, high = math.floor(n * q - reach), math.ceil(n * q + reach) + 1
    assert found[0] == pytest.approx(values[low - 1] if low >= 1 else 0, rel=0.0021, abs=1e-6)
    assert (found[1] is None) == (high > n)
    assert found[1] is None or found[1] == pytest.approx(values[high - 1], rel=0.0021, abs=1e-6)


@pytest.mark.parametrize("n", [1, 7, 20000])
def test_percentiles_are_exact_to_a_thousandth(tmp_path, log, n):
    with kit.sink("--latency", "lognormal:300us,3", "--seed", 4) as sink:
        done = kit.emit8("send", "*", "-n", n, "-c", 16, "--to", sink.url, "--log", log)
    assert done.returncode == 0, done.err
    report, rows = valid(kit.report(log)), kit.attempts(log)
    assert len(rows) == n
    for name in "response_time_ms", "service_time_ms", "send_lag_ms":
        assert_times(report[name], [row[name] for row in rows])
    for type_ in report["types"]:
        assert_times(type_["response_time_ms"], [r["response_time_ms"] for r in rows if r["type"] == type_["name"]])
    (shaky,) = (warning for warning in report["warnings"] if "indicative only" in warning)
    lowest = "p50 and above of" if n < 20 else "p99 and p99.9 of" if n < 10000 else "p99.9 of"
    assert shaky.startswith(lowest), "few samples are called few"


def test_text_says_it_at_key_lines(tmp_path, log):
    done = run_mixed(tmp_path, log, "--threshold", "p(99)<10s", "--threshold", "success >= 99%")
    report, lines = kit.report(log), done.out.splitlines()
    totals = report["totals"]

    def line(start, after=0):
        return next(text.split() for text in lines[after:] if text.startswith(start))

    def section(name):
        return next(n for n, text in enumerate(lines) if text.split("  ")[0] == name)

    assert lines[0].startswith("two endpoints") and "run 1" in lines[0]
    assert line("  delivered")[1] == str(totals["delivered"])
    assert line("  failed")[1] == str(totals["failed"])
    assert line("Deliveries")[1:3] == [str(totals["planned"]), "planned"]
    assert f"{totals['attempts']} attempts" in done.out and f"{totals['retries']} retries" in done.out
    for status in "200", "404", "503":
        words = line(f"  {status}", section("Status"))
        assert str(report["status"][status]) in words
        assert any("█" in word or "▏" <= word[0] <= "█" for word in words), "a bar"
    assert "Response time" in done.out
    assert line("             response", section("Percentiles"))[:3] == ["response", "service", "send"]
    for name in "p50", "p99.9", "max":
        assert line(f"  {name}", section("Percentiles"))
    for endpoint in report["endpoints"]:
        words = line(f"  {endpoint['name']}", section("Endpoints"))
        assert words[1:4] == [str(endpoint["totals"][k]) for k in ("delivered", "failed", "retries")]
    for type_ in report["types"]:
        words = line(f"  {type_['name']}", section("Event types"))
        assert words[1:3] == [str(type_["totals"][k]) for k in ("delivered", "failed")]
    assert "http_4xx" in done.out, "errors are grouped"
    assert line("  ✓", section("Thresholds"))[1] == "p(99)<10s"
    assert line("  ✗", section("Thresholds"))[1:4] == ["success", ">=", "99%"]
    assert lines[-1].startswith("FAIL  success >= 99%")
    assert "\x1b" not in done.out and all(len(text) <= 120 for text in lines)


def test_csv_says_the_same_as_json(tmp_path, log):
    run_mixed(tmp_path, log)
    report = kit.report(log)
    table = list(csv.DictReader(io.StringIO(kit.emit8("report", log, "--format", "csv").out, newline="")))
    scopes = [("overall", report["run"]["name"], report)]
    scopes += [("endpoint", e["name"], e) for e in report["endpoints"]]
    scopes += [("type", t["name"], t) for t in report["types"]]
    assert [(row["scope"], row["name"]) for row in table] == [(scope, name) for scope, name, _ in scopes]
    for row, (_, _, part) in zip(table, scopes):
        for name in TOTALS:
            assert int(row[name]) == part["totals"][name], name
        for name in TIMES[1:-1]:
            assert float(row[name + "_ms"].replace("p99.9", "p99_9")) == part["response_time_ms"][name], name


def test_colours_on_demand(tmp_path, log):
    run_mixed(tmp_path, log)
    plain = kit.emit8("report", log).out
    coloured = kit.emit8("report", log, "--color", "always").out
    assert "\x1b[" in coloured and "\x1b" not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    assert kit.emit8("report", log, "--color", "always", env={"NO_COLOR": "1"}).out == coloured, "asked for by name"


# Thresholds and the verdict

HOLD = ["success >= 50%", "failed == 25", "p(99) < 30s", "max < 30s", "min >= 0ms", "mean <= 30s", "rate > 1/s"]
HOLD += ["status(5xx) > 1%", "status(404) < 90%", "outcome(http_4xx) > 0%", "retries > 10", "send_lag p(99) < 30s"]
MISS = ["success >= 99.9%", "failed == 0", "p(50) < 1us", "status(5xx) < 0.1%", "outcome(http_4xx) == 0%", "retries < 1"]
MISS += ["rate > 100000000/s", "service_time max < 1us", "status(200) == 100%"]


@pytest.mark.parametrize("rule", HOLD)
def test_a_threshold_holds(tmp_path, log, rule):
    done = run_mixed(tmp_path, log, "--threshold", "failed < 1000", "--threshold", rule)
    assert done.returncode == 0, done.out
    report = valid(kit.report(log))
    assert report["verdict"] == "pass"
    assert [t["rule"] for t in report["thresholds"]] == ["failed < 1000", rule]
    assert all(t["pass"] for t in report["thresholds"])


def test_thresholds_are_missed(tmp_path, log):
    rules = [x for rule in MISS for x in ("--threshold", rule)]
    done = run_mixed(tmp_path, log, *rules)
    assert done.returncode == 1
    report = valid(kit.report(log))
    assert report["verdict"] == "fail"
    assert [t["rule"] for t in report["thresholds"]] == MISS
    assert not any(t["pass"] for t in report["thresholds"])
    assert MISS[0] in report["reason"]


def test_measured_values(tmp_path, log):
    rules = ["success > 0%", "failed > 0", "retries > 0", "status(503) > 0%", "p(90) > 0ms", "outcome(delivered) > 0%"]
    run_mixed(tmp_path, log, *[x for rule in rules for x in ("--threshold", rule)])
    report = kit.report(log)
    totals, attempts = report["totals"], report["totals"]["attempts"]
    measured = [t["measured"] for t in report["thresholds"]]
    assert measured == pytest.approx(
        [
            totals["delivered"] / totals["planned"],
            totals["failed"],
            totals["retries"],
            report["status"]["503"] / attempts,
            report["response_time_ms"]["p90"],
            report["outcomes"]["delivered"] / attempts,
        ],
        abs=1e-9,
    )


def test_thresholds_of_the_scenario_and_of_the_command_line(tmp_path, log):
    done = run_mixed(tmp_path, log, "--threshold", "retries < 1000", thresholds="['failed <= 25']")
    assert done.returncode == 0
    assert [t["rule"] for t in kit.report(log)["thresholds"]] == ["failed <= 25", "retries < 1000"]
    again = kit.emit8("report", log, "--format", "json", "--threshold", "failed <= 24")
    assert again.returncode == 1
    assert [t["rule"] for t in json.loads(again.out)["thresholds"]] == ["failed <= 24"]
    assert kit.emit8("report", log).returncode == 0, "the run's own"


@pytest.mark.parametrize(
    "rule, said",
    [
        ("p(99) < 500", "no duration"),
        ("p(101) < 5s", "percentile"),
        ("sucess > 1%", "success"),
        ("success 99%", "comparison"),
        ("p99 < 5s", "p(99)"),
        ("status(7xx) < 1%", "status"),
        ("outcome(lost) == 0%", "outcome"),
        ("failed == x", "count"),
        ("", "measures"),
    ],
)
def test_a_wrong_threshold_is_an_error_before_anything_is_sent(tmp_path, log, rule, said):
    done = run_mixed(tmp_path, log, "--threshold", rule)
    assert done.returncode == 2, done.out
    assert said in done.err
    assert not done.requests and not log.exists()


def test_without_a_word_on_failure_one_failed_delivery_fails(tmp_path, log):
    assert run_mixed(tmp_path, log, "--threshold", "p(50) < 10s").returncode == 1
    assert kit.report(log)["thresholds"][0]["pass"]
    assert run_mixed(tmp_path, log, "--threshold", "success > 10%").returncode == 0


def share(status, part, of=20):
    """An answer that gives `status` to so many of the first `of` requests."""
    return lambda request: status if request["index"] < part else 200


@pytest.mark.parametrize("status", [401, 403, 404, 405])
@pytest.mark.parametrize("part, code", [(20, 4), (18, 4), (17, 1)])
def test_a_run_that_tested_nothing_is_invalid(log, status, part, code):
    with kit.Capture(share(status, part)) as capture:
        done = kit.emit8("send", "*", "-n", 20, "--retries", 0, "--to", capture.url, "--log", log)
    assert done.returncode == code, done.out
    report = valid(kit.report(log))
    assert report["verdict"] == ("invalid" if code == 4 else "fail")
    assert kit.emit8("report", log).returncode == code
    if code == 4:
        assert str(status) in report["reason"]
        assert done.out.split("\n\n")[-1].startswith("INVALID  "), "the verdict comes last"


def test_an_invalid_run_does_not_pass_by_its_thresholds(log):
    with kit.Capture(lambda request: 401) as capture:
        args = ["send", "*", "--retries", 0, "--to", capture.url, "--log", log, "--threshold", "failed < 100"]
        assert kit.emit8(*args).returncode == 4
    report = valid(kit.report(log))
    assert report["verdict"] == "invalid" and report["thresholds"][0]["pass"]


def test_a_wrong_secret_is_invalid(tmp_path, log):
    other = tmp_path / "other.txt"
    other.write_text("another-secret-0123456789abcdef\n")
    with kit.sink("--secret-file", other, "--reject") as sink:
        args = ["--secret-file", kit.secret_file(tmp_path), "--retries", 0, "--log", log]
        done = kit.emit8("send", "*", "--to", sink.url, *args)
    assert done.returncode == 4
    assert "is the secret right?" in done.out


# Which run, which file


def test_a_report_of_each_run(tmp_path, log):
    with kit.Capture() as capture:
        for n in 3, 5:
            assert kit.emit8("send", "*", "-n", n, "--seed", n, "--to", capture.url, "--log", log).returncode == 0
    first, second = (valid(kit.report(log, "--run", run)) for run in (1, 2))
    assert (first["run"]["seed"], first["totals"]["planned"]) == ("3", 3)
    assert (second["run"]["seed"], second["totals"]["planned"]) == ("5", 5)
    assert kit.report(log) == second, "the newest"
    done = kit.emit8("report", log, "--run", 3)
    assert done.returncode == 2 and "1" in done.err and "2" in done.err


def test_the_reports_file_cannot_be_written(tmp_path, log):
    done = run_mixed(tmp_path, log, "--report-json", tmp_path / "missing" / "report.json", answer=lambda r: 200)
    assert done.returncode == 3
    assert "missing/report.json" in done.err
    assert not log.exists(), "nothing was run"


def test_a_report_without_a_log(tmp_path, log):
    file = tmp_path / "report.json"
    done = run_mixed(tmp_path, log, "--no-log", "--report-json", file, answer=lambda r: 200)
    assert done.returncode == 0 and not log.exists()
    report = valid(json.loads(file.read_text()))
    assert report["run"]["id"] == 0 and report["totals"]["delivered"] == 175


def test_a_run_without_an_end_is_invalid(tmp_path, log):
    """As a kill would leave it."""
    run_mixed(tmp_path, log, answer=lambda r: 200)
    with contextlib.closing(sqlite3.connect(log)) as db:
        db.execute("UPDATE run SET ended = NULL, planned = NULL, last_attempt = NULL")
        db.execute("DELETE FROM tally")
        db.commit()
    report = valid(kit.report(log))
    assert report["run"]["ended"] is None
    assert report["totals"]["delivered"] == 175
    assert report["verdict"] == "invalid"
    assert report["reason"] == "the run has no end in the log: it was killed, or is still running"
    done = kit.emit8("report", log)
    assert done.returncode == 4
    assert done.out.split("\n\n")[-1].startswith("INVALID  the run has no end in the log")


# What steps expected, from the log as from the run


EXPECTING = """
scenario: expectations
endpoints: {{app: {{url: "{url}", retry: {{attempts: 1}}}}}}
effect: {{command: [echo, "5"]}}
flows:
  story:
    - {{emit: conversation.created, name: once, expect: {{status: 2xx, effect: 1}}}}
    - {{emit: message.received, name: refused, expect: {{status: 4xx}}}}
    - {{emit: message.sent, name: fine, expect: {{status: 2xx}}}}
run: [{{flow: story}}]
"""
FORMATS = "json", "ndjson", "csv", "tap", "junit", "markdown"


@pytest.mark.parametrize("unmet", ["effect and status", "effect", "none"])
def test_the_log_tells_of_expectations_what_the_run_told(tmp_path, log, unmet):
    text = EXPECTING if unmet == "effect and status" else EXPECTING.replace("4xx", "2xx")
    text = text.replace("effect: 1", "effect: 0") if unmet == "none" else text
    files = {name: tmp_path / f"report.{name}" for name in FORMATS}
    options = [x for name, path in files.items() for x in (f"--report-{name}", path)]
    with kit.Capture() as capture:
        path = tmp_path / "scenario.yaml"
        path.write_text(text.format(url=capture.url))
        done = kit.emit8("run", path, "--allow-exec", "--log", log, "--format", "json", *options)
    assert done.returncode == (unmet != "none"), done.out + done.err
    told = valid(json.loads(done.out))
    assert told["verdict"] == ("pass" if unmet == "none" else "fail")
    expected = {step["step"]: step["unmet"] for step in told["expectations"]}
    assert expected == {"once": int(unmet != "none"), "refused": int(unmet == "effect and status"), "fine": 0}
    for name, path in files.items():
        again = kit.emit8("report", log, "--format", name)
        assert again.returncode == done.returncode, (name, again.out + again.err)
        assert again.out == path.read_text(), name
    again = kit.emit8("report", log)
    assert again.returncode == done.returncode and "Expectations" in again.out


# An outage


def test_an_outage_is_told_with_what_retries_made_of_it(tmp_path, log):
    """200/s for 2 s; the 100th to the 300th request are refused, and tried again after a while."""
    with kit.Capture(lambda request: 503 if 100 <= request["index"] < 300 else 200) as server:
        path = tmp_path / "outage.yaml"
        path.write_text(f"""
scenario: outage
endpoints: {{hook: {{url: "{server.url}/", retry: {{attempts: 9, base: 150ms, factor: 1, jitter: none}}}}}}
flows: {{one: [{{emit: message.sent}}]}}
run: [{{flow: one, arrivals: {{rate: 200/s, for: 2s}}}}]
""")
        done = kit.emit8("run", path, "--seed", 1, "--log", log, "--format", "json", "--quiet", env={"EMIT8_SECRET": kit.SECRET})
    assert done.returncode in (0, 4), done.err
    report = valid(json.loads(done.out))
    assert kit.report(log) == report
    totals, feedback, series = report["totals"], report["retry_feedback"], report["series"]
    assert (totals["planned"], totals["delivered"], totals["retries"]) == (400, 400, 200)
    assert feedback["attempts_per_event"] == feedback["attempts_per_delivery"] == 1.5
    assert feedback["outage_count"] == 1 and feedback["recovered"] is True and feedback["backlog_left"] == 0
    (outage,) = feedback["outages"]
    assert 100 <= outage["failed"] <= 200 and outage["from_s"] < outage["to_s"]  # but for those in a slice that was good
    assert 20 <= outage["backlog_peak"] <= feedback["backlog_peak"] <= 200
    assert sum(series["begun"]) == sum(series["ended"]) == 400
    assert sum(series["attempts"]) == 600 and sum(series["failed"]) == 200
    assert series["backlog"][-1] == 0 and len(series["backlog"]) == len(series["begun"]) <= 64
    text = kit.emit8("report", log).out
    assert "1.50 attempts per event" in text and f"{outage['failed']} attempts failed; recovered" in text
