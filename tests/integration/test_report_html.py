"""The report as a page: read by a parser that nobody here wrote, held against the JSON report and the log, and drawn by a browser."""

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import kit

html5lib = pytest.importorskip("html5lib", reason="python3-html5lib is not installed")

EVIL = "</script><script>alert(1)</script> <!-- & \" ' \u202egpj.exe"
SCENARIO = """
scenario: "%s"
seed: 7
endpoints:
  crm: {url: "http://127.0.0.1:1/", secret: test-secret-0123456789abcdef, retry: {attempts: 2, base: 1ms}}
  audit: {url: "http://127.0.0.1:1/", secret: test-secret-0123456789abcdef, events: [message.*], retry: {attempts: 1}}
flows:
  story:
    - emit: conversation.created
      name: "<b>created</b>"
      expect: {header: {X-Evil: fine}}
    - emit: message.received
      headers: {X-Answer: "503"}
    - emit: message.sent
      expect: {status: 2xx}
run: [{flow: story, arrivals: {times: 60, concurrency: 4}}]
thresholds: ["p(99) < 1h", "success >= 99.9%%", "p(95){endpoint=crm} < 1ns"]
""" % json.dumps(EVIL)[1:-1]


def answer(request):
    return int(request["headers"].get("x-answer", 200)), {"X-Evil": "<img src=http://evil.example/> </table>"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run that has something of everything: its page, its JSON report, its log."""
    path = tmp_path_factory.mktemp("html")
    (path / "story.yaml").write_text(SCENARIO)
    files = {name: path / f"report.{name}" for name in ("html", "json")}
    with kit.Capture(answer) as target:
        options = [option for name, file in files.items() for option in (f"--report-{name}", file)]
        done = kit.emit8("run", path / "story.yaml", "--to", target.url, "--log", path / "log.db", *options)
    assert done.returncode == 1, done.err
    return {"page": files["html"].read_text(), "json": json.loads(files["json"].read_text()), "log": path / "log.db", "path": path}


@pytest.fixture(scope="module")
def page(made):
    return parse(made["page"])


def parse(text):
    """Any fault that the standard names is an error."""
    parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("etree"), strict=True, namespaceHTMLElements=False)
    return parser.parse(text)


def data_of(tree):
    return json.loads(tree.find(".//script[@id='data']").text)


def text_of(element):
    return " ".join("".join(element.itertext()).split())


def table(tree, caption):
    """Rows of the first table with that caption, by the first cell."""
    found = next(t for t in tree.iter("table") if text_of(t.find("caption")) == caption)
    rows = [[text_of(cell) for cell in row] for row in found.find("tbody")]
    return {row[0]: row[1:] for row in rows}


def sound(tree):
    """What a parser does not look at: ids, references, tables whose rows are of one length, nothing that loads or runs."""
    ids = [e.get("id") for e in tree.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    for element in tree.iter():
        tag = element.tag.rsplit("}", 1)[-1] if isinstance(element.tag, str) else ""
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form", "video", "audio")
        for name, value in element.attrib.items():
            name = str(name)
            assert not name.startswith("on") and name not in ("style", "src", "action", "srcset", "srcdoc"), (tag, name)
            if name == "href":
                assert value.startswith("#") and value[1:] in ids, value
            if name in ("aria-labelledby", "for"):
                assert set(value.split()) <= set(ids), value
    for found in tree.iter("table"):
        spans, lengths = 0, set()
        for row in [*found.find("thead"), *found.find("tbody")]:
            head = next((int(c.get("rowspan")) for c in row if c.get("rowspan")), 0)
            lengths.add(len(row) + (1 if spans and not head else 0))
            spans = head - 1 if head else max(0, spans - 1)
        assert len(lengths) == 1, text_of(found.find("caption"))


# ---- one run


def test_the_page_is_sound(page):
    sound(page)
    assert page.find(".//html").get("lang") == "en" if page.tag != "html" else page.get("lang") == "en"
    assert len(list(page.iter("h1"))) == 1


def test_nothing_but_its_own_may_run(page):
    policy = next(m.get("content") for m in page.iter("meta") if m.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and rules["base-uri"] == "'none'" and "unsafe" not in policy

    def hashed(elements):
        return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(e.text.encode()).digest()).decode()}'" for e in elements)

    assert rules["style-src"] == hashed(page.iter("style"))
    assert rules["script-src"] == hashed(s for s in page.iter("script") if s.get("type") is None)
    assert len(list(page.iter("script"))) == 3


def test_the_data_is_the_json_report(made, page):
    (run,) = data_of(page)["runs"]
    assert run["report"] == made["json"]
    assert run["label"] == EVIL


def test_the_page_comes_again_from_the_log(made):
    again = kit.emit8("report", made["log"], "--format", "html")
    assert again.returncode == 1 and again.out == made["page"]


def test_the_curves_end_with_the_greatest(made, page):
    (run,) = data_of(page)["runs"]
    rows = kit.attempts(made["log"])
    for kind, key in ("response", "response_time_ms"), ("service", "service_time_ms"), ("lag", "send_lag_ms"):
        times, curve = sorted(row[key] for row in rows), run["curve"][kind]
        assert curve[-1][0] == len(times) and curve[-1][1] == pytest.approx(times[-1], abs=1e-4)
        assert all(a[0] < b[0] and a[1] <= b[1] for a, b in zip(curve, curve[1:]))
        half = next(y for x, y in curve if x == 2)
        assert half == pytest.approx(times[len(times) // 2 - 1], rel=0.0011, abs=2e-4)
        bins = run["bins"][kind]
        assert sum(n for _, n in bins) == len(times)
        low = 10 ** (bins[0][0] / data_of(page)["bins_per_decade"]) / 1e6
        assert low <= times[0] * 1.001 + 1e-6


def test_the_course_holds_every_attempt(made, page):
    (run,) = data_of(page)["runs"]
    over, rows, totals = run["over"], kit.attempts(made["log"]), made["json"]["totals"]
    assert sum(over["done"]) == len(rows) == totals["attempts"]
    assert sum(over["due"]) == sum(over["begun"]) == totals["planned"]
    assert sum(over["failed"]) == sum(row["status"] != 200 for row in rows)
    assert max(y for y in over["response"]["max"] if y is not None) == pytest.approx(max(r["response_time_ms"] for r in rows), abs=1e-4)
    assert len(table(page, "Over time")) == len(over["done"])


def test_the_tables_tell_it_without_scripts(made, page):
    report = made["json"]
    for figure in page.iter("figure"):
        assert figure.get("hidden") is not None, "charts come with scripts"
    statuses = table(page, "Statuses")
    assert {code: int(row[1]) for code, row in statuses.items()} == report["status"]
    outcomes = table(page, "Outcomes")
    assert {name: int(row[1]) for name, row in outcomes.items()} == report["outcomes"]
    assert outcomes["delivered"][0] == "The receiver answered 2xx with a whole response."
    assert outcomes["http_5xx"][0] == "The receiver failed with a 5xx status. For example: HTTP 503"
    for endpoint in report["endpoints"]:
        row = table(page, "Endpoints")[endpoint["name"]]
        assert [int(n) for n in row[1:4]] == [endpoint["totals"][k] for k in ("delivered", "failed", "retries")]
    for type_ in report["types"]:
        assert int(table(page, "Event types")[type_["name"]][0]) == type_["totals"]["delivered"]
    thresholds = table(page, "Thresholds")
    assert [row[-1] for row in thresholds.values()] == ["✓ holds" if t["pass"] else "✗ missed" for t in report["thresholds"]]
    steps = table(page, "Expectations")
    assert steps["<b>created</b>"][-2:][0] == "✗ not met" and "<img src=http://evil.example/>" in steps["<b>created</b>"][-1]
    assert [text_of(li) for li in next(u for u in page.iter("ul") if u.get("class") == "warnings")] == report["warnings"]
    text = text_of(page)
    assert report["reason"] in text and str(report["run"]["seed"]) in text and report["run"]["command"][:60] in text


def test_hostile_texts_are_texts(made, page):
    assert "<script>alert" not in made["page"] and "<img" not in made["page"] and "\u202e" not in made["page"]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", made["page"])
    assert text_of(page.find(".//h1")) == EVIL.replace("\u202e", "[U+202E]")


def test_without_a_log_there_are_no_times_over_time(tmp_path):
    with kit.sink() as sink:
        done = kit.emit8("send", "message.sent", "-n", 20, "--to", sink.url, "--no-log", "--report-html", tmp_path / "page.html")
    assert done.returncode == 0, done.err
    tree = parse((tmp_path / "page.html").read_text())
    sound(tree)
    assert data_of(tree)["runs"][0]["over"] is None
    assert "this run has none" in text_of(tree)


def test_its_file_is_checked_before_anything_is_sent(tmp_path):
    with kit.Capture() as target:
        done = kit.emit8("send", "message.sent", "--to", target.url, "--no-log", "--report-html", tmp_path / "no" / "page.html")
        assert done.returncode == 3 and "--report-html" in done.err and not target.requests


# ---- several runs


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A log with two runs, and one of its own."""
    path = tmp_path_factory.mktemp("several")
    with kit.sink() as sink:
        for log, n in ("two.db", 30), ("two.db", 60), ("one.db", 40):
            done = kit.emit8("send", "message.*", "-n", n, "-c", 2, "--to", sink.url, "--log", path / log)
            assert done.returncode == 0, done.err
    return path


def test_several_runs_on_one_page(several):
    done = kit.emit8("report", several / "two.db@1", several / "two.db@2", several / "one.db", "--format", "html")
    assert done.returncode == 0, done.err
    tree = parse(done.out)
    sound(tree)
    runs = data_of(tree)["runs"]
    assert [run["report"]["totals"]["planned"] for run in runs] == [30, 60, 40]
    assert [run["label"][:1] for run in runs] == ["A", "B", "C"]
    planned = table(tree, "Deliveries")["planned"]
    assert planned == ["30", "60", "+30", "40", "+10"]
    assert {e.get("id") for e in tree.iter("details")} >= {"run-A", "run-B", "run-C"}


def test_several_runs_as_text_and_json(several):
    runs = [json.loads(kit.emit8("report", several / "two.db", "--run", n, "--format", "json").out) for n in (1, 2)]
    both = ["report", several / "two.db", "--run", 1, "--run", 2]
    assert json.loads(kit.emit8(*both, "--format", "json").out) == runs
    assert [json.loads(line) for line in kit.emit8(*both, "--format", "ndjson").out.splitlines()] == runs
    text = kit.emit8(*both).out
    assert re.search(r"^  planned\s+30\s+60\s+\+30$", text, re.M), text
    assert re.search(r"^  success\s+100 %\s+100 %$", text, re.M)
    assert kit.emit8("report", "@1", "@2", "--log", several / "two.db").out.replace("two.db@", "@") == text.replace("two.db@", "@")


@pytest.mark.parametrize(
    "words, told",
    [
        (["one.db", "two.db", "--run", "1"], "--run is for one log"),
        (["two.db@1", "--run", "1"], "says which run"),
        (["two.db", "--run", "0"], "--run \"0\" is out of range"),
        (["two.db@7"], "7"),
        (["one.db", "two.db", "--format", "csv"], "one run"),
        (["one.db", "two.db", "--hdr", "x.hlog"], "one run"),
        (["one.db"] * 9, "at most 8"),
    ],
)
def test_what_cannot_be_named(several, words, told):
    done = kit.emit8("report", *words, cwd=several)
    assert done.returncode == 2 and told in done.err and not done.out, done.err


def test_the_gravest_verdict_counts(made, several):
    done = kit.emit8("report", several / "one.db", made["log"])
    assert done.returncode == 1
    assert kit.emit8("report", several / "one.db", several / "two.db").returncode == 0


# ---- as it looks


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear))


def test_colours_have_contrast():
    """WCAG 2.1, 1.4.3 and 1.4.11: 4.5 for text, 3 for lines."""
    css = (pathlib.Path(kit.SOURCE) / "src/report/web/report.css").read_text()
    light, dark = (dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6});", block)) for block in re.findall(r":root[^{]*\{([^}]*)\}", css)[:2])
    assert set(light) == set(dark) and len(light) > 20
    for colours in light, dark:

        def ratio(a, b):
            high, low = sorted((luminance(colours[a]), luminance(colours[b])), reverse=True)
            return (high + 0.05) / (low + 0.05)

        for text in "ink", "muted", "accent":
            for ground in "ground", "card", "soft":
                assert ratio(f"--{text}", f"--{ground}") >= 4.5, (text, ground)
        for text in "good", "bad", "warn":
            assert ratio(f"--{text}", "--card") >= 4.5 and ratio(f"--{text}", f"--{text}-soft") >= 4.5, text
        assert ratio("--ink", "--warn-soft") >= 4.5
        for i in range(8):
            assert ratio(f"--s{i}", "--card") >= 4.5, "a line, and a letter on it"


class Browser:
    """Chromium, spoken to through a pipe in its own protocol."""

    def __init__(self, path, profile):
        ours, theirs = os.pipe(), os.pipe()
        reads, writes = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (ours[0], theirs[1]))
        command = f'exec "$0" "$@" 3<&{reads} 4>&{writes}'  # the numbers that the protocol wants
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", command, path, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
             "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(reads, writes), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=kit.environment(HOME=str(profile)))  # fmt: skip
        for fd in ours[0], theirs[1], reads, writes:
            os.close(fd)
        self.out, self.into = os.fdopen(ours[1], "wb"), os.fdopen(theirs[0], "rb")
        self.number, self.session, self.events, self.rest = 0, None, [], b""

    def message(self):
        while b"\0" not in self.rest:
            more = os.read(self.into.fileno(), 1 << 16)
            assert more, "the browser has ended"
            self.rest += more
        one, self.rest = self.rest.split(b"\0", 1)
        return json.loads(one)

    def ask(self, method, **params):
        self.number += 1
        call = {"id": self.number, "method": method, "params": params}
        if self.session:
            call["sessionId"] = self.session
        self.out.write(json.dumps(call).encode() + b"\0")
        self.out.flush()
        while (message := self.message()).get("id") != self.number:
            self.events.append(message)
        assert "error" not in message, message
        return message["result"]

    def open(self, url, width=1280, dark=False):
        if not self.session:
            target = self.ask("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in "Page", "Network", "Runtime", "Log":
                self.ask(f"{domain}.enable")
        self.events = []
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.ask("Page.navigate", url=url)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self.message())

    def value(self, expression):
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def seen(self, method):
        return [event["params"] for event in self.events if event.get("method") == method]

    def close(self):
        with contextlib.suppress(AssertionError, OSError):
            self.session = None
            self.ask("Browser.close")
        self.out.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.into.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not path:
        pytest.skip("chromium is not installed")
    it = Browser(path, tmp_path_factory.mktemp("profile"))
    yield it
    it.close()


# Pixels of each chart that are neither white nor grey: its lines.
INKED = """[...document.querySelectorAll("figure.chart")].filter(f => !f.hidden).map(f => {
  const canvas = f.querySelector(".canvas canvas"), {width, height} = canvas;
  const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  let inked = 0;
  for (let i = 0; i < pixels.length; i += 4)
    inked += pixels[i + 3] > 100 && Math.max(pixels[i], pixels[i + 1], pixels[i + 2]) - Math.min(pixels[i], pixels[i + 1], pixels[i + 2]) > 60;
  return [f.dataset.chart, inked];
})"""


def drawn(browser, url, charts, **how):
    browser.open(url, **how)
    assert [r["request"]["url"] for r in browser.seen("Network.requestWillBeSent")] == [url], "nothing else is loaded"
    assert not browser.seen("Runtime.exceptionThrown") and not browser.seen("Log.entryAdded"), browser.events
    inked = dict(browser.value(INKED))
    assert set(inked) == set(charts) and all(n > 20 for n in inked.values()), inked
    assert browser.value("document.documentElement.scrollWidth") <= how.get("width", 1280), "the page is too wide"


# What lies beyond the edge of the page without a box of its own that scrolls, with all that is folded up unfolded.
BEYOND = """(document.querySelectorAll("details").forEach(each => each.open = true), [...document.querySelectorAll("body *")].filter(each => {
  if (each.getBoundingClientRect().right <= innerWidth + 1) return false;
  for (let box = each.parentElement; box !== document.body; box = box.parentElement)
    if (box.matches("[tabindex]") && getComputedStyle(box).overflowX === "auto") return false;
  return !each.closest("nav, caption, .skip");
}).map(each => each.outerHTML.slice(0, 80)))"""


def test_no_page_is_wider_than_a_phone(browser, made, several):
    logs = [several / "two.db@1", several / "two.db@2", several / "one.db", made["log"]]
    for n in 1, 2, 4:
        page = several / f"narrow-{n}.html"
        page.write_text(kit.emit8("report", *logs[-n:], "--format", "html").out)
        browser.open(page.as_uri(), width=390)
        assert browser.value(BEYOND) == [], n
        assert browser.value("document.documentElement.scrollWidth <= innerWidth"), n
        runs = 'document.querySelector(".scroll[aria-label=\\"The runs\\"]")'
        assert n == 1 or browser.value(f"{runs}.scrollWidth <= {runs}.clientWidth")  # they fold


# Bars that do not stand beside their figures, also in rows of several lines.
BESIDE = """[...document.querySelectorAll("tr:has(svg.bar)")].map(row => {
  const middle = ({top, bottom}) => (top + bottom) / 2, figure = document.createRange();
  row.querySelector("th").append(" and more ".repeat(40));
  figure.selectNodeContents(row.querySelector(".num"));
  return middle(row.querySelector("svg.bar").getBoundingClientRect()) - middle(figure.getBoundingClientRect());
}).filter(off => Math.abs(off) > 2)"""


def test_charts_are_drawn_without_a_network(browser, made, several):
    url = (made["path"] / "report.html").as_uri()
    charts = ["percentiles", "histogram", "latency", "rate", "backlog"]
    drawn(browser, url, charts)
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(246, 247, 249)"
    assert browser.value(kit.HIDDEN) == []
    assert browser.value(BESIDE) == []
    drawn(browser, url, charts, width=390, dark=True)
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(16, 20, 26)"
    # A key hides its line and says so.
    button = 'document.querySelector("figure[data-chart=percentiles] button")'
    assert browser.value(f'{button}.getAttribute("aria-pressed")') == "true"
    browser.value(f"{button}.click()")
    assert browser.value(f'{button}.getAttribute("aria-pressed")') == "false"
    compared = several / "compared.html"
    compared.write_text(kit.emit8("report", several / "one.db", several / "two.db", "--format", "html").out)
    drawn(browser, compared.as_uri(), charts[:4])
    # Another measure is drawn where it is chosen; a link to a run unfolds it.
    select = 'document.querySelector("figure[data-chart=latency] select")'
    browser.value(f'{select}.value = "service p50"; {select}.dispatchEvent(new Event("change")); 1')
    assert all(n > 20 for n in dict(browser.value(INKED)).values())
    browser.value('document.querySelector("a[href=\\"#run-B\\"]").click()')
    kit.until(lambda: browser.value('document.getElementById("run-B").open'))


def test_a_part_that_is_cut_short_is_no_spike(browser, made, tmp_path):
    """10 a tenth of a second, and at the end of the run 4 in 26 ms: that is no rate of 154/s."""
    data = data_of(parse(made["page"]))
    run = data["runs"][0]
    run["report"]["run"]["elapsed_s"] = 0.526
    empty = [None] * 6
    run["over"] = {"width_s": 0.1, **dict.fromkeys(("due", "begun", "done"), [10, 10, 12, 10, 10, 4]), "failed": [0] * 6,
                   **{kind: dict.fromkeys(("p50", "p95", "p99", "max"), empty) for kind in ("response", "service", "lag")}}
    whole = re.sub(r'(?s)(<script type="application/json" id="data">).*?(</script>)',
                   lambda found: found[1] + json.dumps(data).replace("<", "\\u003c") + found[2], made["page"])
    page = tmp_path / "short.html"
    page.write_text(whole)
    browser.open(page.as_uri())
    rate = 'Chart.getChart(document.querySelector("figure[data-chart=rate] .canvas canvas")).data.datasets.find(each => each.label === "done").data.map(each => each.y)'
    assert browser.value(rate) == pytest.approx([100, 100, 120, 100, 100, 14 / 0.126])
