"""singer-sdk's tests of a tap, which `test_sdk_standard.py` runs with a server."""

from __future__ import annotations

import json
import os

from singer_sdk.testing import get_tap_test_class

from tap_mssql_query.tap import TapMSSQLQuery

TestTap = get_tap_test_class(TapMSSQLQuery, config=json.loads(os.environ["STANDARD_TEST_CONFIG"]))
