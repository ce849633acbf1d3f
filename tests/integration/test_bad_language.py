"""The list of bad input on the larger language: includes, rows, variables, loops, branches, deliveries, tampering, expectations and
what replaces a body. As in test_bad_input.py: told with its place, exit code 2, at once, and nothing has happened."""

import os
import re

import pytest

import kit
from bad import (  # noqa: F401 - pytest finds the fixtures by their names
    ENDPOINTS,
    FLOWS,
    HEAD,
    SECRET,
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

ROTATING = ENDPOINTS.replace("{env: S}", "{env: S}, rotation: [{env: S2}]")
ENV = {"S": SECRET, "S2": "2-" + SECRET}


def emit(text):
    return step("{emit: message.sent, " + text + "}")


def deliver(text):
    return emit("deliver: " + text)


def tamper(text):
    return emit("tamper: " + text)


def expect(text):
    return emit("expect: " + text)


def faults(text):
    return HEAD + "faults: " + text + "\n"


def effect(text):
    return HEAD + "effect: " + text + "\n"


def steps(*lines, endpoints=ENDPOINTS):
    return endpoints + "flows:\n  f:\n" + "".join(f"    - {line}\n" for line in lines)


def rows(text):
    return {
        "bad.yaml": step("{foreach: {row: {csv: rows.csv}}, steps: [{emit: message.sent, set: {data.x: '${row.a}'}}]}"),
        "rows.csv": text,
    }


def inside(kind, depth):
    """A flow with so many steps within each other; the last one is the fault."""
    opening, closing = {
        "repeat": ("{repeat: 2, steps: [", "]}"),
        "choose": ("{choose: [{steps: [", "]}]}"),
        "parallel": ("{parallel: [[", "]]}"),
    }[kind]
    mark = opening.rindex("[")
    last = opening[:mark] + "¶" + opening[mark:]
    return step(opening * (depth - 1) + last + "{emit: message.sent}" + closing * depth)


def nested(*counts, mark):
    """Loops within each other; the one that is too much is the fault."""
    text = "{emit: message.sent}"
    for i, count in reversed(list(enumerate(counts))):
        text = "%s{foreach: {v%d: %s}, steps: [%s]}" % ("¶" if i == mark else "", i, count, text)
    return step(text)


MESSAGE = "{emit: message.sent}"
DURATION = "number with a unit"

LANGUAGE = {
    # include
    "include missing": ("include: [¶no.yaml]\n" + HEAD, "No such file", ""),
    "include of a directory": ({"bad.yaml": "include: [¶sub]\n" + HEAD, "sub/x.yaml": "vars: {}\n"}, "is a directory", ""),
    "include of itself": ("include: ¶bad.yaml\n" + HEAD, '"bad.yaml" includes itself', "take one"),
    "include of itself, round about": ("include: [¶sub/../bad.yaml]\n" + HEAD, '"bad.yaml" includes itself', ""),
    "include cycle": ({"bad.yaml": "include: [a.yaml]\n" + HEAD, "a.yaml": "include: [b.yaml]\n", "b.yaml": "include: [¶bad.yaml]\n"},
                      "includes itself", "take one"),
    "include too deep": ({"bad.yaml": "include: i0.yaml\n" + HEAD, **{f"i{i}.yaml": f"include: i{i + 1}.yaml\n" for i in range(15)},
                          "i15.yaml": "include: ¶i16.yaml\n", "i16.yaml": "vars: {}\n"}, "more than 16 deep", ""),
    "include over the limit": ({"bad.yaml": "include: [¶big.yaml]\n" + HEAD, "big.yaml": b"#" * (8 << 20) + b"\n"}, "larger than 8388608", ""),
    "include of no map": ({"bad.yaml": "include: [a.yaml]\n" + HEAD, "a.yaml": "¶[1]\n"}, "an included file is a map", "vars:"),
    "include with run": ({"bad.yaml": "include: [a.yaml]\n" + HEAD, "a.yaml": "¶run: []\n"}, 'unknown key "run"', ""),
    "include, empty": ({"bad.yaml": "include: [a.yaml]\n" + HEAD, "a.yaml": "¶"}, "is empty", ""),
    "include, invalid UTF-8": ({"bad.yaml": "include: [a.yaml]\n" + HEAD, "a.yaml": b"vars: {a: \xc2\xb6\xff}\n"}, "0xFF is not valid UTF-8", ""),
    "include, syntax": ({"bad.yaml": "include: [a.yaml]\n" + HEAD, "a.yaml": "vars: [¶"}, "without a closing bracket", ""),
    "include of nothing": ("include: ['¶']\n".replace("'¶'", "¶''") + HEAD, "a file's name must be a text", ""),
    "include of a map": ("include: ¶{a: b}\n" + HEAD, "a file's name must be a text", "common.yaml"),
    "include of stdin": ("include: [¶'-']\n" + HEAD, "stdin cannot be included", ""),
    "include NUL": ('include: [¶"a\\0b"]\n' + HEAD, "NUL", ""),
    "two flows of one name": ({"bad.yaml": "include: [a.yaml]\n" + HEAD, "a.yaml": "flows: {¶f: [{emit: message.sent}]}\n"}, 'another flow "f"', ""),
    "two endpoints of one name": ({"bad.yaml": "include: [a.yaml]\n" + HEAD, "a.yaml": "endpoints: {¶a: {url: URL}}\n"}, 'endpoint "a" stands in another file', ""),
    # rows
    "rows missing": (step("{foreach: {row: {csv: ¶no.csv}}, steps: [{emit: message.sent}]}"), "No such file", ""),
    "rows empty": (rows("¶"), "the file is empty", "names the columns"),
    "rows of nothing": ({**rows("a,b\n"), "bad.yaml": step("{foreach: {row: {csv: ¶rows.csv}}, steps: [{emit: message.sent}]}")}, "has no rows", ""),
    "rows of blank lines": ({**rows("a,b\n\n\r\n\n"), "bad.yaml": step("{foreach: {row: {csv: ¶rows.csv}}, steps: [{emit: message.sent}]}")}, "has no rows", ""),
    "row too short": (rows("a,b\n1,2\n¶3\n4,5\n"), "1 value, but there are 2 columns", "as many as the first"),
    "row too long": (rows("a,b\n1,2\n¶3,4,5\n"), "3 values, but there are 2 columns", "as many"),
    "quote open": (rows('a,b\n1,¶"2\n3,4\n'), "this quote is not closed", ""),
    "text behind a quote": (rows('a,b\n1,"2"¶x\n'), "text behind the closing quote", "written twice"),
    "quote inside": (rows('a,b\n1,2¶"3"\n'), "a quote in a value without quotes", "in quotes"),
    "rows with NUL": (rows("a,b\n1,¶\0\n"), "NUL byte", "is text"),
    "rows of bytes": (rows("a,b\n1,é".encode() + b"\xc2\xb6\xff\n"), "0xFF is not valid UTF-8", "save"),
    "column twice": (rows("a,¶a\n1,2\n"), 'column "a" stands twice', ""),
    "column without name": (rows("a,¶\n1,2\n"), "a column has no name", ""),
    "column unknown": ({**rows("a,b\n1,2\n"), "bad.yaml": step("{foreach: {row: {csv: rows.csv}}, steps: [{emit: message.sent, set: {data.x: ¶'${row.c}'}}]}")}, 'has no "c"', ""),
    "rows too large": ({"bad.yaml": step("{foreach: {row: {csv: ¶rows.csv}}, steps: [{emit: message.sent}]}"), "rows.csv": b"a\n" + b"x" * (8 << 20)}, "larger than 8388608", ""),
    "rows are the scenario": (step("{foreach: {row: {csv: ¶bad.yaml}}, steps: [{emit: message.sent}]}"), "is a scenario", ""),
    "rows in a directory": ({"bad.yaml": step("{foreach: {row: {csv: ¶sub}}, steps: [{emit: message.sent}]}"), "sub/x": "x"}, "is a directory", ""),
    "rows, key": (step("{foreach: {row: {csv: rows.csv, ¶delimiter: x}}, steps: [{emit: message.sent}]}").replace("rows.csv", "ok.csv"), 'unknown key "delimiter"', ""),
    # variables
    "variable unknown": (emit("name: ¶'${nope}'"), "nope", ""),
    "variable almost known": ("vars: {region: eu}\n" + emit("name: ¶'${regio}'"), "regio", 'did you mean "region"?'),
    "variable's circle": ("vars: {a: '${b}', b: ¶'${a}'}\n" + emit("name: '${a}'"), "in a circle", "itself"),
    "variable of itself": ("vars: {a: ¶'x${a}'}\n" + emit("name: '${a}'"), "in a circle", "itself"),
    "variable's type": ("vars: {n: ¶many}\n" + step("{repeat: '${n}', steps: [{emit: message.sent}]}"), '"many" is no count', ""),
    "variable, list for a text": ("vars: {n: ¶[1, 2]}\n" + emit("name: '${n}'"), '"name" must be a text, this is a list', ""),
    "variable, list in a text": ("vars: {n: [1, 2]}\n" + emit("name: ¶'x${n}'"), "list", ""),
    "variable, map for steps": ("vars: {n: ¶{a: 1}}\n" + step("{repeat: 2, steps: '${n}'}"), "steps must be a list", ""),
    "variable's name": ("vars: {¶a-b: 1}\n" + HEAD, '"a-b" is no variable', "letters"),
    "variables list": ("vars: ¶[a]\n" + HEAD, "vars", ""),
    "variable empty": (emit("name: ¶'${}'"), "no variable's name behind", ""),
    "variables too deep": ("vars: {" + ", ".join(f"v{i}: {'¶' if i == 15 else ''}'${{v{i + 1}}}'" for i in range(17)) + ", v17: x}\n" + emit("name: '${v0}'"),
                           "too deep", ""),
    "variable bomb": ("vars:\n  v0: [x, x, x, x, x, x, x, x, x, x]\n" + "".join(f"  v{i}: {'¶' if i == 4 else ''}[" + ", ".join([f"'${{v{i - 1}}}'"] * 10) + "]\n" for i in range(1, 5))
                      + "  v5: ¶[¶'${v4}', ¶'${v4}']\n" + emit("set: {data.x: ¶'${v5}'}"), "stands for too many values", ""),
    # foreach
    "foreach of nothing": (step("{foreach: {u: ¶[]}, steps: [{emit: message.sent}]}"), "the list is empty", "ann"),
    "foreach without steps": (step("¶{foreach: {u: [a]}}"), "foreach has no steps", "beside it"),
    "foreach with no steps": (step("{foreach: {u: [a]}, steps: ¶[]}"), "list of steps", ""),
    "foreach of two": (step("{foreach: ¶{u: [a], v: [b]}, steps: [{emit: message.sent}]}"), "one variable", ""),
    "foreach text": (step("{foreach: ¶users, steps: [{emit: message.sent}]}"), "one variable", ""),
    "foreach name": (step("{foreach: {¶a-b: [a]}, steps: [{emit: message.sent}]}"), "no variable's name", "letters"),
    "foreach reversed": (step("{foreach: {n: ¶20..1}, steps: [{emit: message.sent}]}"), "nothing to go through", "1..20"),
    "foreach negative": (step("{foreach: {n: ¶-3..1}, steps: [{emit: message.sent}]}"), "nothing to go through", "1..20"),
    "foreach of a word": (step("{foreach: {n: ¶many}, steps: [{emit: message.sent}]}"), "nothing to go through", ""),
    "foreach overflow": (step("{foreach: {n: ¶1..99999999999999999999}, steps: [{emit: message.sent}]}"), "nothing to go through", ""),
    "foreach, unknown key": (step("{foreach: {n: 1..2}, ¶stps: [], steps: [{emit: message.sent}]}"), 'unknown key "stps"', "steps"),
    "foreach, huge": (nested("1..100000000", mark=0), "more than 1000000 rounds", "use repeat"),
    "foreach, all numbers": (nested("0..9223372036854775807", mark=0), "more than 1000000 rounds", "use repeat"),
    "foreach, nested": (nested("1..1000", "1..1000", "1..1000", mark=2), "more than 1000000 rounds", "use repeat"),
    "foreach, nested huge": (nested("1..3", "1..9223372036854775807", "1..9223372036854775807", mark=1), "more than 1000000 rounds", ""),
    "foreach, nested behind one that varies": (nested("1..3", "['${v0}', a]", "1..400000", mark=2), "more than 1000000 rounds", ""),
    "foreach, huge from a variable": ("vars: {n: 0..99999999}\n" + nested("'${n}'", mark=0), "more than 1000000 rounds", ""),
    # branches
    "parallel of nothing": (step("parallel: ¶[]"), "parallel must be a list of branches", "session.ended"),
    "parallel map": (step("parallel: ¶{a: 1}"), "parallel must be a list", ""),
    "parallel of 257": (step("parallel: ¶[" + ", ".join(["[{emit: message.sent}]"] * 257) + "]"), "more than 256 branches", ""),
    "choose of 257": (step("choose: ¶[" + ", ".join(["{steps: [{emit: message.sent}]}"] * 257) + "]"), "more than 256 branches", ""),
    "branch of nothing": (step("parallel: [[{emit: message.sent}], ¶[]]"), "list of steps", ""),
    "branch a text": (step("parallel: [[{emit: message.sent}], ¶x]"), "list of steps", ""),
    "branch without steps": (step("parallel: [[{emit: message.sent}], ¶{}]"), "a branch is a list of steps", ""),
    "branch's key": (step("parallel: [{steps: [{emit: message.sent}], ¶weight: 1}]"), 'unknown key "weight"', ""),
    **{f"{kind} 17 deep": (inside(kind, 17), "nested more than 16 deep", "") for kind in ("repeat", "parallel")},
        "too many steps for one instance": (ENDPOINTS + "flows:\n  ¶f: [{repeat: 1000000, steps: [{repeat: 1000000, steps: [{emit: message.sent}]}]}]\n",
                                        "more than 100000000 steps", "repeat less"),
    # at, await, again
    "at without unit": (step("at: ¶5"), '"5" is no duration', DURATION),
    "at negative": (step("at: ¶-5s"), '"-5s" is no duration', DURATION),
    "at beside emit": (emit("at: ¶soon"), '"soon" is no duration', DURATION),
    "at and more": (step("{at: 5s, ¶name: x}"), 'unknown key "name"', ""),
    "await what": (step("await: ¶ak"), '"ak" is nothing to wait for', "await: ack"),
    "await list": (step("await: ¶[ack]"), "nothing to wait for", "await: ack"),
    "await failure": (step("{await: ack, on_failure: ¶stop}"), '"stop" is not what can happen', 'did you mean "stop-run"?'),
    "await failure beside emit": (emit("await: {ack: ¶contine}"), '"contine" is not what can happen', 'did you mean "continue"?'),
    "await key": (emit("await: ¶{nack: continue}"), "this is nothing to wait for", "{ack: continue}"),
    "again at the start": (step("¶{again: retry}"), "not certain which event again repeats", "behind an emit"),
    "again behind a choice": (steps("choose: [{steps: [{emit: message.sent}]}, {steps: [{emit: message.failed}]}]", "¶{again: retry}"), "not certain which event", ""),
    "again behind parallel": (steps("parallel: [[{emit: message.sent}]]", "¶{again: replay}"), "not certain which event", ""),
    "again in a branch": (steps(MESSAGE, "parallel: [[¶{again: replay}]]"), "not certain which event", ""),
    "again how": (steps(MESSAGE, "again: ¶resend"), '"resend" is no way to send again', "retry"),
    "again with set": (steps(MESSAGE, "{again: retry, ¶set: {data.x: 1}}"), 'unknown key "set"', ""),
    # rotate, revoke, exec
    "rotate nobody": (step("rotate: ¶b"), 'no endpoint is called "b"', "a name of endpoints"),
    "rotate without rotation": (step("rotate: ¶a"), 'endpoint "a" has no secret to go on to', "rotation:"),
    "revoke nobody": (step("revoke: ¶[a]"), "no endpoint is called", ""),
    "revoke without rotation": (step("revoke: ¶a"), "no secret to go on to", "rotation:"),
    "rotate's grace": (steps("{rotate: a, grace: ¶24}", MESSAGE, endpoints=ROTATING), '"24" is no duration', DURATION),
    "revoke's grace": (steps("rotate: a", "{revoke: a, ¶grace: 24h}", MESSAGE, endpoints=ROTATING), 'unknown key "grace"', ""),
    "rotation's secret": (endpoint("rotation: [{env: ¶NOT_SET}]"), "has no NOT_SET", ""),
    "rotation short": (endpoint("rotation: ¶[hushhush-01234]"), "too short", ""),
    "exec text": (step("exec: ¶ls -l"), "a command is a list", "sh, -c"),
    "exec of nothing": (step("exec: ¶[]"), "a command is a list", "sh, -c"),
    "exec without program": (step("exec: [¶'', x]"), "needs a program", ""),
    "exec list in a list": (step("exec: [ls, ¶[x]]"), "must be a text", ""),
    "exec failure": (step("{exec: [ls], on_failure: ¶fail}"), '"fail" is not what can happen', "stop-flow"),
    "exec NUL": (step('exec: [¶"a\\0b"]'), "NUL", ""),
    # deliver
    "deliver text": (deliver("¶late"), "deliver must be a map", "duplicate: 1"),
    "deliver of nothing": (deliver("¶{}"), "deliver must be a map", ""),
    "deliver's key": (deliver("{¶duplicates: 1}"), 'unknown key "duplicates"', 'did you mean "duplicate"?'),
    "copies zero": (deliver("{duplicate: ¶0}"), '"0" is no number of copies', "1 to 1000"),
    "copies negative": (deliver("{duplicate: ¶-1}"), '"-1" is no number of copies', "1 to 1000"),
    "copies too many": (deliver("{duplicate: ¶1001}"), '"1001" is no number of copies', "1 to 1000"),
    "copies a share": (deliver("{duplicate: ¶2%}"), '"2%" is no number of copies', ""),
    "concurrent alone": (deliver("{¶concurrent: true}"), "is said of duplicates", "49"),
    "concurrent what": (deliver("{duplicate: 1, concurrent: ¶maybe}"), "must be true or false", ""),
    "copies as": (deliver("{duplicate: 1, as: ¶replay}"), '"replay" is not how copies are sent', "retry"),
    "late without unit": (deliver("{late: ¶30}"), '"30" is no duration', DURATION),
    "late negative": (deliver("{late: ¶-30s}"), '"-30s" is no duration', DURATION),
    "late zero": (deliver("{late: ¶0s}"), "is not above 0", ""),
    "burst without unit": (deliver("{burst: ¶2}"), '"2" is no duration', DURATION),
    "reorder what": (deliver("{reorder: ¶5%}"), "must be true or false", ""),
    "drop and more": (deliver("{late: 1s, ¶drop: true}"), "not delivered in any other way", "alone"),
    "reorder and await": (emit("await: ack, deliver: ¶{reorder: true}"), "cannot be awaited", "leave one"),
    # faults
    "faults list": (faults("¶[drop]"), "faults must be a map", "2%"),
    "faults' key": (faults("{¶dropped: 1%}"), 'unknown key "dropped"', "reorder, late, drop"),
    "share over 100 %": (faults("{drop: ¶200%}"), '"200%" is no share', "0% to 100%"),
    "share negative": (faults("{drop: ¶-1%}"), '"-1%" is no share', "0% to 100%"),
    "share without unit": (faults("{drop: ¶2}"), '"2" is no share', "2% or 0.02?"),
    "share of 1": (faults("{drop: ¶1}"), '"1" is no share', "1% or 0.01? 100% is all"),
    "share NaN": (faults("{drop: ¶nan%}"), '"nan%" is no share', ""),
    "share comma": (faults("{drop: ¶'1,5%'}"), '"1,5%" is no share', ""),
    "shares over 100 %": (faults("¶{drop: 60%, reorder: 60%}"), "more than all deliveries", "100% in all"),
    "late without by": (faults("{late: ¶1%}"), "needs a share and a duration", "1% by 30s"),
    "late by 30": (faults("{late: ¶1% by 30}"), '"30" is no duration', ""),
    "late by nothing": (faults("{late: ¶1% by 0s}"), '"0s" is no duration above 0', ""),
    "late map": (faults("{late: ¶{share: 1%}}"), "needs a share and a duration", "by 30s"),
    "burst without over": (faults("{burst: ¶10% by 2s}"), "needs a share and a duration", "over 2s"),
    "duplicate without share": (faults("{duplicate: ¶{copies: 4}}"), "needs a share", "copies: 4"),
    "duplicate's copies": (faults("{duplicate: {share: 1%, copies: ¶0}}"), '"0" is no number of copies', ""),
    "faults of a flow": (ENDPOINTS + "flows: {f: {faults: {drop: ¶101%}, steps: [{emit: message.sent}]}}\n", '"101%" is no share', ""),
    # tamper
    "tamper text": (tamper("¶signature"), "must be a map", "signature, timestamp"),
    "tamper of nothing": (tamper("¶{}"), "says nothing", ""),
    "tamper's key": (tamper("{¶signatur: missing}"), 'unknown key "signatur"', 'did you mean "signature"?'),
    "signature what": (tamper("{signature: ¶mising}"), 'unknown tampering with the signature "mising"', 'did you mean "missing"?'),
    "signature, far off": (tamper("{signature: ¶zzz}"), "unknown tampering", "missing, other_secret"),
    "signature list": (tamper("{signature: ¶[missing]}"), "must be a text", "missing"),
    "timestamp text": (tamper("{timestamp: ¶-10m}"), "must be a map", "shift: -10m"),
    "timestamp two ways": (tamper("{timestamp: {shift: 1m, ¶older: 1s}}"), "in one way", "one of"),
    "shift without unit": (tamper("{timestamp: {shift: ¶10}}"), "must be a duration", "-10m"),
    "shift too far": (tamper("{timestamp: {shift: ¶-40000d}}"), "must be a duration", ""),
    "older negative": (tamper("{timestamp: {older: ¶-1s}}"), "must be a duration", "1s"),
    "stamp's LF": (tamper('{timestamp: {text: ¶"a\\nb"}}'), "control character", "one line"),
    "body's key": (tamper("{body: {¶forms: spaced}}"), 'unknown key "forms"', 'did you mean "form"?'),
    "body's form": (tamper("{body: {form: ¶space}}"), 'unknown form "space"', 'did you mean "spaced"?'),
    "body's base64": (tamper("{body: {replace: {base64: ¶'a*'}}}"), "is not base64", "RFC 4648"),
    "body's size zero": (tamper("{body: {size: ¶0}}"), "out of range", "64MiB"),
    "body's size over": (tamper("{body: {size: ¶65MiB}}"), "out of range", "64MiB"),
    "body's size negative": (tamper("{body: {size: ¶-1}}"), "must be a size", ""),
    "body's size unit": (tamper("{body: {size: ¶64 stones}}"), "must be a size", "64KB"),
    "body's depth zero": (tamper("{body: {depth: ¶0}}"), "out of range", "1000000"),
    "body's depth over": (tamper("{body: {depth: ¶1000001}}"), "out of range", "1000000"),
    "body's flip": (tamper("{body: {flip: ¶first}}"), "whole number", "random"),
    "body's truncate": (tamper("{body: {truncate: ¶0}}"), "out of range", "cut off"),
    "signed alone": (tamper("{body: ¶{signed: true}}"), "alone changes nothing", "form"),
    "signed what": (tamper("{body: {flip: 1, signed: ¶maybe}}"), "neither", "true or false"),
    "header CR": (tamper('{headers: {set: {X-A: ¶"a\\rb"}}}'), "control character", "one line"),
    "header LF": (tamper('{headers: {set: {X-A: ¶"a\\nX-B: b"}}}'), "control character", "one line"),
    "header NUL": (tamper('{headers: {add: {X-A: ¶"a\\0b"}}}'), "control character", "one line"),
    "header's name CR": (tamper('{headers: {set: {¶"X\\rA": b}}}'), "no header name", "letters"),
    "header's name LF": (tamper('{headers: {add: {¶"X\\nA": b}}}'), "no header name", "letters"),
    "header's name NUL": (tamper('{headers: {add: {¶"X\\0A": b}}}'), "NUL", ""),
    "header's name space": (tamper('{headers: {remove: [¶"X A"]}}'), "no header name", "letters"),
    "header's name empty": (tamper("{headers: {remove: [¶'']}}"), "no header name", "letters"),
    **{
        f"header framing {name}": (tamper(f"{{headers: {{set: {{¶{name}: x}}}}}}"), "would break the framing", "transfer")
        for name in ("Host", "content-length", "Transfer-Encoding", "CONNECTION", "Expect", "TE", "Trailer", "Upgrade")
    },
    "header framing removed": (tamper("{headers: {remove: [¶Content-Length]}}"), "would break the framing", "transfer"),
    "headers removed, none": (tamper("{headers: {remove: ¶[]}}"), "names no header", ""),
    "header's size": (tamper("{headers: {set: {X-A: {size: ¶513KiB}}}}"), "out of range", "512KiB"),
    "headers' sizes": (tamper("{headers: {set: ¶{X-A: {size: 300KiB}, X-B: {size: 300KiB}}}}"), "too large", "512KiB in all"),
    "headers' case": (tamper("{headers: {case: ¶upper}}"), "unknown case", "lower"),
    "header's map": (tamper("{headers: {set: {X-A: ¶{len: 8KB}}}}"), "no value of a header", "size: 8KB"),
    "method CR": (tamper('{method: ¶"GET\\r\\n"}'), "is no method", "PUT"),
    "method space": (tamper("{method: ¶'GET /x'}"), "is no method", ""),
    "method CONNECT": (tamper("{method: ¶CONNECT}"), "CONNECT asks for a tunnel", ""),
    "content type LF": (tamper('{content_type: ¶"a\\nb"}'), "control character", "none"),
    "transfer's key": (tamper("{transfer: {¶chunk: true}}"), 'unknown key "chunk"', 'did you mean "chunked"?'),
    "transfer of nothing": (tamper("{transfer: ¶{}}"), "says nothing", ""),
    "chunked what": (tamper("{transfer: {chunked: ¶2}}"), "neither", "true or false"),
    "rate without unit": (tamper("{transfer: {rate: ¶1KB}}"), "must be a rate of bytes", "1KB/s"),
    "rate zero": (tamper("{transfer: {rate: ¶0B/s}}"), "never leaves", ""),
    "close_after negative": (tamper("{transfer: {close_after: ¶-1}}"), "must be a size", "100"),
    # expect
    "expect text": (expect("¶200"), "no map of what must come back", ""),
    "expect's key": (expect("{¶statuses: 200}"), 'unknown key "statuses"', 'did you mean "status"?'),
    "status 99": (expect("{status: ¶99}"), '"99" is no status', ""),
    "status 600": (expect("{status: ¶600}"), '"600" is no status', ""),
    "status class": (expect("{status: ¶9xx}"), '"9xx" is no status', ""),
    "status reversed": (expect("{status: ¶403..400}"), "403..400", ""),
    "status of a word": (expect("{status: ¶ok}"), '"ok" is no status', ""),
    "status, empty list": (expect("{status: ¶[]}"), "is no status", ""),
    "within without unit": (expect("{within: ¶500}"), '"500" is no duration', ""),
    "within negative": (expect("{within: ¶-1s}"), '"-1s" is no duration', ""),
    "within zero": (expect("{within: ¶0s}"), '"0s" is no duration', ""),
    "pointer": (expect("{body: {¶data/count: 1}}"), "data/count", ""),
    "pointer's tilde": (expect("{body: {¶/a~2b: 1}}"), "~0 stands for a tilde", ""),
    "contains nothing": (expect("{body: {contains: ¶''}}"), "nothing to look for", ""),
    "expected header's name": (expect("{header: {¶'X A': any}}"), '"X A" is no header', ""),
    "effect reversed": (expect("{effect: ¶1..0}"), "1..0", ""),
    "effect of a word": (expect("{effect: ¶once}"), "once", ""),
    "report what": (expect("{report: ¶maybe}"), "maybe", ""),
    # effect
    "effect text": (effect("¶http://127.0.0.1/"), "by a GET or by a command", "pointer: /count"),
    "effect both": (effect("¶{get: URL, command: [x]}"), "by a GET or by a command", ""),
    "effect URL": (effect("{get: ¶'ftp://127.0.0.1/'}"), "http or https URL", ""),
    "effect URL space": (effect("{get: ¶'http://127.0.0.1/a b'}"), "space at character 19", ""),
    "effect pointer": (effect("{get: URL, pointer: ¶count}"), "begins with a slash", "/count"),
    "effect pointer's tilde": (effect("{get: URL, pointer: ¶/a~2}"), "~0 stands for a tilde", ""),
    "effect pointer of a command": (effect("{command: [x], ¶pointer: /count}"), "a pointer is for what GET brings", ""),
    "effect command": (effect("{command: ¶./count.sh}"), "a command is a list", ""),
    "effect settle": (effect("{get: URL, settle: ¶200}"), '"200" is no duration', DURATION),
    "effect's key": (effect("{get: URL, ¶pointr: /c}"), 'unknown key "pointr"', 'did you mean "pointer"?'),
    # bodies
    "body base64": (emit("body: {base64: ¶'a*b'}"), "no base64", "RFC 4648"),
    "body base64 cut": (emit("body: {base64: ¶YWJjZ}"), "no base64", "RFC 4648"),
    "body's map": (emit("body: ¶{hex: 00}"), "a body is a text or bytes", ""),
    "body list": (emit("body: ¶[1]"), "a body is a text or bytes", "base64"),
    "body and set": (emit("body: x, ¶set: {data.x: 1}"), "as it is written", "change the body"),
    "body and remove": (emit("body: x, ¶remove: [data.x]"), "as it is written", ""),
    "foreign type without body": (step("emit: ¶order.created"), 'unknown event type "order.created"', ""),
    "foreign type's name": (step('{emit: ¶"a\\nb", body: x}'), "is no event type", ""),
    "foreign type with braces": (step("{emit: ¶'{{$guid}}', body: x}"), "no event type", ""),
    "type": (emit('type: ¶"a\\rb"'), "no event type", "96 bytes"),
    "verbatim what": (emit("verbatim: ¶maybe"), "must be true or false", ""),
    "verbatim signature": (emit("verbatim: true, tamper: ¶{signature: missing}"), "nothing is signed in a verbatim delivery", "leave"),
    "verbatim framing": (emit("verbatim: true, headers: {¶Content-Length: 7}"), "would break the framing", ""),
    "id with blanks": (emit("id: ¶'a b'"), "no delivery id", "39"),
    "id too long": (emit("id: ¶" + "x" * 40), "no delivery id", "39"),
    "name of two lines": (emit('name: ¶"a\\nb"'), "no name for a step", "one line"),
    "endpoint nobody": (emit("endpoint: ¶crm"), 'no endpoint is called "crm"', ""),
    "environment of a step": (emit("environment: ¶prod"), 'unknown environment "prod"', "production"),
    # flows as probes
    "each what": (ENDPOINTS + "flows: {f: {each: ¶type, steps: [{emit: ¶'${type}'}]}}\n", "type", ""),
    "check without title": (ENDPOINTS + "flows: {f: {check: ¶{why: x}, steps: [{emit: message.sent}]}}\n", "a check has a title", "title:"),
    "check's needs": (ENDPOINTS + "flows: {f: {check: {title: x, needs: [¶secrt]}, steps: [{emit: message.sent}]}}\n", '"secrt" is nothing', 'did you mean "secret"?'),
    "flow's await": (ENDPOINTS + "flows: {f: {await: ¶done, steps: [{emit: message.sent}]}}\n", '"done" is nothing to wait for', ""),
}


@pytest.mark.parametrize("name", LANGUAGE)
def test_language(trial, name):
    texts, what, hint = LANGUAGE[name]
    texts = texts if isinstance(texts, dict) else {"bad.yaml": texts}
    expected = {}
    if name == "rows, key":
        trial.write("ok.csv", "a\n1\n")
    for file, text in texts.items():
        marked = not isinstance(text, bytes) or "¶".encode() in text
        text, expected[file] = plant(text, trial.url) if marked else (text, [])
        trial.write(file, text)
    err = trial.refused("run", "bad.yaml", env=ENV)
    for file, places in expected.items():
        check_faults(err, file, places, [(what, hint)] * len(places))


def test_loops_whose_lengths_vary_are_not_refused(trial):
    """What only looks like too much, if the longest round stood for all."""
    trial.write("good.yaml", step("{foreach: {n: [200000, 1, 1, 1, 1, 1]}, steps: [{foreach: {m: '1..${n}'}, steps: [{wait: 1ms}]}]}"))
    trial.write("rows.csv", "a\n" + "1\n" * 1000)
    trial.write("rows.yaml", step("{foreach: {row: {csv: rows.csv}}, steps: [{foreach: {m: 1..5}, steps: [{emit: message.sent}]}]}").replace("URL", trial.url))
    done = kit.emit8("validate", "good.yaml", "rows.yaml", cwd=trial.dir)
    assert "rounds of foreach" not in done.err
    assert "rows.yaml: ok: " in done.out and "in 5,000 deliveries" in done.out
