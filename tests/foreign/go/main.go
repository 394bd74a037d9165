// A web server on net/http, as Go has it for WASI 0.1: every request is a goroutine, and the listeners are those that the
// host has opened, one for each port of the container.
//
//	/           says hello
//	/sum?n=N    adds 1..N, one goroutine a number
//	/sleep?ms=N answers N milliseconds later, while others are served
//	/echo       gives the body back
//	/file?at=P  gives the file at P
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// The listeners that are open, with the names of their ports: sd_listen_fds(3).
func listeners() (map[string]net.Listener, error) {
	count, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil {
		return nil, fmt.Errorf("LISTEN_FDS: %w", err)
	}
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	if len(names) != count {
		return nil, fmt.Errorf("%d listeners with %d names", count, len(names))
	}
	found := make(map[string]net.Listener)
	for i, name := range names {
		listener, err := net.FileListener(os.NewFile(uintptr(3+i), name))
		if err != nil {
			return nil, fmt.Errorf("listener %q: %w", name, err)
		}
		found[name] = listener
	}
	return found, nil
}

func number(request *http.Request, name string) (int, error) {
	return strconv.Atoi(request.URL.Query().Get(name))
}

func handlers() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello from Go\n")
	})
	mux.HandleFunc("GET /sum", func(w http.ResponseWriter, r *http.Request) {
		n, err := number(r, "n")
		if err != nil || n < 0 || n > 10_000 {
			http.Error(w, "n: 0 to 10000", http.StatusBadRequest)
			return
		}
		numbers := make(chan int)
		for i := 1; i <= n; i++ {
			go func() { numbers <- i }()
		}
		sum := 0
		for range n {
			sum += <-numbers
		}
		fmt.Fprintln(w, sum)
	})
	mux.HandleFunc("GET /sleep", func(w http.ResponseWriter, r *http.Request) {
		ms, err := number(r, "ms")
		if err != nil {
			http.Error(w, "ms: a number", http.StatusBadRequest)
			return
		}
		select {
		case <-time.After(time.Duration(ms) * time.Millisecond):
			fmt.Fprintln(w, "slept", ms)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		io.Copy(w, r.Body)
	})
	mux.HandleFunc("GET /file", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, r.URL.Query().Get("at"))
	})
	return mux
}

func main() {
	open, err := listeners()
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan error)
	for name, listener := range open {
		log.Printf("serving %s", name)
		go func() { ended <- http.Serve(listener, handlers()) }()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}
