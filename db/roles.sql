-- Who may do what, in full. `db.migrate` runs this after every migration; it may be run any number of times.
--   loyalty_owner   owns the tables; for migrations. Nobody logs in with it day to day.
--   loyalty_worker  what `loyalty run` needs: adds to the ledger, and cannot change or remove what stands there.
--   loyalty_eraser  forgets who asked for it (`loyalty ledger erase`): a worker's rights, and that one. On a cluster no worker has it.
--   loyalty_terms   registers and approves terms, a login for each person who answers for them; the worker only reads terms.
--   loyalty_approver  lets commands go that were held above a ceiling, or refuses them: a login for each person.
--   loyalty_sealer  adds seals; reads who has an account and how far its chain goes, and nothing of what people did.
--   loyalty_reader  reads all of it: statements, verify, reports.
-- They cannot log in themselves: CREATE ROLE points_prod LOGIN PASSWORD '...' IN ROLE loyalty_worker;
DO $$
DECLARE
    wanted text;
    found record;
BEGIN
    FOREACH wanted IN ARRAY ARRAY[
        'loyalty_owner', 'loyalty_worker', 'loyalty_eraser', 'loyalty_terms', 'loyalty_approver', 'loyalty_sealer',
        'loyalty_reader'
    ] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN NULL; -- roles are shared by all databases: another was quicker
            END;
        END IF;
    END LOOP;
    IF NOT pg_has_role(current_user, 'loyalty_owner', 'MEMBER') THEN
        GRANT loyalty_owner TO CURRENT_USER;
    END IF;
    IF NOT pg_has_role('loyalty_eraser', 'loyalty_worker', 'MEMBER') THEN
        GRANT loyalty_worker TO loyalty_eraser;
    END IF;
    GRANT USAGE, CREATE ON SCHEMA public TO loyalty_owner;
    FOR found IN
        SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')
            AND c.relowner <> 'loyalty_owner'::regrole
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO loyalty_owner', found.name);
    END LOOP;
    ALTER FUNCTION refuse_change() OWNER TO loyalty_owner;
    ALTER FUNCTION terms_begin_at(bytea) OWNER TO loyalty_owner;
    ALTER FUNCTION terms_need_approval(text, timestamptz) OWNER TO loyalty_owner;
    ALTER FUNCTION register_terms() OWNER TO loyalty_owner;
    ALTER FUNCTION publish_seal() OWNER TO loyalty_owner;
    ALTER FUNCTION erase_account(uuid, uuid, text[], text[], bytea[], bytea[]) OWNER TO loyalty_owner;
    ALTER FUNCTION without_person(text, jsonb) OWNER TO loyalty_owner;
    ALTER FUNCTION kept_part(jsonb, jsonb) OWNER TO loyalty_owner;
    ALTER FUNCTION kept_fields() OWNER TO loyalty_owner;
END
$$;

REVOKE ALL ON ALL TABLES IN SCHEMA public
FROM PUBLIC, loyalty_worker, loyalty_eraser, loyalty_terms, loyalty_approver, loyalty_sealer, loyalty_reader;
GRANT USAGE ON SCHEMA public TO loyalty_worker, loyalty_terms, loyalty_approver, loyalty_sealer, loyalty_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO loyalty_worker, loyalty_terms, loyalty_reader;

-- Added to, never changed.
GRANT INSERT ON fact, decision, entry, dead_letter TO loyalty_worker;
-- The other columns are the database's own word: whose login it was, when, and whether another one has to approve it.
GRANT INSERT (account_id, number, length, head, length_before, head_before, accepted, salt, reason) ON chain_begun TO loyalty_worker;
GRANT INSERT (body, file_digest, reason) ON program_terms TO loyalty_terms;
GRANT INSERT (program, hash, applied_at, applied_by) ON terms_approval TO loyalty_terms;
GRANT SELECT ON held_command, command_verdict TO loyalty_approver;
GRANT INSERT (account_id, source, id, operator, verdict, given_by, reason) ON command_verdict TO loyalty_approver;
GRANT SELECT (account_id, program, chain_length, chain_head) ON account TO loyalty_sealer;
GRANT SELECT ON seal, ledger_state TO loyalty_sealer;
GRANT INSERT (program, number, sealed_at, epoch, accounts, facts, root, previous, digest) ON seal TO loyalty_sealer;
-- Rewritten as accounts move on; a row of these is never removed.
GRANT INSERT, UPDATE ON account, order_route, position, reading, erasure TO loyalty_worker;
GRANT INSERT, UPDATE ON announced TO loyalty_worker;
GRANT UPDATE ON watermark, certainty, ledger_state TO loyalty_worker;
GRANT INSERT, UPDATE ON points_given TO loyalty_worker;
-- When it was made a fact, and nothing else of what a person said.
GRANT UPDATE (applied_at) ON command_verdict TO loyalty_worker;
-- Come and go.
GRANT INSERT, UPDATE, DELETE ON lot, item, step, lease TO loyalty_worker;
GRANT INSERT, DELETE ON parked, outbox, dead_letter_queue, snapshot, held_command TO loyalty_worker;
GRANT DELETE ON points_given TO loyalty_worker;

-- The only way to take facts away: of an account that was asked to be erased, and of nobody else; and of them only what names a
-- person, which the function sees to itself.
REVOKE ALL ON FUNCTION erase_account(uuid, uuid, text[], text[], bytea[], bytea[])
FROM PUBLIC, loyalty_worker, loyalty_terms, loyalty_approver, loyalty_reader;
GRANT EXECUTE ON FUNCTION erase_account(uuid, uuid, text[], text[], bytea[], bytea[]) TO loyalty_eraser;

-- On a cluster a transaction may change a shard under one user only, so there whoever erases does so under their own name. They need
-- the right to remove rows, and the triggers of these tables refuse it only until a setting names the account. So no worker has it:
-- a login of its own erases. Elsewhere workers erase, for the function sees to it that nothing else comes of it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        ALTER FUNCTION erase_account(uuid, uuid, text[], text[], bytea[], bytea[]) SECURITY INVOKER;
        REVOKE ALL ON FUNCTION without_person(text, jsonb), kept_part(jsonb, jsonb), kept_fields() FROM loyalty_worker;
        GRANT EXECUTE ON FUNCTION without_person(text, jsonb), kept_part(jsonb, jsonb), kept_fields() TO loyalty_eraser;
        GRANT INSERT, DELETE ON chain_begun TO loyalty_eraser;
        GRANT DELETE ON fact, decision, entry TO loyalty_eraser;
        GRANT UPDATE (key, value, headers, digest) ON dead_letter TO loyalty_eraser;
    ELSE
        GRANT EXECUTE ON FUNCTION erase_account(uuid, uuid, text[], text[], bytea[], bytea[]) TO loyalty_worker;
        ALTER FUNCTION erase_account(uuid, uuid, text[], text[], bytea[], bytea[]) SECURITY DEFINER;
        REVOKE ALL ON FUNCTION without_person(text, jsonb), kept_part(jsonb, jsonb), kept_fields() FROM PUBLIC, loyalty_worker, loyalty_eraser;
    END IF;
END
$$;
