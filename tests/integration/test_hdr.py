"""--hdr: log files of HdrHistogram, held against the rows of the delivery log, a reader written here from the format's description, and
hdr-histogram-js."""

import base64
import collections
import json
import pathlib
import re
import struct
import subprocess
import sys
import zlib

import kit
import pytest

sys.path.insert(0, str(pathlib.Path(kit.SOURCE) / "tests" / "receivers"))
import start as receivers  # noqa: E402

NPM = pathlib.Path(kit.SOURCE) / "tests" / "npm"
HEAD = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'
HALF = 1024  # three digits: 2,048 slots of one nanosecond, then halves of twice the width each


def zigzag(data):
    """Numbers in ZigZag LEB128."""
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value >> 1 if value % 2 == 0 else -(value >> 1) - 1
            value = shift = 0


def low(slot):
    """The least value of a slot."""
    return slot if slot < 2 * HALF else (slot % HALF + HALF) << slot // HALF - 1


def slot_low(value):
    return value >> max(0, value.bit_length() - 11) << max(0, value.bit_length() - 11)


def decode(text):
    """Counts by the least value of their slots."""
    packed = base64.b64decode(text, validate=True)
    cookie, length = struct.unpack(">II", packed[:8])
    assert cookie & ~0xF0 == 0x1C849304 and length == len(packed) - 8
    plain = zlib.decompress(packed[8:])
    cookie, length, offset, digits, lowest, highest, ratio = struct.unpack(">IIiiqqd", plain[:40])
    assert cookie & ~0xF0 == 0x1C849303 and length == len(plain) - 40
    assert (offset, digits, lowest, highest, ratio) == (0, 3, 1, 3600 * 10**9, 1.0)
    counts, slot = collections.Counter(), 0
    for number in zigzag(plain[40:]):
        if number < 0:
            slot -= number
        else:
            counts[low(slot)] += number
            slot += 1
    return counts


def read(path):
    """(start of the run, [(tag, start, length, max, counts)])"""
    lines = path.read_text().splitlines()
    comments = [line for line in lines if line.startswith("#[")]
    assert comments[0] == "#[Histogram log format version 1.3]"
    base = re.search(r"^#\[BaseTime: (\d+\.\d{3}) \(seconds since epoch\)\]$", path.read_text(), re.M)
    assert re.search(rf"^#\[StartTime: {base[1]} \(seconds since epoch\), [0-9T:.-]+Z\]$", path.read_text(), re.M)
    assert lines[len(comments)] == HEAD
    rows = []
    for line in lines[len(comments) + 1 :]:
        tag, begin, length, most, text = re.fullmatch(r"Tag=(\w+),(\d+\.\d+),(\d+\.\d+),(\d+\.\d+),(\S+)", line).groups()
        rows.append((tag, float(begin), float(length), float(most), decode(text)))
    return float(base[1]), rows


def of_the_log(log):
    """What the file must hold, by the rows of the attempts."""
    (started,) = kit.rows(log, "SELECT started FROM run")[0]
    expected = collections.defaultdict(collections.Counter)
    query = "SELECT due, sent, done, bytes_sent, o.name FROM attempt a JOIN outcome o ON o.code = a.outcome"
    for due, sent, done, sent_bytes, outcome in kit.rows(log, query):
        second = (done - started) // 10**9
        if sent_bytes and outcome not in ("aborted", "unknown"):
            expected["response", second][slot_low(done - due)] += 1
            expected["service", second][slot_low(done - sent)] += 1
        if sent_bytes:
            expected["lag", second][slot_low(sent - due)] += 1
    return expected


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run of 2 s with failures and retries, its log and its file."""
    path = tmp_path_factory.mktemp("hdr")
    with kit.Capture(lambda request: 503 if request["index"] % 7 == 3 else 200) as server:
        done = kit.emit8("send", "message.*", "-n", 200, "--rate", "100/s", "--to", server.url, "--workers", 2, "--seed", 5,
                         "--log", path / "log.db", "--hdr", path / "run.hdr", "--retries", 1, "--format", "json")
    return path, json.loads(done.out)


def test_each_second_holds_the_times_of_its_attempts(ran):
    path, report = ran
    base, rows = read(path / "run.hdr")
    expected = of_the_log(path / "log.db")
    assert {(tag, int(begin)): counts for tag, begin, _, _, counts in rows} == expected
    assert len(rows) == len(expected) >= 6
    assert all(length == 1 for _, _, length, _, _ in rows)
    assert [begin for _, begin, _, _, _ in rows] == sorted(begin for _, begin, _, _, _ in rows)
    for tag, _, _, most, counts in rows:
        assert max(counts) <= most * 1e6 + 1000 and most * 1e6 <= max(counts) * 1.001 + 1000, tag
    for tag, key in ("response", "response_time_ms"), ("service", "service_time_ms"), ("lag", "send_lag_ms"):
        assert sum(counts.total() for t, _, _, _, counts in rows if t == tag) == report[key]["count"]
    assert abs(base - kit.rows(path / "log.db", "SELECT started FROM run")[0][0] / 1e9) < 0.002


def test_the_log_gives_the_same_file(ran, tmp_path):
    path, _ = ran
    done = kit.emit8("report", path / "log.db", "--hdr", tmp_path / "again.hdr")
    assert done.returncode in (0, 1), done.err
    assert (tmp_path / "again.hdr").read_bytes() == (path / "run.hdr").read_bytes()


def test_without_a_log_the_run_is_one_interval(tmp_path):
    with kit.Capture() as server:
        done = kit.emit8("send", "message.*", "-n", 50, "-c", 5, "--to", server.url, "--no-log", "--hdr", tmp_path / "x.hdr",
                         "--format", "json")
    assert done.returncode == 0, done.err
    _, rows = read(tmp_path / "x.hdr")
    assert [(tag, begin, counts.total()) for tag, begin, _, _, counts in rows] == [
        ("response", 0, 50), ("service", 0, 50), ("lag", 0, 50)]
    assert abs(rows[0][2] - json.loads(done.out)["run"]["elapsed_s"]) < 0.001


def test_an_independent_implementation_reads_the_same(ran):
    path, _ = ran
    try:
        receivers.packages()
    except receivers.Missing as why:
        pytest.skip(str(why))
    done = subprocess.run(["node", "hdrlog.mjs", path / "run.hdr"], cwd=NPM, capture_output=True, text=True, timeout=60, check=True)
    theirs = [json.loads(line) for line in done.stdout.splitlines()]
    base, ours = read(path / "run.hdr")
    assert len(theirs) == len(ours)
    for their, (tag, begin, length, _, counts) in zip(theirs, ours):
        assert their["tag"] == tag
        assert their["start_ms"] == pytest.approx((base + begin) * 1000, abs=2)
        assert their["end_ms"] - their["start_ms"] == pytest.approx(length * 1000, abs=2)
        assert {int(value): count for value, count in their["slots"].items()} == counts
        assert their["count"] == counts.total()


def test_a_file_that_cannot_be_written_is_said_before_the_run(tmp_path):
    with kit.Capture() as server:
        done = kit.emit8("send", "message.sent", "--to", server.url, "--no-log", "--hdr", tmp_path / "no" / "x.hdr")
        assert done.returncode == 3 and "--hdr" in done.err and "No such file" in done.err
        assert server.requests == []
    done = kit.emit8("report", tmp_path / "none.db", "--hdr", tmp_path / "no" / "x.hdr")
    assert done.returncode == 3 and "--hdr" in done.err
