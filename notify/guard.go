package notify

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A refusedKind is a group of addresses that nothing is sent to.
type refusedKind struct {
	what     string
	prefixes []netip.Prefix
}

// refusedKinds are the addresses that no callback has, and that an attacker who may
// write a callback's URL, or answer for its name, would choose: they lead to the
// credentials of the machine that this program runs on. Loopback and private
// addresses are allowed: a receiver on the same machine or network is normal.
//
// Blocks are those of the IANA special-purpose address registries. Metadata
// services are at 169.254.169.254 in most clouds; the list holds those that are not
// link-local, of which Amazon documents its own and cloud-init's data sources name
// Akamai's and Scaleway's. The others are what guards of this kind commonly refuse.
var refusedKinds = []refusedKind{
	{"a link-local address", prefixes("169.254.0.0/16", "fe80::/10")},
	{"a cloud metadata address", prefixes(
		"100.100.100.200",    // Alibaba Cloud
		"fd00:100::100:200",  // Alibaba Cloud, IPv6
		"168.63.129.16",      // Azure
		"192.0.0.192",        // Oracle Cloud Infrastructure Classic
		"fd00:c1::a9fe:a9fe", // Oracle Cloud Infrastructure, IPv6
		"fd00:ec2::/32",      // Amazon EC2, IPv6: ::254, and ::23 for EKS
		"fd20:ce::254",       // Google Cloud, IPv6
		"fd00:a9fe:a9fe::1",  // Akamai (Linode), IPv6
		"fd00:42::42",        // Scaleway, IPv6
	)},
	{"a multicast address", prefixes("224.0.0.0/4", "ff00::/8")},
	{"the broadcast address", prefixes("255.255.255.255")},
	{"an unspecified address", prefixes("0.0.0.0/8", "::")},
}

// embeddings are the IPv6 addresses that stand for an IPv4 address, and at which
// byte of them it begins. Those that are IPv4-mapped need no entry: Unmap knows
// them.
var embeddings = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},    // NAT64, RFC 6052
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12},  // NAT64 of a network's own, RFC 8215
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12}, // IPv4-translated, RFC 2765
	{netip.MustParsePrefix("2002::/16"), 2},        // 6to4, RFC 3056
	{netip.MustParsePrefix("::/96"), 12},           // IPv4-compatible, RFC 4291
}

// prefixes parses blocks and single addresses.
func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		if strings.Contains(text, "/") {
			list[i] = netip.MustParsePrefix(text)
			continue
		}
		addr := netip.MustParseAddr(text)
		list[i] = netip.PrefixFrom(addr, addr.BitLen())
	}
	return list
}

// An addressError tells that a connection was not made because of its address.
type addressError struct {
	addr netip.Addr
	what string
}

func (e *addressError) Error() string {
	return fmt.Sprintf("%s is %s, and nothing is sent there: correct the url of the callback, or of its proxy, or what the name in it resolves to", e.addr, e.what)
}

// checkAddress refuses an address of a refused kind, in whatever form.
func checkAddress(addr netip.Addr) error {
	plain := addr.Unmap().WithZone("") // no prefix holds an address with a zone
	if plain.IsLoopback() {
		return nil // ::1 is within ::/96
	}
	forms := []netip.Addr{plain}
	for _, e := range embeddings {
		if e.prefix.Contains(plain) {
			bytes := plain.As16()
			forms = append(forms, netip.AddrFrom4([4]byte(bytes[e.at:e.at+4])))
		}
	}
	for _, kind := range refusedKinds {
		for _, prefix := range kind.prefixes {
			if slices.ContainsFunc(forms, prefix.Contains) {
				return &addressError{addr, kind.what}
			}
		}
	}
	return nil
}

// checkLiteral refuses a URL's host when it is an address of a refused kind. A name
// passes.
func checkLiteral(host string) error {
	host = strings.TrimSuffix(host, ".")
	addr, err := netip.ParseAddr(host)
	if err == nil {
		return checkAddress(addr)
	}
	if addr, ok := parseIPv4(host); ok {
		return checkAddress(addr)
	}
	return nil
}

// parseIPv4 reads the forms of an IPv4 address that resolvers take besides the usual
// one, as inet_aton does: one to four numbers, decimal, octal or hexadecimal, the
// last of which fills the bytes that are left.
func parseIPv4(host string) (netip.Addr, bool) {
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var sum uint64
	for i, part := range parts {
		bits := 8
		if i == len(parts)-1 {
			bits = 8 * (4 - i)
		}
		n, err := strconv.ParseUint(part, 0, bits)
		if err != nil {
			return netip.Addr{}, false
		}
		sum = sum<<bits | n
	}
	return netip.AddrFrom4([4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}), true
}

// newDialer returns a dialer that refuses addresses when it connects: what a name
// resolved to before does not count then.
func newDialer(timeout time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: timeout, Control: guard}
}

// guard is a net.Dialer's Control. It is given the address of each attempt to
// connect, after the name was resolved.
func guard(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("connect to an address of an unknown form: %w", err)
	}
	return checkAddress(to.Addr())
}
