"""The list of bad input for the commands beside `send` and the scenario files of `run`: check, replay, validate, init, resuming and
recording. Exit code 2 (3 where the system refuses), a message that says where, at once; nothing is sent and nothing half done."""

import json
import os
import re
import shutil
import sqlite3
import subprocess

import pytest

import kit
from bad import (  # noqa: F401 - pytest finds the fixtures by their names
    FLOWS,
    HEAD,
    SECRET,
    capture,
    figures,
    logs_in,
    old_log,
    step,
    told,
    trial,
)

RECORDING = """\
# from 2026-03-01T12:00:00.000Z
scenario: recorded
flows:
  recorded:
    - {emit: message.sent, at: 0ms, id: d1, verbatim: true, headers: {X-A: "b"}, body: '{"a": 1}'}
    - {emit: message.sent, at: 10ms, id: d2, verbatim: true, headers: {X-A: "b"}, body: '{"a": "é"}'}
"""
SECRETS = {"EMIT8_SECRET": SECRET, "S": SECRET}


def lay(trial, files):
    for name, text in files.items():
        trial.write(name, text)


def shape(trial, args):
    return [a.replace("URL", trial.url) for a in args]


def refused(trial, args, files, what, hint="", **more):
    """One message that says what is wrong and what would be right; and the files are as they were."""
    lay(trial, files)
    before = logs_in(trial.dir)
    err = trial.refused(*shape(trial, args), logs=False, **more)
    assert logs_in(trial.dir) == before, "a file was made or changed"
    assert what in err and hint in err, err
    return err


# --- check -----------------------------------------------------------------------------------------------------------

PROBE = """\
flows:
  MINE-01-late:
    check: {title: late, why: w, mend: m}
    steps: [{emit: message.sent, expect: {status: 2xx}}]
"""
CHECK = ["check", "--to", "URL"]
CHECKS = {
    "no --to": (["check"], {}, "--to is missing", "--to http://"),
    "URL": (["check", "--to", "ftp://x/"], {}, "http or https URL", "http://"),
    "target not allowed": (["check", "--to", "http://192.0.2.1/"], {}, "192.0.2.1", "--allow-target"),
    "effect target not allowed": ([*CHECK, "--effect-get", "http://192.0.2.1/count", "--effect-pointer", "/count"], {}, "192.0.2.1", "--allow-target"),
    "effect without pointer": ([*CHECK, "--effect-get", "URL"], {}, "belong together", "--effect-pointer /count"),
    "effect pointer alone": ([*CHECK, "--effect-pointer", "/count"], {}, "belong together", "--effect-get http"),
    "effect pointer": ([*CHECK, "--effect-get", "URL", "--effect-pointer", "count"], {}, "begins with a slash", "/count"),
    "effect pointer's tilde": ([*CHECK, "--effect-get", "URL", "--effect-pointer", "/a~2"], {}, "~0 stands for a tilde", "/count"),
    "effect both": ([*CHECK, "--effect-get", "URL", "--effect-command", "echo 1"], {}, "exclude each other", "leave one"),
    "effect URL": ([*CHECK, "--effect-get", "gopher://x/", "--effect-pointer", "/c"], {}, "http or https URL", "http://"),
    "--only nothing": ([*CHECK, "--only", ""], {}, '--only "" names no probe', "--list"),
    "--only unknown": ([*CHECK, "--only", "SGI"], {}, 'there is no probe "SGI"', "did you mean"),
    "--only unknown, far off": ([*CHECK, "--only", "QQQQQQ"], {}, 'there is no probe "QQQQQQ"', "--list"),
    "--skip nothing": ([*CHECK, "--skip", " , "], {}, "names no probe", "--list"),
    "--skip the canary": ([*CHECK, "--skip", "CANARY"], {}, "CANARY cannot be skipped", ""),
    "--skip unknown": ([*CHECK, "--skip", "RAW-99"], {}, 'there is no probe "RAW-99"', ""),
    "--rate 0": ([*CHECK, "--rate", "0/s"], {}, "--rate 0 sends nothing", "50/s"),
    "--rate unit": ([*CHECK, "--rate", "50"], {}, '"50" is no rate', "100/s"),
    "--timeout 0": ([*CHECK, "--timeout", "0s"], {}, "a deadline is from", "5s"),
    "--timeout 2h": ([*CHECK, "--timeout", "2h"], {}, "a deadline is from", "1h"),
    "--format": ([*CHECK, "--format", "xml"], {}, 'unknown format "xml"', "junit"),
    "two secrets": ([*CHECK, "--secret-file", "s", "--secret-file", "s"], {"s": SECRET}, "--secret-file is given twice", "leave one of them out"),
    "next secret short": ([*CHECK, "--next-secret-file", "s"], {"s": "hushhush-01"}, "too short", ""),
    "next secret missing": ([*CHECK, "--next-secret-file", "no"], {}, "--next-secret-file no: cannot be read", ""),
    "--checks missing": ([*CHECK, "--checks", "no"], {}, "--checks no: No such file", "a directory with *.yaml"),
    "--checks empty directory": ([*CHECK, "--checks", "d"], {"d/readme.txt": "x"}, "there is no *.yaml in it", "flows with check:"),
    "--checks without a probe": ([*CHECK, "--checks", "d"], {"d/a.yaml": FLOWS, "d/b.yaml": "vars: {}\n"}, "--checks d: there is no probe in it", "check: {title: …}"),
    "--checks broken": ([*CHECK, "--checks", "d"], {"d/a.yaml": PROBE, "d/b.yaml": "flows: [\n"}, "d/b.yaml:2:1: flow sequence without a closing bracket", ""),
    "--checks unknown key": ([*CHECK, "--checks", "d/a.yaml"], {"d/a.yaml": PROBE.replace("mend", "mned")}, 'd/a.yaml:3:34: unknown key "mned"', 'did you mean "mend"?'),
    "--checks a command": ([*CHECK, "--checks", "a.yaml"], {"a.yaml": PROBE.replace("steps: [", "steps: [{exec: [touch, made]}, ")}, "runs a command", "--allow-exec"),
    "--checks an effect command": ([*CHECK, "--checks", "a.yaml"], {"a.yaml": PROBE + "effect: {command: [touch, made]}\n"}, 'a.yaml:5:1: unknown key "effect"', ""),
    "--profile missing": ([*CHECK, "--profile", "no.yaml"], {}, "no.yaml: cannot be read: No such file", ""),
    "--profile a directory": ([*CHECK, "--profile", "d"], {"d/x": "x"}, "d: is a directory", ""),
    "--profile empty": ([*CHECK, "--profile", "p.yaml"], {"p.yaml": ""}, "p.yaml:1:1: the document is empty", ""),
    "--profile list": ([*CHECK, "--profile", "p.yaml"], {"p.yaml": "[SIG-01]\n"}, "p.yaml:1:1: a profile is a map of probes", "reason: TEXT"),
    "--profile id": ([*CHECK, "--profile", "p.yaml"], {"p.yaml": "NOPE-07: {status: 404, reason: x}\n"}, 'p.yaml:1:1: there is no probe "NOPE-07"', ""),
    "--profile no reason": ([*CHECK, "--profile", "p.yaml"], {"p.yaml": "RAW-03:\n  status: [404]\n"}, "p.yaml:2:3: an override needs a reason", "gateway"),
    "--profile reason empty": ([*CHECK, "--profile", "p.yaml"], {"p.yaml": "RAW-03: {status: [404], reason: ' '}\n"}, "p.yaml:1:33: a reason is a text", "one line"),
    "--profile changes nothing": ([*CHECK, "--profile", "p.yaml"], {"p.yaml": "RAW-03: {reason: x}\n"}, "p.yaml:1:9: an override changes something", "status: [404]"),
    "--profile status": ([*CHECK, "--profile", "p.yaml"], {"p.yaml": "RAW-03: {status: [999], reason: x}\n"}, "p.yaml:1:19: ", "999"),
    "--profile key": ([*CHECK, "--profile", "p.yaml"], {"p.yaml": "RAW-03: {statuss: [404], status: 404, reason: x}\n"}, 'p.yaml:1:10: unknown key "statuss"', 'did you mean "status"?'),
    "report a directory": ([*CHECK, "--report-tap", "d"], {"d/x": "x"}, "--report-tap d: Is a directory", "name a file"),
}


@pytest.mark.parametrize("name", CHECKS)
def test_check(trial, name):
    args, files, what, hint = CHECKS[name]
    refused(trial, args, files, what, hint, env=SECRETS)


# --- replay ----------------------------------------------------------------------------------------------------------


def empty_log(trial):
    """A log without a run: its tables, and nothing in them."""
    shutil.copy(trial.old_log, trial.dir / "empty.db")
    with sqlite3.connect(trial.dir / "empty.db") as db:
        db.execute("PRAGMA foreign_keys = OFF")
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").fetchall():
            db.execute(f"DELETE FROM \"{table}\"")
    db.close()


REPLAY = ["replay", "r.yaml", "--to", "URL"]
LOGGED = ["replay", "OLD", "--to", "URL"]
REPLAYS = {
    "what": (["replay", "--to", "URL"], {}, "no recording and no log is given", "emit8 replay"),
    "where to": (["replay", "r.yaml"], {}, "--to is missing", "--to http://"),
    "missing": (["replay", "no.yaml", "--to", "URL"], {}, "no.yaml: cannot be read: No such file", ""),
    "directory": (["replay", "d", "--to", "URL"], {"d/x": "x"}, "d: is a directory", ""),
    "empty": (["replay", "e.yaml", "--to", "URL"], {"e.yaml": ""}, "e.yaml:1:1: the document is empty", ""),
    "text": (["replay", "t.txt", "--to", "URL"], {"t.txt": "dear diary\n"}, "t.txt:1:1: ", ""),
    "binary": (["replay", "b.bin", "--to", "URL"], {"b.bin": b"\x7fELF\x02\x01\x01\0\0\0"}, "b.bin:1:1: ", ""),
    "another scenario": (["replay", "s.yaml", "--to", "URL"], {"s.yaml": FLOWS}, "this is no recording", "emit8 run plays it"),
    "two flows": (["replay", "s.yaml", "--to", "URL"], {"s.yaml": RECORDING + "  other:\n    - {emit: message.sent, body: x}\n"}, "no recording", "emit8 run"),
    "first line": (["replay", "r2.yaml", "--to", "URL", "--from", "2026-03-01T12:00:00Z"], {"r2.yaml": RECORDING.replace("# from 2026", "# from yesterday")}, "does not say when it began", "an offset"),
    "cut in a line": (["replay", "c.yaml", "--to", "URL"], {"c.yaml": RECORDING[:RECORDING.rindex("headers")]}, "c.yaml:6:62: a value is missing", ""),
    "cut in a character": (["replay", "c.yaml", "--to", "URL"], {"c.yaml": RECORDING.encode()[:RECORDING.encode().rindex(b"\xa9")]}, "c.yaml:6:", "0xC3 is not valid UTF-8"),
    "cut SQLite": (["replay", "l.db", "--to", "URL"], {"l.db": b"SQLite format 3\0" + b"\0" * 20}, "l.db: is not a delivery log", ""),
    "--run of a recording": ([*REPLAY, "--run", "1"], {}, "--run is for delivery logs", "leave it out"),
    "--endpoint of a recording": ([*REPLAY, "--endpoint", "a"], {}, "--endpoint is for delivery logs", "leave it out"),
    "--run": ([*LOGGED, "--run", "99"], {}, "99", ""),
    "--run 0": ([*LOGGED, "--run", "0"], {}, '--run "0" is out of range', ""),
    "--run text": ([*LOGGED, "--run", "last"], {}, '--run "last" is no whole number', ""),
    "--endpoint": ([*LOGGED, "--endpoint", "nobody"], {}, 'no endpoint "nobody"', ""),
    "empty log": (["replay", "empty.db", "--to", "URL"], {}, "empty.db", ""),
    "--from behind --until": ([*REPLAY, "--from", "5s", "--until", "1s"], {}, "--until is not after --from", ""),
    "--from text": ([*REPLAY, "--from", "yesterday"], {}, '--from "yesterday" is no time', "2026-03-01"),
    "--until negative": ([*REPLAY, "--until", "-5s"], {}, '"-5s"', ""),
    "nothing left": ([*REPLAY, "--from", "5s"], {}, "nothing of it is left", "--from"),
    "--type of nothing": ([*REPLAY, "--type", "agent.*"], {}, "nothing of it is left", "--type"),
    "--type": ([*REPLAY, "--type", "Message..x"], {}, '"Message..x" is no pattern', "message.*"),
    "--speed 0x": ([*REPLAY, "--speed", "0x"], {}, '--speed "0x" is no factor', "10x"),
    "--speed negative": ([*REPLAY, "--speed", "-1x"], {}, '--speed "-1x" is no factor', "10x"),
    "--speed nan": ([*REPLAY, "--speed", "nanx"], {}, '--speed "nanx" is no factor', "10x"),
    "--verbatim --resign": ([*REPLAY, "--verbatim", "--resign"], {}, "--verbatim and --resign exclude", "leave one"),
    "--verbatim --fresh-ids": ([*REPLAY, "--verbatim", "--fresh-ids"], {}, "--verbatim and --fresh-ids exclude", "leave one"),
    "--resign without secret": ([*REPLAY, "--resign"], {}, "--resign needs a secret", "--secret-file"),
    "--fresh-time without secret": ([*REPLAY, "--fresh-time"], {}, "--fresh-time needs a secret", "--secret-file"),
    "target not allowed": (["replay", "r.yaml", "--to", "http://192.0.2.1/"], {}, "192.0.2.1", "--allow-target"),
    "URL": (["replay", "r.yaml", "--to", "127.0.0.1"], {}, "http or https URL", "http://"),
    "--workers 0": ([*REPLAY, "--workers", "0"], {}, '--workers "0" is out of range', ""),
}


@pytest.mark.parametrize("name", REPLAYS)
def test_replay(trial, name):
    args, files, what, hint = REPLAYS[name]
    if name == "empty log":
        empty_log(trial)
    args = [str(trial.old_log) if a == "OLD" else a for a in args]
    refused(trial, args, {"r.yaml": RECORDING, **files}, what, hint)


def test_the_recording_of_these_tests_is_one(trial):
    trial.write("r.yaml", RECORDING)
    with kit.Capture() as server:
        done = kit.emit8("replay", "r.yaml", "--to", server.url, "--no-log", cwd=trial.dir)
        assert done.returncode == 0, done.err
        assert len(server.requests) == 2


def test_replay_of_a_fifo_and_of_what_is_unreadable(trial):
    os.mkfifo(trial.dir / "fifo")
    assert "fifo: is a pipe" in trial.refused("replay", "fifo", "--to", trial.url, logs=False)
    if os.geteuid() != 0:
        trial.write("r.yaml", RECORDING).chmod(0)
        assert "r.yaml: Permission denied" in trial.refused("replay", "r.yaml", "--to", trial.url, logs=False)


@pytest.mark.parametrize("at", range(0, len(RECORDING.encode()), 7))
def test_recording_cut_anywhere(trial, at):
    """Whole lines that are left are played, or it is told where it ends; never a crash, never half a body."""
    trial.write("r.yaml", RECORDING.encode()[:at])
    with kit.Capture() as server:
        done = kit.emit8("replay", "r.yaml", "--to", server.url, "--no-log", "--speed", "max", cwd=trial.dir)
        assert done.returncode in (0, 2), done.err
        assert {r["body"] for r in server.requests} <= {b'{"a": 1}', '{"a": "é"}'.encode()}
        if done.returncode == 2:
            assert server.requests == [] and re.search(r"^(emit8: )?r\.yaml", done.err, re.M), done.err


# --- validate, --var -------------------------------------------------------------------------------------------------

VARS = {
    "--var without =": (["--var", "rounds"], '--var: there is no "=" in it', "NAME=VALUE"),
    "--var without a name": (["--var", "=5"], "--var", "NAME=VALUE"),
    "--var, a bad name": (["--var", "a-b=5"], "--var a-b: this is no variable", "letters"),
    "--var unknown": (["--var", "round=5"], "--var round", 'did you mean "rounds"?'),
    "--var unknown, far off": (["--var", "zzzzzz=5"], "--var zzzzzz", ""),
    "--var of a wrong type": (["--var", "rounds=many"], "is no count", ""),
    "--var JSON": (["--var", "rounds=[1, 2"], "rounds", ""),
    "--var empty": (["--var", "rounds="], "is no count", ""),
}


@pytest.mark.parametrize("command", ["run", "validate"])
@pytest.mark.parametrize("name", VARS)
def test_var(trial, name, command):
    args, what, hint = VARS[name]
    refused(trial, [command, "v.yaml", *args], {"v.yaml": "vars: {rounds: 2}\n" + step("{repeat: '${rounds}', steps: [{emit: message.sent}]}").replace("URL", trial.url)}, what, hint,
            env=SECRETS)


VALIDATES = {
    "nothing": ([], {}, "no file is named", "emit8 validate scenario.yaml"),
    "missing": (["no.yaml"], {}, "no.yaml: cannot be read: No such file", ""),
    "no name": ([""], {}, "is no file and no built-in scenario", "built in are"),
    "directory without": (["d"], {"d/x.txt": "x"}, "d: has no scenarios", ".yaml"),
    "binary": (["b.yaml"], {"b.yaml": bytes(range(256)) * 64}, "b.yaml:3:115: byte 0x80 is not valid UTF-8", "save"),
    "9 MiB": (["l.yaml"], {"l.yaml": b"#" * (9 << 20)}, "l.yaml: is larger than 8388608 bytes", ""),
    "one long line": (["l.yaml"], {"l.yaml": "description: " + "x" * 1_000_000 + "\n"}, "l.yaml:1:1: a line of more than 262144 bytes", ""),
    "format": (["--format", "xml", "a.yaml"], {}, 'unknown format "xml"', "text or json"),
}


@pytest.mark.parametrize("name", VALIDATES)
def test_validate(trial, name):
    args, files, what, hint = VALIDATES[name]
    refused(trial, ["validate", *args], files, what, hint)


def test_many_files_with_one_bad(trial):
    """The bad one is told, the others are none the worse; as JSON, too."""
    good = HEAD.replace("URL", "http://127.0.0.1:1/")
    lay(trial, {f"d/{i:03}.yaml": good for i in range(200)})
    trial.write("d/100.yaml", good + "bogus: 1\n")
    os.mkfifo(trial.dir / "d/fifo.yaml")
    done = kit.emit8("validate", "d", cwd=trial.dir, env=SECRETS)
    assert done.returncode == 2
    assert done.out.count(": ok: ") == 199
    assert [f[:2] for f in told(done.err, "d/100.yaml")] == [(3, 1)] and "d/fifo.yaml: is a pipe" in done.err
    done = kit.emit8("validate", "d", "--format", "json", cwd=trial.dir, env=SECRETS)
    assert done.returncode == 2
    assert {(f["file"], f["line"]) for f in json.loads(done.out)} == {("d/100.yaml", 3), ("d/fifo.yaml", None)}


# --- init ------------------------------------------------------------------------------------------------------------

INITS = {
    "existing file": (["mine.yaml"], {"mine.yaml": "precious\n"}, "mine.yaml exists", "--force"),
    "existing file, without ending": (["mine"], {"mine.yaml": "precious\n"}, "mine.yaml exists", "--force"),
    "from nothing": (["mine", "--from", "suport-day"], {}, '"suport-day"', "support-day"),
    "two names": (["a", "b"], {}, "one word too many", ""),
    "directory": (["d.yaml"], {"d.yaml/x": "x"}, "d.yaml is a directory", "the name of a file"),
    "directory, by force": (["d.yaml", "--force"], {"d.yaml/x": "x"}, "d.yaml is a directory", "the name of a file"),
}


@pytest.mark.parametrize("name", INITS)
def test_init(trial, name):
    args, files, what, hint = INITS[name]
    refused(trial, ["init", *args], files, what, hint)


def test_init_where_nothing_may_be_written(trial):
    (trial.dir / "full.yaml").symlink_to("/dev/full")
    done = kit.emit8("init", "full.yaml", "--force", cwd=trial.dir)
    assert done.returncode == 3 and "full.yaml" in done.err and "No space left" in done.err
    assert os.readlink(trial.dir / "full.yaml") == "/dev/full"
    if os.geteuid() != 0:
        (trial.dir / "closed").mkdir(mode=0o555)
        assert "closed/mine.yaml" in trial.refused("init", "closed/mine.yaml", logs=False)


def test_init_through_a_dangling_link(trial):
    """What is not there is not written where somebody's link leads, without --force."""
    (trial.dir / "mine.yaml").symlink_to("elsewhere.yaml")
    refused(trial, ["init", "mine.yaml"], {}, "mine.yaml exists", "--force")
    assert not (trial.dir / "elsewhere.yaml").exists()


# --- run --resume ----------------------------------------------------------------------------------------------------

RESUMED = "endpoints: {a: {url: URL}}\nflows: {f: [{emit: message.sent}]}\nrun: [{flow: f, arrivals: {times: 100}}]\n"


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory):
    """A scenario, and the log of a run of it that was killed."""
    path = tmp_path_factory.mktemp("broken")
    with kit.RawPeer(lambda connection, n: kit.serve_forever(connection, lambda c: kit.until(lambda: False, 30))) as peer:
        (path / "s.yaml").write_text(RESUMED.replace("URL", peer.url))
        process = kit.start("run", "s.yaml", "--timeout", "60s", "--log", "log.db", cwd=path)
        kit.until(lambda: peer.accepted >= 1)
        kit.until(lambda: kit.count(path / "log.db", "run"))
        process.kill()
        process.communicate()
    return path


RESUMES = {
    "no log": (["s.yaml", "--log", "no.db"], "no.db: there is no delivery log", ""),
    "--no-log": (["s.yaml", "--no-log"], "--resume needs the delivery log", "--no-log"),
    "another scenario": (["t.yaml", "--log", "log.db"], "there is no unfinished run of this scenario", ""),
    "another scenario, by number": (["t.yaml", "--log", "log.db", "--run", "1"], "was of another scenario", "leave --resume out"),
    "no such run": (["s.yaml", "--log", "log.db", "--run", "7"], "7", ""),
    "other fixtures": (["s.yaml", "--log", "log.db", "--fixtures", "fx"], "the fixtures have changed", "--fixtures"),
    "another seed": (["s.yaml", "--log", "log.db", "--seed", "1"], "had the seed", "leave --seed out"),
    "--speed": (["s.yaml", "--log", "log.db", "--speed", "2x"], "run 1", "leave --speed out"),
    "--clock": (["s.yaml", "--log", "log.db", "--clock", kit.CLOCK], "run 1", "leave --clock out"),
    "preview": (["s.yaml", "--log", "log.db", "--dry-run"], "exclude each other", "leave one"),
    "an ended run": (["s.yaml", "--log", "OLD"], "there is no unfinished run of this scenario", ""),
    "no log, but a text": (["s.yaml", "--log", "s.yaml"], "is not a delivery log", ""),
}


@pytest.mark.parametrize("name", RESUMES)
def test_resume(trial, broken_off, name):
    args, what, hint = RESUMES[name]
    for file in broken_off.iterdir():
        shutil.copy(file, trial.dir)
    trial.write("t.yaml", RESUMED.replace("URL", trial.url) + "description: another\n")
    trial.write("fx/words/tags.json", '["only", "these"]')
    kit.emit8("log", "log.db", cwd=trial.dir)  # what was in the log's journal is in the log now
    args = [str(trial.old_log) if a == "OLD" else a for a in args]
    err = trial.refused("run", *args, "--resume", logs=False)
    assert what in err and hint in err, err
    assert kit.emit8("report", "log.db", cwd=trial.dir).out.count("it was killed") == 1


def test_run_without_resume(trial):
    assert "add --resume" in trial.refused("run", "fan-out", "--sink", "--run", "1", logs=False, env=SECRETS)


# --- sink --record ---------------------------------------------------------------------------------------------------

RECORDS = {
    "existing file": ("mine.yaml", {"mine.yaml": "precious\n"}, [], "mine.yaml is there already", "--force"),
    "directory": ("d", {"d/x": "x"}, [], "d", ""),
    "directory, by force": ("d", {"d/x": "x"}, ["--force"], "Is a directory", ""),
    "empty name": ("", {}, [], "--record", ""),
}


@pytest.mark.parametrize("name", RECORDS)
def test_record(trial, name):
    path, files, more, what, hint = RECORDS[name]
    refused(trial, ["sink", "-n", "1", "--record", path, *more], files, what, hint)


def test_nothing_is_recorded_where_the_sink_cannot_listen(trial):
    """A port that is taken, a bad option: no empty recording is left behind, and an old one is not emptied."""
    trial.write("old.yaml", "precious\n")
    for args in (("--listen", trial.url.removeprefix("http://")), ("--status", "999"), ("--secret-file", "no")):
        for record in (("new.yaml",), ("old.yaml", "--force")):
            done = kit.emit8("sink", "--record", *record, *args, cwd=trial.dir)
            assert done.returncode in (2, 3), done.err
            assert not (trial.dir / "new.yaml").exists(), args
            assert (trial.dir / "old.yaml").read_text() == "precious\n", args


def test_record_to_a_full_disk(trial):
    (trial.dir / "full.yaml").symlink_to("/dev/full")
    process = subprocess.Popen([kit.EMIT8, "sink", "--record", "full.yaml", "--force", "-n", "3"], cwd=trial.dir, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=kit.environment())
    first = process.stdout.readline().decode()
    url = re.search(r"http://[^\s,;\"]+", first)
    if url:
        kit.emit8("send", "message.sent", "-n", "3", "--to", url[0], "--retries", "0", "--no-log")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 3, err
    assert b"full.yaml: the recording cannot be written: No space left" in err
