package requesttoken

import (
	"crypto/ed25519"
	"encoding/base64"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// TTL is how long a token is good for.
const TTL = 60 * time.Second

// skew tolerates clocks that differ between the gateway's and the instance's node.
const skew = 30 * time.Second

const issuer = "nightshift-gateway"

// Signer makes tokens, one per app and half TTL. It is safe for concurrent use.
type Signer struct {
	key  ed25519.PrivateKey
	now  func() time.Time
	mu   sync.RWMutex
	last map[string]signed
}

type signed struct {
	token string
	until time.Time
}

// NewSigner makes a Signer; now is time.Now outside tests.
func NewSigner(key ed25519.PrivateKey, now func() time.Time) *Signer {
	return &Signer{key: key, now: now, last: map[string]signed{}}
}

// PublicKey returns the key that checks this signer's tokens, in standard base64.
func (s *Signer) PublicKey() string {
	pub, _ := s.key.Public().(ed25519.PublicKey)
	return base64.StdEncoding.EncodeToString(pub)
}

// Token returns a token for the app, good for at least half of TTL.
func (s *Signer) Token(app string) (string, error) {
	now := s.now()
	s.mu.RLock()
	have := s.last[app]
	s.mu.RUnlock()
	if now.Before(have.until) {
		return have.token, nil
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.RegisteredClaims{
		Issuer: issuer, Audience: jwt.ClaimStrings{app},
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(TTL)),
	}).SignedString(s.key)
	if err != nil {
		return "", azfunc.Errorf(azfunc.Internal, "sign a request token for app %q: %w", app, err)
	}
	s.mu.Lock()
	s.last[app] = signed{token, now.Add(TTL / 2)}
	s.mu.Unlock()
	return token, nil
}

// Verifier checks tokens for one app. It is safe for concurrent use.
type Verifier struct {
	app  string
	now  func() time.Time
	mu   sync.RWMutex
	keys []ed25519.PublicKey
	last signed
}

// NewVerifier makes a Verifier with no keys: it refuses everything until SetKeys.
func NewVerifier(app string, now func() time.Time) *Verifier {
	return &Verifier{app: app, now: now}
}

// SetKeys replaces the accepted public keys (standard base64); what is not a key is passed over.
func (v *Verifier) SetKeys(keys []string) {
	var parsed []ed25519.PublicKey
	for _, k := range keys {
		if raw, err := base64.StdEncoding.DecodeString(k); err == nil && len(raw) == ed25519.PublicKeySize {
			parsed = append(parsed, raw)
		}
	}
	v.mu.Lock()
	v.keys, v.last = parsed, signed{}
	v.mu.Unlock()
}

// Check returns nil for a good token of this app, else an Unauthenticated error.
func (v *Verifier) Check(token string) error {
	v.mu.RLock()
	keys, last := v.keys, v.last
	v.mu.RUnlock()
	if token != "" && token == last.token && v.now().Before(last.until) {
		return nil
	}
	until, err := v.parse(token, keys)
	if err != nil {
		return azfunc.Errorf(azfunc.Unauthenticated, "the request token is not good for app %q: %w", v.app, err)
	}
	v.mu.Lock()
	v.last = signed{token, until}
	v.mu.Unlock()
	return nil
}

func (v *Verifier) parse(token string, keys []ed25519.PublicKey) (time.Time, error) {
	var claims jwt.RegisteredClaims
	err := error(jwt.ErrTokenUnverifiable)
	for _, key := range keys {
		_, err = jwt.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return key, nil },
			jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithIssuer(issuer), jwt.WithAudience(v.app),
			jwt.WithExpirationRequired(), jwt.WithLeeway(skew), jwt.WithTimeFunc(v.now))
		if err == nil {
			return claims.ExpiresAt.Add(skew), nil
		}
	}
	return time.Time{}, err
}
