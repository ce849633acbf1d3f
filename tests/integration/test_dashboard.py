"""The dashboard of `emit8 serve` in Chromium: a story from the first endpoint to a filtered log, hostile payloads, and what axe and
html-validate have to say."""

import hashlib
import hmac
import json
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time

import kit
import platform_api
import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="python3-selenium is not installed")
from selenium.common.exceptions import WebDriverException  # noqa: E402
from selenium.webdriver.chrome.options import Options  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.select import Select  # noqa: E402

sys.path.insert(0, str(pathlib.Path(kit.SOURCE) / "tests" / "receivers"))
import start as receivers  # noqa: E402

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (BROWSER and DRIVER), reason="chromium and chromium-driver are not installed")

RETRY = {"attempts": 3, "base": "50ms", "factor": 2, "cap": "200ms", "jitter": "none"}
HOSTILE = "<script>window.hit=1</script><img src=x onerror=window.hit=1>\u202egpj.exe\u2066\x07\x1b[31m\u200b\ufeff\"'&amp;{{hit}}"
SHOWN = "<script>window.hit=1</script><img src=x onerror=window.hit=1>U+202Egpj.exeU+2066BELESC[31mU+200BU+FEFF\"'&amp;{{hit}}"


MEBI = 1 << 20  # characters of a text


class Browser:
    """A tab of headless Chromium, with what its console says."""

    def __init__(self):
        options = Options()
        options.binary_location = BROWSER
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1280,900"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(DRIVER), options=options)
        self.driver.set_script_timeout(120)

    def cdp(self, command, **parameters):
        return self.driver.execute_cdp_cmd(command, parameters)

    def js(self, script, *args):
        return self.driver.execute_script(script, *args)

    def until(self, look):
        """What `look` finds, once it is true: the page may be drawn anew at any time."""

        def tried():
            try:
                return look()
            except WebDriverException:
                return None

        return kit.until(tried)

    def go(self, place):
        """To another page of the dashboard."""
        self.js("location.hash = arguments[0]", place)
        self.until(lambda: self.js("return location.hash.split('?')[0]") == "#" + place.split("?")[0] and self.ready())

    def ready(self):
        """Has the page come?"""
        return self.js("return document.querySelector('main h1') && !document.querySelector('main .loading, main [aria-busy]')")

    def find(self, path):
        """The first one that is shown, by CSS or XPath."""
        by = By.XPATH if path.startswith("/") else By.CSS_SELECTOR
        return self.until(lambda: next((each for each in self.driver.find_elements(by, path) if each.is_displayed()), None))

    def count(self, css):
        return len(self.driver.find_elements(By.CSS_SELECTOR, css))

    def click(self, text, within=""):
        """A button, a link or a label, by its whole text."""
        path = f"{within}//*[self::button or self::a or self::label or self::summary][normalize-space()='{text}']"

        def tried():
            self.find(path).click()
            return True

        self.until(tried)

    def write(self, label, text):
        """Into the field of that label."""
        field = self.find(f"//label[normalize-space()='{label}']/following-sibling::*[self::input or self::textarea]")
        field.clear()
        field.send_keys(text)

    def choose(self, label, value):
        def tried():
            css = f"select[aria-label='{label}']"
            found = self.driver.find_elements(By.CSS_SELECTOR, css) or [
                self.driver.find_element(By.XPATH, f"//label[normalize-space()='{label}']/following-sibling::select")
            ]
            Select(found[0]).select_by_value(value)
            return True

        self.until(tried)

    def text(self, css="main"):
        return " ".join(self.js("return document.querySelector(arguments[0])?.innerText ?? ''", css).split())

    def see(self, text, css="main"):
        kit.until(lambda: text in self.text(css), 30) if text not in self.text(css) else None
        return True

    def complaints(self):
        """What the console and the content security policy had to say since the last time."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


@pytest.fixture(scope="module", name="browser")
def make_browser():
    browser = Browser()
    yield browser
    browser.driver.quit()


@pytest.fixture(name="serve")
def make_serve(tmp_path):
    with platform_api.Serve(tmp_path / "state") as serve:
        yield serve


def enter(browser, serve):
    """As from the address that emit8 serve prints."""
    browser.driver.get("about:blank")
    browser.complaints()  # of the server before
    browser.driver.get(f"{serve.url}/#key={serve.key}")
    browser.until(browser.ready)
    assert serve.key not in browser.driver.current_url
    browser.see("Live", "#live")


def signed(request, secret):
    return hmac.compare_digest(request["headers"]["x-8bit-signature-256"], "sha256=" + hmac.new(secret.encode(), request["body"], hashlib.sha256).hexdigest())


class Receiver:
    """Answers as it is told; what it got and what its body is."""

    def __init__(self, capture):
        self.capture = capture
        self.status = 200
        capture.answer = lambda request: self.status
        self.url = capture.url + "/hooks"

    def got(self, count):
        self.capture.wait(count)
        return self.capture.take()


@pytest.fixture(name="receiver")
def make_receiver():
    with kit.Capture() as capture:
        yield Receiver(capture)


# The story.


def make_endpoint(browser, receiver):
    """Through the form; returns the secret, which was copied."""
    browser.see("No endpoint yet")
    browser.click("New endpoint", "//main")
    browser.write("URL", "not-a-url")
    browser.find("input[data-pattern='*']").click()
    browser.see("Nothing is chosen")
    browser.click("Make the endpoint")
    browser.see("choose a type, a category, or everything", ".picker")
    assert browser.js("return document.activeElement.dataset.pattern") == "*"
    browser.find("input[data-pattern='message.*']").click()
    browser.see("Takes 3 of 16 types")
    browser.find("input[data-pattern='agent.error']").click()
    browser.see("Takes 4 of 16 types")
    browser.click("Make the endpoint")
    browser.find("//input[@aria-invalid='true']")  # the server's word stands at its field
    browser.write("URL", receiver.url)
    browser.find("//summary[contains(., 'retries')]").click()
    for label, value in (("Attempts in all", "3"), ("First wait", RETRY["base"]), ("At most", RETRY["cap"])):
        browser.write(label, value)
    browser.click("Make the endpoint")
    return take_secret(browser)


def copied(browser):
    """What is in the clipboard."""
    return browser.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0], (error) => arguments[0](String(error)))")


def take_secret(browser):
    """From the dialog, by its button, out of the clipboard."""
    shown = browser.find("#secret").text
    for _ in range(3):
        browser.cdp("Input.dispatchKeyEvent", type="keyDown", key="Escape", code="Escape", windowsVirtualKeyCode=27)
        browser.cdp("Input.dispatchKeyEvent", type="keyUp", key="Escape", code="Escape", windowsVirtualKeyCode=27)
    browser.click("Copy the secret")
    browser.see("Copied", "dialog")
    assert copied(browser) == shown and re.fullmatch("[0-9a-f]{64}", shown)
    browser.click("I have stored it")
    browser.until(lambda: browser.count("dialog") == 0)
    assert shown not in browser.driver.page_source
    return shown


def send(browser):
    before = browser.count("li.result")
    browser.click("Send")
    browser.until(lambda: browser.count("li.result") == before + 1)


def send_tests(browser, receiver, secret):
    browser.click("Send a test", "//main")
    browser.until(lambda: browser.js("return document.querySelector('textarea.editor')?.value.includes('message.received')"))
    send(browser)
    browser.see("Delivered", "li.result")
    (request,) = receiver.got(1)
    assert signed(request, secret) and json.loads(request["body"])["type"] == "message.received"
    assert request["headers"]["x-8bit-delivery"] in browser.find("li.result a").get_attribute("href")

    editor = browser.find("textarea.editor")
    editor.clear()
    editor.send_keys('{"mine": 1.50')
    browser.see("Line 1, column 14", "#payload-check")
    assert not browser.find("//button[normalize-space()='Send']").is_enabled()
    editor.send_keys("}")
    browser.see("exactly as it stands", "#payload-check")
    send(browser)
    (request,) = receiver.got(1)
    assert signed(request, secret) and request["body"] == b'{"mine": 1.50}'


def fail_and_retry(browser, receiver):
    """Returns the delivery that failed for good."""
    receiver.status = 503
    browser.click("Render anew")
    browser.see("As rendered", "#payload-check")
    send(browser)
    browser.see("Failed for good after 3 attempts", "li.result")
    requests = receiver.got(3)
    assert [request["headers"]["x-8bit-attempt"] for request in requests] == ["1", "2", "3"]
    assert len({request["headers"]["x-8bit-delivery"] for request in requests}) == 1
    return requests[0]["headers"]["x-8bit-delivery"]


def look_at(browser, receiver, delivery, secret):
    browser.find(f"li.result a[href$='{delivery}']").click()
    browser.see("Failed for good after 3 attempts")
    assert browser.count(".attempt") == 3 and browser.count(".rail .mark") == 3
    browser.see("X-8bit-Attempt 3")
    browser.find(".attempt").click()
    browser.see("X-8bit-Attempt 1")
    for given, verdict in (("wrong-secret-wrong-secret", "Not the signature"), (secret, "The signature is that of this secret")):
        field = browser.find("input[aria-label=\"The endpoint's secret\"]")
        field.clear()
        field.send_keys(given)
        browser.click("Verify here")
        browser.see(verdict, ".verdict")
    browser.click("Copy as curl")
    browser.see("Copied")
    command = copied(browser)
    assert secret not in command
    subprocess.run(["sh", "-c", command], capture_output=True, timeout=30, check=True)
    (request,) = receiver.got(1)
    assert signed(request, secret) and request["headers"]["x-8bit-delivery"] == delivery


def rotate(browser, old):
    browser.find("//dt[.='Endpoint']/following-sibling::dd/a").click()
    browser.click("Rotate", "//main")
    browser.find("//dialog//button").send_keys(Keys.ESCAPE)
    browser.until(lambda: browser.js("return document.activeElement.textContent") == "Rotate")  # where one was
    browser.click("Rotate", "//main")
    browser.click("Rotate", "//dialog")
    new = take_secret(browser)
    assert new != old
    browser.until(lambda: browser.js("return document.activeElement.textContent") == "Rotate")  # as before: where one was
    browser.see(new[-4:])
    browser.see("signs what is older until")  # the scheme carries one signature
    browser.see("Revoke the old secret")
    return new


def resend(browser, receiver, delivery, secret):
    receiver.status = 200
    browser.go(f"/deliveries/{delivery}")
    browser.click("Resend")
    browser.see("Delivered by attempt 4")
    (request,) = receiver.got(1)
    assert signed(request, secret) and request["headers"]["x-8bit-delivery"] == delivery
    assert request["headers"]["x-8bit-attempt"] == "4"


def rows(browser):
    return browser.js("return [...document.querySelectorAll('.log tbody tr')].map((row) => row.dataset.id)")


def filter_log(browser, serve, receiver, delivery):
    browser.click("Deliveries", "//nav")
    browser.until(lambda: len(rows(browser)) == 3 and delivery in rows(browser))
    receiver.status = 404
    event = serve.post("/v1/events", {"type": "agent.error"}).data
    (live,) = [each["delivery_id"] for each in event["deliveries"]]
    browser.until(lambda: rows(browser)[0] == live)  # it comes by itself
    browser.until(lambda: "404" in browser.text(f"tr[data-id='{live}'] .badge"))
    browser.choose("Status", "4xx")
    browser.until(lambda: rows(browser) == [live])
    browser.choose("Status", "2xx")
    browser.until(lambda: len(rows(browser)) == 3 and live not in rows(browser))
    browser.choose("Type", "agent.error")
    browser.see("No delivery fits these filters")
    browser.click("Clear the filters")
    browser.until(lambda: len(rows(browser)) == 4)
    browser.choose("Test or real", "false")
    browser.until(lambda: rows(browser) == [live])
    assert "test=false" in browser.driver.current_url


def test_a_story_from_the_first_endpoint_to_a_filtered_log(browser, serve, receiver):
    browser.cdp("Browser.grantPermissions", origin=serve.url, permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    enter(browser, serve)
    secret = make_endpoint(browser, receiver)
    invalid = [line for line in browser.complaints() if " 400 " not in line]  # the URL that was none
    assert not invalid, invalid
    send_tests(browser, receiver, secret)
    delivery = fail_and_retry(browser, receiver)
    look_at(browser, receiver, delivery, secret)
    secret = rotate(browser, secret)
    resend(browser, receiver, delivery, secret)
    filter_log(browser, serve, receiver, delivery)
    assert not browser.complaints()


def test_an_old_secret_is_revoked_where_it_signs(browser, serve, receiver):
    """Within the grace both sign, or the old one what is older: it is said, and can be ended."""
    enter(browser, serve)
    for scheme, two in (("standard-webhooks", True), ("stripe", True), ("github", False)):
        hook = serve.webhook(receiver.url, scheme=scheme)["id"]
        browser.go(f"/endpoints/{hook}")
        browser.click("Rotate", "//main")
        browser.see("signs as well for 24 h" if two else "signs what was accepted before, and its retries, for 24 h", "dialog")
        browser.click("Rotate", "//dialog")
        browser.see("The one before signs as well until" if two else "The one before signs what was accepted before until", "dialog")
        browser.click("I have stored it")
        browser.see("signs as well until" if two else "signs what is older until")
        browser.go("/endpoints")
        assert browser.count(f"[data-id='{hook}'] .tag") == 1
        browser.go(f"/endpoints/{hook}")
        browser.click("Revoke the old secret", "//main")
        browser.see("the present one alone does, retries included" if two else "retries included, is signed with the present one", "dialog")
        browser.click("Revoke", "//dialog")
        browser.see("both secrets sign for 24 h" if two else "the one before signs what is older for 24 h")
        browser.until(lambda: browser.js("return document.activeElement.localName") == "h1")  # the button has gone
        assert serve.get(f"/v1/webhooks/{hook}").data["grace_until"] is None
    assert not browser.complaints()


ASKED = "const leaves = new Event('beforeunload', {cancelable: true}); dispatchEvent(leaves); return leaves.defaultPrevented"


def test_a_secret_stays_until_one_has_stored_it(browser, serve, receiver):
    """Over whatever page Back leads to; and who leaves the dashboard is asked."""
    enter(browser, serve)
    for make in ("endpoint", "rotation"):
        browser.go("/endpoints")
        if make == "endpoint":
            browser.go("/endpoints/new")
            browser.write("URL", receiver.url)
            browser.click("Make the endpoint")
        else:
            browser.go(f"/endpoints/{serve.get('/v1/webhooks').data[0]['id']}")
            browser.click("Rotate", "//main")
            browser.click("Rotate", "//dialog")
        secret = browser.find("#secret").text
        browser.js("history.back()")
        browser.until(lambda: browser.text("h1") == "Endpoints" and browser.ready())
        assert browser.find("#secret").text == secret and receiver.url in browser.text("dialog")
        assert browser.js(ASKED)
        browser.click("I have stored it")
        browser.until(lambda: browser.count("dialog") == 0 and not browser.js(ASKED))
        browser.click("Test events", "//nav")
        browser.until(lambda: browser.text("h1") == "Test events")  # nothing leads away from where one has gone
        assert not browser.text("#toasts")
    assert not browser.complaints()


def test_a_key_is_asked_for_when_there_is_none_or_a_wrong_one(browser, serve):
    browser.driver.get("about:blank")
    browser.complaints()
    browser.driver.get(serve.url)
    browser.js("sessionStorage.clear()")
    browser.driver.refresh()
    browser.see("An API key, please")
    browser.write("API key", "e8k_" + "0" * 40)
    browser.click("Open the dashboard")
    browser.see("This key is not accepted")
    browser.write("API key", serve.key)
    browser.click("Open the dashboard")
    browser.see("No endpoint yet")
    browser.driver.refresh()
    browser.see("No endpoint yet")
    assert not [line for line in browser.complaints() if " 401 " not in line]


def test_tabs_let_each_other_in_and_leave_together(browser, serve):
    """A new tab has the key of those that are signed in; nothing of it outlives them."""
    enter(browser, serve)
    first = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    try:
        browser.driver.get(f"{serve.url}/#/deliveries")
        browser.see("The log is empty")
        browser.see("Live", "#live")
        assert browser.js("return localStorage.length") == 0 and not browser.driver.get_cookies()
        browser.find("#key").click()
        browser.see("An API key, please")
        browser.driver.refresh()
        browser.see("An API key, please")  # nobody has it any more
        browser.driver.switch_to.window(first)
        browser.see("An API key, please")
        browser.write("API key", serve.key)
        browser.click("Open the dashboard")
        browser.see("No endpoint yet")
        assert not [line for line in browser.complaints() if " 401 " not in line]
        browser.driver.switch_to.window(browser.driver.window_handles[-1])
        browser.see("The log is empty")
    finally:
        browser.driver.switch_to.window(browser.driver.window_handles[-1])
        browser.driver.close()
        browser.driver.switch_to.window(first)


def test_a_server_that_has_gone_is_told_of_and_found_again(browser, serve, tmp_path):
    enter(browser, serve)
    serve.stop()
    browser.see("Reconnecting", "#live")
    middles = browser.js("return ['live', 'theme', 'key'].map((id) => document.getElementById(id).getBoundingClientRect()).map(({top, bottom}) => (top + bottom) / 2)")
    assert max(middles) - min(middles) < 2  # in one line
    browser.js("location.hash = '/deliveries'")
    browser.see("emit8 serve does not answer")
    serve.process.poll = lambda: 0  # it has ended
    with platform_api.Serve(tmp_path / "state", listen=serve.address):
        browser.see("The log is empty")  # by itself
        browser.see("Live", "#live")
    browser.complaints()


# What the story leaves out.


def fire(serve, count):
    """So many events to the one endpoint; their deliveries, the newest first."""
    made = [serve.post("/v1/events", {"type": "message.received"}).data["deliveries"][0]["delivery_id"] for _ in range(count)]
    for each in made:
        serve.ended(each)
    return made[::-1]


def test_what_comes_live_is_in_the_order_of_the_log(browser, serve, receiver):
    """Deliveries of one event have one time, and ids in another order."""
    for _ in range(8):
        serve.webhook(receiver.url)
    enter(browser, serve)
    browser.go("/deliveries")
    browser.see("The log is empty")
    made = [each["delivery_id"] for each in serve.post("/v1/events", {"type": "message.received"}).data["deliveries"]]
    browser.until(lambda: sorted(rows(browser)) == sorted(made))
    assert rows(browser) == [row["id"] for row in serve.get("/v1/deliveries").data]


def test_the_log_has_pages_and_waits_for_its_reader(browser, serve, receiver):
    serve.webhook(receiver.url)
    made = fire(serve, 60)
    enter(browser, serve)
    browser.go("/deliveries?time=1h")  # whose beginning moves on between the pages
    browser.until(lambda: rows(browser) == made[:50])
    browser.click("Show older")
    browser.until(lambda: rows(browser) == made)
    browser.go("/deliveries")
    browser.until(lambda: rows(browser) == made[:50])
    browser.click("Show older")
    browser.until(lambda: rows(browser) == made)
    assert not browser.driver.find_element(By.CSS_SELECTOR, ".older").is_displayed()
    browser.js("scrollTo(0, 1000)")
    new = fire(serve, 2)
    browser.see("2 new")
    assert rows(browser) == made  # nothing has moved
    browser.click("2 new")
    browser.until(lambda: rows(browser) == new + made)
    assert browser.js("return scrollY") == 0
    browser.js("scrollTo(0, document.querySelectorAll('.row-link')[56].offsetTop + 200)")
    stood = "const link = document.querySelectorAll('.row-link')[arguments[0]]; return [link.closest('tr').dataset.id, link.getBoundingClientRect().top, document.activeElement === link]"
    row, top, _ = browser.js(stood, 56)
    browser.js("const link = document.querySelectorAll('.row-link')[56]; link.focus({preventScroll: true}); link.click()")
    browser.see("all deliveries of it")
    new = fire(serve, 1) + new
    browser.js("history.back()")
    browser.until(lambda: rows(browser) == new + made)  # those of both pages, and the new one
    browser.until(lambda: browser.js("return scrollY") > 0)
    assert browser.js(stood, 57)[::2] == [row, True]
    assert abs(browser.js(stood, 57)[1] - top) < 2
    assert not browser.complaints()


def test_what_fits_the_filters_no_longer_goes(browser, serve, receiver):
    """Not under who reads: there it is marked, until they have done."""
    receiver.status = 503
    serve.webhook(receiver.url, retry={**RETRY, "base": "1h", "cap": "1h"})
    first, second = (serve.post("/v1/events", {"type": "agent.error"}).data["deliveries"][0]["delivery_id"] for _ in range(2))
    receiver.got(2)
    enter(browser, serve)
    browser.go("/deliveries?status=5xx")
    browser.until(lambda: rows(browser) == [second, first] and browser.count(".log .badge[data-kind=warn]") == 2)
    receiver.status = 200
    serve.post(f"/v1/deliveries/{first}/resend")
    browser.until(lambda: rows(browser) == [second])
    browser.js("document.querySelector('.row-link').focus()")
    serve.post(f"/v1/deliveries/{second}/resend")
    browser.until(lambda: browser.count("[data-unfit] .badge[data-kind=ok]") == 1)
    assert browser.js("return document.activeElement.closest('tr').dataset.id") == second
    browser.js("document.activeElement.blur()")
    browser.see("No delivery fits these filters")
    browser.go("/deliveries?type=agent.*&status=200")
    browser.until(lambda: rows(browser) == [second, first])
    live = serve.post("/v1/events", {"type": "agent.error"}).data["deliveries"][0]["delivery_id"]
    browser.until(lambda: rows(browser) == [live, second, first])
    assert browser.js("return [...document.querySelectorAll('select')].some((each) => each.value === '200')")
    serve.post("/v1/events", {"type": "message.sent"})
    receiver.got(4)
    browser.choose("Status", "2xx")
    browser.until(lambda: rows(browser) == [live, second, first])
    browser.js("document.querySelector('.row-link').click()")
    browser.find("//main//*[@class='crumb']/a").click()
    browser.until(lambda: rows(browser) == [live, second, first])
    assert browser.driver.current_url.endswith("#/deliveries?status=2xx&type=agent.*")
    assert not browser.complaints()


SELDOM = """const real = window.fetch;
let looks = 0;
window.fetch = (path, options) => {
    if (!path.startsWith("/v1/deliveries?") || ++looks > arguments[0]) return real(path.replace(/cursor=r1&?/, ""), options);
    return Promise.resolve(new Response(JSON.stringify({success: true, data: [], page: {limit: 50, next: "r1"}})));
};"""


def test_what_is_rare_in_the_log_is_looked_for_piece_by_piece(browser, serve, receiver):
    serve.webhook(receiver.url)
    made = fire(serve, 1)
    enter(browser, serve)
    browser.js(SELDOM, 5)  # the server finds nothing in the time it has, five times
    browser.go("/deliveries")
    browser.until(lambda: rows(browser) == made)
    browser.go("/overview")
    browser.js(SELDOM, 15)
    browser.go("/deliveries")
    browser.see("None of the latest deliveries fits")
    browser.click("Look further back")
    browser.until(lambda: rows(browser) == made)
    assert not browser.complaints()


LIMITED = """const real = window.fetch;
let left = arguments[1];
window.fetch = (path, options) => {
    if (!path.startsWith(arguments[0]) || left-- <= 0) return real(path, options);
    const error = {code: "RATE_LIMITED", message: "too many requests; wait"};
    return Promise.resolve(new Response(JSON.stringify({success: false, error}), {status: 429, headers: {"Retry-After": "3"}}));
};
window.told = [];
new MutationObserver(() => window.told.push(document.body.innerText)).observe(document.body, {subtree: true, childList: true, characterData: true});"""


def counts_down(browser, before):
    """Did the seconds behind that text run down from what the server had said?"""
    told = re.findall(re.escape(before) + r" (\d+) s", "\n".join(browser.js("return window.told")))
    return told[0] == "3" and set(told) & {"2", "1"} and set(told) <= {"3", "2", "1"}


def test_a_rate_limit_counts_down_and_is_tried_again(browser, serve, receiver):
    hook = serve.webhook(receiver.url)["id"]
    made = fire(serve, 1)
    enter(browser, serve)
    browser.js(LIMITED, "/v1/deliveries", 1)
    browser.go("/deliveries")
    browser.until(lambda: rows(browser) == made)  # by itself
    assert counts_down(browser, "Trying again in")
    browser.driver.refresh()  # the fetch of before
    browser.until(browser.ready)
    browser.go(f"/endpoints/{hook}")
    browser.js(LIMITED, f"/v1/webhooks/{hook}/disable", 1)
    browser.click("Disable", "//main")
    browser.click("Disable", "//dialog")
    browser.see("disabled")
    assert counts_down(browser, "Goes on in")
    assert not serve.get(f"/v1/webhooks/{hook}").data["enabled"]
    assert browser.count(".toast") == 0
    assert not browser.complaints()


def test_the_dashboard_leaves_the_plan_alone(browser, tmp_path, receiver):
    with platform_api.Serve(tmp_path / "state", "--plan", "starter") as server:
        server.webhook(receiver.url)
        enter(browser, server)
        for path, seen in (("/deliveries", "The log is empty"), ("/endpoints", receiver.url), ("/test", "Send"), ("/scenarios", "quick")) * 3:
            browser.go(path)
            browser.see(seen)
        answers = [server.get("/v1/info") for _ in range(99)]  # and one was for the endpoint
        assert {answer.status for answer in answers} == {200}
        assert not browser.complaints()


def test_the_dark_has_all_colours():
    light, dark = [re.findall(r"(--[\w-]+): [^;]+;", (pathlib.Path(kit.SOURCE) / "src/platform/web" / name).read_text())
                   for name in ("colours.css", "dark.css")]
    assert set(light) - set(dark) == {"--sans", "--mono"} and set(dark) <= set(light)
    assert len(dark) == len(set(dark)) > 20


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear))


GROUNDS = ("bg", "surface", "sunken", "hover", "idle-soft")
TEXTS = [
    *((text, ground) for text in ("text", "muted") for ground in GROUNDS),
    *(("accent", ground) for ground in (*GROUNDS[:4], "accent-soft")),
    *((state, ground) for state in ("ok", "bad", "warn", "idle") for ground in ("bg", "surface", "hover", state + "-soft")),
    *(("code-" + kind, "sunken") for kind in ("string", "number", "word")),
    ("text", "bad-soft"), ("on-accent", "accent"), ("on-bad", "bad"), ("tip-text", "tip"), ("surface", "ok"), ("surface", "bad"),
]  # fmt: skip


@pytest.mark.parametrize("name", ["colours.css", "dark.css"])
def test_colours_have_contrast(name):
    """WCAG 2.1, 1.4.3 and 1.4.11: 4.5 for text, 3 for borders, the focus, and what charts are made of."""
    css = (pathlib.Path(kit.SOURCE) / "src/platform/web" / name).read_text()
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", css))

    def ratio(a, b):
        high, low = sorted((luminance(colours[a]), luminance(colours[b])), reverse=True)
        return (high + 0.05) / (low + 0.05)

    drawn = [(each, "surface") for each in colours if each.startswith(("chart-", "phase-"))]
    assert len(drawn) >= 10
    assert [(a, b) for a, b in TEXTS if ratio(a, b) < 4.5] == []
    assert [(a, b) for a, b in [("edge", "bg"), ("edge", "surface"), ("edge", "sunken"), ("accent", "bg"), ("accent", "surface"), *drawn] if ratio(a, b) < 3] == []


def test_outcomes_have_words():
    """Each that an attempt may have, and no other."""
    source = pathlib.Path(kit.SOURCE)
    known = re.findall(r"\[E8_\w+\] =\s*\{\s*\"(\w+)\"", (source / "src/delivery/delivery.c").read_text())
    block = re.search(r"const OUTCOMES = \{(.*?)\n\};", (source / "src/platform/web/ui.js").read_text(), re.S)[1]
    assert len(known) > 30 and re.findall(r"^    (\w+): \[", block, re.M) == known
    assert "disabled" not in block  # a run's 410 disables nothing


def test_shares_of_one_whole_have_as_many_decimals(browser, serve):
    enter(browser, serve)
    told = "const [parts, all, done] = arguments; import('/assets/format.js').then(({percents}) => done(percents(parts, all)))"
    for parts, all_of_them, texts in (
        ((378, 20), 398, ["94.97 %", "5.03 %"]),
        ((19, 1), 20, ["95.0 %", "5.0 %"]),
        ((7, 0), 7, ["100 %", "0 %"]),
        ((99999, 1), 100000, ["> 99.99 %", "< 0.01 %"]),
        ((0, 0), 0, ["–", "–"]),
    ):
        assert [text.replace("\u00a0", " ") for text in browser.driver.execute_async_script(told, parts, all_of_them)] == texts


def test_events_go_to_all_and_what_failed_goes_again(browser, serve, receiver):
    """A real event from the page of test events; then all that failed, at once."""
    for events in ("message.*", "*", "agent.error"):
        serve.webhook(receiver.url, [events], retry={**RETRY, "attempts": 1})
    receiver.status = 500
    enter(browser, serve)
    browser.go("/test?type=message.sent")
    browser.choose("Endpoint", "*")
    browser.see("all enabled endpoints that subscribe get it")
    browser.click("Send")
    browser.until(lambda: browser.count("li.result .badge[data-kind=bad]") == 2)
    assert len({request["headers"]["x-8bit-delivery"] for request in receiver.got(2)}) == 2
    receiver.status = 200
    browser.go("/deliveries?state=failed&type=agent.error")
    browser.see("No delivery fits these filters")
    again = "//button[normalize-space()='Resend failed']"
    assert not browser.find(again).is_enabled()
    browser.go("/deliveries?state=failed&status=5xx")
    browser.until(lambda: len(rows(browser)) == 2 and browser.find(again).is_enabled())
    browser.click("Resend failed")
    browser.see("Send 2 failed deliveries again?", "dialog")
    assert "Status 5xx" in browser.text("dialog") and "Type" not in browser.text("dialog")
    browser.click("Send again", "//dialog")
    browser.see("2 deliveries go out again", "#toasts")
    receiver.got(2)
    browser.see("No delivery fits these filters")  # they fit no longer
    assert serve.get("/v1/deliveries", state="failed").data == []
    browser.until(lambda: not browser.find(again).is_enabled())
    assert not browser.complaints()


def test_an_endpoint_goes_through_its_life(browser, serve, receiver):
    receiver.status = 410
    hook = serve.webhook(receiver.url, description="CRM")["id"]
    (made,) = serve.post("/v1/events", {"type": "agent.error"}).data["deliveries"]
    serve.ended(made["delivery_id"])
    kit.until(lambda: not serve.get(f"/v1/webhooks/{hook}").data["enabled"])
    reason = serve.get(f"/v1/webhooks/{hook}").data["disabled_reason"]
    enter(browser, serve)
    browser.go("/endpoints")
    browser.see(reason)
    browser.click("Enable")
    browser.see("enabled")
    browser.click("Edit")
    browser.find("input[data-pattern='*']").click()
    assert serve.call("PATCH", f"/v1/webhooks/{hook}", {"timeout": "7s", "retry": {"attempts": 7}}).data["timeout_ms"] == 7000  # as from another tab
    browser.find("input[data-pattern='agent.*']").click()
    browser.write("Description", "On call")
    browser.find("//summary[contains(., 'retries')]").click()
    browser.click("Add a header")
    name, value = browser.until(lambda: browser.driver.find_elements(By.CSS_SELECTOR, ".pair input"))
    value.send_keys("crm")
    browser.click("Save")
    browser.see("a value stands here without a name")
    name.send_keys("X-Team")
    browser.write("First wait", "3s")
    browser.click("Save")
    browser.see("X-Team: crm")
    hooked = serve.get(f"/v1/webhooks/{hook}").data
    assert (hooked["events"], hooked["description"], hooked["headers"]) == (["agent.*"], "On call", {"X-Team": "crm"})
    assert (hooked["timeout_ms"], hooked["retry"]["attempts"], hooked["retry"]["base_ms"]) == (7000, 7, 3000)  # the other's are not undone
    browser.click("Delete")
    browser.click("Cancel", "//dialog")
    assert serve.get(f"/v1/webhooks/{hook}").status == 200
    browser.click("Delete")
    browser.see("Delete this endpoint?", "dialog")
    browser.js("history.back()")
    browser.until(lambda: browser.count("dialog") == 0 and browser.text("h1") == "Edit endpoint")  # the question goes with its page
    browser.js("history.forward()")
    browser.see("X-Team: crm")
    browser.click("Delete")
    browser.click("Delete", "//dialog")
    browser.see("No endpoint yet")
    assert serve.get("/v1/webhooks").data == []
    assert not browser.complaints()


def test_what_was_written_is_there_again(browser, serve, receiver):
    """In each form, until it is sent or discarded, or one signs out; but no secret."""
    hook = serve.webhook(receiver.url)["id"]
    value = "return document.querySelector(arguments[0]).value"
    enter(browser, serve)
    browser.go("/endpoints/new")
    browser.find("//summary[contains(., 'retries')]").click()
    for label, text in (("URL", "http://127.0.0.1:1/mine"), ("First wait", "7s"), ("Secret", "a-secret-of-my-own")):
        browser.write(label, text)
    browser.click("Overview", "//nav")
    browser.until(lambda: browser.text("h1") == "Overview")
    browser.js("history.back()")
    browser.see("What you had not saved is here again")
    inputs = "return [...document.querySelectorAll('form input[type=text]')].map((each) => each.value)"
    assert {"http://127.0.0.1:1/mine", "7s"} < set(browser.js(inputs)) and "a-secret-of-my-own" not in browser.js(inputs)
    browser.click("Discard it")
    assert not {"http://127.0.0.1:1/mine", "7s"} & set(browser.js(inputs))
    browser.go(f"/endpoints/{hook}/edit")
    browser.write("Description", "mine")
    browser.go("/overview")
    serve.call("PATCH", f"/v1/webhooks/{hook}", {"timeout": "7s"})
    browser.go(f"/endpoints/{hook}/edit")
    assert {"mine", "7s"} < set(browser.js(inputs))
    cancel = browser.find("//a[normalize-space()='Cancel']")
    browser.js("arguments[0].addEventListener('click', (event) => event.preventDefault(), {once: true})", cancel)
    ActionChains(browser.driver).key_down(Keys.CONTROL).click(cancel).key_up(Keys.CONTROL).perform()  # for a tab of its own: this one stays
    browser.go("/overview")
    browser.go(f"/endpoints/{hook}/edit")
    assert {"mine", "7s"} < set(browser.js(inputs))
    browser.click("Cancel")
    browser.go(f"/endpoints/{hook}/edit")
    assert "mine" not in browser.js(inputs)

    browser.go("/test?type=message.sent")
    browser.see("As rendered", "#payload-check")
    browser.find("textarea.editor").clear()
    browser.find("textarea.editor").send_keys('{"mine": 1}')
    browser.choose("Type", "agent.error")
    browser.see("As rendered", "#payload-check")
    browser.choose("Type", "message.sent")
    browser.until(lambda: browser.js(value, "textarea.editor") == '{"mine": 1}')
    browser.go("/overview")
    browser.go("/test")
    browser.until(lambda: browser.js(value, "textarea.editor") == '{"mine": 1}')
    browser.click("Send")
    browser.see("Delivered", "li.result")
    assert receiver.got(1)[0]["body"] == b'{"mine": 1}' and browser.js(value, "textarea.editor") == '{"mine": 1}'
    browser.go("/overview")
    browser.go("/test?type=message.sent")
    browser.see("As rendered", "#payload-check")  # what was sent is no draft
    browser.js("history.go(-2)")
    browser.until(lambda: browser.js(value, "textarea.editor") == '{"mine": 1}')  # but where it was, it is there
    browser.js("const real = window.fetch; window.fetch = (path, options) => path.endsWith('/preview') ? new Promise(() => {}) : real(path, options)")
    browser.choose("Type", "agent.error")  # whose payload does not come
    browser.click("Send")
    (request,) = receiver.got(1)
    assert request["headers"]["x-8bit-event"] == json.loads(request["body"])["type"] == "agent.error"
    browser.driver.refresh()
    browser.see("As rendered", "#payload-check")

    browser.go("/scenarios")
    browser.find("//summary[contains(., 'of your own')]").click()
    browser.write("Scenario, in YAML", "scenario: mine")
    browser.go("/overview")
    browser.go("/scenarios")
    assert browser.js(value, "form textarea") == "scenario: mine"
    browser.find("#key").click()
    browser.write("API key", serve.key)
    browser.click("Open the dashboard")
    browser.see("of your own")
    assert browser.js(value, "form textarea") == ""
    assert not browser.complaints()


def test_a_draft_whose_endpoint_was_deleted_asks_for_another(browser, serve, receiver):
    """Nothing goes to an endpoint that one has not chosen."""
    serve.webhook("http://127.0.0.1:9/first")
    kept, gone = (serve.webhook(receiver.url)["id"] for _ in range(2))
    enter(browser, serve)
    browser.go(f"/test?webhook={gone}&type=message.sent")
    browser.see("As rendered", "#payload-check")
    browser.find("textarea.editor").clear()
    browser.find("textarea.editor").send_keys('{"mine": 1}')
    chosen = "return document.querySelector('.choices select').value"
    button = "//button[normalize-space()='Send']"
    for place in ("/test", f"/test?webhook={gone}", "/test"):
        browser.go("/overview")
        serve.call("DELETE", f"/v1/webhooks/{gone}")
        browser.until(lambda: not browser.js("return location.hash").startswith("#/test"))
        browser.until(lambda: gone not in [hook["id"] for hook in serve.get("/v1/webhooks").data])
        browser.go(place)
        browser.see("the one chosen before was deleted", ".choices")
        browser.see("exactly as it stands", "#payload-check")
        assert browser.js(chosen) == "" and not browser.find(button).is_enabled()
        assert browser.text("#" + browser.find(button).get_attribute("aria-describedby")) == "Choose an endpoint: the one chosen before was deleted."
        browser.find("textarea.editor").send_keys(" x")
        assert not browser.find("//button[normalize-space()='Send it broken']").is_enabled()
        browser.find("textarea.editor").send_keys(Keys.BACKSPACE * 2)
        browser.see("exactly as it stands", "#payload-check")
        assert not browser.find(button).is_enabled()
    browser.choose("Endpoint", kept)
    browser.until(lambda: browser.find(button).is_enabled())
    assert "deleted" not in browser.text(".choices")
    send(browser)
    browser.see("Delivered", "li.result")
    assert receiver.got(1)[0]["body"] == b'{"mine": 1}'
    assert not browser.complaints()


def test_endpoints_of_one_address(browser, serve):
    """They are told apart where one is chosen; a long address can be read whole; what was wrong is not said of what has been corrected."""
    url = "http://localhost:9/" + "long-way/" * 30
    ids = [serve.webhook(url)["id"] for _ in range(2)]
    enter(browser, serve)
    browser.go("/test")
    browser.see("As rendered", "#payload-check")
    names = browser.js("return [...document.querySelectorAll('.choices select option')].map((each) => each.textContent)")
    assert all(any(each.endswith(f" · {id}") for each in names) for id in ids)
    for id in ids:
        serve.post(f"/v1/webhooks/{id}/test", {"event": "message.received"})
    for place in ("/deliveries", "/overview"):
        browser.go(place)
        browser.until(lambda: browser.js("return document.querySelectorAll('select option').length") > 2)
        names = browser.js("return [...document.querySelectorAll('select option')].map((each) => each.textContent)")
        assert all(any(each.endswith(f" · {id}") for each in names) for id in ids), names
    for id in ids:
        rows = "return [...document.querySelectorAll('th[scope=row]')].map((each) => each.textContent)"
        browser.until(lambda: any(each.endswith(f" · {id}") for each in browser.js(rows)))
    browser.go(f"/endpoints/{ids[0]}")
    browser.find("//h1//button").click()
    browser.until(lambda: browser.text("h1").startswith(url))
    browser.go("/endpoints/new")
    browser.write("URL", "localhost/x")
    browser.click("Make the endpoint")
    wrong = "return document.querySelectorAll('[aria-invalid=true]').length"
    browser.until(lambda: browser.js(wrong) == 1)
    browser.write("URL", "http://localhost:9/y")
    assert browser.js(wrong) == 0


def test_an_endpoint_that_is_deleted_while_its_test_is_written(browser, serve, receiver):
    """The page says so at once, keeps what was written, and sends nothing to another."""
    kept, gone = (serve.webhook(receiver.url + path)["id"] for path in ("-kept", "-gone"))
    enter(browser, serve)
    browser.go(f"/test?webhook={kept}&type=message.sent")
    browser.see("As rendered", "#payload-check")
    browser.choose("Endpoint", gone)
    browser.find("textarea.editor").clear()
    browser.find("textarea.editor").send_keys('{"mine": 1}')
    button = "//button[normalize-space()='Send']"
    serve.post(f"/v1/webhooks/{gone}/disable")
    browser.see("The endpoint is disabled", ".hint")
    serve.call("DELETE", f"/v1/webhooks/{gone}")
    for _ in range(2):
        browser.see("the one chosen before was deleted", ".choices")
        assert browser.js("return document.querySelector('.choices select').value") == "" and not browser.find(button).is_enabled()
        assert browser.js("return document.querySelector('textarea.editor').value") == '{"mine": 1}'
        browser.go("/overview")
        browser.go("/test")
        browser.see("exactly as it stands", "#payload-check")
    browser.choose("Endpoint", kept)
    send(browser)
    browser.see("Delivered", "li.result")
    assert [(r["path"], r["body"]) for r in receiver.got(1)] == [("/hooks-kept", b'{"mine": 1}')]
    assert not browser.complaints()


CANCELLED = """const real = window.fetch;
window.fetch = async (path, options) => {
    const answer = await real(path, options);
    if (!path.startsWith("/v1/deliveries/")) return answer;
    const told = await answer.json();
    Object.assign(told.data, {state: "cancelled", waiting_for: null, attempts: 0, attempts_log: []}, window.also);
    return new Response(JSON.stringify(told));
};"""


CUT = """const width = (each) => { const range = document.createRange(); range.selectNodeContents(each); return range.getBoundingClientRect().width; };
return [...document.querySelectorAll(".log td:not(.c-error) *")].filter((each) =>
    width(each) > each.getBoundingClientRect().width + 0.01 && getComputedStyle(each).overflowX === "hidden" && !each.querySelector(".halves") && !each.closest(".away")).map((each) => each.textContent)"""


def test_what_waits_for_an_endpoint_says_so_and_what_outlives_it_where_it_went(browser, serve, receiver):
    receiver.status = 500
    url = receiver.url + "/" + "very-long/" * 20
    hook = serve.webhook(url, retry={**RETRY, "base": "1h", "cap": "1h"})["id"]
    (made,) = serve.post("/v1/events", {"type": "account.usage_threshold", "environment": "staging"}).data["deliveries"]
    serve.post(f"/v1/webhooks/{hook}/test", {"event": "account.usage_threshold", "environment": "staging"})
    page = f"/deliveries/{made['delivery_id']}"
    kit.until(lambda: serve.get("/v1" + page).data["updated_at"])
    enter(browser, serve)
    browser.go(page)
    browser.see("Retrying, in")
    serve.post(f"/v1/webhooks/{hook}/disable")
    browser.go("/deliveries")
    browser.see("waiting", ".log")
    browser.go(page)
    browser.see("Waits until its endpoint is enabled")
    assert "Retrying" not in browser.text() and "now" not in browser.text(".facts")
    browser.go("/deliveries")
    browser.js(CANCELLED)
    for also, said in (("{}", "Nothing was sent. Resend sends it."), ("{run_id: 'run_1'}", "it may have arrived. Resend sends it."),
                       ("{state: 'pending', waiting_for: 'endpoint'}", "it waits until its endpoint is enabled")):
        browser.go("/deliveries")
        browser.js(f"window.also = {also}")
        browser.go(page)
        assert said in browser.text(".split"), said
    for also, why in (("{}", "its endpoint was deleted"), ("{run_id: 'run_1', error: 'the run was stopped'}", "the run was stopped")):
        browser.go("/deliveries")
        browser.js(f"window.also = {{webhook_deleted: true, ...{also}}}")
        browser.go(page)
        assert f"Reason {why}" in browser.text(".facts") and "Error" not in browser.text(".facts")
        assert "deleted" not in browser.text(".split") and "Resend" not in browser.text(".split")  # there is one reason
    browser.js("location.reload()")
    browser.until(browser.ready)
    serve.call("DELETE", f"/v1/webhooks/{hook}")
    browser.go("/deliveries")
    browser.see("cancelled", ".log")
    host = receiver.url.split("/")[2]
    for width in (1280, 1600):
        browser.cdp("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        cut = browser.js(CUT)  # before the end of its path, and nothing else is
        assert len(cut) == 2 and all(each.startswith(host + "/hooks/very-long") for each in cut), (width, cut)
        assert browser.text(".c-endpoint .first + span") == "/very-long/"
        assert browser.find(".c-endpoint .cut").get_attribute("title").startswith(url)
    browser.cdp("Emulation.clearDeviceMetricsOverride")
    browser.go(page)
    browser.see("(deleted)")
    assert not browser.find("//button[normalize-space()='Resend']").is_enabled()
    assert not browser.complaints()


def test_attempts_that_lie_close_stand_beside_each_other(browser, serve, receiver):
    receiver.status = 503
    serve.webhook(receiver.url, retry={"attempts": 5, "base": "10ms", "factor": 100, "cap": "1h", "jitter": "none"})
    (made,) = serve.post("/v1/events", {"type": "message.sent"}).data["deliveries"]
    receiver.got(3)  # after 10 ms and a second; the next is due in 100 s
    enter(browser, serve)
    browser.go(f"/deliveries/{made['delivery_id']}")
    marks = "return [...document.querySelectorAll('.rail .mark')].map((each) => each.getBoundingClientRect()).map(({left, right}) => [left, right])"
    browser.until(lambda: len(browser.js(marks)) == 4)
    for width in (1280, 390):
        browser.cdp("Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=False)
        drawn = browser.js(marks)
        assert all(left >= right for (_, right), (left, _) in zip(drawn, drawn[1:])), (width, drawn)
    browser.cdp("Emulation.clearDeviceMetricsOverride")
    assert not browser.complaints()


LONG = """scenario: of-my-own
flows:
  one:
    steps:
      - emit: message.sent
run:
  - {flow: one, arrivals: {rate: 20/s, for: 60s}}
"""


def test_an_attempt_that_a_kill_cut_off_is_told(browser, tmp_path, receiver):
    held = threading.Event()
    receiver.capture.answer = lambda request: held.wait(30) and 503 if request["headers"]["x-8bit-attempt"] == "1" else 200
    server = platform_api.Serve(tmp_path / "state")
    server.webhook(receiver.url, retry=RETRY)
    delivery = server.post("/v1/events", {"type": "message.received"}).data["deliveries"][0]["delivery_id"]
    receiver.got(1)
    server.process.kill()
    server.process.wait(30)
    held.set()
    with platform_api.Serve(tmp_path / "state") as again:
        assert again.ended(delivery)["state"] == "delivered"
        enter(browser, again)
        browser.go(f"/deliveries/{delivery}")
        browser.see("Attempt 1 was under way when emit8 ended: whether the receiver got it is not known.")
        assert browser.count(".attempt") == 1 and "Only the last" not in browser.text()
        assert not browser.complaints()


def test_scenarios_run_and_are_stopped(browser, serve, receiver):
    serve.webhook(receiver.url)
    enter(browser, serve)
    browser.go("/scenarios")
    button = browser.find("//li[.//h2[.='secret-rotation']]//button[normalize-space()='Run']")  # what is always refused says so beforehand
    assert not button.is_enabled() and browser.count(".scenario button[disabled]") == 1
    assert browser.text("#" + button.get_attribute("aria-describedby")).startswith("Not run from here: the scenario rotates secrets of endpoints of its own")
    browser.find("//li[.//h2[.='quick']]//button[normalize-space()='Run']").click()
    browser.see("quick ended", ".running")  # where it was
    receiver.got(16)
    assert browser.count("a[href*='deliveries?run=']") == 1
    browser.find("//summary[contains(., 'of your own')]").click()
    browser.write("Scenario, in YAML", "scenario: x")
    browser.click("Run", "//form")
    browser.see("Line 1, column 1: the scenario has no flow", "form .error-what")
    browser.js("const area = document.querySelector('form textarea'); area.value = arguments[0]", LONG.replace("message.sent", "mesage.sent\n      - emit: agent.eror"))
    browser.click("Run", "//form")
    browser.see("2 things are wrong", "form .error-what")  # and each stands there once
    assert re.fullmatch(r'Line 5, column \d+: unknown event type "mesage.sent". Did you mean "message.sent"\? Line 6, column \d+: unknown event type "agent.eror". Did you mean "agent.error"\?', browser.text("form .error-list"))
    browser.js("const area = document.querySelector('form textarea'); area.value = arguments[0]", LONG)
    browser.click("Run", "//form")
    browser.click("Stop")
    browser.see("of-my-own stopped", ".running")
    browser.until(lambda: re.search(r"quick seed \d+ ended", " ".join(browser.text(".runs").split())))
    order = "return [...document.querySelectorAll('.running, .runs, .grid-cards')].map((each) => ['running', 'runs', 'grid-cards'].find((name) => each.classList.contains(name)))"
    assert browser.js(order) == ["running", "runs", "grid-cards"]
    browser.find(".running a").click()
    browser.until(lambda: len(rows(browser)) > 0)
    assert {run["run_id"] for run in serve.get("/v1/deliveries").data if run["id"] in rows(browser)} == {serve.get("/v1/runs").data[0]["id"]}
    assert [(run["name"], run["state"]) for run in serve.get("/v1/runs").data][:1] == [("of-my-own", "stopped")]
    assert not [line for line in browser.complaints() if " 400 " not in line]


# Runs are made when the test says so, or refused.
HELD = """window.real ??= window.fetch;
window.asked = 0;
window.fetch = async (path, options) => {
    if (path !== "/v1/runs" || options.method !== "POST") return window.real(path, options);
    window.asked++;
    await new Promise((resolve) => (window.release = resolve));
    return arguments[0] ? new Response(JSON.stringify({error: {message: "there is no endpoint to send to; make one"}}), {status: 422}) : window.real(path, options);
};"""

MOVES = """window.moves = [];
Element.prototype.scrollIntoView = ((real) => function (how) { window.moves.push(how.behavior); real.call(this, {...how, behavior: "auto"}); })(Element.prototype.scrollIntoView);"""

SEEN = """const {top, bottom} = document.querySelector(arguments[0]).getBoundingClientRect();
return top >= 0 && bottom <= innerHeight"""


def test_what_becomes_of_run_is_seen_where_one_looks(browser, serve, receiver):
    """On a card far down: what is wrong stands there; the run's own card comes into view, with the focus on its heading."""
    serve.webhook(receiver.url)
    browser.cdp("Emulation.setDeviceMetricsOverride", width=390, height=600, deviceScaleFactor=1, mobile=False)
    enter(browser, serve)
    browser.go("/scenarios")
    browser.js(MOVES)
    button = browser.until(lambda: browser.driver.find_elements(By.CSS_SELECTOR, ".scenario .card-head button:enabled"))[-1]
    browser.js("arguments[0].scrollIntoView({block: 'center'}); window.moves = []", button)
    top = browser.js("return scrollY")
    assert top > 600
    browser.js(HELD, True)
    button.click()
    browser.until(lambda: browser.js("return window.asked") == 1)
    assert not button.is_enabled() and button.get_attribute("aria-busy") == "true"
    browser.js("window.release()")
    browser.see("There is no endpoint to send to", ".scenario .error-box")
    browser.until(lambda: browser.js("return document.activeElement === arguments[0]", button))
    assert browser.js(SEEN, ".scenario .error-box") and abs(browser.js("return scrollY") - top) < 300 and button.is_enabled()

    for motion, behaviour in (("reduce", "auto"), ("no-preference", "smooth")):
        browser.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": motion}])
        browser.js("arguments[0].scrollIntoView({block: 'center'}); window.moves = []", button)
        browser.js(HELD, False)
        button.click()
        browser.until(lambda: browser.js("return window.asked") == 1)
        browser.js("arguments[0].click()", button)  # once more, to no effect
        browser.js("window.release()")
        browser.until(lambda: browser.js("return document.activeElement.matches('.running h2')"))
        assert browser.js("return document.activeElement.closest('.running') === document.querySelector('.running')")  # of the latest
        assert browser.js(SEEN, ".running h2") and browser.js("return [window.asked, window.moves]") == [1, [behaviour]]
        assert browser.count(".scenario .error-box") == 0
    browser.cdp("Emulation.setEmulatedMedia", features=[])
    browser.cdp("Emulation.clearDeviceMetricsOverride")
    assert len(serve.get("/v1/runs").data) == 2
    for run in serve.get("/v1/runs").data:
        serve.post(f"/v1/runs/{run['id']}/stop")
    assert not browser.complaints()


def test_where_a_run_would_send_is_kept_true(browser, serve, receiver):
    """By what the stream tells: with nobody to send to, nothing can be run, and it says why."""
    hook = serve.webhook(receiver.url)["id"]
    enter(browser, serve)
    browser.go("/scenarios")
    browser.see("A run sends to the one enabled endpoint")
    enabled = browser.count("main button:enabled")
    assert "Not run: " not in browser.text()
    serve.post(f"/v1/webhooks/{hook}/disable")
    browser.see("No enabled endpoint")
    assert "A run sends to" not in browser.text() and browser.count(".card-head button:enabled, form [type=submit]:enabled") == 0
    quick = browser.find("//li[.//h2[.='quick']]//button[normalize-space()='Run']")
    assert browser.text("#" + quick.get_attribute("aria-describedby")) == "Not run: there is no enabled endpoint to send to."
    assert browser.text("#refused-secret-rotation").startswith("Not run from here: ")
    serve.webhook(receiver.url)
    serve.post(f"/v1/webhooks/{hook}/enable")
    browser.see("A run sends to the 2 enabled endpoints")
    assert browser.count("main button:enabled") == enabled and quick.get_attribute("aria-describedby") is None
    assert not browser.complaints()


def mouse(browser, kind, at):
    browser.cdp("Input.dispatchMouseEvent", type=kind, x=at["x"], y=at["y"], button="left", clickCount=1)


def test_a_run_is_stopped_by_a_press_of_whatever_length(browser, serve, receiver):
    """Its card stays, and what is in it changes; who does not see it is told of the begin and the end alone."""
    serve.webhook(receiver.url)
    enter(browser, serve)
    browser.go("/scenarios")
    browser.js("""window.said = [];
        for (const each of document.querySelectorAll("main [role=status], main [aria-live]:not([aria-live=off])"))
            new MutationObserver(() => window.said.push(each.textContent)).observe(each, {childList: true, subtree: true, characterData: true});""")
    serve.post("/v1/runs", {"text": LONG})
    stop = browser.find("//main//button[normalize-space()='Stop']")
    figure = "return document.querySelector('.running .figure dd').textContent"
    at = browser.js("const {x, y, width, height} = arguments[0].getBoundingClientRect(); return {x: x + width / 2, y: y + height / 2}", stop)
    mouse(browser, "mousePressed", at)
    for _ in range(2):
        before = browser.js(figure)
        browser.until(lambda: browser.js(figure) != before)
    mouse(browser, "mouseReleased", at)
    browser.see("of-my-own stopped", ".running")
    assert browser.count(".running button") == 0
    browser.until(lambda: browser.js("return document.activeElement.matches('.running h2')"))  # the button has gone
    assert browser.js("return document.querySelector('.running').closest('[role=status], [aria-live]')") is None
    began, ended = browser.js("return window.said")
    assert began == "of-my-own has begun." and re.fullmatch(r"of-my-own stopped: \d+ delivered, 0 failed(, [\d,]+ left undone)?\.", ended)
    assert not browser.complaints()


STATUSES = """return [...document.querySelectorAll("tr:has(a .badge)")].map((row) =>
    [row.querySelector("a").innerText, row.querySelector(".badge").dataset.kind, row.querySelector(".bar").dataset.kind])"""

# How far bars stand from the middle of the figures beside them, also in rows of several lines.
BESIDE = """const middle = ({top, bottom}) => (top + bottom) / 2;
return [...document.querySelectorAll("tr:has(.bar)")].map((row) => {
    row.querySelector("th").append(" and more ".repeat(20));
    const figure = document.createRange();
    figure.selectNodeContents(row.querySelector(".num"));
    return middle(row.querySelector(".bar").getBoundingClientRect()) - middle(figure.getBoundingClientRect());
})"""


def test_the_overview_tells_what_the_api_tells(browser, serve, receiver):
    serve.webhook(receiver.url, retry={**RETRY, "attempts": 1})
    fire(serve, 7)
    receiver.status = 500
    fire(serve, 1)
    enter(browser, serve)
    browser.see("Attempts 8 7 delivered")
    browser.see("Error rate 12.5 % 1 failed")
    assert browser.count("canvas[role=img]") == 4
    drawn = "return [...document.querySelectorAll('canvas')].map((each) => each.getContext('2d').getImageData(0, 0, each.width, each.height).data.some(Boolean))"
    browser.until(lambda: browser.js(drawn) == [True] * 4)
    browser.find("//figure[contains(., 'Attempts over time')]//summary").click()
    figures = "return [...document.querySelectorAll('figure table tbody tr')].map((row) => [...row.querySelectorAll('td')].map((cell) => +cell.textContent))"
    browser.until(lambda: [sum(column) for column in zip(*browser.js(figures))] == [7, 1])
    receiver.status = 302
    fire(serve, 1)
    browser.see("Attempts 9 7 delivered")  # by itself
    browser.until(lambda: sorted(browser.js(STATUSES)) == [["200", "ok", "ok"], ["302", "bad", "bad"], ["500", "bad", "bad"]])
    assert all(abs(each) <= 2 for each in browser.js(BESIDE))
    browser.click("15m")
    browser.see("Attempts 9 7 delivered")
    browser.until(lambda: browser.count("figure table tbody tr") == 15)
    assert not browser.complaints()


def test_what_emit8_waited_is_not_the_receivers_time(browser, tmp_path, receiver):
    """In the log, at the delivery, and in the overview."""
    receiver.capture.answer = lambda _: time.sleep(0.2) or 200
    with platform_api.Serve(tmp_path / "state", "--in-flight", "1") as server:
        for events in ("message.sent", "message.*", "*"):
            server.webhook(receiver.url, [events])
        ids = [made["delivery_id"] for made in server.post("/v1/events", {"type": "message.sent"}).data["deliveries"]]
        last = max((server.ended(each) for each in ids), key=lambda row: row["waited_ms"])
        said = f"emit8 waited {shown_as(last['waited_ms'])} before it sent"
        enter(browser, server)
        browser.see("waited in emit8 for most of their response time")
        browser.go("/deliveries")
        mark = browser.find(f"tr[data-id='{last['id']}'] .waited")
        assert mark.get_attribute("title").replace("\xa0", " ") == f"of which {said}"
        browser.go(f"/deliveries/{last['id']}")
        browser.see(said)
        assert not browser.complaints()


DECADES = """const real = window.fetch;
window.fetch = async (path, options) => {
    const answer = await real(path, options);
    if (!path.startsWith("/v1/overview")) return answer;
    const told = await answer.json();
    told.data.slices.filter((each) => each.attempts).forEach((each) => Object.assign(each, {p50_ms: 2, p99_ms: 4e5, delivered: 15000 - each.attempts, failed: each.attempts}));
    told.data.latency = Array.from({length: 30}, (_, i) => ({upto_ms: 0.6 * 2 ** (i / 4), attempts: 1}));
    Object.assign(told.data.totals, {attempts: 21112, delivered: 4048, failed: 17064, p50_ms: 1.234, p90_ms: 98.76, p99_ms: 12345});
    return new Response(JSON.stringify(told));
};"""


# The point of the error rate that is at the top of its chart, and whether it is drawn there beyond the edge.
TOP_EDGE = """const canvas = [...document.querySelectorAll("canvas")].find((each) => each.ariaLabel.startsWith("Error rate:"));
const chart = Chart.getChart(canvas);
const i = chart.data.datasets[0].data.findIndex((each) => each !== null);
const {x} = chart.getDatasetMeta(0).data[i];
const ratio = chart.currentDevicePixelRatio;
const above = canvas.getContext("2d").getImageData((x - 2) * ratio, (chart.chartArea.top - 3) * ratio, 4 * ratio, 2 * ratio).data;
return [chart.data.datasets[0].data[i], above.some(Boolean)];"""


def test_axes_and_tiles_have_figures_of_one_form(browser, serve, receiver):
    serve.webhook(receiver.url)
    fire(serve, 1)
    enter(browser, serve)
    browser.go("/deliveries")
    browser.js(DECADES)
    browser.go("/overview")
    ticks = "return Chart.getChart([...document.querySelectorAll('canvas')].find((each) => each.ariaLabel.startsWith(arguments[0] + ':'))).scales[arguments[1]].ticks.map((each) => each.label)"
    for name, axis, labels in (
        ("Response time", "y", ["1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s", "1,000 s"]),
        ("Attempts over time", "y", ["0", "5K", "10K", "15K"]),
        ("Response times, how often", "x", ["1 ms", "2 ms", "5 ms", "10 ms", "20 ms", "50 ms"]),
    ):
        told = browser.until(lambda: browser.js(ticks, name, axis))
        assert [each.replace("\xa0", " ") for each in told] == labels, name
    browser.until(lambda: browser.js(TOP_EDGE) == [100, True])
    assert browser.js("return " + kit.HIDDEN) == []
    assert "Attempts 21,112 4,048 delivered Error rate 80.8 % 17,064 failed" in browser.text(".strip")
    assert re.findall(r"(\S+) \S+ response time", browser.text(".strip").replace("\xa0", " ")) == ["1.2", "99", "12"]  # known to 6 %
    assert not [line for line in browser.complaints() if "getImageData" not in line]


def test_it_is_used_by_keys_and_keeps_its_theme(browser, serve):
    enter(browser, serve)
    browser.js("document.querySelector('#skip').focus()")
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.js("return document.activeElement.id") == "main"
    assert browser.js("return location.hash") == "#/overview"
    browser.js("document.querySelector('#nav a[href=\"#/endpoints\"]').focus()")
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    browser.see("No endpoint yet")
    assert browser.js("return document.activeElement.textContent") == "Endpoints"  # the new page's heading
    theme = "return [document.documentElement.dataset.theme ?? 'auto', getComputedStyle(document.body).backgroundColor]"
    seen = [browser.js(theme)]
    for _ in range(2):
        browser.find("#theme").send_keys(Keys.ENTER)
        seen.append(browser.js(theme))
    assert [name for name, _ in seen] == ["auto", "light", "dark"] and seen[1][1] != seen[2][1]
    browser.driver.refresh()
    assert browser.js(theme) == seen[2]
    browser.find("#theme").click()
    assert browser.js(theme)[0] == "auto"


FOCUS = """const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")].filter((each) =>
    !each.disabled && each.checkVisibility({checkVisibilityCSS: true}) && !(each.type === "radio" && !each.checked));
const now = document.activeElement;
if (now === document.body) return {all: all.length, at: -1};
const shown = getComputedStyle(now).opacity === "0" ? now.nextElementSibling : now;
const {outlineStyle, outlineWidth} = getComputedStyle(shown);
const {top, bottom, left, right} = shown.getBoundingClientRect();
const over = (css, stands) => [...document.querySelectorAll(css)].filter((each) => getComputedStyle(each).position === stands && !each.contains(now)).map((each) => each.getBoundingClientRect());
const ceiling = Math.max(0, ...over(".side, .filters", "sticky").filter((box) => box.top < 1 && box.height < innerHeight / 2).map((box) => box.bottom));
const floor = Math.min(innerHeight, ...over("#nav", "fixed").map((box) => box.top));
const seen = shown.matches(".skip") || bottom > ceiling && top < floor && right > 0 && left < innerWidth;
return {all: all.length, at: all.indexOf(now), plain: outlineStyle === "none" || parseFloat(outlineWidth) < 2, seen, html: now.outerHTML.slice(0, 120)};"""


def test_every_action_is_reached_by_tab_and_shows_it(browser, serve, receiver):
    """One after another in the order of the page, each with a frame, on wide pages and narrow ones."""
    hook, failed = seeded(serve, receiver)
    enter(browser, serve)
    places = ["/overview", "/deliveries?time=own", f"/deliveries/{failed}", "/endpoints", f"/endpoints/{hook}", f"/endpoints/{hook}/edit", f"/test?webhook={hook}", "/scenarios"]
    for width, shown in ((1280, places), (390, places[1:2])):
        browser.cdp("Emulation.setDeviceMetricsOverride", width=width, height=600, deviceScaleFactor=1, mobile=False)
        for place in shown:
            browser.go(place)
            browser.js("document.querySelectorAll('main details').forEach((each) => (each.open = !each.matches('.scenario *'))); document.activeElement.blur(); scrollTo(0, 0)")
            reached, keys = set(), 0
            all_of_them = browser.js(FOCUS)["all"]
            while len(reached) < all_of_them and keys < all_of_them + 30:  # the parts of a time are stops as well
                keys += 1
                browser.cdp("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9)
                browser.cdp("Input.dispatchKeyEvent", type="keyUp", key="Tab", code="Tab", windowsVirtualKeyCode=9)
                found = browser.js(FOCUS)
                if found["at"] >= 0:
                    assert found["seen"] and not found["plain"], (width, place, found)
                    reached.add(found["at"])
            assert reached == set(range(all_of_them)), (width, place, sorted(set(range(all_of_them)) - reached))
    browser.cdp("Emulation.clearDeviceMetricsOverride")
    assert not browser.complaints()


# What a delivery's page tells.

BARS = """return [...document.querySelectorAll('.attempt')].map((each) => ({
    text: each.textContent,
    parts: Object.fromEntries([...each.querySelectorAll('.waterfall span')].map((part) => [part.dataset.phase, parseFloat(part.style.getPropertyValue('--size'))])),
}))"""


RAIL = """const box = (each) => each.getBoundingClientRect();
const line = box(document.querySelector(".rail-line")), marks = [...document.querySelectorAll(".rail-line .mark")].map(box);
return [Math.min(...marks.map((each) => each.left)) - line.left, Math.max(...marks.map((each) => each.right)) - line.right];"""


def shown_as(value):
    """As format.js writes milliseconds below 10 s."""
    return "0 ms" if value < 0.01 else f"{value:.2f} ms" if value < 1 else f"{value:.1f} ms" if value < 10 else f"{int(value + 0.5)} ms" if value < 1000 else f"{value / 1000:.2f} s"


def test_bars_are_the_response_times_beside_them(browser, serve):
    """All of an attempt's time from due to done, send lag and service time apart, also where a connection was never made."""

    def slowly(connection, _):
        kit.read_request(connection)
        time.sleep(0.15)
        connection.sendall(b"HTTP/1.1 503 Not Now\r\nContent-Length: 4\r\nConnection: close\r\n\r\nwell")

    with kit.RawPeer(slowly) as peer:
        hook = serve.webhook(peer.url, retry=RETRY)["id"]
        delivery = serve.post(f"/v1/webhooks/{hook}/test", {"event": "message.sent"}).data["delivery_id"]
        slow = serve.ended(delivery)
    hook = serve.webhook("http://127.0.0.1:9/", retry={**RETRY, "attempts": 1})["id"]
    refused = serve.ended(serve.post(f"/v1/webhooks/{hook}/test", {"event": "message.sent"}).data["delivery_id"])
    enter(browser, serve)
    for row in (slow, refused):
        browser.go(f"/deliveries/{row['id']}")
        browser.see("send lag + ")
        bars, log = browser.js(BARS), row["attempts_log"]
        longest = max(attempt["response_time_ms"] for attempt in log)
        assert len(bars) == len(log)
        left, right = browser.js(RAIL)  # the time-line begins and ends with them
        assert abs(left) <= 1 and abs(right) <= 1
        for bar, attempt in zip(bars, log):
            text = bar["text"].replace("\xa0", " ")
            assert shown_as(attempt["response_time_ms"]) in text
            assert f"{shown_as(attempt['send_lag_ms'])} send lag + {shown_as(attempt['service_time_ms'])} service time" in text
            assert sum(bar["parts"].values()) == pytest.approx(100 * attempt["response_time_ms"] / longest, abs=0.05)
            service = sum(size for name, size in bar["parts"].items() if name in ("wait", "rest"))
            assert service == pytest.approx(100 * attempt["service_time_ms"] / longest, abs=0.05)
            assert attempt["phases"]["total_ms"] <= attempt["response_time_ms"] + 0.001
    assert slow["attempts_log"][0]["phases"]["first_byte_ms"] > 150 and not service  # the refused one
    assert not browser.complaints()


TAMPERED = """scenario: tampered
flows:
  one:
    await: {ack: continue}
    steps:
      - {emit: message.sent, tamper: {body: {flip: 0}}}
      - {emit: message.received, tamper: {body: {form: pretty}}}
      - {emit: message.failed, tamper: {signature: missing}}
run: [{flow: one, arrivals: {times: 1, concurrency: 1}}]
"""


def test_what_was_changed_on_purpose_is_said(browser, serve, receiver):
    """The body as it was sent, and whether its signature is meant to fit."""
    secret = serve.webhook(receiver.url, retry={**RETRY, "attempts": 1})["secret"]
    receiver.status = 401
    run = serve.post("/v1/runs", {"text": TAMPERED}).data["id"]
    kit.until(lambda: serve.get(f"/v1/runs/{run}").data["state"] != "running")
    sent = {request["headers"]["x-8bit-event"]: request["body"] for request in receiver.got(3)}
    made = {row["type"]: row["id"] for row in serve.get("/v1/deliveries", run=run).data}
    enter(browser, serve)

    def verdict():
        browser.find("input[aria-label=\"The endpoint's secret\"]").send_keys(secret)
        browser.click("Verify here")
        return browser.until(lambda: browser.text(".try .verdict"))

    def body():
        return browser.js("return document.querySelector('pre[aria-label=\"Body as sent\"]').textContent")

    browser.go(f"/deliveries/{made['message.sent']}")
    browser.see("Changed on purpose by the scenario: one bit flipped in byte 0 of the body. The signature is meant not to fit")
    browser.see("the two are meant to differ")
    browser.see("Refused, as it should be")
    browser.js("document.querySelector('.split > :first-child').remove()")  # the response has bodies as well
    assert body() == sent["message.sent"].decode()
    assert "as intended" in verdict()
    browser.click("The payload before the change")
    browser.find("pre[aria-label='Payload before the change']")

    browser.go(f"/deliveries/{made['message.received']}")
    browser.see("pretty-printed. The signature fits what was sent")
    browser.js("document.querySelector('.split > :first-child').remove()")
    browser.click("Exact")
    assert body() == sent["message.received"].decode()
    assert "The signature is that of this secret" in verdict()

    browser.go(f"/deliveries/{made['message.failed']}")
    browser.see("went out without this header, on purpose")
    assert not browser.complaints()


# Hostile data, in each view.


def hostile_world(serve, url):
    """Endpoints, deliveries and answers that mean harm; returns the hook and the delivery."""
    hook = serve.webhook(url, ["*"], description=HOSTILE, headers={"X-Harm": "<script>window.hit=1</script>"}, retry={**RETRY, "attempts": 1})["id"]
    body = {HOSTILE: HOSTILE, "long": HOSTILE + "A" * (MEBI - len(HOSTILE)), "exact": "1e400"}
    text = json.dumps(body, ensure_ascii=False).replace('"1e400"', "1.0e400")
    made = serve.post(f"/v1/webhooks/{hook}/test", {"event": "message.received", "payload": text}).data
    serve.ended(made["delivery_id"])
    serve.post(f"/v1/webhooks/{hook}/disable", {"reason": HOSTILE})
    return hook, made["delivery_id"]


def answer_with_harm(connection, _):
    """Head and body of a response, with what harms."""
    kit.read_request(connection)
    body = HOSTILE.encode()
    connection.sendall(b"HTTP/1.1 500 <img src=x onerror=window.hit=1>\r\nX-Harm: <script>window.hit=1</script>\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


HARM = """return {
    hit: window.hit ?? null,
    made: document.querySelectorAll("main script, main img, main iframe, main object, main [onerror], main a[href^=javascript]").length,
    hidden: /[\\u0000-\\u0008\\u200b\\u202a-\\u202e\\u2066-\\u2069\\ufeff]/.test(document.body.innerText),
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    long: document.body.textContent.length > 200000,
}"""


def test_hostile_data_is_text_in_every_view(browser, serve):
    with kit.RawPeer(answer_with_harm) as peer:
        hook, delivery = hostile_world(serve, peer.url)
    enter(browser, serve)
    views = {
        "/overview": None,
        "/deliveries": "500",
        f"/deliveries/{delivery}": SHOWN,
        "/endpoints": SHOWN,
        f"/endpoints/{hook}": SHOWN,
        f"/endpoints/{hook}/edit": SHOWN,
        f"/test?webhook={hook}": "disabled",
        "/scenarios": None,
        "/nowhere/<img src=x onerror=window.hit=1>": "no such page",
    }
    for width in (1280, 390):
        browser.cdp("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        for place, text in views.items():
            began = time.monotonic()
            browser.js("location.hash = arguments[0]", place)
            browser.until(browser.ready)
            if text:
                browser.see(text)
            assert browser.js(HARM) == {"hit": None, "made": 0, "hidden": False, "wide": 0, "long": False}, (width, place)
            assert time.monotonic() - began < 10, place
    browser.cdp("Emulation.clearDeviceMetricsOverride")
    long_and_exact(browser, delivery)
    assert not browser.complaints()


def long_and_exact(browser, delivery):
    """A megabyte is cut until it is asked for, and then is whole, and text; numbers stay as they were written."""
    browser.go(f"/deliveries/{delivery}")
    browser.see("1.0e400")
    more = browser.find("//button[starts-with(normalize-space(), 'show all 1,048,')]")
    began = time.monotonic()
    more.click()
    assert browser.js("return document.querySelector('main').textContent.match(/A+/g).map((run) => run.length).reduce((a, b) => a + b)") >= MEBI - len(HOSTILE)
    harm = browser.js(HARM)
    assert (harm["hit"], harm["made"], harm["hidden"], harm["wide"]) == (None, 0, False, 0)
    assert time.monotonic() - began < 10


TYPED = """const area = document.querySelector("textarea.editor");
const real = JSON.parse;
let looks = 0;
JSON.parse = (text, ...more) => ((looks += text.length > 100000), real(text, ...more));
area.value = arguments[0];
for (let key = 0; key < 5; key++) area.dispatchEvent(new Event("input"));
JSON.parse = real;
return looks;"""


def test_a_payload_of_a_megabyte_is_edited_and_sent(browser, serve, receiver):
    hook = serve.webhook(receiver.url)["id"]
    enter(browser, serve)
    browser.go(f"/test?webhook={hook}")
    browser.see("As rendered", "#payload-check")
    text = '{"text": "' + "x" * MEBI + '"}'
    assert browser.js(TYPED, text + "}") == 0  # not at each key
    browser.see("Line 1, column", "#payload-check")
    assert not browser.find("//button[normalize-space()='Send']").is_enabled()
    browser.js(TYPED, text)
    browser.see("exactly as it stands", "#payload-check")
    send(browser)
    browser.see("Delivered", "li.result")
    (request,) = receiver.got(1)
    assert request["body"] == text.encode()
    browser.js(TYPED, '{"text": "' + '\\"' * (MEBI // 2) + '"}')
    browser.see("exactly as it stands", "#payload-check")
    browser.click("Send")
    browser.see("The payload is too large As a text in the request, its quotes and line breaks escaped, it makes 2,", ".error-box")
    assert browser.text(".error-box").endswith("bytes, and emit8 serve takes 2,097,152.")
    assert not receiver.capture.take() and browser.count("li.result") == 1
    assert not browser.complaints()


def test_an_old_address_whose_filter_is_wrong_says_so(browser, serve, receiver):
    """What is wrong, what would be right, and a way out."""
    hook = serve.webhook(receiver.url, ["message.sent"])["id"]
    sent = serve.post(f"/v1/webhooks/{hook}/test", {"event": "message.sent"}).data["delivery_id"]
    serve.ended(sent)
    enter(browser, serve)
    for query, said in (
        ("type=mesage.sent", 'did you mean "message.sent"?'),
        ("webhook=whk_gone", "there is no webhook"),
        ("environment=moon", "production, staging or development"),
        ("event=none", "evt_…"),
        ("time=own&since=2026-03-02T00:00&until=2026-03-01T00:00", "From must be before Until"),
    ):
        browser.go(f"/deliveries?{query}")
        assert said.lower() in browser.text(".error-box").lower(), query
        assert not rows(browser)
        browser.click("Clear the filters")
        browser.until(lambda: rows(browser) == [sent])
        assert browser.js("return location.hash") == "#/deliveries"
    serve.call("DELETE", f"/v1/webhooks/{hook}")
    browser.go(f"/deliveries?webhook={hook}")
    browser.until(lambda: rows(browser) == [sent])
    gone = "return document.querySelector('select[aria-label=Endpoint]').selectedOptions[0].text"
    browser.until(lambda: browser.js(gone) == "(deleted) " + receiver.url.removeprefix("http://"))
    browser.go(f"/overview?webhook={hook}")
    browser.until(lambda: browser.js(gone) == "(deleted) " + receiver.url.removeprefix("http://"))
    browser.go("/overview")
    browser.see(receiver.url.removeprefix("http://") + " (deleted)")
    browser.complaints()  # the console's word on the answers of 400


# As it looks.


def seeded(serve, receiver):
    """Something for every view to show; the hook, and a delivery that failed."""
    hook = serve.webhook(receiver.url, ["message.*", "session.*"], description="CRM", retry=RETRY)["id"]
    serve.webhook("http://127.0.0.1:9/" + "very-long/" * 20, ["agent.error"], enabled=False)
    receiver.status = 503
    failed = serve.post(f"/v1/webhooks/{hook}/test", {"event": "message.sent"}).data["delivery_id"]
    serve.ended(failed)
    receiver.status = 200
    for kind in ("session.started", "message.received"):
        (made,) = serve.post("/v1/events", {"type": kind}).data["deliveries"]
        serve.ended(made["delivery_id"])
    return hook, failed


# Numbers as a busy platform has them.
BUSY = """const real = window.fetch;
const note = "1000 attempts were under way (--in-flight): others waited, which is in their response times";
const busy = (value) => JSON.parse(JSON.stringify(value), (name, each) => name === "note" ? note : (/^(attempts|delivered|failed|planned)$/.test(name) && typeof each === "number" ? each * 1234567 : each));
window.fetch = async (path, options) => {
    const answer = await real(path, options);
    if (!/^\\/v1\\/(overview|runs)/.test(path)) return answer;
    return new Response(JSON.stringify(busy(await answer.json())), {status: answer.status});
};"""

# What lies beyond the edge without a box that scrolls, and what is cut off in boxes that nobody can scroll.
BEYOND = """const scrolls = (each) => ["auto", "scroll"].includes(getComputedStyle(each).overflowX) && each.tabIndex >= 0;
const boxed = (each) => { for (let box = each.parentElement; box; box = box.parentElement) if (scrolls(box)) return true; return false; };
return [...document.querySelectorAll("main *")].filter((each) => {
    const {left, right, width} = each.getBoundingClientRect();
    return width > 1 && (right > document.documentElement.clientWidth + 1 || left < -1) && !boxed(each) && !each.closest(".away, .cut, .log thead, .fold thead");
}).map((each) => each.outerHTML.slice(0, 120))"""


def places_of(hook, failed):
    return ["/overview", "/deliveries", "/deliveries?time=own&status=4xx", "/deliveries?type=none", f"/deliveries/{failed}", "/endpoints", f"/endpoints/{hook}",
            f"/endpoints/{hook}/edit", "/endpoints/new", f"/test?webhook={hook}", "/scenarios", "/nowhere"]


def test_no_page_is_wider_than_a_phone(browser, serve, receiver):
    """Nothing scrolls sideways but tables in their own boxes, and what is asked for first folds."""
    hook, failed = seeded(serve, receiver)
    run = serve.post("/v1/runs", {"scenario": "quick"}).data["id"]
    kit.until(lambda: serve.get(f"/v1/runs/{run}").data["state"] != "running")
    enter(browser, serve)
    browser.js(BUSY)
    for width in (390, 320):
        browser.cdp("Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=False)
        for place in places_of(hook, failed):
            browser.go(place)
            browser.js("document.querySelectorAll('main details').forEach((each) => (each.open = true))")
            kit.until(lambda: browser.js("return document.documentElement.scrollWidth <= innerWidth"))  # charts follow a frame later
            assert not browser.js(BEYOND), (width, place)
            wide = "return [...document.querySelectorAll('.table-wrap:has(.fold)')].filter((each) => each.scrollWidth > each.clientWidth).length"
            assert width < 390 or browser.js(wide) == 0, place
            if place == "/scenarios":  # the note has the card's width, and no option is broken in two
                assert "1,000 attempts were under way" in browser.text(".runs td .hint")
                assert browser.js("return document.querySelector('.runs td .hint').clientWidth / document.querySelector('.runs tr:has(.hint)').clientWidth") > 0.9
                assert browser.js("return document.querySelector('.runs .whole').getClientRects().length") == 1
        browser.go("/overview")
        browser.until(lambda: browser.count(".fold"))
        assert re.search(r"\d,\d{3},\d{3}", browser.text(".fold"))
    browser.cdp("Emulation.clearDeviceMetricsOverride")
    browser.complaints()  # of the filter that fits nothing


def test_what_is_gone_leads_back_to_its_list(browser, serve):
    enter(browser, serve)
    for place, said, title in (("/deliveries/dlv_gone", 'There is no delivery "dlv_gone"', "Deliveries"), ("/endpoints/whk_gone", 'There is no webhook "whk_gone"', "Endpoints")):
        browser.go(place)
        browser.see(said)
        assert "/v1/" not in browser.text()
        browser.click(f"the {title.lower()}", "//main")
        browser.until(lambda: browser.text("h1") == title)
    assert not [line for line in browser.complaints() if " 404 " not in line]


# What others' tools say.


@pytest.fixture(name="tools")
def make_tools():
    try:
        receivers.packages()
    except receivers.Missing as missing:
        pytest.skip(str(missing))
    return receivers.NPM


AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]  # contrast is among them


def judge(browser, rules=AA):
    """axe's word on the page."""
    return browser.driver.execute_async_script(
        "const [rules, done] = arguments;"
        "document.querySelectorAll('main details').forEach((each, i) => (each.open = i === 0 || !each.matches('.figures')));"
        "axe.run(document, {resultTypes: ['violations'], runOnly: rules, preload: false})"
        ".then((result) => done(result.violations.map((each) => `${each.id}: ${each.nodes[0].html.slice(0, 200)} ${each.nodes[0].failureSummary}`)))",
        rules,
    )


def standing(browser):
    """The page as it stands."""
    return "<!DOCTYPE html>\n" + browser.js("return document.documentElement.outerHTML")


def test_axe_and_html_validate_find_nothing(browser, serve, receiver, tools):
    hook, failed = seeded(serve, receiver)
    axe = (tools / "node_modules/axe-core/axe.min.js").read_text()
    enter(browser, serve)
    browser.js(axe)
    places = [place for place in places_of(hook, failed) if place not in ("/deliveries?type=none", "/nowhere")]
    pages = {"the file": serve.call("GET", "/", key=None).body.decode()}
    for scheme, rules, shown in (("light", AA, places), ("dark", ["color-contrast"], places[::2])):
        browser.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}])
        for place in shown:
            browser.go(place)
            assert not judge(browser, rules), (scheme, place)
            pages[place] = standing(browser)
    browser.cdp("Emulation.setEmulatedMedia", features=[])
    done = subprocess.run(["node", "html.mjs"], cwd=tools, input=json.dumps(pages), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stdout, done.stdout
    assert not browser.complaints()


def test_axe_and_html_validate_would_find_something(browser, serve, tools):
    axe = (tools / "node_modules/axe-core/axe.min.js").read_text()
    enter(browser, serve)
    browser.js(axe)
    browser.js("document.documentElement.style.setProperty('--muted', '#c0c0c0'); document.querySelector('main').append(document.createElement('button'))")
    found = "\n".join(judge(browser, ["color-contrast", "button-name"]))
    assert "color-contrast" in found and "button-name" in found
    done = subprocess.run(["node", "html.mjs"], cwd=tools, input=json.dumps({"x": standing(browser)}), capture_output=True, text=True, timeout=60, check=False)
    assert "text-content" in done.stdout
