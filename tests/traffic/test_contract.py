"""An application is described in a file: what is wrong with it is one sentence, what it says is what is sent and read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.unusable import UnusableInput
from traffic.contract import Contract, Write
from traffic.contract_file import order_api, read_contract
from traffic.load import amount_of
from traffic.outcomes import Answer, of_read, of_write
from traffic.pointer import find, mistake
from traffic.template import Template

PLAIN = """
name = "plain"
region = "here"

[write]
path = "/things/{key}"
method = "PUT"
body = { value = "{content}", label = "no {key}" }

[read]
path = "/things/{key}"
answer = { content = "/value" }

[survivors.listing]
path = "/things"
key = "/id"
content = "/value"
"""


def test_the_order_api_is_described_in_the_same_terms() -> None:
    """Its requests are byte for byte those that its handler knows, and it survives the way to Locust."""
    write = order_api().write
    sent = Template(write.path, write.body)
    values: Mapping[str, int | bool] = {"key": 20, "content": 21, "receipt": True}
    assert (write.method, sent.path(values)) == ("POST", "/orders")
    assert sent.body(values) == b'{"key":20,"amount":21,"receipt":true}'
    assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(order_api())), Contract) == order_api()
    assert order_api().has_content
    assert order_api().has_receipts


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("", "[", "is no TOML file"),
        ('name = "plain"', "", "Object missing required field `name`"),
        ('method = "PUT"', 'methd = "PUT"', "write: Object contains unknown field `methd`"),
        ('method = "PUT"', 'method = "put"', "write.method: Expected `str` matching regex"),
        ('method = "PUT"', "expect = 200", "write.expect: Expected `array`, got `int`"),
        ('method = "PUT"', "expect = [99]", "write.expect[0]: Expected `int` >= 100"),
        ('method = "PUT"', "expect = [404]", "write.expect: 404 is no status of success"),
        ('method = "PUT"', "not_done = [201]", "write: status 201 is in expect and in not_done"),
        (
            'method = "PUT"',
            'headers = { a = "b\\nc" }',
            "write.headers.a: its value holds a line break, another control",
        ),
        ('method = "PUT"', 'headers = { a = "\\u001b[2J" }', "write.headers.a: its value holds a line break"),
        ('method = "PUT"', 'headers = { a = "b " }', "write.headers.a: its value holds a line break"),
        ('method = "PUT"', 'headers = { a = "\u2028" }', "write.headers.a: its value holds a line break"),
        ('method = "PUT"', 'headers = { "a b" = "c" }', "write.headers: 'a b' is no header's name"),
        ('method = "PUT"', 'headers = { "" = "c" }', "write.headers: '' is no header's name"),
        ('method = "PUT"', 'headers = { a = "1", A = "2" }', "write.headers.A is there twice"),
        ('method = "PUT"', 'headers = { Content-Length = "1" }', "write.headers.Content-Length: the HTTP client says"),
        ('method = "PUT"', 'headers = { a = "{key}" }', "write.headers.a: headers have no placeholders"),
        ('method = "PUT"', 'method = "GET"', "write.method: GET stores nothing: give the one that does"),
        (
            "[survivors.listing]",
            '[survivors.listing]\nmethod = "DELETE"',
            "survivors.listing.method: DELETE shows nothing",
        ),
        ('"no {key}"', "nan", "write.body: nan is no JSON"),
        ('region = "here"', 'region = ""', "region: '' names nothing"),
        ('region = "here"', 'headers = { "x:y" = "z" }', "headers: 'x:y' is no header's name"),
        ('region = "here"', 'region_header = "x region"', "region_header: 'x region' is no header's name"),
        ('region = "here"', 'secret_headers = { a = "my token" }', "secret_headers.a: 'my token' is no environment"),
        (
            'region = "here"',
            'headers = { a = "1" }\nsecret_headers = { A = "B" }',
            "secret_headers.a stands in headers too",
        ),
        ('region = "here"', "colour = 1", "Object contains unknown field `colour`"),
        ('name = "plain"', 'name = "\\u001b[31m"', "name: '\\x1b[31m' names nothing"),
        ("[read]", "[read]\nexpect = [200, 404]", "read.expect: 404 is no status of success"),
        ("[read]", "[read]\nmissing = [200]", "read: status 200 is in expect and in missing"),
        ("[read]", '[read]\nmethod = "PUT"', "read.method: PUT shows nothing, or changes something"),
        ("answer = { content", 'answer = { done = "/d", content', "read.answer.done is said of a write alone"),
        ("/things/{key}", "/things/{key }", "write.path '/things/{key }' holds a space"),
        ("/things/{key}", "/things/{key}{", "write.path '/things/{key}{' holds a character that no URL has"),
        ("/things/{key}", "/things/{key}%zz", "or a lone %: escape it"),
        ('key = "/id"', 'next = { header = "" }', "survivors.listing.next.header: '' is no header's name"),
        ('key = "/id"', 'next = { pointer = "" }', "survivors.listing.next.pointer is empty"),
        ('key = "/id"', 'next = { parameter = "" }', "survivors.listing.next.parameter: '' is no parameter's name"),
        (
            'key = "/id"',
            'next = { parameter = "a&b" }',
            "survivors.listing.next.parameter: 'a&b' is no parameter's name",
        ),
        (
            'key = "/id"',
            "next = { link = true, first = 0 }",
            "survivors.listing.next: first and step belong to a parameter",
        ),
        (
            'key = "/id"',
            "next = { link = true, page = 1 }",
            "survivors.listing.next: Object contains unknown field `page`",
        ),
        (
            'path = "/things"\nkey = "/id"',
            'path = "/things?page=1"\nnext = { parameter = "page" }',
            "survivors.listing.next.parameter: page stands in survivors.listing.path too",
        ),
        ("[survivors.listing]", '[health]\npath = "/{key}"\n[survivors.listing]', "health.path asks for {key}"),
        ("[survivors.listing]", '[health]\npath = "/h"\nexpect = [102]\n[survivors.listing]', "health.expect: 102"),
        (
            "[survivors.listing]",
            '[beat.write]\nmethod = "PUT"\npath = "/b"\n[beat.read]\npath = "/b"\n[survivors.listing]',
            "beat.write sends no {seq}",
        ),
        (
            "[survivors.listing]",
            '[beat.write]\npath = "/b/{seq}"\n[beat.read]\npath = "/b"\n[survivors.listing]',
            "beat.write.method: GET stores nothing",
        ),
        (
            "[survivors.listing]",
            '[survivors.objects]\nprefix = "r/"\n[survivors.listing]',
            "survivors.objects says where receipts are read back, but write asks for no {receipt}",
        ),
        (
            '[survivors.listing]\npath = "/things"\nkey = "/id"\ncontent = "/value"',
            '[survivors.rows]\nsql = " "',
            "survivors.rows.sql is empty",
        ),
        ("/things/{key}", "things/{key}", "write.path 'things/{key}' is no path: begin it with /"),
        ("/things/{key}", "/thi ngs/{key}", "write.path '/thi ngs/{key}' holds a space or #: escape it"),
        ("/things/{key}", "/things/{ky}", "write asks for {ky}, which is no placeholder there: known are {content}"),
        (
            'body = { value = "{content}", label = "no {key}" }',
            "",
            "read.answer.content points to a content, but write",
        ),
        ('path = "/things/{key}"\nanswer', 'path = "/things"\nanswer', "read asks for no {key}: put it in its path"),
        (
            'content = "/value" }',
            'content = "value" }',
            "read.answer.content: 'value' is no JSON pointer: begin it with",
        ),
        ('key = "/id"', 'key = "/i~d"', "survivors.listing.key: '/i~d' is no JSON pointer: write ~ as ~0"),
        ("[survivors.listing]", "[survivors.list]", "survivors: Object contains unknown field `list`"),
        ('key = "/id"', "next = { link = true, header = 'x' }", "survivors.listing.next: give exactly one of pointer"),
        ("answer = { content", 'answer = { region = "/r", content', "region names the only place of the application"),
        ('key = "/id"', "next = {}", "survivors.listing.next: give exactly one of pointer"),
        ('"no {key}"', '"{receipt}"', "write asks for {receipt} and write.answer.receipt points to its success"),
        (
            "[survivors.listing]",
            '[survivors.rows]\nsql = ""\n[survivors.listing]',
            "either a table listing or a table rows",
        ),
    ],
)
def test_each_mistake_is_one_sentence(tmp_path: Path, before: str, after: str, sentence: str) -> None:
    """It names the file, the table and how to mend it."""
    path = tmp_path / "workload.toml"
    assert before in PLAIN
    path.write_text(PLAIN.replace(before, after, 1))
    with pytest.raises(UnusableInput) as refused:
        read_contract(path)
    assert sentence in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value).replace(after, "")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """As every other unusable input."""
    with pytest.raises(UnusableInput, match="cannot be read"):
        read_contract(tmp_path / "none.toml")
    os.mkfifo(tmp_path / "fifo.toml")
    with pytest.raises(UnusableInput, match="is a FIFO"):
        read_contract(tmp_path / "fifo.toml")


def test_secrets_come_from_the_environment_and_stay_out_of_the_file(tmp_path: Path) -> None:
    """A variable that is not set is named."""
    path = tmp_path / "workload.toml"
    path.write_text('secret_headers = { authorization = "THINGS_TOKEN" }\n' + PLAIN)
    contract = read_contract(path)
    assert contract.secrets({"THINGS_TOKEN": "Bearer x"}) == {"authorization": "Bearer x"}
    with pytest.raises(UnusableInput, match="plain: set THINGS_TOKEN, which secret_headers"):
        contract.secrets({})
    for value in ("Bearer x\n", "Bearer\x00", "Bearer \u2028x"):
        with pytest.raises(
            UnusableInput, match="plain: the value of THINGS_TOKEN cannot be sent as authorization"
        ) as no:
            contract.secrets({"THINGS_TOKEN": value})
        assert value.strip() not in str(no.value)


def test_a_placeholder_alone_is_a_value_and_within_a_text_its_digits() -> None:
    """Numbers stay numbers, names of fields are filled in too, other braces stay, and a request may have no body."""
    body: Any = {"{key}": "{key}", "list": ["{receipt}", 1, "a{key}b{receipt}"], "other": "{ key }"}
    sent = Template("/a/{key}/{key}", body)
    values: Mapping[str, int | bool] = {"key": 5, "receipt": False}
    assert sent.path(values) == "/a/5/5"
    assert msgspec.json.decode(sent.body(values) or b"") == {
        "5": 5,
        "list": [False, 1, "a5bfalse"],
        "other": "{ key }",
    }
    assert Template("/").body(values) is None


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", {"foo": ["bar", "baz"], "a/b": 1, "m~n": 8, "": 0, " ": 7}),
        ("/foo/0", "bar"),
        ("/a~1b", 1),
        ("/m~0n", 8),
        ("/", 0),
        ("/ ", 7),
        ("/foo/2", None),
        ("/foo/-", None),
        ("/foo/00", None),
        ("/foo/0/x", None),
    ],
)
def test_pointers_are_those_of_rfc_6901(pointer: str, value: Any) -> None:
    """Its own examples, and what leads nowhere."""
    assert mistake(pointer) is None
    assert find({"foo": ["bar", "baz"], "a/b": 1, "m~n": 8, "": 0, " ": 7}, pointer) == value


@given(st.recursive(st.integers(), lambda inner: st.dictionaries(st.text(), inner, max_size=3), max_leaves=8))
def test_every_value_of_a_document_can_be_pointed_to(document: Any) -> None:
    """Whatever its fields are named."""

    def walk(value: Any, pointer: str) -> None:
        assert mistake(pointer) is None
        assert find(document, pointer) == value
        for name, inner in value.items() if isinstance(value, dict) else ():
            walk(inner, f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}")

    walk(document, "")


def test_an_application_without_a_word_of_its_own_is_judged_by_its_statuses() -> None:
    """An expected status is an acknowledgement, one that surely means no is a failure, all else is in doubt."""
    write = Write("/things/{key}", answer=msgspec.convert({}, type(order_api().write.answer)))
    assert of_write(write, Answer(201, None, b""), None, 7) == ("ok", None)
    assert of_write(write, Answer(429, None, b""), None, 7) == ("fail", "throttled")
    assert of_write(write, Answer(503, None, b""), None, 7) == ("unknown", "http_503")


def test_an_application_may_show_keys_as_text(tmp_path: Path) -> None:
    """The same digits are the same key; what is no number is another one."""
    path = tmp_path / "workload.toml"
    path.write_text(PLAIN)
    read, right = read_contract(path).read, {"value": str(amount_of(7))}
    assert of_read(read, Answer(200, None, b""), right, 7) == ("ok", None)
    strange: list[Any] = [True, "x", 0, {}]
    for wrong in strange:
        assert of_read(read, Answer(200, None, b""), {"value": wrong}, 7) == ("fail", "wrong_content")
