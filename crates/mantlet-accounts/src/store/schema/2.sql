-- Second factors.
ALTER TABLE accounts ADD COLUMN factor_failures BIGINT NOT NULL DEFAULT 0;
CREATE TABLE totp (
    account TEXT PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    sealed TEXT NOT NULL,
    confirmed BIGINT,
    last_step BIGINT NOT NULL
);
CREATE TABLE recovery_codes (
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    PRIMARY KEY (account, digest)
);
