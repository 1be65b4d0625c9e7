-- +goose NO TRANSACTION
-- +goose Up

-- Events whose times say nothing about when they happened, or too much at once
-- (docs/adr/0004-hostile-times-open-no-partitions.md). The
-- columns, indexes and sort key are those of audit_events; the partitions are
-- days of receipt, which no sender chooses.
CREATE TABLE IF NOT EXISTS audit_events_misdated AS audit_events
ENGINE = MergeTree
PARTITION BY toDate(received)
ORDER BY (cluster, toStartOfHour(ts), resource, verb, user, ts)
TTL toDateTime(received) + toIntervalSecond(31536000)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- time_reason said which time lies outside the range of the table; the columns
-- exact_… say that by themselves.
ALTER TABLE audit_events COMMENT COLUMN IF EXISTS time_reason 'why the row lies in audit_events_misdated; empty here';
ALTER TABLE audit_events_misdated COMMENT COLUMN IF EXISTS time_reason 'too_old, too_far_ahead, unrepresentable or scattered';
ALTER TABLE audit_events COMMENT COLUMN IF EXISTS exact_ts 'stageTimestamp in microseconds since 1970 where ts is the edge of the range, else 0';
ALTER TABLE audit_events_misdated COMMENT COLUMN IF EXISTS exact_ts 'stageTimestamp in microseconds since 1970 where ts is the edge of the range, else 0';
ALTER TABLE audit_events COMMENT COLUMN IF EXISTS exact_request_received 'requestReceivedTimestamp in microseconds since 1970 where request_received is the edge of the range, else 0';
ALTER TABLE audit_events_misdated COMMENT COLUMN IF EXISTS exact_request_received 'requestReceivedTimestamp in microseconds since 1970 where request_received is the edge of the range, else 0';
ALTER TABLE audit_events UPDATE time_reason = if(exact_ts != 0, 'unrepresentable', '') WHERE time_reason != '';

-- +goose Down
DROP TABLE IF EXISTS audit_events_misdated;
