package engine

import (
	"context"
	"testing"
)

func TestFetch(t *testing.T) {
	if _, err := Fetch(context.Background(), "", FetchOptions{Progress: func(l string) { t.Log(l) }}); err != nil {
		t.Fatal(err)
	}
}
