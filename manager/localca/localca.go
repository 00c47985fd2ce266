package localca

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// The lives of the certificates. A server certificate is renewed when a third of its life is left; 397 days is the
// most that browsers take of any authority.
const (
	authorityLife = 10 * 365 * 24 * time.Hour
	serverLife    = 397 * 24 * time.Hour
	// backdate tolerates clocks that are behind ours.
	backdate = time.Hour
)

// The files in the folder. Keys lie in one file with their certificate, because only one file can be replaced at once.
const (
	authorityKeyFile = "ca-key.pem"
	authorityFile    = "ca.pem"
	serverFile       = "server.pem"
)

// Config says where the certificates are kept and for which names they are.
type Config struct {
	Dir string // made with mode 0700 when it is not there
	// Names are further host names, wildcards (*.example.com) and IP addresses; those of this machine alone
	// (localhost, functions.localhost and what lies under it, the loopback addresses) are always among them.
	Names []string
	Now   func() time.Time // time.Now when nil
}

// Authority is the installation's own certificate authority. It is safe for concurrent use.
type Authority struct {
	cfg   Config
	made  bool
	names names

	mu     sync.Mutex
	ca     pair
	server pair
	served *tls.Certificate
}

// Open loads the authority and its server certificate from the folder, and makes what is missing, expires soon or
// does not have the names. The error says which file is the trouble; a damaged one is never overwritten.
func Open(cfg Config) (*Authority, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	n, err := namesOf(cfg.Names)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the local CA: %w", err)
	}
	a := &Authority{cfg: cfg, names: n}
	if err := a.openAuthority(); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a, a.openServer()
}

// CAFile is the path of the authority's certificate, which clients are to trust.
func (a *Authority) CAFile() string { return filepath.Join(a.cfg.Dir, authorityFile) }

// Made reports whether Open made a new authority, which everybody has to trust anew.
func (a *Authority) Made() bool { return a.made }

// TLSConfig is for servers. The certificate is renewed in time while the server runs.
func (a *Authority) TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return a.certificate()
		},
	}
}

// Pool holds the authority's certificate, for clients in this process.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.ca.cert)
	return pool
}

// certificate returns the server's certificate and renews it when it is time. One that cannot be renewed (a full
// disk) is used until it ends.
func (a *Authority) certificate() (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.cfg.Now()
	if !dueForRenewal(a.server.cert, now) {
		return a.served, nil
	}
	if err := a.renewServer(); err != nil && now.After(a.server.cert.NotAfter) {
		return nil, err
	}
	return a.served, nil
}

// openAuthority loads the authority, or makes one when there is none, it ends before a server certificate would, or
// it is constrained to other names.
func (a *Authority) openAuthority() error {
	path := filepath.Join(a.cfg.Dir, authorityKeyFile)
	ca, err := readPair(path)
	now := a.cfg.Now()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		a.made = true
	case err != nil:
		return fmt.Errorf("read the local CA (move the file away to make a new one): %w", err)
	case ca.cert.NotAfter.Before(now.Add(serverLife)) || !a.names.allowedBy(ca.cert):
		a.made = true
	}
	if a.made {
		if ca, err = makeAuthority(a.names, now); err != nil {
			return err
		}
		if err := ca.write(path); err != nil {
			return fmt.Errorf("keep the local CA: %w", err)
		}
	}
	a.ca = ca
	return a.writeCertificate()
}

// writeCertificate puts the authority's certificate, which is no secret, where others can read it.
func (a *Authority) writeCertificate() error {
	want := encodeCertificates(a.ca.cert)
	if have, err := os.ReadFile(a.CAFile()); err == nil && slices.Equal(have, want) {
		return nil
	}
	if err := replaceFile(a.CAFile(), want, 0o644); err != nil {
		return fmt.Errorf("write the certificate of the local CA: %w", err)
	}
	return nil
}

func (a *Authority) openServer() error {
	server, err := readPair(filepath.Join(a.cfg.Dir, serverFile))
	good := err == nil && !dueForRenewal(server.cert, a.cfg.Now()) && a.names.sameAs(server.cert) &&
		server.cert.CheckSignatureFrom(a.ca.cert) == nil
	if !good { // it can always be made again, so a damaged one is no trouble
		return a.renewServer()
	}
	a.server, a.served = server, server.tlsCertificate(a.ca.cert)
	return nil
}

func (a *Authority) renewServer() error {
	server, err := makeServer(a.ca, a.names, a.cfg.Now())
	if err != nil {
		return err
	}
	if err := server.write(filepath.Join(a.cfg.Dir, serverFile)); err != nil {
		return fmt.Errorf("keep the certificate of the server: %w", err)
	}
	a.server, a.served = server, server.tlsCertificate(a.ca.cert)
	return nil
}

// dueForRenewal reports whether less than a third of the certificate's life is left, or it is not valid yet.
func dueForRenewal(cert *x509.Certificate, now time.Time) bool {
	life := cert.NotAfter.Sub(cert.NotBefore)
	return now.Before(cert.NotBefore) || now.After(cert.NotAfter.Add(-life/3))
}

// names are what a server certificate is for.
type names struct {
	dns []string
	ips []net.IP
}

func namesOf(more []string) (names, error) {
	n := names{
		dns: []string{"localhost", "functions.localhost", "*.functions.localhost", "*.scm.functions.localhost"},
		ips: []net.IP{net.IPv4(127, 0, 0, 1).To4(), net.IPv6loopback},
	}
	for _, name := range more {
		name = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
		if ip := net.ParseIP(name); ip != nil {
			if v4 := ip.To4(); v4 != nil {
				ip = v4
			}
			n.ips = append(n.ips, ip)
			continue
		}
		if !validHost(strings.TrimPrefix(name, "*.")) {
			return names{}, fmt.Errorf("%q is no host name, wildcard or IP address for a certificate", name)
		}
		n.dns = append(n.dns, name)
	}
	slices.Sort(n.dns)
	n.dns = slices.Compact(n.dns)
	slices.SortFunc(n.ips, func(x, y net.IP) int { return strings.Compare(x.String(), y.String()) })
	n.ips = slices.CompactFunc(n.ips, net.IP.Equal)
	return n, nil
}

func validHost(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		bad := strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
		})
		if bad || label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return len(name) <= 253
}

// domains are the names without wildcards, as name constraints are written.
func (n names) domains() []string {
	var domains []string
	for _, name := range n.dns {
		domains = append(domains, strings.TrimPrefix(name, "*."))
	}
	slices.Sort(domains)
	return slices.Compact(domains)
}

func (n names) networks() []*net.IPNet {
	var nets []*net.IPNet
	for _, ip := range n.ips {
		nets = append(nets, &net.IPNet{IP: ip, Mask: net.CIDRMask(8*len(ip), 8*len(ip))})
	}
	return nets
}

// allowedBy reports whether an authority's constraints take in all names.
func (n names) allowedBy(ca *x509.Certificate) bool {
	for _, domain := range n.domains() {
		if !slices.ContainsFunc(ca.PermittedDNSDomains, func(p string) bool { return domain == p || strings.HasSuffix(domain, "."+p) }) {
			return false
		}
	}
	for _, ip := range n.ips {
		if !slices.ContainsFunc(ca.PermittedIPRanges, func(p *net.IPNet) bool { return p.Contains(ip) }) {
			return false
		}
	}
	return true
}

func (n names) sameAs(cert *x509.Certificate) bool {
	return slices.Equal(cert.DNSNames, n.dns) && slices.EqualFunc(cert.IPAddresses, n.ips, net.IP.Equal)
}
