"""Every event that emit8 shows is valid under its schema, and every damaged one is not."""
import os
import random
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ORACLE = os.path.normpath(os.path.join(HERE, "..", "fixtures"))
sys.path.insert(0, ORACLE)
import render  # noqa: E402

SEVENTEENTH = os.path.join(ORACLE, "seventeenth")
FIXTURES = render.Fixtures(render.FIXTURES, SEVENTEENTH)
TYPES = list(FIXTURES.catalog)
EVENTS = 1000
SEED = 1


@pytest.fixture(scope="module")
def emit8():
    path = os.environ.get("EMIT8")
    assert path and os.access(path, os.X_OK), "EMIT8 must name the emit8 binary"
    return path


@pytest.fixture(scope="module", params=TYPES)
def shown(request, emit8):
    """(type, its lines); the last type comes from a directory that is laid over the built-in fixtures."""
    environment = {k: v for k, v in os.environ.items() if k != "EMIT8_FIXTURES"}
    if request.param == "invoice.paid":
        environment["EMIT8_FIXTURES"] = SEVENTEENTH
    command = [emit8, "events", "show", request.param, "-n", str(EVENTS), "--seed", str(SEED), "--format", "ndjson"]
    result = subprocess.run(command, capture_output=True, timeout=60, env=environment)
    assert result.returncode == 0, result.stderr.decode("utf-8", "replace")
    lines = result.stdout.split(b"\n")
    assert lines.pop() == b"", "the last line does not end"
    assert len(lines) == EVENTS
    return request.param, lines


@pytest.fixture(scope="module")
def checkers():
    """{type: (schema, validator)}, compiled once."""
    out = {}
    for name in TYPES:
        schema = FIXTURES.schema(name)
        out[name] = schema, render.validator(schema)
    return out


def test_sixteen_types_and_one_more():
    assert len(TYPES) == 17 and TYPES[-1] == "invoice.paid"
    builtin = render.Fixtures()
    assert list(builtin.catalog) == TYPES[:-1]
    assert len({row["category"] for row in builtin.catalog.values()}) == 5


@pytest.mark.parametrize("name", TYPES)
def test_schema_is_complete(name):
    """Valid under the metaschema; each property described, required, and its examples valid."""
    schema = FIXTURES.schema(name)
    assert schema["title"] == name
    assert schema["properties"]["type"]["const"] == name
    render.check_properties(schema, schema, name)


@pytest.mark.parametrize("name", TYPES)
def test_schema_example_is_valid_whole(name, checkers):
    schema, checker = checkers[name]
    for example in schema["examples"]:
        checker.validate(example)


def test_events_are_valid(shown, checkers):
    name, lines = shown
    checker = checkers[name][1]
    ids = set()
    for line in lines:
        event = render.strict_json(line)
        error = next(checker.iter_errors(event), None)
        assert error is None, "%s: %s\n%s" % ("/".join(map(str, error.path)), error.message, line.decode())
        render.check_event(event)
        ids.add(event["id"])
    assert len(ids) == EVENTS


def test_mutants_are_refused(shown, checkers):
    """One member removed, or replaced by a value of a type that the schema does not allow, anywhere in the event."""
    name, lines = shown
    schema, checker = checkers[name]
    rng = random.Random(SEED)
    for line in lines:
        mutant, what = render.mutate(line, schema, rng)
        assert not checker.is_valid(mutant), "%s passes in\n%s" % (what, line.decode())


def test_lines_are_compact(shown):
    """No space outside of strings: a line is what would be sent."""
    for line in shown[1][:50]:
        event = render.strict_json(line)
        assert len(line.decode()) <= len(render.to_json(event)) + 16, "not compact (16: trailing zeros of decimals)"


def test_shape_is_that_of_the_oracle(shown):
    """The same members with the same JSON types as the independent implementation of the template language gives."""
    name, lines = shown
    ours, theirs = {}, {}
    for line in lines:
        render.shapes(render.strict_json(line), out=ours)
    for number in range(EVENTS):
        render.shapes(render.strict_json(render.to_json(render.single(FIXTURES, name, number, SEED))), out=theirs)
    assert ours == theirs
