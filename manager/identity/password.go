package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// The bounds of a password. The upper one keeps a request from buying hashing time with megabytes.
const (
	MinPasswordBytes = 12
	MaxPasswordBytes = 1024
)

const (
	saltBytes = 16
	hashBytes = 32
)

// Cost says how dear one argon2id hash is.
type Cost struct {
	MemoryKiB uint32
	Passes    uint32
	Lanes     uint8
}

// DefaultCost takes 40 to 50 ms on one core of a small server (BenchmarkPasswordCheck) and lies above the least that
// OWASP's password storage cheat sheet asks for (19 MiB, 2 passes, 1 lane).
func DefaultCost() Cost { return Cost{MemoryKiB: 32 << 10, Passes: 2, Lanes: 1} }

// Passwords makes and checks password hashes. Only as many run at once as it has slots, so that a flood of sign-ins
// takes neither all cores nor all memory. It is safe for concurrent use.
type Passwords struct {
	cost  Cost
	slots chan struct{}
	decoy string
}

// NewPasswords makes Passwords that run at most concurrent hashes at a time.
func NewPasswords(ctx context.Context, cost Cost, concurrent int) (*Passwords, error) {
	if concurrent < 1 {
		return nil, fmt.Errorf("make password hasher: %d slots", concurrent)
	}
	p := &Passwords{cost: cost, slots: make(chan struct{}, concurrent)}
	decoy, err := p.Hash(ctx, rand.Text())
	p.decoy = decoy
	return p, err
}

// Hash returns the self-describing PHC string of a password. The error is the context's when no slot came free.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltBytes)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("make salt: %w", err)
	}
	h := phc{cost: p.cost, salt: salt}
	sum, err := p.derive(ctx, h, password, hashBytes)
	if err != nil {
		return "", err
	}
	h.sum = sum
	return h.String(), nil
}

// Check reports whether the password belongs to the hash, in time that does not depend on where they differ. An empty
// hash is no match but costs the same, so that unknown users cannot be told from known ones by the clock.
func (p *Passwords) Check(ctx context.Context, hash, password string) (bool, error) {
	known := hash != ""
	if !known {
		hash = p.decoy
	}
	h, err := parsePHC(hash)
	if err != nil {
		return false, err
	}
	sum, err := p.derive(ctx, h, password, len(h.sum))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(sum, h.sum) == 1 && known, nil
}

func (p *Passwords) derive(ctx context.Context, h phc, password string, size int) ([]byte, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a free password check: %w", ctx.Err())
	}
	defer func() { <-p.slots }()
	return argon2.IDKey([]byte(password), h.salt, h.cost.Passes, h.cost.MemoryKiB, h.cost.Lanes, uint32(size)), nil
}

// ValidatePassword refuses passwords that are too short, too long or hold control characters. The error is Invalid.
func ValidatePassword(password string) error {
	if len(password) < MinPasswordBytes || len(password) > MaxPasswordBytes {
		return azfunc.Errorf(azfunc.Invalid, "a password has %d to %d bytes, this one has %d", MinPasswordBytes, MaxPasswordBytes, len(password))
	}
	if strings.ContainsFunc(password, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return azfunc.Errorf(azfunc.Invalid, "a password cannot hold line breaks or other control characters")
	}
	return nil
}

// phc is a parsed "$argon2id$v=19$m=32768,t=2,p=1$salt$hash".
type phc struct {
	cost Cost
	salt []byte
	sum  []byte
}

// String returns the PHC string form.
func (h phc) String() string {
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.cost.MemoryKiB, h.cost.Passes, h.cost.Lanes, enc.EncodeToString(h.salt), enc.EncodeToString(h.sum))
}

// parsePHC reads a hash. Costs are bounded, because a row that somebody changed must not stop the manager.
func parsePHC(s string) (phc, error) {
	var h phc
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, fmt.Errorf("the stored password hash is not argon2id version %d", argon2.Version)
	}
	if _, err := fmt.Sscanf(parts[3]+"\n", "m=%d,t=%d,p=%d\n", &h.cost.MemoryKiB, &h.cost.Passes, &h.cost.Lanes); err != nil {
		return h, fmt.Errorf("read the cost of the stored password hash: %w", err)
	}
	if h.cost.MemoryKiB < 8 || h.cost.MemoryKiB > 1<<20 || h.cost.Passes < 1 || h.cost.Passes > 64 || h.cost.Lanes < 1 {
		return h, fmt.Errorf("the stored password hash has a cost out of bounds")
	}
	var err error
	if h.salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4]); err != nil {
		return h, fmt.Errorf("read the salt of the stored password hash: %w", err)
	}
	if h.sum, err = base64.RawStdEncoding.Strict().DecodeString(parts[5]); err != nil {
		return h, fmt.Errorf("read the stored password hash: %w", err)
	}
	if len(h.salt) < 8 || len(h.salt) > 64 || len(h.sum) < 16 || len(h.sum) > 64 {
		return h, fmt.Errorf("the stored password hash has a salt or sum of the wrong length")
	}
	return h, nil
}
