package host_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
)

// handlerMain plays a custom handler when the test binary is started as one.
func handlerMain() {
	if len(os.Args) < 2 || os.Args[1] != "customhandler" {
		return
	}
	mux := http.NewServeMux()
	if len(os.Args) > 2 && os.Args[2] == "curt" {
		mux.HandleFunc("GET /{$}", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	}
	mux.HandleFunc("POST /contract", contractHandler)
	mux.HandleFunc("POST /tick", func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		_ = json.NewEncoder(w).Encode(map[string]any{"Logs": []string{"handler tick " + string(raw)}})
	})
	mux.HandleFunc("/api/stream", streamHandler)
	mux.HandleFunc("/api/socket", socketHandler)
	mux.HandleFunc("/api/echo/{id}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Path", r.URL.RequestURI())
		w.Header().Add("X-Twice", "a")
		w.Header().Add("X-Twice", "b")
		w.WriteHeader(http.StatusTeapot)
		_ = json.NewEncoder(w).Encode(map[string]any{"headers": r.Header, "host": r.Host, "env": os.Getenv("NIGHTSHIFT_APP") + os.Getenv("FUNCTIONS_WORKER_RUNTIME")})
	})
	mux.HandleFunc("/api/die", func(http.ResponseWriter, *http.Request) {
		fmt.Fprintln(os.Stderr, "fatal error: the handler gives up")
		os.Exit(5)
	})
	fmt.Fprintln(os.Stdout, "custom handler says hello")
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT"))
	if err == nil {
		err = http.Serve(listener, mux) // a test program
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// contractHandler answers the default contract with what it got.
func contractHandler(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Data     map[string]json.RawMessage
		Metadata map[string]json.RawMessage
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if strings.Contains(string(in.Data["req"]), "fail") {
		http.Error(w, "it went wrong", http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"Outputs": map[string]any{"res": map[string]any{
			"statusCode": 202, "headers": map[string]any{"X-Number": 7, "Content-Type": "application/json"},
			"body": map[string]any{"data": in.Data["req"], "metadata": in.Metadata, "id": r.Header.Get("X-Azure-Functions-InvocationId")},
		}},
		"Logs": []string{"a line of the handler"},
	})
}

func streamHandler(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).EnableFullDuplex()
	_, _ = io.WriteString(w, "first\n")
	_ = http.NewResponseController(w).Flush()
	line, _ := bufio.NewReader(r.Body).ReadString('\n') // comes after the caller has seen the first line
	_, _ = io.WriteString(w, "then "+line)
}

func socketHandler(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	kind, data, err := c.Read(r.Context())
	if err == nil {
		_ = c.Write(r.Context(), kind, append([]byte("echo "), data...))
	}
	_ = c.Close(websocket.StatusNormalClosure, "")
}

// handlerApp is an app whose custom handler is this test binary.
func handlerApp(t testing.TB, switches string) map[string]string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	http := func(route string) string {
		return `{"bindings":[{"type":"httpTrigger","name":"req","direction":"in","authLevel":"anonymous","route":"` + route + `"},{"type":"http","name":"res","direction":"out"}]}`
	}
	return map[string]string{
		"handler":                "#!/bin/sh\nexec " + self + " customhandler\n",
		"host.json":              `{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"handler"}` + switches + `}}`,
		"contract/function.json": http("contract/{id:int}"),
		"echo/function.json":     http("echo/{id}"), "stream/function.json": http("stream"), "socket/function.json": http("socket"), "die/function.json": http("die"),
		"tick/function.json": `{"bindings":[{"type":"timerTrigger","name":"t","direction":"in","schedule":"0 0 0 1 1 *"}]}`,
	}
}

// TestCustomHandlerThatHangsUpOnTheProbe: a program that closes the connection on GET / is there, as for Azure's host.
func TestCustomHandlerThatHangsUpOnTheProbe(t *testing.T) {
	t.Parallel()
	files := handlerApp(t, "")
	files["handler"] = strings.TrimSuffix(files["handler"], "\n") + " curt\n"
	launch(t, options{files: files, runtime: "custom"}).up(hostapi.StateStandby)
}

func TestCustomHandlerContract(t *testing.T) {
	t.Parallel()
	i := launch(t, options{files: handlerApp(t, ""), runtime: "custom"})
	r := i.up(hostapi.StateStandby)
	if len(r.Functions) != 6 || r.Runtime != "custom" || len(r.LanguageWorkers) != 1 {
		t.Errorf("report %+v", r)
	}
	a := i.call("POST", "/api/contract/7?q=1", "the body", "X-Extra", "x")
	var got struct {
		ID   string
		Data struct {
			URL, Method, Body string
			Query, Params     map[string]string
			Headers           map[string][]string
		}
		Metadata map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatalf("%v in %+v", err, a)
	}
	if a.status != 202 || a.header.Get("X-Number") != "7" || got.ID == "" || got.Data.Method != "POST" || got.Data.Body != "the body" ||
		got.Data.Query["q"] != "1" || got.Data.Params["id"] != "7" || got.Data.Headers["X-Extra"][0] != "x" || got.Metadata["sys"] == nil {
		t.Errorf("got %+v in %+v", got, a)
	}
	if a := i.call("POST", "/api/contract/7", "fail"); a.status != 500 || a.body != "" {
		t.Errorf("failure: %+v", a)
	}
	if a := i.call("POST", "/admin/functions/tick", `{"input":""}`, "X-Functions-Key", "the-master-key"); a.status != 202 {
		t.Errorf("timer: %+v", a)
	}
	i.Await(t, "logs", patient, func(s seen) bool {
		return hasLog(s, "a line of the handler") && hasLog(s, "custom handler says hello") && hasLog(s, "handler tick") && hasLog(s, "it went wrong")
	})
}

func TestCustomHandlerForwarding(t *testing.T) {
	t.Parallel()
	i := launch(t, options{files: handlerApp(t, `,"enableForwardingHttpRequest":true`), runtime: "custom"})
	i.up(hostapi.StateStandby)
	a := i.call("GET", "/api/echo/a%20b?x=1", "", "X-Extra", "x", "X-Forwarded-Host", "hello.example.com")
	if a.status != http.StatusTeapot || a.header.Get("X-Path") != "/api/echo/a%20b?x=1" || len(a.header["X-Twice"]) != 2 ||
		!strings.Contains(a.body, `"X-Extra":["x"]`) || !strings.Contains(a.body, "X-Azure-Functions-Invocationid") ||
		!strings.Contains(a.body, `"X-Forwarded-Host":["hello.example.com"]`) || strings.Contains(a.body, "X-Nightshift") || !strings.Contains(a.body, `"env":"custom"`) {
		t.Errorf("got %+v", a)
	}
	i.Await(t, "record", patient, func(s seen) bool {
		return len(s.Invocations) == 1 && s.Invocations[0].StatusCode == 418 && s.Invocations[0].Success
	})
	if a := i.call("GET", "/api/die", ""); a.status != 500 && a.status != 503 {
		t.Errorf("die: %+v", a)
	}
	i.Await(t, "restart", patient, func(seen) bool { return i.call("GET", "/api/echo/1", "").status == http.StatusTeapot })
	i.Await(t, "the reason", patient, func(s seen) bool { return hasLog(s, "exit code 5") })
}

func TestCustomHandlerStreams(t *testing.T) {
	t.Parallel()
	i := launch(t, options{files: handlerApp(t, `,"enableProxyingHttpRequest":true`), runtime: "custom"})
	i.up(hostapi.StateStandby)
	token, err := i.signer.Token("hello")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	body, feed := io.Pipe()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, i.url+"/api/stream", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(hostapi.HeaderRequestToken, token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewReader(res.Body)
	first, err := lines.ReadString('\n') // before the request is complete
	if err != nil || first != "first\n" {
		t.Fatalf("%q %v", first, err)
	}
	_, _ = io.WriteString(feed, "second\n")
	_ = feed.Close()
	if rest, err := io.ReadAll(lines); err != nil || string(rest) != "then second\n" {
		t.Errorf("%q %v", rest, err)
	}
	c, answer, err := websocket.Dial(ctx, strings.Replace(i.url, "http", "ws", 1)+"/api/socket",
		&websocket.DialOptions{HTTPHeader: http.Header{hostapi.HeaderRequestToken: {token}}})
	if err != nil {
		t.Fatalf("%v %+v", err, answer)
	}
	defer func() { _ = c.CloseNow() }()
	if err := c.Write(ctx, websocket.MessageText, []byte("ping")); err != nil {
		t.Fatal(err)
	}
	if _, data, err := c.Read(ctx); err != nil || string(data) != "echo ping" {
		t.Errorf("%q %v", data, err)
	}
}

func TestCustomHandlerFailures(t *testing.T) {
	t.Parallel()
	missing := handlerApp(t, "")
	missing["host.json"] = `{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"/no/such/program"}}}`
	dies := handlerApp(t, "")
	dies["handler"] = "#!/bin/sh\necho 'error: no port' >&2; exit 3\n"
	another := httptest.NewServer(http.NotFoundHandler()) // another app's program, which would answer in our place
	t.Cleanup(another.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(another.URL, "http://"), ":")
	taken := handlerApp(t, `,"port":`+port)
	for _, c := range []struct {
		name, message string
		files         map[string]string
	}{{"missing", "not in the package", missing}, {"dies", "ended before it answered", dies}, {"port in use", "is in use on this node", taken}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			i := launch(t, options{files: c.files, runtime: "custom"})
			if err := i.wait(); err == nil || !strings.Contains(strings.ToLower(err.Error()), c.message) {
				t.Errorf("got %v", err)
			}
		})
	}
}
