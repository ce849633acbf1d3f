"""The documents that emit8 makes of itself: each path, method and answer of the OpenAPI document held against the server, and both
documents against the rules of their specifications."""

import http.client
import json
import pathlib
import re
import resource
import subprocess
import sys
import threading

import jsonschema
import kit
import pytest
from platform_api import Serve

sys.path.insert(0, str(pathlib.Path(kit.SOURCE) / "tests" / "receivers"))
import start as receivers  # noqa: E402

NPM = pathlib.Path(kit.SOURCE) / "tests" / "npm"
METHODS = ("get", "post", "patch", "delete")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Serve(tmp_path_factory.mktemp("serve") / "state") as running:
        yield running


@pytest.fixture(scope="module")
def document(server):
    answer = server.call("GET", "/openapi.json", key=None)
    assert answer.headers["content-type"] == "application/json"
    return answer.json


@pytest.fixture(scope="module")
def asyncapi():
    done = kit.emit8("events", "export", "--asyncapi")
    assert done.returncode == 0, done.err
    return json.loads(done.out)


def need_packages():
    try:
        receivers.packages()
    except receivers.Missing as missing:
        pytest.skip(str(missing))


def resolve(document, ref):
    assert ref.startswith("#/"), ref
    for name in ref[2:].split("/"):
        document = document[name.replace("~1", "/").replace("~0", "~")]
    return document


def follow(document, node):
    return resolve(document, node["$ref"]) if "$ref" in node else node


def nodes(node):
    yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(child)


def validator(document, schema):
    """For a schema whose references are the document's."""
    return jsonschema.Draft202012Validator(schema, resolver=jsonschema.RefResolver("", document))


def operations(document):
    return {(path, method) for path, item in document["paths"].items() for method in item if method in METHODS}


# --- the documents alone --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, kind, said", [("document", "openapi", "OpenAPI 3.1"), ("asyncapi", "asyncapi", "AsyncAPI 3.0.0")])
def test_by_the_specifications_own_rules(request, name, kind, said):
    need_packages()

    def judge(document):
        done = subprocess.run(["node", "documents.mjs", kind], cwd=NPM, input=json.dumps(document).encode(), capture_output=True, timeout=60)
        return done.returncode, done.stdout.decode() + done.stderr.decode()

    document = request.getfixturevalue(name)
    code, told = judge(document)
    assert code == 0 and told.strip() == said, told
    assert judge({**document, "info": {"title": "no version"}})[0] == 1


@pytest.mark.parametrize("name", ["document", "asyncapi"])
def test_references_lead_somewhere_and_schemas_are_schemas(request, name):
    document = request.getfixturevalue(name)
    refs = {node["$ref"] for node in nodes(document) if isinstance(node, dict) and isinstance(node.get("$ref"), str)}
    assert len(refs) > 16
    for ref in refs:
        resolve(document, ref)
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_operations_are_those_of_the_table(document):
    """Nothing is served that is not told, and nothing told that is not served."""
    source = (pathlib.Path(kit.SOURCE) / "src/platform/api.c").read_text()
    rows = re.findall(r'\{"(GET|POST|PATCH|PUT|DELETE)", "([^"]+)",', source)
    table = {(path, method.lower()) for method, path in rows}
    assert len(table) > 25
    assert {(path.replace("{type}", "{id}"), method) for path, method in operations(document)} == table
    ids = [document["paths"][path][method]["operationId"] for path, method in operations(document)]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", ["document", "asyncapi"])
def test_events(request, server, name):
    document = request.getfixturevalue(name)
    types = server.get("/v1/events").data
    assert len(types) == 16
    names = [row["type"] for row in types]
    assert names == list(document["webhooks"] if name == "document" else document["components"]["messages"])
    for row in types:
        if name == "document":
            schema = document["webhooks"][row["type"]]["post"]["requestBody"]["content"]["application/json"]["schema"]
        else:
            operation = document["operations"][row["type"]]
            message = resolve(document, resolve(document, operation["messages"][0]["$ref"])["$ref"])
            assert operation["action"] == "send" and message["name"] == row["type"]
            schema = message["payload"]
        check = validator(document, schema)
        check.validate(row["sample"])
        assert not check.is_valid({**row["sample"], "type": "other"}) and not check.is_valid({**row["sample"], "created_at": "now"})


def test_asyncapi_into_a_file(tmp_path):
    path = tmp_path / "asyncapi.json"
    assert kit.emit8("events", "export", "--asyncapi", "-o", path).returncode == 0
    assert json.loads(path.read_text())["asyncapi"] == "3.0.0"
    for args, said in (
        (("export", "--asyncapi", "-o", path), "is there already"),
        (("export", "--asyncapi", tmp_path / "dir"), "no directory"),
        (("export", tmp_path / "dir", "-o", path), "--asyncapi"),
        (("list", "--asyncapi"), "for export"),
        (("export", "--asyncapi", "-o", tmp_path / "none" / "x"), ""),
    ):
        done = kit.emit8("events", *args)
        assert done.returncode in (2, 3) and said in done.err, done.err
    assert kit.emit8("events", "export", "--asyncapi", "-o", path, "--force").returncode == 0


# --- the document held against the server ---------------------------------------------------------------------------


class Walker:
    """Calls operations of the document; each answer must be declared, and as declared."""

    def __init__(self, server, document):
        self.server = server
        self.document = document
        self.seen = set()

    def judge(self, path, method, answer):
        declared = self.document["paths"][path][method]["responses"]
        assert str(answer.status) in declared, (path, method, answer.status, answer.body)
        response = follow(self.document, declared[str(answer.status)])
        content = answer.headers["content-type"].split(";")[0]
        assert content in response["content"], (path, method, content)
        if content == "application/json":
            validator(self.document, response["content"][content]["schema"]).validate(answer.json)
        for name in response.get("headers", {}):
            if name in ("Location", "Retry-After", "WWW-Authenticate"):
                assert name.lower() in answer.headers, (path, name)
        self.seen.add((path, method, answer.status))
        return answer

    def __call__(self, method, path, body=None, **more):
        """`path` with its template's names filled in by `more`; the rest goes to the call."""
        query = more.pop("query", "")
        names = {name: more.pop(name) for name in re.findall(r"\{(\w+)\}", path)}
        answer = self.server.call(method.upper(), path.format(**names) + query, body, **more)
        return self.judge(path, method, answer)

    def parameters(self, path, method):
        item = self.document["paths"][path]
        return [follow(self.document, p) for p in item.get("parameters", []) + item[method].get("parameters", [])]


def fill(path, value):
    return {name: value for name in re.findall(r"\{(\w+)\}", path)}


def walk_refusals(walk):
    """What can be wrong with any request."""
    for path, method in sorted(operations(walk.document)):
        operation = walk.document["paths"][path][method]
        some = fill(path, "none")
        if operation.get("security") != []:
            walk(method, path, key=None, **some)
        walk(method, path, headers={"Host": "evil.example"}, **some)
        walk(method, path, query="?nothing=1", **some)
        if "requestBody" in operation:
            walk(method, path, raw=b"{", **some)
            walk(method, path, raw=b"{}", headers={"Content-Type": "text/plain"}, **some)
            walk(method, path, raw=json.dumps({"x": "y" * (2 << 20)}).encode(), **some)
        if "404" in operation["responses"]:
            body = {"/v1/webhooks/{id}/test": {"event": "agent.error"}, "/v1/webhooks/{id}": {"description": ""}}.get(path)
            walk(method, path, body if method in ("post", "patch") else None, **some)
        for parameter in walk.parameters(path, method):
            schema = parameter["schema"]
            if parameter["in"] == "query" and ("enum" in schema or "pattern" in schema or schema["type"] == "integer" or parameter["name"] in ("since", "until", "step")):
                walk(method, path, query=f"?{parameter['name']}=nonsense", **some | ({"id": walk.webhook} if "{id}" in path else {}))


def walk_webhooks(walk, url):
    for body in ({"url": url, "events": ["message.*"]}, {
        "url": url, "events": ["agent.error"], "environments": ["staging"], "description": "d", "secret": "s" * 16, "scheme": "slack", "timeout": "1s",
        "retry": {"attempts": 1, "base": "1ms", "factor": 1, "cap": "1s", "jitter": "none"}, "headers": {"X-A": "b"}, "notify_url": url, "enabled": False,
    }):
        validator(walk.document, {"$ref": "#/components/schemas/WebhookInput"}).validate(body)
        made = walk("post", "/v1/webhooks", body).data["id"]
    walk.webhook = made
    walk("get", "/v1/webhooks")
    walk("get", "/v1/webhooks/{id}", id=made)
    walk("patch", "/v1/webhooks/{id}", {"description": "e"}, id=made)
    for what in ("disable", "enable", "rotate", "revoke"):
        walk("post", f"/v1/webhooks/{{id}}/{what}", {}, id=made)
        walk("post", f"/v1/webhooks/{{id}}/{what}", id=made)
    return made


def walk_deliveries(walk, made):
    types = walk("get", "/v1/events").data
    walk("get", "/v1/events/{type}", type=types[0]["type"])
    walk("post", "/v1/events/{type}/preview", {"data": {"x": 1}}, type=types[0]["type"])
    walk("get", "/v1/match", query="?pattern=agent.*")
    walk("get", "/v1/match")
    test = walk("post", "/v1/webhooks/{id}/test", {"event": "message.sent"}, id=made).data
    fired = walk("post", "/v1/events", {"type": "agent.error", "environment": "staging"}).data
    for delivery in (test["delivery_id"], fired["deliveries"][0]["delivery_id"]):
        walk.server.ended(delivery)
        walk("get", "/v1/deliveries/{id}", id=delivery)
    walk("get", "/v1/deliveries", query="?limit=1")
    walk("get", "/v1/webhooks/{id}/deliveries", id=made)
    walk("post", "/v1/deliveries/{id}/resend", {}, id=test["delivery_id"])
    walk("post", "/v1/deliveries/resend", {})
    walk("post", "/v1/deliveries/resend", {"dry_run": True})
    walk.server.ended(test["delivery_id"])
    walk("get", "/v1/overview")
    return test["delivery_id"]


def walk_runs(walk):
    walk("get", "/v1/scenarios")
    run = walk("post", "/v1/runs", {"scenario": "quick", "speed": 100}).data["id"]
    walk("get", "/v1/runs/{id}", id=run)
    walk("post", "/v1/runs/{id}/stop", {}, id=run)
    walk("get", "/v1/runs")


def walk_stream(walk):
    """The head of an answer that does not end."""
    connection = http.client.HTTPConnection(walk.server.address, timeout=30)
    connection.request("GET", "/v1/stream", headers={"Authorization": f"Bearer {walk.server.key}"})
    answer = connection.getresponse()
    assert answer.status == 200 and answer.getheader("Content-Type").split(";")[0] == "text/event-stream"
    connection.close()
    walk.seen.add(("/v1/stream", "get", 200))


def test_every_path_method_and_answer(server, document):
    walk = Walker(server, document)
    with kit.Capture() as capture:
        walk("post", "/v1/runs", {"scenario": "quick"})  # 409: nobody takes it
        made = walk_webhooks(walk, capture.url)
        walk_refusals(walk)
        delivery = walk_deliveries(walk, made)
        walk_runs(walk)
        walk_stream(walk)
        for path in ("/v1/info", "/metrics", "/healthz", "/openapi.json"):
            walk("get", path)
        walk("delete", "/v1/webhooks/{id}", id=made)
        walk("post", "/v1/deliveries/{id}/resend", {}, id=delivery)  # 409
    declared = {
        (path, method, int(status))
        for path, method in operations(document)
        for status in document["paths"][path][method]["responses"]
    }
    # 429 is the next test's; 503 takes a disk that fails.
    assert {row for row in declared - walk.seen if row[2] not in (429, 503)} == set()


def test_every_operation_is_limited(tmp_path, document):
    with Serve(tmp_path / "state", "--plan", "starter") as server:
        walk = Walker(server, document)
        while server.get("/v1/info").status != 429:
            pass
        limited = {row for row in operations(document) if "429" in document["paths"][row[0]][row[1]]["responses"]}
        assert len(limited) > 25
        for path, method in sorted(limited):
            tries = (walk(method, path, **fill(path, "none")).status for _ in range(5))
            assert 429 in tries, (path, method)


# --- when the store fails -------------------------------------------------------------------------------------------


def write_operations(hook, off, failed):
    """All that changes something in the store; what each needs."""
    return [
        ("post", "/v1/webhooks", {"url": "http://127.0.0.1:9/", "events": ["*"]}, {}),
        ("patch", "/v1/webhooks/{id}", {"description": "e"}, {"id": hook}),
        ("post", "/v1/webhooks/{id}/disable", {}, {"id": hook}),
        ("post", "/v1/webhooks/{id}/enable", {}, {"id": off}),
        ("post", "/v1/webhooks/{id}/rotate", {}, {"id": hook}),
        ("post", "/v1/webhooks/{id}/revoke", {}, {"id": hook}),
        ("post", "/v1/webhooks/{id}/test", {"event": "message.sent"}, {"id": hook}),
        ("post", "/v1/events", {"type": "message.sent"}, {}),
        ("post", "/v1/deliveries/{id}/resend", {}, {"id": failed}),
        ("post", "/v1/deliveries/resend", {}, {}),
        ("delete", "/v1/webhooks/{id}", None, {"id": off}),
    ]


def limit_files(server, size):
    """No file of the server's grows beyond, from now on."""
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_store_that_cannot_be_written(tmp_path, document):
    """Each operation that would change something says 503, and has changed nothing; what was accepted before is delivered afterwards."""
    go = threading.Event()

    def answer(request):
        return 500 if request["path"] == "/failing" else go.wait(60) and 200

    with kit.Capture(answer) as capture, Serve(tmp_path / "state") as server:
        walk = Walker(server, document)
        hook = server.webhook(capture.url + "/held", ["message.sent"], timeout="60s", scheme="stripe")["id"]
        off = server.webhook(capture.url + "/failing", ["agent.error"], retry={"attempts": 1})["id"]
        failed = server.post("/v1/events", {"type": "agent.error"}).data["deliveries"][0]["delivery_id"]
        assert server.ended(failed)["state"] == "failed"
        server.post(f"/v1/webhooks/{off}/disable")
        server.post(f"/v1/webhooks/{hook}/rotate")
        accepted = server.post("/v1/events", {"type": "message.sent"}).data["deliveries"][0]["delivery_id"]
        capture.wait(2)
        reads = ("/v1/webhooks", "/v1/deliveries", f"/v1/deliveries/{accepted}", f"/v1/webhooks/{hook}", f"/v1/webhooks/{off}")
        before = [server.get(path).body for path in reads]
        limit_files(server, 0)
        changes = write_operations(hook, off, failed)
        for method, path, body, names in changes:
            message, _ = walk(method, path, body, **names).error(503, "UNAVAILABLE")
            assert "cannot be written" in message, (path, message)
        walk("get", "/healthz", key=None)
        assert [server.get(path).body for path in reads] == before
        limit_files(server, resource.RLIM_INFINITY)
        go.set()
        assert server.ended(accepted)["state"] == "delivered"
        for method, path, body, names in changes:
            assert walk(method, path, body, **names).status < 300, path
        walk("get", "/healthz", key=None)
        assert server.call("GET", "/healthz", key=None).status == 200
    unavailable = {(path, method) for path, method, status in walk.seen if status == 503}
    assert unavailable == {(path, method) for method, path, _, _ in changes} | {("/healthz", "get")}
