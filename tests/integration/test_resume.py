"""Runs that are killed or interrupted, and gone on with: nothing is lost, nothing that is over is sent again."""

import collections
import json
import os
import random
import signal
import sqlite3
import time

import pytest

import kit

KILLS = int(os.environ.get("EMIT8_KILLS", "16"))
DELIVERIES = int(os.environ.get("EMIT8_DELIVERIES", "1600"))

# Stories of four events to two endpoints, in a closed loop: 8 deliveries for each of `times`.
STORY = """
scenario: story
vars: {{times: {times}}}
endpoints:
  crm: {{url: "${{URL}}/crm", events: ["*"]}}
  audit: {{url: "${{URL}}/audit", events: ["*"]}}
flows:
  story:
    - emit: conversation.created
    - emit: message.received
    - {{emit: message.sent, await: ack}}
    - emit: conversation.ended
run:
  - {{flow: story, arrivals: {{times: "${{times}}", concurrency: 16}}}}
"""

MOST_UNDER_WAY = 16 * 6  # stories at a time; the first three events go to two endpoints without a wait

# One after another.
LINE = """
scenario: line
endpoints:
  crm: {{url: "${{URL}}/crm", events: ["*"]}}
flows:
  line: {{await: ack, steps: [{{repeat: {times}, steps: [{{emit: message.sent}}]}}]}}
"""

# The same in an open loop.
SCHEDULE = """
scenario: schedule
endpoints:
  crm: {{url: "${{URL}}/crm", events: ["*"]}}
flows:
  one:
    - emit: message.received
    - wait: 10ms..30ms
    - emit: message.sent
run:
  - {{flow: one, arrivals: {{rate: {rate}/s, for: {length}s, process: poisson}}}}
"""


class Place:
    """A directory with a scenario, a log, and a sink that keeps receipts."""

    def __init__(self, directory, text):
        self.directory = directory
        directory.mkdir(exist_ok=True)
        self.scenario = directory / "scenario.yaml"
        self.scenario.write_text(text)
        self.log = directory / "log.db"
        self.receipts = directory / "receipts.db"
        self.options = ()

    def env(self, url):
        return {"URL": url, "EMIT8_LOG": str(self.log), "EMIT8_SECRET": kit.SECRET}

    def sink(self):
        return kit.sink("--receipts", self.receipts, "--latency", "1ms..20ms", "--secret-file", self.secret())

    def secret(self):
        return kit.secret_file(self.directory)

    def start(self, url, *args):
        return kit.start("run", self.scenario, "--quiet", *self.options, *args, env=self.env(url))

    def run(self, url, *args):
        return kit.emit8("run", self.scenario, *self.options, *args, env=self.env(url), timeout=120)

    def sent(self):
        """When each delivery was answered, in nanoseconds, by its id."""
        with sqlite3.connect(self.receipts, timeout=30) as db:
            found = collections.defaultdict(list)
            for delivery, at, verdict, status in db.execute(
                "SELECT delivery_id, at_ns, verdict, status FROM receipt ORDER BY id"
            ):
                assert (verdict, status) == ("verified", 200), delivery
                found[delivery].append(at)
        return found

    def runs(self):
        return kit.rows(self.log, "SELECT id, resumes, over, started, ended, seed, interrupted FROM run ORDER BY id")

    def plan(self, url):
        """The ids that the plan would have made, had it not been broken."""
        _, _, _, started, _, seed, _ = self.runs()[0]
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(started // 10**9)) + f".{started % 10**9:09}Z"
        done = kit.emit8(
            "run", self.scenario, "--plan", "ndjson", "--clock", moment, "--seed", seed, *self.options,
            env=self.env(url),
        )
        assert done.returncode == 0, done.err
        found = []
        for line in kit.ndjson(done.out):
            if line.get("delivery_id"):
                found.append(line["delivery_id"])
        return found


def kill_after(process, seconds):
    """True when it was still going on. It is not waited for: the moment is what the test is about."""
    try:
        process.wait(seconds)
        return False
    except Exception:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    finally:
        process.stdout.close()
        process.stderr.close()


def settled(place):
    """The sink writes what it was sent before the kill."""
    before = -1
    while before != (before := sum(map(len, place.sent().values())) if place.receipts.exists() else 0):
        time.sleep(0.05)


def check(place, url, kills):
    """Each planned delivery once, and once more for each kill at which it was under way."""
    sent = place.sent()
    assert sorted(sent) == sorted(place.plan(url))
    again = {delivery: at for delivery, at in sent.items() if len(at) > 1}
    for delivery, at in again.items():
        for one, next_one in zip(at, at[1:]):
            between = [kill for kill in kills if one / 1e9 - 0.5 < kill < next_one / 1e9]
            assert between and between[0] - one / 1e9 < 2, (delivery, at, kills)
    return len(again)


def ended_in(place, run):
    return kit.rows(place.log, f"SELECT count(DISTINCT delivery_id) FROM deliveries WHERE ended AND run = {run}")[0][0]


def killed_while_it_ran(place, url, moment):
    """When it was killed. Where it had ended before that, or not begun, another moment is taken."""
    for _ in range(20):
        killed = kill_after(place.start(url), moment)
        kill = time.time()
        begun = killed and place.log.exists() and kit.count(place.log, "run") == 1
        if begun and kit.rows(place.log, "SELECT ended FROM run")[0][0] is None:
            return kill
        moment = moment / 2 if not killed else moment + 0.05
        settled(place)
        for path in place.directory.glob("log.db*"):
            path.unlink()
        with sqlite3.connect(place.receipts, timeout=30) as db:
            db.execute("DELETE FROM receipt")
    raise AssertionError("it never was killed")


@pytest.mark.parametrize("trial", range(KILLS))
def test_killed_at_a_random_moment(tmp_path, trial):
    place = Place(tmp_path / "place", STORY.format(times=DELIVERIES // 8))
    moment = random.Random(1000 + trial).uniform(0.02, 0.4 * max(1, DELIVERIES / 1600))
    with place.sink() as sink:
        kill = killed_while_it_ran(place, sink.url, moment)
        done = place.run(sink.url, "--resume")
        assert done.returncode == 0, done.err
        settled(place)
        twice = check(place, sink.url, [kill])
    _, resumes, over, *_ = place.runs()[1]
    print(f"killed after {moment:.3f} s: {over} were over, {DELIVERIES - over} went on, {twice} came twice")
    assert resumes == 1
    assert twice <= MOST_UNDER_WAY
    assert over + ended_in(place, 2) == DELIVERIES
    assert 0 <= over - ended_in(place, 1) < 2000  # answered, and killed before it was written
    assert not list(place.directory.glob("log.db-over*"))


def test_what_was_answered_is_not_sent_again(tmp_path):
    """One delivery under way at a time: at most that one comes twice, however far the log was behind."""
    place = Place(tmp_path / "place", LINE.format(times=DELIVERIES))
    with place.sink() as sink:
        kill = killed_while_it_ran(place, sink.url, 0.1)
        done = place.run(sink.url, "--resume")
        assert done.returncode == 0, done.err
        settled(place)
        assert check(place, sink.url, [kill]) <= 1


def test_killed_again_and_again(tmp_path):
    place = Place(tmp_path / "place", STORY.format(times=200))
    kills = []
    with place.sink() as sink:
        kills.append(killed_while_it_ran(place, sink.url, 0.15))
        for moment in (0.12, 0.1, 0.15):
            if not kill_after(place.start(sink.url, "--resume"), moment):
                break
            kills.append(time.time())
        done = place.run(sink.url, "--resume", "--format", "json")
        if done.returncode == 2:
            assert "has ended" in done.err
        settled(place)
        check(place, sink.url, kills)
    assert len(kills) >= 3
    runs = place.runs()
    assert [run[1] for run in runs] == [None, *(run[0] for run in runs[:-1])]
    overs = [run[2] for run in runs[1:]]
    assert overs == sorted(overs)
    assert overs[-1] + ended_in(place, runs[-1][0]) == 1600


def test_schedule_goes_on_where_it_stopped(tmp_path):
    place = Place(tmp_path / "place", SCHEDULE.format(rate=200, length=3))
    with place.sink() as sink:
        assert kill_after(place.start(sink.url), 1.2)
        kill = time.time()
        began = time.monotonic()
        done = place.run(sink.url, "--resume")
        took = time.monotonic() - began
        assert done.returncode == 0, done.err
        settled(place)
        check(place, sink.url, [kill])
    assert 1.5 < took < 3.5  # the rest of the schedule, not all of it
    # What was due before is due at once; nothing is late because of the pause.
    worst = kit.rows(place.log, "SELECT max(done - due) FROM attempt WHERE run = 2")[0][0]
    assert worst < 1.5e9


def test_interrupted_and_resumed(tmp_path):
    """Retries that the stop cut short go on; what failed for good stays so."""
    place = Place(tmp_path / "place", STORY.format(times=100))
    with kit.Capture(lambda request: 503) as broken:
        process = place.start(broken.url, "--retries", "3")
        broken.wait(20)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 128 + signal.SIGINT
    seen = {request["headers"]["x-8bit-delivery"] for request in broken.requests}
    with place.sink() as sink:
        done = place.run(sink.url, "--resume")
        assert done.returncode in (0, 1), done.err
        settled(place)
        sent = place.sent()
    over = place.runs()[1][2]
    gone = set(place.plan(sink.url)) - set(sent)
    assert len(gone) == over
    assert gone <= seen
    assert len(seen - gone) > 0


def test_what_it_says(tmp_path):
    place = Place(tmp_path / "place", STORY.format(times=200))
    with place.sink() as sink:
        killed_while_it_ran(place, sink.url, 0.3)
        done = place.run(sink.url, "--resume")
        assert done.returncode == 0, done.err
        over = place.runs()[1][2]
        text = f"resumes run 1: {over:,} were over, {1600 - over:,} went on"
        assert text in " ".join(done.out.split())
        again = kit.emit8("report", place.log, env=place.env(sink.url))
        assert text in " ".join(again.out.split())
        data = json.loads(kit.emit8("report", place.log, "--format", "json", env=place.env(sink.url)).out)
        assert data["run"]["resumes"] == {"run": 1, "over": over}
    first = kit.emit8("log", place.log, "--run", 1, "--format", "ndjson")
    second = kit.emit8("log", place.log, "--run", 2, "--format", "ndjson")
    assert len(kit.ndjson(first.out)) > over - 1000  # answered, and killed before it was written
    assert len(kit.ndjson(second.out)) == 1600 - over


@pytest.fixture
def killed(tmp_path):
    """A run that was killed, and the sink."""
    place = Place(tmp_path / "place", STORY.format(times=200))
    with place.sink() as sink:
        killed_while_it_ran(place, sink.url, 0.3)
        yield place, sink.url


def refused(place, url, what, *args):
    done = place.run(url, "--resume", *args)
    assert done.returncode == 2, done.out
    assert what in done.err
    assert len(place.runs()) == 1


def test_another_scenario_is_refused(killed):
    place, url = killed
    place.scenario.write_text(place.scenario.read_text() + "# changed\n")
    refused(place, url, "no unfinished run of this scenario")
    refused(place, url, "another version of this one", "--run", 1)


def test_another_seed_is_refused(killed):
    place, url = killed
    refused(place, url, "had the seed", "--seed", 7)


def test_other_variables_are_refused(killed):
    place, url = killed
    place.options = ("--environment", "staging")
    refused(place, url, "had other steps")


def test_another_clock_or_speed_is_refused(killed):
    place, url = killed
    refused(place, url, "another --speed", "--speed", "2x")
    refused(place, url, "another --clock", "--clock", "2026-03-01T12:00:00Z")


def test_other_fixtures_are_refused(killed, tmp_path):
    place, url = killed
    import shutil

    fixtures = tmp_path / "fixtures"
    shutil.copytree(os.path.join(kit.SOURCE, "fixtures"), fixtures)
    words = next(fixtures.rglob("message.received.json"))
    words.write_text(words.read_text() + "\n")
    refused(place, url, "the fixtures have changed", "--fixtures", fixtures)


def test_options_that_exclude_it(killed):
    place, url = killed
    refused(place, url, "needs the delivery log", "--no-log")
    refused(place, url, "exclude each other", "--dry-run")
    refused(place, url, "holds no run 9", "--run", 9)
    done = place.run(url, "--run", 1)
    assert done.returncode == 2
    assert "add --resume" in done.err


def test_a_run_that_has_ended_is_not_resumed(tmp_path):
    place = Place(tmp_path / "place", STORY.format(times=2))
    with place.sink() as sink:
        assert place.run(sink.url).returncode == 0
        done = place.run(sink.url, "--resume")
        assert done.returncode == 2
        assert "run 1 of it has ended" in done.err
        done = place.run(sink.url, "--resume", "--run", 1)
        assert done.returncode == 2
        assert "run 1 has ended" in done.err


def test_a_run_that_goes_on_is_not_resumed(tmp_path):
    place = Place(tmp_path / "place", SCHEDULE.format(rate=20, length=30))
    with place.sink() as sink:
        process = place.start(sink.url)
        kit.until(lambda: place.log.exists() and kit.count(place.log) > 3)
        done = place.run(sink.url, "--resume")
        assert done.returncode == 2
        assert "still going on" in done.err
        kill_after(process, 0)
        assert kill_after(place.start(sink.url, "--resume"), 0.5)


def test_fixed_clock_and_speed_are_taken_from_the_run(tmp_path):
    place = Place(tmp_path / "place", SCHEDULE.format(rate=20, length=15))
    options = ("--clock", kit.CLOCK, "--speed", "10x", "--seed", 5)
    with kit.sink("--receipts", place.receipts) as sink:
        assert kill_after(place.start(sink.url, *options), 0.8)
        done = place.run(sink.url, "--resume")
        assert done.returncode == 0, done.err
    whole = Place(tmp_path / "whole", place.scenario.read_text())
    with kit.sink("--receipts", whole.receipts) as sink:
        assert whole.run(sink.url, *options).returncode == 0
    assert received(place) == received(whole)


def received(place):
    with sqlite3.connect(place.receipts) as db:
        return {row[0] for row in db.execute("SELECT delivery_id FROM receipt")}
