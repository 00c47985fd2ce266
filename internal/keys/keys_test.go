package keys_test

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/nightshift-functions/nightshift/internal/keys"
)

func TestGenerate(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[A-Za-z0-9_-]{54}AzFu$`)
	seen := map[string]bool{}
	for range 1000 {
		key, err := keys.Generate()
		if err != nil {
			t.Fatal(err)
		}
		if !form.MatchString(key) || seen[key] {
			t.Fatalf("%q has another form or came twice", key)
		}
		seen[key] = true
	}
}

func TestPublishPassword(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[A-Za-z0-9]{60}$`)
	counts := map[rune]int{}
	const n = 2000
	for range n {
		password, err := keys.PublishPassword()
		if err != nil {
			t.Fatal(err)
		}
		if !form.MatchString(password) {
			t.Fatalf("%q has another form", password)
		}
		for _, c := range password {
			counts[c]++
		}
	}
	// Each of 62 letters comes up 1935 times of 120000, give or take 44: eight times that is no accident. With the
	// bytes from 248 on, the first eight letters would come up 2344 times.
	for c, got := range counts {
		if got < 1580 || got > 2290 {
			t.Errorf("%c came up %d times", c, got)
		}
	}
	if len(counts) != 62 {
		t.Errorf("%d different letters", len(counts))
	}
}

func TestHashAndEqual(t *testing.T) {
	t.Parallel()
	if got := keys.Hash("abc"); got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("the hash of abc is %s", got)
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{{"", "", true}, {"a", "a", true}, {"a", "b", false}, {"a", "aa", false}, {"", "a", false}} {
		if keys.Equal(c.a, c.b) != c.want {
			t.Errorf("Equal(%q, %q) is not %v", c.a, c.b, c.want)
		}
	}
}

func newSealer(t testing.TB, all ...keys.SealingKey) *keys.Sealer {
	t.Helper()
	s, err := keys.NewRotatingSealer(all)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealer(t *testing.T) {
	t.Parallel()
	old, young := keys.SealingKey{ID: 1, Key: [32]byte{1}}, keys.SealingKey{ID: 2, Key: [32]byte{2}}
	before, after, without := newSealer(t, old), newSealer(t, old, young), newSealer(t, young)
	row := []byte("row")
	sealed, err := before.Seal([]byte("secret"), row)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("secret")) {
		t.Error("the seal shows the secret")
	}
	again, err := before.Seal([]byte("secret"), row)
	if err != nil || bytes.Equal(sealed, again) {
		t.Errorf("the same secret gives the same seal (%v)", err)
	}
	rotated, err := after.Seal([]byte("secret"), row)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		s      *keys.Sealer
		sealed []byte
		row    string
		opens  bool
	}{
		"own":                    {before, sealed, "row", true},
		"after rotation":         {after, sealed, "row", true},
		"new key":                {after, rotated, "row", true},
		"new key only":           {without, rotated, "row", true},
		"old key is gone":        {without, sealed, "row", false},
		"key is not there yet":   {before, rotated, "row", false},
		"another row":            {before, sealed, "other", false},
		"another key with id 1":  {newSealer(t, keys.SealingKey{ID: 1, Key: [32]byte{9}}), sealed, "row", false},
		"id of another key":      {after, append([]byte{2}, sealed[1:]...), "row", false},
		"cut":                    {before, sealed[:len(sealed)-1], "row", false},
		"shorter than its frame": {before, sealed[:5], "row", false},
		"empty":                  {before, nil, "row", false},
	} {
		plain, err := c.s.Open(c.sealed, []byte(c.row))
		if (err == nil) != c.opens || (c.opens && string(plain) != "secret") {
			t.Errorf("%s: got %q, %v", name, plain, err)
		}
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := before.Open(changed, row); err == nil {
			t.Errorf("a change of byte %d is not noticed", i)
		}
	}
}

func TestSealerNeedsKeys(t *testing.T) {
	t.Parallel()
	if _, err := keys.NewRotatingSealer(nil); err == nil {
		t.Error("no key is enough")
	}
	if _, err := keys.NewRotatingSealer([]keys.SealingKey{{ID: 1}, {ID: 1}}); err == nil {
		t.Error("two keys have one id")
	}
}

// Nobody without the key makes a seal that opens, and what was sealed opens to the same.
func FuzzSealer(f *testing.F) {
	s, err := keys.NewSealer([32]byte{7})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{}, []byte{})
	f.Add([]byte{1}, []byte("settings\x00app"))
	f.Add(append([]byte{1}, make([]byte, 28)...), []byte("x"))
	f.Fuzz(func(t *testing.T, raw, context []byte) {
		if plain, err := s.Open(raw, context); err == nil {
			t.Fatalf("%x opened to %x", raw, plain)
		}
		sealed, err := s.Seal(raw, context)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := s.Open(sealed, context)
		if err != nil || !bytes.Equal(raw, plain) {
			t.Fatalf("%x came back as %x, %v", raw, plain, err)
		}
	})
}
