"""emit8 serve against pages elsewhere, clients that mean harm, and payloads that would like to be markup."""

import contextlib
import http.client
import json
import os
import resource
import select
import socket
import statistics
import threading
import time

import kit
import pytest
from platform_api import Listener, Serve

LONG = os.environ.get("E8_TEST_LONG") == "1"
OPEN = {("get", "/healthz"), ("get", "/openapi.json")}  # without a key
HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "</script><svg/onload=alert(1)>",
    "\u202egnp.exe\u202c \u2066x\u2069 \u200f\u200b\ufeff",
    "{{constructor.constructor('alert(1)')()}} ${7*7} %00 %0d%0a",
    "a\u2028b\u2029c",
    "\x01\x02\x1b[31mred\x7f\x85",
    "' OR 1=1; DROP TABLE webhook; --",
    "𝕳 💩 é ä",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Serve(tmp_path_factory.mktemp("security") / "state", "--host", "emit8.example.com") as serve:
        yield serve


@pytest.fixture(scope="module")
def port(server):
    return int(server.address.rsplit(":", 1)[1])


def ask(server, method="GET", path="/v1/info", headers=(), body=None, key=True):
    """One request whose headers are exactly these (a list of pairs, Host included), and the key."""
    connection = http.client.HTTPConnection(server.address, timeout=30)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    if key:
        connection.putheader("Authorization", f"Bearer {server.key}")
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    told = answer.read()
    connection.close()
    answer.body = told
    return answer


def talk(server, data, timeout=10, shut=False):
    """These bytes, and all that comes back until the server closes; None where it does not."""
    host, port = server.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=timeout) as peer:
        try:
            peer.sendall(data)
            if shut:
                peer.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it did not wait for the end
        got = b""
        try:
            while more := peer.recv(65536):
                got += more
        except ConnectionError:
            return got
        except TimeoutError:
            return None
    return got


def webhooks(server):
    return len(server.get("/v1/webhooks").data)


# --- who may ask ------------------------------------------------------------------------------------------------------


HOSTS = [
    ("localhost:{port}", 200), ("127.0.0.1:{port}", 200), ("[::1]:{port}", 200), ("LOCALHOST:{port}", 200),
    ("emit8.example.com", 200), ("emit8.example.com:{port}", 200),
    ("localhost", 403), ("127.0.0.1", 403), ("localhost:1", 403), ("evil.example", 403), ("evil.example:{port}", 403),
    ("localhost.evil.example:{port}", 403), ("127.0.0.1.nip.io:{port}", 403), ("0.0.0.0:{port}", 403),
    ("[::]:{port}", 403), ("localhost.:{port}", 403), ("x@localhost:{port}", 403), ("emit8.example.com:443", 403), ("", 403),
]
ORIGINS = [
    ("http://localhost:{port}", 200), ("http://127.0.0.1:{port}", 200), ("https://emit8.example.com", 200),
    ("null", 403), ("http://localhost", 403), ("http://localhost:3000", 403), ("https://localhost:{port}", 403),
    ("http://evil.example", 403), ("http://localhost:{port}.evil.example", 403), ("file://", 403), ("", 403),
]


@pytest.mark.parametrize("path", ["/v1/info", "/healthz", "/openapi.json", "/metrics", "/assets/chart.js", "/none"])
@pytest.mark.parametrize("host, status", HOSTS)
def test_host(server, port, path, host, status):
    """DNS rebinding brings a foreign name along, whatever address it leads to."""
    answer = ask(server, path=path, headers=[("Host", host.format(port=port))])
    assert answer.status == (404 if (path, status) == ("/none", 200) else status), answer.body
    if status == 403:
        assert json.loads(answer.body)["error"]["code"] == "FORBIDDEN"
        assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("method, path", [("GET", "/v1/info"), ("POST", "/v1/webhooks"), ("GET", "/healthz")])
@pytest.mark.parametrize("origin, status", ORIGINS)
def test_origin(server, port, method, path, origin, status):
    headers = [("Host", f"localhost:{port}"), ("Origin", origin.format(port=port)), ("Content-Type", "application/json")]
    before = webhooks(server)
    answer = ask(server, method, path, headers, b"{}" if method == "POST" else None)
    assert answer.status == (400 if (method, status) == ("POST", 200) else status), answer.body
    assert webhooks(server) == before


SITES = [  # method, path, site, mode, dest, is it let in?
    ("GET", "/v1/info", "same-origin", "cors", "empty", True),
    ("GET", "/v1/info", "none", "navigate", "document", True),
    ("GET", "/v1/info", "cross-site", "cors", "empty", False),
    ("GET", "/v1/info", "cross-site", "no-cors", "script", False),
    ("GET", "/v1/info", "same-site", "no-cors", "image", False),
    ("GET", "/v1/info", "cross-site", "navigate", "document", False),
    ("GET", "/assets/chart.js", "cross-site", "no-cors", "script", False),
    ("GET", "/assets/chart.js", "same-origin", "no-cors", "script", True),
    ("GET", "/openapi.json", "cross-site", "navigate", "document", False),
    ("GET", "/none", "same-site", "navigate", "document", False),
    ("GET", "/v1/stream", "cross-site", "navigate", "document", False),
    ("GET", "/v1/info", "cross-site", "navigate", "iframe", False),
    ("HEAD", "/", "cross-site", "navigate", "document", False),
    ("GET", "/?a=b", "cross-site", "navigate", "document", True),
    ("GET", "/", "cross-site", "navigate", "document", True),
    ("GET", "/", "same-site", "navigate", "document", True),
    ("GET", "/", "cross-site", "navigate", "iframe", False),
    ("GET", "/", "cross-site", "no-cors", "image", False),
    ("POST", "/v1/webhooks", "cross-site", "no-cors", "empty", False),
    ("POST", "/v1/webhooks", "same-site", "cors", "empty", False),
    ("POST", "/v1/webhooks", "cross-site", "navigate", "document", False),
]


@pytest.mark.parametrize("method, path, site, mode, dest, let_in", SITES)
def test_sec_fetch_site(server, port, method, path, site, mode, dest, let_in):
    headers = [("Host", f"localhost:{port}"), ("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", dest),
               ("Content-Type", "application/json")]
    answer = ask(server, method, path, headers, b"{}" if method == "POST" else None)
    assert (answer.status != 403) == let_in, answer.body
    if let_in or method == "HEAD":
        return
    if (method, mode, dest) == ("GET", "navigate", "document"):  # somebody has followed a link
        assert answer.headers["content-type"] == "text/html; charset=utf-8" and b'<a href="/">Open the dashboard</a>' in answer.body
        assert "default-src 'none'" in answer.headers["content-security-policy"] and "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert b"e8k_" not in answer.body and b"<script" not in answer.body and answer.headers["cache-control"] == "no-store"
    else:
        assert json.loads(answer.body)["error"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize("name, first, second", [
    ("Origin", "http://localhost:{port}", "http://evil.example"), ("Sec-Fetch-Site", "same-origin", "cross-site"),
    ("Content-Type", "application/json", "text/plain"),
])
def test_headers_that_come_twice(server, port, name, first, second):
    for values in ((first, second), (second, first), (first, first)):
        headers = [("Host", f"localhost:{port}")] + [(name, value.format(port=port)) for value in values]
        assert ask(server, headers=headers).status == 403


FORMS = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain; application/json",
         "application/json-seq", "", None]


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("method, path", [("POST", "/v1/webhooks"), ("PATCH", "/v1/webhooks/{id}"), ("POST", "/v1/webhooks/{id}/disable"),
                                          ("DELETE", "/v1/webhooks/{id}"), ("POST", "/v1/events")])
def test_what_a_form_can_send_changes_nothing(server, port, method, path, kind):
    webhook = server.webhook("http://127.0.0.1:9/")
    before = webhooks(server)
    body = json.dumps({"url": "http://127.0.0.1:9/", "events": ["*"]}).encode()
    headers = [("Host", f"localhost:{port}")] + ([("Content-Type", kind)] if kind is not None else [])
    answer = ask(server, method, path.format(id=webhook["id"]), headers, body)
    assert answer.status == 415
    assert json.loads(answer.body)["error"]["code"] == "UNSUPPORTED_MEDIA_TYPE"
    assert webhooks(server) == before and server.get(f"/v1/webhooks/{webhook['id']}").data["enabled"] is True
    server.call("DELETE", f"/v1/webhooks/{webhook['id']}")


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method"])
def test_no_header_changes_the_method(server, header):
    webhook = server.webhook("http://127.0.0.1:9/")
    path = f"/v1/webhooks/{webhook['id']}"
    assert server.call("GET", path, headers={header: "DELETE"}).status == 200
    assert server.call("POST", path, {}, headers={header: "DELETE"}).status == 405
    assert server.call("GET", path + "?_method=DELETE").status in (200, 400)
    assert server.get(path).status == 200
    server.call("DELETE", path)


def test_no_cors(server, port):
    """Neither a preflight nor any answer says that another origin may read."""
    headers = [("Host", f"localhost:{port}"), ("Origin", f"http://localhost:{port}"), ("Access-Control-Request-Method", "DELETE"),
               ("Access-Control-Request-Headers", "authorization")]
    answers = [ask(server, "OPTIONS", path, headers) for path in ("/v1/webhooks", "/v1/info", "/", "/none")]
    headers[1] = ("Origin", "http://evil.example")
    answers += [ask(server, method, "/v1/info", headers) for method in ("OPTIONS", "GET", "HEAD", "POST")]
    answers += [ask(server, path=path, headers=headers[:1]) for path in ("/v1/info", "/healthz", "/metrics", "/assets/chart.js", "/none")]
    for answer in answers:
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
        assert "set-cookie" not in answer.headers


# --- the key ----------------------------------------------------------------------------------------------------------


def routes(server):
    document = server.call("GET", "/openapi.json", key=None).json
    found = [(method, path) for path, item in document["paths"].items() for method in item
             if method in ("get", "post", "put", "patch", "delete")]
    assert len(found) > 20
    return found


def test_every_route_wants_the_key(server):
    for method, path in routes(server):
        filled = path.replace("{id}", "whk_none").replace("{type}", "message.received")
        answer = server.call(method.upper(), filled, {} if method in ("post", "patch") else None, key=None)
        if (method, path) in OPEN or path == "/" or path.startswith("/assets/"):
            assert answer.status == 200, path
            continue
        answer.error(401, "UNAUTHORIZED")
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_keys_that_are_wrong(server, port):
    host = ("Host", f"localhost:{port}")
    good = server.key
    for value in ("", "Bearer", "Bearer ", f"Bearer {good[:-1]}", f"Bearer {good}x", f"Bearer {good.upper()}", f"Bearer  {good}",
                  f"Basic {good}", good, f"Token {good}", "Bearer e8k_" + "0" * 40, f"Bearer {good}, Bearer {good}"):
        assert ask(server, headers=[host, ("Authorization", value)], key=False).status == 401, value
    assert ask(server, headers=[host, ("Authorization", "Bearer no"), ("Authorization", f"Bearer {good}")], key=False).status == 401
    assert ask(server, path=f"/v1/info?key={good}&access_token={good}", headers=[host], key=False).status == 401
    assert ask(server, headers=[host, ("Cookie", f"key={good}")], key=False).status == 401
    assert ask(server, headers=[host, ("X-Api-Key", good)], key=False).status == 401
    assert ask(server, headers=[host, ("Authorization", f"bearer {good}")], key=False).status == 200


def test_other_addresses_need_a_key(tmp_path):
    done = kit.emit8("serve", "--state", tmp_path / "state", "--listen", "0.0.0.0:0", "--no-auth")
    assert done.returncode == 2 and "open to everybody" in done.err
    with Serve(tmp_path / "state", listen="0.0.0.0:0") as serve:
        serve.address = serve.address.replace("0.0.0.0", "127.0.0.1")
        assert serve.get("/v1/info").status == 200
        assert serve.call("GET", "/v1/info", key=None).status == 401
        assert serve.call("GET", "/v1/info", headers={"Host": "evil.example"}).status == 403
        kit.until(lambda: "the key lies in" in serve.err[-1])
        assert serve.err[1:3] == [f"emit8: in the browser: http://{serve.address}/#key={serve.key}\n",
                                  "emit8: on another machine: start it with --host NAME, the name or address by which it is called there\n"]


def test_the_address_for_another_machine_is_told(tmp_path):
    with Serve(tmp_path / "state", "--host", "emit8.example", "--host", "proxy.example:8443", listen="0.0.0.0:0") as serve:
        port = serve.address.rpartition(":")[2]
        kit.until(lambda: "the key lies in" in serve.err[-1])
        assert serve.err[1:3] == [f"emit8: in the browser: http://127.0.0.1:{port}/#key={serve.key}\n",
                                  f"emit8: on another machine: http://emit8.example:{port}/#key={serve.key}\n"]
        assert len(serve.err) == 4


# --- what is said -----------------------------------------------------------------------------------------------------


def test_pages_and_their_policy(server, port):
    page = ask(server, path="/", headers=[("Host", f"localhost:{port}")], key=False)
    script = ask(server, path="/assets/chart.js", headers=[("Host", f"localhost:{port}")], key=False)
    assert page.status == 200 and page.headers["content-type"].startswith("text/html")
    assert script.status == 200 and script.headers["content-type"].startswith("text/javascript")
    for answer in (page, script):
        policy = {words[0]: words[1:] for words in (part.split() for part in answer.headers["content-security-policy"].split(";"))}
        assert policy["default-src"] == ["'none'"] and policy["script-src"] == ["'self'"] and policy["style-src"] == ["'self'"]
        assert policy["connect-src"] == ["'self'"] and policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == ["'none'"]
        assert "unsafe" not in answer.headers["content-security-policy"] and "http:" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
    text = page.body.decode()
    assert server.key not in text
    for word in ("<script>", " onclick", " onload", " onerror", " style=", "javascript:", "http://", "https://"):
        assert word not in text.replace("http://www.w3.org/", ""), word


@pytest.mark.parametrize("path", ["/assets/../../../../etc/passwd", "/assets/%2e%2e/%2e%2e/etc/passwd", "/assets/..%2f..%2fetc%2fpasswd",
                                  "/assets//etc/passwd", "/assets/", "/assets", "/assets/./chart.js", "/assets/openapi.json",
                                  "/assets/../store.h", "/assets/..\\chart.js", "/index.html/..", "//", "/%2f", "/assets/chart.js%00.txt"])
def test_there_is_no_file_system(server, path):
    answer = talk(server, f"GET {path} HTTP/1.1\r\nHost: {server.address}\r\nConnection: close\r\n\r\n".encode())
    assert answer.split()[1] in (b"404", b"400"), answer[:200]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_come_back_as_data(server, text):
    clean = "".join(c for c in text if c >= " " and c not in "\x7f\x85") or "x"
    made = server.post("/v1/webhooks", {"url": "http://127.0.0.1:9/", "events": ["*"], "description": text})
    if made.status == 400:  # control characters may be refused
        assert clean != text
        made = server.post("/v1/webhooks", {"url": "http://127.0.0.1:9/", "events": ["*"], "description": clean})
        text = clean
    webhook = made.data
    assert webhook["description"] == text
    answers = [
        made,
        server.get(f"/v1/webhooks/{webhook['id']}"),
        server.get("/v1/webhooks"),
        server.post("/v1/events", {"type": text}),
        server.post("/v1/events", {"type": "message.received", text: 1}),
        server.post("/v1/events", {"type": "message.received", "data": {text: text}}),
        server.post("/v1/events/message.received/preview", {"data": {"content": text}}),
        server.post("/v1/webhooks", {"url": text, "events": [text], "scheme": text}),
        server.get("/v1/deliveries", type=text, status=text, cursor=text),
        server.get("/v1/match", pattern=text),
        server.get("/v1/webhooks/" + "".join(f"%{byte:02x}" for byte in text.encode() if byte)),
        server.get("/" + "".join(f"%{byte:02x}" for byte in text.encode() if byte)),
        server.call("GET", "/v1/info", headers={"X-Text": clean.encode()}),
        server.call("GET", "/v1/info", key="".join(c for c in clean if " " <= c < "\x7f") or "x"),
        server.call("POST", "/v1/events", raw=("{\"type\": " + text).encode()),
    ]
    for answer in answers:
        assert answer.headers["content-type"] == "application/json", answer.body
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.status < 500, answer.body
        json.loads(answer.body.decode("utf-8"))
        assert not [byte for byte in answer.body.rstrip(b"\n") if byte < 32], answer.body
        for name, value in answer.headers.items():
            assert "<" not in value and "\n" not in value and "alert" not in value, (name, value)
    server.call("DELETE", f"/v1/webhooks/{webhook['id']}")


def test_header_values_that_would_break_out(server):
    for value in ("a\r\nX-Injected: 1", "a\nb", "a\rb", "a\x00b"):
        answer = server.post("/v1/webhooks", {"url": "http://127.0.0.1:9/", "events": ["*"], "headers": {"X-Team": value}})
        answer.error(400, "INVALID_REQUEST")
        answer = server.post("/v1/webhooks", {"url": "http://127.0.0.1:9/", "events": ["*"], "headers": {value: "x"}})
        answer.error(400, "INVALID_REQUEST")
    for path in ("/v1/webhooks/a%0d%0aX-Injected:%201", "/%0d%0aX-Injected:%201", "/v1/webhooks?cursor=%0d%0aX-Injected:%201"):
        answer = server.call("GET", path)
        assert answer.status in (400, 404) and "x-injected" not in answer.headers


def test_a_text_of_a_megabyte(server):
    """1,048,576 characters that mean harm: made, sent, kept and told whole, and refused where a text is short."""
    text = "".join(each for each in HOSTILE if "{{" not in each) + "</script>"  # what stands in {{ }} is a placeholder
    text += "x" * ((1 << 20) - len(text))
    data = {"data": {"content": text}}
    made = server.post("/v1/events/message.received/preview", data)
    assert made.status == 200, made.body[:300]
    assert made.data["payload"]["data"]["content"] == text
    with kit.Capture() as capture:
        webhook = server.webhook(capture.url, ["message.received"])
        fired = server.post("/v1/events", {"type": "message.received", **data}).data
        test = server.post(f"/v1/webhooks/{webhook['id']}/test", {"event": "message.received", **data}).data
        for told in (server.ended(fired["deliveries"][0]["delivery_id"]), server.ended(test["delivery_id"])):
            assert told["state"] == "delivered" and json.loads(told["payload"])["data"]["content"] == text
            assert len(told["curl"]) < 64 << 10
        capture.wait(2)
        for request in capture.requests:
            kit.assert_signed(request, webhook["secret"])
            assert json.loads(request["body"])["data"]["content"] == text
        for path in ("/v1/deliveries", f"/v1/webhooks/{webhook['id']}/deliveries", "/v1/overview", "/v1/webhooks"):
            assert len(server.get(path).body) < 64 << 10, path
    server.call("DELETE", f"/v1/webhooks/{webhook['id']}")
    for member in ("description", "url", "secret"):
        body = {"url": "http://127.0.0.1:9/", "events": ["*"], member: text}
        message, fields = server.post("/v1/webhooks", body).error(400, "INVALID_REQUEST")
        assert fields == [member] and len(message) < 1000
    server.post("/v1/webhooks", {"url": "http://127.0.0.1:9/", "events": [text]}).error(400, "INVALID_REQUEST")


# --- bytes ------------------------------------------------------------------------------------------------------------


SMUGGLED = "GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n"
POST = "POST /v1/events HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
FORGED = {
    "length and chunks": POST + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunks and length": POST + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "two lengths": POST + "Content-Length: 0\r\nContent-Length: 40\r\n\r\n" + SMUGGLED,
    "the same length twice": POST + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    "a list of lengths": POST + "Content-Length: 0, 0\r\n\r\n" + SMUGGLED,
    "a length with a sign": POST + "Content-Length: +0\r\n\r\n" + SMUGGLED,
    "a length below zero": POST + "Content-Length: -1\r\n\r\n" + SMUGGLED,
    "a length in hexadecimal": POST + "Content-Length: 0x0\r\n\r\n" + SMUGGLED,
    "a blank before the colon": POST + "Content-Length : 0\r\n\r\n" + SMUGGLED,
    "another coding": POST + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "nearly chunked": POST + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked twice": POST + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a folded line": POST + "X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    "a folded coding": POST + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "NUL": POST + "X-A: b\0c\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    "CR alone": POST + "X-A: b\rContent-Length: 40\r\n\r\n" + SMUGGLED,
    "LF alone": POST + "X-A: b\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    "two hosts": "GET /v1/info HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n\r\n" + SMUGGLED,
    "no host": "GET /v1/info HTTP/1.1\r\n\r\n" + SMUGGLED,
    "a chunk of no number": POST + "Transfer-Encoding: chunked\r\n\r\nZ\r\n" + SMUGGLED,
    "a chunk that is longer": POST + "Transfer-Encoding: chunked\r\n\r\n1\r\n{{}}\r\n0\r\n\r\n" + SMUGGLED,
    "a chunk below zero": POST + "Transfer-Encoding: chunked\r\n\r\n-1\r\n{{}}\r\n0\r\n\r\n" + SMUGGLED,
    "a header without a name": POST + ": x\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    "a header without a colon": POST + "nothing\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
}


def whole(answer):
    """Head and body of an answer that is the only one."""
    head, body = answer.split(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    assert b"Connection: close" in lines and f"Content-Length: {len(body)}".encode() in lines
    return lines, body


def refusal(answer):
    """The error's code."""
    lines, body = whole(answer)
    assert b"Content-Type: application/json" in lines
    told = json.loads(body)
    assert told["success"] is False and told["error"]["message"]
    return told["error"]["code"]


@pytest.mark.parametrize("status, code, head", [
    (400, "INVALID_REQUEST", "GET /v1/info HTTP/1.1\r\n\r\n"),
    (400, "INVALID_REQUEST", POST + "Content-Length: +2\r\n\r\n{{}}"),
    (400, "INVALID_REQUEST", POST + "Content-Length: -1\r\n\r\n{{}}"),
    (400, "INVALID_REQUEST", POST + "Content-Length: 2x\r\n\r\n{{}}"),
    (413, "PAYLOAD_TOO_LARGE", POST + "Content-Length: 99999999999999999999999\r\n\r\n{{}}"),
    *((431, "HEADERS_TOO_LARGE", f"GET /{'a' * n} HTTP/1.1\r\nHost: {{host}}\r\n\r\n") for n in (16384, 20000, 20300, 25000, 50000)),
])
def test_a_head_that_is_refused_gets_one_answer(server, status, code, head):
    """In the form of all errors, also where the library has an answer of its own."""
    answer = talk(server, head.format(host=server.address).encode())
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()) and refusal(answer) == code


@pytest.mark.parametrize("form", FORGED)
def test_smuggling(server, form):
    """400, the end of the connection, and no second answer."""
    answer = talk(server, FORGED[form].format(host=server.address).encode())
    assert answer is not None, "it is open still"
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert b"HTTP/1.1 200" not in answer and b'{"status":"ok"}' not in answer
    whole(answer)  # of broken chunks, and of lines without a colon, the library's own


NOISE = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "zeros": b"\x00" * 2000,
    "ones": b"\xff" * 2000,
    "HTTP/0.9": b"GET / HTTP/0.9\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a proxy's request": b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "a tunnel": b"CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example:80\r\n\r\n",
    "empty lines": b"\r\n" * 3000,
    "a long path": b"GET " + b"/a" * 10000 + b" HTTP/1.1\r\n\r\n",
    "NUL": b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL as percents": b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("what", NOISE)
def test_noise(server, what):
    answer = talk(server, NOISE[what], shut=True)
    assert answer is not None and not answer.startswith(b"HTTP/1.1 2"), answer
    assert server.call("GET", "/healthz").status == 200


def test_heads_end_at_16_kb(server):
    def head(size):
        start = f"GET /healthz HTTP/1.1\r\nHost: {server.address}\r\nConnection: close\r\nX: "
        return (start + "x" * (size - len(start) - 4) + "\r\n\r\n").encode()

    assert talk(server, head(16 << 10)).startswith(b"HTTP/1.1 200 ")
    assert talk(server, head((16 << 10) + 1)).startswith(b"HTTP/1.1 431 ")
    assert not talk(server, head(1 << 20)).startswith(b"HTTP/1.1 200 ")


def test_bodies_end_at_two_megabytes(server):
    def body(size):
        return b'{"type":"message.received","data":{"content":"' + b"x" * (size - 49) + b'"}}'

    for size in ((2 << 20) + 1, 8 << 20):
        answer = server.call("POST", "/v1/events/message.received/preview", raw=body(size))
        assert answer.status == 413, answer.body[:200]
        assert answer.json["error"]["code"] == "PAYLOAD_TOO_LARGE" and "2097152 bytes" in answer.json["error"]["message"]
    assert len(body(2 << 20)) == 2 << 20
    assert server.call("POST", "/v1/events/message.received/preview", raw=body(2 << 20)).status != 413
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    told = talk(server, POST.format(host=server.address).encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 33 + b"0\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 413 ")


# --- clients that take their time -------------------------------------------------------------------------------------


SLOW = {
    "head": "GET /v1/info HTTP/1.1\r\nHost: {host}\r\nX: ",
    "body": POST + "Content-Length: 100000\r\n\r\n",
    "silence": "",
    "reads nothing": "GET /openapi.json HTTP/1.1\r\nHost: {host}\r\n\r\n" * 20,
}


class Crowd:
    """Slow clients. Those that are closed come again, 200 in a second."""

    AGAIN = 200

    def __init__(self, address, count):
        host, port = address.rsplit(":", 1)
        self.address, self.count, self.closed = (host, int(port)), count, 0
        self.texts = [text.format(host=address).encode() for text in SLOW.values()]
        self.peers = [self.come(i) for i in range(count)]
        self.gone = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def come(self, i):
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect(self.address)
        peer.setblocking(False)
        try:
            peer.send(self.texts[i % len(self.texts)])
        except OSError:
            pass
        return peer

    def drip(self, i):
        try:
            if self.texts[i % len(self.texts)]:
                self.peers[i].send(b"x")
        except BlockingIOError:
            pass
        except OSError:
            self.peers[i].close()
            self.closed += 1
            self.gone.append(i)

    def run(self):
        """Each a byte a second."""
        while not self.stop.is_set():
            begun = time.monotonic()
            again, self.gone = self.gone[: self.AGAIN], self.gone[self.AGAIN :]
            for i in again:
                self.peers[i] = self.come(i)
            for i in range(self.count):
                if self.peers[i].fileno() >= 0:
                    self.drip(i)
                if i % 50 == 0:
                    self.stop.wait(max(0, begun + i / self.count - time.monotonic()))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.stop.set()
        self.thread.join(30)
        for peer in self.peers:
            peer.close()


@pytest.fixture
def many_files():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    if before[1] != resource.RLIM_INFINITY and before[1] < 4096:
        pytest.skip("the system allows too few files")
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_two_thousand_slow_clients(tmp_path, many_files):
    """Twice as many as there are connections; whoever asks plainly gets an answer, quickly."""
    with Serve(tmp_path / "state") as serve, Crowd(serve.address, 2000) as crowd:
        times = []
        end = time.monotonic() + (60 if LONG else 6)
        while time.monotonic() < end:
            for path in ("/v1/info", "/v1/webhooks", "/v1/deliveries"):
                begun = time.monotonic()
                assert serve.get(path).status == 200
                times.append(time.monotonic() - begun)
        assert crowd.closed > 100  # they did make room
    print(f"\n2000 slow clients, {len(times)} answers: median {statistics.median(times) * 1e3:.1f} ms, "
          f"p99 {statistics.quantiles(times, n=100)[98] * 1e3:.1f} ms, most {max(times) * 1e3:.1f} ms")
    assert statistics.median(times) < 0.05


def test_drips_are_cut(server):
    """A byte now and then does not keep a head alive: it has 5 s."""
    host, port = server.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as peer:
        begun = time.monotonic()
        for byte in "GET /healthz HTTP/1.1\r\nX-Slow: " + "x" * 1000:
            try:
                peer.sendall(byte.encode())
            except OSError:
                break
            if select.select([peer], [], [], 0.1)[0]:
                break
        assert 4 < time.monotonic() - begun < 9
        with contextlib.suppress(ConnectionError):  # a byte may have crossed it
            answer = b"".join(iter(lambda: peer.recv(4096), b""))
            assert answer.startswith(b"HTTP/1.1 408 ") and refusal(answer) == "REQUEST_TIMEOUT"


def test_endless_clients(server):
    """Heads and bodies without an end: refused, at their limit."""
    host, port = server.address.rsplit(":", 1)
    for begin, more in ((f"GET /healthz HTTP/1.1\r\nHost: {server.address}\r\n", "X-More: more\r\n"),
                        (POST.format(host=server.address) + "Transfer-Encoding: chunked\r\n\r\n", "400\r\n" + "x" * 1024 + "\r\n"),
                        ("GET /", "path")):
        block, said = (more * (1 + 65536 // len(more))).encode(), 0
        with socket.create_connection((host, int(port)), timeout=20) as peer:
            peer.sendall(begin.encode())
            with pytest.raises(OSError):
                while said < 256 << 20:
                    peer.sendall(block)
                    said += len(block)
        assert said < 64 << 20
        assert server.get("/healthz").status == 200


# --- the live stream --------------------------------------------------------------------------------------------------


def test_stream(tmp_path):
    with Serve(tmp_path / "state") as serve, kit.Capture() as receiver:
        refused = Listener(serve, key=False)
        assert refused.answer.status == 401
        refused.close()
        listener = Listener(serve)
        assert listener.answer.status == 200
        assert listener.answer.headers["content-type"].startswith("text/event-stream")
        assert listener.answer.headers["cache-control"] == "no-store"
        webhook = serve.webhook(receiver.url)
        assert listener.event() == ("webhook", {"id": webhook["id"]})
        other = serve.webhook(receiver.url, events=["agent.updated"])
        assert listener.event() == ("webhook", {"id": other["id"]})
        one = Listener(serve, "?webhook=" + other["id"])
        text = "<script>\n\ndata: forged\n\u2028"
        sent = serve.post("/v1/events", {"type": "message.received", "data": {"content": text}}).data["deliveries"][0]
        name, row = listener.event()
        while row["state"] == "pending":
            assert (name, row["id"]) == ("delivery", sent["delivery_id"])
            name, row = listener.event()
        assert (row["id"], row["state"], row["status"]) == (sent["delivery_id"], "delivered", 200)
        serve.post(f"/v1/webhooks/{other['id']}/disable", {})
        assert one.event() == ("webhook", {"id": other["id"]})  # and nothing of the other endpoint before
        assert serve.stop() == 143  # ends streams
        listener.answer.read()
        listener.close()
        one.close()


def test_streams_are_bounded(server):
    listeners = [Listener(server) for _ in range(64)]
    assert [listener.answer.status for listener in listeners] == [200] * 64
    more = Listener(server)
    assert more.answer.status == 503
    more.close()
    for listener in listeners:
        listener.close()

    def again():
        listener = Listener(server)
        status = listener.answer.status
        listener.close()
        return status == 200

    kit.until(again)


def test_endpoints_that_come_and_go(server):
    """The dispatcher takes up endpoints while others delete them: whoever may call the API cannot end it so."""
    for _ in range(400):
        webhook = server.webhook("http://127.0.0.1:9/")
        server.call("DELETE", f"/v1/webhooks/{webhook['id']}")
    assert server.call("GET", "/healthz").status == 200
