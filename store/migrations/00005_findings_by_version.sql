-- +goose NO TRANSACTION
-- +goose Up

-- A table cannot change the column by which rows replace one another: the rows
-- move to a new one, in steps that may each be repeated (00006, 00007). A row
-- that is copied twice replaces itself. There is no TTL yet: by a shorter one than
-- the configured a row would vanish in the copy.
CREATE TABLE IF NOT EXISTS findings_by_version (
    id FixedString(16) CODEC(NONE),
    version UInt64 COMMENT 'orders what was said of a finding: by count, then by revision',
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
ENGINE = ReplacingMergeTree(version)
ORDER BY id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

INSERT INTO findings_by_version (id, version, revision, fingerprint, rule, rule_version, severity, severity_rank,
    cluster, namespace, actor, first_seen, last_seen, count, tags, state, finding, received)
SELECT id, bitShiftLeft(toUInt64(least(greatest(count, 0), 281474976710655)), 16) + least(revision, 65535), revision, fingerprint,
    rule, rule_version, severity, severity_rank, cluster, namespace, actor, first_seen, last_seen, count, tags, state, finding, received
FROM findings;

-- +goose Down
DROP TABLE IF EXISTS findings_by_version;
