"""Ports, the configuration file, what is told to other programs."""

from __future__ import annotations

import json
import socket
import stat
from pathlib import Path

import pytest

from bot.config import load_config
from bot.demo import places as places_
from bot.demo.places import (
    CannotStart,
    Places,
    check_ports,
    find_places,
    known_places,
    take_lock,
    write_config,
)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "var", 8000, 9100)


def test_ports_come_from_the_environment(tmp_path: Path) -> None:
    found = find_places({"PORT": "8123", "SANDBOX_PORT": " 9123 "}, tmp_path)

    assert (found.base_url, found.sandbox_url) == ("http://127.0.0.1:8123", "http://127.0.0.1:9123")
    assert find_places({"PORT": ""}, tmp_path).port == 8000


@pytest.mark.parametrize("wrong", ["0", "65536", "-1", "http", "８０００", "8000.5", "1" * 50])
def test_a_port_that_is_none_is_named_with_an_example(wrong: str) -> None:
    with pytest.raises(CannotStart, match="PORT=8000 make demo"):
        find_places({"PORT": wrong})


def test_the_two_ports_must_differ() -> None:
    with pytest.raises(CannotStart, match="不能相同"):
        find_places({"PORT": "9100"})


def test_a_port_in_use_is_said_with_a_free_one(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(CannotStart, match=f"端口 {port} .*\n.*：SANDBOX_PORT=") as refused:
            check_ports(Places(tmp_path, 0, port))
    assert "make demo" in str(refused.value)


def test_the_configuration_is_the_example_with_keys_of_its_own(places: Places) -> None:
    write_config(places)

    config = load_config(places.config, environ={})
    example = load_config(places_.EXAMPLE, environ={})
    assert config.wecom.corp_id == example.wecom.corp_id
    assert config.app.secret_key != example.app.secret_key
    assert config.app.encryption_keys != example.app.encryption_keys
    assert config.database.url == f"sqlite:///{places.database}"
    assert stat.S_IMODE(places.config.stat().st_mode) == 0o600


def test_another_start_keeps_keys_and_edits_and_follows_the_ports(places: Places) -> None:
    write_config(places)
    first = load_config(places.config, environ={})
    text = places.config.read_text("utf-8").replace("threads = 8 ", "threads = 4 ")
    places.config.write_text(text, "utf-8")

    write_config(Places(places.folder, 8111, 9111))

    config = load_config(places.config, environ={})
    assert config.app.secret_key == first.app.secret_key
    assert config.app.encryption_keys == first.app.encryption_keys
    assert config.server.threads == 4
    assert (config.app.base_url, config.server.port) == ("http://127.0.0.1:8111", 8111)
    assert config.wecom.api_base == "http://127.0.0.1:9111/qyapi"
    assert known_places(places.folder) == Places(places.folder, 8111, 9111)


def test_a_broken_configuration_is_said_plainly(places: Places) -> None:
    places.folder.mkdir()
    places.config.write_text("[app\n", "utf-8")

    with pytest.raises(CannotStart, match=r"demo\.toml 已损坏"):
        write_config(places)


def test_nothing_is_known_before_the_first_start(places: Places) -> None:
    assert places_.read_info(places) == {}
    with pytest.raises(CannotStart, match="先运行 make demo"):
        known_places(places.folder)


def test_what_is_told_is_replaced_whole_and_private(places: Places) -> None:
    places_.write_info(places, {"base_url": "a"})
    places_.write_info(places, {"base_url": "b"})

    assert json.loads(places.info.read_text("utf-8")) == {"base_url": "b"} == places_.read_info(places)
    assert stat.S_IMODE(places.info.stat().st_mode) == 0o600
    assert [path.name for path in places.folder.iterdir()] == ["demo.json"]


def test_a_second_demo_in_the_folder_is_refused(places: Places) -> None:
    take_lock(places)

    with pytest.raises(CannotStart, match="已有一个演示在运行"):
        take_lock(places)
