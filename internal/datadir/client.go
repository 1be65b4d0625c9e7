package datadir

import (
	"fmt"
	"os"

	"github.com/goccy/go-yaml"
)

// Client says how to reach the serve that runs on a data directory. Serve
// writes it as it starts; the other commands read it.
type Client struct {
	// Server is the URL of the HTTP API.
	Server string `yaml:"server"`
	// Webhook is the URL of the webhook receiver, without the path.
	Webhook string `yaml:"webhook,omitempty"`
	// TokenFile holds a token for the API.
	TokenFile string `yaml:"token_file"`
	// CAFile holds the certificates that sign the API's; "": the system's do.
	CAFile string `yaml:"ca_file,omitempty"`
	// WebhookCAFile holds those that sign the receiver's; "": the system's do.
	WebhookCAFile string `yaml:"webhook_ca_file,omitempty"`
}

// ReadClient reads what WriteClient wrote. The error is fs.ErrNotExist where
// no serve has run yet.
func (d Dir) ReadClient() (Client, error) {
	var c Client
	text, err := os.ReadFile(d.ClientConfig())
	if err != nil {
		return c, fmt.Errorf("client configuration: %w", err)
	}
	if err := yaml.UnmarshalWithOptions(text, &c, yaml.Strict()); err != nil {
		return c, fmt.Errorf("client configuration %s: %w", d.ClientConfig(), err)
	}
	return c, nil
}

// WriteClient replaces the client configuration, for the user only.
func (d Dir) WriteClient(c Client) error {
	text, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Errorf("client configuration: %w", err)
	}
	tmp := d.ClientConfig() + ".tmp"
	if err := os.WriteFile(tmp, text, 0o600); err != nil {
		return fmt.Errorf("client configuration: %w", err)
	}
	if err := os.Rename(tmp, d.ClientConfig()); err != nil {
		return fmt.Errorf("client configuration: %w", err)
	}
	return nil
}
