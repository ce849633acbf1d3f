"""The live view on a real terminal: keys, resizing, and settings that every way out leaves as they were."""

import fcntl
import os
import re
import signal
import struct
import subprocess
import termios
import time

import pytest

import kit

UTF8 = {"LANG": "C.UTF-8"}
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
LINES = 10


def scenario(tmp_path, server, rate="50/s", length="60s", more=""):
    path = tmp_path / "s.yaml"
    path.write_text(
        f"endpoints: {{a: {{url: '{server.url}'}}}}\nflows: {{f: [{{emit: message.sent}}]}}\n"
        f"run: [{{flow: f, arrivals: {{rate: {rate}, for: {length}}}}}]\n{more}"
    )
    return path


def on_terminal(path, tmp_path, columns=80, lines=24, env=None):
    args = ("run", path, "--log", tmp_path / "log.db")
    return kit.Terminal(*args, columns=columns, lines=lines, env={**UTF8, **(env or {})})


def settings(terminal):
    return termios.tcgetattr(terminal.slave)


def resize(terminal, columns, lines):
    fcntl.ioctl(terminal.slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def screens(terminal):
    """What was drawn, one text for each drawing, without escapes."""
    text = re.split(r"\x1b\[\d+A\r", terminal.text)
    return [ESCAPE.sub("", one).replace("\r", "") for one in text]


def shows(terminal, pattern):
    kit.until(lambda: re.search(pattern, screens(terminal)[-1]))


def stands(server):
    """Waits until no more requests come for half a second; how many there are."""
    count = len(server.requests)
    while True:
        time.sleep(0.5)
        if len(server.requests) == count:
            return count
        count = len(server.requests)


# --- keys ------------------------------------------------------------------------------------------------------------


def test_space_pauses_and_goes_on(tmp_path):
    with kit.Capture() as server:
        with on_terminal(scenario(tmp_path, server), tmp_path) as terminal:
            server.wait(20)
            terminal.type(b" ")
            shows(terminal, " paused ")
            count = stands(server)
            assert count < 60 * 50
            assert stands(server) == count
            shows(terminal, r"in flight 0")
            terminal.type(b" ")
            server.wait(count + 5)
            shows(terminal, " running ")
            terminal.type(b"q")
            assert terminal.wait() == 130
            assert terminal.after == terminal.before
            assert re.search(r"the rate was changed by hand: paused for", terminal.text)
    # No response time contains the pause, and the log says the same again.
    done = kit.emit8("report", tmp_path / "log.db", "--format", "json")
    report = kit.json.loads(done.out)
    assert report["response_time_ms"]["max"] < 900
    assert any("the rate was changed by hand: paused for" in warning for warning in report["warnings"])


@pytest.mark.parametrize("key", [b"+", b"\x1b[A"])
def test_faster(tmp_path, key):
    with kit.Capture() as server:
        with on_terminal(scenario(tmp_path, server, rate="20/s"), tmp_path) as terminal:
            server.wait(3)
            shows(terminal, r"of 20\.0/s")
            for byte in key * 10:  # an escape sequence may come in pieces
                terminal.type(bytes([byte]))
            shows(terminal, r"of 51\.9/s  ×2\.59")
            before, began = len(server.requests), time.monotonic()
            server.wait(before + 60)
            took = time.monotonic() - began
            assert took < 60 / 51.9 * 1.6 + 0.2  # at 20/s it would be 3 s
            terminal.type(b"q")
            assert terminal.wait() == 130
            assert re.search(r"the rate was changed by hand: ×1 to ×2\.59,\s+first at", terminal.text)


def test_slower_and_back(tmp_path):
    with kit.Capture() as server:
        with on_terminal(scenario(tmp_path, server, rate="200/s"), tmp_path) as terminal:
            server.wait(10)
            terminal.type(b"-" * 5)
            shows(terminal, r"of 124/s  ×0\.62")
            terminal.type(b"=" * 4 + b"\x1bOC")
            shows(terminal, r"of 200/s  in flight")
            terminal.type(b"xyz\x1b[5~\x1b[1;5H\t\r")  # keys that mean nothing
            server.wait(len(server.requests) + 50)
            assert "×" not in screens(terminal)[-1]
            terminal.type(b"q")
            assert terminal.wait() == 130


def test_q_twice_aborts(tmp_path):
    with kit.Capture(lambda request: time.sleep(3) or 200) as server:
        with on_terminal(scenario(tmp_path, server), tmp_path) as terminal:
            server.wait(3)
            terminal.type(b"q")
            shows(terminal, " stopping ")
            kit.until(lambda: "again to stop at once" in terminal.text)
            began = time.monotonic()
            terminal.type(b"q")
            assert terminal.wait() == 130
            assert time.monotonic() - began < 2.5
            assert terminal.after == terminal.before


def test_a_closed_loop_has_no_rate(tmp_path):
    with kit.Capture() as server:
        args = ("send", "*", "--to", server.url, "-n", "1000000", "-c", "2", "--no-log")
        with kit.Terminal(*args, env={"EMIT8_SECRET": kit.SECRET, **UTF8}) as terminal:
            server.wait(20)
            shows(terminal, "2 at a time")
            assert "faster" not in screens(terminal)[-1]
            terminal.type(b"+ ")
            shows(terminal, " paused ")
            count = stands(server)
            assert stands(server) == count
            terminal.type(b" ")
            server.wait(count + 20)
            terminal.type(b"\x03")
            assert terminal.wait() == 130
            assert "paused for" in terminal.text


def test_what_waits_for_a_retry_is_not_in_flight(tmp_path):
    with kit.Capture(lambda request: 503) as server:
        args = ("load", "--to", server.url, "--rate", "20/s", "-z", "60s", "--retries", "5", "--no-log")
        with kit.Terminal(*args, env={"EMIT8_SECRET": kit.SECRET, **UTF8}) as terminal:
            server.wait(10)
            terminal.type(b"p")  # as space does
            shows(terminal, " paused ")
            stands(server)
            shows(terminal, r"in flight 0  waiting [1-9]")
            terminal.type(b"q")
            assert terminal.wait() == 130


@pytest.mark.parametrize("pace", [("--rate", "50/s"), ("-c", "2")])
def test_the_warm_up_is_shown(pace):
    with kit.Capture(lambda request: time.sleep(0.02) or 200) as server:
        args = ("load", "--to", server.url, *pace, "-z", "1s", "--warmup", "60s", "--no-log")
        with kit.Terminal(*args, env={"EMIT8_SECRET": kit.SECRET, **UTF8}) as terminal:
            server.wait(10)
            shows(terminal, r" warming up [^\n]*\n[^\n]*ended 0\n +now +[1-9][^\n]*\n[^\n]* to warm up [1-9]")
            shows(terminal, r"in flight [1-9]")
            terminal.type(b"q")
            terminal.wait()


def test_keys_do_not_eat_a_scenario_from_stdin(tmp_path):
    """`run -` reads its scenario from a pipe, the keys come from the terminal."""
    with kit.Capture() as server:
        text = scenario(tmp_path, server, length="400ms").read_text()
        shell = f"printf '%s' \"$TEXT\" | exec {kit.EMIT8} run - --log {tmp_path}/log.db"
        real, kit.EMIT8 = kit.EMIT8, "/bin/sh"
        try:
            terminal = kit.Terminal("-c", shell, env={"TEXT": text, **UTF8})
        finally:
            kit.EMIT8 = real
        with terminal:
            server.wait(5)
            terminal.type(b" ")
            shows(terminal, " paused ")
            terminal.type(b" ")
            assert terminal.wait() == 0
            assert terminal.after == terminal.before
            assert len(server.requests) == 20


# --- the terminal is left as it was ------------------------------------------------------------------------------------


def running(terminal, server):
    server.wait(3)
    kit.until(lambda: not settings(terminal)[3] & termios.ICANON and not settings(terminal)[3] & termios.ECHO)


def test_a_whole_run(tmp_path):
    with kit.Capture() as server:
        with on_terminal(scenario(tmp_path, server, length="400ms"), tmp_path) as terminal:
            running(terminal, server)
            assert terminal.wait() == 0
            assert terminal.after == terminal.before
            assert len(server.requests) == 20


@pytest.mark.parametrize(
    "signum, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGQUIT, -3), (signal.SIGABRT, -6)]
)
def test_signals(tmp_path, signum, code):
    with kit.Capture() as server:
        with on_terminal(scenario(tmp_path, server), tmp_path) as terminal:
            running(terminal, server)
            terminal.process.send_signal(signum)
            assert terminal.wait() == code
            assert terminal.after == terminal.before
            assert ("(interrupted)" in terminal.text) == (code > 0)


def test_nohup_is_kept(tmp_path):
    with kit.Capture() as server:
        path = scenario(tmp_path, server, length="1s")
        process = subprocess.Popen(
            [kit.EMIT8, "run", path, "--no-log"],
            env=kit.environment(),
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
        )
        server.wait(3)
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=30)
        assert process.returncode == 0 and len(server.requests) == 50


def test_stopped_and_continued(tmp_path):
    """Ctrl-Z: the terminal is given back, nothing is sent, and the schedule goes on where it was."""
    with kit.Capture() as server:
        # A shell that waits stands between, or the group would be orphaned, which the kernel does not stop.
        shell = f"{kit.EMIT8} run {scenario(tmp_path, server)} --log {tmp_path}/log.db; echo code $?"
        real, kit.EMIT8 = kit.EMIT8, "/bin/bash"
        try:
            terminal = kit.Terminal("--norc", "--noprofile", "-i", env={"PS1": "% ", **UTF8})
        finally:
            kit.EMIT8 = real
        with terminal:
            kit.until(lambda: "% " in terminal.text)
            terminal.type(shell.encode() + b"\r")
            running(terminal, server)
            terminal.type(b"\x1a")
            kit.until(lambda: "Stopped" in terminal.text)
            count = stands(server)
            assert stands(server) == count
            terminal.type(b"fg\r")
            server.wait(count + 20)
            running(terminal, server)
            terminal.type(b"q")
            kit.until(lambda: "(interrupted)" in terminal.text)
            terminal.type(b"\x15stty -a | tr ' ' _; exit\r")
            terminal.wait()
            assert "_icanon_" in terminal.text and "_-icanon" not in terminal.text
            assert re.search(r"[^-]echo_", terminal.text)
    report = kit.json.loads(kit.emit8("report", tmp_path / "log.db", "--format", "json").out)
    assert report["response_time_ms"]["p95"] < 900  # of what was under way alone nobody can tell
    assert any("paused for" in warning for warning in report["warnings"])


def test_in_the_background_nothing_is_drawn(tmp_path):
    with kit.Capture() as server:
        shell = f"{kit.EMIT8} run {scenario(tmp_path, server, length='1s')} --log {tmp_path}/log.db >{tmp_path}/out & wait; echo over"
        real, kit.EMIT8 = kit.EMIT8, "/bin/bash"
        try:
            terminal = kit.Terminal("--norc", "--noprofile", "-i", env={"PS1": "% ", **UTF8})
        finally:
            kit.EMIT8 = real
        with terminal:
            kit.until(lambda: "% " in terminal.text)
            terminal.type(shell.encode() + b"\r")
            kit.until(lambda: "\nover" in terminal.text)
            assert "busiest worker" not in terminal.text
            assert len(server.requests) == 50
            terminal.type(b"exit\r")
            terminal.wait()


# --- the screen --------------------------------------------------------------------------------------------------------


def test_it_follows_the_size(tmp_path):
    with kit.Capture() as server:
        with on_terminal(scenario(tmp_path, server), tmp_path) as terminal:
            server.wait(3)
            for columns, lines in ((200, 50), (40, 24), (120, 5), (80, 24)):
                seen = len(screens(terminal))
                resize(terminal, columns, lines)
                kit.until(lambda: len(screens(terminal)) > seen + 2)
                last = [line for line in screens(terminal)[-2].split("\n") if line]
                assert all(len(line) < columns for line in last), last
                assert len(last) == min(LINES, lines - 1)
            terminal.type(b"q")
            assert terminal.wait() == 130
            assert terminal.after == terminal.before


@pytest.mark.parametrize("env", [{}, {"LANG": "de_DE.ISO-8859-1"}, {"LANG": "C.UTF-8", "LC_ALL": "C"}])
def test_no_unicode_without_the_locale(tmp_path, env):
    with kit.Capture() as server:
        path = scenario(tmp_path, server, length="500ms")
        with kit.Terminal("run", path, "--no-log", "--format", "ndjson", env=env) as terminal:
            assert terminal.wait() == 0
            drawn = terminal.text[: terminal.text.rindex("\x1b[J")]
            assert "busiest worker" in drawn and drawn.isascii()


def test_colours_and_none(tmp_path):
    with kit.Capture() as server:
        path = scenario(tmp_path, server, length="300ms")
        for env, args, coloured in (({}, (), True), ({"NO_COLOR": "1"}, (), False), ({}, ("--color", "never"), False)):
            with kit.Terminal("run", path, "--no-log", *args, env={**UTF8, **env}) as terminal:
                assert terminal.wait() == 0
                assert ("\x1b[1m" in terminal.text) == coloured
                assert "\x1b[J" in terminal.text


@pytest.mark.parametrize("args, env", [(("--quiet",), {}), ((), {"TERM": "dumb"})])
def test_no_view(tmp_path, args, env):
    with kit.Capture() as server:
        path = scenario(tmp_path, server, length="300ms")
        with kit.Terminal("run", path, "--no-log", *args) as terminal:
            terminal.process.wait(30)
        real = kit.environment
        kit.environment = lambda **extra: real(**{**extra, **env})
        try:
            with kit.Terminal("run", path, "--no-log", *args) as terminal:
                running_settings = settings(terminal)
                assert terminal.wait() == 0
                assert running_settings == terminal.before == terminal.after
                assert "\x1b[J" not in terminal.text and "busiest" not in terminal.text
        finally:
            kit.environment = real


def test_results_on_the_same_terminal(tmp_path):
    """NDJSON on stdout, the view on stderr, one terminal for both: the results are whole."""
    with kit.Capture() as server:
        path = scenario(tmp_path, server, length="500ms")
        with kit.Terminal("run", path, "--no-log", "--format", "json", env=UTF8) as terminal:
            assert terminal.wait() == 0
            text = terminal.text[terminal.text.rindex("\x1b[J") + 3 :]
            report = kit.json.loads(text)
            assert report["totals"]["delivered"] == 25
