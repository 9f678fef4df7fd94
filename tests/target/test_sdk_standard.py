from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from singer_sdk.testing import target_test_streams

from tests.packaging.conftest import ROOT


def _streams() -> set[str]:
    """The names of all streams in the SDK's inputs."""
    texts = [path.read_text() for path in Path(target_test_streams.__path__[0]).glob("*.singer")]
    return {name for text in texts for name in re.findall(r'"stream": "([^"]+)"', text)}


def test_standard_tests_of_the_sdk_pass(tmp_path):
    """singer-sdk's standard suite for targets passes."""
    settings = {
        "output_path": str(tmp_path / "calls.jsonl"),
        "dead_letter_path": str(tmp_path / "dead_letters.jsonl"),
        "call_types": dict.fromkeys(_streams(), "identify"),
        "max_rejected_ratio": 1,  # most of their rows name nobody
    }
    suite = Path(__file__).with_name("sdk_standard.py")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--quiet", "--config-file", os.devnull, suite],
        cwd=ROOT,
        env={**os.environ, "STANDARD_TEST_CONFIG": json.dumps(settings)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
