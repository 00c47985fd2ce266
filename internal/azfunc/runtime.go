package azfunc

import (
	"path"
	"strings"
)

// RuntimeSetting is the app setting that names the language worker of an app.
const RuntimeSetting = "FUNCTIONS_WORKER_RUNTIME"

// The values of FUNCTIONS_WORKER_RUNTIME that Azure knows.
const (
	RuntimeNode           = "node"
	RuntimePython         = "python"
	RuntimeJava           = "java"
	RuntimePowerShell     = "powershell"
	RuntimeDotnetIsolated = "dotnet-isolated"
	RuntimeDotnet         = "dotnet" // in-process .NET: runs inside Microsoft's host, so nowhere else
	RuntimeCustom         = "custom"
)

// KnownRuntimes lists the values of FUNCTIONS_WORKER_RUNTIME that Azure knows, in the order people are shown them.
func KnownRuntimes() []string {
	return []string{RuntimeNode, RuntimePython, RuntimeJava, RuntimePowerShell, RuntimeDotnetIsolated, RuntimeDotnet, RuntimeCustom}
}

// RuntimeOf tells from a script file's extension which runtime loads it; "" when none does. A .dll named in
// function.json belongs to in-process .NET, because an isolated app lists its functions elsewhere.
func RuntimeOf(scriptFile string) string {
	switch strings.ToLower(path.Ext(scriptFile)) {
	case ".js", ".mjs", ".cjs":
		return RuntimeNode
	case ".py":
		return RuntimePython
	case ".jar":
		return RuntimeJava
	case ".ps1", ".psm1":
		return RuntimePowerShell
	case ".dll", ".csx":
		return RuntimeDotnet
	}
	return ""
}
