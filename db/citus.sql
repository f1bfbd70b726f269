-- Spreads an empty, migrated ledger over the nodes of a Citus cluster. Run once on the coordinator, by its superuser, in a
-- database where `CREATE EXTENSION citus` was done and the nodes were added. Then `loyalty migrate` once more: `loyalty_eraser` is
-- granted what an erasure needs on a cluster (`roles.sql`), and workers lose it.
--
-- Everything of an account lies on one node; orders are spread by their own id. Small tables that all batches share stay on the
-- coordinator, where their rows can be locked.

-- The triggers only refuse. They run on the node where the row is, and need no more than the row.
SET citus.enable_unsafe_triggers = on;

SELECT create_distributed_table('account', 'account_id', colocate_with => 'none');
SELECT create_distributed_table('fact', 'account_id', colocate_with => 'account');
SELECT create_distributed_table('decision', 'account_id', colocate_with => 'account');
SELECT create_distributed_table('announced', 'account_id', colocate_with => 'account');
SELECT create_distributed_table('entry', 'account_id', colocate_with => 'account');
SELECT create_distributed_table('lot', 'account_id', colocate_with => 'account');
SELECT create_distributed_table('item', 'account_id', colocate_with => 'account');
SELECT create_distributed_table('step', 'account_id', colocate_with => 'account');
SELECT create_distributed_table('outbox', 'account_id', colocate_with => 'account');
SELECT create_distributed_table('chain_begun', 'account_id', colocate_with => 'account');
SELECT create_distributed_table('erasure', 'account_id', colocate_with => 'account');

-- No table that is spread may have a key to one that is not, nor the other way round.
ALTER TABLE command_verdict DROP CONSTRAINT command_verdict_of_held;
SELECT create_distributed_table('held_command', 'account_id', colocate_with => 'account');
SELECT create_distributed_table('command_verdict', 'account_id', colocate_with => 'account');
ALTER TABLE command_verdict ADD CONSTRAINT command_verdict_of_held FOREIGN KEY (account_id, source, id, operator)
REFERENCES held_command (account_id, source, id, operator) ON DELETE CASCADE;

SELECT create_distributed_table('order_route', 'order_id', colocate_with => 'none');
SELECT create_distributed_table('parked', 'order_id', colocate_with => 'order_route');

-- Batches of different workers write different accounts, or the same ones under compare-and-set: they need not wait for each
-- other's statements as such.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET citus.all_modifications_commutative = on', current_database());
END
$$;
