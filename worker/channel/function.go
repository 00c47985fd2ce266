package channel

import (
	"path"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

// Function is a function as a language worker knows it.
type Function struct {
	azfunc.Function

	ID string
	// Metadata is what loading it sends.
	Metadata *rpcpb.RpcFunctionMetadata
	// Problem is why it does not run, "" when it does.
	Problem string
}

// FromIndex reads a function that a language worker listed. raw_bindings count: the bindings map is for the language
// worker's own use. A binding that cannot be read becomes the function's problem; the app starts all the same.
func FromIndex(m *rpcpb.RpcFunctionMetadata) *Function {
	f := &Function{ID: m.GetFunctionId()}
	f.Name, f.Directory, f.ScriptFile = m.GetName(), m.GetDirectory(), m.GetScriptFile()
	f.EntryPoint, f.Language = m.GetEntryPoint(), m.GetLanguage()
	if f.ID == "" {
		f.ID = uuid.NewString()
	}
	for _, raw := range m.GetRawBindings() {
		b, err := azfunc.ParseBinding([]byte(raw))
		if err != nil {
			f.Problem = "its binding " + raw + " cannot be read: " + err.Error()
			continue
		}
		f.Bindings = append(f.Bindings, b)
	}
	if s := m.GetStatus(); s.GetStatus() == rpcpb.StatusResult_FAILURE && s.GetException() != nil {
		f.Problem = s.GetException().GetMessage()
	}
	f.Metadata = &rpcpb.RpcFunctionMetadata{
		Name: f.Name, Directory: f.Directory, ScriptFile: f.ScriptFile, EntryPoint: f.EntryPoint, FunctionId: f.ID,
		Bindings: bindingInfos(f.Bindings), Properties: m.GetProperties(), Language: f.Language, RetryOptions: m.GetRetryOptions(),
	}
	return f
}

// FromFunctionJSON makes the function of a function.json; root is the app's folder, absolute. The ids are ours, as
// Azure's host makes them.
func FromFunctionJSON(root string, from azfunc.Function) *Function {
	f := &Function{Function: from, ID: uuid.NewString()}
	dir := filepath.Join(root, filepath.FromSlash(f.Directory))
	script := filepath.Join(dir, filepath.FromSlash(f.ScriptFile))
	if f.ScriptFile == "" {
		script = ""
	} else if path.IsAbs(f.ScriptFile) {
		script = f.ScriptFile
	}
	f.Metadata = &rpcpb.RpcFunctionMetadata{
		Name: f.Name, Directory: dir, ScriptFile: script, EntryPoint: f.EntryPoint, FunctionId: f.ID,
		Bindings: bindingInfos(f.Bindings), Language: f.Language,
	}
	return f
}

func bindingInfos(bindings []azfunc.Binding) map[string]*rpcpb.BindingInfo {
	infos := make(map[string]*rpcpb.BindingInfo, len(bindings))
	for _, b := range bindings {
		info := &rpcpb.BindingInfo{Type: b.Type}
		switch b.Direction {
		case azfunc.Out:
			info.Direction = rpcpb.BindingInfo_OUT
		case azfunc.InOut:
			info.Direction = rpcpb.BindingInfo_INOUT
		case azfunc.In:
		}
		if v, ok := rpcpb.BindingInfo_DataType_value[strings.ToUpper(b.Text("dataType", ""))]; ok {
			info.DataType = rpcpb.BindingInfo_DataType(v)
		}
		infos[b.Name] = info
	}
	return infos
}
