from __future__ import annotations

import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pyodbc
import pytest
import requests

from tests.sandbox.drivers import ODBC_DRIVER

ROOT = Path(__file__).parents[2]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def _running(*arguments: str):
    """A running sandbox program; on SIGTERM it must exit with 0."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout as output:
        yield output.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


def _query(port: int, login: str, sql: str):
    text = f"DRIVER={ODBC_DRIVER};SERVER=127.0.0.1,{port};DATABASE=shop;UID={login};PWD=Sandbox-1"
    connection = pyodbc.connect(f"{text};TrustServerCertificate=yes", timeout=5)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_sql_server_serves_the_shop_to_both_logins():
    """`python -m sandbox sql-server --port N`: database shop, logins sa and reader."""
    port = _free_port()

    with _running("sql-server", "--port", str(port)) as line:
        assert f"127.0.0.1:{port}" in line
        for login in ("sa", "reader"):
            assert _query(port, login, "SELECT COUNT(*) FROM users")[0][0] == 1200
        with pytest.raises(pyodbc.Error, match="229"):
            _query(port, "reader", "DELETE FROM users")


def test_collector_serves_the_api():
    """`python -m sandbox collector --port N` accepts calls and returns them."""
    port = _free_port()

    with _running("collector", "--port", str(port)) as line:
        url = f"http://127.0.0.1:{port}"
        assert f"{url}/v1" in line
        call = {"userId": "1", "traits": {}}
        sent = requests.post(f"{url}/v1/identify", json=call, auth=("sandbox-key", ""), timeout=5)
        shown = requests.get(f"{url}/calls", timeout=5).json()

    assert sent.status_code == 200
    assert [entry["call"] for entry in shown] == [call]


def test_port_in_use_is_an_error():
    """A port in use ends the program with a message."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        command = [sys.executable, "-m", "sandbox", "collector", "--port", str(port)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
