-- Logins by OpenID providers. A provider's tokens are sealed, and gone when the session has ended.
CREATE TABLE provider_sessions (
    id TEXT PRIMARY KEY,
    secret TEXT NOT NULL UNIQUE,
    provider TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    sid TEXT,
    attributes TEXT NOT NULL,
    device TEXT NOT NULL,
    tokens TEXT NOT NULL,
    created BIGINT NOT NULL,
    refreshed BIGINT NOT NULL,
    expires BIGINT,
    generation BIGINT NOT NULL,
    leased_until BIGINT NOT NULL,
    failed BIGINT,
    ended BIGINT,
    reason TEXT
);
CREATE INDEX provider_sessions_subject ON provider_sessions (issuer, subject);
CREATE INDEX provider_sessions_sid ON provider_sessions (issuer, sid);
-- What is good once: the state of a login, the id of a logout token.
CREATE TABLE used_once (
    digest TEXT PRIMARY KEY,
    expires BIGINT NOT NULL
);
