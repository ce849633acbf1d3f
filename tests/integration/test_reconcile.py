"""Reconciliation, exact: what the log says was sent is what the receiver's receipts say came, row for row.

The log and the receipts are joined in SQLite, by a program that is not emit8.
"""

import collections
import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess

import kit
import pytest

CLEAN = int(os.environ.get("E8_TEST_DELIVERIES", "100000"))
FAULTY = CLEAN // 5

FAULTS = ["--status", "200:90,503:8,429:2", "--fail", "reset:1%,close:1%,truncate:1%", "--latency", "exp:2ms"]
# What the log must call an attempt that the sink answered with a fault. A reset may overtake its answer or not; where the
# connection was kept alive and no byte of an answer came, a close is what a stale connection looks like too.
OUTCOMES = {
    None: {"delivered", "http_5xx", "throttled"},
    "reset": {"reset", "no_response", "stale_connection"},
    "close": {"no_response", "reset", "stale_connection"},
    "truncate": {"truncated", "reset_in_body"},
}


def start_sink(tmp_path, secret, *args):
    """emit8 sink whose last line can be read; yields (process, URL, receipts)."""
    receipts = tmp_path / "receipts.db"
    process = kit.start("sink", "--quiet", "--receipts", receipts, "--secret-file", secret, *args)
    first = process.stderr.readline().decode()
    match = re.match(r"listening on (http://\S+)$", first)
    assert match, first + process.stderr.read().decode()
    return process, match[1], receipts


def stop_sink(process):
    """Its own counts, as its last line tells them."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert not out
    numbers = re.fullmatch(
        r"sink: (\d+) received, (\d+) verified, (\d+) rejected, (\d+) duplicates, (\d+) faults", err.decode().strip()
    )
    assert numbers, err
    return dict(zip(("received", "verified", "rejected", "duplicates", "faults"), map(int, numbers.groups())))


@contextlib.contextmanager
def joined(log, receipts):
    """The log's database with the receipts attached as `r`."""
    with contextlib.closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True)) as db:
        db.execute("ATTACH ? AS r", (f"file:{receipts}?mode=ro",))
        yield db


def count(db, query, *params):
    return db.execute(f"SELECT count(*) FROM {query}", params).fetchone()[0]


def sqlite_shell(path, query):
    """By the sqlite3 program, as a person would."""
    done = subprocess.run(["sqlite3", "-readonly", path, query], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def assert_adds_up(totals):
    ended = sum(totals[k] for k in ("delivered", "failed", "dropped", "aborted", "withheld", "not_begun"))
    assert totals["planned"] == ended, totals


def assert_same_pairs(db):
    """Of (delivery, attempt) there is none twice, and none on one side only."""
    twice = "(SELECT 1 FROM {0} GROUP BY delivery_id, {1} HAVING count(*) > 1)"
    assert count(db, twice.format("attempt", "number")) == 0
    assert count(db, twice.format("r.receipt", "attempt")) == 0
    differ = "(SELECT {0} FROM {1} EXCEPT SELECT {2} FROM {3})"
    ours, theirs = ("delivery_id, number", "attempt"), ("delivery_id, attempt", "r.receipt")
    assert count(db, differ.format(*theirs, *ours)) == 0, "a receipt that the log does not explain"
    assert count(db, differ.format(*ours, *theirs)) == 0, "an attempt that did not arrive"


def test_clean_deliveries_reconcile_exactly(tmp_path):
    secret, log, file = kit.secret_file(tmp_path), tmp_path / "log.db", tmp_path / "report.json"
    process, url, receipts = start_sink(tmp_path, secret)
    done = kit.emit8(
        "send", "*", "-n", CLEAN, "-c", 64, "--to", url, "--secret-file", secret, "--log", log, "--report-json", file
    )
    said = stop_sink(process)
    assert done.returncode == 0, done.err
    assert said == {"received": CLEAN, "verified": CLEAN, "rejected": 0, "duplicates": 0, "faults": 0}

    with joined(log, receipts) as db:
        assert count(db, "attempt") == count(db, "receipt") == CLEAN
        assert_same_pairs(db)
        # The log counts bytes on the wire: the body's, and the head's, which is of one length for all events of a type but
        # for the digits of its Content-Length. What that length is, a request that is rendered again tells.
        head = "a.bytes_sent - r.body_bytes - length(cast(r.body_bytes AS TEXT))"
        heads = db.execute(
            f"SELECT a.type, count(DISTINCT {head}), min({head}), min(delivery_id)"
            " FROM attempts a JOIN r.receipt r USING (delivery_id, attempt) GROUP BY a.type"
        ).fetchall()
        assert len(heads) == 16
        for name, lengths, length, delivery in heads:
            assert lengths == 1, name
            shown = kit.emit8("log", log, "--show", delivery, "--secret-file", secret).stdout
            request = shown[shown.index(b"POST / HTTP/1.1\r\n") :]
            size = int(re.search(rb"Content-Length: (\d+)", request)[1])
            assert length == request.index(b"\r\n\r\n") + 4 - len(str(size)), name
        ours = "SELECT delivery_id, attempt, type, status, 'verified' FROM attempts"
        theirs = "SELECT delivery_id, attempt, type, status, verdict FROM r.receipt"
        assert count(db, f"({ours} EXCEPT {theirs})") == 0
        assert count(db, f"({theirs} EXCEPT {ours})") == 0

    report = kit.report(log)
    assert report == json.loads(file.read_text())
    totals = report["totals"]
    assert totals == {
        "planned": CLEAN, "delivered": CLEAN, "failed": 0, "dropped": 0, "aborted": 0, "withheld": 0, "gone": 0,
        "expected": 0, "unmet": 0, "attempts": CLEAN, "retries": 0, "not_begun": 0,
    }  # fmt: skip
    assert report["status"] == {"200": CLEAN}
    assert sqlite_shell(log, "SELECT count(*), sum(outcome = 'delivered') FROM deliveries") == f"{CLEAN}|{CLEAN}"
    assert sqlite_shell(receipts, "SELECT count(*), sum(verdict = 'verified') FROM receipt") == f"{CLEAN}|{CLEAN}"
    by_type = dict(
        line.split("|") for line in sqlite_shell(receipts, "SELECT type, count(*) FROM receipt GROUP BY type").split()
    )
    assert {t["name"]: t["totals"]["delivered"] for t in report["types"]} == {k: int(v) for k, v in by_type.items()}
    assert len(by_type) == 16


@pytest.mark.parametrize("workers", [1, 2])
def test_deliveries_under_faults_reconcile_exactly(tmp_path, workers):
    secret, log = kit.secret_file(tmp_path), tmp_path / "log.db"
    process, url, receipts = start_sink(tmp_path, secret, *FAULTS, "--seed", 5)
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(
        f"""
endpoints:
  hook:
    url: {url}
    secret: {{file: {secret}}}
    timeout: 10s
    retry: {{attempts: 6, base: 1ms, factor: 2, cap: 20ms, jitter: full}}
flows:
  talk: [{{emit: message.received}}, {{emit: message.sent}}, {{emit: conversation.updated}}, {{emit: agent.error}}]
run: [{{flow: talk, arrivals: {{times: {FAULTY // 4}, concurrency: 16}}}}]
"""
    )
    done = kit.emit8("run", scenario, "--seed", 1, "--workers", workers, "--log", log)
    said = stop_sink(process)
    assert done.returncode in (0, 1), done.err

    report = kit.report(log)
    totals, outcomes = report["totals"], report["outcomes"]
    assert totals["planned"] == FAULTY
    assert_adds_up(totals)
    assert sum(outcomes.values()) == totals["attempts"]
    assert totals["retries"] == totals["attempts"] - totals["planned"]
    assert set(outcomes) <= set().union(*OUTCOMES.values()), "nothing else went wrong"
    assert totals["retries"] > FAULTY // 10, "the faults were there"

    with joined(log, receipts) as db:
        sent = count(db, "attempt WHERE bytes_sent > 0")
        assert sent == count(db, "attempt") == totals["attempts"]
        assert count(db, "receipt") == said["received"] == sent
        assert (said["verified"], said["rejected"], said["duplicates"]) == (sent, 0, 0)
        assert_same_pairs(db)
        pairs = db.execute(
            "SELECT r.fault, a.outcome, r.status, a.status, count(*)"
            " FROM attempts a JOIN r.receipt r USING (delivery_id, attempt) GROUP BY 1, 2, 3, 4"
        ).fetchall()
        seen = collections.defaultdict(collections.Counter)
        for fault, outcome, given, got, n in pairs:
            assert outcome in OUTCOMES[fault], (fault, outcome, n)
            assert fault == "truncate" or given == got, (fault, outcome, given, got, n)
            seen[fault][outcome] += n
        assert set(seen) == set(OUTCOMES), seen
        faults = sum(sum(n.values()) for fault, n in seen.items() if fault)
        assert said["faults"] == faults
        assert 0.02 * sent < faults < 0.04 * sent
        # Attempts of a delivery are numbered without a gap, each but the last failed, and the last one ended it.
        assert count(db, "(SELECT 1 FROM attempt GROUP BY delivery_id HAVING max(number) <> count(*))") == 0
        assert count(db, "attempts WHERE outcome = 'delivered' AND NOT last") == 0
        assert count(db, "attempt WHERE last") == FAULTY
        assert count(db, "deliveries WHERE outcome = 'delivered'") == totals["delivered"]
        assert count(db, "deliveries WHERE outcome <> 'delivered'") == totals["failed"]
        assert db.execute("SELECT max(attempts) FROM deliveries").fetchone()[0] >= 4


def test_an_interrupted_run_adds_up(tmp_path):
    """SIGINT once, with attempts in flight and retries waiting: everything that was planned has an end."""
    secret, log, file = kit.secret_file(tmp_path), tmp_path / "log.db", tmp_path / "report.json"
    with kit.Capture(lambda request: 500 if request["index"] % 2 else 200) as capture:
        process = kit.start(
            "send", "*", "-n", 100000, "--rate", "500/s", "--to", capture.url, "--secret-file", secret,
            "--log", log, "--report-json", file,
        )  # fmt: skip
        capture.wait(200)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert process.returncode == 130
        came = {(r["headers"]["x-8bit-delivery"], r["headers"]["x-8bit-attempt"]) for r in capture.requests}
        assert len(came) == len(capture.requests)
    report = json.loads(file.read_text())
    totals = report["totals"]
    assert_adds_up(totals)
    assert report["run"]["interrupted"] and totals["aborted"] > 0
    assert {(row["delivery_id"], str(row["attempt"])) for row in kit.attempts(log)} == came
    assert kit.report(log)["totals"] == totals


def test_an_aborted_run_adds_up(tmp_path):
    """SIGINT twice, with attempts that get no answer."""
    secret, log, file = kit.secret_file(tmp_path), tmp_path / "log.db", tmp_path / "report.json"
    process, url, receipts = start_sink(tmp_path, secret, "--fail", "hang:50%")
    run = kit.start(
        "send", "*", "-n", 400, "-c", 40, "--to", url, "--secret-file", secret, "--timeout", "60s",
        "--log", log, "--report-json", file,
    )  # fmt: skip
    with contextlib.closing(sqlite3.connect(f"file:{receipts}?mode=ro", uri=True)) as db:
        kit.until(lambda: count(db, "receipt WHERE fault = 'hang'") == 40)
    run.send_signal(signal.SIGINT)
    assert b"again to stop at once" in b"".join(iter_until(run.stderr, b"again to stop at once"))
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=5)
    assert run.returncode == 130
    stop_sink(process)
    report = json.loads(file.read_text())
    assert_adds_up(report["totals"])
    assert report["outcomes"]["aborted"] == 40
    assert report["totals"]["aborted"] >= 40
    assert kit.report(log)["totals"] == report["totals"]
    with joined(log, receipts) as db:
        assert_same_pairs(db)


def iter_until(file, text):
    for line in file:
        yield line
        if text in line:
            return
