package server

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// oldestNode is the first major version that @azure/functions 4 takes.
const oldestNode = 20

// Runtimes finds which language runtimes this machine can run apps with, with the version as each tells it, and which
// ones it has but cannot use, with the reason. Custom handlers need none.
func Runtimes(ctx context.Context, searchPath, languagesDir string) (usable, unusable map[string]string) {
	usable, unusable = map[string]string{"custom": "any executable"}, map[string]string{}
	version := versionOf(ctx, searchPath, "node")
	switch {
	case version == "":
		unusable["node"] = "there is no node on the manager's PATH; install Node.js 20 or newer and start the manager again"
	case major(version) < oldestNode:
		unusable["node"] = fmt.Sprintf("the node on the manager's PATH is %s, too old; install Node.js %d or newer and start the manager again", version, oldestNode)
	case !exists(filepath.Join(languagesDir, "node", "node_modules")):
		unusable["node"] = fmt.Sprintf("our Node language worker in %s lacks its modules; run make languages, or npm ci --omit=dev there", filepath.Join(languagesDir, "node"))
	default:
		usable["node"] = "Node.js " + version
	}
	return usable, unusable
}

func major(version string) int {
	first, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	return n
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
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
