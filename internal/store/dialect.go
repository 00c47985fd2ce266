package store

import "database/sql"

// Sealer encrypts what must not be readable in the database. The context is bound into the seal (table and key of the
// row), so that a sealed value moved to another row does not open. It is safe for concurrent use.
type Sealer interface {
	Seal(plain, context []byte) ([]byte, error)
	Open(sealed, context []byte) ([]byte, error)
}

// Dialect is what the databases say differently. All statements use named parameters (@name) and are otherwise written
// in the words that SQLite and SQL Server 2016 share: no LIMIT, MERGE, RETURNING or upsert clause, no null.
type Dialect struct {
	// Page ends a SELECT with an ORDER BY; it uses the parameters @skip and @take.
	Page string
	// Write and Read are how transactions begin.
	Write, Read sql.TxOptions
	// Duplicate reports a broken primary key or unique constraint.
	Duplicate func(error) bool
	// Orphan reports a broken foreign key.
	Orphan func(error) bool
	// Transient reports that the same transaction may succeed when it is run again.
	Transient func(error) bool
	// Explain turns an error of the database itself (disk full, damaged, away) into one with a code and a way out;
	// nil when it knows nothing better.
	Explain func(error) error
}

// Config is what a database opener hands over.
type Config struct {
	// Writer has one connection where the database takes one writer at a time; Reader serves the reads.
	Writer, Reader *sql.DB
	Dialect        Dialect
	Sealer         Sealer
	// UIDBase is the first operating-system account number given to an app; 0 = DefaultUIDBase.
	UIDBase int
	// Close releases what the opener holds besides Writer and Reader (the lock file); may be nil.
	Close func() error
}

// DefaultUIDBase is far above the accounts that Linux distributions and container images create.
const DefaultUIDBase = 61000
