package kube

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"k8s.io/client-go/kubernetes"
)

// node pretends to be a node with its kubelet: it registers itself, reports the
// pods that are bound to it as running and answers what the API server asks of a
// kubelet. It runs nothing.
type node struct {
	name   string
	port   int // of the kubelet's API, on loopback
	client kubernetes.Interface
	log    *slog.Logger
	server *http.Server
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// startNode returns when the node is registered; it then lives until Stop, past
// the end of ctx.
func (c *Cluster) startNode(ctx context.Context, name string) error {
	n, listener, err := c.newNode(name)
	if err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.cancel = cancel
	c.nodes = append(c.nodes, n)
	n.wg.Go(func() { _ = n.server.ServeTLS(listener, "", "") }) // it only ends by stop
	if err := n.register(ctx); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	n.wg.Go(func() { n.beat(life) })
	n.wg.Go(func() { n.keepPods(life) })
	return nil
}

func (c *Cluster) newNode(name string) (*node, net.Listener, error) {
	config, err := c.Config("system:node:"+name, "system:nodes")
	if err != nil {
		return nil, nil, err
	}
	config.UserAgent = "kubelet/" + Version + " (linux/amd64) kubernetes/e2e"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, nil, err
	}
	tls, err := c.kubeletTLS(name)
	if err != nil {
		return nil, nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	n := &node{
		name: name, port: listener.Addr().(*net.TCPAddr).Port, client: client,
		log: c.options.Logger.With("node", name),
	}
	n.server = newKubelet(tls, n.log)
	return n, listener, nil
}

// stop ends the node and waits until it has.
func (n *node) stop() {
	n.cancel()
	_ = n.server.Close()
	n.wg.Wait()
}
