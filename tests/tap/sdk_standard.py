"""singer-sdk's own tests of a tap; `test_sdk_standard.py` runs them where a server is."""

from __future__ import annotations

import json
import os

from singer_sdk.testing import get_tap_test_class

from tap_mssql_query.tap import TapMSSQLQuery

TestTap = get_tap_test_class(TapMSSQLQuery, config=json.loads(os.environ["STANDARD_TEST_CONFIG"]))
