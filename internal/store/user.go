package store

import (
	"context"

	"github.com/google/uuid"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

const userColumns = "SELECT id, name, password_hash, disabled, created_at FROM users "

func scanUser(r row) (User, error) {
	var u User
	err := r.Scan(&u.ID, &u.Name, &u.PasswordHash, &u.Disabled, timeInto{&u.CreatedAt})
	return u, err
}

// CreateUser adds a user and returns it with its id (a new one when empty) and time. A name that is taken, also in
// other case, is a Conflict.
func (db *DB) CreateUser(ctx context.Context, u User) (User, error) {
	if u.Name == "" {
		return User{}, azfunc.Errorf(azfunc.Invalid, "a user needs a name")
	}
	if u.ID == "" {
		u.ID = uuid.NewString()
	}
	err := db.write(ctx, "create user "+u.Name, func(tx *Tx) error {
		u.CreatedAt = tx.now
		_, err := tx.exec(ctx, `INSERT INTO users (id, name, name_key, password_hash, disabled, created_at)
			VALUES (@id, @name, @key, @hash, @disabled, @now)`,
			p("id", u.ID), p("name", u.Name), p("key", key(u.Name)), p("hash", u.PasswordHash),
			p("disabled", u.Disabled), p("now", tx.now))
		if err != nil && db.cfg.Dialect.Duplicate(err) {
			return azfunc.Errorf(azfunc.Conflict, "there is a user called %q already; choose another name", u.Name)
		}
		return err
	})
	return u, err
}

// UserByName finds a user without regard to case; NotFound when there is none.
func (db *DB) UserByName(ctx context.Context, name string) (u User, err error) {
	err = db.read(ctx, "read user "+name, func(tx *Tx) error {
		u, err = one(ctx, tx, scanUser, userColumns+"WHERE name_key = @key", p("key", key(name)))
		return orNotFound(err, "there is no user called %q", name)
	})
	return u, err
}

// UserByID finds a user; NotFound when there is none.
func (db *DB) UserByID(ctx context.Context, id string) (u User, err error) {
	err = db.read(ctx, "read user "+id, func(tx *Tx) error {
		u, err = one(ctx, tx, scanUser, userColumns+"WHERE id = @id", p("id", id))
		return orNotFound(err, "there is no user with the id %q", id)
	})
	return u, err
}

// Users lists the users by name.
func (db *DB) Users(ctx context.Context, page Page) (users []User, next string, err error) {
	after, err := page.parts("")
	if err != nil {
		return nil, "", err
	}
	err = db.read(ctx, "list users", func(tx *Tx) error {
		users, next, err = paged(ctx, tx, page, scanUser, func(u User) string { return token(key(u.Name)) },
			userColumns+"WHERE name_key > @after ORDER BY name_key", p("after", after[0]))
		return err
	})
	return users, next, err
}

// CountUsers is zero on a fresh installation, which is when the first user may be made without signing in.
func (db *DB) CountUsers(ctx context.Context) (n int64, err error) {
	err = db.read(ctx, "count users", func(tx *Tx) error {
		n, err = tx.int(ctx, "SELECT COUNT(*) FROM users")
		return err
	})
	return n, err
}

// SetUserPassword replaces the password's hash; NotFound when there is no such user.
func (db *DB) SetUserPassword(ctx context.Context, id, hash string) error {
	return db.changeUser(ctx, id, "UPDATE users SET password_hash = @value WHERE id = @id", hash)
}

// SetUserDisabled forbids or allows a user to sign in; NotFound when there is no such user.
func (db *DB) SetUserDisabled(ctx context.Context, id string, disabled bool) error {
	return db.changeUser(ctx, id, "UPDATE users SET disabled = @value WHERE id = @id", disabled)
}

func (db *DB) changeUser(ctx context.Context, id, query string, value any) error {
	return db.write(ctx, "change user "+id, func(tx *Tx) error {
		err := tx.change(ctx, query, p("id", id), p("value", value))
		return orNotFound(err, "there is no user with the id %q", id)
	})
}

// DeleteUser removes a user and the roles that were given to it; NotFound when there is no such user.
func (db *DB) DeleteUser(ctx context.Context, id string) error {
	return db.write(ctx, "delete user "+id, func(tx *Tx) error {
		if err := tx.change(ctx, "DELETE FROM users WHERE id = @id", p("id", id)); err != nil {
			return orNotFound(err, "there is no user with the id %q", id)
		}
		_, err := tx.exec(ctx, "DELETE FROM role_assignments WHERE principal_id = @id", p("id", id))
		return err
	})
}
