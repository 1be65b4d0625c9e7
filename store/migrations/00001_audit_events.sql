-- +goose NO TRANSACTION
-- +goose Up

-- One row is one audit event; the columns after event_id rebuild it exactly.
-- The sort key and ts serve searches by time, cluster and resource; whatever
-- selects by an id, a name or an address uses the bloom filters. What an insert
-- answers is on disk: the position in the log moves on its word.
CREATE TABLE IF NOT EXISTS audit_events (
    cluster LowCardinality(String),
    ts DateTime64(6, 'UTC') COMMENT 'stageTimestamp, or the edge of the range that the table holds' CODEC(Delta(8), ZSTD(1)),
    event_id FixedString(16) CODEC(NONE),

    present UInt8 COMMENT 'optional members that the event has, a set of bits',
    level LowCardinality(String),
    audit_id String COMMENT 'chosen by the client' CODEC(ZSTD(1)),
    stage LowCardinality(String),
    request_uri String CODEC(ZSTD(1)),
    verb LowCardinality(String),
    user LowCardinality(String),
    user_uid LowCardinality(String),
    user_groups Array(LowCardinality(String)),
    user_extra Map(LowCardinality(String), Array(String)),
    impersonated_user LowCardinality(String),
    impersonated_uid LowCardinality(String),
    impersonated_groups Array(LowCardinality(String)),
    impersonated_extra Map(LowCardinality(String), Array(String)),
    impersonation_constraint LowCardinality(String),
    source_ips Array(LowCardinality(String)),
    user_agent LowCardinality(String),
    resource LowCardinality(String),
    namespace LowCardinality(String),
    name String CODEC(ZSTD(1)),
    object_uid String CODEC(ZSTD(1)),
    api_group LowCardinality(String),
    api_version LowCardinality(String),
    resource_version String CODEC(ZSTD(1)),
    subresource LowCardinality(String),
    code Int32 COMMENT 'HTTP status, 0 where none was recorded',
    status LowCardinality(String),
    reason LowCardinality(String),
    message String CODEC(ZSTD(1)),
    request_object String CODEC(ZSTD(3)),
    response_object String CODEC(ZSTD(3)),
    request_object_sha256 FixedString(32) COMMENT 'of the normal text; zero where none was recorded',
    response_object_sha256 FixedString(32) COMMENT 'of the normal text; zero where none was recorded',
    request_received DateTime64(6, 'UTC') COMMENT 'requestReceivedTimestamp, or the edge of the range that the table holds' CODEC(Delta(8), ZSTD(1)),
    annotations Map(LowCardinality(String), String),
    rest String COMMENT 'JSON object of the members that no column holds' CODEC(ZSTD(3)),

    time_reason LowCardinality(String) COMMENT 'which time lies outside the range that the table holds; empty: none',
    exact_ts Int64 COMMENT 'stageTimestamp in microseconds since 1970 where time_reason names it',
    exact_request_received Int64 COMMENT 'requestReceivedTimestamp in microseconds since 1970 where time_reason names it',

    request_id FixedString(16) COMMENT 'joins the stages of one request' CODEC(NONE),
    observed UInt8 COMMENT 'this row stands for its request in searches and counts',
    actor_kind LowCardinality(String),
    credential_id String CODEC(ZSTD(1)),
    issued_credential_id String CODEC(ZSTD(1)),

    sender LowCardinality(String),
    received DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    ingested DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    batch UInt64 COMMENT 'names the range of the log that the row was inserted from',

    INDEX i_event_id event_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX i_request_id request_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX i_audit_id audit_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX i_user user TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX i_impersonated_user impersonated_user TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX i_name name TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX i_source_ips source_ips TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (cluster, toStartOfHour(ts), resource, verb, user, ts)
TTL toDateTime(received) + toIntervalSecond(31536000)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- +goose Down
DROP TABLE IF EXISTS audit_events;
