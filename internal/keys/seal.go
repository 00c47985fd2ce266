package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// SealingKey is one AES-256 key for what the store keeps, with the id that its seals carry.
type SealingKey struct {
	ID  byte
	Key [32]byte
}

// String keeps the key out of logs.
func (k SealingKey) String() string { return fmt.Sprintf("sealing key %d ***", k.ID) }

// GoString keeps the key out of logs.
func (k SealingKey) GoString() string { return k.String() }

// Sealer seals with its newest key and opens with any it has. A seal is the key's id (1 byte), a random nonce (12),
// the ciphertext and the tag (16). It is safe for concurrent use.
type Sealer struct {
	current byte
	ciphers map[byte]cipher.AEAD
}

// NewSealer makes a Sealer with one key, whose id is 1.
func NewSealer(masterKey [32]byte) (*Sealer, error) {
	return NewRotatingSealer([]SealingKey{{ID: 1, Key: masterKey}})
}

// NewRotatingSealer makes a Sealer that seals with the last of the keys and opens with all of them.
func NewRotatingSealer(all []SealingKey) (*Sealer, error) {
	if len(all) == 0 {
		return nil, azfunc.Errorf(azfunc.Invalid, "sealing needs at least one key")
	}
	s := &Sealer{current: all[len(all)-1].ID, ciphers: make(map[byte]cipher.AEAD, len(all))}
	for _, k := range all {
		if s.ciphers[k.ID] != nil {
			return nil, azfunc.Errorf(azfunc.Invalid, "two sealing keys have the id %d", k.ID)
		}
		aead, err := newAEAD(k.Key)
		if err != nil {
			return nil, fmt.Errorf("sealing key %d: %w", k.ID, err)
		}
		s.ciphers[k.ID] = aead
	}
	return s, nil
}

// newAEAD is AES-256-GCM with random nonces: one key is good for 2^32 seals, about 136 years at one a second.
func newAEAD(key [32]byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("make the cipher: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Seal encrypts plain and binds it to context: it opens with the same context only.
func (s *Sealer) Seal(plain, context []byte) ([]byte, error) {
	aead := s.ciphers[s.current]
	sealed := make([]byte, 1, 1+aead.Overhead()+len(plain))
	sealed[0] = s.current
	return aead.Seal(sealed, nil, plain, bound(s.current, context)), nil
}

// Open decrypts what Seal made. The error says whether the key is missing or the value was made with another key,
// moved or damaged; it never holds any of it.
func (s *Sealer) Open(sealed, context []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, azfunc.Errorf(azfunc.Internal, "the sealed value is empty")
	}
	aead := s.ciphers[sealed[0]]
	if aead == nil {
		return nil, azfunc.Errorf(azfunc.Internal, "a value is sealed with key %d, which the key file does not have; put back the key file that belongs to this database", sealed[0])
	}
	plain, err := aead.Open(nil, nil, sealed[1:], bound(sealed[0], context))
	if err != nil {
		return nil, azfunc.Errorf(azfunc.Internal, "a sealed value does not open: the key file does not belong to this database, or the value was damaged or moved")
	}
	return plain, nil
}

// bound makes the id part of what the tag covers, so that it cannot be changed either.
func bound(id byte, context []byte) []byte {
	return append([]byte{id}, context...)
}
