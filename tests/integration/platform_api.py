"""A run of `emit8 serve`, and calls of its API that keep the whole answer."""

import http.client
import json
import re
import threading
import urllib.parse

import kit


class Answer:
    def __init__(self, answer, body):
        self.status = answer.status
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def data(self):
        """Of a success."""
        assert self.status < 300, (self.status, self.body)
        assert self.json["success"] is True
        return self.json["data"]

    def error(self, status, code):
        """Of a failure, which must be this one: its message, and the fields that its details name."""
        assert self.status == status, (self.status, self.body)
        told = self.json
        assert told["success"] is False and told["error"]["code"] == code, told
        return told["error"]["message"], [detail["field"] for detail in told["error"].get("details", ())]


class Serve:
    """emit8 serve on a port of its own, with the lines that it writes."""

    def __init__(self, state, *args, listen="127.0.0.1:0", **kwargs):
        self.state = state
        self.process = kit.start("serve", "--state", state, "--listen", listen, *args, **kwargs)
        self.err = []
        while not self.err or "listening on" not in self.err[-1]:
            self.err.append(self.process.stderr.readline().decode())
            assert self.err[-1], self.err
        self.url = re.search(r"http://\S+", self.err[-1])[0]
        self.address = self.url.removeprefix("http://")
        key = state / "api-key"
        self.key = None if "--no-auth" in args else key.read_text().strip()
        self.out = []
        self.threads = [
            threading.Thread(target=self._read, args=(file, lines), daemon=True)
            for file, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def _read(file, lines):
        for line in file:
            lines.append(line.decode())

    def call(self, method, path, body=None, key=True, headers=(), raw=None):
        """One request on a connection of its own. `key`: True is the right one, None is none."""
        connection = http.client.HTTPConnection(self.address, timeout=30)
        sent = dict(headers)
        if key and self.key:
            sent["Authorization"] = f"Bearer {self.key if key is True else key}"
        text = raw if raw is not None else None if body is None else json.dumps(body)
        if text is not None or method in ("POST", "PATCH", "PUT"):
            sent.setdefault("Content-Type", "application/json")
        connection.request(method, path, text, sent)
        answer = connection.getresponse()
        told = Answer(answer, answer.read())
        connection.close()
        return told

    def get(self, path, **query):
        return self.call("GET", path + ("?" + urllib.parse.urlencode(query) if query else ""))

    def post(self, path, body=None):
        return self.call("POST", path, body)

    def webhook(self, url, events=("*",), **more):
        return self.post("/v1/webhooks", {"url": url, "events": list(events), **more}).data

    def ended(self, delivery, timeout=30):
        """The delivery with its attempts, once nothing more is owed."""

        def look():
            found = self.get(f"/v1/deliveries/{delivery}").data
            return found["state"] != "pending" and found

        return kit.until(look, timeout)

    def stop(self):
        """Ends it in order; its exit code."""
        self.process.terminate()
        code = self.process.wait(timeout=30)
        for thread in self.threads:
            thread.join(30)
        return code

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            assert self.stop() == 128 + 15, self.err
        assert not [line for line in self.err if "Sanitizer" in line or "runtime error" in line], self.err


class Listener:
    """Who listens to the live stream."""

    def __init__(self, server, query="", key=True):
        self.connection = http.client.HTTPConnection(server.address, timeout=30)
        self.connection.request("GET", "/v1/stream" + query, headers={"Authorization": f"Bearer {server.key}"} if key else {})
        self.answer = self.connection.getresponse()

    def event(self):
        """The next one, comments apart: name, data."""
        lines = []
        while True:
            line = self.answer.readline().decode().rstrip("\n")
            if line and not line.startswith(":"):
                lines.append(line)
            elif not line and lines:
                fields = dict(line.split(": ", 1) for line in lines)
                return fields["event"], json.loads(fields["data"])

    def close(self):
        self.answer.close()
        self.connection.close()
