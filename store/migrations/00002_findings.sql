-- +goose NO TRANSACTION
-- +goose Up

-- One row is one revision of a finding; FINAL reads the newest. There is no
-- partition key: revisions replace one another only within a partition, and
-- first_seen may move.
CREATE TABLE IF NOT EXISTS findings (
    id FixedString(16) CODEC(NONE),
    revision UInt64,
    fingerprint FixedString(16) CODEC(NONE),
    rule LowCardinality(String),
    rule_version LowCardinality(String),
    severity LowCardinality(String),
    severity_rank Int8 COMMENT '0 is info, 4 is critical',
    cluster LowCardinality(String),
    namespace LowCardinality(String),
    actor LowCardinality(String),
    first_seen DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    last_seen DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    count Int64,
    tags Array(LowCardinality(String)),
    state LowCardinality(String),
    finding String COMMENT 'all of it, as JSON' CODEC(ZSTD(3)),
    received DateTime64(6, 'UTC') COMMENT 'when the log took the revision' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY id
TTL toDateTime(received) + toIntervalSecond(31536000)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- +goose Down
DROP TABLE IF EXISTS findings;
