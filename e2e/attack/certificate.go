package attack

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
)

// certificateRequest is the manifest of a CertificateSigningRequest with a new key, which nobody keeps.
func certificateRequest(name, user, group, signer string) string {
	template := x509.CertificateRequest{Subject: pkix.Name{CommonName: user}}
	if group != "" {
		template.Subject.Organization = []string{group}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // the curve is known, and the random source does not fail
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, key)
	if err != nil {
		panic(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	return fmt.Sprintf(`
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: %q}
spec: {request: %q, signerName: %q, usages: [client auth]}`, name, base64.StdEncoding.EncodeToString(text), signer)
}

// decided is a request's manifest with a decision.
func decided(request, decision string) string {
	return request + fmt.Sprintf(`
status: {conditions: [{type: %s, status: "True", reason: Decided, message: decided by hand}]}`, decision)
}
