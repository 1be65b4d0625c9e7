package kube

import (
	"context"
	"encoding/json"
	"time"

	authentication "k8s.io/api/authentication/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

const (
	tokenSeconds = 3607 // what kubelets ask for
	tokenTries   = 10   // the API server may not know yet that the pod is on the node
	tokenEvery   = 100 * time.Millisecond
)

// keepPods reports the node's pods as running, one after the other, until ctx
// ends.
func (n *node) keepPods(ctx context.Context) {
	mine := informers.WithTweakListOptions(func(o *meta.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", n.name).String()
	})
	factory := informers.NewSharedInformerFactoryWithOptions(n.client, 0, mine)
	changed := make(chan *core.Pod)
	put := func(object any) {
		pod, ok := object.(*core.Pod)
		if !ok { // what is left of a pod whose deletion was missed
			return
		}
		select {
		case changed <- pod:
		case <-ctx.Done():
		}
	}
	handler := cache.ResourceEventHandlerFuncs{AddFunc: put, UpdateFunc: func(_, pod any) { put(pod) }}
	if _, err := factory.Core().V1().Pods().Informer().AddEventHandler(handler); err != nil {
		n.log.Error("pods not watched", "err", err)
		return
	}
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	started := map[types.UID]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case pod := <-changed:
			n.keep(ctx, pod, started)
		}
	}
}

// keep does with one pod what its state asks for.
func (n *node) keep(ctx context.Context, pod *core.Pod, started map[types.UID]bool) {
	var err error
	switch {
	case pod.DeletionTimestamp != nil:
		delete(started, pod.UID)
		err = n.remove(ctx, pod)
	case pod.Status.Phase == core.PodPending && !started[pod.UID]:
		started[pod.UID] = true
		err = n.run(ctx, pod)
	}
	if err != nil && ctx.Err() == nil && !errors.IsNotFound(err) && !errors.IsConflict(err) {
		n.log.Warn("pod not kept", "namespace", pod.Namespace, "pod", pod.Name, "err", err)
	}
}

// remove confirms that a pod has ended.
func (n *node) remove(ctx context.Context, pod *core.Pod) error {
	return n.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, meta.DeleteOptions{
		GracePeriodSeconds: new(int64(0)), Preconditions: &meta.Preconditions{UID: &pod.UID},
	})
}

// run asks for what a kubelet needs to start a pod, and says that it runs.
func (n *node) run(ctx context.Context, pod *core.Pod) error {
	if err := n.token(ctx, pod); err != nil {
		return err
	}
	for _, v := range pod.Spec.Volumes {
		var err error
		switch {
		case v.Secret != nil:
			_, err = n.client.CoreV1().Secrets(pod.Namespace).Get(ctx, v.Secret.SecretName, meta.GetOptions{})
		case v.ConfigMap != nil:
			_, err = n.client.CoreV1().ConfigMaps(pod.Namespace).Get(ctx, v.ConfigMap.Name, meta.GetOptions{})
		}
		if err != nil {
			return err
		}
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID}, "status": running(pod)})
	if err != nil {
		return err
	}
	_, err = n.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, meta.PatchOptions{}, "status")
	return err
}

// token asks for the token that would be mounted into the pod.
func (n *node) token(ctx context.Context, pod *core.Pod) error {
	if mount := pod.Spec.AutomountServiceAccountToken; pod.Spec.ServiceAccountName == "" || mount != nil && !*mount {
		return nil
	}
	request := &authentication.TokenRequest{Spec: authentication.TokenRequestSpec{
		ExpirationSeconds: new(int64(tokenSeconds)),
		BoundObjectRef:    &authentication.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID},
	}}
	again := time.NewTicker(tokenEvery)
	defer again.Stop()
	for try := 1; ; try++ {
		_, err := n.client.CoreV1().ServiceAccounts(pod.Namespace).CreateToken(ctx, pod.Spec.ServiceAccountName, request, meta.CreateOptions{})
		if !errors.IsForbidden(err) || try == tokenTries {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-again.C:
		}
	}
}

// running is the status of a pod whose containers have all started. It has no
// address: nobody could be reached there.
func running(pod *core.Pod) core.PodStatus {
	now := meta.Now()
	status := core.PodStatus{Phase: core.PodRunning, HostIP: "127.0.0.1", StartTime: &now}
	for _, kind := range []core.PodConditionType{core.PodScheduled, core.PodInitialized, core.ContainersReady, core.PodReady} {
		status.Conditions = append(status.Conditions, core.PodCondition{Type: kind, Status: core.ConditionTrue, LastTransitionTime: now})
	}
	for _, c := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, core.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: "sha256:0", ContainerID: "none://" + string(pod.UID) + "/" + c.Name,
			Ready: true, Started: new(true), State: core.ContainerState{Running: &core.ContainerStateRunning{StartedAt: now}},
		})
	}
	return status
}
