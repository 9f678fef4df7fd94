"""Names and titles of the sample shop, with accents, other scripts and emoji."""

from __future__ import annotations

FIRST_NAMES = (
    "Zoë", "José", "Łukasz", "Søren", "Anaïs", "Jürgen", "Ольга", "花子", "أمينة", "Nguyễn",
    "Siobhán", "Björn", "Ada", "Grace", "Linus", "Şebnem", "Ιωάννης", "Renée", "🦄 Nova", "Tom",
)  # fmt: skip
LAST_NAMES = (
    "Müller", "García", "Wiśniewski", "Ångström", "O'Brien", "d'Aubigné", "Петрова", "山田",
    "Özdemir", "Trần", "Smith-Jones", "Dvořák", "Nuñez", "Παπαδόπουλος", "Lovelace", "Hopper",
)  # fmt: skip
COMPANIES = (
    "Bäckerei Schön GmbH", "Crème & Café SARL", "Fjord AS", "東京ガラス株式会社", "O'Neill & Sons",
    "Żółw S.A.", "Rocket 🚀 Ltd", 'Quote "Unquote" Inc', "Back\\Slash LLC", "Ñandú S.L.",
)  # fmt: skip
PRODUCTS = (
    ("SKU-101", "Espresso cup ☕", "12.90"),
    ("SKU-102", "Crème brûlée torch 🔥", "34.50"),
    ("SKU-103", "Brotmesser, groß", "27.00"),
    ("SKU-104", "急須 (teapot)", "58.25"),
    ("SKU-105", 'Pan, 28 cm (11")', "49.99"),
    ("SKU-106", "Moka pot", "31.05"),
)
PAGES = (
    ("Home", "/"),
    ("Coffee & tea » everything", "/c/coffee?sort=price&dir=asc"),
    ("Crème brûlée torch 🔥 | Shop", "/p/sku-102"),
    ("Über uns", "/de/%C3%BCber-uns"),
    ("Checkout", "/checkout#payment"),
)
SCREENS = ("Home", "Product", "Basket", "Checkout", "Réglages", "設定")
PLANS = (("Solo", "4.9900"), ("Duo ✌️", "7.9900"), ("Família", "12.5000"))
