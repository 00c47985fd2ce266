package archive

import (
	"cmp"
	"io"
	"io/fs"
	"path"
	"slices"
	"time"
)

// FS shows the content as a read-only file system without unpacking it; folders that the zip only implies are there
// too. It is valid as long as the index and safe for concurrent use.
func (x *Index) FS() fs.FS {
	v := &view{index: x, folders: map[string]*node{".": {info: info{Entry{Name: ".", Dir: true}}}}}
	for i := range x.Entries {
		v.add(info{x.Entries[i]})
	}
	for _, n := range v.folders {
		slices.SortFunc(n.list, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	}
	return v
}

type view struct {
	index   *Index
	folders map[string]*node
}

type node struct {
	info info
	list []fs.DirEntry // what is in the folder
}

// add puts an entry into its folder, and that folder into its own, up to the root.
func (v *view) add(i info) {
	name := i.entry.Name
	if i.entry.Dir {
		if _, known := v.folders[name]; known {
			return
		}
		v.folders[name] = &node{info: i}
	}
	above := path.Dir(name)
	if _, known := v.folders[above]; !known {
		v.add(info{Entry{Name: above, Dir: true}})
	}
	v.folders[above].list = append(v.folders[above].list, fs.FileInfoToDirEntry(i))
}

// Open implements fs.FS.
func (v *view) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if n, ok := v.folders[name]; ok {
		return &folder{info: n.info, left: slices.Clone(n.list)}, nil
	}
	e, ok := v.index.Find(name)
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &file{info: info{e}, index: v.index}, nil
}

// Stat implements fs.StatFS, so that asking for a file opens nothing.
func (v *view) Stat(name string) (fs.FileInfo, error) {
	if n, ok := v.folders[name]; ok {
		return n.info, nil
	}
	e, ok := v.index.Find(name)
	if !ok {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return info{e}, nil
}

// ReadDir implements fs.ReadDirFS.
func (v *view) ReadDir(name string) ([]fs.DirEntry, error) {
	n, ok := v.folders[name]
	if !ok {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	return slices.Clone(n.list), nil
}

type info struct{ entry Entry }

func (i info) Name() string       { return path.Base(i.entry.Name) }
func (i info) Size() int64        { return i.entry.Size }
func (i info) ModTime() time.Time { return i.entry.Modified }
func (i info) IsDir() bool        { return i.entry.Dir }
func (i info) Sys() any           { return i.entry }

func (i info) Mode() fs.FileMode {
	switch {
	case i.entry.Dir:
		return fs.ModeDir | folderPerm
	case i.entry.Executable:
		return executablePerm
	}
	return filePerm
}

type file struct {
	info    info
	index   *Index
	content *content // made by the first Read
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Close() error               { return nil }

func (f *file) Read(p []byte) (int, error) {
	if f.content == nil {
		f.content = f.index.open(f.info.entry)
	}
	return f.content.Read(p)
}

type folder struct {
	info info
	left []fs.DirEntry
}

func (f *folder) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *folder) Close() error               { return nil }

func (f *folder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.info.entry.Name, Err: fs.ErrInvalid}
}

// ReadDir implements fs.ReadDirFile.
func (f *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		list := f.left
		f.left = nil
		return list, nil
	}
	if len(f.left) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(f.left))
	list := f.left[:n]
	f.left = f.left[n:]
	return list, nil
}
