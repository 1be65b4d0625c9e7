-- +goose NO TRANSACTION
-- +goose Up
RENAME TABLE IF EXISTS findings_by_version TO findings;
