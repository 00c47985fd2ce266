package requesttoken_test

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/requesttoken"
)

func pair(t testing.TB, now *time.Time) (*requesttoken.Signer, *requesttoken.Verifier) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return *now }
	s, v := requesttoken.NewSigner(key, clock), requesttoken.NewVerifier("hello", clock)
	v.SetKeys([]string{"not a key", s.PublicKey()})
	return s, v
}

func TestCheck(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s, v := pair(t, &now)
	other, _ := pair(t, &now)
	token := func(s *requesttoken.Signer, app string) string {
		tok, err := s.Token(app)
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	good := token(s, "hello")
	for name, c := range map[string]struct {
		token string
		ok    bool
	}{
		"good":          {good, true},
		"again":         {good, true},
		"another app's": {token(s, "world"), false},
		"another key":   {token(other, "hello"), false},
		"empty":         {"", false},
		"cut":           {good[:len(good)-4], false},
		"no algorithm":  {"eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + ".", false},
	} {
		if err := v.Check(c.token); (err == nil) != c.ok {
			t.Errorf("%s: got %v", name, err)
		} else if err != nil && azfunc.CodeOf(err) != azfunc.Unauthenticated {
			t.Errorf("%s: code %s", name, azfunc.CodeOf(err))
		}
	}
	now = now.Add(requesttoken.TTL / 2)
	if token(s, "hello") == good {
		t.Error("a token older than half its life was handed out again")
	}
	now = now.Add(2 * requesttoken.TTL)
	if v.Check(good) == nil {
		t.Error("an expired token was accepted")
	}
}

func TestSetKeysForgetsWhatItAccepted(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s, v := pair(t, &now)
	tok, _ := s.Token("hello")
	if err := v.Check(tok); err != nil {
		t.Fatal(err)
	}
	v.SetKeys(nil)
	if v.Check(tok) == nil {
		t.Error("a token of a withdrawn key was accepted")
	}
}

func FuzzCheck(f *testing.F) {
	now := time.Now()
	s, v := pair(f, &now)
	tok, _ := s.Token("hello")
	f.Add(tok)
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		if v.Check(token) == nil && token != tok {
			t.Errorf("accepted %q", token)
		}
	})
}

func BenchmarkCheckSame(b *testing.B) {
	now := time.Now()
	s, v := pair(b, &now)
	tok, _ := s.Token("hello")
	for b.Loop() {
		if err := v.Check(tok); err != nil {
			b.Fatal(err)
		}
	}
}
