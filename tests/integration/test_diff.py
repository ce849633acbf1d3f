"""emit8 diff: figures as both reports have them, intervals as computed here, rules, noise, and what cannot be compared."""

import copy
import json
import math
import pathlib

import jsonschema
import pytest

import kit

SCHEMA = json.loads((pathlib.Path(kit.SOURCE) / "src" / "report" / "diff.schema.json").read_text())
Z = 2.5758293


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same plan against a quick receiver, and against one that is slow and refuses some; twice the quick one."""
    path = tmp_path_factory.mktemp("diff")
    for name, options in ("quick", []), ("again", []), ("slow", ["--latency", "40ms", "--status", "200:80,503:20", "--seed", "3"]):
        with kit.sink(*options) as sink:
            done = kit.emit8("send", "message.*", "-n", 400, "-c", 8, "--seed", 1, "--retries", 0, "--to", sink.url,
                             "--log", path / f"{name}.db", "--report-json", path / f"{name}.json")  # fmt: skip
            assert done.returncode == (1 if name == "slow" else 0), done.err
    return path


def diff(*words, code=0, **kwargs):
    done = kit.emit8("diff", *words, "--format", "json", **kwargs)
    assert done.returncode == code, done.err + done.out
    result = json.loads(done.out)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(result)
    return result


def figures(result):
    return {(f["group"], f["scope"], f["name"]): f for f in result["figures"]}


def edited(path, report, change):
    """A report as a file, changed by hand."""
    report = copy.deepcopy(report)
    change(report)
    path.write_text(json.dumps(report))
    return path


def load(runs, name):
    return json.loads((runs / f"{name}.json").read_text())


def test_a_log_and_its_report_do_not_differ(runs):
    result = diff(runs / "quick.db", runs / "quick.json", "--fail-if", "p(99) > +0%", "--strict")
    assert result["verdict"] == "pass" and not result["obstacles"]
    assert all("emit8 itself was late" in note for note in result["notes"]), "which a busy machine may make it"
    assert {f["judgement"] for f in result["figures"]} == {"same"}
    assert result["rules"][0]["result"] == "holds"
    again = diff(runs / "quick.db", "-", stdin=(runs / "quick.json").read_bytes())
    assert again["figures"] == result["figures"]


def wilson(part, whole):
    p, scale = part / whole, 1 + Z * Z / whole
    reach = Z * math.sqrt(p * (1 - p) / whole + Z * Z / (4 * whole * whole))
    centre = p + Z * Z / (2 * whole)
    return (centre - reach) / scale if part else 0, (centre + reach) / scale if part < whole else 1


def newcombe(a, of_a, b, of_b):
    return b - a - math.hypot(b - of_b[0], of_a[1] - a), b - a + math.hypot(of_b[1] - b, a - of_a[0])


def test_figures_and_intervals(runs):
    a, b = load(runs, "quick"), load(runs, "slow")
    found = figures(diff(runs / "quick.json", runs / "slow.db"))
    for group in "response_time", "service_time", "send_lag":
        for name in "p50", "p75", "p90", "p95", "p99", "p99.9", "mean", "max":
            key, row = name.replace(".", "_"), found[group, None, name]
            assert (row["before"], row["after"]) == (a[group + "_ms"][key], b[group + "_ms"][key])
            assert row["change"] == pytest.approx(row["after"] - row["before"], abs=1e-8)
            assert row["relative"] == pytest.approx(row["change"] / row["before"], abs=1e-8)
    p50, before, after = found["response_time", None, "p50"], a["response_time_ms"], b["response_time_ms"]
    assert p50["judgement"] == "worse" and p50["change"] > 20
    assert p50["ci99"] == pytest.approx(
        newcombe(before["p50"], before["ci99"]["p50"], after["p50"], after["ci99"]["p50"]), abs=1e-5)  # fmt: skip
    delivered = b["totals"]["delivered"]
    success = found["deliveries", None, "success"]
    assert (success["before"], success["after"]) == (1, delivered / 400)
    assert success["judgement"] == "worse"
    assert success["ci99"] == pytest.approx(newcombe(1, wilson(400, 400), delivered / 400, wilson(delivered, 400)), abs=1e-6)
    assert found["deliveries", None, "failed"]["change"] == 400 - delivered
    assert found["status", None, "503"]["after"] == b["status"]["503"] / 400 and found["status", None, "503"]["before"] == 0
    assert found["outcome", None, "http_5xx"]["judgement"] == "worse"
    for kind in "endpoint", "type":
        for x, y in zip(a[kind + "s"], b[kind + "s"]):
            assert x["name"] == y["name"]
            row = found[kind, x["name"], "p95"]
            assert (row["before"], row["after"]) == (x["response_time_ms"]["p95"], y["response_time_ms"]["p95"])
    back = figures(diff(runs / "slow.db", runs / "quick.json"))
    assert back["response_time", None, "p50"]["judgement"] == "better"
    assert back["response_time", None, "p50"]["change"] == pytest.approx(-p50["change"])


RULES = {
    "p(50) > +50%": "fails",
    "p(50) > +20ms": "fails",
    "p(50){type=message.sent} > +20ms": "fails",
    "service_time p(50) > +20ms": "fails",
    "success < -5pp": "fails",
    "success < -5%": "fails",
    "success < -40pp": "holds",
    "status(5xx) > +5pp": "fails",
    "outcome(http_5xx) > +50pp": "holds",
    "failed > +0": "fails",
    "p(50) < -10%": "holds",
    "p(99) > +1h": "holds",
    "rate < -99.9%": "holds",
}


def test_rules(runs):
    told = diff(runs / "quick.db", runs / "slow.db", *(x for rule in RULES for x in ("--fail-if", rule)), code=1)
    assert {r["rule"]: r["result"] for r in told["rules"]} == RULES and told["verdict"] == "fail"
    told = diff(runs / "quick.db", runs / "slow.db", *(x for rule in RULES if RULES[rule] == "holds" for x in ("--fail-if", rule)))
    assert {r["result"] for r in told["rules"]} == {"holds"} and told["verdict"] == "pass"


def test_text(runs):
    done = kit.emit8("diff", runs / "quick.db", runs / "slow.db", "--fail-if", "p(50) > +50%", "--fail-if", "p(50) > +1h")
    assert done.returncode == 1
    lines = done.out.splitlines()
    assert lines[0].startswith("A  pass") and any(line.startswith("B  fail") for line in lines)
    assert next(line for line in lines if line.startswith("  p50 ")).endswith("worse")
    assert any(line.startswith("  ✗  p(50) > +50%") and line.endswith("fails") for line in lines)
    assert any(line.startswith("  ✓  p(50) > +1h") for line in lines)
    assert "the targets of A and B differ" in done.out
    assert lines[-1] == "FAIL  1 of 2 rules fails: p(50) > +50%"
    assert "\x1b" not in done.out and all(len(line) <= 100 for line in lines)


def test_types_are_named_whole(runs, tmp_path):
    """At 80 columns what else is told gives way."""
    def rename(report):
        for row, name in zip(report["types"], ("conversation.escalated", "account.usage_threshold", "account.billing_updated")):
            row["name"] = name

    sides = [edited(tmp_path / f"{name}.json", load(runs, name), rename) for name in ("quick", "slow")]
    done = kit.emit8("diff", *sides, env={"COLUMNS": "80"})
    lines = done.out.split("Event types\n")[1].splitlines()
    assert [line.split()[0] for line in lines if " success " in line] == ["conversation.escalated", "account.usage_threshold", "account.billing_updated"]
    assert max(map(len, lines)) <= 80 and "…" not in done.out


def test_within_noise_is_no_failure(runs, tmp_path):
    base = load(runs, "quick")

    def times(value, low, high):
        def change(report):
            report["response_time_ms"].update(p99=value)
            report["response_time_ms"]["ci99"]["p99"] = [low, high]

        return change

    a = edited(tmp_path / "a.json", base, times(10, 8, 12))
    cases = [
        ((11, 9, 13), "noise"),  # the difference is 1, and somewhere between -1.8 and 3.8
        ((14, 13, 16), "fails"),  # 4, and at least 1.8
        ((14, 13, None), "fails"),
        ((14, 5, None), "noise"),
        ((10.4, 10.3, 10.5), "holds"),
    ]
    for values, result in cases:
        b = edited(tmp_path / "b.json", base, times(*values))
        told = diff(a, b, "--fail-if", "p(99) > +5%", code=1 if result == "fails" else 0)
        assert told["rules"][0]["result"] == result, values
        strict = diff(a, b, "--fail-if", "p(99) > +5%", "--strict", code=0 if result == "holds" else 1)
        assert strict["rules"][0]["result"] == ("fails" if result == "noise" else result)


def test_what_was_not_measured_fails(runs, tmp_path):
    def nothing(report):
        for key in report["response_time_ms"]:
            report["response_time_ms"][key] = None

    b = edited(tmp_path / "b.json", load(runs, "quick"), nothing)
    told = diff(runs / "quick.json", b, "--fail-if", "p(99) > +5%", code=1)
    assert told["rules"][0]["result"] == "not_measured"
    assert figures(told)["response_time", None, "p99"]["judgement"] == "unknown"


def test_what_cannot_be_compared(runs, tmp_path):
    with kit.sink() as sink:
        other = kit.emit8("send", "message.sent", "-n", 10, "--to", sink.url, "--set", "data.x=1", "--log", tmp_path / "other.db")
    assert other.returncode == 0, other.err
    told = diff(runs / "quick.db", tmp_path / "other.db", code=4)
    assert told["verdict"] == "not_comparable" and any("the plans of A and B differ" in text for text in told["obstacles"])
    told = diff(runs / "quick.db", tmp_path / "other.db", "--any-plan")
    assert any("the plans of A and B differ" in text for text in told["notes"]) and any("seeds" in text for text in told["notes"])

    def invalid(report):
        report.update(verdict="invalid", reason="for \x1b[31m it")

    bad = edited(tmp_path / "bad.json", load(runs, "quick"), invalid)
    told = diff(bad, runs / "quick.json", "--any-plan", "--fail-if", "failed > -1", code=4)
    assert told["obstacles"] == ["A is invalid: for \\x1B[31m it"]
    text = kit.emit8("diff", bad, runs / "quick.json")
    assert text.returncode == 4 and "\x1b" not in text.out
    assert text.out.splitlines()[-1].startswith("NOT COMPARABLE  the runs cannot be compared: A is invalid")

    def rated(rate):
        def change(report):
            report["generator"].update(rate_judged=True, planned_per_s=rate)
            report["totals"]["planned"] = 100000

        return change

    a, b, c = (edited(tmp_path / f"rate{rate}.json", load(runs, "quick"), rated(rate)) for rate in (100, 110, 100.5))
    assert diff(a, b, code=4)["obstacles"] == ["the planned rates of A and B differ: 100/s and 110/s"]
    assert not diff(a, c)["obstacles"]


def test_runs_of_a_log(runs):
    log = runs / "two.db"
    with kit.sink() as sink:
        for n in 10, 20:
            done = kit.emit8("send", "message.sent", "-n", n, "--to", sink.url, "--log", log, "--seed", 1)
            assert done.returncode == 0, done.err
    told = diff("@1", "@2", "--any-plan", "--log", log)
    assert (told["a"]["run"]["id"], told["b"]["run"]["id"]) == (1, 2)
    assert figures(told)["deliveries", None, "planned"]["change"] == 10
    assert diff(f"{log}@1", log, "--any-plan")["b"]["run"]["id"] == 2
    (runs / "odd@1").write_bytes((runs / "quick.json").read_bytes())
    assert diff(runs / "odd@1", runs / "quick.json")["verdict"] == "pass", "a file of that very name goes first"


@pytest.mark.parametrize(
    "words, told",
    [
        (["quick.db"], "diff: no two runs are given"),
        ([], "no two runs"),
        (["quick.db", "slow.db", "again.db"], "one word too many"),
        (["quick.db", "nothing.db"], "nothing.db"),
        (["quick.db@9", "quick.db"], "9"),
        (["quick.db", "broken.json"], "broken.json"),
        (["quick.db", "empty.json"], "no report of a run of emit8"),
        (["quick.db", "slow.db", "--fail-if", "p(99) > 10%"], "a change has a sign"),
        (["quick.db", "slow.db", "--fail-if", "p(42) > +10%"], "p(99.9)"),
        (["quick.db", "slow.db", "--fail-if", "p(50){endpoint=crm} > +10%"], 'the endpoint "crm"'),
        (["quick.db", "slow.db", "--fail-if", "p(50){type=message.*} > +10%"], "patterns are for thresholds"),
        (["quick.db", "slow.db", "--fail-if", "rate{type=message.sent} < -1%"], "nothing that reports have"),
        (["quick.db", "slow.db", "--strict"], "--strict is for rules"),
        (["quick.db", "slow.db", "--format", "html"], "text or json"),
        (["quick.db", "slow.db", *["--fail-if", "failed > +0"] * 65], "at most 64 rules"),
    ],
)
def test_bad_input(runs, words, told):
    (runs / "broken.json").write_text('{"schema_version": 1, ')
    (runs / "empty.json").write_text("{}")
    done = kit.emit8("diff", *words, cwd=runs)
    assert done.returncode == 2 and told in done.err and not done.out, done.err
    assert "Traceback" not in done.err and done.err.startswith("emit8: ") or "broken.json:1" in done.err
