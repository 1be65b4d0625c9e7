-- +goose NO TRANSACTION
-- +goose Up

-- Its rows are in findings_by_version.
DROP TABLE IF EXISTS findings;
