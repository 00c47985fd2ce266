// Package store is the truth: who may do what, which apps there are, what was published, which revision is wanted,
// which takes the traffic, and what became of it.
//
// It is the only importer of database/sql. An exported method is one transaction; unexported functions on a
// transaction hold the SQL and compose. Secrets (settings, keys, publishing passwords, revision snapshots) are sealed
// before they reach SQL. Every committed write bumps the change counter of its topic, so that readers wait instead
// of polling; a lost nudge costs seconds, because every wait also ends by itself.
//
// store/sqlite opens the embedded database. The statements keep to what SQLite and SQL Server 2016 both take, apart
// from the few that the dialect words.
package store
