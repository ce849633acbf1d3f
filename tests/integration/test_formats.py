"""TAP, JUnit XML and Markdown of runs: read by parsers that nobody here wrote, with a receiver that says hostile things."""

import json
import pathlib
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import jsonschema
import pytest

import kit

SCENARIO = """
scenario: "ex # pects \\\\ <b>"
seed: 7
endpoints: {target: {url: "http://127.0.0.1:1/", secret: test-secret-0123456789abcdef, retry: {attempts: 1}}}
flows:
  story:
    - emit: conversation.created
      name: good
      expect: {status: 2xx, within: 30s}
    - emit: message.received
      name: "forged # \\\\ <b> | \\"step\\" `x` ]]>"
      headers: {X-Answer: "401"}
      expect: {status: [400, 401, 403]}
    - emit: message.sent
      name: wrong
      expect: {header: {X-Evil: fine}}
    - emit: message.sent
      name: told
      expect: {status: 409, report: true}
    - emit: message.failed
      deliver: {drop: true}
    - repeat: 1
      steps:
        - emit: message.sent
          name: again
          expect: {status: 200}
run: [{flow: story, arrivals: {times: 10, concurrency: 2}}]
thresholds: ["p(99){type=message.*} < 1h", "rate >= 1000000/s"]
"""
EVIL = "a<b>&amp;\"'# | \\ `` ]]> \xe9 </details>"
STEPS = ["good", 'forged # \\ <b> | "step" `x` ]]>', "wrong", "told"]


def answer(request):
    return int(request["headers"].get("x-answer", 200)), {"X-Evil": EVIL}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One run, its reports in all formats, and its log."""
    path = tmp_path_factory.mktemp("formats")
    (path / "story.yaml").write_text(SCENARIO)
    names = {name: path / f"out.{name}" for name in ("tap", "junit", "markdown", "json", "text")}
    log = path / "it's a log.db"
    with kit.Capture(answer) as target:
        options = [option for name, file in names.items() for option in (f"--report-{name}", file)]
        done = kit.emit8("run", path / "story.yaml", "--to", target.url, "--log", log, *options)
    assert done.returncode == 1, done.err
    return {**{name: file.read_text() for name, file in names.items()}, "log": log, "path": path, "stdout": done.out}


def plain_run(target, *options):
    """Deliveries of which nothing is expected."""
    text = b"scenario: plain\nflows: {f: [{emit: message.sent}, {emit: message.received}]}\n"
    return kit.emit8("run", "-", "--to", target.url, "--no-log", "--retries", 0, *options, stdin=text)


def no_hostile_bytes(text):
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)


# ---- TAP


def test_tap_by_tappy(files):
    parser = pytest.importorskip("tap.parser")
    lines = list(parser.Parser().parse_text(files["tap"]))
    by = {}
    for line in lines:
        by.setdefault(line.category, []).append(line)
    assert "unknown" not in by
    assert by["version"][0].version == 14
    tests = by["test"]
    assert by["plan"][0].expected_tests == len(tests) == 7
    assert [t.number for t in tests] == list(range(1, 8))
    assert [t.ok for t in tests] == [True, True, False, True, True, True, False]
    assert not any(t.todo or t.skip for t in tests)
    wrong = tests[2].yaml_block
    assert wrong["severity"] == "fail" and wrong["group"] == "expectations"
    assert wrong["message"].startswith('10 of 10 not as expected: expected header X-Evil "fine"; got "a<b>&amp;')
    assert tests[3].yaml_block == {"message": "expected 409; got 200", "severity": "comment", "group": "expectations"}


PERL = r"""
use TAP::Parser; use JSON::PP;
local $/; my $text = <STDIN>;
my $parser = TAP::Parser->new({ tap => $text });
my @tests; my @yaml;
while (my $r = $parser->next) {
    push @tests, { ok => $r->is_ok ? 1 : 0, skip => $r->has_skip ? 1 : 0, todo => $r->has_todo ? 1 : 0,
                   why => $r->explanation, text => $r->description } if $r->is_test;
    push @yaml, $r->data if $r->is_yaml;
    push @tests, { unknown => $r->as_string } if $r->is_unknown;
    push @tests, { bailed => $r->explanation } if $r->is_bailout;
}
print encode_json({ tests => \@tests, yaml => \@yaml, errors => [ $parser->parse_errors ], plan => $parser->plan,
                    good => $parser->is_good_plan ? 1 : 0, failed => [ $parser->failed ] });
"""


def by_perl(tap):
    """TAP::Parser, which reads up to version 13; what is new in 14 and used here are the escapes."""
    if not shutil.which("perl"):
        pytest.skip("no perl")
    text = tap.replace("TAP version 14\n", "TAP version 13\n", 1)
    done = subprocess.run(["perl", "-e", PERL], input=text.encode(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_tap_by_perl(files):
    parsed = by_perl(files["tap"])
    assert parsed["errors"] == [] and parsed["good"] and parsed["plan"] == "1..7"
    assert parsed["failed"] == [3, 7]
    assert not any("unknown" in t or t["skip"] or t["todo"] for t in parsed["tests"])
    unescaped = [re.sub(r"\\([\\#])", r"\1", t["text"]).removeprefix("- ") for t in parsed["tests"]]
    for name, text in zip(STEPS, unescaped):
        assert text.startswith(name + " "), text
    assert unescaped[5:] == ["p(99){type=message.*} < 1h", "rate >= 1000000/s"]
    assert parsed["yaml"][0]["severity"] == "fail"


def test_tap_skips_what_was_not_reached(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "scenario: a\nflows:\n  f:\n    - choose:\n"
        "        - {weight: 1000000, steps: [{emit: message.sent, name: one, expect: {status: 200}}]}\n"
        "        - {weight: 0.000001, steps: [{emit: message.sent, name: 'o # two', expect: {status: 200}}]}\n"
    )
    with kit.Capture(answer) as target:
        done = kit.emit8("run", tmp_path / "a.yaml", "--to", target.url, "--no-log", "--seed", 1, "--format", "tap")
    assert done.returncode == 0, done.err + done.out
    tests = by_perl(done.out)["tests"]
    assert [t["skip"] for t in tests] == [0, 1]
    assert tests[1]["why"] == "no delivery of this step came to its end"


def test_tap_bails_out_of_what_is_invalid(files):
    with kit.Capture(lambda r: 404) as target:
        done = plain_run(target, "--format", "tap")
    assert done.returncode == 4, done.err
    parsed = by_perl(done.out)
    assert parsed["tests"][-1] == {"bailed": "nothing was tested: 100 % of the answers are 404 (is the URL right?)"}


# ---- JUnit


def test_junit_by_junitparser(files):
    junitparser = pytest.importorskip("junitparser")
    xml = junitparser.JUnitXml.fromstring(files["junit"].encode())
    (suite,) = list(xml)
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (7, 2, 0, 0)
    assert suite.name == "ex # pects \\ <b>"
    cases = list(suite)
    assert [c.classname for c in cases] == ["expectations"] * 5 + ["thresholds"] * 2
    for name, case in zip(STEPS, cases):
        assert case.name.startswith(name + " "), case.name
    failed = [c for c in cases if any(isinstance(r, junitparser.Failure) for r in c.result)]
    assert [c.name for c in failed] == [cases[2].name, "rate >= 1000000/s"]
    assert "reported: expected 409; got 200" in cases[3].system_out
    properties = {p.name: p.value for p in suite.properties()}
    assert properties["seed"] == "7" and properties["withheld"] == "10" and properties["delivered"] == "50"


def test_junit_is_xml(files):
    root = ET.fromstring(files["junit"].encode())
    assert root.tag == "testsuites" and [c.tag for c in root] == ["testsuite"]
    suite = root[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", suite.get("timestamp"))
    cases = suite.findall("testcase")
    assert int(suite.get("tests")) == int(root.get("tests")) == len(cases)
    assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))
    assert all(float(case.get("time")) >= 0 for case in cases)
    failure = cases[2].find("failure")
    assert EVIL[:20] in failure.get("message") and EVIL[:20] in failure.text
    # The command is one for a shell, whatever the log is called.
    command = failure.text.split("reproduce:\n")[1].strip().replace("emit8 ", f"{kit.EMIT8} ", 1)
    shown = subprocess.run(["sh", "-c", command], capture_output=True, cwd=files["path"])
    assert shown.returncode == 0 and b"message.sent" in shown.stdout


def test_junit_has_an_error_where_nothing_was_tested():
    junitparser = pytest.importorskip("junitparser")
    with kit.Capture(lambda r: 404) as target:
        done = plain_run(target, "--format", "junit")
    assert done.returncode == 4, done.err
    xml = junitparser.JUnitXml.fromstring(done.stdout)
    assert xml.errors == 1 and xml.failures == 0
    assert "nothing was tested" in ET.fromstring(done.stdout).find(".//error").get("message")


def test_what_fails_without_a_test_fails_the_suite():
    with kit.Capture(lambda r: 500) as target:
        junit = plain_run(target, "--threshold", "max < 1h", "--format", "junit")
        tap = plain_run(target, "--threshold", "max < 1h", "--format", "tap")
    assert junit.returncode == tap.returncode == 1
    assert int(ET.fromstring(junit.stdout).get("failures")) == 1
    assert by_perl(tap.out)["failed"] == [2]


# ---- Markdown, text, JSON


def rows_of(markdown):
    """Cells of each row, escaped bars apart."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [re.split(r"(?<!\\)\|", line.replace("\\\\", "\0"))[1:-1] for line in lines]


def test_markdown_is_ours_alone(files):
    text = files["markdown"]
    no_hostile_bytes(text)
    assert text.startswith("## ❌ FAIL: ex \\# pects \\\\ &lt;b&gt;\n")
    assert {len(row) for row in rows_of(text)} == {2, 3}
    assert text.count("<details>") == text.count("</details>") == 1
    outside = re.sub(r"^(`{3,})\w*\n.*?^\1$", "", text, flags=re.S | re.M)
    assert not re.search(r"<(?!/?(details|summary|b)>)", outside)
    assert "| passed | 4 |\n| failed | 2 |\n| reported | 1 |" in text


def test_text_and_json_tell_each_step(files):
    report = json.loads(files["json"])
    schema = json.loads((pathlib.Path(kit.SOURCE) / "src/report/report.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(report)
    steps = {s["step"]: s for s in report["expectations"]}
    assert [(s["met"], s["unmet"], s["reported"]) for s in report["expectations"]] == [
        (10, 0, 0), (10, 0, 0), (0, 10, 0), (0, 0, 10), (10, 0, 0),
    ]
    assert steps["wrong"]["why"].startswith('expected header X-Evil "fine"') and steps["told"]["reports"]
    totals = report["totals"]
    assert totals["withheld"] == totals["unmet"] == 10 and totals["expected"] == 10
    ends = ("delivered", "failed", "dropped", "aborted", "withheld")
    assert totals["planned"] == sum(totals[k] for k in ends) == 60
    assert "Expectations" in files["text"] and "30 of 40 met" in files["text"]
    assert "withheld" in files["text"]
    no_hostile_bytes(files["text"])


def test_the_schema_of_results_is_one():
    schema = json.loads((pathlib.Path(kit.SOURCE) / "src/results/results.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)


def test_formats_on_stdout_are_those_of_the_files(files, tmp_path):
    with kit.Capture(answer) as target:
        for name in ("tap", "junit", "markdown"):
            run = ("run", files["path"] / "story.yaml", "--to", target.url, "--no-log", "--format", name)
            lines = kit.emit8(*run).out.splitlines()
            assert lines[0] == files[name].splitlines()[0]


def test_a_log_gives_the_same_cases(files):
    for name in "tap", "junit", "markdown":
        done = kit.emit8("report", files["log"], "--format", name)
        assert done.returncode == 1, done.err
        assert done.out == files[name], name
    tests = by_perl(files["tap"])["tests"]
    assert [t["text"] for t in tests][-2:] == ["- p(99){type=message.*} < 1h", "- rate >= 1000000/s"]
    report = kit.report(files["log"])
    assert report["totals"]["unmet"] == report["totals"]["withheld"] == report["totals"]["expected"] == 10
    assert report["expectations"] == json.loads(files["json"])["expectations"]
    loose = kit.emit8("report", files["log"], "--threshold", "max < 1h")
    assert loose.returncode == 1 and "were not met" in loose.out


def test_unknown_formats_have_a_hint(files):
    with kit.Capture() as target:
        done = plain_run(target, "--format", "junti")
        assert not target.requests
    assert done.returncode == 2 and 'did you mean "junit"?' in done.err
    done = kit.emit8("report", files["log"], "--format", "xml")
    assert done.returncode == 2 and "tap, junit, markdown, html or shard" in done.err


# ---- expectations and thresholds decide


def run_text(path, text, target, *options):
    (path / "s.yaml").write_text(text)
    return kit.emit8("run", path / "s.yaml", "--to", target.url, "--no-log", *options)


def test_expected_refusals_pass(tmp_path):
    text = "scenario: a\nflows: {f: [{emit: message.sent, headers: {X-Answer: '401'}, expect: {status: 401}}]}\n"
    with kit.Capture(answer) as target:
        done = run_text(tmp_path, text, target)
    assert done.returncode == 0, done.out + done.err
    assert done.out.splitlines()[-1] == "PASS  1 delivery delivered, 1 expectation met"


ABORT = """
scenario: a
endpoints:
  good: {url: "http://127.0.0.1:1/", events: [message.sent], retry: {attempts: 1}}
  bad: {url: "http://127.0.0.1:1/", events: [message.received], retry: {attempts: 1}, headers: {X-Answer: '500'}}
flows: {f: [{emit: message.sent}, {emit: message.received}]}
run: [{flow: f, arrivals: {rate: 40/s, for: 16s}}]
thresholds: [{rule: "RULE", abort: true}]
"""


@pytest.mark.parametrize("rule", ["success{endpoint=bad} >= 50%", "failed == 0", "status(5xx){type=message.received} < 1%"])
def test_a_threshold_stops_the_run(tmp_path, rule):
    with kit.Capture(answer) as target:
        done = run_text(tmp_path, ABORT.replace("RULE", rule), target, "--format", "json")
    assert done.returncode == 1, done.err
    report = json.loads(done.out)
    assert report["run"]["elapsed_s"] < 14
    assert report["verdict"] == "fail" and report["reason"].startswith(f"stopped early, because it cannot hold: {rule}")
    assert report["thresholds"][0]["aborted"] and not report["thresholds"][0]["pass"]
    assert "stopping early" in done.err
    totals = report["totals"]
    assert totals["planned"] == sum(totals[k] for k in ("delivered", "failed", "dropped", "aborted", "withheld", "not_begun"))


def test_a_threshold_that_holds_stops_nothing(tmp_path):
    text = ABORT.replace("RULE", "success{endpoint=good} >= 100%").replace("for: 16s", "for: 2s")
    with kit.Capture(answer) as target:
        done = run_text(tmp_path, text, target, "--format", "json", "--threshold", "failed{endpoint=good} == 0",
                        "--threshold", "success >= 1%")
    report = json.loads(done.out)
    assert done.returncode == 0, report["reason"]
    assert report["totals"]["delivered"] == report["totals"]["failed"] == 80
    assert not any(t["aborted"] for t in report["thresholds"])
