package store

import (
	"context"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

func scanSubscription(r row) (Subscription, error) {
	var s Subscription
	err := r.Scan(&s.ID, &s.Name, timeInto{&s.CreatedAt})
	return s, err
}

// PutSubscription creates a subscription, or renames it when there is one with the id. The id is kept in lower case.
func (db *DB) PutSubscription(ctx context.Context, s Subscription) error {
	if s.ID == "" {
		return azfunc.Errorf(azfunc.Invalid, "a subscription needs an id (a UUID)")
	}
	return db.write(ctx, "put subscription "+s.ID, func(tx *Tx) error {
		params := []any{p("id", key(s.ID)), p("name", s.Name), p("now", tx.now)}
		n, err := tx.exec(ctx, "UPDATE subscriptions SET name = @name WHERE id = @id", params...)
		if err != nil || n > 0 {
			return err
		}
		_, err = tx.exec(ctx, "INSERT INTO subscriptions (id, name, created_at) VALUES (@id, @name, @now)", params...)
		return err
	})
}

// Subscription finds a subscription; NotFound when there is none.
func (db *DB) Subscription(ctx context.Context, id string) (s Subscription, err error) {
	err = db.read(ctx, "read subscription "+id, func(tx *Tx) error {
		s, err = one(ctx, tx, scanSubscription, "SELECT id, name, created_at FROM subscriptions WHERE id = @id", p("id", key(id)))
		return orNotFound(err, "there is no subscription %q", id)
	})
	return s, err
}

// Subscriptions lists the subscriptions by id.
func (db *DB) Subscriptions(ctx context.Context, page Page) (all []Subscription, next string, err error) {
	after, err := page.parts("")
	if err != nil {
		return nil, "", err
	}
	err = db.read(ctx, "list subscriptions", func(tx *Tx) error {
		all, next, err = paged(ctx, tx, page, scanSubscription, func(s Subscription) string { return token(s.ID) },
			"SELECT id, name, created_at FROM subscriptions WHERE id > @after ORDER BY id", p("after", after[0]))
		return err
	})
	return all, next, err
}

const groupColumns = "SELECT subscription_id, name, location, created_at FROM resource_groups "

func scanGroup(r row) (ResourceGroup, error) {
	var g ResourceGroup
	err := r.Scan(&g.SubscriptionID, &g.Name, &g.Location, timeInto{&g.CreatedAt})
	return g, err
}

// PutResourceGroup creates a resource group, or moves its location when there is one of that name. The name keeps the
// case it was created with. NotFound when there is no such subscription.
func (db *DB) PutResourceGroup(ctx context.Context, g ResourceGroup) error {
	if g.Name == "" {
		return azfunc.Errorf(azfunc.Invalid, "a resource group needs a name")
	}
	return db.write(ctx, "put resource group "+g.Name, func(tx *Tx) error {
		params := []any{
			p("sub", key(g.SubscriptionID)), p("name", g.Name), p("key", key(g.Name)),
			p("location", g.Location), p("now", tx.now),
		}
		n, err := tx.exec(ctx, `UPDATE resource_groups SET location = @location
			WHERE subscription_id = @sub AND name_key = @key`, params...)
		if err != nil || n > 0 {
			return err
		}
		_, err = tx.exec(ctx, `INSERT INTO resource_groups (subscription_id, name, name_key, location, created_at)
			VALUES (@sub, @name, @key, @location, @now)`, params...)
		if err != nil && db.cfg.Dialect.Orphan(err) {
			return azfunc.Errorf(azfunc.NotFound, "there is no subscription %q", g.SubscriptionID)
		}
		return err
	})
}

// ResourceGroup finds a resource group without regard to case; NotFound when there is none.
func (db *DB) ResourceGroup(ctx context.Context, subscriptionID, name string) (g ResourceGroup, err error) {
	err = db.read(ctx, "read resource group "+name, func(tx *Tx) error {
		g, err = one(ctx, tx, scanGroup, groupColumns+"WHERE subscription_id = @sub AND name_key = @key",
			p("sub", key(subscriptionID)), p("key", key(name)))
		return orNotFound(err, "there is no resource group %q in subscription %q", name, subscriptionID)
	})
	return g, err
}

// ResourceGroups lists a subscription's resource groups by name.
func (db *DB) ResourceGroups(ctx context.Context, subscriptionID string, page Page) (all []ResourceGroup, next string, err error) {
	after, err := page.parts("")
	if err != nil {
		return nil, "", err
	}
	err = db.read(ctx, "list resource groups", func(tx *Tx) error {
		all, next, err = paged(ctx, tx, page, scanGroup, func(g ResourceGroup) string { return token(key(g.Name)) },
			groupColumns+"WHERE subscription_id = @sub AND name_key > @after ORDER BY name_key",
			p("sub", key(subscriptionID)), p("after", after[0]))
		return err
	})
	return all, next, err
}

// DeleteResourceGroup removes an empty resource group: NotFound when there is none, Conflict while it holds apps.
func (db *DB) DeleteResourceGroup(ctx context.Context, subscriptionID, name string) error {
	return db.write(ctx, "delete resource group "+name, func(tx *Tx) error {
		err := tx.change(ctx, "DELETE FROM resource_groups WHERE subscription_id = @sub AND name_key = @key",
			p("sub", key(subscriptionID)), p("key", key(name)))
		if err != nil && db.cfg.Dialect.Orphan(err) {
			return azfunc.Errorf(azfunc.Conflict, "the resource group %q still holds apps; delete them first", name)
		}
		return orNotFound(err, "there is no resource group %q in subscription %q", name, subscriptionID)
	})
}
