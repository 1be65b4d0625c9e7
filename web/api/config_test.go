package api

import (
	"strings"
	"testing"
)

func TestDefaultsAreValid(t *testing.T) {
	var c Config
	c.SetDefaults()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	c = testConfig()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidate(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		c := testConfig()
		change(&c)
		err := c.Validate()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if err != nil && strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("one mistake, several problems: %v", err)
		}
	}
	f(func(c *Config) { c.Listen = "9444" }, `api.listen: "9444" is not host:port`)
	f(func(c *Config) { c.TLS.CertFile = "x" }, "cert_file and key_file come together")
	f(func(c *Config) { c.Limits.Requests = -1 }, "api.limits.requests: must be more than 0")
	f(func(c *Config) { c.Limits.WriteTimeout = 1 }, "write_timeout: must be at least request_timeout")
	f(func(c *Config) { c.Limits.HeaderBytes = 10 }, "header_bytes: must be at least query_bytes")
	f(func(c *Config) { c.Principals[1].Name = "" }, "api.principals[1].name: a principal needs one")
	f(func(c *Config) { c.Principals[1].Name = "vera" }, `api.principals[1].name: another principal is named "vera"`)
	f(func(c *Config) { c.Principals[0].Role = "boss" }, `"boss" is not viewer, analyst or admin`)
	f(func(c *Config) { c.Principals[0].Clusters = nil }, `name the clusters, or "*" for all`)
	f(func(c *Config) { c.Principals[0].Clusters = []string{"*", "blue"} }, "leave the others out")
	f(func(c *Config) { c.Principals[0].Clusters = []string{"b*"} }, "named in full")
	f(func(c *Config) { c.Principals[0].TokenSHA256 = "" }, "either token_file or token_sha256")
	f(func(c *Config) { c.Principals[0].TokenFile = "x" }, "either token_file or token_sha256")
	f(func(c *Config) { c.Principals[0].TokenSHA256 = "12" }, "64 hexadecimal digits")
	f(func(c *Config) { c.Principals[0].TokenSHA256 = strings.ToUpper(hashed(adminToken)) }, "another principal has it")
}
