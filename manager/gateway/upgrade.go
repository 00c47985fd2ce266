package gateway

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
)

// upgradeOf returns the protocol that a header asks to switch to; "" when it asks for none.
func upgradeOf(h http.Header) string {
	if h["Upgrade"] == nil || !hasToken(h["Connection"], "upgrade") {
		return ""
	}
	return h.Get("Upgrade")
}

func hasToken(values []string, token string) bool {
	for _, v := range values {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// upgrade joins the caller's connection with the instance's (a WebSocket) until one of them ends or the server does.
func (x *exchange) upgrade(resp *http.Response) *failure {
	asked := upgradeOf(x.in.Header)
	back, ok := resp.Body.(io.ReadWriteCloser)
	if !ok || asked == "" || !strings.EqualFold(asked, resp.Header.Get("Upgrade")) {
		x.g.logger.Warn().Str("app", x.state.name).Str("asked", asked).Msg("instance switched to a protocol that was not asked for")
		return failBrokeOff(x.state.name)
	}
	header := x.w.Header().Clone() // what a face in front has set: request ids
	responseHeaders(header, resp.Header)
	header["Connection"], header["Upgrade"] = []string{"Upgrade"}, []string{resp.Header.Get("Upgrade")}
	conn, buffered, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		x.g.logger.Error().Str("app", x.state.name).Err(err).Msg("take over an upgraded connection")
		return failInternal(x.state.name)
	}
	x.status = http.StatusSwitchingProtocols
	stop := context.AfterFunc(x.in.Context(), func() { _ = conn.Close(); _ = back.Close() })
	defer stop()
	defer conn.Close()
	if writeSwitching(buffered.Writer, header) == nil {
		join(conn, buffered.Reader, back)
	}
	return nil
}

func writeSwitching(w *bufio.Writer, header http.Header) error {
	_, _ = w.WriteString("HTTP/1.1 101 Switching Protocols\r\n") // a bufio.Writer keeps its error for Flush
	_ = header.Write(w)
	_, _ = w.WriteString("\r\n")
	return w.Flush()
}

// join copies both ways. The end of one direction is told to its receiver and the other goes on, so that a last word
// arrives; an error ends both.
func join(conn net.Conn, fromCaller io.Reader, back io.ReadWriteCloser) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		pass(back, fromCaller, conn, back)
	}()
	pass(conn, back, conn, back)
	<-done
}

func pass(to io.Writer, from io.Reader, conn, back io.Closer) {
	_, err := io.Copy(to, from)
	half, ok := to.(interface{ CloseWrite() error })
	if err != nil || !ok || half.CloseWrite() != nil {
		_, _ = conn.Close(), back.Close()
	}
}
