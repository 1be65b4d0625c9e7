//go:build !(linux && amd64)

package chdb

import "errors"

func load(string) (*library, error) {
	return nil, errors.New("load the engine: there is none for this platform")
}

func signalActions() ([]uintptr, error) { return nil, nil }
