"""Does our own callback answer as WeCom would ask it? An echo request of our own, as when the URL is saved."""

from __future__ import annotations

import secrets
import time
from http import HTTPStatus

import requests

from bot.check.findings import Check, Finding
from bot.check.settings import is_local
from bot.config import Config
from bot.wechat.crypto import CallbackCrypto

CALLBACK = Check("callback", "回调自检")
PATH = "/callback/wecom"
FROM_OUTSIDE = (
    "从外网能否访问，这里看不出：在管理后台保存一次回调地址即可验证"
    "（应用 → 接收消息 → 设置API接收；客户联系 → API → 接收事件服务器）"
)


def check_callback(config: Config) -> Finding:
    """Ask base_url for an echo, signed and encrypted with the configured keys. Nothing is stored by it."""
    wecom = config.wecom
    crypto = CallbackCrypto(
        wecom.token.get_secret_value(), wecom.encoding_aes_key.get_secret_value(), wecom.corp_id
    )
    echo = str(secrets.randbelow(10**18))
    timestamp, nonce, encrypted = str(int(time.time())), secrets.token_hex(8), crypto.encrypt(echo.encode())
    query = {
        "msg_signature": crypto.sign(timestamp, nonce, encrypted),
        "timestamp": timestamp,
        "nonce": nonce,
        "echostr": encrypted,
    }
    url = f"{config.app.base_url}{PATH}"
    with requests.Session() as session:
        session.trust_env = not is_local(url)  # a proxy cannot know our localhost
        try:
            answer = session.get(url, params=query, timeout=(3.0, 5.0), allow_redirects=False)
        except requests.exceptions.SSLError:
            return CALLBACK.fail(f"{url} 的证书无效", "更换为受信任的完整证书链：企业微信不接受自签名证书")
        except requests.RequestException as error:
            return CALLBACK.warn(
                f"{url} 没有应答（{type(error).__name__}）",
                "先启动 lianke serve 再检查；已启动时请检查 base_url 和反向代理",
            )
    return judge(url, answer, echo)


def judge(url: str, answer: requests.Response, echo: str) -> Finding:
    """What the answer says about the server behind ``url``."""
    status = answer.status_code
    if status == HTTPStatus.OK and answer.content == echo.encode():
        return CALLBACK.ok("签名、解密、应答都正确", FROM_OUTSIDE)
    if status == HTTPStatus.OK:
        return CALLBACK.fail(f"{url} 应答的不是联客", "base_url 指到了别的程序：检查域名和反向代理")
    if status == HTTPStatus.FORBIDDEN:
        return CALLBACK.fail(
            f"{url} 拒绝了用当前配置签名的请求（403）",
            "运行中的服务用的是旧的 token / encoding_aes_key / corp_id，或时间不准：重启 lianke serve 再检查",
        )
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return CALLBACK.fail(
            f"{url} 要求跳转（{status}），企业微信不会跟随", "把 base_url 改为跳转后的地址，或去掉跳转"
        )
    if status == HTTPStatus.NOT_FOUND:
        return CALLBACK.fail(f"{url} 不存在（404）", f"反向代理没有把 {PATH} 转给联客：检查它的路径设置")
    if status in (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT):
        return CALLBACK.warn(f"反向代理在运行，但联客没有应答（{status}）", "先启动 lianke serve 再检查")
    return CALLBACK.fail(f"{url} 应答 {status}", "查看 lianke serve 的日志和 /readyz")
