from pathlib import Path

import pytest

import rxconfig

# As Reflex 0.10.1 writes it.
BUILT = (
    "const e={PING:`http://localhost:8000/ping`,EVENT:`ws://localhost:8000/_event`,TRANSPORT:`websocket`};"
)


def post_build(folder: Path) -> None:
    rxconfig.RelativeBackendUrlPlugin().post_build(static_dir=folder)


def test_the_built_pages_call_the_server_they_came_from(tmp_path: Path):
    chunk = tmp_path / "assets" / "reflex-env-AbC1.js"
    chunk.parent.mkdir()
    chunk.write_text(BUILT)
    post_build(tmp_path)
    assert chunk.read_text() == (
        "const e={PING:location.origin+`/ping`,"
        "EVENT:location.origin.replace(/^http/,'ws')+`/_event`,TRANSPORT:`websocket`};"
    )


@pytest.mark.parametrize("text", ["const e={};", "const e={EVENT:`wss://example.org/_event`};"])
def test_a_build_with_another_layout_fails_instead_of_calling_nobody(tmp_path: Path, text: str):
    (tmp_path / "reflex-env-AbC1.js").write_text(text)
    with pytest.raises(RuntimeError, match="layout"):
        post_build(tmp_path)


def test_no_web_page_but_our_own_may_call():
    assert "*" not in rxconfig.config.cors_allowed_origins
    assert rxconfig.config.backend_host == "127.0.0.1"


def test_bun_comes_with_the_locked_packages():
    assert Path(rxconfig.config.bun_path).is_file()
