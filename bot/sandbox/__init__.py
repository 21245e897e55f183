"""The sandbox: one server that pretends to be WeCom, for the demo, the tests and the benchmarks.

Faithful to developer.work.weixin.qq.com where it is documented; what is only reported by users is
marked so where it is coded. Start it with ``python -m bot.sandbox``; embed it with
``bot.sandbox.server.create_app``. It imports nothing of the product but the callback envelope.
"""
