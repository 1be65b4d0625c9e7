package main

import (
	"context"
	"fmt"
	"io"

	certificates "k8s.io/api/certificates/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	rbac "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/remotecommand"

	"github.com/klaxon-dev/klaxon/e2e/kube"
)

// scenes are played one after the other; none depends on another.
var scenes = []scene{
	{"exec-then-token", execThenToken},
	{"exec-then-token-at-hand", execThenTokenAtHand},
	{"issued-token", issuedToken},
	{"short-lived-binding", shortLivedBinding},
	{"certificate", certificate},
	{"secret-sweep", secretSweep},
	{"permission-probing", permissionProbing},
	{"mass-deletion", massDeletion},
	{"namespace", namespace},
}

// execThenToken: a pod's program reads its configuration; somebody runs a
// command in the pod and uses the pod's token from another address.
func execThenToken(ctx context.Context, l *lab) error {
	program, err := l.holder(l.token, podNet, "till/v1.4.2")
	if err != nil {
		return err
	}
	if err := program.listConfig(ctx); err != nil {
		return err
	}
	erin, err := l.person("erin@corp.example", kube.AdminGroup)
	if err != nil {
		return err
	}
	if err := erin.exec(ctx, "cat", "/var/run/secrets/kubernetes.io/serviceaccount/token"); err != nil {
		return err
	}
	if err := program.listConfig(ctx); err != nil {
		return err
	}
	thief, err := l.holder(l.token, elsewhere, curl)
	if err != nil {
		return err
	}
	_, err = thief.CoreV1().Secrets(shop).List(ctx, meta.ListOptions{})
	return err
}

// execThenTokenAtHand: somebody runs a command in a pod, whose program goes on,
// and uses the pod's token where he is, by a tool that says it is the program.
func execThenTokenAtHand(ctx context.Context, l *lab) error {
	erin, err := l.person("erin@corp.example", kube.AdminGroup)
	if err != nil {
		return err
	}
	if err := erin.exec(ctx, "env"); err != nil {
		return err
	}
	for _, address := range []string{podNet, office} {
		holder, err := l.holder(l.token, address, "till/v1.4.2")
		if err != nil {
			return err
		}
		if err := holder.listConfig(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) listConfig(ctx context.Context) error {
	_, err := c.CoreV1().ConfigMaps(shop).List(ctx, meta.ListOptions{})
	return err
}

// exec runs a command in the shop's pod, over WebSocket as kubectl does.
func (c *client) exec(ctx context.Context, command ...string) error {
	request := c.CoreV1().RESTClient().Get().Namespace(shop).Resource("pods").Name(pod).SubResource("exec").Param("stdout", "true")
	for _, word := range command {
		request = request.Param("command", word)
	}
	executor, err := remotecommand.NewWebSocketExecutor(c.config, "GET", request.URL().String())
	if err != nil {
		return err
	}
	return executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: io.Discard})
}

// issuedToken: somebody has a token issued, which is used from elsewhere; one
// more is used where it was issued.
func issuedToken(ctx context.Context, l *lab) error {
	ivan, err := l.person("ivan@corp.example", kube.AdminGroup)
	if err != nil {
		return err
	}
	for _, address := range []string{elsewhere, office} {
		token, err := ivan.issue(ctx, shop, account, nil)
		if err != nil {
			return err
		}
		user, err := l.holder(token, address, curl)
		if err != nil {
			return err
		}
		if err := user.listConfig(ctx); err != nil {
			return err
		}
	}
	return nil
}

// shortLivedBinding: somebody who may bind roles gives himself one, uses it, and
// takes it away; he makes another that he uses and keeps.
func shortLivedBinding(ctx context.Context, l *lab) error {
	const name = "judy@corp.example"
	if err := l.letBind(ctx, name); err != nil {
		return err
	}
	judy, err := l.person(name)
	if err != nil {
		return err
	}
	bindings := judy.RbacV1().ClusterRoleBindings()
	for _, binding := range []string{"tmp-7", "judy-reads"} {
		if _, err := bindings.Create(ctx, clusterBinding(binding, "secret-reader", name), meta.CreateOptions{}); err != nil {
			return err
		}
		if err := judy.readSecrets(ctx); err != nil {
			return err
		}
		if binding != "tmp-7" {
			continue
		}
		if err := bindings.Delete(ctx, binding, meta.DeleteOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// readSecrets lists secrets as soon as a new binding lets it.
func (c *client) readSecrets(ctx context.Context) error {
	return eventually(ctx, "the binding to work", func() (bool, error) {
		_, err := c.CoreV1().Secrets("kube-system").List(ctx, meta.ListOptions{})
		if errors.IsForbidden(err) {
			return false, nil
		}
		return err == nil, err
	})
}

// letBind lets somebody bind what he does not have.
func (l *lab) letBind(ctx context.Context, name string) error {
	role := &rbac.ClusterRole{ObjectMeta: meta.ObjectMeta{Name: "binder"}, Rules: []rbac.PolicyRule{
		{APIGroups: []string{rbac.GroupName}, Resources: []string{"clusterrolebindings"}, Verbs: []string{"create", "delete"}},
		{APIGroups: []string{rbac.GroupName}, Resources: []string{"clusterroles"}, Verbs: []string{"bind"}},
	}}
	if _, err := l.admin.RbacV1().ClusterRoles().Create(ctx, role, meta.CreateOptions{}); err != nil {
		return err
	}
	_, err := l.admin.RbacV1().ClusterRoleBindings().Create(ctx, clusterBinding("binder", "binder", name), meta.CreateOptions{})
	return err
}

func clusterBinding(name, role, user string) *rbac.ClusterRoleBinding {
	return &rbac.ClusterRoleBinding{
		ObjectMeta: meta.ObjectMeta{Name: name},
		RoleRef:    rbac.RoleRef{APIGroup: rbac.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbac.Subject{{APIGroup: rbac.GroupName, Kind: rbac.UserKind, Name: user}},
	}
}

// certificate: somebody asks for a certificate and approves it, and approves
// another's.
func certificate(ctx context.Context, l *lab) error {
	olga, err := l.person("olga@corp.example", kube.AdminGroup)
	if err != nil {
		return err
	}
	peer, err := l.person("pat@corp.example", kube.AdminGroup)
	if err != nil {
		return err
	}
	if err := olga.ask(ctx, "olga-csr"); err != nil {
		return err
	}
	if err := olga.approve(ctx, "olga-csr"); err != nil {
		return err
	}
	if err := peer.ask(ctx, "pat-csr"); err != nil {
		return err
	}
	return olga.approve(ctx, "pat-csr")
}

func (c *client) ask(ctx context.Context, name string) error {
	text, err := certificateRequest(name)
	if err != nil {
		return err
	}
	request := named[certificates.CertificateSigningRequest](name)
	request.Spec = certificates.CertificateSigningRequestSpec{
		Request: text, SignerName: certificates.KubeAPIServerClientSignerName,
		Usages: []certificates.KeyUsage{certificates.UsageClientAuth},
	}
	_, err = c.CertificatesV1().CertificateSigningRequests().Create(ctx, request, meta.CreateOptions{})
	return err
}

// approve does what 'kubectl certificate approve' does.
func (c *client) approve(ctx context.Context, name string) error {
	requests := c.CertificatesV1().CertificateSigningRequests()
	request, err := requests.Get(ctx, name, meta.GetOptions{})
	if err != nil {
		return err
	}
	request.Status.Conditions = append(request.Status.Conditions, certificates.CertificateSigningRequestCondition{
		Type: certificates.CertificateApproved, Status: core.ConditionTrue, Reason: "KubectlApprove",
	})
	_, err = requests.UpdateApproval(ctx, name, request, meta.UpdateOptions{})
	return err
}

// secretSweep: somebody reads one secret after the other; another reads one
// again and again.
func secretSweep(ctx context.Context, l *lab) error {
	const secrets = 6
	for i := range secrets {
		secret := named[core.Secret](fmt.Sprintf("card-%d", i))
		secret.StringData = map[string]string{"key": "not-a-real-key"}
		if _, err := l.admin.CoreV1().Secrets(shop).Create(ctx, secret, meta.CreateOptions{}); err != nil {
			return err
		}
	}
	sybil, err := l.person("sybil@corp.example", kube.AdminGroup)
	if err != nil {
		return err
	}
	peer, err := l.person("pat@corp.example", kube.AdminGroup)
	if err != nil {
		return err
	}
	for i := range secrets {
		if _, err := sybil.CoreV1().Secrets(shop).Get(ctx, fmt.Sprintf("card-%d", i), meta.GetOptions{}); err != nil {
			return err
		}
		if _, err := peer.CoreV1().Secrets(shop).Get(ctx, "card-0", meta.GetOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// permissionProbing: somebody without permissions tries one kind after the
// other; another is refused the same kind again and again.
func permissionProbing(ctx context.Context, l *lab) error {
	trent, err := l.person("trent@corp.example")
	if err != nil {
		return err
	}
	peer, err := l.person("pat@corp.example")
	if err != nil {
		return err
	}
	for _, resource := range []string{"secrets", "pods", "configmaps", "serviceaccounts", "services", "endpoints"} {
		if err := trent.refused(ctx, resource); err != nil {
			return err
		}
		if err := peer.refused(ctx, "pods"); err != nil {
			return err
		}
	}
	return nil
}

// refused lists what may not be listed.
func (c *client) refused(ctx context.Context, resource string) error {
	err := c.CoreV1().RESTClient().Get().Namespace(shop).Resource(resource).Do(ctx).Error()
	if !errors.IsForbidden(err) {
		return fmt.Errorf("list %s: %w, want a refusal", resource, err)
	}
	return nil
}

// massDeletion: somebody deletes one object after the other; another deletes as
// many that are not there.
func massDeletion(ctx context.Context, l *lab) error {
	const objects = 24
	for i := range objects {
		price := named[core.ConfigMap](fmt.Sprintf("price-%d", i))
		if _, err := l.admin.CoreV1().ConfigMaps(shop).Create(ctx, price, meta.CreateOptions{}); err != nil {
			return err
		}
	}
	mina, err := l.person("mina@corp.example", kube.AdminGroup)
	if err != nil {
		return err
	}
	peer, err := l.person("pat@corp.example", kube.AdminGroup)
	if err != nil {
		return err
	}
	for i := range objects {
		if err := mina.CoreV1().ConfigMaps(shop).Delete(ctx, fmt.Sprintf("price-%d", i), meta.DeleteOptions{}); err != nil {
			return err
		}
		err := peer.CoreV1().ConfigMaps(shop).Delete(ctx, fmt.Sprintf("spare-%d", i), meta.DeleteOptions{})
		if !errors.IsNotFound(err) {
			return fmt.Errorf("delete what is not there: %w", err)
		}
	}
	return nil
}

// namespace: somebody makes four namespaces. One gets no network policy, one
// gets one that denies nothing by default, one a default-deny; one is deleted.
func namespace(ctx context.Context, l *lab) error {
	nina, err := l.person("nina@corp.example", kube.AdminGroup)
	if err != nil {
		return err
	}
	for _, name := range []string{"annex", "half-open", "vault", "brief"} {
		if _, err := nina.CoreV1().Namespaces().Create(ctx, named[core.Namespace](name), meta.CreateOptions{}); err != nil {
			return err
		}
	}
	policy := named[networking.NetworkPolicy]("default-deny")
	policy.Spec.PolicyTypes = []networking.PolicyType{networking.PolicyTypeIngress, networking.PolicyTypeEgress}
	if _, err := nina.NetworkingV1().NetworkPolicies("vault").Create(ctx, policy, meta.CreateOptions{}); err != nil {
		return err
	}
	policy = named[networking.NetworkPolicy]("till-only")
	policy.Spec.PodSelector.MatchLabels = map[string]string{"app": "till"}
	policy.Spec.PolicyTypes = []networking.PolicyType{networking.PolicyTypeIngress}
	if _, err := nina.NetworkingV1().NetworkPolicies("half-open").Create(ctx, policy, meta.CreateOptions{}); err != nil {
		return err
	}
	return nina.CoreV1().Namespaces().Delete(ctx, "brief", meta.DeleteOptions{})
}
