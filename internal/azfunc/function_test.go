package azfunc_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

const orderFunction = `{
  // written by hand
  "bindings": [
    {"type": "httpTrigger", "direction": "IN", "name": "req", "methods": ["get", "post"], "authLevel": "Function", "x-own": {"deep": [1, 2]},},
    {"type": "http", "direction": "out", "name": "$return"}
  ],
  "scriptFile": "../dist/order.js",
  "entryPoint": "run",
  "retry": {"strategy": "fixedDelay", "maxRetryCount": 3, "delayInterval": "00:00:10"}
}`

func TestParseFunctionJSON(t *testing.T) {
	t.Parallel()
	f, err := azfunc.ParseFunctionJSON("Order", []byte(orderFunction))
	if err != nil {
		t.Fatal(err)
	}
	trigger, ok := f.Trigger()
	if !ok || !f.IsHTTP() || trigger.Name != "req" || trigger.Direction != azfunc.In {
		t.Errorf("trigger = %+v, %v", trigger, ok)
	}
	if f.Directory != "Order" || f.ScriptFile != "../dist/order.js" || f.EntryPoint != "run" || f.Language != azfunc.RuntimeNode {
		t.Errorf("function = %+v", f)
	}
	methods, err := trigger.List("methods")
	if diff := cmp.Diff([]string{"get", "post"}, methods); diff != "" || err != nil {
		t.Errorf("methods: %v %s", err, diff)
	}
	if level, err := trigger.Enum("authLevel", "function", "anonymous", "function", "admin"); level != "function" || err != nil {
		t.Errorf("authLevel = %q, %v", level, err)
	}
	var raw map[string]any
	if err := json.Unmarshal(trigger.Raw, &raw); err != nil || raw["x-own"] == nil {
		t.Errorf("unknown property lost: %s, %v", trigger.Raw, err)
	}
	if got := string(f.Retry); !strings.Contains(got, `"maxRetryCount":3`) {
		t.Errorf("retry = %s", got)
	}
	if problems := f.Problems(); problems != nil {
		t.Errorf("problems = %q", problems)
	}
}

func TestParseFunctionJSONRefuses(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, in, want string }{
		{"empty", "", "Order/function.json is empty"},
		{"syntax", "{\n  \"bindings\": [\n    {]\n}", "Order/function.json is not valid JSON: line 3, column 6"},
		{"cut off", "{\n  \"bindings\": [", "line 2, column 16: it ends too early"},
		{"list", "[]", "must hold a JSON object, not a list"},
		{"bindings object", `{"bindings": {}}`, `Order/function.json: "bindings" must be a list, not an object`},
		{"binding text", `{"bindings": ["httpTrigger"]}`, `"bindings[0]" must be an object`},
		{"binding without type", `{"bindings": [{"name": "req"}]}`, `binding "req" has no type`},
		{"binding direction", `{"bindings": [{"name": "req", "type": "httpTrigger", "direction": "sideways"}]}`, "must be one of in, out, inout"},
		{"script number list", `{"scriptFile": [1]}`, `"scriptFile" must be text, not a list`},
		{"not utf-8", "{\"scriptFile\": \"\xff\"}", "save it as UTF-8"},
		{"too deep", strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), "nests deeper than 64"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := azfunc.ParseFunctionJSON("Order", []byte(c.in))
			wantError(t, err, c.want)
		})
	}
}

func TestFunctionProblems(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, function, bindings, want string }{
		{"none", "Order", ``, "it has no bindings"},
		{"no trigger", "Order", `{"type":"http","direction":"out","name":"res"}`, "it has no trigger"},
		{"two triggers", "Order", `{"type":"httpTrigger","name":"a"},{"type":"queueTrigger","name":"b"}`, "2 triggers (httpTrigger, queueTrigger)"},
		{"same names", "Order", `{"type":"httpTrigger","name":"a"},{"type":"queue","direction":"out","name":"A"}`, `two bindings are called "A"`},
		{"binding name", "Order", `{"type":"httpTrigger","name":"my_req"}`, `"my_req" is not a name for a binding`},
		{"function name", "host", `{"type":"httpTrigger","name":"a"}`, "for the host itself"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, err := azfunc.ParseFunctionJSON(c.function, []byte(`{"bindings":[`+c.bindings+`]}`))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(f.Problems(), "; "); !strings.Contains(got, c.want) {
				t.Errorf("problems = %q, want %q", got, c.want)
			}
		})
	}
}

func TestIsDisabled(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, disabled string
		settings       map[string]string
		want           bool
	}{
		{"silent", `null`, nil, false},
		{"true", `true`, nil, true},
		{"text true", `"true"`, nil, true},
		{"setting absent", `"OFF"`, nil, false},
		{"setting on", `"OFF"`, map[string]string{"OFF": "1"}, true},
		{"setting in percent signs", `"%OFF%"`, map[string]string{"off": "True"}, true},
		{"setting says no", `"OFF"`, map[string]string{"OFF": "false"}, false},
		{"app setting", `false`, map[string]string{"AzureWebJobs.Order.Disabled": "true"}, true},
		{"app setting with underscores", `false`, map[string]string{"AzureWebJobs_Order_Disabled": "1"}, true},
		{"app setting of another", `false`, map[string]string{"AzureWebJobs.Order2.Disabled": "1"}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, err := azfunc.ParseFunctionJSON("Order", []byte(`{"disabled":`+c.disabled+`}`))
			if err != nil {
				t.Fatal(err)
			}
			if got := f.IsDisabled(c.settings); got != c.want {
				t.Errorf("disabled = %v, want %v", got, c.want)
			}
		})
	}
}

func TestBindingJSONKeepsEverything(t *testing.T) {
	t.Parallel()
	const in = `{"name":"msg","type":"queueTrigger","direction":"in","queueName":"orders","properties":{"supportsDeferredBinding":"false"},"big":12345678901234567890}`
	var b azfunc.Binding
	if err := json.Unmarshal([]byte(in), &b); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(b)
	if err != nil || string(out) != in {
		t.Errorf("marshal = %s, %v", out, err)
	}
	if got := b.Text("QUEUENAME", ""); got != "orders" {
		t.Errorf("queueName = %q", got)
	}
	if n, err := b.Int("batch", 16); n != 16 || err != nil {
		t.Errorf("batch = %d, %v", n, err)
	}
	if _, err := b.Bool("queueName", false); err == nil || !strings.Contains(err.Error(), `binding "msg": "queueName" must be true or false, not "orders"`) {
		t.Errorf("bool of a text: %v", err)
	}
}

func FuzzParseFunctionJSON(f *testing.F) {
	for _, seed := range []string{orderFunction, `{}`, `{"bindings":[{"type":"timerTrigger","name":"t","schedule":"0 * * * * *"}],"disabled":"X"}`, `{"bindings":[null]}`, "\xef\xbb\xbf{/*", `{"a":1,"A":2}//`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		fn, err := azfunc.ParseFunctionJSON("Order", raw)
		if err != nil {
			if azfunc.CodeOf(err) != azfunc.Invalid {
				t.Fatalf("code %s: %v", azfunc.CodeOf(err), err)
			}
			return
		}
		fn.Problems()
		out, err := json.Marshal(fn)
		if err != nil {
			t.Fatalf("marshal %+v: %v", fn, err)
		}
		var back azfunc.Function
		if err := json.Unmarshal(out, &back); err != nil {
			t.Fatalf("unmarshal %s: %v", out, err)
		}
		if len(back.Bindings) != len(fn.Bindings) {
			t.Fatalf("%d bindings became %d", len(fn.Bindings), len(back.Bindings))
		}
	})
}
