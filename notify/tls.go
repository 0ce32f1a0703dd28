package notify

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxPEM is the most that a PEM file may hold, in bytes: the authorities of a whole
// system take some 300 KiB.
const maxPEM = 1 << 20

// CheckTLS reads the files of t. Its error says which of them is wrong, and how.
func CheckTLS(t TLS) error {
	_, err := t.config()
	return err
}

func (t TLS) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		c.RootCAs = x509.NewCertPool()
		if err := addAuthorities(c.RootCAs, t.CAFile); err != nil {
			return nil, fmt.Errorf("ca_file %w", err)
		}
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return nil, errors.New("needs both of cert_file and key_file, or neither")
	}
	if t.CertFile != "" {
		certificate, err := readKeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{certificate}
	}
	return c, nil
}

// proxyAuthorities returns the system's authorities and those of t: either may have
// signed for a proxy.
func (t TLS) proxyAuthorities() (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's authorities: %w", err)
	}
	if t.CAFile == "" {
		return pool, nil
	}
	return pool, addAuthorities(pool, t.CAFile)
}

// addAuthorities adds the certificates of a file, which holds at least one. One that
// cannot be read is an error: its absence would be noticed much later.
func addAuthorities(pool *x509.CertPool, path string) error {
	data, err := readPEM(path)
	if err != nil {
		return err
	}
	blocks := bytes.Count(data, []byte("-----BEGIN "))
	if blocks == 0 {
		return errors.New("holds no certificate: it must be a PEM file, with -----BEGIN CERTIFICATE-----")
	}
	for n := range blocks {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return errors.New("is damaged: copy it again")
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("holds something else than certificates, a %s: remove that", block.Type)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("cannot be read at its certificate %d: %w", n+1, err)
		}
		pool.AddCert(certificate)
	}
	return nil
}

func readKeyPair(certFile, keyFile string) (tls.Certificate, error) {
	cert, err := readPEM(certFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cert_file %w", err)
	}
	key, err := readPEM(keyFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("key_file %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cert_file and key_file must be PEM files of a certificate and its unencrypted key: %w", err)
	}
	return pair, nil
}

// readPEM returns what a regular file holds: opening another kind may wait for ever.
func readPEM(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", withoutPath(err))
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	f, err := os.Open(path) //nolint:gosec // The configuration names it.
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", withoutPath(err))
	}
	defer f.Close() //nolint:errcheck // Nothing was written.
	data, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", withoutPath(err))
	}
	if len(data) > maxPEM {
		return nil, fmt.Errorf("holds more than %d KiB: is it the right file?", maxPEM>>10)
	}
	return data, nil
}

// withoutPath takes the path out of an error that is told with the option that
// names it.
func withoutPath(err error) error {
	if inPath, ok := errors.AsType[*fs.PathError](err); ok {
		return inPath.Err
	}
	return err
}
