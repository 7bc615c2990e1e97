-- The size and the statistics of the largest tables of this database: its owner can create any number. A table that somebody has locked exclusively would hold the query up,
-- and one that is dropped meanwhile has no size. Before PostgreSQL 16, n_tup_newpage_upd does not exist.
SELECT current_database()::text AS dbname, n.nspname::text AS schemaname, c.relname::text AS relname, sizes.bytes,
  s.seq_scan, s.seq_tup_read, coalesce(s.idx_scan, 0) AS idx_scan, coalesce(s.idx_tup_fetch, 0) AS idx_tup_fetch,
  s.n_tup_ins, s.n_tup_upd, s.n_tup_del, s.n_tup_hot_upd, coalesce(to_jsonb(s) ->> 'n_tup_newpage_upd', '0') AS n_tup_newpage_upd,
  s.n_live_tup, s.n_dead_tup, s.vacuum_count, s.autovacuum_count, s.analyze_count, s.autoanalyze_count
FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_stat_user_tables s ON s.relid = c.oid
  CROSS JOIN LATERAL (
    SELECT CASE WHEN c.oid NOT IN (
      SELECT l.relation FROM pg_locks l JOIN pg_database d ON d.oid = l.database
      WHERE d.datname = current_database() AND l.relation IS NOT NULL AND l.mode = 'AccessExclusiveLock' AND l.granted
    ) THEN pg_total_relation_size(c.oid) END AS bytes
  ) sizes
WHERE sizes.bytes IS NOT NULL
ORDER BY sizes.bytes DESC, c.oid
LIMIT 1000
