// Command handler is an Azure Functions custom handler: any program that answers HTTP on the port it is given.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"time"
)

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/greet/", greet)
	mux.HandleFunc("/api/greet", greet)
	mux.HandleFunc("/api/stream", stream)
	server := &http.Server{
		Addr: "127.0.0.1:" + os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT"), Handler: mux, ReadHeaderTimeout: 10 * time.Second,
	}
	if err := server.ListenAndServe(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// greet takes the name from the path, else from the body.
func greet(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	if name == "greet" {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<10))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		name = string(body)
	}
	if name == "" {
		name = "world"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintf(w, "Hello, %s, from Go!\n", name)
}

// stream writes three lines, each as soon as it is made.
func stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for i := 1; i <= 3; i++ {
		_, _ = fmt.Fprintf(w, "line %d\n", i)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}
