package dashboard

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"time"
)

// An asset is a file that pages load.
type asset struct {
	content []byte
	kind    string
	version string // follows from the content
}

// assets are the files that pages load, by name.
type assets map[string]asset

var assetKinds = map[string]string{".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

func readAssets() (assets, error) {
	all := make(assets)
	err := fs.WalkDir(assetFiles, "assets", func(name string, entry fs.DirEntry, err error) error {
		kind := assetKinds[path.Ext(name)]
		if err != nil || entry.IsDir() || kind == "" {
			return err // a licence and the like are not served
		}
		content, err := assetFiles.ReadFile(name)
		if err != nil {
			return fmt.Errorf("reading an asset: %w", err)
		}
		digest := sha256.Sum256(content)
		all[path.Base(name)] = asset{content, mime.FormatMediaType(kind, map[string]string{"charset": "utf-8"}), hex.EncodeToString(digest[:6])}
		return nil
	})
	return all, err
}

// address is where a page loads an asset from. It changes with the content, so that a
// browser may keep the asset for good.
func (a assets) address(name string) (string, error) {
	file, known := a[name]
	if !known {
		return "", fmt.Errorf("there is no asset %s", name)
	}
	return "/assets/" + name + "?" + file.version, nil
}

// ServeHTTP serves an asset, of which nothing is secret.
func (a assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, known := a[r.PathValue("name")]
	if !known {
		http.Error(w, "There is no such file.", http.StatusNotFound)
		return
	}
	if r.URL.RawQuery == file.version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	w.Header().Set("Content-Type", file.kind)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.content))
}
