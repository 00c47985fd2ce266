package identity

import (
	"context"
	"fmt"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// TooSoonError says that somebody has guessed too often and how long to wait. It is wrapped in an Unavailable error.
type TooSoonError struct{ Wait time.Duration }

// Error says how long to wait.
func (t TooSoonError) Error() string {
	return fmt.Sprintf("wait %s", max(t.Wait, time.Second).Round(time.Second))
}

// SignIn checks a user's password. The error is Unauthenticated and the same whether the user is unknown, disabled or
// the password wrong; Unavailable wrapping TooSoonError after too many tries for this name from this address.
func (s *Service) SignIn(ctx context.Context, name, password, address string) (store.User, error) {
	if wait := s.throttle.Begin(name, address); wait > 0 {
		return store.User{}, azfunc.Errorf(azfunc.Unavailable, "too many wrong passwords for this user from this address: %w", TooSoonError{wait})
	}
	user, err := s.store.UserByName(ctx, name)
	if err != nil && azfunc.CodeOf(err) != azfunc.NotFound {
		return store.User{}, err
	}
	caller := Principal{Name: name, Kind: KindAnonymous, Address: address}
	good, err := s.passwords.Check(ctx, user.PasswordHash, boundedPassword(password))
	if err != nil {
		return store.User{}, fmt.Errorf("check the password of user %q: %w", name, err)
	}
	if !good || user.Disabled {
		s.note(ctx, caller, Event{Action: ActionSignIn, Scope: Root, Outcome: OutcomeRefused})
		return store.User{}, azfunc.Errorf(azfunc.Unauthenticated, "the user name or the password is wrong")
	}
	s.throttle.Succeeded(name, address)
	caller = Principal{ID: user.ID, Name: user.Name, Kind: KindUser, Address: address}
	return user, s.Record(ctx, caller, Event{Action: ActionSignIn, Scope: Root, Outcome: OutcomeAllowed})
}

// boundedPassword keeps a password that no user can have from being hashed at length: too long ones match nothing.
func boundedPassword(password string) string {
	if len(password) > MaxPasswordBytes {
		return ""
	}
	return password
}

// refresh returns the user of a refresh token and when that token ends.
func (s *Service) refresh(ctx context.Context, token, client string) (store.User, time.Time, error) {
	c, err := s.tokens.check(token, useRefresh)
	if err != nil {
		return store.User{}, time.Time{}, err
	}
	if c.AppID != client {
		return store.User{}, time.Time{}, azfunc.Errorf(azfunc.Unauthenticated, "the refresh token is of another client")
	}
	user, err := s.store.UserByID(ctx, c.Subject)
	if err != nil && azfunc.CodeOf(err) != azfunc.NotFound {
		return store.User{}, time.Time{}, err
	}
	if err != nil || user.Disabled || c.Stamp != stampOf(user) {
		return store.User{}, time.Time{}, azfunc.Errorf(azfunc.Unauthenticated, "the refresh token is of a user who is gone, disabled or has a new password; sign in again")
	}
	return user, c.ExpiresAt.Time, nil
}
