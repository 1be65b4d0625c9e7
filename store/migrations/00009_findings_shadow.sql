-- +goose NO TRANSACTION
-- +goose Up

-- Rows from before say it in what is kept whole.
ALTER TABLE findings ADD COLUMN IF NOT EXISTS shadow Bool DEFAULT JSONExtractBool(finding, 'shadow') COMMENT 'its rule is tried out' AFTER state;

-- +goose Down
ALTER TABLE findings DROP COLUMN IF EXISTS shadow;
