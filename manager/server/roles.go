package server

import (
	"context"
	"net/http"
	"path/filepath"
	"time"

	discovery "github.com/nightshift-functions/nightshift/internal/discovery/local"
	"github.com/nightshift-functions/nightshift/internal/metadata"
	"github.com/nightshift-functions/nightshift/internal/requesttoken"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/gateway"
	"github.com/nightshift-functions/nightshift/manager/identity"
	"github.com/nightshift-functions/nightshift/manager/management"
	"github.com/nightshift-functions/nightshift/manager/publish"
)

// passwordChecks is how many passwords are hashed at the same moment: each takes tens of megabytes.
const passwordChecks = 2

func (s *Server) buildIdentity(ctx context.Context) error {
	passwords, err := identity.NewPasswords(ctx, identity.DefaultCost(), passwordChecks)
	if err != nil {
		return err
	}
	s.users = identity.NewDirectory(s.store, passwords)
	if _, err := s.users.EnsureFirstAdministrator(ctx, s.where.PasswordFile); err != nil {
		return err
	}
	s.identity, err = identity.New(identity.Config{
		PublicURL: s.where.HTTPS, Audiences: []string{s.where.HTTP},
		TokenKey: s.keyring.Tokens, Now: time.Now,
	}, s.store, passwords, s.log)
	if err != nil {
		return err
	}
	return s.ensureDefaults(ctx)
}

// ensureDefaults makes the subscription and the resource group that a single machine needs.
func (s *Server) ensureDefaults(ctx context.Context) error {
	if err := s.store.PutSubscription(ctx, store.Subscription{ID: DefaultSubscriptionID, Name: "Default"}); err != nil {
		return err
	}
	return s.store.PutResourceGroup(ctx, store.ResourceGroup{SubscriptionID: DefaultSubscriptionID, Name: DefaultGroup, Location: "local"})
}

func (s *Server) buildRoles(ctx context.Context) error {
	var err error
	s.management, err = management.New(management.Addresses{
		Management: s.where.HTTPS, SCM: s.where.HTTPS + "/scm", App: s.where.AppHTTP, Domain: s.cfg.Domain,
	}, management.Deps{Store: s.store, Gate: s.identity, Restarter: s, Nodes: s.sched, Log: s.log})
	if err != nil {
		return err
	}
	s.discovery = discovery.New(routes{s.store}, s.sched, s.jobs.Parse, s.log)
	signer := requesttoken.NewSigner(s.keyring.Gateway, time.Now)
	s.gateway, err = gateway.New(gateway.Config{Domain: s.cfg.Domain, PathForm: true, Admin: http.HandlerFunc(s.adminKeys)},
		s.discovery, signer, s.log, s.registry)
	if err != nil {
		return err
	}
	usable, unusable := Runtimes(ctx, s.cfg.SearchPath, s.cfg.LanguagesDir)
	s.publish, err = publish.New(publish.Config{
		IncomingDir: filepath.Join(s.cfg.DataDir, "incoming"),
		Runtimes:    usable, Unusable: unusable, Support: metadata.Release(),
	}, s.store, s.identity, s.log)
	if err != nil {
		return err
	}
	return s.buildLink(signer.PublicKey())
}

// adminKeys answers the keys part of an app's own admin API, which the gateway hands over.
func (s *Server) adminKeys(w http.ResponseWriter, r *http.Request) {
	s.management.AdminKeys(r.PathValue("app")).ServeHTTP(w, r)
}
