"""Starts the receivers of this directory, and the one of Debian's package webhook, and says where they are.

A receiver here is a context that yields a `Receiver`: the URL of its deliveries, how its effects are counted, and the commands
that let a second secret in and the first one out.
"""

import contextlib
import dataclasses
import fcntl
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import time

HERE = pathlib.Path(__file__).parent
NPM = HERE.parent / "npm"


class Missing(Exception):
    """A program or package that a receiver needs is not there."""


@dataclasses.dataclass
class Receiver:
    url: str
    effect: list  # options of `emit8 check`
    rotate: str  # commands
    revoke: str


def need(*programs):
    for program in programs:
        if shutil.which(program) is None:
            raise Missing(f"{program} is not installed")


failed = []  # why npm could not install; it is asked once


def packages():
    """The npm packages that package-lock.json names, installed once."""
    need("node", "npm")
    if failed:
        raise Missing(failed[0])

    def versions(path):
        found = json.loads(path.read_text())["packages"] if path.exists() else {}
        return {name: package["version"] for name, package in found.items() if name}

    with open(NPM / "package.json", encoding="utf8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other tests install here too
        if versions(NPM / "package-lock.json").items() <= versions(NPM / "node_modules/.package-lock.json").items():
            return
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
        try:
            subprocess.run(command, cwd=NPM, capture_output=True, text=True, timeout=300, check=True)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as fault:
            failed.append("npm ci failed: " + str(fault.stderr)[-300:])
            raise Missing(failed[0]) from fault


def available(kind):
    """Raises Missing where this receiver cannot be started."""
    if kind is debian_webhook:
        need("webhook", "ss")
    else:
        packages()


@contextlib.contextmanager
def running(args, **kwargs):
    """A process with a pipe as its stdin: the receivers end when that does, so that none outlives the tests."""
    process = subprocess.Popen(list(map(str, args)), stdin=subprocess.PIPE, **kwargs)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=10)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


def secrets_file(directory, *secrets):
    """The file of valid secrets, and the commands that change it."""
    files = {"now": secrets[:1], "both": secrets, "new": secrets[1:]}
    for name, lines in files.items():
        (directory / name).write_text("".join(f"{line}\n" for line in lines))
    valid = directory / "valid"
    shutil.copy(directory / "now", valid)
    copy = [shlex.join(["cp", str(directory / name), str(valid)]) for name in ("both", "new")]
    return valid, *copy


@contextlib.contextmanager
def node(directory, secrets, script, *args):
    """One of the receivers in *.mjs; what it says to stderr stays in `directory`."""
    valid, rotate, revoke = secrets_file(directory, *secrets)
    with open(directory / "stderr", "wb") as log, \
            running(["node", HERE / script, "--secrets", valid, *args], stdout=subprocess.PIPE, stderr=log) as process:
        url = process.stdout.readline().decode().strip()
        if not url.startswith("http://"):
            raise RuntimeError((directory / "stderr").read_text())
        count = url.replace("/webhooks", "/count")
        yield Receiver(url, ["--effect-get", count, "--effect-pointer", "/count"], rotate, revoke)


def reference(directory, secrets, scheme="8bit"):
    return node(directory, secrets, "reference.mjs", "--scheme", scheme, "--database", directory / "deliveries.db")


def defective(directory, secrets, defect, scheme="8bit"):
    return node(directory, secrets, "defective.mjs", "--defect", defect, "--scheme", scheme)


def octokit(directory, secrets):
    return node(directory, secrets, "octokit.mjs")


# Debian's webhook. Its configuration is JSON; a rotation is another file, and a signal.


def hooks(secrets, effects):
    """As its documentation has it for GitHub, with the header of the scheme 8bit."""
    rules = [
        {"match": {"type": "payload-hmac-sha256", "secret": secret,
                   "parameter": {"source": "header", "name": "X-8bit-Signature-256"}}}
        for secret in secrets
    ]
    return [{
        "id": "crm",
        "execute-command": "/bin/sh",
        "pass-arguments-to-command": [{"source": "string", "name": text} for text in ("-c", f"echo >> {effects}")],
        "http-methods": ["POST"],
        "trigger-rule": {"or": rules},
        "trigger-signature-soft-failures": True,  # else a wrong signature is an error of the server, and ends `or`
        "trigger-rule-mismatch-http-response-code": 401,
    }]


def listening_port(process):
    """webhook does not tell which port the system chose."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        listed = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
        for line in listed.splitlines():
            if f"pid={process.pid}," in line:
                return int(re.search(r":(\d+)\s", line)[1])
        time.sleep(0.01)
    raise RuntimeError("webhook does not listen")


RELOAD = """
loaded() { grep -c 'loaded: crm' stderr; }
before=$(loaded)
cp "$1" valid
kill -USR1 "$2"
for _ in $(seq 1000); do
    [ "$(loaded)" = "$before" ] || exit 0
    sleep 0.01
done
exit 1
"""


@contextlib.contextmanager
def debian_webhook(directory, secrets):
    effects = directory / "effects"
    effects.touch()
    for name, valid in {"valid": secrets[:1], "both": secrets, "new": secrets[1:]}.items():
        (directory / name).write_text(json.dumps(hooks(valid, effects), indent=2))
    (directory / "reload").write_text(f"cd {shlex.quote(str(directory))} || exit 1\n{RELOAD}")
    args = ["webhook", "-verbose", "-ip", "127.0.0.1", "-port", "0", "-hooks", directory / "valid"]
    with open(directory / "stderr", "wb") as log, running(args, stdout=log, stderr=log) as process:
        url = f"http://127.0.0.1:{listening_port(process)}/hooks/crm"
        command = shlex.join(["sh", str(directory / "reload")])
        effect = ["--effect-command", f"wc -l < {shlex.quote(str(effects))}", "--effect-settle", "500ms"]  # it answers first
        yield Receiver(url, effect, f"{command} both {process.pid}", f"{command} new {process.pid}")
