package kube_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"

	"github.com/klaxon-dev/klaxon/e2e/kube"
)

// TestCluster boots everything, runs a command in a pod that only pretends to
// run, and looks for it in the audit log.
func TestCluster(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c, err := kube.Start(ctx, kube.Options{
		Dir: t.TempDir(), Controllers: true, Scheduler: true, Nodes: 2, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	}()
	config, err := c.Config("root", kube.AdminGroup)
	if err != nil {
		t.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(config)
	waitForAccount(ctx, t, client)
	pod := &core.Pod{ObjectMeta: meta.ObjectMeta{Name: "web"}, Spec: core.PodSpec{Containers: []core.Container{{Name: "app", Image: "registry.example/web:1"}}}}
	if _, err := client.CoreV1().Pods("default").Create(ctx, pod, meta.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	until(ctx, t, "the pod to run", func() bool {
		pod, err := client.CoreV1().Pods("default").Get(ctx, "web", meta.GetOptions{})
		return err == nil && pod.Status.Phase == core.PodRunning
	})
	if got, want := exec(ctx, t, config, client), `default/web/app was asked to run ["id"]`; !strings.Contains(got, want) {
		t.Errorf("the command said %q, want %q", got, want)
	}
	text, err := os.ReadFile(c.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte("/api/v1/namespaces/default/pods/web/exec?command=id")) {
		t.Errorf("%s does not tell of the command", c.AuditLog)
	}
	anonymous := kubernetes.NewForConfigOrDie(c.Anonymous())
	if _, err := anonymous.CoreV1().Secrets("").List(ctx, meta.ListOptions{}); !errors.IsForbidden(err) {
		t.Errorf("anonymous may list secrets: %v", err)
	}
	stranger := kubernetes.NewForConfigOrDie(c.ConfigWithToken("no token of anybody"))
	if _, err := stranger.CoreV1().Secrets("").List(ctx, meta.ListOptions{}); !errors.IsUnauthorized(err) {
		t.Errorf("a false token is taken: %v", err)
	}
	if err := client.CoreV1().Pods("default").Delete(ctx, "web", meta.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	until(ctx, t, "the pod to be gone", func() bool {
		_, err := client.CoreV1().Pods("default").Get(ctx, "web", meta.GetOptions{})
		return errors.IsNotFound(err)
	})
}

// waitForAccount waits for what the controllers make first, without which no
// pod is admitted.
func waitForAccount(ctx context.Context, t *testing.T, client kubernetes.Interface) {
	t.Helper()
	until(ctx, t, "the service account", func() bool {
		_, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", meta.GetOptions{})
		return err == nil
	})
}

func exec(ctx context.Context, t *testing.T, config *rest.Config, client kubernetes.Interface) string {
	t.Helper()
	options := &core.PodExecOptions{Container: "app", Command: []string{"id"}, Stdout: true}
	url := client.CoreV1().RESTClient().Get().Resource("pods").Namespace("default").Name("web").SubResource("exec").
		VersionedParams(options, scheme.ParameterCodec).URL()
	e, err := remotecommand.NewWebSocketExecutor(config, "GET", url.String())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := e.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &out}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func until(ctx context.Context, t *testing.T, what string, ok func() bool) {
	t.Helper()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-again.C:
		}
	}
}

// TestStartFails says why, and leaves nothing behind.
func TestStartFails(t *testing.T) {
	_, err := kube.Start(t.Context(), kube.Options{Dir: t.TempDir(), Flags: []string{"--no-such-flag"}})
	if err == nil || !strings.Contains(err.Error(), "unknown flag: --no-such-flag") {
		t.Errorf("got %v, want what kube-apiserver says", err)
	}
}
