package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// How long tokens live. A refresh token's time counts from the sign-in and is never lengthened, so that a stolen one
// ends with the working day; changing the password or disabling the user ends all of them at once.
const (
	accessLife  = time.Hour
	refreshLife = 12 * time.Hour
)

// tenant is the tenant that AD FS gives its users.
const tenant = "adfs"

// The uses of a token. A token of one use is never taken for another, although one key signs them all.
const (
	useAccess  = "access"
	useRefresh = "refresh"
	useID      = "id"
)

// claims are those of AD FS that Azure's clients read, and two of our own.
type claims struct {
	jwt.RegisteredClaims
	ObjectID   string `json:"oid"`
	Tenant     string `json:"tid"`
	UniqueName string `json:"unique_name"`
	UPN        string `json:"upn"`
	Preferred  string `json:"preferred_username,omitempty"`
	AppID      string `json:"appid"`
	Version    string `json:"ver"`
	Use        string `json:"token_use"`
	// Stamp is a fingerprint of the password hash at sign-in: a new password ends the tokens of the old one.
	Stamp string `json:"stamp"`
}

type tokens struct {
	key       *ecdsa.PrivateKey
	keyID     string
	issuer    string
	audiences []string // without a slash at the end, lower case
	now       func() time.Time
}

func newTokens(key *ecdsa.PrivateKey, issuer string, audiences []string, now func() time.Time) (*tokens, error) {
	if key == nil || key.Curve != elliptic.P256() {
		return nil, errors.New("identity needs a P-256 key to sign tokens")
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("encode the public token key: %w", err)
	}
	sum := sha256.Sum256(der)
	t := &tokens{key: key, keyID: base64.RawURLEncoding.EncodeToString(sum[:16]), issuer: issuer, now: now}
	for _, a := range audiences {
		t.audiences = append(t.audiences, plainAudience(a))
	}
	return t, nil
}

// algorithm is ES256, which every client of Azure's tools can check.
func algorithm() jwt.SigningMethod { return jwt.SigningMethodES256 }

func plainAudience(a string) string { return strings.TrimRight(strings.ToLower(a), "/") }

// grantFor is what one sign-in issues tokens for.
type grantFor struct {
	user     store.User
	client   string
	audience string
	until    time.Time // end of the refresh token
}

func (t *tokens) issue(g grantFor, use string) (string, error) {
	now := t.now()
	audience, until := g.audience, now.Add(accessLife)
	switch use {
	case useID:
		audience = g.client
	case useRefresh:
		audience, until = t.issuer, g.until
	}
	c := claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: t.issuer, Subject: g.user.ID, Audience: jwt.ClaimStrings{audience}, ID: uuid.NewString(),
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(until),
		},
		ObjectID: g.user.ID, Tenant: tenant, UniqueName: g.user.Name, UPN: g.user.Name, AppID: g.client, Version: "1.0",
		Use: use, Stamp: stampOf(g.user),
	}
	if use == useID {
		c.Preferred = g.user.Name
	}
	token := jwt.NewWithClaims(algorithm(), c)
	token.Header["kid"] = t.keyID
	signed, err := token.SignedString(t.key)
	if err != nil {
		return "", fmt.Errorf("sign %s token for user %q: %w", use, g.user.Name, err)
	}
	return signed, nil
}

// check returns the claims of a token of the given use that this service issued and that is still good. The error
// does not repeat the token.
func (t *tokens) check(token, use string) (claims, error) {
	var c claims
	_, err := jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return &t.key.PublicKey, nil },
		jwt.WithValidMethods([]string{algorithm().Alg()}), jwt.WithIssuer(t.issuer), jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(), jwt.WithTimeFunc(t.now))
	if err != nil {
		return claims{}, azfunc.Errorf(azfunc.Unauthenticated, "the token is not good: %w", err)
	}
	if c.Use != use {
		return claims{}, azfunc.Errorf(azfunc.Unauthenticated, "the token is a %q token, here an %q token is needed", c.Use, use)
	}
	return c, nil
}

// forUs reports whether an access token was asked for this installation and not for some other resource.
func (t *tokens) forUs(c claims) bool {
	return slices.ContainsFunc(c.Audience, func(a string) bool { return slices.Contains(t.audiences, plainAudience(a)) })
}

func stampOf(u store.User) string {
	sum := sha256.Sum256([]byte(u.ID + "\n" + u.PasswordHash))
	return hex.EncodeToString(sum[:8])
}

// publicKeySet returns the key set (RFC 7517) that checks the tokens.
func (t *tokens) publicKeySet() (map[string]any, error) {
	point, err := t.key.PublicKey.Bytes() // 4, X, Y
	if err != nil {
		return nil, fmt.Errorf("encode the public token key: %w", err)
	}
	enc := base64.RawURLEncoding
	return map[string]any{"keys": []any{map[string]any{
		"kty": "EC", "crv": "P-256", "use": "sig", "alg": algorithm().Alg(), "kid": t.keyID,
		"x": enc.EncodeToString(point[1:33]), "y": enc.EncodeToString(point[33:]),
	}}}, nil
}
