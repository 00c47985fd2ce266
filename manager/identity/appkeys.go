package identity

import (
	"context"
	"fmt"

	"github.com/nightshift-functions/nightshift/internal/keys"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// The kinds of an app's access keys, as the store keeps them.
const (
	KeyMaster   = "master"
	KeyHost     = "host" // Azure's host-level function keys: open every function
	KeySystem   = "system"
	KeyFunction = "function"
)

// The names of the keys that an app and a function begin with.
const (
	MasterKeyName  = "master"
	DefaultKeyName = "default"
)

// KeyEnsurer adds the keys that are not there yet.
type KeyEnsurer interface {
	EnsureKeys(ctx context.Context, appID string, candidates []store.Key) (added int, err error)
}

// EnsureAppKeys gives an app its master key and its default host key when it has none.
func EnsureAppKeys(ctx context.Context, st KeyEnsurer, appID string) error {
	return ensure(ctx, st, appID, []store.Key{{Kind: KeyMaster, Name: MasterKeyName}, {Kind: KeyHost, Name: DefaultKeyName}})
}

// EnsureFunctionKeys gives each function its default key when it has none. Call it when the host has said which
// functions a revision has. A key that is there is never changed.
func EnsureFunctionKeys(ctx context.Context, st KeyEnsurer, appID string, functions []string) error {
	candidates := make([]store.Key, len(functions))
	for i, f := range functions {
		candidates[i] = store.Key{Kind: KeyFunction, Function: f, Name: DefaultKeyName}
	}
	return ensure(ctx, st, appID, candidates)
}

func ensure(ctx context.Context, st KeyEnsurer, appID string, candidates []store.Key) error {
	for i := range candidates {
		value, err := keys.Generate()
		if err != nil {
			return fmt.Errorf("make a key: %w", err)
		}
		candidates[i].Value = value
	}
	if _, err := st.EnsureKeys(ctx, appID, candidates); err != nil {
		return fmt.Errorf("give app %s its keys: %w", appID, err)
	}
	return nil
}
