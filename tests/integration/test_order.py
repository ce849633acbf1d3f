"""Order: what is awaited is never passed, what is not faulty leaves in order, and faults hit the same deliveries every time.

The log and the sink's receipts are read by a program that is not emit8.
"""

import collections
import contextlib
import os
import re
import signal
import sqlite3
import statistics

import kit

INSTANCES = int(os.environ.get("E8_TEST_INSTANCES", "10000"))
EVENTS = 3


@contextlib.contextmanager
def receiving(tmp_path, *args):
    """emit8 sink with receipts; yields (URL, receipts). The receipts are whole behind it."""
    receipts = tmp_path / "receipts.db"
    process = kit.start("sink", "--quiet", "--receipts", receipts, *args)
    try:
        first = process.stderr.readline().decode()
        match = re.match(r"listening on (http://\S+)$", first)
        assert match, first + process.stderr.read().decode()
        yield match[1], receipts
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def rows(path, query, *args):
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute(query, args).fetchall()


def attempts(log):
    """(instance, sequence, copy, delivery, sent, done, outcome is delivered, last, due) in the order of leaving."""
    return rows(
        log,
        "SELECT e.instance, e.sequence, a.copy, a.delivery_id, a.sent, a.done, o.name = 'delivered', a.last, a.due"
        " FROM attempt a JOIN event e ON e.id = a.event JOIN outcome o ON o.code = a.outcome ORDER BY a.sent, a.id",
    )


def run(tmp_path, name, text, *args):
    scenario, log = tmp_path / f"{name}.yaml", tmp_path / f"{name}.db"
    scenario.write_text(text)
    done = kit.emit8("run", scenario, "--log", log, *args, timeout=300)
    assert done.returncode in (0, 1, 4), done.err  # 4: faster than this machine could; the order is the same
    return log


def test_no_event_passes_one_that_is_awaited(tmp_path):
    with receiving(
        tmp_path, "--seed", 3, "--status", "200:88,503:12", "--latency", "exp:2ms", "--fail", "reset:1%"
    ) as (url, receipts):
        log = run(
            tmp_path,
            "await",
            f"""
seed: 1
endpoints: {{hook: {{url: {url}, retry: {{attempts: 3, base: 1ms, factor: 2}}}}}}
flows: {{story: {{await: ack, steps: [{", ".join(["{emit: message.sent}"] * EVENTS)}]}}}}
run: [{{flow: story, arrivals: {{times: {INSTANCES}, concurrency: 64}}}}]
""",
        )
    place, last_done, failed, first_sent = {}, {}, set(), {}
    for instance, sequence, _, delivery, sent, done, ok, last, _ in attempts(log):
        place[delivery] = (instance, sequence)
        first_sent.setdefault((instance, sequence), sent)
        last_done[instance, sequence] = max(done, last_done.get((instance, sequence), 0))
        if last and not ok:
            failed.add((instance, sequence))
    assert len({instance for instance, _ in first_sent}) == INSTANCES
    assert failed, "some failed for good"
    for (instance, sequence), sent in first_sent.items():
        if sequence > 1:
            assert (instance, sequence - 1) not in failed, "nothing follows a failure"
            assert sent >= last_done[instance, sequence - 1]
    # What the receiver saw: before an event's first request, the one before it had been answered with a 200.
    acknowledged = set()
    seen = rows(receipts, "SELECT delivery_id, status FROM receipt ORDER BY id")
    assert len(seen) > INSTANCES * EVENTS
    for delivery, status in seen:
        instance, sequence = place[delivery]
        assert sequence == 1 or (instance, sequence - 1) in acknowledged
        if status == 200:
            acknowledged.add((instance, sequence))
    whole = sum((instance, EVENTS) in first_sent for instance in range(INSTANCES))
    assert INSTANCES * 0.9 < whole < INSTANCES


def test_without_faults_events_leave_in_order(tmp_path):
    with receiving(tmp_path, "--latency", "exp:2ms") as (url, _):
        log = run(
            tmp_path,
            "plain",
            f"""
seed: 1
endpoints: {{hook: {{url: {url}}}}}
flows: {{story: [{{repeat: 5, steps: [{{emit: message.sent}}]}}, {{wait: 1ms}}, {{emit: conversation.ended}}]}}
run: [{{flow: story, arrivals: {{times: {INSTANCES // 5}, concurrency: 64}}}}, {{flow: story, arrivals: {{rate: 500/s, for: 1s}}}}]
""",
        )
    of = collections.defaultdict(list)
    for instance, sequence, *_ in attempts(log):
        of[instance].append(sequence)
    assert len(of) == INSTANCES // 5 + 500
    assert all(sequences == [1, 2, 3, 4, 5, 6] for sequences in of.values())


def what_was_hit(log):
    """What the faults did: the deliveries that never left, those with copies, and those that were due after the next one."""
    first, copies, missing, passed = {}, set(), set(), set()
    for instance, sequence, copy, delivery, *_, due in attempts(log):
        first[instance, sequence] = min(due, first.get((instance, sequence), due))
        if copy:
            copies.add((delivery, copy))
    for instance, sequence in rows(log, "SELECT instance, sequence FROM event"):
        if (instance, sequence) not in first:
            missing.add((instance, sequence))
        elif first.get((instance, sequence + 1), 1 << 62) < first[instance, sequence]:
            passed.add((instance, sequence))
    return missing, copies, passed


def test_the_same_faults_every_time(tmp_path):
    hits = []
    with receiving(tmp_path) as (url, _):
        for i, workers in enumerate((1, 2)):
            log = run(
                tmp_path,
                f"faults{i}",
                f"""
seed: 5
endpoints: {{hook: {{url: {url}}}}}
faults: {{duplicate: 5%, reorder: 5%, late: 2% by 2s, drop: 2%}}
flows: {{story: [{{repeat: 5, steps: [{{emit: message.sent}}]}}]}}
run: [{{flow: story, arrivals: {{times: {INSTANCES // 10}, concurrency: 64}}}}]
""",
                "--clock", kit.CLOCK, "--workers", workers,
            )  # fmt: skip
            hits.append(what_was_hit(log))
    total = INSTANCES // 10 * 5
    missing, copies, passed = hits[0]
    assert 0.01 * total < len(missing) < 0.03 * total
    assert 0.03 * total < len(copies) < 0.07 * total
    assert 0.04 * total < len(passed) < 0.09 * total
    assert hits[0] == hits[1]


def test_concurrent_copies_leave_together(tmp_path):
    with receiving(tmp_path) as (url, receipts):
        log = run(
            tmp_path,
            "together",
            f"""
endpoints: {{hook: {{url: {url}}}}}
flows: {{story: [{{emit: message.sent, deliver: {{duplicate: 49, concurrent: true}}, await: ack}}]}}
run: [{{flow: story, arrivals: {{times: 20}}}}]
""",
        )
    sent = collections.defaultdict(list)
    for instance, _, _, delivery, at, *_ in attempts(log):
        sent[delivery].append(at)
    assert [len(times) for times in sent.values()] == [50] * 20
    spreads = [(max(times) - min(times)) / 1e6 for times in sent.values()]
    print(f"spread of 50: median {statistics.median(spreads):.3f} ms, most {max(spreads):.3f} ms")
    assert statistics.median(spreads) < 3
    connections = rows(receipts, "SELECT count(DISTINCT connection) FROM receipt GROUP BY delivery_id")
    assert connections == [(50,)] * 20
