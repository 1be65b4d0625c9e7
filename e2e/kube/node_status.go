package kube

import (
	"context"
	"fmt"
	"time"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	beatEvery     = 10 * time.Second
	leaseSeconds  = 40
	leaseSpace    = core.NamespaceNodeLease
	registerTries = 100 // the rights of nodes come a moment after the API server
	registerEvery = 200 * time.Millisecond
)

// register makes the node known to the cluster.
func (n *node) register(ctx context.Context) error {
	again := time.NewTicker(registerEvery)
	defer again.Stop()
	for try := 1; ; try++ {
		_, err := n.client.CoreV1().Nodes().Create(ctx, n.object(), meta.CreateOptions{})
		if err == nil || errors.IsAlreadyExists(err) {
			return nil
		}
		if try == registerTries {
			return fmt.Errorf("register: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("register: %w", err)
		case <-again.C:
		}
	}
}

// beat keeps the lease by which the cluster knows that the node is alive.
func (n *node) beat(ctx context.Context) {
	again := time.NewTicker(beatEvery)
	defer again.Stop()
	for {
		if err := n.renew(ctx); err != nil && ctx.Err() == nil {
			n.log.Warn("lease not renewed", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

func (n *node) renew(ctx context.Context) error {
	leases := n.client.CoordinationV1().Leases(leaseSpace)
	lease, err := leases.Get(ctx, n.name, meta.GetOptions{})
	if errors.IsNotFound(err) {
		lease = &coordination.Lease{ObjectMeta: meta.ObjectMeta{Name: n.name, Namespace: leaseSpace}}
		lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds = &n.name, new(int32(leaseSeconds))
		lease.Spec.RenewTime = new(meta.NowMicro())
		_, err = leases.Create(ctx, lease, meta.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	lease.Spec.RenewTime = new(meta.NowMicro())
	_, err = leases.Update(ctx, lease, meta.UpdateOptions{})
	return err
}

func (n *node) object() *core.Node {
	room := core.ResourceList{
		core.ResourceCPU: resource.MustParse("64"), core.ResourceMemory: resource.MustParse("256Gi"),
		core.ResourcePods: resource.MustParse("500"), core.ResourceEphemeralStorage: resource.MustParse("500Gi"),
	}
	return &core.Node{
		ObjectMeta: meta.ObjectMeta{Name: n.name, Labels: map[string]string{
			core.LabelHostname: n.name, core.LabelOSStable: "linux", core.LabelArchStable: "amd64",
		}},
		Status: core.NodeStatus{
			Capacity: room, Allocatable: room, Conditions: n.conditions(),
			Addresses: []core.NodeAddress{
				{Type: core.NodeInternalIP, Address: "127.0.0.1"}, {Type: core.NodeHostName, Address: n.name},
			},
			DaemonEndpoints: core.NodeDaemonEndpoints{KubeletEndpoint: core.DaemonEndpoint{Port: int32(n.port)}},
			NodeInfo: core.NodeSystemInfo{
				KubeletVersion: Version, OperatingSystem: "linux", Architecture: "amd64", ContainerRuntimeVersion: "none://0",
			},
		},
	}
}

func (n *node) conditions() []core.NodeCondition {
	now := meta.Now()
	good := func(kind core.NodeConditionType, status core.ConditionStatus) core.NodeCondition {
		return core.NodeCondition{Type: kind, Status: status, Reason: "Pretended", LastHeartbeatTime: now, LastTransitionTime: now}
	}
	return []core.NodeCondition{
		good(core.NodeReady, core.ConditionTrue), good(core.NodeMemoryPressure, core.ConditionFalse),
		good(core.NodeDiskPressure, core.ConditionFalse), good(core.NodePIDPressure, core.ConditionFalse),
	}
}
