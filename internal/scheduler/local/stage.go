package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// Files are what every instance needs to read.
type Files struct {
	Worker    string // the worker's binary
	Languages string // folder with <language>/worker.config.json
}

const (
	stagedFolderMode  = 0o755
	stagedFileMode    = 0o644
	stagedProgramMode = 0o755
)

// Stage copies the files into the run folder, where every account can read them, and returns the paths of the copies.
// A file whose size and time are those of its copy is not copied again; what is gone from the source goes from the
// copy. Files are copied rather than linked: a link would keep the mode and owner that may hide the original from the
// apps, and would change under running instances when the original is written in place.
func (s *Scheduler) Stage(ctx context.Context, files Files) (Files, error) {
	root := s.machine.dir.stage()
	staged := Files{
		Worker:    filepath.Join(root, filepath.Base(files.Worker)),
		Languages: filepath.Join(root, "languages"),
	}
	if staged.Worker == staged.Languages {
		return Files{}, azfunc.Errorf(azfunc.Invalid, "the worker's binary cannot be called %q", filepath.Base(files.Worker))
	}
	info, err := os.Stat(files.Worker)
	if err != nil {
		return Files{}, azfunc.Errorf(azfunc.Invalid, "the worker's binary is not there: %w", err)
	}
	if err := stageFile(files.Worker, staged.Worker, info); err != nil {
		return Files{}, err
	}
	if err := stageTree(ctx, files.Languages, staged.Languages); err != nil {
		return Files{}, err
	}
	return staged, nil
}

func stageTree(ctx context.Context, from, to string) error {
	if info, err := os.Stat(from); err != nil || !info.IsDir() {
		return azfunc.Errorf(azfunc.Invalid, "the languages folder %q is not there or no folder", from)
	}
	wanted := map[string]bool{}
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err // wrapped below
		}
		wanted[name] = true
		return stageEntry(from, name, filepath.Join(to, name), entry)
	})
	if err != nil {
		return fmt.Errorf("stage the languages folder %q: %w", from, err)
	}
	return removeUnwanted(to, wanted)
}

func stageEntry(from, name, to string, entry fs.DirEntry) error {
	path := filepath.Join(from, name)
	switch {
	case entry.IsDir():
		return stageFolder(to)
	case entry.Type().IsRegular():
		info, err := entry.Info()
		if err != nil {
			return fmt.Errorf("look at %q: %w", path, err)
		}
		return stageFile(path, to, info)
	case entry.Type()&fs.ModeSymlink != 0:
		return stageLink(path, name, to)
	default:
		return azfunc.Errorf(azfunc.Invalid, "%q is neither a file nor a folder", path)
	}
}

func stageFolder(to string) error {
	if info, err := os.Lstat(to); err == nil && !info.IsDir() {
		if err := os.Remove(to); err != nil {
			return fmt.Errorf("replace %q: %w", to, err)
		}
	}
	if err := os.MkdirAll(to, stagedFolderMode); err != nil {
		return fmt.Errorf("make %q: %w", to, err)
	}
	if err := os.Chmod(to, stagedFolderMode); err != nil { // the umask may have taken bits away
		return fmt.Errorf("open %q for reading: %w", to, err)
	}
	return nil
}

// stageLink keeps links that stay inside of the folder, such as those of node_modules/.bin.
func stageLink(path, name, to string) error {
	target, err := os.Readlink(path)
	if err != nil {
		return fmt.Errorf("read link %q: %w", path, err)
	}
	if filepath.IsAbs(target) || !filepath.IsLocal(filepath.Join(filepath.Dir(name), target)) {
		return azfunc.Errorf(azfunc.Invalid, "link %q leads out of the languages folder", path)
	}
	if present, err := os.Readlink(to); err == nil && present == target {
		return nil
	}
	if err := os.RemoveAll(to); err != nil {
		return fmt.Errorf("replace %q: %w", to, err)
	}
	if err := os.Symlink(target, to); err != nil {
		return fmt.Errorf("stage link %q: %w", path, err)
	}
	return nil
}

// stageFile copies under another name and renames: whoever has the old copy open keeps it whole.
func stageFile(from, to string, source fs.FileInfo) error {
	mode := fs.FileMode(stagedFileMode)
	if source.Mode()&0o111 != 0 {
		mode = stagedProgramMode
	}
	present, err := os.Lstat(to)
	if err == nil && present.Mode().IsRegular() && present.Size() == source.Size() && present.ModTime().Equal(source.ModTime()) && present.Mode().Perm() == mode {
		return nil
	}
	if err == nil && present.IsDir() {
		if err := os.RemoveAll(to); err != nil {
			return fmt.Errorf("replace %q: %w", to, err)
		}
	}
	partial := to + ".partial"
	if err := copyFile(from, partial, mode); err != nil {
		return err
	}
	if err := os.Chtimes(partial, source.ModTime(), source.ModTime()); err != nil {
		return fmt.Errorf("set the time of %q: %w", partial, err)
	}
	if err := os.Rename(partial, to); err != nil {
		return fmt.Errorf("stage %q: %w", from, err)
	}
	return nil
}

func copyFile(from, to string, mode fs.FileMode) error {
	source, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("stage %q: %w", from, err)
	}
	defer func() { _ = source.Close() }() // only read
	target, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return fmt.Errorf("stage %q: %w", from, err)
	}
	_, err = io.Copy(target, source)
	if err = errors.Join(err, target.Chmod(mode), target.Close()); err != nil {
		return fmt.Errorf("stage %q: %w", from, err)
	}
	return nil
}

// removeUnwanted removes what the source no longer has.
func removeUnwanted(root string, wanted map[string]bool) error {
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil || wanted[name] {
			return err // wrapped below
		}
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove %q: %w", path, err)
		}
		if entry.IsDir() {
			return filepath.SkipDir
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("tidy %q: %w", root, err)
	}
	return nil
}
