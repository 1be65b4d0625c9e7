-- +goose NO TRANSACTION
-- +goose Up

-- How often a rule could not tell, by hour of the events. A row counts among the
-- records of one segment of a partition of events up to an offset: that which goes
-- farthest contains the others and replaces them.
CREATE TABLE IF NOT EXISTS blindness (
    cluster LowCardinality(String),
    hour DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    rule LowCardinality(String),
    resource LowCardinality(String),
    needs LowCardinality(String) COMMENT 'the level of recording that would let the rule see, or why none does',
    source UInt32 COMMENT 'partition of events',
    segment UInt64,
    until UInt64 COMMENT 'offset up to which is counted',
    evaluations UInt64,
    received DateTime64(6, 'UTC') COMMENT 'when the log took the count' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(until)
ORDER BY (cluster, hour, rule, resource, needs, source, segment)
TTL toDateTime(received) + toIntervalSecond(31536000)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- +goose Down
DROP TABLE IF EXISTS blindness;
