package identity

import (
	"context"
	"strings"
	"testing"
)

// cheap keeps the tests fast; the default cost is what BenchmarkPasswordCheck measures.
func cheap() Cost { return Cost{MemoryKiB: 64, Passes: 1, Lanes: 1} }

func TestPasswords(t *testing.T) {
	t.Parallel()
	p, err := NewPasswords(t.Context(), cheap(), 2)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := p.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	other, _ := p.Hash(t.Context(), "correct horse")
	if hash == other {
		t.Error("the same password gave the same hash twice: no salt")
	}
	if strings.Contains(hash, "correct") || !strings.HasPrefix(hash, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Errorf("hash %q", hash)
	}
	for _, tc := range []struct {
		name, hash, password string
		want                 bool
	}{
		{"right", hash, "correct horse", true},
		{"wrong", hash, "correct horsf", false},
		{"empty", hash, "", false},
		{"unknown user", "", "correct horse", false},
		{"other cost is read from the hash", "$argon2id$v=19$m=8,t=2,p=1$" + strings.SplitN(hash, "$", 5)[4], "correct horse", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := p.Check(t.Context(), tc.hash, tc.password)
			if err != nil || got != tc.want {
				t.Errorf("Check = %v, %v, want %v", got, err, tc.want)
			}
		})
	}
}

func TestPasswordsWaitForASlotOnlyAsLongAsTheContext(t *testing.T) {
	t.Parallel()
	p, err := NewPasswords(t.Context(), cheap(), 1)
	if err != nil {
		t.Fatal(err)
	}
	p.slots <- struct{}{} // somebody else is hashing
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Check(ctx, "", "x"); err == nil {
		t.Error("a check ran without a slot")
	}
}

func FuzzParsePHC(f *testing.F) {
	for _, seed := range []string{
		"", "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2i$v=19$m=64,t=1,p=1$AAAA$AAAA", "$argon2id$v=19$m=4294967295,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", "$$$$$",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parsePHC(s)
		if err != nil {
			return
		}
		again, err := parsePHC(h.String())
		if err != nil || again.String() != h.String() || h.cost.MemoryKiB > 1<<20 {
			t.Errorf("%q does not survive a round trip: %v", s, err)
		}
	})
}

func BenchmarkPasswordCheck(b *testing.B) {
	p, err := NewPasswords(b.Context(), DefaultCost(), 1)
	if err != nil {
		b.Fatal(err)
	}
	hash, _ := p.Hash(b.Context(), "correct horse")
	for b.Loop() {
		if ok, err := p.Check(b.Context(), hash, "correct horse"); !ok || err != nil {
			b.Fatal(err)
		}
	}
}
