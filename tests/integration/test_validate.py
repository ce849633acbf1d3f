"""emit8 validate and emit8 init: every fault with its place, and a schema that says the same as the parser."""
import copy
import json
import pathlib
import re
import subprocess
import sys

import jsonschema
import pytest
import yaml

from kit import EMIT8, SOURCE, emit8, environment, is_sanitized, offline, planted

SCENARIOS = pathlib.Path(SOURCE) / "scenarios"
FILES = sorted([*SCENARIOS.glob("*.yaml"), *SCENARIOS.glob("checks/*.yaml"), *SCENARIOS.glob("templates/*.yaml")])
SCHEMA = json.loads((SCENARIOS / "scenario.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


class Loader(yaml.SafeLoader):
    """YAML 1.2's core types, as editors and emit8 have them (PyYAML's own are those of 1.1)."""

    yaml_implicit_resolvers = {}


for tag, pattern, first in [
    ("bool", r"^(true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"^([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    ("float", r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$", "-+.0123456789"),
]:
    Loader.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(pattern), list(first))


def load(text):
    return yaml.load(text, Loader)


# --- what users see ---------------------------------------------------------------------------------------------------


def write(tmp_path, text, name="scenario.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return path


GOOD = """\
endpoints: {crm: {url: http://127.0.0.1:9/, secret: {env: NOT_THERE}}}
flows:
  a: [{emit: message.received}, {repeat: 2, steps: [{emit: message.sent}]}]
"""


def test_a_good_file_is_told_what_it_holds(tmp_path):
    path = write(tmp_path, GOOD)
    done = emit8("validate", path)
    assert done.returncode == 0, done.err
    assert done.out == f"{path}: ok: 1 flow, 3 steps, 1 endpoint; sends 3 events in 3 deliveries\n"
    assert done.err == ""


def test_every_fault_with_its_place_a_caret_and_a_hint(tmp_path):
    text, places = planted("""\
endpoints:
  crm: {url: http://127.0.0.1:9/, ¶time_out: 5s}
flows:
  a:
    - ¶emitt: message.received
    - emit: ¶mesage.received
    - wait: ¶soon
    - {emit: message.sent, tamper: {signature: ¶mising}}
    - {emit: message.sent, expect: {status: ¶999}}
run:
  - flow: ¶b
thresholds: [¶"p(99) under 5s"]
""")
    path = write(tmp_path, text)
    done = emit8("validate", path)
    assert done.returncode == 2
    assert done.out == ""
    found = [tuple(map(int, m)) for m in re.findall(rf"^{re.escape(str(path))}:(\d+):(\d+): ", done.err, re.M)]
    assert sorted(found) == places
    assert done.err.count("^\n") == len(places), "a caret for each"
    for hint in ['did you mean "timeout"?', 'did you mean "emit"?', 'did you mean "message.received"?',
                 'did you mean "missing"?']:
        assert hint in done.err, hint
    assert done.err.endswith(f"{path}: {len(places)} faults\n")


def test_good_and_bad_files_at_once(tmp_path):
    good, bad = write(tmp_path, GOOD), write(tmp_path, "flows: 3\n", "bad.yaml")
    done = emit8("validate", bad, good)
    assert done.returncode == 2
    assert str(good) in done.out and str(bad) not in done.out
    assert str(bad) in done.err and str(good) not in done.err


def test_json_is_a_list_of_all_faults(tmp_path):
    good, bad = write(tmp_path, GOOD), write(tmp_path, GOOD.replace("wait", "w").replace("emit: message.sent", "emit: x"),
                                             "bad.yaml")
    done = emit8("validate", "--format", "json", good)
    assert (done.returncode, json.loads(done.out)) == (0, [])
    done = emit8("validate", "--format", "json", bad, good)
    assert done.returncode == 2
    (fault,) = json.loads(done.out)
    assert fault["file"] == str(bad)
    assert (fault["line"], fault["column"]) == (3, 60)
    assert fault["message"] == 'unknown event type "x"'
    assert fault["hint"] and "emit: x" in fault["source"]


def test_stdin(tmp_path):
    assert emit8("validate", "-", stdin=GOOD.encode()).returncode == 0
    done = emit8("validate", "-", stdin=b"flows: {a: [{emit: nothing}]}\n")
    assert done.returncode == 2
    assert "-:1:" in done.err


def test_a_directory_and_a_built_in_one(tmp_path):
    for directory in (SCENARIOS, SCENARIOS / "checks"):
        done = emit8("validate", directory)
        assert done.returncode == 0, done.err
        assert len(done.out.splitlines()) == len(list(directory.glob("*.yaml")))
    done = emit8("validate", tmp_path)
    assert done.returncode == 2
    assert "no scenarios" in done.err
    done = emit8("validate", "support-day", "suport-day")
    assert done.returncode == 2
    assert done.out.startswith("scenarios/support-day.yaml: ok: ")
    assert 'did you mean "support-day"?' in done.err


def test_neither_network_nor_secrets(tmp_path):
    text = """\
endpoints:
  a: {url: https://nowhere.invalid/hooks, secret: {env: NOT_THERE}, rotation: [{env: NOT_THERE_EITHER}]}
  b: {url: https://nowhere.invalid/hooks, scheme: standard-webhooks, secret: [{env: NOT_THERE}, {env: NOR_THIS}]}
flows: {a: [{emit: message.received}]}
"""
    done = emit8("validate", write(tmp_path, text), preexec_fn=offline)
    assert done.returncode == 0, done.err


def test_endpoints_may_be_left_out_but_not_be_wrong(tmp_path):
    assert emit8("validate", write(tmp_path, "flows: {a: [{emit: message.received}]}")).returncode == 0
    done = emit8("validate", write(tmp_path, "endpoints: {a: {}}\nflows: {a: [{emit: message.received}]}"))
    assert done.returncode == 2
    assert "url" in done.err
    write(tmp_path, "endpoints: {a: {url: 'ftp://x/'}}\n", "common.yaml")
    done = emit8("validate", write(tmp_path, "include: [common.yaml]\nflows: {a: [{emit: message.received}]}"))
    assert done.returncode == 2
    assert "common.yaml:1:" in done.err


def test_what_nobody_takes_is_a_fault(tmp_path):
    text = "endpoints: {a: {url: 'http://x/', events: ['agent.*']}}\nflows: {a: [{emit: message.received}]}"
    path = write(tmp_path, text)
    done = emit8("validate", path)
    assert done.returncode == 2
    assert done.err.startswith(f"{path}: no endpoint takes any event")


def test_an_endpoint_that_takes_nothing_is_noted(tmp_path):
    text = GOOD.replace("endpoints: {", "endpoints: {idle: {url: 'http://127.0.0.1:9/', events: [agent.error]}, ")
    path = write(tmp_path, text)
    done = emit8("validate", path)
    assert done.returncode == 0, done.err
    assert done.out.splitlines()[1] == f'{path}: note: endpoint "idle" takes no event of this plan'
    assert '"idle" takes no event' in emit8("run", path, "--dry-run").err


def test_included_files_and_variables(tmp_path):
    (tmp_path / "parts").mkdir()
    write(tmp_path, "vars: {rounds: 3}\ninclude: [more.yaml]\n", "parts/common.yaml")
    write(tmp_path, "flows: {b: [{foreach: {row: {csv: people.csv}}, steps: [{emit: message.sent, name: '${row.name}'}]}]}\n",
          "parts/more.yaml")
    write(tmp_path, "name,age\nann,7\nbob,8\n", "parts/people.csv")
    path = write(tmp_path, "include: [parts/common.yaml]\nflows: {a: [{repeat: '${rounds}', steps: [{emit: message.received}]}]}\n")
    done = emit8("validate", path)
    assert "sends 5 events" in done.out, done.out + done.err
    assert "sends 9 events" in emit8("validate", path, "--var", "rounds=7").out
    done = emit8("validate", path, "--var", "rounds=many")
    assert done.returncode == 2
    (tmp_path / "parts/people.csv").unlink()
    done = emit8("validate", path)
    assert done.returncode == 2
    assert "people.csv" in done.err


def test_secrets_are_not_shown(tmp_path):
    path = write(tmp_path, "endpoints: {a: {url: 'http://x/', secret: hunter2hunter2hunter2, tyme: 3}}\nflows: {a: [{emit: nope}]}")
    for arguments in ([], ["--format", "json"]):
        done = emit8("validate", path, *arguments)
        assert done.returncode == 2
        assert "hunter2" not in done.out + done.err


@pytest.mark.parametrize("arguments, word", [
    ([], "no file"), (["--format", "xml", "x"], "xml"), (["not-there.yaml"], "not-there.yaml"), (["--nope"], "--nope"),
])
def test_wrong_usage(arguments, word, tmp_path):
    done = emit8("validate", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert word in done.err


def test_the_schema_is_printed_and_is_one():
    done = emit8("validate", "--schema")
    assert done.returncode == 0
    assert json.loads(done.out) == SCHEMA
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


# --- init -------------------------------------------------------------------------------------------------------------


def builtin_names():
    return sorted(p.stem for p in SCENARIOS.glob("*.yaml"))


def test_init_writes_a_scenario_that_runs(tmp_path):
    done = emit8("init", cwd=tmp_path)
    assert done.returncode == 0, done.err
    text = (tmp_path / "scenario.yaml").read_text()
    assert "scenario: scenario\n" in text and text.count("#") > 10
    assert emit8("validate", "scenario.yaml", cwd=tmp_path).returncode == 0
    done = emit8("run", "scenario.yaml", "--sink", "--no-log", cwd=tmp_path)
    assert done.returncode == 0, done.out + done.err


def test_init_names_and_refuses(tmp_path):
    assert emit8("init", "my-story", cwd=tmp_path).returncode == 0
    assert "scenario: my-story\n" in (tmp_path / "my-story.yaml").read_text()
    (tmp_path / "my-story.yaml").write_text("mine\n")
    done = emit8("init", "my-story", cwd=tmp_path)
    assert done.returncode == 2
    assert "--force" in done.err
    assert (tmp_path / "my-story.yaml").read_text() == "mine\n"
    assert emit8("init", "my-story", "--force", "--from", "quick", cwd=tmp_path).returncode == 0
    assert (tmp_path / "my-story.yaml").read_text() == (SCENARIOS / "quick.yaml").read_text()
    done = emit8("init", "x.yaml", "--from", "quik", cwd=tmp_path)
    assert done.returncode == 2
    assert 'did you mean "quick"?' in done.err
    assert not (tmp_path / "x.yaml").exists()
    assert emit8("init", "no/such/place.yaml", cwd=tmp_path).returncode in (2, 3)


def test_init_list_shows_the_built_in_ones():
    done = emit8("init", "--list")
    assert done.returncode == 0
    rows = dict(line.split(None, 1) for line in done.out.splitlines())
    assert sorted(rows) == builtin_names()
    for name, description in rows.items():
        assert description == load((SCENARIOS / f"{name}.yaml").read_text())["description"]


# --- large files ------------------------------------------------------------------------------------------------------


# A small parent: a child's most memory counts from the moment when it still is a copy of its parent.
MEASURE = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([done.returncode, done.stdout.decode(), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024]))
"""


def measured(*args):
    """The command's end and output, its time on the processor and its most memory in bytes."""
    done = subprocess.run([sys.executable, "-c", MEASURE, EMIT8, *map(str, args)], env=environment(), capture_output=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("settings", ["", ", set: {data.text: hello}", ", set: {data.text: hello %d}"],
                         ids=["plain", "set", "set to different values"])
def test_a_hundred_thousand_steps(tmp_path, settings):
    path = tmp_path / "large.yaml"
    steps = ("    - {emit: message.sent" + (settings % i if "%" in settings else settings) + "}\n" for i in range(100_000))
    path.write_text("endpoints: {a: {url: 'http://127.0.0.1:9/'}}\nflows:\n  f:\n" + "".join(steps))
    code, out, cpu, memory = measured("validate", path)
    assert code == 0, out
    assert "100,000 steps" in out and "100,000 events in 100,000 deliveries" in out
    if not is_sanitized():
        assert cpu < 1, f"{cpu:.2f} s"
        assert memory < 100_000_000, f"{memory / 1e6:.1f} MB"


# --- schema and parser ------------------------------------------------------------------------------------------------

# A small scenario for every construct, so that each key is there with a value that is right.
SNIPPETS = [
    """
scenario: x
description: text
seed: 3
environment: staging
vars: {n: 5, list: [a, b]}
endpoints:
  e:
    url: http://127.0.0.1:9/
    secret: [{env: A}, 'a-test-secret-of-length']
    rotation: [{env: B}]
    scheme: stripe
    events: [message.*, session.started]
    environments: [staging, production]
    timeout: 5s
    retry: {attempts: 3, base: 1s, factor: 2, cap: 10s, jitter: equal}
    headers: {X-Team: a}
    description: text
  g:
    url: http://127.0.0.1:9/
    scheme: {algorithm: sha1, header: X-Sig, content: '{timestamp}.{body}', prefix: 'v1=', separator: ',', timestamp_item: 't='}
  f:
    url: http://127.0.0.1:9/
    secret: a-test-secret-of-length
    events: message.*
    environments: staging
    scheme: {algorithm: sha512, header: X-Sig, content: '{timestamp}.{body}', encoding: base64, prefix: 'v1=', separator: ',',
             multiple: true, tolerance: 5m, timestamp_header: X-Time, id_header: X-Id, headers: {X-More: '{type}'}, secret: raw,
             description: text}
faults: {duplicate: {share: 2%, copies: 3, concurrent: true}, reorder: 5%, late: 1% by 30s, drop: 0.1%, burst: {share: 2%, over: 2s}}
effect: {get: 'http://127.0.0.1:9/count', pointer: /count, settle: 100ms}
thresholds: ["p(99) < 250ms", {rule: success >= 50%, abort: true}]
targets: {allow: [hooks.example.com]}
flows: {a: {description: text, await: ack, faults: {duplicate: 5%, late: {share: 1%, by: 2s}, burst: 1% over 1s}, steps: [{emit: message.received}]}}
run:
  - {flow: a, arrivals: {rate: 20/s, for: 1s, process: poisson}}
  - {flow: a, arrivals: {ramp: 1/s..5/s, for: 1s}}
  - {flow: a, arrivals: {steps: ['0..5/s:1s', '5/s:1s', '0:1s'], process: poisson}, warmup: 1s}
  - {flow: a, arrivals: {sine: 1..5/s, period: 1s, for: 2s, process: constant}}
  - {flow: a, arrivals: {burst: 3, every: 1s, for: 2s}}
  - {flow: a, arrivals: {concurrency: 2, for: 2s}}
  - {flow: a, arrivals: {times: 3, concurrency: 2}, at: 10s}
""",
    """
flows:
  a:
    - emit: message.received
      set: {data.channel: web, data.a: {b: 1}}
      remove: [data.topic]
      environment: staging
      endpoint: target
      headers: {X-A: b}
      name: first
      at: 1s
      id: dlv_1
      await: {ack: continue}
      deliver: {duplicate: 3, concurrent: true, as: retry}
    - {emit: message.sent, deliver: {late: 3s, burst: 2s, reorder: true}}
    - {emit: message.sent, deliver: {drop: true}}
    - {emit: message.sent, type: made.up, await: ack}
    - {emit: own.type, body: text, headers: {Content-Type: text/plain}, verbatim: true}
    - {emit: own.type, body: {base64: aGVsbG8=}}
    - {again: retry, deliver: {duplicate: 1}, tamper: {method: GET}, expect: {status: 4xx}, name: more, await: ack}
    - again: replay
    - wait: 200ms..2s
    - wait: lognormal:2s,1.5
    - at: 3s
    - {repeat: 2..4, steps: [{emit: session.started}]}
    - {repeat: 3, steps: [{emit: session.started}]}
    - choose: [{weight: 2, steps: [{wait: 1s}]}, {steps: [{wait: 0}]}]
    - parallel: [[{emit: session.started}], {steps: [{emit: session.ended}]}]
    - {foreach: {user: [ann, bob]}, steps: [{emit: message.sent, name: '${user}'}]}
    - {foreach: {n: 1..3}, steps: [{emit: message.sent}]}
    - {await: ack, on_failure: stop-run}
    - {exec: ['true', x], on_failure: continue}
""",
    """
endpoints: {e: {url: 'http://127.0.0.1:9/', secret: {env: A}, rotation: [{env: B}]}}
flows:
  a: [{emit: message.sent}, {rotate: e, grace: 24h}, {revoke: e}]
  b: {each: types, check: {title: text, why: text, mend: text, needs: [secret, effect], canary: true}, steps: [{emit: '${type}'}]}
effect: {command: [./count.sh, a], settle: 1s}
""",
    """
flows:
  a:
    - {emit: message.sent, tamper: {signature: other_secret}}
    - {emit: message.sent, tamper: {timestamp: {shift: -10m}}}
    - {emit: message.sent, tamper: {timestamp: {older: 1s}}}
    - {emit: message.sent, tamper: {timestamp: {newer: 1s}}}
    - {emit: message.sent, tamper: {timestamp: {text: soon}}}
    - {emit: message.sent, tamper: {body: {form: pretty, size: 64KB, depth: 100, flip: 10, truncate: 20, signed: true}}}
    - {emit: message.sent, tamper: {body: {replace: text}}}
    - {emit: message.sent, tamper: {body: {replace: {base64: aGVsbG8=}, flip: random}}}
    - {emit: message.sent, tamper: {headers: {remove: [Content-Type], set: {X-A: b, X-B: {size: 8KB}}, add: {X-C: d}, case: lower}}}
    - {emit: message.sent, tamper: {method: PUT, content_type: none, transfer: {chunked: true, rate: 1KB/s, expect: true, close_after: 100}}}
""",
    """
flows:
  a:
    - {emit: message.sent, expect: {status: [200, 2xx, 400..403, none], within: 500ms, effect: 0..1, report: true}}
    - {emit: message.sent, expect: {status: 401, header: {Content-Type: application/json, Location: absent}, effect: 1}}
    - {emit: message.sent, expect: {body: {contains: accepted, lacks: [Traceback, error], /status: ok, /n: 3}}}
""",
]

# Maps whose keys are the user's own.
OPEN = re.compile(
    r"^(/vars(/.*)?|/endpoints|/flows|(.*/)?headers(/(set|add))?|.*/set(/.*)?|.*/foreach|.*/expect/(header|body)|.*/body/~1[^/]*)$")

# What a schema cannot know: names that stand elsewhere, texts with a grammar of their own, what belongs together.
BEYOND = [
    (r"^\d /endpoints/[^/]*$", "the URL may come from --to, but validate wants one"),
    (r"/(flow|endpoint|rotate|revoke)$", "a name of something else in the file"),
    (r"/(emit|type|events|events/\d+|environment|environments|environments/\d+)$", "a name of the fixtures"),
    (r"/(url|get|include|allow/\d+)$", "a URL, a file or a host"),
    (r"/scheme$", "a scheme's name, whose other parts must fit"),
    (r"/scheme/", "the parts of a signature scheme must fit together"),
    (r"/(secret|secret/\d+|rotation|rotation/\d+)(/(env|file))?$", "a secret's form and length depend on the scheme"),
    (r"/(thresholds/\d+|rule)$", "a rule's grammar"),
    (r"/(late|burst|wait|ramp|rate|sine|every|period|warmup|arrivals/steps/\d+|shift|within|for|at|grace|settle|timeout|base|cap|by|over|older|newer)$", "a duration or rate"),
    (r"/(size|close_after|truncate|duplicate|reorder|drop|share|attempts)$", "sums and sizes have limits"),
    (r"/(set|remove)(/|$)", "a path of the event"),
    (r"/(base64|pointer|id|name|method|content_type)$", "bytes and texts with a form"),
    (r"/headers(/|$)", "what frames a request is refused"),
    (r"/(body|verbatim|again|await|deliver)$", "what belongs together"),
    (r"/vars(/|$)", "a variable that another value needs"),
    (r"/foreach(/|$)", "a variable that another value needs"),
]


# Where the schema is stricter on purpose: the parser takes these as texts or does not look.
STRICTER = [
    (r"/emit = (-5|2.5|true)$", "a type called by a number, with a body of its own"),
]


def pointer(path):
    return "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in path)


def nodes(value, path=()):
    yield path, value
    if isinstance(value, dict):
        for key, member in value.items():
            yield from nodes(member, (*path, key))
    elif isinstance(value, list):
        for i, member in enumerate(value):
            yield from nodes(member, (*path, i))


def changed(document, path, change):
    """A copy in which the node at path is changed: change(parent, key)."""
    root = [copy.deepcopy(document)]
    parent, key = root, 0
    for part in path:
        parent, key = parent[key], part
    change(parent, key)
    return root[0]


WRONG = [[], {}, {"zzz": 1}, "¡no!", -5, 2.5, True, None, [["x"]]]


def assign(value):
    def change(parent, key):
        parent[key] = value
    return change


def key_mutations(document):
    for path, value in nodes(document):
        if isinstance(value, dict) and not OPEN.match(pointer(path)):
            yield "added " + pointer(path), changed(document, path, lambda parent, key: parent[key].update({"zzz_x": 1}))
            for key in value:
                wrong = {k + "_x" if k == key else k: v for k, v in value.items()}
                yield f"renamed {pointer((*path, key))}", changed(document, path, assign(wrong))


def type_mutations(document):
    for path, value in nodes(document):
        for wrong in WRONG if path else WRONG[3:]:
            yield f"{pointer(path)} = {json.dumps(wrong, ensure_ascii=False)}", changed(document, path, assign(wrong))


def parser_accepts(tmp_path, cases):
    """What emit8 says of many documents, by their number: the messages of the faults."""
    paths = []
    for i, (_, document) in enumerate(cases):
        paths.append(tmp_path / f"{i:05}.json")
        paths[-1].write_text(json.dumps(document))
    faults = {str(path): [] for path in paths}
    for i in range(0, len(paths), 500):
        done = emit8("validate", "--format", "json", *paths[i : i + 500], timeout=300)
        assert done.returncode in (0, 2), done.err
        for fault in json.loads(done.out):
            faults[fault["file"]].append(fault["message"])
    return [faults[str(path)] for path in paths]


def disagreements(cases, answers):
    """(what, who refuses, why) of each case in which schema and parser are not of one opinion."""
    out = []
    for (what, document), faults in zip(cases, answers):
        if bool(faults) == VALIDATOR.is_valid(document):
            error = None if faults else jsonschema.exceptions.best_match(VALIDATOR.iter_errors(document))
            why = faults[0] if faults else f"{error.json_path}: {error.message[:200]}"
            out.append((what, "parser" if faults else "schema", why))
    return out


def corpus():
    return [(path.name, load(path.read_text())) for path in FILES] + [
        (f"snippet {i}", load(text)) for i, text in enumerate(SNIPPETS)]


def test_schema_and_parser_accept_what_is_right(tmp_path):
    answers = parser_accepts(tmp_path, corpus())
    assert disagreements(corpus(), answers) == []
    assert all(not faults for faults in answers)


def test_schema_and_parser_refuse_keys_that_are_wrong(tmp_path):
    cases = [(f"{name}: {what}", changed_one) for name, document in corpus()
             for what, changed_one in key_mutations(document)]
    assert len(cases) > 1000
    answers = parser_accepts(tmp_path, cases)
    assert disagreements(cases, answers) == []
    assert all(answers), [what for (what, _), faults in zip(cases, answers) if not faults]


def test_schema_and_parser_refuse_values_that_are_wrong(tmp_path):
    cases = [(f"{i} {what}", document) for i, text in enumerate(SNIPPETS) for what, document in type_mutations(load(text))]
    out = []
    for what, who, why in disagreements(cases, parser_accepts(tmp_path, cases)):
        place = what.split(" = ")[0]
        known = [(BEYOND, place)] if who == "parser" else [(STRICTER, place), (STRICTER, what)]
        if not any(re.search(pattern, at) for table, at in known for pattern, _ in table):
            out.append((what, who, why))
    assert out == [], "\n".join(map(str, out[:60]))


def test_every_key_of_the_schema_is_in_the_corpus():
    """So that the tests above know of each."""
    seen = {str(path[-1]) for _, document in corpus() for path, _ in nodes(document) if path}
    keys = set()

    def walk(node):
        if isinstance(node, dict):
            keys.update(node.get("properties", {}) if isinstance(node.get("properties"), dict) else {})
            for member in node.values():
                walk(member)
        elif isinstance(node, list):
            for member in node:
                walk(member)

    walk(SCHEMA)
    assert keys - seen - {"file", "csv", "include"} == set()


def test_every_key_of_the_schema_has_a_description():
    missing = []

    def walk(node, path):
        if isinstance(node, dict):
            if isinstance(node.get("properties"), dict):
                for key, member in node["properties"].items():
                    target = member
                    while isinstance(target, dict) and "$ref" in target and "description" not in target:
                        target = SCHEMA["$defs"][target["$ref"].rpartition("/")[2]]
                    if "description" not in target:
                        missing.append(path + "/" + key)
            for key, member in node.items():
                walk(member, path + "/" + key)
        elif isinstance(node, list):
            for member in node:
                walk(member, path)

    walk(SCHEMA, "")
    assert missing == []


# --- what is not there, and what is not shown -------------------------------------------------------------------------


def said(result):
    return (result.stdout + result.stderr).decode()


def test_a_rotation_that_is_not_there_is_found(tmp_path):
    text = GOOD.split("flows:")[0] + "flows: {f: [{emit: message.sent}, {rotate: crm}]}\n"
    assert "has no secret to go on to" in said(bad := emit8("validate", write(tmp_path, text)))
    assert bad.returncode == 2
    assert emit8("validate", write(tmp_path, text.replace("NOT_THERE}", "NOT_THERE}, rotation: [{env: NEITHER}]"))).returncode == 0


@pytest.mark.parametrize("text", ["hushhush-secret-01\n", "@hushhush-secret-01\n", "%hushhush-secret-01\n"])
@pytest.mark.parametrize("command", ["validate", "run", "replay"])
def test_a_secret_file_is_not_shown(tmp_path, command, text):
    target = [] if command == "validate" else ["--to", "http://127.0.0.1:9/"]
    bad = emit8(command, write(tmp_path, text, "secret.txt"), *target)
    assert bad.returncode == 2
    assert "hushhush" not in said(bad)


def test_names_that_there_are(tmp_path):
    text = "endpoints: {crm: {url: http://127.0.0.1:9/}, audit: {url: http://127.0.0.1:9/}}\nflows: {f: [{rotate: quux}], g: [{emit: message.sent}]}\nrun: [{flow: nowhere, count: 1}]\n"
    bad = emit8("validate", write(tmp_path, text))
    assert "a name of endpoints: crm, audit" in said(bad)
    assert "a name of flows: f, g" in said(bad)


def test_what_cannot_be_read_is_named(tmp_path):
    bad = emit8("validate", write(tmp_path, "include: [not-there.yaml]\n" + GOOD))
    assert bad.returncode == 2
    assert re.search(r'not-there.yaml": cannot be read', said(bad))
