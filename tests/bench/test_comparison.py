import json
from pathlib import Path

import pytest

from bench.comparison import compared, read
from bench.figures import Figure

BEFORE = [
    Figure("start", "start to ready", "s", [4.0, 3.0, 5.0]),
    Figure("fan-out", "10 calls", "ms", [200.0], [100.0]),
    Figure("start", "CPU at rest", "% of a core", [0.0]),
]
AFTER = [
    Figure("fan-out", "10 calls", "ms", [150.0], [100.0]),
    Figure("start", "start to ready", "s", [1.0]),
    Figure("start", "CPU at rest", "% of a core", [0.5]),
    Figure("http3", "added", "ms", [7.0]),
]


def written(figures: list[Figure], file: Path) -> Path:
    file.write_text(json.dumps({"figures": [figure.as_json() for figure in figures]}), encoding="utf-8")
    return file


def test_figures_stand_side_by_side_with_their_factor(tmp_path: Path):
    before = read(written([*BEFORE, Figure("live", "median", "ms", [9.0])], tmp_path / "before.json"))
    lines = compared(before, read(written(AFTER, tmp_path / "after.json")))
    shown = [" ".join(line.split()) for line in lines if "─" not in line]
    assert shown == [
        "before after factor ratio before ratio after",
        "10 calls 200 ms 150 ms 0.75 2.00 1.50",
        "start to ready 4.00 s 1.00 s 0.25",
        "CPU at rest 0.00 % of a core 0.50 % of a core",
        "Only after: http3: added",
        "Only before: live: median",
    ]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"figures'])
def test_another_file_is_refused_with_its_name(tmp_path: Path, content: str):
    file = tmp_path / "other.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=r"other\.json"):
        read(file)
