"""The Orkes flavor: the registry of schemas."""

import json
from typing import Any

from devserver_rig import Rig

from anyworker.devserver.orkes.orkes import Orkes
from anyworker.devserver.orkes.tokens import Tokens


def rig() -> Rig:
    return Rig(orkes=Orkes(Tokens(b"signed by the server", 60.0)))


def schema(name: str = "order", **fields: Any) -> dict[str, Any]:
    return {"name": name, "type": "JSON", "data": {"type": "object"}, **fields}


def test_schema_is_returned_as_it_was_stored() -> None:
    server = rig()
    source = schema(version=3, externalRef="http://example.com/s", data={"a": [1, None, {"b": True}]})
    assert server.ok("POST", "/schema", source) is None
    stamps = {"createTime": server.now, "updateTime": server.now}
    assert server.get("/schema/order/3") == {**stamps, **source}
    assert server.get("/schema") == [{**stamps, **source}]
    assert server.get("/schema?short=true") == [{**stamps, "name": "order", "version": 3}]


def test_list_of_schemas_is_stored_whole_or_not_at_all() -> None:
    server = rig()
    answer = server.send("POST", "/schema", [schema("a"), {"type": "JSON"}, None, schema("")])
    assert answer.status == 400
    broken = [violation["path"] for violation in json.loads(answer.body)["validationErrors"]]
    assert broken == [f"saveSchemas.arg0[{position}].name" for position in (1, 2, 3)]
    assert server.get("/schema") == []
    server.ok("POST", "/schema", [schema("a"), schema("b", type="AVRO"), schema("c", type="PROTOBUF")])
    assert [found["type"] for found in server.get("/schema")] == ["JSON", "AVRO", "PROTOBUF"]


def test_schema_of_an_unknown_type_is_refused() -> None:
    assert rig().send("POST", "/schema", schema(type="YAML")).status == 500


def test_stored_version_is_replaced_and_keeps_its_first_time() -> None:
    server = rig()
    server.ok("POST", "/schema", schema())
    created = server.now
    server.sleep(1)
    server.ok("POST", "/schema", schema(data={"type": "string"}))
    (found,) = server.get("/schema")
    assert (found["createTime"], found["updateTime"]) == (created, server.now)
    assert (found["version"], found["data"]) == (1, {"type": "string"})


def test_new_version_follows_the_latest() -> None:
    server = rig()
    server.ok("POST", "/schema?newVersion=true", schema())
    assert server.get("/schema/order")["version"] == 1
    server.ok("POST", "/schema", schema(version=7))
    server.ok("POST", "/schema?newVersion=true", [schema(version=2), schema()])
    assert [found["version"] for found in server.get("/schema")] == [1, 7, 8, 9]
    assert server.get("/schema/order")["version"] == 9


def test_unknown_schema_is_not_found() -> None:
    server = rig()
    server.ok("POST", "/schema", schema())
    for path in ("/schema/other", "/schema/other/1", "/schema/order/2"):
        assert server.send("GET", path).status == 404
    assert server.send("GET", "/schema/order/one").status == 500


def test_one_version_or_all_are_removed() -> None:
    server = rig()
    server.ok("POST", "/schema", [schema(version=1), schema(version=2), schema("other")])
    server.ok("DELETE", "/schema/order/2")
    assert server.get("/schema/order")["version"] == 1
    assert server.send("DELETE", "/schema/order/2").status == 500
    server.ok("DELETE", "/schema/order/1")
    assert server.send("GET", "/schema/order").status == 404
    assert server.send("DELETE", "/schema/order").status == 500
    server.ok("DELETE", "/schema/other")
    assert server.get("/schema") == []
