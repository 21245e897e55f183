"""Configuration: what is read, who wins, and that each mistake is named with its path, an example and no secret."""

import base64
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.config import Config, ConfigError, load_config
from bot.config_checks import PUBLIC_VALUES
from bot.config_errors import submodel

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "config.example.toml"
DATA_KEY = base64.b64encode(bytes(range(32))).decode()
AES_KEY = base64.b64encode(bytes(range(100, 132))).decode().rstrip("=")


def write(tmp_path: Path, **changes: dict[str, Any] | list[dict[str, Any]] | None) -> Path:
    """Write the example's values with changed keys; None takes a key or section out."""
    tree: dict[str, Any] = tomllib.loads(EXAMPLE.read_text("utf-8"))
    for section, keys in changes.items():
        if keys is None:
            tree.pop(section)
        elif isinstance(keys, list):
            tree[section] = keys
        else:
            merged = tree.get(section, {}) | keys
            tree[section] = {key: value for key, value in merged.items() if value is not None}
    path = tmp_path / "config.toml"
    path.write_text("\n".join(_toml(tree)), encoding="utf-8")
    return path


def _toml(tree: dict[str, Any]) -> Iterator[str]:
    for section, keys in tree.items():
        for table in keys if isinstance(keys, list) else [keys]:
            yield f"[[{section}]]" if isinstance(keys, list) else f"[{section}]"
            for key, value in table.items():
                yield f"{key} = {_toml_value(value)}"


def _toml_value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


def account(**changes: Any) -> dict[str, Any]:
    values = {
        "name": "main",
        "app_id": "wx1a2b3c4d5e6f7a8b",
        "secret": "s",
        "token": "OfficialToken",
        "encoding_aes_key": AES_KEY,
    }
    return values | changes


def mistakes(path: Path | None, environ: dict[str, str] | None = None) -> dict[str, str]:
    """Path → whole message of each mistake."""
    with pytest.raises(ConfigError) as caught:
        load_config(path, environ or {})
    return {problem.path: str(problem) for problem in caught.value.problems}


def test_example_as_it_is_starts_the_sandbox_demo() -> None:
    config = load_config(EXAMPLE, {})

    assert config.wecom.api_base == "http://127.0.0.1:9100/qyapi"
    assert config.database.url == "sqlite:///var/lianke.db"
    assert config.wecom.corp_id == "ww1a2b3c4d5e6f7a8b"
    assert config.wecom.agent_id == 1000002
    assert config.wecom.secret.get_secret_value() == "sandbox-app-secret"
    assert config.wecom.contact_secret.get_secret_value() == "sandbox-contact-secret"
    assert config.wecom.token.get_secret_value() == "LiankeSandboxToken"
    assert config.wecom.encoding_aes_key.get_secret_value() == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    assert config.official_accounts == ()
    assert config.runtime.mode == "embedded"


def _all_keys() -> list[tuple[str, str]]:
    sections = {name: submodel(info) for name, info in Config.model_fields.items()}
    return [(name, key) for name, model in sections.items() if model for key in model.model_fields]


def test_example_shows_every_key_and_each_is_read(tmp_path: Path) -> None:
    uncommented = re.sub(r"(?m)^# (?=\[\[|\w+ = )", "", EXAMPLE.read_text("utf-8"))
    tree = tomllib.loads(uncommented)
    shown = {
        (section, key)
        for section, tables in tree.items()
        for table in (tables if isinstance(tables, list) else [tables])
        for key in table
    }
    path = tmp_path / "config.toml"
    path.write_text(uncommented, encoding="utf-8")

    config = load_config(path, {"WECOM_OLD_TOKEN": "OldToken", "WECOM_OLD_AES_KEY": AES_KEY})

    assert shown == set(_all_keys())
    assert config.official_accounts[0].name == "main"
    assert len(config.wecom.callback_keys) == 2


@pytest.mark.parametrize(("section", "key"), _all_keys())
def test_every_key_is_documented_with_description_and_example(section: str, key: str) -> None:
    text = (ROOT / "docs/configuration.md").read_text("utf-8")
    heading = f"## `[[{section}]]`" if section == "official_accounts" else f"## `[{section}]`"
    model = submodel(Config.model_fields[section])

    part = text.split(heading, 1)[1].split("\n## ", 1)[0]

    assert f"| `{key}` |" in part
    assert model is not None
    assert model.model_fields[key].description
    assert model.model_fields[key].examples


def test_example_in_every_message_is_itself_right(tmp_path: Path) -> None:
    tree: dict[str, Any] = {}
    for section, key in _all_keys():
        model = submodel(Config.model_fields[section])
        assert model is not None
        tree.setdefault(section, {})[key] = model.model_fields[key].examples[0]
    tree["wecom"]["api_base"] = tree["official_accounts"]["api_base"] = (
        "http://127.0.0.1:9100"  # its key is public
    )
    tree["app"]["secret_key"] = "k" * 32  # the example names a file
    path = write(tmp_path, **{**tree, "official_accounts": [tree["official_accounts"]]})
    environ = {"LIANKE_DATA_KEY": DATA_KEY, "WECOM_TOKEN": "Token1", "WECOM_OLD_TOKEN": "Token2"}
    environ |= {"WECOM_SECRET": "s", "WECOM_CONTACT_SECRET": "s", "WECOM_OLD_AES_KEY": AES_KEY}
    environ |= {"OFFICIAL_SECRET": "s", "OFFICIAL_TOKEN": "Token3"}

    assert load_config(path, environ).official_accounts[0].name == "main"


BAD_VALUES = [
    ("app", "base_url", "scrm.example.com", "不是可用的网址"),
    ("app", "base_url", "ftp://scrm.example.com", "不是可用的网址"),
    ("app", "base_url", "https://", "不是可用的网址"),
    ("app", "base_url", "https://a.example.com:99999", "不是可用的网址"),
    ("app", "base_url", "https://a b.example.com", "不是可用的网址"),
    ("app", "base_url", "https://u:p@a.example.com", "不能带账号"),
    ("app", "base_url", "https://a.example.com/?x=1", "不能带账号、? 或 #"),
    ("app", "base_url", 5, "应当是带引号的文本"),
    ("app", "timezone", "Asia/Shangai", "不认识这个时区"),
    ("app", "timezone", "", "不认识这个时区"),
    ("app", "timezone", "../etc/passwd", "不认识这个时区"),
    ("app", "timezone", "Asia", "不认识这个时区"),
    ("app", "locale", "fr", "只能是 'zh_CN' 或 'en'"),
    ("app", "secret_key", "", "不能为空"),
    ("app", "secret_key", "k" * 31, "太短,至少 32 个字符"),
    ("app", "encryption_keys", [], "至少要有一项"),
    ("app", "encryption_keys", 7, "应当是列表"),
    ("server", "host", "http://127.0.0.1", "应当是 IP 或主机名"),
    ("server", "host", "127.0.0.1:80", "应当是 IP 或主机名"),
    ("server", "port", 0, "不能小于 1"),
    ("server", "port", 65536, "不能大于 65535"),
    ("server", "port", "80a", "应当是整数"),
    ("server", "port", 80.5, "应当是整数"),
    ("server", "threads", True, "应当是整数"),
    ("database", "url", "", "不是可用的数据库地址"),
    ("database", "url", "lianke.db", "不是可用的数据库地址"),
    ("database", "url", "postgresql://a:b@c/d", "只支持"),
    ("database", "url", "mysql://a:b@c/d", "只支持"),
    ("database", "url", "sqlite://", "内存数据库"),
    ("database", "url", "sqlite:///:memory:", "内存数据库"),
    ("database", "url", "sqlite://var/lianke.db", "三个斜杠"),
    ("database", "url", "postgresql+psycopg://a:b@c", "缺少主机名或库名"),
    ("redis", "url", "localhost:6379", "不是可用的 Redis 地址"),
    ("runtime", "mode", "clutser", "只能是 'embedded' 或 'cluster'"),
    ("wecom", "corp_id", "", "应当由字母和数字组成"),
    ("wecom", "corp_id", 12, "应当是带引号的文本"),
    ("wecom", "agent_id", 0, "不能小于 1"),
    ("wecom", "agent_id", "abc", "应当是整数"),
    ("wecom", "secret", "", "不能为空"),
    ("wecom", "secret", "a b", "不能含有空格"),
    ("wecom", "contact_secret", "", "不能为空"),
    ("wecom", "token", "", "不能为空"),
    ("wecom", "token", "ab", "3 到 32 个"),
    ("wecom", "token", "t" * 33, "3 到 32 个"),
    ("wecom", "previous_token", "", "不能为空"),
    ("wecom", "encoding_aes_key", "", "不能为空"),
    ("wecom", "encoding_aes_key", AES_KEY[:42], "现在是 42 个字符"),
    ("wecom", "encoding_aes_key", AES_KEY + "=", "现在是 44 个字符"),
    ("wecom", "encoding_aes_key", "!" * 43, "43 个 base64 字符"),
    ("wecom", "previous_encoding_aes_key", "short", "43 个 base64 字符"),
    ("wecom", "api_base", "qyapi.weixin.qq.com", "不是可用的网址"),
    ("wecom", "api_base", "http://127.0.0.1/cgi-bin/", "只写 /cgi-bin 之前的部分"),
]


@pytest.mark.parametrize(("section", "key", "value", "words"), BAD_VALUES)
def test_wrong_value_is_named_with_path_reason_and_example(
    tmp_path: Path, section: str, key: str, value: Any, words: str
) -> None:
    found = mistakes(write(tmp_path, **{section: {key: value}}))

    assert list(found) == [f"[{section}] {key}"]
    message = found[f"[{section}] {key}"]
    assert words in message
    assert f"例:{key} = " in message


@pytest.mark.parametrize(
    ("network", "words"), [("10.0.0.1/8", "应当是网段或 IP"), ("0.0.0.0/0", "不能信任所有地址")]
)
def test_a_proxy_network_must_be_one_and_not_everybody(tmp_path: Path, network: str, words: str) -> None:
    found = mistakes(write(tmp_path, server={"trusted_proxies": [network]}))

    assert list(found) == ["[server] trusted_proxies 第 1 项"]
    assert words in found["[server] trusted_proxies 第 1 项"]


@pytest.mark.parametrize("field", ["name", "app_id", "secret", "token", "encoding_aes_key", "api_base"])
def test_wrong_official_account_is_named_by_its_number(tmp_path: Path, field: str) -> None:
    accounts = [account(), account(**{"name": "second", field: "% %"})]

    found = mistakes(write(tmp_path, official_accounts=accounts))

    assert list(found) == [f"[[official_accounts]] 第 2 个 {field}"]
    assert f"例:{field} = " in found[f"[[official_accounts]] 第 2 个 {field}"]


def test_wrong_encryption_key_is_named_by_its_place(tmp_path: Path) -> None:
    found = mistakes(write(tmp_path, app={"encryption_keys": [DATA_KEY, "dG9vIHNob3J0"]}))

    assert list(found) == ["[app] encryption_keys 第 2 项"]


def test_all_mistakes_are_listed_at_once(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        app={"secret_key": "short"},
        server={"prot": 1},
        runtime={"mode": "cluster"},
        wecom={"token": None, "secret": "env:NOT_SET"},
        official_accounts=[account(), account()],
    )

    assert set(mistakes(path, {"LIANKE_SERVER__PORT": "x"})) == {
        "[app] secret_key",
        "[server] prot",
        "[server] port",
        "[redis] url",
        "[database] url",
        "[wecom] token",
        "[wecom] secret",
        "[[official_accounts]] 第 2 个 name",
    }


def test_missing_section_names_each_key_it_must_have(tmp_path: Path) -> None:
    found = mistakes(write(tmp_path, wecom=None))

    required = ("corp_id", "agent_id", "secret", "contact_secret", "token", "encoding_aes_key")
    assert {path for path, text in found.items() if "缺少这一项" in text} == {
        f"[wecom] {key}" for key in required
    }


def test_unknown_key_suggests_the_one_meant(tmp_path: Path) -> None:
    found = mistakes(write(tmp_path, wecom={"encoding_aeskey": AES_KEY}))

    assert "是不是 encoding_aes_key?" in found["[wecom] encoding_aeskey"]
    assert AES_KEY not in str(found)


def test_unknown_section_lists_the_known_ones(tmp_path: Path) -> None:
    found = mistakes(write(tmp_path, mail={"host": "x"}))

    assert "没有这一节" in found["[mail]"]
    assert "wecom" in found["[mail]"]


def test_section_written_as_value_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        "server = 5\n" + EXAMPLE.read_text("utf-8").replace("[server]", "[ignored]"), encoding="utf-8"
    )

    assert "应当是一节" in mistakes(path)["[server]"]


def test_missing_file_says_how_to_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"找不到这个配置文件[\s\S]*cp config\.example\.toml config\.toml"):
        load_config(tmp_path / "none.toml", {})


def test_missing_default_file_is_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError, match="找不到这个配置文件"):
        load_config(environ={})


def test_toml_mistake_is_located_without_quoting_the_line(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[wecom]\nsecret = "visible-secret\n', encoding="utf-8")

    with pytest.raises(ConfigError, match="第 2 行") as caught:
        load_config(path, {})

    assert "visible-secret" not in str(caught.value)


@pytest.mark.parametrize("content", [b"\xff\xfe[\x00a\x00", "[app]\nlocale = '中文'".encode("gb18030")])
def test_file_in_another_encoding_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match="UTF-8"):
        load_config(path, {})


def test_folder_instead_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="读不了这个文件"):
        load_config(tmp_path, {})


def test_windows_file_with_mark_and_line_ends_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf" + EXAMPLE.read_bytes().replace(b"\n", b"\r\n"))

    assert load_config(path, {}).server.port == 8000


def test_path_comes_from_argument_then_environment_then_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path / name for name in ("argument", "variable", "folder")]
    for port, folder in enumerate(folders, 9001):
        folder.mkdir()
        write(folder, server={"port": port})
    argument, variable, folder = folders
    monkeypatch.chdir(folder)
    environ = {"LIANKE_CONFIG": str(variable / "config.toml")}

    assert load_config(argument / "config.toml", environ).server.port == 9001
    assert load_config(environ=environ).server.port == 9002
    assert load_config(environ={}).server.port == 9003


def test_environment_wins_over_file() -> None:
    environ = {
        "LIANKE_SERVER__PORT": "8080",
        "LIANKE_WECOM__AGENT_ID": "7",
        "LIANKE_WECOM__TOKEN": "FromEnvironment",
        "LIANKE_DATABASE__URL": "postgresql+psycopg://a:b@c/d",
        "HOME": "/root",
    }

    config = load_config(EXAMPLE, environ)

    assert (config.server.port, config.wecom.agent_id) == (8080, 7)
    assert config.wecom.token.get_secret_value() == "FromEnvironment"
    assert config.database.url == "postgresql+psycopg://a:b@c/d"


@pytest.mark.parametrize(
    "text", [f"{DATA_KEY},{DATA_KEY}", f'["{DATA_KEY}", "{DATA_KEY}"]', "env:ONE, env:TWO", "env:BOTH"]
)
def test_list_in_environment_is_json_or_comma_separated(text: str) -> None:
    environ = {
        "ONE": DATA_KEY,
        "TWO": DATA_KEY,
        "BOTH": f"{DATA_KEY},{DATA_KEY}",
        "LIANKE_APP__ENCRYPTION_KEYS": text,
    }

    keys = load_config(EXAMPLE, environ).app.encryption_keys

    assert [key.get_secret_value() for key in keys] == [DATA_KEY, DATA_KEY]


def test_broken_json_list_is_refused() -> None:
    assert "JSON" in mistakes(EXAMPLE, {"LIANKE_APP__ENCRYPTION_KEYS": '["a",'})["[app] encryption_keys"]


def test_official_accounts_are_set_and_added_by_index(tmp_path: Path) -> None:
    path = write(tmp_path, official_accounts=[account()])
    added = {
        f"LIANKE_OFFICIAL_ACCOUNTS__1__{key.upper()}": value for key, value in account(name="second").items()
    }

    config = load_config(path, added | {"LIANKE_OFFICIAL_ACCOUNTS__0__SECRET": "changed"})

    assert [a.name for a in config.official_accounts] == ["main", "second"]
    assert config.official_accounts[0].secret.get_secret_value() == "changed"


def test_everything_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tree = tomllib.loads(EXAMPLE.read_text("utf-8"))
    environ = {
        f"LIANKE_{section}__{key}".upper(): ",".join(value) if isinstance(value, list) else str(value)
        for section, keys in tree.items()
        for key, value in keys.items()
    }

    assert load_config(environ=environ) == load_config(EXAMPLE, {})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("LIANKE_SERVER__PRT", "是不是 port?"),
        ("LIANKE_SERVR__PORT", "是不是 server?"),
        ("LIANKE_SERVER_PORT", "LIANKE_SERVER__PORT"),
        ("LIANKE_WECOM_ENCODING_AES_KEY", "LIANKE_WECOM__ENCODING_AES_KEY"),
        ("LIANKE_WECOM__TOKEN__X", "名字不对"),
        ("LIANKE_OFFICIAL_ACCOUNTS__NAME", "名字不对"),
        ("LIANKE_OFFICIAL_ACCOUNTS__3__NAME", "LIANKE_OFFICIAL_ACCOUNTS__0__NAME"),
        ("LIANKE_OFFICIAL_ACCOUNTS__-1__NAME", "名字不对"),
    ],
)
def test_misspelt_variable_is_a_mistake_that_names_it(name: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(EXAMPLE, {name: "secret-value"})

    assert name in str(caught.value)
    assert words in str(caught.value)
    assert "secret-value" not in str(caught.value)


def test_kubernetes_service_variables_are_not_ours() -> None:
    environ = {"LIANKE_SERVER_PORT": "tcp://10.0.0.1:80", "LIANKE_SERVICE_HOST": "10.0.0.1"}

    assert load_config(EXAMPLE, environ).server.port == 8000


def test_mistake_from_the_environment_names_the_variable() -> None:
    message = mistakes(EXAMPLE, {"LIANKE_SERVER__PORT": "x"})["[server] port"]

    assert "来自 环境变量 LIANKE_SERVER__PORT" in message


def test_value_may_point_at_variable_or_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{AES_KEY}\n", encoding="utf-8")
    path = write(
        tmp_path,
        server={"port": "env:WEB_PORT"},
        wecom={"secret": "env:THE_SECRET", "encoding_aes_key": "file:key", "token": f"file:{tmp_path}/token"},
    )
    (tmp_path / "token").write_text("FromFile", encoding="utf-8")

    config = load_config(path, {"THE_SECRET": "found", "WEB_PORT": "8123"})

    assert config.server.port == 8123
    assert config.wecom.secret.get_secret_value() == "found"
    assert config.wecom.encoding_aes_key.get_secret_value() == AES_KEY
    assert config.wecom.token.get_secret_value() == "FromFile"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("env:NOT_SET", "环境变量 NOT_SET 没有设置"),
        ("env:EMPTY", "不能为空"),
        ("file:missing", "读不了文件"),
        ("file:.", "读不了文件"),
        ("file:empty", "不能为空"),
        ("file:binary", "不是 UTF-8 文本"),
        ("file:huge", "太大"),
    ],
)
def test_pointer_that_leads_nowhere_is_one_mistake(tmp_path: Path, value: str, words: str) -> None:
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "huge").write_bytes(b"x" * 70_000)

    found = mistakes(write(tmp_path, wecom={"token": value}), {"EMPTY": ""})

    assert list(found) == ["[wecom] token"]
    assert words in found["[wecom] token"]


def test_one_key_pair_without_rotation_and_two_with() -> None:
    plain = load_config(EXAMPLE, {})
    rotated = load_config(
        EXAMPLE,
        {"LIANKE_WECOM__PREVIOUS_TOKEN": "OldToken", "LIANKE_WECOM__PREVIOUS_ENCODING_AES_KEY": AES_KEY},
    )

    assert len(plain.wecom.callback_keys) == 1
    current, previous = rotated.wecom.callback_keys
    assert current == plain.wecom.callback_keys[0]
    assert previous.token.get_secret_value() == "OldToken"
    assert previous.encoding_aes_key.get_secret_value() == AES_KEY


def test_rotating_only_the_token_keeps_the_aes_key() -> None:
    config = load_config(EXAMPLE, {"LIANKE_WECOM__PREVIOUS_TOKEN": "OldToken"})

    current, previous = config.wecom.callback_keys
    assert previous.token.get_secret_value() == "OldToken"
    assert previous.encoding_aes_key == current.encoding_aes_key


def test_previous_keys_equal_to_current_add_no_pair() -> None:
    config = load_config(EXAMPLE, {"LIANKE_WECOM__PREVIOUS_TOKEN": "LiankeSandboxToken"})

    assert len(config.wecom.callback_keys) == 1


def test_cluster_needs_redis_and_a_server_database(tmp_path: Path) -> None:
    found = mistakes(write(tmp_path, runtime={"mode": "cluster"}))

    assert set(found) == {"[redis] url", "[database] url"}


def test_cluster_with_both_starts(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        runtime={"mode": "cluster"},
        redis={"url": "redis://:pw@127.0.0.1:6379/0"},
        database={"url": "mysql+pymysql://a:b@c:3306/d"},
    )

    assert load_config(path, {}).runtime.mode == "cluster"


def test_real_platform_without_https_is_refused(tmp_path: Path) -> None:
    found = mistakes(write(tmp_path, wecom={"api_base": "http://qyapi.weixin.qq.com"}))

    assert "必须用 https://" in found["[wecom] api_base"]


def test_public_example_secrets_are_refused_with_the_real_platform(tmp_path: Path) -> None:
    found = mistakes(write(tmp_path, wecom={"api_base": "https://qyapi.weixin.qq.com"}))

    assert set(found) == {
        "[app] secret_key",
        "[app] encryption_keys",
        "[wecom] token",
        "[wecom] encoding_aes_key",
    }


def test_public_values_are_those_of_the_example() -> None:
    text = EXAMPLE.read_text("utf-8")

    assert all(f'"{value}"' in text for value in PUBLIC_VALUES)


def test_real_key_with_spare_bits_in_its_last_character_is_accepted(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, wecom={"encoding_aes_key": "Z" * 43}), {})


def test_trailing_slash_of_addresses_is_dropped(tmp_path: Path) -> None:
    path = write(
        tmp_path, app={"base_url": "https://a.example.com/"}, wecom={"api_base": "http://box:9100/qyapi/"}
    )

    config = load_config(path, {})

    assert (config.app.base_url, config.wecom.api_base) == ("https://a.example.com", "http://box:9100/qyapi")
    assert config.is_secure


def test_no_secret_in_repr_or_str(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        database={"url": "postgresql+psycopg://lianke:hunter2@db/lianke"},
        redis={"url": "redis://:hunter3@r/0"},
        official_accounts=[account(secret="official-secret")],
    )

    shown = repr(config := load_config(path, {})) + str(config) + repr(config.wecom.callback_keys)

    for secret in ("hunter2", "hunter3", "official-secret", "sandbox-app-secret", AES_KEY, *PUBLIC_VALUES):
        assert secret not in shown


def test_no_secret_in_any_message(tmp_path: Path) -> None:
    marked = "visible-" + "x" * 20
    wrong = dict.fromkeys(("secret", "contact_secret", "token", "encoding_aes_key", "secrt"), marked + " y")
    path = write(
        tmp_path,
        app={"secret_key": "visible-short", "encryption_keys": [marked]},
        database={"url": f"postgres://lianke:{marked}@db/lianke"},
        redis={"url": f"http://:{marked}@r"},
        wecom=wrong,
        official_accounts=[account(secret=marked + " ", token=marked * 3, encoding_aes_key=marked)],
    )

    with pytest.raises(ConfigError) as caught:
        load_config(path, {})

    assert len(caught.value.problems) == 12
    assert "visible" not in str(caught.value) + repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_secret_values_are_complete_for_the_log(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, official_accounts=[account(secret="official-secret")]), {})

    assert config.secret_values() == {
        *PUBLIC_VALUES,
        "sandbox-app-secret",
        "sandbox-contact-secret",
        "official-secret",
        "OfficialToken",
        AES_KEY,
    }


def test_config_cannot_be_changed() -> None:
    config = load_config(EXAMPLE, {})

    with pytest.raises(ValueError, match="frozen"):
        config.server.port = 1  # type: ignore[misc]
