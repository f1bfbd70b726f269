-- Commands that give more points than one may without a second person wait for one; what was given today is counted.

-- migrate:up

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE held_command (
    account_id uuid NOT NULL,
    source text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    business_at timestamptz NOT NULL,
    program text COLLATE "C",
    digest bytea NOT NULL,
    body bytea NOT NULL,
    traceparent text,
    topic text,
    partition integer,
    record_offset bigint,
    account_program text COLLATE "C" NOT NULL,
    operator text NOT NULL,
    points bigint NOT NULL,
    ceiling text NOT NULL,
    held_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, source, id),
    UNIQUE (account_id, source, id, operator)
);
CREATE INDEX held_command_at ON held_command (held_at);
COMMENT ON TABLE held_command IS 'Commands above a ceiling: no facts until another person approves them.';
COMMENT ON COLUMN held_command.program IS 'As the event names it; account_program: that of the account.';
COMMENT ON COLUMN held_command.operator IS 'Whose command it is, as it says itself; empty: it does not say.';

CREATE TABLE command_verdict (
    account_id uuid NOT NULL,
    source text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    operator text NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('approved', 'rejected')),
    given_by text NOT NULL CHECK (trim(given_by) <> ''),
    login text NOT NULL DEFAULT session_user,
    reason text NOT NULL CHECK (trim(reason) <> ''),
    given_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_at timestamptz,
    PRIMARY KEY (account_id, source, id),
    CONSTRAINT command_verdict_of_held FOREIGN KEY (account_id, source, id, operator)
    REFERENCES held_command (account_id, source, id, operator) ON DELETE CASCADE,
    CONSTRAINT command_verdict_by_another CHECK (
        verdict = 'rejected'
        OR NOT ARRAY[lower(trim(given_by)), lower(login)]
        && ARRAY[lower(trim(operator)), lower(source), lower(regexp_replace(source, '^.*[/:#]', ''))]
    )
);
CREATE INDEX command_verdict_to_apply ON command_verdict (given_at) WHERE applied_at IS NULL;
COMMENT ON TABLE command_verdict IS 'Who let a held command go or refused it, under which login (session_user), when and why.';
COMMENT ON COLUMN command_verdict.operator IS 'That of the command, so that nobody approves their own.';
COMMENT ON COLUMN command_verdict.applied_at IS 'When a worker made it a fact, or saw that it is none.';

CREATE TABLE points_given (
    day date NOT NULL,
    scope text COLLATE "C" NOT NULL,
    of uuid NOT NULL,
    points bigint NOT NULL,
    PRIMARY KEY (day, scope, of)
);
COMMENT ON TABLE points_given IS 'What commands gave on a day (UTC): of: the account, a keyed digest of operator or program.';

-- migrate:down

DROP TABLE points_given;
DROP TABLE command_verdict;
DROP TABLE held_command;
