"""The built-in scenarios, and how a plan is shown: every one validates, can be looked at, and passes against the sink."""
import collections
import json
import pathlib
import re
import time

import pytest

from kit import CLOCK, SECRET, SOURCE, Capture, emit8, is_sanitized, ndjson, rows, secret_file

SCENARIOS = pathlib.Path(SOURCE) / "scenarios"
NAMES = sorted(path.stem for path in SCENARIOS.glob("*.yaml"))
LENGTH_MAX = 15  # seconds that a built-in scenario takes, as it is


def plan(name, *args, clock=CLOCK):
    done = emit8("run", name, "--plan", "json", "--clock", clock, *args)
    assert done.returncode == 0, done.err
    return json.loads(done.out)


def write(tmp_path, text, name="s.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return path


# --- the built-in ones ------------------------------------------------------------------------------------------------


def test_there_are_at_least_twelve():
    assert len(NAMES) >= 12


@pytest.mark.parametrize("name", NAMES)
def test_each_says_what_it_shows_and_what_a_good_receiver_does(name):
    text = (SCENARIOS / f"{name}.yaml").read_text()
    head = text[: text.index("\nscenario:")]
    assert all(line.startswith("#") for line in head.splitlines())
    assert f"emit8 run {name} --sink" in head
    assert f"\nscenario: {name}\n" in text
    assert re.search(r"^description: \S", text, re.M) and re.search(r"^seed: \d", text, re.M)
    if name not in ("quick", "fan-out"):
        assert "good receiver" in head or "asks of a receiver" in head


@pytest.mark.parametrize("name", NAMES)
def test_each_validates(name):
    done = emit8("validate", name)
    assert done.returncode == 0, done.err
    assert re.search(r": ok: \d+ flows?, .*; sends [\d,]+ events? in [\d,]+ deliver", done.out), done.out


@pytest.mark.parametrize("name", NAMES)
def test_each_can_be_looked_at(name):
    done = emit8("run", name, "--dry-run", "--limit", "0", "--clock", CLOCK)
    assert done.returncode == 0, done.err
    assert "nothing is sent" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    shown = plan(name)
    events = {(r["flow"], r["instance"], r["sequence"], r["step"])
              for r in shown["timeline"] if r["kind"] in ("delivery", "untaken") and not r.get("again")}
    assert len(events) == shown["plan"]["events"]
    offsets = [r["offset_ns"] for r in shown["timeline"]]
    assert offsets == sorted(offsets)
    assert offsets[-1] < LENGTH_MAX * 1e9


@pytest.mark.parametrize("name", NAMES)
def test_each_passes_against_the_sink(name, tmp_path):
    speed = 10 if is_sanitized() or name == "support-day" else 1
    # Times are not what is tested here: this machine may be busy.
    began = time.monotonic()
    done = emit8("run", name, "--sink", "--speed", f"{speed}x", "--log", tmp_path / "log.db", "--format", "json", timeout=120)
    took = time.monotonic() - began
    report = json.loads(done.out)
    slow = [t for t in report["thresholds"] if not t["pass"] and re.search(r"p\(|max|mean|rate", t["rule"])]
    assert done.returncode == 0 or (done.returncode == 1 and slow), done.out + done.err
    assert "0 rejected" in done.err or name in ("forged",), done.err
    assert took < LENGTH_MAX * (3 if is_sanitized() else 1), took


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_bytes(name):
    first, second = plan(name, "--sink"), plan(name, "--sink")
    assert first == second
    other = plan(name, "--sink", "--seed", "4711")
    bodies = [[r["body_sha256"] for r in p["timeline"] if "body_sha256" in r] for p in (first, other)]
    assert bodies[0] != bodies[1]


# --- what was planned is what is sent ---------------------------------------------------------------------------------

STORY = """\
vars: {rounds: 2}
flows:
  a:
    - emit: conversation.created
    - repeat: ${rounds}
      steps: [{wait: 10ms..30ms}, {emit: message.received}]
    - parallel: [[{wait: 20ms}, {emit: message.sent}], [{emit: conversation.updated}]]
    - {emit: session.ended, deliver: {duplicate: 2}}
  b:
    - {emit: message.sent, deliver: {drop: true}}
    - {emit: agent.error, set: {data.error.code: mine}}
run:
  - {flow: a, arrivals: {rate: 20/s, for: 200ms}}
  - {flow: b, at: 50ms}
"""


def test_a_plan_is_what_arrives(tmp_path):
    path = write(tmp_path, STORY)
    planned = plan(path, "--seed", "5", "--secret-file", secret_file(tmp_path))
    with Capture() as receiver:
        done = emit8("run", path, "--to", receiver.url, "--seed", "5", "--clock", CLOCK, "--no-log", "--secret-file",
                     secret_file(tmp_path))
        assert done.returncode == 0, done.out + done.err
        got = collections.Counter(r["headers"]["x-8bit-delivery"] for r in receiver.requests)
        ids = {r["headers"]["x-8bit-delivery"]: json.loads(r["body"])["id"] for r in receiver.requests}
    want = collections.Counter()
    for row in planned["timeline"]:
        if row["kind"] == "delivery" and not row.get("deliver", {}).get("drop"):
            want[row["delivery_id"]] += 1 + row.get("deliver", {}).get("duplicate", 0)
    assert got == want
    assert all(ids[r["delivery_id"]] == r["event_id"] for r in planned["timeline"] if r.get("delivery_id") in ids)


def test_variables_change_the_plan(tmp_path):
    path = write(tmp_path, STORY)
    assert plan(path)["plan"]["events"] == 4 * 6 + 2
    assert plan(path, "--var", "rounds=5")["plan"]["events"] == 4 * 9 + 2
    done = emit8("run", path, "--dry-run", "--var", "round=5")
    assert done.returncode == 2
    assert 'did you mean "rounds"' in done.err
    done = emit8("run", path, "--dry-run", "--var", "rounds")
    assert done.returncode == 2


def test_variables_do_not_get_into_the_log(tmp_path):
    path = write(tmp_path, STORY.replace("mine", "'${key}'").replace("vars: {", "vars: {key: none-at-all, "))
    log = tmp_path / "log.db"
    assert emit8("run", path, "--sink", "--log", log, "--var", "key=swordfish").returncode == 0
    ((command,),) = rows(log, "SELECT command FROM run")
    assert "key=***" in command and "swordfish" not in command


def test_the_seed_of_the_file_and_of_the_command_line(tmp_path):
    path = write(tmp_path, "seed: 3\n" + STORY)
    assert plan(path)["plan"]["seed"] == 3
    assert plan(path, "--seed", "9")["plan"]["seed"] == 9


# --- the table --------------------------------------------------------------------------------------------------------

TABLE = """\
scenario: table
description: Everything that a table shows
seed: 1
endpoints:
  crm: {url: 'http://127.0.0.1:9000/crm?token=hunter2', secret: {env: NOT_THERE}, rotation: [{env: NOR_THAT}],
        events: [message.*, session.*]}
  audit: {url: http://127.0.0.1:9000/audit, secret: {env: NOT_THERE}}
  nobody: {url: http://127.0.0.1:9000/nobody, secret: {env: NOT_THERE}, events: [agent.deployed]}
flows:
  story:
    - {emit: message.received, name: first}
    - {emit: message.sent, environment: staging, deliver: {duplicate: 49, concurrent: true}}
    - wait: 1s
    - {emit: message.received, tamper: {signature: other_secret}, expect: {status: 401, within: 5s}, await: {ack: stop-run}}
    - {again: replay, deliver: {late: 30s}}
    - {rotate: crm, grace: 1h}
    - {emit: session.ended, deliver: {burst: 2s}}
    - {emit: account.usage_threshold, deliver: {reorder: true}}
    - {revoke: crm}
    - {exec: [./deploy.sh, now]}
    - {emit: message.failed, deliver: {drop: true}}
    - {emit: agent.error, endpoint: crm}
"""


def rows_of(text):
    """(seconds, flow, the rest) of each line of the table, continuation lines joined."""
    rows, started = [], False
    for line in text.splitlines():
        match = re.match(r"\s*(≥?\d+\.\d{3})  (\S+)\s+(.*)$", line)
        if match:
            rows.append(list(match.groups()))
            started = True
        elif started and line.startswith(" " * 14):
            rows[-1][2] += " " + line.strip()
        elif started and not line.strip():
            break
    return rows


@pytest.mark.parametrize("columns", [80, 120])
def test_the_table_says_it_in_words(columns, tmp_path):
    done = emit8("run", write(tmp_path, TABLE), "--dry-run", env={"COLUMNS": str(columns)})
    assert done.returncode == 0, done.err
    assert "hunter2" not in done.out
    rows = rows_of(done.out)
    assert [r[0] for r in rows] == ["0.000"] * 2 + ["1.000"] + ["≥1.000"] * 8
    assert {r[1] for r in rows} == {"story#0"}
    words = [re.sub(r"\s+", " ", r[2]) for r in rows]
    for row, parts in zip(words, [
        ['message.received crm, audit "first"'],
        ["message.sent (staging)", "crm, audit", "50 at once, each on its own connection"],
        ["tampered: ", "expects 401 within 5 s", "awaited; a failure stops the run"],
        ["the event before once more, the same bytes", "30 s late"],
        ["rotate crm: the next secret signs, and the one before for 1"],
        ["session.ended", "held for the next 2 s mark"],
        ["account.usage_threshold audit", "after the next event of its flow"],
        ["revoke crm"],
        ["runs ./deploy.sh now"],
        ["message.failed", "dropped: never sent"],
        ["agent.error crm"],
    ]):
        for part in parts:
            assert part in row, (part, words)
    assert "≥: so late or later" in done.out
    assert all(len(line) <= columns for line in done.out.splitlines() if columns >= 80)


def test_columns_are_as_wide_as_their_headings(tmp_path):
    path = write(tmp_path, "endpoints: {a: {url: 'http://127.0.0.1:9/'}}\nflows: {f: [{emit: a.b, body: x}]}\n")
    done = emit8("run", path, "--dry-run", "--seed", "1")
    assert done.returncode == 0, done.err
    assert done.out.splitlines()[1] == "1 event in 1 delivery, seed 1; nothing is sent"
    assert done.out.splitlines()[-2:] == ["   seconds  flow  event  to", "     0.000  f#0   a.b    a"]


@pytest.mark.parametrize("columns, name", [(72, "a-rather-long-name-of-a-flo…#0"), (80, "a-rather-long-name-of-a-flow-indeed#0")])
def test_flows_names_give_way_to_events(columns, name, tmp_path):
    path = write(tmp_path, "endpoints: {crm: {url: 'http://127.0.0.1:9/'}}\n"
                           "flows: {a-rather-long-name-of-a-flow-indeed: [{emit: session.ended, environment: staging}]}\n")
    done = emit8("run", path, "--dry-run", "--seed", "1", env={"COLUMNS": str(columns)})
    assert done.returncode == 0, done.err
    assert re.split(r"\s{2,}", done.out.splitlines()[-1].strip()) == ["0.000", name, "session.ended (staging)", "crm"]
    assert max(map(len, done.out.splitlines())) <= columns


def test_the_limit_and_how_many_more(tmp_path):
    path = write(tmp_path, "flows: {a: [{repeat: 30, steps: [{emit: message.sent}, {wait: 1s}]}]}\n"
                           "run: [{flow: a, arrivals: {times: 10, concurrency: 10}}]\n")
    done = emit8("run", path, "--dry-run", "--seed", "1")
    assert len(rows_of(done.out)) == 50
    assert "… and 250 more events; --limit 0 shows all" in done.out
    for limit in (1, 7, 300, 0):
        done = emit8("run", path, "--dry-run", "--limit", limit, "--seed", "1")
        assert len(rows_of(done.out)) == (limit or 300)
        assert ("more events" in done.out) == (limit in (1, 7))
    full = ndjson(emit8("run", path, "--plan", "ndjson", "--seed", "1", "--clock", CLOCK).out)[1:]
    some = ndjson(emit8("run", path, "--plan", "ndjson", "--seed", "1", "--clock", CLOCK, "--limit", "37").out)[1:]
    assert some == full[:37] and len(full) == 300


def test_flows_that_overlap_are_merged_by_time(tmp_path):
    path = write(tmp_path, """\
flows:
  slow: [{emit: session.started}, {wait: 900ms}, {emit: session.ended}]
  quick: [{emit: message.sent}]
run:
  - {flow: slow, arrivals: {rate: 10/s, for: 1s}}
  - {flow: quick, at: 250ms, arrivals: {rate: 10/s, for: 1s}}
  - {flow: quick}
""")
    rows = plan(path, "--seed", "1")["timeline"]
    offsets = [r["offset_ns"] for r in rows]
    assert offsets == sorted(offsets) and len(rows) == 31
    assert rows[-1]["flow"] == "slow" and offsets[-1] == 1_800_000_000
    assert [r["offset_ns"] for r in rows if r["flow"] == "quick"][-1] == 1_250_000_000
    assert not any(r["at_least"] for r in rows)


def test_closed_loops_go_on_as_their_instances_end(tmp_path):
    path = write(tmp_path, """\
flows: {a: [{emit: session.started}, {wait: 1s}], b: [{emit: message.sent}]}
run: [{flow: a, arrivals: {times: 5, concurrency: 2}}, {flow: b}]
""")
    rows = plan(path, "--seed", "1")["timeline"]
    assert [r["offset_ns"] // 10**9 for r in rows] == [0, 0, 1, 1, 2, 3]
    assert [r["at_least"] for r in rows] == [False, False, True, True, True, True]


def test_the_first_rows_of_a_huge_plan_come_at_once(tmp_path):
    path = write(tmp_path, """\
flows:
  a: [{repeat: 1000000, steps: [{emit: message.sent}, {wait: 1ms}]}]
  b: [{wait: 1s..2s}, {emit: message.received}]
run:
  - {flow: a, at: 0s, arrivals: {times: 1000000000, concurrency: 3}}
  - {flow: b, at: 0s, arrivals: {rate: 1000/s, for: 200h}}
""")
    done = emit8("run", path, "--dry-run", "--seed", "1", timeout=60)
    assert done.returncode == 0, done.err
    assert len(rows_of(done.out)) == 50
    assert "… and more; --limit 0 shows all" in done.out


def test_more_than_can_be_sorted_is_refused_and_its_first_rows_are_not(tmp_path):
    path = write(tmp_path, """\
flows: {a: [{wait: 1s..2s}, {emit: message.sent}]}
run: [{flow: a, arrivals: {times: 260000, concurrency: 260000}}]
""")
    done = emit8("run", path, "--dry-run", "--seed", "1", "--limit", "0", timeout=120)
    assert done.returncode == 2
    assert "--limit" in done.err
    done = emit8("run", path, "--dry-run", "--seed", "1", timeout=120)
    assert done.returncode == 0, done.err
    seconds = [float(r[0]) for r in rows_of(done.out)]
    assert len(seconds) == 50 and seconds == sorted(seconds) and seconds[-1] < 1.001
    assert "… and 259,950 more events" in done.out


# --- what is refused --------------------------------------------------------------------------------------------------


def test_commands_need_leave(tmp_path):
    mark = tmp_path / "mark"
    path = write(tmp_path, f"flows: {{a: [{{exec: [touch, '{mark}']}}, {{emit: message.sent}}]}}")
    with Capture() as receiver:
        done = emit8("run", path, "--to", receiver.url, "--no-log")
        assert done.returncode == 2
        assert "--allow-exec" in done.err
        assert not receiver.requests and not mark.exists()
        assert emit8("run", path, "--dry-run").returncode == 0
        assert not mark.exists()
        done = emit8("run", path, "--to", receiver.url, "--no-log", "--allow-exec")
        assert done.returncode == 0, done.out + done.err
        assert mark.exists() and len(receiver.requests) == 1


@pytest.mark.parametrize("arguments, word", [
    (["quik"], 'did you mean "quick"?'),
    (["nothing-like-it"], "built in are agent-rollout, "),
    (["quick", "--plan", "xml"], "json or ndjson"),
    (["quick", "--limit", "3"], "--dry-run"),
    (["quick", "--dry-run", "--limit", "-3"], "--limit"),
    (["quick", "--sink", "--effect-get", "http://127.0.0.1:9/"], "--effect-pointer"),
])
def test_wrong_usage(arguments, word):
    done = emit8("run", *arguments)
    assert done.returncode == 2
    assert word in done.err


def test_included_files_are_found_from_the_file_that_includes_them(tmp_path):
    (tmp_path / "sub").mkdir()
    write(tmp_path, "include: [../base.yaml]\nflows: {b: [{foreach: {n: 1..3}, steps: [{emit: message.sent}]}]}", "sub/flows.yaml")
    write(tmp_path, "vars: {many: 4}\n", "base.yaml")
    path = write(tmp_path, "include: [sub/flows.yaml]\nflows: {a: [{repeat: '${many}', steps: [{emit: message.received}]}]}")
    assert plan(path, "--seed", "1")["plan"]["events"] == 7
    write(tmp_path, "include: [s.yaml]\n", "base.yaml")
    done = emit8("run", path, "--dry-run")
    assert done.returncode == 2
    assert "base.yaml:1:" in done.err
    write(tmp_path, "x: " + "y" * (9 << 20), "base.yaml")
    done = emit8("run", path, "--dry-run")
    assert done.returncode == 2
    assert "base.yaml" in done.err


def test_a_scenario_without_endpoints(tmp_path):
    path = write(tmp_path, "flows: {a: [{emit: message.sent}]}")
    assert emit8("run", path, "--dry-run").returncode == 0
    with Capture() as receiver:
        done = emit8("run", path, "--to", receiver.url, "--no-log", "--secret-file", secret_file(tmp_path, SECRET))
        assert done.returncode == 0, done.out + done.err
        assert len(receiver.requests) == 1
    done = emit8("run", path, "--no-log")
    assert done.returncode == 2
    assert "--to" in done.err or "endpoint" in done.err


def test_the_drill_rotates_to_a_secret_of_its_own():
    secrets = {"CRM_SECRET": "a" * 32, "CRM_SECRET_2": "b" * 32}
    done = emit8("run", "secret-rotation", "--sink", "--no-log", "--speed", "5x", env=secrets)
    assert done.returncode == 0, done.out + done.err
    assert " 0 rejected" in done.err
