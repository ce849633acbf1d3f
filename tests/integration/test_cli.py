"""The command line: help, options, completion, environment, dry runs, and the event types."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import jsonschema
import kit
import pytest

COMMANDS = "send run validate init sink events log report merge sign verify completion version".split()
SEVENTEENTH = pathlib.Path(kit.SOURCE) / "tests" / "fixtures" / "seventeenth"
FIXTURES = pathlib.Path(kit.SOURCE) / "fixtures"

# A value that each option's argument takes, by the name that help gives to it.
VALUES = {
    "N": "1", "C": "2", "RATE": "10/s", "DUR": "2s", "TIME": kit.CLOCK, "FACTOR": "2x",
    "STATUS": "503", "PATTERN": "agent.*", "NAME": "x", "RULE": "failed < 9",
    "MIX": "", "DIST": "5ms", "VALUE": "3", "URL": "http://127.0.0.1:9/", "PATH=VALUE": "data.x=1", "PATH": "data.x",
    "HOST": "example.com", "'NAME: VALUE'": "X-A: b", "ADDR:PORT": "127.0.0.1:0", "H1:P1:H2:P2": "a:1:127.0.0.1:2",
    "HOST:PORT:ADDR": "a:1:127.0.0.1", "[NAME=]URL": "http://127.0.0.1:9/", "FILE": "file", "DIR": "dir",
    "DELIVERY": "dlv_", "ID": "evt_1", "UNIX": "1", "NAME=VALUE": "n=7", "POINTER": "/count", "COMMAND": "true",
    "I/N": "1/2", "[FILE=]N": "1",
}  # fmt: skip


def value_of(argument):
    """One that is right; of those that help lists ("text|json") the first."""
    return argument.split("|")[0] if argument and "|" in argument else VALUES.get(argument)


def options_of(command):
    """(letter or None, name, argument or None) of each option that help lists."""
    out = kit.emit8(command, "--help").out
    found = []
    for line in out[out.index("\nOptions:\n") :].splitlines():
        match = re.match(r"  (?:-(\w), |    )--([a-z-]+)(?: ('[^']+'|\S+))?(?:  |$)", line)
        if match:
            found.append((match[1], match[2], match[3]))
    return found


# Help


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(command):
    long, short, word = kit.emit8(command, "--help"), kit.emit8(command, "-h"), kit.emit8("help", command)
    assert long.returncode == short.returncode == word.returncode == 0
    assert long.out == short.out == word.out and not long.err
    assert long.out.startswith(f"emit8 {command}")
    names = [name for _, name, _ in options_of(command)]
    assert "help" in names and "color" in names
    assert len(names) == len(set(names)), "an option twice"
    letters = [letter for letter, _, _ in options_of(command) if letter]
    assert len(letters) == len(set(letters)), "a letter twice"


def test_help_of_all():
    out = kit.emit8("--help").out
    assert kit.emit8("help").out == kit.emit8("-h").out == out
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", out, re.M)
    nothing = kit.emit8()
    assert nothing.returncode == 2 and nothing.err == out and not nothing.out


def test_help_wins_over_what_is_missing():
    for command in COMMANDS:
        done = kit.emit8(command, "--help")
        assert done.returncode == 0 and not done.err, command


def test_version():
    for args in ["version"], ["--version"], ["-V"]:
        done = kit.emit8(*args)
        assert done.returncode == 0 and re.fullmatch(r"emit8 \d+\.\d+\.\d+ \(libcurl [\d.]+\)\n", done.out)


# Options


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_help_is_parsed(command):
    """In each spelling; --help last, so that nothing happens but the parsing."""
    options = options_of(command)
    assert len(options) >= 4
    apart, joined, letters, attached = [], [], [], []
    for letter, name, argument in options:
        value = value_of(argument)
        assert argument is None or value is not None, f"help calls it {argument}"
        apart += [f"--{name}", value] if argument else [f"--{name}"]
        joined += [f"--{name}={value}" if argument else f"--{name}"]
        if letter:
            letters += [f"-{letter}", value] if argument else [f"-{letter}"]
            attached += [f"-{letter}{value}"] if value else [f"-{letter}"] if not argument else []
        wrong = kit.emit8(command, f"--{name}" if argument else f"--{name}=x")
        assert wrong.returncode == 2
        assert (f"--{name} needs a value" if argument else f"--{name} takes no value") in wrong.err
    for spelling in apart, joined, letters, attached:
        done = kit.emit8(command, *spelling, "--help")
        assert done.returncode == 0, (spelling, done.err)
        assert done.out.startswith(f"emit8 {command}")


@pytest.mark.parametrize(
    "args, said",
    [
        (["sned"], 'unknown command "sned"; did you mean "send"?'),
        (["reports"], 'unknown command "reports"; did you mean "report"?'),
        (["help", "sned"], 'unknown command "sned"; did you mean "send"?'),
        (["qqqqqq"], 'unknown command "qqqqqq"; emit8 --help lists them'),
        (["send", "--concurency", "1"], "unknown option --concurency; did you mean --concurrency?"),
        (["log", "--folow"], "unknown option --folow; did you mean --follow?"),
        (["run", "--concurrency", "1"], "unknown option --concurrency"),
        (["send", "-Z"], "unknown option -Z; emit8 send --help lists them"),
        (["send"], "emit8: send: no event type is given"),
        (["run", "a", "b"], '"b" is one word too many'),
        (["events", "lst"], 'unknown word "lst"; did you mean "list"?'),
        (["events", "list", "x"], '"x" is one word too many'),
        (["events", "list", "--format", "csv"], "text, json or ndjson"),
        (["events", "schema", "message.sennt"], 'did you mean "message.sent"?'),
        (["events", "show", "mesage.sent"], "message.sent"),
        (["events", "show"], "which type?"),
        (["events", "show", "message.sent", "-e", "stagin"], 'did you mean "staging"?'),
        (["send", "message.sent"], "--to is missing"),
        (["send", "message.sent", "--to", "ftp://127.0.0.1/"], "http"),
        (["send", "message.sent", "--to", "http://127.0.0.1:9/", "-n", "0"], "from 1"),
        (["send", "message.sent", "--to", "http://127.0.0.1:9/", "--set", "data"], "PATH=VALUE"),
        (["send", "message.sent", "--to", "http://127.0.0.1:9/", "--rate", "5"], "100/s"),
        (["send", "message.sent", "--to", "http://127.0.0.1:9/", "--scheme", "strype"], 'did you mean "stripe"?'),
        (["send", "message.sent", "--to", "http://127.0.0.1:9/", "-e", "live"], "production, staging or development"),
        (["send", "message.sent", "--to", "http://127.0.0.1:9/", "--format", "xml"], "ndjson"),
        (["run", "suport-day", "--sink"], 'did you mean "support-day"?'),
        (["run", "nothing-like-it", "--sink"], "built in are agent-rollout, "),
        (["run", "quick", "--sink", "--speed", "0"], "0.001x"),
        (["run", "quick", "--sink", "--to", "http://127.0.0.1:9/"], "exclude each other"),
        (["completion", "tcsh"], "bash, zsh or fish"),
        (["sink", "--status", "99"], "no status"),
        (["sink", "--fail", "rset:1%"], 'did you mean "reset"?'),
        (["sink", "--latency", "soon"], '--latency: "soon" is no duration'),
        (["sink", "--latency", "lognormal:20ms"], "MEDIAN,FACTOR"),
        (["sink", "--seed", "1", "--seed", "2"], "--seed is given twice"),
        (["find-max", "--to", "http://127.0.0.1:9/", "--slo", "p(99) < 200"], """--slo 'p(99) < 200': "200" is no duration; with its unit: 200ms"""),
        (["diff", "a", "b", "--fail-if", "p(99) > +10"], "--fail-if 'p(99) > +10'"),
    ],
)
def test_a_wrong_command_line_says_what_would_be_right(args, said):
    done = kit.emit8(*args, timeout=10)
    assert done.returncode == 2, done.err
    assert said in done.err
    assert done.err.startswith("emit8: ")
    assert not done.out


def test_two_dashes_end_the_options():
    done = kit.emit8("events", "show", "--", "--seed")
    assert done.returncode == 2 and 'no event type matches "--seed"' in done.err


def test_the_built_in_scenarios_are_those_of_the_directory():
    for path in (pathlib.Path(kit.SOURCE) / "scenarios").glob("*.yaml"):
        done = kit.emit8("run", path.stem, "--to", "ftp://x/", "--no-log")
        assert done.returncode == 2 and "is no file" not in done.err
        assert path.stem in kit.emit8("run", "nothing-like-it", "--sink").err


# Completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_accepted_and_complete(shell, tmp_path):
    done = kit.emit8("completion", shell)
    assert done.returncode == 0
    for command in COMMANDS:
        assert command in done.out
        for _, name, _ in options_of(command):
            assert name in done.out
    script = tmp_path / "script"
    script.write_text(done.out)
    if shutil.which(shell):
        check = subprocess.run([shell, "-n", script], capture_output=True, text=True)
        assert check.returncode == 0, check.stderr
        assert not check.stderr


def complete(tmp_path, *words):
    """What bash offers for the last word."""
    script = tmp_path / "script"
    script.write_text(kit.emit8("completion", "bash").out)
    line = " ".join(f"'{word}'" for word in words)
    program = f"source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _emit8"
    program += "; printf '%s\\n' \"${COMPREPLY[@]}\""
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    return done.stdout.split()


def test_completion_completes_in_bash(tmp_path):
    assert complete(tmp_path, "emit8", "ver") == ["verify", "version"]
    assert set(COMMANDS) <= set(complete(tmp_path, "emit8", ""))
    assert complete(tmp_path, "emit8", "send", "--conc") == ["--concurrency"]
    assert set(complete(tmp_path, "emit8", "log", "--")) == {f"--{name}" for _, name, _ in options_of("log")}
    (tmp_path / "scenario.yaml").touch()
    assert "scenario.yaml" in complete(tmp_path, "emit8", "run", "scen")


def test_completion_offers_the_values_of_options(tmp_path):
    assert complete(tmp_path, "emit8", "serve", "--plan", "") == ["unlimited", "starter", "pro"]
    assert complete(tmp_path, "emit8", "serve", "--format", "") == ["text", "ndjson"]
    assert complete(tmp_path, "emit8", "run", "quick", "--plan", "") == ["json", "ndjson"]
    assert complete(tmp_path, "emit8", "run", "quick", "--format", "j") == ["json", "junit"]
    assert complete(tmp_path, "emit8", "report", "--format", "=", "ht") == ["html"]  # as bash takes --format=ht apart
    assert complete(tmp_path, "emit8", "diff", "--format", "=") == ["text", "json"]
    zsh, fish = kit.emit8("completion", "zsh").out, kit.emit8("completion", "fish").out
    for command in COMMANDS:
        for _, name, argument in options_of(command):
            if argument and "|" in argument:
                values = argument.split("|")
                assert complete(tmp_path, "emit8", command, f"--{name}", "") == values
                assert f"]: :({' '.join(values)})'" in zsh
                assert f"'__fish_seen_subcommand_from {command}' -l {name} -x -a '{' '.join(values)}' -d " in fish


@pytest.mark.parametrize("line, name", [
    ("check --list", "format"), ("validate none.yaml", "format"), ("sink --listen none", "format"), ("serve --listen none", "format"),
    ("serve --listen none", "plan"), ("events list", "format"), ("report none.db", "format"), ("log none.db", "format"),
    ("run quick", "plan"), ("diff a.db b.db", "format"),
])  # fmt: skip
def test_the_values_that_help_lists_are_those_that_are_taken(tmp_path, line, name):
    def refusal(value):
        return kit.emit8(*line.split(), f"--{name}", value, cwd=tmp_path, timeout=10, env={"XDG_STATE_HOME": str(tmp_path)}).err

    unknown = re.compile("unknown format|is not known|has no lines as|has no JSON")
    assert unknown.search(refusal("nonsense"))
    listed = next(argument for _, option, argument in options_of(line.split()[0]) if option == name)
    for value in listed.split("|"):
        assert not unknown.search(refusal(value)), value


def test_a_wrong_value_names_its_option(tmp_path):
    secret = kit.secret_file(tmp_path)
    to = ["--to", "http://127.0.0.1:9/", "--secret-file", secret, "--no-log"]
    (tmp_path / "r.yaml").write_text(
        "# from 2026-03-01T12:00:00.000Z\nscenario: recorded\nflows:\n  recorded:\n"
        "    - {emit: message.sent, at: 0ms, id: d1, verbatim: true, headers: {X-A: b}, body: '{}'}\n"
    )
    for args in (["send", "message.sent"], ["run", "quick"], ["load", "-n", "1"], ["replay", tmp_path / "r.yaml"]):
        for value, said in (("foo", "127.0.0.1:PORT"), ("0.0.0.0:9464", "127.0.0.1:9464")):
            done = kit.emit8(*args, *to, "--metrics", value, timeout=10)
            assert done.returncode == 2 and not done.out
            assert done.err.startswith("emit8: --metrics: ") and value in done.err and said in done.err, done.err
    state = tmp_path / "state"
    for value, said in (("notaurl", "http:// or https://"), ("http://192.0.2.1/", "--allow-target 192.0.2.1")):
        done = kit.emit8("serve", "--state", state, "--listen", "127.0.0.1:0", "--notify", value, timeout=10)
        assert done.returncode == 2 and done.err.startswith("emit8: --notify: ") and said in done.err, done.err
    assert not state.exists()


@pytest.mark.parametrize("line", ["diff none.db none.db", "report none.db", "report none.db none.db", "log none.db"])
def test_a_log_that_is_named_as_a_word_is_not_hinted_to_an_option(tmp_path, line):
    done = kit.emit8(*line.split(), cwd=tmp_path, timeout=10)
    assert done.returncode == 2 and done.err == "emit8: none.db: there is no delivery log; emit8 run makes one; name another file\n"


# The environment


def seen(env, *args):
    """What one send does: (the request, exit code) with these variables."""
    with kit.Capture() as capture:
        variables = {k: v.replace("URL", capture.url) for k, v in env.items()}
        arguments = [str(a).replace("URL", capture.url) for a in args]
        done = kit.emit8("send", "message.sent", *arguments, "--no-log", env=variables)
        assert done.returncode == 0, done.err
        return capture.requests[0]


def test_variables_stand_in_for_options(tmp_path):
    secret = kit.secret_file(tmp_path)
    env = {
        "EMIT8_TO": "URL/from-env",
        "EMIT8_SECRET_FILE": str(secret),
        "EMIT8_SCHEME": "github",
        "EMIT8_ENVIRONMENT": "staging",
        "EMIT8_SEED": "5",
    }
    request = seen(env, "--clock", kit.CLOCK)
    assert request["path"] == "/from-env"
    assert request["headers"]["x-hub-signature-256"] == kit.signature(request["body"])
    assert json.loads(request["body"])["environment"] == "staging"
    options = ["--to", "URL/from-env", "--secret-file", secret, "--scheme", "github", "-e", "staging", "--seed", 5]
    assert seen({}, *options, "--clock", kit.CLOCK)["body"] == request["body"]


def test_options_win_over_variables(tmp_path):
    other = tmp_path / "other"
    other.write_text("some-other-secret-0123456789")
    env = {
        "EMIT8_TO": "http://127.0.0.1:1/",
        "EMIT8_SECRET_FILE": str(other),
        "EMIT8_SCHEME": "nonsense",
        "EMIT8_ENVIRONMENT": "nonsense",
        "EMIT8_SEED": "nonsense",
        "EMIT8_RETRIES": "nonsense",
        "EMIT8_TIMEOUT": "nonsense",
    }
    options = ["--to", "URL", "--secret-file", kit.secret_file(tmp_path), "--scheme", "8bit", "-e", "staging"]
    request = seen(env, *options, "--seed", 5, "--retries", 0, "--timeout", "3s", "--clock", kit.CLOCK)
    kit.assert_signed(request)
    expected = seen({}, "--to", "URL", "-e", "staging", "--seed", 5, "--clock", kit.CLOCK)
    assert request["body"] == expected["body"]


def test_a_secret_in_the_environment(tmp_path):
    request = seen({"EMIT8_SECRET": kit.SECRET}, "--to", "URL")
    kit.assert_signed(request)
    other = tmp_path / "other"
    other.write_text("some-other-secret-0123456789")
    request = seen({"EMIT8_SECRET": kit.SECRET}, "--to", "URL", "--secret-file", other)
    kit.assert_signed(request, "some-other-secret-0123456789")


def test_not_every_option_has_a_variable():
    """What a forgotten variable would make dangerous or puzzling has none."""
    env = {"EMIT8_NUMBER": "3", "EMIT8_SET": "data.x=1", "EMIT8_RAW": "/etc/hostname", "EMIT8_DRY_RUN": "1"}
    env |= {"EMIT8_HEADER": "X-A: b", "EMIT8_CLOCK": "2000-01-01", "EMIT8_INSECURE": "1", "EMIT8_PROXY": "http://x/"}
    request = seen(env, "--to", "URL")
    assert "x-a" not in request["headers"]
    event = json.loads(request["body"])
    assert "x" not in event["data"] and not event["created_at"].startswith("2000")


def test_an_empty_variable_is_none():
    request = seen({"EMIT8_SECRET": "", "EMIT8_SCHEME": "", "EMIT8_SEED": ""}, "--to", "URL")
    assert "x-8bit-signature-256" not in request["headers"]


def test_the_log_goes_where_the_environment_says(tmp_path):
    with kit.Capture() as capture:
        args = ["send", "message.sent", "--to", capture.url]
        for env, path in (
            ({"EMIT8_LOG": str(tmp_path / "a.db"), "XDG_STATE_HOME": str(tmp_path / "s")}, tmp_path / "a.db"),
            ({"XDG_STATE_HOME": str(tmp_path / "state")}, tmp_path / "state" / "emit8" / "deliveries.db"),
            ({"HOME": str(tmp_path / "h")}, tmp_path / "h" / ".local" / "state" / "emit8" / "deliveries.db"),
        ):
            assert kit.emit8(*args, env=env).returncode == 0
            assert len(kit.attempts(path)) == 1
        assert kit.emit8(*args, "--log", tmp_path / "b.db", env={"EMIT8_LOG": str(tmp_path / "a.db")}).returncode == 0
        assert len(kit.attempts(tmp_path / "a.db", "--run", "all")) == 1
        assert len(kit.attempts(tmp_path / "b.db")) == 1


# run: options that stand for all endpoints


def test_run_takes_headers_and_the_scheme_from_the_command_line(tmp_path):
    with kit.Capture() as capture:
        scenario = tmp_path / "scenario.yaml"
        scenario.write_text(
            f"endpoints:\n  a: {{url: {capture.url}, secret: {kit.SECRET}, headers: {{X-Team: a, X-Own: b}}}}\n"
            "flows: {f: [{emit: message.sent}]}\nrun: [{flow: f}]\n"
        )
        args = ["-H", "X-Team: mine", "-H", "X-More: 1", "--scheme", "github", "--no-log"]
        assert kit.emit8("run", scenario, *args).returncode == 0
        headers = capture.requests[0]["headers"]
        assert (headers["x-team"], headers["x-own"], headers["x-more"]) == ("mine", "b", "1")
        assert headers["x-hub-signature-256"] == kit.signature(capture.requests[0]["body"])
        assert kit.emit8("run", scenario, "--scheme", "standard-webhooks", "--no-log").returncode == 2, "no such secret"
        assert len(capture.requests) == 1


# Dry runs


BODIES = {
    "a template": [],
    "what was set": ["--set", "data.text=it's \"quoted\" \\ $HOME `id` %s\n漢 🎉"],
    "raw text": b'{"a": "it\'s"}\n',
    "raw bytes": bytes(range(256)),
    "an at sign": b"@/etc/hostname",
    "empty": b"",
    "large": b'{"x": "' + b"y" * 200_000 + b'"}',
}


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("scheme", ["8bit", "stripe"])
def test_a_dry_run_gives_the_request_and_a_curl_command_that_sends_it(tmp_path, body, scheme):
    with kit.Capture() as capture:
        options = BODIES[body]
        if isinstance(options, bytes):
            raw = tmp_path / "raw"
            raw.write_bytes(options)
            options = ["--raw", raw]
        args = ["send", "message.sent", "--to", capture.url + "/a%20b?c='d'&e=[f]", "--seed", 3, "--clock", kit.CLOCK]
        args += ["--secret-file", kit.secret_file(tmp_path), "--scheme", scheme, "-H", "X-Odd: it's; $x", *options]
        dry = kit.emit8(*args, "--dry-run")
        assert dry.returncode == 0, dry.err
        assert not capture.requests
        assert kit.emit8(*args, "--no-log").returncode == 0
        (real,) = capture.take()
        assert dry.stdout.startswith(real["raw"] + b"\n\n"), "the request, byte for byte"
        command = dry.stdout[len(real["raw"]) + 2 :]
        shell = subprocess.run(["sh"], input=command, capture_output=True, env={"PATH": os.environ["PATH"]}, timeout=20)
        assert shell.returncode == 0, shell.stderr
        (curled,) = capture.take()
    assert curled["body"] == real["body"]
    assert curled["path"] == real["path"]
    del curled["headers"]["accept"]  # curl's own
    assert curled["headers"] == real["headers"]
    if scheme == "8bit":
        kit.assert_signed(curled)


def test_a_dry_run_shows_every_event(tmp_path):
    done = kit.emit8("send", "agent.*", "-n", 6, "--to", "http://127.0.0.1:9/x", "--dry-run")
    assert done.returncode == 0
    assert done.out.count("POST /x HTTP/1.1\r\n") == 6
    assert done.out.count("\ncurl -X POST 'http://127.0.0.1:9/x'") == 6
    assert "not signed" in done.err


# Events


def test_events_list():
    catalog = json.loads((FIXTURES / "catalog.json").read_text())["types"]
    rows = json.loads(kit.emit8("events", "list", "--format", "json").out)
    assert rows == catalog_rows(catalog)
    lines = kit.emit8("events", "--format", "ndjson").out.splitlines()
    assert list(map(json.loads, lines)) == rows
    text = kit.emit8("events").out
    assert text == kit.emit8("events", "list").out
    for row, line in zip(catalog, text.splitlines()):
        assert row["type"] in line.split() and line.endswith(row["description"])
    assert len(text.splitlines()) == 16


def catalog_rows(catalog):
    return [{key: row[key] for key in ("type", "category", "description", "weight")} for row in catalog]


def test_events_show():
    out = kit.emit8("events", "show", "message.*", "agent.error", "-n", 2, "--seed", 1, "--format", "ndjson").out
    events = list(map(json.loads, out.splitlines()))
    assert len(events) == 8
    assert {e["type"] for e in events} == {"message.received", "message.sent", "message.failed", "agent.error"}
    args = ["events", "show", "message.sent", "--seed", 1, "--clock", kit.CLOCK, "-e", "staging"]
    pretty, line = kit.emit8(*args).out, kit.emit8(*args, "--format", "ndjson").out
    assert json.loads(pretty) == json.loads(line)
    assert pretty.count("\n") > 10 and line.count("\n") == 1
    event = json.loads(line)
    assert event["environment"] == "staging" and event["created_at"].startswith("2026-03-01T12:00:00")
    assert kit.emit8(*args, "--format", "ndjson").out == line


def test_events_schema():
    for path in (FIXTURES / "schemas").glob("*.json"):
        done = kit.emit8("events", "schema", path.stem)
        assert done.returncode == 0
        assert json.loads(done.out) == json.loads(path.read_text())
        jsonschema.Draft202012Validator.check_schema(json.loads(done.out))


@pytest.fixture
def exported(tmp_path):
    directory = tmp_path / "mine"
    done = kit.emit8("events", "export", directory)
    assert done.returncode == 0, done.err
    return directory


def test_events_export(exported):
    files = {str(p.relative_to(FIXTURES)) for p in FIXTURES.rglob("*.json")}
    assert files <= {str(p.relative_to(exported)) for p in exported.rglob("*.json")}
    for name in files:
        assert (exported / name).read_bytes() == (FIXTURES / name).read_bytes()
    done = kit.emit8("events", "validate", exported)
    assert done.returncode == 0 and "16 event types, all valid" in done.out
    event = exported / "events" / "message.sent.json"
    event.write_text("mine")
    again = kit.emit8("events", "export", exported)
    assert again.returncode == 2 and "--force" in again.err
    assert event.read_text() == "mine", "nothing is lost"
    assert kit.emit8("events", "export", exported, "--force").returncode == 0
    assert event.read_bytes() == (FIXTURES / "events" / "message.sent.json").read_bytes()


def test_an_export_does_not_change_what_is_sent(exported):
    args = ["events", "show", "*", "--seed", 4, "--clock", kit.CLOCK, "--format", "ndjson"]
    assert kit.emit8(*args, "--fixtures", exported).out == kit.emit8(*args).out != ""


def place(path, text):
    """file:line:col of the text in the file, as an error names it."""
    lines = path.read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if text in line)
    return f"{path}:{number + 1}:{lines[number].index(text) + 1}: "


def plant(path, old, new):
    text = path.read_text()
    assert old in text, old
    path.write_text(text.replace(old, new, 1))


def test_events_validate_finds_all_faults_with_their_places(exported):
    events = exported / "events"
    plant(events / "message.sent.json", '"{{conversation.id}}"', '"{{conversation.identity}}"')
    plant(events / "message.received.json", '"{{session.id}}"', '"{{$randomSession}}"')
    plant(events / "session.started.json", '"{{session.id}}"', '"{{$pick no-such-list}}"')
    plant(events / "agent.error.json", '"{{agent.id}}"', '"{{$randomInt 9..1}}"')
    plant(events / "conversation.ended.json", '"{{conversation.id}}"', '"{{conversation.id"')
    done = kit.emit8("events", "validate", exported)
    assert done.returncode == 2 and not done.out
    assert done.err.splitlines()[0] == "emit8: 5 faults"
    for name, text in (
        ("message.sent", '"{{conversation.identity}}"'),
        ("message.received", '"{{$randomSession}}"'),
        ("session.started", '"{{$pick no-such-list}}"'),
        ("agent.error", '"{{$randomInt 9..1}}"'),
        ("conversation.ended", '"{{conversation.id"'),
    ):
        assert place(events / f"{name}.json", text) in done.err, name
    assert done.err.count("^") == 5, "each with its line and a caret"


@pytest.mark.parametrize(
    "name, old, new, mark",
    [
        ("catalog.json", '"weight": 50', '"weight": "many"', '"many"'),
        ("catalog.json", '"type": "message.sent"', '"type": "message sent"', '"message sent"'),
        ("entities.json", '"$scope": "run"', '"$scope": "rum"', '"rum"'),
        ("envelope.json", '"{{event.type}}"', '"{{event.typ}}"', '"{{event.typ}}"'),
        ("placeholders.json", "{{$pick first-names}}", "{{$pick first-nams}}", None),
        ("schemes.json", '"algorithm": "sha256"', '"algorithm": "md5"', '"md5"'),
        ("platform.json", '"base": "1s"', '"base": "soon"', '"soon"'),
        ("words/plans.json", "[", "[[", None),
        ("events/message.sent.json", ",\n", "\n", None),
    ],
)
def test_events_validate_names_the_place_of_a_fault(exported, name, old, new, mark):
    path = exported / name
    if old not in path.read_text():
        old = re.search(r"\{\{\$pick [a-z-]+\}\}", path.read_text())[0]
        new = "{{$pick no-such-list}}"
    plant(path, old, new)
    done = kit.emit8("events", "validate", exported)
    assert done.returncode == 2
    assert re.search(rf"^{re.escape(str(path))}:\d+:\d+: ", done.err, re.M), done.err
    if mark:
        assert place(path, mark) in done.err


def test_events_validate_holds_events_against_their_schemas(exported):
    plant(exported / "events" / "message.sent.json", '"role": "assistant"', '"role": "robot"')
    schema = exported / "schemas" / "session.started.json"
    plant(schema, '"const": "session.started"', '"const": "session.begun"')
    done = kit.emit8("events", "validate", exported)
    assert done.returncode == 2
    assert "message.sent.json" in done.err and "/data/role" in done.err
    assert "session.started.json" in done.err and "/type" in done.err


# A seventeenth type, by files alone


def test_a_new_type_is_in_all_of_events():
    fixtures = ["--fixtures", SEVENTEENTH]
    rows = json.loads(kit.emit8("events", "list", "--format", "json", *fixtures).out)
    assert len(rows) == 17 and rows[-1]["type"] == "invoice.paid" and rows[-1]["category"] == "invoice"
    schema = json.loads(kit.emit8("events", "schema", "invoice.paid", *fixtures).out)
    for line in kit.emit8("events", "show", "invoice.*", "-n", 20, "--format", "ndjson", *fixtures).out.splitlines():
        jsonschema.Draft202012Validator(schema).validate(json.loads(line))
    assert "17 event types, all valid" in kit.emit8("events", "validate", SEVENTEENTH).out
    assert kit.emit8("events", "show", "invoice.paid").returncode == 2, "unknown without the directory"


def test_a_new_type_is_sent_run_logged_shown_and_reported(tmp_path):
    log, secret = tmp_path / "log.db", kit.secret_file(tmp_path)
    env = {"EMIT8_FIXTURES": str(SEVENTEENTH)}
    with kit.Capture() as capture:
        args = ["--to", capture.url, "--secret-file", secret, "--log", log]
        assert kit.emit8("send", "invoice.paid", *args, env=env).returncode == 0
        assert kit.emit8("send", "*", *args, env=env).returncode == 0
        scenario = tmp_path / "scenario.yaml"
        scenario.write_text(
            f"endpoints:\n  billing: {{url: {capture.url}/b, events: [invoice.*], secret: {kit.SECRET}}}\n"
            f"  rest: {{url: {capture.url}/r, events: [message.*], secret: {kit.SECRET}}}\n"
            "flows: {f: [{emit: message.sent}, {emit: invoice.paid, set: {data.note: n}}, {emit: invoice.paid}]}\n"
            "run: [{flow: f, arrivals: {times: 3}}]\n"
        )
        done = kit.emit8("run", scenario, "--log", log, env=env)
        assert done.returncode == 0, done.err
        paid = [r for r in capture.requests if r["headers"]["x-8bit-event"] == "invoice.paid"]
        assert len(paid) == 1 + 1 + 6 and len(capture.requests) == 1 + 17 + 9
        assert {r["path"] for r in paid[2:]} == {"/b"}
        for request in paid:
            kit.assert_signed(request)
            shown = kit.emit8(
                "log", log, "--show", request["headers"]["x-8bit-delivery"], "--secret-file", secret, env=env
            )
            assert request["raw"] in shown.stdout and not shown.err
    assert len(kit.attempts(log, "--run", "all", "--type", "invoice.*")) == 8
    report = json.loads(kit.emit8("report", log, "--format", "json").out)
    assert {t["name"]: t["totals"]["delivered"] for t in report["types"]} == {"message.sent": 3, "invoice.paid": 6}
    without = kit.emit8("run", scenario, "--no-log")
    assert without.returncode == 2 and "invoice.paid" in without.err
    shown = kit.emit8("log", log, "--show", paid[0]["headers"]["x-8bit-delivery"])
    assert shown.returncode == 2 and "--fixtures" in shown.err


# --- what users met --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [["events"], ["events", "show", "message.sent"], ["version"], ["--help"], ["completion", "bash"]])
def test_a_result_that_is_not_whole_is_no_success(args):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([kit.EMIT8, *args], stdout=full, stderr=subprocess.PIPE, env=kit.environment(), timeout=60)
    assert done.returncode == 3
    assert b"No space left" in done.stderr


def test_a_report_file_is_checked_before_anything_is_sent(tmp_path):
    with kit.Capture() as server:
        done = kit.emit8("send", "message.sent", "--to", server.url, "--no-log", "--report-json", tmp_path / "no" / "x.json")
        assert done.returncode == 3 and "--report-json" in done.err and "No such file" in done.err
        assert server.requests == []


def test_a_single_refused_event_is_a_failure_with_its_reason():
    with kit.Capture(lambda request: 401) as server:
        done = kit.emit8("send", "message.sent", "--to", server.url, "--no-log", "--retries", "0")
    assert done.returncode == 1 and "401" in done.out and "is the secret right?" in done.err


def test_resend_goes_to_the_endpoint_again(tmp_path):
    log = tmp_path / "log.db"
    with kit.Capture() as first, kit.Capture() as second:
        kit.emit8("send", "message.sent", "--to", first.url, "--log", log)
        delivery = kit.attempts(log)[0]["delivery_id"]
        assert kit.emit8("log", log, "--resend", delivery, "--to", second.url).returncode == 0
        assert kit.emit8("log", log, "--resend", delivery).returncode == 0
        assert (len(first.requests), len(second.requests)) == (2, 1)


def test_validate_tells_of_schemas_though_a_payload_is_broken(tmp_path):
    assert kit.emit8("events", "export", tmp_path / "f").returncode == 0
    (tmp_path / "f/events/message.sent.json").write_text("{,")
    (tmp_path / "f/schemas/agent.error.json").write_text("{")
    done = kit.emit8("events", "validate", tmp_path / "f")
    assert done.returncode == 2
    assert "events/message.sent.json:1:2: " in done.err and "schemas/agent.error.json:1:2: " in done.err, done.err
