"""/metrics, read by a parser that nobody here wrote (prometheus_client), against what was sent."""

import json
import re
import threading
import urllib.error
import urllib.request

import kit
import pytest
from platform_api import Serve
from prometheus_client.parser import text_string_to_metric_families

TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Families by name; a sample's value by its name and labels. Histograms must be ones."""

    def __init__(self, text):
        self.text = text
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples = {}
        for family in self.families.values():
            assert family.documentation
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in self.samples, key
                self.samples[key] = sample.value
            if family.type == "histogram":
                self.check_histogram(family)

    def check_histogram(self, family):
        series = {}
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "le"}
            series.setdefault(frozenset(labels.items()), []).append(sample)
        for labels, samples in series.items():
            buckets = [(float(sample.labels["le"]), sample.value) for sample in samples if sample.name == family.name + "_bucket"]
            assert buckets == sorted(buckets) and buckets[-1][0] == float("inf") and len(buckets) == 16
            assert buckets[-1][1] == self.samples[family.name + "_count", labels]
            assert self.samples[family.name + "_sum", labels] >= 0

    def get(self, name, **labels):
        return self.samples.get((name, frozenset(labels.items())), 0)

    def sum(self, name, **labels):
        return sum(value for (sample, given), value in self.samples.items() if sample == name and set(labels.items()) <= given)


def fetch(url, **headers):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
        assert answer.headers["Content-Type"] == TEXT
        assert answer.headers["Cache-Control"] == "no-store"
        return Metrics(answer.read().decode("utf-8"))


def test_serve(tmp_path):
    statuses = iter([200, 503, 200, 410])
    with Serve(tmp_path / "state") as serve, kit.Capture(lambda request: next(statuses)) as receiver:
        good = serve.webhook(receiver.url, retry={"attempts": 2, "base": "10ms", "jitter": "none"})["id"]
        gone = serve.webhook("http://127.0.0.1:1/", events=["agent.*"], retry={"attempts": 1}, description='"}\n\\')["id"]
        for _ in range(3):  # delivered; 503 and then delivered; 410
            event = serve.post("/v1/events", {"type": "message.received"}).data
            serve.ended(event["deliveries"][0]["delivery_id"])
        serve.ended(serve.post(f"/v1/webhooks/{gone}/test", {"event": "message.received"}).data["delivery_id"])
        serve.call("GET", "/v1/webhooks/whk_none")
        serve.call("GET", "/v1/webhooks/<script>\"")

        def settled():
            found = fetch(serve.url + "/metrics", Authorization=f"Bearer {serve.key}")
            return found.sum("emit8_attempts_total") == 5 and found

        metrics = kit.until(settled)
        received = {"type": "message.received"}
        assert metrics.get("emit8_attempts_total", webhook=good, outcome="delivered", **received) == 2
        assert metrics.get("emit8_attempts_total", webhook=good, outcome="http_5xx", **received) == 1
        assert metrics.get("emit8_attempts_total", webhook=good, outcome="gone", **received) == 1
        assert metrics.get("emit8_attempts_total", webhook=gone, outcome="connect_refused", **received) == 1
        assert metrics.get("emit8_response_seconds_count", webhook=good, outcome="delivered", **received) == 2
        assert 0 < metrics.get("emit8_response_seconds_sum", webhook=good, outcome="delivered", **received) < 30
        assert metrics.get("emit8_deliveries_failed_total", webhook=good, outcome="gone", **received) == 1
        assert metrics.get("emit8_events_total", **received) >= 3
        assert metrics.get("emit8_attempts_by_trigger_total", trigger="retry") == 1
        assert metrics.get("emit8_webhooks", state="disabled") == 1  # by the 410
        assert metrics.get("emit8_webhooks", state="enabled") == 1
        assert metrics.get("emit8_deliveries_pending", state="due") == 0
        assert metrics.sum("emit8_http_requests_total", method="POST", route="/v1/events", status="202") == 3
        assert metrics.sum("emit8_http_requests_total", method="GET", route="/v1/webhooks/{id}", status="404") == 2
        assert metrics.sum("emit8_build_info") == 1
        assert metrics.get("process_start_time_seconds") > 1.7e9
        assert "script" not in metrics.text  # routes, never paths
        with pytest.raises(urllib.error.HTTPError, match="401"):
            fetch(serve.url + "/metrics")


class Run:
    """emit8 with --metrics, and where they are."""

    def __init__(self, *args):
        self.process = kit.start(*args, "--no-log", "--metrics", "127.0.0.1:0", env={"EMIT8_SECRET": kit.SECRET})
        self.err = []
        while not self.err or "metrics at" not in self.err[-1]:
            self.err.append(self.process.stderr.readline().decode())
            assert self.err[-1], self.err
        self.url = re.search(r"http://\S+", self.err[-1])[0]
        self.drain = [threading.Thread(target=file.read, daemon=True) for file in (self.process.stderr, self.process.stdout)]
        for thread in self.drain:
            thread.start()

    def fetch(self, **headers):
        try:
            return fetch(self.url, **headers)
        except urllib.error.HTTPError as error:
            assert error.code == 503  # not begun
            return None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.terminate()
        self.process.wait(30)
        for thread in self.drain:
            thread.join(30)


def test_load():
    with kit.Capture(lambda request: 200 if request["path"] == "/a" else 503) as receiver:
        with Run("load", "message.received", "agent.updated", "--to", f"a={receiver.url}/a", "--to", f"b={receiver.url}/b", "--rate", "100/s",
                 "-z", "120s", "--workers", "1") as run:

            def enough():
                found = run.fetch()
                return found and found.sum("emit8_run_attempts_total") > 100 and found

            metrics = kit.until(enough)
            later = kit.until(lambda: (found := run.fetch()).sum("emit8_run_attempts_total") > metrics.sum("emit8_run_attempts_total") and found)
            for found in (metrics, later):
                a, b = found.sum("emit8_run_attempts_total", endpoint="a"), found.sum("emit8_run_attempts_total", endpoint="b")
                assert found.sum("emit8_run_attempts_total", endpoint="a", outcome="delivered") == a > 0
                assert found.sum("emit8_run_attempts_total", endpoint="b", outcome="http_5xx") == b > 0
                assert found.sum("emit8_run_type_attempts_total") == a + b
                assert found.sum("emit8_run_response_seconds_count") == found.get("emit8_run_service_seconds_count") == a + b
                assert found.get("emit8_run_deliveries_total", state="delivered") == a
                assert found.get("emit8_run_deliveries_total", state="failed") == b
                assert found.get("emit8_run_sent_bytes_total") > 100 * (a + b)
                assert {sample.labels["type"] for sample in found.families["emit8_run_type_attempts"].samples} <= {"message.received", "agent.updated"}
            for header in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
                with pytest.raises(urllib.error.HTTPError, match="403"):
                    fetch(run.url, **header)
            with pytest.raises(urllib.error.HTTPError, match="404"):
                fetch(run.url.replace("/metrics", "/"))


def test_run(tmp_path):
    with kit.Capture() as receiver:
        scenario = tmp_path / "s.json"
        scenario.write_text(json.dumps({
            "scenario": "metrics",
            "endpoints": {"crm": {"url": receiver.url, "secret": kit.SECRET, "events": ["*"]}},
            "flows": {"f": {"steps": [{"emit": "message.received"}]}},
            "run": [{"flow": "f", "arrivals": {"rate": "50/s", "for": "120s"}}],
        }))
        with Run("run", scenario) as run:
            metrics = kit.until(lambda: (found := run.fetch()) and found.sum("emit8_run_attempts_total", endpoint="crm") > 20 and found)
            assert metrics.get("emit8_run_events_total") >= 20


@pytest.mark.parametrize("address, said", [
    ("0.0.0.0:0", "this machine alone"), ("192.0.2.1:9464", "this machine alone"), ("[::]:9464", "this machine alone"),
    ("example.com:9464", "this machine alone"), ("9464", "no port"), ("127.0.0.1", "no port"), ("127.0.0.1:99999", "no port"),
    ("", "no port"),
])
def test_addresses_that_are_refused(address, said):
    with kit.Capture() as receiver:
        done = kit.emit8("send", "message.received", "--to", receiver.url, "--no-log", "--metrics", address)
        assert done.returncode == 2 and said in done.err and "; " in done.err
        assert done.out == "" and receiver.requests == []


def test_a_port_that_is_taken():
    with kit.Capture() as receiver:
        done = kit.emit8("send", "message.received", "--to", receiver.url, "--no-log", "--metrics", receiver.url.removeprefix("http://"))
        assert done.returncode == 3 and "another process listens there" in done.err
        assert receiver.requests == []
