package localca_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/manager/localca"
)

func open(t *testing.T, cfg localca.Config) *localca.Authority {
	t.Helper()
	a, err := localca.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func leaf(t *testing.T, a *localca.Authority) *x509.Certificate {
	t.Helper()
	c, err := a.TLSConfig().GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf
}

func TestServesAllNames(t *testing.T) {
	t.Parallel()
	a := open(t, localca.Config{Dir: filepath.Join(t.TempDir(), "tls"), Names: []string{"Night.Example.com", "*.fn.example.com", "192.0.2.7"}})
	if !a.Made() {
		t.Error("a first start made no authority")
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.TLS.ServerName) }))
	// StartTLS would put its own certificate beside ours and serve that to who names no host.
	srv.Listener = tls.NewListener(srv.Listener, a.TLSConfig())
	srv.Start()
	t.Cleanup(srv.Close)
	pem, err := os.ReadFile(a.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	for _, name := range []string{
		"localhost", "functions.localhost", "shop.functions.localhost", "shop.scm.functions.localhost", "127.0.0.1", "::1",
		"night.example.com", "shop.fn.example.com", "192.0.2.7",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := dial(t, srv.Listener.Addr().String(), &tls.Config{RootCAs: pool, ServerName: name}); err != nil {
				t.Errorf("not trusted as %s: %v", name, err)
			}
		})
	}
	if err := dial(t, srv.Listener.Addr().String(), &tls.Config{RootCAs: pool, ServerName: "example.com"}); err == nil {
		t.Error("trusted as a name that it is not for")
	}
	if err := dial(t, srv.Listener.Addr().String(), &tls.Config{ServerName: "localhost"}); err == nil {
		t.Error("trusted without the authority")
	}
}

func dial(t *testing.T, addr string, cfg *tls.Config) error {
	t.Helper()
	conn, err := (&tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: cfg}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

func TestKeepsWhatIsGood(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := time.Now()
	day := 24 * time.Hour
	first := open(t, localca.Config{Dir: dir})
	ca, _ := os.ReadFile(first.CAFile())
	serial := leaf(t, first).SerialNumber.String()
	for _, tc := range []struct {
		name           string
		after          time.Duration
		names          []string
		newCA, newLeaf bool
	}{
		{name: "a restart changes nothing", after: day},
		{name: "a third of the life left: renewed", after: 300 * day, newLeaf: true},
		{name: "a name within the constraints: new leaf", names: []string{"more.functions.localhost"}, newLeaf: true},
		{name: "a name outside of them: new authority", names: []string{"night.example.com"}, newCA: true, newLeaf: true},
		{name: "the authority ends soon", after: 9 * 366 * day, newCA: true, newLeaf: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			copied := t.TempDir()
			for _, f := range []string{"ca.pem", "ca-key.pem", "server.pem"} {
				data, err := os.ReadFile(filepath.Join(dir, f))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(copied, f), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			again := open(t, localca.Config{Dir: copied, Names: tc.names, Now: func() time.Time { return start.Add(tc.after) }})
			nowCA, _ := os.ReadFile(again.CAFile())
			if got := string(nowCA) != string(ca); got != tc.newCA || again.Made() != tc.newCA {
				t.Errorf("new authority: %v, Made() %v, want %v", got, again.Made(), tc.newCA)
			}
			if got := leaf(t, again).SerialNumber.String() != serial; got != tc.newLeaf {
				t.Errorf("new server certificate: %v, want %v", got, tc.newLeaf)
			}
			if err := leaf(t, again).VerifyHostname("localhost"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRenewsWhileRunning(t *testing.T) {
	t.Parallel()
	now := time.Now()
	a := open(t, localca.Config{Dir: t.TempDir(), Now: func() time.Time { return now }})
	before := leaf(t, a)
	now = now.Add(390 * 24 * time.Hour)
	after := leaf(t, a)
	if before.SerialNumber.Cmp(after.SerialNumber) == 0 || !after.NotAfter.After(before.NotAfter) {
		t.Error("the certificate was not renewed before its end")
	}
	if err := after.CheckSignatureFrom(mustCA(t, a)); err != nil {
		t.Error(err)
	}
}

func mustCA(t *testing.T, a *localca.Authority) *x509.Certificate {
	t.Helper()
	c, err := a.TLSConfig().GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(c.Certificate[1])
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func TestAuthorityIsConstrained(t *testing.T) {
	t.Parallel()
	ca := mustCA(t, open(t, localca.Config{Dir: t.TempDir(), Names: []string{"night.example.com"}}))
	if !ca.PermittedDNSDomainsCritical || len(ca.PermittedDNSDomains) == 0 || len(ca.PermittedIPRanges) == 0 {
		t.Error("the authority may sign for the whole world")
	}
	for _, d := range ca.PermittedDNSDomains {
		if d == "com" || d == "example.com" || d == "" {
			t.Errorf("the authority may sign for %q", d)
		}
	}
}

func TestDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, localca.Config{Dir: dir})
	if err := os.WriteFile(filepath.Join(dir, "server.pem"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, localca.Config{Dir: dir}) // made again
	key := filepath.Join(dir, "ca-key.pem")
	if err := os.WriteFile(key, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := localca.Open(localca.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "ca-key.pem") {
		t.Errorf("a damaged authority: %v", err)
	}
	if data, _ := os.ReadFile(key); string(data) != "half" {
		t.Error("a damaged authority was overwritten")
	}
}

func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("file modes say nothing on Windows")
	}
	dir := filepath.Join(t.TempDir(), "tls")
	open(t, localca.Config{Dir: dir})
	for name, want := range map[string]os.FileMode{"": 0o700, "ca-key.pem": 0o600, "server.pem": 0o600, "ca.pem": 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: mode %v, %v, want %v", name, info.Mode().Perm(), err, want)
		}
	}
}

func TestBadNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "*", "*.*.example.com", "a b", "-a.com", "a..com", "https://x"} {
		if _, err := localca.Open(localca.Config{Dir: t.TempDir(), Names: []string{name}}); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}

func TestTrustText(t *testing.T) {
	t.Parallel()
	text := localca.TrustText("/data/tls/ca.pem")
	for _, want := range []string{
		"export REQUESTS_CA_BUNDLE='/data/tls/ca.pem'", "$env:NODE_EXTRA_CA_CERTS = '/data/tls/ca.pem'", "SSL_CERT_FILE",
		"update-ca-certificates", "Import-Certificate", "Firefox",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}
