"""What a command writes: never over what it reads or writes elsewhere, "-" is stdout, and what cannot be written is found before anything
is sent."""

import json
import os
import shlex

import kit
import pytest

SECRET_ENV = {"EMIT8_SECRET": kit.SECRET}
LOAD = ("load", "--to", "URL", "-n", "1", "-q")


@pytest.fixture(scope="module")
def receiver():
    with kit.Capture() as capture:
        yield capture


@pytest.fixture(scope="module")
def logged(receiver, tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "b.db"
    assert emit8(receiver, *LOAD, "--log", path).returncode == 0
    return path.read_bytes()


@pytest.fixture
def place(tmp_path, logged):
    """A directory with a log, links to it and to the directory, and a scenario."""
    tmp_path.joinpath("b.db").write_bytes(logged)
    os.link(tmp_path / "b.db", tmp_path / "hard.db")
    (tmp_path / "soft.db").symlink_to("b.db")
    (tmp_path / "dangling.db").symlink_to("new.db")
    (tmp_path / "here").symlink_to(".")
    (tmp_path / "d").mkdir()
    (tmp_path / "secret.txt").write_text(kit.SECRET)
    (tmp_path / "s.yaml").write_text("endpoints: {a: {url: 'http://127.0.0.1:9'}}\nflows: {f: [{emit: message.sent}]}\n"
                                     "run: [{flow: f, arrivals: {times: 1}}]\n")
    return tmp_path


def emit8(receiver, *args, **kwargs):
    receiver.take()
    return kit.emit8(*(receiver.url if a == "URL" else a for a in args), env=SECRET_ENV, **kwargs)


ONE_FILE = {
    "log and report": ((*LOAD, "--log", "b.db", "--report-json", "b.db"), "--report-json b.db and --log b.db are one file"),
    "a hard link": ((*LOAD, "--log", "b.db", "--report-csv", "hard.db"), "--report-csv hard.db and --log b.db"),
    "a symbolic link": ((*LOAD, "--log", "b.db", "--hdr", "soft.db"), "--hdr soft.db and --log b.db"),
    "another way to it": ((*LOAD, "--log", "b.db", "--report-html", "here/./b.db"), "--report-html here/./b.db and --log b.db"),
    "both new": ((*LOAD, "--log", "new.db", "--report-json", "here/d/../new.db"), "--report-json here/d/../new.db and --log new.db"),
    "a link to what is new": ((*LOAD, "--log", "new.db", "--report-json", "dangling.db"), "--report-json dangling.db and --log new.db"),
    "two reports": ((*LOAD, "--no-log", "--report-json", "r", "--report-csv", "./r"), "--report-json r and --report-csv ./r"),
    "the secret": ((*LOAD, "--no-log", "--secret-file", "secret.txt", "--report-tap", "secret.txt"), "--report-tap secret.txt and --secret-file"),
    "the scenario": (("run", "s.yaml", "--no-log", "--report-text", "s.yaml"), "--report-text s.yaml would be written over s.yaml, which is read"),
    "merge's report": (("merge", "b.db", "soft.db", "-o", "all.db", "--report-json", "hard.db"), "--report-json hard.db would be written over b.db"),
    "merge's log": (("merge", "b.db", "-o", "here/b.db", "--force"), "--output here/b.db would be written over b.db"),
    "merge's log and report": (("merge", "b.db", "-o", "all.db", "--report-json", "all.db"), "--output all.db and --report-json all.db"),
    "hdr of a run": (("report", "b.db@1", "--hdr", "b.db"), "--hdr b.db would be written over b.db"),
    "hdr of --log": (("report", "--log", "b.db", "--hdr", "b.db"), "--hdr b.db and --log b.db"),
    "check": (("check", "--to", "URL", "--log", "b.db", "--report-junit", "b.db"), "--report-junit b.db and --log b.db"),
    "sink": (("sink", "--receipts", "r.db", "--record", "r.db"), "--record r.db and --receipts r.db"),
    "stdout twice": ((*LOAD, "--no-log", "--report-json", "-", "--hdr", "-"), "--report-json - and --hdr - both go to stdout"),
    "stdout and a format": ((*LOAD, "--no-log", "--format", "csv", "--report-html", "-"), "--format csv and --report-html - both go to stdout"),
    "stdout and lines": (("send", "message.sent", "-v", "--to", "URL", "--no-log", "--report-tap", "-"), "--verbose and --report-tap - both go to stdout"),
    "no name": ((*LOAD, "--no-log", "--report-json="), "--report-json: the name of the file is empty"),
    "no name of a merged log": (("merge", "b.db", "-o", ""), "--output: the name of the file is empty"),
    "no name of receipts": (("sink", "--receipts", ""), "--receipts: the name of the file is empty"),
    "a log": ((*LOAD, "--log", "-"), "--log - cannot go to stdout"),
    "a merged log": (("merge", "b.db", "-o", "-"), "--output - cannot go to stdout"),
    "a recording": (("sink", "--record", "-"), "--record - cannot go to stdout"),
}


@pytest.mark.parametrize("name", ONE_FILE)
def test_nothing_is_written_over(place, receiver, name):
    args, told = ONE_FILE[name]
    before = {n: (place / n).stat().st_mtime_ns for n in os.listdir(place) if (place / n).exists()}
    done = emit8(receiver, *args, cwd=place)
    assert done.returncode == 2 and told in done.err and done.out == "", done.err
    assert {n: (place / n).stat().st_mtime_ns for n in os.listdir(place) if (place / n).exists()} == before
    assert receiver.take() == []


def test_the_default_log_is_not_written_over(place, receiver):
    log = place / "emit8" / "deliveries.db"
    done = kit.emit8("load", "--to", receiver.url, "-n", "1", "--report-json", log, env={"XDG_STATE_HOME": str(place)})
    assert done.returncode in (2, 3) and not log.exists()
    log.parent.mkdir(exist_ok=True)
    done = kit.emit8("load", "--to", receiver.url, "-n", "1", "--report-json", log, env={"XDG_STATE_HOME": str(place)})
    assert done.returncode == 2 and f"--report-json {log} and --log {log} are one file" in done.err
    assert not log.exists() and receiver.take() == []


def test_the_file_of_stdout_is_not_written_over(place, receiver):
    command = shlex.join([kit.EMIT8, "load", "--to", receiver.url, "-n", "1", "--no-log", "--report-json", "f"])
    done = kit.subprocess.run(["sh", "-c", f"{command} > f"], cwd=place, env=kit.environment(), capture_output=True, timeout=30)
    assert done.returncode == 2 and b"--report-json f is the file that stdout goes to" in done.stderr


def test_what_goes_nowhere_may_go_there_twice(place, receiver):
    assert emit8(receiver, *LOAD, "--no-log", "--report-json", "/dev/null", "--report-csv", "/dev/null").returncode == 0


def test_a_log_may_be_replayed_into_itself(place, receiver):
    done = emit8(receiver, "replay", "b.db", "--to", "URL", "--log", "b.db", "--speed", "max", cwd=place)
    assert done.returncode == 0, done.err


DASHES = {
    "load json": ((*LOAD, "--no-log", "--report-json", "-"), lambda out: json.loads(out)["totals"]["delivered"] == 1),
    "load html": ((*LOAD, "--no-log", "--report-html", "-"), lambda out: out.startswith("<!DOCTYPE html>") and out.rstrip().endswith("</html>")),
    "load hdr": ((*LOAD, "--no-log", "--hdr", "-"), lambda out: out.startswith("#[Histogram log") and "load" not in out),
    "send": (("send", "message.sent", "--to", "URL", "--no-log", "--report-ndjson", "-"), lambda out: json.loads(out)["verdict"] == "pass"),
    "report": (("report", "b.db", "--hdr", "-"), lambda out: out.startswith("#[Histogram log") and "Percentiles" not in out),
    "check": (("check", "--to", "URL", "--no-log", "--only", "EVT-01", "--report-json", "-"), lambda out: json.loads(out)["suite"] == "emit8 check"),
    "events": (("events", "export", "--asyncapi", "-o", "-"), lambda out: json.loads(out)["asyncapi"].startswith("3")),
}


@pytest.mark.parametrize("name", DASHES)
def test_a_dash_is_stdout_and_has_it_alone(place, receiver, name):
    args, good = DASHES[name]
    done = emit8(receiver, *args, cwd=place)
    assert good(done.out), done.out + done.err
    assert not (place / "-").exists()


UNWRITABLE = {
    "log": (*LOAD, "--log", "no/such"),
    "log below a file": (*LOAD, "--log", "secret.txt/x.db"),
    "report": (*LOAD, "--no-log", "--report-json", "no/such"),
    "report below a file": (*LOAD, "--no-log", "--report-html", "secret.txt/x"),
    "report where nothing can be made": (*LOAD, "--no-log", "--report-junit", "/proc/x"),
    "hdr": (*LOAD, "--no-log", "--hdr", "no/such"),
    "report's hdr": ("report", "b.db", "--hdr", "no/such"),
    "check": ("check", "--to", "URL", "--no-log", "--report-tap", "no/such"),
    "check's log": ("check", "--to", "URL", "--log", "no/such"),
    "find-max": ("find-max", "--to", "URL", "--slo", "p(99) < 1s", "--log", "no/such"),
    "merge": ("merge", "b.db", "-o", "no/such.db"),
    "merge's report": ("merge", "b.db", "-o", "all.db", "--report-csv", "no/such"),
    "events": ("events", "export", "--asyncapi", "-o", "no/such"),
    "fixtures": ("events", "export", "/proc/x"),
    "init": ("init", "no/such.yaml"),
    "recording": ("sink", "-n", "1", "--record", "no/such"),
    "receipts": ("sink", "-n", "1", "--receipts", "no/such"),
}


@pytest.mark.parametrize("name", UNWRITABLE)
def test_what_the_system_refuses_is_3_and_nothing_is_sent(place, receiver, name):
    before = sorted(os.listdir(place))
    done = emit8(receiver, *UNWRITABLE[name], cwd=place)
    assert done.returncode == 3 and done.out == "", (done.returncode, done.out, done.err)
    assert "No such file" in done.err or "Not a directory" in done.err or "unable to open" in done.err, done.err
    assert sorted(os.listdir(place)) == before and receiver.take() == []


@pytest.mark.parametrize("args", [
    (*LOAD, "--log", "d"), (*LOAD, "--no-log", "--report-json", "d"), (*LOAD, "--no-log", "--hdr", "d"),
    ("check", "--to", "URL", "--no-log", "--report-text", "d"), ("events", "export", "--asyncapi", "--force", "-o", "d"),
    ("sink", "-n", "1", "--force", "--record", "d"),
], ids=" ".join)
def test_a_directory_is_no_file(place, receiver, args):
    done = emit8(receiver, *args, cwd=place)
    assert done.returncode == 2 and "irectory" in done.err, done.err
    assert receiver.take() == []


def test_a_refused_run_leaves_no_report_and_the_old_one(place, receiver):
    (place / "old.json").write_text("precious")
    done = emit8(receiver, *LOAD, "--log", "no/such", "--report-json", "old.json", "--report-csv", "new.csv", cwd=place)
    assert done.returncode == 3 and (place / "old.json").read_text() == "precious" and not (place / "new.csv").exists()


def test_the_command_can_be_pasted(place, receiver):
    """run.command is what a shell takes for the same words; secrets are left out of it."""
    url = receiver.url.replace("http://", "http://me:swordfish@") + "/a?b=1&c=2"
    args = ["load", "--to", url, "-n", "1", "--no-log", "--threshold", "p(99)<20s", "--header", "X-A: it's a \"secret\"", "message.sent"]
    done = kit.emit8(*args, "--format", "json", env=SECRET_ENV)
    command = json.loads(done.out)["run"]["command"]
    assert "swordfish" not in command and "secret" not in command
    assert "--threshold 'p(99)<20s'" in command and "--header '***'" in command and "--number 1 " in command
    words = shlex.split(command)
    assert words[:3] == ["emit8", "load", "message.sent"] and "p(99)<20s" in words
    assert [w for w in words if "://" in w] == [url.replace("me:swordfish@", "")]
