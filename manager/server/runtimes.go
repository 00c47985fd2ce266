package server

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Runtimes finds which language runtimes this machine can run apps with, with the version as each tells it. Custom
// handlers need none.
func Runtimes(ctx context.Context, searchPath, languagesDir string) map[string]string {
	found := map[string]string{"custom": "any executable"}
	if _, err := os.Stat(filepath.Join(languagesDir, "node", "node_modules")); err != nil {
		return found // without its modules our Node language worker cannot start
	}
	if v := versionOf(ctx, searchPath, "node"); v != "" {
		found["node"] = "Node.js " + v
	}
	return found
}

func versionOf(ctx context.Context, searchPath, program string) string {
	path := lookUp(searchPath, program)
	if path == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "v")
}

// lookUp searches the PATH that instances get, which need not be the manager's own.
func lookUp(searchPath, program string) string {
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	for _, dir := range filepath.SplitList(searchPath) {
		path := filepath.Join(dir, program)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path
		}
	}
	return ""
}
