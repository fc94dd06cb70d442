-- Accounts, their sessions, what waits to be mailed, and the keys that sign tokens. The same text for SQLite and PostgreSQL:
-- ids, digests and sealed secrets are text, times are milliseconds since 1970.
CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    address TEXT NOT NULL,
    password TEXT,
    format TEXT,
    epoch BIGINT NOT NULL,
    created BIGINT NOT NULL,
    verified BIGINT,
    disabled BIGINT,
    password_changed BIGINT NOT NULL,
    last_login BIGINT
);
-- Whose an address is: unique on lower case, NFC. One that was changed is kept for its account until kept_until.
CREATE TABLE addresses (
    address TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    kept_until BIGINT
);
CREATE INDEX addresses_account ON addresses (account);
-- Tokens that are good once. One without an account is of an address that has none.
CREATE TABLE links (
    digest TEXT PRIMARY KEY,
    purpose TEXT NOT NULL,
    account TEXT REFERENCES accounts (id) ON DELETE CASCADE,
    epoch BIGINT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    detail TEXT,
    tries BIGINT NOT NULL
);
CREATE INDEX links_account ON links (account);
CREATE INDEX links_expires ON links (expires);
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    secret TEXT NOT NULL UNIQUE,
    device TEXT NOT NULL,
    factors BIGINT NOT NULL,
    scope TEXT NOT NULL,
    created BIGINT NOT NULL,
    seen BIGINT NOT NULL,
    ended BIGINT,
    reason TEXT,
    generation BIGINT NOT NULL,
    newest TEXT,
    previous TEXT,
    previous_next TEXT,
    older TEXT,
    older_next TEXT,
    rotated BIGINT NOT NULL
);
CREATE INDEX sessions_account ON sessions (account);
CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    account TEXT REFERENCES accounts (id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    facts TEXT NOT NULL,
    created BIGINT NOT NULL,
    claimed_until BIGINT NOT NULL,
    tries BIGINT NOT NULL
);
CREATE INDEX outbox_account ON outbox (account);
CREATE TABLE signing_keys (
    number BIGINT PRIMARY KEY,
    id TEXT NOT NULL,
    sealed TEXT NOT NULL,
    x TEXT NOT NULL,
    y TEXT NOT NULL,
    created BIGINT NOT NULL,
    active_from BIGINT NOT NULL
);
-- Accounts that were closed: their ids stand in audit logs and are never given again.
CREATE TABLE closed (
    id TEXT PRIMARY KEY,
    closed BIGINT NOT NULL
);
