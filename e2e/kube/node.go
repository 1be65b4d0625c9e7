package kube

import "context"

// node pretends to be a node with its kubelet.
type node struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func (n *node) stop() {
	n.cancel()
	<-n.done
}

func (c *Cluster) startNode(context.Context, string) error { return nil }
