package engine

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// layout is where the engine's files lie below its path.
type layout struct{ root string }

func (l layout) data() string   { return filepath.Join(l.root, "data") }
func (l layout) work() string   { return filepath.Join(l.root, "work") } // current directory and scratch files
func (l layout) config() string { return filepath.Join(l.root, "config.xml") }
func (l layout) users() string  { return filepath.Join(l.root, "users.xml") }
func (l layout) lock() string   { return filepath.Join(l.root, "lock") }
func (l layout) socket() string { return filepath.Join(l.root, "engine.sock") }

// password is where the password lies if none was given.
func (l layout) password() string { return filepath.Join(l.root, "password") }

// make makes the directories, for the owner alone.
func (l layout) make() error {
	for _, dir := range []string{l.root, l.data(), l.work()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if err := os.Chmod(dir, 0o700); err != nil {
			return err
		}
	}
	return nil
}

// arguments writes the configuration files and returns the engine's
// arguments.
func (l layout) arguments(memory int64) ([]string, error) {
	files := map[string]string{
		l.config(): fmt.Sprintf(serverConfig, escapeXML(l.users()), escapeXML(l.work())),
		l.users():  usersConfig,
	}
	for path, text := range files {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return []string{
		"--path=" + l.data(),
		"--config-file=" + l.config(),
		"--max_server_memory_usage=" + strconv.FormatInt(memory, 10),
		"--mark_cache_size=67108864",
		"--background_pool_size=2",
		"--implicit_select=0", // "help" is no query
	}, nil
}

func escapeXML(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a Buffer does not fail
	return b.String()
}

// serverConfig makes acknowledged inserts and merged parts durable, and merges
// column by column from the first row on, which takes 250 MB less than whole
// rows of a wide table.
const serverConfig = `<clickhouse>
  <timezone>UTC</timezone>
  <users_config>%s</users_config>
  <user_files_path>%s/</user_files_path>
  <merge_tree>
    <fsync_after_insert>1</fsync_after_insert>
    <fsync_part_directory>1</fsync_part_directory>
    <min_rows_to_fsync_after_merge>1</min_rows_to_fsync_after_merge>
    <vertical_merge_algorithm_min_rows_to_activate>1</vertical_merge_algorithm_min_rows_to_activate>
    <vertical_merge_algorithm_min_columns_to_activate>1</vertical_merge_algorithm_min_columns_to_activate>
    <vertical_merge_algorithm_min_bytes_to_activate>0</vertical_merge_algorithm_min_bytes_to_activate>
  </merge_tree>
</clickhouse>
`

// usersConfig grants work on the engine's own tables and nothing that reaches
// files, other servers or the server itself.
const usersConfig = `<clickhouse>
  <profiles><default>
    <async_insert>0</async_insert>
    <implicit_select>0</implicit_select>
  </default></profiles>
  <quotas><default/></quotas>
  <users><default>
    <no_password/>
    <profile>default</profile>
    <quota>default</quota>
    <networks><ip>::/0</ip></networks>
    <grants>
      <query>GRANT SELECT, INSERT, SHOW, OPTIMIZE, TRUNCATE, KILL QUERY ON *.*</query>
      <query>GRANT CREATE DATABASE, CREATE TABLE, CREATE VIEW ON *.*</query>
      <query>GRANT DROP DATABASE, DROP TABLE, DROP VIEW ON *.*</query>
      <query>GRANT ALTER TABLE, ALTER VIEW ON *.*</query>
    </grants>
  </default></users>
</clickhouse>
`
