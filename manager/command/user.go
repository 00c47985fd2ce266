package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/keys"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/identity"
	"github.com/nightshift-functions/nightshift/manager/server"
)

// userCommand changes accounts while the manager is stopped; a lost administrator's password is mended here.
type userCommand struct {
	Add      userAdd      `cmd:"" help:"Add a user, print the password once."`
	List     userList     `cmd:"" help:"List the users with their roles."`
	Password userPassword `cmd:"" help:"Give a user a new password, print it once; all tokens of the user end."`
	Remove   userRemove   `cmd:"" help:"Remove a user and the user's roles."`
}

// userFlags are those of every user command.
type userFlags struct {
	Data string `default:"./.nightshift" help:"Data folder of the installation."`
}

// passwordLength of a made password: letters and digits, more than anybody guesses.
const passwordLength = 24

// operator is whom the audit names: whoever can read the data folder.
func operator() identity.Principal {
	return identity.Principal{Name: "command line", Kind: identity.KindUser, Address: "local"}
}

func (f userFlags) with(do func(context.Context, *identity.Directory) error) error {
	ctx := context.Background()
	users, closeStore, err := server.OpenUsers(ctx, f.Data)
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, users), closeStore())
}

func newPassword() (string, error) {
	p, err := keys.PublishPassword()
	if err != nil {
		return "", err
	}
	return p[:passwordLength], nil
}

type userAdd struct {
	userFlags
	Name  string `arg:"" help:"Name of the user."`
	Role  string `default:"Reader" enum:"Reader,Operator,Contributor,Owner,PlatformAdministrator" help:"Role: Reader, Operator, Contributor, Owner or PlatformAdministrator."`
	Scope string `default:"/" help:"Where the role holds: / for everything, or the id of a subscription, resource group or app."`
}

// Run adds the user and the role.
func (c userAdd) Run(s streams) error {
	return c.with(func(ctx context.Context, users *identity.Directory) error {
		password, err := newPassword()
		if err != nil {
			return err
		}
		if _, err := users.Create(ctx, operator(), c.Name, password); err != nil {
			return err
		}
		if err := users.Assign(ctx, operator(), c.Name, c.Role, c.Scope); err != nil {
			return errors.Join(err, users.Delete(ctx, operator(), c.Name)) // a user without a role is of no use
		}
		return tellPassword(s.stdout, c.Name, password)
	})
}

func tellPassword(out io.Writer, name, password string) error {
	_, err := fmt.Fprintf(out, "%s\n(the password of %s; it is not shown again)\n", password, name)
	return err
}

type userList struct{ userFlags }

// Run lists the users.
func (c userList) Run(s streams) error {
	return c.with(func(ctx context.Context, users *identity.Directory) error {
		page := store.Page{}
		for {
			all, next, err := users.List(ctx, page)
			if err != nil {
				return err
			}
			for _, u := range all {
				if err := printUser(ctx, s.stdout, users, u); err != nil {
					return err
				}
			}
			if next == "" {
				return nil
			}
			page.After = next
		}
	})
}

func printUser(ctx context.Context, out io.Writer, users *identity.Directory, u store.User) error {
	roles, err := users.Roles(ctx, u.Name)
	if err != nil {
		return err
	}
	var words []string
	for _, r := range roles {
		words = append(words, r.Role+" on "+r.Scope)
	}
	if u.Disabled {
		words = append(words, "disabled")
	}
	_, err = fmt.Fprintf(out, "%s\t%s\n", u.Name, strings.Join(words, ", "))
	return err
}

type userPassword struct {
	userFlags
	Name string `arg:"" help:"Name of the user."`
}

// Run sets a new password.
func (c userPassword) Run(s streams) error {
	return c.with(func(ctx context.Context, users *identity.Directory) error {
		password, err := newPassword()
		if err != nil {
			return err
		}
		if err := users.SetPassword(ctx, operator(), c.Name, password); err != nil {
			return err
		}
		return tellPassword(s.stdout, c.Name, password)
	})
}

type userRemove struct {
	userFlags
	Name string `arg:"" help:"Name of the user."`
}

// Run removes the user.
func (c userRemove) Run(s streams) error {
	return c.with(func(ctx context.Context, users *identity.Directory) error {
		if err := users.Delete(ctx, operator(), c.Name); err != nil {
			return err
		}
		_, err := fmt.Fprintf(s.stdout, "removed %s\n", c.Name)
		return err
	})
}
