"""WeCom's own endpoints, ``/qyapi/cgi-bin/…``. Importing the package registers them; a new file joins the list."""

from bot.sandbox.wecom_api import (  # noqa: F401 - imported to register their endpoints
    access,
    contact_ways,
    customers,
    groupchats,
    media,
    messages,
    organisation,
    tags,
    transfer,
    welcomes,
)
