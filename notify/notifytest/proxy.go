package notifytest

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"sync"
)

// A Proxy forwards requests: as an http.Handler it is an HTTP proxy, of tunnels and
// of whole requests, and by ServeSOCKS one of SOCKS5. Its fields are set before it is
// used.
type Proxy struct {
	// Username and Password are asked for, unless both are empty.
	Username, Password string
	// Hosts are the names that the proxy resolves, to host and port whatever port was
	// asked for. Other targets are taken as they are.
	Hosts map[string]string
	// Refuse, when it is not 0, is the status that answers all requests.
	Refuse int

	mu      sync.Mutex
	targets []string
	open    map[net.Conn]struct{}
	closed  bool
	tunnels sync.WaitGroup
}

// Targets returns the host and port of each request for a connection or a forward
// that carried the right password, in the order of arrival.
func (p *Proxy) Targets() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.targets)
}

// Close ends all tunnels and waits for their end.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	for conn := range p.open {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.tunnels.Wait()
}

// ServeHTTP opens a tunnel on CONNECT, and forwards every other request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !p.authorized(r.Header.Get("Proxy-Authorization")) {
		w.Header().Set("Proxy-Authenticate", "Basic")
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	if p.Refuse != 0 {
		w.WriteHeader(p.Refuse)
		return
	}
	address := p.resolve(r.Host)
	if r.Method != http.MethodConnect {
		forward := httputil.ReverseProxy{
			Rewrite:   func(r *httputil.ProxyRequest) { r.Out.URL.Host = address },
			Transport: &http.Transport{DisableKeepAlives: true},
		}
		forward.ServeHTTP(w, r)
		return
	}
	target, err := dial(r.Context(), address)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = target.Close()
		return
	}
	_, err = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	p.join(conn, target, err)
}

func (p *Proxy) authorized(header string) bool {
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(p.Username+":"+p.Password))
	return p.Username == "" && p.Password == "" || header == want
}

// resolve notes a target and returns the address to connect to.
func (p *Proxy) resolve(target string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.targets = append(p.targets, target)
	host, _, err := net.SplitHostPort(target)
	if err != nil {
		host = target
	}
	if address, ok := p.Hosts[host]; ok {
		return address
	}
	return target
}

func dial(ctx context.Context, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

// join copies between two connections until either ends, and closes both. With an
// error it only closes them.
func (p *Proxy) join(a, b net.Conn, err error) {
	if err == nil && p.keep(a, b) {
		defer p.tunnels.Done()
		var copies sync.WaitGroup
		for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
			copies.Go(func() {
				_, _ = io.Copy(pair[0], pair[1])
				_ = a.Close()
				_ = b.Close()
			})
		}
		copies.Wait()
		p.mu.Lock()
		delete(p.open, a)
		delete(p.open, b)
		p.mu.Unlock()
		return
	}
	_ = a.Close()
	_ = b.Close()
}

// keep tells whether a tunnel may begin, and counts it.
func (p *Proxy) keep(a, b net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	if p.open == nil {
		p.open = make(map[net.Conn]struct{})
	}
	p.open[a], p.open[b] = struct{}{}, struct{}{}
	p.tunnels.Add(1)
	return true
}

// ServeSOCKS serves SOCKS5 (RFC 1928, and 1929 for the password) until l is closed
// and all its connections have ended; Close ends those.
func (p *Proxy) ServeSOCKS(l net.Listener) {
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		serving.Go(func() {
			target, err := p.negotiate(conn)
			if target == nil {
				_ = conn.Close()
				return
			}
			p.join(conn, target, err)
		})
	}
}

// The codes of RFC 1928 and 1929 that are spoken here.
const (
	socksVersion  = 5
	noPassword    = 0
	withPassword  = 2
	noMethod      = 0xff
	byIPv4        = 1
	byName        = 3
	byIPv6        = 4
	hostUnreached = 4
)

func (p *Proxy) negotiate(conn net.Conn) (net.Conn, error) {
	if err := p.login(conn); err != nil {
		return nil, err
	}
	request := make([]byte, 4) // version, command, reserved, kind of address
	if _, err := io.ReadFull(conn, request); err != nil {
		return nil, err
	}
	var host string
	var err error
	switch request[3] {
	case byName:
		host, err = readText(conn)
	case byIPv4:
		host, err = readIP(conn, net.IPv4len)
	case byIPv6:
		host, err = readIP(conn, net.IPv6len)
	}
	if err != nil {
		return nil, err
	}
	port := make([]byte, 2)
	if _, err := io.ReadFull(conn, port); err != nil {
		return nil, err
	}
	address := p.resolve(net.JoinHostPort(host, fmt.Sprint(int(port[0])<<8|int(port[1]))))
	target, err := dial(context.Background(), address)
	if err != nil {
		_, _ = conn.Write([]byte{socksVersion, hostUnreached, 0, byIPv4, 0, 0, 0, 0, 0, 0})
		return nil, err
	}
	_, err = conn.Write([]byte{socksVersion, 0, 0, byIPv4, 0, 0, 0, 0, 0, 0})
	return target, err
}

// login chooses the method and reads the password.
func (p *Proxy) login(conn net.Conn) error {
	version := make([]byte, 1)
	if _, err := io.ReadFull(conn, version); err != nil {
		return err
	}
	methods, err := readText(conn)
	if err != nil {
		return err
	}
	method := byte(noPassword)
	if p.Username != "" || p.Password != "" {
		method = withPassword
	}
	if !slices.Contains([]byte(methods), method) {
		_, _ = conn.Write([]byte{socksVersion, noMethod})
		return errors.New("the client offers another method of authentication")
	}
	if _, err := conn.Write([]byte{socksVersion, method}); err != nil || method == noPassword {
		return err
	}
	if _, err := io.ReadFull(conn, version); err != nil {
		return err
	}
	username, err := readText(conn)
	if err != nil {
		return err
	}
	password, err := readText(conn)
	if err != nil {
		return err
	}
	if username != p.Username || password != p.Password {
		_, _ = conn.Write([]byte{1, 1})
		return errors.New("the password is wrong")
	}
	_, err = conn.Write([]byte{1, 0})
	return err
}

// readText reads a length and that many bytes.
func readText(r io.Reader) (string, error) {
	length := make([]byte, 1)
	if _, err := io.ReadFull(r, length); err != nil {
		return "", err
	}
	text := make([]byte, length[0])
	_, err := io.ReadFull(r, text)
	return string(text), err
}

func readIP(r io.Reader, length int) (string, error) {
	ip := make(net.IP, length)
	_, err := io.ReadFull(r, ip)
	return ip.String(), err
}
