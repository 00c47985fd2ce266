package keys

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// Keyring is what the key file holds.
type Keyring struct {
	// Sealing are the keys of the store's secrets, oldest first; the last one seals.
	Sealing []SealingKey
	// Gateway signs the token of every proxied request.
	Gateway ed25519.PrivateKey
	// Tokens signs sign-in tokens: P-256 (ES256), which every client of Azure's tools can check.
	Tokens *ecdsa.PrivateKey
}

// String keeps keys out of logs.
func (Keyring) String() string { return "***" }

// GoString keeps keys out of logs.
func (Keyring) GoString() string { return "***" }

// MarshalJSON keeps keys out of logs and answers.
func (Keyring) MarshalJSON() ([]byte, error) { return []byte(`"***"`), nil }

// Sealer makes the Sealer of the ring's sealing keys.
func (k Keyring) Sealer() (*Sealer, error) { return NewRotatingSealer(k.Sealing) }

// keyFile is the file's JSON; []byte becomes standard base64.
type keyFile struct {
	Version int           `json:"version"`
	Sealing []fileSealing `json:"sealing"`
	Gateway []byte        `json:"gateway"` // Ed25519 seed, 32 bytes
	Tokens  []byte        `json:"tokens"`  // P-256 private key, PKCS #8
}

type fileSealing struct {
	ID  byte   `json:"id"`
	Key []byte `json:"key"` // 32 bytes
}

const fileVersion = 1

// LoadOrCreate reads the key file at path, or makes it (and its folder, for its owner alone) when there is none. The
// new file is whole or not there, whatever dies meanwhile, and of two processes that make it at the same moment both get
// the same keys. A file that others may read is refused with the command to run, a damaged one with what to do: it
// is never replaced, because what is sealed with its keys would be lost.
func LoadOrCreate(path string) (Keyring, error) {
	ring, err := load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return ring, err
	}
	if err := create(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return Keyring{}, azfunc.Errorf(azfunc.Unavailable, "make the key file %s: %w; give this account the right to write in %s", path, err, filepath.Dir(path))
	}
	return load(path)
}

func load(path string) (Keyring, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Keyring{}, fmt.Errorf("look at the key file: %w", err)
	}
	if err != nil {
		return Keyring{}, unreadable(path, err)
	}
	if info.IsDir() {
		return Keyring{}, azfunc.Errorf(azfunc.Invalid, "the key file %s is a folder; name a file", path)
	}
	if mode := info.Mode().Perm(); othersMayUse(mode) {
		return Keyring{}, azfunc.Errorf(azfunc.Invalid, "the key file %s may be read by others (mode %04o); run: chmod 600 %s", path, mode, path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return Keyring{}, unreadable(path, err)
	}
	ring, err := parse(raw)
	if err != nil {
		return Keyring{}, azfunc.Errorf(azfunc.Invalid, "the key file %s is damaged (%w); put it back from a backup: without it nothing sealed in the database can be read, so it is not made anew", path, err)
	}
	return ring, nil
}

func unreadable(path string, err error) error {
	return azfunc.Errorf(azfunc.Unavailable, "the key file %s cannot be read: %w; check the path, and run as the account that owns the file", path, err)
}

func parse(raw []byte) (Keyring, error) {
	var file keyFile
	if err := json.Unmarshal(raw, &file); err != nil {
		return Keyring{}, errors.New("it is not JSON of a key file") // err could quote the content
	}
	if file.Version != fileVersion {
		return Keyring{}, fmt.Errorf("version %d, this program knows %d", file.Version, fileVersion)
	}
	var ring Keyring
	for _, k := range file.Sealing {
		if len(k.Key) != 32 {
			return Keyring{}, fmt.Errorf("sealing key %d has %d bytes, not 32", k.ID, len(k.Key))
		}
		ring.Sealing = append(ring.Sealing, SealingKey{ID: k.ID, Key: [32]byte(k.Key)})
	}
	if _, err := ring.Sealer(); err != nil {
		return Keyring{}, err
	}
	if len(file.Gateway) != ed25519.SeedSize {
		return Keyring{}, fmt.Errorf("the gateway key has %d bytes, not %d", len(file.Gateway), ed25519.SeedSize)
	}
	ring.Gateway = ed25519.NewKeyFromSeed(file.Gateway)
	var err error
	ring.Tokens, err = parseTokenKey(file.Tokens)
	return ring, err
}

func parseTokenKey(der []byte) (*ecdsa.PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("the token key is not PKCS #8")
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("the token key is not on P-256")
	}
	return key, nil
}

func newFile() ([]byte, error) {
	sealing, err := random(32)
	if err != nil {
		return nil, err
	}
	gateway, err := random(ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	tokens, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the token key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(tokens)
	if err != nil {
		return nil, fmt.Errorf("encode the token key: %w", err)
	}
	return json.MarshalIndent(keyFile{
		Version: fileVersion, Sealing: []fileSealing{{ID: 1, Key: sealing}}, Gateway: gateway, Tokens: der,
	}, "", "  ")
}

// create writes a new key file beside its place and links it there, which fails with fs.ErrExist when somebody else
// was first; a rename would silently replace their keys.
func create(path string) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	raw, err := newFile()
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(folder, ".keys-*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	if err := writeSynced(temp, raw); err != nil {
		return err
	}
	err = os.Link(temp.Name(), path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = os.Rename(temp.Name(), path) // a file system without hard links
	}
	return errors.Join(err, syncFolder(folder))
}

func writeSynced(f *os.File, raw []byte) error {
	_, err := f.Write(raw)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
