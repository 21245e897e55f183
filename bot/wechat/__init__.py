"""The door to WeChat's servers: clients, tokens, errors and the callback envelope. Only here is wechatpy imported."""
