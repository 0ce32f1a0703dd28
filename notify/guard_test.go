package notify

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAddressesThatNothingIsSentTo(t *testing.T) {
	t.Parallel()
	const linkLocal, metadata, multicast = "a link-local address", "a cloud metadata address", "a multicast address"
	const broadcast, unspecified = "the broadcast address", "an unspecified address"
	for addr, what := range map[string]string{
		"169.254.169.254": linkLocal, "169.254.0.0": linkLocal, "169.254.255.255": linkLocal, "169.254.170.2": linkLocal,
		"fe80::1": linkLocal, "fe80::1%eth0": linkLocal, "fe80::a9fe:a9fe": linkLocal, "febf:ffff::1%2": linkLocal,
		"::ffff:169.254.169.254": linkLocal, "::ffff:a9fe:a9fe%eth0": linkLocal, "::169.254.169.254": linkLocal,
		"::ffff:0:169.254.169.254": linkLocal, "64:ff9b::169.254.169.254": linkLocal, "64:ff9b::a9fe:a9fe%lo": linkLocal,
		"64:ff9b:1::169.254.169.254": linkLocal, "64:ff9b:1:2:3::a9fe:a9fe": linkLocal,
		"2002:a9fe:a9fe::": linkLocal, "2002:a9fe:a9fe:1::1": linkLocal,

		"100.100.100.200": metadata, "168.63.129.16": metadata, "192.0.0.192": metadata, "fd00:ec2::254": metadata,
		"fd00:ec2::23": metadata, "fd20:ce::254": metadata, "fd00:c1::a9fe:a9fe": metadata, "fd00:42::42": metadata,
		"fd00:a9fe:a9fe::1": metadata, "fd00:100::100:200": metadata, "fd00:ec2::254%eth0": metadata,
		"::ffff:168.63.129.16": metadata, "64:ff9b::100.100.100.200": metadata, "2002:a83f:8110::1": metadata,

		"224.0.0.1": multicast, "239.255.255.250": multicast, "ff02::1": multicast, "ff02::1%eth0": multicast, "::ffff:224.0.0.1": multicast,
		"255.255.255.255": broadcast, "::ffff:255.255.255.255": broadcast,
		"0.0.0.0": unspecified, "0.1.2.3": unspecified, "::": unspecified, "::ffff:0.0.0.0": unspecified, "64:ff9b::": unspecified,

		"127.0.0.1": "", "127.255.255.254": "", "::1": "", "::ffff:127.0.0.1": "", "10.0.0.1": "", "172.16.0.1": "",
		"192.168.1.1": "", "100.64.0.1": "", "100.100.100.201": "", "fd12:3456::1": "", "fd00:ec3::1": "", "169.253.255.255": "",
		"169.255.0.0": "", "168.63.129.17": "", "192.0.0.191": "", "223.255.255.255": "", "240.0.0.1": "", "255.255.255.254": "",
		"1.0.0.0": "", "8.8.8.8": "", "2001:db8::1": "", "2606:4700::1111": "", "fec0::1": "", "fe7f::1": "",
		"64:ff9b::8.8.8.8": "", "2002:808:808::1": "", "2003:a9fe:a9fe::1": "", "64:ff9c::169.254.169.254": "",
	} {
		err := checkAddress(netip.MustParseAddr(addr))
		got := ""
		if refused, ok := errors.AsType[*addressError](err); ok {
			got = refused.what
		}
		if got != what || (err != nil) != (what != "") {
			t.Errorf("%s: %v, want %q", addr, err, what)
		}
	}
}

func TestHostsThatNothingIsSentTo(t *testing.T) {
	t.Parallel()
	for host, refused := range map[string]bool{
		"169.254.169.254": true, "169.254.169.254.": true, "2852039166": true, "0xa9fea9fe": true, "0XA9FEA9FE": true,
		"025177524776": true, "169.254.43518": true, "169.0xfea9fe": true, "0251.0376.0251.0376": true, "0xa9.0xfe.0xa9.0xfe": true,
		"169.254.169.": true, "fe80::1%eth0": true, "::ffff:169.254.169.254": true, "fd00:ec2::254": true, "0": true, "0.0.0.0": true,

		"127.0.0.1": false, "2130706433": false, "127.1": false, "::1": false, "localhost": false, "metadata.google.internal": false,
		"callback.example.com": false, "169.254.169.254.example.com": false, "1.2.3.4.5": false, "4294967296": false,
		"256.1.1.1": false, "169.254.169.x": false, "": false, ".": false,
	} {
		if err := checkLiteral(host); (err != nil) != refused {
			t.Errorf("%q: %v, want it refused: %t", host, err, refused)
		}
	}
}

func FuzzParseIPv4(f *testing.F) {
	for _, n := range []uint32{0, 0xa9fea9fe, 0x7f000001, 1<<32 - 1} {
		f.Add(n, "0x7f.1")
	}
	f.Fuzz(func(t *testing.T, n uint32, host string) {
		var bytes [4]byte
		binary.BigEndian.PutUint32(bytes[:], n)
		want := netip.AddrFrom4(bytes)
		for _, form := range []string{
			want.String(), fmt.Sprint(n), fmt.Sprintf("%#x", n), fmt.Sprintf("%#o", n),
			fmt.Sprintf("%d.%d", bytes[0], n&0xffffff), fmt.Sprintf("%#x.%d.%#o", bytes[0], bytes[1], n&0xffff),
		} {
			if got, ok := parseIPv4(form); !ok || got != want {
				t.Errorf("%s: %v, %t, want %s", form, got, ok, want)
			}
		}
		got, ok := parseIPv4(host)
		if addr, err := netip.ParseAddr(host); err == nil && addr.Is4() && (!ok || got != addr) {
			t.Errorf("%q: %v, %t, want %s", host, got, ok, addr)
		}
	})
}

// The answers of a name server may change between a check and the connection, and
// hold several addresses: what counts is each address that is connected to.
func TestGuardLooksAtWhatIsConnectedTo(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		answers [][]string // to one dial after the other
		refused []bool
	}{
		"a good address":                   {[][]string{{"127.0.0.1"}}, []bool{false}},
		"a bad address":                    {[][]string{{"169.254.169.254"}}, []bool{true}},
		"a good one that becomes bad":      {[][]string{{"127.0.0.1"}, {"169.254.169.254"}}, []bool{false, true}},
		"a bad one that becomes good":      {[][]string{{"100.100.100.200"}, {"127.0.0.1"}}, []bool{true, false}},
		"a bad one before a good one":      {[][]string{{"169.254.169.254", "127.0.0.1"}}, []bool{false}},
		"a good one before a bad one":      {[][]string{{"127.0.0.1", "169.254.169.254"}}, []bool{false}},
		"nothing but bad ones":             {[][]string{{"169.254.169.254", "192.0.0.192"}}, []bool{true}},
		"a bad address in the form of 6":   {[][]string{{"fd00:ec2::254"}}, []bool{true}},
		"one of 4 that is written as of 6": {[][]string{{"::ffff:169.254.169.254"}}, []bool{true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &nameServer{}
			d := newDialer(10 * time.Second)
			d.Resolver = &net.Resolver{PreferGo: true, Dial: server.dial}
			defer server.running.Wait()
			for i, refused := range tc.refused {
				server.set(tc.answers[i])
				conn, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort("callback.test.", port))
				if err == nil {
					if to := conn.RemoteAddr().String(); to != l.Addr().String() {
						t.Errorf("dial %d went to %s", i+1, to)
					}
					_ = conn.Close()
				}
				var asked *addressError
				if (err != nil) != refused || refused && !errors.As(err, &asked) {
					t.Errorf("dial %d: %v, want it refused: %t", i+1, err, refused)
				}
			}
		})
	}
}

// A nameServer answers every question for an address.
type nameServer struct {
	running sync.WaitGroup
	mu      sync.Mutex
	answer  []netip.Addr
}

func (s *nameServer) set(addrs []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = nil
	for _, a := range addrs {
		s.answer = append(s.answer, netip.MustParseAddr(a))
	}
}

// dial is a net.Resolver's Dial. The messages are those of DNS over TCP, which begin
// with their length, since a pipe keeps no borders.
func (s *nameServer) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	s.running.Go(func() {
		defer server.Close()
		for {
			message := make([]byte, 2+64<<10)
			n, err := server.Read(message)
			if err != nil || n < 2 {
				return
			}
			if n == 2 { // the length came alone
				m, err := server.Read(message[2:])
				if err != nil {
					return
				}
				n += m
			}
			if _, err := server.Write(s.reply(message[2:n])); err != nil {
				return
			}
		}
	})
	return client, nil
}

// reply answers a question (RFC 1035, section 4.1), with its length before it.
func (s *nameServer) reply(question []byte) []byte {
	end := 12 + strings.IndexByte(string(question[12:]), 0) + 5
	kind := binary.BigEndian.Uint16(question[end-4:])
	reply := append([]byte{}, question[:end]...)
	reply[2], reply[3] = 0x84, 0 // an answer, authoritative, no error
	clear(reply[6:12])
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, addr := range s.answer {
		if addr.Is4() != (kind == 1) {
			continue
		}
		reply[7]++
		data := addr.AsSlice()
		reply = append(reply, 0xc0, 12) // the name of the question
		reply = binary.BigEndian.AppendUint16(reply, kind)
		reply = append(reply, 0, 1, 0, 0, 0, 0, 0, byte(len(data)))
		reply = append(reply, data...)
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)
}
