package metadata

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// readCustomHandler checks that the program of a custom handler is there and for which system it was built.
func (r *reader) readCustomHandler() error {
	r.report.Model = CustomHandler
	handler := r.report.HostJSON.CustomHandler
	r.report.Functions = r.functs
	r.report.Indexed = len(handler.HTTPRoutes) > 0
	if strings.Contains(handler.Executable, "%") {
		r.warn("customHandler starts %s: whether it is there shows when the app starts", handler.Executable)
		return nil
	}
	if file, ok := r.findProgram(path.Join(handler.WorkingDirectory, handler.Executable), handler.Executable); ok {
		if err := r.noteProgram(file); err != nil {
			return err
		}
		return r.checkHandlerScript()
	}
	if !isInterpreter(handler.Executable) {
		return invalid("host.json starts the custom handler %s, which is not in the package: build it and put it into the zip at this path", handler.Executable)
	}
	r.warn("customHandler starts %s, which is not in the package: the one of the node is used", handler.Executable)
	return r.checkHandlerScript()
}

// checkHandlerScript looks for the script that an interpreter is given as defaultWorkerPath.
func (r *reader) checkHandlerScript() error {
	handler := r.report.HostJSON.CustomHandler
	if handler.WorkerPath == "" || strings.Contains(handler.WorkerPath, "%") {
		return nil
	}
	if _, ok := r.findProgram(path.Join(handler.WorkingDirectory, handler.WorkerPath), handler.WorkerPath); !ok {
		return invalid("host.json runs %s as defaultWorkerPath of the custom handler, which is not in the package", handler.WorkerPath)
	}
	return nil
}

// isInterpreter knows the programs that a node may have on its path. Only bare names are looked for there.
func isInterpreter(name string) bool {
	known := []string{"node", "deno", "bun", "python", "python3", "py", "java", "dotnet", "pwsh", "powershell", "bash", "sh", "cmd", "ruby", "php", "perl", "rscript", "julia", "lua", "go"}
	return slices.Contains(known, strings.TrimSuffix(strings.ToLower(name), ".exe"))
}

// findProgram returns the first of the paths that is a file of the package, also with .exe behind it, which Windows
// adds by itself.
func (r *reader) findProgram(candidates ...string) (string, bool) {
	for _, name := range candidates {
		file, ok := inPackage("", name)
		if !ok {
			continue
		}
		for _, f := range []string{file, file + ".exe"} {
			if r.isFile(f) {
				return f, true
			}
		}
	}
	return "", false
}

// noteProgram remembers a program that must be executable and tells which nodes can run it.
func (r *reader) noteProgram(file string) error {
	r.report.Executables = append(r.report.Executables, file)
	head, err := r.head(file)
	if err != nil {
		return err
	}
	system, machine := programKind(file, head)
	switch system {
	case "macos":
		return invalid("%s is built for macOS: build it for the nodes' system, for instance linux/amd64 or windows/amd64", file)
	case "windows", "linux":
		r.report.Platform = system
		r.warn("%s is built for %s: it runs on such nodes only", file, machine)
	case "":
		r.warn("%s is neither a program for Windows or Linux nor a script with a #! line: the node may refuse to start it", file)
	}
	return nil
}

const headBytes = 1024

func (r *reader) head(file string) ([]byte, error) {
	f, err := r.in.Content.Open(file)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", file, err)
	}
	defer f.Close() // read only
	head := make([]byte, headBytes)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return head[:n], nil
}

// programKind tells from its first bytes for which system a program is, and in words for which machine.
func programKind(file string, head []byte) (system, machine string) {
	switch {
	case bytes.HasPrefix(head, []byte("MZ")):
		return "windows", "Windows" + machineName(peMachine(head))
	case bytes.HasPrefix(head, []byte("\x7fELF")) && len(head) > 20:
		return "linux", "Linux" + machineName(binary.LittleEndian.Uint16(head[18:]))
	case bytes.HasPrefix(head, []byte("\xcf\xfa\xed\xfe")), bytes.HasPrefix(head, []byte("\xca\xfe\xba\xbe")):
		return "macos", "macOS"
	case hasEnding(file, []string{".cmd", ".bat", ".ps1"}):
		return "windows", "Windows"
	case bytes.HasPrefix(head, []byte("#!")):
		return "script", ""
	}
	return "", ""
}

// peMachine reads the machine of a Windows program; 0 when its header lies beyond what was read.
func peMachine(head []byte) uint16 {
	if len(head) < 0x40 {
		return 0
	}
	at := int64(binary.LittleEndian.Uint32(head[0x3c:]))
	if at+6 > int64(len(head)) || string(head[at:at+4]) != "PE\x00\x00" {
		return 0
	}
	return binary.LittleEndian.Uint16(head[at+4:])
}

// machineName names the machine numbers of ELF and PE, which do not collide for those in use.
func machineName(machine uint16) string {
	switch machine {
	case 0x3e, 0x8664:
		return " (x86-64)"
	case 0xb7, 0xaa64:
		return " (arm64)"
	case 0x03, 0x14c:
		return " (x86, 32 bits)"
	}
	return ""
}
