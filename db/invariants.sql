-- What is true of a sound ledger. Each statement finds the rows that break one invariant and returns (account_id, detail).
-- $1: the accounts to look at. Statements named whole_... take no parameter and look at what belongs to no account.
-- To run one by hand for all accounts, put (SELECT array_agg(account_id) FROM account) for $1.

-- Both sides of every entry are in the ledger, so each balance is what came in less what went out.
-- name: balances_are_sums_of_entries
WITH moved AS (
    SELECT account_id,
        sum(points * ((to_bucket = 'available')::int - (from_bucket = 'available')::int)) AS available,
        sum(points * ((to_bucket = 'pending')::int - (from_bucket = 'pending')::int)) AS pending,
        sum(points * ((to_bucket = 'held')::int - (from_bucket = 'held')::int)) AS held
    FROM entry
    WHERE account_id = ANY($1::uuid[])
    GROUP BY account_id
)
SELECT a.account_id,
    format('available %s, pending %s, held %s; the entries give %s, %s, %s', a.available, a.pending, a.held,
        coalesce(m.available, 0), coalesce(m.pending, 0), coalesce(m.held, 0)) AS detail
FROM account a
LEFT JOIN moved m ON m.account_id = a.account_id
WHERE a.account_id = ANY($1::uuid[])
    AND (a.available, a.pending, a.held) IS DISTINCT FROM (coalesce(m.available, 0), coalesce(m.pending, 0), coalesce(m.held, 0));

-- name: balances_are_sums_of_lots
WITH open AS (
    SELECT account_id, sum(available) AS available, sum(pending) AS pending
    FROM lot
    WHERE account_id = ANY($1::uuid[])
    GROUP BY account_id
)
SELECT a.account_id,
    format('available %s, pending %s, arrears %s; the lots hold %s, %s', a.available, a.pending, a.arrears,
        coalesce(o.available, 0), coalesce(o.pending, 0)) AS detail
FROM account a
LEFT JOIN open o ON o.account_id = a.account_id
WHERE a.account_id = ANY($1::uuid[])
    AND (a.available + a.arrears, a.pending) IS DISTINCT FROM (coalesce(o.available, 0), coalesce(o.pending, 0));

-- Each entry says what its two buckets held after it, the account's own always; they begin at nothing and go on without a jump.
-- name: entries_carry_on
WITH side AS (
    SELECT account_id, version, line, to_bucket AS bucket, points AS change, to_after AS after
    FROM entry
    WHERE account_id = ANY($1::uuid[])
    UNION ALL
    SELECT account_id, version, line, from_bucket, -points, from_after
    FROM entry
    WHERE account_id = ANY($1::uuid[])
),
summed AS (
    SELECT account_id, version, line, bucket, after,
        sum(change) OVER (PARTITION BY account_id, bucket ORDER BY version, line) AS expected
    FROM side
)
SELECT account_id, format('version %s line %s: %s is %s after it, should be %s', version, line, bucket, after, expected) AS detail
FROM summed
WHERE after <> expected OR (after IS NULL AND bucket IN ('available', 'pending', 'held'));

-- name: entries_are_gapless
SELECT a.account_id,
    format('version %s of %s has %s lines numbered %s to %s', e.version, a.version, e.lines, e.first, e.last) AS detail
FROM account a
JOIN (
    SELECT account_id, version, count(*) AS lines, min(line) AS first, max(line) AS last
    FROM entry
    WHERE account_id = ANY($1::uuid[])
    GROUP BY account_id, version
) e ON e.account_id = a.account_id
WHERE a.account_id = ANY($1::uuid[]) AND (e.version > a.version OR e.last - e.first + 1 <> e.lines);

-- Facts of the life after an erasure are not in the account of the one before; what was posted of them there, before word of the
-- erasure came, was taken back.
-- name: entries_have_their_fact
SELECT e.account_id, format('version %s line %s: no fact %s of %s', e.version, e.line, e.id, e.source) AS detail
FROM entry e
WHERE e.account_id = ANY($1::uuid[]) AND e.rank > 0
    AND NOT EXISTS (SELECT FROM fact f WHERE f.account_id = e.account_id AND f.source = e.source AND f.id = e.id)
    AND NOT (
        EXISTS (SELECT FROM account a WHERE a.account_id = e.account_id AND a.member_id LIKE 'erased:%')
        AND 0 = (
            SELECT sum(CASE WHEN o.from_bucket = e.from_bucket THEN o.points ELSE -o.points END)
            FROM entry o
            WHERE o.account_id = e.account_id AND o.source = e.source AND o.id = e.id
                AND least(o.from_bucket, o.to_bucket) = least(e.from_bucket, e.to_bucket)
                AND greatest(o.from_bucket, o.to_bucket) = greatest(e.from_bucket, e.to_bucket)
        )
    );

-- What the clock decides (sums paid out) stands under its instant, and no source.
-- name: decisions_have_their_fact
SELECT d.account_id, format('no fact %s of %s', d.id, d.source) AS detail
FROM decision d
WHERE d.account_id = ANY($1::uuid[]) AND d.source <> ''
    AND NOT EXISTS (SELECT FROM fact f WHERE f.account_id = d.account_id AND f.source = d.source AND f.id = d.id);

-- name: steps_are_within_version
SELECT s.account_id, format('%s %s of %s: step of version %s, the account is at %s', s.business_at, s.id, s.source, s.version, a.version) AS detail
FROM step s
JOIN account a ON a.account_id = s.account_id
-- One that posted nothing has the version that comes next.
WHERE s.account_id = ANY($1::uuid[]) AND s.version > a.version + 1;

-- name: outbox_is_within_version
SELECT o.account_id, format('a message of version %s, the account is at %s', o.version, a.version) AS detail
FROM outbox o
JOIN account a ON a.account_id = o.account_id
WHERE o.account_id = ANY($1::uuid[]) AND o.version > a.version;

-- The columns of the head are copies for SQL; the head is what the fold reads.
-- name: heads_agree_with_columns
SELECT account_id, format('columns %s %s %s %s, head %s', available, pending, held, arrears, h.doc) AS detail
FROM (
    SELECT account_id, available, pending, held, arrears, next_due_at, waits_for, convert_from(head, 'UTF8')::jsonb AS doc
    FROM account
    WHERE account_id = ANY($1::uuid[])
) h
WHERE available <> coalesce((doc ->> 'available')::bigint, 0)
    OR pending <> coalesce((doc ->> 'pending')::bigint, 0)
    OR held <> coalesce((doc ->> 'held')::bigint, 0)
    OR arrears <> coalesce((doc ->> 'arrears')::bigint, 0)
    OR next_due_at IS DISTINCT FROM (doc ->> 'next_due_at')::timestamptz
    -- What waits is kept as its moment and the snapshot since which it waits; before form 3 as its moment alone.
    OR ((doc ->> 'format')::int >= 3 AND waits_for IS DISTINCT FROM (
        SELECT min((w ->> 1)::bigint) + 2 FROM jsonb_array_elements(doc -> 'waiting') w
    ));

-- name: lots_agree_with_columns
SELECT account_id, format('lot %s/%s: columns %s %s %s, lot %s', origin, part, pending, available, lapsed, l.body) AS detail
FROM (
    SELECT account_id, origin, part, points, pending, available, lapsed, lapses_at, convert_from(doc, 'UTF8')::jsonb AS body
    FROM lot
    WHERE account_id = ANY($1::uuid[])
) l
WHERE origin <> body ->> 'origin'
    OR part <> body ->> 'part'
    OR points <> (body ->> 'points')::bigint
    OR pending <> coalesce((body ->> 'pending')::bigint, 0)
    OR available <> coalesce((body ->> 'available')::bigint, 0)
    OR lapsed <> coalesce((body ->> 'lapsed')::bigint, 0)
    OR lapses_at IS DISTINCT FROM (body ->> 'lapses_at')::timestamptz;

-- name: lots_hold_no_more_than_granted
SELECT account_id, format('lot %s/%s of %s holds %s', origin, part, points, pending + available + lapsed) AS detail
FROM lot
WHERE account_id = ANY($1::uuid[]) AND pending + available + lapsed > points;

-- The clock had come to the account's last moment, so nothing that lapsed by then can still be used.
-- name: lapsed_lots_are_empty
SELECT l.account_id, format('lot %s/%s lapsed at %s and still has %s', l.origin, l.part, l.lapses_at, l.available) AS detail
FROM lot l
JOIN account a ON a.account_id = l.account_id
WHERE l.account_id = ANY($1::uuid[]) AND l.available > 0
    AND l.lapses_at <= (convert_from(a.head, 'UTF8')::jsonb -> 'last' ->> 0)::timestamptz;

-- Whatever waits for the clock is looked at no later than it is due, or right after the last moment if it became due in the past.
-- name: nothing_due_is_forgotten
SELECT i.account_id, format('%s %s is due at %s, the account at %s', i.kind, i.key, i.due_at, coalesce(a.next_due_at::text, 'no time')) AS detail
FROM item i
JOIN account a ON a.account_id = i.account_id
WHERE i.account_id = ANY($1::uuid[]) AND i.due_at IS NOT NULL AND a.fenced IS NULL
    AND (a.next_due_at IS NULL OR a.next_due_at > greatest(
        i.due_at, (convert_from(a.head, 'UTF8')::jsonb -> 'last' ->> 0)::timestamptz + interval '1 microsecond'
    ));

-- name: whole_nothing_without_account
SELECT account_id, format('%s without an account', what) AS detail
FROM (
    SELECT account_id, 'a fact' AS what FROM fact
    UNION SELECT account_id, 'an entry' FROM entry
    UNION SELECT account_id, 'a decision' FROM decision
    UNION SELECT account_id, 'a lot' FROM lot
    UNION SELECT account_id, 'an item' FROM item
    UNION SELECT account_id, 'a step' FROM step
    UNION SELECT account_id, 'a message' FROM outbox WHERE headers IS NULL AND topic <> 'loyalty.ledger-digest'
) r
WHERE NOT EXISTS (SELECT FROM account a WHERE a.account_id = r.account_id);

-- name: whole_nothing_waits_for_a_known_order
SELECT NULL::uuid AS account_id, format('%s event(s) wait for an order that has come: %s', count(*), p.order_id) AS detail
FROM parked p
JOIN order_route r ON r.order_id = p.order_id
WHERE p.program = ANY(r.programs)
    OR p.program IS NULL AND NOT p.aside AND r.programs NOT IN ('{}', ARRAY[''])
    -- What is set aside follows nothing but an order outside, or a guest's.
    OR p.aside AND (cardinality(array_remove(r.account_ids, NULL)) > 0 OR cardinality(array_remove(r.programs, '')) > 1)
GROUP BY p.order_id;
