package local

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"sync"
)

// tokenBytes is the length of a minted token before encoding.
const tokenBytes = 32

// identities mints the tokens of instances and knows them until the instance is dead. It keeps and looks up hashes
// only, so how long a look-up takes tells nothing about the tokens.
type identities struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]IdentityRequest
}

func (t *identities) mint(_ context.Context, request IdentityRequest) (string, error) {
	secret := make([]byte, tokenBytes)
	if _, err := rand.Read(secret); err != nil {
		return "", fmt.Errorf("mint an identity: %w", err)
	}
	token := base64.RawURLEncoding.EncodeToString(secret)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known[sha256.Sum256([]byte(token))] = request
	return token, nil
}

// revoke forgets all tokens of an instance.
func (t *identities) revoke(allocID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for hash, request := range t.known {
		if request.AllocID == allocID {
			delete(t.known, hash)
		}
	}
}

func (t *identities) verify(token string) (IdentityRequest, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	request, ok := t.known[sha256.Sum256([]byte(token))]
	return request, ok
}

// VerifyIdentity tells whose token this is. Only tokens that the scheduler minted itself are known, and only while
// their instance is not dead. Safe for concurrent use.
func (s *Scheduler) VerifyIdentity(token string) (allocID, jobID string, ok bool) {
	request, ok := s.machine.tokens.verify(token)
	return request.AllocID, request.JobID, ok
}
