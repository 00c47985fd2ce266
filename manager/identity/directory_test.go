package identity_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/identity"
)

func TestEnsureFirstAdministrator(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	file := filepath.Join(t.TempDir(), "admin-password")
	created, err := d.directory.EnsureFirstAdministrator(t.Context(), file)
	if err != nil || !created {
		t.Fatal(created, err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	raw, _ := os.ReadFile(file)
	_, body := d.post(passwordForm("admin", strings.TrimSpace(string(raw))))
	p, err := d.service.Authenticate(bearer(t, text(body["access_token"])))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.service.Authorize(t.Context(), p, identity.ActionMakeUser, "/"); err != nil {
		t.Error(err)
	}
	again, err := d.directory.EnsureFirstAdministrator(t.Context(), file)
	if after, _ := os.ReadFile(file); again || err != nil || string(after) != string(raw) {
		t.Errorf("a second start changed something: %v %v", again, err)
	}
}

// failing is a store that dies at one step.
type failing struct {
	*store.DB
	at string
}

func (f failing) AssignRole(ctx context.Context, a store.RoleAssignment) (store.RoleAssignment, error) {
	if f.at == "role" {
		return a, errors.New("killed")
	}
	return f.DB.AssignRole(ctx, a)
}

func (f failing) CreateUser(ctx context.Context, u store.User) (store.User, error) {
	if f.at == "user" {
		return u, errors.New("killed")
	}
	return f.DB.CreateUser(ctx, u)
}

func TestFirstAdministratorSurvivesDying(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"role", "user"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			file := filepath.Join(t.TempDir(), "admin-password")
			passwords, _ := identity.NewPasswords(t.Context(), identity.Cost{MemoryKiB: 64, Passes: 1, Lanes: 1}, 1)
			if created, err := identity.NewDirectory(failing{d.db, at}, passwords).EnsureFirstAdministrator(t.Context(), file); created || err == nil {
				t.Fatal(created, err)
			}
			created, err := d.directory.EnsureFirstAdministrator(t.Context(), file)
			if !created || err != nil {
				t.Fatal(created, err)
			}
			raw, _ := os.ReadFile(file)
			if w, body := d.post(passwordForm("admin", strings.TrimSpace(string(raw)))); w.Code != http.StatusOK {
				t.Errorf("%d %v", w.Code, body)
			}
			roles, err := d.directory.Roles(t.Context(), "admin")
			if err != nil || len(roles) != 1 || roles[0].Role != identity.PlatformAdministrator {
				t.Errorf("%v, %v", roles, err)
			}
		})
	}
}
