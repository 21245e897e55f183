"""What one sandbox is: its corp, its credentials, and the platform's numbers, all adjustable."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SandboxSettings:
    """Settings of one sandbox. Times are seconds unless the name says otherwise; 0 switches a limit off.

    The platform's own numbers are the defaults (rates: path/90312; tokens: path/91039; welcome codes:
    path/92137; media: path/90253; callbacks: path/90930). Tests and benchmarks change them.
    """

    corp_id: str = "ww1a2b3c4d5e6f7a8b"
    agent_id: int = 1000002
    secret: str = "sandbox-app-secret"
    contact_secret: str = "sandbox-contact-secret"
    token: str = "LiankeSandboxToken"
    encoding_aes_key: str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    callback_url: str = "http://127.0.0.1:8000/callback/wecom"
    base_url: str = "http://127.0.0.1:9100"
    database: str = ":memory:"
    product_url: str = (
        ""  # where the product is, for the page's trace; empty: as in product_info, else callback_url's
    )
    product_token: str = (
        ""  # an API token of the product (events.read, calls.read); empty: as in product_info
    )
    product_info: str = ""  # a JSON file with base_url and api_token; empty: demo.json beside the database

    token_ttl_s: int = 7200
    ticket_ttl_s: int = 7200
    welcome_ttl_s: float = 20.0
    media_ttl_s: int = 3 * 86400
    cursor_ttl_s: int = 3600
    transfer_wait_s: int = 86400

    rate_per_minute: int = 10_000
    rate_per_hour: int = 150_000
    concurrency: int = 0  # parallel calls of one write API before 45033; users report 5 on the real platform
    latency_ms: int = 0  # added to every API answer
    member_messages_per_minute: int = 30
    member_messages_per_hour: int = 1000
    way_cap: int = 500_000
    tag_cap: int = 10_000
    group_owner_cap: int = 1000  # groupchat/list without owner_filter answers 81017 above it
    group_lag_s: float = (
        0.0  # for so long groupchat/get still shows the members before; about 2 on the real platform
    )

    callback_attempts: int = 3
    callback_timeout_s: float = 5.0
    callback_spacing_s: float = 1.0
    callback_connections: int = 100
    callback_own_clock: bool = False  # sign with the sandbox's clock: for a product that shares it

    app_may_call_contacts: bool = True  # the app is listed under 客户联系 → 可调用接口的应用
    short_pages: bool = False  # batch/get_by_user answers short and empty pages that still carry a cursor
