"""The port of a worker or a scheduler tells what ``/metrics`` of a web process tells, the database included."""

from __future__ import annotations

import requests

from bot.app import build
from bot.metrics.port import open_metrics
from tests.stand import config_for, free_port


def test_a_process_without_web_tells_the_same(database_url: str) -> None:
    product = build(config_for(database_url, 8000, "http://127.0.0.1:9"))
    assert product.gate.admit("message/send", 5, product.clock()).granted
    port = free_port()

    open_metrics(product, port)

    told = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    assert "lianke_database_up 1.0" in told  # 0 would alarm
    assert 'lianke_rows{state="pending",table="inbox"} 0.0' in told
    assert 'lianke_api_held_back{api="message/send"} 0.0' in told
    assert "lianke_welcome_seconds_bucket" in told
    product.database.dispose()
