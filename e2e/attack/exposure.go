package attack

// exposure are the steps that open the cluster to the outside.
func exposure() []Step {
	return []Step{
		{"A70", "T1133", "services and an ingress that face the internet", expose},
	}
}

func expose(l *Lab) []act {
	return []act{
		l.developer.create(`
apiVersion: v1
kind: Service
metadata: {name: on-nodes, namespace: sandbox}
spec: {type: NodePort, selector: {app: worker}, ports: [{port: 80, targetPort: 8080}]}`),
		l.developer.create(`
apiVersion: v1
kind: Service
metadata: {name: balanced, namespace: sandbox}
spec: {type: LoadBalancer, selector: {app: worker}, ports: [{port: 80, targetPort: 8080}]}`),
		l.developer.create(`
apiVersion: v1
kind: Service
metadata: {name: foreign, namespace: sandbox}
spec: {externalIPs: [203.0.113.53], selector: {app: worker}, ports: [{port: 443}]}`),
		l.developer.create(`
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: plain, namespace: sandbox}
spec:
  rules:
  - host: app.corp.example
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: idle, port: {number: 80}}}}]}`),
		l.breakglass.create(`
apiVersion: v1
kind: Service
metadata: {name: store-public, namespace: ledger}
spec: {type: LoadBalancer, selector: {app: store}, ports: [{port: 5432}]}`),
	}
}
