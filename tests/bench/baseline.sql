-- The tables of a service as a team writes it first.
CREATE TABLE event (id text PRIMARY KEY, type text NOT NULL, received_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE lot (
    id bigserial PRIMARY KEY,
    member_id text NOT NULL,
    order_id text NOT NULL UNIQUE,
    points bigint NOT NULL,
    state text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX lot_member ON lot (member_id);
CREATE TABLE balance (member_id text PRIMARY KEY, pending bigint NOT NULL, available bigint NOT NULL, version bigint NOT NULL);
CREATE TABLE outbox (id bigserial PRIMARY KEY, topic text NOT NULL, key text NOT NULL, body text NOT NULL);
