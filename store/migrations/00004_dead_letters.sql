-- +goose NO TRANSACTION
-- +goose Up

-- One row is one dead letter, as it was sealed before the log took it; only a
-- serve with its key can open it. A row that is inserted again replaces itself.
CREATE TABLE IF NOT EXISTS dead_letters (
    id FixedString(16) CODEC(NONE),
    received DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    cluster LowCardinality(String),
    sender LowCardinality(String),
    reason LowCardinality(String),
    length Int64 COMMENT 'bytes that were set aside',
    kept Int64 COMMENT 'how many of them are sealed: the first',
    offset Int64 COMMENT 'where in its request it began, bytes',
    fault Int64 COMMENT 'where in it the fault is, bytes; 0 where that is not known',
    key_id LowCardinality(String) COMMENT 'of the redaction key',
    sealed String CODEC(NONE)
)
ENGINE = ReplacingMergeTree
ORDER BY (received, id)
TTL toDateTime(received) + toIntervalSecond(31536000)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- +goose Down
DROP TABLE IF EXISTS dead_letters;
