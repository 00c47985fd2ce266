package local

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// instanceDir is the folder of one instance, laid out as Nomad does:
//
//	alloc/{data,tmp}   shared by the tasks of an instance
//	<task>/            where the process starts
//	<task>/local       its scratch folder
//	<task>/secrets     its identities
//
// All of it belongs to the instance's account and is closed to all others.
type instanceDir struct {
	root string
	task string
}

func (d instanceDir) alloc() string   { return filepath.Join(d.root, "alloc") }
func (d instanceDir) taskDir() string { return filepath.Join(d.root, d.task) }
func (d instanceDir) local() string   { return filepath.Join(d.taskDir(), "local") }
func (d instanceDir) secrets() string { return filepath.Join(d.taskDir(), "secrets") }

// create makes the folders and writes the identities' tokens. Everything is given to account uid (if not negative)
// only when it is complete: as long as we write, no process of that account can have put a link in our way.
func (d instanceDir) create(tokens map[string]string, uid int) error {
	for _, dir := range []string{d.root, d.alloc(), filepath.Join(d.alloc(), "data"), filepath.Join(d.alloc(), "tmp"), d.taskDir(), d.local(), d.secrets()} {
		if err := os.Mkdir(dir, privateMode); err != nil {
			return fmt.Errorf("make the folder of an instance: %w", err)
		}
	}
	for name, token := range tokens {
		path := filepath.Join(d.secrets(), "nomad_"+name+".jwt")
		if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
			return fmt.Errorf("write identity %q: %w", name, err)
		}
	}
	if uid < 0 {
		return nil
	}
	return d.give(uid)
}

// give changes the owner of everything, the outermost folder last.
func (d instanceDir) give(uid int) error {
	var paths []string
	err := filepath.WalkDir(d.root, func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	if err != nil {
		return fmt.Errorf("list the folders of an instance: %w", err)
	}
	for i := len(paths) - 1; i >= 0; i-- {
		if err := os.Lchown(paths[i], uid, uid); err != nil {
			return fmt.Errorf("give the folders of an instance to account %d: %w", uid, err)
		}
	}
	return nil
}

func (d instanceDir) remove() error {
	if err := os.RemoveAll(d.root); err != nil {
		return fmt.Errorf("remove the folder of an instance: %w", err)
	}
	return nil
}
