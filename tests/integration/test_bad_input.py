"""Bad input of every kind: told with file, line and column, exit code 2, at once, and nothing has
happened: no request, no log, and no secret in the message. A mark (¶) in a text is where the fault is planted; the places that
emit8 tells are held against the marks."""

import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import threading

import pytest

import kit
from bad import (  # noqa: F401 - pytest finds the fixtures by their names
    ENDPOINTS,
    FLOWS,
    HEAD,
    SANITIZED,
    SECRET,
    arrivals,
    capture,
    check_faults,
    endpoint,
    figures,
    old_log,
    plant,
    step,
    told,
    trial,
)

# --- scenario files --------------------------------------------------------------------------------------------------

RATE = "100/s, 30/m"
DURATION = "number with a unit"
WHOLE = "whole number above 0"

SCENARIOS = {
    # files: YAML
    "empty": ("¶", "is empty", "{}"),
    "blank": ("¶# nothing but this\n\n", "is empty", "{}"),
    "alias": (HEAD + "description: ¶&x y\n", "anchors are not supported", "write the value out"),
    "alias bomb": (
        "a: ¶&a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)),
        "anchors are not supported", "",
    ),
    "alias without anchor": (HEAD + "description: ¶*x\n", "aliases are not supported", ""),
    "depth": ("description: " + "[" * 63 + "¶[" + "]" * 64 + "\n" + HEAD, "nested more than 64", ""),
    "depth of maps": ("description: " + "{a: " * 63 + "¶{" + "}" * 64 + "\n" + HEAD, "nested more than 64", ""),
    "duplicate key": (HEAD + "seed: 1\n¶seed: 2\n", 'duplicate key "seed"', "line 3, column 1"),
    "duplicate key below": (endpoint("¶url: URL"), 'duplicate key "url"', "line 4, column 5"),
    "unknown key": (HEAD + "¶thresholdz: []\n", 'unknown key "thresholdz"', 'did you mean "thresholds"?'),
    "unknown key, far off": (HEAD + "¶qqqqqqqq: []\n", 'unknown key "qqqqqqqq"', "thresholds"),
    "unknown key of endpoint": (endpoint("¶timout: 5s"), 'unknown key "timout"', 'did you mean "timeout"?'),
    "unknown key of step": (step("{emit: message.sent, ¶sett: {}}"), 'unknown key "sett"', 'did you mean "set"?'),
    "unknown key of flow": (ENDPOINTS + "flows: {f: {steps: [{emit: message.sent}], ¶step: 1}}\n",
                            'unknown key "step"', 'did you mean "steps"?'),
    "unknown key of run": (HEAD + "run: [{flow: f, ¶arrival: {times: 1}}]\n", 'unknown key "arrival"', "arrivals"),
    "unknown key of arrivals": (arrivals("{¶time: 1}"),
                                'unknown key "time"', 'did you mean "times"?'),
    "unknown key of targets": (HEAD + "targets: {¶alow: [x]}\n", 'unknown key "alow"', 'did you mean "allow"?'),
    "unknown key of retry": (endpoint("retry: {¶atempts: 3}"), 'unknown key "atempts"', 'did you mean "attempts"?'),
    "unknown key of choose": (step("choose: [{¶wieght: 1, steps: [{emit: message.sent}]}]"),
                              'unknown key "wieght"', 'did you mean "weight"?'),
    "several documents": (HEAD + "¶---\nseed: 1\n", "second document", "one document"),
    "tag": (HEAD + "description: ¶!!str x\n", "tags are not supported", "remove it"),
    "own tag": (HEAD + "description: ¶!include other.yaml\n", "tags are not supported", "remove it"),
    "invalid UTF-8": (HEAD.encode() + b"description: a\xc2\xb6\xffb\n", "0xFF is not valid UTF-8", "save the file as UTF-8"),
    "overlong UTF-8": (HEAD.encode() + b"description: \xc2\xb6\xc0\xaf\n", "0xC0 is not valid UTF-8", "save"),
    "surrogate in UTF-8": (HEAD.encode() + b"description: \xc2\xb6\xed\xa0\x80\n", "0xED is not valid UTF-8", "save"),
    "UTF-16": (b"\xc2\xb6\xff\xfe" + HEAD.encode("utf-16-le"), "not valid UTF-8", "UTF-16"),
    "NUL": (HEAD + "description: x¶\0y\n", "NUL byte", "\\0"),
    "control character": (HEAD + "description: x¶\x1b[31my\n", "control character U+001B", "\\u001B"),
    "lone high surrogate": (HEAD + 'description: "¶\\ud800"\n', "no character", "pairs"),
    "lone low surrogate": (HEAD + 'description: "¶\\udc00x"\n', "no character", "pairs"),
    "syntax": (HEAD + "run: [1, 2\n¶", "closing bracket", "line 3, column 6"),
    "tab": ("endpoints:\n¶\ta: 1\n", "tab", "spaces"),
    "no map": ("¶[1, 2]\n", "a scenario is a map", "endpoints:"),
    # numbers
    "NaN": (step("choose: [{weight: ¶.nan, steps: [{emit: message.sent}]}]"), ".nan", ""),
    "infinity": (endpoint("retry: {factor: ¶.inf}"), ".inf", ""),
    "1e400": (endpoint("retry: {factor: ¶1e400}"), "1e400 is too large", ""),
    "64 bits": (arrivals("{times: ¶99999999999999999999}"), "does not fit in 64 bits", ""),
    "times negative": (arrivals("{times: ¶-5}"), '"-5" is out of range', WHOLE),
    "times zero": (arrivals("{times: ¶0}"), '"0" is out of range', WHOLE),
    "times fraction": (arrivals("{times: ¶1.5}"), '"1.5" is no whole number', WHOLE),
    "times text": (arrivals("{times: ¶many}"), '"many" is no whole number', WHOLE),
    "times too many": (arrivals("{times: ¶1000000000001}"), "is out of range", ""),
    "concurrency zero": (arrivals("{times: 1, concurrency: ¶0}"), '"0" is out of range', WHOLE),
    "concurrency negative": (arrivals("{times: 1, concurrency: ¶-1}"), '"-1" is out of range', WHOLE),
    "rate without unit": (arrivals("{rate: ¶10, for: 1s}"), '"10" is no rate', RATE),
    "rate unknown unit": (arrivals("{rate: ¶10/fortnight, for: 1s}"), "is no rate", RATE),
    "rate zero": (arrivals("{rate: ¶0/s, for: 1s}"), '"0/s" is no rate', RATE),
    "rate negative": (arrivals("{rate: ¶-1/s, for: 1s}"), '"-1/s" is no rate', RATE),
    "rate NaN": (arrivals("{rate: ¶nan/s, for: 1s}"), '"nan/s" is no rate', RATE),
    "rate comma": (arrivals('{rate: ¶"1,5/s", for: 1s}'), '"1,5/s" is no rate', RATE),
    "rate overflow": (arrivals("{rate: ¶99999999999999999999999/s, for: 1s}"), "is no rate", RATE),
    "for without unit": (arrivals("{rate: 1/s, for: ¶10}"), '"10" is no duration', DURATION),
    "for unknown unit": (arrivals("{rate: 1/s, for: ¶10 parsecs}"), "is no duration", DURATION),
    "for zero": (arrivals("{rate: 1/s, for: ¶0}"), "nothing arrive", "30s"),
    "for negative": (arrivals("{rate: 1/s, for: ¶-1s}"), '"-1s" is no duration', DURATION),
    "for missing": (arrivals("¶{rate: 1/s}"), "need a length", "for: 30s"),
    "rate missing": (arrivals("¶{for: 1s}"), "need a rate", "rate: 20/s"),
    "rate times duration": (arrivals("¶{rate: 18446744073709551615/s, for: 300d}"), "overflows", "10^12"),
    "rate times duration, just": (arrivals("¶{rate: 1000000/s, for: 1000001s}"), "overflows", "10^12"),
    "ramp times duration": (arrivals("¶{ramp: 1/s..9999999999/s, for: 1d}"), "overflows", "10^12"),
    "ramp of one": (arrivals("{ramp: ¶5/s, for: 1s}"), '"5/s" is no ramp', "20/s..200/s"),
    "ramp of nothing": (arrivals("{ramp: ¶0/s..0/s, for: 1s}"), "is no ramp", "20/s..200/s"),
    "process": (arrivals("{rate: 1/s, for: 1s, process: ¶gauss}"), 'unknown process "gauss"', "poisson"),
    "times and rate": (arrivals("{¶times: 3, rate: 1/s, for: 1s}"), 'unknown key "times"', ""),
    "arrivals text": (arrivals("¶soon"), "arrivals must be a map", "times: 10"),
    "at": (HEAD + "run: [{flow: f, at: ¶5}]\n", '"5" is no duration', DURATION),
    "seed negative": (HEAD + "seed: ¶-1\n", '"-1" is no seed', "whole number"),
    "seed text": (HEAD + "seed: ¶lucky\n", '"lucky" is no seed', "whole number"),
    "timeout without unit": (endpoint("timeout: ¶5"), '"5" is no duration', DURATION),
    "timeout zero": (endpoint("timeout: ¶0"), "leaves no time", "5s"),
    "timeout negative": (endpoint("timeout: ¶-5s"), '"-5s" is no duration', DURATION),
    "timeout list": (endpoint("timeout: ¶[]"), "is no duration", DURATION),
    "retry attempts zero": (endpoint("retry: {attempts: ¶0}"), "attempts is out of range", "1 means no retries"),
    "retry attempts negative": (endpoint("retry: {attempts: ¶-1}"), "attempts is out of range", ""),
    "retry attempts text": (endpoint("retry: {attempts: ¶a}"), "attempts is no whole number", "1 means no retries"),
    "retry attempts null": (endpoint("retry: {attempts: ¶null}"), "attempts is no whole number", "leave it out"),
    "retry factor text": (endpoint("retry: {factor: ¶much}"), "factor is no number", "1 to 100"),
    "description null": (HEAD + "description: ¶null\n", '"description" must be a text, this is null', "leave it out"),
    "threshold null": (HEAD + "thresholds: [¶null]\n", "this must be a text, not null", "leave it out"),
    "retry base": (endpoint("retry: {base: ¶5}"), "is no duration", DURATION),
    "retry factor": (endpoint("retry: {factor: ¶0.5}"), "factor is out of range", "1 to 100"),
    "retry jitter": (endpoint("retry: {jitter: ¶wild}"), "unknown jitter", "full, equal or none"),
    "wait without unit": (step("wait: ¶5"), '"5" is no wait', "500ms"),
    "wait reversed": (step("wait: ¶5s..1s"), '"5s..1s" is no wait', "200ms..2s"),
    "wait too long": (step("wait: ¶367d"), '"367d" is no wait', "year"),
    "repeat negative": (step("{repeat: ¶-1, steps: [{emit: message.sent}]}"), '"-1" is no count', "2..4"),
    "repeat zero": (step("{repeat: ¶0, steps: [{emit: message.sent}]}"), '"0" is no count', "2..4"),
    "repeat reversed": (step("{repeat: ¶3..2, steps: [{emit: message.sent}]}"), '"3..2" is no count', "2..4"),
    "weights sum to 0": (step("choose: ¶[{weight: 0, steps: [{emit: message.sent}]}]"), "sum to 0", "above 0"),
    "weight negative": (step("choose: [{weight: ¶-1, steps: [{emit: message.sent}]}]"), '"-1" is no weight', "0 or more"),
    "threshold without unit": (HEAD + "thresholds: [¶p(99) < 5]\n", '"5" is no duration', "with its unit: 5ms"),
    "threshold percentile": (HEAD + "thresholds: [¶p(101) < 5s]\n", "no percentile", "p(99)"),
    "threshold metric": (HEAD + "thresholds: [success >= 9%, ¶speed < 5s]\n", "nothing that a run measures", "success"),
    # templates
    "unknown placeholder": (step('{emit: message.sent, set: {data.x: ¶"{{$randomGuid}}"}}'),
                            'unknown placeholder "$randomGuid"', "did you mean"),
    "unknown entity": (step('{emit: message.sent, set: {data.x: ¶"{{conversation.idd}}"}}'),
                       'unknown placeholder "conversation.idd"', 'did you mean "conversation.id"?'),
    "placeholder not closed": (step('{emit: message.sent, set: {data.x: ¶"{{$guid"}}'), "{{ without }}", "ends with }}"),
    "placeholder's number": (step('{emit: message.sent, set: {data.x: ¶"{{$randomInt 1..x}}"}}'), '"x" is no whole number', "a whole number from"),
    "placeholder's range": (step('{emit: message.sent, set: {data.x: ¶"{{$randomInt 9..1}}"}}'), "reversed", "comes first"),
    "weighted sum to 0": (step('{emit: message.sent, set: {data.x: ¶"{{$weighted A=0 B=0}}"}}'), "weights are all 0", ""),
    "unknown placeholder, far off": (step('{emit: message.sent, set: {data.x: ¶"{{zzzzzz}}"}}'),
                                     'unknown placeholder "zzzzzz"', "fixtures/README.md"),
    "set below a directive": (step("{emit: message.failed, set: {¶data.error.code: x}}"),
                              '"data.error" is the directive {{$choose 3 2}}', "set: {data.error: VALUE}"),
    "remove below a directive": (step("{emit: message.failed, remove: [¶data.error.code]}"),
                                 '"data.error" is the directive', "remove all of data.error"),
    "set below a reference": (step("{emit: conversation.created, set: {¶data.custom_fields.x: 1}}"),
                              '"data.custom_fields" is the placeholder {{conversation.', "set: {data.custom_fields: VALUE}"),
    "set path": (step('{emit: message.sent, set: {¶"data..x": 1}}'), 'path "data..x"', "data.channel"),
    "remove": (step("{emit: message.sent, remove: [¶data.nope]}"), '"data" has no "nope"', "content"),
    # headers
    "CR in header": (endpoint('headers: {X-A: ¶"a\\rb"}'), "control character", "one line"),
    "LF in header": (endpoint('headers: {X-A: ¶"a\\nX-B: b"}'), "control character", "one line"),
    "NUL in header": (endpoint('headers: {X-A: ¶"a\\0b"}'), "NUL", ""),
    "CR in header's name": (endpoint('headers: {¶"X\\rA": b}'), "is no header name", "letters"),
    "LF in header's name": (endpoint('headers: {¶"X\\nA": b}'), "is no header name", "letters"),
    "NUL in header's name": (endpoint('headers: {¶"X\\0A": b}'), "NUL", ""),
    "space in header's name": (endpoint('headers: {¶"X A": b}'), '"X A" is no header name', "letters"),
    "empty header's name": (endpoint('headers: {¶"": b}'), '"" is no header name', "letters"),
    **{
        f"framing: {name}": (endpoint(f"headers: {{¶{name}: x}}"), "would break the framing", "itself")
        for name in ("Host", "content-length", "Transfer-Encoding", "CONNECTION", "Expect", "TE", "Trailer", "Upgrade")
    },
    "headers list": (endpoint("headers: ¶[x]"), "headers must be a map", "X-Team"),
    "too many headers": (endpoint("headers: ¶{" + ", ".join(f"X-{i}: x" for i in range(33)) + "}"), "headers must be a map", "32"),
    "too long headers": (endpoint("headers: ¶{X-A: " + "x" * 5000 + "}"), "too long", "4 KiB"),
    # secrets
    "secret empty": (endpoint("").replace("secret: {env: S}", "secret: ¶''"), "secret is empty", "openssl rand"),
    "secret short": (endpoint("").replace("secret: {env: S}", "secret: ¶hushhush-012345"), "too short", "16 characters"),
    "secret's environment": (endpoint("").replace("{env: S}", "{env: ¶NOT_SET}"), "has no NOT_SET", "--secret-file"),
    "secret's file": (endpoint("").replace("{env: S}", "{file: ¶no-such-file}"), "cannot be read", ""),
    "secret from nowhere": (endpoint("").replace("{env: S}", "¶{}"), "one place", "env:"),
    "secret from two places": (endpoint("").replace("{env: S}", "¶{env: S, file: x}"), "one place", "env:"),
    "whsec_ malformed": (endpoint("scheme: standard-webhooks").replace("{env: S}", "¶whsec_hushhush-0123456789*"),
                         "whsec_BASE64", "base64"),
    "whsec_ short": (endpoint("scheme: standard-webhooks").replace("{env: S}", "¶whsec_aHVzaGh1c2g="), "too short", ""),
    "too many secrets": (endpoint("").replace("{env: S}", "¶[" + ", ".join([SECRET] * 9) + "]"), "at most", ""),
    # plans
    "no endpoint": ("¶" + FLOWS, "has no endpoint", "endpoints:"),
    "endpoints empty": ("endpoints: ¶{}\n" + FLOWS, "has no endpoint", "endpoints:"),
    "no flow": ("¶" + ENDPOINTS, "has no flow", "flows:"),
    "no step": (ENDPOINTS + "flows: {f: ¶[]}\n", "list of steps", "emit"),
    "no url": (FLOWS + "endpoints: {¶a: {secret: {env: S}}}\n", 'endpoint "a" has no url', "url: http://"),
    "url": (FLOWS + "endpoints: {a: {url: ¶'ftp://x/', secret: {env: S}}}\n", "http or https URL", "http://"),
    "unknown event type": (step("emit: ¶message.recieved"), 'unknown event type "message.recieved"',
                           'did you mean "message.received"?'),
    "unknown step": (step("¶emitt: message.received"), 'unknown step "emitt"', 'did you mean "emit"?'),
    "unknown flow": (HEAD + "run: [{flow: ¶ff}]\n", 'unknown flow "ff"', "f"),
    "unknown environment": (HEAD + "environment: ¶prod\n", 'unknown environment "prod"', 'did you mean "production"?'),
    "unknown scheme": (endpoint("scheme: ¶githab"), 'unknown signature scheme "githab"', 'did you mean "github"?'),
    "pattern of nothing": (endpoint("events: [¶mesage.*]"), 'no event type matches "mesage.*"', "conversation.*"),
    "pattern of almost something": (endpoint("events: [¶message.recieved]"), 'no event type matches "message.recieved"',
                                    'did you mean "message.received"?'),
    "events of nothing": (endpoint("events: ¶[]"), "takes nothing", "leave it out"),
    "environments of nothing": (endpoint("environments: ¶[]"), "takes nothing", "leave it out"),
    "run of nothing": (HEAD + "run: ¶[]\n", "run must be a list", "flow: NAME"),
    "variable": (FLOWS + "endpoints: {a: {url: ¶'${NOT_SET}', secret: {env: S}}}\n", "has no NOT_SET", ":-default"),
    "variable open": (FLOWS + "endpoints: {a: {url: ¶'${NOT_SET', secret: {env: S}}}\n", "not closed", ":-default"),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(trial, name):
    text, what, hint = SCENARIOS[name]
    text, places = plant(text, trial.url)
    trial.write("bad.yaml", text)
    err = trial.refused("run", "bad.yaml", env={"S": SECRET})
    check_faults(err, "bad.yaml", places, [(what, hint)])


def test_all_faults_of_a_file(trial):
    text, places = kit.planted("""\
scenario: many
¶tresholds: []
environment: ¶prod
endpoints:
  a:
    url: URL
    secret: {env: ¶NOT_SET}
    timeout: ¶5
    headers: {¶Host: x, X-A: ¶"a\\rb"}
    events: [message.*, ¶mesage.*]
  ¶b:
    secret: {env: S}
flows:
  f:
    - emit: ¶message.recieved
    - ¶emitt: x
    - wait: ¶5
    - {emit: message.sent, set: {data.x: ¶"{{$nope}}", data.y: ¶"{{$nada}}"}}
    - choose: ¶[{weight: 0, steps: [{emit: message.sent}]}]
run:
  - {flow: ¶g, arrivals: {rate: ¶5, for: ¶1}}
""")
    trial.write("bad.yaml", text.replace("URL", trial.url))
    err = trial.refused("run", "bad.yaml", env={"S": SECRET})
    assert sorted(f[:2] for f in told(err, "bad.yaml")) == sorted(places), err


def test_more_faults_than_are_shown(trial):
    trial.write("bad.yaml", HEAD.replace("URL", trial.url) + "".join(f"k{i:03}: 1\n" for i in range(150)))
    err = trial.refused("run", "bad.yaml", env={"S": SECRET})
    assert len(told(err, "bad.yaml")) == 100
    assert "and 50 more" in err


def test_good_scenario_is_not_refused(tmp_path):
    """The frame of all these texts is sound: what is refused is refused for its fault."""
    with kit.Capture() as server:
        (tmp_path / "good.yaml").write_text(HEAD.replace("URL", server.url))
        done = kit.emit8("run", tmp_path / "good.yaml", "--no-log", env={"S": SECRET})
        assert done.returncode == 0, done.err
        assert len(server.requests) == 1


# --- files -----------------------------------------------------------------------------------------------------------


def make_fifo(path):
    os.mkfifo(path)


def make_large(path):
    path.write_bytes(b"#" * (8 << 20) + b"\n")


def make_unreadable(path):
    path.write_text("x: 1\n")
    path.chmod(0)


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(path.parent, os.O_PATH)
        try:
            listener.bind(f"/proc/self/fd/{here}/{path.name}")
        finally:
            os.close(here)


FILES = {
    "missing": (lambda path: None, "No such file or directory"),
    "directory": (lambda path: path.mkdir(), "is a directory"),
    "FIFO": (make_fifo, "is a pipe"),
    "socket": (make_socket, "cannot be read"),
    "over 8 MiB": (make_large, "is larger than 8388608 bytes"),
    "unreadable": (make_unreadable, "Permission denied"),
    "dangling link": (lambda path: path.symlink_to("nowhere"), "No such file or directory"),
    "loop of links": (lambda path: path.symlink_to(path.name), "symbolic links"),
    "below a file": (lambda path: None, "Not a directory"),
}
USES = {
    "scenario": lambda name: ("run", name),
    "scheme": lambda name: ("send", "message.sent", "--to", "URL", "--scheme", f"./{name}"),
    "raw": lambda name: ("send", "message.sent", "--to", "URL", "--raw", name),
    "secret": lambda name: ("send", "message.sent", "--to", "URL", "--secret-file", name),
    "cacert": lambda name: ("send", "message.sent", "--to", "URL", "--cacert", name),
    "key": lambda name: ("send", "message.sent", "--to", "URL", "--key", name),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kind", FILES)
def test_file(trial, kind, use):
    make, what = FILES[kind]
    if kind == "unreadable" and os.geteuid() == 0:
        pytest.skip("root reads everything")
    if use == "secret" and kind in ("FIFO", "over 8 MiB"):
        pytest.skip("a secret may come from a pipe; a long one is refused by its length")
    name = "file.yaml"
    make(trial.dir / name)
    if kind == "below a file":
        trial.write("plain", "x")
        name = "plain/file.yaml"
    args = [trial.url if a == "URL" else a for a in USES[use](name)]
    err = trial.refused(*args)
    if kind == "directory" and use == "secret":
        what = "Is a directory"
    assert re.search(rf"^(emit8: )?(--secret-file )?(\./)?{name}: .*{re.escape(what)}", err, re.M), err


@pytest.mark.parametrize("use", ["scenario", "scheme"])
def test_empty_file(trial, use):
    trial.write("file.yaml", "")
    args = [trial.url if a == "URL" else a for a in USES[use]("file.yaml")]
    assert "file.yaml:1:1: the document is empty; an empty map is {}" in trial.refused(*args)


def test_eight_mebibytes_are_read(trial):
    """One byte less than what is refused is read, and in time."""
    text = HEAD.replace("URL", trial.url) + "bogus: 1\n"
    trial.write("large.yaml", text + "".join("#" * 1023 + "\n" for _ in range(((8 << 20) - len(text)) // 1024)))
    err = trial.refused("run", "large.yaml", env={"S": SECRET})
    assert told(err, "large.yaml")[0][:2] == (3, 1)


def test_scenario_on_stdin(trial):
    err = trial.refused("run", "-", stdin=(HEAD.replace("URL", trial.url) + "bogus: 1\n").encode(), env={"S": SECRET})
    assert "-:3:1: unknown key" in err


# --- fixtures --------------------------------------------------------------------------------------------------------

EVENT = "events/message.received.json"
FIXTURES = {
    "syntax": ({EVENT: '{"a": 1¶,}'}, "comma", "remove"),
    "empty": ({EVENT: "¶"}, "is empty", "{}"),
    "duplicate key": ({EVENT: '{"a": 1,\n ¶"a": 2}'}, 'duplicate key "a"', "line 1, column 2"),
    "BOM": ({EVENT: '¶\ufeff{"a": 1}'}, "byte order mark", "without a BOM"),
    "invalid UTF-8": ({EVENT: b'{"a": "\xc2\xb6\xff"}'}, "0xFF is not valid UTF-8", "UTF-8"),
    "NUL": ({EVENT: '{"a": "x¶\0y"}'}, "U+0000", "\\u0000"),
    "lone surrogate": ({EVENT: '{"a": "¶\\ud800"}'}, "lone surrogate", "pairs"),
    "NaN": ({EVENT: '{"a": ¶NaN}'}, "expected a value", "no NaN"),
    "1e400": ({EVENT: '{"a": ¶1e400}'}, "1e400 is too large", ""),
    "64 bits": ({EVENT: '{"a": ¶99999999999999999999}'}, "64 bits", ""),
    "several documents": ({EVENT: '{"a": 1}\n¶{"a": 2}'}, "end of the document", ""),
    "depth": ({EVENT: "[" * 64 + "¶[" + "]" * 65}, "nested more than 64", ""),
    "comment": ({EVENT: '{¶// no\n"a": 1}'}, "expected a key", "no comments"),
    "unknown placeholder": ({EVENT: '{"a": ¶"{{$randomGuid}}"}'}, 'unknown placeholder "$randomGuid"', "did you mean"),
    "unknown list": ({EVENT: '{"a": ¶"{{$pick nope}}"}'}, 'unknown word list "nope"', ""),
    "list outside the directory": ({EVENT: '{"a": ¶"{{$pick ../../secret}}"}'}, "../../secret", ""),
    "repeat too often": ({EVENT: '{¶"{{$repeat 65}}": 1}'}, "65 is out of range", "a whole number from 0 to 64"),
    "weights sum to 0": ({EVENT: '{"a": {¶"{{$choose 0 0}}": [1, 2]}}'}, "weights are all 0", "at least 1"),
    "list empty": ({"words/x.json": "¶[]"}, "cannot be empty", ""),
    "self-reference of a placeholder": ({"placeholders.json": '{"$x": "{{$y}}",\n "$y": ¶"a {{$x}}"}'},
                                        "$x is made of itself: $x -> $y -> $x", ""),
    "catalogue's key": ({"catalog.json": '{"types": [¶{¶"tipe": "a.b", "category": "a", "description": "d"}]}'},
                        'needs "type"', ""),
    "catalogue's weight": ({"catalog.json": '{"types": [{"type": "a.b", "category": "a", "description": "d", "weight": ¶-1}]}'},
                           "weight is not a positive number", ""),
    "type outside the directory": (
        {"catalog.json": '{"types": [{"type": ¶"../x.y", "category": "a", "description": "d", "weight": 1}]}'},
        "no event name", "message.received"),
    "schema's syntax": ({"schemas/message.received.json": '{"type":¶ }'.replace("¶ ", " ¶")}, "expected a value", ""),
    "schema's keyword": ({"schemas/message.received.json": '{"type": "object",\n ¶"requird": []}'},
                         'unknown keyword "requird"', "required"),
}


def write_fixtures(trial, files):
    places = {}
    for name, text in files.items():
        if isinstance(text, bytes):
            at = text.index("¶".encode())
            places[name] = [(1, len(text[:at].decode()) + 1)]
            text = text.replace("¶".encode(), b"")
        else:
            text, places[name] = kit.planted(text)
        trial.write(f"fx/{name}", text)
    return places


@pytest.mark.parametrize("name", FIXTURES)
def test_fixture(trial, name):
    files, what, hint = FIXTURES[name]
    places = write_fixtures(trial, files)
    err = trial.refused("events", "validate", "fx", logs=False)
    (file, expected), = places.items()
    assert sorted(f[:2] for f in told(err, f"fx/{file}")) == sorted(expected), err
    assert any(what in f[2] and hint in f[3] for f in told(err, f"fx/{file}")), err
    if not file.startswith("schemas/"):
        for args in (("send", "message.received", "--to", trial.url), ("run", "fan-out", "--sink")):
            err = trial.refused(*args, "--fixtures", "fx", secrets=())
            assert sorted(f[:2] for f in told(err, f"fx/{file}")) == sorted(expected), err


def test_self_reference_of_an_entity(trial):
    entities = json.loads((pathlib.Path(kit.SOURCE) / "fixtures/entities.json").read_text())
    entities["user"]["loop"] = "{{user.pool}}"
    entities["user"]["pool"] = "{{user.loop}}"
    text = json.dumps(entities, indent=1)
    trial.write("fx/entities.json", text)
    line = next(i for i, row in enumerate(text.splitlines(), 1) if '"{{user.loop}}"' in row)
    err = trial.refused("events", "validate", "fx", logs=False)
    found = told(err, "fx/entities.json")
    assert [(f[0], f[2]) for f in found] == [(line, "user.loop is made of itself: user.loop -> user.pool -> user.loop")], err


def test_output_over_the_limit(trial):
    """64 to the fifth of a text would be a gigabyte: known before anything is rendered."""
    text = '"xxxxxxxx"'
    for _ in range(5):
        text = '{"{{$repeat 64}}": %s}' % text
    trial.write(f"fx/{EVENT}", '{"a": %s}' % text)
    err = trial.refused("events", "validate", "fx", logs=False)
    assert "larger than 2097152 bytes; fewer or smaller $repeat" in err
    trial.write("big.yaml", ENDPOINTS.replace("URL", trial.url)
                + "flows: {f: [{emit: message.sent, set: {data.x: %s}}]}\n" % text.replace('"{{', "'{{").replace('}}"', "}}'"))
    assert "larger than 2097152 bytes" in trial.refused("run", "big.yaml", env={"S": SECRET})


@pytest.mark.parametrize("text, place", [
    ('{"a": "%s"}' % ("x" * 4_000_000), (1, 7)),
    ('{"a": ' + "[" * 63 + "]" * 63 + "}", (1, 69)),
])
def test_place_of_what_is_too_large_or_too_deep(trial, text, place):
    """A payload is compiled with the envelope around it, and it is the payload's place that is told."""
    trial.write(f"fx/{EVENT}", text)
    found, = told(trial.refused("events", "validate", "fx", logs=False), f"fx/{EVENT}")
    assert found[:2] == place


@pytest.mark.parametrize("name, text, line", [
    ("entities.json", '{"user": {"id": "{{user.nmae}}", "name": "x"}}', 1),
    ("entities.json", '{"user": {"id": 1},}', 1),
    ("placeholders.json", '{"$x": "{{$x}}"}', 1),
    ("placeholders.json", '{"$x"\n1}', 2),
    ("words/tags.json", "[1, 2", 1),
    ("words/tags.json", "[]", 1),
    ("envelope.json", '{"x": "{{event.x}}",\n "data": "{{event.data}}"}', 1),
])
def test_one_fault_of_what_all_events_use_is_one(trial, name, text, line):
    trial.write(f"fx/{name}", text)
    err = trial.refused("events", "validate", "fx", logs=False)
    assert err.startswith("emit8: 1 fault\n") and len(re.findall(r"^\S+:\d+:\d+: ", err, re.M)) == 1
    found, = told(err, f"fx/{name}")
    assert found[0] == line


def test_all_faults_of_all_fixtures(trial):
    places = write_fixtures(trial, {
        EVENT: '{"a": ¶"{{$nope}}",\n "b": ¶"{{$nada}}"}',
        "events/message.sent.json": '{"a": 1¶,}',
        "words/x.json": "¶[]",
    })
    trial.write("fx/events/message.recieved.json", "{}")
    err = trial.refused("events", "validate", "fx", logs=False)
    for file, expected in places.items():
        assert [f[:2] for f in told(err, f"fx/{file}")] == expected, err
    assert 'fx/events/message.recieved.json: "message.recieved" is no type of the catalogue' in err
    assert 'did you mean "message.received"?' in err
    assert err.startswith("emit8: 5 faults\n")


@pytest.mark.parametrize("kind", ["missing", "directory", "FIFO", "over 8 MiB", "unreadable"])
def test_fixture_file(trial, kind):
    make, what = FILES[kind]
    if kind == "unreadable" and os.geteuid() == 0:
        pytest.skip("root reads everything")
    (trial.dir / "fx/events").mkdir(parents=True)
    if kind == "missing":
        (trial.dir / "fx" / EVENT).symlink_to("nowhere")
    else:
        make(trial.dir / "fx" / EVENT)
    err = trial.refused("events", "validate", "fx", logs=False)
    assert f"fx/{EVENT}: " in err and what in err
    assert len(err.splitlines()) == 2, err


@pytest.mark.parametrize("make, what", [
    (lambda path: None, "No such file or directory"),
    (lambda path: path.write_text("x"), "is not a directory"),
    (lambda path: path.mkdir(), "has no fixture files"),
])
def test_fixture_directory(trial, make, what):
    make(trial.dir / "fx")
    for args in (("events", "validate", "fx"), ("events", "--fixtures", "fx")):
        assert re.search(rf"^fx: {what}; ", trial.refused(*args, logs=False), re.M)
    assert re.search(rf"^fx: {what}; ", trial.refused("events", logs=False, env={"EMIT8_FIXTURES": "fx"}), re.M)


# --- the command line ------------------------------------------------------------------------------------------------

NUMBER = "a whole number from"
OPTIONS = {
    "-n 0": (["-n", "0"], '--number "0" is out of range', NUMBER),
    "-n -1": (["-n", "-1"], '--number "-1" is out of range', NUMBER),
    "-n text": (["-n", "many"], '--number "many" is no whole number', NUMBER),
    "-n fraction": (["-n", "1.5"], '--number "1.5" is no whole number', NUMBER),
    "-n 1e400": (["-n", "1e400"], '--number "1e400" is no whole number', NUMBER),
    "-n 2^64": (["-n", "18446744073709551616"], "is out of range", NUMBER),
    "-n empty": (["-n", ""], '--number "" is no whole number', NUMBER),
    "-c 0": (["-c", "0"], '--concurrency "0" is out of range', NUMBER),
    "-c nan": (["-c", "nan"], '--concurrency "nan" is no whole number', NUMBER),
    "--rate without unit": (["--rate", "5"], '--rate "5" is no rate', RATE),
    "--rate unknown unit": (["--rate", "5/fortnight"], '--rate "5/fortnight" is no rate', RATE),
    "--rate 0": (["--rate", "0/s"], "--rate 0 sends nothing", RATE),
    "--rate negative": (["--rate", "-1/s"], '--rate "-1/s" is no rate', RATE),
    "--rate nan": (["--rate", "nan/s"], '--rate "nan/s" is no rate', RATE),
    "--rate 1e400": (["--rate", "1e400/s"], '--rate "1e400/s" is no rate', RATE),
    "--rate comma": (["--rate", "1,5/s"], '--rate "1,5/s" is no rate', RATE),
    "--rate overflow": (["--rate", "99999999999999999999/s"], "is no rate", RATE),
    "--timeout without unit": (["--timeout", "5"], '--timeout "5" is no duration', DURATION),
    "--timeout unknown unit": (["--timeout", "5parsecs"], '--timeout "5parsecs" is no duration', DURATION),
    "--timeout 0": (["--timeout", "0"], "leaves no time", "5s"),
    "--timeout negative": (["--timeout", "-5s"], '--timeout "-5s" is no duration', DURATION),
    "--timeout overflow": (["--timeout", "99999999999999d"], "is no duration", DURATION),
    "--connect-timeout": (["--connect-timeout", "5"], '--connect-timeout "5" is no duration', DURATION),
    "--retries negative": (["--retries", "-1"], '--retries "-1" is out of range', NUMBER),
    "--retries 1000": (["--retries", "1000"], '--retries "1000" is out of range', NUMBER),
    "--workers 0": (["--workers", "0"], '--workers "0" is out of range', NUMBER),
    "--seed negative": (["--seed", "-1"], '--seed "-1" is out of range', NUMBER),
    "--seed 2^63": (["--seed", "9223372036854775808"], "is out of range", NUMBER),
    "--clock": (["--clock", "yesterday"], '--clock "yesterday" is no time', "2026-03-01T12:00:00Z"),
    "--http": (["--http", "3"], '--http "3" is no version', "1.1"),
    "--environment": (["--environment", "prod"], 'unknown environment "prod"', "production"),
    "--scheme": (["--scheme", "githab"], 'unknown signature scheme "githab"', "github"),
    "--format": (["--format", "xml"], 'unknown format "xml"', "ndjson"),
    "--color": (["--color", "sometimes"], '--color "sometimes"', "never"),
    "--threshold": (["--threshold", "p(99) < 5"], '"5" is no duration', "with its unit: 5ms"),
    "--threshold metric": (["--threshold", "speed < 5s"], "nothing that a run measures", "p(99)"),
    "-H CR": (["-H", "X-A: a\rX-B: b"], 'header "X-A" has a control character', "no line breaks"),
    "-H LF": (["-H", "X-A: a\nX-B: b"], 'header "X-A" has a control character', "no line breaks"),
    "-H CR in name": (["-H", "X\rA: b"], "is no name for a header", "letters"),
    "-H LF in name": (["-H", "X\nA: b"], "is no name for a header", "letters"),
    "-H without colon": (["-H", "X-A"], "has no colon", "Name: value"),
    "-H without name": (["-H", ": x"], "has no name", "Name: value"),
    "-H space before colon": (["-H", "X-A : x"], "space before the colon", ""),
    **{
        f"-H framing {name}": (["-H", f"{name}: x"], f'"{name}" would break the framing', "leave it out")
        for name in ("Host", "content-length", "Transfer-Encoding", "CONNECTION", "Expect", "TE", "Trailer", "Upgrade")
    },
    "-H too many": ([a for i in range(33) for a in ("-H", f"X-{i}: x")], "too many or too long", "32 headers"),
    "-H too long": (["-H", "X-A: " + "x" * 5000], "too many or too long", "4 KiB"),
    "--set without value": (["--set", "data.x"], '--set "data.x" is not PATH=VALUE', "data.channel=web"),
    "--set without path": (["--set", "=x"], "is not PATH=VALUE", "data.channel=web"),
    "--set path": (["--set", "data..x=1"], 'path "data..x"', "data.channel"),
    "--set placeholder": (["--set", "data.x={{$randomGuid}}"], 'unknown placeholder "$randomGuid"', "did you mean"),
    "--set below a reference": (["--set", "data.session_id.x=1"], '"data.session_id" is the placeholder {{', "--set data.session_id=VALUE"),
    "--remove": (["--remove", "data.nope"], '"data" has no "nope"', "content"),
    "--proxy": (["--proxy", "gopher://x"], "proxy is not understood", "http://HOST:PORT"),
    "--resolve": (["--resolve", "x"], '--resolve "x" is not understood', "HOST:PORT:ADDRESS"),
    "--resolve name": (["--resolve", "x:80:y"], '--resolve "x:80:y" is not understood', "not a name"),
    "--connect-to of one word": (["--connect-to", "x"], '--connect-to "x" is not understood', "HOST1:PORT1:HOST2:PORT2"),
    "--connect-to of three": (["--connect-to", "a:80:b"], '--connect-to "a:80:b" is not understood', "HOST1:PORT1:HOST2:PORT2"),
    "--connect-to": (["--connect-to", "a:b:c"], '--connect-to "a:b:c" is not understood', "HOST1:PORT1"),
    "--unix-socket": (["--unix-socket", ""], "unix socket", ""),
    "--allow-target": (["--allow-target", "http://x"], 'allowed target "http://x"', "no scheme"),
    "unknown option": (["--alow-target", "x"], "unknown option --alow-target", "did you mean --allow-target?"),
    "unknown letter": (["-Z"], "unknown option -Z", "--help"),
    "value to a flag": (["--quiet=yes"], "--quiet takes no value", ""),
    "--log empty": (["--log", ""], "path is empty", "--log"),
    "two scenarios' worth": (["conversation.*", "mesage.*"], 'no event type matches "mesage.*"', ""),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_option(trial, name):
    args, what, hint = OPTIONS[name]
    err = trial.refused("send", "message.received", "--to", trial.url, *args, logs="--log" not in args)
    last = [line for line in err.splitlines() if "not signed" not in line]
    assert len(last) == 1 and what in last[0], err
    assert hint in last[0].split("; ", 1)[1] if hint else True, err


COMMANDS = {
    "no command": ([], "Usage: emit8 COMMAND"),
    "unknown command": (["snd"], 'unknown command "snd"; did you mean "send"?'),
    "send what": (["send"], "emit8: send: no event type is given"),
    "value missing": (["send", "message.sent", "--to", "URL", "--rate"], "--rate needs a value RATE"),
    "send where": (["send", "message.received"], "--to is missing; --to http://"),
    "unknown type": (["send", "message.recieved", "--to", "URL"], 'matches "message.recieved"; did you mean "message.received"?'),
    "url scheme": (["send", "message.sent", "--to", "ftp://127.0.0.1/"], "http or https URL; begin it with http://"),
    "url without scheme": (["send", "message.sent", "--to", "127.0.0.1:1"], "http or https URL; begin it with http://"),
    "url empty": (["send", "message.sent", "--to", ""], "the URL is empty; for example http://"),
    "url without host": (["send", "message.sent", "--to", "http:///x"], "the URL has no host; for example http://"),
    "url port": (["send", "message.sent", "--to", "http://127.0.0.1:65536/"], "port is out of range"),
    "url space": (["send", "message.sent", "--to", "http://127.0.0.1/a b"], "space at character 19; write it as %20"),
    "url CR": (["send", "message.sent", "--to", "http://127.0.0.1/\r\nX: y"], "control character (0x0d) at character 18"),
    "run what": (["run"], "emit8: run: no scenario is given"),
    "run two": (["run", "a", "b"], '"b" is one word too many'),
    "run --sink --to": (["run", "fan-out", "--sink", "--to", "URL"], "exclude each other"),
    "run --to unknown": (["run", "fan-out", "--to", "nobody=URL"], 'no endpoint is called "nobody"'),
    "run --to twice": (["run", "fan-out", "--to", "URL", "--to", "URL"], "given twice"),
    "run --speed 0": (["run", "fan-out", "--sink", "--speed", "0"], '--speed "0" is no factor'),
    "run --speed nan": (["run", "fan-out", "--sink", "--speed", "nanx"], '--speed "nanx" is no factor'),
    "run --in-flight 0": (["run", "fan-out", "--sink", "--in-flight", "0"], '--in-flight "0" is out of range'),
    "sink listen": (["sink", "--listen", "here"], 'listen address "here"'),
    "sink weights": (["sink", "--status", "200:0,500:0"], "weights of the statuses sum to 0"),
    "sink status": (["sink", "--status", "999"], '"999" is no status'),
    "sink latency unit": (["sink", "--latency", "5"], '"5" is no duration'),
    "sink latency negative": (["sink", "--latency", "-5ms"], '"-5ms" is no duration'),
    "sink share": (["sink", "--fail", "reset:200%"], '"200%" is no share'),
    "sink share without unit": (["sink", "--fail", "reset:1"], '"1" is no share of reset; 1% or 0.01?'),
    "sink shares": (["sink", "--fail", "reset:60%,close:60%"], "more than 100%"),
    "sink fault": (["sink", "--fail", "explode:1%"], 'unknown fault "explode"'),
    "sink for": (["sink", "--for", "0"], "ends at once"),
    "sink number": (["sink", "-n", "0"], '--number "0" is out of range'),
    "sink Retry-After": (["sink", "--retry-after", "1\r\nX: y"], "control character"),
    "sign what": (["sign", "/dev/null"], "no secret to sign with"),
    "sign timestamp": (["sign", "--timestamp", "-1", "x"], "cannot be read"),
    "log missing": (["log", "no.db"], "no.db: there is no delivery log"),
    "log directory": (["log", "."], ".: is a directory"),
    "log since": (["log", "--since", "yesterday"], '--since "yesterday" is no time'),
    "log format": (["log", "--format", "json"], "not json"),
    "report missing": (["report", "no.db"], "no.db: there is no delivery log"),
    "report run": (["report", "--run", "0"], '--run "0" is out of range'),
    "events word": (["events", "shw"], 'unknown word "shw"'),
    "events type": (["events", "show", "../x"], 'no event type matches "../x"'),
    "events schema": (["events", "schema", "../../x"], "../../x"),
    "events number": (["events", "show", "message.sent", "-n", "0"], '--number "0" is out of range'),
    "completion": (["completion", "tcsh"], "tcsh"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_command(trial, name):
    args, what = COMMANDS[name]
    env = {"EMIT8_SECRET": SECRET} if name.startswith(("run", "sign t")) else None
    if name.startswith("sign t"):
        trial.write("x", "{}")
        what = '--timestamp "-1" is out of range'
    err = trial.refused(*(a.replace("URL", trial.url) for a in args), logs=False, env=env)
    assert what in err


@pytest.mark.parametrize("args, what", [
    (("--status", "-1"), '"-1"'),
    (("--type", "Message..x"), '"Message..x"'),
    (("--outcome", "deliverd"), "delivered"),
    (("--show", "dlv_nope"), "dlv_nope"),
    (("--resend", "dlv_nope"), "dlv_nope"),
    (("--run", "99"), "99"),
])
def test_log_filter(trial, args, what):
    shutil.copy(trial.old_log, trial.dir / "log.db")
    done = kit.emit8("log", "log.db", *args, cwd=trial.dir)
    assert done.returncode == 2 and what in done.err and len(done.err.splitlines()) == 1
    assert len(done.out.splitlines()) <= 1  # the head of the table at most


# --- secrets ---------------------------------------------------------------------------------------------------------

SECRETS = {
    "empty": (b"", "8bit", "holds no secret"),
    "empty line": (b"\nhushhush-0123456789\n", "8bit", "holds no secret"),
    "short": (b"hushhush-012345\n", "8bit", "too short"),
    "NUL": (b"hushhush-\x000123456789\n", "8bit", "NUL"),
    "too long": (b"hushhush" * 600, "8bit", "at most 4096 bytes"),
    "whsec_ malformed": (b"whsec_hushhush-0123456789*\n", "standard-webhooks", "whsec_BASE64"),
    "whsec_ padding": (b"whsec_aHVzaGh1c2hodXNoaHVzaA===\n", "standard-webhooks", "whsec_BASE64"),
    "whsec_ empty": (b"whsec_\n", "standard-webhooks", "too short"),
    "whsec_ short": (b"whsec_aHVzaGh1c2g=\n", "standard-webhooks", "too short"),
    "whsec_ with space": (b"whsec_aHVz aGh1c2hodXNoaHVzaGh1c2g=\n", "standard-webhooks", "whsec_BASE64"),
}


@pytest.mark.parametrize("way", ["file", "environment"])
@pytest.mark.parametrize("name", SECRETS)
def test_secret(trial, name, way):
    content, scheme, what = SECRETS[name]
    visible = ("hushhush", "aHVz")
    args = ("send", "message.received", "--to", trial.url, "--scheme", scheme)
    if way == "file":
        trial.write("secret", content)
        assert what in trial.refused(*args, "--secret-file", "secret", secrets=visible)
        sign = ("sign", "/dev/null", "--scheme", scheme, "--secret-file", "secret")
        assert what in trial.refused(*sign, logs=False, secrets=visible)
        text = f"endpoints: {{a: {{url: {trial.url}, scheme: {scheme}, secret: {{file: ¶secret}}}}}}\n"
        trial.write("x.yaml", FLOWS + text.replace("¶", ""))
        found, = told(trial.refused("run", "x.yaml", secrets=visible), "x.yaml")
        assert found[0] == 2 and what in found[2]
        return
    value = content.decode().split("\n")[0]
    if not value or "\0" in value or name == "too long":
        pytest.skip("cannot stand in the environment, or means: none")
    assert what in trial.refused(*args, env={"EMIT8_SECRET": value}, secrets=visible)


LEAKS = {
    "beside an unknown key": "endpoints: {a: {url: URL, secret: SECRET, bogus: 1}}\n",
    "in block style": "endpoints:\n  a:\n    url: URL\n    secret: SECRET   \n    bogus: 1\n  b: {url: x, secret: SECRET}\n",
    "short": "endpoints:\n  a:\n    url: URL\n    secret: hushhush-01234\n",
    "in a list": "endpoints:\n  a:\n    url: URL\n    secret:\n      - SECRET\n      - hushhush-01\n",
    "in a list at the key": "endpoints:\n  a:\n    url: URL\n    secret:\n    - SECRET\n    - &x hushhush-0123456789\n",
    "syntax": "endpoints: {a: {url: URL, secret: SECRET, [\n",
    "tagged": "endpoints:\n  a:\n    url: URL\n    secret: !!str SECRET\n",
    "quoted and cut": "endpoints:\n  a:\n    url: URL\n    secret: \"hushhush-0123456789\n",
    "over two lines": "endpoints:\n  a:\n    url: URL\n    secret: \"hushhush-0123456789\\\n      hushhush \\q\"\n",
    "digits": "endpoints:\n  a:\n    url: URL\n    secret: 4815162342481516234248151623\n",
    "a variable's look": "endpoints:\n  a:\n    url: URL\n    secret: '0123456789${hushhush!0123456789}'\n",
    "a map's look": "endpoints:\n  a:\n    url: URL\n    secret: {hushhush-0123456789}\n",
    "header": "endpoints:\n  a:\n    url: URL\n    secret: SECRET\n    headers:\n      Authorization: \"Bearer hushhush\\n\"\n",
    "header in flow style": "endpoints: {a: {url: URL, headers: {X-Key: hushhush, Host: x}}}\n",
    "header list": "endpoints:\n  a:\n    url: URL\n    headers:\n      - 'X-Key: hushhush'\n      - &x y\n",
    "userinfo": "endpoints:\n  a:\n    url: ftp://user:hushhush@127.0.0.1/\n",
    "userinfo, unknown key": "endpoints: {a: {url: 'http://u:hushhush@127.0.0.1:1/', bogus: 1}}\n",
    "token": "endpoints: {a: {url: 'http://127.0.0.1:1/?token=hushhush', bogus: 1}}\n",
    "JSON": '{\n"endpoints": {"a": {\n"url": "URL",\n"secret":\n"hushhush-1"}}}\n',
}


@pytest.mark.parametrize("name", LEAKS)
def test_no_secret_in_a_message(trial, name):
    """The line that an error shows may hold a secret: then it is not shown."""
    text = LEAKS[name].replace("URL", trial.url).replace("SECRET", SECRET)
    trial.write("bad.yaml", text if text.startswith("{") else FLOWS + text)
    err = trial.refused("run", "bad.yaml", secrets=("hushhush", "4815162342"))
    assert told(err, "bad.yaml")


# --- plans -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [
    FLOWS + "endpoints: {a: {url: URL, events: [agent.*]}}\n",
    FLOWS + "endpoints: {a: {url: URL, environments: [staging]}}\n",
    "endpoints: {a: {url: URL}}\nflows: {f: [{wait: 1ms}]}\n",
    FLOWS + "endpoints: {a: {url: URL, events: [session.*]}, b: {url: URL, environments: [development]}}\n",
])
def test_no_event_that_any_endpoint_takes(trial, text):
    trial.write("idle.yaml", text.replace("URL", trial.url))
    err = trial.refused("run", "idle.yaml")
    assert "no endpoint takes any event of the plan: nothing would be tested; look at the endpoints' events" in err


# --- the environment -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, value, what", [
    ("EMIT8_TIMEOUT", "5", '--timeout "5" is no duration'),
    ("EMIT8_RETRIES", "-1", '--retries "-1" is out of range'),
    ("EMIT8_WORKERS", "0", '--workers "0" is out of range'),
    ("EMIT8_SEED", "x", '--seed "x" is no whole number'),
    ("EMIT8_ENVIRONMENT", "prod", 'unknown environment "prod"'),
    ("EMIT8_SCHEME", "githab", 'unknown signature scheme "githab"'),
    ("EMIT8_FIXTURES", "nowhere", "nowhere: No such file"),
    ("EMIT8_SECRET_FILE", "nowhere", "nowhere: cannot be read"),
    ("EMIT8_CACERT", "nowhere", "nowhere: cannot be read"),
    ("EMIT8_COLOR", "sometimes", '--color "sometimes"'),
    ("EMIT8_LOG", "/", "/: is a directory"),
])
def test_environment_variable(trial, name, value, what):
    err = trial.refused("send", "message.received", "--to", trial.url, env={name: value}, logs=name != "EMIT8_LOG")
    assert what in err


def close_fds(*fds):
    def close():
        for fd in fds:
            os.close(fd)

    return close


@pytest.mark.parametrize("fds", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_stdio(tmp_path, fds):
    """The numbers 0, 1 and 2 must not become a socket's or the log's: what is printed would end up there."""
    log = tmp_path / "log.db"
    with kit.Capture() as server:
        process = subprocess.run(
            [kit.EMIT8, "send", "message.*", "--to", server.url, "-n", "30", "-v", "--log", log],
            stdin=subprocess.DEVNULL, stdout=None if 1 in fds else subprocess.PIPE,
            stderr=None if 2 in fds else subprocess.PIPE, env=kit.environment(), timeout=60, preexec_fn=close_fds(*fds))
        assert process.returncode == 0
        assert len(server.requests) == 30
        for request in server.requests:
            json.loads(request["body"])
            assert b"delivered" not in request["raw"]
    assert kit.rows(log, "SELECT count(*) FROM attempt") == [(30,)]
    assert kit.rows(log, "PRAGMA integrity_check") == [("ok",)]
    if 1 not in fds:
        assert process.stdout.count(b"delivered ") >= 30
    if 2 not in fds:
        assert b"not signed" in process.stderr


@pytest.mark.parametrize("fd", [0, 1, 2])
def test_closed_stdio_of_a_refusal(trial, fd):
    done = subprocess.run([kit.EMIT8, "send", "nope", "--to", trial.url], stdin=subprocess.DEVNULL,
                          stdout=None if fd == 1 else subprocess.PIPE, stderr=None if fd == 2 else subprocess.PIPE,
                          env=kit.environment(HOME=str(trial.state)), timeout=20, preexec_fn=close_fds(fd))
    assert done.returncode == 2
    assert not kit.tree(trial.state)


@pytest.mark.parametrize("args", [
    ("events",), ("events", "show", "*", "-n", "2000"), ("log", "LOG"), ("log", "LOG", "--format", "ndjson"),
    ("report", "LOG"), ("send", "message.*", "--to", "URL", "-n", "300", "-c", "4", "-v", "--no-log"), ("--help",),
])
def test_head(tmp_path, args):
    """`| head -1`: the reader goes away. No message, no hang, and a run goes on to its end."""
    with kit.Capture() as server:
        if "LOG" in args:
            done = kit.emit8("send", "*", "--to", server.url, "-n", "3000", "-c", "4", "--log", tmp_path / "log.db")
            assert done.returncode == 0, done.err
            server.take()
        args = [{"LOG": str(tmp_path / "log.db"), "URL": server.url}.get(a, a) for a in args]
        process = subprocess.Popen([kit.EMIT8, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=kit.environment(EMIT8_SECRET=SECRET))
        assert process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read().decode()
        assert process.wait(timeout=30) in (0, -signal.SIGPIPE)
        assert "emit8:" not in err and "Broken pipe" not in err
        if args[0] == "send":
            assert len(server.requests) == 300


@pytest.fixture(scope="module")
def german(tmp_path_factory):
    """A locale with a decimal comma, made here: it need not be installed."""
    path = tmp_path_factory.mktemp("locale")
    try:
        subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", str(path / "de_DE.UTF-8")], capture_output=True, timeout=60)
    except FileNotFoundError:
        pass
    env = {"LOCPATH": str(path), "LC_ALL": "de_DE.UTF-8"}
    shown = subprocess.run(["locale", "decimal_point"], env={**os.environ, **env}, capture_output=True).stdout
    if shown.strip() != b",":
        pytest.skip("no locale with a decimal comma can be made here")
    if SANITIZED:  # glibc's own newlocale() loses what it makes of LOCPATH
        env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    return env


def test_decimal_comma(tmp_path, german):
    log = tmp_path / "log.db"
    with kit.Capture() as server:
        done = kit.emit8("send", "*", "--to", server.url, "-n", "64", "--seed", "5", "--clock", kit.CLOCK, "--rate", "2000.5/s",
                         "--timeout", "1.5s", "--threshold", "success >= 99.9%", "--threshold", "p(99.9) < 4.5s",
                         "--format", "json", "--log", log, env=german)
        assert done.returncode == 0, done.err
        local = server.take()
        kit.emit8("send", "*", "--to", server.url, "-n", "64", "--seed", "5", "--clock", kit.CLOCK, "--rate", "2000.5/s", "--no-log")
        assert sorted(r["body"] for r in local) == sorted(r["body"] for r in server.requests)
        report = json.loads(done.out)
        assert report["response_time_ms"]["p50"] > 0
        assert all(t["verdict"] == "pass" if "verdict" in t else True for t in report["thresholds"])
    for args in (("log", log, "--format", "ndjson"), ("report", log, "--format", "json"), ("log", log, "--format", "csv"),
                 ("report", log), ("events", "show", "message.sent")):
        plain, comma = kit.emit8(*args), kit.emit8(*args, env=german)
        assert comma.returncode == plain.returncode
        if args[0] != "events":
            assert comma.out == plain.out
    assert kit.emit8("log", log, "--slower", "0.5us", "--format", "csv", env=german).out.count("\n") == 65


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
def test_proxies_of_the_environment_are_ignored(name):
    with kit.Capture() as server, kit.Capture() as proxy:
        done = kit.emit8("send", "message.received", "--to", server.url, "--no-log",
                         env={name: proxy.url, "no_proxy": "", "NO_PROXY": ""})
        assert done.returncode == 0, done.out + done.err
        assert len(server.requests) == 1 and server.requests[0]["path"] == "/"
        assert proxy.requests == []


def limit_files(n):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))


@pytest.mark.parametrize("files", [8, 12, 16, 20, 24])
def test_few_file_descriptors(tmp_path, files):
    """Our own descriptors are used up: that is never the receiver's fault, and never a pass."""
    log = tmp_path / "log.db"
    release = threading.Event()

    def slow(connection):
        release.wait(0.3)
        kit.answer(connection)

    with kit.RawPeer(lambda connection, n: kit.serve_forever(connection, slow)) as peer:
        done = kit.emit8("send", "message.received", "--to", peer.url, "-n", "60", "-c", "60", "--workers", "1", "--timeout", "8s",
                         "--retries", "0", "--log", log, "--format", "json", timeout=50, preexec_fn=limit_files(files))
        release.set()
    assert done.returncode in (3, 4), (done.returncode, done.err)
    if done.returncode == 3:
        assert re.search(r"^emit8: .*(Too many open files|descriptors|files)", done.err, re.M), done.err
        return
    report = json.loads(done.out)
    assert report["verdict"] == "invalid"
    assert "gen_fd" in {o for o, n in report["outcomes"].items() if n}
    assert "on emit8's own side (gen_fd" in kit.emit8("report", log).out
    blamed = {o for o, n in report["outcomes"].items() if n} - {"gen_fd", "delivered", "aborted", "timeout_first_byte"}
    assert not blamed


def test_words_of_gen_fd(tmp_path):
    """The error, too, says whose fault it is."""
    release = threading.Event()
    with kit.RawPeer(lambda connection, n: release.wait(2)) as peer:
        done = kit.emit8("send", "message.sent", "--to", peer.url, "-n", "60", "--rate", "600/s", "--workers", "1", "--retries", "0",
                         "--timeout", "1s", "--log", tmp_path / "log.db", preexec_fn=limit_files(20))
        release.set()
    assert done.returncode == 4
    assert re.search(r"^emit8: a slow receiver may bring 60\d* deliveries in flight; with at most\n {7}20 open files there is room", done.err,
                     re.M)
    errors = {a["error"] for a in kit.attempts(tmp_path / "log.db") if a["outcome"] == "gen_fd"}
    assert errors == {"emit8 ran out of file descriptors"}


def test_a_plan_that_needs_more_files_than_there_may_be_is_not_begun(tmp_path):
    with kit.Capture() as server:
        done = kit.emit8("send", "message.sent", "--to", server.url, "-n", "200", "-c", "100", "--log", tmp_path / "log.db",
                         preexec_fn=limit_files(64))
        assert done.returncode == 3
        assert done.err.endswith("emit8: 100 deliveries at a time need more files than the 64 that may be open; "
                            "raise the hard limit of open files (ulimit -Hn), or send fewer at a time\n")
        assert server.requests == []


def test_the_soft_limit_of_files_is_raised_where_it_is_needed(tmp_path):
    def soft():
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))

    with kit.Capture() as server:
        done = kit.emit8("send", "message.sent", "--to", server.url, "-n", "200", "-c", "100", "--no-log", preexec_fn=soft)
        assert done.returncode == 0, done.err
        assert len(server.requests) == 200


def few_ports():
    """For preexec_fn: a network of its own, with loopback and 30 local ports."""
    kit.offline()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as file:
        file.write("40000 40029")


def test_local_ports_are_counted_before_the_run():
    try:
        subprocess.run(["true"], preexec_fn=few_ports, check=True)
    except subprocess.SubprocessError:
        pytest.skip("no network namespace may be made here")
    done = kit.emit8("send", "message.sent", "--to", "http://127.0.0.1:9/", "-n", "200", "-c", "31", "--no-log", preexec_fn=few_ports)
    assert done.returncode == 3
    assert "31 deliveries at a time need more local ports than the 30 of this machine" in done.err
    done = kit.emit8("send", "message.sent", "--to", "http://127.0.0.1:9/", "-n", "20", "--rate", "100/s", "--timeout", "1s",
                     "--retries", "0", "--no-log", preexec_fn=few_ports)
    assert done.returncode in (1, 4)
    assert "there are\n       30 local ports: widen net.ipv4.ip_local_port_range, or lower" in done.err
