package localca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// pair is a certificate and its key.
type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func makeAuthority(n names, now time.Time) (pair, error) {
	return makePair(&x509.Certificate{
		Subject:   pkix.Name{CommonName: "Nightshift local CA " + now.UTC().Format("2006-01-02"), Organization: []string{"Nightshift"}},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: n.domains(), PermittedIPRanges: n.networks(),
	}, pair{})
}

func makeServer(ca pair, n names, now time.Time) (pair, error) {
	until := now.Add(serverLife)
	if until.After(ca.cert.NotAfter) {
		until = ca.cert.NotAfter
	}
	return makePair(&x509.Certificate{
		Subject:   pkix.Name{CommonName: "localhost", Organization: []string{"Nightshift"}},
		NotBefore: now.Add(-backdate), NotAfter: until, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: n.dns, IPAddresses: n.ips,
	}, ca)
}

// makePair makes a key and has its certificate signed by signer, or by itself when there is none.
func makePair(template *x509.Certificate, signer pair) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, fmt.Errorf("make the key of a certificate: %w", err)
	}
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return pair{}, fmt.Errorf("make the number of a certificate: %w", err)
	}
	if signer.cert == nil {
		signer = pair{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer.cert, &key.PublicKey, signer.key)
	if err != nil {
		return pair{}, fmt.Errorf("sign the certificate of %q: %w", template.Subject.CommonName, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return pair{}, fmt.Errorf("read the certificate of %q back: %w", template.Subject.CommonName, err)
	}
	return pair{cert, key}, nil
}

func (p pair) tlsCertificate(ca *x509.Certificate) *tls.Certificate {
	return &tls.Certificate{Certificate: [][]byte{p.cert.Raw, ca.Raw}, PrivateKey: p.key, Leaf: p.cert}
}

const (
	certificateBlock = "CERTIFICATE"
	keyBlock         = "PRIVATE KEY"
)

func encodeCertificates(certs ...*x509.Certificate) []byte {
	var out bytes.Buffer
	for _, c := range certs {
		out.Write(pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: c.Raw}))
	}
	return out.Bytes()
}

// write replaces the file whole or not at all, readable by the owner alone.
func (p pair) write(path string) error {
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		return fmt.Errorf("encode the key: %w", err)
	}
	content := append(pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der}), encodeCertificates(p.cert)...)
	return replaceFile(path, content, 0o600)
}

func readPair(path string) (pair, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return pair{}, err
	}
	both, err := tls.X509KeyPair(data, data) // also checks that they belong together
	if err != nil {
		return pair{}, fmt.Errorf("%s: %w", path, err)
	}
	key, ok := both.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return pair{}, fmt.Errorf("%s: the key is a %T, not an ECDSA key", path, both.PrivateKey)
	}
	return pair{both.Leaf, key}, nil
}

// replaceFile writes beside the file and renames, so that a reader never sees half of it.
func replaceFile(path string, content []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
