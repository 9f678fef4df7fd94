"""The syncs of the sample shop, as the tap's `syncs` setting holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

USERS = """\
SELECT id AS userId, email_address AS email, fname, lname, msisdn AS phone
FROM users
WHERE last_updated >= {{last_sync_time}}"""

EVENTS = """\
SELECT id AS userId, event_name AS event, timestamp, products, total_price AS value
FROM events
WHERE timestamp >= {{last_sync_time}}"""

COMPANIES = """\
SELECT companyId AS groupId, objectTypeId, companyname, employees, personId AS userId
FROM companies
WHERE last_updated >= {{last_sync_time}}"""

PAGES = """\
SELECT id AS userId, metatitle as name, timestamp, url, time_on_page
FROM pages
WHERE timestamp >= {{last_sync_time}}"""

SCREENS = """\
SELECT id AS userId, screen_name as name, timestamp, session_started
FROM screens
WHERE timestamp >= {{last_sync_time}}"""

USER_RESOLUTION = """\
SELECT id AS userId, old_id as previousId
FROM user_resolution
WHERE timestamp >= {{last_sync_time}}"""

SUBSCRIPTIONS = """\
SELECT
    user_id AS userId,
    plan_name AS [traits.subscription.plan],
    monthly_price AS [traits.subscription.monthlyPrice],
    is_trial AS [traits.subscription.isTrial],
    renews_on AS [traits.subscription.renewsOn]
FROM subscriptions
WHERE updated_at >= {{last_sync_datetime}}"""

SYNCS: tuple[Mapping[str, Any], ...] = (
    {"name": "users", "type": "identify", "query": USERS},
    {"name": "events", "type": "track", "query": EVENTS, "json_columns": ["products"]},
    {"name": "companies", "type": "group", "query": COMPANIES},
    {"name": "pages", "type": "page", "query": PAGES},
    {"name": "screens", "type": "screen", "query": SCREENS},
    {"name": "user_resolution", "type": "alias", "query": USER_RESOLUTION},
    {"name": "subscriptions", "type": "identify", "query": SUBSCRIPTIONS},
)
