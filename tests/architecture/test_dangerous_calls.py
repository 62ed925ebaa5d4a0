"""What product code must never do, because one slip would open the machine or the stored secrets."""

import ast

import pytest

from tests.architecture.sources import PRODUCT, Source, calls, dotted_name, imported_modules, sources

FORBIDDEN_CALLS = frozenset({"eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load"})
FORBIDDEN_MODULES = ("pickle", "marshal", "shelve", "dill")
FORBIDDEN_ARGUMENTS = {"verify": False, "ssl": False, "check_hostname": False, "shell": True}

# The one place for each library: the client, and the transport beneath it that refuses forbidden addresses.
CLIENT_MODULES = {
    "httpx": "orchestrator_app/providers/client.py",
    "aiohttp": "orchestrator_app/providers/guarded_transport.py",
}
CLIENTS = frozenset({"AsyncClient", "Client", "ClientSession"})
OTHER_CLIENTS = ("urllib.request", "http.client", "requests")
ONE_CALL_FUNCTIONS = frozenset(
    {"get", "post", "put", "patch", "delete", "head", "options", "request", "stream"}
)


def dangers(tree: ast.Module) -> list[str]:
    found = [
        f"line {line} imports {module}"
        for module, line in imported_modules(tree)
        if module.split(".")[0] in FORBIDDEN_MODULES
    ]
    for call in calls(tree):
        name = dotted_name(call.func)
        if name in FORBIDDEN_CALLS:
            found.append(f"line {call.lineno} calls {name}")
        for keyword in call.keywords:
            value = keyword.value
            if (
                keyword.arg in FORBIDDEN_ARGUMENTS
                and isinstance(value, ast.Constant)
                and value.value is FORBIDDEN_ARGUMENTS[keyword.arg]
            ):
                found.append(f"line {call.lineno} passes {keyword.arg}={value.value}")
    return found


def clients(source: Source) -> list[str]:
    """Every place that opens a connection of its own instead of being handed the one guarded client."""
    imported = [module for module, _line in imported_modules(source.tree)]
    library_of = {module.rpartition(".")[2]: module.partition(".")[0] for module in imported}
    found = [
        f"line {line} imports {module}"
        for module, line in imported_modules(source.tree)
        if f"{module}.".startswith(tuple(f"{other}." for other in OTHER_CLIENTS))
    ]
    for call in calls(source.tree):
        front, _, function = dotted_name(call.func).rpartition(".")
        library = front or library_of.get(function, "")
        opens = function in CLIENTS or (front in CLIENT_MODULES and function in ONE_CALL_FUNCTIONS)
        if opens and library in CLIENT_MODULES and CLIENT_MODULES[library] != source.name:
            found.append(f"line {call.lineno} calls {dotted_name(call.func)}")
    return found


def test_no_module_does_what_could_run_foreign_code_or_skip_a_check():
    found = {source.name: dangers(source.tree) for source in sources(PRODUCT)}
    assert found
    assert {name: places for name, places in found.items() if places} == {}


def test_only_the_guarded_client_opens_connections():
    found = {source.name: clients(source) for source in sources(PRODUCT)}
    assert found
    assert {name: places for name, places in found.items() if places} == {}


@pytest.mark.parametrize(
    "line",
    [
        "eval('1')",
        "import pickle",
        "from pickle import loads",
        "import os; os.system('ls')",
        "httpx.AsyncClient(verify=False)",
        "subprocess.run('ls', shell=True)",
        "import yaml; yaml.load('')",
    ],
)
def test_each_danger_would_be_noticed(line: str):
    assert dangers(ast.parse(line))


@pytest.mark.parametrize("line", ["re.compile('a')", "f(verify=True)", "yaml.safe_load('')", "model.eval()"])
def test_harmless_lines_are_no_danger(line: str):
    assert dangers(ast.parse(line)) == []


@pytest.mark.parametrize(
    "line",
    [
        "import httpx; httpx.AsyncClient()",
        "from httpx import AsyncClient; AsyncClient()",
        "import httpx; httpx.get('http://a')",
        "import aiohttp; aiohttp.ClientSession()",
        "import urllib.request",
        "from urllib import request",
        "import requests",
    ],
)
def test_each_further_client_would_be_noticed(line: str):
    assert clients(Source("orchestrator_app/api/x.py", line))


@pytest.mark.parametrize("line", ["client.get('http://a')", "import httpx; httpx.URL('http://a')"])
def test_using_the_client_is_no_further_client(line: str):
    assert clients(Source("orchestrator_app/api/x.py", line)) == []
