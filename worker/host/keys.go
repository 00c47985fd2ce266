package host

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
)

// Level is who a caller is, by the key that came with the request.
type Level int

// The levels, each opening what those before it open.
const (
	Anonymous Level = iota
	FunctionLevel
	Admin
)

// headerKey carries a key; the query parameter "code" does so too.
const headerKey = "X-Functions-Key"

type digest = [sha256.Size]byte

// Keyring is an app's keys by their hashes. It never changes.
type Keyring struct {
	master    []digest
	host      []digest
	functions map[string][]digest
}

// NewKeyring reads the hashes; what is no SHA-256 in hex opens nothing.
func NewKeyring(keys hostapi.Keys) *Keyring {
	k := &Keyring{master: digests(keys.Master), host: digests(keys.Host), functions: map[string][]digest{}}
	for name, list := range keys.Functions {
		k.functions[strings.ToLower(name)] = digests(list)
	}
	return k
}

func digests(keys []hostapi.KeyHash) []digest {
	var list []digest
	for _, k := range keys {
		raw, err := hex.DecodeString(k.Hash)
		if err == nil && len(raw) == sha256.Size {
			list = append(list, digest(raw))
		}
	}
	return list
}

// Level returns what the key of a request opens for a function ("" for the admin API). The header comes before the
// query, as in Azure: a wrong key in the header is not made good by a right one in the query.
func (k *Keyring) Level(r *http.Request, function string) Level {
	key := r.Header.Get(headerKey)
	if key == "" && r.URL.RawQuery != "" {
		key = r.URL.Query().Get("code")
	}
	if key == "" {
		return Anonymous
	}
	hash := sha256.Sum256([]byte(key))
	switch {
	case opens(k.master, hash):
		return Admin
	case function != "" && (opens(k.host, hash) || opens(k.functions[strings.ToLower(function)], hash)):
		return FunctionLevel
	}
	return Anonymous
}

// opens compares with every key, in constant time.
func opens(keys []digest, hash digest) bool {
	found := 0
	for i := range keys {
		found |= subtle.ConstantTimeCompare(keys[i][:], hash[:])
	}
	return found == 1
}
