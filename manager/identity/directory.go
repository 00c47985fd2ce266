package identity

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// UserStore keeps users.
type UserStore interface {
	CreateUser(ctx context.Context, u store.User) (store.User, error)
	UserByName(ctx context.Context, name string) (store.User, error)
	Users(ctx context.Context, page store.Page) ([]store.User, string, error)
	CountUsers(ctx context.Context) (int64, error)
}

// UserChanger changes users.
type UserChanger interface {
	SetUserPassword(ctx context.Context, id, hash string) error
	SetUserDisabled(ctx context.Context, id string, disabled bool) error
	DeleteUser(ctx context.Context, id string) error
}

// RoleStore keeps role assignments.
type RoleStore interface {
	AssignRole(ctx context.Context, a store.RoleAssignment) (store.RoleAssignment, error)
	RemoveRole(ctx context.Context, id string) error
	RoleAssignments(ctx context.Context, principalID string) ([]store.RoleAssignment, error)
}

// DirectoryStore is what a Directory reads and writes.
type DirectoryStore interface {
	UserStore
	UserChanger
	RoleStore
	AuditWriter
}

// Directory is the users and their roles, for those who administer them. Who calls it has been authorized; every
// change is recorded in the audit under by.
type Directory struct {
	store     DirectoryStore
	passwords *Passwords
}

// NewDirectory makes a Directory.
func NewDirectory(st DirectoryStore, passwords *Passwords) *Directory {
	return &Directory{store: st, passwords: passwords}
}

// Create adds a user without any role. The error is Invalid for a bad name or password, Conflict for a taken name.
func (d *Directory) Create(ctx context.Context, by Principal, name, password string) (store.User, error) {
	return d.create(ctx, by, store.User{Name: name}, password)
}

func (d *Directory) create(ctx context.Context, by Principal, u store.User, password string) (store.User, error) {
	if err := validateUserName(u.Name); err != nil {
		return store.User{}, err
	}
	if err := ValidatePassword(password); err != nil {
		return store.User{}, err
	}
	hash, err := d.passwords.Hash(ctx, password)
	if err != nil {
		return store.User{}, err
	}
	u.PasswordHash = hash
	made, err := d.store.CreateUser(ctx, u)
	return made, d.record(ctx, by, Event{Action: ActionMakeUser, Detail: "create user " + u.Name}, err)
}

// SetPassword gives a user a new password, which ends all tokens of the old one. The error is NotFound or Invalid.
func (d *Directory) SetPassword(ctx context.Context, by Principal, name, password string) error {
	if err := ValidatePassword(password); err != nil {
		return err
	}
	hash, err := d.passwords.Hash(ctx, password)
	if err != nil {
		return err
	}
	return d.change(ctx, by, name, Event{Action: ActionMakeUser, Detail: "set the password of user " + name},
		func(id string) error { return d.store.SetUserPassword(ctx, id, hash) })
}

// SetDisabled forbids or allows a user to sign in, and ends the user's tokens at once. The error is NotFound.
func (d *Directory) SetDisabled(ctx context.Context, by Principal, name string, disabled bool) error {
	return d.change(ctx, by, name, Event{Action: ActionMakeUser, Detail: fmt.Sprintf("set user %s disabled=%t", name, disabled)},
		func(id string) error { return d.store.SetUserDisabled(ctx, id, disabled) })
}

// Delete removes a user and the user's roles. The error is NotFound.
func (d *Directory) Delete(ctx context.Context, by Principal, name string) error {
	return d.change(ctx, by, name, Event{Action: ActionDropUser, Detail: "delete user " + name},
		func(id string) error { return d.store.DeleteUser(ctx, id) })
}

// List returns a page of users by name and the token of the next page, "" at the end.
func (d *Directory) List(ctx context.Context, page store.Page) ([]store.User, string, error) {
	return d.store.Users(ctx, page)
}

// Assign gives a user a role on a scope; having it already is no error. PlatformAdministrator is given on "/" only,
// because it is about the installation. The error is NotFound or Invalid.
func (d *Directory) Assign(ctx context.Context, by Principal, name, role, scope string) error {
	role, err := parseRole(role)
	if err != nil {
		return err
	}
	scope = CleanScope(scope)
	if role == PlatformAdministrator && scope != Root {
		return azfunc.Errorf(azfunc.Invalid, "%s is a role of the whole installation: give it on %q, or give %s on %q", role, Root, Owner, scope)
	}
	if scope != Root && !strings.HasPrefix(scope, "/subscriptions/") {
		return azfunc.Errorf(azfunc.Invalid, "%q is not a scope: it is %q or begins with /subscriptions/", scope, Root)
	}
	event := Event{Action: ActionMakeRole, Scope: scope, Detail: fmt.Sprintf("give user %s the role %s", name, role)}
	return d.change(ctx, by, name, event, func(id string) error {
		_, err := d.store.AssignRole(ctx, store.RoleAssignment{PrincipalID: id, Role: role, Scope: scope})
		if azfunc.CodeOf(err) == azfunc.Conflict {
			return nil
		}
		return err
	})
}

// Unassign takes a role on a scope back. The error is NotFound when the user does not have it.
func (d *Directory) Unassign(ctx context.Context, by Principal, name, role, scope string) error {
	event := Event{Action: ActionDropRole, Scope: scope, Detail: fmt.Sprintf("take the role %s from user %s", role, name)}
	return d.change(ctx, by, name, event, func(id string) error {
		roles, err := d.store.RoleAssignments(ctx, id)
		if err != nil {
			return err
		}
		for _, a := range roles {
			if strings.EqualFold(a.Role, role) && a.Scope == CleanScope(scope) {
				return d.store.RemoveRole(ctx, a.ID)
			}
		}
		return azfunc.Errorf(azfunc.NotFound, "user %q does not have the role %q on %q", name, role, CleanScope(scope))
	})
}

// Roles returns the roles of a user. The error is NotFound.
func (d *Directory) Roles(ctx context.Context, name string) ([]store.RoleAssignment, error) {
	user, err := d.store.UserByName(ctx, name)
	if err != nil {
		return nil, err
	}
	return d.store.RoleAssignments(ctx, user.ID)
}

// firstAdministrator is the name of the user that a new installation begins with.
const firstAdministrator = "admin"

// EnsureFirstAdministrator makes the user admin with a random password when there is no user at all, and leaves the
// password in a file that only the owner of the process can read. Dying at any point leaves nothing to repair: the
// file is there before the user is, and the user comes last, so a next start begins again.
func (d *Directory) EnsureFirstAdministrator(ctx context.Context, passwordFile string) (created bool, err error) {
	count, err := d.store.CountUsers(ctx)
	if err != nil || count > 0 {
		return false, err
	}
	password := rand.Text()
	if err := writePrivate(passwordFile, password+"\n"); err != nil {
		return false, fmt.Errorf("keep the first administrator's password: %w", err)
	}
	by := Principal{Name: "first start"}
	id := uuid.NewString()
	role := store.RoleAssignment{PrincipalID: id, Role: PlatformAdministrator, Scope: Root}
	_, err = d.store.AssignRole(ctx, role)
	err = d.record(ctx, by, Event{Action: ActionMakeRole, Detail: "give user " + firstAdministrator + " the role " + role.Role}, err)
	if err != nil {
		return false, err
	}
	_, err = d.create(ctx, by, store.User{ID: id, Name: firstAdministrator}, password)
	return err == nil, err
}

// change finds the user and records what became of do.
func (d *Directory) change(ctx context.Context, by Principal, name string, e Event, do func(id string) error) error {
	user, err := d.store.UserByName(ctx, name)
	if err == nil {
		err = do(user.ID)
	}
	return d.record(ctx, by, e, err)
}

// record appends the event with the outcome that err tells, and returns err, or why the row could not be written.
func (d *Directory) record(ctx context.Context, by Principal, e Event, err error) error {
	e.Outcome = OutcomeAllowed
	if err != nil {
		e.Outcome = OutcomeFailed
	}
	if row := d.store.AppendAudit(ctx, entryOf(ctx, by, e)); row != nil {
		return errors.Join(err, fmt.Errorf("record %q in the audit: %w", e.Detail, row))
	}
	return err
}

func validateUserName(name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@"
	if name != "" && len(name) <= 64 && strings.Trim(name, letters) == "" {
		return nil
	}
	return azfunc.Errorf(azfunc.Invalid, "%q is not a user name: use 1 to 64 letters (a-z), digits and . _ - @", bounded(name, 80))
}

// writePrivate replaces a file with mode 0600, whole or not at all.
func writePrivate(path, content string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // made with 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
