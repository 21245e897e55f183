"""The sandbox's tables. ``at`` and ``*_at`` columns are unix seconds (REAL), JSON columns end in ``_json``."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS token (
  token TEXT PRIMARY KEY, kind TEXT NOT NULL, expires_at REAL NOT NULL, revoked INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS token_kind ON token (kind, expires_at);

CREATE TABLE IF NOT EXISTS department (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, parentid INTEGER NOT NULL, ord INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS staff (
  userid TEXT PRIMARY KEY COLLATE NOCASE, name TEXT NOT NULL, department_json TEXT NOT NULL,
  position TEXT NOT NULL DEFAULT '', avatar TEXT NOT NULL DEFAULT '',
  status INTEGER NOT NULL DEFAULT 1, follow_user INTEGER NOT NULL DEFAULT 1,
  console_welcome INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS tag_group (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, ord INTEGER NOT NULL DEFAULT 0, created_at REAL NOT NULL,
  by_api INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS tag (
  id TEXT PRIMARY KEY, group_id TEXT NOT NULL, name TEXT NOT NULL, ord INTEGER NOT NULL DEFAULT 0,
  created_at REAL NOT NULL, by_api INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS tag_of_group ON tag (group_id);

CREATE TABLE IF NOT EXISTS way (
  config_id TEXT PRIMARY KEY, state TEXT NOT NULL DEFAULT '', created_at REAL NOT NULL,
  seq INTEGER NOT NULL, picks INTEGER NOT NULL DEFAULT 0, body_json TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS way_state ON way (state);
CREATE INDEX IF NOT EXISTS way_seq ON way (seq);

CREATE TABLE IF NOT EXISTS customer (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, type INTEGER NOT NULL DEFAULT 1, gender INTEGER NOT NULL DEFAULT 0,
  avatar TEXT NOT NULL DEFAULT '', unionid TEXT NOT NULL DEFAULT '', corp_name TEXT NOT NULL DEFAULT '',
  position TEXT NOT NULL DEFAULT '', created_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS customer_name ON customer (name);

CREATE TABLE IF NOT EXISTS relation (
  userid TEXT NOT NULL COLLATE NOCASE, customer TEXT NOT NULL, half INTEGER NOT NULL DEFAULT 0,
  deleted_by_customer INTEGER NOT NULL DEFAULT 0, created_at REAL NOT NULL, state TEXT NOT NULL DEFAULT '',
  add_way INTEGER NOT NULL DEFAULT 1, oper_userid TEXT NOT NULL DEFAULT '', remark TEXT NOT NULL DEFAULT '',
  description TEXT NOT NULL DEFAULT '', company TEXT NOT NULL DEFAULT '', mobiles_json TEXT NOT NULL DEFAULT '[]',
  PRIMARY KEY (userid, customer)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS relation_customer ON relation (customer);
CREATE TABLE IF NOT EXISTS relation_tag (
  userid TEXT NOT NULL COLLATE NOCASE, customer TEXT NOT NULL, tag_id TEXT NOT NULL,
  PRIMARY KEY (userid, customer, tag_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS relation_tag_tag ON relation_tag (tag_id);
CREATE INDEX IF NOT EXISTS relation_tag_customer ON relation_tag (customer);
CREATE TABLE IF NOT EXISTS request (
  userid TEXT NOT NULL COLLATE NOCASE, customer TEXT NOT NULL, config_id TEXT NOT NULL, at REAL NOT NULL,
  PRIMARY KEY (userid, customer)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS transfer (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, handover TEXT NOT NULL COLLATE NOCASE,
  takeover TEXT NOT NULL COLLATE NOCASE, customer TEXT NOT NULL, status INTEGER NOT NULL,
  at REAL NOT NULL, due_at REAL NOT NULL, done_at REAL
);
CREATE INDEX IF NOT EXISTS transfer_customer ON transfer (customer);

CREATE TABLE IF NOT EXISTS group_chat (
  id TEXT PRIMARY KEY, name TEXT NOT NULL DEFAULT '', owner TEXT NOT NULL COLLATE NOCASE,
  notice TEXT NOT NULL DEFAULT '',
  created_at REAL NOT NULL, version TEXT NOT NULL, dismissed_at REAL, changed_at REAL NOT NULL DEFAULT 0,
  before_json TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS group_chat_owner ON group_chat (owner);
CREATE TABLE IF NOT EXISTS group_member (
  chat TEXT NOT NULL, userid TEXT NOT NULL, type INTEGER NOT NULL, joined_at REAL NOT NULL,
  scene INTEGER NOT NULL DEFAULT 1, invitor TEXT NOT NULL DEFAULT '', state TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (chat, userid)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS group_member_userid ON group_member (userid);

CREATE TABLE IF NOT EXISTS welcome_code (
  code TEXT PRIMARY KEY, userid TEXT NOT NULL, customer TEXT NOT NULL, expires_at REAL NOT NULL,
  spent INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS welcome_code_pair ON welcome_code (customer, userid);
CREATE TABLE IF NOT EXISTS message (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, customer TEXT NOT NULL, userid TEXT NOT NULL,
  incoming INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL, attachments_json TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS message_customer ON message (customer);
CREATE TABLE IF NOT EXISTS app_message (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, userid TEXT NOT NULL COLLATE NOCASE,
  msgid TEXT NOT NULL, kind TEXT NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL, url TEXT NOT NULL,
  body_json TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS app_message_userid ON app_message (userid, at);
CREATE TABLE IF NOT EXISTS app_message_hash (hash TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS media (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, filename TEXT NOT NULL, content_type TEXT NOT NULL,
  data BLOB NOT NULL, at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS ticket (
  code TEXT PRIMARY KEY, kind TEXT NOT NULL, owner TEXT NOT NULL, expires_at REAL NOT NULL,
  spent INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS ledger (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, api TEXT NOT NULL,
  body_json TEXT NOT NULL, result_json TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS call (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, api TEXT NOT NULL, errcode INTEGER,
  status INTEGER NOT NULL, ms REAL NOT NULL, note TEXT NOT NULL, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS delivery (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, event TEXT NOT NULL, change_type TEXT NOT NULL,
  xml TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, status INTEGER, ms REAL
);
CREATE INDEX IF NOT EXISTS delivery_pending ON delivery (state) WHERE state = 'pending';
CREATE TABLE IF NOT EXISTS attempt (
  delivery INTEGER NOT NULL, at REAL NOT NULL, status INTEGER NOT NULL, ms REAL NOT NULL, error TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS attempt_delivery ON attempt (delivery);
CREATE TABLE IF NOT EXISTS fault (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, api TEXT NOT NULL, mode TEXT NOT NULL, errcode INTEGER NOT NULL,
  status INTEGER NOT NULL, times INTEGER NOT NULL, delay_ms INTEGER NOT NULL
);
"""

TABLES = (
    "meta",
    "token",
    "department",
    "staff",
    "tag_group",
    "tag",
    "way",
    "customer",
    "relation",
    "relation_tag",
    "request",
    "transfer",
    "group_chat",
    "group_member",
    "welcome_code",
    "message",
    "app_message",
    "app_message_hash",
    "media",
    "ticket",
    "ledger",
    "call",
    "delivery",
    "attempt",
    "fault",
)
