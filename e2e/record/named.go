package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// named returns an object with a name and nothing else.
func named[T any, P interface {
	*T
	meta.Object
}](name string) P {
	object := P(new(T))
	object.SetName(name)
	return object
}

// certificateRequest asks for a client's certificate with a new key, which
// nobody keeps.
func certificateRequest(user string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: user}}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}
